/** Commands of the server as a whole, against redis-server where both must agree, in the process where time matters. */

import { setTimeout as sleep } from "node:timers/promises";
import { assert, assertEquals } from "@std/assert";
import type { Command } from "../kit/client.ts";
import { assertSameAsRedis, words } from "../kit/differential.ts";
import { residentBytes } from "../bench/process.ts";
import { InProcess } from "../kit/inprocess.ts";
import { startRedstart } from "../kit/server.ts";
import { test } from "../kit/test.ts";

test("replies and errors are those of redis-server", async () => {
  const lines = `SET a 1|SELECT 3|SET b 2|SET c 3|DBSIZE|SWAPDB 0 3|DBSIZE|GET a|SELECT 0|DBSIZE|GET b
SWAPDB a 0|SWAPDB 0 b|SWAPDB 0 99|SWAPDB -1 3|SWAPDB 1 1|SWAPDB 99999999999 0
FLUSHDB nope|FLUSHDB SYNC x|FLUSHDB sync|DBSIZE|FLUSHALL nope|FLUSHALL async|SELECT 3|DBSIZE|SELECT 0
WAIT 0 0|WAIT a 0|WAIT 1 a|WAIT 1 -1|WAIT 1 1
SHUTDOWN nope|SHUTDOWN SAVE NOSAVE|SHUTDOWN NOW ABORT|SHUTDOWN ABORT
MODULE LIST|MODULE HELP|MODULE NOPE|MODULE UNLOAD x
SLOWLOG HELP|SLOWLOG GET -2|SLOWLOG GET x|SLOWLOG NOPE|SLOWLOG RESET|SLOWLOG LEN|SLOWLOG LEN x
CONFIG SET slowlog-log-slower-than 100000000|CONFIG GET slowlog-log-slower-than|CONFIG HELP|CONFIG NOPE|CONFIG GET
LATENCY HELP|LATENCY LATEST|LATENCY HISTORY x|LATENCY GRAPH x|LATENCY RESET|LATENCY RESET x y|LATENCY DOCTOR|LATENCY NOPE
MEMORY HELP|MEMORY USAGE none|MEMORY USAGE a SAMPLES -1|MEMORY USAGE a SAMPLES x|MEMORY USAGE a NOPE|MEMORY PURGE
SCRIPT HELP|SCRIPT EXISTS a b|SCRIPT FLUSH|SCRIPT FLUSH nope|SCRIPT KILL|FUNCTION HELP|FUNCTION LIST
CLUSTER|CLUSTER INFO|CLUSTER HELP|CLUSTER NOPE|CLUSTER SLOTS x|cluster keyslot a|READONLY|READWRITE|ASKING|ASKING x
FUNCTION LIST nope|FUNCTION FLUSH|FUNCTION FLUSH nope|FUNCTION KILL|FUNCTION STATS|FUNCTION DELETE x|FCALL x 0
DEBUG NOPE|DEBUG SLEEP 0|DEBUG OBJECT none|DEBUG SDSLEN none|DEBUG HTSTATS 99|DEBUG HTSTATS x|DEBUG HTSTATS 9
DEBUG QUICKLIST-PACKED-THRESHOLD 5gb|DEBUG QUICKLIST-PACKED-THRESHOLD 200|DEBUG QUICKLIST-PACKED-THRESHOLD 0
DEBUG REPLYBUFFER NOPE 1|DEBUG REPLYBUFFER RESIZING 1|DEBUG REPLYBUFFER PEAK-RESET-TIME x|DEBUG ERROR ERR
DEBUG POPULATE 3 k 4|GET k:0|DBSIZE|DEBUG POPULATE 2|GET key:1|DEBUG POPULATE -1|DEBUG POPULATE x|DEBUG RELOAD NOPE
DEBUG RELOAD|DBSIZE|GET k:2|DEBUG CHANGE-REPL-ID|DEBUG LOG hello|DEBUG SET-ACTIVE-EXPIRE 1|DEBUG PAUSE-CRON 0
INFO nope|INFO keyspace|INFO modules cluster|MONITOR x`;
  const commands = lines.split(/[|\n]/).map(words);
  for (const protocol of ["2", "3"]) {
    commands.push(["HELLO", protocol]);
    const types = "string integer double bignum null array set map true false verbatim nope";
    for (const type of types.split(" ")) commands.push(["DEBUG", "PROTOCOL", type]);
  }
  const same = (command: Command, a: unknown, b: unknown) =>
    command[0] === "HELLO" || JSON.stringify(a, plain) === JSON.stringify(b, plain);
  await assertSameAsRedis(commands, { same });
});

function plain(_key: string, value: unknown): unknown {
  if (typeof value === "bigint") return `${value}n`;
  return value instanceof Map ? [...value] : value instanceof Set ? [...value] : value;
}

test("what flushing and swapping tell the world", () => {
  const server = new InProcess();
  server.run("SET", "a", "1");
  const watching = server.connect();
  server.runAs(watching, "WATCH", "a");
  server.propagated();
  assertEquals(server.run("SWAPDB", "0", "1"), "+OK\r\n");
  assertEquals(server.propagated(), ["0 SWAPDB 0 1"]);
  server.runAs(watching, "MULTI");
  assertEquals(server.runAs(watching, "EXEC"), "*-1\r\n");
  assertEquals(server.run("FLUSHDB"), "+OK\r\n");
  assertEquals(server.propagated(), ["0 FLUSHDB"]);
  const dirty = server.engine.keyspace.dirty;
  server.run("SELECT", "1");
  assertEquals(server.run("DBSIZE"), ":1\r\n");
  server.run("FLUSHDB", "ASYNC");
  assertEquals(server.engine.keyspace.dirty, dirty + 1);
});

test("CONFIG SET and INFO see the same server", () => {
  const server = new InProcess();
  const field = (section: string, name: string) =>
    server.run("INFO", section).split("\r\n").find((line) => line.startsWith(`${name}:`))?.slice(name.length + 1);
  assertEquals(server.run("CONFIG", "SET", "maxmemory-policy", "allkeys-lfu", "maxmemory", "100mb"), "+OK\r\n");
  assertEquals(field("memory", "maxmemory_policy"), "allkeys-lfu");
  assertEquals(field("memory", "maxmemory_human"), "100.00M");
  server.run("SET", "k", "v", "PX", "5000");
  server.run("GET", "k");
  server.run("GET", "none");
  server.run("HGET", "k", "f");
  assertEquals(field("keyspace", "db0"), "keys=1,expires=1,avg_ttl=5000");
  assertEquals([field("stats", "keyspace_hits"), field("stats", "keyspace_misses")], ["2", "1"]);
  assertEquals(field("errorstats", "errorstat_WRONGTYPE"), "count=1");
  assert(field("commandstats", "cmdstat_hget")!.endsWith("rejected_calls=0,failed_calls=1"));
  assertEquals(field("latencystats", "latency_percentiles_usec_hget")?.split(",").length, 3);
  assertEquals(server.run("SAVE"), "+OK\r\n");
  assertEquals(field("persistence", "rdb_saves"), "1");
  server.run("BGSAVE");
  assertEquals(field("stats", "total_forks"), "1");
  server.run("CONFIG", "RESETSTAT");
  assertEquals(field("stats", "keyspace_hits"), "0");
  assertEquals(field("stats", "total_forks"), "0");
  assertEquals(field("persistence", "rdb_saves"), "0");
  assertEquals(field("commandstats", "cmdstat_hget"), undefined);
  assertEquals(server.run("INFO", "everything").match(/^.*# /gm)?.length, 13);
  assertEquals(server.run("INFO").match(/^.*# /gm)?.length, 11);
});

test("the slow log has the newest first, cut and without secrets", async () => {
  const server = new InProcess();
  server.run("CONFIG", "SET", "slowlog-log-slower-than", "0", "slowlog-max-len", "3");
  server.run("SLOWLOG", "RESET");
  server.run("CONFIG", "SET", "requirepass", "secret");
  server.run("SADD", "s", ...Array.from({ length: 40 }, (_, i) => i));
  server.run("SET", "k", "x".repeat(200));
  const { entries } = server.engine.observation.slowlog;
  const shown = entries.map(({ args }) => args.map((arg) => String.fromCharCode(...arg)));
  assertEquals(shown[0], ["SET", "k", `${"x".repeat(128)}... (72 more bytes)`]);
  assertEquals([shown[1].length, shown[1][31]], [32, "... (11 more arguments)"]);
  assertEquals(shown[2], ["CONFIG", "SET", "requirepass", "(redacted)"]);
  await server.advance(1);
});

test("keys are evicted by the policy, and told", () => {
  for (const policy of ["allkeys-lru", "volatile-ttl", "volatile-lru", "allkeys-random"]) {
    const server = new InProcess();
    const value = "x".repeat(1000);
    for (let i = 0; i < 200; i++) server.run("SET", `k${i}`, value, "PX", 1_000_000 + i * 1000);
    server.run("SET", "eternal", value);
    server.propagated();
    server.events();
    server.run("CONFIG", "SET", "maxmemory-policy", policy, "maxmemory-eviction-tenacity", "100");
    server.run("CONFIG", "SET", "maxmemory", server.engine.keyspace.usedMemory - 20_000);
    assertEquals(server.run("SET", "new", value, "PX", 9_000_000), "+OK\r\n");
    const evicted = server.events().filter((event) => event.includes(" evicted ")).map((event) => event.split(" ")[2]);
    const deleted = server.propagated().filter((command) => command.startsWith("0 DEL ")).map((line) => line.slice(6));
    assertEquals(deleted, evicted);
    assert(evicted.length >= 18, `${policy}: ${evicted.length}`);
    if (policy === "volatile-ttl") assertEquals(evicted, evicted.map((_, i) => `k${i}`));
    if (policy.startsWith("volatile")) assert(!evicted.includes("eternal"));
    assertEquals(server.engine.keyspace.evictedKeys, evicted.length);
  }
});

test("without a policy writes are refused, but not what frees memory", () => {
  const server = new InProcess();
  server.run("SET", "k", "x".repeat(1000));
  server.run("CONFIG", "SET", "maxmemory", "100");
  assertEquals(server.run("SET", "k2", "v"), "-OOM command not allowed when used memory > 'maxmemory'.\r\n");
  assertEquals(server.run("GET", "k").length, 1009);
  assertEquals(server.run("DEL", "k"), ":1\r\n");
});

test("MEMORY PURGE gives back what large values have left behind", async () => {
  await using server = await startRedstart();
  const client = await server.connect();
  const residentMB = async () => {
    const info = await client.call("INFO", "memory") as string;
    return Number(/used_memory_rss:(\d+)/.exec(info)![1]) / 2 ** 20;
  };
  const large = "x".repeat(50_000_000);
  for (let i = 0; i < 4; i++) await client.call("SET", `k${i}`, large);
  assert(await residentMB() > 200, "the values are there");
  await client.call("FLUSHALL");
  assertEquals(await client.call("MEMORY", "PURGE"), { status: "OK" });
  // V8 frees what it found in the background.
  let after = await residentMB();
  for (const end = Date.now() + 10_000; after >= 200 && Date.now() < end;) after = await residentMB();
  assert(after < 200, `${after} MB`);
});

test("what FLUSHALL has given up is returned to the system while nobody asks for anything", async () => {
  await using server = await startRedstart();
  const client = await server.connect();
  const large = "x".repeat(50_000_000);
  for (let i = 0; i < 4; i++) await client.call("SET", `k${i}`, large);
  const before = residentBytes(server.pid);
  await client.call("FLUSHALL");
  let after = before;
  for (const end = Date.now() + 30_000; after > before - 100e6 && Date.now() < end;) {
    await sleep(100);
    after = residentBytes(server.pid);
  }
  assert(after <= before - 100e6, `${after} of ${before}`);
});
