/**
 * Dict: the hash table of the keyspace and of every large hash, set and sorted set.
 *
 * It is a table of *records*, blocks of slab memory that the owner lays out. The Dict knows only how a record begins:
 *
 *   word 0   ref of the next record in the same bucket, 0 at the end
 *   word 1   hash of the key
 *   word 2   length of the key in bytes; with OUTSIDE set, the key is a large value and its handle stands in its place
 *   …        the owner's words
 *   keyAt    the key's bytes
 *
 * so a lookup touches the bucket's head and the record itself, nothing else.
 *
 * The table grows by *linear hashing* (Litwin, 1980): there are `buckets` buckets, between 2^L and 2^(L+1). An insert that
 * fills the table splits one bucket in two, a delete that leaves it sparse merges two into one. So no insert ever pays for a
 * rehash, there is never a second table, and the heads live in segments of 64 KiB that come and go one at a time.
 *
 * SCAN's cursor counts the low L bits of the hash in reversed-bit order, as Redis does: a bucket that is split or merged
 * between two calls maps to cursors on the same side of the cursor, hence everything that is present from the first
 * call to the last is returned, without any state in the server.
 *
 * While a table is filled from a file (`expect`), nearly every key is new, and the look that makes sure of it would be a walk through
 * records that are in no cache. A bitmap of the hashes that were inserted answers instead (`mayHave`): a bit that is not set proves that
 * the key is new, and the whole bitmap takes two bytes a key at most.
 */

import { hashBytes } from "../bytes/hash.ts";
import type { Random } from "../platform/platform.ts";
import type { Slab } from "./slab.ts";

/** Flag in word 2: the key itself is outside, as a large value. */
export const OUTSIDE = 1 << 31;
/** Keys longer than this live outside their record. */
export const MAX_KEY_INSIDE = 4096;

const SEGMENT_BITS = 14;
const SEGMENT = 1 << SEGMENT_BITS;
const IN_SEGMENT = SEGMENT - 1;
const MIN_BUCKETS = 4;
const MOST_RESERVED = 1 << 28;
/** The bitmap of `expect` has at least so many bits for each key, hence at most one key in so many is looked for in vain. */
const BITS_A_KEY = 8;
/** Fewer keys than this are in the cache anyway. */
const FEW = 4096;
/** The first segment, which has no use for 64 KiB yet, doubles, but not by more: near `maxmemory` a leap would cost keys. */
const MOST_HEADS_ADDED = 1024;
const PAGE_BITS = 15;
const IN_PAGE = (1 << PAGE_BITS) - 1;

/** What `random` tries at once: heads of chains, and places in them. */
const TRIES = 8;
const tried = new Int32Array(TRIES), places = new Int32Array(TRIES);

/** Key of the hash functions of one server: random, so that nobody can prepare keys that collide. */
export interface HashSeed {
  readonly k0: number;
  readonly k1: number;
}

/** Takes a key's bytes; a Reply is one. */
export interface KeySink {
  bulk(buf: Uint8Array, off: number, len: number): void;
}

export class Dict {
  count = 0;
  /** While set, the table neither grows nor shrinks: a snapshot that walks it in bucket order relies on that. */
  frozen = false;
  #buckets = MIN_BUCKETS;
  /** 2^L - 1 and 2^(L+1) - 1. */
  #lowMask = MIN_BUCKETS - 1;
  #highMask = MIN_BUCKETS * 2 - 1;
  #heads: Int32Array[] = [new Int32Array(MIN_BUCKETS)];
  /** How deep in a chain `random` looks: the length of the longest that it has noticed. */
  #randomDepth = 8;
  /** Of hashes that were inserted since `expect`; bit `hash >>> #filterShift`. */
  #filter: Int32Array | null = null;
  #filterShift = 0;
  #expected = 0;
  readonly #bytes: Uint8Array[];
  readonly #words: Int32Array[];

  constructor(readonly slab: Slab, readonly keyAt: number, readonly seed: HashSeed) {
    this.#bytes = slab.bytes;
    this.#words = slab.words;
  }

  /** The hash of a key, as records keep it. */
  hash(buf: Uint8Array, off: number, len: number): number {
    return hashBytes(buf, off, len, this.seed.k0, this.seed.k1);
  }

  /** Ref of the record with that key, 0 when there is none. `hash` must be `this.hash(buf, off, len)`. */
  find(buf: Uint8Array, off: number, len: number, hash: number): number {
    if (len > MAX_KEY_INSIDE) return this.#findOutside(buf, off, len, hash);
    let bucket = hash & this.#highMask;
    if (bucket >= this.#buckets) bucket &= this.#lowMask;
    let ref = this.#heads[bucket >>> SEGMENT_BITS][bucket & IN_SEGMENT];
    while (ref !== 0) {
      const page = ref >>> PAGE_BITS;
      const words = this.#words[page];
      const word = (ref & IN_PAGE) << 1;
      if (words[word + 1] === hash && words[word + 2] === len) {
        const bytes = this.#bytes[page];
        const key = (word << 2) + this.keyAt;
        let i = 0;
        while (i < len && bytes[key + i] === buf[off + i]) i++;
        if (i === len) return ref;
      }
      ref = words[word];
    }
    return 0;
  }

  /** The record whose key is that of `other`, a record of another table of this slab and seed with the same layout; 0 if there is none. */
  findSame(other: number): number {
    const otherWords = this.#words[other >>> PAGE_BITS];
    const otherWord = (other & IN_PAGE) << 1;
    const hash = otherWords[otherWord + 1];
    const len = otherWords[otherWord + 2];
    if (len < 0) return this.find(this.keyBuffer(other), 0, len & ~OUTSIDE, hash);
    let bucket = hash & this.#highMask;
    if (bucket >= this.#buckets) bucket &= this.#lowMask;
    let ref = this.#heads[bucket >>> SEGMENT_BITS][bucket & IN_SEGMENT];
    while (ref !== 0) {
      const words = this.#words[ref >>> PAGE_BITS];
      const word = (ref & IN_PAGE) << 1;
      if (words[word + 1] === hash && words[word + 2] === len) {
        const bytes = this.#bytes[ref >>> PAGE_BITS];
        const otherBytes = this.#bytes[other >>> PAGE_BITS];
        const key = (word << 2) + this.keyAt;
        const otherKey = (otherWord << 2) + this.keyAt;
        let i = 0;
        while (i < len && bytes[key + i] === otherBytes[otherKey + i]) i++;
        if (i === len) return ref;
      }
      ref = words[word];
    }
    return 0;
  }

  /** False if it is certain that no key has this hash. */
  mayHave(hash: number): boolean {
    const filter = this.#filter;
    if (filter === null) return true;
    const bit = hash >>> this.#filterShift;
    return (filter[bit >>> 5] & (1 << (bit & 31))) !== 0;
  }

  /** `find` for a key whose hash is not at hand. */
  lookup(buf: Uint8Array, off: number, len: number): number {
    return this.find(buf, off, len, this.hash(buf, off, len));
  }

  #findOutside(buf: Uint8Array, off: number, len: number, hash: number): number {
    for (let ref = this.#head(this.#bucketOf(hash)); ref !== 0; ref = this.next(ref)) {
      const words = this.#words[ref >>> PAGE_BITS];
      const word = (ref & IN_PAGE) << 1;
      if (words[word + 1] !== hash || words[word + 2] !== (len | OUTSIDE)) continue;
      const key = this.slab.large[words[word + (this.keyAt >> 2)]];
      let i = 0;
      while (i < len && key[i] === buf[off + i]) i++;
      if (i === len) return ref;
    }
    return 0;
  }

  /** Bytes that a key of `len` bytes takes inside its record. */
  static keySize(len: number): number {
    return len > MAX_KEY_INSIDE ? 4 : len;
  }

  /** Writes words 1 and 2 and the key of a record that is about to be inserted. */
  writeKey(ref: number, buf: Uint8Array, off: number, len: number, hash: number): void {
    const words = this.#words[ref >>> PAGE_BITS];
    const word = (ref & IN_PAGE) << 1;
    words[word + 1] = hash;
    if (len > MAX_KEY_INSIDE) {
      words[word + 2] = len | OUTSIDE;
      words[word + (this.keyAt >> 2)] = this.slab.newLarge(buf.slice(off, off + len));
      return;
    }
    words[word + 2] = len;
    const bytes = this.#bytes[ref >>> PAGE_BITS];
    const key = (word << 2) + this.keyAt;
    for (let i = 0; i < len; i++) bytes[key + i] = buf[off + i];
  }

  /** Frees what `writeKey` put outside; called before the record itself is freed. */
  freeKey(ref: number): void {
    const words = this.#words[ref >>> PAGE_BITS];
    const word = (ref & IN_PAGE) << 1;
    if (words[word + 2] < 0) this.slab.freeLarge(words[word + (this.keyAt >> 2)]);
  }

  /** The hash in a record. */
  hashOf(ref: number): number {
    return this.#words[ref >>> PAGE_BITS][((ref & IN_PAGE) << 1) + 1];
  }

  /** Bytes of a record's key. */
  keyLength(ref: number): number {
    return this.#words[ref >>> PAGE_BITS][((ref & IN_PAGE) << 1) + 2] & ~OUTSIDE;
  }

  /** Where the key's bytes are: the buffer … */
  keyBuffer(ref: number): Uint8Array {
    const words = this.#words[ref >>> PAGE_BITS];
    const word = (ref & IN_PAGE) << 1;
    return words[word + 2] < 0 ? this.slab.large[words[word + (this.keyAt >> 2)]] : this.#bytes[ref >>> PAGE_BITS];
  }

  /** … and the offset in it. */
  keyOffset(ref: number): number {
    const word = (ref & IN_PAGE) << 1;
    return this.#words[ref >>> PAGE_BITS][word + 2] < 0 ? 0 : (word << 2) + this.keyAt;
  }

  /** Gives the key to `sink`. */
  giveKey(ref: number, sink: KeySink): void {
    const words = this.#words[ref >>> PAGE_BITS];
    const word = (ref & IN_PAGE) << 1;
    const len = words[word + 2];
    if (len >= 0) sink.bulk(this.#bytes[ref >>> PAGE_BITS], (word << 2) + this.keyAt, len);
    else sink.bulk(this.slab.large[words[word + (this.keyAt >> 2)]], 0, len & ~OUTSIDE);
  }

  /** Adds a record whose key (`writeKey`) is not in the table yet. */
  insert(ref: number): void {
    const words = this.#words[ref >>> PAGE_BITS];
    const word = (ref & IN_PAGE) << 1;
    const bucket = this.#bucketOf(words[word + 1]);
    const heads = this.#heads[bucket >>> SEGMENT_BITS];
    words[word] = heads[bucket & IN_SEGMENT];
    heads[bucket & IN_SEGMENT] = ref;
    if (this.#filter !== null) this.#note(this.#filter, words[word + 1]);
    if (++this.count > this.#buckets && !this.frozen) {
      this.#split();
      // A table that was frozen has fallen behind.
      if (this.count > this.#buckets) this.#split();
    }
  }

  /** Takes a record out of the table; the caller frees it. */
  remove(ref: number): void {
    this.#relink(ref, this.next(ref));
    this.count--;
    // Four buckets go with every record while the table is emptied; some more, so that one that was frozen catches up.
    for (let i = 0; i < 6 && this.#isSparse() && !this.frozen; i++) this.#merge();
  }

  /**
   * Splits or merges up to `budget` buckets of a table that was frozen and is of the wrong size now; true when there is nothing
   * (more) to do. Inserts and removes catch up as well, but a table that is left alone would stay slow to walk. One that is
   * being filled (`expect`) has the size that it will need.
   */
  settle(budget: number): boolean {
    if (this.frozen || this.#filter !== null) return true;
    for (; budget > 0 && this.count > this.#buckets; budget--) this.#split();
    for (; budget > 0 && this.#isSparse(); budget--) this.#merge();
    return this.count <= this.#buckets && !this.#isSparse();
  }

  /** `moved` is a copy of `ref` at another place: lets it take its place in the chain. */
  replace(ref: number, moved: number): void {
    this.#relink(ref, moved);
  }

  #relink(ref: number, target: number): void {
    const words = this.#words[ref >>> PAGE_BITS];
    const bucket = this.#bucketOf(words[((ref & IN_PAGE) << 1) + 1]);
    const heads = this.#heads[bucket >>> SEGMENT_BITS];
    let at = heads[bucket & IN_SEGMENT];
    if (at === ref) {
      heads[bucket & IN_SEGMENT] = target;
      return;
    }
    for (;;) {
      const words = this.#words[at >>> PAGE_BITS];
      const word = (at & IN_PAGE) << 1;
      at = words[word];
      if (at === ref) {
        words[word] = target;
        return;
      }
    }
  }

  /** Next record in the same bucket. */
  next(ref: number): number {
    return this.#words[ref >>> PAGE_BITS][(ref & IN_PAGE) << 1];
  }

  /** Number of buckets; `first(b)` for b below it and `next` reach every record. */
  get buckets(): number {
    return this.#buckets;
  }

  /** The first record of a bucket, 0 if it is empty. */
  first(bucket: number): number {
    return this.#head(bucket);
  }

  /** The bucket in which a record is now. */
  bucketOfRecord(ref: number): number {
    return this.#bucketOf(this.#words[ref >>> PAGE_BITS][((ref & IN_PAGE) << 1) + 1]);
  }

  /**
   * Calls `visit` for all records under `cursor` and returns the next cursor, 0 at the end. `visit` must not change
   * the table. A call visits one bucket, or the two that it was split into.
   */
  scan(cursor: number, visit: (ref: number) => void): number {
    const low = this.#lowMask;
    const bucket = cursor & low;
    for (let ref = this.#head(bucket); ref !== 0; ref = this.next(ref)) visit(ref);
    if (bucket + low + 1 < this.#buckets) {
      for (let ref = this.#head(bucket + low + 1); ref !== 0; ref = this.next(ref)) visit(ref);
    }
    return reverse32(reverse32(cursor | ~low) + 1);
  }

  /** A record chosen uniformly at random; the table must not be empty. */
  random(random: Random): number {
    // Rejection sampling over (bucket, place in the chain): every record is as likely as any other as long as no chain is longer than
    // `depth`. One that is longer raises it for good, when its last place that can be chosen is; a chain of more than 8 holds one
    // record in a million. One try in eight succeeds at best, and each meets memory that is in no cache: so many are begun at once,
    // because memory then answers them at once.
    for (;;) {
      const depth = this.#randomDepth;
      for (let i = 0; i < TRIES; i++) {
        // One number for both, and a product, which costs less than the remainders of `below`.
        const slot = random.unit() * this.#buckets;
        const bucket = Math.floor(slot);
        tried[i] = this.#head(bucket);
        places[i] = Math.floor((slot - bucket) * depth);
      }
      for (let i = 0; i < TRIES; i++) if (places[i] > 0 && tried[i] !== 0) tried[i] = this.next(tried[i]);
      for (let i = 0; i < TRIES; i++) {
        const place = places[i];
        let ref = tried[i];
        for (let left = place; left > 1 && ref !== 0; left--) ref = this.next(ref);
        if (ref === 0) continue;
        let beyond = place === depth - 1 ? this.next(ref) : 0;
        if (beyond === 0) return ref;
        for (; beyond !== 0; beyond = this.next(beyond)) this.#randomDepth++;
        break;
      }
    }
  }

  /** Bytes of the heads. */
  get overhead(): number {
    return this.#heads.length === 1 ? this.#heads[0].length * 4 : this.#heads.length * SEGMENT * 4;
  }

  /** Makes an empty table large enough for `count` records, so that it need not grow while they are inserted. */
  reserve(count: number): void {
    if (this.count > 0 || this.frozen || count <= this.#buckets) return;
    const level = 31 - Math.clz32(Math.min(count, MOST_RESERVED));
    this.#buckets = Math.min(count, MOST_RESERVED);
    this.#lowMask = (1 << level) - 1;
    this.#highMask = (1 << (level + 1)) - 1;
    if (this.#buckets < SEGMENT) this.#heads = [new Int32Array(1 << (level + 1))];
    else {
      this.#heads = [];
      while (this.#heads.length * SEGMENT < this.#buckets) this.#heads.push(new Int32Array(SEGMENT));
    }
  }

  /** Whether what was expected has not come yet. */
  get isExpecting(): boolean {
    return this.#filter !== null;
  }

  /** `reserve`, and `mayHave` is of use until so many have been inserted. */
  expect(count: number): void {
    this.reserve(count);
    if (this.count > 0 || count < FEW) return;
    const bits = 32 - Math.clz32(Math.min(count, MOST_RESERVED) * BITS_A_KEY - 1);
    this.#filter = new Int32Array(1 << (bits - 5));
    this.#filterShift = 32 - bits;
    this.#expected = count;
  }

  /** There will be no more of what was expected. */
  endExpecting(): void {
    this.#filter = null;
  }

  #note(filter: Int32Array, hash: number): void {
    const bit = hash >>> this.#filterShift;
    filter[bit >>> 5] |= 1 << (bit & 31);
    if (--this.#expected === 0) this.#filter = null;
  }

  /** Forgets all records without freeing them. */
  reset(): void {
    this.count = 0;
    this.#filter = null;
    this.#buckets = MIN_BUCKETS;
    this.#lowMask = MIN_BUCKETS - 1;
    this.#highMask = MIN_BUCKETS * 2 - 1;
    this.#heads = [new Int32Array(MIN_BUCKETS)];
    this.#randomDepth = 8;
  }

  #isSparse(): boolean {
    return this.count < this.#buckets >>> 2 && this.#buckets > MIN_BUCKETS;
  }

  #bucketOf(hash: number): number {
    const bucket = hash & this.#highMask;
    return bucket < this.#buckets ? bucket : bucket & this.#lowMask;
  }

  #head(bucket: number): number {
    return this.#heads[bucket >>> SEGMENT_BITS][bucket & IN_SEGMENT];
  }

  /** Divides the bucket whose turn it is between itself and a new last bucket. */
  #split(): void {
    const added = this.#buckets;
    const source = added & this.#lowMask;
    if (added === this.#highMask) {
      this.#lowMask = this.#highMask;
      this.#highMask = this.#highMask * 2 + 1;
    }
    this.#buckets = added + 1;
    this.#reserveHead(added);
    const mask = this.#lowMask >= added ? this.#lowMask : this.#highMask;
    let stay = 0;
    let move = 0;
    for (let ref = this.#head(source), next = 0; ref !== 0; ref = next) {
      const words = this.#words[ref >>> PAGE_BITS];
      const word = (ref & IN_PAGE) << 1;
      next = words[word];
      if ((words[word + 1] & mask) === added) {
        words[word] = move;
        move = ref;
      } else {
        words[word] = stay;
        stay = ref;
      }
    }
    this.#heads[source >>> SEGMENT_BITS][source & IN_SEGMENT] = stay;
    this.#heads[added >>> SEGMENT_BITS][added & IN_SEGMENT] = move;
  }

  /** Moves the last bucket's records to the one that it was split from. */
  #merge(): void {
    const last = this.#buckets - 1;
    if (last === this.#lowMask) {
      this.#highMask = this.#lowMask;
      this.#lowMask >>>= 1;
    }
    this.#buckets = last;
    const target = last & this.#lowMask;
    const heads = this.#heads[target >>> SEGMENT_BITS];
    for (let ref = this.#head(last), next = 0; ref !== 0; ref = next) {
      const words = this.#words[ref >>> PAGE_BITS];
      const word = (ref & IN_PAGE) << 1;
      next = words[word];
      words[word] = heads[target & IN_SEGMENT];
      heads[target & IN_SEGMENT] = ref;
    }
    if (last < SEGMENT) {
      this.#heads[0][last] = 0;
      if (last === this.#heads[0].length >>> 2) this.#heads[0] = this.#heads[0].slice(0, last * 2);
    } else if ((last & IN_SEGMENT) === 0) this.#heads.pop();
    else this.#heads[last >>> SEGMENT_BITS][last & IN_SEGMENT] = 0;
  }

  #reserveHead(bucket: number): void {
    const segment = bucket >>> SEGMENT_BITS;
    if (segment === this.#heads.length) this.#heads.push(new Int32Array(SEGMENT));
    else if (segment === 0 && bucket === this.#heads[0].length) {
      const grown = new Int32Array(Math.min(SEGMENT, bucket + Math.min(bucket, MOST_HEADS_ADDED)));
      grown.set(this.#heads[0]);
      this.#heads[0] = grown;
    }
  }
}

function reverse32(value: number): number {
  let v = value | 0;
  v = ((v >>> 1) & 0x55555555) | ((v & 0x55555555) << 1);
  v = ((v >>> 2) & 0x33333333) | ((v & 0x33333333) << 2);
  v = ((v >>> 4) & 0x0f0f0f0f) | ((v & 0x0f0f0f0f) << 4);
  v = ((v >>> 8) & 0x00ff00ff) | ((v & 0x00ff00ff) << 8);
  return ((v >>> 16) | (v << 16)) >>> 0;
}
