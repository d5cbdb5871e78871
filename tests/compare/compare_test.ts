/**
 * The differential fuzzer as a test, family by family and all together; `deno task compare` sends more. The commands are the same in
 * every run: a failure here comes from a change, not from chance, and names the line that shows it again.
 */

import { assertEquals } from "@std/assert";
import { hasRedis, startRedis, startRedstart } from "../kit/server.ts";
import { test } from "../kit/test.ts";
import type { Family } from "./family.ts";
import { families } from "./families.ts";
import { fuzz, showDifference } from "./fuzz.ts";

/** Commands per runtime: with both, well over 200,000. */
const PER_FAMILY = 4_000;
const TOGETHER = 60_000;
/** Commands that Redstart does not have yet. */
const MISSING: readonly string[] = ["ACL"];

async function compare(chosen: readonly Family[], commands: number, seed: number): Promise<void> {
  if (!hasRedis()) return;
  await using redis = await startRedis();
  await using redstart = await startRedstart();
  const result = await fuzz(redis, redstart, { families: chosen, commands, seed, limit: 3 });
  assertEquals(result.missing.filter((name) => !MISSING.includes(name)), []);
  assertEquals(result.differences.map((difference) => showDifference(difference, chosen)).join("\n\n"), "");
}

for (const family of families) {
  test(`compare: ${family.name} commands answer as redis-server does`, () => compare([family], PER_FAMILY, 1));
}

test("compare: all commands mixed answer as redis-server does", () => compare(families, TOGETHER, 2));
