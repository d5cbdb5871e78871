/**
 * The executable that `deno task compile:bun` makes: one file that needs no runtime, no module and no environment.
 *
 * It is built into a directory of its own, away from the checkout and its node_modules, and started with an empty environment, so
 * with no PATH on which a runtime could be found. How long it takes until the first PONG is printed, not asserted: that depends on the machine.
 */

import { assert, assertEquals } from "@std/assert";
import { spawn, spawnSync } from "node:child_process";
import { accessSync, constants, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import process from "node:process";
import { freePort } from "./kit/server.ts";
import { root, runtimePath } from "./kit/runtimes.ts";
import { test } from "./kit/test.ts";

/** What `deno task compile:bun` gives to Bun, with another place for the result. */
function compileArguments(outfile: string): string[] {
  const { tasks } = JSON.parse(readFileSync(join(root, "deno.json"), "utf8")) as { tasks: Record<string, string> };
  const words = tasks["compile:bun"].split(" ");
  const from = words.indexOf("build");
  const to = words.indexOf("--outfile");
  assert(from > 0 && to > from, `not understood: ${tasks["compile:bun"]}`);
  return [...words.slice(from, to), "--outfile", outfile];
}

/** Sends PING until it is answered; returns what came. */
async function firstPong(port: number, untilMs: number): Promise<string> {
  for (;;) {
    const answer = await new Promise<string>((resolve) => {
      const socket = connect(port, "127.0.0.1");
      socket.on("connect", () => socket.write("PING\r\n"));
      socket.on("data", (bytes) => {
        resolve(String(bytes));
        socket.destroy();
      });
      socket.on("error", () => resolve(""));
    });
    if (answer !== "" || performance.now() > untilMs) return answer;
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

function redisCli(): string | null {
  for (const folder of (process.env.PATH ?? "").split(delimiter)) {
    const path = join(folder, "redis-cli");
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      continue;
    }
  }
  return null;
}

test("executable: one file, started in an empty environment, is driven by redis-cli", async () => {
  const bun = runtimePath("bun");
  if (bun === null) return console.log("bun is not installed: skipped");
  const dir = mkdtempSync(join(tmpdir(), "redstart-"));
  try {
    const program = join(dir, "redstart");
    const build = spawnSync(bun, compileArguments(program), { cwd: root, encoding: "utf8" });
    assertEquals(build.status, 0, build.stderr);
    assert(existsSync(program));

    const port = await freePort();

    const server = spawn(program, ["--port", String(port), "--save", ""], { cwd: dir, env: {}, stdio: "ignore" });
    const exited = new Promise<number | null>((resolve) => server.on("exit", resolve));
    try {
      assertEquals(await firstPong(port, performance.now() + 20_000), "+PONG\r\n");

      const cli = redisCli();
      if (cli !== null) {
        const ask = (...words: string[]) => {
          const { status, stdout } = spawnSync(cli, ["-p", String(port), ...words], { encoding: "utf8" });
          assertEquals(status, 0);
          return stdout.trimEnd();
        };
        assertEquals(ask("SET", "k", "válue"), "OK");
        assertEquals(ask("GET", "k"), "válue");
        assertEquals(ask("RPUSH", "l", "a", "b", "c"), "3");
        assertEquals(ask("LRANGE", "l", "0", "-1"), "a\nb\nc");
        assert(ask("INFO", "server").includes("redis_version:7.0.15"));
        // The whole table of commands, for redis-cli's hints.
        assert(ask("COMMAND", "DOCS", "get").includes("Get the value of a key"));
      } else console.log("redis-cli is not installed: the executable was only pinged");
    } finally {
      process.kill(server.pid!, "SIGTERM");
    }
    assertEquals(await exited, 0);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});
