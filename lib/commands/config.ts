/** CONFIG: reading and changing parameters while the server runs. What they mean and allow is the business of lib/config. */

import { type Client, isLocal } from "../engine/client.ts";
import { type Command, command, container, Deny } from "../engine/command.ts";
import { replyHelp } from "../engine/help.ts";
import { errorReply, LOADING, UNBLOCKED } from "../resp/errors.ts";

const HELP = [
  "GET <pattern>",
  "    Return parameters matching the glob-like <pattern> and their values.",
  "SET <directive> <value>",
  "    Set the configuration <directive> to <value>.",
  "RESETSTAT",
  "    Reset statistics reported by the INFO command.",
  "REWRITE",
  "    Rewrite the configuration file.",
];

function get(c: Client): void {
  const { args, reply } = c;
  const patterns: string[] = [];
  for (let i = 2; i < args.argc; i++) patterns.push(args.text(i));
  const found = c.engine.config.get(patterns);
  reply.map(found.length);
  for (const [name, value] of found) {
    reply.text(name);
    reply.text(value);
  }
}

function set(c: Client): void {
  const { args, engine, reply } = c;
  const pairs: string[] = [];
  for (let i = 2; i < args.argc; i++) pairs.push(args.text(i));
  for (let i = 0; i + 1 < pairs.length; i += 2) {
    if (engine.config.isSensitive(pairs[i])) engine.observation.redact(c, i + 3);
  }
  const preparing = c.mayNotBlock ? null : engine.control.prepareListening(pairs);
  if (preparing === null) return setPairs(c, pairs);
  const waiting = engine.blocking.wait(c, 0, () => reply.error(UNBLOCKED));
  preparing.then(() => {
    if (c.blocked === waiting) engine.blocking.release(c, () => setPairs(c, pairs));
  });
}

function setPairs(c: Client, pairs: readonly string[]): void {
  const { engine, reply } = c;
  const loading = (engine.deny & (Deny.LOADING | Deny.ASYNC_LOADING)) !== 0;
  const result = engine.config.set(pairs, { loading, local: isLocal(c.link) });
  if (result.kind === "ok") reply.ok();
  else if (result.kind === "loading") reply.error(LOADING);
  else reply.error(errorReply(`ERR ${result.text}`));
}

function rewrite(c: Client): void {
  const problem = c.engine.config.rewrite();
  if (problem === null) c.reply.ok();
  else c.reply.error(errorReply(`ERR ${problem}`));
}

const config = container({
  name: "config",
  arity: -2,
  since: "2.0.0",
  group: "server",
  complexity: "Depends on subcommand.",
  summary: "A container for server configuration commands",
  subcommands: [
    command({
      name: "get",
      arity: -3,
      flags: "admin noscript loading stale",
      since: "2.0.0",
      group: "server",
      complexity: "O(N) when N is the number of configuration parameters provided",
      summary: "Get the values of configuration parameters",
      syntax: "(parameter) [parameter ...]",
      history: ["7.0.0 Added the ability to pass multiple pattern parameters in one call"],
      run: get,
    }),
    command({
      name: "help",
      arity: 2,
      flags: "loading stale",
      since: "5.0.0",
      group: "server",
      complexity: "O(1)",
      summary: "Show helpful text about the different subcommands",
      run: (c) => replyHelp(c, HELP),
    }),
    command({
      name: "resetstat",
      arity: 2,
      flags: "admin noscript loading stale",
      since: "2.0.0",
      group: "server",
      complexity: "O(1)",
      summary: "Reset the stats returned by INFO",
      run(c) {
        c.engine.observation.reset();
        c.reply.ok();
      },
    }),
    command({
      name: "rewrite",
      arity: 2,
      flags: "admin noscript loading stale",
      since: "2.8.0",
      group: "server",
      complexity: "O(1)",
      summary: "Rewrite the configuration file with the in memory configuration",
      run: rewrite,
    }),
    command({
      name: "set",
      arity: -4,
      flags: "admin noscript loading stale",
      since: "2.0.0",
      group: "server",
      complexity: "O(N) when N is the number of configuration parameters provided",
      summary: "Set configuration parameters to the given values",
      syntax: "parameter value [parameter value ...]",
      history: ["7.0.0 Added the ability to set multiple parameters in one call."],
      tips: "request_policy:all_nodes response_policy:all_succeeded",
      run: set,
    }),
  ],
});

export const commands: Command[] = [config];
