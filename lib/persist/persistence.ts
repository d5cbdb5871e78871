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
import { CorruptData } from "./rdb_reader.ts";
import { LoadError, type LoadOptions, loadRdb, RdbFileSink } from "./rdb_file.ts";
import { Aof } from "./aof.ts";
import { loadAof } from "./aof_load.ts";
import { RdbFormat, type RdbOptions } from "./rdb_format.ts";
import { Snapshot, type SnapshotFormat, type SnapshotSink } from "./snapshot.ts";

/** Milliseconds between two tries of a save that fails. */
const RETRY_AFTER = 5000;

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
    const dir = this.engine.config.get(["dir"])[0][1];
    return hostPath(`${dir}/${name}`);
  }

  get #target(): string {
    return this.path(this.engine.config.values.dbfilename);
  }

  get #temporary(): string {
    return this.path(`temp-${this.engine.platform.process.id}.rdb`);
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
    this.cancelBackground();
    const { engine } = this;
    const dirty = engine.keyspace.dirty;
    try {
      this.#writeNow(this.#temporary, "rdb");
      this.#install();
    } catch (error) {
      engine.log.warning(`Write error saving DB on disk: ${(error as PlatformError).message}`);
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
      this.#logOpenFailure(error as PlatformError);
      throw error;
    }
    new Snapshot(this.engine, [sink], this.rdbFormat(purpose), () => {}).finish();
    sink.finishNow();
  }

  /**
   * BGSAVE. False when the temporary file cannot be made, which has been logged. `onSaved` is told the outcome otherwise.
   */
  startSave(onSaved: (saved: boolean) => void = () => {}): boolean {
    const { engine } = this;
    this.saveScheduled = false;
    this.#onSaved = onSaved;
    this.#lastTry = engine.keyspace.now;
    this.#dirtyAtStart = engine.keyspace.dirty;
    let sink: RdbFileSink;
    try {
      sink = new RdbFileSink(engine, this.#temporary, false);
    } catch (error) {
      this.#logOpenFailure(error as PlatformError);
      this.#failed();
      return false;
    }
    this.#sink = sink;
    engine.log.notice(`Background saving started by pid ${engine.platform.process.id}`);
    this.begin("rdb", [sink], this.rdbFormat("rdb"), () => void this.#finishSave(sink));
    return true;
  }

  /** Begins a snapshot; `onEnd` is called when all bytes were given to the sinks. */
  begin(
    background: Background,
    sinks: readonly SnapshotSink[],
    format: SnapshotFormat,
    onEnd: () => void,
  ): Snapshot {
    this.background = background;
    this.backgroundStart = this.engine.platform.clock.now();
    const snapshot = new Snapshot(this.engine, sinks, format, () => {
      this.snapshot = null;
      onEnd();
    });
    this.snapshot = snapshot;
    for (const sink of sinks) sink.onRoom = () => snapshot.go();
    snapshot.go();
    return snapshot;
  }

  async #finishSave(sink: RdbFileSink): Promise<void> {
    const { engine } = this;
    try {
      await sink.finish();
      if (this.#sink !== sink) return sink.remove();
      this.#install();
    } catch (error) {
      if (this.#sink !== sink) return;
      engine.log.warning(`Write error saving DB on disk: ${(error as PlatformError).message}`);
      engine.log.warning("Background saving error");
      this.#sink = null;
      this.background = "none";
      this.#failed();
      this.#onSaved(false);
      return;
    }
    this.#sink = null;
    this.background = "none";
    engine.log.notice("DB saved on disk");
    this.lastSaveDuration = Math.floor((engine.platform.clock.now() - this.backgroundStart) / 1000);
    engine.log.notice("Background saving terminated with success");
    this.#succeeded(this.#dirtyAtStart);
    this.#onSaved(true);
  }

  /** The finished temporary file takes the name. */
  #install(): void {
    const { files } = this.engine.platform;
    files.rename(this.#temporary, this.#target);
    files.syncDirectory(this.path("."));
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

  #logOpenFailure(error: PlatformError): void {
    const dir = this.engine.config.get(["dir"])[0][1];
    this.engine.log.warning(
      `Failed opening the temp RDB file temp-${this.engine.platform.process.id}.rdb (in server root dir ${dir}) for saving: ${error.message}`,
    );
  }

  /** Gives a snapshot up that is under way (FLUSHALL, SHUTDOWN, SAVE): its file never gets the name. */
  cancelBackground(): void {
    const { snapshot } = this;
    if (this.background === "rdb") {
      this.engine.log.notice("Background saving terminated by signal 10");
      this.#sink = null;
      this.background = "none";
      this.#onSaved(false);
    }
    if (this.background === "aof") {
      this.engine.log.warning("Background AOF rewrite terminated by signal 10");
      this.background = "none";
      this.aof.rewriteFailed();
    }
    if (snapshot === null) return;
    snapshot.abandon();
    snapshot.finish();
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
    if (this.background !== "none" || this.snapshot !== null || this.loading !== null) return;
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
    if (engine.config.values.appendonly) {
      await loadAof(engine, this);
      this.aof.openAtStart();
      return;
    }
    const path = this.#target;
    if (engine.platform.files.stat(path) === null) return;
    const start = engine.platform.clock.monotonic();
    const aux = await this.loadFile(path, { keepExpired: false });
    engine.replication.loadedInfo(aux);
    const seconds = (engine.platform.clock.monotonic() - start) / 1000;
    engine.log.notice(`DB loaded from disk: ${seconds.toFixed(3)} seconds`);
  }

  /** Loads one RDB file into the databases, in slices; returns its header's fields. Rejects as `load` does. */
  async loadFile(path: string, options: LoadOptions): Promise<ReadonlyMap<string, string>> {
    const { engine } = this;
    const { files } = engine.platform;
    let file;
    try {
      file = files.open(path, "r");
    } catch (error) {
      throw new Error(`Fatal error loading the DB: ${(error as PlatformError).message}. Exiting.`);
    }
    this.beginLoading(file.size());
    try {
      return (await this.loadOpenFile(file, options)).aux;
    } finally {
      file.close();
      this.endLoading();
    }
  }

  /** Loads the RDB part of an open file; returns the header's fields and where the part ended. */
  async loadOpenFile(
    file: File,
    options: LoadOptions,
  ): Promise<{ aux: ReadonlyMap<string, string>; end: number }> {
    const { engine } = this;
    try {
      const { info, end } = await loadRdb(engine, file, file.size(), options, this.progress());
      this.#report(info.aux);
      this.functions = info.functions;
      this.keysLoaded = info.loaded;
      this.keysExpired = info.expired;
      const empty = info.emptySkipped > 0 ? `, empty keys skipped: ${info.emptySkipped}` : "";
      engine.log.notice(`Done loading RDB, keys loaded: ${info.loaded}, keys expired: ${info.expired}${empty}.`);
      return { aux: info.aux, end };
    } catch (error) {
      if (error instanceof LoadError) throw new Error(error.message);
      if (!(error instanceof CorruptData)) throw error;
      engine.log.warning("Short read or OOM loading DB. Unrecoverable error, aborting now.");
      throw new Error(`Internal error in RDB reading offset ${error.offset}: ${error.message}`);
    }
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

  #report(aux: ReadonlyMap<string, string>): void {
    const { log, platform } = this.engine;
    for (const [name, value] of aux) {
      if (name.startsWith("%")) log.notice(`RDB '${name}': ${value}`);
      else if (name === "redis-ver") log.notice(`Loading RDB produced by version ${value}`);
      else if (name === "ctime") {
        log.notice(`RDB age ${Math.max(0, Math.floor(platform.clock.now() / 1000) - Number(value))} seconds`);
      } else if (name === "used-mem") {
        log.notice(`RDB memory usage when created ${(Number(value) / 1048576).toFixed(2)} Mb`);
      } else if (name === "aof-base" && value !== "0") log.notice("RDB is base AOF");
    }
  }

  beginLoading(totalBytes: number): void {
    this.loading = { startedAt: this.engine.platform.clock.now(), totalBytes, loadedBytes: 0 };
    this.engine.deny |= Deny.LOADING;
    this.engine.updateExpiry();
  }

  endLoading(): void {
    this.loading = null;
    this.engine.deny &= ~Deny.LOADING;
    this.engine.updateExpiry();
  }
}
