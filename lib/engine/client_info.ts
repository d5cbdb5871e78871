/** The line that describes a client in CLIENT LIST, CLIENT INFO and the log (Redis 7.0, catClientInfoString). */

import type { Client } from "./client.ts";

/** Letters of the `flags` field. */
function clientFlags(c: Client): string {
  let flags = "";
  if (c.isReplica) flags += "S";
  else if (c.isMonitor) flags += "O";
  if (c.isMaster) flags += "M";
  if (c.subscriptions > 0) flags += "P";
  if (c.transaction !== null) flags += "x";
  if (c.blocked !== null) flags += "b";
  if (c.watchFailed) flags += "d";
  if (c.closing) flags += "c";
  if (c.link.isUnixSocket) flags += "U";
  if (c.noEvict) flags += "e";
  return flags === "" ? "N" : flags;
}

/** The classes that CLIENT LIST and KILL and the output buffer limits tell apart. */
export type ClientType = "normal" | "replica" | "pubsub" | "master";

export function clientType(c: Client): ClientType {
  if (c.isMaster) return "master";
  if (c.isReplica && !c.isMonitor) return "replica";
  return c.subscriptions > 0 ? "pubsub" : "normal";
}

/** What a queued command takes besides its arguments, and what a watched key or a subscription takes, roughly. */
const QUEUED_BYTES = 64;
const NAME_BYTES = 96;

/** Bytes of memory that a client takes: its buffers, its queued transaction, and the objects that stand for it. */
export function clientMemory(c: Client): number {
  const { transaction } = c;
  let names = c.subscriptions;
  for (let watched = c.watched; watched !== null; watched = watched.sibling) names++;
  const queued = transaction === null ? 0 : transaction.argumentBytes + transaction.count * QUEUED_BYTES;
  return c.link.memory + c.streamBytes + c.argumentBytes + queued + names * NAME_BYTES;
}

/** `field=value` pairs with blanks between them, latin1, without an end of line. */
export function clientInfo(c: Client): string {
  const { link, engine } = c;
  const now = engine.keyspace.now;
  const seconds = (since: number) => Math.max(0, Math.floor(now / 1000) - Math.floor(since / 1000));
  const fields: [string, string | number][] = [
    ["id", c.id],
    ["addr", link.remote],
    ["laddr", link.local],
    ["fd", link.descriptor],
    ["name", c.name],
    ["age", seconds(c.createdAt)],
    ["idle", seconds(c.lastInteraction)],
    ["flags", clientFlags(c)],
    ["db", c.db.index],
    ["sub", c.channels?.size ?? 0],
    ["psub", c.patterns?.size ?? 0],
    ["ssub", c.shardChannels?.size ?? 0],
    ["multi", c.transaction === null ? -1 : c.transaction.count],
    ["qbuf", link.inputBytes],
    ["qbuf-free", link.inputFree],
    ["argv-mem", c.argumentBytes],
    ["multi-mem", c.transaction?.argumentBytes ?? 0],
    ["rbs", link.replyBufferSize],
    ["rbp", link.replyBufferPeak],
    ["obl", 0],
    ["oll", link.outputChunks],
    ["omem", link.outputBytes + c.streamBytes],
    ["tot-mem", clientMemory(c)],
    ["events", link.outputChunks > 0 ? "rw" : "r"],
    ["cmd", c.command === null ? "NULL" : c.command.fullName],
    ["user", c.isTrusted ? "(superuser)" : c.user],
    ["redir", -1],
    ["resp", c.resp],
  ];
  return fields.map(([name, value]) => `${name}=${value}`).join(" ");
}
