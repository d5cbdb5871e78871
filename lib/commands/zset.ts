/**
 * Sorted sets: members one by one, random members, and walking through all. Ranges are in zset_range.ts, ZPOPMIN and its
 * relatives in zset_pop.ts, unions and the like in zset_algebra.ts; how a sorted set is stored is hidden by `ZsetView`
 * (store/types/zset.ts).
 */

import { formatDouble, lower, parseDouble } from "../bytes/ascii.ts";
import type { Client } from "../engine/client.ts";
import { type Command, command } from "../engine/command.ts";
import { errorReply, NOT_FLOAT, SYNTAX } from "../resp/errors.ts";
import { EventClass, keyEvent } from "../store/events.ts";
import { Type } from "../store/record.ts";
import { Added, AddFlag, ZsetView } from "../store/types/zset.ts";
import { parseRandomCount, parseWithValues, replyRandomElements } from "./random_elements.ts";
import { scanCollection } from "./scan.ts";
import { replyEntry, replyMember, replyScore } from "./zset_reply.ts";

const ZADD = keyEvent(EventClass.ZSET, "zadd");
const ZINCR = keyEvent(EventClass.ZSET, "zincr");
const ZREM = keyEvent(EventClass.ZSET, "zrem");

const NX = lower("nx");
const XX = lower("xx");
const CH = lower("ch");
const INCR = lower("incr");
const GT = lower("gt");
const LT = lower("lt");
const WITHSCORES = lower("withscores");

const NX_AND_XX = errorReply("ERR XX and NX options at the same time are not compatible");
const GT_LT_NX = errorReply("ERR GT, LT, and/or NX options at the same time are not compatible");
const INCR_MANY = errorReply("ERR INCR option supports a single increment-element pair");
const SCORE_NAN = errorReply("ERR resulting score is not a number (NaN)");

/** The sorted set of the command that is being run. */
const zset = new ZsetView();
/** Scores of the ZADD that is being run: none is added before all are known to be valid. */
let scores = new Float64Array(64);

const zadd = command({
  name: "zadd",
  arity: -4,
  flags: "write denyoom fast",
  keys: "1 RW update",
  acl: "sortedset",
  since: "1.2.0",
  group: "sorted-set",
  complexity: "O(log(N)) for each item added, where N is the number of elements in the sorted set.",
  summary: "Add one or more members to a sorted set, or update its score if it already exists",
  syntax:
    "key condition=[NX | XX]@3.0.2 comparison=[GT | LT]@6.2.0 [change=CH@3.0.2] [increment=INCR@3.0.2] score member [score member ...]",
  history: [
    "2.4.0 Accepts multiple elements.",
    "3.0.2 Added the `XX`, `NX`, `CH` and `INCR` options.",
    "6.2.0 Added the `GT` and `LT` options.",
  ],
  run: (c) => addMembers(c, 0),
});

const zcard = command({
  name: "zcard",
  arity: 2,
  flags: "readonly fast",
  keys: "1 RO",
  acl: "sortedset",
  since: "1.2.0",
  group: "sorted-set",
  complexity: "O(1)",
  summary: "Get the number of members in a sorted set",
  syntax: "key",
  run(c) {
    const ref = c.readTyped(1, Type.ZSET);
    if (ref < 0) return;
    c.reply.int(ref === 0 ? 0 : zset.open(c.db, ref).count);
  },
});

const zincrby = command({
  name: "zincrby",
  arity: 4,
  flags: "write denyoom fast",
  keys: "1 RW access update",
  acl: "sortedset",
  since: "1.2.0",
  group: "sorted-set",
  complexity: "O(log(N)) where N is the number of elements in the sorted set.",
  summary: "Increment the score of a member in a sorted set",
  syntax: "key increment:integer member",
  run: (c) => addMembers(c, AddFlag.INCR),
});

const zmscore = command({
  name: "zmscore",
  arity: -3,
  flags: "readonly fast",
  keys: "1 RO access",
  acl: "sortedset",
  since: "6.2.0",
  group: "sorted-set",
  complexity: "O(N) where N is the number of members being requested.",
  summary: "Get the score associated with the given members in a sorted set",
  syntax: "key member [member ...]",
  run(c) {
    const { args: a, reply } = c;
    const ref = c.readTyped(1, Type.ZSET);
    if (ref < 0) return;
    if (ref !== 0) zset.open(c.db, ref);
    reply.array(a.argc - 2);
    for (let i = 2; i < a.argc; i++) {
      if (ref !== 0 && zset.find(a.buf, a.off[i], a.len[i])) replyScore(c, zset.score);
      else reply.null();
    }
  },
});

const zrandmember = command({
  name: "zrandmember",
  arity: -2,
  flags: "readonly",
  keys: "1 RO access",
  acl: "sortedset",
  since: "6.2.0",
  group: "sorted-set",
  complexity: "O(N) where N is the number of elements returned",
  summary: "Get one or multiple random elements from a sorted set",
  syntax: "key options=[count [WITHSCORES]]",
  tips: "nondeterministic_output",
  run(c) {
    const { args: a } = c;
    if (a.argc > 2) return randomMembers(c);
    const ref = c.readTyped(1, Type.ZSET);
    if (ref < 0) return;
    if (ref === 0) return c.reply.null();
    zset.open(c.db, ref).random(c.engine.keyspace.random);
    replyMember(c, zset);
  },
});

const zrank = command({
  name: "zrank",
  arity: 3,
  flags: "readonly fast",
  keys: "1 RO access",
  acl: "sortedset",
  since: "2.0.0",
  group: "sorted-set",
  complexity: "O(log(N))",
  summary: "Determine the index of a member in a sorted set",
  syntax: "key member",
  run: (c) => replyRank(c, false),
});

const zrem = command({
  name: "zrem",
  arity: -3,
  flags: "write fast",
  keys: "1 RW delete",
  acl: "sortedset",
  since: "1.2.0",
  group: "sorted-set",
  complexity:
    "O(M*log(N)) with N being the number of elements in the sorted set and M the number of elements to be removed.",
  summary: "Remove one or more members from a sorted set",
  syntax: "key member [member ...]",
  history: ["2.4.0 Accepts multiple elements."],
  run(c) {
    const { args: a, db } = c;
    const ref = c.writeTyped(1, Type.ZSET);
    if (ref < 0) return;
    if (ref === 0) return c.reply.int(0);
    zset.open(db, ref);
    const { count } = zset;
    let removed = 0;
    for (let i = 2; i < a.argc && removed < count; i++) if (zset.remove(a.buf, a.off[i], a.len[i])) removed++;
    if (removed > 0) db.shrunk(a, 1, zset.ref, removed === count, ZREM, removed);
    c.reply.int(removed);
  },
});

const zrevrank = command({
  name: "zrevrank",
  arity: 3,
  flags: "readonly fast",
  keys: "1 RO access",
  acl: "sortedset",
  since: "2.0.0",
  group: "sorted-set",
  complexity: "O(log(N))",
  summary: "Determine the index of a member in a sorted set, with scores ordered from high to low",
  syntax: "key member",
  run: (c) => replyRank(c, true),
});

const zscan = command({
  name: "zscan",
  arity: -3,
  flags: "readonly",
  keys: "1 RO access",
  acl: "sortedset",
  since: "2.8.0",
  group: "sorted-set",
  complexity:
    "O(1) for every call. O(N) for a complete iteration, including enough command calls for the cursor to return back to 0. N is the number of elements inside the collection..",
  summary: "Incrementally iterate sorted sets elements and associated scores",
  syntax: "key cursor [MATCH pattern] [COUNT count]",
  tips: "nondeterministic_output",
  run: (c) => scanCollection(c, zset, zset.member, 2, replyPair),
});

const zscore = command({
  name: "zscore",
  arity: 3,
  flags: "readonly fast",
  keys: "1 RO access",
  acl: "sortedset",
  since: "1.2.0",
  group: "sorted-set",
  complexity: "O(1)",
  summary: "Get the score associated with the given member in a sorted set",
  syntax: "key member",
  run(c) {
    const { args: a } = c;
    const ref = c.readTyped(1, Type.ZSET);
    if (ref < 0) return;
    if (ref !== 0 && zset.open(c.db, ref).find(a.buf, a.off[2], a.len[2])) replyScore(c, zset.score);
    else c.reply.null();
  },
});

export const commands: Command[] = [
  zadd,
  zcard,
  zincrby,
  zmscore,
  zrandmember,
  zrank,
  zrem,
  zrevrank,
  zscan,
  zscore,
];

// ---- Adding ----------------------------------------------------------------------------------------------------------------------

/** The options of a ZADD. */
class AddOptions {
  flags = 0;
  /** Changed members are counted, too. */
  ch = false;
  /** Index of the first score. */
  from = 0;
}

const options = new AddOptions();

/** ZADD; with INCR in `flags`, ZINCRBY, which Redis lets have all the options of ZADD. */
function addMembers(c: Client, flags: number): void {
  const { args: a } = c;
  if (!parseAddOptions(c, flags)) return;
  const pairs = (a.argc - options.from) >> 1;
  if (pairs > scores.length) scores = new Float64Array(pairs * 2);
  for (let k = 0, i = options.from; k < pairs; k++, i += 2) {
    const score = parseDouble(a.buf, a.off[i], a.len[i]);
    if (score !== score) return c.reply.error(NOT_FLOAT);
    scores[k] = score;
  }
  addScored(c, options.flags, options.ch, options.from, 2, scores);
}

function parseAddOptions(c: Client, flags: number): boolean {
  const { args: a } = c;
  let ch = false;
  let i = 2;
  for (; i < a.argc; i++) {
    if (a.is(i, NX)) flags |= AddFlag.NX;
    else if (a.is(i, XX)) flags |= AddFlag.XX;
    else if (a.is(i, CH)) ch = true;
    else if (a.is(i, INCR)) flags |= AddFlag.INCR;
    else if (a.is(i, GT)) flags |= AddFlag.GT;
    else if (a.is(i, LT)) flags |= AddFlag.LT;
    else break;
  }
  const rest = a.argc - i;
  if (rest === 0 || rest % 2 === 1) return c.fail(SYNTAX);
  const nx = (flags & AddFlag.NX) !== 0;
  const gt = (flags & AddFlag.GT) !== 0;
  const lt = (flags & AddFlag.LT) !== 0;
  if (nx && flags & AddFlag.XX) return c.fail(NX_AND_XX);
  if ((gt && nx) || (lt && nx) || (gt && lt)) return c.fail(GT_LT_NX);
  if (flags & AddFlag.INCR && rest > 2) return c.fail(INCR_MANY);
  options.flags = flags;
  options.ch = ch;
  options.from = i;
  return true;
}

/**
 * Adds members with the scores that are given, and replies as ZADD. The first member stands behind argument `from`, where its group of
 * `step` arguments begins, at its end; so do the others in their groups (GEOADD has groups of three).
 */
export function addScored(
  c: Client,
  flags: number,
  ch: boolean,
  from: number,
  step: number,
  values: Float64Array,
): void {
  const { args: a, db, reply } = c;
  const ref = c.writeTyped(1, Type.ZSET);
  if (ref < 0) return;
  const incr = (flags & AddFlag.INCR) !== 0;
  let added = 0;
  let updated = 0;
  let outcome: number = Added.REFUSED;
  if (ref !== 0 || (flags & AddFlag.XX) === 0) {
    zset.limits = c.engine.config.values;
    if (ref === 0) zset.addKey(db, a, 1, a.len[from + step - 1]);
    else zset.open(db, ref);
    for (let k = 0, i = from + step - 1; i < a.argc; k++, i += step) {
      outcome = zset.add(values[k], a.buf, a.off[i], a.len[i], flags);
      if (outcome === Added.ADDED) added++;
      else if (outcome === Added.UPDATED) updated++;
      else if (outcome === Added.NAN) return reply.error(SCORE_NAN);
    }
  }
  if (!incr) reply.int(ch ? added + updated : added);
  else if (outcome === Added.REFUSED) reply.null();
  else replyScore(c, zset.score);
  if (added + updated > 0) db.changed(a, 1, incr ? ZINCR : ZADD, added + updated);
}

// ---- Reading ---------------------------------------------------------------------------------------------------------------------

function replyRank(c: Client, reverse: boolean): void {
  const { args: a, reply } = c;
  const ref = c.readTyped(1, Type.ZSET);
  if (ref < 0) return;
  const rank = ref === 0 ? -1 : zset.open(c.db, ref).rank(a.buf, a.off[2], a.len[2]);
  if (rank < 0) reply.null();
  else reply.int(reverse ? zset.count - 1 - rank : rank);
}

/** ZRANDMEMBER with a count. */
function randomMembers(c: Client): void {
  const count = parseRandomCount(c, 2);
  const withScores = count === count ? parseWithValues(c, WITHSCORES) : null;
  if (withScores === null) return;
  const ref = c.readTyped(1, Type.ZSET);
  if (ref < 0) return;
  if (ref === 0 || count === 0) return c.reply.array(0);
  zset.open(c.db, ref);
  // Where all are wanted, Redis goes from the last to the first.
  if (count >= zset.count) zset.start(zset.count - 1, true);
  else zset.rewind();
  replyRandomElements(c, zset, count, withScores, replyCurrent);
}

function replyCurrent(c: Client, withScore: boolean): void {
  replyEntry(c, zset, withScore);
}

/** For ZSCAN, which has no doubles in RESP3 either. */
function replyPair(c: Client): void {
  replyMember(c, zset);
  if (zset.table === null) zset.scoreElement().writeTo(c.reply);
  else c.reply.text(formatDouble(zset.score));
}
