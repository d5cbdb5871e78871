/** Snapshots: what is in the file is the state at its beginning, whatever is written meanwhile. */

import { assert, assertEquals } from "@std/assert";
import { Seeded } from "../kit/seeded.ts";
import { test } from "../kit/test.ts";
import { World } from "./world.ts";

/** Every key with its value, by SORT-like listing, so that two servers can be compared. */
async function digest(world: World): Promise<string> {
  return await world.run("DEBUG", "DIGEST");
}

const DEBUG = ["--enable-debug-command", "yes"];

/** A command that changes something, from a small world of keys with all types; `flushes`: it may delete everything. */
function change(random: Seeded, flushes: boolean): (string | number)[] {
  const key = `k${random.below(60)}`;
  const member = random.word(random.between(1, 30));
  switch (random.below(16)) {
    case 0:
      return ["SET", key, random.word(random.between(0, 200))];
    case 1:
      return ["DEL", key];
    case 2:
      return ["APPEND", `s${random.below(20)}`, member];
    case 3:
      return ["RPUSH", `l${random.below(20)}`, member, member];
    case 4:
      return ["LPOP", `l${random.below(20)}`];
    case 5:
      return ["SADD", `t${random.below(20)}`, member];
    case 6:
      return ["SPOP", `t${random.below(20)}`];
    case 7:
      return ["ZADD", `z${random.below(20)}`, random.below(100), member];
    case 8:
      return ["HSET", `h${random.below(20)}`, member, random.below(1000)];
    case 9:
      return ["HDEL", `h${random.below(20)}`, member];
    case 10:
      return ["RENAME", key, `k${random.below(60)}`];
    case 11:
      return ["PEXPIRE", key, 1 + random.below(40)];
    case 12:
      return ["COPY", key, `k${random.below(60)}`, "REPLACE"];
    case 13:
      return random.chance(0.1) ? ["SWAPDB", 0, 1] : ["INCR", `n${random.below(10)}`];
    case 14:
      return flushes && random.chance(0.1) ? ["FLUSHDB"] : ["MOVE", key, 1];
    default:
      return flushes && random.chance(0.05) ? ["FLUSHALL"] : ["SETEX", key, 1000, member];
  }
}

for (const preamble of ["yes", "no"]) {
  test(`snapshot: a file written under load is the state at its beginning (aof-use-rdb-preamble ${preamble})`, async () => {
    for (let seed = 1; seed <= 12; seed++) {
      const random = new Seeded(seed);
      const world = new World(seed);
      await world.boot(...DEBUG, "--aof-use-rdb-preamble", preamble);
      const expiry = ["DEBUG", "SET-ACTIVE-EXPIRE", "0"];
      await world.run(...expiry);
      for (let i = 0; i < 400; i++) await world.run(...change(random, false));
      // No deadline is near, so that time changes nothing by itself.
      for (let i = 0; i < 60; i++) await world.run("PERSIST", `k${i}`);
      const before = await digest(world);
      await world.run("CONFIG", "SET", "rdb-key-save-delay", "1000");
      await world.run("BGREWRITEAOF");
      let changes = 0;
      while (await world.field("aof_rewrite_in_progress") === "1") {
        await world.run(...change(random, true));
        await world.advance(random.below(3));
        changes++;
      }
      assert(changes > 10, `only ${changes} changes`);
      assertEquals(await world.field("aof_last_bgrewrite_status"), "ok");
      // The AOF is off: the file has the snapshot and nothing else.
      const again = new World(seed);
      const file = `/appendonlydir/appendonly.aof.1.base.${preamble === "yes" ? "rdb" : "aof"}`;
      again.disk.makeDirectory("/appendonlydir");
      again.write(file, world.file(file));
      again.write("/appendonlydir/appendonly.aof.manifest", world.file("/appendonlydir/appendonly.aof.manifest"));
      await again.boot(...DEBUG, "--appendonly", "yes");
      assertEquals(await digest(again), before, `seed ${seed}`);
    }
  });
}

test("snapshot: an invariant over keys that transactions change holds in the file", async () => {
  const random = new Seeded(7);
  const world = new World();
  await world.boot();
  for (let i = 0; i < 200; i++) await world.run("SET", `account${i}`, 100);
  await world.run("CONFIG", "SET", "rdb-key-save-delay", "500");
  await world.run("BGSAVE");
  const wire = await world.connect();
  for (let i = 0; await world.field("rdb_bgsave_in_progress") === "1"; i++) {
    const amount = random.below(50);
    wire.send("MULTI");
    wire.send("DECRBY", `account${random.below(200)}`, amount);
    wire.send("INCRBY", `account${random.below(200)}`, amount);
    wire.send("EXEC");
    await wire.receive();
    await world.advance(1);
    assert(i < 10_000);
  }
  const again = new World();
  again.write("/dump.rdb", world.file("/dump.rdb"));
  await again.boot();
  let sum = 0;
  for (let i = 0; i < 200; i++) sum += Number(await again.text("GET", `account${i}`));
  assertEquals(sum, 20_000);
});

test("snapshot: FLUSHALL gives a save up, and the next one works", async () => {
  const world = new World();
  await world.boot();
  for (let i = 0; i < 100; i++) await world.run("SET", `k${i}`, "x");
  await world.run("CONFIG", "SET", "rdb-key-save-delay", "1000");
  await world.run("BGSAVE");
  await world.advance(10);
  assertEquals(await world.field("rdb_bgsave_in_progress"), "1");
  await world.run("FLUSHALL");
  assertEquals(await world.field("rdb_bgsave_in_progress"), "0");
  assertEquals(await world.field("rdb_last_bgsave_status"), "ok");
  assertEquals(world.disk.list("/").filter((name) => name.startsWith("temp")), []);
  await world.run("SET", "a", "1");
  await world.run("CONFIG", "SET", "rdb-key-save-delay", "0");
  assertEquals(await world.run("BGSAVE"), "+Background saving started\r\n");
  await world.advance(100);
  assertEquals(await world.field("rdb_changes_since_last_save"), "0");
  const again = new World();
  again.write("/dump.rdb", world.file("/dump.rdb"));
  await again.boot();
  assertEquals(await again.run("DBSIZE"), ":1\r\n");
});

test("snapshot: SAVE in the middle of BGSAVE and of a rewrite disturbs neither", async () => {
  const world = new World();
  await world.boot(...DEBUG, "--appendonly", "yes");
  for (let i = 0; i < 50; i++) await world.run("SET", `k${i}`, i);
  await world.run("CONFIG", "SET", "rdb-key-save-delay", "1000");
  await world.run("BGREWRITEAOF");
  await world.advance(10);
  await world.run("SET", "k0", "changed");
  await world.run("CONFIG", "SET", "rdb-key-save-delay", "0");
  assertEquals(await world.run("SAVE"), "+OK\r\n");
  assertEquals(await world.field("aof_rewrite_in_progress"), "1");
  await world.advance(1000);
  assertEquals(await world.field("aof_last_bgrewrite_status"), "ok");
  const state = await digest(world);
  await world.boot(...DEBUG, "--appendonly", "yes");
  assertEquals(await digest(world), state);
  await world.boot(...DEBUG);
  assertEquals(await digest(world), state);
});
