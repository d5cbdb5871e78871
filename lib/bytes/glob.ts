/**
 * Redis's glob patterns (KEYS, SCAN MATCH, PSUBSCRIBE, CONFIG GET, ACL), by its rules including the odd ones.
 *
 * `*` any run, `?` any byte, `[a-z]`, `[^a]` classes, `\x` literally x. The odd rules, which clients can see: a pattern of only stars does
 * not match the empty text (the callers treat a lone `*` as "all"); a class without `]` ends with the pattern, and a backslash at the
 * end is a literal one; ranges compare signed bytes and may be written backwards; in a case-insensitive class a byte after a backslash
 * still compares exactly.
 *
 * Only the last star seen is ever retried: if the rest after a later star matches nowhere, it cannot match further to the right
 * either. So two saved positions replace recursion, hostile patterns cost at most pattern × text steps, and none overflows the stack.
 */

const STAR = 42, QUESTION = 63, OPEN = 91, CLOSE = 93, BACKSLASH = 92, CARET = 94, DASH = 45;

function fold(byte: number): number {
  return byte >= 65 && byte <= 90 ? byte + 32 : byte;
}

/** The byte as C's signed char. */
function signed(byte: number): number {
  return (byte << 24) >> 24;
}

/** The end of the class whose `[` is at `p`: the offset after its `]`, or `pEnd`. The same walk as in `inClass`. */
function afterClass(pattern: Uint8Array, p: number, pEnd: number): number {
  p++;
  if (p < pEnd && pattern[p] === CARET) p++;
  while (p < pEnd) {
    const byte = pattern[p];
    if (byte === BACKSLASH && pEnd - p >= 2) p += 2;
    else if (byte === CLOSE) return p + 1;
    else if (pEnd - p >= 3 && pattern[p + 1] === DASH) p += 3;
    else p++;
  }
  return pEnd;
}

/** Whether `byte` is in the class whose `[` is at `p`. */
function inClass(pattern: Uint8Array, p: number, pEnd: number, byte: number, nocase: boolean): boolean {
  p++;
  const negated = p < pEnd && pattern[p] === CARET;
  if (negated) p++;
  let found = false;
  while (p < pEnd) {
    const first = pattern[p];
    if (first === BACKSLASH && pEnd - p >= 2) {
      if (pattern[p + 1] === byte) found = true;
      p += 2;
    } else if (first === CLOSE) {
      break;
    } else if (pEnd - p >= 3 && pattern[p + 1] === DASH) {
      let low = signed(first);
      let high = signed(pattern[p + 2]);
      let value = signed(byte);
      if (low > high) {
        const swap = low;
        low = high;
        high = swap;
      }
      if (nocase) {
        low = fold(low);
        high = fold(high);
        value = fold(value);
      }
      if (value >= low && value <= high) found = true;
      p += 3;
    } else {
      if (nocase ? fold(first) === fold(byte) : first === byte) found = true;
      p++;
    }
  }
  return found !== negated;
}

/** Whether `text[tOff, tOff + tLen)` matches `pattern[pOff, pOff + pLen)`; `nocase` ignores the case of A–Z. Bytes, not characters. */
export function globMatch(
  pattern: Uint8Array,
  pOff: number,
  pLen: number,
  text: Uint8Array,
  tOff: number,
  tLen: number,
  nocase: boolean,
): boolean {
  if (tLen === 0) return pLen === 0;
  const pEnd = pOff + pLen;
  const tEnd = tOff + tLen;
  let p = pOff;
  let t = tOff;
  /** The pattern after the last star, and where in the text its next try begins; -1 before any star. */
  let starPattern = -1;
  let starText = 0;
  while (true) {
    let matched = false;
    if (t < tEnd) {
      if (p < pEnd) {
        const byte = pattern[p];
        if (byte === STAR) {
          do p++; while (p < pEnd && pattern[p] === STAR);
          if (p === pEnd) return true;
          starPattern = p;
          starText = t;
          continue;
        }
        if (byte === QUESTION) {
          matched = true;
          p++;
        } else if (byte === OPEN) {
          matched = inClass(pattern, p, pEnd, text[t], nocase);
          if (matched) p = afterClass(pattern, p, pEnd);
        } else {
          if (byte === BACKSLASH && pEnd - p >= 2) p++;
          matched = nocase ? fold(pattern[p]) === fold(text[t]) : pattern[p] === text[t];
          p++;
        }
        t++;
      }
    } else {
      while (p < pEnd && pattern[p] === STAR) p++;
      if (p === pEnd) return true;
    }
    if (!matched) {
      if (starPattern < 0 || ++starText >= tEnd) return false;
      p = starPattern;
      t = starText;
    }
  }
}
