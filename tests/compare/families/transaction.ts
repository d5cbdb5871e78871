/** MULTI, EXEC and WATCH, over a few commands of every type, with queueing errors and aborted runs. */

import type { Argument } from "../../kit/client.ts";
import type { Draw, Family, Step } from "../family.ts";

function queued(d: Draw): Argument[] {
  return d.either<Argument>(
    ["SET", d.key("string"), d.value()],
    ["GET", d.key("string")],
    ["INCR", d.key("string")],
    ["APPEND", d.key("string"), d.value()],
    ["MGET", d.key("string"), d.key("string")],
    ["DEL", d.anyKey()],
    ["EXISTS", d.anyKey()],
    ["TYPE", d.anyKey()],
    ["EXPIRE", d.anyKey(), d.seconds()],
    ["SETRANGE", d.key("string"), d.between(0, 20), d.value()],
    ["PING"],
    ["ECHO", d.value()],
    ["DBSIZE"],
  );
}

/** A command that fails when it is queued, and so spoils the transaction. */
function refused(d: Draw): Argument[] {
  return d.either<Argument>(
    ["GET"],
    ["NOSUCHCOMMAND", "a"],
    ["SET", "k"],
    ["MULTI"],
    ["WATCH", "k"],
    ["DISCARD", "x"],
    ["EXEC", "x"],
  );
}

function transaction(d: Draw): Step[] {
  return [
    ...d.maybe(0.3, "").map(() => ["WATCH", ...d.some(1, 3, () => d.anyKey())]),
    ...d.maybe(0.2, "").map(() => queued(d)),
    ["MULTI"],
    ...d.some(0, 6, () => queued(d)),
    ...d.maybe(0.1, "").map(() => refused(d)),
    ...d.some(0, 2, () => queued(d)),
    [d.chance(0.85) ? d.pick(["EXEC", "exec"]) : "DISCARD"],
  ];
}

export const transactions: Family = {
  name: "transaction",
  weight: 2,
  rows: [
    ["WATCH", 2, (d) => d.some(1, 3, () => d.anyKey())],
    ["UNWATCH", 2, () => []],
    ["EXEC", 1, () => []],
    ["DISCARD", 1, () => []],
  ],
  scripts: [[6, transaction]],
};
