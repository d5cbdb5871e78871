/** Hash commands: against redis-server, and what they cause besides their reply. */

import { assertEquals } from "@std/assert";
import type { Command } from "../kit/client.ts";
import { assertSameAsRedis, assertSameReplies } from "../kit/differential.ts";
import { InProcess } from "../kit/inprocess.ts";
import { hasRedis, startRedis, startRedstart } from "../kit/server.ts";
import { test } from "../kit/test.ts";

test("hash commands reply as Redis does, limits and errors included", async () => {
  if (!hasRedis()) return;
  await using redis = await startRedis();
  await using redstart = await startRedstart();
  const long = "x".repeat(65);
  const integers = [
    "1",
    "-1",
    "9223372036854775807",
    "-9223372036854775808",
    "9007199254740993",
    "9223372036854775808",
  ];
  const floats = ["0.1", "1e3", "-0", "inf", "nan", "1.5x", "", "3.0e17", "0x10", "1e4932", " 1", "5e-324"];
  const commands: Command[] = [["SET", "string", "x"], ["HSET", "h", "a", "1", "b"], ["HMSET", "h", "a"]];
  for (const encoding of ["listpack", "hashtable"]) {
    commands.push(["DEL", "h"], ["HSET", "h", "a", "1", "b", "two", "a", "3"]);
    if (encoding === "hashtable") commands.push(["HSET", "h", long, long], ["HDEL", "h", long]);
    commands.push(["OBJECT", "ENCODING", "h"]);
    for (const key of ["h", "none", "string"]) {
      commands.push(
        ["HLEN", key],
        ["HGET", key, "a"],
        ["HGET", key, "zz"],
        ["HMGET", key, "a", "zz", "b"],
        ["HSTRLEN", key, "b"],
        ["HSTRLEN", key, "a"],
        ["HSTRLEN", key, "zz"],
        ["HEXISTS", key, "a"],
        ["HSCAN", key, "x"],
        ["HSCAN", key, "0", "COUNT"],
        ["HSCAN", key, "0", "COUNT", "0"],
        ["HSCAN", key, "0", "COUNT", "y"],
        ["HSCAN", key, "0", "TYPE", "hash"],
        ["HSCAN", key, "0", "MATCH", "[b-c]", "COUNT", "1000"],
        ["HRANDFIELD", key, "0"],
        ["HRANDFIELD", key, "x"],
        ["HRANDFIELD", key, "1", "WITHVALUES", "x"],
        ["HRANDFIELD", key, "1", "VALUES"],
        ["HRANDFIELD", key, "-9223372036854775808"],
        ["HRANDFIELD", key, "-9223372036854775807", "WITHVALUES"],
        ["HRANDFIELD", key, "4611686018427387904", "WITHVALUES"],
        ["HDEL", key, "zz"],
        ["HSETNX", key, "a", "9"],
        ["HDEL", "none", "a"],
      );
    }
    for (const start of ["0", ...integers]) {
      for (const by of integers) {
        commands.push(["HSET", "h", "n", start], ["HINCRBY", "h", "n", by], ["HGET", "h", "n"]);
      }
    }
    for (const start of floats) {
      for (const by of floats) {
        commands.push(["HSET", "h", "f", start], ["HINCRBYFLOAT", "h", "f", by], ["HGET", "h", "f"]);
      }
    }
    commands.push(
      ["HINCRBY", "h", "b", "1"],
      ["HINCRBYFLOAT", "h", "b", "1"],
      ["HINCRBY", "string", "b", "1"],
      ["HINCRBY", "new", "b", "5"],
      ["HINCRBYFLOAT", "new2", "b", "0.5"],
      ["DEL", "new", "new2"],
      ["HDEL", "h", "n", "f"],
      ["HDEL", "h", "b", "b", "a"],
      ["EXISTS", "h"],
    );
  }
  for (const protocol of ["2", "3"]) {
    commands.push(
      ["HELLO", protocol],
      ["DEL", "h"],
      ["HGETALL", "h"],
      ["HKEYS", "h"],
      ["HRANDFIELD", "h"],
      ["HRANDFIELD", "h", "3", "WITHVALUES"],
      ["HSET", "h", "a", "1", "b", "text"],
      ["HGETALL", "h"],
      ["HKEYS", "h"],
      ["HVALS", "h"],
      ["HRANDFIELD", "h", "5"],
      ["HRANDFIELD", "h", "2", "withvalues"],
      ["HGET", "h", "none"],
      ["HSCAN", "h", "0"],
    );
  }
  const same = commands.filter((command) => command[0] !== "HELLO");
  const [a, b] = [await redis.connect(), await redstart.connect()];
  const third = commands.findIndex((command) => command[0] === "HELLO" && command[1] === "3");
  await assertSameReplies(a, b, same.slice(0, third - 1), { batch: 50 });
  await Promise.all([a.call("HELLO", "3"), b.call("HELLO", "3")]);
  await assertSameReplies(a, b, same.slice(third - 1), { batch: 50 });
});

test("a hash goes over to a table, and back into a DUMP payload, where Redis does", async () => {
  const commands: Command[] = [["CONFIG", "SET", "hash-max-listpack-entries", "3", "hash-max-listpack-value", "10"]];
  const check = (...names: string[]): void => {
    for (const name of names) commands.push(["OBJECT", "ENCODING", name], ["HLEN", name], ["DUMP", name]);
  };
  for (let i = 0; i < 3; i++) commands.push(["HSET", "h", `f${i}`, `${i * 1000}`]);
  check("h");
  commands.push(["HSET", "h", "f2", "x".repeat(10)], ["HSET", "h", "f3", "3"], ["OBJECT", "ENCODING", "h"]);
  commands.push(["HDEL", "h", "f3", "f2", "f1"]);
  check("h");
  commands.push(["HSETNX", "v", "x".repeat(11), "1"]);
  check("v");
  commands.push(["HSET", "w", "a", "1", "a", "x".repeat(11)]);
  check("w");
  commands.push(["HINCRBY", "i", "field-of-11", "1"]);
  check("i");
  commands.push(["COPY", "w", "copy"]);
  check("copy");
  await assertSameAsRedis(commands);
});

test("events, changes and propagation of hash commands", () => {
  const server = new InProcess();
  const { keyspace } = server.engine;
  const effects = (...command: string[]): [number, string[], string[]] => {
    const { dirty } = keyspace;
    server.run(...command);
    return [keyspace.dirty - dirty, server.events(), server.propagated()];
  };
  assertEquals(effects("HSET", "h", "a", "1", "b", "2"), [2, ["0 new h", "0 hset h"], ["0 HSET h a 1 b 2"]]);
  assertEquals(effects("HSET", "h", "a", "1"), [1, ["0 hset h"], ["0 HSET h a 1"]]);
  assertEquals(effects("HSETNX", "h", "a", "1"), [0, [], []]);
  assertEquals(effects("HSETNX", "h", "c", "1"), [1, ["0 hset h"], ["0 HSETNX h c 1"]]);
  assertEquals(effects("HINCRBY", "h", "a", "4"), [1, ["0 hincrby h"], ["0 HINCRBY h a 4"]]);
  assertEquals(effects("HINCRBYFLOAT", "h", "a", "0.1"), [1, ["0 hincrbyfloat h"], ["0 HSET h a 5.1"]]);
  assertEquals(effects("HINCRBYFLOAT", "h", "a", "x"), [0, [], []]);
  assertEquals(effects("HDEL", "h", "none"), [0, [], []]);
  assertEquals(effects("HDEL", "h", "a", "b", "c", "d"), [3, ["0 hdel h", "0 del h"], ["0 HDEL h a b c d"]]);
});

test("HSCAN returns every field that stays, however the hash grows and shrinks meanwhile", () => {
  const server = new InProcess(3);
  const stays = new Set<string>();
  for (let i = 0; i < 1000; i++) {
    server.run("HSET", "h", `stay${i}`, String(i));
    stays.add(`stay${i}`);
  }
  for (const grows of [true, false]) {
    const seen = new Set<string>();
    let cursor = "0";
    let step = 0;
    do {
      const words = server.run("HSCAN", "h", cursor, "COUNT", "20").split("\r\n");
      cursor = words[2];
      for (const word of words) if (word.startsWith("stay")) seen.add(word);
      // Fewer than the scan gets through, or it would never end.
      const end = Math.min(step + 200, 4000);
      for (; step < end; step++) {
        if (grows) server.run("HSET", "h", `other${step}`, "1");
        else server.run("HDEL", "h", `other${step}`);
      }
    } while (cursor !== "0");
    assertEquals(seen.size, stays.size);
  }
});
