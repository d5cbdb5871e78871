/**
 * The names that OBJECT ENCODING and DEBUG OBJECT give to a value's representation: Redis's names for Redis's thresholds. For
 * strings it follows from the bytes and the hint, for collections from the type and the kind of storage.
 */

import { isInt64 } from "../bytes/ascii.ts";
import type { Database } from "./database.ts";
import { Hint, Kind, Type } from "./record.ts";
import { isIntset } from "./types/set.ts";

/** Longest string that Redis keeps in one block with its header. */
const EMBSTR_MAX = 44;

/** By type number. */
const SMALL = ["", "quicklist", "intset", "listpack", "listpack", "", "stream"] as const;
const LARGE = ["", "quicklist", "hashtable", "skiplist", "hashtable", "", "stream"] as const;

export function encodingName(db: Database, ref: number): string {
  const type = db.type(ref);
  if (type === Type.SET && db.kind(ref) !== Kind.OBJECT) {
    return isIntset(db.valueBuffer(ref), db.valueOffset(ref)) ? "intset" : "hashtable";
  }
  if (type !== Type.STRING) return (db.kind(ref) === Kind.OBJECT ? LARGE : SMALL)[type];
  const hint = db.hint(ref);
  if (hint === Hint.RAW) return "raw";
  const length = db.valueLength(ref);
  if (hint !== Hint.EMBSTR && isInt64(db.valueBuffer(ref), db.valueOffset(ref), length)) return "int";
  return length <= EMBSTR_MAX ? "embstr" : "raw";
}
