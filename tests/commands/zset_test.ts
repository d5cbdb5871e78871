/** Sorted set commands: against redis-server, and what they cause besides their reply. */

import { assert, assertEquals } from "@std/assert";
import { fromLatin1 } from "../../lib/bytes/ascii.ts";
import { Crc64 } from "../../lib/bytes/crc64.ts";
import type { Client, Command } from "../kit/client.ts";
import { assertSameAsRedis, assertSameReplies, words } from "../kit/differential.ts";
import { InProcess } from "../kit/inprocess.ts";
import { hasRedis, startRedis, startRedstart } from "../kit/server.ts";
import { test } from "../kit/test.ts";

test("members and scores: options, forms of scores, errors and their order", async () => {
  const commands: Command[] = [["SET", "string", "x"]];
  for (const limit of ["128", "0", "2"]) {
    commands.push(["CONFIG", "SET", "zset-max-listpack-entries", limit], ["DEL", "z", "s"]);
    for (
      const line of [
        "ZADD z",
        "ZADD z 1",
        "ZADD z 1 a 2",
        "ZADD z x a",
        "ZADD z nan a",
        "ZADD string x a",
        "ZADD string 1 a",
        "ZADD z NX XX 1 a",
        "ZADD z NX GT 1 a",
        "ZADD z GT LT 1 a",
        "ZADD z XX 1 a",
        "ZADD z XX INCR 1 a",
        "ZADD z INCR 1 a 2 b",
        "ZADD z nx 1 a 2 b 1 a",
        "ZADD z NX CH 5 a 6 c",
        "ZADD z CH 5 a 6 c",
        "ZADD z XX CH 7 a 8 d",
        "ZADD z GT CH 1 a 9 c",
        "ZADD z LT CH 1 a 10 c",
        "ZADD z GT INCR -1 a",
        "ZADD z LT INCR -1 a",
        "ZADD z NX INCR 1 a",
        "ZADD z INCR 1 new",
        "ZADD z INCR 0 new",
        "ZADD z inf p -inf n 1e300 big 0.1 t -0 zero 0x10 hex 100000000000000000 whole 4611686018427387905 more",
        "ZADD z 1e400 a",
        "ZINCRBY z -inf p",
        "ZINCRBY z x p",
        "ZINCRBY z 0.1 t",
        "ZINCRBY z 1e-3 absent",
        "ZINCRBY z nx p",
        "ZINCRBY string 1 p",
        "ZSCORE z p",
        "ZSCORE z zero",
        "ZSCORE z whole",
        "ZSCORE z none",
        "ZSCORE none a",
        "ZSCORE string a",
        "ZMSCORE z p n big t zero hex whole more none",
        "ZMSCORE none a b",
        "ZMSCORE string a",
        "ZRANK z p",
        "ZREVRANK z p",
        "ZRANK z none",
        "ZREVRANK none a",
        "ZRANK string a",
        "ZCARD z",
        "ZCARD none",
        "ZCARD string",
        "ZRANGE z 0 -1 WITHSCORES",
        "OBJECT ENCODING z",
        "ZREM z none",
        "ZREM none a",
        "ZREM string a",
        "ZREM z p n p",
        "ZADD s 1 a",
        "ZREM s b a b",
        "EXISTS s",
        "ZRANDMEMBER none",
        "ZRANDMEMBER none 3",
        "ZRANDMEMBER string",
        "ZRANDMEMBER z x",
        "ZRANDMEMBER z 0",
        "ZRANDMEMBER z 3 NOPE",
        "ZRANDMEMBER z 3 WITHSCORES x",
        "ZRANDMEMBER z -9223372036854775808",
        "ZRANDMEMBER z 9223372036854775807 WITHSCORES",
        "ZRANDMEMBER z 100 WITHSCORES",
        "ZRANDMEMBER z 100",
        "ZSCAN z x",
        "ZSCAN none 0 NOPE",
        "ZSCAN z 0 MATCH",
        "ZSCAN z 0 COUNT 0",
        "ZSCAN string 0",
        "DEL z",
        "ZADD z 5 five 100000000000000000 whole 1.5 half -0 zero",
        "ZSCAN z 0 MATCH whole",
        "ZSCAN z 0 MATCH zero COUNT 100",
      ]
    ) commands.push(words(line));
  }
  commands.push(["CONFIG", "SET", "zset-max-listpack-entries", "128"]);
  await assertSameAsRedis(commands, { batch: 50, protocols: ["2", "3"] });
});

test("ranges by rank, score and member: bounds, limits, options, errors", async () => {
  const commands: Command[] = [["SET", "string", "x"]];
  for (const limit of ["128", "0"]) {
    commands.push(["CONFIG", "SET", "zset-max-listpack-entries", limit], ["DEL", "z", "lex", "d"]);
    commands.push(
      words("ZADD z 1 a 2 b 2 c 2.5 d 3 e inf f -inf g -1 h"),
      words("ZADD lex 0 '' 0 a 0 aa 0 b 0 10 0 9"),
    );
    const ranks = ["0 -1", "1 3", "-3 -2", "5 2", "-100 100", "8 9", "x 1", "1 x", "1.5 2"];
    for (const rank of ranks) {
      for (const options of ["", " WITHSCORES", " REV", " REV WITHSCORES", " REV REV", " LIMIT 0 1", " LIMIT 1 -1"]) {
        commands.push(words(`ZRANGE z ${rank}${options}`));
      }
      commands.push(words(`ZREVRANGE z ${rank} withscores`), words(`ZREVRANGE z ${rank} REV`));
      commands.push(words(`ZRANGESTORE d z ${rank}`), words("ZRANGE d 0 -1 WITHSCORES"));
      commands.push(words(`ZRANGESTORE d z ${rank} REV`), words("ZRANGE d 0 -1 WITHSCORES"));
      commands.push(words(`ZRANGESTORE d z ${rank} WITHSCORES`), words(`ZRANGESTORE d none ${rank}`));
    }
    const scores = ["-inf +inf", "(1 (3", "2 2", "(2 2", "2 (2", "3 1", "x 1", "1 nan", "'' (", "1e0 0x3", "inf inf"];
    for (const score of [...scores, "(-inf (inf", "- +"]) {
      const [low, high] = score.split(" ");
      for (const options of ["", " LIMIT 1 2", " LIMIT 0 0", " LIMIT -1 2", " LIMIT 2 -1", " LIMIT 8 1", " LIMIT 1"]) {
        commands.push(words(`ZRANGEBYSCORE z ${score} WITHSCORES${options}`));
        commands.push(words(`ZREVRANGEBYSCORE z ${high} ${low}${options}`));
        commands.push(words(`ZRANGE z ${score} BYSCORE${options}`));
        commands.push(words(`ZRANGE z ${high} ${low} REV BYSCORE${options} WITHSCORES`));
        commands.push(words(`ZRANGESTORE d z ${score} BYSCORE${options}`), words("ZRANGE d 0 -1 WITHSCORES"));
      }
      commands.push(words(`ZCOUNT z ${score}`), words(`ZRANGE z ${score} BYSCORE BYLEX`));
      commands.push(words(`COPY z y REPLACE`), words(`ZREMRANGEBYSCORE y ${score}`), words("ZRANGE y 0 -1"));
    }
    for (
      const lex of ["- +", "[a [b", "(a [b", "[a (aa", "(a (a", "[a [a", "+ -", "[b [a", "[ (b", "a b", "- -", "+ +"]
    ) {
      const [low, high] = lex.split(" ");
      for (const options of ["", " LIMIT 1 2", " LIMIT 0 0", " LIMIT -1 2", " LIMIT 2 -1"]) {
        commands.push(words(`ZRANGEBYLEX lex ${lex}${options}`), words(`ZREVRANGEBYLEX lex ${high} ${low}${options}`));
        commands.push(words(`ZRANGE lex ${lex} BYLEX${options}`));
        commands.push(words(`ZRANGESTORE d lex ${high} ${low} BYLEX REV${options}`), words("ZRANGE d 0 -1 WITHSCORES"));
      }
      commands.push(words(`ZLEXCOUNT lex ${lex}`), words(`ZRANGE lex ${lex} BYLEX WITHSCORES`));
      commands.push(words(`COPY lex y REPLACE`), words(`ZREMRANGEBYLEX y ${lex}`), words("ZRANGE y 0 -1"));
    }
    for (const rank of ranks) {
      commands.push(words(`COPY z y REPLACE`), words(`ZREMRANGEBYRANK y ${rank}`), words("ZRANGE y 0 -1"));
    }
    for (const key of ["none", "string"]) {
      commands.push(words(`ZRANGE ${key} 0 -1`), words(`ZCOUNT ${key} 0 1`), words(`ZLEXCOUNT ${key} - +`));
      commands.push(
        words(`ZCOUNT ${key} x 1`),
        words(`ZREMRANGEBYRANK ${key} 0 x`),
        words(`ZREMRANGEBYLEX ${key} - +`),
      );
      commands.push(words(`SET d x EX 1000`), words(`ZRANGESTORE d ${key} 0 -1`), words("TYPE d"));
      commands.push(words(`ZRANGESTORE d z 0 1`), words("TTL d"), words("ZRANGESTORE z z 0 -1"), words("ZCARD z"));
    }
  }
  commands.push(["CONFIG", "SET", "zset-max-listpack-entries", "128"]);
  await assertSameAsRedis(commands, { batch: 50, protocols: ["2", "3"] });
});

test("unions, intersections and differences, with sets and weights", async () => {
  const commands: Command[] = ["SET string x", "SADD ints 1 2 3", "SADD words a b 3", "ZADD y inf a 1 b 2 d"].map(
    words,
  );
  commands.push(words("ZADD x 1 a 2.5 b -inf c 0 3"));
  for (const name of ["ZUNION", "ZINTER", "ZDIFF"]) {
    for (
      const keys of [
        "0 x",
        "x x",
        "-1 x",
        "3 x y",
        "1 x",
        "1 none",
        "1 words",
        "2 x string",
        "2 x y",
        "2 y x",
        "2 x x",
        "2 words x",
        "2 x words",
        "3 x none y",
        "3 ints words x",
        "2 ints none",
      ]
    ) {
      for (
        const options of [
          "",
          " WITHSCORES",
          " WEIGHTS",
          " WEIGHTS 2",
          " WEIGHTS 2 -3",
          " WEIGHTS 2 x WITHSCORES",
          " WEIGHTS -1 -1 WITHSCORES",
          " WEIGHTS inf 0 WITHSCORES",
          " AGGREGATE",
          " AGGREGATE NOPE",
          " AGGREGATE MIN WITHSCORES",
          " AGGREGATE max WEIGHTS 2 3 WITHSCORES",
          " AGGREGATE sum AGGREGATE MIN WITHSCORES",
          " NOPE",
        ]
      ) commands.push(words(`${name} ${keys}${options}`), words(`${name}STORE d ${keys}${options}`));
      commands.push(words("ZRANGE d 0 -1 WITHSCORES"), words("OBJECT ENCODING d"), words("SET d x EX 1000"));
      commands.push(words(`${name}STORE d ${keys}`), words("TTL d"), words("ZRANGE d 0 -1 WITHSCORES"), words("DEL d"));
    }
  }
  for (const rest of ["2 x y", "1 none", "2 x words LIMIT 1", "2 x y LIMIT 0", "2 x y LIMIT -1", "2 x y LIMIT x"]) {
    commands.push(words(`ZINTERCARD ${rest}`), words(`ZINTERCARD ${rest} LIMIT 5`), words(`ZINTERCARD ${rest} NOPE 1`));
  }
  commands.push(words("ZINTERCARD 2 x y LIMIT"), words("ZUNIONSTORE x 2 x y"), words("ZRANGE x 0 -1 WITHSCORES"));
  await assertSameAsRedis(commands, { batch: 50, protocols: ["2", "3"] });
});

test("popping, also by commands that may block but need not", async () => {
  const commands: Command[] = [words("SET string x")];
  for (const limit of ["128", "0"]) {
    commands.push(["CONFIG", "SET", "zset-max-listpack-entries", limit]);
    for (
      const line of [
        "ZPOPMIN z",
        "ZPOPMIN z 2",
        "ZPOPMAX z 2",
        "ZPOPMAX z",
        "ZPOPMIN z 0",
        "ZPOPMIN z -1",
        "ZPOPMIN z x",
        "ZPOPMIN z 1 2",
        "ZPOPMAX z 100",
        "ZPOPMIN string",
        "ZPOPMIN string 0",
        "ZPOPMAX none 2",
        "ZMPOP 1 z MIN",
        "ZMPOP 2 none z max",
        "ZMPOP 2 none z MAX COUNT 3",
        "ZMPOP 2 z string MIN COUNT 1",
        "ZMPOP 2 string z MIN",
        "ZMPOP 1 none MIN",
        "ZMPOP 1 z MIN COUNT 0",
        "ZMPOP 1 z MIN COUNT",
        "ZMPOP 1 z MIN COUNT 1 COUNT 2",
        "ZMPOP 1 z NOPE",
        "ZMPOP 0 z MIN",
        "ZMPOP x z MIN",
        "ZMPOP 2 z MIN",
        "ZMPOP 9223372036854775807 z MIN",
        "BZPOPMIN z 0",
        "BZPOPMAX none z 0.5",
        "BZPOPMIN none string 1",
        "BZPOPMIN z x",
        "BZPOPMIN z -1",
        "BZPOPMIN z inf",
        "BZPOPMIN z 1e30",
        "BZMPOP 0 1 z MIN",
        "BZMPOP 0.1 2 none z MAX COUNT 2",
        "BZMPOP x 1 z MIN",
        "BZMPOP -1 1 z MIN",
        "BZMPOP 0 0 z MIN",
        "BZMPOP 0 1 z NOPE",
        "BZMPOP x 1 z NOPE",
      ]
    ) commands.push(words("ZADD z 1 a 2 b 2.5 c inf d"), words(line), words("ZRANGE z 0 -1"));
    commands.push(["MULTI"], words("BZPOPMIN none 0"), words("BZMPOP 0 1 none MAX"), words("BZPOPMAX z 0"), ["EXEC"]);
  }
  commands.push(["CONFIG", "SET", "zset-max-listpack-entries", "128"]);
  await assertSameAsRedis(commands, { batch: 50, protocols: ["2", "3"] });
});

test("encodings, DUMP payloads and COPY at the thresholds", async () => {
  const commands: Command[] = [words("CONFIG SET zset-max-listpack-entries 4 zset-max-listpack-value 8")];
  const scores = ["1", "-5", "1.5", "inf", "-inf", "1e17", "0.1", "123456789012", "-0", "4611686018427387904", "1e19"];
  for (const score of scores) {
    commands.push(["ZADD", "k", score, "m"], ["DUMP", "k"], ["ZADD", "k", score, "x".repeat(8), "3", "7"], [
      "DUMP",
      "k",
    ]);
    commands.push(["OBJECT", "ENCODING", "k"], ["ZADD", "k", "5", "x".repeat(9)], ["OBJECT", "ENCODING", "k"]);
    commands.push(["DUMP", "k"], ["COPY", "k", "copy", "REPLACE"], ["OBJECT", "ENCODING", "copy"]);
    commands.push(["ZREM", "k", "x".repeat(9)], ["OBJECT", "ENCODING", "k"], ["DUMP", "k"]);
    commands.push(["ZUNIONSTORE", "k", "1", "k"], ["OBJECT", "ENCODING", "k"], ["DUMP", "k"], ["DEL", "k"]);
  }
  for (let i = 0; i < 6; i++) commands.push(["ZADD", "n", `${i}`, `${i}`], ["OBJECT", "ENCODING", "n"], ["DUMP", "n"]);
  commands.push(words("ZADD long 1 xxxxxxxxx"), words("OBJECT ENCODING long"), words("ZADD long2 1 a 2 xxxxxxxxx"));
  commands.push(words("OBJECT ENCODING long2"), words("ZADD many 1 a 2 b 3 c 4 d 5 e"), words("OBJECT ENCODING many"));
  commands.push(words("ZRANGESTORE part many 0 2"), words("OBJECT ENCODING part"));
  commands.push(words("CONFIG SET zset-max-listpack-entries 128 zset-max-listpack-value 64"));
  await assertSameAsRedis(commands, { batch: 50, protocols: ["2", "3"] });
});

test("payloads cross between the servers", async () => {
  if (!hasRedis()) return;
  await using redis = await startRedis();
  await using redstart = await startRedstart();
  const [a, b] = [await redis.connect(), await redstart.connect()];
  const all: Command[] = [words("ZRANGE k 0 -1 WITHSCORES"), words("OBJECT ENCODING k"), words("DUMP k")];
  for (const members of [3, 200]) {
    for (let i = 0; i < members; i++) await a.call("ZADD", "k", `${(i * 7919) % 100 / 8}`, `member ${i}`);
    await restore(a, b, await dump(a));
    await assertSameReplies(a, b, all);
    await b.call("ZADD", "k", "1.25", "more");
    await restore(b, a, await dump(b));
    await assertSameReplies(a, b, all);
  }
});

/** A payload with its version and checksum. */
function sealed(body: string): Uint8Array {
  const payload = fromLatin1(`${body}\x0a\0${"\0".repeat(8)}`);
  const crc = new Crc64();
  crc.update(payload, 0, payload.length - 8);
  crc.write(payload, payload.length - 8);
  return payload;
}

test("payloads of older versions, and unsound ones", async () => {
  const one = "\0\0\0\0\0\0\xf0\x3f";
  const ziplist = (...elements: string[]): string => {
    let list = "";
    let tail = 10;
    let previous = 0;
    for (const element of elements) {
      tail = 10 + list.length;
      list += String.fromCharCode(previous) + element;
      previous = element.length + 1;
    }
    const size = list.length + 11;
    return `\x0c${String.fromCharCode(size, size)}\0\0\0${String.fromCharCode(tail)}\0\0\0${
      String.fromCharCode(elements.length)
    }\0${list}\xff`;
  };
  const bodies = [
    "\x03\x04\x01b\x031.5\x01a\x031.5\x01c\xfe\x01d\xff",
    "\x03\x01\x01b\xfd",
    "\x03\x00",
    "\x05\x00",
    `\x05\x02\x01a${one}\x01b${one}`,
    `\x05\x02\x01b${one}\x01a${one}`,
    `\x05\x02\x01a${one}\x01a${one}`,
    `\x05\x03\x01b${one}\xc0\x07${one}\x01a${one}`,
    ziplist("\x01a", "\xf3", "\x01b", "\x053.125", "\xfe\x11", "\xfe\x64"),
    ziplist("\x01a", "\xf3", "\x01a", "\xf3"),
    ziplist("\x01a", "\xf3", "\x01b"),
    "\x11\x0d\x0d\0\0\0\x02\0\x81a\x02\x05\x01\xff\0",
    "\x11\x0c\x0c\0\0\0\x02\0\x81a\x02\x05\x01\xff",
    "\x11\x0c\x0c\0\0\0\x03\0\x81a\x02\x05\x01\xff",
    "\x11\x11\x11\0\0\0\x04\0\x81a\x02\x05\x01\x81a\x02\x06\x01\xff",
    "\x11\x07\x07\0\0\0\0\0\xff",
  ];
  // Without it, Redis takes some damage over.
  const commands: Command[] = [words("CONFIG SET sanitize-dump-payload yes")];
  for (const limit of ["128", "1"]) {
    commands.push(["CONFIG", "SET", "zset-max-listpack-entries", limit]);
    for (const body of bodies) {
      commands.push(["RESTORE", "k", "0", sealed(body)], words("ZRANGE k 0 -1 WITHSCORES"), words("OBJECT ENCODING k"));
      commands.push(["DUMP", "k"], ["DEL", "k"]);
    }
  }
  await assertSameAsRedis(commands);
});

/** The payload of k, as arguments that both servers take. */
async function dump(client: Client): Promise<string> {
  const payload = await client.call("DUMP", "k");
  assert(typeof payload === "string");
  return payload;
}

async function restore(from: Client, to: Client, payload: string): Promise<void> {
  for (const client of [from, to]) {
    assertEquals(await client.call("RESTORE", "k", "0", payload, "REPLACE"), { status: "OK" });
  }
}

test("events, changes and propagation of sorted set commands", () => {
  const server = new InProcess();
  const { keyspace } = server.engine;
  const effects = (line: string): [number, string[], string[]] => {
    const { dirty } = keyspace;
    server.run(...line.split(" "));
    return [keyspace.dirty - dirty, server.events(), server.propagated()];
  };
  const same = (line: string, dirty: number, events: string[]) => {
    assertEquals(effects(line), [dirty, events, [`0 ${line}`]]);
  };
  const nothing = (line: string, events: string[] = []) => assertEquals(effects(line), [0, events, []]);
  same("ZADD z 1 a 2 b 3 c 4 d", 4, ["0 new z", "0 zadd z"]);
  nothing("ZADD z 1 a");
  nothing("ZADD z NX 5 a");
  same("ZADD z 2 a 5 e", 2, ["0 zadd z"]);
  same("ZADD z INCR 1 a", 1, ["0 zincr z"]);
  same("ZINCRBY z 1 a", 1, ["0 zincr z"]);
  nothing("ZINCRBY z 0 a");
  nothing("ZADD none XX 1 a");
  nothing("ZREM z x");
  same("ZREM z a x e a", 2, ["0 zrem z"]);
  same("ZREMRANGEBYSCORE z 2 2", 1, ["0 zremrangebyscore z"]);
  nothing("ZREMRANGEBYSCORE z 2 2");
  same("ZREMRANGEBYRANK z 0 -1", 2, ["0 zremrangebyrank z", "0 del z"]);
  server.run("ZADD", "z", 0, "a", 0, "b");
  server.events();
  server.propagated();
  same("ZREMRANGEBYLEX z [a [a", 1, ["0 zremrangebylex z"]);
  same("ZPOPMAX z 5", 1, ["0 zpopmax z", "0 del z"]);
  nothing("ZPOPMAX z 5");
  server.run("ZADD", "z", 1, "a", 2, "b", 3, "c", 4, "d", 5, "e");
  server.events();
  server.propagated();
  assertEquals(effects("ZMPOP 2 none z MIN COUNT 2"), [2, ["0 zpopmin z"], ["0 ZPOPMIN z 2"]]);
  assertEquals(effects("ZMPOP 1 z MAX"), [1, ["0 zpopmax z"], ["0 ZPOPMAX z 1"]]);
  assertEquals(effects("BZPOPMIN none z 0"), [1, ["0 zpopmin z"], ["0 ZPOPMIN z"]]);
  assertEquals(effects("BZMPOP 0 1 z MAX COUNT 9"), [1, ["0 zpopmax z", "0 del z"], ["0 ZPOPMAX z 1"]]);
  server.run("ZADD", "z", 1, "a", 2, "b");
  server.events();
  server.propagated();
  same("ZUNIONSTORE d 1 z", 1, ["0 new d", "0 zunionstore d"]);
  same("ZINTERSTORE d 2 z d", 1, ["0 zinterstore d"]);
  same("ZDIFFSTORE d 2 d z", 1, ["0 del d"]);
  nothing("ZDIFFSTORE d 2 z z");
  same("ZRANGESTORE d z 0 0", 1, ["0 new d", "0 zrangestore d"]);
  same("ZRANGESTORE d z 5 6", 1, ["0 del d"]);
  nothing("ZRANGESTORE d z 5 6");
  same("ZRANGESTORE z z 0 0", 1, ["0 zrangestore z"]);
});

test("clients that wait are served in turn, each with what is there", async () => {
  if (!hasRedis()) return;
  await using redis = await startRedis();
  await using redstart = await startRedstart();
  const results: unknown[] = [];
  for (const server of [redis, redstart]) {
    const seen: unknown[] = [];
    const other = await server.connect();
    const waiting: Promise<unknown>[] = [];
    const wait = async (line: string): Promise<void> => {
      const client = await server.connect();
      waiting.push(client.call(...words(line) as [string]));
      // Blocked for certain before the next one comes.
      for (;;) {
        const info = await other.call("INFO", "clients") as string;
        if (info.includes(`blocked_clients:${waiting.length}\r\n`)) return;
      }
    };
    const served = async (): Promise<void> => {
      seen.push(await Promise.all(waiting.splice(0)));
      seen.push(await other.call("ZRANGE", "z", "0", "-1"));
    };
    await wait("BZPOPMIN none z 0");
    await wait("BZPOPMAX z z 0");
    await wait("BZMPOP 0 2 z none MAX COUNT 2");
    await other.call("SET", "z", "another type");
    await other.call("DEL", "z");
    seen.push(await other.call("ZADD", "z", "1", "a", "2", "b", "3", "c", "4", "d", "5", "e"));
    await served();
    await wait("BZPOPMIN y 0");
    await other.call("MULTI");
    await other.call("ZADD", "y", "1", "gone");
    await other.call("DEL", "y");
    await other.call("EXEC");
    await other.call("ZUNIONSTORE", "y", "1", "z");
    await served();
    await wait("BZPOPMIN x 0.01");
    await served();
    await wait("BZMPOP 0.01 1 x MIN");
    await served();
    results.push(seen);
  }
  assertEquals(results[1], results[0]);
});

test("counts draw distinct members, all members and members with repetition", () => {
  const server = new InProcess(5);
  const elements = (reply: string): string[] => reply.split("\r\n").filter((_, i) => i > 0 && i % 2 === 0);
  for (const size of [100, 300]) {
    const members = Array.from({ length: size }, (_, i) => `m${i}`);
    server.run("DEL", "z");
    for (const [i, member] of members.entries()) server.run("ZADD", "z", i, member);
    for (const count of [1, 2, 30, 33, 34, 99, 100, 101, 299, 300]) {
      const drawn = elements(server.run("ZRANDMEMBER", "z", String(count)));
      assertEquals(drawn.length, Math.min(count, size));
      assertEquals(new Set(drawn).size, drawn.length);
      assert(drawn.every((member) => members.includes(member)));
      const pairs = elements(server.run("ZRANDMEMBER", "z", String(count), "WITHSCORES"));
      for (let i = 0; i < pairs.length; i += 2) assertEquals(pairs[i], `m${pairs[i + 1]}`);
    }
    const drawn = elements(server.run("ZRANDMEMBER", "z", "-5000"));
    assertEquals([drawn.length, new Set(drawn).size], [5000, size]);
  }
});

test("ZSCAN returns all members with their scores, also while others come and go", () => {
  const server = new InProcess(7);
  const stay = new Map<string, string>();
  for (let i = 0; i < 1000; i++) {
    stay.set(`m${i}`, String(i));
    server.run("ZADD", "z", i, `m${i}`);
  }
  let cursor = "0";
  const seen = new Map<string, string>();
  let calls = 0;
  do {
    const lines = server.run("ZSCAN", "z", cursor, "COUNT", "20").split("\r\n");
    cursor = lines[2];
    for (let i = 5; i + 2 < lines.length; i += 4) seen.set(lines[i], lines[i + 2]);
    for (let i = 0; i < 20; i++) server.run("ZADD", "z", 5, `other ${calls * 20 + i}`);
    calls++;
  } while (cursor !== "0");
  for (const [member, score] of stay) assertEquals(seen.get(member), score);
});
