/**
 * Byte strings as (buffer, offset, length): comparing and copying them. The engines' own functions work on whole arrays, so that each
 * call would first need a view of its own; for strings as short as keys and members are, a loop is faster.
 */

/** Up to this many bytes a loop beats the native copy, which needs a view object. */
const COPY_BY_LOOP = 64;

/** Order of byte strings: negative, 0 or positive, by the first differing byte (unsigned), then the shorter first. */
export function compareBytes(
  a: Uint8Array,
  aOff: number,
  aLen: number,
  b: Uint8Array,
  bOff: number,
  bLen: number,
): number {
  const common = aLen < bLen ? aLen : bLen;
  for (let i = 0; i < common; i++) {
    const difference = a[aOff + i] - b[bOff + i];
    if (difference !== 0) return difference;
  }
  return aLen - bLen;
}

/** Whether two byte strings of the same length are the same. */
export function equalBytes(a: Uint8Array, aOff: number, b: Uint8Array, bOff: number, len: number): boolean {
  for (let i = 0; i < len; i++) if (a[aOff + i] !== b[bOff + i]) return false;
  return true;
}

/** Copies `from[off, off + len)` to `to` at `at`. Where the two lie in one buffer and overlap, `at` must not be behind `off`. */
export function copyBytes(from: Uint8Array, off: number, len: number, to: Uint8Array, at: number): void {
  if (len > COPY_BY_LOOP) to.set(from.subarray(off, off + len), at);
  else for (let i = 0; i < len; i++) to[at + i] = from[off + i];
}
