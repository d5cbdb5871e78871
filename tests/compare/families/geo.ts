/** Geo commands on sorted sets that hold positions only, around a few cities, the date line and the poles' limits. */

import type { Argument } from "../../kit/client.ts";
import type { Draw, Family } from "../family.ts";
import { DISTANCES } from "../same.ts";

const places: readonly (readonly [number, number])[] = [
  [13.361389, 38.115556],
  [15.087269, 37.502669],
  [2.349014, 48.864716],
  [-0.127758, 51.507351],
  [179.9, 10],
  [-179.9, 10.2],
  [0, 0],
  [100, 85],
  [-70, -85],
];

function position(d: Draw): Argument[] {
  if (d.chance(0.06)) return [d.pick([181, -181, "x", "nan", 180]), d.pick([86, -86, "", "85.05112878"])];
  const [longitude, latitude] = d.pick(places);
  return [
    longitude + d.between(-1000, 1000) / 1000,
    Math.max(-85, Math.min(85, latitude + d.between(-1000, 1000) / 1000)),
  ];
}

const unit = (d: Draw): string => d.pick(["m", "km", "ft", "mi", "KM", "km", "parsec"]);
const radius = (d: Draw): Argument => d.chance(0.08) ? d.pick([-1, 0, "x", "inf", 1e10]) : d.between(1, 3000);
const member = (d: Draw): string => `p${d.below(20)}`;
const order = (d: Draw): string => d.pick(["ASC", "DESC"]);
const shown = (d: Draw): Argument[] => [
  ...d.maybe(0.4, "WITHCOORD"),
  ...d.maybe(0.4, "WITHDIST"),
  ...d.maybe(0.3, "WITHHASH"),
];
const chosen = (
  d: Draw,
): Argument[] => [...d.maybe(0.6, order(d)), ...d.maybe(0.4, "COUNT", d.count(), ...d.maybe(0.2, "ANY"))];

function search(d: Draw): Argument[] {
  return [
    ...d.either<Argument>(["FROMMEMBER", member(d)], ["FROMLONLAT", ...position(d)]),
    ...d.either<Argument>(["BYRADIUS", radius(d), unit(d)], ["BYBOX", radius(d), radius(d), unit(d)]),
    ...chosen(d),
  ];
}

export const geo: Family = {
  name: "geo",
  weight: 3,
  rows: [
    ["GEOADD", 10, (d) => [
      d.key("geo"),
      ...d.maybe(0.2, d.pick(["NX", "XX", "CH"])),
      ...d.some(1, 4, () => [...position(d), member(d)]).flat(),
    ], "none"],
    ["GEODIST", 5, (d) => [d.key("geo"), member(d), member(d), ...d.maybe(0.6, unit(d))]],
    ["GEODIST", 1, (d) => [d.key("string"), member(d), member(d)]],
    ["GEOSEARCH", 1, (d) => [d.key("string"), ...search(d)]],
    ["GEOPOS", 4, (d) => [d.key("geo"), ...d.some(0, 4, () => member(d))]],
    ["GEOHASH", 4, (d) => [d.key("geo"), ...d.some(0, 4, () => member(d))]],
    ["GEOSEARCH", 8, (d) => [d.key("geo"), ...search(d), ...shown(d)]],
    ["GEOSEARCHSTORE", 3, (d) => [DISTANCES, d.key("geo"), ...search(d), ...d.maybe(0.3, "STOREDIST")], "none"],
    ["GEORADIUS", 4, (d) => [d.key("geo"), ...position(d), radius(d), unit(d), ...shown(d), ...chosen(d)]],
    ["GEORADIUS_RO", 2, (d) => [d.key("geo"), ...position(d), radius(d), unit(d), ...shown(d), ...chosen(d)]],
    ["GEORADIUSBYMEMBER", 3, (d) => [d.key("geo"), member(d), radius(d), unit(d), ...shown(d), ...chosen(d)]],
    ["GEORADIUSBYMEMBER_RO", 2, (d) => [d.key("geo"), member(d), radius(d), unit(d), ...shown(d), ...chosen(d)]],
    ["GEORADIUS", 1, (d) => [
      d.key("geo"),
      ...position(d),
      radius(d),
      unit(d),
      ...chosen(d),
      d.pick(["STORE", "STOREDIST"]),
      DISTANCES,
    ], "none"],
    ["ZRANGE", 2, () => [DISTANCES, 0, -1, "WITHSCORES"]],
  ],
};
