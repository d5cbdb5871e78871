/**
 * Three real redis-sentinel processes watch a master with replicas. When it dies or hangs they make another one master; when it is
 * back it has to follow.
 */

import { assertEquals } from "@std/assert";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import process from "node:process";
import type { Client } from "../kit/client.ts";
import {
  findRedis,
  hasRedis,
  type StartOptions,
  startRedis,
  startRedstart,
  startServer,
  type TestServer,
} from "../kit/server.ts";
import { test } from "../kit/test.ts";
import { eventually, info, synchronised } from "./waiting.ts";

const SENTINELS = 3;
const QUORUM = 2;
/** A full resynchronisation does not wait for further replicas. */
const AT_ONCE = ["--repl-diskless-sync-delay", "0"];

function hasSentinel(): boolean {
  if (spawnSync("redis-sentinel", ["--version"]).status === 0) return true;
  console.log("redis-sentinel is not installed: skipped");
  return false;
}

/** What a sentinel does every few seconds it does more often here, in milliseconds. */
const HASTE = ["info-period", 500, "publish-period", 300, "ping-period", 200, "ask-period", 300];

async function startSentinel(masterPort: number): Promise<TestServer> {
  const config = [
    `sentinel monitor main 127.0.0.1 ${masterPort} ${QUORUM}`,
    "sentinel down-after-milliseconds main 1500",
    "sentinel failover-timeout main 4000",
    "sentinel parallel-syncs main 1",
  ];
  const sentinel = await startServer(["redis-sentinel"], {
    config: config.join("\n") + "\n",
    readyWhen: /\+monitor master main/,
  });
  using client = await sentinel.connect();
  assertEquals(await client.call("SENTINEL", "DEBUG", ...HASTE), { status: "OK" });
  return sentinel;
}

/** Waits until all sentinels know each other and both replicas. */
async function acquainted(sentinels: readonly TestServer[]): Promise<void> {
  for (const sentinel of sentinels) {
    using client = await sentinel.connect();
    await eventually("the sentinels know each other and the replicas", async () => {
      const master = await client.call("SENTINEL", "MASTER", "main");
      if (!Array.isArray(master)) return false;
      const field = (name: string) => master[master.indexOf(name) + 1];
      return field("num-slaves") === "2" && field("num-other-sentinels") === "2";
    });
  }
}

/** A client that asks the sentinels where the master is, and again when it has not replied for a while. */
function connectThrough(sentinels: readonly TestServer[]): Redis {
  const redis = new Redis({
    sentinels: sentinels.map(({ port }) => ({ host: "127.0.0.1", port })),
    name: "main",
    socketTimeout: 2000,
    sentinelRetryStrategy: () => 50,
    retryStrategy: () => 50,
    maxRetriesPerRequest: null,
  });
  redis.on("error", () => {});
  return redis;
}

/** What they do not find at once the sentinels look for again only after some time. */
async function bothOnline(master: Client): Promise<void> {
  await eventually("both replicas are online", async () => {
    const fields = await info(master, "replication");
    return ["slave0", "slave1"].every((name) => fields.get(name)?.includes("state=online") === true);
  });
}

async function follows(replica: TestServer, master: TestServer): Promise<void> {
  await eventually("all follow the new master", async () => {
    // A sentinel that changes a server's master closes the connections of its clients.
    using client = await replica.connect();
    const fields = await info(client, "replication").catch(() => new Map<string, string>());
    return fields.get("master_port") === String(master.port) && fields.get("master_link_status") === "up";
  }, 90_000);
}

type Start = (options: StartOptions) => Promise<TestServer>;

/** What the sentinels watch besides the master, and a client that asks them for it. All of it ends at the end of the block. */
interface Watched extends AsyncDisposable {
  /** The replica that may be promoted, and one that may not. */
  readonly second: TestServer;
  readonly third: TestServer;
  readonly redis: Redis;
}

async function watched(first: TestServer, startSecond: Start, startThird: Start): Promise<Watched> {
  await using stack = new AsyncDisposableStack();
  const args = [...AT_ONCE, "--replicaof", `127.0.0.1 ${first.port}`];
  const second = stack.use(await startSecond({ args, config: "" }));
  const third = stack.use(await startThird({ args: [...args, "--replica-priority", "0"], config: "" }));
  await bothOnline(await first.connect());
  const sentinels: TestServer[] = [];
  while (sentinels.length < SENTINELS) sentinels.push(stack.use(await startSentinel(first.port)));
  await acquainted(sentinels);
  const redis = stack.adopt(connectThrough(sentinels), (redis) => redis.disconnect());
  const started = stack.move();
  return { second, third, redis, [Symbol.asyncDispose]: () => started.disposeAsync() };
}

test("redis-sentinel: a dead master is replaced, and clients that ask the sentinels go on writing", async () => {
  if (!hasSentinel()) return;
  const dir = mkdtempSync(join(tmpdir(), "redstart-"));
  await using first = await startRedstart({ dir, args: AT_ONCE, config: "" });
  // The one that may not be promoted is of another make.
  await using watch = await watched(first, startRedstart, findRedis() === null ? startRedstart : startRedis);
  const { second, third, redis } = watch;
  try {
    for (let i = 0; i < 50; i++) await redis.rpush("numbers", i);
    assertEquals(await redis.wait(2, 10_000), 2);
    await first.kill();
    // It waits in the client until the sentinels have agreed on a new master.
    await redis.rpush("numbers", 50);
    const client = await second.connect();
    assertEquals((await info(client, "replication")).get("role"), "master");
    assertEquals(await redis.lrange("numbers", 0, -1), Array.from({ length: 51 }, (_, i) => String(i)));
    // The one that was dead comes back, is told to follow, and writes that into its configuration.
    await using back = await startRedstart({ dir, port: first.port, args: AT_ONCE, config: "" });
    for (const replica of [back, third]) await follows(replica, second);
    await redis.rpush("numbers", 51);
    assertEquals(await redis.wait(2, 10_000), 2);
    const returned = await back.connect();
    const remaining = await third.connect();
    assertEquals(await returned.call("LLEN", "numbers"), 52);
    assertEquals(await remaining.call("LLEN", "numbers"), 52);
    assertEquals(await returned.call("CONFIG", "GET", "replicaof"), ["replicaof", `127.0.0.1 ${second.port}`]);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

/** The master hangs and comes back, and finds that it is not the master any more. */
async function hangAndReturn(startFirst: Start, startSecond: Start): Promise<void> {
  await using first = await startFirst({ args: AT_ONCE, config: "" });
  await using watch = await watched(first, startSecond, startRedstart);
  const { second, third, redis } = watch;
  let written = 0;
  const write = async (count: number) => {
    for (const end = written + count; written < end; written++) await redis.sadd("numbers", written);
  };
  await write(50);
  assertEquals(await redis.wait(2, 10_000), 2);
  const old = await first.connect();
  process.kill(first.pid, "SIGSTOP");
  try {
    // Who does not ask gets no reply before the master is back; then it is executed, and is lost with its history.
    old.send("SADD numbers astray\r\n");
    await write(50);
    using client = await second.connect();
    assertEquals((await info(client, "replication")).get("role"), "master");
  } finally {
    process.kill(first.pid, "SIGCONT");
  }
  await write(50);
  for (const replica of [first, third]) await follows(replica, second);
  await write(50);
  const clients = [await second.connect(), await first.connect(), await third.connect()];
  await synchronised(clients[0], ...clients.slice(1));
  const numbers = Array.from({ length: written }, (_, i) => String(i));
  for (const client of clients) {
    assertEquals(await client.call("SORT_RO", "numbers", "ALPHA"), numbers.toSorted());
  }
}

test("redis-sentinel: a master that hangs is replaced, and follows when it goes on", async () => {
  if (!hasSentinel()) return;
  await hangAndReturn(startRedstart, startRedstart);
});

test("redis-sentinel: the same between Redstart and redis-server, in either direction", async () => {
  if (!hasSentinel() || !hasRedis()) return;
  await hangAndReturn(startRedstart, startRedis);
  await hangAndReturn(startRedis, startRedstart);
});
