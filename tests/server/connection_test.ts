/** Limits of connections: how many, how long idle, how much they may send and leave unread. */

import { assert, assertEquals } from "@std/assert";
import { createServer, type RedstartServer } from "../../mod.ts";
import { Client } from "../kit/client.ts";
import { test } from "../kit/test.ts";

const connect = (server: RedstartServer) => Client.connect({ port: server.port });

async function field(client: Client, name: string, what: string): Promise<string | undefined> {
  const lines = (await client.ok("CLIENT", "LIST") as string).split("\n");
  const line = lines.find((each) => each.includes(` name=${name} `));
  return line === undefined ? undefined : new RegExp(` ${what}=(\\S*)`).exec(line)![1];
}

test("connection: maxclients refuses the next one, and takes it when somebody has left", async () => {
  await using server = await createServer({ config: { maxclients: "2" } });
  const first = await connect(server);
  await first.ok("PING");
  using second = await connect(server);
  await second.ok("PING");
  using third = await connect(server);
  assertEquals(await third.readToEnd(), "-ERR max number of clients reached\r\n");
  first.send("QUIT\r\n");
  await first.readToEnd();
  using fourth = await connect(server);
  assertEquals(await fourth.call("PING"), { status: "PONG" });
});

test("connection: timeout closes who is idle, but not who waits", async () => {
  await using server = await createServer({ config: { timeout: "1" } });
  using idle = await connect(server);
  using waiting = await connect(server);
  await idle.ok("PING");
  waiting.send("BLPOP list 3\r\nPING\r\n");
  assertEquals(await idle.readToEnd(), "");
  assertEquals(await waiting.readReplies(2), [{ nil: "*" }, { status: "PONG" }]);
});

test("connection: client-query-buffer-limit", async () => {
  await using server = await createServer({ config: { "client-query-buffer-limit": "1mb" } });
  using client = await connect(server);
  client.send(`*2\r\n$4\r\nECHO\r\n$5000000\r\n${"x".repeat(2_000_000)}`);
  assertEquals(await client.readToEnd(), "");
  using other = await connect(server);
  assertEquals(await other.call("ECHO", "x".repeat(900_000)), "x".repeat(900_000));
});

test("connection: proto-max-bulk-len", async () => {
  await using server = await createServer({ config: { "proto-max-bulk-len": "1mb" } });
  using client = await connect(server);
  assertEquals(await client.call("ECHO", "x".repeat(1 << 20)), "x".repeat(1 << 20));
  client.send(`*2\r\n$4\r\nECHO\r\n$${(1 << 20) + 1}\r\n`);
  assertEquals(await client.readToEnd(), "-ERR Protocol error: invalid bulk length\r\n");
});

test("connection: a batch of replies beyond the hard limit is not sent, the commands are executed", async () => {
  await using server = await createServer({ config: { "client-output-buffer-limit": "normal 100000 0 0" } });
  using client = await connect(server);
  await client.ok("SET", "big", "x".repeat(10_000));
  assertEquals((await client.pipeline(Array(9).fill(["GET", "big"]))).length, 9);
  client.send("SET before 1\r\n" + "GET big\r\n".repeat(15) + "SET after 1\r\n");
  assertEquals(await client.readToEnd(), "");
  using other = await connect(server);
  assertEquals(await other.call("GET", "before"), "1");

  await other.ok("SET", "huge", "x".repeat(150_000));
  other.send("MULTI\r\nSET a 1\r\nGET huge\r\nSET b 2\r\nEXEC\r\n");
  assertEquals(await other.readToEnd(), "");
  using last = await connect(server);
  assertEquals(await last.call("MGET", "a", "b"), ["1", "2"]);
});

test("connection: a reader that does not read is cut off at the hard limit; without one it gets everything later", async () => {
  await using server = await createServer();
  using control = await connect(server);
  await control.ok("SET", "big", "x".repeat(1_000_000));
  using slow = await connect(server);
  await slow.ok("CLIENT", "SETNAME", "slow");
  slow.pause();
  for (let i = 0; i < 30; i++) slow.send("GET big\r\n");
  while (!(Number(await field(control, "slow", "omem")) > 0));
  slow.resume();
  const replies = await slow.readReplies(30);
  assert(replies.every((reply) => typeof reply === "string" && reply.length === 1_000_000));
  assertEquals(await field(control, "slow", "omem"), "0");

  await control.ok("CONFIG", "SET", "client-output-buffer-limit", "normal 5000000 0 0");
  slow.pause();
  for (let i = 0; i < 30; i++) slow.send("GET big\r\n");
  while (await field(control, "slow", "omem") !== undefined);
});

test("connection: what half a large value took is given back", async () => {
  await using server = await createServer({ config: { hz: "100" } });
  using control = await connect(server);
  using client = await connect(server);
  await client.ok("CLIENT", "SETNAME", "large");
  client.send(`*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$400000\r\n${"x".repeat(200_000)}`);
  while (!(Number(await field(control, "large", "qbuf")) >= 200_000));
  client.send(`${"y".repeat(200_000)}\r\n`);
  assertEquals(await client.readReply(), { status: "OK" });
  assertEquals(await control.call("STRLEN", "k"), 400_000);
  while (Number(await field(control, "large", "qbuf-free")) > 32_768);
  while (await field(control, "large", "tot-mem").then(Number) > 4096);
});
