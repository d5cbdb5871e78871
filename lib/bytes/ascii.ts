/**
 * Numbers and words as ASCII bytes: what arguments are parsed with and replies are written with.
 *
 * Everything takes (buffer, offset, length) and, on the paths that run for every command, allocates nothing: integers
 * of up to nine digits are plain int32 loops, larger ones are two parts of at most ten and nine digits, and
 * decimal fractions that a double holds exactly (digits below 2^53, power of ten up to 22) need one division. Only what is left
 * goes through strings or BigInts. Which spellings are accepted is decided by Redis, function by function, because
 * clients see it in error replies: the strict integers of commands and encodings (`string2ll`), the C library's unsigned integers of
 * cursors and stream ids (`strtoul`), the C library's floats of scores (`strtod`).
 */

import { DECIMAL, floatKind, HEX, INFINITE, readScaled, roundBinary } from "./float_syntax.ts";

const MINUS = 45, PLUS = 43, ZERO = 48, NINE = 57;
const BILLION = 1_000_000_000;
/** 2^63 - 1 in two parts: its first ten and its last nine digits. */
const MAX_HIGH = 9_223_372_036, MAX_LOW = 854_775_807;
const MAX_UINT64 = (1n << 64n) - 1n;

export const MAX_INT64 = (1n << 63n) - 1n;
export const MIN_INT64 = -(1n << 63n);

/** The value of the digits in `buf[at, end)`, at most nine of them. */
function digits9(buf: Uint8Array, at: number, end: number): number {
  let value = 0;
  for (; at < end; at++) value = (value * 10 + buf[at] - ZERO) | 0;
  return value;
}

/** The value of the digits in `buf[at, end)`, exact below 2^53. */
function digitsWide(buf: Uint8Array, at: number, end: number): number {
  let value = 0;
  for (; at < end; at++) value = value * 10 + (buf[at] - ZERO);
  return value;
}

/**
 * Whether the bytes are a 64-bit signed integer in its only spelling: optional `-`, no `+`, no leading zero, no spaces, not `-0`.
 * This is the rule both for integer arguments and for when a value is kept as an integer.
 */
export function isInt64(buf: Uint8Array, off: number, len: number): boolean {
  if (len === 0 || len > 20) return false;
  const end = off + len;
  const negative = buf[off] === MINUS;
  const start = negative ? off + 1 : off;
  if (start === end) return false;
  if (buf[start] === ZERO) return len === 1;
  for (let at = start; at < end; at++) {
    const byte = buf[at];
    if (byte < ZERO || byte > NINE) return false;
  }
  if (end - start < 19) return true;
  if (end - start > 19) return false;
  const high = digitsWide(buf, start, end - 9);
  if (high !== MAX_HIGH) return high < MAX_HIGH;
  return digits9(buf, end - 9, end) <= (negative ? MAX_LOW + 1 : MAX_LOW);
}

/**
 * Parses what `isInt64` accepts; NaN for everything else. Exact up to 2^53, the nearest double beyond (a caller that
 * needs those exactly uses `parseBigInt64`).
 */
export function parseInt64(buf: Uint8Array, off: number, len: number): number {
  if (len <= 9) {
    if (len === 0) return NaN;
    let at = off;
    const end = off + len;
    const negative = buf[at] === MINUS;
    if (negative) at++;
    if (at === end) return NaN;
    if (buf[at] === ZERO) return len === 1 ? 0 : NaN;
    let value = 0;
    for (; at < end; at++) {
      const digit = buf[at] - ZERO;
      if (digit < 0 || digit > 9) return NaN;
      value = (value * 10 + digit) | 0;
    }
    return negative ? -value : value;
  }
  if (!isInt64(buf, off, len)) return NaN;
  const negative = buf[off] === MINUS;
  const end = off + len;
  const high = digitsWide(buf, negative ? off + 1 : off, end - 9);
  const low = digits9(buf, end - 9, end);
  // The product is exact while `high` has 32 bits (5^9 adds 21, 2^9 is free); beyond, the sum would be rounded twice.
  const value = high <= 0xffffffff ? high * BILLION + low : Number(BigInt(high) * 1_000_000_000n + BigInt(low));
  return negative ? -value : value;
}

/** `parseInt64`, always exact; null when invalid. */
export function parseBigInt64(buf: Uint8Array, off: number, len: number): bigint | null {
  if (!isInt64(buf, off, len)) return null;
  const negative = buf[off] === MINUS;
  const end = off + len;
  const start = negative ? off + 1 : off;
  let value: bigint;
  if (end - start <= 9) value = BigInt(digits9(buf, start, end));
  else value = BigInt(digitsWide(buf, start, end - 9)) * 1_000_000_000n + BigInt(digits9(buf, end - 9, end));
  return negative ? -value : value;
}

/** C's isspace. */
export function isSpace(byte: number): boolean {
  return byte === 32 || (byte >= 9 && byte <= 13);
}

/** Where a C function would see the end of the string: at the first NUL, or at `off + len`. */
function terminator(buf: Uint8Array, off: number, len: number): number {
  const end = off + len;
  let at = off;
  while (at < end && buf[at] !== 0) at++;
  return at;
}

/**
 * `strtoul(…, 10)` over all of `buf[at, end)` without leading spaces: an optional sign (a minus wraps around, as in C), then digits. Null
 * when there is no digit, anything else, or more than 64 bits.
 */
function unsigned64(buf: Uint8Array, at: number, end: number): bigint | null {
  const negative = at < end && buf[at] === MINUS;
  if (negative || (at < end && buf[at] === PLUS)) at++;
  if (at >= end) return null;
  let value = 0n;
  for (; at < end; at++) {
    const byte = buf[at];
    if (byte < ZERO || byte > NINE) return null;
    value = value * 10n + BigInt(byte - ZERO);
    if (value > MAX_UINT64) return null;
  }
  return negative ? BigInt.asUintN(64, -value) : value;
}

/**
 * Parses an unsigned 64-bit integer the way stream ids are parsed (`string2ull`): a canonical negative number is refused, and
 * whatever else `strtoull` takes is taken, including leading spaces, `+`, leading zeros, and the end at a NUL. Null when invalid.
 */
export function parseUint64(buf: Uint8Array, off: number, len: number): bigint | null {
  const end = terminator(buf, off, len);
  const signed = parseBigInt64(buf, off, end - off);
  if (signed !== null) return signed < 0n ? null : signed;
  let at = off;
  while (at < end && isSpace(buf[at])) at++;
  return unsigned64(buf, at, end);
}

/**
 * Parses a SCAN cursor (`strtoul` without leading spaces; the empty string is 0, as in Redis). NaN when invalid. Our cursors
 * stay below 2^53; anything larger becomes `Number.MAX_SAFE_INTEGER`, which is past the end of every table.
 */
export function parseCursor(buf: Uint8Array, off: number, len: number): number {
  if (len > 0 && len <= 15) {
    const value = parseInt64(buf, off, len);
    if (value >= 0) return value;
  }
  const end = terminator(buf, off, len);
  if (end === off) return 0;
  const value = unsigned64(buf, off, end);
  if (value === null) return NaN;
  return value > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(value);
}

/** "00" to "99" in a row: integers are written two digits at a time, which halves the divisions. */
const PAIRS = new Uint8Array(200);
for (let i = 0; i < 100; i++) {
  PAIRS[i * 2] = ZERO + Math.floor(i / 10);
  PAIRS[i * 2 + 1] = ZERO + (i % 10);
}

/** The number of digits of `n`, 0 ≤ n < 10^9. */
export function digitCount(n: number): number {
  if (n < 100) return n < 10 ? 1 : 2;
  if (n < 10_000) return n < 1000 ? 3 : 4;
  if (n < 1_000_000) return n < 100_000 ? 5 : 6;
  if (n < 100_000_000) return n < 10_000_000 ? 7 : 8;
  return 9;
}

/** Writes exactly `count` digits of `n` (0 ≤ n < 10^9) at `at`, with leading zeros when it has fewer; returns the offset after them. */
export function writeDigits(buf: Uint8Array, at: number, n: number, count: number): number {
  let position = at + count;
  while (position - at >= 2) {
    const quotient = (n / 100) | 0;
    const pair = (n - quotient * 100) << 1;
    buf[--position] = PAIRS[pair + 1];
    buf[--position] = PAIRS[pair];
    n = quotient;
  }
  if (position > at) buf[at] = ZERO + n;
  return at + count;
}

/** Writes a safe integer in decimal at `at` (up to 17 bytes) and returns the offset after it. */
export function writeInt(buf: Uint8Array, at: number, n: number): number {
  if (n < 0) {
    buf[at++] = MINUS;
    n = -n;
  }
  if (n < 10) {
    buf[at] = ZERO + n;
    return at + 1;
  }
  if (n < BILLION) return writeDigits(buf, at, n | 0, digitCount(n | 0));
  const high = Math.floor(n / BILLION);
  at = writeDigits(buf, at, high, digitCount(high));
  return writeDigits(buf, at, n - high * BILLION, 9);
}

/** Writes any integer in decimal at `at` and returns the offset after it (20 bytes cover 64 bits). */
export function writeBigInt(buf: Uint8Array, at: number, n: bigint): number {
  return writeLatin1(buf, at, n.toString());
}

/** How many bytes `writeInt` writes. */
export function intLength(n: number): number {
  const sign = n < 0 ? 1 : 0;
  if (n < 0) n = -n;
  return sign + (n < BILLION ? digitCount(n) : 9 + digitCount(Math.floor(n / BILLION)));
}

/** Powers of ten that a double holds exactly. */
const POWERS = new Float64Array(23);
for (let i = 0; i < 23; i++) POWERS[i] = Number(`1e${i}`);

/**
 * The common case of a float: optional `-`, at most fifteen digits, an optional point. Both the digits and the power of ten are exact
 * doubles, so one division rounds correctly. NaN when the text is anything else (valid or not).
 */
function plainDouble(buf: Uint8Array, off: number, len: number): number {
  if (len > 17) return NaN;
  const end = off + len;
  let at = off;
  const negative = buf[at] === MINUS;
  if (negative) at++;
  let value = 0;
  let digits = 0;
  let point = -1;
  for (; at < end; at++) {
    const digit = buf[at] - ZERO;
    if (digit >= 0 && digit <= 9) {
      value = value * 10 + digit;
      digits++;
    } else if (digit === -2 && point < 0) point = at;
    else return NaN;
  }
  if (digits === 0 || digits > 15) return NaN;
  if (point >= 0) value /= POWERS[end - point - 1];
  return negative ? -value : value;
}

/** The double nearest to a hexadecimal float, ties to even; infinite when too large. */
function hexDouble(buf: Uint8Array, off: number, end: number): number {
  const { digits, exponent } = roundBinary(readScaled(buf, off, end, HEX), 53, -1074);
  if (digits === 0n) return 0;
  // Both factors are exact (2^exponent is at least 2^-1074), and so is their product unless it overflows.
  return Number(digits) * 2 ** exponent;
}

/** Whether the digits before the exponent are all zeros, for telling a true zero from an underflow. */
function isZeroText(buf: Uint8Array, off: number, end: number, kind: number): boolean {
  let at = off;
  if (buf[at] === MINUS || buf[at] === PLUS) at++;
  if (kind === HEX) at += 2;
  for (; at < end; at++) {
    const byte = buf[at];
    if ((byte | 0x20) === (kind === HEX ? 112 : 101)) return true;
    if (byte !== ZERO && byte !== 46) return false;
  }
  return true;
}

/** Longer decimal numbers are refused: an engine's strings end a little above, and nobody means them. */
const LONGEST_FLOAT = 1 << 28;

/** `strtod` of all of `buf[off, end)`; ±Infinity on overflow, NaN when it is not a number or says "nan". */
function wholeDouble(buf: Uint8Array, off: number, end: number): number {
  const plain = plainDouble(buf, off, end - off);
  if (plain === plain) return plain;
  const kind = floatKind(buf, off, end);
  if (kind === DECIMAL) return end - off > LONGEST_FLOAT ? NaN : Number(latin1(buf, off, end - off));
  if (kind !== HEX && kind !== INFINITE) return NaN;
  const magnitude = kind === HEX ? hexDouble(buf, off, end) : Infinity;
  return buf[off] === MINUS ? -magnitude : magnitude;
}

/**
 * Parses a score or increment as Redis does (`getDoubleFromObject`): what `strtod` takes, all of it, without leading spaces. `inf`
 * in its spellings is valid; `nan` and numbers too large or too small for a double (other than 0) are not. NaN when invalid.
 */
export function parseDouble(buf: Uint8Array, off: number, len: number): number {
  if (len === 0) return NaN;
  const end = off + len;
  const value = wholeDouble(buf, off, end);
  if (value === 0 || value === Infinity || value === -Infinity) {
    const kind = floatKind(buf, off, end);
    if (value === 0 ? !isZeroText(buf, off, end, kind) : kind !== INFINITE) return NaN;
  }
  return value;
}

/**
 * Parses a bound of a score range (`zslParseRange`, after a `(`): `strtod` without the checks of `parseDouble`. Leading spaces are
 * skipped, the text ends at a NUL, the empty text is 0, and numbers out of range become ±Infinity or 0. NaN when invalid.
 */
export function parseScoreBound(buf: Uint8Array, off: number, len: number): number {
  const end = terminator(buf, off, len);
  if (end === off) return 0;
  let at = off;
  while (at < end && isSpace(buf[at])) at++;
  if (at === end) return NaN;
  return wholeDouble(buf, at, end);
}

/**
 * Whether `n`, whose first digit stands for 10^`exponent`, lies exactly between two numbers of 17 digits: then it has 18, which means
 * 17 - `exponent` decimals and as many binary places. JavaScript rounds such a tie away from zero, C to the even digit.
 */
function isTie(n: number, exponent: number): boolean {
  return exponent <= 16 && Math.abs(n * 2 ** (17 - exponent)) % 2 === 1;
}

/**
 * A double as Redis writes scores (`%.17g`, and `inf`, `-inf`, `nan`): 17 significant digits, trailing zeros dropped, an exponent of at
 * least two digits below 1e-4 and from 1e17 on.
 */
export function formatDouble(n: number): string {
  // Below 2^53 whole numbers print the same, as do fractions whose exact value has at most 15 digits.
  if (Number.isSafeInteger(n)) return n === 0 && 1 / n < 0 ? "-0" : String(n);
  if (n < 1e5 && n > -1e5 && Number.isInteger(n * 1024)) return String(n);
  if (n !== n) return "nan";
  if (n === Infinity) return "inf";
  if (n === -Infinity) return "-inf";
  const scientific = n.toExponential(16);
  const letter = scientific.indexOf("e");
  const exponent = Number(scientific.slice(letter + 1));
  const sign = n < 0 ? "-" : "";
  const from = n < 0 ? 1 : 0;
  let digits = scientific[from] + scientific.slice(from + 2, letter);
  if (isTie(n, exponent) && digits.charCodeAt(16) & 1) {
    digits = digits.slice(0, 16) + String.fromCharCode(digits.charCodeAt(16) - 1);
  }
  digits = digits.replace(/0+$/, "");
  if (exponent < -4 || exponent >= 17) {
    const size = Math.abs(exponent);
    const fraction = digits.length > 1 ? `.${digits.slice(1)}` : "";
    return `${sign}${digits[0]}${fraction}e${exponent < 0 ? "-" : "+"}${size < 10 ? "0" : ""}${size}`;
  }
  if (exponent < 0) return `${sign}0.${"0".repeat(-exponent - 1)}${digits}`;
  if (digits.length <= exponent + 1) return sign + digits.padEnd(exponent + 1, "0");
  return `${sign}${digits.slice(0, exponent + 1)}.${digits.slice(exponent + 1)}`;
}

/**
 * A double as Redis stores it in a listpack or prints it outside of replies (`d2string`): as `formatDouble`, but whole numbers up to 2^62
 * have all their digits.
 */
export function formatStoredDouble(n: number): string {
  if (n >= 1e17 && n <= 2 ** 62 || n <= -1e17 && n >= -(2 ** 62)) return BigInt(n).toString();
  return formatDouble(n);
}

/** Whether the bytes are the word `lowerAscii` (made with `lower`) in any case. Only A–Z are folded. */
export function equalsFolded(buf: Uint8Array, off: number, len: number, lowerAscii: Uint8Array): boolean {
  if (len !== lowerAscii.length) return false;
  for (let i = 0; i < len; i++) {
    let byte = buf[off + i];
    if (byte >= 65 && byte <= 90) byte += 32;
    if (byte !== lowerAscii[i]) return false;
  }
  return true;
}

/** An ASCII word as lower-case bytes, for `equalsFolded`. */
export function lower(text: string): Uint8Array {
  return fromLatin1(text.toLowerCase());
}

/** How many bytes one call of `String.fromCharCode` gets: well below every engine's limit on arguments. */
const CHUNK = 4096;

/** The bytes as a string of the same length, one character (U+0000 to U+00FF) per byte; `fromLatin1` is the inverse. */
export function latin1(buf: Uint8Array, off: number, len: number): string {
  let text = "";
  const end = off + len;
  if (len <= 24) {
    for (let at = off; at < end; at++) text += String.fromCharCode(buf[at]);
    return text;
  }
  for (let at = off; at < end; at += CHUNK) {
    text += String.fromCharCode.apply(null, buf.subarray(at, Math.min(at + CHUNK, end)) as unknown as number[]);
  }
  return text;
}

/** Two lower-case hexadecimal digits for each byte. */
export function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The low byte of each character of `text`. */
export function fromLatin1(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  writeLatin1(bytes, 0, text);
  return bytes;
}

const encoder = new TextEncoder();

/** `text` in UTF-8, for what people typed (file names, configuration, messages). */
export function utf8(text: string): Uint8Array {
  return encoder.encode(text);
}

/** Writes the low byte of each character of `text` at `at` and returns the offset after them. */
export function writeLatin1(buf: Uint8Array, at: number, text: string): number {
  const length = text.length;
  for (let i = 0; i < length; i++) buf[at + i] = text.charCodeAt(i);
  return at + length;
}
