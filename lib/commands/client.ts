/**
 * CLIENT: connections as the commands see them: their names, a list of them, ending, pausing and waking them.
 *
 * Behaviour and texts: clientCommand() in networking.c of Redis 7.0.
 */

import type { Args } from "../bytes/args.ts";
import { lower } from "../bytes/ascii.ts";
import type { Client } from "../engine/client.ts";
import { clientInfo, type ClientType, clientType } from "../engine/client_info.ts";
import { type Command, command, container } from "../engine/command.ts";
import { replyHelp, subcommandSyntax } from "../engine/help.ts";
import { errorReply, NOT_INTEGER, SYNTAX, TIMEOUT_NEGATIVE, TIMEOUT_NOT_INTEGER } from "../resp/errors.ts";
import { isUser, setName } from "./connection.ts";

const ADDR = lower("addr");
const ALL = lower("all");
const ERROR = lower("error");
const ID = lower("id");
const LADDR = lower("laddr");
const NO = lower("no");
const OFF = lower("off");
const ON = lower("on");
const SKIP = lower("skip");
const SKIPME = lower("skipme");
const TIMEOUT = lower("timeout");
const TYPE = lower("type");
const USER = lower("user");
const WRITE = lower("write");
const YES = lower("yes");
const TYPES: readonly (readonly [Uint8Array, ClientType])[] = [
  [lower("normal"), "normal"],
  [lower("slave"), "replica"],
  [lower("replica"), "replica"],
  [lower("pubsub"), "pubsub"],
  [lower("master"), "master"],
];

const NO_TRACKING = errorReply("ERR CLIENT TRACKING is not supported yet");
const NOT_TRACKING = errorReply(
  "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled",
);
const BAD_ID = errorReply("ERR Invalid client ID");
const ID_TOO_SMALL = errorReply("ERR client-id should be greater than 0");
const NO_SUCH_CLIENT = errorReply("ERR No such client");
const BAD_REASON = errorReply("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR");
const BAD_PAUSE = errorReply("ERR CLIENT PAUSE mode must be WRITE or ALL");

const HELP = [
  "CACHING (YES|NO)",
  "    Enable/disable tracking of the keys for next command in OPTIN/OPTOUT modes.",
  "GETREDIR",
  "    Return the client ID we are redirecting to when tracking is enabled.",
  "GETNAME",
  "    Return the name of the current connection.",
  "ID",
  "    Return the ID of the current connection.",
  "INFO",
  "    Return information about the current client connection.",
  "KILL <ip:port>",
  "    Kill connection made from <ip:port>.",
  "KILL <option> <value> [<option> <value> [...]]",
  "    Kill connections. Options are:",
  "    * ADDR (<ip:port>|<unixsocket>:0)",
  "      Kill connections made from the specified address",
  "    * LADDR (<ip:port>|<unixsocket>:0)",
  "      Kill connections made to specified local address",
  "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
  "      Kill connections by type.",
  "    * USER <username>",
  "      Kill connections authenticated by <username>.",
  "    * SKIPME (YES|NO)",
  "      Skip killing current connection (default: yes).",
  "LIST [options ...]",
  "    Return information about client connections. Options:",
  "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
  "      Return clients of specified type.",
  "UNPAUSE",
  "    Stop the current client pause, resuming traffic.",
  "PAUSE <timeout> [WRITE|ALL]",
  "    Suspend all, or just write, clients for <timeout> milliseconds.",
  "REPLY (ON|OFF|SKIP)",
  "    Control the replies sent to the current connection.",
  "SETNAME <name>",
  "    Assign the name <name> to the current connection.",
  "UNBLOCK <clientid> [TIMEOUT|ERROR]",
  "    Unblock the specified blocked client.",
  "TRACKING (ON|OFF) [REDIRECT <id>] [BCAST] [PREFIX <prefix> [...]]",
  "         [OPTIN] [OPTOUT] [NOLOOP]",
  "    Control server assisted client side caching.",
  "TRACKINGINFO",
  "    Report tracking status for the current connection.",
  "NO-EVICT (ON|OFF)",
  "    Protect current client connection from eviction.",
];

const client = container({
  name: "client",
  arity: -2,
  since: "2.4.0",
  group: "connection",
  complexity: "Depends on subcommand.",
  summary: "A container for client connection commands",
  subcommands: [
    command({
      name: "caching",
      arity: 3,
      flags: "noscript loading stale",
      acl: "connection",
      since: "6.0.0",
      group: "connection",
      complexity: "O(1)",
      summary: "Instruct the server about tracking or not keys in the next request",
      syntax: "mode=<YES | NO>",
      run: caching,
    }),
    command({
      name: "getname",
      arity: 2,
      flags: "noscript loading stale",
      acl: "connection",
      since: "2.6.9",
      group: "connection",
      complexity: "O(1)",
      summary: "Get the current connection name",
      run(c) {
        if (c.name === "") c.reply.null();
        else c.reply.text(c.name);
      },
    }),
    command({
      name: "getredir",
      arity: 2,
      flags: "noscript loading stale",
      acl: "connection",
      since: "6.0.0",
      group: "connection",
      complexity: "O(1)",
      summary: "Get tracking notifications redirection client ID if any",
      run(c) {
        c.reply.int(-1);
      },
    }),
    command({
      name: "help",
      arity: 2,
      flags: "loading stale",
      acl: "connection",
      since: "5.0.0",
      group: "connection",
      complexity: "O(1)",
      summary: "Show helpful text about the different subcommands",
      run(c) {
        replyHelp(c, HELP);
      },
    }),
    command({
      name: "id",
      arity: 2,
      flags: "noscript loading stale",
      acl: "connection",
      since: "5.0.0",
      group: "connection",
      complexity: "O(1)",
      summary: "Returns the client ID for the current connection",
      run(c) {
        c.reply.int(c.id);
      },
    }),
    command({
      name: "info",
      arity: 2,
      flags: "noscript loading stale",
      acl: "connection",
      since: "6.2.0",
      group: "connection",
      complexity: "O(1)",
      summary: "Returns information about the current client connection.",
      tips: "nondeterministic_output",
      run(c) {
        c.reply.verbatim(`${clientInfo(c)}\n`);
      },
    }),
    command({
      name: "kill",
      arity: -3,
      flags: "admin noscript loading stale",
      acl: "connection",
      since: "2.4.0",
      group: "connection",
      complexity: "O(N) where N is the number of client connections",
      summary: "Kill the connection of a client",
      syntax:
        "filter=<ip:port@..2.8.12 | new-format=<[ID client-id@2.8.12] | [TYPE normal_master_slave_pubsub=<NORMAL | MASTER@3.2.0 | SLAVE | REPLICA@5.0.0 | PUBSUB>@2.8.12] | [USER username] | [ADDR ip:port] | [LADDR ip:port@6.2.0] | [SKIPME yes/no]> [new-format ...]>",
      history: [
        "2.8.12 Added new filter format.",
        "2.8.12 `ID` option.",
        "3.2.0 Added `master` type in for `TYPE` option.",
        "5.0.0 Replaced `slave` `TYPE` with `replica`. `slave` still supported for backward compatibility.",
        "6.2.0 `LADDR` option.",
      ],
      run: kill,
    }),
    command({
      name: "list",
      arity: -2,
      flags: "admin noscript loading stale",
      acl: "connection",
      since: "2.4.0",
      group: "connection",
      complexity: "O(N) where N is the number of client connections",
      summary: "Get the list of client connections",
      syntax: "[TYPE <NORMAL | MASTER | REPLICA | PUBSUB>@5.0.0] [ID id=(client-id [client-id ...])@6.2.0]",
      history: [
        "2.8.12 Added unique client `id` field.",
        "5.0.0 Added optional `TYPE` filter.",
        "6.0.0 Added `user` field.",
        "6.2.0 Added `argv-mem`, `tot-mem`, `laddr` and `redir` fields and the optional `ID` filter.",
        "7.0.0 Added `resp`, `multi-mem`, `rbs` and `rbp` fields.",
        "7.0.3 Added `ssub` field.",
      ],
      tips: "nondeterministic_output",
      run: list,
    }),
    command({
      name: "no-evict",
      arity: 3,
      flags: "admin noscript loading stale",
      acl: "connection",
      since: "7.0.0",
      group: "connection",
      complexity: "O(1)",
      summary: "Set client eviction mode for the current connection",
      syntax: "enabled=<ON | OFF>",
      run(c) {
        if (c.args.is(2, ON)) c.noEvict = true;
        else if (c.args.is(2, OFF)) c.noEvict = false;
        else return c.reply.error(SYNTAX);
        c.reply.ok();
      },
    }),
    command({
      name: "pause",
      arity: -3,
      flags: "admin noscript loading stale",
      acl: "connection",
      since: "2.9.50",
      group: "connection",
      complexity: "O(1)",
      summary: "Stop processing commands from clients for some time",
      syntax: "timeout:integer mode=[WRITE | ALL]@6.2.0",
      history: ["6.2.0 `CLIENT PAUSE WRITE` mode added along with the `mode` option."],
      run: pause,
    }),
    command({
      name: "reply",
      arity: 3,
      flags: "noscript loading stale",
      acl: "connection",
      since: "3.2.0",
      group: "connection",
      complexity: "O(1)",
      summary: "Instruct the server whether to reply to commands",
      syntax: "<ON | OFF | SKIP>",
      run: replyMode,
    }),
    command({
      name: "setname",
      arity: 3,
      flags: "noscript loading stale",
      acl: "connection",
      since: "2.6.9",
      group: "connection",
      complexity: "O(1)",
      summary: "Set the current connection name",
      syntax: "connection-name",
      run(c) {
        if (setName(c, 2)) c.reply.ok();
      },
    }),
    command({
      name: "tracking",
      arity: -3,
      flags: "noscript loading stale",
      acl: "connection",
      since: "6.0.0",
      group: "connection",
      complexity: "O(1). Some options may introduce additional complexity.",
      summary: "Enable or disable server assisted client side caching support",
      syntax:
        "status=<ON | OFF> [REDIRECT client-id] [PREFIX prefix [PREFIX prefix ...]] [BCAST] [OPTIN] [OPTOUT] [NOLOOP]",
      run(c) {
        c.reply.error(NO_TRACKING);
      },
    }),
    command({
      name: "trackinginfo",
      arity: 2,
      flags: "noscript loading stale",
      acl: "connection",
      since: "6.2.0",
      group: "connection",
      complexity: "O(1)",
      summary: "Return information about server assisted client side caching for the current connection",
      run: trackingInfo,
    }),
    command({
      name: "unblock",
      arity: -3,
      flags: "admin noscript loading stale",
      acl: "connection",
      since: "5.0.0",
      group: "connection",
      complexity: "O(log N) where N is the number of client connections",
      summary: "Unblock a client blocked in a blocking command from a different connection",
      syntax: "client-id [TIMEOUT | ERROR]",
      run: unblock,
    }),
    command({
      name: "unpause",
      arity: 2,
      flags: "admin noscript loading stale",
      acl: "connection",
      since: "6.2.0",
      group: "connection",
      complexity: "O(N) Where N is the number of paused clients",
      summary: "Resume processing of clients that were paused",
      run(c) {
        c.engine.unpause();
        c.reply.ok();
      },
    }),
  ],
});

export const commands: Command[] = [client];

/** The type that argument `i` names, or null after an error reply. */
function readType(c: Client, args: Args, i: number): ClientType | null {
  for (const [word, type] of TYPES) if (args.is(i, word)) return type;
  c.reply.error(errorReply(`ERR Unknown client type '${args.shown(i)}'`));
  return null;
}

/**
 * With `maxmemory-clients` a client may be evicted for what it has sent. Who is left can only be told when all sockets that
 * are readable have been read, and the one that asks need not be the last of them: epoll names first whoever was served last.
 */
function list(c: Client): void {
  const { engine } = c;
  if (engine.config.values.maxmemoryClients === 0 || c.mayNotBlock) return showList(c, c.args);
  const blocked = engine.blocking.hold(c);
  engine.platform.clock.soon(() => {
    if (c.blocked === blocked) engine.blocking.release(c, () => showList(c, blocked.args));
  });
}

function showList(c: Client, args: Args): void {
  const { engine } = c;
  const lines: string[] = [];
  if (args.argc === 4 && args.is(2, TYPE)) {
    const type = readType(c, args, 3);
    if (type === null) return;
    for (const client of engine.clients.values()) if (clientType(client) === type) lines.push(clientInfo(client));
  } else if (args.argc > 3 && args.is(2, ID)) {
    for (let i = 3; i < args.argc; i++) {
      const id = args.int(i);
      if (Number.isNaN(id)) return c.reply.error(BAD_ID);
      const client = engine.clients.get(id);
      if (client !== undefined) lines.push(clientInfo(client));
    }
  } else if (args.argc !== 2) return c.reply.error(SYNTAX);
  else for (const client of engine.clients.values()) lines.push(clientInfo(client));
  c.reply.verbatim(lines.map((line) => `${line}\n`).join(""));
}

/** What CLIENT KILL looks for; null: anything. */
interface Filter {
  id: number | null;
  type: ClientType | null;
  addr: string | null;
  laddr: string | null;
  user: string | null;
  skipMe: boolean;
}

function matches(client: Client, filter: Filter): boolean {
  if (filter.addr !== null && client.link.remote !== filter.addr) return false;
  if (filter.laddr !== null && client.link.local !== filter.laddr) return false;
  if (filter.type !== null && clientType(client) !== filter.type) return false;
  if (filter.id !== null && client.id !== filter.id) return false;
  return filter.user === null || (client.user === filter.user && !client.isTrusted);
}

function kill(c: Client): void {
  const { args, engine } = c;
  const filter: Filter = { id: null, type: null, addr: null, laddr: null, user: null, skipMe: true };
  const oldForm = args.argc === 3;
  if (oldForm) {
    filter.addr = args.text(2);
    filter.skipMe = false;
  } else if (!readFilter(c, filter)) return;
  let killed = 0;
  let killMe = false;
  for (const client of [...engine.clients.values()]) {
    if (!matches(client, filter) || (client === c && filter.skipMe)) continue;
    if (client === c) killMe = true;
    else client.link.close();
    killed++;
  }
  if (!oldForm) c.reply.int(killed);
  else if (killed === 0) c.reply.error(NO_SUCH_CLIENT);
  else c.reply.ok();
  if (killMe) c.link.closeAfterReply();
}

/** Reads `OPTION value …` from argument 2 on; false after an error reply. */
function readFilter(c: Client, filter: Filter): boolean {
  const { args } = c;
  for (let i = 2; i < args.argc; i += 2) {
    if (i + 1 === args.argc) return c.fail(SYNTAX);
    if (args.is(i, ID)) {
      const id = args.int(i + 1);
      if (!(id > 0)) return c.fail(ID_TOO_SMALL);
      filter.id = id;
    } else if (args.is(i, TYPE)) {
      filter.type = readType(c, c.args, i + 1);
      if (filter.type === null) return false;
    } else if (args.is(i, ADDR)) filter.addr = args.text(i + 1);
    else if (args.is(i, LADDR)) filter.laddr = args.text(i + 1);
    else if (args.is(i, USER)) {
      const user = args.text(i + 1);
      if (!isUser(user)) return c.fail(errorReply(`ERR No such user '${args.shown(i + 1)}'`));
      filter.user = user;
    } else if (args.is(i, SKIPME) && (args.is(i + 1, YES) || args.is(i + 1, NO))) filter.skipMe = args.is(i + 1, YES);
    else return c.fail(SYNTAX);
  }
  return true;
}

function replyMode(c: Client): void {
  const { args } = c;
  if (args.is(2, ON)) {
    c.replyOff = false;
    c.replySkip = 0;
    c.reply.ok();
  } else if (args.is(2, OFF)) c.replyOff = true;
  else if (args.is(2, SKIP)) {
    if (!c.replyOff) c.replySkip = 2;
  } else c.reply.error(SYNTAX);
}

function unblock(c: Client): void {
  const { args, engine } = c;
  if (args.argc > 4) return subcommandSyntax(c);
  if (args.argc === 4 && !args.is(3, TIMEOUT) && !args.is(3, ERROR)) return c.reply.error(BAD_REASON);
  const id = args.int(2);
  if (Number.isNaN(id)) return c.reply.error(NOT_INTEGER);
  const client = engine.clients.get(id);
  const withError = args.argc === 4 && args.is(3, ERROR);
  c.reply.int(client !== undefined && engine.blocking.interrupt(client, withError) ? 1 : 0);
}

function pause(c: Client): void {
  const { args, engine } = c;
  if (args.argc > 4) return subcommandSyntax(c);
  const writesOnly = args.argc === 4 && args.is(3, WRITE);
  if (args.argc === 4 && !writesOnly && !args.is(3, ALL)) return c.reply.error(BAD_PAUSE);
  const timeout = args.int(2);
  if (Number.isNaN(timeout)) return c.reply.error(TIMEOUT_NOT_INTEGER);
  if (timeout < 0) return c.reply.error(TIMEOUT_NEGATIVE);
  engine.pause(timeout === 0 ? 0 : engine.keyspace.now + timeout, writesOnly);
  c.reply.ok();
}

// ---- Tracking ------------------------------------------------------------------------------------------------------------------

function caching(c: Client): void {
  c.reply.error(NOT_TRACKING);
}

/** Nobody is tracking. */
function trackingInfo(c: Client): void {
  const { reply } = c;
  reply.map(3);
  reply.text("flags");
  reply.set(1);
  reply.text("off");
  reply.text("redirect");
  reply.int(-1);
  reply.text("prefixes");
  reply.array(0);
}
