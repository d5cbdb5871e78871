/**
 * SortedSet: a large sorted set, a table of members and the order of their records (RankTree). A record is
 *
 *   word 0  next record in the bucket      (Dict)
 *   word 1  hash                           (Dict)
 *   word 2  member length, OUTSIDE         (Dict)
 *   word 3  score, a double in two words
 *   byte 20 the member (or the handle of one that is outside)
 *
 * The score stands in the record, for ZSCORE, and in the tree, where comparing must not touch the records. A member of 10 bytes
 * takes 32 bytes, 4 for the bucket and about 14 in the tree; Redis takes about 100.
 */

import { compareBytes } from "../../bytes/span.ts";
import { Dict } from "../dict.ts";
import { type MemberOrder, RankCursor, RankTree } from "./ranktree.ts";
import { Table, type TableHome } from "./table.ts";

const PAGE_BITS = 15;
const IN_PAGE = (1 << PAGE_BITS) - 1;
const SCORE_WORD = 3;
const MEMBER_AT = 20;
/** Entries of the tree that are freed at the price of one record. */
const CHEAP = 16;

/** A double and its two words. */
const double = new Float64Array(1);
const halves = new Int32Array(double.buffer);

const copied = new RankCursor();

/** A sorted set as a table of members and their order. */
export class SortedSet extends Table implements MemberOrder {
  readonly tree: RankTree;
  /** Removes a record that has left the tree. */
  readonly #removeRecord = (ref: number): void => super.delete(ref);

  constructor(home: TableHome) {
    super(home, MEMBER_AT);
    this.tree = new RankTree(home.slab, this);
  }

  /** Order of the members of two records. */
  compare(a: number, b: number): number {
    const { bytes, words } = this.slab;
    const wordA = (a & IN_PAGE) << 1;
    const wordB = (b & IN_PAGE) << 1;
    const lengthA = words[a >>> PAGE_BITS][wordA + 2];
    const lengthB = words[b >>> PAGE_BITS][wordB + 2];
    if ((lengthA | lengthB) < 0) return this.#compareOutside(a, b);
    const bytesA = bytes[a >>> PAGE_BITS];
    const bytesB = bytes[b >>> PAGE_BITS];
    const atA = (wordA << 2) + MEMBER_AT;
    const atB = (wordB << 2) + MEMBER_AT;
    return compareBytes(bytesA, atA, lengthA, bytesB, atB, lengthB);
  }

  #compareOutside(a: number, b: number): number {
    const { dict } = this;
    const buf = dict.keyBuffer(b);
    return compareBytes(
      dict.keyBuffer(a),
      dict.keyOffset(a),
      dict.keyLength(a),
      buf,
      dict.keyOffset(b),
      dict.keyLength(b),
    );
  }

  /** Whether a member comes before another one, which is not the same. */
  isBefore(a: number, b: number): boolean {
    const scoreA = this.scoreOf(a);
    const scoreB = this.scoreOf(b);
    return scoreA < scoreB || (scoreA === scoreB && this.compare(a, b) < 0);
  }

  /** The score in a record. */
  scoreOf(ref: number): number {
    const words = this.slab.words[ref >>> PAGE_BITS];
    const word = ((ref & IN_PAGE) << 1) + SCORE_WORD;
    halves[0] = words[word];
    halves[1] = words[word + 1];
    return double[0];
  }

  #writeScore(ref: number, score: number): void {
    const words = this.slab.words[ref >>> PAGE_BITS];
    const word = ((ref & IN_PAGE) << 1) + SCORE_WORD;
    double[0] = score;
    words[word] = halves[0];
    words[word + 1] = halves[1];
  }

  /**
   * Adds a member; returns false, changing nothing, when it is there already. `isFirst`: it comes before all others, so no place
   * has to be looked for.
   */
  add(score: number, buf: Uint8Array, off: number, len: number, isFirst = false): boolean {
    const hash = this.dict.hash(buf, off, len);
    if (this.dict.mayHave(hash) && this.dict.find(buf, off, len, hash) !== 0) return false;
    const ref = this.#newRecord(score, buf, off, len, hash);
    if (isFirst) this.tree.prepend(score, ref);
    else this.tree.insert(score, ref);
    return true;
  }

  /** Adds a member that is not there yet, with its hash at hand. */
  insert(score: number, buf: Uint8Array, off: number, len: number, hash: number): void {
    this.tree.insert(score, this.#newRecord(score, buf, off, len, hash));
  }

  /** Adds a member that is not there yet and comes after all others. */
  append(score: number, buf: Uint8Array, off: number, len: number): void {
    this.tree.append(score, this.#newRecord(score, buf, off, len, this.dict.hash(buf, off, len)));
  }

  /**
   * Makes the record of a member for `insertAll`; it has its place in the order at once. `first`: the member that comes first up to now, 0 if
   * there is none.
   */
  prepare(score: number, buf: Uint8Array, off: number, len: number, first: number): number {
    const { dict, slab } = this;
    const before = slab.used;
    const ref = slab.allocate(MEMBER_AT + Dict.keySize(len));
    dict.writeKey(ref, buf, off, len, dict.hash(buf, off, len));
    this.#writeScore(ref, score);
    this.bytes += slab.used - before;
    if (first === 0 || this.isBefore(ref, first)) this.tree.prepend(score, ref);
    else this.tree.insert(score, ref);
    return ref;
  }

  #newRecord(score: number, buf: Uint8Array, off: number, len: number, hash: number): number {
    const { dict, slab } = this;
    const before = slab.used;
    const ref = slab.allocate(MEMBER_AT + Dict.keySize(len));
    dict.writeKey(ref, buf, off, len, hash);
    this.#writeScore(ref, score);
    dict.insert(ref);
    this.accountHeads();
    this.bytes += slab.used - before;
    if (this.hold !== null) this.hold.afterChange(ref);
    return ref;
  }

  /** Gives the member of a record another score. */
  setScore(ref: number, score: number): void {
    if (this.hold !== null) this.hold.beforeChange(ref);
    this.tree.update(this.scoreOf(ref), ref, score);
    this.#writeScore(ref, score);
    if (this.hold !== null) this.hold.afterChange(ref);
  }

  override delete(ref: number): void {
    this.tree.remove(this.scoreOf(ref), ref);
    super.delete(ref);
  }

  /** Removes the members with ranks from `from` to below `to`. */
  removeRange(from: number, to: number): void {
    this.tree.removeRange(from, to, this.#removeRecord);
  }

  override release(budget: number): boolean {
    if (this.tree.count > budget * CHEAP) {
      this.tree.removeRange(0, budget * CHEAP, () => {});
      return false;
    }
    this.tree.free();
    return super.release(budget);
  }

  override memory(): number {
    return this.bytes + this.tree.bytes;
  }

  copy(): SortedSet {
    const copy = new SortedSet(this.home);
    const { dict } = this;
    for (let more = this.tree.at(0, copied); more; more = this.tree.next(copied)) {
      const { ref, score } = copied;
      const buf = dict.keyBuffer(ref);
      copy.tree.append(
        score,
        copy.#newRecord(score, buf, dict.keyOffset(ref), dict.keyLength(ref), this.hashOf(ref)),
      );
    }
    return copy;
  }
}
