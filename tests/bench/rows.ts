/**
 * What is measured, one row each: to measure something else, add a row. `group` and `name` are what `--only` selects.
 */

import type { Client, Command } from "../kit/client.ts";
import { fill, fillStrings } from "./load.ts";

/** A command (or one of redis-benchmark's own tests) under load. */
export interface ThroughputRow {
  readonly name: string;
  /** "default" are the tests that redis-benchmark runs when it is not told which. */
  readonly groups: readonly ("main" | "default" | "more")[];
  readonly command: Command | { readonly test: string };
  /** Below this are the random numbers in the command. */
  readonly keyspace?: number;
  /** Brings the data the command works on, once per server. */
  readonly prepare?: (client: Client) => Promise<void>;
  /** Brings what a run of so many requests takes away. */
  readonly refill?: (client: Client, requests: number) => Promise<void>;
  /** Clients that listen to `CHANNEL`; a run includes that they get everything. */
  readonly subscribers?: number;
  /** How much slower than a GET it is, roughly: the number of requests is divided by it. */
  readonly cost?: number;
  readonly pipelines?: readonly number[];
}

/** Something that fills a fresh server; its memory is divided by the number of elements. */
export interface MemoryRow {
  readonly name: string;
  readonly group: "memory" | "elements";
  readonly elements: number;
  /** Share of the data that goes in and out before: what a runtime takes to compile the code is no element's. */
  readonly warmUp: number;
  /** Stores the first `share` (0 … 1) of the data. */
  readonly fill: (client: Client, share: number) => Promise<void>;
}

const WARM_UP = 0.05;
/** Elements per command while filling a collection. */
const PER_COMMAND = 50;
const value = "v".repeat(32);
const key = "key:__rand_int__";
const pad = (i: number): string => String(i).padStart(12, "0");

/** What `ThroughputRow.subscribers` listen to, and the message that is published there. */
export const CHANNEL = "channel";
export const MESSAGE = value;

/** How the elements are added that a test of redis-benchmark takes away again. */
const REFILL: Readonly<Record<string, (i: number) => Command>> = {
  lpop: () => ["RPUSH", "mylist", ...Array.from({ length: PER_COMMAND }, () => "xxx")],
  rpop: () => ["RPUSH", "mylist", ...Array.from({ length: PER_COMMAND }, () => "xxx")],
  spop: (i) => ["SADD", "myset", ...Array.from({ length: PER_COMMAND }, (_, n) => element(i * PER_COMMAND + n))],
  zpopmin: (i) => [
    "ZADD",
    "myzset",
    ...Array.from({ length: PER_COMMAND }, (_, n) => [0, element(i * PER_COMMAND + n)]).flat(),
  ],
};
const element = (i: number): string => `element:${pad(i)}`;

/** One of redis-benchmark's own tests. */
function ofBenchmark(test: string): ThroughputRow {
  const refill = REFILL[test];
  return {
    name: test.toUpperCase(),
    groups: ["default"],
    command: { test },
    keyspace: 100_000,
    refill: refill && ((client, requests) => fill(client, Math.ceil(requests / PER_COMMAND), refill)),
    cost: 1.5,
    pipelines: [1, 16],
  };
}

async function fillKeys(client: Client): Promise<void> {
  await fill(client, 100_000, (i) => ["SET", `key:${pad(i)}`, value]);
}

export const throughput: readonly ThroughputRow[] = [
  { name: "PING_MBULK", groups: ["main", "default"], command: ["PING"] },
  { name: "SET", groups: ["main", "default"], command: ["SET", key, value], keyspace: 100_000 },
  { name: "GET", groups: ["main", "default"], command: ["GET", key], keyspace: 100_000, prepare: fillKeys },
  { name: "INCR", groups: ["main", "default"], command: ["INCR", "counter:__rand_int__"], keyspace: 100_000 },
  {
    name: "MSET (10 keys)",
    groups: ["main", "default"],
    command: ["MSET", ...Array.from({ length: 10 }, () => [key, value]).flat()],
    keyspace: 100_000,
    cost: 6,
  },
  {
    name: "GET (4 KB)",
    groups: ["main"],
    command: ["GET", "big:__rand_int__"],
    keyspace: 1000,
    prepare: (client) => fill(client, 1000, (i) => ["SET", `big:${pad(i)}`, "x".repeat(4096)]),
    cost: 4,
  },

  ...["ping_inline", "lpush", "rpush", "lpop", "rpop", "sadd", "hset", "spop", "zadd", "zpopmin"].map(ofBenchmark),
  ...[100, 300, 500, 600].map((length): ThroughputRow => ({
    name: `LRANGE_${length}`,
    groups: ["default"],
    // The range that redis-benchmark calls 500 is 450 long.
    command: ["LRANGE", "mylist", 0, (length === 500 ? 450 : length) - 1],
    prepare: (client) => fill(client, 10, () => ["RPUSH", "mylist", ...Array.from({ length: 100 }, () => "xxx")]),
    cost: length / 10,
    pipelines: [1, 16],
  })),
  {
    name: "XADD",
    groups: ["default"],
    command: ["XADD", "mystream", "*", "myfield", "xxx"],
    cost: 1.5,
    pipelines: [1, 16],
  },

  {
    name: "ZRANK (of 100,000)",
    groups: ["more"],
    command: ["ZRANK", "zset", "member:__rand_int__"],
    keyspace: 100_000,
    prepare: (client) => fill(client, 100_000, (i) => ["ZADD", "zset", (i * 7919) % 100_003, `member:${pad(i)}`]),
    cost: 2,
  },
  {
    name: "HGETALL (20 fields)",
    groups: ["more"],
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
    groups: ["more"],
    command: ["ZRANGE", "zset", 50_000, 50_099],
    prepare: (client) => fill(client, 100_000, (i) => ["ZADD", "zset", (i * 7919) % 100_003, `member:${pad(i)}`]),
    cost: 12,
    pipelines: [1, 16],
  },
  {
    name: "HGETALL (100 fields)",
    groups: ["more"],
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
    groups: ["more"],
    command: ["HGETALL", "large"],
    prepare: (client) => fill(client, 1000, (i) => ["HSET", "large", `field:${i}`, value]),
    cost: 150,
    pipelines: [1, 16],
  },
  {
    name: "SINTER (1,000 with 1,000)",
    groups: ["more"],
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
    groups: ["more"],
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
    groups: ["more"],
    command: ["PUBLISH", "channel:__rand_int__", value],
    keyspace: 1000,
  },
  {
    name: "PUBLISH (100 subscribers)",
    groups: ["more"],
    command: ["PUBLISH", CHANNEL, MESSAGE],
    subscribers: 100,
    cost: 60,
    pipelines: [1, 16],
  },
];

/** What is written when the price of persistence and replication is measured. */
export const SET_ROW: ThroughputRow = {
  name: "SET",
  groups: ["main"],
  command: ["SET", key, value],
  keyspace: 100_000,
};

function collection(name: string, elements: number, command: string, element: (i: number) => Command): MemoryRow {
  return {
    name,
    group: "elements",
    warmUp: WARM_UP,
    elements,
    fill: (client, share) =>
      fill(client, share * elements / PER_COMMAND, (i) => [
        command,
        "collection",
        ...Array.from({ length: PER_COMMAND }, (_, n) => element(i * PER_COMMAND + n)).flat(),
      ]),
  };
}

/** Many small collections of one type, each made by one command. */
function small(name: string, command: string, element: (n: number) => Command): MemoryRow {
  return {
    name: `small ${name}`,
    group: "elements",
    warmUp: WARM_UP,
    elements: 1_000_000,
    fill: (client, share) =>
      fill(client, share * 200_000, (i) => [
        command,
        `key:${pad(i)}`,
        ...Array.from({ length: 5 }, (_, n) => element(n)).flat(),
      ]),
  };
}

export const memory: readonly MemoryRow[] = [
  {
    name: "1 M keys",
    group: "memory",
    warmUp: 0,
    elements: 1_000_000,
    fill: (client, share) => fillStrings(client, share * 1_000_000),
  },
  {
    name: "5 M keys",
    group: "memory",
    warmUp: 0,
    elements: 5_000_000,
    fill: (client, share) => fillStrings(client, share * 5_000_000),
  },
  collection("list, 1 M elements of 16 bytes", 1_000_000, "RPUSH", (i) => [`elem${pad(i)}`]),
  collection("set, 1 M members of 16 bytes", 1_000_000, "SADD", (i) => [`elem${pad(i)}`]),
  collection(
    "sorted set, 1 M members of 16 bytes",
    1_000_000,
    "ZADD",
    (i) => [(i * 7919) % 1_000_003, `elem${pad(i)}`],
  ),
  collection("hash, 1 M fields of 16 with values of 32 bytes", 1_000_000, "HSET", (i) => [`elem${pad(i)}`, value]),
  small("lists, 200,000 of 5 elements", "RPUSH", (n) => [`element ${n}`]),
  small("sets, 200,000 of 5 members", "SADD", (n) => [`member ${n}`]),
  small("sets, 200,000 of 5 integers", "SADD", (n) => [n * 1000]),
  small("sorted sets, 200,000 of 5 members", "ZADD", (n) => [n * 1.5, `member ${n}`]),
  small("hashes, 200,000 of 5 fields", "HSET", (n) => [`field${n}`, `value of field ${n}`]),
  {
    name: "small streams, 40,000 of 5 entries",
    group: "elements",
    warmUp: WARM_UP,
    elements: 200_000,
    fill: (client, share) =>
      fill(client, share * 200_000, (i) => ["XADD", `key:${pad(i % 40_000)}`, `${i + 1}-0`, "reading", i]),
  },
  {
    name: "stream, 1 M entries of 2 fields",
    group: "elements",
    warmUp: WARM_UP,
    elements: 1_000_000,
    fill: (client, share) =>
      fill(client, share * 1_000_000, (i) => ["XADD", "stream", `${i + 1}-0`, "sensor", i % 100, "reading", i]),
  },
];
