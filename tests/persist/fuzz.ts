/**
 * Damaged RDB files and DUMP payloads. Each is made from a sound one by a few random changes, mostly with the checksum set right again; the
 * server must load it or refuse it with a reason that says where. What was loaded must be sound: it is read, changed, dumped,
 * restored and deleted by commands, and afterwards no memory may be missing.
 *
 *     deno run -A tests/persist/fuzz.ts --mutations 20000 --seed 7
 *     deno run -A tests/persist/fuzz.ts --seed 7 --only 1234            one of them again
 *
 * The server runs in this process, so an exception that it does not expect is seen here, and a hang hangs this.
 */

import { parseArgs } from "@std/cli/parse-args";
import process from "node:process";
import { Args } from "../../lib/bytes/args.ts";
import { Digest, digestValue } from "../../lib/observe/digest.ts";
import { InProcess } from "../kit/inprocess.ts";
import { Seeded } from "../kit/seeded.ts";
import { corpus } from "./corpus.ts";
import { loadFailure } from "./load.ts";
import { oldFile } from "./old_file.ts";
import { crc64, latin1, sealPayload, u64 } from "./rdb_bytes.ts";

export interface FuzzResult {
  loaded: number;
  refused: number;
  /** Milliseconds that the slowest took. */
  slowest: number;
  readonly failures: string[];
}

export interface FuzzOptions {
  readonly seed: number;
  readonly mutations: number;
  /** Only the mutation of this number. */
  readonly only?: number;
}

/** Longest payload that serves as an original. */
const LONGEST = 4000;
/** Bytes that mean something in some notation. */
const SPECIAL = [
  0,
  1,
  2,
  3,
  10,
  63,
  64,
  127,
  128,
  129,
  130,
  191,
  192,
  193,
  194,
  195,
  196,
  224,
  239,
  240,
  241,
  244,
  245,
];
for (let byte = 246; byte < 256; byte++) SPECIAL.push(byte);
/** Refusals that Redis words, without an offset. */
const WITHOUT_OFFSET = /^(Wrong signature|Can't handle RDB format|FATAL: Data file was created)/;
/** Memory that a value may take for each byte of its file: an empty element of a table is the worst. */
const MEMORY_PER_BYTE = 200;
const MEMORY_FOR_ALL = 1 << 20;

/** Runs the mutations; failures are described with the number by which `only` finds them. */
export async function fuzz(options: FuzzOptions): Promise<FuzzResult> {
  const result: FuzzResult = { loaded: 0, refused: 0, slowest: 0, failures: [] };
  const server = new InProcess();
  const payloads = originalPayloads(server);
  const files = [oldFile(10, 5), oldFile(6, 3), oldFile(9, 140), ...smallFiles(payloads)];
  for (let i = 0; i < options.mutations; i++) {
    if (options.only !== undefined && options.only !== i) continue;
    const random = new Seeded(options.seed * 1_000_003 + i);
    const begin = performance.now();
    let outcome: string | null;
    try {
      outcome = i % 2 === 0 ? await tryFile(server, files, random) : tryPayload(server, payloads, random);
      if (outcome === null) result.loaded++;
      else result.refused++;
    } catch (error) {
      server.run("FLUSHALL");
      result.failures.push(`mutation ${i} of seed ${options.seed}: ${(error as Error).stack ?? error}`);
      if (result.failures.length === 5) break;
    }
    result.slowest = Math.max(result.slowest, performance.now() - begin);
  }
  return result;
}

/** The bodies of payloads, without version and checksum: of all keys of the corpus that are not too long, and of old notations. */
function originalPayloads(server: InProcess): Uint8Array[] {
  for (const command of corpus(new Seeded(5))) {
    const reply = server.run(...command as string[]);
    if (reply.startsWith("-")) throw new Error(`${String(command[0])}: ${reply}`);
  }
  const payloads: Uint8Array[] = [];
  for (const compression of ["yes", "no"]) {
    server.run("CONFIG", "SET", "rdbcompression", compression);
    for (const key of bulks(server.run("KEYS", "*"))) {
      const body = latin1(bulks(server.run("DUMP", key))[0]).slice(0, -10);
      if (body.length <= LONGEST) payloads.push(body);
    }
  }
  server.run("SELECT", 0);
  server.run("FLUSHALL");
  return payloads;
}

/** Files of a few keys each. */
function smallFiles(payloads: readonly Uint8Array[]): Uint8Array[] {
  const random = new Seeded(6);
  return Array.from({ length: 30 }, () => {
    const bytes = [...latin1("REDIS0010\xfa\x09redis-ver\x067.0.15\xfe\x00\xfb\x04\x00")];
    for (let key = 0; key < 4; key++) {
      const body = random.pick(payloads);
      if (key === 2) bytes.push(0xfc, ...u64(4_000_000_000_000n));
      bytes.push(body[0], 2, 107, 48 + key, ...body.subarray(1));
    }
    return Uint8Array.from([...bytes, 0xff, ...new Uint8Array(8)]);
  });
}

/** The reason for the refusal, or null. */
async function tryFile(server: InProcess, files: readonly Uint8Array[], random: Seeded): Promise<string | null> {
  const { keyspace } = server.engine;
  const before = keyspace.slab.used;
  const file = mutate(random.pick(files), random, files);
  if (random.chance(0.95) && file.length >= 17) {
    const end = file.length - 8;
    file.set(random.chance(0.9) ? u64(crc64(file.subarray(0, end))) : new Uint8Array(8), end);
  }
  const reason = await loadFailure(server, file);
  if (reason !== null && !/offset \d+/.test(reason) && !WITHOUT_OFFSET.test(reason)) {
    throw new Error(`refused without saying where: ${reason}`);
  }
  expect(keyspace.slab.used - before <= file.length * MEMORY_PER_BYTE + MEMORY_FOR_ALL, "too much memory");
  const inDatabases = keyspace.databases.flatMap((db) => db.dict.count > 0 ? [db.index] : []);
  for (const db of inDatabases) {
    server.run("SELECT", db);
    for (const key of bulks(server.run("KEYS", "*"))) use(server, db, key);
  }
  server.run("SELECT", 0);
  expectNothingLeft(server, before);
  return reason;
}

function tryPayload(server: InProcess, payloads: readonly Uint8Array[], random: Seeded): string | null {
  const before = server.engine.keyspace.slab.used;
  const body = mutate(random.pick(payloads), random, payloads);
  const reply = server.run("RESTORE", "k", 0, sealPayload(body));
  if (reply === "-ERR Bad data format\r\n") {
    expectNothingLeft(server, before);
    return reply;
  }
  expect(reply === "+OK\r\n", `RESTORE: ${reply}`);
  const { used } = server.engine.keyspace.slab;
  expect(used - before <= body.length * MEMORY_PER_BYTE + MEMORY_FOR_ALL, "too much memory");
  use(server, 0, "k");
  expectNothingLeft(server, before);
  return null;
}

function expect(condition: boolean, message: string): void {
  if (!condition) throw new Error(message);
}

function expectNothingLeft(server: InProcess, before: number): void {
  const { keyspace } = server.engine;
  while (keyspace.reap(Infinity));
  expect(keyspace.keys === 0, `${keyspace.keys} keys are left`);
  expect(keyspace.slab.used === before, `${keyspace.slab.used - before} bytes are left`);
}

/** Does everything to a key that could stumble over what is wrong with it, and deletes it. */
function use(server: InProcess, db: number, key: string): void {
  const ok = (...command: (string | number | Uint8Array)[]): string => {
    const reply = server.run(...command);
    expect(!reply.startsWith("-"), `${command.slice(0, 1)}: ${reply}`);
    return reply;
  };
  const length = (command: string): number => Number(ok(command, key).slice(1, -2));
  const listed = (...command: (string | number)[]): number => bulks(ok(...command)).length;
  const type = ok("TYPE", key).slice(1, -2);
  const digest = digestOf(server, db, key);
  const payload = latin1(bulks(ok("DUMP", key))[0]);
  const ttl = Number(ok("PEXPIRETIME", key).slice(1, -2));
  ok("RESTORE", "\0copy", Math.max(ttl, 0), payload, "ABSTTL");
  expect(digestOf(server, db, "\0copy") === digest, `a ${type} changes when it is dumped and restored`);
  ok("COPY", key, "\0copy", "REPLACE");
  ok("OBJECT", "ENCODING", key);
  ok("MEMORY", "USAGE", key);
  if (type === "string") {
    expect(bulks(ok("GET", key))[0].length === length("STRLEN"), "STRLEN");
    ok("APPEND", key, "x");
  } else if (type === "list") {
    expect(listed("LRANGE", key, 0, -1) === length("LLEN"), "LLEN");
    ok("LINDEX", key, -1);
    ok("LINSERT", key, "BEFORE", bulks(ok("LINDEX", key, 0))[0], "x");
    ok("LSET", key, length("LLEN") >> 1, "y");
    ok("LPUSH", key, "z".repeat(100));
    ok("LREM", key, 0, "y");
    ok("RPOP", key, 3);
  } else if (type === "hash") {
    expect(listed("HGETALL", key) === length("HLEN") * 2, "HLEN");
    for (const field of bulks(ok("HKEYS", key)).slice(0, 20)) {
      expect(ok("HEXISTS", key, field) === ":1\r\n", "a field is not found");
      expect(ok("HDEL", key, field) === ":1\r\n", "a field cannot be deleted");
    }
    ok("HSET", key, "f", "v".repeat(100));
    ok("HRANDFIELD", key, 5);
  } else if (type === "set") {
    expect(listed("SMEMBERS", key) === length("SCARD"), "SCARD");
    for (const member of bulks(ok("SMEMBERS", key)).slice(0, 20)) {
      expect(ok("SISMEMBER", key, member) === ":1\r\n", "a member is not found");
      expect(ok("SREM", key, member) === ":1\r\n", "a member cannot be removed");
    }
    ok("SADD", key, "x", "12345678901");
    ok("SPOP", key, 2);
  } else if (type === "zset") {
    expect(listed("ZRANGE", key, 0, -1, "WITHSCORES") === length("ZCARD") * 2, "ZCARD");
    ok("ZRANGEBYSCORE", key, "-inf", "+inf");
    for (const [rank, member] of bulks(ok("ZRANGE", key, 0, -1)).slice(0, 20).entries()) {
      expect(ok("ZRANK", key, member) === `:${rank}\r\n`, "a member has another rank");
    }
    ok("ZADD", key, 1.5, "x".repeat(100));
    ok("ZPOPMAX", key, 2);
    ok("ZREM", key, ...bulks(ok("ZRANGE", key, 0, 10)), "x");
  } else if (type === "stream") {
    expect(bulks(ok("XRANGE", key, "-", "+")).length >= length("XLEN"), "XLEN");
    ok("XREVRANGE", key, "+", "-", "COUNT", 5);
    ok("XINFO", "STREAM", key, "FULL", "COUNT", 3);
    for (const id of bulks(ok("XRANGE", key, "-", "+", "COUNT", 2)).filter((text) => /^\d+-\d+$/.test(text))) {
      ok("XDEL", key, id);
    }
    server.run("XADD", key, "*", "field", "value");
    ok("XGROUP", "CREATE", key, "new group", 0);
    ok("XREADGROUP", "GROUP", "new group", "somebody", "COUNT", 5, "STREAMS", key, ">");
    ok("XPENDING", key, "new group", "-", "+", 10);
    ok("XAUTOCLAIM", key, "new group", "another", 0, 0);
    ok("XGROUP", "DESTROY", key, "new group");
    ok("XTRIM", key, "MAXLEN", 2);
  }
  ok("DEL", key, "\0copy");
}

function digestOf(server: InProcess, db: number, key: string): string {
  const database = server.engine.keyspace.databases[db];
  const digest = new Digest();
  digestValue(database, database.find(Args.of(key), 0), digest);
  return digest.hex();
}

/** All bulk strings of a reply. */
function bulks(reply: string): string[] {
  const found: string[] = [];
  for (let at = 0; at < reply.length;) {
    const end = reply.indexOf("\r\n", at);
    if (reply[at] !== "$") at = end + 2;
    else {
      const length = Number(reply.slice(at + 1, end));
      found.push(reply.slice(end + 2, end + 2 + length));
      at = end + 4 + length;
    }
  }
  return found;
}

/** A changed copy. Pieces are also taken from `others`. */
function mutate(original: Uint8Array, random: Seeded, others: readonly Uint8Array[]): Uint8Array {
  let bytes = [...original];
  for (let n = random.weighted([0, 5, 3, 2, 1]); n > 0; n--) {
    const at = random.below(bytes.length + 1);
    const size = random.between(1, random.pick([1, 4, 16, 100]));
    switch (random.below(10)) {
      case 0:
      case 1:
        bytes[Math.min(at, bytes.length - 1)] = random.pick(SPECIAL);
        break;
      case 2:
        bytes[Math.min(at, bytes.length - 1)] ^= 1 << random.below(8);
        break;
      case 3:
        bytes[Math.min(at, bytes.length - 1)] = random.below(256);
        break;
      case 4:
        bytes.splice(at, size);
        break;
      case 5:
        bytes.splice(at, 0, ...latin1(random.binary(size)));
        break;
      case 6:
        bytes.splice(random.below(bytes.length + 1), 0, ...bytes.slice(at, at + size));
        break;
      case 7: {
        const other = random.pick(others);
        const from = random.below(other.length);
        bytes.splice(at, random.chance(0.5) ? size : 0, ...other.subarray(from, from + size));
        break;
      }
      case 8: {
        const number = u64(
          random.pick([0n, 1n, 255n, 65535n, 2n ** 31n - 1n, 2n ** 32n - 1n, 2n ** 63n - 1n, 2n ** 64n - 1n]),
        );
        const part = number.subarray(0, random.pick([2, 4, 8]));
        bytes.splice(at, part.length, ...(random.chance(0.5) ? part : part.slice().reverse()));
        break;
      }
      default:
        bytes = bytes.slice(0, at);
    }
    if (bytes.length === 0) bytes.push(random.below(256));
  }
  return Uint8Array.from(bytes);
}

if (import.meta.main) {
  const options = parseArgs(process.argv.slice(2), { string: ["seed", "mutations", "only"] });
  const seed = Number(options.seed ?? 1 + Math.floor(Math.random() * 1_000_000));
  const result = await fuzz({
    seed,
    mutations: Number(options.mutations ?? 20_000),
    only: options.only === undefined ? undefined : Number(options.only),
  });
  for (const failure of result.failures) console.log(failure);
  const { loaded, refused, slowest } = result;
  console.log(`seed ${seed}: ${loaded} loaded, ${refused} refused, the slowest took ${slowest.toFixed(0)} ms`);
  process.exit(result.failures.length > 0 ? 1 : 0);
}
