/**
 * MurmurHash64A, by which HyperLogLogs choose a register: it has to be the same as Redis's, or the two would disagree about
 * what they have seen.
 *
 * JavaScript has no integers of 64 bits outside of BigInt, which allocates; here a number is two halves of 32 bits. The result
 * is left in `murmurHigh` and `murmurLow`, so that hashing costs no object either.
 */

const SEED = 0xadc83b19 | 0;
/** The multiplier, 0xc6a4a7935bd1e995, as its high word and the halves of its low word. */
const M_HIGH = 0xc6a4a793 | 0;
const M_LOW = 0x5bd1e995 | 0;
const M1 = 0x5bd1;
const M0 = 0xe995;

/** The upper and the lower 32 bits of the last hash, as int32. */
export let murmurHigh = 0;
export let murmurLow = 0;

/** The high word of (high, low) × M modulo 2^64; the low word is `Math.imul(low, M_LOW)`. */
function highProduct(high: number, low: number): number {
  const l0 = low & 0xffff;
  const l1 = low >>> 16;
  const middle = l1 * M0 + ((l0 * M0) >>> 16);
  const carry = (l0 * M1 + (middle & 0xffff)) >>> 16;
  return (l1 * M1 + (middle >>> 16) + carry + Math.imul(high, M_LOW) + Math.imul(low, M_HIGH)) | 0;
}

/** Hashes `buf[off, off + len)` with the seed of Redis's HyperLogLogs, into `murmurHigh` and `murmurLow`. */
export function murmurHash(buf: Uint8Array, off: number, len: number): void {
  let high = highProduct(0, len | 0);
  let low = SEED ^ Math.imul(len, M_LOW);
  const end = off + (len & ~7);
  let at = off;
  for (; at < end; at += 8) {
    let kLow = buf[at] | (buf[at + 1] << 8) | (buf[at + 2] << 16) | (buf[at + 3] << 24);
    let kHigh = buf[at + 4] | (buf[at + 5] << 8) | (buf[at + 6] << 16) | (buf[at + 7] << 24);
    kHigh = highProduct(kHigh, kLow);
    kLow = Math.imul(kLow, M_LOW);
    // A shift by 47 leaves 17 bits of the upper word.
    kLow ^= kHigh >>> 15;
    kHigh = highProduct(kHigh, kLow);
    kLow = Math.imul(kLow, M_LOW);
    high ^= kHigh;
    low ^= kLow;
    high = highProduct(high, low);
    low = Math.imul(low, M_LOW);
  }
  const rest = len & 7;
  if (rest > 0) {
    for (let i = 0; i < rest; i++) {
      if (i < 4) low ^= buf[at + i] << (i * 8);
      else high ^= buf[at + i] << (i * 8 - 32);
    }
    high = highProduct(high, low);
    low = Math.imul(low, M_LOW);
  }
  low ^= high >>> 15;
  high = highProduct(high, low);
  low = Math.imul(low, M_LOW);
  low ^= high >>> 15;
  murmurHigh = high;
  murmurLow = low;
}
