/**
 * Hash commands. `HashView` (store/types/hash.ts) hides how a hash is stored; here are the rules of the commands.
 */

import { fromLatin1, lower, MAX_INT64, MIN_INT64, parseBigInt64 } from "../bytes/ascii.ts";
import { FloatIncrement } from "../bytes/float_increment.ts";
import type { Client } from "../engine/client.ts";
import { type Command, command } from "../engine/command.ts";
import {
  errorReply,
  INCREMENT_NOT_FINITE,
  INCREMENT_OVERFLOW,
  NOT_FLOAT,
  NOT_INTEGER,
  wrongArity,
} from "../resp/errors.ts";
import { EventClass, keyEvent } from "../store/events.ts";
import { Type } from "../store/record.ts";
import { HashView } from "../store/types/hash.ts";
import { Int64, MAX_INT64_TEXT } from "../store/types/int64.ts";
import { parseRandomCount, parseWithValues, replyRandomElements } from "./random_elements.ts";
import { scanCollection } from "./scan.ts";

const HSET = keyEvent(EventClass.HASH, "hset");
const HDEL = keyEvent(EventClass.HASH, "hdel");
const HINCRBY = keyEvent(EventClass.HASH, "hincrby");
const HINCRBYFLOAT = keyEvent(EventClass.HASH, "hincrbyfloat");

const HSET_ARITY = wrongArity("hset");
const HMSET_ARITY = wrongArity("hmset");
const VALUE_NOT_INTEGER = errorReply("ERR hash value is not an integer");
const VALUE_NOT_FLOAT = errorReply("ERR hash value is not a float");
const NOT_FINITE = errorReply("ERR value is NaN or Infinity");

const WITHVALUES = lower("withvalues");
const TWO_53 = 9007199254740992;

/** The hash of the command that is being run. */
const hash = new HashView();
const sum = new Int64();
const floatSum = new FloatIncrement();
const ZERO = fromLatin1("0");
const digits = new Uint8Array(MAX_INT64_TEXT);

const hdel = command({
  name: "hdel",
  arity: -3,
  flags: "write fast",
  keys: "1 RW delete",
  acl: "hash",
  since: "2.0.0",
  group: "hash",
  complexity: "O(N) where N is the number of fields to be removed.",
  summary: "Delete one or more hash fields",
  syntax: "key field [field ...]",
  history: ["2.4.0 Accepts multiple `field` arguments."],
  run(c) {
    const { args: a, db } = c;
    const ref = c.writeTyped(1, Type.HASH);
    if (ref < 0) return;
    if (ref === 0) return c.reply.int(0);
    hash.open(db, ref);
    const { count } = hash;
    let deleted = 0;
    for (let i = 2; i < a.argc && deleted < count; i++) if (hash.delete(a.buf, a.off[i], a.len[i])) deleted++;
    if (deleted > 0) db.shrunk(a, 1, hash.ref, deleted === count, HDEL, deleted);
    c.reply.int(deleted);
  },
});

const hexists = command({
  name: "hexists",
  arity: 3,
  flags: "readonly fast",
  keys: "1 RO",
  acl: "hash",
  since: "2.0.0",
  group: "hash",
  complexity: "O(1)",
  summary: "Determine if a hash field exists",
  syntax: "key field",
  run(c) {
    const { args: a } = c;
    const ref = c.readTyped(1, Type.HASH);
    if (ref < 0) return;
    c.reply.int(ref !== 0 && hash.open(c.db, ref).has(a.buf, a.off[2], a.len[2]) ? 1 : 0);
  },
});

const hget = command({
  name: "hget",
  arity: 3,
  flags: "readonly fast",
  keys: "1 RO access",
  acl: "hash",
  since: "2.0.0",
  group: "hash",
  complexity: "O(1)",
  summary: "Get the value of a hash field",
  syntax: "key field",
  run(c) {
    const ref = c.readTyped(1, Type.HASH);
    if (ref < 0) return;
    if (ref === 0) return c.reply.null();
    hash.open(c.db, ref);
    replyValueOf(c, 2);
  },
});

const hgetall = command({
  name: "hgetall",
  arity: 2,
  flags: "readonly",
  keys: "1 RO access",
  acl: "hash",
  since: "2.0.0",
  group: "hash",
  complexity: "O(N) where N is the size of the hash.",
  summary: "Get all the fields and values in a hash",
  syntax: "key",
  tips: "nondeterministic_output_order",
  run(c) {
    const ref = c.readTyped(1, Type.HASH);
    if (ref < 0) return;
    if (ref === 0) return c.reply.map(0);
    hash.open(c.db, ref);
    c.reply.map(hash.count);
    for (hash.rewind(); hash.next();) replyPair(c);
  },
});

const hincrby = command({
  name: "hincrby",
  arity: 4,
  flags: "write denyoom fast",
  keys: "1 RW access update",
  acl: "hash",
  since: "2.0.0",
  group: "hash",
  complexity: "O(1)",
  summary: "Increment the integer value of a hash field by the given number",
  syntax: "key field increment:integer",
  run(c) {
    const { args: a, db } = c;
    const increment = a.int(3);
    if (increment !== increment) return c.reply.error(NOT_INTEGER);
    const ref = c.writeTyped(1, Type.HASH);
    if (ref < 0) return;
    sum.hi = sum.lo = 0;
    if (ref !== 0 && hash.open(db, ref).find(a.buf, a.off[2], a.len[2])) {
      const { value } = hash;
      if (value.isInt) sum.copy(value.value);
      else if (!sum.parse(value.buf, value.off, value.len)) return c.reply.error(VALUE_NOT_INTEGER);
    }
    const result = sum.isSafe ? sum.number + increment : NaN;
    if (result > -TWO_53 && result < TWO_53 && increment > -TWO_53 && increment < TWO_53) sum.set(result);
    else {
      const exact = sum.big + (parseBigInt64(a.buf, a.off[3], a.len[3]) ?? 0n);
      if (exact < MIN_INT64 || exact > MAX_INT64) return c.reply.error(INCREMENT_OVERFLOW);
      sum.set(exact);
    }
    openForWriting(c, ref);
    hash.set(a.buf, a.off[2], a.len[2], digits, 0, sum.format(digits, 0));
    if (sum.isSafe) c.reply.int(sum.number);
    else c.reply.bigint(sum.big);
    db.changed(a, 1, HINCRBY);
  },
});

const hincrbyfloat = command({
  name: "hincrbyfloat",
  arity: 4,
  flags: "write denyoom fast",
  keys: "1 RW access update",
  acl: "hash",
  since: "2.6.0",
  group: "hash",
  complexity: "O(1)",
  summary: "Increment the float value of a hash field by the given amount",
  syntax: "key field increment:double",
  run(c) {
    const { args: a, db } = c;
    if (!floatSum.parse(a.buf, a.off[3], a.len[3])) return c.reply.error(NOT_FLOAT);
    if (!floatSum.isFinite) return c.reply.error(NOT_FINITE);
    const ref = c.writeTyped(1, Type.HASH);
    if (ref < 0) return;
    if (ref !== 0 && hash.open(db, ref).find(a.buf, a.off[2], a.len[2])) {
      const { value } = hash;
      value.asText();
      if (!floatSum.addTo(value.buf, value.off, value.len)) return c.reply.error(VALUE_NOT_FLOAT);
    } else floatSum.addTo(ZERO, 0, 1);
    if (!floatSum.isFinite) return c.reply.error(INCREMENT_NOT_FINITE);
    const { text, length } = floatSum;
    openForWriting(c, ref);
    hash.set(a.buf, a.off[2], a.len[2], text, 0, length);
    c.reply.bulk(text, 0, length);
    db.changed(a, 1, HINCRBYFLOAT);
    // The result and not the sum goes out: elsewhere floats might be added or printed differently.
    const { propagation } = c.engine;
    if (propagation.active) propagation.rewrite("HSET", a.bytes(1), a.bytes(2), text.slice(0, length));
  },
});

const hkeys = command({
  name: "hkeys",
  arity: 2,
  flags: "readonly",
  keys: "1 RO access",
  acl: "hash",
  since: "2.0.0",
  group: "hash",
  complexity: "O(N) where N is the size of the hash.",
  summary: "Get all the fields in a hash",
  syntax: "key",
  tips: "nondeterministic_output_order",
  run(c) {
    const ref = c.readTyped(1, Type.HASH);
    if (ref < 0) return;
    if (ref === 0) return c.reply.array(0);
    hash.open(c.db, ref);
    c.reply.array(hash.count);
    for (hash.rewind(); hash.next();) hash.field.writeTo(c.reply);
  },
});

const hlen = command({
  name: "hlen",
  arity: 2,
  flags: "readonly fast",
  keys: "1 RO",
  acl: "hash",
  since: "2.0.0",
  group: "hash",
  complexity: "O(1)",
  summary: "Get the number of fields in a hash",
  syntax: "key",
  run(c) {
    const ref = c.readTyped(1, Type.HASH);
    if (ref < 0) return;
    c.reply.int(ref === 0 ? 0 : hash.open(c.db, ref).count);
  },
});

const hmget = command({
  name: "hmget",
  arity: -3,
  flags: "readonly fast",
  keys: "1 RO access",
  acl: "hash",
  since: "2.0.0",
  group: "hash",
  complexity: "O(N) where N is the number of fields being requested.",
  summary: "Get the values of all the given hash fields",
  syntax: "key field [field ...]",
  run(c) {
    const { args: a, reply } = c;
    const ref = c.readTyped(1, Type.HASH);
    if (ref < 0) return;
    reply.array(a.argc - 2);
    if (ref !== 0) hash.open(c.db, ref);
    for (let i = 2; i < a.argc; i++) {
      if (ref === 0) reply.null();
      else replyValueOf(c, i);
    }
  },
});

const hmset = command({
  name: "hmset",
  arity: -4,
  flags: "write denyoom fast",
  keys: "1 RW update",
  acl: "hash",
  since: "2.0.0",
  group: "hash",
  complexity: "O(N) where N is the number of fields being set.",
  summary: "Set multiple hash fields to multiple values",
  syntax: "key field value [field value ...]",
  deprecatedSince: "4.0.0",
  replacedBy: "`HSET` with multiple field-value pairs",
  run(c) {
    if (c.args.argc % 2 === 1) return c.reply.error(HMSET_ARITY);
    if (setFields(c) < 0) return;
    c.reply.ok();
    c.db.changed(c.args, 1, HSET, (c.args.argc - 2) >> 1);
  },
});

const hrandfield = command({
  name: "hrandfield",
  arity: -2,
  flags: "readonly",
  keys: "1 RO access",
  acl: "hash",
  since: "6.2.0",
  group: "hash",
  complexity: "O(N) where N is the number of fields returned",
  summary: "Get one or multiple random fields from a hash",
  syntax: "key options=[count [WITHVALUES]]",
  tips: "nondeterministic_output",
  run(c) {
    const { args: a, reply } = c;
    if (a.argc === 2) {
      const ref = c.readTyped(1, Type.HASH);
      if (ref < 0) return;
      if (ref === 0) return reply.null();
      hash.open(c.db, ref).random(c.engine.keyspace.random);
      return hash.field.writeTo(c.reply);
    }
    const count = parseRandomCount(c, 2);
    const withValues = count === count ? parseWithValues(c, WITHVALUES) : null;
    if (withValues === null) return;
    const ref = c.readTyped(1, Type.HASH);
    if (ref < 0) return;
    if (ref === 0 || count === 0) return reply.array(0);
    hash.open(c.db, ref).rewind();
    replyRandomElements(c, hash, count, withValues, replyField);
  },
});

const hscan = command({
  name: "hscan",
  arity: -3,
  flags: "readonly",
  keys: "1 RO access",
  acl: "hash",
  since: "2.8.0",
  group: "hash",
  complexity:
    "O(1) for every call. O(N) for a complete iteration, including enough command calls for the cursor to return back to 0. N is the number of elements inside the collection..",
  summary: "Incrementally iterate hash fields and associated values",
  syntax: "key cursor [MATCH pattern] [COUNT count]",
  tips: "nondeterministic_output",
  run: (c) => scanCollection(c, hash, hash.field, 2, replyPair),
});

const hset = command({
  name: "hset",
  arity: -4,
  flags: "write denyoom fast",
  keys: "1 RW update",
  acl: "hash",
  since: "2.0.0",
  group: "hash",
  complexity:
    "O(1) for each field/value pair added, so O(N) to add N field/value pairs when the command is called with multiple field/value pairs.",
  summary: "Set the string value of a hash field",
  syntax: "key field value [field value ...]",
  history: ["4.0.0 Accepts multiple `field` and `value` arguments."],
  run(c) {
    if (c.args.argc % 2 === 1) return c.reply.error(HSET_ARITY);
    const created = setFields(c);
    if (created < 0) return;
    c.reply.int(created);
    c.db.changed(c.args, 1, HSET, (c.args.argc - 2) >> 1);
  },
});

const hsetnx = command({
  name: "hsetnx",
  arity: 4,
  flags: "write denyoom fast",
  keys: "1 RW insert",
  acl: "hash",
  since: "2.0.0",
  group: "hash",
  complexity: "O(1)",
  summary: "Set the value of a hash field, only if the field does not exist",
  syntax: "key field value",
  run(c) {
    const { args: a, db } = c;
    const ref = c.writeTyped(1, Type.HASH);
    if (ref < 0) return;
    openForWriting(c, ref);
    if (hash.has(a.buf, a.off[2], a.len[2])) return c.reply.int(0);
    hash.makeRoom(a, 2, 3);
    hash.set(a.buf, a.off[2], a.len[2], a.buf, a.off[3], a.len[3]);
    c.reply.int(1);
    db.changed(a, 1, HSET);
  },
});

const hstrlen = command({
  name: "hstrlen",
  arity: 3,
  flags: "readonly fast",
  keys: "1 RO",
  acl: "hash",
  since: "3.2.0",
  group: "hash",
  complexity: "O(1)",
  summary: "Get the length of the value of a hash field",
  syntax: "key field",
  run(c) {
    const { args: a } = c;
    const ref = c.readTyped(1, Type.HASH);
    if (ref < 0) return;
    if (ref === 0 || !hash.open(c.db, ref).find(a.buf, a.off[2], a.len[2])) return c.reply.int(0);
    hash.value.asText();
    c.reply.int(hash.value.len);
  },
});

const hvals = command({
  name: "hvals",
  arity: 2,
  flags: "readonly",
  keys: "1 RO access",
  acl: "hash",
  since: "2.0.0",
  group: "hash",
  complexity: "O(N) where N is the size of the hash.",
  summary: "Get all the values in a hash",
  syntax: "key",
  tips: "nondeterministic_output_order",
  run(c) {
    const ref = c.readTyped(1, Type.HASH);
    if (ref < 0) return;
    if (ref === 0) return c.reply.array(0);
    hash.open(c.db, ref);
    c.reply.array(hash.count);
    for (hash.rewind(); hash.next();) hash.value.writeTo(c.reply);
  },
});

export const commands: Command[] = [
  hdel,
  hexists,
  hget,
  hgetall,
  hincrby,
  hincrbyfloat,
  hkeys,
  hlen,
  hmget,
  hmset,
  hrandfield,
  hscan,
  hset,
  hsetnx,
  hstrlen,
  hvals,
];

/** Binds `hash` to the record, or to a new key where there is none (`ref` is 0). */
function openForWriting(c: Client, ref: number): void {
  hash.limits = c.engine.config.values;
  if (ref === 0) hash.addKey(c.db, c.args, 1);
  else hash.open(c.db, ref);
}

/** HSET and HMSET: sets all fields; returns how many are new, -1 after an error reply. */
function setFields(c: Client): number {
  const { args: a } = c;
  const ref = c.writeTyped(1, Type.HASH);
  if (ref < 0) return -1;
  openForWriting(c, ref);
  hash.makeRoom(a, 2, a.argc - 1);
  let created = 0;
  for (let i = 2; i < a.argc; i += 2) {
    if (hash.set(a.buf, a.off[i], a.len[i], a.buf, a.off[i + 1], a.len[i + 1])) created++;
  }
  return created;
}

/** Replies with the value of the field that argument i names. */
function replyValueOf(c: Client, i: number): void {
  const { args: a } = c;
  if (hash.find(a.buf, a.off[i], a.len[i])) hash.value.writeTo(c.reply);
  else c.reply.null();
}

/** The current field and, if wanted, its value. */
function replyField(c: Client, withValue: boolean): void {
  if (withValue && c.reply.resp3) c.reply.array(2);
  hash.field.writeTo(c.reply);
  if (withValue) hash.value.writeTo(c.reply);
}

function replyPair(c: Client): void {
  hash.field.writeTo(c.reply);
  hash.value.writeTo(c.reply);
}
