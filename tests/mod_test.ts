/** The public API: servers inside this very process. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { createServer } from "../mod.ts";
import { Client } from "./kit/client.ts";
import { test } from "./kit/test.ts";

test("mod: several servers in one process know nothing of each other", async () => {
  await using one = await createServer();
  await using other = await createServer({ config: { databases: "4", "maxmemory-policy": "allkeys-lru" } });
  assert(one.port !== other.port);
  const a = await Client.connect({ port: one.port });
  const b = await Client.connect({ port: other.port });
  await a.ok("SET", "k", "v");
  assertEquals(await b.call("GET", "k"), null);
  assertEquals(await b.call("SELECT", 4), { error: "ERR DB index is out of range" });
  assertEquals(await a.call("SELECT", 4), { status: "OK" });
  assertEquals(await b.call("CONFIG", "GET", "maxmemory-policy"), ["maxmemory-policy", "allkeys-lru"]);
  a.close();
  b.close();
});

test("mod: close ends the connections and frees the port; SHUTDOWN ends the server, not the program", async () => {
  const first = await createServer();
  const client = await Client.connect({ port: first.port });
  await client.ok("PING");
  await first.close();
  await first.close();
  assertEquals(await client.readToEnd(), "");
  await assertRejects(() => Client.connect({ port: first.port }));

  const second = await createServer({ port: first.port });
  assertEquals(second.port, first.port);
  const other = await Client.connect({ port: second.port });
  other.send("SHUTDOWN\r\n");
  await second.closed;
  await second.close();
  await assertRejects(() => Client.connect({ port: second.port }));
  client.close();
  other.close();
});

test("mod: a server that cannot go on ends, and the program does not", async () => {
  const lines: string[] = [];
  const server = await createServer({
    config: { "enable-debug-command": "yes" },
    log: (line) => lines.push(line),
  });
  const other = await Client.connect({ port: server.port });
  const client = await Client.connect({ port: server.port });
  client.send("DEBUG PANIC\r\n");
  await server.closed;
  assertEquals(await other.readToEnd(), "");
  await assertRejects(() => Client.connect({ port: server.port }));
  assert(lines.some((line) => line.includes("Guru Meditation: called by Unit Test")), lines.join(""));
  await server.close();
  client.close();
});

test("mod: a unix socket, a password, the log, a directory of its own", async () => {
  const dir = mkdtempSync(join(tmpdir(), "redstart-"));
  const here = process.cwd();
  const lines: string[] = [];
  try {
    const unixsocket = join(dir, "redis.sock");
    const server = await createServer({
      unixsocket,
      dir,
      config: { requirepass: "secret", save: "3600 1", dbfilename: "own.rdb", loglevel: "verbose" },
      log: (line) => lines.push(line),
    });
    assertEquals([server.port, server.path], [0, unixsocket]);
    const client = await Client.connect({ path: unixsocket });
    assertEquals(await client.call("GET", "k"), { error: "NOAUTH Authentication required." });
    await client.ok("AUTH", "secret");
    await client.ok("SET", "k", "v");
    assertEquals(await client.call("CONFIG", "GET", "dir"), ["dir", dir]);
    client.close();
    await server.close();
    assert(existsSync(join(dir, "own.rdb")));
    assert(!existsSync(unixsocket));
    assertEquals(process.cwd(), here);
    assert(lines.some((line) => line.includes("Accepted")), lines.join(""));

    await using again = await createServer({ dir, config: { dbfilename: "own.rdb" } });
    const reader = await Client.connect({ port: again.port });
    assertEquals(await reader.call("GET", "k"), "v");
    reader.close();
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

test("mod: what cannot be started says why", async () => {
  await assertRejects(() => createServer({ config: { "no-such-thing": "1" } }), Error, "no-such-thing");
  await assertRejects(() => createServer({ config: { maxclients: "many" } }), Error, "maxclients 'many'");
  await using server = await createServer();
  await assertRejects(() => createServer({ port: server.port }), Error);
  const client = await Client.connect({ port: server.port });
  assertEquals(await client.call("PING"), { status: "PONG" });
  client.close();
});
