/**
 * Transfer: the snapshot that a master sends in a full resynchronisation, from its announcement to the loaded data set.
 *
 *   $<length>\r\n<bytes>             the master made a file of it
 *   $EOF:<mark>\r\n<bytes><mark>     it sends it as it goes; the mark, 40 random characters, ends it
 *
 * By default it is written to a temporary file, which replaces the RDB file and is loaded from there: the old data is flushed only
 * when all of the new is here. `repl-diskless-load` loads it as it comes: `on-empty-db` into an empty server, `swapdb` into databases
 * of its own, which take the place of the old ones at the end, or are dropped when the transfer fails. The old data goes on being served
 * meanwhile if it is an earlier state of what is coming.
 */

import { latin1 } from "../bytes/ascii.ts";
import type { File, PlatformError } from "../platform/platform.ts";
import type { StreamSource } from "../persist/rdb_source.ts";
import { Database } from "../store/database.ts";
import type { Replication } from "./replication.ts";

const MARK_LENGTH = 40;
/** Bytes that wait for the loader before the master is held back. */
const ENOUGH = 4 * 1024 * 1024;
/** Bytes received between two syncs of the file, so that the last one is short. */
const SYNC_EVERY = 8 * 1024 * 1024;
const NO_BYTES = new Uint8Array(0);

/** What the transfer needs of the link. */
export interface TransferOwner {
  /** Reading from the master stops, and goes on. */
  hold(): void;
  goOn(): void;
  /** The data set is loaded; `rest` is what came behind it. */
  loaded(header: ReadonlyMap<string, string>, rest: Uint8Array): void;
  /** It is not, for a reason that was logged. */
  failed(): void;
}

export class Transfer {
  /** Bytes: announced (0 with an end mark, -1 while unknown) and received. */
  total = -1;
  received = 0;
  /** The data set is being loaded; with a file that begins when all of it is here. */
  isLoading = false;
  #diskless = false;
  #aside = false;
  #mark = "";
  #file: File | null = null;
  #fileName = "";
  #unsynced = 0;
  /** The last bytes received: the mark, or a part of it. */
  #tail = NO_BYTES;
  #source: StreamSource | null = null;
  #given = false;
  #abandoned = false;

  /** `newId` is the history that the data set belongs to. */
  constructor(readonly replication: Replication, readonly owner: TransferOwner, readonly newId: string) {}

  get #log() {
    return this.replication.engine.log;
  }

  /** Bytes are still to come. */
  get isReceiving(): boolean {
    return this.total >= 0 && !this.#given;
  }

  /** It waits for the master to send more. */
  get isWaiting(): boolean {
    return this.#source === null ? !this.isLoading : !this.#hasEnough(this.#source);
  }

  /** A value that is larger than that would never be complete if the limit were for it too. */
  #hasEnough(source: StreamSource): boolean {
    return source.waiting >= ENOUGH && !source.isHungry;
  }

  /** Decides where the snapshot goes; false if it cannot go there. */
  prepare(): boolean {
    const { keyspace, config: { values: { replDisklessLoad } } } = this.replication.engine;
    this.#diskless = replDisklessLoad === "swapdb" || (replDisklessLoad === "on-empty-db" && keyspace.keys === 0);
    this.#aside = replDisklessLoad === "swapdb";
    return this.#diskless || this.#openFile();
  }

  /** Takes the line that announces the snapshot; false to give up. */
  announce(text: string): boolean {
    if (text === "") return true;
    if (text.startsWith("-")) {
      this.#log.warning(`MASTER aborted replication with an error: ${text.slice(1)}`);
      return false;
    }
    if (!text.startsWith("$")) {
      this.#log.warning(
        `Bad protocol from MASTER, the first byte is not '$' (we received '${text}'), are you sure the host and port are right?`,
      );
      return false;
    }
    const where = this.#diskless ? "to parser" : "to disk";
    if (text.startsWith("$EOF:") && text.length >= 5 + MARK_LENGTH) {
      this.#mark = text.slice(5, 5 + MARK_LENGTH);
      this.total = 0;
      this.#log.notice(`MASTER <-> REPLICA sync: receiving streamed RDB from master with EOF ${where}`);
    } else {
      this.total = Number(text.slice(1));
      if (!Number.isSafeInteger(this.total) || this.total < 0) {
        this.#log.warning(`Bad length of the snapshot from MASTER: '${text}'`);
        return false;
      }
      this.#log.notice(`MASTER <-> REPLICA sync: receiving ${this.total} bytes from master ${where}`);
    }
    if (this.#diskless) void this.#loadAsItComes(this.#aside);
    return true;
  }

  /** Takes bytes of the snapshot; returns how many of `bytes[start, end)` were part of it, -1 when they could not be kept. */
  receive(bytes: Uint8Array, start: number, end: number): number {
    const marked = this.#mark !== "";
    const count = marked ? end - start : Math.min(end - start, this.total - this.received);
    const source = this.#source;
    if (source !== null) {
      source.push(bytes, start, start + count);
      this.received += count;
      if (this.#isComplete(bytes, start, start + count)) source.complete();
      // Where the mark is, the loader knows; until it has come there everything is for it.
      this.#given = !marked && this.received === this.total;
      if (this.#hasEnough(source)) this.owner.hold();
      return count;
    }
    if (!this.#write(bytes, start, start + count)) return -1;
    if (!this.#isComplete(bytes, start, start + count)) return count;
    if (marked) this.#file!.truncate(this.received -= MARK_LENGTH);
    this.#given = true;
    this.isLoading = true;
    this.owner.hold();
    void this.#loadFile();
    return count;
  }

  /** Whether the last bytes are the mark, or all bytes announced are here. */
  #isComplete(bytes: Uint8Array, start: number, end: number): boolean {
    if (this.#mark === "") return this.received === this.total;
    const length = end - start;
    if (length >= MARK_LENGTH) this.#tail = bytes.slice(end - MARK_LENGTH, end);
    else {
      const joined = new Uint8Array(this.#tail.length + length);
      joined.set(this.#tail);
      joined.set(bytes.subarray(start, end), this.#tail.length);
      this.#tail = joined.slice(Math.max(0, joined.length - MARK_LENGTH));
    }
    return this.#tail.length === MARK_LENGTH && latin1(this.#tail, 0, MARK_LENGTH) === this.#mark;
  }

  /** Ends it, whatever its state; nothing is called any more. */
  abandon(): void {
    this.#abandoned = true;
    this.#source?.lose("the link was given up");
    if (!this.isLoading) this.#dropFile();
  }

  /** The master is gone: if something is still to come, the transfer will report that it failed. */
  lost(reason: string): void {
    this.#source?.lose(reason);
  }

  // ---- The new data set takes over -----------------------------------------------------------------------------------------------

  /** Others' saves and the AOF must not mix the old data with the new. */
  #stopWriting(): void {
    const { persistence } = this.replication.engine;
    if (persistence.aof.state !== "off") persistence.aof.switchOff();
    if (persistence.background === "rdb") {
      this.#log.notice(
        "Replica is about to load the RDB file received from the master, but there is a pending save. Giving it up and removing its temp file to avoid any race",
      );
      persistence.cancelSave();
    }
  }

  /** Replicas of ours follow a history that ends here. */
  #leaveHistory(): void {
    this.replication.replicas.disconnectAll();
    this.replication.stopStream();
  }

  #flush(): void {
    const { keyspace, watches } = this.replication.engine;
    this.#log.notice("MASTER <-> REPLICA sync: Flushing old data");
    for (const db of keyspace.databases) watches.emptied(db, null);
    keyspace.flushAll();
  }

  #end(header: ReadonlyMap<string, string> | null, rest: Uint8Array): void {
    const { engine } = this.replication;
    this.isLoading = false;
    if (this.#abandoned) return;
    if (header === null) return this.owner.failed();
    this.owner.loaded(header, rest);
    for (const db of engine.keyspace.databases) engine.blocking.databaseChanged(db);
    if (engine.blocking.anyReady) engine.blocking.serve();
    if (engine.config.values.appendonly && engine.persistence.aof.state === "off") engine.persistence.aof.switchOn();
  }

  // ---- As it comes ---------------------------------------------------------------------------------------------------------------

  async #loadAsItComes(aside: boolean): Promise<void> {
    const { replication } = this;
    const { keyspace, persistence } = replication.engine;
    const source = persistence.newStream();
    source.onHungry = () => this.owner.goOn();
    this.#source = source;
    this.isLoading = true;
    this.#stopWriting();
    // What is loaded beside the old data is not ours, whatever its deadlines.
    keyspace.ownsDeadlines = false;
    const databases = aside ? keyspace.databases.map(({ index }) => new Database(keyspace, index)) : keyspace.databases;
    if (aside) keyspace.hasGuests = true;
    else {
      this.#leaveHistory();
      this.#flush();
    }
    this.#log.notice("MASTER <-> REPLICA sync: Loading DB in memory");
    persistence.beginLoading(this.total, aside && this.newId === replication.id);
    let header: ReadonlyMap<string, string> | null = null;
    try {
      const { aux } = await persistence.loadFrom(source, { keepExpired: true, databases });
      if (this.#mark === "" || await this.#findsMark(source)) header = aux;
      else this.#log.warning("Replication stream EOF marker is broken");
    } catch (error) {
      let reason = error instanceof Error ? error.message : String(error);
      if (source.isLost) {
        reason = `Internal error in RDB reading offset ${source.position}: Unexpected EOF reading RDB file (${reason})`;
      }
      this.#log.warning(`Failed trying to load the MASTER synchronization DB from socket: ${reason}`);
    }
    this.#given = true;
    if (aside) {
      if (header !== null) this.#swap(databases);
      this.#log.notice(
        header === null
          ? "MASTER <-> REPLICA sync: Discarding temporary DB in background"
          : "MASTER <-> REPLICA sync: Discarding old DB in background",
      );
      for (const db of databases) db.abandon();
      keyspace.hasGuests = false;
      replication.engine.control.wakeBackground();
    } else if (header === null) keyspace.flushAll();
    if (header !== null) keyspace.dirty++;
    persistence.endLoading();
    this.#end(header, source.buf.slice(source.at, source.end));
  }

  async #findsMark(source: StreamSource): Promise<boolean> {
    for (;;) {
      source.mark();
      try {
        source.raw(MARK_LENGTH);
        return latin1(source.bytes, source.bytesOff, MARK_LENGTH) === this.#mark;
      } catch (error) {
        await source.refill(error);
      }
    }
  }

  /** The loaded databases take the place of the old ones, which are in `databases` then. */
  #swap(databases: readonly Database[]): void {
    const { keyspace, watches } = this.replication.engine;
    this.#leaveHistory();
    this.#log.notice("MASTER <-> REPLICA sync: Swapping active DB with loaded DB");
    for (const db of keyspace.databases) {
      watches.emptied(db, databases[db.index]);
      db.swap(databases[db.index]);
    }
  }

  // ---- By way of a file ----------------------------------------------------------------------------------------------------------

  #openFile(): boolean {
    const { persistence, platform: { process, files, clock } } = this.replication.engine;
    this.#fileName = persistence.path(`temp-${Math.floor(clock.now() / 1000)}.${process.id}.rdb`);
    try {
      this.#file = files.open(this.#fileName, "w", 0o644);
    } catch (error) {
      this.#log.warning(
        `Opening the temp file needed for MASTER <-> REPLICA synchronization: ${(error as PlatformError).message}`,
      );
      return false;
    }
    return true;
  }

  #write(bytes: Uint8Array, start: number, end: number): boolean {
    try {
      this.#file!.write(bytes, start, end);
      this.#unsynced += end - start;
      if (this.#unsynced >= SYNC_EVERY) {
        this.#unsynced = 0;
        this.#file!.dataSync();
      }
    } catch (error) {
      this.#log.warning(
        `Write error or short write writing to the DB dump file needed for MASTER <-> REPLICA synchronization: ${
          (error as PlatformError).message
        }`,
      );
      return false;
    }
    this.received += end - start;
    return true;
  }

  #dropFile(): void {
    if (this.#file === null) return;
    try {
      this.#file.close();
      this.replication.engine.platform.files.remove(this.#fileName);
    } catch {
      // It may be gone; there is nothing more to clean up.
    }
    this.#file = null;
  }

  async #loadFile(): Promise<void> {
    const { persistence, config: { values }, platform: { files } } = this.replication.engine;
    const target = persistence.path(values.dbfilename);
    let header: ReadonlyMap<string, string> | null = null;
    try {
      this.#file!.sync();
      this.#file!.close();
      this.#file = null;
      this.#stopWriting();
      persistence.replaceFile(this.#fileName, target);
      files.syncDirectory(persistence.path("."));
      this.#leaveHistory();
      this.#flush();
      this.#log.notice("MASTER <-> REPLICA sync: Loading DB in memory");
      header = await persistence.loadFile(target, { keepExpired: true });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#log.warning(`Failed trying to load the MASTER synchronization DB from disk: ${reason}`);
      this.replication.engine.keyspace.flushAll();
    }
    if (values.rdbDelSyncFiles && values.save.length === 0 && !values.appendonly) {
      this.#log.notice(
        "Removing the RDB file obtained from the master. This replica has persistence disabled",
      );
      void files.removeAsync(target).catch(() => {});
    }
    this.#end(header, NO_BYTES);
  }
}
