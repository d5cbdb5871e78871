/** Geo commands: against redis-server, searches against measuring every member, and what they cause besides their reply. */

import { assert, assertEquals } from "@std/assert";
import { decode, Position, Shape } from "../../lib/bytes/geohash.ts";
import type { Command } from "../kit/client.ts";
import { assertSameAsRedis, words } from "../kit/differential.ts";
import { InProcess } from "../kit/inprocess.ts";
import { Seeded } from "../kit/seeded.ts";
import { test } from "../kit/test.ts";

test("geo commands reply as Redis does, options and errors included", async () => {
  const commands: Command[] = [
    "SET string x",
    "GEOADD g 13.361389 38.115556 Palermo 15.087269 37.502669 Catania",
    "GEOADD g NX 1 1 Palermo 2.349014 48.864716 Paris",
    "GEOADD g XX CH 2.35 48.86 Paris 0 0 none",
    "GEOADD g CH 180 85.05112878 corner -180 -85.05112878 origin 180 0 edge",
    "ZADD g 5.5 half -1 minus inf inf -inf minusinf 9007199254740993 big 1e30 huge",
    "GEOADD g",
    "GEOADD g NX XX 1 1 a",
    "GEOADD g NX CH XX",
    "GEOADD g NX CH CH",
    "GEOADD g 1 1 a 2",
    "GEOADD g x 1 a",
    "GEOADD g 1 y a",
    "GEOADD g 181 1 a",
    "GEOADD g 1 86 a",
    "GEOADD g -1e300 -0 a",
    "GEOADD g inf -inf a",
    "GEOADD g nan 1 a",
    "GEOADD string 1 1 a",
    "GEOADD string 200 1 a",
    "ZRANGE g 0 -1 WITHSCORES",
    "GEOPOS g",
    "GEOPOS g Palermo none Catania Paris corner origin edge half minus inf minusinf big huge",
    "GEOPOS none a",
    "GEOPOS string a",
    "GEOHASH g",
    "GEOHASH g Palermo none Catania Paris corner origin edge half minus inf minusinf big huge",
    "GEOHASH none a",
    "GEODIST g Palermo Catania",
    "GEODIST g Palermo Catania km",
    "GEODIST g Palermo Catania FT",
    "GEODIST g Palermo Catania mi",
    "GEODIST g Palermo Catania parsec",
    "GEODIST g Palermo Palermo",
    "GEODIST g Palermo corner",
    "GEODIST g edge origin",
    "GEODIST g Palermo none",
    "GEODIST none a b parsec",
    "GEODIST none a b",
    "GEODIST string a b",
    "GEODIST g a b m m",
  ].map(words);
  const centres = ["FROMLONLAT 15 37", "FROMMEMBER Paris", "FROMLONLAT 180 80", "FROMMEMBER none", "FROMLONLAT 15 x"];
  const areas = [
    "BYRADIUS 200 km",
    "BYBOX 400 300 km",
    "BYRADIUS 1e9 m",
    "BYRADIUS 0 m",
    "BYBOX 1 x mi",
    "BYRADIUS -1 m",
  ];
  const options = [
    "",
    "ASC",
    "DESC WITHDIST",
    "COUNT 1 WITHCOORD WITHHASH WITHDIST",
    "COUNT 2 DESC WITHHASH",
    "COUNT 1 ANY ASC",
    "ANY",
    "COUNT 0",
    "COUNT x",
    "COUNT",
    "STORE d",
    "STOREDIST",
    "NOPE",
  ];
  for (const key of ["g", "none", "string"]) {
    for (const centre of centres) {
      for (const area of areas) {
        for (const option of options) {
          // Where several are asked for without an order, Redis gives them in that of its search, as we do.
          commands.push(words(`GEOSEARCH ${key} ${centre} ${area}${option && " "}${option}`));
          commands.push(words(`GEOSEARCHSTORE d ${key} ${centre} ${area}${option && " "}${option}`));
          commands.push(words(`ZRANGE d 0 -1`));
        }
      }
    }
    for (const name of ["GEORADIUS", "GEORADIUS_RO", "GEORADIUSBYMEMBER", "GEORADIUSBYMEMBER_RO"]) {
      for (const centre of name.includes("MEMBER") ? ["Palermo", "none"] : ["15 37", "200 1", "x 1"]) {
        for (const area of ["200 km", "1e8 FT", "-1 m", "x m", "1 parsec"]) {
          for (const option of [...options, "STORE d ASC COUNT 1", "STOREDIST d", "STORE d WITHDIST", "STORE"]) {
            commands.push(words(`${name} ${key} ${centre} ${area}${option && " "}${option}`), words(`ZRANGE d 0 -1`));
          }
        }
      }
    }
    for (
      const rest of [
        "FROMMEMBER Paris FROMLONLAT 1 1 BYRADIUS 1 m",
        "FROMLONLAT 1 1 FROMMEMBER Paris BYRADIUS 1 m",
        "FROMLONLAT 1 1 BYRADIUS 1 m BYBOX 1 1 m",
        "FROMLONLAT 1 1 BYBOX 1 1 m BYRADIUS 1 m",
        "BYRADIUS 1 m ASC COUNT 1",
        "FROMLONLAT 1 1 ASC COUNT 1",
        "FROMLONLAT 1 1 WITHDIST BYRADIUS 1 m STOREDIST",
        "FROMMEMBER Paris FROMMEMBER Palermo BYRADIUS 1 m BYRADIUS 2 km",
      ]
    ) {
      commands.push(words(`geoSearch ${key} ${rest}`), words(`GeoSearchStore d ${key} ${rest}`));
    }
  }
  await assertSameAsRedis(commands, { protocols: ["2", "3"] });
});

test("a search finds what measuring every member finds, nearest first", () => {
  const server = new InProcess(3);
  const random = new Seeded(47);
  const shape = new Shape();
  const position = new Position();
  const lines = (reply: string): string[] => reply.split("\r\n").filter((_, i) => i > 0 && i % 2 === 0);
  for (const members of [100, 2000]) {
    server.run("DEL", "g");
    const scores = new Map<string, number>();
    for (let i = 0; i < members; i++) {
      const longitude = random.between(0, 20_000) / 1000;
      const latitude = random.between(30_000, 50_000) / 1000;
      server.run("GEOADD", "g", String(longitude), String(latitude), `m${i}`);
    }
    const all = lines(server.run("ZRANGE", "g", 0, -1, "WITHSCORES"));
    for (let i = 0; i < all.length; i += 2) scores.set(all[i], Number(all[i + 1]));
    let total = 0;
    for (let round = 0; round < 60; round++) {
      shape.longitude = random.between(2, 18);
      shape.latitude = random.between(32, 48);
      shape.isBox = random.chance(0.5);
      shape.unit = 1000;
      shape.radius = random.between(1, 500);
      shape.width = random.between(1, 900);
      shape.height = random.between(1, 900);
      shape.prepare();
      const expected: [number, string][] = [];
      for (const [member, score] of scores) {
        decode(score, position);
        if (shape.contains(position)) expected.push([shape.distance, member]);
      }
      expected.sort(([x], [y]) => x - y);
      const area = shape.isBox ? ["BYBOX", shape.width, shape.height, "km"] : ["BYRADIUS", shape.radius, "km"];
      const query = ["g", "FROMLONLAT", shape.longitude, shape.latitude, ...area];
      const names = expected.map(([, member]) => member);
      assertEquals(lines(server.run("GEOSEARCH", ...query)).sort(), [...names].sort());
      assertEquals(lines(server.run("GEOSEARCH", ...query, "ASC")), names);
      assertEquals(lines(server.run("GEOSEARCH", ...query, "COUNT", 5)), names.slice(0, 5));
      const any = lines(server.run("GEOSEARCH", ...query, "COUNT", 5, "ANY"));
      assertEquals(any.length, Math.min(5, names.length));
      assert(any.every((member) => names.includes(member)));
      server.run("GEOSEARCHSTORE", "d", ...query, "STOREDIST");
      assertEquals(lines(server.run("ZRANGE", "d", 0, -1)), names);
      total += names.length;
    }
    assert(total > members, String(total));
  }
});

test("events, changes and propagation of geo commands", () => {
  const server = new InProcess();
  const { keyspace } = server.engine;
  const effects = (line: string): [number, string[], string[]] => {
    const { dirty } = keyspace;
    server.run(...line.split(" "));
    return [keyspace.dirty - dirty, server.events(), server.propagated()];
  };
  assertEquals(effects("GEOADD g NX 13.361389 38.115556 Palermo 0 0 zero"), [
    2,
    ["0 new g", "0 zadd g"],
    ["0 zadd g NX 3479099956230698 Palermo 3377699720527872 zero"],
  ]);
  assertEquals(effects("GEOADD g 0 0 zero"), [0, [], []]);
  const around = "g FROMLONLAT 1 1 BYRADIUS 10000 km";
  assertEquals(effects(`GEOSEARCHSTORE d ${around}`), [2, ["0 new d", "0 geosearchstore d"], [
    `0 GEOSEARCHSTORE d ${around}`,
  ]]);
  assertEquals(effects("GEORADIUS g 0 0 1 m STORE d"), [1, ["0 georadiusstore d"], ["0 GEORADIUS g 0 0 1 m STORE d"]]);
  assertEquals(effects("GEORADIUS g 1 0 1 m STORE d"), [1, ["0 del d"], ["0 GEORADIUS g 1 0 1 m STORE d"]]);
  assertEquals(effects("GEORADIUS g 1 0 1 m STORE d"), [0, [], []]);
  assertEquals(effects(`GEOSEARCH ${around}`), [0, [], []]);
});
