/**
 * Shutdown: the end of the server, by SHUTDOWN, a signal, or the program that embeds it.
 *
 *   idle → waiting (for replicas that lag behind, up to shutdown-timeout) → saving → the end
 *
 * From the beginning on writes are postponed, so that what the replicas have got and what is saved is everything that was acknowledged.
 * The file is written in slices like every other one: reads are served meanwhile, and a second SIGINT or SHUTDOWN ABORT is heard. What
 * fails makes the server go on as if nothing had happened; clients that wait in SHUTDOWN are told.
 *
 * Behaviour and texts: prepareForShutdown, finishShutdown in server.c of Redis 7.0.
 */

import { SHUTDOWN_FORCE, SHUTDOWN_NOSAVE, SHUTDOWN_NOW, SHUTDOWN_SAVE } from "../config/config.ts";
import type { Client } from "../engine/client.ts";
import { Deny } from "../engine/command.ts";
import type { ShutdownOptions } from "../engine/engine.ts";
import { errorReply } from "../resp/errors.ts";
import type { Server } from "./server.ts";

const FAILED = errorReply("ERR Errors trying to SHUTDOWN. Check logs.");

export class Shutdown {
  /** A signal has come: the cron begins. */
  #signal: "SIGINT" | "SIGTERM" | null = null;
  #state: "idle" | "waiting" | "saving" | "ended" = "idle";
  #options: ShutdownOptions = { save: "default", now: false, force: false };
  /** Milliseconds since 1970 at which waiting ends. */
  deadline = 0;
  #clients: Client[] = [];

  constructor(readonly server: Server) {}

  get isUnderWay(): boolean {
    return this.#state !== "idle";
  }

  /** A signal asks for the end. */
  signalled(signal: "SIGINT" | "SIGTERM"): void {
    const { log, engine, platform } = this.server;
    if (signal === "SIGINT" && (this.#signal !== null || this.isUnderWay)) {
      log.warning("You insist... exiting now.");
      engine.persistence.cancelSave();
      platform.process.exit(1);
    }
    log.warning(
      engine.deny & Deny.LOADING
        ? "Received shutdown signal during loading, scheduling shutdown."
        : `Received ${signal} scheduling shutdown...`,
    );
    this.#signal = signal;
  }

  /** Begins, unless it has begun. `client` waits for the end, or for the error. */
  begin(options: ShutdownOptions, client: Client | null): void {
    const { engine, log } = this.server;
    if (client !== null) {
      engine.blocking.hold(client);
      this.#clients.push(client);
    }
    if (this.isUnderWay) return;
    // What is loaded so far must not replace what is being loaded.
    this.#options = engine.deny & Deny.LOADING ? { ...options, save: "no" } : options;
    log.warning("User requested shutdown...");
    engine.holdWrites();
    const seconds = engine.config.values.shutdownTimeout;
    if (options.now || seconds === 0 || this.#replicasAreReady) return this.#finish();
    this.#state = "waiting";
    this.deadline = engine.keyspace.now + seconds * 1000;
    engine.replication.requestAcks();
    log.notice("Waiting for replicas before shutting down.");
  }

  /** Called by the cron. */
  tick(): void {
    if (this.#state === "waiting") {
      if (this.server.engine.keyspace.now >= this.deadline || this.#replicasAreReady) this.#finish();
      return;
    }
    if (this.#signal === null || this.isUnderWay) return;
    const { shutdownOnSigint, shutdownOnSigterm } = this.server.config.values;
    const bits = this.#signal === "SIGINT" ? shutdownOnSigint : shutdownOnSigterm;
    this.begin({
      save: bits & SHUTDOWN_SAVE ? "yes" : bits & SHUTDOWN_NOSAVE ? "no" : "default",
      now: (bits & SHUTDOWN_NOW) !== 0,
      force: (bits & SHUTDOWN_FORCE) !== 0,
    }, null);
  }

  /** SHUTDOWN ABORT; false when there is nothing to abort. */
  abort(): boolean {
    if (this.#signal === null && !this.isUnderWay) return false;
    if (this.isUnderWay) this.#cancel();
    this.#signal = null;
    this.server.log.notice("Shutdown manually aborted.");
    return true;
  }

  get #replicasAreReady(): boolean {
    const { replicas, stream } = this.server.engine.replication;
    for (const replica of replicas) if (replica.confirmed !== stream.offset) return false;
    return true;
  }

  #finish(): void {
    const { log, config, engine } = this.server;
    const { persistence } = engine;
    const { save, force } = this.#options;
    this.#state = "saving";
    engine.replication.isFinal = true;
    this.#reportReplicas();
    if (persistence.background === "rdb") {
      log.warning("There is a child saving an .rdb. Killing it!");
      persistence.cancelSave();
    }
    const { aof } = persistence;
    if (aof.rewriting) {
      if (aof.state === "wait") {
        log.warning(`Writing initial AOF${force ? ". Exit anyway." : ", can't exit."}`);
        if (!force) return this.#fail();
      }
      log.warning("There is a child rewriting the AOF. Killing it!");
      aof.cancelRewrite();
    }
    if (aof.state !== "off") {
      log.notice("Calling fsync() on the AOF file.");
      if (!aof.flushAll()) {
        log.warning(`Fail to fsync the AOF file${force ? ". Exit anyway." : ", can't exit."}`);
        if (!force) return this.#fail();
      }
    }
    if (save === "no" || (save === "default" && config.values.save.length === 0)) return this.#end();
    log.notice("Saving the final RDB snapshot before exiting.");
    persistence.saveBeforeEnd((saved) => {
      if (this.#state !== "saving") return;
      if (saved) return this.#end();
      log.warning(`Error trying to save the DB${force ? ". Exit anyway." : ", can't exit."}`);
      if (force) this.#end();
      else this.#fail();
    });
  }

  #reportReplicas(): void {
    const { log, engine } = this.server;
    const { replicas, stream } = engine.replication;
    let lagging = 0;
    for (const replica of replicas) {
      const behind = stream.offset - replica.confirmed;
      if (behind === 0) continue;
      lagging++;
      const isOnline = replica.state === "online";
      const lag = isOnline ? Math.floor((engine.keyspace.now - replica.confirmedAt) / 1000) : 0;
      log.warning(
        `Lagging replica ${replica.name} reported offset ${behind} behind master, lag=${lag}, state=${replica.shownState}.`,
      );
    }
    const { count } = replicas;
    if (count > 0) log.notice(`${count - lagging} of ${count} replicas are in sync when shutting down.`);
  }

  #end(): void {
    this.#state = "ended";
    this.server.removePidFile();
    this.server.log.warning("Redis is now ready to exit, bye bye...");
    this.server.stop();
    this.server.onEnd();
  }

  #fail(): void {
    this.server.log.warning("Errors trying to shut down the server. Check the logs for more information.");
    this.#signal = null;
    this.#cancel();
  }

  /** Goes on as if nothing had happened. */
  #cancel(): void {
    const { engine } = this.server;
    const wasSaving = this.#state === "saving";
    this.#state = "idle";
    this.deadline = 0;
    engine.replication.isFinal = false;
    if (wasSaving) engine.persistence.cancelSave();
    const clients = this.#clients;
    this.#clients = [];
    for (const client of clients) {
      if (!client.closed && client.blocked !== null) engine.blocking.release(client, (c) => c.reply.error(FAILED));
    }
    engine.releaseWrites();
  }
}
