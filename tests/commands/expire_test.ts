/** EXPIRE, TTL, PERSIST and relatives: against redis-server, and their effects besides the reply. */

import { assertEquals } from "@std/assert";
import type { Command } from "../kit/client.ts";
import { assertSameAsRedis } from "../kit/differential.ts";
import { InProcess } from "../kit/inprocess.ts";
import { test } from "../kit/test.ts";

test("expiry replies as Redis does, errors and limits included", async () => {
  const commands: Command[] = [];
  const amounts = [
    "100000",
    "-1",
    "0",
    "-100000",
    "4102444800",
    "4102444800000",
    "9007199254740993",
    "9223372036854775",
    "9223372036854776",
    "-9223372036854775",
    "-9223372036854776",
    "9223372036854775807",
    "-9223372036854775808",
    "9223372036854775808",
    "x",
    "",
    "1.5",
    " 1",
  ];
  const conditions: string[][] = [
    [],
    ["NX"],
    ["xx"],
    ["GT"],
    ["LT"],
    ["XX", "GT"],
    ["XX", "LT"],
    ["NX", "XX"],
    ["NX", "GT"],
    ["GT", "LT"],
    ["NX", "NX"],
    ["nope"],
    ["no\0pe"],
    ["nope\r\n"],
    ["a\r\nb"],
    ["GT", "nope", "LT"],
  ];
  for (const amount of amounts) {
    for (const condition of conditions) {
      commands.push(["SET", "plain", "v"], ["SET", "dying", "v", "PXAT", "4102444800000"]);
      for (const name of ["EXPIREAT", "PEXPIREAT"]) {
        for (const key of ["plain", "dying", "none"]) {
          commands.push([name, key, amount, ...condition], ["EXPIRETIME", key], ["PEXPIRETIME", key], ["EXISTS", key]);
        }
      }
      for (const name of ["EXPIRE", "PEXPIRE"]) commands.push([name, "plain", amount, ...condition]);
    }
  }
  for (const key of ["plain", "dying", "none"]) {
    commands.push(["PERSIST", key], ["PERSIST", key], ["TTL", key], ["PTTL", key]);
  }
  for (
    const name of ["EXPIRE", "PEXPIRE", "EXPIREAT", "PEXPIREAT", "TTL", "PTTL", "EXPIRETIME", "PEXPIRETIME", "PERSIST"]
  ) {
    commands.push([name], [name, "k"], [name, "k", "1"], [name, "k", "1", "NX", "NX", "NX"]);
  }
  await assertSameAsRedis(commands);
});

test("seconds are rounded, milliseconds are not", async () => {
  const server = new InProcess();
  server.run("SET", "k", "v");
  assertEquals(server.run("PEXPIRE", "k", 1600), ":1\r\n");
  assertEquals(server.run("TTL", "k"), ":2\r\n");
  await server.advance(101);
  assertEquals(server.run("TTL", "k"), ":1\r\n");
  assertEquals(server.run("PTTL", "k"), ":1499\r\n");
  assertEquals(server.run("PEXPIRETIME", "k"), `:${server.now + 1499}\r\n`);
  assertEquals(server.run("EXPIRETIME", "k"), `:${Math.floor((server.now + 1499 + 500) / 1000)}\r\n`);
  await server.advance(1500);
  assertEquals(server.run("TTL", "k"), ":-2\r\n");
});

test("expiry goes to replicas as a time, and as a deletion when that is past", () => {
  const server = new InProcess();
  for (const key of ["a", "b", "c", "d", "e"]) server.run("SET", key, "v");
  server.propagated();
  server.events();
  const { now } = server;
  server.run("EXPIRE", "a", 10);
  server.run("PEXPIRE", "b", 10, "NX");
  server.run("EXPIREAT", "c", 4102444800);
  server.run("PEXPIREAT", "d", 4102444800000, "LT");
  server.run("EXPIRE", "e", 10, "XX");
  server.run("EXPIRE", "none", 10);
  server.run("EXPIRE", "e", -1);
  server.run("PERSIST", "a");
  server.run("PERSIST", "a");
  assertEquals(server.propagated(), [
    `0 PEXPIREAT a ${now + 10_000}`,
    `0 PEXPIREAT b ${now + 10} NX`,
    "0 PEXPIREAT c 4102444800000",
    "0 PEXPIREAT d 4102444800000 LT",
    "0 DEL e",
    "0 PERSIST a",
  ]);
  assertEquals(server.events(), ["0 expire a", "0 expire b", "0 expire c", "0 expire d", "0 del e", "0 persist a"]);
  server.run("CONFIG", "SET", "lazyfree-lazy-expire", "yes");
  server.run("PEXPIREAT", "d", 1);
  assertEquals(server.propagated(), ["0 UNLINK d"]);
});

test("a key that has expired is deleted by whoever looks for it", async () => {
  const server = new InProcess();
  server.run("SET", "k", "v", "PX", 5);
  await server.advance(6);
  server.propagated();
  server.events();
  assertEquals(server.run("EXISTS", "k"), ":0\r\n");
  assertEquals(server.propagated(), ["0 DEL k"]);
  assertEquals(server.events(), ["0 expired k", "0 keymiss k"]);
  assertEquals(server.engine.keyspace.expiredKeys, 1);
});
