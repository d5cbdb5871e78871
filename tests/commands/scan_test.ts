/** SCAN: what it promises while keys come and go, and its options against redis-server. */

import { assert, assertEquals } from "@std/assert";
import type { Command } from "../kit/client.ts";
import { assertSameAsRedis } from "../kit/differential.ts";
import { InProcess } from "../kit/inprocess.ts";
import { Seeded } from "../kit/seeded.ts";
import { test } from "../kit/test.ts";

/** Cursor and elements of a reply to SCAN. */
function parse(reply: string): { cursor: string; keys: string[] } {
  const words = reply.split("\r\n");
  return { cursor: words[2], keys: words.slice(4).filter((_, i) => i % 2 === 1) };
}

test("SCAN's options are checked as Redis does", async () => {
  const commands: Command[] = [["SET", "key", "v"], ["SET", "n", "1"]];
  const options = [
    "0",
    "0 MATCH k* COUNT 100",
    "0 COUNT 100 MATCH *",
    "0 COUNT 100 TYPE STRING MATCH k??",
    "0 COUNT 100 TYPE list",
    "0 COUNT 100 TYPE nope",
    "0 COUNT 0",
    "0 COUNT -1",
    "0 COUNT x",
    "0 COUNT 9223372036854775807 MATCH n",
    "0 COUNT 9223372036854775808",
    "0 COUNT",
    "0 MATCH",
    "0 TYPE",
    "0 NOPE",
    "0 NOPE x",
    "x",
    "-",
    "1x",
    "18446744073709551616",
    "0 count x match",
  ];
  for (const option of options) commands.push(["SCAN", ...option.split(" ")]);
  commands.push(["SCAN"], ["SCAN", ""], ["SCAN", " 0"], ["SCAN", "0", "MATCH", ""]);
  // Two keys may come in either order, and in one call or two: the first pass brings both where COUNT is large.
  const same = (_command: Command, a: unknown, b: unknown): boolean => {
    const canonical = (reply: unknown) =>
      JSON.stringify(Array.isArray(reply) ? [...reply[1] as string[]].sort() : reply);
    return canonical(a) === canonical(b);
  };
  await assertSameAsRedis(commands, { same });
});

test("every key that is there throughout is returned, whatever happens to the others", () => {
  for (let seed = 1; seed <= 20; seed++) {
    const random = new Seeded(seed);
    const server = new InProcess(seed);
    const count = random.between(1, 2000);
    for (let i = 0; i < count; i++) server.run("SET", `stay:${i}`, "v");
    for (let i = 0; i < count * 4; i++) server.run("SET", `go:${i}`, "v");
    const seen = new Set<string>();
    let cursor = "0";
    let calls = 0;
    do {
      const part = parse(server.run("SCAN", cursor, "COUNT", random.between(1, 30)));
      for (const key of part.keys) seen.add(key);
      cursor = part.cursor;
      // The table shrinks and grows meanwhile.
      for (let n = random.below(60); n > 0; n--) {
        const key = `go:${random.below(count * 4)}`;
        if (random.chance(seed % 2 === 0 ? 0.8 : 0.2)) server.run("DEL", key);
        else server.run("SET", key, "v");
      }
    } while (cursor !== "0" && ++calls < 100_000);
    for (let i = 0; i < count; i++) assert(seen.has(`stay:${i}`), `seed ${seed}: stay:${i} was not returned`);
  }
});

test("COUNT is about how many are returned by a call", () => {
  const server = new InProcess();
  for (let i = 0; i < 10_000; i++) server.run("SET", `k${i}`, "v");
  for (const count of [1, 10, 500]) {
    const { keys } = parse(server.run("SCAN", 0, "COUNT", count));
    assert(keys.length >= count && keys.length < count + 30, `${keys.length} for COUNT ${count}`);
  }
  const all = parse(server.run("SCAN", 0, "COUNT", "9223372036854775807"));
  assertEquals([all.cursor, all.keys.length], ["0", 10_000]);
});

test("keys that have expired are deleted and not returned", async () => {
  const server = new InProcess();
  server.run("SET", "a", "v", "PX", 5);
  server.run("SET", "b", "v", "PX", 5);
  server.run("SET", "c", "v");
  await server.advance(6);
  server.events();
  assertEquals(parse(server.run("SCAN", 0, "MATCH", "[ac]")).keys, ["c"]);
  assertEquals(server.events(), ["0 expired a"]);
  assertEquals(parse(server.run("SCAN", 0, "TYPE", "string")).keys, ["c"]);
  assertEquals(server.events(), ["0 keymiss b", "0 expired b"]);
  assertEquals(server.engine.keyspace.keys, 1);
});
