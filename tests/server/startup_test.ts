/** Starting the program: flags, configuration files, what it prints, and how it fails. */

import { assert, assertEquals } from "@std/assert";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { createServer } from "../../mod.ts";
import { Client } from "../kit/client.ts";
import { freePort, hasRedis, redstartCommand, startRedstart, startServer } from "../kit/server.ts";
import { run, type RunResult } from "../kit/run.ts";
import { test } from "../kit/test.ts";

/** Runs Redstart where it ends by itself; `stdin` is its standard input. */
function runRedstart(args: readonly string[], stdin = ""): RunResult {
  const [program, ...first] = redstartCommand();
  return run(program, [...first, ...args], { stdin });
}

test("startup: --version and --help", () => {
  for (const flag of ["-v", "--version"]) {
    const { status, stdout } = runRedstart([flag]);
    assertEquals(status, 0);
    assert(/^Redis server v=7\.0\.15 sha=\S+ malloc=\S+ bits=\d+ build=\S+\n$/.test(stdout), stdout);
  }
  const { status, stderr } = runRedstart(["--help"]);
  assertEquals(status, 1);
  assert(stderr.startsWith("Usage: ./redis-server"), stderr);
});

test("startup: a file, options that override it, and standard input", async () => {
  const config = "maxclients 77\nhz 20 # not a comment\n";
  const broken = runRedstart(["-", "--port", "0"], config);
  assertEquals(broken.status, 1);
  assert(broken.stderr.includes("wrong number of arguments"), broken.stderr);

  await using server = await startRedstart({
    config: "maxclients 77\ndatabases 3\n\n# a comment\nrename-command FLUSHALL wipe\n",
    args: ["--maxclients", "78", "--maxmemory-policy", "allkeys-lru"],
  });
  const client = await server.connect();
  assertEquals(await client.call("CONFIG", "GET", "maxclients"), ["maxclients", "78"]);
  assertEquals(await client.call("CONFIG", "GET", "databases"), ["databases", "3"]);
  assertEquals(await client.call("CONFIG", "GET", "maxmemory-policy"), ["maxmemory-policy", "allkeys-lru"]);
  assertEquals(await client.call("WIPE"), { status: "OK" });
  assertEquals(await client.call("SELECT", 3), { error: "ERR DB index is out of range" });
});

test("startup: bad directives end it with status 1, in the words of redis-server", () => {
  const dir = mkdtempSync(join(tmpdir(), "redstart-"));
  try {
    const file = join(dir, "bad.conf");
    writeFileSync(file, "port 0\n\nnonsense 1\n");
    const cases = [
      [file],
      [join(dir, "missing.conf")],
      ["--port", "abc"],
      ["--nonsense", "1"],
      ["--port"],
      ["--maxmemory-policy", "sometimes"],
      ["--rename-command", "nosuch", "x"],
    ];
    for (const args of cases) {
      const ours = runRedstart(args);
      assertEquals(ours.status, 1, args.join(" "));
      if (!hasRedis()) continue;
      const theirs = run("redis-server", args);
      assertEquals(theirs.status, 1, args.join(" "));
      // The log of a file that cannot be opened begins with process and time.
      const text = (output: { stdout: string; stderr: string }) =>
        (output.stderr + output.stdout).replace(/^\d+:\w \d.*? # /gm, "").split("\n").filter((line) =>
          /FATAL|^>>>|^Reading|^Bad|argument|Can't open|No such/.test(line)
        );
      assertEquals([args.at(-1), ...text(ours)], [args.at(-1), ...text(theirs)]);
    }
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

test("startup: what a configuration forbids and this server would allow is refused", async () => {
  const starts = runRedstart(["-", "--port", "0"], "user default on nopass ~* &* +@all\n");
  assert(starts.stdout.includes("Configured to not listen anywhere"), starts.stdout);
  for (
    const config of [
      "user default off",
      "user default on nopass ~cached:* +@all",
      "user default on >secret ~* &* +@all",
      "aclfile users.acl",
      "cluster-enabled yes",
    ]
  ) {
    const { status, stderr } = runRedstart(["-", "--port", "0"], `${config}\n`);
    assertEquals(status, 1);
    assert(/FATAL CONFIG FILE ERROR.*not supported yet/s.test(stderr), stderr);
  }
  const config = "requirepass secret\nuser default on #5e88 ~* &* +@all\nuser alice on >pw ~* +@all\nio-threads 4\n";
  await using server = await startRedstart({ config });
  const client = await server.connect();
  assertEquals(await client.call("AUTH", "secret"), { status: "OK" });
  assertEquals(await client.call("CONFIG", "REWRITE"), { status: "OK" });
  const rewritten = readFileSync(join(server.dir, "test.conf"), "latin1");
  assert(rewritten.includes("\nuser default on #5e88 ~* &* +@all\nuser alice on >pw ~* +@all\n"), rewritten);
  const told = server.output();
  assert(told.includes("User 'alice' cannot log in: ACL users are not supported yet."), told);
  assert(told.includes("The parameter io-threads has no effect: commands and sockets are served by one thread."), told);
  assert(told.includes("# CONFIG REWRITE executed with success."), told);
});

test("startup: a pid file, removed at the end", async () => {
  const dir = mkdtempSync(join(tmpdir(), "redstart-"));
  try {
    const pidfile = join(dir, "redis.pid");
    await using server = await startRedstart({ args: ["--pidfile", pidfile] });
    assertEquals(readFileSync(pidfile, "latin1"), `${server.pid}\n`);
    assertEquals(await server.stop(), 0);
    assert(!existsSync(pidfile));
    assert(server.output().includes("Removing the pid file."), server.output());
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

test("startup: a port in use", async () => {
  await using busy = await createServer();
  const { status, stdout } = runRedstart(["--port", String(busy.port), "--save", ""]);
  assertEquals(status, 1);
  assert(stdout.includes("Could not create server TCP listening socket 127.0.0.1:"), stdout);
  assert(stdout.includes("bind: Address already in use"), stdout);
  assert(stdout.includes(`Failed listening on port ${busy.port} (TCP), aborting.`), stdout);
});

test("startup: nowhere to listen", async () => {
  const { status, stdout } = runRedstart(["--port", "0", "--save", ""]);
  assertEquals(status, 1);
  assert(stdout.includes("Configured to not listen anywhere, exiting."), stdout);
  assert(!stdout.includes("Failed listening on port"), stdout);
  const port = await freePort();
  const elsewhere = runRedstart(["--port", String(port), "--bind", "-192.0.2.1", "--save", ""]);
  assertEquals(elsewhere.status, 1);
  assert(
    elsewhere.stdout.includes(`socket 192.0.2.1:${port}: bind: Cannot assign requested address`),
    elsewhere.stdout,
  );
  assert(elsewhere.stdout.includes("Configured to not listen anywhere, exiting."), elsewhere.stdout);
});

test("startup: data that cannot be read ends it with status 1 and the reason", async () => {
  const dir = mkdtempSync(join(tmpdir(), "redstart-"));
  try {
    mkdirSync(join(dir, "folder"));
    writeFileSync(join(dir, "garbage"), "this is no RDB file");
    writeFileSync(join(dir, "file"), "");
    // A header that is cut off after its first field.
    writeFileSync(join(dir, "short"), "REDIS0010\xfa\x09redis-ver\x067.0.15\xfa", "latin1");
    const cases: [string[], string][] = [
      [["--dbfilename", "folder"], "# Fatal error loading the DB: Is a directory. Exiting."],
      [["--dbfilename", "short"], "* Loading RDB produced by version 7.0.15"],
      [["--dbfilename", "garbage"], "# Fatal error loading the DB: Invalid argument. Exiting."],
      [
        ["--appendonly", "yes", "--appenddirname", "file"],
        "# Can't open or create append-only dir file: Not a directory",
      ],
    ];
    for (const [args, expected] of cases) {
      const { status, stdout } = runRedstart(["--port", String(await freePort()), "--dir", dir, ...args]);
      assertEquals(status, 1, stdout);
      assert(stdout.includes(expected), stdout);
    }
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

test("startup: maxclients is lowered to what the limit of open files leaves room for", async () => {
  const limited = ["sh", "-c", 'ulimit -n 64; exec "$@"', "sh", ...redstartCommand()];
  await using server = await startServer(limited, { args: ["--maxclients", "1000"] });
  const client = await server.connect();
  assertEquals(await client.call("CONFIG", "GET", "maxclients"), ["maxclients", "32"]);
  assertEquals(await client.call("CONFIG", "SET", "maxclients", "33"), {
    error:
      "ERR CONFIG SET failed (possibly related to argument 'maxclients') - The operating system is not able to handle the specified number of clients, try with 32",
  });
  assertEquals(await client.call("CONFIG", "SET", "maxclients", "31"), { status: "OK" });
  const told = server.output();
  assert(told.includes("You requested maxclients of 1000 requiring at least 1032 max file descriptors."), told);
  assert(told.includes("Current maximum open files is 64. maxclients has been reduced to 32 to compensate"), told);
});

test("startup: a terminal that is closed does not end it", async () => {
  await using server = await startRedstart();
  const client = await server.connect();
  process.kill(server.pid, "SIGHUP");
  assertEquals(await client.call("PING"), { status: "PONG" });
  assertEquals(await server.stop(), 0);
});

test("startup: a unix socket, removed at the end", async () => {
  const server = await startRedstart({ unix: true });
  try {
    const client = await server.connect();
    const info = await client.call("CLIENT", "INFO") as string;
    assert(info.includes(`addr=${server.path}:0 laddr=${server.path}:0`), info);
    assert(info.includes("flags=U "), info);
    const told = server.output();
    assert(told.includes(`The server is now ready to accept connections at ${server.path}`), told);
    assertEquals(await server.stop(), 0);
    assert(!existsSync(server.path));
  } finally {
    await server[Symbol.asyncDispose]();
  }
});

test("startup: protected mode refuses strangers until there is a password", async () => {
  const outside = Object.values(networkInterfaces()).flat().find((each) => each?.family === "IPv4" && !each.internal);
  if (outside === undefined) return console.log("no address but loopback: skipped");
  const host = outside.address;
  await using server = await startRedstart({ args: ["--bind", "*"] });
  const stranger = await Client.connect({ port: server.port, host });
  assert((await stranger.readToEnd()).startsWith("-DENIED Redis is running in protected mode"));
  const friend = await server.connect();
  await friend.ok("CONFIG", "SET", "requirepass", "secret");
  using known = await Client.connect({ port: server.port, host });
  assertEquals(await known.call("PING"), { error: "NOAUTH Authentication required." });
  assertEquals(await known.call("AUTH", "secret"), { status: "OK" });
  await friend.ok("CONFIG", "SET", "requirepass", "", "protected-mode", "no");
  using anybody = await Client.connect({ port: server.port, host });
  assertEquals(await anybody.call("PING"), { status: "PONG" });
});

test("startup: CONFIG SET port and bind move the server, or leave it where it is", async () => {
  await using busy = await createServer();
  await using server = await startRedstart();
  using first = await server.connect();
  const port = await freePort();
  assertEquals(await first.call("CONFIG", "SET", "port", port), { status: "OK" });
  using moved = await Client.connect({ port });
  assertEquals(await moved.call("CONFIG", "SET", "port", busy.port, "maxclients", 55), {
    error:
      "ERR CONFIG SET failed (possibly related to argument 'port') - Unable to listen on this port. Check server logs.",
  });
  assertEquals(await moved.call("CONFIG", "SET", "bind", "999.999.999.999"), {
    error: "ERR CONFIG SET failed (possibly related to argument 'bind') - Failed to bind to specified addresses.",
  });
  assertEquals(await moved.call("CONFIG", "GET", "port"), ["port", String(port)]);
  assertEquals(await moved.call("CONFIG", "GET", "maxclients"), ["maxclients", "10000"]);
  using still = await Client.connect({ port });
  assertEquals(await still.call("PING"), { status: "PONG" });
  // Who was connected before stays connected.
  assertEquals(await first.call("PING"), { status: "PONG" });
});
