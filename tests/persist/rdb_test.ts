/**
 * RDB files: what redis-server has saved is loaded, what is saved is loaded by redis-server, with the same data on both sides. Files of all
 * versions down to the first are made by hand; unsound ones are refused with the place where they are.
 */

import { assert, assertEquals } from "@std/assert";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Client, Command } from "../kit/client.ts";
import { InProcess } from "../kit/inprocess.ts";
import { Seeded } from "../kit/seeded.ts";
import { hasRedis, startRedis, startRedstart } from "../kit/server.ts";
import { test } from "../kit/test.ts";
import { corpus } from "./corpus.ts";
import { load, loadFailure } from "./load.ts";
import { oldFile } from "./old_file.ts";
import { COMMANDS, FILE } from "./valkey_file.ts";
import {
  concat,
  intset,
  latin1,
  listpack,
  lzfString,
  RdbBytes,
  sealPayload,
  u32,
  u64,
  ziplist,
  zipmap,
} from "./rdb_bytes.ts";

/** What two servers must agree on after one has loaded the other's file. */
async function state(client: Client): Promise<unknown> {
  const keys = (await client.ok("KEYS", "*") as string[]).sort();
  const encodings: unknown[] = [];
  for (const key of keys) {
    encodings.push([key, await client.ok("OBJECT", "ENCODING", key), await client.ok("PEXPIRETIME", key)]);
  }
  await client.ok("SELECT", 3);
  const third = await client.ok("DBSIZE");
  await client.ok("SELECT", 0);
  return { digest: await client.ok("DEBUG", "DIGEST"), encodings, third };
}

async function fill(client: Client, commands: readonly Command[]): Promise<void> {
  const replies = await client.pipeline(commands);
  replies.forEach((reply, i) => {
    if (typeof reply === "object" && reply !== null && "error" in reply) {
      throw new Error(`${String(commands[i][0])} ${String(commands[i][1])}: ${reply.error}`);
    }
  });
}

function temporary(): string {
  return mkdtempSync(join(tmpdir(), "redstart-rdb-"));
}

/** The server's options for which a file is written and read in different ways. */
const SETTINGS: readonly (readonly string[])[] = [
  [],
  ["--rdbcompression", "no", "--rdbchecksum", "no", "--list-compress-depth", "1", "--list-max-listpack-size", "3"],
  ["--maxmemory-policy", "allkeys-lru", "--hash-max-listpack-entries", "4", "--zset-max-listpack-value", "3"],
  ["--maxmemory-policy", "allkeys-lfu", "--set-max-intset-entries", "2", "--zset-max-listpack-entries", "1"],
];

test("a file saved by redis-server is loaded", async () => {
  if (!hasRedis()) return;
  for (const [i, args] of SETTINGS.entries()) {
    const dir = temporary();
    try {
      let expected: unknown;
      {
        await using redis = await startRedis({ dir, args });
        const client = await redis.connect();
        await fill(client, corpus(new Seeded(i + 1)));
        expected = await state(client);
        await client.ok("SAVE");
      }
      await using redstart = await startRedstart({ dir, args });
      assertEquals(await state(await redstart.connect()), expected);
    } finally {
      rmSync(dir, { recursive: true });
    }
  }
});

test("a file saved here is loaded by redis-server, and sound in the eyes of redis-check-rdb", async () => {
  if (!hasRedis()) return;
  for (const [i, args] of SETTINGS.entries()) {
    const dir = temporary();
    try {
      let expected: unknown;
      {
        await using redstart = await startRedstart({ dir, args });
        const client = await redstart.connect();
        await fill(client, corpus(new Seeded(i + 11)));
        expected = await state(client);
        await client.ok("SAVE");
      }
      const check = spawnSync("redis-check-rdb", [join(dir, "dump.rdb")], { encoding: "utf8" });
      assert(check.stdout.includes("RDB looks OK"), check.stdout);
      await using redis = await startRedis({ dir, args: [...args, "--sanitize-dump-payload", "yes"] });
      assertEquals(await state(await redis.connect()), expected);
    } finally {
      rmSync(dir, { recursive: true });
    }
  }
});

test("every payload of DUMP is restored by the other server", async () => {
  if (!hasRedis()) return;
  await using redis = await startRedis({ args: ["--sanitize-dump-payload", "yes"] });
  await using redstart = await startRedstart();
  const clients = [await redis.connect(), await redstart.connect()];
  const commands = corpus(new Seeded(21));
  for (const client of clients) await fill(client, commands);
  for (const [from, to] of [[0, 1], [1, 0]]) {
    for (const key of await clients[from].ok("KEYS", "*") as string[]) {
      const payload = await clients[from].ok("DUMP", key) as string;
      const deadline = Math.max(0, Number(await clients[from].ok("PEXPIRETIME", key)));
      await clients[to].ok("RESTORE", "restored", deadline, payload, "REPLACE", "ABSTTL");
      const digest = await clients[from].ok("DEBUG", "DIGEST-VALUE", key);
      assertEquals(await clients[to].ok("DEBUG", "DIGEST-VALUE", "restored"), digest, key);
      const encoding = await clients[from].ok("OBJECT", "ENCODING", key);
      assertEquals(await clients[to].ok("OBJECT", "ENCODING", "restored"), encoding, key);
    }
    await clients[to].ok("DEL", "restored");
  }
});

const HOUR = 3_600_000;
const LATER = BigInt(Date.UTC(2100, 0, 1));

test("files of all versions of the format", async () => {
  if (!hasRedis()) return;
  for (const version of [1, 2, 4, 5, 6, 7, 8, 9, 10]) {
    const dir = temporary();
    try {
      writeFileSync(join(dir, "dump.rdb"), oldFile(version));
      await using redis = await startRedis({ dir });
      await using redstart = await startRedstart({ dir });
      assertEquals(await state(await redstart.connect()), await state(await redis.connect()), `version ${version}`);
      assert(
        redstart.output().includes(`keys expired: ${version >= 3 ? 2 : 1}, empty keys skipped: 7.`),
        redstart.output(),
      );
    } finally {
      rmSync(dir, { recursive: true });
    }
  }
});

test("a file of Valkey 8", async () => {
  const server = new InProcess();
  await load(server, FILE);
  const other = new InProcess();
  for (const command of COMMANDS) other.run(...command);
  for (
    const command of [
      ["DEBUG", "DIGEST"],
      ["OBJECT", "ENCODING", "set"],
      ["OBJECT", "ENCODING", "intset"],
      ["PEXPIRETIME", "later"],
      ["PFCOUNT", "hll"],
      ["XPENDING", "stream", "group"],
      ["XINFO", "GROUPS", "stream"],
    ]
  ) assertEquals(server.run(...command), other.run(...command), command.join(" "));
  assert(/^\*2\r\n[^]*alice[^]*bob/.test(server.run("XINFO", "CONSUMERS", "stream", "group")));
});

test("clocks and counters of keys are taken over where the policy has a use for them", async () => {
  for (const [policy, command] of [["allkeys-lru", "IDLETIME"], ["allkeys-lfu", "FREQ"]]) {
    const server = new InProcess();
    server.run("CONFIG", "SET", "maxmemory-policy", policy);
    await load(server, oldFile());
    assertEquals(
      server.run("OBJECT", command, command === "FREQ" ? "frequency" : "idle"),
      command === "FREQ" ? ":55\r\n" : ":100\r\n",
    );
  }
});

test("a deadline that has passed, and one at the end of time", async () => {
  const server = new InProcess();
  const rdb = new RdbBytes(10).select(0);
  rdb.raw(252, u64(BigInt(server.now - 1))).key(0, "just gone").string("v");
  rdb.raw(252, u64(BigInt(server.now + HOUR))).key(0, "alive").string("v");
  rdb.raw(252, u64(2n ** 63n - 1n)).key(0, "for ever").string("v");
  // -1 is how the loader says "none".
  rdb.raw(252, u64(2n ** 64n - 1n)).key(0, "none").string("v");
  rdb.raw(252, u64(2n ** 63n)).key(0, "long gone").string("v");
  await load(server, rdb.finish());
  assertEquals(server.run("PTTL", "alive"), `:${HOUR}\r\n`);
  assertEquals(server.run("PEXPIRETIME", "for ever"), ":9223372036854775807\r\n");
  assertEquals(server.run("TTL", "none"), ":-1\r\n");
  assertEquals(server.run("DBSIZE"), ":3\r\n");
});

test("a file that cannot be loaded is refused with the reason", async () => {
  const refusals: [string, Uint8Array | RdbBytes, RegExp][] = [
    ["nothing", latin1(""), /offset 0/],
    ["wrong magic", new RdbBytes(10, "RADIS"), /^Wrong signature trying to load DB from file$/],
    ["version 0", new RdbBytes(0), /^Can't handle RDB format version 0$/],
    ["newer version", new RdbBytes(12), /^Can't handle RDB format version 12$/],
    ["version that is no number", latin1("REDISnope\xff"), /^Can't handle RDB format version 0$/],
    ["hexadecimal version", latin1("REDIS0x1\xff"), /^Can't handle RDB format version 0$/],
    ["unknown type", new RdbBytes(10).key(20, "k").string("v"), /Unknown RDB encoding type 20/],
    [
      "repeated member",
      new RdbBytes(11).key(20, "k").string(listpack(["a", "b", "a"])),
      /Duplicate set members detected/,
    ],
    ["damaged set", new RdbBytes(11).key(20, "k").string(listpack(["a"]).subarray(1)), /Set listpack integrity check/],
    ["unknown type", new RdbBytes(10).raw(200, 0), /Unknown RDB encoding type 200/],
    [
      "module",
      new RdbBytes(10).key(7, "k").raw(0x81, moduleId("ReJSON-RL", 3)),
      /The RDB file contains module data I can't load: no matching module type 'ReJSON-RL'/,
    ],
    ["old module", new RdbBytes(10).key(6, "k").raw(0x81, moduleId("ReJSON-RL", 3)), /module/],
    [
      "module header",
      new RdbBytes(10).raw(247, 0x81, moduleId("scdtype00", 1)),
      /The RDB file contains AUX module data I can't load: no matching module 'scdtype00'/,
    ],
    ["database", new RdbBytes(10).select(16), /configured to handle more than 16 databases/],
    [
      "key twice",
      new RdbBytes(10).key(0, "k").string("1").key(0, "k").string("2"),
      /duplicated key 'k' in DB 0/,
    ],
    ["member twice", new RdbBytes(10).key(2, "k").count(2).string("a").string("a"), /Duplicate set members/],
    [
      "field twice",
      new RdbBytes(10).key(4, "k").count(2).string("a").string("1").string("a").string("2"),
      /Duplicate hash fields/,
    ],
    ["score", new RdbBytes(10).key(3, "k").count(1).string("a").raw(253), /Zset with NAN score/],
    ["score", new RdbBytes(10).key(3, "k").count(1).string("a").raw(2, "x1"), /Zset with NAN score/],
    ["score", new RdbBytes(10).key(5, "k").count(1).string("a").raw(u64(0x7ff8000000000000n)), /Zset with NAN score/],
    ["length as a string", new RdbBytes(10).key(0, "k").raw(0xc4), /string expected/],
    ["string as a length", new RdbBytes(10).key(1, "k").raw(0xc0, 1), /length expected/],
    ["huge string", new RdbBytes(10).key(0, "k").raw(0x81, u64(2n ** 62n).reverse()), /cut short/],
    ["huge count", new RdbBytes(10).key(2, "k").raw(0x81, u64(2n ** 62n).reverse()).string("a"), /offset \d+/],
    ["huge text", new RdbBytes(10).key(0, "k").raw(0xc3, 3, 0x80, 0x7f, 0xff, 0xff, 0xff, 0, "a", 0), /offset \d+/],
    ["zipmap", new RdbBytes(10).key(9, "k").string(zipmap([["a", "b"]]).subarray(0, 5)), /Zipmap integrity/],
    ["zipmap", new RdbBytes(10).key(9, "k").string(zipmap([["a", "b"], ["a", "b"]])), /Duplicate hash fields/],
    ["zipmap", new RdbBytes(10).key(9, "k").string(zipmap([])), /Zipmap integrity/],
    ["zipmap", new RdbBytes(10).key(9, "k").string(zipmap([["a", "b"]]).fill(2, 0, 1)), /Zipmap integrity/],
    ["ziplist", new RdbBytes(10).key(13, "k").string(ziplist(["a", "b", "c"])), /without a value/],
    ["ziplist", new RdbBytes(10).key(12, "k").string(ziplist(["a", "b"])), /Zset with NAN score/],
    ["ziplist", new RdbBytes(10).key(10, "k").string(ziplist(["a"]).fill(0, 4, 5)), /List ziplist integrity/],
    ["intset", new RdbBytes(10).key(11, "k").string(intset([2, 1], 2)), /Intset integrity/],
    ["intset", new RdbBytes(10).key(11, "k").string(intset([1, 1], 2)), /Intset integrity/],
    ["listpack", new RdbBytes(10).key(16, "k").string(listpack(["a"])), /Hash listpack integrity/],
    ["listpack", new RdbBytes(10).key(17, "k").string(listpack(["a", 2, "b", 1])), /out of order/],
    [
      "list node",
      new RdbBytes(10).key(18, "k").count(1).count(3).string(listpack(["a"])),
      /unknown kind/,
    ],
  ];
  for (const [name, file, reason] of refusals) {
    const message = await loadFailure(new InProcess(), file instanceof RdbBytes ? file.finish() : file);
    assert(message !== null && reason.test(message), `${name}: ${message}`);
    assert(/^(Wrong signature|Can't handle|FATAL)/.test(message) || /offset \d+/.test(message), `${name}: ${message}`);
  }
});

test("the log says which key of a file is damaged", async () => {
  const dir = temporary();
  try {
    const rdb = new RdbBytes(10).key(0, "sound").string("v").key(13, "damaged").string(ziplist(["a", "b", "c"]));
    writeFileSync(join(dir, "dump.rdb"), rdb.finish());
    const reason = await startRedstart({ dir }).then((server) => server.stop().then(() => "it started"), String);
    for (
      const line of ["reading offset", "Reading key 'damaged'", "Reading type 13", "[info] 1 keys read", "Terminating"]
    ) {
      assert(reason.includes(line), `${line}: ${reason}`);
    }
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test("a wrong checksum is refused, none is not", async () => {
  const file = new RdbBytes(10).key(0, "k").string("v").finish();
  const damaged = file.slice();
  damaged[13] ^= 1;
  assertEquals(await loadFailure(new InProcess(), damaged), "Internal error in RDB reading offset 23: RDB CRC error");
  const server = new InProcess();
  await load(server, file.slice().fill(0, file.length - 8));
  assertEquals(server.run("GET", "k"), "$1\r\nv\r\n");
});

test("a file that is cut off at any byte is refused, with an offset within it", async () => {
  const rdb = new RdbBytes(10).aux("redis-ver", "7.0.15").select(0);
  rdb.key(0, "a").string("value").key(0, "b").raw(0xc2, u32(5)).key(0, "c").raw(lzfString("compressed text"));
  rdb.raw(252, u64(LATER)).key(1, "d").count(2).string("e").string("f").key(5, "z").count(1).string("m").raw(u64(0n));
  rdb.key(13, "e").string(ziplist(["f", "v"])).key(18, "l").count(1).count(2).string(listpack(["a"])).select(3);
  rdb.key(11, "i").string(intset([1, 2], 2)).raw(248).count(5).key(4, "h").count(1).string("f").string("v");
  const whole = rdb.finish();
  const server = new InProcess();
  for (let length = 0; length < whole.length; length++) {
    const message = await loadFailure(server, whole.subarray(0, length));
    const offset = Number(/offset (\d+)/.exec(message ?? "")?.[1] ?? -1);
    assert(offset >= 0 && offset <= length, `${length}: ${message}`);
    server.run("FLUSHALL");
  }
  assertEquals(await loadFailure(server, whole), null);
});

test("a file in which a string lies across the ends of the reader's buffers", async () => {
  const server = new InProcess();
  const values = [1_048_570, 1_048_576, 3_000_000, 5].map((length, i) => String.fromCharCode(97 + i).repeat(length));
  const rdb = new RdbBytes(10);
  values.forEach((value, i) => rdb.key(0, `k${i}`).string(value));
  await load(server, rdb.finish());
  values.forEach((value, i) => assertEquals(server.run("GET", `k${i}`), `$${value.length}\r\n${value}\r\n`));
});

test("what comes twice among thousands is found", async () => {
  const count = 6000;
  const names = Array.from({ length: count }, (_, i) => `name${i}`);
  names[count - 1] = names[17];
  const score = new Uint8Array(8);
  const header = () => new RdbBytes(10).select(0).raw(0xfb).count(count).count(0);
  const elements = (type: number, value: string | Uint8Array | null) => {
    const rdb = header().key(type, "k").count(count);
    for (const name of names) {
      rdb.string(name);
      if (typeof value === "string") rdb.string(value);
      else if (value !== null) rdb.raw(value);
    }
    return rdb;
  };
  const keys = header();
  for (const name of names) keys.key(0, name).string("value");
  const files: [string, RdbBytes, RegExp][] = [
    ["key", keys, /RDB has duplicated key 'name17'/],
    ["field", elements(4, "value"), /Duplicate hash fields/],
    ["member of a set", elements(2, null), /Duplicate set members/],
    ["member of a sorted set", elements(5, score), /Duplicate zset fields/],
  ];
  for (const [name, file, reason] of files) {
    const message = await loadFailure(new InProcess(), file.finish());
    assert(message !== null && reason.test(message) && /offset \d+/.test(message), `${name}: ${message}`);
  }
  names[count - 1] = "another";
  const server = new InProcess();
  await load(server, elements(2, null).finish());
  assertEquals(server.run("SCARD", "k"), `:${count}\r\n`);
  assertEquals(server.run("SADD", "k", names[17], "new"), ":1\r\n");
});

test("a field that comes twice in a listpack is found, whatever the others look like", async () => {
  const looks = [
    (i: number) => `field:${i}`,
    (i: number) => i,
    // The same length, first and last bytes: only comparing them all tells them apart.
    (i: number) => `same${String(i).padStart(6, "0")}same`,
    (i: number) => `${"x".repeat(40)}${String(i).padStart(6, "0")}same`,
  ];
  for (const count of [1, 5, 40, 300, 3000]) {
    for (const look of looks) {
      for (const twice of count === 1 ? [false] : [false, true]) {
        const names = Array.from({ length: count }, (_, i) => look(i));
        if (twice) names[count - 1] = names[count >> 2];
        const elements = names.flatMap((name) => [name, "value"]);
        const file = new RdbBytes(10).key(16, "k").string(listpack(elements)).finish();
        const server = new InProcess();
        server.run("CONFIG", "SET", "hash-max-listpack-entries", "5000");
        const message = await loadFailure(server, file);
        if (twice) {
          assert(/Hash listpack integrity check failed/.test(message ?? ""), `${count} ${look(7)}: ${message}`);
        } else {
          assertEquals(message, null);
          assertEquals(server.run("HLEN", "k"), `:${count}\r\n`);
        }
      }
    }
  }
});

test("small sets: integers, texts, both, long ones, and limits that are lower than the file's", async () => {
  const sets = [["3", "1", "2"], ["a", "b"], ["2", "a", "1"], ["a", "x".repeat(65), "b"], ["7"]];
  for (const limit of ["512", "2", "0"]) {
    const server = new InProcess();
    server.run("CONFIG", "SET", "set-max-intset-entries", limit);
    const rdb = new RdbBytes(10);
    sets.forEach((members, i) => {
      rdb.key(2, `k${i}`).count(members.length);
      for (const member of members) rdb.string(member);
    });
    rdb.key(11, "intset").string(intset([1, 2, 3], 2));
    await load(server, rdb.finish());
    sets.forEach((members, i) => {
      assertEquals(server.run("SCARD", `k${i}`), `:${members.length}\r\n`);
      for (const member of members) assertEquals(server.run("SREM", `k${i}`, member), ":1\r\n");
      assertEquals(server.run("EXISTS", `k${i}`), ":0\r\n");
    });
    assertEquals(server.run("SCARD", "intset"), ":3\r\n");
    assertEquals(server.run("SMISMEMBER", "intset", "1", "3", "4"), "*3\r\n:1\r\n:1\r\n:0\r\n");
  }
  for (const members of [["a", "b", "a"], ["1", "2", "1"], ["1", "a", "1"], ["a", "x".repeat(65), "a"]]) {
    const rdb = new RdbBytes(10).key(2, "k").count(members.length);
    for (const member of members) rdb.string(member);
    const message = await loadFailure(new InProcess(), rdb.finish());
    assert(message !== null && /Duplicate set members/.test(message), `${members}: ${message}`);
  }
});

test("payloads of all versions are restored", () => {
  const server = new InProcess();
  const payloads: [Uint8Array, string[], string][] = [
    [
      concat(Uint8Array.of(9), latin1("\x0f"), zipmap([["field", "value"]])),
      ["HGETALL", "k"],
      "*2\r\n$5\r\nfield\r\n$5\r\nvalue\r\n",
    ],
    [concat(Uint8Array.of(1), latin1("\x02\x01a\xc0\x05")), ["LRANGE", "k", "0", "-1"], "*2\r\n$1\r\na\r\n$1\r\n5\r\n"],
    [concat(Uint8Array.of(3), latin1("\x01\x01a\x032.5")), ["ZSCORE", "k", "a"], "$3\r\n2.5\r\n"],
    [concat(Uint8Array.of(11, 10), intset([7], 2)), ["SMEMBERS", "k"], "*1\r\n$1\r\n7\r\n"],
  ];
  for (const [body, question, answer] of payloads) {
    for (const version of [1, 6, 10]) {
      assertEquals(server.run("RESTORE", "k", 0, sealPayload(body, version), "REPLACE"), "+OK\r\n");
      assertEquals(server.run(...question), answer);
    }
    assertEquals(server.run("RESTORE", "k", 0, sealPayload(body, 11)), "-BUSYKEY Target key name already exists.\r\n");
    assertEquals(
      server.run("RESTORE", "n", 0, sealPayload(body, 11)),
      "-ERR DUMP payload version or checksum are wrong\r\n",
    );
  }
});

/** A module type's id: nine letters of 6 bits, and a version of 10. */
function moduleId(name: string, version: number): Uint8Array {
  const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  let id = 0n;
  for (const letter of name) id = (id << 6n) | BigInt(letters.indexOf(letter));
  return u64((id << 10n) | BigInt(version)).reverse();
}
