/**
 * Sorted sets. A small one is a listpack blob in its key's record (member, score, member, score … in order); a large one is a `SortedSet`
 * (sorted_set.ts).
 *
 * `ZsetView` hides which of the two it is (see view.ts). Whatever has to do with order goes by rank: a range of scores or members is first
 * turned into ranks (`scoreRange`, `lexRange`), then walked (`start`, `next`) or removed.
 */

import type { Args } from "../../bytes/args.ts";
import { formatDouble, parseDouble, writeLatin1 } from "../../bytes/ascii.ts";
import { compareBytes } from "../../bytes/span.ts";
import type { Random } from "../../platform/platform.ts";
import type { Database } from "../database.ts";
import { Type } from "../record.ts";
import { type Blob, HeapBlob } from "./blob.ts";
import * as listpack from "./listpack.ts";
import { ListpackCursor, type TextSink } from "./listpack.ts";
import { RankCursor } from "./ranktree.ts";
import { SortedSet } from "./sorted_set.ts";
import type { TableHome } from "./table.ts";
import { CollectionView } from "./view.ts";

/** Whole scores up to 2^62 are integers in a listpack, as in Redis. */
const MAX_WHOLE = 2 ** 62;
const LONGEST_SCORE = 32;

/** One end of a range of members: before all (`-`), after all (`+`), or at a byte string. */
export class LexBound {
  /** -1: before all members; 1: after all; 0: at `buf[off, off + len)`. */
  side = 0;
  exclusive = false;
  buf: Uint8Array = new Uint8Array(0);
  off = 0;
  len = 0;
}

/** What `ZsetView.add` may do; bits. */
export const AddFlag = {
  /** Only add members, do not change those that are there. */
  NX: 1,
  /** Only change members that are there. */
  XX: 2,
  /** Only change a score to a greater one, … */
  GT: 4,
  /** … to a lesser one. */
  LT: 8,
  /** The score is added to the one that is there. */
  INCR: 16,
} as const;

/** What `ZsetView.add` did. */
export const Added = {
  /** The score is what it was. */
  SAME: 0,
  ADDED: 1,
  UPDATED: 2,
  /** The flags forbade it. */
  REFUSED: 3,
  /** The sum would not be a number; nothing was changed. */
  NAN: 4,
} as const;

/** Thresholds between the encodings; the configuration's values have them. */
export interface ZsetLimits {
  readonly zsetMaxListpackEntries: number;
  readonly zsetMaxListpackValue: number;
}

const entry = new RankCursor();
const scoreElement = new ListpackCursor();
const memberElement = new ListpackCursor();
const scoreText = new Uint8Array(LONGEST_SCORE);
/** Where a result becomes a listpack. */
let packed = new HeapBlob();
/** A larger blob than this is not kept. */
const KEEP_PACKED = 64 * 1024;

export class ZsetView extends CollectionView<SortedSet> {
  /** The current member, after `next`, `random` or `load`. An integer of a listpack has no text until `asText`. */
  readonly member = new ListpackCursor();
  /** The current score: after `find`, `add` (the new one), `next` and `load`. */
  score = 0;
  /** Place of the current member (see `load`). */
  place = 0;
  /** Ranks, from … to below …, that `scoreRange` and `lexRange` have found. */
  from = 0;
  to = 0;
  limits: ZsetLimits = { zsetMaxListpackEntries: 128, zsetMaxListpackValue: 64 };
  readonly #cursor = new RankCursor();
  /** Offset of the next member of a walk, -1 at the end. */
  #at = 0;
  #more = false;
  #backward = false;

  constructor() {
    super(Type.ZSET);
  }

  /** Begins an empty one that is in no database; `store` decides on its encoding. */
  create(home: TableHome): SortedSet {
    this.boundRef = 0;
    return this.table = new SortedSet(home);
  }

  /** Adds an empty sorted set as a new key and binds to it, in the encoding for a first member of that length. */
  addKey(db: Database, a: Args, i: number, firstLength: number): this {
    const { zsetMaxListpackEntries, zsetMaxListpackValue } = this.limits;
    if (zsetMaxListpackEntries === 0 || firstLength > zsetMaxListpackValue) {
      return this.open(db, db.addObject(a, i, Type.ZSET, new SortedSet(db.keyspace)));
    }
    this.open(db, db.add(a, i, Type.ZSET, listpack.EMPTY_BYTES));
    listpack.create(this.blob);
    return this;
  }

  get count(): number {
    return this.table === null ? listpack.count(this.blob) >>> 1 : this.table.dict.count;
  }

  /** Puts the score of a member into `score`; false when there is no such member. */
  find(buf: Uint8Array, off: number, len: number): boolean {
    if (this.table !== null) {
      const ref = this.table.find(buf, off, len);
      if (ref === 0) return false;
      this.score = this.table.scoreOf(ref);
      return true;
    }
    const at = this.#find(buf, off, len);
    if (at < 0) return false;
    this.score = readScore(this.blob, listpack.next(this.blob, at));
    return true;
  }

  #find(buf: Uint8Array, off: number, len: number): number {
    return listpack.find(this.blob, listpack.first(this.blob), buf, off, len, 1);
  }

  /** Rank of a member, from the least score; -1 when there is no such member. */
  rank(buf: Uint8Array, off: number, len: number): number {
    if (this.table !== null) {
      const ref = this.table.find(buf, off, len);
      return ref === 0 ? -1 : this.table.tree.rank(this.table.scoreOf(ref), ref);
    }
    const blob = this.blob;
    const found = this.#find(buf, off, len);
    if (found < 0) return -1;
    let rank = 0;
    for (let at = listpack.first(blob); at !== found; rank++) at = listpack.next(blob, listpack.next(blob, at));
    return rank;
  }

  // ---- Changing ----------------------------------------------------------------------------------------------------------------

  /**
   * Adds a member or changes its score, as the bits of `AddFlag` say; returns what happened (`Added`), and the member's score is
   * in `score` if it was not refused. Goes over to a table where it must. The member's bytes must not be this set's own.
   */
  add(score: number, buf: Uint8Array, off: number, len: number, flags = 0): number {
    if (this.table === null) {
      const at = this.#find(buf, off, len);
      if (at >= 0) {
        const outcome = this.#change(score, readScore(this.blob, listpack.next(this.blob, at)), flags);
        if (outcome === Added.UPDATED) {
          listpack.removeFrom(this.blob, at, 2);
          this.#insertPair(this.score, buf, off, len);
        }
        return outcome;
      }
      if (flags & AddFlag.XX) return Added.REFUSED;
      const { zsetMaxListpackEntries, zsetMaxListpackValue } = this.limits;
      if (
        this.count < zsetMaxListpackEntries && len <= zsetMaxListpackValue && listpack.isSafeToAdd(this.blob, len)
      ) {
        this.#insertPair(score, buf, off, len);
        this.score = score;
        return Added.ADDED;
      }
      this.convert();
    }
    const table = this.table!;
    const hash = table.dict.hash(buf, off, len);
    const ref = table.dict.find(buf, off, len, hash);
    if (ref !== 0) {
      const outcome = this.#change(score, table.scoreOf(ref), flags);
      if (outcome === Added.UPDATED) table.setScore(ref, this.score);
      return outcome;
    }
    if (flags & AddFlag.XX) return Added.REFUSED;
    table.insert(score, buf, off, len, hash);
    this.score = score;
    return Added.ADDED;
  }

  /** What becomes of a member that is there: `score` is its new score. */
  #change(score: number, current: number, flags: number): number {
    if (flags & AddFlag.NX) return Added.REFUSED;
    if (flags & AddFlag.INCR) {
      score += current;
      if (score !== score) return Added.NAN;
    }
    if ((flags & AddFlag.LT && score >= current) || (flags & AddFlag.GT && score <= current)) return Added.REFUSED;
    this.score = score;
    return score === current ? Added.SAME : Added.UPDATED;
  }

  /** Removes a member; returns whether it was there. The set may be empty afterwards: then its key must go. */
  remove(buf: Uint8Array, off: number, len: number): boolean {
    if (this.table !== null) {
      const ref = this.table.find(buf, off, len);
      if (ref === 0) return false;
      this.table.delete(ref);
      return true;
    }
    const at = this.#find(buf, off, len);
    if (at < 0) return false;
    listpack.removeFrom(this.blob, at, 2);
    return true;
  }

  /** Removes the members with ranks from `from` to below `to`. */
  removeRange(from: number, to: number): void {
    if (from >= to) return;
    if (this.table !== null) this.table.removeRange(from, to);
    else listpack.removeRange(this.blob, from * 2, (to - from) * 2);
  }

  /** Makes a listpack a table. */
  convert(): void {
    if (this.table !== null) return;
    this.becomeTable(tableOf(this.home, this.blob));
  }

  /** Inserts a member that is not there into the listpack, in its place. */
  #insertPair(score: number, buf: Uint8Array, off: number, len: number): void {
    const blob = this.blob;
    let at = listpack.last(blob);
    // Scores often grow: a look at the last one may spare the walk.
    if (at !== -1) at = readScore(blob, at) < score ? -1 : listpack.first(blob);
    while (at !== -1) {
      const scoreAt = listpack.next(blob, at);
      const following = listpack.read(blob, scoreAt, scoreElement);
      const other = scoreIn(scoreElement);
      if (other > score || (other === score && compareElement(blob, at, buf, off, len) > 0)) break;
      at = following;
    }
    if (at === -1) at = blob.len - 1;
    insertScore(blob, at, score);
    listpack.insert(blob, at, buf, off, len);
  }

  // ---- Order -------------------------------------------------------------------------------------------------------------------

  /** Number of members with a lesser score, or one that is equal too if `inclusive`. */
  countBelow(score: number, inclusive: boolean): number {
    if (this.table !== null) return this.table.tree.countBelow(score, inclusive);
    const blob = this.blob;
    let count = 0;
    for (let at = listpack.first(blob); at !== -1; count++) {
      at = listpack.read(blob, listpack.next(blob, at), scoreElement);
      const other = scoreIn(scoreElement);
      if (!(other < score || (inclusive && other === score))) break;
    }
    return count;
  }

  /** Finds the ranks of the scores between two bounds; returns how many there are. */
  scoreRange(min: number, minExclusive: boolean, max: number, maxExclusive: boolean): number {
    this.from = this.countBelow(min, minExclusive);
    this.to = Math.max(this.from, this.countBelow(max, !maxExclusive));
    return this.to - this.from;
  }

  /**
   * Finds the ranks of the members between two bounds; returns how many there are. It means something only where all scores are the same;
   * where they are not, a listpack gives what Redis finds in it (`backward`: from the end) and a table something.
   */
  lexRange(min: LexBound, max: LexBound, backward: boolean): number {
    this.from = this.to = 0;
    if (isEmptyLexRange(min, max)) return 0;
    if (this.table !== null) {
      const { tree } = this.table;
      lexTable = this.table;
      lexBound = min;
      this.from = tree.countWhile(isBelowBound);
      lexBound = max;
      this.to = Math.max(this.from, tree.countWhile(isNotAboveBound));
      lexTable = null;
      return this.to - this.from;
    }
    return this.#lexRangeInBlob(min, max, backward);
  }

  #lexRangeInBlob(min: LexBound, max: LexBound, backward: boolean): number {
    const blob = this.blob;
    const first = listpack.first(blob);
    if (first === -1) return 0;
    let at = listpack.previous(blob, listpack.last(blob));
    if (!isElementAbove(blob, at, min) || !isElementBelow(blob, first, max)) return 0;
    const { count } = this;
    if (backward) {
      let rank = count - 1;
      for (; at !== -1 && !isElementBelow(blob, at, max); rank--) at = previousPair(blob, at);
      this.to = rank + 1;
      for (; at !== -1 && isElementAbove(blob, at, min); rank--) at = previousPair(blob, at);
      this.from = rank + 1;
    } else {
      let rank = 0;
      at = first;
      for (; at !== -1 && !isElementAbove(blob, at, min); rank++) at = nextPair(blob, at);
      this.from = rank;
      for (; at !== -1 && isElementBelow(blob, at, max); rank++) at = nextPair(blob, at);
      this.to = rank;
    }
    return this.to - this.from;
  }

  /** Begins a walk through all members, from the least score; the set must not change until its end. */
  rewind(): void {
    this.start(0);
  }

  /** Makes a member chosen uniformly at random the current one; returns its place (see `load`). The set must not be empty. */
  random(random: Random): number {
    this.start(random.below(this.count));
    this.next();
    return this.place;
  }

  /** Begins a walk at a rank; the set must not change until its end. */
  start(rank: number, backward = false): void {
    this.#backward = backward;
    if (this.table !== null) this.#more = this.table.tree.at(rank, this.#cursor);
    else this.#at = rank < 0 ? -1 : listpack.seek(this.blob, rank * 2);
  }

  /** Goes to the next member; false at the end. */
  next(): boolean {
    const { table } = this;
    if (table !== null) {
      if (!this.#more) return false;
      const cursor = this.#cursor;
      this.#loadRecord(table, cursor.ref);
      this.score = cursor.score;
      this.#more = this.#backward ? table.tree.previous(cursor) : table.tree.next(cursor);
      return true;
    }
    const at = this.#at;
    if (at === -1) return false;
    const following = this.#readPair(at);
    this.#at = this.#backward ? previousPair(this.blob, at) : following;
    return true;
  }

  /** Begins a walk at the first member whose score is not less than `min`; for `nextBelow`. */
  startAtScore(min: number): void {
    this.start(this.countBelow(min, false));
  }

  /** As `next`, but only while the score is less than `max`, and `member` is not set (see `load`). */
  nextBelow(max: number): boolean {
    const { table } = this;
    if (table === null) {
      const at = this.#at;
      if (at === -1) return false;
      const following = this.#readPair(at);
      if (!(this.score < max)) return false;
      this.#at = following;
      return true;
    }
    const cursor = this.#cursor;
    if (!this.#more || !(cursor.score < max)) return false;
    this.place = cursor.ref;
    this.score = cursor.score;
    this.#more = table.tree.next(cursor);
    return true;
  }

  /** Gives `sink` the next `count` members of the walk, or as many as there are. */
  giveMembers(count: number, sink: TextSink): void {
    const { table } = this;
    if (table === null) {
      for (; count > 0 && this.next(); count--) this.member.writeTo(sink);
      return;
    }
    const { dict, tree } = table;
    const cursor = this.#cursor;
    for (; count > 0 && this.#more; count--) {
      dict.giveKey(cursor.ref, sink);
      this.#more = this.#backward ? tree.previous(cursor) : tree.next(cursor);
    }
  }

  /** Makes the member at a place the current one: a record of the table, an offset in the listpack. */
  load(place: number): void {
    if (this.table === null) {
      this.#readPair(place);
      return;
    }
    this.#loadRecord(this.table, place);
    this.score = this.table.scoreOf(place);
  }

  #loadRecord(table: SortedSet, ref: number): void {
    const { member } = this;
    const { dict } = table;
    this.place = ref;
    member.isInt = false;
    member.buf = dict.keyBuffer(ref);
    member.off = dict.keyOffset(ref);
    member.len = dict.keyLength(ref);
  }

  #readPair(at: number): number {
    this.place = at;
    const following = listpack.read(
      this.blob,
      listpack.read(this.blob, at, this.member),
      scoreElement,
    );
    this.score = scoreIn(scoreElement);
    return following;
  }

  /** The score of the current member of a listpack as it is written there. Good until the next call. */
  scoreElement(): ListpackCursor {
    listpack.readText(this.blob, listpack.next(this.blob, this.place), scoreElement);
    return scoreElement;
  }

  /** Whether a listpack has scores that are numbers, and its members in order. */
  isInOrder(): boolean {
    const blob = this.blob;
    let previous = -1;
    let previousScore = -Infinity;
    const { member } = this;
    for (let at = listpack.first(blob); at !== -1;) {
      const following = listpack.read(blob, listpack.next(blob, at), scoreElement);
      const score = scoreIn(scoreElement);
      if (!(score >= previousScore)) return false;
      if (previous !== -1 && score === previousScore) {
        listpack.readText(blob, at, member);
        if (compareElement(blob, previous, member.buf, member.off, member.len) >= 0) return false;
      }
      previous = at;
      previousScore = score;
      at = following;
    }
    return true;
  }

  // ---- Results -----------------------------------------------------------------------------------------------------------------

  /**
   * Makes what was begun with `create` the value of key i, whatever that was; it must not be empty. It becomes a listpack if the
   * limits allow that.
   */
  override store(db: Database, a: Args, i: number): void {
    const { table } = this;
    if (table !== null && fitsListpack(table, this.limits)) {
      this.blob = pack(table);
      this.table = null;
      table.release(Infinity);
    }
    super.store(db, a, i);
  }
}

/** Whether a table is small enough for a listpack. */
export function fitsListpack(table: SortedSet, limits: ZsetLimits): boolean {
  const { dict, tree } = table;
  if (dict.count > limits.zsetMaxListpackEntries) return false;
  let total = 0;
  for (let more = tree.at(0, entry); more; more = tree.next(entry)) {
    const length = dict.keyLength(entry.ref);
    if (length > limits.zsetMaxListpackValue) return false;
    total += length;
  }
  return listpack.isSafeToAdd(null, total);
}

/** A table as a listpack. Good until the next call. */
export function pack(table: SortedSet): HeapBlob {
  const { dict, tree } = table;
  if (packed.buf.length > KEEP_PACKED) packed = new HeapBlob();
  listpack.create(packed);
  for (let more = tree.at(0, entry); more; more = tree.next(entry)) {
    const { ref, score } = entry;
    listpack.append(packed, dict.keyBuffer(ref), dict.keyOffset(ref), dict.keyLength(ref));
    insertScore(packed, packed.len - 1, score);
  }
  return packed;
}

/** A listpack as a table. Its pairs must be in order. */
export function tableOf(home: TableHome, blob: Blob): SortedSet {
  const table = new SortedSet(home);
  for (let at = listpack.first(blob); at !== -1;) {
    at = listpack.read(blob, listpack.readText(blob, at, memberElement), scoreElement);
    table.append(scoreIn(scoreElement), memberElement.buf, memberElement.off, memberElement.len);
  }
  return table;
}

/** The score in an element of a listpack; NaN when it is none. */
export function scoreIn(element: ListpackCursor): number {
  return element.isInt ? element.value.number : parseDouble(element.buf, element.off, element.len);
}

function readScore(blob: Blob, at: number): number {
  listpack.read(blob, at, scoreElement);
  return scoreIn(scoreElement);
}

/** Inserts a score in Redis's notation: whole ones as integers, others as text of 17 digits. */
function insertScore(blob: Blob, at: number, score: number): void {
  if (Number.isSafeInteger(score)) listpack.insertInt(blob, at, score);
  else if (Number.isInteger(score) && Math.abs(score) <= MAX_WHOLE) listpack.insertInt(blob, at, BigInt(score));
  else listpack.insert(blob, at, scoreText, 0, writeLatin1(scoreText, 0, formatDouble(score)));
}

function nextPair(blob: Blob, at: number): number {
  return listpack.next(blob, listpack.next(blob, at));
}

function previousPair(blob: Blob, at: number): number {
  const score = listpack.previous(blob, at);
  return score === -1 ? -1 : listpack.previous(blob, score);
}

/** Order of an element and a byte string. */
function compareElement(blob: Blob, at: number, buf: Uint8Array, off: number, len: number): number {
  listpack.readText(blob, at, memberElement);
  return compareBytes(memberElement.buf, memberElement.off, memberElement.len, buf, off, len);
}

// ---- Ranges of members -----------------------------------------------------------------------------------------------------------

/** Whether nothing can lie between the bounds. */
function isEmptyLexRange(min: LexBound, max: LexBound): boolean {
  if (min.side > 0 || max.side < 0) return true;
  if (min.side !== 0 || max.side !== 0) return false;
  const order = compareBytes(min.buf, min.off, min.len, max.buf, max.off, max.len);
  return order > 0 || (order === 0 && (min.exclusive || max.exclusive));
}

/** Whether an element satisfies a bound below it. */
function isElementAbove(blob: Blob, at: number, min: LexBound): boolean {
  if (min.side !== 0) return min.side < 0;
  const order = compareElement(blob, at, min.buf, min.off, min.len);
  return order > 0 || (order === 0 && !min.exclusive);
}

/** Whether an element satisfies a bound above it. */
function isElementBelow(blob: Blob, at: number, max: LexBound): boolean {
  if (max.side !== 0) return max.side > 0;
  const order = compareElement(blob, at, max.buf, max.off, max.len);
  return order < 0 || (order === 0 && !max.exclusive);
}

/** What the two questions below are about; they are asked by `countWhile`, without a closure for each range. */
let lexTable: SortedSet | null = null;
let lexBound = new LexBound();

function isBelowBound(ref: number): boolean {
  if (lexBound.side !== 0) return lexBound.side > 0;
  const order = compareToBound(ref);
  return order < 0 || (order === 0 && lexBound.exclusive);
}

function isNotAboveBound(ref: number): boolean {
  if (lexBound.side !== 0) return lexBound.side > 0;
  const order = compareToBound(ref);
  return order < 0 || (order === 0 && !lexBound.exclusive);
}

function compareToBound(ref: number): number {
  const { dict } = lexTable!;
  const { buf, off, len } = lexBound;
  return compareBytes(dict.keyBuffer(ref), dict.keyOffset(ref), dict.keyLength(ref), buf, off, len);
}
