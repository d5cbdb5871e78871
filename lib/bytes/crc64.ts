/**
 * CRC-64 with the "Jones" polynomial (0xad93d23594c935a9, reflected, starting at 0): the checksum at the end of RDB files and DUMP
 * payloads.
 *
 * Every byte of a data set goes through here on each save and load. A 64-bit CRC as BigInt would be slower than the disk, so the
 * register is two int32 halves, and eight bytes are folded per step with eight tables ("slicing by 8"). Of long runs they are read as two
 * words, which takes little more than half the time of reading bytes.
 */

/** The polynomial with its bits reversed, in halves. */
const POLYNOMIAL_LOW = 0xac4bc9b5 | 0, POLYNOMIAL_HIGH = 0x95ac9329 | 0;

/** `LOW[k * 256 + b]`, `HIGH[…]`: the register after byte `b` followed by `k` zero bytes. */
const LOW = new Int32Array(8 * 256), HIGH = new Int32Array(8 * 256);
for (let byte = 0; byte < 256; byte++) {
  let low = byte;
  let high = 0;
  for (let bit = 0; bit < 8; bit++) {
    const carry = low & 1;
    low = (low >>> 1) | (high << 31);
    high >>>= 1;
    if (carry) {
      low ^= POLYNOMIAL_LOW;
      high ^= POLYNOMIAL_HIGH;
    }
  }
  LOW[byte] = low;
  HIGH[byte] = high;
}
for (let i = 256; i < LOW.length; i++) {
  const low = LOW[i - 256];
  const high = HIGH[i - 256];
  LOW[i] = ((low >>> 8) | (high << 24)) ^ LOW[low & 255];
  HIGH[i] = (high >>> 8) ^ HIGH[low & 255];
}

/** Fewer bytes than this are not worth a view of their words. */
const LONG = 256;

/** A running checksum; a new one stands at 0. */
export class Crc64 {
  /** The halves of the checksum, as signed int32. In files the low half comes first, little-endian. */
  lo = 0;
  hi = 0;

  /** Back to the empty input. */
  reset(): void {
    this.lo = 0;
    this.hi = 0;
  }

  /** Takes in `buf[start, end)`. */
  update(buf: Uint8Array, start: number, end: number): void {
    if (end - start < LONG) return this.#bytes(buf, start, end);
    const aligned = start + (-(buf.byteOffset + start) & 3);
    const count = (end - aligned) >>> 3;
    this.#bytes(buf, start, aligned);
    this.#words(new Int32Array(buf.buffer, buf.byteOffset + aligned, count * 2));
    this.#bytes(buf, aligned + count * 8, end);
  }

  #bytes(buf: Uint8Array, start: number, end: number): void {
    let lo = this.lo;
    let hi = this.hi;
    let at = start;
    for (; at + 8 <= end; at += 8) {
      const a = 0x700 | ((lo & 255) ^ buf[at]);
      const b = 0x600 | (((lo >>> 8) & 255) ^ buf[at + 1]);
      const c = 0x500 | (((lo >>> 16) & 255) ^ buf[at + 2]);
      const d = 0x400 | ((lo >>> 24) ^ buf[at + 3]);
      const e = 0x300 | ((hi & 255) ^ buf[at + 4]);
      const f = 0x200 | (((hi >>> 8) & 255) ^ buf[at + 5]);
      const g = 0x100 | (((hi >>> 16) & 255) ^ buf[at + 6]);
      const h = (hi >>> 24) ^ buf[at + 7];
      lo = LOW[a] ^ LOW[b] ^ LOW[c] ^ LOW[d] ^ LOW[e] ^ LOW[f] ^ LOW[g] ^ LOW[h];
      hi = HIGH[a] ^ HIGH[b] ^ HIGH[c] ^ HIGH[d] ^ HIGH[e] ^ HIGH[f] ^ HIGH[g] ^ HIGH[h];
    }
    for (; at < end; at++) {
      const index = (lo ^ buf[at]) & 255;
      lo = ((lo >>> 8) | (hi << 24)) ^ LOW[index];
      hi = (hi >>> 8) ^ HIGH[index];
    }
    this.lo = lo;
    this.hi = hi;
  }

  /** The same, eight bytes as two little-endian words. */
  #words(words: Int32Array): void {
    let lo = this.lo;
    let hi = this.hi;
    for (let at = 0; at < words.length; at += 2) {
      lo ^= words[at];
      hi ^= words[at + 1];
      const a = 0x700 | (lo & 255);
      const b = 0x600 | ((lo >>> 8) & 255);
      const c = 0x500 | ((lo >>> 16) & 255);
      const d = 0x400 | (lo >>> 24);
      const e = 0x300 | (hi & 255);
      const f = 0x200 | ((hi >>> 8) & 255);
      const g = 0x100 | ((hi >>> 16) & 255);
      const h = hi >>> 24;
      lo = LOW[a] ^ LOW[b] ^ LOW[c] ^ LOW[d] ^ LOW[e] ^ LOW[f] ^ LOW[g] ^ LOW[h];
      hi = HIGH[a] ^ HIGH[b] ^ HIGH[c] ^ HIGH[d] ^ HIGH[e] ^ HIGH[f] ^ HIGH[g] ^ HIGH[h];
    }
    this.lo = lo;
    this.hi = hi;
  }

  /** The checksum as an unsigned 64-bit number. */
  value(): bigint {
    return (BigInt(this.hi >>> 0) << 32n) | BigInt(this.lo >>> 0);
  }

  /** Writes the checksum as files have it: 8 bytes, little-endian. */
  write(buf: Uint8Array, at: number): void {
    for (let i = 0; i < 4; i++) {
      buf[at + i] = this.lo >>> (8 * i);
      buf[at + 4 + i] = this.hi >>> (8 * i);
    }
  }

  /** Whether the 8 bytes at `at` are this checksum. */
  matches(buf: Uint8Array, at: number): boolean {
    for (let i = 0; i < 4; i++) {
      if (buf[at + i] !== ((this.lo >>> (8 * i)) & 255)) return false;
      if (buf[at + 4 + i] !== ((this.hi >>> (8 * i)) & 255)) return false;
    }
    return true;
  }
}
