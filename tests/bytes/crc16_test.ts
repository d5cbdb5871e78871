/** CRC-16 and cluster slots: the published check value, fixed hash tags, and CLUSTER KEYSLOT of the real Redis. */
import { assertEquals } from "@std/assert";
import { test } from "../kit/test.ts";
import { hasRedis, startRedis } from "../kit/server.ts";
import { fromLatin1, latin1 } from "../../lib/bytes/ascii.ts";
import { crc16, keySlot } from "../../lib/bytes/crc16.ts";
import { seeded } from "./seeded.ts";

function slot(key: string): number {
  return keySlot(fromLatin1(`{${key}}`), 1, key.length);
}

test("the check value of CRC-16/XMODEM", () => {
  assertEquals(crc16(fromLatin1("x123456789x"), 1, 9), 0x31c3);
});

test("hash tags", () => {
  assertEquals(slot("foo"), 12182);
  assertEquals(slot("{foo}.bar"), slot("foo"));
  assertEquals(slot("a{foo}{bar}"), slot("foo"));
  assertEquals(slot("foo{}{bar}"), crc16(fromLatin1("foo{}{bar}"), 0, 10) & 16383);
  assertEquals(slot("foo{{bar}}zap"), slot("{bar"));
  assertEquals(slot("}foo{"), crc16(fromLatin1("}foo{"), 0, 5) & 16383);
  assertEquals(slot(""), 0);
});

test("CLUSTER KEYSLOT of Redis agrees", async () => {
  if (!hasRedis()) return;
  await using server = await startRedis({ args: ["--cluster-enabled", "yes"] });
  const client = await server.connect();
  const random = seeded(8);
  const keys = Array.from({ length: 3000 }, () => {
    const bytes = random.bytes(random.below(20));
    for (let i = 0; i < bytes.length; i++) if (random.below(3) === 0) bytes[i] = random.pick([123, 125]);
    return latin1(bytes, 0, bytes.length);
  });
  const slots = await client.pipeline(keys.map((key) => ["CLUSTER", "KEYSLOT", key]));
  assertEquals(slots, keys.map(slot));
});
