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
import { Args } from "../bytes/args.ts";
import { copyBytes } from "../bytes/span.ts";
import type { Engine } from "../engine/engine.ts";
import type { File, Files, PlatformError } from "../platform/platform.ts";
import type { Database } from "../store/database.ts";
import { CorruptData } from "./rdb_reader.ts";
import type { RdbSource } from "./rdb_source.ts";
import { NEWEST_VERSION, Opcode } from "./rdb_format.ts";
import type { SnapshotSink } from "./snapshot.ts";
import { LooseValue, RdbType } from "./value_codec.ts";
import { isValueType, readValue } from "./values.ts";

/** Bytes of one write, and writes under way before the snapshot waits. The buffers are used again and again. */
const CHUNK = 256 * 1024;
const FULL = 8;
/**
 * With incremental fsync, the file is synced each time so much was written, so that the last sync is short. Writing goes on
 * meanwhile, because what is saved under write load cannot wait and would gather in memory; the walk waits when it is far ahead of the disk.
 */
const SYNC_EVERY = 4 * 1024 * 1024;
const MOST_UNSYNCED = 8 * SYNC_EVERY;

/** Where a snapshot goes to become a file. */
export class RdbFileSink implements SnapshotSink {
  /** The first write that failed. */
  failure: PlatformError | null = null;
  /** Called when there is room again. */
  onRoom: () => void = () => {};
  size = 0;
  /** What is gathered in `#chunk[0, #filled)`, full chunks that wait to be written, and chunks that have been. */
  #chunk: Uint8Array;
  #filled = 0;
  #queue: Uint8Array[] = [];
  #spare: Uint8Array[] = [];
  /** Bytes that no sync that is over has covered, and that the one that is under way does not cover. */
  #unsynced = 0;
  #sinceSync = 0;
  #syncing: Promise<void> | null = null;
  #writing = false;
  #whenIdle: (() => void) | null = null;
  #discarded = false;
  readonly #file: File;

  /**
   * Throws a PlatformError when the file cannot be made. `incrementalFsync`: the parameter that decides about it, which is another one
   * for the base of an append-only file.
   */
  constructor(
    readonly engine: Engine,
    readonly path: string,
    readonly synchronous: boolean,
    readonly incrementalFsync: "rdbSaveIncrementalFsync" | "aofRewriteIncrementalFsync" = "rdbSaveIncrementalFsync",
  ) {
    this.#file = engine.platform.files.open(path, "w", 0o644);
    this.#chunk = new Uint8Array(synchronous ? 0 : CHUNK);
  }

  get isFull(): boolean {
    return this.#queue.length > FULL || this.#unsynced > MOST_UNSYNCED;
  }

  write(buf: Uint8Array, length: number): void {
    this.size += length;
    if (this.failure !== null || this.#discarded) return;
    if (this.synchronous) {
      try {
        this.#file.write(buf, 0, length);
      } catch (error) {
        this.failure = error as PlatformError;
      }
      return;
    }
    for (let at = 0; at < length;) {
      const count = Math.min(length - at, CHUNK - this.#filled);
      this.#chunk.set(at === 0 && count === buf.length ? buf : buf.subarray(at, at + count), this.#filled);
      this.#filled += count;
      at += count;
      if (this.#filled < CHUNK) break;
      this.#queue.push(this.#chunk);
      this.#chunk = this.#spare.pop() ?? new Uint8Array(CHUNK);
      this.#filled = 0;
    }
    if (!this.#writing && this.#queue.length > 0) void this.#pump();
  }

  async #pump(): Promise<void> {
    this.#writing = true;
    while (this.#queue.length > 0) {
      const chunk = this.#queue[0];
      await this.#put(chunk, CHUNK);
      if (this.#discarded) break;
      const wasFull = this.isFull;
      this.#queue.shift();
      this.#spare.push(chunk);
      if (wasFull && !this.isFull) this.onRoom();
    }
    this.#writing = false;
    if (this.#discarded) this.#closeUnwanted();
    this.#whenIdle?.();
  }

  async #put(chunk: Uint8Array, length: number): Promise<void> {
    if (this.failure !== null) return;
    try {
      await this.#file.writeAsync(chunk, 0, length);
    } catch (error) {
      this.failure = error as PlatformError;
      return;
    }
    this.#unsynced += length;
    this.#sinceSync += length;
    this.#syncIfDue();
  }

  #syncIfDue(): void {
    if (this.#syncing !== null || this.#discarded || this.#sinceSync < SYNC_EVERY) return;
    if (this.engine.config.values[this.incrementalFsync] && this.failure === null) this.#syncing = this.#sync();
    else this.#unsynced = 0;
  }

  async #sync(): Promise<void> {
    this.#sinceSync = 0;
    try {
      await this.#file.dataSyncAsync();
    } catch (error) {
      this.failure ??= error as PlatformError;
    }
    this.#syncing = null;
    if (this.#discarded) return this.#closeUnwanted();
    const wasFull = this.isFull;
    this.#unsynced = this.#sinceSync;
    this.#syncIfDue();
    if (wasFull && !this.isFull) this.onRoom();
  }

  /** The file is not wanted any more: removes it, whatever is still under way. */
  discard(): void {
    this.#discarded = true;
    this.#queue = [];
    this.remove();
    this.#closeUnwanted();
  }

  /** Closes the file as soon as nothing is under way. */
  #closeUnwanted(): void {
    if (!this.#writing && this.#syncing === null) this.#file.close();
  }

  /** Waits for the writes, syncs and closes. Rejects with the first failure; the file is removed then. Resolves when discarded meanwhile. */
  async finish(): Promise<void> {
    if (this.#writing) await new Promise<void>((resolve) => this.#whenIdle = resolve);
    if (this.#discarded) return;
    this.#writing = true;
    await this.#put(this.#chunk, this.#filled);
    while (this.#syncing !== null) await this.#syncing;
    if (this.failure === null) await this.#sync();
    this.#writing = false;
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
    removeLeftover(this.engine.platform.files, this.path);
  }
}

/** Removes a file that may not be there, if it can be done: that it stays is no reason to stop. */
export function removeLeftover(files: Files, path: string): void {
  try {
    if (files.stat(path) !== null) files.remove(path);
  } catch {
    return;
  }
}

/** Steps between two looks at the time; one, where each is to take long. */
const AT_ONCE = 16;
/** Records that are put into the table together. */
const MOST_WAITING = 256;
/** Bytes of the shortest key with its value. */
const LEAST_KEY = 3;

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
  /** Told of each key that is left out because it has expired, with the header's fields. */
  readonly onExpired?: (db: Database, key: Args, header: ReadonlyMap<string, string>) => void;
  /** Told of each field of the header when it is read. */
  readonly onField?: (name: string, value: string) => void;
  /** A key that is there already is replaced (DEBUG RELOAD NOFLUSH) instead of being an error. */
  readonly replace?: boolean;
  /** Where the keys go, instead of the server's databases. */
  readonly databases?: readonly Database[];
}

/** Why a file could not be loaded. */
export class LoadError extends Error {}

/** The same, where the content of the file is the reason; `message` says where, `report` what was being read. */
export class DamagedFile extends LoadError {
  readonly report: string;

  constructor(damage: CorruptData) {
    super(damage.logLine);
    this.report = ["--- RDB ERROR DETECTED ---", `[offset ${damage.offset}] ${damage.reason}`, ...damage.details].join(
      "\n",
    );
  }
}

/**
 * Loads RDB data into the engine's databases. `progress` is called between keys with the offset reached and may
 * return a promise to wait for. Returns the info and where the data ended. Throws LoadError, CorruptData, PlatformError or SourceLost.
 */
export async function loadRdb(
  engine: Engine,
  source: RdbSource,
  options: LoadOptions,
  progress: (offset: number) => Promise<void> | null,
): Promise<{ info: LoadedInfo; end: number }> {
  const load = new RdbLoad(engine, source, options);
  const atOnce = engine.config.values.keyLoadDelay === 0 ? AT_ONCE : 1;
  const steps = [() => load.header(), () => load.step(), () => load.trailer()];
  try {
    for (const step of steps) {
      for (let more = true; more;) {
        const waiting = progress(source.position);
        if (waiting !== null) {
          load.insertWaiting();
          await waiting;
        }
        try {
          for (let i = 0; i < atOnce && more; i++) {
            source.mark();
            more = step();
          }
        } catch (error) {
          if (error instanceof RepeatedKey) throw error;
          load.insertWaiting();
          if (error instanceof CorruptData) error.details = load.details();
          await source.refill(error);
        }
      }
    }
  } finally {
    load.end();
  }
  return { info: load.info, end: source.position };
}

/** Two keys of a database have the same name. It is noticed when their values have been read. */
class RepeatedKey extends CorruptData {}

/** A data set being loaded. A step returns true when another one of its kind follows. */
class RdbLoad {
  readonly info: LoadedInfo = { aux: new Map(), functions: [], loaded: 0, expired: 0, emptySkipped: 0 };
  readonly #databases: readonly Database[];
  readonly #value = new LooseValue();
  readonly #key = new Args();
  /** A copy of the key's bytes, as the value is read after them. */
  #name = new Uint8Array(256);
  #version = 0;
  /** The key that is being read: its type byte, -1 outside of one, and whether its name is known. */
  #type = -1;
  #isNamed = false;
  #db: Database;
  /**
   * Records that are not in the table yet, and where their values ended in the file. They are put there some hundred at a time, in one
   * short loop: the processor fetches several buckets at once then, where it would wait for each.
   */
  #waiting = new Int32Array(MOST_WAITING);
  #waitingEnds = new Float64Array(MOST_WAITING);
  #waitingCount = 0;
  readonly #waitingKey = new Args();
  // What was said of the key that comes next.
  #expireAt: bigint | null = null;
  #idle = -1;
  #frequency = -1;

  constructor(readonly engine: Engine, readonly source: RdbSource, readonly options: LoadOptions) {
    this.#databases = options.databases ?? engine.keyspace.databases;
    this.#db = this.#databases[0];
  }

  header(): boolean {
    const { source } = this;
    source.raw(9);
    const magic = latin1(source.bytes, source.bytesOff, 9);
    if (!magic.startsWith("REDIS")) throw new LoadError("Wrong signature trying to load DB from file");
    this.#version = parseInt(magic.slice(5), 10) || 0;
    if (this.#version >= 1 && this.#version <= NEWEST_VERSION) return false;
    throw new LoadError(`Can't handle RDB format version ${this.#version}`);
  }

  /** One opcode, or one key with its value. */
  step(): boolean {
    const { source, info } = this;
    const type = source.byte();
    switch (type) {
      case Opcode.EOF:
        this.insertWaiting();
        return false;
      case Opcode.EXPIRETIME: {
        source.raw(4);
        const { bytes, bytesOff } = source;
        this.#expireAt = BigInt(new DataView(bytes.buffer, bytes.byteOffset + bytesOff).getInt32(0, true)) * 1000n;
        return true;
      }
      case Opcode.EXPIRETIME_MS:
        this.#expireAt = source.int64();
        // Redis has -1 for "no deadline".
        if (this.#expireAt === -1n) this.#expireAt = null;
        return true;
      case Opcode.FREQ:
        this.#frequency = source.byte();
        return true;
      case Opcode.IDLE:
        this.#idle = source.length();
        return true;
      case Opcode.SELECTDB: {
        const index = source.length();
        this.insertWaiting();
        if (index < this.#databases.length) this.#db = this.#databases[index];
        else {
          throw new LoadError(
            `FATAL: Data file was created with a Redis server configured to handle more than ${this.#databases.length} databases. Exiting`,
          );
        }
        return true;
      }
      case Opcode.RESIZEDB: {
        const keys = source.length();
        source.length();
        this.insertWaiting();
        this.#db.dict.expect(Math.min(keys, source.most(LEAST_KEY)));
        return true;
      }
      case Opcode.AUX: {
        source.string();
        const name = latin1(source.bytes, source.bytesOff, source.bytesLen);
        source.string();
        const value = latin1(source.bytes, source.bytesOff, source.bytesLen);
        info.aux.set(name, value);
        this.options.onField?.(name, value);
        return true;
      }
      case Opcode.FUNCTION2:
        source.string();
        info.functions.push(source.bytes.slice(source.bytesOff, source.bytesOff + source.bytesLen));
        return true;
      case Opcode.FUNCTION:
        return source.fail("Pre-release function format not supported.");
      case Opcode.MODULE_AUX: {
        const name = moduleName(source.length64());
        return source.fail(`The RDB file contains AUX module data I can't load: no matching module '${name}'`);
      }
      default:
        this.#readKey(type);
        return true;
    }
  }

  #readKey(type: number): void {
    const { source, engine } = this;
    if (!isValueType(type, this.#version)) {
      if (type === RdbType.MODULE_PRE_GA || type === RdbType.MODULE_2) {
        source.string();
        const name = moduleName(source.length64());
        source.fail(`The RDB file contains module data I can't load: no matching module type '${name}'`);
      }
      throw new CorruptData(`Unknown RDB encoding type ${type}`, source.position);
    }
    this.#type = type;
    this.#isNamed = false;
    source.string();
    const length = source.bytesLen;
    if (length > this.#name.length) this.#name = new Uint8Array(length * 2);
    copyBytes(source.bytes, source.bytesOff, length, this.#name, 0);
    this.#key.point(this.#name, 0, length);
    this.#isNamed = true;
    const present = readValue(engine, type, source, this.#value);
    if (present) this.#addKey();
    else if (this.info.emptySkipped++ < 10) {
      engine.log.warning(`rdbLoadObject skipping empty key: ${this.#key.text(0)}`);
    }
    this.#type = -1;
    this.#expireAt = null;
    this.#idle = -1;
    this.#frequency = -1;
  }

  /** What is being read, in the words of redis-check-rdb. */
  details(): string[] {
    const { info } = this;
    const lines: string[] = [];
    if (this.#type >= 0) {
      if (this.#isNamed) lines.push(`[additional info] Reading key '${this.#key.text(0)}'`);
      lines.push(`[additional info] Reading type ${this.#type}`);
    }
    return [...lines, `[info] ${info.loaded + info.expired} keys read`, `[info] ${info.expired} already expired`];
  }

  #addKey(): void {
    const { engine: { keyspace }, options, info } = this;
    const db = this.#db, key = this.#key, value = this.#value, expireAt = this.#expireAt;
    if (expireAt !== null && !options.keepExpired && expireAt < BigInt(keyspace.now)) {
      value.discard(keyspace);
      info.expired++;
      options.onExpired?.(db, key, info.aux);
      return;
    }
    const hash = db.dict.hash(key.buf, 0, key.len[0]);
    const isPlain = expireAt === null && this.#idle < 0 && this.#frequency < 0;
    if (isPlain && db.dict.isExpecting && options.replace !== true) {
      const at = this.#waitingCount++;
      this.#waiting[at] = value.writeTo(db, key, 0, hash);
      this.#waitingEnds[at] = this.source.position;
      info.loaded++;
      if (this.#waitingCount === MOST_WAITING) this.insertWaiting();
      return;
    }
    this.insertWaiting();
    const old = db.dict.mayHave(hash) ? db.find(key, 0) : 0;
    if (old !== 0) {
      if (options.replace !== true) {
        value.discard(keyspace);
        this.#failRepeated(key, this.source.position);
      }
      db.remove(old);
    }
    let ref = value.addTo(db, key, 0, hash);
    if (expireAt !== null) ref = db.setExpire(ref, expireAt);
    if (keyspace.lfu) {
      if (this.#frequency >= 0) db.setFrequency(ref, this.#frequency);
    } else if (this.#idle >= 0) db.setAccess(ref, (keyspace.lruClock - this.#idle) & 0xffffff);
    info.loaded++;
  }

  /** Puts the records that wait into the table, all of them even if one is to be refused. */
  insertWaiting(): void {
    const db = this.#db, dict = db.dict, key = this.#waitingKey, count = this.#waitingCount;
    let twice = -1;
    for (let i = 0; i < count; i++) {
      const ref = this.#waiting[i];
      const hash = dict.hashOf(ref);
      if (dict.mayHave(hash)) {
        key.point(dict.keyBuffer(ref), dict.keyOffset(ref), dict.keyLength(ref));
        if (twice < 0 && dict.find(key.buf, key.off[0], key.len[0], hash) !== 0) twice = i;
      }
      dict.insert(ref);
    }
    this.#waitingCount = 0;
    if (twice < 0) return;
    const ref = this.#waiting[twice];
    key.point(dict.keyBuffer(ref), dict.keyOffset(ref), dict.keyLength(ref));
    // What is being read by now has nothing to do with it.
    this.#type = -1;
    this.#failRepeated(key, this.#waitingEnds[twice]);
  }

  #failRepeated(key: Args, offset: number): never {
    const error = new RepeatedKey(`RDB has duplicated key '${key.text(0)}' in DB ${this.#db.index}`, offset);
    error.details = this.details();
    throw error;
  }

  /** The loading is over, however it ended. */
  end(): void {
    for (const { dict } of this.#databases) dict.endExpecting();
  }

  trailer(): boolean {
    if (this.#version < 5) return false;
    const wrong = this.source.checkTrailer();
    if (wrong === null) return false;
    const { log } = this.engine;
    const [expected, found] = [wrong.expected.toString(16), wrong.found.toString(16)];
    log.warning(`Wrong RDB checksum expected: (${expected}) but got (${found}). Aborting now.`);
    throw new CorruptData("RDB CRC error", this.source.position);
  }
}

/** A module type's name is packed into the upper 54 bits of its id, 6 bits a character. */
function moduleName(id: bigint): string {
  const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  let name = "";
  for (let shift = 58n; shift >= 10n; shift -= 6n) name += letters[Number((id >> shift) & 63n)];
  return name;
}
