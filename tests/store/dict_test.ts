/** Dict against a Map, the guarantee of SCAN while the table changes its size, and uniform random records. */

import { assert, assertEquals } from "@std/assert";
import { Dict, MAX_KEY_INSIDE } from "../../lib/store/dict.ts";
import { Slab } from "../../lib/store/slab.ts";
import { Xoshiro } from "../../lib/platform/random.ts";
import { test } from "../kit/test.ts";

/** Word 3 is the owner's, the key begins at byte 16. */
const KEY_AT = 16;

function ascii(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

class Table {
  readonly slab = new Slab();
  readonly dict: Dict;
  constructor(seed: number) {
    this.dict = new Dict(this.slab, KEY_AT, { k0: seed, k1: ~seed });
  }
  find(key: Uint8Array): number {
    // The key stands somewhere in a larger buffer, as in a request.
    const buf = new Uint8Array(key.length + 6).fill(33);
    buf.set(key, 3);
    return this.dict.find(buf, 3, key.length, this.dict.hash(buf, 3, key.length));
  }
  add(key: Uint8Array, value: number): number {
    const ref = this.slab.allocate(KEY_AT + Dict.keySize(key.length));
    this.dict.writeKey(ref, key, 0, key.length, this.dict.hash(key, 0, key.length));
    this.setValue(ref, value);
    this.dict.insert(ref);
    return ref;
  }
  remove(ref: number): void {
    this.dict.remove(ref);
    this.dict.freeKey(ref);
    this.slab.free(ref);
  }
  /** Puts the record into another block. */
  move(ref: number): void {
    const size = this.slab.capacity(ref);
    const moved = this.slab.allocate(size);
    const from = (ref & 0x7fff) * 8;
    this.slab.bytes[moved >>> 15].set(this.slab.bytes[ref >>> 15].subarray(from, from + size), (moved & 0x7fff) * 8);
    this.dict.replace(ref, moved);
    this.slab.free(ref);
  }
  value(ref: number): number {
    return this.slab.words[ref >>> 15][((ref & 0x7fff) << 1) + 3];
  }
  setValue(ref: number, value: number): void {
    this.slab.words[ref >>> 15][((ref & 0x7fff) << 1) + 3] = value;
  }
  key(ref: number): string {
    const off = this.dict.keyOffset(ref);
    const bytes = this.dict.keyBuffer(ref).subarray(off, off + this.dict.keyLength(ref));
    let text = "";
    for (const byte of bytes) text += String.fromCharCode(byte);
    return text;
  }
  /** Walks all buckets and compares with the model. */
  check(model: Map<string, number>): void {
    let seen = 0;
    for (let bucket = 0; bucket < this.dict.buckets; bucket++) {
      for (let ref = this.dict.first(bucket); ref !== 0; ref = this.dict.next(ref)) {
        seen++;
        if (this.dict.bucketOfRecord(ref) !== bucket) throw new Error("record in a wrong bucket");
        if (model.get(this.key(ref)) !== this.value(ref)) throw new Error(`wrong record ${this.key(ref)}`);
      }
    }
    assertEquals(seen, model.size);
  }
}

test("dict: a million random changes while the table grows and shrinks", () => {
  const random = new Xoshiro(31, null);
  const table = new Table(5);
  const model = new Map<string, number>();
  const { dict, slab } = table;
  let limit = 50_000;
  let growing = true;
  for (let step = 0; step < 1_200_000; step++) {
    if (dict.count >= limit) {
      growing = false;
      limit = [100, 3000, 50_000][random.below(3)];
    }
    if (dict.count === 0) growing = true;
    const number = random.below(limit + 10_000);
    const name = number % 3 === 0 ? `k${number}` : `key:${number}:${"x".repeat(number % 50)}`;
    const key = ascii(name);
    const ref = table.find(key);
    const value = model.get(name);
    if ((ref !== 0) !== (value !== undefined)) throw new Error(`step ${step}: ${name} is ${ref}`);
    if (ref !== 0 && table.value(ref) !== value) throw new Error(`step ${step}: wrong value`);
    const kind = random.below(10);
    if (kind < (growing ? 8 : 2)) {
      if (ref === 0) table.add(key, step);
      else table.setValue(ref, step);
      model.set(name, step);
    } else if (kind < 9) {
      if (ref !== 0) table.remove(ref);
      model.delete(name);
      if (!growing && dict.count > 0) {
        // Misses are frequent; so that it shrinks, take another one.
        const other = dict.random(random);
        model.delete(table.key(other));
        table.remove(other);
      }
    } else if (ref !== 0) table.move(ref);
    if (dict.count !== model.size) throw new Error(`step ${step}: ${dict.count} records`);
    if (dict.count > dict.buckets || (dict.count < dict.buckets >>> 2 && dict.buckets > 4)) {
      throw new Error(`step ${step}: ${dict.buckets} buckets for ${dict.count} records`);
    }
    if (step % 60_000 === 0) table.check(model);
  }
  table.check(model);
  assert(dict.overhead <= dict.buckets * 8 + 16384 * 4);
  while (dict.count > 0) {
    const ref = dict.random(random);
    model.delete(table.key(ref));
    table.remove(ref);
  }
  assertEquals([model.size, slab.used, dict.buckets], [0, 0, 4]);
});

test("dict: keys that live outside their record, and keys of all lengths", () => {
  const random = new Xoshiro(32, null);
  const table = new Table(6);
  const model = new Map<string, number>();
  const keys: Uint8Array[] = [];
  for (const length of [0, 1, 4, 5, MAX_KEY_INSIDE - 1, MAX_KEY_INSIDE, MAX_KEY_INSIDE + 1, 5000, 70_000, 1_000_000]) {
    for (let i = 0; i < (length > 1 ? 4 : 1); i++) {
      const key = random.bytes(length);
      keys.push(key);
      // The same but for the last byte.
      if (length > 0) keys.push(key.map((byte, at) => at === length - 1 ? byte ^ 1 : byte));
    }
  }
  keys.forEach((key, i) => {
    assertEquals(table.find(key), 0);
    model.set(table.key(table.add(key, i)), i);
  });
  table.check(model);
  for (const [i, key] of keys.entries()) {
    const ref = table.find(key);
    assertEquals(table.value(ref), i);
    assertEquals(table.dict.keyLength(ref), key.length);
    if (i % 2 === 0) table.move(ref);
  }
  table.check(model);
  assert(table.slab.used > 8_000_000);
  for (const key of keys) table.remove(table.find(key));
  assertEquals([table.slab.used, table.dict.count], [0, 0]);
});

test("dict: SCAN returns everything that is there from the first call to the last", () => {
  const random = new Xoshiro(33, null);
  for (let round = 0; round < 120; round++) {
    const table = new Table(round);
    const { dict } = table;
    // Between those numbers of records the table is driven during the scan.
    const start = [10, 100, 2000, 9000, 20_000][random.below(5)];
    const end = [10, 100, 2000, 9000, 20_000][random.below(5)];
    const steady: number[] = [];
    const passing: number[] = [];
    const keep = Math.min(start, end) >>> 1;
    for (let i = 0; i < start; i++) {
      const ref = table.add(ascii(`${i}`), i);
      (i < keep ? steady : passing).push(ref);
    }
    let name = start;
    const returned = new Set<number>();
    let cursor = 0;
    let calls = 0;
    const burst = Math.max(1, Math.abs(end - start) / (1 + random.below(200)) | 0);
    do {
      cursor = dict.scan(cursor, (ref) => {
        if (table.value(ref) < keep) returned.add(table.value(ref));
      });
      assert(cursor >= 0 && cursor <= 0xffffffff);
      for (let i = 0; i < burst; i++) {
        if (dict.count < end) passing.push(table.add(ascii(`${name}`), name++));
        else if (dict.count > end && passing.length > 0) table.remove(passing.pop()!);
      }
      if (random.below(2000) === 0) {
        // Back and forth.
        for (let i = passing.length >>> 1; i > 0; i--) table.remove(passing.pop()!);
      }
      if (++calls > 300_000) throw new Error("scan does not end");
    } while (cursor !== 0);
    for (let i = 0; i < keep; i++) if (!returned.has(i)) throw new Error(`round ${round}: ${i} was not returned`);
  }
});

test("dict: SCAN of a table at rest returns everything once", () => {
  for (const size of [0, 1, 4, 5, 7, 100, 1000, 16_383, 16_385, 40_000]) {
    const table = new Table(size);
    for (let i = 0; i < size; i++) table.add(ascii(`${i}`), i);
    const returned = new Uint8Array(size);
    let cursor = 0;
    do cursor = table.dict.scan(cursor, (ref) => returned[table.value(ref)]++); while (cursor !== 0);
    assert(returned.every((times) => times === 1));
  }
});

test("dict: random records are uniform, those in long chains too", () => {
  const random = new Xoshiro(34, null);
  const uniform = (table: Table, size: number) => {
    const draws = size * 200;
    const hits = new Int32Array(size);
    for (let i = 0; i < draws; i++) hits[table.value(table.dict.random(random))]++;
    let chi = 0;
    for (const n of hits) chi += (n - 200) ** 2 / 200;
    // Chi-square is nearly normal with `size - 1` degrees of freedom: four standard deviations.
    const bound = size - 0.9 + 4 * Math.sqrt(2 * (size - 1));
    assert(chi < bound, `chi-square ${chi} of ${size}`);
  };
  for (const size of [1, 2, 5, 100, 1000, 1023, 1500]) {
    const table = new Table(size + 100);
    for (let i = 0; i < size; i++) table.add(ascii(`${i}`), i);
    uniform(table, size);
  }
  // A frozen table has long chains.
  const table = new Table(7);
  for (let i = 0; i < 64; i++) table.add(ascii(`${i}`), i);
  table.dict.frozen = true;
  for (let i = 64; i < 600; i++) table.add(ascii(`${i}`), i);
  uniform(table, 600);
});

test("dict: a frozen table keeps its buckets and catches up afterwards", () => {
  const random = new Xoshiro(35, null);
  const table = new Table(8);
  const model = new Map<string, number>();
  const { dict } = table;
  let number = 0;
  const add = () => {
    model.set(`${number}`, number);
    table.add(ascii(`${number}`), number++);
  };
  const removeOne = () => {
    const ref = dict.random(random);
    model.delete(table.key(ref));
    table.remove(ref);
  };
  while (number < 1000) add();
  dict.frozen = true;
  const buckets = dict.buckets;
  while (number < 3000) add();
  assertEquals(dict.buckets, buckets);
  dict.frozen = false;
  while (number < 5100) add();
  assert(dict.count <= dict.buckets, `${dict.buckets} buckets for ${dict.count} records`);
  table.check(model);
  dict.frozen = true;
  while (dict.count > 500) removeOne();
  dict.frozen = false;
  while (dict.settle(100) === false);
  assert(dict.count >= dict.buckets >>> 2);
  table.check(model);
  dict.frozen = true;
  for (let i = 0; i < 20_000; i++) add();
  assert(dict.settle(1));
  dict.frozen = false;
  let calls = 0;
  while (!dict.settle(1000)) calls++;
  assert(calls >= 15, `settled in ${calls} calls`);
  assert(dict.count <= dict.buckets);
  table.check(model);
  dict.reset();
  assertEquals([dict.count, dict.buckets, dict.first(0)], [0, 4, 0]);
});
