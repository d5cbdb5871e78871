/**
 * Engine: what commands can reach. One per server, whatever it listens on; it knows no socket and no runtime.
 *
 * The services (slow log, pub/sub, persistence …) are put in place by the server, which makes them: the engine only knows their
 * types. As the keyspace's observer it spreads the news of every change: to WATCH, to keyspace events, to blocked clients.
 */

import { Args } from "../bytes/args.ts";
import type { Config } from "../config/config.ts";
import type { Log } from "../observe/log.ts";
import type { Observation } from "../observe/observation.ts";
import type { Persistence } from "../persist/persistence.ts";
import type { Platform } from "../platform/platform.ts";
import type { PubSub } from "../pubsub/pubsub.ts";
import type { Replication } from "../replicate/replication.ts";
import { Reply } from "../resp/reply.ts";
import type { ErrorReply } from "../resp/errors.ts";
import type { Database } from "../store/database.ts";
import type { KeyEvent } from "../store/events.ts";
import { Attention, Expiry, Keyspace, type KeyspaceObserver } from "../store/keyspace.ts";
import { type Blocked, Blocking } from "./blocking.ts";
import type { Client, Link } from "./client.ts";
import { type Command, Deny } from "./command.ts";
import { DebugSettings } from "./debug.ts";
import { Eviction } from "./eviction.ts";
import { execute } from "./execute.ts";
import { MigrationLinks } from "./migration_links.ts";
import { Outbox } from "./outbox.ts";
import { Propagation } from "./propagation.ts";
import { Stats } from "./stats.ts";
import type { CommandTable } from "./table.ts";
import { Watches } from "./transaction.ts";

export interface ShutdownOptions {
  /** "default": if there are save points. */
  readonly save: "default" | "yes" | "no";
  /** Without waiting for replicas. */
  readonly now: boolean;
  /** Whatever cannot be written. */
  readonly force: boolean;
}

/** What the server does for commands. */
export interface ServerControl {
  /**
   * SHUTDOWN: waits for replicas, saves if wanted, closes everything and ends. The client is parked; it is answered only if the
   * server cannot end.
   */
  shutdown(options: ShutdownOptions, client: Client): void;
  /** False when the server is not about to end. */
  abortShutdown(): boolean;
  /** Until when it waits for replicas (ms since 1970), 0 when it is not about to end. */
  readonly shutdownDeadline: number;
  /** Opens what CONFIG SET with these names and values would listen on; null when there is nothing to wait for. */
  prepareListening(pairs: readonly string[]): Promise<void> | null;
  readonly port: number;
  readonly startedAt: number;
  readonly runId: string;
  readonly executable: string;
  readonly configFile: string;
  /** DEBUG SET-ACTIVE-EXPIRE, PAUSE-CRON: what happens in the background. */
  setActiveExpire(on: boolean): void;
  setCronPaused(paused: boolean): void;
  /** Asks for a slice of background work (expiry, freeing) soon. */
  wakeBackground(): void;
}

export class Engine implements KeyspaceObserver {
  readonly keyspace: Keyspace;
  readonly args = new Args();
  readonly reply = new Reply();
  readonly stats = new Stats();
  readonly debug = new DebugSettings();
  readonly propagation: Propagation;
  readonly watches: Watches;
  readonly blocking: Blocking;
  readonly eviction: Eviction;
  readonly migrationLinks: MigrationLinks;
  readonly clients = new Map<number, Client>();
  /** Clients in MONITOR mode. */
  readonly monitors = new Set<Client>();
  nextClientId = 1;
  /** Bits of `Deny` that hold for all clients. */
  deny: number = Deny.PROTECTED;
  /** Commands that are running: more than 1 inside EXEC. */
  depth = 0;
  /** The client whose replies go to `reply`. */
  serving: Client | null = null;
  /** Replies wait until the AOF has been synced (appendfsync always). */
  holdReplies = false;
  /** The client is being served in the middle of another one's batch: its replies leave when that ends. */
  inBetween = false;
  /** Links that were given something and have not sent it yet. */
  gathering: Link[] = [];
  /** What they are to send, where it is the reply of a client that was served in between. */
  readonly outbox = new Outbox();
  #sendingSoon = false;
  /** Clients whose command waits for the end of a pause. */
  postponed: Client[] = [];
  /** End of the pause that a client asked for. */
  #pauseUntil = 0;
  /** MIGRATEs, a shutdown, a failover under way: writes wait for their end. */
  #writeHolds = 0;

  // Reasons to refuse writes; `updateWriteDeny` after a change.
  diskError: ErrorReply | null = null;
  tooFewReplicas = false;
  isReadOnlyReplica = false;

  config!: Config;
  log!: Log;
  observation!: Observation;
  pubsub!: PubSub;
  persistence!: Persistence;
  replication!: Replication;
  control!: ServerControl;

  /** The fast command being repeated in the current batch, how often it ran, and when the run began; see `call`. */
  runCommand: Command | null = null;
  runCalls = 0;
  runStart = 0;
  /** When the last command ended that was timed by itself, if the next one follows at once; else -1. */
  callEnd = -1;
  /** Every command is timed by itself (a low threshold of the slow log or the latency monitor). */
  timeEach = false;

  constructor(readonly platform: Platform, readonly table: CommandTable, databases: number) {
    const seed = platform.random.bytes(8);
    const view = new DataView(seed.buffer, seed.byteOffset, 8);
    this.keyspace = new Keyspace(
      databases,
      platform.clock,
      platform.random,
      { k0: view.getInt32(0), k1: view.getInt32(4) },
      this,
    );
    this.propagation = new Propagation(this.keyspace);
    this.watches = new Watches(this.keyspace);
    this.blocking = new Blocking(this);
    this.eviction = new Eviction(this);
    this.migrationLinks = new MigrationLinks(this);
    this.reply.onError = (error) => this.countError(error);
  }

  countError(error: ErrorReply): void {
    this.stats.errorReplies++;
    const { errors } = this.stats;
    errors.set(error.prefix, (errors.get(error.prefix) ?? 0) + 1);
    if (this.serving !== null && (this.serving.isMaster || this.serving.isReplica)) {
      this.replication.errorOnLink(this.serving, error);
    }
  }

  refreshTime(): void {
    this.keyspace.refresh();
  }

  updateWriteDeny(): void {
    if (this.diskError !== null || this.tooFewReplicas || this.isReadOnlyReplica) this.deny |= Deny.WRITE;
    else this.deny &= ~Deny.WRITE;
  }

  // ---- KeyspaceObserver --------------------------------------------------------------------------------------------------------

  changed(db: Database, key: Args, i: number, event: KeyEvent): void {
    const { attention } = this.keyspace;
    if (attention & Attention.WATCH) this.watches.changed(db, key, i);
    if (attention & Attention.NOTIFY && event.cls !== 0) this.notify(db, key, i, event);
    if (attention & Attention.BLOCKED && event.wakes) this.blocking.keyChanged(db, key, i);
  }

  notify(db: Database, key: Args, i: number, event: KeyEvent): void {
    this.pubsub.keyspaceEvent(db, key, i, event);
  }

  expired(db: Database, key: Args): void {
    this.propagation.also(db.index, "DEL", key.bytes(0));
    // Outside of a command nobody else would send it.
    if (this.depth === 0) this.propagation.flush();
  }

  // ---- Serving -----------------------------------------------------------------------------------------------------------------

  /**
   * Runs `work` with the reply buffer going to `client`. In the middle of another client's batch its replies are put aside, and leave
   * when that batch ends: thousands of clients that one pipeline of pushes wakes cost that pipeline one write of its own.
   */
  serveAs(client: Client, work: () => void): void {
    const { reply, serving: before } = this;
    if (before === null) {
      this.beginServing(client);
      work();
      this.propagation.endOfBatch();
      client.link.flush();
      return this.endServing();
    }
    const { base } = reply;
    const wasInBetween = this.inBetween;
    reply.base = reply.at;
    this.inBetween = true;
    this.beginServing(client);
    work();
    client.link.flush();
    this.inBetween = wasInBetween;
    reply.base = base;
    this.beginServing(before);
  }

  /** What was held back is on disk now. */
  releaseReplies(): void {
    this.holdReplies = false;
    this.#sendGathered();
  }

  /** What was held back cannot be made durable: it must not be acknowledged, so its clients are cut off. */
  dropHeldReplies(): void {
    this.holdReplies = false;
    const links = this.gathering;
    this.gathering = [];
    for (const link of links) link.close();
    if (this.gathering.length === 0) this.outbox.clear();
  }

  /**
   * Nobody is being served any more: what was sent to others meanwhile leaves, but not before all clients that are ready now have been
   * served. So a subscriber gets the messages of all of them with one write.
   */
  endServing(): void {
    this.serving = null;
    if (this.gathering.length === 0 || this.holdReplies || this.#sendingSoon) return;
    this.#sendingSoon = true;
    this.platform.clock.soon(() => {
      this.#sendingSoon = false;
      if (!this.holdReplies) this.#sendGathered();
    });
  }

  #sendGathered(): void {
    const links = this.gathering;
    this.gathering = [];
    for (const link of links) link.sendGathered();
    if (this.gathering.length === 0) this.outbox.clear();
  }

  beginServing(client: Client): void {
    this.serving = client;
    this.callEnd = -1;
    this.reply.resp3 = client.resp === 3;
  }

  /** A client that was parked has got its reply: its further commands can run. */
  unblocked(blocked: Blocked): void {
    blocked.client.link.resume();
  }

  // ---- Pause -------------------------------------------------------------------------------------------------------------------

  /** CLIENT PAUSE until `until` (ms since 1970). A running pause is only ever made longer and stricter. */
  pause(until: number, writesOnly: boolean): void {
    this.#pauseUntil = Math.max(this.#pauseUntil, until);
    if (!writesOnly) this.deny = (this.deny & ~Deny.PAUSED_WRITE) | Deny.PAUSED_ALL;
    else if (!(this.deny & Deny.PAUSED_ALL)) this.deny |= Deny.PAUSED_WRITE;
    this.updateExpiry();
  }

  get paused(): boolean {
    return (this.deny & (Deny.PAUSED_ALL | Deny.PAUSED_WRITE)) !== 0;
  }

  /** Writes are postponed until `releaseWrites`, like those of a pause. */
  holdWrites(): void {
    this.#writeHolds++;
    if (!(this.deny & Deny.PAUSED_ALL)) this.deny |= Deny.PAUSED_WRITE;
    this.updateExpiry();
  }

  releaseWrites(): void {
    this.#writeHolds--;
    this.endPause();
  }

  /** For the cron: ends a pause whose time is up. */
  endPause(): void {
    const due = this.keyspace.now >= this.#pauseUntil;
    if (this.paused && due && (this.#writeHolds === 0 || this.deny & Deny.PAUSED_ALL)) this.unpause();
  }

  unpause(): void {
    this.#pauseUntil = 0;
    this.deny &= ~(Deny.PAUSED_ALL | Deny.PAUSED_WRITE);
    if (this.#writeHolds > 0) this.deny |= Deny.PAUSED_WRITE;
    this.updateExpiry();
    const postponed = this.postponed;
    this.postponed = [];
    for (const client of postponed) {
      const blocked = this.blocking.resume(client);
      if (blocked === null) continue;
      this.serveAs(client, () => {
        const own = client.args;
        client.args = blocked.args;
        execute(client);
        client.args = own;
      });
      if (client.blocked === null) client.link.resume();
    }
    this.replication.master?.resume();
  }

  /** Nothing is deleted while paused, nor on a replica; while loading everything is still there. */
  updateExpiry(): void {
    if (this.deny & Deny.LOADING) this.keyspace.expiry = Expiry.IGNORE;
    else if (this.paused || this.replication.isReplica) this.keyspace.expiry = Expiry.HIDE;
    else this.keyspace.expiry = Expiry.DELETE;
  }
}
