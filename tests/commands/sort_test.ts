/** SORT against redis-server: options in all combinations, weights and fetched values in keys and hashes, odd patterns. */

import type { Argument, Command } from "../kit/client.ts";
import { assertSameReplies } from "../kit/differential.ts";
import { Seeded } from "../kit/seeded.ts";
import { hasRedis, startRedis, startRedstart } from "../kit/server.ts";
import { test } from "../kit/test.ts";

const PATTERNS = [
  "w_*",
  "h_*->f",
  "nosort",
  "*",
  "#",
  "h_*->",
  "h_*->none",
  "->f",
  "h_*->f->f",
  "w_*_*",
  "none_*",
  "text_*",
  "h_->*",
  "w_*\x00x",
  "",
];

/** Elements, and weights that differ for all of them: what has equal weights may come in any order. */
function setUp(random: Seeded, count: number): Command[] {
  const commands: Command[] = [];
  const numbers = random.shuffle(Array.from({ length: count }, (_, i) => i));
  for (const [i, n] of numbers.entries()) {
    commands.push(
      [random.pick(["LPUSH", "RPUSH"]), "list", n],
      ["SADD", "set", n],
      ["ZADD", "zset", count - n, n],
      ["SET", `w_${n}`, i * 1.5 - 20],
      ["SET", `text_${n}`, `${random.word(3)}${i}`],
      ["HSET", `h_${n}`, "f", -i, "g", "x"],
    );
  }
  commands.push(["RPUSH", "mixed", "1", "-3", "2.5", " 7", "1e3", "0x10", "inf", "-inf", ""]);
  commands.push(["RPUSH", "words", "b", "a\x00b", "a\x00a", "B", "\xff", "a", "10", "9"]);
  commands.push(["RPUSH", "huge", "1e400"], ["RPUSH", "tiny", "1e-400"], ["RPUSH", "nan", "nan"], [
    "SET",
    "string",
    "x",
  ]);
  return commands;
}

function drawSort(random: Seeded): Command {
  const words: Argument[] = [random.pick(["SORT", "SORT", "SORT_RO"])];
  const key = random.pick(["list", "list", "set", "zset", "mixed", "words", "nan", "none", "string"]);
  words.push(key);
  const by = random.pick(PATTERNS);
  if (random.chance(0.6)) words.push(random.pick(["BY", "by"]), by);
  if (random.chance(0.4)) words.push("LIMIT", random.between(-2, 60), random.between(-2, 60));
  const fetched = random.chance(0.4) ? random.between(1, 3) : 0;
  for (let i = 0; i < fetched; i++) words.push("GET", random.pick(PATTERNS));
  if (random.chance(0.4)) words.push(random.pick(["ASC", "DESC", "desc"]));
  if (random.chance(0.5)) words.push("ALPHA");
  if (random.chance(0.3)) words.push("STORE", "sorted");
  if (random.chance(0.05)) words.push(random.pick(["LIMIT", "GET", "NOPE", "BY"]));
  return words;
}

/** Where Redis leaves the order open: weights that are missing or equal, and sets that are not sorted. */
function hasOpenOrder(command: Command): boolean {
  const words = command.map(String);
  const by = words.findLastIndex((word) => word.toUpperCase() === "BY");
  if (by < 0) return false;
  const pattern = words[by + 1] ?? "";
  if (words.includes("ALPHA") && pattern.includes("*")) {
    return !["list", "set", "zset"].includes(words[1]) || !["w_*", "h_*->f", "text_*"].includes(pattern);
  }
  return words[1] === "set" && !pattern.includes("*");
}

test("SORT replies as Redis does", async () => {
  if (!hasRedis()) return;
  const random = new Seeded(4711);
  // The order of texts is that of the locale.
  await using redis = await startRedis({ env: { LC_ALL: "C" } });
  await using redstart = await startRedstart();
  const commands = setUp(random, 40);
  for (let i = 0; i < 6000; i++) {
    const command = drawSort(random);
    const stores = command.includes("STORE");
    if (hasOpenOrder(command)) continue;
    commands.push(command);
    if (stores) commands.push(["LRANGE", "sorted", 0, -1], ["TYPE", "sorted"]);
  }
  commands.push(
    ["SET", "sorted", "x", "EX", 1000],
    ["SORT", "list", "STORE", "sorted"],
    ["TTL", "sorted"],
    ["SORT", "list", "STORE", "list", "DESC"],
    ["LRANGE", "list", 0, -1],
    ["SORT", "none", "STORE", "list"],
    ["EXISTS", "list"],
    ["SORT"],
    ["SORT", "list", "LIMIT", "x", "1"],
    ["SORT", "list", "LIMIT", "1"],
    ["SORT_RO", "list", "STORE", "x"],
    ["SORT", "set", "BY", "nosort", "GET", "#", "STORE", "sorted"],
    ["LRANGE", "sorted", 0, -1],
    ["ZADD", "z", 2, "1", 1, "2"],
    ["OBJECT", "ENCODING", "z"],
    ["SORT_RO", "z", "BY", "nosort"],
    ["OBJECT", "ENCODING", "z"],
    ["ZADD", "z", "-0", "3"],
    ["ZRANGE", "z", 0, -1, "WITHSCORES"],
    ["DUMP", "z"],
    ["RPUSH", "n", ...Array.from({ length: 3000 }, () => random.between(-1e6, 1e6))],
    ["SORT", "n"],
    ["SORT", "n", "ALPHA", "DESC", "LIMIT", 10, 500],
    ["SORT", "n", "STORE", "n"],
    ["LRANGE", "n", 0, -1],
    ["DUMP", "n"],
  );
  for (const protocol of [2, 3]) {
    const [a, b] = [await redis.connect(), await redstart.connect()];
    await Promise.all([a.call("FLUSHALL"), b.call("FLUSHALL")]);
    await Promise.all([a.call("HELLO", protocol), b.call("HELLO", protocol)]);
    await assertSameReplies(a, b, commands, { batch: 500 });
  }
  // After one of these redis-server refuses other sorts too (it does not reset errno).
  for (const key of ["huge", "tiny"]) {
    await assertSameReplies(await redis.connect(), await redstart.connect(), [["SORT", key]]);
  }
});
