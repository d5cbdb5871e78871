/**
 * What lists and sorted sets have in common where elements are popped from the first of several keys that there is: the arguments of LMPOP
 * and ZMPOP, finding the key, and waiting for one (BLPOP, BZPOPMIN and their kin).
 *
 * A client that waits is served by running its command again for the key that became ready (engine/blocking.ts).
 */

import { lower } from "../bytes/ascii.ts";
import { parseLongDouble } from "../bytes/longdouble.ts";
import type { BlockOptions } from "../engine/blocking.ts";
import type { Client } from "../engine/client.ts";
import {
  COUNT_NOT_POSITIVE,
  NUMKEYS_NOT_POSITIVE,
  SYNTAX,
  TIMEOUT_NEGATIVE,
  TIMEOUT_NOT_FLOAT,
} from "../resp/errors.ts";

const COUNT = lower("count");
/** Redis counts milliseconds in 64 bits; what does not fit comes out negative. */
const TOO_LONG = 2 ** 63;
/** Up to so many whole seconds nothing has to be rounded. */
const LONGEST_WHOLE = 2 ** 40;

/** `numkeys key [key …] end [COUNT count]`. */
export class MultiPop {
  /** Argument that is the first key, and the number of keys. */
  first = 0;
  keys = 0;
  /** The second of the two words for the end was given. */
  atSecond = false;
  /** How many elements at most. */
  count = 1;
}

/**
 * Parses what begins with the number of keys at argument i; the end is one of two words (LEFT and RIGHT, MIN and MAX). False when it
 * makes no sense, which has been replied.
 */
export function parseMultiPop(
  c: Client,
  i: number,
  firstEnd: Uint8Array,
  secondEnd: Uint8Array,
  pop: MultiPop,
): boolean {
  const { args: a } = c;
  const keys = a.int(i);
  if (!(keys >= 1)) return c.fail(NUMKEYS_NOT_POSITIVE);
  const end = i + keys + 1;
  if (end >= a.argc) return c.fail(SYNTAX);
  const atSecond = a.is(end, secondEnd);
  if (!atSecond && !a.is(end, firstEnd)) return c.fail(SYNTAX);
  let count = -1;
  for (let at = end + 1; at < a.argc; at += 2) {
    if (count !== -1 || !a.is(at, COUNT) || at + 1 === a.argc) return c.fail(SYNTAX);
    count = a.int(at + 1);
    if (!(count >= 1)) return c.fail(COUNT_NOT_POSITIVE);
  }
  pop.first = i + 1;
  pop.keys = keys;
  pop.atSecond = atSecond;
  pop.count = Math.max(count, 1);
  return true;
}

/** The record of the key that `findKey` has found. */
export let foundRef = 0;

/**
 * The first of the `keys` keys from argument `first` on that there is; 0 when there is none, -1 when one has another type, which has
 * been replied.
 */
export function findKey(c: Client, first: number, keys: number, type: number): number {
  for (let i = first; i < first + keys; i++) {
    foundRef = c.writeTyped(i, type);
    if (foundRef < 0) return -1;
    if (foundRef > 0) return i;
  }
  return 0;
}

/** What the last client waits for: thousands may wait for the same. */
let waitFor: BlockOptions = { first: 0, count: 0, type: 0, timeout: 0, onTimeout: replyNullArray };

/** As `findKey`; but when there is none the client waits for one, or gets nothing where it may not. `timeout` in milliseconds. */
export function findKeyOrWait(c: Client, first: number, keys: number, type: number, timeout: number): number {
  const i = c.readyKey === 0 ? findKey(c, first, keys, type) : findKey(c, c.readyKey, 1, type);
  if (i !== 0) return i;
  if (c.mayNotBlock) {
    c.reply.nullArray();
    return 0;
  }
  const { first: lastFirst, count, type: lastType, timeout: lastTimeout } = waitFor;
  if (lastFirst !== first || count !== keys || lastType !== type || lastTimeout !== timeout) {
    waitFor = { first, count: keys, type, timeout, onTimeout: replyNullArray };
  }
  c.engine.blocking.block(c, waitFor);
  return 0;
}

/** What is replied when the time is up. */
export function replyNullArray(c: Client): void {
  c.reply.nullArray();
}

/** Argument i, seconds with a fraction, as a timeout in milliseconds, rounded up; 0 is for ever, -1 invalid, which has been replied. */
export function parseTimeout(c: Client, i: number): number {
  const { args: a } = c;
  const whole = a.int(i);
  if (whole >= 0 && whole <= LONGEST_WHOLE) return whole * 1000;
  const seconds = parseLongDouble(a.buf, a.off[i], a.len[i]);
  if (seconds === null) {
    c.reply.error(TIMEOUT_NOT_FLOAT);
    return -1;
  }
  const milliseconds = seconds.special !== 0
    ? Infinity
    : Math.ceil(Number(seconds.mantissa) * 2 ** seconds.exponent * 1000);
  if (milliseconds < 0 || milliseconds >= TOO_LONG) {
    c.reply.error(TIMEOUT_NEGATIVE);
    return -1;
  }
  return milliseconds;
}
