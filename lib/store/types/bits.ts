/**
 * Byte strings seen as bits, bit 0 being the highest bit of the first byte: counting, searching, combining, and integers of any
 * width at any bit.
 *
 * Long stretches are gone through 32 bits at a time. A typed array of words can only look at an address that is a multiple of 4, and
 * a value in a slab page may begin anywhere. So who counts or searches gives the page as bytes and as words (`words[0]` begins where
 * `buf[0]` does), and the odd bytes at both ends are taken by themselves; combining copies a source to an even place first, which the
 * engines do many times faster than anything that follows.
 */

import { copyBytes } from "../../bytes/span.ts";

/** Bits set in a 32-bit word. */
export function countWord(word: number): number {
  word -= (word >>> 1) & 0x55555555;
  word = (word & 0x33333333) + ((word >>> 2) & 0x33333333);
  return Math.imul((word + (word >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

/** Bits set in `buf[at, end)`. */
export function countBits(buf: Uint8Array, words: Int32Array, at: number, end: number): number {
  let count = 0;
  while (at & 3 && at < end) count += countWord(buf[at++]);
  if (end - at >= 4) {
    count += countWords(words, at >> 2, end >> 2);
    at = end & ~3;
  }
  while (at < end) count += countWord(buf[at++]);
  return count;
}

/**
 * Bits set in `words[i, end)`. Eight words at a time are added up as columns of bits: `ones`, `twos` and `fours` hold a binary number for
 * each of the 32 columns, and only what is carried out of them, one word in eight, has its bits counted (Harley and Seal's method).
 */
function countWords(words: Int32Array, i: number, end: number): number {
  let count = 0;
  if (end - i >= 8) {
    let ones = 0, twos = 0, fours = 0;
    for (const last = end - 8; i <= last; i += 8) {
      let a = words[i], b = words[i + 1], sum = ones ^ a;
      const two1 = (ones & a) | (sum & b);
      ones = sum ^ b;
      a = words[i + 2], b = words[i + 3], sum = ones ^ a;
      const two2 = (ones & a) | (sum & b);
      ones = sum ^ b;
      sum = twos ^ two1;
      const four1 = (twos & two1) | (sum & two2);
      twos = sum ^ two2;
      a = words[i + 4], b = words[i + 5], sum = ones ^ a;
      const two3 = (ones & a) | (sum & b);
      ones = sum ^ b;
      a = words[i + 6], b = words[i + 7], sum = ones ^ a;
      const two4 = (ones & a) | (sum & b);
      ones = sum ^ b;
      sum = twos ^ two3;
      const four2 = (twos & two3) | (sum & two4);
      twos = sum ^ two4;
      sum = fours ^ four1;
      count += countWord((fours & four1) | (sum & four2));
      fours = sum ^ four2;
    }
    count = count * 8 + countWord(fours) * 4 + countWord(twos) * 2 + countWord(ones);
  }
  for (; i < end; i++) count += countWord(words[i]);
  return count;
}

/** The first of the bits `start` to `end` (inclusive) of the string at `at` that is `bit`, or -1. */
export function findBit(
  buf: Uint8Array,
  words: Int32Array,
  at: number,
  start: number,
  end: number,
  bit: number,
): number {
  // With `flip` applied, a bit that is set is looked for.
  const flip = bit === 1 ? 0 : 255;
  const last = Math.floor(end / 8);
  let byte = Math.floor(start / 8);
  let bits = (buf[at + byte] ^ flip) & (255 >> (start % 8));
  if (bits === 0 && byte < last) {
    byte = skipBytes(buf, words, at + byte + 1, at + last, flip) - at;
    bits = buf[at + byte] ^ flip;
  }
  if (byte === last) bits &= ~(127 >> (end % 8));
  return bits === 0 ? -1 : byte * 8 + Math.clz32(bits) - 24;
}

/** The first place in `buf[at, end)` that does not hold `value` (0 or 255), or `end`. */
function skipBytes(buf: Uint8Array, words: Int32Array, at: number, end: number, value: number): number {
  for (; at & 3; at++) if (at === end || buf[at] !== value) return at;
  const word = value === 0 ? 0 : -1;
  const last = end >> 2;
  let i = at >> 2;
  while (i < last && words[i] === word) i++;
  at = i << 2;
  while (at < end && buf[at] === value) at++;
  return at;
}

export const BitOperation = { AND: 0, OR: 1, XOR: 2, NOT: 3 } as const;
export type BitOperation = typeof BitOperation[keyof typeof BitOperation];

/** Results up to this many bytes come about in memory that is kept. */
const KEPT = 65536;
/** Bytes of a source that are brought to an even place at once. */
const PORTION = 16384;

/** Combines byte strings, each taken as filled up with zeros to the length of the longest. One object serves again and again. */
export class BitCombination {
  /** The result, from 0 on; good until the next `begin`. */
  bytes: Uint8Array = new Uint8Array(KEPT);
  #words = new Int32Array(this.bytes.buffer);
  readonly #kept = this.bytes;
  readonly #keptWords = this.#words;
  /** Words of the result; the last may be filled up with zeros. */
  #size = 0;
  readonly #portion = new Uint8Array(PORTION);
  readonly #portionWords = new Int32Array(this.#portion.buffer);

  /** Begins a result of `length` bytes with the first source, `buf[at, at + len)`. */
  begin(length: number, buf: Uint8Array, at: number, len: number): void {
    this.#size = (length + 3) >>> 2;
    this.bytes = length <= KEPT ? this.#kept : new Uint8Array(this.#size * 4);
    this.#words = length <= KEPT ? this.#keptWords : new Int32Array(this.bytes.buffer);
    copyEven(buf, at, len, this.bytes);
    this.#clearFrom((len + 3) >>> 2);
  }

  /** Combines what is there with a further source. */
  add(operation: BitOperation, buf: Uint8Array, at: number, len: number): void {
    for (let done = 0; done < len; done += PORTION) {
      const count = Math.min(len - done, PORTION);
      copyEven(buf, at + done, count, this.#portion);
      combineWords(operation, this.#words, done >>> 2, this.#portionWords, (count + 3) >>> 2);
    }
    if (operation === BitOperation.AND) this.#clearFrom((len + 3) >>> 2);
  }

  #clearFrom(word: number): void {
    if (word < this.#size) this.#words.fill(0, word, this.#size);
  }

  /** NOT: turns every bit over. */
  invert(): void {
    const words = this.#words;
    for (let i = 0; i < this.#size; i++) words[i] = ~words[i];
  }
}

function combineWords(operation: BitOperation, to: Int32Array, at: number, from: Int32Array, count: number): void {
  if (operation === BitOperation.AND) { for (let i = 0; i < count; i++) to[at + i] &= from[i]; }
  else if (operation === BitOperation.OR) { for (let i = 0; i < count; i++) to[at + i] |= from[i]; }
  else for (let i = 0; i < count; i++) to[at + i] ^= from[i];
}

/** Copies `buf[at, at + len)` to the beginning of `to`, and fills the last word with zeros. */
function copyEven(buf: Uint8Array, at: number, len: number, to: Uint8Array): void {
  copyBytes(buf, at, len, to, 0);
  for (let i = len; i & 3; i++) to[i] = 0;
}

/** The unsigned integer of `width` ≤ 53 bits at bit `offset` of `buf[at, end)`; bits beyond the end are zeros. */
export function readField(buf: Uint8Array, at: number, end: number, offset: number, width: number): number {
  let byte = at + Math.floor(offset / 8);
  let value = 0;
  let first = offset % 8;
  while (width > 0) {
    const taken = Math.min(8 - first, width);
    const bits = byte < end ? ((buf[byte] << first) & 255) >> (8 - taken) : 0;
    value = value * (1 << taken) + bits;
    width -= taken;
    first = 0;
    byte++;
  }
  return value;
}

/** Puts the unsigned integer `value` of `width` ≤ 53 bits at bit `offset` of the string at `at`. */
export function writeField(buf: Uint8Array, at: number, offset: number, width: number, value: number): void {
  let bit = offset + width;
  while (width > 0) {
    // From the last byte back: `after` bits of it come after the field.
    const after = (8 - bit % 8) % 8;
    const byte = at + Math.floor((bit - 1) / 8);
    const put = Math.min(8 - after, width);
    const mask = ((1 << put) - 1) << after;
    const high = Math.floor(value / (1 << put));
    buf[byte] = (buf[byte] & ~mask) | ((value - high * (1 << put)) << after);
    value = high;
    width -= put;
    bit -= put;
  }
}

/** `readField` for any width up to 64. */
export function readWideField(buf: Uint8Array, at: number, end: number, offset: number, width: number): bigint {
  if (width <= 32) return BigInt(readField(buf, at, end, offset, width));
  const high = readField(buf, at, end, offset, width - 32);
  return (BigInt(high) << 32n) | BigInt(readField(buf, at, end, offset + width - 32, 32));
}

/** `writeField` for any width up to 64. */
export function writeWideField(buf: Uint8Array, at: number, offset: number, width: number, value: bigint): void {
  if (width <= 32) return writeField(buf, at, offset, width, Number(value));
  writeField(buf, at, offset, width - 32, Number(value >> 32n));
  writeField(buf, at, offset + width - 32, 32, Number(value & 0xffffffffn));
}
