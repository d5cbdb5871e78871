/**
 * Histogram: how long the calls of one command took, for INFO latencystats and LATENCY HISTOGRAM.
 *
 * A histogram with a bounded relative error ("HDR"): nanoseconds from 1 to 10^9 fall into counters whose width grows with the
 * value, so that each value is known to two decimal digits. The first 256 counters are 1 ns wide; every further group of
 * 128 counters covers twice the range of the group before, with twice the width:
 *
 *   group 0: 0 … 255 by 1     group 1: 256 … 511 by 2     group 2: 512 … 1023 by 4     …     group 22: … 2^30 − 1 by 2^22
 *
 * The layout is that of the HdrHistogram library in Redis, because the limits of the counters can be seen in the replies.
 */

const FIRST_GROUP = 256;
const GROUP_BITS = 7;
const GROUP = 1 << GROUP_BITS;
/** Group 0 counts twice, being as long as two. */
const COUNTERS = 24 * GROUP;
const MOST = 1_000_000_000;
/** The first limit in LATENCY HISTOGRAM's reply, in ns; each further one is twice as large. */
const FIRST_LIMIT = 1024;

export class Histogram {
  readonly #counts = new Float64Array(COUNTERS);
  total = 0;

  /** Counts `calls` calls that took so many microseconds each. */
  record(microseconds: number, calls: number): void {
    const nanos = Math.min(MOST, Math.max(1, Math.round(microseconds * 1000)));
    this.#counts[counterOf(nanos)] += calls;
    this.total += calls;
  }

  /** The duration in nanoseconds below which `percentile` percent of the calls were. */
  percentile(percentile: number): number {
    const wanted = Math.max(1, Math.floor(Math.min(percentile, 100) / 100 * this.total + 0.5));
    let seen = 0;
    for (let i = 0; i < COUNTERS; i++) {
      seen += this.#counts[i];
      if (seen >= wanted) return percentile === 0 ? lowest(i) : highest(i);
    }
    return 0;
  }

  /** Calls `each` with a limit in whole microseconds and the number of calls up to it, where that number grows. */
  cumulative(each: (micros: number, calls: number) => void): void {
    let limit = FIRST_LIMIT;
    let seen = 0;
    let told = 0;
    for (let i = 0; i < COUNTERS; i++) {
      seen += this.#counts[i];
      if (lowest(i) < lowest(counterOf(limit))) continue;
      if (seen > told) {
        each(Math.floor(highest(i) / 1000), seen);
        told = seen;
        if (seen === this.total) return;
      }
      limit *= 2;
    }
    if (seen > told) each(Math.floor(highest(COUNTERS - 1) / 1000), seen);
  }
}

function counterOf(nanos: number): number {
  if (nanos < FIRST_GROUP) return nanos;
  const group = 31 - Math.clz32(nanos) - GROUP_BITS;
  return (group << GROUP_BITS) + (nanos >>> group);
}

/** Least and greatest value of a counter. */
function lowest(i: number): number {
  if (i < FIRST_GROUP) return i;
  const group = (i >>> GROUP_BITS) - 1;
  return ((i & (GROUP - 1)) + GROUP) * 2 ** group;
}

function highest(i: number): number {
  return i < FIRST_GROUP ? i : lowest(i) + 2 ** ((i >>> GROUP_BITS) - 1) - 1;
}
