/**
 * The deadlines that a writable replica's own clients have set.
 *
 * A replica deletes nothing by itself: its master says when a key has expired. But of keys that were given their deadline here the
 * master knows nothing, so the replica has to remember them and to delete them itself. They are few, and looked at in turns.
 */

import { latin1 } from "../bytes/ascii.ts";
import type { Database } from "./database.ts";

/** Keys looked at by each run. */
const TURNS = 256;

interface OwnKey {
  readonly db: Database;
  readonly key: Uint8Array;
}

export class OwnDeadlines {
  /** By "db:key". */
  #keys = new Map<string, OwnKey>();

  get size(): number {
    return this.#keys.size;
  }

  remember(db: Database, ref: number): void {
    const { dict } = db;
    const from = dict.keyOffset(ref);
    const key = dict.keyBuffer(ref).slice(from, from + dict.keyLength(ref));
    this.#keys.set(`${db.index}:${latin1(key, 0, key.length)}`, { db, key });
  }

  clear(): void {
    this.#keys.clear();
  }

  /** Deletes those that have expired by now. */
  expire(now: number): void {
    let turns = Math.min(TURNS, this.#keys.size);
    for (const [name, own] of this.#keys) {
      if (turns-- === 0) return;
      this.#keys.delete(name);
      const { db, key } = own;
      const ref = db.dict.find(key, 0, key.length, db.dict.hash(key, 0, key.length));
      if (ref === 0 || db.expireAt(ref) === -1) continue;
      if (db.expireAt(ref) < now) db.expire(ref);
      // It has its next turn behind the others.
      else this.#keys.set(name, own);
    }
  }
}
