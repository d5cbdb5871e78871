/**
 * Where RDB data is read from while it is loaded: a file, or a connection whose bytes come when they like.
 *
 * The loader goes step by step (a key with its value, a field of the header), and a step reads synchronously. A step that runs out
 * of bytes on a connection is given up and done again from its beginning (`mark`) when more have come: a step changes nothing before
 * it has read everything. So that a huge value that comes in small pieces is not tried at each of them, the next try is made when half as
 * much again is there, or the end.
 *
 * The checksum covers what was read, up to each mark.
 */

import { Crc64 } from "../bytes/crc64.ts";
import type { File } from "../platform/platform.ts";
import { CorruptData, RdbReader } from "./rdb_reader.ts";

/** Bytes of one read: what was read should still be in the processor's cache when it is parsed and summed. */
const READ_SIZE = 256 * 1024;
/** A buffer that one huge string has grown beyond this is not kept. */
const KEEP_SIZE = 16 * 1024 * 1024;
const INITIAL = 64 * 1024;
/** Items that are believed to come over a connection: as much room for them as a few megabytes take. */
const MOST_ANNOUNCED = 1 << 20;

export abstract class RdbSource extends RdbReader {
  #crc: Crc64 | null;
  #summed = 0;

  constructor(buf: Uint8Array, checksum: boolean) {
    super(buf, 0, 0);
    this.#crc = checksum ? new Crc64() : null;
  }

  /** A step begins here. */
  abstract mark(): void;

  /** A step has failed with `error`: throws it, or prepares for a new try, which can be made when the promise is fulfilled. */
  abstract refill(error: unknown): Promise<void>;

  /** Sums what was read since the last time; before `buf` changes. */
  protected sum(): void {
    // What is read a second time has been summed.
    if (this.at <= this.#summed) return;
    this.#crc?.update(this.buf, this.#summed, this.at);
    this.#summed = this.at;
  }

  /** `buf` is another one, or its content has moved: nothing before this position is to be summed. */
  protected sumFrom(at: number): void {
    this.#summed = at;
  }

  /** What is in the buffer has moved by so many bytes towards its beginning. */
  protected moved(bytes: number): void {
    this.#summed -= bytes;
  }

  /** Reads the trailer; null when it fits (or nothing is to be checked), else both sums for the message. */
  checkTrailer(): { found: bigint; expected: bigint } | null {
    this.sum();
    const found = BigInt.asUintN(64, this.int64());
    if (this.#crc === null) return null;
    const expected = BigInt.asUintN(64, this.#crc.value());
    return found === 0n || found === expected ? null : { found, expected };
  }
}

/** The bytes of a file up to `limit`. */
export class FileSource extends RdbSource {
  readonly #file: File;
  #offset: number;
  readonly #limit: number;

  constructor(file: File, from: number, limit: number, checksum: boolean) {
    super(new Uint8Array(READ_SIZE), checksum);
    this.#file = file;
    this.#offset = from;
    this.#limit = limit;
  }

  override get position(): number {
    return this.#offset - (this.end - this.at);
  }

  override most(size: number): number {
    return Math.floor((this.#limit - this.position) / size);
  }

  override more(count: number): boolean {
    this.sum();
    const from = this.keptFrom < 0 ? this.at : this.keptFrom;
    const left = this.end - from;
    // A length is not believed before the file is known to have so much.
    if (count > this.end - this.at + this.#limit - this.#offset) return false;
    count += this.at - from;
    let { buf } = this;
    if (count > buf.length || buf.length > KEEP_SIZE) {
      buf = new Uint8Array(Math.max(READ_SIZE, count));
      buf.set(this.buf.subarray(from, this.end));
    } else buf.copyWithin(0, from, this.end);
    const end = Math.min(buf.length, left + this.#limit - this.#offset);
    const read = this.#file.read(buf, left, end, this.#offset);
    this.buf = buf;
    this.at -= from;
    if (this.keptFrom >= 0) this.keptFrom = 0;
    this.moved(from);
    this.end = left + read;
    this.#offset += read;
    return this.end >= count;
  }

  mark(): void {}

  refill(error: unknown): Promise<void> {
    throw error;
  }
}

/** The connection was lost, or what came over it is of no more use. */
export class SourceLost extends Error {}

/** What arrives over a connection. */
export class StreamSource extends RdbSource {
  /** Called when the loader has taken what was there. */
  onHungry: () => void = () => {};
  #marked = 0;
  /** Bytes before the buffer. */
  #before = 0;
  #short = false;
  #needed = 0;
  #complete = false;
  #lost: string | null = null;
  #wake: ((error: Error | null) => void) | null = null;

  constructor(checksum: boolean) {
    super(new Uint8Array(INITIAL), checksum);
  }

  override get position(): number {
    return this.#before + this.at;
  }

  override most(): number {
    return MOST_ANNOUNCED;
  }

  /** Bytes that are not read yet. */
  get waiting(): number {
    return this.end - this.#marked;
  }

  /** The loader waits: the step that it is at needs more than is here, however much that is. */
  get isHungry(): boolean {
    return this.#wake !== null;
  }

  /** Takes `bytes[start, end)`. Not during a step. */
  push(bytes: Uint8Array, start: number, end: number): void {
    const length = end - start;
    if (this.end + length > this.buf.length) {
      const used = this.end - this.#marked;
      const size = Math.max(INITIAL, used + length);
      const buf = size > this.buf.length / 2 ? new Uint8Array(size * 2) : this.buf;
      if (buf === this.buf) buf.copyWithin(0, this.#marked, this.end);
      else buf.set(this.buf.subarray(this.#marked, this.end));
      this.buf = buf;
      this.#before += this.#marked;
      this.at -= this.#marked;
      this.end = used;
      this.#marked = 0;
      this.sumFrom(0);
    }
    this.buf.set(bytes.subarray(start, end), this.end);
    this.end += length;
    if (this.#wake !== null && this.waiting >= this.#needed) this.#wake(null);
  }

  /** There are no more bytes to come. */
  complete(): void {
    this.#complete = true;
    this.#wake?.(null);
  }

  get isLost(): boolean {
    return this.#lost !== null;
  }

  /** The loader is to end. */
  lose(reason: string): void {
    this.#lost = reason;
    this.#wake?.(new SourceLost(reason));
  }

  override more(count: number): boolean {
    this.#short = true;
    this.#needed = this.at - this.#marked + count;
    return false;
  }

  mark(): void {
    this.sum();
    this.#marked = this.at;
    this.#short = false;
  }

  refill(error: unknown): Promise<void> {
    const short = this.#short && error instanceof CorruptData;
    if (this.#lost !== null) throw new SourceLost(this.#lost);
    if (!short || this.#complete) throw error;
    const have = this.waiting;
    this.#needed = Math.max(this.#needed, have + (have >> 1));
    this.at = this.#marked;
    this.sumFrom(this.at);
    return new Promise((resolve, reject) => {
      this.#wake = (failure) => {
        this.#wake = null;
        if (failure === null) resolve();
        else reject(failure);
      };
      this.onHungry();
    });
  }
}
