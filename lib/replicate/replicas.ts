/**
 * The master's side: the replicas, and how they get the stream.
 *
 * A replica is handed the stream as fast as its connection takes it, and no faster: what it has not been given yet stays in the
 * stream's blocks, which all replicas share, so a slow replica costs memory only by making the stream keep more than the backlog.
 * That is what its output buffer limit counts.
 */

import type { Client } from "../engine/client.ts";
import { clientInfo } from "../engine/client_info.ts";
import { Deny } from "../engine/command.ts";
import { FullSync } from "./full_sync.ts";
import { Replica } from "./replica.ts";
import { line, type Replication } from "./replication.ts";

export class Replicas {
  readonly fullSync: FullSync;
  #all = new Map<Client, Replica>();
  /** Those that asked to be synchronised. */
  #joined: Replica[] = [];

  constructor(readonly replication: Replication) {
    this.fullSync = new FullSync(replication, this);
  }

  [Symbol.iterator](): IterableIterator<Replica> {
    return this.#joined.values();
  }

  get count(): number {
    return this.#joined.length;
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

  /** The replica that listens at an address, as ROLE shows it. */
  at(host: string, port: number): Replica | undefined {
    return this.#joined.find(({ ip, listeningPort }) => ip === host && listeningPort === port);
  }

  remove(client: Client): void {
    const replica = this.#all.get(client);
    if (replica === undefined) return;
    this.#all.delete(client);
    if (replica.state === "none") return;
    this.#joined = this.#joined.filter((other) => other !== replica);
    const { engine } = this.replication;
    engine.log.warning(`Connection with replica ${replica.name} lost.`);
    this.fullSync.forget(replica);
    this.replication.updateGoodReplicas();
    this.replication.trim();
  }

  disconnectAll(): void {
    for (const { client } of this.#joined) client.link.close();
  }

  // ---- Synchronising -----------------------------------------------------------------------------------------------------------

  /** The client is a replica from now on. */
  join(replica: Replica): void {
    const { client } = replica;
    client.isReplica = true;
    client.deny |= Deny.REPLICA;
    this.#joined.push(replica);
    if (this.replication.engine.config.values.replDisableTcpNodelay) client.link.setNoDelay(false);
  }

  /** PSYNC: true if the replica can go on from `offset` of the history `id`, and does. */
  tryContinue(replica: Replica, id: string, offset: number): boolean {
    const { replication } = this;
    const { stream, engine } = replication;
    if (!this.#sharesHistory(replica, id, offset)) return false;
    if (!stream.active || offset <= stream.first || offset > stream.offset + 1) {
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
    const { link } = replica.client;
    this.join(replica);
    replica.state = "online";
    replica.confirmedAt = engine.keyspace.now;
    replica.sent = offset - 1;
    link.sendNow(line(replica.canPsync2 ? `+CONTINUE ${replication.id}` : "+CONTINUE"));
    engine.log.notice(
      `Partial resynchronization request from ${replica.name} accepted. Sending ${
        stream.offset - replica.sent
      } bytes of backlog starting from offset ${offset}.`,
    );
    this.startStream(replica);
    return true;
  }

  /** The replica has lived through the same up to its offset. */
  #sharesHistory(replica: Replica, asked: string, offset: number): boolean {
    const { id: own, secondId, secondOffset, engine: { log } } = this.replication;
    const id = asked.toLowerCase();
    if (id === own || (id === secondId && offset <= secondOffset)) return true;
    if (id.startsWith("?")) log.notice(`Full resync requested by replica ${replica.name}`);
    else if (id === secondId) {
      log.notice(
        `Partial resynchronization not accepted: Requested offset for second ID was ${offset}, but I can reply up to ${secondOffset}`,
      );
    } else {
      log.notice(
        `Partial resynchronization not accepted: Replication ID mismatch (Replica asked for '${asked}', my replication IDs are '${own}' and '${secondId}')`,
      );
    }
    return false;
  }

  /** The replica is online: it gets the stream from `sent` on. */
  startStream(replica: Replica): void {
    replica.startOnConfirmation = false;
    replica.client.link.onDrained = () => this.#send(replica);
    this.#send(replica);
    this.replication.updateGoodReplicas();
  }

  // ---- The stream --------------------------------------------------------------------------------------------------------------

  /** Hands everything new to the connections. */
  feed(): void {
    for (const replica of this.#joined) {
      if (replica.isStreaming) this.#send(replica);
      else if (!replica.rdbOnly) this.#count(replica);
    }
  }

  #send(replica: Replica): void {
    const { stream, engine } = this.replication;
    const { link } = replica.client;
    while (replica.sent < stream.offset && link.outputBytes === 0 && !replica.client.closed) {
      const view = stream.view(replica.sent);
      replica.sent += view.length;
      engine.stats.replicationOutput += view.length;
      link.sendNow(view);
    }
    this.#count(replica);
  }

  /** What waits for the replica counts as its output, and must keep its limits. */
  #count(replica: Replica): void {
    const { client } = replica;
    const { engine, stream } = this.replication;
    client.streamBytes = replica.sent < stream.offset ? stream.offset - replica.sent : 0;
    if (client.streamBytes === 0) {
      replica.aboveSoftLimitSince = 0;
      return;
    }
    const { clientOutputBufferLimit: { replica: limit }, replBacklogSize } = engine.config.values;
    const { hard, soft, softSeconds } = limit;
    // A limit below the size of the backlog would cut off replicas that have just been allowed to continue.
    let over = hard > 0 && client.streamBytes >= Math.max(hard, replBacklogSize);
    if (soft > 0 && client.streamBytes >= soft) {
      const { now } = engine.keyspace;
      if (replica.aboveSoftLimitSince === 0) replica.aboveSoftLimitSince = now;
      else if (now - replica.aboveSoftLimitSince > softSeconds * 1000) over = true;
    } else replica.aboveSoftLimitSince = 0;
    if (!over || client.closed) return;
    engine.log.warning(
      `Client ${clientInfo(client)} scheduled to be closed ASAP for overcoming of output buffer limits.`,
    );
    client.link.close();
  }

  /** Offset of the oldest byte of the stream that some replica has not been given yet. */
  get neededFrom(): number {
    let needed = Infinity;
    for (const { state, rdbOnly, sent } of this.#joined) {
      if (state !== "wait" && !rdbOnly) needed = Math.min(needed, sent);
    }
    return needed;
  }

  // ---- Confirmations -----------------------------------------------------------------------------------------------------------

  /** REPLCONF ACK. */
  confirm(replica: Replica, offset: number): void {
    if (offset > replica.confirmed) replica.confirmed = offset;
    replica.confirmedAt = this.replication.engine.keyspace.now;
    if (replica.state === "online" && replica.startOnConfirmation) this.startStream(replica);
    this.replication.confirmed();
  }

  /** Number of replicas that have confirmed everything up to `offset`. */
  acknowledged(offset: number): number {
    let count = 0;
    for (const { state, confirmed } of this.#joined) if (state === "online" && confirmed >= offset) count++;
    return count;
  }

  /** Replicas that confirmed something in the last `seconds`. */
  good(seconds: number): number {
    const { now } = this.replication.engine.keyspace;
    let count = 0;
    for (const { state, heardAt } of this.#joined) {
      if (state === "online" && Math.floor(now / 1000) - Math.floor(heardAt / 1000) <= seconds) count++;
    }
    return count;
  }

  everySecond(): void {
    const { engine } = this.replication;
    this.fullSync.everySecond();
    const timeout = engine.config.values.replTimeout * 1000;
    for (const replica of [...this.#joined]) {
      if (!replica.isStreaming && !replica.rdbOnly) this.#count(replica);
      if (replica.state !== "online" || replica.isOld || engine.keyspace.now - replica.heardAt <= timeout) continue;
      engine.log.warning(`Disconnecting timedout replica (streaming sync): ${replica.name}`);
      replica.client.link.close();
    }
  }
}
