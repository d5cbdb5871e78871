/** The notations of redis.conf: words, quoting, numbers and sizes. */
import { assertEquals } from "@std/assert";
import { formatMemory, formatReal, parseInteger, parseLoose, parseMemory, parseReal } from "../../lib/config/syntax.ts";
import { quote, splitWords } from "../../lib/bytes/words.ts";
import { test } from "../kit/test.ts";

test("splitWords takes bare, single and double quoted words", () => {
  const table: [string, string[] | null][] = [
    ["", []],
    ["  a  b\tc\v d \ve", ["a", "b", "c\v", "d", "e"]],
    [`set "a b" 'c d' ""`, ["set", "a b", "c d", ""]],
    [String.raw`"\n\r\t\a\b\x00\xfF\q\"\\"`, ['\n\r\t\x07\b\0\xffq"\\']],
    [String.raw`"\xg1" '\'' '\n'`, ["xg1", "'", "\\n"]],
    [`a"b c"`, ["ab c"]],
    [`"a"b`, null],
    [`"a`, null],
    [`'a`, null],
    [`'a'"b"`, null],
    [`"a\\`, null],
    ["a\\b", ["a\\b"]],
  ];
  for (const [line, words] of table) assertEquals(splitWords(line), words, line);
});

test("quote gives what splitWords reads back, for every byte", () => {
  let all = "";
  for (let code = 0; code < 256; code++) all += String.fromCharCode(code);
  assertEquals(splitWords(quote(all)), [all]);
  assertEquals(quote('a"\\\n\xe9\x7f'), String.raw`"a\"\\\n\xe9\x7f"`);
});

test("integers are canonical 64-bit decimals", () => {
  for (const bad of ["", "-", "+1", "01", "-0", " 1", "1 ", "1.0", "9223372036854775808", "-9223372036854775809"]) {
    assertEquals(parseInteger(bad), null, bad);
  }
  assertEquals(parseInteger("-9223372036854775808"), -(2n ** 63n));
  assertEquals(parseInteger("9223372036854775807"), 2n ** 63n - 1n);
});

test("loose integers are what strtoll takes", () => {
  assertEquals(parseLoose("", 10)?.value, 0n);
  assertEquals(parseLoose(" \t+07", 10)?.value, 7n);
  assertEquals(parseLoose("0777", 8)?.value, 511n);
  assertEquals(parseLoose("8", 8), null);
  assertEquals(parseLoose("1 ", 10), null);
  assertEquals(parseLoose("-99999999999999999999", 10), { value: -(2n ** 63n), overflow: true });
});

test("memory sizes know decimal and binary units and wrap at 64 bits", () => {
  const table: [string, bigint | null][] = [
    ["", 0n],
    ["b", 0n],
    ["100", 100n],
    ["1B", 1n],
    ["1k", 1000n],
    ["1Kb", 1024n],
    ["2m", 2_000_000n],
    ["2mB", 2n << 20n],
    ["3G", 3_000_000_000n],
    ["3gb", 3n << 30n],
    ["1t", null],
    ["-1", null],
    ["1 kb", null],
    ["1.5gb", null],
    ["18446744073709551616", 2n ** 64n - 1n],
    ["18446744073709551615kb", 2n ** 64n - 1024n],
  ];
  for (const [text, bytes] of table) assertEquals(parseMemory(text), bytes, text);
  assertEquals([0n, 1000n, 1024n, 5n << 20n, 1n << 30n, 2n ** 64n - 1n].map(formatMemory), [
    "0",
    "1000",
    "1kb",
    "5mb",
    "1gb",
    "18446744073709551615",
  ]);
});

test("real numbers fill the whole text and are shown without trailing zeros", () => {
  for (const bad of ["", " 1", "1 ", "1e", "nan", "x", ".", "1e999", "1e-999"]) assertEquals(parseReal(bad), null, bad);
  assertEquals(["99.9", ".5", "5.", "1e1", "0x10", "0e0", "-inf"].map(parseReal), [99.9, .5, 5, 10, 16, 0, -Infinity]);
  assertEquals([50, 99.9, 0.0000001, 100, 0].map(formatReal), ["50", "99.9", "0", "100", "0"]);
});
