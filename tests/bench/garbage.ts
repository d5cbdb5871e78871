/**
 * What the garbage collectors do while the server works: 10 million pipelined SET and GET after a warm-up.
 *
 *     deno run -A tests/bench/garbage.ts
 *     deno run -A tests/bench/garbage.ts --server bun --commands 20000000
 *
 * Both runtimes can print a line for each collection, with the heap that it leaves and how long it stopped the program. The heap must not
 * grow from the beginning to the end, and no stop may take 5 ms. On a busy machine the system's scheduler is part of the figures.
 */

import { parseArgs } from "@std/cli/parse-args";
import { join } from "node:path";
import process from "node:process";
import { root, runtimePath } from "../kit/runtimes.ts";
import { startServer } from "../kit/server.ts";
import { runLoad } from "./load.ts";

interface Collection {
  /** Megabytes that are left. */
  readonly heap: number;
  readonly pauseMs: number;
}

interface Tracer {
  readonly command: (program: string) => string[];
  readonly env: Readonly<Record<string, string>>;
  readonly read: (line: string) => Collection | null;
}

const server = join(root, "server.ts");
const TRACERS: Readonly<Record<"deno" | "bun", Tracer>> = {
  deno: {
    command: (program) => [program, "run", "-A", "--quiet", "--v8-flags=--trace-gc", server],
    env: {},
    read(line) {
      const found = /-> ([\d.]+) \([\d.]+\) MB,.*? ([\d.]+) \/ [\d.]+ ms/.exec(line);
      return found === null ? null : { heap: Number(found[1]), pauseMs: Number(found[2]) };
    },
  },
  bun: {
    command: (program) => [program, "run", server],
    env: { BUN_JSC_logGC: "1" },
    read(line) {
      // All stops of one collection together ("max", behind it, is the longest since the start).
      const found = /=> (\d+)kb, p=([\d.]+)ms/.exec(line);
      return found === null ? null : { heap: Number(found[1]) / 1024, pauseMs: Number(found[2]) };
    },
  },
};
const KEYS = 100_000;
const LIMIT_MS = 5;

async function measure(runtime: "deno" | "bun", commands: number): Promise<void> {
  const program = runtimePath(runtime);
  if (program === null) return console.log(`${runtime} is not installed`);
  const tracer = TRACERS[runtime];
  await using running = await startServer(tracer.command(program), { env: tracer.env });
  const load = (requests: number, test: string) =>
    runLoad({ port: running.port, requests, pipeline: 100, clients: 20, keyspace: KEYS, command: { test } });
  await load(1_000_000, "set");
  await load(1_000_000, "get");
  const before = running.output().length;
  const rates: number[] = [];
  for (let done = 0; done < commands; done += 2_000_000) {
    for (const test of ["set", "get"]) rates.push((await load(1_000_000, test)).rate);
  }
  const collections = running.output().slice(before).split("\n").map(tracer.read).filter((one) => one !== null);
  console.log(
    `${runtime}: ${commands} commands, ${Math.round(Math.min(...rates))} … ${Math.round(Math.max(...rates))}/s`,
  );
  if (collections.length === 0) return console.log("  no collection at all");
  const pauses = collections.map((one) => one.pauseMs).sort((a, b) => a - b);
  const part = Math.max(1, Math.floor(collections.length / 5));
  const heap = (some: Collection[]) => some.map((one) => one.heap).sort((a, b) => a - b)[some.length >> 1].toFixed(1);
  console.log(
    `  ${collections.length} collections, pauses: median ${pauses[pauses.length >> 1].toFixed(2)} ms, longest ${
      pauses.at(-1)!.toFixed(2)
    } ms, ${pauses.filter((ms) => ms > LIMIT_MS).length} over ${LIMIT_MS} ms`,
  );
  console.log(
    `  median of the heap after collecting: ${heap(collections.slice(0, part))} MB in the first fifth, ${
      heap(collections.slice(-part))
    } MB in the last`,
  );
}

const options = parseArgs(process.argv.slice(2), { string: ["server", "commands"] });
const chosen = String(options.server ?? "deno,bun").split(",");
for (const runtime of ["deno", "bun"] as const) {
  if (chosen.includes(runtime)) await measure(runtime, Number(options.commands ?? 10_000_000));
}
process.exit(0);
