/**
 * What commands cause on the real Redis besides their replies: what it writes to its AOF (the same that replicas get) and the
 * keyspace events. `InProcess` tells the same of this server, in the same form.
 */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Parsed, Parser } from "../../lib/resp/request.ts";
import type { Command } from "./client.ts";
import { InProcess } from "./inprocess.ts";
import { startRedis } from "./server.ts";

export interface Effects {
  /** The command, as it was given. */
  readonly command: string;
  /** "name word word …" each; times of today are shown as T. */
  readonly propagated: readonly string[];
  /** "event key" each. */
  readonly events: readonly string[];
}

const AOF = join("appendonlydir", "appendonly.aof.1.incr.aof");
const END = "end of the events";

/** A time in milliseconds depends on when the test runs. */
function masked(text: string): string {
  return text.replace(/\b\d{13}\b/g, "T");
}

function commandsIn(bytes: Uint8Array): string[] {
  const parser = new Parser();
  const found: string[] = [];
  while (parser.pos < bytes.length && parser.parse(bytes, bytes.length, 1 << 30, true) === Parsed.COMMAND) {
    const { args } = parser;
    found.push(masked(Array.from({ length: args.argc }, (_, i) => args.text(i)).join(" ")));
  }
  return found;
}

/** Runs the commands on redis-server, one after the other, in database 0. */
export async function effectsOnRedis(commands: readonly Command[]): Promise<Effects[]> {
  await using redis = await startRedis({
    args: ["--appendonly", "yes", "--appendfsync", "no", "--notify-keyspace-events", "EAmn"],
  });
  const client = await redis.connect();
  const listener = await redis.connect();
  await listener.call("PSUBSCRIBE", "*");
  const effects: Effects[] = [];
  let read = 0;
  for (const command of commands) {
    await client.call(...command);
    await client.call("PUBLISH", END, "");
    const events: string[] = [];
    for (;;) {
      const [, , channel, key] = await listener.readReply() as string[];
      if (channel === END) break;
      events.push(`${channel.replace("__keyevent@0__:", "")} ${key}`);
    }
    const bytes = new Uint8Array(readFileSync(join(redis.dir, AOF)));
    const propagated = commandsIn(bytes.subarray(read)).filter((text) => !text.startsWith("SELECT "));
    read = bytes.length;
    effects.push({ command: command.map(String).join(" "), propagated, events });
  }
  return effects;
}

/** The same of this server. */
export function effectsHere(commands: readonly Command[]): Effects[] {
  const server = new InProcess();
  return commands.map((command) => {
    server.run(...command);
    return {
      command: command.map(String).join(" "),
      propagated: server.propagated().map((text) => masked(text.replace(/^0 /, ""))),
      events: server.events().map((text) => text.replace(/^0 /, "")),
    };
  });
}
