/** DEBUG DIGEST against redis-server, for values of every type and encoding that both have. */

import type { Command } from "../kit/client.ts";
import { assertSameAsRedis } from "../kit/differential.ts";
import { test } from "../kit/test.ts";

test("equal data has the digest that it has in redis-server", async () => {
  const many = (command: string, key: string, each: (i: number) => string[]): Command => [
    command,
    key,
    ...Array.from({ length: 600 }, (_, i) => each(i)).flat(),
  ];
  const keys = ["string", "list", "lists", "int", "set", "intset", "sets", "hash", "hashes", "zset", "zsets"];
  const commands: Command[] = [
    ["DEBUG", "DIGEST"],
    ["SET", "string", "hello"],
    ["SET", "int", "12345"],
    ["RPUSH", "list", "b", "1", "", "a"],
    many("RPUSH", "lists", (i) => [`${"element".repeat(i % 9)} ${i}`]),
    ["SADD", "set", "a", "b", ""],
    ["SADD", "intset", "3", "-1", "2"],
    many("SADD", "sets", (i) => [`member ${i}`]),
    ["HSET", "hash", "a", "1", "", ""],
    many("HSET", "hashes", (i) => [`field ${i}`, `${i * i}`]),
    ["ZADD", "zset", "1.5", "a", "-inf", "b", "1e-9", "3"],
    many("ZADD", "zsets", (i) => [`${i / 7}`, `member ${i}`]),
    ["EXPIRE", "set", "1000"],
    ...keys.map((key): Command => ["DEBUG", "DIGEST-VALUE", key, "none"]),
    ["DEBUG", "DIGEST"],
    ["SELECT", "3"],
    ["SET", "string", "hello"],
    ["DEBUG", "DIGEST"],
  ];
  await assertSameAsRedis(commands);
});
