/** Queued commands come back as they were, and what a client watches is what a simple model says. */

import { assert, assertEquals } from "@std/assert";
import { Args } from "../../lib/bytes/args.ts";
import type { Command } from "../../lib/engine/command.ts";
import { bytesOf } from "../../lib/engine/kept_args.ts";
import { Transaction } from "../../lib/engine/transaction.ts";
import { framed, textsOf } from "../kit/args.ts";
import { InProcess } from "../kit/inprocess.ts";
import { Seeded } from "../kit/seeded.ts";
import { test } from "../kit/test.ts";

test("a transaction keeps its commands, with their frames or without", () => {
  const random = new Seeded(7);
  const { table } = new InProcess().engine;
  const commands = ["get", "set", "eval", "lpush", "publish"].map((name) => table.lookup(Args.of(name), 0)!);
  const into = new Args(1);
  for (let round = 0; round < 300; round++) {
    const transaction = Transaction.begin();
    const queued: { command: Command; args: Args }[] = [];
    const longest = random.pick([5, 60, 2000]);
    for (let step = random.below(60); step >= 0; step--) {
      if (random.chance(0.1) && queued.length > 0) {
        const count = random.between(1, queued.length);
        transaction.removeLast(count);
        queued.length -= count;
      } else {
        const parts = Array.from({ length: random.between(1, 8) }, () => random.binary(random.below(longest)));
        const entry = { command: random.pick(commands), args: random.chance(0.5) ? framed(parts) : Args.of(...parts) };
        transaction.add(entry.command, entry.args);
        queued.push(entry);
      }
    }
    assertEquals(transaction.commands.slice(0, transaction.count), queued.map(({ command }) => command));
    assertEquals(transaction.argumentBytes, queued.reduce((sum, { args }) => sum + bytesOf(args), 0));
    assertEquals(transaction.flags, queued.reduce((flags, { command }) => flags | command.flags, 0));
    assertEquals(transaction.mask, queued.reduce((mask, { command }) => mask | command.mask, 0));
    let place = 0;
    queued.forEach(({ args }, i) => {
      assertEquals(transaction.place(i), place);
      place = transaction.read(place, into);
      assertEquals(textsOf(into), textsOf(args));
      const frame = args.begin < 0 ? "" : String(args.buf.slice(args.begin, args.end));
      assertEquals(into.begin < 0 ? "" : String(into.buf.slice(into.begin, into.end)), frame);
    });
    transaction.end();
  }
});

test("clients watch keys as a model does", () => {
  const random = new Seeded(11);
  const server = new InProcess();
  const { watches, keyspace } = server.engine;
  const watchers = Array.from(
    { length: 12 },
    () => ({ client: server.connect(), keys: new Set<string>(), failed: false }),
  );
  const before = keyspace.attention;
  let lost = 0;
  for (let step = 0; step < 5000; step++) {
    const watcher = random.pick(watchers);
    const key = `key:${random.below(40)}`;
    if (random.chance(0.5)) {
      const db = random.below(2);
      server.runAs(watcher.client, "SELECT", db);
      server.runAs(watcher.client, "WATCH", key);
      if (!watcher.failed) watcher.keys.add(`${db}:${key}`);
    } else if (random.chance(0.6)) {
      server.run("SET", key, step);
      for (const other of watchers) if (other.keys.has(`0:${key}`)) other.failed = true;
    } else if (random.chance(0.3)) {
      server.runAs(watcher.client, "MULTI");
      assertEquals(server.runAs(watcher.client, "EXEC"), watcher.failed ? "*-1\r\n" : "*0\r\n");
      if (watcher.failed) lost++;
      watcher.keys.clear();
      watcher.failed = false;
    }
  }
  assert(lost > 100);
  for (const { client } of watchers) watches.removeAll(client);
  assertEquals(keyspace.attention, before);
});
