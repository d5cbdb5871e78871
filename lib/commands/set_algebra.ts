/**
 * Intersections, unions and differences of sets, as replies and stored.
 *
 * An intersection walks the smallest set and looks its members up in the others; a difference does whichever is less work: looking up,
 * or taking away from a copy.
 */

import { lower } from "../bytes/ascii.ts";
import type { Client } from "../engine/client.ts";
import { type Command, command } from "../engine/command.ts";
import { errorReply, LIMIT_NEGATIVE, NUMKEYS_NOT_POSITIVE, SYNTAX } from "../resp/errors.ts";
import { EventClass, type KeyEvent, keyEvent } from "../store/events.ts";
import { Type } from "../store/record.ts";
import { SetView } from "../store/types/set.ts";
import { replyAll } from "./set.ts";

const SINTERSTORE = keyEvent(EventClass.SET, "sinterstore");
const SUNIONSTORE = keyEvent(EventClass.SET, "sunionstore");
const SDIFFSTORE = keyEvent(EventClass.SET, "sdiffstore");

const TOO_MANY_KEYS = errorReply("ERR Number of keys can't be greater than number of args");

const LIMIT = lower("limit");

/** So many looks into another set for each member cost as much as adding the member to a result and freeing that. */
const LOOKS = 4;

/** The sets of SINTER, SUNION and SDIFF; the views are kept for the next time. */
const views: SetView[] = [];
/** Records that the views are bound to, 0 for a key that is not there. */
const refs: number[] = [];
/** A set that is being made. */
const result = new SetView();

const sdiff = command({
  name: "sdiff",
  arity: -2,
  flags: "readonly",
  keys: "1:-1 RO access",
  acl: "set",
  since: "1.0.0",
  group: "set",
  complexity: "O(N) where N is the total number of elements in all given sets.",
  summary: "Subtract multiple sets",
  syntax: "key [key ...]",
  tips: "nondeterministic_output_order",
  run(c) {
    if (openAll(c, 1, c.args.argc)) difference(c, false);
  },
});

const sdiffstore = command({
  name: "sdiffstore",
  arity: -3,
  flags: "write denyoom",
  acl: "set",
  since: "1.0.0",
  group: "set",
  keys: ["1 OW update", "2:-1 RO access"],
  complexity: "O(N) where N is the total number of elements in all given sets.",
  summary: "Subtract multiple sets and store the resulting set in a key",
  syntax: "destination key [key ...]",
  run(c) {
    if (openAll(c, 2, c.args.argc)) difference(c, true);
  },
});

const sinter = command({
  name: "sinter",
  arity: -2,
  flags: "readonly",
  keys: "1:-1 RO access",
  acl: "set",
  since: "1.0.0",
  group: "set",
  complexity: "O(N*M) worst case where N is the cardinality of the smallest set and M is the number of sets.",
  summary: "Intersect multiple sets",
  syntax: "key [key ...]",
  tips: "nondeterministic_output_order",
  run(c) {
    if (openAll(c, 1, c.args.argc)) intersection(c);
  },
});

const sintercard = command({
  name: "sintercard",
  arity: -3,
  flags: "readonly",
  keys: "#1 RO access",
  acl: "set",
  since: "7.0.0",
  group: "set",
  complexity: "O(N*M) worst case where N is the cardinality of the smallest set and M is the number of sets.",
  summary: "Intersect multiple sets and return the cardinality of the result",
  syntax: "numkeys key [key ...] [LIMIT limit:integer]",
  run(c) {
    const { args: a, reply } = c;
    const keys = a.int(1);
    if (!(keys >= 1)) return reply.error(NUMKEYS_NOT_POSITIVE);
    if (keys > a.argc - 2) return reply.error(TOO_MANY_KEYS);
    let limit = 0;
    for (let i = 2 + keys; i < a.argc; i += 2) {
      if (!a.is(i, LIMIT) || i + 1 === a.argc) return reply.error(SYNTAX);
      limit = a.int(i + 1);
      if (!(limit >= 0)) return reply.error(LIMIT_NEGATIVE);
    }
    if (!openAll(c, 2, 2 + keys)) return;
    let count = 0;
    const sets = smallestFirst();
    if (sets > 0) {
      for (views[0].rewind(); (limit === 0 || count < limit) && views[0].step();) if (isInAll(sets)) count++;
    }
    reply.int(count);
  },
});

const sinterstore = command({
  name: "sinterstore",
  arity: -3,
  flags: "write denyoom",
  acl: "set",
  since: "1.0.0",
  group: "set",
  keys: ["1 RW update", "2:-1 RO access"],
  complexity: "O(N*M) worst case where N is the cardinality of the smallest set and M is the number of sets.",
  summary: "Intersect multiple sets and store the resulting set in a key",
  syntax: "destination key [key ...]",
  run(c) {
    if (!openAll(c, 2, c.args.argc)) return;
    beginResult(c);
    const sets = smallestFirst();
    if (sets > 0) {
      for (views[0].rewind(); views[0].next();) if (isInAll(sets)) result.addMemberOf(views[0]);
    }
    storeResult(c, SINTERSTORE);
  },
});

const sunion = command({
  name: "sunion",
  arity: -2,
  flags: "readonly",
  keys: "1:-1 RO access",
  acl: "set",
  since: "1.0.0",
  group: "set",
  complexity: "O(N) where N is the total number of elements in all given sets.",
  summary: "Add multiple sets",
  syntax: "key [key ...]",
  tips: "nondeterministic_output_order",
  run(c) {
    if (openAll(c, 1, c.args.argc)) replyUnion(c);
  },
});

const sunionstore = command({
  name: "sunionstore",
  arity: -3,
  flags: "write denyoom",
  acl: "set",
  since: "1.0.0",
  group: "set",
  keys: ["1 OW update", "2:-1 RO access"],
  complexity: "O(N) where N is the total number of elements in all given sets.",
  summary: "Add multiple sets and store the resulting set in a key",
  syntax: "destination key [key ...]",
  run(c) {
    if (!openAll(c, 2, c.args.argc)) return;
    union(c);
    storeResult(c, SUNIONSTORE);
  },
});

export const commands: Command[] = [sdiff, sdiffstore, sinter, sintercard, sinterstore, sunion, sunionstore];

/** Binds `views` to the sets named by the arguments `from` … `to - 1`; false when one is something else, which has been replied. */
function openAll(c: Client, from: number, to: number): boolean {
  refs.length = 0;
  for (let i = from; i < to; i++) {
    const ref = c.readTyped(i, Type.SET);
    if (ref < 0) return false;
    if (views.length === refs.length) views.push(new SetView());
    if (ref !== 0) views[refs.length].open(c.db, ref);
    refs.push(ref);
  }
  return true;
}

/** Sorts the open sets by size, without those that were named twice; returns their number, 0 when one of them is empty. */
function smallestFirst(): number {
  let sets = 0;
  for (let i = 0; i < refs.length; i++) {
    if (refs[i] === 0) return 0;
    if (refs.indexOf(refs[i]) < i) continue;
    const view = views[i];
    let place = sets++;
    for (let k = i; k > place; k--) views[k] = views[k - 1];
    for (; place > 0 && views[place - 1].count > view.count; place--) views[place] = views[place - 1];
    views[place] = view;
  }
  return sets;
}

/** Whether the current member of the first set is in all others. */
function isInAll(sets: number): boolean {
  for (let i = 1; i < sets; i++) if (!views[i].hasMemberOf(views[0])) return false;
  return true;
}

/** SINTER. */
function intersection(c: Client): void {
  const { reply } = c;
  const sets = smallestFirst();
  if (sets === 0) return reply.set(0);
  const first = views[0];
  if (sets === 1) return replyAll(c, first);
  const mark = reply.defer();
  let count = 0;
  for (first.rewind(); first.step();) {
    if (!isInAll(sets)) continue;
    first.giveMember(reply);
    count++;
  }
  reply.endSet(mark, count);
}

/**
 * SUNION. Two sets of integers are merged: only a union of integers has an order, which is ascending as in Redis. Otherwise a member is
 * replied by the first set that has it, unless there are so many sets that looking into all of them takes longer than gathering a result.
 */
function replyUnion(c: Client): void {
  const { reply } = c;
  const sets = distinct();
  let all = 0;
  let looks = 0;
  let integers = true;
  let text = false;
  for (let i = 0; i < sets; i++) {
    all += views[i].count;
    looks += i * views[i].count;
    integers &&= views[i].holdsIntegers;
    text ||= views[i].hasText();
  }
  if (integers && sets === 1) return replyAll(c, views[0]);
  if (integers && sets === 2) return replyMerged(c, views[0], views[1]);
  if (!text || looks > all * LOOKS) {
    union(c);
    replyAll(c, result);
    return result.drop();
  }
  const mark = reply.defer();
  let count = 0;
  for (let i = 0; i < sets; i++) {
    const view = views[i];
    for (view.rewind(); view.step();) {
      if (isInOneBefore(i)) continue;
      view.giveMember(reply);
      count++;
    }
  }
  reply.endSet(mark, count);
}

/** Whether the current member of set i is in one of those before it. */
function isInOneBefore(i: number): boolean {
  for (let k = 0; k < i; k++) if (views[k].hasMemberOf(views[i])) return true;
  return false;
}

/** Replies the union of two sets of integers in ascending order. */
function replyMerged(c: Client, a: SetView, b: SetView): void {
  const { reply } = c;
  const mark = reply.defer();
  let count = 0;
  a.rewind();
  b.rewind();
  let moreA = a.step();
  let moreB = b.step();
  for (; moreA || moreB; count++) {
    const value = b.member.value;
    const order = !moreA ? 1 : !moreB ? -1 : a.member.value.compare(value.hi, value.lo);
    (order <= 0 ? a : b).giveMember(reply);
    if (order <= 0) moreA = a.step();
    if (order >= 0) moreB = b.step();
  }
  reply.endSet(mark, count);
}

/** Moves the open sets to the front, those that were named twice only once; returns their number. */
function distinct(): number {
  let sets = 0;
  for (let i = 0; i < refs.length; i++) {
    const ref = refs[i];
    if (ref === 0 || refs.indexOf(ref) < sets) continue;
    const view = views[i];
    views[i] = views[sets];
    refs[i] = refs[sets];
    views[sets] = view;
    refs[sets++] = ref;
  }
  refs.length = sets;
  return sets;
}

/** Makes `result` the union of the open sets. */
function union(c: Client): void {
  beginResult(c);
  for (let i = 0; i < refs.length; i++) {
    if (refs[i] === 0) continue;
    for (views[i].rewind(); views[i].next();) result.addMemberOf(views[i]);
  }
}

/** SDIFF and SDIFFSTORE. */
function difference(c: Client, isStore: boolean): void {
  const { reply } = c;
  const first = views[0];
  let perMember = 0;
  let all = 0;
  let nothing = refs[0] === 0;
  for (let i = 0; i < refs.length && !nothing; i++) {
    if (refs[i] === 0) continue;
    nothing = i > 0 && refs[i] === refs[0];
    perMember += first.count;
    all += views[i].count;
  }
  if (nothing) {
    if (!isStore) return reply.set(0);
    beginResult(c);
    return storeResult(c, SDIFFSTORE);
  }
  // Looking every member of the first set up in all others stops early; taking all others out of a copy does not.
  if (perMember / 2 > all) {
    beginResult(c);
    for (first.rewind(); first.next();) result.addMemberOf(first);
    for (let i = 1; i < refs.length && result.count > 0; i++) {
      if (refs[i] === 0) continue;
      for (views[i].rewind(); views[i].next();) result.removeMemberOf(views[i]);
    }
    if (isStore) return storeResult(c, SDIFFSTORE);
    replyAll(c, result);
    return result.drop();
  }
  if (isStore) {
    beginResult(c);
    for (first.rewind(); first.next();) if (isInNoOther()) result.addMemberOf(first);
    return storeResult(c, SDIFFSTORE);
  }
  const mark = reply.defer();
  let count = 0;
  for (first.rewind(); first.step();) {
    if (!isInNoOther()) continue;
    first.giveMember(reply);
    count++;
  }
  reply.endSet(mark, count);
}

/** Whether the current member of the first set is in none of the others. */
function isInNoOther(): boolean {
  for (let i = 1; i < refs.length; i++) if (refs[i] !== 0 && views[i].hasMemberOf(views[0])) return false;
  return true;
}

function beginResult(c: Client): void {
  result.limits = c.engine.config.values;
  result.create(c.engine.keyspace);
}

/** Makes `result` the value of argument 1's key, whatever that was, and replies with its size; an empty one deletes the key. */
function storeResult(c: Client, event: KeyEvent): void {
  const { args: a, db, reply } = c;
  const { count } = result;
  if (count === 0) {
    result.drop();
    reply.int(0);
    c.deleteKey(1);
    return;
  }
  result.store(db, a, 1);
  reply.int(count);
  db.changed(a, 1, event);
}
