/** Intsets: against payloads of the real redis-server, and random changes against a sorted array of BigInts. */

import { assert, assertEquals } from "@std/assert";
import { HeapBlob } from "../../lib/store/types/blob.ts";
import { Int64 } from "../../lib/store/types/int64.ts";
import * as intset from "../../lib/store/types/intset.ts";
import { Xoshiro } from "../../lib/platform/random.ts";
import { errorOf } from "../kit/reply.ts";
import { hasRedis, startRedis } from "../kit/server.ts";
import { test } from "../kit/test.ts";
import { blobOfDump, dumpOfBlob, RDB_INTSET } from "./payload.ts";

const value = new Int64();

function int(big: bigint): Int64 {
  value.set(big);
  return value;
}

function values(blob: HeapBlob): bigint[] {
  return Array.from({ length: intset.count(blob) }, (_, i) => {
    intset.get(blob, i, value);
    return value.big;
  });
}

/** The format once more, as plainly as possible. */
function encode(sorted: readonly bigint[], width: number): Uint8Array {
  const bytes = new Uint8Array(8 + sorted.length * width);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, width, true);
  view.setUint32(4, sorted.length, true);
  sorted.forEach((big, i) => {
    for (let b = 0; b < width; b++) bytes[8 + i * width + b] = Number((big >> BigInt(8 * b)) & 255n);
  });
  return bytes;
}

function widthOf(big: bigint): number {
  return BigInt.asIntN(16, big) === big ? 2 : BigInt.asIntN(32, big) === big ? 4 : 8;
}

function randomValue(random: Xoshiro, bits: number): bigint {
  const raw = BigInt.asIntN(64, (BigInt(random.u32()) << 32n) | BigInt(random.u32()));
  if (bits === 6 || random.below(4) > 0) return raw >> BigInt(64 - bits);
  const edge = 2n ** BigInt(Math.min(bits, 63) - 1) + BigInt(random.below(4) - 3);
  return random.below(2) === 0 ? edge : -edge - 1n;
}

test("intset: a million random changes", () => {
  const random = new Xoshiro(3, null);
  for (let round = 0; round < 50; round++) {
    const blob = new HeapBlob();
    intset.create(blob);
    let sorted: bigint[] = [];
    let width = 2;
    // Widths come one after the other, so that every widening happens with a filled set.
    const widest = [6, 16, 17, 32, 33, 64][round % 6];
    for (let step = 0; step < 20_000; step++) {
      const bits = Math.min(widest, [6, 16, 17, 32, 33, 64][Math.floor(step / 3400)]);
      const big = sorted.length > 0 && random.below(3) === 0
        ? sorted[random.below(sorted.length)]
        : randomValue(random, bits);
      let place = 0;
      for (let high = sorted.length; place < high;) {
        const middle = (place + high) >>> 1;
        if (sorted[middle] < big) place = middle + 1;
        else high = middle;
      }
      const present = place < sorted.length && sorted[place] === big;
      if (intset.find(blob, int(big)) !== (present ? place : -1)) throw new Error(`step ${step}: find ${big}`);
      if (random.below(sorted.length > 100 ? 3 : 5) > 1) {
        if (intset.add(blob, int(big)) === present) throw new Error(`step ${step}: add ${big}`);
        if (!present) sorted.splice(place, 0, big);
        width = Math.max(width, widthOf(big));
      } else {
        if (intset.remove(blob, int(big)) !== present) throw new Error(`step ${step}: remove ${big}`);
        if (present) sorted.splice(place, 1);
      }
      if (intset.count(blob) !== sorted.length) throw new Error(`step ${step}: count`);
      if (sorted.length > 0) {
        const index = random.below(sorted.length);
        intset.get(blob, index, value);
        if (value.big !== sorted[index]) throw new Error(`step ${step}: value at ${index}`);
      }
      if (step % 500 === 0) {
        assertEquals(blob.buf.slice(0, blob.len), encode(sorted, width));
        assertEquals(intset.validate(blob.buf, 0, blob.len, true), sorted.length > 0);
        assertEquals(values(blob), sorted);
      }
      if (sorted.length > 200) {
        sorted = [];
        width = 2;
        intset.create(blob);
      }
    }
  }
});

test("intset: the bytes are those of redis-server's sets", async () => {
  if (!hasRedis()) return;
  await using redis = await startRedis({ args: ["--rdbcompression", "no", "--sanitize-dump-payload", "yes"] });
  const client = await redis.connect();
  const random = new Xoshiro(5, null);
  for (const bits of [6, 16, 17, 32, 33, 64]) {
    const blob = new HeapBlob();
    intset.create(blob);
    await client.call("DEL", "set");
    for (let round = 0; round < 20; round++) {
      const commands = [];
      for (let i = 0; i < 20; i++) {
        const big = randomValue(random, round < 5 ? 6 : bits);
        const adds = random.below(4) > 0;
        commands.push([adds ? "SADD" : "SREM", "set", String(big)]);
        if (adds) intset.add(blob, int(big));
        else intset.remove(blob, int(big));
      }
      await client.pipeline(commands);
      const dump = blobOfDump(await client.call("DUMP", "set") as string);
      assertEquals(dump, { type: RDB_INTSET, bytes: blob.buf.slice(0, blob.len) });
    }
  }

  // What is damaged is refused by both.
  const payloads: Uint8Array[] = [];
  const verdicts: boolean[] = [];
  for (let i = 0; i < 5000; i++) {
    const sorted = [...new Set(Array.from({ length: random.below(5) }, () => randomValue(random, 16)))]
      .sort((a, b) => a < b ? -1 : 1);
    const bytes = encode(sorted, 2);
    const at = random.below(bytes.length);
    bytes[random.below(2) * at] = [2, 4, 8, 0, random.below(256)][random.below(5)];
    payloads.push(dumpOfBlob(RDB_INTSET, bytes));
    verdicts.push(intset.validate(bytes, 0, bytes.length, true));
  }
  assert(new Set(verdicts).size === 2);
  const replies = await client.pipeline(payloads.map((payload) => ["RESTORE", "k", "0", payload, "REPLACE"]));
  replies.forEach((reply, i) => assertEquals(errorOf(reply) === undefined, verdicts[i], `${payloads[i]}`));
});
