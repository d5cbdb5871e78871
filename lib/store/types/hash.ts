/**
 * Hashes. A small hash is a listpack blob in its key's record (field, value, field, value …); a large one is a `HashTable`, whose records
 * are the fields with their values:
 *
 *   word 0  next record in the bucket      (Dict)
 *   word 1  hash                           (Dict)
 *   word 2  field length, OUTSIDE          (Dict)
 *   word 3  value length, OUTSIDE when the value is a large value of the slab
 *   byte 16 the field (or the handle of one that is outside)
 *           the value; or, from the next multiple of 4, its handle
 *
 * Field and value share one block, so a lookup ends where the value is. A value that changes its length stays in place when its block
 * still suits it, and else takes the record with it to another block.
 *
 * `HashView` hides which of the two it is (see view.ts).
 */

import type { Args } from "../../bytes/args.ts";
import { copyBytes } from "../../bytes/span.ts";
import type { Random } from "../../platform/platform.ts";
import type { Database } from "../database.ts";
import { Dict, OUTSIDE } from "../dict.ts";
import { Type } from "../record.ts";
import { MAX_BLOCK, Slab } from "../slab.ts";
import { HeapBlob } from "./blob.ts";
import * as listpack from "./listpack.ts";
import { ListpackCursor } from "./listpack.ts";
import { Table, type TableHome, TableWalk } from "./table.ts";
import { CollectionView } from "./view.ts";

const PAGE_BITS = 15;
const IN_PAGE = (1 << PAGE_BITS) - 1;
const FIELD_AT = 16;

/** A hash as a table of fields. */
export class HashTable extends Table {
  constructor(home: TableHome) {
    super(home, FIELD_AT);
  }

  /** Sets a field; returns whether it is new. */
  set(
    field: Uint8Array,
    fieldOff: number,
    fieldLen: number,
    value: Uint8Array,
    valueOff: number,
    valueLen: number,
  ): boolean {
    const { dict } = this;
    const hash = dict.hash(field, fieldOff, fieldLen);
    const ref = dict.mayHave(hash) ? dict.find(field, fieldOff, fieldLen, hash) : 0;
    if (ref !== 0) {
      this.setValue(ref, value, valueOff, valueLen);
      return false;
    }
    this.#insert(field, fieldOff, fieldLen, hash, value, valueOff, valueLen);
    return true;
  }

  #insert(
    field: Uint8Array,
    fieldOff: number,
    fieldLen: number,
    hash: number,
    value: Uint8Array,
    valueOff: number,
    valueLen: number,
  ): void {
    const { slab } = this;
    const before = slab.used;
    const ref = this.#newRecord(field, fieldOff, fieldLen, hash, value, valueOff, valueLen);
    this.dict.insert(ref);
    this.accountHeads();
    this.bytes += slab.used - before;
    if (this.hold !== null) this.hold.afterChange(ref);
  }

  /** Makes the record of a field for `insertAll`. */
  prepare(
    field: Uint8Array,
    fieldOff: number,
    fieldLen: number,
    value: Uint8Array,
    valueOff: number,
    valueLen: number,
  ): number {
    const before = this.slab.used;
    const hash = this.dict.hash(field, fieldOff, fieldLen);
    const ref = this.#newRecord(field, fieldOff, fieldLen, hash, value, valueOff, valueLen);
    this.bytes += this.slab.used - before;
    return ref;
  }

  #newRecord(
    field: Uint8Array,
    fieldOff: number,
    fieldLen: number,
    hash: number,
    value: Uint8Array,
    valueOff: number,
    valueLen: number,
  ): number {
    const head = FIELD_AT + Dict.keySize(fieldLen);
    const ref = this.slab.allocate(blockSize(head, valueLen));
    this.dict.writeKey(ref, field, fieldOff, fieldLen, hash);
    this.#writeValue(ref, head, value, valueOff, valueLen);
    return ref;
  }

  /** Gives a field another value; returns its record, which may have moved. */
  setValue(ref: number, value: Uint8Array, off: number, len: number): number {
    const { dict, slab, hold } = this;
    if (hold !== null) hold.beforeChange(ref);
    const before = slab.used;
    const head = FIELD_AT + Dict.keySize(dict.keyLength(ref));
    let target = ref;
    this.freeValue(ref);
    if (Slab.rounded(blockSize(head, len)) !== slab.capacity(ref)) {
      target = slab.allocate(blockSize(head, len));
      const from = slab.bytes[ref >>> PAGE_BITS];
      copyBytes(from, (ref & IN_PAGE) << 3, head, slab.bytes[target >>> PAGE_BITS], (target & IN_PAGE) << 3);
      dict.replace(ref, target);
      slab.free(ref);
    }
    this.#writeValue(target, head, value, off, len);
    this.bytes += slab.used - before;
    if (hold !== null) hold.afterChange(target);
    return target;
  }

  #writeValue(ref: number, head: number, value: Uint8Array, off: number, len: number): void {
    const { slab } = this;
    const words = slab.words[ref >>> PAGE_BITS];
    const word = (ref & IN_PAGE) << 1;
    if (head + len > MAX_BLOCK) {
      words[word + 3] = len | OUTSIDE;
      words[word + ((head + 3) >> 2)] = slab.newLarge(value.slice(off, off + len));
      return;
    }
    words[word + 3] = len;
    copyBytes(value, off, len, slab.bytes[ref >>> PAGE_BITS], (word << 2) + head);
  }

  /** Puts a record's value into the cursor. */
  readValue(ref: number, cursor: ListpackCursor): void {
    const { slab } = this;
    const words = slab.words[ref >>> PAGE_BITS];
    const word = (ref & IN_PAGE) << 1;
    const key = words[word + 2];
    const head = FIELD_AT + (key < 0 ? 4 : key);
    const length = words[word + 3];
    cursor.isInt = false;
    cursor.len = length & ~OUTSIDE;
    if (length < 0) {
      cursor.buf = slab.large[words[word + ((head + 3) >> 2)]];
      cursor.off = 0;
    } else {
      cursor.buf = slab.bytes[ref >>> PAGE_BITS];
      cursor.off = (word << 2) + head;
    }
  }

  /** Puts a record's field into the cursor. */
  readField(ref: number, cursor: ListpackCursor): void {
    const { dict } = this;
    cursor.isInt = false;
    cursor.buf = dict.keyBuffer(ref);
    cursor.off = dict.keyOffset(ref);
    cursor.len = dict.keyLength(ref);
  }

  copy(): HashTable {
    const copy = new HashTable(this.home);
    const { dict } = this;
    const value = new ListpackCursor();
    for (let bucket = 0; bucket < dict.buckets; bucket++) {
      for (let ref = dict.first(bucket); ref !== 0; ref = dict.next(ref)) {
        this.readValue(ref, value);
        const field = dict.keyBuffer(ref);
        copy.#insert(
          field,
          dict.keyOffset(ref),
          dict.keyLength(ref),
          this.hashOf(ref),
          value.buf,
          value.off,
          value.len,
        );
      }
    }
    return copy;
  }

  protected override freeValue(ref: number): void {
    const words = this.slab.words[ref >>> PAGE_BITS];
    const word = (ref & IN_PAGE) << 1;
    if (words[word + 3] >= 0) return;
    const head = FIELD_AT + Dict.keySize(words[word + 2] & ~OUTSIDE);
    this.slab.freeLarge(words[word + ((head + 3) >> 2)]);
  }
}

/** Bytes of a record with `head` bytes before its value. */
function blockSize(head: number, valueLen: number): number {
  return head + valueLen > MAX_BLOCK ? ((head + 3) & ~3) + 4 : head + valueLen;
}

/** Thresholds between the encodings; the configuration's values have them. */
export interface HashLimits {
  readonly hashMaxListpackEntries: number;
  readonly hashMaxListpackValue: number;
}

export class HashView extends CollectionView<HashTable> {
  /** The current field and value, after `find`, `next`, `random` or `load`. An integer of a listpack has no text until `asText`. */
  readonly field = new ListpackCursor();
  readonly value = new ListpackCursor();
  limits: HashLimits = { hashMaxListpackEntries: 512, hashMaxListpackValue: 64 };
  readonly #walk = new TableWalk();
  /** Offset of the next field, -1 at the end. */
  #at = 0;

  constructor() {
    super(Type.HASH);
  }

  /** Begins an empty hash that is in no database. */
  create(home: TableHome): this {
    const blob = new HeapBlob();
    listpack.create(blob);
    return this.createFrom(home, blob);
  }

  /** Adds an empty hash as a new key and binds to it. It must get a field at once. */
  addKey(db: Database, a: Args, i: number): this {
    this.open(db, db.add(a, i, Type.HASH, listpack.EMPTY_BYTES));
    listpack.create(this.blob);
    return this;
  }

  get count(): number {
    return this.table === null ? listpack.count(this.blob) >>> 1 : this.table.dict.count;
  }

  /** Puts the value of a field into `value`; false when there is no such field. */
  find(buf: Uint8Array, off: number, len: number): boolean {
    if (this.table !== null) {
      const ref = this.table.find(buf, off, len);
      if (ref === 0) return false;
      this.table.readValue(ref, this.value);
      return true;
    }
    const at = listpack.find(this.blob, listpack.first(this.blob), buf, off, len, 1);
    if (at < 0) return false;
    listpack.read(this.blob, listpack.next(this.blob, at), this.value);
    return true;
  }

  has(buf: Uint8Array, off: number, len: number): boolean {
    if (this.table !== null) return this.table.find(buf, off, len) !== 0;
    return listpack.find(this.blob, listpack.first(this.blob), buf, off, len, 1) >= 0;
  }

  /** Goes over to a table if arguments `from` … `to` are too long, one by one or together, for a listpack. */
  makeRoom(a: Args, from: number, to: number): void {
    if (this.table !== null) return;
    const longest = this.limits.hashMaxListpackValue;
    let sum = 0;
    for (let i = from; i <= to; i++) {
      if (a.len[i] > longest) return this.convert();
      sum += a.len[i];
    }
    if (!listpack.isSafeToAdd(this.blob, sum)) this.convert();
  }

  /** Sets a field, going over to a table where it must; returns whether the field is new. */
  set(
    field: Uint8Array,
    fieldOff: number,
    fieldLen: number,
    value: Uint8Array,
    valueOff: number,
    valueLen: number,
  ): boolean {
    if (this.table === null) {
      const longest = this.limits.hashMaxListpackValue;
      if (fieldLen > longest || valueLen > longest) this.convert();
    }
    if (this.table !== null) return this.table.set(field, fieldOff, fieldLen, value, valueOff, valueLen);
    const blob = this.blob;
    const at = listpack.find(blob, listpack.first(blob), field, fieldOff, fieldLen, 1);
    if (at >= 0) {
      listpack.replace(blob, listpack.next(blob, at), value, valueOff, valueLen);
      return false;
    }
    listpack.append(blob, field, fieldOff, fieldLen);
    listpack.append(blob, value, valueOff, valueLen);
    if (listpack.count(blob) > this.limits.hashMaxListpackEntries * 2) this.convert();
    return true;
  }

  /** Deletes a field; returns whether it was there. The hash may be empty afterwards: then its key must go. */
  delete(buf: Uint8Array, off: number, len: number): boolean {
    if (this.table !== null) {
      const ref = this.table.find(buf, off, len);
      if (ref === 0) return false;
      this.table.delete(ref);
      return true;
    }
    const at = listpack.find(this.blob, listpack.first(this.blob), buf, off, len, 1);
    if (at < 0) return false;
    listpack.removeFrom(this.blob, at, 2);
    return true;
  }

  /** Makes a listpack a table. */
  convert(): void {
    if (this.table !== null) return;
    const table = new HashTable(this.home);
    const { field, value } = this;
    for (let at = listpack.first(this.blob); at >= 0;) {
      at = listpack.readText(this.blob, listpack.readText(this.blob, at, field), value);
      table.set(field.buf, field.off, field.len, value.buf, value.off, value.len);
    }
    this.becomeTable(table);
  }

  /** Begins a walk through all fields; the hash must not change until its end. */
  rewind(): void {
    if (this.table === null) this.#at = listpack.first(this.blob);
    else this.#walk.start(this.table);
  }

  /** Goes to the next field; false at the end. */
  next(): boolean {
    if (this.table === null) {
      if (this.#at < 0) return false;
      this.#at = this.#readPair(this.#at);
      return true;
    }
    const ref = this.#walk.next();
    if (ref === 0) return false;
    this.load(ref);
    return true;
  }

  /** Makes a field chosen uniformly at random the current one; returns its place (see `load`). The hash must not be empty. */
  random(random: Random): number {
    const place = this.table === null
      ? listpack.seek(this.blob, random.below(this.count) * 2)
      : this.table.random(random);
    this.load(place);
    return place;
  }

  /** Makes the field at a place the current one: a record of the table, an offset in the listpack. */
  load(place: number): void {
    if (this.table === null) {
      this.#readPair(place);
      return;
    }
    this.table.readField(place, this.field);
    this.table.readValue(place, this.value);
  }

  #readPair(at: number): number {
    return listpack.read(this.blob, listpack.read(this.blob, at, this.field), this.value);
  }
}
