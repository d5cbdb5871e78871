/** Strings as bytes: the one type whose value needs no structure. */

import type { Database } from "../store/database.ts";
import { Type } from "../store/record.ts";
import type { RdbReader } from "./rdb_reader.ts";
import type { RdbWriter } from "./rdb_writer.ts";
import { type LooseValue, RdbType, type ValueCodec, type ValueContext } from "./value_codec.ts";

export const stringCodec: ValueCodec = {
  type: Type.STRING,
  rdbTypes: [RdbType.STRING],

  rdbType(): number {
    return RdbType.STRING;
  },

  write(db: Database, ref: number, out: RdbWriter): void {
    out.steadyString(db.valueBuffer(ref), db.valueOffset(ref), db.valueLength(ref));
  },

  read(_context: ValueContext, _rdbType: number, input: RdbReader, value: LooseValue): boolean {
    input.string();
    value.setBytes(Type.STRING, input.bytes, input.bytesOff, input.bytesLen);
    return true;
  },
};
