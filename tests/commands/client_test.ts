/** CLIENT, and what it steers: names, lists, killing, pausing, replies that are dropped, eviction. */

import { assert, assertEquals } from "@std/assert";
import { createServer, type RedstartServer } from "../../mod.ts";
import { Client, type Command } from "../kit/client.ts";
import { assertSameAsRedis, type Same, sameReply } from "../kit/differential.ts";
import { hasRedis, startRedis, startRedstart } from "../kit/server.ts";
import { test } from "../kit/test.ts";

const connect = (server: RedstartServer) => Client.connect({ port: server.port });

/** The fields of one line of CLIENT LIST. */
function fields(line: string): Map<string, string> {
  return new Map(
    line.trim().split(" ").map((field) => {
      const at = field.indexOf("=");
      return [field.slice(0, at), field.slice(at + 1)];
    }),
  );
}

async function list(client: Client, ...filter: string[]): Promise<Map<string, string>[]> {
  const text = await client.ok("CLIENT", "LIST", ...filter) as string;
  return text.split("\n").filter((line) => line !== "").map(fields);
}

const COMMANDS: readonly Command[] = [
  ["CLIENT"],
  ["CLIENT", "HELP"],
  ["CLIENT", "NOSUCH"],
  ["CLIENT", "ID", "x"],
  ["CLIENT", "GETNAME"],
  ["CLIENT", "SETNAME", "a\nb"],
  ["CLIENT", "SETNAME", "a b"],
  ["CLIENT", "SETNAME", "a\x7f"],
  ["CLIENT", "SETNAME", "!~"],
  ["CLIENT", "GETNAME"],
  ["CLIENT", "SETNAME", ""],
  ["CLIENT", "GETNAME"],
  ["CLIENT", "LIST", "TYPE"],
  ["CLIENT", "LIST", "TYPE", "nosuch"],
  ["CLIENT", "LIST", "TYPE", "pubsub"],
  ["CLIENT", "LIST", "TYPE", "replica"],
  ["CLIENT", "LIST", "TYPE", "SLAVE"],
  ["CLIENT", "LIST", "TYPE", "master"],
  ["CLIENT", "LIST", "ID"],
  ["CLIENT", "LIST", "ID", "x"],
  ["CLIENT", "LIST", "ID", 1000000, "99999999999999999999"],
  ["CLIENT", "LIST", "ID", 1000000],
  ["CLIENT", "LIST", "nosuch"],
  ["CLIENT", "KILL"],
  ["CLIENT", "KILL", "1.2.3.4:5"],
  ["CLIENT", "KILL", "ID", 0],
  ["CLIENT", "KILL", "ID", -1],
  ["CLIENT", "KILL", "ID", "x"],
  ["CLIENT", "KILL", "ID", 1000000],
  ["CLIENT", "KILL", "ID", 1000000, "x"],
  ["CLIENT", "KILL", "TYPE", "nosuch"],
  ["CLIENT", "KILL", "TYPE", "replica"],
  ["CLIENT", "KILL", "USER", "nosuch"],
  ["CLIENT", "KILL", "ADDR", "x", "LADDR", "y"],
  ["CLIENT", "KILL", "SKIPME", "maybe"],
  ["CLIENT", "KILL", "NOSUCH", "x"],
  ["CLIENT", "KILL", "USER", "default", "ID", 1000000],
  ["CLIENT", "UNBLOCK", "x"],
  ["CLIENT", "UNBLOCK", 1000000],
  ["CLIENT", "UNBLOCK", 1000000, "TIMEOUT"],
  ["CLIENT", "UNBLOCK", "x", "nosuch"],
  ["CLIENT", "UNBLOCK", 1, "ERROR", "x"],
  ["CLIENT", "PAUSE", "x"],
  ["CLIENT", "PAUSE", -1],
  ["CLIENT", "PAUSE", "x", "nosuch"],
  ["CLIENT", "PAUSE", 1, "WRITE", "x"],
  ["CLIENT", "PAUSE", "99999999999999999999"],
  ["CLIENT", "UNPAUSE"],
  ["CLIENT", "REPLY", "nosuch"],
  ["CLIENT", "REPLY", "ON"],
  ["CLIENT", "NO-EVICT", "on"],
  ["CLIENT", "NO-EVICT", "OFF"],
  ["CLIENT", "NO-EVICT", "x"],
  ["CLIENT", "GETREDIR"],
  ["CLIENT", "TRACKINGINFO"],
  ["CLIENT", "CACHING", "yes"],
  ["HELLO", 3],
  ["CLIENT", "GETNAME"],
  ["CLIENT", "TRACKINGINFO"],
  ["CLIENT", "LIST", "TYPE", "pubsub"],
];

test("client: replies and errors as redis-server gives them", async () => {
  // HELLO shows the client's id.
  const same: Same = (command, a, b) => command[0] === "HELLO" || sameReply(a, b);
  await assertSameAsRedis(COMMANDS, { batch: 1, same });
});

test("client: the line has redis-server's fields in its order, with the same values", async () => {
  if (!hasRedis()) return;
  await using redis = await startRedis();
  await using redstart = await startRedstart();
  const lines = [];
  for (const server of [redis, redstart]) {
    const client = await server.connect();
    await client.ok("CLIENT", "SETNAME", "me");
    await client.ok("SELECT", 7);
    const other = await server.connect();
    await other.ok("MULTI");
    await other.ok("SET", "k", "value");
    const [mine, its] = await list(client);
    assertEquals(mine.get("laddr"), `127.0.0.1:${server.port}`);
    lines.push([mine, its]);
  }
  const comparable = "name flags db sub psub ssub multi qbuf argv-mem obl oll omem events cmd user redir resp".split(
    " ",
  );
  for (const i of [0, 1]) {
    const [theirs, ours] = [lines[0][i], lines[1][i]];
    assertEquals([...ours.keys()], [...theirs.keys()]);
    assertEquals(comparable.map((name) => ours.get(name)), comparable.map((name) => theirs.get(name)));
  }
});

test("client: KILL by every filter", async () => {
  await using server = await createServer();
  using me = await connect(server);
  const victim = async () => {
    const client = await connect(server);
    await client.ok("CLIENT", "SETNAME", "victim");
    const [line] = (await list(me)).filter((each) => each.get("name") === "victim");
    return { client, line };
  };
  const filters: ((line: Map<string, string>) => string[])[] = [
    (line) => ["ID", line.get("id")!],
    (line) => ["ADDR", line.get("addr")!],
    (line) => ["ADDR", line.get("addr")!, "LADDR", line.get("laddr")!, "TYPE", "normal", "USER", "default"],
    () => ["TYPE", "normal"],
    () => ["USER", "default", "SKIPME", "yes"],
  ];
  for (const filter of filters) {
    const { client, line } = await victim();
    assertEquals(await me.call("CLIENT", "KILL", ...filter(line)), 1, filter(line).join(" "));
    assertEquals(await client.readToEnd(), "");
    client.close();
  }
  const { client, line } = await victim();
  assertEquals(await me.call("CLIENT", "KILL", line.get("addr")!), { status: "OK" });
  assertEquals(await client.readToEnd(), "");
  client.close();
  me.send("CLIENT KILL SKIPME no\r\nPING\r\n");
  assertEquals(await me.readToEnd(), ":1\r\n");
});

test("client: REPLY drops what it says", async () => {
  await using server = await createServer();
  using client = await connect(server);
  client.send(
    "CLIENT REPLY SKIP\r\nECHO 1\r\nECHO 2\r\nCLIENT REPLY OFF\r\nECHO 3\r\nnosuch\r\nCLIENT REPLY SKIP\r\nCLIENT REPLY ON\r\nECHO 4\r\n" +
      "CLIENT REPLY SKIP\r\nCLIENT REPLY ON\r\nECHO 5\r\nCLIENT REPLY SKIP\r\nCLIENT REPLY SKIP\r\nECHO 6\r\nECHO 7\r\n",
  );
  assertEquals(await client.readReplies(6), ["2", { status: "OK" }, "4", { status: "OK" }, "5", "7"]);
});

test("client: a pause holds back writes or everything, and order is kept", async () => {
  await using server = await createServer();
  using control = await connect(server);
  using writer = await connect(server);
  await control.ok("CLIENT", "PAUSE", 100_000, "WRITE");
  writer.send("SET k 1\r\nGET k\r\nINCR k\r\n");
  assertEquals(await control.call("GET", "k"), null);
  const blocked = async () => (await list(control)).filter((line) => line.get("flags") === "b").length;
  assertEquals(await blocked(), 1);
  assertEquals(await control.call("SET", "x"), { error: "ERR wrong number of arguments for 'set' command" });
  await control.ok("CLIENT", "UNPAUSE");
  assertEquals(await writer.readReplies(3), [{ status: "OK" }, "1", 2]);

  // It ends by itself.
  await control.ok("CLIENT", "PAUSE", 50);
  assertEquals(await writer.call("PING"), { status: "PONG" });
});

test("client: UNBLOCK with and without an error", async () => {
  await using server = await createServer();
  using control = await connect(server);
  using waiter = await connect(server);
  const id = await waiter.ok("CLIENT", "ID") as number;
  const isBlocked = async () => (await list(control, "ID", String(id)))[0].get("flags") === "b";
  for (const reason of [[], ["TIMEOUT"], ["ERROR"]]) {
    waiter.send("BLPOP none 0\r\nPING\r\n");
    while (!await isBlocked());
    assertEquals(await control.call("CLIENT", "UNBLOCK", id, ...reason), 1);
    assertEquals(await waiter.readReplies(2), [
      reason[0] === "ERROR" ? { error: "UNBLOCKED client unblocked via CLIENT UNBLOCK" } : { nil: "*" },
      { status: "PONG" },
    ]);
    assertEquals(await control.call("CLIENT", "UNBLOCK", id), 0);
  }
});

test("client: maxmemory-clients evicts the largest, but not who is exempt", async () => {
  await using server = await createServer({ config: { "maxmemory-clients": "3mb" } });
  using control = await connect(server);
  const grown = async (name: string, exempt: boolean) => {
    const client = await connect(server);
    await client.ok("CLIENT", "SETNAME", name);
    if (exempt) await client.ok("CLIENT", "NO-EVICT", "on");
    client.send(`*1\r\n$2000000\r\n${"x".repeat(1_900_000)}`);
    return client;
  };
  const names = async () => (await list(control)).map((line) => line.get("name")).filter((name) => name !== "").sort();
  const qbuf = async (name: string) =>
    Number((await list(control)).find((line) => line.get("name") === name)?.get("qbuf") ?? -1);
  using _one = await grown("exempt", true);
  while (await qbuf("exempt") < 1_900_000);
  using _two = await grown("first", false);
  while (await qbuf("first") < 1_900_000);
  assertEquals(await names(), ["exempt", "first"]);
  using _three = await grown("second", false);
  while ((await names()).length > 2);
  assert((await names()).includes("exempt"));
  await control.ok("CONFIG", "SET", "maxmemory-clients", "1mb");
  while ((await names()).length > 1);
  assertEquals(await names(), ["exempt"]);
});
