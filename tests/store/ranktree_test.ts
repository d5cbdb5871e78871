/** RankTree against a sorted array, with `check` on the way, and its memory. */

import { assert, assertEquals } from "@std/assert";
import { Slab } from "../../lib/store/slab.ts";
import { RankCursor, RankTree } from "../../lib/store/types/ranktree.ts";
import { Xoshiro } from "../../lib/platform/random.ts";
import { test } from "../kit/test.ts";

/** Refs stand for members; the order of members is that of `place[ref]`, a random permutation. */
class Members {
  readonly place: Int32Array;
  constructor(count: number, random: Xoshiro) {
    this.place = Int32Array.from({ length: count }, (_, i) => i);
    for (let i = count - 1; i > 1; i--) {
      const j = 1 + random.below(i);
      [this.place[i], this.place[j]] = [this.place[j], this.place[i]];
    }
  }
  compare(a: number, b: number): number {
    if (this.place[a] < 0 || this.place[b] < 0) throw new Error("a freed member is compared");
    return this.place[a] - this.place[b];
  }
}

interface Entry {
  score: number;
  ref: number;
}

const cursor = new RankCursor();

function lowerBound(list: Entry[], before: (entry: Entry) => boolean): number {
  let low = 0;
  for (let high = list.length; low < high;) {
    const middle = (low + high) >>> 1;
    if (before(list[middle])) low = middle + 1;
    else high = middle;
  }
  return low;
}

function compareAll(tree: RankTree, list: Entry[]): void {
  tree.check();
  assertEquals(tree.count, list.length);
  let more = tree.at(0, cursor);
  for (let i = 0; i < list.length; i++) {
    if (!more || cursor.score !== list[i].score || cursor.ref !== list[i].ref) throw new Error(`forward at ${i}`);
    more = tree.next(cursor);
  }
  assertEquals(more, false);
  more = tree.at(list.length - 1, cursor);
  for (let i = list.length - 1; i >= 0; i--) {
    if (!more || cursor.score !== list[i].score || cursor.ref !== list[i].ref) throw new Error(`backward at ${i}`);
    more = tree.previous(cursor);
  }
  assertEquals(more, false);
}

function run(seed: number, steps: number, limit: number, score: (random: Xoshiro) => number, start = 0): void {
  const random = new Xoshiro(seed, null);
  const slab = new Slab();
  const members = new Members(limit * 2, random);
  const tree = new RankTree(slab, members);
  const list: Entry[] = [];
  const free: number[] = [];
  for (let ref = limit * 2 - 1; ref >= 1; ref--) free.push(ref);
  const placeOf = (s: number, ref: number) =>
    lowerBound(list, (e) => e.score < s || (e.score === s && members.place[e.ref] < members.place[ref]));
  for (let i = 0; i < start; i++) {
    const entry = { score: i / start, ref: free.pop()! };
    tree.append(entry.score, entry.ref);
    list.push(entry);
  }
  let growing = true;
  for (let step = 0; step < steps; step++) {
    if (list.length >= limit) growing = false;
    if (list.length === 0) growing = true;
    const kind = random.below(100);
    const index = random.below(Math.max(list.length, 1));
    if (kind < (growing ? 50 : 12)) {
      if (list.length >= limit) continue;
      const other = random.below(free.length);
      const ref = free[other];
      free[other] = free[free.length - 1];
      free.pop();
      const s = score(random);
      tree.insert(s, ref);
      list.splice(placeOf(s, ref), 0, { score: s, ref });
    } else if (list.length === 0) {
      assertEquals(tree.at(0, cursor), false);
      assertEquals(tree.countBelow(0, true), 0);
      assertEquals(tree.rank(0, 1), -1);
      assertEquals(tree.remove(0, 1), false);
    } else if (kind < 62) {
      const entry = list[index];
      if (!tree.remove(entry.score, entry.ref)) throw new Error(`step ${step}: not removed`);
      if (tree.remove(entry.score, entry.ref)) throw new Error(`step ${step}: removed twice`);
      list.splice(index, 1);
      free.push(entry.ref);
    } else if (kind < 78) {
      const entry = list[index];
      // Often a small step, which stays in place.
      const s = random.below(2) === 0 ? score(random) : entry.score + (random.below(3) - 1) * 1e-9;
      if (!tree.update(entry.score, entry.ref, s)) throw new Error(`step ${step}: not updated`);
      list.splice(index, 1);
      list.splice(placeOf(s, entry.ref), 0, { score: s, ref: entry.ref });
    } else if (random.below(growing ? 400 : 60) === 0) {
      const end = index + random.below(random.below(20) === 0 ? list.length + 2 : 200);
      const expected = list.splice(index, end - index);
      let at = 0;
      tree.removeRange(index, end, (ref, s) => {
        if (expected[at].ref !== ref || expected[at].score !== s) throw new Error(`step ${step}: removed ${ref}`);
        at++;
        free.push(ref);
      });
      assertEquals(at, expected.length);
    }
    if (list.length !== tree.count) throw new Error(`step ${step}: count ${tree.count}`);
    if (list.length > 0) {
      const rank = random.below(list.length);
      const entry = list[rank];
      if (!tree.at(rank, cursor) || cursor.ref !== entry.ref) throw new Error(`step ${step}: at ${rank}`);
      if (tree.rank(entry.score, entry.ref) !== rank) throw new Error(`step ${step}: rank`);
      if (step % 4 === 0) {
        const s = random.below(2) === 0 ? entry.score : score(random);
        if (tree.countBelow(s, false) !== lowerBound(list, (e) => e.score < s)) throw new Error(`step ${step}: below`);
        if (tree.countBelow(s, true) !== lowerBound(list, (e) => e.score <= s)) throw new Error(`step ${step}: up to`);
        const place = random.below(limit * 2);
        const holds = (ref: number, score: number) => score < s || (score === s && members.place[ref] <= place);
        const count = lowerBound(list, (e) => holds(e.ref, e.score));
        if (tree.countWhile(holds) !== count) throw new Error(`step ${step}: while`);
      }
    }
    if (step % Math.max(200, limit >> 1) === 0) {
      compareAll(tree, list);
      assertEquals(slab.used, tree.bytes);
    }
  }
  compareAll(tree, list);
  tree.free();
  assertEquals([slab.used, tree.bytes, tree.count], [0, 0, 0]);
  tree.check();
}

test("ranktree: random changes, scores all different", () => run(1, 300_000, 3000, (random) => random.unit() * 1000));
test("ranktree: random changes, few scores, zeros and infinities", () => {
  const scores = [-Infinity, -1, -0, 0, 1, 1e300, Infinity];
  run(2, 300_000, 3000, (random) => scores[random.below(scores.length)]);
});
test("ranktree: random changes, all scores equal", () => run(3, 200_000, 1500, () => 0));
test("ranktree: random changes of a small tree", () => run(4, 200_000, 150, (random) => random.below(50)));
test("ranktree: random changes of a tree of four levels", () =>
  run(5, 40_000, 160_000, (random) => random.unit(), 140_000));

test("ranktree: sorted input fills the nodes, from either end and through insert", () => {
  const random = new Xoshiro(9, null);
  const size = 100_000;
  const members = new Members(size + 1, random);
  const bytesPerEntry = (fill: (tree: RankTree) => void) => {
    const tree = new RankTree(new Slab(), members);
    fill(tree);
    tree.check();
    assertEquals(tree.count, size);
    for (let i = 0; i < size; i += 997) {
      assert(tree.at(i, cursor));
      assertEquals(cursor.score, i);
    }
    return tree.bytes / size;
  };
  const ascending = (tree: RankTree) => {
    for (let i = 0; i < size; i++) tree.insert(i, i + 1);
  };
  const descending = (tree: RankTree) => {
    for (let i = size - 1; i >= 0; i--) tree.insert(i, i + 1);
  };
  const appended = (tree: RankTree) => {
    for (let i = 0; i < size; i++) tree.append(i, i + 1);
  };
  const prepended = (tree: RankTree) => {
    for (let i = size - 1; i >= 0; i--) tree.prepend(i, i + 1);
  };
  const shuffled = (tree: RankTree) => {
    for (let i = 1; i <= size; i++) tree.insert(members.place[i] - 1, i);
  };
  for (const fill of [ascending, descending, appended, prepended]) assert(bytesPerEntry(fill) < 13.5);
  const shuffledBytes = bytesPerEntry(shuffled);
  assert(shuffledBytes < 17, `${shuffledBytes} bytes per entry`);
});

test("ranktree: after most of it is removed, the memory is gone", () => {
  const random = new Xoshiro(10, null);
  const size = 50_000;
  const members = new Members(size + 1, random);
  const slab = new Slab();
  const tree = new RankTree(slab, members);
  const refs: number[] = [];
  for (let i = 1; i <= size; i++) {
    tree.insert(members.place[i], i);
    refs.push(i);
  }
  while (refs.length > 500) {
    const [ref] = refs.splice(random.below(refs.length), 1);
    assert(tree.remove(members.place[ref], ref));
  }
  tree.check();
  assert(tree.bytes / tree.count < 40, `${tree.bytes / tree.count} bytes per entry`);
  tree.removeRange(0, tree.count, () => {});
  assertEquals(slab.used, 0);
});
