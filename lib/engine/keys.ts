/**
 * Where a command's keys are: the key specs of its row, and finding the keys of one invocation.
 *
 * COMMAND shows the key specs, and COMMAND GETKEYS asks for the keys. Nearly all commands are described by key specs alone; a row
 * has a `getKeys` function only where a spec cannot say it (SORT's STORE may stand anywhere) or where what happens to the key
 * depends on other arguments (SET … GET reads it).
 *
 * Notation of one key spec: `where flags`, or `where flags; a note`.
 *
 *     1           argument 1 is a key (argument 0 is the command's name, for subcommands the container's name)
 *     1:2         arguments 1 to 2 are keys
 *     1:-1        arguments 1 to the last; -2 is the last but one
 *     1:-1:2      every second one of them
 *     #2          argument 2 is the number of keys, which follow it
 *     STORE(6)    the argument after the word STORE, which is looked for from argument 6 on; a negative number counts
 *                 from the end and looks backwards
 *     KEYS(-2):-1 all arguments after the word KEYS
 *     STREAMS(1):-1/2  the first half of the arguments after the word STREAMS
 *     ?           only `getKeys` knows
 *
 * The flags are Redis's: one of RO, RW, OW (overwrites), RM (removes) for what happens to the key as such; `access`,
 * `update`, `insert`, `delete` for what happens to its contents; `not_key` for something that is only routed like a key (shard
 * channels); `incomplete` if there can be more keys than the spec finds; `variable_flags` if the flags depend on the arguments.
 */

import type { Args } from "../bytes/args.ts";
import { lower } from "../bytes/ascii.ts";
import type { Command } from "./command.ts";

/** What a command does to a key, in the order in which COMMAND lists it. */
export const KeyFlag = {
  RO: 1 << 0,
  RW: 1 << 1,
  OW: 1 << 2,
  RM: 1 << 3,
  ACCESS: 1 << 4,
  UPDATE: 1 << 5,
  INSERT: 1 << 6,
  DELETE: 1 << 7,
  NOT_KEY: 1 << 8,
  INCOMPLETE: 1 << 9,
  VARIABLE_FLAGS: 1 << 10,
} as const;

/** The spelling of each `KeyFlag`, by bit number. */
export const KEY_FLAG_WORDS: readonly string[] = [
  "RO",
  "RW",
  "OW",
  "RM",
  "access",
  "update",
  "insert",
  "delete",
  "not_key",
  "incomplete",
  "variable_flags",
];

/** One key spec. All have the same shape; which fields mean something depends on `begin` and `find`. */
export interface KeySpec {
  /** Bits of `KeyFlag`. */
  readonly flags: number;
  /** Empty if there is none. */
  readonly note: string;
  readonly begin: "index" | "keyword" | "unknown";
  /** index: where the search for keys starts; keyword: where the search for the keyword starts. */
  readonly position: number;
  readonly keyword: string;
  /** The keyword's bytes in lower case. */
  readonly keywordBytes: Uint8Array;
  /** keynum: the number of keys stands where the search starts, and the keys follow. */
  readonly find: "range" | "keynum" | "unknown";
  /** range: the last key, relative to the first one, or negative and counted from the end. */
  readonly last: number;
  readonly step: number;
  /** range with last -1: only one part of so many of the remaining arguments are keys; 0: all are. */
  readonly limit: number;
}

/** The positions of the keys in `Args`, and what is done to each. Reused from command to command. */
export class KeyPositions {
  /** Indexes into `Args`; the first `count` are valid. */
  at: Int32Array = new Int32Array(16);
  /** Bits of `KeyFlag` of each; 0 where nothing is known. */
  flags: Int32Array = new Int32Array(16);
  count = 0;

  clear(): void {
    this.count = 0;
  }

  add(at: number, flags: number): void {
    if (this.count === this.at.length) this.#grow();
    this.at[this.count] = at;
    this.flags[this.count++] = flags;
  }

  #grow(): void {
    const at = new Int32Array(this.at.length * 2);
    const flags = new Int32Array(this.at.length * 2);
    at.set(this.at);
    flags.set(this.flags);
    this.at = at;
    this.flags = flags;
  }
}

const NO_SPECS: readonly KeySpec[] = [];
const NO_BYTES = new Uint8Array(0);
const WHERE = /^(?:(\?)|#(\d+)|(?:(\d+)|([A-Z]+)\((-?\d+)\))(?::(-?\d+))?(?::(\d+))?(?:\/(\d+))?)$/;

/** Parses the `keys` of a row. Throws an Error if the notation is wrong. */
export function parseKeySpecs(keys: string | readonly string[] | undefined): readonly KeySpec[] {
  if (keys === undefined) return NO_SPECS;
  return typeof keys === "string" ? [parseKeySpec(keys)] : keys.map(parseKeySpec);
}

function parseKeySpec(text: string): KeySpec {
  const semicolon = text.indexOf(";");
  const note = semicolon < 0 ? "" : text.slice(semicolon + 1).trim();
  const [where, ...words] = (semicolon < 0 ? text : text.slice(0, semicolon)).trim().split(/ +/);
  const match = WHERE.exec(where);
  if (match === null) throw new Error(`bad key spec '${text}'`);
  const [, unknown, keynum, index, keyword = "", from, last, step = "1", limit = "0"] = match;
  const position = Number(keynum ?? index ?? from ?? 0);
  let flags = 0;
  for (const word of words) {
    const bit = KEY_FLAG_WORDS.indexOf(word);
    if (bit < 0) throw new Error(`unknown key flag '${word}' in '${text}'`);
    flags |= 1 << bit;
  }
  return {
    flags,
    note,
    begin: unknown !== undefined ? "unknown" : keyword !== "" ? "keyword" : "index",
    position,
    keyword,
    keywordBytes: keyword === "" ? NO_BYTES : lower(keyword),
    find: unknown !== undefined ? "unknown" : keynum !== undefined ? "keynum" : "range",
    last: last === undefined ? 0 : Number(last) < 0 ? Number(last) : Number(last) - position,
    step: Number(step),
    limit: Number(limit),
  };
}

/** The description of keys that clients older than key specs use. */
export interface LegacyRange {
  readonly first: number;
  readonly last: number;
  readonly step: number;
  /** There can be keys outside of the range. */
  readonly movable: boolean;
}

/** The (first key, last key, step) that says as much as possible of `specs`; 0 0 0 if nothing can be said. */
export function legacyRange(specs: readonly KeySpec[]): LegacyRange {
  if (specs.length === 0) return { first: 0, last: 0, step: 0, movable: false };
  if (specs.length === 1 && isRange(specs[0])) {
    const { position, last, step, flags } = specs[0];
    return { first: position, last: absolute(specs[0], last), step, movable: (flags & KeyFlag.INCOMPLETE) !== 0 };
  }
  let first = 0;
  let last = 0;
  let movable = false;
  for (const spec of specs) {
    // Only plain ranges that follow each other without a gap make up one range.
    if (!isRange(spec) || spec.step !== 1 || (last !== 0 && last !== spec.position - 1)) {
      movable = true;
      continue;
    }
    if (spec.flags & KeyFlag.INCOMPLETE) movable = true;
    if (first === 0 || spec.position < first) first = spec.position;
    const end = absolute(spec, spec.last);
    // A last key counted from the end is later than any counted from the start.
    if ((end >>> 0) > (last >>> 0)) last = end;
  }
  if (first === 0) return { first: 0, last: 0, step: 0, movable: true };
  return { first, last, step: 1, movable };
}

function isRange(spec: KeySpec): boolean {
  return spec.begin === "index" && spec.find === "range";
}

function absolute(spec: KeySpec, last: number): number {
  return last < 0 ? last : spec.position + last;
}

/**
 * Finds the keys of an invocation of `command` whose name (a subcommand's: its container's name) is argument `first`, leaves
 * their positions (indexes into `args`) in `keys`, and returns how many there are. None are found where the arguments make
 * no sense; the command itself will reply with an error then. The arity must have been checked.
 */
export function findKeys(command: Command, args: Args, keys: KeyPositions, first = 0): number {
  keys.clear();
  const specs = command.keySpecs;
  let usable = false;
  let variable = false;
  for (let i = 0; i < specs.length; i++) {
    const flags = specs[i].flags;
    if (!(flags & KeyFlag.NOT_KEY)) usable = true;
    if (flags & KeyFlag.VARIABLE_FLAGS) variable = true;
  }
  if (usable && !variable && findBySpecs(specs, args, keys, first)) return keys.count;
  keys.clear();
  const getKeys = command.row.getKeys;
  if (getKeys !== undefined) getKeys(args, first, keys);
  return keys.count;
}

/** False if a spec cannot be followed; some keys may have been added to `keys` then. */
function findBySpecs(specs: readonly KeySpec[], args: Args, keys: KeyPositions, base: number): boolean {
  const argc = args.argc - base;
  for (let i = 0; i < specs.length; i++) {
    const spec = specs[i];
    if (spec.flags & KeyFlag.NOT_KEY) continue;
    if (spec.begin === "unknown") return false;
    let first = spec.position;
    if (spec.begin === "keyword") {
      first = findKeyword(spec, args, base) + 1;
      if (first === 0) continue;
    }
    let last: number;
    if (spec.find === "keynum") {
      if (first >= argc) return false;
      const count = args.int(base + first);
      if (!(count >= 0)) return false;
      last = ++first + count - 1;
    } else if (spec.last >= 0) {
      last = first + spec.last;
    } else if (spec.limit === 0) {
      last = argc + spec.last;
    } else {
      last = first + Math.trunc((argc - first) / spec.limit) + spec.last;
    }
    if (last >= argc || last < first || first >= argc) return false;
    for (let at = first; at <= last; at += spec.step) keys.add(base + at, spec.flags);
    if (spec.flags & KeyFlag.INCOMPLETE) return false;
  }
  return true;
}

/** The keyword's position relative to `base`, or -1. */
function findKeyword(spec: KeySpec, args: Args, base: number): number {
  const argc = args.argc - base;
  if (spec.position > 0) {
    // Nothing can follow the last argument, so it is no keyword.
    for (let at = spec.position; at < argc - 1; at++) if (args.is(base + at, spec.keywordBytes)) return at;
  } else {
    for (let at = argc + spec.position; at >= 1; at--) if (args.is(base + at, spec.keywordBytes)) return at;
  }
  return -1;
}

const ABSENT = -1;
const READS = KeyFlag.RO | KeyFlag.ACCESS;
const CHANGES = KeyFlag.RW | KeyFlag.ACCESS | KeyFlag.UPDATE;
const OVERWRITES = KeyFlag.OW | KeyFlag.UPDATE;
const TAKES_AWAY = KeyFlag.RW | KeyFlag.ACCESS | KeyFlag.DELETE;

const AUTH = lower("auth"), AUTH2 = lower("auth2"), BY = lower("by"), GET = lower("get"), INCRBY = lower("incrby");
const KEYS = lower("keys"), LIMIT = lower("limit"), OVERFLOW = lower("overflow"), SET = lower("set");
const STORE = lower("store");

/** SET: with GET the old value is read, otherwise the key is only overwritten. */
export function setKeys(args: Args, first: number, keys: KeyPositions): void {
  let flags: number = OVERWRITES;
  for (let at = first + 3; at < args.argc; at++) if (args.is(at, GET)) flags = CHANGES;
  keys.add(first + 1, flags);
}

/** BITFIELD: with nothing but GET it only reads. */
export function bitfieldKeys(args: Args, first: number, keys: KeyPositions): void {
  keys.add(first + 1, bitfieldReads(args, first) ? READS : CHANGES);
}

function bitfieldReads(args: Args, first: number): boolean {
  for (let at = first + 2; at < args.argc; at++) {
    const following = args.argc - at - 1;
    if (args.is(at, GET) && following >= 2) at += 2;
    else if ((args.is(at, SET) || args.is(at, INCRBY)) && following >= 3) return false;
    else if (args.is(at, OVERFLOW) && following >= 1) at += 1;
    else return false;
  }
  return true;
}

/** SORT: the sorted key, and the one that STORE names. The keys made from BY and GET patterns cannot be known. */
export function sortKeys(args: Args, first: number, keys: KeyPositions): void {
  keys.add(first + 1, READS);
  let store = ABSENT;
  for (let at = first + 2; at < args.argc; at++) {
    if (args.is(at, LIMIT)) at += 2;
    else if (args.is(at, GET) || args.is(at, BY)) at += 1;
    // The last STORE counts. What follows it is looked at again, as SORT's own parser does.
    else if (args.is(at, STORE) && at + 1 < args.argc) store = at + 1;
  }
  if (store !== ABSENT) keys.add(store, OVERWRITES);
}

/** SORT_RO: the sorted key. */
export function sortRoKeys(_args: Args, first: number, keys: KeyPositions): void {
  keys.add(first + 1, READS);
}

/** MIGRATE: the third argument, or if that is empty everything after KEYS. */
export function migrateKeys(args: Args, first: number, keys: KeyPositions): void {
  for (let at = first + 6; at < args.argc; at++) {
    if (args.is(at, AUTH)) at += 1;
    else if (args.is(at, AUTH2)) at += 2;
    else if (args.is(at, KEYS)) {
      // Both a key and KEYS is an error, which is left to the command.
      if (args.len[first + 3] > 0) return;
      for (let key = at + 1; key < args.argc; key++) keys.add(key, TAKES_AWAY);
      return;
    }
  }
  keys.add(first + 3, TAKES_AWAY);
}
