/** What the server notices about its own commands: durations, slow commands, latency spikes, what MONITOR shows. */

import type { Blocked } from "../engine/blocking.ts";
import type { Client } from "../engine/client.ts";
import type { Command } from "../engine/command.ts";
import type { Engine } from "../engine/engine.ts";

export class Observation {
  /** When the last warning about HTTP requests was logged, ms since 1970. */
  lastAttackWarning = 0;

  constructor(readonly engine: Engine) {}

  /** A command took so long. */
  timed(_c: Client, cmd: Command, micros: number): void {
    cmd.usec += micros;
  }

  /** `calls` calls of a fast command took so long together. */
  timedRun(_c: Client, cmd: Command, micros: number, _calls: number): void {
    cmd.usec += micros;
  }

  /** Shows the command that just ran to the clients in MONITOR mode. */
  monitor(_c: Client, _cmd: Command): void {}

  /** A blocked client has got its reply. */
  unblocked(_blocked: Blocked): void {}

  /** Called by the cron: takes the samples behind the per-second figures of INFO. */
  sample(): void {}

  /** False when memory is above maxmemory and nothing can be evicted. */
  memoryAvailable(): boolean {
    return this.engine.keyspace.usedMemory <= this.engine.config.values.maxmemory;
  }
}
