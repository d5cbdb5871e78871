/**
 * Pace: how long a snapshot walks at a time, so that its clients hardly notice it.
 *
 * The walk is cut into slices, and between two of them everybody is served who has sent something: a command waits for one slice at
 * most. While nobody asks for anything, slice follows slice. While clients are active the slices are short, and after each the thread
 * sleeps for a moment, or until somebody has sent something. That is for the sake of the operating system's scheduler: a client that a
 * reply wakes up is often put on the processor of the server that woke it, and would wait there for milliseconds, until the server
 * sleeps. A server that has so much to do besides that it never sleeps does not sleep for this either.
 */

import type { Clock } from "../platform/platform.ts";

/** Milliseconds of walking at a time while nobody asks for anything, and while clients are active. */
export const SLICE = 0.5;
const SHORT_SLICE = 0.1;
/** The system's timers add some 50 µs. Longer naps would make the scheduler kinder still, and the snapshot slower. */
const NAP = 0.1;
/** Clients are active until none has sent a command for so many milliseconds. */
const ACTIVE = 10;

export class Pace {
  #commands = -1;
  /** When the last new command was seen, and when the last slice ended. */
  #lastCommand = 0;
  #ended = 0;

  /** `slice`: milliseconds of walking at a time while nobody asks for anything. */
  constructor(readonly clock: Clock, readonly slice: number) {}

  /** Runs a slice: `walk` is given the time on the clock at which it has to end. Returns what it does. `commands`: served so far. */
  run(commands: number, walk: (until: number) => boolean): boolean {
    const { clock } = this;
    const start = clock.monotonic();
    if (commands !== this.#commands) {
      this.#commands = commands;
      this.#lastCommand = start;
    }
    const isActive = start - this.#lastCommand < ACTIVE;
    const more = walk(start + (isActive ? Math.min(this.slice, SHORT_SLICE) : this.slice));
    if (isActive && start - this.#ended < SHORT_SLICE) clock.nap(NAP);
    this.#ended = clock.monotonic();
    return more;
  }
}
