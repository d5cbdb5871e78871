/** CONFIG GET and CONFIG SET against the real redis-server: every parameter, good and bad values, the same replies. */
import { assert, assertEquals } from "@std/assert";
import type { Config } from "../../lib/config/config.ts";
import { PARAMETERS } from "../../lib/config/parameters.ts";
import type { Client } from "../kit/client.ts";
import { errorOf, type Reply } from "../kit/reply.ts";
import { hasRedis, startRedis } from "../kit/server.ts";
import { test } from "../kit/test.ts";
import { configAt, loadText, setReply } from "./fixture.ts";

async function pair(run: (config: Config, client: Client, port: number) => Promise<void>): Promise<void> {
  if (!hasRedis()) return;
  await using server = await startRedis();
  const config = configAt("/");
  loadText(
    config,
    // Redis's default; ours is loopback.
    `bind * -::*\nport ${server.port}\ndir ${JSON.stringify(server.dir)}\nsave ""\nenable-debug-command yes`,
  );
  await run(config, await server.connect(), server.port);
}

/** The pairs of a CONFIG GET reply, sorted by name; Redis's own order depends on a random seed. */
function sorted(reply: Reply): [string, string][] {
  const flat = reply as string[];
  const pairs: [string, string][] = [];
  for (let i = 0; i < flat.length; i += 2) pairs.push([flat[i], flat[i + 1]]);
  return pairs.sort(byName);
}
function byName(a: readonly string[], b: readonly string[]): number {
  return a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0;
}
function textOf(reply: Reply): string {
  return errorOf(reply) ?? (reply as { status: string }).status;
}

test("CONFIG GET * shows redis-server's parameters and defaults", () =>
  pair(async (config, client) => {
    const theirs = sorted(await client.call("CONFIG", "GET", "*"));
    assert(theirs.length > 180);
    assertEquals(config.get(["*"]).sort(byName), theirs);
  }));

test("CONFIG GET takes several patterns, and names as they are written", () =>
  pair(async (config, client) => {
    const queries = [
      ["maxmemory"],
      ["MaxMemory", "maxmemory"],
      ["maxmemory", "MAXMEMORY*"],
      ["MAX*Y", "maxmemory"],
      ["*ziplist*", "*listpack*"],
      ["sl?ve-p[q-r]iority", "replica-priority", "none", "no*ne"],
      ["watchdog-period", "*dog*"],
      ["[^a-z]*"],
      [""],
      ["key-load-delay", "use-exit-on-panic", "rdb-key-save-delay", "loading-process-events-interval-bytes"],
    ];
    for (const query of queries) {
      assertEquals(config.get(query).sort(byName), sorted(await client.call("CONFIG", "GET", ...query)), `${query}`);
    }
  }));

/** Values that some parameters take and others refuse. */
const VALUES = [
  "",
  "yes",
  "no",
  "YES",
  "yes ",
  "No",
  "yes no",
  "0",
  "1",
  "-1",
  "+1",
  "-0",
  "01",
  " 1",
  "1 ",
  "1.5",
  "10",
  "99",
  "100",
  "101",
  "1000",
  "1024",
  "65535",
  "65536",
  "1048575",
  "1048576",
  "1k",
  "1Kb",
  "2m",
  "64MB",
  "1gb",
  "1 gb",
  "5%",
  "100%",
  "-5%",
  "%",
  "2147483647",
  "2147483648",
  "-2147483648",
  "-2147483649",
  "4294967295",
  "4294967296",
  "9223372036854775807",
  "9223372036854775808",
  "-9223372036854775808",
  "18446744073709551615",
  "18446744073709551616",
  "99999999999999999999gb",
  "0x10",
  "abc",
  "a b",
  "a\xe9\xffb",
  "nul\0byte",
  "with/slash",
  "back\\slash",
  "x".repeat(255),
  "x".repeat(256),
  "host.example-1",
  "Host_1",
  "allkeys-lru",
  "NOEVICTION",
  "always",
  "swapdb",
  "verbose",
  "optional",
  "local",
  "clients",
  "resetchannels",
  "unknown-endpoint",
  "panic",
  "default",
  "save",
  "save nosave",
  "now FORCE",
  "force save now",
  "default now",
  "900 1 300 10",
  "900 1 300",
  "900  1",
  "0 1",
  "60 -1",
  "60 4294967297",
  "pubsub 1mb 512kb 5",
  "slave 2mb 1mb 60 pubsub 0 0 0",
  "REPLICA 3gb 1000 1",
  "master 0 0 0",
  "pubsub 1 x 1",
  "pubsub 1 1 -1",
  "pubsub 1 1",
  "0 100 200",
  "-2000 0 2000",
  "1 2 2001",
  "AKE",
  "Kg$lshzxetdn",
  "KEA mn",
  "mKn",
  "gK",
  "q",
  "50 99 99.9 100",
  "0.001 12.3456789",
  "1e1",
  "nan",
  "101 1",
  "-0.1",
  "{title} {port}",
  "{title}",
  "{{",
  "{nope}",
  "{title",
  "  ",
];

/** Values that would break the connection, the machine or the server's own state if Redis took them. */
const DANGEROUS = new Map<string, (value: string) => boolean>([
  ["port", () => true],
  ["bind", () => true],
  ["tls-port", () => true],
  ["tls-cluster", (value) => /^yes$/i.test(value)],
  ["tls-replication", (value) => /^yes$/i.test(value)],
  ["appendonly", (value) => /^yes$/i.test(value)],
  ["maxclients", (value) => /^[0-9]+$/.test(value)],
  ["watchdog-period", (value) => /^[1-9]/.test(value)],
  ["oom-score-adj", (value) => /^(yes|relative|absolute)$/i.test(value)],
  ["oom-score-adj-values", () => false],
  ["maxmemory-clients", (value) => /^([1-9][0-9]{0,6}|1k|1Kb|01|2m|18446744073709551615.*|.*gb)$/i.test(value)],
]);

test("CONFIG SET answers like redis-server for every parameter and many values", () =>
  pair(async (config, client) => {
    const names = PARAMETERS.flatMap(({ name, alias }) => alias === null ? [name] : [name, alias]);
    let taken = 0;
    for (const name of names) {
      const values = VALUES.filter((value) => !(DANGEROUS.get(name)?.(value) ?? false));
      const commands = values.flatMap((value) => [["CONFIG", "SET", name, value], ["CONFIG", "GET", name]]);
      const replies = await client.pipeline(commands);
      values.forEach((value, i) => {
        const label = `${name} ${JSON.stringify(value)}`;
        const reply = setReply(config, [name, value]);
        assertEquals(reply, textOf(replies[2 * i]), label);
        assertEquals(config.get([name]).flat(), replies[2 * i + 1] as string[], label);
        if (reply === "OK") taken++;
      });
    }
    assert(taken > 2000, `only ${taken} values were accepted`);
    assertEquals(config.get(["*"]).sort(byName), sorted(await client.call("CONFIG", "GET", "*")));
  }));

test("CONFIG SET with several pairs takes all or none", () =>
  pair(async (config, client) => {
    const commands = [
      ["maxmemory", "100mb", "maxmemory-policy", "allkeys-lru"],
      ["maxmemory", "200mb", "maxmemory-policy", "nope"],
      ["maxmemory", "200mb", "maxmemory", "300mb"],
      ["maxmemory", "200mb", "MAXMEMORY", "300mb"],
      ["replica-priority", "5", "slave-priority", "6"],
      ["replica-priority", "7", "slave-priority", "x"],
      ["maxmemory", "200mb", "nope", "1", "port", "2", "databases", "3"],
      ["databases", "3", "nope", "1"],
      ["Databases", "3"],
      ["dbfilename", "x.rdb"],
      ["DIR", "/"],
      ["save", "10 10", "hz", "1000", "appendfsync", "sometimes"],
      ["save", "", "hz", "1000"],
      ["latency-tracking-info-percentiles", "1 2 3", "hz", "20", "lfu-decay-time", "-1"],
      ["Slave-Priority", "abc"],
      ["", ""],
      ["nope\0x", "1"],
      ["maxmemory"],
      ["maxmemory", "1", "maxmemory-policy"],
    ];
    const watched = ["maxmemory*", "*-priority", "hz", "save", "latency*", "db*"];
    for (const pairs of commands) {
      const label = JSON.stringify(pairs);
      if (pairs.length > 1) {
        assertEquals(setReply(config, pairs), textOf(await client.call("CONFIG", "SET", ...pairs)), label);
      }
      const theirs = sorted(await client.call("CONFIG", "GET", ...watched));
      assertEquals(config.get(watched).sort(byName), theirs, label);
    }
  }));
