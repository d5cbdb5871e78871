/** Sums of short numbers are those of the exact arithmetic, digit by digit; so are those that are not short. */

import { assert, assertEquals } from "@std/assert";
import { fromLatin1, latin1 } from "../../lib/bytes/ascii.ts";
import { FloatIncrement } from "../../lib/bytes/float_increment.ts";
import { addLongDouble, formatHuman, isFiniteLongDouble, parseLongDouble } from "../../lib/bytes/longdouble.ts";
import { Seeded } from "../kit/seeded.ts";
import { test } from "../kit/test.ts";
import { numberTexts } from "./number_texts.ts";

const increment = new FloatIncrement();

function assertExact(a: string, b: string): void {
  const left = fromLatin1(`7${a}7`), right = fromLatin1(`7${b}7`);
  const exactA = parseLongDouble(left, 1, a.length), exactB = parseLongDouble(right, 1, b.length);
  assertEquals(increment.parse(right, 1, b.length), exactB !== null, b);
  if (exactB === null) return;
  assertEquals(increment.isFinite, isFiniteLongDouble(exactB));
  assertEquals(increment.addTo(left, 1, a.length), exactA !== null, a);
  if (exactA === null) return;
  const exact = addLongDouble(exactA, exactB);
  assertEquals(increment.isFinite, isFiniteLongDouble(exact));
  const { text, length } = increment;
  assertEquals(latin1(text, 0, length), formatHuman(exact), `${a} + ${b}`);
}

/** A decimal number of any length and form. */
function decimal(random: Seeded): string {
  const digits = (count: number) => Array.from({ length: count }, () => random.below(10)).join("");
  const sign = random.pick(["", "", "-", "+"]);
  switch (random.below(6)) {
    case 0:
      return sign + digits(random.between(1, 15));
    case 1:
      // Sums of halves, quarters ... meet the ties.
      return sign + (random.below(2 ** 31) * 2 ** random.below(22) + random.below(1024) / 1024);
    case 2:
      return sign + `0.${"0".repeat(random.below(11))}${digits(random.between(1, 8))}`;
    case 3:
      return sign + `${digits(random.between(0, 17))}.${digits(random.between(0, 20))}`;
    case 4:
      return sign + `${2 ** random.below(50)}.${"0".repeat(random.below(17))}${random.below(3)}`;
    default:
      return sign + `${random.below(1000)}.${digits(random.between(1, 4))}`;
  }
}

test("sums of decimal numbers are exact", () => {
  const random = new Seeded(17);
  for (let i = 0; i < 60_000; i++) assertExact(decimal(random), decimal(random));
});

test("running sums are exact", () => {
  const random = new Seeded(18);
  for (let run = 0; run < 200; run++) {
    let total = "0";
    for (let i = 0; i < 100; i++) {
      const by = decimal(random);
      if (parseLongDouble(fromLatin1(by), 0, by.length) === null) continue;
      assertExact(total, by);
      total = latin1(increment.text, 0, increment.length);
    }
  }
});

test("whatever looks like a number is one, or is none", () => {
  const texts = [
    ...numberTexts(new Seeded(19), 300),
    "",
    "-",
    "+",
    ".",
    "-.",
    "5.",
    ".5",
    "-0",
    "0.0",
    "1e3",
    " 1",
    "1 ",
    "1..2",
  ];
  const random = new Seeded(20);
  let numbers = 0;
  for (const text of texts) {
    if (parseLongDouble(fromLatin1(text), 0, text.length) !== null) numbers++;
    assertExact(text, random.pick(texts));
    assertExact(random.pick(["1", "0.3", "-123456789.125"]), text);
  }
  assert(numbers > 20);
});
