/**
 * Counters: INCR and its relatives. The value stays decimal text in the key's record; it is parsed, added to, and its digits are
 * written over the old ones, all without allocating while the numbers are exact in a double. A BigInt appears only beyond
 * 2^53. INCRBYFLOAT computes as Redis does, with the mantissa of 64 bits of an x87, and is propagated as its result.
 */

import {
  fromLatin1,
  intLength,
  MAX_INT64,
  MIN_INT64,
  parseBigInt64,
  parseInt64,
  writeBigInt,
  writeInt,
} from "../bytes/ascii.ts";
import { FloatIncrement } from "../bytes/float_increment.ts";
import { copyBytes } from "../bytes/span.ts";
import type { Client } from "../engine/client.ts";
import { type Command, command } from "../engine/command.ts";
import { errorReply, INCREMENT_NOT_FINITE, INCREMENT_OVERFLOW, NOT_FLOAT, NOT_INTEGER } from "../resp/errors.ts";
import { EventClass, keyEvent } from "../store/events.ts";
import { Hint, Type } from "../store/record.ts";

const INCRBY = keyEvent(EventClass.STRING, "incrby");
const INCRBYFLOAT = keyEvent(EventClass.STRING, "incrbyfloat");

const ZERO = fromLatin1("0");
const sum = new FloatIncrement();

const DECREMENT_OVERFLOW = errorReply("ERR decrement would overflow");

const incr = command({
  name: "incr",
  arity: 2,
  flags: "write denyoom fast",
  keys: "1 RW access update",
  acl: "string",
  since: "1.0.0",
  group: "string",
  complexity: "O(1)",
  summary: "Increment the integer value of a key by one",
  syntax: "key",
  run: (c) => increment(c, 1),
});

const decr = command({
  name: "decr",
  arity: 2,
  flags: "write denyoom fast",
  keys: "1 RW access update",
  acl: "string",
  since: "1.0.0",
  group: "string",
  complexity: "O(1)",
  summary: "Decrement the integer value of a key by one",
  syntax: "key",
  run: (c) => increment(c, -1),
});

const incrby = command({
  name: "incrby",
  arity: 3,
  flags: "write denyoom fast",
  keys: "1 RW access update",
  acl: "string",
  since: "1.0.0",
  group: "string",
  complexity: "O(1)",
  summary: "Increment the integer value of a key by the given amount",
  syntax: "key increment:integer",
  run(c) {
    const by = c.args.int(2);
    if (by !== by) return c.reply.error(NOT_INTEGER);
    increment(c, by);
  },
});

const decrby = command({
  name: "decrby",
  arity: 3,
  flags: "write denyoom fast",
  keys: "1 RW access update",
  acl: "string",
  since: "1.0.0",
  group: "string",
  complexity: "O(1)",
  summary: "Decrement the integer value of a key by the given number",
  syntax: "key decrement:integer",
  run(c) {
    const a = c.args;
    const by = a.int(2);
    if (by !== by) return c.reply.error(NOT_INTEGER);
    if (by < -Number.MAX_SAFE_INTEGER && parseBigInt64(a.buf, a.off[2], a.len[2]) === MIN_INT64) {
      return c.reply.error(DECREMENT_OVERFLOW);
    }
    increment(c, -by);
  },
});

/** Adds to the counter at argument 1. Where doubles are not exact, argument 2 tells what to add; `by` has the right sign. */
function increment(c: Client, by: number): void {
  const { args: a, db } = c;
  let ref = c.writeTyped(1, Type.STRING);
  if (ref < 0) return;
  const value = ref === 0 ? 0 : parseInt64(db.valueBuffer(ref), db.valueOffset(ref), db.valueLength(ref));
  if (value !== value) return c.reply.error(NOT_INTEGER);
  const sum = value + by;
  if (!Number.isSafeInteger(sum) || !Number.isSafeInteger(value) || !Number.isSafeInteger(by)) {
    return incrementExactly(c, ref, by < 0);
  }
  ref = counterOf(c, ref, intLength(sum));
  writeInt(db.valueBuffer(ref), db.valueOffset(ref), sum);
  db.changed(a, 1, INCRBY);
  c.reply.int(sum);
}

/** The same for any 64-bit integers. */
function incrementExactly(c: Client, found: number, down: boolean): void {
  const { args: a, db } = c;
  const value = found === 0 ? 0n : parseBigInt64(db.valueBuffer(found), db.valueOffset(found), db.valueLength(found))!;
  const given = a.argc === 2 ? 1n : parseBigInt64(a.buf, a.off[2], a.len[2])!;
  const sum = value + (down === given < 0n ? given : -given);
  if (sum > MAX_INT64 || sum < MIN_INT64) return c.reply.error(INCREMENT_OVERFLOW);
  const ref = counterOf(c, found, sum.toString().length);
  writeBigInt(db.valueBuffer(ref), db.valueOffset(ref), sum);
  db.changed(a, 1, INCRBY);
  c.reply.bigint(sum);
}

/** The record of argument 1 (`ref`, 0 if there is none yet) with room for exactly `length` bytes. */
function counterOf(c: Client, ref: number, length: number): number {
  const { db } = c;
  if (ref === 0) return db.add(c.args, 1, Type.STRING, length);
  if (db.valueLength(ref) !== length) ref = db.resize(ref, length, 0);
  db.setHint(ref, Hint.AUTO);
  return ref;
}

const incrbyfloat = command({
  name: "incrbyfloat",
  arity: 3,
  flags: "write denyoom fast",
  keys: "1 RW access update",
  acl: "string",
  since: "2.6.0",
  group: "string",
  complexity: "O(1)",
  summary: "Increment the float value of a key by the given amount",
  syntax: "key increment:double",
  run(c) {
    const { args: a, db } = c;
    const found = c.writeTyped(1, Type.STRING);
    if (found < 0) return;
    const isSum = sum.parse(a.buf, a.off[2], a.len[2]) &&
      (found === 0
        ? sum.addTo(ZERO, 0, 1)
        : sum.addTo(db.valueBuffer(found), db.valueOffset(found), db.valueLength(found)));
    if (!isSum) return c.reply.error(NOT_FLOAT);
    if (!sum.isFinite) return c.reply.error(INCREMENT_NOT_FINITE);
    const { text, length } = sum;
    const ref = counterOf(c, found, length);
    db.setHint(ref, Hint.EMBSTR);
    copyBytes(text, 0, length, db.valueBuffer(ref), db.valueOffset(ref));
    db.changed(a, 1, INCRBYFLOAT);
    c.reply.bulk(text, 0, length);
    if (c.engine.propagation.active) c.engine.propagation.rewrite("SET", a.bytes(1), text.slice(0, length), "KEEPTTL");
  },
});

export const commands: Command[] = [incr, decr, incrby, decrby, incrbyfloat];
