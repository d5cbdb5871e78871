/**
 * What persistence costs: writing with an append-only file, saving a snapshot, how long others wait meanwhile, and loading it.
 *
 * The end of a BGSAVE is seen by the file's appearance under its final name, because asking the server would disturb it and
 * redis-server notices only ten times a second that its child has finished.
 */

import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { startServer, type TestServer } from "../kit/server.ts";
import { fillStrings, fullWrites, sampleLatency, steadyWrites, type Writes } from "./load.ts";
import {
  commandLine,
  type Contestant,
  type Effort,
  type Figure,
  measureThroughput,
  median,
  percentile,
  startAll,
  stopAll,
} from "./measure.ts";
import { proportionalBytes } from "./process.ts";
import { SET_ROW } from "./rows.ts";

/** All rows of the table, measured on all contestants. */
export async function measurePersistence(contestants: readonly Contestant[], effort: Effort): Promise<Figure[]> {
  const figures = [];
  for (const policy of ["everysec", "always"]) figures.push(...await measureAppending(contestants, policy, effort));
  return [...figures, ...await measureSnapshots(contestants, effort)];
}

/** SET at pipeline 16 while every command is appended to the file. The file is not rewritten, which would happen at varying times. */
async function measureAppending(contestants: readonly Contestant[], policy: string, effort: Effort): Promise<Figure[]> {
  const args = ["--appendonly", "yes", "--appendfsync", policy, "--auto-aof-rewrite-percentage", "0"];
  const servers = await startAll(contestants, { args });
  try {
    const results = [...(await measureThroughput(servers, SET_ROW, 16, effort)).values()];
    const name = `SET, pipeline 16, AOF ${policy}`;
    return [
      {
        name: `${name}, commands/s`,
        digits: 0,
        values: results.map((result) => result?.rate),
        ratios: results.map((result) => result?.rateRatio ?? NaN),
      },
      { name: `${name}, CPU µs/command`, digits: 2, values: results.map((result) => result?.cpuMicros) },
    ];
  } finally {
    await stopAll(servers);
  }
}

/** Latencies of GET in milliseconds, of all runs together. */
class Latencies {
  readonly quiet: number[] = [];
  readonly saving: number[] = [];
}

/** What is found out about one server's snapshots; one item per run. */
class Snapshots {
  readonly seconds: number[] = [];
  readonly loads: number[] = [];
  /** Memory at its peak during a snapshot, to what it was before. */
  readonly growth: number[] = [];
  readonly besideSteadyWrites = new Latencies();
  readonly besideFullWrites = new Latencies();
}

async function measureSnapshots(contestants: readonly Contestant[], effort: Effort): Promise<Figure[]> {
  const results: Snapshots[] = contestants.map(() => new Snapshots());
  const servers = await startAll(contestants);
  try {
    for (const server of servers.values()) {
      const client = await server.connect();
      client.timeoutMs = 120_000;
      await fillStrings(client, effort.keys);
    }
    for (let run = 0; run <= effort.runs; run++) {
      for (const [i, server] of [...servers.values()].entries()) {
        const seconds = await save(server);
        const result = run === 0 ? new Snapshots() : results[i];
        result.seconds.push(seconds);
        await sampleLatencies(result.besideSteadyWrites, server, await steadyWrites(server, effort.keys), effort.keys);
        await sampleLatencies(result.besideFullWrites, server, fullWrites(server, effort.keys), effort.keys);
        result.growth.push(await memoryGrowth(server, fullWrites(server, effort.keys)));
      }
    }
    for (const [i, [name, server]] of [...servers].entries()) {
      await server.stop();
      for (let run = 0; run <= effort.runs; run++) {
        const seconds = await load(name, server.dir);
        if (run > 0) results[i].loads.push(seconds);
      }
    }
  } finally {
    await stopAll(servers);
  }
  const medians = (of: (result: Snapshots) => number[]) => results.map((result) => median(of(result)));
  const keys = `${effort.keys / 1e6} M keys`;
  const latencies = (writes: string, of: (result: Snapshots) => Latencies): Figure[] =>
    ([["p50", 0.5], ["p99", 0.99], ["max", 1]] as const).flatMap(([name, part]) => [
      {
        name: `GET beside ${writes}, ${name}, ms`,
        digits: 2,
        values: results.map((result) => percentile(of(result).quiet, part)),
      },
      {
        name: `GET beside ${writes}, ${name} during BGSAVE, ms`,
        digits: 2,
        values: results.map((result) => percentile(of(result).saving, part)),
      },
    ]);
  return [
    { name: `BGSAVE of ${keys}, s`, digits: 2, values: medians((result) => result.seconds) },
    ...latencies("10,000 SET/s", (result) => result.besideSteadyWrites),
    ...latencies("SET at full speed", (result) => result.besideFullWrites),
    { name: "memory during BGSAVE beside SET at full speed, ×", digits: 2, values: medians((result) => result.growth) },
    { name: `loading ${keys}, s`, digits: 2, values: medians((result) => result.loads) },
  ];
}

/** Samples GET under write load: during a BGSAVE, and for as long without one. Ends the writes. */
async function sampleLatencies(to: Latencies, server: TestServer, writes: Writes, keys: number): Promise<void> {
  try {
    // Long enough for writer and prober to be in step.
    await sleep(100);
    let seconds = 0;
    to.saving.push(
      ...await sampleLatency(server, keys, async () => {
        seconds = await save(server);
      }),
    );
    to.quiet.push(...await sampleLatency(server, keys, () => sleep(seconds * 1000)));
  } finally {
    await writes.stop();
  }
}

/** Memory of the server and its children at the peak of a BGSAVE under write load, to that before. Ends the writes. */
async function memoryGrowth(server: TestServer, writes: Writes): Promise<number> {
  try {
    await sleep(500);
    const before = proportionalBytes(server.pid);
    let peak = before;
    let isSaving = true;
    const saved = save(server).finally(() => isSaving = false);
    while (isSaving) {
      peak = Math.max(peak, proportionalBytes(server.pid));
      await sleep(20);
    }
    await saved;
    return peak / before;
  } finally {
    await writes.stop();
  }
}

/** Seconds from BGSAVE to the complete file. Returns when the server has noticed, too. */
async function save(server: TestServer): Promise<number> {
  const file = join(server.dir, "dump.rdb");
  rmSync(file, { force: true });
  using client = await server.connect();
  const start = performance.now();
  await client.ok("BGSAVE");
  while (!existsSync(file)) {
    if (performance.now() - start > 120_000) throw new Error("BGSAVE does not end");
    await sleep(1);
  }
  const seconds = (performance.now() - start) / 1000;
  while (!/rdb_bgsave_in_progress:0/.test(String(await client.ok("INFO", "persistence")))) await sleep(20);
  return seconds;
}

/** Seconds that a server, started on the directory of a stopped one, says it took to load the snapshot. */
async function load(contestant: Contestant, dir: string): Promise<number> {
  await using server = await startServer(commandLine(contestant), { dir, readyMs: 120_000 });
  const found = /DB loaded from disk: ([\d.]+) seconds/.exec(server.output());
  if (found === null) throw new Error(`${contestant} did not load the snapshot`);
  return Number(found[1]);
}
