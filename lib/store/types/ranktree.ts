/**
 * RankTree: the order of a large sorted set, an order-statistic B+tree.
 *
 * An entry is a score and the ref of the member's record; entries are ordered by score, equal scores by the members'
 * bytes, which only the owner can compare. Every inner node knows how many entries hang below each child, so rank, entry at a rank and
 * counts of score ranges are O(log n). Redis uses a skip list for this; a B+tree does the same in a quarter of the memory
 * and a fraction of the cache misses, and reports itself as `skiplist` all the same.
 *
 * Nodes are slab blocks of 768 bytes (96 granules, a size class, so nothing is lost to rounding):
 *
 *   words 0–5    number of entries or children; leaves: previous and next leaf; rest unused
 *   leaf         62 scores (doubles), 62 refs (words)                                      12 bytes an entry
 *   inner node   36 scores, 36 refs: the least entry below each child; 36 children, 36 counts
 *
 * A full node first hands entries to a neighbour and splits only when the neighbours are full too, so nodes are about 85 %
 * full; at the ends, where sorted input arrives, a split leaves the old leaf full. A node that is less than a third full merges
 * with a neighbour or takes from it.
 *
 * Inserting never splits in the middle of its work: it makes room for one level and then starts again from the root, which is
 * rare enough to cost nothing and leaves no half-done state to reason about.
 */

import type { Slab } from "../slab.ts";

const NODE_BYTES = 768;
const LEAF = 62;
const INNER = 36;
// Places in a node, in words …
const SIZE = 0;
const PREVIOUS = 1;
const NEXT = 2;
const LEAF_REFS = 130;
const INNER_REFS = 78;
const CHILDREN = 114;
const COUNTS = 150;
// … and in doubles.
const SCORES = 3;

const PAGE_BITS = 15;
const IN_PAGE = (1 << PAGE_BITS) - 1;

/** The way from the root to a leaf: the node of each level and the place in it. One for all trees, since nothing is kept. */
const pathNode = new Int32Array(16);
const pathPlace = new Int32Array(16);

/** Order of the members whose records are `a` and `b`: negative, 0 or positive. */
export interface MemberOrder {
  compare(a: number, b: number): number;
}

/** A place in the order. Void after any change of the tree. */
export class RankCursor {
  score = 0;
  ref = 0;
  /** Leaf and place in it. */
  node = 0;
  place = 0;
}

export class RankTree {
  /** Number of entries. */
  count = 0;
  #root = 0;
  /** Level of the leaves; 0 when the root is one. */
  #height = 0;
  #nodes = 0;
  readonly #words: Int32Array[];
  readonly #doubles: Float64Array[];

  constructor(readonly slab: Slab, readonly order: MemberOrder) {
    this.#words = slab.words;
    this.#doubles = slab.doubles;
  }

  /** Bytes of the nodes. They are part of `slab.used`. */
  get bytes(): number {
    return this.#nodes * NODE_BYTES;
  }

  /** Adds an entry that is not there yet. */
  insert(score: number, ref: number): void {
    if (this.#root === 0) this.#root = this.#newNode();
    do this.#locate(score, ref, ref); while (!this.#insertAtPath(score, ref));
  }

  /** Adds an entry that comes after all others, without comparing: for input that is sorted. */
  append(score: number, ref: number): void {
    if (this.#root === 0) this.#root = this.#newNode();
    do this.#locateRank(this.count); while (!this.#insertAtPath(score, ref));
  }

  /** Adds an entry that comes before all others, without comparing: RDB files hold sorted sets in descending order. */
  prepend(score: number, ref: number): void {
    if (this.#root === 0) this.#root = this.#newNode();
    do this.#locateRank(0); while (!this.#insertAtPath(score, ref));
  }

  /** Removes an entry; returns whether it was there. */
  remove(score: number, ref: number): boolean {
    if (this.#root === 0 || !this.#locate(score, ref, ref)) return false;
    this.#removeAtPath(1);
    return true;
  }

  /** Changes the score of an entry; returns whether it was there with the old one. */
  update(score: number, ref: number, newScore: number): boolean {
    if (this.#root === 0 || !this.#locate(score, ref, ref)) return false;
    if (this.#fitsAtPath(newScore, ref)) {
      const leaf = pathNode[this.#height];
      this.#doubles[leaf >>> PAGE_BITS][(leaf & IN_PAGE) + SCORES + pathPlace[this.#height]] = newScore;
      if (pathPlace[this.#height] === 0) this.#refreshPath();
    } else {
      this.#removeAtPath(1);
      this.insert(newScore, ref);
    }
    return true;
  }

  /** Number of entries before that one, -1 when it is not there. */
  rank(score: number, ref: number): number {
    if (this.#root === 0 || !this.#locate(score, ref, ref)) return -1;
    return this.#rankOfPath();
  }

  /** Sets the cursor to the entry with that rank (0 is the first); returns false when there is none. */
  at(rank: number, cursor: RankCursor): boolean {
    if (rank < 0 || rank >= this.count) return false;
    this.#locateRank(rank);
    cursor.node = pathNode[this.#height];
    cursor.place = pathPlace[this.#height];
    this.#load(cursor);
    return true;
  }

  /** Moves the cursor to the next entry; returns false, leaving it, at the end. */
  next(cursor: RankCursor): boolean {
    const words = this.#words[cursor.node >>> PAGE_BITS];
    const word = (cursor.node & IN_PAGE) << 1;
    if (cursor.place + 1 < words[word + SIZE]) {
      cursor.place++;
    } else {
      const node = words[word + NEXT];
      if (node === 0) return false;
      cursor.node = node;
      cursor.place = 0;
    }
    this.#load(cursor);
    return true;
  }

  /** Moves the cursor to the previous entry; returns false, leaving it, at the beginning. */
  previous(cursor: RankCursor): boolean {
    if (cursor.place > 0) {
      cursor.place--;
    } else {
      const node = this.#words[cursor.node >>> PAGE_BITS][((cursor.node & IN_PAGE) << 1) + PREVIOUS];
      if (node === 0) return false;
      cursor.node = node;
      cursor.place = this.#size(node) - 1;
    }
    this.#load(cursor);
    return true;
  }

  /** Number of entries with a lesser score, or one that is equal too if `inclusive`: rank of the first one beyond. */
  countBelow(score: number, inclusive: boolean): number {
    if (this.#root === 0) return 0;
    let node = this.#root;
    for (let level = 0;; level++) {
      const doubles = this.#doubles[node >>> PAGE_BITS];
      const scores = (node & IN_PAGE) + SCORES;
      let low = 0;
      let high = this.#size(node);
      while (low < high) {
        const middle = (low + high) >>> 1;
        const other = doubles[scores + middle];
        if (other < score || (inclusive && other === score)) low = middle + 1;
        else high = middle;
      }
      pathNode[level] = node;
      if (level === this.#height) {
        pathPlace[level] = low;
        return this.#rankOfPath();
      }
      if (low === 0) return 0;
      pathPlace[level] = low - 1;
      node = this.#child(node, low - 1);
    }
  }

  /**
   * Number of entries at the beginning for which `holds` is true; it must not be true again after it was false. Lexical
   * ranges are found with it: it is asked O(log n) times.
   */
  countWhile(holds: (ref: number, score: number) => boolean): number {
    if (this.#root === 0) return 0;
    let node = this.#root;
    for (let level = 0;; level++) {
      const words = this.#words[node >>> PAGE_BITS];
      const doubles = this.#doubles[node >>> PAGE_BITS];
      const scores = (node & IN_PAGE) + SCORES;
      const refs = ((node & IN_PAGE) << 1) + (level === this.#height ? LEAF_REFS : INNER_REFS);
      let low = 0;
      let high = this.#size(node);
      while (low < high) {
        const middle = (low + high) >>> 1;
        if (holds(words[refs + middle], doubles[scores + middle])) low = middle + 1;
        else high = middle;
      }
      pathNode[level] = node;
      if (level === this.#height) {
        pathPlace[level] = low;
        return this.#rankOfPath();
      }
      if (low === 0) return 0;
      pathPlace[level] = low - 1;
      node = this.#child(node, low - 1);
    }
  }

  /**
   * Removes the entries with ranks from `start` to below `end`. `removed` gets each of them in order, may free the record, and
   * must not use the tree.
   */
  removeRange(start: number, end: number, removed: (ref: number, score: number) => void): void {
    if (start < 0) start = 0;
    if (end > this.count) end = this.count;
    while (start < end) {
      this.#locateRank(start);
      const leaf = pathNode[this.#height];
      const place = pathPlace[this.#height];
      const entries = Math.min(this.#size(leaf) - place, end - start);
      const refs = ((leaf & IN_PAGE) << 1) + LEAF_REFS + place;
      const scores = (leaf & IN_PAGE) + SCORES + place;
      for (let i = 0; i < entries; i++) {
        removed(this.#words[leaf >>> PAGE_BITS][refs + i], this.#doubles[leaf >>> PAGE_BITS][scores + i]);
      }
      this.#removeAtPath(entries);
      end -= entries;
    }
  }

  /** Frees all nodes; the tree is empty afterwards. */
  free(): void {
    if (this.#root !== 0) this.#freeBelow(this.#root, 0);
    this.#root = this.#height = this.count = 0;
  }

  /** Throws when the tree is not what it should be. Takes O(n): for tests and diagnosis. */
  check(): void {
    let previousLeaf = 0;
    let nodes = 0;
    const last = new RankCursor();
    const visit = (node: number, level: number): number => {
      nodes++;
      const size = this.#size(node);
      const words = this.#words[node >>> PAGE_BITS];
      const word = (node & IN_PAGE) << 1;
      if (level === this.#height) {
        if (size < 1 || size > LEAF) throw new Error(`leaf of ${size} entries`);
        if (words[word + PREVIOUS] !== previousLeaf) throw new Error("leaf is not linked to the previous one");
        previousLeaf = node;
        const here = new RankCursor();
        for (here.node = node; here.place < size; here.place++) {
          this.#load(here);
          const order = here.score - last.score;
          if (
            last.ref !== 0 && !(order > 0 || (here.score === last.score && this.order.compare(last.ref, here.ref) < 0))
          ) {
            throw new Error("entries are out of order");
          }
          last.score = here.score;
          last.ref = here.ref;
        }
        return size;
      }
      if (size < 1 || size > INNER || (level === 0 && size < 2)) throw new Error(`inner node of ${size} children`);
      let total = 0;
      for (let i = 0; i < size; i++) {
        const child = this.#child(node, i);
        const inLeaf = level + 1 === this.#height;
        const least = this.#words[child >>> PAGE_BITS][((child & IN_PAGE) << 1) + (inLeaf ? LEAF_REFS : INNER_REFS)];
        const score = this.#doubles[child >>> PAGE_BITS][(child & IN_PAGE) + SCORES];
        if (words[word + INNER_REFS + i] !== least) throw new Error("inner node names a wrong least entry");
        if (!Object.is(this.#doubles[node >>> PAGE_BITS][(node & IN_PAGE) + SCORES + i], score)) {
          throw new Error("inner node has a wrong least score");
        }
        const below = visit(child, level + 1);
        if (below !== words[word + COUNTS + i]) throw new Error("inner node counts wrong");
        total += below;
      }
      return total;
    };
    const total = this.#root === 0 ? 0 : visit(this.#root, 0);
    if (total !== this.count) throw new Error(`${total} entries, but the count is ${this.count}`);
    if (nodes !== this.#nodes) throw new Error(`${nodes} nodes, but ${this.#nodes} were allocated`);
    if (previousLeaf !== 0 && this.#words[previousLeaf >>> PAGE_BITS][((previousLeaf & IN_PAGE) << 1) + NEXT] !== 0) {
      throw new Error("last leaf has a next one");
    }
  }

  /**
   * Sets the path to the entry (score, ref), or to where it would have to be inserted; returns whether it is there. The entry may
   * be stored under the ref `alias`.
   */
  #locate(score: number, ref: number, alias: number): boolean {
    let node = this.#root;
    for (let level = 0;; level++) {
      const isLeaf = level === this.#height;
      const words = this.#words[node >>> PAGE_BITS];
      const doubles = this.#doubles[node >>> PAGE_BITS];
      const word = (node & IN_PAGE) << 1;
      const scores = (node & IN_PAGE) + SCORES;
      const refs = word + (isLeaf ? LEAF_REFS : INNER_REFS);
      let low = 0;
      let high = words[word + SIZE];
      while (low < high) {
        const middle = (low + high) >>> 1;
        const other = doubles[scores + middle];
        if (other < score || (other === score && this.#atMost(words[refs + middle], ref, alias))) low = middle + 1;
        else high = middle;
      }
      pathNode[level] = node;
      if (isLeaf) {
        const found = low > 0 && words[refs + low - 1] === alias && doubles[scores + low - 1] === score;
        pathPlace[level] = found ? low - 1 : low;
        return found;
      }
      if (low > 0) low--;
      pathPlace[level] = low;
      node = words[word + CHILDREN + low];
    }
  }

  #atMost(other: number, ref: number, alias: number): boolean {
    return other === alias || this.order.compare(other, ref) < 0;
  }

  /** Sets the path to the entry with that rank; for `count`, to behind the last one. */
  #locateRank(rank: number): void {
    let node = this.#root;
    for (let level = 0; level < this.#height; level++) {
      const words = this.#words[node >>> PAGE_BITS];
      const word = (node & IN_PAGE) << 1;
      const lastPlace = words[word + SIZE] - 1;
      let place = 0;
      while (place < lastPlace && rank >= words[word + COUNTS + place]) rank -= words[word + COUNTS + place++];
      pathNode[level] = node;
      pathPlace[level] = place;
      node = words[word + CHILDREN + place];
    }
    pathNode[this.#height] = node;
    pathPlace[this.#height] = rank;
  }

  #rankOfPath(): number {
    let rank = pathPlace[this.#height];
    for (let level = 0; level < this.#height; level++) {
      const node = pathNode[level];
      const words = this.#words[node >>> PAGE_BITS];
      const counts = ((node & IN_PAGE) << 1) + COUNTS;
      for (let i = pathPlace[level] - 1; i >= 0; i--) rank += words[counts + i];
    }
    return rank;
  }

  /** Whether the entry at the path could have that score without changing places with a neighbour. */
  #fitsAtPath(score: number, ref: number): boolean {
    neighbour.node = pathNode[this.#height];
    neighbour.place = pathPlace[this.#height];
    if (this.previous(neighbour)) {
      if (!(neighbour.score < score)) {
        if (neighbour.score > score || this.order.compare(neighbour.ref, ref) > 0) return false;
      }
      neighbour.node = pathNode[this.#height];
      neighbour.place = pathPlace[this.#height];
    }
    if (!this.next(neighbour) || neighbour.score > score) return true;
    return neighbour.score === score && this.order.compare(neighbour.ref, ref) > 0;
  }

  /** Inserts at the path, or makes some room and returns false: the path is void then. */
  #insertAtPath(score: number, ref: number): boolean {
    const height = this.#height;
    const leaf = pathNode[height];
    const place = pathPlace[height];
    if (this.#size(leaf) === LEAF) {
      this.#makeRoom(height);
      return false;
    }
    this.#openGap(leaf, true, place, 1);
    this.#words[leaf >>> PAGE_BITS][((leaf & IN_PAGE) << 1) + LEAF_REFS + place] = ref;
    this.#doubles[leaf >>> PAGE_BITS][(leaf & IN_PAGE) + SCORES + place] = score;
    this.count++;
    for (let level = 0; level < height; level++) {
      const node = pathNode[level];
      this.#words[node >>> PAGE_BITS][((node & IN_PAGE) << 1) + COUNTS + pathPlace[level]]++;
    }
    if (place === 0) this.#refreshPath();
    return true;
  }

  /** Removes that many entries at the path, all in its leaf, and repairs what is above. */
  #removeAtPath(entries: number): void {
    this.#closeGap(pathNode[this.#height], true, pathPlace[this.#height], entries);
    this.count -= entries;
    for (let level = this.#height; level > 0; level--) {
      const node = pathNode[level];
      const parent = pathNode[level - 1];
      const place = pathPlace[level - 1];
      const isLeaf = level === this.#height;
      this.#words[parent >>> PAGE_BITS][((parent & IN_PAGE) << 1) + COUNTS + place] -= entries;
      const size = this.#size(node);
      if (size === 0) {
        this.#dropChild(parent, place, isLeaf);
      } else {
        this.#refreshKey(parent, place, isLeaf);
        if (size < ((isLeaf ? LEAF : INNER) / 3 | 0)) this.#balance(parent, place, isLeaf);
      }
    }
    while (this.#height > 0 && this.#size(this.#root) === 1) {
      const root = this.#root;
      this.#root = this.#child(root, 0);
      this.#height--;
      this.#freeNode(root);
    }
    if (this.#size(this.#root) === 0) this.free();
  }

  /** Makes room in the full node of that level, or in one above it. */
  #makeRoom(level: number): void {
    const node = pathNode[level];
    const isLeaf = level === this.#height;
    if (level === 0) {
      const root = this.#newNode();
      this.#openGap(root, false, 0, 1);
      this.#words[root >>> PAGE_BITS][((root & IN_PAGE) << 1) + CHILDREN] = node;
      this.#words[root >>> PAGE_BITS][((root & IN_PAGE) << 1) + COUNTS] = this.count;
      this.#refreshKey(root, 0, isLeaf);
      this.#root = root;
      this.#height++;
      return;
    }
    const capacity = isLeaf ? LEAF : INNER;
    const roomy = capacity - (capacity >>> 3);
    const parent = pathNode[level - 1];
    const place = pathPlace[level - 1];
    if (place > 0 && this.#size(this.#child(parent, place - 1)) <= roomy) {
      this.#even(parent, place - 1, isLeaf);
    } else if (place + 1 < this.#size(parent) && this.#size(this.#child(parent, place + 1)) <= roomy) {
      this.#even(parent, place, isLeaf);
    } else if (this.#size(parent) === INNER) {
      this.#makeRoom(level - 1);
    } else {
      this.#split(parent, place, isLeaf, pathPlace[level]);
    }
  }

  /** Splits the full child of `parent` at `place`, into which an entry is to be inserted at `wanted`. */
  #split(parent: number, place: number, isLeaf: boolean, wanted: number): void {
    const left = this.#child(parent, place);
    const right = this.#newNode();
    const size = this.#size(left);
    let moving = size >>> 1;
    if (isLeaf) {
      const words = this.#words[left >>> PAGE_BITS];
      const word = (left & IN_PAGE) << 1;
      const next = words[word + NEXT];
      if (next === 0 && wanted === size) moving = 1;
      else if (words[word + PREVIOUS] === 0 && wanted === 0) moving = size - 1;
      this.#link(left, right);
      this.#link(right, next);
    }
    this.#openGap(parent, false, place + 1, 1);
    const words = this.#words[parent >>> PAGE_BITS];
    const word = (parent & IN_PAGE) << 1;
    words[word + CHILDREN + place + 1] = right;
    words[word + COUNTS + place + 1] = 0;
    this.#shift(parent, place, isLeaf, moving);
  }

  /** Makes the children at `place` and `place + 1` one node or two of equal size. */
  #balance(parent: number, place: number, isLeaf: boolean): void {
    if (place > 0) place--;
    if (place + 1 >= this.#size(parent)) return;
    const right = this.#size(this.#child(parent, place + 1));
    const capacity = isLeaf ? LEAF : INNER;
    if (this.#size(this.#child(parent, place)) + right > capacity - (capacity >>> 3)) {
      this.#even(parent, place, isLeaf);
    } else {
      this.#shift(parent, place, isLeaf, -right);
      this.#dropChild(parent, place + 1, isLeaf);
    }
  }

  #even(parent: number, place: number, isLeaf: boolean): void {
    const left = this.#size(this.#child(parent, place));
    const right = this.#size(this.#child(parent, place + 1));
    this.#shift(parent, place, isLeaf, left - ((left + right) >>> 1));
  }

  /** Moves that many entries from the child at `place` to the one after it, or back when negative. */
  #shift(parent: number, place: number, isLeaf: boolean, entries: number): void {
    const left = this.#child(parent, place);
    const right = this.#child(parent, place + 1);
    const from = entries > 0 ? left : right;
    const to = entries > 0 ? right : left;
    const moving = Math.abs(entries);
    const at = entries > 0 ? this.#size(left) - moving : 0;
    const toAt = entries > 0 ? 0 : this.#size(left);
    this.#openGap(to, isLeaf, toAt, moving);
    this.#copy(from, at, to, toAt, moving, isLeaf);
    let moved = moving;
    if (!isLeaf) {
      const words = this.#words[from >>> PAGE_BITS];
      const counts = ((from & IN_PAGE) << 1) + COUNTS + at;
      moved = 0;
      for (let i = 0; i < moving; i++) moved += words[counts + i];
    }
    this.#closeGap(from, isLeaf, at, moving);
    const words = this.#words[parent >>> PAGE_BITS];
    const counts = ((parent & IN_PAGE) << 1) + COUNTS + place;
    words[counts] += entries > 0 ? -moved : moved;
    words[counts + 1] += entries > 0 ? moved : -moved;
    if (this.#size(right) > 0) this.#refreshKey(parent, place + 1, isLeaf);
  }

  /** Takes an empty child out of its parent and frees it. */
  #dropChild(parent: number, place: number, isLeaf: boolean): void {
    const node = this.#child(parent, place);
    if (isLeaf) {
      const words = this.#words[node >>> PAGE_BITS];
      const word = (node & IN_PAGE) << 1;
      this.#link(words[word + PREVIOUS], words[word + NEXT]);
    }
    this.#closeGap(parent, false, place, 1);
    this.#freeNode(node);
  }

  /** Makes two leaves neighbours; either may be 0. */
  #link(left: number, right: number): void {
    if (left !== 0) this.#words[left >>> PAGE_BITS][((left & IN_PAGE) << 1) + NEXT] = right;
    if (right !== 0) this.#words[right >>> PAGE_BITS][((right & IN_PAGE) << 1) + PREVIOUS] = left;
  }

  /** Copies the least entry of the child at `place` into its parent. */
  #refreshKey(parent: number, place: number, isLeaf: boolean): void {
    const child = this.#child(parent, place);
    this.#words[parent >>> PAGE_BITS][((parent & IN_PAGE) << 1) + INNER_REFS + place] =
      this.#words[child >>> PAGE_BITS][((child & IN_PAGE) << 1) + (isLeaf ? LEAF_REFS : INNER_REFS)];
    this.#doubles[parent >>> PAGE_BITS][(parent & IN_PAGE) + SCORES + place] =
      this.#doubles[child >>> PAGE_BITS][(child & IN_PAGE) + SCORES];
  }

  /** As `#refreshKey`, along the whole path. */
  #refreshPath(): void {
    for (let level = this.#height - 1; level >= 0; level--) {
      this.#refreshKey(pathNode[level], pathPlace[level], level === this.#height - 1);
    }
  }

  #load(cursor: RankCursor): void {
    const { node, place } = cursor;
    cursor.score = this.#doubles[node >>> PAGE_BITS][(node & IN_PAGE) + SCORES + place];
    cursor.ref = this.#words[node >>> PAGE_BITS][((node & IN_PAGE) << 1) + LEAF_REFS + place];
  }

  #size(node: number): number {
    return this.#words[node >>> PAGE_BITS][((node & IN_PAGE) << 1) + SIZE];
  }

  #child(node: number, place: number): number {
    return this.#words[node >>> PAGE_BITS][((node & IN_PAGE) << 1) + CHILDREN + place];
  }

  #openGap(node: number, isLeaf: boolean, at: number, entries: number): void {
    const size = this.#size(node);
    this.#copy(node, at, node, at + entries, size - at, isLeaf);
    this.#words[node >>> PAGE_BITS][((node & IN_PAGE) << 1) + SIZE] = size + entries;
  }

  #closeGap(node: number, isLeaf: boolean, at: number, entries: number): void {
    const size = this.#size(node);
    this.#copy(node, at + entries, node, at, size - at - entries, isLeaf);
    this.#words[node >>> PAGE_BITS][((node & IN_PAGE) << 1) + SIZE] = size - entries;
  }

  /** Copies entries or children from place to place, also within a node. */
  #copy(from: number, at: number, to: number, toAt: number, entries: number, isLeaf: boolean): void {
    const source = this.#words[from >>> PAGE_BITS];
    const target = this.#words[to >>> PAGE_BITS];
    const sourceWord = ((from & IN_PAGE) << 1) + at;
    const targetWord = ((to & IN_PAGE) << 1) + toAt;
    const sourceDoubles = this.#doubles[from >>> PAGE_BITS];
    const targetDoubles = this.#doubles[to >>> PAGE_BITS];
    const sourceScore = (from & IN_PAGE) + SCORES + at;
    const targetScore = (to & IN_PAGE) + SCORES + toAt;
    if (from === to && toAt > at) {
      for (let i = entries - 1; i >= 0; i--) targetDoubles[targetScore + i] = sourceDoubles[sourceScore + i];
    } else {
      for (let i = 0; i < entries; i++) targetDoubles[targetScore + i] = sourceDoubles[sourceScore + i];
    }
    const backwards = from === to && toAt > at;
    if (isLeaf) {
      copyWords(source, sourceWord + LEAF_REFS, target, targetWord + LEAF_REFS, entries, backwards);
    } else {
      copyWords(source, sourceWord + INNER_REFS, target, targetWord + INNER_REFS, entries, backwards);
      copyWords(source, sourceWord + CHILDREN, target, targetWord + CHILDREN, entries, backwards);
      copyWords(source, sourceWord + COUNTS, target, targetWord + COUNTS, entries, backwards);
    }
  }

  #newNode(): number {
    const node = this.slab.allocate(NODE_BYTES);
    const words = this.#words[node >>> PAGE_BITS];
    const word = (node & IN_PAGE) << 1;
    words[word + SIZE] = words[word + PREVIOUS] = words[word + NEXT] = 0;
    this.#nodes++;
    return node;
  }

  #freeNode(node: number): void {
    this.slab.free(node);
    this.#nodes--;
  }

  #freeBelow(node: number, level: number): void {
    if (level < this.#height) {
      for (let i = this.#size(node) - 1; i >= 0; i--) this.#freeBelow(this.#child(node, i), level + 1);
    }
    this.#freeNode(node);
  }
}

const neighbour = new RankCursor();

function copyWords(
  from: Int32Array,
  at: number,
  to: Int32Array,
  toAt: number,
  words: number,
  backwards: boolean,
): void {
  if (backwards) { for (let i = words - 1; i >= 0; i--) to[toAt + i] = from[at + i]; }
  else for (let i = 0; i < words; i++) to[toAt + i] = from[at + i];
}
