/**
 * Large values in a snapshot: written bit by bit, with commands served in between, as they were when the snapshot began.
 *
 * A large value is *held* from the moment when its turn has come, or when something is about to be done to it before. From then on its
 * key may change, be renamed or go; what the file says of the key was noted at that moment. What may happen to the value
 * itself depends on its type:
 *
 *   hash, set, zset   The file has the elements in any order, so it is as with keys: an element that is about to change or go is written
 *                     first (`TableHold`). Which elements the walk must leave out, because they are written or new, stands in a set of
 *                     their records: at most one entry for each element that was changed meanwhile. What is written before the
 *                     value's turn has come waits in memory. The table neither grows nor shrinks, and is freed here
 *                     if it loses its key.
 *   list              The order matters. The walk goes along the chain of nodes as it was: a node that it has not come to is noted before
 *                     it changes or another one comes after it, and one that goes is not freed before the end. Its bytes are
 *                     copied before they are changed. A node's epoch tells whether it was there at the beginning, and has neither been noted
 *                     nor passed.
 *   stream            A twin of it shares the blocks (of a few KB) and the chunks of pending entries: whoever changes one
 *                     copies it first.
 *   string            See SlicedWriter.
 *
 * Holding a value costs nothing, but for the list of a stream's blocks, which is copied: 4 bytes for each.
 */

import { compareBytes } from "../bytes/span.ts";
import type { Database } from "../store/database.ts";
import type { Keyspace } from "../store/keyspace.ts";
import { type Collection, type Hold, Kind, Type } from "../store/record.ts";
import type { HashTable } from "../store/types/hash.ts";
import { ListpackCursor } from "../store/types/listpack.ts";
import { ListNode } from "../store/types/list_node.ts";
import type { ListHold, Quicklist, SharedNode } from "../store/types/quicklist.ts";
import { RankCursor } from "../store/types/ranktree.ts";
import type { SetTable } from "../store/types/set.ts";
import type { SortedSet } from "../store/types/sorted_set.ts";
import type { Stream } from "../store/types/stream.ts";
import type { Table, TableHold } from "../store/types/table.ts";
import type { RdbWriter } from "./rdb_writer.ts";
import type { SlicedWriter } from "./sliced_writer.ts";

/** Collections that take more memory are large: below, writing one at once takes less than a millisecond. */
const LARGE = 64 * 1024;
/** Elements that are written at a time, and their bytes. */
const ELEMENTS = 64;
const BYTES = 16 * 1024;

/** Some bytes, where they are. */
export interface Span {
  readonly buf: Uint8Array;
  readonly off: number;
  readonly len: number;
}

/** What a large value looks like in a snapshot. It knows the key as it was. */
export interface LargeFormat {
  /** `parts`: elements, nodes of a list, blocks of a stream. */
  begin(out: RdbWriter, elements: number, parts: number): void;
  member(out: RdbWriter, member: Span): void;
  pair(out: RdbWriter, field: Span, value: Span): void;
  scored(out: RdbWriter, member: Span, score: number): void;
  node(out: RdbWriter, node: SharedNode): void;
  /** Writes all of it, in steps. */
  stream(out: RdbWriter, stream: Stream): Iterable<void>;
  end(out: RdbWriter): void;
}

/** Whether a key's value is a collection that must not be written in one piece. */
export function isLarge(db: Database, ref: number): boolean {
  return db.kind(ref) === Kind.OBJECT && db.object(ref).memory() > LARGE;
}

/** Holds the value of a key. `out` keeps what has to be written before its turn. */
export function hold(db: Database, ref: number, format: LargeFormat, out: SlicedWriter): LargeValue {
  const object = db.object(ref);
  switch (db.type(ref)) {
    case Type.HASH:
      return new LargeHash(object as HashTable, db.keyspace, format, out);
    case Type.SET:
      return new LargeSet(object as SetTable, db.keyspace, format, out);
    case Type.ZSET:
      return new LargeZset(object as SortedSet, db.keyspace, format, out);
    case Type.LIST:
      return new LargeList(object as Quicklist, db.keyspace, format, out);
    default:
      return new LargeStream(object as unknown as Stream, db.keyspace, format, out);
  }
}

export abstract class LargeValue {
  #work: Iterator<void> | null = null;

  protected constructor(protected readonly format: LargeFormat, protected out: SlicedWriter) {}

  /** Its turn has come: what was kept, and everything else, goes to `out`. */
  begin(out: SlicedWriter): void {
    out.adopt(this.out);
    this.out = out;
    this.#work = this.write()[Symbol.iterator]();
  }

  /** Writes some of it; true when that was the last. */
  step(): boolean {
    if (this.#work!.next().done !== true) return false;
    this.format.end(this.out);
    this.release();
    return true;
  }

  /** Lets the value go, also when it has not been written. */
  abstract release(): void;

  protected abstract write(): Iterable<void>;
}

/** A value that tells of its changes, and is left to the snapshot when it loses its key. */
abstract class HeldValue extends LargeValue implements Hold {
  #inherited = 0;

  protected constructor(
    readonly collection: Collection,
    readonly keyspace: Keyspace,
    format: LargeFormat,
    out: SlicedWriter,
  ) {
    super(format, out);
  }

  inherit(): void {
    this.#inherited = this.collection.memory();
    this.keyspace.inherited += this.#inherited;
  }

  release(): void {
    this.unhold();
    if (this.#inherited === 0) return;
    this.keyspace.inherited -= this.#inherited;
    this.keyspace.bury(this.collection);
  }

  /** From now on the value need not tell of its changes. */
  protected abstract unhold(): void;
}

abstract class LargeTable<T extends Table> extends HeldValue implements TableHold {
  /** Records that the walk has still to pass and must leave out. */
  protected readonly known: Set<number> = new Set();
  protected readonly member: ListpackCursor = new ListpackCursor();

  constructor(protected readonly table: T, keyspace: Keyspace, format: LargeFormat, out: SlicedWriter) {
    super(table, keyspace, format, out);
    table.hold = this;
    table.dict.frozen = true;
    format.begin(out, table.count, table.count);
  }

  beforeChange(ref: number): void {
    if (!this.isPassed(ref) && !this.known.delete(ref)) this.save(ref);
  }

  afterChange(ref: number): void {
    if (!this.isPassed(ref)) this.known.add(ref);
  }

  protected unhold(): void {
    this.table.hold = null;
    this.table.dict.frozen = false;
  }

  /** Puts a record's key into `member`. */
  protected readMember(ref: number): void {
    const { dict } = this.table;
    this.member.buf = dict.keyBuffer(ref);
    this.member.off = dict.keyOffset(ref);
    this.member.len = dict.keyLength(ref);
  }

  /** Whether the walk is beyond the place where a record is now. */
  protected abstract isPassed(ref: number): boolean;

  protected abstract save(ref: number): void;
}

/** Hashes and sets, in the order of their buckets. */
abstract class LargeBuckets<T extends Table> extends LargeTable<T> {
  #bucket = 0;

  protected isPassed(ref: number): boolean {
    return this.table.dict.bucketOfRecord(ref) < this.#bucket;
  }

  protected *write(): Iterable<void> {
    const { table: { dict }, known, out } = this;
    let elements = 0;
    for (let mark = out.at; this.#bucket < dict.buckets;) {
      for (let ref = dict.first(this.#bucket); ref !== 0; ref = dict.next(ref)) {
        elements++;
        if (known.size === 0 || !known.delete(ref)) this.save(ref);
      }
      this.#bucket++;
      if (++elements < ELEMENTS && out.at >= mark && out.at - mark < BYTES && !out.isBehind) continue;
      yield;
      elements = 0;
      mark = out.at;
    }
  }
}

class LargeSet extends LargeBuckets<SetTable> {
  protected save(ref: number): void {
    this.readMember(ref);
    this.format.member(this.out, this.member);
  }
}

class LargeHash extends LargeBuckets<HashTable> {
  readonly #value = new ListpackCursor();

  protected save(ref: number): void {
    this.readMember(ref);
    this.table.readValue(ref, this.#value);
    this.format.pair(this.out, this.member, this.#value);
  }
}

/** Sorted sets, from the greatest member on, which is how they are loaded fastest. */
class LargeZset extends LargeTable<SortedSet> {
  /** The last member that the walk has come to, in `#last[0, #lastLength)`; length -1 at the beginning. */
  #last = new Uint8Array(64);
  #lastLength = -1;
  #lastScore = 0;
  /** The tree has changed: the walk's place in it has to be found again. */
  #moved = false;

  override beforeChange(ref: number): void {
    this.#moved = true;
    super.beforeChange(ref);
  }

  override afterChange(ref: number): void {
    this.#moved = true;
    super.afterChange(ref);
  }

  protected isPassed(ref: number): boolean {
    return this.#lastLength >= 0 && !this.#isAhead(ref, this.table.scoreOf(ref));
  }

  #isAhead(ref: number, score: number): boolean {
    if (score !== this.#lastScore) return score < this.#lastScore;
    const { dict } = this.table;
    const buf = dict.keyBuffer(ref);
    return compareBytes(buf, dict.keyOffset(ref), dict.keyLength(ref), this.#last, 0, this.#lastLength) < 0;
  }

  protected save(ref: number): void {
    this.readMember(ref);
    this.format.scored(this.out, this.member, this.table.scoreOf(ref));
  }

  protected *write(): Iterable<void> {
    const { table: { tree }, known, out } = this;
    const cursor = new RankCursor();
    let more = tree.at(tree.count - 1, cursor);
    let mark = out.at;
    for (let elements = 0; more;) {
      if (known.size === 0 || !known.delete(cursor.ref)) this.save(cursor.ref);
      if (++elements < ELEMENTS && out.at >= mark && out.at - mark < BYTES && !out.isBehind) {
        more = tree.previous(cursor);
        continue;
      }
      this.#stopAt(cursor);
      yield;
      if (this.#moved) more = tree.at(tree.countWhile((ref, score) => this.#isAhead(ref, score)) - 1, cursor);
      else more = tree.previous(cursor);
      this.#moved = false;
      elements = 0;
      mark = out.at;
    }
  }

  #stopAt({ ref, score }: RankCursor): void {
    this.readMember(ref);
    const { buf, off, len } = this.member;
    if (this.#last.length < len) this.#last = new Uint8Array(len * 2);
    this.#last.set(buf.subarray(off, off + len));
    this.#lastLength = len;
    this.#lastScore = score;
  }
}

class LargeList extends HeldValue implements ListHold {
  /** Nodes that have changed, or gone with their bytes changed, before the walk has come to them. */
  readonly #noted = new Map<number, SharedNode>();
  /** Nodes of an earlier epoch are those that have to be written and have not been noted. */
  readonly #epoch: number;
  readonly #first: number;
  readonly #node = new ListNode();

  constructor(readonly list: Quicklist, keyspace: Keyspace, format: LargeFormat, out: SlicedWriter) {
    super(list, keyspace, format, out);
    list.hold = this;
    list.slab.keep();
    this.#epoch = list.slab.epoch;
    this.#first = list.head;
    format.begin(out, list.count, list.nodes);
  }

  beforeChange(node: ListNode): void {
    if (node.epoch >= this.#epoch) return;
    const { buf, off, len, packedLength, isPlain, next } = node;
    this.#noted.set(node.ref, { buf, off, len, packedLength, isPlain, next });
    node.setShared();
    node.epoch = this.#epoch;
  }

  beforeRemoval(node: ListNode): void {
    // It is freed after the end, and says until then all that has to be known.
    if (node.epoch < this.#epoch) node.setShared();
  }

  protected *write(): Iterable<void> {
    const { out } = this;
    let nodes = 0;
    let mark = out.at;
    for (let ref = this.#first; ref !== 0;) {
      const noted = this.#noted.get(ref);
      const node = noted ?? this.#node.bind(this.list.slab, ref);
      const { next } = node;
      this.format.node(out, node);
      if (noted !== undefined) this.#noted.delete(ref);
      // If the bytes are still to be written, they must stay as they are.
      else if (!out.isBehind) this.#node.epoch = this.#epoch;
      ref = next;
      if (++nodes < ELEMENTS && out.at >= mark && out.at - mark < BYTES && !out.isBehind) continue;
      yield;
      nodes = 0;
      mark = out.at;
    }
  }

  protected unhold(): void {
    this.list.hold = null;
    this.#noted.clear();
    this.keyspace.letGo();
  }
}

class LargeStream extends LargeValue {
  readonly #twin: Stream;

  constructor(stream: Stream, readonly keyspace: Keyspace, format: LargeFormat, out: SlicedWriter) {
    super(format, out);
    this.#twin = stream.share();
    format.begin(out, stream.count, stream.blocks.length);
  }

  protected write(): Iterable<void> {
    return this.format.stream(this.out, this.#twin);
  }

  release(): void {
    this.#twin.release();
    this.keyspace.letGo();
  }
}
