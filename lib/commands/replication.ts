/** Replication: REPLICAOF, the handshake of replicas (REPLCONF, PSYNC, SYNC), ROLE, WAIT. */

import { lower } from "../bytes/ascii.ts";
import type { Client } from "../engine/client.ts";
import { clientInfo } from "../engine/client_info.ts";
import { type Command, command } from "../engine/command.ts";
import { errorReply, NOT_INTEGER, SYNTAX } from "../resp/errors.ts";

const NO = lower("no"), ONE = lower("one");
const LISTENING_PORT = lower("listening-port"), IP_ADDRESS = lower("ip-address"), CAPA = lower("capa");
const EOF = lower("eof"), PSYNC2 = lower("psync2"), ACK = lower("ack"), GETACK = lower("getack");
const RDB_ONLY = lower("rdb-only"), RDB_FILTER_ONLY = lower("rdb-filter-only"), VERSION = lower("version");
const FAILOVER = lower("failover");
const WAIT_TIMEOUT = errorReply("ERR timeout is not an integer or out of range");
const TIMEOUT_NEGATIVE = errorReply("ERR timeout is negative");
const TIMEOUT_RANGE = errorReply("ERR timeout is out of range");
const INVALID_PORT = errorReply("ERR Invalid master port");
const IN_CLUSTER = errorReply("ERR REPLICAOF not allowed in cluster mode.");
const FAILING_OVER = errorReply("ERR REPLICAOF not allowed while failing over.");
const IS_REPLICA_LINK = errorReply("ERR Command is not valid when client is a replica.");
const WAIT_ON_REPLICA = errorReply(
  "ERR WAIT cannot be used with replica instances. Please also note that since Redis 4.0 if a replica is configured to be writable (which is not the default) writes to replicas are just local and are not propagated.",
);
const NO_MASTER_LINK = errorReply("NOMASTERLINK Can't SYNC while not connected with my master");
const PENDING_OUTPUT = errorReply("ERR SYNC and PSYNC are invalid with pending output");
const NEEDS_EOF = errorReply("ERR Filtered replica requires EOF capability");
const FAILOVER_TO_MASTER = errorReply("ERR PSYNC FAILOVER can't be sent to a master.");
const FAILOVER_ID = errorReply("ERR PSYNC FAILOVER replid must match my replid.");
const MAX_ADDRESS = 255;

function follow(c: Client): void {
  const { args, reply, engine } = c;
  const { replication, log } = engine;
  if (engine.config.values.clusterEnabled) return reply.error(IN_CLUSTER);
  if (replication.failover.state !== "none") return reply.error(FAILING_OVER);
  if (args.is(1, NO) && args.is(2, ONE)) {
    if (replication.becomeMaster()) log.notice(`MASTER MODE enabled (user request from '${clientInfo(c)}')`);
    return reply.ok();
  }
  if (c.isReplica) return reply.error(IS_REPLICA_LINK);
  const port = args.int(2);
  if (!(port >= 0 && port <= 65535)) return reply.error(INVALID_PORT);
  const host = args.text(1);
  const { master } = replication;
  if (master !== null && master.host.toLowerCase() === host.toLowerCase() && master.port === port) {
    log.notice(
      "REPLICAOF would result into synchronization with the master we are already connected with. No operation performed.",
    );
    return reply.simple("OK Already connected to specified master");
  }
  replication.follow(host, port);
  log.notice(`REPLICAOF ${host}:${port} enabled (user request from '${clientInfo(c)}')`);
  reply.ok();
}

function replyRole(c: Client): void {
  const { reply, engine } = c;
  const { master, replicas, stream } = engine.replication;
  if (master === null) {
    const online = [...replicas].filter(({ state }) => state === "online");
    reply.array(3);
    reply.text("master");
    reply.int(stream.offset);
    reply.array(online.length);
    for (const replica of online) {
      reply.array(3);
      reply.text(replica.ip);
      reply.text(String(replica.listeningPort));
      reply.text(String(replica.confirmed));
    }
    return;
  }
  reply.array(5);
  reply.text("slave");
  reply.text(master.host);
  reply.int(master.port);
  reply.text(master.state);
  reply.int(master.state === "connected" ? stream.offset : -1);
}

function wait(c: Client): void {
  const { args, reply, engine } = c;
  if (engine.replication.isReplica) return reply.error(WAIT_ON_REPLICA);
  const wanted = args.int(1);
  if (Number.isNaN(wanted)) return reply.error(NOT_INTEGER);
  const timeout = args.int(2);
  if (Number.isNaN(timeout)) return reply.error(WAIT_TIMEOUT);
  if (timeout < 0) return reply.error(TIMEOUT_NEGATIVE);
  if (timeout > Number.MAX_SAFE_INTEGER) return reply.error(TIMEOUT_RANGE);
  const acknowledged = engine.replication.replicas.acknowledged(c.writeOffset);
  if (acknowledged >= wanted || c.mayNotBlock) return reply.int(acknowledged);
  engine.replication.wait(c, c.writeOffset, wanted, timeout);
}

function configureReplica(c: Client): void {
  const { args, reply, engine } = c;
  const { replicas, master } = engine.replication;
  if (args.argc % 2 === 0) return reply.error(SYNTAX);
  for (let i = 1; i < args.argc; i += 2) {
    if (args.is(i, LISTENING_PORT)) {
      const port = args.int(i + 1);
      if (Number.isNaN(port)) return reply.error(NOT_INTEGER);
      replicas.of(c).listeningPort = port;
    } else if (args.is(i, IP_ADDRESS)) {
      if (args.len[i + 1] > MAX_ADDRESS) {
        return reply.error(
          errorReply(`ERR REPLCONF ip-address provided by replica instance is too long: ${args.len[i + 1]} bytes`),
        );
      }
      replicas.of(c).address = args.text(i + 1);
    } else if (args.is(i, CAPA)) {
      if (args.is(i + 1, EOF)) replicas.of(c).canEof = true;
      else if (args.is(i + 1, PSYNC2)) replicas.of(c).canPsync2 = true;
    } else if (args.is(i, ACK)) {
      const replica = replicas.find(c);
      const offset = args.int(i + 1);
      if (replica !== undefined && c.isReplica && !Number.isNaN(offset)) replicas.confirm(replica, offset);
      return;
    } else if (args.is(i, GETACK)) {
      if (c.isMaster) master?.acknowledge();
      return;
    } else if (args.is(i, RDB_ONLY)) {
      const value = args.int(i + 1);
      if (Number.isNaN(value)) return reply.error(NOT_INTEGER);
      if (value !== 0 && value !== 1) {
        return reply.error(errorReply("ERR value is out of range, value must between 0 and 1"));
      }
      replicas.of(c).rdbOnly = value === 1;
    } else if (args.is(i, RDB_FILTER_ONLY)) {
      const replica = replicas.of(c);
      replica.withoutData = true;
      replica.withoutFunctions = true;
      for (const filter of args.text(i + 1).split(/\s+/)) {
        if (filter === "") continue;
        if (filter.toLowerCase() !== "functions") {
          return reply.error(errorReply(`ERR Unsupported rdb-filter-only option: ${filter}`));
        }
        replica.withoutFunctions = false;
      }
    } else if (!args.is(i, VERSION)) {
      return reply.error(errorReply(`ERR Unrecognized REPLCONF option: ${args.text(i)}`));
    }
  }
  reply.ok();
}

/** PSYNC id offset [FAILOVER], and SYNC. */
function synchronise(c: Client): void {
  const { args, reply, engine } = c;
  const { replication, log } = engine;
  if (c.isReplica) return;
  const isPsync = args.argc >= 3;
  if (isPsync && args.argc > 3 && args.is(3, FAILOVER)) {
    log.warning(`Failover request received for replid ${args.text(1)}.`);
    if (!replication.isReplica) return reply.error(FAILOVER_TO_MASTER);
    if (args.text(1).toLowerCase() !== replication.id) return reply.error(FAILOVER_ID);
    replication.becomeMaster();
    log.notice(`MASTER MODE enabled (failover request from '${clientInfo(c)}')`);
  }
  if (replication.master !== null && replication.master.state !== "connected") return reply.error(NO_MASTER_LINK);
  if (c.link.outputBytes > 0 || reply.at > 0) return reply.error(PENDING_OUTPUT);
  const replica = replication.replicas.of(c);
  if ((replica.withoutData || replica.withoutFunctions) && !replica.canEof) return reply.error(NEEDS_EOF);
  log.notice(`Replica ${replica.name} asks for synchronization`);
  if (isPsync) {
    const offset = args.int(2);
    if (Number.isNaN(offset)) {
      log.warning(`Replica ${replica.name} asks for synchronization but with a wrong offset`);
      return reply.error(NOT_INTEGER);
    }
    if (replication.replicas.tryContinue(replica, args.text(1), offset)) {
      replication.partialSyncs++;
      return;
    }
    if (!args.text(1).startsWith("?")) replication.partialSyncsRefused++;
  } else replica.isOld = true;
  replication.fullSyncs++;
  replication.replicas.fullSync.wait(replica);
}

const replicaof = command({
  name: "replicaof",
  arity: 3,
  flags: "no_async_loading admin noscript stale",
  since: "5.0.0",
  group: "server",
  complexity: "O(1)",
  summary: "Make the server a replica of another instance, or promote it as master.",
  syntax: "args=<host-port=(host port) | no-one=(NO ONE)>",
  run: follow,
});

const slaveof = command({
  name: "slaveof",
  arity: 3,
  flags: "no_async_loading admin noscript stale",
  since: "1.0.0",
  group: "server",
  complexity: "O(1)",
  summary: "Make the server a replica of another instance, or promote it as master.",
  syntax: "args=<host-port=(host port) | no-one=(NO ONE)>",
  deprecatedSince: "5.0.0",
  replacedBy: "`REPLICAOF`",
  run: follow,
});

const role = command({
  name: "role",
  arity: 1,
  flags: "noscript loading stale fast",
  acl: "admin dangerous",
  since: "2.8.12",
  group: "server",
  complexity: "O(1)",
  summary: "Return the role of the instance in the context of replication",
  run: replyRole,
});

const waitCommand = command({
  name: "wait",
  arity: 3,
  flags: "noscript",
  acl: "connection",
  since: "3.0.0",
  group: "generic",
  complexity: "O(1)",
  summary:
    "Wait for the synchronous replication of all the write commands sent in the context of the current connection",
  syntax: "numreplicas:integer timeout:integer",
  tips: "request_policy:all_shards response_policy:agg_min",
  run: wait,
});

const psync = command({
  name: "psync",
  arity: -3,
  flags: "no_async_loading admin no_multi noscript",
  since: "2.8.0",
  group: "server",
  summary: "Internal command used for replication",
  syntax: "replicationid offset",
  run: synchronise,
});

const sync = command({
  name: "sync",
  arity: 1,
  flags: "no_async_loading admin no_multi noscript",
  since: "1.0.0",
  group: "server",
  summary: "Internal command used for replication",
  run: synchronise,
});

const replconf = command({
  name: "replconf",
  arity: -1,
  flags: "admin noscript loading stale allow_busy",
  since: "3.0.0",
  group: "server",
  complexity: "O(1)",
  summary: "An internal command for configuring the replication stream",
  docFlags: "syscmd",
  run: configureReplica,
});

export const commands: Command[] = [replicaof, slaveof, role, waitCommand, psync, sync, replconf];
