/** Counters of INFO that belong to no part of the server in particular. CONFIG RESETSTAT sets them back. */

export class Stats {
  connections = 0;
  commands = 0;
  /** Bytes read from and written to clients. */
  input = 0;
  output = 0;
  /** Snapshots begun in the background, for each of which Redis would fork. */
  snapshots = 0;
  /** Bytes of the replication stream and of snapshots, from the master and to replicas. */
  replicationInput = 0;
  replicationOutput = 0;
  rejectedConnections = 0;
  errorReplies = 0;
  /** Error replies by their first word. */
  readonly errors = new Map<string, number>();
  evictedClients = 0;
  reads = 0;
  writes = 0;
  peakMemory = 0;
  /** Error replies to what a master or a replica has sent. */
  unexpectedErrors = 0;
  /** Milliseconds spent deleting expired keys in the background. */
  expireCycleMs = 0;

  reset(): void {
    this.connections = 0;
    this.commands = 0;
    this.input = 0;
    this.output = 0;
    this.snapshots = 0;
    this.replicationInput = 0;
    this.replicationOutput = 0;
    this.rejectedConnections = 0;
    this.errorReplies = 0;
    this.errors.clear();
    this.evictedClients = 0;
    this.reads = 0;
    this.writes = 0;
    this.unexpectedErrors = 0;
    this.expireCycleMs = 0;
  }
}
