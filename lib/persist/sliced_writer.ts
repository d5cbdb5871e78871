/**
 * SlicedWriter: an RdbWriter that never takes long. Writing half a gigabyte (compressing it, summing it, copying it to the file's
 * buffers) takes a second, so a long string is only put into a queue, and everything after it queues up behind it. `step` deals with
 * one piece of the queue, 64 KB at most.
 *
 *   queue   piece, piece, …   a piece: bytes that were written, or a LongString
 *
 * A writer without a target keeps everything in its queue, until another one adopts that: for what cannot be written yet because
 * something else is in the middle of being written.
 *
 * A long string is compressed 64 KB at a time. Compressed parts joined are the compressed form of the whole (references go back 8 KB
 * at most, and just do not cross the borders). Its bytes are not copied but read when their turn comes; `Steady` knows which arrays
 * are waited for, and what is about to be overwritten there is copied first.
 */

import { compress } from "../bytes/lzf.ts";
import { type ByteSink, RdbWriter, STRING_LZF } from "./rdb_writer.ts";

/** Longer strings are put off, and dealt with in parts of this size. */
export const PART = 64 * 1024;
/** Enough for a compressed part in the worst case. */
const WORST = PART + (PART >>> 4) + 16;
/** Handing it over takes some 10 µs: checksum, copy. */
const TARGET_BUFFER = 16 * 1024;
const QUEUE_BUFFER = 4 * 1024;
const DONE = new Uint8Array(0);

let scratch: Uint8Array | null = null;

/** The arrays of strings that are to be written and may be overwritten in place. */
export class Steady {
  readonly #strings = new Map<Uint8Array, LongString>();

  add(buf: Uint8Array, string: LongString): void {
    this.#strings.set(buf, string);
  }

  remove(buf: Uint8Array): void {
    this.#strings.delete(buf);
  }

  /** Bytes of an array are about to be overwritten. Returns how many had to be copied. */
  beforeOverwrite(buf: Uint8Array, from: number, length: number): number {
    return this.#strings.get(buf)?.keep(from, length) ?? 0;
  }
}

/** A long string that waits to be written, or of which a part has been. */
class LongString {
  /** Bytes that have been compressed, or written when they are not to be compressed. */
  #done = 0;
  /** Compressed parts, null when the string is written as it is. */
  #packed: Uint8Array[] | null;
  #packedBytes = 0;
  #sent = -1;
  /** Parts as they were, by index, of which something was overwritten before their turn. */
  readonly #kept = new Map<number, Uint8Array>();

  /** `isString`: with a length, and compressed if `packs`; else just the bytes. */
  constructor(
    readonly buf: Uint8Array,
    readonly off: number,
    readonly len: number,
    readonly isString: boolean,
    packs: boolean,
  ) {
    this.#packed = packs ? [] : null;
  }

  keep(from: number, length: number): number {
    const end = Math.min(from - this.off + length, this.len);
    let copied = 0;
    for (let part = Math.floor(Math.max(from - this.off, this.#done) / PART); part * PART < end; part++) {
      if (part * PART < this.#done || this.#kept.has(part)) continue;
      const at = this.off + part * PART;
      const bytes = this.buf.slice(at, Math.min(at + PART, this.off + this.len));
      this.#kept.set(part, bytes);
      copied += bytes.length;
    }
    return copied;
  }

  /** Deals with one part; true when nothing is left. */
  step(target: ByteSink): boolean {
    if (this.#done < this.len) {
      this.#nextPart(target);
      return this.#done === this.len && this.#packed === null;
    }
    const packed = this.#packed!;
    if (++this.#sent === 0) {
      const head = new RdbWriter(false);
      head.byte(STRING_LZF);
      head.length(this.#packedBytes);
      head.length(this.len);
      target(head.buf, head.at);
    }
    const part = packed[this.#sent];
    packed[this.#sent] = DONE;
    target(part, part.length);
    return this.#sent === packed.length - 1;
  }

  #nextPart(target: ByteSink): void {
    const at = this.#done;
    const length = Math.min(PART, this.len - at);
    const kept = this.#kept.get(at / PART);
    this.#kept.delete(at / PART);
    const buf = kept ?? this.buf;
    const off = kept === undefined ? this.off + at : 0;
    this.#done += length;
    if (this.#packed !== null) {
      scratch ??= new Uint8Array(WORST);
      const packed = compress(buf, off, length, scratch, 0, WORST);
      // The first part tells whether it is worth it.
      if (at > 0 || packed < length - (length >>> 4)) {
        this.#packed.push(scratch.slice(0, packed));
        this.#packedBytes += packed;
        return;
      }
      this.#packed = null;
    }
    if (at === 0 && this.isString) {
      const head = new RdbWriter(false);
      head.length(this.len);
      target(head.buf, head.at);
    }
    target(off === 0 && length === buf.length ? buf : buf.subarray(off, off + length), length);
  }
}

export class SlicedWriter extends RdbWriter {
  #queue: (Uint8Array | LongString)[] = [];
  /** Index of the first piece that is left. */
  #first = 0;
  readonly #target: ByteSink | null;

  constructor(compress: boolean, target: ByteSink | null, readonly steady: Steady) {
    super(compress, null, target === null ? QUEUE_BUFFER : TARGET_BUFFER);
    this.#target = target;
    this.sink = (buf, length) => {
      if (this.#target === null || this.isBehind) this.#queue.push(buf.slice(0, length));
      else this.#target(buf, length);
    };
  }

  /** True while there is something to be done by `step`. */
  get isBehind(): boolean {
    return this.#first < this.#queue.length;
  }

  /** Deals with one piece. */
  step(): void {
    const piece = this.#queue[this.#first];
    if (!(piece instanceof LongString)) this.#target!(piece, piece.length);
    else if (piece.step(this.#target!)) this.steady.remove(piece.buf);
    else return;
    this.#queue[this.#first++] = DONE;
    if (this.isBehind) return;
    this.#queue = [];
    this.#first = 0;
  }

  /** Everything that another writer, one without a target, holds comes next. */
  adopt(other: SlicedWriter): void {
    this.flush();
    other.flush();
    for (const piece of other.#queue) this.#queue.push(piece);
    other.#queue = [];
  }

  override raw(from: Uint8Array, off: number, len: number): void {
    if (len <= PART) super.raw(from, off, len);
    else this.#putOff(new LongString(from.slice(off, off + len), 0, len, false, false));
  }

  override string(from: Uint8Array, off: number, len: number): void {
    if (len <= PART) super.string(from, off, len);
    else this.#putOff(new LongString(from.slice(off, off + len), 0, len, true, this.compress));
  }

  override steadyRaw(from: Uint8Array, off: number, len: number): void {
    if (len <= PART) return this.raw(from, off, len);
    this.#putOffSteady(new LongString(from, off, len, false, false));
  }

  override steadyString(from: Uint8Array, off: number, len: number): void {
    if (len <= PART) return this.string(from, off, len);
    this.#putOffSteady(new LongString(from, off, len, true, this.compress));
  }

  #putOffSteady(string: LongString): void {
    this.steady.add(string.buf, string);
    this.#putOff(string);
  }

  #putOff(string: LongString): void {
    this.flush();
    this.#queue.push(string);
  }
}
