/** Which events the latency monitor records, and when: time stands still but for what the test makes slow. */

import { assertEquals } from "@std/assert";
import type { DiskOperation } from "../../lib/platform/memory_files.ts";
import { test } from "../kit/test.ts";
import { World } from "../persist/world.ts";

const ON = ["--latency-monitor-threshold", "5"];

/** What LATENCY LATEST shows: the worst milliseconds by event, those of the commands that look left out. */
function events(world: World): Record<string, number> {
  const { latency } = world.server.engine.observation;
  const found = Object.fromEntries([...latency.events].map(([name, { max }]) => [name, max]));
  latency.reset(null);
  return found;
}

/** From now on operations of the disk on files with `part` in their path take `ms`. */
function slow(world: World, operation: DiskOperation, part: string, ms: number): void {
  world.disk.fault = (what, path) => {
    if (what === operation && path.includes(part)) world.simulation.clock.block(ms);
    return null;
  };
}

test("latency: a slow write of the AOF is told with what else the disk had to do", async () => {
  const world = new World();
  await world.boot(...ON, "--appendonly", "yes");
  slow(world, "write", ".incr.aof", 4);
  await world.run("SET", "a", 1);
  assertEquals(events(world), {}, "below the threshold");
  slow(world, "write", ".incr.aof", 20);
  await world.run("SET", "a", 2);
  assertEquals(events(world), { "aof-write": 20, "aof-write-alone": 20 });

  world.disk.latencyMs = 5000;
  await world.advance(1200);
  events(world);
  await world.run("SET", "a", 3);
  assertEquals(events(world), { "aof-write": 20, "aof-write-pending-fsync": 20 });
  await world.advance(10_000);

  world.disk.latencyMs = 0;
  await world.run("CONFIG", "SET", "appendfsync", "no", "rdb-key-save-delay", 100_000);
  await world.run("BGSAVE");
  events(world);
  await world.run("SET", "a", 4);
  assertEquals(events(world), { "aof-write": 20, "aof-write-active-child": 20 });
});

test("latency: the sync of always, the renames of a rewrite, a save that is given up", async () => {
  const world = new World();
  await world.boot(...ON, "--appendonly", "yes", "--appendfsync", "always");
  slow(world, "sync", ".incr.aof", 30);
  await world.run("SET", "a", 1);
  await world.advance(100);
  assertEquals(events(world), { "aof-fsync-always": 30 });

  slow(world, "rename", "temp-rewriteaof", 40);
  await world.run("BGREWRITEAOF");
  await world.advance(3000);
  assertEquals(await world.field("aof_last_bgrewrite_status"), "ok");
  assertEquals(events(world), { "aof-rename": 40 });

  await world.run("CONFIG", "SET", "rdb-key-save-delay", 100_000);
  await world.run("BGSAVE");
  slow(world, "remove", "temp-", 50);
  assertEquals(events(world), {});
  await world.run("SHUTDOWN", "NOSAVE");
  assertEquals(events(world)["rdb-unlink-temp-file"], 50);
});

test("latency: eviction, its deletions, and freeing what was deleted", async () => {
  const world = new World();
  await world.boot(...ON, "--maxmemory-policy", "allkeys-random", "--maxmemory-eviction-tenacity", "100");
  const { keyspace } = world.server.engine;
  const { clock } = world.simulation;
  const [db] = keyspace.databases;
  const remove = db.remove.bind(db), reap = keyspace.reap.bind(keyspace);
  db.remove = (ref) => {
    clock.block(7);
    remove(ref);
  };
  await world.run("SADD", "set", ...Array.from({ length: 1000 }, (_, i) => `member:${i}`));
  await world.advance(1000);
  assertEquals(db.dict.count, 1);
  keyspace.reap = (until) => {
    clock.block(11);
    return reap(until);
  };
  events(world);
  await world.run("CONFIG", "SET", "maxmemory", 1);
  await world.advance(100);
  assertEquals(db.dict.count, 0);
  assertEquals(events(world), { "eviction-del": 7, "eviction-lazyfree": 11, "eviction-cycle": 18 });
});

test("latency: expiry, slow and fast commands, and serving a client that was blocked", async () => {
  const world = new World();
  await world.boot(...ON, "--enable-debug-command", "yes");
  const { keyspace } = world.server.engine;
  const { clock } = world.simulation;
  const expireDue = keyspace.expireDue.bind(keyspace);
  keyspace.expireDue = (until) => {
    clock.block(9);
    return expireDue(until);
  };
  await world.run("SET", "a", 1, "PX", 50);
  await world.advance(1000);
  assertEquals(events(world), { "expire-cycle": 9 });
  await world.run("DEBUG", "SLEEP", "0.012");
  assertEquals(events(world), { command: 12 });

  const [db] = keyspace.databases;
  const changed = db.changed.bind(db);
  const waiting = await world.connect();
  waiting.send("BLPOP", "list", 0);
  await world.advance(0);
  db.changed = (...told: Parameters<typeof changed>) => {
    clock.block(13);
    changed(...told);
  };
  await world.run("RPUSH", "list", "x");
  await world.advance(100);
  assertEquals(await waiting.receive(), "*2\r\n$4\r\nlist\r\n$1\r\nx\r\n");
  assertEquals(events(world), { "fast-command": 13, "command-unblocking": 13 });
});

test("latency: while the monitor is off nothing is timed", async () => {
  const world = new World();
  await world.boot("--appendonly", "yes");
  slow(world, "write", ".incr.aof", 500);
  await world.run("SET", "a", 1);
  assertEquals(events(world), {});
});
