/**
 * Hashes as bytes: a listpack as it is, a table as its fields and values in turn. Files of older versions have small hashes as
 * ziplists, or (before 2.6) as zipmaps:
 *
 *   zipmap     number of fields (u8, 254: not told), then for each: length, field, length, unused bytes (u8), value, unused; 0xFF
 *   length     u8, or 254 and u32 LE
 */

import { copyBytes } from "../bytes/span.ts";
import type { Database } from "../store/database.ts";
import { Kind, Type } from "../store/record.ts";
import { type HashTable, HashView } from "../store/types/hash.ts";
import { ListpackCursor } from "../store/types/listpack.ts";
import type { Span } from "./large_value.ts";
import { arePairs, listpackOf } from "./pairs.ts";
import type { RdbReader } from "./rdb_reader.ts";
import type { RdbWriter } from "./rdb_writer.ts";
import { TableFiller } from "./table_filler.ts";
import { type LooseValue, RdbType, type ValueCodec, type ValueContext } from "./value_codec.ts";
import { ZiplistReader } from "./ziplist.ts";

const ZIPMAP_END = 255;
const ZIPMAP_LONG = 254;

const hash = new HashView();
const field = new ListpackCursor();
const content = new ListpackCursor();
const filler = new TableFiller();
/** Copy of a field while its value is read. */
let fieldCopy = new Uint8Array(256);

export const hashCodec: ValueCodec = {
  type: Type.HASH,
  rdbTypes: [RdbType.HASH, RdbType.HASH_ZIPMAP, RdbType.HASH_ZIPLIST, RdbType.HASH_LISTPACK],

  rdbType(db: Database, ref: number): number {
    return db.kind(ref) === Kind.OBJECT ? RdbType.HASH : RdbType.HASH_LISTPACK;
  },

  write(db: Database, ref: number, out: RdbWriter): void {
    if (db.kind(ref) !== Kind.OBJECT) {
      return out.string(db.valueBuffer(ref), db.valueOffset(ref), db.valueLength(ref));
    }
    hash.open(db, ref);
    out.length(hash.count);
    for (hash.rewind(); hash.next();) {
      writePair(out, hash.field, hash.value);
    }
  },

  read(context: ValueContext, rdbType: number, input: RdbReader, value: LooseValue): boolean {
    hash.limits = context.config.values;
    if (rdbType === RdbType.HASH_LISTPACK) return readListpack(context, input, value);
    hash.create(context.keyspace);
    try {
      if (rdbType === RdbType.HASH) readPairs(input);
      else {
        input.string();
        if (rdbType === RdbType.HASH_ZIPLIST) readZiplist(context, input);
        else readZipmap(input);
      }
    } catch (error) {
      hash.drop();
      throw error;
    }
    return give(value);
  },
};

/** The hash becomes the value; false when it is empty. */
function give(value: LooseValue): boolean {
  if (hash.count === 0) return false;
  if (hash.table !== null) value.setObject(Type.HASH, hash.table);
  else value.setBytes(Type.HASH, hash.blob.buf, hash.blob.off, hash.blob.len);
  return true;
}

/** Writes a field and its value, which are those of a table. */
export function writePair(out: RdbWriter, field: Span, value: Span): void {
  out.steadyString(field.buf, field.off, field.len);
  out.steadyString(value.buf, value.off, value.len);
}

function readPairs(input: RdbReader): void {
  const count = input.length();
  if (count > hash.limits.hashMaxListpackEntries) {
    hash.convert();
    return fillTable(hash.table!, input, count);
  }
  for (let i = 0; i < count; i++) {
    const length = readField(input);
    input.string();
    if (!hash.set(fieldCopy, 0, length, input.bytes, input.bytesOff, input.bytesLen)) failRepeated(input);
  }
}

function fillTable(table: HashTable, input: RdbReader, count: number): void {
  table.expect(Math.min(count, input.most(2)));
  let areNew = true;
  try {
    for (let i = 0; i < count && areNew; i++) {
      const length = readField(input);
      input.string();
      const { bytes, bytesOff, bytesLen } = input;
      areNew = filler.add(table, table.prepare(fieldCopy, 0, length, bytes, bytesOff, bytesLen));
    }
  } finally {
    if (!filler.end(table)) areNew = false;
  }
  if (!areNew) failRepeated(input);
}

/** Reads a field into `fieldCopy`; returns its length. */
function readField(input: RdbReader): number {
  input.string();
  const length = input.bytesLen;
  if (fieldCopy.length < length) fieldCopy = new Uint8Array(length * 2);
  copyBytes(input.bytes, input.bytesOff, length, fieldCopy, 0);
  return length;
}

function readListpack(context: ValueContext, input: RdbReader, value: LooseValue): boolean {
  input.string();
  const blob = listpackOf(input);
  if (!arePairs(blob, context.keyspace.seed)) input.fail("Hash listpack integrity check failed");
  hash.createFrom(context.keyspace, blob);
  if (hash.count > hash.limits.hashMaxListpackEntries) hash.convert();
  return give(value);
}

function readZiplist(context: ValueContext, input: RdbReader): void {
  // Only the number of fields decides what it becomes, as in Redis.
  hash.limits = {
    hashMaxListpackEntries: context.config.values.hashMaxListpackEntries,
    hashMaxListpackValue: Infinity,
  };
  const list = new ZiplistReader(input, "Hash");
  while (list.next(field)) {
    if (!list.next(content)) input.fail("Hash ziplist integrity check failed: field without a value");
    field.asText();
    content.asText();
    if (!hash.set(field.buf, field.off, field.len, content.buf, content.off, content.len)) failRepeated(input);
  }
}

function readZipmap(input: RdbReader): void {
  const { bytes: buf } = input;
  const end = input.bytesOff + input.bytesLen;
  let at = input.bytesOff + 1;
  const need = (count: number): void => {
    if (count > end - at) input.fail("Zipmap integrity check failed");
  };
  const readLength = (): number => {
    need(1);
    const length = buf[at++];
    if (length < ZIPMAP_LONG) return length;
    if (length === ZIPMAP_END) input.fail("Zipmap integrity check failed");
    need(4);
    at += 4;
    return (buf[at - 4] | (buf[at - 3] << 8) | (buf[at - 2] << 16) | (buf[at - 1] << 24)) >>> 0;
  };
  for (;;) {
    need(1);
    if (buf[at] === ZIPMAP_END) break;
    const fieldLength = readLength();
    const fieldAt = at;
    need(fieldLength);
    at += fieldLength;
    const valueLength = readLength();
    need(1);
    const unused = buf[at++];
    const valueAt = at;
    need(valueLength + unused);
    at += valueLength + unused;
    if (!hash.set(buf, fieldAt, fieldLength, buf, valueAt, valueLength)) failRepeated(input);
  }
  const declared = buf[input.bytesOff];
  const isRight = declared === ZIPMAP_LONG ? hash.count > 0 : declared === hash.count && declared > 0;
  if (at + 1 !== end || !isRight) input.fail("Zipmap integrity check failed");
}

function failRepeated(input: RdbReader): never {
  return input.fail("Duplicate hash fields detected");
}
