/** Glob patterns: fixed cases of every rule, hostile patterns, and KEYS and COMMAND LIST of the real Redis. */
import { assert, assertEquals } from "@std/assert";
import { test } from "../kit/test.ts";
import { hasRedis, startRedis } from "../kit/server.ts";
import { fromLatin1 } from "../../lib/bytes/ascii.ts";
import { globMatch } from "../../lib/bytes/glob.ts";
import { Seeded } from "../kit/seeded.ts";

/** The pattern and the text lie between bytes that would change the result if they were read. */
function matches(pattern: string, text: string, nocase = false): boolean {
  const p = fromLatin1(`*${pattern}*`);
  const t = fromLatin1(`a${text}b`);
  return globMatch(p, 1, pattern.length, t, 1, text.length, nocase);
}

test("every rule, the odd ones included", () => {
  const yes: [string, string][] = [
    ["", ""],
    ["h?llo", "hello"],
    ["h*llo", "heeeello"],
    ["*", "x"],
    ["a**", "a"],
    ["*a*b*c", "xxaxxbxxc"],
    ["h[ae]llo", "hallo"],
    ["h[^e]llo", "hallo"],
    ["h[a-b]llo", "hbllo"],
    ["h[b-a]llo", "hallo"],
    ["[\\]]", "]"],
    ["[a\\-z]", "-"],
    ["\\*", "*"],
    ["a\\", "a\\"],
    ["[abc", "b"],
    ["[^", "x"],
    ["[^]", "x"],
    ["[a-]", "_"],
    ["\xff", "\xff"],
    ["[\x80-\x05]", "\xf0"],
  ];
  const no: [string, string][] = [
    ["*", ""],
    ["a", ""],
    ["", "a"],
    ["?", ""],
    ["h?llo", "hllo"],
    ["h[^e]llo", "hello"],
    ["[]", "]"],
    ["[", "["],
    ["[", "x"],
    ["\\*", "a"],
    ["a*b", "ac"],
    ["A", "a"],
    ["[\x05-\x80]", "\x10"],
  ];
  for (const [pattern, text] of yes) assert(matches(pattern, text), pattern);
  for (const [pattern, text] of no) assert(!matches(pattern, text), pattern);
  assert(matches("HeL[l-m]O", "hello", true));
  assert(!matches("[\\A]", "a", true), "after a backslash in a class, case counts");
});

test("patterns made to explode end quickly, and ten thousand stars need no stack", () => {
  assert(!matches("a*".repeat(30) + "b", "a".repeat(60)));
  assert(!matches("*a".repeat(10_000) + "c", "a".repeat(20_000)));
  assert(matches("*a".repeat(10_000), "a".repeat(10_000)));
});

const PATTERN_BYTES = "aabbABc[[]]^^--\\\\***??{\x80\xff";

function randomPattern(random: Seeded, bytes: string): string {
  return Array.from({ length: random.below(9) }, () => random.pick(bytes)).join("");
}

test("KEYS of Redis finds the same keys", async () => {
  if (!hasRedis()) return;
  await using server = await startRedis();
  const client = await server.connect();
  const random = new Seeded(16);
  const keys = new Set([""]);
  while (keys.size < 250) {
    keys.add(Array.from({ length: random.below(6) }, () => random.pick("aabbABc[]^-\\*?\x80\xff")).join(""));
  }
  await client.ok("MSET", ...[...keys].flatMap((key) => [key, 1]));
  for (let round = 0; round < 20; round++) {
    // Redis answers a lone star without matching.
    const patterns = Array.from({ length: 200 }, () => randomPattern(random, PATTERN_BYTES)).filter((p) => p !== "*");
    const replies = await client.pipeline(patterns.map((pattern) => ["KEYS", pattern]));
    patterns.forEach((pattern, i) => {
      const expected = [...keys].filter((key) => matches(pattern, key)).sort();
      assertEquals((replies[i] as string[]).sort(), expected, JSON.stringify(pattern));
    });
  }
});

test("COMMAND LIST of Redis, which ignores case, finds the same names", async () => {
  if (!hasRedis()) return;
  await using server = await startRedis();
  const client = await server.connect();
  const random = new Seeded(17);
  const names = await client.ok("COMMAND", "LIST") as string[];
  const patterns = Array.from({ length: 3000 }, () => randomPattern(random, "sSeEtTgGhH[[]]^--\\****??"));
  const replies = await client.pipeline(patterns.map((p) => ["COMMAND", "LIST", "FILTERBY", "PATTERN", p]));
  patterns.forEach((pattern, i) => {
    const expected = names.filter((name) => !name.includes("|") && matches(pattern, name, true)).sort();
    const found = (replies[i] as string[]).filter((name) => !name.includes("|")).sort();
    assertEquals(found, expected, JSON.stringify(pattern));
  });
});
