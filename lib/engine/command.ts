/**
 * The description of a command: what the engine must know to run it, and what COMMAND tells about it.
 *
 * A command's row stands directly above its handler in its family file and is the only place where anything about
 * the command is written down. Everything else is derived here, once, when the command is made: the flag bits, the
 * ACL categories, the legacy key range, and the deny mask.
 *
 * - `row` keeps the texts (summary, syntax, history …). Nobody reads them on the hot path; the argument syntax is only
 *   parsed when COMMAND DOCS asks.
 * - All commands, subcommands and containers are instances of one class with one shape, so that
 *   `command.run(client)` and `command.mask` stay monomorphic.
 * - Statistics live in the command. Rows are module constants while statistics belong to one server, so a
 *   server makes its own copies (`CommandTable.from`).
 *
 * The deny mask. A command can be refused (or postponed) because of a state of the server or of the client: loading, out
 * of memory, in MULTI … Each such state is one bit of `Deny`; the server and each client keep the bits of the states they
 * are in, and `command.mask` has the bits of the states this command cares about. So the usual case is one test:
 *
 *     if (((server.deny | client.deny) & command.mask) !== 0) look closer
 *
 * A set bit in the mask never means "refuse": it means that the ordered list of refusals has to be consulted.
 */

import type { Args } from "../bytes/args.ts";
import type { Histogram } from "../observe/histogram.ts";
import type { Client } from "./client.ts";
import type { KeyPositions, KeySpec } from "./keys.ts";
import { KeyFlag, legacyRange, parseKeySpecs } from "./keys.ts";
import { CommandTable } from "./table.ts";

/** What a command is and may do. A row spells these in lower case, as Redis does: `flags: "write denyoom fast"`. */
export const Flag = {
  WRITE: 1 << 0,
  READONLY: 1 << 1,
  DENYOOM: 1 << 2,
  ADMIN: 1 << 3,
  PUBSUB: 1 << 4,
  NOSCRIPT: 1 << 5,
  BLOCKING: 1 << 6,
  LOADING: 1 << 7,
  STALE: 1 << 8,
  SKIP_MONITOR: 1 << 9,
  SKIP_SLOWLOG: 1 << 10,
  ASKING: 1 << 11,
  FAST: 1 << 12,
  NO_AUTH: 1 << 13,
  MAY_REPLICATE: 1 << 14,
  NO_MANDATORY_KEYS: 1 << 15,
  PROTECTED: 1 << 16,
  NO_ASYNC_LOADING: 1 << 17,
  NO_MULTI: 1 << 18,
  /** Derived from the key specs: the legacy (first, last, step) range does not find every key. */
  MOVABLEKEYS: 1 << 19,
  ALLOW_BUSY: 1 << 20,
  TOUCHES_ARBITRARY_KEYS: 1 << 21,
  // The following are our own; COMMAND INFO does not show them.
  /** What it does depends on what it carries (EXEC its queue, EVAL and FCALL a script): no state is without meaning. */
  CARRIES: 1 << 22,
  /** Allowed to a RESP2 client in subscribed mode. */
  SUBSCRIBED: 1 << 23,
  /** Runs at once inside MULTI instead of being queued. */
  UNQUEUED: 1 << 24,
  /** Refused like a write when the last save failed (PING, so that monitoring notices). */
  DISK_CHECK: 1 << 25,
  /** Takes no longer than fast commands do, though Redis does not call it so (SET): it is timed like them. */
  QUICK: 1 << 26,
} as const;

/** States of the server or of a client in which a command may have to be refused, queued or postponed. */
export const Deny = {
  /** The client must authenticate first. */
  AUTH: 1 << 0,
  /** The client is in MULTI: queue, or refuse what is marked no_multi. */
  MULTI: 1 << 1,
  /** The client is subscribed and speaks RESP2. */
  SUBSCRIBED: 1 << 2,
  /** The client is a replica's link: it must not touch the keyspace. */
  REPLICA: 1 << 3,
  LOADING: 1 << 4,
  ASYNC_LOADING: 1 << 5,
  /** The link to the master is down and stale data must not be served. */
  STALE: 1 << 6,
  /** Writes are impossible: read-only replica, failed save (MISCONF), too few replicas (NOREPLICAS). */
  WRITE: 1 << 7,
  /** Memory is limited by maxmemory: something may have to be evicted. */
  OOM: 1 << 8,
  /** CLIENT PAUSE … WRITE. */
  PAUSED_WRITE: 1 << 9,
  /** CLIENT PAUSE … ALL. */
  PAUSED_ALL: 1 << 10,
  /** DEBUG or MODULE are not allowed to everybody. */
  PROTECTED: 1 << 11,
} as const;

/** ACL categories in the order in which Redis lists them; a category's bit in `Command.categories` is its index here. */
export const CATEGORIES = [
  "keyspace",
  "read",
  "write",
  "set",
  "sortedset",
  "list",
  "hash",
  "string",
  "bitmap",
  "hyperloglog",
  "geo",
  "stream",
  "pubsub",
  "admin",
  "fast",
  "slow",
  "blocking",
  "dangerous",
  "connection",
  "transaction",
  "scripting",
] as const;

/** The groups of COMMAND DOCS. */
export type Group =
  | "bitmap"
  | "cluster"
  | "connection"
  | "generic"
  | "geo"
  | "hash"
  | "hyperloglog"
  | "list"
  | "pubsub"
  | "scripting"
  | "sentinel"
  | "server"
  | "set"
  | "sorted-set"
  | "stream"
  | "string"
  | "transactions";

/** Runs the command for a client: reads `client`'s arguments, writes `client`'s reply. Synchronous. */
export type Handler = (client: Client) => void;

/**
 * Finds the keys of a command whose key specs are not enough. `first` is the index of the command's name in `args`; positions
 * are written to `keys` as indexes into `args`.
 */
export type KeyFinder = (args: Args, first: number, keys: KeyPositions) => void;

/** A command's description, as its family file writes it. Lists of words are one string, separated by blanks. */
export interface CommandRow {
  /** Lower case; a subcommand's own name, without its container's. */
  name: string;
  /** Number of arguments with the name(s); negative: at least so many. */
  arity: number;
  /** Words of `Flag`, lower case. */
  flags?: string;
  /** Where the keys are; the notation is explained in keys.ts. One string per key spec. */
  keys?: string | string[];
  getKeys?: KeyFinder;
  /** ACL categories that do not follow from the flags. */
  acl?: string;
  since: string;
  group: Group;
  complexity?: string;
  summary: string;
  /** The arguments after the name; the notation is explained in syntax.ts. */
  syntax?: string;
  /** Each "version text". */
  history?: string[];
  tips?: string;
  /** Set only for commands that clients should not use by themselves. */
  docFlags?: "syscmd";
  deprecatedSince?: string;
  replacedBy?: string;
  /** Missing only in containers that are nothing without a subcommand. */
  run?: Handler;
  subcommands?: Command[];
}

/** One command, subcommand or container. */
export class Command {
  readonly row: CommandRow;
  readonly name: string;
  /** "config|get" for a subcommand. Keeps the original name when the command is renamed. */
  readonly fullName: string;
  readonly arity: number;
  /** Bits of `Flag`. */
  readonly flags: number;
  /** Bits of `Deny`: the states in which the gate must look closer. */
  readonly mask: number;
  /** ACL categories: bit n is CATEGORIES[n]. */
  readonly categories: number;
  readonly keySpecs: readonly KeySpec[];
  /** The legacy range (COMMAND INFO's first key, last key, step); 0 0 0 without keys. */
  readonly firstKey: number;
  readonly lastKey: number;
  readonly keyStep: number;
  readonly run: Handler;
  readonly parent: Command | null;
  readonly subcommands: CommandTable | null;
  /** Number of calls that ran. */
  calls: number;
  /** Microseconds spent in them. */
  usec: number;
  /** Calls refused before they ran. */
  rejected: number;
  /** Calls that ran and replied with an error. */
  failed: number;
  /** The durations of its calls, for LATENCY HISTOGRAM; null before the first. */
  latency: Histogram | null;

  /** Throws an Error on a row that makes no sense (an unknown flag word, a bad key spec). */
  constructor(row: CommandRow, parent: Command | null) {
    this.row = row;
    this.name = row.name;
    this.fullName = parent === null ? row.name : `${parent.name}|${row.name}`;
    this.arity = row.arity;
    this.keySpecs = parseKeySpecs(row.keys);
    const range = legacyRange(this.keySpecs);
    this.firstKey = range.first;
    this.lastKey = range.last;
    this.keyStep = range.step;
    this.flags = flagBits(row) | (range.movable ? Flag.MOVABLEKEYS : 0);
    this.mask = denyMask(this.flags);
    this.categories = categoryBits(row.acl, this.flags, row.name);
    this.run = row.run ?? notCallable;
    this.parent = parent;
    this.calls = 0;
    this.usec = 0;
    this.rejected = 0;
    this.failed = 0;
    this.latency = null;
    if (row.subcommands === undefined) {
      this.subcommands = null;
    } else {
      this.subcommands = new CommandTable();
      for (const sub of row.subcommands) this.subcommands.add(new Command(sub.row, this));
    }
  }

  /** The same command with fresh statistics, and the same subcommands, for another table. */
  copy(): Command {
    return new Command(this.row, this.parent);
  }

  /** True if the command can have keys (not just the "not_key" specs of sharded pub/sub). */
  get hasKeys(): boolean {
    return this.row.getKeys !== undefined || this.keySpecs.some((spec) => (spec.flags & KeyFlag.NOT_KEY) === 0);
  }

  /** Sets the statistics back to nothing, those of the subcommands too (CONFIG RESETSTAT). */
  resetStatistics(): void {
    this.calls = 0;
    this.usec = 0;
    this.rejected = 0;
    this.failed = 0;
    this.latency = null;
    if (this.subcommands !== null) { for (const sub of this.subcommands) sub.resetStatistics(); }
  }
}

/** Makes a command from its row. */
export function command(row: CommandRow & { run: Handler }): Command {
  return new Command(row, null);
}

/** Makes a command that has subcommands. `run` is given where it does something without a subcommand (COMMAND). */
export function container(row: CommandRow & { subcommands: Command[] }): Command {
  return new Command(row, null);
}

/** The categories' bits for a list of names ("string slow"); throws an Error on an unknown name. */
function categoryWords(words: string, name: string): number {
  let bits = 0;
  for (const word of splitWords(words)) {
    const index = (CATEGORIES as readonly string[]).indexOf(word);
    if (index < 0) throw new Error(`${name}: unknown ACL category '${word}'`);
    bits |= 1 << index;
  }
  return bits;
}

/** The bit of one ACL category. */
function categoryBit(name: typeof CATEGORIES[number]): number {
  return 1 << CATEGORIES.indexOf(name);
}

function categoryBits(acl: string | undefined, flags: number, name: string): number {
  let bits = categoryWords(acl ?? "", name);
  if (flags & Flag.WRITE) bits |= categoryBit("write");
  if (flags & Flag.READONLY && !(bits & categoryBit("scripting"))) bits |= categoryBit("read");
  if (flags & Flag.ADMIN) bits |= categoryBit("admin") | categoryBit("dangerous");
  if (flags & Flag.PUBSUB) bits |= categoryBit("pubsub");
  if (flags & Flag.FAST) bits |= categoryBit("fast");
  if (flags & Flag.BLOCKING) bits |= categoryBit("blocking");
  if (!(bits & categoryBit("fast"))) bits |= categoryBit("slow");
  return bits;
}

const FLAG_WORDS: ReadonlyMap<string, number> = new Map(
  Object.entries(Flag).map(([name, bit]) => [name.toLowerCase(), bit]),
);

function flagBits(row: CommandRow): number {
  let bits = 0;
  for (const word of splitWords(row.flags ?? "")) {
    const bit = FLAG_WORDS.get(word);
    if (bit === undefined) throw new Error(`${row.name}: unknown flag '${word}'`);
    bits |= bit;
  }
  return bits;
}

function denyMask(flags: number): number {
  // Paused clients wait, clients in MULTI queue: that concerns every command.
  let mask = Deny.PAUSED_ALL | Deny.MULTI;
  const carries = (flags & Flag.CARRIES) !== 0;
  if (!(flags & Flag.NO_AUTH)) mask |= Deny.AUTH;
  if (!(flags & Flag.SUBSCRIBED)) mask |= Deny.SUBSCRIBED;
  if (!(flags & Flag.LOADING) || carries) mask |= Deny.LOADING;
  if (!(flags & Flag.STALE) || carries) mask |= Deny.STALE;
  if (flags & Flag.NO_ASYNC_LOADING || carries) mask |= Deny.ASYNC_LOADING;
  if (flags & (Flag.WRITE | Flag.DISK_CHECK) || carries) mask |= Deny.WRITE;
  // Fast commands that need no memory do not wait for keys to be evicted.
  if (flags & Flag.DENYOOM || carries || !(flags & Flag.FAST)) mask |= Deny.OOM;
  if (flags & (Flag.WRITE | Flag.MAY_REPLICATE) || carries) mask |= Deny.PAUSED_WRITE;
  if (flags & (Flag.WRITE | Flag.READONLY | Flag.MAY_REPLICATE) || carries) mask |= Deny.REPLICA;
  if (flags & Flag.PROTECTED) mask |= Deny.PROTECTED;
  return mask;
}

function splitWords(words: string): string[] {
  return words.split(" ").filter((word) => word !== "");
}

/** A container without a handler is stopped by its arity or by its subcommand lookup, so nothing can get here. */
function notCallable(client: Client): void {
  throw new Error(`a container was called as a command: ${client.command?.fullName}`);
}
