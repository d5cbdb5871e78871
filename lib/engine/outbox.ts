/**
 * Outbox: replies that wait for the end of somebody else's batch. All links' lie in one buffer, one behind the other, so that thousands
 * of clients that one pipeline serves cost no object each.
 */

import { copyBytes } from "../bytes/span.ts";

const INITIAL = 16 * 1024;
/** A buffer that has grown beyond this is not kept. */
const KEEP = 1024 * 1024;

export class Outbox {
  buf: Uint8Array = new Uint8Array(INITIAL);
  #end = 0;

  /** Adds `from[start, end)`; returns where it ends now. */
  add(from: Uint8Array, start: number, end: number): number {
    const at = this.#end;
    this.#end += end - start;
    if (this.#end > this.buf.length) {
      const grown = new Uint8Array(Math.max(this.#end, this.buf.length * 2));
      grown.set(this.buf.subarray(0, at));
      this.buf = grown;
    }
    copyBytes(from, start, end - start, this.buf, at);
    return this.#end;
  }

  /** Where the next bytes will be. */
  get end(): number {
    return this.#end;
  }

  /** Nobody needs anything of it any more. */
  clear(): void {
    this.#end = 0;
    if (this.buf.length > KEEP) this.buf = new Uint8Array(INITIAL);
  }
}
