/**
 * FAILOVER: a master hands its role to one of its replicas, without losing a write.
 *
 *   none → waiting-for-sync → in-progress → none
 *
 * Writes are held back. When a replica has confirmed the whole stream (or the time is up, with FORCE), this server follows it with
 * PSYNC … FAILOVER, which makes it the master. If it accepts, the writes that waited find a replica; if not,
 * this server is the master again.
 *
 * Behaviour and texts: replication.c of Redis 7.0.
 */

import type { Replication } from "./replication.ts";

interface Target {
  readonly host: string;
  readonly port: number;
}

export class Failover {
  state: "none" | "waiting" | "in-progress" = "none";
  #target: Target | null = null;
  /** Milliseconds since 1970, 0 for never. */
  #deadline = 0;
  #force = false;

  constructor(readonly replication: Replication) {}

  /** PSYNC is, or is about to be, sent to the target. */
  get isUnderWay(): boolean {
    return this.state === "in-progress";
  }

  /** As INFO names it. */
  get shownState(): string {
    if (this.state === "none") return "no-failover";
    return this.state === "waiting" ? "waiting-for-sync" : "failover-in-progress";
  }

  /** Begins. `target` null: whichever replica is first to have everything; `timeout` in milliseconds, 0 for none. */
  begin(target: Target | null, timeout: number, force: boolean): void {
    const { engine } = this.replication;
    if (target === null) engine.log.notice("FAILOVER requested to any replica.");
    else engine.log.notice(`FAILOVER requested to ${target.host}:${target.port}.`);
    this.#target = target;
    this.#deadline = timeout === 0 ? 0 : engine.keyspace.now + timeout;
    this.#force = force;
    this.state = "waiting";
    // Not a pause, which CLIENT UNPAUSE would end, and which a client's own pause must outlive.
    engine.holdWrites();
  }

  /** Looks whether it can go on: after confirmations, and from time to time. */
  update(): void {
    if (this.state !== "waiting") return;
    const { engine, replicas, stream } = this.replication;
    if (this.#deadline !== 0 && this.#deadline <= engine.keyspace.now) {
      if (!this.#force) return this.abort("Replica never caught up before timeout");
      const { host, port } = this.#target!;
      engine.log.notice(`FAILOVER to ${host}:${port} time out exceeded, failing over.`);
      return this.#follow(this.#target!);
    }
    const target = this.#target;
    const ready = [...replicas].find((replica) =>
      replica.confirmed === stream.offset && replica.isStreaming &&
      (target === null || (replica.ip === target.host && replica.listeningPort === target.port))
    );
    if (ready === undefined) return;
    this.#target = { host: ready.ip, port: ready.listeningPort };
    engine.log.notice(`Failover target ${ready.ip}:${ready.listeningPort} is synced, failing over.`);
    this.#follow(this.#target);
  }

  #follow({ host, port }: Target): void {
    this.state = "in-progress";
    this.replication.follow(host, port);
  }

  abort(reason: string): void {
    if (this.state === "none") return;
    const target = this.#target;
    const name = target === null ? "any replica" : `${target.host}:${target.port}`;
    this.replication.engine.log.notice(`FAILOVER to ${name} aborted: ${reason}`);
    if (this.state === "in-progress") this.replication.becomeMaster();
    this.end();
  }

  /** It has succeeded or failed: clients go on. */
  end(): void {
    this.state = "none";
    this.#target = null;
    this.#deadline = 0;
    this.#force = false;
    this.replication.engine.releaseWrites();
  }
}
