/** Lists against a plain array, as a blob and as nodes of all sizes; the structure and the memory of the nodes. */

import { assert, assertEquals } from "@std/assert";
import { Args } from "../../lib/bytes/args.ts";
import { fromLatin1, latin1 } from "../../lib/bytes/ascii.ts";
import type { Database } from "../../lib/store/database.ts";
import { Type } from "../../lib/store/record.ts";
import { ListView } from "../../lib/store/types/list.ts";
import * as listpack from "../../lib/store/types/listpack.ts";
import { ListNode } from "../../lib/store/types/list_node.ts";
import { Quicklist } from "../../lib/store/types/quicklist.ts";
import { Seeded } from "../kit/seeded.ts";
import { test } from "../kit/test.ts";
import { makeKeyspace } from "./fixture.ts";

const key = Args.of("key");

function drawText(random: Seeded, longest: number): string {
  switch (random.below(12)) {
    case 0:
      return random.word(random.between(0, Math.min(longest, 70)));
    case 1:
      return random.pick(["", "-0", "007", "9223372036854775807", "-9223372036854775808", "9223372036854775808"]);
    case 2:
      return random.chance(0.05) ? random.word(random.between(0, longest), "ab") : random.binary(random.below(12));
    default:
      return String(random.between(-300, 300));
  }
}

function textOf(list: ListView): string {
  const { element } = list;
  element.asText();
  return latin1(element.buf, element.off, element.len);
}

/** All elements, forwards or backwards. */
function textsOf(list: ListView, backward = false): string[] {
  const texts: string[] = [];
  list.start(backward ? list.count - 1 : 0, backward);
  while (list.next()) texts.push(textOf(list));
  return texts;
}

/** Nodes of the special kinds that have been checked. */
const seen = { plain: 0, packed: 0 };

/** The chain, the counts, the memory and the compression of a quicklist are what they must be. */
function checkNodes(quicklist: Quicklist): void {
  const nodes: ListNode[] = [];
  let memory = 0;
  let count = 0;
  for (let ref = quicklist.head, before = 0; ref !== 0; before = ref, ref = nodes[nodes.length - 1].next) {
    const node = new ListNode().bind(quicklist.slab, ref);
    assertEquals(node.previous, before);
    assert(node.count > 0);
    count += node.count;
    memory += node.memory;
    assert((node.isPacked ? node.packedLength : node.len) <= node.capacity);
    if (node.isPlain) assertEquals(node.count, 1);
    else if (!node.isPacked) {
      assert(listpack.validate(node.buf, node.off, node.len, true));
      assertEquals(listpack.count(node), node.count);
    }
    nodes.push(node);
  }
  assertEquals(quicklist.tail, nodes.at(-1)?.ref ?? 0);
  assertEquals([quicklist.nodes, quicklist.count], [nodes.length, count]);
  // More is the compressed form of a node that has been read.
  const kept = quicklist.memory() - memory - 128;
  assert(kept >= 0 && (quicklist.depth > 0 || kept === 0), String(kept));
  const { depth } = quicklist;
  seen.plain += nodes.filter((node) => node.isPlain).length;
  seen.packed += nodes.filter((node) => node.isPacked).length;
  nodes.forEach((node, i) => {
    if (i < depth || i >= nodes.length - depth || depth === 0) assert(!node.isPacked);
  });
}

/** One round of random changes to one list. */
class Round {
  readonly list = new ListView();
  readonly model: string[] = [];
  ref = 0;

  constructor(readonly db: Database, readonly random: Seeded, readonly longest: number, readonly most: number) {}

  text(): string {
    return drawText(this.random, this.longest);
  }

  step(growth: number): void {
    const { list, model, db, random } = this;
    if (this.ref === 0) {
      list.addKey(db, key, 0);
      this.push(random.chance(0.5));
      return;
    }
    list.open(db, this.ref);
    const length = model.length;
    const kind = random.below(100);
    if (kind < 50) {
      if (length < this.most && random.chance(growth)) this.push(random.chance(0.5));
      else this.pop(random.chance(0.5));
    } else if (kind < 65) this.readAt(random.below(length), random.chance(0.5));
    else if (kind < 75) this.insert(random.below(length), random.chance(0.5));
    else if (kind < 85) {
      const index = random.below(length);
      list.start(index);
      list.next();
      const text = this.text();
      list.replace(fromLatin1(text), 0, text.length);
      model[index] = text;
    } else if (kind < 94) this.removeAt(random.below(length), random.chance(0.5));
    else if (kind < 97) this.removeEqual(random.chance(0.5), random.between(1, 4));
    else if (kind < 98 && random.chance(0.3)) {
      const index = random.below(length);
      const count = random.between(1, Math.min(length - index, random.pick([3, 50, 2000])));
      list.removeRange(index, count);
      model.splice(index, count);
    } else this.readSome(random.below(length), random.chance(0.5));
    assertEquals(list.count, model.length);
    this.ref = list.ref;
    if (model.length === 0) {
      db.remove(this.ref);
      this.ref = 0;
    }
  }

  push(atHead: boolean): void {
    const text = this.text();
    this.list.push(atHead, fromLatin1(text), 0, text.length);
    if (atHead) this.model.unshift(text);
    else this.model.push(text);
    this.ref = this.list.ref;
  }

  pop(atHead: boolean): void {
    this.list.peek(atHead);
    assertEquals(textOf(this.list), atHead ? this.model.shift() : this.model.pop());
    this.list.pop(atHead);
  }

  readAt(index: number, backward: boolean): void {
    this.list.start(index, backward);
    assert(this.list.next());
    assertEquals(textOf(this.list), this.model[index]);
  }

  readSome(index: number, backward: boolean): void {
    this.list.start(index, backward);
    for (let i = 0; i < 40; i++) {
      const at = backward ? index - i : index + i;
      const expected = at >= 0 ? this.model[at] : undefined;
      assertEquals(this.list.next(), expected !== undefined);
      if (expected === undefined) break;
      assertEquals(textOf(this.list), expected);
    }
  }

  insert(index: number, after: boolean): void {
    const text = this.text();
    this.list.start(index);
    this.list.next();
    this.list.insert(after, fromLatin1(text), 0, text.length);
    this.model.splice(after ? index + 1 : index, 0, text);
  }

  /** Removes an element and goes on with the walk. */
  removeAt(index: number, backward: boolean): void {
    const { list, model } = this;
    list.start(index, backward);
    list.next();
    list.remove();
    model.splice(index, 1);
    const following = backward ? index - 1 : index;
    const expected = following >= 0 ? model[following] : undefined;
    assertEquals(list.next(), expected !== undefined);
    if (expected !== undefined) assertEquals(textOf(list), expected);
  }

  /** As LREM. */
  removeEqual(backward: boolean, most: number): void {
    const { list, model } = this;
    const text = model[this.random.below(model.length)];
    list.start(backward ? model.length - 1 : 0, backward);
    list.look(fromLatin1(text), 0, text.length);
    for (let removed = 0; removed < most && list.next();) {
      if (!list.matches()) continue;
      list.remove();
      removed++;
    }
    for (let removed = 0; removed < most; removed++) {
      const at = backward ? model.lastIndexOf(text) : model.indexOf(text);
      if (at < 0) break;
      model.splice(at, 1);
    }
  }

  check(): void {
    const { list, model } = this;
    if (this.ref === 0) return assertEquals(model.length, 0);
    list.open(this.db, this.ref);
    assertEquals(textsOf(list), model);
    assertEquals(textsOf(list, true), model.toReversed());
    if (list.quicklist !== null) checkNodes(list.quicklist);
  }

  /** A copy is equal, and changing it leaves the list as it is. */
  checkCopy(): void {
    const { list, db, model } = this;
    if (this.ref === 0 || list.open(db, this.ref).quicklist === null) return;
    const copy = (db.object(this.ref) as Quicklist).copy();
    checkNodes(copy);
    const other = new ListView();
    other.open(db, db.addObject(Args.of("copy"), 0, Type.LIST, copy));
    assertEquals(textsOf(other), model);
    other.removeRange(0, other.count >>> 1);
    other.push(true, fromLatin1("new"), 0, 3);
    this.check();
    db.remove(other.ref);
  }
}

test("a list does what a plain array does, whatever its nodes are like", () => {
  const keyspace = makeKeyspace(18);
  const db = keyspace.databases[0];
  const random = new Seeded(20242);
  const start = keyspace.slab.used;
  const fills = [-2, -1, -5, 1, 2, 3, 5, 17, 128, 0, -2, 100000];
  for (let round = 0; round < 48; round++) {
    const work = new Round(
      db,
      random,
      random.pick([70, 70, 300, 5000, 20000]),
      random.pick([10, 400, 400, 3000]),
    );
    work.list.limits = {
      listMaxListpackSize: fills[round % fills.length],
      listCompressDepth: random.pick([0, 0, 1, 2, 5]),
    };
    if (random.chance(0.25)) work.list.packedThreshold = random.pick([1, 5, 60]);
    let growth = 0.8;
    for (let step = 0; step < 22_000; step++) {
      work.step(growth);
      if (step % 4000 === 0) {
        growth = growth < 0.5 || random.chance(0.5) ? 0.75 : 0.3;
        work.check();
        work.checkCopy();
      }
    }
    work.check();
    if (work.ref !== 0) db.remove(work.ref);
    while (keyspace.reap(Infinity));
    assertEquals(keyspace.slab.used, start);
  }
  assert(seen.plain > 10_000 && seen.packed > 1000, JSON.stringify(seen));
});

test("a large list is freed in slices", () => {
  const { slab } = makeKeyspace(19);
  const text = fromLatin1("element".repeat(10));
  const quicklist = new Quicklist(slab, -2, 0);
  for (let i = 0; i < 100_000; i++) quicklist.push(i % 2 === 0, text, 0, text.length);
  const memory = quicklist.memory();
  assert(memory > 100_000 * 70 && memory < 100_000 * 80);
  assertEquals(slab.used, memory);
  const before = quicklist.nodes;
  assertEquals(quicklist.release(160), false);
  assertEquals(before - quicklist.nodes, 20);
  let slices = 1;
  while (!quicklist.release(160)) slices++;
  assert(slices > 25);
  assertEquals([quicklist.nodes, quicklist.count, slab.used], [0, 0, 0]);
});

test("what a queue writes at one end it reads at the other, in the room that it had", () => {
  const keyspace = makeKeyspace(20);
  const db = keyspace.databases[0];
  const list = new ListView().addKey(db, key, 0);
  const text = fromLatin1("job:0000000");
  for (let i = 0; i < 20_000; i++) list.push(true, text, 0, text.length);
  const { used } = keyspace.slab;
  for (let i = 0; i < 200_000; i++) {
    for (let digit = 0, n = i; digit < 7; digit++, n = Math.floor(n / 10)) text[10 - digit] = 48 + n % 10;
    list.push(true, text, 0, text.length);
    list.peek(false);
    if (i >= 20_000) assertEquals(textOf(list), `job:${String(i - 20_000).padStart(7, "0")}`);
    list.pop(false);
  }
  assert(Math.abs(keyspace.slab.used - used) <= 2 * 8400);
});

test("elements of long lists are found by their index while the ends come and go", () => {
  const keyspace = makeKeyspace(21);
  const db = keyspace.databases[0];
  const random = new Seeded(22);
  const list = new ListView();
  list.limits = { listMaxListpackSize: 4, listCompressDepth: 0 };
  list.addKey(db, key, 0);
  const model: string[] = [];
  let next = 0;
  const push = (atHead: boolean): void => {
    const text = `element ${next++}`;
    list.push(atHead, fromLatin1(text), 0, text.length);
    if (atHead) model.unshift(text);
    else model.push(text);
  };
  const nodesMemory = (quicklist: Quicklist): number => {
    let memory = 128;
    const node = new ListNode();
    for (let ref = quicklist.head; ref !== 0; ref = node.next) memory += node.bind(quicklist.slab, ref).memory;
    return memory;
  };
  while (model.length < 800) push(random.chance(0.5));
  let withLandmarks = 0;
  for (let step = 0; step < 150_000; step++) {
    const kind = random.below(1000);
    const { length } = model;
    if (length < 200 || (kind < 250 && length < 3000)) push(random.chance(0.5));
    else if (kind < 450) {
      const atHead = random.chance(0.5);
      list.pop(atHead);
      if (atHead) model.shift();
      else model.pop();
    } else if (kind < 460) {
      const removed = random.between(1, random.pick([3, 40]));
      const index = random.pick([0, length - removed]);
      list.removeRange(index, removed);
      model.splice(index, removed);
    } else if (kind < 463) {
      const index = random.below(length);
      list.start(index);
      list.next();
      const text = `inserted ${next++}`;
      list.insert(true, fromLatin1(text), 0, text.length);
      model.splice(index + 1, 0, text);
    } else if (kind < 465) {
      const index = random.below(length);
      list.removeRange(index, 1);
      model.splice(index, 1);
    } else {
      const index = random.below(length);
      list.start(index);
      list.next();
      if (textOf(list) !== model[index]) assertEquals([step, index, textOf(list)], [step, index, model[index]]);
    }
    if (step % 1000 === 0) {
      assertEquals(textsOf(list), model);
      if (list.quicklist!.memory() > nodesMemory(list.quicklist!)) withLandmarks++;
    }
  }
  assert(withLandmarks > 30, String(withLandmarks));
  db.remove(list.ref);
  while (keyspace.reap(Infinity));
  assertEquals(keyspace.slab.used, 0);
});

test("a search in a list finds what a look at each element finds", () => {
  const keyspace = makeKeyspace(23);
  const random = new Seeded(24);
  const list = new ListView();
  for (let round = 0; round < 300; round++) {
    list.limits = { listMaxListpackSize: random.pick([4, 40, -2]), listCompressDepth: random.pick([0, 1]) };
    list.packedThreshold = random.pick([1 << 30, 12]);
    list.create(keyspace);
    const model = Array.from({ length: random.between(1, 300) }, () => {
      return random.pick([
        "",
        "a",
        "17",
        "abcabcabc",
        "abcabcabd",
        "xbcabcabc",
        "x".repeat(random.pick([12, 80, 5000])),
      ]);
    });
    for (const text of model) list.push(false, fromLatin1(text), 0, text.length);
    for (let i = 0; i < 40; i++) {
      const wanted = random.pick([...model, "not there", "18"]);
      const backward = random.chance(0.3);
      const from = random.below(model.length);
      const rest = backward ? model.slice(0, from + 1).reverse() : model.slice(from);
      list.start(from, backward);
      list.look(fromLatin1(wanted), 0, wanted.length);
      const place = rest.indexOf(wanted);
      const limit = random.pick([Infinity, random.between(1, 300)]);
      const found = list.find(limit);
      // What is farther away may be found or not.
      if (found >= 0 || place < limit) assertEquals(found, place);
      if (found >= 0) assertEquals(textOf(list), wanted);
      if (found >= 0 && found + 1 < rest.length) {
        assert(list.next());
        assertEquals(textOf(list), rest[found + 1]);
      }
    }
    list.drop();
  }
  assertEquals(keyspace.slab.used, 0);
});
