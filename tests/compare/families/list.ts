/** Lists. Blocking commands come inside MULTI, where they never block. */

import type { Argument } from "../../kit/client.ts";
import type { Draw, Family } from "../family.ts";

const end = (d: Draw): string => d.pick(["LEFT", "RIGHT", "left", "right"]);
const timeout = (d: Draw): Argument =>
  d.chance(0.9) ? d.between(0, 2) : d.pick(["0.5", "-1", "x", "inf", "1e400", "9223372036854775807"]);

function counted(d: Draw): Argument[] {
  const keys = d.some(1, 3, () => d.key("list"));
  return [d.chance(0.95) ? keys.length : d.between(-1, 4), ...keys, end(d), ...d.maybe(0.5, "COUNT", d.count())];
}

export const list: Family = {
  name: "list",
  weight: 6,
  rows: [
    ["RPUSH", 10, (d) => [d.key("list"), ...d.some(1, 6, () => d.member())]],
    ["LPUSH", 10, (d) => [d.key("list"), ...d.some(1, 6, () => d.member())]],
    ["RPUSHX", 2, (d) => [d.key("list"), ...d.some(1, 3, () => d.member())]],
    ["LPUSHX", 2, (d) => [d.key("list"), ...d.some(1, 3, () => d.member())]],
    ["LPOP", 5, (d) => [d.key("list"), ...d.maybe(0.4, d.count())]],
    ["RPOP", 5, (d) => [d.key("list"), ...d.maybe(0.4, d.count())]],
    ["LLEN", 3, (d) => [d.key("list")]],
    ["LINDEX", 5, (d) => [d.key("list"), d.index()]],
    ["LRANGE", 8, (d) => [d.key("list"), d.index(), d.index()]],
    ["LSET", 5, (d) => [d.key("list"), d.index(), d.member()]],
    ["LINSERT", 5, (d) => [d.key("list"), d.pick(["BEFORE", "AFTER", "before", "NOPE"]), d.member(), d.member()]],
    ["LREM", 4, (d) => [d.key("list"), d.between(-3, 3), d.member()]],
    ["LTRIM", 3, (d) => [d.key("list"), d.between(-30, 4), d.between(-4, 30)]],
    ["LPOS", 5, (d) => [
      d.key("list"),
      d.member(),
      ...d.maybe(0.5, "RANK", d.between(-4, 4)),
      ...d.maybe(0.5, "COUNT", d.between(-1, 4)),
      ...d.maybe(0.3, "MAXLEN", d.between(-1, 20)),
    ]],
    ["RPOPLPUSH", 4, (d) => [d.key("list"), d.key("list")]],
    ["LMOVE", 5, (d) => [d.key("list"), d.key("list"), end(d), end(d)]],
    ["LMPOP", 4, counted],
  ],
  scripts: [[3, (d) => [
    ["MULTI"],
    ...d.some(1, 3, () =>
      d.either<Argument>(
        [d.pick(["BLPOP", "BRPOP"]), ...d.some(1, 3, () => d.key("list")), timeout(d)],
        ["BRPOPLPUSH", d.key("list"), d.key("list"), timeout(d)],
        ["BLMOVE", d.key("list"), d.key("list"), end(d), end(d), timeout(d)],
        ["BLMPOP", timeout(d), ...counted(d)],
      )),
    ["EXEC"],
  ]]],
};
