/** SHA-1 and SHA-256: the published vectors, every length around the block edges, and Redis's own digests. */
import { assertEquals } from "@std/assert";
import { test } from "../kit/test.ts";
import { hasRedis, startRedis } from "../kit/server.ts";
import { fromLatin1 } from "../../lib/bytes/ascii.ts";
import { sha1, sha1Hex } from "../../lib/bytes/sha1.ts";
import { sha256Hex } from "../../lib/bytes/sha256.ts";
import { seeded } from "./seeded.ts";

const LONG = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";

function both(text: string): [string, string] {
  const bytes = fromLatin1(`<${text}>`);
  return [sha1Hex(bytes, 1, bytes.length - 1), sha256Hex(bytes, 1, bytes.length - 1)];
}

test("published vectors", () => {
  assertEquals(both(""), [
    "da39a3ee5e6b4b0d3255bfef95601890afd80709",
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
  ]);
  assertEquals(both("abc"), [
    "a9993e364706816aba3e25717850c26c9cd0d89d",
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
  ]);
  assertEquals(both(LONG), [
    "84983e441c3bd26ebaae4aa1f95129e5e54670f1",
    "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
  ]);
  assertEquals(both("a".repeat(1_000_000)), [
    "34aa973cd4c4daa4f61eeb2bdbad27316534016f",
    "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0",
  ]);
});

test("the digest may overwrite its input", () => {
  const bytes = new Uint8Array(23);
  bytes.set(fromLatin1("abc"));
  sha1(bytes, 0, 3, bytes, 3);
  sha1(bytes, 0, 3, bytes);
  assertEquals(bytes[0], 0xa9);
  assertEquals(bytes[19], 0x9d);
});

test("Redis names scripts and stores passwords by the same digests", async () => {
  if (!hasRedis()) return;
  await using server = await startRedis();
  const client = await server.connect();
  const random = seeded(11);
  for (let length = 0; length < 200; length++) {
    const text = Array.from({ length }, () => String.fromCharCode(97 + random.below(26))).join("");
    const script = `return 1 --${text}`;
    const [name, , , user] = await client.pipeline([
      ["SCRIPT", "LOAD", script],
      ["ACL", "DELUSER", "u"],
      ["ACL", "SETUSER", "u", `>${text}`],
      ["ACL", "GETUSER", "u"],
    ]);
    assertEquals(name, both(script)[0]);
    const fields = user as unknown[];
    assertEquals(fields[fields.indexOf("passwords") + 1], [both(text)[1]]);
  }
});
