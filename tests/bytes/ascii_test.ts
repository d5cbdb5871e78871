/** Numbers and words as ASCII: fixed cases, models made of BigInt, and the real Redis reading and printing the same texts. */
import { assert, assertEquals } from "@std/assert";
import { test } from "../kit/test.ts";
import { errorOf } from "../kit/reply.ts";
import { hasRedis, startRedis } from "../kit/server.ts";
import * as ascii from "../../lib/bytes/ascii.ts";
import { numberTexts } from "./number_texts.ts";
import { Seeded } from "../kit/seeded.ts";

/** Runs a parser on `text` lying somewhere inside a larger buffer, between bytes that would change the result if read. */
function at<T>(parse: (buf: Uint8Array, off: number, len: number) => T, text: string): T {
  return parse(ascii.fromLatin1(`12${text}34`), 2, text.length);
}

/** The integer syntax as a regular expression. */
function modelInt64(text: string): bigint | null {
  if (!/^(0|-?[1-9][0-9]{0,19})$/.test(text)) return null;
  const value = BigInt(text);
  return value === BigInt.asIntN(64, value) ? value : null;
}

test("integers: one spelling, 64 bits", () => {
  for (const text of numberTexts(new Seeded(2), 20_000)) {
    const expected = modelInt64(text);
    assertEquals(at(ascii.isInt64, text), expected !== null, text);
    assertEquals(at(ascii.parseBigInt64, text), expected, text);
    assertEquals(at(ascii.parseInt64, text), expected === null ? NaN : Number(expected), text);
  }
});

test("integers: the nearest double near rounding ties", () => {
  const random = new Seeded(3);
  for (let i = 0; i < 5000; i++) {
    const value = BigInt.asIntN(63, (BigInt(random.u32()) << 31n) | BigInt(random.u32() >>> random.below(32)));
    assertEquals(at(ascii.parseInt64, String(value)), Number(value), String(value));
  }
});

test("unsigned integers and cursors", () => {
  const unsigned: [string, bigint | null][] = [
    ["0", 0n],
    ["18446744073709551615", 18446744073709551615n],
    ["18446744073709551616", null],
    ["-1", null],
    ["-01", 18446744073709551615n],
    [" 7", 7n],
    ["+7", 7n],
    ["7 ", null],
    ["7\x00x", 7n],
    ["", null],
    ["x", null],
  ];
  for (const [text, expected] of unsigned) assertEquals(at(ascii.parseUint64, text), expected, text);
  const cursors: [string, number][] = [
    ["0", 0],
    ["17", 17],
    ["0017", 17],
    ["+17", 17],
    ["17x", NaN],
    [" 17", NaN],
    ["", 0],
    ["-", NaN],
    ["9007199254740991", Number.MAX_SAFE_INTEGER],
    ["18446744073709551615", Number.MAX_SAFE_INTEGER],
    ["18446744073709551616", NaN],
    ["-1", Number.MAX_SAFE_INTEGER],
  ];
  for (const [text, expected] of cursors) assertEquals(at(ascii.parseCursor, text), expected, text);
});

test("written integers are what String() makes", () => {
  const random = new Seeded(4);
  const numbers = [0, -0, 9, 10, 99, 100, 999999999, 1e9, 1e9 + 1, 9999999999, Number.MAX_SAFE_INTEGER];
  for (let power = 1; power < 1e16; power *= 10) numbers.push(power - 1, power, power + 1);
  for (let i = 0; i < 5000; i++) {
    numbers.push(Math.floor(random.u32() * random.u32() / 2 ** random.below(64)) % 2 ** 53);
  }
  const buf = new Uint8Array(40);
  for (const magnitude of numbers) {
    for (const n of [magnitude, -magnitude]) {
      buf.fill(0xee);
      const end = ascii.writeInt(buf, 3, n);
      assertEquals(ascii.latin1(buf, 3, end - 3), String(n));
      assertEquals(ascii.intLength(n), end - 3, String(n));
      assertEquals([buf[2], buf[end]], [0xee, 0xee]);
    }
  }
  const big = -(2n ** 63n);
  assertEquals(ascii.latin1(buf, 1, ascii.writeBigInt(buf, 1, big) - 1), String(big));
});

test("doubles are printed with 17 significant digits", () => {
  const cases: [number, string, string?][] = [
    [0, "0"],
    [-0, "-0"],
    [1.5, "1.5"],
    [0.1, "0.10000000000000001"],
    [-1 / 3, "-0.33333333333333331"],
    [0.0001, "0.0001"],
    [0.00001, "1.0000000000000001e-05"],
    [5e-324, "4.9406564584124654e-324"],
    [1.5e300, "1.5000000000000001e+300"],
    [2 ** 53, "9007199254740992"],
    [1e16, "10000000000000000"],
    [99999999999999984, "99999999999999984"],
    [1e17, "1e+17", "100000000000000000"],
    [-(2 ** 62), "-4.6116860184273879e+18", "-4611686018427387904"],
    [2 ** 62 * 1.5, "6.9175290276410819e+18"],
    [684140084786129.625, "684140084786129.62"],
    [-684140084786129.875, "-684140084786129.88"],
    [684140084786129.125, "684140084786129.12"],
    [1.00000762939453125, "1.0000076293945312"],
    [1 + 3 * 2 ** -17, "1.0000228881835938"],
    [99999.0009765625, "99999.0009765625"],
    [NaN, "nan"],
    [Infinity, "inf"],
    [-Infinity, "-inf"],
  ];
  for (const [n, reply, stored] of cases) {
    assertEquals(ascii.formatDouble(n), reply);
    assertEquals(ascii.formatStoredDouble(n), stored ?? reply);
  }
});

test("words: case folding touches letters only", () => {
  const name = ascii.lower("Get@[`{");
  assert(at((b, o, l) => ascii.equalsFolded(b, o, l, name), "gEt@[`{"));
  assert(!at((b, o, l) => ascii.equalsFolded(b, o, l, name), "get`{@["));
  assert(!at((b, o, l) => ascii.equalsFolded(b, o, l, name), "get@[`"));
});

test("latin1 keeps every byte, at every length", () => {
  const bytes = Uint8Array.from({ length: 20_000 }, (_, i) => (i * 7 + (i >> 8)) & 255);
  for (const length of [0, 1, 23, 24, 25, 256, 4095, 4096, 4097, 19_999]) {
    const text = ascii.latin1(bytes, 1, length);
    assertEquals(text.length, length);
    assert(ascii.fromLatin1(text).every((byte, i) => byte === bytes[i + 1]));
  }
  assertEquals(Array.from(ascii.utf8("é")), [0xc3, 0xa9]);
});

test("Redis reads and prints the same texts the same way", async () => {
  if (!hasRedis()) return;
  await using server = await startRedis();
  const client = await server.connect();
  const texts = numberTexts(new Seeded(6), 4000);
  await client.ok("ZADD", "bounds", "-inf", "a", "-2.5", "b", 0, "c", "0.3", "d", 7, "e", "1e300", "f", "inf", "g");
  const scores = [-Infinity, -2.5, 0, 0.3, 7, 1e300, Infinity];
  for (const text of texts) {
    const seq = `1-${text}`;
    const plain = text !== "" && !/[*(]/.test(text) && seq.length < 120;
    const [, integer, cursor, , id, added, score, count] = await client.pipeline([
      ["DEL", "i", "s", "z"],
      ["INCRBY", "i", text],
      ["SCAN", text, "COUNT", 1],
      ["DEL", "s"],
      plain ? ["XADD", "s", seq, "f", "v"] : ["PING"],
      ["ZADD", "z", text, "m"],
      ["ZSCORE", "z", "m"],
      ["ZCOUNT", "bounds", text.startsWith("(") ? "0" : text, "+inf"],
    ]);
    const parsed = at(ascii.parseBigInt64, text);
    assertEquals(errorOf(integer) === undefined ? BigInt(integer as number) : null, parsed, `INCRBY ${text}`);
    assertEquals(errorOf(cursor) !== undefined, Number.isNaN(at(ascii.parseCursor, text)), `SCAN ${text}`);
    if (plain) {
      const value = at(ascii.parseUint64, text);
      assertEquals(errorOf(id) === undefined ? id : null, value === null ? null : `1-${value}`, `XADD 1-${text}`);
    }
    const double = at(ascii.parseDouble, text);
    assertEquals(errorOf(added) !== undefined, Number.isNaN(double), `ZADD ${text}`);
    // A small sorted set keeps whole scores as integers, and those have no negative zero: adding 0 makes it a plain one.
    assertEquals(score, Number.isNaN(double) ? null : ascii.formatDouble(double + 0), `ZSCORE ${text}`);
    const bound = at(ascii.parseScoreBound, text);
    const expected = Number.isNaN(bound) ? "error" : scores.filter((score) => score >= bound).length;
    assertEquals(errorOf(count) === undefined ? count : "error", expected, `ZCOUNT ${text}`);
  }
});
