/**
 * The payload of DUMP: one value in RDB notation, and what shows that it has arrived whole.
 *
 *   type byte, value, RDB version (u16 LE), CRC-64 of all before it (LE)
 */

import { Crc64 } from "../bytes/crc64.ts";
import { readU16LE, writeU16LE } from "../bytes/binary.ts";
import type { Database } from "../store/database.ts";
import { RDB_VERSION } from "./rdb_format.ts";
import { CorruptData, RdbReader } from "./rdb_reader.ts";
import { RdbWriter } from "./rdb_writer.ts";
import type { LooseValue, ValueContext } from "./value_codec.ts";
import { isValueType, readValue, valueType, writeValue } from "./values.ts";

const FOOTER = 10;
const CRC = 8;

/** A buffer that one huge value has grown beyond this is not kept. */
const MOST_KEPT = 64 * 1024;
const NO_BYTES = new Uint8Array(0);

const crc = new Crc64();
/** Those of the last payload. */
let writer = new RdbWriter(false);
const reader = new RdbReader(NO_BYTES, 0, 0);

/** What reading a payload needs of the server; an `Engine` is one. */
export interface PayloadContext extends ValueContext {
  readonly log: { verbose(text: string): void };
}

/** The payload of a key's value, as `buf[0, at)` of the writer; good until the next one is written. */
export function writePayload(db: Database, ref: number, compress: boolean): RdbWriter {
  if (writer.buf.length > MOST_KEPT) writer = new RdbWriter(false);
  const out = writer;
  out.at = 0;
  out.compress = compress;
  out.byte(valueType(db, ref));
  writeValue(db, ref, out);
  out.ensure(FOOTER);
  writeU16LE(out.buf, out.at, RDB_VERSION);
  out.at += FOOTER - CRC;
  crc.reset();
  crc.update(out.buf, 0, out.at);
  crc.write(out.buf, out.at);
  out.at += CRC;
  return out;
}

/**
 * Reads the payload `buf[off, off + len)` into `value`, which may then refer to `buf`, or to bytes that are good until the next payload. "refused": damaged, or of a newer version;
 * "corrupt": no value all the same; where and why is logged. `skipChecksum` is for tests that damage payloads on purpose.
 */
export function readPayload(
  context: PayloadContext,
  buf: Uint8Array,
  off: number,
  len: number,
  value: LooseValue,
  skipChecksum = false,
): "ok" | "refused" | "corrupt" {
  if (len < FOOTER) return "refused";
  const end = off + len - FOOTER;
  if (readU16LE(buf, end) > RDB_VERSION) return "refused";
  if (!skipChecksum) {
    crc.reset();
    crc.update(buf, off, off + len - CRC);
    if (!crc.matches(buf, off + len - CRC)) return "refused";
  }
  reader.open(buf, off, end);
  try {
    const type = reader.byte();
    if (!isValueType(type, RDB_VERSION)) return reader.fail(`unknown value type ${type}`);
    return readValue(context, type, reader, value) ? "ok" : "corrupt";
  } catch (error) {
    if (!(error instanceof CorruptData)) throw error;
    context.log.verbose(error.logLine);
    return "corrupt";
  } finally {
    reader.buf = NO_BYTES;
  }
}
