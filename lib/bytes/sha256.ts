/**
 * SHA-256: how ACL passwords are kept (`#<64 hex digits>`). Synchronous, because AUTH and ACL SETUSER are.
 */

import { readI32BE } from "./binary.ts";
import { eachBlock, writeWords } from "./sha_blocks.ts";

/** The first 32 bits of the fractional parts of the roots of the first primes, computed exactly rather than listed. */
function rootBits(prime: number, degree: 2n | 3n): number {
  const scaled = BigInt(prime) << (32n * degree);
  let low = 0n;
  let high = 1n << 40n;
  while (high - low > 1n) {
    const middle = (low + high) >> 1n;
    if (middle ** degree <= scaled) low = middle;
    else high = middle;
  }
  return Number(BigInt.asIntN(32, low));
}

const CONSTANTS = new Int32Array(64), INITIAL = new Int32Array(8);
for (let candidate = 2, found = 0; found < 64; candidate++) {
  let prime = true;
  for (let divisor = 2; divisor * divisor <= candidate; divisor++) prime &&= candidate % divisor !== 0;
  if (!prime) continue;
  if (found < 8) INITIAL[found] = rootBits(candidate, 2n);
  CONSTANTS[found++] = rootBits(candidate, 3n);
}

const schedule = new Int32Array(64);
const state = new Int32Array(8);

function rotate(word: number, by: number): number {
  return (word >>> by) | (word << (32 - by));
}

/** Takes in one block of 64 bytes. */
function block(buf: Uint8Array, off: number): void {
  const w = schedule;
  for (let i = 0; i < 16; i++) w[i] = readI32BE(buf, off + i * 4);
  for (let i = 16; i < 64; i++) {
    const x = w[i - 15];
    const y = w[i - 2];
    const s0 = rotate(x, 7) ^ rotate(x, 18) ^ (x >>> 3);
    const s1 = rotate(y, 17) ^ rotate(y, 19) ^ (y >>> 10);
    w[i] = (w[i - 16] + s0 + w[i - 7] + s1) | 0;
  }
  let [a, b, c, d, e, f, g, h] = state;
  for (let i = 0; i < 64; i++) {
    const s1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25);
    const t1 = (h + s1 + ((e & f) ^ (~e & g)) + CONSTANTS[i] + w[i]) | 0;
    const s0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22);
    const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    h = g;
    g = f;
    f = e;
    e = (d + t1) | 0;
    d = c;
    c = b;
    b = a;
    a = (t1 + t2) | 0;
  }
  const words = [a, b, c, d, e, f, g, h];
  for (let i = 0; i < 8; i++) state[i] += words[i];
}

/** Writes the 32-byte digest of `buf[start, end)` to `into[at, at + 32)`. */
export function sha256(buf: Uint8Array, start: number, end: number, into: Uint8Array, at = 0): void {
  state.set(INITIAL);
  eachBlock(buf, start, end, block);
  writeWords(state, into, at, 32);
}

/** The digest in 64 lower-case hexadecimal digits. */
export function sha256Hex(buf: Uint8Array, start: number, end: number): string {
  const digest = new Uint8Array(32);
  sha256(buf, start, end, digest);
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
