/**
 * The part of the platform that Deno and Bun share: files, process, clock and random numbers, through the `node:`
 * modules both implement. Only the network differs enough between the two to be written twice (`deno.ts`, `bun.ts`):
 * there, the runtime's own sockets cost measurably less per command than `node:net`.
 */

import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import process from "node:process";
import { platformError, toPlatformError } from "./errors.ts";
import type { Clock, File, FileInfo, Files, Listener, Process, Random, TimerHandle } from "./platform.ts";
import { Xoshiro } from "./random.ts";

const NEVER_NOTIFIED = new Int32Array(new SharedArrayBuffer(4));

/** Runs a file operation; whatever it throws leaves as a `PlatformError`. */
function attempt<T>(run: () => T): T {
  try {
    return run();
  } catch (thrown) {
    throw toPlatformError(thrown);
  }
}

/** A failed write tells how many bytes reached the file, so that an append-only file can be cut back to its last whole command. */
function writeError(thrown: unknown, written: number): Error {
  return Object.assign(toPlatformError(thrown), { written });
}

let inBackground = 0;

/** File operations whose end somebody waits for: while there are any, the thread must not sleep in anything else. */
export function backgroundOperations(): number {
  return inBackground;
}

function background<T>(start: (resolve: (value: T) => void, reject: (error: Error) => void) => void): Promise<T> {
  inBackground++;
  return new Promise<T>(start).finally(() => inBackground--);
}

/** Writes in another thread; resolves with the number of bytes that the system took, -1 if it took none. */
export type WriteAside = (fd: number, bytes: Uint8Array, start: number, end: number) => Promise<number>;

const writeInPool: WriteAside = (fd, bytes, start, end) =>
  new Promise((resolve, reject) => {
    fs.write(fd, bytes, start, end - start, null, (failure, count) => failure ? reject(failure) : resolve(count));
  });

class NodeFile implements File {
  readonly #fd: number;
  readonly #writeAside: WriteAside;
  #closed = false;

  constructor(fd: number, writeAside: WriteAside) {
    this.#fd = fd;
    this.#writeAside = writeAside;
  }

  write(bytes: Uint8Array, start = 0, end = bytes.length): void {
    let at = start;
    try {
      while (at < end) at += fs.writeSync(this.#fd, bytes, at, end - at, null);
    } catch (thrown) {
      throw writeError(thrown, at - start);
    }
  }

  writeAsync(bytes: Uint8Array, start = 0, end = bytes.length): Promise<void> {
    return background((resolve, reject) => void this.#writeAll(bytes, start, end).then(resolve, reject));
  }

  async #writeAll(bytes: Uint8Array, start: number, end: number): Promise<void> {
    let at = start;
    try {
      while (at < end) {
        const count = await this.#writeAside(this.#fd, bytes, at, end);
        // What is wrong is only known to the other thread: once more, to be told.
        at += count < 0 ? fs.writeSync(this.#fd, bytes, at, end - at, null) : count;
      }
    } catch (thrown) {
      throw writeError(thrown, at - start);
    }
  }

  read(into: Uint8Array, start: number, end: number, position = -1): number {
    return attempt(() => {
      let at = start;
      while (at < end) {
        const count = fs.readSync(this.#fd, into, at, end - at, position < 0 ? null : position + at - start);
        if (count === 0) break;
        at += count;
      }
      return at - start;
    });
  }

  readAsync(into: Uint8Array, start: number, end: number, position = -1): Promise<number> {
    return background((resolve, reject) => {
      let at = start;
      const step = (): void => {
        if (at >= end) return resolve(at - start);
        const from = position < 0 ? null : position + at - start;
        fs.read(this.#fd, into, at, end - at, from, (failure, count) => {
          if (failure) return reject(toPlatformError(failure));
          if (count === 0) return resolve(at - start);
          at += count;
          step();
        });
      };
      step();
    });
  }

  dataSync(): void {
    attempt(() => fs.fdatasyncSync(this.#fd));
  }

  dataSyncAsync(): Promise<void> {
    return background((resolve, reject) => {
      fs.fdatasync(this.#fd, (failure) => failure ? reject(toPlatformError(failure)) : resolve());
    });
  }

  sync(): void {
    attempt(() => fs.fsyncSync(this.#fd));
  }

  truncate(size: number): void {
    attempt(() => fs.ftruncateSync(this.#fd, size));
  }

  size(): number {
    return attempt(() => fs.fstatSync(this.#fd).size);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    attempt(() => fs.closeSync(this.#fd));
  }

  closeAsync(): Promise<void> {
    if (this.#closed) return Promise.resolve();
    this.#closed = true;
    return background((resolve, reject) => {
      fs.close(this.#fd, (failure) => failure ? reject(toPlatformError(failure)) : resolve());
    });
  }
}

class NodeFiles implements Files {
  readonly #writeAside: WriteAside;

  constructor(writeAside: WriteAside) {
    this.#writeAside = writeAside;
  }

  read(name: string): Uint8Array {
    return attempt(() => fs.readFileSync(name));
  }

  write(name: string, bytes: Uint8Array, mode = 0o644): void {
    attempt(() => fs.writeFileSync(name, bytes, { mode }));
  }

  open(name: string, flags: string, mode = 0o644): File {
    return attempt(() => new NodeFile(fs.openSync(name, flags, mode), this.#writeAside));
  }

  stat(name: string): FileInfo | null {
    return attempt(() => {
      const info = fs.statSync(name, { throwIfNoEntry: false });
      if (info === undefined) return null;
      return {
        size: info.size,
        isDirectory: info.isDirectory(),
        isFile: info.isFile(),
        modifiedMs: Math.floor(info.mtimeMs),
        mode: info.mode & 0o7777,
      };
    });
  }

  list(name: string): string[] {
    return attempt(() => fs.readdirSync(name));
  }

  makeDirectory(name: string): void {
    attempt(() => fs.mkdirSync(name, { mode: 0o755 }));
  }

  rename(from: string, to: string): void {
    attempt(() => fs.renameSync(from, to));
  }

  remove(name: string): void {
    attempt(() => fs.unlinkSync(name));
  }

  removeAsync(name: string): Promise<void> {
    return background((resolve, reject) => {
      fs.unlink(name, (failure) => failure ? reject(toPlatformError(failure)) : resolve());
    });
  }

  syncDirectory(name: string): void {
    attempt(() => {
      const fd = fs.openSync(name, "r");
      try {
        fs.fsyncSync(fd);
      } finally {
        fs.closeSync(fd);
      }
    });
  }

  syncDirectoryAsync(name: string): Promise<void> {
    return background((resolve, reject) => {
      fs.open(name, "r", (failure, fd) => {
        if (failure) return reject(toPlatformError(failure));
        fs.fsync(fd, (failure) => {
          fs.closeSync(fd);
          if (failure) reject(toPlatformError(failure));
          else resolve();
        });
      });
    });
  }

  resolve(name: string): string {
    return path.resolve(name);
  }
}

class NodeClock implements Clock {
  /** Microseconds to add to the fine clock to get wall time. */
  #ahead = performance.timeOrigin * 1000;

  now(): number {
    return Date.now();
  }

  nowMicros(): number {
    // Date.now knows the wall clock, also after it was set, but only in whole milliseconds; performance.now has the
    // digits below. A result outside of Date.now's millisecond means the two have drifted, and moves the anchor.
    const first = Date.now() * 1000;
    const fine = Math.floor(performance.now() * 1000 + this.#ahead);
    if (fine >= first && fine < first + 1000) return fine;
    const nearest = fine < first ? first : first + 999;
    this.#ahead += nearest - fine;
    return nearest;
  }

  monotonic(): number {
    return performance.now();
  }

  block(ms: number): void {
    Atomics.wait(NEVER_NOTIFIED, 0, 0, ms);
  }

  nap(ms: number): void {
    this.block(ms);
  }

  after(ms: number, run: () => void): TimerHandle {
    return setTimeout(run, ms);
  }

  every(ms: number, run: () => void): TimerHandle {
    return setInterval(run, ms);
  }

  cancel(handle: TimerHandle): void {
    clearTimeout(handle as number);
  }

  soon(run: () => void): void {
    setImmediate(run);
  }
}

/** Writes all bytes to a descriptor that may be a full, non-blocking pipe. */
function writeDescriptor(fd: number, bytes: Uint8Array): void {
  let at = 0;
  while (at < bytes.length) {
    try {
      at += fs.writeSync(fd, bytes, at, bytes.length - at);
    } catch (thrown) {
      const code = toPlatformError(thrown).code;
      // Nobody reads any more, or the terminal is gone: a server must survive that, there is nobody left to tell.
      if (code !== "EAGAIN") return;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
}

class NodeProcess implements Process {
  readonly id = process.pid;
  readonly args: readonly string[] = process.argv.slice(2);
  readonly executable = process.execPath;
  readonly os = `${os.type()} ${os.release()} ${machine()}`;
  readonly machineBits = process.arch === "ia32" || process.arch === "arm" ? 32 : 64;

  environment(name: string): string | undefined {
    return process.env[name];
  }

  currentDirectory(): string {
    return process.cwd();
  }

  changeDirectory(name: string): void {
    attempt(() => process.chdir(name));
  }

  memory(): { rss: number; heapUsed: number; heapTotal: number; external: number } {
    const { rss, heapUsed, heapTotal, external } = process.memoryUsage();
    return { rss, heapUsed, heapTotal, external };
  }

  totalSystemMemory(): number {
    return os.totalmem();
  }

  /** V8 hands out its collector on request only. */
  collectGarbage(): void {
    process.getBuiltinModule("node:v8").setFlagsFromString("--expose-gc");
    process.getBuiltinModule("node:vm").runInNewContext("gc")();
  }

  cpu(): { user: number; system: number } {
    const { user, system } = process.cpuUsage();
    return { user: user / 1e6, system: system / 1e6 };
  }

  onSignal(signal: "SIGINT" | "SIGTERM" | "SIGHUP" | "SIGABRT", run: () => void): void {
    process.on(signal, run);
  }

  onUncaught(run: (thrown: unknown) => void): void {
    process.on("uncaughtException", run);
    process.on("unhandledRejection", run);
  }

  stdout(bytes: Uint8Array): void {
    writeDescriptor(1, bytes);
  }

  stderr(bytes: Uint8Array): void {
    writeDescriptor(2, bytes);
  }

  readStdin(): Uint8Array {
    const pieces: Uint8Array[] = [];
    let total = 0;
    for (;;) {
      const piece = new Uint8Array(65536);
      let count: number;
      try {
        count = fs.readSync(0, piece, 0, piece.length, null);
      } catch (thrown) {
        const failure = toPlatformError(thrown);
        if (failure.code === "EOF") break;
        if (failure.code !== "EAGAIN") throw failure;
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
        continue;
      }
      if (count === 0) break;
      pieces.push(piece.subarray(0, count));
      total += count;
    }
    const all = new Uint8Array(total);
    let at = 0;
    for (const piece of pieces) {
      all.set(piece, at);
      at += piece.length;
    }
    return all;
  }

  exit(code: number): never {
    return process.exit(code);
  }

  openFilesLimit(): number {
    try {
      const match = /^Max open files\s+(\d+)/m.exec(fs.readFileSync("/proc/self/limits", "latin1"));
      return match === null ? 0 : Number(match[1]);
    } catch {
      return 0;
    }
  }
}

/** The machine's name as uname(1) prints it. */
function machine(): string {
  const names: Readonly<Record<string, string>> = { x64: "x86_64", arm64: "aarch64", ia32: "i686", arm: "armv7l" };
  return names[process.arch] ?? process.arch;
}

function unpredictableBytes(count: number): Uint8Array {
  const out = new Uint8Array(count);
  const most = 65536;
  for (let at = 0; at < count; at += most) crypto.getRandomValues(out.subarray(at, Math.min(count, at + most)));
  return out;
}

/** Everything but the network and the runtime's name. */
export function createNodeParts(
  writeAside: WriteAside = writeInPool,
): { files: Files; clock: Clock; random: Random; process: Process } {
  const words = new Uint32Array(2);
  crypto.getRandomValues(words);
  const random = new Xoshiro((words[0] >>> 11) * 0x1_0000_0000 + words[1], unpredictableBytes);
  return { files: new NodeFiles(writeAside), clock: new NodeClock(), random, process: new NodeProcess() };
}

/** Makes way for a unix socket: a stale one left by a dead process is removed, anything else in the way is an error. */
export function removeStaleSocket(name: string): void {
  attempt(() => {
    const info = fs.statSync(name, { throwIfNoEntry: false });
    if (info === undefined) return;
    if (!info.isSocket()) throw platformError("EADDRINUSE");
    fs.unlinkSync(name);
  });
}

/** What listening on a unix socket yields: its permissions are set now, and its name goes when it is closed by `stop`. */
export function unixListener(name: string, mode: number, stop: () => void): Listener {
  if (mode !== 0) attempt(() => fs.chmodSync(name, mode));
  let open = true;
  return {
    port: 0,
    close: () => {
      if (open) removeSocket(name);
      open = false;
      stop();
    },
  };
}

/** Removes the name of a unix socket that was listened on; no error when it is gone already. */
function removeSocket(name: string): void {
  try {
    fs.unlinkSync(name);
  } catch {
    return;
  }
}
