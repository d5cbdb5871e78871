/** Every command of this server, family by family. */

import type { Command } from "../engine/command.ts";
import { commands as command } from "./command.ts";

export const families: Command[] = [
  ...command,
];
