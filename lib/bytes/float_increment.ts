/**
 * FloatIncrement: the sum of INCRBYFLOAT and HINCRBYFLOAT, as text.
 *
 * Redis parses both numbers to 80-bit floats, adds them with 64 bits of mantissa, and prints 17 decimals. `longdouble.ts` does that
 * for all numbers, with BigInts. Most numbers are short, though: less than 10^15, not too small, and with at most 18 decimals. Those are kept
 * here as fixed-point numbers of 96 fractional bits, in a Float64Array of five:
 *
 *   whole part | four limbs of 24 bits each, highest first
 *
 * With e as the place of the highest bit, the mantissa of the float ends 63 - e bits behind the point; rounding there, to nearest
 * with ties to even, gives the very number that the hardware has. Every product on the way is below 2^53, so all of this is exact.
 */

import { fromLatin1, writeInt } from "./ascii.ts";
import { addLongDouble, formatHuman, isFiniteLongDouble, parseLongDouble } from "./longdouble.ts";

const MINUS = 45, PLUS = 43, POINT = 46, ZERO = 48;

const LIMBS = 4;
const LIMB_BITS = 24;
const LIMB = 1 << LIMB_BITS;
const FRACTION_BITS = LIMBS * LIMB_BITS;
/** Digits are gathered six at a time: a group times a limb fits into a double. */
const GROUP = 1_000_000, GROUP_DIGITS = 6;
/** More whole digits than a double holds for certain would not do. */
const MOST_WHOLE_DIGITS = 15, MOST_DECIMALS = 18;
/** Bits behind the 64 of the mantissa that a parsed number needs: for half a unit, and for whether there is anything below. */
const GUARD_BITS = 2;
const MANTISSA_BITS = 64;
/** Decimals that are printed. */
const DECIMALS = 17;

const NO_TEXT = new Uint8Array(0);

export class FloatIncrement {
  /** The sum is `text[0, length)`. */
  text: Uint8Array = NO_TEXT;
  length = 0;
  /** Whether the increment, or then the sum, is neither infinite nor NaN. */
  isFinite = true;
  readonly #short = new Uint8Array(40);
  readonly #increment = new Float64Array(1 + LIMBS);
  readonly #value = new Float64Array(1 + LIMBS);
  /** The increment: -1, 1, or 0 if it is not short, and its text. */
  #sign = 0;
  #buf: Uint8Array = NO_TEXT;
  #off = 0;
  #len = 0;

  /** Takes `buf[off, off + len)` as the increment; false if that is not a number. The bytes must stay until the sum is there. */
  parse(buf: Uint8Array, off: number, len: number): boolean {
    this.#buf = buf;
    this.#off = off;
    this.#len = len;
    this.#sign = parseShort(this.#increment, buf, off, len);
    this.isFinite = true;
    if (this.#sign !== 0) return true;
    const long = parseLongDouble(buf, off, len);
    this.isFinite = long !== null && isFiniteLongDouble(long);
    return long !== null;
  }

  /** Adds the increment to the number `buf[off, off + len)`; false if that is none. */
  addTo(buf: Uint8Array, off: number, len: number): boolean {
    const sign = this.#sign === 0 ? 0 : parseShort(this.#value, buf, off, len);
    if (sign === 0) return this.#addLong(buf, off, len);
    const sumSign = addShort(this.#value, sign, this.#increment, this.#sign);
    this.text = this.#short;
    this.length = writeShort(this.#value, sumSign, this.#short);
    return true;
  }

  #addLong(buf: Uint8Array, off: number, len: number): boolean {
    const value = parseLongDouble(buf, off, len);
    if (value === null) return false;
    const sum = addLongDouble(value, parseLongDouble(this.#buf, this.#off, this.#len)!);
    this.isFinite = isFiniteLongDouble(sum);
    this.text = fromLatin1(formatHuman(sum));
    this.length = this.text.length;
    return true;
  }
}

/** Parses digits with at most one point into `into`, rounded to a mantissa of 64 bits. Returns the sign, 0 if the number is not short. */
function parseShort(into: Float64Array, buf: Uint8Array, off: number, len: number): number {
  const end = off + len;
  let at = off;
  const negative = at < end && buf[at] === MINUS;
  if (negative || (at < end && buf[at] === PLUS)) at++;
  const digits = at;
  let whole = 0;
  for (; at < end; at++) {
    const digit = buf[at] - ZERO;
    if (digit < 0 || digit > 9) break;
    whole = whole * 10 + digit;
  }
  if (at === digits || at - digits > MOST_WHOLE_DIGITS) return 0;
  into[0] = whole;
  let high = 0, middle = 0, low = 0;
  if (at < end) {
    if (buf[at++] !== POINT || end - at > MOST_DECIMALS) return 0;
    for (let i = 0; i < MOST_DECIMALS; i++, at++) {
      const digit = at < end ? buf[at] - ZERO : 0;
      if (digit < 0 || digit > 9) return 0;
      if (i < GROUP_DIGITS) high = high * 10 + digit;
      else if (i < 2 * GROUP_DIGITS) middle = middle * 10 + digit;
      else low = low * 10 + digit;
    }
  }
  for (let limb = 1; limb <= LIMBS; limb++) {
    if (high === 0 && middle === 0 && low === 0) {
      into[limb] = 0;
      continue;
    }
    let product = low * LIMB;
    let carry = Math.floor(product / GROUP);
    low = product - carry * GROUP;
    product = middle * LIMB + carry;
    carry = Math.floor(product / GROUP);
    middle = product - carry * GROUP;
    product = high * LIMB + carry;
    carry = Math.floor(product / GROUP);
    high = product - carry * GROUP;
    into[limb] = carry;
  }
  // What is left is less than the last bit: all that rounding has to know is that there is something.
  if (high !== 0 || middle !== 0 || low !== 0) into[LIMBS] |= 1;
  const bits = fractionBits(into);
  if (bits > FRACTION_BITS - GUARD_BITS && bits !== NOTHING) return 0;
  roundTo(into, bits);
  return negative ? -1 : 1;
}

/** What `fractionBits` says of zero. */
const NOTHING = 1e9;

/** How many bits behind the point belong to the mantissa. */
function fractionBits(n: Float64Array): number {
  const whole = n[0];
  if (whole >= 1) {
    const high = Math.floor(whole / LIMB / 256);
    return high > 0 ? Math.clz32(high) : 32 + Math.clz32(whole);
  }
  for (let limb = 1; limb <= LIMBS; limb++) {
    if (n[limb] !== 0) return MANTISSA_BITS + (limb - 1) * LIMB_BITS + Math.clz32(n[limb]) - (32 - LIMB_BITS);
  }
  return NOTHING;
}

/** Rounds to so many bits behind the point, to nearest with ties to even. */
function roundTo(n: Float64Array, bits: number): void {
  if (bits >= FRACTION_BITS) return;
  let limb = 1 + Math.floor(bits / LIMB_BITS);
  const unit = 1 << (LIMB_BITS - bits % LIMB_BITS);
  let below = 0;
  for (let lower = limb + 1; lower <= LIMBS; lower++) {
    below += n[lower];
    n[lower] = 0;
  }
  const rest = n[limb] % unit;
  const kept = n[limb] - rest;
  n[limb] = kept;
  const half = unit / 2;
  const isOdd = (unit < LIMB ? kept / unit : n[limb - 1]) % 2 === 1;
  if (rest < half || (rest === half && below === 0 && !isOdd)) return;
  n[limb] += unit;
  while (limb > 0 && n[limb] >= LIMB) {
    n[limb--] -= LIMB;
    n[limb]++;
  }
}

/** `n += by`, rounded to a mantissa of 64 bits; returns the sign of the sum. */
function addShort(n: Float64Array, sign: number, by: Float64Array, bySign: number): number {
  let carry = 0;
  if (sign === bySign) {
    for (let limb = LIMBS; limb > 0; limb--) {
      const sum = n[limb] + by[limb] + carry;
      carry = sum >= LIMB ? 1 : 0;
      n[limb] = sum - carry * LIMB;
    }
    n[0] += by[0] + carry;
  } else {
    let first = 0;
    while (first < LIMBS && n[first] === by[first]) first++;
    const isLess = n[first] < by[first];
    const greater = isLess ? by : n;
    const smaller = isLess ? n : by;
    if (isLess) sign = bySign;
    for (let limb = LIMBS; limb > 0; limb--) {
      const difference = greater[limb] - smaller[limb] - carry;
      carry = difference < 0 ? 1 : 0;
      n[limb] = difference + carry * LIMB;
    }
    n[0] = greater[0] - smaller[0] - carry;
  }
  roundTo(n, fractionBits(n));
  return sign;
}

/** The next decimals of the fraction: its whole part when multiplied by `factor`, of which the fraction is left. */
function takeDecimals(n: Float64Array, factor: number): number {
  let carry = 0;
  for (let limb = LIMBS; limb > 0; limb--) {
    const product = n[limb] * factor + carry;
    carry = Math.floor(product / LIMB);
    n[limb] = product - carry * LIMB;
  }
  return carry;
}

/** Writes the number with up to 17 decimals; returns the length. `n` is used up. */
function writeShort(n: Float64Array, sign: number, to: Uint8Array): number {
  let high = takeDecimals(n, GROUP);
  let middle = takeDecimals(n, GROUP);
  let low = takeDecimals(n, GROUP / 10);
  const half = LIMB / 2;
  if (n[1] > half || (n[1] === half && (low % 2 === 1 || n[2] !== 0 || n[3] !== 0 || n[4] !== 0))) low++;
  if (low === GROUP / 10) {
    low = 0;
    middle++;
  }
  if (middle === GROUP) {
    middle = 0;
    high++;
  }
  let whole = n[0];
  if (high === GROUP) {
    high = 0;
    whole++;
  }
  const isZero = whole === 0 && high === 0 && middle === 0 && low === 0;
  let at = 0;
  if (sign < 0 && !isZero) to[at++] = MINUS;
  at = writeInt(to, at, whole);
  if (high === 0 && middle === 0 && low === 0) return at;
  to[at++] = POINT;
  low *= 10;
  for (let i = 0; i < DECIMALS; i++) {
    const digit = Math.floor(high / (GROUP / 10));
    to[at++] = ZERO + digit;
    high = (high - digit * (GROUP / 10)) * 10;
    if (i === GROUP_DIGITS - 1) high = middle;
    else if (i === 2 * GROUP_DIGITS - 1) high = low;
    if (high === 0 && (i >= 2 * GROUP_DIGITS || (low === 0 && (i >= GROUP_DIGITS || middle === 0)))) break;
  }
  return at;
}
