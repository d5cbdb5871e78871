/** All commands: one line for each family file. */

import type { Command } from "../engine/command.ts";
import { commands as command } from "./command.ts";
import { commands as connection } from "./connection.ts";
import { commands as dump } from "./dump.ts";
import { commands as expire } from "./expire.ts";
import { commands as key } from "./key.ts";
import { commands as object } from "./object.ts";
import { commands as scan } from "./scan.ts";
import { commands as string } from "./string.ts";
import { commands as transaction } from "./transaction.ts";

export const families: Command[] = [
  ...command,
  ...connection,
  ...dump,
  ...expire,
  ...key,
  ...object,
  ...scan,
  ...string,
  ...transaction,
];
