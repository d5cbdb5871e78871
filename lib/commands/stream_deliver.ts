/**
 * Giving a stream's entries to the consumers of a group: the state that changes and what is propagated of it. Replicas and the AOF never see
 * XREADGROUP or XAUTOCLAIM but, for each entry, an XCLAIM that says what came of it, whatever the time and the state there.
 */

import type { Part } from "../bytes/args.ts";
import { fromLatin1 } from "../bytes/ascii.ts";
import type { Client } from "../engine/client.ts";
import { EventClass, keyEvent } from "../store/events.ts";
import { type Stream, StreamCursor } from "../store/types/stream.ts";
import type { Consumer, Group } from "../store/types/stream_group.ts";
import { MAX_ID, StreamId } from "../store/types/stream_id.ts";
import { groupChanged, replyEntry, replyId, replyOne } from "./stream_reply.ts";

const CREATECONSUMER = keyEvent(EventClass.STREAM, "xgroup-createconsumer", false);

const cursor = new StreamCursor();
const id = new StreamId();

/** A group that entries are read for: the arguments that name key, group and consumer, and what they name. */
export interface Reader {
  readonly keyAt: number;
  readonly groupAt: number;
  readonly consumerAt: number;
  readonly noAck: boolean;
}

/** The consumer that argument `consumerAt` names, which is made if need be; it has been seen now. */
export function consumerFor(c: Client, group: Group, keyAt: number, consumerAt: number): Consumer {
  const name = c.args.text(consumerAt);
  const consumer = group.consumer(name);
  if (consumer === null) return createConsumer(c, group, keyAt, name);
  consumer.seenTime = c.engine.keyspace.now;
  return consumer;
}

/** Makes a consumer that is not there yet. */
export function createConsumer(c: Client, group: Group, keyAt: number, name: string): Consumer {
  const consumer = group.addConsumer(name, c.engine.keyspace.now);
  groupChanged(c, keyAt, CREATECONSUMER);
  return consumer;
}

/** The consumer for a reader; one that is new is propagated where no XCLAIM will name it. */
export function readingConsumer(c: Client, group: Group, reader: Reader): Consumer {
  const { consumers } = group;
  const consumer = consumerFor(c, group, reader.keyAt, reader.consumerAt);
  const { propagation } = c.engine;
  if (group.consumers > consumers && reader.noAck && propagation.active) {
    const { args: a } = c;
    const name = a.bytes(reader.consumerAt);
    propagation.also(c.db.index, "XGROUP", "CREATECONSUMER", a.bytes(reader.keyAt), a.bytes(reader.groupAt), name);
  }
  return consumer;
}

/** Replies with the entries from `from` on, at most `count` of them (0: all), which the consumer is given. */
export function deliver(
  c: Client,
  stream: Stream,
  group: Group,
  consumer: Consumer,
  reader: Reader,
  from: StreamId,
  count: number,
): void {
  const { reply } = c;
  const { now } = c.engine.keyspace;
  const { active } = c.engine.propagation;
  const mark = reply.defer();
  let entries = 0;
  let advanced = false;
  cursor.start(stream, from, MAX_ID);
  while (cursor.next()) {
    if (cursor.id.compare(group.lastId) > 0) {
      stream.advance(group, cursor.id);
      advanced = true;
    }
    replyEntry(c, cursor);
    if (!reader.noAck) {
      group.addPending(cursor.id);
      group.deliveryTime = now;
      group.deliveries = 1;
      group.assign(cursor.id, consumer);
      if (active) propagateClaim(c, group, reader.keyAt, reader.groupAt, cursor.id.text());
    }
    if (++entries === count) break;
  }
  if (advanced && reader.noAck) propagateLastId(c, group, reader.keyAt, reader.groupAt);
  reply.endArray(mark, entries);
}

/** Replies with the consumer's own pending entries from `from` on; those that were deleted meanwhile have no fields. */
export function deliverAgain(
  c: Client,
  stream: Stream,
  group: Group,
  consumer: Consumer,
  from: StreamId,
  count: number,
): void {
  const { reply } = c;
  const { pending } = consumer;
  const mark = reply.defer();
  let entries = 0;
  for (pending.seek(from); !pending.atEnd && (count === 0 || entries < count); pending.next()) {
    pending.readId(id);
    if (replyOne(c, stream, id, id)) {
      group.pending.seek(id);
      group.deliveryTime = c.engine.keyspace.now;
      group.addDelivery();
    } else {
      reply.array(2);
      replyId(c, id);
      reply.nullArray();
    }
    entries++;
  }
  reply.endArray(mark, entries);
}

/** Propagates the state of the pending entry at the group's position as an XCLAIM; `entry` is its ID. */
export function propagateClaim(c: Client, group: Group, keyAt: number, groupAt: number, entry: Part): void {
  const { args: a, db } = c;
  c.engine.propagation.also(
    db.index,
    "XCLAIM",
    a.bytes(keyAt),
    a.bytes(groupAt),
    fromLatin1(group.owner!.name),
    "0",
    entry,
    "TIME",
    group.deliveryTime,
    "RETRYCOUNT",
    group.deliveries,
    "FORCE",
    "JUSTID",
    "LASTID",
    group.lastId.text(),
  );
}

/** Propagates how far the group has come, where no XCLAIM does. */
export function propagateLastId(c: Client, group: Group, keyAt: number, groupAt: number): void {
  const { propagation } = c.engine;
  if (!propagation.active) return;
  const { args: a, db } = c;
  const lastId = group.lastId.text();
  const { entriesRead } = group;
  propagation.also(
    db.index,
    "XGROUP",
    "SETID",
    a.bytes(keyAt),
    a.bytes(groupAt),
    lastId,
    "ENTRIESREAD",
    entriesRead,
  );
}
