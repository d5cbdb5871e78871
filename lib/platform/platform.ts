/**
 * What Redstart needs from the machine it runs on, as types only. `deno.ts`, `bun.ts` and `memory.ts` implement it;
 * the root picks one (see `choose.ts`). Nothing else in `lib/` names a runtime, reads a clock or draws a random number,
 * so a test can freeze time, fix the seed and run the whole server over a simulated network.
 */

import type { Copy } from "../bytes/span.ts";

export interface Platform {
  readonly runtime: { readonly name: string; readonly version: string };
  readonly net: Net;
  readonly files: Files;
  readonly clock: Clock;
  readonly random: Random;
  readonly process: Process;
  /** Copies bytes without an object for either side, where the runtime can. */
  readonly copy?: Copy;
}

/** A TCP endpoint, or a unix socket when `path` is set (`mode`: its permissions, octal number; 0 leaves the umask's). */
export type Address =
  | { readonly host: string; readonly port: number; readonly backlog?: number }
  | { readonly path: string; readonly mode?: number };

export interface Net {
  /**
   * Listens until `close`. `accept` is called once per connection, before any of its data, and returns the handler.
   * Rejects with a `PlatformError` (`EADDRINUSE`, `EADDRNOTAVAIL`, `EACCES`, …).
   */
  listen(address: Address, accept: (connection: Connection) => ConnectionHandler): Promise<Listener>;
  /** Opens an outgoing connection; rejects with a `PlatformError` (`ECONNREFUSED`, `ETIMEDOUT`, …). */
  connect(
    address: Address,
    handler: (connection: Connection) => ConnectionHandler,
    options?: { readonly timeoutMs?: number; readonly localHost?: string },
  ): Promise<Connection>;
}

export interface Listener {
  /** The port really bound (for port 0); 0 for a unix socket. */
  readonly port: number;
  /** Takes no more connections; those that are open stay. Idempotent. A `listen` after it may have the address again. */
  close(): void;
}

export interface Connection {
  /** `host:port`, `[v6]:port`; for unix sockets the listening path followed by `:0`, as Redis prints it. */
  readonly remote: string;
  readonly local: string;
  /**
   * Offers `bytes[start, end)` and returns how many were taken; the caller may reuse its buffer at once. Fewer than
   * offered (often 0) means the peer is slow: keep the rest and offer it again after the handler's `drain`.
   */
  write(bytes: Uint8Array, start: number, end: number): number;
  /** Stops and restarts reading, so that a peer that sends faster than it is served is held back by TCP. */
  pause(): void;
  resume(): void;
  setNoDelay(on: boolean): void;
  /** Seconds of idleness before the first probe; 0 switches keep-alive off. */
  setKeepAlive(seconds: number): void;
  /** Closes after everything that `write` took has been sent. Idempotent. */
  close(): void;
  /** Closes at once, unsent bytes are dropped. The peer sees a reset or, where the runtime cannot, an end. Idempotent. */
  abort(): void;
}

/** A handler that throws has a bug: its connection is aborted and `closed` gets the stack as the error. */
export interface ConnectionHandler {
  /** `bytes[0, length)` are valid only during the call. */
  data(bytes: Uint8Array, length: number): void;
  /** Called after a `write` that took less than offered, once more can be taken. */
  drain(): void;
  /** The peer has shut down its sending side; writing still works until `close`. */
  end(): void;
  /** Exactly once, last: the connection is gone, by either side. `error` is empty for an orderly close. */
  closed(error: string): void;
}

export interface Clock {
  /** Wall clock in milliseconds since 1970, whole. */
  now(): number;
  /** Wall clock in microseconds since 1970, whole (exact below 2^53). */
  nowMicros(): number;
  /** Monotonic milliseconds with a fraction; only differences mean anything. */
  monotonic(): number;
  /** Calls `run` once after `ms`; the handle goes to `cancel`. */
  after(ms: number, run: () => void): TimerHandle;
  /** Calls `run` every `ms` until cancelled. */
  every(ms: number, run: () => void): TimerHandle;
  cancel(handle: TimerHandle): void;
  /** Stops the whole program for so many milliseconds (DEBUG SLEEP). */
  block(ms: number): void;
  /** Lets the thread sleep for so many milliseconds at most: where the runtime can tell, until a client has sent something. */
  nap(ms: number): void;
  /** Calls `run` after the events that are already waiting have been served: how long work is cut into slices. */
  soon(run: () => void): void;
}
export type TimerHandle = unknown;

export interface Random {
  /** Uniform in [0, 2^32). */
  u32(): number;
  /** Uniform whole number in [0, limit), limit ≤ 2^53. */
  below(limit: number): number;
  /** Uniform in [0, 1). */
  unit(): number;
  /** Unpredictable bytes (hash seeds, run ids); from the same seed in the simulated platform. */
  bytes(count: number): Uint8Array;
  /** Restarts the sequence of `u32`, `below` and `unit` from a seed. */
  seed(value: number): void;
}

/** Every failing file or network operation throws or rejects with one of these. */
export interface PlatformError extends Error {
  /** The POSIX name: `ENOENT`, `EACCES`, `ENOSPC`, `EADDRINUSE`, … */
  readonly code: string;
}

/** Files, synchronous where Redis is synchronous; the asynchronous ones never block the event loop. */
export interface Files {
  /** Whole file. */
  read(path: string): Uint8Array;
  /** Creates or truncates. */
  write(path: string, bytes: Uint8Array, mode?: number): void;
  /** `flags` as in fopen: "r", "r+", "w", "a", "wx". */
  open(path: string, flags: string, mode?: number): File;
  stat(path: string): FileInfo | null;
  /** Names in a directory, unordered. */
  list(path: string): string[];
  makeDirectory(path: string): void;
  rename(from: string, to: string): void;
  remove(path: string): void;
  /** Removes in a background thread, for large files. */
  removeAsync(path: string): Promise<void>;
  /** Makes a rename or a new name in the directory durable. */
  syncDirectory(path: string): void;
  syncDirectoryAsync(path: string): Promise<void>;
  /** Absolute form of a path, from the current directory. */
  resolve(path: string): string;
}
export interface FileInfo {
  readonly size: number;
  readonly isDirectory: boolean;
  readonly isFile: boolean;
  readonly modifiedMs: number;
  readonly mode: number;
}
export interface File {
  /** Writes all of `bytes[start, end)` at the file's position or throws; on a throw `written` of the error tells how far it came. */
  write(bytes: Uint8Array, start?: number, end?: number): void;
  writeAsync(bytes: Uint8Array, start?: number, end?: number): Promise<void>;
  /** Fills `into[start, end)` from `position` (-1: the file's own); returns the bytes read, 0 at the end. */
  read(into: Uint8Array, start: number, end: number, position?: number): number;
  readAsync(into: Uint8Array, start: number, end: number, position?: number): Promise<number>;
  dataSync(): void;
  dataSyncAsync(): Promise<void>;
  sync(): void;
  truncate(size: number): void;
  size(): number;
  close(): void;
  /** Closes in a background thread: freeing the blocks of a large file that has lost its name takes long. */
  closeAsync(): Promise<void>;
}

export interface Process {
  readonly id: number;
  readonly args: readonly string[];
  /** Path of the running program (for `executable` in INFO). */
  readonly executable: string;
  environment(name: string): string | undefined;
  currentDirectory(): string;
  changeDirectory(path: string): void;
  /** `uname`-like: system, release, machine, as INFO's `os` shows them. */
  readonly os: string;
  readonly machineBits: 32 | 64;
  memory(): { readonly rss: number; readonly heapUsed: number; readonly heapTotal: number; readonly external: number };
  totalSystemMemory(): number;
  /**
   * Has the runtime give back what it keeps for objects and buffers that nobody uses any more; the program waits meanwhile. `thorough`:
   * compiled code too, which makes the program slow for some tenths of a second that it works.
   */
  collectGarbage(thorough: boolean): void;
  /** CPU seconds so far. */
  cpu(): { readonly user: number; readonly system: number };
  onSignal(signal: "SIGINT" | "SIGTERM" | "SIGHUP" | "SIGABRT", run: () => void): void;
  /** Calls `run` with what was thrown and caught by nobody, in a callback or behind a promise, instead of ending. */
  onUncaught(run: (thrown: unknown) => void): void;
  stdout(bytes: Uint8Array): void;
  stderr(bytes: Uint8Array): void;
  /** Everything on standard input until its end. */
  readStdin(): Uint8Array;
  exit(code: number): never;
  /** Largest number of files this process may have open, 0 when unknown. */
  openFilesLimit(): number;
}
