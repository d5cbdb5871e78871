/** What all containers have in common: the frame of their HELP, and the error for a subcommand called wrongly. */

import { errorReply } from "../resp/errors.ts";
import type { Client } from "./client.ts";

/** Replies with the help of the container that was called; `lines` describe the subcommands other than HELP. */
export function replyHelp(c: Client, lines: readonly string[]): void {
  c.reply.array(lines.length + 3);
  c.reply.simple(`${c.args.text(0).toUpperCase()} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:`);
  for (const line of lines) c.reply.simple(line);
  c.reply.simple("HELP");
  c.reply.simple("    Prints this help.");
}

/** The error for a subcommand that got other arguments than it knows. */
export function subcommandSyntax(c: Client): void {
  const name = c.args.shown(1).slice(0, 128);
  const container = c.args.text(0).toUpperCase();
  c.reply.error(
    errorReply(`ERR unknown subcommand or wrong number of arguments for '${name}'. Try ${container} HELP.`),
  );
}
