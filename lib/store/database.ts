/**
 * Database: the keys of one database and the only doors to them.
 *
 *   lookupRead, lookupWrite, find …   a key's record (a slab ref), 0 when there is none; keys that have expired are none
 *   add, set, resize, setExpire …     change the record; each returns the record's ref, which may be another one
 *   changed                           after a write: everything that must happen then, so that no command can forget any of it
 *
 * A key is named by `(args, i)`: argument i of a command. The layout of a record is explained in record.ts. A ref is good until
 * the next call that may move or remove the record; nothing keeps one across commands.
 */

import type { Args } from "../bytes/args.ts";
import { copyBytes } from "../bytes/span.ts";
import { Deadlines } from "./deadlines.ts";
import { Dict, OUTSIDE } from "./dict.ts";
import { DEL, EXPIRED, KEY_MISS, type KeyEvent, NEW } from "./events.ts";
import { Attention, Expiry, type Keyspace } from "./keyspace.ts";
import { type Collection, Hint, Kind, Type } from "./record.ts";
import { MAX_BLOCK, Slab } from "./slab.ts";

const PAGE_BITS = 15;
const IN_PAGE = (1 << PAGE_BITS) - 1;

/** Bytes before the key. */
const KEY_AT = 24;
const DEADLINE_BYTES = 12;
/** Fields of the meta word. */
const KIND_SHIFT = 3;
const HAS_DEADLINE = 1 << 5;
const HINT_SHIFT = 6;
const FLAGS = 0xff;
const TYPE_MASK = 7;
const TYPE_AND_KIND = 0x1f;
/** A new key's LFU counter. */
const LFU_INITIAL = 5;

/** Shorter records are moved to a block of just their size, because there are many of them. */
const LONG = 256;

/** Bit 31 of the length word is the record's generation (see Barrier). */
const LENGTH = 0x7fffffff;
const GENERATION = 1 << 31;

const TWO32 = 4294967296;

export class Database {
  dict: Dict;
  deadlines: Deadlines;
  readonly #slab: Slab;
  readonly #bytes: Uint8Array[];
  readonly #words: Int32Array[];

  constructor(readonly keyspace: Keyspace, readonly index: number) {
    this.#slab = keyspace.slab;
    this.#bytes = this.#slab.bytes;
    this.#words = this.#slab.words;
    this.dict = new Dict(this.#slab, KEY_AT, keyspace.seed);
    this.deadlines = new Deadlines(this);
  }

  get slab(): Slab {
    return this.#slab;
  }

  // ---- Finding -----------------------------------------------------------------------------------------------------------------

  /** The record of a key, without any trace of the access. */
  find(a: Args, i: number): number {
    const ref = this.dict.lookup(a.buf, a.off[i], a.len[i]);
    if (ref === 0) return 0;
    if (this.#words[ref >>> PAGE_BITS][((ref & IN_PAGE) << 1) + 3] & HAS_DEADLINE) return this.#ifAlive(ref);
    return ref;
  }

  /** For commands that read: sets the key's access clock, counts hits and misses. */
  lookupRead(a: Args, i: number): number {
    const ref = this.find(a, i);
    if (ref === 0) {
      this.keyspace.misses++;
      if (this.keyspace.attention & Attention.NOTIFY) this.keyspace.observer.notify(this, a, i, KEY_MISS);
      return 0;
    }
    this.keyspace.hits++;
    this.touch(ref);
    return ref;
  }

  /** For commands that may change the value. */
  lookupWrite(a: Args, i: number): number {
    const ref = this.find(a, i);
    if (ref === 0) {
      if (this.keyspace.expiry === Expiry.HIDE) this.#expireHidden(a, i);
      return 0;
    }
    if (this.keyspace.barrier !== null) this.keyspace.barrier.beforeChange(this, ref);
    this.touch(ref);
    return ref;
  }

  /** Counts a hit or a miss, without touching the key (commands that only look at the key's outside: TTL, TYPE, EXISTS). */
  findRead(a: Args, i: number): number {
    const ref = this.find(a, i);
    if (ref !== 0) this.keyspace.hits++;
    else {
      this.keyspace.misses++;
      if (this.keyspace.attention & Attention.NOTIFY) this.keyspace.observer.notify(this, a, i, KEY_MISS);
    }
    return ref;
  }

  /** Counts an access: sets the LRU clock, or raises the LFU counter now and then. */
  touch(ref: number): void {
    const words = this.#words[ref >>> PAGE_BITS];
    const word = ((ref & IN_PAGE) << 1) + 3;
    const meta = words[word];
    if (this.keyspace.lfu) this.#touchCounter(words, word, meta);
    else if (meta >>> 8 !== this.keyspace.lruClock) words[word] = (meta & FLAGS) | (this.keyspace.lruClock << 8);
  }

  /** LFU: 16 bits of minutes, then a counter of 8 bits that grows with the logarithm of the accesses and decays with time. */
  #touchCounter(words: Int32Array, word: number, meta: number): void {
    const keyspace = this.keyspace;
    let counter = this.#decayed(meta >>> 8);
    if (counter < 255) {
      const base = Math.max(0, counter - LFU_INITIAL);
      if (keyspace.random.unit() < 1 / (base * keyspace.lfuLogFactor + 1)) counter++;
    }
    words[word] = (meta & FLAGS) | (((this.#minutes() << 8) | counter) << 8);
  }

  #minutes(): number {
    return Math.floor(this.keyspace.now / 60000) & 0xffff;
  }

  #decayed(lfu: number): number {
    const counter = lfu & 0xff;
    if (this.keyspace.lfuDecayTime === 0) return counter;
    const passed = (this.#minutes() - (lfu >>> 8)) & 0xffff;
    return Math.max(0, counter - Math.floor(passed / this.keyspace.lfuDecayTime));
  }

  #ifAlive(ref: number): number {
    const keyspace = this.keyspace;
    if (this.expireAt(ref) >= keyspace.now || keyspace.expiry === Expiry.IGNORE) return ref;
    if (keyspace.expiry === Expiry.DELETE) this.expire(ref);
    return 0;
  }

  // ---- What a record says ------------------------------------------------------------------------------------------------------

  /** Of `Type`. */
  type(ref: number): number {
    return this.#meta(ref) & TYPE_MASK;
  }

  /** Of `Kind`. */
  kind(ref: number): number {
    return (this.#meta(ref) >>> KIND_SHIFT) & 3;
  }

  /** Of `Hint`. */
  hint(ref: number): number {
    return (this.#meta(ref) >>> HINT_SHIFT) & 3;
  }

  setHint(ref: number, hint: number): void {
    const word = ((ref & IN_PAGE) << 1) + 3;
    const words = this.#words[ref >>> PAGE_BITS];
    words[word] = (words[word] & ~(3 << HINT_SHIFT)) | (hint << HINT_SHIFT);
  }

  /** LRU clock (seconds, 24 bits), or minutes and counter with an LFU policy. */
  access(ref: number): number {
    return this.#meta(ref) >>> 8;
  }

  /** Sets what `access` returns. */
  setAccess(ref: number, access: number): void {
    const word = ((ref & IN_PAGE) << 1) + 3;
    const words = this.#words[ref >>> PAGE_BITS];
    words[word] = (words[word] & FLAGS) | (access << 8);
  }

  /** Seconds since the last access. */
  idleSeconds(ref: number): number {
    return (this.keyspace.lruClock - this.access(ref)) & 0xffffff;
  }

  /** The access counter (0–255), decayed up to now. */
  frequency(ref: number): number {
    return this.#decayed(this.access(ref));
  }

  /** Sets the access counter (0–255) as of now. */
  setFrequency(ref: number, counter: number): void {
    this.setAccess(ref, (this.#minutes() << 8) | counter);
  }

  /** Where the bytes of a string or blob are: in `valueBuffer`, from `valueOffset`, `valueLength` long. */
  valueBuffer(ref: number): Uint8Array {
    const page = ref >>> PAGE_BITS;
    const words = this.#words[page];
    const word = (ref & IN_PAGE) << 1;
    return (words[word + 3] & (3 << KIND_SHIFT)) === 0 ? this.#bytes[page] : this.#slab.large[words[word + 5]];
  }

  /** The memory of `valueBuffer` as words of 32 bits; of a long value a view, without the bytes that fill no word. */
  valueWords(ref: number): Int32Array {
    const words = this.#words[ref >>> PAGE_BITS];
    const word = (ref & IN_PAGE) << 1;
    if ((words[word + 3] & (3 << KIND_SHIFT)) === 0) return words;
    const value = this.#slab.large[words[word + 5]];
    return new Int32Array(value.buffer, value.byteOffset, value.length >> 2);
  }

  valueOffset(ref: number): number {
    const words = this.#words[ref >>> PAGE_BITS];
    const word = (ref & IN_PAGE) << 1;
    const meta = words[word + 3];
    if (meta & (3 << KIND_SHIFT)) return 0;
    const keyEnd = (word << 2) + KEY_AT + keySize(words[word + 2]);
    return meta & HAS_DEADLINE ? ((keyEnd + 3) & ~3) + DEADLINE_BYTES : keyEnd;
  }

  valueLength(ref: number): number {
    return this.#words[ref >>> PAGE_BITS][((ref & IN_PAGE) << 1) + 4] & LENGTH;
  }

  /** Writes the first `len` bytes of a string or blob that is at least so long. */
  writeValue(ref: number, buf: Uint8Array, off: number, len: number): void {
    this.beforeOverwrite(ref, 0, len);
    copyBytes(buf, off, len, this.valueBuffer(ref), this.valueOffset(ref));
  }

  /** To be called before bytes of a string that may be long are overwritten where they are. */
  beforeOverwrite(ref: number, from: number, length: number): void {
    const { barrier } = this.keyspace;
    if (barrier !== null && this.kind(ref) === Kind.LARGE) barrier.beforeOverwrite(this.valueBuffer(ref), from, length);
  }

  /** True for a record that a snapshot in progress still has to save. */
  isUnsaved(ref: number): boolean {
    return (this.#words[ref >>> PAGE_BITS][((ref & IN_PAGE) << 1) + 4] & GENERATION) !== this.keyspace.generation;
  }

  /** The snapshot in progress has saved the record. */
  markSaved(ref: number): void {
    this.#setLength(ref, this.valueLength(ref));
  }

  #setLength(ref: number, length: number): void {
    this.#words[ref >>> PAGE_BITS][((ref & IN_PAGE) << 1) + 4] = length | this.keyspace.generation;
  }

  /** The collection of a record of kind OBJECT, or of one that can be made one: a loaded stream. The record stays where it is. */
  object(ref: number): Collection {
    if (this.kind(ref) !== Kind.OBJECT) return this.#wake(ref);
    return this.#slab.objects[this.#words[ref >>> PAGE_BITS][((ref & IN_PAGE) << 1) + 5]] as Collection;
  }

  /** The room of the bytes in the record is lost until it moves, but refs stay good: callers do not expect that reading moves anything. */
  #wake(ref: number): Collection {
    const { barrier, wake } = this.keyspace;
    if (barrier !== null) barrier.beforeChange(this, ref);
    const object = wake!(this, ref);
    this.#setHandle(ref, Kind.OBJECT, this.#slab.newObject(object), 0);
    return object;
  }

  /** Milliseconds since 1970, -1 without a deadline. Exact up to 2^53. */
  expireAt(ref: number): number {
    if ((this.#meta(ref) & HAS_DEADLINE) === 0) return -1;
    const words = this.#words[ref >>> PAGE_BITS];
    const word = this.#deadlineWord(ref);
    return words[word + 1] * TWO32 + (words[word] >>> 0);
  }

  /** The same, exact. */
  expireAtExact(ref: number): bigint {
    if ((this.#meta(ref) & HAS_DEADLINE) === 0) return -1n;
    const words = this.#words[ref >>> PAGE_BITS];
    const word = this.#deadlineWord(ref);
    return (BigInt(words[word + 1]) << 32n) | BigInt(words[word] >>> 0);
  }

  /** Bytes that the key and its value take. */
  memory(ref: number): number {
    const words = this.#words[ref >>> PAGE_BITS];
    const word = (ref & IN_PAGE) << 1;
    let bytes = this.#slab.capacity(ref) + 4;
    if (words[word + 2] < 0) bytes += this.#slab.large[words[word + (KEY_AT >> 2)]].length;
    if (words[word + 3] & HAS_DEADLINE) bytes += DEADLINE_BYTES;
    const kind = this.kind(ref);
    if (kind === Kind.LARGE) bytes += this.#slab.large[words[word + 5]].length;
    else if (kind === Kind.OBJECT) bytes += this.object(ref).memory();
    return bytes;
  }

  #meta(ref: number): number {
    return this.#words[ref >>> PAGE_BITS][((ref & IN_PAGE) << 1) + 3];
  }

  /** Index of the first of the three words of the deadline. */
  #deadlineWord(ref: number): number {
    const word = (ref & IN_PAGE) << 1;
    return word + ((KEY_AT + keySize(this.#words[ref >>> PAGE_BITS][word + 2]) + 3) >> 2);
  }

  // ---- Changing ----------------------------------------------------------------------------------------------------------------

  /**
   * After a write to a key: counts it (`count` changes), and tells whoever must know. `event` is published, and wakes clients that
   * are blocked on the key.
   */
  changed(a: Args, i: number, event: KeyEvent, count = 1): void {
    const keyspace = this.keyspace;
    keyspace.dirty += count;
    if (keyspace.attention !== 0) keyspace.observer.changed(this, a, i, event);
  }

  /**
   * After elements have been taken out of a collection: counts and tells, as `changed` does; an empty collection goes with its key,
   * whose record is `ref`.
   */
  shrunk(a: Args, i: number, ref: number, isEmpty: boolean, event: KeyEvent, count = 1): void {
    if (isEmpty) this.remove(ref);
    this.changed(a, i, event, count);
    if (isEmpty) this.notify(a, i, DEL);
  }

  /** A further event of the same write. */
  notify(a: Args, i: number, event: KeyEvent): void {
    if (this.keyspace.attention & Attention.NOTIFY) this.keyspace.observer.notify(this, a, i, event);
  }

  /** Adds a key that is not there, with a value of `length` bytes that the caller writes at `valueOffset`. */
  add(a: Args, i: number, type: number, length = 0): number {
    return this.addHashed(a, i, type, length, this.dict.hash(a.buf, a.off[i], a.len[i]));
  }

  /** The same, with the key's hash at hand. */
  addHashed(a: Args, i: number, type: number, length: number, hash: number): number {
    const ref = this.newRecord(a, i, type, length, hash);
    this.insert(a, i, ref);
    return ref;
  }

  /** The record of a key that is not there, as `addHashed` makes it; it is not in the table before `insert`. */
  newRecord(a: Args, i: number, type: number, length: number, hash: number): number {
    const dict = this.dict;
    const off = a.off[i];
    const len = a.len[i];
    const inside = KEY_AT + Dict.keySize(len);
    const large = inside + length > MAX_BLOCK;
    const ref = this.#slab.allocate(large ? inside : inside + length);
    const words = this.#words[ref >>> PAGE_BITS];
    const word = (ref & IN_PAGE) << 1;
    dict.writeKey(ref, a.buf, off, len, hash);
    const access = this.keyspace.lfu ? (this.#minutes() << 8) | LFU_INITIAL : this.keyspace.lruClock;
    words[word + 3] = type | (access << 8) | (large ? Kind.LARGE << KIND_SHIFT : 0);
    words[word + 4] = length | this.keyspace.generation;
    words[word + 5] = large ? this.#slab.newLarge(new Uint8Array(length)) : 0;
    return ref;
  }

  /** Puts the record of key i into the table. */
  insert(a: Args, i: number, ref: number): void {
    this.dict.insert(ref);
    if (this.keyspace.attention & Attention.NOTIFY) this.keyspace.observer.notify(this, a, i, NEW);
  }

  /** Adds a key with a collection as its value. */
  addObject(a: Args, i: number, type: number, object: Collection): number {
    return this.setObject(this.add(a, i, type), object);
  }

  /** SET: the key becomes a string with these bytes, whatever it was. Its deadline goes unless `keepDeadline`. */
  set(a: Args, i: number, buf: Uint8Array, off: number, len: number, keepDeadline = false): number {
    let ref = this.dict.lookup(a.buf, a.off[i], a.len[i]);
    if (ref !== 0 && this.#meta(ref) & HAS_DEADLINE && this.#ifAlive(ref) === 0) {
      if (this.keyspace.expiry === Expiry.HIDE) this.expire(ref);
      ref = 0;
    }
    if (ref === 0) ref = this.add(a, i, Type.STRING, len);
    else {
      if (this.keyspace.barrier !== null) this.keyspace.barrier.beforeChange(this, ref);
      const words = this.#words[ref >>> PAGE_BITS];
      const word = (ref & IN_PAGE) << 1;
      const meta = words[word + 3];
      if (meta & HAS_DEADLINE && !keepDeadline) ref = this.persist(ref);
      if (meta & TYPE_AND_KIND || (words[word + 4] & LENGTH) !== len) ref = this.#overwrite(ref, len);
      this.setHint(ref, Hint.AUTO);
      this.touch(ref);
    }
    this.writeValue(ref, buf, off, len);
    return ref;
  }

  /** Makes an existing record a string of `len` bytes. */
  #overwrite(ref: number, len: number): number {
    const words = this.#words[ref >>> PAGE_BITS];
    const word = (ref & IN_PAGE) << 1;
    if ((words[word + 3] & (3 << KIND_SHIFT)) === Kind.OBJECT << KIND_SHIFT) {
      this.#freeValue(ref);
      words[word + 3] &= ~(3 << KIND_SHIFT);
      this.#setLength(ref, 0);
    }
    words[word + 3] &= ~TYPE_MASK;
    return this.resize(ref, len, 0);
  }

  /**
   * Changes the length of a string or blob; the first `keep` bytes stay, the others are arbitrary. A value that grows
   * again and again gets room to spare.
   */
  resize(ref: number, length: number, keep: number): number {
    const words = this.#words[ref >>> PAGE_BITS];
    const word = (ref & IN_PAGE) << 1;
    if ((words[word + 3] & (3 << KIND_SHIFT)) === Kind.LARGE << KIND_SHIFT) {
      return this.#resizeLarge(ref, words, word, length, keep);
    }
    const head = this.valueOffset(ref) - (word << 2);
    const size = head + length;
    const capacity = this.#slab.capacity(ref);
    if (size <= capacity && (size * 2 >= capacity || capacity <= 64)) {
      this.#setLength(ref, length);
      return ref;
    }
    if (size <= MAX_BLOCK) {
      // What grows will grow again: it gets some room beyond what the size class gives.
      const room = size > capacity && keep > 0 && size >= LONG ? size >>> (size < 8 * LONG ? 4 : 3) : 0;
      const moved = this.#relocate(ref, Math.min(size + room, MAX_BLOCK), head + Math.min(keep, length));
      this.#setLength(moved, length);
      return moved;
    }
    const value = new Uint8Array(keep > 0 ? length + (length >>> 2) : length);
    const from = (word << 2) + head;
    copyBytes(this.#bytes[ref >>> PAGE_BITS], from, keep, value, 0);
    return this.#setHandle(this.#relocate(ref, head, head), Kind.LARGE, this.#slab.newLarge(value), length);
  }

  #resizeLarge(ref: number, words: Int32Array, word: number, length: number, keep: number): number {
    const handle = words[word + 5];
    const old = this.#slab.large[handle];
    if (keep === 0 && length < MAX_BLOCK >>> 2) {
      // A short value takes the place of a long one.
      this.#slab.freeLarge(handle);
      words[word + 3] &= ~(3 << KIND_SHIFT);
      this.#setLength(ref, 0);
      return this.resize(ref, length, 0);
    }
    // A snapshot may still have to read what is replaced as a whole.
    const isHeld = keep === 0 && this.keyspace.barrier !== null;
    if (length > old.length || length < old.length >>> 2 || isHeld) {
      const value = new Uint8Array(keep > 0 && length > old.length ? length + (length >>> 1) : length);
      copyBytes(old, 0, Math.min(keep, length), value, 0);
      this.#slab.replaceLarge(handle, value);
    }
    this.#setLength(ref, length);
    return ref;
  }

  #setHandle(ref: number, kind: number, handle: number, length: number): number {
    const words = this.#words[ref >>> PAGE_BITS];
    const word = (ref & IN_PAGE) << 1;
    words[word + 3] = (words[word + 3] & ~(3 << KIND_SHIFT)) | (kind << KIND_SHIFT);
    this.#setLength(ref, length);
    words[word + 5] = handle;
    return ref;
  }

  /** Moves a record to a block of `size` bytes, with its first `copy` bytes. */
  #relocate(ref: number, size: number, copy: number): number {
    const moved = this.#slab.allocate(size);
    const from = (ref & IN_PAGE) << 3;
    const bytes = this.#bytes[ref >>> PAGE_BITS];
    copyBytes(bytes, from, copy, this.#bytes[moved >>> PAGE_BITS], (moved & IN_PAGE) << 3);
    this.dict.replace(ref, moved);
    if (this.#meta(moved) & HAS_DEADLINE) {
      this.deadlines.relocate(this.#words[moved >>> PAGE_BITS][this.#deadlineWord(moved) + 2], moved);
    }
    this.#slab.free(ref);
    return moved;
  }

  /** Makes a collection the record's value; what was there is freed. The type stays. */
  setObject(ref: number, object: Collection): number {
    this.#freeValue(ref);
    const head = this.#headSize(ref);
    const kept = this.#slab.capacity(ref) > Slab.rounded(head) ? this.#relocate(ref, head, head) : ref;
    return this.#setHandle(kept, Kind.OBJECT, this.#slab.newObject(object), 0);
  }

  /** The opposite: a record with a collection becomes one with a blob of `length` bytes. The collection is freed. */
  setBlob(ref: number, length: number): number {
    this.#freeValue(ref);
    return this.resize(this.#setHandle(ref, Kind.INLINE, 0, 0), length, 0);
  }

  /**
   * For what replaces a whole key (SINTERSTORE, SORT … STORE): the record loses its deadline and becomes one of that type. `setObject` or
   * `setBlob` must follow and bring its value.
   */
  retype(ref: number, type: number): number {
    if (this.keyspace.barrier !== null) this.keyspace.barrier.beforeChange(this, ref);
    const kept = this.persist(ref);
    const word = ((kept & IN_PAGE) << 1) + 3;
    const words = this.#words[kept >>> PAGE_BITS];
    words[word] = (words[word] & ~(TYPE_MASK | (3 << HINT_SHIFT))) | type;
    return kept;
  }

  /** Bytes of the record without an inside value. */
  #headSize(ref: number): number {
    const words = this.#words[ref >>> PAGE_BITS];
    const word = (ref & IN_PAGE) << 1;
    const keyEnd = KEY_AT + keySize(words[word + 2]);
    return words[word + 3] & HAS_DEADLINE ? ((keyEnd + 3) & ~3) + DEADLINE_BYTES : keyEnd;
  }

  #freeValue(ref: number): void {
    const words = this.#words[ref >>> PAGE_BITS];
    const word = (ref & IN_PAGE) << 1;
    const kind = (words[word + 3] >>> KIND_SHIFT) & 3;
    if (kind === Kind.LARGE) this.#slab.freeLarge(words[word + 5]);
    else if (kind === Kind.OBJECT) {
      this.keyspace.bury(this.object(ref));
      this.#slab.freeObject(words[word + 5]);
    }
  }

  /** Gives the key a deadline, in milliseconds since 1970 (a bigint where a double would not be exact). */
  setExpire(ref: number, at: number | bigint): number {
    if (this.keyspace.ownsDeadlines && this.keyspace.expiry === Expiry.HIDE) {
      this.keyspace.ownDeadlines.remember(this, ref);
    }
    const time = Number(at);
    const low = typeof at === "bigint" ? Number(BigInt.asIntN(32, at)) : at | 0;
    const high = typeof at === "bigint" ? Number(at >> 32n) : Math.floor(at / TWO32);
    if (this.#meta(ref) & HAS_DEADLINE) {
      const words = this.#words[ref >>> PAGE_BITS];
      const word = this.#deadlineWord(ref);
      words[word] = low;
      words[word + 1] = high;
      this.deadlines.update(words[word + 2], time);
      return ref;
    }
    const inline = this.kind(ref) === Kind.INLINE;
    const oldHead = this.#headSize(ref);
    const length = inline ? this.valueLength(ref) : 0;
    const head = ((oldHead + 3) & ~3) + DEADLINE_BYTES;
    let moved = ref;
    if (head + length > MAX_BLOCK) {
      // The value has to leave the record first.
      const from = ((ref & IN_PAGE) << 3) + oldHead;
      const value = this.#bytes[ref >>> PAGE_BITS].slice(from, from + length);
      moved = this.#setHandle(ref, Kind.LARGE, this.#slab.newLarge(value), length);
      return this.setExpire(this.#relocate(moved, head, oldHead), at);
    }
    if (head + length > this.#slab.capacity(ref)) moved = this.#relocate(ref, head + length, oldHead + length);
    const at8 = (moved & IN_PAGE) << 3;
    if (length > 0) this.#bytes[moved >>> PAGE_BITS].copyWithin(at8 + head, at8 + oldHead, at8 + oldHead + length);
    const words = this.#words[moved >>> PAGE_BITS];
    words[((moved & IN_PAGE) << 1) + 3] |= HAS_DEADLINE;
    const word = this.#deadlineWord(moved);
    words[word] = low;
    words[word + 1] = high;
    this.deadlines.add(time, moved);
    return moved;
  }

  /** Takes the deadline away. */
  persist(ref: number): number {
    if ((this.#meta(ref) & HAS_DEADLINE) === 0) return ref;
    const words = this.#words[ref >>> PAGE_BITS];
    this.deadlines.remove(words[this.#deadlineWord(ref) + 2]);
    const inline = this.kind(ref) === Kind.INLINE;
    const oldHead = this.#headSize(ref);
    words[((ref & IN_PAGE) << 1) + 3] &= ~HAS_DEADLINE;
    const at = (ref & IN_PAGE) << 3;
    if (inline) {
      const head = this.#headSize(ref);
      this.#bytes[ref >>> PAGE_BITS].copyWithin(at + head, at + oldHead, at + oldHead + this.valueLength(ref));
    }
    return ref;
  }

  /** For `deadlines`: the entry of a record moved in the heap. */
  placed(ref: number, index: number): void {
    this.#words[ref >>> PAGE_BITS][this.#deadlineWord(ref) + 2] = index;
  }

  /** Deletes a key; false if there is none. */
  delete(a: Args, i: number): boolean {
    const ref = this.find(a, i);
    if (ref === 0) {
      if (this.keyspace.expiry === Expiry.HIDE) this.#expireHidden(a, i);
      return false;
    }
    this.remove(ref);
    return true;
  }

  /** Removes a record with its value. */
  remove(ref: number): void {
    if (this.keyspace.barrier !== null) this.keyspace.barrier.beforeChange(this, ref);
    this.#freeValue(ref);
    this.#drop(ref);
  }

  #drop(ref: number): void {
    this.dict.remove(ref);
    if (this.#meta(ref) & HAS_DEADLINE) {
      this.deadlines.remove(this.#words[ref >>> PAGE_BITS][this.#deadlineWord(ref) + 2]);
    }
    this.dict.freeKey(ref);
    this.#slab.free(ref);
  }

  /** RENAME, MOVE: the value of `ref`, with its deadline and access clock, becomes that of a new key in `target`. */
  moveTo(ref: number, target: Database, a: Args, i: number): number {
    if (this.keyspace.barrier !== null) this.keyspace.barrier.beforeChange(this, ref);
    const deadline = this.expireAtExact(ref);
    const meta = this.#meta(ref);
    const type = meta & TYPE_MASK;
    const kind = this.kind(ref);
    const length = this.valueLength(ref);
    let moved: number;
    if (kind === Kind.INLINE) {
      moved = target.add(a, i, type, length);
      target.writeValue(moved, this.valueBuffer(ref), this.valueOffset(ref), length);
    } else {
      moved = target.add(a, i, type);
      target.#setHandle(moved, kind, this.#words[ref >>> PAGE_BITS][((ref & IN_PAGE) << 1) + 5], length);
    }
    this.#drop(ref);
    const words = this.#words[moved >>> PAGE_BITS];
    const word = ((moved & IN_PAGE) << 1) + 3;
    words[word] = (words[word] & TYPE_AND_KIND) | (meta & ~(TYPE_AND_KIND | HAS_DEADLINE));
    return deadline < 0n ? moved : target.setExpire(moved, deadline);
  }

  // ---- Expiry ------------------------------------------------------------------------------------------------------------------

  /** Deletes a key because its time has come, and tells. */
  expire(ref: number): void {
    const keyspace = this.keyspace;
    const key = keyspace.keyArgs;
    const told = keyspace.attention !== 0;
    if (told) {
      const off = this.dict.keyOffset(ref);
      const bytes = this.dict.keyBuffer(ref).slice(off, off + this.dict.keyLength(ref));
      key.point(bytes, 0, bytes.length);
    }
    this.remove(ref);
    keyspace.expiredKeys++;
    if (told) {
      keyspace.observer.expired(this, key);
      keyspace.observer.changed(this, key, 0, EXPIRED);
    }
  }

  /** Where expired keys are only hidden (a writable replica), one must be gone before a write makes a new key of its name. */
  #expireHidden(a: Args, i: number): void {
    const ref = this.dict.lookup(a.buf, a.off[i], a.len[i]);
    if (ref !== 0) this.expire(ref);
  }

  /** See `Keyspace.expireDue`. */
  expireDue(until: number): boolean {
    const { deadlines, keyspace } = this;
    for (let n = 1; deadlines.soonest < keyspace.now; n++) {
      const ref = deadlines.top;
      const time = this.expireAt(ref);
      if (time < keyspace.now) this.expire(ref);
      else deadlines.settle(time);
      if ((n & 15) === 0 && keyspace.clock.monotonic() >= until) return true;
    }
    return false;
  }

  // ---- The database as a whole ---------------------------------------------------------------------------------------------------

  /** SWAPDB. */
  swap(other: Database): void {
    const { dict, deadlines } = this;
    this.dict = other.dict;
    this.deadlines = other.deadlines;
    other.dict = dict;
    other.deadlines = deadlines;
  }

  /** Starts empty; the old content is freed in slices. */
  abandon(): void {
    const { keyspace, dict } = this;
    const remains = new Remains(dict, (ref) => {
      this.#freeValue(ref);
      dict.freeKey(ref);
      this.#slab.free(ref);
    });
    (keyspace.barrier === null ? keyspace.graveyard : keyspace.kept).push(remains);
    this.dict = new Dict(this.#slab, KEY_AT, this.keyspace.seed);
    this.deadlines = new Deadlines(this);
  }

  /** Starts empty; the slab is about to be dropped. */
  forget(): void {
    this.dict.reset();
    this.deadlines.clear();
  }

  /** A key chosen uniformly at random, 0 if there is none. */
  random(): number {
    for (let tries = 0; this.dict.count > 0; tries++) {
      const ref = this.dict.random(this.keyspace.random);
      if (this.expireAt(ref) === -1 || this.#ifAlive(ref) !== 0) return ref;
      // On a replica nothing is deleted here: where all keys have expired, one of them is returned, as Redis does.
      if (this.keyspace.expiry !== Expiry.DELETE && tries === 100) return ref;
    }
    return 0;
  }

  /** True for a key that has expired but is still in the table. */
  isExpired(ref: number): boolean {
    return (this.#meta(ref) & HAS_DEADLINE) !== 0 && this.keyspace.expiry !== Expiry.IGNORE &&
      this.expireAt(ref) < this.keyspace.now;
  }
}

/** Bytes of a key inside its record, from the record's word 2. */
function keySize(word: number): number {
  return word & OUTSIDE ? 4 : word;
}

/** The content of a database that was flushed while others were not. */
class Remains implements Collection {
  #bucket: number;
  constructor(readonly dict: Dict, readonly free: (ref: number) => void) {
    this.#bucket = dict.buckets;
  }
  get count(): number {
    return this.dict.count;
  }
  release(budget: number): boolean {
    while (budget > 0) {
      if (this.#bucket === 0) return true;
      for (let ref = this.dict.first(--this.#bucket), next = 0; ref !== 0; ref = next, budget--) {
        next = this.dict.next(ref);
        this.free(ref);
      }
    }
    return false;
  }
  memory(): number {
    return this.dict.overhead;
  }
}
