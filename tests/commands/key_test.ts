/** DEL, RENAME, MOVE, COPY, KEYS and the like: against redis-server, and their effects besides the reply. */

import { assertEquals } from "@std/assert";
import type { Command } from "../kit/client.ts";
import { assertSameAsRedis } from "../kit/differential.ts";
import { InProcess } from "../kit/inprocess.ts";
import { test } from "../kit/test.ts";

test("commands on keys reply as Redis does", async () => {
  const long = "long".repeat(2000);
  const commands: Command[] = [
    ["SET", "a", "1"],
    ["SET", "b", "text", "PXAT", "4102444800000"],
    ["SET", long, "x".repeat(20_000)],
    ["EXISTS", "a", "b", "none", "a", long],
    ["TYPE", "a"],
    ["TYPE", "none"],
    ["TOUCH", "a", "none", "a"],
    ["DEL", "none"],
    ["UNLINK", "none", "none"],
    ["RENAME", "none", "a"],
    ["RENAME", "none", "none"],
    ["RENAME", "a", "a"],
    ["RENAMENX", "a", "a"],
    ["RENAMENX", "a", "b"],
    ["RENAMENX", "none", "b"],
    ["RENAME", "b", "a"],
    ["PEXPIRETIME", "a"],
    ["GET", "a"],
    ["RENAME", long, "short"],
    ["STRLEN", "short"],
    ["RENAME", "a", long],
    ["GET", long],
    ["PEXPIRETIME", long],
    ["MOVE", "short", "0"],
    ["MOVE", "short", "16"],
    ["MOVE", "short", "-1"],
    ["MOVE", "short", "x"],
    ["MOVE", "short", "2147483648"],
    ["MOVE", "none", "1"],
    ["MOVE", "short", "1"],
    ["EXISTS", "short"],
    ["SET", "short", "other"],
    ["MOVE", "short", "1"],
    ["SELECT", "1"],
    ["STRLEN", "short"],
    ["SELECT", "0"],
    ["COPY", "none", "short"],
    ["COPY", "short", "short"],
    ["COPY", "short", "short", "DB", "0"],
    ["COPY", "short", "short", "DB", "1"],
    ["COPY", "short", "short", "db", "1", "replace"],
    ["COPY", "short", "new", "DB"],
    ["COPY", "short", "new", "DB", "16"],
    ["COPY", "short", "new", "DB", "x"],
    ["COPY", "short", "new", "NOPE"],
    ["COPY", long, "new", "REPLACE"],
    ["PEXPIRETIME", "new"],
    ["SET", "n", "7"],
    ["COPY", "n", "m"],
    ["OBJECT", "REFCOUNT", "n"],
    ["OBJECT", "REFCOUNT", "m"],
    ["OBJECT", "ENCODING", "m"],
    ["APPEND", "n", "7"],
    ["COPY", "n", "m", "REPLACE"],
    ["OBJECT", "ENCODING", "m"],
    ["OBJECT", "ENCODING", "none"],
    ["OBJECT", "FREQ", "n"],
    ["OBJECT", "FREQ", "none"],
    ["OBJECT", "NOPE", "n"],
    ["OBJECT"],
    ["OBJECT", "HELP"],
    ["OBJECT", "ENCODING"],
    ["OBJECT", "HELP", "x"],
    ["CONFIG", "SET", "maxmemory-policy", "allkeys-lfu"],
    ["OBJECT", "IDLETIME", "n"],
    ["OBJECT", "FREQ", "none"],
    ["CONFIG", "SET", "maxmemory-policy", "noeviction"],
    ["DEL", "a", "b", "n", "m", "n"],
    ["EXISTS"],
    ["DEL"],
    ["MOVE", "a"],
    ["COPY", "a"],
    ["KEYS", "n[aeiou]w"],
    ["KEYS", "[^a-z]"],
    ["KEYS", ""],
    ["KEYS", "*w"],
    ["FLUSHALL"],
    ["KEYS", "*"],
    ["RANDOMKEY"],
    ["SET", "", "empty name"],
    ["KEYS", ""],
    ["KEYS", "*"],
    ["RANDOMKEY"],
  ];
  await assertSameAsRedis(commands, { batch: 1 });
});

test("the strings' encodings are Redis's", async () => {
  const commands: Command[] = [];
  const values = ["", "0", "-0", "007", "9999", "10000", "9223372036854775807", "-9223372036854775808", "1.0", " 1"];
  values.push("9223372036854775808", "x".repeat(44), "x".repeat(45), "1".repeat(20));
  for (const value of values) {
    commands.push(
      ["SET", "k", value],
      ["OBJECT", "ENCODING", "k"],
      ["OBJECT", "REFCOUNT", "k"],
      ["COPY", "k", "copy", "REPLACE"],
      ["OBJECT", "ENCODING", "copy"],
      ["OBJECT", "REFCOUNT", "copy"],
      ["APPEND", "k", "1"],
      ["OBJECT", "ENCODING", "k"],
      ["COPY", "k", "copy", "REPLACE"],
      ["OBJECT", "ENCODING", "copy"],
    );
  }
  await assertSameAsRedis(commands);
});

test("events and propagation of commands on keys", () => {
  const server = new InProcess();
  server.run("SET", "a", "1");
  server.run("SET", "b", "2");
  server.events();
  server.propagated();
  const { keyspace } = server.engine;
  const dirty = keyspace.dirty;
  server.run("DEL", "none");
  server.run("RENAME", "a", "a");
  server.run("RENAME", "a", "b");
  assertEquals(server.events(), ["0 new b", "0 rename_from a", "0 rename_to b"]);
  server.run("COPY", "b", "c");
  assertEquals(server.events(), ["0 new c", "0 copy_to c"]);
  server.run("COPY", "b", "c");
  server.run("COPY", "b", "x", "DB", 3);
  assertEquals(server.events(), ["3 new x", "3 copy_to x"]);
  server.run("MOVE", "c", 2);
  assertEquals(server.events(), ["2 new c", "0 move_from c", "2 move_to c"]);
  server.run("UNLINK", "b", "none", "b");
  assertEquals(server.events(), ["0 del b"]);
  assertEquals(keyspace.dirty - dirty, 5);
  assertEquals(server.propagated(), [
    "0 RENAME a b",
    "0 COPY b c",
    "0 COPY b x DB 3",
    "0 MOVE c 2",
    "0 UNLINK b none b",
  ]);
});

test("KEYS leaves out what has expired but does not delete it", async () => {
  const server = new InProcess();
  server.run("SET", "k", "v", "PX", 5);
  server.run("SET", "l", "v");
  await server.advance(6);
  server.events();
  assertEquals(server.run("KEYS", "*"), "*1\r\n$1\r\nl\r\n");
  assertEquals(server.events(), []);
  assertEquals(server.engine.keyspace.keys, 2);
});

test("OBJECT does not count as an access", async () => {
  const server = new InProcess();
  server.run("SET", "k", "v");
  await server.advance(5000);
  server.run("OBJECT", "ENCODING", "k");
  server.run("TYPE", "k");
  server.run("EXISTS", "k");
  server.run("TTL", "k");
  assertEquals(server.run("OBJECT", "IDLETIME", "k"), ":5\r\n");
  server.run("TOUCH", "k");
  assertEquals(server.run("OBJECT", "IDLETIME", "k"), ":0\r\n");
});
