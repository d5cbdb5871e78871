/**
 * Consumer groups: XGROUP, XACK, XPENDING. A group's changes are not changes of its key to WATCH and caching clients, as in Redis.
 */

import { lower } from "../bytes/ascii.ts";
import type { Client } from "../engine/client.ts";
import { type Command, command, container } from "../engine/command.ts";
import { replyHelp, subcommandSyntax } from "../engine/help.ts";
import { type ErrorReply, errorReply, NOT_INTEGER, SYNTAX } from "../resp/errors.ts";
import { EventClass, keyEvent } from "../store/events.ts";
import { Attention } from "../store/keyspace.ts";
import { Type } from "../store/record.ts";
import type { Stream } from "../store/types/stream.ts";
import { type Counter, type Group, UNKNOWN } from "../store/types/stream_group.ts";
import { IdForm, StreamId } from "../store/types/stream_id.ts";
import { createConsumer } from "./stream_deliver.ts";
import {
  addStream,
  groupChanged,
  ids,
  INVALID_ID,
  noSuchGroup,
  parseCounter,
  parseEnd,
  parseId,
  parseIds,
  parseStart,
  replyCounter,
  replyId,
  streamOf,
  streamToChange,
} from "./stream_reply.ts";

const CREATE = keyEvent(EventClass.STREAM, "xgroup-create");
const DELCONSUMER = keyEvent(EventClass.STREAM, "xgroup-delconsumer");
const DESTROY = keyEvent(EventClass.STREAM, "xgroup-destroy");
const SETID = keyEvent(EventClass.STREAM, "xgroup-setid");

const NO_KEY = errorReply(
  "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to create an empty stream automatically.",
);
const GROUP_EXISTS = errorReply("BUSYGROUP Consumer Group name already exists");
const ENTRIESREAD_NEGATIVE = errorReply("ERR value for ENTRIESREAD must be positive or -1");

const MKSTREAM = lower("mkstream");
const ENTRIESREAD = lower("entriesread");
const DOLLAR = lower("$");
const IDLE = lower("idle");

const XGROUP_HELP = [
  "CREATE <key> <groupname> <id|$> [option]",
  "    Create a new consumer group. Options are:",
  "    * MKSTREAM",
  "      Create the empty stream if it does not exist.",
  "    * ENTRIESREAD entries_read",
  "      Set the group's entries_read counter (internal use).",
  "CREATECONSUMER <key> <groupname> <consumer>",
  "    Create a new consumer in the specified group.",
  "DELCONSUMER <key> <groupname> <consumer>",
  "    Remove the specified consumer.",
  "DESTROY <key> <groupname>",
  "    Remove the specified group.",
  "SETID <key> <groupname> <id|$> [ENTRIESREAD entries_read]",
  "    Set the current group ID and entries_read counter.",
];

const id = new StreamId();
const end = new StreamId();
/** Options of XGROUP CREATE and SETID. */
let makeStream = false;
let entriesRead: Counter = UNKNOWN;

const xack = command({
  name: "xack",
  arity: -4,
  flags: "write fast",
  keys: "1 RW update",
  acl: "stream",
  since: "5.0.0",
  group: "stream",
  complexity: "O(1) for each message ID processed.",
  summary:
    "Marks a pending message as correctly processed, effectively removing it from the pending entries list of the consumer group. Return value of the command is the number of messages successfully acknowledged, that is, the IDs we were actually able to resolve in the PEL.",
  syntax: "key group id [id ...]",
  run(c) {
    const { args: a, reply } = c;
    const ref = c.readTyped(1, Type.STREAM);
    if (ref < 0) return;
    const group = ref === 0 ? undefined : streamOf(c, ref).groups.get(a.text(2));
    if (group === undefined) return reply.int(0);
    const count = parseIds(c, 3);
    if (count < 0) return;
    streamToChange(c, ref);
    let acknowledged = 0;
    for (let i = 0; i < count; i++) {
      if (!group.pending.seek(ids[i])) continue;
      group.removePending(ids[i]);
      acknowledged++;
    }
    c.engine.keyspace.dirty += acknowledged;
    reply.int(acknowledged);
  },
});

const xgroup = container({
  name: "xgroup",
  arity: -2,
  since: "5.0.0",
  group: "stream",
  complexity: "Depends on subcommand.",
  summary: "A container for consumer groups commands",
  subcommands: [
    command({
      name: "create",
      arity: -5,
      flags: "write denyoom",
      keys: "2 RW insert",
      acl: "stream",
      since: "5.0.0",
      group: "stream",
      complexity: "O(1)",
      summary: "Create a consumer group.",
      syntax: "key groupname id=<id | new_id='$'> [MKSTREAM] [ENTRIESREAD entries_read:integer]",
      history: ["7.0.0 Added the `entries_read` named argument."],
      run: create,
    }),
    command({
      name: "createconsumer",
      arity: 5,
      flags: "write denyoom",
      keys: "2 RW insert",
      acl: "stream",
      since: "6.2.0",
      group: "stream",
      complexity: "O(1)",
      summary: "Create a consumer in a consumer group.",
      syntax: "key groupname consumername",
      run: createGroupConsumer,
    }),
    command({
      name: "delconsumer",
      arity: 5,
      flags: "write",
      keys: "2 RW delete",
      acl: "stream",
      since: "5.0.0",
      group: "stream",
      complexity: "O(1)",
      summary: "Delete a consumer from a consumer group.",
      syntax: "key groupname consumername",
      run: deleteConsumer,
    }),
    command({
      name: "destroy",
      arity: 4,
      flags: "write",
      keys: "2 RW delete",
      acl: "stream",
      since: "5.0.0",
      group: "stream",
      complexity: "O(N) where N is the number of entries in the group's pending entries list (PEL).",
      summary: "Destroy a consumer group.",
      syntax: "key groupname",
      run: destroy,
    }),
    command({
      name: "help",
      arity: 2,
      flags: "loading stale",
      acl: "stream",
      since: "5.0.0",
      group: "stream",
      complexity: "O(1)",
      summary: "Show helpful text about the different subcommands",
      run: (c) => replyHelp(c, XGROUP_HELP),
    }),
    command({
      name: "setid",
      arity: -5,
      flags: "write",
      keys: "2 RW update",
      acl: "stream",
      since: "5.0.0",
      group: "stream",
      complexity: "O(1)",
      summary: "Set a consumer group to an arbitrary last delivered ID value.",
      syntax: "key groupname id=<id | new_id='$'> [ENTRIESREAD entries_read:integer]",
      history: ["7.0.0 Added the optional `entries_read` argument."],
      run: setId,
    }),
  ],
});

const xpending = command({
  name: "xpending",
  arity: -3,
  flags: "readonly",
  keys: "1 RO access",
  acl: "stream",
  since: "5.0.0",
  group: "stream",
  complexity:
    "O(N) with N being the number of elements returned, so asking for a small fixed number of entries per call is O(1). O(M), where M is the total number of entries scanned when used with the IDLE filter. When the command returns just the summary and the list of consumers is small, it runs in O(1) time; otherwise, an additional O(N) time for iterating every consumer.",
  summary:
    "Return information and entries from a stream consumer group pending entries list, that are messages fetched but never acknowledged.",
  syntax: "key group filters=[[IDLE min-idle-time:integer@6.2.0] start end count [consumer]]",
  history: ["6.2.0 Added the `IDLE` option and exclusive range intervals."],
  tips: "nondeterministic_output",
  run(c) {
    const { args: a, reply } = c;
    if (a.argc !== 3 && (a.argc < 6 || a.argc > 9)) return reply.error(SYNTAX);
    let from = 3;
    let idle = 0;
    let count = 0;
    if (a.argc > 3) {
      if (a.is(3, IDLE)) {
        idle = a.int(4);
        if (idle !== idle) return reply.error(NOT_INTEGER);
        if (a.argc < 8) return reply.error(SYNTAX);
        from = 5;
      }
      count = a.int(from + 2);
      if (count !== count) return reply.error(NOT_INTEGER);
      if (!parseStart(c, from, id) || !parseEnd(c, from + 1, end)) return;
    }
    const ref = c.readTyped(1, Type.STREAM);
    if (ref < 0) return;
    const group = ref === 0 ? undefined : streamOf(c, ref).groups.get(a.text(2));
    if (group === undefined) return reply.error(noSuchGroup(c, 1, 2));
    if (a.argc === 3) replySummary(c, group);
    else replyPending(c, group, from + 3, count, idle);
  },
});

export const commands: Command[] = [xack, xgroup, xpending];

function create(c: Client): void {
  const { args: a, db, reply } = c;
  if (!parseOptions(c, true)) return;
  const ref = c.writeTyped(2, Type.STREAM);
  if (ref < 0) return;
  if (ref === 0 && !makeStream) return reply.error(NO_KEY);
  if (a.argc > 8) return subcommandSyntax(c);
  if (a.is(4, DOLLAR)) {
    if (ref === 0) id.setMin();
    else id.copy(streamOf(c, ref).lastId);
  } else if (!parseId(c, 4, id)) return;
  const stream = ref === 0 ? addStream(c, 2) : streamOf(c, ref);
  const name = a.text(3);
  if (stream.groups.has(name)) return reply.error(GROUP_EXISTS);
  const group = stream.addGroup(name);
  group.lastId.copy(id);
  group.entriesRead = entriesRead;
  reply.ok();
  if (ref === 0) db.changed(a, 2, CREATE);
  else groupChanged(c, 2, CREATE);
}

function setId(c: Client): void {
  const { args: a, reply } = c;
  if (!parseOptions(c, false)) return;
  const stream = streamWithKey(c);
  const group = stream === null ? null : groupIn(c, stream);
  if (stream === null || group === null) return;
  if (a.argc !== 5 && a.argc !== 7) return subcommandSyntax(c);
  if (a.is(4, DOLLAR)) id.copy(stream.lastId);
  else if (id.parse(a.buf, a.off[4], a.len[4], false, false) === IdForm.INVALID) return reply.error(INVALID_ID);
  group.lastId.copy(id);
  group.entriesRead = entriesRead;
  reply.ok();
  groupChanged(c, 2, SETID);
}

function destroy(c: Client): void {
  const { args: a, db, engine, reply } = c;
  const stream = streamWithKey(c);
  if (stream === null) return;
  const group = stream.groups.get(a.text(3));
  if (group === undefined) return reply.int(0);
  stream.removeGroup(group);
  reply.int(1);
  groupChanged(c, 2, DESTROY);
  // Whoever waits for the group must learn of its end.
  if (engine.keyspace.attention & Attention.BLOCKED) engine.blocking.keyChanged(db, a, 2);
}

function createGroupConsumer(c: Client): void {
  const stream = streamWithKey(c);
  const group = stream === null ? null : groupIn(c, stream);
  if (group === null) return;
  const name = c.args.text(4);
  if (group.consumer(name) !== null) return c.reply.int(0);
  createConsumer(c, group, 2, name);
  c.reply.int(1);
}

function deleteConsumer(c: Client): void {
  const stream = streamWithKey(c);
  const group = stream === null ? null : groupIn(c, stream);
  if (group === null) return;
  const consumer = group.consumer(c.args.text(4));
  if (consumer === null) return c.reply.int(0);
  const pending = consumer.pending.count;
  group.removeConsumer(consumer);
  groupChanged(c, 2, DELCONSUMER);
  c.reply.int(pending);
}

/** Options after the ID: of CREATE (`isCreate`) or SETID. */
function parseOptions(c: Client, isCreate: boolean): boolean {
  const { args: a } = c;
  makeStream = false;
  entriesRead = UNKNOWN;
  for (let i = 5; i < a.argc; i++) {
    if (isCreate && a.is(i, MKSTREAM)) makeStream = true;
    else if (a.is(i, ENTRIESREAD) && i + 1 < a.argc) {
      const counter = parseCounter(c, ++i);
      if (counter === null) return false;
      if (counter < 0 && counter !== UNKNOWN) return c.fail(ENTRIESREAD_NEGATIVE);
      entriesRead = counter;
    } else {
      subcommandSyntax(c);
      return false;
    }
  }
  return true;
}

/** The stream that a subcommand of XGROUP names; null after an error reply. */
function streamWithKey(c: Client): Stream | null {
  const ref = c.writeTyped(2, Type.STREAM);
  if (ref === 0) c.reply.error(NO_KEY);
  return ref <= 0 ? null : streamOf(c, ref);
}

/** The group that a subcommand names in argument 3; null after an error reply. */
function groupIn(c: Client, stream: Stream): Group | null {
  const group = stream.groups.get(c.args.text(3));
  if (group !== undefined) return group;
  c.reply.error(noGroup(c));
  return null;
}

/** The error of XGROUP and XINFO. */
export function noGroup({ args: a }: Client): ErrorReply {
  return errorReply(`NOGROUP No such consumer group '${a.shown(3)}' for key name '${a.shown(2)}'`);
}

/** How many entries are pending, between which IDs, and how many for each consumer. */
function replySummary(c: Client, group: Group): void {
  const { reply } = c;
  const { pending } = group;
  reply.array(4);
  reply.int(pending.count);
  if (!pending.first()) {
    reply.null();
    reply.null();
    return reply.nullArray();
  }
  pending.readId(id);
  replyId(c, id);
  pending.last();
  pending.readId(id);
  replyId(c, id);
  const mark = reply.defer();
  let consumers = 0;
  for (const consumer of group.consumersInOrder()) {
    if (consumer.pending.count === 0) continue;
    reply.array(2);
    reply.text(consumer.name);
    reply.bulkInt(consumer.pending.count);
    consumers++;
  }
  reply.endArray(mark, consumers);
}

/** Pending entries from `id` to `end`, of the consumer in argument `consumerAt` if there is one. */
function replyPending(c: Client, group: Group, consumerAt: number, count: number, minIdle: number): void {
  const { args: a, reply } = c;
  const { now } = c.engine.keyspace;
  const consumer = consumerAt < a.argc ? group.consumer(a.text(consumerAt)) : null;
  if (consumerAt < a.argc && consumer === null) return reply.array(0);
  const { pending } = consumer ?? group;
  const mark = reply.defer();
  let entries = 0;
  for (pending.seek(id); entries < count && !pending.atEnd; pending.next()) {
    pending.readId(id);
    if (id.compare(end) > 0) break;
    if (consumer !== null) group.pending.seek(id);
    const idle = now - Number(group.deliveryTime);
    if (minIdle !== 0 && idle < minIdle) continue;
    entries++;
    reply.array(4);
    replyId(c, id);
    reply.text(group.owner!.name);
    reply.int(Math.max(idle, 0));
    replyCounter(c, group.deliveries);
  }
  reply.endArray(mark, entries);
}
