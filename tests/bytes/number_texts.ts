/** Texts that are numbers, nearly numbers, or one byte away from numbers: what the parsers are compared with Redis on. */

import type { Seeded } from "../kit/seeded.ts";

const EDGES = [
  ..."0 -0 +0 00 1 -1 +1 01 -01 007 - + . -. 5. .5 -.5 +.5 1e 1e5 1E5 1e+5 1e-5 1e+ e5 .e5 1.5.5 1,5 0x 0x. 0x1 0X1P3"
    .split(" "),
  ..."0x1p 0x1p+ 0x.8 0x8. 0xg 0x1.8p-3 -0xfp2 0x1p1023 0x1p1024 0x1p-1074 0x1p-1075 0x1.8p-1075 0x1p-16445".split(" "),
  ..."0x1p-16446 0x1.8p-16446 0x1p16383 0x1p16384 0x1.fffffffffffff8p1023 0x1.fffffffffffff7p1023".split(" "),
  ..."inf -inf +inf Inf INFINITY -infinity infinit in nan NaN -nan nan() nan(1) 1e400 -1e400 1e-400 0e-400 0e99999"
    .split(" "),
  ..."1e5000 -1e5000 1e-5000 1e4932 1.1e4932 1.2e4932 3.6e-4951 1e-4951 1e99999999999999999999 0e99999999999999999999"
    .split(" "),
  ..."1e308 1.7976931348623157e308 1.7976931348623159e308 4.9e-324 2.4e-324 2.5e-324 2.2250738585072014e-308".split(
    " ",
  ),
  ..."9223372036854775807 9223372036854775808 -9223372036854775808 -9223372036854775809 9223372036999999999".split(" "),
  ..."9223372035999999999 99999999999999999999 18446744073709551615 18446744073709551616 -018446744073709551615".split(
    " ",
  ),
  ..."018446744073709551616 999999999 1000000000 4294967295000000000 9007199254740991 9007199254740993 -05".split(" "),
  ..."0.1 0.3 1e17 1e16 123456789012345678 100000000000000000000 0.0001 0.00001 3.0e0 17.50 1e22 1e23 5e-324".split(
    " ",
  ),
  ..."0.000000000000000005 0.0000000000000000049999 0.0000000000000000150 0x1p-18 -0.000000000000000001".split(" "),
  "",
  " ",
  " 1",
  "1 ",
  "\t1",
  "\n1",
  "\x0b1",
  "1\n",
  "1\0",
  "1\x002",
  "\0",
  "\x001",
  "é1",
  "1\xff",
  "1_0",
  "0b1",
  "0o7",
  "Infinity1",
  "--1",
  "+-1",
  "1.0000000000000001110223024625156540423631668090820312500",
  "1.00000000000000011102230246251565404236316680908203125000000000000000001",
  "1." + "0".repeat(200) + "1",
  "0x" + "0".repeat(60) + "1." + "0".repeat(60) + "1p-3",
  "0x1" + "0".repeat(13) + "8" + "0".repeat(40) + "1",
  "0x1" + "0".repeat(13) + "8" + "0".repeat(41),
  "1" + "0".repeat(300),
  "1" + "0".repeat(310),
  "0." + "0".repeat(330) + "1",
];

const ALPHABET = "0123456789012345678901234567890011223344..eE+-- xXpPfFinatyN\0";

/** The edge cases, then `count` random ones: random numbers in many notations, a third of them damaged. */
export function numberTexts(random: Seeded, count: number): string[] {
  const texts = [...EDGES];
  while (texts.length < EDGES.length + count) {
    let text = randomNumber(random);
    if (random.below(3) === 0) {
      const at = random.below(text.length + 1);
      text = text.slice(0, at) + random.pick(ALPHABET) + text.slice(at + random.below(2));
    }
    texts.push(text);
  }
  return texts;
}

function digits(random: Seeded, count: number): string {
  return Array.from({ length: count }, () => random.below(10)).join("");
}

function randomNumber(random: Seeded): string {
  const sign = random.pick(["", "", "-", "+"]);
  switch (random.below(6)) {
    case 0:
      return sign + String(random.below(10 ** random.below(10)));
    case 1:
      return sign + String(1 + random.below(9)) + digits(random, random.below(20));
    case 2:
      return sign + digits(random, random.below(20)) + "." + digits(random, 1 + random.below(20));
    case 3:
      return sign + digits(random, 1 + random.below(4)) + "." + digits(random, random.below(22)) + "e" +
        random.pick(["", "-", "+"]) + random.below(random.pick([5, 30, 330, 5000]));
    case 4:
      return sign + "0x" + random.u32().toString(16) + "." + random.u32().toString(16) + "p" +
        (random.below(2200) - 1100);
    default:
      return sign + random.below(100) + "." + digits(random, 1 + random.below(3));
  }
}
