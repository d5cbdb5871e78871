/**
 * LZF, the fast compression of long strings and list nodes in RDB files and DUMP payloads.
 *
 * The compressed form is a sequence of
 *
 *     000LLLLL  then L+1 literal bytes                              (1 to 32)
 *     LLLooooo oooooooo            copy L+2 bytes from o+1 back     (L 1 to 6)
 *     111ooooo LLLLLLLL oooooooo   copy L+9 bytes from o+1 back
 *
 * The compressor makes the same choices as the library Redis uses (the same hash of three bytes into 2^16 slots, one candidate per
 * slot, two positions entered after a match), so that payloads come out byte for byte the same and can be compared with Redis's.
 * The library leaves its table of candidates uninitialised on the stack; clearing ours for each call would cost more than
 * compressing a short string, so its positions carry a base that grows with every call and older ones count as empty.
 */

import { LastView } from "./span.ts";

const SLOTS = 1 << 16;
const MAX_LITERAL = 32, MAX_DISTANCE = 1 << 13, MAX_MATCH = 264;

/** Per hash slot: `base` of the call that wrote it plus the position of the three bytes. */
const candidates = new Int32Array(SLOTS);
let base = 1;

function slotOf(threeBytes: number): number {
  return ((threeBytes >>> 8) - Math.imul(threeBytes, 5)) & (SLOTS - 1);
}

/**
 * Compresses `src[off, off + len)` into `dst[dstOff, dstOff + dstCap)`. Returns the compressed length, or 0 when it does not
 * fit (callers pass a `dstCap` a little below `len`, so 0 also means "not worth it").
 */
export function compress(
  src: Uint8Array,
  off: number,
  len: number,
  dst: Uint8Array,
  dstOff: number,
  dstCap: number,
): number {
  if (len === 0 || dstCap === 0) return 0;
  if (base > 0x7fffffff - len) {
    candidates.fill(0);
    base = 1;
  }
  const end = off + len;
  const last = end - 2;
  const outEnd = dstOff + dstCap;
  /** What an entry of this call has to be reduced by to be an offset in `src`; older entries end up at or before `off`. */
  const shift = base - off;
  base += len;
  let at = off;
  /** The next free byte of the output. The byte `literals + 1` before it is reserved for the length of the running literal. */
  let out = dstOff + 1;
  let literals = 0;
  let three = len > 1 ? (src[at] << 8) | src[at + 1] : 0;
  while (at < last) {
    three = ((three << 8) | src[at + 2]) & 0xffffff;
    const slot = slotOf(three);
    const ref = (candidates[slot] - shift) | 0;
    candidates[slot] = (at + shift) | 0;
    // Position 0 is never used as a candidate, as in the library.
    if (
      ref > off && at - ref <= MAX_DISTANCE && ((src[ref] << 16) | (src[ref + 1] << 8) | src[ref + 2]) === three
    ) {
      const distance = at - ref - 1;
      if (out - (literals === 0 ? 1 : 0) + 4 >= outEnd) return 0;
      dst[out - literals - 1] = literals - 1;
      if (literals === 0) out--;
      let limit = end - at - 2;
      if (limit > MAX_MATCH) limit = MAX_MATCH;
      // The library compares its first sixteen bytes without looking at the limit once that is above 16.
      if (limit > 16 && limit < 19) limit = 19;
      let match = 3;
      while (match < limit && src[ref + match] === src[at + match]) match++;
      const code = match - 2;
      if (code < 7) {
        dst[out++] = (distance >>> 8) + (code << 5);
      } else {
        dst[out++] = (distance >>> 8) + (7 << 5);
        dst[out++] = code - 7;
      }
      dst[out++] = distance;
      literals = 0;
      out++;
      at += match;
      if (at >= last) break;
      at -= 2;
      three = (src[at] << 16) | (src[at + 1] << 8) | src[at + 2];
      candidates[slotOf(three)] = (at + shift) | 0;
      at++;
      three = ((three << 8) | src[at + 2]) & 0xffffff;
      candidates[slotOf(three)] = (at + shift) | 0;
      at++;
    } else {
      if (out >= outEnd) return 0;
      dst[out++] = src[at++];
      if (++literals === MAX_LITERAL) {
        dst[out - literals - 1] = literals - 1;
        literals = 0;
        out++;
      }
    }
  }
  if (out + 3 > outEnd) return 0;
  while (at < end) {
    dst[out++] = src[at++];
    if (++literals === MAX_LITERAL) {
      dst[out - literals - 1] = literals - 1;
      literals = 0;
      out++;
    }
  }
  if (literals === 0) out--;
  else dst[out - literals - 1] = literals - 1;
  return out - dstOff;
}

const sourceView = new LastView();
const targetView = new LastView();

/**
 * Decompresses `src[off, off + len)` into `dst[dstOff, dstOff + dstLen)` and returns how many bytes that made, which the caller
 * compares with the length it expects. -1 when the input is cut short, refers to before its start, or makes more than `dstLen`; `dst`
 * may have been written to then. Four bytes are copied at a time as long as what is copied too much stays inside, to be overwritten.
 */
export function decompress(
  src: Uint8Array,
  off: number,
  len: number,
  dst: Uint8Array,
  dstOff: number,
  dstLen: number,
): number {
  const from = sourceView.of(src);
  const to = targetView.of(dst);
  const end = off + len;
  const outEnd = dstOff + dstLen;
  const fastEnd = end - 3;
  const fastOut = outEnd - 5;
  let at = off;
  let out = dstOff;
  while (at < end) {
    let control = src[at++];
    if (control < 32) {
      const next = at + control + 1;
      const stop = out + control + 1;
      if (stop > outEnd || next > end) return -1;
      if (stop > fastOut || next > fastEnd) {
        while (out < stop) dst[out++] = src[at++];
        continue;
      }
      to.setInt32(out, from.getInt32(at));
      for (let i = 4; i <= control; i += 4) to.setInt32(out + i, from.getInt32(at + i));
      out = stop;
      at = next;
      // Nearly always a copy follows: a test of its own for it is guessed right more often.
      control = src[at];
      if (control < 32) continue;
      at++;
    }
    let length = (control >>> 5) + 2;
    if (length === 9) {
      if (at >= end) return -1;
      length += src[at++];
    }
    if (at >= end) return -1;
    let ref = out - ((control & 0x1f) << 8) - src[at++] - 1;
    const stop = out + length;
    if (stop > outEnd || ref < dstOff) return -1;
    // A copy may overlap what it is writing, which is how runs are coded.
    if (out - ref < 4 || stop > fastOut) { while (out < stop) dst[out++] = dst[ref++]; }
    else {
      // Most copies are no longer than eight bytes, and how often a loop runs is hard to guess.
      to.setInt32(out, to.getInt32(ref));
      to.setInt32(out + 4, to.getInt32(ref + 4));
      for (let i = 8; i < length; i += 4) to.setInt32(out + i, to.getInt32(ref + i));
      out = stop;
    }
  }
  return out - dstOff;
}
