/** Times to live: always gone at once or far away, so that no outcome depends on the clock. */

import type { Argument } from "../../kit/client.ts";
import type { Draw, Family } from "../family.ts";

function condition(d: Draw): Argument[] {
  return d.either([], [], [d.pick(["NX", "XX", "GT", "LT", "gt", "NOPE"])], [
    d.pick(["XX", "NX"]),
    d.pick(["GT", "LT", "NX"]),
  ]);
}

export const expire: Family = {
  name: "expire",
  weight: 3,
  rows: [
    ["EXPIRE", 5, (d) => [d.anyKey(), d.seconds(), ...condition(d)]],
    ["PEXPIRE", 5, (d) => [d.anyKey(), d.milliseconds(), ...condition(d)]],
    ["EXPIREAT", 5, (d) => [d.anyKey(), d.chance(0.05) ? 1 : d.unixTime(), ...condition(d)]],
    ["PEXPIREAT", 5, (d) => [d.anyKey(), d.chance(0.05) ? 1 : d.unixMilliseconds(), ...condition(d)]],
    ["TTL", 4, (d) => [d.anyKey()]],
    ["PTTL", 4, (d) => [d.anyKey()]],
    ["EXPIRETIME", 4, (d) => [d.anyKey()]],
    ["PEXPIRETIME", 4, (d) => [d.anyKey()]],
    ["PERSIST", 4, (d) => [d.anyKey()]],
  ],
};
