/**
 * Sorted sets by rank, by score and by member: ZRANGE with all its older relatives, counting and removing ranges.
 *
 * Every range is turned into ranks first (`ZsetView`), so that LIMIT is arithmetic, the length of the reply is known before its first
 * element, and one loop serves all commands.
 */

import { lower, parseScoreBound } from "../bytes/ascii.ts";
import type { Client } from "../engine/client.ts";
import { type Command, command } from "../engine/command.ts";
import { errorReply, NOT_INTEGER, SYNTAX } from "../resp/errors.ts";
import { EventClass, type KeyEvent, keyEvent } from "../store/events.ts";
import { Type } from "../store/record.ts";
import { LexBound, ZsetView } from "../store/types/zset.ts";
import { firstIndex, lastIndex } from "./indices.ts";
import { replyEntry, replyHeader } from "./zset_reply.ts";

const ZRANGESTORE = keyEvent(EventClass.ZSET, "zrangestore");
const ZREMRANGEBYRANK = keyEvent(EventClass.ZSET, "zremrangebyrank");
const ZREMRANGEBYSCORE = keyEvent(EventClass.ZSET, "zremrangebyscore");
const ZREMRANGEBYLEX = keyEvent(EventClass.ZSET, "zremrangebylex");

const WITHSCORES = lower("withscores");
const LIMIT = lower("limit");
const REV = lower("rev");
const BYLEX = lower("bylex");
const BYSCORE = lower("byscore");

const NOT_SCORES = errorReply("ERR min or max is not a float");
const NOT_LEX = errorReply("ERR min or max not valid string range item");
const LIMIT_BY_RANK = errorReply(
  "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX",
);
const WITHSCORES_BY_LEX = errorReply("ERR syntax error, WITHSCORES not supported in combination with BYLEX");

const PLUS = 43;
const MINUS = 45;
const OPEN = 40;
const CLOSED = 91;

/** What a range is given by. */
const By = { ANY: 0, RANK: 1, SCORE: 2, LEX: 3 } as const;
/** The direction of a range. */
const Order = { ANY: 0, FORWARD: 1, REVERSE: 2 } as const;

/** The sorted set of the command that is being run, and one that is being made. */
const zset = new ZsetView();
const result = new ZsetView();

/** The range of the command that is being run: ranks … */
let first = 0;
let last = 0;
/** … or scores … */
let min = 0;
let max = 0;
let minExclusive = false;
let maxExclusive = false;
/** … or members. */
const lexMin = new LexBound();
const lexMax = new LexBound();

const zcount = command({
  name: "zcount",
  arity: 4,
  flags: "readonly fast",
  keys: "1 RO access",
  acl: "sortedset",
  since: "2.0.0",
  group: "sorted-set",
  complexity: "O(log(N)) with N being the number of elements in the sorted set.",
  summary: "Count the members in a sorted set with scores within the given values",
  syntax: "key min:double max:double",
  run(c) {
    if (!parseScores(c, 2, 3)) return;
    const ref = c.readTyped(1, Type.ZSET);
    if (ref < 0) return;
    c.reply.int(ref === 0 ? 0 : zset.open(c.db, ref).scoreRange(min, minExclusive, max, maxExclusive));
  },
});

const zlexcount = command({
  name: "zlexcount",
  arity: 4,
  flags: "readonly fast",
  keys: "1 RO access",
  acl: "sortedset",
  since: "2.8.9",
  group: "sorted-set",
  complexity: "O(log(N)) with N being the number of elements in the sorted set.",
  summary: "Count the number of members in a sorted set between a given lexicographical range",
  syntax: "key min max",
  run(c) {
    if (!parseLexes(c, 2, 3)) return;
    const ref = c.readTyped(1, Type.ZSET);
    if (ref < 0) return;
    c.reply.int(ref === 0 ? 0 : zset.open(c.db, ref).lexRange(lexMin, lexMax, false));
  },
});

const zrange = command({
  name: "zrange",
  arity: -4,
  flags: "readonly",
  keys: "1 RO access",
  acl: "sortedset",
  since: "1.2.0",
  group: "sorted-set",
  complexity:
    "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements returned.",
  summary: "Return a range of members in a sorted set",
  syntax: "key start stop sortby=[BYSCORE | BYLEX]@6.2.0 [REV@6.2.0] [LIMIT (offset count)@6.2.0] [WITHSCORES]",
  history: ["6.2.0 Added the `REV`, `BYSCORE`, `BYLEX` and `LIMIT` options."],
  run: (c) => range(c, 1, By.ANY, Order.ANY),
});

const zrangebylex = command({
  name: "zrangebylex",
  arity: -4,
  flags: "readonly",
  keys: "1 RO access",
  acl: "sortedset",
  since: "2.8.9",
  group: "sorted-set",
  complexity:
    "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements being returned. If M is constant (e.g. always asking for the first 10 elements with LIMIT), you can consider it O(log(N)).",
  summary: "Return a range of members in a sorted set, by lexicographical range",
  syntax: "key min max [LIMIT (offset count)]",
  deprecatedSince: "6.2.0",
  replacedBy: "`ZRANGE` with the `BYLEX` argument",
  run: (c) => range(c, 1, By.LEX, Order.FORWARD),
});

const zrangebyscore = command({
  name: "zrangebyscore",
  arity: -4,
  flags: "readonly",
  keys: "1 RO access",
  acl: "sortedset",
  since: "1.0.5",
  group: "sorted-set",
  complexity:
    "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements being returned. If M is constant (e.g. always asking for the first 10 elements with LIMIT), you can consider it O(log(N)).",
  summary: "Return a range of members in a sorted set, by score",
  syntax: "key min:double max:double [WITHSCORES@2.0.0] [LIMIT (offset count)]",
  history: ["2.0.0 Added the `WITHSCORES` modifier."],
  deprecatedSince: "6.2.0",
  replacedBy: "`ZRANGE` with the `BYSCORE` argument",
  run: (c) => range(c, 1, By.SCORE, Order.FORWARD),
});

const zrangestore = command({
  name: "zrangestore",
  arity: -5,
  flags: "write denyoom",
  acl: "sortedset",
  since: "6.2.0",
  group: "sorted-set",
  keys: ["1 OW update", "2 RO access"],
  complexity:
    "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements stored into the destination key.",
  summary: "Store a range of members from sorted set into another key",
  syntax: "dst:key src:key min max sortby=[BYSCORE | BYLEX] [REV] [LIMIT (offset count)]",
  run: (c) => range(c, 2, By.ANY, Order.ANY),
});

const zremrangebylex = command({
  name: "zremrangebylex",
  arity: 4,
  flags: "write",
  keys: "1 RW delete",
  acl: "sortedset",
  since: "2.8.9",
  group: "sorted-set",
  complexity:
    "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements removed by the operation.",
  summary: "Remove all members in a sorted set between the given lexicographical range",
  syntax: "key min max",
  run(c) {
    if (parseLexes(c, 2, 3)) removeRange(c, By.LEX, ZREMRANGEBYLEX);
  },
});

const zremrangebyrank = command({
  name: "zremrangebyrank",
  arity: 4,
  flags: "write",
  keys: "1 RW delete",
  acl: "sortedset",
  since: "2.0.0",
  group: "sorted-set",
  complexity:
    "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements removed by the operation.",
  summary: "Remove all members in a sorted set within the given indexes",
  syntax: "key start:integer stop:integer",
  run(c) {
    if (parseRanks(c, 2)) removeRange(c, By.RANK, ZREMRANGEBYRANK);
  },
});

const zremrangebyscore = command({
  name: "zremrangebyscore",
  arity: 4,
  flags: "write",
  keys: "1 RW delete",
  acl: "sortedset",
  since: "1.2.0",
  group: "sorted-set",
  complexity:
    "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements removed by the operation.",
  summary: "Remove all members in a sorted set within the given scores",
  syntax: "key min:double max:double",
  run(c) {
    if (parseScores(c, 2, 3)) removeRange(c, By.SCORE, ZREMRANGEBYSCORE);
  },
});

const zrevrange = command({
  name: "zrevrange",
  arity: -4,
  flags: "readonly",
  keys: "1 RO access",
  acl: "sortedset",
  since: "1.2.0",
  group: "sorted-set",
  complexity:
    "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements returned.",
  summary: "Return a range of members in a sorted set, by index, with scores ordered from high to low",
  syntax: "key start:integer stop:integer [WITHSCORES]",
  deprecatedSince: "6.2.0",
  replacedBy: "`ZRANGE` with the `REV` argument",
  run: (c) => range(c, 1, By.RANK, Order.REVERSE),
});

const zrevrangebylex = command({
  name: "zrevrangebylex",
  arity: -4,
  flags: "readonly",
  keys: "1 RO access",
  acl: "sortedset",
  since: "2.8.9",
  group: "sorted-set",
  complexity:
    "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements being returned. If M is constant (e.g. always asking for the first 10 elements with LIMIT), you can consider it O(log(N)).",
  summary: "Return a range of members in a sorted set, by lexicographical range, ordered from higher to lower strings.",
  syntax: "key max min [LIMIT (offset count)]",
  deprecatedSince: "6.2.0",
  replacedBy: "`ZRANGE` with the `REV` and `BYLEX` arguments",
  run: (c) => range(c, 1, By.LEX, Order.REVERSE),
});

const zrevrangebyscore = command({
  name: "zrevrangebyscore",
  arity: -4,
  flags: "readonly",
  keys: "1 RO access",
  acl: "sortedset",
  since: "2.2.0",
  group: "sorted-set",
  complexity:
    "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements being returned. If M is constant (e.g. always asking for the first 10 elements with LIMIT), you can consider it O(log(N)).",
  summary: "Return a range of members in a sorted set, by score, with scores ordered from high to low",
  syntax: "key max:double min:double [WITHSCORES] [LIMIT (offset count)]",
  history: ["2.1.6 `min` and `max` can be exclusive."],
  deprecatedSince: "6.2.0",
  replacedBy: "`ZRANGE` with the `REV` and `BYSCORE` arguments",
  run: (c) => range(c, 1, By.SCORE, Order.REVERSE),
});

export const commands: Command[] = [
  zcount,
  zlexcount,
  zrange,
  zrangebylex,
  zrangebyscore,
  zrangestore,
  zremrangebylex,
  zremrangebyrank,
  zremrangebyscore,
  zrevrange,
  zrevrangebylex,
  zrevrangebyscore,
];

// ---- Bounds ----------------------------------------------------------------------------------------------------------------------

function parseRanks(c: Client, i: number): boolean {
  first = c.args.int(i);
  last = c.args.int(i + 1);
  return first !== first || last !== last ? c.fail(NOT_INTEGER) : true;
}

function parseScores(c: Client, minAt: number, maxAt: number): boolean {
  min = parseScore(c, minAt);
  minExclusive = isOpen(c, minAt);
  max = parseScore(c, maxAt);
  maxExclusive = isOpen(c, maxAt);
  return min !== min || max !== max ? c.fail(NOT_SCORES) : true;
}

function isOpen(c: Client, i: number): boolean {
  const { args: a } = c;
  return a.len[i] > 0 && a.buf[a.off[i]] === OPEN;
}

function parseScore(c: Client, i: number): number {
  const { args: a } = c;
  const skip = isOpen(c, i) ? 1 : 0;
  return parseScoreBound(a.buf, a.off[i] + skip, a.len[i] - skip);
}

function parseLexes(c: Client, minAt: number, maxAt: number): boolean {
  return parseLex(c, minAt, lexMin) && parseLex(c, maxAt, lexMax) ? true : c.fail(NOT_LEX);
}

function parseLex(c: Client, i: number, bound: LexBound): boolean {
  const { args: a } = c;
  const at = a.off[i];
  const head = a.len[i] === 0 ? 0 : a.buf[at];
  if (head === PLUS || head === MINUS) {
    bound.side = head === PLUS ? 1 : -1;
    // Redis sees the text end at a NUL.
    return a.len[i] === 1 || a.buf[at + 1] === 0;
  }
  if (head !== OPEN && head !== CLOSED) return false;
  bound.side = 0;
  bound.exclusive = head === OPEN;
  bound.buf = a.buf;
  bound.off = at + 1;
  bound.len = a.len[i] - 1;
  return true;
}

// ---- Ranges ----------------------------------------------------------------------------------------------------------------------

/** The options of ZRANGE and its relatives. */
class RangeOptions {
  by = 0;
  order = 0;
  withScores = false;
  offset = 0;
  /** -1: no limit. */
  limit = -1;
}

const options = new RangeOptions();

/** All commands that return ranges. The key is argument `keyAt`; it is 2 for ZRANGESTORE, whose destination stands before it. */
function range(c: Client, keyAt: number, by: number, order: number): void {
  const isStore = keyAt === 2;
  options.by = by;
  options.order = order;
  if (!parseOptions(c, keyAt + 3, isStore)) return;
  const backward = options.order === Order.REVERSE;
  if (!parseBounds(c, keyAt + 1, backward)) return;
  const ref = c.readTyped(keyAt, Type.ZSET);
  if (ref < 0) return;
  let count = 0;
  if (ref !== 0) {
    zset.open(c.db, ref);
    findRange(options.by, backward);
    count = applyLimit(backward);
  }
  if (isStore) return storeRange(c, count, backward);
  replyHeader(c, count, options.withScores);
  if (count === 0) return;
  zset.start(backward ? zset.to - 1 : zset.from, backward);
  if (!options.withScores) return zset.giveMembers(count, c.reply);
  for (; count > 0 && zset.next(); count--) replyEntry(c, zset, true);
}

function parseOptions(c: Client, from: number, isStore: boolean): boolean {
  const { args: a } = c;
  options.withScores = false;
  options.offset = 0;
  options.limit = -1;
  for (let i = from; i < a.argc; i++) {
    if (!isStore && a.is(i, WITHSCORES)) options.withScores = true;
    else if (a.is(i, LIMIT) && a.argc - i > 2) {
      options.offset = a.int(++i);
      options.limit = a.int(++i);
      if (options.offset !== options.offset || options.limit !== options.limit) return c.fail(NOT_INTEGER);
    } else if (options.order === Order.ANY && a.is(i, REV)) options.order = Order.REVERSE;
    else if (options.by === By.ANY && a.is(i, BYLEX)) options.by = By.LEX;
    else if (options.by === By.ANY && a.is(i, BYSCORE)) options.by = By.SCORE;
    else return c.fail(SYNTAX);
  }
  if (options.by === By.ANY) options.by = By.RANK;
  if (options.limit !== -1 && options.by === By.RANK) return c.fail(LIMIT_BY_RANK);
  if (options.withScores && options.by === By.LEX) return c.fail(WITHSCORES_BY_LEX);
  return true;
}

function parseBounds(c: Client, i: number, backward: boolean): boolean {
  if (options.by === By.RANK) return parseRanks(c, i);
  // A range in reverse is given as max and min.
  const minAt = backward ? i + 1 : i;
  const maxAt = backward ? i : i + 1;
  return options.by === By.SCORE ? parseScores(c, minAt, maxAt) : parseLexes(c, minAt, maxAt);
}

/** Puts the ranks of the range, from the least score, in `zset.from` and `zset.to`. */
function findRange(by: number, backward: boolean): void {
  if (by === By.SCORE) zset.scoreRange(min, minExclusive, max, maxExclusive);
  else if (by === By.LEX) zset.lexRange(lexMin, lexMax, backward);
  else {
    const { count } = zset;
    const from = firstIndex(first, count);
    const to = lastIndex(last, count) + 1;
    const empty = from >= to;
    zset.from = empty ? 0 : backward ? count - to : from;
    zset.to = empty ? 0 : backward ? count - from : to;
  }
}

/** Narrows the range by LIMIT; returns how many members are left. */
function applyLimit(backward: boolean): number {
  const { offset, limit, by } = options;
  let count = zset.to - zset.from;
  if (by === By.RANK) return count;
  if (offset < 0 || offset >= count) return zset.to = zset.from = 0;
  count -= offset;
  if (limit >= 0 && limit < count) count = limit;
  if (backward) {
    zset.to -= offset;
    zset.from = zset.to - count;
  } else {
    zset.from += offset;
    zset.to = zset.from + count;
  }
  return count;
}

function storeRange(c: Client, count: number, backward: boolean): void {
  const { args: a, db } = c;
  if (count === 0) {
    c.reply.int(0);
    c.deleteKey(1);
    return;
  }
  const { zsetMaxListpackEntries, zsetMaxListpackValue } = result.limits = c.engine.config.values;
  const table = result.create(db.keyspace);
  // Redis fills a listpack as long as it can, and what has been in one has lost the sign of zero.
  let inListpack = options.by !== By.RANK || count <= zsetMaxListpackEntries;
  zset.start(backward ? zset.to - 1 : zset.from, backward);
  for (let added = 0; added < count && zset.next(); added++) {
    const { member } = zset;
    member.asText();
    inListpack &&= added < zsetMaxListpackEntries && member.len <= zsetMaxListpackValue;
    const score = inListpack ? zset.score + 0 : zset.score;
    if (backward) table.add(score, member.buf, member.off, member.len, true);
    else table.append(score, member.buf, member.off, member.len);
  }
  result.store(db, a, 1);
  c.reply.int(count);
  db.changed(a, 1, ZRANGESTORE);
}

function removeRange(c: Client, by: number, event: KeyEvent): void {
  const { args: a, db, reply } = c;
  const ref = c.writeTyped(1, Type.ZSET);
  if (ref < 0) return;
  if (ref === 0) return reply.int(0);
  zset.open(db, ref);
  findRange(by, false);
  const { from, to, count } = zset;
  const removed = to - from;
  if (removed > 0) {
    if (removed < count) zset.removeRange(from, to);
    db.shrunk(a, 1, zset.ref, removed === count, event, removed);
  }
  reply.int(removed);
}
