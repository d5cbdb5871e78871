/**
 * The RDB format of snapshots: header with its AUX fields, function libraries, keys with their deadlines and access clocks, checksum.
 *
 * Format: https://rdb.fnordig.de/file_format.html; rdb.c of Redis 7.0.
 */

import { fromLatin1 } from "../bytes/ascii.ts";
import { Crc64 } from "../bytes/crc64.ts";
import type { Engine } from "../engine/engine.ts";
import type { Database } from "../store/database.ts";
import type { Dict } from "../store/dict.ts";
import type { Stream } from "../store/types/stream.ts";
import type { LargeFormat, Span } from "./large_value.ts";
import { RdbWriter } from "./rdb_writer.ts";
import type { SnapshotFormat } from "./snapshot.ts";
import { writePair } from "./value_hash.ts";
import { writeNode } from "./value_list.ts";
import { writeStream } from "./value_stream.ts";
import { writeScored } from "./value_zset.ts";
import { valueType, writeValue } from "./values.ts";

/** What is written, as by Redis 7.0. */
export const RDB_VERSION = 10;
/** What is read: Redis 7.2, Redict, and Valkey 7.2 to 8.1 write this one. */
export const NEWEST_VERSION = 11;

/** Bytes that come before other things than keys. */
export const Opcode = {
  FUNCTION2: 245,
  FUNCTION: 246,
  MODULE_AUX: 247,
  IDLE: 248,
  FREQ: 249,
  AUX: 250,
  RESIZEDB: 251,
  EXPIRETIME_MS: 252,
  EXPIRETIME: 253,
  SELECTDB: 254,
  EOF: 255,
} as const;

export interface RdbOptions {
  /** Fields of the AUX header after those that every file has. */
  readonly aux: readonly (readonly [name: string, value: string])[];
  /** Function libraries, as they stand in the file. */
  readonly functions: readonly Uint8Array[];
  /** Functions only. */
  readonly withoutData?: boolean;
  /** Data only. */
  readonly withoutFunctions?: boolean;
}

export class RdbFormat implements SnapshotFormat {
  readonly withoutData: boolean;
  #crc: Crc64 | null;
  #savesClock: boolean;
  #savesCounter: boolean;

  constructor(readonly engine: Engine, readonly options: RdbOptions) {
    const { values } = engine.config;
    this.withoutData = options.withoutData === true;
    this.#crc = values.rdbchecksum ? new Crc64() : null;
    this.#savesClock = values.maxmemoryPolicy.endsWith("lru");
    this.#savesCounter = values.maxmemoryPolicy.endsWith("lfu");
  }

  seen(buf: Uint8Array, length: number): void {
    this.#crc?.update(buf, 0, length);
  }

  begin(out: RdbWriter): void {
    const magic = fromLatin1(`REDIS${String(RDB_VERSION).padStart(4, "0")}`);
    out.raw(magic, 0, magic.length);
    this.#aux(out, "redis-ver", "7.0.15");
    this.#aux(out, "redis-bits", "64");
    this.#aux(out, "ctime", String(Math.floor(this.engine.platform.clock.now() / 1000)));
    this.#aux(out, "used-mem", String(this.engine.keyspace.usedMemory));
    for (const [name, value] of this.options.aux) this.#aux(out, name, value);
    if (this.options.withoutFunctions === true) return;
    for (const code of this.options.functions) {
      out.byte(Opcode.FUNCTION2);
      out.string(code, 0, code.length);
    }
  }

  #aux(out: RdbWriter, name: string, value: string): void {
    out.byte(Opcode.AUX);
    for (const text of [name, value]) {
      const bytes = fromLatin1(text);
      out.string(bytes, 0, bytes.length);
    }
  }

  select(out: RdbWriter, index: number, db: Database, dict: Dict): void {
    out.byte(Opcode.SELECTDB);
    out.length(index);
    out.byte(Opcode.RESIZEDB);
    out.length(dict.count);
    out.length(Math.min(dict.count, db.deadlines.count));
  }

  key(out: RdbWriter, db: Database, dict: Dict, ref: number): void {
    this.#head(out, db, dict, ref);
    writeValue(db, ref, out);
  }

  large(db: Database, dict: Dict, ref: number): LargeFormat {
    const head = new RdbWriter(this.engine.config.values.rdbcompression);
    this.#head(head, db, dict, ref);
    return new LargeRdbValue(head);
  }

  /** What stands before a value. */
  #head(out: RdbWriter, db: Database, dict: Dict, ref: number): void {
    const deadline = db.expireAt(ref);
    if (deadline !== -1) {
      out.byte(Opcode.EXPIRETIME_MS);
      out.int64(Number.isSafeInteger(deadline) ? deadline : db.expireAtExact(ref));
    }
    if (this.#savesClock) {
      out.byte(Opcode.IDLE);
      out.length(db.idleSeconds(ref));
    } else if (this.#savesCounter) {
      out.byte(Opcode.FREQ);
      out.byte(db.frequency(ref));
    }
    out.byte(valueType(db, ref));
    out.string(dict.keyBuffer(ref), dict.keyOffset(ref), dict.keyLength(ref));
  }

  end(out: RdbWriter): void {
    out.byte(Opcode.EOF);
    // The checksum covers all that is before it.
    out.flush();
    const trailer = new Uint8Array(8);
    this.#crc?.write(trailer, 0);
    out.raw(trailer, 0, 8);
  }
}

/** A large value as an RDB file has it. */
class LargeRdbValue implements LargeFormat {
  readonly node = writeNode;
  readonly pair = writePair;
  readonly scored = writeScored;
  readonly stream: (out: RdbWriter, stream: Stream) => Iterable<void> = writeStream;

  /** `head`: what stands before the value. */
  constructor(readonly head: RdbWriter) {}

  begin(out: RdbWriter, _elements: number, parts: number): void {
    out.raw(this.head.buf, 0, this.head.at);
    out.length(parts);
  }

  member(out: RdbWriter, { buf, off, len }: Span): void {
    out.steadyString(buf, off, len);
  }

  end(): void {}
}
