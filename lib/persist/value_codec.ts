/**
 * How a value becomes bytes and comes back: the interface that each type implements once, for DUMP, RESTORE, RDB files and full
 * resynchronisations alike. The table of all types is values.ts.
 *
 * A value that is read belongs to no key yet, because RESTORE must know that it is sound before it deletes what is there: it is
 * held in a `LooseValue` until `addTo` makes a key of it. A value is what a record holds (record.ts): bytes (a string, a
 * listpack, an intset) or a collection.
 */

import type { Args } from "../bytes/args.ts";
import { Copier } from "../bytes/span.ts";
import type { ConfigValues } from "../config/values.ts";
import type { Database } from "../store/database.ts";
import type { Keyspace } from "../store/keyspace.ts";
import { PAGE_BITS } from "../store/slab.ts";
import type { Collection } from "../store/record.ts";
import type { RdbReader } from "./rdb_reader.ts";
import type { RdbWriter } from "./rdb_writer.ts";

/** Type bytes of RDB files: those that Redis 7.0 writes, those of older versions that it still reads, and those of version 11. */
export const RdbType = {
  STRING: 0,
  LIST: 1,
  SET: 2,
  ZSET: 3,
  HASH: 4,
  ZSET_2: 5,
  MODULE_PRE_GA: 6,
  MODULE_2: 7,
  HASH_ZIPMAP: 9,
  LIST_ZIPLIST: 10,
  SET_INTSET: 11,
  ZSET_ZIPLIST: 12,
  HASH_ZIPLIST: 13,
  LIST_QUICKLIST: 14,
  STREAM_LISTPACKS: 15,
  HASH_LISTPACK: 16,
  ZSET_LISTPACK: 17,
  LIST_QUICKLIST_2: 18,
  STREAM_LISTPACKS_2: 19,
  SET_LISTPACK: 20,
  STREAM_LISTPACKS_3: 21,
} as const;

/** What reading a value needs of the server; an `Engine` is one. */
export interface ValueContext {
  readonly keyspace: Keyspace;
  readonly config: { readonly values: ConfigValues };
}

export interface ValueCodec {
  /** Type number of record.ts. */
  readonly type: number;
  /** The type bytes that `read` understands. */
  readonly rdbTypes: readonly number[];
  /** The type byte under which `write` writes this value. */
  rdbType(db: Database, ref: number): number;
  /** Writes the value, without the type byte. */
  write(db: Database, ref: number, out: RdbWriter): void;
  /**
   * Reads a value that was written under `rdbType` into `value`, by its `setBytes` or `setObject`. Returns false for a collection
   * without elements, which must not become a key. Throws `CorruptData` (`input.fail`), also on what is well formed but not
   * sound (listpacks and intsets must pass their deep `validate`, elements must not repeat); whatever
   * has been built by then is released first.
   */
  read(context: ValueContext, rdbType: number, input: RdbReader, value: LooseValue): boolean;
}

const NO_BYTES = new Uint8Array(0);
/** For new keys: they come to a few pages at a time, unlike those that are overwritten. */
const copier = new Copier();

/** A value without a key. One object serves many values in turn. */
export class LooseValue {
  /** Type number of record.ts. */
  type = 0;
  /** The collection, or null: then the value is `buf[off, off + len)`, which belongs to the reader. */
  object: Collection | null = null;
  buf: Uint8Array = NO_BYTES;
  off = 0;
  len = 0;

  setBytes(type: number, buf: Uint8Array, off: number, len: number): void {
    this.type = type;
    this.object = null;
    this.buf = buf;
    this.off = off;
    this.len = len;
  }

  setObject(type: number, object: Collection): void {
    this.type = type;
    this.object = object;
    this.buf = NO_BYTES;
    this.len = 0;
  }

  /** Makes it the value of a key that is not there yet; returns the record's ref. `hash` is the key's. */
  addTo(db: Database, a: Args, i: number, hash = db.dict.hash(a.buf, a.off[i], a.len[i])): number {
    if (this.object !== null) {
      const ref = db.setObject(db.addHashed(a, i, this.type, 0, hash), this.object);
      this.object = null;
      return ref;
    }
    const ref = db.addHashed(a, i, this.type, this.len, hash);
    db.writeValue(ref, this.buf, this.off, this.len);
    this.buf = NO_BYTES;
    return ref;
  }

  /** Makes it the value of a new record that is not in the table yet; returns its ref. */
  writeTo(db: Database, a: Args, i: number, hash: number): number {
    if (this.object !== null) {
      const ref = db.setObject(db.newRecord(a, i, this.type, 0, hash), this.object);
      this.object = null;
      return ref;
    }
    const ref = db.newRecord(a, i, this.type, this.len, hash);
    copier.copy(this.buf, this.off, this.len, db.valueBuffer(ref), db.valueOffset(ref), ref >>> PAGE_BITS);
    this.buf = NO_BYTES;
    return ref;
  }

  /** Gives a value up that has not become a key. */
  discard(keyspace: Keyspace): void {
    if (this.object !== null) keyspace.bury(this.object);
    this.object = null;
    this.buf = NO_BYTES;
  }
}
