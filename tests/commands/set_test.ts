/** Set commands: against redis-server, and what they cause besides their reply. */

import { assert, assertEquals } from "@std/assert";
import type { Command } from "../kit/client.ts";
import { assertSameAsRedis, assertSameReplies } from "../kit/differential.ts";
import { InProcess } from "../kit/inprocess.ts";
import { hasRedis, startRedis, startRedstart } from "../kit/server.ts";
import { test } from "../kit/test.ts";

test("set commands reply as Redis does, limits and errors included", async () => {
  const commands: Command[] = [["SET", "string", "x"]];
  // Integers only: then the order is Redis's too.
  commands.push(["SADD", "a", "1", "2", "3", "3", "-5"], ["SADD", "b", "3", "2", "70000"], ["SADD", "c", "-5"]);
  for (const key of ["a", "none", "string"]) {
    commands.push(
      ["SCARD", key],
      ["SMEMBERS", key],
      ["SISMEMBER", key, "3"],
      ["SISMEMBER", key, "03"],
      ["SMISMEMBER", key, "3", "x", "-5"],
      ["SREM", key, "99", "x"],
      ["SINTER", key],
      ["SINTER", key, "b"],
      ["SINTER", "b", key, "b"],
      ["SUNION", key, "b", "none"],
      ["SDIFF", key, "b"],
      ["SDIFF", key, key],
      ["SDIFF", "b", key, "none"],
      ["SDIFF", "b", "b", key],
      ["SINTERCARD", "2", key, "b"],
      ["SINTERCARD", "2", key, "b", "LIMIT", "1"],
      ["SINTERCARD", "2", key, "b", "LIMIT", "0"],
      ["SINTERCARD", "2", key, "b", "LIMIT", "-1"],
      ["SINTERCARD", "2", key, "b", "LIMIT", "x"],
      ["SINTERCARD", "2", key, "b", "LIMIT"],
      ["SINTERCARD", "2", key, "b", "LIMIT", "1", "LIMIT", "2"],
      ["SINTERCARD", "0", key],
      ["SINTERCARD", "x", key],
      ["SINTERCARD", "3", key, "b"],
      ["SPOP", key, "0"],
      ["SPOP", key, "-1"],
      ["SPOP", key, "x"],
      ["SPOP", key, "1", "2"],
      ["SRANDMEMBER", key, "0"],
      ["SRANDMEMBER", key, "100"],
      ["SRANDMEMBER", key, "x"],
      ["SRANDMEMBER", key, "-9223372036854775808"],
      ["SRANDMEMBER", key, "1", "2"],
      ["SSCAN", key, "x"],
      ["SSCAN", key, "0", "MATCH"],
      ["SSCAN", key, "0", "COUNT", "0"],
      ["SSCAN", key, "0", "MATCH", "-*"],
      ["SMOVE", key, key, "3"],
      ["SMOVE", key, "string", "3"],
      ["SMOVE", key, "none", "77"],
      ["SMOVE", "none", key, "3"],
      ["SMOVE", "c", key, "77"],
    );
    for (const store of ["SINTERSTORE", "SUNIONSTORE", "SDIFFSTORE"]) {
      commands.push([store, "d", key, "b"], ["SMEMBERS", "d"], ["TYPE", "d"], ["SET", "d", "x", "EX", "1000"]);
      commands.push([store, "d", "b", key], ["TTL", "d"], ["SMEMBERS", "d"], [store, "d", "none", "none"]);
      commands.push(["EXISTS", "d"], [store, "d", "b"], [store, "d", "d", "d"], ["SMEMBERS", "d"], ["DEL", "d"]);
    }
  }
  commands.push(
    ["SMOVE", "c", "new", "-5"],
    ["EXISTS", "c"],
    ["SMEMBERS", "new"],
    ["SPOP", "new"],
    ["SPOP", "new"],
    ["SPOP", "a", "100"],
    ["EXISTS", "a"],
  );
  await assertSameAsRedis(commands, { batch: 50, protocols: ["2", "3"] });
});

test("a set goes over to a table, and into a DUMP payload, where Redis does", async () => {
  if (!hasRedis()) return;
  await using redis = await startRedis();
  await using redstart = await startRedstart();
  const commands: Command[] = [["CONFIG", "SET", "set-max-intset-entries", "4"]];
  for (
    const members of [["1", "2"], ["1", "2", "3", "4", "70000"], ["9223372036854775807"], ["9223372036854775808"], [
      "01",
    ]]
  ) {
    commands.push(["DEL", "s"]);
    for (const member of members) commands.push(["SADD", "s", member], ["OBJECT", "ENCODING", "s"]);
    commands.push(["SADD", "s", ...members], ["SCARD", "s"]);
    if (members.length < 5) commands.push(["DUMP", "s"]);
    commands.push(["SUNIONSTORE", "t", "s"], ["OBJECT", "ENCODING", "t"], ["COPY", "s", "u", "REPLACE"]);
    commands.push(["OBJECT", "ENCODING", "u"], ["SREM", "s", ...members.slice(1)], ["OBJECT", "ENCODING", "s"]);
    commands.push(["SINTERSTORE", "t", "u", "s"], ["OBJECT", "ENCODING", "t"], ["DUMP", "t"]);
  }
  // What remains of a table after a large SPOP is made anew.
  commands.push(["DEL", "s"], ["SADD", "s", ...Array.from({ length: 30 }, (_, i) => String(i))], [
    "OBJECT",
    "ENCODING",
    "s",
  ]);
  await assertSameReplies(await redis.connect(), await redstart.connect(), commands);
  const clients = [await redis.connect(), await redstart.connect()];
  for (const client of clients) {
    assertEquals((await client.call("SPOP", "s", "28") as unknown[]).length, 28);
    assertEquals(await client.call("OBJECT", "ENCODING", "s"), "intset");
  }
});

test("events, changes and propagation of set commands", () => {
  const server = new InProcess();
  const { keyspace } = server.engine;
  const effects = (...command: string[]): [number, string[], string[]] => {
    const { dirty } = keyspace;
    server.run(...command);
    return [keyspace.dirty - dirty, server.events(), server.propagated()];
  };
  assertEquals(effects("SADD", "s", "a", "b", "a"), [2, ["0 new s", "0 sadd s"], ["0 SADD s a b a"]]);
  assertEquals(effects("SADD", "s", "a"), [0, [], []]);
  assertEquals(effects("SREM", "s", "x"), [0, [], []]);
  assertEquals(effects("SREM", "s", "a", "x", "a"), [1, ["0 srem s"], ["0 SREM s a x a"]]);
  assertEquals(effects("SMOVE", "s", "t", "b"), [
    2,
    ["0 srem s", "0 del s", "0 new t", "0 sadd t"],
    ["0 SMOVE s t b"],
  ]);
  assertEquals(effects("SPOP", "t"), [1, ["0 spop t", "0 del t"], ["0 SREM t b"]]);
  assertEquals(effects("SPOP", "t"), [0, [], []]);
  server.run("SADD", "s", "1", "2", "3");
  server.events();
  server.propagated();
  assertEquals(effects("SPOP", "s", "5"), [3, ["0 spop s", "0 del s"], ["0 DEL s"]]);
  server.run("SADD", "s", "7", "7", "8", "9");
  server.events();
  server.propagated();
  const [dirty, events, propagated] = effects("SPOP", "s", "2");
  assertEquals([dirty, events, propagated.length], [2, ["0 spop s"], 4]);
  assertEquals([propagated[0], propagated[3]], ["0 MULTI", "0 EXEC"]);
  assert(propagated[1].startsWith("0 SREM s ") && propagated[2].startsWith("0 SREM s "));
  server.run("SET", "d", "x");
  server.events();
  server.propagated();
  assertEquals(effects("SUNIONSTORE", "d", "s", "none"), [1, ["0 keymiss none", "0 sunionstore d"], [
    "0 SUNIONSTORE d s none",
  ]]);
  assertEquals(effects("SINTERSTORE", "d", "none"), [1, ["0 keymiss none", "0 del d"], ["0 SINTERSTORE d none"]]);
  assertEquals(effects("SINTERSTORE", "d", "none"), [0, ["0 keymiss none"], []]);
});

test("counts draw distinct members, all members and members with repetition", () => {
  const server = new InProcess(5);
  const elements = (reply: string): string[] => reply.split("\r\n").filter((_, i) => i > 0 && i % 2 === 0);
  for (const prefix of ["", "m"]) {
    const members = Array.from({ length: 300 }, (_, i) => `${prefix}${i}`);
    server.run("DEL", "s");
    server.run("SADD", "s", ...members);
    for (const count of [1, 2, 50, 99, 100, 150, 299, 300, 301]) {
      const drawn = elements(server.run("SRANDMEMBER", "s", String(count)));
      assertEquals(drawn.length, Math.min(count, 300));
      assertEquals(new Set(drawn).size, drawn.length);
      assert(drawn.every((member) => members.includes(member)));
    }
    assertEquals(elements(server.run("SRANDMEMBER", "s", "-1000")).length, 1000);
    const left = new Set(members);
    for (const count of [1, 20, 250]) {
      const popped = elements(server.run("SPOP", "s", String(count)));
      assertEquals(popped.length, count);
      for (const member of popped) assert(left.delete(member));
      assertEquals(elements(server.run("SMEMBERS", "s")).sort(), [...left].sort());
    }
  }
});

test("a union of integers is in ascending order, whatever form the sets have", () => {
  const server = new InProcess();
  server.run("SADD", "integers", 5, -7, 300);
  server.run("SADD", "more", 2, 5, 70_000);
  // Both have been sets of other members.
  server.run("SADD", "packed", "text", 4, 300);
  server.run("SREM", "packed", "text");
  server.run("SADD", "table", "text", ...Array.from({ length: 40 }, (_, i) => 100 - i));
  server.run("SREM", "table", "text");
  const union = (...keys: string[]): string[] =>
    server.run("SUNION", ...keys).split("\r\n").filter((line) => !/^[*$]/.test(line) && line !== "");
  assertEquals(union("integers", "more"), ["-7", "2", "5", "300", "70000"]);
  assertEquals(union("packed", "integers", "none"), ["-7", "4", "5", "300"]);
  assertEquals(union("packed"), ["4", "300"]);
  const all = union("more", "table", "integers", "packed", "more").map(Number);
  assertEquals(all, [...new Set(all)].sort((x, y) => x - y));
  assertEquals(all.length, 46);
  // One member that is no integer, and the order does not matter any more; but each is there once.
  server.run("SADD", "packed", "text");
  assertEquals(union("packed", "integers", "table", "more").sort(), [...all.map(String), "text"].sort());
});
