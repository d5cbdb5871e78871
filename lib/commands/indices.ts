/** Ranges of indices as clients give them: both ends belong to the range, and negative ones count from the end (-1 is the last). */

import type { Args } from "../bytes/args.ts";
import { parseBigInt64 } from "../bytes/ascii.ts";

/** The index from the beginning; 0 for what lies before it. */
export function firstIndex(index: number, length: number): number {
  return index < 0 ? Math.max(0, index + length) : index;
}

/** The index from the beginning, the last one for what lies behind it; negative for what lies before the beginning. */
export function lastIndex(index: number, length: number): number {
  return index < 0 ? index + length : Math.min(index, length - 1);
}

/**
 * Whether integer argument i is negative and greater than integer argument j: a range that is empty before its ends are
 * cut to what there is. Exact, also where doubles cannot tell the two apart.
 */
export function isAfter(a: Args, i: number, j: number): boolean {
  const left = a.int(i);
  const right = a.int(j);
  if (left >= 0 || left !== right) return left < 0 && left > right;
  return !Number.isSafeInteger(left) &&
    parseBigInt64(a.buf, a.off[i], a.len[i])! > parseBigInt64(a.buf, a.off[j], a.len[j])!;
}
