/**
 * List commands that block until there is an element.
 *
 * What is propagated is always the command without the waiting: LPOP, RPOP, LMOVE, RPOPLPUSH. As in Redis, serving a client that has
 * waited does not count as a further change of the data set (the push did), except with BLMPOP.
 */

import type { Client } from "../engine/client.ts";
import { type Command, command } from "../engine/command.ts";
import { Type } from "../store/record.ts";
import {
  HEAD,
  LEFT,
  type ListEnd,
  moveElement,
  multiPop,
  popOneWithKey,
  popWithKey,
  readEnd,
  RIGHT,
  TAIL,
} from "./list.ts";
import { findKeyOrWait, parseMultiPop, parseTimeout, replyNullArray } from "./multi_pop.ts";

const blmove = command({
  name: "blmove",
  arity: 6,
  flags: "write denyoom noscript blocking",
  acl: "list",
  since: "6.2.0",
  group: "list",
  keys: ["1 RW access delete", "2 RW insert"],
  complexity: "O(1)",
  summary: "Pop an element from a list, push it to another list and return it; or block until one is available",
  syntax: "source destination wherefrom=<LEFT | RIGHT> whereto=<LEFT | RIGHT> timeout:double",
  run(c) {
    const from = readEnd(c, 3);
    const to = from === null ? null : readEnd(c, 4);
    const timeout = to === null ? -1 : parseTimeout(c, 5);
    if (from !== null && to !== null && timeout >= 0) blockingMove(c, from, to, timeout);
  },
});

const blmpop = command({
  name: "blmpop",
  arity: -5,
  flags: "write blocking",
  keys: "#2 RW access delete",
  acl: "list",
  since: "7.0.0",
  group: "list",
  complexity: "O(N+M) where N is the number of provided keys and M is the number of elements returned.",
  summary: "Pop elements from a list, or block until one is available",
  syntax: "timeout:double numkeys key [key ...] where=<LEFT | RIGHT> [COUNT count]",
  run(c) {
    if (!parseMultiPop(c, 2, LEFT, RIGHT, multiPop)) return;
    const timeout = parseTimeout(c, 1);
    if (timeout < 0) return;
    const i = findKeyOrWait(c, multiPop.first, multiPop.keys, Type.LIST, timeout);
    if (i > 0) popWithKey(c, i);
  },
});

const blpop = command({
  name: "blpop",
  arity: -3,
  flags: "write noscript blocking",
  keys: "1:-2 RW access delete",
  acl: "list",
  since: "2.0.0",
  group: "list",
  complexity: "O(N) where N is the number of provided keys.",
  summary: "Remove and get the first element in a list, or block until one is available",
  syntax: "key [key ...] timeout:double",
  history: ["6.0.0 `timeout` is interpreted as a double instead of an integer."],
  run: (c) => blockingPop(c, HEAD),
});

const brpop = command({
  name: "brpop",
  arity: -3,
  flags: "write noscript blocking",
  keys: "1:-2 RW access delete",
  acl: "list",
  since: "2.0.0",
  group: "list",
  complexity: "O(N) where N is the number of provided keys.",
  summary: "Remove and get the last element in a list, or block until one is available",
  syntax: "key [key ...] timeout:double",
  history: ["6.0.0 `timeout` is interpreted as a double instead of an integer."],
  run: (c) => blockingPop(c, TAIL),
});

const brpoplpush = command({
  name: "brpoplpush",
  arity: 4,
  flags: "write denyoom noscript blocking",
  acl: "list",
  since: "2.2.0",
  group: "list",
  keys: ["1 RW access delete", "2 RW insert"],
  complexity: "O(1)",
  summary: "Pop an element from a list, push it to another list and return it; or block until one is available",
  syntax: "source destination timeout:double",
  history: ["6.0.0 `timeout` is interpreted as a double instead of an integer."],
  deprecatedSince: "6.2.0",
  replacedBy: "`BLMOVE` with the `RIGHT` and `LEFT` arguments",
  run(c) {
    const timeout = parseTimeout(c, 3);
    if (timeout >= 0) blockingMove(c, TAIL, HEAD, timeout);
  },
});

function blockingPop(c: Client, end: ListEnd): void {
  const { argc } = c.args;
  const timeout = parseTimeout(c, argc - 1);
  if (timeout < 0) return;
  const i = findKeyOrWait(c, 1, argc - 2, Type.LIST, timeout);
  if (i > 0) popOneWithKey(c, i, end);
}

function blockingMove(c: Client, from: ListEnd, to: ListEnd, timeout: number): void {
  const { args: a, engine } = c;
  const ref = c.writeTyped(1, Type.LIST);
  if (ref < 0) return;
  if (ref === 0) {
    if (c.mayNotBlock) c.reply.null();
    else engine.blocking.block(c, { first: 1, count: 1, type: Type.LIST, timeout, onTimeout: replyNullArray });
    return;
  }
  const { propagation } = engine;
  if (!moveElement(c, from, to) || !propagation.active) return;
  if (a.argc === 4) propagation.rewrite("RPOPLPUSH", a.bytes(1), a.bytes(2));
  else propagation.rewrite("LMOVE", a.bytes(1), a.bytes(2), a.bytes(3), a.bytes(4));
}

export const commands: Command[] = [blmove, blmpop, blpop, brpop, brpoplpush];
