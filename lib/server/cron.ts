/**
 * Cron: what has to be done from time to time, `hz` times a second, and background work in slices.
 *
 * Deleting expired keys and freeing large values happen in slices of about a millisecond with the clients' commands in
 * between, so a million keys that expire together delay nobody.
 */

import { Attention } from "../store/keyspace.ts";
import type { ClientConnection } from "./connection.ts";
import type { Server } from "./server.ts";

/** Milliseconds. */
const SLICE = 1;
/** Buckets that a table which a snapshot had frozen catches up with at each tick. */
const SETTLE = 4096;

export class Cron {
  #timer: unknown = null;
  #period = 0;
  #sliceQueued = false;
  #ticks = 0;
  /** DEBUG SET-ACTIVE-EXPIRE. */
  activeExpire = true;
  /** DEBUG PAUSE-CRON. */
  paused = false;

  constructor(readonly server: Server) {}

  start(): void {
    this.stop();
    this.#period = Math.round(1000 / this.server.config.values.hz);
    this.#timer = this.server.platform.clock.every(this.#period, () => this.tick());
  }

  stop(): void {
    if (this.#timer !== null) this.server.platform.clock.cancel(this.#timer);
    this.#timer = null;
  }

  tick(): void {
    const { engine, config } = this.server;
    if (this.paused) return;
    this.#ticks++;
    engine.refreshTime();
    const { keyspace } = engine;
    if (engine.paused && keyspace.now >= engine.pauseUntil) engine.unpause();
    engine.stats.peakMemory = Math.max(engine.stats.peakMemory, keyspace.usedMemory);
    this.wake();
    for (const db of keyspace.databases) db.dict.settle(SETTLE);
    engine.observation.sample();
    engine.persistence.cron();
    engine.replication.cron();
    if (this.#ticks % Math.max(1, Math.round(1000 / this.#period)) === 0) this.#everySecond(config.values.timeout);
  }

  #everySecond(timeout: number): void {
    const { engine } = this.server;
    const now = engine.keyspace.now;
    for (const client of engine.clients.values()) {
      const connection = client.link as ClientConnection;
      connection.checkOutputLimit();
      if (timeout === 0 || client.isReplica || client.isTrusted || client.blocked !== null) continue;
      if (client.subscriptions > 0 || client.isMonitor) continue;
      if (Math.floor(now / 1000) - Math.floor(client.lastInteraction / 1000) > timeout) {
        engine.log.verbose("Closing idle client");
        client.link.close();
      }
    }
  }

  /** Starts a slice of background work if there is any and none is waiting. */
  wake(): void {
    if (this.#sliceQueued || !this.#hasWork()) return;
    this.#sliceQueued = true;
    this.server.platform.clock.soon(() => this.#slice());
  }

  #expires(): boolean {
    const { engine } = this.server;
    return this.activeExpire && !engine.paused && engine.keyspace.expiry === 0;
  }

  #hasWork(): boolean {
    const { keyspace } = this.server.engine;
    if (keyspace.graveyard.length > 0) return true;
    if (!this.#expires()) return false;
    for (const db of keyspace.databases) if (db.deadlines.soonest < keyspace.now) return true;
    return false;
  }

  #slice(): void {
    this.#sliceQueued = false;
    const { engine, platform } = this.server;
    const until = platform.clock.monotonic() + SLICE;
    engine.refreshTime();
    if (engine.keyspace.graveyard.length > 0) engine.keyspace.reap(until);
    else if (this.#expires()) {
      engine.keyspace.expireDue(until);
      if (engine.keyspace.attention & Attention.BLOCKED && engine.blocking.anyReady) engine.blocking.serve();
    }
    this.wake();
  }
}
