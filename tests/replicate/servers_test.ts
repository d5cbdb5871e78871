/** Replication between real processes, with redis-server on either end where it is installed. */

import { assertEquals, assertMatch } from "@std/assert";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Client, Command } from "../kit/client.ts";
import { hasRedis, type StartOptions, startRedis, startRedstart, type TestServer } from "../kit/server.ts";
import { test } from "../kit/test.ts";
import { eventually, info, synchronised } from "./waiting.ts";

/** A full resynchronisation does not wait for further replicas. */
const AT_ONCE = ["--repl-diskless-sync-delay", "0"];

type Start = (options?: StartOptions) => Promise<TestServer>;

function replicaOf(start: Start, master: TestServer, ...args: string[]): Promise<TestServer> {
  return start({ args: [...AT_ONCE, "--replicaof", `127.0.0.1 ${master.port}`, ...args] });
}

/** Values of all types and sizes, in two databases. */
async function fill(client: Client, count: number): Promise<void> {
  const commands: Command[] = [];
  for (let i = 0; i < count; i++) {
    commands.push(["SET", `s${i}`, "x".repeat(i % 700)], ["SET", `e${i}`, i, "EX", 1000], [
      "RPUSH",
      `l${i % 7}`,
      i,
      "y",
    ]);
    commands.push(["SADD", `u${i % 9}`, i], ["SADD", `v${i % 9}`, `m${i}`], ["ZADD", `z${i % 5}`, i * 1.5, `m${i}`]);
    commands.push(["HSET", `h${i % 8}`, `f${i}`, `v${i}`]);
  }
  await client.pipeline([["SELECT", 0], ...commands, ["SELECT", 3], ...commands, ["SELECT", 0]]);
}

async function sameDigest(master: Client, ...replicas: Client[]): Promise<void> {
  await synchronised(master, ...replicas);
  const digest = await master.call("DEBUG", "DIGEST");
  for (const replica of replicas) assertEquals(await replica.call("DEBUG", "DIGEST"), digest);
}

test("a chain of servers in any mixture synchronises, continues after cuts, and follows a promoted one", async () => {
  const other: Start = hasRedis() ? startRedis : startRedstart;
  await using one = await other({ args: AT_ONCE });
  const first = await one.connect();
  await fill(first, 300);
  await using two = await replicaOf(startRedstart, one);
  await using three = await replicaOf(other, two);
  await using four = await replicaOf(startRedstart, three, "--repl-diskless-load", "swapdb");
  const [second, third, fourth] = [await two.connect(), await three.connect(), await four.connect()];
  await sameDigest(first, second, third, fourth);
  assertEquals(await second.call("SET", "a", 1), { error: "READONLY You can't write against a read only replica." });
  // Links are cut on both sides while writes go on.
  for (let round = 0; round < 3; round++) {
    await first.pipeline([["SELECT", round], ["MULTI"], ["INCR", "n"], ["RPUSH", "list", round], ["EXEC"]]);
    await second.call("CLIENT", "KILL", "TYPE", "replica");
    await second.call("CLIENT", "KILL", "TYPE", "master");
    await fill(first, 20);
  }
  await sameDigest(first, second, third, fourth);
  for (const client of [first, second, third]) assertEquals((await info(client)).get("sync_full"), "1");
  assertMatch((await info(first)).get("sync_partial_ok") ?? "", /^[1-9]/);
  // The end of the chain becomes the master, and all others go on from where they were.
  await fourth.call("REPLICAOF", "NO", "ONE");
  await third.call("REPLICAOF", "127.0.0.1", four.port);
  await second.call("REPLICAOF", "127.0.0.1", three.port);
  await first.call("REPLICAOF", "127.0.0.1", two.port);
  await fourth.call("SET", "new", "master");
  await sameDigest(fourth, third, second, first);
  const { size } = new Set((await Promise.all([first, second, third, fourth].map((client) => info(client))))
    .map((fields) => fields.get("master_replid")));
  assertEquals(size, 1);
  assertEquals((await info(fourth)).get("sync_full"), "0");
});

test("a full resynchronisation by disk and without, loaded in all three ways", async () => {
  await using master = await startRedstart({ args: AT_ONCE });
  const source = await master.connect();
  await fill(source, 400);
  for (const [diskless, load] of [["no", "disabled"], ["yes", "on-empty-db"], ["no", "swapdb"], ["yes", "disabled"]]) {
    await source.call("CONFIG", "SET", "repl-diskless-sync", diskless);
    await using replica = await replicaOf(startRedstart, master, "--repl-diskless-load", load);
    const client = await replica.connect();
    await sameDigest(source, client);
    assertEquals(await source.call("WAIT", 1, 5000), 1);
  }
  // New servers know that they have nothing to continue.
  assertEquals((await info(source, "stats")).get("sync_partial_err"), "0");
});

test("a replica that is restarted goes on where its file ends", async () => {
  await using master = await startRedstart({ args: AT_ONCE });
  const source = await master.connect();
  await fill(source, 50);
  await using before = await replicaOf(startRedstart, master);
  const client = await before.connect();
  await synchronised(source, client);
  await client.call("SAVE");
  const saved = readFileSync(join(before.dir, "dump.rdb"));
  assertEquals(saved.includes("repl-offset"), true);
  await fill(source, 50);
  client.send("*2\r\n$8\r\nSHUTDOWN\r\n$6\r\nNOSAVE\r\n");
  await before.exited;
  await source.call("SET", "meanwhile", 1);
  await using again = await startRedstart({
    dir: before.dir,
    args: [...AT_ONCE, "--replicaof", `127.0.0.1 ${master.port}`],
  });
  await sameDigest(source, await again.connect());
  const fields = await info(source, "stats");
  assertEquals([fields.get("sync_full"), fields.get("sync_partial_ok")], ["1", "1"]);
});

test("FAILOVER hands the role over without losing a write", async () => {
  const other: Start = hasRedis() ? startRedis : startRedstart;
  await using one = await startRedstart({ args: AT_ONCE });
  await using two = await replicaOf(other, one);
  const [first, second] = [await one.connect(), await two.connect()];
  await synchronised(first, second);
  assertEquals(await first.call("FAILOVER", "TO", "127.0.0.1", 1), {
    error: "ERR FAILOVER target HOST and PORT is not a replica.",
  });
  await first.call("SET", "k", "v");
  assertEquals(await first.call("FAILOVER", "TO", "127.0.0.1", two.port, "TIMEOUT", 20000), { status: "OK" });
  // A write that comes in between waits, and is refused by what is a replica then.
  assertMatch(JSON.stringify(await first.call("SET", "late", "v")), /READONLY|OK/);
  await eventually("the roles are exchanged", async () => {
    const [a, b] = [await info(first, "replication"), await info(second, "replication")];
    return a.get("role") === "slave" && a.get("master_link_status") === "up" && b.get("role") === "master";
  });
  // And back.
  await synchronised(second, first);
  assertEquals(await second.call("FAILOVER"), { status: "OK" });
  await eventually("the roles are exchanged again", async () => {
    const [a, b] = [await info(first, "replication"), await info(second, "replication")];
    return a.get("role") === "master" && b.get("role") === "slave" && b.get("master_link_status") === "up";
  });
  await sameDigest(first, second);
  assertEquals(await first.call("GET", "k"), "v");
  assertEquals((await info(first, "stats")).get("sync_full"), "1");
});

test("FAILOVER to a replica that refuses leaves everything as it was", async () => {
  if (!hasRedis()) return;
  await using one = await startRedstart({ args: AT_ONCE });
  await using two = await replicaOf(startRedis, one);
  const [first, second] = [await one.connect(), await two.connect()];
  await synchronised(first, second);
  await second.ok("ACL", "SETUSER", "default", "-psync");
  assertEquals(await first.call("FAILOVER", "TO", "127.0.0.1", two.port), { status: "OK" });
  assertEquals(await first.call("SET", "k", "v"), { status: "OK" });
  assertMatch(one.output(), /FAILOVER to 127\.0\.0\.1:\d+ aborted: Failover target rejected psync request/);
  await sameDigest(first, second);
  const fields = await info(first);
  assertEquals([fields.get("role"), fields.get("master_failover_state"), fields.get("sync_full")], [
    "master",
    "no-failover",
    "1",
  ]);
  assertMatch(fields.get("sync_partial_ok") ?? "", /^[1-9]/);
});

test("a live migration off Redis: follow it, then take over", async () => {
  if (!hasRedis()) return;
  await using redis = await startRedis({ args: [...AT_ONCE, "--requirepass", "secret"] });
  const source = await redis.connect();
  await source.call("AUTH", "secret");
  await fill(source, 100);
  await using server = await replicaOf(startRedstart, redis, "--masterauth", "secret");
  const client = await server.connect();
  await sameDigest(source, client);
  const role = await client.call("ROLE") as [string, string, number, string, number];
  assertEquals(role.slice(0, 4), ["slave", "127.0.0.1", redis.port, "connected"]);
  assertEquals(await client.call("REPLICAOF", "NO", "ONE"), { status: "OK" });
  assertEquals(await client.call("SET", "mine", 1), { status: "OK" });
});

/** What a server sends to a replica for some commands, SELECT and all. */
async function streamOf(server: TestServer, commands: readonly Command[]): Promise<string> {
  const replica = await server.connect();
  replica.send("PSYNC ? -1\r\n");
  let text = "";
  const until = async (end: RegExp) => {
    while (!end.test(text)) text += await replica.readBytes(1);
    const line = text;
    text = "";
    return line;
  };
  const header = await until(/\$\d+\r\n$/);
  await replica.readBytes(Number(/\$(\d+)\r\n$/.exec(header)![1]));
  const client = await server.connect();
  for (const command of commands) await client.call(...command);
  await client.call("PUBLISH", "the", "end");
  const stream = await until(/\$3\r\nend\r\n$/);
  return stream.replace(/\b\d{13}\b/g, "T").replace(/\*1\r\n\$4\r\nPING\r\n/g, "");
}

test("the stream is that of redis-server, byte for byte", async () => {
  if (!hasRedis()) return;
  const commands: Command[] = [
    ["SET", "a", 1],
    ["set", "b", 2, "EX", 100],
    ["SELECT", 5],
    ["INCRBYFLOAT", "f", "1.5"],
    ["EXPIRE", "f", 100],
    ["GETEX", "f", "PERSIST"],
    ["GET", "f"],
    ["DEL", "missing"],
    ["MULTI"],
    ["LPUSH", "l", 1, 2],
    ["SELECT", 0],
    ["LPOP", "l"],
    ["INCR", "n"],
    ["EXEC"],
    ["MULTI"],
    ["GET", "n"],
    ["EXEC"],
    ["SADD", "s", "only"],
    ["SPOP", "s"],
    ["SETEX", "short", 100, "v"],
    ["HINCRBYFLOAT", "h", "f", "2.5"],
    ["RPUSH", "l", "x"],
    ["BLMOVE", "l", "m", "LEFT", "RIGHT", 0],
    ["GETDEL", "a"],
    ["RESTORE", "r", 0, new Uint8Array([0, 1, 120, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0])],
    ["FLUSHDB"],
    ["SWAPDB", 0, 5],
    ["FLUSHALL"],
  ];
  const args = ["--repl-diskless-sync", "no"];
  await using redis = await startRedis({ args });
  await using server = await startRedstart({ args });
  assertEquals(await streamOf(server, commands), await streamOf(redis, commands));
});

test("redis-cli --rdb, --replica and --pipe", async () => {
  if (!hasRedis()) return;
  await using server = await startRedstart({ args: AT_ONCE });
  const client = await server.connect();
  const port = String(server.port);
  const input = Array.from({ length: 1000 }, (_, i) => `SET key:${i} ${i}\r\n`).join("");
  const piped = spawnSync("redis-cli", ["-p", port, "--pipe"], { input, encoding: "utf8" });
  assertMatch(piped.stdout, /errors: 0, replies: 1000/);
  const file = join(server.dir, "copy.rdb");
  for (const diskless of ["yes", "no"]) {
    await client.call("CONFIG", "SET", "repl-diskless-sync", diskless);
    const fetched = spawnSync("redis-cli", ["-p", port, "--rdb", file], { encoding: "utf8" });
    assertEquals(fetched.status, 0, fetched.stderr);
    const checked = spawnSync("redis-check-rdb", [file], { encoding: "utf8" });
    assertMatch(checked.stdout, /1000 keys read[^]*\\o\/ RDB looks OK!|RDB looks OK![^]*1000 keys read/);
  }
  const shown = spawnSync("sh", [
    "-c",
    `timeout 2 redis-cli -p ${port} --replica & sleep 1; redis-cli -p ${port} SET seen by-replica; wait`,
  ], {
    encoding: "utf8",
  });
  assertMatch(shown.stdout, /"?SET"?.*seen.*by-replica/i);
});
