/**
 * Replication: the role of this server, its replication IDs and offset, and the stream of writes.
 *
 * A master numbers its writes (`stream`) and feeds replicas (`Replicas`). A replica follows a master through `MasterLink` and
 * passes the master's stream on, byte for byte, to replicas of its own, so that all of them share IDs and offsets and any of them can go on
 * with any other after a failover (PSYNC2). `secondId` is the history that this one continues, valid up to `secondOffset`.
 *
 * Behaviour and texts: replication.c of Redis 7.0.
 */

import { fromLatin1, hex, latin1 } from "../bytes/ascii.ts";
import { Args } from "../bytes/args.ts";
import type { Client } from "../engine/client.ts";
import type { Database } from "../store/database.ts";
import { Deny } from "../engine/command.ts";
import type { Engine } from "../engine/engine.ts";
import type { PropagationListener } from "../engine/propagation.ts";
import type { ErrorReply } from "../resp/errors.ts";
import { frameLength, writeFrame } from "../resp/frame.ts";
import { Failover } from "./failover.ts";
import { MasterLink } from "./master_link.ts";
import { Replicas } from "./replicas.ts";
import { ReplicationStream } from "./stream.ts";

const KEEP_SCRATCH = 65536;
/** Bytes of the stream that an error in it is shown with. */
const SHOWN = 256;
/** Milliseconds. */
const DISK_WARNING_EVERY = 10_000;
const NO_ID = "0".repeat(40);
const PING = Args.of("PING");
const GETACK = Args.of("REPLCONF", "GETACK", "*");

interface Waiter {
  readonly client: Client;
  readonly offset: number;
  readonly count: number;
}

export class Replication implements PropagationListener {
  id: string;
  secondId = NO_ID;
  secondOffset = -1;
  readonly stream = new ReplicationStream();
  readonly replicas: Replicas;
  readonly failover: Failover;
  /** Null on a master. */
  master: MasterLink | null = null;
  fullSyncs = 0;
  partialSyncs = 0;
  partialSyncsRefused = 0;
  /** On a replica: the database of the last command in the stream, as far as it was applied. */
  database = 0;
  /** Milliseconds since 1970 at which the link to a master was lost, 0 while it is up. */
  downSince = 0;
  /** The server ends: the last file names the end of the stream, and nothing must come behind it. */
  isFinal = false;
  #wantsAcks = false;
  /** Milliseconds since 1970 at which the last replica left, 0 while there are some. */
  #aloneSince = 0;
  /** Database of the last command in the stream, -1 to select again. */
  #selected = -1;
  #waiters: Waiter[] = [];
  /** When the log was last told that the disk cannot be written. */
  #diskWarning = 0;
  #nextSecond = 0;
  #seconds = 1;
  #scratch = new Uint8Array(256);

  constructor(readonly engine: Engine) {
    this.id = this.#newId();
    this.replicas = new Replicas(this);
    this.failover = new Failover(this);
  }

  get isReplica(): boolean {
    return this.master !== null;
  }

  #newId(): string {
    return hex(this.engine.platform.random.bytes(20));
  }

  changeId(): void {
    this.id = this.#newId();
  }

  clearSecondId(): void {
    this.secondId = NO_ID;
    this.secondOffset = -1;
  }

  /** The history goes on under a new ID; those who know the old one can still continue from where it ended. */
  shiftId(): void {
    this.secondId = this.id;
    this.secondOffset = this.stream.offset + 1;
    this.changeId();
    this.engine.log.warning(
      `Setting secondary replication ID to ${this.secondId}, valid up to offset: ${this.secondOffset}. New replication ID is ${this.id}`,
    );
  }

  // ---- The stream --------------------------------------------------------------------------------------------------------------

  /** Begins to keep the stream, at its present offset. */
  startStream(): void {
    if (this.stream.active) return;
    this.stream.begin(this.stream.offset);
    this.reselect();
    if (!this.isReplica) this.engine.propagation.listen(this);
    this.engine.propagation.offset = this.stream.offset;
  }

  stopStream(): void {
    this.stream.end();
    this.engine.propagation.unlisten(this);
  }

  /** The next command in the stream is preceded by a SELECT: a replica begins to follow from here. */
  reselect(): void {
    this.#selected = -1;
  }

  command(db: number, args: Args): void {
    if (this.isReplica) return;
    if (db !== this.#selected) {
      this.#selected = db;
      this.#encode(Args.of("SELECT", db));
    }
    if (args.begin >= 0) this.append(args.buf, args.begin, args.end);
    else this.#encode(args);
    this.engine.propagation.offset = this.stream.offset;
  }

  #encode(args: Args): void {
    const length = frameLength(args);
    if (length > this.#scratch.length) this.#scratch = new Uint8Array(length);
    this.append(this.#scratch, 0, writeFrame(this.#scratch, 0, args));
    if (this.#scratch.length > KEEP_SCRATCH) this.#scratch = new Uint8Array(256);
  }

  append(bytes: Uint8Array, start: number, end: number): void {
    this.stream.append(bytes, start, end, this.engine.config.values.replBacklogSize);
  }

  endOfBatch(): void {
    this.replicas.feed();
    this.trim();
  }

  /** Lets go of what neither the backlog nor a replica needs. */
  trim(): void {
    this.stream.trim(this.engine.config.values.replBacklogSize, this.replicas.neededFrom);
  }

  // ---- Role --------------------------------------------------------------------------------------------------------------------

  /** Asks the replicas to confirm what they have; while writes are paused, later, because asking makes the stream longer. */
  requestAcks(): void {
    if (this.isReplica || !this.stream.active) return;
    this.#wantsAcks = this.engine.paused;
    if (this.#wantsAcks) return;
    this.command(Math.max(0, this.#selected), GETACK);
    this.endOfBatch();
  }

  /** REPLICAOF host port. `atStart`: the server has just started, and has no history but that of the file it has loaded. */
  follow(host: string, port: number, atStart = false): void {
    const { engine } = this;
    if (this.master === null) {
      engine.propagation.unlisten(this);
      // The new master may continue our history; it begins with a SELECT in any case.
      if (!this.stream.active && !atStart) this.stream.begin(this.stream.offset);
      if (this.#selected >= 0) this.database = this.#selected;
      this.downSince = 0;
    } else this.#leaveMaster();
    for (const client of [...engine.clients.values()]) {
      if (client.blocked !== null && client.blocked.reason !== "postponed") engine.blocking.releaseWithError(client);
    }
    this.#waiters = [];
    const link = new MasterLink(this, host, port);
    this.master = link;
    engine.log.role = "S";
    engine.config.assume("replicaof", `${host} ${port}`);
    engine.log.notice(`Connecting to MASTER ${host}:${port}`);
    this.updateRole();
    link.connect();
  }

  #leaveMaster(): void {
    const master = this.master!;
    if (master.state === "connected") this.downSince = this.engine.keyspace.now;
    else this.downSince = master.downSince;
    master.stop();
    this.master = null;
  }

  /** REPLICAOF NO ONE; false if this is a master already. */
  becomeMaster(): boolean {
    const { engine } = this;
    if (this.master === null) return false;
    this.#leaveMaster();
    this.shiftId();
    this.replicas.disconnectAll();
    engine.log.role = "M";
    engine.config.assume("replicaof", "no one");
    this.reselect();
    if (this.stream.active) engine.propagation.listen(this);
    engine.propagation.offset = this.stream.offset;
    this.#aloneSince = engine.keyspace.now;
    engine.keyspace.ownDeadlines.clear();
    this.updateRole();
    const { aof } = engine.persistence;
    if (engine.config.values.appendonly && aof.state === "off") aof.switchOn();
    return true;
  }

  /** The server ends. */
  stop(): void {
    this.master?.stop();
  }

  /** After a change of role, of the link, or of the parameters that depend on them. */
  updateRole(): void {
    const { engine } = this;
    const { values } = engine.config;
    engine.isReadOnlyReplica = this.isReplica && values.replicaReadOnly;
    engine.keyspace.ownsDeadlines = this.isReplica && !values.replicaReadOnly;
    const stale = this.master !== null && this.master.state !== "connected" && !values.replicaServeStaleData;
    if (stale) engine.deny |= Deny.STALE;
    else engine.deny &= ~Deny.STALE;
    this.updateGoodReplicas();
    engine.updateExpiry();
  }

  updateGoodReplicas(): void {
    const { engine } = this;
    const { minReplicasToWrite, minReplicasMaxLag } = engine.config.values;
    engine.tooFewReplicas = !this.isReplica && minReplicasToWrite > 0 && minReplicasMaxLag > 0 &&
      this.replicas.good(minReplicasMaxLag) < minReplicasToWrite;
    engine.updateWriteDeny();
  }

  // ---- WAIT --------------------------------------------------------------------------------------------------------------------

  /** Blocks the client until `count` replicas have confirmed everything up to `offset`. */
  wait(c: Client, offset: number, count: number, timeout: number): void {
    this.engine.blocking.wait(c, timeout, (waiting) => {
      this.#waiters = this.#waiters.filter(({ client }) => client !== waiting);
      waiting.reply.int(this.replicas.acknowledged(offset));
    });
    this.#waiters.push({ client: c, offset, count });
    this.requestAcks();
  }

  /** A replica has confirmed an offset. */
  confirmed(): void {
    this.failover.update();
    if (this.#waiters.length === 0) return;
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) {
      const { client, offset, count } = waiter;
      if (client.closed || client.blocked === null) continue;
      const acknowledged = this.replicas.acknowledged(offset);
      if (acknowledged >= count) this.engine.blocking.release(client, (c) => c.reply.int(acknowledged));
      else this.#waiters.push(waiter);
    }
  }

  // ---- Files -------------------------------------------------------------------------------------------------------------------

  /** Fields of an RDB file's header that let this server go on with its replication later. */
  saveInfo(): (readonly [string, string])[] {
    if (!this.stream.active) return [];
    const db = this.master === null ? Math.max(0, this.#selected) : this.master.client?.db.index ?? this.database;
    return [["repl-stream-db", String(db)], ["repl-id", this.id], ["repl-offset", String(this.stream.offset)]];
  }

  /**
   * A key was left out of the data set at the start because it has expired. Replicas that go on from where the file ends still
   * have it.
   */
  expiredWhileLoading(db: Database, key: Args, header: ReadonlyMap<string, string>): void {
    this.loadedInfo(header);
    if (!this.stream.active) return;
    const { lazyfreeLazyExpire } = this.engine.config.values;
    this.command(db.index, Args.of(lazyfreeLazyExpire ? "UNLINK" : "DEL", key.bytes(0)));
    this.trim();
  }

  /** Takes over the history that the header of the file speaks of, which is being, or was, loaded at the start. */
  loadedInfo(aux: ReadonlyMap<string, string>): void {
    if (this.stream.active) return;
    const id = aux.get("repl-id");
    const offset = Number(aux.get("repl-offset") ?? -1);
    const db = Number(aux.get("repl-stream-db") ?? -1);
    if (id === undefined || id.length !== 40 || !(offset >= 0) || !(db >= 0)) return;
    if (this.engine.config.values.replicaof !== null) {
      this.id = id;
      this.database = db;
      this.stream.begin(offset);
    } else {
      this.secondId = id;
      this.secondOffset = offset + 1;
      this.stream.offset = offset;
      this.startStream();
      this.#aloneSince = this.engine.platform.clock.now();
    }
  }

  // ---- Time --------------------------------------------------------------------------------------------------------------------

  /** Called by the cron at each tick; does most of its work once a second. */
  cron(): void {
    const { engine } = this;
    const { now } = engine.keyspace;
    this.replicas.fullSync.startWaiting();
    this.failover.update();
    if (engine.keyspace.ownDeadlines.size > 0) engine.keyspace.ownDeadlines.expire(now);
    if (this.#wantsAcks && !engine.paused) this.requestAcks();
    // A failover does not wait for the next second to try again.
    if (this.failover.state !== "none" && this.master?.state === "connect") this.master.everySecond();
    if (now < this.#nextSecond) return;
    this.#nextSecond = now + 1000;
    const { replPingReplicaPeriod } = engine.config.values;
    this.master?.everySecond();
    const pings = this.master === null && this.replicas.count > 0 && this.failover.state === "none" && !this.isFinal;
    if (pings && this.#seconds % replPingReplicaPeriod === 0) {
      this.command(Math.max(0, this.#selected), PING);
      this.endOfBatch();
    }
    this.#seconds++;
    this.replicas.everySecond();
    this.#dropBacklog();
    this.updateGoodReplicas();
  }

  /** A master that nobody has followed for repl-backlog-ttl seconds keeps no stream, and begins a new history with the next replica. */
  #dropBacklog(): void {
    const { engine } = this;
    const { now } = engine.keyspace;
    if (this.replicas.count > 0 || this.master !== null) this.#aloneSince = 0;
    else if (this.#aloneSince === 0) this.#aloneSince = now;
    const { replBacklogTtl } = engine.config.values;
    const alone = this.#aloneSince === 0 ? 0 : (now - this.#aloneSince) / 1000;
    if (!this.stream.active || replBacklogTtl === 0 || alone <= replBacklogTtl) return;
    this.changeId();
    this.clearSecondId();
    this.stopStream();
    engine.log.notice(`Replication backlog freed after ${replBacklogTtl} seconds without connected replicas.`);
  }

  /** An error is the reply to something that our master or a replica of ours has sent, and none of them expects one. */
  errorOnLink(client: Client, { text }: ErrorReply): void {
    const { engine } = this;
    const [from, to] = client.isMaster ? ["replica", "master"] : ["master", "replica"];
    const name = client.command?.fullName ?? "<unknown>";
    engine.log.warning(
      `== CRITICAL == This ${from} is sending an error to its ${to}: '-${text}' after processing the command '${name}'`,
    );
    engine.stats.unexpectedErrors++;
    if (client.isMaster && this.stream.length > 0) this.#showLatest();
    const { propagationErrorBehavior, replicaReadOnly } = engine.config.values;
    if (!client.isMaster || !replicaReadOnly || propagationErrorBehavior === "ignore") return;
    engine.log.warning(
      `This ${from} panicked sending an error to its ${to} after processing the command '${name}'`,
    );
    engine.platform.process.exit(1);
  }

  /** The master's command comes while nothing can be written to the disk: the replica ends, or goes on if it is told to. */
  appliesWithoutDisk(isWrite: boolean): void {
    const { log, keyspace: { now }, config: { values }, platform } = this.engine;
    if (isWrite && !values.replicaIgnoreDiskWriteErrors) {
      log.warning("Replica was unable to write command to disk.");
      platform.process.exit(1);
    }
    if (now <= this.#diskWarning + DISK_WARNING_EVERY) return;
    this.#diskWarning = now;
    log.warning("Replica is applying a command even though it is unable to write to disk.");
  }

  /** The end of the stream goes to the log. */
  #showLatest(): void {
    const length = Math.min(SHOWN, this.stream.length);
    let shown = "";
    for (let at = this.stream.offset - length; at < this.stream.offset;) {
      const view = this.stream.view(at);
      shown += latin1(view, 0, view.length);
      at += view.length;
    }
    this.engine.log.warning(`Latest backlog is: '${JSON.stringify(shown)}'`);
  }

  /** The client is gone; it may have been a replica. */
  forget(client: Client): void {
    this.replicas.remove(client);
  }
}

/** Bytes of a line. */
export function line(text: string): Uint8Array {
  return fromLatin1(`${text}\r\n`);
}
