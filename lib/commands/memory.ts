/** MEMORY: what takes how much of it. */

import { lower } from "../bytes/ascii.ts";
import type { Client } from "../engine/client.ts";
import { type Command, command, container } from "../engine/command.ts";
import { replyHelp } from "../engine/help.ts";
import { type MemoryReport, memoryReport } from "../observe/memory.ts";
import { NOT_INTEGER, SYNTAX } from "../resp/errors.ts";

const SAMPLES = lower("samples");
const MB = 1024 * 1024;

const HELP = [
  "DOCTOR",
  "    Return memory problems reports.",
  "MALLOC-STATS",
  "    Return internal statistics report from the memory allocator.",
  "PURGE",
  "    Attempt to purge dirty pages for reclamation by the allocator.",
  "STATS",
  "    Return information about the memory usage of the server.",
  "USAGE <key> [SAMPLES <count>]",
  "    Return memory in bytes used by <key> and its value. Nested values are",
  "    sampled up to <count> times (default: 5, 0 means sample all).",
];

/** The number of samples is checked and not needed: every value knows its exact size. */
function usage(c: Client): void {
  const { args, reply, db } = c;
  for (let i = 3; i < args.argc; i += 2) {
    if (!args.is(i, SAMPLES) || i + 1 >= args.argc) return reply.error(SYNTAX);
    const samples = args.int(i + 1);
    if (Number.isNaN(samples)) return reply.error(NOT_INTEGER);
    if (samples < 0) return reply.error(SYNTAX);
  }
  const ref = db.dict.lookup(args.buf, args.off[2], args.len[2]);
  if (ref === 0) return reply.null();
  reply.int(db.memory(ref));
}

function stats(c: Client): void {
  const { reply } = c;
  const m = memoryReport(c.engine);
  const net = m.used - m.startup;
  reply.map(27 + m.databases.length);
  const int = (name: string, value: number) => {
    reply.text(name);
    reply.int(value);
  };
  const double = (name: string, value: number) => {
    reply.text(name);
    reply.double(value);
  };
  int("peak.allocated", m.peak);
  int("total.allocated", m.used);
  int("startup.allocated", m.startup);
  int("replication.backlog", m.backlog);
  int("clients.slaves", m.replicas);
  int("clients.normal", m.clients);
  int("cluster.links", 0);
  int("aof.buffer", m.aofBuffer);
  int("lua.caches", 0);
  int("functions.caches", 0);
  for (const { index, main, expires } of m.databases) {
    reply.text(`db.${index}`);
    reply.map(3);
    int("overhead.hashtable.main", main);
    int("overhead.hashtable.expires", expires);
    int("overhead.hashtable.slot-to-keys", 0);
  }
  int("overhead.total", m.overhead);
  int("keys.count", m.keys);
  int("keys.bytes-per-key", m.keys === 0 ? 0 : Math.floor(net / m.keys));
  int("dataset.bytes", m.dataset);
  double("dataset.percentage", m.datasetPercent);
  double("peak.percentage", m.peak === 0 ? 0 : m.used * 100 / m.peak);
  int("allocator.allocated", m.used);
  int("allocator.active", m.reserved);
  int("allocator.resident", m.reserved);
  double("allocator-fragmentation.ratio", m.reserved / m.used);
  int("allocator-fragmentation.bytes", m.reserved - m.used);
  double("allocator-rss.ratio", 1);
  int("allocator-rss.bytes", 0);
  double("rss-overhead.ratio", m.rss / m.reserved);
  int("rss-overhead.bytes", m.rss - m.reserved);
  double("fragmentation", m.rss / m.used);
  int("fragmentation.bytes", m.rss - m.used);
}

/** MEMORY DOCTOR's text. */
function diagnosis(m: MemoryReport, clients: number, replicas: number): string {
  if (m.used < 5 * MB) {
    return "Hi Sam, this instance is empty or is using very little memory, my issues detector can't be used in these conditions. " +
      "Please, leave for your mission on Earth and fill it with some data.\n";
  }
  const issues: string[] = [];
  if (m.peak / m.used > 1.5) {
    issues.push(
      "Peak memory: this instance once used more than 150% of what it uses now. Slabs that are empty go back to the runtime; MEMORY PURGE does that at once, and collects garbage.",
    );
  }
  if (m.rss / m.used > 1.4 && m.rss - m.used > 10 * MB) {
    issues.push(
      "High total RSS: the process takes more than 1.4 times the memory of its data. A part of that is the runtime itself, which matters less the more data there is.",
    );
  }
  if (m.reserved / m.used > 1.1 && m.reserved - m.used > 10 * MB) {
    issues.push(
      "High slab fragmentation: slabs are more than 10% larger than what they hold, usually after many keys were deleted.",
    );
  }
  if (replicas > 0 && m.replicas > 10 * MB) {
    issues.push(
      "Big replica buffers: some replica does not take what it is sent. See INFO replication and CLIENT LIST.",
    );
  }
  if (clients > 0 && m.clients / clients > 200 * 1024) {
    issues.push("Big client buffers: clients use more than 200K each on average. See CLIENT LIST.");
  }
  if (issues.length === 0) {
    return "Hi Sam, I can't find any memory issue in your instance. I can only account for what occurs on this base.\n";
  }
  const list = issues.map((issue) => ` * ${issue}\n\n`).join("");
  return `Sam, I detected a few issues in this Redis instance memory implants:\n\n${list}` +
    "I'm here to keep you safe, Sam. I want to help you.\n";
}

function doctor(c: Client): void {
  let replicas = 0;
  for (const client of c.engine.clients.values()) if (client.isReplica) replicas++;
  c.reply.verbatim(diagnosis(memoryReport(c.engine), c.engine.clients.size - replicas, replicas));
}

function allocatorStats(c: Client): void {
  const { slab } = c.engine.keyspace;
  c.reply.verbatim(`slab: ${slab.used} bytes used, ${slab.reserved} bytes reserved\n`);
}

const memory = container({
  name: "memory",
  arity: -2,
  since: "4.0.0",
  group: "server",
  complexity: "Depends on subcommand.",
  summary: "A container for memory diagnostics commands",
  subcommands: [
    command({
      name: "doctor",
      arity: 2,
      since: "4.0.0",
      group: "server",
      complexity: "O(1)",
      summary: "Outputs memory problems report",
      tips: "nondeterministic_output request_policy:all_shards response_policy:special",
      run: doctor,
    }),
    command({
      name: "help",
      arity: 2,
      flags: "loading stale",
      since: "4.0.0",
      group: "server",
      complexity: "O(1)",
      summary: "Show helpful text about the different subcommands",
      run: (c) => replyHelp(c, HELP),
    }),
    command({
      name: "malloc-stats",
      arity: 2,
      since: "4.0.0",
      group: "server",
      complexity: "Depends on how much memory is allocated, could be slow",
      summary: "Show allocator internal stats",
      tips: "nondeterministic_output request_policy:all_shards response_policy:special",
      run: allocatorStats,
    }),
    command({
      name: "purge",
      arity: 2,
      since: "4.0.0",
      group: "server",
      complexity: "Depends on how much memory is allocated, could be slow",
      summary: "Ask the allocator to release memory",
      tips: "request_policy:all_shards response_policy:all_succeeded",
      run(c) {
        const { slab } = c.engine.keyspace;
        slab.purge();
        slab.givenUp = 0;
        c.engine.platform.process.collectGarbage(true);
        c.reply.ok();
      },
    }),
    command({
      name: "stats",
      arity: 2,
      since: "4.0.0",
      group: "server",
      complexity: "O(1)",
      summary: "Show memory usage details",
      tips: "nondeterministic_output request_policy:all_shards response_policy:special",
      run: stats,
    }),
    command({
      name: "usage",
      arity: -3,
      flags: "readonly",
      keys: "2 RO",
      since: "4.0.0",
      group: "server",
      complexity: "O(N) where N is the number of samples.",
      summary: "Estimate the memory usage of a key",
      syntax: "key [SAMPLES count]",
      run: usage,
    }),
  ],
});

export const commands: Command[] = [memory];
