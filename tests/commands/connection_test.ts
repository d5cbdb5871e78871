/** AUTH ECHO HELLO PING QUIT RESET SELECT, compared with redis-server. */

import { assertEquals } from "@std/assert";
import { createServer } from "../../mod.ts";
import { Client, type Command } from "../kit/client.ts";
import { assertSameAsRedis, assertSameReplies, type Same, sameReply } from "../kit/differential.ts";
import type { Reply } from "../kit/reply.ts";
import { hasRedis, startRedis, startRedstart } from "../kit/server.ts";
import { test } from "../kit/test.ts";

/** HELLO shows the client's id. */
const same: Same = (_, a, b) => sameReply(withoutId(a), withoutId(b));
function withoutId(reply: Reply): Reply {
  return JSON.parse(JSON.stringify(reply).replace(/"id",\d+/, '"id",0')) as Reply;
}

const COMMANDS: readonly Command[] = [
  ["PING"],
  ["ping", "a\r\n\0b"],
  ["PING", "a", "b"],
  ["ECHO", ""],
  ["ECHO", "x\xff"],
  ["ECHO"],
  ["SELECT", 15],
  ["SELECT", 16],
  ["SELECT", -1],
  ["SELECT", "x"],
  ["SELECT", "1 "],
  ["SELECT", 3000000000],
  ["SELECT", "-99999999999999999999"],
  ["SELECT", "0"],
  ["AUTH", "x"],
  ["AUTH", "default", "anything"],
  ["AUTH", "Default", "x"],
  ["AUTH", "nobody", "x"],
  ["AUTH", "a", "b", "c"],
  ["AUTH"],
  ["HELLO"],
  ["HELLO", 3],
  ["PING"],
  ["CLIENT", "GETNAME"],
  ["HELLO", 2],
  ["HELLO", 4],
  ["HELLO", 1],
  ["HELLO", "x"],
  ["HELLO", "3x"],
  ["HELLO", "99999999999999999999"],
  ["HELLO", 3, "SETNAME"],
  ["HELLO", 3, "AUTH", "default"],
  ["HELLO", 2, "SETNAME", "a b"],
  ["HELLO", 3, "SETNAME", "ok", "NOSUCH"],
  ["CLIENT", "GETNAME"],
  ["HELLO", 3, "setname", "mine", "auth", "default", "x"],
  ["CLIENT", "GETNAME"],
  ["HELLO", 3, "AUTH", "nobody", "x", "SETNAME", "other"],
  ["CLIENT", "GETNAME"],
  ["MULTI"],
  ["SELECT", 3],
  ["RESET"],
  ["CLIENT", "GETNAME"],
  ["EXEC"],
  ["GET", "k"],
  ["RESET", "x"],
  ["MULTI"],
  ["PING"],
  ["HELLO", 3],
  ["ECHO", "x"],
  ["EXEC"],
  ["RESET"],
  ["MULTI"],
  ["AUTH", "x"],
  ["EXEC"],
];

test("connection: replies and errors as redis-server gives them", async () => {
  await assertSameAsRedis(COMMANDS, { batch: 1, same });
});

test("connection: with a password, as redis-server", async () => {
  if (!hasRedis()) return;
  const args = ["--requirepass", "s\xffcret"];
  await using redis = await startRedis({ args });
  await using redstart = await startRedstart({ args });
  const password = (await (await redis.connect()).call("AUTH", "x"), new TextEncoder().encode("s\xffcret"));
  const commands: Command[] = [
    ["PING"],
    ["GET"],
    ["NOSUCH"],
    ["HELLO"],
    ["HELLO", 3],
    ["RESET"],
    ["AUTH", "secret"],
    ["AUTH", ""],
    ["AUTH", "default", "secret"],
    ["AUTH", "other", password],
    ["HELLO", 3, "AUTH", "default", "wrong"],
    ["AUTH", password],
    ["GET", "k"],
    ["RESET"],
    ["GET", "k"],
    ["HELLO", 3, "AUTH", "default", password],
    ["GET", "k"],
    ["CONFIG", "SET", "requirepass", ""],
    ["AUTH", password],
    ["AUTH", "default", "no matter"],
    ["RESET"],
    ["GET", "k"],
    ["CONFIG", "SET", "requirepass", "abc\0def"],
    ["GET", "k"],
    ["RESET"],
    ["AUTH", "abc"],
    ["AUTH", "abc\0def"],
    ["GET", "k"],
  ];
  await assertSameReplies(await redis.connect(), await redstart.connect(), commands, { batch: 1, same });
});

test("connection: clearing the password lets everybody in, setting one keeps out only new clients", async () => {
  await using server = await createServer({ config: { requirepass: "secret" } });
  using inside = await Client.connect({ port: server.port });
  using outside = await Client.connect({ port: server.port });
  await inside.ok("AUTH", "secret");
  assertEquals(await outside.call("GET", "k"), { error: "NOAUTH Authentication required." });
  await inside.ok("CONFIG", "SET", "requirepass", "");
  assertEquals(await outside.call("GET", "k"), null);
  using later = await Client.connect({ port: server.port });
  assertEquals(await later.call("GET", "k"), null);
  await inside.ok("CONFIG", "SET", "requirepass", "again");
  assertEquals(await later.call("GET", "k"), null);
  assertEquals(await inside.call("GET", "k"), null);
  using newcomer = await Client.connect({ port: server.port });
  assertEquals(await newcomer.call("GET", "k"), { error: "NOAUTH Authentication required." });
});
