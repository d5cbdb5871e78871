/**
 * What a replica costs its master, how far it is behind, and how long it takes to become one. Master and replica are the same
 * kind of server. Everything runs on one machine: with two processors, load, master and replica compete for them.
 */

import { setTimeout as sleep } from "node:timers/promises";
import { startServer, type TestServer } from "../kit/server.ts";
import { fillStrings, runLoad, steadyWrites } from "./load.ts";
import {
  commandLine,
  type Contestant,
  type Effort,
  expectedRate,
  type Figure,
  median,
  pairedRatio,
  percentile,
  startAll,
  stopAll,
} from "./measure.ts";
import { cpuSeconds } from "./process.ts";
import { SET_ROW } from "./rows.ts";

/** Redis would wait five seconds for further replicas before it begins to send a snapshot. */
const MASTER_ARGS = ["--repl-diskless-sync-delay", "0"];
const PIPELINE = 16;

/** All rows of the table, measured on all contestants. */
export async function measureReplication(contestants: readonly Contestant[], effort: Effort): Promise<Figure[]> {
  const masters = await startAll(contestants, { args: MASTER_ARGS });
  try {
    const replicas = await startAll(contestants);
    const figures = [];
    try {
      for (const name of contestants) await attach(replicas.get(name) as TestServer, masters.get(name) as TestServer);
      figures.push(...await measureWriting(masters, replicas, effort), ...await measureLag(masters, replicas, effort));
    } finally {
      await stopAll(replicas);
    }
    return [...figures, await measureSynchronisation(masters, effort)];
  } finally {
    await stopAll(masters);
  }
}

type Servers = ReadonlyMap<Contestant, TestServer>;

async function measureWriting(masters: Servers, replicas: Servers, effort: Effort): Promise<Figure[]> {
  const requests = Math.round(effort.seconds * expectedRate(PIPELINE));
  const samples = [...masters].map(([name, master]) => ({
    master,
    replica: replicas.get(name) as TestServer,
    rates: [] as number[],
    cpuMicros: [] as number[],
  }));
  for (let run = 0; run <= effort.runs; run++) {
    for (const { master, replica, rates, cpuMicros } of samples) {
      const before = cpuSeconds(master.pid);
      const { command, keyspace } = SET_ROW;
      const { rate } = await runLoad({ port: master.port, requests, pipeline: PIPELINE, keyspace, command });
      // A replica that is behind must not disturb the next server's turn.
      await caughtUp(master, replica);
      if (run === 0) continue;
      rates.push(rate);
      cpuMicros.push((cpuSeconds(master.pid) - before) * 1e6 / requests);
    }
  }
  const name = `SET, pipeline ${PIPELINE}, one replica`;
  return [
    {
      name: `${name}, commands/s`,
      digits: 0,
      values: samples.map(({ rates }) => median(rates)),
      ratios: samples.map(({ rates }) => pairedRatio(rates, samples[0].rates)),
    },
    { name: `${name}, master's CPU µs/command`, digits: 2, values: samples.map(({ cpuMicros }) => median(cpuMicros)) },
  ];
}

async function measureLag(masters: Servers, replicas: Servers, effort: Effort): Promise<Figure[]> {
  // One takes about two milliseconds.
  const count = Math.ceil(effort.seconds * 1000);
  const figures: Figure[] = [];
  for (const busy of [false, true]) {
    const samples = new Map([...masters.keys()].map((name) => [name, [] as number[]]));
    for (let run = 0; run <= effort.runs; run++) {
      for (const [name, list] of samples) {
        const master = masters.get(name) as TestServer;
        const writes = busy ? await steadyWrites(master, 100_000) : null;
        try {
          const lags = await lag(master, replicas.get(name) as TestServer, count);
          if (run > 0) list.push(...lags);
        } finally {
          await writes?.stop();
        }
      }
    }
    for (const [name, part] of [["p50", 0.5], ["p99", 0.99]] as const) {
      figures.push({
        name: `lag ${busy ? "beside 10,000 SET/s" : "without load"}, ${name}, ms`,
        digits: 2,
        values: [...samples.values()].map((list) => percentile(list, part)),
      });
    }
  }
  return figures;
}

/** Milliseconds from sending a marker to the master to the replica's first reply that contains it. */
async function lag(master: TestServer, replica: TestServer, count: number): Promise<number[]> {
  using writer = await master.connect();
  using reader = await replica.connect();
  const lags = [];
  for (let i = 0; i < count; i++) {
    // Unlike any marker of an earlier run.
    const marker = `${performance.now()}-${i}`;
    const start = performance.now();
    const written = writer.ok("SET", "marker", marker);
    while (await reader.ok("GET", "marker") !== marker) {
      if (performance.now() - start > 30_000) throw new Error("a marker does not arrive at the replica");
    }
    lags.push(performance.now() - start);
    await written;
    await sleep(1);
  }
  return lags;
}

/** Each run attaches a fresh replica to a master with many keys. */
async function measureSynchronisation(masters: Servers, effort: Effort): Promise<Figure> {
  const samples = new Map([...masters.keys()].map((name) => [name, [] as number[]]));
  for (const master of masters.values()) {
    using client = await master.connect();
    client.timeoutMs = 120_000;
    await client.ok("FLUSHALL");
    await fillStrings(client, effort.keys);
  }
  for (let run = 0; run <= effort.runs; run++) {
    for (const [name, list] of samples) {
      await using replica = await startServer(commandLine(name));
      const seconds = await attach(replica, masters.get(name) as TestServer);
      using client = await replica.connect();
      const size = await client.ok("DBSIZE");
      if (size !== effort.keys) throw new Error(`${name}'s replica has ${size} keys`);
      if (run > 0) list.push(seconds);
    }
  }
  return {
    name: `full resynchronisation of ${effort.keys / 1e6} M keys, s`,
    digits: 2,
    values: [...samples.values()].map(median),
  };
}

/** Makes one server the other's replica; returns the seconds until the link is up. */
async function attach(replica: TestServer, master: TestServer): Promise<number> {
  using client = await replica.connect();
  client.timeoutMs = 120_000;
  const start = performance.now();
  await client.ok("REPLICAOF", "127.0.0.1", master.port);
  while (!/master_link_status:up/.test(String(await client.ok("INFO", "replication")))) {
    if (performance.now() - start > 120_000) throw new Error("the replica's link does not come up");
    await sleep(5);
  }
  return (performance.now() - start) / 1000;
}

/** Waits until a marker has passed through. */
async function caughtUp(master: TestServer, replica: TestServer): Promise<void> {
  await lag(master, replica, 1);
}
