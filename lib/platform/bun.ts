/**
 * The platform on Bun: sockets through Bun.listen and Bun.connect, the rest from `node.ts`.
 *
 * Bun calls a handler from its event loop with the bytes it read and writes synchronously into the kernel, so nothing is
 * buffered here: `write` takes what the kernel takes, and `drain` is Bun's own. One handler object serves all sockets;
 * what belongs to a connection hangs off `socket.data`. Bun reads into one buffer shared by all connections, so idle ones
 * cost no read buffer, and hands out a copy of what it has read.
 *
 * Bun's names for the ends of a connection: `end` is the peer's FIN (with `allowHalfOpen` we may still write), `close` the
 * end of both directions, `error` an exception in a handler. `socket.end()` is a FIN and `socket.terminate()` a RST.
 */

import { Buffer } from "node:buffer";
import { readdirSync, readlinkSync } from "node:fs";
import process from "node:process";
import type { Copy } from "../bytes/span.ts";
import { handlerFailure, platformError, toPlatformError } from "./errors.ts";
import { createNodeParts, removeStaleSocket, unixListener } from "./node.ts";
import type { Address, Connection, ConnectionHandler, Listener, Net, Platform } from "./platform.ts";

/** The part of Bun's API used here; declared by hand so that type checking needs no package. */
interface BunSocket {
  data: BunConnection | null;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
  readonly listener?: { readonly data: AcceptHandler; readonly unix?: string };
  write(bytes: Uint8Array, offset: number, length: number): number;
  end(): number;
  close(): void;
  terminate(): void;
  pause(): void;
  resume(): void;
  setNoDelay(on: boolean): boolean;
  setKeepAlive(on: boolean, initialDelayMs: number): boolean;
}

interface SocketHandlers {
  readonly binaryType: "uint8array";
  open(socket: BunSocket): void;
  data(socket: BunSocket, bytes: Uint8Array<ArrayBuffer>): void;
  drain(socket: BunSocket): void;
  end(socket: BunSocket): void;
  close(socket: BunSocket, error?: unknown): void;
  error(socket: BunSocket, error: unknown): void;
}

interface BunListener {
  readonly port: number;
  stop(closeConnections: boolean): void;
}

interface BunRuntime {
  readonly version: string;
  listen(options: Record<string, unknown>): BunListener;
  connect(options: Record<string, unknown>): Promise<BunSocket>;
  gc(wait: boolean): void;
  /** Gives up what the runtime keeps to be faster: all compiled code. */
  shrink(): void;
}

const POLLIN = 1;

type AcceptHandler = (connection: Connection) => ConnectionHandler;

/**
 * What is received comes in an array of its own. From this length on its bytes are outside of the collected heap, where they would pile
 * up: detaching the array frees them at once.
 */
const WORTH_FREEING = 1024;

const bun = (globalThis as unknown as { Bun: BunRuntime }).Bun;

class BunConnection implements Connection {
  readonly remote: string;
  readonly local: string;
  readonly #socket: BunSocket;
  #closing = false;
  #gone = false;
  /** Set by the listener or connector right after construction. */
  handler: ConnectionHandler | null = null;

  constructor(socket: BunSocket, remote: string, local: string) {
    this.#socket = socket;
    this.remote = remote;
    this.local = local;
  }

  write(bytes: Uint8Array, start: number, end: number): number {
    if (this.#closing) return 0;
    const taken = this.#socket.write(bytes, start, end - start);
    return taken < 0 ? 0 : taken;
  }

  pause(): void {
    if (!this.#gone) this.#socket.pause();
  }

  resume(): void {
    if (!this.#gone) this.#socket.resume();
  }

  setNoDelay(on: boolean): void {
    if (!this.#gone) this.#socket.setNoDelay(on);
  }

  setKeepAlive(seconds: number): void {
    if (!this.#gone) this.#socket.setKeepAlive(seconds > 0, seconds * 1000);
  }

  close(): void {
    if (this.#closing) return;
    this.#closing = true;
    if (this.#gone) return;
    // All bytes `write` took are in the kernel already, which sends them after the socket is closed.
    this.#socket.close();
  }

  abort(): void {
    if (this.#gone) return;
    this.#closing = true;
    // Not `terminate`: a RST would also take back what the kernel has not sent yet.
    this.#socket.close();
  }

  isOpen(): boolean {
    return !this.#closing;
  }

  finish(error: string): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#closing = true;
    // Later, because the handler may be in the middle of the very call that closes the connection.
    queueMicrotask(() => this.handler?.closed(error));
  }
}

/** Handlers of sockets whose connection is made by `open`. */
function socketHandlers(open: (socket: BunSocket) => void): SocketHandlers {
  return {
    binaryType: "uint8array",
    open,
    data(socket, bytes) {
      const connection = socket.data;
      if (connection !== null && connection.isOpen()) connection.handler?.data(bytes, bytes.length);
      if (bytes.length >= WORTH_FREEING) bytes.buffer.transfer(0);
    },
    drain(socket) {
      const connection = socket.data;
      if (connection !== null && connection.isOpen()) connection.handler?.drain();
    },
    end(socket) {
      const connection = socket.data;
      if (connection !== null && connection.isOpen()) connection.handler?.end();
    },
    close(socket, error) {
      const reason = error === undefined || error === null ? "" : toPlatformError(error, "ECONNRESET").message;
      socket.data?.finish(reason);
    },
    error(socket, error) {
      socket.data?.finish(handlerFailure(error));
      socket.terminate();
    },
  };
}

function hostAndPort(address: string, port: number): string {
  const host = address.startsWith("::ffff:") ? address.slice(7) : address;
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

function openTcp(socket: BunSocket, accept: AcceptHandler): BunConnection {
  const connection = new BunConnection(
    socket,
    hostAndPort(socket.remoteAddress, socket.remotePort),
    hostAndPort(socket.localAddress, socket.localPort),
  );
  socket.data = connection;
  connection.handler = accept(connection);
  return connection;
}

function openUnix(socket: BunSocket, name: string, accept: AcceptHandler): BunConnection {
  const connection = new BunConnection(socket, name, name);
  socket.data = connection;
  connection.handler = accept(connection);
  return connection;
}

function listenTcp(host: string, port: number, accept: AcceptHandler): Listener {
  const hostname = host === "*" ? "0.0.0.0" : host === "::*" ? "::" : host;
  const listener = bun.listen({
    hostname,
    port,
    exclusive: true,
    ipv6Only: hostname.includes(":"),
    allowHalfOpen: true,
    data: null,
    socket: socketHandlers((socket) => openTcp(socket, accept)),
  });
  return { port: listener.port, close: () => listener.stop(false) };
}

function listenUnix(path: string, mode: number, accept: AcceptHandler): Listener {
  removeStaleSocket(path);
  const name = `${path}:0`;
  const listener = bun.listen({
    unix: path,
    allowHalfOpen: true,
    data: null,
    socket: socketHandlers((socket) => openUnix(socket, name, accept)),
  });
  return unixListener(path, mode, () => listener.stop(false));
}

const net: Net = {
  listen(address: Address, accept: AcceptHandler): Promise<Listener> {
    try {
      const listener = "path" in address
        ? listenUnix(address.path, address.mode ?? 0, accept)
        : listenTcp(address.host, address.port, accept);
      return Promise.resolve(listener);
    } catch (thrown) {
      return Promise.reject(toPlatformError(thrown, "EADDRNOTAVAIL"));
    }
  },

  connect(address, handler, options = {}): Promise<Connection> {
    return new Promise((resolve, reject) => {
      let settled = false;
      const limit = options.timeoutMs ?? 0;
      const timer = limit > 0 ? setTimeout(() => settle(() => reject(platformError("ETIMEDOUT"))), limit) : undefined;
      const settle = (how: () => void): void => {
        if (settled) return;
        settled = true;
        clearTimeout(timer);
        how();
      };
      const socket = {
        ...socketHandlers((opened) => {
          if (settled) {
            opened.terminate();
            return;
          }
          const connection = "path" in address
            ? openUnix(opened, `${address.path}:0`, handler)
            : openTcp(opened, handler);
          settle(() => resolve(connection));
        }),
        connectError: (_socket: BunSocket, error: unknown) => {
          settle(() => reject(toPlatformError(error, "ECONNREFUSED")));
        },
      };
      const target = "path" in address
        ? { unix: address.path }
        : { hostname: address.host, port: address.port, localAddress: options.localHost };
      bun.connect({ ...target, allowHalfOpen: true, data: null, socket }).catch((thrown) => {
        settle(() => reject(toPlatformError(thrown, "ECONNREFUSED")));
      });
    });
  },
};

/** `Buffer.copy`, which is native code here, for any array: a view would cost more, and stay in its buffer's list of views. */
const copyBuffer = Buffer.prototype.copy as (to: Uint8Array, at: number, start: number, end: number) => number;
const copy: Copy = (from, off, len, to, at) => void copyBuffer.call(from, to, at, off, off + len);

/** The part of bun:ffi used here. */
interface BunFfi {
  dlopen(library: string, symbols: Record<string, { args: string[]; returns: string }>): { symbols: PollSymbols };
  ptr(view: ArrayBufferView): number;
}
interface PollSymbols {
  ppoll(watched: number, count: number, time: number, mask: number): number;
}

/**
 * `Clock.nap`, if this is Linux: Bun's loop waits for its sockets in epoll, and an epoll's descriptor can be read when there is something
 * to be told. Which one is its own cannot be asked for, so all are watched that the process has open at the first nap. Where one is
 * closed later, naps end at once.
 */
function createNap(): ((ms: number) => void) | null {
  try {
    const { dlopen, ptr } = process.getBuiltinModule("bun:ffi") as unknown as BunFfi;
    const { ppoll } = dlopen("libc.so.6", { ppoll: { args: ["ptr", "u64", "ptr", "ptr"], returns: "i32" } }).symbols;
    const open = "/proc/self/fd";
    const loops = readdirSync(open).filter((fd) => linkTarget(`${open}/${fd}`) === "anon_inode:[eventpoll]");
    // struct pollfd: the descriptor, what is waited for and what has come (2 bytes each); struct timespec: seconds and nanoseconds.
    // Only the bytes of an array that was made on a buffer stay where they are.
    const watched = new Int32Array(new ArrayBuffer(8 * loops.length));
    watched.set(loops.flatMap((fd) => [Number(fd), POLLIN]));
    const time = new Int32Array(new ArrayBuffer(16));
    const watchedAt = ptr(watched), timeAt = ptr(time);
    return (ms) => {
      time[2] = ms * 1e6;
      ppoll(watchedAt, watched.length / 2, timeAt, 0);
    };
  } catch {
    return null;
  }
}

/** Empty when the descriptor is not open any more, as the one that its directory was read through. */
function linkTarget(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}

/** The platform of a Bun process. */
export function createPlatform(): Platform {
  const parts = createNodeParts();
  parts.process.collectGarbage = (thorough) => {
    if (thorough) bun.shrink();
    bun.gc(true);
  };
  let nap: ((ms: number) => void) | undefined;
  const { clock } = parts;
  clock.nap = (ms) => {
    nap ??= createNap() ?? ((ms) => clock.block(ms));
    nap(ms);
  };
  return { runtime: { name: "bun", version: bun.version }, net, copy, ...parts };
}
