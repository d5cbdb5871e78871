/** The server as a whole: its databases, clock and role, who watches it, and its end. */

import { lower } from "../bytes/ascii.ts";
import type { Client } from "../engine/client.ts";
import { type Command, command, container } from "../engine/command.ts";
import { replyHelp } from "../engine/help.ts";
import { DB_INDEX, errorReply, SYNTAX } from "../resp/errors.ts";

const ASYNC = lower("async"), SYNC = lower("sync");
const INVALID_FIRST = errorReply("ERR invalid first DB index"),
  INVALID_SECOND = errorReply("ERR invalid second DB index");
const MONITOR_REFUSED = errorReply("ERR MONITOR isn't allowed for DENY BLOCKING client");
const SHUTDOWN_REFUSED = errorReply("ERR SHUTDOWN without NOW or ABORT isn't allowed for DENY BLOCKING client");
const NO_SHUTDOWN = errorReply("ERR No shutdown in progress.");
const NO_MODULES = errorReply("ERR Error loading the extension. Please check the server logs.");
const NO_SUCH_MODULE = errorReply("ERR Error unloading module: no such module with that name");
const INT_MAX = 2 ** 31 - 1;

// ---- Databases -----------------------------------------------------------------------------------------------------------------

/**
 * Checks `SYNC` and `ASYNC`, which make no difference here: what is flushed is out of sight at once and freed in slices.
 * False after an error reply.
 */
function flushOption(c: Client): boolean {
  const { args } = c;
  if (args.argc === 1 || (args.argc === 2 && (args.is(1, SYNC) || args.is(1, ASYNC)))) return true;
  return c.fail(SYNTAX);
}

function flushDatabase(c: Client): void {
  if (!flushOption(c)) return;
  const { keyspace, watches, blocking, propagation } = c.engine;
  watches.emptied(c.db, null);
  keyspace.dirty += keyspace.flush(c.db);
  blocking.databaseChanged(c.db);
  c.engine.control.wakeBackground();
  propagation.force();
  c.reply.ok();
}

function flushAll(c: Client): void {
  if (!flushOption(c)) return;
  const { config, keyspace, watches, blocking, persistence, propagation, replication } = c.engine;
  for (const db of keyspace.databases) watches.emptied(db, null);
  persistence.cancelSave();
  replication.replicas.fullSync.cancel();
  keyspace.dirty += keyspace.flushAll();
  if (config.values.save.length > 0) persistence.save();
  for (const db of keyspace.databases) blocking.databaseChanged(db);
  c.engine.control.wakeBackground();
  propagation.force();
  c.reply.ok();
}

function swapDatabases(c: Client): void {
  const { args, engine, reply } = c;
  const { databases } = engine.keyspace;
  const first = args.int(1);
  if (!(Math.abs(first) <= INT_MAX)) return reply.error(INVALID_FIRST);
  const second = args.int(2);
  if (!(Math.abs(second) <= INT_MAX)) return reply.error(INVALID_SECOND);
  const one = databases[first];
  const other = databases[second];
  if (one === undefined || other === undefined) return reply.error(DB_INDEX);
  if (one !== other) {
    engine.watches.emptied(one, other);
    engine.watches.emptied(other, one);
    one.swap(other);
    engine.blocking.databaseChanged(one);
    engine.blocking.databaseChanged(other);
  }
  engine.keyspace.dirty++;
  reply.ok();
}

// ---- Time and role -------------------------------------------------------------------------------------------------------------

function time(c: Client): void {
  const micros = c.engine.platform.clock.nowMicros();
  c.reply.array(2);
  c.reply.bulkInt(Math.floor(micros / 1e6));
  c.reply.bulkInt(micros % 1e6);
}

// ---- Watching ------------------------------------------------------------------------------------------------------------------

function startMonitor(c: Client): void {
  if (c.mayNotBlock) return c.reply.error(MONITOR_REFUSED);
  if (c.isReplica || c.isMonitor) return;
  c.isMonitor = true;
  c.engine.monitors.add(c);
  c.reply.ok();
}

// ---- The end -------------------------------------------------------------------------------------------------------------------

const SAVE = lower("save"),
  NOSAVE = lower("nosave"),
  NOW = lower("now"),
  FORCE = lower("force"),
  ABORT = lower("abort");

function shutDown(c: Client): void {
  const { args, reply } = c;
  let saves = false, skips = false, now = false, force = false, abort = false;
  for (let i = 1; i < args.argc; i++) {
    if (args.is(i, NOSAVE)) skips = true;
    else if (args.is(i, SAVE)) saves = true;
    else if (args.is(i, NOW)) now = true;
    else if (args.is(i, FORCE)) force = true;
    else if (args.is(i, ABORT)) abort = true;
    else return reply.error(SYNTAX);
  }
  if ((abort && (saves || skips || now || force)) || (saves && skips)) return reply.error(SYNTAX);
  const { control } = c.engine;
  if (abort) {
    if (control.abortShutdown()) reply.ok();
    else reply.error(NO_SHUTDOWN);
    return;
  }
  if (!now && c.mayNotBlock) return reply.error(SHUTDOWN_REFUSED);
  control.shutdown({ save: saves ? "yes" : skips ? "no" : "default", now, force }, c);
}

const dbsize = command({
  name: "dbsize",
  arity: 1,
  flags: "readonly fast",
  acl: "keyspace",
  since: "1.0.0",
  group: "server",
  complexity: "O(1)",
  summary: "Return the number of keys in the selected database",
  tips: "request_policy:all_shards response_policy:agg_sum",
  run: (c) => c.reply.int(c.db.dict.count),
});

const flushall = command({
  name: "flushall",
  arity: -1,
  flags: "write",
  acl: "keyspace dangerous",
  since: "1.0.0",
  group: "server",
  complexity: "O(N) where N is the total number of keys in all databases",
  summary: "Remove all keys from all databases",
  syntax: "async=[ASYNC@4.0.0 | SYNC@6.2.0]",
  history: ["4.0.0 Added the `ASYNC` flushing mode modifier.", "6.2.0 Added the `SYNC` flushing mode modifier."],
  tips: "request_policy:all_shards response_policy:all_succeeded",
  run: flushAll,
});

const flushdb = command({
  name: "flushdb",
  arity: -1,
  flags: "write",
  acl: "keyspace dangerous",
  since: "1.0.0",
  group: "server",
  complexity: "O(N) where N is the number of keys in the selected database",
  summary: "Remove all keys from the current database",
  syntax: "async=[ASYNC@4.0.0 | SYNC@6.2.0]",
  history: ["4.0.0 Added the `ASYNC` flushing mode modifier.", "6.2.0 Added the `SYNC` flushing mode modifier."],
  tips: "request_policy:all_shards response_policy:all_succeeded",
  run: flushDatabase,
});

const swapdb = command({
  name: "swapdb",
  arity: 3,
  flags: "write fast",
  acl: "keyspace dangerous",
  since: "4.0.0",
  group: "server",
  complexity: "O(N) where N is the count of clients watching or blocking on keys from both databases.",
  summary: "Swaps two Redis databases",
  syntax: "index1:integer index2:integer",
  run: swapDatabases,
});

const timeCommand = command({
  name: "time",
  arity: 1,
  flags: "loading stale fast",
  since: "2.6.0",
  group: "server",
  complexity: "O(1)",
  summary: "Return the current server time",
  tips: "nondeterministic_output",
  run: time,
});

const lastsave = command({
  name: "lastsave",
  arity: 1,
  flags: "loading stale fast",
  acl: "admin dangerous",
  since: "1.0.0",
  group: "server",
  complexity: "O(1)",
  summary: "Get the UNIX time stamp of the last successful save to disk",
  tips: "nondeterministic_output",
  run: (c) => c.reply.int(c.engine.persistence.lastSave),
});

const monitor = command({
  name: "monitor",
  arity: 1,
  flags: "admin noscript loading stale",
  since: "1.0.0",
  group: "server",
  summary: "Listen for all requests received by the server in real time",
  run: startMonitor,
});

const shutdown = command({
  name: "shutdown",
  arity: -1,
  flags: "admin noscript loading stale no_multi allow_busy",
  since: "1.0.0",
  group: "server",
  complexity: "O(N) when saving, where N is the total number of keys in all databases when saving data, otherwise O(1)",
  summary: "Synchronously save the dataset to disk and then shut down the server",
  syntax: "[NOSAVE | SAVE] [NOW@7.0.0] [FORCE@7.0.0] [ABORT@7.0.0]",
  history: ["7.0.0 Added the `NOW`, `FORCE` and `ABORT` modifiers."],
  run: shutDown,
});

const MODULE_HELP = [
  "LIST",
  "    Return a list of loaded modules.",
  "LOAD <path> [<arg> ...]",
  "    Load a module library from <path>, passing to it any optional arguments.",
  "LOADEX <path> [[CONFIG NAME VALUE] [CONFIG NAME VALUE]] [ARGS ...]",
  "    Load a module library from <path>, while passing it module configurations and optional arguments.",
  "UNLOAD <name>",
  "    Unload a module.",
];

/** There are no modules: they are machine code for Redis's own process. */
const moduleCommand = container({
  name: "module",
  arity: -2,
  since: "4.0.0",
  group: "server",
  complexity: "Depends on subcommand.",
  summary: "A container for module commands",
  subcommands: [
    command({
      name: "help",
      arity: 2,
      flags: "loading stale",
      since: "5.0.0",
      group: "server",
      complexity: "O(1)",
      summary: "Show helpful text about the different subcommands",
      run: (c) => replyHelp(c, MODULE_HELP),
    }),
    command({
      name: "list",
      arity: 2,
      flags: "admin noscript",
      since: "4.0.0",
      group: "server",
      complexity: "O(N) where N is the number of loaded modules.",
      summary: "List all modules loaded by the server",
      tips: "nondeterministic_output_order",
      run: (c) => c.reply.array(0),
    }),
    command({
      name: "load",
      arity: -3,
      flags: "no_async_loading admin noscript protected",
      since: "4.0.0",
      group: "server",
      complexity: "O(1)",
      summary: "Load a module",
      syntax: "path [arg [arg ...]]",
      run: refuseModule,
    }),
    command({
      name: "loadex",
      arity: -3,
      flags: "no_async_loading admin noscript protected",
      since: "7.0.0",
      group: "server",
      complexity: "O(1)",
      summary: "Load a module with extended parameters",
      syntax: "path [CONFIG configs=(name value) [CONFIG configs ...]] [ARGS args=(arg) [args ...]]",
      run: refuseModule,
    }),
    command({
      name: "unload",
      arity: 3,
      flags: "no_async_loading admin noscript protected",
      since: "4.0.0",
      group: "server",
      complexity: "O(1)",
      summary: "Unload a module",
      syntax: "name",
      run: (c) => c.reply.error(NO_SUCH_MODULE),
    }),
  ],
});

function refuseModule(c: Client): void {
  c.engine.log.warning(`Module ${c.args.text(2)} not loaded: this server runs no machine code`);
  c.reply.error(NO_MODULES);
}

export const commands: Command[] = [
  dbsize,
  flushall,
  flushdb,
  swapdb,
  timeCommand,
  lastsave,
  monitor,
  shutdown,
  moduleCommand,
];
