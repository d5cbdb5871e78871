/** Saving to RDB files on a disk that fails, save points, SHUTDOWN; on a simulated machine and, where that is allowed, a full file system. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startRedstart } from "../kit/server.ts";
import { test } from "../kit/test.ts";
import { World } from "./world.ts";

const POINTS = ["--save", "3600 1"];
const MISCONF =
  "-MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Commands that may modify the data set are disabled, because this instance is configured to report errors during writes if RDB snapshotting fails (stop-writes-on-bgsave-error option). Please check the Redis logs for details about the RDB error.\r\n";

test("save: whatever step of BGSAVE fails, the old file stays, writes are refused, and the next save is welcome", async () => {
  const failures = new Set<string>();
  for (let failing = 0, done = false; !done; failing++) {
    assert(failing < 50);
    const world = new World();
    await world.boot(...POINTS);
    await world.run("SET", "a", "1");
    assertEquals(await world.run("SAVE"), "+OK\r\n");
    const old = world.file("/dump.rdb");
    await world.run("SET", "a", "2");
    let count = 0;
    let failed = "";
    world.disk.fault = (operation, path) => {
      // The old file is only opened to be freed in the background: nothing depends on it.
      if (operation === "open" && path === "/dump.rdb") return "EACCES";
      if (failed !== "" || count++ !== failing) return null;
      failed = operation;
      return "ENOSPC";
    };
    const reply = await world.run("BGSAVE");
    await world.advance(1000);
    done = failed === "";
    if (done) break;
    failures.add(failed);
    world.disk.fault = () => null;
    assertEquals(reply, failed === "open" ? "-ERR\r\n" : "+Background saving started\r\n", failed);
    assertEquals(await world.field("rdb_bgsave_in_progress"), "0", failed);
    assertEquals(await world.field("rdb_last_bgsave_status"), "err", failed);
    assertEquals(await world.run("SET", "b", "1"), MISCONF, failed);
    assertEquals(await world.run("PING"), MISCONF, failed);
    assertEquals(await world.text("GET", "a"), "2", failed);
    // A directory that cannot be synced has the new name all the same.
    if (failed !== "syncDirectory") assertEquals(world.file("/dump.rdb"), old, failed);
    assertEquals(world.disk.list("/"), ["dump.rdb"], failed);
    assertStringIncludes(world.log, "No space left on device", failed);
    assertStringIncludes(world.log, "Background saving error", failed);
    await world.run("CONFIG", "SET", "stop-writes-on-bgsave-error", "no");
    assertEquals(await world.run("SET", "b", "1"), "+OK\r\n", failed);
    await world.run("CONFIG", "SET", "stop-writes-on-bgsave-error", "yes");
    assertEquals(await world.run("SET", "b", "2"), MISCONF, failed);
    await world.run("BGSAVE");
    await world.advance(1000);
    assertEquals(await world.field("rdb_last_bgsave_status"), "ok", failed);
    assertEquals(await world.run("SET", "b", "3"), "+OK\r\n", failed);
  }
  assertEquals([...failures].sort(), ["open", "rename", "sync", "syncDirectory", "write"]);
});

test("save: a save point whose save failed is tried again until it works, without anybody's help", async () => {
  const world = new World();
  await world.boot("--save", "5 3");
  for (let i = 0; i < 3; i++) await world.run("SET", "a", i);
  world.disk.capacity = 0;
  await world.advance(7000);
  assertEquals(await world.field("rdb_last_bgsave_status"), "err");
  assertEquals(await world.run("SET", "a", "x"), MISCONF);
  await world.advance(20_000);
  const tries = world.log.split("3 changes in 5 seconds. Saving...").length - 1;
  assert(tries >= 3 && tries <= 6, `${tries} tries`);
  world.disk.capacity = Infinity;
  await world.advance(6000);
  assertEquals(await world.field("rdb_last_bgsave_status"), "ok");
  assertEquals(await world.run("SET", "a", "x"), "+OK\r\n");
  assertEquals(await world.field("rdb_changes_since_last_save"), "1");
});

test("save: SAVE answers with an error and leaves nothing behind when the disk is full", async () => {
  const world = new World();
  await world.boot();
  await world.run("SET", "a", "1");
  world.disk.capacity = 20;
  assertEquals(await world.run("SAVE"), "-ERR\r\n");
  assertEquals(world.disk.list("/"), []);
  assertEquals(await world.run("SET", "b", "1"), "+OK\r\n");
  world.disk.capacity = Infinity;
  assertEquals(await world.run("SAVE"), "+OK\r\n");
});

test("save: a file that vanishes during the save is missed in the end", async () => {
  const world = new World();
  await world.boot(...POINTS);
  for (let i = 0; i < 20; i++) await world.run("SET", `k${i}`, i);
  await world.run("CONFIG", "SET", "rdb-key-save-delay", "1000");
  await world.run("BGSAVE");
  await world.advance(5);
  const [temporary] = world.disk.list("/");
  world.disk.remove(`/${temporary}`);
  await world.advance(1000);
  assertEquals(await world.field("rdb_last_bgsave_status"), "err");
  assertStringIncludes(world.log, "No such file or directory");
});

test("save: a file that was saved survives a power cut, and one that was being saved leaves the old one", async () => {
  for (let delay = 0; delay < 40; delay += 3) {
    const world = new World(delay + 1);
    await world.boot(...POINTS);
    for (let i = 0; i < 20; i++) await world.run("SET", `k${i}`, "old");
    await world.run("SAVE");
    for (let i = 0; i < 20; i++) await world.run("SET", `k${i}`, "new");
    await world.run("CONFIG", "SET", "rdb-key-save-delay", "1000");
    await world.run("BGSAVE");
    await world.advance(delay);
    const saved = await world.field("rdb_bgsave_in_progress") === "0";
    world.machine.crash(true);
    await world.boot(...POINTS);
    const values = new Set<string>();
    for (let i = 0; i < 20; i++) values.add(await world.text("GET", `k${i}`));
    assertEquals([...values], [saved ? "new" : "old"]);
  }
});

test("save: BGSAVE, SCHEDULE and BGREWRITEAOF take turns", async () => {
  const world = new World();
  await world.boot();
  for (let i = 0; i < 20; i++) await world.run("SET", `k${i}`, i);
  await world.run("CONFIG", "SET", "rdb-key-save-delay", "1000");
  assertEquals(await world.run("BGREWRITEAOF"), "+Background append only file rewriting started\r\n");
  assertEquals(await world.run("BGREWRITEAOF"), "-ERR Background append only file rewriting already in progress\r\n");
  assertEquals(
    await world.run("BGSAVE"),
    "-ERR Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE SCHEDULE in order to schedule a BGSAVE whenever possible.\r\n",
  );
  assertEquals(await world.run("BGSAVE", "SCHEDULE"), "+Background saving scheduled\r\n");
  // The cron comes ten times a second.
  await world.advance(105);
  assertEquals(await world.field("rdb_bgsave_in_progress"), "1");
  assertEquals(await world.run("BGSAVE"), "-ERR Background save already in progress\r\n");
  assertEquals(await world.run("SAVE"), "-ERR Background save already in progress\r\n");
  assertEquals(await world.run("BGREWRITEAOF"), "+Background append only file rewriting scheduled\r\n");
  await world.advance(1000);
  assertEquals(await world.field("rdb_saves"), "1");
  assertEquals(await world.field("aof_rewrites"), "2");
});

/** Ends the server of a world; true if it has ended. */
async function shutDown(world: World, ...options: string[]): Promise<boolean> {
  let ended = false;
  world.server.onEnd = () => ended = true;
  (await world.connect()).send("SHUTDOWN", ...options);
  await world.advance(2000);
  return ended;
}

test("shutdown: saves where there are save points, or as told", async () => {
  const table: [string, string[], boolean][] = [
    ["", [], false],
    ["", ["SAVE"], true],
    ["3600 1", [], true],
    ["3600 1", ["NOSAVE"], false],
  ];
  for (const [points, options, saves] of table) {
    const world = new World();
    await world.boot("--save", points);
    await world.run("SET", "a", "1");
    assert(await shutDown(world, ...options));
    assertEquals(world.disk.list("/"), saves ? ["dump.rdb"] : []);
  }
});

test("shutdown: goes on when it cannot save, unless forced; writes wait and are served then", async () => {
  const world = new World();
  await world.boot(...POINTS);
  for (let i = 0; i < 100; i++) await world.run("SET", `k${i}`, "1");
  await world.run("CONFIG", "SET", "rdb-key-save-delay", "1000");
  world.disk.capacity = 100;
  let ended = false;
  world.server.onEnd = () => ended = true;
  const wire = await world.connect();
  const writer = await world.connect();
  wire.send("SHUTDOWN");
  await world.advance(10);
  writer.send("SET", "late", "1");
  await world.advance(10);
  assertEquals([wire.text, writer.text, await world.text("GET", "k1")], ["", "", "1"]);
  await world.advance(1000);
  assertEquals([ended, wire.text, writer.text], [
    false,
    "-ERR Errors trying to SHUTDOWN. Check logs.\r\n",
    "+OK\r\n",
  ]);
  assertStringIncludes(world.log, "Error trying to save the DB, can't exit.");
  await world.run("CONFIG", "SET", "rdb-key-save-delay", "0");
  assert(await shutDown(world, "FORCE"));
});

test("shutdown: ABORT stops it while it saves, a second SIGINT ends at once; no file is left behind", async () => {
  const world = new World();
  await world.boot(...POINTS);
  for (let i = 0; i < 100; i++) await world.run("SET", `k${i}`, "1");
  await world.run("CONFIG", "SET", "rdb-key-save-delay", "1000");
  const wire = await world.connect();
  wire.send("SHUTDOWN");
  await world.advance(10);
  assertEquals(world.disk.list("/").length, 1);
  assertEquals(await world.run("SHUTDOWN", "ABORT"), "+OK\r\n");
  assertEquals(await wire.receive(), "-ERR Errors trying to SHUTDOWN. Check logs.\r\n");
  assertEquals(world.disk.list("/"), []);
  assertEquals(await world.run("SET", "a", "1"), "+OK\r\n");
  assertEquals(await world.run("SHUTDOWN", "ABORT"), "-ERR No shutdown in progress.\r\n");
  world.server.ending.signalled("SIGINT");
  await world.advance(120);
  assertEquals(world.disk.list("/").length, 1);
  let status = "";
  try {
    world.server.ending.signalled("SIGINT");
  } catch (error) {
    status = (error as Error).message;
  }
  assertEquals([status, world.disk.list("/")], ["exit 1", []]);
});

test("save: a real file system that is full refuses the file, and takes it when there is room", async () => {
  const dir = mkdtempSync(join(tmpdir(), "redstart-small-"));
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", dir]);
  if (mounted.status !== 0) {
    rmdirSync(dir);
    console.log("no file system can be mounted here: skipped");
    return;
  }
  try {
    await using server = await startRedstart({ dir, args: ["--appendonly", "yes", "--rdbcompression", "no"] });
    const client = await server.connect();
    let refused = "";
    for (let i = 0; i < 400 && refused === ""; i++) {
      const reply = await client.call("SET", `key${i % 10}`, `${i}`.repeat(2000));
      if (typeof reply === "object" && reply !== null && "error" in reply) refused = String(reply.error);
    }
    assertEquals(refused, "MISCONF Errors writing to the AOF file: No space left on device");
    const before = await client.call("DEBUG", "DIGEST");
    assertEquals(await client.call("STRLEN", "key5"), 6000);
    spawnSync("mount", ["-o", "remount,size=8m", dir]);
    for (let i = 0; i < 100; i++) {
      const reply = await client.call("SET", "after", "1");
      if (typeof reply !== "object" || reply === null || !("error" in reply)) break;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    assertEquals(await client.call("GET", "after"), "1");
    await client.call("DEL", "after");
    await server.kill();
    await using again = await startRedstart({ dir, args: ["--appendonly", "yes"] });
    assertEquals(await (await again.connect()).call("DEBUG", "DIGEST"), before);
  } finally {
    spawnSync("umount", [dir]);
    rmdirSync(dir);
  }
});
