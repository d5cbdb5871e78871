/**
 * SHA-1, for names rather than secrets: DEBUG DIGEST and the names of cached scripts. Both are compared with what Redis computes.
 *
 * DEBUG DIGEST hashes every element of a data set, mostly short ones, synchronously; so the state and the message schedule are reused
 * module-wide and the result is written into the caller's bytes.
 */

import { readI32BE } from "./binary.ts";
import { eachBlock, writeWords } from "./sha_blocks.ts";

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
  eachBlock(buf, start, end, block);
  writeWords(state, into, at, 20);
}

const digest = new Uint8Array(20);

/** The digest in 40 lower-case hexadecimal digits. */
export function sha1Hex(buf: Uint8Array, start: number, end: number): string {
  sha1(buf, start, end, digest);
  let text = "";
  for (let i = 0; i < 20; i++) text += (digest[i] < 16 ? "0" : "") + digest[i].toString(16);
  return text;
}
