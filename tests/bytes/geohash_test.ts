/** Geohashes: known values, the way there and back, and that a cover of a shape leaves nothing out. */

import { assert, assertEquals } from "@std/assert";
import { latin1 } from "../../lib/bytes/ascii.ts";
import {
  Cover,
  decode,
  distance,
  encode,
  GEOHASH_TEXT,
  isOnMap,
  Position,
  Shape,
  writeGeohash,
} from "../../lib/bytes/geohash.ts";
import { Seeded } from "../kit/seeded.ts";
import { test } from "../kit/test.ts";

function geohashText({ longitude, latitude }: Position): string {
  const text = new Uint8Array(GEOHASH_TEXT);
  writeGeohash(text, 0, longitude, latitude);
  return latin1(text, 0, GEOHASH_TEXT);
}

test("scores, texts and distances that Redis documents", () => {
  assertEquals(encode(13.361389, 38.115556), 3479099956230698);
  assertEquals(encode(15.087269, 37.502669), 3479447370796909);
  assertEquals(encode(-180, -85.05112878), 0);
  assertEquals(encode(0, 0), 3 * 2 ** 50);
  const palermo = new Position();
  const catania = new Position();
  decode(3479099956230698, palermo);
  decode(3479447370796909, catania);
  assertEquals([palermo.longitude, palermo.latitude], [13.36138933897018433, 38.11555639549629859]);
  assertEquals(geohashText(palermo), "sqc8b49rny0");
  assertEquals(geohashText(catania), "sqdtr74hyu0");
  const metres = distance(palermo.longitude, palermo.latitude, catania.longitude, catania.latitude);
  assertEquals(metres.toFixed(4), "166274.1516");
});

test("a position comes back within half a cell, and again as the same score", () => {
  const random = new Seeded(41);
  const position = new Position();
  for (let i = 0; i < 20_000; i++) {
    const longitude = random.u32() / 2 ** 32 * 360 - 180;
    const latitude = (random.u32() / 2 ** 32 * 2 - 1) * 85.05112878;
    const score = encode(longitude, latitude);
    assert(Number.isSafeInteger(score) && score < 2 ** 52);
    decode(score, position);
    assert(Math.abs(position.longitude - longitude) <= 180 / 2 ** 26);
    assert(Math.abs(position.latitude - latitude) <= 85.06 / 2 ** 26);
    assertEquals(encode(position.longitude, position.latitude), score);
  }
});

test("what is no score of a position is decoded to some place on the map all the same", () => {
  const position = new Position();
  for (const score of [-1, 0.5, 2 ** 52, 2 ** 53 + 2, 2 ** 63, 2 ** 64, 1e300, -1e300, Infinity, -Infinity, -0]) {
    decode(score, position);
    assert(isOnMap(position.longitude, position.latitude), String(score));
  }
});

test("a cover of a shape contains every position that is inside", () => {
  const random = new Seeded(43);
  const shape = new Shape();
  const cover = new Cover();
  const position = new Position();
  let inside = 0;
  for (let round = 0; round < 400; round++) {
    shape.longitude = random.between(-120, 120) + random.u32() / 2 ** 32;
    shape.latitude = random.between(-60, 60) + random.u32() / 2 ** 32;
    shape.unit = random.pick([1, 1000, 0.3048]);
    const size = 10 ** random.between(0, 5) * random.between(1, 9) / shape.unit;
    shape.isBox = random.chance(0.5);
    shape.radius = size;
    shape.width = size * random.between(1, 3);
    shape.height = size * random.between(1, 3);
    cover.of(shape);
    shape.prepare();
    assert(cover.count >= 1 && cover.count <= 9);
    const degrees = size * shape.unit / 50_000;
    for (let i = 0; i < 50; i++) {
      const longitude = shape.longitude + (random.u32() / 2 ** 31 - 1) * degrees;
      const latitude = shape.latitude + (random.u32() / 2 ** 31 - 1) * degrees;
      if (!isOnMap(longitude, latitude)) continue;
      const score = encode(longitude, latitude);
      decode(score, position);
      if (!shape.contains(position)) continue;
      inside++;
      let ranges = 0;
      for (let k = 0; k < cover.count; k++) if (score >= cover.min[k] && score < cover.max[k]) ranges++;
      assertEquals(ranges, 1);
    }
  }
  assert(inside > 3000, String(inside));
});

test("what a shape contains, and how far that is, is what measuring says, to the last bit", () => {
  const random = new Seeded(44);
  const shape = new Shape();
  const position = new Position();
  let inside = 0;
  for (let round = 0; round < 3000; round++) {
    shape.longitude = random.pick([0, 180, -179.999, random.u32() / 2 ** 32 * 360 - 180]);
    shape.latitude = random.pick([0, 85, -85.05, (random.u32() / 2 ** 31 - 1) * 85]);
    shape.isBox = random.chance(0.5);
    shape.unit = random.pick([1, 1000, 0.3048, 1609.34]);
    const size = random.pick([0, 10 ** random.between(-3, 7), 20_020_000 + random.between(-2000, 2000)]) / shape.unit;
    shape.radius = size;
    shape.width = size * random.between(1, 3);
    shape.height = size * random.between(1, 3);
    const degrees = Math.min(360, size * shape.unit / 50_000);
    for (let i = 0; i < 30; i++) {
      if (i === 0) [position.longitude, position.latitude] = [shape.longitude, shape.latitude];
      else {
        position.longitude = shape.longitude + (random.u32() / 2 ** 31 - 1) * degrees;
        position.latitude = shape.latitude + (random.u32() / 2 ** 31 - 1) * degrees;
        if (position.longitude < -180) position.longitude += 360;
        if (position.longitude > 180) position.longitude -= 360;
        if (!isOnMap(position.longitude, position.latitude)) continue;
        // Exactly on the edge.
        if (i === 1 && !shape.isBox) {
          shape.unit = 1;
          shape.radius = distance(shape.longitude, shape.latitude, position.longitude, position.latitude);
        }
      }
      shape.prepare();
      const { longitude, latitude } = position;
      const metres = distance(shape.longitude, shape.latitude, longitude, latitude);
      const expected = shape.isBox
        ? !(distance(shape.longitude, latitude, shape.longitude, shape.latitude) > shape.height * shape.unit / 2) &&
          !(distance(longitude, latitude, shape.longitude, latitude) > shape.width * shape.unit / 2)
        : !(metres > shape.radius * shape.unit);
      assertEquals(shape.contains(position), expected);
      if (!expected) continue;
      inside++;
      assertEquals(shape.distance, metres);
    }
  }
  assert(inside > 20_000, String(inside));
});
