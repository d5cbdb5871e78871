/**
 * Sets: members one by one, random members, and walking through all. Intersections and the like are in set_algebra.ts; how a set is
 * stored is hidden by `SetView` (store/types/set.ts).
 */

import type { Client } from "../engine/client.ts";
import { type Command, command } from "../engine/command.ts";
import { NOT_POSITIVE, SYNTAX, WRONGTYPE } from "../resp/errors.ts";
import { EventClass, keyEvent } from "../store/events.ts";
import { Type } from "../store/record.ts";
import type { ListpackCursor } from "../store/types/listpack.ts";
import { SetView } from "../store/types/set.ts";
import { Draw, parseRandomCount, replyRandomElements } from "./random_elements.ts";
import { scanCollection } from "./scan.ts";

const SADD = keyEvent(EventClass.SET, "sadd");
const SREM = keyEvent(EventClass.SET, "srem");
const SPOP = keyEvent(EventClass.SET, "spop");

/** The set of the command that is being run, and a second one where it needs that. */
const set = new SetView();
const other = new SetView();
/** A set that is being made. */
const result = new SetView();
const draw = new Draw();

const sadd = command({
  name: "sadd",
  arity: -3,
  flags: "write denyoom fast",
  keys: "1 RW insert",
  acl: "set",
  since: "1.0.0",
  group: "set",
  complexity:
    "O(1) for each element added, so O(N) to add N elements when the command is called with multiple arguments.",
  summary: "Add one or more members to a set",
  syntax: "key member [member ...]",
  history: ["2.4.0 Accepts multiple `member` arguments."],
  run(c) {
    const { args: a, db } = c;
    const ref = c.writeTyped(1, Type.SET);
    if (ref < 0) return;
    set.limits = c.engine.config.values;
    if (ref === 0) set.addKey(db, a, 1);
    else set.open(db, ref);
    let added = 0;
    for (let i = 2; i < a.argc; i++) if (set.add(a.buf, a.off[i], a.len[i])) added++;
    if (added > 0) db.changed(a, 1, SADD, added);
    c.reply.int(added);
  },
});

const scard = command({
  name: "scard",
  arity: 2,
  flags: "readonly fast",
  keys: "1 RO",
  acl: "set",
  since: "1.0.0",
  group: "set",
  complexity: "O(1)",
  summary: "Get the number of members in a set",
  syntax: "key",
  run(c) {
    const ref = c.readTyped(1, Type.SET);
    if (ref < 0) return;
    c.reply.int(ref === 0 ? 0 : set.open(c.db, ref).count);
  },
});

const sismember = command({
  name: "sismember",
  arity: 3,
  flags: "readonly fast",
  keys: "1 RO",
  acl: "set",
  since: "1.0.0",
  group: "set",
  complexity: "O(1)",
  summary: "Determine if a given value is a member of a set",
  syntax: "key member",
  run(c) {
    const { args: a } = c;
    const ref = c.readTyped(1, Type.SET);
    if (ref < 0) return;
    c.reply.int(ref !== 0 && set.open(c.db, ref).has(a.buf, a.off[2], a.len[2]) ? 1 : 0);
  },
});

const smembers = command({
  name: "smembers",
  arity: 2,
  flags: "readonly",
  keys: "1 RO access",
  acl: "set",
  since: "1.0.0",
  group: "set",
  complexity: "O(N) where N is the set cardinality.",
  summary: "Get all the members in a set",
  syntax: "key",
  tips: "nondeterministic_output_order",
  run(c) {
    const ref = c.readTyped(1, Type.SET);
    if (ref < 0) return;
    if (ref === 0) return c.reply.set(0);
    replyAll(c, set.open(c.db, ref));
  },
});

const smismember = command({
  name: "smismember",
  arity: -3,
  flags: "readonly fast",
  keys: "1 RO access",
  acl: "set",
  since: "6.2.0",
  group: "set",
  complexity: "O(N) where N is the number of elements being checked for membership",
  summary: "Returns the membership associated with the given elements for a set",
  syntax: "key member [member ...]",
  run(c) {
    const { args: a, reply } = c;
    const ref = c.readTyped(1, Type.SET);
    if (ref < 0) return;
    if (ref !== 0) set.open(c.db, ref);
    reply.array(a.argc - 2);
    for (let i = 2; i < a.argc; i++) reply.int(ref !== 0 && set.has(a.buf, a.off[i], a.len[i]) ? 1 : 0);
  },
});

const smove = command({
  name: "smove",
  arity: 4,
  flags: "write fast",
  acl: "set",
  since: "1.0.0",
  group: "set",
  keys: ["1 RW access delete", "2 RW insert"],
  complexity: "O(1)",
  summary: "Move a member from one set to another",
  syntax: "source destination member",
  run(c) {
    const { args: a, db, reply } = c;
    const from = db.lookupWrite(a, 1);
    const to = db.lookupWrite(a, 2);
    if (from === 0) return reply.int(0);
    if (db.type(from) !== Type.SET || (to !== 0 && db.type(to) !== Type.SET)) return reply.error(WRONGTYPE);
    set.open(db, from);
    if (from === to) return reply.int(set.has(a.buf, a.off[3], a.len[3]) ? 1 : 0);
    if (!set.remove(a.buf, a.off[3], a.len[3])) return reply.int(0);
    db.shrunk(a, 1, set.ref, set.count === 0, SREM);
    other.limits = c.engine.config.values;
    if (to === 0) other.addKey(db, a, 2);
    else other.open(db, to);
    if (other.add(a.buf, a.off[3], a.len[3])) db.changed(a, 2, SADD);
    reply.int(1);
  },
});

const spop = command({
  name: "spop",
  arity: -2,
  flags: "write fast",
  keys: "1 RW access delete",
  acl: "set",
  since: "1.0.0",
  group: "set",
  complexity: "Without the count argument O(1), otherwise O(N) where N is the value of the passed count.",
  summary: "Remove and return one or multiple random members from a set",
  syntax: "key [count@3.2.0]",
  history: ["3.2.0 Added the `count` argument."],
  tips: "nondeterministic_output",
  run(c) {
    const { args: a, db, reply } = c;
    if (a.argc > 3) return reply.error(SYNTAX);
    if (a.argc === 3) return popMany(c);
    const ref = c.writeTyped(1, Type.SET);
    if (ref < 0) return;
    if (ref === 0) return reply.null();
    const { member } = set.open(db, ref);
    set.random(c.engine.keyspace.random);
    // Once removed its bytes are gone.
    member.writeTo(reply);
    const { propagation } = c.engine;
    if (propagation.active) propagation.rewrite("SREM", a.bytes(1), bytesOf(member));
    set.removeMember();
    db.shrunk(a, 1, set.ref, set.count === 0, SPOP);
  },
});

const srandmember = command({
  name: "srandmember",
  arity: -2,
  flags: "readonly",
  keys: "1 RO access",
  acl: "set",
  since: "1.0.0",
  group: "set",
  complexity: "Without the count argument O(1), otherwise O(N) where N is the absolute value of the passed count.",
  summary: "Get one or multiple random members from a set",
  syntax: "key [count@2.6.0]",
  history: ["2.6.0 Added the optional `count` argument."],
  tips: "nondeterministic_output",
  run(c) {
    const { args: a, reply } = c;
    if (a.argc > 3) return reply.error(SYNTAX);
    if (a.argc === 3) return replyRandomMembers(c);
    const ref = c.readTyped(1, Type.SET);
    if (ref < 0) return;
    if (ref === 0) return reply.null();
    set.open(c.db, ref).random(c.engine.keyspace.random);
    replyMember(c);
  },
});

const srem = command({
  name: "srem",
  arity: -3,
  flags: "write fast",
  keys: "1 RW delete",
  acl: "set",
  since: "1.0.0",
  group: "set",
  complexity: "O(N) where N is the number of members to be removed.",
  summary: "Remove one or more members from a set",
  syntax: "key member [member ...]",
  history: ["2.4.0 Accepts multiple `member` arguments."],
  run(c) {
    const { args: a, db } = c;
    const ref = c.writeTyped(1, Type.SET);
    if (ref < 0) return;
    if (ref === 0) return c.reply.int(0);
    set.open(db, ref);
    const { count } = set;
    let removed = 0;
    for (let i = 2; i < a.argc && removed < count; i++) if (set.remove(a.buf, a.off[i], a.len[i])) removed++;
    if (removed > 0) db.shrunk(a, 1, set.ref, removed === count, SREM, removed);
    c.reply.int(removed);
  },
});

const sscan = command({
  name: "sscan",
  arity: -3,
  flags: "readonly",
  keys: "1 RO access",
  acl: "set",
  since: "2.8.0",
  group: "set",
  complexity:
    "O(1) for every call. O(N) for a complete iteration, including enough command calls for the cursor to return back to 0. N is the number of elements inside the collection..",
  summary: "Incrementally iterate Set elements",
  syntax: "key cursor [MATCH pattern] [COUNT count]",
  tips: "nondeterministic_output",
  run: (c) => scanCollection(c, set, set.member, 1, replyMember),
});

export const commands: Command[] = [
  sadd,
  scard,
  sismember,
  smembers,
  smismember,
  smove,
  spop,
  srandmember,
  srem,
  sscan,
];

function replyMember(c: Client): void {
  set.member.writeTo(c.reply);
}

function bytesOf(member: ListpackCursor): Uint8Array {
  return member.buf.slice(member.off, member.off + member.len);
}

/** All members of a set. */
export function replyAll(c: Client, members: SetView): void {
  c.reply.set(members.count);
  for (members.rewind(); members.next();) members.member.writeTo(c.reply);
}

// ---- Random members --------------------------------------------------------------------------------------------------------------

/** SPOP with a count. */
function popMany(c: Client): void {
  const { args: a, db, reply } = c;
  const { keyspace, propagation } = c.engine;
  const count = a.int(2);
  if (!(count >= 0)) return reply.error(NOT_POSITIVE);
  const ref = c.writeTyped(1, Type.SET);
  if (ref < 0) return;
  if (ref === 0 || count === 0) return reply.set(0);
  const size = set.open(db, ref).count;
  if (count >= size) {
    // Redis reads the set by way of SUNION, which counts as a hit of its own.
    keyspace.hits++;
    replyAll(c, set);
    db.shrunk(a, 1, set.ref, true, SPOP, size);
    if (propagation.active) propagation.rewrite("DEL", a.bytes(1));
    return;
  }
  reply.set(count);
  const key = propagation.active ? a.bytes(1) : null;
  if ((size - count) * 5 > count) {
    for (let i = 0; i < count; i++) {
      set.random(keyspace.random);
      replyMember(c);
      if (key !== null) propagation.also(db.index, "SREM", key, bytesOf(set.member));
      set.removeMember();
    }
  } else {
    // Few will stay: they become a set of their own.
    result.limits = c.engine.config.values;
    result.create(keyspace);
    draw.start(count, size);
    for (set.rewind(); set.next();) {
      if (!draw.next(keyspace.random)) {
        result.addMemberOf(set);
        continue;
      }
      replyMember(c);
      if (key !== null) propagation.also(db.index, "SREM", key, bytesOf(set.member));
    }
    result.replace(db, set.ref);
  }
  propagation.suppress();
  db.changed(a, 1, SPOP, count);
}

/** SRANDMEMBER with a count; a negative one draws with replacement. */
function replyRandomMembers(c: Client): void {
  const count = parseRandomCount(c, 2);
  if (count !== count) return;
  const ref = c.readTyped(1, Type.SET);
  if (ref < 0) return;
  if (ref === 0 || count === 0) return c.reply.array(0);
  set.open(c.db, ref).rewind();
  replyRandomElements(c, set, count, false, replyMember);
}
