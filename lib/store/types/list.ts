/**
 * Lists. A small list is a listpack blob in its key's record, as long as it would be a single node of Redis's quicklist and is not
 * larger than 8 KB; a large one is a `Quicklist`. OBJECT ENCODING calls both "quicklist", as Redis 7.0 does.
 *
 * `ListView` hides which of the two it is. A view is bound to a key's record (`open`), or holds a list that is not in any
 * database yet (`create`, then `store`). Views are made once and used again and again; a view is good until its key is
 * changed by other means.
 *
 * Elements are visited by a walk: `start` at an index, then `next` again and again. The current element can be removed, and the walk
 * goes on; after `insert` and `replace` it is over.
 */

import type { Args } from "../../bytes/args.ts";
import { equalBytes } from "../../bytes/span.ts";
import type { Database } from "../database.ts";
import { Kind, Type } from "../record.ts";
import { RecordBlob } from "../record_blob.ts";
import type { Slab } from "../slab.ts";
import { type Blob, HeapBlob } from "./blob.ts";
import { Int64 } from "./int64.ts";
import * as listpack from "./listpack.ts";
import { ListpackCursor } from "./listpack.ts";
import { ListNode } from "./list_node.ts";
import { allowsInsert, PACKED_THRESHOLD, Quicklist } from "./quicklist.ts";

/** Longest blob that is not made a quicklist (but for a single element). */
const MOST_BYTES = 8192;

/** How large nodes get and which are compressed; the configuration's values have them. */
export interface ListLimits {
  readonly listMaxListpackSize: number;
  readonly listCompressDepth: number;
}

/** What a list is made from; a Keyspace has it. */
export interface ListHome {
  readonly slab: Slab;
}

function newListpack(): Blob {
  const blob = new HeapBlob();
  listpack.create(blob);
  return blob;
}

export class ListView {
  /** The nodes, null while the list is one listpack. */
  quicklist: Quicklist | null = null;
  /** The current element, after `next` or `peek`. An integer has no text until `asText`. */
  readonly element = new ListpackCursor();
  limits: ListLimits = { listMaxListpackSize: -2, listCompressDepth: 0 };
  /** Elements from this length on get a node of their own (DEBUG QUICKLIST-PACKED-THRESHOLD). */
  packedThreshold = PACKED_THRESHOLD;
  readonly #record = new RecordBlob();
  #blob: Blob = this.#record;
  #db: Database | null = null;
  #slab: Slab | null = null;
  /** The key's record, 0 for a list that is in no database. */
  #ref = 0;

  // The walk: where the current element is, and the one that comes after it.
  #node: ListNode | null = null;
  readonly #window = new ListNode();
  #segment: Blob = this.#record;
  #at = -1;
  #following = -1;
  #backward = false;

  // What `matches` compares with.
  readonly #wanted = new Int64();
  #wantedIsInt = false;
  #wantedBuf = this.element.buf;
  #wantedOff = 0;
  #wantedLen = 0;

  /** Binds to the list of that record; returns itself. */
  open(db: Database, ref: number): this {
    this.#db = db;
    this.#slab = db.slab;
    this.#ref = ref;
    if (db.kind(ref) === Kind.OBJECT) {
      this.quicklist = db.object(ref) as Quicklist;
      this.quicklist.packedThreshold = this.packedThreshold;
    } else {
      this.quicklist = null;
      this.#blob = this.#record.bind(db, ref);
    }
    return this;
  }

  /** Begins an empty list that is in no database. `blob` is an empty listpack, which becomes the view's own. */
  create(home: ListHome, blob: Blob = newListpack()): this {
    this.#db = null;
    this.#slab = home.slab;
    this.#ref = 0;
    this.quicklist = null;
    this.#blob = blob;
    return this;
  }

  /** Puts a listpack in the place of the empty one of a list that was begun with `create`. It becomes the view's own. */
  createFrom(blob: Blob): void {
    this.#blob = blob;
  }

  /** Adds an empty list as a new key and binds to it. It must get an element at once. */
  addKey(db: Database, a: Args, i: number): this {
    this.open(db, db.add(a, i, Type.LIST, listpack.EMPTY_BYTES));
    listpack.create(this.#blob);
    return this;
  }

  /** The key's record, which changes may have moved. */
  get ref(): number {
    return this.quicklist === null && this.#ref !== 0 ? this.#record.ref : this.#ref;
  }

  get count(): number {
    return this.quicklist === null ? listpack.count(this.#blob) : this.quicklist.count;
  }

  // ---- Ends --------------------------------------------------------------------------------------------------------------------

  push(atHead: boolean, buf: Uint8Array, off: number, len: number): void {
    const blob = this.#blob;
    if (this.quicklist === null && this.#hasRoom(len)) {
      if (atHead) listpack.prepend(blob, buf, off, len);
      else listpack.append(blob, buf, off, len);
      return;
    }
    this.convert().push(atHead, buf, off, len);
  }

  /** Makes the first or last element the current one. The list must not be empty. */
  peek(atHead: boolean): void {
    const { quicklist } = this;
    const place = atHead ? 0 : -1;
    this.#backward = !atHead;
    if (quicklist !== null) this.#enter(quicklist, atHead ? quicklist.head : quicklist.tail, place);
    else {
      this.#node = null;
      this.#segment = this.#blob;
      this.#following = listpack.seek(this.#blob, place);
    }
    this.next();
    this.element.asText();
  }

  /** Removes the first or last element. The list must not be empty. */
  pop(atHead: boolean): void {
    if (this.quicklist !== null) return this.quicklist.pop(atHead);
    const blob = this.#blob;
    listpack.remove(blob, atHead ? listpack.first(blob) : listpack.last(blob));
  }

  // ---- Walking -----------------------------------------------------------------------------------------------------------------

  /** Begins a walk at an index (0 … count - 1; otherwise there is nothing to walk through). */
  start(index: number, backward = false): void {
    const { quicklist } = this;
    this.#backward = backward;
    this.#node = null;
    if (quicklist === null) {
      this.#segment = this.#blob;
      this.#following = index < 0 ? -1 : listpack.seek(this.#blob, index);
      return;
    }
    this.#following = -1;
    if (index < 0 || index >= quicklist.count) return;
    const ref = quicklist.nodeAt(index);
    this.#enter(quicklist, ref, quicklist.skipped);
  }

  #enter(quicklist: Quicklist, ref: number, place: number): void {
    const node = this.#window.bind(quicklist.slab, ref);
    quicklist.open(node);
    this.#node = node;
    this.#segment = node;
    if (node.isPlain) this.#following = 0;
    else if (place === 0) this.#following = listpack.first(node);
    else this.#following = listpack.seek(node, place);
  }

  /** Goes to the next element; false at the end. */
  next(): boolean {
    if (!this.#arrive()) return false;
    const at = this.#following;
    this.#at = at;
    const { element } = this;
    const segment = this.#segment;
    if (this.#node !== null && this.#node.isPlain) {
      element.isInt = false;
      element.buf = segment.buf;
      element.off = segment.off;
      element.len = segment.len;
      this.#following = -1;
      return true;
    }
    const following = listpack.read(segment, at, element);
    this.#following = this.#backward ? listpack.previous(segment, at) : following;
    return true;
  }

  /** Makes `#following` the next element, which may be the first of another node; false at the end. */
  #arrive(): boolean {
    if (this.#following !== -1) return true;
    const beside = this.#node === null ? 0 : this.#backward ? this.#node.previous : this.#node.next;
    if (beside === 0) return false;
    this.#enter(this.quicklist!, beside, this.#backward ? -1 : 0);
    return true;
  }

  /**
   * Goes to the next element that is the one that was given to `look`, which may be farther away than `limit` elements only if it is in
   * the node where these end. Returns how many elements were passed over, -1 when there is none.
   */
  find(limit: number): number {
    let passed = 0;
    while (passed < limit && this.#arrive()) {
      if (this.#backward || (this.#node !== null && this.#node.isPlain)) {
        this.next();
        if (this.matches()) return passed;
        passed++;
        continue;
      }
      const at = listpack.find(
        this.#segment,
        this.#following,
        this.#wantedBuf,
        this.#wantedOff,
        this.#wantedLen,
        0,
      );
      passed += listpack.compared;
      this.#following = at;
      if (at === -1) continue;
      this.next();
      return passed;
    }
    return -1;
  }

  /** Gives `sink` up to `limit` elements in the order of the walk, from the next one on, and ends the walk. */
  readAll(limit: number, sink: listpack.TextSink): void {
    const { element } = this;
    while (limit > 0 && !sink.isFull) {
      const at = this.#following;
      if (at === -1 || this.#backward || (this.#node !== null && this.#node.isPlain)) {
        if (!this.next()) return;
        element.writeTo(sink);
        limit--;
      } else {
        limit -= listpack.readAll(this.#segment, at, limit, sink);
        this.#following = -1;
      }
    }
  }

  /** Sets what `matches` and `find` compare with. The bytes must stay where they are. */
  look(buf: Uint8Array, off: number, len: number): void {
    this.#wantedIsInt = this.#wanted.parse(buf, off, len);
    this.#wantedBuf = buf;
    this.#wantedOff = off;
    this.#wantedLen = len;
  }

  /** Whether the current element is the one that was given to `look`. */
  matches(): boolean {
    const { element } = this;
    if (element.isInt) {
      return this.#wantedIsInt && element.value.lo === this.#wanted.lo && element.value.hi === this.#wanted.hi;
    }
    return element.len === this.#wantedLen &&
      equalBytes(element.buf, element.off, this.#wantedBuf, this.#wantedOff, this.#wantedLen);
  }

  // ---- Changing ----------------------------------------------------------------------------------------------------------------

  /** Removes the current element; `next` goes on behind it. */
  remove(): void {
    const node = this.#node;
    if (node === null) {
      const following = listpack.remove(this.#blob, this.#at);
      this.#following = this.#backward ? this.#before(following) : following;
      return;
    }
    const { previous, next, count } = node;
    const following = this.quicklist!.removeAt(node, this.#at);
    if (count > 1) {
      this.#following = this.#backward ? this.#before(following) : following;
      return;
    }
    // The node is gone with its element.
    const beside = this.#backward ? previous : next;
    if (beside === 0) {
      this.#node = null;
      this.#following = -1;
    } else this.#enter(this.quicklist!, beside, this.#backward ? -1 : 0);
  }

  #before(following: number): number {
    return following === -1 ? listpack.last(this.#segment) : listpack.previous(this.#segment, following);
  }

  /** Inserts before or after the current element. */
  insert(after: boolean, buf: Uint8Array, off: number, len: number): void {
    let node = this.#node;
    if (node === null) {
      const blob = this.#blob;
      if (this.#hasRoom(len)) {
        if (after) listpack.insertAfter(blob, this.#at, buf, off, len);
        else listpack.insert(blob, this.#at, buf, off, len);
        return;
      }
      const quicklist = this.convert();
      node = this.#window.bind(quicklist.slab, quicklist.head);
    }
    this.quicklist!.insertAt(node, this.#at, after, buf, off, len);
  }

  /** Replaces the current element. */
  replace(buf: Uint8Array, off: number, len: number): void {
    let node = this.#node;
    if (node === null) {
      const blob = this.#blob;
      if (len < this.packedThreshold && (blob.len + len <= MOST_BYTES || listpack.count(blob) === 1)) {
        return listpack.replace(blob, this.#at, buf, off, len);
      }
      const quicklist = this.convert();
      node = this.#window.bind(quicklist.slab, quicklist.head);
    }
    this.quicklist!.replaceAt(node, this.#at, buf, off, len);
  }

  /** Removes `elements` elements from that index on; there must be so many. */
  removeRange(index: number, elements: number): void {
    if (this.quicklist === null) listpack.removeRange(this.#blob, index, elements);
    else this.quicklist.removeRange(index, elements);
  }

  #hasRoom(length: number): boolean {
    if (length >= this.packedThreshold) return false;
    const { len } = this.#blob;
    if (len === listpack.EMPTY_BYTES) return true;
    return len + length < MOST_BYTES &&
      allowsInsert(len, listpack.count(this.#blob), length, this.limits.listMaxListpackSize);
  }

  /** Makes it a quicklist, if it is none yet. */
  convert(): Quicklist {
    if (this.quicklist !== null) return this.quicklist;
    const { listMaxListpackSize, listCompressDepth } = this.limits;
    const quicklist = new Quicklist(this.#slab!, listMaxListpackSize, listCompressDepth);
    quicklist.packedThreshold = this.packedThreshold;
    const { buf, off, len } = this.#blob;
    if (len > listpack.EMPTY_BYTES) quicklist.appendListpack(buf, off, len);
    if (this.#ref !== 0) this.#ref = this.#db!.setObject(this.#record.ref, quicklist);
    return this.quicklist = quicklist;
  }

  // ---- Results -----------------------------------------------------------------------------------------------------------------

  /** Makes a list that was begun with `create` the value of key i, whatever that was; it must not be empty. */
  store(db: Database, a: Args, i: number): void {
    const ref = db.lookupWrite(a, i);
    const { quicklist } = this;
    if (quicklist !== null) {
      if (ref === 0) db.addObject(a, i, Type.LIST, quicklist);
      else db.setObject(db.retype(ref, Type.LIST), quicklist);
    } else {
      const { buf, off, len } = this.#blob;
      const target = ref === 0 ? db.add(a, i, Type.LIST, len) : db.setBlob(db.retype(ref, Type.LIST), len);
      db.writeValue(target, buf, off, len);
    }
    this.quicklist = null;
    this.#blob = this.#record;
  }

  /** Frees a list that was begun with `create` and is not stored. */
  drop(): void {
    this.quicklist?.release(Infinity);
    this.quicklist = null;
    this.#blob = this.#record;
  }

  /** The listpack, where the list is one (`quicklist` is null). */
  get blob(): Blob {
    return this.#blob;
  }
}
