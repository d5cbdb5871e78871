/**
 * BlockAudit: looks through a block of a stream that comes from outside, before it is one. Everything must be where it belongs (the
 * layout is in stream.ts) and all counts right, because nothing looks at it again. One pass does this and makes sure that the bytes are
 * a sound listpack: a stream of a million entries has some ten million elements.
 *
 * Where something is wrong, the position becomes one behind the end, and nothing is found there any more.
 */

import { BorrowedBlob } from "./blob.ts";
import * as listpack from "./listpack.ts";
import { ListpackCursor } from "./listpack.ts";
import { DELETED, FIXED_ELEMENTS, SAME_FIELDS } from "./stream_block.ts";
import { StreamId } from "./stream_id.ts";
import { Int64 } from "./int64.ts";

const cursor = new ListpackCursor();
const msDelta = new Int64();
const entryId = new StreamId();

export class BlockAudit {
  /** Live entries of the block that was checked last, and whether the ID of one is below the block's. */
  live = 0;
  goesBack = false;
  /** The integer that was read last; NaN when there was none. */
  #value = 0;
  readonly #bytes = new BorrowedBlob();

  /** Whether those bytes are a block with that ID. */
  check(buf: Uint8Array, off: number, len: number, id: StreamId): boolean {
    if (!listpack.validate(buf, off, len, false)) return false;
    this.#bytes.lend(buf, 0, off + len);
    this.goesBack = false;
    const end = off + len - 1;
    let p = this.#int(buf, listpack.FIRST + off, end);
    const live = this.#value;
    p = this.#int(buf, p, end);
    const deleted = this.#value;
    p = this.#int(buf, p, end);
    const fields = this.#value;
    if (!(fields >= 0)) return false;
    p = this.#int(buf, skip(buf, p, end, fields), end);
    if (this.#value !== 0) return false;
    let elements = FIXED_ELEMENTS + 1 + fields;
    let liveSeen = 0;
    let deletedSeen = 0;
    const mayGoBack = (id.msHi | id.seqHi) < 0;
    while (p < end) {
      p = this.#int(buf, p, end);
      const flags = this.#value;
      // Where nothing is negative, the sum of the block's ID and the two differences is not below it.
      const msSize = mayGoBack ? 0 : positiveSize(buf, p, end);
      const seqSize = msSize === 0 ? 0 : positiveSize(buf, p + msSize, end);
      if (seqSize > 0) p += msSize + seqSize;
      else p = this.#id(buf, p, end, id);
      let own = fields;
      let expected = FIXED_ELEMENTS + fields;
      if ((flags & SAME_FIELDS) === 0) {
        p = this.#int(buf, p, end);
        own = this.#value * 2;
        expected = FIXED_ELEMENTS + 1 + own;
      }
      if (!(own >= 0)) return false;
      p = this.#int(buf, skip(buf, p, end, own), end);
      if (this.#value !== expected) return false;
      elements += expected + 1;
      if (flags & DELETED) deletedSeen++;
      else liveSeen++;
    }
    this.live = live;
    return p === end && live === liveSeen && deleted === deletedSeen && listpack.hasCount(buf, off, elements);
  }

  /** Reads an integer into `#value`; returns where the next element is. */
  #int(buf: Uint8Array, p: number, end: number): number {
    const head = buf[p];
    // Nearly all of them are small.
    if (head < 0x80 && buf[p + 1] === 1 && p + 1 < end) {
      this.#value = head;
      return p + 2;
    }
    p = this.#wide(buf, p, end);
    this.#value = p > end ? NaN : cursor.value.number;
    return p;
  }

  /** The same into the cursor. */
  #wide(buf: Uint8Array, p: number, end: number): number {
    const size = listpack.soundSize(buf, p, end);
    if (size === 0) return end + 1;
    listpack.read(this.#bytes, p, cursor);
    return cursor.isInt ? p + size : end + 1;
  }

  /** Reads the two halves of an entry's ID. */
  #id(buf: Uint8Array, p: number, end: number, id: StreamId): number {
    p = this.#wide(buf, p, end);
    const { value } = cursor;
    msDelta.copy(value);
    p = this.#wide(buf, p, end);
    if (p > end) return p;
    entryId.setSum(id, msDelta, value);
    if (entryId.compare(id) < 0) this.goesBack = true;
    return p;
  }
}

/** Bytes of the sound integer at `p`, 0 when it is none, or negative, or a rare one. */
function positiveSize(buf: Uint8Array, p: number, end: number): number {
  const head = buf[p];
  if (head < 0x80) return buf[p + 1] === 1 && p + 1 < end ? 2 : 0;
  if (head >= 0xc0 && head < 0xd0) return buf[p + 2] === 2 && p + 2 < end ? 3 : 0;
  if (head < 0xf1 || head > 0xf3) return 0;
  const size = head - 0xee;
  return buf[p + size] === size && p + size < end && buf[p + size - 1] < 0x80 ? size + 1 : 0;
}

function skip(buf: Uint8Array, p: number, end: number, elements: number): number {
  for (; elements > 0; elements--) {
    const size = listpack.soundSize(buf, p, end);
    if (size === 0) return end + 1;
    p += size;
  }
  return p;
}
