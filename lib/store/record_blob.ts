/**
 * RecordBlob: the bytes of a small collection that live in a key's record, as a `Blob`. Inserting may move the record to
 * another block: `ref` is always the record as it is now.
 */

import type { Database } from "./database.ts";
import type { Blob } from "./types/blob.ts";

export class RecordBlob implements Blob {
  buf: Uint8Array = new Uint8Array(0);
  off = 0;
  len = 0;
  ref = 0;
  #db: Database | null = null;

  /** Makes this object name the value of `ref`; returns itself. Good until the record is changed by other means. */
  bind(db: Database, ref: number): this {
    this.#db = db;
    this.ref = ref;
    this.buf = db.valueBuffer(ref);
    this.off = db.valueOffset(ref);
    this.len = db.valueLength(ref);
    return this;
  }

  splice(at: number, remove: number, insert: number): void {
    const db = this.#db!;
    const length = this.len - remove + insert;
    const tail = this.len - at - remove;
    if (length < this.len) {
      // The rest moves first: the record may be cut off behind it.
      this.buf.copyWithin(this.off + at + insert, this.off + at + remove, this.off + this.len);
      this.bind(db, db.resize(this.ref, length, length));
    } else if (length > this.len) {
      this.bind(db, db.resize(this.ref, length, this.len));
      this.buf.copyWithin(this.off + at + insert, this.off + at + remove, this.off + at + remove + tail);
    }
  }
}
