/**
 * XCLAIM and XAUTOCLAIM: pending entries change hands. Both are propagated as one XCLAIM for each entry (stream_deliver.ts); an
 * entry that has been deleted from the stream leaves the pending ones.
 */

import { lower } from "../bytes/ascii.ts";
import type { Client } from "../engine/client.ts";
import { type Command, command } from "../engine/command.ts";
import { errorReply, SYNTAX, WRONGTYPE } from "../resp/errors.ts";
import { Type } from "../store/record.ts";
import type { Stream } from "../store/types/stream.ts";
import type { Consumer, Counter, Group } from "../store/types/stream_group.ts";
import { IdForm, StreamId } from "../store/types/stream_id.ts";
import { consumerFor, propagateClaim, propagateLastId } from "./stream_deliver.ts";
import {
  ids,
  int64,
  noSuchGroup,
  parseId,
  parseStart,
  replyId,
  replyOne,
  streamOf,
  streamToChange,
} from "./stream_reply.ts";

const CLAIM_MIN_IDLE = errorReply("ERR Invalid min-idle-time argument for XCLAIM");
const CLAIM_IDLE = errorReply("ERR Invalid IDLE option argument for XCLAIM");
const CLAIM_TIME = errorReply("ERR Invalid TIME option argument for XCLAIM");
const CLAIM_RETRYCOUNT = errorReply("ERR Invalid RETRYCOUNT option argument for XCLAIM");
const AUTOCLAIM_MIN_IDLE = errorReply("ERR Invalid min-idle-time argument for XAUTOCLAIM");
const COUNT_NOT_POSITIVE = errorReply("ERR COUNT must be > 0");
const NO_MEMORY = errorReply(
  "ERR Insufficient memory, failed allocating transient memory, COUNT too high.",
);

const FORCE = lower("force");
const JUSTID = lower("justid");
const IDLE = lower("idle");
const TIME = lower("time");
const RETRYCOUNT = lower("retrycount");
const LASTID = lower("lastid");
const COUNT = lower("count");

const DEFAULT_COUNT = 100;
/** Pending entries looked at for each one that may be claimed. */
const ATTEMPTS = 10;
const MAX_COUNT = 2n ** 59n - 1n;
/** Redis takes memory for as many IDs as COUNT says, and refuses when it gets none: from about here on. */
const TOO_MUCH_MEMORY = 2 ** 40;

/** Options of XCLAIM. */
class ClaimOptions {
  force = false;
  justId = false;
  minIdle = 0;
  /** NaN: now. */
  time = NaN;
  /** Negative: not given. */
  retryCount: Counter = -1;
  readonly lastId = new StreamId();
}

const options = new ClaimOptions();
const id = new StreamId();

const xautoclaim = command({
  name: "xautoclaim",
  arity: -6,
  flags: "write fast",
  keys: "1 RW delete",
  acl: "stream",
  since: "6.2.0",
  group: "stream",
  complexity: "O(1) if COUNT is small.",
  summary:
    "Changes (or acquires) ownership of messages in a consumer group, as if the messages were delivered to the specified consumer.",
  syntax: "key group consumer min-idle-time start [COUNT count] [JUSTID]",
  history: ["7.0.0 Added an element to the reply array, containing deleted entries the command cleared from the PEL"],
  tips: "nondeterministic_output",
  run(c) {
    const { args: a, reply } = c;
    const ref = c.db.lookupRead(a, 1);
    const minIdle = a.int(4);
    if (minIdle !== minIdle) return reply.error(AUTOCLAIM_MIN_IDLE);
    if (!parseStart(c, 5, id)) return;
    let count = DEFAULT_COUNT;
    let justId = false;
    for (let i = 6; i < a.argc; i++) {
      if (a.is(i, COUNT) && i + 1 < a.argc) {
        const given = int64(a, ++i);
        if (given === null || given < 1 || given > MAX_COUNT) return reply.error(COUNT_NOT_POSITIVE);
        count = Number(given);
      } else if (a.is(i, JUSTID)) justId = true;
      else return reply.error(SYNTAX);
    }
    const group = groupOf(c, ref);
    if (group === null) return;
    if (count >= TOO_MUCH_MEMORY) return reply.error(NO_MEMORY);
    claimNext(c, streamToChange(c, ref), group, count, Math.max(minIdle, 0), justId);
  },
});

const xclaim = command({
  name: "xclaim",
  arity: -6,
  flags: "write fast",
  keys: "1 RW update",
  acl: "stream",
  since: "5.0.0",
  group: "stream",
  complexity: "O(log N) with N being the number of messages in the PEL of the consumer group.",
  summary:
    "Changes (or acquires) ownership of a message in a consumer group, as if the message was delivered to the specified consumer.",
  syntax:
    "key group consumer min-idle-time id [id ...] [IDLE ms:integer] [TIME unix-time-milliseconds] [RETRYCOUNT count] [FORCE] [JUSTID] [LASTID id]",
  tips: "nondeterministic_output",
  run(c) {
    const { args: a, reply } = c;
    const ref = c.db.lookupRead(a, 1);
    const group = groupOf(c, ref);
    if (group === null) return;
    options.minIdle = a.int(4);
    if (options.minIdle !== options.minIdle) return reply.error(CLAIM_MIN_IDLE);
    let i = 5;
    for (; i < a.argc; i++) {
      const id = ids[i - 5] ??= new StreamId();
      if (id.parse(a.buf, a.off[i], a.len[i], false, true) === IdForm.INVALID) break;
    }
    if (parseOptions(c, i)) claim(c, streamToChange(c, ref), group, i - 5);
  },
});

export const commands: Command[] = [xautoclaim, xclaim];

/** The group that arguments 1 and 2 name, given the key's record; null after an error reply. */
function groupOf(c: Client, ref: number): Group | null {
  const { args: a } = c;
  if (ref !== 0 && c.db.type(ref) !== Type.STREAM) {
    c.reply.error(WRONGTYPE);
    return null;
  }
  const group = ref === 0 ? undefined : streamOf(c, ref).groups.get(a.text(2));
  if (group !== undefined) return group;
  c.reply.error(noSuchGroup(c, 1, 2));
  return null;
}

/** Options of XCLAIM from argument i on. */
function parseOptions(c: Client, i: number): boolean {
  const { args: a } = c;
  const { now } = c.engine.keyspace;
  options.force = options.justId = false;
  options.time = NaN;
  options.retryCount = -1;
  options.lastId.setMin();
  for (; i < a.argc; i++) {
    const more = i + 1 < a.argc;
    if (a.is(i, FORCE)) options.force = true;
    else if (a.is(i, JUSTID)) options.justId = true;
    else if (more && a.is(i, IDLE)) {
      const idle = a.int(++i);
      if (idle !== idle) return c.fail(CLAIM_IDLE);
      options.time = now - idle;
    } else if (more && a.is(i, TIME)) {
      options.time = a.int(++i);
      if (options.time !== options.time) return c.fail(CLAIM_TIME);
    } else if (more && a.is(i, RETRYCOUNT)) {
      const count = int64(a, ++i);
      if (count === null) return c.fail(CLAIM_RETRYCOUNT);
      options.retryCount = count;
    } else if (more && a.is(i, LASTID)) {
      if (!parseId(c, ++i, options.lastId)) return false;
    } else return c.fail(errorReply(`ERR Unrecognized XCLAIM option '${a.shown(i)}'`));
  }
  // A time that cannot be is taken for now.
  if (!(options.time >= 0 && options.time <= now)) options.time = now;
  return true;
}

/** XCLAIM: the first `count` of `ids`, which are the arguments from 5 on. */
function claim(c: Client, stream: Stream, group: Group, count: number): void {
  const { args: a, reply } = c;
  const { keyspace, propagation } = c.engine;
  const { active } = propagation;
  const { pending } = group;
  let lastIdToTell = options.lastId.compare(group.lastId) > 0;
  if (lastIdToTell) group.lastId.copy(options.lastId);
  let consumer: Consumer | null = null;
  let claimed = 0;
  const mark = reply.defer();
  for (let k = 0; k < count; k++) {
    const id = ids[k];
    let found = pending.seek(id);
    if (!stream.has(id)) {
      if (found) {
        if (active) propagateClaim(c, group, 1, 2, a.bytes(5 + k));
        lastIdToTell = false;
        keyspace.dirty++;
        group.removePending(id);
      }
      continue;
    }
    if (!found && options.force) {
      group.addPending(id);
      group.deliveryTime = keyspace.now;
      group.deliveries = 1;
      found = true;
    } else if (found && options.minIdle > 0 && keyspace.now - Number(group.deliveryTime) < options.minIdle) continue;
    if (!found) continue;
    consumer ??= consumerFor(c, group, 1, 3);
    group.deliveryTime = options.time;
    if (options.retryCount >= 0) group.deliveries = options.retryCount;
    else if (!options.justId) group.addDelivery();
    group.assign(id, consumer);
    if (options.justId) replyId(c, id);
    else replyOne(c, stream, id, id);
    claimed++;
    if (active) propagateClaim(c, group, 1, 2, a.bytes(5 + k));
    lastIdToTell = false;
    keyspace.dirty++;
  }
  if (lastIdToTell) {
    propagateLastId(c, group, 1, 2);
    keyspace.dirty++;
  }
  reply.endArray(mark, claimed);
  if (active) propagation.suppress();
}

/** XAUTOCLAIM: up to `count` pending entries from `id` on. */
function claimNext(
  c: Client,
  stream: Stream,
  group: Group,
  count: number,
  minIdle: number,
  justId: boolean,
): void {
  const { reply } = c;
  const { keyspace, propagation } = c.engine;
  const { active } = propagation;
  const { pending } = group;
  const { now } = keyspace;
  const deleted: StreamId[] = [];
  let consumer: Consumer | null = null;
  let claimed = 0;
  reply.array(3);
  // The first element is where to go on, which turns out in the end.
  const begin = reply.at;
  const mark = reply.defer();
  pending.seek(id);
  for (let attempts = count * ATTEMPTS; attempts > 0 && count > 0 && !pending.atEnd; attempts--) {
    pending.readId(id);
    if (!stream.has(id)) {
      if (active) propagateClaim(c, group, 1, 2, id.text());
      keyspace.dirty++;
      group.removePending(id);
      deleted.push(id.clone());
      count--;
      continue;
    }
    if (minIdle > 0 && now - Number(group.deliveryTime) < minIdle) {
      pending.next();
      continue;
    }
    consumer ??= consumerFor(c, group, 1, 3);
    group.deliveryTime = now;
    if (!justId) group.addDelivery();
    group.assign(id, consumer);
    if (justId) replyId(c, id);
    else replyOne(c, stream, id, id);
    claimed++;
    count--;
    if (active) propagateClaim(c, group, 1, 2, id.text());
    keyspace.dirty++;
    pending.next();
  }
  if (pending.atEnd) id.setMin();
  else pending.readId(id);
  reply.endArray(mark, claimed);
  const entries = reply.take(begin);
  replyId(c, id);
  reply.raw(entries);
  reply.array(deleted.length);
  for (const gone of deleted) replyId(c, gone);
  if (active) propagation.suppress();
}
