/**
 * Sets. A small set is a blob in its key's record: an intset while all members are integers, as in Redis, and otherwise a listpack of
 * its members, where Redis 7.0 has a hash table already (and OBJECT ENCODING says so here too): a table for each of a million sets
 * of five members would cost more than the members. Anything larger is a `SetTable`, whose records are the members:
 *
 *   word 0  next record in the bucket      (Dict)
 *   word 1  hash                           (Dict)
 *   word 2  member length, OUTSIDE         (Dict)
 *   byte 12 the member (or the handle of one that is outside)
 *
 * A member of 10 bytes takes 24 bytes and 4 for the bucket, where Redis takes about 50.
 *
 * `SetView` hides which of the three it is (see view.ts).
 */

import type { Args } from "../../bytes/args.ts";
import { copyBytes } from "../../bytes/span.ts";
import type { Random } from "../../platform/platform.ts";
import type { Database } from "../database.ts";
import { Dict } from "../dict.ts";
import { Type } from "../record.ts";
import { HeapBlob } from "./blob.ts";
import { Int64 } from "./int64.ts";
import * as intset from "./intset.ts";
import * as listpack from "./listpack.ts";
import { ListpackCursor, type TextSink } from "./listpack.ts";
import { Table, type TableHome, TableWalk } from "./table.ts";
import { CollectionView } from "./view.ts";

const MEMBER_AT = 12;
/** Longest intset, as in Redis: 2^30 values. */
const MOST_INTEGERS = 1 << 30;
/** A listpack has at most so many members, of at most so many bytes: looking through it must cost no more than a table does. */
export const MOST_PACKED = 32;
export const LONGEST_PACKED = 64;

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
    if (dict.mayHave(hash) && dict.find(buf, off, len, hash) !== 0) return false;
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
    if (this.hold !== null) this.hold.afterChange(ref);
  }
}

/** Threshold between the encodings; the configuration's values have it. */
export interface SetLimits {
  readonly setMaxIntsetEntries: number;
}

/**
 * Whether the bytes of a set are an intset. It begins with the size of its integers, a listpack with its own size, which is never one
 * of these.
 */
export function isIntset(buf: Uint8Array, off: number): boolean {
  const first = buf[off];
  return (first === 2 || first === 4 || first === 8) && buf[off + 1] === 0;
}

/** Takes members; a Reply is one. */
export interface NumberSink extends TextSink {
  /** The digits of a whole number. */
  bulkInt(n: number): void;
}

/** Value about to be looked up in an intset. */
const wanted = new Int64();

export class SetView extends CollectionView<SetTable> {
  /** The current member, after `next`, `random` or `load`. An integer is in `value` and has no text until `asText`. */
  readonly member = new ListpackCursor();
  /** Record of the current member, in a table; its offset, in a listpack. */
  memberRef = 0;
  limits: SetLimits = { setMaxIntsetEntries: 512 };
  readonly #walk = new TableWalk();
  /** Index of the next member in an intset; its offset in a listpack, -1 at the end. */
  #next = 0;

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
    if (this.table !== null) return this.table.dict.count;
    return this.#isIntset ? intset.count(this.blob) : listpack.count(this.blob);
  }

  /** Whether all members are integers by the form that the set has. */
  get holdsIntegers(): boolean {
    return this.table === null && this.#isIntset;
  }

  /** Whether some member is no integer. Looks through members until it meets one. */
  hasText(): boolean {
    if (this.holdsIntegers) return false;
    const { member } = this;
    for (this.rewind(); this.next();) {
      if (!member.isInt && !wanted.parse(member.buf, member.off, member.len)) return true;
    }
    return false;
  }

  /** Meaningful while there is no table. */
  get #isIntset(): boolean {
    return isIntset(this.blob.buf, this.blob.off);
  }

  has(buf: Uint8Array, off: number, len: number): boolean {
    if (this.table !== null) return this.table.find(buf, off, len) !== 0;
    if (this.#isIntset) return wanted.parse(buf, off, len) && intset.find(this.blob, wanted) >= 0;
    return this.#findPacked(buf, off, len) >= 0;
  }

  /** Offset of a member in the listpack, -1 when it is not there. */
  #findPacked(buf: Uint8Array, off: number, len: number): number {
    if (len > LONGEST_PACKED) return -1;
    return listpack.find(this.blob, listpack.first(this.blob), buf, off, len, 0);
  }

  /** Whether the current member of `other` is in this set. */
  hasMemberOf(other: SetView): boolean {
    const { member } = other;
    if (other.table !== null) {
      if (this.table !== null) return this.table.dict.findSame(other.memberRef) !== 0;
      other.load(other.memberRef);
    } else if (this.table === null && member.isInt && this.#isIntset) return intset.find(this.blob, member.value) >= 0;
    member.asText();
    return this.has(member.buf, member.off, member.len);
  }

  /** Adds a member, going over to another form where it must; returns false when the member is there already. */
  add(buf: Uint8Array, off: number, len: number): boolean {
    if (this.table === null && this.#isIntset) {
      if (wanted.parse(buf, off, len)) return this.#addInteger(wanted);
      this.convert(len > LONGEST_PACKED ? Infinity : intset.count(this.blob) + 1);
    }
    if (this.table === null) {
      if (this.#findPacked(buf, off, len) >= 0) return false;
      if (len <= LONGEST_PACKED && listpack.count(this.blob) < MOST_PACKED) {
        listpack.append(this.blob, buf, off, len);
        return true;
      }
      this.#becomeTable();
    }
    return this.table!.add(buf, off, len);
  }

  /** Adds the current member of `other`. */
  addMemberOf(other: SetView): boolean {
    const { member } = other;
    if (this.table === null && member.isInt && this.#isIntset) return this.#addInteger(member.value);
    if (this.table !== null && other.table !== null) {
      return this.table.addHashed(member.buf, member.off, member.len, other.table.hashOf(other.memberRef));
    }
    member.asText();
    return this.add(member.buf, member.off, member.len);
  }

  #addInteger(value: Int64): boolean {
    if (!intset.add(this.blob, value)) return false;
    const limit = this.limits.setMaxIntsetEntries;
    const count = intset.count(this.blob);
    if (count > (limit < MOST_INTEGERS ? limit : MOST_INTEGERS)) this.convert(count);
    return true;
  }

  /** Removes a member; returns whether it was there. The set may be empty afterwards: then its key must go. */
  remove(buf: Uint8Array, off: number, len: number): boolean {
    if (this.table !== null) return this.table.remove(buf, off, len);
    if (this.#isIntset) return wanted.parse(buf, off, len) && intset.remove(this.blob, wanted);
    const at = this.#findPacked(buf, off, len);
    if (at < 0) return false;
    listpack.remove(this.blob, at);
    return true;
  }

  /** Removes the current member, whose bytes are void then. */
  removeMember(): void {
    if (this.table !== null) this.table.delete(this.memberRef);
    else if (this.#isIntset) intset.remove(this.blob, this.member.value);
    else listpack.remove(this.blob, this.memberRef);
  }

  /** Removes the current member of `other`; returns whether it was there. */
  removeMemberOf(other: SetView): boolean {
    const { member } = other;
    if (this.table === null && member.isInt && this.#isIntset) return intset.remove(this.blob, member.value);
    member.asText();
    return this.remove(member.buf, member.off, member.len);
  }

  /** Makes an intset what Redis calls a hash table, in the form that suits `count` members. */
  convert(count: number): void {
    if (this.table !== null || !this.#isIntset) return;
    if (count > MOST_PACKED) return this.#becomeTable();
    const packed = new HeapBlob();
    listpack.create(packed);
    const { blob, member } = this;
    for (this.rewind(); this.next();) {
      member.asText();
      listpack.append(packed, member.buf, member.off, member.len);
    }
    blob.splice(0, blob.len, packed.len);
    copyBytes(packed.buf, 0, packed.len, blob.buf, blob.off);
  }

  #becomeTable(): void {
    const table = new SetTable(this.home);
    const { member } = this;
    for (this.rewind(); this.next();) {
      member.asText();
      table.add(member.buf, member.off, member.len);
    }
    this.becomeTable(table);
  }

  /** Begins a walk through all members; the set must not change until its end. */
  rewind(): void {
    if (this.table !== null) this.#walk.start(this.table);
    else this.#next = this.#isIntset ? 0 : listpack.first(this.blob);
  }

  /** Goes to the next member; false at the end. Intsets are walked in ascending order. */
  next(): boolean {
    if (!this.step()) return false;
    if (this.table !== null) this.load(this.memberRef);
    return true;
  }

  /**
   * As `next`, but `member` is not set if it is in a table, which is of no use for members that are only looked up elsewhere (`hasMemberOf`)
   * or replied (`giveMember`).
   */
  step(): boolean {
    if (this.table !== null) {
      this.memberRef = this.#walk.next();
      return this.memberRef !== 0;
    }
    if (this.#isIntset) {
      if (this.#next >= intset.count(this.blob)) return false;
      this.load(this.#next++);
    } else {
      if (this.#next === -1) return false;
      this.memberRef = this.#next;
      this.#next = listpack.read(this.blob, this.#next, this.member);
    }
    return true;
  }

  /** Gives the current member to `sink`, after `next` or `step`. */
  giveMember(sink: NumberSink): void {
    const { member } = this;
    if (this.table !== null) this.table.dict.giveKey(this.memberRef, sink);
    else if (member.isInt && member.value.isSafe) sink.bulkInt(member.value.number);
    else member.writeTo(sink);
  }

  /** Makes a member chosen uniformly at random the current one; returns its place (see `load`). The set must not be empty. */
  random(random: Random): number {
    const place = this.table === null ? random.below(this.count) : this.table.random(random);
    this.load(place);
    return place;
  }

  /** Makes the member at a place the current one: a record of the table, an index into the blob. */
  load(place: number): void {
    const { member } = this;
    if (this.table === null) {
      if (this.#isIntset) {
        member.isInt = true;
        intset.get(this.blob, place, member.value);
      } else {
        this.memberRef = listpack.seek(this.blob, place);
        listpack.read(this.blob, this.memberRef, member);
      }
      return;
    }
    const { dict } = this.table;
    this.memberRef = place;
    member.isInt = false;
    member.buf = dict.keyBuffer(place);
    member.off = dict.keyOffset(place);
    member.len = dict.keyLength(place);
  }
}
