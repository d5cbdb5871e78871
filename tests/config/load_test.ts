/** Files and command lines: the values they give, and redis-server's texts when they are wrong. */
import { assert, assertEquals } from "@std/assert";
import type { LoadResult } from "../../lib/config/config.ts";
import { run } from "../kit/run.ts";
import { hasRedis, startRedis } from "../kit/server.ts";
import { test } from "../kit/test.ts";
import { fromLatin1 } from "../../lib/bytes/ascii.ts";
import { configAt, files, loadText } from "./fixture.ts";

const NOTHING = () => new Uint8Array(0);

/** What redis-server would print and its exit status. Log lines lose their pid, role and time. */
function outcome(result: LoadResult): { status: number; stdout: string; stderr: string } {
  assert(result.kind === "error", result.kind);
  const { text, log } = result.error;
  return { status: 1, stdout: log ? `# ${text}\n` : "", stderr: log ? "" : text };
}

/** Each a command line that redis-server refuses; DIR stands for a directory with the files below. */
const REFUSED = [
  ["--port", "65536"],
  ["--port"],
  ["--port", "1", "2"],
  ["--port", "80 90"],
  ["--dbfilename", "a/b"],
  ["--appendfilename", ""],
  ["--appenddirname", "a\\b"],
  ["--save", "x"],
  ["--save", "900", "1", "300"],
  ["--save", "900 1 300"],
  ["--save", "900", "1 2"],
  ["--daemonize", "maybe"],
  ["--port", "1", "-", "x"],
  ["--logfile", "/nonexistent/log"],
  ["--dir", "/nonexistent"],
  ["--dir", ""],
  ["--user"],
  ["--nope", "1"],
  ["--", "1"],
  ["--bind", ...Array.from({ length: 17 }, (_, i) => `127.0.0.${i}`)],
  ["--cluster-enabled", "yes", "--replicaof", "127.0.0.1", "1"],
  ["--replicaof", "127.0.0.1"],
  ["--replicaof", "127.0.0.1", "99999"],
  ["--slaveof", "host", "port"],
  ["--maxmemory", "1tb"],
  ["--unixsocketperm", "1000"],
  ["--unixsocketperm", "9"],
  ["--client-output-buffer-limit", "normal", "1", "1"],
  ["--client-output-buffer-limit normal 1 1 x"],
  ["--loglevel", "loud"],
  ["--shutdown-on-sigint", "save", "nosave"],
  ["--shutdown-on-sigterm"],
  ["--oom-score-adj-values", "1", "2"],
  ["--notify-keyspace-events", "KEq"],
  ["--notify-keyspace-events", "K", "E"],
  ["--latency-tracking-info-percentiles", "50", "101"],
  ["--activedefrag", "yes"],
  ["--Sentinel", "monitor", "a", "b"],
  ["--rename-command", "x"],
  ["--loadmodule"],
  ["--a.b"],
  ["--include", "/nonexistent/file"],
  ["--include", "DIR/bad.conf"],
  ["--include", "DIR/conf.d/*"],
  ["--list-max-ziplist-value", "1", "2"],
  ["/nonexistent/redis.conf"],
  ["DIR/bad.conf"],
  ["DIR/quotes.conf"],
  ["DIR/module.conf"],
  ["DIR/empty.conf", "--port", "abc", "--hz", "1"],
  ["DIR/good.conf", "--nope"],
  ["DIR/good.conf", "--save --port", "x"],
  ["DIR/good.conf", "--port", "--hz", "10"],
  ["DIR/good.conf", "--requirepass", 'a"b\\\x01\n', "--port", "é"],
  ["DIR/includes.conf"],
];

function writeFiles(dir: string): void {
  const write = (name: string, text: string) => files.write(`${dir}/${name}`, fromLatin1(text));
  files.makeDirectory(`${dir}/conf.d`);
  write("conf.d/1.conf", "hz 20\n");
  write("conf.d/2.conf", "  # c\n\n\tMaxMemory  1xb \r\nport 1");
  write("bad.conf", "port 1\n\n# comment\n  hz 10\t\r\nmaxclients 0\nport x");
  write("quotes.conf", 'requirepass "a\n');
  write("module.conf", "port 7000\n\nsome.thing\n");
  write("empty.conf", "");
  write("good.conf", "port 0\nsave 10 10\n");
  write("includes.conf", `include ${dir}/good.conf\ninclude ${dir}/none-*.conf\ninclude ${dir}/bad.conf\nport 1\n`);
}

test("startup errors have redis-server's text, stream and exit status", async () => {
  if (!hasRedis()) return;
  await using server = await startRedis();
  writeFiles(server.dir);
  for (const pattern of REFUSED) {
    const args = pattern.map((arg) => arg.replace("DIR", server.dir));
    // Were the arguments accepted after all, the server would not find this port free.
    const theirs = run("redis-server", args, { cwd: server.dir, timeoutMs: 5000 });
    const stdout = theirs.stdout.replace(/^.*? ([#*]) /gm, "$1 ");
    assertEquals(outcome(configAt(server.dir).load(args, NOTHING)), { ...theirs, stdout }, JSON.stringify(args));
  }
}, 60_000);

/** Each a command line that is accepted, to be compared with what CONFIG GET shows on a server started with it. */
const ACCEPTED = [
  ["DIR/good.conf"],
  ["DIR/good.conf", "--save", "20", "20", "--hz", "1000"],
  ["--save", "--hz", "0"],
  ["--save"],
  ["--save", "60 1 70 2", "--appendfsync", "ALWAYS"],
  ["--save 60 1", "--save 70 2", "--save", ""],
  ["--requirepass", 'a "b\\\x01', "--maxmemory", "1gb", "--Maxmemory-Clients", "5%"],
  ["--shutdown-on-sigint", "nosave", "force", "--shutdown-on-sigterm", "save now"],
  ["--client-output-buffer-limit", "pubsub", "1mb", "1mb", "1", "--client-output-buffer-limit replica 2mb 0 0"],
  ["--slave-priority", "7", "--lua-time-limit", "6", "--hash-max-ziplist-entries", "5"],
  ["--logfile", "", "--unixsocketperm", "700", "--oom-score-adj-values", "1", "2", "3"],
  ["--masteruser", "--port", "--masterauth", "--x"],
  ["--include", "DIR/conf.d/1*", "--include", "DIR/none*"],
  ["--lua-replicate-commands", "yes", "--list-max-ziplist-value", "3"],
  ["--latency-tracking-info-percentiles", "", "--notify-keyspace-events", "A", "--tcp-backlog", "100"],
  ["--cluster-node-timeout", "9223372036854775807", "--repl-backlog-size", "1", "--maxmemory", "18446744073709551615"],
  ["DIR/saves.conf"],
];

test("--name=value and --filename are taken, though redis-server refuses them", () => {
  const config = configAt("/");
  assertEquals(config.load(["--port=8000", "--filename", "x.rdb", "--requirepass=a b=c"], NOTHING).kind, "start");
  assertEquals(config.values.port, 8000);
  assertEquals(config.values.dbfilename, "x.rdb");
  assertEquals(config.values.requirepass, "a b=c");
});

test("accepted command lines give redis-server's values", async () => {
  if (!hasRedis()) return;
  await using home = await startRedis();
  writeFiles(home.dir);
  const saves = `save 1 1 2 2\nsave 3 3\ninclude ${home.dir}/good.conf\nsave 4 4\nsave 5 5\n`;
  files.write(`${home.dir}/saves.conf`, fromLatin1(saves));
  for (const pattern of ACCEPTED) {
    const given = pattern.map((arg) => arg.replace("DIR", home.dir));
    const [first, ...rest] = given;
    const config = configAt(home.dir);
    let path: string[] = [];
    let args = given;
    let text: string | undefined;
    if (first.startsWith("/")) {
      // The kit writes the file and puts its own defaults before the arguments, as does the command line below.
      text = String.fromCharCode(...files.read(first));
      args = rest;
      path = [first];
    }
    await using server = await startRedis({ args, config: text });
    const defaults = ["--port", `${server.port}`, "--dir", server.dir, "--save", "", "--enable-debug-command", "yes"];
    assertEquals(config.load([...path, ...defaults, ...args], NOTHING), { kind: "start" }, JSON.stringify(given));
    const client = await server.connect();
    if (config.values.requirepass !== null) await client.ok("AUTH", config.values.requirepass);
    const reply = await client.call("CONFIG", "GET", "*") as string[];
    const theirs = new Map<string, string>();
    for (let i = 0; i < reply.length; i += 2) theirs.set(reply[i], reply[i + 1]);
    for (const [name, value] of config.get(["*"])) {
      // Ours is loopback.
      if (name === "bind" && value === "127.0.0.1 -::1") continue;
      assertEquals(value, theirs.get(name), `${name} after ${JSON.stringify(given)}`);
    }
  }
}, 60_000);

test("standard input comes after the file and before the options", () => {
  const config = configAt("/");
  const result = config.load(["-", "--hz", "30"], () => fromLatin1("port 7\nhz 20\nrequirepass \xe9"));
  assertEquals(result, { kind: "start" });
  assertEquals([config.values.port, config.values.hz, config.values.requirepass], [7, 30, "\xe9"]);
  assertEquals(config.file, null);
  let asked = false;
  const none = configAt("/").load(["--port", "-", "--hz", "1"], () => {
    asked = true;
    return new Uint8Array(0);
  });
  assertEquals([none.kind, asked], ["error", false]);
});

test("arguments that ask for something else than a start", () => {
  const load = (...args: string[]) => configAt("/").load(args, NOTHING);
  assertEquals(load(), { kind: "start" });
  assertEquals([load("-v").kind, load("--version", "x").kind], ["version", "version"]);
  assertEquals([load("-h").kind, load("--help").kind], ["help", "help"]);
  assertEquals(load("--test-memory", "10"), { kind: "test-memory", megabytes: "10" });
  assertEquals(load("--test-memory"), { kind: "test-memory", megabytes: null });
  for (const args of [["--check-system"], ["--port", "1", "--sentinel"], ["--daemonize", "yes"]]) {
    assert(/not supported/.test(outcome(load(...args)).stderr), args.join(" "));
  }
  assertEquals(load("--daemonize", "yes", "--supervised", "systemd").kind, "start");
  assert(/modules are not supported/.test(outcome(load("--loadmodule", "/x.so")).stderr));
});

test("arguments are UTF-8 bytes and relative paths start at the current directory", () => {
  const config = configAt("/a/b");
  assertEquals(config.load(["--requirepass", "é"], NOTHING).kind, "start");
  assertEquals(config.values.requirepass, "\xc3\xa9");
  const lost = configAt("/a/b").load(["../../../x.conf"], NOTHING);
  assertEquals(outcome(lost).stdout, "# Fatal error, can't open config file '/x.conf': No such file or directory\n");
});

test("directives of other services are collected with their lines", () => {
  const config = configAt("/");
  loadText(config, 'user a on +@all\n\n  RENAME-command GET ""\nuser "b c"');
  assertEquals(config.directives, {
    users: [
      { words: ["user", "a", "on", "+@all"], line: { number: 1, text: "user a on +@all" } },
      { words: ["user", "b c"], line: { number: 4, text: 'user "b c"' } },
    ],
    renames: [{ words: ["rename-command", "GET", ""], line: { number: 3, text: 'RENAME-command GET ""' } }],
  });
});

test("a file that includes itself is refused", async () => {
  if (!hasRedis()) return;
  await using home = await startRedis();
  const path = `${home.dir}/loop.conf`;
  files.write(path, fromLatin1(`include ${path}\n`));
  assert(/nested includes/.test(outcome(configAt("/").load([path], NOTHING)).stderr));
});
