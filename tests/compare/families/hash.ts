/** Hashes. */

import type { Argument } from "../../kit/client.ts";
import type { Family } from "../family.ts";

export const hash: Family = {
  name: "hash",
  weight: 5,
  rows: [
    [
      "HSET",
      12,
      (d) => [d.key("hash"), ...d.some(1, 5, () => [d.member(), d.value()]).flat(), ...d.maybe(0.03, "odd")],
    ],
    [
      "HMSET",
      3,
      (d) => [d.key("hash"), ...d.some(1, 3, () => [d.member(), d.value()]).flat(), ...d.maybe(0.03, "odd")],
    ],
    ["HSETNX", 4, (d) => [d.key("hash"), d.member(), d.value()]],
    ["HGET", 6, (d) => [d.key("hash"), d.member()]],
    ["HMGET", 4, (d) => [d.key("hash"), ...d.some(1, 4, () => d.member())]],
    ["HGETALL", 4, (d) => [d.key("hash")]],
    ["HKEYS", 3, (d) => [d.key("hash")]],
    ["HVALS", 3, (d) => [d.key("hash")]],
    ["HLEN", 3, (d) => [d.key("hash")]],
    ["HEXISTS", 4, (d) => [d.key("hash"), d.member()]],
    ["HSTRLEN", 3, (d) => [d.key("hash"), d.member()]],
    ["HDEL", 6, (d) => [d.key("hash"), ...d.some(1, 5, () => d.member())]],
    ["HINCRBY", 6, (d) => [d.key("hash"), d.member(), d.chance(0.9) ? d.between(-50, 50) : d.value()]],
    ["HINCRBYFLOAT", 6, (d) => [d.key("hash"), d.member(), d.chance(0.8) ? d.between(-500, 500) / 8 : d.score()]],
    ["HRANDFIELD", 3, (d) => [
      d.key("hash"),
      ...d.either<Argument>([], [d.between(-5, 10)], [d.between(-5, 10), d.pick(["WITHVALUES", "NOPE"])]),
    ], "none"],
    ["HSCAN", 2, (d) => [
      d.key("hash"),
      d.chance(0.9) ? 0 : d.pick(["-1", "x"]),
      ...d.maybe(0.5, "MATCH", d.pattern()),
      ...d.maybe(0.5, "COUNT", d.between(0, 20)),
    ]],
  ],
};
