/**
 * ListNode: a node of a quicklist, in slab memory as all data: a header of 32 bytes, and the bytes in a block (or, where they are longer
 * than a block can be, in an array) of their own, with as much room as the node needs at the time.
 *
 *   word 0  previous node        word 4  length of the listpack, or of the element of a plain node
 *   word 1  next node            word 5  elements
 *   word 2  block or handle      word 6  bytes of the compressed form, 0 while it is not compressed
 *   word 3  offset               word 7  flags (plain, array, shared), and the epoch from bit 3 on
 *
 *   block   [ room | listpack | room ]
 *
 * There is room on both sides, most of it where the last insertion was: pushing and popping at either end of the list write the element
 * and the few bytes of header or end mark, and move nothing else.
 *
 * A snapshot that writes a list bit by bit tells the nodes that it has to write as they were from the others by their epoch, which is the
 * slab's when they are made. What it has noted of a node is shared: the bytes are copied before they are changed, and node and bytes are
 * freed when the snapshot has ended (`Slab.keep`).
 *
 * An object of this class is a window on one node after the other (`bind`). It caches nothing that can change, so several may look
 * at the same node.
 */

import { copyBytes } from "../../bytes/span.ts";
import { HANDLE_OVERHEAD, IN_PAGE, MAX_BLOCK, PAGE_BITS, Slab } from "../slab.ts";
import type { Blob } from "./blob.ts";

const HEADER_BYTES = 32;
const PREVIOUS = 0;
const NEXT = 1;
const STORE = 2;
const OFF = 3;
const LEN = 4;
const COUNT = 5;
const PACKED = 6;
const FLAGS = 7;

const PLAIN = 1;
/** The bytes are in an array; word 2 is its handle. */
const ARRAY = 2;
/** A snapshot will read bytes and header, or would have but has ended. */
const SHARED = 4;
/** Where the epoch begins in the flags' word. */
const EPOCH = 3;
/** What a node keeps when it gets other bytes. */
const OWN_FLAGS = PLAIN | (-1 << EPOCH);

/** What nodes are usually limited to: they do not grow beyond it before they must. */
export const USUAL_BYTES = 8192;
/** Nodes below this grow by half, others by an eighth. */
const SHORT = 1024;
/** Up to this many bytes a loop beats the native copy. */
const COPY_BY_LOOP = 48;

const NO_WORDS = new Int32Array(8);
let scratch = new Uint8Array(USUAL_BYTES);

/** Bytes for a moment: where a node is moved within its block, and where compressed bytes are made. */
export function scratchFor(length: number): Uint8Array {
  if (scratch.length < length || scratch.length > 16 * USUAL_BYTES) {
    scratch = new Uint8Array(Math.max(length, USUAL_BYTES));
  }
  return scratch;
}

/** Room for `length` bytes and for some more. */
function grownCapacity(length: number): number {
  const capacity = length + (length < SHORT ? length >>> 1 : length >>> 3);
  return length <= USUAL_BYTES ? Math.min(capacity, USUAL_BYTES) : capacity;
}

export class ListNode implements Blob {
  /** 0 before the first `bind`. */
  ref = 0;
  #slab: Slab | null = null;
  #words: Int32Array = NO_WORDS;
  #word = 0;

  /** Looks at that node; returns itself. */
  bind(slab: Slab, ref: number): this {
    this.ref = ref;
    this.#slab = slab;
    this.#words = slab.words[ref >>> PAGE_BITS];
    this.#word = (ref & IN_PAGE) << 1;
    return this;
  }

  /** Makes a new node with room for that many bytes, of which `room` come before the first, and looks at it. It is in no list yet. */
  create(slab: Slab, capacity: number, room = 0): this {
    this.bind(slab, slab.allocate(HEADER_BYTES));
    this.#words.fill(0, this.#word, this.#word + 8);
    this.epoch = slab.epoch;
    this.#setStore(capacity);
    this.#words[this.#word + OFF] += room;
    return this;
  }

  /** Makes a new node of exactly those bytes. */
  createFrom(slab: Slab, buf: Uint8Array, off: number, len: number): this {
    this.create(slab, len);
    copyBytes(buf, off, len, this.buf, this.off);
    this.#words[this.#word + LEN] = len;
    return this;
  }

  /** Makes a copy of another node, in no list. */
  createCopy(slab: Slab, node: ListNode): this {
    const { buf, off, len, packedLength } = node;
    this.createFrom(slab, buf, off, packedLength || len);
    const words = this.#words;
    const word = this.#word;
    words[word + LEN] = len;
    words[word + PACKED] = packedLength;
    words[word + COUNT] = node.count;
    if (node.isPlain) words[word + FLAGS] |= PLAIN;
    return this;
  }

  /** Frees the node. */
  free(): void {
    const isShared = (this.#words[this.#word + FLAGS] & SHARED) !== 0;
    this.#freeStore();
    if (isShared) this.#slab!.freeShared(this.ref);
    else this.#slab!.free(this.ref);
  }

  /** The slab's epoch when the node was made, or a later one. */
  get epoch(): number {
    return this.#words[this.#word + FLAGS] >>> EPOCH;
  }

  set epoch(epoch: number) {
    const flags = this.#words[this.#word + FLAGS];
    this.#words[this.#word + FLAGS] = (flags & ~(-1 << EPOCH)) | (epoch << EPOCH);
  }

  get previous(): number {
    return this.#words[this.#word + PREVIOUS];
  }

  set previous(ref: number) {
    this.#words[this.#word + PREVIOUS] = ref;
  }

  get next(): number {
    return this.#words[this.#word + NEXT];
  }

  set next(ref: number) {
    this.#words[this.#word + NEXT] = ref;
  }

  /** The listpack, or the element of a plain node, is `buf[off, off + len)`; while compressed, `buf[off, off + packedLength)` is that form. */
  get buf(): Uint8Array {
    const words = this.#words;
    const word = this.#word;
    const store = words[word + STORE];
    return words[word + FLAGS] & ARRAY ? this.#slab!.large[store] : this.#slab!.bytes[store >>> PAGE_BITS];
  }

  get off(): number {
    return this.#words[this.#word + OFF];
  }

  get len(): number {
    return this.#words[this.#word + LEN];
  }

  /** Elements. */
  get count(): number {
    return this.#words[this.#word + COUNT];
  }

  set count(count: number) {
    this.#words[this.#word + COUNT] = count;
  }

  /** The bytes are about to be in a snapshot and must stay as they are; if the node is freed, so must the header. */
  setShared(): void {
    this.#words[this.#word + FLAGS] |= SHARED;
  }

  get isShared(): boolean {
    return (this.#words[this.#word + FLAGS] & SHARED) !== 0 && this.#slab!.isRead;
  }

  /** To be called before the bytes are changed where they are: what is shared is copied. */
  own(): void {
    if ((this.#words[this.#word + FLAGS] & SHARED) === 0) return;
    if (this.#slab!.isRead) this.#move(this.capacity, this.off - this.#begin);
    this.#words[this.#word + FLAGS] &= ~SHARED;
  }

  get isPlain(): boolean {
    return (this.#words[this.#word + FLAGS] & PLAIN) !== 0;
  }

  /** Makes it a plain node: one element without a listpack around it. */
  setPlain(): void {
    this.#words[this.#word + FLAGS] |= PLAIN;
    this.count = 1;
  }

  get isPacked(): boolean {
    return this.#words[this.#word + PACKED] !== 0;
  }

  /** Bytes of the compressed form, 0 while it is not compressed. */
  get packedLength(): number {
    return this.#words[this.#word + PACKED];
  }

  /** Bytes that the node could hold. */
  get capacity(): number {
    const words = this.#words;
    const store = words[this.#word + STORE];
    return words[this.#word + FLAGS] & ARRAY ? this.#slab!.large[store].length : this.#slab!.capacity(store);
  }

  /** Bytes of memory of header and content. */
  get memory(): number {
    return HEADER_BYTES + this.capacity + (this.#words[this.#word + FLAGS] & ARRAY ? HANDLE_OVERHEAD : 0);
  }

  splice(at: number, remove: number, insert: number): void {
    const words = this.#words;
    const word = this.#word;
    const { buf } = this;
    const begin = this.#begin;
    const end = begin + this.capacity;
    const off = words[word + OFF];
    const len = words[word + LEN];
    const change = insert - remove;
    const tail = len - at - remove;
    if (off - begin >= change && (at <= tail || off + len + change > end)) {
      move(buf, off, off - change, at);
      words[word + OFF] = off - change;
    } else if (off + len + change <= end) move(buf, off + at + remove, off + at + insert, tail);
    else this.#relocate(at, remove, insert, tail);
    words[word + LEN] = len + change;
  }

  /** Gives up room: the block is exactly as long as its content then. */
  trim(): void {
    const { len } = this;
    if (!this.isPacked && (len > MAX_BLOCK ? len : Slab.rounded(len)) < this.capacity) this.#move(len, 0);
  }

  /** Moves the bytes to a block of that capacity, `room` bytes from its beginning. */
  #move(capacity: number, room: number): void {
    const { buf, off, len } = this;
    const words = this.#words;
    const word = this.#word;
    const store = words[word + STORE];
    const flags = words[word + FLAGS];
    this.#setStore(capacity);
    words[word + OFF] += room;
    copyBytes(buf, off, len, this.buf, words[word + OFF]);
    freeBytes(this.#slab!, store, flags);
  }

  /** Puts other bytes in the place of those that are there. */
  replaceBytes(buf: Uint8Array, off: number, len: number): void {
    this.#freeStore();
    this.#setStore(len);
    copyBytes(buf, off, len, this.buf, this.off);
    this.#words[this.#word + LEN] = len;
  }

  // ---- Compression: what the bytes mean is the list's business ----------------------------------------------------------------------

  /** Takes the bytes away from the node, which must get others at once. */
  takeStore(): Store {
    const words = this.#words;
    const word = this.#word;
    return {
      store: words[word + STORE],
      flags: words[word + FLAGS] & (ARRAY | SHARED),
      packedLength: words[word + PACKED],
    };
  }

  /** Gives the node bytes that were taken from it; its own are freed. */
  putStore({ store, flags, packedLength }: Store): void {
    this.#freeStore();
    const words = this.#words;
    const word = this.#word;
    words[word + STORE] = store;
    words[word + FLAGS] = (words[word + FLAGS] & OWN_FLAGS) | flags;
    words[word + PACKED] = packedLength;
    words[word + OFF] = this.#begin;
  }

  /** After `takeStore` of a compressed form: makes room for `len` bytes, which are to be written. */
  beginUnpacked(): void {
    this.#words[this.#word + PACKED] = 0;
    this.#setStore(this.len);
  }

  /** Replaces the bytes by a compressed form. */
  pack(bytes: Uint8Array, length: number): void {
    this.#freeStore();
    this.#setStore(length);
    copyBytes(bytes, 0, length, this.buf, this.off);
    this.#words[this.#word + PACKED] = length;
  }

  // ---- Bytes -----------------------------------------------------------------------------------------------------------------------

  /** Where the block begins in `buf`. */
  get #begin(): number {
    const words = this.#words;
    const word = this.#word;
    return words[word + FLAGS] & ARRAY ? 0 : (words[word + STORE] & IN_PAGE) << 3;
  }

  #setStore(capacity: number): void {
    const words = this.#words;
    const word = this.#word;
    const slab = this.#slab!;
    const flags = words[word + FLAGS] & OWN_FLAGS;
    if (capacity > MAX_BLOCK) {
      words[word + STORE] = slab.newLarge(new Uint8Array(capacity));
      words[word + FLAGS] = flags | ARRAY;
    } else {
      words[word + STORE] = slab.allocate(capacity);
      words[word + FLAGS] = flags;
    }
    words[word + OFF] = this.#begin;
  }

  #freeStore(): void {
    freeBytes(this.#slab!, this.#words[this.#word + STORE], this.#words[this.#word + FLAGS]);
  }

  /** Makes room by moving everything, in this block or to a larger one. Most of the room comes where it is needed now. */
  #relocate(at: number, remove: number, insert: number, tail: number): void {
    const { buf, off, len, capacity } = this;
    const length = at + insert + tail;
    // To make a little room again and again would cost more than to make much.
    if (length <= capacity && (capacity >= USUAL_BYTES || capacity - length > length >>> 4)) {
      const copy = scratchFor(len);
      copyBytes(buf, off, len, copy, 0);
      this.#place(copy, 0, at, remove, insert, tail);
      return;
    }
    const store = this.#words[this.#word + STORE];
    const flags = this.#words[this.#word + FLAGS];
    this.#setStore(grownCapacity(length));
    this.#place(buf, off, at, remove, insert, tail);
    freeBytes(this.#slab!, store, flags);
  }

  #place(from: Uint8Array, off: number, at: number, remove: number, insert: number, tail: number): void {
    const room = this.capacity - at - insert - tail;
    const begin = this.#begin;
    const start = begin + (at < tail ? room - (room >>> 3) : room >>> 3);
    const to = this.buf;
    copyBytes(from, off, at, to, start);
    copyBytes(from, off + at + remove, tail, to, start + at + insert);
    this.#words[this.#word + OFF] = start;
  }
}

/** Bytes that were a node's. */
export interface Store {
  readonly store: number;
  readonly flags: number;
  readonly packedLength: number;
}

export function freeStore(slab: Slab, { store, flags }: Store): void {
  freeBytes(slab, store, flags);
}

function freeBytes(slab: Slab, store: number, flags: number): void {
  if (flags & SHARED) {
    if (flags & ARRAY) slab.freeSharedLarge(store);
    else slab.freeShared(store);
  } else if (flags & ARRAY) slab.freeLarge(store);
  else slab.free(store);
}

/** The node after that one, 0 at the end. */
export function nextNode(slab: Slab, ref: number): number {
  return slab.words[ref >>> PAGE_BITS][((ref & IN_PAGE) << 1) + NEXT];
}

/** The node before that one, 0 at the beginning. */
export function previousNode(slab: Slab, ref: number): number {
  return slab.words[ref >>> PAGE_BITS][((ref & IN_PAGE) << 1) + PREVIOUS];
}

/** Elements of a node. */
export function countOf(slab: Slab, ref: number): number {
  return slab.words[ref >>> PAGE_BITS][((ref & IN_PAGE) << 1) + COUNT];
}

/** Elements that `skipForwards` or `skipBackwards` did not pass over. */
export let left = 0;

/** The node, from `ref` on, with the element that has `elements` others before it. `left` of them are in that node. */
export function skipForwards(slab: Slab, ref: number, elements: number): number {
  // Nodes of a list are mostly in the same page, and this loop is all that LINDEX does.
  let page = ref >>> PAGE_BITS;
  let words = slab.words[page];
  for (;;) {
    const word = (ref & IN_PAGE) << 1;
    const count = words[word + COUNT];
    if (elements < count) break;
    elements -= count;
    ref = words[word + NEXT];
    if (ref >>> PAGE_BITS !== page) {
      page = ref >>> PAGE_BITS;
      words = slab.words[page];
    }
  }
  left = elements;
  return ref;
}

/** The same backwards: the node in which the last `elements` elements up to the end of `ref` begin; `left` of them are in that node. */
export function skipBackwards(slab: Slab, ref: number, elements: number): number {
  // Nodes of a list are mostly in the same page, and this loop is all that LINDEX does.
  let page = ref >>> PAGE_BITS;
  let words = slab.words[page];
  for (;;) {
    const word = (ref & IN_PAGE) << 1;
    const count = words[word + COUNT];
    if (elements <= count) break;
    elements -= count;
    ref = words[word + PREVIOUS];
    if (ref >>> PAGE_BITS !== page) {
      page = ref >>> PAGE_BITS;
      words = slab.words[page];
    }
  }
  left = elements;
  return ref;
}

function move(buf: Uint8Array, from: number, to: number, length: number): void {
  if (from === to || length === 0) return;
  if (length > COPY_BY_LOOP) buf.copyWithin(to, from, from + length);
  else if (to < from) { for (let i = 0; i < length; i++) buf[to + i] = buf[from + i]; }
  else for (let i = length - 1; i >= 0; i--) buf[to + i] = buf[from + i];
}
