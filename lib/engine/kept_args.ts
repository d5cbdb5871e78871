/**
 * KeptArgs: arguments of commands that are to be run later, in slab memory: thousands of clients may wait, and what each of them waits
 * with would be a handful of objects that the garbage collector copies again and again while they wait.
 *
 * A block has 4-byte words, and then the bytes:
 *
 *   argc | bytes, negative where there is no frame | offset and length of each argument | the frame, or the arguments
 *
 * The memory is not the keyspace's: that one is dropped as a whole (FLUSHALL) while clients wait on.
 */

import { Args } from "../bytes/args.ts";
import { copyBytes } from "../bytes/span.ts";
import { IN_PAGE, MAX_BLOCK, PAGE_BITS, Slab } from "../store/slab.ts";

const HEAD_WORDS = 2;

export class KeptArgs {
  readonly #slab = new Slab();

  /** Keeps a copy; returns a ref, 0 when it is too long to be kept here. */
  keep(a: Args): number {
    const { argc, buf } = a;
    const isFrame = a.begin >= 0;
    const bytes = isFrame ? a.end - a.begin : bytesOf(a);
    const words = HEAD_WORDS + argc * 2;
    if (words * 4 + bytes > MAX_BLOCK) return 0;
    const ref = this.#slab.allocate(words * 4 + bytes);
    const to = this.#slab.words[ref >>> PAGE_BITS];
    const toBytes = this.#slab.bytes[ref >>> PAGE_BITS];
    const word = (ref & IN_PAGE) << 1;
    const start = (word + words) * 4;
    to[word] = argc;
    to[word + 1] = isFrame ? bytes : -bytes;
    if (isFrame) copyBytes(buf, a.begin, bytes, toBytes, start);
    for (let i = 0, at = 0; i < argc; i++) {
      if (!isFrame) copyBytes(buf, a.off[i], a.len[i], toBytes, start + at);
      to[word + HEAD_WORDS + i * 2] = isFrame ? a.off[i] - a.begin : at;
      to[word + HEAD_WORDS + i * 2 + 1] = a.len[i];
      at += a.len[i];
    }
    return ref;
  }

  /** Makes `into` a copy of what was kept, in the memory that it has if that is enough. */
  restore(ref: number, into: Args): void {
    const words = this.#slab.words[ref >>> PAGE_BITS];
    const word = (ref & IN_PAGE) << 1;
    const argc = words[word];
    const isFrame = words[word + 1] >= 0;
    const bytes = Math.abs(words[word + 1]);
    into.reserve(argc);
    if (into.buf.length < bytes) into.buf = new Uint8Array(bytes * 2);
    copyBytes(this.#slab.bytes[ref >>> PAGE_BITS], (word + HEAD_WORDS + argc * 2) * 4, bytes, into.buf, 0);
    into.argc = argc;
    into.begin = isFrame ? 0 : -1;
    into.end = isFrame ? bytes : -1;
    for (let i = 0; i < argc; i++) {
      into.off[i] = words[word + HEAD_WORDS + i * 2];
      into.len[i] = words[word + HEAD_WORDS + i * 2 + 1];
    }
  }

  /** Bytes of the arguments themselves. */
  argumentBytes(ref: number): number {
    const words = this.#slab.words[ref >>> PAGE_BITS];
    const word = (ref & IN_PAGE) << 1;
    let bytes = 0;
    for (let i = 0; i < words[word]; i++) bytes += words[word + HEAD_WORDS + i * 2 + 1];
    return bytes;
  }

  free(ref: number): void {
    this.#slab.free(ref);
  }
}

/** Bytes of all arguments. */
export function bytesOf(a: Args): number {
  let bytes = 0;
  for (let i = 0; i < a.argc; i++) bytes += a.len[i];
  return bytes;
}
