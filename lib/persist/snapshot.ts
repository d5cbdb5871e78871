/**
 * Snapshot: the state of all databases at one moment, written while writes go on: no fork, no second copy.
 *
 * The walk goes through the tables' buckets in slices (pace.ts), with commands served in between. Before a key that
 * it has not come to is changed or removed, `beforeChange` (the keyspace's barrier, called by every door through which a record can be
 * written) saves it with its old value. A generation bit in each record tells saved from unsaved (`Barrier` in keyspace.ts), so
 * nothing has to be remembered per key. The tables neither grow nor shrink meanwhile.
 *
 * Keys come out in the order of the walk with the changed ones strewn in, each behind a selection of its database where that differs
 * from the key's before. What the bytes look like is the format's business: RDB (rdb_format.ts) or commands (aof_rewrite.ts).
 *
 * A large value takes many slices (large_value.ts, sliced_writer.ts). What has to be saved while one is in the middle of being written is
 * put aside and comes after it; other large values that are about to change are held until it is their turn.
 *
 * One snapshot feeds any number of sinks (a file, replicas): the bytes are made once.
 */

import type { Engine } from "../engine/engine.ts";
import type { Database } from "../store/database.ts";
import type { Dict } from "../store/dict.ts";
import type { Barrier } from "../store/keyspace.ts";
import { hold, isLarge, type LargeFormat, type LargeValue } from "./large_value.ts";
import { Pace, SLICE } from "./pace.ts";
import { RdbWriter } from "./rdb_writer.ts";
import { SlicedWriter, Steady } from "./sliced_writer.ts";

/** Milliseconds for which it is worth while to dawdle. */
const DAWDLE = 1;
const GENERATION = 1 << 31;
/** Buckets, at most, between two looks at the clock. */
const STRIDE = 16;

export interface SnapshotSink {
  /** Takes the bytes, which are used again after the call. */
  write(buf: Uint8Array, length: number): void;
  /** True while the sink has more to write than it should hold: the walk waits until it calls `Snapshot.go`. */
  readonly isFull: boolean;
  /** Set by the one who begins the snapshot: to be called when the sink is not full any more. */
  onRoom: () => void;
}

/** How a snapshot's bytes look. */
export interface SnapshotFormat {
  begin(out: RdbWriter): void;
  /** The keys that follow are of this database. */
  select(out: RdbWriter, index: number, db: Database, dict: Dict): void;
  key(out: RdbWriter, db: Database, dict: Dict, ref: number): void;
  /** How a key with a large value will be written, one that is as it is now. */
  large(db: Database, dict: Dict, ref: number): LargeFormat;
  end(out: RdbWriter): void;
  /** All bytes pass through here on their way to the sinks. */
  seen(buf: Uint8Array, length: number): void;
  /** No keys. */
  readonly withoutData: boolean;
}

/** A large value that is to be written, and its database. */
interface Held {
  readonly value: LargeValue;
  readonly db: Database;
  readonly index: number;
  readonly dict: Dict;
}

interface Table {
  readonly db: number;
  readonly dict: Dict;
}

/**
 * rdb-key-save-delay: how long to dawdle at each key, for tests that want to see a snapshot in progress. Microseconds; a
 * negative number is how many keys share one of them.
 */
class Dawdling {
  readonly #perKey: number;
  /** Milliseconds that are due. */
  due = 0;

  constructor(delay: number) {
    this.#perKey = (delay < 0 ? -1 / delay : delay) / 1000;
  }

  key(): void {
    this.due += this.#perKey;
  }
}

/**
 * Writes everything to a synchronous sink at once (SAVE). Nobody is served meanwhile, so nothing has to be guarded, and a snapshot that is
 * under way does not mind.
 */
export function writeAll(engine: Engine, sink: SnapshotSink, format: SnapshotFormat): void {
  const { keyspace, config, platform } = engine;
  const out = new RdbWriter(config.values.rdbcompression, (buf, length) => {
    format.seen(buf, length);
    sink.write(buf, length);
  });
  const dawdling = new Dawdling(config.values.rdbKeySaveDelay);
  format.begin(out);
  for (const db of format.withoutData ? [] : keyspace.databases) {
    const { dict } = db;
    if (dict.count > 0) format.select(out, db.index, db, dict);
    for (let bucket = 0; bucket < dict.buckets; bucket++) {
      for (let ref = dict.first(bucket); ref !== 0; ref = dict.next(ref)) {
        format.key(out, db, dict, ref);
        dawdling.key();
        if (dawdling.due < DAWDLE) continue;
        platform.clock.block(dawdling.due);
        dawdling.due = 0;
      }
    }
  }
  format.end(out);
  out.flush();
}

export class Snapshot implements Barrier {
  /** Keys written so far, and how many there were at the beginning. */
  saved = 0;
  readonly total: number;
  /** Bytes of values that were saved ahead of their turn because they were about to change: what Redis would have copied. */
  preserved = 0;
  readonly #out: SlicedWriter;
  /** What could not be written because a large value was in the middle of being written; it comes next. */
  readonly #aside: SlicedWriter;
  readonly #steady = new Steady();
  /** Large values about which something has been changed and whose turn has not come. */
  #held: Held[] = [];
  #writing: LargeValue | null = null;
  #tables: Table[] = [];
  #table = 0;
  #bucket = 0;
  #selected = -1;
  #running = true;
  /** Given up: see `abandon`. */
  abandoned = false;
  #scheduled = false;
  readonly #pace: Pace;
  readonly #dawdling: Dawdling;

  /**
   * Begins at once: what the state is now is what will be saved. `onEnd` is called at the end of the walk, when the last byte was given to
   * the sinks. `slice`: milliseconds of walking at a time while nobody
   * asks for anything.
   */
  constructor(
    readonly engine: Engine,
    readonly sinks: readonly SnapshotSink[],
    readonly format: SnapshotFormat,
    readonly onEnd: () => void,
    slice = SLICE,
  ) {
    const { keyspace, config } = engine;
    const { rdbcompression } = config.values;
    this.#out = new SlicedWriter(rdbcompression, (buf, length) => {
      if (this.abandoned) return;
      format.seen(buf, length);
      for (const sink of sinks) sink.write(buf, length);
    }, this.#steady);
    this.#aside = new SlicedWriter(rdbcompression, null, this.#steady);
    this.#dawdling = new Dawdling(config.values.rdbKeySaveDelay);
    this.total = keyspace.keys;
    this.#pace = new Pace(engine.platform.clock, slice);
    if (!format.withoutData) {
      for (const db of keyspace.databases) {
        if (db.dict.count === 0) continue;
        this.#tables.push({ db: db.index, dict: db.dict });
        db.dict.frozen = true;
      }
    }
    keyspace.generation ^= GENERATION;
    keyspace.barrier = this;
    format.begin(this.#out);
  }

  /** Goes on in slices until the end, or until a sink is full. */
  go(): void {
    if (this.#scheduled || !this.#running) return;
    this.#scheduled = true;
    const { clock } = this.engine.platform;
    if (this.#dawdling.due >= DAWDLE && !this.abandoned) {
      clock.after(this.#dawdling.due, this.#slice);
      this.#dawdling.due = 0;
    } else clock.soon(this.#slice);
  }

  readonly #slice = (): void => {
    this.#scheduled = false;
    if (!this.#running || this.#isBlocked) return;
    if (this.#pace.run(this.engine.stats.commands, this.#step)) this.go();
  };

  readonly #step = (until: number): boolean => this.#walk(until);

  get #isBlocked(): boolean {
    if (this.abandoned) return false;
    for (const sink of this.sinks) if (sink.isFull) return true;
    return false;
  }

  /**
   * Nothing is written any more. The walk goes on, since all records must get the same generation again: in
   * slices, or at once by `settle`.
   */
  abandon(): void {
    this.abandoned = true;
    this.#writing?.release();
    this.#writing = null;
    for (const { value } of this.#held) value.release();
    this.#held = [];
    this.go();
  }

  /** Ends the walk of an abandoned snapshot. */
  settle(): void {
    while (this.#running) this.#walk(Infinity);
  }

  /** True while there is more. */
  #walk(until: number): boolean {
    const { clock } = this.engine.platform;
    const { databases } = this.engine.keyspace;
    if (this.#hasLarge && this.#stepLarge(until)) return true;
    let visited = 0;
    for (; this.#table < this.#tables.length; this.#table++) {
      const { db, dict } = this.#tables[this.#table];
      const database = databases[db];
      // What was flushed meanwhile is about to be freed.
      if (this.abandoned && databases.every((other) => other.dict !== dict)) continue;
      for (; this.#bucket < dict.buckets; this.#bucket++) {
        if (++visited >= STRIDE) {
          visited = 0;
          if (clock.monotonic() >= until) return true;
        }
        if (this.#isBlocked) return true;
        let saves = false;
        for (let ref = dict.first(this.#bucket); ref !== 0; ref = dict.next(ref)) {
          if (!database.isUnsaved(ref)) continue;
          saves = true;
          this.#save(database, db, dict, ref);
          if (this.abandoned) continue;
          this.#dawdling.key();
          if (this.#hasLarge && this.#stepLarge(until)) return true;
          // The rest of the bucket comes after the pause.
          if (this.#dawdling.due >= DAWDLE) return true;
        }
        // Reading the clock costs little beside a key, and a key may take long.
        if (saves) visited += STRIDE >> 2;
      }
      dict.frozen = false;
      this.#bucket = 0;
    }
    // Keys that were saved ahead of their turn cost their delay too.
    if (!this.abandoned && this.#dawdling.due >= DAWDLE) return true;
    this.#end();
    return false;
  }

  get #hasLarge(): boolean {
    return this.#writing !== null || this.#held.length > 0 || this.#out.isBehind;
  }

  /** Goes on with large values and long strings. True while there are more. */
  #stepLarge(until: number): boolean {
    const { clock } = this.engine.platform;
    const out = this.#out;
    while (!this.abandoned && this.#hasLarge) {
      if (this.#isBlocked || clock.monotonic() >= until || this.#dawdling.due >= DAWDLE) return true;
      this.#dawdling.key();
      if (out.isBehind) out.step();
      else if (this.#writing === null) {
        const { value, index, db, dict } = this.#held.shift()!;
        this.#select(out, index, db, dict);
        this.#writing = value;
        value.begin(out);
      } else if (this.#writing.step()) {
        this.#writing = null;
        out.adopt(this.#aside);
      }
    }
    return false;
  }

  #end(): void {
    this.#running = false;
    const { engine } = this;
    if (!this.abandoned) {
      this.format.end(this.#out);
      this.#out.flush();
    }
    engine.keyspace.endBarrier();
    engine.control.wakeBackground();
    this.onEnd();
  }

  beforeChange(db: Database, ref: number): void {
    if (!db.isUnsaved(ref)) return;
    const { dict } = db;
    for (const table of this.#tables) {
      if (table.dict !== dict) continue;
      this.preserved += db.memory(ref);
      this.#dawdling.key();
      return this.#save(db, table.db, dict, ref);
    }
  }

  beforeOverwrite(buf: Uint8Array, from: number, length: number): void {
    this.preserved += this.#steady.beforeOverwrite(buf, from, length);
  }

  #save(db: Database, index: number, dict: Dict, ref: number): void {
    db.markSaved(ref);
    if (this.abandoned) return;
    this.saved++;
    if (isLarge(db, ref)) {
      const kept = new SlicedWriter(this.#out.compress, null, this.#steady);
      const value = hold(db, ref, this.format.large(db, dict, ref), kept);
      this.#held.push({ value, db, index, dict });
      return;
    }
    const out = this.#writing === null ? this.#out : this.#aside;
    this.#select(out, index, db, dict);
    this.format.key(out, db, dict, ref);
  }

  #select(out: RdbWriter, index: number, db: Database, dict: Dict): void {
    if (index === this.#selected) return;
    this.#selected = index;
    this.format.select(out, index, db, dict);
  }
}
