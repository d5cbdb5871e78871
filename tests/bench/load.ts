/**
 * The load: redis-benchmark for throughput, so that nothing of ours generates it, and a pipelined loader of our own for
 * filling servers, because exact keys and values are wanted. Latency beside other work is sampled here too, under writes of a fixed rate.
 */

import { Buffer } from "node:buffer";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { type Client, type Command, encodeCommands } from "../kit/client.ts";
import type { TestServer } from "../kit/server.ts";

export interface Load {
  readonly port: number;
  readonly requests: number;
  readonly pipeline: number;
  /** Replaces `__rand_int__` in the command by a random number below this. */
  readonly keyspace?: number;
  /** A command of our own, or one of redis-benchmark's tests (`-t`). */
  readonly command: Command | { readonly test: string };
  readonly clients?: number;
}

export interface LoadResult {
  /** Commands per second. */
  readonly rate: number;
  /** 99th percentile of latency in milliseconds. */
  readonly p99: number;
}

/** Runs redis-benchmark with 50 connections. */
export async function runLoad(load: Load): Promise<LoadResult> {
  const args = ["-p", String(load.port), "-c", String(load.clients ?? 50), "-n", String(load.requests)];
  args.push("-P", String(load.pipeline), "--csv");
  if (load.keyspace !== undefined) args.push("-r", String(load.keyspace));
  if ("test" in load.command) args.push("-t", load.command.test);
  else args.push(...load.command.map(String));
  const output = await new Promise<string>((resolve, reject) => {
    const child = spawn("redis-benchmark", args, { stdio: ["ignore", "pipe", "pipe"] });
    let text = "";
    let errors = "";
    child.stdout.on("data", (chunk: Uint8Array) => text += new TextDecoder().decode(chunk));
    child.stderr.on("data", (chunk: Uint8Array) => errors += new TextDecoder().decode(chunk));
    child.on("error", reject);
    child.on(
      "close",
      (code) => code === 0 ? resolve(text) : reject(new Error(`redis-benchmark ${args.join(" ")}: ${errors}${text}`)),
    );
  });
  // "test","rps","avg_latency_ms","min_latency_ms","p50_latency_ms","p95_latency_ms","p99_latency_ms","max_latency_ms"
  const line = output.trim().split("\n").at(-1) ?? "";
  const fields = [...line.matchAll(/"([^"]*)"/g)].map((match) => match[1]).slice(-7).map(Number);
  if (fields.length !== 7 || !(fields[0] > 0)) throw new Error(`redis-benchmark ${args.join(" ")} said: ${output}`);
  return { rate: fields[0], p99: fields[5] };
}

/** Sends `count` commands in pipelines of 500 and waits for all replies; throws at the first error reply. */
export async function fill(client: Client, count: number, command: (i: number) => Command): Promise<void> {
  for (let from = 0; from < count; from += 500) {
    const size = Math.min(500, count - from);
    const replies = await client.pipeline(Array.from({ length: size }, (_, i) => command(from + i)));
    for (const reply of replies) {
      if (typeof reply === "object" && reply !== null && "error" in reply) throw new Error(reply.error);
    }
  }
}

/** Sets `count` keys of 16 bytes to values of 32: "key:000000000042" to 32 varying digits. Twice as fast as `fill`. */
export async function fillStrings(client: Client, count: number): Promise<void> {
  const size = 1000;
  const one = (i: number) => {
    const number = String(i).padStart(12, "0");
    return `*3\r\n$3\r\nSET\r\n$16\r\nkey:${number}\r\n$32\r\nvalue-of-${number}${number.slice(1)}\r\n`;
  };
  let pending = 0;
  for (let from = 0; from < count; from += size) {
    let text = "";
    const end = Math.min(count, from + size);
    for (let i = from; i < end; i++) text += one(i);
    client.send(Buffer.from(text, "latin1"));
    // A few batches are under way at a time, so that neither side waits for the other.
    if (++pending === 4) {
      await client.readBytes(5 * size);
      pending--;
    }
  }
  await client.readBytes(5 * (count - Math.max(0, Math.ceil(count / size) - pending) * size));
}

/** The keys of `fillStrings`, chosen at random. */
const someKey = (keys: number): string => `key:${String(Math.floor(Math.random() * keys)).padStart(12, "0")}`;

/** A write load that is the same for every server, unlike one at full speed. */
export interface Writes {
  stop(): Promise<void>;
}

/** Sets random ones of `fillStrings`' keys, about 10,000 a second in small batches; after a stall it does not make up for it. */
export async function steadyWrites(server: TestServer, keys: number): Promise<Writes> {
  const client = await server.connect();
  client.timeoutMs = 120_000;
  const perMs = 10;
  const value = "w".repeat(32);
  let stopped = false;
  const write = async () => {
    let last = performance.now();
    while (!stopped) {
      await sleep(1);
      const now = performance.now();
      const size = Math.min(100, Math.round((now - last) * perMs));
      last = now;
      if (size === 0) continue;
      const batch = Array.from({ length: size }, (): Command => ["SET", someKey(keys), value]);
      client.send(encodeCommands(batch));
      await client.readBytes(5 * size);
    }
  };
  const writing = write();
  return {
    async stop() {
      stopped = true;
      await writing;
      client.close();
    },
  };
}

/** Sets random keys of redis-benchmark's as fast as the server takes them, at pipeline 16. */
export function fullWrites(server: TestServer, keys: number): Writes {
  const args = ["-p", String(server.port), "-t", "set", "-r", String(keys), "-n", String(1e9), "-P", "16", "-d", "32"];
  const child = spawn("redis-benchmark", args, { stdio: "ignore" });
  return {
    async stop() {
      const exited = once(child, "exit");
      child.kill();
      await exited;
    },
  };
}

/**
 * Milliseconds that GETs of random keys take while `work` runs. About every millisecond one is sent, whether or not the one before is
 * answered: if a server stops for a while, all that would have come in that time are counted.
 */
export async function sampleLatency(server: TestServer, keys: number, work: () => Promise<void>): Promise<number[]> {
  using client = await server.connect();
  client.timeoutMs = 120_000;
  const samples: number[] = [];
  let working = true;
  const finished = work().finally(() => working = false);
  const pending: Promise<void>[] = [];
  let previous = Promise.resolve();
  while (working) {
    const start = performance.now();
    client.send(encodeCommands([["GET", someKey(keys)]]));
    previous = previous.then(async () => {
      await client.readReply();
      samples.push(performance.now() - start);
    });
    pending.push(previous);
    await sleep(1);
  }
  await finished;
  await Promise.all(pending);
  return samples;
}
