/** LATENCY: when and why the server was slow, and how long its commands take. */

import type { Client } from "../engine/client.ts";
import { type Command, command, container } from "../engine/command.ts";
import { replyHelp } from "../engine/help.ts";
import { latencyDiagnosis, latencyGraph } from "../observe/latency_report.ts";
import { errorReply } from "../resp/errors.ts";

const HELP = [
  "DOCTOR",
  "    Return a human readable latency analysis report.",
  "GRAPH <event>",
  "    Return an ASCII latency graph for the <event> class.",
  "HISTORY <event>",
  "    Return time-latency samples for the <event> class.",
  "LATEST",
  "    Return the latest latency samples for all events.",
  "RESET [<event> ...]",
  "    Reset latency data of one or more <event> classes.",
  "    (default: reset all data for all event classes)",
  "HISTOGRAM [COMMAND ...]",
  "    Return a cumulative distribution of latencies in the format of a histogram for the specified command names.",
  "    If no commands are specified then all histograms are replied.",
];

function latest(c: Client): void {
  const { events } = c.engine.observation.latency;
  c.reply.array(events.size);
  for (const [name, { samples, max }] of events) {
    const last = samples[samples.length - 1];
    c.reply.array(4);
    c.reply.text(name);
    c.reply.int(last.time);
    c.reply.int(last.latency);
    c.reply.int(max);
  }
}

function history(c: Client): void {
  const samples = c.engine.observation.latency.events.get(c.args.text(2))?.samples ?? [];
  c.reply.array(samples.length);
  for (const { time, latency } of samples) {
    c.reply.array(2);
    c.reply.int(time);
    c.reply.int(latency);
  }
}

function graph(c: Client): void {
  const name = c.args.text(2);
  const event = c.engine.observation.latency.events.get(name);
  if (event === undefined) return c.reply.error(errorReply(`ERR No samples available for event '${name}'`));
  c.reply.verbatim(latencyGraph(name, event, Math.floor(c.engine.platform.clock.now() / 1000)));
}

function reset(c: Client): void {
  const { latency } = c.engine.observation;
  if (c.args.argc === 2) return c.reply.int(latency.reset(null));
  let count = 0;
  for (let i = 2; i < c.args.argc; i++) count += latency.reset(c.args.text(i));
  c.reply.int(count);
}

/** Commands and their subcommands that have been timed. */
function timed(some: Iterable<Command>, found: Command[] = []): Command[] {
  for (const cmd of some) {
    if (cmd.latency !== null) found.push(cmd);
    if (cmd.subcommands !== null) timed(cmd.subcommands, found);
  }
  return found;
}

function histogram(c: Client): void {
  const { args, reply, engine: { table } } = c;
  const named: Command[] = [];
  for (let i = 2; i < args.argc; i++) {
    const cmd = table.findFullName(args.text(i));
    if (cmd !== null) named.push(cmd);
  }
  const shown = timed(args.argc === 2 ? table : named);
  reply.map(shown.length);
  for (const cmd of shown) {
    const durations = cmd.latency!;
    reply.text(cmd.fullName);
    reply.map(2);
    reply.text("calls");
    reply.int(durations.total);
    reply.text("histogram_usec");
    const mark = reply.defer();
    let count = 0;
    durations.cumulative((micros, calls) => {
      reply.int(micros);
      reply.int(calls);
      count++;
    });
    reply.endMap(mark, count);
  }
}

const perNode = "nondeterministic_output request_policy:all_nodes response_policy:special";

const latency = container({
  name: "latency",
  arity: -2,
  since: "2.8.13",
  group: "server",
  complexity: "Depends on subcommand.",
  summary: "A container for latency diagnostics commands",
  subcommands: [
    command({
      name: "doctor",
      arity: 2,
      flags: "admin noscript loading stale",
      since: "2.8.13",
      group: "server",
      complexity: "O(1)",
      summary: "Return a human readable latency analysis report.",
      tips: perNode,
      run: (c) => c.reply.verbatim(latencyDiagnosis(c.engine)),
    }),
    command({
      name: "graph",
      arity: 3,
      flags: "admin noscript loading stale",
      since: "2.8.13",
      group: "server",
      complexity: "O(1)",
      summary: "Return a latency graph for the event.",
      syntax: "event",
      tips: perNode,
      run: graph,
    }),
    command({
      name: "help",
      arity: 2,
      flags: "loading stale",
      since: "2.8.13",
      group: "server",
      complexity: "O(1)",
      summary: "Show helpful text about the different subcommands.",
      run: (c) => replyHelp(c, HELP),
    }),
    command({
      name: "histogram",
      arity: -2,
      flags: "admin noscript loading stale",
      since: "7.0.0",
      group: "server",
      complexity: "O(N) where N is the number of commands with latency information being retrieved.",
      summary: "Return the cumulative distribution of latencies of a subset of commands or all.",
      syntax: "[command [command ...]]",
      tips: perNode,
      run: histogram,
    }),
    command({
      name: "history",
      arity: 3,
      flags: "admin noscript loading stale",
      since: "2.8.13",
      group: "server",
      complexity: "O(1)",
      summary: "Return timestamp-latency samples for the event.",
      syntax: "event",
      tips: perNode,
      run: history,
    }),
    command({
      name: "latest",
      arity: 2,
      flags: "admin noscript loading stale",
      since: "2.8.13",
      group: "server",
      complexity: "O(1)",
      summary: "Return the latest latency samples for all events.",
      tips: perNode,
      run: latest,
    }),
    command({
      name: "reset",
      arity: -2,
      flags: "admin noscript loading stale",
      since: "2.8.13",
      group: "server",
      complexity: "O(1)",
      summary: "Reset latency data for one or more events.",
      syntax: "[event [event ...]]",
      tips: "request_policy:all_nodes response_policy:all_succeeded",
      run: reset,
    }),
  ],
});

export const commands: Command[] = [latency];
