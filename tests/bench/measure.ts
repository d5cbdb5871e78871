/**
 * The measurements. All servers are alive at the same time and take turns, run by run, so that whatever else the machine
 * does meets them alike. A first turn per server is not counted: it warms up caches and compilers.
 *
 * A shared machine is a fifth faster in one ten seconds than in the next, so throughput is compared within each round (the
 * servers' turns that follow on each other, begun by another server each time), and the median of these ratios counts.
 */

import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "../kit/client.ts";
import { errorOf } from "../kit/reply.ts";
import { freePort, redstartCommand, type StartOptions, startServer, type TestServer } from "../kit/server.ts";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runLoad } from "./load.ts";
import { Crowd, messageBytes, subscribeAll } from "./crowd.ts";
import { cpuSeconds, residentBytes } from "./process.ts";
import { CHANNEL, type MemoryRow, MESSAGE, type ThroughputRow } from "./rows.ts";

/** A server to measure: "redis", "deno", "bun" or the path of an executable. */
export type Contestant = string;

export function commandLine(contestant: Contestant): string[] {
  return contestant === "redis" ? ["redis-server"] : redstartCommand(contestant);
}

export interface Throughput {
  /** Commands per second, the median. */
  readonly rate: number;
  /** What it is of the first server's, see above. */
  readonly rateRatio: number;
  /** Server CPU per command in microseconds, over all runs: its clock only ticks a hundred times a second. */
  readonly cpuMicros: number;
  /** Median, in milliseconds. */
  readonly p99: number;
}

export interface Effort {
  readonly runs: number;
  /** About how long one run of a GET takes, in seconds; the figures in README are made with 1 or more. */
  readonly seconds: number;
  /** Keys in a snapshot and in a full resynchronisation. */
  readonly keys: number;
  /** Clients that wait, in the group "clients". */
  readonly clients: number;
}

/** A line of a table that has one column per server. */
export interface Figure {
  /** With the unit. */
  readonly name: string;
  /** Decimals. */
  readonly digits: number;
  /** In the order of the contestants; undefined where there is nothing to measure. */
  readonly values: readonly (number | undefined)[];
  /** To the first, where it is not simply what one value is of the other. */
  readonly ratios?: readonly number[];
}

/** Starts one server per contestant; if one fails, the others are stopped. */
export async function startAll(
  contestants: readonly Contestant[],
  options: StartOptions = {},
): Promise<Map<Contestant, TestServer>> {
  const servers = new Map<Contestant, TestServer>();
  try {
    for (const name of contestants) servers.set(name, await startServer(commandLine(name), options));
  } catch (error) {
    await stopAll(servers);
    throw error;
  }
  return servers;
}

export async function stopAll(servers: ReadonlyMap<Contestant, TestServer>): Promise<void> {
  for (const server of servers.values()) await server[Symbol.asyncDispose]();
}

/** Requests per second a GET reaches, roughly, by pipeline: only used to choose how many to send. */
export const expectedRate = (pipeline: number): number =>
  pipeline === 1 ? 70_000 : pipeline <= 16 ? 600_000 : 1_100_000;

/** Measures one command at one pipeline depth on all servers. A server that does not know the command yields null. */
export async function measureThroughput(
  servers: ReadonlyMap<Contestant, TestServer>,
  row: ThroughputRow,
  pipeline: number,
  effort: Effort,
): Promise<Map<Contestant, Throughput | null>> {
  const requests = Math.max(1000, Math.round(effort.seconds * expectedRate(pipeline) / (row.cost ?? 1)));
  // redis-benchmark sends whole pipelines only.
  const count = Math.ceil(requests / pipeline) * pipeline;
  using crowds = new DisposableStack();
  const subscribers = new Map<Contestant, Crowd>();
  const able: [Contestant, TestServer][] = [];
  for (const [name, server] of servers) {
    if (!await prepare(server, row)) continue;
    able.push([name, server]);
    if (row.subscribers === undefined) continue;
    const crowd = crowds.use(await Crowd.open(server.port, row.subscribers));
    await subscribeAll(crowd, CHANNEL);
    subscribers.set(name, crowd);
  }
  const rates = new Map<Contestant, number[]>(able.map(([name]) => [name, []]));
  const p99s = new Map<Contestant, number[]>(able.map(([name]) => [name, []]));
  const cpu = new Map<Contestant, number>(able.map(([name]) => [name, 0]));
  for (let run = 0; run <= effort.runs; run++) {
    for (let turn = 0; turn < able.length; turn++) {
      const [name, server] = able[(run + turn) % able.length];
      if (row.refill !== undefined) {
        using client = await server.connect();
        await row.refill(client, count);
      }
      const before = cpuSeconds(server.pid);
      const { port } = server;
      const load = { port, requests: count, pipeline, keyspace: row.keyspace, command: row.command };
      const { rate, p99 } = await runLoad(load);
      const crowd = subscribers.get(name);
      await crowd?.received(count * crowd.size * messageBytes(CHANNEL, MESSAGE));
      if (run === 0) continue;
      cpu.set(name, cpu.get(name)! + cpuSeconds(server.pid) - before);
      rates.get(name)!.push(rate);
      p99s.get(name)!.push(p99);
    }
  }
  const result = new Map<Contestant, Throughput | null>();
  for (const name of servers.keys()) {
    const list = rates.get(name);
    result.set(
      name,
      list === undefined ? null : {
        rate: median(list),
        rateRatio: pairedRatio(list, rates.get(able[0][0])!),
        cpuMicros: cpu.get(name)! * 1e6 / (count * effort.runs),
        p99: median(p99s.get(name)!),
      },
    );
  }
  return result;
}

async function prepare(server: TestServer, row: ThroughputRow): Promise<boolean> {
  using client = await server.connect();
  const name = "test" in row.command ? row.command.test.replace(/_.*/, "") : String(row.command[0]);
  if (/^ERR unknown command/.test(errorOf(await client.call(name)) ?? "")) return false;
  await client.ok("FLUSHALL");
  await row.prepare?.(client);
  return true;
}

export interface Memory {
  /** Resident memory of the whole process when filled, in bytes. */
  readonly resident: number;
  /** Growth of it by the elements, for each of them, in bytes. */
  readonly perElement: number;
}

/** Milliseconds until a server has come to rest, which may make use of its idle time. */
const REST = 2500;

/** Fills a fresh server and reads what the process occupies when it has come to rest. Null if it lacks a command. */
export async function measureMemory(contestant: Contestant, row: MemoryRow): Promise<Memory | null> {
  await using server = await startServer(commandLine(contestant));
  const client = await server.connect();
  client.timeoutMs = 120_000;
  let before: number;
  try {
    if (row.warmUp > 0) {
      await row.fill(client, row.warmUp);
      await client.ok("FLUSHALL");
      await sleep(REST);
    }
    before = residentBytes(server.pid);
    await row.fill(client, 1);
  } catch (error) {
    if (/unknown command/.test(String(error))) return null;
    throw error;
  }
  await sleep(REST);
  const resident = residentBytes(server.pid);
  return { resident, perElement: (resident - before) / row.elements };
}

/** Milliseconds from starting the process to the first +PONG, the median of some starts. */
export async function measureStart(contestant: Contestant, runs: number): Promise<number> {
  const times = [];
  for (let run = 0; run <= runs; run++) {
    const dir = mkdtempSync(join(tmpdir(), "redstart-start-"));
    const port = await freePort();
    const [program, ...args] = commandLine(contestant);
    const start = performance.now();
    const child = spawn(program, [...args, "--port", String(port), "--dir", dir, "--save", ""], { stdio: "ignore" });
    const exited = new Promise((resolve) => child.on("exit", resolve));
    try {
      while (!(await answersPing(port))) {
        if (performance.now() - start > 30_000) throw new Error(`${contestant} does not start`);
        await sleep(1);
      }
      if (run > 0) times.push(performance.now() - start);
    } finally {
      child.kill("SIGKILL");
      await exited;
      rmSync(dir, { recursive: true, force: true });
    }
  }
  return median(times);
}

async function answersPing(port: number): Promise<boolean> {
  try {
    using client = await Client.connect({ port });
    const reply = await client.call("PING");
    return typeof reply === "object" && reply !== null && "status" in reply;
  } catch {
    return false;
  }
}

/** How `values` compare with `others`, round by round: the median of the ratios. */
export function pairedRatio(values: readonly number[], others: readonly number[]): number {
  return median(values.map((value, round) => value / others[round]));
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** The value below which `part` (0 to 1) of the values are; 1 gives the largest. */
export function percentile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(part * sorted.length) - 1)];
}
