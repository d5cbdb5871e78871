/** Replication: which role this server has. */

import type { Client } from "../engine/client.ts";
import type { Engine } from "../engine/engine.ts";

export class Replication {
  /** True while this server follows a master. */
  isReplica = false;

  constructor(readonly engine: Engine) {}

  /** Called by the cron. */
  cron(): void {}

  /** Fields of an RDB file's header that let this server go on with its replication later. */
  saveInfo(): (readonly [string, string])[] {
    return [];
  }

  /** The header's fields of the file that was loaded. */
  loadedInfo(_aux: ReadonlyMap<string, string>): void {}

  /** The client is gone; it may have been a replica. */
  forget(_client: Client): void {}
}
