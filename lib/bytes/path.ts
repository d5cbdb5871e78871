/**
 * Paths between the server and the machine. The server's values are byte strings (one character per byte), as Redis's are; the platform
 * wants text, so paths are converted here (UTF-8) and nowhere else.
 */

import { fromLatin1, latin1, utf8 } from "./ascii.ts";

/** A value's bytes as a path for `Files`: every user of `dir`, `dbfilename`, `logfile`, … opens it through this. */
export function hostPath(value: string): string {
  return new TextDecoder().decode(fromLatin1(value));
}

/** A path or argument of the host as a byte string. */
export function fromHost(text: string): string {
  const bytes = utf8(text);
  return latin1(bytes, 0, bytes.length);
}
