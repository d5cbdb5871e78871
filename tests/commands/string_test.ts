/** String commands, counters and LCS: against redis-server, and their effects besides the reply. */

import { assertEquals } from "@std/assert";
import { Expiry } from "../../lib/store/keyspace.ts";
import type { Command } from "../kit/client.ts";
import { assertSameAsRedis } from "../kit/differential.ts";
import { effectsHere, effectsOnRedis } from "../kit/effects.ts";
import { InProcess } from "../kit/inprocess.ts";
import { hostileFloats, hostileIntegers, Seeded } from "../kit/seeded.ts";
import { hasRedis } from "../kit/server.ts";
import { test } from "../kit/test.ts";

/** Runs the commands on both servers with a lowered limit on strings. */
async function compare(commands: readonly Command[]): Promise<void> {
  const args = ["--proto-max-bulk-len", "1mb"];
  await assertSameAsRedis(commands, { args });
}

test("SET and GETEX take the combinations of options that Redis takes", async () => {
  const random = new Seeded(3);
  const future = "4102444800";
  const options: string[][] = [
    ["NX"],
    ["xx"],
    ["GET"],
    ["KEEPTTL"],
    ["PERSIST"],
    ["EX", "1000"],
    ["px", "1000000"],
    ["EXAT", future],
    ["PXAT", `${future}000`],
    ["EX", "0"],
    ["PX", "-1"],
    ["EX", "9223372036854775807"],
    ["EXAT", "9223372036854775"],
    ["EXAT", "9223372036854776"],
    ["PX", "9223372036854775807"],
    ["PXAT", "9223372036854775807"],
    ["PXAT", "9007199254740993"],
    ["EX", "x"],
    ["EX", ""],
    ["EX"],
    ["nope"],
    [""],
  ];
  const commands: Command[] = [];
  const both = (chosen: string[]) => {
    for (const key of ["plain", "dying", "other", "none"]) {
      commands.push(["DEL", "other", "none"], ["SET", "plain", "v"], ["SET", "dying", "v", "EXAT", future]);
      commands.push(["SADD", "other", "a"]);
      commands.push(["SET", key, "new", ...chosen], ["GET", key]);
      // A deadline that counts from now differs by the moment.
      if (!chosen.includes("EX") && !chosen.includes("px")) commands.push(["PEXPIRETIME", key]);
      commands.push(["SET", "dying", "v", "EXAT", future], ["GETEX", key, ...chosen], ["EXISTS", key]);
    }
  };
  for (const option of options) both(option);
  for (let i = 0; i < 150; i++) both([...random.pick(options), ...random.pick(options)]);
  await compare(commands);
});

test("numbers and ranges at the limits of 64 bits", async () => {
  const commands: Command[] = [];
  const integers = [...hostileIntegers, "9007199254740991", "9007199254740992", "-9007199254740993"];
  for (const value of integers) {
    for (const by of integers) {
      commands.push(["SET", "n", value], ["INCRBY", "n", by], ["DECRBY", "n", by], ["GET", "n"]);
      commands.push(["GETRANGE", "s", value, by], ["BITCOUNT", "s", value, by], ["BITCOUNT", "s", value, by, "BIT"]);
    }
    commands.push(["SET", "n", value], ["OBJECT", "ENCODING", "n"], ["INCR", "n"], ["OBJECT", "ENCODING", "n"]);
    commands.push(["SET", "n", value], ["DECR", "n"], ["GET", "n"], ["APPEND", "n", "1"], ["OBJECT", "ENCODING", "n"]);
    commands.push(["SETRANGE", "r", value, "x"], ["STRLEN", "r"], ["SETRANGE", "r2", value, ""], ["DEL", "r", "r2"]);
    commands.push(["SETEX", "e", value, "v"], ["EXISTS", "e"], ["PSETEX", "e", value, "v"], ["EXISTS", "e"]);
  }
  for (const value of hostileFloats) {
    for (const by of ["0", "1", "0.1", "-3.0e2", value]) {
      commands.push(["SET", "f", value], ["INCRBYFLOAT", "f", by], ["OBJECT", "ENCODING", "f"], [
        "INCRBYFLOAT",
        "g",
        by,
      ]);
    }
  }
  await compare([["SET", "s", "Hello, world"], ...commands]);
});

test("strings grow up to proto-max-bulk-len, with zeros between", async () => {
  const limit = 1024 * 1024;
  const commands: Command[] = [];
  for (const start of ["", "abc", "12", "x".repeat(100), "x".repeat(20_000)]) {
    for (const at of [0, 1, 3, 50, 200, 17_000, limit - 1, limit, limit + 1]) {
      commands.push(["SET", "k", start], ["SETRANGE", "k", at, "yz"], ["GET", "k"], ["OBJECT", "ENCODING", "k"]);
      commands.push(["SET", "k", start], ["SETBIT", "k", at * 8, 1], ["GETBIT", "k", at * 8], ["STRLEN", "k"], [
        "GET",
        "k",
      ]);
      commands.push(["DEL", "k"], ["SETRANGE", "k", at, "yz"], ["GET", "k"]);
    }
    commands.push(["SET", "k", start]);
    for (let i = 0; i < 60; i++) commands.push(["APPEND", "k", "z".repeat(i * 600)]);
    commands.push(["GET", "k"], ["SET", "k", "short"], ["GET", "k"]);
  }
  await compare(commands);
});

test("LCS", async () => {
  const random = new Seeded(11);
  const commands: Command[] = [["SADD", "other", "a"], ["SET", "empty", ""]];
  const options = ["LEN", "IDX", "WITHMATCHLEN", "MINMATCHLEN", "2", "-1", "x", "nope", "idx"];
  for (let i = 0; i < 300; i++) {
    for (const key of ["a", "b"]) {
      const letters = Array.from({ length: random.between(0, 120) }, () => "abc"[random.between(0, 2)]);
      commands.push(["SET", key, letters.join("")]);
    }
    const chosen = Array.from({ length: random.between(0, 4) }, () => random.pick(options));
    const keys = ["a", "b", "a", "b", "empty", "none", "other"];
    commands.push(["LCS", "a", "b"], ["LCS", "a", "b", "IDX", "WITHMATCHLEN"]);
    commands.push(["LCS", random.pick(keys), random.pick(keys), ...chosen]);
  }
  commands.push(["SET", "a", "x".repeat(600)], ["SET", "b", "x".repeat(600)], ["LCS", "a", "b", "LEN"]);
  await compare(commands);
});

test("events and propagation are those of Redis", async () => {
  if (!hasRedis()) return;
  const commands: Command[] = [
    ["SET", "a", "1"],
    ["SET", "a", "2", "GET"],
    ["SET", "a", "2", "get", "XX", "Get", "KEEPTTL"],
    ["SET", "a", "2", "NX"],
    ["SET", "none", "2", "XX", "GET"],
    ["SET", "a", "3", "EX", "100", "XX", "GET"],
    ["SET", "a", "3", "PXAT", "4102444800000"],
    ["SETEX", "b", "10", "v"],
    ["PSETEX", "b", "10000", "v"],
    ["SETNX", "a", "x"],
    ["SETNX", "c", "x"],
    ["GETSET", "c", "y"],
    ["GETSET", "d", "y"],
    ["GETDEL", "d"],
    ["GETDEL", "d"],
    ["GETEX", "c"],
    ["GETEX", "c", "PERSIST"],
    ["GETEX", "c", "EX", "100"],
    ["GETEX", "c", "PERSIST"],
    ["GETEX", "c", "PXAT", "4102444800000"],
    ["GETEX", "c", "EXAT", "1"],
    ["GETEX", "c", "EXAT", "1"],
    ["MGET", "a", "c"],
    ["MSET", "m", "1", "m", "2", "n", "3"],
    ["MSETNX", "o", "1", "m", "2"],
    ["MSETNX", "o", "1", "p", "2"],
    ["APPEND", "o", ""],
    ["APPEND", "q", "x"],
    ["STRLEN", "zz"],
    ["SETRANGE", "q", "3", "x"],
    ["SETRANGE", "q", "3", ""],
    ["SETRANGE", "r", "0", ""],
    ["SETRANGE", "r", "2", "x"],
    ["INCR", "i"],
    ["DECRBY", "i", "7"],
    ["INCR", "q"],
    ["INCRBYFLOAT", "i", "0.5"],
    ["INCRBYFLOAT", "j", "1e3"],
    ["INCRBYFLOAT", "b", "1"],
    ["SET", "k", "v", "EX", "0"],
    ["LCS", "a", "nothing"],
    ["SETBIT", "bits", "9", "0"],
    ["SETBIT", "bits", "9", "0"],
    ["SETBIT", "bits", "9", "1"],
    ["BITFIELD", "bits", "SET", "u8", "0", "0"],
    ["BITFIELD", "bits", "SET", "u8", "0", "1", "INCRBY", "u8", "8", "1", "GET", "u8", "0"],
    ["BITFIELD", "fresh", "OVERFLOW", "FAIL", "SET", "u8", "0", "256"],
    ["BITFIELD", "fresh", "SET", "u8", "8", "0"],
    ["BITOP", "NOT", "dest", "bits"],
    ["BITOP", "AND", "dest", "missing", "absent"],
    ["BITOP", "AND", "dest", "missing"],
    ["BITPOS", "missing", "1"],
  ];
  assertEquals(effectsHere(commands), await effectsOnRedis(commands));
});

test("a value set over one that has expired is a new key", async () => {
  const server = new InProcess();
  server.run("SET", "k", "old", "PX", 10);
  await server.advance(11);
  server.events();
  server.propagated();
  assertEquals(server.run("SET", "k", "new", "KEEPTTL"), "+OK\r\n");
  assertEquals(server.run("PTTL", "k"), ":-1\r\n");
  assertEquals(server.events().filter((event) => !event.includes("miss")), ["0 expired k", "0 new k", "0 set k"]);
  assertEquals(server.propagated(), ["0 MULTI", "0 DEL k", "0 SET k new KEEPTTL", "0 EXEC"]);
});

test("where expired keys are only hidden, a write replaces them", async () => {
  const server = new InProcess();
  for (const command of [["INCR", "k"], ["SET", "k", "1"], ["APPEND", "k", "1"]]) {
    server.engine.keyspace.expiry = Expiry.DELETE;
    server.run("SET", "k", "5", "PX", 10);
    await server.advance(20);
    server.engine.keyspace.expiry = Expiry.HIDE;
    assertEquals(server.run("GET", "k"), "$-1\r\n");
    server.run(...command);
    assertEquals(server.run("GET", "k"), "$1\r\n1\r\n");
    assertEquals(server.run("DBSIZE"), ":1\r\n");
    server.run("DEL", "k");
    assertEquals(server.run("DBSIZE"), ":0\r\n");
  }
});
