/** ioredis against a real server: connecting, pipelines, transactions, scanning, blocking, a password. */

import { assertEquals, assertRejects } from "@std/assert";
import { Redis } from "ioredis";
import { startRedstart } from "../kit/server.ts";
import { test } from "../kit/test.ts";
import { drive } from "./representative.ts";

test("ioredis: commands of every kind", async () => {
  await using server = await startRedstart();
  const redis = new Redis({ port: server.port, host: "127.0.0.1", connectionName: "mine", db: 3 });
  try {
    await drive((name, ...words) => redis.call(name, ...words));
    assertEquals(await redis.client("GETNAME"), "mine");
    assertEquals(await redis.hset("h", { a: 1, b: 2 }), 2);
    assertEquals(await redis.hgetall("h"), { a: "1", b: "2" });
    assertEquals(await redis.getBuffer("k"), (await import("node:buffer")).Buffer.from("válue\r\n"));
  } finally {
    redis.disconnect();
  }
});

test("ioredis: pipelines, transactions, scanning, a blocked client", async () => {
  await using server = await startRedstart();
  const redis = new Redis({ port: server.port, host: "127.0.0.1" });
  const waiter = redis.duplicate();
  try {
    assertEquals(await redis.pipeline().set("a", 1).incr("a").get("a").exec(), [[null, "OK"], [null, 2], [null, "2"]]);
    assertEquals(await redis.multi().set("b", 1).incr("b").exec(), [[null, "OK"], [null, 2]]);
    await redis.mset(Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`key:${i}`, i])));
    const found = new Set<string>();
    for await (const keys of redis.scanStream({ match: "key:*" })) for (const key of keys) found.add(key);
    assertEquals(found.size, 500);
    const popped = waiter.blpop("list", 0);
    await redis.rpush("list", "x");
    assertEquals(await popped, ["list", "x"]);
  } finally {
    redis.disconnect();
    waiter.disconnect();
  }
});

test("ioredis: a password, a unix socket", async () => {
  await using server = await startRedstart({ unix: true, args: ["--requirepass", "secret"] });
  const redis = new Redis({ path: server.path, password: "secret" });
  const stranger = new Redis({ path: server.path, enableReadyCheck: false, lazyConnect: true });
  stranger.on("error", () => {});
  try {
    assertEquals(await redis.set("k", "v"), "OK");
    await assertRejects(() => stranger.get("k"), Error, "NOAUTH");
  } finally {
    redis.disconnect();
    stranger.disconnect();
  }
});
