/**
 * Cron: what has to be done from time to time, `hz` times a second, and background work in slices.
 *
 * Deleting expired keys and freeing large values happen in slices of about a millisecond with the clients' commands in
 * between, so a million keys that expire together delay nobody.
 */

import type { Client } from "../engine/client.ts";
import { Attention } from "../store/keyspace.ts";
import { ClientConnection } from "./connection.ts";
import type { Server } from "./server.ts";

/** Milliseconds. */
const SLICE = 1;
/** Clients looked after by each tick, at least. */
const MIN_TURNS = 5;
/** Bytes given up, or sent and received, that are worth a collection of garbage. */
const MUCH = 32 * 1024 * 1024;
const MUCH_TRAFFIC = 8 * 1024 * 1024;
/** Up to so many bytes, what has been compiled served to start. */
const LITTLE_TRAFFIC = 64 * 1024;
/** Buckets that a table which a snapshot had frozen catches up with at each tick. */
const SETTLE = 4096;

export class Cron {
  #timer: unknown = null;
  #period = 0;
  #sliceQueued = false;
  #ticks = 0;
  /** Whose turn it is. A Map's iterator goes on wherever clients come and go. */
  #turns: Iterator<Client> = [].values();
  /** DEBUG SET-ACTIVE-EXPIRE. */
  activeExpire = true;
  /** DEBUG PAUSE-CRON. */
  paused = false;

  /** Garbage is collected when memory is to be returned. Not in somebody else's program: that could have any number of objects. */
  collectsGarbage = false;
  /** Bytes sent and received a second ago, and by the last collection. */
  #traffic = 0;
  #collectedTraffic = -Infinity;

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
    engine.endPause();
    engine.stats.peakMemory = Math.max(engine.stats.peakMemory, keyspace.usedMemory);
    this.wake();
    for (const db of keyspace.databases) db.dict.settle(SETTLE);
    engine.observation.sample();
    engine.eviction.free();
    engine.persistence.cron();
    this.server.ending.tick();
    engine.replication.cron();
    engine.propagation.endOfBatch();
    this.server.joiner.forget();
    this.#someClients();
    if (this.#ticks % Math.max(1, Math.round(1000 / this.#period)) === 0) this.#everySecond(config.values.timeout);
  }

  #everySecond(timeout: number): void {
    const { engine } = this.server;
    engine.migrationLinks.closeUnused();
    const now = engine.keyspace.now;
    if (this.collectsGarbage) this.#returnMemory();
    for (const client of engine.clients.values()) {
      if (client.link instanceof ClientConnection) client.link.checkOutputLimit();
      if (timeout === 0 || client.isReplica || client.isTrusted || client.blocked !== null) continue;
      if (client.subscriptions > 0 || client.isMonitor) continue;
      if (Math.floor(now / 1000) - Math.floor(client.lastInteraction / 1000) > timeout) {
        engine.log.verbose("Closing idle client");
        client.link.close();
      }
    }
  }

  /**
   * Returns memory to the system when much has been given up, after FLUSHALL, say: without a reason to collect garbage, V8 would keep
   * what the data took. Starting leaves garbage as well, code included, and so does traffic, if little: not worth compiling everything again.
   * As it takes some 30 ms, nobody must have sent or been sent anything in the last second.
   */
  #returnMemory(): void {
    const { stats, keyspace: { slab, graveyard } } = this.server.engine;
    const traffic = stats.input + stats.output + stats.replicationInput + stats.replicationOutput;
    const isIdle = traffic === this.#traffic && graveyard.length === 0;
    this.#traffic = traffic;
    if (!isIdle) return;
    // CONFIG RESETSTAT begins to count anew.
    if (slab.givenUp < MUCH && Math.abs(traffic - this.#collectedTraffic) < MUCH_TRAFFIC) return;
    const thorough = slab.givenUp >= MUCH || (this.#collectedTraffic < 0 && traffic < LITTLE_TRAFFIC);
    this.#collectedTraffic = traffic;
    slab.givenUp = 0;
    this.server.platform.process.collectGarbage(thorough);
  }

  /** Looks after the buffers of some clients, so that each has its turn about once a second. */
  #someClients(): void {
    const { engine, eviction } = this.server;
    let turns = Math.min(
      engine.clients.size,
      Math.max(MIN_TURNS, Math.ceil(engine.clients.size * this.#period / 1000)),
    );
    for (; turns > 0; turns--) {
      let next = this.#turns.next();
      if (next.done) {
        this.#turns = engine.clients.values();
        next = this.#turns.next();
        if (next.done) break;
      }
      const { link } = next.value;
      if (!(link instanceof ClientConnection)) continue;
      link.resizeInput();
      link.resizeReply();
      if (eviction.limit > 0) eviction.update(next.value);
    }
    eviction.evict();
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
      const start = platform.clock.monotonic();
      engine.keyspace.expireDue(until);
      const ms = platform.clock.monotonic() - start;
      engine.stats.expireCycleMs += ms;
      engine.observation.delay("expire-cycle", ms);
      engine.propagation.endOfBatch();
      if (engine.keyspace.attention & Attention.BLOCKED && engine.blocking.anyReady) engine.blocking.serve();
    }
    this.wake();
  }
}
