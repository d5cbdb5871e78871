/** Histograms of durations: counters, percentiles and limits as in Redis's HdrHistogram. */

import { assertEquals } from "@std/assert";
import { Histogram } from "../../lib/observe/histogram.ts";
import { Seeded } from "../kit/seeded.ts";
import { test } from "../kit/test.ts";

function limits(histogram: Histogram): [number, number][] {
  const found: [number, number][] = [];
  histogram.cumulative((micros, calls) => found.push([micros, calls]));
  return found;
}

test("a microsecond falls into the counter that Redis shows as 1.003", () => {
  const histogram = new Histogram();
  histogram.record(1, 1);
  assertEquals(histogram.percentile(50), 1003);
  assertEquals(histogram.percentile(0), 1000);
  histogram.record(1e9, 1);
  assertEquals(histogram.percentile(100), 1_002_438_655);
});

test("limits double, and only those are told where the count grows", () => {
  const histogram = new Histogram();
  histogram.record(0.5, 2);
  histogram.record(3, 1);
  histogram.record(20, 1);
  histogram.record(5000, 1);
  assertEquals(limits(histogram), [[1, 2], [4, 3], [33, 4], [8454, 5]]);
  histogram.record(10_000_000, 1);
  assertEquals(limits(histogram).at(-1), [1_073_741, 6]);
});

test("each value is kept to two digits", () => {
  const seeded = new Seeded(3);
  for (let i = 0; i < 2000; i++) {
    const nanos = Math.max(1, Math.floor(10 ** (seeded.below(1_000_000) / 1e6 * 9)));
    const histogram = new Histogram();
    histogram.record(nanos / 1000, 1);
    const low = histogram.percentile(0), high = histogram.percentile(100);
    if (!(low <= nanos && nanos <= high && high - low <= nanos / 100)) {
      throw new Error(`${nanos} is shown as ${low} … ${high}`);
    }
  }
});

test("percentiles are those of the sorted values", () => {
  const histogram = new Histogram();
  for (let micros = 1; micros <= 100; micros++) histogram.record(micros / 1000, 1);
  assertEquals([1, 50, 99, 100].map((p) => histogram.percentile(p)), [1, 50, 99, 100]);
});
