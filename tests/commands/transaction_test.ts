/** MULTI, EXEC, WATCH against redis-server; UNDO, which is our own, by its rules. */

import { assertEquals } from "@std/assert";
import type { Command } from "../kit/client.ts";
import { assertSameReplies } from "../kit/differential.ts";
import { InProcess } from "../kit/inprocess.ts";
import { hasRedis, startRedis, startRedstart } from "../kit/server.ts";
import { test } from "../kit/test.ts";

test("transactions reply as Redis does", async () => {
  if (!hasRedis()) return;
  await using redis = await startRedis();
  await using redstart = await startRedstart();
  const lines = [
    "EXEC",
    "DISCARD",
    "MULTI",
    "MULTI",
    "SET a 1",
    "WATCH a",
    "INCR a",
    "APPEND a x",
    "INCR a",
    "EXEC x",
    "MULTI x",
    "EXEC",
    "MULTI",
    "SET a 1",
    "INCR a",
    "APPEND a x",
    "INCR a",
    "GET a",
    "MULTI",
    "WATCH a",
    "UNWATCH",
    "EXEC",
    "MULTI",
    "NOSUCH",
    "SET a 2",
    "EXEC",
    "GET a",
    "MULTI",
    "SET a",
    "DISCARD",
    "MULTI",
    "SET a 3",
    "DISCARD",
    "GET a",
    "MULTI",
    "EXEC",
    "WATCH a b",
    "WATCH",
    "SET a 4",
    "MULTI",
    "PING",
    "EXEC",
    "WATCH a",
    "SET a 5",
    "WATCH b",
    "UNWATCH",
    "MULTI",
    "SELECT 2",
    "SET other 1",
    "EXEC",
    "EXISTS other",
    "SELECT 0",
    "EXISTS other",
    "MULTI",
    "SET a 6",
    "GET",
    "NOSUCH",
    "EXEC",
    "WATCH a",
    "FLUSHALL",
    "MULTI",
    "PING",
    "EXEC",
    "WATCH a",
    "FLUSHALL",
    "MULTI",
    "PING",
    "EXEC",
  ];
  const commands: Command[] = lines.map((line) => line.split(" "));
  await assertSameReplies(await redis.connect(), await redstart.connect(), commands);
  const [a, b] = [await redis.connect(), await redstart.connect()];
  for (const client of [a, b]) await client.ok("HELLO", "3");
  await assertSameReplies(a, b, commands);
});

test("a transaction goes out as one, a single effect without MULTI", () => {
  const server = new InProcess();
  server.run("MULTI");
  server.run("SET", "a", "1");
  server.run("GET", "a");
  server.run("EXEC");
  assertEquals(server.propagated(), ["0 SET a 1"]);
  server.run("MULTI");
  server.run("INCR", "a");
  server.run("SELECT", "1");
  server.run("SET", "b", "1");
  server.run("EXPIRE", "b", 10);
  assertEquals(server.run("EXEC"), "*4\r\n:2\r\n+OK\r\n+OK\r\n:1\r\n");
  assertEquals(server.propagated(), [
    "0 MULTI",
    "0 INCR a",
    "1 SET b 1",
    `1 PEXPIREAT b ${server.now + 10_000}`,
    "1 EXEC",
  ]);
  server.run("MULTI");
  server.run("GET", "a");
  server.run("EXEC");
  assertEquals(server.propagated(), []);
});

test("WATCH sees what others do, and keys that expire", async () => {
  const server = new InProcess();
  const watcher = server.connect();
  const watch = (key: string) => {
    server.runAs(watcher, "WATCH", key);
    server.runAs(watcher, "MULTI");
    server.runAs(watcher, "PING");
  };
  const RAN = "*1\r\n+PONG\r\n";
  const LOST = "*-1\r\n";
  const exec = () => server.runAs(watcher, "EXEC");

  watch("k");
  assertEquals(exec(), RAN);
  watch("k");
  server.run("SET", "k", "v");
  assertEquals(exec(), LOST);
  watch("k");
  server.run("SET", "other", "v");
  server.run("GET", "k");
  assertEquals(exec(), RAN);
  watch("k");
  server.run("RENAME", "other", "k");
  assertEquals(exec(), LOST);
  watch("k");
  server.run("PEXPIRE", "k", 5);
  assertEquals(exec(), LOST);
  watch("k");
  await server.advance(6);
  assertEquals(exec(), LOST);
  // Had expired when the watching began: its deletion is no news, its return is.
  server.run("SET", "dead", "v", "PX", 5);
  await server.advance(6);
  watch("dead");
  server.run("EXISTS", "dead");
  assertEquals(exec(), RAN);
  server.run("SELECT", 5);
  watch("k");
  server.run("SET", "k", "v");
  assertEquals(exec(), RAN);
});

test("SWAPDB may exchange what has expired for what is not there, under the eyes of WATCH", async () => {
  const server = new InProcess();
  const watcher = server.connect();
  const outcome = async (here: string, there: string, before: string) => {
    server.run("FLUSHALL");
    const put = (db: number, what: string) => {
      server.run("SELECT", db);
      if (what === "alive") server.run("SET", "k", "v");
      if (what === "expired") server.run("SET", "k", "v", "PX", 1);
    };
    put(0, here);
    put(1, there);
    if (before === "expire first") await server.advance(2);
    server.runAs(watcher, "WATCH", "k");
    await server.advance(2);
    server.run("SWAPDB", 0, 1);
    server.runAs(watcher, "MULTI");
    return server.runAs(watcher, "EXEC") === "*0\r\n";
  };
  assertEquals(await outcome("none", "none", "expire first"), true);
  assertEquals(await outcome("none", "expired", "expire first"), true);
  assertEquals(await outcome("expired", "none", "expire first"), true);
  assertEquals(await outcome("expired", "expired", "expire first"), true);
  assertEquals(await outcome("expired", "expired", "expire later"), false);
  assertEquals(await outcome("expired", "alive", "expire first"), false);
  assertEquals(await outcome("none", "alive", "expire first"), false);
  assertEquals(await outcome("alive", "none", "expire first"), false);
});

const BULK = (text: string) => `$${text.length}\r\n${text}\r\n`;

test("UNDO takes the last commands back", () => {
  const server = new InProcess();
  server.run("MULTI");
  assertEquals(server.run("UNDO"), "*0\r\n");
  assertEquals(server.run("UNDO", 3), "*0\r\n");
  server.run("SET", "a", "1");
  server.run("SET", "b", "two words");
  server.run("incr", "a");
  assertEquals(
    server.run("undo", 2),
    `*4\r\n${BULK("Removed 2 commands:")}${BULK("SET b two words")}${BULK("incr a")}${
      BULK("1 commands remaining in queue")
    }`,
  );
  assertEquals(server.run("Undo", 5), "-ERR cannot undo 5 commands, only 1 queued\r\n");
  server.run("INCR", "a");
  assertEquals(
    server.run("UNDO"),
    `*3\r\n${BULK("Removed 1 commands:")}${BULK("INCR a")}${BULK("1 commands remaining in queue")}`,
  );
  assertEquals(server.run("EXEC"), "*1\r\n+OK\r\n");
  assertEquals(server.run("GET", "a"), "$1\r\n1\r\n");
  assertEquals(server.run("EXISTS", "b"), ":0\r\n");
});

test("UNDO's errors, and their order", () => {
  const server = new InProcess();
  const arity = "-ERR wrong number of arguments for 'undo' command\r\n";
  assertEquals(server.run("UNDO"), "-ERR UNDO without MULTI\r\n");
  assertEquals(server.run("UNDO", 1), "-ERR UNDO without MULTI\r\n");
  assertEquals(server.run("UNDO", 1, 2), arity);
  for (const count of ["0", "-1", "x", "", "1.5", "99999999999999999999"]) {
    assertEquals(server.run("UNDO", count), "-ERR invalid undo count\r\n");
  }
  server.run("MULTI");
  assertEquals(server.run("UNDO", "x"), "-ERR invalid undo count\r\n");
  server.run("SET", "a", "1");
  assertEquals(server.run("UNDO", "0"), "-ERR invalid undo count\r\n");
  assertEquals(
    server.run("UNDO", "9223372036854775807"),
    "-ERR cannot undo 9223372036854775807 commands, only 1 queued\r\n",
  );
  assertEquals(server.run("UNDO", 1, 2), arity);
  assertEquals(server.run("EXEC"), "*1\r\n+OK\r\n");
});

test("UNDO does not make good a command that could not be queued", () => {
  const server = new InProcess();
  server.run("MULTI");
  server.run("SET", "a", "1");
  server.run("NOSUCH");
  server.run("UNDO");
  assertEquals(server.run("EXEC"), "-EXECABORT Transaction discarded because of previous errors.\r\n");
});
