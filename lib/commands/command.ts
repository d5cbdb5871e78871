/**
 * COMMAND: what the server knows about its commands. Everything here is read from the command table, so there is nothing to
 * keep up to date when a command is added.
 *
 * Redis lists commands in the order of its hash table, which no client can rely on; here it is the order of the table.
 */

import type { Args } from "../bytes/args.ts";
import { lower } from "../bytes/ascii.ts";
import { globMatch } from "../bytes/glob.ts";
import type { Client } from "../engine/client.ts";
import { CATEGORIES, command, Flag } from "../engine/command.ts";
import type { Command } from "../engine/command.ts";
import { replyHelp } from "../engine/help.ts";
import { findKeys, KEY_FLAG_WORDS, KeyPositions } from "../engine/keys.ts";
import type { KeySpec } from "../engine/keys.ts";
import { parseSyntax } from "../engine/syntax.ts";
import type { Argument } from "../engine/syntax.ts";
import type { CommandTable } from "../engine/table.ts";
import { errorReply, SYNTAX } from "../resp/errors.ts";
import type { Reply } from "../resp/reply.ts";

/** The flags that COMMAND INFO shows, in the order in which it shows them. */
const SHOWN_FLAGS: readonly (readonly [number, string])[] = [
  [Flag.WRITE, "write"],
  [Flag.READONLY, "readonly"],
  [Flag.DENYOOM, "denyoom"],
  [Flag.ADMIN, "admin"],
  [Flag.PUBSUB, "pubsub"],
  [Flag.NOSCRIPT, "noscript"],
  [Flag.BLOCKING, "blocking"],
  [Flag.LOADING, "loading"],
  [Flag.STALE, "stale"],
  [Flag.SKIP_MONITOR, "skip_monitor"],
  [Flag.SKIP_SLOWLOG, "skip_slowlog"],
  [Flag.ASKING, "asking"],
  [Flag.FAST, "fast"],
  [Flag.NO_AUTH, "no_auth"],
  [Flag.NO_MANDATORY_KEYS, "no_mandatory_keys"],
  [Flag.NO_ASYNC_LOADING, "no_async_loading"],
  [Flag.NO_MULTI, "no_multi"],
  [Flag.MOVABLEKEYS, "movablekeys"],
  [Flag.ALLOW_BUSY, "allow_busy"],
];

const UNKNOWN_COMMAND = errorReply("ERR Invalid command specified");
const NO_KEYS = errorReply("ERR The command has no key arguments");
const BAD_ARITY = errorReply("ERR Invalid number of arguments specified for command");
const BAD_ARGUMENTS = errorReply("ERR Invalid arguments specified for command");

const FILTERBY = lower("filterby"), MODULE = lower("module"), ACLCAT = lower("aclcat"), PATTERN = lower("pattern");

/** Where the command starts in COMMAND GETKEYS <command>, the names in COMMAND INFO <name> … */
const FIRST = 2;

function writeWords(reply: Reply, words: readonly string[]): void {
  reply.set(words.length);
  for (const word of words) reply.simple(word);
}

function writeSet(reply: Reply, texts: readonly string[]): void {
  reply.set(texts.length);
  for (const text of texts) reply.text(text);
}

function writeKeyFlags(reply: Reply, flags: number): void {
  writeWords(reply, KEY_FLAG_WORDS.filter((_, bit) => flags & 1 << bit));
}

/** One element of COMMAND INFO's reply. */
export function writeInfo(reply: Reply, command: Command): void {
  reply.array(10);
  reply.text(command.fullName);
  reply.int(command.arity);
  writeWords(reply, SHOWN_FLAGS.filter(([bit]) => command.flags & bit).map(([, word]) => word));
  reply.int(command.firstKey);
  reply.int(command.lastKey);
  reply.int(command.keyStep);
  writeWords(reply, CATEGORIES.filter((_, bit) => command.categories & 1 << bit).map((name) => `@${name}`));
  writeSet(reply, splitWords(command.row.tips));
  reply.set(command.keySpecs.length);
  for (const spec of command.keySpecs) writeKeySpec(reply, spec);
  if (command.subcommands === null) return reply.set(0);
  reply.array(command.subcommands.size);
  for (const sub of command.subcommands) writeInfo(reply, sub);
}

function writeKeySpec(reply: Reply, spec: KeySpec): void {
  reply.map(spec.note === "" ? 3 : 4);
  if (spec.note !== "") {
    reply.text("notes");
    reply.text(spec.note);
  }
  reply.text("flags");
  writeKeyFlags(reply, spec.flags);
  reply.text("begin_search");
  if (spec.begin === "unknown") writeSearch(reply, "unknown", []);
  else if (spec.begin === "index") writeSearch(reply, "index", [["index", spec.position]]);
  else writeSearch(reply, "keyword", [["keyword", spec.keyword], ["startfrom", spec.position]]);
  reply.text("find_keys");
  if (spec.find === "unknown") {
    writeSearch(reply, "unknown", []);
  } else if (spec.find === "range") {
    writeSearch(reply, "range", [["lastkey", spec.last], ["keystep", spec.step], ["limit", spec.limit]]);
  } else {
    writeSearch(reply, "keynum", [["keynumidx", 0], ["firstkey", 1], ["keystep", spec.step]]);
  }
}

function writeSearch(reply: Reply, type: string, fields: readonly (readonly [string, string | number])[]): void {
  reply.map(2);
  reply.text("type");
  reply.text(type);
  reply.text("spec");
  reply.map(fields.length);
  for (const [name, value] of fields) {
    reply.text(name);
    if (typeof value === "number") reply.int(value);
    else reply.text(value);
  }
}

/** A value of COMMAND DOCS's reply. */
export function writeDocs(reply: Reply, command: Command): void {
  const row = command.row;
  const docFlags = row.deprecatedSince === undefined ? [] : ["deprecated"];
  if (row.docFlags !== undefined) docFlags.push(row.docFlags);
  const mark = reply.defer();
  let fields = 0;
  const field = (name: string, present: unknown = true): boolean => {
    if (present === undefined) return false;
    fields++;
    reply.text(name);
    return true;
  };
  const text = (name: string, value: string | undefined): void => {
    if (value !== undefined && field(name)) reply.text(value);
  };
  text("summary", row.summary);
  text("since", row.since);
  text("group", row.group);
  text("complexity", row.complexity);
  if (docFlags.length > 0 && field("doc_flags")) writeWords(reply, docFlags);
  text("deprecated_since", row.deprecatedSince);
  text("replaced_by", row.replacedBy);
  if (row.history !== undefined && field("history")) {
    reply.set(row.history.length);
    for (const entry of row.history) {
      const blank = entry.indexOf(" ");
      reply.array(2);
      reply.text(entry.slice(0, blank));
      reply.text(entry.slice(blank + 1));
    }
  }
  if (row.syntax !== undefined && field("arguments")) writeArguments(reply, parseSyntax(row.syntax));
  if (command.subcommands !== null && field("subcommands")) {
    reply.map(command.subcommands.size);
    for (const sub of command.subcommands) {
      reply.text(sub.fullName);
      writeDocs(reply, sub);
    }
  }
  reply.endMap(mark, fields);
}

function writeArguments(reply: Reply, list: readonly Argument[]): void {
  reply.array(list.length);
  for (const argument of list) writeArgument(reply, argument);
}

function writeArgument(reply: Reply, argument: Argument): void {
  const fields: [string, string | number][] = [["name", argument.name], ["type", argument.type]];
  if (argument.keySpec >= 0) fields.push(["key_spec_index", argument.keySpec]);
  if (argument.token !== "" || argument.type === "pure-token") fields.push(["token", argument.token]);
  if (argument.since !== "") fields.push(["since", argument.since]);
  if (argument.deprecatedSince !== "") fields.push(["deprecated_since", argument.deprecatedSince]);
  const flags: string[] = [];
  if (argument.optional) flags.push("optional");
  if (argument.multiple) flags.push("multiple");
  if (argument.multipleToken) flags.push("multiple_token");
  const nested = argument.arguments.length > 0;
  reply.map(fields.length + (flags.length > 0 ? 1 : 0) + (nested ? 1 : 0));
  for (const [name, value] of fields) {
    reply.text(name);
    if (typeof value === "number") reply.int(value);
    else reply.text(value);
  }
  if (flags.length > 0) {
    reply.text("flags");
    writeWords(reply, flags);
  }
  if (nested) {
    reply.text("arguments");
    writeArguments(reply, argument.arguments);
  }
}

function splitWords(words = ""): string[] {
  return words.split(" ").filter((word) => word !== "");
}

/** COMMAND, and COMMAND INFO without names. */
function replyAll(c: Client): void {
  const table = c.engine.table;
  c.reply.array(table.size);
  for (const each of table) writeInfo(c.reply, each);
}

/** COMMAND LIST: all names, those of subcommands behind their container's. */
function listNames(table: CommandTable, wanted: (command: Command) => boolean, names: string[] = []): string[] {
  for (const each of table) {
    if (wanted(each)) names.push(each.fullName);
    if (each.subcommands !== null) listNames(each.subcommands, wanted, names);
  }
  return names;
}

/** The filter of COMMAND LIST FILTERBY; null if there is no such filter. */
function listFilter(args: Args): ((command: Command) => boolean) | null {
  if (args.argc === 2) return () => true;
  if (args.argc !== 5 || !args.is(2, FILTERBY)) return null;
  // There are no modules, so no command is a module's.
  if (args.is(3, MODULE)) return () => false;
  if (args.is(3, ACLCAT)) {
    const category = (CATEGORIES as readonly string[]).indexOf(args.text(4).toLowerCase());
    return (each) => category >= 0 && (each.categories & 1 << category) !== 0;
  }
  if (args.is(3, PATTERN)) {
    return (each) => {
      const name = lower(each.fullName);
      return globMatch(args.buf, args.off[4], args.len[4], name, 0, name.length, true);
    };
  }
  return null;
}

function replyKeys(c: Client, withFlags: boolean): void {
  const { args, reply } = c;
  const target = c.engine.table.lookup(args, FIRST);
  if (target === null) return reply.error(UNKNOWN_COMMAND);
  if (!target.hasKeys) return reply.error(NO_KEYS);
  const argc = args.argc - FIRST;
  if (target.arity > 0 ? argc !== target.arity : argc < -target.arity) return reply.error(BAD_ARITY);
  const keys = new KeyPositions();
  const count = findKeys(target, args, keys, FIRST);
  if (count === 0) {
    if (target.flags & Flag.NO_MANDATORY_KEYS) return reply.array(0);
    return reply.error(BAD_ARGUMENTS);
  }
  reply.array(count);
  for (let i = 0; i < count; i++) {
    if (withFlags) reply.array(2);
    reply.bulk(args.buf, args.off[keys.at[i]], args.len[keys.at[i]]);
    if (withFlags) writeKeyFlags(reply, keys.flags[i]);
  }
}

function namedCommands(c: Client): (Command | null)[] {
  const found: (Command | null)[] = [];
  for (let i = FIRST; i < c.args.argc; i++) found.push(c.engine.table.findFullName(c.args.text(i)));
  return found;
}

const HELP = [
  "(no subcommand)",
  "    Return details about all Redis commands.",
  "COUNT",
  "    Return the total number of commands in this Redis server.",
  "LIST",
  "    Return a list of all commands in this Redis server.",
  "INFO [<command-name> ...]",
  "    Return details about multiple Redis commands.",
  "    If no command names are given, documentation details for all",
  "    commands are returned.",
  "DOCS [<command-name> ...]",
  "    Return documentation details about multiple Redis commands.",
  "    If no command names are given, documentation details for all",
  "    commands are returned.",
  "GETKEYS <full-command>",
  "    Return the keys from a full Redis command.",
  "GETKEYSANDFLAGS <full-command>",
  "    Return the keys and the access flags from a full Redis command.",
];

const commandCommand = command({
  name: "command",
  arity: -1,
  flags: "loading stale",
  acl: "connection",
  since: "2.8.13",
  group: "server",
  complexity: "O(N) where N is the total number of Redis commands",
  summary: "Get array of Redis command details",
  tips: "nondeterministic_output_order",
  subcommands: [
    command({
      name: "count",
      arity: 2,
      flags: "loading stale",
      acl: "connection",
      since: "2.8.13",
      group: "server",
      complexity: "O(1)",
      summary: "Get total number of Redis commands",
      run: (c) => c.reply.int(c.engine.table.size),
    }),
    command({
      name: "docs",
      arity: -2,
      flags: "loading stale",
      acl: "connection",
      since: "7.0.0",
      group: "server",
      complexity: "O(N) where N is the number of commands to look up",
      summary: "Get array of specific Redis command documentation",
      syntax: "[command-name [command-name ...]]",
      tips: "nondeterministic_output_order",
      run(c) {
        const { args, reply } = c;
        const found = args.argc === FIRST ? [...c.engine.table] : namedCommands(c).filter((each) => each !== null);
        reply.map(found.length);
        for (const each of found) {
          reply.text(each.fullName);
          writeDocs(reply, each);
        }
      },
    }),
    command({
      name: "getkeys",
      arity: -4,
      flags: "loading stale",
      acl: "connection",
      since: "2.8.13",
      group: "server",
      complexity: "O(N) where N is the number of arguments to the command",
      summary: "Extract keys given a full Redis command",
      run: (c) => replyKeys(c, false),
    }),
    command({
      name: "getkeysandflags",
      arity: -4,
      flags: "loading stale",
      acl: "connection",
      since: "7.0.0",
      group: "server",
      complexity: "O(N) where N is the number of arguments to the command",
      summary: "Extract keys and access flags given a full Redis command",
      run: (c) => replyKeys(c, true),
    }),
    command({
      name: "help",
      arity: 2,
      flags: "loading stale",
      acl: "connection",
      since: "5.0.0",
      group: "server",
      complexity: "O(1)",
      summary: "Show helpful text about the different subcommands",
      run: (c) => replyHelp(c, HELP),
    }),
    command({
      name: "info",
      arity: -2,
      flags: "loading stale",
      acl: "connection",
      since: "2.8.13",
      group: "server",
      complexity: "O(N) where N is the number of commands to look up",
      summary: "Get array of specific Redis command details, or all when no argument is given.",
      syntax: "[command-name [command-name ...]]",
      history: ["7.0.0 Allowed to be called with no argument to get info on all commands."],
      tips: "nondeterministic_output_order",
      run(c) {
        if (c.args.argc === FIRST) return replyAll(c);
        c.reply.array(c.args.argc - FIRST);
        for (const each of namedCommands(c)) {
          if (each === null) c.reply.null();
          else writeInfo(c.reply, each);
        }
      },
    }),
    command({
      name: "list",
      arity: -2,
      flags: "loading stale",
      acl: "connection",
      since: "7.0.0",
      group: "server",
      complexity: "O(N) where N is the total number of Redis commands",
      summary: "Get an array of Redis command names",
      syntax: "[FILTERBY filterby=<MODULE module-name | ACLCAT category | PATTERN pattern>]",
      tips: "nondeterministic_output_order",
      run(c) {
        const filter = listFilter(c.args);
        if (filter === null) return c.reply.error(SYNTAX);
        const names = listNames(c.engine.table, filter);
        c.reply.array(names.length);
        for (const name of names) c.reply.text(name);
      },
    }),
  ],
  run: replyAll,
});

export const commands: Command[] = [commandCommand];
