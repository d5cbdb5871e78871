/** Spans: the order and equality of byte strings are memcmp's, and copies of every length arrive whole. */

import { assertEquals } from "@std/assert";
import { compareBytes, copyBytes, equalBytes } from "../../lib/bytes/span.ts";
import { choosePlatform } from "../../lib/platform/choose.ts";
import { test } from "../kit/test.ts";
import { Seeded } from "../kit/seeded.ts";

test("the order of byte strings is memcmp's, then the length's", () => {
  const random = new Seeded(5);
  for (let i = 0; i < 2000; i++) {
    const [a, b] = [0, 0].map(() => Array.from({ length: random.below(5) }, () => random.pick([0, 1, 127, 128, 255])));
    const [textA, textB] = [a, b].map((bytes) => String.fromCharCode(...bytes));
    const expected = textA < textB ? -1 : textA === textB ? 0 : 1;
    const [left, right] = [Uint8Array.from([9, ...a, 9]), Uint8Array.from([...b, 8])];
    assertEquals(Math.sign(compareBytes(left, 1, a.length, right, 0, b.length)), expected);
    if (a.length === b.length) assertEquals(equalBytes(left, 1, right, 0, a.length), expected === 0);
  }
});

test("copies touch nothing else, below and above the length that is left to the engine", async () => {
  const from = Uint8Array.from({ length: 256 }, (_, i) => i);
  for (const copy of [copyBytes, (await choosePlatform()).copy ?? copyBytes]) {
    for (const length of [0, 1, 63, 64, 65, 200]) {
      const to = new Uint8Array(256).fill(7);
      copy(from, 30, length, to, 20);
      assertEquals([...to.subarray(20, 20 + length)], [...from.subarray(30, 30 + length)]);
      assertEquals(to.filter((byte, i) => byte !== 7 && (i < 20 || i >= 20 + length)).length, 0);
      const same = from.slice();
      copy(same, 30, length, same, 10);
      assertEquals([...same.subarray(10, 10 + length)], [...from.subarray(30, 30 + length)]);
    }
  }
});
