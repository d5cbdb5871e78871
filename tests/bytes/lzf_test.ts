/** LZF: round trips, refusal of damaged input, and byte equality with what Redis writes into DUMP payloads. */
import { assert, assertEquals } from "@std/assert";
import { test } from "../kit/test.ts";
import { hasRedis, startRedis } from "../kit/server.ts";
import { fromLatin1, latin1 } from "../../lib/bytes/ascii.ts";
import { compress, decompress } from "../../lib/bytes/lzf.ts";
import { equalBytes } from "../../lib/bytes/span.ts";
import { Seeded } from "../kit/seeded.ts";

/** Bytes with runs, repeats near and far, and noise, in random proportions. */
function compressible(random: Seeded, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  const letters = 1 + random.below(random.pick([2, 8, 60, 256]));
  let at = 0;
  while (at < length) {
    const count = Math.min(length - at, 1 + random.below(random.pick([4, 20, 300])));
    const repeat = at > 0 && random.below(3) > 0;
    const from = repeat ? at - 1 - random.below(Math.min(at, random.pick([3, 200, 9000]))) : 0;
    for (let i = 0; i < count; i++, at++) bytes[at] = repeat ? bytes[from + i] : random.below(letters);
  }
  return bytes;
}

function roundTrip(bytes: Uint8Array, cap: number): Uint8Array | null {
  const source = Uint8Array.from([7, 7, 7, ...bytes, 7]);
  const out = new Uint8Array(cap + 6).fill(0xee);
  const length = compress(source, 3, bytes.length, out, 3, cap);
  assert(length <= cap);
  assert(out.subarray(0, 3).every((byte) => byte === 0xee), "wrote before its output");
  assert(out.subarray(3 + cap).every((byte) => byte === 0xee), "wrote past its output");
  if (length === 0) return null;
  const back = new Uint8Array(bytes.length + 4);
  assertEquals(decompress(out, 3, length, back, 2, bytes.length), bytes.length);
  assert(equalBytes(back, 2, bytes, 0, bytes.length));
  return out.slice(3, 3 + length);
}

test("what is compressed comes back, within the capacity, at every length", () => {
  const random = new Seeded(12);
  let compressed = 0;
  for (let i = 0; i < 1500; i++) {
    const bytes = compressible(random, i < 300 ? i : random.below(3000));
    const full = roundTrip(bytes, bytes.length * 2 + 8);
    assertEquals(full === null, bytes.length === 0);
    if (full === null) continue;
    // The library may refuse up to four bytes early; at any capacity the result is all or nothing.
    const tight = roundTrip(bytes, full.length + 4);
    assertEquals(tight === null ? "" : latin1(tight, 0, tight.length), latin1(full, 0, full.length));
    roundTrip(bytes, random.below(full.length + 4));
    assertEquals(roundTrip(bytes, full.length - 1), null);
    if (full.length < bytes.length) compressed++;
  }
  assert(compressed > 500);
});

test("earlier calls leave no trace in later ones", () => {
  const random = new Seeded(13);
  const bytes = compressible(random, 2000);
  const first = roundTrip(bytes, 3000);
  for (let i = 0; i < 20; i++) roundTrip(compressible(random, 500), 1000);
  assertEquals(roundTrip(bytes, 3000), first);
});

test("damaged input is refused or stays within its output", () => {
  const bad: [number[], number][] = [
    [[0], 10],
    [[3, 65, 66], 10],
    [[0x20], 10],
    [[0x20, 0], 10],
    [[0, 65, 0x20, 1], 10],
    [[0, 65, 0xe0], 10],
    [[0, 65, 0xe0, 5], 100],
    [[0, 65, 0x20, 0], 3],
    [[1, 65, 66], 1],
  ];
  const out = new Uint8Array(200);
  for (const [input, room] of bad) {
    assertEquals(decompress(Uint8Array.from(input), 0, input.length, out, 50, room), -1, String(input));
  }
  assertEquals(decompress(Uint8Array.of(0, 65, 0x20, 0), 0, 4, out, 50, 4), 4);
  const random = new Seeded(14);
  for (let i = 0; i < 3000; i++) {
    const input = random.bytes(random.below(40));
    out.fill(0xee);
    const made = decompress(input, 0, input.length, out, 50, 100);
    assert(made >= -1 && made <= 100);
    assert(out.subarray(0, 50).every((byte) => byte === 0xee) && out.subarray(150).every((byte) => byte === 0xee));
  }
});

test("Redis makes the same bytes", async () => {
  if (!hasRedis()) return;
  await using server = await startRedis();
  const client = await server.connect();
  const random = new Seeded(15);
  let compressed = 0;
  for (let i = 0; i < 600; i++) {
    const bytes = compressible(random, 21 + random.below(random.pick([30, 300, 40_000])));
    // Each value stays alive under its own key: Redis never clears its table, and a reused address would revive old entries.
    await client.ok("SET", `k${i}`, bytes);
    const dump = fromLatin1(await client.call("DUMP", `k${i}`) as string);
    const ours = new Uint8Array(bytes.length);
    const length = compress(bytes, 0, bytes.length, ours, 0, bytes.length - 4);
    if (dump[1] !== 0xc3) {
      assertEquals(length, 0);
      continue;
    }
    // Type, marker, the two lengths, data, version (2) and checksum (8).
    const start = 2 + lengthSize(length) + lengthSize(bytes.length);
    assertEquals(dump.length - 10 - start, length);
    assert(equalBytes(dump, start, ours, 0, length), `case ${i}`);
    compressed++;
  }
  assert(compressed > 200);
});

/** How many bytes RDB takes to write a length. */
function lengthSize(length: number): number {
  return length < 64 ? 1 : length < 16384 ? 2 : 5;
}
