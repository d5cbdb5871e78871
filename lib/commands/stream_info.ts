/**
 * XINFO: what a stream, its groups and their consumers look like.
 */

import { lower } from "../bytes/ascii.ts";
import type { Client } from "../engine/client.ts";
import { type Command, command, container } from "../engine/command.ts";
import { replyHelp, subcommandSyntax } from "../engine/help.ts";
import { NO_SUCH_KEY, NOT_INTEGER } from "../resp/errors.ts";
import { Type } from "../store/record.ts";
import type { Stream } from "../store/types/stream.ts";
import { type Consumer, type Group, UNKNOWN } from "../store/types/stream_group.ts";
import { MAX_ID, MIN_ID, StreamId } from "../store/types/stream_id.ts";
import { noGroup } from "./stream_group.ts";
import { replyCounter, replyId, replyOne, replyRange, streamOf } from "./stream_reply.ts";

const FULL = lower("full");
const COUNT = lower("count");
/** Entries of each list in the full form. */
const DEFAULT_COUNT = 10;

const XINFO_HELP = [
  "CONSUMERS <key> <groupname>",
  "    Show consumers of <groupname>.",
  "GROUPS <key>",
  "    Show the stream consumer groups.",
  "STREAM <key> [FULL [COUNT <count>]",
  "    Show information about the stream.",
];

const id = new StreamId();

const xinfo = container({
  name: "xinfo",
  arity: -2,
  since: "5.0.0",
  group: "stream",
  complexity: "Depends on subcommand.",
  summary: "A container for stream introspection commands",
  subcommands: [
    command({
      name: "consumers",
      arity: 4,
      flags: "readonly",
      keys: "2 RO access",
      acl: "stream",
      since: "5.0.0",
      group: "stream",
      complexity: "O(1)",
      summary: "List the consumers in a consumer group",
      syntax: "key groupname",
      tips: "nondeterministic_output",
      run: replyConsumers,
    }),
    command({
      name: "groups",
      arity: 3,
      flags: "readonly",
      keys: "2 RO access",
      acl: "stream",
      since: "5.0.0",
      group: "stream",
      complexity: "O(1)",
      summary: "List the consumer groups of a stream",
      syntax: "key",
      history: ["7.0.0 Added the `entries-read` and `lag` fields"],
      run: replyGroups,
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
      run: (c) => replyHelp(c, XINFO_HELP),
    }),
    command({
      name: "stream",
      arity: -3,
      flags: "readonly",
      keys: "2 RO access",
      acl: "stream",
      since: "5.0.0",
      group: "stream",
      complexity: "O(1)",
      summary: "Get information about a stream",
      syntax: "key [FULL full=([COUNT count])]",
      history: [
        "6.0.0 Added the `FULL` modifier.",
        "7.0.0 Added the `max-deleted-entry-id`, `entries-added`, `recorded-first-entry-id`, `entries-read` and `lag` fields",
      ],
      run: replyStream,
    }),
  ],
});

export const commands: Command[] = [xinfo];

/** The stream of argument 2; null after an error reply. */
function streamToShow(c: Client): Stream | null {
  const ref = c.readTyped(2, Type.STREAM);
  if (ref === 0) c.reply.error(NO_SUCH_KEY);
  return ref <= 0 ? null : streamOf(c, ref);
}

function replyConsumers(c: Client): void {
  const { reply } = c;
  const stream = streamToShow(c);
  if (stream === null) return;
  const group = stream.groups.get(c.args.text(3));
  if (group === undefined) return reply.error(noGroup(c));
  reply.array(group.consumers);
  for (const consumer of group.consumersInOrder()) {
    reply.map(3);
    reply.text("name");
    reply.text(consumer.name);
    reply.text("pending");
    reply.int(consumer.pending.count);
    reply.text("idle");
    reply.int(Math.max(c.engine.keyspace.now - Number(consumer.seenTime), 0));
  }
}

function replyGroups(c: Client): void {
  const { reply } = c;
  const stream = streamToShow(c);
  if (stream === null) return;
  reply.array(stream.groups.size);
  for (const group of stream.groupsInOrder()) {
    reply.map(6);
    reply.text("name");
    reply.text(group.name);
    reply.text("consumers");
    reply.int(group.consumers);
    reply.text("pending");
    reply.int(group.pending.count);
    replyProgress(c, stream, group);
  }
}

/** How far a group has come: three pairs of its map. */
function replyProgress(c: Client, stream: Stream, group: Group): void {
  const { reply } = c;
  reply.text("last-delivered-id");
  replyId(c, group.lastId);
  reply.text("entries-read");
  if (group.entriesRead === UNKNOWN) reply.null();
  else replyCounter(c, group.entriesRead);
  reply.text("lag");
  const lag = stream.lag(group);
  if (lag === null) reply.null();
  else replyCounter(c, lag);
}

function replyStream(c: Client): void {
  const { args: a, reply } = c;
  const stream = streamToShow(c);
  if (stream === null) return;
  if (a.argc === 3) return replyBrief(c, stream);
  if ((a.argc !== 4 && a.argc !== 6) || !a.is(3, FULL)) return subcommandSyntax(c);
  let count = DEFAULT_COUNT;
  if (a.argc === 6) {
    if (!a.is(4, COUNT)) return subcommandSyntax(c);
    count = a.int(5);
    if (count !== count) return reply.error(NOT_INTEGER);
    if (count < 0) count = DEFAULT_COUNT;
  }
  replyFull(c, stream, count);
}

/** What both forms begin with: seven pairs of the map. */
function replyCounters(c: Client, stream: Stream): void {
  const { reply } = c;
  reply.text("length");
  reply.int(stream.count);
  reply.text("radix-tree-keys");
  reply.int(stream.blocks.length);
  reply.text("radix-tree-nodes");
  reply.int(stream.radixNodes);
  reply.text("last-generated-id");
  replyId(c, stream.lastId);
  reply.text("max-deleted-entry-id");
  replyId(c, stream.maxDeletedId);
  reply.text("entries-added");
  replyCounter(c, stream.entriesAdded);
  reply.text("recorded-first-entry-id");
  replyId(c, stream.firstId);
}

function replyBrief(c: Client, stream: Stream): void {
  const { reply } = c;
  reply.map(10);
  replyCounters(c, stream);
  reply.text("groups");
  reply.int(stream.groups.size);
  reply.text("first-entry");
  if (!replyOne(c, stream, MIN_ID, MAX_ID)) reply.null();
  reply.text("last-entry");
  if (!replyOne(c, stream, MIN_ID, MAX_ID, true)) reply.null();
}

function replyFull(c: Client, stream: Stream, count: number): void {
  const { reply } = c;
  reply.map(9);
  replyCounters(c, stream);
  reply.text("entries");
  replyRange(c, stream, MIN_ID, MAX_ID, count);
  reply.text("groups");
  reply.array(stream.groups.size);
  for (const group of stream.groupsInOrder()) {
    reply.map(7);
    reply.text("name");
    reply.text(group.name);
    replyProgress(c, stream, group);
    reply.text("pel-count");
    reply.int(group.pending.count);
    reply.text("pending");
    replyPending(c, group, null, count);
    reply.text("consumers");
    reply.array(group.consumers);
    for (const consumer of group.consumersInOrder()) {
      reply.map(4);
      reply.text("name");
      reply.text(consumer.name);
      reply.text("seen-time");
      replyCounter(c, consumer.seenTime);
      reply.text("pel-count");
      reply.int(consumer.pending.count);
      reply.text("pending");
      replyPending(c, group, consumer, count);
    }
  }
}

/** The first pending entries of a group, or of one consumer of it (then without the consumer's name). */
function replyPending(c: Client, group: Group, consumer: Consumer | null, count: number): void {
  const { reply } = c;
  const { pending } = consumer ?? group;
  const shown = count === 0 ? pending.count : Math.min(count, pending.count);
  reply.array(shown);
  pending.first();
  for (let i = 0; i < shown; i++, pending.next()) {
    pending.readId(id);
    if (consumer !== null) group.pending.seek(id);
    reply.array(consumer === null ? 4 : 3);
    replyId(c, id);
    if (consumer === null) reply.text(group.owner!.name);
    replyCounter(c, group.deliveryTime);
    replyCounter(c, group.deliveries);
  }
}
