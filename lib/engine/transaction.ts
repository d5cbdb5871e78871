/**
 * Transactions: the queue between MULTI and EXEC, and the keys that clients watch.
 *
 * Watched keys are few, so they live in a Map from "db:key" (latin1) to the clients that watch it. A change marks those clients; EXEC
 * looks at the mark. Flushing and swapping databases counts as a change of the keys that are, or come to be, there.
 */

import { Args } from "../bytes/args.ts";
import { Attention, type Keyspace } from "../store/keyspace.ts";
import type { Database } from "../store/database.ts";
import type { Client } from "./client.ts";
import type { Command } from "./command.ts";
import { keyName } from "./key_name.ts";

export interface QueuedCommand {
  readonly command: Command;
  readonly args: Args;
}

export class Transaction {
  queue: QueuedCommand[] = [];
  /** A command could not be queued: EXEC will refuse. */
  failed = false;
  /** Bytes of the queued arguments. */
  argumentBytes = 0;

  /** Queues a command, with a copy of its arguments. */
  add(command: Command, args: Args): void {
    this.queue.push({ command, args: args.copy() });
    for (let i = 0; i < args.argc; i++) this.argumentBytes += args.len[i];
  }

  /** Flags of all queued commands together. */
  get flags(): number {
    let flags = 0;
    for (const { command } of this.queue) flags |= command.flags;
    return flags;
  }

  /** States in which some queued command would have to be refused. */
  get mask(): number {
    let mask = 0;
    for (const { command } of this.queue) mask |= command.mask;
    return mask;
  }
}

export interface WatchedKey {
  readonly db: Database;
  readonly key: Uint8Array;
  /** It had expired already, but was not deleted yet: its deletion is no change then. */
  expired: boolean;
}

export class Watches {
  #clients = new Map<string, Set<Client>>();

  constructor(readonly keyspace: Keyspace) {}

  /** Number of watched keys. */
  get size(): number {
    return this.#clients.size;
  }

  /** WATCH for one key. */
  add(client: Client, a: Args, i: number): void {
    const name = keyName(client.db, a.buf, a.off[i], a.len[i]);
    let clients = this.#clients.get(name);
    if (clients?.has(client)) return;
    if (clients === undefined) this.#clients.set(name, clients = new Set());
    clients.add(client);
    const ref = client.db.dict.lookup(a.buf, a.off[i], a.len[i]);
    const watched = { db: client.db, key: a.bytes(i), expired: ref !== 0 && client.db.isExpired(ref) };
    if (client.watched === null) client.watched = [watched];
    else client.watched.push(watched);
    this.keyspace.attention |= Attention.WATCH;
  }

  /** UNWATCH, and the end of every transaction. */
  removeAll(client: Client): void {
    client.watchFailed = false;
    if (client.watched === null) return;
    for (const { db, key } of client.watched) {
      const name = keyName(db, key, 0, key.length);
      const clients = this.#clients.get(name)!;
      clients.delete(client);
      if (clients.size === 0) this.#clients.delete(name);
    }
    client.watched = null;
    if (this.#clients.size === 0) this.keyspace.attention &= ~Attention.WATCH;
  }

  /** Marks the clients that watch a key, which has just been changed. */
  changed(db: Database, a: Args, i: number): void {
    const clients = this.#clients.get(keyName(db, a.buf, a.off[i], a.len[i]));
    if (clients === undefined) return;
    for (const client of clients) {
      const watched = client.watched!.find((other) => other.db === db && a.equals(i, other.key))!;
      // What had expired when it was watched may be deleted, as long as nothing takes its place.
      if (!watched.expired || findAny(db, watched.key) !== 0) client.watchFailed = true;
    }
  }

  /** The database is about to be emptied, or to exchange its keys for those of `replacement`. */
  emptied(db: Database, replacement: Database | null): void {
    for (const [, clients] of this.#clients) {
      for (const client of clients) {
        for (const watched of client.watched!) {
          if (watched.db !== db) continue;
          const exists = findAny(db, watched.key) !== 0;
          const coming = replacement === null ? 0 : findAny(replacement, watched.key);
          if (!exists && coming === 0) continue;
          // Between what is not there and what has expired there is no difference to see.
          const comesExpired = coming !== 0 && replacement!.isExpired(coming);
          const wasThere = exists && !watched.expired;
          watched.expired = comesExpired;
          if (wasThere || (coming !== 0 && !comesExpired)) client.watchFailed = true;
        }
      }
    }
  }

  /** True if a watched key has expired since it was watched. */
  someExpired(client: Client): boolean {
    if (client.watched === null) return false;
    for (const { db, key, expired } of client.watched) {
      if (expired) continue;
      const ref = findAny(db, key);
      if (ref !== 0 && db.isExpired(ref)) return true;
    }
    return false;
  }
}

/** The record even of a key that has expired. */
function findAny(db: Database, key: Uint8Array): number {
  return db.dict.lookup(key, 0, key.length);
}
