/**
 * The 80-bit x87 `long double`, as far as INCRBYFLOAT and HINCRBYFLOAT need it; `float_increment.ts` has a short way for short numbers.
 *
 * Those commands add with 64 bits of mantissa and print 17 decimals, so doubles give visibly different results (0.1 + 0.2 is
 * 0.3 in Redis). A value here is exact: a signed BigInt mantissa of at most 64 bits times a power of two. Parsing and adding
 * compute exactly and then round once, to nearest with ties to even, which is what the hardware and the C library do. The sign of
 * zero is not kept: the only output, `formatHuman`, never shows it.
 */

import { writeDigits, writeInt, writeLatin1 } from "./ascii.ts";
import {
  bitLength,
  DECIMAL,
  floatKind,
  HEX,
  INFINITE,
  readScaled,
  roundBinary,
  type Scaled,
  shiftRounding,
} from "./float_syntax.ts";

/** `mantissa × 2^exponent`, or ±Infinity or NaN when `special` is not 0 (then the other two mean nothing). */
export interface LongDouble {
  readonly mantissa: bigint;
  readonly exponent: number;
  readonly special: number;
}

const PRECISION = 64;
/** The lowest bit of the smallest subnormal, and the first power of two that is too large. */
const LOWEST = -16445, OVERFLOW = 16384;
/** Redis copies the text into a buffer of 5 kB; what does not fit is not a number. */
const LONGEST_TEXT = 5 * 1024 - 1;

const LONG_ZERO: LongDouble = { mantissa: 0n, exponent: 0, special: 0 };
const POSITIVE_INFINITY: LongDouble = { mantissa: 0n, exponent: 0, special: Infinity };
const NEGATIVE_INFINITY: LongDouble = { mantissa: 0n, exponent: 0, special: -Infinity };
const NOT_A_NUMBER: LongDouble = { mantissa: 0n, exponent: 0, special: NaN };

/** Rounds an exact magnitude to the format. */
function rounded(magnitude: Scaled, negative: boolean): LongDouble {
  const { digits, exponent } = roundBinary(magnitude, PRECISION, LOWEST);
  if (digits === 0n) return LONG_ZERO;
  if (exponent + bitLength(digits) > OVERFLOW) return negative ? NEGATIVE_INFINITY : POSITIVE_INFINITY;
  return { mantissa: negative ? -digits : digits, exponent, special: 0 };
}

/** `digits × 10^exponent` as a binary fraction with enough bits, the lowest of them sticky, that rounding it once is correct. */
function decimalToBinary({ digits, exponent }: Scaled): Scaled {
  if (exponent >= 0) return { digits: digits * 10n ** BigInt(exponent), exponent: 0 };
  const divisor = 10n ** BigInt(-exponent);
  const shift = Math.max(0, bitLength(divisor) - bitLength(digits) + PRECISION + 2);
  const dividend = digits << BigInt(shift);
  const quotient = dividend / divisor;
  const inexact = quotient * divisor !== dividend;
  return { digits: (quotient << 1n) | (inexact ? 1n : 0n), exponent: -shift - 1 };
}

/**
 * Parses the number as Redis does (`string2ld`): all of what `strtold` takes, without leading spaces, up to 5119 bytes. `inf` is
 * valid; `nan` and numbers that overflow, or underflow to zero, are not. Null when invalid.
 */
export function parseLongDouble(buf: Uint8Array, off: number, len: number): LongDouble | null {
  if (len === 0 || len > LONGEST_TEXT) return null;
  const end = off + len;
  const kind = floatKind(buf, off, end);
  const negative = buf[off] === 45;
  if (kind === INFINITE) return negative ? NEGATIVE_INFINITY : POSITIVE_INFINITY;
  if (kind !== DECIMAL && kind !== HEX) return null;
  const scaled = readScaled(buf, off, end, kind);
  if (scaled.digits === 0n) return LONG_ZERO;
  if (kind === DECIMAL) {
    // At most 5119 digits: an exponent beyond these cannot come back into range.
    if (scaled.exponent > 5000 || scaled.exponent < -11_000) return null;
  }
  const value = rounded(kind === HEX ? scaled : decimalToBinary(scaled), negative);
  return value.special !== 0 || value.mantissa === 0n ? null : value;
}

/** The sum, rounded to 64 bits; ±Infinity on overflow, NaN for the sum of opposite infinities. */
export function addLongDouble(a: LongDouble, b: LongDouble): LongDouble {
  if (a.special !== 0 || b.special !== 0) {
    const sum = a.special + b.special;
    return sum === Infinity ? POSITIVE_INFINITY : sum === -Infinity ? NEGATIVE_INFINITY : NOT_A_NUMBER;
  }
  if (a.mantissa === 0n) return b;
  if (b.mantissa === 0n) return a;
  const exponent = Math.min(a.exponent, b.exponent);
  const sum = (a.mantissa << BigInt(a.exponent - exponent)) + (b.mantissa << BigInt(b.exponent - exponent));
  const negative = sum < 0n;
  return rounded({ digits: negative ? -sum : sum, exponent }, negative);
}

/** Whether it is neither infinite nor NaN. */
export function isFiniteLongDouble(value: LongDouble): boolean {
  return value.special === 0;
}

/** 10^17: the decimals that are printed. */
const DECIMALS = 17, SCALE = 10n ** 17n;

/** As Redis prints it to people (`%.17Lf` without trailing zeros): never an exponent, `inf` and `-inf`, never `-0`. */
export function formatHuman(value: LongDouble): string {
  if (value.special !== 0) return value.special > 0 ? "inf" : value.special < 0 ? "-inf" : "nan";
  const negative = value.mantissa < 0n;
  const magnitude = (negative ? -value.mantissa : value.mantissa) * SCALE;
  const units = value.exponent >= 0
    ? magnitude << BigInt(value.exponent)
    : -value.exponent > bitLength(magnitude) + 1
    ? 0n
    : shiftRounding(magnitude, -value.exponent);
  if (units === 0n) return "0";
  const digits = units.toString().padStart(DECIMALS + 1, "0");
  const point = digits.length - DECIMALS;
  let last = digits.length;
  while (last > point && digits.charCodeAt(last - 1) === 48) last--;
  const whole = digits.slice(0, point);
  return (negative ? "-" : "") + (last > point ? `${whole}.${digits.slice(point, last)}` : whole);
}

/** Most bytes that `writeHumanDouble` writes: 309 digits, or 17 decimals. */
export const HUMAN_DOUBLE = 330;

/**
 * Writes a double as `formatHuman` prints it, exact, at most 17 decimals, no exponent, at `at` of a buffer with room for HUMAN_DOUBLE bytes;
 * returns the offset after it.
 */
export function writeHumanDouble(buf: Uint8Array, at: number, n: number): number {
  const magnitude = n < 0 ? -n : n;
  let whole = Math.floor(magnitude);
  const fraction = (magnitude - whole) * TWO_52;
  if (!(magnitude < 2 ** 53) || Math.floor(fraction) !== fraction) {
    return writeLatin1(buf, at, formatHuman(fromDouble(n)));
  }
  // A fraction of 52 bits, in two halves: multiplied by a power of ten, what rises above the upper half is the next digits.
  let high = Math.floor(fraction / TWO_26);
  let low = fraction - high * TWO_26;
  let product = low * 1e6;
  let carry = Math.floor(product / TWO_26);
  low = product - carry * TWO_26;
  product = high * 1e6 + carry;
  let first = Math.floor(product / TWO_26);
  high = product - first * TWO_26;
  product = low * 1e6;
  carry = Math.floor(product / TWO_26);
  low = product - carry * TWO_26;
  product = high * 1e6 + carry;
  let second = Math.floor(product / TWO_26);
  high = product - second * TWO_26;
  product = low * 1e5;
  carry = Math.floor(product / TWO_26);
  low = product - carry * TWO_26;
  product = high * 1e5 + carry;
  let third = Math.floor(product / TWO_26);
  high = product - third * TWO_26;
  if (high > TWO_26 / 2 || (high === TWO_26 / 2 && (low > 0 || third % 2 === 1))) third++;
  if (third === 1e5) {
    third = 0;
    second++;
  }
  if (second === 1e6) {
    second = 0;
    first++;
  }
  if (first === 1e6) {
    first = 0;
    whole++;
  }
  const hasFraction = (first | second | third) !== 0;
  if (n < 0 && (whole > 0 || hasFraction)) buf[at++] = 45;
  at = writeInt(buf, at, whole);
  if (!hasFraction) return at;
  buf[at] = 46;
  at = writeDigits(buf, writeDigits(buf, writeDigits(buf, at + 1, first, 6), second, 6), third, 5);
  while (buf[at - 1] === 48) at--;
  return at;
}

function fromDouble(n: number): LongDouble {
  if (n === Infinity || n === -Infinity || n !== n) {
    return n > 0 ? POSITIVE_INFINITY : n < 0 ? NEGATIVE_INFINITY : NOT_A_NUMBER;
  }
  float[0] = n;
  const high = bits[1];
  const biased = (high >>> 20) & 0x7ff;
  const fraction = (BigInt(high & 0xfffff) << 32n) | BigInt(bits[0]);
  const mantissa = biased === 0 ? fraction : fraction | (1n << 52n);
  return { mantissa: n < 0 ? -mantissa : mantissa, exponent: Math.max(biased, 1) - 1075, special: 0 };
}

const TWO_26 = 2 ** 26;
const TWO_52 = 2 ** 52;
/** A double and its two halves, low half first: every machine these runtimes run on is little-endian. */
const float = new Float64Array(1);
const bits = new Uint32Array(float.buffer);
