/**
 * Args: the arguments of one command as places in one buffer. The parser fills the same object again and again, so a
 * command costs no allocation; whoever needs arguments for longer (a transaction, a blocked client) takes a `copy`.
 *
 * Argument i is `buf[off[i], off[i] + len[i])`; argument 0 is the command's name. `buf[begin, end)` is the whole command as it
 * arrived, in RESP; `begin` is -1 where there is no such frame (inline commands, arguments made by the server).
 */

import { equalsFolded, fromLatin1, latin1, parseInt64 } from "./ascii.ts";
import { equalBytes } from "./span.ts";

/** One thing that becomes an argument: text is latin1, a number is whole. */
export type Part = string | number | bigint | Uint8Array;

const NO_BYTES = new Uint8Array(0);

export class Args {
  buf: Uint8Array = NO_BYTES;
  argc = 0;
  off: Int32Array;
  len: Int32Array;
  begin = -1;
  end = -1;

  /** With room for `capacity` arguments to begin with. */
  constructor(capacity = 16) {
    this.off = new Int32Array(capacity);
    this.len = new Int32Array(capacity);
  }

  /** Room for at least `count` arguments. */
  reserve(count: number): void {
    if (count <= this.off.length) return;
    const size = Math.max(count, this.off.length * 2);
    const off = new Int32Array(size);
    const len = new Int32Array(size);
    off.set(this.off);
    len.set(this.len);
    this.off = off;
    this.len = len;
  }

  /** Arguments made of parts, for commands that the server makes by itself. */
  static of(...parts: Part[]): Args {
    const bytes = parts.map((part) => part instanceof Uint8Array ? part : fromLatin1(String(part)));
    const args = new Args();
    args.reserve(bytes.length);
    args.buf = new Uint8Array(bytes.reduce((sum, part) => sum + part.length, 0));
    for (const part of bytes) {
      const off = args.argc === 0 ? 0 : args.off[args.argc - 1] + args.len[args.argc - 1];
      args.buf.set(part, off);
      args.off[args.argc] = off;
      args.len[args.argc++] = part.length;
    }
    return args;
  }

  /** The same arguments in memory of their own, with the frame if there is one. */
  copy(): Args {
    const { argc } = this;
    const copy = new Args(argc);
    copy.argc = argc;
    for (let i = 0; i < argc; i++) copy.len[i] = this.len[i];
    if (this.begin >= 0) {
      copy.buf = this.buf.slice(this.begin, this.end);
      for (let i = 0; i < argc; i++) copy.off[i] = this.off[i] - this.begin;
      copy.begin = 0;
      copy.end = copy.buf.length;
      return copy;
    }
    let size = 0;
    for (let i = 0; i < argc; i++) size += this.len[i];
    copy.buf = new Uint8Array(size);
    let at = 0;
    for (let i = 0; i < argc; i++) {
      copy.buf.set(this.buf.subarray(this.off[i], this.off[i] + this.len[i]), at);
      copy.off[i] = at;
      at += this.len[i];
    }
    return copy;
  }

  /** True if argument i is this word in any case; `lower` is the word in lower case (`lower("ex")` of ascii.ts). */
  is(i: number, lower: Uint8Array): boolean {
    return this.len[i] === lower.length && equalsFolded(this.buf, this.off[i], this.len[i], lower);
  }

  /** Argument i as a whole number in Redis's strict form; NaN when it is not one. Exact up to 2^53. */
  int(i: number): number {
    return parseInt64(this.buf, this.off[i], this.len[i]);
  }

  /** Argument i as a latin1 string: one character a byte. */
  text(i: number): string {
    return latin1(this.buf, this.off[i], this.len[i]);
  }

  /** The same up to a zero byte, as C's %s shows it: for the texts of errors. */
  shown(i: number): string {
    return this.text(i).split("\0", 1)[0];
  }

  /** A copy of argument i. */
  bytes(i: number): Uint8Array {
    return this.buf.slice(this.off[i], this.off[i] + this.len[i]);
  }

  /** Whether arguments i and j are the same bytes. */
  equal(i: number, j: number): boolean {
    return this.len[i] === this.len[j] && equalBytes(this.buf, this.off[i], this.buf, this.off[j], this.len[i]);
  }

  /** Whether argument i is these bytes. */
  equals(i: number, bytes: Uint8Array): boolean {
    return this.len[i] === bytes.length && equalBytes(this.buf, this.off[i], bytes, 0, bytes.length);
  }

  /** Makes this object name a single argument: a key that is held elsewhere. */
  point(buf: Uint8Array, off: number, len: number): this {
    this.buf = buf;
    this.argc = 1;
    this.off[0] = off;
    this.len[0] = len;
    this.begin = -1;
    return this;
  }
}
