/**
 * `deno task compare`: the differential fuzzer from the command line.
 *
 *     deno task compare                                       200,000 commands on each runtime
 *     deno task compare --families string,bitmap --server bun
 *     deno task compare --seed 7 --round 12                   one round again, as a report names it
 *     deno task compare --server dist/redstart --commands 1000000 --limit 20
 *
 * Needs redis-server on PATH. Exit status 1 if there were differences.
 */

import { parseArgs } from "@std/cli/parse-args";
import process from "node:process";
import { findRedis, startRedis, startRedstart } from "../kit/server.ts";
import { chooseFamilies, families as allFamilies } from "./families.ts";
import { fuzz, showDifference, summary } from "./fuzz.ts";

const options = parseArgs(process.argv.slice(2), {
  string: ["commands", "seed", "round", "families", "server", "limit"],
});
const text = (name: string, otherwise: string): string =>
  options[name] === undefined ? otherwise : String(options[name]);

if (findRedis() === null) {
  console.error("redis-server is not installed");
  process.exit(1);
}
const families = options.families === undefined ? allFamilies : chooseFamilies(text("families", "").split(","));
const seed = Number(text("seed", String(1 + Math.floor(Math.random() * 1_000_000))));
let failed = false;
for (const server of text("server", "deno,bun").split(",")) {
  await using redis = await startRedis();
  await using redstart = await startRedstart({ server });
  console.log(`${server} against redis-server ${findRedis()}, seed ${seed}`);
  const result = await fuzz(redis, redstart, {
    families,
    seed,
    commands: Number(text("commands", "200000")),
    round: options.round === undefined ? undefined : Number(options.round),
    limit: Number(text("limit", "10")),
    report: (difference) => console.log(`\n${showDifference(difference, families)}`),
  });
  console.log(`\n${summary(server, result)}`);
  failed ||= result.parted > 0;
}
process.exit(failed ? 1 : 0);
