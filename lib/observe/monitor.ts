/**
 * MONITOR: a line for each command, as redis-cli shows them:
 *
 *   1700000000.123456 [0 127.0.0.1:50000] "set" "key" "value"
 */

import type { Args } from "../bytes/args.ts";

const ESCAPES: Readonly<Record<number, string>> = {
  7: "\\a",
  8: "\\b",
  9: "\\t",
  10: "\\n",
  13: "\\r",
  34: '\\"',
  92: "\\\\",
};

/** Bytes between quotes, printable whatever they are. */
export function quoted(buf: Uint8Array, off: number, len: number): string {
  let text = '"';
  for (let i = off; i < off + len; i++) {
    const byte = buf[i];
    if (ESCAPES[byte] !== undefined) text += ESCAPES[byte];
    else if (byte >= 32 && byte < 127) text += String.fromCharCode(byte);
    else text += `\\x${byte.toString(16).padStart(2, "0")}`;
  }
  return `${text}"`;
}

/** The line without its type byte and end; `micros` since 1970, `from` is the client's address or "lua". */
export function monitorLine(micros: number, db: number, from: string, a: Args, redacted: readonly number[]): string {
  const seconds = Math.floor(micros / 1e6);
  const rest = String(micros - seconds * 1e6).padStart(6, "0");
  let line = `${seconds}.${rest} [${db} ${from}]`;
  for (let i = 0; i < a.argc; i++) {
    line += redacted.includes(i) ? ' "(redacted)"' : ` ${quoted(a.buf, a.off[i], a.len[i])}`;
  }
  return line;
}
