/** node-redis (the package `redis`) against a real server, with RESP2 and RESP3. */

import { assertEquals } from "@std/assert";
import { createClient } from "redis";
import { startRedstart } from "../kit/server.ts";
import { test } from "../kit/test.ts";
import { drive } from "./representative.ts";

for (const RESP of [2, 3] as const) {
  test(`node-redis: commands of every kind, RESP${RESP}`, async () => {
    await using server = await startRedstart({ args: ["--requirepass", "secret"] });
    const client = createClient({ url: `redis://:secret@127.0.0.1:${server.port}/2`, RESP, name: "mine" });
    await client.connect();
    try {
      await drive((...words) => client.sendCommand(words));
      assertEquals(await client.clientGetName(), "mine");
      assertEquals(await client.hSet("h", { a: "1", b: "2" }), 2);
      assertEquals({ ...await client.hGetAll("h") }, { a: "1", b: "2" });
      assertEquals(await client.zAdd("z", [{ score: 1.5, value: "one" }, { score: 2, value: "two" }]), 2);
      assertEquals(await client.zScore("z", "one"), 1.5);
      assertEquals(await client.zRangeWithScores("z", 0, -1), [
        { value: "one", score: 1.5 },
        { value: "two", score: 2 },
      ]);
      const [set, got] = await client.multi().set("m", "1").get("m").exec();
      assertEquals([set, got] as unknown[], ["OK", "1"]);
      const found: string[] = [];
      for await (const keys of client.scanIterator({ MATCH: "?" })) found.push(...keys);
      assertEquals(found.sort(), ["h", "k", "m", "n", "s", "z"]);
    } finally {
      client.destroy();
    }
  });
}
