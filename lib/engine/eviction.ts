/**
 * Eviction: keeps the memory of data and clients below `maxmemory` by giving up keys.
 *
 * It runs before every command but the fast ones that need no memory, and from the cron, because clients' buffers grow on their own.
 * One run takes a fraction of a millisecond (`maxmemory-eviction-tenacity`); what is left to do is done in further runs in between
 * commands, which are let through meanwhile, so that lowering `maxmemory` by gigabytes stops nobody. Only when there is nothing left
 * to evict are commands refused.
 */

import { EVICTED } from "../store/events.ts";
import type { Database } from "../store/database.ts";
import { VictimChooser } from "../store/eviction.ts";
import type { Engine } from "./engine.ts";

/** Milliseconds for which the sum of the clients' memory is good enough while it shows no need to evict. */
const COUNT_AGE = 10;
/** Evictions between two looks at the clock. */
const BETWEEN_LOOKS = 16;

export class Eviction {
  readonly #chooser: VictimChooser;
  #queued = false;
  /** When memory went above the limit (monotonic ms), -1 while it is below. */
  #exceededSince = -1;
  #exceededBefore = 0;

  constructor(readonly engine: Engine) {
    this.#chooser = new VictimChooser(engine.keyspace);
  }

  /** Milliseconds above the limit: all times together, and the present one (0 if it is kept). */
  get exceeded(): { total: number; current: number } {
    const current = this.#exceededSince < 0 ? 0 : this.engine.platform.clock.monotonic() - this.#exceededSince;
    return { total: this.#exceededBefore + current, current };
  }

  resetExceeded(): void {
    this.#exceededBefore = 0;
    this.#exceededSince = -1;
  }

  /** Bytes that count against `maxmemory`. */
  get usedMemory(): number {
    return this.engine.keyspace.usedMemory + this.engine.observation.countedClientsMemory;
  }

  /** Evicts what is needed, or begins to. False when memory is above the limit and nothing can be evicted. */
  free(): boolean {
    const { engine } = this;
    const { maxmemory, replicaIgnoreMaxmemory } = engine.config.values;
    if (maxmemory === 0) return true;
    engine.observation.recount(COUNT_AGE);
    if (this.usedMemory > maxmemory) engine.observation.recount(0);
    if (this.usedMemory <= maxmemory) {
      this.#kept();
      return true;
    }
    if (engine.paused || (engine.replication.isReplica && replicaIgnoreMaxmemory)) return true;
    const { clock } = engine.platform;
    const start = clock.monotonic();
    const outcome = this.#run(start, maxmemory);
    engine.observation.delay("eviction-cycle", clock.monotonic() - start);
    if (outcome === "enough") this.#kept();
    else if (this.#exceededSince < 0) this.#exceededSince = start;
    if (outcome === "more") this.schedule();
    return outcome !== "nothing left";
  }

  #kept(): void {
    if (this.#exceededSince < 0) return;
    this.#exceededBefore += this.engine.platform.clock.monotonic() - this.#exceededSince;
    this.#exceededSince = -1;
  }

  #run(start: number, maxmemory: number): "enough" | "more" | "nothing left" {
    const { keyspace, observation, config: { values }, platform: { clock } } = this.engine;
    const until = start + allowance(values.maxmemoryEvictionTenacity);
    for (let n = 1;; n++) {
      // What is dead already goes first.
      if (keyspace.graveyard.length > 0) {
        const reaping = observation.beginDelay();
        keyspace.reap(until);
        observation.endDelay(reaping, "eviction-lazyfree");
      }
      if (this.usedMemory <= maxmemory) return "enough";
      const victim = this.#chooser.choose(values.maxmemoryPolicy, values.maxmemorySamples);
      if (victim !== null) this.#evict(victim.db, victim.ref);
      else if (keyspace.graveyard.length === 0) return "nothing left";
      if (n % BETWEEN_LOOKS === 0 && clock.monotonic() >= until) return "more";
    }
  }

  #evict(db: Database, ref: number): void {
    const { engine } = this;
    const { keyspace, propagation } = engine;
    const { dict } = db;
    const from = dict.keyOffset(ref);
    const bytes = dict.keyBuffer(ref).slice(from, from + dict.keyLength(ref));
    const start = engine.observation.beginDelay();
    // A large value that a snapshot still has to write is written first.
    db.remove(ref);
    engine.observation.endDelay(start, "eviction-del");
    keyspace.evictedKeys++;
    if (keyspace.attention === 0) return;
    const key = keyspace.keyArgs.point(bytes, 0, bytes.length);
    engine.changed(db, key, 0, EVICTED);
    propagation.also(db.index, engine.config.values.lazyfreeLazyEviction ? "UNLINK" : "DEL", bytes);
    // Between commands nobody else would send it.
    if (engine.depth === 0) propagation.flush();
  }

  /** Has a further run soon. */
  schedule(): void {
    if (this.#queued) return;
    this.#queued = true;
    this.engine.platform.clock.soon(() => {
      this.#queued = false;
      this.engine.refreshTime();
      this.free();
      this.engine.propagation.endOfBatch();
    });
  }
}

/** Milliseconds that one run may take. */
function allowance(tenacity: number): number {
  if (tenacity <= 10) return 0.05 * tenacity;
  return tenacity < 100 ? 0.5 * 1.15 ** (tenacity - 10) : Infinity;
}
