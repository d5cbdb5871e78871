/** Pub/Sub: channels, patterns, and the keyspace events that are published on them. */

import type { Args } from "../bytes/args.ts";
import type { Client } from "../engine/client.ts";
import type { Engine } from "../engine/engine.ts";
import type { Database } from "../store/database.ts";
import type { KeyEvent } from "../store/events.ts";

export class PubSub {
  constructor(readonly engine: Engine) {}

  /** The client is gone. */
  forget(_client: Client): void {}

  /** Publishes an event of a key as `notify-keyspace-events` asks. */
  keyspaceEvent(_db: Database, _key: Args, _i: number, _event: KeyEvent): void {}
}
