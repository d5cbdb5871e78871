/** DUMP and RESTORE: payloads cross between the two servers, options and errors as Redis's, damaged payloads refused. */

import { assert, assertEquals } from "@std/assert";
import { Crc64 } from "../../lib/bytes/crc64.ts";
import type { Command } from "../kit/client.ts";
import { assertSameAsRedis, assertSameReplies } from "../kit/differential.ts";
import { InProcess } from "../kit/inprocess.ts";
import { Seeded } from "../kit/seeded.ts";
import { hasRedis, startRedis, startRedstart } from "../kit/server.ts";
import { test } from "../kit/test.ts";

function bytes(text: string): Uint8Array {
  return Uint8Array.from(text, (c) => c.charCodeAt(0));
}

/** The text of a bulk reply. */
function bulk(reply: string): string {
  return reply.slice(reply.indexOf("\n") + 1, -2);
}

/** Body and version with a right checksum. */
function sealed(body: string, version = 10): Uint8Array {
  const payload = bytes(`${body}${String.fromCharCode(version & 255, version >> 8)}${"\0".repeat(8)}`);
  const crc = new Crc64();
  crc.update(payload, 0, payload.length - 8);
  crc.write(payload, payload.length - 8);
  return payload;
}

test("strings are dumped byte for byte as Redis does, and restored from its payloads", async () => {
  if (!hasRedis()) return;
  await using redis = await startRedis();
  await using redstart = await startRedstart();
  const [a, b] = [await redis.connect(), await redstart.connect()];
  const random = new Seeded(7);
  const values = ["", "0", "-0", "127", "128", "-128", "-129", "32767", "32768", "-32769", "2147483647", "2147483648"];
  values.push("-2147483648", "-2147483649", "9223372036854775807", "007", "x".repeat(20), "x".repeat(21));
  for (const length of [63, 64, 1000, 16_383, 16_384, 70_000]) {
    values.push("y".repeat(length), random.binary(length));
    values.push(random.word(3, "ab").repeat(length).slice(0, length));
  }
  for (const compression of ["yes", "no"]) {
    const commands: Command[] = [["CONFIG", "SET", "rdbcompression", compression]];
    for (const value of values) commands.push(["SET", "k", value], ["DUMP", "k"]);
    await assertSameReplies(a, b, commands);
    for (const value of values) {
      await a.ok("SET", "k", value);
      const payload = await a.ok("DUMP", "k") as string;
      assertEquals(await b.ok("RESTORE", "r", 0, payload, "REPLACE"), { status: "OK" });
      assertEquals(await b.ok("GET", "r"), value);
      assertEquals(await b.ok("OBJECT", "ENCODING", "r"), await a.ok("OBJECT", "ENCODING", "k"));
    }
  }
});

test("RESTORE's options are checked as Redis does", async () => {
  const good = sealed("\0\x03foo");
  const commands: Command[] = [["DUMP", "none"], ["SET", "old", "v"]];
  const payloads = [
    good,
    sealed("\0\x03foo", 11),
    sealed("\0\x03foo", 1),
    sealed(""),
    sealed("\x63\x03foo"),
    bytes("short"),
  ];
  payloads.push(sealed("\0\x3ffoo"), sealed("\0\xc3\x01\x3fx"), sealed("\0\xc4"), sealed("\0\x03foobar"));
  for (const payload of payloads) {
    for (const key of ["new", "old"]) {
      commands.push(["RESTORE", key, 0, payload], ["GET", key], ["RESTORE", key, 0, payload, "REPLACE"], ["GET", key]);
    }
    commands.push(["SET", "old", "v"], ["DEL", "new"]);
  }
  const options = [
    "REPLACE replace",
    "ABSTTL",
    "IDLETIME",
    "IDLETIME x",
    "IDLETIME -1",
    "IDLETIME 100",
    "FREQ 255",
    "FREQ 256",
    "FREQ -1",
    "FREQ x",
    "IDLETIME 1 FREQ 1",
    "FREQ 1 IDLETIME 1",
    "NOPE",
  ];
  for (const option of options) {
    commands.push(["RESTORE", "new", 0, good, ...option.split(" ")], ["EXISTS", "new"], ["OBJECT", "FREQ", "new"], [
      "DEL",
      "new",
    ]);
  }
  for (const ttl of ["-1", "x", "9223372036854775807", "9223372036854775808", "1"]) {
    commands.push(["RESTORE", "new", ttl, good, "ABSTTL"], ["PEXPIRETIME", "new"], ["DEL", "new"]);
  }
  commands.push(["RESTORE", "old", "9223372036854775807", good, "REPLACE"], ["EXISTS", "old"]);
  commands.push(["SET", "old", "v"], ["RESTORE", "old", "1", good, "REPLACE", "ABSTTL"], ["EXISTS", "old"]);
  commands.push(["RESTORE", "new"], ["RESTORE", "new", "0"], ["DUMP"]);
  await assertSameAsRedis(commands);
});

test("no payload of random bytes, damaged or made up, does any harm", () => {
  const server = new InProcess();
  const random = new Seeded(11);
  server.run("SET", "k", "abc".repeat(30));
  const good = bulk(server.run("DUMP", "k"));
  const { keyspace } = server.engine;
  for (let i = 0; i < 20_000; i++) {
    const damaged = good.slice(0, -10).split("");
    for (let n = random.between(1, 4); n > 0; n--) {
      damaged[random.below(damaged.length)] = String.fromCharCode(random.below(256));
    }
    const body = random.chance(0.5)
      ? String.fromCharCode(random.below(22)) + random.binary(random.below(40))
      : damaged.slice(0, random.between(1, damaged.length)).join("");
    const reply = server.run("RESTORE", "r", 0, sealed(body), "REPLACE");
    assert(reply === "+OK\r\n" || reply === "-ERR Bad data format\r\n", `${JSON.stringify(body)}: ${reply}`);
    assertEquals(server.run("DEL", "r"), reply === "+OK\r\n" ? ":1\r\n" : server.run("EXISTS", "none"));
  }
  assertEquals(keyspace.keys, 1);
});

test("RESTORE goes to replicas with an absolute time to live, or as a deletion", () => {
  const server = new InProcess();
  const good = sealed("\0\xc0\x07");
  const text = Array.from(good, (byte) => String.fromCharCode(byte)).join("");
  server.run("RESTORE", "a", 0, good);
  server.run("RESTORE", "b", 500, good, "IDLETIME", 7);
  server.run("RESTORE", "a", 1, good, "REPLACE", "ABSTTL");
  server.run("RESTORE", "none", 1, good, "REPLACE", "ABSTTL");
  assertEquals(server.propagated(), [
    `0 RESTORE a 0 ${text}`,
    `0 RESTORE b ${server.now + 500} ${text} IDLETIME 7 ABSTTL`,
    "0 DEL a",
  ]);
  assertEquals(server.events(), ["0 new a", "0 restore a", "0 new b", "0 restore b", "0 del a"]);
  assertEquals(server.run("OBJECT", "IDLETIME", "b"), ":7\r\n");
});
