/** SHA-1: the published vectors, every length around the edges of a block, and Redis's own digests. */
import { assertEquals } from "@std/assert";
import { test } from "../kit/test.ts";
import { hasRedis, startRedis } from "../kit/server.ts";
import { fromLatin1, hex } from "../../lib/bytes/ascii.ts";
import { sha1 } from "../../lib/bytes/sha1.ts";
import { Seeded } from "../kit/seeded.ts";

function sha1Hex(text: string): string {
  const bytes = fromLatin1(`<${text}>`);
  const digest = new Uint8Array(20);
  sha1(bytes, 1, bytes.length - 1, digest);
  return hex(digest);
}

test("published vectors", () => {
  assertEquals(sha1Hex(""), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
  assertEquals(sha1Hex("abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
  assertEquals(
    sha1Hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
    "84983e441c3bd26ebaae4aa1f95129e5e54670f1",
  );
  assertEquals(sha1Hex("a".repeat(1_000_000)), "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
});

test("the digest may overwrite its input", () => {
  const bytes = new Uint8Array(23);
  bytes.set(fromLatin1("abc"));
  sha1(bytes, 0, 3, bytes, 3);
  sha1(bytes, 0, 3, bytes);
  assertEquals(bytes[0], 0xa9);
  assertEquals(bytes[19], 0x9d);
});

test("Redis names scripts by the same digests", async () => {
  if (!hasRedis()) return;
  await using server = await startRedis();
  const client = await server.connect();
  const random = new Seeded(11);
  const scripts = Array.from({ length: 200 }, (_, length) => {
    const text = Array.from({ length }, () => String.fromCharCode(97 + random.below(26))).join("");
    return `return 1 --${text}`;
  });
  const names = await client.pipeline(scripts.map((script) => ["SCRIPT", "LOAD", script]));
  assertEquals(names, scripts.map(sha1Hex));
});
