/**
 * Runs the test suite under Deno and under Bun and adds up the results:
 *
 *     deno task test                        everything
 *     deno task test --runtime bun          one runtime only
 *     deno task test tests/resp             only these files or folders
 *     deno task test --filter SCAN          only tests whose name contains this (a pattern under Bun)
 *
 * It needs nothing but the Deno it runs on: missing npm packages (Bun is one of them) are installed first. Of each runner's own
 * output only what is not "ok" is shown, at once, and after a minute of silence the test under way; the counts come from the JUnit reports, since the closing lines of the runners are meant
 * for people and change. A runner that fails without naming a failed test (a file that does not load, a crash) counts as one failure, and so
 * does one that ran nothing. The last line is `N passed, N failed`; the exit status says the same.
 */

import { parseArgs } from "@std/cli/parse-args";
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative, resolve } from "node:path";
import process from "node:process";
import { root, type RuntimeName, runtimePath } from "./kit/runtimes.ts";

/** A run that takes longer hangs. */
const LIMIT_MS = 30 * 60 * 1000;

interface Counts {
  passed: number;
  failed: number;
}

/** Passes on what a runner prints, but for the lines that only say that something went well. */
class Output {
  #line = "";
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(stream: NodeJS.ReadableStream) {
    const decoder = new TextDecoder();
    stream.on("data", (chunk: Uint8Array) => {
      const lines = (this.#line + decoder.decode(chunk, { stream: true })).split("\n");
      this.#line = lines.pop() ?? "";
      for (const line of lines) {
        if (!/^(.* \.\.\. )?(ok|ignored)\b.*\(.*\)$|^running \d+ tests? from/.test(line)) console.log(line);
      }
      this.#watch();
    });
  }

  #watch(): void {
    clearTimeout(this.#timer);
    if (this.#line === "") return;
    this.#timer = setTimeout(() => {
      console.log(`still running: ${this.#line}`);
      this.#watch();
    }, 60_000);
  }

  end(): void {
    clearTimeout(this.#timer);
    if (this.#line !== "") console.log(this.#line);
  }
}

const options = parseArgs(process.argv.slice(2), { string: ["runtime", "filter"] });
const files = testFiles(options._.map(String));
const reports = mkdtempSync(join(tmpdir(), "redstart-tests-"));
const total: Counts = { passed: 0, failed: 0 };
try {
  install();
  for (const runtime of ["deno", "bun"] as const) {
    if (options.runtime !== undefined && options.runtime !== runtime) continue;
    const counts = await runUnder(runtime);
    console.log(`\n${runtime}: ${counts.passed} passed, ${counts.failed} failed\n`);
    total.passed += counts.passed;
    total.failed += counts.failed;
  }
} finally {
  rmSync(reports, { recursive: true, force: true });
}
console.log(`${total.passed} passed, ${total.failed} failed`);
process.exit(total.failed === 0 && total.passed > 0 ? 0 : 1);

/** The test files under the given paths (the whole suite without any), relative to the checkout, in a fixed order. */
function testFiles(paths: string[]): string[] {
  const found: string[] = [];
  const visit = (path: string): void => {
    if (statSync(path).isDirectory()) {
      for (const entry of readdirSync(path).sort()) visit(join(path, entry));
    } else if (path.endsWith("_test.ts")) found.push(relative(root, path));
  };
  for (const path of paths.length > 0 ? paths : [join(root, "tests")]) visit(resolve(path));
  return found;
}

/** `deno run` has installed what this file imports; Bun is imported by nobody. */
function install(): void {
  if (existsSync(join(root, "node_modules", "bun")) && existsSync(join(root, "node_modules", "deno-std"))) return;
  const deno = runtimePath("deno");
  if (deno !== null) spawnSync(deno, ["install", "--quiet"], { cwd: root, stdio: ["ignore", "inherit", "inherit"] });
}

async function runUnder(runtime: RuntimeName): Promise<Counts> {
  const program = runtimePath(runtime);
  console.log(`== ${runtime} (${files.length} files)`);
  if (program === null) {
    console.log(`${runtime} was not found: install the npm packages with \`deno install\`, or put it on PATH`);
    return { passed: 0, failed: 1 };
  }
  const report = join(reports, `${runtime}.xml`);
  const filter = options.filter as string | undefined;
  const args = runtime === "deno"
    ? ["test", "-A", "--no-check", `--junit-path=${report}`]
    : ["test", "--only-failures", "--timeout=120000", "--reporter=junit", `--reporter-outfile=${report}`];
  if (filter !== undefined) args.push(runtime === "deno" ? `--filter=${filter}` : `--test-name-pattern=${filter}`);
  // With "./" Bun takes a path for a path; without, for a part of a file's name.
  args.push(...files.map((file) => `./${file}`));

  const status = await new Promise<number>((done) => {
    const child = spawn(program, args, {
      cwd: root,
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, NO_COLOR: "1" },
    });
    const timer = setTimeout(() => {
      console.log(`${runtime} did not end within ${LIMIT_MS / 60000} minutes`);
      child.kill("SIGKILL");
    }, LIMIT_MS);
    const outputs = [new Output(child.stdout), new Output(child.stderr)];
    child.on("error", () => done(-1));
    child.on("close", (code) => {
      clearTimeout(timer);
      for (const output of outputs) output.end();
      done(code ?? -1);
    });
  });
  const counts = readReport(report);
  if (counts.failed === 0 && (status !== 0 || (counts.passed === 0 && filter === undefined))) {
    console.log(`${runtime} ended with status ${status} and ${counts.passed} passed tests, naming no failure`);
    counts.failed = 1;
  }
  return counts;
}

/** Adds up a JUnit report. Test cases are counted one by one: the totals of the two runners mean different things. */
function readReport(path: string): Counts {
  const counts: Counts = { passed: 0, failed: 0 };
  if (!existsSync(path)) return counts;
  const text = readFileSync(path, "utf8");
  for (const [, selfClosing, body] of text.matchAll(/<testcase\b[^>]*?(?:(\/)>|>(.*?)<\/testcase>)/gs)) {
    if (selfClosing === undefined && /<(failure|error)\b/.test(body ?? "")) counts.failed++;
    else if (selfClosing !== undefined || !/<skipped\b/.test(body ?? "")) counts.passed++;
  }
  return counts;
}
