/** Bitmap commands and BITFIELD: against redis-server, with strings long enough for the ways that go by words. */

import type { Command } from "../kit/client.ts";
import { assertSameAsRedis } from "../kit/differential.ts";
import { hostileIntegers, Seeded } from "../kit/seeded.ts";
import { test } from "../kit/test.ts";

/** A string with long stretches of zeros and of ones. */
function bitmap(random: Seeded, length: number): string {
  let bytes = "";
  while (bytes.length < length) {
    const stretch = random.between(1, 300);
    const kind = random.below(4);
    if (kind === 0) bytes += "\0".repeat(stretch);
    else if (kind === 1) bytes += "\xff".repeat(stretch);
    else bytes += random.binary(stretch);
  }
  return bytes.slice(0, length);
}

test("BITCOUNT and BITPOS of any range, BITOP of any lengths", async () => {
  const random = new Seeded(21);
  const commands: Command[] = [["SADD", "other", "a"]];
  const keys = ["a", "bb", "ccc", "dddd", "ones", "zeros", "empty", "none"];
  commands.push(["SET", "ones", "\xff".repeat(1000)], ["SET", "zeros", "\0".repeat(20_001)], ["SET", "empty", ""]);
  for (let round = 0; round < 40; round++) {
    for (const key of ["a", "bb", "ccc", "dddd"]) {
      commands.push(["SET", key, bitmap(random, random.pick([1, 7, 63, 64, 65, 200, 1001, 5000, 17_000, 40_003]))]);
    }
    for (let i = 0; i < 60; i++) {
      const key = random.pick(keys);
      const ends = () => random.pick([0, -1, 1, random.between(-1200, 1200), random.between(-150_000, 150_000)]);
      const unit = random.pick(["BIT", "byte", "bit"]);
      const bit = random.below(2);
      commands.push(["BITCOUNT", key], ["BITCOUNT", key, ends(), ends()], ["BITCOUNT", key, ends(), ends(), unit]);
      commands.push(["BITPOS", key, bit], ["BITPOS", key, bit, ends()], ["BITPOS", key, bit, ends(), ends()]);
      commands.push(["BITPOS", key, bit, ends(), ends(), unit]);
    }
    for (let i = 0; i < 12; i++) {
      const sources = Array.from({ length: random.between(1, 5) }, () => random.pick(keys));
      const operation = random.pick(["AND", "or", "Xor"]);
      commands.push(["BITOP", operation, random.pick(["dest", "a", "bb"]), ...sources], ["GET", "dest"]);
      commands.push(["BITOP", "NOT", "dest", random.pick(keys)], ["GET", "dest"], ["OBJECT", "ENCODING", "dest"]);
    }
  }
  for (const name of ["BITCOUNT", "BITPOS"]) {
    for (const key of ["a", "other", "none", "empty"]) {
      for (
        const more of [[], ["1"], ["0", "x"], ["2"], ["1", "0", "y"], ["0", "0", "1", "nope"], [
          "0",
          "1",
          "2",
          "bit",
          "3",
        ]]
      ) {
        commands.push([name, key, ...more]);
      }
    }
  }
  commands.push(["BITOP", "NOT", "d", "a", "bb"], ["BITOP", "NAND", "d", "a"], ["BITOP", "AND", "d", "a", "other"]);
  await assertSameAsRedis(commands, { seed: random.seed });
});

test("SETBIT and GETBIT at any offset", async () => {
  const random = new Seeded(22);
  const commands: Command[] = [["SADD", "other", "a"], ["SET", "number", "12345"]];
  for (const offset of [...hostileIntegers, "4294967295", "4294967296", "#1"]) {
    for (const bit of ["0", "2", "x", "-1"]) {
      commands.push(["GETBIT", "number", offset], ["SETBIT", "other", offset, bit]);
    }
  }
  for (let i = 0; i < 3000; i++) {
    const key = random.pick(["a", "b", "number"]);
    const offset = random.below(random.pick([10, 100, 1000, 20_000, 200_000]));
    commands.push(["SETBIT", key, offset, random.below(2)], ["GETBIT", key, random.below(1000)]);
    if (i % 100 === 0) commands.push(["GET", key], ["OBJECT", "ENCODING", key], ["SET", key, "77"]);
  }
  await assertSameAsRedis(commands, { seed: random.seed });
});

test("BITFIELD: every width and overflow, and arguments at the limits", async () => {
  const random = new Seeded(23);
  const commands: Command[] = [["SADD", "other", "a"]];
  const edges: string[] = [];
  for (const power of [0n, 1n, 7n, 8n, 31n, 32n, 47n, 48n, 51n, 52n, 53n, 62n, 63n]) {
    for (const near of [-1n, 0n, 1n]) edges.push(String((1n << power) + near), String(-(1n << power) + near));
  }
  const types = Array.from({ length: 66 }, (_, width) => [`i${width}`, `u${width}`]).flat();
  for (let i = 0; i < 6000; i++) {
    const operations: string[] = [];
    for (let n = random.between(1, 4); n > 0; n--) {
      const type = random.chance(0.02)
        ? random.pick(["x8", "", "i", "u", "i08", "I8", "i-1", "i1x"])
        : random.pick(types);
      const offset = random.pick([`${random.below(200)}`, `#${random.below(10)}`, random.chance(0.05) ? "-1" : "3"]);
      const amount = random.chance(0.02) ? random.pick(hostileIntegers) : random.pick(edges);
      if (random.chance(0.4)) operations.push("OVERFLOW", random.pick(["WRAP", "sat", "FAIL"]));
      operations.push(
        ...random.pick([["GET", type, offset], ["SET", type, offset, amount], ["INCRBY", type, offset, amount]]),
      );
    }
    const key = random.pick(["a", "b", "c"]);
    commands.push([random.chance(0.1) ? "BITFIELD_RO" : "BITFIELD", key, ...operations], ["GET", key]);
    if (i % 50 === 0) commands.push(["DEL", "a", "b", "c"], ["SET", "b", "123"]);
  }
  for (
    const offset of ["#2305843009213693952", "#9223372036854775807", "#1152921504606846977", "4294967295", "4294967296"]
  ) {
    for (const type of ["u8", "i16", "u1", "i63"]) commands.push(["BITFIELD", "a", "GET", type, offset]);
  }
  for (
    const wrong of [[], ["GET"], ["GET", "u8"], ["SET", "u8", "0"], ["OVERFLOW"], ["OVERFLOW", "x"], [
      "OVERFLOW",
      "SAT",
    ]]
  ) {
    for (const key of ["a", "other", "none"]) {
      commands.push(["BITFIELD", key, ...wrong], ["BITFIELD_RO", key, ...wrong]);
    }
  }
  commands.push(["BITFIELD", "other", "GET", "u8", "0"], ["BITFIELD", "other", "SET", "u8", "0", "1"]);
  commands.push(["BITFIELD_RO", "other", "SET", "u8", "0", "1"], ["EXISTS", "none"]);
  await assertSameAsRedis(commands, { seed: random.seed });
});
