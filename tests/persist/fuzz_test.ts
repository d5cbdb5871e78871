/** A short run of the fuzzer for damaged RDB files and payloads. */

import { assert, assertEquals } from "@std/assert";
import { test } from "../kit/test.ts";
import { fuzz } from "./fuzz.ts";

test("damaged files and payloads are loaded or refused, and do no harm", async () => {
  const { loaded, refused, failures } = await fuzz({ seed: 1, mutations: 2000 });
  assertEquals(failures, []);
  assert(loaded > 200 && refused > 200, `${loaded} loaded, ${refused} refused`);
});
