/**
 * Geohashes: positions on the earth as numbers, so that what is near each other mostly has near numbers. GEOADD stores them as the
 * scores of a sorted set, and a search looks into at most nine ranges of scores.
 *
 * The map (longitude ±180, latitude ±85.05112878, the limits of the web's Mercator projection) is a grid of 2^step columns and
 * rows. The number of a cell has the bits of column and row in turn, the column's above the row's: with 26 steps it has 52
 * bits, which a double holds. Columns and rows are plain numbers here, and only the score is put together, from two words of 32 bits.
 *
 * All formulas are those of Redis, step by step, since the last digits of coordinates and distances are seen by clients. What cannot be
 * promised is the last bit of a sine: it depends on the C library, and there on the processor. One distance in a thousand
 * differs in its 17th digit (only STOREDIST shows so many).
 */

import { fromLatin1 } from "./ascii.ts";

/** Steps of the scores. */
const STEPS = 26;
const LONGITUDE_MAX = 180;
const LATITUDE_MAX = 85.05112878;
const LATITUDE_SCALE = LATITUDE_MAX - -LATITUDE_MAX;
const LONGITUDE_SCALE = 360;
/** Mean radius, in metres. */
const EARTH_RADIUS = 6372797.560856;
/** Half the width of the Mercator map, in metres. */
const MERCATOR_MAX = 20037726.37;
const DEGREE = Math.PI / 180;
const TWO_31 = 2147483648;
const TWO_32 = 4294967296;
const TWO_63 = 1n << 63n;
const ALPHABET = fromLatin1("0123456789bcdefghjkmnpqrstuvwxyz");
/** Characters of a geohash as text. */
export const GEOHASH_TEXT = 11;
/** Number of columns (and of rows) with so many steps, and for `STEPS` a column's part of all. */
const CELLS = Float64Array.from({ length: STEPS + 1 }, (_, step) => 2 ** step);
const CELL = 2 ** -STEPS;

export function isOnMap(longitude: number, latitude: number): boolean {
  return longitude >= -LONGITUDE_MAX && longitude <= LONGITUDE_MAX && latitude >= -LATITUDE_MAX &&
    latitude <= LATITUDE_MAX;
}

/** Spreads the lower 16 bits to the even places of 32. */
function spread(x: number): number {
  x &= 0xffff;
  x = (x | (x << 8)) & 0x00ff00ff;
  x = (x | (x << 4)) & 0x0f0f0f0f;
  x = (x | (x << 2)) & 0x33333333;
  return (x | (x << 1)) & 0x55555555;
}

/** The opposite: gathers the even bits of 32. */
function gather(x: number): number {
  x &= 0x55555555;
  x = (x | (x >>> 1)) & 0x33333333;
  x = (x | (x >>> 2)) & 0x0f0f0f0f;
  x = (x | (x >>> 4)) & 0x00ff00ff;
  return (x | (x >>> 8)) & 0xffff;
}

/** The words of a cell's number; column and row have at most 27 bits. */
function lowWord(column: number, row: number): number {
  return (spread(row) | (spread(column) << 1)) >>> 0;
}

function highWord(column: number, row: number): number {
  return (spread(row >>> 16) | (spread(column >>> 16) << 1)) >>> 0;
}

/** Number of a cell; beyond 2^53, which only the eastern edge reaches, the nearest double. */
function cellNumber(column: number, row: number): number {
  return highWord(column, row) * TWO_32 + lowWord(column, row);
}

/** The column or row of a coordinate that is `offset` (0 … 1) of the way across the map. */
function gridPlace(offset: number, step: number): number {
  return Math.floor(offset * CELLS[step]);
}

function columnOf(longitude: number, step: number): number {
  return gridPlace((longitude + LONGITUDE_MAX) / LONGITUDE_SCALE, step);
}

function rowOf(latitude: number, step: number): number {
  return gridPlace((latitude + LATITUDE_MAX) / LATITUDE_SCALE, step);
}

/** Where a column begins, and where a row does. */
function longitudeOf(column: number, step: number): number {
  return -LONGITUDE_MAX + (column / CELLS[step]) * LONGITUDE_SCALE;
}

function latitudeOf(row: number, step: number): number {
  return -LATITUDE_MAX + (row / CELLS[step]) * LATITUDE_SCALE;
}

/** The score of a position, which must be on the map. */
export function encode(longitude: number, latitude: number): number {
  return cellNumber(columnOf(longitude, STEPS), rowOf(latitude, STEPS));
}

/** A position in degrees. */
export class Position {
  longitude = 0;
  latitude = 0;
}

/** Puts the middle of a score's cell in `position`. Any number is a score: it is what the sorted set happens to hold. */
export function decode(score: number, position: Position): void {
  let low: number;
  let high: number;
  if (score >= 0 && score < 2 ** 53) {
    high = (score / TWO_32) | 0;
    // Brought into the range of an int32 first: only there the conversion is one instruction everywhere.
    low = Math.floor(score - high * TWO_32 - TWO_31) ^ (1 << 31);
  } else {
    const bits = toUint64(score);
    low = Number(BigInt.asIntN(32, bits));
    high = Number(BigInt.asIntN(32, bits >> 32n));
  }
  const row = (gather(low) | (gather(high) << 16)) >>> 0;
  const column = (gather(low >>> 1) | (gather(high >>> 1) << 16)) >>> 0;
  // As `longitudeOf` and `latitudeOf` have them, on both sides.
  const west = -LONGITUDE_MAX + column * CELL * LONGITUDE_SCALE;
  const east = -LONGITUDE_MAX + (column + 1) * CELL * LONGITUDE_SCALE;
  const south = -LATITUDE_MAX + row * CELL * LATITUDE_SCALE;
  const north = -LATITUDE_MAX + (row + 1) * CELL * LATITUDE_SCALE;
  const longitude = (west + east) / 2;
  const latitude = (south + north) / 2;
  position.longitude = longitude > LONGITUDE_MAX ? LONGITUDE_MAX : longitude;
  position.latitude = latitude > LATITUDE_MAX ? LATITUDE_MAX : latitude;
}

/** A double as the unsigned integer that C makes of it on x86-64, also where C promises nothing. */
function toUint64(score: number): bigint {
  if (score >= 2 ** 64 || score !== score) return 0n;
  if (score < -(2 ** 63)) return TWO_63;
  return BigInt.asUintN(64, BigInt(Math.trunc(score)));
}

/** Writes the standard geohash of a position at `at`, `GEOHASH_TEXT` characters, of which the last says nothing. */
export function writeGeohash(buf: Uint8Array, at: number, longitude: number, latitude: number): void {
  const column = columnOf(longitude, STEPS);
  const row = gridPlace((latitude + 90) / 180, STEPS);
  const high = highWord(column, row);
  const low = lowWord(column, row);
  for (let shift = 15; shift >= 0; shift -= 5) buf[at++] = ALPHABET[(high >>> shift) & 31];
  for (let shift = 27; shift >= 2; shift -= 5) buf[at++] = ALPHABET[(low >>> shift) & 31];
  buf[at] = ALPHABET[0];
}

/** Metres between two latitudes. */
function latitudeDistance(latitude1: number, latitude2: number): number {
  return EARTH_RADIUS * Math.abs(latitude2 * DEGREE - latitude1 * DEGREE);
}

/** Metres between two positions, on a sphere (haversine formula). */
export function distance(longitude1: number, latitude1: number, longitude2: number, latitude2: number): number {
  const v = Math.sin((longitude2 * DEGREE - longitude1 * DEGREE) / 2);
  if (v === 0) return latitudeDistance(latitude1, latitude2);
  const lat1 = latitude1 * DEGREE;
  const lat2 = latitude2 * DEGREE;
  const u = Math.sin((lat2 - lat1) / 2);
  const a = u * u + Math.cos(lat1) * Math.cos(lat2) * v * v;
  return metresOf(a);
}

/** Metres of a haversine. */
function metresOf(a: number): number {
  return 2 * EARTH_RADIUS * Math.asin(Math.sqrt(a));
}

/** Room for rounding in comparisons that only tell what needs no closer look. */
const MARGIN = 1e-9;
/** The same in radians: some micrometres. */
const LEAST = 1e-12;

/**
 * A distance that others are compared with by their haversine `a` (the square of the sine of half the angle), without the arc sine that
 * makes metres of it, unless it is so close that rounding decides.
 */
class Limit {
  #metres = 0;
  /** Up to here it is certainly not exceeded, above there it certainly is. */
  #low = 0;
  #high = 0;

  set(metres: number): void {
    this.#metres = metres;
    const half = metres / (2 * EARTH_RADIUS);
    const a = Math.sin(half) * Math.sin(half);
    // Where the other side of the earth is near, always look closer.
    const isFar = !(half < 1.57);
    this.#low = isFar ? -1 : a * (1 - MARGIN);
    this.#high = isFar ? 2 : a * (1 + MARGIN);
  }

  isExceeded(a: number): boolean {
    if (a <= this.#low) return false;
    // Beyond 1, which rounding may lead to, there is no arc sine, and nothing is exceeded.
    if (a > this.#high && a <= 1) return true;
    return metresOf(a) > this.#metres;
  }
}

/**
 * What is searched: a circle, or a box whose sides run north and east. Lengths are in the caller's unit, `unit` metres each. When all
 * of that has been set, `prepare` must be called before `contains`.
 *
 * Most members that are looked at are outside. They are refused by their degrees if these alone say it, and what is inside is measured
 * only if somebody asks for the distance; each formula is that of `distance` above, of which parts are kept.
 */
export class Shape {
  longitude = 0;
  latitude = 0;
  isBox = false;
  radius = 0;
  width = 0;
  height = 0;
  unit = 1;
  /** The centre in radians, and the cosine of its latitude. */
  #longitude = 0;
  #latitude = 0;
  #cosine = 0;
  /** Differences from the centre, in radians, that nothing inside exceeds. */
  #mostLongitude = 0;
  #mostLatitude = 0;
  /** What a circle's radius allows; for a box, half its width. */
  readonly #limit = new Limit();
  /** Of the position that `contains` has found to be inside: radians, and the sine of half the difference of longitudes. */
  #foundLatitude = 0;
  #foundCosine = 0;
  #sine = 0;

  prepare(): void {
    const { isBox, unit } = this;
    this.#longitude = this.longitude * DEGREE;
    this.#latitude = this.latitude * DEGREE;
    this.#cosine = Math.cos(this.#latitude);
    const reach = isBox ? this.height * unit / 2 : this.radius * unit;
    this.#limit.set(isBox ? this.width * unit / 2 : reach);
    const angle = reach / EARTH_RADIUS * (1 + MARGIN) + LEAST;
    this.#mostLatitude = angle;
    // A circle that has a pole inside reaches all longitudes. A box is wider than its centre's parallel tells.
    const bounded = !isBox && Math.abs(this.#latitude) + angle < 1.57;
    this.#mostLongitude = bounded
      ? Math.asin(Math.min(1, Math.sin(angle) / this.#cosine)) * (1 + MARGIN) + LEAST
      : Infinity;
  }

  contains(position: Position): boolean {
    const latitude = position.latitude * DEGREE;
    const north = Math.abs(this.#latitude - latitude);
    if (north > this.#mostLatitude) return false;
    const east = position.longitude * DEGREE - this.#longitude;
    const away = Math.abs(east);
    if (away > this.#mostLongitude && 2 * Math.PI - away > this.#mostLongitude) return false;
    this.#foundLatitude = latitude;
    this.#sine = Math.sin(east / 2);
    this.#foundCosine = Math.cos(latitude);
    if (this.isBox) {
      if (EARTH_RADIUS * north > this.height * this.unit / 2) return false;
      return this.#sine === 0 ||
        !this.#limit.isExceeded(this.#foundCosine * this.#foundCosine * this.#sine * this.#sine);
    }
    if (this.#sine === 0) return !(EARTH_RADIUS * north > this.radius * this.unit);
    return !this.#limit.isExceeded(this.#haversine());
  }

  /** Metres to the position that `contains` has just found to be inside. */
  get distance(): number {
    if (this.#sine === 0) return EARTH_RADIUS * Math.abs(this.#foundLatitude - this.#latitude);
    return metresOf(this.#haversine());
  }

  #haversine(): number {
    const u = Math.sin((this.#foundLatitude - this.#latitude) / 2);
    return u * u + this.#cosine * this.#foundCosine * this.#sine * this.#sine;
  }
}

/** Steps whose cells are about as large as that radius. */
function estimateSteps(metres: number, latitude: number): number {
  if (metres === 0) return STEPS;
  let step = 1;
  for (; metres < MERCATOR_MAX; metres *= 2) step++;
  step -= 2;
  // Towards the poles the columns get narrow.
  if (latitude > 66 || latitude < -66) {
    step--;
    if (latitude > 80 || latitude < -80) step--;
  }
  return Math.max(1, Math.min(STEPS, step));
}

/** Ranges of scores that cover a shape: `count` of them, from `min[i]` to below `max[i]`. */
export class Cover {
  count = 0;
  readonly min = new Float64Array(9);
  readonly max = new Float64Array(9);
  #column = 0;
  #row = 0;
  #step = 0;

  /** Covers the shape by the cell of its centre and those of its eight neighbours that are needed. */
  of(shape: Shape): void {
    const { longitude, latitude, isBox, unit } = shape;
    const height = unit * (isBox ? shape.height / 2 : shape.radius);
    const width = unit * (isBox ? shape.width / 2 : shape.radius);
    const latitudeDelta = (height / EARTH_RADIUS) / DEGREE;
    const away = latitude < 0 ? latitude - latitudeDelta : latitude + latitudeDelta;
    const longitudeDelta = (width / EARTH_RADIUS / Math.cos(away * DEGREE)) / DEGREE;
    const west = longitude - longitudeDelta;
    const east = longitude + longitudeDelta;
    const south = latitude - latitudeDelta;
    const north = latitude + latitudeDelta;

    const half = isBox
      ? Math.sqrt((shape.width / 2) * (shape.width / 2) + (shape.height / 2) * (shape.height / 2))
      : shape.radius;
    this.#locate(longitude, latitude, estimateSteps(half * unit, latitude));
    if (this.#step > 1 && this.#isTooSmall(west, east, south, north)) {
      this.#locate(longitude, latitude, this.#step - 1);
    }
    const step = this.#step;
    const isCoarse = step < 2;
    const needSouth = isCoarse || !(latitudeOf(this.#row, step) < south);
    const needNorth = isCoarse || !(latitudeOf(this.#row + 1, step) > north);
    const needWest = isCoarse || !(longitudeOf(this.#column, step) < west);
    const needEast = isCoarse || !(longitudeOf(this.#column + 1, step) > east);
    this.count = 0;
    this.#add(0, 0);
    if (needNorth) this.#add(0, 1);
    if (needSouth) this.#add(0, -1);
    if (needEast) this.#add(1, 0);
    if (needWest) this.#add(-1, 0);
    if (needNorth && needEast) this.#add(1, 1);
    if (needNorth && needWest) this.#add(-1, 1);
    if (needSouth && needEast) this.#add(1, -1);
    if (needSouth && needWest) this.#add(-1, -1);
  }

  #locate(longitude: number, latitude: number, step: number): void {
    this.#step = step;
    this.#column = columnOf(longitude, step);
    this.#row = rowOf(latitude, step);
  }

  /** Whether the nine cells leave out a part of the box. */
  #isTooSmall(west: number, east: number, south: number, north: number): boolean {
    const step = this.#step;
    return latitudeOf(this.#neighbour(this.#row, 1) + 1, step) < north ||
      latitudeOf(this.#neighbour(this.#row, -1), step) > south ||
      longitudeOf(this.#neighbour(this.#column, 1) + 1, step) < east ||
      longitudeOf(this.#neighbour(this.#column, -1), step) > west;
  }

  /** The next or previous column or row, around the map. */
  #neighbour(place: number, by: number): number {
    const cells = CELLS[this.#step];
    return (place + by + cells) % cells;
  }

  #add(columns: number, rows: number): void {
    const number = cellNumber(
      columns === 0 ? this.#column : this.#neighbour(this.#column, columns),
      rows === 0 ? this.#row : this.#neighbour(this.#row, rows),
    );
    const size = 2 ** (52 - this.#step * 2);
    const { count } = this;
    // In a coarse grid neighbours are the same cell again and again. Redis compares with the one before only, and never with the centre.
    if (count > 1 && this.min[count - 1] === number * size) return;
    this.min[count] = number * size;
    this.max[count] = (number + 1) * size;
    this.count++;
  }
}
