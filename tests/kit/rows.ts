/** All commands that the family files in lib/commands export, found by looking into the folder, so that none is forgotten. */

import { readdirSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Command } from "../../lib/engine/command.ts";
import { root } from "./runtimes.ts";

export async function loadCommands(): Promise<Command[]> {
  const folder = join(root, "lib", "commands");
  const found = new Set<Command>();
  for (const file of readdirSync(folder).filter((name) => name.endsWith(".ts")).sort()) {
    const family = await import(pathToFileURL(join(folder, file)).href) as { commands?: readonly Command[] };
    for (const command of family.commands ?? []) found.add(command);
  }
  return [...found];
}
