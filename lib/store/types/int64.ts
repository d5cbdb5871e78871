/**
 * Int64: a register for one signed 64-bit integer, exact and without allocation.
 *
 * Listpacks and intsets hold integers up to 64 bits. A JavaScript number is exact only to 2^53 and every BigInt is
 * garbage, so the value is kept as two 32-bit halves in two's complement (`hi`, `lo`, both signed int32). Whoever needs
 * arithmetic asks for `number` when `isSafe`, else for `big`. A register belongs to its user and is overwritten again and
 * again.
 */

import { digitCount, writeDigits } from "../../bytes/ascii.ts";

const TWO_32 = 4294967296;
/** Longest text of a 64-bit integer: "-9223372036854775808". */
export const MAX_INT64_TEXT = 20;
const ZERO = 48;
const MINUS = 45;

export class Int64 {
  hi = 0;
  lo = 0;

  /** Takes an integer number of at most 2^53, or a BigInt of 64 bits. */
  set(value: number | bigint): void {
    if (typeof value === "bigint") {
      this.hi = Number(BigInt.asIntN(32, value >> 32n));
      this.lo = Number(BigInt.asIntN(32, value));
      return;
    }
    this.lo = value | 0;
    this.hi = value === this.lo ? value >> 31 : Math.floor(value / TWO_32) | 0;
  }

  copy(other: Int64): void {
    this.hi = other.hi;
    this.lo = other.lo;
  }

  /** Whether `number` is exact (|value| ≤ 2^53 - 1; of the negative side -2^53 too). */
  get isSafe(): boolean {
    return this.hi >= -0x200000 && this.hi < 0x200000;
  }

  /** The nearest number. */
  get number(): number {
    return this.hi * TWO_32 + (this.lo >>> 0);
  }

  get big(): bigint {
    return this.isSafe ? BigInt(this.number) : (BigInt(this.hi) << 32n) | BigInt(this.lo >>> 0);
  }

  /** The number where that is exact, else the bigint. */
  get counter(): number | bigint {
    return this.isSafe ? this.number : this.big;
  }

  /** Negative, 0 or positive as this is less than, equal to or greater than the other. */
  compare(hi: number, lo: number): number {
    if (this.hi !== hi) return this.hi < hi ? -1 : 1;
    return (this.lo >>> 0) - (lo >>> 0);
  }

  /**
   * Reads decimal text. Only the canonical form counts, the one that `format` would write: no plus sign, no leading zero,
   * no "-0", no blanks. Returns whether it is one and fits 64 bits; otherwise the register is undefined.
   */
  parse(buf: Uint8Array, off: number, len: number): boolean {
    if (len === 0 || len > MAX_INT64_TEXT) return false;
    const end = off + len;
    let at = off;
    const negative = buf[at] === MINUS;
    if (negative) at++;
    const digits = end - at;
    const first = buf[at] - ZERO;
    if (digits === 0 || digits > 19) return false;
    if (!(first >= 1 && first <= 9)) {
      if (first !== 0 || len !== 1) return false;
      this.hi = this.lo = 0;
      return true;
    }
    // The part up to the last nine digits, then those.
    let high = 0;
    let low = 0;
    for (const split = end - 9; at < split; at++) {
      const digit = buf[at] - ZERO;
      if (!(digit >= 0 && digit <= 9)) return false;
      high = high * 10 + digit;
    }
    for (; at < end; at++) {
      const digit = buf[at] - ZERO;
      if (!(digit >= 0 && digit <= 9)) return false;
      low = low * 10 + digit;
    }
    let upper = 0;
    if (high !== 0) {
      // high * 10^9 + low by 16-bit halves of `high`, so that every product stays below 2^53.
      const a = Math.floor(high / 65536) * 1e9;
      const b = (a % 65536) * 65536 + (high % 65536) * 1e9 + low;
      low = b % TWO_32;
      upper = Math.floor(a / 65536) + Math.floor(b / TWO_32);
      if (upper >= 0x80000000 && !(negative && upper === 0x80000000 && low === 0)) return false;
    }
    this.hi = upper | 0;
    this.lo = low | 0;
    if (negative) {
      this.lo = -this.lo | 0;
      this.hi = ~this.hi + (this.lo === 0 ? 1 : 0) | 0;
    }
    return true;
  }

  /** Writes the decimal text at `buf[off…]` (room for MAX_INT64_TEXT bytes) and returns its length. */
  format(buf: Uint8Array, off: number): number {
    let hi = this.hi;
    let lo = this.lo;
    let at = off;
    if (hi < 0) {
      buf[at++] = MINUS;
      lo = -lo | 0;
      hi = ~hi + (lo === 0 ? 1 : 0);
    }
    const upper = hi >>> 0;
    const lower = lo >>> 0;
    if (upper === 0 && lower < 1e9) return writeDigits(buf, at, lower, digitCount(lower)) - off;
    // Division by 10^9, 16 bits at a time.
    const a = (upper % 1e9) * 65536 + (lower >>> 16);
    const b = (a % 1e9) * 65536 + (lower & 0xffff);
    const quotient = Math.floor(upper / 1e9) * TWO_32 + Math.floor(a / 1e9) * 65536 + Math.floor(b / 1e9);
    if (quotient >= 1e9) {
      buf[at++] = ZERO + Math.floor(quotient / 1e9);
      at = writeDigits(buf, at, quotient % 1e9, 9);
    } else {
      at = writeDigits(buf, at, quotient, digitCount(quotient));
    }
    return writeDigits(buf, at, b % 1e9, 9) - off;
  }
}
