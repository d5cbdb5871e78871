/**
 * RDB files: a snapshot into a file, and a file into the databases.
 *
 * Saving writes to `temp-<pid>.rdb`, syncs it, and renames it over the old file, so that at every moment there is one whole file
 * under the name. The bytes go out by asynchronous writes; the snapshot waits while too many are under way.
 *
 * Loading reads the file front to back through one buffer, a slice at a time, so that the server can answer (-LOADING,
 * INFO) meanwhile. What is wrong is reported with its offset and ends the loading.
 */

import { latin1 } from "../bytes/ascii.ts";
import { Crc64 } from "../bytes/crc64.ts";
import { Args } from "../bytes/args.ts";
import type { Engine } from "../engine/engine.ts";
import type { File, PlatformError } from "../platform/platform.ts";
import { CorruptData, RdbReader } from "./rdb_reader.ts";
import { Opcode, RDB_VERSION } from "./rdb_format.ts";
import type { SnapshotSink } from "./snapshot.ts";
import { LooseValue } from "./value_codec.ts";
import { isValueType, readValue } from "./values.ts";

/** Bytes under way to the disk before the snapshot waits. */
const FULL = 4 * 1024 * 1024;
/** With rdb-save-incremental-fsync, the file is synced each time so much was written, so that the last sync is short. */
const SYNC_EVERY = 4 * 1024 * 1024;
const READ_SIZE = 1024 * 1024;

/** Where a snapshot goes to become a file. */
export class RdbFileSink implements SnapshotSink {
  /** The first write that failed. */
  failure: PlatformError | null = null;
  /** Called when there is room again. */
  onRoom: () => void = () => {};
  size = 0;
  #queue: Uint8Array[] = [];
  #underWay = 0;
  #unsynced = 0;
  #writing = false;
  #whenIdle: (() => void) | null = null;
  readonly #file: File;

  /** Throws a PlatformError when the file cannot be made. */
  constructor(readonly engine: Engine, readonly path: string, readonly synchronous: boolean) {
    this.#file = engine.platform.files.open(path, "w", 0o644);
  }

  get isFull(): boolean {
    return this.#underWay > FULL;
  }

  write(buf: Uint8Array, length: number): void {
    this.size += length;
    if (this.failure !== null) return;
    if (this.synchronous) {
      try {
        this.#file.write(buf, 0, length);
      } catch (error) {
        this.failure = error as PlatformError;
      }
      return;
    }
    this.#queue.push(buf.slice(0, length));
    this.#underWay += length;
    if (!this.#writing) void this.#pump();
  }

  async #pump(): Promise<void> {
    this.#writing = true;
    while (this.#queue.length > 0) {
      const chunk = this.#queue.shift()!;
      try {
        if (this.failure === null) {
          await this.#file.writeAsync(chunk);
          this.#unsynced += chunk.length;
          if (this.#unsynced >= SYNC_EVERY && this.engine.config.values.rdbSaveIncrementalFsync) {
            this.#unsynced = 0;
            await this.#file.dataSyncAsync();
          }
        }
      } catch (error) {
        this.failure = error as PlatformError;
      }
      const wasFull = this.isFull;
      this.#underWay -= chunk.length;
      if (wasFull && !this.isFull) this.onRoom();
    }
    this.#writing = false;
    this.#whenIdle?.();
  }

  /** Waits for the writes, syncs and closes. Rejects with the first failure; the file is removed then. */
  async finish(): Promise<void> {
    if (this.#writing) await new Promise<void>((resolve) => this.#whenIdle = resolve);
    try {
      if (this.failure === null) await this.#file.dataSyncAsync();
    } catch (error) {
      this.failure ??= error as PlatformError;
    }
    this.#close();
  }

  /** The same for a synchronous sink. */
  finishNow(): void {
    try {
      if (this.failure === null) this.#file.sync();
    } catch (error) {
      this.failure ??= error as PlatformError;
    }
    this.#close();
  }

  #close(): void {
    try {
      this.#file.close();
    } catch (error) {
      this.failure ??= error as PlatformError;
    }
    if (this.failure === null) return;
    this.remove();
    throw this.failure;
  }

  remove(): void {
    try {
      this.engine.platform.files.remove(this.path);
    } catch {
      return;
    }
  }
}

/** The first `size` bytes of a file, or what arrives by other means, for `RdbReader`. */
class FileReader extends RdbReader {
  readonly #file: File;
  #offset: number;
  readonly #limit: number;
  readonly #crc: Crc64 | null;
  #summed = 0;

  constructor(file: File, from: number, limit: number, checksum: boolean) {
    super(new Uint8Array(READ_SIZE), 0, 0);
    this.#file = file;
    this.#offset = from;
    this.#limit = limit;
    this.#crc = checksum ? new Crc64() : null;
  }

  override get position(): number {
    return this.#offset - (this.end - this.at);
  }

  override more(count: number): boolean {
    this.#sum();
    const left = this.end - this.at;
    // The strings of a value that was read may still be in the old buffer, so it is not overwritten.
    const buf = new Uint8Array(Math.max(READ_SIZE, count));
    if (count > READ_SIZE && count > left + this.#limit - this.#offset) return false;
    buf.set(this.buf.subarray(this.at, this.end));
    const end = Math.min(buf.length, left + this.#limit - this.#offset);
    const read = this.#file.read(buf, left, end, this.#offset);
    this.buf = buf;
    this.at = 0;
    this.#summed = 0;
    this.end = left + read;
    this.#offset += read;
    return this.end >= count;
  }

  #sum(): void {
    this.#crc?.update(this.buf, this.#summed, this.at);
    this.#summed = this.at;
  }

  /** Reads the trailer; null when it fits (or nothing is to be checked), else both sums for the message. */
  checkTrailer(): { found: bigint; expected: bigint } | null {
    this.#sum();
    const found = BigInt.asUintN(64, this.int64());
    if (this.#crc === null) return null;
    const expected = BigInt.asUintN(64, this.#crc.value());
    return found === 0n || found === expected ? null : { found, expected };
  }
}

/** What a file says besides its keys. */
export interface LoadedInfo {
  readonly aux: Map<string, string>;
  readonly functions: Uint8Array[];
  loaded: number;
  expired: number;
  emptySkipped: number;
}

export interface LoadOptions {
  /** Keep keys that have expired: what follows (an AOF tail, the master) deals with them. */
  readonly keepExpired: boolean;
  /** A key that is there already is replaced (DEBUG RELOAD NOFLUSH) instead of being an error. */
  readonly replace?: boolean;
  /** The file may go on after the RDB part (an AOF with a preamble). */
  readonly from?: number;
}

/** Why a file could not be loaded; `message` says where. */
export class LoadError extends Error {}

/**
 * Loads RDB data from an open file into the engine's databases. `progress` is called between keys with the offset reached and may
 * return a promise to wait for. Returns the info and where the data ended. Throws LoadError, CorruptData or PlatformError.
 */
export async function loadRdb(
  engine: Engine,
  file: File,
  size: number,
  options: LoadOptions,
  progress: (offset: number) => Promise<void> | null,
): Promise<{ info: LoadedInfo; end: number }> {
  const { keyspace, config, log } = engine;
  const reader = new FileReader(
    file,
    options.from ?? 0,
    size,
    config.values.rdbchecksum && !engine.persistence.skipChecksum,
  );
  const info: LoadedInfo = { aux: new Map(), functions: [], loaded: 0, expired: 0, emptySkipped: 0 };
  reader.need(9);
  reader.raw(9);
  const magic = latin1(reader.bytes, reader.bytesOff, 9);
  if (!magic.startsWith("REDIS")) throw new LoadError("Wrong signature trying to load DB from file");
  const version = Number(magic.slice(5));
  if (!(version >= 1 && version <= RDB_VERSION)) {
    throw new LoadError(`Can't handle RDB format version ${magic.slice(5)}`);
  }
  const value = new LooseValue();
  const key = new Args();
  let db = keyspace.databases[0];
  let expireAt: bigint | null = null;
  let idle = -1;
  let frequency = -1;
  for (;;) {
    const waiting = progress(reader.position);
    if (waiting !== null) await waiting;
    const type = reader.byte();
    if (type === Opcode.EOF) break;
    switch (type) {
      case Opcode.EXPIRETIME:
        reader.need(4);
        reader.raw(4);
        expireAt =
          BigInt(new DataView(reader.bytes.buffer, reader.bytes.byteOffset + reader.bytesOff).getInt32(0, true)) *
          1000n;
        continue;
      case Opcode.EXPIRETIME_MS:
        expireAt = reader.int64();
        continue;
      case Opcode.FREQ:
        frequency = reader.byte();
        continue;
      case Opcode.IDLE:
        idle = reader.length();
        continue;
      case Opcode.SELECTDB: {
        const index = reader.length();
        if (index >= keyspace.databases.length) {
          throw new LoadError(
            `FATAL: Data file was created with a Redis server configured to handle more than ${keyspace.databases.length} databases. Exiting`,
          );
        }
        db = keyspace.databases[index];
        continue;
      }
      case Opcode.RESIZEDB:
        reader.length();
        reader.length();
        continue;
      case Opcode.AUX: {
        reader.string();
        const name = latin1(reader.bytes, reader.bytesOff, reader.bytesLen);
        reader.string();
        info.aux.set(name, latin1(reader.bytes, reader.bytesOff, reader.bytesLen));
        continue;
      }
      case Opcode.FUNCTION2:
        reader.string();
        info.functions.push(reader.bytes.slice(reader.bytesOff, reader.bytesOff + reader.bytesLen));
        continue;
      case Opcode.FUNCTION:
        throw new LoadError("Pre-release function format not supported.");
      case Opcode.MODULE_AUX: {
        const name = moduleName(reader.length64());
        throw new LoadError(`The RDB file contains AUX module data I can't load: no matching module '${name}'`);
      }
    }
    if (!isValueType(type)) {
      if (type === 6 || type === 7) {
        reader.string();
        const name = moduleName(reader.length64());
        throw new LoadError(`The RDB file contains module data I can't load: no matching module type '${name}'`);
      }
      throw new CorruptData(`Unknown RDB encoding type ${type}`, reader.position);
    }
    reader.string();
    const name = reader.bytes.slice(reader.bytesOff, reader.bytesOff + reader.bytesLen);
    key.point(name, 0, name.length);
    const present = readValue(engine, type, reader, value);
    if (!present) {
      if (info.emptySkipped++ < 10) log.warning(`rdbLoadObject skipping empty key: ${key.text(0)}`);
    } else if (expireAt !== null && !options.keepExpired && expireAt < BigInt(keyspace.now)) {
      value.discard(keyspace);
      info.expired++;
    } else {
      const old = db.find(key, 0);
      if (old !== 0) {
        if (options.replace !== true) {
          throw new CorruptData(`RDB has duplicated key '${key.text(0)}' in DB ${db.index}`, reader.position);
        }
        db.remove(old);
      }
      let ref = value.addTo(db, key, 0);
      if (expireAt !== null) ref = db.setExpire(ref, expireAt);
      if (keyspace.lfu) {
        if (frequency >= 0) db.setFrequency(ref, frequency);
      } else if (idle >= 0) db.setAccess(ref, (keyspace.lruClock - idle) & 0xffffff);
      info.loaded++;
    }
    expireAt = null;
    idle = -1;
    frequency = -1;
  }
  if (version >= 5) {
    const wrong = reader.checkTrailer();
    if (wrong !== null) {
      throw new LoadError(
        `Wrong RDB checksum expected: (${wrong.expected.toString(16)}) but got (${
          wrong.found.toString(16)
        }). Aborting now.`,
      );
    }
  }
  return { info, end: reader.position };
}

/** A module type's name is packed into the upper 54 bits of its id, 6 bits a character. */
function moduleName(id: bigint): string {
  const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  let name = "";
  for (let shift = 58n; shift >= 10n; shift -= 6n) name += letters[Number((id >> shift) & 63n)];
  return name;
}
