/** All command families the fuzzer knows, by name. */

import type { Family } from "./family.ts";
import { bitmap } from "./families/bitmap.ts";
import { expire } from "./families/expire.ts";
import { geo } from "./families/geo.ts";
import { hash } from "./families/hash.ts";
import { hyperloglog } from "./families/hyperloglog.ts";
import { key } from "./families/key.ts";
import { list } from "./families/list.ts";
import { pubsub } from "./families/pubsub.ts";
import { server } from "./families/server.ts";
import { set } from "./families/set.ts";
import { sort } from "./families/sort.ts";
import { stream } from "./families/stream.ts";
import { string } from "./families/string.ts";
import { transactions } from "./families/transaction.ts";
import { zset } from "./families/zset.ts";

export const families: readonly Family[] = [
  string,
  bitmap,
  key,
  expire,
  transactions,
  server,
  list,
  hash,
  set,
  zset,
  geo,
  hyperloglog,
  stream,
  sort,
  pubsub,
];

/** The families of these names; throws with the list of names for an unknown one. */
export function chooseFamilies(names: readonly string[]): readonly Family[] {
  return names.map((name) => {
    const family = families.find((family) => family.name === name);
    if (family === undefined) {
      throw new Error(`no family ${name}; there are ${families.map((family) => family.name).join(", ")}`);
    }
    return family;
  });
}
