/**
 * The frame that SHA-1 and SHA-256 have in common: the input in blocks of 64 bytes, the last of them filled up with a bit, zeros, and the
 * input's length in bits.
 */

/** The last one or two blocks. */
const tail = new Uint8Array(128);

/** Gives `take` all blocks of `buf[start, end)` in turn; each is valid during the call only. */
export function eachBlock(
  buf: Uint8Array,
  start: number,
  end: number,
  take: (buf: Uint8Array, off: number) => void,
): void {
  let from = start;
  for (; end - from >= 64; from += 64) take(buf, from);
  const rest = end - from;
  for (let i = 0; i < rest; i++) tail[i] = buf[from + i];
  const size = rest < 56 ? 64 : 128;
  tail[rest] = 0x80;
  tail.fill(0, rest + 1, size);
  const bytes = end - start;
  const high = Math.floor(bytes / 0x20000000);
  const low = bytes << 3;
  for (let i = 0; i < 4; i++) {
    tail[size - 8 + i] = high >>> (24 - 8 * i);
    tail[size - 4 + i] = low >>> (24 - 8 * i);
  }
  take(tail, 0);
  if (size === 128) take(tail, 64);
}

/** Writes the first `size` bytes of the words, each with its high byte first. */
export function writeWords(words: Int32Array, into: Uint8Array, at: number, size: number): void {
  for (let i = 0; i < size; i++) into[at + i] = words[i >>> 2] >>> (24 - 8 * (i & 3));
}
