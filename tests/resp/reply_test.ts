/** The reply writer: every kind in both protocols, headers filled in afterwards, buffers that grow. */

import { assertEquals } from "@std/assert";
import { errorReply } from "../../lib/resp/errors.ts";
import { Reply } from "../../lib/resp/reply.ts";
import { test } from "../kit/test.ts";

/** What `write` writes, as RESP2 and as RESP3. */
function both(write: (reply: Reply) => void): [string, string] {
  return [false, true].map((resp3) => {
    const reply = new Reply();
    reply.resp3 = resp3;
    write(reply);
    return String.fromCharCode(...reply.take(0));
  }) as [string, string];
}

test("reply: every kind", () => {
  const same = (text: string): [string, string] => [text, text];
  const value = Uint8Array.from([0, 13, 10, 255]);
  assertEquals(both((r) => r.ok()), same("+OK\r\n"));
  assertEquals(both((r) => r.simple("a b")), same("+a b\r\n"));
  assertEquals(both((r) => r.int(-42)), same(":-42\r\n"));
  assertEquals(both((r) => r.int(2 ** 53)), same(":9007199254740992\r\n"));
  assertEquals(both((r) => r.bigint(-(2n ** 63n))), same(":-9223372036854775808\r\n"));
  assertEquals(both((r) => r.bulk(value, 0, 4)), same("$4\r\n\0\r\n\xff\r\n"));
  assertEquals(both((r) => r.bulk(value, 3, 0)), same("$0\r\n\r\n"));
  assertEquals(both((r) => r.text("x".repeat(123))), same(`$123\r\n${"x".repeat(123)}\r\n`));
  assertEquals(both((r) => r.bulkInt(-105)), same("$4\r\n-105\r\n"));
  assertEquals(both((r) => r.emptyBulk()), same("$0\r\n\r\n"));
  assertEquals(both((r) => r.array(12)), same("*12\r\n"));
  assertEquals(both((r) => r.null()), ["$-1\r\n", "_\r\n"]);
  assertEquals(both((r) => r.nullArray()), ["*-1\r\n", "_\r\n"]);
  assertEquals(both((r) => r.map(3)), ["*6\r\n", "%3\r\n"]);
  assertEquals(both((r) => r.set(3)), ["*3\r\n", "~3\r\n"]);
  assertEquals(both((r) => r.push(3)), ["*3\r\n", ">3\r\n"]);
  assertEquals(both((r) => r.double(1.5)), ["$3\r\n1.5\r\n", ",1.5\r\n"]);
  assertEquals(both((r) => r.bool(true)), [":1\r\n", "#t\r\n"]);
  assertEquals(both((r) => r.verbatim("hi")), ["$2\r\nhi\r\n", "=6\r\ntxt:hi\r\n"]);
});

test("reply: errors stay on their line, and are counted", () => {
  const told: string[] = [];
  const reply = new Reply();
  reply.onError = (error) => told.push(error.prefix);
  reply.error(errorReply("WRONGTYPE a\r\nb"));
  assertEquals(String.fromCharCode(...reply.take(0)), "-WRONGTYPE a  b\r\n");
  assertEquals([reply.errors, ...told], [1, "WRONGTYPE"]);
});

test("reply: headers that are known only at the end", () => {
  const write = (reply: Reply) => {
    const outer = reply.defer();
    const inner = reply.defer();
    reply.text("k");
    reply.int(1);
    reply.endMap(inner, 1);
    const set = reply.defer();
    reply.endSet(set, 0);
    reply.endArray(outer, 2);
    reply.ok();
  };
  assertEquals(both(write), [
    "*2\r\n*2\r\n$1\r\nk\r\n:1\r\n*0\r\n+OK\r\n",
    "*2\r\n%1\r\n$1\r\nk\r\n:1\r\n~0\r\n+OK\r\n",
  ]);
});

test("reply: it grows, and says when a limit is passed", () => {
  const reply = new Reply();
  const big = new Uint8Array(200_000).fill(120);
  reply.limit = 300_000;
  reply.bulk(big, 0, big.length);
  assertEquals([reply.at, reply.isFull], [200_011, false]);
  reply.bulk(big, 0, big.length);
  assertEquals([reply.at, reply.isFull], [400_022, true]);
  assertEquals(String.fromCharCode(...reply.buf.subarray(200_007, 200_021)), "xx\r\n$200000\r\nx");
  reply.clear();
  assertEquals(reply.at, 0);
});
