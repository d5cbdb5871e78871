/**
 * Pub/Sub: who listens to which channel, and the delivery of messages.
 *
 * Channels are few compared with keys, so they live in maps from the name to the set of clients, in the order in which they subscribed. A message is encoded once for each protocol that some subscriber speaks, however many there
 * are; the links gather it and write once for all batches of one turn of the loop.
 *
 * Keyspace events (notify.c of Redis 7.0) are messages like any other.
 */

import { Args } from "../bytes/args.ts";
import { ByteMap } from "../bytes/byte_map.ts";
import { fromLatin1 } from "../bytes/ascii.ts";
import { globMatch } from "../bytes/glob.ts";
import type { Client } from "../engine/client.ts";
import type { Engine } from "../engine/engine.ts";
import type { Database } from "../store/database.ts";
import type { Reply } from "../resp/reply.ts";
import { EventClass, type KeyEvent } from "../store/events.ts";

/** The three kinds of subscription: their commands, the name of their messages, and which field of a client has them. */
export interface Kind {
  readonly subscribe: string;
  readonly unsubscribe: string;
  readonly field: "channels" | "patterns" | "shardChannels";
}
export const CHANNEL: Kind = { subscribe: "subscribe", unsubscribe: "unsubscribe", field: "channels" };
export const PATTERN: Kind = { subscribe: "psubscribe", unsubscribe: "punsubscribe", field: "patterns" };
export const SHARD: Kind = { subscribe: "ssubscribe", unsubscribe: "sunsubscribe", field: "shardChannels" };

interface Pattern {
  readonly bytes: Uint8Array;
  readonly clients: Set<Client>;
}

const MESSAGE = fromLatin1("$7\r\nmessage\r\n");
const SHARD_MESSAGE = fromLatin1("$8\r\nsmessage\r\n");
const PATTERN_MESSAGE = fromLatin1("$8\r\npmessage\r\n");

export class PubSub {
  readonly channels: ByteMap<Set<Client>>;
  readonly shardChannels: ByteMap<Set<Client>>;
  readonly patterns = new Map<string, Pattern>();

  readonly #message: Message;

  constructor(readonly engine: Engine) {
    this.channels = new ByteMap(engine.keyspace.seed);
    this.shardChannels = new ByteMap(engine.keyspace.seed);
    this.#message = new Message(engine.reply);
  }

  // ---- Subscribing -------------------------------------------------------------------------------------------------------------

  /** Subscribes the client to argument i and replies. */
  subscribe(c: Client, kind: Kind, a: Args, i: number): void {
    const name = a.text(i);
    const names = c[kind.field] ??= new Set();
    if (!names.has(name)) {
      names.add(name);
      if (kind === PATTERN) {
        let pattern = this.patterns.get(name);
        if (pattern === undefined) this.patterns.set(name, pattern = { bytes: a.bytes(i), clients: new Set() });
        pattern.clients.add(c);
      } else {
        const table = kind === SHARD ? this.shardChannels : this.channels;
        const { buf } = a;
        const entry = table.find(buf, a.off[i], a.len[i]) ?? table.add(buf, a.off[i], a.len[i], new Set());
        entry.value.add(c);
      }
      c.updateSubscribed();
    }
    this.#reply(c, kind, kind.subscribe, name);
  }

  /** Ends one subscription, if there is such a one. `tell`: replies. */
  unsubscribe(c: Client, kind: Kind, name: string, tell: boolean): void {
    if (c[kind.field]?.delete(name)) {
      if (kind === PATTERN) {
        const { clients } = this.patterns.get(name)!;
        clients.delete(c);
        if (clients.size === 0) this.patterns.delete(name);
      } else {
        const table = kind === SHARD ? this.shardChannels : this.channels;
        const entry = table.find(fromLatin1(name), 0, name.length)!;
        entry.value.delete(c);
        if (entry.value.size === 0) table.remove(entry);
      }
      c.updateSubscribed();
    }
    if (tell) this.#reply(c, kind, kind.unsubscribe, name);
  }

  /** Ends all subscriptions of a kind; there is one reply even if there are none. */
  unsubscribeAll(c: Client, kind: Kind, tell: boolean): void {
    const names = [...c[kind.field] ?? []];
    for (const name of names) this.unsubscribe(c, kind, name, tell);
    if (tell && names.length === 0) this.#reply(c, kind, kind.unsubscribe, null);
  }

  #reply(c: Client, kind: Kind, what: string, name: string | null): void {
    const { reply } = c;
    const mark = reply.at;
    reply.push(3);
    reply.text(what);
    if (name === null) reply.null();
    else reply.text(name);
    reply.int(kind === SHARD ? c.shardChannels?.size ?? 0 : (c.channels?.size ?? 0) + (c.patterns?.size ?? 0));
    // These are messages rather than replies: CLIENT REPLY OFF does not stop them.
    if (c.isSilent) c.link.send(reply.take(mark));
  }

  /** The client is gone, or starts anew (RESET). */
  forget(client: Client): void {
    if (client.subscriptions === 0) return;
    this.unsubscribeAll(client, CHANNEL, false);
    this.unsubscribeAll(client, PATTERN, false);
    this.unsubscribeAll(client, SHARD, false);
  }

  // ---- Publishing --------------------------------------------------------------------------------------------------------------

  /** Sends argument `message` to those who listen to argument `channel`; returns how many that are. */
  publish(a: Args, channel: number, message: number, shard: boolean): number {
    if (shard ? this.shardChannels.size === 0 : this.channels.size + this.patterns.size === 0) return 0;
    const encoded = this.#message;
    encoded.channel.point(a.buf, a.off[channel], a.len[channel]);
    encoded.text.point(a.buf, a.off[message], a.len[message]);
    return this.#publish(shard);
  }

  /** Publishes `#message`. */
  #publish(shard: boolean): number {
    const message = this.#message;
    const { channel } = message;
    let receivers = 0;
    const entry = (shard ? this.shardChannels : this.channels).find(channel.buf, channel.off[0], channel.len[0]);
    if (entry !== null) {
      message.begin(shard ? SHARD_MESSAGE : MESSAGE, null);
      receivers += message.deliver(entry.value);
    }
    if (shard || this.patterns.size === 0) return receivers;
    for (const { bytes, clients } of this.patterns.values()) {
      if (!matches(bytes, channel.buf, channel.off[0], channel.len[0])) continue;
      message.begin(PATTERN_MESSAGE, bytes);
      receivers += message.deliver(clients);
    }
    return receivers;
  }

  /** Publishes an event of a key as `notify-keyspace-events` asks. */
  keyspaceEvent(db: Database, key: Args, i: number, event: KeyEvent): void {
    const wanted = this.engine.config.values.notifyKeyspaceEvents;
    if ((wanted & event.cls) === 0 || (this.channels.size === 0 && this.patterns.size === 0)) return;
    const name = key.bytes(i);
    if (wanted & EventClass.KEYSPACE) this.#tell(join(`__keyspace@${db.index}__:`, name), event.bytes);
    if (wanted & EventClass.KEYEVENT) this.#tell(join(`__keyevent@${db.index}__:`, event.bytes), name);
  }

  #tell(channel: Uint8Array, text: Uint8Array): void {
    this.#message.channel.point(channel, 0, channel.length);
    this.#message.text.point(text, 0, text.length);
    this.#publish(false);
  }
}

/**
 * The message being published, encoded for each protocol when first asked for. That happens in the free part of the reply buffer,
 * which costs one allocation: the copy that the links keep.
 */
class Message {
  /** A single argument each. */
  readonly channel = new Args(1);
  readonly text = new Args(1);
  #kind = MESSAGE;
  #pattern: Uint8Array | null = null;
  #resp2: Uint8Array | null = null;
  #resp3: Uint8Array | null = null;

  constructor(readonly reply: Reply) {}

  /** Channel and text are in place; `pattern` is that of pattern messages. */
  begin(kind: Uint8Array, pattern: Uint8Array | null): void {
    this.#kind = kind;
    this.#pattern = pattern;
    this.#resp2 = null;
    this.#resp3 = null;
  }

  /** Returns how many clients there are. */
  deliver(clients: ReadonlySet<Client>): number {
    const { size } = clients;
    if (size === 1) {
      for (const client of clients) this.#deliverTo(client);
      return size;
    }
    for (const client of clients) {
      client.deliver(client.resp === 3 ? this.#resp3 ??= this.#encode(true) : this.#resp2 ??= this.#encode(false));
    }
    return size;
  }

  /** The only one who gets the message needs no object for it. */
  #deliverTo(client: Client): void {
    if (client.engine.serving === client) return client.deliver(this.#encode(client.resp === 3));
    const { reply } = this;
    const mark = this.#write(client.resp === 3);
    client.link.sendCopy(reply.buf, mark, reply.at);
    reply.at = mark;
  }

  #encode(resp3: boolean): Uint8Array {
    return this.reply.take(this.#write(resp3));
  }

  /** Writes the message behind what is in the reply buffer; returns where it begins. */
  #write(resp3: boolean): number {
    const { reply, channel, text } = this;
    const pattern = this.#pattern;
    const mark = reply.at;
    const before = reply.resp3;
    reply.resp3 = resp3;
    reply.push(pattern === null ? 3 : 4);
    reply.resp3 = before;
    reply.raw(this.#kind);
    if (pattern !== null) reply.bulk(pattern, 0, pattern.length);
    reply.bulk(channel.buf, channel.off[0], channel.len[0]);
    reply.bulk(text.buf, text.off[0], text.len[0]);
    return mark;
  }
}

/** Like Redis's, a lone asterisk does not match the empty name. */
export function matches(pattern: Uint8Array, buf: Uint8Array, off: number, len: number): boolean {
  return globMatch(pattern, 0, pattern.length, buf, off, len, false);
}

function join(prefix: string, rest: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(prefix.length + rest.length);
  bytes.set(fromLatin1(prefix));
  bytes.set(rest, prefix.length);
  return bytes;
}
