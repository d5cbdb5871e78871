/**
 * Asks two servers the same and compares what they answer: no expected values, the real Redis is the expectation.
 *
 *     await assertSameAsRedis([["SET", "k", "v"], ["GETRANGE", "k", 0, -1]]);
 *
 * Replies are compared exactly, kind by kind. Where Redis leaves something open (the order of a set, a random element, a
 * time) pass `same`, which decides about one command's pair of replies.
 */

import { type Client, type Command, encodeCommands } from "./client.ts";
import { quote, type Reply, show } from "./reply.ts";
import { hasRedis, startRedis, startRedstart } from "./server.ts";

export type Same = (command: Command, a: Reply, b: Reply) => boolean;

export interface CompareOptions {
  /** Decides whether two replies to a command count as the same; deep equality without it. */
  readonly same?: Same;
  /** Commands sent at once; 1 keeps the servers in step command by command. */
  readonly batch?: number;
  /** Printed with a difference, so that the commands can be made again. */
  readonly seed?: number;
  /** Stop after so many differences. */
  readonly limit?: number;
}

export interface Difference {
  readonly index: number;
  readonly command: Command;
  readonly a: Reply;
  readonly b: Reply;
}

/** Runs the commands on both servers and returns where the replies differ, in order. */
export async function compareServers(
  a: Client,
  b: Client,
  commands: readonly Command[],
  options: CompareOptions = {},
): Promise<Difference[]> {
  const same = options.same ?? ((_, x, y) => sameReply(x, y));
  const batch = options.batch ?? 100;
  const differences: Difference[] = [];
  for (let from = 0; from < commands.length; from += batch) {
    const part = commands.slice(from, from + batch);
    const bytes = encodeCommands(part);
    a.send(bytes);
    b.send(bytes);
    const [repliesA, repliesB] = await Promise.all([a.readReplies(part.length), b.readReplies(part.length)]);
    for (let i = 0; i < part.length; i++) {
      if (same(part[i], repliesA[i], repliesB[i])) continue;
      differences.push({ index: from + i, command: part[i], a: repliesA[i], b: repliesB[i] });
      if (differences.length >= (options.limit ?? Infinity)) return differences;
    }
  }
  return differences;
}

/** Like `compareServers`, but throws an error that shows the first differences with the commands that touched the same keys. */
export async function assertSameReplies(
  a: Client,
  b: Client,
  commands: readonly Command[],
  options: CompareOptions = {},
): Promise<void> {
  const differences = await compareServers(a, b, commands, { limit: 5, ...options });
  if (differences.length === 0) return;
  const seed = options.seed === undefined ? "" : ` (seed ${options.seed})`;
  throw new Error(`replies differ${seed}:\n${differences.map((found) => describe(found, commands)).join("\n")}`);
}

/**
 * Asks both servers, each fresh, and throws an error that shows the first differences. `args` are flags for both; with `protocols`
 * everything is asked in each of them, from empty databases on. Does nothing where there is no redis-server.
 */
export async function assertSameAsRedis(
  commands: readonly Command[],
  options: CompareOptions & { readonly args?: readonly string[]; readonly protocols?: readonly ("2" | "3")[] } = {},
): Promise<void> {
  if (!hasRedis()) return;
  const { args, protocols = [] } = options;
  await using redis = await startRedis({ args });
  await using redstart = await startRedstart({ args });
  const [a, b] = [await redis.connect(), await redstart.connect()];
  if (protocols.length === 0) return await assertSameReplies(a, b, commands, options);
  for (const protocol of protocols) {
    for (const client of [a, b]) await client.pipeline([["FLUSHALL"], ["HELLO", protocol]]);
    await assertSameReplies(a, b, commands, options);
  }
}

/** A line as a command: its words, where '' is an empty one. */
export function words(line: string): Command {
  return line.split(" ").map((word) => word === "''" ? "" : word);
}

/** A difference in a few lines: earlier commands that share an argument with it, the command, both replies. */
export function describe(found: Difference, commands: readonly Command[], names = ["redis", "redstart"]): string {
  const lines = related(found, commands, 6).map((command) => `    ${showCommand(command)}`);
  lines.push(`  > ${showCommand(found.command)}`);
  lines.push(`      ${names[0]}: ${show(found.a)}`, `      ${names[1]}: ${show(found.b)}`);
  return lines.join("\n");
}

/** The last commands before a difference that name one of its arguments (after the command's own name). */
function related(found: Difference, commands: readonly Command[], limit: number): Command[] {
  const words = new Set(found.command.slice(1).map(String).filter((word) => word !== ""));
  const result: Command[] = [];
  for (let i = found.index - 1; i >= 0 && result.length < limit; i--) {
    if (commands[i].some((argument, at) => at > 0 && words.has(String(argument)))) result.unshift(commands[i]);
  }
  return result;
}

/** A command as redis-cli takes it; long arguments are cut. */
export function showCommand(command: Command, limit = 80): string {
  return command.map((argument) => {
    const text = argument instanceof Uint8Array ? String.fromCharCode(...argument.subarray(0, 1000)) : String(argument);
    if (/^[\w.:+\-*{}()[\]@]+$/.test(text) && text.length <= limit) return text;
    return text.length <= limit ? quote(text) : `${quote(text.slice(0, limit))}…(${text.length} bytes)`;
  }).join(" ");
}

/** Deep equality of replies: kinds, values and orders. */
export function sameReply(a: Reply, b: Reply): boolean {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Array.isArray(a) || Array.isArray(b)) {
    return Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every((item, i) => sameReply(item, b[i]));
  }
  const keys = Object.keys(a) as (keyof typeof a)[];
  return keys.length === Object.keys(b).length && keys.every((key) => sameReply(a[key], b[key]));
}
