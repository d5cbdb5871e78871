/** All commands: one line for each family file. */

import type { Command } from "../engine/command.ts";
import { commands as command } from "./command.ts";
import { commands as connection } from "./connection.ts";
import { commands as string } from "./string.ts";

export const families: Command[] = [
  ...command,
  ...connection,
  ...string,
];
