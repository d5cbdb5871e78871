/** Replication: which role this server has. */

import type { Engine } from "../engine/engine.ts";

export class Replication {
  /** True while this server follows a master. */
  isReplica = false;

  constructor(readonly engine: Engine) {}
}
