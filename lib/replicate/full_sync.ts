/**
 * Full resynchronisation, the master's side: replicas that cannot continue get a snapshot.
 *
 * They wait for it together: one snapshot feeds all that want the same when it begins, straight into their connections (diskless)
 * or into the RDB file, which is then sent to each. One that comes while such a file is being made is still in time. What is written
 * meanwhile stays in the stream and is sent when the replica has the snapshot.
 */

import { fromLatin1, hex } from "../bytes/ascii.ts";
import { errorReply } from "../resp/errors.ts";
import type { File } from "../platform/platform.ts";
import type { Snapshot, SnapshotSink } from "../persist/snapshot.ts";
import type { Replica } from "./replica.ts";
import type { Replicas } from "./replicas.ts";
import { line, type Replication } from "./replication.ts";

/** Queued bytes of one connection before the snapshot waits for it. */
const FULL = 1024 * 1024;
const CHUNK = 256 * 1024;
const MARK_BYTES = 20;
const FAILED = errorReply("ERR BGSAVE failed, replication can't continue");
const NEWLINE = new Uint8Array([10]);

/** A snapshot that is being made for replicas. */
interface Making {
  readonly replicas: Replica[];
  readonly toDisk: boolean;
  snapshot: Snapshot | null;
}

export class FullSync {
  #making: Making | null = null;
  /** The RDB file was made for replicas only. */
  #leftFile = false;
  /** Replicas that are being sent a file, and what closes it. */
  readonly #sending = new Map<Replica, () => void>();

  constructor(readonly replication: Replication, readonly replicas: Replicas) {}

  /** The replica needs a snapshot: it gets the one that is being made, or the next one. */
  wait(replica: Replica): void {
    const { replication } = this;
    const { engine, stream } = replication;
    const first = this.replicas.count === 0;
    this.replicas.join(replica);
    replica.state = "wait";
    replica.waitingSince = engine.keyspace.now;
    if (first && !stream.active) {
      replication.changeId();
      replication.clearSecondId();
      replication.startStream();
      engine.log.notice(
        `Replication backlog created, my new replication IDs are '${replication.id}' and '${replication.secondId}'`,
      );
    }
    const { persistence, config: { values }, log } = engine;
    const making = this.#making;
    if (making !== null && !making.toDisk) {
      log.notice("Current BGSAVE has socket target. Waiting for next BGSAVE for SYNC");
    } else if (persistence.background === "rdb") {
      const leader = making?.replicas.find((other) => other.wantsTheSameAs(replica));
      if (leader === undefined) {
        log.notice("Can't attach the replica to the current BGSAVE. Waiting for next BGSAVE for SYNC");
      } else {
        making!.replicas.push(replica);
        this.#announce(replica, leader.initialOffset);
        log.notice("Waiting for end of BGSAVE for SYNC");
      }
    } else if (values.replDisklessSync && replica.canEof) {
      if (values.replDisklessSyncDelay > 0) log.notice("Delay next BGSAVE for diskless SYNC");
      else this.startWaiting();
    } else if (this.#isBusy) {
      log.notice("No BGSAVE in progress, but another BG operation is active. BGSAVE for replication delayed");
    } else this.#start([replica]);
  }

  get #isBusy(): boolean {
    const { persistence } = this.replication.engine;
    return persistence.background !== "none" || persistence.loading !== null;
  }

  /** Begins a snapshot for those that wait, if it is time. */
  startWaiting(): void {
    if (this.#isBusy) return;
    const waiting = [...this.replicas].filter(({ state }) => state === "wait");
    if (waiting.length === 0) return;
    const { engine } = this.replication;
    const { replDisklessSync, replDisklessSyncDelay, replDisklessSyncMaxReplicas } = engine.config.values;
    const group = waiting.filter((other) => other.wantsTheSameAs(waiting[0]));
    const enough = replDisklessSyncMaxReplicas > 0 && group.length >= replDisklessSyncMaxReplicas;
    const longest = engine.keyspace.now - group[0].waitingSince;
    if (replDisklessSync && !enough && longest < replDisklessSyncDelay * 1000) return;
    this.#start(group);
  }

  #start(group: Replica[]): void {
    const { engine } = this.replication;
    const [{ canEof, withoutData, withoutFunctions }] = group;
    const diskless = (engine.config.values.replDisklessSync || withoutData || withoutFunctions) && canEof;
    engine.log.notice(`Starting BGSAVE for SYNC with target: ${diskless ? "replicas sockets" : "disk"}`);
    if (diskless) this.#toConnections(group);
    else this.#toDisk(group);
  }

  /** The reply to PSYNC, when it is known what the snapshot contains. */
  #announce(replica: Replica, offset: number): void {
    replica.state = "snapshot";
    replica.initialOffset = offset;
    replica.sent = offset;
    // The stream's database is unknown to who begins to follow here.
    this.replication.reselect();
    if (!replica.isOld) replica.client.link.sendNow(line(`+FULLRESYNC ${this.replication.id} ${offset}`));
  }

  // ---- Into the connections ------------------------------------------------------------------------------------------------------

  #toConnections(replicas: Replica[]): void {
    const { engine, stream } = this.replication;
    const { persistence } = engine;
    const mark = hex(engine.platform.random.bytes(MARK_BYTES));
    const [{ withoutData, withoutFunctions }] = replicas;
    for (const replica of replicas) {
      this.#announce(replica, stream.offset);
      replica.stuckSince = engine.keyspace.now;
      replica.client.link.sendNow(line(`$EOF:${mark}`));
    }
    const making: Making = { replicas: [...replicas], toDisk: false, snapshot: null };
    this.#making = making;
    const sink = new ConnectionsSink(making.replicas);
    const format = persistence.rdbFormat("replicas", { withoutData, withoutFunctions });
    const snapshot = persistence.begin("replicas", [sink], format, () => {
      if (this.#making === making) this.#streamed(making.replicas, mark);
    });
    making.snapshot = snapshot;
    engine.log.notice(`Background RDB transfer started by pid ${engine.platform.process.id}`);
    for (const { client } of replicas) client.link.onDrained = () => snapshot.go();
  }

  #streamed(replicas: readonly Replica[], mark: string): void {
    const { engine } = this.replication;
    this.#making = null;
    engine.persistence.background = "none";
    engine.log.notice(`Diskless rdb transfer, done reading from pipe, ${replicas.length} replicas still up.`);
    engine.log.notice("Background RDB transfer terminated with success");
    for (const replica of replicas) {
      replica.client.link.onDrained = null;
      replica.client.link.sendNow(fromLatin1(mark));
      if (!this.#putOnline(replica)) continue;
      replica.startOnConfirmation = true;
      engine.log.notice(
        `Streamed RDB transfer with replica ${replica.name} succeeded (socket). Waiting for REPLCONF ACK from slave to enable streaming`,
      );
    }
  }

  // ---- By way of a file ----------------------------------------------------------------------------------------------------------

  #toDisk(replicas: Replica[]): void {
    const { engine, stream } = this.replication;
    const making: Making = { replicas: [...replicas], toDisk: true, snapshot: null };
    const started = engine.persistence.startSave((saved) => {
      if (this.#making !== making) return;
      this.#making = null;
      if (!saved) engine.log.warning("SYNC failed. BGSAVE child returned an error");
      for (const replica of making.replicas) {
        if (saved) this.#sendFile(replica);
        else replica.client.link.close();
      }
    });
    if (started) {
      this.#making = making;
      this.#leftFile = true;
      for (const replica of replicas) this.#announce(replica, stream.offset);
      return;
    }
    engine.log.warning("BGSAVE for replication failed");
    for (const { client } of replicas) {
      client.link.sendNow(FAILED.bytes);
      client.link.closeAfterReply();
    }
  }

  /** Sends the RDB file as the connection takes it, then the stream. */
  #sendFile(replica: Replica): void {
    const { engine } = this.replication;
    const { link } = replica.client;
    let file: File;
    try {
      file = engine.platform.files.open(engine.persistence.path(engine.config.values.dbfilename), "r");
    } catch {
      engine.log.warning("SYNC failed. Can't open/stat DB after BGSAVE");
      return link.close();
    }
    replica.state = "send_bulk";
    const size = file.size();
    let at = 0;
    link.sendNow(line(`$${size}`));
    const step = () => {
      while (at < size && link.outputBytes < FULL && !replica.client.closed) {
        const chunk = new Uint8Array(Math.min(CHUNK, size - at));
        const read = file.read(chunk, 0, chunk.length, at);
        if (read < chunk.length) {
          engine.log.warning("Read error sending DB to replica: premature EOF");
          break;
        }
        at += read;
        link.sendNow(chunk);
      }
      if (replica.client.closed) return close();
      if (at < size && link.outputBytes > 0) return;
      close();
      if (at < size) return link.close();
      if (this.#putOnline(replica)) this.replicas.startStream(replica);
    };
    const close = () => {
      link.onDrained = null;
      this.#sending.delete(replica);
      file.close();
    };
    this.#sending.set(replica, close);
    link.onDrained = step;
    step();
  }

  /** The replica has its snapshot. False if it wants no more than that. */
  #putOnline(replica: Replica): boolean {
    const { engine } = this.replication;
    if (replica.rdbOnly) {
      engine.log.notice(
        `RDB transfer completed, rdb only replica (${replica.name}) should be disconnected asap`,
      );
      replica.client.link.closeAfterReply();
      return false;
    }
    replica.state = "online";
    replica.confirmedAt = engine.keyspace.now;
    engine.log.notice(`Synchronization with replica ${replica.name} succeeded`);
    return true;
  }

  // ---- Time and loss -------------------------------------------------------------------------------------------------------------

  /** The replica is gone: a snapshot that nobody waits for any more is given up. */
  forget(replica: Replica): void {
    this.#sending.get(replica)?.();
    const making = this.#making;
    const at = making === null ? -1 : making.replicas.indexOf(replica);
    if (making === null || at < 0) return;
    making.replicas.splice(at, 1);
    const { persistence, config, log } = this.replication.engine;
    if (making.replicas.length > 0) {
      making.snapshot?.go();
      return;
    }
    // With save points a file is of use in any case.
    if (making.toDisk && config.values.save.length > 0) return;
    this.#making = null;
    if (making.toDisk) return persistence.cancelSave();
    log.notice("Diskless rdb transfer, last replica dropped, killing fork child.");
    log.warning("Background transfer terminated by signal 10");
    persistence.background = "none";
    making.snapshot!.abandon();
  }

  /** The data set is flushed: what is being sent would be thrown away at once. Those who get it begin again. */
  cancel(): void {
    if (this.#making === null || this.#making.toDisk) return;
    for (const { client } of [...this.#making.replicas]) client.link.close();
  }

  everySecond(): void {
    const { engine } = this.replication;
    const { keyspace: { now }, config: { values } } = engine;
    const streaming = this.#making !== null && !this.#making.toDisk;
    for (const replica of [...this.replicas]) {
      const { state, client } = replica;
      // Who waits should not think that the master is dead.
      if (state === "wait" || (state === "snapshot" && !streaming)) client.link.sendNow(NEWLINE);
      if (state !== "snapshot" || !streaming) continue;
      if (client.link.outputBytes === 0 || client.link.outputBytes !== replica.stuckBytes) replica.stuckSince = now;
      replica.stuckBytes = client.link.outputBytes;
      if (now - replica.stuckSince <= values.replTimeout * 1000) continue;
      engine.log.warning(`Disconnecting timedout replica (full sync): ${replica.name}`);
      client.link.close();
    }
    if (this.#leftFile && values.rdbDelSyncFiles) this.#removeFile();
  }

  /** Where nothing is to be persisted, the data must not stay on the disk after replicas were synchronised. */
  #removeFile(): void {
    const { persistence, platform, config: { values }, log } = this.replication.engine;
    if (values.save.length > 0 || values.appendonly || this.#making !== null || this.#sending.size > 0) return;
    for (const { state } of this.replicas) if (state === "wait") return;
    this.#leftFile = false;
    const path = persistence.path(values.dbfilename);
    if (platform.files.stat(path) === null) return;
    log.notice("Removing the RDB file used to feed replicas in a persistence-less instance");
    void platform.files.removeAsync(path).catch(() => {});
  }
}

/** A snapshot into the connections of replicas. */
class ConnectionsSink implements SnapshotSink {
  onRoom: () => void = () => {};

  constructor(readonly replicas: readonly Replica[]) {}

  /** The slowest connection sets the pace. */
  get isFull(): boolean {
    return this.replicas.some(({ client }) => client.link.outputBytes > FULL);
  }

  write(buf: Uint8Array, length: number): void {
    const bytes = buf.slice(0, length);
    // One may be lost on the way, which takes it out of the list.
    for (const { client } of [...this.replicas]) client.link.sendNow(bytes);
  }
}
