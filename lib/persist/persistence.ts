/** Persistence: the state that INFO persistence and LASTSAVE show. */

import type { Engine } from "../engine/engine.ts";

export class Persistence {
  /** Seconds since 1970 of the last successful save. */
  lastSave: number;

  constructor(readonly engine: Engine) {
    this.lastSave = Math.floor(engine.keyspace.now / 1000);
  }

  /** Called by the cron: save points. */
  cron(): void {}
}
