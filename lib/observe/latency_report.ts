/** What LATENCY GRAPH and LATENCY DOCTOR make of the samples: a picture and advice. */

import type { Engine } from "../engine/engine.ts";
import { type LatencyEvent, summarize } from "./latency.ts";

const COLUMNS = 80, ROWS = 4;
/** Heights within a row, from low to high. */
const LEVELS = "_o#";

/** A bar for each sample, and below it, top down, how long ago it was. `now` in seconds since 1970. */
export function latencyGraph(name: string, { samples, max: worst }: LatencyEvent, now: number): string {
  const values = samples.map((sample) => sample.latency);
  const low = Math.min(...values), high = Math.max(...values);
  const ages = samples.map((sample) => age(now - sample.time));
  let graph = `${name} - high ${high} ms, low ${low} ms (all time high ${worst} ms)\n${"-".repeat(COLUMNS)}\n`;
  for (let from = 0; from < values.length; from += COLUMNS) {
    if (from > 0) graph += "\n";
    graph += bars(values.slice(from, from + COLUMNS), low, high);
    graph += labels(ages.slice(from, from + COLUMNS));
  }
  return graph;
}

function bars(values: readonly number[], low: number, high: number): string {
  const steps = LEVELS.length * ROWS;
  const range = high === low ? 1 : high - low;
  const heights = values.map((value) => Math.min(steps - 1, Math.trunc((value - low) * steps / range)));
  let text = "";
  for (let row = ROWS - 1; row >= 0; row--) {
    for (const height of heights) {
      const level = height - row * LEVELS.length;
      text += level < 0 ? " " : level < LEVELS.length ? LEVELS[level] : "|";
    }
    text += "\n";
  }
  return text;
}

function labels(ages: readonly string[]): string {
  const longest = Math.max(...ages.map((label) => label.length));
  let text = `${" ".repeat(ages.length)}\n`;
  for (let i = 0; i < longest; i++) text += `${ages.map((label) => label[i] ?? " ").join("")}\n`;
  return text;
}

function age(seconds: number): string {
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)}h`;
  return `${Math.floor(seconds / 86400)}d`;
}

export function latencyDiagnosis(engine: Engine): string {
  const { observation: { latency }, config: { values } } = engine;
  const { latencyMonitorThreshold: threshold, slowlogLogSlowerThan: slower } = values;
  if (latency.events.size === 0) {
    return threshold === 0
      ? "I'm sorry, Dave, I can't do that. Latency monitoring is disabled in this Redis instance. You may use \"CONFIG SET latency-monitor-threshold <milliseconds>.\" in order to enable it. If we weren't in a deep space mission I'd suggest to take a look at https://redis.io/topics/latency-monitor.\n"
      : "Dave, no latency spike was observed during the lifetime of this Redis instance, not in the slightest bit. I honestly think you ought to sit down calmly, take a stress pill, and think things over.\n";
  }
  let report =
    "Dave, I have observed latency spikes in this Redis instance. You don't mind talking about it, do you Dave?\n\n";
  const now = Math.floor(engine.platform.clock.now() / 1000);
  let number = 0;
  for (const [name, event] of latency.events) {
    const { samples, average, deviation, period } = summarize(event, now);
    report += `${++number}. ${name}: ${samples} latency spikes (average ${average}ms, mean deviation ${deviation}ms, ` +
      `period ${(period / samples).toFixed(2)} sec). Worst all time event ${event.max}ms.\n`;
  }
  const advice: string[] = [];
  if (latency.events.has("command")) {
    if (slower < 0) {
      advice.push(
        `The slow log is off, so that nobody knows which commands were slow. Switch it on with 'CONFIG SET slowlog-log-slower-than ${
          threshold * 1000
        }'.`,
      );
    } else if (slower / 1000 > threshold) {
      advice.push(
        `The slow log has only commands that are slower than the latency monitor's threshold. Use 'CONFIG SET slowlog-log-slower-than ${
          threshold * 1000
        }'.`,
      );
    }
    advice.push(
      "Check your Slow Log to understand what are the commands you are running which are too slow to execute.",
    );
  }
  if (latency.events.has("fast-command")) {
    advice.push(
      "Commands that cannot take long took long: the process does not get enough CPU time, or the runtime collected garbage. Lower the load of the machine.",
    );
  }
  if ([...latency.events.keys()].some((name) => name.startsWith("aof-") || name.startsWith("rdb-"))) {
    advice.push("Writing to disk was slow: use local disks, and let nothing else keep them busy.");
  }
  if (latency.events.has("eviction-cycle")) {
    advice.push("Many keys had to be evicted at once, as after a sudden change of 'maxmemory' or a very large value.");
  }
  if (advice.length === 0) {
    return `${report}\nWhile there are latency events logged, I'm not able to suggest any easy fix.\n`;
  }
  return `${report}\nI have a few advices for you:\n\n${advice.map((text) => `- ${text}\n`).join("")}`;
}
