/**
 * Repeatable randomness for tests: a generator whose whole sequence follows from one seed, and the arguments that break servers. A
 * failing test prints its seed; the same seed gives the same commands on either runtime.
 */

import { Xoshiro } from "../../lib/platform/random.ts";
import type { Argument } from "./client.ts";

export class Seeded {
  readonly #source: Xoshiro;

  constructor(readonly seed: number) {
    this.#source = new Xoshiro(seed, null);
  }

  /** Uniform in [0, 2^32). */
  u32(): number {
    return this.#source.u32();
  }

  bytes(count: number): Uint8Array {
    return this.#source.bytes(count);
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

  /** One of the items, or of a text's characters. */
  pick<T>(items: ArrayLike<T>): T {
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
function longArgument(random: Seeded): string {
  const unit = random.binary(random.between(1, 64));
  return unit.repeat(Math.ceil(random.pick([65_536, 262_144, 1_048_576]) / unit.length));
}
