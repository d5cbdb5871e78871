/**
 * List commands. `ListView` (store/types/list.ts) hides how a list is stored; here are the rules of the commands. Those that can
 * block are in list_blocking.ts and share what stands at the end of this file.
 */

import { lower, MIN_INT64, parseBigInt64 } from "../bytes/ascii.ts";
import { copyBytes } from "../bytes/span.ts";
import type { Client } from "../engine/client.ts";
import { type Command, command } from "../engine/command.ts";
import {
  errorReply,
  NO_SUCH_KEY,
  NOT_INTEGER,
  NOT_POSITIVE,
  OUT_OF_RANGE,
  SYNTAX,
  wrongArity,
} from "../resp/errors.ts";
import { EventClass, type KeyEvent, keyEvent } from "../store/events.ts";
import { Type } from "../store/record.ts";
import { ListView } from "../store/types/list.ts";
import { firstIndex, lastIndex } from "./indices.ts";
import { findKey, foundRef, MultiPop, parseMultiPop } from "./multi_pop.ts";

/** An end of a list, with what belongs to it. */
export interface ListEnd {
  readonly isHead: boolean;
  readonly pushed: KeyEvent;
  readonly popped: KeyEvent;
  /** The command that pops there. */
  readonly popCommand: string;
  readonly popArity: ReturnType<typeof wrongArity>;
}

export const HEAD: ListEnd = {
  isHead: true,
  pushed: keyEvent(EventClass.LIST, "lpush"),
  popped: keyEvent(EventClass.LIST, "lpop"),
  popCommand: "LPOP",
  popArity: wrongArity("lpop"),
};

export const TAIL: ListEnd = {
  isHead: false,
  pushed: keyEvent(EventClass.LIST, "rpush"),
  popped: keyEvent(EventClass.LIST, "rpop"),
  popCommand: "RPOP",
  popArity: wrongArity("rpop"),
};

const LINSERT = keyEvent(EventClass.LIST, "linsert");
const LREM = keyEvent(EventClass.LIST, "lrem");
const LSET = keyEvent(EventClass.LIST, "lset");
const LTRIM = keyEvent(EventClass.LIST, "ltrim");

const COUNT_NEGATIVE = errorReply("ERR COUNT can't be negative");
const MAXLEN_NEGATIVE = errorReply("ERR MAXLEN can't be negative");
const RANK_ZERO = errorReply(
  "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative to start from the end of the list",
);

const AFTER = lower("after"), BEFORE = lower("before");
export const LEFT = lower("left"), RIGHT = lower("right");
const RANK = lower("rank"), COUNT = lower("count"), MAXLEN = lower("maxlen");

/** The list of the command that is being run, and the one that LMOVE pushes to. */
const list = new ListView();
const target = new ListView();
/** The arguments of the LMPOP or BLMPOP that is being run. */
export const multiPop = new MultiPop();
/** The element that LMOVE carries. */
let carried = new Uint8Array(256);
/** A buffer that one huge element has grown beyond this is not kept. */
const KEEP_CARRIED = 1024 * 1024;

const lindex = command({
  name: "lindex",
  arity: 3,
  flags: "readonly",
  keys: "1 RO access",
  acl: "list",
  since: "1.0.0",
  group: "list",
  complexity:
    "O(N) where N is the number of elements to traverse to get to the element at index. This makes asking for the first or the last element of the list O(1).",
  summary: "Get an element from a list by its index",
  syntax: "key index:integer",
  run(c) {
    const { args: a, reply } = c;
    const ref = c.readTyped(1, Type.LIST);
    if (ref < 0) return;
    if (ref === 0) return reply.null();
    const index = a.int(2);
    if (index !== index) return reply.error(NOT_INTEGER);
    open(c, ref);
    list.start(index < 0 ? index + list.count : index);
    if (list.next()) list.element.writeTo(c.reply);
    else reply.null();
  },
});

const linsert = command({
  name: "linsert",
  arity: 5,
  flags: "write denyoom",
  keys: "1 RW insert",
  acl: "list",
  since: "2.2.0",
  group: "list",
  complexity:
    "O(N) where N is the number of elements to traverse before seeing the value pivot. This means that inserting somewhere on the left end on the list (head) can be considered O(1) and inserting somewhere on the right end (tail) is O(N).",
  summary: "Insert an element before or after another element in a list",
  syntax: "key where=<BEFORE | AFTER> pivot element",
  run(c) {
    const { args: a, db, reply } = c;
    const after = a.is(2, AFTER);
    if (!after && !a.is(2, BEFORE)) return reply.error(SYNTAX);
    const ref = c.writeTyped(1, Type.LIST);
    if (ref < 0) return;
    if (ref === 0) return reply.int(0);
    open(c, ref);
    list.start(0);
    list.look(a.buf, a.off[3], a.len[3]);
    if (list.find(Infinity) < 0) return reply.int(-1);
    list.insert(after, a.buf, a.off[4], a.len[4]);
    reply.int(list.count);
    db.changed(a, 1, LINSERT);
  },
});

const llen = command({
  name: "llen",
  arity: 2,
  flags: "readonly fast",
  keys: "1 RO",
  acl: "list",
  since: "1.0.0",
  group: "list",
  complexity: "O(1)",
  summary: "Get the length of a list",
  syntax: "key",
  run(c) {
    const ref = c.readTyped(1, Type.LIST);
    if (ref < 0) return;
    c.reply.int(ref === 0 ? 0 : list.open(c.db, ref).count);
  },
});

const lmove = command({
  name: "lmove",
  arity: 5,
  flags: "write denyoom quick",
  acl: "list",
  since: "6.2.0",
  group: "list",
  keys: ["1 RW access delete", "2 RW insert"],
  complexity: "O(1)",
  summary: "Pop an element from a list, push it to another list and return it",
  syntax: "source destination wherefrom=<LEFT | RIGHT> whereto=<LEFT | RIGHT>",
  run(c) {
    const from = readEnd(c, 3);
    const to = from === null ? null : readEnd(c, 4);
    if (from !== null && to !== null) moveElement(c, from, to);
  },
});

const lmpop = command({
  name: "lmpop",
  arity: -4,
  flags: "write",
  keys: "#1 RW access delete",
  acl: "list",
  since: "7.0.0",
  group: "list",
  complexity: "O(N+M) where N is the number of provided keys and M is the number of elements returned.",
  summary: "Pop elements from a list",
  syntax: "numkeys key [key ...] where=<LEFT | RIGHT> [COUNT count]",
  run(c) {
    if (!parseMultiPop(c, 1, LEFT, RIGHT, multiPop)) return;
    const i = findKey(c, multiPop.first, multiPop.keys, Type.LIST);
    if (i > 0) popWithKey(c, i);
    else if (i === 0) c.reply.nullArray();
  },
});

const lpop = command({
  name: "lpop",
  arity: -2,
  flags: "write fast",
  keys: "1 RW access delete",
  acl: "list",
  since: "1.0.0",
  group: "list",
  complexity: "O(N) where N is the number of elements returned",
  summary: "Remove and get the first elements in a list",
  syntax: "key [count@6.2.0]",
  history: ["6.2.0 Added the `count` argument."],
  run: (c) => pop(c, HEAD),
});

const lpos = command({
  name: "lpos",
  arity: -3,
  flags: "readonly",
  keys: "1 RO access",
  acl: "list",
  since: "6.0.6",
  group: "list",
  complexity:
    "O(N) where N is the number of elements in the list, for the average case. When searching for elements near the head or the tail of the list, or when the MAXLEN option is provided, the command may run in constant time.",
  summary: "Return the index of matching elements on a list",
  syntax: "key element [RANK rank:integer] [COUNT num-matches:integer] [MAXLEN len:integer]",
  run: findPositions,
});

const lpush = command({
  name: "lpush",
  arity: -3,
  flags: "write denyoom fast",
  keys: "1 RW insert",
  acl: "list",
  since: "1.0.0",
  group: "list",
  complexity:
    "O(1) for each element added, so O(N) to add N elements when the command is called with multiple arguments.",
  summary: "Prepend one or multiple elements to a list",
  syntax: "key element [element ...]",
  history: ["2.4.0 Accepts multiple `element` arguments."],
  run: (c) => push(c, HEAD, false),
});

const lpushx = command({
  name: "lpushx",
  arity: -3,
  flags: "write denyoom fast",
  keys: "1 RW insert",
  acl: "list",
  since: "2.2.0",
  group: "list",
  complexity:
    "O(1) for each element added, so O(N) to add N elements when the command is called with multiple arguments.",
  summary: "Prepend an element to a list, only if the list exists",
  syntax: "key element [element ...]",
  history: ["4.0.0 Accepts multiple `element` arguments."],
  run: (c) => push(c, HEAD, true),
});

const lrange = command({
  name: "lrange",
  arity: 4,
  flags: "readonly",
  keys: "1 RO access",
  acl: "list",
  since: "1.0.0",
  group: "list",
  complexity:
    "O(S+N) where S is the distance of start offset from HEAD for small lists, from nearest end (HEAD or TAIL) for large lists; and N is the number of elements in the specified range.",
  summary: "Get a range of elements from a list",
  syntax: "key start:integer stop:integer",
  run(c) {
    const { args: a, reply } = c;
    let start = a.int(2);
    let stop = a.int(3);
    if (start !== start || stop !== stop) return reply.error(NOT_INTEGER);
    const ref = c.readTyped(1, Type.LIST);
    if (ref < 0) return;
    if (ref === 0) return reply.array(0);
    const { count } = open(c, ref);
    start = firstIndex(start, count);
    stop = lastIndex(stop, count);
    if (start > stop) return reply.array(0);
    replyRange(c, start, stop - start + 1, false);
  },
});

const lrem = command({
  name: "lrem",
  arity: 4,
  flags: "write",
  keys: "1 RW delete",
  acl: "list",
  since: "1.0.0",
  group: "list",
  complexity: "O(N+M) where N is the length of the list and M is the number of elements removed.",
  summary: "Remove elements from a list",
  syntax: "key count element",
  run(c) {
    const { args: a, db, reply } = c;
    const limit = a.int(2);
    if (limit !== limit) return reply.error(NOT_INTEGER);
    const ref = c.writeTyped(1, Type.LIST);
    if (ref < 0) return;
    if (ref === 0) return reply.int(0);
    open(c, ref);
    const backward = limit < 0;
    const most = limit === 0 ? Infinity : Math.abs(limit);
    list.start(backward ? list.count - 1 : 0, backward);
    list.look(a.buf, a.off[3], a.len[3]);
    let removed = 0;
    for (; removed < most && list.find(Infinity) >= 0; removed++) list.remove();
    if (removed > 0) db.shrunk(a, 1, list.ref, list.count === 0, LREM, removed);
    reply.int(removed);
  },
});

const lset = command({
  name: "lset",
  arity: 4,
  flags: "write denyoom",
  keys: "1 RW update",
  acl: "list",
  since: "1.0.0",
  group: "list",
  complexity:
    "O(N) where N is the length of the list. Setting either the first or the last element of the list is O(1).",
  summary: "Set the value of an element in a list by its index",
  syntax: "key index:integer element",
  run(c) {
    const { args: a, db, reply } = c;
    const ref = c.writeTyped(1, Type.LIST);
    if (ref < 0) return;
    if (ref === 0) return reply.error(NO_SUCH_KEY);
    const index = a.int(2);
    if (index !== index) return reply.error(NOT_INTEGER);
    open(c, ref);
    list.start(index < 0 ? index + list.count : index);
    if (!list.next()) return reply.error(OUT_OF_RANGE);
    list.replace(a.buf, a.off[3], a.len[3]);
    reply.ok();
    db.changed(a, 1, LSET);
  },
});

const ltrim = command({
  name: "ltrim",
  arity: 4,
  flags: "write",
  keys: "1 RW delete",
  acl: "list",
  since: "1.0.0",
  group: "list",
  complexity: "O(N) where N is the number of elements to be removed by the operation.",
  summary: "Trim a list to the specified range",
  syntax: "key start:integer stop:integer",
  run(c) {
    const { args: a, db, reply } = c;
    let start = a.int(2);
    let stop = a.int(3);
    if (start !== start || stop !== stop) return reply.error(NOT_INTEGER);
    const ref = c.writeTyped(1, Type.LIST);
    if (ref < 0) return;
    if (ref === 0) return reply.ok();
    const { count } = open(c, ref);
    start = firstIndex(start, count);
    stop = lastIndex(stop, count);
    const kept = Math.max(0, stop - start + 1);
    if (kept > 0) {
      list.removeRange(stop + 1, count - stop - 1);
      list.removeRange(0, start);
    }
    db.shrunk(a, 1, list.ref, kept === 0, LTRIM, count - kept);
    reply.ok();
  },
});

const rpop = command({
  name: "rpop",
  arity: -2,
  flags: "write fast",
  keys: "1 RW access delete",
  acl: "list",
  since: "1.0.0",
  group: "list",
  complexity: "O(N) where N is the number of elements returned",
  summary: "Remove and get the last elements in a list",
  syntax: "key [count@6.2.0]",
  history: ["6.2.0 Added the `count` argument."],
  run: (c) => pop(c, TAIL),
});

const rpoplpush = command({
  name: "rpoplpush",
  arity: 3,
  flags: "write denyoom quick",
  acl: "list",
  since: "1.2.0",
  group: "list",
  keys: ["1 RW access delete", "2 RW insert"],
  complexity: "O(1)",
  summary: "Remove the last element in a list, prepend it to another list and return it",
  syntax: "source destination",
  deprecatedSince: "6.2.0",
  replacedBy: "`LMOVE` with the `RIGHT` and `LEFT` arguments",
  run: (c) => moveElement(c, TAIL, HEAD),
});

const rpush = command({
  name: "rpush",
  arity: -3,
  flags: "write denyoom fast",
  keys: "1 RW insert",
  acl: "list",
  since: "1.0.0",
  group: "list",
  complexity:
    "O(1) for each element added, so O(N) to add N elements when the command is called with multiple arguments.",
  summary: "Append one or multiple elements to a list",
  syntax: "key element [element ...]",
  history: ["2.4.0 Accepts multiple `element` arguments."],
  run: (c) => push(c, TAIL, false),
});

const rpushx = command({
  name: "rpushx",
  arity: -3,
  flags: "write denyoom fast",
  keys: "1 RW insert",
  acl: "list",
  since: "2.2.0",
  group: "list",
  complexity:
    "O(1) for each element added, so O(N) to add N elements when the command is called with multiple arguments.",
  summary: "Append an element to a list, only if the list exists",
  syntax: "key element [element ...]",
  history: ["4.0.0 Accepts multiple `element` arguments."],
  run: (c) => push(c, TAIL, true),
});

function open(c: Client, ref: number): ListView {
  configure(c, list);
  return list.open(c.db, ref);
}

/** Gives a view the settings by which lists grow. */
function configure(c: Client, view: ListView): void {
  view.limits = c.engine.config.values;
  view.packedThreshold = c.engine.debug.packedThreshold;
}

/** Replies with `count` elements from that index on, as an array. */
function replyRange(c: Client, index: number, count: number, backward: boolean): void {
  const { reply } = c;
  reply.array(count);
  list.start(index, backward);
  list.readAll(count, reply);
}

function push(c: Client, end: ListEnd, mustExist: boolean): void {
  const { args: a, db } = c;
  const ref = c.writeTyped(1, Type.LIST);
  if (ref < 0) return;
  if (ref === 0 && mustExist) return c.reply.int(0);
  configure(c, list);
  if (ref === 0) list.addKey(db, a, 1);
  else list.open(db, ref);
  const { isHead } = end;
  for (let i = 2; i < a.argc; i++) list.push(isHead, a.buf, a.off[i], a.len[i]);
  c.reply.int(list.count);
  db.changed(a, 1, end.pushed, a.argc - 2);
}

function pop(c: Client, end: ListEnd): void {
  const { args: a, reply } = c;
  if (a.argc > 3) return reply.error(end.popArity);
  let count = 1;
  if (a.argc === 3) {
    count = a.int(2);
    if (!(count >= 0)) return reply.error(NOT_POSITIVE);
  }
  const ref = c.writeTyped(1, Type.LIST);
  if (ref < 0) return;
  if (ref === 0) return a.argc === 3 ? reply.nullArray() : reply.null();
  if (count === 0) return reply.array(0);
  open(c, ref);
  if (a.argc === 3) return popRange(c, 1, end, count);
  list.peek(end.isHead);
  list.element.writeTo(c.reply);
  list.pop(end.isHead);
  c.db.shrunk(c.args, 1, list.ref, list.count === 0, end.popped);
}

/** Replies with up to `count` elements of the open list of key i and removes them. */
function popRange(c: Client, i: number, end: ListEnd, count: number): void {
  const length = list.count;
  const popped = Math.min(count, length);
  replyRange(c, end.isHead ? 0 : length - 1, popped, !end.isHead);
  if (popped < length) list.removeRange(end.isHead ? 0 : length - popped, popped);
  c.db.shrunk(c.args, i, list.ref, popped === length, end.popped, popped);
}

function findPositions(c: Client): void {
  const { args: a, reply } = c;
  let rank = 1;
  let rankAt = 0;
  let most = -1;
  let maxLength = 0;
  for (let i = 3; i < a.argc; i++) {
    const hasValue = i + 1 < a.argc;
    if (hasValue && a.is(i, RANK)) {
      rank = a.int(rankAt = ++i);
      if (rank !== rank) return reply.error(NOT_INTEGER);
      if (rank === 0) return reply.error(RANK_ZERO);
    } else if (hasValue && a.is(i, COUNT)) {
      most = a.int(++i);
      if (!(most >= 0)) return reply.error(COUNT_NEGATIVE);
    } else if (hasValue && a.is(i, MAXLEN)) {
      maxLength = a.int(++i);
      if (!(maxLength >= 0)) return reply.error(MAXLEN_NEGATIVE);
    } else return reply.error(SYNTAX);
  }
  const backward = rank < 0;
  // The lowest rank has no opposite in 64 bits: in Redis it stays negative, and every match counts.
  const isLowest = rank < 0 && parseBigInt64(a.buf, a.off[rankAt], a.len[rankAt]) === MIN_INT64;
  rank = isLowest ? 1 : Math.abs(rank);
  const ref = c.readTyped(1, Type.LIST);
  if (ref < 0) return;
  if (ref === 0) return most < 0 ? reply.null() : reply.array(0);
  const length = open(c, ref).count;
  const mark = most < 0 ? 0 : reply.defer();
  const end = maxLength === 0 ? length : Math.min(maxLength, length);
  list.start(backward ? length - 1 : 0, backward);
  list.look(a.buf, a.off[2], a.len[2]);
  let matches = 0;
  let found = 0;
  for (let index = 0; index < end; index++) {
    const passed = list.find(end - index);
    index += passed;
    if (passed < 0 || index >= end) break;
    if (++matches < rank) continue;
    reply.int(backward ? length - index - 1 : index);
    found++;
    if (most < 0) return;
    if (found === most) break;
  }
  if (most < 0) reply.null();
  else reply.endArray(mark, found);
}

// ---- Shared with the commands that block ---------------------------------------------------------------------------------------

/** Argument i as an end of a list; null when it is none, which has been replied. */
export function readEnd(c: Client, i: number): ListEnd | null {
  if (c.args.is(i, LEFT)) return HEAD;
  if (c.args.is(i, RIGHT)) return TAIL;
  c.reply.error(SYNTAX);
  return null;
}

/** LMPOP with the arguments in `multiPop`, of key i, whose record is `foundRef`. It goes out as LPOP or RPOP. */
export function popWithKey(c: Client, i: number): void {
  const { args: a, reply } = c;
  const { count } = multiPop;
  const end = multiPop.atSecond ? TAIL : HEAD;
  open(c, foundRef);
  const { propagation } = c.engine;
  if (propagation.active) propagation.rewrite(end.popCommand, a.bytes(i), Math.min(count, list.count));
  reply.array(2);
  reply.bulk(a.buf, a.off[i], a.len[i]);
  popRange(c, i, end, count);
}

/** BLPOP of key i, whose record is `foundRef`. It goes out as LPOP or RPOP. */
export function popOneWithKey(c: Client, i: number, end: ListEnd): void {
  const { args: a, reply } = c;
  open(c, foundRef);
  const { propagation } = c.engine;
  if (propagation.active) propagation.rewrite(end.popCommand, a.bytes(i));
  reply.array(2);
  reply.bulk(a.buf, a.off[i], a.len[i]);
  list.peek(end.isHead);
  list.element.writeTo(c.reply);
  list.pop(end.isHead);
  propagateServed(c);
  c.db.shrunk(a, i, list.ref, list.count === 0, end.popped, c.readyKey === 0 ? 1 : 0);
}

/** A command that is run again for a client that has waited counts no change, but goes out. */
function propagateServed(c: Client): void {
  if (c.readyKey > 0) c.engine.propagation.force();
}

/** LMOVE from key 1 to key 2; returns whether an element was moved. */
export function moveElement(c: Client, from: ListEnd, to: ListEnd): boolean {
  const { args: a, db, reply } = c;
  const source = c.writeTyped(1, Type.LIST);
  if (source < 0) return false;
  if (source === 0) {
    reply.null();
    return false;
  }
  const destination = c.writeTyped(2, Type.LIST);
  if (destination < 0) return false;
  open(c, source).peek(from.isHead);
  const { buf, off, len } = list.element;
  if (len > carried.length || carried.length > KEEP_CARRIED) carried = new Uint8Array(Math.max(len, 256));
  copyBytes(buf, off, len, carried, 0);
  list.pop(from.isHead);
  if (destination === source) list.push(to.isHead, carried, 0, len);
  else {
    configure(c, target);
    if (destination === 0) target.addKey(db, a, 2);
    else target.open(db, destination);
    target.push(to.isHead, carried, 0, len);
  }
  reply.bulk(carried, 0, len);
  db.changed(a, 2, to.pushed, 0);
  propagateServed(c);
  db.shrunk(a, 1, list.ref, list.count === 0, from.popped, c.readyKey === 0 ? 1 : 0);
  return true;
}

export const commands: Command[] = [
  lindex,
  linsert,
  llen,
  lmove,
  lmpop,
  lpop,
  lpos,
  lpush,
  lpushx,
  lrange,
  lrem,
  lset,
  ltrim,
  rpop,
  rpoplpush,
  rpush,
  rpushx,
];
