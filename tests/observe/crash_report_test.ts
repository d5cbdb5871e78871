/** Crash reports: real servers are made to crash, and the log and the exit status say how. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { currentRuntime, root, runtimePath } from "../kit/runtimes.ts";
import { startRedstart } from "../kit/server.ts";
import { test } from "../kit/test.ts";

const SIGABRT = 128 + 6, SIGSEGV = 128 + 11;
const START = "=== REDIS BUG REPORT START: Cut & paste starting from here ===";
const END = "=== REDIS BUG REPORT END.";

/** The titles of a report's sections, in their order. */
function sections(output: string): string[] {
  return [...output.matchAll(/^------ ([A-Z ]+) ------$/gm)].map(([, title]) => title);
}

test("crash report: DEBUG SEGFAULT, PANIC, ASSERT and OOM tell of the command that was running", async () => {
  const cases = [
    ["SEGFAULT", SIGSEGV, /# Redis 7\.0\.15 crashed by signal: 11/],
    ["PANIC", SIGABRT, /# Guru Meditation: /],
    ["ASSERT", SIGABRT, /# === ASSERTION FAILED ===/],
    ["OOM", SIGABRT, /OUT OF MEMORY/],
  ] as const;
  for (const [how, status, reason] of cases) {
    await using server = await startRedstart();
    const client = await server.connect();
    await client.call("CLIENT", "SETNAME", "culprit");
    await client.call("DEBUG", how, "a\r\nb").catch(() => {});
    assertEquals(await server.exited, status, how);
    const output = server.output();
    assert(output.includes(START) && output.includes(END), output);
    assertMatch(output, reason);
    assertEquals(sections(output), [
      "STACK TRACE",
      "INFO OUTPUT",
      "CLIENT LIST OUTPUT",
      "CURRENT CLIENT INFO",
      "CONFIG DEBUG OUTPUT",
    ]);
    assertMatch(output, /debug\.ts/);
    assertMatch(output, /^redis_version:7\.0\.15\r$/m);
    assertMatch(output.slice(output.indexOf("CURRENT CLIENT INFO")), / name=culprit /);
    assert(output.includes(`argv[2]: '"a\\r\\nb"'\n`), output);
    assertMatch(output, /^repl-diskless-load disabled$/m);
  }
});

test("crash report: SIGABRT", async () => {
  await using server = await startRedstart();
  assertEquals(await server.stop("SIGABRT"), SIGABRT);
  const output = server.output();
  assertMatch(output, /# Redis 7\.0\.15 crashed by signal: 6/);
  assert(!sections(output).includes("CURRENT CLIENT INFO"), "nobody was served");
  assert(output.includes(END));
});

test("crash report: without crash-log-enabled only a panic says why, and use-exit-on-panic sets the status", async () => {
  const args = ["--crash-log-enabled", "no", "--use-exit-on-panic", "yes"];
  for (const [how, status, reported] of [["SEGFAULT", SIGSEGV, false], ["PANIC", 1, true]] as const) {
    await using server = await startRedstart({ args });
    const client = await server.connect();
    await client.call("DEBUG", how).catch(() => {});
    assertEquals(await server.exited, status);
    assertEquals(server.output().includes(START), reported);
    assertEquals(sections(server.output()), []);
  }
});

test("crash report: an exception that nobody catches", () => {
  const program = join(root, "tests/observe/throwing.ts");
  for (const where of ["timer", "promise"]) {
    const args = currentRuntime === "deno" ? ["run", "-A", program, where] : ["run", program, where];
    const { status, stdout } = spawnSync(runtimePath(currentRuntime)!, args, { encoding: "utf8" });
    assertEquals(status, SIGABRT, where);
    assertMatch(stdout, /# === UNCAUGHT EXCEPTION ===\n.*==> TypeError: this cannot be\n/);
    assertMatch(stdout, /-- STACK TRACE ------\n\s*at .*throwing\.ts/);
    assert(stdout.includes(END), stdout);
  }
});
