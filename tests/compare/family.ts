/**
 * What a command family tells the differential fuzzer: which commands to send, how often, and how to draw their arguments.
 *
 * Arguments are mostly valid and few keys are shared by all, so that commands meet each other's values: each type has six
 * keys of its own, and now and then a command of one type gets a key of another (WRONGTYPE), one that does not exist, or a strange
 * one. The fuzzer itself (`fuzz.ts`) then spoils a few arguments with hostile ones; a row says if that must not happen.
 */

import type { Argument } from "../kit/client.ts";
import { Seeded } from "../kit/seeded.ts";

export type KeyType = "string" | "list" | "hash" | "set" | "zset" | "stream" | "bits" | "hll" | "geo" | "lex" | "lcs";

/** Types whose keys any command may meet. The others need values of one form to have a defined outcome. */
const mixed: readonly KeyType[] = ["string", "list", "hash", "set", "zset", "stream", "bits", "hll"];

/** Which arguments of a command may be replaced by hostile ones: all, none, or all but by large integers. */
export type Hostility = "all" | "none" | "no-large-integers";

/** `[name, weight, arguments after the name, which hostile arguments may be put in (all)]` */
export type Row = readonly [name: string, weight: number, draw: (d: Draw) => Argument[], hostility?: Hostility];

/** One command of a script. `replies`: how many replies it gets, where that is not one. */
export type Step = readonly Argument[] | { readonly command: readonly Argument[]; readonly replies: number };

/** `[weight, commands that must stay together]`, sent as they are. */
export type Script = readonly [weight: number, draw: (d: Draw) => Step[]];

export interface Family {
  readonly name: string;
  /** How often the family is drawn, relative to the others. */
  readonly weight: number;
  readonly rows: readonly Row[];
  /** Goes before each command of the family. */
  readonly before?: Step;
  readonly scripts?: readonly Script[];
}

/** A seeded source of the arguments that rows need. */
export class Draw extends Seeded {
  /** A key that most likely holds the type. */
  key(type: KeyType): string {
    const n = this.below(100);
    if (n < 88 || !mixed.includes(type)) return `${type}:${this.below(6)}`;
    if (n < 96) return `${this.pick(mixed)}:${this.below(6)}`;
    if (n < 98) return `none:${this.below(3)}`;
    return this.pick([
      "",
      "__proto__",
      "constructor",
      "a b",
      "\xff\x00key",
      "{tag}k",
      "k\r\n",
      "0",
      "strange".repeat(40),
    ]);
  }

  /** A key of any of the mixed types. */
  anyKey(): string {
    return this.key(this.pick(mixed));
  }

  /** `from` to `to` things. */
  some<T>(from: number, to: number, draw: () => T): T[] {
    return Array.from({ length: this.between(from, to) }, draw);
  }

  /** The arguments with the given probability, else none. */
  maybe(probability: number, ...args: Argument[]): Argument[] {
    return this.chance(probability) ? args : [];
  }

  /** One of the lists. */
  either<T>(...choices: T[][]): T[] {
    return this.pick(choices);
  }

  /** A string value: integers, texts around the encodings' limits, binary, floats. */
  value(): Argument {
    switch (this.below(14)) {
      case 0:
      case 1:
      case 2:
        return this.between(-20, 200);
      case 3:
        return this.pick([
          "9223372036854775807",
          "-9223372036854775808",
          "9223372036854775000",
          "10000",
          "9999",
          "2147483648",
        ]);
      case 4:
        return this.pick(["1.5", "3.0", "-0", "00", "1e3", "0.1", "10.50", "inf", "5.0e3", " 1"]);
      case 5:
        return this.word(this.pick([43, 44, 45, 63, 64, 65]));
      case 6:
        return this.binary(this.between(0, 12));
      case 7:
        return this.word(this.between(0, 300), "ab");
      case 8:
        return "";
      default:
        return this.word(this.between(1, 8), "abcxyz ");
    }
  }

  /** A member, field or element: few different ones, some integers, a long one now and then. */
  member(): Argument {
    const n = this.below(40);
    if (n < 18) return this.between(0, 30);
    if (n < 34) return `m${this.below(24)}`;
    if (n < 36) {
      return this.pick(["", "-1", "1.5", "32768", "2147483648", "9223372036854775807", "-9223372036854775808"]);
    }
    if (n < 38) return this.binary(this.between(1, 3));
    if (n < 39) return this.pick(["__proto__", "constructor", "M1", "m 1", "x".repeat(64), "y".repeat(63)]);
    return this.word(this.pick([64, 65, 66, 100, 254, 4096]), "ab");
  }

  /** An index into something short. */
  index(): number {
    return this.chance(0.1) ? this.pick([-1000, 1000, 0, -1]) : this.between(-12, 12);
  }

  count(): number {
    return this.chance(0.1) ? this.pick([0, -1, 1000]) : this.between(1, 8);
  }

  /** A sorted set score as text. */
  score(): Argument {
    const n = this.below(20);
    if (n < 10) return this.between(-10, 20);
    if (n < 16) return this.between(-200, 200) / 8;
    if (n < 18) {
      return this.pick([
        "inf",
        "-inf",
        "+inf",
        "1e100",
        "-1e-7",
        "3.14159265358979",
        "0.1",
        "0.2",
        "1e21",
        "123456789012",
      ]);
    }
    // No smaller ones than these: SORT of a set with a subnormal score fails on Redis, which takes strtod's errno for its own.
    const smallest = "2.2250738585072014e-308";
    return this.pick(["9007199254740993", "-9007199254740992", "1.7976931348623157e+308", smallest, "0", "-0"]);
  }

  /** A time to live in seconds, gone at once or far away. */
  seconds(): Argument {
    return this.chance(0.12)
      ? this.pick([
        0,
        -1,
        -100,
        "9223372036854775807",
        "-9223372036854775808",
        "9223372036854775",
        "9007199254740993",
        "x",
        "",
      ])
      : this.between(10_000, 1_000_000);
  }

  milliseconds(): Argument {
    return this.chance(0.12)
      ? this.pick([
        0,
        -1,
        "9223372036854775807",
        "-9223372036854775808",
        "9007199254740993",
        "1e9",
        "4611686018427387904",
      ])
      : this.between(10_000_000, 1_000_000_000);
  }

  /**
   * A point in time, in seconds: decades away, or not allowed to SET. (With a time past, SET stores what is only removed when it is next met:
   * a count of keys then depends on chance.)
   */
  unixTime(): Argument {
    return this.chance(0.12)
      ? this.pick([0, -1, "9223372036854775807", "9223372036854775", "-9223372036854775808"])
      : this.between(4_000_000_000, 4_200_000_000);
  }

  /** The same in milliseconds. */
  unixMilliseconds(): Argument {
    return this.chance(0.12)
      ? this.pick([0, -1, "9223372036854775807", "-9223372036854775808"])
      : `${this.between(4_000_000_000, 4_200_000_000)}${this.between(100, 999)}`;
  }

  /** A pattern for KEYS, SCAN MATCH and the like. */
  pattern(): string {
    return this.pick([
      "*",
      "m*",
      "*1*",
      "s*:?",
      "[a-m]*",
      "[^s]*",
      "?",
      "??",
      "*:[0-3]",
      "hash:\\*",
      "\\m1",
      "[z-a]*",
      "[",
      "[abc",
      "*[",
      "a\\",
      "",
      "**1**",
      "[\\]]",
      "string:[^12]",
      "x*x*x*x*y",
    ]);
  }
}
