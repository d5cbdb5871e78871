/** The kit itself, tried on the real redis-server: start, stop, unix socket, and every kind of reply. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { ConnectionClosed } from "./client.ts";
import { hasRedis, startRedis, startServer } from "./server.ts";
import { test } from "./test.ts";

test("kit: replies keep their kinds under RESP2 and RESP3", async () => {
  if (!hasRedis()) return;
  await using redis = await startRedis();
  const client = await redis.connect();
  assertEquals(await client.call("SET", "k", "\xff\x00\r\n"), { status: "OK" });
  assertEquals(await client.call("GET", "k"), "\xff\x00\r\n");
  assertEquals(await client.call("GET", new Uint8Array([0xff])), null);
  assertEquals(await client.call("NOPE"), { error: "ERR unknown command 'NOPE', with args beginning with: " });
  await client.ok("SET", "n", "9223372036854775806");
  assertEquals(await client.call("INCR", "n"), 9223372036854775807n);
  assertEquals(await client.call("LPOP", "none", 1), { nil: "*" });
  assertEquals(await client.pipeline([["RPUSH", "l", 1, 2], ["LRANGE", "l", 0, -1]]), [2, ["1", "2"]]);

  await client.ok("HELLO", 3);
  assertEquals(await client.call("GET", "none"), { nil: "_" });
  await client.ok("HSET", "h", "f", "v");
  assertEquals(await client.call("HGETALL", "h"), { map: [["f", "v"]] });
  await client.ok("ZADD", "z", "1.5", "m");
  assertEquals(await client.call("ZSCORE", "z", "m"), { double: "1.5" });
  assertEquals(await client.call("SADD", "s", "a"), 1);
  assertEquals(await client.call("SMEMBERS", "s"), { set: ["a"] });
  assertEquals(await client.call("DEBUG", "PROTOCOL", "TRUE"), { bool: true });
  assertEquals(await client.call("DEBUG", "PROTOCOL", "BIGNUM"), { big: "1234567999999999999999999999999999999" });
  assertEquals(await client.call("DEBUG", "PROTOCOL", "VERBATIM"), {
    verbatim: "txt",
    text: "This is a verbatim\nstring",
  });
  assertEquals(await client.call("DEBUG", "PROTOCOL", "ATTRIB"), {
    attributes: [["key-popularity", ["key:123", 90]]],
    reply: "Some real reply following the attribute",
  });
});

test("kit: a long nested reply in many pieces, push messages, raw bytes", async () => {
  if (!hasRedis()) return;
  await using redis = await startRedis({ unix: true });
  const client = await redis.connect();
  const value = "x".repeat(100_000);
  await client.pipeline(Array.from({ length: 100 }, () => ["RPUSH", "l", value]));
  assertEquals(await client.call("LRANGE", "l", 0, -1), Array(100).fill(value));

  const subscriber = await redis.connect();
  await subscriber.ok("HELLO", 3);
  subscriber.send("SUBSCRIBE c\r\n");
  assertEquals(await subscriber.nextPush(), { push: ["subscribe", "c", 1] });
  assertEquals(await client.call("PUBLISH", "c", "hi"), 1);
  assertEquals(await subscriber.call("PING"), { status: "PONG" });
  assertEquals(await subscriber.nextPush(), { push: ["message", "c", "hi"] });

  client.send("PI");
  client.send("NG\r\n");
  assertEquals(await client.readBytes(7), "+PONG\r\n");
  client.send("QUIT\r\n");
  assertEquals(await client.readToEnd(), "+OK\r\n");
  await assertRejects(() => client.readReply(), ConnectionClosed);
});

test("kit: a server that cannot start says why; a stopped one has exited", async () => {
  await assertRejects(() => startServer(["sh", "-c", "echo broken; exit 3"]), Error, "broken");
  if (!hasRedis()) return;
  const redis = await startRedis();
  assert(redis.output().includes("Ready to accept connections"));
  assertEquals(await redis.stop(), 0);
  await redis[Symbol.asyncDispose]();
});
