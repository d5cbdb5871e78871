/**
 * Blob: a run of bytes that can open and close gaps, wherever it lives.
 *
 * A small collection is one blob (listpack or intset). Its bytes stand inside a keyspace record in slab memory, or in an
 * array of their own; the functions that read and change it see only this interface. `buf`, `off` and `len` are plain
 * fields, so that reading costs what reading an array costs. They are valid until the next `splice`, which may move the
 * bytes elsewhere.
 */

import { copyBytes } from "../../bytes/span.ts";

/** Bytes to be read: `buf[off, off + len)`. */
export interface Bytes {
  readonly buf: Uint8Array;
  readonly off: number;
  readonly len: number;
}

export interface Blob extends Bytes {
  /**
   * Replaces the `remove` bytes at `at` (relative to `off`) by `insert` bytes of arbitrary content; what follows moves.
   * `buf`, `off` and `len` may be other ones afterwards.
   */
  splice(at: number, remove: number, insert: number): void;
}

/** Smallest array that is worth having. */
const MIN_CAPACITY = 16;
const NO_BYTES = new Uint8Array(0);

/** Bytes of somebody else's as a blob that can only be read. One object serves again and again. */
export class BorrowedBlob implements Blob {
  buf: Uint8Array = NO_BYTES;
  off = 0;
  len = 0;

  lend(buf: Uint8Array, off: number, len: number): this {
    this.buf = buf;
    this.off = off;
    this.len = len;
    return this;
  }

  splice(): never {
    throw new Error("borrowed bytes must not change");
  }
}

/** A blob in an array of its own, which grows by half and is given up when three quarters of it are empty. */
export class HeapBlob implements Blob {
  buf: Uint8Array;
  readonly off = 0;
  len = 0;

  constructor(capacity = MIN_CAPACITY) {
    this.buf = new Uint8Array(Math.max(capacity, MIN_CAPACITY));
  }

  /** A blob with a copy of those bytes. */
  static from(buf: Uint8Array, off = 0, len = buf.length - off): HeapBlob {
    const blob = new HeapBlob(len);
    blob.len = len;
    copyBytes(buf, off, len, blob.buf, 0);
    return blob;
  }

  splice(at: number, remove: number, insert: number): void {
    const old = this.buf;
    const tail = at + remove;
    const length = this.len - remove + insert;
    if (length > old.length || (length < old.length >>> 2 && old.length > MIN_CAPACITY)) {
      const capacity = length > old.length ? length + (length >>> 1) : length;
      const moved = new Uint8Array(Math.max(capacity, MIN_CAPACITY));
      copyBytes(old, 0, at, moved, 0);
      copyBytes(old, tail, this.len - tail, moved, at + insert);
      this.buf = moved;
    } else if (tail === this.len - 1) {
      // Only the end mark of a listpack moves.
      old[at + insert] = old[tail];
    } else if (remove !== insert && tail !== this.len) {
      old.copyWithin(at + insert, tail, this.len);
    }
    this.len = length;
  }

  /** Gives up unused capacity: for blobs that will not change soon. */
  trim(): void {
    if (this.buf.length > this.len) this.buf = this.buf.slice(0, this.len);
  }
}

/** A blob that keeps its room while it is nearly empty, for it will be filled. */
export class RoomyBlob extends HeapBlob {
  override splice(at: number, remove: number, insert: number): void {
    const old = this.buf;
    const from = at + remove;
    const tail = this.len - from;
    const length = this.len - remove + insert;
    if (length > old.length) {
      this.buf = new Uint8Array(length + (length >>> 1));
      copyBytes(old, 0, at, this.buf, 0);
      copyBytes(old, from, tail, this.buf, at + insert);
    } else if (tail === 1) old[at + insert] = old[from];
    else if (remove !== insert) old.copyWithin(at + insert, from, from + tail);
    this.len = length;
  }
}
