/**
 * ZiplistReader: reads the lists that Redis wrote before version 7 (lists, hashes and sorted sets of RDB files and DUMP payloads). They are
 * never made here, only taken apart.
 *
 *   header     total bytes (u32 LE), offset of the last element (u32 LE), number of elements (u16 LE, 65535: not known)
 *   element    bytes of the element before it (u8, or 254 and u32 LE), encoding, data
 *   end        0xFF
 *
 *   00xxxxxx                 string of up to 63           01xxxxxx x       string of up to 16383
 *   80 + u32 BE              longer string                C0, D0, E0       integer of 2, 4, 8 bytes LE
 *   F0                       integer of 3 bytes LE        FE               integer of 1 byte
 *   F1 … FD                  integer 0 … 12
 *
 * Everything is checked while reading; what is not sound is thrown as `CorruptData`.
 */

import type { ListpackCursor } from "../store/types/listpack.ts";
import type { RdbReader } from "./rdb_reader.ts";

const HEADER = 10;
const END = 0xff;
const LONG_PREVIOUS = 254;
const COUNT_UNKNOWN = 0xffff;

export class ZiplistReader {
  #input: RdbReader;
  #buf: Uint8Array;
  #begin: number;
  #end: number;
  #at: number;
  /** Bytes of the element that was read last, and where it began. */
  #previous = 0;
  #last = 0;
  #read = 0;

  /**
   * Reads the ziplist that is the string which `input` has just read. Nothing else may be read from `input` meanwhile. `what` is
   * the type of the value, for messages.
   */
  constructor(input: RdbReader, readonly what: string) {
    this.#input = input;
    this.#buf = input.bytes;
    this.#begin = input.bytesOff;
    this.#end = input.bytesOff + input.bytesLen - 1;
    this.#at = this.#begin + HEADER;
    this.#last = this.#at;
    if (input.bytesLen < HEADER + 1 || this.#u32(this.#begin) !== input.bytesLen || this.#buf[this.#end] !== END) {
      input.fail(`${what} ziplist integrity check failed`);
    }
  }

  /** Reads the next element into the cursor; false at the end. */
  next(cursor: ListpackCursor): boolean {
    const buf = this.#buf;
    const start = this.#at;
    if (start === this.#end) {
      const count = buf[this.#begin + 8] | (buf[this.#begin + 9] << 8);
      const tail = this.#u32(this.#begin + 4);
      if ((count !== COUNT_UNKNOWN && count !== this.#read) || tail !== this.#last - this.#begin) this.#fail();
      return false;
    }
    let at = start;
    let previous = buf[at++];
    if (previous === LONG_PREVIOUS) {
      this.#need(at, 4);
      previous = this.#u32(at);
      at += 4;
    }
    if (previous !== this.#previous) this.#fail();
    this.#need(at, 1);
    const head = buf[at++];
    if (head < 0xc0) at = this.#string(head, at, cursor);
    else at = this.#integer(head, at, cursor);
    this.#last = start;
    this.#previous = at - start;
    this.#at = at;
    this.#read++;
    return true;
  }

  #string(head: number, at: number, cursor: ListpackCursor): number {
    const buf = this.#buf;
    let length = head & 63;
    if (head >= 0x80) {
      this.#need(at, 4);
      length = ((buf[at] << 24) | (buf[at + 1] << 16) | (buf[at + 2] << 8) | buf[at + 3]) >>> 0;
      at += 4;
    } else if (head >= 0x40) {
      this.#need(at, 1);
      length = (length << 8) | buf[at++];
    }
    this.#need(at, length);
    cursor.isInt = false;
    cursor.buf = buf;
    cursor.off = at;
    cursor.len = length;
    return at + length;
  }

  #integer(head: number, at: number, cursor: ListpackCursor): number {
    const { value } = cursor;
    cursor.isInt = true;
    if (head >= 0xf1 && head <= 0xfd) {
      value.hi = 0;
      value.lo = head - 0xf1;
      return at;
    }
    const size = head === 0xfe
      ? 1
      : head === 0xc0
      ? 2
      : head === 0xf0
      ? 3
      : head === 0xd0
      ? 4
      : head === 0xe0
      ? 8
      : this.#fail();
    this.#need(at, size);
    const buf = this.#buf;
    let low = 0;
    for (let i = 0; i < size && i < 4; i++) low |= buf[at + i] << (i * 8);
    const unused = size < 4 ? 32 - size * 8 : 0;
    value.lo = (low << unused) >> unused;
    value.hi = size === 8 ? this.#u32(at + 4) | 0 : value.lo >> 31;
    return at + size;
  }

  #need(at: number, count: number): void {
    if (count > this.#end - at) this.#fail();
  }

  #u32(at: number): number {
    const buf = this.#buf;
    return (buf[at] | (buf[at + 1] << 8) | (buf[at + 2] << 16) | (buf[at + 3] << 24)) >>> 0;
  }

  #fail(): never {
    return this.#input.fail(`${this.what} ziplist integrity check failed`);
  }
}
