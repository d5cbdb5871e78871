/** DEBUG DIGEST against redis-server, for values of every type and encoding that both have. */

import { assertEquals } from "@std/assert";
import { seventeenDigits } from "../../lib/observe/digest.ts";
import type { Command } from "../kit/client.ts";
import { assertSameReplies } from "../kit/differential.ts";
import { hasRedis, startRedis, startRedstart } from "../kit/server.ts";
import { test } from "../kit/test.ts";

test("doubles are printed as by %.17g", () => {
  const expected: [number, string][] = [
    [0, "0"],
    [-0, "-0"],
    [1, "1"],
    [0.1, "0.10000000000000001"],
    [-2.5, "-2.5"],
    [1e17, "1e+17"],
    [123456789012345680, "1.2345678901234568e+17"],
    [99999999999999984, "99999999999999984"],
    [0.0001, "0.0001"],
    [0.00001, "1.0000000000000001e-05"],
    [1e300, "1.0000000000000001e+300"],
    [5e-324, "4.9406564584124654e-324"],
    [Infinity, "inf"],
    [-Infinity, "-inf"],
  ];
  for (const [n, text] of expected) assertEquals(seventeenDigits(n), text);
});

test("equal data has the digest that it has in redis-server", async () => {
  if (!hasRedis()) return;
  await using redis = await startRedis();
  await using redstart = await startRedstart();
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
  await assertSameReplies(await redis.connect(), await redstart.connect(), commands);
});
