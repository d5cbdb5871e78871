/**
 * StreamId: a register for the ID of a stream's entry, two unsigned 64-bit numbers (milliseconds and a sequence number), exact and without
 * allocation.
 *
 * Each number is kept as two 32-bit halves, stored as signed int32 as typed arrays and V8's small integers like them; comparing
 * takes them as unsigned. Text is `<ms>-<seq>`. Numbers below 2^53 are read and written without BigInts.
 */

import { parseUint64, writeBigInt, writeInt } from "../../bytes/ascii.ts";
import type { Int64 } from "./int64.ts";

const TWO_32 = 4294967296;
const MINUS = 45, PLUS = 43, STAR = 42, ZERO = 48;
/** Longest text of an ID. */
export const MAX_ID_TEXT = 41;
/** Longer arguments are refused unseen, as in Redis. */
const MAX_ARGUMENT = 127;
/** Texts with so many digits are below 2^53. */
const SAFE_DIGITS = 15;

/** What `parse` says of a text. */
export const IdForm = {
  INVALID: 0,
  /** Both numbers are known; a sequence number that was missing has been filled in. */
  WHOLE: 1,
  /** `<ms>-*`: the sequence number is to be found. */
  OPEN: 2,
} as const;

export class StreamId {
  msHi = 0;
  msLo = 0;
  seqHi = 0;
  seqLo = 0;

  set(msHi: number, msLo: number, seqHi: number, seqLo: number): void {
    this.msHi = msHi;
    this.msLo = msLo;
    this.seqHi = seqHi;
    this.seqLo = seqLo;
  }

  copy(other: StreamId): void {
    this.msHi = other.msHi;
    this.msLo = other.msLo;
    this.seqHi = other.seqHi;
    this.seqLo = other.seqLo;
  }

  clone(): StreamId {
    const id = new StreamId();
    id.copy(this);
    return id;
  }

  setMin(): void {
    this.set(0, 0, 0, 0);
  }

  setMax(): void {
    this.set(-1, -1, -1, -1);
  }

  /** The milliseconds from a number below 2^53; sequence number 0. */
  setTime(ms: number): void {
    this.set(Math.floor(ms / TWO_32) | 0, ms | 0, 0, 0);
  }

  /** From two unsigned numbers. */
  setBig(ms: bigint, seq: bigint): void {
    this.set(high(ms), low(ms), high(seq), low(seq));
  }

  get isMin(): boolean {
    return (this.msHi | this.msLo | this.seqHi | this.seqLo) === 0;
  }

  get isMax(): boolean {
    return (this.msHi & this.msLo & this.seqHi & this.seqLo) === -1;
  }

  /** Whether the milliseconds are the same. */
  sameTime(other: StreamId): boolean {
    return this.msHi === other.msHi && this.msLo === other.msLo;
  }

  equals(other: StreamId): boolean {
    return this.seqLo === other.seqLo && this.msLo === other.msLo && this.seqHi === other.seqHi &&
      this.msHi === other.msHi;
  }

  /** Negative, 0 or positive as this is less than, equal to or greater than the other. */
  compare(other: StreamId): number {
    if (this.msHi !== other.msHi) return (this.msHi >>> 0) - (other.msHi >>> 0);
    if (this.msLo !== other.msLo) return (this.msLo >>> 0) - (other.msLo >>> 0);
    if (this.seqHi !== other.seqHi) return (this.seqHi >>> 0) - (other.seqHi >>> 0);
    return (this.seqLo >>> 0) - (other.seqLo >>> 0);
  }

  /** The next ID; false after the last, which becomes the first. */
  increment(): boolean {
    if ((this.seqLo = (this.seqLo + 1) | 0) !== 0) return true;
    if ((this.seqHi = (this.seqHi + 1) | 0) !== 0) return true;
    if ((this.msLo = (this.msLo + 1) | 0) !== 0) return true;
    return (this.msHi = (this.msHi + 1) | 0) !== 0;
  }

  /** The ID before; false for the first, which becomes the last. */
  decrement(): boolean {
    if (this.isMin) {
      this.setMax();
      return false;
    }
    this.seqLo = (this.seqLo - 1) | 0;
    if (this.seqLo !== -1) return true;
    this.seqHi = (this.seqHi - 1) | 0;
    if (this.seqHi !== -1) return true;
    this.msLo = (this.msLo - 1) | 0;
    if (this.msLo !== -1) return true;
    this.msHi = (this.msHi - 1) | 0;
    return true;
  }

  /** `base` plus two differences, modulo 2^64 each. */
  setSum(base: StreamId, ms: Int64, seq: Int64): void {
    const msLow = (base.msLo >>> 0) + (ms.lo >>> 0);
    const seqLow = (base.seqLo >>> 0) + (seq.lo >>> 0);
    this.msLo = msLow | 0;
    this.msHi = (base.msHi + ms.hi + (msLow >= TWO_32 ? 1 : 0)) | 0;
    this.seqLo = seqLow | 0;
    this.seqHi = (base.seqHi + seq.hi + (seqLow >= TWO_32 ? 1 : 0)) | 0;
  }

  /** The opposite of `setSum`: this minus `base`. */
  difference(base: StreamId, ms: Int64, seq: Int64): void {
    ms.lo = (this.msLo - base.msLo) | 0;
    ms.hi = (this.msHi - base.msHi - ((this.msLo >>> 0) < (base.msLo >>> 0) ? 1 : 0)) | 0;
    seq.lo = (this.seqLo - base.seqLo) | 0;
    seq.hi = (this.seqHi - base.seqHi - ((this.seqLo >>> 0) < (base.seqLo >>> 0) ? 1 : 0)) | 0;
  }

  /** Writes the text at `buf[off…]` (room for MAX_ID_TEXT bytes) and returns its length. */
  format(buf: Uint8Array, off: number): number {
    return this.formatSequence(buf, this.formatTime(buf, off)) - off;
  }

  /** The first part of what `format` does: milliseconds and hyphen. Returns the offset after it. */
  formatTime(buf: Uint8Array, at: number): number {
    const end = writeUnsigned(buf, at, this.msHi, this.msLo);
    buf[end] = MINUS;
    return end + 1;
  }

  /** The second part; returns the offset after it. */
  formatSequence(buf: Uint8Array, at: number): number {
    return writeUnsigned(buf, at, this.seqHi, this.seqLo);
  }

  /** The text between the two numbers is `separator`. */
  text(separator = "-"): string {
    return `${unsigned(this.msHi, this.msLo)}${separator}${unsigned(this.seqHi, this.seqLo)}`;
  }

  /**
   * Reads a text as Redis does: `<ms>-<seq>`, or `<ms>` alone, when the sequence number becomes the least or (`fillMax`) the greatest;
   * unless `strict`, `-` and `+` for the least and greatest ID; if `mayBeOpen`, `<ms>-*`. The numbers are what C's
   * strtoull takes, and the text ends at a zero byte. Returns the form; the register is undefined when invalid.
   */
  parse(buf: Uint8Array, off: number, len: number, fillMax: boolean, strict: boolean, mayBeOpen = false): number {
    if (len > MAX_ARGUMENT) return IdForm.INVALID;
    let end = off;
    let dash = -1;
    for (const limit = off + len; end < limit && buf[end] !== 0; end++) {
      if (buf[end] === MINUS && dash < 0) dash = end;
    }
    if (end === off + 1 && (buf[off] === MINUS || buf[off] === PLUS)) {
      if (strict) return IdForm.INVALID;
      if (buf[off] === MINUS) this.setMin();
      else this.setMax();
      return IdForm.WHOLE;
    }
    const msEnd = dash < 0 ? end : dash;
    if (!readUnsigned(buf, off, msEnd)) return IdForm.INVALID;
    const msHi = readHi;
    const msLo = readLo;
    if (dash < 0) {
      const seq = fillMax ? -1 : 0;
      this.set(msHi, msLo, seq, seq);
      return IdForm.WHOLE;
    }
    if (mayBeOpen && end === dash + 2 && buf[dash + 1] === STAR) {
      this.set(msHi, msLo, 0, 0);
      return IdForm.OPEN;
    }
    if (!readUnsigned(buf, dash + 1, end)) return IdForm.INVALID;
    this.set(msHi, msLo, readHi, readLo);
    return IdForm.WHOLE;
  }
}

/** The least and the greatest ID; not to be changed. */
export const MIN_ID: StreamId = new StreamId();
export const MAX_ID: StreamId = new StreamId();
MAX_ID.setMax();

let readHi = 0;
let readLo = 0;

/** Reads an unsigned number into `readHi` and `readLo`. */
function readUnsigned(buf: Uint8Array, at: number, end: number): boolean {
  if (end - at <= SAFE_DIGITS && end > at) {
    let value = 0;
    let p = at;
    for (; p < end; p++) {
      const digit = buf[p] - ZERO;
      if (!(digit >= 0 && digit <= 9)) break;
      value = value * 10 + digit;
    }
    if (p === end) {
      readHi = Math.floor(value / TWO_32) | 0;
      readLo = value | 0;
      return true;
    }
  }
  const value = parseUint64(buf, at, end - at);
  if (value === null) return false;
  readHi = high(value);
  readLo = low(value);
  return true;
}

function high(value: bigint): number {
  return Number(BigInt.asIntN(32, value >> 32n));
}

function low(value: bigint): number {
  return Number(BigInt.asIntN(32, value));
}

function writeUnsigned(buf: Uint8Array, at: number, hi: number, lo: number): number {
  if (hi >= 0 && hi < 0x200000) return writeInt(buf, at, hi * TWO_32 + (lo >>> 0));
  return writeBigInt(buf, at, (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0));
}

function unsigned(hi: number, lo: number): string {
  if (hi >= 0 && hi < 0x200000) return String(hi * TWO_32 + (lo >>> 0));
  return ((BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0)).toString();
}
