/** Slab memory: blocks never overlap and keep their bytes, `used` is exact, and empty pages come back. */

import { assert, assertEquals } from "@std/assert";
import { MAX_BLOCK, Slab } from "../../lib/store/slab.ts";
import { Xoshiro } from "../../lib/platform/random.ts";
import { test } from "../kit/test.ts";

const PAGE = 256 * 1024;

/** Address of a block: no two live blocks may share a byte between address and address + capacity. */
function address(ref: number): number {
  return (ref >>> 15) * PAGE + (ref & 0x7fff) * 8;
}

function fill(slab: Slab, ref: number, size: number, mark: number): void {
  const bytes = slab.bytes[ref >>> 15];
  const at = (ref & 0x7fff) * 8;
  for (let i = 0; i < size; i++) bytes[at + i] = mark + i;
}

function isFilled(slab: Slab, ref: number, size: number, mark: number): boolean {
  const bytes = slab.bytes[ref >>> 15];
  const at = (ref & 0x7fff) * 8;
  for (let i = 0; i < size; i++) if (bytes[at + i] !== ((mark + i) & 255)) return false;
  return true;
}

test("slab: every size gets a block that holds it and wastes at most a sixteenth", () => {
  const slab = new Slab();
  for (let size = 1; size <= MAX_BLOCK; size++) {
    const before = slab.used;
    const ref = slab.allocate(size);
    const capacity = slab.capacity(ref);
    assert(ref !== 0 && ref >>> 15 !== 0);
    assert(capacity >= size && (capacity <= size + 7 || capacity < size * 1.063), `${capacity} for ${size}`);
    assertEquals(Slab.rounded(size), capacity);
    assertEquals(slab.used - before, capacity);
    assert((ref & 0x7fff) * 8 + capacity <= PAGE);
    slab.free(ref);
    assertEquals(slab.used, before);
  }
});

test("slab: a million random allocations and frees", () => {
  const random = new Xoshiro(21, null);
  const slab = new Slab();
  const refs: number[] = [];
  const sizes: number[] = [];
  const marks: number[] = [];
  let used = 0;
  let growing = true;
  const sizeOf = (step: number) => {
    // The workload changes, so that pages have to change their class.
    const phase = Math.floor(step / 100_000) % 4;
    if (phase === 0) return 1 + random.below(64);
    if (phase === 1) return 1 + random.below(600);
    if (phase === 2) return random.below(50) === 0 ? 1 + random.below(MAX_BLOCK) : 40;
    return 1 + random.below(3000);
  };
  const checkOverlap = () => {
    const order = refs.map((_, i) => i).sort((a, b) => address(refs[a]) - address(refs[b]));
    for (let i = 1; i < order.length; i++) {
      const before = refs[order[i - 1]];
      if (address(before) + slab.capacity(before) > address(refs[order[i]])) throw new Error("blocks overlap");
    }
  };
  for (let step = 0; step < 1_000_000; step++) {
    if (refs.length > 6000) growing = false;
    if (refs.length < 50) growing = true;
    if (refs.length === 0 || random.below(10) < (growing ? 6 : 4)) {
      const size = sizeOf(step);
      const ref = slab.allocate(size);
      refs.push(ref);
      sizes.push(size);
      marks.push(random.below(256));
      fill(slab, ref, Math.min(size, 64), marks[marks.length - 1]);
      used += slab.capacity(ref);
    } else {
      const i = random.below(refs.length);
      if (!isFilled(slab, refs[i], Math.min(sizes[i], 64), marks[i])) {
        throw new Error(`step ${step}: block was overwritten`);
      }
      used -= slab.capacity(refs[i]);
      slab.free(refs[i]);
      const last = refs.length - 1;
      [refs[i], sizes[i], marks[i]] = [refs[last], sizes[last], marks[last]];
      refs.pop();
      sizes.pop();
      marks.pop();
    }
    if (slab.used !== used) throw new Error(`step ${step}: used is ${slab.used}, not ${used}`);
    if (step % 20_000 === 0) checkOverlap();
    assert(slab.reserved >= used);
  }
  checkOverlap();
  for (const ref of refs) slab.free(ref);
  assertEquals(slab.used, 0);
  assert(slab.reserved > 16 * PAGE);
  slab.purge();
  assertEquals(slab.reserved, 0);
  assertEquals(slab.bytes.every((page) => page.length === 0), true);
});

test("slab: a class that is not used any more leaves its page to others", () => {
  const slab = new Slab();
  // A value that grows by and by has been in nearly all classes.
  let ref = slab.allocate(1);
  for (let size = 2; size <= MAX_BLOCK; size++) {
    if (size <= slab.capacity(ref)) continue;
    const grown = slab.allocate(size);
    slab.free(ref);
    ref = grown;
  }
  assert(slab.reserved <= 3 * PAGE, `${slab.reserved / PAGE} pages`);
  fill(slab, ref, MAX_BLOCK, 7);
  // Allocating and freeing a single block takes no page away from anybody.
  const small = slab.allocate(8);
  const { reserved } = slab;
  const again = slab.allocate(100);
  slab.free(again);
  assertEquals(slab.allocate(100), again);
  assert(slab.reserved <= reserved + PAGE);
  assert(isFilled(slab, ref, MAX_BLOCK, 7) && small >>> 15 !== again >>> 15);
});

test("slab: a reset keeps some pages, with nothing in them", () => {
  const slab = new Slab();
  const fillPages = (pages: number) => {
    const refs = [];
    for (let i = 0; i < pages * PAGE / 8192; i++) refs.push(slab.allocate(8192));
    return refs;
  };
  // Page numbers without memory stand before the ones that are kept.
  const refs = fillPages(40);
  for (const ref of refs.slice(0, refs.length / 2)) slab.free(ref);
  slab.reset();
  assertEquals(slab.used, 0);
  assertEquals(slab.reserved, 16 * PAGE);
  const kept = slab.bytes.slice(1);
  assertEquals(kept.map((page) => page.length), Array.from({ length: 16 }, () => PAGE));
  const anew = fillPages(20);
  assertEquals(slab.reserved, 20 * PAGE);
  assertEquals(new Set(anew).size, anew.length);
  for (const [i, ref] of anew.entries()) fill(slab, ref, 8, i);
  for (const [i, ref] of anew.entries()) assert(isFilled(slab, ref, 8, i));
  assertEquals(slab.bytes.slice(1, 17).every((page, i) => page === kept[i]), true);
  for (const ref of anew) assert(slab.words[ref >>> 15].buffer === slab.bytes[ref >>> 15].buffer);
});

test("slab: empty pages serve other sizes, and their memory goes back", () => {
  const slab = new Slab();
  const total = 64 * PAGE;
  for (const size of [16, 1000, 200, 8192, 24]) {
    const refs = [];
    for (let bytes = 0; bytes < total; bytes += Slab.rounded(size)) refs.push(slab.allocate(size));
    const reserved = slab.reserved;
    assert(reserved < total + 32 * PAGE, `${reserved / PAGE} pages for ${size}`);
    for (const ref of refs) slab.free(ref);
    assertEquals(slab.used, 0);
    assert(slab.reserved <= 24 * PAGE, `${slab.reserved / PAGE} pages are kept`);
  }
});

test("slab: large values and objects", () => {
  const slab = new Slab();
  const a = slab.newLarge(new Uint8Array(100_000).fill(1));
  const b = slab.newLarge(new Uint8Array(50_000).fill(2));
  assert(a !== 0 && b !== 0 && a !== b);
  const used = slab.used;
  assert(used >= 150_000 && used < 150_200);
  slab.replaceLarge(a, new Uint8Array(70_000).fill(3));
  assertEquals(slab.used, used - 30_000);
  assertEquals([slab.large[a][0], slab.large[b][0]], [3, 2]);
  slab.freeLarge(a);
  assertEquals(slab.newLarge(new Uint8Array(1)), a);
  slab.freeLarge(a);
  slab.freeLarge(b);
  assertEquals(slab.used, 0);
  const thing = { name: "thing" };
  const handle = slab.newObject(thing);
  assert(handle !== 0 && slab.objects[handle] === thing && slab.used > 0);
  slab.freeObject(handle);
  assertEquals(slab.objects[handle], null);
  assertEquals(slab.used, 0);
});

test("slab: what is given up is counted until it is needed again", () => {
  const slab = new Slab();
  const refs = [];
  for (let i = 0; i < 40 * PAGE / 8192; i++) refs.push(slab.allocate(8192));
  assertEquals(slab.givenUp, 0);
  for (const ref of refs) slab.free(ref);
  // The class keeps a page, and the pool some.
  assertEquals(slab.givenUp, 23 * PAGE);
  for (let i = 0; i < 27 * PAGE / 8192; i++) slab.allocate(8192);
  assertEquals(slab.givenUp, 13 * PAGE);
  slab.freeLarge(slab.newLarge(new Uint8Array(PAGE)));
  assertEquals(slab.givenUp, 13 * PAGE);
  slab.newLarge(new Uint8Array(100 * PAGE));
  assertEquals(slab.givenUp, 0);
  slab.reset();
  assertEquals(slab.givenUp, (100 + 27 - 16) * PAGE);
});
