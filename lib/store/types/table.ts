/**
 * Table: what large hashes and large sets have in common. It is a Dict whose records are the elements, plus the account of the
 * memory that they take.
 *
 * There is no JavaScript object per element: an element is a slab record (its beginning is described in dict.ts), and this is the one
 * object for all of them. All tables of a server hash with the same seed, so the hash that stands in one table's record finds the
 * same member in another table without being computed again (SINTER).
 *
 * Memory is measured rather than computed: every method that allocates or frees takes the difference of `slab.used`.
 */

import { Dict, type HashSeed } from "../dict.ts";
import type { Collection, Hold } from "../record.ts";
import type { Slab } from "../slab.ts";
import type { Random } from "../../platform/platform.ts";

const PAGE_BITS = 15;
const IN_PAGE = (1 << PAGE_BITS) - 1;

/** What a table is made from; a Keyspace has both. */
export interface TableHome {
  readonly slab: Slab;
  readonly seed: HashSeed;
}

/** A snapshot that is writing a table's records while they change. */
export interface TableHold extends Hold {
  /** A record is about to change, to move or to go. */
  beforeChange(ref: number): void;
  /** A record has been added, or has changed. */
  afterChange(ref: number): void;
}

export abstract class Table implements Collection {
  readonly slab: Slab;
  readonly dict: Dict;
  hold: TableHold | null = null;
  /** Bytes of all records, of values outside of them, and of the heads. */
  protected bytes = 0;
  /** Bytes of heads that the slab has been told of. */
  #heads = 0;
  /** Buckets that `release` has not emptied yet, -1 before it begins. */
  #unreleased = -1;

  /** `keyAt`: bytes of a record before its key. */
  protected constructor(readonly home: TableHome, keyAt: number) {
    this.slab = home.slab;
    this.dict = new Dict(home.slab, keyAt, home.seed);
    this.accountHeads();
    this.bytes = this.#heads;
  }

  get count(): number {
    return this.dict.count;
  }

  /** Makes an empty table ready to be filled with `count` records. */
  expect(count: number): void {
    const before = this.slab.used;
    this.dict.expect(count);
    this.accountHeads();
    this.bytes += this.slab.used - before;
  }

  /** The record with that key, 0 when there is none. */
  find(buf: Uint8Array, off: number, len: number): number {
    return this.dict.lookup(buf, off, len);
  }

  /**
   * Puts `refs[0, count)` into the table, records that are complete otherwise; false if a key was there already, and then it is there
   * twice: the table can only be released.
   */
  insertAll(refs: Int32Array, count: number): boolean {
    const { dict } = this;
    const before = this.slab.used;
    let areNew = true;
    for (let i = 0; i < count; i++) {
      const ref = refs[i];
      const hash = dict.hashOf(ref);
      if (dict.mayHave(hash) && dict.find(dict.keyBuffer(ref), dict.keyOffset(ref), dict.keyLength(ref), hash) !== 0) {
        areNew = false;
      }
      dict.insert(ref);
    }
    this.accountHeads();
    this.bytes += this.slab.used - before;
    return areNew;
  }

  /** The hash in a record. */
  hashOf(ref: number): number {
    return this.slab.words[ref >>> PAGE_BITS][((ref & IN_PAGE) << 1) + 1];
  }

  /** A record chosen uniformly at random; the table must not be empty. */
  random(random: Random): number {
    return this.dict.random(random);
  }

  /** Takes a record out and frees it. */
  delete(ref: number): void {
    if (this.hold !== null) this.hold.beforeChange(ref);
    const before = this.slab.used;
    this.dict.remove(ref);
    this.#free(ref);
    this.accountHeads();
    this.bytes += this.slab.used - before;
  }

  release(budget: number): boolean {
    const { dict } = this;
    if (this.#unreleased < 0) this.#unreleased = dict.buckets;
    while (budget > 0) {
      if (this.#unreleased === 0) {
        this.slab.account(-this.#heads);
        this.#heads = 0;
        dict.reset();
        return true;
      }
      for (let ref = dict.first(--this.#unreleased), next = 0; ref !== 0; ref = next, budget--) {
        next = dict.next(ref);
        this.#free(ref);
      }
      budget--;
    }
    return false;
  }

  memory(): number {
    return this.bytes;
  }

  /** Frees what a record holds outside of itself, besides its key. */
  protected freeValue(_ref: number): void {}

  /** Tells the slab when the heads have grown or shrunk. */
  protected accountHeads(): void {
    const heads = this.dict.overhead;
    if (heads === this.#heads) return;
    this.slab.account(heads - this.#heads);
    this.#heads = heads;
  }

  #free(ref: number): void {
    this.freeValue(ref);
    this.dict.freeKey(ref);
    this.slab.free(ref);
  }
}

/** Walks through all records of a table, which must not change meanwhile. One object serves for any number of walks. */
export class TableWalk {
  #dict: Dict | null = null;
  #bucket = 0;
  #ref = 0;

  start(table: Table): void {
    this.#dict = table.dict;
    this.#bucket = 0;
    this.#ref = 0;
  }

  /** The next record, 0 at the end. */
  next(): number {
    const dict = this.#dict!;
    let ref = this.#ref === 0 ? 0 : dict.next(this.#ref);
    while (ref === 0) {
      if (this.#bucket === dict.buckets) return 0;
      ref = dict.first(this.#bucket++);
    }
    this.#ref = ref;
    return ref;
  }
}
