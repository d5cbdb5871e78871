/** Pub/Sub: SUBSCRIBE and its kin, PUBLISH, PUBSUB. */

import type { Client } from "../engine/client.ts";
import { type Command, command, container } from "../engine/command.ts";
import { replyHelp, subcommandSyntax } from "../engine/help.ts";
import { CHANNEL, type Kind, matches, PATTERN, SHARD } from "../pubsub/pubsub.ts";
import { fromLatin1 } from "../bytes/ascii.ts";
import type { ByteMap } from "../bytes/byte_map.ts";

const HELP = [
  "CHANNELS [<pattern>]",
  "    Return the currently active channels matching a <pattern> (default: '*').",
  "NUMPAT",
  "    Return number of subscriptions to patterns.",
  "NUMSUB [<channel> ...]",
  "    Return the number of subscribers for the specified channels, excluding",
  "    pattern subscriptions(default: no channels).",
  "SHARDCHANNELS [<pattern>]",
  "    Return the currently active shard level channels matching a <pattern> (default: '*').",
  "SHARDNUMSUB [<shardchannel> ...]",
  "    Return the number of subscribers for the specified shard level channel(s)",
];

function subscribeTo(c: Client, kind: Kind): void {
  for (let i = 1; i < c.args.argc; i++) c.engine.pubsub.subscribe(c, kind, c.args, i);
}

function unsubscribeFrom(c: Client, kind: Kind): void {
  const { pubsub } = c.engine;
  if (c.args.argc === 1) pubsub.unsubscribeAll(c, kind, true);
  for (let i = 1; i < c.args.argc; i++) pubsub.unsubscribe(c, kind, c.args.text(i), true);
}

function publishTo(c: Client, shard: boolean): void {
  c.engine.propagation.force();
  c.reply.int(c.engine.pubsub.publish(c.args, 1, 2, shard));
}

function listChannels(c: Client, channels: ByteMap<unknown>): void {
  if (c.args.argc > 3) return subcommandSyntax(c);
  const pattern = c.args.argc > 2 ? c.args.bytes(2) : null;
  const names = channels.entries().map((entry) => entry.name).filter((name) =>
    pattern === null || matches(pattern, fromLatin1(name), 0, name.length)
  );
  c.reply.array(names.length);
  for (const name of names) c.reply.text(name);
}

function countSubscribers(c: Client, channels: ByteMap<ReadonlySet<Client>>): void {
  const { args: a, reply } = c;
  reply.array((a.argc - 2) * 2);
  for (let i = 2; i < a.argc; i++) {
    reply.bulk(a.buf, a.off[i], a.len[i]);
    reply.int(channels.find(a.buf, a.off[i], a.len[i])?.value.size ?? 0);
  }
}

const psubscribe = command({
  name: "psubscribe",
  arity: -2,
  flags: "pubsub noscript loading stale subscribed",
  since: "2.0.0",
  group: "pubsub",
  complexity: "O(N) where N is the number of patterns the client is already subscribed to.",
  summary: "Listen for messages published to channels matching the given patterns",
  syntax: "(pattern) [pattern ...]",
  run: (c) => subscribeTo(c, PATTERN),
});

const publish = command({
  name: "publish",
  arity: 3,
  flags: "pubsub loading stale fast may_replicate",
  since: "2.0.0",
  group: "pubsub",
  complexity:
    "O(N+M) where N is the number of clients subscribed to the receiving channel and M is the total number of subscribed patterns (by any client).",
  summary: "Post a message to a channel",
  syntax: "channel message",
  run: (c) => publishTo(c, false),
});

const pubsub = container({
  name: "pubsub",
  arity: -2,
  since: "2.8.0",
  group: "pubsub",
  complexity: "Depends on subcommand.",
  summary: "A container for Pub/Sub commands",
  subcommands: [
    command({
      name: "channels",
      arity: -2,
      flags: "pubsub loading stale",
      since: "2.8.0",
      group: "pubsub",
      complexity:
        "O(N) where N is the number of active channels, and assuming constant time pattern matching (relatively short channels and patterns)",
      summary: "List active channels",
      syntax: "[pattern]",
      run: (c) => listChannels(c, c.engine.pubsub.channels),
    }),
    command({
      name: "help",
      arity: 2,
      flags: "loading stale",
      since: "6.2.0",
      group: "pubsub",
      complexity: "O(1)",
      summary: "Show helpful text about the different subcommands",
      run: (c) => replyHelp(c, HELP),
    }),
    command({
      name: "numpat",
      arity: 2,
      flags: "pubsub loading stale",
      since: "2.8.0",
      group: "pubsub",
      complexity: "O(1)",
      summary: "Get the count of unique patterns pattern subscriptions",
      run: (c) => c.reply.int(c.engine.pubsub.patterns.size),
    }),
    command({
      name: "numsub",
      arity: -2,
      flags: "pubsub loading stale",
      since: "2.8.0",
      group: "pubsub",
      complexity: "O(N) for the NUMSUB subcommand, where N is the number of requested channels",
      summary: "Get the count of subscribers for channels",
      syntax: "[channel [channel ...]]",
      run: (c) => countSubscribers(c, c.engine.pubsub.channels),
    }),
    command({
      name: "shardchannels",
      arity: -2,
      flags: "pubsub loading stale",
      since: "7.0.0",
      group: "pubsub",
      complexity:
        "O(N) where N is the number of active shard channels, and assuming constant time pattern matching (relatively short shard channels).",
      summary: "List active shard channels",
      syntax: "[pattern]",
      run: (c) => listChannels(c, c.engine.pubsub.shardChannels),
    }),
    command({
      name: "shardnumsub",
      arity: -2,
      flags: "pubsub loading stale",
      since: "7.0.0",
      group: "pubsub",
      complexity: "O(N) for the SHARDNUMSUB subcommand, where N is the number of requested shard channels",
      summary: "Get the count of subscribers for shard channels",
      syntax: "[shardchannel [shardchannel ...]]",
      run: (c) => countSubscribers(c, c.engine.pubsub.shardChannels),
    }),
  ],
});

const punsubscribe = command({
  name: "punsubscribe",
  arity: -1,
  flags: "pubsub noscript loading stale subscribed",
  since: "2.0.0",
  group: "pubsub",
  complexity:
    "O(N+M) where N is the number of patterns the client is already subscribed and M is the number of total patterns subscribed in the system (by any client).",
  summary: "Stop listening for messages posted to channels matching the given patterns",
  syntax: "[pattern [pattern ...]]",
  run: (c) => unsubscribeFrom(c, PATTERN),
});

const spublish = command({
  name: "spublish",
  arity: 3,
  flags: "pubsub loading stale fast may_replicate",
  keys: "1 not_key",
  since: "7.0.0",
  group: "pubsub",
  complexity: "O(N) where N is the number of clients subscribed to the receiving shard channel.",
  summary: "Post a message to a shard channel",
  syntax: "shardchannel message",
  run: (c) => publishTo(c, true),
});

const ssubscribe = command({
  name: "ssubscribe",
  arity: -2,
  flags: "pubsub noscript loading stale subscribed",
  keys: "1:-1 not_key",
  since: "7.0.0",
  group: "pubsub",
  complexity: "O(N) where N is the number of shard channels to subscribe to.",
  summary: "Listen for messages published to the given shard channels",
  syntax: "shardchannel [shardchannel ...]",
  run: (c) => subscribeTo(c, SHARD),
});

const subscribe = command({
  name: "subscribe",
  arity: -2,
  flags: "pubsub noscript loading stale subscribed",
  since: "2.0.0",
  group: "pubsub",
  complexity: "O(N) where N is the number of channels to subscribe to.",
  summary: "Listen for messages published to the given channels",
  syntax: "channel [channel ...]",
  run: (c) => subscribeTo(c, CHANNEL),
});

const sunsubscribe = command({
  name: "sunsubscribe",
  arity: -1,
  flags: "pubsub noscript loading stale subscribed",
  keys: "1:-1 not_key",
  since: "7.0.0",
  group: "pubsub",
  complexity: "O(N) where N is the number of clients already subscribed to a shard channel.",
  summary: "Stop listening for messages posted to the given shard channels",
  syntax: "[shardchannel [shardchannel ...]]",
  run: (c) => unsubscribeFrom(c, SHARD),
});

const unsubscribe = command({
  name: "unsubscribe",
  arity: -1,
  flags: "pubsub noscript loading stale subscribed",
  since: "2.0.0",
  group: "pubsub",
  complexity: "O(N) where N is the number of clients already subscribed to a channel.",
  summary: "Stop listening for messages posted to the given channels",
  syntax: "[channel [channel ...]]",
  run: (c) => unsubscribeFrom(c, CHANNEL),
});

export const commands: Command[] = [
  psubscribe,
  publish,
  pubsub,
  punsubscribe,
  spublish,
  ssubscribe,
  subscribe,
  sunsubscribe,
  unsubscribe,
];
