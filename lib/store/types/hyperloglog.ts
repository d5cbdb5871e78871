/**
 * HyperLogLogs: estimates of how many different elements were added, in at most 12 KiB. They are plain strings in
 * Redis's own layout, byte for byte, since clients copy them with GET and SET and servers with RDB files.
 *
 *   header    "HYLL", encoding (0 dense, 1 sparse), 3 bytes unused, the last count (u64 LE; its top bit: outdated)
 *   dense     16384 registers of 6 bits, the first in the lowest bits of the first byte
 *   sparse    runs that follow each other up to the last register:
 *               00nnnnnn            n + 1 registers are 0 (ZERO)
 *               01nnnnnn nnnnnnnn   n + 1 registers are 0 (XZERO)
 *               1vvvvvnn            n + 1 registers are v + 1 (VALUE)
 *
 * An element's hash names a register by its low 14 bits; the register keeps the greatest "number of zeros in front of the first one,
 * plus one" seen in the other 50 bits. A sparse one becomes dense when a register exceeds 32 or when it grows beyond
 * `hll-sparse-max-bytes`. How runs are split and joined, and in which order elements are tried, decides the bytes, so
 * `setSparse` makes the steps that Redis makes.
 *
 * Anybody can SET a string that begins like a HyperLogLog. The header is checked by the command; runs that do not add up to
 * 16384 registers are noticed where it matters (`CORRUPT`, `false`), and nothing is ever read or written outside of the blob.
 *
 * The estimate is Otmar Ertl's ("New cardinality estimation algorithms for HyperLogLog sketches", arXiv:1702.01284).
 */

import { readU32LE, writeU32LE } from "../../bytes/binary.ts";
import { murmurHash, murmurHigh, murmurLow } from "../../bytes/murmur.ts";
import type { Blob } from "./blob.ts";

export const HEADER = 16;
export const REGISTERS = 16384;
const DENSE_BYTES = REGISTERS * 6 / 8;
export const DENSE_SIZE = HEADER + DENSE_BYTES;
/** Header and one run. */
export const EMPTY_SIZE = HEADER + 2;
export const DENSE = 0;
export const SPARSE = 1;
export const REGISTER_MAX = 63;

const ENCODING_AT = 4;
const COUNT_AT = 8;
const OUTDATED_AT = 15;
const OUTDATED = 0x80;
const MAGIC = [72, 89, 76, 76] as const;

/** Bits of the hash that are not the register's number. */
const RANK_BITS = 50;
const VALUE = 0x80;
const XZERO = 0x40;
const VALUE_MAX = 32;
const VALUE_RUN_MAX = 4;
const ZERO_RUN_MAX = 64;
/** Runs looked at for joining, from the one before the change on. */
const JOIN_SCAN = 5;
/** 1 / (2 ln 2) */
const ALPHA = 0.7213475204444817;

/** What adding an element did. */
export const SAME = 0;
export const CHANGED = 1;
export const CORRUPT = -1;
export type Outcome = typeof SAME | typeof CHANGED | typeof CORRUPT;

const histogram = new Int32Array(64);
const dense = new Uint8Array(DENSE_BYTES);
/** The runs that take the place of one run. */
const runs = new Uint8Array(5);

/** Writes a HyperLogLog that has seen nothing, EMPTY_SIZE bytes. */
export function writeEmpty(buf: Uint8Array, off: number): void {
  buf.fill(0, off, off + HEADER);
  buf.set(MAGIC, off);
  buf[off + ENCODING_AT] = SPARSE;
  buf[off + HEADER] = XZERO | ((REGISTERS - 1) >> 8);
  buf[off + HEADER + 1] = (REGISTERS - 1) & 0xff;
}

/** Whether the bytes begin as a HyperLogLog does, with a length that is possible. */
export function isHyperloglog(buf: Uint8Array, off: number, len: number): boolean {
  if (len < HEADER) return false;
  for (let i = 0; i < 4; i++) if (buf[off + i] !== MAGIC[i]) return false;
  const encoding = buf[off + ENCODING_AT];
  return encoding === SPARSE || (encoding === DENSE && len === DENSE_SIZE);
}

export function encodingOf(blob: Blob): number {
  return blob.buf[blob.off + ENCODING_AT];
}

/** The count in the header, a bigint where a double would not be exact; -1 when it is outdated. */
export function cachedCount(blob: Blob): number | bigint {
  const { buf, off } = blob;
  if (buf[off + OUTDATED_AT] & OUTDATED) return -1;
  const low = readU32LE(buf, off + COUNT_AT);
  const high = readU32LE(buf, off + COUNT_AT + 4);
  return high < 2 ** 21 ? high * 2 ** 32 + low : (BigInt(high) << 32n) | BigInt(low);
}

export function cacheCount(blob: Blob, count: number | bigint): void {
  const { buf, off } = blob;
  const exact = typeof count === "bigint";
  writeU32LE(buf, off + COUNT_AT, exact ? Number(BigInt.asUintN(32, count)) : count);
  writeU32LE(buf, off + COUNT_AT + 4, exact ? Number(BigInt.asUintN(32, count >> 32n)) : Math.floor(count / 2 ** 32));
}

export function invalidateCount(blob: Blob): void {
  blob.buf[blob.off + OUTDATED_AT] |= OUTDATED;
}

// ---- Adding --------------------------------------------------------------------------------------------------------------------

/** Adds an element. A sparse one that has to grow beyond `sparseMax` bytes becomes dense. */
export function add(blob: Blob, buf: Uint8Array, off: number, len: number, sparseMax: number): Outcome {
  murmurHash(buf, off, len);
  const register = murmurLow & (REGISTERS - 1);
  const low = (murmurLow >>> 14) | (murmurHigh << 18);
  const high = (murmurHigh >>> 14) | (1 << (RANK_BITS - 32));
  const rank = low !== 0 ? 32 - Math.clz32(low & -low) : 64 - Math.clz32(high & -high);
  return setRegister(blob, register, rank, sparseMax);
}

/** Raises a register to `value` if it is less. */
export function setRegister(blob: Blob, register: number, value: number, sparseMax: number): Outcome {
  if (encodingOf(blob) === SPARSE) return setSparse(blob, register, value, sparseMax);
  const at = blob.off + HEADER;
  if (value <= readRegister(blob.buf, at, register)) return SAME;
  writeRegister(blob.buf, at, register, value);
  return CHANGED;
}

/** Register number `register` of the dense registers at `at`. */
export function readRegister(buf: Uint8Array, at: number, register: number): number {
  const bit = register * 6;
  const byte = at + (bit >>> 3);
  const shift = bit & 7;
  // A register that ends with its byte does not look at the next one: the last has none.
  return (shift <= 2 ? buf[byte] >> shift : (buf[byte] | (buf[byte + 1] << 8)) >> shift) & 63;
}

export function writeRegister(buf: Uint8Array, at: number, register: number, value: number): void {
  const bit = register * 6;
  const byte = at + (bit >>> 3);
  const shift = bit & 7;
  buf[byte] = (buf[byte] & ~(63 << shift)) | (value << shift);
  if (shift > 2) buf[byte + 1] = (buf[byte + 1] & ~(63 >> (8 - shift))) | (value >> (8 - shift));
}

function setSparse(blob: Blob, register: number, value: number, sparseMax: number): Outcome {
  if (value > VALUE_MAX) return promote(blob, register, value);
  const { buf } = blob;
  const end = blob.off + blob.len;
  let at = blob.off + HEADER;
  let before = at;
  let first = 0;
  let length = 0;
  // This loop is where PFADD spends its time. (Looking up what a run means, in place of the branches, takes twice as long.)
  for (let size = 0; at < end; at += size, first += length) {
    const run = buf[at];
    size = 1;
    if (run & VALUE) length = (run & 3) + 1;
    else if (run & XZERO) {
      length = (((run & 63) << 8) | (at + 1 < end ? buf[at + 1] : 0)) + 1;
      size = 2;
    } else length = run + 1;
    if (register < first + length) break;
    before = at;
  }
  if (at >= end) return CORRUPT;
  const run = buf[at];
  const last = first + length - 1;
  const joinAt = before - blob.off;
  if (run & VALUE && runValue(run) >= value) return SAME;
  if (length === 1 && (run & 0xc0) !== XZERO) {
    buf[at] = valueRun(value, 1);
    return join(blob, joinAt);
  }
  let size = 0;
  if (register !== first) size = writeRun(size, run, register - first);
  runs[size++] = valueRun(value, 1);
  if (register !== last) size = writeRun(size, run, last - register);
  const oldSize = Math.min((run & 0xc0) === XZERO ? 2 : 1, end - at);
  if (size > oldSize && blob.len + size - oldSize > sparseMax) return promote(blob, register, value);
  const where = at - blob.off;
  if (size !== oldSize) blob.splice(where, oldSize, size);
  for (let i = 0; i < size; i++) blob.buf[blob.off + where + i] = runs[i];
  return join(blob, joinAt);
}

/** Registers of the run at `at`. A run cut off by the end is taken as if a zero followed. */
function runLength(buf: Uint8Array, at: number, end: number): number {
  const run = buf[at];
  if (run & VALUE) return (run & 3) + 1;
  if (run & XZERO) return (((run & 63) << 8) | (at + 1 < end ? buf[at + 1] : 0)) + 1;
  return run + 1;
}

function runValue(run: number): number {
  return ((run >> 2) & 31) + 1;
}

function valueRun(value: number, length: number): number {
  return VALUE | ((value - 1) << 2) | (length - 1);
}

/** Writes a part of `run`, `length` registers long, at `runs[at]`; returns the place after it. */
function writeRun(at: number, run: number, length: number): number {
  if (run & VALUE) runs[at++] = valueRun(runValue(run), length);
  else if (length > ZERO_RUN_MAX) {
    runs[at++] = XZERO | ((length - 1) >> 8);
    runs[at++] = (length - 1) & 0xff;
  } else runs[at++] = length - 1;
  return at;
}

/** Joins neighbouring runs of the same value near `at`, which is where the run before the change begins. */
function join(blob: Blob, at: number): Outcome {
  for (let scanned = 0; at < blob.len && scanned < JOIN_SCAN; scanned++) {
    const { buf, off } = blob;
    const run = buf[off + at];
    if ((run & VALUE) === 0) {
      at += run & XZERO ? 2 : 1;
      continue;
    }
    if (at + 1 < blob.len) {
      const next = buf[off + at + 1];
      const length = (run & 3) + (next & 3) + 2;
      if (next & VALUE && runValue(run) === runValue(next) && length <= VALUE_RUN_MAX) {
        buf[off + at + 1] = valueRun(runValue(run), length);
        blob.splice(at, 1, 0);
        continue;
      }
    }
    at++;
  }
  invalidateCount(blob);
  return CHANGED;
}

function promote(blob: Blob, register: number, value: number): Outcome {
  if (!toDense(blob)) return CORRUPT;
  writeRegister(blob.buf, blob.off + HEADER, register, value);
  return CHANGED;
}

/** Makes a sparse one dense; false, and nothing has changed, when its runs do not add up. */
export function toDense(blob: Blob): boolean {
  if (encodingOf(blob) === DENSE) return true;
  const { buf } = blob;
  const end = blob.off + blob.len;
  dense.fill(0);
  let register = 0;
  for (let at = blob.off + HEADER; at < end; at++) {
    const run = buf[at];
    const length = runLength(buf, at, end);
    if (run & VALUE) {
      if (register + length > REGISTERS) return false;
      const value = runValue(run);
      for (let i = 0; i < length; i++) writeRegister(dense, 0, register + i, value);
    } else if (run & XZERO) at++;
    register += length;
  }
  if (register !== REGISTERS) return false;
  blob.splice(HEADER, blob.len - HEADER, DENSE_BYTES);
  blob.buf.set(dense, blob.off + HEADER);
  blob.buf[blob.off + ENCODING_AT] = DENSE;
  return true;
}

// ---- Reading -------------------------------------------------------------------------------------------------------------------

/** Registers of one byte each: the greatest of each over several HyperLogLogs. */
export class Registers {
  readonly #bytes = new Uint8Array(REGISTERS);
  /** The same, four at a time: mostly zeros, if few elements have been seen. */
  readonly #words = new Int32Array(this.#bytes.buffer);

  clear(): void {
    this.#words.fill(0);
  }

  /** Raises each to that of `blob`; false when the runs do not add up. */
  merge(blob: Blob): boolean {
    const most = this.#bytes;
    const { buf } = blob;
    const end = blob.off + blob.len;
    if (encodingOf(blob) === DENSE) {
      for (let register = 0, at = blob.off + HEADER; at < end; at += 3, register += 4) {
        const three = buf[at] | (buf[at + 1] << 8) | (buf[at + 2] << 16);
        const a = three & 63, b = (three >> 6) & 63, c = (three >> 12) & 63, d = three >> 18;
        if (a > most[register]) most[register] = a;
        if (b > most[register + 1]) most[register + 1] = b;
        if (c > most[register + 2]) most[register + 2] = c;
        if (d > most[register + 3]) most[register + 3] = d;
      }
      return true;
    }
    let register = 0;
    for (let at = blob.off + HEADER; at < end; at++) {
      const run = buf[at];
      const length = runLength(buf, at, end);
      if (run & VALUE) {
        if (register + length > REGISTERS) return false;
        const value = runValue(run);
        for (let i = register; i < register + length; i++) if (value > most[i]) most[i] = value;
      } else if (run & XZERO) at++;
      register += length;
    }
    return register === REGISTERS;
  }

  /** Raises the registers of `blob` to these. A dense one must have been merged before, so that none of its own is greater. */
  raise(blob: Blob, sparseMax: number): void {
    const bytes = this.#bytes;
    const words = this.#words;
    if (encodingOf(blob) === DENSE) return this.#write(blob);
    for (let i = 0; i < words.length; i++) {
      if (words[i] === 0) continue;
      for (let register = i * 4; register < i * 4 + 4; register++) {
        if (bytes[register] > 0) setRegister(blob, register, bytes[register], sparseMax);
      }
    }
  }

  #write(blob: Blob): void {
    const words = this.#words;
    const { buf } = blob;
    for (let i = 0, at = blob.off + HEADER; i < words.length; i++, at += 3) {
      const four = words[i];
      const low = four & 63, second = (four >> 8) & 63, third = (four >> 16) & 63;
      buf[at] = low | (second << 6);
      buf[at + 1] = (second >> 2) | (third << 4);
      buf[at + 2] = (third >> 4) | ((four >> 24) << 2);
    }
  }

  /** The estimate. */
  count(): number | bigint {
    const bytes = this.#bytes;
    const words = this.#words;
    histogram.fill(0);
    let zeros = 0;
    for (let i = 0; i < words.length; i += 4) {
      if ((words[i] | words[i + 1] | words[i + 2] | words[i + 3]) === 0) zeros += 16;
      else for (let register = i * 4; register < i * 4 + 16; register++) histogram[bytes[register]]++;
    }
    histogram[0] += zeros;
    return estimate();
  }
}

/** The runs of a sparse one as PFDEBUG DECODE shows them. */
export function decode(blob: Blob): string {
  const { buf } = blob;
  const end = blob.off + blob.len;
  const texts: string[] = [];
  for (let at = blob.off + HEADER; at < end; at++) {
    const run = buf[at];
    const length = runLength(buf, at, end);
    if (run & VALUE) texts.push(`v:${runValue(run)},${length}`);
    else if (run & XZERO) {
      texts.push(`Z:${length}`);
      at++;
    } else texts.push(`z:${length}`);
  }
  return texts.join(" ");
}

/** The estimate; null when the runs do not add up. */
export function count(blob: Blob): number | bigint | null {
  const { buf } = blob;
  const end = blob.off + blob.len;
  histogram.fill(0);
  if (encodingOf(blob) === DENSE) {
    for (let at = blob.off + HEADER; at < end; at += 3) {
      const three = buf[at] | (buf[at + 1] << 8) | (buf[at + 2] << 16);
      histogram[three & 63]++;
      histogram[(three >> 6) & 63]++;
      histogram[(three >> 12) & 63]++;
      histogram[three >> 18]++;
    }
    return estimate();
  }
  let registers = 0;
  for (let at = blob.off + HEADER; at < end; at++) {
    const run = buf[at];
    const length = runLength(buf, at, end);
    if (run & VALUE) histogram[runValue(run)] += length;
    else {
      histogram[0] += length;
      if (run & XZERO) at++;
    }
    registers += length;
  }
  return registers === REGISTERS ? estimate() : null;
}

/** The estimate from the histogram of the registers. The order of the steps is Redis's, so that the last bit is too. */
function estimate(): number | bigint {
  let z = REGISTERS * tau((REGISTERS - histogram[RANK_BITS + 1]) / REGISTERS);
  for (let rank = RANK_BITS; rank >= 1; rank--) z = (z + histogram[rank]) * 0.5;
  z += REGISTERS * sigma(histogram[0] / REGISTERS);
  const elements = ALPHA * REGISTERS * REGISTERS / z;
  // Only registers that no hash can have made lead so far; C's conversion gives the least integer then.
  if (elements < 2 ** 53) return Math.round(elements);
  return elements < 2 ** 63 ? BigInt(elements) : -(1n << 63n);
}

function sigma(x: number): number {
  if (x === 1) return Infinity;
  let z = x;
  for (let y = 1, before = -1; before !== z; y += y) {
    x *= x;
    before = z;
    z += x * y;
  }
  return z;
}

function tau(x: number): number {
  if (x === 0 || x === 1) return 0;
  let z = 1 - x;
  for (let y = 1, before = -1; before !== z;) {
    x = Math.sqrt(x);
    before = z;
    y *= 0.5;
    z -= (1 - x) * (1 - x) * y;
  }
  return z / 3;
}
