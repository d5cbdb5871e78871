/** INFO and LOLWUT: what the server says of itself. */

import { lower } from "../bytes/ascii.ts";
import type { Client } from "../engine/client.ts";
import { type Command, command } from "../engine/command.ts";
import { REDIS_VERSION } from "../engine/version.ts";
import { infoText } from "../observe/info.ts";
import { NOT_INTEGER } from "../resp/errors.ts";

const VERSION = lower("version");
/** LOLWUT's picture: columns and rows of characters. */
const COLUMNS = 66, ROWS = 12;
const MOST_COLUMNS = 1000, MOST_ROWS = 1000;

function replyInfo(c: Client): void {
  const { args, reply } = c;
  const names: string[] = [];
  for (let i = 1; i < args.argc; i++) names.push(args.text(i).toLowerCase());
  reply.verbatim(infoText(c.engine, names));
}

/**
 * The art of this server: a skyline. The numbers after the command (and after VERSION n, which is accepted for all versions) are
 * its width and height.
 */
function lolwut(c: Client): void {
  const { args, reply, engine } = c;
  const numbers: number[] = [];
  for (let i = args.argc > 2 && args.is(1, VERSION) ? 3 : 1; i < args.argc; i++) {
    const number = args.int(i);
    if (Number.isNaN(number)) return reply.error(NOT_INTEGER);
    numbers.push(number);
  }
  if (args.argc > 2 && args.is(1, VERSION) && Number.isNaN(args.int(2))) return reply.error(NOT_INTEGER);
  const columns = Math.min(MOST_COLUMNS, Math.max(1, numbers[0] ?? COLUMNS));
  const rows = Math.min(MOST_ROWS, Math.max(1, numbers[1] ?? ROWS));
  const heights: number[] = [];
  while (heights.length < columns) {
    const height = engine.platform.random.below(rows + 1);
    for (let left = 2 + engine.platform.random.below(6); left > 0; left--) heights.push(height);
  }
  let picture = "";
  for (let row = rows; row > 0; row--) {
    for (let column = 0; column < columns; column++) {
      const lit = engine.platform.random.below(3) === 0;
      picture += heights[column] < row ? " " : lit ? "." : "#";
    }
    picture += "\n";
  }
  reply.verbatim(`${picture}\nA town that nobody has seen before. Redis ver. ${REDIS_VERSION}\n`);
}

const info = command({
  name: "info",
  arity: -1,
  flags: "loading stale",
  acl: "dangerous",
  since: "1.0.0",
  group: "server",
  complexity: "O(1)",
  summary: "Get information and statistics about the server",
  syntax: "[section [section ...]]",
  history: ["7.0.0 Added support for taking multiple section arguments."],
  tips: "nondeterministic_output request_policy:all_shards response_policy:special",
  run: replyInfo,
});

const lolwutCommand = command({
  name: "lolwut",
  arity: -1,
  flags: "readonly fast",
  since: "5.0.0",
  group: "server",
  summary: "Display some computer art and the Redis version",
  syntax: "[VERSION version:integer]",
  run: lolwut,
});

export const commands: Command[] = [info, lolwutCommand];
