/**
 * Transactions: MULTI, EXEC, DISCARD, WATCH, UNWATCH, and UNDO, which Redis does not have.
 *
 * Queueing is done by the gate (execute.ts), which also refuses EXEC for what it carries; here the queue is run.
 */

import { type Command, command, Deny } from "../engine/command.ts";
import type { Client } from "../engine/client.ts";
import { call, discard as endTransaction } from "../engine/execute.ts";
import { Transaction } from "../engine/transaction.ts";
import { Args } from "../bytes/args.ts";
import { errorReply, EXECABORT, wrongArity } from "../resp/errors.ts";

const NESTED = errorReply("ERR MULTI calls can not be nested");
const EXEC_ALONE = errorReply("ERR EXEC without MULTI");
const DISCARD_ALONE = errorReply("ERR DISCARD without MULTI");
const UNDO_ALONE = errorReply("ERR UNDO without MULTI");
const WATCH_INSIDE = errorReply("ERR WATCH inside MULTI is not allowed");
const UNDO_COUNT = errorReply("ERR invalid undo count");
const UNDO_ARITY = wrongArity("undo");

/** The arguments of the queued command that is run. */
const queuedArgs = new Args();
const NO_BYTES = new Uint8Array(0);

const multi = command({
  name: "multi",
  arity: 1,
  flags: "noscript loading stale fast allow_busy unqueued",
  acl: "transaction",
  since: "1.2.0",
  group: "transactions",
  complexity: "O(1)",
  summary: "Mark the start of a transaction block",
  run(c) {
    if (c.transaction !== null) return c.reply.error(NESTED);
    c.transaction = Transaction.begin();
    c.deny |= Deny.MULTI;
    c.reply.ok();
  },
});

const exec = command({
  name: "exec",
  arity: 1,
  flags: "noscript loading stale skip_slowlog carries unqueued",
  acl: "transaction",
  since: "1.2.0",
  group: "transactions",
  complexity: "Depends on commands in the transaction",
  summary: "Execute all commands issued after MULTI",
  run: executeQueue,
});

function executeQueue(c: Client): void {
  const { engine, transaction } = c;
  if (transaction === null) return c.reply.error(EXEC_ALONE);
  if (engine.watches.someExpired(c)) c.watchFailed = true;
  if (transaction.failed || c.watchFailed) {
    if (transaction.failed) c.reply.error(EXECABORT);
    else c.reply.nullArray();
    return endTransaction(c);
  }
  // What the transaction itself changes is no reason to watch any more.
  engine.watches.removeAll(c);
  const { args, command } = c;
  const { commands, count } = transaction;
  c.reply.array(count);
  for (let i = 0, place = 0; i < count; i++) {
    // What is propagated is kept until the end.
    c.args = engine.propagation.active ? new Args() : queuedArgs;
    place = transaction.read(place, c.args);
    c.command = commands[i];
    call(c, commands[i]);
  }
  c.args = args;
  c.command = command;
  queuedArgs.buf = NO_BYTES;
  endTransaction(c);
  // Its commands have gone out one by one.
  engine.propagation.suppress();
}

const discard = command({
  name: "discard",
  arity: 1,
  flags: "noscript loading stale fast allow_busy unqueued",
  acl: "transaction",
  since: "2.0.0",
  group: "transactions",
  complexity: "O(N), when N is the number of queued commands",
  summary: "Discard all commands issued after MULTI",
  run(c) {
    if (c.transaction === null) return c.reply.error(DISCARD_ALONE);
    endTransaction(c);
    c.reply.ok();
  },
});

const watch = command({
  name: "watch",
  arity: -2,
  flags: "noscript loading stale fast allow_busy unqueued",
  keys: "1:-1 RO",
  acl: "transaction",
  since: "2.2.0",
  group: "transactions",
  complexity: "O(1) for every key.",
  summary: "Watch the given keys to determine execution of the MULTI/EXEC block",
  syntax: "key [key ...]",
  run(c) {
    const { args: a } = c;
    if (c.transaction !== null) return c.reply.error(WATCH_INSIDE);
    // Who has lost already need not watch more.
    if (!c.watchFailed) { for (let i = 1; i < a.argc; i++) c.engine.watches.add(c, a, i); }
    c.reply.ok();
  },
});

const unwatch = command({
  name: "unwatch",
  arity: 1,
  flags: "noscript loading stale fast allow_busy",
  acl: "transaction",
  since: "2.2.0",
  group: "transactions",
  complexity: "O(1)",
  summary: "Forget about all watched keys",
  run(c) {
    c.engine.watches.removeAll(c);
    c.reply.ok();
  },
});

const undo = command({
  name: "undo",
  arity: -1,
  flags: "noscript loading stale fast allow_busy unqueued",
  acl: "transaction",
  since: "7.0.15",
  group: "transactions",
  complexity: "O(N), where N is the number of removed commands",
  summary: "Remove the last commands from the queue of a transaction",
  syntax: "[count:integer]",
  run: undoQueued,
});

function undoQueued(c: Client): void {
  const { args: a, reply, transaction } = c;
  if (a.argc > 2) return reply.error(UNDO_ARITY);
  const count = a.argc === 2 ? a.int(1) : 1;
  if (!(count >= 1)) return reply.error(UNDO_COUNT);
  if (transaction === null) return reply.error(UNDO_ALONE);
  const queued = transaction.count;
  if (queued === 0) return reply.array(0);
  if (count > queued) {
    return reply.error(errorReply(`ERR cannot undo ${a.text(1)} commands, only ${queued} queued`));
  }
  reply.array(count + 2);
  reply.text(`Removed ${count} commands:`);
  for (let i = 0, place = transaction.place(queued - count); i < count; i++) {
    place = transaction.read(place, queuedArgs);
    reply.text(joined(queuedArgs));
  }
  transaction.removeLast(count);
  reply.text(`${queued - count} commands remaining in queue`);
}

/** A command as one line: its arguments with blanks between them. */
function joined(args: Args): string {
  let line = args.text(0);
  for (let i = 1; i < args.argc; i++) line += ` ${args.text(i)}`;
  return line;
}

export const commands: Command[] = [multi, exec, discard, watch, unwatch, undo];
