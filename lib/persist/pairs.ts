/**
 * Listpacks of pairs (field and value of a hash, member and score of a sorted set) that come from outside. Beside being sound, their
 * first elements must all differ: a key that is found twice would be counted twice and deleted once.
 *
 * The check runs for every small collection of a file that is loaded, so it takes time in proportion to the length and allocates
 * nothing: a table of offsets, hashed by the server's seed. Of a few elements each sets one of 64 bits, and only those that find
 * theirs set are compared with what is before them: that is cheap even when somebody has chosen elements with the same bit.
 */

import { hashBytes } from "../bytes/hash.ts";
import type { HashSeed } from "../store/dict.ts";
import { type Blob, BorrowedBlob, HeapBlob } from "../store/types/blob.ts";
import * as listpack from "../store/types/listpack.ts";
import { ListpackCursor } from "../store/types/listpack.ts";
import type { RdbReader } from "./rdb_reader.ts";

const cursor = new ListpackCursor();
/** Open addressing: offsets of elements that have been seen, 0 where there is none. */
let slots = new Int32Array(1024);
/** A table that one huge listpack has grown beyond this is not kept. */
const KEEP_SLOTS = 65536;
/** Elements for which 64 bits will do. */
const FEW = 32;

const borrowed = new BorrowedBlob();

/**
 * The string that was read last, as the blob that is to be a listpack. It stays where it is, good until the next read, unless its header
 * does not tell the number of elements: counting would write it there.
 */
export function listpackOf({ bytes, bytesOff, bytesLen }: RdbReader): Blob {
  if (bytesLen < listpack.EMPTY_BYTES || !listpack.tellsCount(bytes, bytesOff)) {
    return HeapBlob.from(bytes, bytesOff, bytesLen);
  }
  return borrowed.lend(bytes, bytesOff, bytesLen);
}

/** Whether the bytes are a sound listpack of pairs without a repeated first element. An empty one is. */
export function arePairs(blob: Blob, seed: HashSeed): boolean {
  if (!listpack.validate(blob.buf, blob.off, blob.len, true)) return false;
  const elements = listpack.count(blob);
  return elements % 2 === 0 && !hasRepeated(blob, elements >>> 1, seed);
}

/** Whether one of up to `FEW` elements, each followed by `skip` others, comes twice. */
export function isAnyTwice(blob: Blob, skip: number): boolean {
  let low = 0;
  let high = 0;
  for (let at = listpack.first(blob); at >= 0;) {
    let next = listpack.read(blob, at, cursor);
    let mixed = cursor.isInt ? cursor.value.lo : cursor.len;
    if (!cursor.isInt) {
      const { buf, off, len } = cursor;
      for (let i = len > 8 ? len - 8 : 0; i < len; i++) mixed = Math.imul(mixed, 31) + buf[off + i];
    }
    const bit = Math.imul(mixed, 0x9e3779b1) >>> 26;
    const mask = 1 << (bit & 31);
    if ((bit < 32 ? low : high) & mask) {
      cursor.asText();
      const { buf, off, len } = cursor;
      if (listpack.find(blob, listpack.first(blob), buf, off, len, skip) !== at) return true;
    } else if (bit < 32) low |= mask;
    else high |= mask;
    for (let skipped = 0; skipped < skip && next >= 0; skipped++) next = listpack.next(blob, next);
    at = next;
  }
  return false;
}

function hasRepeated(blob: Blob, pairs: number, seed: HashSeed): boolean {
  if (pairs <= FEW) return isAnyTwice(blob, 1);
  let size = 4;
  while (size < pairs * 2) size *= 2;
  if (size > slots.length || slots.length > KEEP_SLOTS) slots = new Int32Array(Math.max(size, 1024));
  else slots.fill(0, 0, size);
  for (let at = listpack.first(blob); at >= 0;) {
    const value = listpack.readText(blob, at, cursor);
    const { buf, off, len } = cursor;
    let slot = hashBytes(buf, off, len, seed.k0, seed.k1) & (size - 1);
    for (; slots[slot] !== 0; slot = (slot + 1) & (size - 1)) {
      if (listpack.equals(blob, slots[slot], buf, off, len)) return true;
    }
    slots[slot] = at;
    at = listpack.next(blob, value);
  }
  return false;
}
