/** Streams in an AOF rewritten without an RDB preamble: the same bytes as redis-server's, small and large, and both load them. */

import { assert, assertEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Client, Command } from "../kit/client.ts";
import { Seeded } from "../kit/seeded.ts";
import { hasRedis, startRedis, startRedstart } from "../kit/server.ts";
import { test } from "../kit/test.ts";

/** Streams with all that they may have; `entries` in the main one. */
function streams(random: Seeded, entries: number): Command[] {
  const commands: Command[] = [];
  for (let i = 1; i <= entries; i++) {
    const own = random.chance(0.2) ? [random.word(5), random.word(200)] : [];
    commands.push(["XADD", "s", `${i}-${i % 3}`, "field", random.word(20), "n", random.below(100000), ...own]);
  }
  return [
    ...commands,
    ["XDEL", "s", "3-0", "7-1", `${entries}-${entries % 3}`],
    ["XGROUP", "CREATE", "s", "g", 0],
    ["XGROUP", "CREATE", "s", "idle", "$"],
    ["XGROUP", "CREATECONSUMER", "s", "g", "nobody"],
    ...Array.from({ length: entries >> 1 }, (_, i): Command => {
      const id = `${i + 10}-${(i + 10) % 3}`;
      const consumer = i % 3 === 0 ? "alice" : "bob";
      const time = 1_600_000_000_000 + i;
      return ["XCLAIM", "s", "g", consumer, 0, id, "TIME", time, "RETRYCOUNT", i % 5, "FORCE", "JUSTID"];
    }),
    ["XGROUP", "SETID", "s", "g", "9-0", "ENTRIESREAD", 8],
    ["PEXPIREAT", "s", 9_000_000_000_000],
  ];
}

const OTHERS: readonly (readonly Command[])[] = [
  [["XADD", "empty", "5-5", "a", "b"], ["XDEL", "empty", "5-5"]],
  [["XGROUP", "CREATE", "made", "g", "$", "MKSTREAM"]],
  [["XADD", "top", "18446744073709551615-18446744073709551615", "a", ""]],
];

/** What is known of a stream, without the times at which consumers were seen. */
async function state(client: Client, key: string): Promise<unknown> {
  const groups = await client.ok("XINFO", "GROUPS", key);
  return [
    await client.ok("DEBUG", "DIGEST-VALUE", key),
    await client.ok("XLEN", key),
    await client.ok("PTTL", key) !== -1,
    groups,
    key === "s" ? await client.ok("XPENDING", key, "g") : null,
  ];
}

const OPTIONS = ["--appendonly", "yes", "--aof-use-rdb-preamble", "no", "--enable-debug-command", "yes"];

async function rewrite(client: Client, commands: readonly Command[], key: string, dir: string) {
  for (const command of commands) await client.ok(...command);
  const before = await state(client, key);
  await client.ok("BGREWRITEAOF");
  for (let info = "aof_rewrite_in_progress:1"; /aof_rewrite_(in_progress|scheduled):1/.test(info);) {
    info = await client.ok("INFO", "persistence") as string;
  }
  const base = join(dir, "appendonlydir", "appendonly.aof.2.base.aof");
  return { before, base: readFileSync(base) };
}

test("streams rewritten as commands have the bytes that redis-server writes, and are loaded by both", async () => {
  if (!hasRedis()) return;
  const random = new Seeded(5);
  const cases: [string, readonly Command[]][] = [["s", streams(random, 50)], ["s", streams(random, 3000)]];
  for (const commands of OTHERS) cases.push([String(commands[0][commands[0][0] === "XGROUP" ? 2 : 1]), commands]);
  for (const [key, commands] of cases) {
    const dirs = [0, 1].map(() => mkdtempSync(join(tmpdir(), "redstart-rewrite-")));
    try {
      let expected: { before: unknown; base: Buffer };
      let found: { before: unknown; base: Buffer };
      {
        await using redis = await startRedis({ dir: dirs[0], args: OPTIONS });
        expected = await rewrite(await redis.connect(), commands, key, dirs[0]);
        await using redstart = await startRedstart({ dir: dirs[1], args: OPTIONS });
        found = await rewrite(await redstart.connect(), commands, key, dirs[1]);
      }
      assertEquals(found.before, expected.before, key);
      assert(expected.base.includes("XSETID"));
      assert(Buffer.compare(found.base, expected.base) === 0, `${key}: other bytes than redis-server's`);
      await using redis = await startRedis({ dir: dirs[1], args: OPTIONS });
      assertEquals(await state(await redis.connect(), key), expected.before, key);
      await using redstart = await startRedstart({ dir: dirs[0], args: OPTIONS });
      assertEquals(await state(await redstart.connect(), key), expected.before, key);
    } finally {
      for (const dir of dirs) rmSync(dir, { recursive: true });
    }
  }
});
