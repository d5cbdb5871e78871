/**
 * Pace: how long a snapshot walks at a time and when it goes on, so that its clients hardly notice it.
 *
 * The walk is cut into slices, and between two of them everybody is served who has sent something: a command waits for one slice at
 * most. While nobody asks for anything, slice follows slice. While clients are active the slices are short, and together they get
 * only a share of the time. That is for the sake of the operating system's scheduler: it runs a process that sleeps now and then as soon
 * as something comes for it, and lets one that never sleeps wait for others that do.
 *
 * Timers are good for a millisecond or two, not for less. So a few slices follow each other as soon as possible until the share is used
 * up, then there is a pause. A server that is so busy that it never sleeps has no pauses either: its clients' commands take up the
 * share that the walk must not have.
 */

import type { Clock } from "../platform/platform.ts";

/** Milliseconds of walking at a time while nobody asks for anything, and while clients are active. */
export const SLICE = 0.5;
const SHORT_SLICE = 0.15;
/** Clients are active until none has sent a command for so many milliseconds. */
const ACTIVE = 10;
/** The walk's part of the time while clients are active. */
const SHARE = 0.5;
/** The least that a timer can do, in milliseconds. */
const PAUSE = 1;
/** Time that the walk did not have but could have had is made up for up to so many milliseconds. */
const MOST_CREDIT = 1;

export class Pace {
  /** Milliseconds of walking that the share allows. */
  #credit = MOST_CREDIT;
  /** When `#credit` was counted, and when the last new command was seen. */
  #counted: number;
  #lastCommand: number;
  #commands = -1;

  /** `slice`: milliseconds of walking at a time while nobody asks for anything. */
  constructor(readonly clock: Clock, readonly slice: number) {
    this.#counted = this.#lastCommand = clock.monotonic();
  }

  /** Milliseconds to wait before the next slice. `commands`: how many the server has served so far. */
  pause(commands: number): number {
    const now = this.clock.monotonic();
    this.#credit = Math.min(MOST_CREDIT, this.#credit + (now - this.#counted) * SHARE);
    this.#counted = now;
    if (commands !== this.#commands) {
      this.#commands = commands;
      this.#lastCommand = now;
    }
    return this.#isActive(now) && this.#credit <= 0 ? PAUSE : 0;
  }

  /** Runs a slice: `walk` is given the time on the clock at which it has to end. Returns what it does. */
  run(walk: (until: number) => boolean): boolean {
    const start = this.clock.monotonic();
    const more = walk(start + (this.#isActive(start) ? Math.min(this.slice, SHORT_SLICE) : this.slice));
    this.#credit -= this.clock.monotonic() - start;
    return more;
  }

  #isActive(now: number): boolean {
    return now - this.#lastCommand < ACTIVE;
  }
}
