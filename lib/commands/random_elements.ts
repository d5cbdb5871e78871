/**
 * What SRANDMEMBER, HRANDFIELD and ZRANDMEMBER have in common: their arguments, and drawing elements with and without replacement.
 */

import { MAX_INT64, MIN_INT64, parseBigInt64 } from "../bytes/ascii.ts";
import type { Client } from "../engine/client.ts";
import { errorReply, NOT_INTEGER, SYNTAX } from "../resp/errors.ts";
import type { Random } from "../platform/platform.ts";
import { Type } from "../store/record.ts";

const OUT_OF_BOUNDS = errorReply(
  "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807",
);
const OUT_OF_RANGE = errorReply("ERR value is out of range");
const TWO_53 = 9007199254740992;
/** A negative count may ask for any number of elements; a reply longer than this is given up. */
const LONGEST_REPLY = 1 << 30;
/** More places than this are not remembered one by one. */
const MOST_REMEMBERED = 1 << 20;

/** A view of a set, hash or sorted set. */
interface Drawable {
  readonly type: number;
  readonly table: object | null;
  readonly count: number;
  /** Makes the next element of a walk the current one; false at the end. */
  next(): boolean;
  /** Makes a random element the current one; returns its place, by which it is known again. */
  random(random: Random): number;
}

/** Argument i as a count, to the nearest double; NaN when it is none, which has been replied. */
export function parseRandomCount(c: Client, i: number): number {
  const a = c.args;
  const count = a.int(i);
  if (count !== count) c.reply.error(NOT_INTEGER);
  else if (count <= -TWO_53 && parseBigInt64(a.buf, a.off[i], a.len[i]) === MIN_INT64) {
    c.reply.error(OUT_OF_BOUNDS);
    return NaN;
  }
  return count;
}

/** Whether argument 3 is there, where only `word` may stand; null when something else does, or the reply could not be counted. */
export function parseWithValues(c: Client, word: Uint8Array): boolean | null {
  const { args: a } = c;
  const withValues = a.argc === 4 && a.is(3, word);
  if (a.argc > 4 || (a.argc === 4 && !withValues)) c.reply.error(SYNTAX);
  else if (withValues && isBeyondHalf(c, 2)) c.reply.error(OUT_OF_RANGE);
  else return withValues;
  return null;
}

/** Whether argument i, a count, lies beyond half the range of 64 bits. */
function isBeyondHalf(c: Client, i: number): boolean {
  const a = c.args;
  if (Math.abs(a.int(i)) < TWO_53) return false;
  const count = parseBigInt64(a.buf, a.off[i], a.len[i]) ?? 0n;
  return count > MAX_INT64 / 2n || count < -(MAX_INT64 / 2n);
}

/**
 * Replies with an array of random elements of `view`, which must be about to begin a walk: `count` different ones, or all if there are
 * fewer; with a negative count so many that may repeat. `reply` writes the current element; with values it has two parts, which are a
 * pair in RESP3.
 */
export function replyRandomElements(
  c: Client,
  view: Drawable,
  count: number,
  withValues: boolean,
  reply: (c: Client, withValues: boolean) => void,
): void {
  const { random } = c.engine.keyspace;
  const size = view.count;
  const drawn = count < 0 ? -count : Math.min(count, size);
  const mark = c.reply.at;
  c.reply.array(withValues && !c.reply.resp3 ? drawn * 2 : drawn);
  if (count < 0 || count === 1) {
    for (let i = 0; i < drawn && !isReplyTooLong(c, mark); i++) {
      view.random(random);
      reply(c, withValues);
    }
  } else if (drawsOneByOne(view, drawn)) {
    const places = new Set<number>();
    while (places.size < drawn) {
      const place = view.random(random);
      if (places.has(place)) continue;
      places.add(place);
      reply(c, withValues);
    }
  } else {
    draw.start(drawn, size);
    while (view.next()) if (draw.next(random)) reply(c, withValues);
  }
}

/**
 * Whether the reply begun at `mark` has become too long: then it is replaced by an error, or, above the limit for the client's
 * output, just left, because the client will be cut off.
 */
function isReplyTooLong(c: Client, mark: number): boolean {
  if (c.reply.isFull) return true;
  if (c.reply.at - mark <= LONGEST_REPLY) return false;
  c.reply.at = mark;
  c.reply.error(OUT_OF_RANGE);
  return true;
}

/** Whether elements should be drawn one by one; otherwise a walk through all (`Draw`) is cheaper. In a listpack every draw is a walk. */
function drawsOneByOne(view: Drawable, count: number): boolean {
  return count * 3 <= view.count && count <= MOST_REMEMBERED && (view.table !== null || view.type === Type.SET);
}

/** Decides in a walk through all elements which are drawn: each set of `count` of them is equally likely (selection sampling). */
export class Draw {
  #left = 0;
  #wanted = 0;

  start(count: number, size: number): void {
    this.#left = size;
    this.#wanted = count;
  }

  /** Whether the next element is drawn. */
  next(random: Random): boolean {
    if (random.below(this.#left--) >= this.#wanted) return false;
    this.#wanted--;
    return true;
  }
}

const draw = new Draw();
