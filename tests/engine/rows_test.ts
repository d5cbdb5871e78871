/** The rows of all commands against the real server: what COMMAND INFO and COMMAND DOCS say must be the same. */

import { assert, assertEquals } from "@std/assert";
import { Args } from "../../lib/bytes/args.ts";
import { latin1 } from "../../lib/bytes/ascii.ts";
import { writeDocs, writeInfo } from "../../lib/commands/command.ts";
import type { Client } from "../../lib/engine/client.ts";
import type { Command } from "../../lib/engine/command.ts";
import { CommandTable } from "../../lib/engine/table.ts";
import { Reply as Writer } from "../../lib/resp/reply.ts";
import type { Reply } from "../kit/reply.ts";
import { loadCommands } from "../kit/rows.ts";
import { hasRedis, startRedis } from "../kit/server.ts";
import { test } from "../kit/test.ts";

/** Reads back what a writer holds; only the kinds that COMMAND replies with. */
function readBack(writer: Writer): Reply {
  let at = 0;
  const line = (): string => {
    const end = writer.buf.indexOf(10, at);
    const text = latin1(writer.buf, at, end - 1 - at);
    at = end + 1;
    return text;
  };
  const list = (count: number): Reply[] => Array.from({ length: count }, value);
  function value(): Reply {
    const header = line();
    const number = Number(header.slice(1));
    switch (header[0]) {
      case "-":
        return { error: header.slice(1) };
      case "+":
        return { status: header.slice(1) };
      case ":":
        return number;
      case "_":
        return { nil: "_" };
      case "*":
        return list(number);
      case "~":
        return { set: list(number) };
      case "%":
        return { map: Array.from({ length: number }, (): [Reply, Reply] => [value(), value()]) };
      case "$": {
        const text = latin1(writer.buf, at, number);
        at += number + 2;
        return text;
      }
    }
    throw new Error(`unexpected ${header}`);
  }
  const reply = value();
  assertEquals(at, writer.at);
  return reply;
}

function written(write: (reply: Writer, command: Command) => void, command: Command): Reply {
  const writer = new Writer();
  writer.resp3 = true;
  write(writer, command);
  return readBack(writer);
}

/** A list in an order of its own: Redis lists subcommands in the order of a hash table. */
function sorted(list: Reply[]): Reply[] {
  return list.toSorted((a, b) => JSON.stringify(a) < JSON.stringify(b) ? -1 : 1);
}

function sortedInfo(info: Reply): Reply {
  assert(Array.isArray(info));
  const subcommands = info.at(-1) as Reply;
  return Array.isArray(subcommands) ? [...info.slice(0, -1), sorted(subcommands)] : info;
}

function entries(reply: Reply): [Reply, Reply][] {
  assert(typeof reply === "object" && reply !== null && !Array.isArray(reply) && "map" in reply);
  return reply.map;
}

function sortedDocs(docs: Reply): Reply {
  return {
    map: entries(docs).map(([name, value]): [Reply, Reply] =>
      name === "subcommands" ? [name, sorted(entries(value))] : [name, value]
    ),
  };
}

/** Commands that Redis does not have. */
const OWN: ReadonlySet<string> = new Set(["undo"]);

test("COMMAND INFO and COMMAND DOCS say the same as Redis about every command", async () => {
  if (!hasRedis()) return;
  await using redis = await startRedis();
  const client = await redis.connect();
  await client.ok("HELLO", "3");
  const commands = await loadCommands();
  assert(commands.length > 0);
  for (const command of commands) {
    if (OWN.has(command.name)) continue;
    const [info] = await client.ok("COMMAND", "INFO", command.name) as Reply[];
    assertEquals(sortedInfo(written(writeInfo, command)), sortedInfo(info), `COMMAND INFO ${command.name}`);
    const docs = await client.ok("COMMAND", "DOCS", command.name);
    assertEquals(
      sortedDocs(written(writeDocs, command)),
      sortedDocs(entries(docs)[0][1]),
      `COMMAND DOCS ${command.name}`,
    );
  }
});

test("all commands fit into one table", async () => {
  const commands = await loadCommands();
  const table = CommandTable.from(commands);
  assertEquals(table.size, commands.length);
});

/** The reply to a command that needs no more of its client than arguments, reply and table. */
function run(table: CommandTable, words: string[]): Reply {
  const args = Args.of(...words);
  const reply = new Writer();
  reply.resp3 = true;
  table.lookup(args, 0)!.run({ args, reply, engine: { table } } as unknown as Client);
  return readBack(reply);
}

test("COMMAND's subcommands reply as Redis does", async () => {
  if (!hasRedis()) return;
  await using redis = await startRedis();
  const client = await redis.connect();
  await client.ok("HELLO", "3");
  const table = CommandTable.from(await loadCommands());
  const calls = [
    "HELP",
    "INFO command|count none command| |count command|count|x",
    "DOCS none command|list COMMAND|help",
    "GETKEYS none x",
    "GETKEYS command none",
    "GETKEYS command|info x",
    "GETKEYS command info get",
    "GETKEYSANDFLAGS command count",
    "LIST x",
    "LIST FILTERBY",
    "LIST FILTERBY ACLCAT",
    "LIST FILTERBY none x",
    "LIST FILTERBY MODULE x",
    "LIST FILTERBY ACLCAT none",
    "LIST filterby pattern none*",
    "LIST FILTERBY PATTERN x y",
  ].map((words) => ["COMMAND", ...words.split(" ")]);
  for (const call of calls) assertEquals(run(table, call), await client.call(...call), call.join(" "));

  // The table may lack commands that Redis has, and has our own besides.
  const lists = [
    "",
    "FILTERBY ACLCAT SLOW",
    "FILTERBY ACLCAT connection",
    "FILTERBY PATTERN COMM?nd*",
    "FILTERBY PATTERN *t",
  ];
  for (const list of lists) {
    const call = ["COMMAND", "LIST", ...list.split(" ").filter((word) => word !== "")];
    const names = await client.ok(...call) as string[];
    assertEquals(
      sorted((run(table, call) as string[]).filter((name) => !OWN.has(name))),
      sorted(names.filter((name) => table.findFullName(name) !== null)),
      call.join(" "),
    );
  }
  assertEquals(run(table, ["COMMAND", "COUNT"]), table.size);
  assertEquals(run(table, ["COMMAND"]), run(table, ["COMMAND", "INFO"]));
  assertEquals((run(table, ["COMMAND"]) as Reply[]).length, table.size);
});
