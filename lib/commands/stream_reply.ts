/**
 * What the stream commands share: IDs and intervals as arguments, entries as replies, and changes that do not count as a
 * modification of the key.
 */

import type { Args } from "../bytes/args.ts";
import { parseBigInt64 } from "../bytes/ascii.ts";
import type { Client } from "../engine/client.ts";
import { type ErrorReply, errorReply, NOT_INTEGER } from "../resp/errors.ts";
import type { KeyEvent } from "../store/events.ts";
import { Type } from "../store/record.ts";
import { Stream, StreamCursor } from "../store/types/stream.ts";
import type { Counter } from "../store/types/stream_group.ts";
import { IdForm, MAX_ID_TEXT, StreamId } from "../store/types/stream_id.ts";

export const INVALID_ID = errorReply("ERR Invalid stream ID specified as stream command argument");
const INVALID_START = errorReply("ERR invalid start ID for the interval");
const INVALID_END = errorReply("ERR invalid end ID for the interval");
const PARENTHESIS = 40;

/** IDs given as arguments, as many as were ever needed at once up to now. */
export const ids: StreamId[] = [];
/** The ID that was replied last, and its text: IDs that follow each other mostly have the same milliseconds. */
const replied = new StreamId();
const text = new Uint8Array(MAX_ID_TEXT);
let sequenceAt = replied.formatTime(text, 0);
/** For replies with ranges of entries. */
const cursor = new StreamCursor();

/** The stream of a record. */
export function streamOf(c: Client, ref: number): Stream {
  return c.db.object(ref) as Stream;
}

/** The same for a record that was looked up for reading, as Redis does where only a group changes. */
export function streamToChange(c: Client, ref: number): Stream {
  const { barrier } = c.engine.keyspace;
  if (barrier !== null) barrier.beforeChange(c.db, ref);
  return streamOf(c, ref);
}

/** Makes a new key with an empty stream. */
export function addStream(c: Client, i: number): Stream {
  const stream = new Stream(c.db.slab);
  c.db.addObject(c.args, i, Type.STREAM, stream);
  return stream;
}

/** Counts a change that WATCH and caching clients do not learn of: Redis does not take a change of a group for one of the key. */
export function groupChanged(c: Client, i: number, event: KeyEvent): void {
  c.engine.keyspace.dirty++;
  c.db.notify(c.args, i, event);
}

/** Argument i as an ID that is neither `-` nor `+`; false when it is none, which has been replied. */
export function parseId(c: Client, i: number, into: StreamId): boolean {
  const { args: a } = c;
  return into.parse(a.buf, a.off[i], a.len[i], false, true) !== IdForm.INVALID || c.fail(INVALID_ID);
}

/** Puts the arguments from `from` on into `ids`; how many there are, -1 when one is none, which has been replied. */
export function parseIds(c: Client, from: number): number {
  const count = c.args.argc - from;
  for (let k = 0; k < count; k++) if (!parseId(c, from + k, ids[k] ??= new StreamId())) return -1;
  return count;
}

/** The error where the key of argument `keyAt`, or in it the group of argument `groupAt`, is missing. */
export function noSuchGroup({ args: a }: Client, keyAt: number, groupAt: number, where = ""): ErrorReply {
  return errorReply(`NOGROUP No such key '${a.shown(keyAt)}' or consumer group '${a.shown(groupAt)}'${where}`);
}

/** Argument i as a whole number of 64 bits, exact; null when it is none. */
export function int64(a: Args, i: number): Counter | null {
  const value = a.int(i);
  return Number.isSafeInteger(value) ? value : parseBigInt64(a.buf, a.off[i], a.len[i]);
}

/** The same; that it is none has been replied. */
export function parseCounter(c: Client, i: number): Counter | null {
  const value = int64(c.args, i);
  if (value === null) c.reply.error(NOT_INTEGER);
  return value;
}

/** Argument i as the beginning of an interval; `(` leaves the ID itself out. */
export function parseStart(c: Client, i: number, into: StreamId): boolean {
  if (!parseBound(c, i, into, false)) return false;
  return !isOpen(c.args, i) || into.increment() || c.fail(INVALID_START);
}

/** The same for the end. */
export function parseEnd(c: Client, i: number, into: StreamId): boolean {
  if (!parseBound(c, i, into, true)) return false;
  return !isOpen(c.args, i) || into.decrement() || c.fail(INVALID_END);
}

function parseBound(c: Client, i: number, into: StreamId, fillMax: boolean): boolean {
  const { args: a } = c;
  const open = isOpen(a, i);
  const skip = open ? 1 : 0;
  return into.parse(a.buf, a.off[i] + skip, a.len[i] - skip, fillMax, open) !== IdForm.INVALID || c.fail(INVALID_ID);
}

function isOpen(a: Args, i: number): boolean {
  return a.len[i] > 1 && a.buf[a.off[i]] === PARENTHESIS;
}

export function replyId(c: Client, id: StreamId): void {
  if (!id.sameTime(replied)) {
    replied.copy(id);
    sequenceAt = id.formatTime(text, 0);
  }
  c.reply.bulk(text, 0, id.formatSequence(text, sequenceAt));
}

export function replyCounter(c: Client, counter: Counter): void {
  if (typeof counter === "number") c.reply.int(counter);
  else c.reply.bigint(BigInt.asIntN(64, counter));
}

/** Replies with the entry of the cursor: its ID, and its fields and values. */
export function replyEntry(c: Client, entry: StreamCursor): void {
  const { reply } = c;
  reply.array(2);
  replyId(c, entry.id);
  reply.array(entry.fields * 2);
  for (let i = entry.fields; i > 0; i--) {
    entry.nextField();
    reply.bulk(entry.field.buf, entry.field.off, entry.field.len);
    reply.bulk(entry.value.buf, entry.value.off, entry.value.len);
  }
}

/** Replies with the entries of a range, at most `count` of them (0: all), as an array. */
export function replyRange(
  c: Client,
  stream: Stream,
  from: StreamId,
  to: StreamId,
  count: number,
  backwards = false,
): void {
  const { reply } = c;
  const mark = reply.defer();
  let entries = 0;
  cursor.start(stream, from, to, backwards);
  while (!reply.isFull && cursor.next()) {
    replyEntry(c, cursor);
    if (++entries === count) break;
  }
  reply.endArray(mark, entries);
}

/** Replies with the first (or last) entry of a range alone; false, without a reply, when there is none. */
export function replyOne(c: Client, stream: Stream, from: StreamId, to: StreamId, backwards = false): boolean {
  if (!cursor.start(stream, from, to, backwards).next()) return false;
  replyEntry(c, cursor);
  return true;
}
