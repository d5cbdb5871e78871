/** The string commands, without the bitmaps. */

import type { Draw, Family } from "../family.ts";
import type { Argument } from "../../kit/client.ts";

function expiry(d: Draw): Argument[] {
  return d.either<Argument>(
    ["EX", d.seconds()],
    ["PX", d.milliseconds()],
    ["EXAT", d.unixTime()],
    ["PXAT", d.unixMilliseconds()],
    ["KEEPTTL"],
    ["PERSIST"],
  );
}

function amount(d: Draw): Argument {
  return d.chance(0.1) ? d.value() : d.between(-100, 100);
}

export const string: Family = {
  name: "string",
  weight: 10,
  rows: [
    ["SET", 14, (d) => [d.key("string"), d.value()]],
    ["SET", 10, (d) => [
      d.key("string"),
      d.value(),
      ...d.shuffle([...d.maybe(0.4, d.pick(["NX", "XX", "nx"])), ...d.maybe(0.4, "GET")]),
      ...(d.chance(0.5) ? expiry(d) : []),
      ...d.maybe(0.05, d.pick(["NX", "KEEPTTL", "FOO"])),
    ], "no-large-integers"],
    ["GET", 10, (d) => [d.key("string")]],
    ["GETSET", 3, (d) => [d.key("string"), d.value()]],
    ["GETDEL", 3, (d) => [d.key("string")]],
    ["GETEX", 5, (d) => [d.key("string"), ...(d.chance(0.8) ? expiry(d) : [])], "no-large-integers"],
    ["SETNX", 3, (d) => [d.key("string"), d.value()]],
    ["SETEX", 3, (d) => [d.key("string"), d.seconds(), d.value()]],
    ["PSETEX", 3, (d) => [d.key("string"), d.milliseconds(), d.value()]],
    ["MGET", 4, (d) => d.some(1, 5, () => d.key("string"))],
    ["MSET", 4, (d) => [...d.some(1, 4, () => [d.key("string"), d.value()]).flat(), ...d.maybe(0.05, "odd")]],
    ["MSETNX", 3, (d) => [...d.some(1, 3, () => [d.key("string"), d.value()]).flat(), ...d.maybe(0.05, "odd")]],
    ["APPEND", 6, (d) => [d.key("string"), d.value()]],
    ["STRLEN", 4, (d) => [d.key("string")]],
    [
      "SETRANGE",
      5,
      (d) => [d.key("string"), d.chance(0.9) ? d.between(0, 80) : d.pick([-1, 536870912, 1000]), d.value()],
    ],
    ["GETRANGE", 5, (d) => [d.key("string"), d.index(), d.index()]],
    ["SUBSTR", 2, (d) => [d.key("string"), d.index(), d.index()]],
    ["INCR", 8, (d) => [d.key("string")]],
    ["DECR", 5, (d) => [d.key("string")]],
    ["INCRBY", 6, (d) => [d.key("string"), amount(d)]],
    ["DECRBY", 5, (d) => [d.key("string"), amount(d)]],
    ["INCRBYFLOAT", 6, (d) => [d.key("string"), d.chance(0.7) ? d.between(-1000, 1000) / 8 : d.score()]],
    ["SET", 3, (d) => [d.key("lcs"), d.word(d.between(0, 24), "abcd")], "none"],
    ["LCS", 4, (d) => [
      d.key("lcs"),
      d.key(d.chance(0.95) ? "lcs" : "list"),
      ...d.maybe(0.3, "LEN"),
      ...d.maybe(0.4, "IDX"),
      ...d.maybe(0.3, "MINMATCHLEN", d.between(-1, 5)),
      ...d.maybe(0.3, "WITHMATCHLEN"),
    ]],
  ],
};
