/**
 * Repeatable randomness for tests: a small generator (xoshiro128**) whose whole sequence follows from one seed, and the arguments that
 * break servers. A failing test prints its seed; the same seed gives the same commands on either runtime.
 */

import type { Argument } from "./client.ts";

export class Seeded {
  #a: number;
  #b: number;
  #c: number;
  #d: number;

  constructor(readonly seed: number) {
    // The state is filled by splitmix32, so that neighbouring seeds give unrelated sequences.
    let z = seed | 0;
    const next = () => {
      z = (z + 0x9e3779b9) | 0;
      let t = z ^ (z >>> 16);
      t = Math.imul(t, 0x21f0aaad);
      t ^= t >>> 15;
      t = Math.imul(t, 0x735a2d97);
      return t ^ (t >>> 15);
    };
    this.#a = next();
    this.#b = next();
    this.#c = next();
    this.#d = next() | 1;
  }

  /** Uniform in [0, 2^32). */
  u32(): number {
    const x = Math.imul(this.#b, 5);
    const result = Math.imul((x << 7) | (x >>> 25), 9);
    const t = this.#b << 9;
    this.#c ^= this.#a;
    this.#d ^= this.#b;
    this.#b ^= this.#c;
    this.#a ^= this.#d;
    this.#c ^= t;
    this.#d = (this.#d << 11) | (this.#d >>> 21);
    return result >>> 0;
  }

  /** A whole number in [0, limit), limit ≤ 2^32. */
  below(limit: number): number {
    return Math.floor((this.u32() / 0x1_0000_0000) * limit);
  }

  /** A whole number in [from, to]. */
  between(from: number, to: number): number {
    return from + this.below(to - from + 1);
  }

  /** True with the given probability. */
  chance(probability: number): boolean {
    return this.u32() < probability * 0x1_0000_0000;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)];
  }

  /** An index, with a probability in proportion to its weight. */
  weighted(weights: readonly number[]): number {
    let total = 0;
    for (const weight of weights) total += weight;
    let at = (this.u32() / 0x1_0000_0000) * total;
    for (let i = 0; i < weights.length; i++) {
      at -= weights[i];
      if (at < 0) return i;
    }
    return weights.length - 1;
  }

  shuffle<T>(items: T[]): T[] {
    for (let i = items.length - 1; i > 0; i--) {
      const j = this.below(i + 1);
      [items[i], items[j]] = [items[j], items[i]];
    }
    return items;
  }

  /** A byte string (latin1) of any of the 256 bytes. */
  binary(length: number): string {
    let text = "";
    for (let i = 0; i < length; i++) text += String.fromCharCode(this.below(256));
    return text;
  }

  /** A byte string of few different letters, so that equal ones are common and compression finds something. */
  word(length: number, letters = "abc"): string {
    let text = "";
    for (let i = 0; i < length; i++) text += letters[this.below(letters.length)];
    return text;
  }
}

/**
 * Numbers at the edges. None lies in 1 … 65535: used as a time to live, in seconds or milliseconds, each of them is past or far
 * away, so that the outcome of a test does not depend on how fast it runs.
 */
export const hostileIntegers: readonly string[] = [
  "0",
  "-1",
  "65536",
  "2147483647",
  "2147483648",
  "-2147483648",
  "-2147483649",
  "4294967295",
  "4294967296",
  "9007199254740991",
  "9007199254740992",
  "9007199254740993",
  "-9007199254740993",
  "9223372036854775806",
  "9223372036854775807",
  "9223372036854775808",
  "-9223372036854775807",
  "-9223372036854775808",
  "-9223372036854775809",
  "18446744073709551615",
  "18446744073709551616",
  "-0",
  "+0",
  "007000000",
  " 65536",
  "65536 ",
  "65536\0",
  "0x10000",
  "6.5536e4",
];

/** Texts that some parser takes for a float and another does not. */
export const hostileFloats: readonly string[] = [
  "nan",
  "-nan",
  "NaN",
  "inf",
  "+inf",
  "-inf",
  "Infinity",
  "-infinity",
  "1e400",
  "-1e400",
  "1e-400",
  "1.7976931348623157e308",
  "4.9406564584124654e-324",
  "0.1",
  "1.",
  ".5",
  "-.5e-3",
  "+1.5",
  " 1.5",
  "1.5 ",
  "1.5x",
  "1e",
  "1e5",
  "0x1p3",
  "-0.0",
  "3.0e0",
  "123456789012345678901234567890",
  "0.30000000000000004",
  "1,5",
];

/** Texts that end a string early, look like syntax, or are special names in JavaScript. */
export const hostileTexts: readonly string[] = [
  "",
  " ",
  "\0",
  "\r\n",
  "a\0b",
  "\xff\xfe\x80",
  "\xc3\x28",
  "\xf0\x9f\x98\x80",
  "__proto__",
  "constructor",
  "hasOwnProperty",
  "toString",
  "*",
  "?",
  "[a-",
  "\\",
  "{",
  "{}",
  "-",
  "+",
  "(",
  "$",
  "NX",
  "XX",
  "COUNT",
  "LIMIT",
  "WITHSCORES",
  "EX",
  "true",
  "null",
  "undefined",
];

/** An argument that no ordinary client would send; a long one (64 KB … 1 MB) once in a few hundred. */
export function hostileArgument(random: Seeded): Argument {
  switch (random.below(12)) {
    case 0:
    case 1:
    case 2:
    case 3:
      return random.pick(hostileIntegers);
    case 4:
    case 5:
      return random.pick(hostileFloats);
    case 6:
    case 7:
    case 8:
      return random.pick(hostileTexts);
    case 9:
      return random.binary(random.between(1, 40));
    case 10:
      return random.word(random.pick([1, 19, 20, 21, 43, 44, 45, 63, 64, 65, 127, 128, 512]), "0123456789");
    default:
      return random.chance(0.03) ? longArgument(random) : random.binary(random.pick([1, 44, 64, 128, 255, 256, 4096]));
  }
}

/** 64 KB to 1 MB, half compressible. */
export function longArgument(random: Seeded): string {
  const unit = random.binary(random.between(1, 64));
  return unit.repeat(Math.ceil(random.pick([65_536, 262_144, 1_048_576]) / unit.length));
}
