/** List commands: against redis-server, down to the nodes in DUMP payloads, and what they cause besides their reply. */

import { assertEquals } from "@std/assert";
import { fromLatin1 } from "../../lib/bytes/ascii.ts";
import { Crc64 } from "../../lib/bytes/crc64.ts";
import type { Argument, Command } from "../kit/client.ts";
import { assertSameAsRedis, assertSameReplies } from "../kit/differential.ts";
import { effectsHere, effectsOnRedis } from "../kit/effects.ts";
import { InProcess } from "../kit/inprocess.ts";
import { Seeded } from "../kit/seeded.ts";
import { hasRedis, startRedis, startRedstart } from "../kit/server.ts";
import { test } from "../kit/test.ts";

const INTEGERS = ["0", "1", "-1", "2", "-3", "99", "9223372036854775807", "-9223372036854775808", "x", "1.0", ""];

/** Every command with arguments of all kinds, on a list, on a key that is none, and on a string. */
function everyForm(): Command[] {
  const commands: Command[] = [["SET", "string", "x"]];
  for (const key of ["l", "none", "string"]) {
    const fill: Command[] = [["DEL", "l"], ["RPUSH", "l", "a", "b", "1", "a", "-0", "007", "", "a"]];
    commands.push(...fill);
    for (const i of INTEGERS) {
      commands.push(["LINDEX", key, i], ["LSET", key, i, "new"], ["LREM", key, i, "a"], ...fill);
      commands.push(["LPOP", key, i], ["RPOP", key, i], ...fill);
      for (const j of INTEGERS) commands.push(["LRANGE", key, i, j], ["LTRIM", key, i, j], ...fill);
      for (const word of ["RANK", "COUNT", "MAXLEN", "rank", "NOPE"]) {
        commands.push(["LPOS", key, "a", word, i], ["LPOS", key, "a", "COUNT", "0", word, i]);
        commands.push(["LPOS", key, "a", "RANK", "-2", word, i], ["LPOS", key, "a", word]);
      }
      for (const end of ["LEFT", "right", "UP"]) {
        commands.push(["LMPOP", i, key, end], ["LMPOP", "1", key, end, "COUNT", i], ...fill);
        commands.push(["LMPOP", "2", "none", key, end, "count", "2"], ["LMPOP", "1", key, end, "COUNT"], ...fill);
      }
    }
    for (const where of ["BEFORE", "after", "beside"]) {
      commands.push(["LINSERT", key, where, "1", "x"], ["LINSERT", key, where, "zz", "x"]);
      commands.push(["LINSERT", key, where, "", "y"], ["LINSERT", key, where, "a", "9"], ["LRANGE", key, "0", "-1"]);
    }
    for (const to of ["l", "m", "string", "none2"]) {
      commands.push(["RPOPLPUSH", key, to], ["LMOVE", key, to, "left", "RIGHT"], ["LMOVE", key, to, "right", "right"]);
      commands.push(["LMOVE", key, to, "up", "left"], ["LMOVE", key, to, "left", "x"], ["LRANGE", to, "0", "-1"]);
    }
    commands.push(
      ["LLEN", key],
      ["LPUSH", key],
      ["LPUSHX", key, "x", "y"],
      ["RPUSHX", key, "x", "y"],
      ["RPUSHX", key],
      ["LPUSH", key, "x"],
      ["LPOP", key, "1", "2"],
      ["RPOP", key, "1", "2"],
      ["LPOP", key],
      ["RPOP", key],
      ["LMPOP", "1", key, "LEFT", "COUNT", "1", "COUNT", "2"],
      ["LMPOP", "2", key, "LEFT"],
      ["LMPOP", "1", key],
      ["OBJECT", "ENCODING", key],
      ["DEL", "none", "none2", "m"],
    );
  }
  return commands;
}

test("list commands reply as Redis does, limits and errors included", async () => {
  await assertSameAsRedis(everyForm(), { batch: 200, protocols: ["2", "3"] });
});

function drawChange(random: Seeded): Command {
  const key = `l${random.below(3)}`;
  const element = (): Argument =>
    random.chance(0.1)
      ? random.word(random.between(0, 3000), "ab")
      : random.chance(0.5)
      ? random.below(50)
      : random.word(4);
  const end = (): string => random.pick(["LEFT", "RIGHT"]);
  const index = (): number => random.between(-60, 60);
  switch (random.below(12)) {
    case 0:
    case 1:
    case 2:
      return [random.pick(["LPUSH", "RPUSH"]), key, ...Array.from({ length: random.between(1, 20) }, element)];
    case 3:
      return [random.pick(["LPOP", "RPOP"]), key, random.below(8)];
    case 4:
      return ["LSET", key, index(), element()];
    case 5:
    case 6:
      return ["LINSERT", key, random.pick(["BEFORE", "AFTER"]), random.below(50), element()];
    case 7:
      return ["LREM", key, random.between(-2, 2), random.below(50)];
    case 8:
      return random.chance(0.2) ? ["LTRIM", key, random.below(20), random.between(-20, -1)] : ["LINDEX", key, index()];
    case 9:
      return ["LMOVE", key, `l${random.below(3)}`, end(), end()];
    case 10:
      return random.chance(0.2) ? ["COPY", key, `l${random.below(3)}`, "REPLACE"] : ["LRANGE", key, index(), index()];
    default:
      return ["DUMP", key];
  }
}

test("the nodes of a list are those of Redis", async () => {
  if (!hasRedis()) return;
  const random = new Seeded(77);
  await using redis = await startRedis();
  await using redstart = await startRedstart();
  const [a, b] = [await redis.connect(), await redstart.connect()];
  for (const fill of [-2, -1, -5, 0, 1, 2, 5, 40, 1000]) {
    for (const [depth, threshold] of [[0, 0], [1, 0], [3, 20], [0, 3]]) {
      const commands: Command[] = [
        ["FLUSHALL"],
        ["CONFIG", "SET", "list-max-listpack-size", fill, "list-compress-depth", depth],
        ["DEBUG", "QUICKLIST-PACKED-THRESHOLD", `${threshold}b`],
      ];
      for (let i = 0; i < 400; i++) commands.push(drawChange(random));
      for (let i = 0; i < 3; i++) commands.push(["DUMP", `l${i}`], ["LRANGE", `l${i}`, 0, -1], ["DEL", `l${i}`]);
      await assertSameReplies(a, b, commands, { seed: fill });
    }
  }
});

test("lists move between the servers by DUMP and RESTORE, from old versions too", async () => {
  if (!hasRedis()) return;
  await using redis = await startRedis();
  await using redstart = await startRedstart();
  const [a, b] = [await redis.connect(), await redstart.connect()];
  const large = Array.from({ length: 3000 }, (_, i) => `${i % 7 === 0 ? "element number " : ""}${i}`);
  for (const elements of [["one"], ["1", "-70000", "x".repeat(500)], large, ["y".repeat(100_000), "z"]]) {
    for (const [from, to] of [[a, b], [b, a]]) {
      await Promise.all([from.call("DEL", "l"), to.call("DEL", "l", "copy")]);
      await from.call("RPUSH", "l", ...elements);
      const payload = await from.call("DUMP", "l") as string;
      assertEquals(await to.call("RESTORE", "copy", 0, payload), { status: "OK" });
      assertEquals(await to.call("LRANGE", "copy", 0, -1), elements);
      assertEquals(await to.call("DUMP", "copy"), payload);
    }
  }
  // As Redis 2.4, 2.6 and 3.2 wrote them: elements, a ziplist, a chain of ziplists.
  const ziplist = "\x1b\x00\x00\x00\x16\x00\x00\x00\x05\x00\x00\x01a\x03\xf2\x02\xfe\x90\x03\xc0\x00\x01\x04\x02hi\xff";
  const versions = [
    "\x01\x03\x01a\xc0\x07\x02hi",
    `\x0a\x1b${ziplist}`,
    `\x0e\x02\x1b${ziplist}\x1b${ziplist}`,
  ];
  const commands: Command[] = versions.flatMap((version): Command[] => [
    ["RESTORE", "l", 0, payloadOf(`${version}\x06\x00`), "REPLACE"],
    ["LRANGE", "l", 0, -1],
    ["DUMP", "l"],
  ]);
  await assertSameReplies(a, b, commands);
  assertEquals(await b.call("LRANGE", "l", 0, -1), ["a", "1", "-112", "256", "hi", "a", "1", "-112", "256", "hi"]);
});

/** With its checksum. */
function payloadOf(body: string): Uint8Array {
  const payload = new Uint8Array(body.length + 8);
  payload.set(fromLatin1(body));
  const checksum = new Crc64();
  checksum.update(payload, 0, body.length);
  new DataView(payload.buffer).setBigUint64(body.length, checksum.value(), true);
  return payload;
}

const EFFECTS: Command[] = [
  ["RPUSH", "l", "a", "b", "c", "b"],
  ["LPUSHX", "none", "x"],
  ["LPUSHX", "l", "x", "y"],
  ["LINSERT", "l", "BEFORE", "zz", "1"],
  ["LINSERT", "l", "AFTER", "a", "1"],
  ["LSET", "l", "0", "z"],
  ["LSET", "l", "99", "z"],
  ["LREM", "l", "0", "none"],
  ["LREM", "l", "-1", "b"],
  ["LTRIM", "l", "0", "-1"],
  ["LTRIM", "l", "1", "-2"],
  ["LPOP", "l", "0"],
  ["LPOP", "l"],
  ["RPOP", "none"],
  ["RPUSH", "l", "1", "2", "3", "4", "5", "6", "7", "8"],
  ["RPOP", "l", "2"],
  ["LMPOP", "2", "none", "l", "RIGHT", "COUNT", "2"],
  ["LMPOP", "1", "none", "LEFT"],
  ["BLPOP", "none", "l", "0"],
  ["BRPOP", "l", "1"],
  ["BLMPOP", "0", "1", "l", "LEFT"],
  ["RPOPLPUSH", "l", "m"],
  ["LMOVE", "l", "l", "LEFT", "RIGHT"],
  ["BLMOVE", "l", "m", "LEFT", "RIGHT", "0"],
  ["BRPOPLPUSH", "l", "m", "0"],
  ["LMOVE", "none", "m", "LEFT", "RIGHT"],
  ["LMPOP", "1", "m", "LEFT", "COUNT", "100"],
  ["RPUSH", "m", "x"],
  ["BRPOPLPUSH", "m", "n", "0"],
  ["LTRIM", "n", "5", "1"],
  ["RPUSH", "m", "x"],
  ["LREM", "m", "1", "x"],
  ["SORT", "l", "ALPHA", "STORE", "sorted"],
  ["SORT", "none", "STORE", "sorted"],
  ["SORT", "none", "STORE", "sorted"],
];

test("events and propagation of list commands", async () => {
  if (!hasRedis()) return;
  assertEquals(effectsHere(EFFECTS), await effectsOnRedis(EFFECTS));
});

test("list commands count their changes", () => {
  const server = new InProcess();
  const changes = (...command: string[]): number => {
    const { dirty } = server.engine.keyspace;
    server.run(...command);
    return server.engine.keyspace.dirty - dirty;
  };
  assertEquals(changes("RPUSH", "l", "a", "b", "a", "c"), 4);
  assertEquals(changes("LREM", "l", "0", "a"), 2);
  assertEquals(changes("LTRIM", "l", "0", "-1"), 0);
  assertEquals(changes("LTRIM", "l", "1", "-1"), 1);
  assertEquals(changes("LMOVE", "l", "m", "LEFT", "LEFT"), 1);
  assertEquals(changes("RPUSH", "m", "1", "2", "3"), 3);
  assertEquals(changes("LPOP", "m", "2"), 2);
  assertEquals(changes("LINSERT", "m", "AFTER", "3", "4"), 1);
  assertEquals(changes("SORT", "m", "STORE", "n"), 3);
  assertEquals(changes("LMPOP", "1", "n", "LEFT", "COUNT", "9"), 3);
});
