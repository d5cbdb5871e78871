/** The table hash against a separate, literal implementation of HalfSipHash (itself held to the published 2-4 vectors). */
import { assert, assertEquals } from "@std/assert";
import { test } from "../kit/test.ts";
import { hashBytes } from "../../lib/bytes/hash.ts";
import { Seeded } from "../kit/seeded.ts";

/** HalfSipHash-c-d written from the paper with BigInt words: slow, obvious, and sharing nothing with the code under test. */
function halfSipHash(bytes: Uint8Array, k0: bigint, k1: bigint, perWord: number, closing: number): number {
  const mask = 0xffffffffn;
  const rotate = (x: bigint, by: bigint) => ((x << by) | (x >> (32n - by))) & mask;
  let [a, b, c, d] = [k0, k1, 0x6c796765n ^ k0, 0x74656462n ^ k1];
  const rounds = (count: number) => {
    for (let i = 0; i < count; i++) {
      a = (a + b) & mask;
      b = rotate(b, 5n);
      b ^= a;
      a = rotate(a, 16n);
      c = (c + d) & mask;
      d = rotate(d, 8n);
      d ^= c;
      a = (a + d) & mask;
      d = rotate(d, 7n);
      d ^= a;
      c = (c + b) & mask;
      b = rotate(b, 13n);
      b ^= c;
      c = rotate(c, 16n);
    }
  };
  const padded = new Uint8Array(Math.floor(bytes.length / 4) * 4 + 4);
  padded.set(bytes);
  padded[padded.length - 1] = bytes.length & 255;
  const view = new DataView(padded.buffer);
  for (let at = 0; at < padded.length; at += 4) {
    const word = BigInt(view.getUint32(at, true));
    d ^= word;
    rounds(perWord);
    a ^= word;
  }
  c ^= 0xffn;
  rounds(closing);
  return Number(b ^ d) | 0;
}

test("the reference implementation gives the published HalfSipHash-2-4 vectors", () => {
  const published = [0x5b9f35a9, 0xb85a4727, 0x03a662fa, 0x04e7fe8a, 0x89466e2a];
  for (let length = 0; length < published.length; length++) {
    const input = Uint8Array.from({ length }, (_, i) => i);
    assertEquals(halfSipHash(input, 0x03020100n, 0x07060504n, 2, 4), published[length] | 0);
  }
});

test("hashBytes is HalfSipHash-1-3 at every length, offset and seed", () => {
  const random = new Seeded(1);
  for (let i = 0; i < 2000; i++) {
    const off = random.below(9);
    const len = i < 40 ? i : random.below(300);
    const buf = random.bytes(off + len + random.below(5));
    const k0 = random.u32();
    const k1 = random.u32();
    const expected = halfSipHash(buf.slice(off, off + len), BigInt(k0), BigInt(k1), 1, 3);
    assertEquals(hashBytes(buf, off, len, k0, k1), expected);
    assertEquals(hashBytes(buf, off, len, k0 | 0, k1 | 0), expected, "signed seeds are the same seeds");
  }
});

test("numbered keys spread evenly over the buckets, and the seed changes the buckets", () => {
  const buckets = 1024;
  const counts = new Int32Array(buckets);
  const keys = 64 * buckets;
  let same = 0;
  const buf = new Uint8Array(16);
  for (let i = 0; i < keys; i++) {
    const len = new TextEncoder().encodeInto(`key:${i}`, buf).written;
    const bucket = hashBytes(buf, 0, len, 1234, 5678) & (buckets - 1);
    counts[bucket]++;
    if (bucket === (hashBytes(buf, 0, len, 1235, 5678) & (buckets - 1))) same++;
  }
  let chiSquare = 0;
  for (const count of counts) chiSquare += (count - 64) ** 2 / 64;
  // 1023 degrees of freedom: standard deviation 45, so ten of them either way.
  assert(chiSquare > 570 && chiSquare < 1480, `chi-square ${chiSquare}`);
  assert(same < 150, `${same} keys stayed in their bucket under another seed`);
});
