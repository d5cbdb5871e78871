/**
 * What SRANDMEMBER, HRANDFIELD and ZRANDMEMBER have in common: their count, and drawing without replacement.
 */

import { MAX_INT64, MIN_INT64, parseBigInt64 } from "../bytes/ascii.ts";
import type { Client } from "../engine/client.ts";
import { errorReply, NOT_INTEGER } from "../resp/errors.ts";
import type { Random } from "../platform/platform.ts";

const OUT_OF_BOUNDS = errorReply(
  "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807",
);
const REPLY_TOO_LONG = errorReply("ERR value is out of range");
const TWO_53 = 9007199254740992;
/** A negative count may ask for any number of elements; a reply longer than this is given up. */
const LONGEST_REPLY = 1 << 30;
/** More places than this are not remembered one by one. */
const MOST_REMEMBERED = 1 << 20;

/** Argument i as a count, to the nearest double; NaN when it is none, which has been replied. */
export function randomCount(c: Client, i: number): number {
  const a = c.args;
  const count = a.int(i);
  if (count !== count) c.reply.error(NOT_INTEGER);
  else if (count <= -TWO_53 && parseBigInt64(a.buf, a.off[i], a.len[i]) === MIN_INT64) {
    c.reply.error(OUT_OF_BOUNDS);
    return NaN;
  }
  return count;
}

/** Whether argument i, a count, lies beyond half the range of 64 bits. */
export function isBeyondHalf(c: Client, i: number): boolean {
  const a = c.args;
  if (Math.abs(a.int(i)) < TWO_53) return false;
  const count = parseBigInt64(a.buf, a.off[i], a.len[i]) ?? 0n;
  return count > MAX_INT64 / 2n || count < -(MAX_INT64 / 2n);
}

/**
 * Whether the reply begun at `mark` has become too long: then it is replaced by an error, or, above the limit for the client's
 * output, just left, because the client will be cut off.
 */
export function isReplyTooLong(c: Client, mark: number): boolean {
  if (c.reply.isFull) return true;
  if (c.reply.at - mark <= LONGEST_REPLY) return false;
  c.reply.at = mark;
  c.reply.error(REPLY_TOO_LONG);
  return true;
}

/** Whether `count` of `size` elements should be drawn one by one; otherwise a walk through all (`Draw`) is cheaper. */
export function drawsOneByOne(count: number, size: number): boolean {
  return count * 3 <= size && count <= MOST_REMEMBERED;
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
