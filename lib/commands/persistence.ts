/** SAVE, BGSAVE, BGREWRITEAOF. */

import { lower } from "../bytes/ascii.ts";
import { type Command, command } from "../engine/command.ts";
import type { Client } from "../engine/client.ts";
import { errorReply, SYNTAX } from "../resp/errors.ts";

const SCHEDULE = lower("schedule");
const IN_PROGRESS = errorReply("ERR Background save already in progress");
const OTHER_IN_PROGRESS = errorReply(
  "ERR Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE SCHEDULE in order to schedule a BGSAVE whenever possible.",
);
const REWRITING = errorReply("ERR Background append only file rewriting already in progress");
const REWRITE_FAILED = errorReply(
  "ERR Can't execute an AOF background rewriting. Please check the server logs for more information.",
);
const FAILED = errorReply("ERR");

const save = command({
  name: "save",
  arity: 1,
  flags: "no_async_loading admin noscript no_multi",
  since: "1.0.0",
  group: "server",
  complexity: "O(N) where N is the total number of keys in all databases",
  summary: "Synchronously save the dataset to disk",
  run(c) {
    const { persistence } = c.engine;
    if (persistence.background === "rdb") return c.reply.error(IN_PROGRESS);
    if (persistence.save()) c.reply.ok();
    else c.reply.error(FAILED);
  },
});

const bgsave = command({
  name: "bgsave",
  arity: -1,
  flags: "no_async_loading admin noscript",
  since: "1.0.0",
  group: "server",
  complexity: "O(1)",
  summary: "Asynchronously save the dataset to disk",
  syntax: "[SCHEDULE@3.2.2]",
  history: ["3.2.2 Added the `SCHEDULE` option."],
  run: saveInBackground,
});

function saveInBackground(c: Client): void {
  const { persistence } = c.engine;
  let schedule = false;
  if (c.args.argc > 1) {
    if (c.args.argc !== 2 || !c.args.is(1, SCHEDULE)) return c.reply.error(SYNTAX);
    schedule = true;
  }
  if (persistence.background === "rdb") return c.reply.error(IN_PROGRESS);
  if (persistence.background !== "none" || c.engine.depth > 1) {
    if (!schedule && c.engine.depth === 1) return c.reply.error(OTHER_IN_PROGRESS);
    persistence.saveScheduled = true;
    return c.reply.simple("Background saving scheduled");
  }
  if (persistence.startSave()) c.reply.simple("Background saving started");
  else c.reply.error(FAILED);
}

const bgrewriteaof = command({
  name: "bgrewriteaof",
  arity: 1,
  flags: "no_async_loading admin noscript",
  since: "1.0.0",
  group: "server",
  complexity: "O(1)",
  summary: "Asynchronously rewrite the append-only file",
  run: rewriteInBackground,
});

function rewriteInBackground(c: Client): void {
  const { persistence } = c.engine;
  const { aof } = persistence;
  if (aof.rewriting) return c.reply.error(REWRITING);
  if (persistence.background !== "none" || c.engine.depth > 1) {
    aof.rewriteScheduled = true;
    aof.forgetFailures();
    return c.reply.simple("Background append only file rewriting scheduled");
  }
  if (aof.startRewrite()) c.reply.simple("Background append only file rewriting started");
  else c.reply.error(REWRITE_FAILED);
}

export const commands: Command[] = [save, bgsave, bgrewriteaof];
