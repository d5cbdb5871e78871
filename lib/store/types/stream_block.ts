/**
 * The blocks of a stream, in slab memory. A block is one listpack in exactly Redis's layout, with a header in front of it:
 *
 *   words 0–3  ID of its first entry (StreamId's halves)
 *   word 4     length of the listpack
 *   word 5     flag: goes back; and, where the listpack is too long for a slab's block, the handle of its array
 *   byte 24    the listpack, with room to spare in the last block of a stream and none in the others
 *
 * A `BlockList` has the refs of a stream's blocks in the order of their IDs, so one is found by binary search. A `Block` is a register
 * that is loaded with one block after the other (`open`); what it is used for besides reading writes through. It is void when the
 * list is changed otherwise.
 *
 * A snapshot that writes a stream bit by bit shares the blocks (`BlockList.share`): what is shared is copied before it is changed, and
 * freed when the snapshot has ended (`Slab.keep`). Meanwhile the list knows which blocks are not shared, because they were made later.
 */

import { Copier, copyBytes } from "../../bytes/span.ts";
import { IN_PAGE, MAX_BLOCK, PAGE_BITS, Slab } from "../slab.ts";
import type { Blob } from "./blob.ts";
import * as listpack from "./listpack.ts";
import { StreamId } from "./stream_id.ts";

/** Flags of an entry. */
export const DELETED = 1;
export const SAME_FIELDS = 2;
/** Elements of an entry beside fields and values: flags and the two halves of the ID. */
export const FIXED_ELEMENTS = 3;

const LENGTH = 4;
const FLAGS = 5;
const HEADER_BYTES = 24;

const GOES_BACK = 1 << 31;
/** The listpack is in an array of its own. */
const HANDLE = ~GOES_BACK;
/** Longest listpack that is in a slab's block. */
const MOST_INSIDE = MAX_BLOCK - HEADER_BYTES;
const FIRST_REFS = 4;
const NO_REFS = new Int32Array(0);
const NO_BYTES = new Uint8Array(0);

const copier = new Copier();

export class BlockList {
  /** Number of blocks. */
  length = 0;
  /** Some block once went back: looking for the end of a range must not rely on the blocks' IDs. */
  mayGoBack = false;
  /** Bytes of memory of the blocks and of this list. */
  bytes = 0;
  /** Empty while there is one block at most: most streams are short, and an array of four costs more than their other objects. */
  #refs = NO_REFS;
  #only = 0;
  /** Place of the first ref: a stream that is trimmed gives up the front of its list. */
  #start = 0;
  /** While there is a twin: the blocks that it does not have. */
  #fresh: Set<number> | null = null;
  /** Of a twin, the list that it was made from. */
  #original: BlockList | null = null;

  constructor(readonly slab: Slab) {}

  ref(index: number): number {
    return this.#refs === NO_REFS ? this.#only : this.#refs[this.#start + index];
  }

  /** Reads the ID of the block of that index. */
  readId(index: number, into: StreamId): void {
    const ref = this.ref(index);
    const words = this.slab.words[ref >>> PAGE_BITS];
    const word = (ref & IN_PAGE) << 1;
    into.set(words[word], words[word + 1], words[word + 2], words[word + 3]);
  }

  /** Index of the last block that begins at or before the ID, -1 when there is none. Mostly it is the last one. */
  indexOf(id: StreamId): number {
    let low = 0;
    let high = this.length - 1;
    if (high < 0) return -1;
    this.readId(high, beginning);
    if (beginning.compare(id) <= 0) return high;
    while (low < high) {
      const middle = (low + high) >>> 1;
      this.readId(middle, beginning);
      if (beginning.compare(id) <= 0) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  /** Makes room for a block at that index and puts it there. */
  insert(index: number, ref: number): void {
    if (this.length === 0 && this.#refs === NO_REFS) {
      this.#only = ref;
      this.length = 1;
      return;
    }
    if (this.#start + this.length >= this.#refs.length) this.#grow();
    const refs = this.#refs;
    const at = this.#start + index;
    if (index < this.length) refs.copyWithin(at + 1, at, this.#start + this.length);
    refs[at] = ref;
    this.length++;
  }

  /** Another block takes the place of the one at that index. */
  replace(index: number, ref: number): void {
    if (this.#refs === NO_REFS) this.#only = ref;
    else this.#refs[this.#start + index] = ref;
  }

  /** Frees the block at that index. */
  remove(index: number): void {
    this.#free(this.ref(index));
    const refs = this.#refs;
    const at = this.#start + index;
    this.length--;
    if (refs === NO_REFS) return;
    if (index === 0) this.#start++;
    else refs.copyWithin(at, at + 1, this.#start + this.length + 1);
  }

  /** Frees some blocks at the beginning. */
  removeFirst(blocks: number): void {
    for (let i = 0; i < blocks; i++) this.#free(this.ref(i));
    if (this.#refs !== NO_REFS) this.#start += blocks;
    this.length -= blocks;
  }

  /** Frees up to `budget` blocks; true when nothing is left, not even the list. */
  release(budget: number): boolean {
    if (this.#original !== null) {
      this.#original.#fresh = null;
      this.length = 0;
      return true;
    }
    for (; this.length > 0; budget--) {
      if (budget <= 0) return false;
      this.#free(this.ref(--this.length));
    }
    this.slab.account(-this.#refs.byteLength);
    this.bytes -= this.#refs.byteLength;
    return true;
  }

  copy(): BlockList {
    const copy = new BlockList(this.slab);
    for (let i = 0; i < this.length; i++) {
      one.open(this, i);
      two.create(copy, i, one.id, one.len);
      two.take(one);
    }
    return copy;
  }

  /** The blocks as they are now, only to be read; `release` and then `Slab.letGo` must follow. There may be one such twin at a time. */
  share(): BlockList {
    const twin = new BlockList(this.slab);
    twin.#original = this;
    this.#fresh = new Set();
    if (this.#refs !== NO_REFS) twin.#refs = this.#refs.slice(this.#start, this.#start + this.length);
    else if (this.length > 0) twin.#refs = Int32Array.of(this.#only);
    twin.length = this.length;
    twin.mayGoBack = this.mayGoBack;
    this.slab.keep();
    return twin;
  }

  /** Whether a twin has that block, which must be copied before it is changed. */
  isShared(ref: number): boolean {
    return this.#fresh !== null && !this.#fresh.has(ref);
  }

  #free(ref: number): void {
    const { slab } = this;
    const handle = slab.words[ref >>> PAGE_BITS][((ref & IN_PAGE) << 1) + FLAGS] & HANDLE;
    this.bytes -= slab.capacity(ref) + (handle === 0 ? 0 : slab.large[handle].length);
    if (this.isShared(ref)) {
      if (handle !== 0) slab.freeSharedLarge(handle);
      slab.freeShared(ref);
    } else {
      this.#fresh?.delete(ref);
      if (handle !== 0) slab.freeLarge(handle);
      slab.free(ref);
    }
  }

  #grow(): void {
    const old = this.#refs;
    const { length } = this;
    if (old === NO_REFS) {
      this.#refs = new Int32Array(FIRST_REFS);
      this.#refs[0] = this.#only;
      this.#start = 0;
      this.slab.account(this.#refs.byteLength);
      this.bytes += this.#refs.byteLength;
      return;
    }
    // Where much has gone at the front, there is room enough.
    const capacity = length > old.length >>> 1 ? old.length + Math.max(FIRST_REFS, old.length >>> 2) : old.length;
    const refs = capacity === old.length ? old : new Int32Array(capacity);
    refs.set(old.subarray(this.#start, this.#start + length));
    this.#refs = refs;
    this.#start = 0;
    const bytes = refs.byteLength - old.byteLength;
    this.slab.account(bytes);
    this.bytes += bytes;
  }

  /** A new block with room for a listpack of that many bytes, not yet in the list. */
  allocate(capacity: number): number {
    const { slab } = this;
    const inside = capacity <= MOST_INSIDE;
    const ref = slab.allocate(inside ? HEADER_BYTES + capacity : HEADER_BYTES);
    const words = slab.words[ref >>> PAGE_BITS];
    const word = (ref & IN_PAGE) << 1;
    words[word + FLAGS] = inside ? 0 : slab.newLarge(new Uint8Array(capacity));
    this.bytes += slab.capacity(ref) + (inside ? 0 : capacity);
    this.#fresh?.add(ref);
    return ref;
  }

  /** Frees a block that is not in the list any more. */
  free(ref: number): void {
    this.#free(ref);
  }
}

export class Block implements Blob {
  readonly id: StreamId = new StreamId();
  buf: Uint8Array = NO_BYTES;
  off = 0;
  len = 0;
  #list: BlockList | null = null;
  #index = 0;
  /** Bytes that the listpack could have where it is. */
  #capacity = 0;

  /** Loads the block of that index; returns itself. */
  open(list: BlockList, index: number): this {
    const ref = list.ref(index);
    const { slab } = list;
    const words = slab.words[ref >>> PAGE_BITS];
    const word = (ref & IN_PAGE) << 1;
    this.#list = list;
    this.#index = index;
    this.id.set(words[word], words[word + 1], words[word + 2], words[word + 3]);
    this.len = words[word + LENGTH];
    this.#place(ref);
    return this;
  }

  #place(ref: number): void {
    const { slab } = this.#list!;
    const word = (ref & IN_PAGE) << 1;
    const handle = slab.words[ref >>> PAGE_BITS][word + FLAGS] & HANDLE;
    if (handle === 0) {
      this.buf = slab.bytes[ref >>> PAGE_BITS];
      this.off = (word << 2) + HEADER_BYTES;
      this.#capacity = slab.capacity(ref) - HEADER_BYTES;
    } else {
      this.buf = slab.large[handle];
      this.off = 0;
      this.#capacity = this.buf.length;
    }
  }

  /** Puts a new block, without a listpack but with room for one, at that index of a list, and loads it. */
  create(list: BlockList, index: number, id: StreamId, capacity: number): this {
    list.insert(index, list.allocate(capacity));
    this.#list = list;
    this.#index = index;
    this.id.copy(id);
    this.len = 0;
    const ref = list.ref(index);
    this.#writeHeader(ref);
    this.#place(ref);
    return this;
  }

  #writeHeader(ref: number): void {
    const { id } = this;
    const words = this.#list!.slab.words[ref >>> PAGE_BITS];
    const word = (ref & IN_PAGE) << 1;
    words[word] = id.msHi;
    words[word + 1] = id.msLo;
    words[word + 2] = id.seqHi;
    words[word + 3] = id.seqLo;
    words[word + LENGTH] = this.len;
  }

  /** Copies the listpack of another block. */
  take(other: Block): void {
    this.write(other.buf, other.off, other.len);
    if (other.goesBack) this.setGoesBack();
  }

  /** Writes a listpack into a new block, which must be large enough. */
  write(buf: Uint8Array, off: number, len: number): void {
    copier.copy(buf, off, len, this.buf, this.off, this.#list!.ref(this.#index) >>> PAGE_BITS);
    this.#setLength(len);
  }

  #setLength(len: number): void {
    this.len = len;
    const ref = this.#list!.ref(this.#index);
    this.#list!.slab.words[ref >>> PAGE_BITS][((ref & IN_PAGE) << 1) + LENGTH] = len;
  }

  get #flags(): number {
    const ref = this.#list!.ref(this.#index);
    return this.#list!.slab.words[ref >>> PAGE_BITS][((ref & IN_PAGE) << 1) + FLAGS];
  }

  set #flags(flags: number) {
    const ref = this.#list!.ref(this.#index);
    this.#list!.slab.words[ref >>> PAGE_BITS][((ref & IN_PAGE) << 1) + FLAGS] = flags;
  }

  /**
   * Some entry's ID is below the block's. XSETID can take an empty stream back to lower IDs while there is still a block with
   * deleted entries, which then takes the new ones.
   */
  get goesBack(): boolean {
    return (this.#flags & GOES_BACK) !== 0;
  }

  setGoesBack(): void {
    this.#flags |= GOES_BACK;
    this.#list!.mayGoBack = true;
  }

  /** To be called before the listpack is changed: what is shared is copied. */
  own(): void {
    const list = this.#list!;
    if (list.isShared(list.ref(this.#index))) this.#move(this.#capacity, this.len, 0, 0);
  }

  /** Gives up room, because nothing more will come. */
  trim(): void {
    const { len } = this;
    const needed = len > MOST_INSIDE ? len : Slab.rounded(HEADER_BYTES + len) - HEADER_BYTES;
    if (needed < this.#capacity) this.#move(len, len, 0, 0);
  }

  /** Mostly only the end mark moves. */
  splice(at: number, remove: number, insert: number): void {
    const from = at + remove;
    const tail = this.len - from;
    const length = this.len - remove + insert;
    if (length > this.#capacity) this.#move(grown(length), at, remove, insert);
    else {
      const { buf, off } = this;
      if (tail === 1) buf[off + at + insert] = buf[off + from];
      else if (remove !== insert) buf.copyWithin(off + at + insert, off + from, off + from + tail);
    }
    this.#setLength(length);
  }

  /** Moves the listpack to a block with room for `capacity` bytes, with a gap instead of the bytes from `at` on. */
  #move(capacity: number, at: number, remove: number, insert: number): void {
    const list = this.#list!;
    const { buf, off, len } = this;
    const { goesBack } = this;
    const old = list.ref(this.#index);
    const ref = list.allocate(capacity);
    list.replace(this.#index, ref);
    this.#writeHeader(ref);
    this.#place(ref);
    if (goesBack) this.setGoesBack();
    copyBytes(buf, off, at, this.buf, this.off);
    copyBytes(buf, off + at + remove, len - at - remove, this.buf, this.off + at + insert);
    list.free(old);
  }

  /** Live entries. */
  get live(): number {
    return listpack.numberAt(this, listpack.first(this));
  }

  /** Entries that are flagged as deleted. */
  get deleted(): number {
    return listpack.numberAt(this, listpack.next(this, listpack.first(this)));
  }

  /** `count` live entries have become deleted ones. */
  moveToDeleted(count: number): void {
    const at = listpack.first(this);
    listpack.addTo(this, at, -count);
    listpack.addTo(this, listpack.next(this, at), count);
  }
}

/** Room for a listpack of `length` bytes and for some more. */
function grown(length: number): number {
  const capacity = length + (length >>> 2);
  return length <= MOST_INSIDE ? Math.min(capacity, MOST_INSIDE) : capacity;
}

const beginning = new StreamId();
const one = new Block();
const two = new Block();
