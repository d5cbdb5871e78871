/**
 * Sorted sets as bytes: a listpack as it is, a table as its members with their scores, from the greatest on. Files of older versions have
 * small sorted sets as ziplists, and (before version 8) scores as text:
 *
 *   u8   length of the text, or 253: nan, 254: +inf, 255: -inf
 */

import { parseDouble } from "../bytes/ascii.ts";
import { copyBytes } from "../bytes/span.ts";
import type { Database } from "../store/database.ts";
import { Kind, Type } from "../store/record.ts";
import { ListpackCursor } from "../store/types/listpack.ts";
import { SortedSet } from "../store/types/sorted_set.ts";
import { fitsListpack, pack, scoreIn, tableOf, ZsetView } from "../store/types/zset.ts";
import type { Span } from "./large_value.ts";
import { arePairs, listpackOf } from "./pairs.ts";
import type { RdbReader } from "./rdb_reader.ts";
import type { RdbWriter } from "./rdb_writer.ts";
import { TableFiller } from "./table_filler.ts";
import { type LooseValue, RdbType, type ValueCodec, type ValueContext } from "./value_codec.ts";
import { ZiplistReader } from "./ziplist.ts";

const TEXT_NAN = 253;
const TEXT_INFINITY = 254;
const TEXT_MINUS_INFINITY = 255;

const zset = new ZsetView();
const member = new ListpackCursor();
const element = new ListpackCursor();
const filler = new TableFiller();
/** Copy of a member while its score is read. */
let memberCopy = new Uint8Array(256);

export const zsetCodec: ValueCodec = {
  type: Type.ZSET,
  rdbTypes: [RdbType.ZSET, RdbType.ZSET_2, RdbType.ZSET_ZIPLIST, RdbType.ZSET_LISTPACK],

  rdbType(db: Database, ref: number): number {
    return db.kind(ref) === Kind.OBJECT ? RdbType.ZSET_2 : RdbType.ZSET_LISTPACK;
  },

  write(db: Database, ref: number, out: RdbWriter): void {
    if (db.kind(ref) !== Kind.OBJECT) {
      return out.string(db.valueBuffer(ref), db.valueOffset(ref), db.valueLength(ref));
    }
    zset.open(db, ref);
    out.length(zset.count);
    for (zset.start(zset.count - 1, true); zset.next();) {
      writeScored(out, zset.member, zset.score);
    }
  },

  read(context: ValueContext, rdbType: number, input: RdbReader, value: LooseValue): boolean {
    if (rdbType === RdbType.ZSET_LISTPACK) return readListpack(context, input, value);
    const table = new SortedSet(context.keyspace);
    try {
      if (rdbType === RdbType.ZSET_ZIPLIST) readZiplist(table, input);
      else readMembers(table, input, rdbType === RdbType.ZSET);
    } catch (error) {
      table.release(Infinity);
      throw error;
    }
    const { count } = table;
    const { zsetMaxListpackEntries } = context.config.values;
    // Of a ziplist only the number of members decides what it becomes, as in Redis.
    const small = rdbType === RdbType.ZSET_ZIPLIST
      ? count <= zsetMaxListpackEntries
      : fitsListpack(table, context.config.values);
    if (count > 0 && !small) {
      value.setObject(Type.ZSET, table);
      return true;
    }
    if (count > 0) {
      const { buf, off, len } = pack(table);
      value.setBytes(Type.ZSET, buf, off, len);
    }
    table.release(Infinity);
    return count > 0;
  },
};

/** Writes a member of a table with its score. */
export function writeScored(out: RdbWriter, member: Span, score: number): void {
  out.steadyString(member.buf, member.off, member.len);
  out.double(score);
}

function readListpack(context: ValueContext, input: RdbReader, value: LooseValue): boolean {
  input.string();
  const blob = listpackOf(input);
  if (!arePairs(blob, context.keyspace.seed)) input.fail("Zset listpack integrity check failed");
  const { count } = zset.createFrom(context.keyspace, blob);
  if (count === 0) return false;
  if (!zset.isInOrder()) input.fail("Zset listpack integrity check failed: out of order");
  if (count > context.config.values.zsetMaxListpackEntries) {
    value.setObject(Type.ZSET, tableOf(context.keyspace, blob));
  } else value.setBytes(Type.ZSET, blob.buf, blob.off, blob.len);
  return true;
}

function readMembers(table: SortedSet, input: RdbReader, scoresAreTexts: boolean): void {
  let left = input.length();
  table.expect(Math.min(left, input.most(2)));
  let first = 0;
  let areNew = true;
  try {
    for (; left > 0 && areNew; left--) {
      input.string();
      const length = input.bytesLen;
      if (memberCopy.length < length) memberCopy = new Uint8Array(length * 2);
      copyBytes(input.bytes, input.bytesOff, length, memberCopy, 0);
      const score = scoresAreTexts ? readTextScore(input) : input.double();
      if (score !== score) failNaN(input);
      const ref = table.prepare(score, memberCopy, 0, length, first);
      // Files of Redis have the greatest first.
      if (first === 0 || table.isBefore(ref, first)) first = ref;
      areNew = filler.add(table, ref);
    }
  } finally {
    if (!filler.end(table)) areNew = false;
  }
  if (!areNew) failRepeated(input);
}

function readTextScore(input: RdbReader): number {
  const length = input.byte();
  if (length === TEXT_NAN) return NaN;
  if (length === TEXT_INFINITY) return Infinity;
  if (length === TEXT_MINUS_INFINITY) return -Infinity;
  input.raw(length);
  return parseDouble(input.bytes, input.bytesOff, input.bytesLen);
}

function readZiplist(table: SortedSet, input: RdbReader): void {
  input.string();
  const list = new ZiplistReader(input, "Zset");
  while (list.next(member)) {
    if (!list.next(element)) input.fail("Zset ziplist integrity check failed: member without a score");
    member.asText();
    const score = scoreIn(element);
    if (score !== score) failNaN(input);
    if (!table.add(score, member.buf, member.off, member.len)) failRepeated(input);
  }
}

function failNaN(input: RdbReader): never {
  return input.fail("Zset with NAN score detected");
}

function failRepeated(input: RdbReader): never {
  return input.fail("Duplicate zset fields detected");
}
