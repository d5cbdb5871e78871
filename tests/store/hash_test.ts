/** Hashes against a plain JavaScript map, through both encodings; their memory; their random fields. */

import { assert, assertEquals } from "@std/assert";
import { Args } from "../../lib/bytes/args.ts";
import { fromLatin1, latin1 } from "../../lib/bytes/ascii.ts";
import { Type } from "../../lib/store/record.ts";
import { HashTable, HashView } from "../../lib/store/types/hash.ts";
import { Seeded } from "../kit/seeded.ts";
import { test } from "../kit/test.ts";
import { makeKeyspace } from "./fixture.ts";

function drawText(random: Seeded, spread: number, longest: number): string {
  switch (random.below(10)) {
    case 0:
      return random.word(random.between(0, 70));
    case 1:
      return random.pick(["", "-0", "007", "9223372036854775807", "-9223372036854775808", "9223372036854775808"]);
    case 2:
      if (!random.chance(0.02)) return random.binary(random.below(12));
      return random.word(random.pick([4096, 4097, 16000, 16384, 40000].filter((length) => length <= longest)), "ab");
    case 3:
      return `f${random.below(spread)}`;
    default:
      return String(random.between(-spread, spread));
  }
}

function pairsOf(hash: HashView): string[] {
  const pairs: string[] = [];
  for (hash.rewind(); hash.next();) {
    const { field, value } = hash;
    field.asText();
    value.asText();
    pairs.push(`${latin1(field.buf, field.off, field.len)}=${latin1(value.buf, value.off, value.len)}`);
  }
  return pairs.sort();
}

function pairsOfModel(model: Map<string, string>): string[] {
  return [...model].map(([field, value]) => `${field}=${value}`).sort();
}

test("a hash does what a plain map does, in both encodings", () => {
  const keyspace = makeKeyspace(17);
  const db = keyspace.databases[0];
  const random = new Seeded(20241);
  const key = Args.of("key");
  const hash = new HashView();
  const start = keyspace.slab.used;
  for (let round = 0; round < 60; round++) {
    const model = new Map<string, string>();
    const spread = random.pick([5, 60, 2000, 20000]);
    const growth = random.pick([0.45, 0.6, 0.85]);
    const maxEntries = random.pick([0, 8, 128, 512]);
    hash.limits = { hashMaxListpackEntries: maxEntries, hashMaxListpackValue: random.pick([0, 20, 64, 64, 5000]) };
    let ref = 0;
    for (let step = 0; step < 8000; step++) {
      const field = drawText(random, spread, 4097);
      const bytes = fromLatin1(field);
      if (random.chance(growth)) {
        const value = drawText(random, spread, 40000);
        const valueBytes = fromLatin1(value);
        if (ref === 0) hash.addKey(db, key, 0);
        else hash.open(db, ref);
        const isNew = hash.set(bytes, 0, bytes.length, valueBytes, 0, valueBytes.length);
        assertEquals(isNew, !model.has(field));
        model.set(field, value);
        ref = hash.ref;
      } else if (ref !== 0) {
        hash.open(db, ref);
        const expected = model.get(field);
        assertEquals(hash.has(bytes, 0, bytes.length), expected !== undefined);
        assertEquals(hash.find(bytes, 0, bytes.length), expected !== undefined);
        if (expected !== undefined) {
          hash.value.asText();
          assertEquals(latin1(hash.value.buf, hash.value.off, hash.value.len), expected);
        }
        if (random.chance(0.5)) {
          assertEquals(hash.delete(bytes, 0, bytes.length), model.delete(field));
          ref = hash.ref;
          if (hash.count === 0) {
            db.remove(ref);
            ref = 0;
          }
        } else {
          hash.random(keyspace.random);
          hash.field.asText();
          hash.value.asText();
          const drawn = latin1(hash.field.buf, hash.field.off, hash.field.len);
          assertEquals(model.get(drawn), latin1(hash.value.buf, hash.value.off, hash.value.len));
        }
      }
      if (ref !== 0) assertEquals(hash.open(db, ref).count, model.size);
      if (ref !== 0 && hash.table === null) assert(model.size <= maxEntries);
    }
    if (ref === 0) continue;
    assertEquals(db.find(key, 0), ref);
    assertEquals(pairsOf(hash.open(db, ref)), pairsOfModel(model));
    if (hash.table !== null) {
      const copy = hash.table.copy();
      const copied = db.addObject(Args.of("copy"), 0, Type.HASH, copy);
      assertEquals(pairsOf(hash.open(db, copied)), pairsOfModel(model));
      db.remove(copied);
    }
    db.remove(ref);
    while (keyspace.graveyard.length > 0) keyspace.reap(1);
    assertEquals(keyspace.slab.used, start);
  }
});

test("a large hash takes no more memory for each field than field, value and 20 bytes, rounded up", () => {
  const keyspace = makeKeyspace(19);
  const table = new HashTable(keyspace);
  for (let i = 0; i < 50_000; i++) {
    const field = fromLatin1(`field:${String(i).padStart(6, "0")}`);
    const value = fromLatin1(`value:${String(i).padStart(8, "0")}`);
    table.set(field, 0, field.length, value, 0, value.length);
  }
  assertEquals(keyspace.slab.used, table.memory());
  assert(table.memory() < 50_000 * 54, String(table.memory()));
  assert(table.release(Infinity));
  assertEquals(keyspace.slab.used, 0);
});

test("all fields are equally likely to be drawn", () => {
  for (const size of [10, 100, 700]) {
    const keyspace = makeKeyspace(size);
    const hash = new HashView();
    hash.create(keyspace);
    for (let i = 0; i < size; i++) {
      const field = fromLatin1(`f${i}`);
      hash.set(field, 0, field.length, field, 0, field.length);
    }
    const drawn = new Map<number, number>();
    for (let i = 0; i < size * 400; i++) {
      const place = hash.random(keyspace.random);
      drawn.set(place, (drawn.get(place) ?? 0) + 1);
    }
    let chi = (size - drawn.size) * 400;
    for (const count of drawn.values()) chi += (count - 400) ** 2 / 400;
    assert(chi < size + 6 * Math.sqrt(2 * size), `${size}: ${chi}`);
  }
});
