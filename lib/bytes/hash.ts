/**
 * The keyed hash of every hash table: HalfSipHash-1-3, the 32-bit member of the SipHash family that Redis uses.
 *
 * Clients choose the keys, so an unkeyed hash would let them put everything in one bucket; with a secret seed they
 * cannot find collisions. SipHash proper needs 64-bit arithmetic, which JavaScript only has as BigInt; the half-width variant
 * works on four int32 words and therefore costs a few nanoseconds and no allocation. One round per word and three at the
 * end (the "1-3" that Redis also chose) is enough for a table that only has to survive flooding, not to authenticate.
 */

/**
 * Hashes `buf[off, off + len)` with the 64-bit seed (`k0`, `k1`: any two int32). Returns a signed int32; take bits with
 * `>>>` or `&`. The same bytes and seed give the same number on every machine.
 */
export function hashBytes(buf: Uint8Array, off: number, len: number, k0: number, k1: number): number {
  let v0 = k0 | 0;
  let v1 = k1 | 0;
  let v2 = 0x6c796765 ^ v0;
  let v3 = 0x74656462 ^ v1;
  const wordsEnd = off + (len & ~3);
  let at = off;
  for (; at < wordsEnd; at += 4) {
    const word = buf[at] | (buf[at + 1] << 8) | (buf[at + 2] << 16) | (buf[at + 3] << 24);
    v3 ^= word;
    v0 = (v0 + v1) | 0;
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
    v0 = (v0 << 16) | (v0 >>> 16);
    v2 = (v2 + v3) | 0;
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
    v0 = (v0 + v3) | 0;
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
    v2 = (v2 + v1) | 0;
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
    v2 = (v2 << 16) | (v2 >>> 16);
    v0 ^= word;
  }
  let last = len << 24;
  const rest = len & 3;
  if (rest === 3) last |= (buf[at + 2] << 16) | (buf[at + 1] << 8) | buf[at];
  else if (rest === 2) last |= (buf[at + 1] << 8) | buf[at];
  else if (rest === 1) last |= buf[at];
  v3 ^= last;
  // The last word's round and the three closing rounds are the same steps; one loop keeps the function small to inline.
  for (let round = 0; round < 4; round++) {
    v0 = (v0 + v1) | 0;
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
    v0 = (v0 << 16) | (v0 >>> 16);
    v2 = (v2 + v3) | 0;
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
    v0 = (v0 + v3) | 0;
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
    v2 = (v2 + v1) | 0;
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
    v2 = (v2 << 16) | (v2 >>> 16);
    if (round === 0) {
      v0 ^= last;
      v2 ^= 0xff;
    }
  }
  return v1 ^ v3;
}
