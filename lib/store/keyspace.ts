/**
 * Keyspace: all databases of a server and what they share: the slab, the time, the counters, and the line to whoever must
 * learn of changes.
 *
 * `now` is the server's idea of the time, refreshed once per batch of commands and not per lookup, so that what a command (or a
 * whole transaction) sees does not expire in the middle of it.
 *
 * Freeing a large collection takes long, so nobody waits for it: what was deleted goes to the graveyard, and the server
 * empties that in slices (`reap`). When all databases are flushed at once, the slab is dropped as a whole instead.
 */

import { Args } from "../bytes/args.ts";
import type { Clock, Random } from "../platform/platform.ts";
import { Database } from "./database.ts";
import type { HashSeed } from "./dict.ts";
import type { KeyEvent } from "./events.ts";
import { OwnDeadlines } from "./own_deadlines.ts";
import type { Collection } from "./record.ts";
import { Leftovers, Slab } from "./slab.ts";

/** Who must learn of a change; bits of `Keyspace.attention`. */
export const Attention = {
  /** Some client watches a key. */
  WATCH: 1 << 0,
  /** Keyspace events are switched on. */
  NOTIFY: 1 << 1,
  /** Some client is blocked on a key. */
  BLOCKED: 1 << 2,
  /** Some client caches keys. */
  TRACKING: 1 << 3,
  /** Somebody follows the stream of writes: a deletion by expiry must be told. */
  PROPAGATION: 1 << 4,
} as const;

/** What to do with a key whose deadline has passed when somebody looks for it. */
export const Expiry = {
  DELETE: 0,
  /** It is gone for the reader, but only the master (or the end of a pause) deletes it. */
  HIDE: 1,
  /** It is still there: while loading, and for what comes from the master. */
  IGNORE: 2,
} as const;

/** Called only while `attention` has a bit. */
export interface KeyspaceObserver {
  /** A key was changed: by a write (`event` may be NO_EVENT), by expiry, by eviction. */
  changed(db: Database, key: Args, i: number, event: KeyEvent): void;
  /** Something worth an event that is not a change (keymiss). */
  notify(db: Database, key: Args, i: number, event: KeyEvent): void;
  /** A key was deleted because its time had come. */
  expired(db: Database, key: Args): void;
}

/**
 * A snapshot in progress. It is told of every record that is about to change or go, with the state before, so that it can save
 * it first.
 *
 * Every record carries a generation bit. At rest all have that of the keyspace; a snapshot begins by flipping the keyspace's bit, and
 * from then on what has the old bit is still to be saved, while new records are born with the new one. When
 * it ends, all have the same again.
 */
export interface Barrier {
  beforeChange(db: Database, ref: number): void;
  /** Bytes of a string in an array of its own, of which `beforeChange` was told, are about to be overwritten in place. */
  beforeOverwrite(buf: Uint8Array, from: number, length: number): void;
}

/** Collections with more elements than this are freed in slices. */
const FREE_AT_ONCE = 64;
const FREE_SLICE = 1024;

export class Keyspace {
  readonly slab = new Slab();
  readonly databases: Database[] = [];
  /** Milliseconds since 1970. */
  now: number;
  /** Seconds, 24 bits: what LRU clocks are set to. */
  lruClock: number;
  attention = 0;
  barrier: Barrier | null = null;
  /** The generation bit of records that no snapshot has to save: 0 or bit 31. */
  generation = 0;
  expiry: number = Expiry.DELETE;
  /** On a writable replica: deadlines set by its own clients. */
  readonly ownDeadlines = new OwnDeadlines();
  ownsDeadlines = false;
  /** Access counters instead of clocks are kept (an LFU maxmemory-policy). */
  lfu = false;
  lfuLogFactor = 10;
  /** Minutes. */
  lfuDecayTime = 1;
  /** Changes since the last save. */
  dirty = 0;
  hits = 0;
  misses = 0;
  expiredKeys = 0;
  evictedKeys = 0;
  lazyFreed = 0;
  /** Makes the collection of a value that is still as it was loaded (record.ts). Set by whoever makes such values. */
  wake: ((db: Database, ref: number) => Collection) | null = null;
  graveyard: Collection[] = [];
  /** A data set is being loaded into other databases than these. */
  hasGuests = false;
  /** What was flushed during a snapshot, which still has to read it. */
  kept: Collection[] = [];
  /** Bytes of collections without a key that a snapshot holds. They count as freed, or eviction would go on and on. */
  inherited = 0;
  /** Names a key for the observer that is not an argument of the current command. */
  readonly keyArgs = new Args();

  constructor(
    count: number,
    readonly clock: Clock,
    readonly random: Random,
    readonly seed: HashSeed,
    public observer: KeyspaceObserver,
  ) {
    this.now = clock.now();
    this.lruClock = Math.floor(this.now / 1000) & 0xffffff;
    for (let i = 0; i < count; i++) this.databases.push(new Database(this, i));
  }

  /** Sets `now` to the present. */
  refresh(): void {
    this.setNow(this.clock.now());
  }

  setNow(ms: number): void {
    if (ms === this.now) return;
    this.now = ms;
    this.lruClock = Math.floor(ms / 1000) & 0xffffff;
  }

  get keys(): number {
    let keys = 0;
    for (const db of this.databases) keys += db.dict.count;
    return keys;
  }

  /** Bytes of keys and values and of the tables that hold them. */
  get usedMemory(): number {
    let bytes = this.slab.used - this.inherited;
    for (const db of this.databases) bytes += db.dict.overhead + db.deadlines.bytes;
    return bytes;
  }

  /** Frees a collection, at once or later. */
  bury(collection: Collection): void {
    if (collection.hold) return collection.hold.inherit();
    if (collection.count <= FREE_AT_ONCE) collection.release(Infinity);
    else this.graveyard.push(collection);
  }

  /** Ends what `Slab.keep` has begun. */
  letGo(): void {
    const left = this.slab.letGo();
    if (left !== null) this.bury(left);
  }

  /** Frees what was buried until the clock shows `until`; true when there is more. */
  reap(until: number): boolean {
    while (this.graveyard.length > 0) {
      // Out of the list first: releasing a database buries its collections.
      const collection = this.graveyard.pop()!;
      if (!collection.release(FREE_SLICE)) this.graveyard.push(collection);
      else if (!(collection instanceof Leftovers)) this.lazyFreed++;
      if (this.clock.monotonic() >= until) break;
    }
    return this.graveyard.length > 0;
  }

  /** Empties one database. Returns the number of keys that were there. */
  flush(db: Database): number {
    const keys = db.dict.count;
    if (keys === 0) return 0;
    if (keys === this.keys && this.#isAlone) {
      this.#dropAll();
    } else {
      db.abandon();
    }
    return keys;
  }

  /** Empties all databases. */
  flushAll(): number {
    const keys = this.keys;
    if (this.#isAlone) {
      if (keys > 0 || this.graveyard.length > 0) this.#dropAll();
    } else for (const db of this.databases) this.flush(db);
    return keys;
  }

  /** Nobody else has something in the slab. */
  get #isAlone(): boolean {
    return this.barrier === null && !this.hasGuests;
  }

  #dropAll(): void {
    this.lazyFreed += this.graveyard.length;
    this.graveyard = [];
    for (const db of this.databases) db.forget();
    this.slab.reset();
  }

  /** The snapshot that was the barrier has ended. */
  endBarrier(): void {
    this.barrier = null;
    this.graveyard.push(...this.kept);
    this.kept = [];
  }

  /** Deletes keys whose deadline has passed until the clock shows `until`; true when there are more. */
  expireDue(until: number): boolean {
    let more = false;
    for (const db of this.databases) {
      if (db.deadlines.soonest < this.now && db.expireDue(until)) more = true;
    }
    return more;
  }
}
