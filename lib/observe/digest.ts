/**
 * Digests of values and of whole data sets, as DEBUG DIGEST and DIGEST-VALUE print them: equal for equal data, whatever the encoding
 * and the order in a table, and equal to Redis's.
 *
 *   mix(d, x)  d = SHA1(d xor SHA1(x))   where order matters (strings, lists, streams, parts of a pair)
 *   add(d, x)  d = d xor SHA1(x)         where it does not (members of a set, pairs of a hash, keys)
 *
 * How a type's elements are walked is a line in `ELEMENTS`.
 */

import { formatDouble, fromLatin1, hex } from "../bytes/ascii.ts";
import { writeU32BE } from "../bytes/binary.ts";
import { sha1 } from "../bytes/sha1.ts";
import type { Database } from "../store/database.ts";
import type { Keyspace } from "../store/keyspace.ts";
import { Type } from "../store/record.ts";
import { HashView } from "../store/types/hash.ts";
import { ListView } from "../store/types/list.ts";
import { SetView } from "../store/types/set.ts";
import { type Stream, StreamCursor } from "../store/types/stream.ts";
import { MAX_ID, MIN_ID } from "../store/types/stream_id.ts";
import { ZsetView } from "../store/types/zset.ts";

const SIZE = 20;
const EXPIRES = fromLatin1("!!expire!!");

export class Digest {
  readonly bytes = new Uint8Array(SIZE);
  readonly #part = new Uint8Array(SIZE);

  clear(): void {
    this.bytes.fill(0);
  }

  /** Order does not matter. */
  add(buf: Uint8Array, off: number, len: number): void {
    sha1(buf, off, off + len, this.#part);
    for (let i = 0; i < SIZE; i++) this.bytes[i] ^= this.#part[i];
  }

  /** The same for something that has a digest of its own. */
  addDigest(other: Digest): void {
    this.add(other.bytes, 0, SIZE);
  }

  /** Order matters. */
  mix(buf: Uint8Array, off: number, len: number): void {
    this.add(buf, off, len);
    sha1(this.bytes, 0, SIZE, this.bytes);
  }

  mixText(text: string): void {
    this.mix(fromLatin1(text), 0, text.length);
  }

  mixU32(value: number): void {
    const word = new Uint8Array(4);
    writeU32BE(word, 0, value);
    this.mix(word, 0, 4);
  }

  hex(): string {
    return hex(this.bytes);
  }
}

const pair = new Digest();
const hash = new HashView();
const list = new ListView();
const set = new SetView();
const zset = new ZsetView();
const entry = new StreamCursor();

type Walk = (db: Database, ref: number, into: Digest) => void;

/** By type number: feeds the value's elements into the digest. */
const ELEMENTS: Readonly<Record<number, Walk>> = {
  [Type.STRING]: (db, ref, into) => into.mix(db.valueBuffer(ref), db.valueOffset(ref), db.valueLength(ref)),
  [Type.LIST]: (db, ref, into) => {
    list.open(db, ref).start(0);
    while (list.next()) {
      list.element.asText();
      into.mix(list.element.buf, list.element.off, list.element.len);
    }
  },
  [Type.HASH]: (db, ref, into) => {
    hash.open(db, ref).rewind();
    while (hash.next()) {
      hash.field.asText();
      hash.value.asText();
      pair.clear();
      pair.mix(hash.field.buf, hash.field.off, hash.field.len);
      pair.mix(hash.value.buf, hash.value.off, hash.value.len);
      into.addDigest(pair);
    }
  },
  [Type.SET]: (db, ref, into) => {
    set.open(db, ref).rewind();
    while (set.next()) {
      set.member.asText();
      into.add(set.member.buf, set.member.off, set.member.len);
    }
  },
  [Type.STREAM]: (db, ref, into) => {
    entry.start(db.object(ref) as Stream, MIN_ID, MAX_ID);
    while (entry.next()) {
      into.mixText(entry.id.text("."));
      for (let i = 0; i < entry.fields; i++) {
        entry.nextField();
        into.mix(entry.field.buf, entry.field.off, entry.field.len);
        into.mix(entry.value.buf, entry.value.off, entry.value.len);
      }
    }
  },
  [Type.ZSET]: (db, ref, into) => {
    zset.open(db, ref).start(0);
    while (zset.next()) {
      zset.member.asText();
      pair.clear();
      pair.mix(zset.member.buf, zset.member.off, zset.member.len);
      pair.mixText(formatDouble(zset.score));
      into.addDigest(pair);
    }
  },
};

/** Goes on with `into` for the value of a key. Throws an Error for a type that cannot be walked. */
export function digestValue(db: Database, ref: number, into: Digest): void {
  const type = db.type(ref);
  into.mixU32(type);
  const walk = ELEMENTS[type];
  if (walk === undefined) throw new Error(`no digest of values of type ${type}`);
  walk(db, ref, into);
  if (db.expireAt(ref) !== -1) into.add(EXPIRES, 0, EXPIRES.length);
}

/** The digest of all databases, as hexadecimal digits. */
export function digestAll(keyspace: Keyspace): string {
  const total = new Digest();
  const key = new Digest();
  for (const db of keyspace.databases) {
    const { dict } = db;
    if (dict.count === 0) continue;
    total.mixU32(db.index);
    for (let bucket = 0; bucket < dict.buckets; bucket++) {
      for (let ref = dict.first(bucket); ref !== 0; ref = dict.next(ref)) {
        key.clear();
        key.mix(dict.keyBuffer(ref), dict.keyOffset(ref), dict.keyLength(ref));
        digestValue(db, ref, key);
        total.addDigest(key);
      }
    }
  }
  return total.hex();
}
