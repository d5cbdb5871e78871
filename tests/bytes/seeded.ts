/** A small repeatable random source for the tests in this folder, so that a failing case can be run again. */

export interface Seeded {
  /** Uniform in [0, 2^32). */
  u32(): number;
  /** Uniform whole number in [0, limit), limit ≤ 2^32. */
  below(limit: number): number;
  bytes(count: number): Uint8Array;
  /** One of the choices. */
  pick<T>(choices: ArrayLike<T>): T;
}

/** Mulberry32. */
export function seeded(seed: number): Seeded {
  let state = seed | 0;
  const u32 = () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  };
  const below = (limit: number) => Math.floor((u32() / 2 ** 32) * limit);
  return {
    u32,
    below,
    bytes: (count) => Uint8Array.from({ length: count }, () => below(256)),
    pick: (choices) => choices[below(choices.length)],
  };
}
