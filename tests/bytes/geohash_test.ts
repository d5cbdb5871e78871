/** Geohashes: known values, the way there and back, and that a cover of a shape leaves nothing out. */

import { assert, assertEquals } from "@std/assert";
import { Cover, decode, distance, encode, geohashText, isOnMap, Position, Shape } from "../../lib/bytes/geohash.ts";
import { Seeded } from "../kit/seeded.ts";
import { test } from "../kit/test.ts";

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
  assertEquals(geohashText(palermo.longitude, palermo.latitude), "sqc8b49rny0");
  assertEquals(geohashText(catania.longitude, catania.latitude), "sqdtr74hyu0");
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
