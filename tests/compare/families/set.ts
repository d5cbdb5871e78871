/** Sets. What is removed at random is removed from both servers by the rest of the script, so that they stay equal. */

import type { Argument } from "../../kit/client.ts";
import type { Draw, Family } from "../family.ts";

const keys = (d: Draw): Argument[] => d.some(1, 4, () => d.key("set"));

export const set: Family = {
  name: "set",
  weight: 5,
  rows: [
    ["SADD", 14, (d) => [d.key("set"), ...d.some(1, 6, () => d.member())]],
    ["SADD", 6, (d) => [d.key("set"), ...d.some(1, 8, () => d.between(-5, 40))]],
    ["SREM", 6, (d) => [d.key("set"), ...d.some(1, 5, () => d.member())]],
    ["SMEMBERS", 5, (d) => [d.key("set")]],
    ["SCARD", 3, (d) => [d.key("set")]],
    ["SISMEMBER", 4, (d) => [d.key("set"), d.member()]],
    ["SMISMEMBER", 3, (d) => [d.key("set"), ...d.some(1, 4, () => d.member())]],
    ["SMOVE", 4, (d) => [d.key("set"), d.key("set"), d.member()]],
    ["SINTER", 4, keys],
    ["SUNION", 4, keys],
    ["SDIFF", 4, keys],
    ["SINTERSTORE", 3, (d) => [d.key("set"), ...keys(d)]],
    ["SUNIONSTORE", 2, (d) => [d.key("set"), ...keys(d)]],
    ["SDIFFSTORE", 3, (d) => [d.key("set"), ...keys(d)]],
    ["SINTERCARD", 4, (d) => {
      const list = keys(d);
      return [d.chance(0.95) ? list.length : d.between(-1, 5), ...list, ...d.maybe(0.5, "LIMIT", d.between(-1, 5))];
    }],
    ["SRANDMEMBER", 3, (d) => [d.key("set"), ...d.maybe(0.7, d.between(-6, 20))], "none"],
    ["SSCAN", 2, (d) => [
      d.key("set"),
      d.chance(0.9) ? 0 : d.pick(["-1", "x"]),
      ...d.maybe(0.5, "MATCH", d.pattern()),
      ...d.maybe(0.5, "COUNT", d.between(0, 20)),
    ]],
    ["SPOP", 2, (d) => [d.key("set"), d.pick([0, 100_000, -1, "x"])], "none"],
  ],
  scripts: [[2, (d) => {
    const key = d.key("set");
    return [["SPOP", key, ...d.maybe(0.6, d.between(1, 30))], ["SCARD", key], ["DEL", key]];
  }]],
};
