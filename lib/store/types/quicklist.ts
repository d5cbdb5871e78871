/**
 * Quicklist: a large list, as a chain of nodes. A node is a listpack of some kilobytes; it and all that is known of it are in slab memory
 * (list_node.ts), so a list costs the garbage collector one object, however long it is.
 *
 * A node that grows has room to spare, one that has stopped growing has none: it is cut to its length when another node takes its place at
 * the end of the list.
 *
 * How large nodes get, when they split and merge follows Redis (quicklist.c of 7.0), because DUMP payloads show it: the fill
 * (list-max-listpack-size) is a class of bytes when negative and a number of elements when not. An element above the packed
 * threshold is a plain node: its bytes without a listpack around them. With a compression depth, nodes that are at least so many
 * nodes away from both ends are compressed (LZF). Reading such a node unpacks it; the compressed bytes are kept meanwhile, and put
 * back when another one is needed, if it has not been changed.
 *
 * An element is found by its index from landmarks (landmarks.ts), once so much has been walked from the ends that they are worth making.
 *
 * Nodes are named by refs. `ListNode` objects are windows on them; those at the end of this file serve all lists.
 */

import { compress, decompress } from "../../bytes/lzf.ts";
import type { CopyableCollection, Hold } from "../record.ts";
import type { Slab } from "../slab.ts";
import {
  countOf,
  freeStore,
  left,
  ListNode,
  nextNode,
  previousNode,
  scratchFor,
  skipBackwards,
  skipForwards,
  type Store,
  USUAL_BYTES,
} from "./list_node.ts";
import type { Bytes } from "./blob.ts";
import { Landmarks } from "./landmarks.ts";
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

/** A listpack of one empty string. */
const ONE_EMPTY = Uint8Array.of(9, 0, 0, 0, 1, 0, 0x80, 1, 0xff);
/** Header of a listpack: where the first element begins. */
const FIRST = 6;
/** A list of so many nodes can afford a new one with all the room it will need: growing by and by costs copies. */
const MANY_NODES = 32;
/** What the object of a list costs, roughly. */
const LIST_OVERHEAD = 128;
/** Nodes that are freed at the price of so many elements. */
const NODE_BUDGET = 8;
/** Shorter lists have no landmarks. */
const WALKED_NODES = 32;
/** Landmarks are made when so many times the list's length has been walked. */
const WALKS = 4;

/** Whether one more element of `length` bytes may join `count` elements in a listpack of `bytes`. */
export function allowsInsert(bytes: number, count: number, length: number, fill: number): boolean {
  const grown = bytes + length + ELEMENT_OVERHEAD;
  return fits(grown, count + 1, fill);
}

function fits(bytes: number, count: number, fill: number): boolean {
  if (fill < 0) return bytes <= CLASS_BYTES[Math.min(-fill, CLASS_BYTES.length) - 1];
  return bytes <= SAFE_BYTES && count <= Math.min(fill, MAX_FILL);
}

/** A node of a list, or what it was; while it is compressed, `buf[off, off + packedLength)` is that form and `len` the length without. */
export interface SharedNode extends Bytes {
  /** 0 when it is not compressed. */
  readonly packedLength: number;
  readonly isPlain: boolean;
  /** The node after it, 0 at the end. */
  readonly next: number;
}

/** A snapshot that is writing a list's nodes, from the first one on, while they change. */
export interface ListHold extends Hold {
  /** A node is about to get other bytes, or another node after it. */
  beforeChange(node: ListNode): void;
  /** A node is about to be freed. */
  beforeRemoval(node: ListNode): void;
}

export class Quicklist implements CopyableCollection {
  /** First and last node, 0 while there is none. */
  head = 0;
  tail = 0;
  /** Number of nodes. */
  nodes = 0;
  count = 0;
  hold: ListHold | null = null;
  /** Elements from this length on become plain nodes. */
  packedThreshold = PACKED_THRESHOLD;
  /** Elements of the node that `nodeAt` found before the wanted one. */
  skipped = 0;
  readonly depth: number;
  #bytes = LIST_OVERHEAD;
  /** The node that is unpacked to be read, and must be packed again; 0 for none. */
  #borrowed = 0;
  /** Its compressed bytes, null when it has been changed. */
  #kept: Store | null = null;
  #landmarks: Landmarks | null = null;
  /** The first element's place among the landmarks. */
  #origin = 0;
  /** Elements that were passed over to find others, since there were new landmarks. */
  #walked = 0;

  constructor(readonly slab: Slab, readonly fill: number, depth: number) {
    this.depth = Math.min(Math.max(depth, 0), 0xffff);
    slab.account(LIST_OVERHEAD);
  }

  memory(): number {
    return this.#bytes;
  }

  copy(): Quicklist {
    const copy = new Quicklist(this.slab, this.fill, this.depth);
    const before = this.slab.used;
    const node = new ListNode();
    for (let ref = this.head; ref !== 0; ref = node.next) {
      node.bind(this.slab, ref);
      copy.#link(new ListNode().createCopy(this.slab, node), copy.tail, true);
      copy.count += node.count;
    }
    copy.#bytes += this.slab.used - before;
    return copy;
  }

  release(budget: number): boolean {
    const { slab } = this;
    const before = slab.used;
    this.#forgetKept();
    this.#voidLandmarks();
    for (let left = budget; this.head !== 0 && left > 0; left -= NODE_BUDGET) {
      released.bind(slab, this.head);
      this.count -= released.count;
      this.head = released.next;
      this.nodes--;
      released.free();
    }
    if (this.head === 0) {
      this.tail = 0;
      slab.account(-LIST_OVERHEAD);
    }
    this.#bytes += slab.used - before;
    return this.head === 0;
  }

  // ---- Ends --------------------------------------------------------------------------------------------------------------------

  push(atHead: boolean, buf: Uint8Array, off: number, len: number): void {
    const before = this.slab.used;
    const ref = atHead ? this.head : this.tail;
    if (ref !== 0 && this.#allows(end.bind(this.slab, ref), len)) {
      this.#own(end);
      if (atHead) listpack.prepend(end, buf, off, len);
      else listpack.append(end, buf, off, len);
      end.count++;
    } else this.#link(this.#newNode(atHead, buf, off, len), ref, !atHead);
    this.count++;
    if (atHead) this.#origin--;
    this.#bytes += this.slab.used - before;
  }

  /** Removes the first or the last element. The list must not be empty. */
  pop(atHead: boolean): void {
    end.bind(this.slab, atHead ? this.head : this.tail);
    this.#removeAt(end, end.isPlain ? 0 : atHead ? FIRST : listpack.last(end));
    if (atHead) this.#origin++;
    this.#landmarks?.keep(this.#origin, this.#origin + this.count);
  }

  // ---- Anywhere ----------------------------------------------------------------------------------------------------------------

  /** The node with the element of that index (0 … count - 1); `skipped` tells its place in the node. */
  nodeAt(index: number): number {
    if (this.nodes >= WALKED_NODES && this.#walked > WALKS * this.count) this.#makeLandmarks();
    if (this.#landmarks !== null) return this.#nodeByLandmarks(this.#landmarks, this.#origin + index);
    const { count } = this;
    return index < count / 2 ? this.#nodeAfter(this.head, index) : this.#nodeBefore(this.tail, count - index);
  }

  #nodeByLandmarks(landmarks: Landmarks, place: number): number {
    const before = landmarks.before(place);
    const isFirst = !landmarks.has(before);
    const isLast = !landmarks.has(before + 1);
    const behind = place - (isFirst ? this.#origin : landmarks.place(before));
    const ahead = (isLast ? this.#origin + this.count : landmarks.place(before + 1)) - place;
    if (behind < ahead) return this.#nodeAfter(isFirst ? this.head : landmarks.ref(before), behind);
    return this.#nodeBefore(isLast ? this.tail : previousNode(this.slab, landmarks.ref(before + 1)), ahead);
  }

  /** The node with the element that has `elements` others before it from `ref` on. */
  #nodeAfter(ref: number, elements: number): number {
    this.#walked += elements;
    const found = skipForwards(this.slab, ref, elements);
    this.skipped = left;
    return found;
  }

  /** The node in which the last `elements` elements up to the end of `ref` begin. */
  #nodeBefore(ref: number, elements: number): number {
    this.#walked += elements;
    const found = skipBackwards(this.slab, ref, elements);
    this.skipped = countOf(this.slab, found) - left;
    return found;
  }

  #makeLandmarks(): void {
    this.#voidLandmarks();
    this.#landmarks = new Landmarks(this.slab, this.head, this.nodes, this.#origin);
    this.#account(this.#landmarks.bytes);
  }

  #voidLandmarks(): void {
    this.#walked = 0;
    if (this.#landmarks === null) return;
    this.#account(-this.#landmarks.bytes);
    this.#landmarks = null;
  }

  #account(bytes: number): void {
    this.slab.account(bytes);
    this.#bytes += bytes;
  }

  /** Unpacks a node for reading. At most one node is unpacked in this way at any time. */
  open(node: ListNode): void {
    if (!node.isPacked) return;
    const before = this.slab.used;
    this.#open(node);
    this.#bytes += this.slab.used - before;
  }

  #open(node: ListNode): void {
    if (!node.isPacked) return;
    this.#giveBack();
    this.#kept = this.#unpack(node);
    this.#borrowed = node.ref;
  }

  /** Removes the element at `at` of a node that is open; returns what `listpack.remove` does, -1 too when the node is gone. */
  removeAt(node: ListNode, at: number): number {
    this.#voidLandmarks();
    return this.#removeAt(node, at);
  }

  #removeAt(node: ListNode, at: number): number {
    const before = this.slab.used;
    let following = -1;
    this.count--;
    if (--node.count === 0) this.#unlink(node);
    else {
      this.#change(node);
      following = listpack.remove(node, at);
      this.#trimIfSparse(node);
    }
    this.#bytes += this.slab.used - before;
    return following;
  }

  /** Replaces the element at `at` of a node that is open. */
  replaceAt(node: ListNode, at: number, buf: Uint8Array, off: number, len: number): void {
    const isLarge = len >= this.packedThreshold;
    if (node.isPlain === isLarge) {
      const before = this.slab.used;
      this.hold?.beforeChange(node);
      // The only element may be a very long one, which is not worth a copy.
      if (!isLarge && node.count === 1 && node.isShared) this.#startOver(node);
      this.#change(node, isLarge);
      if (isLarge) node.replaceBytes(buf, off, len);
      else listpack.replace(node, at, buf, off, len);
      this.#bytes += this.slab.used - before;
      return;
    }
    this.insertAt(node, at, true, buf, off, len);
    this.open(node);
    // What followed the old element has gone to another node, if the new one is plain.
    this.removeAt(node, at);
  }

  /** Inserts before or after the element at `at` of a node that is open. */
  insertAt(node: ListNode, at: number, after: boolean, buf: Uint8Array, off: number, len: number): void {
    this.#voidLandmarks();
    const before = this.slab.used;
    this.#insertAt(node, at, after, buf, off, len);
    this.#bytes += this.slab.used - before;
  }

  #insertAt(node: ListNode, at: number, after: boolean, buf: Uint8Array, off: number, len: number): void {
    const beside = after ? node.next : node.previous;
    const isEdge = node.isPlain || (after ? listpack.next(node, at) === -1 : at === FIRST);
    this.count++;
    if (len >= this.packedThreshold) {
      const plain = this.#newNode(!after, buf, off, len);
      if (isEdge) return this.#link(plain, node.ref, after);
      const rest = this.#split(node, at, after);
      this.#link(plain, node.ref, after);
      return this.#link(rest, plain.ref, after);
    }
    if (this.#allows(node, len)) {
      this.#change(node);
      if (after) listpack.insertAfter(node, at, buf, off, len);
      else listpack.insert(node, at, buf, off, len);
      node.count++;
      return;
    }
    if (isEdge && beside !== 0) {
      neighbour.bind(this.slab, beside);
      if (this.#allows(neighbour, len)) {
        this.#open(neighbour);
        this.#change(neighbour);
        if (after) listpack.prepend(neighbour, buf, off, len);
        else listpack.append(neighbour, buf, off, len);
        neighbour.count++;
        return;
      }
    }
    if (isEdge) return this.#link(this.#newNode(!after, buf, off, len), node.ref, after);
    const rest = this.#split(node, at, after);
    if (after) listpack.prepend(rest, buf, off, len);
    else listpack.append(rest, buf, off, len);
    rest.count++;
    this.#link(rest, node.ref, after);
    this.#mergeAround(node.ref);
  }

  /** Removes `elements` elements from that index on; there must be so many. */
  removeRange(index: number, elements: number): void {
    if (elements <= 0) return;
    let ref = this.nodeAt(index);
    let from = this.skipped;
    if (index > 0 && index + elements < this.count) this.#voidLandmarks();
    else if (index === 0) this.#origin += elements;
    this.#landmarks?.keep(this.#origin, this.#origin + this.count - elements);
    const before = this.slab.used;
    while (elements > 0 && ref !== 0) {
      const node = inRange.bind(this.slab, ref);
      ref = node.next;
      const removed = Math.min(elements, node.count - from);
      this.count -= removed;
      if (removed === node.count) this.#unlink(node);
      else {
        this.#open(node);
        this.#change(node);
        listpack.removeRange(node, from, removed);
        node.count -= removed;
        this.#trimIfSparse(node);
      }
      elements -= removed;
      from = 0;
    }
    this.#giveBack();
    this.#bytes += this.slab.used - before;
  }

  // ---- Nodes as a whole --------------------------------------------------------------------------------------------------------

  /** Appends a node that is a copy of this listpack, which must be sound and not empty. */
  appendListpack(buf: Uint8Array, off: number, len: number): void {
    const before = this.slab.used;
    const node = fresh.createFrom(this.slab, buf, off, len);
    node.count = listpack.count(node);
    this.count += node.count;
    this.#link(node, this.tail, true);
    this.#bytes += this.slab.used - before;
  }

  /** Appends an element as a plain node. */
  appendPlain(buf: Uint8Array, off: number, len: number): void {
    const before = this.slab.used;
    this.count++;
    this.#link(this.#newPlain(buf, off, len), this.tail, true);
    this.#bytes += this.slab.used - before;
  }

  #allows(node: ListNode, length: number): boolean {
    return length < this.packedThreshold && !node.isPlain && allowsInsert(node.len, node.count, length, this.fill);
  }

  #newPlain(buf: Uint8Array, off: number, len: number): ListNode {
    const plain = fresh.createFrom(this.slab, buf, off, len);
    plain.setPlain();
    return plain;
  }

  /** A node with one element, in no list yet. `atHead`: more will come in front of it. */
  #newNode(atHead: boolean, buf: Uint8Array, off: number, len: number): ListNode {
    if (len >= this.packedThreshold) return this.#newPlain(buf, off, len);
    const needed = len + listpack.EMPTY_BYTES + ELEMENT_OVERHEAD;
    const most = this.fill < 0 ? CLASS_BYTES[Math.min(-this.fill, CLASS_BYTES.length) - 1] : 0;
    const capacity = this.nodes < MANY_NODES || needed > USUAL_BYTES / 2
      ? needed
      : Math.max(needed, Math.min(most, USUAL_BYTES));
    const room = capacity - needed;
    const node = fresh.create(this.slab, capacity, atHead ? room - (room >>> 3) : room >>> 3);
    listpack.create(node);
    listpack.append(node, buf, off, len);
    node.count = 1;
    return node;
  }

  /** Puts a node after or before another one, which is 0 only in an empty list. */
  #link(node: ListNode, beside: number, after: boolean): void {
    const { slab } = this;
    const { ref } = node;
    if (beside === 0) this.head = this.tail = ref;
    else {
      const other = linked.bind(slab, beside);
      this.hold?.beforeChange(other);
      if (after) {
        node.previous = beside;
        node.next = other.next;
        if (other.next !== 0) farther.bind(slab, other.next).previous = ref;
        else this.tail = ref;
        other.next = ref;
      } else {
        node.next = beside;
        node.previous = other.previous;
        if (other.previous !== 0) this.#follow(farther.bind(slab, other.previous), ref);
        else this.head = ref;
        other.previous = ref;
      }
      other.trim();
    }
    this.nodes++;
    if (this.depth === 0) return;
    if (beside !== 0) this.#settle(beside);
    this.#settle(ref);
  }

  /** Another node, or none, comes after a node. */
  #follow(node: ListNode, next: number): void {
    this.hold?.beforeChange(node);
    node.next = next;
  }

  /** Takes a node out and frees it. */
  #unlink(node: ListNode): void {
    const { previous, next, ref } = node;
    if (previous !== 0) this.#follow(linked.bind(this.slab, previous), next);
    else this.head = next;
    if (next !== 0) linked.bind(this.slab, next).previous = previous;
    else this.tail = previous;
    this.#touch(ref);
    if (this.#borrowed === ref) this.#borrowed = 0;
    this.hold?.beforeRemoval(node);
    node.free();
    this.nodes--;
    this.#settle(0);
  }

  /** Cuts a node behind (`after`) or before the element at `at`; returns the part that was cut off, in no list yet. */
  #split(node: ListNode, at: number, after: boolean): ListNode {
    this.#change(node);
    const cut = after ? at + listpack.sizeAt(node, at) : at;
    const from = after ? cut : FIRST;
    const length = after ? node.len - 1 - cut : cut - FIRST;
    const rest = new ListNode().create(this.slab, length + listpack.EMPTY_BYTES);
    listpack.create(rest);
    let moved = 0;
    for (let p = from; p !== -1 && p < from + length; p = listpack.next(node, p)) moved++;
    listpack.appendPart(rest, node, from, length, moved);
    rest.count = moved;
    listpack.removeFrom(node, from, moved);
    node.count -= moved;
    node.trim();
    return rest;
  }

  /** After a split: joins neighbours that fit into one node, as Redis does and in its order. */
  #mergeAround(center: number): void {
    const { slab } = this;
    const previous = previousNode(slab, center);
    const next = nextNode(slab, center);
    if (previous !== 0) this.#merge(previousNode(slab, previous), previous);
    if (next !== 0) this.#merge(next, nextNode(slab, next));
    const left = previousNode(slab, center);
    const joined = this.#merge(left, center) ? left : center;
    this.#merge(joined, nextNode(slab, joined));
  }

  /** Joins two neighbours in the first one if there are two and that is allowed; returns whether it was done. */
  #merge(leftRef: number, rightRef: number): boolean {
    if (leftRef === 0 || rightRef === 0) return false;
    const left = joining.bind(this.slab, leftRef);
    const right = joined.bind(this.slab, rightRef);
    if (left.isPlain || right.isPlain) return false;
    if (!fits(left.len + right.len - 11, left.count + right.count, this.fill)) return false;
    this.#unpackFully(left);
    this.#unpackFully(right);
    this.#own(left);
    listpack.appendAll(left, right);
    left.count += right.count;
    this.#unlink(right);
    this.#settle(leftRef);
    return true;
  }

  /**
   * Gives up room of a node that has lost elements: at the ends, which are popped or pushed to element by element, only when half of it is
   * empty.
   */
  #trimIfSparse(node: ListNode): void {
    const { capacity, ref } = node;
    const isEnd = ref === this.head || ref === this.tail;
    if (node.len < (isEnd ? capacity >>> 1 : capacity - (capacity >>> 3))) node.trim();
  }

  // ---- Compression -------------------------------------------------------------------------------------------------------------

  /** An open node is about to change: its compressed form is void. */
  #touch(ref: number): void {
    if (this.#borrowed === ref) this.#forgetKept();
  }

  /** The same where the bytes that are there will be written to, unless all are replaced. */
  #change(node: ListNode, asWhole = false): void {
    this.#touch(node.ref);
    if (asWhole) this.hold?.beforeChange(node);
    else this.#own(node);
  }

  /** The bytes of a node are about to be written to. */
  #own(node: ListNode): void {
    this.hold?.beforeChange(node);
    node.own();
  }

  /** Makes the only element an empty one. */
  #startOver(node: ListNode): void {
    node.replaceBytes(ONE_EMPTY, 0, ONE_EMPTY.length);
  }

  #forgetKept(): void {
    if (this.#kept === null) return;
    freeStore(this.slab, this.#kept);
    this.#kept = null;
  }

  #unpackFully(node: ListNode): void {
    if (node.isPacked) freeStore(this.slab, this.#unpack(node));
    this.#touch(node.ref);
    if (this.#borrowed === node.ref) this.#borrowed = 0;
  }

  /** Returns the compressed form, which is not the node's any more. */
  #unpack(node: ListNode): Store {
    this.hold?.beforeChange(node);
    const { buf, off, len, packedLength } = node;
    const packed = node.takeStore();
    node.beginUnpacked();
    if (decompress(buf, off, packedLength, node.buf, node.off, len) !== len) {
      throw new Error("a compressed node of a list is damaged");
    }
    return packed;
  }

  /** Packs the borrowed node again. */
  #giveBack(): void {
    const ref = this.#borrowed;
    if (ref === 0) return;
    const kept = this.#kept;
    this.#borrowed = 0;
    this.#kept = null;
    if (kept !== null && this.#mayPack(ref)) {
      const node = packing.bind(this.slab, ref);
      this.hold?.beforeChange(node);
      node.putStore(kept);
    } else {
      if (kept !== null) freeStore(this.slab, kept);
      this.#settle(ref);
    }
  }

  /** Whether a node is so far from the ends that it is to be compressed. */
  #mayPack(ref: number): boolean {
    const { depth, slab } = this;
    if (this.nodes <= depth * 2) return false;
    let left = this.head;
    let right = this.tail;
    for (let i = 0; i < depth; i++) {
      if (left === ref || right === ref) return false;
      left = nextNode(slab, left);
      right = previousNode(slab, right);
    }
    return true;
  }

  #pack(ref: number): void {
    if (ref === this.#borrowed) return;
    const node = packing.bind(this.slab, ref);
    if (node.isPacked || node.len < MIN_COMPRESSED) return;
    const { len } = node;
    const into = scratchFor(len);
    const length = compress(node.buf, node.off, len, into, 0, len);
    if (length === 0 || length + MIN_WON >= len) return;
    this.hold?.beforeChange(node);
    node.pack(into, length);
  }

  /** Restores the rule after a change beside `node`: the outer nodes are not compressed, those next to them and `node` are. */
  #settle(node: number): void {
    const { depth, slab } = this;
    if (depth === 0 || this.nodes < depth * 2) return;
    let left = this.head;
    let right = this.tail;
    let isOuter = false;
    for (let i = 0; i < depth; i++) {
      this.#unpackFully(packing.bind(slab, left));
      this.#unpackFully(packing.bind(slab, right));
      if (left === node || right === node) isOuter = true;
      if (left === right || nextNode(slab, left) === right) return;
      left = nextNode(slab, left);
      right = previousNode(slab, right);
    }
    if (node !== 0 && !isOuter) this.#pack(node);
    this.#pack(left);
    this.#pack(right);
  }
}

/** The content of a node, a listpack or an element, compressed or not. */
export function unpacked(node: SharedNode): Bytes {
  const { buf, off, len, packedLength } = node;
  if (packedLength === 0) return node;
  const bytes = new Uint8Array(len);
  if (decompress(buf, off, packedLength, bytes, 0, len) !== len) {
    throw new Error("a compressed node of a list is damaged");
  }
  return { buf: bytes, off: 0, len };
}

// Windows on nodes, each for what its name says, so that no two uses meet.
const end = new ListNode();
const fresh = new ListNode();
const neighbour = new ListNode();
const inRange = new ListNode();
const released = new ListNode();
const linked = new ListNode();
const farther = new ListNode();
const joining = new ListNode();
const joined = new ListNode();
const packing = new ListNode();
