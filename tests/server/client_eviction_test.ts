/** Eviction of clients, where it depends on the order in which their bytes come. */

import { assert, assertEquals } from "@std/assert";
import { test } from "../kit/test.ts";
import { World } from "../persist/world.ts";

test("client list: under maxmemory-clients it knows of all bytes that had come by then", async () => {
  const world = new World();
  await world.boot("--maxmemory-clients", "1mb");
  const [asking, sending] = [await world.connect(), await world.connect()];
  asking.send("CLIENT", "LIST");
  asking.send("CLIENT", "LIST", "TYPE", "nonsense");
  asking.send("PING");
  sending.send("CLIENT", "SETNAME", "late");
  const seen = await asking.receive();
  assert(seen.includes(" name=late "), seen);
  assert(!seen.includes("flags=b"), "who waits for the list is not shown as blocked");
  assert(seen.endsWith("-ERR Unknown client type 'nonsense'\r\n+PONG\r\n"), "replies keep their order");

  asking.send("MULTI");
  asking.send("CLIENT", "LIST");
  asking.send("EXEC");
  const inTransaction = await asking.receive();
  assert(inTransaction.startsWith("+OK\r\n+QUEUED\r\n*1\r\n$"), inTransaction);
  assertEquals(await world.field("blocked_clients"), "0");
});

test("client list: without a limit it is answered at once, with the bytes of its own request", async () => {
  const world = new World();
  await world.boot();
  const asking = await world.connect();
  assert((await asking.run("CLIENT", "LIST")).includes(" qbuf=26 "));
});
