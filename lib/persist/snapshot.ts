/**
 * Snapshot: the state of all databases at one moment, written in RDB format while writes go on: no fork, no second copy.
 *
 * The walk goes through the tables' buckets in slices of about a millisecond, with commands served in between. Before a key that
 * it has not come to is changed or removed, `beforeChange` (the keyspace's barrier, called by every door through which a record can be
 * written) saves it with its old value. A generation bit in each record tells saved from unsaved (`Barrier` in keyspace.ts), so
 * nothing has to be remembered per key. The tables neither grow nor shrink meanwhile.
 *
 * Keys come out in the order of the walk with the changed ones strewn in, each behind a SELECTDB where the database differs from
 * that of the key before; readers of RDB do not mind.
 *
 * One snapshot feeds any number of sinks (a file, replicas): the bytes and the checksum are made once.
 *
 * Format: https://rdb.fnordig.de/file_format.html; rdb.c of Redis 7.0.
 */

import { fromLatin1 } from "../bytes/ascii.ts";
import { Crc64 } from "../bytes/crc64.ts";
import type { Engine } from "../engine/engine.ts";
import type { Database } from "../store/database.ts";
import type { Dict } from "../store/dict.ts";
import type { Barrier } from "../store/keyspace.ts";
import { RdbWriter } from "./rdb_writer.ts";
import { valueType, writeValue } from "./values.ts";

export const RDB_VERSION = 10;

/** Bytes that come before other things than keys. */
export const Opcode = {
  FUNCTION2: 245,
  FUNCTION: 246,
  MODULE_AUX: 247,
  IDLE: 248,
  FREQ: 249,
  AUX: 250,
  RESIZEDB: 251,
  EXPIRETIME_MS: 252,
  EXPIRETIME: 253,
  SELECTDB: 254,
  EOF: 255,
} as const;

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

export interface SnapshotOptions {
  /** Fields of the AUX header after those that every file has. */
  readonly aux: readonly (readonly [name: string, value: string])[];
  /** Function libraries, as they stand in the file. */
  readonly functions: readonly Uint8Array[];
  /** Functions only. */
  readonly withoutData?: boolean;
  /** Data only. */
  readonly withoutFunctions?: boolean;
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
  #crc = new Crc64();
  #tables: Table[] = [];
  #table = 0;
  #bucket = 0;
  #selected = -1;
  #running = true;
  #scheduled = false;
  #savesClock: boolean;
  #savesCounter: boolean;

  /** Begins at once: what the state is now is what will be saved. `onEnd` is called when the last byte was given to the sinks. */
  constructor(
    readonly engine: Engine,
    readonly sinks: readonly SnapshotSink[],
    readonly options: SnapshotOptions,
    readonly onEnd: () => void,
  ) {
    const { keyspace, config } = engine;
    const policy = config.values.maxmemoryPolicy;
    this.#savesClock = policy.endsWith("lru");
    this.#savesCounter = policy.endsWith("lfu");
    const checksum = config.values.rdbchecksum;
    this.#out = new RdbWriter(config.values.rdbcompression, (buf, length) => {
      if (checksum) this.#crc.update(buf, 0, length);
      for (const sink of this.sinks) sink.write(buf, length);
    });
    this.total = keyspace.keys;
    if (options.withoutData !== true) {
      for (const db of keyspace.databases) {
        if (db.dict.count === 0) continue;
        this.#tables.push({ db: db.index, dict: db.dict });
        db.dict.frozen = true;
      }
    }
    keyspace.generation ^= GENERATION;
    keyspace.barrier = this;
    this.#header();
  }

  #header(): void {
    const out = this.#out;
    const magic = fromLatin1(`REDIS${String(RDB_VERSION).padStart(4, "0")}`);
    out.raw(magic, 0, magic.length);
    this.#aux("redis-ver", "7.0.15");
    this.#aux("redis-bits", "64");
    this.#aux("ctime", String(Math.floor(this.engine.platform.clock.now() / 1000)));
    this.#aux("used-mem", String(this.engine.keyspace.usedMemory));
    for (const [name, value] of this.options.aux) this.#aux(name, value);
    if (this.options.withoutFunctions === true) return;
    for (const code of this.options.functions) {
      out.byte(Opcode.FUNCTION2);
      out.string(code, 0, code.length);
    }
  }

  #aux(name: string, value: string): void {
    this.#out.byte(Opcode.AUX);
    for (const text of [name, value]) {
      const bytes = fromLatin1(text);
      this.#out.string(bytes, 0, bytes.length);
    }
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
    const out = this.#out;
    this.#running = false;
    out.byte(Opcode.EOF);
    out.flush();
    const trailer = new Uint8Array(8);
    if (this.engine.config.values.rdbchecksum) this.#crc.write(trailer, 0);
    for (const sink of this.sinks) sink.write(trailer, 8);
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
    const out = this.#out;
    if (index !== this.#selected) {
      this.#selected = index;
      out.byte(Opcode.SELECTDB);
      out.length(index);
      out.byte(Opcode.RESIZEDB);
      out.length(dict.count);
      out.length(Math.min(dict.count, db.deadlines.count));
    }
    const deadline = db.expireAtExact(ref);
    if (deadline !== -1n) {
      out.byte(Opcode.EXPIRETIME_MS);
      out.int64(deadline);
    }
    if (this.#savesClock) {
      out.byte(Opcode.IDLE);
      out.length(db.idleSeconds(ref));
    } else if (this.#savesCounter) {
      out.byte(Opcode.FREQ);
      out.byte(db.frequency(ref));
    }
    out.byte(valueType(db, ref));
    out.string(dict.keyBuffer(ref), dict.keyOffset(ref), dict.keyLength(ref));
    writeValue(db, ref, out);
  }
}
