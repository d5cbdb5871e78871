/**
 * IdList: IDs in order, each with a few words of its own, for the pending entries of consumer groups and consumers. A list may hold
 * millions: what is added mostly comes last, what is removed may be anywhere.
 *
 *   list    chunks in order, found by binary search over their first IDs
 *   chunk   up to 128 entries in one Int32Array, found by binary search; it begins small and doubles
 *   entry   4 words of ID (ms high, ms low, seq high, seq low), then `extra` words
 *
 * Inserting and removing move at most one chunk's words. A full chunk is halved, unless the new entry comes last; chunks that have become
 * small are joined with a neighbour.
 *
 * A list has one position, which `find`, `seek`, `first`, `last` and `insert` set and `next` and `remove` move on; the entry there is read and
 * written by `word` and `setWord`.
 */

import type { Slab } from "../slab.ts";
import type { StreamId } from "./stream_id.ts";

const ID_WORDS = 4;
const CHUNK_ENTRIES = 128;
const FIRST_ENTRIES = 4;
/** What a list, and a chunk beside its words, cost, roughly. */
const LIST_OVERHEAD = 96;
const CHUNK_OVERHEAD = 128;

/** Account of the memory that a stream holds outside the slab. */
export class Ledger {
  bytes = 0;
  constructor(readonly slab: Slab) {}

  /** Memory was taken, or (negative) given back. */
  add(bytes: number): void {
    this.bytes += bytes;
    this.slab.account(bytes);
  }
}

class Chunk {
  count = 0;
  /** `epoch`: that of the list when the chunk was made. One of an earlier epoch is in a snapshot as well, and must stay as it is. */
  constructor(public words: Int32Array, readonly epoch: number) {}
}

export class IdList {
  count = 0;
  #chunks: Chunk[] = [];
  /** How often the chunks have been shared. */
  #epoch = 0;
  /** Words of an entry. */
  readonly #width: number;
  /** The position: a chunk's index and an entry's in it; at the end, the number of chunks and 0. */
  #chunk = 0;
  #at = 0;

  constructor(readonly ledger: Ledger, extra: number) {
    this.#width = ID_WORDS + extra;
    ledger.add(LIST_OVERHEAD);
  }

  /** Goes to that ID; false, with the position at the first one after it, when it is not there. */
  seek(id: StreamId): boolean {
    const chunks = this.#chunks;
    let low = 0;
    let high = chunks.length;
    // The last chunk that begins at or before the ID.
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compare(chunks[middle].words, 0, id) <= 0) low = middle + 1;
      else high = middle;
    }
    if (low === 0) {
      this.#chunk = this.#at = 0;
      return false;
    }
    const { words, count } = chunks[low - 1];
    let from = 0;
    let to = count;
    while (from < to) {
      const middle = (from + to) >>> 1;
      const order = compare(words, middle * this.#width, id);
      if (order === 0) {
        this.#chunk = low - 1;
        this.#at = middle;
        return true;
      }
      if (order < 0) from = middle + 1;
      else to = middle;
    }
    this.#chunk = from < count ? low - 1 : low;
    this.#at = from < count ? from : 0;
    return false;
  }

  /** Goes to the first entry; false when there is none. */
  first(): boolean {
    this.#chunk = this.#at = 0;
    return this.count > 0;
  }

  /** Goes to the last entry; false when there is none. */
  last(): boolean {
    if (this.count === 0) return this.first();
    this.#chunk = this.#chunks.length - 1;
    this.#at = this.#chunks[this.#chunk].count - 1;
    return true;
  }

  /** True at the end, where there is no entry. */
  get atEnd(): boolean {
    return this.#chunk >= this.#chunks.length;
  }

  next(): void {
    if (++this.#at < this.#chunks[this.#chunk].count) return;
    this.#chunk++;
    this.#at = 0;
  }

  /** The ID at the position. */
  readId(into: StreamId): void {
    const { words } = this.#chunks[this.#chunk];
    const p = this.#at * this.#width;
    into.set(words[p], words[p + 1], words[p + 2], words[p + 3]);
  }

  /** Extra word `i` at the position. */
  word(i: number): number {
    return this.#chunks[this.#chunk].words[this.#at * this.#width + ID_WORDS + i];
  }

  setWord(i: number, value: number): void {
    this.#own(this.#chunk).words[this.#at * this.#width + ID_WORDS + i] = value;
  }

  /** Sets extra words `i` and `i + 1` at the position. */
  setWide(i: number, high: number, low: number): void {
    const { words } = this.#own(this.#chunk);
    const word = this.#at * this.#width + ID_WORDS + i;
    words[word] = high;
    words[word + 1] = low;
  }

  /** Goes to that ID, which is added (its extra words arbitrary) if it is not there; returns whether it was added. */
  insert(id: StreamId): boolean {
    const chunks = this.#chunks;
    const lastChunk = chunks.length - 1;
    if (
      lastChunk < 0 || compare(chunks[lastChunk].words, (chunks[lastChunk].count - 1) * this.#width, id) < 0
    ) this.#placeLast();
    else {
      if (this.seek(id)) return false;
      this.#placeInside(id);
    }
    const chunk = this.#own(this.#chunk);
    const width = this.#width;
    const { words } = this.#grown(chunk);
    const p = this.#at * width;
    if (this.#at < chunk.count) words.copyWithin(p + width, p, chunk.count * width);
    words[p] = id.msHi;
    words[p + 1] = id.msLo;
    words[p + 2] = id.seqHi;
    words[p + 3] = id.seqLo;
    chunk.count++;
    this.count++;
    return true;
  }

  /** Sets the position for an entry after all others. */
  #placeLast(): void {
    const chunks = this.#chunks;
    if (chunks.length === 0 || chunks[chunks.length - 1].count === CHUNK_ENTRIES) {
      this.#addChunk(chunks.length, chunks.length === 0 ? FIRST_ENTRIES : CHUNK_ENTRIES);
    }
    this.#chunk = chunks.length - 1;
    this.#at = chunks[this.#chunk].count;
  }

  /** Sets the position, where `seek` has left it, to one in a chunk with room. */
  #placeInside(id: StreamId): void {
    const chunks = this.#chunks;
    // Between two chunks the earlier one takes the entry.
    if (this.#at === 0 && this.#chunk > 0) {
      this.#chunk--;
      this.#at = chunks[this.#chunk].count;
    }
    if (chunks[this.#chunk].count < CHUNK_ENTRIES) return;
    const chunk = this.#own(this.#chunk);
    const half = CHUNK_ENTRIES >>> 1;
    const width = this.#width;
    const upper = this.#addChunk(this.#chunk + 1, CHUNK_ENTRIES);
    upper.words.set(chunk.words.subarray(half * width, chunk.count * width));
    upper.count = chunk.count - half;
    chunk.count = half;
    if (compare(upper.words, 0, id) < 0) {
      this.#chunk++;
      this.#at -= half;
    }
  }

  /** Removes the entry at the position, which is then that of the next one. */
  remove(): void {
    const chunks = this.#chunks;
    const chunk = this.#own(this.#chunk);
    const width = this.#width;
    const p = this.#at * width;
    chunk.words.copyWithin(p, p + width, chunk.count * width);
    chunk.count--;
    this.count--;
    if (chunk.count === 0) {
      this.#dropChunk(this.#chunk);
      this.#at = 0;
      return;
    }
    if (chunk.count <= CHUNK_ENTRIES >>> 2) {
      if (!this.#join(this.#chunk - 1, true)) this.#join(this.#chunk, false);
    }
    if (this.#at === chunks[this.#chunk].count) {
      this.#chunk++;
      this.#at = 0;
    }
  }

  /** Joins the chunk of that index with the one after it, if both together are small. `follow`: the position is in the latter. */
  #join(index: number, follow: boolean): boolean {
    const chunks = this.#chunks;
    if (index < 0 || index + 1 >= chunks.length) return false;
    const other = chunks[index + 1];
    const count = chunks[index].count + other.count;
    if (count > CHUNK_ENTRIES >>> 1) return false;
    const chunk = this.#own(index);
    const width = this.#width;
    while (chunk.words.length < count * width) this.#resize(chunk, chunk.words.length * 2);
    chunk.words.set(other.words.subarray(0, other.count * width), chunk.count * width);
    if (follow) {
      this.#chunk--;
      this.#at += chunk.count;
    }
    chunk.count = count;
    this.#dropChunk(index + 1);
    return true;
  }

  #addChunk(index: number, entries: number): Chunk {
    const chunk = new Chunk(new Int32Array(entries * this.#width), this.#epoch);
    if (index === this.#chunks.length) this.#chunks.push(chunk);
    else this.#chunks.splice(index, 0, chunk);
    this.ledger.add(chunk.words.byteLength + CHUNK_OVERHEAD);
    return chunk;
  }

  #dropChunk(index: number): void {
    this.ledger.add(-(this.#chunks[index].words.byteLength + CHUNK_OVERHEAD));
    if (index === 0) this.#chunks.shift();
    else this.#chunks.splice(index, 1);
  }

  /** The chunk with room for one more entry. */
  #grown(chunk: Chunk): Chunk {
    if ((chunk.count + 1) * this.#width > chunk.words.length) this.#resize(chunk, chunk.words.length * 2);
    return chunk;
  }

  #resize(chunk: Chunk, length: number): void {
    const words = new Int32Array(length);
    words.set(chunk.words);
    this.ledger.add(words.byteLength - chunk.words.byteLength);
    chunk.words = words;
  }

  /** The chunk of that index, for changing it: one that is shared is replaced by a copy. */
  #own(index: number): Chunk {
    const chunk = this.#chunks[index];
    if (chunk.epoch === this.#epoch) return chunk;
    const copy = new Chunk(chunk.words.slice(), this.#epoch);
    copy.count = chunk.count;
    return this.#chunks[index] = copy;
  }

  /** Takes over all entries of `other`, a list of the same width, without copying them: this one is only read from then on. */
  shareFrom(other: IdList): void {
    this.#chunks = other.#chunks.slice();
    this.count = other.count;
    other.#epoch++;
  }

  /** Gives all memory back; nothing else may be called afterwards. */
  drop(): void {
    for (const chunk of this.#chunks) this.ledger.add(-(chunk.words.byteLength + CHUNK_OVERHEAD));
    this.ledger.add(-LIST_OVERHEAD);
    this.#chunks.length = 0;
  }

  /** Takes over copies of all entries of `other`, a list of the same width; this one must be empty. */
  copyFrom(other: IdList): void {
    for (const chunk of other.#chunks) {
      const copy = this.#addChunk(this.#chunks.length, 0);
      this.#resize(copy, chunk.words.length);
      copy.words.set(chunk.words);
      copy.count = chunk.count;
    }
    this.count = other.count;
  }
}

/** Order of the ID at word `p` and another one. */
function compare(words: Int32Array, p: number, id: StreamId): number {
  if (words[p] !== id.msHi) return (words[p] >>> 0) - (id.msHi >>> 0);
  if (words[p + 1] !== id.msLo) return (words[p + 1] >>> 0) - (id.msLo >>> 0);
  if (words[p + 2] !== id.seqHi) return (words[p + 2] >>> 0) - (id.seqHi >>> 0);
  return (words[p + 3] >>> 0) - (id.seqLo >>> 0);
}
