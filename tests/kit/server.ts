/**
 * Real servers for tests: redis-server as the reference, and Redstart as its users start it, each a child process with a
 * directory and a port (or unix socket) of its own.
 *
 *     await using redis = await startRedis();
 *     await using server = await startRedstart({ args: ["--maxclients", "10"] });
 *
 * Nothing may be left behind, not even by a test process that is killed: every child is reported to one small shell (the reaper)
 * that reads this process's end of a pipe. When the pipe closes, the reaper kills what is still listed and removes the directories.
 */

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { Client } from "./client.ts";
import { currentRuntime, root, type RuntimeName, runtimePath } from "./runtimes.ts";

export interface StartOptions {
  /** Parameters as flags, after the defaults (`--port`, `--dir`, `--save ""`, `--enable-debug-command yes`): these win. */
  readonly args?: readonly string[];
  /** Text of a configuration file, given to the server as its first argument. */
  readonly config?: string;
  /** Listen on a unix socket only. */
  readonly unix?: boolean;
  /** Use (and keep) this directory instead of a fresh one, e.g. to start again on the same data. */
  readonly dir?: string;
  /** Port to listen on, e.g. that of a server that was stopped; a free one without it. */
  readonly port?: number;
  readonly env?: Readonly<Record<string, string>>;
  /** How long the start may take. */
  readonly readyMs?: number;
  /** What a program that is no server of data prints when it has started. */
  readonly readyWhen?: RegExp;
}

export interface RedstartOptions extends StartOptions {
  /** "deno", "bun", or the path of an executable. Without it: the environment's REDSTART_SERVER, or the runtime of the test. */
  readonly server?: string;
}

/** A server under test. */
export interface TestServer {
  /** 0 with a unix socket only. */
  readonly port: number;
  /** The unix socket's path, or "". */
  readonly path: string;
  readonly pid: number;
  /** The server's working directory. */
  readonly dir: string;
  /** Everything the server has printed so far, on both streams. */
  output(): string;
  /** Opens a client connection; it is closed when the server is stopped. */
  connect(): Promise<Client>;
  /** Sends a signal (SIGTERM) and waits for the end; after 10 s it kills. Resolves to the exit status, null after a signal. */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
  /** SIGKILL, and waits for the end. */
  kill(): Promise<void>;
  /** Resolves when the process has ended, to its exit status, or null if a signal ended it. */
  readonly exited: Promise<number | null>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Starts a program that listens; shared by both servers below. `command` is the program and its first arguments. */
export async function startServer(command: readonly string[], options: StartOptions = {}): Promise<TestServer> {
  // A port can be taken between the moment it is found free and the moment the server listens: then try again.
  for (let attempt = 1;; attempt++) {
    const server = await tryStart(command, options);
    if (typeof server !== "string") return server;
    const busy = /in use|listening on port/i.test(server);
    if (attempt === 3 || !busy || options.port !== undefined) throw new Error(server);
  }
}

/** Starts the real redis-server. See `hasRedis`. */
export function startRedis(options: StartOptions = {}): Promise<TestServer> {
  return startServer(["redis-server"], options);
}

/** Starts Redstart from source, or as an executable (see `RedstartOptions.server`). */
export function startRedstart(options: RedstartOptions = {}): Promise<TestServer> {
  return startServer(redstartCommand(options.server), options);
}

/** The command line that starts Redstart, without its own arguments. */
export function redstartCommand(server = process.env.REDSTART_SERVER || currentRuntime): string[] {
  if (server !== "deno" && server !== "bun") return [server];
  const runtime: RuntimeName = server;
  const program = runtimePath(runtime);
  if (program === null) throw new Error(`${runtime} was not found`);
  const file = join(root, "server.ts");
  return runtime === "deno" ? [program, "run", "-A", "--quiet", file] : [program, "run", file];
}

let redisVersion: string | null | undefined;

/** The version of the redis-server on PATH, or null. */
export function findRedis(): string | null {
  if (redisVersion === undefined) {
    const { status, stdout } = spawnSync("redis-server", ["--version"], { encoding: "utf8" });
    redisVersion = status === 0 ? /v=(\S+)/.exec(stdout)?.[1] ?? null : null;
  }
  return redisVersion;
}

/**
 * Whether tests can compare with the real Redis. If not, prints a notice, so that a test can return early and still be seen
 * to have been skipped; with REDSTART_REQUIRE_REDIS=1 in the environment (as in CI) it throws instead.
 */
export function hasRedis(): boolean {
  if (findRedis() !== null) return true;
  if (process.env.REDSTART_REQUIRE_REDIS === "1") throw new Error("redis-server is required but not installed");
  console.log("redis-server is not installed: skipped");
  return false;
}

async function tryStart(command: readonly string[], options: StartOptions): Promise<TestServer | string> {
  const dir = options.dir ?? mkdtempSync(join(tmpdir(), "redstart-"));
  mkdirSync(dir, { recursive: true });
  const port = options.unix ? 0 : options.port ?? await freePort();
  const path = options.unix ? join(dir, "server.sock") : "";
  const args = ["--port", String(port), "--dir", dir, "--save", "", "--enable-debug-command", "yes"];
  if (options.unix) args.push("--unixsocket", path);
  args.push(...options.args ?? []);
  if (options.config !== undefined) {
    writeFileSync(join(dir, "test.conf"), options.config);
    args.unshift(join(dir, "test.conf"));
  }
  const child = spawn(command[0], [...command.slice(1), ...args], {
    cwd: dir,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...options.env },
  });
  const started = new Started(child, port, path, dir, options.dir === undefined);
  const failure = await started.ready(options.readyMs ?? 20_000, options.readyWhen ?? /ready to accept connections/i);
  if (failure === null) return started;
  await started[Symbol.asyncDispose]();
  return `${command.join(" ")} ${args.join(" ")}: ${failure}\n${started.output()}`;
}

class Started implements TestServer {
  readonly pid: number;
  readonly exited: Promise<number | null>;
  #output = "";
  #ended = false;
  #printed: () => void = () => {};
  readonly #clients = new Set<Client>();

  constructor(
    child: ChildProcess,
    readonly port: number,
    readonly path: string,
    readonly dir: string,
    readonly ownsDir: boolean,
  ) {
    this.pid = child.pid ?? 0;
    if (this.pid > 0) reaper.add(this.pid, ownsDir ? dir : "");
    const print = (chunk: Uint8Array) => {
      this.#output += new TextDecoder().decode(chunk);
      this.#printed();
    };
    child.stdout?.on("data", print);
    child.stderr?.on("data", print);
    this.exited = new Promise((resolve) => {
      const ended = (code: number | null) => {
        this.#ended = true;
        if (this.pid > 0) reaper.remove(this.pid);
        this.#printed();
        resolve(code);
      };
      child.on("error", (error) => {
        this.#output += String(error);
        ended(-1);
      });
      child.on("exit", ended);
    });
  }

  /** Waits for the line that every server prints when it accepts connections; returns what went wrong, or null. */
  async ready(limitMs: number, sign: RegExp): Promise<string | null> {
    let expired = false;
    const timer = setTimeout(() => {
      expired = true;
      this.#printed();
    }, limitMs);
    try {
      while (!sign.test(this.#output)) {
        if (this.#ended) return "ended before it was ready";
        if (expired) return `not ready after ${limitMs} ms`;
        await new Promise<void>((resolve) => this.#printed = resolve);
      }
    } finally {
      clearTimeout(timer);
    }
    return null;
  }

  output(): string {
    return this.#output;
  }

  async connect(): Promise<Client> {
    const client = await Client.connect(this.path === "" ? { port: this.port } : { path: this.path });
    this.#clients.add(client);
    return client;
  }

  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<number | null> {
    for (const client of this.#clients) client.close();
    // Not `child.kill`: after it, Deno reports the signal instead of the exit status, however the process ended.
    if (!this.#ended) process.kill(this.pid, signal);
    const timer = setTimeout(() => process.kill(this.pid, "SIGKILL"), 10_000);
    const status = await this.exited;
    clearTimeout(timer);
    return status;
  }

  async kill(): Promise<void> {
    await this.stop("SIGKILL");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    if (this.ownsDir) rmSync(this.dir, { recursive: true, force: true });
  }
}

/** A port nobody listens on, whose cluster-bus port (+10000) exists too, below the ports given to outgoing connections. */
export async function freePort(): Promise<number> {
  while (true) {
    const port = 23_000 + Math.floor(Math.random() * 8_000);
    const free = await new Promise<boolean>((resolve) => {
      const probe = createServer();
      probe.once("error", () => resolve(false));
      probe.listen(port, "127.0.0.1", () => probe.close(() => resolve(true)));
    });
    if (free) return port;
  }
}

/** See the top of the file. Lines: `+pid`, `-pid`, `/directory`. */
const reaper = {
  child: null as ChildProcess | null,

  add(pid: number, dir: string): void {
    if (this.child === null) {
      // The pids are kept as one word list; on end of input the listed ones get SIGKILL.
      const script = `
        pids=" "; dirs=""
        while read -r line; do
          case "$line" in
            +*) pids="$pids\${line#+} " ;;
            -*) pids=$(printf %s "$pids" | sed "s/ \${line#-} / /") ;;
            /*) dirs="$dirs $line" ;;
          esac
        done
        for pid in $pids; do kill -9 "$pid" 2>/dev/null; done
        for dir in $dirs; do rm -rf "$dir"; done`;
      this.child = spawn("sh", ["-c", script], { stdio: ["pipe", "ignore", "ignore"], detached: true });
      this.child.on("error", () => {});
      this.child.stdin?.on("error", () => {});
      this.child.unref();
    }
    this.child.stdin?.write(`+${pid}\n`);
    if (dir !== "") this.child.stdin?.write(`${dir}\n`);
  },

  remove(pid: number): void {
    this.child?.stdin?.write(`-${pid}\n`);
  },
};
