/**
 * Snapshots as commands, for `aof-use-rdb-preamble no`: the shortest commands that make the data set, up to 64 elements in each, as Redis
 * writes them (rewriteAppendOnlyFileRio, aof.c of 7.0).
 */

import { formatStoredDouble } from "../bytes/ascii.ts";
import type { Database } from "../store/database.ts";
import type { Dict } from "../store/dict.ts";
import { Kind, Type } from "../store/record.ts";
import { HashView } from "../store/types/hash.ts";
import { ListView } from "../store/types/list.ts";
import * as listpack from "../store/types/listpack.ts";
import { ListpackCursor } from "../store/types/listpack.ts";
import { type SharedNode, unpacked } from "../store/types/quicklist.ts";
import { SetView } from "../store/types/set.ts";
import { ZsetView } from "../store/types/zset.ts";
import type { Stream } from "../store/types/stream.ts";
import { bulk, command, line, steadyBulk, text } from "./command_text.ts";
import type { LargeFormat, Span } from "./large_value.ts";
import type { RdbWriter } from "./rdb_writer.ts";
import type { SnapshotFormat } from "./snapshot.ts";
import { streamCommands } from "./stream_commands.ts";

/** Elements in one command. */
const PER_COMMAND = 64;

export class CommandFormat implements SnapshotFormat {
  readonly withoutData = false;
  readonly #hash = new HashView();
  readonly #list = new ListView();
  readonly #set = new SetView();
  readonly #zset = new ZsetView();

  /** `timestamp`: seconds since 1970 to begin with (aof-timestamp-enabled), or null. */
  constructor(readonly timestamp: number | null) {}

  seen(): void {}

  begin(out: RdbWriter): void {
    if (this.timestamp !== null) line(out, `#TS:${this.timestamp}`);
  }

  end(): void {}

  select(out: RdbWriter, index: number): void {
    command(out, 2, "SELECT");
    text(out, String(index));
  }

  key(out: RdbWriter, db: Database, dict: Dict, ref: number): void {
    const key = () => bulk(out, dict.keyBuffer(ref), dict.keyOffset(ref), dict.keyLength(ref));
    const element = (cursor: ListpackCursor) => {
      cursor.asText();
      bulk(out, cursor.buf, cursor.off, cursor.len);
    };
    /** Begins a command for the next elements, each of which takes `width` arguments. */
    const batch = (name: string, done: number, count: number, width: number) => {
      if (done % PER_COMMAND !== 0) return;
      command(out, 2 + Math.min(PER_COMMAND, count - done) * width, name);
      key();
    };
    let done = 0;
    switch (db.type(ref)) {
      case Type.STRING:
        command(out, 3, "SET");
        key();
        steadyBulk(out, db.valueBuffer(ref), db.valueOffset(ref), db.valueLength(ref));
        break;
      case Type.LIST: {
        const list = this.#list.open(db, ref);
        for (list.start(0); list.next(); done++) {
          batch("RPUSH", done, list.count, 1);
          element(list.element);
        }
        break;
      }
      case Type.SET: {
        const set = this.#set.open(db, ref);
        for (set.rewind(); set.next(); done++) {
          batch("SADD", done, set.count, 1);
          element(set.member);
        }
        break;
      }
      case Type.ZSET: {
        const zset = this.#zset.open(db, ref);
        for (zset.start(0); zset.next(); done++) {
          batch("ZADD", done, zset.count, 2);
          text(out, formatStoredDouble(zset.score));
          element(zset.member);
        }
        break;
      }
      case Type.HASH: {
        const hash = this.#hash.open(db, ref);
        for (hash.rewind(); hash.next(); done++) {
          batch("HMSET", done, hash.count, 2);
          element(hash.field);
          element(hash.value);
        }
        break;
      }
      default: {
        const name = { buf: dict.keyBuffer(ref), off: dict.keyOffset(ref), len: dict.keyLength(ref) };
        const sleeps = db.kind(ref) !== Kind.OBJECT;
        const stream = (sleeps ? db.keyspace.wake!(db, ref) : db.object(ref)) as Stream;
        const steps = streamCommands(out, name, stream);
        while (steps.next().done !== true);
        // Being written is no reason to become an object for good.
        if (sleeps) stream.release();
      }
    }
    const deadline = db.expireAtExact(ref);
    if (deadline === -1n) return;
    command(out, 3, "PEXPIREAT");
    key();
    text(out, deadline.toString());
  }

  large(db: Database, dict: Dict, ref: number): LargeFormat {
    const off = dict.keyOffset(ref);
    const key = dict.keyBuffer(ref).slice(off, off + dict.keyLength(ref));
    return new LargeCommands(key, db.expireAtExact(ref));
  }
}

/** A large value as commands for so many elements each. */
class LargeCommands implements LargeFormat {
  #elements = 0;
  #done = 0;
  readonly #element = new ListpackCursor();

  constructor(readonly key: Uint8Array, readonly deadline: bigint) {}

  begin(_out: RdbWriter, elements: number): void {
    this.#elements = elements;
  }

  /** Begins a command, if it is time for one, for elements that take `width` arguments each. */
  #batch(out: RdbWriter, name: string, width: number): void {
    const left = this.#elements - this.#done;
    if (this.#done++ % PER_COMMAND !== 0) return;
    command(out, 2 + Math.min(PER_COMMAND, left) * width, name);
    bulk(out, this.key, 0, this.key.length);
  }

  member(out: RdbWriter, { buf, off, len }: Span): void {
    this.#batch(out, "SADD", 1);
    steadyBulk(out, buf, off, len);
  }

  pair(out: RdbWriter, field: Span, value: Span): void {
    this.#batch(out, "HMSET", 2);
    steadyBulk(out, field.buf, field.off, field.len);
    steadyBulk(out, value.buf, value.off, value.len);
  }

  scored(out: RdbWriter, { buf, off, len }: Span, score: number): void {
    this.#batch(out, "ZADD", 2);
    text(out, formatStoredDouble(score));
    steadyBulk(out, buf, off, len);
  }

  node(out: RdbWriter, node: SharedNode): void {
    const content = unpacked(node);
    if (node.isPlain) {
      this.#batch(out, "RPUSH", 1);
      return steadyBulk(out, content.buf, content.off, content.len);
    }
    for (let at = listpack.first(content); at !== -1;) {
      at = listpack.readText(content, at, this.#element);
      this.#batch(out, "RPUSH", 1);
      steadyBulk(out, this.#element.buf, this.#element.off, this.#element.len);
    }
  }

  stream(out: RdbWriter, stream: Stream): Iterable<void> {
    return streamCommands(out, { buf: this.key, off: 0, len: this.key.length }, stream);
  }

  end(out: RdbWriter): void {
    if (this.deadline === -1n) return;
    command(out, 3, "PEXPIREAT");
    bulk(out, this.key, 0, this.key.length);
    text(out, this.deadline.toString());
  }
}
