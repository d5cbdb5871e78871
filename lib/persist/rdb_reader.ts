/**
 * RdbReader: reads the notation that `RdbWriter` writes, from bytes that anybody may have made.
 *
 * What cannot be is thrown as `CorruptData`, which says where: the one who began the reading (RESTORE, the loader of a file)
 * catches it. No length is believed before the bytes for it are there, so a lie costs no memory.
 *
 * The bytes to read are `buf[at, end)`. A reader of a file or a socket overrides `more` to append to them.
 */

import { writeInt } from "../bytes/ascii.ts";
import { readF64LE, readI32BE, readI32LE, readU32BE, readU32LE } from "../bytes/binary.ts";
import { decompress } from "../bytes/lzf.ts";
import type { Int64 } from "../store/types/int64.ts";
import { LENGTH_32, LENGTH_64, STRING_INT16, STRING_INT32, STRING_INT8, STRING_LZF } from "./rdb_writer.ts";

/** The bytes do not mean anything. `offset` is where, from the reader's beginning. */
export class CorruptData extends Error {
  /** What was being read, line by line. */
  details: readonly string[] = [];

  constructor(readonly reason: string, readonly offset: number) {
    super(`${reason} at offset ${offset}`);
  }

  /** As Redis begins the line in its log. */
  get logLine(): string {
    return `Internal error in RDB reading offset ${this.offset}: ${this.reason}`;
  }
}

/** The bytes end too early. */
export class ShortData extends CorruptData {}

/** LZF makes at most 264 bytes of 3. */
const MOST_EXPANSION = 88;
const INITIAL_SCRATCH = 1024;
/** A scratch that one huge string has grown beyond this is not kept. */
const KEEP_SCRATCH = 1024 * 1024;
const TWO32 = 0x100000000;

export class RdbReader {
  /** The string that was read last: `bytes[bytesOff, bytesOff + bytesLen)`, good until the next read. */
  bytes: Uint8Array;
  bytesOff = 0;
  bytesLen = 0;
  #scratch = new Uint8Array(INITIAL_SCRATCH);
  #begin: number;
  /** Where `rewind` goes back to, -1 for nowhere: what is in `buf` from there on must stay there. */
  protected keptFrom = -1;

  constructor(public buf: Uint8Array, public at: number, public end: number) {
    this.bytes = buf;
    this.#begin = at;
  }

  /** Begins anew with other bytes. */
  open(buf: Uint8Array, at: number, end: number): void {
    this.buf = buf;
    this.at = at;
    this.end = end;
    this.#begin = at;
  }

  /** Offset of `at` from the beginning, for messages. */
  get position(): number {
    return this.at - this.#begin;
  }

  /** No more items of at least `size` bytes than this can follow: what is declared may be a lie. */
  most(size: number): number {
    return Math.floor((this.end - this.at) / size);
  }

  /** From here on bytes are kept, until `takeKept` or `rewind`. */
  keep(): void {
    this.keptFrom = this.at;
  }

  /** Bytes read since `keep`. */
  get kept(): number {
    return this.at - this.keptFrom;
  }

  /** Makes the bytes since `keep` the string. */
  takeKept(): void {
    this.bytes = this.buf;
    this.bytesOff = this.keptFrom;
    this.bytesLen = this.kept;
    this.keptFrom = -1;
  }

  /** Goes back to where `keep` was called. */
  rewind(): void {
    this.at = this.keptFrom;
    this.keptFrom = -1;
  }

  fail(reason: string): never {
    throw new CorruptData(reason, this.position);
  }

  /** Gets at least `count` bytes at `at`; `buf`, `at` and `end` may be other ones afterwards. False when there are no more. */
  more(_count: number): boolean {
    return false;
  }

  /** Insists on `count` bytes. */
  need(count: number): void {
    if (this.end - this.at < count && !this.more(count)) throw new ShortData("data is cut short", this.position);
  }

  byte(): number {
    this.need(1);
    return this.buf[this.at++];
  }

  /** A length or count; exact up to 2^53. */
  length(): number {
    const first = this.byte();
    const length = this.#length(first);
    return length < 0 ? this.fail("length expected") : length;
  }

  /** -1 when `first` begins something else. */
  #length(first: number): number {
    if (first < 0x40) return first;
    if (first < 0x80) return ((first & 0x3f) << 8) | this.byte();
    if (first === LENGTH_32) {
      this.need(4);
      this.at += 4;
      return readU32BE(this.buf, this.at - 4);
    }
    if (first === LENGTH_64) {
      this.need(8);
      this.at += 8;
      return readU32BE(this.buf, this.at - 8) * TWO32 + readU32BE(this.buf, this.at - 4);
    }
    return -1;
  }

  /** A length of 64 bits, exact (stream ids, times). */
  length64(): bigint {
    this.need(1);
    if (this.buf[this.at] !== LENGTH_64) return BigInt(this.length());
    this.need(9);
    this.at += 9;
    return (BigInt(readU32BE(this.buf, this.at - 8)) << 32n) | BigInt(readU32BE(this.buf, this.at - 4));
  }

  /** The same into a register. */
  wideLength(into: Int64): void {
    this.need(1);
    if (this.buf[this.at] !== LENGTH_64) {
      const value = this.length();
      into.lo = value | 0;
      into.hi = 0;
      return;
    }
    this.need(9);
    this.at += 9;
    into.hi = readI32BE(this.buf, this.at - 8);
    into.lo = readI32BE(this.buf, this.at - 4);
  }

  /** Reads a string in any of its forms into `bytes`. */
  string(): void {
    const first = this.byte();
    if (first === STRING_LZF) return this.#compressed();
    if (first >= STRING_INT8 && first <= STRING_INT32) return this.#integer(first);
    const length = this.#length(first);
    if (length < 0) this.fail("string expected");
    this.raw(length);
  }

  /** Makes the next `length` bytes the string. */
  raw(length: number): void {
    this.need(length);
    this.bytes = this.buf;
    this.bytesOff = this.at;
    this.bytesLen = length;
    this.at += length;
  }

  #integer(first: number): void {
    const size = first === STRING_INT8 ? 1 : first === STRING_INT16 ? 2 : 4;
    this.need(size);
    const { buf, at } = this;
    const value = size === 1
      ? (buf[at] << 24) >> 24
      : size === 2
      ? ((buf[at] | (buf[at + 1] << 8)) << 16) >> 16
      : readI32LE(buf, at);
    this.at += size;
    this.bytes = this.#scratch;
    this.bytesOff = 0;
    this.bytesLen = writeInt(this.#scratch, 0, value);
  }

  #compressed(): void {
    const packed = this.length();
    const length = this.length();
    this.need(packed);
    if (length > packed * MOST_EXPANSION) this.fail("compressed string of an impossible length");
    if (length > this.#scratch.length || this.#scratch.length > KEEP_SCRATCH) {
      this.#scratch = new Uint8Array(Math.max(length, INITIAL_SCRATCH));
    }
    if (decompress(this.buf, this.at, packed, this.#scratch, 0, length) !== length) {
      this.fail("invalid compressed string");
    }
    this.at += packed;
    this.bytes = this.#scratch;
    this.bytesOff = 0;
    this.bytesLen = length;
  }

  /** 8 bytes, IEEE 754, little-endian. */
  double(): number {
    this.need(8);
    this.at += 8;
    return readF64LE(this.buf, this.at - 8);
  }

  /** 64 bits, little-endian, into a register. */
  wide(into: Int64): void {
    this.need(8);
    this.at += 8;
    into.lo = readI32LE(this.buf, this.at - 8);
    into.hi = readI32LE(this.buf, this.at - 4);
  }

  /** 64 bits, little-endian, exact. */
  int64(): bigint {
    this.need(8);
    this.at += 8;
    return (BigInt(readI32LE(this.buf, this.at - 4)) << 32n) | BigInt(readU32LE(this.buf, this.at - 8));
  }
}
