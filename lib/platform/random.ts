/**
 * The random numbers of every platform: xoshiro128** (Blackman and Vigna), four 32-bit words of state, a period of
 * 2^128 - 1 and a handful of integer operations per number. It is not for secrets; `bytes` of the real platforms asks
 * the operating system instead. One generator for all platforms means that a seed gives the same run everywhere.
 */

import type { Random } from "./platform.ts";

const TWO_32 = 0x1_0000_0000;
const TWO_53 = 0x20_0000_0000_0000;

export class Xoshiro implements Random {
  #a = 0;
  #b = 0;
  #c = 0;
  #d = 0;
  readonly #bytes: ((count: number) => Uint8Array) | null;

  /** `bytes` is the source of unpredictable bytes; null takes them from the sequence itself. */
  constructor(seed: number, bytes: ((count: number) => Uint8Array) | null) {
    this.#bytes = bytes;
    this.seed(seed);
  }

  u32(): number {
    let x = Math.imul(this.#b, 5);
    x = Math.imul((x << 7) | (x >>> 25), 9);
    const t = this.#b << 9;
    this.#c ^= this.#a;
    this.#d ^= this.#b;
    this.#b ^= this.#c;
    this.#a ^= this.#d;
    this.#c ^= t;
    this.#d = (this.#d << 11) | (this.#d >>> 21);
    return x >>> 0;
  }

  below(limit: number): number {
    if (limit <= 1) return 0;
    // The numbers past the last whole multiple of `limit` are drawn again: a plain remainder would favour small ones.
    if (limit <= TWO_32) {
      const fair = TWO_32 - TWO_32 % limit;
      for (;;) {
        const x = this.u32();
        if (x < fair) return x % limit;
      }
    }
    const fair = TWO_53 - TWO_53 % limit;
    for (;;) {
      const x = this.#u53();
      if (x < fair) return x % limit;
    }
  }

  unit(): number {
    return this.#u53() / TWO_53;
  }

  bytes(count: number): Uint8Array {
    if (this.#bytes !== null) return this.#bytes(count);
    const out = new Uint8Array(count);
    for (let i = 0; i < count; i++) out[i] = this.u32() >>> 24;
    return out;
  }

  seed(value: number): void {
    // Neighbouring seeds must not give related states, and the state must not be all zero: splitmix32 spreads them.
    const whole = Math.abs(Math.trunc(value));
    const high = Math.floor(whole / TWO_32) | 0;
    let x = (whole % TWO_32) ^ Math.imul(high, 0x85ebca6b) ^ (value < 0 ? 0x5bd1e995 : 0);
    const next = (): number => {
      x = (x + 0x9e3779b9) | 0;
      let z = x ^ (x >>> 16);
      z = Math.imul(z, 0x21f0aaad);
      z ^= z >>> 15;
      z = Math.imul(z, 0x735a2d97);
      return (z ^ (z >>> 15)) | 0;
    };
    this.#a = next();
    this.#b = next();
    this.#c = next();
    this.#d = next() | 1;
  }

  #u53(): number {
    const high = this.u32() >>> 11;
    return high * TWO_32 + this.u32();
  }
}
