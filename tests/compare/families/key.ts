/** Commands on keys whatever their type. */

import type { Family } from "../family.ts";

export const key: Family = {
  name: "key",
  weight: 5,
  rows: [
    ["DEL", 6, (d) => d.some(1, 3, () => d.anyKey())],
    ["UNLINK", 3, (d) => d.some(1, 3, () => d.anyKey())],
    ["EXISTS", 4, (d) => d.some(1, 4, () => d.anyKey())],
    ["TOUCH", 2, (d) => d.some(1, 4, () => d.anyKey())],
    ["TYPE", 5, (d) => [d.anyKey()]],
    ["KEYS", 2, (d) => [d.pattern()]],
    ["SCAN", 3, (d) => [
      d.chance(0.9) ? 0 : d.pick(["-1", "x", "18446744073709551615", "18446744073709551616", "", "1.5"]),
      ...d.maybe(0.4, "MATCH", d.pattern()),
      ...d.maybe(0.4, "COUNT", d.between(-1, 100)),
      ...d.maybe(0.3, "TYPE", d.pick(["string", "hash", "list", "zset", "set", "stream", "nope", "STRING"])),
    ]],
    ["RANDOMKEY", 2, () => []],
    ["RENAME", 4, (d) => [d.anyKey(), d.anyKey()]],
    ["RENAMENX", 3, (d) => [d.anyKey(), d.anyKey()]],
    ["COPY", 6, (d) => [
      d.anyKey(),
      d.anyKey(),
      ...d.maybe(0.2, "DB", d.pick([0, 1, 2, 15, 16, -1, "x"])),
      ...d.maybe(0.5, "REPLACE"),
    ]],
    ["MOVE", 2, (d) => [d.anyKey(), d.pick([0, 1, 2, 16, -1, "x"])]],
    ["DBSIZE", 1, () => []],
    ["OBJECT", 8, (d) => ["ENCODING", d.anyKey()]],
    ["OBJECT", 2, (d) => [d.pick(["REFCOUNT", "IDLETIME", "FREQ", "NOPE", "encoding"]), d.anyKey()]],
    ["OBJECT", 1, () => ["HELP"]],
    ["MEMORY", 1, (d) => ["USAGE", d.anyKey(), ...d.maybe(0.3, "SAMPLES", d.count())]],
    ["DUMP", 2, (d) => [d.key(d.pick(["string", "list", "set"]))]],
    ["RESTORE", 2, (d) => [
      d.anyKey(),
      d.milliseconds(),
      d.pick([
        // "10", and the list "a", written by redis-server 7.0.15; the third has a wrong checksum, the fourth a version from the future.
        "\x00\xc0\n\n\x00n\x9fWE\x0e\xaec\xbb",
        "\x00\x03foo\n\x00\xae\xbf0\xb3\xdcv\xf8\xae",
        "\x00\x03foo\n\x00\xae\xbf0\xb3\xdcv\xf8\xaf",
        "\x00\x03foo\xff\x00\xae\xbf0\xb3\xdcv\xf8\xae",
        "",
        "short",
      ]),
      ...d.maybe(0.5, "REPLACE"),
      ...d.maybe(0.1, "ABSTTL"),
      ...d.maybe(0.1, "IDLETIME", d.between(-1, 1000)),
      ...d.maybe(0.1, "FREQ", d.between(-1, 300)),
    ]],
  ],
};
