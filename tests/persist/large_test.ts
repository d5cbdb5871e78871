/**
 * Large values in snapshots: they are written bit by bit while commands change them in every way, and the file has them as they
 * were at the beginning.
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Seeded } from "../kit/seeded.ts";
import { hasRedis, startRedis } from "../kit/server.ts";
import { test } from "../kit/test.ts";
import { World } from "./world.ts";

type Command = (string | number)[];

/** How a type's values are made and changed. `key` is one of two large keys of the type. */
interface Kind {
  readonly name: string;
  readonly config?: Command;
  make(random: Seeded, key: string): Command[];
  change(random: Seeded, key: string): Command;
}

const member = (random: Seeded, most = 6000) => `member:${random.below(most)}`;
const id = (random: Seeded) => `${random.below(4000)}-0`;

/** Commands with a few hundred elements each. */
function batches(count: number, name: string, key: string, element: (i: number) => Command): Command[] {
  const commands = [];
  for (let i = 0; i < count;) {
    const command: Command = [name, key];
    for (const end = Math.min(count, i + 300); i < end; i++) command.push(...element(i));
    commands.push(command);
  }
  return commands;
}

const KINDS: readonly Kind[] = [
  {
    name: "hash",
    make: (random, key) => [
      ...batches(4000, "HSET", key, (i) => [`member:${i}`, random.word(random.between(1, 30))]),
      ["HSET", key, "long", random.word(100).repeat(3000), "x".repeat(5000), "y".repeat(20_000)],
    ],
    change: (random, key) =>
      random.pick([
        () => ["HSET", key, member(random), random.word(random.between(1, 60))],
        () => ["HSET", key, member(random), 1, member(random), 2, member(random), 3],
        () => ["HDEL", key, ...Array.from({ length: 20 }, () => member(random))],
        () => ["HINCRBY", key, `number:${random.below(50)}`, 3],
        () => ["HSET", key, "long", random.word(100).repeat(random.between(1, 2000))],
        () => ["HDEL", key, random.pick(["long", "x".repeat(5000)])],
        () => ["HSETNX", key, `new:${random.below(1e6)}`, "v"],
      ])() as Command,
  },
  {
    name: "set",
    make: (_, key) => [...batches(5000, "SADD", key, (i) => [`member:${i}`]), ["SADD", key, "z".repeat(100_000)]],
    change: (random, key) =>
      random.pick([
        () => ["SADD", key, member(random), member(random)],
        () => ["SREM", key, ...Array.from({ length: 20 }, () => member(random))],
        () => ["SPOP", key, random.below(30)],
        () => ["SMOVE", key, `${key.slice(0, -1)}${key.endsWith("1") ? 2 : 1}`, member(random)],
        () => ["SREM", key, "z".repeat(100_000)],
      ])() as Command,
  },
  {
    name: "zset",
    make: (random, key) => batches(4000, "ZADD", key, (i) => [random.below(1000) / 4, `member:${i}`]),
    change: (random, key) =>
      random.pick([
        () => ["ZADD", key, random.below(1000) / 4, member(random)],
        () => ["ZINCRBY", key, random.between(-100, 100), member(random)],
        () => ["ZREM", key, ...Array.from({ length: 20 }, () => member(random))],
        () => ["ZREMRANGEBYRANK", key, ...rangeOf(random, 4000, 20)],
        () => ["ZREMRANGEBYSCORE", key, ...rangeOf(random, 250, 1)],
        () => ["ZPOPMIN", key, 3],
        () => ["ZPOPMAX", key, 3],
        () => ["ZADD", key, random.pick(["inf", "-inf", 0, "-0"]), member(random)],
      ])() as Command,
  },
  ...([[-2, 0], [-2, 1], [1, 0], [3, 2]] as const).map(([fill, depth]): Kind => ({
    name: `list, nodes of ${fill}, compression depth ${depth}`,
    config: ["list-max-listpack-size", fill, "list-compress-depth", depth],
    make: (random, key) => [
      ...batches(6000, "RPUSH", key, () => [random.word(random.between(1, 30))]),
      ["RPUSH", key, "long".repeat(50_000), "tail"],
      ...batches(2000, "RPUSH", key, (i) => [i % 40]),
    ],
    change: (random, key) =>
      random.pick([
        () => ["LPUSH", key, random.word(10), random.word(20)],
        () => ["RPUSH", key, random.word(10), random.word(200)],
        () => ["LPOP", key, random.below(10)],
        () => ["RPOP", key, random.below(10)],
        () => ["LSET", key, random.below(4000), random.word(random.between(1, 100))],
        () => ["LREM", key, random.between(-2, 2), random.below(40)],
        () => ["LINSERT", key, random.pick(["BEFORE", "AFTER"]), random.below(40), random.word(20)],
        () => ["LTRIM", key, random.below(50), -1 - random.below(50)],
        () => ["LMOVE", key, key, "LEFT", "RIGHT"],
        () => ["LREM", key, 1, "long".repeat(50_000)],
        () => ["LSET", key, 6000 - random.below(10), "short"],
        () => ["RPUSH", key, random.word(50).repeat(3000)],
        () => ["LRANGE", key, random.below(3000), 3000],
      ])() as Command,
  })),
  {
    name: "stream",
    make: (random, key) => [
      ...Array.from({ length: 3000 }, (_, i) => ["XADD", key, `${i + 1}-0`, "field", random.word(30)]),
      ["XADD", key, "3001-0", "field", "s".repeat(100_000)],
      ["XGROUP", "CREATE", key, "g1", 0],
      ["XGROUP", "CREATE", key, "g2", 1000],
      ["XREADGROUP", "GROUP", "g1", "alice", "COUNT", 1500, "STREAMS", key, ">"],
      ["XREADGROUP", "GROUP", "g1", "bob", "COUNT", 500, "STREAMS", key, ">"],
    ],
    change: (random, key) =>
      random.pick([
        () => ["XADD", key, "*", "field", random.word(10), "other", 1],
        () => ["XDEL", key, ...Array.from({ length: 10 }, () => id(random))],
        () => ["XDEL", key, "3001-0"],
        () => ["XTRIM", key, "MAXLEN", 1000 + random.below(2000)],
        () => ["XTRIM", key, "MINID", "~", id(random)],
        () => ["XACK", key, "g1", ...Array.from({ length: 10 }, () => id(random))],
        () => [
          "XREADGROUP",
          "GROUP",
          random.pick(["g1", "g2"]),
          random.pick(["alice", "carol"]),
          "COUNT",
          5,
          "STREAMS",
          key,
          ">",
        ],
        () => ["XCLAIM", key, "g1", "dave", 0, id(random), id(random)],
        () => ["XAUTOCLAIM", key, "g1", "erin", 0, id(random), "COUNT", 20],
        () => ["XGROUP", "DELCONSUMER", key, "g1", random.pick(["bob", "dave", "erin"])],
        () => ["XGROUP", random.chance(0.2) ? "DESTROY" : "CREATECONSUMER", key, "g2", "fred"],
        () => ["XSETID", key, `${random.between(10_000, 20_000)}-1`],
      ])() as Command,
  },
  {
    name: "string",
    make: (random, key) => [
      ["SET", key, random.word(100).repeat(4000)],
      ["SETRANGE", key, 500_000, "end"],
      // Such as cannot be compressed.
      ["SET", `${key}:random`, Array.from({ length: 3000 }, () => random.word(100)).join("")],
    ],
    change: (random, base) => {
      const key = random.pick([base, `${base}:random`]);
      return random.pick([
        () => ["SETRANGE", key, random.below(500_000), random.word(random.between(1, 30))],
        () => ["SETRANGE", key, random.below(500_000), "long".repeat(50_000)],
        () => ["SETBIT", key, random.below(4_000_000), random.below(2)],
        () => ["BITFIELD", key, "SET", "u33", random.below(4_000_000), random.below(1e9), "INCRBY", "i8", "#70000", 1],
        () => ["BITFIELD", key, "SET", "i64", random.below(4_000_000), "-9223372036854775808"],
        () => ["APPEND", key, random.word(30)],
        () => random.chance(0.2) ? ["SET", key, "short"] : ["GET", "none"],
        () => ["SET", key, random.word(100).repeat(random.between(3900, 4100))],
        () => ["BITOP", "NOT", key, key],
        () => ["GETSET", key, random.word(10).repeat(50_000)],
      ])() as Command;
    },
  },
];

function rangeOf(random: Seeded, most: number, width: number): [number, number] {
  const from = random.below(most);
  return [from, from + width];
}

/** What may be done to any key; `other` is the second of its type. */
function changeKey(random: Seeded, key: string, other: string): Command {
  return random.pick([
    ["DEL", key],
    ["UNLINK", key],
    ["RENAME", key, other],
    ["RENAME", key, "renamed"],
    ["RENAME", "renamed", key],
    ["COPY", key, other, "REPLACE"],
    ["COPY", key, "small", "DB", 1, "REPLACE"],
    ["MOVE", key, 1],
    ["SWAPDB", 0, 1],
    ["PEXPIRE", key, 5],
    ["PERSIST", key],
    ["SET", key, "another type"],
    ["FLUSHDB"],
    ["FLUSHALL"],
    ["SORT", key, "BY", "nosort", "STORE", other],
  ]);
}

/** A snapshot that was written while changes were made. */
interface Saved {
  readonly file: Uint8Array;
  /** DEBUG DIGEST at the beginning. */
  readonly digest: string;
  /** Times that something was changed. */
  readonly changes: number;
}

/** Begins a snapshot, makes changes until it has ended, and demands that the file has the state at its beginning. */
async function saveWhile(
  seed: number,
  kind: Kind,
  preamble: boolean,
  changes: (random: Seeded) => Command,
): Promise<Saved> {
  const random = new Seeded(seed);
  const world = new World(seed);
  // Values and replies go over the wire at once.
  world.simulation.network.window = 1 << 24;
  const yesNo = preamble ? "yes" : "no";
  await world.boot("--enable-debug-command", "yes", "--aof-use-rdb-preamble", yesNo, "--proto-max-bulk-len", "512mb");
  const { keyspace } = world.server.engine;
  const usedAtStart = keyspace.slab.used;
  if (kind.config !== undefined) await world.run("CONFIG", "SET", ...kind.config);
  for (const key of ["key1", "key2"]) {
    for (const command of kind.make(random, key)) await world.run(...command);
  }
  for (let i = 0; i < 100; i++) await world.run("SET", `s${i}`, i);
  if (random.chance(0.5)) await world.run("PEXPIREAT", "key1", 4_000_000_000_000);
  const before = await world.run("DEBUG", "DIGEST");
  await world.run("CONFIG", "SET", "rdb-key-save-delay", random.pick([300, 1000, 3000]));
  await world.run("BGREWRITEAOF");
  let count = 0;
  while (await world.field("aof_rewrite_in_progress") === "1") {
    for (let n = random.below(3); n >= 0; n--) await world.run(...changes(random));
    await world.advance(random.below(4));
    count++;
  }
  const context = `${kind.name}, seed ${seed}, preamble ${yesNo}`;
  assertEquals(await world.field("aof_last_bgrewrite_status"), "ok", context);
  const again = new World(seed);
  const file = `/appendonlydir/appendonly.aof.1.base.${preamble ? "rdb" : "aof"}`;
  again.disk.makeDirectory("/appendonlydir");
  for (const name of [file, "/appendonlydir/appendonly.aof.manifest"]) again.disk.write(name, world.disk.read(name));
  await again.boot("--enable-debug-command", "yes", "--appendonly", "yes");
  assertEquals(await again.run("DEBUG", "DIGEST"), before, context);
  // Everything that was held has been let go.
  assertEquals([keyspace.barrier, keyspace.inherited], [null, 0], context);
  for (const db of keyspace.databases) db.abandon();
  await world.advance(2000);
  assertEquals([keyspace.graveyard.length, keyspace.slab.used], [0, usedAtStart], context);
  return { file: world.disk.read(file), digest: before, changes: count };
}

function changeValue(random: Seeded, kind: Kind): Command {
  if (random.chance(0.15)) return ["SET", `s${random.below(100)}`, random.word(10)];
  return kind.change(random, random.pick(["key1", "key2"]));
}

for (const kind of KINDS) {
  for (const preamble of [true, false]) {
    test(`large values: a ${kind.name} changed while it is saved${preamble ? "" : " as commands"}`, async () => {
      let changes = 0;
      for (let seed = 1; seed <= 4; seed++) {
        changes += (await saveWhile(seed, kind, preamble, (random) => changeValue(random, kind))).changes;
      }
      assert(changes > 40, `only ${changes} changes`);
    });
  }
  test(`large values: keys with a ${kind.name} come and go while it is saved`, async () => {
    for (let seed = 11; seed <= 16; seed++) {
      await saveWhile(seed, kind, true, (random) => {
        const [key, other] = random.pick([["key1", "key2"], ["key2", "key1"]]);
        if (random.chance(0.5)) return kind.change(random, key);
        if (random.chance(0.7)) return ["SET", `s${random.below(100)}`, random.word(10)];
        return changeKey(random, key, other);
      });
    }
  });
}

test("large values: redis-check-rdb finds nothing wrong, and redis-server loads what was there at the beginning", async () => {
  if (!hasRedis()) return;
  for (const [i, kind] of KINDS.entries()) {
    const { file, digest } = await saveWhile(21 + i, kind, true, (random) => changeValue(random, kind));
    const dir = mkdtempSync(join(tmpdir(), "redstart-large-"));
    try {
      writeFileSync(join(dir, "dump.rdb"), file);
      const check = spawnSync("redis-check-rdb", [join(dir, "dump.rdb")], { encoding: "utf8" });
      assertStringIncludes(check.stdout, "RDB looks OK!", kind.name);
      await using redis = await startRedis({ dir });
      const client = await redis.connect();
      assertEquals(await client.ok("DEBUG", "DIGEST"), { status: digest.slice(1, -2) }, kind.name);
    } finally {
      rmSync(dir, { recursive: true });
    }
  }
});
