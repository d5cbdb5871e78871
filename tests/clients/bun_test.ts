/** Bun's own RedisClient against a real server; it exists under Bun only. */

import { assertEquals } from "@std/assert";
import { startRedstart } from "../kit/server.ts";
import { test } from "../kit/test.ts";
import { drive } from "./representative.ts";

interface BunRedis {
  send(command: string, words: string[]): Promise<unknown>;
  hmset(key: string, fields: string[]): Promise<unknown>;
  exists(key: string): Promise<boolean>;
  close(): void;
}
type Constructor = new (url: string) => BunRedis;

test("Bun's RedisClient: commands of every kind", async () => {
  const { Bun } = globalThis as unknown as { Bun?: { RedisClient: Constructor } };
  if (Bun === undefined) return;
  await using server = await startRedstart({ args: ["--requirepass", "secret"] });
  const client = new Bun.RedisClient(`redis://:secret@127.0.0.1:${server.port}/1`);
  try {
    await drive((name, ...words) => client.send(name, words));
    assertEquals(await client.hmset("h", ["a", "1", "b", "2"]), "OK");
    // It speaks RESP3: a map arrives as an object.
    assertEquals({ ...await client.send("HGETALL", ["h"]) as object }, { a: "1", b: "2" });
    assertEquals(await client.exists("h"), true);
  } finally {
    client.close();
  }
});
