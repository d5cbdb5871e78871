/**
 * The latency monitor: when the server was slow, and why. Whatever takes longer than `latency-monitor-threshold` milliseconds
 * leaves a sample under the name of its event ("command", "expire-cycle" …), at most one a second, the worst of that
 * second; each event keeps its last 160.
 */

const SAMPLES = 160;

export interface LatencySample {
  /** Seconds since 1970. */
  readonly time: number;
  /** Milliseconds, whole. */
  latency: number;
}

export interface LatencyEvent {
  /** Oldest first. */
  readonly samples: LatencySample[];
  /** The worst ever, in milliseconds. */
  max: number;
}

export interface LatencySummary {
  readonly samples: number;
  readonly min: number;
  readonly max: number;
  readonly average: number;
  /** Mean absolute deviation. */
  readonly deviation: number;
  /** Seconds since the oldest sample. */
  readonly period: number;
}

export class LatencyMonitor {
  readonly events = new Map<string, LatencyEvent>();

  /** `latency` in whole milliseconds, `time` in seconds since 1970. */
  add(name: string, latency: number, time: number): void {
    let event = this.events.get(name);
    if (event === undefined) this.events.set(name, event = { samples: [], max: 0 });
    event.max = Math.max(event.max, latency);
    const last = event.samples.at(-1);
    if (last !== undefined && last.time === time) {
      last.latency = Math.max(last.latency, latency);
      return;
    }
    event.samples.push({ time, latency });
    if (event.samples.length > SAMPLES) event.samples.shift();
  }

  /** Forgets an event, its name in any case, or all events; returns how many there were. */
  reset(name: string | null): number {
    let count = 0;
    for (const known of [...this.events.keys()]) {
      if (name !== null && known !== name.toLowerCase()) continue;
      this.events.delete(known);
      count++;
    }
    return count;
  }
}

/** `now` in seconds since 1970. The event has at least one sample. */
export function summarize({ samples }: LatencyEvent, now: number): LatencySummary {
  const latencies = samples.map((sample) => sample.latency);
  const count = latencies.length;
  const average = Math.floor(latencies.reduce((sum, latency) => sum + latency, 0) / count);
  const deviations = latencies.reduce((sum, latency) => sum + Math.abs(average - latency), 0);
  return {
    samples: count,
    min: Math.min(...latencies),
    max: Math.max(...latencies),
    average,
    deviation: Math.floor(deviations / count),
    period: Math.max(1, now - samples[0].time),
  };
}
