/**
 * Execute: from arguments to a reply. Look the command up, check its arity, pass the gate, call it.
 *
 * The gate is one test of a command's mask against the states of server and client (command.ts). Only when a bit is common
 * to both does `admit` go through the refusals, in Redis's order and with its texts (processCommand, server.c of 7.0).
 *
 * Timing. Reading a clock costs as much as GET. So calls of the same fast command that follow each other in one batch or transaction are timed
 * together, and each counts as the mean; everything else, and everything while a low slow-log threshold asks for it, is
 * timed by itself, from the end of the command before it in the batch.
 */

import { latin1, lower } from "../bytes/ascii.ts";
import {
  type ErrorReply,
  errorReply,
  LOADING,
  MASTERDOWN,
  NOAUTH,
  NOREPLICAS,
  OOM,
  READONLY,
  wrongArity,
} from "../resp/errors.ts";
import { type Client, isLocal } from "./client.ts";
import { type Command, Deny, Flag } from "./command.ts";

const HOST = lower("host:");
const POST = lower("post");
const NOT_IN_TRANSACTION = errorReply("ERR Command not allowed inside a transaction");
const REPLICA_KEYSPACE = errorReply("ERR Replica can't interact with the keyspace");
const INTERNAL = errorReply("ERR internal error, see the server's log");

/** Fast commands are timed together, but not those that may block. */
const TIMED_TOGETHER = Flag.FAST | Flag.QUICK;

/** Runs the command in `c.args`, which has at least one argument. */
export function execute(c: Client): void {
  const engine = c.engine;
  const a = c.args;
  let cmd = engine.table.find(a.buf, a.off[0], a.len[0]);
  if (cmd === null) return unknownCommand(c);
  if (cmd.subcommands !== null && a.argc > 1) {
    const sub = cmd.subcommands.find(a.buf, a.off[1], a.len[1]);
    if (sub === null) return unknownSubcommand(c, cmd);
    cmd = sub;
  }
  c.command = cmd;
  if (cmd.arity > 0 ? a.argc !== cmd.arity : a.argc < -cmd.arity) return reject(c, cmd, wrongArity(cmd.fullName));
  if (((engine.deny | c.deny) & cmd.mask) !== 0 && !admit(c, cmd)) return;
  call(c, cmd);
  if (engine.blocking.anyReady) engine.blocking.serve();
}

/** Runs a command that may run, and does what follows from it: statistics, propagation. */
export function call(c: Client, cmd: Command): void {
  const engine = c.engine;
  const { keyspace, reply, propagation } = engine;
  const dirty = keyspace.dirty;
  reply.told = reply.errors;
  const db = c.db;
  const outermost = engine.depth === 0;
  const together = (cmd.flags & TIMED_TOGETHER) !== 0 && (cmd.flags & Flag.BLOCKING) === 0;
  const alone = engine.timeEach || !together || !(outermost || (c.transaction !== null && engine.depth === 1));
  let start = 0;
  if (alone) start = startTime(c);
  else if (engine.runCommand !== cmd) {
    engine.runStart = startTime(c);
    engine.runCommand = cmd;
    engine.runCalls = 0;
  }
  engine.callEnd = -1;
  engine.depth++;
  try {
    cmd.run(c);
  } catch (error) {
    internalError(c, cmd, error);
  }
  engine.depth--;
  if (c.readyKey === 0) {
    cmd.calls++;
    engine.stats.commands++;
  }
  if (reply.errors !== reply.told) {
    cmd.failed++;
    reply.told = reply.errors;
  }
  if (alone) {
    // If this was EXEC, the last of its commands ends, too.
    const end = endRun(c);
    const micros = (end - start) * 1000;
    engine.callEnd = end;
    engine.observation.timed(c, cmd, micros);
    // A long command must not make those behind it in the batch live in the past.
    if (outermost && micros > 1000) engine.refreshTime();
  } else engine.runCalls++;
  if (engine.monitors.size > 0 && c.readyKey === 0) engine.observation.monitor(c, cmd);
  if (propagation.active ? keyspace.dirty !== dirty || propagation.special || outermost : propagation.special) {
    const unrelated = (cmd.flags & Flag.TOUCHES_ARBITRARY_KEYS) !== 0;
    propagation.command(db.index, c.args, keyspace.dirty !== dirty, outermost, unrelated);
    c.writeOffset = propagation.offset;
  }
}

/** When a command that is about to run begins. */
function startTime(c: Client): number {
  const { callEnd, runCommand } = c.engine;
  return callEnd >= 0 && runCommand === null ? callEnd : endRun(c);
}

/** Ends a run of fast commands that are timed together, if there is one; also called at the end of each batch. Returns what time it is. */
export function endRun(c: Client): number {
  const engine = c.engine;
  const now = engine.platform.clock.monotonic();
  const cmd = engine.runCommand;
  if (cmd === null) return now;
  engine.runCommand = null;
  if (engine.runCalls > 0) engine.observation.timedRun(c, cmd, (now - engine.runStart) * 1000, engine.runCalls);
  return now;
}

/** A defect of ours must cost no more than the command that met it. */
function internalError(c: Client, cmd: Command, error: unknown): void {
  const text = error instanceof Error ? error.stack ?? error.message : String(error);
  c.engine.log.warning(`Internal error in '${cmd.fullName}': ${text}`);
  c.reply.error(INTERNAL);
}

/** Refuses a command before it ran: a transaction being queued is spoilt by that. */
export function reject(c: Client, cmd: Command | null, error: ErrorReply): void {
  if (c.transaction !== null) c.transaction.failed = true;
  if (cmd !== null) cmd.rejected++;
  if (cmd !== null && cmd.name === "exec" && cmd.parent === null) {
    discard(c);
    c.reply.error(errorReply(`EXECABORT Transaction discarded because of: ${error.text.replace(/^ERR /, "")}`));
    return;
  }
  c.reply.error(error);
}

/** Ends the transaction without running it. */
export function discard(c: Client): void {
  c.transaction?.end();
  c.transaction = null;
  c.deny &= ~Deny.MULTI;
  c.engine.watches.removeAll(c);
}

function unknownCommand(c: Client): void {
  const a = c.args;
  if (a.is(0, HOST) || a.is(0, POST)) {
    const now = c.engine.keyspace.now;
    if (now - c.engine.observation.lastAttackWarning > 60_000) {
      c.engine.observation.lastAttackWarning = now;
      c.engine.log.warning(
        "Possible SECURITY ATTACK detected. It looks like somebody is sending POST or Host: commands to Redis. This is likely due to an attacker attempting to use Cross Protocol Scripting to compromise your Redis instance. Connection from " +
          `${c.link.remote} aborted.`,
      );
    }
    c.closing = true;
    c.link.close();
    return;
  }
  c.command = null;
  let shown = "";
  for (let i = 1; i < a.argc && shown.length < 128; i++) {
    shown += `'${printable(a.buf, a.off[i], Math.min(a.len[i], 128 - shown.length))}' `;
  }
  const name = printable(a.buf, a.off[0], Math.min(a.len[0], 128));
  reject(c, null, errorReply(`ERR unknown command '${name}', with args beginning with: ${shown}`));
}

function unknownSubcommand(c: Client, cmd: Command): void {
  const a = c.args;
  c.command = null;
  const name = printable(a.buf, a.off[1], Math.min(a.len[1], 128));
  reject(c, null, errorReply(`ERR unknown subcommand '${name}'. Try ${cmd.name.toUpperCase()} HELP.`));
}

/** C's %s stops at a zero byte, and an error must stay on its line. */
function printable(buf: Uint8Array, off: number, len: number): string {
  const text = latin1(buf, off, len);
  const zero = text.indexOf("\0");
  return (zero < 0 ? text : text.slice(0, zero)).replace(/[\r\n]/g, " ");
}

/** The ordered list of refusals. False: the command has been refused, queued or postponed. */
function admit(c: Client, cmd: Command): boolean {
  const engine = c.engine;
  const { transaction } = c;
  const isExec = (cmd.flags & Flag.CARRIES) !== 0 && cmd.name === "exec";
  // EXEC is judged by what it carries.
  const mask = isExec && transaction !== null ? cmd.mask & carriedStates(transaction.mask) : cmd.mask;
  const flags = isExec && transaction !== null ? cmd.flags | transaction.flags : cmd.flags;
  const denied = (engine.deny | c.deny) & mask;
  if (denied & Deny.PROTECTED) {
    const error = protectedAction(c, cmd);
    if (error !== null) return refuse(c, cmd, error);
  }
  if (denied & Deny.AUTH) return refuse(c, cmd, NOAUTH);
  if (c.deny & Deny.MULTI && cmd.flags & Flag.NO_MULTI) return refuse(c, cmd, NOT_IN_TRANSACTION);
  // A replica that does not ignore `maxmemory` evicts for its master's commands as for others, and may have to refuse them.
  if (engine.deny & Deny.OOM && (!c.isTrusted || c.isMaster)) {
    const queued = transaction !== null && !(cmd.flags & Flag.UNQUEUED);
    if (!engine.eviction.free() && (flags & Flag.DENYOOM || queued)) return refuse(c, cmd, OOM);
  }
  if (denied & Deny.WRITE && c.isMaster && engine.diskError !== null) {
    engine.replication.appliesWithoutDisk((flags & Flag.WRITE) !== 0);
  }
  if (denied & Deny.WRITE && !c.isTrusted) {
    const isWrite = (flags & Flag.WRITE) !== 0;
    if (engine.diskError !== null && (isWrite || cmd.flags & Flag.DISK_CHECK)) return refuse(c, cmd, engine.diskError);
    if (isWrite && engine.tooFewReplicas) return refuse(c, cmd, NOREPLICAS);
    if (isWrite && engine.isReadOnlyReplica) return refuse(c, cmd, READONLY);
  }
  if (denied & Deny.SUBSCRIBED) {
    return refuse(
      c,
      cmd,
      errorReply(
        `ERR Can't execute '${cmd.fullName}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context`,
      ),
    );
  }
  if (denied & Deny.STALE) return refuse(c, cmd, MASTERDOWN);
  if (!c.isTrusted) {
    if (denied & Deny.LOADING) return refuse(c, cmd, LOADING);
    if (denied & Deny.ASYNC_LOADING && flags & Flag.NO_ASYNC_LOADING) return refuse(c, cmd, LOADING);
  }
  if (denied & Deny.REPLICA && !c.isMaster) return refuse(c, cmd, REPLICA_KEYSPACE);
  if (denied & (Deny.PAUSED_ALL | Deny.PAUSED_WRITE) && !c.isReplica && !c.isTrusted) {
    if (denied & Deny.PAUSED_ALL || flags & (Flag.WRITE | Flag.MAY_REPLICATE)) {
      engine.blocking.postpone(c);
      return false;
    }
  }
  if (transaction !== null && !(cmd.flags & Flag.UNQUEUED)) {
    transaction.add(cmd, c.args);
    c.reply.queued();
    return false;
  }
  return true;
}

/** Of the states in which EXEC itself may run anywhere, only those count that its commands care about. */
function carriedStates(mask: number): number {
  return mask | Deny.AUTH | Deny.MULTI | Deny.SUBSCRIBED | Deny.PAUSED_ALL;
}

function refuse(c: Client, cmd: Command, error: ErrorReply): boolean {
  reject(c, cmd, error);
  return false;
}

/** DEBUG and MODULE, which only some may use; null if this client may. */
function protectedAction(c: Client, cmd: Command): ErrorReply | null {
  const { values } = c.engine.config;
  const isDebug = (cmd.parent ?? cmd).name === "debug";
  const allowed = isDebug ? values.enableDebugCommand : values.enableModuleCommand;
  if (allowed === "yes" || (allowed === "local" && isLocal(c.link))) return null;
  const name = isDebug ? "DEBUG" : "MODULE";
  const option = isDebug ? "enable-debug-command" : "enable-module-command";
  return errorReply(
    `ERR ${name} command not allowed. If the ${option} option is set to "local", you can run it from a local connection, otherwise you need to set this option in the configuration file, and then restart the server.`,
  );
}
