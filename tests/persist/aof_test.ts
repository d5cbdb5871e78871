/**
 * The append only file on a simulated disk: what survives when the power goes, where a file may be cut, what happens when the disk is full
 * or fails.
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { Seeded } from "../kit/seeded.ts";
import { test } from "../kit/test.ts";
import { World } from "./world.ts";

const ON = ["--appendonly", "yes"];
const ALWAYS = [...ON, "--appendfsync", "always"];
const DEBUG = ["--enable-debug-command", "yes"];
const FULL = "-MISCONF Errors writing to the AOF file: No space left on device\r\n";
const INCREMENT = "/appendonlydir/appendonly.aof.1.incr.aof";

test("aof always: what was acknowledged survives a power cut at any moment", async () => {
  for (let seed = 1; seed <= 60; seed++) {
    const random = new Seeded(seed);
    const world = new World(seed);
    await world.boot(...ALWAYS);
    const wires = [await world.connect(), await world.connect(), await world.connect()];
    const acknowledged = [0, 0, 0];
    const sent = [0, 0, 0];
    const steps = random.between(1, 60);
    for (let step = 0; step < steps; step++) {
      for (let w = 0; w < wires.length; w++) {
        if (!random.chance(0.6)) continue;
        for (let burst = random.between(1, 4); burst > 0; burst--) wires[w].send("SET", `key${w}`, ++sent[w]);
      }
      if (random.chance(0.05)) wires[0].send("BGREWRITEAOF");
      await world.advance(random.below(2));
      for (let w = 0; w < wires.length; w++) {
        acknowledged[w] += wires[w].text.split("+OK\r\n").length - 1;
        wires[w].text = "";
      }
    }
    world.machine.crash(random.chance(0.7));
    await world.boot(...ALWAYS);
    for (let w = 0; w < wires.length; w++) {
      const found = Number(await world.text("GET", `key${w}`)) || 0;
      const seen = `seed ${seed}: ${found} of ${acknowledged[w]} acknowledged, ${sent[w]} sent`;
      assert(found >= acknowledged[w] && found <= sent[w], seen);
    }
  }
});

test("aof everysec: a power cut loses at most what was written since the last sync", async () => {
  const world = new World();
  await world.boot(...ON);
  for (let i = 1; i <= 50; i++) {
    await world.run("SET", "key", i);
    await world.advance(100);
  }
  world.machine.crash();
  await world.boot(...ON);
  const found = Number(await world.text("GET", "key"));
  assert(found >= 50 - 21, `${found} of 50`);
});

test("aof: nothing is lost when only the process dies", async () => {
  const world = new World();
  await world.boot(...ON, "--appendfsync", "no");
  for (let i = 1; i <= 50; i++) await world.run("RPUSH", "list", i);
  // A boot before the end of the old one leaves the disk as it is.
  await world.boot(...ON);
  assertEquals(await world.run("LLEN", "list"), ":50\r\n");
});

test("aof: a file whose last record is cut at any byte loads up to the one before", async () => {
  const world = new World();
  await world.boot(...ON);
  await world.run("SET", "a", "1");
  const whole = world.file(INCREMENT);
  await world.run("MULTI");
  await world.run("SET", "a", "2");
  await world.run("SET", "b", "2");
  await world.run("EXEC");
  const longer = world.file(INCREMENT);
  assert(longer.length > whole.length + 50);
  for (let end = whole.length; end <= longer.length; end++) {
    world.write(INCREMENT, longer.slice(0, end));
    await world.boot(...ON);
    const isWhole = end === longer.length;
    assertEquals(await world.text("GET", "a"), isWhole ? "2" : "1", `cut at ${end}`);
    assertEquals(await world.run("EXISTS", "b"), isWhole ? ":1\r\n" : ":0\r\n", `cut at ${end}`);
    // What cannot be used is gone from the file, so that it can go on.
    assertEquals(world.file(INCREMENT).length, isWhole ? longer.length : whole.length);
    await world.run("SET", "c", "3");
    await world.boot(...ON);
    assertEquals(await world.text("GET", "c"), "3");
  }
});

test("aof: without aof-load-truncated a cut file is refused", async () => {
  const world = new World();
  await world.boot(...ON);
  await world.run("SET", "a", "1");
  const whole = world.file(INCREMENT);
  world.write(INCREMENT, whole.slice(0, -3));
  let message = "";
  await world.boot(...ON, "--aof-load-truncated", "no").catch((error: Error) => message = error.message);
  assertStringIncludes(message, "Unexpected end of file reading the append only file appendonly.aof.1.incr.aof.");
  assertEquals(world.file(INCREMENT), whole.slice(0, -3));
});

test("aof: a full disk refuses writes, goes on reading, and recovers by itself", async () => {
  for (const policy of ["everysec", "no", "always"]) {
    const world = new World();
    await world.boot(...ON, "--appendfsync", policy);
    await world.run("SET", "a", "1");
    world.disk.capacity = 0;
    const other = await world.connect();
    other.send("SET", "big", "x".repeat(1000));
    const reply = await other.receive();
    // The write that met the full disk was acknowledged as Redis does; where that promises durability the client is cut off instead.
    assertEquals([reply, other.isClosed], policy === "always" ? ["", true] : ["+OK\r\n", false], policy);
    assertEquals(await world.run("SET", "b", "2"), FULL);
    assertEquals(await world.run("PING"), FULL);
    assertEquals(await world.text("GET", "a"), "1");
    assertEquals(await world.field("aof_last_write_status"), "err");
    await world.advance(3000);
    assertEquals(await world.run("SET", "b", "2"), FULL);
    world.disk.capacity = Infinity;
    await world.advance(1500);
    assertEquals(await world.run("SET", "b", "2"), "+OK\r\n");
    assertEquals(await world.field("aof_last_write_status"), "ok");
    const said = world.log;
    assertStringIncludes(said, "Error writing to the AOF file: No space left on device");
    assertStringIncludes(said, "AOF write error looks solved, Redis can write again.");
    await world.boot(...ON);
    assertEquals(await world.run("STRLEN", "big"), ":1000\r\n");
    assertEquals(await world.text("GET", "b"), "2");
  }
});

test("aof: a write that the disk takes in part is cut off, or continued where that fails", async () => {
  for (const cannotTruncate of [false, true]) {
    const world = new World();
    await world.boot(...ON);
    // A file that was begun by a rewrite.
    await world.run("BGREWRITEAOF");
    await world.advance(1000);
    await world.run("SET", "a", "1");
    const increment = "/appendonlydir/appendonly.aof.2.incr.aof";
    const before = world.file(increment).length;
    world.disk.capacity = used(world) + 10;
    if (cannotTruncate) world.disk.fault = (operation) => operation === "truncate" ? "EIO" : null;
    await world.run("SET", "b", "2".repeat(100));
    assertEquals(world.file(increment).length, cannotTruncate ? before + 10 : before);
    world.disk.capacity = Infinity;
    world.disk.fault = () => null;
    await world.advance(2000);
    await world.run("SET", "c", "3");
    await world.boot(...ON);
    assertEquals(await world.run("STRLEN", "b"), ":100\r\n");
    assertEquals(await world.text("GET", "c"), "3");
    assertEquals(await world.run("DBSIZE"), ":3\r\n");
  }
});

function used(world: World): number {
  const { disk } = world;
  disk.capacity = 1e12;
  return 1e12 - disk.room();
}

test("aof: a failing sync refuses writes; afterwards a rewrite brings everything to the disk", async () => {
  for (const policy of ["everysec", "always"]) {
    const world = new World();
    await world.boot(...ON, ...DEBUG, "--appendfsync", policy);
    await world.run("SET", "a", "1");
    await world.advance(2000);
    world.disk.fault = (operation) => operation === "sync" ? "EIO" : null;
    const other = await world.connect();
    other.send("SET", "b", "2");
    await world.advance(2500);
    assertEquals([other.text, other.isClosed], policy === "always" ? ["", true] : ["+OK\r\n", false]);
    assertEquals(await world.run("SET", "c", "3"), "-MISCONF Errors writing to the AOF file: Input/output error\r\n");
    assertStringIncludes(world.log, "Can't persist AOF for fsync error: Input/output error");
    world.disk.fault = () => null;
    await world.advance(2500);
    assertEquals(await world.run("SET", "c", "3"), "+OK\r\n");
    await world.advance(2500);
    // A sync after a failed one may succeed without having written what the first could not: a new base does not rest on that.
    assertEquals(await world.field("aof_rewrites"), "1");
    assertStringIncludes(world.file("/appendonlydir/appendonly.aof.manifest"), "appendonly.aof.2.base.rdb");
    world.machine.crash();
    await world.boot(...ON);
    assertEquals(await world.run("MGET", "a", "b", "c"), "*3\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\n3\r\n");
  }
});

test("aof rewrite: whatever step fails, the old files stay valid and a later rewrite works", async () => {
  // Each operation of the rewrite fails once.
  for (let failing = 0, done = false; !done; failing++) {
    assert(failing < 100);
    const world = new World();
    await world.boot(...ON);
    for (let i = 0; i < 20; i++) await world.run("SET", `k${i}`, i);
    await world.advance(2000);
    let count = 0;
    let failed = "";
    world.disk.fault = (operation, path) => {
      if (operation === "read" || failed !== "") return null;
      if (count++ !== failing) return null;
      failed = `${operation} ${path}`;
      return "EIO";
    };
    await world.run("BGREWRITEAOF");
    const during = await world.run("SET", "during", "1");
    assert(during === "+OK\r\n" || during.startsWith("-MISCONF"), `${failed}: ${during}`);
    await world.advance(900);
    done = failed === "";
    // A sync that failed is repaired by another rewrite, which may have begun.
    await world.advance(100);
    const after = await world.run("SET", "after", "1");
    assert(after === "+OK\r\n" || after.startsWith("-MISCONF"), `${failed}: ${after}`);
    const expected = 20 + Number(during === "+OK\r\n") + Number(after === "+OK\r\n");
    // What could not be written was kept, and is written when it can be.
    await world.advance(2000);
    const copy = new World();
    copy.disk.makeDirectory("/appendonlydir");
    for (const name of world.disk.list("/appendonlydir")) {
      copy.write(`/appendonlydir/${name}`, world.file(`/appendonlydir/${name}`));
    }
    await copy.boot(...ON);
    assertEquals(await copy.run("DBSIZE"), `:${expected}\r\n`, failed);
    await world.advance(5000);
    await world.run("BGREWRITEAOF");
    await world.advance(5000);
    assertEquals(await world.field("aof_last_bgrewrite_status"), "ok", failed);
    for (const key of ["during", "after"]) assertEquals(await world.run("SET", key, "2"), "+OK\r\n", failed);
    const names = world.disk.list("/appendonlydir").sort();
    // What could not be removed stays, in nobody's way.
    const most = failed.startsWith("remove ") ? 4 : 3;
    assert(names.length <= most, `${failed}: ${names}`);
    await world.advance(2500);
    world.machine.crash();
    await world.boot(...ON);
    assertEquals(await world.run("DBSIZE"), ":22\r\n", failed);
  }
});

test("aof rewrite: a power cut at any operation leaves a data set that is whole", async () => {
  for (let stop = 0, done = false; !done; stop++) {
    assert(stop < 100);
    const world = new World(stop + 1);
    await world.boot(...ALWAYS);
    for (let i = 0; i < 20; i++) await world.run("SET", `k${i}`, i);
    let count = 0;
    let isDown = false;
    world.disk.fault = (operation) => {
      if (operation === "read" || operation === "list") return null;
      if (!isDown && count++ === stop) isDown = true;
      // From here on nothing reaches the disk.
      return isDown ? "EIO" : null;
    };
    await world.run("BGREWRITEAOF");
    const acknowledged = await world.run("SET", "during", "1") === "+OK\r\n" && !isDown;
    await world.advance(1000);
    done = !isDown;
    world.disk.fault = () => null;
    world.machine.crash(stop % 2 === 0);
    await world.boot(...ON);
    const size = await world.run("DBSIZE");
    assert(size === ":21\r\n" || (!acknowledged && size === ":20\r\n"), `${stop}: ${size}`);
  }
});

test("aof: switched on at run time it has everything, and its numbers go on after a restart without it", async () => {
  const world = new World();
  await world.boot();
  for (let i = 0; i < 20; i++) await world.run("SET", `k${i}`, i);
  assertEquals(await world.run("CONFIG", "SET", "appendonly", "yes"), "+OK\r\n");
  await world.run("SET", "during", "1");
  await world.advance(1000);
  await world.run("SET", "after", "1");
  await world.boot(...ON);
  assertEquals(await world.run("DBSIZE"), ":22\r\n");
  assertEquals(await world.run("CONFIG", "SET", "appendonly", "no"), "+OK\r\n");
  await world.run("SET", "unseen", "1");
  await world.boot();
  await world.run("CONFIG", "SET", "appendonly", "yes");
  await world.advance(1000);
  assertEquals(
    world.file("/appendonlydir/appendonly.aof.manifest"),
    "file appendonly.aof.2.base.rdb seq 2 type b\nfile appendonly.aof.2.incr.aof seq 2 type i\n",
  );
});

test("aof: a file of commands by the name of older versions becomes the base", async () => {
  const world = new World();
  world.write("/appendonly.aof", "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n*2\r\n$4\r\nINCR\r\n$1\r\na\r\n");
  await world.boot(...ON);
  assertEquals(await world.text("GET", "a"), "2");
  await world.run("INCR", "a");
  assertEquals(world.disk.stat("/appendonly.aof"), null);
  await world.boot(...ON);
  assertEquals(await world.text("GET", "a"), "3");
});

test("aof: names with blanks, quotes and line breaks find their way through the manifest", async () => {
  const world = new World();
  const name = "a b\"c'd\n\xff.aof";
  await world.boot(...ON, "--appendfilename", name);
  await world.run("SET", "a", "1");
  const manifest = world.disk.list("/appendonlydir").find((file) => file.endsWith(".manifest"))!;
  // The command line is text in UTF-8.
  assertStringIncludes(
    world.file(`/appendonlydir/${manifest}`),
    String.raw`file "a b\"c'd\n\xc3\xbf.aof.1.incr.aof" seq 1`,
  );
  await world.boot(...ON, "--appendfilename", name);
  assertEquals(await world.text("GET", "a"), "1");
});

test("aof: timestamps stand before the commands of their second, and in front of a base of commands", async () => {
  const world = new World();
  await world.boot(...ON, "--aof-timestamp-enabled", "yes", "--aof-use-rdb-preamble", "no");
  await world.run("SET", "a", "1");
  await world.run("SET", "a", "2");
  await world.advance(1000);
  await world.run("SET", "a", "3");
  const stamps = [...world.file(INCREMENT).matchAll(/#TS:(\d+)\r\n/g)].map((match) => Number(match[1]));
  assertEquals([stamps.length, stamps[1] - stamps[0]], [2, 1]);
  await world.run("BGREWRITEAOF");
  await world.advance(1000);
  assert(/^#TS:\d+\r\n\*2/.test(world.file("/appendonlydir/appendonly.aof.2.base.aof")));
  await world.boot(...ON);
  assertEquals(await world.text("GET", "a"), "3");
});

test("aof: a first rewrite that fails leaves nothing behind, and the next one has everything", async () => {
  const world = new World();
  await world.boot();
  await world.run("SET", "before", 1);
  world.disk.fault = (operation, path) => operation === "rename" && path.includes("temp-rewriteaof") ? "EIO" : null;
  await world.run("CONFIG", "SET", "rdb-key-save-delay", 1_000_000);
  await world.run("CONFIG", "SET", "appendonly", "yes");
  await world.run("SET", "beside", 2);
  assertStringIncludes(world.file("/appendonlydir/temp-appendonly.aof.incr"), "beside");
  await world.run("CONFIG", "SET", "rdb-key-save-delay", 100_000_000);
  await world.advance(1500);
  assertStringIncludes(world.log, "Removing the temp incr aof file temp-appendonly.aof.incr in the background");
  assertEquals(await world.field("aof_rewrite_in_progress"), "1", "it is tried again");
  assertEquals(world.file("/appendonlydir/temp-appendonly.aof.incr"), "");
  await world.run("SET", "again", 3);
  world.disk.fault = () => null;
  await world.advance(400_000);
  assertEquals(await world.field("aof_last_bgrewrite_status"), "ok");
  await world.run("SET", "after", 4);
  world.machine.crash();
  await world.boot(...ON);
  assertEquals(await world.run("EXISTS", "before", "beside", "again"), ":3\r\n");
});

test("aof: automatic rewrites that go on failing pause for a minute, then two, and end the pause when one works", async () => {
  const world = new World();
  await world.boot(...ON, "--auto-aof-rewrite-percentage", "1", "--auto-aof-rewrite-min-size", "100");
  world.disk.fault = (operation, path) => operation === "rename" && path.includes("temp-rewriteaof") ? "EIO" : null;
  for (let i = 0; i < 20; i++) await world.run("SET", `key${i}`, i);
  const pauses = () =>
    world.log.split("triggered the limit, will retry in").slice(1).map((rest) => rest.split("\n")[0]);
  await world.advance(10_000);
  assertEquals(pauses(), [" 1 minutes"]);
  assertEquals(await world.field("aof_rewrites_consecutive_failures"), "3");
  await world.advance(50_000);
  assertEquals(await world.field("aof_rewrites_consecutive_failures"), "3");
  await world.advance(20_000);
  assertEquals(pauses(), [" 1 minutes", " 2 minutes"]);
  assertEquals(await world.field("aof_rewrites_consecutive_failures"), "4");
  world.disk.fault = () => null;
  await world.run("BGREWRITEAOF");
  await world.advance(5000);
  assertEquals(await world.field("aof_rewrites_consecutive_failures"), "0");
  for (let i = 0; i < 20; i++) await world.run("SET", `key${i}`, i + 1);
  await world.advance(5000);
  assert(Number(await world.field("aof_base_size")) > 100);
  assertEquals(pauses().length, 2);
});

test("aof: history is kept while aof-disable-auto-gc is on, and goes when it is switched off", async () => {
  const world = new World();
  await world.boot(...ON, "--aof-disable-auto-gc", "yes");
  await world.run("SET", "key", 1);
  await world.run("BGREWRITEAOF");
  await world.advance(3000);
  const manifest = () => world.file("/appendonlydir/appendonly.aof.manifest");
  assertEquals(manifest().split("type h").length - 1, 2, manifest());
  assert(world.disk.stat(INCREMENT) !== null);
  await world.run("CONFIG", "SET", "aof-disable-auto-gc", "no");
  await world.advance(100);
  assertEquals(manifest().split("type h").length - 1, 0, manifest());
  assertEquals(world.disk.stat(INCREMENT), null);
});

test("aof: after DEBUG LOADAOF and RELOAD there are no changes to be saved", async () => {
  const world = new World();
  await world.boot(...ON, ...DEBUG);
  for (let i = 0; i < 5; i++) await world.run("SET", `key${i}`, i);
  for (const how of ["LOADAOF", "RELOAD"]) {
    await world.run("DEBUG", how);
    await world.advance(1000);
    assertEquals(await world.run("DBSIZE"), ":5\r\n");
    assertEquals(await world.field("rdb_changes_since_last_save"), "0", how);
    await world.run("SET", "key0", how);
  }
});
