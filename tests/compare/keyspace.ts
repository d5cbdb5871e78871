/**
 * Compares everything two servers hold, so that a command that answers right but stores wrong is caught too: the keys of
 * every database (by KEYS, and by SCAN to its end), their types, encodings, times to live, contents, digests and DUMP payloads.
 *
 * DUMP is compared byte by byte where the layout is determined by the content: not for hash tables, whose order is free. It needs
 * `rdbcompression no` on both sides, since two LZF compressors may both be right and yet differ.
 */

import type { Client, Command } from "../kit/client.ts";
import { sameReply, showCommand } from "../kit/differential.ts";
import { errorOf, type Reply, show } from "../kit/reply.ts";
import { DISTANCES, sameFor } from "./same.ts";

/** A difference between the stored values, as text. */
export interface KeyspaceDifference {
  /** "keys", "scan", or "encoding", "content", "ttl", "digest", "dump" with the key's type. */
  readonly kind: string;
  readonly text: string;
}

export interface KeyspaceOptions {
  /** Names (upper case) that one server does not know: those questions are not asked. */
  readonly missing: ReadonlySet<string>;
  readonly databases?: readonly number[];
}

const reads: Readonly<Record<string, (key: string) => Command>> = {
  string: (key) => ["GET", key],
  list: (key) => ["LRANGE", key, 0, -1],
  hash: (key) => ["HGETALL", key],
  set: (key) => ["SMEMBERS", key],
  zset: (key) => ["ZRANGE", key, 0, -1, "WITHSCORES"],
  stream: (key) => ["XINFO", "STREAM", key, "FULL", "COUNT", 0],
};

/** Encodings that fix the order of the elements. */
const determined = new Set(["int", "embstr", "raw", "listpack", "intset", "quicklist", "skiplist"]);
const scans: Readonly<Record<string, string>> = { hash: "HSCAN", set: "SSCAN", zset: "ZSCAN" };

/** Asks both servers about everything; leaves database 0 selected. */
export async function compareKeyspaces(a: Client, b: Client, options: KeyspaceOptions): Promise<KeyspaceDifference[]> {
  const found: KeyspaceDifference[] = [];
  const { missing } = options;
  const both = (command: Command) => Promise.all([a.call(...command), b.call(...command)]);
  for (const database of options.databases ?? [0, 1, 2, 15]) {
    await both(["SELECT", database]);
    const [keysA, keysB] = await both(["KEYS", "*"]);
    if (!sameFor(["KEYS", "*"], keysA, keysB)) {
      const onlyA = difference(keysA, keysB);
      const onlyB = difference(keysB, keysA);
      found.push({
        kind: "keys",
        text: `db${database}: only in redis ${show(onlyA)}, only in redstart ${show(onlyB)}`,
      });
      continue;
    }
    if (!missing.has("SCAN")) await compareScan(a, b, ["SCAN"], `db${database} SCAN`, found);
    for (const key of keysA as string[]) await compareKey(a, b, key, database, missing, found);
  }
  await both(["SELECT", 0]);
  return found;
}

async function compareKey(
  a: Client,
  b: Client,
  key: string,
  database: number,
  missing: ReadonlySet<string>,
  found: KeyspaceDifference[],
): Promise<void> {
  const about: Command[] = [["TYPE", key], ["OBJECT", "ENCODING", key], ["PEXPIRETIME", key]];
  const known = about.filter((command) => !missing.has(command[0] as string));
  const [aboutA, aboutB] = await Promise.all([a.pipeline(known), b.pipeline(known)]);
  let type = "";
  let encoding = "";
  const report = (kind: string, command: Command, x: Reply, y: Reply) =>
    found.push({
      kind: `${kind} ${type}`,
      text: `db${database} ${showCommand(command)} (${type}, ${encoding})\n      redis: ${show(x)}\n      redstart: ${
        show(y)
      }`,
    });
  for (let i = 0; i < known.length; i++) {
    if (known[i][0] === "TYPE") type = statusOf(aboutA[i]);
    if (known[i][0] === "OBJECT") encoding = String(aboutA[i]);
    const kind = known[i][0] === "OBJECT" ? "encoding" : known[i][0] === "TYPE" ? "content" : "ttl";
    if (!sameFor(known[i], aboutA[i], aboutB[i])) report(kind, known[i], aboutA[i], aboutB[i]);
  }

  const values: [string, Command][] = [];
  const read = reads[type];
  if (read !== undefined) values.push(["content", read(key)]);
  // Stored distances may differ in their last bit, and so does whatever is made of their bytes.
  const exact = key !== DISTANCES;
  if (exact) values.push(["digest", ["DEBUG", "DIGEST-VALUE", key]], ["dump", ["DUMP", key]]);
  const asked = values.filter(([kind, command]) =>
    !missing.has(command[0] as string) && (kind !== "dump" || determined.has(encoding))
  );
  const commands = asked.map(([, command]) => command);
  const [valuesA, valuesB] = await Promise.all([a.pipeline(commands), b.pipeline(commands)]);
  for (let i = 0; i < asked.length; i++) {
    const [kind, command] = asked[i];
    const same = kind === "content" && determined.has(encoding) && exact
      ? sameReply(valuesA[i], valuesB[i]) // an encoding with an order must keep Redis's order
      : sameFor(command, valuesA[i], valuesB[i]);
    const unknown = /unknown (sub)?command/i.test(errorOf(valuesB[i]) ?? "");
    if (!same && !unknown) report(kind, command, valuesA[i], valuesB[i]);
  }
  const scan = scans[type];
  if (scan !== undefined && !missing.has(scan) && exact) {
    await compareScan(a, b, [scan, key], `db${database} ${scan} ${key}`, found);
  }
}

/** Runs a scan to its end on both servers: on an unchanging collection each element comes at least once. */
async function compareScan(
  a: Client,
  b: Client,
  command: Command,
  name: string,
  found: KeyspaceDifference[],
): Promise<void> {
  const [x, y] = await Promise.all([scanAll(a, command), scanAll(b, command)]);
  if (typeof x === "string" || typeof y === "string") {
    if (x !== y) found.push({ kind: "scan", text: `${name}: redis ${outcome(x)}, redstart ${outcome(y)}` });
    return;
  }
  const lost = [...x].filter((element) => !y.has(element));
  const extra = [...y].filter((element) => !x.has(element));
  if (lost.length + extra.length > 0) {
    found.push({ kind: "scan", text: `${name}: redstart lacks ${show(lost)}, has besides ${show(extra)}` });
  }
}

function outcome(scan: Set<string> | string): string {
  return typeof scan === "string" ? scan : `${scan.size} elements`;
}

/** The distinct elements (pairs for HSCAN and ZSCAN) of a whole scan, or an error text. */
async function scanAll(client: Client, command: Command): Promise<Set<string> | string> {
  const elements = new Set<string>();
  const paired = command[0] === "HSCAN" || command[0] === "ZSCAN";
  let cursor = "0";
  for (let calls = 0; calls < 100_000; calls++) {
    const reply = await client.call(...command, cursor, "COUNT", 7);
    if (!Array.isArray(reply) || !Array.isArray(reply[1])) return errorOf(reply) ?? `not a scan reply: ${show(reply)}`;
    const items = reply[1].map(String);
    for (let i = 0; i < items.length; i += paired ? 2 : 1) {
      elements.add(paired ? `${items[i]} => ${items[i + 1]}` : items[i]);
    }
    cursor = String(reply[0]);
    if (cursor === "0") return elements;
  }
  return "the scan does not end";
}

function difference(a: Reply, b: Reply): Reply {
  if (!Array.isArray(a) || !Array.isArray(b)) return a;
  const other = new Set(b);
  return a.filter((key) => !other.has(key));
}

function statusOf(reply: Reply): string {
  return typeof reply === "object" && reply !== null && "status" in reply ? reply.status : "";
}
