/** Pace: how long a snapshot walks at a time, by a clock that moves only when it is told to. */

import { assert, assertEquals } from "@std/assert";
import type { Clock } from "../../lib/platform/platform.ts";
import { Pace } from "../../lib/persist/pace.ts";
import { test } from "../kit/test.ts";

/** What has come of a walk, in milliseconds. */
interface Walked {
  walked: number;
  slept: number;
  passed: number;
  longest: number;
}

/**
 * Walks for `slices` slices. `commandsAt` says how many commands have been served at a time; serving takes `serving` milliseconds between
 * two slices.
 */
function walk(slices: number, commandsAt: (time: number) => number, serving = 0): Walked {
  let time = 1000;
  const result = { walked: 0, slept: 0, passed: 0, longest: 0 };
  const nap = (ms: number) => {
    time += ms;
    result.slept += ms;
  };
  const clock = { monotonic: () => time, nap } as unknown as Clock;
  const pace = new Pace(clock, 0.5);
  for (let i = 0; i < slices; i++) {
    time += serving;
    const more = pace.run(commandsAt(time - 1000), (until) => {
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
  const { walked, passed } = walk(2000, () => 7);
  // The command that began the snapshot is recent at first.
  assert(walked / passed > 0.99, `${walked} of ${passed}`);
});

test("pace: walks in short slices with a nap after each while clients are active", () => {
  const { longest, walked, slept } = walk(5000, (time) => Math.floor(time));
  assert(longest < 0.2, `a slice of ${longest}`);
  assert(slept / walked > 0.9 && slept / walked < 1.1, `${slept} to ${walked}`);
});

test("pace: a busy server's walk sleeps no more than the server", () => {
  const { longest, slept } = walk(5000, (time) => Math.floor(time * 500), 1);
  assert(longest < 0.2, `a slice of ${longest}`);
  assertEquals(slept, 0);
});

test("pace: goes at full speed again soon after the last command", () => {
  const { longest, walked, passed } = walk(5000, (time) => Math.floor(Math.min(time, 50)));
  assert(longest > 0.4, `slices of ${longest}`);
  assert(walked / passed > 0.95, `${walked} of ${passed}`);
});
