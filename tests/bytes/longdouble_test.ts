/** 80-bit arithmetic against INCRBYFLOAT of the real Redis, and fixed cases that need no server. */
import { assert, assertEquals } from "@std/assert";
import { test } from "../kit/test.ts";
import { errorOf } from "../kit/reply.ts";
import { hasRedis, startRedis } from "../kit/server.ts";
import { fromLatin1, latin1 } from "../../lib/bytes/ascii.ts";
import {
  addLongDouble,
  formatHuman,
  HUMAN_DOUBLE,
  isFiniteLongDouble,
  parseLongDouble,
  writeHumanDouble,
} from "../../lib/bytes/longdouble.ts";
import { numberTexts } from "./number_texts.ts";
import { Seeded } from "../kit/seeded.ts";

function parse(text: string) {
  return parseLongDouble(fromLatin1(`7${text}7`), 1, text.length);
}

function sum(a: string, b: string): string {
  const [left, right] = [parse(a), parse(b)];
  assert(left !== null && right !== null);
  return formatHuman(addLongDouble(left, right));
}

test("sums print as people expect", () => {
  assertEquals(sum("0.1", "0.2"), "0.3");
  assertEquals(sum("3.0e3", "1"), "3001");
  assertEquals(sum("5.0e3", "-5.0e3"), "0");
  assertEquals(sum("-0.000000000000000001", "0"), "0");
  assertEquals(sum("17179869184", "0.1"), "17179869184.09999999962747097");
  assertEquals(sum("18446744073709551615", "1"), "18446744073709551616");
  assertEquals(sum("0x1p64", "1"), "18446744073709551616", "65 bits round to even");
  assertEquals(sum("0x1p64", "3"), "18446744073709551620", "65 bits round to even");
  assertEquals(sum("inf", "1"), "inf");
  assert(!isFiniteLongDouble(addLongDouble(parse("1.1e4932")!, parse("1.1e4932")!)));
  assert(!isFiniteLongDouble(addLongDouble(parse("inf")!, parse("-inf")!)));
  assertEquals(formatHuman({ mantissa: -(2n ** 63n), exponent: 0, special: 0 }), "-9223372036854775808");
});

test("texts longer than Redis's buffer are refused", () => {
  assertEquals(formatHuman(parse("1." + "0".repeat(5117))!), "1");
  assertEquals(parse("1." + "0".repeat(5118)), null);
});

function human(n: number): string {
  const text = new Uint8Array(HUMAN_DOUBLE);
  return latin1(text, 0, writeHumanDouble(text, 0, n));
}

test("doubles print exactly, with at most 17 decimals", () => {
  const cases: [number, string][] = [
    [0, "0"],
    [-0, "0"],
    [-7, "-7"],
    [1.5, "1.5"],
    [0.1, "0.10000000000000001"],
    [1e22, "10000000000000000000000"],
    [1e23, "99999999999999991611392"],
    [-1e-20, "0"],
    [5e-324, "0"],
    [2 ** -17, "0.00000762939453125"],
    [-Infinity, "-inf"],
    [Number.MAX_VALUE, BigInt(Number.MAX_VALUE).toString()],
  ];
  for (const [n, expected] of cases) assertEquals(human(n), expected);
});

test("doubles of up to 52 binary places print as exact arithmetic has them", () => {
  const random = new Seeded(8);
  for (let i = 0; i < 50_000; i++) {
    const places = random.between(0, 52);
    const part = Math.floor(random.u32() / 2 ** 32 * 2 ** places) / 2 ** places;
    const magnitude = part + random.below(2 ** random.between(0, Math.min(30, 53 - places)));
    // Close below a whole number, too: rounding carries through all digits.
    const n = (random.chance(0.5) ? -1 : 1) * (random.chance(0.1) ? random.between(1, 9) - 2 ** -50 : magnitude);
    assertEquals(human(n), formatHuman({ mantissa: BigInt(n * 2 ** 52), exponent: -52, special: 0 }), String(n));
  }
});

test("INCRBYFLOAT of Redis agrees on every pair", async () => {
  if (!hasRedis()) return;
  await using server = await startRedis();
  const client = await server.connect();
  const random = new Seeded(7);
  const texts = numberTexts(random, 3000);
  const sums: string[] = [];
  for (let i = 0; i < 6000; i++) {
    // A sum that came out of an addition is added to again, as counters are.
    const a = i < texts.length
      ? texts[i]
      : sums.length > 0 && random.below(2) === 0
      ? random.pick(sums)
      : random.pick(texts);
    const b = random.below(3) === 0 ? "0" : random.pick(texts);
    const [, reply] = await client.pipeline([["SET", "k", a], ["INCRBYFLOAT", "k", b]]);
    const [left, right] = [parse(a), parse(b)];
    const message = `${JSON.stringify(a)} + ${JSON.stringify(b)}`;
    if (left === null || right === null) {
      assertEquals(errorOf(reply), "ERR value is not a valid float", message);
      continue;
    }
    const value = addLongDouble(left, right);
    if (!isFiniteLongDouble(value)) {
      assertEquals(errorOf(reply), "ERR increment would produce NaN or Infinity", message);
      continue;
    }
    assertEquals(reply, formatHuman(value), message);
    sums.push(formatHuman(value));
  }
  assert(sums.length > 1500);
});
