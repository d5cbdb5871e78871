/**
 * What is measured, one row each: to measure something else, add a row. `group` and `name` are what `--only` selects.
 */

import type { Client, Command } from "../kit/client.ts";
import { fill, fillStrings } from "./load.ts";

/** A command (or one of redis-benchmark's own tests) under load. */
export interface ThroughputRow {
  readonly name: string;
  readonly group: "main" | "default" | "more";
  readonly command: Command | { readonly test: string };
  /** Below this are the random numbers in the command. */
  readonly keyspace?: number;
  /** Brings the data the command works on, once per server. */
  readonly prepare?: (client: Client) => Promise<void>;
  /** How much slower than a GET it is, roughly: the number of requests is divided by it. */
  readonly cost?: number;
  readonly pipelines?: readonly number[];
}

/** Something that fills a fresh server; its memory is divided by the number of elements. */
export interface MemoryRow {
  readonly name: string;
  readonly group: "memory" | "elements";
  readonly elements: number;
  readonly fill: (client: Client) => Promise<void>;
}

const value = "v".repeat(32);
const key = "key:__rand_int__";
const pad = (i: number): string => String(i).padStart(12, "0");

async function fillKeys(client: Client): Promise<void> {
  await fill(client, 100_000, (i) => ["SET", `key:${pad(i)}`, value]);
}

export const throughput: readonly ThroughputRow[] = [
  { name: "PING", group: "main", command: ["PING"] },
  { name: "SET", group: "main", command: ["SET", key, value], keyspace: 100_000 },
  { name: "GET", group: "main", command: ["GET", key], keyspace: 100_000, prepare: fillKeys },
  { name: "INCR", group: "main", command: ["INCR", "counter:__rand_int__"], keyspace: 100_000 },
  {
    name: "MSET (10 keys)",
    group: "main",
    command: ["MSET", ...Array.from({ length: 10 }, () => [key, value]).flat()],
    keyspace: 100_000,
    cost: 6,
  },
  {
    name: "GET (4 KB)",
    group: "main",
    command: ["GET", "big:__rand_int__"],
    keyspace: 1000,
    prepare: (client) => fill(client, 1000, (i) => ["SET", `big:${pad(i)}`, "x".repeat(4096)]),
    cost: 4,
  },

  ...[
    "ping_inline",
    "set",
    "get",
    "incr",
    "lpush",
    "rpush",
    "lpop",
    "rpop",
    "sadd",
    "hset",
    "spop",
    "zadd",
    "zpopmin",
    "mset",
  ]
    .map((test): ThroughputRow => ({
      name: `-t ${test}`,
      group: "default",
      command: { test },
      keyspace: 100_000,
      cost: test === "mset" ? 6 : 1.5,
      pipelines: [1, 16],
    })),
  ...[100, 300, 500, 600].map((length): ThroughputRow => ({
    name: `-t lrange_${length}`,
    group: "default",
    command: { test: `lrange_${length}` },
    cost: length / 10,
    pipelines: [1, 16],
  })),

  {
    name: "ZRANK (of 100,000)",
    group: "more",
    command: ["ZRANK", "zset", "member:__rand_int__"],
    keyspace: 100_000,
    prepare: (client) => fill(client, 100_000, (i) => ["ZADD", "zset", (i * 7919) % 100_003, `member:${pad(i)}`]),
    cost: 2,
  },
  {
    name: "HGETALL (20 fields)",
    group: "more",
    command: ["HGETALL", "hash:__rand_int__"],
    keyspace: 1000,
    prepare: (client) =>
      fill(
        client,
        1000,
        (i) => ["HSET", `hash:${pad(i)}`, ...Array.from({ length: 20 }, (_, n) => [`f${n}`, value]).flat()],
      ),
    cost: 6,
  },
  {
    name: "ZRANGE of 100 (of 100,000)",
    group: "more",
    command: ["ZRANGE", "zset", 50_000, 50_099],
    prepare: (client) => fill(client, 100_000, (i) => ["ZADD", "zset", (i * 7919) % 100_003, `member:${pad(i)}`]),
    cost: 12,
    pipelines: [1, 16],
  },
  {
    name: "HGETALL (100 fields)",
    group: "more",
    command: ["HGETALL", "hash:__rand_int__"],
    keyspace: 1000,
    prepare: (client) =>
      fill(
        client,
        1000,
        (i) => ["HSET", `hash:${pad(i)}`, ...Array.from({ length: 100 }, (_, n) => [`f${n}`, value]).flat()],
      ),
    cost: 20,
    pipelines: [1, 16],
  },
  {
    name: "HGETALL (1,000 fields)",
    group: "more",
    command: ["HGETALL", "large"],
    prepare: (client) => fill(client, 1000, (i) => ["HSET", "large", `field:${i}`, value]),
    cost: 150,
    pipelines: [1, 16],
  },
  {
    name: "SINTER (1,000 with 1,000)",
    group: "more",
    command: ["SINTER", "a", "b"],
    prepare: async (client) => {
      await fill(client, 1000, (i) => ["SADD", "a", `m${i * 2}`]);
      await fill(client, 1000, (i) => ["SADD", "b", `m${i * 3}`]);
    },
    cost: 150,
    pipelines: [1, 16],
  },
  {
    name: "SINTER (10,000 with 10,000)",
    group: "more",
    command: ["SINTER", "a", "b"],
    prepare: async (client) => {
      await fill(client, 10_000, (i) => ["SADD", "a", `m${i * 2}`]);
      await fill(client, 10_000, (i) => ["SADD", "b", `m${i * 3}`]);
    },
    cost: 1500,
    pipelines: [1, 16],
  },
  {
    name: "PUBLISH (no subscriber)",
    group: "more",
    command: ["PUBLISH", "channel:__rand_int__", value],
    keyspace: 1000,
  },
];

/** What is written when the price of persistence and replication is measured. */
export const SET_ROW: ThroughputRow = {
  name: "SET",
  group: "main",
  command: ["SET", key, value],
  keyspace: 100_000,
};

/** Elements per command while filling a collection. */
const PER_COMMAND = 50;

function collection(name: string, elements: number, command: string, element: (i: number) => Command): MemoryRow {
  return {
    name,
    group: "elements",
    elements,
    fill: (client) =>
      fill(client, elements / PER_COMMAND, (i) => [
        command,
        "collection",
        ...Array.from({ length: PER_COMMAND }, (_, n) => element(i * PER_COMMAND + n)).flat(),
      ]),
  };
}

export const memory: readonly MemoryRow[] = [
  { name: "1 M keys", group: "memory", elements: 1_000_000, fill: (client) => fillStrings(client, 1_000_000) },
  { name: "5 M keys", group: "memory", elements: 5_000_000, fill: (client) => fillStrings(client, 5_000_000) },
  collection("list, 1 M elements of 16 bytes", 1_000_000, "RPUSH", (i) => [`elem${pad(i)}`]),
  collection("set, 1 M members of 16 bytes", 1_000_000, "SADD", (i) => [`elem${pad(i)}`]),
  collection(
    "sorted set, 1 M members of 16 bytes",
    1_000_000,
    "ZADD",
    (i) => [(i * 7919) % 1_000_003, `elem${pad(i)}`],
  ),
  collection("hash, 1 M fields of 16 with values of 32 bytes", 1_000_000, "HSET", (i) => [`elem${pad(i)}`, value]),
  {
    name: "small hashes, 200,000 of 5 fields",
    group: "elements",
    elements: 1_000_000,
    fill: (client) =>
      fill(client, 200_000, (i) => [
        "HSET",
        `hash:${pad(i)}`,
        ...Array.from({ length: 5 }, (_, n) => [`field${n}`, `value of field ${n}`]).flat(),
      ]),
  },
  {
    name: "stream, 1 M entries of 2 fields",
    group: "elements",
    elements: 1_000_000,
    fill: (client) => fill(client, 1_000_000, (i) => ["XADD", "stream", `${i + 1}-0`, "sensor", i % 100, "reading", i]),
  },
];
