/** Sets as bytes: an intset as it is, others as their members one after the other. */

import type { Database } from "../store/database.ts";
import type { HashSeed } from "../store/dict.ts";
import { Kind, Type } from "../store/record.ts";
import { BorrowedBlob, HeapBlob, RoomyBlob } from "../store/types/blob.ts";
import { Int64 } from "../store/types/int64.ts";
import * as intset from "../store/types/intset.ts";
import * as listpack from "../store/types/listpack.ts";
import { ListpackCursor } from "../store/types/listpack.ts";
import { isIntset, LONGEST_PACKED, MOST_PACKED, SetView } from "../store/types/set.ts";
import { areDistinct } from "./pairs.ts";
import type { RdbReader } from "./rdb_reader.ts";
import type { RdbWriter } from "./rdb_writer.ts";
import { type LooseValue, RdbType, type ValueCodec, type ValueContext } from "./value_codec.ts";

const set = new SetView();
const borrowed = new BorrowedBlob();
/** The blob of a small set that is being read, what was read of it, and whether that is an integer. */
const few = new RoomyBlob(4096);
const member = new ListpackCursor();
const integer = new Int64();

export const setCodec: ValueCodec = {
  type: Type.SET,
  rdbTypes: [RdbType.SET, RdbType.SET_INTSET, RdbType.SET_LISTPACK],

  rdbType(db: Database, ref: number): number {
    return isIntegers(db, ref) ? RdbType.SET_INTSET : RdbType.SET;
  },

  write(db: Database, ref: number, out: RdbWriter): void {
    if (isIntegers(db, ref)) {
      return out.string(db.valueBuffer(ref), db.valueOffset(ref), db.valueLength(ref));
    }
    const { member } = set.open(db, ref);
    out.length(set.count);
    set.rewind();
    while (set.next()) {
      member.asText();
      out.string(member.buf, member.off, member.len);
    }
  },

  read(context: ValueContext, rdbType: number, input: RdbReader, value: LooseValue): boolean {
    set.limits = context.config.values;
    if (rdbType === RdbType.SET_INTSET) {
      input.string();
      const { bytes, bytesOff, bytesLen } = input;
      if (!intset.validate(bytes, bytesOff, bytesLen, true)) input.fail("Intset integrity check failed");
      set.createFrom(context.keyspace, borrowed.lend(bytes, bytesOff, bytesLen));
      const { count } = set;
      if (count > set.limits.setMaxIntsetEntries) {
        set.createFrom(context.keyspace, HeapBlob.from(bytes, bytesOff, bytesLen)).convert(count);
      }
    } else if (rdbType === RdbType.SET_LISTPACK) {
      input.string();
      const { bytes, bytesOff, bytesLen } = input;
      if (!listpack.validate(bytes, bytesOff, bytesLen, true)) input.fail("Set listpack integrity check failed");
      if (!readPacked(context, input)) return false;
    } else {
      const count = input.length();
      if (count === 0) return false;
      if (count <= MOST_PACKED) set.createFrom(context.keyspace, few);
      else set.create(context.keyspace);
      try {
        readMembers(input, count, context.keyspace.seed);
      } catch (error) {
        set.drop();
        throw error;
      }
    }
    if (set.table !== null) value.setObject(Type.SET, set.table);
    else value.setBytes(Type.SET, set.blob.buf, set.blob.off, set.blob.len);
    return true;
  },
};

function readMembers(input: RdbReader, count: number, seed: HashSeed): void {
  let read = 0;
  if (count <= MOST_PACKED) read = readFew(input, count, seed);
  else if (count > set.limits.setMaxIntsetEntries) set.convert(count);
  set.table?.expect(Math.min(count, input.most(1)));
  for (; read < count; read++) {
    input.string();
    addMember(input);
  }
}

/** Takes the members of the sound listpack that was read last, which may be longer than one of ours; false if there are none. */
function readPacked(context: ValueContext, input: RdbReader): boolean {
  const packed = borrowed.lend(input.bytes, input.bytesOff, input.bytesLen);
  let at = listpack.first(packed);
  if (at < 0) return false;
  set.create(context.keyspace);
  while (at >= 0) {
    at = listpack.readText(packed, at, member);
    if (set.add(member.buf, member.off, member.len)) continue;
    set.drop();
    failRepeated(input);
  }
  return true;
}

/** Reads members that can be a listpack, without looking for each among the others: up to `count`, or a long one. Returns how many. */
function readFew(input: RdbReader, count: number, seed: HashSeed): number {
  listpack.create(few);
  let read = 0;
  let areIntegers = count <= set.limits.setMaxIntsetEntries;
  let isLong = false;
  while (read < count && !isLong) {
    input.string();
    read++;
    const { bytes, bytesOff, bytesLen } = input;
    if (areIntegers) areIntegers = integer.parse(bytes, bytesOff, bytesLen);
    isLong = bytesLen > LONGEST_PACKED;
    if (!isLong) listpack.append(few, bytes, bytesOff, bytesLen);
  }
  if (!areDistinct(few, 0, seed)) failRepeated(input);
  if (areIntegers) {
    const integers = HeapBlob.from(few.buf, 0, few.len);
    intset.create(few);
    for (let at = listpack.first(integers); at >= 0;) {
      at = listpack.readText(integers, at, member);
      set.add(member.buf, member.off, member.len);
    }
  } else if (isLong) addMember(input);
  return read;
}

function addMember(input: RdbReader): void {
  if (!set.add(input.bytes, input.bytesOff, input.bytesLen)) failRepeated(input);
}

function failRepeated(input: RdbReader): never {
  return input.fail("Duplicate set members detected");
}

function isIntegers(db: Database, ref: number): boolean {
  return db.kind(ref) !== Kind.OBJECT && isIntset(db.valueBuffer(ref), db.valueOffset(ref));
}
