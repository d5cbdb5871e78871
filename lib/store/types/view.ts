/**
 * What HashView, SetView and ZsetView have in common. Each hides that a collection of its type is either a blob (listpack, intset) in its
 * key's record or a table, and goes over from one to the other by itself.
 *
 * A view is bound to a key's record (`open`, `addKey`), or holds a collection that is in no database yet (`create` or `createFrom`, then
 * `store`, `replace` or `drop`): the result of a command, a value that is being loaded. Views are made once and used again and again; a
 * view is good until its key is changed by other means.
 */

import type { Args } from "../../bytes/args.ts";
import type { Database } from "../database.ts";
import { Kind } from "../record.ts";
import { RecordBlob } from "../record_blob.ts";
import type { Blob } from "./blob.ts";
import type { Table, TableHome } from "./table.ts";

export abstract class CollectionView<T extends Table> {
  /** The elements as a table, null while they are a blob. */
  table: T | null = null;
  protected readonly record = new RecordBlob();
  /** The elements as a blob, while `table` is null. */
  blob: Blob = this.record;
  /** The key's record when it was bound, 0 for a collection that is in no database. */
  protected boundRef = 0;
  #db: Database | null = null;
  #home: TableHome | null = null;

  /** `type`: of `Type`. */
  protected constructor(readonly type: number) {}

  /** Binds to the collection of that record; returns itself. */
  open(db: Database, ref: number): this {
    this.#db = db;
    this.#home = db.keyspace;
    this.boundRef = ref;
    if (db.kind(ref) === Kind.OBJECT) this.table = db.object(ref) as unknown as T;
    else {
      this.table = null;
      this.blob = this.record.bind(db, ref);
    }
    return this;
  }

  /** Binds to a collection that is in no database: the one in `blob`, which becomes the view's own. */
  createFrom(home: TableHome, blob: Blob): this {
    this.#db = null;
    this.#home = home;
    this.boundRef = 0;
    this.table = null;
    this.blob = blob;
    return this;
  }

  /** The key's record, which changes may have moved. */
  get ref(): number {
    return this.table === null && this.boundRef !== 0 ? this.record.ref : this.boundRef;
  }

  /** What a table of this view's is made from. */
  protected get home(): TableHome {
    return this.#home!;
  }

  /** Puts a table in the place of the blob. */
  protected becomeTable(table: T): void {
    if (this.boundRef !== 0) this.boundRef = this.#db!.setObject(this.record.ref, table);
    this.table = table;
  }

  /** Makes a collection that is in no database the value of key i, whatever that was; it must not be empty. */
  store(db: Database, a: Args, i: number): void {
    const ref = db.lookupWrite(a, i);
    if (ref !== 0) return this.replace(db, db.retype(ref, this.type));
    if (this.table !== null) db.addObject(a, i, this.type, this.table);
    else db.writeValue(db.add(a, i, this.type, this.blob.len), this.blob.buf, this.blob.off, this.blob.len);
    this.#letGo();
  }

  /** The same for the record of a key that has this type already, and keeps its deadline. */
  replace(db: Database, ref: number): void {
    if (this.table !== null) db.setObject(ref, this.table);
    else db.writeValue(db.setBlob(ref, this.blob.len), this.blob.buf, this.blob.off, this.blob.len);
    this.#letGo();
  }

  /** Frees a collection that is in no database and will not be. */
  drop(): void {
    this.table?.release(Infinity);
    this.#letGo();
  }

  #letGo(): void {
    this.table = null;
    this.blob = this.record;
  }
}
