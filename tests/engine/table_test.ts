/** Finding commands by name: any case, renamed, removed, and against a plain map. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { Args } from "../../lib/bytes/args.ts";
import { fromLatin1 } from "../../lib/bytes/ascii.ts";
import { Command } from "../../lib/engine/command.ts";
import { CommandTable } from "../../lib/engine/table.ts";
import { Seeded } from "../kit/seeded.ts";
import { test } from "../kit/test.ts";

function make(name: string, ...subcommands: string[]): Command {
  const row = { name, arity: -1, since: "1.0.0", group: "generic", summary: "" } as const;
  if (subcommands.length === 0) return new Command(row, null);
  return new Command({ ...row, subcommands: subcommands.map((sub) => make(sub)) }, null);
}

test("finds names in any case, anywhere in a buffer, and nothing else", () => {
  const table = CommandTable.from([
    make("get"),
    make("getex"),
    make("bitfield_ro"),
    make("restore-asking"),
    make("ge"),
  ]);
  const buf = fromLatin1("xxGetExyy");
  assertEquals(table.find(buf, 2, 5)?.name, "getex");
  assertEquals(table.find(buf, 2, 3)?.name, "get");
  assertEquals(table.find(buf, 2, 2)?.name, "ge");
  assertEquals(table.find(buf, 2, 4), null);
  assertEquals(table.find(buf, 2, 1), null);
  assertEquals(table.find(buf, 0, 0), null);
  assertEquals(table.findName("BITFIELD_RO")?.name, "bitfield_ro");
  assertEquals(table.findName("Restore-Asking")?.name, "restore-asking");
  // Bytes that fold onto a name's by setting the case bit, but are no letters.
  assertEquals(table.findName("bitfield\x7fro"), null);
  assertEquals(table.findName("restore\rasking"), null);
  assertEquals(table.findName("get\0"), null);
  assertEquals(table.findName("g\xe5t"), null);
});

test("subcommands, by arguments and by full name", () => {
  const table = CommandTable.from([make("config", "get", "set"), make("get")]);
  const look = (first: number, ...words: string[]) => table.lookup(Args.of(...words), first)?.fullName;
  assertEquals(look(0, "CONFIG", "Get", "x"), "config|get");
  assertEquals(look(0, "config"), "config");
  assertEquals(look(0, "config", "none"), undefined);
  assertEquals(look(0, "get", "set"), "get");
  assertEquals(look(1, "x", "CONFIG", "SET"), "config|set");
  assertEquals(look(1, "config", "get"), "get");
  assertEquals(table.findFullName("CONFIG|Set")?.fullName, "config|set");
  assertEquals(table.findFullName("config")?.fullName, "config");
  for (const none of ["config|", "config|none", "config|get|x", "get|set", "none|get", ""]) {
    assertEquals(table.findFullName(none), null, none);
  }
});

test("each table has commands and statistics of its own", () => {
  const rows = [make("get"), make("config", "get", "set"), make("set")];
  const one = CommandTable.from(rows);
  const other = CommandTable.from(rows);
  const get = one.findName("get")!;
  get.calls = 5;
  const sub = one.findFullName("config|get")!;
  sub.calls = 7;
  assertEquals(other.findName("get")!.calls, 0);
  assertEquals(other.findFullName("config|get")!.calls, 0);
  assertEquals(rows[0].calls, 0);
  assert(sub.parent === one.findName("config"));
  for (const command of one) command.resetStatistics();
  assertEquals([get.calls, sub.calls], [0, 0]);
});

test("renamed commands keep their own name", () => {
  const table = CommandTable.from([make("get"), make("config", "get"), make("set")]);
  assert(table.rename("CONFIG", "Secret"));
  assertEquals(table.findName("config"), null);
  assertEquals(table.findName("secret")?.name, "config");
  assertEquals(table.findFullName("secret|get")?.fullName, "config|get");
  assertEquals(table.names(), ["get", "set", "secret"]);
  assert(table.rename("get", ""));
  assertEquals(table.findName("get"), null);
  assertEquals(table.rename("get", "x"), false);
  assertEquals(table.remove("none"), false);
  assertThrows(() => table.rename("set", "secret"), Error, "secret");
  assertEquals(table.findName("set")?.name, "set");
  assertEquals(table.size, 2);
});

test("a table of random names behaves like a map", () => {
  const random = new Seeded(3);
  const table = new CommandTable();
  const model = new Map<string, Command>();
  const name = () => Array.from({ length: 1 + random.below(3) }, () => random.pick("abcdeABC_-")).join("");
  for (let i = 0; i < 3000; i++) {
    const word = name();
    const known = model.get(word.toLowerCase());
    assertEquals(table.findName(word), known ?? null);
    if (known !== undefined) {
      if (random.below(3) === 0) assertEquals(table.remove(word), model.delete(word.toLowerCase()));
    } else {
      const command = make(word.toLowerCase());
      table.add(command);
      model.set(command.name, command);
    }
    assertEquals(table.size, model.size);
  }
  assertEquals(new Set(table.names()), new Set(model.keys()));
});
