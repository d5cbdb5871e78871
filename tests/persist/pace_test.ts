/** Pace: how much of the time a snapshot walks, by a clock that moves only when it is told to. */

import { assert, assertEquals } from "@std/assert";
import type { Clock } from "../../lib/platform/platform.ts";
import { Pace } from "../../lib/persist/pace.ts";
import { test } from "../kit/test.ts";

/** What has come of a walk. */
interface Walked {
  /** Milliseconds of walking, and in all. */
  walked: number;
  passed: number;
  longest: number;
  pauses: number;
}

/**
 * Walks for `slices` slices. `commandsAt` says how many commands have been served at a time; serving takes `serving` milliseconds between
 * two slices.
 */
function walk(slices: number, commandsAt: (time: number) => number, serving = 0): Walked {
  let time = 1000;
  const clock = { monotonic: () => time } as unknown as Clock;
  const pace = new Pace(clock, 0.5);
  const result = { walked: 0, passed: 0, longest: 0, pauses: 0 };
  for (let i = 0; i < slices; i++) {
    const pause = pace.pause(commandsAt(time - 1000));
    if (pause > 0) result.pauses++;
    time += pause + serving;
    const more = pace.run((until) => {
      result.longest = Math.max(result.longest, until - time);
      result.walked += until - time;
      time = until;
      return i % 2 === 0;
    });
    assertEquals(more, i % 2 === 0);
  }
  result.passed = time - 1000;
  return result;
}

test("pace: walks all the time while nobody asks for anything", () => {
  const { walked, passed, pauses } = walk(2000, () => 7);
  // The command that began the snapshot is recent at first.
  assert(walked / passed > 0.98, `${walked} of ${passed}`);
  assert(pauses < 20, `${pauses} pauses`);
});

test("pace: walks in short slices and for half of the time while clients are active", () => {
  const { walked, passed, longest, pauses } = walk(5000, (time) => Math.floor(time));
  assert(longest < 0.2, `a slice of ${longest}`);
  assert(walked / passed > 0.4 && walked / passed < 0.51, `${walked} of ${passed}`);
  assert(pauses > 100, `${pauses} pauses`);
});

test("pace: a busy server's walk needs no pauses", () => {
  const { longest, pauses } = walk(5000, (time) => Math.floor(time * 500), 1);
  assert(longest < 0.2, `a slice of ${longest}`);
  assertEquals(pauses, 0);
});

test("pace: goes at full speed again soon after the last command", () => {
  const { longest, walked, passed } = walk(5000, (time) => Math.floor(Math.min(time, 50)));
  assert(longest > 0.4, `slices of ${longest}`);
  assert(walked / passed > 0.95, `${walked} of ${passed}`);
});
