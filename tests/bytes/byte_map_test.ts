/** ByteMap against a Map of strings, with names that share hashes' low bits, growing and shrinking. */

import { assertEquals } from "@std/assert";
import { fromLatin1 } from "../../lib/bytes/ascii.ts";
import { ByteMap, type Entry } from "../../lib/bytes/byte_map.ts";
import { Seeded } from "../kit/seeded.ts";
import { test } from "../kit/test.ts";

test("a map by byte strings does what a Map does", () => {
  const random = new Seeded(31);
  const map = new ByteMap<number>({ k0: 5, k1: 9 });
  const model = new Map<string, Entry<number>>();
  for (let step = 0; step < 200_000; step++) {
    const most = step % 50_000 < 25_000 ? 3000 : 20;
    const text = random.chance(0.9) ? `k\xff${random.below(4000)}` : "\0".repeat(random.below(40));
    const bytes = fromLatin1(`<${text}>`);
    const found = map.find(bytes, 1, text.length);
    assertEquals(found, model.get(text) ?? null);
    if (found === null && model.size < most) {
      const entry = map.add(bytes, 1, text.length, step);
      assertEquals([entry.name, entry.value], [text, step]);
      model.set(text, entry);
    } else if (found !== null && (random.chance(0.3) || model.size >= most)) {
      map.remove(found);
      model.delete(text);
    }
    assertEquals(map.size, model.size);
    if (step % 5000 === 0) {
      assertEquals(map.entries().map((entry) => entry.name).sort(), [...model.keys()].sort());
    }
  }
});
