/**
 * What commands cause besides their replies, compared with redis-server over the fuzzer's commands: the keyspace events (with "new" and
 * "keymiss", which tell in which order keys are looked up and made), what goes to the AOF and to replicas, and how many changes are counted.
 */

import { assertEquals } from "@std/assert";
import type { Command } from "../kit/client.ts";
import { type Effects, effectsHere, effectsOnRedis } from "../kit/effects.ts";
import { hasRedis } from "../kit/server.ts";
import { test } from "../kit/test.ts";
import { Draw } from "./family.ts";
import { families } from "./families.ts";
import { commandOf, drawPart } from "./fuzz.ts";

const ROUNDS = 3;
const COMMANDS = 4_000;
/** Their commands change the server or the connection rather than data. */
const without = new Set(["server", "pubsub"]);

/** What a command takes by chance cannot be compared. */
function isDetermined(command: Command): boolean {
  const name = String(command[0]).toUpperCase();
  return name !== "SPOP" || Number(command[2]) > 1000;
}

/** Which keys SORT looks up when, and with LIMIT which at all, depends on the order of a hash table. */
function comparable(effects: Effects): Effects {
  if (!/^sort/i.test(effects.command)) return effects;
  return { ...effects, events: effects.events.filter((event) => !event.includes("keymiss ")) };
}

function draw(seed: number): Command[] {
  const random = new Draw(seed);
  const chosen = families.filter((family) => !without.has(family.name));
  const weights = chosen.map((family) => family.weight);
  const commands: Command[] = [];
  while (commands.length < COMMANDS) {
    commands.push(...drawPart(random, chosen[random.weighted(weights)]).map(commandOf).filter(isDetermined));
  }
  return commands;
}

test("events, propagation and counts of changes of all commands are those of redis-server", async () => {
  if (!hasRedis()) return;
  for (let seed = 1; seed <= ROUNDS; seed++) {
    const commands = draw(seed);
    const [redis, here] = [await effectsOnRedis(commands), effectsHere(commands)];
    redis.forEach((effects, i) => assertEquals(comparable(here[i]), comparable(effects), `seed ${seed}, command ${i}`));
  }
});
