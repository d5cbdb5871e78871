/**
 * StreamCheck: looks through a stream's bytes without making anything of them. A small stream that comes from a file is kept as it is there
 * (value_stream.ts), because a dozen JavaScript objects for each of a million streams are what loading them would mostly consist of.
 *
 * Nothing looks at such bytes again until somebody needs the stream, and then they must be sound. So what passes is less than what can be
 * read: blocks, groups, consumers and pending entries must stand in order, as Redis writes them, which rules out anything twice. What
 * does not pass is read at once, and refused there if it must be.
 */

import { readI32BE } from "../bytes/binary.ts";
import { compareBytes } from "../bytes/span.ts";
import { Int64 } from "../store/types/int64.ts";
import { BlockAudit } from "../store/types/stream_audit.ts";
import { StreamId } from "../store/types/stream_id.ts";
import type { RdbReader } from "./rdb_reader.ts";

/** Bytes of the longest stream that passes: when it is needed, it is read while somebody waits. */
const MOST_BYTES = 4096;
const ID_BYTES = 16;
const LONGEST_NAME = 256;
/** A pending entry takes 25 bytes at least. */
const MOST_PENDING = MOST_BYTES / 25 >>> 0;

const wide = new Int64();
const audit = new BlockAudit();
const blockId = new StreamId();
/** The pending entries of a group: four words of ID each, and whether a consumer has it. */
const pending = new Int32Array(MOST_PENDING * 4);
const isOwned = new Uint8Array(MOST_PENDING);

/** A run of names, which must be in order. */
class Names {
  readonly #last = new Uint8Array(LONGEST_NAME);
  #length = -1;

  begin(): void {
    this.#length = -1;
  }

  /** Reads a name; false when it is not behind the one before. */
  next(input: RdbReader): boolean {
    input.string();
    const { bytes, bytesOff, bytesLen } = input;
    if (bytesLen > LONGEST_NAME) return false;
    if (this.#length >= 0 && compareBytes(this.#last, 0, this.#length, bytes, bytesOff, bytesLen) >= 0) return false;
    for (let i = 0; i < bytesLen; i++) this.#last[i] = bytes[bytesOff + i];
    this.#length = bytesLen;
    return true;
  }
}

const groupNames = new Names();
const consumerNames = new Names();

/**
 * Reads a stream of type STREAM_LISTPACKS_2, of which `input.keep` has marked the beginning. Where it returns true, the reader stands behind it.
 * Throws CorruptData.
 */
export function isPlainStream(input: RdbReader): boolean {
  const live = readBlocks(input);
  if (live < 0 || input.length() !== live) return false;
  // The last, the first and the greatest deleted ID, and the number of entries added.
  for (let i = 0; i < 7; i++) input.wideLength(wide);
  groupNames.begin();
  for (let left = input.length(); left > 0; left--) if (!readGroup(input)) return false;
  return input.kept <= MOST_BYTES;
}

/** The number of live entries; -1 when something is not as it should be. */
function readBlocks(input: RdbReader): number {
  let live = 0;
  let count = input.length();
  for (let isFirst = true; count > 0; count--, isFirst = false) {
    input.string();
    if (input.bytesLen !== ID_BYTES) return -1;
    const { bytes, bytesOff: at } = input;
    const msHi = readI32BE(bytes, at), msLo = readI32BE(bytes, at + 4);
    const seqHi = readI32BE(bytes, at + 8), seqLo = readI32BE(bytes, at + 12);
    if (!isFirst && !isBefore(blockId, msHi, msLo, seqHi, seqLo)) return -1;
    blockId.set(msHi, msLo, seqHi, seqLo);
    input.string();
    if (input.kept > MOST_BYTES || !audit.check(input.bytes, input.bytesOff, input.bytesLen, blockId)) return -1;
    live += audit.live;
  }
  return live;
}

function isBefore(id: StreamId, msHi: number, msLo: number, seqHi: number, seqLo: number): boolean {
  if (id.msHi !== msHi) return id.msHi >>> 0 < msHi >>> 0;
  if (id.msLo !== msLo) return id.msLo >>> 0 < msLo >>> 0;
  if (id.seqHi !== seqHi) return id.seqHi >>> 0 < seqHi >>> 0;
  return id.seqLo >>> 0 < seqLo >>> 0;
}

function readGroup(input: RdbReader): boolean {
  if (!groupNames.next(input)) return false;
  // The last ID and the number of entries read.
  for (let i = 0; i < 3; i++) input.wideLength(wide);
  const count = input.length();
  if (count > MOST_PENDING) return false;
  for (let i = 0; i < count; i++) {
    input.raw(ID_BYTES);
    readWords(input, i);
    if (i > 0 && order(i - 1, i) >= 0) return false;
    isOwned[i] = 0;
    input.wide(wide);
    input.wideLength(wide);
  }
  let owned = 0;
  consumerNames.begin();
  for (let left = input.length(); left > 0; left--) {
    if (input.kept > MOST_BYTES || !consumerNames.next(input)) return false;
    input.wide(wide);
    const own = input.length();
    for (let n = 0, place = 0; n < own; n++, place++) {
      input.raw(ID_BYTES);
      while (place < count && !isAt(input, place)) place++;
      if (place === count || isOwned[place] !== 0) return false;
      isOwned[place] = 1;
    }
    owned += own;
  }
  return owned === count;
}

/** Puts the ID that was read last into `pending`. */
function readWords({ bytes, bytesOff: at }: RdbReader, index: number): void {
  for (let i = 0; i < 4; i++) pending[index * 4 + i] = readI32BE(bytes, at + i * 4);
}

function isAt({ bytes, bytesOff: at }: RdbReader, index: number): boolean {
  for (let i = 3; i >= 0; i--) if (pending[index * 4 + i] !== readI32BE(bytes, at + i * 4)) return false;
  return true;
}

function order(a: number, b: number): number {
  for (let i = 0; i < 4; i++) {
    const difference = (pending[a * 4 + i] >>> 0) - (pending[b * 4 + i] >>> 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
