/**
 * Geo commands: positions are scores of sorted sets (bytes/geohash.ts), so a geo index is a sorted set like any other. Searches are in
 * geo_search.ts.
 */

import { lower, parseDouble, writeDigits, writeInt } from "../bytes/ascii.ts";
import { decode, distance, encode, GEOHASH_TEXT, isOnMap, Position, writeGeohash } from "../bytes/geohash.ts";
import { HUMAN_DOUBLE, writeHumanDouble } from "../bytes/longdouble.ts";
import type { Client } from "../engine/client.ts";
import { type Command, command } from "../engine/command.ts";
import type { Part } from "../bytes/args.ts";
import { errorReply, NOT_FLOAT, SYNTAX } from "../resp/errors.ts";
import { Type } from "../store/record.ts";
import { AddFlag, ZsetView } from "../store/types/zset.ts";
import { addScored } from "./zset.ts";

const NX = lower("nx");
const XX = lower("xx");
const CH = lower("ch");

/** Units and their metres. */
const UNITS: readonly (readonly [Uint8Array, number])[] = [
  [lower("m"), 1],
  [lower("km"), 1000],
  [lower("ft"), 0.3048],
  [lower("mi"), 1609.34],
];

const NO_UNIT = errorReply("ERR unsupported unit provided. please use M, KM, FT, MI");

/** The sorted set of the command that is being run. */
const zset = new ZsetView();
const position = new Position();
const other = new Position();
/** Scores of the GEOADD that is being run. */
let scores = new Float64Array(64);
/** Numbers are written here, and geohashes. */
const digits = new Uint8Array(HUMAN_DOUBLE);
const POINT = 46;

const geoadd = command({
  name: "geoadd",
  arity: -5,
  flags: "write denyoom quick",
  keys: "1 RW update",
  acl: "geo",
  since: "3.2.0",
  group: "geo",
  complexity: "O(log(N)) for each item added, where N is the number of elements in the sorted set.",
  summary: "Add one or more geospatial items in the geospatial index represented using a sorted set",
  syntax: "key condition=[NX | XX]@6.2.0 [change=CH@6.2.0] longitude latitude member [longitude latitude member ...]",
  history: ["6.2.0 Added the `CH`, `NX` and `XX` options."],
  run: addPositions,
});

const geodist = command({
  name: "geodist",
  arity: -4,
  flags: "readonly quick",
  keys: "1 RO access",
  acl: "geo",
  since: "3.2.0",
  group: "geo",
  complexity: "O(log(N))",
  summary: "Returns the distance between two members of a geospatial index",
  syntax: "key member1 member2 unit=[M | KM | FT | MI]",
  run: replyDistance,
});

const geohash = command({
  name: "geohash",
  arity: -2,
  flags: "readonly quick",
  keys: "1 RO access",
  acl: "geo",
  since: "3.2.0",
  group: "geo",
  complexity: "O(log(N)) for each member requested, where N is the number of elements in the sorted set.",
  summary: "Returns members of a geospatial index as standard geohash strings",
  syntax: "key member [member ...]",
  run: (c) => replyPositions(c, true),
});

const geopos = command({
  name: "geopos",
  arity: -2,
  flags: "readonly quick",
  keys: "1 RO access",
  acl: "geo",
  since: "3.2.0",
  group: "geo",
  complexity: "O(N) where N is the number of members requested.",
  summary: "Returns longitude and latitude of members of a geospatial index",
  syntax: "key member [member ...]",
  run: (c) => replyPositions(c, false),
});

export const commands: Command[] = [geoadd, geodist, geohash, geopos];

// ---- Adding ----------------------------------------------------------------------------------------------------------------------

/** GEOADD: a ZADD of the positions' scores, and propagated as one. */
function addPositions(c: Client): void {
  const { args: a } = c;
  let flags = 0;
  let ch = false;
  let from = 2;
  for (; from < a.argc; from++) {
    if (a.is(from, NX)) flags |= AddFlag.NX;
    else if (a.is(from, XX)) flags |= AddFlag.XX;
    else if (a.is(from, CH)) ch = true;
    else break;
  }
  const rest = a.argc - from;
  if (rest === 0 || rest % 3 !== 0 || flags === (AddFlag.NX | AddFlag.XX)) return c.reply.error(SYNTAX);
  const count = rest / 3;
  if (count > scores.length) scores = new Float64Array(count * 2);
  for (let k = 0, i = from; k < count; k++, i += 3) {
    if (!parsePosition(c, i, position)) return;
    scores[k] = encode(position.longitude, position.latitude);
  }
  addScored(c, flags, ch, from, 3, scores);
  if (c.engine.propagation.active) propagateAdd(c, from, count);
}

function propagateAdd(c: Client, from: number, count: number): void {
  const { args: a } = c;
  const parts: Part[] = ["zadd"];
  for (let i = 1; i < from; i++) parts.push(a.bytes(i));
  for (let k = 0; k < count; k++) parts.push(scores[k], a.bytes(from + k * 3 + 2));
  c.engine.propagation.rewrite(...parts);
}

// ---- Reading ---------------------------------------------------------------------------------------------------------------------

/** GEOHASH and GEOPOS. */
function replyPositions(c: Client, asText: boolean): void {
  const { args: a, reply } = c;
  const ref = c.readTyped(1, Type.ZSET);
  if (ref < 0) return;
  if (ref !== 0) zset.open(c.db, ref);
  reply.array(a.argc - 2);
  for (let i = 2; i < a.argc; i++) {
    const exists = ref !== 0 && findPosition(c, zset, i, position);
    if (asText) {
      if (exists) replyGeohash(c);
      else reply.null();
    } else if (exists) replyCoordinates(c, position.longitude, position.latitude);
    else reply.nullArray();
  }
}

function replyGeohash(c: Client): void {
  writeGeohash(digits, 0, position.longitude, position.latitude);
  c.reply.bulk(digits, 0, GEOHASH_TEXT);
}

/** Puts the position of the member that argument i names into `into`; false when there is none. */
export function findPosition(c: Client, zset: ZsetView, i: number, into: Position): boolean {
  const { args: a } = c;
  if (!zset.find(a.buf, a.off[i], a.len[i])) return false;
  decode(zset.score, into);
  return true;
}

function replyDistance(c: Client): void {
  const { args: a, reply } = c;
  if (a.argc > 5) return reply.error(SYNTAX);
  const unit = a.argc === 5 ? parseUnit(c, 4) : 1;
  if (unit < 0) return;
  const ref = c.readTyped(1, Type.ZSET);
  if (ref < 0) return;
  if (ref === 0) return reply.null();
  zset.open(c.db, ref);
  if (!findPosition(c, zset, 2, position) || !findPosition(c, zset, 3, other)) return reply.null();
  const metres = distance(position.longitude, position.latitude, other.longitude, other.latitude);
  replyDistanceOf(c, metres / unit);
}

/** Four decimals, rounded to even; what has no digits becomes the least integer, as in C. */
export function replyDistanceOf(c: Client, value: number): void {
  if (value !== value) return c.reply.text("-922337203685477.5808");
  const scaled = value * 10000;
  let units = Math.floor(scaled);
  const rest = scaled - units;
  if (rest > 0.5 || (rest === 0.5 && units % 2 === 1)) units++;
  const whole = Math.floor(units / 10000);
  const point = writeInt(digits, 0, whole);
  digits[point] = POINT;
  c.reply.bulk(digits, 0, writeDigits(digits, point + 1, units - whole * 10000, 4));
}

/** A pair of degrees. */
export function replyCoordinates(c: Client, longitude: number, latitude: number): void {
  c.reply.array(2);
  replyCoordinate(c, longitude);
  replyCoordinate(c, latitude);
}

function replyCoordinate(c: Client, degrees: number): void {
  const { reply } = c;
  const length = writeHumanDouble(digits, 0, degrees);
  if (reply.resp3) reply.doubleText(digits, length);
  else reply.bulk(digits, 0, length);
}

// ---- Arguments -------------------------------------------------------------------------------------------------------------------

/** Arguments i and i + 1 as longitude and latitude; false when they are none, which has been replied. */
export function parsePosition(c: Client, i: number, into: Position): boolean {
  const { args: a } = c;
  const longitude = parseDouble(a.buf, a.off[i], a.len[i]);
  if (longitude !== longitude) return c.fail(NOT_FLOAT);
  const latitude = parseDouble(a.buf, a.off[i + 1], a.len[i + 1]);
  if (latitude !== latitude) return c.fail(NOT_FLOAT);
  if (!isOnMap(longitude, latitude)) {
    return c.fail(
      errorReply(`ERR invalid longitude,latitude pair ${sixDecimals(longitude)},${sixDecimals(latitude)}`),
    );
  }
  into.longitude = longitude;
  into.latitude = latitude;
  return true;
}

/** As C's %f. */
function sixDecimals(n: number): string {
  if (n === Infinity) return "inf";
  if (n === -Infinity) return "-inf";
  if (Math.abs(n) >= 1e21) return `${BigInt(n)}.000000`;
  return n === 0 && 1 / n < 0 ? "-0.000000" : n.toFixed(6);
}

/** Metres of the unit in argument i, -1 after an error. */
export function parseUnit(c: Client, i: number): number {
  for (const [word, metres] of UNITS) if (c.args.is(i, word)) return metres;
  c.reply.error(NO_UNIT);
  return -1;
}
