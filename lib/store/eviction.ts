/**
 * Which key to give up when memory is short: the policies of `maxmemory-policy`.
 *
 * LRU and LFU are approximated as in Redis: each time a few keys of each database are drawn at random, and the best candidates seen so
 * far stay in a small pool, so that over many evictions the choice comes close to the true order. The pool remembers keys, not
 * records, because records move and go between two evictions. volatile-ttl needs no sampling: the heap of deadlines knows the next.
 */

import { Args } from "../bytes/args.ts";
import { equalBytes } from "../bytes/span.ts";
import type { Database } from "./database.ts";
import type { Keyspace } from "./keyspace.ts";

export type EvictionPolicy =
  | "volatile-lru"
  | "volatile-lfu"
  | "volatile-random"
  | "volatile-ttl"
  | "allkeys-lru"
  | "allkeys-lfu"
  | "allkeys-random"
  | "noeviction";

const POOL = 16;
/** Longer keys get a buffer of their own. */
const KEY_ROOM = 255;

class Candidate {
  db: Database | null = null;
  /** Seconds unused, or 255 less the access frequency: the larger, the sooner it goes. */
  score = 0;
  readonly key = new Args();
  readonly #room = new Uint8Array(KEY_ROOM);

  take(db: Database, ref: number, score: number): void {
    const { dict } = db;
    const length = dict.keyLength(ref);
    const from = dict.keyOffset(ref);
    const bytes = dict.keyBuffer(ref).subarray(from, from + length);
    const room = length <= KEY_ROOM ? this.#room : new Uint8Array(length);
    room.set(bytes);
    this.key.point(room, 0, length);
    this.db = db;
    this.score = score;
  }
}

/** A key to be evicted. */
export interface Victim {
  db: Database;
  ref: number;
}

export class VictimChooser {
  /** The first `#count` are candidates, in ascending order of their scores. */
  readonly #pool: Candidate[] = Array.from({ length: POOL }, () => new Candidate());
  #count = 0;
  #next = 0;
  #policy: EvictionPolicy = "noeviction";

  constructor(readonly keyspace: Keyspace) {}

  /** The key that the policy would give up first, null if there is none. `samples` keys are drawn from each database. */
  choose(policy: EvictionPolicy, samples: number): Victim | null {
    if (policy !== this.#policy) {
      this.#policy = policy;
      this.#count = 0;
    }
    switch (policy) {
      case "noeviction":
        return null;
      case "volatile-ttl":
        return this.#soonest();
      case "volatile-random":
      case "allkeys-random":
        return this.#any(policy === "volatile-random");
      default:
        return this.#best(policy.startsWith("volatile"), samples);
    }
  }

  /** The key with the next deadline of all databases. */
  #soonest(): Victim | null {
    let best: Victim | null = null;
    let time = Infinity;
    for (const db of this.keyspace.databases) {
      const { deadlines } = db;
      if (deadlines.count === 0) continue;
      // A time in the heap is a lower bound; put right what stands at the top until it is exact.
      for (let real = db.expireAt(deadlines.top); real > deadlines.soonest; real = db.expireAt(deadlines.top)) {
        deadlines.settle(real);
      }
      if (deadlines.soonest >= time) continue;
      time = deadlines.soonest;
      best = { db, ref: deadlines.top };
    }
    return best;
  }

  /** A random key of the databases in turn. */
  #any(volatile: boolean): Victim | null {
    const { databases } = this.keyspace;
    for (let tries = databases.length; tries > 0; tries--) {
      const db = databases[this.#next++ % databases.length];
      const ref = this.#draw(db, volatile);
      if (ref !== 0) return { db, ref };
    }
    return null;
  }

  #draw(db: Database, volatile: boolean): number {
    const { deadlines, dict, keyspace } = db;
    if (volatile) return deadlines.count === 0 ? 0 : deadlines.ref(keyspace.random.below(deadlines.count));
    return dict.count === 0 ? 0 : dict.random(keyspace.random);
  }

  #best(volatile: boolean, samples: number): Victim | null {
    for (;;) {
      let keys = 0;
      for (const db of this.keyspace.databases) {
        const count = volatile ? db.deadlines.count : db.dict.count;
        keys += count;
        for (let n = Math.min(samples, count); n > 0; n--) this.#consider(db, this.#draw(db, volatile));
      }
      if (keys === 0) return null;
      while (this.#count > 0) {
        const { db, key } = this.#pool[--this.#count];
        const ref = db!.dict.lookup(key.buf, 0, key.len[0]);
        if (ref !== 0 && (!volatile || db!.expireAt(ref) !== -1)) return { db: db!, ref };
      }
    }
  }

  /** Puts a key into the pool if it is a better candidate than one there, or there is room. */
  #consider(db: Database, ref: number): void {
    const pool = this.#pool;
    const score = this.keyspace.lfu ? 255 - db.frequency(ref) : db.idleSeconds(ref);
    if (this.#isPooled(db, ref)) return;
    if (this.#count === POOL) {
      if (score <= pool[0].score) return;
      // The worst candidate makes room.
      pool.push(pool.shift()!);
      this.#count--;
    }
    const fresh = pool[this.#count];
    fresh.take(db, ref, score);
    let at = this.#count++;
    for (; at > 0 && pool[at - 1].score > score; at--) pool[at] = pool[at - 1];
    pool[at] = fresh;
  }

  #isPooled(db: Database, ref: number): boolean {
    const { dict } = db;
    const length = dict.keyLength(ref);
    const off = dict.keyOffset(ref);
    const buf = dict.keyBuffer(ref);
    for (let i = 0; i < this.#count; i++) {
      const { db: other, key } = this.#pool[i];
      if (other === db && key.len[0] === length && equalBytes(key.buf, 0, buf, off, length)) return true;
    }
    return false;
  }
}
