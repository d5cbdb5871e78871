/**
 * SCAN, and the options that it has in common with SSCAN, HSCAN and ZSCAN.
 *
 * The server keeps nothing between two calls: what the cursor means is explained in dict.ts. A call goes on from bucket to bucket
 * until it has seen COUNT keys, before any filter, so a pattern that matches nothing makes calls no longer.
 */

import { type Command, command } from "../engine/command.ts";
import type { Client } from "../engine/client.ts";
import { equalsFolded, fromLatin1, lower, parseCursor } from "../bytes/ascii.ts";
import { globMatch } from "../bytes/glob.ts";
import { errorReply, NOT_INTEGER, SYNTAX } from "../resp/errors.ts";
import { KEY_MISS } from "../store/events.ts";
import { Expiry } from "../store/keyspace.ts";
import { TYPE_NAMES } from "../store/record.ts";

const COUNT = lower("count");
const MATCH = lower("match");
const TYPE = lower("type");
const STAR = 42;
const INVALID_CURSOR = errorReply("ERR invalid cursor");
/** A sparse table is given up on after so many buckets for each wanted element. */
const BUCKETS_PER_ELEMENT = 10;
const DEFAULT_COUNT = 10;
const TYPE_WORDS = TYPE_NAMES.map(fromLatin1);

/** The options of the call in progress; filled by `parseScan`. */
export class ScanOptions {
  cursor = 0;
  count = DEFAULT_COUNT;
  /** Index of the pattern's argument, 0 when everything matches. */
  pattern = 0;
  /** Index of the type's argument, 0 for all types. */
  type = 0;
}

/**
 * Parses the cursor in argument `cursorAt` and the options behind it; `withType` allows TYPE. False when they make no sense, which has
 * been replied. For commands that look their key up between the two, see `parseScanCursor` and `parseScanOptions`.
 */
export function parseScan(c: Client, options: ScanOptions, cursorAt: number, withType: boolean): boolean {
  return parseScanCursor(c, options, cursorAt) && parseScanOptions(c, options, cursorAt + 1, withType);
}

export function parseScanCursor(c: Client, options: ScanOptions, at: number): boolean {
  const { args: a } = c;
  options.cursor = parseCursor(a.buf, a.off[at], a.len[at]);
  return Number.isNaN(options.cursor) ? c.fail(INVALID_CURSOR) : true;
}

export function parseScanOptions(c: Client, options: ScanOptions, from: number, withType: boolean): boolean {
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

/** Whether an element passes the pattern of `options`. */
export function scanMatches(c: Client, options: ScanOptions, buf: Uint8Array, off: number, len: number): boolean {
  const i = options.pattern;
  return i === 0 || globMatch(c.args.buf, c.args.off[i], c.args.len[i], buf, off, len, false);
}

/** Something that can be walked by a cursor: a `Dict`. */
interface Scannable {
  scan(cursor: number, visit: (ref: number) => void): number;
}

/** What the walk in progress has found. Used again and again, so that a call allocates nothing. */
let found: number[] = [];
const collect = (ref: number): void => {
  found.push(ref);
};

/**
 * Walks from the cursor of `options` until `count` records are found; puts the cursor to go on from in `options`. The array that
 * is returned belongs to this module and is good until the next call.
 */
export function scanRecords(dict: Scannable, options: ScanOptions): readonly number[] {
  if (found.length > 10_000) found = [];
  found.length = 0;
  let buckets = options.count * BUCKETS_PER_ELEMENT;
  do options.cursor = dict.scan(options.cursor, collect); while (
    options.cursor !== 0 && buckets-- > 0 && found.length < options.count
  );
  return found;
}

const scanOptions = new ScanOptions();

export const scan = command({
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
  const options = scanOptions;
  if (!parseScan(c, options, 1, true)) return;
  const { dict } = db;
  const records = scanRecords(dict, options);
  reply.array(2);
  reply.bulkInt(options.cursor);
  const header = reply.defer();
  let shown = 0;
  for (let i = 0; i < records.length; i++) {
    const ref = records[i];
    const buf = dict.keyBuffer(ref);
    const off = dict.keyOffset(ref);
    const len = dict.keyLength(ref);
    if (!scanMatches(c, options, buf, off, len) || !isWanted(c, ref, options.type)) continue;
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
