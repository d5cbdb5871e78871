/**
 * Time to live: EXPIRE and its relatives, TTL and its relatives, PERSIST.
 *
 * Deadlines are kept in milliseconds since 1970, and go to the AOF and to replicas in that form, so that a key expires at
 * the same moment everywhere. They may be any 64-bit number; a double holds all that people mean exactly, so BigInt only appears
 * beyond 2^53.
 */

import type { Part } from "../bytes/args.ts";
import { type Command, command, Deny } from "../engine/command.ts";
import type { Client } from "../engine/client.ts";
import { lower, MAX_INT64, MIN_INT64, parseBigInt64 } from "../bytes/ascii.ts";
import { type ErrorReply, errorReply, invalidExpire, NOT_INTEGER } from "../resp/errors.ts";
import { DEL, EventClass, keyEvent } from "../store/events.ts";

const NX = lower("nx");
const XX = lower("xx");
const GT = lower("gt");
const LT = lower("lt");
/** Bits of the conditions. */
const IF_NONE = 1;
const IF_SOME = 2;
const IF_LATER = 4;
const IF_EARLIER = 8;
const EXPIRE = keyEvent(EventClass.GENERIC, "expire");
const PERSIST = keyEvent(EventClass.GENERIC, "persist");
const NX_WITH_OTHERS = errorReply("ERR NX and XX, GT or LT options at the same time are not compatible");
const GT_WITH_LT = errorReply("ERR GT and LT options at the same time are not compatible");

const INVALID_IN_EXPIRE = invalidExpire("expire");
const INVALID_IN_PEXPIRE = invalidExpire("pexpire");
const INVALID_IN_EXPIREAT = invalidExpire("expireat");
const INVALID_IN_PEXPIREAT = invalidExpire("pexpireat");

const expire = command({
  name: "expire",
  arity: -3,
  flags: "write fast",
  keys: "1 RW update",
  acl: "keyspace",
  since: "1.0.0",
  group: "generic",
  complexity: "O(1)",
  summary: "Set a key's time to live in seconds",
  syntax: "key seconds condition=[NX | XX | GT | LT]@7.0.0",
  history: ["7.0.0 Added options: `NX`, `XX`, `GT` and `LT`."],
  run(c) {
    setDeadline(c, c.engine.keyspace.now, 1000, INVALID_IN_EXPIRE);
  },
});

const pexpire = command({
  name: "pexpire",
  arity: -3,
  flags: "write fast",
  keys: "1 RW update",
  acl: "keyspace",
  since: "2.6.0",
  group: "generic",
  complexity: "O(1)",
  summary: "Set a key's time to live in milliseconds",
  syntax: "key milliseconds condition=[NX | XX | GT | LT]@7.0.0",
  history: ["7.0.0 Added options: `NX`, `XX`, `GT` and `LT`."],
  run(c) {
    setDeadline(c, c.engine.keyspace.now, 1, INVALID_IN_PEXPIRE);
  },
});

const expireat = command({
  name: "expireat",
  arity: -3,
  flags: "write fast",
  keys: "1 RW update",
  acl: "keyspace",
  since: "1.2.0",
  group: "generic",
  complexity: "O(1)",
  summary: "Set the expiration for a key as a UNIX timestamp",
  syntax: "key unix-time-seconds condition=[NX | XX | GT | LT]@7.0.0",
  history: ["7.0.0 Added options: `NX`, `XX`, `GT` and `LT`."],
  run(c) {
    setDeadline(c, 0, 1000, INVALID_IN_EXPIREAT);
  },
});

const pexpireat = command({
  name: "pexpireat",
  arity: -3,
  flags: "write fast",
  keys: "1 RW update",
  acl: "keyspace",
  since: "2.6.0",
  group: "generic",
  complexity: "O(1)",
  summary: "Set the expiration for a key as a UNIX timestamp specified in milliseconds",
  syntax: "key unix-time-milliseconds condition=[NX | XX | GT | LT]@7.0.0",
  history: ["7.0.0 Added options: `NX`, `XX`, `GT` and `LT`."],
  run(c) {
    setDeadline(c, 0, 1, INVALID_IN_PEXPIREAT);
  },
});

/** EXPIRE and relatives: argument 2 in units of `unit` milliseconds after `base`. */
function setDeadline(c: Client, base: number, unit: number, invalid: ErrorReply): void {
  const { args: a, db, reply } = c;
  const conditions = a.argc > 3 ? parseConditions(c) : 0;
  if (conditions < 0) return;
  const amount = a.int(2);
  if (Number.isNaN(amount)) return reply.error(NOT_INTEGER);
  let deadline: number | bigint = amount * unit + base;
  if (!Number.isSafeInteger(deadline) || !Number.isSafeInteger(amount * unit)) {
    const exact = exactDeadline(c, base, unit);
    if (exact === null) return reply.error(invalid);
    deadline = exact;
  }
  const ref = db.lookupWrite(a, 1);
  if (ref === 0) return reply.int(0);
  if (conditions !== 0 && !conditionsHold(conditions, deadline, db.expireAtExact(ref))) return reply.int(0);
  if (hasPassed(c, deadline)) {
    db.remove(ref);
    c.engine.propagation.rewrite(c.engine.config.values.lazyfreeLazyExpire ? "UNLINK" : "DEL", a.bytes(1));
    db.changed(a, 1, DEL);
  } else {
    db.setExpire(ref, deadline);
    if ((base !== 0 || unit !== 1) && c.engine.propagation.active) propagateAbsolute(c, deadline);
    db.changed(a, 1, EXPIRE);
  }
  reply.int(1);
}

/** The deadline where doubles are too coarse; null if it needs more than 64 bits. */
function exactDeadline(c: Client, base: number, unit: number): bigint | null {
  const { args: a } = c;
  const amount = parseBigInt64(a.buf, a.off[2], a.len[2])! * BigInt(unit);
  if (amount > MAX_INT64 || amount < MIN_INT64) return null;
  const deadline = amount + BigInt(base);
  return deadline > MAX_INT64 ? null : deadline;
}

/** Bits of the conditions from argument 3 on; -1 when they make no sense, which has been replied. */
function parseConditions(c: Client): number {
  const { args: a } = c;
  let conditions = 0;
  for (let i = 3; i < a.argc; i++) {
    if (a.is(i, NX)) conditions |= IF_NONE;
    else if (a.is(i, XX)) conditions |= IF_SOME;
    else if (a.is(i, GT)) conditions |= IF_LATER;
    else if (a.is(i, LT)) conditions |= IF_EARLIER;
    else {
      c.reply.error(errorReply(`ERR Unsupported option ${a.shown(i)}`));
      return -1;
    }
  }
  if (conditions & IF_NONE && conditions !== IF_NONE) {
    c.reply.error(NX_WITH_OTHERS);
    return -1;
  }
  if (conditions & IF_LATER && conditions & IF_EARLIER) {
    c.reply.error(GT_WITH_LT);
    return -1;
  }
  return conditions;
}

/** A key without a deadline (`current` -1) lives for ever: later than any other, for GT and LT. */
function conditionsHold(conditions: number, deadline: number | bigint, current: bigint): boolean {
  if (conditions & IF_NONE && current !== -1n) return false;
  if (conditions & IF_SOME && current === -1n) return false;
  if (conditions & IF_LATER && (current === -1n || deadline <= current)) return false;
  return !(conditions & IF_EARLIER) || current === -1n || deadline < current;
}

/**
 * Whether a key that is given this deadline is to be deleted at once. A replica, and a server that loads its data, leave that to the master
 * or to the file.
 */
export function hasPassed(c: Client, deadline: number | bigint): boolean {
  return deadline <= c.engine.keyspace.now && !c.engine.replication.isReplica && !(c.engine.deny & Deny.LOADING);
}

function propagateAbsolute(c: Client, deadline: number | bigint): void {
  const { args: a } = c;
  const parts: Part[] = ["PEXPIREAT", a.bytes(1), deadline];
  for (let i = 3; i < a.argc; i++) parts.push(a.bytes(i));
  c.engine.propagation.rewrite(...parts);
}

const ttl = command({
  name: "ttl",
  arity: 2,
  flags: "readonly fast",
  keys: "1 RO access",
  acl: "keyspace",
  since: "1.0.0",
  group: "generic",
  complexity: "O(1)",
  summary: "Get the time to live for a key in seconds",
  syntax: "key",
  history: ["2.8.0 Added the -2 reply."],
  tips: "nondeterministic_output",
  run(c) {
    replyRemaining(c, 1000, c.engine.keyspace.now);
  },
});

const pttl = command({
  name: "pttl",
  arity: 2,
  flags: "readonly fast",
  keys: "1 RO access",
  acl: "keyspace",
  since: "2.6.0",
  group: "generic",
  complexity: "O(1)",
  summary: "Get the time to live for a key in milliseconds",
  syntax: "key",
  history: ["2.8.0 Added the -2 reply."],
  tips: "nondeterministic_output",
  run(c) {
    replyRemaining(c, 1, c.engine.keyspace.now);
  },
});

const expiretime = command({
  name: "expiretime",
  arity: 2,
  flags: "readonly fast",
  keys: "1 RO access",
  acl: "keyspace",
  since: "7.0.0",
  group: "generic",
  complexity: "O(1)",
  summary: "Get the expiration Unix timestamp for a key",
  syntax: "key",
  run(c) {
    replyRemaining(c, 1000, 0);
  },
});

const pexpiretime = command({
  name: "pexpiretime",
  arity: 2,
  flags: "readonly fast",
  keys: "1 RO access",
  acl: "keyspace",
  since: "7.0.0",
  group: "generic",
  complexity: "O(1)",
  summary: "Get the expiration Unix timestamp for a key in milliseconds",
  syntax: "key",
  run(c) {
    replyRemaining(c, 1, 0);
  },
});

/** Time from `since` to the deadline, in units of `unit` ms, rounded; -1 without a deadline, -2 without a key. */
function replyRemaining(c: Client, unit: number, since: number): void {
  const { db, reply } = c;
  const ref = db.findRead(c.args, 1);
  if (ref === 0) return reply.int(-2);
  const deadline = db.expireAt(ref);
  if (deadline === -1) return reply.int(-1);
  if (deadline > Number.MAX_SAFE_INTEGER) {
    const remaining = db.expireAtExact(ref) - BigInt(since);
    return reply.bigint(unit === 1 ? remaining : (remaining + 500n) / BigInt(unit));
  }
  const remaining = Math.max(0, deadline - since);
  reply.int(unit === 1 ? remaining : Math.floor((remaining + 500) / unit));
}

const persist = command({
  name: "persist",
  arity: 2,
  flags: "write fast",
  keys: "1 RW update",
  acl: "keyspace",
  since: "2.2.0",
  group: "generic",
  complexity: "O(1)",
  summary: "Remove the expiration from a key",
  syntax: "key",
  run(c) {
    const { args: a, db } = c;
    const ref = db.lookupWrite(a, 1);
    if (ref === 0 || db.expireAt(ref) === -1) return c.reply.int(0);
    db.persist(ref);
    db.changed(a, 1, PERSIST);
    c.reply.int(1);
  },
});

export const commands: Command[] = [
  expire,
  pexpire,
  expireat,
  pexpireat,
  ttl,
  pttl,
  expiretime,
  pexpiretime,
  persist,
];
