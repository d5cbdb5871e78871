/** Where the keys of an invocation are: key specs, their notation, and the finders of commands that need more. */
import { assertEquals, assertThrows } from "@std/assert";
import { Args } from "../../lib/bytes/args.ts";
import { Command } from "../../lib/engine/command.ts";
import type { CommandRow } from "../../lib/engine/command.ts";
import {
  bitfieldKeys,
  findKeys,
  KEY_FLAG_WORDS,
  KeyPositions,
  legacyRange,
  migrateKeys,
  parseKeySpecs,
  setKeys,
  sortKeys,
  sortRoKeys,
} from "../../lib/engine/keys.ts";
import { Seeded } from "../kit/seeded.ts";
import type { Reply } from "../kit/reply.ts";
import { hasRedis, startRedis } from "../kit/server.ts";
import { test } from "../kit/test.ts";

function make(
  name: string,
  arity: number,
  keys: string | string[],
  getKeys?: CommandRow["getKeys"],
  flags = "",
): Command {
  return new Command({ name, arity, flags, keys, getKeys, since: "1.0.0", group: "generic", summary: "" }, null);
}

/** One command of each kind of key spec, and all that find keys by themselves. */
const COMMANDS = [
  make("get", 2, "1 RO access"),
  make("lcs", -3, "1:2 RO access"),
  make("mget", -2, "1:-1 RO access"),
  make("blpop", -3, "1:-2 RW access delete"),
  make("mset", -3, "1:-1:2 OW update"),
  make("rename", 3, ["1 RW access delete", "2 OW update"]),
  make("zunion", -3, "#1 RO access"),
  make("zunionstore", -4, ["1 OW update", "#2 RO access"]),
  make("eval", -3, "#2 RW access update", undefined, "no_mandatory_keys"),
  make("xread", -4, "STREAMS(1):-1/2 RO access"),
  make("xreadgroup", -7, "STREAMS(4):-1/2 RO access"),
  make("georadius", -6, ["1 RO access", "STORE(6) OW update", "STOREDIST(6) OW update"]),
  make("georadiusbymember", -5, ["1 RO access", "STORE(5) OW update", "STOREDIST(5) OW update"]),
  make("set", -3, "1 RW access update variable_flags", setKeys),
  make("bitfield", -2, "1 RW update access variable_flags", bitfieldKeys),
  make("sort", -2, ["1 RO access", "? RO access", "? OW update"], sortKeys),
  make("sort_ro", -2, ["1 RO access", "? RO access"], sortRoKeys),
  make("migrate", -6, ["3 RW access delete", "KEYS(-2):-1 RW access delete incomplete"], migrateKeys),
];

/** The keys as `COMMAND GETKEYSANDFLAGS` shows them, or null if there are none. */
function found(command: Command, args: Args, first = 0): Reply {
  const keys = new KeyPositions();
  const count = findKeys(command, args, keys, first);
  assertEquals(count, keys.count);
  return Array.from({ length: count }, (_, i): Reply => [
    args.text(keys.at[i]),
    { set: KEY_FLAG_WORDS.filter((_, bit) => keys.flags[i] & 1 << bit).map((status) => ({ status })) },
  ]);
}

test("finds the same keys with the same flags as Redis, whatever the arguments", async () => {
  if (!hasRedis()) return;
  await using redis = await startRedis();
  const client = await redis.connect();
  await client.ok("HELLO", "3");
  const random = new Seeded(7);
  const words =
    "a b c 0 1 2 3 -1 x 12345678901 STORE storedist KEYS streams STREAMS get SET incrby LIMIT by auth AUTH2 overflow"
      .split(" ").concat("");
  const calls: string[][] = [];
  for (const command of COMMANDS) {
    for (let round = 0; round < 150; round++) {
      const least = Math.abs(command.arity);
      const argc = command.arity > 0 ? least : least + random.below(8);
      calls.push([command.name, ...Array.from({ length: argc - 1 }, () => random.pick(words))]);
    }
  }
  const replies = await client.pipeline(calls.map((call) => ["COMMAND", "GETKEYSANDFLAGS", ...call]));
  for (const [i, call] of calls.entries()) {
    const command = COMMANDS.find((each) => each.name === call[0])!;
    const reply = replies[i];
    const none = typeof reply === "object" && reply !== null && "error" in reply;
    assertEquals(found(command, Args.of(...call)), none ? [] : reply, call.join(" "));
    assertEquals(found(command, Args.of("COMMAND", "GETKEYS", ...call), 2), none ? [] : reply, call.join(" "));
  }
});

test("finds the keys of many arguments", () => {
  const command = COMMANDS.find((each) => each.name === "mget")!;
  const keys = new KeyPositions();
  const names = Array.from({ length: 1000 }, (_, i) => `k${i}`);
  assertEquals(findKeys(command, Args.of("MGET", ...names), keys), 1000);
  assertEquals([...keys.at.subarray(0, 1000)], names.map((_, i) => i + 1));
  assertEquals(findKeys(command, Args.of("MGET", "a"), keys), 1);
});

test("shard channels are no keys, though they are routed like keys", () => {
  const command = make("ssubscribe", -2, "1:-1 not_key");
  const keys = new KeyPositions();
  assertEquals(findKeys(command, Args.of("ssubscribe", "a", "b"), keys), 0);
  assertEquals(command.hasKeys, false);
});

test("a command without key specs has no keys", () => {
  const command = new Command({ name: "ping", arity: -1, since: "1.0.0", group: "connection", summary: "" }, null);
  assertEquals(findKeys(command, Args.of("ping", "a"), new KeyPositions()), 0);
  assertEquals(command.hasKeys, false);
});

test("the legacy range covers consecutive ranges and marks what it cannot say", () => {
  const range = (...keys: string[]) => {
    const { first, last, step, movable } = legacyRange(parseKeySpecs(keys));
    return `${first} ${last} ${step}${movable ? " movable" : ""}`;
  };
  assertEquals(range(), "0 0 0");
  assertEquals(range("1 RO"), "1 1 1");
  assertEquals(range("1:2 RO"), "1 2 1");
  assertEquals(range("1:-2 RO"), "1 -2 1");
  assertEquals(range("1:-1:2 OW"), "1 -1 2");
  assertEquals(range("1 RW", "2 OW"), "1 2 1");
  assertEquals(range("2 OW", "3:-1 RO"), "2 -1 1");
  assertEquals(range("1 RO", "3 RO"), "1 1 1 movable");
  assertEquals(range("#1 RO"), "0 0 0 movable");
  assertEquals(range("1 OW", "#2 RO"), "1 1 1 movable");
  assertEquals(range("1 RO", "?"), "1 1 1 movable");
  assertEquals(range("3 RW", "KEYS(-2):-1 RW incomplete"), "3 3 1 movable");
});

test("bad key specs are refused", () => {
  for (const bad of ["", "x RO", "1 XX", "1:", "#", "STORE RO", "1:2:3:4 RO"]) {
    assertThrows(() => parseKeySpecs(bad), Error, undefined, bad);
  }
  assertEquals(parseKeySpecs("1 RO; a note; with more")[0].note, "a note; with more");
});
