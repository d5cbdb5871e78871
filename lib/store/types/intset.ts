/**
 * Intset: a sorted array of distinct integers in one blob, byte for byte as Redis lays it out. Meant to be imported whole:
 * `import * as intset from "./intset.ts"`.
 *
 *   encoding   u32 LE: bytes of each value, 2, 4 or 8
 *   length     u32 LE: number of values
 *   values     little-endian, ascending
 *
 * The encoding is that of the widest value that was ever added; it never shrinks. Values are 64-bit integers in an `Int64`
 * register, exact and without allocation. The functions rely on a sound intset: bytes from outside must have passed a deep
 * `validate`.
 */

import { readI16LE, readI32LE, readU32LE, writeU16LE, writeU32LE } from "../../bytes/binary.ts";
import type { Blob } from "./blob.ts";
import type { Int64 } from "./int64.ts";

const HEADER = 8;
/** Bytes of an empty intset. */
export const EMPTY_BYTES = HEADER;

/** Makes an empty blob an empty intset; whatever it held before is dropped. */
export function create(blob: Blob): void {
  blob.splice(0, blob.len, HEADER);
  blob.buf.fill(0, blob.off, blob.off + HEADER);
  blob.buf[blob.off] = 2;
}

/** Number of values. */
export function count(blob: Blob): number {
  return readU32LE(blob.buf, blob.off + 4);
}

/** Reads the value with that index (0 is the least, `count - 1` the greatest). */
export function get(blob: Blob, index: number, value: Int64): void {
  const { buf, off } = blob;
  const width = buf[off];
  const p = off + HEADER + index * width;
  const lo = width === 2 ? readI16LE(buf, p) : readI32LE(buf, p);
  value.lo = lo;
  value.hi = width === 8 ? readI32LE(buf, p + 4) : lo >> 31;
}

/** Index of the value, -1 when it is not in the set. */
export function find(blob: Blob, value: Int64): number {
  if (widthOf(value) > blob.buf[blob.off]) return -1;
  const place = lowerBound(blob, value);
  return place < count(blob) && isAt(blob, place, value) ? place : -1;
}

/** Adds the value, widening all others if it needs that; returns false when it is there already. */
export function add(blob: Blob, value: Int64): boolean {
  const width = widthOf(value);
  const length = count(blob);
  let place: number;
  if (width > blob.buf[blob.off]) {
    // Out of the range of all others, so it comes first or last.
    widen(blob, width);
    place = value.hi < 0 ? 0 : length;
  } else {
    place = lowerBound(blob, value);
    if (place < length && isAt(blob, place, value)) return false;
  }
  const stored = blob.buf[blob.off];
  const at = HEADER + place * stored;
  blob.splice(at, 0, stored);
  write(blob.buf, blob.off + at, stored, value.hi, value.lo);
  writeU32LE(blob.buf, blob.off + 4, length + 1);
  return true;
}

/** Removes the value; returns whether it was there. */
export function remove(blob: Blob, value: Int64): boolean {
  const place = find(blob, value);
  if (place === -1) return false;
  const width = blob.buf[blob.off];
  const length = count(blob);
  blob.splice(HEADER + place * width, width, 0);
  writeU32LE(blob.buf, blob.off + 4, length - 1);
  return true;
}

/**
 * Whether those bytes are an intset with at least one value. Not `deep`: only the lengths, which makes it safe to read; deep:
 * the order too.
 */
export function validate(buf: Uint8Array, off: number, len: number, deep: boolean): boolean {
  if (len < HEADER) return false;
  const width = readI32LE(buf, off);
  if (width !== 2 && width !== 4 && width !== 8) return false;
  const length = readU32LE(buf, off + 4);
  if (length === 0 || HEADER + length * width !== len) return false;
  if (!deep) return true;
  const end = off + len;
  for (let p = off + HEADER + width; p < end; p += width) {
    if (compare(buf, p - width, width, buf, p) >= 0) return false;
  }
  return true;
}

/** Compares two stored values. */
function compare(a: Uint8Array, p: number, width: number, b: Uint8Array, q: number): number {
  if (width === 2) return readI16LE(a, p) - readI16LE(b, q);
  if (width === 4) return readI32LE(a, p) - readI32LE(b, q);
  return readI32LE(a, p + 4) - readI32LE(b, q + 4) || readU32LE(a, p) - readU32LE(b, q);
}

/** Index of the first value that is not less; all values have a width that can hold `value`. */
function lowerBound(blob: Blob, value: Int64): number {
  const { buf } = blob;
  const width = buf[blob.off];
  const base = blob.off + HEADER;
  const { hi, lo } = value;
  let low = 0;
  let high = count(blob);
  if (width === 8) {
    while (low < high) {
      const middle = (low + high) >>> 1;
      const upper = readI32LE(buf, base + middle * 8 + 4);
      const less = upper < hi || (upper === hi && readU32LE(buf, base + middle * 8) < (lo >>> 0));
      if (less) low = middle + 1;
      else high = middle;
    }
    return low;
  }
  while (low < high) {
    const middle = (low + high) >>> 1;
    const p = base + middle * width;
    if ((width === 2 ? readI16LE(buf, p) : readI32LE(buf, p)) < lo) low = middle + 1;
    else high = middle;
  }
  return low;
}

function isAt(blob: Blob, index: number, value: Int64): boolean {
  const { buf, off } = blob;
  const width = buf[off];
  const p = off + HEADER + index * width;
  if (width === 2) return readI16LE(buf, p) === value.lo;
  return readI32LE(buf, p) === value.lo && (width === 4 || readI32LE(buf, p + 4) === value.hi);
}

/** Rewrites all values with that greater width, from the last to the first so that none is overwritten unread. */
function widen(blob: Blob, width: number): void {
  const old = blob.buf[blob.off];
  const length = count(blob);
  blob.splice(blob.len, 0, length * (width - old));
  const { buf, off } = blob;
  for (let i = length - 1; i >= 0; i--) {
    const p = off + HEADER + i * old;
    const lo = old === 2 ? readI16LE(buf, p) : readI32LE(buf, p);
    write(buf, off + HEADER + i * width, width, lo >> 31, lo);
  }
  buf[off] = width;
}

/** Bytes that the value needs. */
function widthOf(value: Int64): number {
  const { hi, lo } = value;
  if (hi !== lo >> 31) return 8;
  return lo >= -32768 && lo <= 32767 ? 2 : 4;
}

function write(buf: Uint8Array, p: number, width: number, hi: number, lo: number): void {
  if (width === 2) return writeU16LE(buf, p, lo);
  writeU32LE(buf, p, lo);
  if (width === 8) writeU32LE(buf, p + 4, hi);
}
