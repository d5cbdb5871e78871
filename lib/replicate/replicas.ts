/**
 * The master's side: replicas, from their handshake to the stream.
 *
 * A replica that can continue gets the missing part of the backlog. The others wait for a snapshot, together: one snapshot feeds
 * all that wait when it begins, into their sockets (diskless) or into the RDB file, which is then sent to each. What is
 * written meanwhile stays in the stream's blocks and is sent when the replica has the snapshot.
 */

import type { Client } from "../engine/client.ts";
import { clientInfo } from "../engine/client_info.ts";
import { errorReply } from "../resp/errors.ts";
import type { SnapshotSink } from "../persist/snapshot.ts";
import type { File } from "../platform/platform.ts";
import { line, type Replication } from "./replication.ts";

/** Queued bytes of one connection before the snapshot waits for it. */
const FULL = 4 * 1024 * 1024;
const CHUNK = 256 * 1024;
const FAILED = errorReply("ERR BGSAVE failed, replication can't continue");
const NEWLINE = new Uint8Array([10]);

export type ReplicaState = "none" | "wait_bgsave" | "send_bulk" | "online";

/** What is known of a client that is, or is about to become, a replica. */
export class Replica {
  state: ReplicaState = "none";
  listeningPort = 0;
  /** Announced address; empty: that of the connection. */
  address = "";
  canEof = false;
  canPsync2 = false;
  rdbOnly = false;
  /** Wants functions only, or no functions, … */
  withoutData = false;
  withoutFunctions = false;
  /** Came with SYNC: neither knows offsets nor confirms. */
  isOld = false;
  /** Last confirmed offset, and when (ms). */
  confirmed = 0;
  confirmedAt = 0;
  /** Offset of the stream at its snapshot. */
  initialOffset = 0;
  /** The stream up to here has been handed to the connection. */
  sent = 0;
  waitingSince = 0;
  /** The stream begins with the first confirmation: the replica is loading what it got. */
  startOnConfirmation = false;

  constructor(readonly client: Client) {}

  get ip(): string {
    return this.address !== "" ? this.address : this.client.link.remote.replace(/:\d+$/, "").replace(/^\[|\]$/g, "");
  }

  get name(): string {
    return this.listeningPort > 0 ? `${this.ip}:${this.listeningPort}` : `${this.ip}:<unknown-replica-port>`;
  }
}

export class Replicas {
  #all = new Map<Client, Replica>();

  constructor(readonly replication: Replication) {}

  /** Those that asked to be synchronised. */
  *[Symbol.iterator](): IterableIterator<Replica> {
    for (const replica of this.#all.values()) if (replica.state !== "none") yield replica;
  }

  get count(): number {
    let count = 0;
    for (const _ of this) count++;
    return count;
  }

  /** The replica that a client is, for REPLCONF; made when it is not one yet. */
  of(client: Client): Replica {
    let replica = this.#all.get(client);
    if (replica === undefined) this.#all.set(client, replica = new Replica(client));
    return replica;
  }

  find(client: Client): Replica | undefined {
    return this.#all.get(client);
  }

  remove(client: Client): void {
    const replica = this.#all.get(client);
    if (replica === undefined) return;
    this.#all.delete(client);
    if (replica.state === "none") return;
    this.replication.engine.log.warning(`Connection with replica ${replica.name} lost.`);
    this.replication.updateGoodReplicas();
  }

  disconnectAll(): void {
    for (const replica of [...this]) replica.client.link.close();
  }

  // ---- Synchronising -----------------------------------------------------------------------------------------------------------

  /** PSYNC: true if the replica can go on from `offset` of the history `id`, and does. */
  tryContinue(replica: Replica, id: string, offset: number): boolean {
    const { replication } = this;
    const { stream, engine } = replication;
    const own = id.toLowerCase() === replication.id;
    if (!own && (id.toLowerCase() !== replication.secondId || offset > replication.secondOffset)) {
      if (id.startsWith("?")) engine.log.notice(`Full resync requested by replica ${replica.name}`);
      else if (id.toLowerCase() !== replication.secondId) {
        engine.log.notice(
          `Partial resynchronization not accepted: Replication ID mismatch (Replica asked for '${id}', my replication IDs are '${replication.id}' and '${replication.secondId}')`,
        );
      } else {
        engine.log.notice(
          `Partial resynchronization not accepted: Requested offset for second ID was ${offset}, but I can reply up to ${replication.secondOffset}`,
        );
      }
      return false;
    }
    if (!stream.active || offset <= stream.first || offset > stream.offset + 1) {
      if (!stream.active || offset < stream.first + 1 || offset > stream.offset + 1) {
        engine.log.notice(
          `Unable to partial resync with replica ${replica.name} for lack of backlog (Replica request was: ${offset}).`,
        );
        if (offset > stream.offset) {
          engine.log.warning(
            `Warning: replica ${replica.name} tried to PSYNC with an offset that is greater than the master replication offset.`,
          );
        }
        return false;
      }
    }
    const { link } = replica.client;
    this.#join(replica);
    replica.state = "online";
    replica.confirmedAt = engine.keyspace.now;
    replica.sent = offset - 1;
    link.flush();
    link.send(line(replica.canPsync2 ? `+CONTINUE ${replication.id}` : "+CONTINUE"));
    const length = stream.offset - replica.sent;
    this.#send(replica);
    engine.log.notice(
      `Partial resynchronization request from ${replica.name} accepted. Sending ${length} bytes of backlog starting from offset ${offset}.`,
    );
    replication.updateGoodReplicas();
    return true;
  }

  #join(replica: Replica): void {
    replica.client.isReplica = true;
    replica.client.deny |= this.replication.replicaDeny;
  }

  /** The replica needs a snapshot: it gets the next one. */
  wait(replica: Replica): void {
    const { replication } = this;
    const { engine, stream } = replication;
    const first = this.count === 0;
    this.#join(replica);
    replica.state = "wait_bgsave";
    replica.waitingSince = engine.keyspace.now;
    if (first && !stream.active) {
      replication.changeId();
      replication.clearSecondId();
      replication.startStream();
      engine.log.notice(
        `Replication backlog created, my new replication IDs are '${replication.id}' and '${replication.secondId}'`,
      );
    }
    const { persistence, config } = engine;
    if (persistence.background !== "none" || persistence.snapshot !== null) {
      engine.log.notice("Can't attach the replica to the current BGSAVE. Waiting for next BGSAVE for SYNC");
    } else if (config.values.replDisklessSync && replica.canEof && config.values.replDisklessSyncDelay > 0) {
      engine.log.notice("Delay next BGSAVE for diskless SYNC");
    } else this.startWaiting();
  }

  /** Begins a snapshot for those that wait, if it is time. */
  startWaiting(): void {
    const { engine } = this.replication;
    if (engine.persistence.background !== "none" || engine.persistence.snapshot !== null) return;
    const waiting = [...this].filter(({ state }) => state === "wait_bgsave");
    if (waiting.length === 0) return;
    const { replDisklessSync, replDisklessSyncDelay, replDisklessSyncMaxReplicas } = engine.config.values;
    const [first] = waiting;
    // One snapshot serves only those that want the same of it.
    const group = waiting.filter((other) =>
      other.withoutData === first.withoutData && other.withoutFunctions === first.withoutFunctions &&
      other.canEof === first.canEof
    );
    const filtered = first.withoutData || first.withoutFunctions;
    const diskless = (replDisklessSync || filtered) && first.canEof;
    if (diskless && replDisklessSync) {
      const longest = (engine.keyspace.now - first.waitingSince) / 1000;
      const enough = replDisklessSyncMaxReplicas > 0 && waiting.length >= replDisklessSyncMaxReplicas;
      if (longest < replDisklessSyncDelay && !enough) return;
    }
    engine.log.notice(`Starting BGSAVE for SYNC with target: ${diskless ? "replicas sockets" : "disk"}`);
    if (diskless) this.#streamSnapshot(group, first);
    else this.#fileSnapshot(group);
  }

  /** The reply to PSYNC, when the snapshot begins. */
  #announce(replica: Replica): void {
    const { stream } = this.replication;
    replica.initialOffset = stream.offset;
    replica.sent = stream.offset;
    this.replication.reselect();
    if (!replica.isOld) replica.client.link.send(line(`+FULLRESYNC ${this.replication.id} ${stream.offset}`));
  }

  #streamSnapshot(replicas: Replica[], like: Replica): void {
    const { engine } = this.replication;
    const mark = Array.from(engine.platform.random.bytes(20), (byte) => byte.toString(16).padStart(2, "0")).join("");
    for (const replica of replicas) {
      this.#announce(replica);
      replica.state = "send_bulk";
      replica.client.link.send(line(`$EOF:${mark}`));
    }
    const sink = new ReplicaSink(replicas);
    const format = engine.persistence.rdbFormat("replicas", {
      withoutData: like.withoutData,
      withoutFunctions: like.withoutFunctions,
    });
    const snapshot = engine.persistence.begin("replicas", [sink], format, () => {
      engine.persistence.background = "none";
      for (const { client, state } of replicas) {
        client.link.onDrained = null;
        if (state === "send_bulk" && !client.closed) client.link.send(line(mark).subarray(0, 40));
      }
      for (const replica of replicas) {
        if (replica.client.closed) continue;
        replica.state = "online";
        replica.confirmedAt = engine.keyspace.now;
        replica.startOnConfirmation = true;
        engine.log.notice(
          `Streamed replica with ${replica.name} completed, waiting for REPLCONF ACK from replica to enable streaming`,
        );
      }
      engine.log.notice("Background RDB transfer terminated with success");
    });
    engine.log.notice(`Background RDB transfer started by pid ${engine.platform.process.id}`);
    for (const { client } of replicas) client.link.onDrained = () => snapshot.go();
  }

  #fileSnapshot(replicas: Replica[]): void {
    const { engine } = this.replication;
    const started = engine.persistence.startSave((saved) => {
      for (const replica of replicas) {
        if (replica.client.closed) continue;
        if (saved) this.#sendFile(replica);
        else replica.client.link.close();
      }
    });
    if (!started) {
      engine.log.warning("BGSAVE for replication failed");
      for (const replica of replicas) {
        replica.state = "none";
        replica.client.isReplica = false;
        replica.client.link.send(FAILED.bytes);
        replica.client.link.closeAfterReply();
      }
      return;
    }
    for (const replica of replicas) {
      this.#announce(replica);
      replica.state = "send_bulk";
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
      return link.close();
    }
    const size = file.size();
    let at = 0;
    link.send(line(`$${size}`));
    const step = () => {
      while (at < size && link.outputBytes < FULL && !replica.client.closed) {
        const chunk = new Uint8Array(Math.min(CHUNK, size - at));
        const read = file.read(chunk, 0, chunk.length, at);
        if (read < chunk.length) {
          engine.log.warning("Read error sending DB to replica: premature EOF");
          file.close();
          return link.close();
        }
        at += read;
        link.send(chunk);
      }
      if (at < size && !replica.client.closed) return;
      link.onDrained = null;
      file.close();
      if (!replica.client.closed) this.#putOnline(replica);
    };
    link.onDrained = step;
    step();
  }

  #putOnline(replica: Replica): void {
    const { engine } = this.replication;
    replica.state = "online";
    replica.startOnConfirmation = false;
    replica.confirmedAt = engine.keyspace.now;
    if (replica.rdbOnly) {
      engine.log.notice(`Close the connection with replica ${replica.name} as RDB transfer is complete`);
      return replica.client.link.closeAfterReply();
    }
    engine.log.notice(`Synchronization with replica ${replica.name} succeeded`);
    this.#send(replica);
    this.replication.updateGoodReplicas();
  }

  // ---- The stream --------------------------------------------------------------------------------------------------------------

  /** Hands everything new to the connections. */
  feed(): void {
    const { stream, engine } = this.replication;
    for (const replica of this.#all.values()) {
      if (replica.state === "online" && !replica.startOnConfirmation) {
        if (replica.sent < stream.offset) this.#send(replica);
      } else if (replica.state !== "none") {
        // What waits for a replica that is still loading counts as its output.
        const { hard } = engine.config.values.clientOutputBufferLimit.replica;
        const limit = Math.max(hard, engine.config.values.replBacklogSize);
        if (hard > 0 && stream.offset - replica.sent > limit) {
          engine.log.warning(
            `Client ${clientInfo(replica.client)} scheduled to be closed ASAP for overcoming of output buffer limits.`,
          );
          replica.client.link.close();
        }
      }
    }
  }

  #send(replica: Replica): void {
    const { stream } = this.replication;
    const { link } = replica.client;
    const from = replica.sent;
    replica.sent = stream.offset;
    stream.read(from, (view) => link.send(view));
  }

  /** Offset of the oldest byte of the stream that some replica has not been given yet. */
  get neededFrom(): number {
    let needed = Infinity;
    for (const replica of this.#all.values()) {
      if (replica.state === "send_bulk" || replica.startOnConfirmation) needed = Math.min(needed, replica.sent);
    }
    return needed;
  }

  /** REPLCONF ACK. */
  confirm(replica: Replica, offset: number): void {
    const { engine } = this.replication;
    if (offset > replica.confirmed) replica.confirmed = offset;
    replica.confirmedAt = engine.keyspace.now;
    if (replica.state === "online" && replica.startOnConfirmation) this.#putOnline(replica);
    this.replication.confirmed();
  }

  acknowledged(offset: number): number {
    let count = 0;
    for (const replica of this) if (replica.state === "online" && replica.confirmed >= offset) count++;
    return count;
  }

  /** Replicas that confirmed something in the last `seconds`. */
  good(seconds: number): number {
    const { now } = this.replication.engine.keyspace;
    let count = 0;
    for (const replica of this) {
      if (replica.state === "online" && Math.floor((now - replica.confirmedAt) / 1000) <= seconds) count++;
    }
    return count;
  }

  everySecond(): void {
    const { engine } = this.replication;
    const timeout = engine.config.values.replTimeout;
    for (const replica of [...this]) {
      const { state, client } = replica;
      if (state === "wait_bgsave" || (state === "send_bulk" && engine.persistence.background === "rdb")) {
        client.link.send(NEWLINE);
      } else if (state === "online" && !replica.isOld) {
        if (Math.floor((engine.keyspace.now - replica.confirmedAt) / 1000) <= timeout) continue;
        engine.log.warning(`Disconnecting timedout replica (streaming sync): ${replica.name}`);
        client.link.close();
      }
    }
  }
}

/** A snapshot into the connections of replicas. */
class ReplicaSink implements SnapshotSink {
  onRoom: () => void = () => {};

  constructor(readonly replicas: readonly Replica[]) {}

  /** The slowest connection sets the pace. */
  get isFull(): boolean {
    return this.replicas.some(({ client }) => !client.closed && client.link.outputBytes > FULL);
  }

  write(buf: Uint8Array, length: number): void {
    const bytes = buf.slice(0, length);
    for (const { client } of this.replicas) if (!client.closed) client.link.send(bytes);
  }
}
