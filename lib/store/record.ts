/**
 * The record of a key: one slab block that holds the key, its value if that is short, and its deadline if it has one.
 *
 *   word 0  next record in the bucket            (Dict)
 *   word 1  hash                                 (Dict)
 *   word 2  key length, OUTSIDE                  (Dict)
 *   word 3  meta: bits 0–2 type, 3–4 kind of storage, 5 has a deadline, 6–7 encoding hint, 8–31 LRU clock or LFU counter
 *   word 4  length of the value in bytes; bit 31 is the generation, by which a snapshot knows what it has saved
 *   word 5  handle of the value where it is not inside
 *   byte 24 key (or the handle of a key that is outside)
 *           with a deadline, from the next multiple of 4: low and high word of the time (ms since 1970, 64-bit), place in the heap
 *           the value, when it is inside
 *
 * A small collection is a blob of bytes (listpack, intset) stored just as a string is; a large one is an object in the slab's
 * table that keeps its elements in typed arrays. A small stream that was loaded is a string of the bytes that it had in the file, until a
 * command needs it (`Database.object`). The type numbers are those of RDB files and DEBUG OBJECT.
 */

export const Type = { STRING: 0, LIST: 1, SET: 2, ZSET: 3, HASH: 4, STREAM: 6 } as const;

/** Names as TYPE replies, by type number. */
export const TYPE_NAMES = ["string", "list", "set", "zset", "hash", "module", "stream"] as const;

/** Where a value is. */
export const Kind = {
  /** In the record. */
  INLINE: 0,
  /** In a byte array of its own, which may be longer than the value. */
  LARGE: 1,
  /** An object with elements in typed arrays. */
  OBJECT: 2,
} as const;

/** What OBJECT ENCODING says of a string beyond what its bytes tell. */
export const Hint = {
  /** int, embstr or raw, as the bytes allow. */
  AUTO: 0,
  /** Changed in place, so Redis would keep it raw. */
  RAW: 1,
  /** Made by a command that does not try the integer encoding. */
  EMBSTR: 2,
  /** As AUTO, but made by COPY: even a small integer is not one of those that Redis shares. */
  UNSHARED: 3,
} as const;

/** A collection too large for a blob. */
export interface Collection {
  /** Elements (fields, members, entries). */
  readonly count: number;
  /** Gives back memory of about `budget` elements; true when all is gone. Nothing else may be called after the first call. */
  release(budget: number): boolean;
  /** Bytes of memory, all included (MEMORY USAGE). */
  memory(): number;
  /** Who still reads the collection, if anybody does: it is left to them instead of being freed. */
  readonly hold?: Hold | null;
}

/** A snapshot that has not written a collection yet, or not all of it. */
export interface Hold {
  /** The collection has lost its key: whoever holds it buries it when they are done. */
  inherit(): void;
}

/** A collection that is a key's value (not the remains of one). */
export interface CopyableCollection extends Collection {
  /** A copy that shares nothing with this one (COPY). */
  copy(): CopyableCollection;
}
