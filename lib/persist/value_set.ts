/** Sets as bytes: an intset as it is, others as their members one after the other. */

import type { Database } from "../store/database.ts";
import { Kind, Type } from "../store/record.ts";
import { BorrowedBlob } from "../store/types/blob.ts";
import * as intset from "../store/types/intset.ts";
import { isIntset, SetView } from "../store/types/set.ts";
import type { RdbReader } from "./rdb_reader.ts";
import type { RdbWriter } from "./rdb_writer.ts";
import { type LooseValue, RdbType, type ValueCodec, type ValueContext } from "./value_codec.ts";

const set = new SetView();
const borrowed = new BorrowedBlob();

export const setCodec: ValueCodec = {
  type: Type.SET,
  rdbTypes: [RdbType.SET, RdbType.SET_INTSET],

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
      if (set.count > set.limits.setMaxIntsetEntries) set.convert(set.count);
    } else {
      const count = input.length();
      if (count === 0) return false;
      set.create(context.keyspace);
      if (count > set.limits.setMaxIntsetEntries) set.convert(count);
      set.table?.expect(Math.min(count, input.most(1)));
      try {
        for (let i = 0; i < count; i++) {
          input.string();
          if (!set.add(input.bytes, input.bytesOff, input.bytesLen)) input.fail("Duplicate set members detected");
        }
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

function isIntegers(db: Database, ref: number): boolean {
  return db.kind(ref) !== Kind.OBJECT && isIntset(db.valueBuffer(ref), db.valueOffset(ref));
}
