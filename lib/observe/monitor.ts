/**
 * MONITOR: a line for each command, as redis-cli shows them:
 *
 *   1700000000.123456 [0 127.0.0.1:50000] "set" "key" "value"
 */

import type { Args } from "../bytes/args.ts";
import { quote } from "../bytes/words.ts";

/** The line without its type byte and end; `micros` since 1970, `from` is the client's address or "lua". */
export function monitorLine(micros: number, db: number, from: string, a: Args, redacted: readonly number[]): string {
  const seconds = Math.floor(micros / 1e6);
  const rest = String(micros - seconds * 1e6).padStart(6, "0");
  let line = `${seconds}.${rest} [${db} ${from}]`;
  for (let i = 0; i < a.argc; i++) {
    line += redacted.includes(i) ? ' "(redacted)"' : ` ${quote(a.text(i))}`;
  }
  return line;
}
