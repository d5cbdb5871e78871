/**
 * Listpacks of pairs (field and value of a hash, member and score of a sorted set) that come from outside. Beside being sound, their
 * first elements must all differ: a key that is found twice would be counted twice and deleted once.
 *
 * The check runs for every small collection of a file that is loaded. Each element sets one bit of a bitmap, chosen by a few of its
 * bytes, and only those that find theirs set are compared with what is before them. Where they are many, because somebody has
 * chosen elements with the same bit, a table of offsets that is hashed with the server's seed answers instead.
 */

import { readI32LE } from "../bytes/binary.ts";
import { hashBytes } from "../bytes/hash.ts";
import type { HashSeed } from "../store/dict.ts";
import { type Blob, BorrowedBlob, HeapBlob } from "../store/types/blob.ts";
import * as listpack from "../store/types/listpack.ts";
import { ListpackCursor } from "../store/types/listpack.ts";
import type { RdbReader } from "./rdb_reader.ts";

const cursor = new ListpackCursor();
/** The bitmap: bits for each element, at least, and at most. */
const BITS_EACH = 32;
const LEAST_BITS = 64;
const MOST_BITS = 1 << 23;
/** A bitmap that one huge listpack has grown beyond so many words is not kept. */
const KEEP_WORDS = 1024;
let bits = new Int32Array(KEEP_WORDS);
/** Elements that are compared with others, besides one in eight, before the table is made. */
const MOST_SUSPECTS = 8;

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
  return areDistinct(blob, 1, seed);
}

/** Whether the bytes are a sound listpack of elements that are all different, each followed by `skip` others, 0 or 1. */
export function areDistinct(blob: Blob, skip: number, seed: HashSeed): boolean {
  const { buf, off, len } = blob;
  if (!listpack.validate(buf, off, len, false)) return false;
  const expected = listpack.tellsCount(buf, off) ? buf[off + 4] | (buf[off + 5] << 8) : len >>> 2;
  let size = LEAST_BITS;
  while (size < expected * BITS_EACH && size < MOST_BITS) size *= 2;
  if (size > bits.length << 5 || bits.length > KEEP_WORDS) bits = new Int32Array(Math.max(size >>> 5, KEEP_WORDS));
  else bits.fill(0, 0, size >>> 5);
  const shift = Math.clz32(size) + 1;
  let suspects = MOST_SUSPECTS + (expected >>> 3);
  let elements = 0;
  const end = off + len - 1;
  for (let p = off + listpack.FIRST; p < end; elements++) {
    const bytes = listpack.soundSize(buf, p, end);
    if (bytes === 0) return false;
    if (skip === 0 || (elements & 1) === 0) {
      const head = buf[p];
      let mixed: number;
      // The short string is by far the most frequent element: no detour over the cursor.
      if (head >= 0x80 && head < 0xc0) mixed = mix(buf, p + 1, head & 63);
      else {
        listpack.read(blob, p - off, cursor);
        mixed = cursor.isInt ? cursor.value.lo : mix(cursor.buf, cursor.off, cursor.len);
      }
      const bit = Math.imul(mixed, 0x9e3779b1) >>> shift;
      const mask = 1 << (bit & 31);
      if ((bits[bit >>> 5] & mask) === 0) bits[bit >>> 5] |= mask;
      else if (--suspects >= 0 && isBefore(blob, p - off, skip)) return false;
    }
    p += bytes;
  }
  if (!listpack.hasCount(buf, off, elements)) return false;
  return (skip === 0 || elements % 2 === 0) && (suspects >= 0 || !hasRepeated(blob, elements, skip, seed));
}

/** Whether an element stands already before `place`; what follows it need not be sound. */
function isBefore(blob: Blob, place: number, skip: number): boolean {
  listpack.readText(blob, place, cursor);
  const { buf, off, len } = cursor;
  return listpack.find(blob, listpack.FIRST, buf, off, len, skip) !== place;
}

/** A number made of a string's length, its first bytes and its last ones. */
function mix(buf: Uint8Array, off: number, len: number): number {
  if (len < 4) return len === 0 ? 0 : buf[off] | (buf[off + (len >> 1)] << 8) | (buf[off + len - 1] << 16);
  return (readI32LE(buf, off + len - 4) ^ Math.imul(readI32LE(buf, off), 0x85ebca6b)) + len;
}

/** The same, whoever has chosen the elements. */
function hasRepeated(blob: Blob, elements: number, skip: number, seed: HashSeed): boolean {
  let size = 4;
  while (size < elements * 2) size *= 2;
  const slots = new Int32Array(size);
  for (let at = listpack.first(blob); at >= 0;) {
    const next = listpack.readText(blob, at, cursor);
    const { buf, off, len } = cursor;
    let slot = hashBytes(buf, off, len, seed.k0, seed.k1) & (size - 1);
    for (; slots[slot] !== 0; slot = (slot + 1) & (size - 1)) {
      if (listpack.equals(blob, slots[slot], buf, off, len)) return true;
    }
    slots[slot] = at;
    at = skip === 0 || next < 0 ? next : listpack.next(blob, next);
  }
  return false;
}
