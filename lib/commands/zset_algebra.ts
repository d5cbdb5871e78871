/**
 * Unions, intersections and differences of sorted sets. Plain sets may take part: their members have the score 1.
 *
 * The sources are visited from the smallest to the largest, as in Redis, because the order in which scores are added up can be seen in
 * the last digits of the sum. The result is always a table first; only when it is stored it becomes a listpack if it is
 * small, so that the scores do not lose anything (a listpack has no -0) on the way.
 */

import { lower, parseDouble } from "../bytes/ascii.ts";
import type { Client } from "../engine/client.ts";
import { type Command, command } from "../engine/command.ts";
import { errorReply, LIMIT_NEGATIVE, NOT_INTEGER, SYNTAX, WRONGTYPE } from "../resp/errors.ts";
import { EventClass, keyEvent } from "../store/events.ts";
import { Type } from "../store/record.ts";
import type { ListpackCursor } from "../store/types/listpack.ts";
import { SetView } from "../store/types/set.ts";
import type { SortedSet } from "../store/types/sorted_set.ts";
import { ZsetView } from "../store/types/zset.ts";
import { replyEntry, replyHeader } from "./zset_reply.ts";

const ZUNIONSTORE = keyEvent(EventClass.ZSET, "zunionstore");
const ZINTERSTORE = keyEvent(EventClass.ZSET, "zinterstore");
const ZDIFFSTORE = keyEvent(EventClass.ZSET, "zdiffstore");

const WEIGHTS = lower("weights");
const AGGREGATE = lower("aggregate");
const WITHSCORES = lower("withscores");
const LIMIT = lower("limit");
const SUM = lower("sum");
const MIN = lower("min");
const MAX = lower("max");

const NOT_WEIGHT = errorReply("ERR weight value is not a float");

const Operation = { UNION: 0, INTER: 1, DIFF: 2 } as const;
const STORED = [ZUNIONSTORE, ZINTERSTORE, ZDIFFSTORE] as const;
const Aggregate = { SUM: 0, MIN: 1, MAX: 2 } as const;

const zdiff = command({
  name: "zdiff",
  arity: -3,
  flags: "readonly",
  keys: "#1 RO access",
  acl: "sortedset",
  since: "6.2.0",
  group: "sorted-set",
  complexity:
    "O(L + (N-K)log(N)) worst case where L is the total number of elements in all the sets, N is the size of the first set, and K is the size of the result set.",
  summary: "Subtract multiple sorted sets",
  syntax: "numkeys key [key ...] [WITHSCORES]",
  run: (c) => combine(c, Operation.DIFF, false),
});

const zdiffstore = command({
  name: "zdiffstore",
  arity: -4,
  flags: "write denyoom",
  acl: "sortedset",
  since: "6.2.0",
  group: "sorted-set",
  keys: ["1 OW update", "#2 RO access"],
  complexity:
    "O(L + (N-K)log(N)) worst case where L is the total number of elements in all the sets, N is the size of the first set, and K is the size of the result set.",
  summary: "Subtract multiple sorted sets and store the resulting sorted set in a new key",
  syntax: "destination numkeys key [key ...]",
  run: (c) => combine(c, Operation.DIFF, true),
});

const zinter = command({
  name: "zinter",
  arity: -3,
  flags: "readonly",
  keys: "#1 RO access",
  acl: "sortedset",
  since: "6.2.0",
  group: "sorted-set",
  complexity:
    "O(N*K)+O(M*log(M)) worst case with N being the smallest input sorted set, K being the number of input sorted sets and M being the number of elements in the resulting sorted set.",
  summary: "Intersect multiple sorted sets",
  syntax: "numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE aggregate=<SUM | MIN | MAX>] [WITHSCORES]",
  run: (c) => combine(c, Operation.INTER, false),
});

const zintercard = command({
  name: "zintercard",
  arity: -3,
  flags: "readonly",
  keys: "#1 RO access",
  acl: "sortedset",
  since: "7.0.0",
  group: "sorted-set",
  complexity: "O(N*K) worst case with N being the smallest input sorted set, K being the number of input sorted sets.",
  summary: "Intersect multiple sorted sets and return the cardinality of the result",
  syntax: "numkeys key [key ...] [LIMIT limit:integer]",
  run(c) {
    const next = openSources(c, 1);
    if (next < 0 || !parseLimit(c, next)) return;
    c.reply.int(intersectionSize());
    closeSources();
  },
});

const zinterstore = command({
  name: "zinterstore",
  arity: -4,
  flags: "write denyoom",
  acl: "sortedset",
  since: "2.0.0",
  group: "sorted-set",
  keys: ["1 OW update", "#2 RO access"],
  complexity:
    "O(N*K)+O(M*log(M)) worst case with N being the smallest input sorted set, K being the number of input sorted sets and M being the number of elements in the resulting sorted set.",
  summary: "Intersect multiple sorted sets and store the resulting sorted set in a new key",
  syntax: "destination numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE aggregate=<SUM | MIN | MAX>]",
  run: (c) => combine(c, Operation.INTER, true),
});

const zunion = command({
  name: "zunion",
  arity: -3,
  flags: "readonly",
  keys: "#1 RO access",
  acl: "sortedset",
  since: "6.2.0",
  group: "sorted-set",
  complexity:
    "O(N)+O(M*log(M)) with N being the sum of the sizes of the input sorted sets, and M being the number of elements in the resulting sorted set.",
  summary: "Add multiple sorted sets",
  syntax: "numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE aggregate=<SUM | MIN | MAX>] [WITHSCORES]",
  run: (c) => combine(c, Operation.UNION, false),
});

const zunionstore = command({
  name: "zunionstore",
  arity: -4,
  flags: "write denyoom",
  acl: "sortedset",
  since: "2.0.0",
  group: "sorted-set",
  keys: ["1 OW update", "#2 RO access"],
  complexity:
    "O(N)+O(M log(M)) with N being the sum of the sizes of the input sorted sets, and M being the number of elements in the resulting sorted set.",
  summary: "Add multiple sorted sets and store the resulting sorted set in a new key",
  syntax: "destination numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE aggregate=<SUM | MIN | MAX>]",
  run: (c) => combine(c, Operation.UNION, true),
});

export const commands: Command[] = [zdiff, zdiffstore, zinter, zintercard, zinterstore, zunion, zunionstore];

/** One of the sets that are combined. */
class Source {
  /** The key's record, 0 when there is none. */
  ref = 0;
  count = 0;
  weight = 1;
  /** Score of the current member, after `next`, or of the one found, after `find`. */
  score = 0;
  #isSet = false;
  readonly #zset = new ZsetView();
  readonly #set = new SetView();

  /** Binds to the value of key i; false when it has another type. */
  open(c: Client, i: number): boolean {
    const { db } = c;
    this.ref = db.lookupRead(c.args, i);
    this.weight = 1;
    this.count = 0;
    if (this.ref === 0) return true;
    const type = db.type(this.ref);
    this.#isSet = type === Type.SET;
    if (type === Type.ZSET) this.count = this.#zset.open(db, this.ref).count;
    else if (this.#isSet) this.count = this.#set.open(db, this.ref).count;
    else return false;
    return true;
  }

  /** Begins a walk through all members. */
  rewind(): void {
    if (this.#isSet) this.#set.rewind();
    else this.#zset.start(this.count - 1, true);
  }

  /** Goes to the next member; false at the end. */
  next(): boolean {
    if (this.#isSet) {
      this.score = 1;
      return this.#set.next();
    }
    if (!this.#zset.next()) return false;
    this.score = this.#zset.score;
    return true;
  }

  /** The current member of a walk. */
  get member(): ListpackCursor {
    return this.#isSet ? this.#set.member : this.#zset.member;
  }

  /** Whether that member is in this set; then `score` is its score. */
  find(member: ListpackCursor): boolean {
    if (this.count === 0) return false;
    if (this.#isSet) {
      this.score = 1;
      return this.#set.has(member.buf, member.off, member.len);
    }
    if (!this.#zset.find(member.buf, member.off, member.len)) return false;
    this.score = this.#zset.score;
    return true;
  }

  /** Lets go of what the views hold. */
  close(): void {
    this.#zset.table = null;
    this.#set.table = null;
  }
}

/** Sources are kept for the next command; `sources` are those of the command that is being run, in the order of evaluation. */
const pool: Source[] = [];
let sources: Source[] = [];
const result = new ZsetView();

let aggregate: number = Aggregate.SUM;
let withScores = false;
/** ZINTERCARD's LIMIT, 0 for none. */
let limit = 0;

function combine(c: Client, operation: number, isStore: boolean): void {
  const next = openSources(c, isStore ? 2 : 1);
  if (next < 0 || !parseOptions(c, next, operation, isStore)) return;
  if (operation !== Operation.DIFF) sources.sort((a, b) => a.count - b.count);
  const table = result.create(c.db.keyspace);
  if (operation === Operation.UNION) unite(table);
  else if (operation === Operation.INTER) intersect(table);
  else subtract(table);
  closeSources();
  if (isStore) return storeResult(c, operation);
  replyHeader(c, result.count, withScores);
  for (result.rewind(); result.next();) replyEntry(c, result, withScores);
  result.drop();
}

/** Opens the keys whose number is argument `at`; returns the index of what follows them, -1 after an error. */
function openSources(c: Client, at: number): number {
  const { args: a, reply } = c;
  const keys = a.int(at);
  if (keys !== keys) reply.error(NOT_INTEGER);
  else if (keys < 1) reply.error(errorReply(`ERR at least 1 input key is needed for '${c.command!.name}' command`));
  else if (keys > a.argc - at - 1) reply.error(SYNTAX);
  else {
    sources = [];
    for (let k = 0; k < keys; k++) {
      const source = pool[k] ??= new Source();
      if (!source.open(c, at + 1 + k)) {
        reply.error(WRONGTYPE);
        return -1;
      }
      sources.push(source);
    }
    return at + 1 + keys;
  }
  return -1;
}

function closeSources(): void {
  for (const source of sources) source.close();
}

function parseOptions(c: Client, from: number, operation: number, isStore: boolean): boolean {
  const { args: a } = c;
  aggregate = Aggregate.SUM;
  withScores = false;
  for (let i = from; i < a.argc; i++) {
    const rest = a.argc - i;
    if (operation !== Operation.DIFF && rest > sources.length && a.is(i, WEIGHTS)) {
      for (const source of sources) {
        source.weight = parseDouble(a.buf, a.off[++i], a.len[i]);
        if (source.weight !== source.weight) return c.fail(NOT_WEIGHT);
      }
    } else if (operation !== Operation.DIFF && rest > 1 && a.is(i, AGGREGATE)) {
      i++;
      if (a.is(i, SUM)) aggregate = Aggregate.SUM;
      else if (a.is(i, MIN)) aggregate = Aggregate.MIN;
      else if (a.is(i, MAX)) aggregate = Aggregate.MAX;
      else return c.fail(SYNTAX);
    } else if (!isStore && a.is(i, WITHSCORES)) withScores = true;
    else return c.fail(SYNTAX);
  }
  return true;
}

function parseLimit(c: Client, from: number): boolean {
  const { args: a } = c;
  limit = 0;
  for (let i = from; i < a.argc; i += 2) {
    if (i + 1 === a.argc || !a.is(i, LIMIT)) return c.fail(SYNTAX);
    limit = a.int(i + 1);
    if (!(limit >= 0)) return c.fail(LIMIT_NEGATIVE);
  }
  return true;
}

/** Opposite infinities add up to 0. */
function aggregated(score: number, other: number): number {
  if (aggregate === Aggregate.SUM) {
    const sum = score + other;
    return sum === sum ? sum : 0;
  }
  if (aggregate === Aggregate.MIN) return other < score ? other : score;
  return other > score ? other : score;
}

/** The current score of a walk, weighted; 0 where that is not a number. */
function weighted(source: Source): number {
  const score = source.weight * source.score;
  return score === score ? score : 0;
}

function unite(table: SortedSet): void {
  for (const source of sources) {
    if (source.count === 0) continue;
    for (source.rewind(); source.next();) {
      const { member } = source;
      member.asText();
      const score = weighted(source);
      const hash = table.dict.hash(member.buf, member.off, member.len);
      const ref = table.dict.find(member.buf, member.off, member.len, hash);
      if (ref === 0) table.insert(score, member.buf, member.off, member.len, hash);
      else table.setScore(ref, aggregated(table.scoreOf(ref), score));
    }
  }
}

function intersect(table: SortedSet): void {
  const [smallest] = sources;
  if (smallest.count === 0) return;
  for (smallest.rewind(); smallest.next();) {
    const { member } = smallest;
    member.asText();
    const own = smallest.score;
    let score = weighted(smallest);
    let isInAll = true;
    for (let k = 1; k < sources.length && isInAll; k++) {
      const source = sources[k];
      isInAll = source.find(member);
      if (isInAll) score = aggregated(score, (source.ref === smallest.ref ? own : source.score) * source.weight);
    }
    if (isInAll) table.add(score, member.buf, member.off, member.len);
  }
}

/** Size of the intersection, as far as `limit` wants to know. */
function intersectionSize(): number {
  sources.sort((a, b) => a.count - b.count);
  const [smallest] = sources;
  let size = 0;
  if (smallest.count === 0) return size;
  for (smallest.rewind(); smallest.next();) {
    const { member } = smallest;
    member.asText();
    let k = 1;
    while (k < sources.length && sources[k].find(member)) k++;
    if (k === sources.length && ++size === limit) break;
  }
  return size;
}

function subtract(table: SortedSet): void {
  const [first] = sources;
  if (first.count === 0) return;
  const others = sources.slice(1).sort((a, b) => b.count - a.count);
  if (others.some((other) => other.ref === first.ref)) return;
  for (first.rewind(); first.next();) {
    const { member } = first;
    member.asText();
    if (others.some((other) => other.find(member))) continue;
    table.add(first.score, member.buf, member.off, member.len);
  }
}

function storeResult(c: Client, operation: number): void {
  const { args: a, db, reply } = c;
  const { count } = result;
  reply.int(count);
  if (count === 0) {
    result.drop();
    c.deleteKey(1);
    return;
  }
  result.limits = c.engine.config.values;
  result.store(db, a, 1);
  db.changed(a, 1, STORED[operation]);
}
