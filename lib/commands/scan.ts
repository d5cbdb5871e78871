/**
 * SCAN, and all that HSCAN, SSCAN and ZSCAN have in common with it and each other.
 *
 * The server keeps nothing between two calls: what the cursor means is explained in dict.ts. A call goes on from bucket to bucket
 * until it has seen COUNT keys, before any filter, so a pattern that matches nothing makes calls no longer.
 */

import { type Command, command } from "../engine/command.ts";
import type { Client } from "../engine/client.ts";
import { equalsFolded, fromLatin1, lower, parseCursor } from "../bytes/ascii.ts";
import { globMatch } from "../bytes/glob.ts";
import { errorReply, NOT_INTEGER, SYNTAX } from "../resp/errors.ts";
import type { Database } from "../store/database.ts";
import type { Dict } from "../store/dict.ts";
import { KEY_MISS } from "../store/events.ts";
import { Expiry } from "../store/keyspace.ts";
import { TYPE_NAMES } from "../store/record.ts";
import type { ListpackCursor } from "../store/types/listpack.ts";
import type { Table } from "../store/types/table.ts";

const COUNT = lower("count");
const MATCH = lower("match");
const TYPE = lower("type");
const STAR = 42;
const INVALID_CURSOR = errorReply("ERR invalid cursor");
/** A sparse table is given up on after so many buckets for each wanted element. */
const BUCKETS_PER_ELEMENT = 10;
const DEFAULT_COUNT = 10;
/** The reply of a scan of what is not there. */
const NOTHING = fromLatin1("*2\r\n$1\r\n0\r\n*0\r\n");
const TYPE_WORDS = TYPE_NAMES.map(fromLatin1);

/** What was asked for. */
class ScanOptions {
  cursor = 0;
  count = DEFAULT_COUNT;
  /** Index of the pattern's argument, 0 when everything matches. */
  pattern = 0;
  /** Index of the type's argument, 0 for all types. */
  type = 0;
}

/** The options of the call in progress; its cursor is the one to go on from as soon as that is known. */
const options = new ScanOptions();

/** Parses the cursor in argument i. False when it is none, which has been replied. */
function parseScanCursor(c: Client, i: number): boolean {
  const { args: a } = c;
  options.cursor = parseCursor(a.buf, a.off[i], a.len[i]);
  return Number.isNaN(options.cursor) ? c.fail(INVALID_CURSOR) : true;
}

/** Parses the options from argument `from` on; `withType` allows TYPE. False when they make no sense, which has been replied. */
function parseOptions(c: Client, from: number, withType: boolean): boolean {
  const { args: a } = c;
  options.count = DEFAULT_COUNT;
  options.pattern = 0;
  options.type = 0;
  for (let i = from; i < a.argc; i += 2) {
    if (i + 1 === a.argc) return c.fail(SYNTAX);
    if (a.is(i, COUNT)) {
      const count = a.int(i + 1);
      if (Number.isNaN(count)) return c.fail(NOT_INTEGER);
      if (count < 1) return c.fail(SYNTAX);
      options.count = count;
    } else if (a.is(i, MATCH)) {
      options.pattern = a.len[i + 1] === 1 && a.buf[a.off[i + 1]] === STAR ? 0 : i + 1;
    } else if (withType && a.is(i, TYPE)) {
      options.type = i + 1;
    } else return c.fail(SYNTAX);
  }
  return true;
}

/** Whether an element passes MATCH. */
function matches(c: Client, buf: Uint8Array, off: number, len: number): boolean {
  const i = options.pattern;
  return i === 0 || globMatch(c.args.buf, c.args.off[i], c.args.len[i], buf, off, len, false);
}

/** What the walk in progress has found. Used again and again, so that a call allocates nothing. */
let found: number[] = [];
const collect = (ref: number): void => {
  found.push(ref);
};

/** Walks from the cursor until COUNT records are found; leaves them in `found`, and the cursor to go on from in `options`. */
function collectRecords(dict: Dict): void {
  if (found.length > 10_000) found = [];
  found.length = 0;
  let buckets = options.count * BUCKETS_PER_ELEMENT;
  do options.cursor = dict.scan(options.cursor, collect); while (
    options.cursor !== 0 && buckets-- > 0 && found.length < options.count
  );
}

// ---- HSCAN, SSCAN, ZSCAN -------------------------------------------------------------------------------------------------------

/** A view of a set, hash or sorted set. */
interface ScannedView {
  readonly type: number;
  readonly table: Table | null;
  open(db: Database, ref: number): unknown;
  rewind(): void;
  next(): boolean;
  load(place: number): void;
}

/**
 * Scans the collection of argument 1: a blob is returned whole, a table from the cursor on. `name` is the view's cursor for what MATCH
 * looks at; `reply` writes the current element, as `parts` replies.
 */
export function scanCollection(
  c: Client,
  view: ScannedView,
  name: ListpackCursor,
  parts: number,
  reply: (c: Client) => void,
): void {
  if (!parseScanCursor(c, 2)) return;
  const ref = c.readTyped(1, view.type);
  if (ref < 0) return;
  if (ref === 0) return c.reply.raw(NOTHING);
  if (!parseOptions(c, 3, false)) return;
  view.open(c.db, ref);
  const { table } = view;
  if (table === null) options.cursor = 0;
  else collectRecords(table.dict);
  c.reply.array(2);
  c.reply.bulkInt(options.cursor);
  const header = c.reply.defer();
  let shown = 0;
  if (table === null) {
    for (view.rewind(); view.next();) if (replyIfMatching(c, name, reply)) shown++;
  } else {
    for (let i = 0; i < found.length; i++) {
      view.load(found[i]);
      if (replyIfMatching(c, name, reply)) shown++;
    }
  }
  c.reply.endArray(header, shown * parts);
}

function replyIfMatching(c: Client, name: ListpackCursor, reply: (c: Client) => void): boolean {
  name.asText();
  if (!matches(c, name.buf, name.off, name.len)) return false;
  reply(c);
  return true;
}

// ---- SCAN ----------------------------------------------------------------------------------------------------------------------

const scan = command({
  name: "scan",
  arity: -2,
  flags: "readonly touches_arbitrary_keys",
  acl: "keyspace",
  since: "2.8.0",
  group: "generic",
  complexity:
    "O(1) for every call. O(N) for a complete iteration, including enough command calls for the cursor to return back to 0. N is the number of elements inside the collection.",
  summary: "Incrementally iterate the keys space",
  syntax: "cursor [MATCH pattern] [COUNT count] [TYPE type@6.0.0]",
  history: ["6.0.0 Added the `TYPE` subcommand."],
  tips: "nondeterministic_output request_policy:special",
  run: scanKeys,
});

function scanKeys(c: Client): void {
  const { db, reply } = c;
  if (!parseScanCursor(c, 1) || !parseOptions(c, 2, true)) return;
  const { dict } = db;
  collectRecords(dict);
  reply.array(2);
  reply.bulkInt(options.cursor);
  const header = reply.defer();
  let shown = 0;
  for (let i = 0; i < found.length; i++) {
    const ref = found[i];
    const buf = dict.keyBuffer(ref);
    const off = dict.keyOffset(ref);
    const len = dict.keyLength(ref);
    if (!matches(c, buf, off, len) || !isWanted(c, ref, options.type)) continue;
    reply.bulk(buf, off, len);
    shown++;
  }
  reply.endArray(header, shown);
}

/** Whether the key is alive and of the type that is asked for, by name, in argument `type` (0: any). */
function isWanted(c: Client, ref: number, type: number): boolean {
  const { args: a, db } = c;
  const { keyspace } = db;
  if (db.isExpired(ref)) {
    if (type !== 0) countMiss(c, ref);
    if (keyspace.expiry === Expiry.DELETE) db.expire(ref);
    return false;
  }
  if (type === 0) return true;
  // Redis looks the key up again to learn its type.
  keyspace.hits++;
  return equalsFolded(a.buf, a.off[type], a.len[type], TYPE_WORDS[db.type(ref)]);
}

function countMiss(c: Client, ref: number): void {
  const { db } = c;
  const { dict, keyspace } = db;
  keyspace.misses++;
  const off = dict.keyOffset(ref);
  const key = dict.keyBuffer(ref).slice(off, off + dict.keyLength(ref));
  db.notify(keyspace.keyArgs.point(key, 0, key.length), 0, KEY_MISS);
}

export const commands: Command[] = [scan];
