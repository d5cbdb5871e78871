/**
 * The replication stream: the writes as bytes, numbered from the beginning of the history by their offset, and the backlog, which is
 * its latest part.
 *
 * The bytes live in blocks that are only ever appended to. What is sent to a replica is a view of a block, never overwritten, so all
 * replicas and the backlog share the same memory however far behind one of them is. A block goes when neither the backlog nor a
 * replica needs it any more; until then a replica that comes back can continue from it, even beyond the size of the backlog.
 *
 *   blocks   …[start, start + used)…, without gaps, the last one is being filled
 *   offset   of the byte that comes next; a replica that has everything has the same
 */

const LARGEST_BLOCK = 64 * 1024;
const SMALLEST_BLOCK = 16 * 1024;

interface Block {
  readonly bytes: Uint8Array;
  readonly start: number;
  used: number;
}

export class ReplicationStream {
  /** Bytes of the history so far. */
  offset = 0;
  /** False while nobody has ever asked for the stream: then nothing is kept or counted. */
  active = false;
  #blocks: Block[] = [];

  /** Begins (again) at an offset, with nothing in the backlog. */
  begin(offset: number): void {
    this.active = true;
    this.offset = offset;
    this.#blocks = [];
  }

  end(): void {
    this.active = false;
    this.#blocks = [];
  }

  /** Offset of the oldest byte that is kept. */
  get first(): number {
    return this.#blocks.length === 0 ? this.offset : this.#blocks[0].start;
  }

  /** Bytes that are kept. */
  get length(): number {
    return this.offset - this.first;
  }

  /** Memory of the blocks. */
  get memory(): number {
    let bytes = 0;
    for (const block of this.#blocks) bytes += block.bytes.length;
    return bytes;
  }

  /** Appends `from[start, end)`; `backlog` is repl-backlog-size. */
  append(from: Uint8Array, start: number, end: number, backlog: number): void {
    while (start < end) {
      let block = this.#blocks[this.#blocks.length - 1];
      if (block === undefined || block.used === block.bytes.length) {
        const size = Math.max(SMALLEST_BLOCK, Math.min(LARGEST_BLOCK, backlog >> 4));
        block = { bytes: new Uint8Array(size), start: this.offset, used: 0 };
        this.#blocks.push(block);
      }
      const count = Math.min(end - start, block.bytes.length - block.used);
      block.bytes.set(from.subarray(start, start + count), block.used);
      block.used += count;
      this.offset += count;
      start += count;
    }
  }

  /** Forgets what is older than the last `backlog` bytes, but nothing from `needed` on. */
  trim(backlog: number, needed: number): void {
    const oldest = Math.min(this.offset - backlog, needed);
    let gone = 0;
    while (gone < this.#blocks.length - 1 && this.#blocks[gone].start + this.#blocks[gone].used <= oldest) gone++;
    if (gone > 0) this.#blocks.splice(0, gone);
  }

  /** A view of bytes from `offset` on, to the end of their block: at least one where `first <= offset < this.offset`. */
  view(offset: number): Uint8Array {
    // Almost always it is one of the last blocks.
    let index = this.#blocks.length - 1;
    while (this.#blocks[index].start > offset) index--;
    const { bytes, start, used } = this.#blocks[index];
    return bytes.subarray(offset - start, used);
  }
}
