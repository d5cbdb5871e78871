/**
 * Keyspace events: what `db.changed` tells about a change. Each event is made once, as a constant beside the command that causes it.
 * The classes are those of `notify-keyspace-events` (Redis 7.0, notify.c).
 */

import { fromLatin1 } from "../bytes/ascii.ts";

/** Classes by their letter in `notify-keyspace-events`. */
export const EventClass = {
  /** K: publish to __keyspace@db__:key. */
  KEYSPACE: 1 << 0,
  /** E: publish to __keyevent@db__:event. */
  KEYEVENT: 1 << 1,
  /** g */
  GENERIC: 1 << 2,
  /** $ */
  STRING: 1 << 3,
  /** l */
  LIST: 1 << 4,
  /** s */
  SET: 1 << 5,
  /** h */
  HASH: 1 << 6,
  /** z */
  ZSET: 1 << 7,
  /** x */
  EXPIRED: 1 << 8,
  /** e */
  EVICTED: 1 << 9,
  /** t */
  STREAM: 1 << 10,
  /** m: a lookup found nothing; not part of A. */
  KEY_MISS: 1 << 11,
  /** d */
  MODULE: 1 << 13,
  /** n: a key that was not there before; not part of A. */
  NEW: 1 << 14,
} as const;

export class KeyEvent {
  readonly bytes: Uint8Array;
  /** `wakes`: clients that are blocked on the key get another try. */
  constructor(readonly cls: number, readonly name: string, readonly wakes: boolean) {
    this.bytes = fromLatin1(name);
  }
}

export const keyEvent = (cls: number, name: string, wakes = true): KeyEvent => new KeyEvent(cls, name, wakes);

/** A change that has no event of its own: WATCH, tracking and blocked clients still learn of it. */
export const NO_EVENT = keyEvent(0, "");
export const DEL = keyEvent(EventClass.GENERIC, "del");
export const EXPIRED = keyEvent(EventClass.EXPIRED, "expired");
export const EVICTED = keyEvent(EventClass.EVICTED, "evicted");
export const KEY_MISS = keyEvent(EventClass.KEY_MISS, "keymiss");
export const NEW = keyEvent(EventClass.NEW, "new");
