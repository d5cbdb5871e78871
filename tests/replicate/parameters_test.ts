/** The parameters of replication, in a simulated world where minutes cost nothing: what each of them changes, on either side. */

import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { SimulatedExit } from "../../lib/platform/memory.ts";
import { test } from "../kit/test.ts";
import { LocalClient, type SimulatedServer, SimulatedServers } from "./simulated.ts";

const MASTER = "10.0.0.1";
const REPLICA = "10.0.0.2";
const OTHER = "10.0.0.3";
const FOLLOWS = `${MASTER} 6379`;
const OK = "+OK\r\n";
/** Snapshots are as long as the data. */
const LONG = { rdbcompression: "no" };

type Parameters = Readonly<Record<string, string>>;

async function pair(world: SimulatedServers, ofMaster: Parameters = {}, ofReplica: Parameters = {}) {
  const master = await world.start(MASTER, ofMaster);
  const replica = await world.start(REPLICA, { replicaof: FOLLOWS, ...ofReplica });
  await world.until(() => isUp(replica) && master.info("slave0").includes("state=online"));
  return { master, replica };
}

function isUp(replica: SimulatedServer): boolean {
  return replica.info("master_link_status") === "up";
}

function hasAll(master: SimulatedServer, replica: SimulatedServer): boolean {
  return isUp(replica) && replica.info("master_repl_offset") === master.info("master_repl_offset");
}

/** Runs `body` in a world that is stopped at the end. */
async function inWorld(body: (world: SimulatedServers) => Promise<void>): Promise<void> {
  const world = new SimulatedServers(7);
  try {
    await body(world);
  } finally {
    world.stop();
  }
}

/** So many keys that they do not fit into what is under way on the network. */
function fill(server: SimulatedServer, value: string): void {
  for (let i = 0; i < 300; i++) server.run("SET", `key:${i}`, value.repeat(1000));
}

test("repl-diskless-load: a value that is larger than what is held ready for the loader arrives", () =>
  inWorld(async (world) => {
    const master = await world.start(MASTER, LONG);
    master.run("SET", "large", "x".repeat(9 * 1024 * 1024));
    master.run("RPUSH", "list", ...Array.from({ length: 6 }, (_, i) => String(i).repeat(1024 * 1024)));
    for (const [host, load] of [[REPLICA, "swapdb"], [OTHER, "on-empty-db"]]) {
      const replica = await world.start(host, { replicaof: FOLLOWS, "repl-diskless-load": load });
      await world.until(() => hasAll(master, replica));
      assertEquals(replica.digest, master.digest);
      assertMatch(replica.log, /with EOF to parser/);
    }
  }));

test("repl-diskless-load swapdb: the old data is served if it is of the same history, and kept when the transfer fails", () =>
  inWorld(async (world) => {
    const { master, replica } = await pair(world, { "repl-backlog-size": "16384", ...LONG }, {
      "repl-diskless-load": "swapdb",
    });
    fill(master, "a");
    await world.until(() => hasAll(master, replica));
    const digest = replica.digest;
    const { network } = world.simulation;
    // The link is lost, and the backlog goes past what the replica has.
    const loseHistory = (value: string) => {
      network.partition(MASTER, REPLICA);
      network.cut(MASTER, REPLICA);
      fill(master, value);
      network.heal(MASTER, REPLICA);
    };
    network.delayMs = 50;
    loseHistory("b");
    await world.until(() => Number(replica.info("master_sync_read_bytes")) > 100_000);
    assertEquals([replica.info("async_loading"), replica.info("loading")], ["1", "0"]);
    assertEquals(replica.run("STRLEN", "key:1"), ":1000\r\n");
    assertEquals(replica.digest, digest);
    assertMatch(replica.run("SET", "k", "v"), /^-READONLY/);
    assertMatch(replica.run("FLUSHALL"), /^-(READONLY|LOADING)/);
    network.cut(MASTER, REPLICA);
    await world.until(() => replica.log.includes("Discarding temporary DB in background"));
    assertEquals(replica.digest, digest);
    await world.until(() => hasAll(master, replica));
    assertEquals(replica.digest, master.digest);

    // Another history: nothing is served, but what was there is still there when nothing comes of it.
    const other = await world.start(OTHER, LONG);
    fill(other, "c");
    const before = replica.digest;
    replica.run("REPLICAOF", OTHER, 6379);
    await world.until(() => Number(replica.info("master_sync_read_bytes")) > 100_000);
    assertEquals([replica.info("async_loading"), replica.info("loading")], ["0", "1"]);
    assertMatch(replica.run("GET", "key:1"), /^-LOADING/);
    network.partition(OTHER, REPLICA);
    network.cut(OTHER, REPLICA);
    await world.until(() => replica.info("loading") === "0");
    assertEquals(replica.digest, before);
    network.heal(OTHER, REPLICA);
    await world.until(() => hasAll(other, replica));
    assertEquals(replica.digest, other.digest);
  }));

test("repl-diskless-load on-empty-db: with keys the snapshot goes by way of a file", () =>
  inWorld(async (world) => {
    const load = { "repl-diskless-load": "on-empty-db" };
    const { master, replica } = await pair(world, {}, load);
    assertMatch(replica.log, /streamed RDB from master with EOF to parser/);
    const other = await world.start(OTHER, load);
    other.run("SET", "mine", 1);
    master.run("SET", "k", "v");
    other.run("REPLICAOF", MASTER, 6379);
    await world.until(() => hasAll(master, other));
    assertMatch(other.log, /streamed RDB from master with EOF to disk/);
    assertEquals(other.run("EXISTS", "mine", "k"), ":1\r\n");
  }));

test("repl-diskless-sync-delay and -max-replicas: a snapshot waits for further replicas, until there are enough", () =>
  inWorld(async (world) => {
    const master = await world.start(MASTER, {
      "repl-diskless-sync-delay": "20",
      "repl-diskless-sync-max-replicas": "2",
    });
    const first = await world.start(REPLICA, { replicaof: FOLLOWS });
    await world.advance(15_000);
    assertEquals(isUp(first), false);
    assertMatch(master.info("slave0"), /state=wait_bgsave/);
    const second = await world.start(OTHER, { replicaof: FOLLOWS });
    await world.advance(3000);
    assertEquals([isUp(first), isUp(second)], [true, true]);
    assertEquals([master.info("sync_full"), master.info("total_forks")], ["2", "1"]);
    // Alone it waits for the whole delay.
    const third = await world.start("10.0.0.4", { replicaof: FOLLOWS });
    await world.advance(18_000);
    assertEquals(isUp(third), false);
    await world.advance(5000);
    assertEquals(isUp(third), true);
  }));

test("repl-ping-replica-period", () =>
  inWorld(async (world) => {
    const { master } = await pair(world, { "repl-ping-replica-period": "3" });
    // Now the stream has a database.
    master.run("SET", "k", "v");
    const before = Number(master.info("master_repl_offset"));
    await world.advance(30_000);
    assertEquals((Number(master.info("master_repl_offset")) - before) / "*1\r\n$4\r\nPING\r\n".length, 10);
  }));

test("repl-timeout: both sides give a silent link up, and a transfer that has stopped", () =>
  inWorld(async (world) => {
    const parameters = { "repl-timeout": "8", "repl-ping-replica-period": "2", ...LONG };
    const { master, replica } = await pair(world, parameters, parameters);
    await world.advance(20_000);
    const { network } = world.simulation;
    assertEquals([master.info("sync_full"), isUp(replica)], ["1", true]);
    network.partition(MASTER, REPLICA);
    await world.advance(7000);
    assertEquals([isUp(replica), master.info("connected_slaves")], [true, "1"]);
    await world.advance(4000);
    assertEquals([isUp(replica), master.info("connected_slaves")], [false, "0"]);
    assertMatch(master.log, /Disconnecting timedout replica \(streaming sync\): 10\.0\.0\.2:6379/);
    assertMatch(replica.log, /MASTER timeout: no data nor PING received\.\.\./);
    await world.advance(20_000);
    assertMatch(replica.log, /Timeout connecting to the MASTER\.\.\.|Error condition on socket for SYNC/);
    network.heal(MASTER, REPLICA);
    await world.until(() => hasAll(master, replica));
    assertEquals(master.info("sync_partial_ok"), "1");

    fill(master, "a");
    const other = await world.start(OTHER, { replicaof: FOLLOWS, ...parameters });
    await world.until(() => Number(other.info("master_sync_read_bytes")) > 100_000);
    network.partition(MASTER, OTHER);
    await world.advance(12_000);
    assertMatch(other.log, /Timeout receiving bulk data from MASTER\.\.\. If the problem persists/);
    network.heal(MASTER, OTHER);
    await world.until(() => hasAll(master, other));
  }));

test("min-replicas-to-write and -max-lag: writes are refused while too few replicas keep up", () =>
  inWorld(async (world) => {
    const { master, replica } = await pair(world, { "min-replicas-to-write": "1", "min-replicas-max-lag": "4" });
    await world.advance(2000);
    assertEquals(master.run("SET", "k", 1), OK);
    assertEquals(master.info("min_slaves_good_slaves"), "1");
    world.simulation.network.partition(MASTER, REPLICA);
    await world.advance(7000);
    assertEquals(master.info("connected_slaves"), "1");
    assertEquals(master.info("min_slaves_good_slaves"), "0");
    assertEquals(master.run("SET", "k", 2), "-NOREPLICAS Not enough good replicas to write.\r\n");
    assertEquals(master.run("GET", "k"), "$1\r\n1\r\n");
    // A replica does not ask whether it has replicas itself.
    replica.run("CONFIG", "SET", "min-replicas-to-write", 3, "replica-read-only", "no");
    assertEquals(replica.run("SET", "own", 1), OK);
    assertEquals(master.run("CONFIG", "SET", "min-replicas-max-lag", 60), OK);
    assertEquals(master.run("SET", "k", 3), OK);
    master.run("CONFIG", "SET", "min-replicas-to-write", 2);
    assertMatch(master.run("MULTI"), /OK/);
    assertMatch(master.run("SET", "k", 4), /^-NOREPLICAS/);
    assertMatch(master.run("EXEC"), /^-EXECABORT/);
    master.run("CONFIG", "SET", "min-replicas-max-lag", 0);
    assertEquals(master.run("SET", "k", 5), OK);
    assertEquals(master.info("min_slaves_good_slaves"), "");
  }));

test("replica-announce-ip, -port and replica-announced", () =>
  inWorld(async (world) => {
    const { master, replica } = await pair(world, {}, {
      "replica-announce-ip": "192.0.2.7",
      "replica-announce-port": "7777",
      "replica-announced": "no",
    });
    assertMatch(master.info("slave0"), /^ip=192\.0\.2\.7,port=7777,state=online,/);
    assertMatch(master.run("ROLE"), /\$9\r\n192\.0\.2\.7\r\n\$4\r\n7777\r\n/);
    assertEquals(replica.info("replica_announced"), "0");
    assertMatch(master.log, /Synchronization with replica 192\.0\.2\.7:7777 succeeded/);
    // The next handshake says something else.
    replica.run("CONFIG", "SET", "replica-announce-ip", "", "replica-announce-port", 0);
    world.simulation.network.cut(MASTER, REPLICA);
    await world.until(() => /^ip=10\.0\.0\.2,port=6379,state=online,/.test(master.info("slave0")));
  }));

test("replica-ignore-maxmemory: a replica keeps all its master has, or evicts by itself", () =>
  inWorld(async (world) => {
    const limit = { maxmemory: "500000", "maxmemory-policy": "allkeys-random" };
    const { master, replica } = await pair(world, {}, limit);
    const other = await world.start(OTHER, { replicaof: FOLLOWS, "replica-ignore-maxmemory": "no", ...limit });
    await world.until(() => isUp(other));
    fill(master, "several bytes");
    await world.until(() => hasAll(master, replica) && hasAll(master, other));
    assertEquals(replica.run("DBSIZE"), ":300\r\n");
    assertEquals(replica.info("evicted_keys"), "0");
    const evicted = Number(other.info("evicted_keys"));
    assertEquals(evicted > 250 && evicted < 300, true, `${evicted} of 300 were evicted`);
    // With nothing to evict the master's write is refused, which is worth an entry in the log.
    other.run("CONFIG", "SET", "maxmemory-policy", "noeviction", "maxmemory", 1);
    master.run("SET", "last", "v");
    await world.until(() => hasAll(master, other));
    assertEquals(other.run("EXISTS", "last"), ":0\r\n");
    assertMatch(other.log, /== CRITICAL == This replica is sending an error to its master: '-OOM command not allowed/);
    assertEquals(replica.run("EXISTS", "last"), ":1\r\n");
  }));

test("replica-ignore-disk-write-errors: a replica that cannot save ends with its master's next write, or goes on", () =>
  inWorld(async (world) => {
    const { master, replica } = await pair(world, {}, { save: "3600 1", "replica-ignore-disk-write-errors": "yes" });
    world.simulation.machine(REPLICA).disk.fault = (operation) => operation === "write" ? "ENOSPC" : null;
    replica.run("BGSAVE");
    await world.until(() => replica.info("rdb_last_bgsave_status") === "err");
    const warnings = () => replica.log.split("even though it is unable to write to disk").length - 1;
    assertEquals(warnings(), 0);
    for (let i = 0; i < 5; i++) {
      master.run("SET", "k", i);
      await world.until(() => hasAll(master, replica));
    }
    assertEquals(replica.run("GET", "k"), "$1\r\n4\r\n");
    assertEquals(warnings(), 1);
    await world.advance(11_000);
    master.run("SET", "k", 5);
    await world.until(() => hasAll(master, replica));
    assertEquals(warnings(), 2);
    replica.run("CONFIG", "SET", "replica-ignore-disk-write-errors", "no");
    master.run("SET", "k", "last");
    const arrival = await world.advance(100).then(() => null, (error: unknown) => error);
    assertThrows(() => {
      throw arrival;
    }, SimulatedExit);
    assertMatch(replica.log, /Replica was unable to write command to disk/);
  }));

test("FAILOVER: writes wait whatever clients pause and unpause, and a client's pause outlives it", () =>
  inWorld(async (world) => {
    const { master, replica } = await pair(world);
    const { network } = world.simulation;
    network.partition(MASTER, REPLICA);
    // The replica cannot have this, so the failover has to wait.
    master.run("SET", "k", 1);
    assertEquals(master.run("FAILOVER"), OK);
    const writer = new LocalClient(master.server);
    assertEquals(writer.run("SET", "k", 2), "");
    assertEquals(master.run("CLIENT", "UNPAUSE"), OK);
    assertEquals(writer.reply, "");
    master.run("CLIENT", "PAUSE", 5000, "ALL");
    await world.advance(1000);
    network.heal(MASTER, REPLICA);
    await world.until(() => replica.info("role") === "master");
    assertEquals(writer.reply, "");
    await world.advance(6000);
    assertMatch(writer.reply, /^-READONLY/);
    assertEquals(replica.run("GET", "k"), "$1\r\n1\r\n");
    await world.until(() => hasAll(replica, master));
    assertEquals(master.info("sync_full"), "1");

    // One that is given up leaves the client's pause as it is.
    network.partition(MASTER, REPLICA);
    replica.run("SET", "k", 3);
    replica.run("FAILOVER", "TIMEOUT", 1000);
    replica.run("CLIENT", "PAUSE", 3000, "WRITE");
    const waiting = new LocalClient(replica.server);
    assertEquals(waiting.run("SET", "k", 4), "");
    await world.advance(2000);
    assertEquals(replica.info("master_failover_state"), "no-failover");
    assertEquals(waiting.reply, "");
    await world.advance(2000);
    assertEquals(waiting.reply, OK);
  }));
