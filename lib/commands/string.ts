/**
 * Strings: SET and GET with their relatives, and parts of values.
 *
 * A value is its bytes in the key's record, integers in decimal (counter.ts), so GET is one copy. Every write of a whole value goes
 * through `db.set`; the commands that change a part (APPEND, SETRANGE) resize the record and leave the hint that Redis would
 * keep such a string raw.
 *
 * Relative times are propagated as absolute ones, so that a replica or an AOF arrives at the same state whenever it is read.
 */

import type { Args } from "../bytes/args.ts";
import { equalsFolded, lower, MAX_INT64, parseBigInt64 } from "../bytes/ascii.ts";
import { copyBytes } from "../bytes/span.ts";
import type { Client } from "../engine/client.ts";
import { type Command, command } from "../engine/command.ts";
import { setKeys } from "../engine/keys.ts";
import { errorReply, invalidExpire, NOT_INTEGER, STRING_TOO_LONG, SYNTAX, wrongArity } from "../resp/errors.ts";
import { DEL, EventClass, keyEvent } from "../store/events.ts";
import { Hint, Type } from "../store/record.ts";
import { hasPassed } from "./expire.ts";
import { firstIndex, isAfter } from "./indices.ts";

const SET = keyEvent(EventClass.STRING, "set");
const APPEND = keyEvent(EventClass.STRING, "append");
const SETRANGE = keyEvent(EventClass.STRING, "setrange");
const EXPIRE = keyEvent(EventClass.GENERIC, "expire");
const PERSIST = keyEvent(EventClass.GENERIC, "persist");

const OFFSET_OUT_OF_RANGE = errorReply("ERR offset is out of range");

/** Seconds and milliseconds up to this stay exact as milliseconds since 1970. */
const EXACT_TIME = 8e12;

// ---- Whole values --------------------------------------------------------------------------------------------------------------

const get = command({
  name: "get",
  arity: 2,
  flags: "readonly fast",
  keys: "1 RO access",
  acl: "string",
  since: "1.0.0",
  group: "string",
  complexity: "O(1)",
  summary: "Get the value of a key",
  syntax: "key",
  run(c) {
    replyValue(c);
  },
});

/** Replies with the value of argument 1; its record, 0 (null was replied) or -1 (an error). */
function replyValue(c: Client): number {
  const ref = c.readTyped(1, Type.STRING);
  if (ref > 0) c.reply.bulk(c.db.valueBuffer(ref), c.db.valueOffset(ref), c.db.valueLength(ref));
  else if (ref === 0) c.reply.null();
  return ref;
}

const set = command({
  name: "set",
  arity: -3,
  flags: "write denyoom quick",
  acl: "string",
  since: "1.0.0",
  group: "string",
  keys: "1 RW access update variable_flags; RW and ACCESS due to the optional `GET` argument",
  getKeys: setKeys,
  complexity: "O(1)",
  summary: "Set the string value of a key",
  syntax:
    "key value condition=[NX | XX]@2.6.12 [GET@6.2.0] expiration=[EX seconds@2.6.12 | PX milliseconds@2.6.12 | EXAT unix-time-seconds@6.2.0 | PXAT unix-time-milliseconds@6.2.0 | KEEPTTL@6.0.0]",
  history: [
    "2.6.12 Added the `EX`, `PX`, `NX` and `XX` options.",
    "6.0.0 Added the `KEEPTTL` option.",
    "6.2.0 Added the `GET`, `EXAT` and `PXAT` option.",
    "7.0.0 Allowed the `NX` and `GET` options to be used together.",
  ],
  run(c) {
    const a = c.args;
    if (a.argc === 3) {
      c.db.set(a, 1, a.buf, a.off[2], a.len[2]);
      c.db.changed(a, 1, SET);
      c.reply.ok();
    } else if (parseOptions(c, 3)) setWithOptions(c);
  },
});

/** The options of SET and GETEX as bits. */
const Option = {
  NX: 1 << 0,
  XX: 1 << 1,
  GET: 1 << 2,
  KEEPTTL: 1 << 3,
  PERSIST: 1 << 4,
  EX: 1 << 5,
  PX: 1 << 6,
  EXAT: 1 << 7,
  PXAT: 1 << 8,
} as const;

/** What decides about the deadline: at most one of these can be given (though again and again; the last value counts). */
const DEADLINE_OPTIONS = Option.KEEPTTL | Option.PERSIST | Option.EX | Option.PX | Option.EXAT | Option.PXAT;

const OPTION_WORDS: readonly (readonly [Uint8Array, number])[] = Object.entries(Option).map((
  [name, bit],
) => [lower(name), bit]);
const GET_WORD = lower("get");

/** The options of the command being run: bits of `Option`, and the argument with the time (0: none). */
let options = 0;
let timeArgument = 0;

/** Reads the options from argument `from` on: 3 for SET, 2 for GETEX. False: an error has been replied. */
function parseOptions(c: Client, from: 2 | 3): boolean {
  const a = c.args;
  const possible = from === 3 ? ~Option.PERSIST : ~(Option.NX | Option.XX | Option.GET | Option.KEEPTTL);
  options = 0;
  timeArgument = 0;
  for (let i = from; i < a.argc; i++) {
    const option = optionAt(a, i) & possible;
    if (option === 0) return c.fail(SYNTAX);
    if (option === Option.NX ? options & Option.XX : option === Option.XX && options & Option.NX) return c.fail(SYNTAX);
    if (option & DEADLINE_OPTIONS && options & DEADLINE_OPTIONS & ~option) return c.fail(SYNTAX);
    if (option >= Option.EX) {
      if (++i === a.argc) return c.fail(SYNTAX);
      timeArgument = i;
    }
    options |= option;
  }
  return true;
}

function optionAt(a: Args, i: number): number {
  for (let k = 0; k < OPTION_WORDS.length; k++) {
    if (equalsFolded(a.buf, a.off[i], a.len[i], OPTION_WORDS[k][0])) return OPTION_WORDS[k][1];
  }
  return 0;
}

/** The deadline that `timeArgument` means, in milliseconds since 1970; -1: an error has been replied. */
function deadlineGiven(c: Client, inSeconds: boolean, relative: boolean): number | bigint {
  const a = c.args;
  const time = a.int(timeArgument);
  if (time !== time) {
    c.reply.error(NOT_INTEGER);
    return -1;
  }
  const now = relative ? c.engine.keyspace.now : 0;
  if (time > 0 && time <= EXACT_TIME) return (inSeconds ? time * 1000 : time) + now;
  if (time > 0) {
    const exact = parseBigInt64(a.buf, a.off[timeArgument], a.len[timeArgument])! * (inSeconds ? 1000n : 1n) +
      BigInt(now);
    if (exact <= MAX_INT64) return exact;
  }
  c.reply.error(invalidExpire(c.command!.fullName));
  return -1;
}

/** SET with what `parseOptions` found. */
function setWithOptions(c: Client): void {
  const { args: a, db } = c;
  let deadline: number | bigint = 0;
  if (timeArgument !== 0) {
    deadline = deadlineGiven(c, (options & (Option.EX | Option.EXAT)) !== 0, (options & (Option.EX | Option.PX)) !== 0);
    if (deadline < 0) return;
  }
  if (options & Option.GET && replyValue(c) < 0) return;
  if (options & (Option.NX | Option.XX)) {
    const found = db.lookupWrite(a, 1) !== 0;
    if (found ? options & Option.NX : options & Option.XX) {
      if (!(options & Option.GET)) c.reply.null();
      return;
    }
  }
  // The room of an old deadline can serve the new one.
  const keepDeadline = timeArgument !== 0 || (options & Option.KEEPTTL) !== 0;
  const ref = db.set(a, 1, a.buf, a.off[2], a.len[2], keepDeadline);
  db.changed(a, 1, SET);
  if (timeArgument !== 0) expireValue(c, ref, deadline, 2);
  else if (options & Option.GET) propagateWithoutGet(c);
  if (!(options & Option.GET)) c.reply.ok();
}

/** Gives the value that was just set, argument `value`, its deadline. */
function expireValue(c: Client, ref: number, deadline: number | bigint, value: number): void {
  const a = c.args;
  c.db.setExpire(ref, deadline);
  c.db.notify(a, 1, EXPIRE);
  const { propagation } = c.engine;
  if (propagation.active) propagation.rewrite("SET", a.bytes(1), a.bytes(value), "PXAT", deadline);
}

/** A replica has nobody to give the old value to. */
function propagateWithoutGet(c: Client): void {
  const { args: a, engine: { propagation } } = c;
  if (!propagation.active) return;
  const parts: Uint8Array[] = [];
  for (let i = 0; i < a.argc; i++) if (i < 3 || !a.is(i, GET_WORD)) parts.push(a.bytes(i));
  propagation.rewrite(...parts);
}

const setnx = command({
  name: "setnx",
  arity: 3,
  flags: "write denyoom fast",
  keys: "1 OW insert",
  acl: "string",
  since: "1.0.0",
  group: "string",
  complexity: "O(1)",
  summary: "Set the value of a key, only if the key does not exist",
  syntax: "key value",
  run(c) {
    const { args: a, db } = c;
    if (db.lookupWrite(a, 1) !== 0) return c.reply.int(0);
    db.set(a, 1, a.buf, a.off[2], a.len[2]);
    db.changed(a, 1, SET);
    c.reply.int(1);
  },
});

const setex = command({
  name: "setex",
  arity: 4,
  flags: "write denyoom quick",
  keys: "1 OW update",
  acl: "string",
  since: "2.0.0",
  group: "string",
  complexity: "O(1)",
  summary: "Set the value and expiration of a key",
  syntax: "key seconds value",
  run: (c) => setFor(c, true),
});

const psetex = command({
  name: "psetex",
  arity: 4,
  flags: "write denyoom quick",
  keys: "1 OW update",
  acl: "string",
  since: "2.6.0",
  group: "string",
  complexity: "O(1)",
  summary: "Set the value and expiration in milliseconds of a key",
  syntax: "key milliseconds value",
  run: (c) => setFor(c, false),
});

/** SETEX and PSETEX: argument 2 is the time, 3 the value. */
function setFor(c: Client, inSeconds: boolean): void {
  const { args: a, db } = c;
  timeArgument = 2;
  const deadline = deadlineGiven(c, inSeconds, true);
  if (deadline < 0) return;
  const ref = db.set(a, 1, a.buf, a.off[3], a.len[3], true);
  db.changed(a, 1, SET);
  expireValue(c, ref, deadline, 3);
  c.reply.ok();
}

const getset = command({
  name: "getset",
  arity: 3,
  flags: "write denyoom fast",
  keys: "1 RW access update",
  acl: "string",
  since: "1.0.0",
  group: "string",
  complexity: "O(1)",
  summary: "Set the string value of a key and return its old value",
  syntax: "key value",
  deprecatedSince: "6.2.0",
  replacedBy: "`SET` with the `!GET` argument",
  run(c) {
    const { args: a, db } = c;
    if (replyValue(c) < 0) return;
    db.set(a, 1, a.buf, a.off[2], a.len[2]);
    db.changed(a, 1, SET);
    if (c.engine.propagation.active) c.engine.propagation.rewrite("SET", a.bytes(1), a.bytes(2));
  },
});

const getdel = command({
  name: "getdel",
  arity: 2,
  flags: "write fast",
  keys: "1 RW access delete",
  acl: "string",
  since: "6.2.0",
  group: "string",
  complexity: "O(1)",
  summary: "Get the value of a key and delete the key",
  syntax: "key",
  run(c) {
    const { args: a, db, engine } = c;
    const ref = replyValue(c);
    if (ref <= 0) return;
    db.remove(ref);
    db.changed(a, 1, DEL);
    if (engine.propagation.active) {
      engine.propagation.rewrite(engine.config.values.lazyfreeLazyUserDel ? "UNLINK" : "DEL", a.bytes(1));
    }
  },
});

const getex = command({
  name: "getex",
  arity: -2,
  flags: "write fast",
  acl: "string",
  since: "6.2.0",
  group: "string",
  keys: "1 RW access update; RW and UPDATE because it changes the TTL",
  complexity: "O(1)",
  summary: "Get the value of a key and optionally set its expiration",
  syntax:
    "key expiration=[EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | PERSIST]",
  run(c) {
    if (parseOptions(c, 2)) getAndExpire(c);
  },
});

function getAndExpire(c: Client): void {
  const { args: a, db, engine } = c;
  const found = c.readTyped(1, Type.STRING);
  if (found < 0) return;
  if (found === 0) return c.reply.null();
  const absolute = (options & (Option.EXAT | Option.PXAT)) !== 0;
  let deadline: number | bigint = 0;
  if (timeArgument !== 0) {
    deadline = deadlineGiven(c, (options & (Option.EX | Option.EXAT)) !== 0, !absolute);
    if (deadline < 0) return;
  }
  c.reply.bulk(db.valueBuffer(found), db.valueOffset(found), db.valueLength(found));
  if (options === 0) return;
  const ref = db.lookupWrite(a, 1);
  const { active } = engine.propagation;
  if (absolute && hasPassed(c, deadline)) {
    db.remove(ref);
    db.changed(a, 1, DEL);
    if (active) engine.propagation.rewrite(engine.config.values.lazyfreeLazyExpire ? "UNLINK" : "DEL", a.bytes(1));
  } else if (timeArgument !== 0) {
    db.setExpire(ref, deadline);
    db.changed(a, 1, EXPIRE);
    if (active) engine.propagation.rewrite("PEXPIREAT", a.bytes(1), deadline);
  } else if (db.expireAt(ref) !== -1) {
    db.persist(ref);
    db.changed(a, 1, PERSIST);
    if (active) engine.propagation.rewrite("PERSIST", a.bytes(1));
  }
}

// ---- Several keys --------------------------------------------------------------------------------------------------------------

const mget = command({
  name: "mget",
  arity: -2,
  flags: "readonly fast",
  keys: "1:-1 RO access",
  acl: "string",
  since: "1.0.0",
  group: "string",
  complexity: "O(N) where N is the number of keys to retrieve.",
  summary: "Get the values of all the given keys",
  syntax: "key [key ...]",
  tips: "request_policy:multi_shard",
  run(c) {
    const { args: a, db, reply } = c;
    reply.array(a.argc - 1);
    for (let i = 1; i < a.argc; i++) {
      const ref = db.lookupRead(a, i);
      if (ref === 0 || db.type(ref) !== Type.STRING) reply.null();
      else reply.bulk(db.valueBuffer(ref), db.valueOffset(ref), db.valueLength(ref));
    }
  },
});

const mset = command({
  name: "mset",
  arity: -3,
  flags: "write denyoom quick",
  keys: "1:-1:2 OW update",
  acl: "string",
  since: "1.0.1",
  group: "string",
  complexity: "O(N) where N is the number of keys to set.",
  summary: "Set multiple keys to multiple values",
  syntax: "key value [key value ...]",
  tips: "request_policy:multi_shard response_policy:all_succeeded",
  run(c) {
    if (c.args.argc % 2 === 0) return c.reply.error(MSET_ARITY);
    setAll(c);
    c.reply.ok();
  },
});

const MSET_ARITY = wrongArity("mset");
const MSETNX_ARITY = wrongArity("msetnx");

const msetnx = command({
  name: "msetnx",
  arity: -3,
  flags: "write denyoom",
  keys: "1:-1:2 OW insert",
  acl: "string",
  since: "1.0.1",
  group: "string",
  complexity: "O(N) where N is the number of keys to set.",
  summary: "Set multiple keys to multiple values, only if none of the keys exist",
  syntax: "key value [key value ...]",
  tips: "request_policy:multi_shard response_policy:agg_min",
  run(c) {
    const a = c.args;
    if (a.argc % 2 === 0) return c.reply.error(MSETNX_ARITY);
    for (let i = 1; i < a.argc; i += 2) if (c.db.lookupWrite(a, i) !== 0) return c.reply.int(0);
    setAll(c);
    c.reply.int(1);
  },
});

function setAll(c: Client): void {
  const { args: a, db } = c;
  for (let i = 1; i < a.argc; i += 2) {
    db.set(a, i, a.buf, a.off[i + 1], a.len[i + 1]);
    db.changed(a, i, SET);
  }
}

// ---- Parts of a value ----------------------------------------------------------------------------------------------------------

const strlen = command({
  name: "strlen",
  arity: 2,
  flags: "readonly fast",
  keys: "1 RO",
  acl: "string",
  since: "2.2.0",
  group: "string",
  complexity: "O(1)",
  summary: "Get the length of the value stored in a key",
  syntax: "key",
  run(c) {
    const ref = c.readTyped(1, Type.STRING);
    if (ref >= 0) c.reply.int(ref === 0 ? 0 : c.db.valueLength(ref));
  },
});

const append = command({
  name: "append",
  arity: 3,
  flags: "write denyoom fast",
  keys: "1 RW insert",
  acl: "string",
  since: "2.0.0",
  group: "string",
  complexity:
    "O(1). The amortized time complexity is O(1) assuming the appended value is small and the already present value is of any size, since the dynamic string library used by Redis will double the free space available on every reallocation.",
  summary: "Append a value to a key",
  syntax: "key value",
  run(c) {
    const { args: a, db } = c;
    let ref = c.writeTyped(1, Type.STRING);
    if (ref < 0) return;
    const added = a.len[2];
    let total = added;
    if (ref === 0) db.set(a, 1, a.buf, a.off[2], added);
    else {
      const length = db.valueLength(ref);
      total += length;
      if (isTooLong(c, total)) return c.reply.error(STRING_TOO_LONG);
      ref = db.resize(ref, total, length);
      db.setHint(ref, Hint.RAW);
      copyBytes(a.buf, a.off[2], added, db.valueBuffer(ref), db.valueOffset(ref) + length);
    }
    db.changed(a, 1, APPEND);
    c.reply.int(total);
  },
});

/** Whether a string of so many bytes must not be made. Whoever repeats what a server has done already is not asked. */
function isTooLong(c: Client, length: number): boolean {
  return length > c.engine.config.values.protoMaxBulkLen && !c.isTrusted && !c.isMaster;
}

const setrange = command({
  name: "setrange",
  arity: 4,
  flags: "write denyoom quick",
  keys: "1 RW update",
  acl: "string",
  since: "2.2.0",
  group: "string",
  complexity:
    "O(1), not counting the time taken to copy the new string in place. Usually, this string is very small so the amortized complexity is O(1). Otherwise, complexity is O(M) with M being the length of the value argument.",
  summary: "Overwrite part of a string at key starting at the specified offset",
  syntax: "key offset value",
  run(c) {
    const { args: a, db } = c;
    const offset = a.int(2);
    if (offset !== offset) return c.reply.error(NOT_INTEGER);
    if (offset < 0) return c.reply.error(OFFSET_OUT_OF_RANGE);
    let ref = c.writeTyped(1, Type.STRING);
    if (ref < 0) return;
    const length = ref === 0 ? 0 : db.valueLength(ref);
    const added = a.len[3];
    if (added === 0) return c.reply.int(length);
    const end = offset + added;
    if (isTooLong(c, end)) return c.reply.error(STRING_TOO_LONG);
    const total = Math.max(length, end);
    ref = ref === 0 ? db.add(a, 1, Type.STRING, total) : db.resize(ref, total, length);
    db.setHint(ref, Hint.RAW);
    const into = db.valueBuffer(ref);
    const at = db.valueOffset(ref);
    if (offset > length) into.fill(0, at + length, at + offset);
    db.beforeOverwrite(ref, offset, added);
    copyBytes(a.buf, a.off[3], added, into, at + offset);
    db.changed(a, 1, SETRANGE);
    c.reply.int(total);
  },
});

const getrange = command({
  name: "getrange",
  arity: 4,
  flags: "readonly quick",
  keys: "1 RO access",
  acl: "string",
  since: "2.4.0",
  group: "string",
  complexity:
    "O(N) where N is the length of the returned string. The complexity is ultimately determined by the returned length, but because creating a substring from an existing string is very cheap, it can be considered O(1) for small strings.",
  summary: "Get a substring of the string stored at a key",
  syntax: "key start:integer end:integer",
  run: replyRange,
});

const substr = command({
  name: "substr",
  arity: 4,
  flags: "readonly quick",
  keys: "1 RO access",
  acl: "string",
  since: "1.0.0",
  group: "string",
  complexity:
    "O(N) where N is the length of the returned string. The complexity is ultimately determined by the returned length, but because creating a substring from an existing string is very cheap, it can be considered O(1) for small strings.",
  summary: "Get a substring of the string stored at a key",
  syntax: "key start:integer end:integer",
  deprecatedSince: "2.0.0",
  replacedBy: "`GETRANGE`",
  run: replyRange,
});

function replyRange(c: Client): void {
  const { args: a, db, reply } = c;
  let start = a.int(2);
  let end = a.int(3);
  if (start !== start || end !== end) return reply.error(NOT_INTEGER);
  const ref = c.readTyped(1, Type.STRING);
  if (ref < 0) return;
  const length = ref === 0 ? 0 : db.valueLength(ref);
  if (length === 0 || (end < 0 && isAfter(a, 2, 3))) return reply.emptyBulk();
  start = firstIndex(start, length);
  // An end before the beginning is the beginning.
  end = Math.min(firstIndex(end, length), length - 1);
  if (start > end) return reply.emptyBulk();
  reply.bulk(db.valueBuffer(ref), db.valueOffset(ref) + start, end - start + 1);
}

export const commands: Command[] = [
  get,
  set,
  setnx,
  setex,
  psetex,
  getset,
  getdel,
  getex,
  mget,
  mset,
  msetnx,
  strlen,
  append,
  setrange,
  getrange,
  substr,
];
