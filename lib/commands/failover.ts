/** FAILOVER: see lib/replicate/failover.ts. */

import { lower } from "../bytes/ascii.ts";
import type { Client } from "../engine/client.ts";
import { type Command, command } from "../engine/command.ts";
import { errorReply, NOT_INTEGER, SYNTAX } from "../resp/errors.ts";

const ABORT = lower("abort"), TIMEOUT = lower("timeout"), TO = lower("to"), FORCE = lower("force");
const IN_CLUSTER = errorReply("ERR FAILOVER not allowed in cluster mode. Use CLUSTER FAILOVER command instead.");
const NONE_TO_ABORT = errorReply("ERR No failover in progress.");
const BAD_TIMEOUT = errorReply("ERR FAILOVER timeout must be greater than 0");
const IN_PROGRESS = errorReply("ERR FAILOVER already in progress.");
const ON_REPLICA = errorReply("ERR FAILOVER is not valid when server is a replica.");
const NO_REPLICAS = errorReply("ERR FAILOVER requires connected replicas.");
const FORCE_ALONE = errorReply("ERR FAILOVER with force option requires both a timeout and target HOST and IP.");
const NO_SUCH_REPLICA = errorReply("ERR FAILOVER target HOST and PORT is not a replica.");
const NOT_ONLINE = errorReply("ERR FAILOVER target replica is not online.");

function failOver(c: Client): void {
  const { args, reply, engine } = c;
  const { failover: state, replicas, isReplica } = engine.replication;
  if (engine.config.values.clusterEnabled) return reply.error(IN_CLUSTER);
  if (args.argc === 2 && args.is(1, ABORT)) {
    if (state.state === "none") return reply.error(NONE_TO_ABORT);
    state.abort("Failover manually aborted");
    return reply.ok();
  }
  let timeout = 0;
  let force = false;
  let target: { host: string; port: number } | null = null;
  for (let i = 1; i < args.argc; i++) {
    if (args.is(i, TIMEOUT) && i + 1 < args.argc && timeout === 0) {
      timeout = args.int(++i);
      if (Number.isNaN(timeout)) return reply.error(NOT_INTEGER);
      if (timeout <= 0) return reply.error(BAD_TIMEOUT);
    } else if (args.is(i, TO) && i + 2 < args.argc && target === null) {
      target = { host: args.text(i + 1), port: args.int(i + 2) };
      if (Number.isNaN(target.port)) return reply.error(NOT_INTEGER);
      i += 2;
    } else if (args.is(i, FORCE) && !force) force = true;
    else return reply.error(SYNTAX);
  }
  if (state.state !== "none") return reply.error(IN_PROGRESS);
  if (isReplica) return reply.error(ON_REPLICA);
  if (replicas.count === 0) return reply.error(NO_REPLICAS);
  if (force && (timeout === 0 || target === null)) return reply.error(FORCE_ALONE);
  if (target !== null) {
    const replica = replicas.at(target.host, target.port);
    if (replica === undefined) return reply.error(NO_SUCH_REPLICA);
    if (replica.state !== "online") return reply.error(NOT_ONLINE);
  }
  state.begin(target, timeout, force);
  reply.ok();
}

const failover = command({
  name: "failover",
  arity: -1,
  flags: "admin noscript stale",
  since: "6.2.0",
  group: "server",
  complexity: "O(1)",
  summary: "Start a coordinated failover between this server and one of its replicas.",
  syntax: "[TO target=(host port [FORCE])] [ABORT] [TIMEOUT milliseconds]",
  run: failOver,
});

export const commands: Command[] = [failover];
