/** What the tests of all client libraries ask of a server: one command of each kind of reply, by whatever API the library has. */

import { assertEquals } from "@std/assert";

/** Sends a command as words; the answer in the library's own types. */
export type Send = (...words: string[]) => Promise<unknown>;

/** Strings, numbers, errors, nulls, arrays, binary-safe text: what every library passes on as it came. */
export async function drive(send: Send): Promise<void> {
  assertEquals(await send("PING"), "PONG");
  assertEquals(await send("SET", "k", "válue\r\n"), "OK");
  assertEquals(await send("GET", "k"), "válue\r\n");
  assertEquals(await send("GET", "none"), null);
  assertEquals(await send("INCRBY", "n", "41"), 41);
  assertEquals(await send("INCR", "n"), 42);
  assertEquals(await send("MSET", "a", "1", "b", "2"), "OK");
  assertEquals(await send("MGET", "a", "none", "b"), ["1", null, "2"]);
  assertEquals(await send("SADD", "s", "x", "y"), 2);
  assertEquals(await send("SISMEMBER", "s", "x"), 1);
  assertEquals(await send("EXPIRE", "k", "100"), 1);
  assertEquals(await send("TTL", "none"), -2);
  assertEquals(await send("TYPE", "s"), "set");
  assertEquals(await send("DEL", "a", "b", "c"), 2);
  assertEquals(await send("ECHO", "x".repeat(100_000)), "x".repeat(100_000));
  let message = "";
  await send("INCR", "k").catch((error: Error) => message = error.message);
  assertEquals(message, "ERR value is not an integer or out of range");
  message = "";
  await send("SADD", "k", "x").catch((error: Error) => message = error.message);
  assertEquals(message, "WRONGTYPE Operation against a key holding the wrong kind of value");
}
