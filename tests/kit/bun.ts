/** Runs the project's Bun with the arguments given, for tasks on a machine where no `bun` is on PATH. */

import { spawnSync } from "node:child_process";
import process from "node:process";
import { root, runtimePath } from "./runtimes.ts";

const bun = runtimePath("bun");
if (bun === null) {
  console.error("Bun was not found: run `deno install` first, which installs the npm package `bun`.");
  process.exit(1);
}
const { status } = spawnSync(bun, process.argv.slice(2), { cwd: root, stdio: "inherit" });
process.exit(status ?? 1);
