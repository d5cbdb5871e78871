/**
 * Listpack: a list of byte strings and integers in one blob, byte for byte as Redis 7 lays it out, so that DUMP, RDB files
 * and memory use need no conversion. Meant to be imported whole: `import * as listpack from "./listpack.ts"`.
 *
 *   header     total bytes (u32 LE), number of elements (u16 LE, 65535: not known, walk)
 *   element    encoding + data, then `backlen`: the length of encoding + data, readable from the right
 *   end        0xFF
 *
 *   0xxxxxxx                 integer 0 … 127              F1 + 2, F2 + 3, F3 + 4, F4 + 8   little-endian integer
 *   10xxxxxx + bytes         string of up to 63           1110xxxx x + bytes               string of up to 4095
 *   110xxxxx x               integer of 13 bits           F0 + u32 LE + bytes              longer string
 *
 * A string that is the canonical text of a 64-bit integer is always stored as that integer, in the shortest encoding.
 * backlen has 7 bits in each byte, the most significant first; all but the first have the top bit set.
 *
 * An element is named by its offset from the blob's beginning, -1 is "none". There is no object per element: `read` fills a
 * cursor that is used again and again. Any change moves bytes and perhaps the blob, so offsets behind it and cursors are
 * void after it. The functions rely on a sound listpack: bytes from outside must have passed a deep `validate`.
 */

import { readI16LE, readI32LE, readU32LE, writeU32LE } from "../../bytes/binary.ts";
import { copyBytes, equalBytes } from "../../bytes/span.ts";
import type { Blob, Bytes } from "./blob.ts";
import { Int64, MAX_INT64_TEXT } from "./int64.ts";

const HEADER = 6;
const END = 0xff;
const COUNT_UNKNOWN = 0xffff;
/** Longest listpack that may come about, as in Redis: 1 GiB. */
const MAX_BYTES = 1 << 30;
/** Bytes that `Elements` begin with, and the most that they keep. */
const FEW = 512;
const MUCH = 65536;
/** Offset of the first element. */
export const FIRST = HEADER;
/** Bytes of an empty listpack. */
export const EMPTY_BYTES = HEADER + 1;

/** Takes texts one after the other; a Reply is one. */
export interface TextSink {
  /** It wants no more. */
  readonly isFull: boolean;
  bulk(buf: Uint8Array, off: number, len: number): void;
}

/** Where `read` puts an element. An integer is in `value`; a string is `buf[off, off + len)`, inside the blob. */
export class ListpackCursor {
  isInt = false;
  readonly value: Int64 = new Int64();
  buf: Uint8Array;
  off = 0;
  len = 0;
  readonly #text: Uint8Array = new Uint8Array(MAX_INT64_TEXT);

  constructor() {
    this.buf = this.#text;
  }

  /** Writes an integer out, so that `buf`, `off`, `len` hold the element's text whatever it is. */
  asText(): void {
    if (!this.isInt) return;
    this.buf = this.#text;
    this.off = 0;
    this.len = this.value.format(this.#text, 0);
  }

  /** Gives the element's text to `sink`. */
  writeTo(sink: TextSink): void {
    this.asText();
    sink.bulk(this.buf, this.off, this.len);
  }
}

/** Integer about to be written or looked for. */
const pending = new Int64();
const seen = new ListpackCursor();
/** Copy of a source that lies in the very blob that is being changed. */
let sourceCopy = new Uint8Array(256);

/** Makes an empty blob an empty listpack; whatever it held before is dropped. */
export function create(blob: Blob): void {
  blob.splice(0, blob.len, EMPTY_BYTES);
  const { buf, off } = blob;
  buf.fill(0, off, off + HEADER);
  buf[off] = EMPTY_BYTES;
  buf[off + HEADER] = END;
}

/** Number of elements; walks, and writes the header, when it does not say. */
export function count(blob: Blob): number {
  const { buf, off } = blob;
  const stored = buf[off + 4] | (buf[off + 5] << 8);
  if (stored !== COUNT_UNKNOWN) return stored;
  let elements = 0;
  const end = off + blob.len - 1;
  for (let p = off + HEADER; p < end; p += entrySize(buf, p)) elements++;
  if (elements < COUNT_UNKNOWN) writeCount(buf, off, elements);
  return elements;
}

/** Whether the header of the listpack at `off` tells the number of elements. */
export function tellsCount(buf: Uint8Array, off: number): boolean {
  return (buf[off + 4] & buf[off + 5]) !== 0xff;
}

/** The first element. */
export function first(blob: Bytes): number {
  return blob.len > EMPTY_BYTES ? HEADER : -1;
}

/** The last element. */
export function last(blob: Bytes): number {
  return previous(blob, blob.len - 1);
}

/** The element after the one at `at`. */
export function next(blob: Bytes, at: number): number {
  const following = at + entrySize(blob.buf, blob.off + at);
  return following < blob.len - 1 ? following : -1;
}

/** The element before `at`, which may be the end (`blob.len - 1`). */
export function previous(blob: Bytes, at: number): number {
  if (at <= HEADER) return -1;
  const { buf } = blob;
  let p = blob.off + at - 1;
  let length = buf[p] & 127;
  for (let scale = 128; buf[p] & 128; scale *= 128) length += (buf[--p] & 127) * scale;
  return p - blob.off - length;
}

/** The element with that index, negative ones count from the end; -1 when there is none. */
export function seek(blob: Bytes, index: number): number {
  const { buf, off } = blob;
  const stored = buf[off + 4] | (buf[off + 5] << 8);
  let forward = index >= 0;
  if (stored !== COUNT_UNKNOWN) {
    if (index < 0) index += stored;
    if (index < 0 || index >= stored) return -1;
    forward = index <= stored >>> 1;
    if (!forward) index -= stored;
  }
  if (forward) {
    const end = off + blob.len - 1;
    let p = off + HEADER;
    for (; index > 0 && p < end; index--) {
      const head = buf[p];
      p += head >= 0x80 && head < 0xc0 ? (head & 63) + 2 : entrySize(buf, p);
    }
    return p < end ? p - off : -1;
  }
  let at = last(blob);
  for (; index < -1 && at !== -1; index++) at = previous(blob, at);
  return at;
}

/** Puts the element at `at` into the cursor; returns where the next one is, -1 after the last. */
export function read(blob: Bytes, at: number, cursor: ListpackCursor): number {
  const { buf } = blob;
  const p = blob.off + at;
  const following = at + decode(buf, p, cursor);
  return following < blob.len - 1 ? following : -1;
}

/** The number nearest to the integer at `at`. */
export function numberAt(blob: Bytes, at: number): number {
  const { buf } = blob;
  const p = blob.off + at;
  if (buf[p] < 0x80) return buf[p];
  decode(buf, p, seen);
  return seen.value.number;
}

/** As `read`, and an integer's text is written out: `buf`, `off`, `len` hold the element. */
export function readText(blob: Bytes, at: number, cursor: ListpackCursor): number {
  const following = read(blob, at, cursor);
  if (cursor.isInt) cursor.asText();
  return following;
}

/** Gives `sink` up to `limit` elements from the one at `at` on; returns how many there were. */
export function readAll(blob: Bytes, at: number, limit: number, sink: TextSink): number {
  const { buf } = blob;
  const end = blob.off + blob.len - 1;
  let elements = 0;
  for (let p = blob.off + at; p < end && elements < limit; elements++) {
    const head = buf[p];
    if (head >= 0x80 && head < 0xc0) {
      // The short string is by far the most frequent element: no detour over the cursor.
      const length = head & 63;
      sink.bulk(buf, p + 1, length);
      p += length + 2;
    } else {
      p += decode(buf, p, seen);
      seen.writeTo(sink);
    }
  }
  return elements;
}

/** Whether the element is that byte string. */
export function equals(blob: Bytes, at: number, buf: Uint8Array, off: number, len: number): boolean {
  const bytes = blob.buf;
  const p = blob.off + at;
  const head = bytes[p];
  if (head >= 0x80 && head < 0xc0) return (head & 63) === len && equalBytes(bytes, p + 1, buf, off, len);
  decode(bytes, p, seen);
  if (seen.isInt) {
    return pending.parse(buf, off, len) && pending.hi === seen.value.hi && pending.lo === seen.value.lo;
  }
  return seen.len === len && equalBytes(seen.buf, seen.off, buf, off, len);
}

/** Elements with which the last `find` compared in vain. */
export let compared = 0;

/**
 * First element from `at` on that is that byte string; -1 when there is none. After each comparison `skip` elements are
 * passed over: 1 looks at the fields of a hash only.
 */
export function find(blob: Bytes, at: number, buf: Uint8Array, off: number, len: number, skip: number): number {
  if (at === -1) return -1;
  const isInt = pending.parse(buf, off, len);
  const bytes = blob.buf;
  const end = blob.off + blob.len - 1;
  // Strings that stand side by side often begin alike, so the last byte is looked at first; an empty string's is its own head.
  const lastByte = len === 0 ? 0x80 : buf[off + len - 1];
  compared = 0;
  for (let p = blob.off + at; p < end; compared++) {
    const head = bytes[p];
    if (head >= 0x80 && head < 0xc0) {
      // The short string is by far the most frequent thing to compare with: no detour over the cursor.
      const length = head & 63;
      if (length === len && bytes[p + length] === lastByte && equalBytes(bytes, p + 1, buf, off, len)) {
        return p - blob.off;
      }
      p += length + 2;
    } else {
      const size = decode(bytes, p, seen);
      if (seen.isInt) {
        if (isInt && pending.lo === seen.value.lo && pending.hi === seen.value.hi) return p - blob.off;
      } else if (seen.len === len && equalBytes(bytes, seen.off, buf, off, len)) return p - blob.off;
      p += size;
    }
    for (let skipped = 0; skipped < skip && p < end; skipped++) p += entrySize(bytes, p);
  }
  return -1;
}

/** Inserts before the element at `at`, or at the end with `blob.len - 1`. */
export function insert(blob: Blob, at: number, buf: Uint8Array, off: number, len: number): void {
  put(blob, at, 0, buf, off, len, 1);
}

export function insertAfter(blob: Blob, at: number, buf: Uint8Array, off: number, len: number): void {
  insert(blob, at + entrySize(blob.buf, blob.off + at), buf, off, len);
}

export function append(blob: Blob, buf: Uint8Array, off: number, len: number): void {
  insert(blob, blob.len - 1, buf, off, len);
}

export function prepend(blob: Blob, buf: Uint8Array, off: number, len: number): void {
  insert(blob, HEADER, buf, off, len);
}

/** Replaces an element, which keeps its offset. */
export function replace(blob: Blob, at: number, buf: Uint8Array, off: number, len: number): void {
  put(blob, at, entrySize(blob.buf, blob.off + at), buf, off, len, 0);
}

/** Inserts an integer: a number of at most 2^53, or a BigInt of 64 bits. */
export function insertInt(blob: Blob, at: number, value: number | bigint): void {
  pending.set(value);
  putInt(blob, at, 0, 1);
}

export function appendInt(blob: Blob, value: number | bigint): void {
  insertInt(blob, blob.len - 1, value);
}

export function replaceInt(blob: Blob, at: number, value: number | bigint): void {
  pending.set(value);
  putInt(blob, at, entrySize(blob.buf, blob.off + at), 0);
}

/** Adds to an integer. */
export function addTo(blob: Blob, at: number, change: number): void {
  const sum = numberAt(blob, at) + change;
  const { buf } = blob;
  const p = blob.off + at;
  if (buf[p] < 0x80 && sum >= 0 && sum < 0x80) buf[p] = sum;
  else replaceInt(blob, at, sum);
}

/** Removes an element; returns where the one that followed it is now (`at`), -1 when it was the last. */
export function remove(blob: Blob, at: number): number {
  return removeFrom(blob, at, 1);
}

/** Removes up to `elements` elements from the one at `at` on; returns as `remove` does. */
export function removeFrom(blob: Blob, at: number, elements: number): number {
  const { buf } = blob;
  const end = blob.off + blob.len - 1;
  let p = blob.off + at;
  let removed = 0;
  for (; removed < elements && p < end; removed++) p += entrySize(buf, p);
  if (removed > 0) {
    blob.splice(at, p - blob.off - at, 0);
    writeHeader(blob.buf, blob.off, blob.len, -removed);
  }
  return at < blob.len - 1 ? at : -1;
}

/** Removes up to `elements` elements from that index on (negative ones count from the end). */
export function removeRange(blob: Blob, index: number, elements: number): void {
  const at = elements > 0 ? seek(blob, index) : -1;
  if (at !== -1) removeFrom(blob, at, elements);
}

/** Elements that a listpack is to get together: they are written here one after the other, and it grows only once. */
export class Elements {
  #buf: Uint8Array = new Uint8Array(FEW);
  #length = 0;
  #count = 0;

  /** Adds a whole number of at most 2^53. */
  addNumber(value: number): void {
    if (value >= 0 && value <= 127) {
      const at = this.#extend(2);
      this.#buf[at] = value;
      this.#buf[at + 1] = 1;
      return;
    }
    pending.set(value);
    this.#addPending();
  }

  addInt(value: Int64): void {
    pending.copy(value);
    this.#addPending();
  }

  add(buf: Uint8Array, off: number, len: number): void {
    if (pending.parse(buf, off, len)) return this.#addPending();
    const size = stringSize(len);
    const at = this.#extend(size + backlenSize(size));
    writeString(this.#buf, at, size, buf, off, len);
  }

  /** Appends what was added, and begins anew. */
  appendTo(blob: Blob): void {
    const at = blob.len - 1;
    blob.splice(at, 0, this.#length);
    const { buf, off } = blob;
    copyBytes(this.#buf, 0, this.#length, buf, off + at);
    writeHeader(buf, off, blob.len, this.#count);
    this.#length = 0;
    this.#count = 0;
    if (this.#buf.length > MUCH) this.#buf = new Uint8Array(FEW);
  }

  #addPending(): void {
    const size = intSize();
    const at = this.#extend(size + 1);
    writePending(this.#buf, at, size);
  }

  /** Makes room for an element; returns where it begins. */
  #extend(bytes: number): number {
    const at = this.#length;
    this.#length += bytes;
    this.#count++;
    if (this.#length > this.#buf.length) {
      const buf = new Uint8Array(this.#length * 2);
      buf.set(this.#buf.subarray(0, at));
      this.#buf = buf;
    }
    return at;
  }
}

/** Appends all elements of `source`, another listpack. */
export function appendAll(blob: Blob, source: Blob): void {
  appendPart(blob, source, HEADER, source.len - EMPTY_BYTES, count(source));
}

/** Appends the `elements` elements of `source`, another listpack, that stand in the `length` bytes at `from`. */
export function appendPart(blob: Blob, source: Blob, from: number, length: number, elements: number): void {
  const total = count(blob) + elements;
  const at = blob.len - 1;
  blob.splice(at, 0, length);
  const { buf, off } = blob;
  copyBytes(source.buf, source.off + from, length, buf, off + at);
  writeU32LE(buf, off, blob.len);
  writeCount(buf, off, Math.min(total, COUNT_UNKNOWN));
}

/** Bytes of the element at `at`. */
export function sizeAt(blob: Bytes, at: number): number {
  return entrySize(blob.buf, blob.off + at);
}

/** Whether the listpack may grow by `add` bytes: beyond 1 GiB it must become something else first. */
export function isSafeToAdd(blob: Blob | null, add: number): boolean {
  return (blob === null ? 0 : blob.len) + add <= MAX_BYTES;
}

/**
 * Whether those bytes are a listpack. Not `deep`: only length and end, which does not make it safe to read; deep: every
 * element lies inside, can be read from both sides, and the count is right.
 */
export function validate(buf: Uint8Array, off: number, len: number, deep: boolean): boolean {
  if (len < EMPTY_BYTES) return false;
  const total = readU32LE(buf, off);
  const end = off + len - 1;
  if (total !== len || buf[end] !== END) return false;
  if (!deep) return true;
  let elements = 0;
  let p = off + HEADER;
  for (; p < end; elements++) {
    const size = soundSize(buf, p, end);
    if (size === 0) return false;
    p += size;
  }
  return hasCount(buf, off, elements);
}

/** Whether the header of the listpack at `off` tells so many elements, or nothing. */
export function hasCount(buf: Uint8Array, off: number, elements: number): boolean {
  const stored = buf[off + 4] | (buf[off + 5] << 8);
  return stored === COUNT_UNKNOWN || stored === elements;
}

/** Bytes of the element at `p` of a listpack that may not be one and has its end mark at `end`; 0 when it is not sound. */
export function soundSize(buf: Uint8Array, p: number, end: number): number {
  const head = buf[p];
  // What nearly all elements are, short strings and integers: their length is told by one byte, and once more behind them.
  const short = head < 0x80 ? 1 : head < 0xc0 ? (head & 63) + 1 : head < 0xe0 ? 2 : soundIntSize(head);
  if (short === 0) return soundLongSize(buf, p, end);
  return p + short < end && buf[p + short] === short ? short + 1 : 0;
}

/** Length of the encoding + data of an integer that takes more than two bytes; 0 when `head` begins something else. */
function soundIntSize(head: number): number {
  return head < 0xf1 || head > 0xf4 ? 0 : head === 0xf4 ? 9 : head - 0xee;
}

function soundLongSize(buf: Uint8Array, p: number, end: number): number {
  const prefix = prefixSize(buf[p]);
  if (prefix === 0 || p + prefix > end) return 0;
  const size = dataSize(buf, p);
  const back = backlenSize(size);
  if (p + size + back > end) return 0;
  // Read the length back from the right.
  let q = p + size + back - 1;
  let length = buf[q] & 127;
  for (let scale = 128, bytes = 1; buf[q] & 128; scale *= 128, bytes++) {
    if (bytes === 5) return 0;
    length += (buf[--q] & 127) * scale;
  }
  return length === size && q === p + size ? size + back : 0;
}

/** Length of an element's encoding + data. */
function dataSize(buf: Uint8Array, p: number): number {
  const head = buf[p];
  if (head < 0x80) return 1;
  if (head < 0xc0) return 1 + (head & 63);
  if (head < 0xe0) return 2;
  if (head < 0xf0) return 2 + (((head & 15) << 8) | buf[p + 1]);
  if (head === 0xf0) return 5 + readU32LE(buf, p + 1);
  if (head < 0xf4) return head - 0xf0 + 2;
  return head === 0xf4 ? 9 : 1;
}

/** Bytes of an element that tell its length; 0 when there is no such encoding. */
function prefixSize(head: number): number {
  if (head < 0xe0) return 1;
  if (head < 0xf0) return 2;
  return head === 0xf0 ? 5 : head <= 0xf4 ? 1 : 0;
}

function entrySize(buf: Uint8Array, p: number): number {
  const head = buf[p];
  if (head < 0xc0) return head < 0x80 ? 2 : (head & 63) + 2;
  const size = dataSize(buf, p);
  return size <= 127 ? size + 1 : size + backlenSize(size);
}

/** The limits are one short of what 7-bit groups could hold: that is how Redis writes them. */
function backlenSize(size: number): number {
  if (size <= 127) return 1;
  if (size < 16383) return 2;
  if (size < 2097151) return 3;
  return size < 268435455 ? 4 : 5;
}

/** Fills the cursor; returns the size of the element. */
function decode(buf: Uint8Array, p: number, cursor: ListpackCursor): number {
  const head = buf[p];
  if (head >= 0x80 && head < 0xc0) return decodeString(buf, p, 1, head & 63, cursor);
  if ((head & 0xf0) === 0xe0) return decodeString(buf, p, 2, ((head & 15) << 8) | buf[p + 1], cursor);
  if (head === 0xf0) return decodeString(buf, p, 5, readU32LE(buf, p + 1), cursor);
  cursor.isInt = true;
  const value = cursor.value;
  if (head < 0x80) {
    value.hi = 0;
    value.lo = head;
    return 2;
  }
  let lo = 0;
  if (head < 0xe0) lo = (((head & 31) << 8 | buf[p + 1]) << 19) >> 19;
  else if (head === 0xf1) lo = readI16LE(buf, p + 1);
  else if (head === 0xf2) lo = ((buf[p + 1] << 8) | (buf[p + 2] << 16) | (buf[p + 3] << 24)) >> 8;
  else lo = readI32LE(buf, p + 1);
  value.lo = lo;
  if (head === 0xf4) {
    value.hi = readI32LE(buf, p + 5);
    return 10;
  }
  value.hi = lo >> 31;
  return head < 0xe0 ? 3 : head - 0xf0 + 3;
}

function decodeString(buf: Uint8Array, p: number, prefix: number, len: number, cursor: ListpackCursor): number {
  cursor.isInt = false;
  cursor.buf = buf;
  cursor.off = p + prefix;
  cursor.len = len;
  return prefix + len + backlenSize(prefix + len);
}

/** Writes an element over the `replaced` bytes at `at`; there are `more` elements than before. */
function put(
  blob: Blob,
  at: number,
  replaced: number,
  buf: Uint8Array,
  off: number,
  len: number,
  more: number,
): void {
  if (pending.parse(buf, off, len)) {
    putInt(blob, at, replaced, more);
    return;
  }
  if (buf === blob.buf && off < blob.off + blob.len && off + len > blob.off) {
    if (sourceCopy.length < len) sourceCopy = new Uint8Array(len);
    copyBytes(buf, off, len, sourceCopy, 0);
    buf = sourceCopy;
    off = 0;
  }
  const size = stringSize(len);
  blob.splice(at, replaced, size + backlenSize(size));
  // A blob may be one of several classes, so each look at it takes its time.
  const bytes = blob.buf;
  const begin = blob.off;
  writeString(bytes, begin + at, size, buf, off, len);
  writeHeader(bytes, begin, blob.len, more);
}

/** Writes a string element of which `size` bytes are encoding + data. */
function writeString(bytes: Uint8Array, p: number, size: number, buf: Uint8Array, off: number, len: number): void {
  if (len < 64) {
    bytes[p++] = 0x80 | len;
  } else if (len < 4096) {
    bytes[p++] = 0xe0 | (len >>> 8);
    bytes[p++] = len;
  } else {
    bytes[p] = 0xf0;
    writeU32LE(bytes, p + 1, len);
    p += 5;
  }
  copyBytes(buf, off, len, bytes, p);
  writeBacklen(bytes, p + len, size);
}

/** The same with `pending`. */
function putInt(blob: Blob, at: number, replaced: number, more: number): void {
  const size = intSize();
  if (replaced === size + 1) return writePending(blob.buf, blob.off + at, size);
  blob.splice(at, replaced, size + 1);
  const { buf, off } = blob;
  writePending(buf, off + at, size);
  writeHeader(buf, off, blob.len, more);
}

/** Writes `pending` as an element of which `size` bytes are encoding + data. */
function writePending(buf: Uint8Array, p: number, size: number): void {
  const { hi, lo } = pending;
  if (size === 1) {
    buf[p] = lo;
  } else if (size === 2) {
    buf[p] = 0xc0 | ((lo >> 8) & 31);
    buf[p + 1] = lo;
  } else {
    buf[p] = size === 9 ? 0xf4 : 0xf0 + size - 2;
    for (let i = 0; i < 4 && i < size - 1; i++) buf[p + 1 + i] = lo >> (i * 8);
    for (let i = 4; i < size - 1; i++) buf[p + 1 + i] = hi >> (i * 8 - 32);
  }
  buf[p + size] = size;
}

/** Length of encoding + data of `pending`. */
function intSize(): number {
  const { hi, lo } = pending;
  if (hi !== lo >> 31) return 9;
  if (lo >= -4096 && lo <= 4095) return lo >= 0 && lo <= 127 ? 1 : 2;
  if (lo >= -32768 && lo <= 32767) return 3;
  return lo >= -8388608 && lo <= 8388607 ? 4 : 5;
}

function stringSize(len: number): number {
  return len < 64 ? len + 1 : len < 4096 ? len + 2 : len + 5;
}

function writeBacklen(buf: Uint8Array, p: number, size: number): void {
  if (size <= 127) {
    buf[p] = size;
    return;
  }
  const bytes = backlenSize(size);
  for (let i = bytes - 1; i > 0; i--) {
    buf[p + i] = 0x80 | (size & 127);
    size >>>= 7;
  }
  buf[p] = size;
}

/** Writes into the header at `off` that the listpack has `length` bytes and `more` elements than before. */
function writeHeader(buf: Uint8Array, off: number, length: number, more: number): void {
  writeU32LE(buf, off, length);
  const stored = buf[off + 4] | (buf[off + 5] << 8);
  if (stored !== COUNT_UNKNOWN) writeCount(buf, off, Math.min(stored + more, COUNT_UNKNOWN));
}

function writeCount(buf: Uint8Array, off: number, elements: number): void {
  buf[off + 4] = elements;
  buf[off + 5] = elements >>> 8;
}
