/** SORT over lists, sets and sorted sets, with weights and fetched values in keys and hash fields. */

import type { Argument } from "../../kit/client.ts";
import type { Draw, Family } from "../family.ts";

function sortArguments(d: Draw): Argument[] {
  return [
    d.key(d.pick(["list", "set", "zset"])),
    ...d.maybe(0.4, "BY", d.pick(["weight:*", "object:*->weight", "nosort", "missing:*", "weight:*->", "*"])),
    ...d.maybe(0.4, "LIMIT", d.between(-1, 5), d.between(-1, 10)),
    ...d.maybe(0.3, "GET", d.pick(["#", "weight:*", "object:*->weight", "object:*->none", "x"])),
    ...d.maybe(0.2, "GET", "#"),
    ...d.maybe(0.3, d.pick(["ASC", "DESC"])),
    ...d.maybe(0.5, "ALPHA"),
  ];
}

export const sort: Family = {
  name: "sort",
  weight: 2,
  // Redis's SORT takes an errno that an earlier command has left (a score of 1e-400) for its own. Reading another score resets it.
  before: ["ZADD", "none:0", "XX", 1, "m"],
  rows: [
    ["SORT", 8, sortArguments],
    ["SORT_RO", 3, sortArguments],
    // By text, elements without a weight come in any order, which must not be stored.
    ["SORT", 2, (d) => {
      const chosen = sortArguments(d);
      return [...(chosen.includes("BY") ? chosen.filter((word) => word !== "ALPHA") : chosen), "STORE", "list:sorted"];
    }, "none"],
    ["LRANGE", 1, () => ["list:sorted", 0, -1]],
    ["RPUSH", 2, (d) => [d.key("list"), ...d.some(1, 4, () => d.between(0, 30))]],
    ["SET", 4, (d) => [`weight:${d.below(31)}`, d.chance(0.95) ? d.between(0, 40) : d.value()], "none"],
    ["HSET", 4, (d) => [`object:${d.below(31)}`, "weight", d.between(0, 40)], "none"],
  ],
};
