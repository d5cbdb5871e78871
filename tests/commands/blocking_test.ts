/**
 * Commands that block, against redis-server: who is served, in which order, by what kinds of changes; and what goes out for it. Also
 * that many clients may wait.
 */

import { assert, assertEquals } from "@std/assert";
import { type Command, encodeCommand } from "../kit/client.ts";
import { InProcess } from "../kit/inprocess.ts";
import { show } from "../kit/reply.ts";
import { play, type Step } from "../kit/scene.ts";
import { hasRedis, startRedis, startRedstart } from "../kit/server.ts";
import { test } from "../kit/test.ts";

const SCENES: Record<string, Step[]> = {
  "those who came first are served first": [
    ["a", "BLPOP", "l", "0"],
    ["b", "BRPOP", "l", "0"],
    ["c", "BLMPOP", "0", "1", "l", "RIGHT", "COUNT", "2"],
    ["d", "BLMOVE", "l", "m", "LEFT", "RIGHT", "0"],
    ["main", "RPUSH", "l", "1", "2", "3", "4", "5", "6"],
  ],
  "one element is for one client": [
    ["a", "BLPOP", "k", "l", "0"],
    ["b", "BLPOP", "l", "k", "0"],
    ["main", "RPUSH", "l", "1"],
    ["main", "RPUSH", "k", "2"],
  ],
  "the pusher sees the length before anybody is served": [
    ["a", "BLPOP", "l", "0"],
    ["main", "LPUSH", "l", "1", "2", "3"],
    ["main", "LLEN", "l"],
  ],
  "a transaction is served when it is over": [
    ["a", "BLPOP", "l", "0"],
    ["b", "BLPOP", "k", "0"],
    ["main", "MULTI"],
    ["main", "RPUSH", "l", "1"],
    ["main", "RPUSH", "k", "1"],
    ["main", "LPOP", "l"],
    ["main", "RPUSH", "l", "2", "3"],
    ["main", "EXEC"],
  ],
  "a list that is gone again serves nobody": [
    ["a", "BLPOP", "l", "0"],
    ["main", "MULTI"],
    ["main", "RPUSH", "l", "1"],
    ["main", "DEL", "l"],
    ["main", "SADD", "l", "x"],
    ["main", "EXEC"],
    ["main", "DEL", "l"],
    ["main", "RPUSH", "l", "2"],
  ],
  "any way to make a list serves": [
    ["a", "BLPOP", "l", "0"],
    ["main", "RPUSH", "x", "1"],
    ["main", "RENAME", "x", "l"],
    ["b", "BLPOP", "l", "0"],
    ["main", "RPUSH", "x", "3", "2"],
    ["main", "SORT", "x", "STORE", "l"],
    ["c", "BLMOVE", "l", "m", "RIGHT", "LEFT", "0"],
    ["d", "BLPOP", "n", "0"],
    ["main", "COPY", "x", "n"],
    ["e", "BLPOP", "o", "0"],
    ["main", "SELECT", "1"],
    ["main", "RPUSH", "o", "moved"],
    ["main", "MOVE", "o", "0"],
    ["main", "SELECT", "0"],
    ["f", "BRPOPLPUSH", "p", "q", "0"],
    ["main", "LMOVE", "x", "p", "LEFT", "LEFT"],
    ["g", "BLPOP", "r", "0"],
    ["main", "LINSERT", "r", "BEFORE", "x", "y"],
    ["main", "RPUSHX", "r", "x"],
    ["main", "LPUSH", "r", "z"],
  ],
  "swapped databases": [
    ["a", "BLPOP", "l", "0"],
    ["main", "SELECT", "1"],
    ["main", "RPUSH", "l", "1"],
    ["main", "SELECT", "0"],
    ["main", "SWAPDB", "0", "1"],
  ],
  "chains of moves": [
    ["a", "BLMOVE", "l", "m", "LEFT", "RIGHT", "0"],
    ["b", "BLMOVE", "m", "n", "LEFT", "RIGHT", "0"],
    ["c", "BLPOP", "n", "0"],
    ["d", "BRPOPLPUSH", "l", "l", "0"],
    ["main", "RPUSH", "l", "1", "2"],
  ],
  "circles": [
    ["a", "BRPOPLPUSH", "l", "m", "0"],
    ["b", "BRPOPLPUSH", "m", "l", "0"],
    ["main", "RPUSH", "l", "1"],
  ],
  "a destination of another type": [
    ["main", "SET", "m", "x"],
    ["a", "BLMOVE", "l", "m", "LEFT", "RIGHT", "0"],
    ["b", "BLPOP", "l", "0"],
    ["main", "RPUSH", "l", "1"],
  ],
  "several keys become ready at once": [
    ["a", "BLPOP", "x", "y", "z", "0"],
    ["main", "MULTI"],
    ["main", "RPUSH", "z", "1"],
    ["main", "RPUSH", "x", "2"],
    ["main", "EXEC"],
    ["b", "BLPOP", "y", "y", "0"],
    ["main", "RPUSH", "y", "3", "4"],
  ],
  "what waits behind the command runs after it": [
    ["a", "BLPOP", "l", "0"],
    ["a", "RPUSH", "m", "x"],
    ["a", "BLPOP", "m", "0"],
    ["a", "RPUSH", "m", "y"],
    ["main", "RPUSH", "l", "1"],
  ],
  "time is up": [
    ["a", "BLPOP", "l", "0.01"],
    ["b", "BLMOVE", "l", "m", "LEFT", "LEFT", "0.01"],
    ["c", "BLMPOP", "0.01", "2", "l", "m", "LEFT"],
    ["d", "BRPOPLPUSH", "l", "m", "0.01"],
  ],
  "no waiting": [
    ["main", "MULTI"],
    ["main", "BLPOP", "l", "0"],
    ["main", "BLMOVE", "l", "m", "LEFT", "LEFT", "0"],
    ["main", "BRPOPLPUSH", "l", "m", "0"],
    ["main", "BLMPOP", "0", "1", "l", "LEFT"],
    ["main", "EXEC"],
    ["main", "SET", "l", "x"],
    ["main", "BLPOP", "k", "l", "0"],
    ["main", "BLMOVE", "l", "m", "LEFT", "LEFT", "0"],
    ["main", "BLPOP", "k", "-1"],
    ["main", "BLPOP", "k", "x"],
    ["main", "BLPOP", "k", "1e400"],
    ["main", "BLMOVE", "k", "l", "UP", "LEFT", "x"],
    ["main", "BLMOVE", "k", "l", "LEFT", "LEFT", "x"],
    ["main", "BRPOPLPUSH", "k", "l", "nan"],
    ["main", "BLMPOP", "x", "0", "l", "LEFT"],
    ["main", "BLMPOP", "x", "1", "l", "UP"],
    ["main", "BLMPOP", "x", "1", "l", "LEFT", "COUNT", "0"],
    ["main", "BLMPOP", "x", "1", "l", "LEFT"],
    ["main", "BLMPOP", "0", "1", "l", "LEFT"],
  ],
};

test("waiting clients get what they get from Redis", async () => {
  if (!hasRedis()) return;
  await using redis = await startRedis();
  await using redstart = await startRedstart();
  for (const [name, steps] of Object.entries(SCENES)) {
    assertEquals(await play(redstart, steps), await play(redis, steps), name);
  }
});

test("CLIENT UNBLOCK and a lost connection end a wait", async () => {
  await using server = await startRedstart();
  const main = await server.connect();
  const commands: Command[] = [["BLPOP", "l", 0], ["BLMOVE", "l", "m", "LEFT", "LEFT", 0]];
  for (const words of commands) {
    const client = await server.connect();
    const id = await client.call("CLIENT", "ID") as number;
    for (const [how, reply] of [["TIMEOUT", "(nil *)"], ["ERROR", "-UNBLOCKED"]]) {
      const answered = client.call(...words);
      while (await main.call("CLIENT", "UNBLOCK", id, how) !== 1);
      assert(show(await answered).startsWith(reply));
    }
  }
  const leaver = await server.connect();
  leaver.send(encodeCommand(["BLPOP", "l", "0"]));
  const blocked = async (): Promise<number> =>
    Number(/blocked_clients:(\d+)/.exec(String(await main.call("INFO", "clients")))![1]);
  while (await blocked() === 0);
  leaver.close();
  while (await blocked() > 0);
  assertEquals(await main.pipeline([["RPUSH", "l", "1"], ["LRANGE", "l", 0, -1]]), [1, ["1"]]);
});

test("what goes out and is counted when waiting clients are served", () => {
  const server = new InProcess();
  const { keyspace, blocking } = server.engine;
  const wait = (...command: string[]): void => void server.runAs(server.connect(), ...command);
  const push = (...command: string[]): [number, string[], string[]] => {
    const { dirty } = keyspace;
    server.run(...command);
    return [keyspace.dirty - dirty, server.propagated(), server.events()];
  };
  wait("BLPOP", "l", "0");
  assertEquals(push("RPUSH", "l", "1"), [
    1,
    ["0 RPUSH l 1", "0 LPOP l"],
    ["0 new l", "0 rpush l", "0 lpop l", "0 del l"],
  ]);
  wait("BRPOP", "k", "l", "0");
  assertEquals(push("RPUSH", "l", "1", "2").slice(0, 2), [2, ["0 RPUSH l 1 2", "0 RPOP l"]]);
  server.run("DEL", "l");
  server.propagated();
  wait("BLMPOP", "0", "1", "l", "LEFT", "COUNT", "5");
  assertEquals(push("RPUSH", "l", "1", "2").slice(0, 2), [4, ["0 RPUSH l 1 2", "0 LPOP l 2"]]);
  wait("BLMOVE", "l", "m", "LEFT", "RIGHT", "0");
  wait("BRPOPLPUSH", "m", "l", "0");
  server.events();
  assertEquals(push("RPUSH", "l", "1"), [
    1,
    ["0 RPUSH l 1", "0 LMOVE l m LEFT RIGHT", "0 RPOPLPUSH m l"],
    [
      "0 new l",
      "0 rpush l",
      "0 new m",
      "0 rpush m",
      "0 lpop l",
      "0 del l",
      "0 new l",
      "0 lpush l",
      "0 rpop m",
      "0 del m",
    ],
  ]);
  assertEquals(blocking.count, 0);
});

test("ten thousand clients wait for one key, and each element costs one of them", () => {
  const server = new InProcess();
  const { blocking } = server.engine;
  for (let i = 0; i < 10_000; i++) server.runAs(server.connect(), "BLPOP", "l", i % 2 === 0 ? "0" : "100");
  assertEquals(blocking.count, 10_000);
  const calls = server.engine.table.find(new TextEncoder().encode("blpop"), 0, 5)!.calls;
  for (let i = 1; i <= 5000; i++) {
    server.run("RPUSH", "l", String(i));
    assertEquals(blocking.count, 10_000 - i);
  }
  assertEquals(server.engine.table.find(new TextEncoder().encode("blpop"), 0, 5)!.calls, calls);
  assertEquals(server.run("EXISTS", "l"), ":0\r\n");
  assertEquals(server.propagated().filter((text) => text === "0 LPOP l").length, 5000);
});

test("a client that waits with a timeout is told when it is up, and is forgotten", async () => {
  const server = new InProcess();
  for (const seconds of ["1", "0.5", "2"]) server.runAs(server.connect(), "BLPOP", "l", seconds);
  const { blocking } = server.engine;
  const counts: number[] = [];
  for (const ms of [499, 1, 499, 1, 999, 1]) {
    await server.advance(ms);
    counts.push(blocking.count);
  }
  assertEquals(counts, [3, 2, 2, 1, 1, 0]);
  server.run("RPUSH", "l", "1");
  assertEquals(server.run("LLEN", "l"), ":1\r\n");
});
