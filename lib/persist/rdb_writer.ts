/**
 * RdbWriter: bytes in the notation of RDB files, which DUMP payloads and full resynchronisations share.
 *
 *   length   00xxxxxx | 01xxxxxx x | 80 u32 BE | 81 u64 BE
 *   string   length + bytes, or C0 i8 | C1 i16 LE | C2 i32 LE for the text of an integer, or C3 + two lengths + LZF
 *
 * Without a sink everything gathers in `buf[0, at)`. With one, a buffer that is full is handed over and used again, so that
 * a file or a socket can be written without ever holding the whole of it.
 *
 * Format: https://rdb.fnordig.de/file_format.html; behaviour: rdb.c of Redis 7.0.
 */

import { parseInt64 } from "../bytes/ascii.ts";
import { writeF64LE, writeU32BE, writeU32LE } from "../bytes/binary.ts";
import { compress } from "../bytes/lzf.ts";
import { copyBytes } from "../bytes/span.ts";

/** First bytes of lengths, and of the special strings. */
export const LENGTH_32 = 0x80;
export const LENGTH_64 = 0x81;
export const STRING_INT8 = 0xc0;
export const STRING_INT16 = 0xc1;
export const STRING_INT32 = 0xc2;
export const STRING_LZF = 0xc3;

const INITIAL = 1024;
const SINK_BUFFER = 64 * 1024;
/** A buffer that a long string has made larger than this is not kept. */
const MOST_KEPT = 4 * SINK_BUFFER;
/** Longest text that can be an integer of 32 bits. */
const INT_TEXT = 11;
/** Shorter strings are never compressed. */
const MIN_COMPRESSED = 20;
/** Header of a compressed string: its first byte and two lengths. */
const LZF_HEADER = 11;

/** Takes `buf[0, length)`, which is used again after the call. */
export type ByteSink = (buf: Uint8Array, length: number) => void;

export class RdbWriter {
  buf: Uint8Array;
  at = 0;

  /**
   * `compress`: whether long strings are compressed (rdbcompression). `sink` gets `buf[0, length)`, which is used again
   * after the call. `capacity`: bytes of the first buffer.
   */
  constructor(
    public compress: boolean,
    protected sink: ByteSink | null = null,
    capacity = sink === null ? INITIAL : SINK_BUFFER,
  ) {
    this.buf = new Uint8Array(capacity);
  }

  /** Makes room for `count` more bytes at `at`. */
  ensure(count: number): void {
    if (this.at + count <= this.buf.length) return;
    if (this.sink !== null) this.flush();
    if (this.at + count <= this.buf.length) return;
    const grown = new Uint8Array(Math.max(this.at + count, this.buf.length * 2));
    grown.set(this.buf.subarray(0, this.at));
    this.buf = grown;
  }

  /** Hands what has gathered to the sink. */
  flush(): void {
    if (this.sink === null || this.at === 0) return;
    this.sink(this.buf, this.at);
    this.at = 0;
    if (this.buf.length > MOST_KEPT) this.buf = new Uint8Array(SINK_BUFFER);
  }

  byte(value: number): void {
    this.ensure(1);
    this.buf[this.at++] = value;
  }

  /** Bytes as they are, without a length. */
  raw(from: Uint8Array, off: number, len: number): void {
    if (this.sink !== null && len > SINK_BUFFER) {
      this.flush();
      this.sink(from.subarray(off, off + len), len);
      return;
    }
    this.ensure(len);
    copyBytes(from, off, len, this.buf, this.at);
    this.at += len;
  }

  /** A length or count: a whole number of at most 2^53. */
  length(value: number): void {
    this.ensure(9);
    const { buf } = this;
    if (value < 64) buf[this.at++] = value;
    else if (value < 16384) {
      buf[this.at++] = 0x40 | (value >>> 8);
      buf[this.at++] = value;
    } else if (value <= 0xffffffff) {
      buf[this.at] = LENGTH_32;
      writeU32BE(buf, this.at + 1, value);
      this.at += 5;
    } else this.#length64(Math.floor(value / 0x100000000), value % 0x100000000);
  }

  /** The same for an unsigned number of 64 bits in two halves (stream ids, times). */
  length64(high: number, low: number): void {
    if ((high | 0) === 0) return this.length(low >>> 0);
    this.ensure(9);
    this.#length64(high, low);
  }

  #length64(high: number, low: number): void {
    this.buf[this.at] = LENGTH_64;
    writeU32BE(this.buf, this.at + 1, high);
    writeU32BE(this.buf, this.at + 5, low);
    this.at += 9;
  }

  /** A string, in the shortest of its forms. */
  string(from: Uint8Array, off: number, len: number): void {
    if (len <= INT_TEXT && this.#integer(from, off, len)) return;
    if (this.compress && len > MIN_COMPRESSED && this.#compressed(from, off, len)) return;
    this.length(len);
    this.raw(from, off, len);
  }

  /** The same for bytes that will not change, or not without a snapshot's being told: a writer may put them off. */
  steadyString(from: Uint8Array, off: number, len: number): void {
    this.string(from, off, len);
  }

  /** As `raw`, for such bytes. */
  steadyRaw(from: Uint8Array, off: number, len: number): void {
    this.raw(from, off, len);
  }

  #integer(from: Uint8Array, off: number, len: number): boolean {
    const value = parseInt64(from, off, len);
    if (!(value >= -0x80000000 && value <= 0x7fffffff)) return false;
    this.ensure(5);
    const { buf } = this;
    if (value >= -128 && value <= 127) {
      buf[this.at++] = STRING_INT8;
      buf[this.at++] = value;
    } else if (value >= -32768 && value <= 32767) {
      buf[this.at++] = STRING_INT16;
      buf[this.at++] = value;
      buf[this.at++] = value >> 8;
    } else {
      buf[this.at] = STRING_INT32;
      writeU32LE(buf, this.at + 1, value);
      this.at += 5;
    }
    return true;
  }

  #compressed(from: Uint8Array, off: number, len: number): boolean {
    // Compressed behind the room for the longest header, then moved up to the header it really has.
    this.ensure(LZF_HEADER + len);
    const data = this.at + LZF_HEADER;
    const packed = compress(from, off, len, this.buf, data, len - 4);
    if (packed === 0) return false;
    this.buf[this.at++] = STRING_LZF;
    this.length(packed);
    this.length(len);
    this.buf.copyWithin(this.at, data, data + packed);
    this.at += packed;
    return true;
  }

  /** 8 bytes, IEEE 754, little-endian (scores of sorted sets). */
  double(value: number): void {
    this.ensure(8);
    writeF64LE(this.buf, this.at, value);
    this.at += 8;
  }

  /** 64 bits, little-endian (times in milliseconds). `value` is whole, of at most 2^53 either way, or a bigint. */
  int64(value: number | bigint): void {
    this.ensure(8);
    const isNumber = typeof value === "number";
    writeU32LE(this.buf, this.at, isNumber ? value | 0 : Number(BigInt.asIntN(32, value)));
    writeU32LE(
      this.buf,
      this.at + 4,
      isNumber ? Math.floor(value / 0x100000000) : Number(BigInt.asIntN(32, value >> 32n)),
    );
    this.at += 8;
  }
}
