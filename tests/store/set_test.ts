/** Sets against a plain JavaScript set, through all encodings and back into new keys; their memory; their random members. */

import { assert, assertEquals } from "@std/assert";
import { Args } from "../../lib/bytes/args.ts";
import { fromLatin1, latin1 } from "../../lib/bytes/ascii.ts";
import { encodingName } from "../../lib/store/encoding.ts";
import { Type } from "../../lib/store/record.ts";
import { SetTable, SetView } from "../../lib/store/types/set.ts";
import { Seeded } from "../kit/seeded.ts";
import { test } from "../kit/test.ts";
import { makeKeyspace } from "./fixture.ts";

function drawMember(random: Seeded, spread: number): string {
  switch (random.below(12)) {
    case 0:
      return random.word(random.between(0, 20));
    case 1:
      return random.pick(["", "-0", "007", "9223372036854775807", "-9223372036854775808", "9223372036854775808"]);
    case 2:
      if (random.chance(0.02)) return random.word(random.pick([63, 64, 65]), "ab");
      return random.chance(0.01) ? random.word(random.pick([4095, 4096, 4097, 20000]), "ab") : random.binary(5);
    default:
      return String(random.between(-spread, spread));
  }
}

function membersOf(set: SetView): string[] {
  const members: string[] = [];
  for (set.rewind(); set.next();) {
    set.member.asText();
    members.push(latin1(set.member.buf, set.member.off, set.member.len));
  }
  return members;
}

test("a set does what a plain set does, in all encodings", () => {
  const keyspace = makeKeyspace(7);
  const db = keyspace.databases[0];
  const random = new Seeded(20240);
  const key = Args.of("key");
  const set = new SetView();
  const forms = new Set<string>();
  const start = keyspace.slab.used;
  for (let round = 0; round < 60; round++) {
    const model = new Set<string>();
    const spread = random.pick([5, 60, 2000, 40000]);
    const integersOnly = random.chance(0.4);
    const growth = random.pick([0.4, 0.55, 0.8]);
    set.limits = { setMaxIntsetEntries: random.pick([0, 8, 512, 100000]) };
    let ref = 0;
    for (let step = 0; step < 8000; step++) {
      const member = integersOnly ? String(random.between(-spread, spread)) : drawMember(random, spread);
      const bytes = fromLatin1(member);
      if (random.chance(growth)) {
        if (ref === 0) set.addKey(db, key, 0);
        else set.open(db, ref);
        const isNew = set.add(bytes, 0, bytes.length);
        assertEquals(isNew, !model.has(member));
        model.add(member);
        ref = set.ref;
      } else if (ref !== 0) {
        set.open(db, ref);
        assertEquals(set.has(bytes, 0, bytes.length), model.has(member));
        if (random.chance(0.1)) {
          set.random(keyspace.random);
          set.member.asText();
          const drawn = latin1(set.member.buf, set.member.off, set.member.len);
          assert(model.delete(drawn), drawn);
          set.removeMember();
        } else assertEquals(set.remove(bytes, 0, bytes.length), model.delete(member));
        ref = set.ref;
        if (set.count === 0) {
          db.remove(ref);
          ref = 0;
        }
      }
      if (ref !== 0) assertEquals(set.open(db, ref).count, model.size);
      if (set.table === null && ref !== 0) {
        const integers = encodingName(db, ref) === "intset";
        forms.add(integers ? "intset" : "listpack");
        assert(model.size <= (integers ? set.limits.setMaxIntsetEntries : 32));
      }
    }
    if (ref === 0) continue;
    assertEquals(db.find(key, 0), ref);
    assertEquals(membersOf(set.open(db, ref)).sort(), [...model].sort());
    if (set.table !== null) {
      const copy = set.table.copy();
      const copied = db.addObject(Args.of("copy"), 0, Type.SET, copy);
      assertEquals(membersOf(set.open(db, copied)).sort(), [...model].sort());
      db.remove(copied);
    }
    db.remove(ref);
    keyspace.reap(1);
    while (keyspace.graveyard.length > 0) keyspace.reap(1);
    assertEquals(keyspace.slab.used, start);
  }
  assertEquals([...forms].sort(), ["intset", "listpack"]);
});

test("walks, lookups by another set's member, and sets in no database agree", () => {
  const keyspace = makeKeyspace(8);
  const random = new Seeded(99);
  for (let round = 0; round < 300; round++) {
    const models = [new Set<string>(), new Set<string>()];
    const sets = models.map((model) => {
      const set = new SetView();
      set.limits = { setMaxIntsetEntries: 20 };
      set.create(keyspace);
      const integersOnly = random.chance(0.5);
      for (let i = random.below(60); i >= 0; i--) {
        const member = integersOnly ? String(random.between(-30, 30)) : drawMember(random, 30);
        const bytes = fromLatin1(member);
        set.add(bytes, 0, bytes.length);
        model.add(member);
      }
      return set;
    });
    const both: string[] = [];
    const [a, b] = sets;
    for (a.rewind(); a.next();) {
      const shared = b.hasMemberOf(a);
      a.member.asText();
      if (shared) both.push(latin1(a.member.buf, a.member.off, a.member.len));
    }
    assertEquals(both.sort(), [...models[0]].filter((member) => models[1].has(member)).sort());
    for (a.rewind(); a.next();) b.addMemberOf(a);
    assertEquals(membersOf(b).sort(), [...new Set([...models[0], ...models[1]])].sort());
    for (a.rewind(); a.next();) assert(b.removeMemberOf(a));
    assertEquals(membersOf(b).sort(), [...models[1]].filter((member) => !models[0].has(member)).sort());
    a.drop();
    b.drop();
  }
  assertEquals(keyspace.slab.used, 0);
});

test("a large set takes no more memory for each member than a member and 16 bytes, rounded up", () => {
  const keyspace = makeKeyspace(9);
  const table = new SetTable(keyspace);
  for (let i = 0; i < 50_000; i++) {
    const member = fromLatin1(`member:${String(i).padStart(6, "0")}`);
    table.add(member, 0, member.length);
  }
  assertEquals(keyspace.slab.used, table.memory());
  assert(table.memory() < 50_000 * 38, String(table.memory()));
  assert(table.release(Infinity));
  assertEquals(keyspace.slab.used, 0);
});

test("all members are equally likely to be drawn, and a seed gives the same members again", () => {
  for (const [size, kind] of [[10, "intset"], [10, "listpack"], [100, "table"], [700, "table"]] as const) {
    const keyspace = makeKeyspace(size);
    const set = new SetView();
    set.create(keyspace);
    for (let i = 0; i < size; i++) {
      const member = fromLatin1(kind === "intset" ? String(i) : `m${i}`);
      set.add(member, 0, member.length);
    }
    const drawn = new Map<number, number>();
    const draws = size * 400;
    for (let i = 0; i < draws; i++) {
      const place = set.random(keyspace.random);
      drawn.set(place, (drawn.get(place) ?? 0) + 1);
    }
    let chi = 0;
    for (const count of drawn.values()) chi += (count - 400) ** 2 / 400;
    chi += (size - drawn.size) * 400;
    // Degrees of freedom plus six standard deviations.
    assert(chi < size + 6 * Math.sqrt(2 * size), `${size}: ${chi}`);
    keyspace.random.seed(5);
    const first = [0, 1, 2, 3].map(() => set.random(keyspace.random));
    keyspace.random.seed(5);
    assertEquals([0, 1, 2, 3].map(() => set.random(keyspace.random)), first);
  }
});
