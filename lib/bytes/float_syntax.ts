/**
 * The number syntax of C's `strtod`/`strtold` and the rounding of an exact value to a binary float.
 *
 * Redis hands what clients send to those two functions, so their grammar is part of the protocol: decimal with optional
 * fraction and exponent, hexadecimal with an optional power of two (`0x1.8p3`), `inf` and `infinity` in any case. JavaScript's
 * `Number()` accepts other things (binary literals, the empty string, spaces at either end), so the grammar is checked here first.
 * `ascii.ts` (doubles) and `longdouble.ts` (80-bit) share this file; the exact values are BigInts because only the
 * rare forms come this far.
 */

/** What `floatKind` found. */
export const INVALID = 0, DECIMAL = 1, HEX = 2, INFINITE = 3, NOT_A_NUMBER = 4;

/** `x & 0x20` set: lower-cases ASCII letters, and is only compared with letters. */
const LOWER = 0x20;

function isDigit(byte: number): boolean {
  return byte >= 48 && byte <= 57;
}

/** The value of a hexadecimal digit, -1 for any other byte. */
function hexDigit(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48;
  const letter = byte | LOWER;
  return letter >= 97 && letter <= 102 ? letter - 87 : -1;
}

function spells(buf: Uint8Array, at: number, end: number, word: string): boolean {
  if (end - at !== word.length) return false;
  for (let i = 0; i < word.length; i++) {
    if ((buf[at + i] | LOWER) !== word.charCodeAt(i)) return false;
  }
  return true;
}

/** Which kind of number all of `buf[off, end)` is to `strtod` (leading spaces not allowed). Anything left over makes it INVALID. */
export function floatKind(buf: Uint8Array, off: number, end: number): number {
  let at = off;
  if (at < end && (buf[at] === 43 || buf[at] === 45)) at++;
  if (at >= end) return INVALID;
  const first = buf[at] | LOWER;
  if (first === 105) return spells(buf, at, end, "inf") || spells(buf, at, end, "infinity") ? INFINITE : INVALID;
  if (first === 110) return spells(buf, at, end, "nan") ? NOT_A_NUMBER : INVALID;
  const hex = buf[at] === 48 && at + 1 < end && (buf[at + 1] | LOWER) === 120;
  if (hex) at += 2;
  let digits = 0;
  while (at < end && (hex ? hexDigit(buf[at]) >= 0 : isDigit(buf[at]))) {
    at++;
    digits++;
  }
  if (at < end && buf[at] === 46) {
    at++;
    while (at < end && (hex ? hexDigit(buf[at]) >= 0 : isDigit(buf[at]))) {
      at++;
      digits++;
    }
  }
  if (digits === 0) return INVALID;
  if (at < end && (buf[at] | LOWER) === (hex ? 112 : 101)) {
    at++;
    if (at < end && (buf[at] === 43 || buf[at] === 45)) at++;
    if (at >= end || !isDigit(buf[at])) return INVALID;
    while (at < end && isDigit(buf[at])) at++;
  }
  return at === end ? (hex ? HEX : DECIMAL) : INVALID;
}

/** An exact magnitude `digits × base^exponent`, base 2 or 10. */
export interface Scaled {
  digits: bigint;
  exponent: number;
}

/** The exponent field that starts at `at` (after the letter); saturates, since no format reaches a million. */
function exponentField(buf: Uint8Array, at: number, end: number): number {
  const negative = buf[at] === 45;
  if (negative || buf[at] === 43) at++;
  let value = 0;
  for (; at < end; at++) value = Math.min(value * 10 + buf[at] - 48, 1e15);
  return negative ? -value : value;
}

/** Hexadecimal digits that can matter to rounding; what follows only counts as zero or not. */
const HEX_KEPT = 32;

/** Reads a number that `floatKind` called DECIMAL or HEX; the sign is the caller's. `exponent` is of 10 or of 2. */
export function readScaled(buf: Uint8Array, off: number, end: number, kind: number): Scaled {
  let at = off;
  if (buf[at] === 43 || buf[at] === 45) at++;
  const hex = kind === HEX;
  if (hex) at += 2;
  const exponentLetter = hex ? 112 : 101;
  let text = hex ? "0x0" : "0";
  let exponent = 0;
  let point = false;
  let significant = 0;
  let sticky = false;
  for (; at < end && (buf[at] | LOWER) !== exponentLetter; at++) {
    const byte = buf[at];
    if (byte === 46) {
      point = true;
      continue;
    }
    if (point) exponent -= hex ? 4 : 1;
    if (significant === 0 && byte === 48) continue;
    if (hex && significant === HEX_KEPT) {
      sticky ||= byte !== 48;
      exponent += 4;
      continue;
    }
    significant++;
    text += String.fromCharCode(byte);
  }
  if (sticky) {
    text += "1";
    exponent -= 4;
  }
  if (at < end) exponent += exponentField(buf, at + 1, end);
  return { digits: BigInt(text), exponent };
}

/** The number of bits in a non-negative BigInt (0 for 0). */
export function bitLength(n: bigint): number {
  if (n === 0n) return 0;
  const hex = n.toString(16);
  return (hex.length - 1) * 4 + (32 - Math.clz32(parseInt(hex[0], 16)));
}

/** `n >> by`, rounded to nearest with ties to even; `by` ≥ 0. */
export function shiftRounding(n: bigint, by: number): bigint {
  if (by === 0) return n;
  const shift = BigInt(by);
  const kept = n >> shift;
  const lost = n - (kept << shift);
  const half = 1n << (shift - 1n);
  if (lost > half || (lost === half && (kept & 1n) === 1n)) return kept + 1n;
  return kept;
}

/**
 * Rounds `digits × 2^exponent` to `precision` bits, fewer where the lowest bit would fall below 2^`lowest` (subnormals). The
 * result is exact; 0 digits means it underflowed. The caller checks for overflow.
 */
export function roundBinary(value: Scaled, precision: number, lowest: number): Scaled {
  const target = Math.max(value.exponent + bitLength(value.digits) - precision, lowest);
  if (value.digits === 0n || target <= value.exponent) return value;
  const drop = target - value.exponent;
  // Everything lies below half of the lowest bit; saves shifting by absurd exponents.
  if (drop > bitLength(value.digits) + 1) return { digits: 0n, exponent: target };
  return { digits: shiftRounding(value.digits, drop), exponent: target };
}
