/**
 * Byte strings seen as bits, bit 0 being the highest bit of the first byte: counting, searching, combining, and integers of any
 * width at any bit. Pure functions over `buf[at, end)`.
 *
 * Long stretches are gone through 32 bits at a time. A typed array of words can only look at an address that is a multiple of 4, and
 * a value in a slab page may begin anywhere: counting and searching take the odd bytes at both ends by themselves,
 * combining copies such a value first (it is never longer than a slab block).
 */

/** Below this many bytes, making a view of words costs more than it saves. */
const WORTH_WORDS = 64;

/** Bits set in a 32-bit word. */
export function countWord(word: number): number {
  word -= (word >>> 1) & 0x55555555;
  word = (word & 0x33333333) + ((word >>> 2) & 0x33333333);
  return Math.imul((word + (word >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

/** Bits set in `buf[at, end)`. */
export function countBits(buf: Uint8Array, at: number, end: number): number {
  let count = 0;
  if (end - at >= WORTH_WORDS) {
    while ((buf.byteOffset + at) & 3) count += countWord(buf[at++]);
    const words = new Int32Array(buf.buffer, buf.byteOffset + at, (end - at) >> 2);
    count += countWords(words);
    at += words.length * 4;
  }
  for (; at < end; at++) count += countWord(buf[at]);
  return count;
}

/** Four words share the last steps: together their sums of 8 bits stay below 256 (4 × 32 = 128 bits). */
function countWords(words: Int32Array): number {
  const fours = words.length & ~3;
  let count = 0;
  let i = 0;
  for (; i < fours; i += 4) {
    let a = words[i], b = words[i + 1], c = words[i + 2], d = words[i + 3];
    a -= (a >>> 1) & 0x55555555;
    b -= (b >>> 1) & 0x55555555;
    c -= (c >>> 1) & 0x55555555;
    d -= (d >>> 1) & 0x55555555;
    a = (a & 0x33333333) + ((a >>> 2) & 0x33333333) + (b & 0x33333333) + ((b >>> 2) & 0x33333333);
    c = (c & 0x33333333) + ((c >>> 2) & 0x33333333) + (d & 0x33333333) + ((d >>> 2) & 0x33333333);
    const sums = (a & 0x0f0f0f0f) + ((a >>> 4) & 0x0f0f0f0f) + (c & 0x0f0f0f0f) + ((c >>> 4) & 0x0f0f0f0f);
    count += Math.imul(sums, 0x01010101) >>> 24;
  }
  for (; i < words.length; i++) count += countWord(words[i]);
  return count;
}

/** The first of the bits `start` to `end` (inclusive) of the string at `at` that is `bit`, or -1. */
export function findBit(buf: Uint8Array, at: number, start: number, end: number, bit: number): number {
  // With `flip` applied, a bit that is set is looked for.
  const flip = bit === 1 ? 0 : 255;
  const last = Math.floor(end / 8);
  let byte = Math.floor(start / 8);
  let bits = (buf[at + byte] ^ flip) & (255 >> (start % 8));
  if (bits === 0 && byte < last) {
    byte = skipBytes(buf, at + byte + 1, at + last, flip) - at;
    bits = buf[at + byte] ^ flip;
  }
  if (byte === last) bits &= ~(127 >> (end % 8));
  return bits === 0 ? -1 : byte * 8 + Math.clz32(bits) - 24;
}

/** The first place in `buf[at, end)` that does not hold `value` (0 or 255), or `end`. */
function skipBytes(buf: Uint8Array, at: number, end: number, value: number): number {
  if (end - at >= WORTH_WORDS) {
    while ((buf.byteOffset + at) & 3) {
      if (buf[at] !== value) return at;
      at++;
    }
    const words = new Int32Array(buf.buffer, buf.byteOffset + at, (end - at) >> 2);
    const word = value === 0 ? 0 : -1;
    let i = 0;
    while (i < words.length && words[i] === word) i++;
    at += i * 4;
  }
  while (at < end && buf[at] === value) at++;
  return at;
}

export type BitOperation = "and" | "or" | "xor" | "not";

/** The sources, each taken as filled up with zeros to `length`, combined bit by bit. `not` takes one source. */
export function combineBits(operation: BitOperation, sources: readonly Uint8Array[], length: number): Uint8Array {
  const result = new Uint8Array(length);
  const words = new Int32Array(result.buffer, 0, length >> 2);
  result.set(sources[0]);
  if (operation === "not") {
    for (let i = 0; i < words.length; i++) words[i] = ~words[i];
    for (let i = words.length * 4; i < length; i++) result[i] = ~result[i];
  }
  for (let s = 1; s < sources.length; s++) {
    const source = sources[s].byteOffset & 3 ? sources[s].slice() : sources[s];
    const size = source.length;
    const from = new Int32Array(source.buffer, source.byteOffset, size >> 2);
    const rest = from.length * 4;
    if (operation === "and") {
      for (let i = 0; i < from.length; i++) words[i] &= from[i];
      for (let i = rest; i < size; i++) result[i] &= source[i];
      result.fill(0, size);
    } else if (operation === "or") {
      for (let i = 0; i < from.length; i++) words[i] |= from[i];
      for (let i = rest; i < size; i++) result[i] |= source[i];
    } else {
      for (let i = 0; i < from.length; i++) words[i] ^= from[i];
      for (let i = rest; i < size; i++) result[i] ^= source[i];
    }
  }
  return result;
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
