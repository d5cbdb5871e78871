/** CRC-64: the published check value, a bit-by-bit model, any split of the input, and the trailer of Redis's DUMP. */
import { assert, assertEquals } from "@std/assert";
import { test } from "../kit/test.ts";
import { hasRedis, startRedis } from "../kit/server.ts";
import { fromLatin1 } from "../../lib/bytes/ascii.ts";
import { Crc64 } from "../../lib/bytes/crc64.ts";
import { Seeded } from "../kit/seeded.ts";

/** The definition: bits in reverse order shifted through the polynomial. */
function model(bytes: Uint8Array): bigint {
  let crc = 0n;
  for (const byte of bytes) {
    crc ^= BigInt(byte);
    for (let bit = 0; bit < 8; bit++) crc = crc & 1n ? (crc >> 1n) ^ 0x95ac9329ac4bc9b5n : crc >> 1n;
  }
  return crc;
}

test("the check value of CRC-64/Jones", () => {
  const crc = new Crc64();
  crc.update(fromLatin1("x123456789x"), 1, 10);
  assertEquals(crc.value(), 0xe9c6d914c4b8d9can);
  const trailer = new Uint8Array(10);
  crc.write(trailer, 1);
  assertEquals(Array.from(trailer), [0, 0xca, 0xd9, 0xb8, 0xc4, 0x14, 0xd9, 0xc6, 0xe9, 0]);
  assert(crc.matches(trailer, 1));
  for (let i = 1; i < 9; i++) {
    trailer[i] ^= 0x80;
    assert(!crc.matches(trailer, 1));
    trailer[i] ^= 0x80;
  }
  crc.reset();
  assertEquals(crc.value(), 0n);
});

test("any split of any bytes gives the model's value", () => {
  const random = new Seeded(9);
  for (let i = 0; i < 300; i++) {
    const bytes = random.bytes(random.below(600));
    const crc = new Crc64();
    for (let at = 0; at < bytes.length;) {
      const end = Math.min(bytes.length, at + random.below(i & 1 ? 30 : 300));
      crc.update(bytes, at, end);
      at = end;
    }
    assertEquals(crc.value(), model(bytes));
  }
});

test("it is the trailer of Redis's DUMP", async () => {
  if (!hasRedis()) return;
  await using server = await startRedis();
  const client = await server.connect();
  const random = new Seeded(10);
  for (let i = 0; i < 50; i++) {
    await client.ok("SET", "k", random.bytes(random.below(5000)));
    const dump = fromLatin1(await client.call("DUMP", "k") as string);
    const crc = new Crc64();
    crc.update(dump, 0, dump.length - 8);
    assert(crc.matches(dump, dump.length - 8));
  }
});
