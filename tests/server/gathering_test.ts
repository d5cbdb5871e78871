/**
 * What clients are sent in the course of others' batches: by whom and in which order, beside redis-server.
 */

import { assertEquals } from "@std/assert";
import type { Client } from "../kit/client.ts";
import type { Reply } from "../kit/reply.ts";
import { hasRedis, startRedis, startRedstart, type TestServer } from "../kit/server.ts";
import { test } from "../kit/test.ts";

/** Runs the same on both servers and compares what it returns. */
async function onBoth(run: (server: TestServer) => Promise<unknown>): Promise<void> {
  await using ours = await startRedstart();
  const got = await run(ours);
  if (!hasRedis()) return;
  await using redis = await startRedis();
  assertEquals(got, await run(redis));
}

async function connectMany(server: TestServer, count: number): Promise<Client[]> {
  return await Promise.all(Array.from({ length: count }, () => server.connect()));
}

test("messages of pipelines reach every kind of subscriber, each publisher's in order", () =>
  onBoth(async (server) => {
    const subscribers = await connectMany(server, 30);
    const messages: (() => Promise<Reply>)[] = [];
    for (const [i, client] of subscribers.entries()) {
      if (i % 3 === 0) await client.ok("HELLO", 3);
      const [command, name] = i % 2 === 0 ? ["SUBSCRIBE", "news"] : ["PSUBSCRIBE", "n[e]*"];
      client.send(`${command} ${name}\r\n`);
      await client.readAny();
      messages.push(() => client.readAny());
    }
    const [one, two, three] = await connectMany(server, 3);
    const long = "x".repeat(5000);
    const counts = await one.pipeline(Array.from({ length: 40 }, (_, i) => ["PUBLISH", "news", `${i}:${long}`]));
    await two.ok("MULTI");
    await two.ok("PUBLISH", "news", "in a transaction");
    await two.ok("PUBLISH", "other", "nobody hears");
    counts.push(await two.ok("EXEC"));
    // One who listens itself hears its own messages between the replies.
    await three.ok("HELLO", 3);
    three.send("SUBSCRIBE news\r\nPUBLISH news own\r\nPING\r\n");
    const heard = [await three.readAny(), await three.readAny(), await three.readAny(), await three.readAny()];
    const received = [];
    for (const next of messages) {
      const some = [];
      for (let i = 0; i < 42; i++) some.push(await next());
      received.push(some);
    }
    return { counts, heard, received };
  }));

test("clients blocked on keys are served by one pipeline in the order in which they came", () =>
  onBoth(async (server) => {
    const waiting = await connectMany(server, 200);
    const pusher = await server.connect();
    for (const [i, client] of waiting.entries()) {
      const keys = i % 4 === 0 ? ["queue", "queue"] : i % 4 === 1 ? ["other", "queue"] : ["queue"];
      if (i % 5 === 0) client.send("CLIENT REPLY SKIP\r\n");
      client.send(`BLPOP ${keys.join(" ")} 0\r\n`);
      while (!String(await pusher.call("INFO", "clients")).includes(`blocked_clients:${i + 1}\r\n`));
      // What it sends meanwhile waits for its turn.
      if (i % 7 === 0) client.send("ECHO later\r\n");
    }
    waiting[3].close();
    while (!String(await pusher.call("INFO", "clients")).includes("blocked_clients:199\r\n"));
    const pushed = await pusher.pipeline(Array.from({ length: 210 }, (_, i) => ["RPUSH", "queue", i]));
    const left = await pusher.call("LRANGE", "queue", 0, -1);
    const received = [];
    for (const [i, client] of waiting.entries()) {
      if (i === 3) continue;
      client.send("PING\r\n");
      const some = [];
      while (some.at(-1) === undefined || JSON.stringify(some.at(-1)) !== '{"status":"PONG"}') {
        some.push(await client.readReply());
      }
      received.push(some);
    }
    return { pushed, left, received };
  }));
