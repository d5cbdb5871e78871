/**
 * Where the memory goes, for INFO memory, MEMORY STATS and MEMORY DOCTOR.
 *
 * What the slab, the tables and the clients' buffers take is counted to the byte; only the runtime itself (its compiler, its own
 * heap) shows in the resident set alone, as the "rss overhead".
 */

import { clientMemory } from "../engine/client_info.ts";
import type { Engine } from "../engine/engine.ts";

export interface MemoryReport {
  /** Bytes of data, tables and clients' buffers. */
  readonly used: number;
  readonly peak: number;
  /** What it was before there was any data. */
  readonly startup: number;
  /** Bytes of slabs, used or not, and of everything else that is counted in `used`. */
  readonly reserved: number;
  readonly rss: number;
  readonly system: number;
  readonly clients: number;
  readonly replicas: number;
  readonly backlog: number;
  /** Bytes of the whole replication stream that is kept. */
  readonly stream: number;
  /** Bytes that wait to be written to the AOF. */
  readonly aofBuffer: number;
  /** Of `used`, what `maxmemory` does not limit. */
  readonly notCounted: number;
  /** Bytes of each database's hash table and deadlines, where there are keys. */
  readonly databases: readonly { index: number; main: number; expires: number }[];
  readonly overhead: number;
  readonly dataset: number;
  readonly datasetPercent: number;
  readonly keys: number;
}

export function memoryReport(engine: Engine): MemoryReport {
  const { keyspace, observation, persistence, platform: { process }, replication, stats } = engine;
  let clients = 0, replicas = 0;
  let hasReplicas = false;
  for (const client of engine.clients.values()) {
    if (client.isReplica) {
      hasReplicas = true;
      replicas += clientMemory(client) - client.streamBytes;
    } else clients += clientMemory(client);
  }
  // The stream's blocks serve the backlog first; what they hold beyond it is there for slow replicas, if there are any.
  const stream = replication.stream.memory;
  const backlog = hasReplicas ? Math.min(stream, engine.config.values.replBacklogSize) : stream;
  replicas += stream - backlog;
  const aofBuffer = persistence.aof.bufferLength;
  const used = keyspace.usedMemory + clients + replicas + backlog + aofBuffer;
  stats.peakMemory = Math.max(stats.peakMemory, used);
  const databases = keyspace.databases.filter((db) => db.dict.count > 0).map((db) => ({
    index: db.index,
    main: db.dict.overhead,
    expires: db.deadlines.bytes,
  }));
  const startup = observation.startupMemory;
  let overhead = startup + clients + replicas + backlog + aofBuffer;
  for (const { main, expires } of databases) overhead += main + expires;
  const dataset = Math.max(0, used - overhead);
  const net = used - startup;
  return {
    used,
    peak: stats.peakMemory,
    startup,
    reserved: used - keyspace.slab.used + keyspace.slab.reserved,
    rss: process.memory().rss,
    system: process.totalSystemMemory(),
    clients,
    replicas,
    backlog,
    stream,
    aofBuffer,
    notCounted: stream - backlog + aofBuffer,
    databases,
    overhead,
    dataset,
    datasetPercent: net > 0 ? dataset * 100 / net : 0,
    keys: keyspace.keys,
  };
}

/** A quotient with two digits; 0 where there is nothing to divide by. */
export function ratio(part: number, whole: number): string {
  return (whole === 0 ? 0 : part / whole).toFixed(2);
}

/** "512B", "1.50K", "2.00G". */
export function humanBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes}B`;
  let unit = 1024;
  for (const letter of "KMGTP") {
    if (bytes < unit * 1024) return `${(bytes / unit).toFixed(2)}${letter}`;
    unit *= 1024;
  }
  return `${bytes}B`;
}
