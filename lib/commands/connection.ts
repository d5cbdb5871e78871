/**
 * Connection commands: AUTH ECHO HELLO PING QUIT RESET SELECT. CLIENT has a file of its own (client.ts).
 *
 * Behaviour and texts: Redis 7.0 (networking.c, acl.c, server.c, db.c). The only user so far is `default`, whose password is
 * `requirepass`.
 */

import { latin1, lower } from "../bytes/ascii.ts";
import type { Client } from "../engine/client.ts";
import { type Command, command, Deny } from "../engine/command.ts";
import { discard } from "../engine/execute.ts";
import { REDIS_VERSION } from "../engine/version.ts";
import { DB_INDEX, errorReply, NOT_INT32, NOT_INTEGER, SYNTAX, wrongArity } from "../resp/errors.ts";

const AUTH = lower("auth");
const SETNAME = lower("setname");

const NO_PASSWORD = errorReply(
  "ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?",
);
const WRONGPASS = errorReply("WRONGPASS invalid username-password pair or user is disabled.");
const BAD_PROTOCOL = errorReply("ERR Protocol version is not an integer or out of range");
const NOPROTO = errorReply("NOPROTO unsupported protocol version");
const HELLO_NOAUTH = errorReply(
  "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time",
);
const BAD_NAME = errorReply("ERR Client names cannot contain spaces, newlines or special characters.");
const SELECT_IN_CLUSTER = errorReply("ERR SELECT is not allowed in cluster mode");
const CANNOT_RESET = errorReply("ERR can only reset normal client connections");
const PING_ARITY = wrongArity("ping");

// ---- Authentication ------------------------------------------------------------------------------------------------------------

/** The bytes that `default` has to present, null when anything will do. */
function defaultPassword(c: Client): string | null {
  const password = c.engine.config.values.requirepass;
  return password === null || password === "" ? null : password;
}

/** Whether there is a user of this name. */
export function isUser(name: string): boolean {
  return name === "default";
}

/** Logs the client in as the user named by argument `i` with the password in argument `i + 1`, or replies with an error. */
function login(c: Client, userAt: number): boolean {
  if (!isUser(c.args.text(userAt))) return c.fail(WRONGPASS);
  return loginDefault(c, userAt + 1);
}

function loginDefault(c: Client, passwordAt: number): boolean {
  const wanted = defaultPassword(c);
  if (wanted !== null && !isPassword(c, passwordAt, wanted)) return c.fail(WRONGPASS);
  c.user = "default";
  c.authenticated = true;
  c.deny &= ~Deny.AUTH;
  return true;
}

/** Takes a time that depends on the length of what was presented only, so that it tells nothing about the password. */
function isPassword(c: Client, i: number, wanted: string): boolean {
  const a = c.args;
  let difference = a.len[i] ^ wanted.length;
  for (let k = 0; k < a.len[i]; k++) difference |= a.buf[a.off[i] + k] ^ wanted.charCodeAt(k % wanted.length);
  return difference === 0;
}

const auth = command({
  name: "auth",
  arity: -2,
  flags: "noscript loading stale fast no_auth allow_busy",
  acl: "connection",
  since: "1.0.0",
  group: "connection",
  complexity: "O(N) where N is the number of passwords defined for the user",
  summary: "Authenticate to the server",
  syntax: "[username@6.0.0] password",
  history: ["6.0.0 Added ACL style (username and password)."],
  run(c) {
    const { argc } = c.args;
    if (argc > 3) return c.reply.error(SYNTAX);
    for (let i = 1; i < argc; i++) c.engine.observation.redact(c, i);
    if (argc === 2 && defaultPassword(c) === null) return c.reply.error(NO_PASSWORD);
    if (argc === 2 ? loginDefault(c, 1) : login(c, 1)) c.reply.ok();
  },
});

/** Gives the client the name in argument `i` (empty: none), or replies with an error. */
export function setName(c: Client, i: number): boolean {
  const { buf, off, len } = c.args;
  for (let k = off[i]; k < off[i] + len[i]; k++) if (buf[k] < 33 || buf[k] > 126) return c.fail(BAD_NAME);
  c.name = latin1(buf, off[i], len[i]);
  return true;
}

const hello = command({
  name: "hello",
  arity: -1,
  flags: "noscript loading stale fast no_auth allow_busy",
  acl: "connection",
  since: "6.0.0",
  group: "connection",
  complexity: "O(1)",
  summary: "Handshake with Redis",
  syntax: "arguments=[protover:integer [AUTH (username password)] [SETNAME clientname]]",
  history: [
    "6.2.0 `protover` made optional; when called without arguments the command reports the current connection's context.",
  ],
  run(c) {
    const { args, reply, engine } = c;
    let version = 0;
    if (args.argc > 1) {
      version = args.int(1);
      if (Number.isNaN(version)) return reply.error(BAD_PROTOCOL);
      if (version !== 2 && version !== 3) return reply.error(NOPROTO);
    }
    for (let i = 2; i < args.argc; i++) {
      const left = args.argc - 1 - i;
      if (args.is(i, AUTH) && left >= 2) {
        engine.observation.redact(c, i + 1);
        engine.observation.redact(c, i + 2);
        if (!login(c, i + 1)) return;
        i += 2;
      } else if (args.is(i, SETNAME) && left >= 1) {
        if (!setName(c, ++i)) return;
      } else return reply.error(errorReply(`ERR Syntax error in HELLO option '${args.shown(i)}'`));
    }
    if (!c.authenticated) return reply.error(HELLO_NOAUTH);
    if (version !== 0) c.setProtocol(version as 2 | 3);
    reply.map(7);
    reply.text("server");
    reply.text("redis");
    reply.text("version");
    reply.text(REDIS_VERSION);
    reply.text("proto");
    reply.int(c.resp);
    reply.text("id");
    reply.int(c.id);
    reply.text("mode");
    reply.text(engine.config.values.clusterEnabled ? "cluster" : "standalone");
    reply.text("role");
    reply.text(engine.replication.isReplica ? "replica" : "master");
    reply.text("modules");
    reply.array(0);
  },
});

// ---- The rest ------------------------------------------------------------------------------------------------------------------

const ping = command({
  name: "ping",
  arity: -1,
  flags: "fast subscribed disk_check",
  acl: "connection",
  since: "1.0.0",
  group: "connection",
  complexity: "O(1)",
  summary: "Ping the server",
  syntax: "[message]",
  tips: "request_policy:all_shards response_policy:all_succeeded",
  run(c) {
    const { args, reply } = c;
    if (args.argc > 2) return reply.error(PING_ARITY);
    const inReplyToMessages = (c.deny & Deny.SUBSCRIBED) !== 0;
    if (args.argc === 1 && !inReplyToMessages) return reply.pong();
    if (inReplyToMessages) {
      reply.array(2);
      reply.text("pong");
      if (args.argc === 1) return reply.emptyBulk();
    }
    reply.bulk(args.buf, args.off[1], args.len[1]);
  },
});

const echo = command({
  name: "echo",
  arity: 2,
  flags: "loading stale fast",
  acl: "connection",
  since: "1.0.0",
  group: "connection",
  complexity: "O(1)",
  summary: "Echo the given string",
  syntax: "message",
  run(c) {
    c.reply.bulk(c.args.buf, c.args.off[1], c.args.len[1]);
  },
});

const select = command({
  name: "select",
  arity: 2,
  flags: "loading stale fast",
  acl: "connection",
  since: "1.0.0",
  group: "connection",
  complexity: "O(1)",
  summary: "Change the selected database for the current connection",
  syntax: "index:integer",
  run(c) {
    const { engine, reply } = c;
    const index = c.args.int(1);
    if (Number.isNaN(index)) return reply.error(NOT_INTEGER);
    if (index < -2147483648 || index > 2147483647) return reply.error(NOT_INT32);
    if (engine.config.values.clusterEnabled && index !== 0) return reply.error(SELECT_IN_CLUSTER);
    const { databases } = engine.keyspace;
    if (index < 0 || index >= databases.length) return reply.error(DB_INDEX);
    c.db = databases[index];
    reply.ok();
  },
});

const quit = command({
  name: "quit",
  arity: -1,
  flags: "allow_busy noscript loading stale fast no_auth subscribed unqueued",
  acl: "connection",
  since: "1.0.0",
  group: "connection",
  complexity: "O(1)",
  summary: "Close the connection",
  run(c) {
    c.reply.ok();
    c.link.closeAfterReply();
  },
});

const reset = command({
  name: "reset",
  arity: 1,
  flags: "noscript loading stale fast no_auth allow_busy subscribed unqueued",
  acl: "connection",
  since: "6.2.0",
  group: "connection",
  complexity: "O(1)",
  summary: "Reset the connection",
  run(c) {
    const { engine } = c;
    if (c.isReplica || c.isMaster) return c.reply.error(CANNOT_RESET);
    c.isMonitor = false;
    engine.monitors.delete(c);
    c.db = engine.keyspace.databases[0];
    c.user = "default";
    c.authenticated = defaultPassword(c) === null;
    if (!c.authenticated) c.deny |= Deny.AUTH;
    discard(c);
    engine.pubsub.forget(c);
    c.setProtocol(2);
    c.name = "";
    c.replyOff = false;
    c.replySkip = 0;
    c.reply.simple("RESET");
  },
});

export const commands: Command[] = [auth, echo, hello, ping, quit, reset, select];
