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
const TWO_32 = 4294967296;
const TWO_63 = 1n << 63n;
const ALPHABET = "0123456789bcdefghjkmnpqrstuvwxyz";

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
  return Math.floor(offset * 2 ** step);
}

function columnOf(longitude: number, step: number): number {
  return gridPlace((longitude + LONGITUDE_MAX) / LONGITUDE_SCALE, step);
}

function rowOf(latitude: number, step: number): number {
  return gridPlace((latitude + LATITUDE_MAX) / LATITUDE_SCALE, step);
}

/** Where a column begins, and where a row does. */
function longitudeOf(column: number, step: number): number {
  return -LONGITUDE_MAX + (column / 2 ** step) * LONGITUDE_SCALE;
}

function latitudeOf(row: number, step: number): number {
  return -LATITUDE_MAX + (row / 2 ** step) * LATITUDE_SCALE;
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
    low = score % TWO_32 | 0;
    high = score / TWO_32 | 0;
  } else {
    const bits = toUint64(score);
    low = Number(BigInt.asIntN(32, bits));
    high = Number(BigInt.asIntN(32, bits >> 32n));
  }
  const row = (gather(low) | (gather(high) << 16)) >>> 0;
  const column = (gather(low >>> 1) | (gather(high >>> 1) << 16)) >>> 0;
  const longitude = (longitudeOf(column, STEPS) + longitudeOf(column + 1, STEPS)) / 2;
  const latitude = (latitudeOf(row, STEPS) + latitudeOf(row + 1, STEPS)) / 2;
  position.longitude = Math.max(-LONGITUDE_MAX, Math.min(LONGITUDE_MAX, longitude));
  position.latitude = Math.max(-LATITUDE_MAX, Math.min(LATITUDE_MAX, latitude));
}

/** A double as the unsigned integer that C makes of it on x86-64, also where C promises nothing. */
function toUint64(score: number): bigint {
  if (score >= 2 ** 64 || score !== score) return 0n;
  if (score < -(2 ** 63)) return TWO_63;
  return BigInt.asUintN(64, BigInt(Math.trunc(score)));
}

/** The standard geohash of a position: 11 characters, of which the last says nothing. */
export function geohashText(longitude: number, latitude: number): string {
  const column = columnOf(longitude, STEPS);
  const row = gridPlace((latitude + 90) / 180, STEPS);
  const bits = (BigInt(highWord(column, row)) << 32n) | BigInt(lowWord(column, row));
  let text = "";
  for (let shift = 47n; text.length < 10; shift -= 5n) text += ALPHABET[Number((bits >> shift) & 31n)];
  return text + ALPHABET[0];
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
  return 2 * EARTH_RADIUS * Math.asin(Math.sqrt(a));
}

/** What is searched: a circle, or a box whose sides run north and east. Lengths are in the caller's unit, `unit` metres each. */
export class Shape {
  longitude = 0;
  latitude = 0;
  isBox = false;
  radius = 0;
  width = 0;
  height = 0;
  unit = 1;
  /** Metres to the position that `contains` found to be inside. */
  distance = 0;

  contains(position: Position): boolean {
    const { longitude, latitude } = position;
    if (this.isBox) {
      if (latitudeDistance(latitude, this.latitude) > this.height * this.unit / 2) return false;
      if (distance(longitude, latitude, this.longitude, latitude) > this.width * this.unit / 2) return false;
      this.distance = distance(this.longitude, this.latitude, longitude, latitude);
      return true;
    }
    this.distance = distance(this.longitude, this.latitude, longitude, latitude);
    return !(this.distance > this.radius * this.unit);
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
    const cells = 2 ** this.#step;
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
