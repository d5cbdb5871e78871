/**
 * Slab: the byte memory in which all keys and values live, so that the garbage collector never sees them.
 *
 * Memory is a set of 256 KiB pages. A page holds blocks of one size class; a block is named by a 4-byte `ref`
 * (page number << 15 | granule within the page; a granule is 8 bytes), so 2^17 pages give 32 GiB. Ref 0 is "none":
 * page 0 is never handed out.
 *
 *   size classes   8, 16, … 256 bytes, then 16 steps to each doubling (at most 6 % is lost to rounding) up to 4 KiB; above, a page is
 *                  divided evenly into 63, 62, … 16 blocks of up to 16 KiB, so that no page ends in a large rest
 *   page           class, blocks in use, head of its free list (linked through the blocks' first word), bump pointer
 *   class          doubly linked list of its pages that have room; a page leaves the list when full
 *
 * A page whose last block is freed goes back to the pool and can serve any class, so a change of workload does not strand
 * memory (the idea of mimalloc's pages: a free list per page, not per class). A class keeps its last page while nobody else needs it: a
 * value that grows by and by passes through dozens of classes, and must not leave a page behind in each. Nothing is ever copied to grow.
 *
 * What is too long for a block lives in a `Uint8Array` of its own, named by a handle (`newLarge`); JavaScript objects
 * that stand for a whole collection are named by handles too (`newObject`).
 *
 * `used` counts the bytes of live blocks (with rounding) and of large values: it is what `used_memory` reports.
 */

/** A ref is `page << PAGE_BITS | granule`. */
export const PAGE_BITS = 15;
/** The granule in a ref. */
export const IN_PAGE = (1 << PAGE_BITS) - 1;
const PAGE_GRANULES = 1 << PAGE_BITS;
const PAGE_BYTES = PAGE_GRANULES * 8;
/** Up to here sizes have steps in proportion; larger blocks are parts of a page. */
const STEPPED_GRANULES = 512;
const MAX_GRANULES = 2048;
/** Longest block in bytes. */
export const MAX_BLOCK = MAX_GRANULES * 8;
/** What a large value or an object costs beside its own bytes (array object, buffer object, table slot). */
export const HANDLE_OVERHEAD = 48;
/** Empty pages kept for the next allocation instead of being returned to the system. */
const SPARE_PAGES = 16;

const classGranules: number[] = [];
for (let size = 1; size <= 16; size++) classGranules.push(size);
for (let base = 16; base < STEPPED_GRANULES; base *= 2) {
  for (let step = 1; step <= 16; step++) classGranules.push(base + (base / 16) * step);
}
for (let parts = PAGE_GRANULES / STEPPED_GRANULES - 1; parts >= PAGE_GRANULES / MAX_GRANULES; parts--) {
  classGranules.push(Math.floor(PAGE_GRANULES / parts));
}
/** Size class of a number of granules. */
const classOf = new Uint8Array(MAX_GRANULES + 1);
for (let size = 1, cls = 0; size <= MAX_GRANULES; size++) {
  if (size > classGranules[cls]) cls++;
  classOf[size] = cls;
}
const classSize = Int32Array.from(classGranules);
const classCapacity = classSize.map((size) => Math.floor(PAGE_GRANULES / size));

const NO_BYTES = new Uint8Array(0);
const NO_WORDS = new Int32Array(0);
const NO_DOUBLES = new Float64Array(0);

export class Slab {
  /** The pages' bytes, and the same memory as 32-bit words and as doubles (one to a granule). Index with `ref >>> 15`. */
  readonly bytes: Uint8Array[] = [NO_BYTES];
  readonly words: Int32Array[] = [NO_WORDS];
  readonly doubles: Float64Array[] = [NO_DOUBLES];
  /** Bytes of live blocks and large values. */
  used = 0;
  /**
   * Bytes of pages and large values that were given up and not needed again since. The system gets them back when the runtime collects
   * garbage, of which it sees no need while little else is allocated. Whoever has it do so sets this to 0.
   */
  givenUp = 0;

  /** Large values by handle; a handle is an index. `null` where free. */
  readonly large: Uint8Array[] = [NO_BYTES];
  /** Collections by handle. */
  readonly objects: (object | null)[] = [null];
  #freeLarge: number[] = [];
  #freeObjects: number[] = [];
  /** Counts the calls of `keep`: what notes the count when it is made is told from what a reader has found there. */
  epoch = 0;
  /** How many `keep` there are without `letGo`, and what is freed after the last. */
  #readers = 0;
  #waiting: number[] = [];
  #waitingLarge: number[] = [];

  // One element per page. They double with the number of pages: 2^17 pages at most, so copying them is nothing.
  #pageClass = new Uint8Array(64);
  #pageUsed = new Int32Array(64);
  #pageFree = new Int32Array(64);
  #pageBump = new Int32Array(64);
  #pageNext = new Int32Array(64);
  #pagePrevious = new Int32Array(64);
  /** First page with room of each class, 0 for none. */
  #classPage = new Int32Array(classSize.length);
  /** Pages of no class: those that still have memory, and page numbers without. */
  #sparePages: number[] = [];
  #freeNumbers: number[] = [];
  #livePages = 0;

  /** A block of at least `size` bytes (1 … MAX_BLOCK); its content is arbitrary. */
  allocate(size: number): number {
    const cls = classOf[(size + 7) >>> 3];
    let page = this.#classPage[cls];
    if (page === 0) page = this.#addPage(cls);
    let ref = this.#pageFree[page];
    if (ref !== 0) {
      this.#pageFree[page] = this.words[page][(ref & IN_PAGE) << 1];
    } else {
      const bump = this.#pageBump[page];
      this.#pageBump[page] = bump + classSize[cls];
      ref = (page << PAGE_BITS) | bump;
    }
    if (++this.#pageUsed[page] === classCapacity[cls]) this.#unlinkPage(page, cls);
    this.used += classSize[cls] << 3;
    return ref;
  }

  free(ref: number): void {
    const page = ref >>> PAGE_BITS;
    const cls = this.#pageClass[page];
    this.words[page][(ref & IN_PAGE) << 1] = this.#pageFree[page];
    this.#pageFree[page] = ref;
    this.used -= classSize[cls] << 3;
    const used = this.#pageUsed[page]--;
    if (used === classCapacity[cls]) this.#linkPage(page, cls);
    if (used === 1) this.#releasePage(page, cls);
  }

  /** Bytes that the block can hold. */
  capacity(ref: number): number {
    return classSize[this.#pageClass[ref >>> PAGE_BITS]] << 3;
  }

  /** Bytes that a block for `size` bytes takes. */
  static rounded(size: number): number {
    return classSize[classOf[(size + 7) >>> 3]] << 3;
  }

  /** Takes over `value`; returns its handle. */
  newLarge(value: Uint8Array): number {
    this.used += value.length + HANDLE_OVERHEAD;
    this.givenUp = Math.max(0, this.givenUp - value.length);
    const handle = this.#freeLarge.pop() ?? this.large.length;
    this.large[handle] = value;
    return handle;
  }

  /** Puts another large value under the same handle. */
  replaceLarge(handle: number, value: Uint8Array): void {
    const more = value.length - this.large[handle].length;
    this.used += more;
    this.givenUp = Math.max(0, this.givenUp - more);
    this.large[handle] = value;
  }

  freeLarge(handle: number): void {
    this.used -= this.large[handle].length + HANDLE_OVERHEAD;
    this.givenUp += this.large[handle].length;
    this.large[handle] = NO_BYTES;
    this.#freeLarge.push(handle);
  }

  /** Keeps a collection's object; returns its handle. What it holds outside the slab it must `account` for itself. */
  newObject(value: object): number {
    this.used += HANDLE_OVERHEAD;
    const handle = this.#freeObjects.pop() ?? this.objects.length;
    this.objects[handle] = value;
    return handle;
  }

  freeObject(handle: number): void {
    this.used -= HANDLE_OVERHEAD;
    this.objects[handle] = null;
    this.#freeObjects.push(handle);
  }

  /** From now on until `letGo`, what `freeShared` and `freeSharedLarge` are given stays as it is. */
  keep(): void {
    this.#readers++;
    this.epoch++;
  }

  /** Returns what can be freed now, if anything: it may be much, so that is up to the caller. */
  letGo(): Leftovers | null {
    if (--this.#readers > 0 || this.#waiting.length + this.#waitingLarge.length === 0) return null;
    const left = new Leftovers(this, this.#waiting, this.#waitingLarge);
    this.#waiting = [];
    this.#waitingLarge = [];
    return left;
  }

  /** Somebody may still read what its owner has no use for. */
  get isRead(): boolean {
    return this.#readers > 0;
  }

  /** Frees a block that somebody may still be reading (`keep`). It does not count as used any more. */
  freeShared(ref: number): void {
    if (this.#readers === 0) return this.free(ref);
    this.used -= this.capacity(ref);
    this.#waiting.push(ref);
  }

  freeSharedLarge(handle: number): void {
    if (this.#readers === 0) return this.freeLarge(handle);
    this.used -= this.large[handle].length + HANDLE_OVERHEAD;
    this.#waitingLarge.push(handle);
  }

  /** Counts memory that a collection holds outside the slab (typed arrays of its own); negative when it lets go. */
  account(bytes: number): void {
    this.used += bytes;
  }

  /** Drops everything at once, without visiting it; all refs and handles become invalid. Some pages remain as spare ones. */
  reset(): void {
    const before = this.reserved;
    for (const value of this.large) this.givenUp += value.length;
    let kept = 0;
    for (let page = 1; page < this.bytes.length && kept < SPARE_PAGES; page++) {
      if (this.bytes[page] === NO_BYTES) continue;
      kept++;
      this.bytes[kept] = this.bytes[page];
      this.words[kept] = this.words[page];
      this.doubles[kept] = this.doubles[page];
    }
    this.bytes.length = kept + 1;
    this.words.length = kept + 1;
    this.doubles.length = kept + 1;
    this.large.length = 1;
    this.objects.length = 1;
    this.#freeLarge = [];
    this.#freeObjects = [];
    this.#waiting = [];
    this.#waitingLarge = [];
    this.#classPage.fill(0);
    this.#sparePages = Array.from({ length: kept }, (_, i) => kept - i);
    this.#freeNumbers = [];
    this.#livePages = 0;
    this.givenUp += before - this.reserved;
    this.used = 0;
  }

  /** Bytes of memory that the pages hold, used or not. */
  get reserved(): number {
    return (this.#livePages + this.#sparePages.length) * PAGE_BYTES;
  }

  /** Gives all empty pages back to the system (MEMORY PURGE). */
  purge(): void {
    for (let page = this.#takeEmptyPage(); page !== 0; page = this.#takeEmptyPage()) this.#dropPage(page);
    for (const page of this.#sparePages) this.#dropPage(page);
    this.#sparePages.length = 0;
  }

  #addPage(cls: number): number {
    let page = this.#sparePages.pop() ?? this.#takeEmptyPage();
    if (page === 0) {
      const memory = new ArrayBuffer(PAGE_BYTES);
      this.givenUp = Math.max(0, this.givenUp - PAGE_BYTES);
      page = this.#freeNumbers.pop() ?? this.bytes.length;
      if (page >= 1 << 17) throw new RangeError("slab memory is exhausted (32 GiB)");
      this.bytes[page] = new Uint8Array(memory);
      this.words[page] = new Int32Array(memory);
      this.doubles[page] = new Float64Array(memory);
      if (page === this.#pageClass.length) this.#growPageTable();
    }
    this.#livePages++;
    this.#pageClass[page] = cls;
    this.#pageUsed[page] = 0;
    this.#pageFree[page] = 0;
    this.#pageBump[page] = 0;
    this.#linkPage(page, cls);
    return page;
  }

  /** Takes away from a class the empty page that it has kept; 0 if there is none. */
  #takeEmptyPage(): number {
    for (let cls = 0; cls < classSize.length; cls++) {
      const page = this.#classPage[cls];
      if (page !== 0 && this.#pageUsed[page] === 0) {
        this.#unlinkPage(page, cls);
        this.#livePages--;
        return page;
      }
    }
    return 0;
  }

  #releasePage(page: number, cls: number): void {
    // The class keeps its last page until another one needs it: alternating allocate and free of one block must not churn pages.
    if (this.#classPage[cls] === page && this.#pageNext[page] === 0) return;
    this.#unlinkPage(page, cls);
    this.#livePages--;
    if (this.#sparePages.length < SPARE_PAGES) this.#sparePages.push(page);
    else this.#dropPage(page);
  }

  #dropPage(page: number): void {
    this.bytes[page] = NO_BYTES;
    this.words[page] = NO_WORDS;
    this.doubles[page] = NO_DOUBLES;
    this.givenUp += PAGE_BYTES;
    this.#freeNumbers.push(page);
  }

  #linkPage(page: number, cls: number): void {
    const first = this.#classPage[cls];
    this.#pagePrevious[page] = 0;
    this.#pageNext[page] = first;
    if (first !== 0) this.#pagePrevious[first] = page;
    this.#classPage[cls] = page;
  }

  #unlinkPage(page: number, cls: number): void {
    const next = this.#pageNext[page];
    const previous = this.#pagePrevious[page];
    if (next !== 0) this.#pagePrevious[next] = previous;
    if (previous !== 0) this.#pageNext[previous] = next;
    else this.#classPage[cls] = next;
  }

  #growPageTable(): void {
    const double = (old: Int32Array) => {
      const grown = new Int32Array(old.length * 2);
      grown.set(old);
      return grown;
    };
    const classes = new Uint8Array(this.#pageClass.length * 2);
    classes.set(this.#pageClass);
    this.#pageClass = classes;
    this.#pageUsed = double(this.#pageUsed);
    this.#pageFree = double(this.#pageFree);
    this.#pageBump = double(this.#pageBump);
    this.#pageNext = double(this.#pageNext);
    this.#pagePrevious = double(this.#pagePrevious);
  }
}

/** Blocks and large values that were freed while somebody could still read them. */
export class Leftovers {
  readonly #slab: Slab;
  readonly #refs: number[];
  readonly #handles: number[];

  constructor(slab: Slab, refs: number[], handles: number[]) {
    this.#slab = slab;
    this.#refs = refs;
    this.#handles = handles;
  }

  get count(): number {
    return this.#refs.length + this.#handles.length;
  }

  /** They do not count as used any more. */
  memory(): number {
    return 0;
  }

  /** Frees `budget` of them; true when that was the last. */
  release(budget: number): boolean {
    const slab = this.#slab;
    for (; budget > 0; budget--) {
      const ref = this.#refs.pop();
      if (ref === undefined) break;
      slab.used += slab.capacity(ref);
      slab.free(ref);
    }
    for (; budget > 0; budget--) {
      const handle = this.#handles.pop();
      if (handle === undefined) break;
      slab.used += slab.large[handle].length + HANDLE_OVERHEAD;
      slab.freeLarge(handle);
    }
    return this.count === 0;
  }
}
