/** The reply of the HELP subcommands: the same frame for all containers. */

import type { Client } from "./client.ts";

/** Replies with the help of the container that was called; `lines` describe the subcommands other than HELP. */
export function replyHelp(c: Client, lines: readonly string[]): void {
  c.reply.array(lines.length + 3);
  c.reply.simple(`${c.args.text(0).toUpperCase()} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:`);
  for (const line of lines) c.reply.simple(line);
  c.reply.simple("HELP");
  c.reply.simple("    Prints this help.");
}
