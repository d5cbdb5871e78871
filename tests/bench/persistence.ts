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
import { fillStrings, sampleLatency, steadyWrites } from "./load.ts";
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

/** What is found out about one server's snapshots; one item per run, latencies of all runs together. */
class Snapshots {
  readonly seconds: number[] = [];
  readonly loads: number[] = [];
  readonly quiet: number[] = [];
  readonly saving: number[] = [];
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
        const { quiet, saving } = await latencies(server, effort.keys);
        if (run === 0) continue;
        results[i].seconds.push(seconds);
        results[i].quiet.push(...quiet);
        results[i].saving.push(...saving);
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
  const latency = (name: string, part: number, of: (result: Snapshots) => number[]): Figure => ({
    name: `GET beside 10,000 SET/s, ${name}, ms`,
    digits: 2,
    values: results.map((result) => percentile(of(result), part)),
  });
  return [
    { name: `BGSAVE of ${keys}, s`, digits: 2, values: medians((result) => result.seconds) },
    ...([["p50", 0.5], ["p99", 0.99], ["max", 1]] as const).flatMap(([name, part]) => [
      latency(name, part, (result) => result.quiet),
      latency(`${name} during BGSAVE`, part, (result) => result.saving),
    ]),
    { name: `loading ${keys}, s`, digits: 2, values: medians((result) => result.loads) },
  ];
}

/** Latencies of GET under write load: during a BGSAVE, and for as long without one. */
async function latencies(server: TestServer, keys: number): Promise<{ quiet: number[]; saving: number[] }> {
  const writes = await steadyWrites(server, keys);
  try {
    // Long enough for writer and prober to be in step.
    await sleep(100);
    let seconds = 0;
    const saving = await sampleLatency(server, keys, async () => {
      seconds = await save(server);
    });
    const quiet = await sampleLatency(server, keys, () => sleep(seconds * 1000));
    return { quiet, saving };
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
