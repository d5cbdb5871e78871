/** A few of the kills of `deno task crash`; see crash.ts. */

import { assert } from "@std/assert";
import { test } from "../kit/test.ts";
import { crash } from "./crash.ts";

test("crash: nothing that was acknowledged is lost in 20 kills", async () => {
  assert(await crash(20, 2026) > 0, "no kill came in the middle of a snapshot");
});
