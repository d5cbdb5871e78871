/** XREAD and XREADGROUP that wait, against redis-server: who is served with what, and what happens when key or group go. */

import { assertEquals } from "@std/assert";
import type { Command } from "../kit/client.ts";
import { assertSameAsRedis, sameReply } from "../kit/differential.ts";
import { InProcess } from "../kit/inprocess.ts";
import { play, type Step } from "../kit/scene.ts";
import { hasRedis, startRedis, startRedstart } from "../kit/server.ts";
import { test } from "../kit/test.ts";

function scene(lines: string): Step[] {
  return lines.trim().split("\n").map((line) => line.trim().split(" ") as unknown as Step);
}

const SCENES: Record<string, Step[]> = {
  "everybody gets what comes after their ID": scene(`
    main XADD s 1 a 1
    a XREAD BLOCK 0 STREAMS s $
    b XREAD BLOCK 0 COUNT 1 STREAMS s t 1 0
    c XREAD BLOCK 0 STREAMS s 5
    d XREAD BLOCK 3000000000 STREAMS s $
    main XADD s 2 a 1
    main XADD s 3 a 1
    main XADD s 6 a 1
  `),
  "a transaction's entries come together": scene(`
    a XREAD BLOCK 0 STREAMS s 0
    b XREAD BLOCK 0 COUNT 1 STREAMS s 0
    main MULTI
    main XADD s 1 a 1
    main XADD s 2 b 2
    main EXEC
  `),
  "entries that are gone again leave an empty answer": scene(`
    a XREAD BLOCK 0 STREAMS s 0
    main XADD s MAXLEN 0 1 a 1
  `),
  "deleting and trimming wake nobody": scene(`
    main XADD s 1 a 1
    main XADD s 2 a 1
    main XADD s 5 a 1
    main XDEL s 5
    a XREAD BLOCK 0 STREAMS s 3
    main XDEL s 1
    main XTRIM s MAXLEN 0
    main XSETID s 7
    main XADD s 8 a 1
  `),
  "other types and other ways to make a stream": scene(`
    main XADD from 3 a 1
    a XREAD BLOCK 0 STREAMS s t u 0 0 0
    b XREAD BLOCK 0 STREAMS u 0
    c XREAD BLOCK 0 STREAMS t 0
    main SET s x
    main DEL s
    main XGROUP CREATE s g $ MKSTREAM
    main RENAME from t
    main COPY t u
  `),
  "consumers share what comes": scene(`
    main XGROUP CREATE s g $ MKSTREAM
    a XREADGROUP GROUP g alice BLOCK 0 STREAMS s >
    b XREADGROUP GROUP g bob BLOCK 0 COUNT 1 STREAMS s >
    c XREADGROUP GROUP g carol NOACK BLOCK 0 STREAMS s >
    main XADD s 1 a 1
    main XPENDING s g
    main MULTI
    main XADD s 2 a 1
    main XADD s 3 a 1
    main EXEC
    main XINFO GROUPS s
  `),
  "the group goes": scene(`
    main XGROUP CREATE s g $ MKSTREAM
    main XGROUP CREATE s h $
    a XREADGROUP GROUP g alice BLOCK 0 STREAMS s >
    b XREADGROUP GROUP h bob BLOCK 0 STREAMS s >
    c XREAD BLOCK 0 STREAMS s $
    main XGROUP DESTROY s g
    main XADD s 1 a 1
  `),
  "the key is deleted": scene(`
    main XGROUP CREATE s g $ MKSTREAM
    a XREADGROUP GROUP g alice BLOCK 0 STREAMS s >
    b XREAD BLOCK 0 STREAMS s 0
    main DEL s
    main XADD s 1 a 1
  `),
  "the key gets another type": scene(`
    main XGROUP CREATE s g $ MKSTREAM
    a XREADGROUP GROUP g alice BLOCK 0 STREAMS s >
    b XREAD BLOCK 0 STREAMS s 0
    main SET s x
    main DEL s
    main XADD s 1 a 1
  `),
  "the key is made anew within a transaction": scene(`
    main XGROUP CREATE s g $ MKSTREAM
    a XREADGROUP GROUP g alice BLOCK 0 STREAMS s >
    main MULTI
    main DEL s
    main XADD s 1 a 1
    main EXEC
  `),
  "all keys go": scene(`
    main XGROUP CREATE s g $ MKSTREAM
    a XREADGROUP GROUP g alice BLOCK 0 STREAMS s >
    main FLUSHALL
  `),
  "the stream is renamed": scene(`
    main XGROUP CREATE s g $ MKSTREAM
    a XREADGROUP GROUP g alice BLOCK 0 STREAMS s >
    main RENAME s t
  `),
  "the databases change places": scene(`
    main XGROUP CREATE s g $ MKSTREAM
    a XREADGROUP GROUP g alice BLOCK 0 STREAMS s >
    b XREAD BLOCK 0 STREAMS s 0
    main SWAPDB 0 1
    main XADD s 1 a 1
  `),
  "the time is up": scene(`
    main XGROUP CREATE s g $ MKSTREAM
    a XREADGROUP GROUP g alice BLOCK 1 STREAMS s >
    b XREAD BLOCK 1 STREAMS s 0
  `),
  "a reader does not wait within a transaction": scene(`
    main MULTI
    main XREAD BLOCK 0 STREAMS s $
    main EXEC
  `),
  "history is never waited for": scene(`
    main XGROUP CREATE s g $ MKSTREAM
    main XREADGROUP GROUP g alice BLOCK 0 STREAMS s 0
    main XADD s 1 a 1
    main XREADGROUP GROUP g alice BLOCK 0 STREAMS s >
    main XDEL s 1
    main XREADGROUP GROUP g alice BLOCK 0 STREAMS s 0
  `),
};

test("readers wait and are served as in Redis", async () => {
  if (!hasRedis()) return;
  await using redis = await startRedis();
  await using redstart = await startRedstart();
  for (const [name, steps] of Object.entries(SCENES)) {
    assertEquals(await play(redstart, steps), await play(redis, steps), name);
  }
});

test("what is propagated of a reader that has waited", () => {
  const server = new InProcess();
  const [a, b, c] = [server.connect(), server.connect(), server.connect()];
  server.run("XGROUP", "CREATE", "s", "g", "$", "MKSTREAM");
  server.runAs(a, "XREADGROUP", "GROUP", "g", "alice", "BLOCK", "0", "STREAMS", "s", ">");
  server.runAs(b, "XREADGROUP", "GROUP", "g", "bob", "NOACK", "BLOCK", "0", "STREAMS", "s", ">");
  server.runAs(c, "XREAD", "BLOCK", "0", "STREAMS", "s", "$");
  server.propagated();
  server.run("XADD", "s", "1", "a", "1");
  const { now } = server;
  const claim = (id: string, entry: string): string =>
    `0 XCLAIM s g alice 0 ${entry} TIME ${now} RETRYCOUNT 1 FORCE JUSTID LASTID ${id}`;
  assertEquals(server.propagated(), ["0 XADD s 1 a 1", claim("1-0", "1-0")]);
  server.run("XADD", "s", "2", "a", "1");
  assertEquals(server.propagated(), [
    "0 XADD s 2 a 1",
    "0 MULTI",
    "0 XGROUP CREATECONSUMER s g bob",
    "0 XGROUP SETID s g 2-0 ENTRIESREAD 2",
    "0 EXEC",
  ]);
});

test("the options of XREAD and XREADGROUP are checked as Redis does, in both protocols", async () => {
  const commands: Command[] = [["SET", "string", "x"], ["XADD", "s", "1", "a", "1"], ["XADD", "t", "1", "a", "1"]];
  commands.push(["XGROUP", "CREATE", "s", "g", "0"], ["XGROUP", "CREATE", "t", "g", "0"]);
  const tails = [
    "STREAMS s 0",
    "STREAMS s t 0 0",
    "STREAMS s t 0",
    "STREAMS s string 0 0",
    "STREAMS s none 0 0",
    "STREAMS string 0",
    "STREAMS s $",
    "STREAMS s >",
    "STREAMS s x",
    "STREAMS s -",
    "STREAMS",
    "COUNT 1 STREAMS s 0",
    "COUNT -1 STREAMS s 0",
    "COUNT x STREAMS s 0",
    "COUNT",
    "BLOCK x STREAMS s 0",
    "BLOCK -1 STREAMS s 0",
    "BLOCK 10 COUNT 2 STREAMS s t 0 0",
    "NOACK STREAMS s 0",
    "NOACK COUNT 1 STREAMS t s > >",
    "GROUP g c STREAMS s 0",
    "GROUP none c STREAMS s >",
    "GROUP g c STREAMS none >",
    "GROUP g c STREAMS s $",
    "GROUP g c COUNT 1 STREAMS s t > 0",
    "FOO 1 STREAMS s 0",
    "GROUP g STREAMS s 0",
  ].map((tail) => tail.split(" "));
  for (const protocol of [2, 3]) {
    commands.push(["HELLO", protocol]);
    for (const tail of tails) {
      commands.push(["XREAD", ...tail], ["XREADGROUP", ...tail], ["XREADGROUP", "GROUP", "g", "c", ...tail]);
    }
    commands.push(["XINFO", "STREAM", "s"], ["XINFO", "GROUPS", "s"], ["XPENDING", "s", "g"]);
  }
  await assertSameAsRedis(commands, {
    // Of HELLO the names and numbers of the servers differ.
    same: (command, x, y) => command[0] === "HELLO" || sameReply(x, y),
  });
});
