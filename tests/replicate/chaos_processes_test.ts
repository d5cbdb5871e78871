/** A few short rounds of `deno task chaos`, in mixtures of this runtime with redis-server; see chaos_processes.ts. */

import { currentRuntime, runtimePath } from "../kit/runtimes.ts";
import { hasRedis } from "../kit/server.ts";
import { test } from "../kit/test.ts";
import { allMixtures, round } from "./chaos_processes.ts";

const ROUNDS = 10;
const SEED = 2026;
const EVENTS = 5;
/** A net for hangs: a machine may be busy. */
const LIMIT_MS = 300_000;

const other = currentRuntime === "deno" ? "bun" : "deno";
/** Every role among redis-server and this runtime, then all three. */
const mixtures = allMixtures(["redis", currentRuntime]).filter((mixture) => mixture.includes(currentRuntime));
if (runtimePath(other) !== null) mixtures.push([currentRuntime, "redis", other]);

for (let number = 0; number < ROUNDS; number++) {
  const mixture = mixtures[number % mixtures.length];
  test(
    `chaos: ${mixture.join(", ")} are equal in the end, and nothing confirmed is lost (round ${number})`,
    async () => {
      if (!hasRedis()) return;
      await round(SEED, number, mixture, { events: EVENTS });
    },
    LIMIT_MS,
  );
}
