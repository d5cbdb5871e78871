/**
 * Metrics: the per-second figures of INFO. The cron takes the difference of a counter to its last value some ten times a second;
 * what is shown is the mean of the last 16 samples.
 */

const SAMPLES = 16;

export class Metric {
  readonly #samples = new Float64Array(SAMPLES);
  #at = 0;
  #lastTime = -1;
  #lastValue = 0;

  /** `now` in milliseconds, `value` of the counter. */
  sample(now: number, value: number): void {
    const passed = now - this.#lastTime;
    // A counter that was set back starts anew.
    const rate = passed > 0 ? Math.max(0, value - this.#lastValue) * 1000 / passed : 0;
    if (this.#lastTime >= 0) {
      this.#samples[this.#at] = rate;
      this.#at = (this.#at + 1) % SAMPLES;
    }
    this.#lastTime = now;
    this.#lastValue = value;
  }

  get perSecond(): number {
    let sum = 0;
    for (const rate of this.#samples) sum += rate;
    return sum / SAMPLES;
  }

  reset(): void {
    this.#samples.fill(0);
    this.#at = 0;
    this.#lastTime = -1;
    this.#lastValue = 0;
  }
}
