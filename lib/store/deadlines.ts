/**
 * Deadlines: the keys of a database that expire, soonest first: a 4-ary heap in segmented typed arrays, so growing does
 * not copy (but for the first segment, which begins small) and the garbage collector sees nothing. A record knows its place in the
 * heap (`owner.placed`), hence a key that is deleted leaves it in O(log n).
 *
 * An entry's time is a lower bound: when a deadline is put off, only the record changes, and the entry moves when it comes to the top
 * (`settle`). So a cache that renews its keys' TTLs at each access pays nothing here.
 *
 *   times   f64 ms since 1970      refs   record of the key; children of i are 4i+1 … 4i+4
 */

const SEGMENT_BITS = 13;
const SEGMENT = 1 << SEGMENT_BITS;
const IN_SEGMENT = SEGMENT - 1;
const FIRST_SIZE = 64;

export interface DeadlineOwner {
  /** The entry of `ref` is now at `index`. */
  placed(ref: number, index: number): void;
}

export class Deadlines {
  count = 0;
  #times: Float64Array[] = [];
  #refs: Int32Array[] = [];

  constructor(readonly owner: DeadlineOwner) {}

  /** Time of the top entry, Infinity when there is none. */
  get soonest(): number {
    return this.count === 0 ? Infinity : this.#times[0][0];
  }

  get top(): number {
    return this.#refs[0][0];
  }

  /** The record of the entry at `index`. */
  ref(index: number): number {
    return this.#refs[index >>> SEGMENT_BITS][index & IN_SEGMENT];
  }

  /** Adds a record with a deadline of `time` (ms since 1970). */
  add(time: number, ref: number): void {
    const index = this.count++;
    if (index >>> SEGMENT_BITS === this.#times.length) {
      const size = index === 0 ? FIRST_SIZE : SEGMENT;
      this.#times.push(new Float64Array(size));
      this.#refs.push(new Int32Array(size));
    } else if (index < SEGMENT && index === this.#times[0].length) this.#growFirst();
    this.#up(index, time, ref);
  }

  /** The first segment begins small, as most databases have few deadlines or none. */
  #growFirst(): void {
    const times = new Float64Array(this.#times[0].length * 2);
    const refs = new Int32Array(times.length);
    times.set(this.#times[0]);
    refs.set(this.#refs[0]);
    this.#times[0] = times;
    this.#refs[0] = refs;
  }

  /** A new deadline for the entry at `index`. */
  update(index: number, time: number): void {
    if (time < this.#times[index >>> SEGMENT_BITS][index & IN_SEGMENT]) this.#up(index, time, this.ref(index));
  }

  /** The top entry's real deadline is `time`, later than the heap thought. */
  settle(time: number): void {
    this.#down(0, time, this.top);
  }

  /** The record of the entry at `index` has moved. */
  relocate(index: number, ref: number): void {
    this.#refs[index >>> SEGMENT_BITS][index & IN_SEGMENT] = ref;
  }

  /** Removes the entry at `index`. */
  remove(index: number): void {
    const last = --this.count;
    const time = this.#times[last >>> SEGMENT_BITS][last & IN_SEGMENT];
    const ref = this.ref(last);
    if ((last & IN_SEGMENT) === 0 && this.#times.length > (last >>> SEGMENT_BITS) + 1) {
      this.#times.pop();
      this.#refs.pop();
    }
    if (index === last) return;
    if (index > 0) {
      const parent = (index - 1) >>> 2;
      if (time < this.#times[parent >>> SEGMENT_BITS][parent & IN_SEGMENT]) return this.#up(index, time, ref);
    }
    this.#down(index, time, ref);
  }

  /** Forgets all entries; the records are not told. */
  clear(): void {
    this.count = 0;
    this.#times = [];
    this.#refs = [];
  }

  /** Mean of the times of about `count` entries, NaN when there is none. */
  meanTime(count: number): number {
    const step = Math.max(1, Math.floor(this.count / count));
    let sum = 0, taken = 0;
    for (let i = 0; i < this.count; i += step, taken++) sum += this.#times[i >>> SEGMENT_BITS][i & IN_SEGMENT];
    return sum / taken;
  }

  get bytes(): number {
    const segments = this.#times.length;
    return segments === 0 ? 0 : (this.#times[0].length + (segments - 1) * SEGMENT) * 12;
  }

  #place(index: number, time: number, ref: number): void {
    this.#times[index >>> SEGMENT_BITS][index & IN_SEGMENT] = time;
    this.#refs[index >>> SEGMENT_BITS][index & IN_SEGMENT] = ref;
    this.owner.placed(ref, index);
  }

  #up(index: number, time: number, ref: number): void {
    while (index > 0) {
      const parent = (index - 1) >>> 2;
      const parentTime = this.#times[parent >>> SEGMENT_BITS][parent & IN_SEGMENT];
      if (parentTime <= time) break;
      this.#place(index, parentTime, this.ref(parent));
      index = parent;
    }
    this.#place(index, time, ref);
  }

  #down(index: number, time: number, ref: number): void {
    for (;;) {
      let best = -1;
      let bestTime = time;
      const first = index * 4 + 1;
      const end = Math.min(first + 4, this.count);
      for (let child = first; child < end; child++) {
        const childTime = this.#times[child >>> SEGMENT_BITS][child & IN_SEGMENT];
        if (childTime < bestTime) {
          best = child;
          bestTime = childTime;
        }
      }
      if (best < 0) break;
      this.#place(index, bestTime, this.ref(best));
      index = best;
    }
    this.#place(index, time, ref);
  }
}
