/**
 * XREAD and XREADGROUP: entries of several streams after given IDs, now or when there are some.
 *
 * A client that waits remembers what its IDs stood for (`$` is the last ID at the time of the call). When one of its keys is ready, the command runs
 * again for this key alone (engine/blocking.ts). Whoever waits for a group learns of its end, or of the key's, by an error.
 */

import { lower } from "../bytes/ascii.ts";
import type { Client } from "../engine/client.ts";
import { type Command, command } from "../engine/command.ts";
import { errorReply, NOT_INTEGER, SYNTAX, TIMEOUT_NEGATIVE, TIMEOUT_NOT_INTEGER } from "../resp/errors.ts";
import { Type } from "../store/record.ts";
import type { Stream } from "../store/types/stream.ts";
import type { Group } from "../store/types/stream_group.ts";
import { MAX_ID, StreamId } from "../store/types/stream_id.ts";
import { deliver, deliverAgain, type Reader, readingConsumer } from "./stream_deliver.ts";
import { ids, noSuchGroup, parseId, replyRange, streamOf, streamToChange } from "./stream_reply.ts";

const BLOCK = lower("block");
const COUNT = lower("count");
const STREAMS = lower("streams");
const GROUP = lower("group");
const NOACK = lower("noack");
const DOLLAR = lower("$");
const GREATER = lower(">");

const UNBALANCED = errorReply(
  "ERR Unbalanced XREAD list of streams: for each stream key an ID or '$' must be specified.",
);
const GROUP_OPTION = errorReply("ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead.");
const NOACK_OPTION = errorReply("ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead.");
const NO_GROUP_OPTION = errorReply("ERR Missing GROUP option for XREADGROUP");
const DOLLAR_IN_GROUP = errorReply(
  "ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by specifying a proper ID, or use the > ID to get new messages. The $ ID would just return an empty result set.",
);
const GREATER_ALONE = errorReply(
  "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.",
);
const STREAM_GONE = errorReply("UNBLOCKED the stream key no longer exists");
const GROUP_GONE = errorReply("NOGROUP the consumer group this client was blocked on no longer exists");

/** Entries that a client which has waited gets at most without COUNT. */
const DEFAULT_COUNT = 1000;

/** Options of the command that is being run. */
class ReadOptions {
  /** Milliseconds, 0 for ever, -1 without waiting. */
  timeout = -1;
  /** 0: any number. */
  count = 0;
  /** Arguments: the first key, group and consumer (0 without a group). */
  keysAt = 0;
  groupAt = 0;
  consumerAt = 0;
  keys = 0;
  noAck = false;
}

/** What a client that waits remembers. */
interface Waiting {
  /** Entries after these IDs, one for each key. */
  readonly ids: readonly StreamId[];
  readonly count: number;
  readonly groupAt: number;
  readonly consumerAt: number;
  readonly noAck: boolean;
}

const options = new ReadOptions();
/** The group of each key, as `ids` has its ID. */
const groups: (Group | null)[] = [];
const start = new StreamId();
const last = new StreamId();

const xread = command({
  name: "xread",
  arity: -4,
  flags: "blocking readonly",
  keys: "STREAMS(1):-1/2 RO access",
  acl: "stream",
  since: "5.0.0",
  group: "stream",
  complexity:
    "For each stream mentioned: O(N) with N being the number of elements being returned, it means that XREAD-ing with a fixed COUNT is O(1). Note that when the BLOCK option is used, XADD will pay O(M) time in order to serve the M clients blocked on the stream getting new data.",
  summary:
    "Return never seen elements in multiple streams, with IDs greater than the ones reported by the caller for each stream. Can block.",
  syntax: "[COUNT count] [BLOCK milliseconds] STREAMS streams=(key [key ...] id [id ...])",
  run: (c) => c.readyKey === 0 ? read(c, false) : readReady(c),
});

const xreadgroup = command({
  name: "xreadgroup",
  arity: -7,
  flags: "blocking write",
  keys: "STREAMS(4):-1/2 RO access",
  acl: "stream",
  since: "5.0.0",
  group: "stream",
  complexity:
    "For each stream mentioned: O(M) with M being the number of elements returned. If M is constant (e.g. always asking for the first 10 elements with COUNT), you can consider it O(1). On the other side when XREADGROUP blocks, XADD will pay the O(N) time in order to serve the N clients blocked on the stream getting new data.",
  summary:
    "Return new entries from a stream using a consumer group, or access the history of the pending entries for a given consumer. Can block.",
  syntax:
    "GROUP (group consumer) [COUNT count] [BLOCK milliseconds] [NOACK] STREAMS streams=(key [key ...] id [id ...])",
  run: (c) => c.readyKey === 0 ? read(c, true) : readReady(c),
});

export const commands: Command[] = [xread, xreadgroup];

const replyNullArray = (c: Client): void => c.reply.nullArray();

function read(c: Client, inGroup: boolean): void {
  if (!parseOptions(c, inGroup) || !parseIds(c, inGroup)) return;
  const { reply } = c;
  const { propagation } = c.engine;
  if (inGroup && propagation.active) propagation.suppress();
  let mark = -1;
  let served = 0;
  for (let k = 0; k < options.keys; k++) {
    const keyAt = options.keysAt + k;
    const ref = c.db.lookupRead(c.args, keyAt);
    if (ref === 0) continue;
    const stream = streamOf(c, ref);
    const isHistory = inGroup && !ids[k].isMax;
    if (!isHistory && !hasEntries(stream, inGroup ? groups[k]!.lastId : ids[k])) continue;
    if (served++ === 0) mark = reply.defer();
    if (!reply.resp3) reply.array(2);
    reply.bulk(c.args.buf, c.args.off[keyAt], c.args.len[keyAt]);
    if (!inGroup) {
      start.copy(ids[k]);
      start.increment();
      replyRange(c, stream, start, MAX_ID, options.count);
    } else readInGroup(c, streamToChange(c, ref), k, isHistory);
  }
  if (served > 0) {
    if (reply.resp3) reply.endMap(mark, served);
    else reply.endArray(mark, served);
  } else if (options.timeout < 0 || c.mayNotBlock) reply.nullArray();
  else wait(c, inGroup);
}

function readInGroup(c: Client, stream: Stream, k: number, isHistory: boolean): void {
  const group = groups[k]!;
  const { groupAt, consumerAt, noAck, count } = options;
  const reader: Reader = { keyAt: options.keysAt + k, groupAt, consumerAt, noAck };
  start.copy(isHistory ? ids[k] : group.lastId);
  start.increment();
  const consumer = readingConsumer(c, group, reader);
  if (isHistory) deliverAgain(c, stream, group, consumer, start, count);
  else deliver(c, stream, group, consumer, reader, start, count);
  c.engine.keyspace.dirty++;
}

/** Whether the stream has entries after that ID. */
function hasEntries(stream: Stream, after: StreamId): boolean {
  if (stream.count === 0) return false;
  if (stream.lastId.compare(after) <= 0) return false;
  stream.findEdge(last, false, false);
  return last.compare(after) > 0;
}

function parseOptions(c: Client, inGroup: boolean): boolean {
  const { args: a } = c;
  options.timeout = -1;
  options.count = 0;
  options.keysAt = options.groupAt = options.consumerAt = 0;
  options.noAck = false;
  for (let i = 1; i < a.argc && options.keysAt === 0; i++) {
    const more = a.argc - i - 1;
    if (more > 0 && a.is(i, BLOCK)) {
      options.timeout = a.int(++i);
      if (options.timeout !== options.timeout) return c.fail(TIMEOUT_NOT_INTEGER);
      if (options.timeout < 0) return c.fail(TIMEOUT_NEGATIVE);
    } else if (more > 0 && a.is(i, COUNT)) {
      options.count = a.int(++i);
      if (options.count !== options.count) return c.fail(NOT_INTEGER);
      if (options.count < 0) options.count = 0;
    } else if (more > 0 && a.is(i, STREAMS)) {
      if (more % 2 !== 0) return c.fail(UNBALANCED);
      options.keysAt = i + 1;
      options.keys = more / 2;
    } else if (more > 1 && a.is(i, GROUP)) {
      if (!inGroup) return c.fail(GROUP_OPTION);
      options.groupAt = i + 1;
      options.consumerAt = i + 2;
      i += 2;
    } else if (a.is(i, NOACK)) {
      if (!inGroup) return c.fail(NOACK_OPTION);
      options.noAck = true;
    } else return c.fail(SYNTAX);
  }
  if (options.keysAt === 0) return c.fail(SYNTAX);
  return !inGroup || options.groupAt > 0 || c.fail(NO_GROUP_OPTION);
}

/** Fills `ids` and `groups`; `>` becomes the greatest ID. */
function parseIds(c: Client, inGroup: boolean): boolean {
  const { args: a } = c;
  const { keysAt, keys, groupAt } = options;
  for (let k = 0; k < keys; k++) {
    ids[k] ??= new StreamId();
    const keyAt = keysAt + k;
    const idAt = keyAt + keys;
    const ref = c.readTyped(keyAt, Type.STREAM);
    if (ref < 0) return false;
    const stream = ref === 0 ? null : streamOf(c, ref);
    if (inGroup) {
      const group = stream?.groups.get(a.text(groupAt));
      if (group === undefined) return c.fail(noSuchGroup(c, keyAt, groupAt, " in XREADGROUP with GROUP option"));
      groups[k] = group;
    }
    if (a.is(idAt, DOLLAR)) {
      if (inGroup) return c.fail(DOLLAR_IN_GROUP);
      if (stream === null) ids[k].setMin();
      else ids[k].copy(stream.lastId);
    } else if (a.is(idAt, GREATER)) {
      if (!inGroup) return c.fail(GREATER_ALONE);
      ids[k].setMax();
    } else if (!parseId(c, idAt, ids[k])) return false;
  }
  return true;
}

function wait(c: Client, inGroup: boolean): void {
  const { keysAt, keys, timeout, groupAt, consumerAt, noAck } = options;
  const blocked = c.engine.blocking.block(c, {
    first: keysAt,
    count: keys,
    type: Type.STREAM,
    timeout,
    onTimeout: replyNullArray,
    anyType: inGroup,
  });
  const waiting: Waiting = {
    ids: ids.slice(0, keys).map((id) => id.clone()),
    count: options.count > 0 ? options.count : DEFAULT_COUNT,
    groupAt,
    consumerAt,
    noAck,
  };
  blocked.state = waiting;
}

/** Serves a client that waits, for the key that is ready. Unlike at the first time, an empty range can be the answer. */
function readReady(c: Client): void {
  const { args: a, db, reply, readyKey } = c;
  const blocked = c.blocked!;
  const { ids, count, groupAt, consumerAt, noAck } = blocked.state as Waiting;
  const inGroup = groupAt > 0;
  const { propagation, blocking } = c.engine;
  if (inGroup && propagation.active) propagation.suppress();
  const ref = db.find(a, readyKey);
  if (ref === 0 || db.type(ref) !== Type.STREAM) {
    if (inGroup) return reply.error(STREAM_GONE);
    blocking.block(c, blocked.options!);
    return;
  }
  db.touch(ref);
  const stream = inGroup ? streamToChange(c, ref) : streamOf(c, ref);
  const group = inGroup ? stream.groups.get(a.text(groupAt)) : undefined;
  if (inGroup && group === undefined) return reply.error(GROUP_GONE);
  start.copy(group === undefined ? ids[readyKey - blocked.options!.first] : group.lastId);
  if (stream.lastId.compare(start) <= 0) {
    blocking.block(c, blocked.options!);
    return;
  }
  start.increment();
  if (reply.resp3) reply.map(1);
  else {
    reply.array(1);
    reply.array(2);
  }
  reply.bulk(a.buf, a.off[readyKey], a.len[readyKey]);
  if (group === undefined) return replyRange(c, stream, start, MAX_ID, count);
  const reader: Reader = { keyAt: readyKey, groupAt, consumerAt, noAck };
  deliver(c, stream, group, readingConsumer(c, group, reader), reader, start, count);
}
