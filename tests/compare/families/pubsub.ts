/** Publish and subscribe on one connection: confirmations, subscribed mode of RESP2, introspection. */

import type { Family } from "../family.ts";

export const pubsub: Family = {
  name: "pubsub",
  weight: 1,
  rows: [
    ["PUBLISH", 3, (d) => [d.pick(["news", "a", "__proto__"]), d.value()]],
    ["SPUBLISH", 1, (d) => [d.pick(["news", "a"]), d.value()]],
    [
      "PUBSUB",
      2,
      (d) =>
        d.either(["CHANNELS"], ["CHANNELS", d.pattern()], ["NUMSUB", "a", "b"], ["NUMSUB"], ["NUMPAT"], ["HELP"], [
          "NOPE",
        ]),
    ],
    ["PUBSUB", 1, (d) => d.either(["SHARDCHANNELS"], ["SHARDNUMSUB", "a"])],
  ],
  scripts: [
    [2, (d) => [
      { command: ["SUBSCRIBE", "a", "b", "a"], replies: 3 },
      { command: ["PSUBSCRIBE", "n*"], replies: 1 },
      ["PING", ...d.maybe(0.5, "hello")],
      ["GET", "string:1"],
      { command: ["UNSUBSCRIBE", "a", "nope"], replies: 2 },
      { command: ["UNSUBSCRIBE"], replies: 1 },
      { command: ["PUNSUBSCRIBE"], replies: 1 },
      ["PING"],
    ]],
    [1, () => [
      { command: ["SSUBSCRIBE", "a", "b"], replies: 2 },
      ["SUNSUBSCRIBE", "a"],
      { command: ["SUNSUBSCRIBE"], replies: 1 },
    ]],
  ],
};
