/**
 * What the server notices about its own commands: durations, slow commands, latency spikes, what MONITOR shows.
 *
 * Fast commands that repeat in a batch are timed together (execute.ts), and each call counts with the mean; by the time such a run
 * ends its arguments are gone, so that the slow log shows the name alone. With a threshold below a millisecond, or the
 * latency monitor switched on, every command is timed by itself.
 */

import { fromLatin1 } from "../bytes/ascii.ts";
import type { Args } from "../bytes/args.ts";
import type { Blocked } from "../engine/blocking.ts";
import type { Client } from "../engine/client.ts";
import { clientMemory } from "../engine/client_info.ts";
import { type Command, Flag } from "../engine/command.ts";
import type { Engine } from "../engine/engine.ts";
import { Histogram } from "./histogram.ts";
import { LatencyMonitor } from "./latency.ts";
import { Metric } from "./metrics.ts";
import { monitorLine } from "./monitor.ts";
import { loggedArguments, SlowLog } from "./slowlog.ts";

const NONE: readonly number[] = [];
const NOT_TIMED = -1;
/** Milliseconds between two samples of the metrics. */
const SAMPLE_EVERY = 100;
/** So many clients are looked at for their memory with each sample, on average. */
const CLIENTS_ADDED_UP = 1000;

export class Observation {
  /** When the last warning about HTTP requests was logged, ms since 1970. */
  lastAttackWarning = 0;
  readonly slowlog = new SlowLog();
  readonly latency = new LatencyMonitor();
  readonly commandRate = new Metric();
  readonly inputRate = new Metric();
  readonly outputRate = new Metric();
  readonly replicationInputRate = new Metric();
  readonly replicationOutputRate = new Metric();
  /** Memory of the clients that are no replicas, as it was a moment ago: what counts against maxmemory. */
  countedClientsMemory = 0;
  /** What the memory was before there was any data. */
  readonly startupMemory: number;
  readonly #metrics = [
    this.commandRate,
    this.inputRate,
    this.outputRate,
    this.replicationInputRate,
    this.replicationOutputRate,
  ];
  #lastSample = 0;
  /** `now` when the clients' memory was added up. */
  #counted = 0;
  /** Arguments of the running command that must not be shown. */
  #redacted: number[] = [];
  #redactedOf: Args | null = null;
  #redactedAt = -1;

  constructor(readonly engine: Engine) {
    this.startupMemory = engine.keyspace.usedMemory;
  }

  // ---- Commands ----------------------------------------------------------------------------------------------------------------

  /** For commands with passwords in them: argument i is shown neither in the slow log nor by MONITOR. */
  redact(c: Client, i: number): void {
    if (this.#redactedOf !== c.args || this.#redactedAt !== this.engine.stats.commands) {
      this.#redacted = [];
      this.#redactedOf = c.args;
      this.#redactedAt = this.engine.stats.commands;
    }
    this.#redacted.push(i);
  }

  /** Whether argument i of the command that is running must not be shown. */
  isRedacted(args: Args, i: number): boolean {
    return this.#redactedOf === args && this.#redactedAt === this.engine.stats.commands && this.#redacted.includes(i);
  }

  /** `ran`: the command has been counted already. */
  #hidden(args: Args): readonly number[] {
    return this.#redactedOf === args && this.#redactedAt === this.engine.stats.commands - 1 ? this.#redacted : NONE;
  }

  /** A command took so long. One that blocks is only done when it is served. */
  timed(c: Client, cmd: Command, micros: number): void {
    this.#spike(c.readyKey !== 0 ? "command-unblocking" : eventOf(cmd), micros);
    if (c.blocked === null) return this.#finished(c, cmd, micros, micros);
    c.duration = c.readyKey === 0 ? micros : c.duration + micros;
    if (c.readyKey !== 0 && !c.blocked.again) this.#finished(c, cmd, micros, c.duration);
    else cmd.usec += micros;
  }

  /** `total` is more than `micros` if part of it has been added to the command's sum already. */
  #finished(c: Client, cmd: Command, micros: number, total: number): void {
    cmd.usec += micros;
    this.#record(cmd, total, 1);
    if (this.#isSlow(cmd, total)) this.#log(c, c.args, total);
  }

  /** `calls` calls of a fast command took so long together. */
  timedRun(c: Client, cmd: Command, micros: number, calls: number): void {
    const each = micros / calls;
    cmd.usec += micros;
    this.#record(cmd, each, calls);
    this.#spike(eventOf(cmd), each);
    if (!this.#isSlow(cmd, each)) return;
    this.slowlog.add(
      { args: [fromLatin1(cmd.fullName)], client: c.link.remote, name: c.name },
      each,
      this.#seconds(),
      this.engine.config.values.slowlogMaxLen,
    );
  }

  /** CLIENT UNBLOCK has ended a wait: that counts as a failed call, whatever was replied. */
  interrupted({ client, command }: Blocked, args: Args): void {
    command.failed++;
    this.#record(command, client.duration, 1);
    if (this.#isSlow(command, client.duration)) this.#log(client, args, client.duration);
  }

  #record(cmd: Command, micros: number, calls: number): void {
    if (!this.engine.config.values.latencyTracking) return;
    cmd.latency ??= new Histogram();
    cmd.latency.record(micros, calls);
  }

  #isSlow(cmd: Command, micros: number): boolean {
    const { slowlogLogSlowerThan } = this.engine.config.values;
    return slowlogLogSlowerThan >= 0 && micros >= slowlogLogSlowerThan && (cmd.flags & Flag.SKIP_SLOWLOG) === 0;
  }

  #log(c: Client, args: Args, micros: number): void {
    this.slowlog.add(
      { args: loggedArguments(args, this.#hidden(args)), client: c.link.remote, name: c.name },
      micros,
      this.#seconds(),
      this.engine.config.values.slowlogMaxLen,
    );
  }

  #seconds(): number {
    return Math.floor(this.engine.platform.clock.now() / 1000);
  }

  #spike(event: string, micros: number): void {
    const { latencyMonitorThreshold } = this.engine.config.values;
    if (latencyMonitorThreshold === 0 || micros < latencyMonitorThreshold * 1000) return;
    this.latency.add(event, Math.floor(micros / 1000), this.#seconds());
  }

  /** Something other than a command took so many milliseconds. */
  delay(event: string, ms: number): void {
    this.#spike(event, ms * 1000);
  }

  /** Begins to time something other than a command; what it returns goes to `endDelay`. Reads no clock unless somebody wants to know. */
  beginDelay(): number {
    return this.engine.config.values.latencyMonitorThreshold === 0 ? NOT_TIMED : this.engine.platform.clock.monotonic();
  }

  /** What began at `start` is over. The delay belongs to all the events. */
  endDelay(start: number, ...events: readonly string[]): void {
    if (start === NOT_TIMED) return;
    const ms = this.engine.platform.clock.monotonic() - start;
    for (const event of events) this.delay(event, ms);
  }

  /** Shows the command that just ran to the clients in MONITOR mode. */
  monitor(c: Client, cmd: Command): void {
    if (cmd.flags & (Flag.SKIP_MONITOR | Flag.ADMIN)) return;
    this.showToMonitors(c, c.args, c.link.isUnixSocket ? `unix:${c.engine.config.values.unixsocket}` : c.link.remote);
  }

  /** The same for any arguments. */
  showToMonitors(c: Client, args: Args, from: string): void {
    const line = monitorLine(this.engine.platform.clock.nowMicros(), c.db.index, from, args, this.#hidden(args));
    const bytes = fromLatin1(`+${line}\r\n`);
    for (const monitor of this.engine.monitors) monitor.deliver(bytes);
  }

  // ---- Counters ----------------------------------------------------------------------------------------------------------------

  /** Called by the cron. */
  sample(): void {
    const { keyspace, stats } = this.engine;
    if (keyspace.now - this.#lastSample < SAMPLE_EVERY) return;
    this.#lastSample = keyspace.now;
    this.commandRate.sample(keyspace.now, stats.commands);
    this.inputRate.sample(keyspace.now, stats.input);
    this.outputRate.sample(keyspace.now, stats.output);
    this.replicationInputRate.sample(keyspace.now, stats.replicationInput);
    this.replicationOutputRate.sample(keyspace.now, stats.replicationOutput);
    // Adding up what thousands of clients take is work as well: the more there are, the more rarely.
    const every = SAMPLE_EVERY * Math.ceil(this.engine.clients.size / CLIENTS_ADDED_UP);
    if (keyspace.now - this.#counted >= every) stats.peakMemory = Math.max(stats.peakMemory, this.usedMemory());
  }

  /** Bytes of data and of clients' buffers. */
  usedMemory(): number {
    let counted = 0, replicas = 0;
    for (const client of this.engine.clients.values()) {
      if (client.isReplica) replicas += clientMemory(client);
      else counted += clientMemory(client);
    }
    this.countedClientsMemory = counted;
    this.#counted = this.engine.keyspace.now;
    return this.engine.keyspace.usedMemory + this.engine.replication.stream.memory + counted + replicas;
  }

  /** Adds the clients' memory up again if that was done more than `age` ms ago. */
  recount(age: number): void {
    if (this.engine.keyspace.now - this.#counted > age) this.usedMemory();
  }

  /** CONFIG RESETSTAT. */
  reset(): void {
    const { eviction, keyspace, persistence, stats, table, replication } = this.engine;
    stats.reset();
    keyspace.hits = 0;
    keyspace.misses = 0;
    keyspace.expiredKeys = 0;
    keyspace.evictedKeys = 0;
    eviction.resetExceeded();
    keyspace.lazyFreed = 0;
    persistence.saves = 0;
    persistence.aof.rewrites = 0;
    persistence.aof.consecutiveFailures = 0;
    persistence.aof.delayedSyncs = 0;
    replication.fullSyncs = 0;
    replication.partialSyncs = 0;
    replication.partialSyncsRefused = 0;
    for (const metric of this.#metrics) metric.reset();
    for (const cmd of table) cmd.resetStatistics();
  }
}

/** The latency event that a command's time belongs to. */
function eventOf(cmd: Command): string {
  return (cmd.flags & Flag.FAST) !== 0 ? "fast-command" : "command";
}
