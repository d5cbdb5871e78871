/** Int64 against BigInt and the text that BigInt prints. */

import { assertEquals } from "@std/assert";
import { Int64, MAX_INT64_TEXT } from "../../lib/store/types/int64.ts";
import { Xoshiro } from "../../lib/platform/random.ts";
import { test } from "../kit/test.ts";
import { latin1 } from "./payload.ts";

const MIN = -(2n ** 63n);
const MAX = 2n ** 63n - 1n;

function parse(text: string): bigint | null {
  const value = new Int64();
  const bytes = latin1(`7${text}7`);
  return value.parse(bytes, 1, text.length) ? value.big : null;
}

function format(value: Int64): string {
  const buf = new Uint8Array(MAX_INT64_TEXT + 2);
  return String.fromCharCode(...buf.subarray(1, 1 + value.format(buf, 1)));
}

test("int64: values around every power of two and ten, and random ones, survive text, BigInt and number", () => {
  const random = new Xoshiro(1, null);
  const values: bigint[] = [];
  for (let bits = 0n; bits <= 63n; bits++) {
    for (let d = -2n; d <= 2n; d++) values.push(2n ** bits + d, -(2n ** bits) + d);
  }
  for (let power = 0n; power <= 18n; power++) {
    for (let d = -2n; d <= 2n; d++) values.push(10n ** power + d, -(10n ** power) + d);
  }
  for (let i = 0; i < 100_000; i++) {
    const raw = BigInt.asIntN(64, (BigInt(random.u32()) << 32n) | BigInt(random.u32()));
    values.push(raw >> BigInt(random.below(64)));
  }
  const value = new Int64();
  for (const big of values) {
    if (big < MIN || big > MAX) {
      assertEquals(parse(String(big)), null);
      continue;
    }
    assertEquals(parse(String(big)), big);
    value.set(big);
    assertEquals(value.big, big);
    assertEquals(format(value), String(big));
    assertEquals(value.number, Number(big));
    assertEquals(value.isSafe, big >= -(2n ** 53n) && big < 2n ** 53n);
    const other = new Int64();
    if (value.isSafe) {
      other.set(Number(big));
      assertEquals([other.hi, other.lo], [value.hi, value.lo]);
    }
    other.set(values[random.below(values.length)]);
    assertEquals(Math.sign(value.compare(other.hi, other.lo)), big < other.big ? -1 : big > other.big ? 1 : 0);
  }
});

test("int64: only the canonical text counts", () => {
  for (
    const text of [
      "",
      "-",
      "+1",
      "-0",
      "00",
      "01",
      "-01",
      " 1",
      "1 ",
      "1.0",
      "1e3",
      "0x1",
      "--1",
      "1-",
      "a",
      "\0",
      "1\0",
      "9223372036854775808",
      "-9223372036854775809",
      "9999999999999999999",
      "-9999999999999999999",
      "18446744073709551615",
      "18446744073709551616",
      "99999999999999999999",
      "123456789012345678901",
      "1234567890123456789a",
      "/1",
      ":1",
      "1:",
      "1/",
    ]
  ) assertEquals(parse(text), null, JSON.stringify(text));
  assertEquals(parse("0"), 0n);
  assertEquals(parse("-1"), -1n);
});
