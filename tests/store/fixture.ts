/** A keyspace for tests of the store: a clock that stands still, seeded random numbers, nobody who listens. */

import { Keyspace } from "../../lib/store/keyspace.ts";
import { Xoshiro } from "../../lib/platform/random.ts";

export function makeKeyspace(seed: number): Keyspace {
  const nothing = (): void => {};
  return new Keyspace(
    2,
    { now: () => 1_700_000_000_000, monotonic: () => 0 } as Keyspace["clock"],
    new Xoshiro(seed, null),
    { k0: seed, k1: ~seed },
    { changed: nothing, notify: nothing, expired: nothing },
  );
}
