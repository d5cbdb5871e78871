/**
 * SHA-1, for DEBUG DIGEST, whose results are compared with Redis's.
 *
 * It hashes every element of a data set, mostly short ones, synchronously; so the state, the message schedule and the last blocks are
 * reused module-wide and the result is written into the caller's bytes.
 */

import { readI32BE, writeU32BE } from "./binary.ts";

const BLOCK = 64;
/** The last one or two blocks: the input's end, a bit, zeros, and the input's length in bits. */
const tail = new Uint8Array(2 * BLOCK);
const schedule = new Int32Array(80);
const state = new Int32Array(5);

/** Takes in one block of 64 bytes. */
function block(buf: Uint8Array, off: number): void {
  const w = schedule;
  for (let i = 0; i < 16; i++) w[i] = readI32BE(buf, off + i * 4);
  for (let i = 16; i < 80; i++) {
    const mixed = w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16];
    w[i] = (mixed << 1) | (mixed >>> 31);
  }
  let a = state[0];
  let b = state[1];
  let c = state[2];
  let d = state[3];
  let e = state[4];
  for (let i = 0; i < 80; i++) {
    let mixed: number;
    if (i < 20) mixed = ((b & c) | (~b & d)) + 0x5a827999;
    else if (i < 40) mixed = (b ^ c ^ d) + 0x6ed9eba1;
    else if (i < 60) mixed = ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc;
    else mixed = (b ^ c ^ d) + 0xca62c1d6;
    const next = (((a << 5) | (a >>> 27)) + mixed + e + w[i]) | 0;
    e = d;
    d = c;
    c = (b << 30) | (b >>> 2);
    b = a;
    a = next;
  }
  state[0] = (state[0] + a) | 0;
  state[1] = (state[1] + b) | 0;
  state[2] = (state[2] + c) | 0;
  state[3] = (state[3] + d) | 0;
  state[4] = (state[4] + e) | 0;
}

/** Writes the 20-byte digest of `buf[start, end)` to `into[at, at + 20)`; `into` may be `buf`. */
export function sha1(buf: Uint8Array, start: number, end: number, into: Uint8Array, at = 0): void {
  state[0] = 0x67452301;
  state[1] = 0xefcdab89;
  state[2] = 0x98badcfe;
  state[3] = 0x10325476;
  state[4] = 0xc3d2e1f0;
  let from = start;
  for (; end - from >= BLOCK; from += BLOCK) block(buf, from);
  const rest = end - from;
  for (let i = 0; i < rest; i++) tail[i] = buf[from + i];
  tail[rest] = 0x80;
  const size = rest < BLOCK - 8 ? BLOCK : 2 * BLOCK;
  tail.fill(0, rest + 1, size);
  const bytes = end - start;
  writeU32BE(tail, size - 8, Math.floor(bytes / 2 ** 29));
  writeU32BE(tail, size - 4, bytes << 3);
  for (let off = 0; off < size; off += BLOCK) block(tail, off);
  for (let i = 0; i < 5; i++) writeU32BE(into, at + i * 4, state[i]);
}
