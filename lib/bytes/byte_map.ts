/**
 * ByteMap: a hash table from byte strings to objects, for names that clients choose and of which there are few: channels, keys that somebody
 * waits for. A `Map` would need a string for each look-up, and to make one of bytes costs several times what this look-up costs.
 *
 * Entries with one hash are chained. An entry keeps its name as a latin1 string, one character a byte, which takes an engine less memory
 * than an array of bytes.
 */

import { latin1 } from "./ascii.ts";
import { hashBytes } from "./hash.ts";

const FEWEST_BUCKETS = 8;

export class Entry<V> {
  next: Entry<V> | null = null;
  constructor(readonly hash: number, readonly name: string, public value: V) {}
}

export class ByteMap<V> {
  size = 0;
  readonly #k0: number;
  readonly #k1: number;
  #buckets: (Entry<V> | null)[] = new Array(FEWEST_BUCKETS).fill(null);

  /** `seed` must be secret, as that of all tables whose keys clients choose. */
  constructor(seed: { readonly k0: number; readonly k1: number }) {
    this.#k0 = seed.k0;
    this.#k1 = seed.k1;
  }

  /** The entry of the name `buf[off, off + len)`. */
  find(buf: Uint8Array, off: number, len: number): Entry<V> | null {
    if (this.size === 0) return null;
    const hash = hashBytes(buf, off, len, this.#k0, this.#k1);
    let entry = this.#buckets[hash & (this.#buckets.length - 1)];
    while (entry !== null && (entry.hash !== hash || !isName(entry.name, buf, off, len))) entry = entry.next;
    return entry;
  }

  /** Adds an entry; there must be none of that name. */
  add(buf: Uint8Array, off: number, len: number, value: V): Entry<V> {
    const entry = new Entry(hashBytes(buf, off, len, this.#k0, this.#k1), latin1(buf, off, len), value);
    if (++this.size > this.#buckets.length) this.#resize(this.#buckets.length * 2);
    this.#link(entry);
    return entry;
  }

  /** Removes an entry that is in the map. */
  remove(entry: Entry<V>): void {
    const place = entry.hash & (this.#buckets.length - 1);
    const first = this.#buckets[place]!;
    if (first === entry) this.#buckets[place] = entry.next;
    else {
      let before = first;
      while (before.next !== entry) before = before.next!;
      before.next = entry.next;
    }
    const { length } = this.#buckets;
    if (--this.size * 4 < length && length > FEWEST_BUCKETS) this.#resize(length / 2);
  }

  /** All entries, in no order. What is added or removed meanwhile may or may not be among them. */
  entries(): Entry<V>[] {
    const all: Entry<V>[] = [];
    for (const first of this.#buckets) for (let entry = first; entry !== null; entry = entry.next) all.push(entry);
    return all;
  }

  #link(entry: Entry<V>): void {
    const place = entry.hash & (this.#buckets.length - 1);
    entry.next = this.#buckets[place];
    this.#buckets[place] = entry;
  }

  #resize(buckets: number): void {
    const all = this.entries();
    this.#buckets = new Array(buckets).fill(null);
    for (const entry of all) this.#link(entry);
  }
}

function isName(name: string, buf: Uint8Array, off: number, len: number): boolean {
  if (name.length !== len) return false;
  for (let i = 0; i < len; i++) if (name.charCodeAt(i) !== buf[off + i]) return false;
  return true;
}
