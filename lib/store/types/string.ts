/**
 * What OBJECT ENCODING says of a string. A string is always its bytes here, integers too, in decimal: a number costs a few more bytes
 * than Redis's tagged pointer, but every reader finds the same thing. So Redis's three encodings are not stored; they are
 * told from the bytes, and from a hint where Redis's history of the value matters (`Hint`, record.ts).
 */

import { isInt64 } from "../../bytes/ascii.ts";
import type { Database } from "../database.ts";
import { Hint } from "../record.ts";

/** Longest string that Redis puts into one allocation with its object. */
const LONGEST_EMBEDDED = 44;
/** Digits of the longest 64-bit integer, with its sign. */
const LONGEST_INTEGER = 20;

/** The encoding that Redis would have chosen for the string at `ref`. */
export function encodingOf(db: Database, ref: number): "int" | "embstr" | "raw" {
  const hint = db.hint(ref);
  if (hint === Hint.RAW) return "raw";
  const length = db.valueLength(ref);
  if (
    hint === Hint.AUTO && length <= LONGEST_INTEGER && isInt64(db.valueBuffer(ref), db.valueOffset(ref), length)
  ) return "int";
  return length <= LONGEST_EMBEDDED ? "embstr" : "raw";
}
