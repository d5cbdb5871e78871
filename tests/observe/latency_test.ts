/** The latency monitor: its samples, their summary and their picture. */

import { assertEquals } from "@std/assert";
import { LatencyMonitor, summarize } from "../../lib/observe/latency.ts";
import { latencyGraph } from "../../lib/observe/latency_report.ts";
import { test } from "../kit/test.ts";

test("a second keeps its worst sample, an event its last 160", () => {
  const monitor = new LatencyMonitor();
  monitor.add("command", 10, 100);
  monitor.add("command", 30, 100);
  monitor.add("command", 20, 100);
  assertEquals(monitor.events.get("command")!.samples, [{ time: 100, latency: 30 }]);
  for (let i = 1; i <= 200; i++) monitor.add("command", i % 7, 100 + i);
  const { samples, max } = monitor.events.get("command")!;
  assertEquals([samples.length, samples[0].time, max], [160, 141, 30]);
});

test("events are reset by name in any case, or all", () => {
  const monitor = new LatencyMonitor();
  for (const name of ["command", "fast-command", "expire-cycle"]) monitor.add(name, 1, 1);
  assertEquals(monitor.reset("COMMAND"), 1);
  assertEquals(monitor.reset("command"), 0);
  assertEquals(monitor.reset(null), 2);
});

test("a summary has means in whole milliseconds", () => {
  const monitor = new LatencyMonitor();
  monitor.add("x", 10, 100);
  monitor.add("x", 21, 102);
  monitor.add("x", 40, 107);
  assertEquals(summarize(monitor.events.get("x")!, 110), {
    samples: 3,
    min: 10,
    max: 40,
    average: 23,
    deviation: 10,
    period: 10,
  });
});

test("a graph has a bar for each sample, with its age below", () => {
  const monitor = new LatencyMonitor();
  monitor.add("command", 100, 1000);
  monitor.add("command", 350, 1100);
  monitor.add("command", 500, 1160);
  assertEquals(
    latencyGraph("command", monitor.events.get("command")!, 1161).split("\n"),
    [
      "command - high 500 ms, low 100 ms (all time high 500 ms)",
      "-".repeat(80),
      "  #",
      " o|",
      " ||",
      "_||",
      "   ",
      "211",
      "mms",
      "",
    ],
  );
});
