/**
 * A stream as the commands that make it, as Redis writes it (rewriteStreamObject, aof.c of 7.0):
 *
 *   XADD for each entry; without entries one that is trimmed away at once
 *   XSETID with the last ID and the counters
 *   XGROUP CREATE for each group, then for each consumer XCLAIM for each pending entry, or XGROUP CREATECONSUMER if there is none
 *
 * What these commands cannot say is lost, as it is in Redis: pending entries that have been deleted from the stream, and when
 * consumers were seen last.
 */

import { ListpackCursor } from "../store/types/listpack.ts";
import { type Stream, StreamCursor } from "../store/types/stream.ts";
import type { Consumer, Group } from "../store/types/stream_group.ts";
import { MAX_ID, MAX_ID_TEXT, MIN_ID, StreamId } from "../store/types/stream_id.ts";
import { bulk, command, text } from "./command_text.ts";
import type { Span } from "./large_value.ts";
import type { RdbWriter } from "./rdb_writer.ts";

/** Commands that are written in one step. */
const AT_ONCE = 32;

const idText = new Uint8Array(MAX_ID_TEXT);

/** Writes a stream that does not change meanwhile, in steps. */
export function* streamCommands(out: RdbWriter, key: Span, stream: Stream): Generator<void, void, void> {
  if (stream.count > 0) yield* writeEntries(out, key, stream);
  else {
    command(out, 7, "XADD");
    argument(out, key);
    for (const word of ["MAXLEN", "0", "0-1", "x", "y"]) text(out, word);
  }
  command(out, 7, "XSETID");
  argument(out, key);
  writeId(out, stream.lastId);
  text(out, "ENTRIESADDED");
  text(out, String(stream.entriesAdded));
  text(out, "MAXDELETEDID");
  writeId(out, stream.maxDeletedId);
  for (const group of stream.groupsInOrder()) {
    command(out, 7, "XGROUP");
    text(out, "CREATE");
    argument(out, key);
    text(out, group.name);
    writeId(out, group.lastId);
    text(out, "ENTRIESREAD");
    text(out, String(group.entriesRead));
    for (const consumer of group.consumersInOrder()) {
      if (consumer.pending.count > 0) yield* writePending(out, key, group, consumer);
      else {
        command(out, 5, "XGROUP");
        text(out, "CREATECONSUMER");
        argument(out, key);
        text(out, group.name);
        text(out, consumer.name);
      }
    }
  }
}

function* writeEntries(out: RdbWriter, key: Span, stream: Stream): Generator<void, void, void> {
  const cursor = new StreamCursor().start(stream, MIN_ID, MAX_ID);
  for (let left = AT_ONCE; cursor.next();) {
    command(out, 3 + cursor.fields * 2, "XADD");
    argument(out, key);
    writeId(out, cursor.id);
    for (let fields = cursor.fields; fields > 0; fields--) {
      cursor.nextField();
      element(out, cursor.field);
      element(out, cursor.value);
    }
    if (--left > 0) continue;
    left = AT_ONCE;
    yield;
  }
}

function* writePending(out: RdbWriter, key: Span, group: Group, consumer: Consumer): Generator<void, void, void> {
  const own = consumer.pending;
  const id = new StreamId();
  let left = AT_ONCE;
  for (own.first(); !own.atEnd; own.next()) {
    own.readId(id);
    group.pending.seek(id);
    command(out, 12, "XCLAIM");
    argument(out, key);
    text(out, group.name);
    text(out, consumer.name);
    text(out, "0");
    writeId(out, id);
    text(out, "TIME");
    text(out, String(group.deliveryTime));
    text(out, "RETRYCOUNT");
    text(out, String(group.deliveries));
    text(out, "JUSTID");
    text(out, "FORCE");
    if (--left > 0) continue;
    left = AT_ONCE;
    yield;
  }
}

function argument(out: RdbWriter, { buf, off, len }: Span): void {
  bulk(out, buf, off, len);
}

function element(out: RdbWriter, cursor: ListpackCursor): void {
  cursor.asText();
  bulk(out, cursor.buf, cursor.off, cursor.len);
}

function writeId(out: RdbWriter, id: StreamId): void {
  bulk(out, idText, 0, id.format(idText, 0));
}
