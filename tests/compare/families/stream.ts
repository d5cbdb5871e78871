/** Streams with explicit ids: what the clock would choose could not be compared. */

import type { Argument } from "../../kit/client.ts";
import { hostileArgument } from "../../kit/seeded.ts";
import type { Draw, Family } from "../family.ts";

const STAR = 42;

const id = (d: Draw): Argument =>
  d.chance(0.05)
    ? d.pick([
      "0-0",
      "18446744073709551615-18446744073709551615",
      "18446744073709551616-0",
      "x",
      "-",
      "1-x",
      "",
      "1-1-1",
      "-1-0",
    ])
    : d.chance(0.2)
    ? d.between(1, 60)
    : `${d.between(1, 60)}-${d.between(0, 3)}`;
/** Ids for XADD mostly grow with the draw, so that most are accepted. */
const nextId = (d: Draw): Argument => d.chance(0.3) ? `${d.between(1, 60)}-*` : id(d);
const rangeStart = (d: Draw): Argument => d.chance(0.4) ? "-" : (d.chance(0.2) ? "(" : "") + id(d);
const rangeEnd = (d: Draw): Argument => d.chance(0.4) ? "+" : (d.chance(0.2) ? "(" : "") + id(d);
const group = (d: Draw): string => `g${d.below(2)}`;
const consumer = (d: Draw): string => `c${d.below(3)}`;
const trim = (d: Draw): Argument[] => [
  ...d.either<Argument>(
    ["MAXLEN", ...d.maybe(0.4, d.pick(["~", "="])), d.between(-1, 15)],
    ["MINID", ...d.maybe(0.4, d.pick(["~", "="])), id(d)],
  ),
  ...d.maybe(0.15, "LIMIT", d.between(-1, 10)),
];
const fields = (d: Draw): Argument[] =>
  d.chance(0.5)
    ? ["f1", d.value(), "f2", d.value()]
    : [...d.some(1, 3, () => [d.member(), d.value()]).flat(), ...d.maybe(0.03, "odd")];

const add = (d: Draw): Argument[] => [
  d.key("stream"),
  ...d.maybe(0.1, "NOMKSTREAM"),
  ...(d.chance(0.15) ? trim(d) : []),
  nextId(d),
  ...fields(d),
];
/** The same with a hostile argument, but none that lets the clock choose the id. */
const addHostile = (d: Draw): Argument[] => {
  const args = add(d);
  const hostile = hostileArgument(d);
  const first = typeof hostile === "string" ? hostile.charCodeAt(0) : hostile instanceof Uint8Array ? hostile[0] : 0;
  if (first !== STAR) args[d.below(args.length)] = hostile;
  return args;
};

export const stream: Family = {
  name: "stream",
  weight: 6,
  rows: [
    ["XADD", 18, add, "none"],
    ["XADD", 2, addHostile, "none"],
    ["XLEN", 3, (d) => [d.key("stream")]],
    ["XRANGE", 6, (d) => [d.key("stream"), rangeStart(d), rangeEnd(d), ...d.maybe(0.4, "COUNT", d.count())]],
    ["XREVRANGE", 5, (d) => [d.key("stream"), rangeEnd(d), rangeStart(d), ...d.maybe(0.4, "COUNT", d.count())]],
    ["XDEL", 4, (d) => [d.key("stream"), ...d.some(1, 4, () => id(d))]],
    ["XTRIM", 3, (d) => [d.key("stream"), ...trim(d)]],
    ["XSETID", 2, (d) => [
      d.key("stream"),
      id(d),
      ...d.maybe(0.3, "ENTRIESADDED", d.between(-1, 100), "MAXDELETEDID", id(d)),
    ]],
    ["XREAD", 4, (d) => {
      const keys = d.some(1, 3, () => d.key("stream"));
      return [...d.maybe(0.5, "COUNT", d.count()), "STREAMS", ...keys, ...keys.map(() => d.chance(0.8) ? id(d) : "$")];
    }],
    [
      "XGROUP",
      6,
      (d) => ["CREATE", d.key("stream"), group(d), d.chance(0.3) ? "$" : id(d), ...d.maybe(0.5, "MKSTREAM")],
    ],
    [
      "XGROUP",
      2,
      (
        d,
      ) => [
        "SETID",
        d.key("stream"),
        group(d),
        d.chance(0.3) ? "$" : id(d),
        ...d.maybe(0.2, "ENTRIESREAD", d.between(-2, 50)),
      ],
    ],
    ["XGROUP", 1, (d) => ["DESTROY", d.key("stream"), group(d)]],
    ["XGROUP", 2, (d) => [d.pick(["CREATECONSUMER", "DELCONSUMER"]), d.key("stream"), group(d), consumer(d)]],
    ["XREADGROUP", 8, (d) => [
      "GROUP",
      group(d),
      consumer(d),
      ...d.maybe(0.6, "COUNT", d.count()),
      ...d.maybe(0.2, "NOACK"),
      "STREAMS",
      d.key("stream"),
      d.chance(0.7) ? ">" : id(d),
    ]],
    ["XACK", 4, (d) => [d.key("stream"), group(d), ...d.some(1, 4, () => id(d))]],
    ["XPENDING", 3, (d) => [d.key("stream"), group(d)]],
    ["XPENDING", 3, (d) => [
      d.key("stream"),
      group(d),
      ...d.maybe(0.2, "IDLE", 0),
      rangeStart(d),
      rangeEnd(d),
      d.count(),
      ...d.maybe(0.4, consumer(d)),
    ]],
    ["XCLAIM", 4, (d) => [
      d.key("stream"),
      group(d),
      consumer(d),
      0,
      ...d.some(1, 4, () => id(d)),
      ...d.maybe(0.2, "RETRYCOUNT", d.between(-1, 5)),
      ...d.maybe(0.3, "FORCE"),
      ...d.maybe(0.3, "JUSTID"),
      ...d.maybe(0.1, "LASTID", id(d)),
    ]],
    ["XAUTOCLAIM", 3, (d) => [
      d.key("stream"),
      group(d),
      consumer(d),
      0,
      d.chance(0.6) ? "0" : id(d),
      ...d.maybe(0.5, "COUNT", d.count()),
      ...d.maybe(0.3, "JUSTID"),
    ]],
    ["XINFO", 4, (d) =>
      d.either<Argument>(
        ["STREAM", d.key("stream"), ...d.maybe(0.4, "FULL", ...d.maybe(0.5, "COUNT", d.count()))],
        ["GROUPS", d.key("stream")],
        ["CONSUMERS", d.key("stream"), group(d)],
      )],
    ["XINFO", 1, () => ["HELP"]],
    ["XGROUP", 1, () => ["HELP"]],
  ],
};
