/** Stream commands: what they cause besides their replies, against redis-server; payloads that cross between the two; trimming. */

import { assert, assertEquals } from "@std/assert";
import type { Command } from "../kit/client.ts";
import { assertSameAsRedis, assertSameReplies } from "../kit/differential.ts";
import { effectsHere, effectsOnRedis } from "../kit/effects.ts";
import { InProcess } from "../kit/inprocess.ts";
import { Seeded } from "../kit/seeded.ts";
import { hasRedis, startRedis, startRedstart } from "../kit/server.ts";
import { test } from "../kit/test.ts";

const MAX = "18446744073709551615";

function words(lines: string): Command[] {
  return lines.trim().split("\n").map((line) => line.trim().split(" "));
}

test("what stream commands propagate, and their events, are Redis's", async () => {
  if (!hasRedis()) return;
  const commands = words(`
    XADD s 1-1 a 1 b 2
    XADD s 1-* a 1 b 3
    XADD s NOMKSTREAM 2 a 1
    XADD none NOMKSTREAM 2 a 1
    XADD s 1-1 a 1
    XADD s MAXLEN 10 3-0 a 1
    XADD s MAXLEN = 2 4-0 a 1
    XADD s MAXLEN ~ 1 LIMIT 5 5-0 a 1
    XADD s MINID ~ 3 6-0 c 1
    XADD s MINID = 5 7-0 c 1
    XADD clock * a 1
    XADD clock2 MAXLEN ~ 10 * a 1
    XTRIM s MAXLEN ~ 1
    XTRIM s MAXLEN 2
    XTRIM s MINID 7
    XTRIM none MAXLEN 1
    CONFIG SET stream-node-max-entries 2
    XADD n 1 a 1
    XADD n 2 a 1
    XADD n 3 a 1
    XADD n 4 a 1
    XADD n 5 a 1
    XADD n MAXLEN ~ 2 6 a 1
    XADD n 7 a 1
    XTRIM n MINID ~ 6
    XTRIM n MINID ~ 7
    XTRIM n MAXLEN ~ 0 LIMIT 1
    XTRIM n MAXLEN ~ 0
    XDEL s 7-0 9-9
    XDEL s 7-0
    XSETID s 20-0 ENTRIESADDED 40 MAXDELETEDID 7-0
    XGROUP CREATE s g $
    XGROUP CREATE new g 0 MKSTREAM ENTRIESREAD 3
    XGROUP CREATE s g $
    XGROUP SETID s g 1-1 ENTRIESREAD 1
    XGROUP CREATECONSUMER s g alice
    XGROUP CREATECONSUMER s g alice
    XADD s 21 a 1
    XADD s 22 a 1
    XADD s 23 a 1
    XREADGROUP GROUP g alice COUNT 1 STREAMS s >
    XREADGROUP GROUP g bob STREAMS s >
    XREADGROUP GROUP g bob STREAMS s >
    XREADGROUP GROUP g alice STREAMS s 0
    XREADGROUP GROUP g dora STREAMS s 0
    XADD s 24 a 1
    XREADGROUP GROUP g carol NOACK STREAMS s >
    XREADGROUP GROUP g erin NOACK STREAMS s 0
    XACK s g 21 24
    XACK s g 21
    XCLAIM s g bob 0 22 23 JUSTID
    XCLAIM s g bob 100000 22 23
    XCLAIM s g frank 0 22-0 RETRYCOUNT 7 LASTID 30
    XCLAIM s g frank 0 99 LASTID 31
    XCLAIM s g frank 0 24 FORCE
    XDEL s 23 24
    XCLAIM s g frank 0 23
    XAUTOCLAIM s g grace 0 0
    XAUTOCLAIM s g grace 0 0 COUNT 1 JUSTID
    XPENDING s g
    XGROUP DELCONSUMER s g grace
    XGROUP DELCONSUMER s g nobody
    XGROUP DESTROY s g
    XGROUP DESTROY s g
    COPY s t
    DEL s t new n clock clock2
  `);
  assertEquals(effectsHere(commands), await effectsOnRedis(commands));
});

test("changes are counted as Redis does, and those of a group do not count as changes of the key", async () => {
  if (!hasRedis()) return;
  await using redis = await startRedis();
  await using redstart = await startRedstart();
  const scenes = words(`
    XADD s 1 a 1
    XADD s MAXLEN 1 2 a 1
    XTRIM s MAXLEN 0
    XADD s 3 a 1
    XDEL s 3
    XSETID s 9
    XADD s 10 a 1
    XADD s 11 a 1
    XGROUP CREATE s g 0
    XGROUP CREATE m g 0 MKSTREAM
    XGROUP SETID s g 0
    XGROUP CREATECONSUMER s g x
    XREADGROUP GROUP g y COUNT 1 STREAMS s >
    XREADGROUP GROUP g y STREAMS s 0
    XREADGROUP GROUP g z NOACK STREAMS s >
    XACK s g 10
    XCLAIM s g x 0 10 FORCE
    XAUTOCLAIM s g y 0 0
    XGROUP DELCONSUMER s g y
    XGROUP DESTROY s g
  `);
  const seen: string[][] = [];
  for (const server of [redis, redstart]) {
    const [watcher, writer] = [await server.connect(), await server.connect()];
    const changes = async (): Promise<number> =>
      Number(/rdb_changes_since_last_save:(\d+)/.exec(String(await writer.call("INFO", "persistence")))![1]);
    const lines: string[] = [];
    for (const command of scenes) {
      await watcher.ok("WATCH", "s");
      const before = await changes();
      await writer.ok(...command);
      await watcher.ok("MULTI");
      const executed = await watcher.ok("EXEC") !== null;
      lines.push(`${command.join(" ")}: ${await changes() - before}${executed ? "" : ", watched"}`);
    }
    seen.push(lines);
  }
  assertEquals(seen[1], seen[0]);
});

/** Commands that fill the key `s`. */
function randomStream(random: Seeded, entries: number, groups: boolean): Command[] {
  const commands: Command[] = [["DEL", "s"]];
  let ms = random.pick([1n, 1_700_000_000_000n, (1n << 53n) - 5n, (1n << 63n) - 3n, (1n << 64n) - 1000n]);
  const ids: string[] = [];
  if (groups) commands.push(["XGROUP", "CREATE", "s", "g1", "0", "MKSTREAM"], ["XGROUP", "CREATE", "s", "\xff", "$"]);
  for (let i = 0; i < entries; i++) {
    if (random.chance(0.7)) ms += BigInt(random.between(1, 5));
    const id = `${ms}-${random.chance(0.1) ? (1n << 63n) + BigInt(i) : i}`;
    ids.push(id);
    const fields = random.chance(0.6) ? ["field", "other"] : [random.word(4, "abc"), "x"];
    commands.push([
      "XADD",
      "s",
      id,
      fields[0],
      random.binary(random.below(40)),
      fields[1],
      random.between(-300, 70000),
    ]);
    if (random.chance(0.1)) commands.push(["XDEL", "s", random.pick(ids)]);
    if (random.chance(0.01)) commands.push(["XTRIM", "s", "MAXLEN", random.pick(["~", "="]), random.below(entries)]);
    if (groups && random.chance(0.2)) {
      const consumer = `c${random.below(3)}`;
      commands.push(["XREADGROUP", "GROUP", "g1", consumer, "COUNT", random.between(1, 5), "STREAMS", "s", ">"]);
      if (random.chance(0.5)) commands.push(["XACK", "s", "g1", random.pick(ids), random.pick(ids)]);
    }
  }
  return commands;
}

test("streams are dumped byte for byte as Redis does, and payloads with groups restore on the other side", async () => {
  if (!hasRedis()) return;
  await using redis = await startRedis();
  await using redstart = await startRedstart();
  const [a, b] = [await redis.connect(), await redstart.connect()];
  for (const client of [a, b]) await client.ok("CONFIG", "SET", "rdbcompression", "no");
  for (let seed = 1; seed <= 24; seed++) {
    const random = new Seeded(seed);
    const limits: Command[] = [
      ["CONFIG", "SET", "stream-node-max-entries", random.pick([0, 1, 3, 100])],
      ["CONFIG", "SET", "stream-node-max-bytes", random.pick([0, 100, 4096])],
    ];
    const commands = [...limits, ...randomStream(random, random.between(1, 400), false)];
    await assertSameReplies(a, b, [...commands, ["DUMP", "s"], ["DEBUG", "DIGEST-VALUE", "s"]], { seed });
    await assertSameReplies(a, b, randomStream(random, 120, true), { seed });
    const reads: Command[] = [
      ["XINFO", "STREAM", "r", "FULL", "COUNT", 0],
      ["DEBUG", "DIGEST-VALUE", "r"],
      ["XREVRANGE", "r", "+", "-"],
      ["DUMP", "r"],
    ];
    for (const from of [a, b]) {
      const payload = await from.ok("DUMP", "s") as string;
      for (const to of [a, b]) assertEquals(await to.ok("RESTORE", "r", 0, payload, "REPLACE"), { status: "OK" });
      await assertSameReplies(a, b, reads, { seed });
    }
  }
});

test("damaged payloads of streams are refused or restored to something sound", () => {
  const server = new InProcess();
  for (const command of randomStream(new Seeded(3), 60, true)) server.run(...command);
  const reply = server.run("DUMP", "s");
  const payload = Uint8Array.from(reply.slice(reply.indexOf("\n") + 1, -2), (c) => c.charCodeAt(0));
  server.run("DEBUG", "SET-SKIP-CHECKSUM-VALIDATION", "1");
  const random = new Seeded(4);
  let refused = 0;
  for (let i = 0; i < 3000; i++) {
    const damaged = payload.slice();
    for (let changes = random.between(1, 3); changes > 0; changes--) {
      damaged[random.below(damaged.length - 10)] = random.below(256);
    }
    if (server.run("RESTORE", "r", 0, damaged, "REPLACE").startsWith("-")) {
      refused++;
      continue;
    }
    for (
      const command of words(
        "XINFO STREAM r FULL\nXREVRANGE r + -\nXRANGE r - +\nXAUTOCLAIM r g1 c 0 0\nXTRIM r MAXLEN 3",
      )
    ) {
      assert(!server.run(...command).includes("internal error"), command.join(" "));
    }
  }
  assert(refused > 1000);
});

test("a payload of before 7.0 is read with the counters that follow from it", async () => {
  if (!hasRedis()) return;
  await using redis = await startRedis();
  await using redstart = await startRedstart();
  const [a, b] = [await redis.connect(), await redstart.connect()];
  for (const client of [a, b]) {
    await client.ok("CONFIG", "SET", "rdbcompression", "no");
    await client.ok("DEBUG", "SET-SKIP-CHECKSUM-VALIDATION", 1);
  }
  for (const id of ["1-1", "2-2", "3-3"]) await a.ok("XADD", "s", id, "f", "v");
  await a.ok("XDEL", "s", "1-1");
  const dump = await a.ok("DUMP", "s") as string;
  // Of what follows the blocks (length, last, first and deleted ID, entries added, groups) only the first two stay.
  const blocks = dump.slice(1, dump.length - 10 - 9);
  const groups = "\x02\x02g1\x02\x02\0\0\x02g2\x03\x03\0\0";
  const old = `\x0f${blocks}\x02\x03\x03${groups}\x09\0${"\0".repeat(8)}`;
  await assertSameReplies(a, b, [["RESTORE", "old", 0, old], ["XINFO", "STREAM", "old", "FULL"]]);
  assertEquals(await b.ok("XLEN", "old"), 2);
});

test("IDs at the ends of their range, partial ones and invalid ones", async () => {
  const ids = [
    "-",
    "+",
    "0",
    "0-0",
    "1",
    "1-",
    "-1",
    "1-2-3",
    "+1",
    " 1",
    "1- 2",
    "1- -2",
    "01-02",
    "1-*",
    "$",
    ">",
    "",
  ];
  ids.push(
    MAX,
    `${MAX}-${MAX}`,
    `0-${MAX}`,
    `${MAX}0`,
    "1\0-5",
    "1-5\0x",
    "9007199254740993-9007199254740993",
    "x".repeat(200),
  );
  ids.push(
    "9".repeat(127),
    `${"0".repeat(126)}1`,
    `${"0".repeat(127)}1`,
    "(1",
    "((1",
    "(",
    "(-",
    "(+",
    "(0-0",
    `(${MAX}-${MAX}`,
  );
  const commands: Command[] = [];
  for (const id of ids) {
    commands.push(["DEL", "s"], ["XADD", "s", id, "f", "v"], ["XADD", "s", "5-5", "f", "v"], [
      "XADD",
      "s",
      id,
      "f",
      "v",
    ]);
    commands.push(["XRANGE", "s", id, "+"], ["XRANGE", "s", "-", id], ["XREVRANGE", "s", id, "-"], [
      "XREVRANGE",
      "s",
      "+",
      id,
    ]);
    commands.push(["XDEL", "s", id], ["XTRIM", "s", "MINID", id], ["XSETID", "s", id], ["XINFO", "STREAM", "s"]);
    commands.push(["XGROUP", "CREATE", "s", id, id, "MKSTREAM"], ["XGROUP", "SETID", "s", id, id], [
      "XINFO",
      "GROUPS",
      "s",
    ]);
    commands.push(["XREAD", "STREAMS", "s", id], ["XREADGROUP", "GROUP", id, "c", "STREAMS", "s", id]);
    commands.push(["XCLAIM", "s", id, "c", 0, id], ["XAUTOCLAIM", "s", id, "c", 0, id], [
      "XPENDING",
      "s",
      id,
      id,
      id,
      10,
    ]);
    commands.push(["XACK", "s", id, id], ["XADD", "s", `${MAX}-*`, "f", "v"], ["XADD", "s", `${MAX}-${MAX}`, "f", "v"]);
    commands.push(["XADD", "s", "*", "f", "v"], ["XADD", "s", `${MAX}-*`, "f", "v"]);
  }
  // `*` alone is the clock's.
  await assertSameAsRedis(commands);
});

test("approximate trimming removes the same whole blocks as Redis", async () => {
  const commands: Command[] = [];
  const random = new Seeded(9);
  for (const [entries, bytes] of [[0, 4096], [1, 0], [7, 4096], [100, 200], [100, 4096], [0, 0]]) {
    commands.push(["CONFIG", "SET", "stream-node-max-entries", entries], [
      "CONFIG",
      "SET",
      "stream-node-max-bytes",
      bytes,
    ]);
    commands.push(["DEL", "s"]);
    for (let i = 1; i <= 600; i++) {
      commands.push([
        "XADD",
        "s",
        `${i}-1`,
        "f",
        "x".repeat(random.below(30)),
        ...(random.chance(0.05) ? ["g", "y"] : []),
      ]);
      if (random.chance(0.1)) commands.push(["XDEL", "s", `${random.between(1, i)}-1`]);
      if (random.chance(0.03)) commands.push(["XTRIM", "s", "MAXLEN", "~", random.below(i)], ["XLEN", "s"]);
      if (random.chance(0.03)) commands.push(["XTRIM", "s", "MINID", "~", random.below(i), "LIMIT", random.below(150)]);
      if (random.chance(0.02)) commands.push(["XTRIM", "s", random.pick(["MAXLEN", "MINID"]), random.below(i)]);
      if (random.chance(0.02)) commands.push(["XADD", "s", "MAXLEN", "~", random.below(i), `${i}-2`, "f", "v"]);
      if (random.chance(0.05)) commands.push(["XINFO", "STREAM", "s"]);
    }
    commands.push(["XINFO", "STREAM", "s", "FULL", "COUNT", 0]);
  }
  await assertSameAsRedis(commands);
});
