/** A file as old versions of Redis could have written it, with everything in it that any of them has written. */

import { intset, listpack, lzfString, RdbBytes, text, u32, u64, ziplist, zipmap } from "./rdb_bytes.ts";

const LATER = BigInt(Date.UTC(2100, 0, 1));
const LONG = "a long text that does not fit in a listpack of any hash or sorted set, whatever is in it; ".repeat(3);
const NUMBERS = [
  0,
  12,
  13,
  -1,
  127,
  -128,
  128,
  32767,
  -32769,
  8388607,
  -8388609,
  2 ** 31 - 1,
  -(2 ** 31) - 1,
  -(2n ** 63n),
];

/** A file with a value in each notation that the version may have; collections that are to be large have `large` elements. */
export function oldFile(version = 9, large = 700): Uint8Array {
  const rdb = new RdbBytes(version);
  const many = Array.from({ length: large }, (_, i) => `element ${i}`);
  if (version >= 7) rdb.aux("redis-ver", "2.4.0").aux("something", "else");
  rdb.select(0);
  if (version >= 7) rdb.raw(251).count(5).count(2);
  rdb.key(0, "string").string("plain").key(0, "empty").string("");
  rdb.key(0, "int8").raw(0xc0, 0x85).key(0, "int16").raw(0xc1, 0x39, 0x30).key(0, "int32").raw(0xc2, u32(-1234567));
  rdb.key(0, "lzf").raw(lzfString(LONG)).key(0, "lzf run").raw(0xc3, 7, 41, 0, "x", 0xe0, 30, 0, 0, "y");
  rdb.raw(0).raw(lzfString("a compressed name of a key")).string("value");
  rdb.raw(0, 0xc0, 7).string("the key is a number");
  // Linked lists, hash tables and sets as elements.
  rdb.key(1, "linked list").count(3).string("a").raw(0xc1, 0, 1).string(LONG);
  rdb.key(1, "long linked list").count(many.length);
  for (const element of many) rdb.string(element);
  rdb.key(2, "set").count(3).string("a").string("b").raw(0xc0, 5);
  rdb.key(2, "set of numbers").count(2).raw(0xc0, 5).string("17");
  rdb.key(4, "hash").count(2).string("f").string("v").raw(0xc0, 1).raw(0xc1, 1, 1);
  rdb.key(4, "big hash").count(many.length);
  for (const element of many) rdb.string(element).raw(0xc0, 1);
  // Sorted sets with scores as texts.
  rdb.key(3, "zset").count(6).string("a").raw(1, "1").string("b").raw(4, "-2.5").string("c").raw(254);
  rdb.string("d").raw(255).string("e").raw(22, "0.10000000000000000555").string("f").raw(3, "3e2");
  rdb.key(3, "big zset").count(many.length);
  for (const [i, element] of many.entries()) rdb.string(element).raw(String(i).length, String(i));
  if (version >= 8) rdb.key(5, "zset 2").count(2).string("a").raw(u64(0x3ff8000000000000n)).string("b").raw(u64(0n));
  // Small collections in one string each.
  rdb.key(9, "zipmap").string(zipmap([["f", "v"], ["number", "12"], ["", ""]]));
  rdb.key(9, "zipmap with room").string(zipmap([["f", "v"], ["g", "w"]], 3));
  rdb.key(9, "zipmap of long texts").string(zipmap([[LONG, LONG], ["f", "v".repeat(300)]]));
  rdb.key(9, "big zipmap").string(zipmap(many.map((element) => [element, "v"])));
  rdb.key(10, "list ziplist").string(ziplist(["a", ...NUMBERS, LONG, "x".repeat(20_000), "last"]));
  rdb.key(10, "long list ziplist").raw(lzfString(text(ziplist(many))));
  rdb.key(11, "intset 16").string(intset([-5, 0, 7], 2)).key(11, "intset 32").string(intset([-100_000, 3], 4));
  rdb.key(11, "intset 64").string(intset([-(2n ** 63n), 1, 2n ** 63n - 1n], 8));
  rdb.key(11, "big intset").string(intset(many.map((_, i) => i * 3), 2));
  rdb.key(12, "zset ziplist").string(ziplist(["a", -5, "b", "1.5", 77, 2, "c", "inf"]));
  rdb.key(12, "big zset ziplist").string(ziplist(many.flatMap((element, i) => [element, i])));
  rdb.key(13, "hash ziplist").string(ziplist(["f", "v", 1, 2, "g", LONG, "", -1000]));
  rdb.key(13, "big hash ziplist").string(ziplist(many.flatMap((element, i) => [element, i])));
  if (version >= 7) {
    rdb.key(14, "quicklist").count(3).string(ziplist(["a", 1])).raw(lzfString(text(ziplist(many)))).string(
      ziplist([LONG]),
    );
    rdb.key(14, "quicklist of one node").count(1).string(ziplist(["a", 5]));
  }
  if (version >= 10) {
    rdb.key(16, "hash listpack").string(listpack(["f", "v", 1, 2000, "g", -7]));
    rdb.key(17, "zset listpack").string(listpack(["a", -5, "b", "1.5", "c", 300]));
    rdb.key(18, "quicklist 2").count(3).count(2).string(listpack(["a", 1])).count(1).string(LONG);
    rdb.count(2).raw(lzfString(text(listpack(["x".repeat(60), "y".repeat(60)]))));
  }
  // Empty collections do not become keys.
  rdb.key(1, "empty list").count(0).key(2, "empty set").count(0).key(4, "empty hash").count(0).key(3, "empty zset")
    .count(0);
  rdb.key(10, "empty list ziplist").string(ziplist([])).key(12, "empty zset ziplist").string(ziplist([]));
  rdb.key(13, "empty hash ziplist").string(ziplist([]));
  // What goes before a key.
  rdb.raw(253, u32(2_000_000_000)).key(0, "seconds").string("v");
  rdb.raw(253, u32(1_000_000_000)).key(0, "expired").string("v");
  if (version >= 3) {
    rdb.raw(252, u64(LATER + 123n)).key(0, "milliseconds").string("v");
    rdb.raw(252, u64(1n)).key(13, "expired hash").string(ziplist(["f", "v"]));
  }
  if (version >= 9) {
    rdb.raw(248).count(100).key(0, "idle").string("v").raw(249, 55).key(0, "frequency").string("v");
    rdb.raw(252, u64(LATER)).raw(248).count(1000).key(1, "idle with deadline").count(1).string("e");
  }
  rdb.select(3).key(0, "in the third database").string("v");
  return rdb.finish();
}
