/** The protocol at the socket: the same bytes go to redis-server and to Redstart, and the same bytes must come back. */

import { assert, assertEquals } from "@std/assert";
import { createServer } from "../../mod.ts";
import { Client, encodeCommand, encodeCommands } from "../kit/client.ts";
import { hasRedis, startRedis, startRedstart, type TestServer } from "../kit/server.ts";
import { test } from "../kit/test.ts";

/** What a server sends back for these bytes until it closes the connection (QUIT makes sure that it does). */
async function answer(server: TestServer, bytes: string): Promise<string> {
  using client = await server.connect();
  client.timeoutMs = 5000;
  client.send(`${bytes}QUIT\r\n`);
  try {
    return await client.readToEnd();
  } catch (error) {
    return `${error}`;
  }
}

const SET = "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n";

/** Inputs after which the connection goes on, or is closed with an error. */
const INPUTS: readonly string[] = [
  // Multibulk headers
  "\r\n",
  "\n\n\r\n",
  "*0\r\n",
  "*-10\r\n",
  "*-1\r\n*1\r\n$4\r\nPING\r\n",
  "*3000000000\r\n",
  "*2147483648\r\n",
  "*99999999999999999999\r\n",
  "*\r\n",
  "*a\r\n",
  "* 1\r\n",
  "*1 \r\n",
  "*+1\r\n",
  "*01\r\n",
  "*1\r\nfoo\r\n",
  "*1\r\n:4\r\nPING\r\n",
  `*${"1".repeat(70_000)}`,
  // Bulk headers
  `${SET}fooz\r\n`,
  `${SET}$-10\r\n`,
  `${SET}$-1\r\n`,
  `${SET}$2000000000\r\n`,
  `${SET}$536870913\r\n`,
  `${SET}$blabla\r\n`,
  `${SET}$\r\n`,
  `${SET}$ 1\r\n`,
  `${SET}$01\r\nx\r\n`,
  `${SET}$+1\r\nx\r\n`,
  `${SET}$${"1".repeat(70_000)}`,
  `${SET}$0\r\n\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n`,
  `${SET}$3\r\na\r\n\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n`,
  // What follows a bulk's bytes is not looked at.
  `${SET}$1\r\nabc*2\r\n$3\r\nGET\r\n$1\r\nk\r\n`,
  "*1\r\n$0\r\n\r\n",
  "*2\r\n$0\r\n\r\n$1\r\na\r\n",
  // Inline
  "PING\r\n",
  "ping\n",
  "  PING   hello  \r\n",
  "\tECHO\ta\r\n",
  'ECHO "a b"\r\n',
  "ECHO 'a b'\r\n",
  'ECHO "\\x41\\n\\r\\t\\b\\a\\q\\\\\\""\r\n',
  "ECHO 'a\\'b\\n'\r\n",
  'ECHO "\\xZZ"\r\n',
  'ECHO ""\r\n',
  "ECHO ''\r\n",
  'ECHO a"b c"\r\n',
  'ECHO "a"b\r\n',
  'ECHO "a\r\n',
  "ECHO 'a\r\n",
  'set """test-key""" test-value\r\n',
  'ECHO a""\r\n',
  "ECHO \xff\xfe\r\n",
  "ECHO a\rb\r\n",
  '"PING"\r\n',
  `ECHO ${"x".repeat(60_000)}\r\n`,
  // Errors of commands
  "nosuch a b\r\n",
  "*3\r\n$6\r\nno\r\nsu\r\n$1\r\na\r\n$3\r\nb\r\nc\r\n",
  `nosuch ${"y".repeat(200)} z\r\n`,
  `${"n".repeat(300)} a\r\n`,
  `nosuch ${"abcdefghij ".repeat(20)}\r\n`,
  "CLIENT nosuch\r\n",
  `CLIENT ${"s".repeat(300)}\r\n`,
  "GET\r\n",
  "CLIENT KILL\r\n",
  "ping x y z\r\n",
];

test("protocol: every kind of request and of error as redis-server answers it", async () => {
  if (!hasRedis()) return;
  await using redis = await startRedis();
  await using redstart = await startRedstart();
  for (const input of INPUTS) {
    const shown = JSON.stringify(input.slice(0, 80));
    assertEquals(`${shown} ${await answer(redstart, input)}`, `${shown} ${await answer(redis, input)}`);
  }
});

test("protocol: before AUTH the limits are tighter", async () => {
  if (!hasRedis()) return;
  const args = ["--requirepass", "secret"];
  await using redis = await startRedis({ args });
  await using redstart = await startRedstart({ args });
  const inputs = [
    "*100\r\n",
    `*10\r\n${"$4\r\nPING\r\n".repeat(10)}`,
    "*11\r\n",
    "*1\r\n$100000000\r\n",
    `*1\r\n$16384\r\n${"x".repeat(16384)}\r\n`,
    "*1\r\n$16385\r\n",
    "GET k\r\nPING\r\nnosuch\r\nAUTH wrong\r\nAUTH secret\r\nGET k\r\n*100\r\n",
    "HELLO\r\nHELLO 2 AUTH default wrong\r\nHELLO 2 AUTH default secret SETNAME me\r\nCLIENT GETNAME\r\n",
    "MULTI\r\nRESET\r\nQUIT\r\n",
    "HELLO 3 AUTH default secret SETNAME \x01\r\n",
  ];
  for (const input of inputs) {
    // Client ids differ from server to server.
    const [ours, theirs] = [await answer(redstart, input), await answer(redis, input)].map((text) =>
      text.replace(/id\r\n:\d+/, "id")
    );
    assertEquals(`${JSON.stringify(input)} ${ours}`, `${JSON.stringify(input)} ${theirs}`);
  }
});

test("protocol: commands split at every byte", async () => {
  await using server = await createServer();
  using client = await Client.connect({ port: server.port });
  const bytes = encodeCommands([["SET", "key", "va\r\nlue"], ["ECHO", "x".repeat(20)], ["GET", "key"]]);
  const inline = new TextEncoder().encode('ECHO "in line"\r\n');
  const expected = [{ status: "OK" }, "x".repeat(20), "va\r\nlue", "in line"];
  const all = new Uint8Array([...bytes, ...inline]);
  for (let cut = 1; cut < all.length; cut++) {
    client.send(all.slice(0, cut));
    // The server has read the first part when it answers somebody else.
    using other = await Client.connect({ port: server.port });
    await other.ok("PING");
    client.send(all.slice(cut));
    assertEquals(await client.readReplies(4), expected, `cut at ${cut}`);
  }
});

test("protocol: connections that are in the middle of a command do not disturb each other", async () => {
  await using server = await createServer();
  const clients = [];
  for (let i = 0; i < 5; i++) clients.push(await Client.connect({ port: server.port }));
  const parts = clients.map((_, i) => encodeCommand(["ECHO", `${i}`.repeat(100 + i)]));
  const longest = Math.max(...parts.map((part) => part.length));
  for (let at = 0; at < longest; at += 13) {
    for (let i = 0; i < clients.length; i++) if (at < parts[i].length) clients[i].send(parts[i].slice(at, at + 13));
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  for (let i = 0; i < clients.length; i++) assertEquals(await clients[i].readReply(), `${i}`.repeat(100 + i));
  for (const client of clients) client.close();
});

test("protocol: long pipelines, many arguments, large values", async () => {
  await using server = await createServer();
  using client = await Client.connect({ port: server.port });
  const replies = await client.pipeline(Array.from({ length: 20_000 }, (_, i) => ["ECHO", i]));
  assertEquals(replies, Array.from({ length: 20_000 }, (_, i) => String(i)));

  const pairs = Array.from({ length: 10_000 }, (_, i) => [`k${i}`, `v${i}`]).flat();
  assertEquals(await client.call("MSET", ...pairs), { status: "OK" });
  assertEquals(await client.call("GET", "k9999"), "v9999");

  const value = "0123456789abcdef".repeat(500_000);
  assertEquals(await client.call("SET", "big", value), { status: "OK" });
  const back = await client.pipeline([["GET", "big"], ["STRLEN", "big"], ["PING"]]);
  assert(back[0] === value);
  assertEquals(back.slice(1), [value.length, { status: "PONG" }]);
});

test("protocol: what was sent before QUIT or an error is answered, what follows is not executed", async () => {
  await using server = await createServer();
  const first = await Client.connect({ port: server.port });
  first.send("SET a 1\r\nQUIT\r\nSET a 2\r\n");
  assertEquals(await first.readToEnd(), "+OK\r\n+OK\r\n");
  const second = await Client.connect({ port: server.port });
  second.send("GET a\r\n*1\r\nfoo\r\nSET a 3\r\n");
  assertEquals(await second.readToEnd(), "$1\r\n1\r\n-ERR Protocol error: expected '$', got 'f'\r\n");
  using third = await Client.connect({ port: server.port });
  assertEquals(await third.call("GET", "a"), "1");
});

test("protocol: a line that does not end is given up", async () => {
  await using server = await createServer();
  for (const [start, error] of [["", "too big inline request"], ["*", "too big mbulk count string"]]) {
    using client = await Client.connect({ port: server.port });
    client.send(start + "1".repeat(70_000));
    assertEquals(await client.readToEnd(), `-ERR Protocol error: ${error}\r\n`);
  }
});

test("protocol: an HTTP request is cut off without a reply", async () => {
  await using server = await createServer();
  for (const request of ["POST / HTTP/1.1\r\n\r\nSET http 1\r\n", "GET / HTTP/1.1\r\nHost: x\r\nSET http 1\r\n"]) {
    using client = await Client.connect({ port: server.port });
    client.send(request);
    const answer = await client.readToEnd();
    assert(answer === "" || answer.startsWith("-ERR wrong number of arguments for 'get' command\r\n"), answer);
  }
  using client = await Client.connect({ port: server.port });
  assertEquals(await client.call("EXISTS", "http"), 0);
});
