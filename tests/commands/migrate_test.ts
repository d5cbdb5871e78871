/** MIGRATE: to a server of our own and to redis-server, what arrives, what stays, and what goes wrong. */

import { assert, assertEquals } from "@std/assert";
import { createServer as listen, type Server, type Socket } from "node:net";
import { createServer } from "../../mod.ts";
import { Client } from "../kit/client.ts";
import { hasRedis, startRedis, startRedstart } from "../kit/server.ts";
import { test } from "../kit/test.ts";

const OK = { status: "OK" };
const NOKEY = { status: "NOKEY" };
const connect = (server: { readonly port: number }) => Client.connect({ port: server.port });

/** Waits until a field of INFO has a value; there is no clock to pass to another process. */
async function info(client: Client, name: string): Promise<string | undefined> {
  return new RegExp(`^${name}:(.*?)\r?$`, "m").exec(await client.ok("INFO") as string)?.[1];
}

/** A peer that answers with given bytes, or not at all. */
async function peer(answer: string | null): Promise<{ port: number; close(): void }> {
  const sockets = new Set<Socket>();
  const server: Server = listen((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("data", () => answer !== null && socket.write(answer));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  return {
    port: (server.address() as { port: number }).port,
    close() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

test("migrate: one key, its time to live, COPY, REPLACE, and keys that are there already", async () => {
  await using source = await createServer();
  await using target = await createServer();
  using from = await connect(source);
  using to = await connect(target);
  const migrate = (...words: string[]) => from.call("MIGRATE", "127.0.0.1", target.port, ...words);
  await to.ok("SELECT", 9);

  assertEquals(await migrate("k", "9", "5000"), NOKEY);
  await from.ok("SET", "k", "value", "PX", 100_000);
  assertEquals(await migrate("k", "9", "5000"), OK);
  assertEquals(await from.call("EXISTS", "k"), 0);
  assertEquals(await to.call("GET", "k"), "value");
  const ttl = await to.ok("PTTL", "k") as number;
  assert(ttl > 0 && ttl <= 100_000, String(ttl));

  await from.ok("RPUSH", "l", "a", "b", "c");
  assertEquals(await migrate("l", "9", "5000", "COPY"), OK);
  assertEquals(await from.call("LLEN", "l"), 3);
  assertEquals(await to.call("LRANGE", "l", 0, -1), ["a", "b", "c"]);
  const busy = { error: "ERR Target instance replied with error: BUSYKEY Target key name already exists." };
  assertEquals(await migrate("l", "9", "5000"), busy);
  assertEquals(await from.call("LLEN", "l"), 3);
  await from.ok("RPUSH", "l", "d");
  assertEquals(await migrate("l", "9", "5000", "replace"), OK);
  assertEquals(await from.call("EXISTS", "l"), 0);
  assertEquals(await to.call("LLEN", "l"), 4);
  assertEquals(await info(from, "migrate_cached_sockets"), "1");
});

test("migrate: many keys, of which only those that arrived are deleted", async () => {
  await using source = await createServer();
  await using target = await createServer();
  using from = await connect(source);
  using to = await connect(target);
  await from.ok("MSET", "a", 1, "b", 2, "c", 3, "d", 4);
  await to.ok("MSET", "b", "_", "d", "_");
  const words = ["MIGRATE", "127.0.0.1", String(target.port), "", "0", "5000", "KEYS", "none", "a", "b", "c", "d"];
  assertEquals(await from.call(...words), {
    error: "ERR Target instance replied with error: BUSYKEY Target key name already exists.",
  });
  assertEquals((await from.ok("KEYS", "*") as string[]).sort(), ["b", "d"]);
  assertEquals(await to.call("MGET", "a", "b", "c", "d"), ["1", "_", "3", "_"]);
});

test("migrate: a value larger than what the sockets hold", async () => {
  await using source = await createServer();
  await using target = await createServer();
  using from = await connect(source);
  using to = await connect(target);
  const value = "0123456789abcdef".repeat(1 << 20);
  await from.ok("CONFIG", "SET", "rdbcompression", "no");
  await from.ok("SET", "k", value);
  assertEquals(await from.call("MIGRATE", "127.0.0.1", target.port, "k", 0, 30_000), OK);
  assert(await to.ok("GET", "k") === value);
});

test("migrate: AUTH and AUTH2", async () => {
  await using source = await createServer();
  await using target = await createServer({ config: { requirepass: "secret" } });
  using from = await connect(source);
  using to = await connect(target);
  await to.ok("AUTH", "secret");
  await from.ok("MSET", "a", 1, "b", 2);
  const migrate = (key: string, ...words: string[]) =>
    from.call("MIGRATE", "127.0.0.1", target.port, key, 0, 5000, ...words);
  const failed = (text: string) => ({ error: `ERR Target instance replied with error: ${text}` });
  assertEquals(await migrate("a"), failed("NOAUTH Authentication required."));
  assertEquals(
    await migrate("a", "AUTH", "wrong"),
    failed("WRONGPASS invalid username-password pair or user is disabled."),
  );
  assertEquals(await from.call("EXISTS", "a", "b"), 2);
  assertEquals(await migrate("a", "AUTH", "secret"), OK);
  assertEquals(await migrate("b", "AUTH2", "default", "secret"), OK);
  assertEquals(await to.call("MGET", "a", "b"), ["1", "2"]);
});

test("migrate: what is wrong with the arguments", async () => {
  await using source = await createServer();
  using from = await connect(source);
  await from.ok("SET", "k", "v");
  const migrate = (...words: string[]) => from.call("MIGRATE", "127.0.0.1", "1", ...words);
  assertEquals(await migrate("k", "0", "1000", "KEYS", "k"), {
    error: "ERR When using MIGRATE KEYS option, the key argument must be set to the empty string",
  });
  assertEquals(await migrate("k", "0", "1000", "AUTH"), { error: "ERR syntax error" });
  assertEquals(await migrate("k", "0", "1000", "AUTH2", "user"), { error: "ERR syntax error" });
  assertEquals(await migrate("k", "0", "1000", "NONSENSE"), { error: "ERR syntax error" });
  assertEquals(await migrate("k", "x", "1000"), { error: "ERR value is not an integer or out of range" });
  assertEquals(await migrate("k", "0", "x"), { error: "ERR value is not an integer or out of range" });
  assertEquals(await migrate("k", "0", "1000"), { error: "IOERR error or timeout connecting to the client" });
});

test("migrate: nobody else writes meanwhile, everybody may read, and a peer that is silent or hangs up costs no key", async () => {
  await using source = await createServer();
  const silent = await peer(null);
  const refusing = await peer("-ERR no\r\n-ERR no\r\n");
  try {
    using from = await connect(source);
    using other = await connect(source);
    await from.ok("SET", "k", "v");
    const migrating = from.call("MIGRATE", "127.0.0.1", silent.port, "k", 0, 500);
    // The connection is not made before the next turn of the event loop: another client's commands arrive in between.
    while (await info(other, "blocked_clients") !== "1") await other.ok("PING");
    let written = false;
    const writing = other.call("SET", "k", "w").then((reply) => {
      written = true;
      return reply;
    });
    using reader = await connect(source);
    assertEquals(await reader.call("GET", "k"), "v");
    assertEquals(written, false);
    assertEquals(await migrating, { error: "IOERR error or timeout reading to target instance" });
    assertEquals(await writing, OK);
    assertEquals(await reader.call("GET", "k"), "w");
    assertEquals(await from.call("MIGRATE", "127.0.0.1", refusing.port, "k", 0, 1000), {
      error: "ERR Target instance replied with error: ERR no",
    });
    assertEquals(await from.call("GET", "k"), "w");
    await from.pipeline([["MULTI"], ["MIGRATE", "127.0.0.1", refusing.port, "k", 0, 1000]]);
    assertEquals(await from.call("EXEC"), [{ error: "ERR MIGRATE is not allowed in transactions and scripts" }]);
  } finally {
    silent.close();
    refusing.close();
  }
});

test("migrate: for the append-only file and for replicas it is a DEL", async () => {
  await using target = await createServer();
  await using source = await startRedstart({ args: ["--appendonly", "yes", "--appendfsync", "always"] });
  const from = await source.connect();
  await from.ok("MSET", "a", 1, "b", 2, "c", 3);
  assertEquals(await from.call("MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "KEYS", "a", "b"), OK);
  await from.ok("DEBUG", "LOADAOF");
  assertEquals(await from.call("KEYS", "*"), ["c"]);
});

test("migrate: to and from redis-server", async () => {
  if (!hasRedis()) return;
  await using redis = await startRedis();
  await using own = await createServer();
  using ours = await connect(own);
  const theirs = await redis.connect();
  await ours.ok("HSET", "h", "f", "v");
  await ours.ok("ZADD", "z", 1.5, "a", -2, "b");
  assertEquals(await ours.call("MIGRATE", "127.0.0.1", redis.port, "", 0, 5000, "KEYS", "h", "z"), OK);
  assertEquals(await theirs.call("ZRANGE", "z", 0, -1, "WITHSCORES"), ["b", "-2", "a", "1.5"]);
  assertEquals(await theirs.call("MIGRATE", "127.0.0.1", own.port, "", 0, 5000, "KEYS", "h", "z"), OK);
  assertEquals(await theirs.call("DBSIZE"), 0);
  assertEquals(await ours.call("HGETALL", "h"), ["f", "v"]);
});
