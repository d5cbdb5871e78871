/**
 * The append only file: every write as it happens, on disk before (or soon after) it is acknowledged.
 *
 * Commands gather in a buffer during a batch and are written before the batch's replies leave, so the death of the process loses
 * nothing that was acknowledged. What the death of the machine loses depends on `appendfsync`:
 *
 *   everysec   one fdatasync a second, in the background
 *   always     the replies of all clients served in one turn of the event loop are held back until one fdatasync has been
 *              done for all of them (`Engine.holdReplies`)
 *   no         the system decides
 *
 * A write that fails is cut off at the last whole command, writes are refused (MISCONF), and the buffer is tried again every second
 * until it succeeds.
 *
 * A rewrite begins a new increment and takes a snapshot at the same moment; when the snapshot is complete, the
 * manifest names it as the base, and what it replaces is deleted (manifest.ts). While the AOF is being switched on, the increment has a
 * temporary name until there is a base that it continues.
 *
 * Behaviour, texts and file names: aof.c of Redis 7.0.
 */

import { Args } from "../bytes/args.ts";
import { fromLatin1 } from "../bytes/ascii.ts";
import { hostPath } from "../bytes/path.ts";
import type { Engine } from "../engine/engine.ts";
import type { PropagationListener } from "../engine/propagation.ts";
import type { File, PlatformError } from "../platform/platform.ts";
import { type ErrorReply, errorReply } from "../resp/errors.ts";
import { frameLength, writeFrame } from "../resp/frame.ts";
import { CommandFormat } from "./aof_rewrite.ts";
import { Manifest } from "./manifest.ts";
import type { Persistence } from "./persistence.ts";
import { RdbFileSink, removeLeftover } from "./rdb_file.ts";

const INITIAL = 64 * 1024;
const KEEP = 1024 * 1024;
/** Milliseconds between two tries of a write that fails. */
const RETRY_AFTER = 1000;
/** Milliseconds between two lines of the log about writes that fail. */
const COMPLAIN_AFTER = 30_000;
/** After so many failures, automatic rewrites wait longer and longer, up to an hour (minutes). */
const FAILURES_AT_ONCE = 3;
const LONGEST_PAUSE = 60;

export type AofState = "off" | "wait" | "on";

export class Aof implements PropagationListener {
  state: AofState = "off";
  manifest = new Manifest();
  /** The manifest's name on disk certainly means this manifest, whatever crashes. */
  #manifestIsDurable = true;
  /** Bytes of base and increments together, and how much that was after the last rewrite. */
  currentSize = 0;
  baseSize = 0;
  rewriteScheduled = false;
  rewriting = false;
  rewriteStart = 0;
  /** Bytes of values that the last rewrite saved ahead of their turn. */
  lastPreserved = 0;
  /** Seconds, -1 before the first. */
  lastRewriteDuration = -1;
  lastRewriteOk = true;
  lastWriteOk = true;
  rewrites = 0;
  delayedSyncs = 0;
  /** Rewrites that failed since the last that did not. */
  consecutiveFailures = 0;
  /** No automatic rewrite before then, ms since 1970. */
  #nextAutomatic = 0;
  /** Minutes of the last pause, and when the present one ends (ms, 0: there is none). */
  #pause = 0;
  #limitedUntil = 0;
  #sink: RdbFileSink | null = null;
  #file: File | null = null;
  #buf = new Uint8Array(INITIAL);
  #at = 0;
  #selected = -1;
  #lastTimestamp = 0;
  #unsynced = false;
  /** A sync has failed and none has succeeded since. */
  #syncIsSuspect = false;
  #syncing = false;
  #lastSync = 0;
  #lastTry = 0;
  #lastComplaint = -Infinity;
  #errorText = "";
  #holding = false;
  #size = 0;

  constructor(readonly engine: Engine, readonly persistence: Persistence) {}

  /** Path of a file in appenddirname; without a name the directory's. */
  path(name = ""): string {
    const directory = this.persistence.path(this.engine.config.values.appenddirname);
    return name === "" ? directory : `${directory}/${hostPath(name)}`;
  }

  get #manifestName(): string {
    return `${this.engine.config.values.appendfilename}.manifest`;
  }

  get #temporaryIncrement(): string {
    return `temp-${this.engine.config.values.appendfilename}.incr`;
  }

  /** Bytes that wait to be written. */
  get bufferLength(): number {
    return this.#at;
  }

  get pendingSyncs(): number {
    return this.#syncing ? 1 : 0;
  }

  // ---- Writing -----------------------------------------------------------------------------------------------------------------

  command(db: number, args: Args): void {
    const { aofTimestampEnabled } = this.engine.config.values;
    const seconds = Math.floor(this.engine.keyspace.now / 1000);
    if (aofTimestampEnabled && seconds > this.#lastTimestamp) {
      this.#lastTimestamp = seconds;
      this.#appendText(`#TS:${seconds}\r\n`);
    }
    if (db !== this.#selected) {
      this.#selected = db;
      this.#append(Args.of("SELECT", db));
    }
    this.#append(args);
  }

  #append(args: Args): void {
    this.#reserve(frameLength(args));
    this.#at = writeFrame(this.#buf, this.#at, args);
  }

  #appendText(text: string): void {
    this.#reserve(text.length);
    this.#buf.set(fromLatin1(text), this.#at);
    this.#at += text.length;
  }

  #reserve(count: number): void {
    if (this.#at + count <= this.#buf.length) return;
    const grown = new Uint8Array(Math.max(this.#at + count, this.#buf.length * 2));
    grown.set(this.#buf.subarray(0, this.#at));
    this.#buf = grown;
  }

  endOfBatch(): void {
    if (this.#at === 0) return;
    // While writes are refused there is nobody to acknowledge anything to, and the cron tries again.
    if (!this.lastWriteOk) return;
    if (this.engine.config.values.appendfsync !== "always") {
      this.#write();
      return;
    }
    // Everybody who is served before the event loop comes round shares the sync.
    this.engine.holdReplies = true;
    if (this.#holding) return;
    this.#holding = true;
    this.engine.platform.clock.soon(() => {
      this.#holding = false;
      if (this.#write() && this.#syncNow()) this.engine.releaseReplies();
      else this.engine.dropHeldReplies();
    });
  }

  /** Writes the buffer; false when that failed, which has been logged. */
  #write(): boolean {
    if (this.#file === null) {
      this.#at = 0;
      return true;
    }
    if (this.#at === 0) return true;
    this.#lastTry = this.engine.keyspace.now;
    const length = this.#at;
    const { aofFlushSleep } = this.engine.debug;
    if (aofFlushSleep > 0) this.engine.platform.clock.block(aofFlushSleep / 1000);
    const { observation } = this.engine;
    const start = observation.beginDelay();
    try {
      this.#file.write(this.#buf, 0, length);
    } catch (error) {
      this.#writeFailed(error as PlatformError);
      return false;
    }
    observation.endDelay(start, "aof-write", this.#companyEvent);
    this.#size += length;
    this.currentSize += length;
    this.#at = 0;
    this.#unsynced = true;
    if (this.#buf.length > KEEP) this.#buf = new Uint8Array(INITIAL);
    // A sync that failed is not forgotten because a write succeeds.
    if (!this.lastWriteOk && !this.#syncIsSuspect) this.#recovered();
    return true;
  }

  /** The latency event that tells what else the disk had to do during a write. */
  get #companyEvent(): string {
    if (this.#syncing) return "aof-write-pending-fsync";
    return this.persistence.background === "none" ? "aof-write-alone" : "aof-write-active-child";
  }

  #writeFailed(error: PlatformError): void {
    const written = this.#writtenInPart();
    if (written === 0) this.#failed(`Error writing to the AOF file: ${error.message}`, error);
    else {
      this.#failed(`Short write while writing to the AOF file: (nwritten=${written}, expected=${this.#at})`, error);
      try {
        this.#file!.truncate(this.#size);
      } catch (failure) {
        this.engine.log.warning(
          `Could not remove short write from the append-only file.  Redis may refuse to load the AOF the next time it starts.  ftruncate: ${
            (failure as PlatformError).message
          }`,
        );
        // What is in the file must not be written again.
        this.#buf.copyWithin(0, written, this.#at);
        this.#at -= written;
        this.#size += written;
        this.currentSize += written;
      }
    }
  }

  /** Bytes of the failed write that are in the file: the file knows better than the error, which not every runtime counts for. */
  #writtenInPart(): number {
    try {
      return this.#file!.size() - this.#size;
    } catch {
      return 0;
    }
  }

  /** Writes are refused from now on. */
  #failed(message: string, { message: reason }: PlatformError): void {
    const { log, keyspace } = this.engine;
    if (keyspace.now - this.#lastComplaint >= COMPLAIN_AFTER) {
      this.#lastComplaint = keyspace.now;
      log.warning(message);
    }
    this.#errorText = reason;
    this.lastWriteOk = false;
    this.persistence.updateWriteError();
  }

  /** A failed sync may have thrown away what it could not write, and the next one succeeds all the same. */
  #syncFailed(error: PlatformError): void {
    this.#unsynced = true;
    this.#syncIsSuspect = true;
    this.#failed(`Can't persist AOF for fsync error: ${error.message}`, error);
  }

  #syncNow(): boolean {
    if (!this.#unsynced || this.#file === null) return true;
    const { observation, config } = this.engine;
    const start = observation.beginDelay();
    try {
      this.#file.dataSync();
    } catch (error) {
      this.#syncFailed(error as PlatformError);
      return false;
    }
    if (config.values.appendfsync === "always") observation.endDelay(start, "aof-fsync-always");
    this.#unsynced = false;
    this.#lastSync = this.engine.keyspace.now;
    return true;
  }

  /** The sync of everysec, in the background. */
  async #syncSoon(): Promise<void> {
    const file = this.#file!;
    this.#syncing = true;
    this.#unsynced = false;
    this.#lastSync = this.engine.keyspace.now;
    try {
      await file.dataSyncAsync();
    } catch (error) {
      // A file that was replaced meanwhile has been synced before it was closed.
      if (file === this.#file) this.#syncFailed(error as PlatformError);
    }
    this.#syncing = false;
  }

  /** Why writes are refused, or null. */
  get writeError(): ErrorReply | null {
    if (this.state === "off" || this.lastWriteOk) return null;
    return errorReply(`MISCONF Errors writing to the AOF file: ${this.#errorText}`);
  }

  /** Called by the cron. */
  cron(): void {
    const { engine } = this;
    const { values } = engine.config;
    const { now } = engine.keyspace;
    if (this.state !== "off") {
      if (!this.lastWriteOk && now - this.#lastTry >= RETRY_AFTER) {
        this.#lastTry = now;
        if (this.#write() && this.#syncNow() && !this.lastWriteOk) this.#recovered();
      } else if (this.#at > 0 && !this.#holding) this.#write();
      const busy = values.noAppendfsyncOnRewrite && (this.rewriting || this.persistence.background === "rdb");
      if (values.appendfsync === "everysec" && this.#unsynced && !busy && now - this.#lastSync >= 1000) {
        if (this.#syncing) this.delayedSyncs++;
        else if (this.#file !== null) void this.#syncSoon();
      }
    }
    if (this.persistence.background !== "none" || this.persistence.loading !== null) return;
    if (this.rewriteScheduled) {
      if (now >= this.#nextAutomatic && !this.#isLimited(now) && !this.startRewrite()) {
        this.#nextAutomatic = now + RETRY_AFTER;
      }
      return;
    }
    if (this.state !== "on" || values.autoAofRewritePercentage === 0) return;
    if (this.currentSize <= values.autoAofRewriteMinSize || now < this.#nextAutomatic) return;
    const base = this.baseSize === 0 ? 1 : this.baseSize;
    const growth = Math.floor(this.currentSize * 100 / base) - 100;
    if (growth < values.autoAofRewritePercentage || this.#isLimited(now)) return;
    engine.log.notice(`Starting automatic rewriting of AOF on ${growth}% growth`);
    if (!this.startRewrite()) this.#nextAutomatic = now + RETRY_AFTER;
  }

  /** Whether rewrites that nobody asked for have failed so often that they pause, longer each time. */
  #isLimited(now: number): boolean {
    if (this.consecutiveFailures < FAILURES_AT_ONCE) {
      this.#pause = 0;
      this.#limitedUntil = 0;
      return false;
    }
    if (this.#limitedUntil !== 0) {
      if (now < this.#limitedUntil) return true;
      this.#limitedUntil = 0;
      return false;
    }
    this.#pause = Math.min(LONGEST_PAUSE, Math.max(1, this.#pause * 2));
    this.#limitedUntil = now + this.#pause * 60_000;
    this.engine.log.warning(
      `Background AOF rewrite has repeatedly failed and triggered the limit, will retry in ${this.#pause} minutes`,
    );
    return true;
  }

  #recovered(): void {
    this.engine.log.warning("AOF write error looks solved, Redis can write again.");
    this.lastWriteOk = true;
    this.#lastComplaint = -Infinity;
    // What the failed sync has lost is still in memory: a new base has all of it.
    if (this.#syncIsSuspect) this.rewriteScheduled = true;
    this.#syncIsSuspect = false;
    this.persistence.updateWriteError();
  }

  /** Everything to the disk, now (SHUTDOWN). False when that failed. */
  flushAll(): boolean {
    if (this.state === "off") return true;
    return this.#write() && this.#syncNow();
  }

  // ---- Switching on and off ----------------------------------------------------------------------------------------------------

  /** CONFIG SET appendonly yes; false when it cannot begin. */
  switchOn(): boolean {
    const { engine, persistence } = this;
    const { log } = engine;
    this.state = "wait";
    engine.propagation.listen(this);
    const isBusy = persistence.background !== "none" && !this.rewriting;
    if (isBusy || engine.depth > 1) {
      this.rewriteScheduled = true;
      log.warning(
        isBusy
          ? "AOF was enabled but there is already another background operation. An AOF background was scheduled to start when possible."
          : "AOF was enabled during a transaction. An AOF background was scheduled to start when possible.",
      );
      return true;
    }
    if (this.rewriting) {
      log.warning(
        "AOF was enabled but there is already an AOF rewriting in background. Stopping background AOF and starting a rewrite now.",
      );
      this.cancelRewrite();
    }
    if (this.startRewrite()) return true;
    log.warning(
      "Redis needs to enable the AOF but can't trigger a background AOF rewrite operation. Check the above logs for more info about the error.",
    );
    this.switchOff();
    return false;
  }

  switchOff(): void {
    if (this.state === "off") return;
    this.engine.propagation.unlisten(this);
    this.flushAll();
    this.#closeFile();
    if (this.state === "wait") this.#removeTemporaryIncrement();
    this.state = "off";
    this.#selected = -1;
    this.#at = 0;
    this.rewriteScheduled = false;
    this.#syncIsSuspect = false;
    this.cancelRewrite();
    this.lastWriteOk = true;
    this.persistence.updateWriteError();
  }

  #removeTemporaryIncrement(): void {
    removeLeftover(this.engine.platform.files, this.path(this.#temporaryIncrement));
  }

  #closeFile(): void {
    try {
      this.#file?.close();
    } catch (error) {
      this.engine.log.warning(`Closing the AOF file: ${(error as PlatformError).message}`);
    }
    this.#file = null;
  }

  /** After loading at the start: the base (an empty one, for an empty AOF) and the increment to be written on. */
  openAtStart(): void {
    const { engine, manifest } = this;
    const { values } = engine.config;
    this.makeDirectory();
    if (manifest.base === null && manifest.increments.length === 0) {
      const name = manifest.addBase(values.appendfilename, values.aofUseRdbPreamble);
      if (values.aofUseRdbPreamble) this.persistence.saveTo(this.path(name));
      else engine.platform.files.write(this.path(name), new Uint8Array(0), 0o644);
      engine.log.notice(`Creating AOF base file ${name} on server start`);
    }
    const fresh = manifest.increments.length === 0;
    const name = fresh
      ? manifest.addIncrement(values.appendfilename)
      : manifest.increments[manifest.increments.length - 1].name;
    try {
      this.#open(name, "a");
    } catch (error) {
      throw new Error(`Can't open the append-only file ${name}: ${(error as PlatformError).message}`);
    }
    this.saveManifest(manifest);
    this.state = "on";
    engine.propagation.listen(this);
    engine.log.notice(`${fresh ? "Creating" : "Opening"} AOF incr file ${name} on server start`);
    if (this.currentSize === 0) {
      this.currentSize = this.#size + (manifest.base === null ? 0 : this.fileSize(manifest.base.name));
      this.baseSize = this.currentSize;
    }
  }

  #open(name: string, flags: string): void {
    this.#file = this.engine.platform.files.open(this.path(name), flags, 0o644);
    this.#size = this.#file.size();
    this.#unsynced = false;
  }

  fileSize(name: string): number {
    return this.engine.platform.files.stat(this.path(name))?.size ?? 0;
  }

  /** Makes a manifest the valid one. Throws a PlatformError; the old one is valid then. */
  saveManifest(manifest: Manifest): void {
    const { platform: { files }, log, config } = this.engine;
    const temporary = this.path(`temp-${this.#manifestName}`);
    const file = files.open(temporary, "w", 0o644);
    try {
      file.write(fromLatin1(manifest.toString()));
      file.sync();
    } finally {
      file.close();
    }
    files.rename(temporary, this.path(this.#manifestName));
    this.manifest = manifest;
    try {
      files.syncDirectory(this.path());
      this.#manifestIsDurable = true;
    } catch (error) {
      this.#manifestIsDurable = false;
      log.warning(`Fail to fsync AOF directory ${config.values.appenddirname}: ${(error as PlatformError).message}.`);
    }
  }

  /** Throws an Error whose message says what is wrong with the directory. */
  makeDirectory(): void {
    const { config, platform: { files } } = this.engine;
    try {
      const found = files.stat(this.path());
      if (found === null) files.makeDirectory(this.path());
      else if (!found.isDirectory) files.list(this.path()); // which fails, in the system's words
    } catch (error) {
      const reason = (error as PlatformError).message;
      throw new Error(`Can't open or create append-only dir ${config.values.appenddirname}: ${reason}`);
    }
  }

  get manifestPath(): string {
    return this.path(this.#manifestName);
  }

  // ---- Rewriting ---------------------------------------------------------------------------------------------------------------

  get #temporaryBase(): string {
    return this.persistence.path(`temp-rewriteaof-bg-${this.engine.platform.process.id}.aof`);
  }

  /** Begins a rewrite; false when it cannot, which has been logged. */
  startRewrite(): boolean {
    const { engine, persistence } = this;
    const { process } = engine.platform;
    const { aofTimestampEnabled, aofUseRdbPreamble, appendfsync } = engine.config.values;
    this.#selected = -1;
    let sink: RdbFileSink;
    try {
      this.makeDirectory();
    } catch (error) {
      engine.log.warning((error as Error).message);
      this.lastRewriteOk = false;
      return false;
    }
    try {
      if (this.state !== "off") {
        // What is acknowledged from now on does not wait for the old file any more.
        const flushed = this.#write() && (appendfsync !== "always" || this.#syncNow());
        if (!flushed && this.state === "on") throw new Error(this.#errorText);
        this.#beginIncrement();
      }
      sink = new RdbFileSink(engine, this.#temporaryBase, false, "aofRewriteIncrementalFsync");
    } catch (error) {
      engine.log.warning(`Can't rewrite append only file in background: ${(error as Error).message}`);
      this.lastRewriteOk = false;
      return false;
    }
    this.rewrites++;
    this.rewriteScheduled = false;
    this.rewriting = true;
    this.rewriteStart = engine.platform.clock.now();
    this.#sink = sink;
    engine.log.notice(`Background append only file rewriting started by pid ${process.id}`);
    const timestamp = aofTimestampEnabled ? Math.floor(this.rewriteStart / 1000) : null;
    const format = aofUseRdbPreamble ? persistence.rdbFormat("aof") : new CommandFormat(timestamp);
    persistence.begin("aof", [sink], format, () => void this.#finishRewrite(sink, aofUseRdbPreamble));
    return true;
  }

  #beginIncrement(): void {
    const { engine } = this;
    let name = this.#temporaryIncrement;
    let manifest: Manifest | null = null;
    if (this.state === "on") {
      manifest = this.manifest.copy();
      name = manifest.addIncrement(engine.config.values.appendfilename);
    }
    // Emptied, and then appended to: what is cut off after a failed write must not leave a hole.
    engine.platform.files.write(this.path(name), new Uint8Array(0), 0o644);
    const file = engine.platform.files.open(this.path(name), "a", 0o644);
    try {
      if (manifest !== null) this.saveManifest(manifest);
    } catch (error) {
      file.close();
      throw error;
    }
    engine.log.notice(`Creating AOF incr file ${name} on background rewrite`);
    const old = this.#file;
    this.#file = file;
    this.#size = 0;
    this.#unsynced = false;
    if (old === null) return;
    old.dataSyncAsync().catch((error: PlatformError) => {
      if (this.state !== "off") this.#syncFailed(error);
    }).finally(() => old.close());
  }

  async #finishRewrite(sink: RdbFileSink, isRdb: boolean): Promise<void> {
    const { engine, persistence } = this;
    const { log } = engine;
    let failure: string | null = null;
    try {
      await sink.finish();
    } catch (error) {
      failure = `Background AOF rewrite terminated with error: ${(error as PlatformError).message}`;
    }
    if (this.#sink !== sink) return;
    this.#sink = null;
    persistence.background = "none";
    if (failure === null) {
      log.notice("Background AOF rewrite terminated with success");
      failure = this.#install(isRdb);
    }
    if (failure === null) {
      this.lastRewriteOk = true;
      this.forgetFailures();
      log.notice("Background AOF rewrite finished successfully");
    } else {
      log.warning(failure);
      this.#rewriteFailed();
    }
    this.#endRewrite();
  }

  /** The finished base takes its place in the manifest. Returns what could not be done, or null; all is as before then. */
  #install(isRdb: boolean): string | null {
    const { engine } = this;
    const { files } = engine.platform;
    const { appendfilename } = engine.config.values;
    const manifest = this.manifest.copy();
    const base = manifest.addBase(appendfilename, isRdb);
    const temporary = this.#temporaryBase.slice(this.#temporaryBase.lastIndexOf("/") + 1);
    const made: string[] = [];
    let step = "";
    const move = (what: string, from: string, shown: string, to: string) => {
      step = `Error trying to rename the temporary AOF ${what} file ${shown} into ${to}`;
      const start = engine.observation.beginDelay();
      files.rename(from, this.path(to));
      engine.observation.endDelay(start, "aof-rename");
      made.push(this.path(to));
      engine.log.notice(`Successfully renamed the temporary AOF ${what} file ${shown} into ${to}`);
    };
    try {
      move("base", this.#temporaryBase, temporary, base);
      if (this.state === "wait") {
        const increment = this.#temporaryIncrement;
        manifest.retireIncrements(false);
        move("incr", this.path(increment), increment, manifest.addIncrement(appendfilename));
      } else manifest.retireIncrements(this.state === "on");
      step = "Error trying to write the AOF manifest";
      this.saveManifest(manifest);
    } catch (error) {
      for (const path of [...made, this.#temporaryBase]) removeLeftover(files, path);
      return `${step}: ${(error as PlatformError).message}`;
    }
    if (this.state !== "off") {
      this.currentSize = this.fileSize(base) + this.#size;
      this.baseSize = this.currentSize;
      this.state = "on";
    }
    this.deleteHistory();
    return null;
  }

  /** Gives up a rewrite that is under way; its file never gets a name. */
  cancelRewrite(): void {
    const sink = this.#sink;
    if (sink === null) return;
    this.engine.log.notice(`Killing AOF child: ${this.engine.platform.process.id}`);
    this.#sink = null;
    sink.discard();
    this.persistence.background = "none";
    this.persistence.snapshot?.abandon();
    if (this.state === "wait") this.#beginAgain();
    this.#endRewrite();
  }

  #rewriteFailed(): void {
    this.lastRewriteOk = false;
    this.consecutiveFailures++;
    if (this.state === "wait") this.#beginAgain();
  }

  /** The first rewrite has failed: without its base, what was written beside it is worth nothing, and the next one comes soon. */
  #beginAgain(): void {
    this.rewriteScheduled = true;
    if (this.#file === null) return;
    this.engine.log.notice(`Removing the temp incr aof file ${this.#temporaryIncrement} in the background`);
    this.#closeFile();
    this.#removeTemporaryIncrement();
    this.#at = 0;
    this.#unsynced = false;
  }

  #endRewrite(): void {
    this.rewriting = false;
    this.lastRewriteDuration = Math.floor((this.engine.platform.clock.now() - this.rewriteStart) / 1000);
  }

  /** Deletes what a newer base has replaced. */
  deleteHistory(): void {
    const { manifest, engine } = this;
    if (manifest.history.length === 0 || engine.config.values.aofDisableAutoGc) return;
    // A crash could bring the old manifest back, and what it names must be there.
    if (!this.#manifestIsDurable) return;
    for (const { name } of manifest.history) {
      engine.log.notice(`Removing the history file ${name} in the background`);
      engine.platform.files.removeAsync(this.path(name)).catch(() => {});
    }
    const kept = manifest.copy();
    kept.history = [];
    try {
      this.saveManifest(kept);
    } catch (error) {
      engine.log.warning(`Error trying to write the AOF manifest: ${(error as PlatformError).message}`);
    }
  }

  /** BGREWRITEAOF resets what failures have put off. */
  forgetFailures(): void {
    this.consecutiveFailures = 0;
    this.#nextAutomatic = 0;
  }
}
