/**
 * DEBUG: looking into the server and disturbing it, for tests. What only makes sense in Redis's own process (its allocator, its
 * crashes) is answered as far as it can be.
 */

import { fromLatin1, latin1, lower } from "../bytes/ascii.ts";
import { Args } from "../bytes/args.ts";
import { parseMemory } from "../config/syntax.ts";
import type { Client } from "../engine/client.ts";
import { type Command, command } from "../engine/command.ts";
import { replyHelp, subcommandSyntax } from "../engine/help.ts";
import { loadAof } from "../persist/aof_load.ts";
import { crashBySignal, currentStack, panic, panicLines } from "../observe/crash_report.ts";
import { Digest, digestAll, digestValue } from "../observe/digest.ts";
import { RdbWriter } from "../persist/rdb_writer.ts";
import { writeValue } from "../persist/values.ts";
import { type ErrorReply, errorReply, NO_SUCH_KEY, NOT_INTEGER, NOT_POSITIVE } from "../resp/errors.ts";
import { encodingName } from "../store/encoding.ts";
import { NO_EVENT } from "../store/events.ts";
import type { Database } from "../store/database.ts";
import { ListView } from "../store/types/list.ts";
import { ListNode } from "../store/types/list_node.ts";
import { Kind, Type } from "../store/record.ts";

const nodes = new ListView();
const listNode = new ListNode();
const RELOAD_OPTIONS = errorReply("ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.");
const RELOAD_FAILED = errorReply("ERR Error trying to load the RDB dump");
const NOT_IN_TRANSACTION = errorReply("ERR DEBUG RELOAD cannot wait inside a transaction");
const SAVE_FAILED = errorReply("ERR");
const BAD_PROTOCOL = errorReply(
  "ERR Wrong protocol type name. Please use one of the following: string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false",
);
const RESP3_ONLY = errorReply("ERR RESP2 is not supported by this command");
const BAD_THRESHOLD = errorReply("ERR argument must be a memory value bigger than 1 and smaller than 4gb");
const DATABASE_RANGE = errorReply("ERR Out of range database");
const NOT_A_TABLE = errorReply("ERR The value stored at the specified key is not represented using an hash table");
const NOT_LISTPACK = errorReply("ERR Not a listpack encoded object.");
const NOT_QUICKLIST = errorReply("ERR Not a quicklist encoded object.");
const NOT_SDS = errorReply("ERR Not an sds encoded string.");
const NO_CLIENT_LIMIT = errorReply("ERR maxmemory-clients is disabled.");
const NO_CLUSTER = errorReply("ERR Debug option only available for cluster mode enabled setup!");
const LOADAOF_FAILED = errorReply("ERR Error trying to load the AOF files, check server logs.");
const BIG_NUMBER = "1234567999999999999999999999999999999";
const SIGSEGV = 11;

const HELP = [
  "AOF-FLUSH-SLEEP <microsec>",
  "    Server will sleep before flushing the AOF, this is used for testing.",
  "ASSERT",
  "    Crash by assertion failed.",
  "CHANGE-REPL-ID",
  "    Change the replication IDs of the instance.",
  "    Dangerous: should be used only for testing the replication subsystem.",
  "CONFIG-REWRITE-FORCE-ALL",
  "    Like CONFIG REWRITE but writes all configuration options, including",
  "    keywords not listed in original configuration file or default values.",
  "DIGEST",
  "    Output a hex signature representing the current DB content.",
  "DIGEST-VALUE <key> [<key> ...]",
  "    Output a hex signature of the values of all the specified keys.",
  "ERROR <string>",
  "    Return a Redis protocol error with <string> as message. Useful for clients",
  "    unit tests to simulate Redis errors.",
  "LEAK <string>",
  "    Create a memory leak of the input string.",
  "LOG <message>",
  "    Write <message> to the server log.",
  "HTSTATS <dbid>",
  "    Return hash table statistics of the specified Redis database.",
  "HTSTATS-KEY <key>",
  "    Like HTSTATS but for the hash table stored at <key>'s value.",
  "LOADAOF",
  "    Flush the AOF buffers on disk and reload the AOF in memory.",
  "REPLICATE <string>",
  "    Replicates the provided string to replicas, allowing data divergence.",
  "OBJECT <key>",
  "    Show low level info about `key` and associated value.",
  "DROP-CLUSTER-PACKET-FILTER <packet-type>",
  "    Drop all packets that match the filtered type. Set to -1 allow all packets.",
  "OOM",
  "    Crash the server simulating an out-of-memory error.",
  "PANIC",
  "    Crash the server simulating a panic.",
  "POPULATE <count> [<prefix>] [<size>]",
  "    Create <count> string keys named key:<num>. If <prefix> is specified then",
  "    it is used instead of the 'key' prefix. These are not propagated to",
  "    replicas. Cluster slots are not respected so keys not belonging to the",
  "    current node can be created in cluster mode.",
  "PROTOCOL <type>",
  "    Reply with a test value of the specified type. <type> can be: string,",
  "    integer, double, bignum, null, array, set, map, attrib, push, verbatim,",
  "    true, false.",
  "RELOAD [option ...]",
  "    Save the RDB on disk and reload it back to memory. Valid <option> values:",
  "    * MERGE: conflicting keys will be loaded from RDB.",
  "    * NOFLUSH: the existing database will not be removed before load, but",
  "      conflicting keys will generate an exception and kill the server.",
  "    * NOSAVE: the database will be loaded from an existing RDB file.",
  "    Examples:",
  "    * DEBUG RELOAD: verify that the server is able to persist, flush and reload",
  "      the database.",
  "    * DEBUG RELOAD NOSAVE: replace the current database with the contents of an",
  "      existing RDB file.",
  "    * DEBUG RELOAD NOSAVE NOFLUSH MERGE: add the contents of an existing RDB",
  "      file to the database.",
  "SDSLEN <key>",
  "    Show low level SDS string info representing `key` and value.",
  "SEGFAULT",
  "    Crash the server with sigsegv.",
  "SET-ACTIVE-EXPIRE <0|1>",
  "    Setting it to 0 disables expiring keys in background when they are not",
  "    accessed (otherwise the Redis behavior). Setting it to 1 reenables back the",
  "    default.",
  "QUICKLIST-PACKED-THRESHOLD <size>",
  "    Sets the threshold for elements to be inserted as plain vs packed nodes",
  "    Default value is 1GB, allows values up to 4GB. Setting to 0 restores to default.",
  "SET-SKIP-CHECKSUM-VALIDATION <0|1>",
  "    Enables or disables checksum checks for RDB files and RESTORE's payload.",
  "SLEEP <seconds>",
  "    Stop the server for <seconds>. Decimals allowed.",
  "STRINGMATCH-TEST",
  "    Run a fuzz tester against the stringmatchlen() function.",
  "STRUCTSIZE",
  "    Return the size of different Redis core C structures.",
  "LISTPACK <key>",
  "    Show low level info about the listpack encoding of <key>.",
  "QUICKLIST <key> [<0|1>]",
  "    Show low level info about the quicklist encoding of <key>.",
  "    The optional argument (0 by default) sets the level of detail",
  "CLIENT-EVICTION",
  "    Show low level client eviction pools info (maxmemory-clients).",
  "PAUSE-CRON <0|1>",
  "    Stop periodic cron job processing.",
  "REPLYBUFFER PEAK-RESET-TIME <NEVER||RESET|time>",
  "    Sets the time (in milliseconds) to wait between client reply buffer peak resets.",
  "    In case NEVER is provided the last observed peak will never be reset",
  "    In case RESET is provided the peak reset time will be restored to the default value",
  "REPLYBUFFER RESIZING <0|1>",
  "    Enable or disable the reply buffer resize cron job",
  "CLUSTERLINK KILL <to|from|all> <node-id>",
  "    Kills the link based on the direction to/from (both) with the provided node.",
];

/** A subcommand; `argc` says how many arguments it takes with the names: exactly, or at least and at most. */
interface Action {
  readonly argc: readonly [least: number, most: number];
  readonly run: (c: Client) => void;
}
const exactly = (argc: number, run: (c: Client) => void): Action => ({ argc: [argc, argc], run });
const between = (least: number, most: number, run: (c: Client) => void): Action => ({ argc: [least, most], run });
const ANY = Infinity;

const ACTIONS: ReadonlyMap<string, Action> = new Map([
  ["help", exactly(2, (c) => replyHelp(c, HELP))],
  ["segfault", between(2, ANY, (c) => crashBySignal(c.engine, SIGSEGV, currentStack()))],
  ["panic", between(2, ANY, (c) => panicNow(c, "called by Unit Test"))],
  ["assert", between(2, ANY, failAssertion)],
  ["oom", between(2, ANY, (c) => panicNow(c, "Redis aborting for OUT OF MEMORY"))],
  ["log", exactly(3, log)],
  ["leak", exactly(3, (c) => c.reply.ok())],
  ["reload", between(2, ANY, reload)],
  ["loadaof", between(2, ANY, loadAppendOnlyFile)],
  ["drop-cluster-packet-filter", exactly(3, dropPackets)],
  ["object", exactly(3, describe)],
  ["sdslen", exactly(3, stringLengths)],
  ["listpack", exactly(3, showListpack)],
  ["quicklist", between(3, 4, showQuicklist)],
  ["populate", between(3, 5, populate)],
  ["digest", exactly(2, (c) => c.reply.simple(digestAll(c.engine.keyspace)))],
  ["digest-value", between(2, ANY, digestValues)],
  ["protocol", exactly(3, protocol)],
  ["sleep", exactly(3, sleep)],
  ["set-active-expire", exactly(3, (c) => ok(c, c.engine.control.setActiveExpire(isOn(c))))],
  ["quicklist-packed-threshold", exactly(3, packedThreshold)],
  ["set-skip-checksum-validation", exactly(3, (c) => ok(c, c.engine.persistence.skipChecksum = isOn(c)))],
  ["aof-flush-sleep", exactly(3, (c) => ok(c, c.engine.debug.aofFlushSleep = number(c, 2)))],
  ["replicate", between(3, ANY, replicate)],
  ["error", exactly(3, (c) => c.reply.error(errorReply(c.args.text(2))))],
  ["structsize", exactly(2, (c) => c.reply.text(`bits:${c.engine.platform.process.machineBits} record:24 `))],
  ["htstats", exactly(3, tableStats)],
  ["htstats-key", exactly(3, keyTableStats)],
  ["change-repl-id", exactly(2, changeReplicationId)],
  ["stringmatch-test", exactly(2, (c) => c.reply.simple("Apparently Redis did not crash: test passed"))],
  ["set-disable-deny-scripts", exactly(3, (c) => c.reply.ok())],
  ["config-rewrite-force-all", exactly(2, rewriteEverything)],
  ["client-eviction", exactly(2, (c) => c.reply.error(NO_CLIENT_LIMIT))],
  ["pause-cron", exactly(3, (c) => ok(c, c.engine.control.setCronPaused(isOn(c))))],
  ["replybuffer", exactly(4, replyBuffer)],
  ["clusterlink", exactly(5, (c) => c.reply.error(NO_CLUSTER))],
]);

function run(c: Client): void {
  const { args } = c;
  const action = ACTIONS.get(args.text(1).toLowerCase());
  if (action !== undefined && args.argc >= action.argc[0] && args.argc <= action.argc[1]) action.run(c);
  else subcommandSyntax(c);
}

function ok(c: Client, _done: unknown): void {
  c.reply.ok();
}

/** The number that argument i begins with, 0 without one. */
function number(c: Client, i: number): number {
  return parseInt(c.args.text(i), 10) || 0;
}

function isOn(c: Client): boolean {
  return number(c, 2) !== 0;
}

/** The record of argument i's key even if it has expired, 0 without one. */
function findAny(c: Client, i: number): number {
  const { args, db: { dict } } = c;
  return dict.lookup(args.buf, args.off[i], args.len[i]);
}

function panicNow(c: Client, reason: string): void {
  panic(c.engine, panicLines(reason), currentStack());
}

function failAssertion(c: Client): void {
  panic(c.engine, ["=== ASSERTION FAILED ===", "==> DEBUG ASSERT '1 == 2' is not true"], currentStack());
}

function log(c: Client): void {
  c.engine.log.warning(`DEBUG LOG: ${c.args.text(2)}`);
  c.reply.ok();
}

// ---- The data set --------------------------------------------------------------------------------------------------------------

const MERGE = lower("merge"), NOFLUSH = lower("noflush"), NOSAVE = lower("nosave");

function reload(c: Client): void {
  const { args, reply, engine } = c;
  const { persistence, keyspace } = engine;
  let merge = false, flush = true, save = true;
  for (let i = 2; i < args.argc; i++) {
    if (args.is(i, MERGE)) merge = true;
    else if (args.is(i, NOFLUSH)) flush = false;
    else if (args.is(i, NOSAVE)) save = false;
    else return reply.error(RELOAD_OPTIONS);
  }
  if (c.mayNotBlock) return reply.error(NOT_IN_TRANSACTION);
  if (save && !persistence.save()) return reply.error(SAVE_FAILED);
  if (flush) {
    for (const db of keyspace.databases) engine.watches.emptied(db, null);
    keyspace.flushAll();
  }
  const file = persistence.path(engine.config.values.dbfilename);
  answerAfter(c, persistence.loadFile(file, { keepExpired: false, replace: merge }), "RELOAD", RELOAD_FAILED);
}

function loadAppendOnlyFile(c: Client): void {
  const { engine } = c;
  const { persistence, keyspace } = engine;
  if (c.mayNotBlock) return c.reply.error(NOT_IN_TRANSACTION);
  persistence.aof.flushAll();
  for (const db of keyspace.databases) engine.watches.emptied(db, null);
  keyspace.flushAll();
  keyspace.dirty = 0;
  answerAfter(c, loadAof(engine, persistence), "LOADAOF", LOADAOF_FAILED);
}

/** The client waits until the data set is loaded. */
function answerAfter(c: Client, loaded: Promise<unknown>, what: string, failure: ErrorReply): void {
  const { engine } = c;
  const blocked = engine.blocking.wait(c, 0, () => {});
  const finish = (answer: (waiting: Client) => void) => {
    if (c.blocked === blocked) engine.blocking.release(c, answer);
  };
  loaded.then(() => {
    // What was loaded is on disk.
    engine.keyspace.dirty = 0;
    engine.log.warning(what === "RELOAD" ? "DB reloaded by DEBUG RELOAD" : "Append Only File loaded by DEBUG LOADAOF");
    finish((waiting) => waiting.reply.ok());
  }, (error: Error) => {
    engine.log.warning(error.message);
    finish((waiting) => waiting.reply.error(failure));
  });
}

function populate(c: Client): void {
  const { args, reply, db } = c;
  const count = args.int(2);
  if (!(count >= 0)) return reply.error(NOT_POSITIVE);
  const size = args.argc === 5 ? args.int(4) : 0;
  if (!(size >= 0)) return reply.error(NOT_POSITIVE);
  const prefix = args.argc > 3 ? args.text(3) : "key";
  const key = new Args();
  key.reserve(1);
  for (let i = 0; i < count; i++) {
    const name = fromLatin1(`${prefix}:${i}`.slice(0, 127));
    key.point(name, 0, name.length);
    if (db.lookupWrite(key, 0) !== 0) continue;
    let value = fromLatin1(`value:${i}`);
    if (size > 0) {
      const padded = new Uint8Array(size);
      padded.set(value.subarray(0, size));
      value = padded;
    }
    db.set(key, 0, value, 0, value.length);
    db.changed(key, 0, NO_EVENT, 0);
  }
  reply.ok();
}

function digestValues(c: Client): void {
  const { args, reply } = c;
  const digest = new Digest();
  reply.array(args.argc - 2);
  for (let i = 2; i < args.argc; i++) {
    digest.clear();
    const ref = findAny(c, i);
    if (ref !== 0) digestValue(c.db, ref, digest);
    reply.simple(digest.hex());
  }
}

// ---- Single values -------------------------------------------------------------------------------------------------------------

function describe(c: Client): void {
  const { db } = c;
  const ref = findAny(c, 2);
  if (ref === 0) return c.reply.error(NO_SUCH_KEY);
  const out = new RdbWriter(c.engine.config.values.rdbcompression);
  writeValue(db, ref, out);
  c.reply.simple(
    `Value at:0x${ref.toString(16).padStart(12, "0")} refcount:1 encoding:${encodingName(db, ref)} ` +
      `serializedlength:${out.at} lru:${db.access(ref)} lru_seconds_idle:${db.idleSeconds(ref)}${
        describeNodes(db, ref)
      }`,
  );
}

/** The nodes of a list. One that is a single listpack here is one node there. */
function describeNodes(db: Database, ref: number): string {
  if (db.type(ref) !== Type.LIST) return "";
  const { quicklist, count, limits } = nodes.open(db, ref);
  const fill = quicklist?.fill ?? limits.listMaxListpackSize;
  let size = quicklist === null ? nodes.blob.len : 0;
  for (let ref = quicklist?.head ?? 0; ref !== 0; ref = listNode.next) size += listNode.bind(db.slab, ref).len;
  const number = quicklist?.nodes ?? 1;
  const compressed = (quicklist?.depth ?? limits.listCompressDepth) !== 0 ? 1 : 0;
  return ` ql_nodes:${number} ql_avg_node:${(count / number).toFixed(2)} ql_listpack_max:${fill} ` +
    `ql_compressed:${compressed} ql_uncompressed_size:${size}`;
}

function stringLengths(c: Client): void {
  const { db, args } = c;
  const ref = findAny(c, 2);
  if (ref === 0) return c.reply.error(NO_SUCH_KEY);
  if (db.type(ref) !== Type.STRING || encodingName(db, ref) === "int") return c.reply.error(NOT_SDS);
  const key = args.len[2];
  const value = db.valueLength(ref);
  const room = db.kind(ref) === Kind.LARGE ? db.valueBuffer(ref).length : value;
  c.reply.simple(
    `key_sds_len:${key}, key_sds_avail:0, key_zmalloc: ${key}, val_sds_len:${value}, val_sds_avail:${
      room - value
    }, val_zmalloc: ${room}`,
  );
}

function showListpack(c: Client): void {
  const ref = findAny(c, 2);
  if (ref === 0) return c.reply.error(NO_SUCH_KEY);
  if (encodingName(c.db, ref) !== "listpack") return c.reply.error(NOT_LISTPACK);
  const from = c.db.valueOffset(ref);
  const bytes = c.db.valueBuffer(ref).subarray(from, from + c.db.valueLength(ref));
  c.engine.log.raw(`${Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(" ")}\n`);
  c.reply.simple("Listpack structure printed on stdout");
}

function showQuicklist(c: Client): void {
  const ref = findAny(c, 2);
  if (ref === 0) return c.reply.error(NO_SUCH_KEY);
  if (encodingName(c.db, ref) !== "quicklist") return c.reply.error(NOT_QUICKLIST);
  c.reply.simple("Quicklist structure printed on stdout");
}

/** Statistics of a table with so many elements and buckets, as far as they exist here. */
function describeTable(title: string, count: number, buckets: number): string {
  const head = `Hash table 0 stats (${title}):\n`;
  if (count === 0) return `${head}No stats available for empty dictionaries\n`;
  return `${head} table size: ${buckets}\n number of elements: ${count}\n`;
}

function tableStats(c: Client): void {
  const index = c.args.int(2);
  if (Number.isNaN(index)) return c.reply.error(NOT_INTEGER);
  const db = c.engine.keyspace.databases[index];
  if (db === undefined) return c.reply.error(DATABASE_RANGE);
  const main = describeTable("main hash table", db.dict.count, db.dict.buckets);
  const expires = describeTable("main hash table", db.deadlines.count, db.deadlines.count);
  c.reply.verbatim(`[Dictionary HT]\n${main}[Expires HT]\n${expires}`);
}

function keyTableStats(c: Client): void {
  const ref = findAny(c, 2);
  if (ref === 0) return c.reply.error(NO_SUCH_KEY);
  const encoding = encodingName(c.db, ref);
  if (encoding !== "hashtable" && encoding !== "skiplist") return c.reply.error(NOT_A_TABLE);
  const { count } = c.db.object(ref);
  c.reply.verbatim(describeTable("main hash table", count, count));
}

// ---- The server ----------------------------------------------------------------------------------------------------------------

function sleep(c: Client): void {
  const seconds = parseFloat(c.args.text(2));
  c.engine.platform.clock.block(Math.max(0, seconds * 1000 || 0));
  c.reply.ok();
}

function packedThreshold(c: Client): void {
  const bytes = parseMemory(c.args.text(2));
  if (bytes === null || !c.engine.debug.setPackedThreshold(Number(bytes))) return c.reply.error(BAD_THRESHOLD);
  c.reply.ok();
}

const PEAK_RESET_TIME = lower("peak-reset-time"), RESIZING = lower("resizing");
const NEVER = lower("never"), RESET = lower("reset");

function replyBuffer(c: Client): void {
  const { args, reply, engine: { debug } } = c;
  if (args.is(2, PEAK_RESET_TIME)) {
    if (args.is(3, NEVER)) debug.replyPeakReset = -1;
    else if (args.is(3, RESET)) debug.resetReplyPeakTime();
    else {
      const ms = args.int(3);
      if (Number.isNaN(ms)) return reply.error(NOT_INTEGER);
      debug.replyPeakReset = ms;
    }
  } else if (args.is(2, RESIZING)) debug.replyResizing = number(c, 3) !== 0;
  else {
    return subcommandSyntax(c);
  }
  reply.ok();
}

function changeReplicationId(c: Client): void {
  c.engine.log.warning("Changing replication IDs after receiving DEBUG change-repl-id");
  c.engine.replication.changeId();
  c.engine.replication.clearSecondId();
  c.reply.ok();
}

function rewriteEverything(c: Client): void {
  const problem = c.engine.config.rewrite(true);
  if (problem === null) c.reply.ok();
  else c.reply.error(errorReply(`ERR CONFIG-REWRITE-FORCE-ALL failed: ${problem}`));
}

/** Sends a command to the replicas and the AOF that is not run here. */
function replicate(c: Client): void {
  const { args, engine } = c;
  const parts: Uint8Array[] = [];
  for (let i = 2; i < args.argc; i++) parts.push(args.bytes(i));
  engine.propagation.also(c.db.index, ...parts);
  c.reply.ok();
}

function dropPackets(c: Client): void {
  if (Number.isNaN(c.args.int(2))) return c.reply.error(NOT_INTEGER);
  c.reply.ok();
}

function protocol(c: Client): void {
  const { reply } = c;
  switch (latin1(c.args.buf, c.args.off[2], c.args.len[2]).toLowerCase()) {
    case "string":
      return reply.text("Hello World");
    case "integer":
      return reply.int(12345);
    case "double":
      return reply.double(3.141);
    case "bignum":
      return reply.bigNumber(BIG_NUMBER);
    case "null":
      return reply.null();
    case "array":
      reply.array(3);
      for (let i = 0; i < 3; i++) reply.int(i);
      return;
    case "set":
      reply.set(3);
      for (let i = 0; i < 3; i++) reply.int(i);
      return;
    case "map":
      reply.map(3);
      for (let i = 0; i < 3; i++) {
        reply.int(i);
        reply.bool(i === 1);
      }
      return;
    case "attrib":
      if (reply.resp3) {
        reply.attribute(1);
        reply.text("key-popularity");
        reply.array(2);
        reply.text("key:123");
        reply.int(90);
      }
      return reply.text("Some real reply following the attribute");
    case "push":
      if (!reply.resp3) return reply.error(RESP3_ONLY);
      reply.push(2);
      reply.text("server-cpu-usage");
      reply.int(42);
      return reply.text("Some real reply following the push reply");
    case "true":
      return reply.bool(true);
    case "false":
      return reply.bool(false);
    case "verbatim":
      return reply.verbatim("This is a verbatim\nstring");
    default:
      reply.error(BAD_PROTOCOL);
  }
}

const debug = command({
  name: "debug",
  arity: -2,
  flags: "admin noscript loading stale protected",
  since: "1.0.0",
  group: "server",
  complexity: "Depends on subcommand.",
  summary: "A container for debugging commands",
  docFlags: "syscmd",
  run,
});

export const commands: Command[] = [debug];
