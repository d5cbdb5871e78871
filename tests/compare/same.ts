/**
 * When two servers' replies to one command count as the same. Everything is compared exactly, except where Redis itself promises less:
 *
 * - no order: the members of a set, the fields of a hash, keys (compared as multisets)
 * - chance: a random member (compared by shape: the same kinds and lengths)
 * - the last bit of a sine, which is the C library's: distances that were stored (key DISTANCES)
 * - time: what is left of a time to live (compared within a few seconds), idle times
 * - the process: client ids, memory and places in it, versions
 *
 * An error is always compared exactly, text and all.
 */

import type { Command } from "../kit/client.ts";
import { sameReply } from "../kit/differential.ts";
import { errorOf, type Reply, show } from "../kit/reply.ts";

type Compare = (a: Reply, b: Reply, command: Command) => boolean;

/** The sorted set whose scores are distances: the families keep other commands away from it. */
export const DISTANCES = "geo:stored";
/** How far two libraries' distances may be from each other, relatively. */
const SLACK_DISTANCE = 1e-13;

/** Seconds that may pass between the same command's two executions, generously. */
const SLACK_SECONDS = 20;

/** Decides about one reply pair. `queue` has the commands queued since MULTI when the command is the EXEC that ran them. */
export function sameFor(command: Command, a: Reply, b: Reply, queue: readonly Command[] = []): boolean {
  if (sameReply(a, b)) return true;
  if (errorOf(a) !== undefined || errorOf(b) !== undefined) return false;
  const name = String(command[0]).toUpperCase();
  if (name === "EXEC" && Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.length === queue.length && a.every((item, i) => sameFor(queue[i], item, b[i]));
  }
  const compare = comparisons.get(`${name} ${String(command[1]).toUpperCase()}`) ?? comparisons.get(name);
  return compare !== undefined && compare(a, b, command);
}

const unordered: Compare = (a, b) => sameReply(sorted(a), sorted(b));
const unorderedPairs: Compare = (a, b) => sameReply(sorted(inPairs(a)), sorted(inPairs(b)));
/** A sorted set's members with their scores, where scores are distances; members at nearly the same distance may come in any order. */
const distances: Compare = (a, b, command) => {
  if (command[1] !== DISTANCES) return false;
  const [x, y] = [a, b].map((reply) => pairsOf(reply).toSorted((p, q) => p[0] < q[0] ? -1 : 1));
  return x.length === y.length && x.every(([member, score], i) => {
    const [otherMember, other] = y[i];
    return member === otherMember && Math.abs(score - other) <= SLACK_DISTANCE * Math.abs(score);
  });
};

/** Members and scores of ZRANGE WITHSCORES, in RESP2 or RESP3. */
function pairsOf(reply: Reply): [string, number][] {
  const flat = Array.isArray(reply) ? reply.flat() : [];
  return Array.from({ length: flat.length / 2 }, (_, i) => {
    const score = flat[i * 2 + 1];
    return [
      String(flat[i * 2]),
      Number(typeof score === "object" && score !== null && "double" in score ? score.double : score),
    ];
  });
}

const shape: Compare = (a, b) => sameShape(a, b);
const seconds: Compare = (a, b) => near(a, b, SLACK_SECONDS);
/** Seconds since the last access: 0 is a time too. */
const idle: Compare = (a, b) => typeof a === "number" && typeof b === "number" && Math.abs(a - b) <= SLACK_SECONDS;
const milliseconds: Compare = (a, b) => near(a, b, SLACK_SECONDS * 1000);

/** What XINFO, XPENDING and HELLO tell about time, process and the radix tree's inside is left out. */
const besidesFields = (...names: string[]): Compare => (a, b) => sameReply(without(a, names), without(b, names));

/** Elements in a canonical order, at the top level only. */
function sorted(reply: Reply): Reply {
  const order = (items: Reply[]) =>
    items.map((item) => [show(item, Infinity), item] as const).sort((x, y) => x[0] < y[0] ? -1 : 1).map((x) => x[1]);
  if (Array.isArray(reply)) return order(reply);
  if (typeof reply === "object" && reply !== null) {
    if ("set" in reply) return { set: order(reply.set) };
    if ("map" in reply) return { map: order(reply.map) as [Reply, Reply][] };
  }
  return reply;
}

/** A RESP2 map (flat array) as an array of pairs. */
function inPairs(reply: Reply): Reply {
  if (!Array.isArray(reply)) return reply;
  const pairs: Reply[] = [];
  for (let i = 0; i < reply.length; i += 2) pairs.push([reply[i], reply[i + 1]]);
  return pairs;
}

function near(a: Reply, b: Reply, slack: number): boolean {
  const [x, y] = [a, b].map((time) => typeof time === "number" || typeof time === "bigint" ? Number(time) : 0);
  return x > 0 && y > 0 && Math.abs(x - y) <= slack;
}

/** The same kinds and lengths all the way down; values do not matter. */
function sameShape(a: Reply, b: Reply): boolean {
  if (a === null || b === null) return a === b;
  if (typeof a !== "object" || typeof b !== "object") return typeof a === typeof b;
  if (Array.isArray(a) || Array.isArray(b)) {
    return Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every((item, i) => sameShape(item, b[i]));
  }
  const [kind] = Object.keys(a);
  return kind === Object.keys(b)[0];
}

/** A random choice with a count: as many elements; without repetition when positive, which only the length can show here. */
const random: Compare = (a, b) => {
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((item, i) => sameShape(item, b[i]));
  return sameShape(a, b);
};

/** SPOP of everything gives the same set; of less, as many. */
const spop: Compare = (a, b) => unordered(a, b, []) || sameSize(a, b);

function sameSize(a: Reply, b: Reply): boolean {
  if (typeof a === "string") return typeof b === "string";
  const size = (reply: Reply) =>
    Array.isArray(reply)
      ? reply.length
      : typeof reply === "object" && reply !== null && "set" in reply
      ? reply.set.length
      : -1;
  return size(a) === size(b) && size(a) >= 0;
}

/** Payloads of hash tables (the first byte is the type, 2: set, 4: hash) have their elements in any order, those of streams (19) hold times of day. */
const dump: Compare = (a, b) =>
  typeof a === "string" && typeof b === "string" && a.length === b.length && a[0] === b[0] &&
  "\x02\x04\x13".includes(a[0]);

/** Cursors differ, and with them how far one call gets; whole scans are compared by `keyspace.ts`. */
const cursor: Compare = (a, b) =>
  [a, b].every((reply) =>
    Array.isArray(reply) && reply.length === 2 && typeof reply[0] === "string" && Array.isArray(reply[1])
  );

/**
 * With BY nosort the order is the container's own, and by text those without a weight are equal among each other. (Then a limit makes it
 * a choice.) Numeric ties are broken by the elements themselves.
 */
const sorting: Compare = (a, b, command) => {
  const words = command.map((word) => String(word).toLowerCase());
  const by = words.indexOf("by");
  if (by === -1 || (words[by + 1].includes("*") && !words.includes("alpha"))) return false;
  return words.includes("limit") ? sameSize(a, b) : unordered(a, b, command);
};

/** Without an order the matches come as the areas are walked; ANY takes the first found. */
const searching: Compare = (a, b, command) => {
  const words = new Set(command.map((word) => String(word).toLowerCase()));
  if (words.has("any")) return sameShape(a, b);
  return !words.has("asc") && !words.has("desc") && !words.has("count") && unordered(a, b, command);
};

/** Flags, categories, tips and subcommands are sets that RESP2 shows as arrays. */
const commandInfo: Compare = (a, b) => sameReply(sortedDeep(a), sortedDeep(b));

function sortedDeep(reply: Reply): Reply {
  return Array.isArray(reply) ? sorted(reply.map(sortedDeep)) : sorted(reply);
}

/** Blanks the values of the named fields, in maps and in RESP2's flat arrays, and times of day, at any depth. */
function without(reply: Reply, names: readonly string[]): Reply {
  if (typeof reply === "number") return reply > 1.5e12 && reply < 5e12 ? "(time)" : reply;
  if (Array.isArray(reply)) {
    return reply.map((item, i) =>
      i % 2 === 1 && names.includes(reply[i - 1] as string) ? "(any)" : without(item, names)
    );
  }
  if (typeof reply === "object" && reply !== null && "map" in reply) {
    return {
      map: reply.map.map(([key, value]) => [key, names.includes(key as string) ? "(any)" : without(value, names)]),
    };
  }
  return reply;
}

/** XPENDING's extended form: rows of id, consumer, idle time, deliveries. */
function withoutIdle(reply: Reply): Reply {
  if (!Array.isArray(reply)) return reply;
  return reply.map((row) => Array.isArray(row) && row.length === 4 ? [row[0], row[1], "(any)", row[3]] : row);
}

/** By command, or by command and subcommand; what is not listed must be exactly the same. */
/** DEBUG OBJECT begins with where the value is in memory. */
const elsewhere: Compare = (a, b) => {
  const [x, y] = [a, b].map((reply) => show(reply).replace(/0x[0-9a-f]+/, ""));
  return x === y;
};

const comparisons = new Map<string, Compare>([
  ["DEBUG OBJECT", elsewhere],
  ["ZRANGE", distances],
  ["SMEMBERS", unordered],
  ["SUNION", unordered],
  ["SINTER", unordered],
  ["SDIFF", unordered],
  ["KEYS", unordered],
  ["HKEYS", unordered],
  ["HVALS", unordered],
  ["HGETALL", unorderedPairs],
  ["PUBSUB CHANNELS", unordered],
  ["PUBSUB SHARDCHANNELS", unordered],
  ["CONFIG GET", unorderedPairs],
  ["COMMAND INFO", commandInfo],
  ["COMMAND LIST", unordered],
  ["SORT", sorting],
  ["SORT_RO", sorting],
  ["GEOSEARCH", searching],
  ["GEORADIUS", searching],
  ["GEORADIUS_RO", searching],
  ["GEORADIUSBYMEMBER", searching],
  ["GEORADIUSBYMEMBER_RO", searching],
  ["RANDOMKEY", shape],
  ["DUMP", dump],
  ["SPOP", spop],
  ["SRANDMEMBER", random],
  ["HRANDFIELD", random],
  ["ZRANDMEMBER", random],
  ["SCAN", cursor],
  ["HSCAN", cursor],
  ["SSCAN", cursor],
  ["ZSCAN", cursor],
  ["TTL", seconds],
  ["PTTL", milliseconds],
  ["EXPIRETIME", seconds],
  ["PEXPIRETIME", milliseconds],
  ["OBJECT IDLETIME", idle],
  ["OBJECT FREQ", shape],
  ["MEMORY USAGE", shape],
  ["TIME", shape],
  ["LASTSAVE", shape],
  ["LATENCY LATEST", shape],
  ["LATENCY DOCTOR", shape],
  ["CLIENT ID", shape],
  ["CLIENT LIST", shape],
  ["CLIENT INFO", shape],
  ["HELLO", besidesFields("id", "version", "modules")],
  ["XINFO", besidesFields("idle", "inactive", "seen-time", "active-time", "radix-tree-nodes", "radix-tree-keys")],
  ["XPENDING", (a, b) => sameReply(withoutIdle(a), withoutIdle(b))],
]);
