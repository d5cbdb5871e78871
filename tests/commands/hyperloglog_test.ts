/**
 * HyperLogLogs: every byte against redis-server's, through both encodings and the way between them, and with strings that only look
 * like one.
 */

import { assert, assertEquals } from "@std/assert";
import { murmurHash, murmurHigh, murmurLow } from "../../lib/bytes/murmur.ts";
import { HeapBlob } from "../../lib/store/types/blob.ts";
import * as hyperloglog from "../../lib/store/types/hyperloglog.ts";
import type { Command } from "../kit/client.ts";
import { assertSameAsRedis } from "../kit/differential.ts";
import { effectsHere, effectsOnRedis } from "../kit/effects.ts";
import { Seeded } from "../kit/seeded.ts";
import { hasRedis, startRedstart } from "../kit/server.ts";
import { test } from "../kit/test.ts";

test("MurmurHash64A of every length up to 40, against the definition in whole numbers of 64 bits", () => {
  const m = 0xc6a4a7935bd1e995n;
  const wrap = (n: bigint) => BigInt.asUintN(64, n);
  const random = new Seeded(31);
  for (let length = 0; length <= 40; length++) {
    for (let round = 0; round < 50; round++) {
      const bytes = Uint8Array.from({ length: length + 3 }, () => random.below(256)).subarray(3);
      let h = 0xadc83b19n ^ wrap(BigInt(length) * m);
      const word = (at: number, size: number): bigint => {
        let value = 0n;
        for (let i = size - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[at + i]);
        return value;
      };
      let at = 0;
      for (; at + 8 <= length; at += 8) {
        let k = wrap(word(at, 8) * m);
        k ^= k >> 47n;
        h = wrap((h ^ wrap(k * m)) * m);
      }
      if (at < length) h = wrap((h ^ word(at, length - at)) * m);
      h = wrap((h ^ (h >> 47n)) * m);
      h ^= h >> 47n;
      murmurHash(bytes, 0, length);
      assertEquals((BigInt(murmurHigh >>> 0) << 32n) | BigInt(murmurLow >>> 0), h, `length ${length}`);
    }
  }
});

test("dense registers keep their values beside each other", () => {
  const random = new Seeded(32);
  const registers = new Uint8Array(hyperloglog.DENSE_SIZE - hyperloglog.HEADER);
  const expected = new Uint8Array(hyperloglog.REGISTERS);
  for (let i = 0; i < 60_000; i++) {
    const register = random.chance(0.1) ? hyperloglog.REGISTERS - 1 - random.below(4) : random.below(expected.length);
    expected[register] = random.below(64);
    hyperloglog.writeRegister(registers, 0, register, expected[register]);
  }
  for (let i = 0; i < expected.length; i++) assertEquals(hyperloglog.readRegister(registers, 0, i), expected[i]);
});

test("the estimate is within a few standard errors of the truth", () => {
  const blob = new HeapBlob(hyperloglog.EMPTY_SIZE);
  blob.len = hyperloglog.EMPTY_SIZE;
  hyperloglog.writeEmpty(blob.buf, 0);
  const element = new Uint8Array(4);
  for (let added = 1; added <= 100_000; added++) {
    new DataView(element.buffer).setUint32(0, added, true);
    hyperloglog.add(blob, element, 0, 4, 3000);
    if (added === 1000) assertEquals(hyperloglog.encodingOf(blob), hyperloglog.SPARSE);
    if (Math.log10(added) % 1 !== 0) continue;
    const error = Math.abs(Number(hyperloglog.count(blob)) - added);
    assert(error <= Math.ceil(added * 0.03), `${error} too many or too few of ${added}`);
  }
  assertEquals(hyperloglog.encodingOf(blob), hyperloglog.DENSE);
  assertEquals(blob.len, hyperloglog.DENSE_SIZE);
});

test("growing from sparse to dense and merging", async () => {
  const random = new Seeded(33);
  const commands: Command[] = [];
  const keys = ["a", "b", "c", "d", "none"];
  for (const limit of [3000, 0, 100, 16000]) {
    commands.push(["FLUSHALL"], ["CONFIG", "SET", "hll-sparse-max-bytes", limit]);
    for (let i = 0; i < 400; i++) {
      const key = random.pick(keys.slice(0, 4));
      const elements = Array.from({ length: random.below(random.pick([2, 5, 40])) }, () => random.below(100_000));
      commands.push(["PFADD", key, ...elements], ["GET", key]);
      if (i % 3 === 0) commands.push(["PFCOUNT", key], ["GET", key]);
      if (i % 7 === 0) commands.push(["PFDEBUG", "DECODE", key], ["PFDEBUG", "encoding", key], ["STRLEN", key]);
      if (i % 11 === 0) {
        commands.push(["PFCOUNT", ...random.shuffle([...keys]).slice(0, 3)], ["OBJECT", "ENCODING", key]);
      }
      if (i % 31 === 0) {
        const target = random.pick(["a", "m"]);
        commands.push(["PFMERGE", target, ...random.shuffle([...keys]).slice(0, 2)], ["GET", target], [
          "PFCOUNT",
          target,
        ]);
        if (i % 2 === 0) commands.push(["PFDEBUG", "GETREG", target], ["DEL", "m"]);
      }
    }
    commands.push(["PFDEBUG", "TODENSE", "b"], ["PFDEBUG", "TODENSE", "b"], ["GET", "b"], ["PFCOUNT", "b"]);
  }
  await assertSameAsRedis(commands, { seed: random.seed });
});

test("strings that are no HyperLogLog, or a damaged one", async () => {
  const random = new Seeded(34);
  const head = (encoding: number, count = "\0\0\0\0\0\0\0\x80") => `HYLL${String.fromCharCode(encoding)}\0\0\0${count}`;
  const strings = [
    "",
    "12345",
    "HYLL",
    "HYLX" + "\0".repeat(12),
    head(1),
    head(1, "\x05\0\0\0\0\0\0\0"),
    head(0),
    head(2),
    head(1) + "\x7f\xff",
    head(1) + "\x7f\xff\x84",
    head(1) + "\x7f\xfe\x84",
    head(1) + "\x7f\xfd\x84",
    head(1) + "\x7f\xff\x7f\xff",
    head(1) + "\x3f\x80\x81\x82\x83",
    head(1) + "\x7f\xf0\xbf\x0b",
    head(0) + "\0".repeat(12288),
    head(0) + "\0".repeat(12287),
    head(0) + "\0".repeat(12289),
    head(0) + "\xff".repeat(12288),
    head(0) + "\xb2\x2c\xcb".repeat(4096),
    head(0) + "\xf3\x3c\xcf".repeat(4096),
    head(0) + random.binary(12288),
  ];
  for (let i = 0; i < 60; i++) strings.push(head(1) + random.binary(random.between(1, 300)));
  const commands: Command[] = [["SADD", "set", "a"], ["PFADD", "good", "a", "b", "c"]];
  const names = ["PFADD", "PFCOUNT", "PFMERGE"];
  for (const text of strings) {
    // A string with fewer bytes than its last run needs is read beyond its end by Redis.
    if (endsWithHalfARun(text)) continue;
    commands.push(["SET", "k", text], ["OBJECT", "ENCODING", "k"]);
    for (const name of names) commands.push([name, "k"], ["GET", "k"], ["OBJECT", "ENCODING", "k"]);
    commands.push(["SET", "k", text], ["PFCOUNT", "k", "good"], ["PFMERGE", "dest", "k", "good"], ["EXISTS", "dest"]);
    commands.push(["PFADD", "k", "x", "y", "z", "1", "2", "3"], ["GET", "k"], ["PFCOUNT", "k"]);
    for (const sub of ["ENCODING", "DECODE", "GETREG", "TODENSE", "nope"]) {
      commands.push(["SET", "k", text], ["PFDEBUG", sub, "k"], ["GET", "k"], ["DEL", "dest"]);
    }
  }
  for (const name of [...names, "PFDEBUG", "PFSELFTEST"]) {
    commands.push([name], [name, "set"], [name, "good", "set"], [name, "none"], [name, "ENCODING", "none"]);
    commands.push([name, "a", "b", "c"], [name, "x\0y\r\n", "good"]);
  }
  await assertSameAsRedis(commands, { seed: random.seed });
});

function endsWithHalfARun(text: string): boolean {
  let at = 16;
  while (at < text.length) at += (text.charCodeAt(at) & 0xc0) === 0x40 ? 2 : 1;
  return at > Math.max(text.length, 16);
}

test("what is propagated, published and counted as a change", async () => {
  if (!hasRedis()) return;
  const commands: Command[] = [
    ["PFADD", "a"],
    ["PFADD", "a"],
    ["PFADD", "a", "1", "2", "3", "1"],
    ["PFADD", "a", "1", "2"],
    ["PFCOUNT", "a"],
    ["PFCOUNT", "a"],
    ["PFCOUNT", "a", "none"],
    ["PFCOUNT", "none"],
    ["PFADD", "b", "4"],
    ["PFMERGE", "a"],
    ["PFMERGE", "new", "a", "b"],
    ["PFMERGE", "empty", "none"],
    ["PFDEBUG", "DECODE", "a"],
    ["PFDEBUG", "TODENSE", "a"],
    ["PFDEBUG", "TODENSE", "a"],
    ["PFDEBUG", "GETREG", "b"],
    ["PFMERGE", "new", "a"],
    ["SET", "text", "no HyperLogLog"],
    ["PFADD", "text", "1"],
    ["PFMERGE", "a", "text"],
    ["SET", "damaged", "HYLL\x01\0\0\0\0\0\0\0\0\0\0\x80\x10"],
    ["PFADD", "damaged", ...Array.from({ length: 50 }, (_, i) => String(i))],
    ["PFCOUNT", "damaged"],
  ];
  assertEquals(effectsHere(commands), await effectsOnRedis(commands));
});

test("PFSELFTEST finds nothing", async () => {
  await using redstart = await startRedstart();
  const client = await redstart.connect();
  assertEquals(await client.call("PFSELFTEST"), { status: "OK" });
});
