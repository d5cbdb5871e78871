/**
 * How many nodes Redis's radix tree would have for a stream's blocks: XINFO STREAM tells. The tree has the blocks' IDs as keys of
 * 16 bytes (big-endian), and its form follows from the set of keys alone:
 *
 *   an empty node for every key, a branching node wherever keys part, and one compressed node for every run of bytes between
 *   those in which there is no choice
 *
 * Where keys part shows in the lengths of the prefixes that neighbours have in common; branching nodes that are still open while
 * the keys are passed stand on a stack.
 */

import { StreamId } from "./stream_id.ts";

const KEY_BYTES = 16;

/** The IDs of blocks, in order. */
export interface BlockIds {
  readonly length: number;
  readId(index: number, into: StreamId): void;
}

export function radixNodes(blocks: BlockIds): number {
  const { length } = blocks;
  if (length === 0) return 1;
  /** Depths of the open branching nodes, deepest last. */
  const open: number[] = [];
  let nodes = 0;
  /** A node at `depth` below a branching one at `parent` (-1: below nothing), with the run of bytes between them. */
  const add = (depth: number, parent: number): void => {
    nodes += depth > parent + 1 ? 2 : 1;
  };
  let before = -1;
  for (let i = 0; i < length; i++) {
    const common = i + 1 < length ? commonBytes(blocks, i) : -1;
    add(KEY_BYTES, Math.max(before, common));
    while (open.length > 0 && open[open.length - 1] > common) {
      const depth = open.pop()!;
      add(depth, Math.max(common, open.length > 0 ? open[open.length - 1] : -1));
    }
    if (common >= 0 && open[open.length - 1] !== common) open.push(common);
    before = common;
  }
  return nodes;
}

const a = new StreamId();
const b = new StreamId();

/** Length of the common prefix of a key and the next one, which are different. */
function commonBytes(blocks: BlockIds, index: number): number {
  blocks.readId(index, a);
  blocks.readId(index + 1, b);
  if (a.msHi !== b.msHi) return sameBytes(a.msHi, b.msHi);
  if (a.msLo !== b.msLo) return 4 + sameBytes(a.msLo, b.msLo);
  if (a.seqHi !== b.seqHi) return 8 + sameBytes(a.seqHi, b.seqHi);
  return 12 + sameBytes(a.seqLo, b.seqLo);
}

function sameBytes(a: number, b: number): number {
  return Math.clz32(a ^ b) >>> 3;
}
