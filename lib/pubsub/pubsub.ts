/**
 * Pub/Sub: who listens to which channel, and the delivery of messages.
 *
 * Channels are few compared with keys, so they live in Maps from the name (latin1: one character a byte) to the set of clients, in the
 * order in which they subscribed. A message is encoded once for each protocol that some subscriber speaks, however many there
 * are; the links gather it and write once per batch.
 *
 * Keyspace events (notify.c of Redis 7.0) are messages like any other.
 */

import type { Args } from "../bytes/args.ts";
import { fromLatin1, latin1 } from "../bytes/ascii.ts";
import { globMatch } from "../bytes/glob.ts";
import type { Client } from "../engine/client.ts";
import type { Engine } from "../engine/engine.ts";
import type { Database } from "../store/database.ts";
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
  readonly channels = new Map<string, Set<Client>>();
  readonly shardChannels = new Map<string, Set<Client>>();
  readonly patterns = new Map<string, Pattern>();

  constructor(readonly engine: Engine) {}

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
        let clients = table.get(name);
        if (clients === undefined) table.set(name, clients = new Set());
        clients.add(c);
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
        const clients = table.get(name)!;
        clients.delete(c);
        if (clients.size === 0) table.delete(name);
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
    return this.#publish(
      a.buf.subarray(a.off[channel], a.off[channel] + a.len[channel]),
      a.buf.subarray(a.off[message], a.off[message] + a.len[message]),
      shard,
    );
  }

  #publish(channel: Uint8Array, message: Uint8Array, shard: boolean): number {
    let receivers = 0;
    const clients = (shard ? this.shardChannels : this.channels).get(latin1(channel, 0, channel.length));
    if (clients !== undefined) {
      const encoded = new Message(shard ? SHARD_MESSAGE : MESSAGE, [channel, message]);
      for (const client of clients) {
        client.deliver(encoded.for(client));
        receivers++;
      }
    }
    if (shard) return receivers;
    for (const { bytes, clients } of this.patterns.values()) {
      if (!matches(bytes, channel)) continue;
      const encoded = new Message(PATTERN_MESSAGE, [bytes, channel, message]);
      for (const client of clients) {
        client.deliver(encoded.for(client));
        receivers++;
      }
    }
    return receivers;
  }

  /** Publishes an event of a key as `notify-keyspace-events` asks. */
  keyspaceEvent(db: Database, key: Args, i: number, event: KeyEvent): void {
    const wanted = this.engine.config.values.notifyKeyspaceEvents;
    if ((wanted & event.cls) === 0 || (this.channels.size === 0 && this.patterns.size === 0)) return;
    const name = key.bytes(i);
    if (wanted & EventClass.KEYSPACE) this.#publish(join(`__keyspace@${db.index}__:`, name), event.bytes, false);
    if (wanted & EventClass.KEYEVENT) this.#publish(join(`__keyevent@${db.index}__:`, event.bytes), name, false);
  }
}

/** One message, encoded for each protocol when first asked for. */
class Message {
  #resp2: Uint8Array | null = null;
  #resp3: Uint8Array | null = null;

  constructor(readonly kind: Uint8Array, readonly parts: readonly Uint8Array[]) {}

  for(client: Client): Uint8Array {
    if (client.resp === 3) return this.#resp3 ??= this.#encode(">");
    return this.#resp2 ??= this.#encode("*");
  }

  #encode(type: string): Uint8Array {
    const headers = this.parts.map((part) => fromLatin1(`$${part.length}\r\n`));
    const first = fromLatin1(`${type}${this.parts.length + 1}\r\n`);
    let size = first.length + this.kind.length;
    for (let i = 0; i < headers.length; i++) size += headers[i].length + this.parts[i].length + 2;
    const bytes = new Uint8Array(size);
    bytes.set(first);
    bytes.set(this.kind, first.length);
    let at = first.length + this.kind.length;
    for (let i = 0; i < headers.length; i++) {
      bytes.set(headers[i], at);
      at += headers[i].length;
      bytes.set(this.parts[i], at);
      at += this.parts[i].length;
      bytes[at++] = 13;
      bytes[at++] = 10;
    }
    return bytes;
  }
}

/** Like Redis's, a lone asterisk does not match the empty name. */
export function matches(pattern: Uint8Array, text: Uint8Array): boolean {
  return globMatch(pattern, 0, pattern.length, text, 0, text.length, false);
}

function join(prefix: string, rest: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(prefix.length + rest.length);
  bytes.set(fromLatin1(prefix));
  bytes.set(rest, prefix.length);
  return bytes;
}
