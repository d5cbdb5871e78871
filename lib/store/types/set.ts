/**
 * Sets. A small set of integers is an intset blob in its key's record; anything else is a `SetTable`, whose records are the members:
 *
 *   word 0  next record in the bucket      (Dict)
 *   word 1  hash                           (Dict)
 *   word 2  member length, OUTSIDE         (Dict)
 *   byte 12 the member (or the handle of one that is outside)
 *
 * A member of 10 bytes takes 24 bytes and 4 for the bucket, where Redis takes about 50.
 *
 * `SetView` hides which of the two it is (see view.ts).
 */

import type { Args } from "../../bytes/args.ts";
import type { Random } from "../../platform/platform.ts";
import type { Database } from "../database.ts";
import { Dict } from "../dict.ts";
import { Type } from "../record.ts";
import { HeapBlob } from "./blob.ts";
import { Int64 } from "./int64.ts";
import * as intset from "./intset.ts";
import { ListpackCursor } from "./listpack.ts";
import { Table, type TableHome, TableWalk } from "./table.ts";
import { CollectionView } from "./view.ts";

const MEMBER_AT = 12;
/** Longest intset, as in Redis: 2^30 values. */
const MOST_INTEGERS = 1 << 30;

/** A set as a table of members. */
export class SetTable extends Table {
  constructor(home: TableHome) {
    super(home, MEMBER_AT);
  }

  /** Adds a member; returns false when it is there already. */
  add(buf: Uint8Array, off: number, len: number): boolean {
    return this.addHashed(buf, off, len, this.dict.hash(buf, off, len));
  }

  /** The same, with the member's hash at hand. */
  addHashed(buf: Uint8Array, off: number, len: number, hash: number): boolean {
    const { dict } = this;
    if (dict.find(buf, off, len, hash) !== 0) return false;
    this.#insert(buf, off, len, hash);
    return true;
  }

  /** Removes a member; returns whether it was there. */
  remove(buf: Uint8Array, off: number, len: number): boolean {
    const ref = this.find(buf, off, len);
    if (ref === 0) return false;
    this.delete(ref);
    return true;
  }

  copy(): SetTable {
    const copy = new SetTable(this.home);
    const { dict } = this;
    for (let bucket = 0; bucket < dict.buckets; bucket++) {
      for (let ref = dict.first(bucket); ref !== 0; ref = dict.next(ref)) {
        copy.#insert(dict.keyBuffer(ref), dict.keyOffset(ref), dict.keyLength(ref), this.hashOf(ref));
      }
    }
    return copy;
  }

  #insert(buf: Uint8Array, off: number, len: number, hash: number): void {
    const { dict, slab } = this;
    const before = slab.used;
    const ref = slab.allocate(MEMBER_AT + Dict.keySize(len));
    dict.writeKey(ref, buf, off, len, hash);
    dict.insert(ref);
    this.accountHeads();
    this.bytes += slab.used - before;
  }
}

/** Threshold between the encodings; the configuration's values have it. */
export interface SetLimits {
  readonly setMaxIntsetEntries: number;
}

/** Value about to be looked up in an intset. */
const wanted = new Int64();

export class SetView extends CollectionView<SetTable> {
  /** The current member, after `next`, `random` or `load`. An integer is in `value` and has no text until `asText`. */
  readonly member = new ListpackCursor();
  /** Record of the current member, in a table. */
  memberRef = 0;
  limits: SetLimits = { setMaxIntsetEntries: 512 };
  readonly #walk = new TableWalk();
  /** Index of the next member in an intset. */
  #index = 0;

  constructor() {
    super(Type.SET);
  }

  /** Begins an empty set that is in no database. */
  create(home: TableHome): this {
    const blob = new HeapBlob();
    intset.create(blob);
    return this.createFrom(home, blob);
  }

  /** Adds an empty set as a new key and binds to it. It must get a member at once. */
  addKey(db: Database, a: Args, i: number): this {
    this.open(db, db.add(a, i, Type.SET, intset.EMPTY_BYTES));
    intset.create(this.blob);
    return this;
  }

  get count(): number {
    return this.table === null ? intset.count(this.blob) : this.table.dict.count;
  }

  has(buf: Uint8Array, off: number, len: number): boolean {
    if (this.table !== null) return this.table.find(buf, off, len) !== 0;
    return wanted.parse(buf, off, len) && intset.find(this.blob, wanted) >= 0;
  }

  /** Whether the current member of `other` is in this set. */
  hasMemberOf(other: SetView): boolean {
    const { member } = other;
    if (this.table === null) {
      if (member.isInt) return intset.find(this.blob, member.value) >= 0;
      return this.has(member.buf, member.off, member.len);
    }
    if (other.table !== null) {
      return this.table.dict.find(member.buf, member.off, member.len, other.table.hashOf(other.memberRef)) !== 0;
    }
    member.asText();
    return this.table.find(member.buf, member.off, member.len) !== 0;
  }

  /** Adds a member, going over to a table where it must; returns false when the member is there already. */
  add(buf: Uint8Array, off: number, len: number): boolean {
    if (this.table === null) {
      if (wanted.parse(buf, off, len)) return this.#addInteger(wanted);
      this.convert();
    }
    return this.table!.add(buf, off, len);
  }

  /** Adds the current member of `other`. */
  addMemberOf(other: SetView): boolean {
    const { member } = other;
    if (member.isInt && this.table === null) return this.#addInteger(member.value);
    if (this.table !== null && other.table !== null) {
      return this.table.addHashed(member.buf, member.off, member.len, other.table.hashOf(other.memberRef));
    }
    member.asText();
    return this.add(member.buf, member.off, member.len);
  }

  #addInteger(value: Int64): boolean {
    if (!intset.add(this.blob, value)) return false;
    const limit = this.limits.setMaxIntsetEntries;
    if (intset.count(this.blob) > (limit < MOST_INTEGERS ? limit : MOST_INTEGERS)) this.convert();
    return true;
  }

  /** Removes a member; returns whether it was there. The set may be empty afterwards: then its key must go. */
  remove(buf: Uint8Array, off: number, len: number): boolean {
    if (this.table !== null) return this.table.remove(buf, off, len);
    return wanted.parse(buf, off, len) && intset.remove(this.blob, wanted);
  }

  /** Removes the current member, whose bytes are void then. */
  removeMember(): void {
    if (this.table !== null) this.table.delete(this.memberRef);
    else intset.remove(this.blob, this.member.value);
  }

  /** Removes the current member of `other`; returns whether it was there. */
  removeMemberOf(other: SetView): boolean {
    const { member } = other;
    if (member.isInt && this.table === null) return intset.remove(this.blob, member.value);
    member.asText();
    return this.remove(member.buf, member.off, member.len);
  }

  /** Makes an intset a table. */
  convert(): void {
    if (this.table !== null) return;
    const table = new SetTable(this.home);
    const { member } = this;
    const length = intset.count(this.blob);
    for (let i = 0; i < length; i++) {
      this.#loadInteger(i);
      member.asText();
      table.add(member.buf, member.off, member.len);
    }
    this.becomeTable(table);
  }

  /** Begins a walk through all members; the set must not change until its end. */
  rewind(): void {
    if (this.table === null) this.#index = 0;
    else this.#walk.start(this.table);
  }

  /** Goes to the next member; false at the end. Intsets are walked in ascending order. */
  next(): boolean {
    if (this.table === null) {
      if (this.#index >= intset.count(this.blob)) return false;
      this.#loadInteger(this.#index++);
      return true;
    }
    const ref = this.#walk.next();
    if (ref === 0) return false;
    this.load(ref);
    return true;
  }

  /** Makes a member chosen uniformly at random the current one; returns its place (see `load`). The set must not be empty. */
  random(random: Random): number {
    const place = this.table === null ? random.below(intset.count(this.blob)) : this.table.random(random);
    this.load(place);
    return place;
  }

  /** Makes the member at a place the current one: a record of the table, an index into the intset. */
  load(place: number): void {
    if (this.table === null) return this.#loadInteger(place);
    const { dict } = this.table;
    const { member } = this;
    this.memberRef = place;
    member.isInt = false;
    member.buf = dict.keyBuffer(place);
    member.off = dict.keyOffset(place);
    member.len = dict.keyLength(place);
  }

  #loadInteger(index: number): void {
    this.member.isInt = true;
    intset.get(this.blob, index, this.member.value);
  }
}
