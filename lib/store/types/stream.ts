/**
 * Streams: entries that are only ever appended, in blocks (stream_block.ts). A block is one listpack in exactly Redis's layout, so that
 * DUMP, RDB files and replicas get it as it is; a stream costs a few JavaScript objects, however long it is.
 *
 *   stream   blocks in order, found by binary search over their IDs
 *   block    ID of its first entry, and the listpack:
 *              live entries, deleted entries, n, field 1 … field n, 0            the master entry
 *              flags, ms difference, seq difference, value 1 … value n, count    an entry with the master's fields (SAME_FIELDS)
 *              flags, ms, seq, m, field 1, value 1 … field m, value m, count     an entry with fields of its own
 *
 * The differences are those of an entry's ID to its block's; `count` is the number of elements of the entry before it, so that a
 * block can be read backwards too. A deleted entry is only flagged, its block goes when the last live one does. When a block is full
 * (stream-node-max-bytes, stream-node-max-entries) is decided as in Redis, because trimming with `~` removes whole blocks.
 *
 * `StreamCursor` walks a range of entries in either direction. It is good until the stream is changed.
 */

import type { Args } from "../../bytes/args.ts";
import type { CopyableCollection } from "../record.ts";
import { Slab } from "../slab.ts";
import { Int64 } from "./int64.ts";
import * as listpack from "./listpack.ts";
import { Elements, ListpackCursor } from "./listpack.ts";
import { Block, BlockList, DELETED, FIXED_ELEMENTS, SAME_FIELDS } from "./stream_block.ts";
import { radixNodes } from "./stream_radix.ts";
import { type Counter, counterDifference, Group, incremented, inOrder, UNKNOWN } from "./stream_group.ts";
import { MAX_ID, MIN_ID, StreamId } from "./stream_id.ts";
import { Ledger } from "./stream_pending.ts";

/** Longest block, and most bytes of fields and values of one entry. */
const MAX_BYTES = 1 << 30;
const FIRST_CAPACITY = 128;
/** A stream of so many blocks can afford a new one with all the room it will need: growing by and by costs copies. */
const MANY_BLOCKS = 16;
/** Blocks that are freed at the price of so many elements. */
const BLOCK_BUDGET = 8;
/** What the objects of a stream cost, roughly. */
const STREAM_OVERHEAD = 400;

/** Shared by all streams without groups; never written to. */
const NO_GROUPS: Map<string, Group> = new Map();

const element = new ListpackCursor();
const entry = new Elements();
const edge = new StreamId();
const msDelta = new Int64();
const seqDelta = new Int64();

/** What trimming goes by. */
export interface Trimming {
  /** Keep so many entries; -1 to go by `minId`. */
  maxLength: number;
  /** Keep the entries from this ID on. */
  readonly minId: StreamId;
  /** Whole blocks only. */
  approximate: boolean;
  /** Most entries to remove, 0 for any number. */
  limit: number;
}

export class Stream implements CopyableCollection {
  /** Entries. */
  count = 0;
  readonly firstId: StreamId = new StreamId();
  readonly lastId: StreamId = new StreamId();
  readonly maxDeletedId: StreamId = new StreamId();
  /** Entries ever added; unsigned. */
  entriesAdded: Counter = 0;
  #groups = NO_GROUPS;
  /** Nodes of Redis's tree for these blocks, -1 when not known. */
  #radixNodes = -1;
  #overhead = STREAM_OVERHEAD;
  #ledger: Ledger | null = null;

  /** `slab`: where the memory besides the blocks is accounted. */
  constructor(readonly slab: Slab, readonly blocks: BlockList = new BlockList(slab)) {
    slab.account(STREAM_OVERHEAD);
  }

  /** The account of the groups. */
  get #groupLedger(): Ledger {
    return this.#ledger ??= new Ledger(this.slab);
  }

  // ---- Entries -----------------------------------------------------------------------------------------------------------------

  /** Whether fields and values in arguments `from` to the last are together too long for a block. */
  static isTooLong(a: Args, from: number): boolean {
    return contentLength(a, from) > MAX_BYTES;
  }

  /** Appends an entry with an ID greater than `lastId`; fields and values are the arguments from `from` on. */
  append(
    id: StreamId,
    a: Args,
    from: number,
    limits: { streamNodeMaxBytes: number; streamNodeMaxEntries: number },
  ): void {
    const pairs = (a.argc - from) >> 1;
    const { blocks } = this;
    let block = tail;
    const last = blocks.length - 1;
    if (last < 0) {
      block = this.#newBlock(id, FIRST_CAPACITY);
      writeMaster(block, a, from, pairs);
    } else if (isFull(block.open(blocks, last), contentLength(a, from), limits)) {
      const { len } = block;
      block.trim();
      block = this.#newBlock(id, last < MANY_BLOCKS ? FIRST_CAPACITY : len);
      writeMaster(block, a, from, pairs);
    } else {
      block.own();
      listpack.addTo(block, listpack.first(block), 1);
    }
    const same = hasMasterFields(block, a, from, pairs);
    if (id.compare(block.id) < 0) block.setGoesBack();
    id.difference(block.id, msDelta, seqDelta);
    entry.addNumber(same ? SAME_FIELDS : 0);
    entry.addInt(msDelta);
    entry.addInt(seqDelta);
    if (!same) entry.addNumber(pairs);
    for (let i = from; i < a.argc; i += 2) {
      if (!same) entry.add(a.buf, a.off[i], a.len[i]);
      entry.add(a.buf, a.off[i + 1], a.len[i + 1]);
    }
    entry.addNumber(FIXED_ELEMENTS + (same ? pairs : pairs * 2 + 1));
    entry.appendTo(block);
    this.count++;
    this.entriesAdded = incremented(this.entriesAdded);
    this.lastId.copy(id);
    if (this.count === 1) this.firstId.copy(id);
  }

  #newBlock(id: StreamId, capacity: number): Block {
    const { blocks } = this;
    const index = blocks.indexOf(id);
    // Only a stream that goes back can have a block with this ID.
    if (index >= 0 && tail.open(blocks, index).id.equals(id)) this.#removeBlock(index);
    this.#radixNodes = -1;
    const block = tail.create(blocks, blocks.indexOf(id) + 1, id, Math.max(capacity, listpack.EMPTY_BYTES));
    listpack.create(block);
    return block;
  }

  /**
   * Puts a block with a copy of that listpack in its place; null if there is one with its ID. The counters are the caller's business.
   * The block is void when the stream is used.
   */
  addBlock(id: StreamId, buf: Uint8Array, off: number, len: number): Block | null {
    const { blocks } = this;
    const index = blocks.indexOf(id) + 1;
    if (index > 0 && tail.open(blocks, index - 1).id.equals(id)) return null;
    this.#radixNodes = -1;
    tail.create(blocks, index, id, len).write(buf, off, len);
    return tail;
  }

  #removeBlock(index: number): void {
    this.blocks.remove(index);
    this.#radixNodes = -1;
  }

  has(id: StreamId): boolean {
    return probe.start(this, id, id).next();
  }

  /** Deletes an entry; false if there is none. `refreshFirst` must follow if it was the first. */
  delete(id: StreamId): boolean {
    if (!probe.start(this, id, id).next()) return false;
    const block = tail.open(this.blocks, probe.block);
    if (block.live === 1) this.#removeBlock(probe.block);
    else {
      block.own();
      listpack.replaceInt(block, probe.entry, probe.flags | DELETED);
      block.moveToDeleted(1);
    }
    this.count--;
    if (id.compare(this.maxDeletedId) > 0) this.maxDeletedId.copy(id);
    return true;
  }

  /** Finds `firstId` anew. */
  refreshFirst(): void {
    if (this.count === 0) this.firstId.setMin();
    else this.findEdge(this.firstId, true, false);
  }

  /** Puts the ID of the first or last entry into `into`; without entries that of the greatest or least ID. */
  findEdge(into: StreamId, first: boolean, deletedToo: boolean): void {
    probe.start(this, MIN_ID, MAX_ID, !first);
    probe.deletedToo = deletedToo;
    if (probe.next()) into.copy(probe.id);
    else if (first) into.setMax();
    else into.setMin();
  }

  /** Removes entries from the beginning; returns how many. */
  trim(to: Trimming): number {
    const { blocks } = this;
    const { maxLength, minId, limit } = to;
    const byLength = maxLength >= 0;
    let removed = 0;
    let whole = 0;
    let inside = false;
    while (whole < blocks.length && !(byLength && this.count <= maxLength)) {
      const block = tail.open(blocks, whole);
      const { live } = block;
      if (limit > 0 && removed + live > limit) break;
      if (byLength ? this.count - live < maxLength : lastIn(block).compare(minId) >= 0) {
        inside = !to.approximate;
        break;
      }
      whole++;
      this.count -= live;
      removed += live;
    }
    if (whole > 0) {
      blocks.removeFirst(whole);
      this.#radixNodes = -1;
    }
    if (inside) removed += this.#trimFirstBlock(to);
    if (this.count === 0) this.firstId.setMin();
    else if (removed > 0) this.refreshFirst();
    return removed;
  }

  /** Flags entries of the first block, in which not all are to go; returns how many. */
  #trimFirstBlock({ maxLength, minId }: Trimming): number {
    const block = tail.open(this.blocks, 0);
    block.own();
    let removed = 0;
    probe.start(this, MIN_ID, MAX_ID);
    while (probe.next() && probe.block === 0) {
      if (maxLength >= 0 ? this.count <= maxLength : probe.id.compare(minId) >= 0) break;
      listpack.replaceInt(block, probe.entry, probe.flags | DELETED);
      removed++;
      this.count--;
    }
    if (removed > 0) block.moveToDeleted(removed);
    return removed;
  }

  // ---- Groups ------------------------------------------------------------------------------------------------------------------

  /** Adds a group that is not there yet. */
  addGroup(name: string): Group {
    const group = new Group(name, this.#groupLedger);
    this.#setGroup(group);
    return group;
  }

  #setGroup(group: Group): void {
    if (this.#groups === NO_GROUPS) this.#groups = new Map();
    this.#groups.set(group.name, group);
  }

  get groups(): ReadonlyMap<string, Group> {
    return this.#groups;
  }

  removeGroup(group: Group): void {
    this.#groups.delete(group.name);
    group.drop();
  }

  groupsInOrder(): Group[] {
    return inOrder(this.groups);
  }

  /** Whether an entry with that ID or a later one may have been deleted. */
  hasDeletedFrom(id: StreamId): boolean {
    const { maxDeletedId } = this;
    if (this.count === 0 || maxDeletedId.isMin) return false;
    if (this.firstId.compare(maxDeletedId) > 0) return false;
    return id.compare(maxDeletedId) <= 0;
  }

  /** How many entries were ever added up to that ID; UNKNOWN when that cannot be said. */
  entriesUpTo(id: StreamId): Counter {
    const { entriesAdded } = this;
    if (entriesAdded === 0) return 0;
    const toLast = id.compare(this.lastId);
    if (toLast === 0 || (this.count === 0 && toLast < 0)) return entriesAdded;
    if (toLast > 0) return UNKNOWN;
    if (this.maxDeletedId.isMin || this.maxDeletedId.compare(this.firstId) < 0) {
      const toFirst = id.compare(this.firstId);
      if (toFirst < 0) return counterDifference(entriesAdded, this.count);
      if (toFirst === 0) return counterDifference(entriesAdded, this.count - 1);
    }
    return UNKNOWN;
  }

  /** Entries that a group has not been given yet; null when that cannot be said. */
  lag(group: Group): Counter | null {
    if (this.entriesAdded === 0) return 0;
    if (group.entriesRead !== UNKNOWN && !this.hasDeletedFrom(group.lastId)) {
      return counterDifference(this.entriesAdded, group.entriesRead);
    }
    const read = this.entriesUpTo(group.lastId);
    return read === UNKNOWN ? null : counterDifference(this.entriesAdded, read);
  }

  /** The group has been given the entry with that ID, which is beyond its last one. */
  advance(group: Group, id: StreamId): void {
    if (group.entriesRead !== UNKNOWN && !this.hasDeletedFrom(id)) {
      group.entriesRead = incremented(group.entriesRead);
    } else if (this.entriesAdded !== 0) group.entriesRead = this.entriesUpTo(id);
    group.lastId.copy(id);
  }

  // ---- As a whole --------------------------------------------------------------------------------------------------------------

  /** Nodes of the radix tree in which Redis would hold the blocks (XINFO STREAM). */
  get radixNodes(): number {
    if (this.#radixNodes < 0) this.#radixNodes = radixNodes(this.blocks);
    return this.#radixNodes;
  }

  copy(): Stream {
    return this.#copyRest(new Stream(this.blocks.slab, this.blocks.copy()), false);
  }

  /**
   * The stream as it is now, for a snapshot that writes it bit by bit: a twin that shares blocks and pending entries and must not be
   * changed. What is changed of this one later is copied first. The twin must be released.
   */
  share(): Stream {
    // What is shared is accounted here, and nowhere else.
    return this.#copyRest(new Stream(new Slab(), this.blocks.share()), true);
  }

  /** Copies all but the blocks. */
  #copyRest(copy: Stream, shared: boolean): Stream {
    copy.count = this.count;
    copy.firstId.copy(this.firstId);
    copy.lastId.copy(this.lastId);
    copy.maxDeletedId.copy(this.maxDeletedId);
    copy.entriesAdded = this.entriesAdded;
    for (const group of this.groups.values()) copy.#setGroup(group.copy(copy.#groupLedger, shared));
    return copy;
  }

  release(budget = Infinity): boolean {
    this.#ledger?.add(-this.#ledger.bytes);
    this.slab.account(-this.#overhead);
    this.#overhead = 0;
    this.#groups = NO_GROUPS;
    return this.blocks.release(budget / BLOCK_BUDGET);
  }

  memory(): number {
    return this.#overhead + (this.#ledger === null ? 0 : this.#ledger.bytes) + this.blocks.bytes;
  }
}

/** The block that is being added or changed. */
const tail = new Block();

/** Walks the entries of a range of IDs, both ends included. */
export class StreamCursor {
  /** ID of the entry that `next` has gone to. */
  readonly id: StreamId = new StreamId();
  /** Number of its fields. */
  fields = 0;
  /** Field and value that `nextField` has read, as texts. */
  readonly field: ListpackCursor = new ListpackCursor();
  readonly value: ListpackCursor = new ListpackCursor();
  /** Deleted entries are not passed over. */
  deletedToo = false;
  flags = 0;
  /** Index of the block, and offset of the entry's flags in it. */
  block = 0;
  entry = 0;

  readonly #from = new StreamId();
  readonly #to = new StreamId();
  #stream: Stream | null = null;
  #backwards = false;
  /** The block that is being read, if `#isOpen`: it is not before the first entry and after the last of a block. */
  readonly #current = new Block();
  #isOpen = false;
  #masterFields = 0;
  #master = 0;
  /** Offset of what is to be read next of the entry: forwards of its content, and how many elements are left up to the next entry. */
  #at = 0;
  #left = 0;
  /** Where the next field is, when the fields are the master's. */
  #fieldAt = 0;

  start(stream: Stream, from: StreamId, to: StreamId, backwards = false): this {
    this.#stream = stream;
    this.#from.copy(from);
    this.#to.copy(to);
    this.#backwards = backwards;
    this.#isOpen = false;
    this.deletedToo = false;
    const { blocks } = stream;
    const index = blocks.indexOf(backwards ? to : from);
    if (!backwards) this.block = Math.max(index, 0) - 1;
    else this.block = index < 0 && blocks.mayGoBack ? blocks.length : index + 1;
    return this;
  }

  /** Goes to the next entry; false at the end of the range. */
  next(): boolean {
    for (;;) {
      if (!(this.#backwards ? this.#previousEntry() : this.#nextEntry())) {
        this.#isOpen = false;
        if (!this.#openBlock()) return false;
        continue;
      }
      if (this.flags & DELETED && !this.deletedToo) continue;
      if (this.#backwards) {
        if (this.id.compare(this.#to) > 0) continue;
        return this.id.compare(this.#from) >= 0;
      }
      if (this.id.compare(this.#from) < 0) continue;
      return this.id.compare(this.#to) <= 0;
    }
  }

  /** Makes the next block the current one; false when there are no more, or only ones beyond the range. */
  #openBlock(): boolean {
    const { blocks } = this.#stream!;
    this.block += this.#backwards ? -1 : 1;
    if (this.block < 0 || this.block >= blocks.length) {
      this.block -= this.#backwards ? -1 : 1;
      return false;
    }
    const block = this.#current.open(blocks, this.block);
    this.#isOpen = true;
    const at = masterAt(block);
    this.#masterFields = listpack.numberAt(block, at);
    this.#master = listpack.next(block, at);
    if (this.#backwards) this.entry = block.len - 1;
    else {
      this.#at = this.#master;
      this.#left = this.#masterFields + 1;
    }
    return true;
  }

  #nextEntry(): boolean {
    if (!this.#isOpen) return false;
    const block = this.#current;
    const entry = skip(block, this.#at, this.#left);
    if (entry === -1) return false;
    this.#read(block, entry);
    this.#left = 1 + (this.flags & SAME_FIELDS ? this.fields : this.fields * 2);
    return true;
  }

  #previousEntry(): boolean {
    if (!this.#isOpen) return false;
    const block = this.#current;
    let at = listpack.previous(block, this.entry);
    let elements = listpack.numberAt(block, at);
    if (elements === 0) return false;
    while (elements-- > 0) at = listpack.previous(block, at);
    this.#read(block, at);
    return true;
  }

  #read(block: Block, entry: number): void {
    this.entry = entry;
    let at = listpack.read(block, entry, element);
    this.flags = element.value.lo;
    at = listpack.read(block, at, element);
    msDelta.copy(element.value);
    at = listpack.read(block, at, element);
    this.id.setSum(block.id, msDelta, element.value);
    if (this.flags & SAME_FIELDS) {
      this.fields = this.#masterFields;
      this.#fieldAt = this.#master;
    } else {
      at = listpack.read(block, at, element);
      this.fields = element.value.number;
    }
    this.#at = at;
  }

  /** Reads the next field and value of the entry into `field` and `value`. */
  nextField(): void {
    const block = this.#current;
    if (this.flags & SAME_FIELDS) {
      this.#fieldAt = listpack.readText(block, this.#fieldAt, this.field);
      this.#left--;
    } else {
      this.#at = listpack.readText(block, this.#at, this.field);
      this.#left -= 2;
    }
    this.#at = listpack.readText(block, this.#at, this.value);
  }
}

/** For looking up single entries. */
const probe = new StreamCursor();

function isFull(
  block: Block,
  added: number,
  limits: { streamNodeMaxBytes: number; streamNodeMaxEntries: number },
): boolean {
  const { streamNodeMaxBytes: bytes, streamNodeMaxEntries: entries } = limits;
  if (block.len + added >= (bytes === 0 || bytes > MAX_BYTES ? MAX_BYTES : bytes)) return true;
  return entries > 0 && block.live + block.deleted >= entries;
}

function contentLength(a: Args, from: number): number {
  let bytes = 0;
  for (let i = from; i < a.argc; i++) bytes += a.len[i];
  return bytes;
}

/** The master entry of a new block that will have one entry. */
function writeMaster(block: Block, a: Args, from: number, pairs: number): void {
  listpack.appendInt(block, 1);
  listpack.appendInt(block, 0);
  listpack.appendInt(block, pairs);
  for (let i = from; i < a.argc; i += 2) listpack.append(block, a.buf, a.off[i], a.len[i]);
  listpack.appendInt(block, 0);
}

function hasMasterFields(block: Block, a: Args, from: number, pairs: number): boolean {
  let at = masterAt(block);
  if (listpack.numberAt(block, at) !== pairs) return false;
  at = listpack.next(block, at);
  for (let i = from; i < a.argc; i += 2) {
    if (!listpack.equals(block, at, a.buf, a.off[i], a.len[i])) return false;
    at = listpack.next(block, at);
  }
  return true;
}

/** Offset of the master entry's number of fields. */
function masterAt(block: Block): number {
  return listpack.next(block, listpack.next(block, listpack.first(block)));
}

/** ID of the last entry of a block, deleted ones included; overwritten by the next call. */
function lastIn(block: Block): StreamId {
  let at = listpack.last(block);
  let elements = listpack.numberAt(block, at);
  while (elements-- > 0) at = listpack.previous(block, at);
  at = listpack.read(block, listpack.next(block, at), element);
  msDelta.copy(element.value);
  listpack.read(block, at, element);
  edge.setSum(block.id, msDelta, element.value);
  return edge;
}

/** The offset `elements` elements further, -1 at the end. */
function skip(block: Block, at: number, elements: number): number {
  while (elements-- > 0 && at !== -1) at = listpack.next(block, at);
  return at;
}
