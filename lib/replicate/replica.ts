/**
 * Replica: what a master knows of one of its replicas, or of a client that is about to become one.
 *
 *   none → wait → snapshot → send_bulk → online
 *
 * A replica that can continue goes from `none` to `online` at once. `snapshot` is skipped to `online` when the snapshot goes straight
 * into the connection, and then the stream begins with the replica's first confirmation only: until then it is loading.
 */

import type { Client } from "../engine/client.ts";

export type ReplicaState =
  | "none"
  /** For a snapshot to begin. */
  | "wait"
  /** Its snapshot is being made. */
  | "snapshot"
  /** Its snapshot is in a file, which is being sent. */
  | "send_bulk"
  | "online";

export class Replica {
  state: ReplicaState = "none";
  listeningPort = 0;
  /** Announced address; empty: that of the connection. */
  address = "";
  canEof = false;
  canPsync2 = false;
  /** Wants a snapshot and no stream. */
  rdbOnly = false;
  /** What it does not want in its snapshot. */
  withoutData = false;
  withoutFunctions = false;
  /** Came with SYNC: neither knows offsets nor confirms. */
  isOld = false;
  /** Last confirmed offset, and when it was heard of last (ms). */
  confirmed = 0;
  confirmedAt = 0;
  /** Offset of the stream at its snapshot. */
  initialOffset = 0;
  /** The stream up to here has been handed to the connection. */
  sent = 0;
  waitingSince = 0;
  startOnConfirmation = false;
  /** Since when its output has been above the soft limit, 0 while it is not. */
  aboveSoftLimitSince = 0;
  /** While a snapshot is streamed: what waited in its connection, and since when that has not changed. */
  stuckBytes = 0;
  stuckSince = 0;

  constructor(readonly client: Client) {}

  get ip(): string {
    return this.address !== "" ? this.address : this.client.link.remote.replace(/:\d+$/, "").replace(/^\[|\]$/g, "");
  }

  /** As the log names it. */
  get name(): string {
    if (this.listeningPort > 0) return `${this.ip}:${this.listeningPort}`;
    return this.client.link.isUnixSocket ? `client id #${this.client.id}` : `${this.ip}:<unknown-replica-port>`;
  }

  /** As INFO names the state. */
  get shownState(): string {
    return this.state === "wait" || this.state === "snapshot" ? "wait_bgsave" : this.state;
  }

  /** Gets the stream as it grows. */
  get isStreaming(): boolean {
    return this.state === "online" && !this.startOnConfirmation;
  }

  /** Milliseconds since 1970 of the last sign of life: a confirmation, or a line break while it is loading. */
  get heardAt(): number {
    return Math.max(this.confirmedAt, this.client.lastInteraction);
  }

  /** One snapshot can serve both. */
  wantsTheSameAs(other: Replica): boolean {
    return this.withoutData === other.withoutData && this.withoutFunctions === other.withoutFunctions &&
      this.canEof === other.canEof;
  }
}
