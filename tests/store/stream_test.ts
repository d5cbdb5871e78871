/** Streams, their IDs and their pending lists against simple models, with seeded random operations. */

import { assert, assertEquals } from "@std/assert";
import { Args } from "../../lib/bytes/args.ts";
import { latin1 } from "../../lib/bytes/ascii.ts";
import * as listpack from "../../lib/store/types/listpack.ts";
import { Stream, StreamCursor } from "../../lib/store/types/stream.ts";
import { BlockAudit } from "../../lib/store/types/stream_audit.ts";
import { Block } from "../../lib/store/types/stream_block.ts";
import { IdForm, StreamId } from "../../lib/store/types/stream_id.ts";
import { IdList, Ledger } from "../../lib/store/types/stream_pending.ts";
import { radixNodes } from "../../lib/store/types/stream_radix.ts";
import { Seeded } from "../kit/seeded.ts";
import { test } from "../kit/test.ts";
import { makeKeyspace } from "./fixture.ts";

const TWO_64 = 1n << 64n;
const EDGES = [0n, 1n, 255n, 0xffffffffn, 1n << 32n, (1n << 53n) - 1n, 1n << 53n, (1n << 63n) - 1n, 1n << 63n];
EDGES.push(TWO_64 - 1n, TWO_64 - 2n, 1_700_000_000_000n);

function makeId(ms: bigint, seq: bigint): StreamId {
  const id = new StreamId();
  id.setBig(ms, seq);
  return id;
}

/** An ID as one number. */
function whole(id: StreamId): bigint {
  const half = (hi: number, lo: number): bigint => (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0);
  return (half(id.msHi, id.msLo) << 64n) | half(id.seqHi, id.seqLo);
}

test("IDs compare, count, subtract, print and parse like numbers of 128 bits", () => {
  const random = new Seeded(1);
  const number = (): bigint => {
    if (random.chance(0.5)) return random.pick(EDGES);
    return (BigInt(random.u32()) << 32n) | BigInt(random.u32());
  };
  const text = new Uint8Array(64);
  for (let i = 0; i < 100_000; i++) {
    const [ms, seq] = [number(), number()];
    const value = (ms << 64n) | seq;
    const id = makeId(ms, seq);
    assertEquals(whole(id), value);
    assertEquals(id.text(), `${ms}-${seq}`);
    assertEquals(latin1(text, 0, id.format(text, 0)), `${ms}-${seq}`);
    const parsed = new StreamId();
    assertEquals(parsed.parse(text, 0, id.format(text, 0), false, true), IdForm.WHOLE);
    assert(parsed.equals(id));
    const other = makeId(number(), number());
    assertEquals(Math.sign(id.compare(other)), value < whole(other) ? -1 : value > whole(other) ? 1 : 0);
    const up = id.clone();
    assertEquals(up.increment(), value + 1n < TWO_64 << 64n);
    assertEquals(whole(up), (value + 1n) % (TWO_64 << 64n));
    const down = id.clone();
    assertEquals(down.decrement(), value > 0n);
    assertEquals(whole(down), value > 0n ? value - 1n : (TWO_64 << 64n) - 1n);
  }
});

test("a list of IDs is a sorted array, and gives back all memory that it takes", () => {
  const random = new Seeded(2);
  const { slab } = makeKeyspace(2);
  const before = slab.used;
  for (const [operations, range] of [[100_000, 3000], [100_000, 200_000], [20_000, 40]]) {
    const list = new IdList(new Ledger(slab), 1);
    const model: number[] = [];
    let next = 0;
    const id = new StreamId();
    for (let i = 0; i < operations; i++) {
      const shrinks = Math.floor(i / 20_000) % 3 === 2;
      // Most are appended; the others go anywhere. The number is spread over both halves, so that all four words matter.
      const n = random.chance(0.5) ? next++ % range : random.below(range);
      id.set(n >> 9, 0, 0, n & 511);
      const at = lowerBound(model, n);
      const has = model[at] === n;
      if (random.chance(shrinks ? 0.8 : 0.35)) {
        assertEquals(list.seek(id), has);
        if (has) {
          list.remove();
          model.splice(at, 1);
        }
      } else {
        assertEquals(list.insert(id), !has);
        if (!has) {
          list.setWord(0, n * 7);
          model.splice(at, 0, n);
        }
      }
      assertEquals(list.count, model.length);
      // The position is at the entry, or at the one after it.
      assertEquals(list.atEnd, at >= model.length);
      if (!list.atEnd) assertEquals(list.word(0), model[at] * 7);
      if (i % 10_000 === 0) assertEquals(wordsOf(list), model.map((each) => each * 7));
    }
    assertEquals(list.last(), model.length > 0);
    if (model.length > 0) assertEquals(list.word(0), model[model.length - 1] * 7);
    const copy = new IdList(new Ledger(slab), 1);
    copy.copyFrom(list);
    assertEquals(wordsOf(copy), wordsOf(list));
    copy.drop();
    list.drop();
  }
  assertEquals(slab.used, before);
});

function lowerBound(model: readonly number[], n: number): number {
  let low = 0;
  let high = model.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (model[middle] < n) low = middle + 1;
    else high = middle;
  }
  return low;
}

function wordsOf(list: IdList): number[] {
  const words: number[] = [];
  for (list.first(); !list.atEnd; list.next()) words.push(list.word(0));
  return words;
}

interface Entry {
  readonly id: bigint;
  readonly content: string;
}

/** The entries of a range as the cursor tells them. */
function entriesOf(stream: Stream, from: bigint, to: bigint, backwards: boolean): Entry[] {
  const cursor = new StreamCursor();
  const entries: Entry[] = [];
  cursor.start(stream, idOf(from), idOf(to), backwards);
  while (cursor.next()) {
    const words: string[] = [];
    for (let i = 0; i < cursor.fields; i++) {
      cursor.nextField();
      words.push(latin1(cursor.field.buf, cursor.field.off, cursor.field.len));
      words.push(latin1(cursor.value.buf, cursor.value.off, cursor.value.len));
    }
    entries.push({ id: whole(cursor.id), content: words.join("|") });
  }
  return entries;
}

function idOf(value: bigint): StreamId {
  return makeId(value >> 64n, value % TWO_64);
}

test("a stream is an array of entries: appended, deleted, trimmed, walked in both directions, copied", () => {
  const { slab } = makeKeyspace(3);
  const before = slab.used;
  let operations = 0;
  for (let seed = 1; operations < 60_000; seed++) {
    const random = new Seeded(seed);
    const limits = {
      streamNodeMaxBytes: random.pick([0, 64, 300, 4096]),
      streamNodeMaxEntries: random.pick([0, 1, 2, 5, 100]),
    };
    const stream = new Stream(slab);
    let model: Entry[] = [];
    let id = (random.pick(EDGES.slice(0, 8)) << 64n) + 1n;
    const shapes = [["f"], ["f", "g"], ["f", "g", "h"], [random.word(70, "ab")]];
    for (let i = 0; i < 4000; i++, operations++) {
      const choice = random.below(100);
      const some = (): bigint =>
        model.length > 0 && random.chance(0.9) ? random.pick(model).id : id + BigInt(random.between(-50, 50));
      if (choice < 70) {
        id += random.chance(0.5) ? 1n : BigInt(random.between(1, 1000)) << 64n;
        const words = random.pick(shapes).flatMap((
          field,
        ) => [field, random.pick(["", "7", "-300", "v".repeat(random.below(80))])]);
        stream.append(idOf(id), Args.of("XADD", ...words), 1, limits);
        model.push({ id, content: words.join("|") });
      } else if (choice < 85) {
        const gone = some();
        const at = model.findIndex((entry) => entry.id === gone);
        assertEquals(stream.delete(idOf(gone)), at >= 0);
        if (at >= 0) model.splice(at, 1);
        stream.refreshFirst();
      } else if (choice < 88) {
        const length = random.between(0, model.length * 2);
        const approximate = random.chance(0.5);
        const removed = stream.trim({ maxLength: length, minId: new StreamId(), approximate, limit: 0 });
        if (!approximate) assertEquals(removed, Math.max(0, model.length - length));
        assert(removed <= Math.max(0, model.length - length));
        model = model.slice(removed);
      } else if (choice < 91) {
        const minId = some();
        const removed = stream.trim({ maxLength: -1, minId: idOf(minId), approximate: false, limit: 0 });
        const kept = model.filter((entry) => entry.id >= minId);
        assertEquals(removed, model.length - kept.length);
        model = kept;
      } else {
        const [a, b] = [some(), some()];
        const expected = model.filter((entry) => entry.id >= a && entry.id <= b);
        assertEquals(entriesOf(stream, a, b, false), expected);
        assertEquals(entriesOf(stream, a, b, true), expected.reverse());
        assertEquals(stream.has(idOf(a)), model.some((entry) => entry.id === a));
      }
      assertEquals(stream.count, model.length);
      assertEquals(whole(stream.firstId), model.length > 0 ? model[0].id : 0n);
    }
    const block = new Block();
    const audit = new BlockAudit();
    for (let i = 0; i < stream.blocks.length; i++) {
      block.open(stream.blocks, i);
      assert(listpack.validate(block.buf, block.off, block.len, true));
      assert(audit.check(block.buf, block.off, block.len, block.id));
      assertEquals(audit.live, block.live);
      assertEquals(audit.goesBack, block.goesBack);
    }
    const all = entriesOf(stream, 0n, (TWO_64 << 64n) - 1n, false);
    assertEquals(all, model);
    const copy = stream.copy();
    stream.release();
    assertEquals(entriesOf(copy, 0n, (TWO_64 << 64n) - 1n, false), model);
    copy.release();
  }
  assertEquals(slab.used, before);
});

test("radix nodes are counted as a tree of the keys would have them", () => {
  const random = new Seeded(5);
  for (let i = 0; i < 300; i++) {
    const ids = new Map<string, StreamId>();
    for (let n = random.below(40); n > 0; n--) {
      const id = makeId(BigInt(random.below(3)) << BigInt(8 * random.below(8)), BigInt(random.below(600)));
      ids.set(id.text(), id);
    }
    const blocks = [...ids.values()].sort((a, b) => a.compare(b));
    const keys = blocks.map((id) => whole(id).toString(16).padStart(32, "0").match(/../g)!);
    assertEquals(
      radixNodes({ length: blocks.length, readId: (i, into) => into.copy(blocks[i]) }),
      keys.length === 0 ? 1 : treeNodes(keys, 0),
    );
  }
});

/** Nodes for keys that are the same up to byte `from`: a run of common bytes, then a leaf or a branch. */
function treeNodes(keys: readonly string[][], from: number): number {
  let depth = from;
  while (depth < 16 && keys.every((key) => key[depth] === keys[0][depth])) depth++;
  const run = depth > from ? 1 : 0;
  if (depth === 16) return run + 1;
  const branches = Map.groupBy(keys, (key) => key[depth]);
  let nodes = run + 1;
  for (const branch of branches.values()) nodes += treeNodes(branch, depth + 1);
  return nodes;
}
