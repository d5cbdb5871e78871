/** Arguments that are kept come back as they were, with their frame or without, until they are freed. */

import { assertEquals } from "@std/assert";
import { Args } from "../../lib/bytes/args.ts";
import { bytesOf, KeptArgs } from "../../lib/engine/kept_args.ts";
import { framed, textsOf } from "../kit/args.ts";
import { Seeded } from "../kit/seeded.ts";
import { test } from "../kit/test.ts";

test("arguments are kept with their frame or without", () => {
  const random = new Seeded(41);
  const kept = new KeptArgs();
  const live: { ref: number; args: Args }[] = [];
  const into = new Args(1);
  for (let step = 0; step < 20_000; step++) {
    if (live.length > 300 || (live.length > 0 && random.chance(0.4))) {
      const [{ ref, args }] = live.splice(random.below(live.length), 1);
      kept.restore(ref, into);
      assertEquals(textsOf(into), textsOf(args));
      const frame = args.begin < 0 ? "" : String(args.buf.slice(args.begin, args.end));
      assertEquals(into.begin < 0 ? "" : String(into.buf.slice(into.begin, into.end)), frame);
      assertEquals(kept.argumentBytes(ref), bytesOf(args));
      kept.free(ref);
    } else {
      const parts = Array.from({ length: random.between(1, 30) }, () => random.binary(random.below(70)));
      const args = random.chance(0.5) ? framed(parts) : Args.of(...parts);
      live.push({ ref: kept.keep(args), args });
    }
  }
  assertEquals(kept.keep(Args.of("x".repeat(20_000))), 0);
});
