/**
 * Commands that make a key of every type and encoding, small and large, around the limits at which encodings change, with and without
 * deadlines, in two databases.
 */

import type { Command } from "../kit/client.ts";
import type { Seeded } from "../kit/seeded.ts";

const INTEGERS = [
  "0",
  "-1",
  "12",
  "127",
  "-128",
  "4095",
  "-4096",
  "32767",
  "-32769",
  "8388607",
  "2147483648",
  "-2147483649",
  "9223372036854775807",
  "-9223372036854775808",
];

/** All commands of the corpus; none of them fails on an empty server. */
export function corpus(random: Seeded): Command[] {
  const commands: Command[] = [];
  const words = (n: number) => Array.from({ length: n }, () => word(random));
  for (const [i, value] of [...INTEGERS, "", "007", "9223372036854775808", "\0\r\n"].entries()) {
    commands.push(["SET", `string:${i}`, value]);
  }
  for (const length of [20, 21, 44, 45, 63, 64, 16_383, 16_384, 70_000]) {
    commands.push(["SET", `text:${length}`, random.word(length, "ab")], [
      "SET",
      `noise:${length}`,
      random.binary(length),
    ]);
  }
  commands.push(["SET", random.binary(100), "a long name"], ["SET", "", "no name"], [
    "SET",
    "-12",
    "a name that is a number",
  ]);
  commands.push(["APPEND", "appended", "12"], ["SETBIT", "bits", 1000, 1], ["PFADD", "hll", ...words(50)]);
  for (const size of [1, 3, 60, 128, 129, 500, 2000]) {
    const push = (key: string, elements: string[]) => commands.push(["RPUSH", key, ...elements]);
    push(`list:${size}`, words(size));
    push(`list of numbers:${size}`, Array.from({ length: size }, () => random.pick(INTEGERS)));
    commands.push(["SADD", `set:${size}`, ...words(size)]);
    for (const limit of [100, 100_000, 1e15]) {
      commands.push([
        "SADD",
        `intset:${size}:${limit}`,
        ...Array.from({ length: size }, () => random.between(-limit, limit)),
      ]);
    }
    commands.push(["HSET", `hash:${size}`, ...words(size * 2)]);
    commands.push([
      "ZADD",
      `zset:${size}`,
      ...words(size).flatMap((member) => [
        random.pick([
          "1",
          "-5",
          "2.5",
          "0.1",
          "inf",
          "-inf",
          "1e300",
          "-0",
          "12345678901234567",
          String(random.u32() / 7),
        ]),
        member,
      ]),
    ]);
  }
  commands.push(["RPUSH", "list of one large", random.binary(9000)], ["RPUSH", "list of large", ...words(3)]);
  for (let i = 0; i < 5; i++) {
    commands.push([random.pick(["LPUSH", "RPUSH"]), "list of large", random.word(5000), ...words(5)]);
  }
  commands.push(["HSET", "hash with a long value", "f", random.word(65)], [
    "ZADD",
    "zset with a long member",
    1,
    random.word(65),
  ]);
  commands.push(["HSET", "hash at the limit", random.word(64), random.word(64)], ["SADD", "set of one", "x"]);
  commands.push(["SADD", "intset that was larger", 1, 100_000], ["SREM", "intset that was larger", 100_000]);
  commands.push(["HSET", "shrunk hash", ...words(300)], ["HSET", "shrunk hash", "f", "v"]);
  commands.push(...streams(random));
  for (
    const key of [
      "string:3",
      "list:60",
      "set:129",
      "hash:3",
      "hash:500",
      "zset:1",
      "zset:500",
      "intset:3:100",
      "stream:3",
    ]
  ) {
    commands.push(["PEXPIREAT", key, random.between(4_000_000_000_000, 5_000_000_000_000)]);
  }
  commands.push(["PEXPIREAT", "string:1", "9007199254740993"]);
  commands.push(["SELECT", 3], ["SET", "other", "database"], ["RPUSH", "list", "a"], ["SELECT", 0]);
  return commands;
}

/** Streams of several sizes, with deleted entries, groups, and entries that are pending. */
function streams(random: Seeded): Command[] {
  const commands: Command[] = [["XADD", "emptied stream", "5-1", "f", "v"], ["XTRIM", "emptied stream", "MAXLEN", 0]];
  commands.push(["XGROUP", "CREATE", "stream of groups", "g", "$", "MKSTREAM"]);
  for (const size of [1, 3, 99, 100, 101, 400]) {
    const key = `stream:${size}`;
    for (let i = 1; i <= size; i++) {
      const fields = random.chance(0.8) ? ["a", word(random), "b", word(random)] : [word(random), word(random)];
      commands.push(["XADD", key, `${1000 + (i >> 2)}-${i}`, ...fields]);
    }
    for (let n = random.below(size); n > 0; n -= 7) commands.push(["XDEL", key, `${1000 + (n >> 2)}-${n}`]);
    for (const group of ["g", "another group"]) {
      commands.push(["XGROUP", "CREATE", key, group, random.pick(["0", "$", "1001-5"])]);
      commands.push(["XGROUP", "CREATECONSUMER", key, group, "idle consumer"]);
      for (const consumer of ["c", "d"]) {
        commands.push(["XREADGROUP", "GROUP", group, consumer, "COUNT", random.between(1, 30), "STREAMS", key, ">"]);
      }
      commands.push(["XACK", key, group, "1000-1", "1001-4", "1002-9"]);
    }
  }
  return commands;
}

function word(random: Seeded): string {
  if (random.chance(0.3)) return random.pick(INTEGERS);
  return random.chance(0.5) ? random.binary(random.between(0, 70)) : random.word(random.between(1, 40));
}
