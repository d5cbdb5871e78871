/** Small streams that are loaded stay as bytes until they are needed: nobody may notice. */

import { assert, assertEquals } from "@std/assert";
import { Args } from "../../lib/bytes/args.ts";
import { Kind } from "../../lib/store/record.ts";
import { InProcess } from "../kit/inprocess.ts";
import { Seeded } from "../kit/seeded.ts";
import { test } from "../kit/test.ts";
import { latin1, sealPayload } from "./rdb_bytes.ts";

/** The bulk string that is the whole reply. */
function bulk(reply: string): Uint8Array {
  return latin1(reply.slice(reply.indexOf("\r\n") + 2, -2));
}

function sleeps(server: InProcess, key: string): boolean {
  const db = server.engine.keyspace.databases[0];
  return db.kind(db.find(Args.of(key), 0)) !== Kind.OBJECT;
}

/** A stream of a few entries, with groups and what is pending in them. */
function make(server: InProcess, key: string, random: Seeded): void {
  const entries = random.between(1, 12);
  for (let i = 1; i <= entries; i++) {
    server.run(
      "XADD",
      key,
      `${i * 3}-${random.below(3)}`,
      random.pick(["a", "b"]),
      random.below(1000),
      "text",
      `value ${i}`,
    );
  }
  for (let g = random.below(4); g > 0; g--) {
    const group = random.pick(["g", "7", "another group", "\xff"]);
    server.run("XGROUP", "CREATE", key, group, random.pick(["0", "$", "6-0"]));
    for (let c = random.below(4); c > 0; c--) {
      server.run("XREADGROUP", "GROUP", group, random.pick(["x", "12", "y y"]), "COUNT", 2, "STREAMS", key, ">");
    }
    if (random.chance(0.3)) server.run("XACK", key, group, "3-0", "6-1");
  }
  if (random.chance(0.3)) server.run("XDEL", key, "3-0", "3-1", "3-2", "6-0");
}

test("a stream that sleeps is what it was, dumped asleep and awake, copied, renamed and deleted", () => {
  const server = new InProcess();
  for (let seed = 1; seed <= 300; seed++) {
    const before = server.engine.keyspace.slab.used;
    make(server, "k", new Seeded(seed));
    const payload = bulk(server.run("DUMP", "k"));
    const info = server.run("XINFO", "STREAM", "k", "FULL");
    assertEquals(server.run("RESTORE", "r", 0, payload), "+OK\r\n");
    assert(sleeps(server, "r"));
    assertEquals(server.run("OBJECT", "ENCODING", "r"), server.run("OBJECT", "ENCODING", "k"));
    assertEquals(bulk(server.run("DUMP", "r")), payload);
    server.run("COPY", "r", "c");
    server.run("RENAME", "r", "n");
    server.run("EXPIRE", "n", 1000);
    for (const key of ["c", "n"]) {
      assert(sleeps(server, key));
      assertEquals(server.run("XINFO", "STREAM", key, "FULL"), info);
      assert(!sleeps(server, key));
      assertEquals(bulk(server.run("DUMP", key)), payload);
      const next = (of: string) => server.run("XADD", of, "9999-1", "f", "v") + server.run("XRANGE", of, "-", "+");
      if (key === "n") assertEquals(next("n"), next("k"));
    }
    server.run("FLUSHALL");
    assertEquals(server.engine.keyspace.slab.used, before);
  }
});

test("a command in the middle of a snapshot wakes a stream, which is saved as it was", () => {
  const server = new InProcess();
  const { keyspace } = server.engine;
  make(server, "k", new Seeded(5));
  const payload = bulk(server.run("DUMP", "k"));
  server.run("RESTORE", "r", 0, payload);
  const db = keyspace.databases[0];
  const ref = db.find(Args.of("r"), 0);
  const told: boolean[] = [];
  keyspace.barrier = { beforeChange: () => told.push(sleeps(server, "r")), beforeOverwrite: () => {} };
  db.object(ref);
  keyspace.barrier = null;
  assertEquals(told, [true]);
  assert(!sleeps(server, "r"));
});

test("names, IDs and entries that are not in order, or too many, are read at once", () => {
  const server = new InProcess();
  const restored = (make: () => void, from: string, to: string): string => {
    server.run("FLUSHALL");
    make();
    const body = String.fromCharCode(...bulk(server.run("DUMP", "k")).slice(0, -10));
    assert(body.includes(from));
    return server.run("RESTORE", "r", 0, sealPayload(latin1(body.replace(from, to))));
  };
  const groups = () => {
    server.run("XADD", "k", "1-1", "f", "v");
    for (const group of ["ga", "gb"]) server.run("XGROUP", "CREATE", "k", group, 0);
  };
  assertEquals(restored(groups, "\x02ga", "\x02gc"), "+OK\r\n");
  assert(!sleeps(server, "r"));
  assertEquals(restored(groups, "\x02ga", "\x02gb"), "-ERR Bad data format\r\n");
  const consumers = () => {
    groups();
    for (const consumer of ["ca", "cb"]) server.run("XGROUP", "CREATECONSUMER", "k", "ga", consumer);
  };
  assertEquals(restored(consumers, "\x02ca", "\x02cc"), "+OK\r\n");
  assert(!sleeps(server, "r"));
  assertEquals(restored(consumers, "\x02ca", "\x02cb"), "-ERR Bad data format\r\n");
  const pending = () => {
    groups();
    server.run("XADD", "k", "1-2", "f", "v");
    for (const consumer of ["ca", "cb"]) {
      server.run("XREADGROUP", "GROUP", "ga", consumer, "COUNT", 1, "STREAMS", "k", ">");
    }
  };
  const id = (seq: number) => `\x01${"\0".repeat(7)}${String.fromCharCode(seq)}`;
  assertEquals(restored(pending, id(2), id(1)), "-ERR Bad data format\r\n");
  assertEquals(restored(pending, id(2), id(3)), "-ERR Bad data format\r\n");
  const long = () => {
    for (let i = 1; i < 1000; i++) server.run("XADD", "k", `${i}-1`, "field", `${Math.imul(i, 0x9e3779b1)}`);
  };
  assertEquals(restored(long, "field", "fiend"), "+OK\r\n");
  assert(!sleeps(server, "r"));
  assertEquals(server.run("XLEN", "r"), ":999\r\n");
});
