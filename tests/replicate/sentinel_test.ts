/** Three real redis-sentinel processes watch a master with replicas; when it dies they make another one master. */

import { assertEquals } from "@std/assert";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { findRedis, startRedis, startRedstart, startServer, type TestServer } from "../kit/server.ts";
import { test } from "../kit/test.ts";
import { eventually, info } from "./waiting.ts";

const QUORUM = 2;
/** A full resynchronisation does not wait for further replicas. */
const AT_ONCE = ["--repl-diskless-sync-delay", "0"];

function hasSentinel(): boolean {
  if (spawnSync("redis-sentinel", ["--version"]).status === 0) return true;
  console.log("redis-sentinel is not installed: skipped");
  return false;
}

function startSentinel(masterPort: number): Promise<TestServer> {
  const config = [
    `sentinel monitor main 127.0.0.1 ${masterPort} ${QUORUM}`,
    "sentinel down-after-milliseconds main 700",
    "sentinel failover-timeout main 4000",
    "sentinel parallel-syncs main 1",
  ];
  return startServer(["redis-sentinel"], { config: config.join("\n") + "\n", readyWhen: /\+monitor master main/ });
}

test("redis-sentinel: a dead master is replaced, and clients that ask the sentinels go on writing", async () => {
  if (!hasSentinel()) return;
  const dir = mkdtempSync(join(tmpdir(), "redstart-"));
  await using first = await startRedstart({ dir, args: AT_ONCE, config: "" });
  const args = [...AT_ONCE, "--replicaof", `127.0.0.1 ${first.port}`];
  await using second = await startRedstart({ args, config: "" });
  // One of another make, which may not be promoted.
  const other = findRedis() === null ? startRedstart : startRedis;
  await using third = await other({ args: [...args, "--replica-priority", "0"], config: "" });
  const master = await first.connect();
  // What they do not find at once they look for again only after ten seconds.
  await eventually("both replicas are online", async () => {
    const fields = await info(master, "replication");
    return ["slave0", "slave1"].every((name) => fields.get(name)?.includes("state=online") === true);
  });
  await using one = await startSentinel(first.port);
  await using two = await startSentinel(first.port);
  await using three = await startSentinel(first.port);
  const sentinels = [one, two, three];
  for (const sentinel of sentinels) {
    const client = await sentinel.connect();
    await eventually("the sentinels know each other and the replicas", async () => {
      const master = await client.call("SENTINEL", "MASTER", "main");
      if (!Array.isArray(master)) return false;
      const field = (name: string) => master[master.indexOf(name) + 1];
      return field("num-slaves") === "2" && field("num-other-sentinels") === "2";
    });
  }
  const redis = new Redis({
    sentinels: sentinels.map(({ port }) => ({ host: "127.0.0.1", port })),
    name: "main",
    sentinelRetryStrategy: () => 50,
    retryStrategy: () => 50,
    maxRetriesPerRequest: null,
  });
  redis.on("error", () => {});
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
    for (const replica of [back, third]) {
      await eventually("all follow the new master", async () => {
        // A sentinel that changes a server's master closes the connections of its clients.
        using client = await replica.connect();
        const fields = await info(client, "replication").catch(() => new Map<string, string>());
        return fields.get("master_port") === String(second.port) && fields.get("master_link_status") === "up";
      }, 90_000);
    }
    await redis.rpush("numbers", 51);
    assertEquals(await redis.wait(2, 10_000), 2);
    const returned = await back.connect();
    const remaining = await third.connect();
    assertEquals(await returned.call("LLEN", "numbers"), 52);
    assertEquals(await remaining.call("LLEN", "numbers"), 52);
    assertEquals(await returned.call("CONFIG", "GET", "replicaof"), ["replicaof", `127.0.0.1 ${second.port}`]);
  } finally {
    redis.disconnect();
    rmSync(dir, { recursive: true, force: true });
  }
});
