/**
 * Transactions: the queue between MULTI and EXEC, and the keys that clients watch.
 *
 * Queueing costs no objects: the arguments of all commands of a transaction lie one after the other in a few long arrays, and a
 * transaction that has ended leaves its first ones to the next.
 *
 * Watched keys are in a hash table of lists, one `WatchedKey` for each client and key; their names lie one after the other in arrays that
 * nobody frees: each is garbage when the last key in it is not watched any more. A change marks the clients that watch the key; EXEC looks
 * at the mark. Flushing and swapping databases counts as a change of the keys that are, or come to be, there.
 */

import type { Args } from "../bytes/args.ts";
import { copyBytes, equalBytes } from "../bytes/span.ts";
import { Attention, type Keyspace } from "../store/keyspace.ts";
import type { Database } from "../store/database.ts";
import type { Client } from "./client.ts";
import type { Command } from "./command.ts";
import { bytesOf } from "./kept_args.ts";

/** Bytes and words that a transaction begins with, and how far arrays of bytes grow. */
const FIRST_BYTES = 1024;
const FIRST_WORDS = 128;
const MOST_BYTES = 1 << 18;
/** Transactions that have ended are kept for others, up to so many, if they have not needed more words than this. */
const MOST_SPARE = 64;
const MOST_SPARE_WORDS = 2048;
/** Words of a command before those of its arguments. */
const HEAD_WORDS = 4;

const spare: Transaction[] = [];

/**
 * Commands in the order in which they came. Each has these words:
 *
 *   argc | array of bytes | where its bytes begin there | how many of them are a RESP frame, 0 if they are the arguments only |
 *   offset and length of each argument
 */
export class Transaction {
  /** Number of commands, which are the first of `commands`: an array that is emptied gives its memory up. */
  count = 0;
  readonly commands: Command[] = [];
  /** A command could not be queued: EXEC will refuse. */
  failed = false;
  /** Bytes of the queued arguments. */
  argumentBytes = 0;
  /** Flags of all queued commands together. */
  flags = 0;
  /** States in which some queued command would have to be refused. */
  mask = 0;
  readonly #bytes: Uint8Array[] = [new Uint8Array(FIRST_BYTES)];
  /** Bytes used of the last array. */
  #used = 0;
  #words = new Int32Array(FIRST_WORDS);
  #wordsUsed = 0;

  /** An empty transaction. */
  static begin(): Transaction {
    return spare.pop() ?? new Transaction();
  }

  /** It is over; what `read` has given stays valid until the next one begins. */
  end(): void {
    if (spare.length === MOST_SPARE || this.#words.length > MOST_SPARE_WORDS) return;
    this.failed = false;
    if (this.#bytes.length > 1) this.#bytes.length = 1;
    this.#used = 0;
    this.#keep(0, 0);
    spare.push(this);
  }

  /** Queues a command, with a copy of its arguments. */
  add(command: Command, a: Args): void {
    const { argc, buf } = a;
    const argumentBytes = bytesOf(a);
    const isFrame = a.begin >= 0;
    const size = isFrame ? a.end - a.begin : argumentBytes;
    const bytes = this.#room(size);
    const at = this.#used;
    let word = this.#wordsUsed;
    const end = word + HEAD_WORDS + argc * 2;
    if (end > this.#words.length) {
      const words = new Int32Array(Math.max(end, this.#words.length * 2));
      words.set(this.#words);
      this.#words = words;
    }
    const words = this.#words;
    words[word++] = argc;
    words[word++] = this.#bytes.length - 1;
    words[word++] = at;
    words[word++] = isFrame ? size : 0;
    if (isFrame) copyBytes(buf, a.begin, size, bytes, at);
    for (let i = 0, to = at; i < argc; i++) {
      const len = a.len[i];
      if (!isFrame) copyBytes(buf, a.off[i], len, bytes, to);
      words[word++] = isFrame ? a.off[i] - a.begin + at : to;
      words[word++] = len;
      to += len;
    }
    this.#used += size;
    this.#wordsUsed = end;
    this.argumentBytes += argumentBytes;
    this.commands[this.count++] = command;
    this.flags |= command.flags;
    this.mask |= command.mask;
  }

  /** The last array of bytes, which has room for `size` more. */
  #room(size: number): Uint8Array {
    const last = this.#bytes[this.#bytes.length - 1];
    if (this.#used + size <= last.length) return last;
    const bytes = new Uint8Array(Math.max(size, Math.min(last.length * 2, MOST_BYTES)));
    this.#bytes.push(bytes);
    this.#used = 0;
    return bytes;
  }

  /** Makes `into` name the arguments of the command at `place`; returns the next command's place. The first one's is 0. */
  read(place: number, into: Args): number {
    const words = this.#words;
    const argc = words[place];
    const at = words[place + 2];
    const frame = words[place + 3];
    into.reserve(argc);
    into.buf = this.#bytes[words[place + 1]];
    into.argc = argc;
    into.begin = frame > 0 ? at : -1;
    into.end = frame > 0 ? at + frame : -1;
    let word = place + HEAD_WORDS;
    for (let i = 0; i < argc; i++) {
      into.off[i] = words[word++];
      into.len[i] = words[word++];
    }
    return word;
  }

  /** The place of the command of that number. */
  place(number: number): number {
    let place = 0;
    while (number-- > 0) place += HEAD_WORDS + this.#words[place] * 2;
    return place;
  }

  /** Removes the last `count` commands; their bytes stay where they are. */
  removeLast(count: number): void {
    const left = this.count - count;
    this.#keep(left, this.place(left));
  }

  /** Keeps the first `count` commands, which end before `place`. */
  #keep(count: number, place: number): void {
    this.count = count;
    this.#wordsUsed = place;
    this.argumentBytes = 0;
    this.flags = 0;
    this.mask = 0;
    for (let i = 0, word = 0; i < count; i++) {
      this.flags |= this.commands[i].flags;
      this.mask |= this.commands[i].mask;
      const argc = this.#words[word];
      for (let arg = 0; arg < argc; arg++) this.argumentBytes += this.#words[word + HEAD_WORDS + arg * 2 + 1];
      word += HEAD_WORDS + argc * 2;
    }
  }
}

/** Where the hash table begins, and the length of the arrays of names. */
const FEWEST_BUCKETS = 8;
const NAMES_BYTES = 4096;

/** A key that a client watches. */
export class WatchedKey {
  /** Others in the same list of the table. */
  previous: WatchedKey | null = null;
  next: WatchedKey | null = null;
  /** Another key of the same client. */
  sibling: WatchedKey | null = null;
  /** The key is `buf[off, off + len)`. `expired`: it had expired already, but was not deleted yet; its deletion is no change then. */
  constructor(
    readonly client: Client,
    readonly db: Database,
    readonly hash: number,
    readonly buf: Uint8Array,
    readonly off: number,
    readonly len: number,
    public expired: boolean,
  ) {}

  /** The record of the key in `db`, even if it has expired; 0 when there is none. */
  find(db: Database): number {
    return db.dict.lookup(this.buf, this.off, this.len);
  }

  /** Whether this is argument i of `a` in `db`. */
  is(db: Database, a: Args, i: number, hash: number): boolean {
    return this.hash === hash && this.db === db && this.len === a.len[i] &&
      equalBytes(this.buf, this.off, a.buf, a.off[i], this.len);
  }
}

export class Watches {
  /** How many keys are watched: one that two clients watch counts twice. */
  #count = 0;
  #buckets: (WatchedKey | null)[] = new Array(FEWEST_BUCKETS).fill(null);
  /** The array that gets the next names, and how much of it they take. */
  #names = new Uint8Array(0);
  #used = 0;

  constructor(readonly keyspace: Keyspace) {}

  /** WATCH for one key. */
  add(client: Client, a: Args, i: number): void {
    const { db } = client;
    const len = a.len[i];
    const hash = db.dict.hash(a.buf, a.off[i], len);
    for (let other = client.watched; other !== null; other = other.sibling) if (other.is(db, a, i, hash)) return;
    const ref = db.dict.find(a.buf, a.off[i], len, hash);
    if (this.#used + len > this.#names.length) {
      this.#names = new Uint8Array(Math.max(NAMES_BYTES, len));
      this.#used = 0;
    }
    copyBytes(a.buf, a.off[i], len, this.#names, this.#used);
    const expired = ref !== 0 && db.isExpired(ref);
    const watched = new WatchedKey(client, db, hash, this.#names, this.#used, len, expired);
    this.#used += len;
    watched.sibling = client.watched;
    client.watched = watched;
    if (++this.#count > this.#buckets.length) this.#resize(this.#buckets.length * 2);
    this.#link(watched);
    this.keyspace.attention |= Attention.WATCH;
  }

  /** UNWATCH, and the end of every transaction. */
  removeAll(client: Client): void {
    client.watchFailed = false;
    if (client.watched === null) return;
    for (let watched: WatchedKey | null = client.watched; watched !== null; watched = watched.sibling) {
      const { previous, next } = watched;
      if (previous !== null) previous.next = next;
      else this.#buckets[watched.hash & (this.#buckets.length - 1)] = next;
      if (next !== null) next.previous = previous;
      this.#count--;
    }
    client.watched = null;
    if (this.#count > 0) return;
    this.keyspace.attention &= ~Attention.WATCH;
    this.#used = 0;
    if (this.#buckets.length > FEWEST_BUCKETS) this.#buckets = new Array(FEWEST_BUCKETS).fill(null);
  }

  #link(watched: WatchedKey): void {
    const bucket = watched.hash & (this.#buckets.length - 1);
    const next = this.#buckets[bucket];
    watched.previous = null;
    watched.next = next;
    if (next !== null) next.previous = watched;
    this.#buckets[bucket] = watched;
  }

  #resize(buckets: number): void {
    const all = this.#all();
    this.#buckets = new Array(buckets).fill(null);
    for (const watched of all) this.#link(watched);
  }

  #all(): WatchedKey[] {
    const all: WatchedKey[] = [];
    for (const first of this.#buckets) {
      for (let watched = first; watched !== null; watched = watched.next) all.push(watched);
    }
    return all;
  }

  /** Marks the clients that watch a key, which has just been changed. */
  changed(db: Database, a: Args, i: number): void {
    const hash = db.dict.hash(a.buf, a.off[i], a.len[i]);
    let watched = this.#buckets[hash & (this.#buckets.length - 1)];
    for (; watched !== null; watched = watched.next) {
      if (watched.client.watchFailed || !watched.is(db, a, i, hash)) continue;
      // What had expired when it was watched may be deleted, as long as nothing takes its place.
      if (!watched.expired || watched.find(db) !== 0) watched.client.watchFailed = true;
    }
  }

  /** The database is about to be emptied, or to exchange its keys for those of `replacement`. */
  emptied(db: Database, replacement: Database | null): void {
    for (const watched of this.#all()) {
      if (watched.db !== db) continue;
      const exists = watched.find(db) !== 0;
      const coming = replacement === null ? 0 : watched.find(replacement);
      if (!exists && coming === 0) continue;
      // Between what is not there and what has expired there is no difference to see.
      const comesExpired = coming !== 0 && replacement!.isExpired(coming);
      const wasThere = exists && !watched.expired;
      watched.expired = comesExpired;
      if (wasThere || (coming !== 0 && !comesExpired)) watched.client.watchFailed = true;
    }
  }

  /** True if a watched key has expired since it was watched. */
  someExpired(client: Client): boolean {
    for (let watched = client.watched; watched !== null; watched = watched.sibling) {
      if (watched.expired) continue;
      const ref = watched.find(watched.db);
      if (ref !== 0 && watched.db.isExpired(ref)) return true;
    }
    return false;
  }
}
