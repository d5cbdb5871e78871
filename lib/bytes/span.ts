/**
 * Byte strings as (buffer, offset, length): comparing and copying them. The engines' own functions work on whole arrays, so that each
 * call would first need a view of its own; for strings as short as keys and members are, a loop is faster.
 */

/** Up to this many bytes a loop beats the native copy, which needs a view object. */
let mostByLoop = 64;
/** Between these lengths copying words through `DataView`s is faster than both, if the views are at hand. */
const LEAST_BY_VIEW = 16;
let mostByView = 512;
/** Views of targets that are remembered. */
const TARGETS = 16;

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

/** Larger buffers come and go. */
const MOST_KEPT = 1 << 20;

/** Remembers the view of the last buffer: making one costs as much as copying a hundred bytes through it. */
export class LastView {
  #buf: Uint8Array = new Uint8Array(0);
  #view: DataView = new DataView(this.#buf.buffer);

  of(buf: Uint8Array): DataView {
    if (buf === this.#buf) return this.#view;
    const view = new DataView(buf.buffer, buf.byteOffset, buf.length);
    if (buf.length <= MOST_KEPT) {
      this.#buf = buf;
      this.#view = view;
    }
    return view;
  }
}

/** Copies runs of bytes from one buffer, again and again the same, to a few others. */
export class Copier {
  readonly #source = new LastView();
  readonly #targets: LastView[] = Array.from({ length: TARGETS }, () => new LastView());

  /** As `copyBytes`, where the two do not overlap. `hint`: a number that tells `to` from other targets, such as a page's. */
  copy(from: Uint8Array, off: number, len: number, to: Uint8Array, at: number, hint: number): void {
    if (len < LEAST_BY_VIEW || len > mostByView) return copyBytes(from, off, len, to, at);
    const source = this.#source.of(from);
    const target = this.#targets[hint & (TARGETS - 1)].of(to);
    const last = len - 4;
    for (let i = 0; i < last; i += 4) target.setInt32(at + i, source.getInt32(off + i));
    target.setInt32(at + last, source.getInt32(off + last));
  }
}

/** Copies `from[off, off + len)` to `to` at `at`. */
export type Copy = (from: Uint8Array, off: number, len: number, to: Uint8Array, at: number) => void;

let copyMany: Copy = (from, off, len, to, at) => to.set(from.subarray(off, off + len), at);

/** From now on many bytes are copied by this function of the runtime's, which needs no view object. */
export function copyManyWith(copy: Copy): void {
  copyMany = copy;
  mostByLoop = 32;
  mostByView = 48;
}

/** Copies `from[off, off + len)` to `to` at `at`. Where the two lie in one buffer and overlap, `at` must not be behind `off`. */
export function copyBytes(from: Uint8Array, off: number, len: number, to: Uint8Array, at: number): void {
  if (len > mostByLoop) copyMany(from, off, len, to, at);
  else for (let i = 0; i < len; i++) to[at + i] = from[off + i];
}
