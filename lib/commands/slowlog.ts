/** SLOWLOG: the commands that took too long. */

import type { Client } from "../engine/client.ts";
import { type Command, command, container } from "../engine/command.ts";
import { replyHelp } from "../engine/help.ts";
import { errorReply } from "../resp/errors.ts";

const DEFAULT_COUNT = 10;
const BAD_COUNT = errorReply("ERR count should be greater than or equal to -1");

const HELP = [
  "GET [<count>]",
  "    Return top <count> entries from the slowlog (default: 10, -1 mean all).",
  "    Entries are made of:",
  "    id, timestamp, time in microseconds, arguments array, client IP and port,",
  "    client name",
  "LEN",
  "    Return the length of the slowlog.",
  "RESET",
  "    Reset the slowlog.",
];

function get(c: Client): void {
  const { args, reply, engine: { observation: { slowlog } } } = c;
  let count = args.argc > 2 ? args.int(2) : DEFAULT_COUNT;
  if (!(count >= -1)) return reply.error(BAD_COUNT);
  if (count === -1) count = slowlog.entries.length;
  const shown = slowlog.entries.slice(0, count);
  reply.array(shown.length);
  for (const entry of shown) {
    reply.array(6);
    reply.int(entry.id);
    reply.int(entry.time);
    reply.int(entry.duration);
    reply.array(entry.args.length);
    for (const arg of entry.args) reply.bulk(arg, 0, arg.length);
    reply.text(entry.client);
    reply.text(entry.name);
  }
}

const slowlog = container({
  name: "slowlog",
  arity: -2,
  since: "2.2.12",
  group: "server",
  complexity: "Depends on subcommand.",
  summary: "A container for slow log commands",
  subcommands: [
    command({
      name: "get",
      arity: -2,
      flags: "admin loading stale",
      since: "2.2.12",
      group: "server",
      complexity: "O(N) where N is the number of entries returned",
      summary: "Get the slow log's entries",
      syntax: "[count]",
      history: ["4.0.0 Added client IP address, port and name to the reply."],
      tips: "request_policy:all_nodes nondeterministic_output",
      run: get,
    }),
    command({
      name: "help",
      arity: 2,
      flags: "loading stale",
      since: "6.2.0",
      group: "server",
      complexity: "O(1)",
      summary: "Show helpful text about the different subcommands",
      run: (c) => replyHelp(c, HELP),
    }),
    command({
      name: "len",
      arity: 2,
      flags: "admin loading stale",
      since: "2.2.12",
      group: "server",
      complexity: "O(1)",
      summary: "Get the slow log's length",
      tips: "request_policy:all_nodes response_policy:agg_sum nondeterministic_output",
      run: (c) => c.reply.int(c.engine.observation.slowlog.entries.length),
    }),
    command({
      name: "reset",
      arity: 2,
      flags: "admin loading stale",
      since: "2.2.12",
      group: "server",
      complexity: "O(N) where N is the number of entries in the slowlog",
      summary: "Clear all entries from the slow log",
      tips: "request_policy:all_nodes response_policy:all_succeeded",
      run(c) {
        c.engine.observation.slowlog.reset();
        c.reply.ok();
      },
    }),
  ],
});

export const commands: Command[] = [slowlog];
