/**
 * Taking the least or greatest members out of sorted sets, also by clients that wait for them.
 *
 * What is propagated is always a plain ZPOPMIN or ZPOPMAX of the key that was popped from.
 */

import { lower } from "../bytes/ascii.ts";
import type { Client } from "../engine/client.ts";
import { type Command, command } from "../engine/command.ts";
import { NOT_POSITIVE, SYNTAX } from "../resp/errors.ts";
import { EventClass, keyEvent } from "../store/events.ts";
import { Type } from "../store/record.ts";
import { ZsetView } from "../store/types/zset.ts";
import { findKey, findKeyOrWait, foundRef, MultiPop, parseMultiPop, parseTimeout } from "./multi_pop.ts";
import { replyMember, replyScore } from "./zset_reply.ts";

const ZPOPMIN = keyEvent(EventClass.ZSET, "zpopmin");
const ZPOPMAX = keyEvent(EventClass.ZSET, "zpopmax");

const MIN = lower("min");
const MAX = lower("max");

/** The sorted set of the command that is being run. */
const zset = new ZsetView();

const bzmpop = command({
  name: "bzmpop",
  arity: -5,
  flags: "write blocking",
  keys: "#2 RW access delete",
  acl: "sortedset",
  since: "7.0.0",
  group: "sorted-set",
  complexity:
    "O(K) + O(M*log(N)) where K is the number of provided keys, N being the number of elements in the sorted set, and M being the number of elements popped.",
  summary: "Remove and return members with scores in a sorted set or block until one is available",
  syntax: "timeout:double numkeys key [key ...] where=<MIN | MAX> [COUNT count]",
  run(c) {
    if (!parsePop(c, 2)) return;
    blockingPop(c, multiPop.first, multiPop.keys, 1);
  },
});

const bzpopmax = command({
  name: "bzpopmax",
  arity: -3,
  flags: "write noscript fast blocking",
  keys: "1:-2 RW access delete",
  acl: "sortedset",
  since: "5.0.0",
  group: "sorted-set",
  complexity: "O(log(N)) with N being the number of elements in the sorted set.",
  summary:
    "Remove and return the member with the highest score from one or more sorted sets, or block until one is available",
  syntax: "key [key ...] timeout:double",
  history: ["6.0.0 `timeout` is interpreted as a double instead of an integer."],
  run: (c) => blockingPopOne(c, true),
});

const bzpopmin = command({
  name: "bzpopmin",
  arity: -3,
  flags: "write noscript fast blocking",
  keys: "1:-2 RW access delete",
  acl: "sortedset",
  since: "5.0.0",
  group: "sorted-set",
  complexity: "O(log(N)) with N being the number of elements in the sorted set.",
  summary:
    "Remove and return the member with the lowest score from one or more sorted sets, or block until one is available",
  syntax: "key [key ...] timeout:double",
  history: ["6.0.0 `timeout` is interpreted as a double instead of an integer."],
  run: (c) => blockingPopOne(c, false),
});

const zmpop = command({
  name: "zmpop",
  arity: -4,
  flags: "write",
  keys: "#1 RW access delete",
  acl: "sortedset",
  since: "7.0.0",
  group: "sorted-set",
  complexity:
    "O(K) + O(M*log(N)) where K is the number of provided keys, N being the number of elements in the sorted set, and M being the number of elements popped.",
  summary: "Remove and return members with scores in a sorted set",
  syntax: "numkeys key [key ...] where=<MIN | MAX> [COUNT count]",
  run(c) {
    if (!parsePop(c, 1)) return;
    const i = findKey(c, multiPop.first, multiPop.keys, Type.ZSET);
    if (i > 0) propagate(c, i, popFrom(c, i, foundRef, Shape.NESTED));
    else if (i === 0) c.reply.nullArray();
  },
});

const zpopmax = command({
  name: "zpopmax",
  arity: -2,
  flags: "write fast",
  keys: "1 RW access delete",
  acl: "sortedset",
  since: "5.0.0",
  group: "sorted-set",
  complexity:
    "O(log(N)*M) with N being the number of elements in the sorted set, and M being the number of elements popped.",
  summary: "Remove and return members with the highest scores in a sorted set",
  syntax: "key [count]",
  run: (c) => pop(c, true),
});

const zpopmin = command({
  name: "zpopmin",
  arity: -2,
  flags: "write fast",
  keys: "1 RW access delete",
  acl: "sortedset",
  since: "5.0.0",
  group: "sorted-set",
  complexity:
    "O(log(N)*M) with N being the number of elements in the sorted set, and M being the number of elements popped.",
  summary: "Remove and return members with the lowest scores in a sorted set",
  syntax: "key [count]",
  run: (c) => pop(c, false),
});

export const commands: Command[] = [bzmpop, bzpopmax, bzpopmin, zmpop, zpopmax, zpopmin];

/** Forms of a reply. */
const Shape = {
  /** Member, score, member, score … */
  FLAT: 0,
  /** Pairs. */
  PAIRS: 1,
  /** The key, then member and score. */
  WITH_KEY: 2,
  /** The key, then an array of pairs. */
  NESTED: 3,
} as const;

/** What the command that is being run pops. */
class PopOptions {
  max = false;
  /** How many members at most. */
  count = 1;
  /** Whether the count was given, or is to be propagated. */
  counted = false;
}

const options = new PopOptions();
const multiPop = new MultiPop();

/** ZPOPMIN and ZPOPMAX. */
function pop(c: Client, max: boolean): void {
  const { args: a, reply } = c;
  if (a.argc > 3) return reply.error(SYNTAX);
  const counted = a.argc === 3;
  const count = counted ? a.int(2) : 1;
  if (!(count >= 0)) return reply.error(NOT_POSITIVE);
  const ref = c.writeTyped(1, Type.ZSET);
  if (ref < 0) return;
  if (ref === 0 || count === 0) return reply.array(0);
  options.max = max;
  options.count = count;
  popFrom(c, 1, ref, counted && reply.resp3 ? Shape.PAIRS : Shape.FLAT);
}

/** Parses the arguments of ZMPOP from the number of keys on. */
function parsePop(c: Client, at: number): boolean {
  if (!parseMultiPop(c, at, MIN, MAX, multiPop)) return false;
  options.max = multiPop.atSecond;
  options.count = multiPop.count;
  options.counted = true;
  return true;
}

/** Takes members out of key i, whose record is `ref`, and replies with them; returns how many. */
function popFrom(c: Client, i: number, ref: number, shape: number): number {
  const { args: a, db, reply } = c;
  zset.open(db, ref);
  const { max } = options;
  const size = zset.count;
  const count = Math.min(size, options.count);
  const inPairs = shape === Shape.PAIRS || shape === Shape.NESTED;
  if (shape === Shape.FLAT) reply.array(count * 2);
  else if (shape === Shape.PAIRS) reply.array(count);
  else {
    reply.array(shape === Shape.NESTED ? 2 : count * 2 + 1);
    reply.bulk(a.buf, a.off[i], a.len[i]);
    if (shape === Shape.NESTED) reply.array(count);
  }
  zset.start(max ? size - 1 : 0, max);
  for (let left = count; left > 0 && zset.next(); left--) {
    if (inPairs) reply.array(2);
    replyMember(c, zset);
    replyScore(c, zset.score);
  }
  if (count < size) zset.removeRange(max ? size - count : 0, max ? size : count);
  db.shrunk(a, i, zset.ref, count === size, max ? ZPOPMAX : ZPOPMIN, count);
  return count;
}

function propagate(c: Client, i: number, count: number): void {
  const { propagation } = c.engine;
  if (!propagation.active) return;
  const name = options.max ? "ZPOPMAX" : "ZPOPMIN";
  if (options.counted) propagation.rewrite(name, c.args.bytes(i), count);
  else propagation.rewrite(name, c.args.bytes(i));
}

/** BZPOPMIN and BZPOPMAX. */
function blockingPopOne(c: Client, max: boolean): void {
  options.max = max;
  options.count = 1;
  options.counted = false;
  blockingPop(c, 1, c.args.argc - 2, c.args.argc - 1);
}

/** Pops from the first key that there is, or lets the client wait for one. */
function blockingPop(c: Client, first: number, keys: number, timeoutAt: number): void {
  const timeout = parseTimeout(c, timeoutAt);
  if (timeout < 0) return;
  const i = findKeyOrWait(c, first, keys, Type.ZSET, timeout);
  if (i > 0) propagate(c, i, popFrom(c, i, foundRef, options.counted ? Shape.NESTED : Shape.WITH_KEY));
}
