/** HyperLogLogs. They are strings, and GET compares every register. */

import type { Family } from "../family.ts";

export const hyperloglog: Family = {
  name: "hyperloglog",
  weight: 2,
  rows: [
    ["PFADD", 10, (d) => [d.key("hll"), ...d.some(0, 8, () => d.chance(0.5) ? d.member() : d.u32())]],
    ["PFCOUNT", 6, (d) => d.some(1, 3, () => d.key("hll"))],
    ["PFMERGE", 4, (d) => d.some(1, 4, () => d.key("hll"))],
    ["GET", 3, (d) => [d.key("hll")]],
    ["STRLEN", 1, (d) => [d.key("hll")]],
    ["APPEND", 1, (d) => [d.key("hll"), d.value()]],
    ["SET", 1, (d) => [d.key("hll"), d.pick(["HYLL", "", "not one", "HYLL\x02" + "\0".repeat(20)])]],
  ],
};
