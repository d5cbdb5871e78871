/**
 * Snapshot: the state of all databases at one moment, written while writes go on: no fork, no second copy.
 *
 * The walk goes through the tables' buckets in slices of about a millisecond, with commands served in between. Before a key that
 * it has not come to is changed or removed, `beforeChange` (the keyspace's barrier, called by every door through which a record can be
 * written) saves it with its old value. A generation bit in each record tells saved from unsaved (`Barrier` in keyspace.ts), so
 * nothing has to be remembered per key. The tables neither grow nor shrink meanwhile.
 *
 * Keys come out in the order of the walk with the changed ones strewn in, each behind a selection of its database where that differs
 * from the key's before. What the bytes look like is the format's business: RDB (rdb_format.ts) or commands (aof_rewrite.ts).
 *
 * One snapshot feeds any number of sinks (a file, replicas): the bytes are made once.
 */

import type { Engine } from "../engine/engine.ts";
import type { Database } from "../store/database.ts";
import type { Dict } from "../store/dict.ts";
import type { Barrier } from "../store/keyspace.ts";
import { RdbWriter } from "./rdb_writer.ts";

/** Milliseconds. */
const SLICE = 1;
const GENERATION = 1 << 31;

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
  end(out: RdbWriter): void;
  /** All bytes pass through here on their way to the sinks. */
  seen(buf: Uint8Array, length: number): void;
  /** No keys. */
  readonly withoutData: boolean;
}

interface Table {
  readonly db: number;
  readonly dict: Dict;
}

export class Snapshot implements Barrier {
  /** Keys written so far, and how many there were at the beginning. */
  saved = 0;
  readonly total: number;
  #out: RdbWriter;
  #tables: Table[] = [];
  #table = 0;
  #bucket = 0;
  #selected = -1;
  #running = true;
  #scheduled = false;

  /** Begins at once: what the state is now is what will be saved. `onEnd` is called when the last byte was given to the sinks. */
  constructor(
    readonly engine: Engine,
    readonly sinks: readonly SnapshotSink[],
    readonly format: SnapshotFormat,
    readonly onEnd: () => void,
  ) {
    const { keyspace, config } = engine;
    this.#out = new RdbWriter(config.values.rdbcompression, (buf, length) => {
      format.seen(buf, length);
      for (const sink of this.sinks) sink.write(buf, length);
    });
    this.total = keyspace.keys;
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
    this.engine.platform.clock.soon(() => {
      this.#scheduled = false;
      if (!this.#running || this.sinks.some((sink) => sink.isFull)) return;
      const { clock } = this.engine.platform;
      if (this.#walk(clock.monotonic() + SLICE)) this.go();
    });
  }

  /** Does everything that is left at once (SAVE). */
  finish(): void {
    while (this.#running) this.#walk(Infinity);
  }

  /** Nothing is written any more. The walk goes on, since all records must get the same generation again. */
  abandon(): void {
    this.#out = new RdbWriter(false, () => {});
    (this as { sinks: readonly SnapshotSink[] }).sinks = [];
  }

  /** True while there is more. */
  #walk(until: number): boolean {
    const { clock } = this.engine.platform;
    let visited = 0;
    while (this.#table < this.#tables.length) {
      const { db, dict } = this.#tables[this.#table];
      const database = this.engine.keyspace.databases[db];
      while (this.#bucket < dict.buckets) {
        for (let ref = dict.first(this.#bucket); ref !== 0; ref = dict.next(ref)) {
          if (database.isUnsaved(ref)) this.#save(database, db, dict, ref);
        }
        this.#bucket++;
        if ((++visited & 15) === 0 && clock.monotonic() >= until) return true;
        if (this.sinks.some((sink) => sink.isFull) && until !== Infinity) return true;
      }
      dict.frozen = false;
      this.#bucket = 0;
      this.#table++;
    }
    this.#end();
    return false;
  }

  #end(): void {
    this.#running = false;
    this.format.end(this.#out);
    this.#out.flush();
    this.engine.keyspace.endBarrier();
    this.engine.control.wakeBackground();
    this.onEnd();
  }

  beforeChange(db: Database, ref: number): void {
    if (!db.isUnsaved(ref)) return;
    const table = this.#tables.find(({ dict }) => dict === db.dict);
    if (table !== undefined) this.#save(db, table.db, db.dict, ref);
  }

  #save(db: Database, index: number, dict: Dict, ref: number): void {
    db.markSaved(ref);
    this.saved++;
    if (index !== this.#selected) {
      this.#selected = index;
      this.format.select(this.#out, index, db, dict);
    }
    this.format.key(this.#out, db, dict, ref);
  }
}
