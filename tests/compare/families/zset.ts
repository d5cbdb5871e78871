/** Sorted sets. Ranges by lexical order are asked of sets with equal scores only: for others Redis promises nothing. */

import type { Argument } from "../../kit/client.ts";
import type { Draw, Family } from "../family.ts";

const bound = (d: Draw): Argument =>
  d.chance(0.15)
    ? d.pick(["-inf", "+inf", "inf", "(inf", "nan", "(", "x", ""])
    : (d.chance(0.3) ? "(" : "") + d.score();
const lexBound = (d: Draw): Argument =>
  d.chance(0.15) ? d.pick(["-", "+", "x", "", "(", "["]) : d.pick(["[", "("]) + d.member();
const limit = (d: Draw): Argument[] => d.maybe(0.4, "LIMIT", d.between(-1, 6), d.between(-2, 8));
const scores = (d: Draw): Argument[] => d.maybe(0.5, d.pick(["WITHSCORES", "withscores"]));
const low = (d: Draw): Argument => d.chance(0.5) ? d.pick(["-inf", -20, "(-5", "-"]) : bound(d);
const high = (d: Draw): Argument => d.chance(0.5) ? d.pick(["+inf", 40, "(15", "+"]) : bound(d);

function combined(d: Draw): Argument[] {
  const keys = d.some(1, 3, () => d.key(d.chance(0.85) ? "zset" : "set"));
  return [d.chance(0.96) ? keys.length : d.between(-1, 4), ...keys];
}

function weighted(d: Draw): Argument[] {
  const keys = combined(d);
  return [
    ...keys,
    ...(d.chance(0.4) ? ["WEIGHTS", ...d.some(keys.length - 1, keys.length - 1, () => d.score())] : []),
    ...d.maybe(0.4, "AGGREGATE", d.pick(["SUM", "MIN", "MAX", "max", "NOPE"])),
  ];
}

function rangeOptions(d: Draw): Argument[] {
  return [...d.maybe(0.3, d.pick(["BYSCORE", "BYLEX"])), ...d.maybe(0.3, "REV"), ...limit(d)];
}

export const zset: Family = {
  name: "zset",
  weight: 7,
  rows: [
    ["ZADD", 14, (d) => [d.key("zset"), ...d.some(1, 5, () => [d.score(), d.member()]).flat()]],
    ["ZADD", 5, (d) => [
      d.key("zset"),
      ...d.maybe(0.4, d.pick(["NX", "XX"])),
      ...d.maybe(0.4, d.pick(["GT", "LT"])),
      ...d.maybe(0.4, "CH"),
      ...d.maybe(0.3, "INCR"),
      ...d.some(1, d.chance(0.5) ? 1 : 3, () => [d.score(), d.member()]).flat(),
    ]],
    ["ZADD", 4, (d) => [d.key("lex"), ...d.some(1, 5, () => [0, d.member()]).flat()], "none"],
    ["ZREM", 5, (d) => [d.key(d.chance(0.7) ? "zset" : "lex"), ...d.some(1, 5, () => d.member())]],
    ["ZSCORE", 4, (d) => [d.key("zset"), d.member()]],
    ["ZMSCORE", 3, (d) => [d.key("zset"), ...d.some(1, 4, () => d.member())]],
    ["ZINCRBY", 6, (d) => [d.key("zset"), d.score(), d.member()]],
    ["ZCARD", 2, (d) => [d.key("zset")]],
    ["ZCOUNT", 4, (d) => [d.key("zset"), low(d), high(d)]],
    ["ZLEXCOUNT", 3, (d) => [d.key("lex"), lexBound(d), lexBound(d)]],
    ["ZRANK", 4, (d) => [d.key("zset"), d.member()]],
    ["ZREVRANK", 4, (d) => [d.key("zset"), d.member()]],
    ["ZRANGE", 6, (d) => [d.key("zset"), d.index(), d.index(), ...d.maybe(0.3, "REV"), ...scores(d)]],
    [
      "ZRANGE",
      4,
      (d) => [d.key("zset"), low(d), high(d), "BYSCORE", ...d.maybe(0.3, "REV"), ...limit(d), ...scores(d)],
    ],
    ["ZRANGE", 3, (d) => [d.key("lex"), lexBound(d), lexBound(d), "BYLEX", ...d.maybe(0.3, "REV"), ...limit(d)]],
    [
      "ZRANGE",
      1,
      (d) => [d.key("lex"), d.pick([0, "-", "[a"]), d.pick([-1, "+", "(m"]), ...rangeOptions(d), ...scores(d)],
    ],
    ["ZREVRANGE", 3, (d) => [d.key("zset"), d.index(), d.index(), ...scores(d)]],
    ["ZRANGEBYSCORE", 4, (d) => [d.key("zset"), low(d), high(d), ...scores(d), ...limit(d)]],
    ["ZREVRANGEBYSCORE", 3, (d) => [d.key("zset"), high(d), low(d), ...scores(d), ...limit(d)]],
    ["ZRANGEBYLEX", 3, (d) => [d.key("lex"), lexBound(d), lexBound(d), ...limit(d)]],
    ["ZREVRANGEBYLEX", 3, (d) => [d.key("lex"), lexBound(d), lexBound(d), ...limit(d)]],
    ["ZREMRANGEBYSCORE", 2, (d) => [d.key("zset"), bound(d), bound(d)]],
    ["ZREMRANGEBYRANK", 2, (d) => [d.key("zset"), d.between(-30, 3), d.between(-30, 3)]],
    ["ZREMRANGEBYLEX", 2, (d) => [d.key("lex"), lexBound(d), lexBound(d)]],
    ["ZRANGESTORE", 3, (d) => [d.key("zset"), d.key("zset"), d.index(), d.index(), ...d.maybe(0.3, "REV")]],
    ["ZRANGESTORE", 2, (d) => [d.key("zset"), d.key("zset"), low(d), high(d), "BYSCORE", ...limit(d)]],
    ["ZPOPMIN", 3, (d) => [d.key("zset"), ...d.maybe(0.5, d.count())]],
    ["ZPOPMAX", 3, (d) => [d.key("zset"), ...d.maybe(0.5, d.count())]],
    ["ZMPOP", 3, (d) => [...combined(d), d.pick(["MIN", "MAX", "min", "NOPE"]), ...d.maybe(0.5, "COUNT", d.count())]],
    ["ZUNION", 3, (d) => [...weighted(d), ...scores(d)]],
    ["ZINTER", 3, (d) => [...weighted(d), ...scores(d)]],
    ["ZDIFF", 3, (d) => [...combined(d), ...scores(d)]],
    ["ZUNIONSTORE", 3, (d) => [d.key("zset"), ...weighted(d)]],
    ["ZINTERSTORE", 3, (d) => [d.key("zset"), ...weighted(d)]],
    ["ZDIFFSTORE", 2, (d) => [d.key("zset"), ...combined(d)]],
    ["ZINTERCARD", 3, (d) => [...combined(d), ...d.maybe(0.5, "LIMIT", d.between(-1, 5))]],
    ["ZRANDMEMBER", 3, (d) => [
      d.key("zset"),
      ...d.either<Argument>([], [d.between(-5, 10)], [d.between(-5, 10), d.pick(["WITHSCORES", "NOPE"])]),
    ], "none"],
    ["ZSCAN", 2, (d) => [
      d.key("zset"),
      d.chance(0.9) ? 0 : d.pick(["-1", "x"]),
      ...d.maybe(0.5, "MATCH", d.pattern()),
      ...d.maybe(0.5, "COUNT", d.between(0, 20)),
    ]],
  ],
  scripts: [[2, (d) => [
    ["MULTI"],
    ...d.some(1, 3, () =>
      d.either<Argument>(
        [d.pick(["BZPOPMIN", "BZPOPMAX"]), ...d.some(1, 3, () => d.key("zset")), d.pick([0, 1, "0.5", "-1", "x"])],
        [
          "BZMPOP",
          d.pick([0, 1, "-1", "x"]),
          ...combined(d),
          d.pick(["MIN", "MAX"]),
          ...d.maybe(0.5, "COUNT", d.count()),
        ],
      )),
    ["EXEC"],
  ]]],
};
