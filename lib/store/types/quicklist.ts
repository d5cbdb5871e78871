/**
 * Quicklist: a large list, as a chain of nodes. A node is a listpack of some kilobytes in an array of its own, so a list costs a few
 * JavaScript objects for every 8 KB and none for an element.
 *
 *   node   bytes   [ room | listpack | room ]    `buf[off, off + len)`
 *
 * A node has room on both sides: pushing and popping at either end of the list write the element and the few bytes of header or
 * end mark, and move nothing else. Arrays of the usual size are used again when a node is gone, so a queue in use allocates nothing.
 *
 * How large nodes get, when they split and merge follows Redis (quicklist.c of 7.0), because DUMP payloads show it: the fill
 * (list-max-listpack-size) is a class of bytes when negative and a number of elements when not. An element above the packed
 * threshold is a plain node: its bytes without a listpack around them. With a compression depth, nodes that are at least so many
 * nodes away from both ends are compressed (LZF). Reading such a node unpacks it; the compressed bytes are kept meanwhile, and put
 * back when another one is needed, if it has not been changed.
 */

import { compress, decompress } from "../../bytes/lzf.ts";
import type { CopyableCollection } from "../record.ts";
import type { Slab } from "../slab.ts";
import type { Blob } from "./blob.ts";
import * as listpack from "./listpack.ts";

/** Bytes of a node by negative fill: -1 … -5. */
const CLASS_BYTES = [4096, 8192, 16384, 32768, 65536] as const;
/** Most bytes of a node with a positive fill. */
const SAFE_BYTES = 8192;
/** What an element may take beside its own bytes, generously. */
const ELEMENT_OVERHEAD = 8;
const MAX_FILL = 32767;
/** Smaller nodes are not compressed, and compression must win more than a little. */
const MIN_COMPRESSED = 48;
const MIN_WON = 8;
/** Redis's largest listpack. */
export const PACKED_THRESHOLD = 2 ** 30;

/** Header of a listpack: where the first element begins. */
const FIRST = 6;
/** Capacity of the arrays that are kept for the next node. */
const USUAL = 8192;
const MOST_SPARE = 64;
const MIN_CAPACITY = 64;
/** Nodes below this double when they grow. */
const SHORT = 1024;
/** Up to this many bytes a loop beats the native copy. */
const COPY_BY_LOOP = 48;
/** What the objects of a node and of a list cost, roughly. */
const NODE_OVERHEAD = 160;
const LIST_OVERHEAD = 128;

const NO_BYTES = new Uint8Array(0);
const spares: Uint8Array[] = [];
/** Where a node is moved within its array, and where compressed bytes are made. */
let scratch = new Uint8Array(USUAL);

function scratchFor(length: number): Uint8Array {
  if (scratch.length < length || scratch.length > 16 * USUAL) scratch = new Uint8Array(Math.max(length, USUAL));
  return scratch;
}

/** Room for `length` bytes and for some more: a short list doubles, one of some kilobytes must not keep as much again. */
function grownCapacity(length: number): number {
  if (length > USUAL) return length + (length >>> 2);
  const capacity = length < SHORT ? Math.max(length * 2, MIN_CAPACITY) : length + (length >>> 2);
  return Math.min(capacity, USUAL);
}

function takeBytes(capacity: number): Uint8Array {
  return capacity === USUAL ? spares.pop() ?? new Uint8Array(USUAL) : new Uint8Array(capacity);
}

function giveBytes(bytes: Uint8Array): void {
  if (bytes.length === USUAL && spares.length < MOST_SPARE) spares.push(bytes);
}

export class ListNode implements Blob {
  /** The listpack, or the element of a plain node, is `buf[off, off + len)`; while `packed`, `buf` is its compressed form. */
  buf: Uint8Array;
  off = 0;
  len = 0;
  /** Elements. */
  count = 0;
  previous: ListNode | null = null;
  next: ListNode | null = null;
  isPlain = false;
  isPacked = false;
  /** The compressed form of a node that is unpacked only to be read. */
  packed: Uint8Array | null = null;
  /** Bytes that the list has accounted for this node. */
  accounted = 0;
  /** `buf` is in a snapshot as well, and must stay as it is (see `Quicklist.share`). */
  isShared = false;

  constructor(buf: Uint8Array) {
    this.buf = buf;
  }

  /** To be called before the bytes are changed: what is shared is copied. */
  own(): void {
    if (!this.isShared) return;
    const bytes = takeBytes(this.buf.length);
    bytes.set(this.buf.subarray(this.off, this.off + this.len), this.off);
    this.replaceBytes(bytes);
  }

  /** Gives the node another array, and the old one back if nobody else has it. */
  replaceBytes(bytes: Uint8Array): void {
    if (!this.isShared) giveBytes(this.buf);
    this.buf = bytes;
    this.isShared = false;
  }

  /** A node with the same content that is not compressed: itself, or a copy in no list. */
  unpacked(): ListNode {
    if (!this.isPacked) return this;
    const node = new ListNode(new Uint8Array(this.len));
    decompressNode(this, node.buf);
    node.len = this.len;
    node.count = this.count;
    node.isPlain = this.isPlain;
    return node;
  }

  /** Makes the only element an empty one, in an array of its own. */
  startOver(): void {
    this.replaceBytes(NO_BYTES);
    this.off = this.len = 0;
    listpack.create(this);
    listpack.append(this, NO_BYTES, 0, 0);
  }

  splice(at: number, remove: number, insert: number): void {
    const { buf, off, len } = this;
    const change = insert - remove;
    const tail = len - at - remove;
    if (off >= change && (at <= tail || off + len + change > buf.length)) {
      move(buf, off, off - change, at);
      this.off = off - change;
    } else if (off + len + change <= buf.length) move(buf, off + at + remove, off + at + insert, tail);
    else this.#relocate(at, remove, insert, tail);
    this.len = len + change;
  }

  /** Makes room by moving everything, in this array or to a larger one. Most of the room comes where it is needed now. */
  #relocate(at: number, remove: number, insert: number, tail: number): void {
    const length = at + insert + tail;
    let { buf } = this;
    const { off } = this;
    if (length <= buf.length) {
      const copy = scratchFor(this.len);
      copy.set(buf.subarray(off, off + this.len));
      this.#place(copy, 0, buf, at, remove, insert, tail);
      return;
    }
    buf = takeBytes(grownCapacity(length));
    this.#place(this.buf, off, buf, at, remove, insert, tail);
    this.replaceBytes(buf);
  }

  #place(
    from: Uint8Array,
    off: number,
    to: Uint8Array,
    at: number,
    remove: number,
    insert: number,
    tail: number,
  ): void {
    const room = to.length - at - insert - tail;
    const start = at < tail ? room - (room >>> 3) : room >>> 3;
    to.set(from.subarray(off, off + at), start);
    to.set(from.subarray(off + at + remove, off + at + remove + tail), start + at + insert);
    this.off = start;
  }
}

function decompressNode(node: ListNode, into: Uint8Array): void {
  if (decompress(node.buf, 0, node.buf.length, into, 0, node.len) === node.len) return;
  throw new Error("a compressed node of a list is damaged");
}

function move(buf: Uint8Array, from: number, to: number, length: number): void {
  if (from === to || length === 0) return;
  if (length > COPY_BY_LOOP) buf.copyWithin(to, from, from + length);
  else if (to < from) { for (let i = 0; i < length; i++) buf[to + i] = buf[from + i]; }
  else for (let i = length - 1; i >= 0; i--) buf[to + i] = buf[from + i];
}

/** Whether one more element of `length` bytes may join `count` elements in a listpack of `bytes`. */
export function allowsInsert(bytes: number, count: number, length: number, fill: number): boolean {
  const grown = bytes + length + ELEMENT_OVERHEAD;
  return fits(grown, count + 1, fill);
}

function fits(bytes: number, count: number, fill: number): boolean {
  if (fill < 0) return bytes <= CLASS_BYTES[Math.min(-fill, CLASS_BYTES.length) - 1];
  return bytes <= SAFE_BYTES && count <= Math.min(fill, MAX_FILL);
}

export class Quicklist implements CopyableCollection {
  head: ListNode | null = null;
  tail: ListNode | null = null;
  /** Number of nodes. */
  nodes = 0;
  count = 0;
  /** Elements from this length on become plain nodes. */
  packedThreshold = PACKED_THRESHOLD;
  /** Elements of the node that `nodeAt` found before the wanted one. */
  skipped = 0;
  readonly depth: number;
  #bytes = LIST_OVERHEAD;
  /** The node that is unpacked to be read or changed, and must be packed again. */
  #borrowed: ListNode | null = null;

  constructor(readonly slab: Slab, readonly fill: number, depth: number) {
    this.depth = Math.min(Math.max(depth, 0), 0xffff);
    slab.account(LIST_OVERHEAD);
  }

  memory(): number {
    return this.#bytes;
  }

  copy(): Quicklist {
    const copy = new Quicklist(this.slab, this.fill, this.depth);
    for (let node = this.head; node !== null; node = node.next) {
      const bytes = node.isPacked ? node.buf.slice() : node.buf.slice(node.off, node.off + node.len);
      const twin = new ListNode(bytes);
      twin.len = node.len;
      twin.count = node.count;
      twin.isPlain = node.isPlain;
      twin.isPacked = node.isPacked;
      copy.#link(twin, copy.tail, true);
      copy.count += twin.count;
    }
    return copy;
  }

  /**
   * The nodes as they are now, for a snapshot that writes them bit by bit: twins that share the bytes. A node that is changed later
   * copies its bytes first.
   */
  share(): ListNode[] {
    const twins = [];
    for (let node = this.head; node !== null; node = node.next) {
      node.isShared = true;
      const twin = new ListNode(node.buf);
      twin.off = node.off;
      twin.len = node.len;
      twin.count = node.count;
      twin.isPlain = node.isPlain;
      twin.isPacked = node.isPacked;
      twins.push(twin);
    }
    return twins;
  }

  release(budget: number): boolean {
    for (let left = budget; this.head !== null; left -= 16) {
      if (left <= 0) return false;
      const node = this.head;
      this.count -= node.count;
      this.head = node.next;
      if (node.next !== null) node.next.previous = null;
      this.#forget(node);
    }
    this.tail = null;
    this.slab.account(-LIST_OVERHEAD);
    this.#bytes -= LIST_OVERHEAD;
    return true;
  }

  // ---- Ends --------------------------------------------------------------------------------------------------------------------

  push(atHead: boolean, buf: Uint8Array, off: number, len: number): void {
    const end = atHead ? this.head : this.tail;
    if (end !== null && this.#allows(end, len)) {
      end.own();
      if (atHead) listpack.prepend(end, buf, off, len);
      else listpack.append(end, buf, off, len);
      end.count++;
      if (end.buf.length + NODE_OVERHEAD !== end.accounted) this.#account(end);
    } else this.#link(this.#newNode(buf, off, len), end, !atHead);
    this.count++;
  }

  /** Removes the first or the last element. The list must not be empty. */
  pop(atHead: boolean): void {
    const node = atHead ? this.head! : this.tail!;
    this.removeAt(node, node.isPlain ? 0 : atHead ? FIRST : listpack.last(node));
  }

  // ---- Anywhere ----------------------------------------------------------------------------------------------------------------

  /** The node with the element of that index (0 … count - 1), from whichever end is nearer; `skipped` tells its place in the node. */
  nodeAt(index: number): ListNode {
    let node: ListNode;
    if (index < this.count / 2) {
      for (node = this.head!; index >= node.count; node = node.next!) index -= node.count;
    } else {
      let after = this.count - index;
      for (node = this.tail!; after > node.count; node = node.previous!) after -= node.count;
      index = node.count - after;
    }
    this.skipped = index;
    return node;
  }

  /** Unpacks a node for reading. At most one node is unpacked in this way at any time. */
  open(node: ListNode): void {
    if (!node.isPacked) return;
    this.#giveBack();
    node.packed = node.buf;
    this.#unpack(node);
    this.#borrowed = node;
  }

  /** Removes the element at `at` of a node that is open; returns what `listpack.remove` does, -1 too when the node is gone. */
  removeAt(node: ListNode, at: number): number {
    this.count--;
    if (--node.count === 0) {
      this.#unlink(node);
      return -1;
    }
    this.#change(node);
    const following = listpack.remove(node, at);
    if (node.len < node.buf.length >>> 2 && node !== this.head && node !== this.tail) this.#trim(node);
    return following;
  }

  /** Replaces the element at `at` of a node that is open. */
  replaceAt(node: ListNode, at: number, buf: Uint8Array, off: number, len: number): void {
    const isLarge = len >= this.packedThreshold;
    if (!node.isPlain && !isLarge) {
      // The only element may be a very long one, which is not worth a copy.
      if (node.isShared && node.count === 1) node.startOver();
      this.#change(node);
      listpack.replace(node, at, buf, off, len);
      this.#account(node);
      return;
    }
    if (node.isPlain && isLarge) {
      this.#touch(node);
      node.replaceBytes(buf.slice(off, off + len));
      node.off = 0;
      node.len = len;
      this.#account(node);
      return;
    }
    this.insertAt(node, at, true, buf, off, len);
    this.open(node);
    // What followed the old element has gone to another node, if the new one is plain.
    this.removeAt(node, at);
  }

  /** Inserts before or after the element at `at` of a node that is open. */
  insertAt(node: ListNode, at: number, after: boolean, buf: Uint8Array, off: number, len: number): void {
    const neighbour = after ? node.next : node.previous;
    const isEdge = node.isPlain || (after ? listpack.next(node, at) === -1 : at === FIRST);
    this.count++;
    if (len >= this.packedThreshold) {
      const plain = this.#newNode(buf, off, len);
      if (isEdge) return this.#link(plain, node, after);
      const rest = this.#split(node, at, after);
      this.#link(plain, node, after);
      this.#link(rest, plain, after);
    } else if (this.#allows(node, len)) {
      this.#change(node);
      if (after) listpack.insertAfter(node, at, buf, off, len);
      else listpack.insert(node, at, buf, off, len);
      node.count++;
      this.#account(node);
    } else if (isEdge && neighbour !== null && this.#allows(neighbour, len)) {
      this.open(neighbour);
      this.#change(neighbour);
      if (after) listpack.prepend(neighbour, buf, off, len);
      else listpack.append(neighbour, buf, off, len);
      neighbour.count++;
      this.#account(neighbour);
    } else if (isEdge) this.#link(this.#newNode(buf, off, len), node, after);
    else {
      const rest = this.#split(node, at, after);
      if (after) listpack.prepend(rest, buf, off, len);
      else listpack.append(rest, buf, off, len);
      rest.count++;
      this.#link(rest, node, after);
      this.#mergeAround(node);
    }
  }

  /** Removes `elements` elements from that index on; there must be so many. */
  removeRange(index: number, elements: number): void {
    if (elements <= 0) return;
    let node: ListNode | null = this.nodeAt(index);
    let from = this.skipped;
    while (elements > 0 && node !== null) {
      const { next } = node as ListNode;
      const removed = Math.min(elements, node.count - from);
      if (removed === node.count) {
        this.count -= removed;
        this.#unlink(node);
      } else {
        this.open(node);
        this.#change(node);
        listpack.removeRange(node, from, removed);
        node.count -= removed;
        this.count -= removed;
        if (node.len < node.buf.length >>> 2 && node !== this.head && node !== this.tail) this.#trim(node);
      }
      elements -= removed;
      from = 0;
      node = next;
    }
    this.#giveBack();
  }

  // ---- Nodes as a whole --------------------------------------------------------------------------------------------------------

  /** Appends a node that is a copy of this listpack, which must be sound and not empty. */
  appendListpack(buf: Uint8Array, off: number, len: number): void {
    const node = new ListNode(buf.slice(off, off + len));
    node.len = len;
    node.count = listpack.count(node);
    this.count += node.count;
    this.#link(node, this.tail, true);
  }

  /** Appends an element as a plain node. */
  appendPlain(buf: Uint8Array, off: number, len: number): void {
    const node = new ListNode(buf.slice(off, off + len));
    node.len = len;
    node.count = 1;
    node.isPlain = true;
    this.count++;
    this.#link(node, this.tail, true);
  }

  #allows(node: ListNode, length: number): boolean {
    return !node.isPlain && length < this.packedThreshold && allowsInsert(node.len, node.count, length, this.fill);
  }

  /** A node with one element, in no list yet. */
  #newNode(buf: Uint8Array, off: number, len: number): ListNode {
    if (len >= this.packedThreshold) {
      const plain = new ListNode(buf.slice(off, off + len));
      plain.len = len;
      plain.count = 1;
      plain.isPlain = true;
      return plain;
    }
    const wanted = this.fill < 0 ? CLASS_BYTES[Math.min(-this.fill, CLASS_BYTES.length) - 1] : 0;
    const node = new ListNode(len > USUAL / 2 || wanted === 0 ? NO_BYTES : takeBytes(Math.min(wanted, USUAL)));
    // In the middle: whichever end of the list this is, most of the room is moved to one side when that is clear.
    node.off = node.buf.length >>> 1;
    if (node.off > 0) node.off -= listpack.EMPTY_BYTES;
    listpack.create(node);
    listpack.append(node, buf, off, len);
    node.count = 1;
    return node;
  }

  /** Puts a node after or before another one, which is null only in an empty list. */
  #link(node: ListNode, beside: ListNode | null, after: boolean): void {
    if (beside === null) this.head = this.tail = node;
    else if (after) {
      node.previous = beside;
      node.next = beside.next;
      if (beside.next !== null) beside.next.previous = node;
      else this.tail = node;
      beside.next = node;
    } else {
      node.next = beside;
      node.previous = beside.previous;
      if (beside.previous !== null) beside.previous.next = node;
      else this.head = node;
      beside.previous = node;
    }
    this.nodes++;
    this.#account(node);
    if (beside !== null) {
      if (beside.len < beside.buf.length - (beside.buf.length >>> 2) && !beside.isPacked) this.#trim(beside);
      this.#settle(beside);
    }
    this.#settle(node);
  }

  #unlink(node: ListNode): void {
    if (node.previous !== null) node.previous.next = node.next;
    else this.head = node.next;
    if (node.next !== null) node.next.previous = node.previous;
    else this.tail = node.previous;
    if (this.#borrowed === node) this.#borrowed = null;
    this.#forget(node);
    this.#settle(null);
  }

  #forget(node: ListNode): void {
    this.nodes--;
    this.slab.account(-node.accounted);
    this.#bytes -= node.accounted;
    if (node.isPacked) node.isShared = true;
    node.replaceBytes(NO_BYTES);
    node.packed = null;
  }

  /** Cuts a node behind (`after`) or before the element at `at`; returns the part that was cut off, in no list yet. */
  #split(node: ListNode, at: number, after: boolean): ListNode {
    this.#change(node);
    const cut = after ? at + listpack.sizeAt(node, at) : at;
    const from = after ? cut : FIRST;
    const length = after ? node.len - 1 - cut : cut - FIRST;
    const rest = new ListNode(takeBytes(node.buf.length));
    rest.off = (rest.buf.length - length - listpack.EMPTY_BYTES) >>> 1;
    listpack.create(rest);
    let moved = 0;
    for (let p = from; p !== -1 && p < from + length; p = listpack.next(node, p)) moved++;
    listpack.appendPart(rest, node, from, length, moved);
    rest.count = moved;
    listpack.removeFrom(node, from, moved);
    node.count -= moved;
    return rest;
  }

  /** After a split: joins neighbours that fit into one node, as Redis does and in its order. */
  #mergeAround(center: ListNode): void {
    const { previous, next } = center;
    if (previous !== null) this.#merge(previous.previous, previous);
    if (next !== null) this.#merge(next, next.next);
    const joined = this.#merge(center.previous, center) ?? center;
    this.#merge(joined, joined.next);
  }

  /** Joins two neighbours if that is allowed; returns the node that has all, null when they stay two. */
  #merge(left: ListNode | null, right: ListNode | null): ListNode | null {
    if (left === null || right === null || left.isPlain || right.isPlain) return null;
    if (!fits(left.len + right.len - 11, left.count + right.count, this.fill)) return null;
    this.#unpackFully(left);
    this.#unpackFully(right);
    left.own();
    listpack.appendAll(left, right);
    left.count += right.count;
    this.#account(left);
    this.#unlink(right);
    this.#settle(left);
    return left;
  }

  #trim(node: ListNode): void {
    node.replaceBytes(node.buf.slice(node.off, node.off + node.len));
    node.off = 0;
    this.#account(node);
  }

  /** Tells the slab when the memory of a node has changed. */
  #account(node: ListNode): void {
    const bytes = node.buf.length + NODE_OVERHEAD + (node.packed === null ? 0 : node.packed.length);
    this.slab.account(bytes - node.accounted);
    this.#bytes += bytes - node.accounted;
    node.accounted = bytes;
  }

  // ---- Compression -------------------------------------------------------------------------------------------------------------

  /** An open node is about to change: its compressed form is void. */
  #touch(node: ListNode): void {
    if (node.packed === null) return;
    node.packed = null;
    this.#account(node);
  }

  /** The same where the bytes that are there will be written to. */
  #change(node: ListNode): void {
    this.#touch(node);
    node.own();
  }

  #unpackFully(node: ListNode): void {
    if (node.isPacked) this.#unpack(node);
    this.#touch(node);
    if (this.#borrowed === node) this.#borrowed = null;
  }

  #unpack(node: ListNode): void {
    const bytes = takeBytes(node.len);
    decompressNode(node, bytes);
    // The compressed bytes are never changed, so whoever shares them may keep them.
    node.isShared = true;
    node.replaceBytes(bytes);
    node.off = 0;
    node.isPacked = false;
    this.#account(node);
  }

  /** Packs the borrowed node again. */
  #giveBack(): void {
    const node = this.#borrowed;
    if (node === null) return;
    this.#borrowed = null;
    this.#settle(node);
    if (!node.isPacked) this.#touch(node);
  }

  #pack(node: ListNode): void {
    if (node.isPacked || node === this.#borrowed) return;
    const { packed } = node;
    if (packed !== null) node.packed = null;
    let bytes = packed;
    if (bytes === null) {
      if (node.len < MIN_COMPRESSED) return;
      const into = scratchFor(node.len);
      const length = compress(node.buf, node.off, node.len, into, 0, node.len);
      if (length === 0 || length + MIN_WON >= node.len) return;
      bytes = into.slice(0, length);
    }
    node.replaceBytes(bytes);
    node.off = 0;
    node.isPacked = true;
    this.#account(node);
  }

  /** Restores the rule after a change beside `node`: the outer nodes are not compressed, those next to them and `node` are. */
  #settle(node: ListNode | null): void {
    const { depth } = this;
    if (depth === 0 || this.nodes < depth * 2) return;
    let left = this.head!;
    let right = this.tail!;
    let isOuter = false;
    for (let i = 0; i < depth; i++) {
      this.#unpackFully(left);
      this.#unpackFully(right);
      if (left === node || right === node) isOuter = true;
      if (left === right || left.next === right) return;
      left = left.next!;
      right = right.previous!;
    }
    if (node !== null && !isOuter) this.#pack(node);
    this.#pack(left);
    this.#pack(right);
  }
}
