/**
 * `deno task bench`: Redstart on both runtimes against redis-server, in one run, taking turns.
 *
 *     deno task bench                                        the main commands, memory and start-up
 *     deno task bench --only set,get --pipelines 16 --runs 3
 *     deno task bench --only default,more,elements           the further groups
 *     deno task bench --only persistence,replication,clients
 *     deno task bench --quick --servers redis,bun            shorter runs
 *     deno task bench --servers redis,deno,dist/redstart     an executable
 *     deno task bench --readme                               also writes the tables into README.md
 *
 * `--only` takes groups (main default more memory elements start persistence replication clients) and beginnings of rows' names; "default"
 * are redis-benchmark's own tests. Needs Linux and Redis's own redis-server and redis-benchmark, and 10,100 open files for the group
 * "clients" (`ulimit -n`). On a busy machine the figures mean little.
 */

import { parseArgs } from "@std/cli/parse-args";
import { readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { basename, join } from "node:path";
import process from "node:process";
import { root } from "../kit/runtimes.ts";
import { findRedis, startServer, type TestServer } from "../kit/server.ts";
import { measureClients } from "./clients.ts";
import {
  commandLine,
  type Contestant,
  type Effort,
  type Figure,
  measureMemory,
  measureStart,
  measureThroughput,
} from "./measure.ts";
import { measurePersistence } from "./persistence.ts";
import { measureReplication } from "./replication.ts";
import { memory, throughput } from "./rows.ts";

const options = parseArgs(process.argv.slice(2), {
  string: ["only", "pipelines", "runs", "servers", "seconds"],
  boolean: ["quick", "readme"],
});
const text = (name: string, otherwise: string): string =>
  options[name] === undefined ? otherwise : String(options[name]);

if (findRedis() === null) {
  console.error("redis-server is not installed");
  process.exit(1);
}
const contestants: Contestant[] = text("servers", "redis,deno,bun").split(",");
const labels = contestants.map((name) =>
  ({ redis: `redis-server ${findRedis()}`, deno: "Deno", bun: "Bun" })[name] ?? basename(name)
);
const pipelines = text("pipelines", "1,16,100").split(",").map(Number);
const only = text("only", "main,memory,start").toLowerCase().split(",");
const chosen = (groups: readonly string[], name: string): boolean =>
  only.some((word) => groups.includes(word) || name.toLowerCase().startsWith(word));
const effort: Effort = {
  runs: Number(text("runs", options.quick ? "3" : "9")),
  seconds: Number(text("seconds", options.quick ? "0.3" : "0.5")),
  keys: options.quick ? 200_000 : 1_000_000,
  clients: options.quick ? 2000 : 10_000,
};

const tables = [
  await throughputTable(),
  await memoryTable(),
  await startTable(),
  await figureTable("persistence", measurePersistence),
  await figureTable("replication", measureReplication),
  await figureTable("clients", measureClients),
].filter((table) => table !== "");
const report = [
  `${cpus().length} × ${
    cpus()[0]?.model.trim()
  }; medians of ${effort.runs} runs, 50 connections; ratios of throughput are medians of the rounds' ratios.`,
  ...tables,
].join("\n\n");
console.log(`\n${report}`);
if (options.readme) writeReadme(report);
process.exit(0);

async function throughputTable(): Promise<string> {
  const rows = throughput.filter((row) => chosen(row.groups, row.name));
  if (rows.length === 0) return "";
  const servers = new Map<Contestant, TestServer>();
  const lines = [];
  try {
    for (const name of contestants) servers.set(name, await startServer(commandLine(name)));
    for (const row of rows) {
      for (const pipeline of pipelines.filter((pipeline) => row.pipelines?.includes(pipeline) ?? true)) {
        const results = [...(await measureThroughput(servers, row, pipeline, effort)).values()];
        const line = [
          row.name,
          String(pipeline),
          ...withRatio(
            results.map((result) => result?.rate),
            thousands,
            results.map((result) => result?.rateRatio ?? NaN),
          ),
          ...withRatio(results.map((result) => result?.cpuMicros), (micros) => micros.toFixed(2)),
          ...results.map((result) => result === null ? "–" : result.p99.toFixed(2)),
        ];
        lines.push(line);
        console.log(line.join("  "));
      }
    }
  } finally {
    for (const server of servers.values()) await server[Symbol.asyncDispose]();
  }
  const titles = ["commands/s", "CPU µs/command", "p99 ms"].flatMap((unit) =>
    labels.map((label) => `${label}, ${unit}`)
  );
  return table(["command", "pipeline", ...titles], lines);
}

async function memoryTable(): Promise<string> {
  const rows = memory.filter((row) => chosen([row.group], row.name));
  const lines = [];
  for (const row of rows) {
    const results = [];
    for (const name of contestants) results.push(await measureMemory(name, row));
    const line = [
      row.name,
      ...withRatio(results.map((result) => result?.resident), (bytes) => (bytes / 1e6).toFixed(0)),
      ...withRatio(results.map((result) => result?.perElement), (bytes) => bytes.toFixed(0)),
    ];
    lines.push(line);
    console.log(line.join("  "));
  }
  const titles = ["RSS in MB", "bytes each"].flatMap((unit) => labels.map((label) => `${label}, ${unit}`));
  return lines.length === 0 ? "" : table(["data", ...titles], lines);
}

async function startTable(): Promise<string> {
  if (!chosen(["start"], "start")) return "";
  const times = [];
  for (const name of contestants) times.push(await measureStart(name, effort.runs));
  const line = ["start to first PONG, ms", ...times.map((time) => time.toFixed(0))];
  console.log(line.join("  "));
  return table(["", ...labels], [line]);
}

/** A table with one column per server, if its group is selected. */
async function figureTable(
  group: string,
  measure: (contestants: readonly Contestant[], effort: Effort) => Promise<Figure[]>,
): Promise<string> {
  if (!only.includes(group)) return "";
  const lines = (await measure(contestants, effort)).map(({ name, digits, values, ratios }) => [
    name,
    ...withRatio(values, (value) => digits === 0 ? thousands(value) : value.toFixed(digits), ratios),
  ]);
  for (const line of lines) console.log(line.join("  "));
  return table([group, ...labels], lines);
}

/** The figures as text; all but the first with their ratio to the first, which is Redis (`ratios`, where it is not plainly that). */
function withRatio(
  values: readonly (number | undefined)[],
  show: (value: number) => string,
  ratios: readonly number[] = values.map((value) => (value ?? NaN) / (values[0] ?? NaN)),
): string[] {
  return values.map((value, i) => {
    if (value === undefined) return "–";
    return i === 0 || Number.isNaN(ratios[i]) ? show(value) : `${show(value)} (${ratios[i].toFixed(2)}×)`;
  });
}

function thousands(value: number): string {
  return Math.round(value).toString().replace(/\B(?=(\d{3})+$)/g, ",");
}

function table(titles: readonly string[], lines: readonly (readonly string[])[]): string {
  const row = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  const rule = titles.map((_, i) => i === 0 ? "---" : "--:");
  return [row(titles), row(rule), ...lines.map(row)].join("\n");
}

/** Replaces what stands between the markers in README.md. */
function writeReadme(report: string): void {
  const path = join(root, "README.md");
  const readme = readFileSync(path, "utf8");
  const [begin, end] = ["<!-- bench:begin -->", "<!-- bench:end -->"];
  const from = readme.indexOf(begin);
  const to = readme.indexOf(end);
  if (from === -1 || to < from) throw new Error(`README.md has no ${begin} … ${end}`);
  writeFileSync(path, `${readme.slice(0, from + begin.length)}\n\n${report}\n\n${readme.slice(to)}`);
}
