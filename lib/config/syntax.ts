/**
 * The notations of redis.conf: words with quotes, numbers, memory sizes. All functions work on byte strings (one
 * character per byte, latin1), so that any byte survives from a file or a CONFIG SET argument to its value and back.
 * They accept and refuse exactly what Redis's parsers do, including what C's `strtoll` lets pass.
 */

const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;
const UINT64_MAX = 2n ** 64n - 1n;

const UNITS = new Map([
  ["", 1n],
  ["b", 1n],
  ["k", 1000n],
  ["kb", 1024n],
  ["m", 1000n ** 2n],
  ["mb", 1024n ** 2n],
  ["g", 1000n ** 3n],
  ["gb", 1024n ** 3n],
]);

/** Lower case of A–Z only; other bytes stay. */
export function lowerCase(text: string): string {
  return text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
}

/** Removes any of `characters` from both ends. */
export function trim(text: string, characters: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && characters.includes(text[start])) start++;
  while (end > start && characters.includes(text[end - 1])) end--;
  return text.slice(start, end);
}

/** The text up to its first NUL: what a C string would hold. */
export function beforeNul(text: string): string {
  const end = text.indexOf("\0");
  return end < 0 ? text : text.slice(0, end);
}

/** Splits at every single space, as CONFIG SET does with a value of several words; "" has no words. */
export function splitSpaces(text: string): string[] {
  return text === "" ? [] : text.split(" ");
}

/** A canonical signed 64-bit decimal (no blanks, plus sign or leading zeros), or null. */
export function parseInteger(text: string): bigint | null {
  if (!/^(0|-?[1-9][0-9]{0,18})$/.test(text)) return null;
  const value = BigInt(text);
  return value < INT64_MIN || value > INT64_MAX ? null : value;
}

/**
 * Like C's strtoll with the whole text consumed: blanks and a sign may lead, "" is 0, and a number out of range becomes
 * the nearest one with `overflow` set. Null when something else follows.
 */
export function parseLoose(text: string, base: 8 | 10): { value: bigint; overflow: boolean } | null {
  const digits = base === 8 ? "[0-7]+" : "[0-9]+";
  if (text === "") return { value: 0n, overflow: false };
  const match = new RegExp(`^[ \\t\\n\\v\\f\\r]*([-+]?)(${digits})$`).exec(text);
  if (match === null) return null;
  const magnitude = BigInt(base === 8 ? "0o" + match[2] : match[2]);
  const value = match[1] === "-" ? -magnitude : magnitude;
  if (value > INT64_MAX) return { value: INT64_MAX, overflow: true };
  if (value < INT64_MIN) return { value: INT64_MIN, overflow: true };
  return { value, overflow: false };
}

/** A size such as `100`, `1k` (1000) or `1kb` (1024), as an unsigned 64-bit number that wraps, or null. */
export function parseMemory(text: string): bigint | null {
  const match = /^([0-9]*)([a-zA-Z]*)$/.exec(text);
  if (match === null || match[1].length >= 128) return null;
  const unit = UNITS.get(lowerCase(match[2]));
  if (unit === undefined) return null;
  const count = match[1] === "" ? 0n : BigInt(match[1]);
  return BigInt.asUintN(64, (count > UINT64_MAX ? UINT64_MAX : count) * unit);
}

/**
 * The shortest exact size in redis.conf's notation: `64mb`, `1000`. From 2^63 on Redis writes a negative number, which it
 * then refuses to read; here the file can be read again.
 */
export function formatMemory(bytes: bigint): string {
  if (bytes === 0n) return "0";
  if (bytes % 1024n ** 3n === 0n) return `${bytes / 1024n ** 3n}gb`;
  if (bytes % 1024n ** 2n === 0n) return `${bytes / 1024n ** 2n}mb`;
  if (bytes % 1024n === 0n) return `${bytes / 1024n}kb`;
  return `${bytes}`;
}

/** A finite or infinite decimal or hexadecimal number that fills the whole text, or null (also when it underflows). */
export function parseReal(text: string): number | null {
  if (/^[-+]?inf(inity)?$/i.test(text)) return text.startsWith("-") ? -Infinity : Infinity;
  if (/^[-+]?0x[0-9a-f]+$/i.test(text)) {
    const sign = text.startsWith("-") ? -1 : 1;
    return sign * Number(text.replace(/^[-+]/, ""));
  }
  const match = /^[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[-+]?[0-9]+)?$/i.exec(text);
  if (match === null) return null;
  const value = Number(text);
  if (!Number.isFinite(value) || (value === 0 && /[1-9]/.test(match[1]))) return null;
  return value;
}

/** Up to six decimals without trailing zeros: `99.9`, `50`, `-0`. */
export function formatReal(value: number): string {
  return (Object.is(value, -0) ? "-" : "") + value.toFixed(6).replace(/\.?0+$/, "");
}
