/** Bit commands on strings, mostly short ones. */

import type { Argument } from "../../kit/client.ts";
import type { Draw, Family } from "../family.ts";

function offset(d: Draw): Argument {
  return d.chance(0.06) ? d.pick([-1, "4294967296", "x", "", "1.5", "#", "#-1"]) : d.between(0, 300);
}

function fieldType(d: Draw): string {
  return d.chance(0.06)
    ? d.pick(["u64", "i65", "u0", "i0", "x8", "u", "u-1", ""])
    : d.pick(["u", "i"]) + d.between(1, 63);
}

function fieldValue(d: Draw): Argument {
  return d.chance(0.2)
    ? d.pick(["9223372036854775807", "-9223372036854775808", "9223372036854775808", "-1", "4294967295", "x"])
    : d.between(-300, 300);
}

function fieldOffset(d: Draw): Argument {
  return d.chance(0.3) ? `#${d.between(0, 10)}` : offset(d);
}

function fieldOperations(d: Draw): Argument[] {
  return d.some(1, 4, () =>
    d.either<Argument>(
      ["GET", fieldType(d), fieldOffset(d)],
      ["SET", fieldType(d), fieldOffset(d), fieldValue(d)],
      ["INCRBY", fieldType(d), fieldOffset(d), fieldValue(d)],
      [
        "OVERFLOW",
        d.pick(["WRAP", "SAT", "FAIL", "sat", "NOPE"]),
        "INCRBY",
        fieldType(d),
        fieldOffset(d),
        fieldValue(d),
      ],
    )).flat();
}

function range(d: Draw): Argument[] {
  return d.either<Argument>([], [d.index(), d.index()], [d.index(), d.index(), d.pick(["BIT", "BYTE", "bit", "NOPE"])]);
}

export const bitmap: Family = {
  name: "bitmap",
  weight: 5,
  rows: [
    [
      "SETBIT",
      8,
      (d) => [d.key("bits"), offset(d), d.chance(0.95) ? d.below(2) : d.pick([2, -1, "x"])],
      "no-large-integers",
    ],
    ["GETBIT", 4, (d) => [d.key("bits"), offset(d)]],
    [
      "SET",
      2,
      (d) => [d.key("bits"), d.chance(0.5) ? d.binary(d.between(0, 60)) : d.pick(["\xff".repeat(40), "\0".repeat(40)])],
    ],
    ["BITCOUNT", 5, (d) => [d.key("bits"), ...range(d)]],
    [
      "BITPOS",
      6,
      (d) => [d.key("bits"), d.chance(0.95) ? d.below(2) : "2", ...d.either<Argument>(range(d), [d.index()])],
    ],
    ["BITOP", 6, (d) => {
      const operation = d.pick(["AND", "OR", "XOR", "NOT", "xor", "NOPE"]);
      return [
        operation,
        d.key("bits"),
        ...d.some(1, operation === "NOT" && d.chance(0.8) ? 1 : 4, () => d.key("bits")),
      ];
    }],
    ["BITFIELD", 8, (d) => [d.key("bits"), ...fieldOperations(d)], "no-large-integers"],
    ["BITFIELD_RO", 3, (d) => [
      d.key("bits"),
      ...d.some(1, 3, () => ["GET", fieldType(d), fieldOffset(d)]).flat(),
      ...d.maybe(0.05, "SET", "u8", 0, 1),
    ], "no-large-integers"],
  ],
};
