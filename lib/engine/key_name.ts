/** A key of any database as one string, for the few keys that are watched or waited for: they live in Maps, by name. */

import { latin1 } from "../bytes/ascii.ts";
import type { Database } from "../store/database.ts";

/** "db:key"; of the key, one character is one byte. */
export function keyName(db: Database, buf: Uint8Array, off: number, len: number): string {
  return `${db.index}:${latin1(buf, off, len)}`;
}
