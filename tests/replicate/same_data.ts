/** Compares what real servers hold, and names the first key that differs. */

import type { Client, Command } from "../kit/client.ts";
import { errorOf, quote, type Reply, show } from "../kit/reply.ts";
import { info } from "./waiting.ts";

const DATABASES = 16;
/** The values differ, but servers with the same data may differ in this way. */
const IMMATERIAL = "immaterial";
const contents: Readonly<Record<string, (key: string) => Command>> = {
  string: (key) => ["GET", key],
  list: (key) => ["LRANGE", key, 0, -1],
  hash: (key) => ["HGETALL", key],
  set: (key) => ["SMEMBERS", key],
  zset: (key) => ["ZRANGE", key, 0, -1, "WITHSCORES"],
  stream: (key) => ["XRANGE", key, "-", "+"],
};

/** Text of the first difference between two servers, null if there is none. Leaves database 0 selected. */
export async function firstDifference(a: Client, b: Client): Promise<string | null> {
  const both = (...command: Command) => Promise.all([a.call(...command), b.call(...command)]);
  const digests = await both("DEBUG", "DIGEST");
  const [usedA, usedB] = [await info(a, "keyspace"), await info(b, "keyspace")];
  let immaterial = false;
  try {
    for (let db = 0; db < DATABASES; db++) {
      if (!usedA.has(`db${db}`) && !usedB.has(`db${db}`)) continue;
      await both("SELECT", db);
      const [keysA, keysB] = [await keys(a), await keys(b)];
      for (const key of new Set([...keysA, ...keysB])) {
        const found = await keyDifference(a, b, key);
        if (found === IMMATERIAL) immaterial = true;
        else if (found !== null) return `db${db} ${quote(key)}: ${found}`;
      }
    }
  } finally {
    await both("SELECT", 0);
  }
  const same = immaterial || show(digests[0]) === show(digests[1]);
  return same ? null : `DEBUG DIGEST: ${digests.map((digest) => show(digest))}`;
}

async function keyDifference(a: Client, b: Client, key: string): Promise<string | null> {
  const about: Command[] = [["TYPE", key], ["PEXPIRETIME", key], ["DEBUG", "DIGEST-VALUE", key]];
  const [x, y] = await Promise.all([a.pipeline(about), b.pipeline(about)]);
  const text = (replies: Reply): string => show(replies, 10_000);
  if (text(x) !== text(y)) {
    const type = (replies: Reply[]) => text(replies[0]).slice(1);
    const content = async (client: Client, replies: Reply[]) => {
      const read = contents[type(replies)];
      return read === undefined ? null : await client.call(...read(key));
    };
    const [first, second] = [await content(a, x), await content(b, y)];
    const sameAbout = text(x.slice(0, 2)) === text(y.slice(0, 2));
    if (sameAbout && type(x) === "zset" && differInSigns(first, second)) return IMMATERIAL;
    return `${text(x)} ${text(first)}\n and ${text(y)} ${text(second)}`;
  }
  // What DEBUG DIGEST does not look at: a stream's numbers and its groups.
  if (text(x[0]) !== "+stream") return null;
  const [first, second] = [await streamState(a, key), await streamState(b, key)];
  return first === second ? null : `${first}\n and ${second}`;
}

/** Whether only signs of scores that are zero differ: a listpack does not keep them, and a snapshot may choose that encoding. */
function differInSigns(a: Reply, b: Reply): boolean {
  const unsigned = (scores: Reply) => show(scores, Infinity).replaceAll('"-0"', '"0"');
  return unsigned(a) === unsigned(b);
}

/** A stream's state but for its entries, and for times and counts of deliveries: Redis does not replicate all of those. */
async function streamState(client: Client, key: string): Promise<string> {
  const stream = new Map(pairs(await client.call("XINFO", "STREAM", key)));
  const parts = ["length", "last-generated-id", "max-deleted-entry-id", "entries-added", "recorded-first-entry-id"]
    .map((name) => `${name} ${show(stream.get(name) ?? null)}`);
  for (const group of await client.call("XINFO", "GROUPS", key) as Reply[]) {
    const fields = new Map(pairs(group));
    const name = fields.get("name") as string;
    parts.push(`group ${quote(name)}: last ${show(fields.get("last-delivered-id") ?? null)}`);
    const pending = await client.call("XPENDING", key, name, "-", "+", 100_000);
    if (errorOf(pending) !== undefined) parts.push(show(pending));
    else for (const [id, consumer] of pending as Reply[][]) parts.push(`${id} ${consumer}`);
  }
  return parts.join(", ");
}

function pairs(reply: Reply): [string, Reply][] {
  const flat = reply as Reply[];
  return Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i] as string, flat[2 * i + 1]]);
}

/** All keys of the selected database. On a master this deletes those that have expired. */
export async function keys(client: Client): Promise<string[]> {
  const found = new Set<string>();
  let cursor: Reply = "0";
  do {
    const [next, some] = await client.call("SCAN", cursor as string, "COUNT", 1000) as [string, string[]];
    for (const key of some) found.add(key);
    cursor = next;
  } while (cursor !== "0");
  return [...found].sort();
}

/** Deletes on a master what has expired and was not looked at since. */
export async function deleteExpired(master: Client): Promise<void> {
  for (let db = 0; db < DATABASES; db++) {
    await master.ok("SELECT", db);
    await keys(master);
  }
  await master.ok("SELECT", 0);
}
