/**
 * Stream commands without groups: adding, deleting, trimming, ranges. Reading and waiting is in stream_read.ts, consumer groups are in
 * stream_group.ts and stream_claim.ts, XINFO is in stream_info.ts.
 */

import { lower } from "../bytes/ascii.ts";
import type { Client } from "../engine/client.ts";
import { type Command, command } from "../engine/command.ts";
import { Args, type Part } from "../bytes/args.ts";
import { type ErrorReply, errorReply, NO_SUCH_KEY, NOT_INTEGER, SYNTAX, wrongArity } from "../resp/errors.ts";
import { EventClass, keyEvent } from "../store/events.ts";
import { Type } from "../store/record.ts";
import { Stream, type Trimming } from "../store/types/stream.ts";
import type { Counter } from "../store/types/stream_group.ts";
import { IdForm, MAX_ID_TEXT, StreamId } from "../store/types/stream_id.ts";
import {
  addStream,
  groupChanged,
  ids,
  INVALID_ID,
  parseCounter,
  parseEnd,
  parseId,
  parseIds,
  parseStart,
  replyId,
  replyRange,
  streamOf,
} from "./stream_reply.ts";

const XADD = keyEvent(EventClass.STREAM, "xadd");
const XDEL = keyEvent(EventClass.STREAM, "xdel", false);
const XTRIM = keyEvent(EventClass.STREAM, "xtrim", false);
const XSETID = keyEvent(EventClass.STREAM, "xsetid");

const XADD_ARITY = wrongArity("xadd");
const BOTH_STRATEGIES = errorReply("ERR syntax error, MAXLEN and MINID options at the same time are not compatible");
const NEGATIVE_MAXLEN = errorReply("ERR The MAXLEN argument must be >= 0.");
const NEGATIVE_LIMIT = errorReply("ERR The LIMIT argument must be >= 0.");
const LIMIT_ALONE = errorReply("ERR syntax error, LIMIT cannot be used without specifying a trimming strategy");
const NO_STRATEGY = errorReply("ERR syntax error, XTRIM must be called with a trimming strategy");
const LIMIT_EXACT = errorReply("ERR syntax error, LIMIT cannot be used without the special ~ option");
const ZERO_ID = errorReply("ERR The ID specified in XADD must be greater than 0-0");
const EXHAUSTED = errorReply("ERR The stream has exhausted the last possible ID, unable to add more items");
const NOT_GREATER = errorReply("ERR The ID specified in XADD is equal or smaller than the target stream top item");
const TOO_LARGE = errorReply("ERR Elements are too large to be stored");
const NEGATIVE_ADDED = errorReply("ERR entries_added must be positive");
const SETID_DELETED = errorReply("ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id");
const SETID_TOP = errorReply("ERR The ID specified in XSETID is smaller than the target stream top item");
const SETID_LENGTH = errorReply("ERR The entries_added specified in XSETID is smaller than the target stream length");

const MAXLEN = lower("maxlen");
const MINID = lower("minid");
const LIMIT = lower("limit");
const NOMKSTREAM = lower("nomkstream");
const COUNT = lower("count");
const ENTRIESADDED = lower("entriesadded");
const MAXDELETEDID = lower("maxdeletedid");
const STAR = 42, TILDE = 126, EQUALS = 61;
/** Blocks that are trimmed at once by default, and bounds for the number of entries in them. */
const TRIMMED_BLOCKS = 100;
const DEFAULT_LIMIT = 10000;
const MAX_LIMIT = 1000000;

/** Options of XADD and XTRIM. */
class AddOptions implements Trimming {
  maxLength = -1;
  readonly minId = new StreamId();
  approximate = false;
  limit = 0;
  /** Argument with the threshold of the trimming, 0 without trimming. */
  threshold = 0;
  noStream = false;
  /** How the ID was given: INVALID stands for `*`. */
  form: number = IdForm.INVALID;
  readonly id = new StreamId();
}

const options = new AddOptions();
const id = new StreamId();
const end = new StreamId();
const last = new StreamId();
const idText = new Uint8Array(MAX_ID_TEXT);

const xadd = command({
  name: "xadd",
  arity: -5,
  flags: "write denyoom fast",
  acl: "stream",
  since: "5.0.0",
  group: "stream",
  keys: "1 RW update; UPDATE instead of INSERT because of the optional trimming feature",
  complexity: "O(1) when adding a new entry, O(N) when trimming where N being the number of entries evicted.",
  summary: "Appends a new entry to a stream",
  syntax:
    "key [NOMKSTREAM@6.2.0] trim=[strategy=<MAXLEN | MINID@6.2.0> operator=[equal='=' | approximately='~'] threshold [LIMIT count@6.2.0]] id_or_auto=<auto_id='*' | id> field value [field value ...]",
  history: [
    "6.2.0 Added the `NOMKSTREAM` option, `MINID` trimming strategy and the `LIMIT` option.",
    "7.0.0 Added support for the `<ms>-*` explicit ID form.",
  ],
  tips: "nondeterministic_output",
  run(c) {
    const { args: a, db, reply } = c;
    const idAt = parseAddOptions(c, true);
    if (idAt < 0) return;
    const from = idAt + 1;
    if (a.argc - from < 2 || (a.argc - from) % 2 === 1) return reply.error(XADD_ARITY);
    if (options.form === IdForm.WHOLE && options.id.isMin) return reply.error(ZERO_ID);
    const ref = c.writeTyped(1, Type.STREAM);
    if (ref < 0) return;
    if (ref === 0 && options.noStream) return reply.null();
    if (ref === 0 && Stream.isTooLong(a, from)) return reply.error(TOO_LARGE);
    const stream = ref === 0 ? addStream(c, 1) : streamOf(c, ref);
    if (stream.lastId.isMax) return reply.error(EXHAUSTED);
    if (!chooseId(stream, c.engine.keyspace.now)) return reply.error(NOT_GREATER);
    if (Stream.isTooLong(a, from)) return reply.error(TOO_LARGE);
    stream.append(id, a, from, c.engine.config.values);
    replyId(c, id);
    db.changed(a, 1, XADD);
    if (options.threshold > 0 && stream.trim(options) > 0) db.notify(a, 1, XTRIM);
    if (c.engine.propagation.active) propagateAdd(c, stream, idAt);
  },
});

const xdel = command({
  name: "xdel",
  arity: -3,
  flags: "write fast",
  keys: "1 RW delete",
  acl: "stream",
  since: "5.0.0",
  group: "stream",
  complexity: "O(1) for each single item to delete in the stream, regardless of the stream size.",
  summary:
    "Removes the specified entries from the stream. Returns the number of items actually deleted, that may be different from the number of IDs passed in case certain IDs do not exist.",
  syntax: "key id [id ...]",
  run(c) {
    const { args: a, db, reply } = c;
    const ref = c.writeTyped(1, Type.STREAM);
    if (ref < 0) return;
    if (ref === 0) return reply.int(0);
    const stream = streamOf(c, ref);
    const count = parseIds(c, 2);
    if (count < 0) return;
    let deleted = 0;
    let first = false;
    for (let i = 0; i < count; i++) {
      if (!stream.delete(ids[i])) continue;
      deleted++;
      if (ids[i].equals(stream.firstId)) first = true;
    }
    if (deleted > 0) {
      if (first || stream.count === 0) stream.refreshFirst();
      db.changed(a, 1, XDEL, deleted);
    }
    reply.int(deleted);
  },
});

const xlen = command({
  name: "xlen",
  arity: 2,
  flags: "readonly fast",
  keys: "1 RO",
  acl: "stream",
  since: "5.0.0",
  group: "stream",
  complexity: "O(1)",
  summary: "Return the number of entries in a stream",
  syntax: "key",
  run(c) {
    const ref = c.readTyped(1, Type.STREAM);
    if (ref < 0) return;
    c.reply.int(ref === 0 ? 0 : streamOf(c, ref).count);
  },
});

const xrange = command({
  name: "xrange",
  arity: -4,
  flags: "readonly",
  keys: "1 RO access",
  acl: "stream",
  since: "5.0.0",
  group: "stream",
  complexity:
    "O(N) with N being the number of elements being returned. If N is constant (e.g. always asking for the first 10 elements with COUNT), you can consider it O(1).",
  summary: "Return a range of elements in a stream, with IDs matching the specified IDs interval",
  syntax: "key start end [COUNT count]",
  history: ["6.2.0 Added exclusive ranges."],
  run: (c) => range(c, 2, 3, false),
});

const xrevrange = command({
  name: "xrevrange",
  arity: -4,
  flags: "readonly",
  keys: "1 RO access",
  acl: "stream",
  since: "5.0.0",
  group: "stream",
  complexity:
    "O(N) with N being the number of elements returned. If N is constant (e.g. always asking for the first 10 elements with COUNT), you can consider it O(1).",
  summary:
    "Return a range of elements in a stream, with IDs matching the specified IDs interval, in reverse order (from greater to smaller IDs) compared to XRANGE",
  syntax: "key end start [COUNT count]",
  history: ["6.2.0 Added exclusive ranges."],
  run: (c) => range(c, 3, 2, true),
});

const xsetid = command({
  name: "xsetid",
  arity: -3,
  flags: "write denyoom fast",
  keys: "1 RW update",
  acl: "stream",
  since: "5.0.0",
  group: "stream",
  complexity: "O(1)",
  summary: "An internal command for replicating stream values",
  syntax: "key last-id [ENTRIESADDED entries_added:integer@7.0.0] [MAXDELETEDID max_deleted_entry_id@7.0.0]",
  history: ["7.0.0 Added the `entries_added` and `max_deleted_entry_id` arguments."],
  run(c) {
    const { args: a, reply } = c;
    if (!parseId(c, 2, id)) return;
    let added: Counter = -1;
    end.setMin();
    for (let i = 3; i < a.argc; i += 2) {
      if (i + 1 === a.argc) return reply.error(SYNTAX);
      if (a.is(i, ENTRIESADDED)) {
        const counter = parseCounter(c, i + 1);
        if (counter === null) return;
        if (counter < 0) return reply.error(NEGATIVE_ADDED);
        added = counter;
      } else if (a.is(i, MAXDELETEDID)) {
        if (!parseId(c, i + 1, end)) return;
        if (id.compare(end) < 0) return reply.error(SETID_DELETED);
      } else return reply.error(SYNTAX);
    }
    const ref = c.writeTyped(1, Type.STREAM);
    if (ref < 0) return;
    if (ref === 0) return reply.error(NO_SUCH_KEY);
    const stream = streamOf(c, ref);
    if (stream.count > 0) {
      stream.findEdge(last, false, false);
      if (id.compare(last) < 0) return reply.error(SETID_TOP);
      if (added !== -1 && added < stream.count) return reply.error(SETID_LENGTH);
    }
    stream.lastId.copy(id);
    if (added !== -1) stream.entriesAdded = added;
    if (!end.isMin) stream.maxDeletedId.copy(end);
    reply.ok();
    groupChanged(c, 1, XSETID);
  },
});

const xtrim = command({
  name: "xtrim",
  arity: -4,
  flags: "write",
  keys: "1 RW delete",
  acl: "stream",
  since: "5.0.0",
  group: "stream",
  complexity:
    "O(N), with N being the number of evicted entries. Constant times are very small however, since entries are organized in macro nodes containing multiple entries that can be released with a single deallocation.",
  summary: "Trims the stream to (approximately if '~' is passed) a certain size",
  syntax:
    "key trim=(strategy=<MAXLEN | MINID@6.2.0> operator=[equal='=' | approximately='~'] threshold [LIMIT count@6.2.0])",
  history: ["6.2.0 Added the `MINID` trimming strategy and the `LIMIT` option."],
  tips: "nondeterministic_output",
  run(c) {
    const { args: a, db, reply } = c;
    if (parseAddOptions(c, false) < 0) return;
    const ref = c.writeTyped(1, Type.STREAM);
    if (ref < 0) return;
    if (ref === 0) return reply.int(0);
    const stream = streamOf(c, ref);
    const removed = stream.trim(options);
    if (removed > 0) {
      db.changed(a, 1, XTRIM, removed);
      if (options.approximate && c.engine.propagation.active) c.engine.propagation.rewriteArgs(exactArgs(a, stream, 0));
    }
    reply.int(removed);
  },
});

export const commands: Command[] = [xadd, xdel, xlen, xrange, xrevrange, xsetid, xtrim];

/**
 * Reads the options of XADD (up to the ID, whose argument it returns) or XTRIM into `options`. -1 after an error reply. The order of the
 * checks is Redis's.
 */
function parseAddOptions(c: Client, isAdd: boolean): number {
  const { args: a } = c;
  options.maxLength = -1;
  options.approximate = false;
  options.limit = 0;
  options.threshold = 0;
  options.noStream = false;
  options.form = IdForm.INVALID;
  let limitGiven = false;
  let i = 2;
  for (; i < a.argc; i++) {
    const isLast = i + 1 === a.argc;
    if (isAdd && isSign(a, i, STAR)) break;
    if (!isLast && (a.is(i, MAXLEN) || a.is(i, MINID))) {
      i = parseTrimming(c, i);
      if (i < 0) return -1;
    } else if (!isLast && a.is(i, LIMIT)) {
      options.limit = a.int(++i);
      if (options.limit !== options.limit) return fail(c, NOT_INTEGER);
      if (options.limit < 0) return fail(c, NEGATIVE_LIMIT);
      limitGiven = true;
    } else if (!isAdd) return fail(c, SYNTAX);
    else if (a.is(i, NOMKSTREAM)) options.noStream = true;
    else {
      options.form = options.id.parse(a.buf, a.off[i], a.len[i], false, true, true);
      if (options.form === IdForm.INVALID) return fail(c, INVALID_ID);
      break;
    }
  }
  if (options.limit > 0 && options.threshold === 0) return fail(c, LIMIT_ALONE);
  if (!isAdd && options.threshold === 0) return fail(c, NO_STRATEGY);
  if (c.isTrusted) {
    // What comes from the master or the AOF has been limited there.
    options.limit = 0;
  } else if (limitGiven) {
    if (!options.approximate) return fail(c, LIMIT_EXACT);
  } else options.limit = options.approximate ? defaultLimit(c) : 0;
  return i;
}

/** MAXLEN or MINID at argument i, with `~` or `=`; returns the argument with the threshold, -1 after an error reply. */
function parseTrimming(c: Client, i: number): number {
  const { args: a } = c;
  const byLength = a.is(i, MAXLEN);
  if (options.threshold > 0) return fail(c, BOTH_STRATEGIES);
  options.approximate = i + 2 < a.argc && isSign(a, i + 1, TILDE);
  const at = options.approximate || (i + 2 < a.argc && isSign(a, i + 1, EQUALS)) ? i + 2 : i + 1;
  if (byLength) {
    options.maxLength = a.int(at);
    if (options.maxLength !== options.maxLength) return fail(c, NOT_INTEGER);
    if (options.maxLength < 0) return fail(c, NEGATIVE_MAXLEN);
  } else if (!parseId(c, at, options.minId)) return -1;
  options.threshold = at;
  return at;
}

function defaultLimit(c: Client): number {
  const limit = TRIMMED_BLOCKS * c.engine.config.values.streamNodeMaxEntries;
  return limit <= 0 ? DEFAULT_LIMIT : Math.min(limit, MAX_LIMIT);
}

function fail(c: Client, error: ErrorReply): -1 {
  c.reply.error(error);
  return -1;
}

/** Whether argument i is this one character (C strings end at a zero byte). */
function isSign(a: Args, i: number, sign: number): boolean {
  const off = a.off[i];
  return a.len[i] > 0 && a.buf[off] === sign && (a.len[i] === 1 || a.buf[off + 1] === 0);
}

/** Puts the new entry's ID into `id`; false if it is not greater than the stream's last. */
function chooseId(stream: Stream, now: number): boolean {
  const { lastId } = stream;
  if (options.form === IdForm.INVALID) {
    id.setTime(now);
    if (!id.sameTime(lastId) && id.compare(lastId) > 0) return true;
    id.copy(lastId);
    return id.increment();
  }
  id.copy(options.id);
  if (options.form === IdForm.OPEN && lastId.sameTime(id)) {
    id.copy(lastId);
    id.increment();
    return id.sameTime(lastId);
  }
  return id.compare(lastId) > 0;
}

/** XADD goes out with the ID that it was given, and with the trimming that has been done. */
function propagateAdd(c: Client, stream: Stream, idAt: number): void {
  if (options.form === IdForm.WHOLE && !options.approximate) return;
  c.engine.propagation.rewriteArgs(exactArgs(c.args, stream, idAt));
}

/** The arguments with exact trimming instead of `~`, and `id` as argument `idAt` (0: none). */
function exactArgs(a: Args, stream: Stream, idAt: number): Args {
  const parts: Part[] = [];
  for (let i = 0; i < a.argc; i++) parts.push(a.bytes(i));
  if (idAt > 0 && options.form !== IdForm.WHOLE) parts[idAt] = idText.slice(0, id.format(idText, 0));
  if (options.approximate) {
    parts[options.threshold - 1] = "=";
    if (options.maxLength >= 0) parts[options.threshold] = stream.count;
    else {
      stream.findEdge(end, true, true);
      parts[options.threshold] = end.text();
    }
  }
  return Args.of(...parts);
}

function range(c: Client, startAt: number, endAt: number, backwards: boolean): void {
  const { args: a, reply } = c;
  if (!parseStart(c, startAt, id) || !parseEnd(c, endAt, end)) return;
  let count = -1;
  for (let i = 4; i < a.argc; i += 2) {
    if (i + 1 === a.argc || !a.is(i, COUNT)) return reply.error(SYNTAX);
    count = a.int(i + 1);
    if (count !== count) return reply.error(NOT_INTEGER);
    if (count < 0) count = 0;
  }
  const ref = c.readTyped(1, Type.STREAM);
  if (ref < 0) return;
  if (ref === 0) return reply.array(0);
  if (count === 0) return reply.nullArray();
  replyRange(c, streamOf(c, ref), id, end, Math.max(count, 0), backwards);
}
