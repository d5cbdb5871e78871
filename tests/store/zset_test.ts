/** Sorted sets against a sorted array, through both encodings; their memory, copies and slow release; results that are stored. */

import { assert, assertEquals } from "@std/assert";
import { Args } from "../../lib/bytes/args.ts";
import { fromLatin1, latin1 } from "../../lib/bytes/ascii.ts";
import { Kind, Type } from "../../lib/store/record.ts";
import { HeapBlob } from "../../lib/store/types/blob.ts";
import * as listpack from "../../lib/store/types/listpack.ts";
import { SortedSet } from "../../lib/store/types/sorted_set.ts";
import { Added, AddFlag, LexBound, ZsetView } from "../../lib/store/types/zset.ts";
import { Seeded } from "../kit/seeded.ts";
import { test } from "../kit/test.ts";
import { makeKeyspace } from "./fixture.ts";

interface Entry {
  score: number;
  member: string;
}

/** What a sorted set is: an array in order, and the scores by member. */
class Model {
  readonly order: Entry[] = [];
  readonly scores = new Map<string, number>();

  /** Number of entries before (score, member). */
  rank(score: number, member: string): number {
    return this.count((entry) => entry.score < score || (entry.score === score && entry.member < member));
  }

  /** Number of entries for which `before` holds; it holds for the first ones only. */
  count(before: (entry: Entry) => boolean): number {
    let low = 0;
    for (let high = this.order.length; low < high;) {
      const middle = (low + high) >>> 1;
      if (before(this.order[middle])) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  set(score: number, member: string): void {
    this.delete(member);
    this.order.splice(this.rank(score, member), 0, { score, member });
    this.scores.set(member, score);
  }

  delete(member: string): boolean {
    const score = this.scores.get(member);
    if (score === undefined) return false;
    this.order.splice(this.rank(score, member), 1);
    return this.scores.delete(member);
  }

  removeRange(from: number, to: number): void {
    for (const { member } of this.order.splice(from, to - from)) this.scores.delete(member);
  }
}

function drawMember(random: Seeded, spread: number): string {
  switch (random.below(12)) {
    case 0:
      return random.pick(["", "-0", "007", "9223372036854775807", "-9223372036854775808", "\xff", "\0"]);
    case 1:
      return random.chance(0.02) ? random.word(random.pick([64, 65, 4096, 4097, 20_000]), "ab") : random.binary(2);
    case 2:
    case 3:
      return `m${random.below(spread)}`;
    default:
      return String(random.between(-spread, spread));
  }
}

/** Few different scores, so that many are equal, or many, of all forms that a listpack knows. No -0: a listpack has none. */
function drawScore(random: Seeded, wide: boolean): number {
  if (!wide) return random.below(4);
  switch (random.below(8)) {
    case 0:
      return random.pick([Infinity, -Infinity, 2 ** 62, -(2 ** 62), 2 ** 63, 2 ** 53 + 2, 1e300, 5e-324, 1e17]);
    case 1:
      return random.between(-(2 ** 31), 2 ** 31);
    case 2:
    case 3:
      return random.between(-10_000, 10_000) / random.pick([3, 8, 7, 1000]);
    default:
      return random.between(-500, 500);
  }
}

function current(zset: ZsetView): string {
  const { member } = zset;
  member.asText();
  return latin1(member.buf, member.off, member.len);
}

/** Fails unless the walk from `from` has these entries. */
function checkWalk(zset: ZsetView, from: number, backward: boolean, expected: Entry[]): void {
  zset.start(from, backward);
  for (const { score, member } of expected) {
    if (!zset.next() || zset.score !== score || current(zset) !== member) {
      throw new Error(`expected ${member} with ${score}, but found ${current(zset)} with ${zset.score}`);
    }
    const { place } = zset;
    zset.load(place);
    if (zset.score !== score || current(zset) !== member) throw new Error(`another member at the place of ${member}`);
  }
}

function checkAll(zset: ZsetView, model: Model): void {
  assertEquals(zset.count, model.order.length);
  checkWalk(zset, 0, false, model.order);
  assertEquals(zset.next(), false);
  checkWalk(zset, zset.count - 1, true, [...model.order].reverse());
  assertEquals(zset.next(), false);
  if (zset.table !== null) zset.table.tree.check();
  else {
    assert(zset.isInOrder());
    assert(listpack.validate(zset.blob.buf, zset.blob.off, zset.blob.len, true));
  }
}

test("a sorted set does what a sorted array does, in both encodings", () => {
  const keyspace = makeKeyspace(23);
  const db = keyspace.databases[0];
  const random = new Seeded(20242);
  const key = Args.of("key");
  const zset = new ZsetView();
  const min = new LexBound();
  const max = new LexBound();
  const start = keyspace.slab.used;
  const steps = { listpack: 0, table: 0 };
  for (let round = 0; round < 150; round++) {
    const model = new Model();
    const spread = random.pick([3, 5, 20, 60, 300, 3000]);
    const wide = random.chance(0.6);
    const growth = random.pick([0.2, 0.4, 0.6]);
    const limits = {
      zsetMaxListpackEntries: random.pick([0, 1, 8, 128, 500]),
      zsetMaxListpackValue: random.pick([0, 3, 64, 64, 5000]),
    };
    zset.limits = limits;
    /** Redis never goes back from a table while the key lives. */
    let isTable = false;
    let ref = 0;
    for (let step = 0; step < 2500; step++) {
      const member = drawMember(random, spread);
      const bytes = fromLatin1(member);
      const old = model.scores.get(member);
      if (ref !== 0) zset.open(db, ref);
      if (random.chance(growth)) {
        const score = drawScore(random, wide);
        const flags = random.chance(0.7)
          ? 0
          : random.pick([AddFlag.NX, AddFlag.XX, AddFlag.GT, AddFlag.LT, AddFlag.XX | AddFlag.GT, AddFlag.INCR]);
        if (ref === 0) {
          if (flags & AddFlag.XX) continue;
          zset.addKey(db, key, 0, bytes.length);
          isTable = limits.zsetMaxListpackEntries === 0 || bytes.length > limits.zsetMaxListpackValue;
        }
        const outcome = zset.add(score, bytes, 0, bytes.length, flags);
        const next = flags === AddFlag.INCR && old !== undefined ? old + score : score;
        let expected: number = Added.UPDATED;
        if (old === undefined) expected = flags & AddFlag.XX ? Added.REFUSED : Added.ADDED;
        else if (flags & AddFlag.NX) expected = Added.REFUSED;
        else if (next !== next) expected = Added.NAN;
        else if ((flags & AddFlag.GT && next <= old) || (flags & AddFlag.LT && next >= old)) expected = Added.REFUSED;
        else if (next === old) expected = Added.SAME;
        assertEquals(outcome, expected);
        if (outcome === Added.ADDED) {
          isTable ||= model.order.length >= limits.zsetMaxListpackEntries ||
            bytes.length > limits.zsetMaxListpackValue;
        }
        if (outcome === Added.ADDED || outcome === Added.UPDATED) {
          assertEquals(zset.score, next);
          model.set(next, member);
        }
      } else if (ref !== 0) {
        const { order } = model;
        switch (random.below(8)) {
          case 0:
          case 1:
          case 2:
            assertEquals(zset.remove(bytes, 0, bytes.length), model.delete(member));
            break;
          case 3: {
            assertEquals(zset.find(bytes, 0, bytes.length), old !== undefined);
            if (old !== undefined) assertEquals(zset.score, old);
            assertEquals(zset.rank(bytes, 0, bytes.length), old === undefined ? -1 : model.rank(old, member));
            break;
          }
          case 4: {
            const from = random.between(-1, order.length);
            const backward = random.chance(0.5);
            const expected = backward
              ? order.slice(Math.max(0, from - 8), from + 1).reverse()
              : order.slice(Math.max(0, from), from + 9);
            checkWalk(zset, from, backward, from < 0 || from >= order.length ? [] : expected);
            break;
          }
          case 5: {
            const [low, high] = [drawScore(random, wide), drawScore(random, wide)];
            const [lowOpen, highOpen] = [random.chance(0.5), random.chance(0.5)];
            const found = zset.scoreRange(low, lowOpen, high, highOpen);
            const from = model.count(({ score }) => score < low || (lowOpen && score === low));
            const to = model.count(({ score }) => score < high || (!highOpen && score === high));
            assertEquals(found, Math.max(0, to - from));
            if (found > 0) assertEquals(zset.from, from);
            break;
          }
          case 6: {
            if (!random.chance(0.1)) break;
            const from = random.between(0, order.length);
            const to = Math.min(order.length, from + random.below(30));
            zset.removeRange(from, to);
            model.removeRange(from, to);
            break;
          }
          default: {
            // Ranges of members: only where all scores are the same.
            if (order[0].score !== order[order.length - 1].score) break;
            const [low, high] = [drawMember(random, spread), drawMember(random, spread)];
            min.side = random.pick([0, 0, 0, -1, 1]);
            max.side = random.pick([0, 0, 0, -1, 1]);
            min.exclusive = random.chance(0.5);
            max.exclusive = random.chance(0.5);
            [min.buf, max.buf] = [fromLatin1(low), fromLatin1(high)];
            [min.len, max.len] = [low.length, high.length];
            const inside = order.filter(({ member }) =>
              (min.side < 0 || (min.side === 0 && (member > low || (!min.exclusive && member === low)))) &&
              (max.side > 0 || (max.side === 0 && (member < high || (!max.exclusive && member === high))))
            );
            assertEquals(zset.lexRange(min, max, random.chance(0.5)), inside.length);
            if (inside.length > 0) checkWalk(zset, zset.from, false, inside);
          }
        }
      } else continue;
      ref = zset.ref;
      assertEquals(zset.table !== null, isTable);
      steps[isTable ? "table" : "listpack"]++;
      assertEquals(zset.count, model.order.length);
      if (model.order.length === 0) {
        db.remove(ref);
        ref = 0;
      }
    }
    if (ref === 0) continue;
    assertEquals(db.find(key, 0), ref);
    checkAll(zset.open(db, ref), model);
    if (zset.table !== null) {
      const copied = db.addObject(Args.of("copy"), 0, Type.ZSET, zset.table.copy());
      checkAll(zset.open(db, copied), model);
      db.remove(copied);
    }
    db.remove(ref);
    while (keyspace.graveyard.length > 0) keyspace.reap(1);
    assertEquals(keyspace.slab.used, start);
  }
  assert(steps.listpack > 40_000 && steps.table > 40_000, JSON.stringify(steps));
});

test("members of mixed scores: a listpack finds by member what Redis finds in it", () => {
  const keyspace = makeKeyspace(1);
  const zset = new ZsetView().addKey(keyspace.databases[0], Args.of("key"), 0, 1);
  for (const [member, score] of [["c", 1], ["a", 2], ["d", 3], ["b", 4]] as const) {
    zset.add(score, fromLatin1(member), 0, 1);
  }
  const min = new LexBound();
  const max = new LexBound();
  [min.buf, max.buf, min.len, max.len] = [fromLatin1("b"), fromLatin1("c"), 1, 1];
  // Forward from the first that is not before b to the first that is behind c; backward from the last that is not behind c.
  assertEquals([zset.lexRange(min, max, false), zset.from, zset.to], [2, 0, 2]);
  assertEquals([zset.lexRange(min, max, true), zset.from, zset.to], [2, 2, 4]);
});

test("a large sorted set takes less than 54 bytes a member beside the member", () => {
  const keyspace = makeKeyspace(29);
  const table = new SortedSet(keyspace);
  const random = new Seeded(31);
  for (let i = 0; i < 50_000; i++) {
    const member = fromLatin1(`member:${String(i).padStart(6, "0")}`);
    assert(table.add(random.u32() / 1000, member, 0, member.length));
  }
  assertEquals(keyspace.slab.used, table.memory());
  assert(table.memory() < 50_000 * 67, String(table.memory()));
  let slices = 1;
  for (; !table.release(1000); slices++) assert(slices < 200);
  assert(slices > 50, String(slices));
  assertEquals(keyspace.slab.used, 0);
});

test("a result becomes a listpack where the limits allow it, and replaces whatever the key was", () => {
  const keyspace = makeKeyspace(37);
  const db = keyspace.databases[0];
  const key = Args.of("key");
  const zset = new ZsetView();
  const cases: [number, number, number, boolean][] = [
    [8, 5, 64, true],
    [8, 5, 7, false],
    [8, 64, 64, true],
    [8, 65, 64, false],
    [9, 5, 64, false],
  ];
  for (const previous of ["none", "string", "small", "large"]) {
    for (const [members, length, longest, small] of cases) {
      db.delete(key, 0);
      if (previous === "string") db.setExpire(db.set(key, 0, key.buf, 0, 3), 2_000_000_000_000);
      if (previous === "small") zset.addKey(db, key, 0, 1).add(5, key.buf, 0, 1);
      if (previous === "large") {
        zset.addKey(db, key, 0, 1000).add(5, key.buf, 0, 1);
        assertEquals(db.kind(db.find(key, 0)), Kind.OBJECT);
      }
      const table = zset.create(keyspace);
      const model = new Model();
      for (let i = 0; i < members; i++) {
        const member = `${i}`.padStart(i === 3 ? length : 2, "x");
        table.add(-i, fromLatin1(member), 0, member.length);
        model.set(-i, member);
      }
      zset.limits = {
        zsetMaxListpackEntries: 8,
        zsetMaxListpackValue: small ? longest : Math.min(longest, length - 1),
      };
      zset.store(db, key, 0);
      const ref = db.find(key, 0);
      assertEquals(db.type(ref), Type.ZSET);
      assertEquals(db.expireAt(ref), -1);
      assertEquals(db.kind(ref) === Kind.OBJECT, !small);
      checkAll(zset.open(db, ref), model);
      zset.limits = { zsetMaxListpackEntries: 128, zsetMaxListpackValue: 64 };
    }
  }
});

test("a listpack out of order, or with what is no score, is seen to be unsound", () => {
  const make = (...elements: string[]): boolean => {
    const blob = new HeapBlob();
    listpack.create(blob);
    for (const element of elements) listpack.append(blob, fromLatin1(element), 0, element.length);
    return new ZsetView().createFrom(makeKeyspace(1), blob).isInOrder();
  };
  assert(make("a", "1", "b", "1", "a", "1.5", "z", "inf"));
  assert(!make("b", "1", "a", "1"));
  assert(!make("a", "1", "a", "1"));
  assert(!make("a", "2", "b", "1"));
  assert(!make("a", "x"));
  assert(!make("a", "nan"));
});

test("all members are equally likely to be drawn", () => {
  for (const size of [10, 100, 700]) {
    const keyspace = makeKeyspace(size);
    const zset = new ZsetView().addKey(keyspace.databases[0], Args.of("key"), 0, 1);
    for (let i = 0; i < size; i++) zset.add(i >> 2, fromLatin1(`m${i}`), 0, `m${i}`.length);
    assertEquals(zset.table === null, size < 200);
    const drawn = new Map<number, number>();
    for (let i = 0; i < size * 400; i++) {
      const place = zset.random(keyspace.random);
      drawn.set(place, (drawn.get(place) ?? 0) + 1);
    }
    let chi = (size - drawn.size) * 400;
    for (const count of drawn.values()) chi += (count - 400) ** 2 / 400;
    assert(chi < size + 6 * Math.sqrt(2 * size), `${size}: ${chi}`);
  }
});
