/** Clocks, random numbers and the process: order and arithmetic, no durations. */

import { assert, assertEquals } from "@std/assert";
import { choosePlatform } from "../../lib/platform/choose.ts";
import { Simulation } from "../../lib/platform/memory.ts";
import { Xoshiro } from "../../lib/platform/random.ts";
import { test } from "../kit/test.ts";

test("real clock: microseconds belong to the millisecond of now, and neither goes back", async () => {
  const { clock } = await choosePlatform();
  let last = 0;
  let lastFine = 0;
  for (let i = 0; i < 20_000; i++) {
    const before = clock.now();
    const micros = clock.nowMicros();
    const after = clock.now();
    const fine = clock.monotonic();
    assert(Number.isInteger(micros) && Number.isInteger(before));
    assert(before * 1000 <= micros && micros < after * 1000 + 1000, `${before} ${micros} ${after}`);
    assert(micros >= last && fine >= lastFine);
    last = micros;
    lastFine = fine;
  }
});

test("real clock: timers run in order, cancelled ones never, soon comes after what waits", async () => {
  const { clock } = await choosePlatform();
  const seen: string[] = [];
  await new Promise<void>((resolve) => {
    clock.after(30, () => {
      seen.push("late");
      resolve();
    });
    clock.after(5, () => seen.push("early"));
    clock.cancel(clock.after(6, () => seen.push("cancelled")));
    clock.soon(() => seen.push("soon"));
    queueMicrotask(() => seen.push("microtask"));
  });
  assertEquals(seen, ["microtask", "soon", "early", "late"]);
  let ticks = 0;
  await new Promise<void>((resolve) => {
    const handle = clock.every(1, () => {
      if (++ticks === 3) {
        clock.cancel(handle);
        resolve();
      }
    });
  });
  assertEquals(ticks, 3);
});

test("simulated clock: events run in the order of their time, then of their making", async () => {
  const world = new Simulation(1);
  const { clock } = world.machine("10.0.0.1").platform();
  const start = clock.now();
  const seen: string[] = [];
  const note = (name: string) => () => void seen.push(`${name}@${clock.now() - start}`);
  clock.after(20, note("c"));
  clock.after(10, note("a"));
  clock.after(10, note("b"));
  clock.cancel(clock.after(15, note("never")));
  clock.soon(note("soon"));
  const ticking = clock.every(8, note("tick"));
  await world.advance(16);
  clock.cancel(ticking);
  assertEquals(seen, ["soon@0", "tick@8", "a@10", "b@10", "tick@16"]);
  await world.advance(100);
  assertEquals(seen.slice(5), ["c@20"]);
  assertEquals([clock.now() - start, clock.nowMicros() - start * 1000], [116, 116_000]);
});

test("simulated clock: promises settle between two events", async () => {
  const world = new Simulation(1);
  const { clock } = world.machine("10.0.0.1").platform();
  const seen: string[] = [];
  const sleep = (ms: number) => new Promise<void>((resolve) => clock.after(ms, resolve));
  const run = async (name: string, ms: number) => {
    for (let i = 0; i < 3; i++) {
      await sleep(ms);
      seen.push(`${name}${clock.monotonic()}`);
    }
  };
  run("x", 2);
  run("y", 3);
  await world.advance(9);
  assertEquals(seen, ["x2", "y3", "x4", "y6", "x6", "y9"]);
});

test("simulated machine: a crash stops its timers, the next boot has its own; skew moves only the wall clock", async () => {
  const world = new Simulation(1);
  const machine = world.machine("10.0.0.1");
  const other = world.machine("10.0.0.2").platform().clock;
  const first = machine.platform().clock;
  const seen: string[] = [];
  first.every(1, () => seen.push("first"));
  await world.advance(2);
  machine.crash();
  machine.skewMs = -5000;
  const second = machine.platform().clock;
  second.after(1, () => seen.push("second"));
  await world.advance(5);
  assertEquals(seen, ["first", "first", "second"]);
  assertEquals(second.now() - other.now(), -5000);
  assertEquals(second.monotonic(), other.monotonic());
});

test("random: xoshiro128** of the reference, from the state 1 2 3 4", () => {
  // The first values of the published generator from that state are known; ours must be the same function.
  const reference = [1, 2, 3, 4];
  const rotate = (x: number, k: number) => (x << k) | (x >>> (32 - k));
  const next = () => {
    const result = Math.imul(rotate(Math.imul(reference[1], 5), 7), 9) >>> 0;
    const t = reference[1] << 9;
    reference[2] ^= reference[0];
    reference[3] ^= reference[1];
    reference[1] ^= reference[2];
    reference[0] ^= reference[3];
    reference[2] ^= t;
    reference[3] = rotate(reference[3], 11);
    return result;
  };
  assertEquals([next(), next(), next(), next()], [11520, 0, 5927040, 70819200]);
});

test("random: the same seed gives the same sequence, neighbouring seeds do not", () => {
  const draw = (random: Xoshiro) => Array.from({ length: 100 }, () => random.u32());
  assertEquals(draw(new Xoshiro(5, null)), draw(new Xoshiro(5, null)));
  const random = new Xoshiro(6, null);
  const first = draw(random);
  assert(draw(new Xoshiro(5, null)).every((value, i) => value !== first[i]));
  random.seed(6);
  assertEquals(draw(random), first);
  assert(draw(new Xoshiro(2 ** 40 + 6, null)).some((value, i) => value !== first[i]));
  assert(draw(new Xoshiro(0, null)).some((value) => value !== 0));
});

test("random: below is uniform, also where a remainder would not be", () => {
  const random = new Xoshiro(11, null);
  const chiSquared = (limit: number, buckets: number, draws: number): number => {
    const counts = new Array<number>(buckets).fill(0);
    for (let i = 0; i < draws; i++) counts[Math.floor(random.below(limit) / limit * buckets)]++;
    const expected = draws / buckets;
    return counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
  };
  // 15 degrees of freedom: 37.7 is passed once in a thousand runs; the seed is fixed.
  for (const limit of [16, 48, 3_000_000_000 - 3_000_000_000 % 16, 2 ** 32, 3 * 2 ** 51]) {
    assert(chiSquared(limit, 16, 40_000) < 37.7, `limit ${limit}`);
  }
  for (let i = 0; i < 2000; i++) {
    const value = random.below(7);
    assert(Number.isInteger(value) && value >= 0 && value < 7);
    const unit = random.unit();
    assert(unit >= 0 && unit < 1);
  }
  assertEquals([random.below(1), random.below(0)], [0, 0]);
});

test("random: a real platform's bytes differ, a simulated one's repeat", async () => {
  const real = (await choosePlatform()).random;
  assert(real.bytes(20).some((byte, i) => byte !== real.bytes(20)[i]));
  assertEquals(real.bytes(100_000).length, 100_000);
  const bytes = () => new Simulation(9).machine("10.0.0.1").platform().random.bytes(20);
  assertEquals(bytes(), bytes());
});

test("real process: what INFO shows is there", async () => {
  const { process } = await choosePlatform();
  assert(/^\S+ \S+ \S+$/.test(process.os), process.os);
  const { rss, heapUsed, heapTotal } = process.memory();
  assert(rss > 1_000_000 && heapUsed > 0 && heapTotal > 0);
  assert(process.totalSystemMemory() > rss);
  assert(process.cpu().user > 0);
  assert(process.id > 0 && process.executable.startsWith("/"));
  assert(process.openFilesLimit() >= 0);
});
