/**
 * The table of value codecs, by type number and by RDB type byte. A type is added by its line in `CODECS`.
 *
 * `writeValue` and `readValue` are what DUMP, RESTORE, RDB files and resynchronisation call.
 */

import type { Database } from "../store/database.ts";
import type { RdbReader } from "./rdb_reader.ts";
import type { RdbWriter } from "./rdb_writer.ts";
import { type LooseValue, RdbType, type ValueCodec, type ValueContext } from "./value_codec.ts";
import { hashCodec } from "./value_hash.ts";
import { listCodec } from "./value_list.ts";
import { setCodec } from "./value_set.ts";
import { streamCodec } from "./value_stream.ts";
import { stringCodec } from "./value_string.ts";
import { zsetCodec } from "./value_zset.ts";

const CODECS: readonly ValueCodec[] = [
  stringCodec,
  setCodec,
  hashCodec,
  listCodec,
  zsetCodec,
  streamCodec,
];

const byType: (ValueCodec | undefined)[] = [];
const byRdbType: (ValueCodec | undefined)[] = [];
for (const codec of CODECS) {
  byType[codec.type] = codec;
  for (const rdbType of codec.rdbTypes) byRdbType[rdbType] = codec;
}

/** Whether a value in that version of the format may have this type byte; then `readValue` understands it. */
export function isValueType(rdbType: number, version: number): boolean {
  return byRdbType[rdbType] !== undefined && (rdbType <= RdbType.STREAM_LISTPACKS_2 || version > 10);
}

/** The type byte of a key's value; it precedes the key in a file and the value in a DUMP payload. */
export function valueType(db: Database, ref: number): number {
  return codecOf(db, ref).rdbType(db, ref);
}

/** Writes a key's value, without its type byte. */
export function writeValue(db: Database, ref: number, out: RdbWriter): void {
  codecOf(db, ref).write(db, ref, out);
}

/** Reads a value of that type byte; false when it is an empty collection. Throws `CorruptData`. */
export function readValue(context: ValueContext, rdbType: number, input: RdbReader, value: LooseValue): boolean {
  return byRdbType[rdbType]!.read(context, rdbType, input, value);
}

function codecOf(db: Database, ref: number): ValueCodec {
  const codec = byType[db.type(ref)];
  if (codec === undefined) throw new Error(`no codec for values of type ${db.type(ref)}`);
  return codec;
}
