/**
 * Searching in a geo index: GEOSEARCH, and GEORADIUS with its relatives, which it replaces.
 *
 * A search looks into the ranges of scores that cover the shape and measures every member there. What it finds is kept in typed
 * arrays: places in the sorted set (see `ZsetView.load`), distances and coordinates; members are read again only for the reply.
 */

import { lower, MIN_INT64, parseDouble } from "../bytes/ascii.ts";
import { Cover, decode, Position, Shape } from "../bytes/geohash.ts";
import type { Client } from "../engine/client.ts";
import { type Command, command } from "../engine/command.ts";
import { type ErrorReply, errorReply, NOT_INTEGER, SYNTAX } from "../resp/errors.ts";
import { EventClass, keyEvent } from "../store/events.ts";
import { Type } from "../store/record.ts";
import { ZsetView } from "../store/types/zset.ts";
import { findPosition, parsePosition, parseUnit, replyCoordinates, replyDistanceOf } from "./geo.ts";
import { replyMember } from "./zset_reply.ts";

const GEORADIUSSTORE = keyEvent(EventClass.ZSET, "georadiusstore");
const GEOSEARCHSTORE = keyEvent(EventClass.ZSET, "geosearchstore");

const WITHDIST = lower("withdist");
const WITHHASH = lower("withhash");
const WITHCOORD = lower("withcoord");
const ANY = lower("any");
const ASC = lower("asc");
const DESC = lower("desc");
const COUNT = lower("count");
const STORE = lower("store");
const STOREDIST = lower("storedist");
const FROMMEMBER = lower("frommember");
const FROMLONLAT = lower("fromlonlat");
const BYRADIUS = lower("byradius");
const BYBOX = lower("bybox");

const NOT_RADIUS = errorReply("ERR need numeric radius");
const NEGATIVE_RADIUS = errorReply("ERR radius cannot be negative");
const NOT_WIDTH = errorReply("ERR need numeric width");
const NOT_HEIGHT = errorReply("ERR need numeric height");
const NEGATIVE_BOX = errorReply("ERR height or width cannot be negative");
const NO_MEMBER = errorReply("ERR could not decode requested zset member");
const BAD_COUNT = errorReply("ERR COUNT must be > 0");
const ANY_WITHOUT_COUNT = errorReply("ERR the ANY argument requires COUNT argument");
const INCOMPATIBLE = "is not compatible with WITHDIST, WITHHASH and WITHCOORD options";
const RADIUS_STORE_WITH = errorReply(`ERR STORE option in GEORADIUS ${INCOMPATIBLE}`);
const SEARCH_STORE_WITH = errorReply(`ERR GEOSEARCHSTORE ${INCOMPATIBLE}`);

/** Commands that search, with their variants: GEORADIUS, GEORADIUSBYMEMBER, GEOSEARCH. */
const Search = { COORDINATES: 0, MEMBER: 1, SEARCH: 2 } as const;

/** The sorted set of the command that is being run, and one that is being made. */
const zset = new ZsetView();
const result = new ZsetView();
const position = new Position();
const cover = new Cover();

const georadius = command({
  name: "georadius",
  arity: -6,
  flags: "write denyoom",
  acl: "geo",
  since: "3.2.0",
  group: "geo",
  keys: ["1 RO access", "STORE(6) OW update", "STOREDIST(6) OW update"],
  complexity:
    "O(N+log(M)) where N is the number of elements inside the bounding box of the circular area delimited by center and radius and M is the number of items inside the index.",
  summary:
    "Query a sorted set representing a geospatial index to fetch members matching a given maximum distance from a point",
  syntax:
    "key longitude latitude radius unit=<M | KM | FT | MI> [WITHCOORD] [WITHDIST] [WITHHASH] count=[COUNT count [ANY@6.2.0]] order=[ASC | DESC] [STORE key] [STOREDIST key]",
  history: ["6.2.0 Added the `ANY` option for `COUNT`.", "7.0.0 Added support for uppercase unit names."],
  deprecatedSince: "6.2.0",
  replacedBy: "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` argument",
  run: (c) => search(c, Search.COORDINATES, 1, true),
});

const georadiusRo = command({
  name: "georadius_ro",
  arity: -6,
  flags: "readonly",
  keys: "1 RO access",
  acl: "geo",
  since: "3.2.10",
  group: "geo",
  complexity:
    "O(N+log(M)) where N is the number of elements inside the bounding box of the circular area delimited by center and radius and M is the number of items inside the index.",
  summary: "A read-only variant for GEORADIUS",
  syntax:
    "key longitude latitude radius unit=<M | KM | FT | MI> [WITHCOORD] [WITHDIST] [WITHHASH] count=[COUNT count [ANY@6.2.0]] order=[ASC | DESC]",
  history: ["6.2.0 Added the `ANY` option for `COUNT`."],
  deprecatedSince: "6.2.0",
  replacedBy: "`GEOSEARCH` with the `BYRADIUS` argument",
  run: (c) => search(c, Search.COORDINATES, 1, false),
});

const georadiusbymember = command({
  name: "georadiusbymember",
  arity: -5,
  flags: "write denyoom",
  acl: "geo",
  since: "3.2.0",
  group: "geo",
  keys: ["1 RO access", "STORE(5) OW update", "STOREDIST(5) OW update"],
  complexity:
    "O(N+log(M)) where N is the number of elements inside the bounding box of the circular area delimited by center and radius and M is the number of items inside the index.",
  summary:
    "Query a sorted set representing a geospatial index to fetch members matching a given maximum distance from a member",
  syntax:
    "key member radius unit=<M | KM | FT | MI> [WITHCOORD] [WITHDIST] [WITHHASH] count=[COUNT count [ANY]] order=[ASC | DESC] [STORE key] [STOREDIST key]",
  history: ["7.0.0 Added support for uppercase unit names."],
  deprecatedSince: "6.2.0",
  replacedBy: "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` and `FROMMEMBER` arguments",
  run: (c) => search(c, Search.MEMBER, 1, true),
});

const georadiusbymemberRo = command({
  name: "georadiusbymember_ro",
  arity: -5,
  flags: "readonly",
  keys: "1 RO access",
  acl: "geo",
  since: "3.2.10",
  group: "geo",
  complexity:
    "O(N+log(M)) where N is the number of elements inside the bounding box of the circular area delimited by center and radius and M is the number of items inside the index.",
  summary: "A read-only variant for GEORADIUSBYMEMBER",
  syntax:
    "key member radius unit=<M | KM | FT | MI> [WITHCOORD] [WITHDIST] [WITHHASH] count=[COUNT count [ANY]] order=[ASC | DESC]",
  deprecatedSince: "6.2.0",
  replacedBy: "`GEOSEARCH` with the `BYRADIUS` and `FROMMEMBER` arguments",
  run: (c) => search(c, Search.MEMBER, 1, false),
});

const geosearch = command({
  name: "geosearch",
  arity: -7,
  flags: "readonly",
  keys: "1 RO access",
  acl: "geo",
  since: "6.2.0",
  group: "geo",
  complexity:
    "O(N+log(M)) where N is the number of elements in the grid-aligned bounding box area around the shape provided as the filter and M is the number of items inside the shape",
  summary: "Query a sorted set representing a geospatial index to fetch members inside an area of a box or a circle.",
  syntax:
    "key from=<FROMMEMBER member | FROMLONLAT (longitude latitude)> by=<circle=(BYRADIUS radius unit=<M | KM | FT | MI>) | box=(BYBOX width height unit=<M | KM | FT | MI>)> order=[ASC | DESC] count=[COUNT count [ANY]] [WITHCOORD] [WITHDIST] [WITHHASH]",
  history: ["7.0.0 Added support for uppercase unit names."],
  run: (c) => search(c, Search.SEARCH, 1, false),
});

const geosearchstore = command({
  name: "geosearchstore",
  arity: -8,
  flags: "write denyoom",
  acl: "geo",
  since: "6.2.0",
  group: "geo",
  keys: ["1 OW update", "2 RO access"],
  complexity:
    "O(N+log(M)) where N is the number of elements in the grid-aligned bounding box area around the shape provided as the filter and M is the number of items inside the shape",
  summary:
    "Query a sorted set representing a geospatial index to fetch members inside an area of a box or a circle, and store the result in another key.",
  syntax:
    "destination source from=<FROMMEMBER member | FROMLONLAT (longitude latitude)> by=<circle=(BYRADIUS radius unit=<M | KM | FT | MI>) | box=(BYBOX width height unit=<M | KM | FT | MI>)> order=[ASC | DESC] count=[COUNT count [ANY]] [STOREDIST]",
  history: ["7.0.0 Added support for uppercase unit names."],
  run: (c) => search(c, Search.SEARCH, 2, true),
});

export const commands: Command[] = [
  georadius,
  georadiusRo,
  georadiusbymember,
  georadiusbymemberRo,
  geosearch,
  geosearchstore,
];

// ---- Shapes ----------------------------------------------------------------------------------------------------------------------

/** Argument i as a length; NaN after an error. */
function parseLength(c: Client, i: number, error: ErrorReply): number {
  const { args: a } = c;
  const length = parseDouble(a.buf, a.off[i], a.len[i]);
  if (length !== length) c.reply.error(error);
  return length;
}

function parseCircle(c: Client, i: number): boolean {
  const radius = parseLength(c, i, NOT_RADIUS);
  if (radius !== radius) return false;
  if (radius < 0) return c.fail(NEGATIVE_RADIUS);
  const unit = parseUnit(c, i + 1);
  if (unit < 0) return false;
  query.shape.isBox = false;
  query.shape.radius = radius;
  query.shape.unit = unit;
  return true;
}

function parseBox(c: Client, i: number): boolean {
  const width = parseLength(c, i, NOT_WIDTH);
  if (width !== width) return false;
  const height = parseLength(c, i + 1, NOT_HEIGHT);
  if (height !== height) return false;
  if (height < 0 || width < 0) return c.fail(NEGATIVE_BOX);
  const unit = parseUnit(c, i + 2);
  if (unit < 0) return false;
  query.shape.isBox = true;
  query.shape.width = width;
  query.shape.height = height;
  query.shape.unit = unit;
  return true;
}

// ---- Searching -------------------------------------------------------------------------------------------------------------------

/** A search: what its arguments say. */
class Query {
  readonly shape = new Shape();
  /** Of `Search`. */
  kind = 0;
  /** Whether the command may store what it finds. */
  stores = false;
  /** Argument that is the key to store in, 0 for none. */
  storeAt = 0;
  storeDistances = false;
  withDistance = false;
  withHash = false;
  withCoordinates = false;
  /** 1: nearest first; -1: farthest first; 0: as they are found. */
  order = 0;
  /** Number of results, 0 for all. */
  count = 0;
  any = false;
  fromMember = false;
  fromPosition = false;
  byRadius = false;
  byBox = false;

  reset(kind: number, stores: boolean): void {
    this.kind = kind;
    this.stores = stores;
    this.storeAt = kind === Search.SEARCH && stores ? 1 : 0;
    this.storeDistances =
      this.withDistance =
      this.withHash =
      this.withCoordinates =
      this.any =
        false;
    this.fromMember =
      this.fromPosition =
      this.byRadius =
      this.byBox =
        false;
    this.order = this.count = 0;
  }
}

const query = new Query();

/** What has been found: places in the sorted set, metres, coordinates. */
let found = 0;
let places = new Int32Array(64);
let distances = new Float64Array(64);
let longitudes = new Float64Array(64);
let latitudes = new Float64Array(64);

/** All commands that search. The index is argument `keyAt`. */
function search(c: Client, kind: number, keyAt: number, stores: boolean): void {
  const ref = c.readTyped(keyAt, Type.ZSET);
  if (ref < 0) return;
  if (ref !== 0) zset.open(c.db, ref);
  query.reset(kind, stores);
  const from = parseCentre(c, keyAt, ref !== 0);
  if (from < 0 || !parseOptions(c, from, ref !== 0) || !checkOptions(c)) return;
  if (ref === 0) {
    if (query.storeAt !== 0) storeNothing(c);
    else c.reply.array(0);
    return;
  }
  // The nearest are wanted, unless any will do.
  if (query.count !== 0 && query.order === 0 && !query.any) query.order = 1;
  findAll(query.any ? query.count : 0);
  const count = query.count === 0 ? found : Math.min(found, query.count);
  rank();
  if (query.storeAt === 0) replyFound(c, count);
  else if (count === 0) storeNothing(c);
  else storeFound(c, count);
}

/** The arguments before the options, which GEOSEARCH does not have; returns the index of the first option, -1 after an error. */
function parseCentre(c: Client, keyAt: number, exists: boolean): number {
  const { kind } = query;
  if (kind === Search.SEARCH) return keyAt + 1;
  if (kind === Search.COORDINATES) {
    if (!parsePosition(c, 2, position)) return -1;
  } else {
    if (!exists) return 5;
    if (!findPosition(c, zset, 2, position)) {
      c.reply.error(NO_MEMBER);
      return -1;
    }
  }
  setCentre();
  const radiusAt = kind === Search.COORDINATES ? 4 : 3;
  return parseCircle(c, radiusAt) ? radiusAt + 2 : -1;
}

/** What is searched lies around `position`. */
function setCentre(): void {
  query.shape.longitude = position.longitude;
  query.shape.latitude = position.latitude;
}

function parseOptions(c: Client, from: number, exists: boolean): boolean {
  const { args: a } = c;
  const isSearch = query.kind === Search.SEARCH;
  for (let i = from; i < a.argc; i++) {
    const left = a.argc - i - 1;
    if (a.is(i, WITHDIST)) query.withDistance = true;
    else if (a.is(i, WITHHASH)) query.withHash = true;
    else if (a.is(i, WITHCOORD)) query.withCoordinates = true;
    else if (a.is(i, ANY)) query.any = true;
    else if (a.is(i, ASC)) query.order = 1;
    else if (a.is(i, DESC)) query.order = -1;
    else if (a.is(i, COUNT) && left > 0) {
      query.count = a.int(++i);
      if (query.count !== query.count) return c.fail(NOT_INTEGER);
      if (query.count <= 0) return c.fail(BAD_COUNT);
    } else if (isSearch && query.stores && a.is(i, STOREDIST)) query.storeDistances = true;
    else if (!isSearch && query.stores && left > 0 && (a.is(i, STORE) || a.is(i, STOREDIST))) {
      query.storeDistances = a.is(i, STOREDIST);
      query.storeAt = ++i;
    } else {
      const used = isSearch ? parseSearchOption(c, i, left, exists) : 0;
      if (used < 0) return false;
      if (used === 0) return c.fail(SYNTAX);
      i += used;
    }
  }
  return true;
}

/** The options that only GEOSEARCH has; returns how many arguments follow the word, 0 when it is none, -1 after an error. */
function parseSearchOption(c: Client, i: number, left: number, exists: boolean): number {
  const { args: a } = c;
  if (left > 0 && !query.fromPosition && a.is(i, FROMMEMBER)) {
    query.fromMember = true;
    if (!exists) return 1;
    if (!findPosition(c, zset, i + 1, position)) {
      c.reply.error(NO_MEMBER);
      return -1;
    }
    setCentre();
    return 1;
  }
  if (left > 1 && !query.fromMember && a.is(i, FROMLONLAT)) {
    if (!parsePosition(c, i + 1, position)) return -1;
    query.fromPosition = true;
    setCentre();
    return 2;
  }
  if (left > 1 && !query.byBox && a.is(i, BYRADIUS)) {
    query.byRadius = true;
    return parseCircle(c, i + 1) ? 2 : -1;
  }
  if (left > 2 && !query.byRadius && a.is(i, BYBOX)) {
    query.byBox = true;
    return parseBox(c, i + 1) ? 3 : -1;
  }
  return 0;
}

/** What does not go together, or is missing. */
function checkOptions(c: Client): boolean {
  const isSearch = query.kind === Search.SEARCH;
  if (query.storeAt !== 0 && (query.withDistance || query.withHash || query.withCoordinates)) {
    return c.fail(isSearch ? SEARCH_STORE_WITH : RADIUS_STORE_WITH);
  }
  if (isSearch && !query.fromMember && !query.fromPosition) {
    return c.fail(
      errorReply(`ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for ${c.args.text(0)}`),
    );
  }
  if (isSearch && !query.byRadius && !query.byBox) {
    return c.fail(errorReply(`ERR exactly one of BYRADIUS and BYBOX can be specified for ${c.args.text(0)}`));
  }
  return query.any && query.count === 0 ? c.fail(ANY_WITHOUT_COUNT) : true;
}

/** Finds the members of `zset` that are in the shape; stops after `limit` of them if that is not 0. */
function findAll(limit: number): void {
  const { shape } = query;
  const measured = query.order !== 0 || query.withDistance || query.storeDistances;
  found = 0;
  cover.of(shape);
  shape.prepare();
  for (let k = 0; k < cover.count && (limit === 0 || found < limit); k++) {
    const max = cover.max[k];
    zset.startAtScore(cover.min[k]);
    while (zset.nextBelow(max) && (limit === 0 || found < limit)) {
      decode(zset.score, position);
      if (shape.contains(position)) addFound(measured ? shape.distance : 0);
    }
  }
}

function addFound(distance: number): void {
  if (found === places.length) {
    places = doubled(places, new Int32Array(found * 2));
    distances = doubled(distances, new Float64Array(found * 2));
    longitudes = doubled(longitudes, new Float64Array(found * 2));
    latitudes = doubled(latitudes, new Float64Array(found * 2));
  }
  places[found] = zset.place;
  distances[found] = distance;
  longitudes[found] = position.longitude;
  latitudes[found++] = position.latitude;
}

function doubled<T extends Int32Array | Float64Array>(old: T, grown: T): T {
  grown.set(old);
  return grown;
}

/** Indices into the arrays, and room for as many to be sorted with. */
let ranking = new Int32Array(64);
let merged = new Int32Array(64);
/** Up to so many are sorted by insertion. */
const FEW = 8;

/** Puts indices of the results into `ranking`, in the order in which they are wanted. */
function rank(): void {
  if (ranking.length < found) {
    ranking = new Int32Array(places.length);
    merged = new Int32Array(places.length);
  }
  for (let k = 0; k < found; k++) ranking[k] = k;
  const { order } = query;
  if (order === 0) return;
  // Signs decide the order; a sort that calls nobody takes a fifth of the time of the engines' own.
  if (order < 0) { for (let k = 0; k < found; k++) distances[k] = -distances[k]; }
  for (let from = 0; from < found; from += FEW) sortFew(from, Math.min(from + FEW, found));
  for (let width = FEW; width < found; width *= 2) {
    for (let from = 0; from < found; from += width * 2) {
      mergeTwo(from, Math.min(from + width, found), Math.min(from + width * 2, found));
    }
    [ranking, merged] = [merged, ranking];
  }
  if (order < 0) { for (let k = 0; k < found; k++) distances[k] = -distances[k]; }
}

/** Sorts `ranking[from, to)`; what is equally far stays in order. */
function sortFew(from: number, to: number): void {
  for (let k = from + 1; k < to; k++) {
    const index = ranking[k];
    const distance = distances[index];
    let place = k;
    for (; place > from && distances[ranking[place - 1]] > distance; place--) ranking[place] = ranking[place - 1];
    ranking[place] = index;
  }
}

/** Merges `ranking[from, middle)` and `ranking[middle, to)`, which are sorted, into `merged`. */
function mergeTwo(from: number, middle: number, to: number): void {
  let a = from;
  let b = middle;
  for (let k = from; k < to; k++) {
    if (b >= to || (a < middle && !(distances[ranking[a]] > distances[ranking[b]]))) merged[k] = ranking[a++];
    else merged[k] = ranking[b++];
  }
}

function replyFound(c: Client, count: number): void {
  const { reply } = c;
  const { withDistance, withHash, withCoordinates } = query;
  const parts = 1 + Number(withDistance) + Number(withHash) + Number(withCoordinates);
  reply.array(count);
  for (let k = 0; k < count; k++) {
    const i = ranking[k];
    zset.load(places[i]);
    if (parts > 1) reply.array(parts);
    replyMember(c, zset);
    if (withDistance) replyDistanceOf(c, distances[i] / query.shape.unit);
    if (withHash) replyHash(c, zset.score);
    if (withCoordinates) replyCoordinates(c, longitudes[i], latitudes[i]);
  }
}

/** A score as the integer that C makes of it. */
function replyHash(c: Client, score: number): void {
  const whole = Math.trunc(score);
  if (Number.isSafeInteger(whole)) c.reply.int(whole);
  else if (Math.abs(whole) < 2 ** 63) c.reply.bigint(BigInt(whole));
  else c.reply.bigint(MIN_INT64);
}

function storeFound(c: Client, count: number): void {
  const { args: a, db } = c;
  const table = result.create(db.keyspace);
  result.limits = c.engine.config.values;
  for (let k = 0; k < count; k++) {
    const i = ranking[k];
    zset.load(places[i]);
    const { member } = zset;
    member.asText();
    const score = query.storeDistances ? distances[i] / query.shape.unit : zset.score;
    table.add(score, member.buf, member.off, member.len);
  }
  result.store(db, a, query.storeAt);
  db.changed(a, query.storeAt, query.kind === Search.SEARCH ? GEOSEARCHSTORE : GEORADIUSSTORE, count);
  c.reply.int(count);
}

function storeNothing(c: Client): void {
  c.deleteKey(query.storeAt);
  c.reply.int(0);
}
