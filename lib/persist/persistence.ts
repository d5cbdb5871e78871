/**
 * Persistence: when snapshots are taken, where they go, and what INFO persistence and LASTSAVE tell of it.
 *
 * At most one snapshot is under way at a time, be it for BGSAVE, for an AOF rewrite or for replicas: `background` says which. The RDB
 * part of the start (`load`) leaves the server answering -LOADING meanwhile.
 *
 * Log lines, replies and the rules of save points are those of Redis 7.0 (rdb.c, serverCron).
 */

import { Deny } from "../engine/command.ts";
import type { Engine } from "../engine/engine.ts";
import { hostPath } from "../bytes/path.ts";
import type { File, PlatformError } from "../platform/platform.ts";
import { MISCONF_RDB } from "../resp/errors.ts";
import { CorruptData, ShortData } from "./rdb_reader.ts";
import { DamagedFile, LoadError, type LoadOptions, loadRdb, RdbFileSink, removeLeftover } from "./rdb_file.ts";
import { Aof } from "./aof.ts";
import { loadAof, readManifest } from "./aof_load.ts";
import { FileSource, type RdbSource, StreamSource } from "./rdb_source.ts";
import { RdbFormat, type RdbOptions } from "./rdb_format.ts";
import { Snapshot, type SnapshotFormat, type SnapshotSink, writeAll } from "./snapshot.ts";

/** Milliseconds between two tries of a save that fails. */
const RETRY_AFTER = 5000;
/** The length of a slice of a snapshot while nobody is served, in milliseconds. */
const LAST_SLICE = 20;

export type Background = "none" | "rdb" | "aof" | "replicas";

export interface LoadingState {
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  readonly totalBytes: number;
  loadedBytes: number;
}

export class Persistence {
  /** Seconds since 1970 of the last successful save. */
  lastSave: number;
  lastSaveOk = true;
  /** Seconds, -1 before the first. */
  lastSaveDuration = -1;
  saves = 0;
  /** Bytes of values that the last save wrote ahead of their turn. */
  lastPreserved = 0;
  background: Background = "none";
  /** Milliseconds since 1970 at which `background` began. */
  backgroundStart = 0;
  snapshot: Snapshot | null = null;
  saveScheduled = false;
  loading: LoadingState | null = null;
  keysLoaded = 0;
  keysExpired = 0;
  /** DEBUG SET-SKIP-CHECKSUM-VALIDATION. */
  skipChecksum = false;
  /** Function libraries of the file that was loaded, kept for the next one. */
  functions: Uint8Array[] = [];
  #lastTry = 0;
  #dirtyAtStart = 0;
  #sink: RdbFileSink | null = null;
  /** Called with the outcome of the save that is under way. */
  #onSaved: (saved: boolean) => void = () => {};

  readonly aof: Aof;

  constructor(readonly engine: Engine) {
    this.aof = new Aof(engine, this);
    this.lastSave = Math.floor(engine.keyspace.now / 1000);
  }

  /** Absolute path of a file in `dir`. */
  path(name: string): string {
    return hostPath(`${this.#directory}/${name}`);
  }

  get #directory(): string {
    return this.engine.config.get(["dir"])[0][1];
  }

  get #target(): string {
    return this.path(this.engine.config.values.dbfilename);
  }

  /** Name of the file that is written before it takes the place of the old one; SAVE can come in the middle of BGSAVE. */
  #temporary(inBackground: boolean): string {
    const { id } = this.engine.platform.process;
    return inBackground ? `temp-${id}-bg.rdb` : `temp-${id}.rdb`;
  }

  // ---- Saving ------------------------------------------------------------------------------------------------------------------

  /** The format of an RDB file for a purpose; `filter` leaves something out. */
  rdbFormat(purpose: Background, filter: Pick<RdbOptions, "withoutData" | "withoutFunctions"> = {}): RdbFormat {
    const isBase = purpose === "aof";
    const aux = [...isBase ? [] : this.engine.replication.saveInfo(), ["aof-base", isBase ? "1" : "0"] as const];
    return new RdbFormat(this.engine, { aux, functions: this.functions, ...filter });
  }

  /** SAVE: everything at once, nobody is served meanwhile. False when it failed, which has been logged. */
  save(): boolean {
    const { engine } = this;
    const { dirty } = engine.keyspace;
    const name = this.#temporary(false);
    try {
      this.#writeNow(this.path(name), "rdb");
    } catch (error) {
      engine.log.warning(`Write error saving DB on disk: ${(error as PlatformError).message}`);
      return false;
    }
    try {
      this.replaceFile(this.path(name), this.#target);
      engine.platform.files.syncDirectory(this.path("."));
    } catch (error) {
      this.#logMoveFailure(name, error as PlatformError);
      return false;
    }
    engine.log.notice("DB saved on disk");
    this.#succeeded(dirty);
    return true;
  }

  /** Writes the data set to a file that an AOF begins with. Throws a PlatformError. */
  saveTo(path: string): void {
    this.#writeNow(path, "aof");
  }

  /** Writes a whole snapshot at once. Throws a PlatformError; the file is gone then. */
  #writeNow(path: string, purpose: Background): void {
    let sink: RdbFileSink;
    try {
      sink = new RdbFileSink(this.engine, path, true);
    } catch (error) {
      this.#logOpenFailure(path.slice(path.lastIndexOf("/") + 1), error as PlatformError);
      throw error;
    }
    writeAll(this.engine, sink, this.rdbFormat(purpose));
    sink.finishNow();
  }

  /**
   * BGSAVE. False when the temporary file cannot be made, which has been logged. `onSaved` is told the outcome otherwise.
   */
  startSave(onSaved: (saved: boolean) => void = () => {}): boolean {
    const { engine } = this;
    this.saveScheduled = false;
    this.#lastTry = engine.keyspace.now;
    if (this.#begin(true, onSaved)) return true;
    this.#failed();
    engine.log.warning("Background saving error");
    return false;
  }

  /**
   * The save before the end, while nobody is served: in slices all the same, so that a signal can interrupt it. Tells the outcome,
   * which has been logged.
   */
  saveBeforeEnd(onSaved: (saved: boolean) => void): void {
    if (!this.#begin(false, onSaved)) onSaved(false);
  }

  #begin(inBackground: boolean, onSaved: (saved: boolean) => void): boolean {
    const { engine } = this;
    const name = this.#temporary(inBackground);
    let sink: RdbFileSink;
    try {
      sink = new RdbFileSink(engine, this.path(name), false);
    } catch (error) {
      this.#logOpenFailure(name, error as PlatformError);
      return false;
    }
    this.#onSaved = onSaved;
    this.#dirtyAtStart = engine.keyspace.dirty;
    this.#sink = sink;
    if (inBackground) engine.log.notice(`Background saving started by pid ${engine.platform.process.id}`);
    const finish = () => void this.#finishSave(sink, inBackground);
    this.begin("rdb", [sink], this.rdbFormat("rdb"), finish, inBackground ? undefined : LAST_SLICE);
    return true;
  }

  /** Begins a snapshot; `onEnd` is called when all bytes were given to the sinks. */
  begin(
    background: Background,
    sinks: readonly SnapshotSink[],
    format: SnapshotFormat,
    onEnd: () => void,
    slice?: number,
  ): Snapshot {
    // One that was given up may still be on its way.
    this.snapshot?.settle();
    this.background = background;
    this.backgroundStart = this.engine.platform.clock.now();
    const snapshot: Snapshot = new Snapshot(this.engine, sinks, format, () => {
      this.snapshot = null;
      if (background === "rdb") this.lastPreserved = snapshot.preserved;
      if (background === "aof") this.aof.lastPreserved = snapshot.preserved;
      if (!snapshot.abandoned) onEnd();
    }, slice);
    this.snapshot = snapshot;
    this.engine.stats.snapshots++;
    for (const sink of sinks) sink.onRoom = () => snapshot.go();
    snapshot.go();
    return snapshot;
  }

  async #finishSave(sink: RdbFileSink, inBackground: boolean): Promise<void> {
    const { log, platform } = this.engine;
    let saved = false;
    try {
      await sink.finish();
      if (this.#sink !== sink) return;
      saved = await this.#install(this.#temporary(inBackground));
      if (this.#sink !== sink) return;
    } catch (error) {
      if (this.#sink !== sink) return;
      log.warning(`Write error saving DB on disk: ${(error as PlatformError).message}`);
    }
    this.#sink = null;
    this.background = "none";
    if (saved) {
      this.lastSaveDuration = Math.floor((platform.clock.now() - this.backgroundStart) / 1000);
      this.#succeeded(this.#dirtyAtStart);
      if (inBackground) log.notice("Background saving terminated with success");
    } else if (inBackground) {
      this.#failed();
      log.warning("Background saving error");
    }
    this.#onSaved(saved);
  }

  /** The finished temporary file takes the name. False when it cannot, which has been logged. */
  async #install(temporary: string): Promise<boolean> {
    const { platform: { files }, log } = this.engine;
    try {
      this.replaceFile(this.path(temporary), this.#target);
      await files.syncDirectoryAsync(this.path("."));
    } catch (error) {
      this.#logMoveFailure(temporary, error as PlatformError);
      return false;
    }
    log.notice("DB saved on disk");
    return true;
  }

  /**
   * Gives a file the name of another one, if there is one by that name. It is kept open meanwhile and closed in the background, since
   * freeing the blocks of a large file takes long. Throws a PlatformError.
   */
  replaceFile(from: string, to: string): void {
    const { files } = this.engine.platform;
    let old: File | null = null;
    try {
      old = files.open(to, "r");
    } catch {
      // There is none, or it cannot be read; then the file system frees it at once.
    }
    try {
      files.rename(from, to);
    } finally {
      old?.closeAsync().catch(() => {});
    }
  }

  #logMoveFailure(temporary: string, { message }: PlatformError): void {
    const { platform: { files }, config, log } = this.engine;
    const { dbfilename } = config.values;
    log.warning(
      `Error moving temp DB file ${temporary} on the final destination ${dbfilename} (in server root dir ${this.#directory}): ${message}`,
    );
    removeLeftover(files, this.path(temporary));
  }

  #succeeded(dirtySaved: number): void {
    const { engine } = this;
    engine.keyspace.dirty -= dirtySaved;
    this.lastSave = Math.floor(engine.platform.clock.now() / 1000);
    this.lastSaveOk = true;
    this.saves++;
    this.updateWriteError();
  }

  #failed(): void {
    this.lastSaveOk = false;
    this.updateWriteError();
  }

  #logOpenFailure(name: string, error: PlatformError): void {
    this.engine.log.warning(
      `Failed opening the temp RDB file ${name} (in server root dir ${this.#directory}) for saving: ${error.message}`,
    );
  }

  /** Gives a save up that is under way (FLUSHALL, SHUTDOWN): its file never gets the name. */
  cancelSave(): void {
    const sink = this.#sink;
    if (this.background !== "rdb" || sink === null) return;
    this.engine.log.warning("Background saving terminated by signal 10");
    this.#sink = null;
    this.background = "none";
    const start = this.engine.observation.beginDelay();
    sink.discard();
    this.engine.observation.endDelay(start, "rdb-unlink-temp-file");
    this.snapshot?.abandon();
    this.#onSaved(false);
  }

  /** Whether writes have to be refused because the last save failed. */
  updateWriteError(): void {
    const { engine } = this;
    const { stopWritesOnBgsaveError, save } = engine.config.values;
    const refuse = !this.lastSaveOk && stopWritesOnBgsaveError && save.length > 0;
    engine.diskError = this.aof.writeError ?? (refuse ? MISCONF_RDB : null);
    engine.updateWriteDeny();
  }

  /** Called by the cron: save points, and what was scheduled. */
  cron(): void {
    this.aof.cron();
    if (this.background !== "none" || this.loading !== null) return;
    const { keyspace, config, log } = this.engine;
    const mayTry = this.lastSaveOk || keyspace.now - this.#lastTry > RETRY_AFTER;
    if (this.saveScheduled && mayTry) {
      this.startSave();
      return;
    }
    for (const { seconds, changes } of config.values.save) {
      if (keyspace.dirty < changes || Math.floor(keyspace.now / 1000) - this.lastSave <= seconds || !mayTry) continue;
      log.notice(`${changes} changes in ${seconds} seconds. Saving...`);
      this.startSave();
      return;
    }
  }

  // ---- Loading -----------------------------------------------------------------------------------------------------------------

  /**
   * Loads the data set at the start. Rejects with an Error whose message is to be logged as the reason for the end; the parts
   * of a message that Redis logs before have been logged.
   */
  async load(): Promise<void> {
    const { engine } = this;
    // Even an AOF that is off has its numbers, which go on when it is switched on.
    this.aof.manifest = readManifest(engine, this);
    if (engine.config.values.appendonly) {
      await loadAof(engine, this);
      this.aof.openAtStart();
      this.aof.deleteHistory();
      return;
    }
    const path = this.#target;
    if (engine.platform.files.stat(path) === null) return;
    const start = engine.platform.clock.monotonic();
    engine.replication.loadedInfo(await this.#loadAtStart(path));
    const seconds = (engine.platform.clock.monotonic() - start) / 1000;
    engine.log.notice(`DB loaded from disk: ${seconds.toFixed(3)} seconds`);
  }

  /** Loads the file; what Redis logs before it gives up is logged. */
  async #loadAtStart(path: string): Promise<ReadonlyMap<string, string>> {
    try {
      const { replication, config } = this.engine;
      // A replica keeps what has expired until its master says so; a master tells its replicas what it has left out.
      if (config.values.replicaof !== null) return await this.loadFile(path, { keepExpired: true });
      return await this.loadFile(path, {
        keepExpired: false,
        onExpired: (db, key, header) => replication.expiredWhileLoading(db, key, header),
      });
    } catch (error) {
      if (!(error instanceof LoadError)) {
        throw new Error(`Fatal error loading the DB: ${(error as PlatformError).message}. Exiting.`);
      }
      this.engine.log.warning(error.message);
      if (error instanceof DamagedFile) {
        this.engine.log.raw(`${error.report}\n`);
        throw new Error("Terminating server after rdb file reading failure.");
      }
      throw new Error("Fatal error loading the DB: Invalid argument. Exiting.");
    }
  }

  /** Loads one RDB file into the databases, in slices; returns its header's fields. Rejects as `load` does. */
  async loadFile(path: string, options: LoadOptions): Promise<ReadonlyMap<string, string>> {
    const { engine } = this;
    const { files } = engine.platform;
    const file = files.open(path, "r");
    this.beginLoading(file.size());
    try {
      return (await this.loadOpenFile(file, options)).aux;
    } finally {
      file.close();
      this.endLoading();
    }
  }

  /** Loads the RDB part of an open file; returns the header's fields and where the part ended. */
  loadOpenFile(file: File, options: LoadOptions): Promise<{ aux: ReadonlyMap<string, string>; end: number }> {
    return this.loadFrom(new FileSource(file, 0, file.size(), this.sums), options);
  }

  /** Whether checksums are looked at. */
  get sums(): boolean {
    return this.engine.config.values.rdbchecksum && !this.skipChecksum;
  }

  /** Loads RDB data from wherever; returns the header's fields and where the data ended. Rejects as `load` does. */
  async loadFrom(
    source: RdbSource,
    options: LoadOptions,
  ): Promise<{ aux: ReadonlyMap<string, string>; end: number }> {
    const { engine } = this;
    try {
      const onField = (name: string, value: string) => this.#report(name, value);
      const { info, end } = await loadRdb(engine, source, { ...options, onField }, this.progress());
      this.functions = info.functions;
      this.keysLoaded = info.loaded;
      this.keysExpired = info.expired;
      const empty = info.emptySkipped > 0 ? `, empty keys skipped: ${info.emptySkipped}` : "";
      const done = `Done loading RDB, keys loaded: ${info.loaded}, keys expired: ${info.expired}${empty}.`;
      if (info.emptySkipped > 0) engine.log.warning(done);
      else engine.log.notice(done);
      return { aux: info.aux, end };
    } catch (error) {
      if (!(error instanceof CorruptData)) throw error;
      if (error instanceof ShortData) {
        engine.log.warning("Short read or OOM loading DB. Unrecoverable error, aborting now.");
      }
      throw new DamagedFile(error);
    }
  }

  /** For a data set that comes over a connection: to be filled, and given to `loadFrom`. */
  newStream(): StreamSource {
    return new StreamSource(this.sums);
  }

  /**
   * A function to be called with the offset reached in a file that is being loaded: it returns a promise when it is time to serve
   * clients. `before` is the size of files that were loaded already.
   */
  progress(before = 0): (offset: number) => Promise<void> | null {
    const { clock } = this.engine.platform;
    const { values } = this.engine.config;
    const interval = values.loadingProcessEventsIntervalBytes;
    let next = interval;
    return (offset) => {
      const delay = values.keyLoadDelay;
      if (delay !== 0) {
        return new Promise((resolve) => clock.after(Math.max(1, Math.abs(delay) / 1000), () => resolve()));
      }
      if (offset < next) return null;
      next = offset + interval;
      this.loading!.loadedBytes = before + offset;
      return new Promise((resolve) => clock.soon(() => resolve()));
    };
  }

  /** What a file says of itself, for the log. */
  #report(name: string, value: string): void {
    const { log, platform } = this.engine;
    if (name.startsWith("%")) log.notice(`RDB '${name}': ${value}`);
    else if (name === "redis-ver") log.notice(`Loading RDB produced by version ${value}`);
    else if (name === "ctime") {
      log.notice(`RDB age ${Math.max(0, Math.floor(platform.clock.now() / 1000) - Number(value))} seconds`);
    } else if (name === "used-mem") {
      log.notice(`RDB memory usage when created ${(Number(value) / 1048576).toFixed(2)} Mb`);
    } else if (name === "aof-base" && value !== "0") log.notice("RDB is base AOF");
  }

  /** `aside`: the old data is there to be read while the new is loaded beside it. */
  beginLoading(totalBytes: number, aside = false): void {
    this.loading = { startedAt: this.engine.platform.clock.now(), totalBytes, loadedBytes: 0 };
    this.engine.deny |= aside ? Deny.ASYNC_LOADING : Deny.LOADING;
    this.engine.updateExpiry();
  }

  endLoading(): void {
    this.loading = null;
    this.engine.deny &= ~(Deny.LOADING | Deny.ASYNC_LOADING);
    this.engine.updateExpiry();
  }
}
