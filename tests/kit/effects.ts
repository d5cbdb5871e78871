/**
 * What commands cause on the real Redis besides their replies: what it writes to its AOF (the same that replicas get) and the
 * keyspace events. `InProcess` tells the same of this server, in the same form.
 */

import { Buffer } from "node:buffer";
import { closeSync, openSync, readSync } from "node:fs";
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
  /** How many changes it counts as (rdb_changes_since_last_save). */
  readonly changes: number;
}

const AOF = join("appendonlydir", "appendonly.aof.1.incr.aof");
const END = "end of the events";

/**
 * A time in milliseconds (and a stream ID that begins with one) depends on when the test runs, and so does the deadline that a far one
 * has become.
 */
function masked(text: string): string {
  const deadlines = /^(PEXPIREAT|RESTORE) | PXAT /.test(text) ? text.replace(/(?<=[ ])-?\d{13,20}\b/g, "T") : text;
  return deadlines.replace(/\b\d{13}(-\d+)?\b/g, "T");
}

/** What was appended to a file of commands since the last call, each command's words joined; database 0 is not mentioned. */
class Appended {
  readonly #file: number;
  #database = "0";

  constructor(path: string) {
    this.#file = openSync(path, "r");
  }

  commands(): string[] {
    const found: string[] = [];
    const parser = new Parser();
    const bytes = this.#read();
    while (parser.pos < bytes.length && parser.parse(bytes, bytes.length, 1 << 30, true) === Parsed.COMMAND) {
      const { args } = parser;
      const words = Array.from({ length: args.argc }, (_, i) => args.text(i));
      if (words[0] === "SELECT") this.#database = words[1];
      else found.push((this.#database === "0" ? "" : `${this.#database} `) + masked(words.join(" ")));
    }
    return found;
  }

  #read(): Uint8Array<ArrayBuffer> {
    const parts: Uint8Array[] = [];
    for (;;) {
      const part = new Uint8Array(65536);
      const length = readSync(this.#file, part);
      if (length === 0) break;
      parts.push(part.subarray(0, length));
    }
    return new Uint8Array(Buffer.concat(parts));
  }

  [Symbol.dispose](): void {
    closeSync(this.#file);
  }
}

/** Runs the commands on redis-server, one after the other, beginning in database 0. */
export async function effectsOnRedis(commands: readonly Command[]): Promise<Effects[]> {
  await using redis = await startRedis({
    args: ["--appendonly", "yes", "--appendfsync", "no", "--notify-keyspace-events", "EAmn"],
  });
  const client = await redis.connect();
  // Not the client itself, which may be in the middle of a transaction.
  const other = await redis.connect();
  const listener = await redis.connect();
  await listener.call("PSUBSCRIBE", "*");
  using file = new Appended(join(redis.dir, AOF));
  const effects: Effects[] = [];
  let dirty = 0;
  for (const command of commands) {
    await client.call(...command);
    const [info] = await other.pipeline([["INFO", "persistence"], ["PUBLISH", END, ""]]);
    const before = dirty;
    dirty = Number(/rdb_changes_since_last_save:(\d+)/.exec(String(info))?.[1]);
    const events: string[] = [];
    for (;;) {
      const [, , channel, key] = await listener.readReply() as string[];
      if (channel === END) break;
      events.push(`${channel.replace("__keyevent@0__:", "").replace(/^__keyevent@(\d+)__:/, "$1 ")} ${key}`);
    }
    effects.push({
      command: command.map(String).join(" "),
      propagated: file.commands(),
      events,
      changes: dirty - before,
    });
  }
  return effects;
}

/** The same of this server. */
export function effectsHere(commands: readonly Command[]): Effects[] {
  const server = new InProcess();
  return commands.map((command) => {
    const before = server.engine.keyspace.dirty;
    server.run(...command);
    return {
      command: command.map(String).join(" "),
      propagated: server.propagated().map((text) => masked(text.replace(/^0 /, ""))),
      events: server.events().map((text) => text.replace(/^0 /, "")),
      changes: server.engine.keyspace.dirty - before,
    };
  });
}
