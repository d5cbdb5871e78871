/**
 * The system calls of a Linux server, straight from the C library through Deno's FFI. A call from compiled code costs some
 * 20 ns, where an operation of the runtime with its promise costs about a microsecond; `epoll.ts` says what that buys.
 *
 * Layouts and numbers are those of x86-64 and arm64, which differ in one thing: `struct epoll_event` is packed on x86-64
 * (mask at 0, data at 4, 12 bytes) and aligned elsewhere (data at 8, 16 bytes).
 */

import { constants } from "node:os";
import { platformError } from "./errors.ts";
import type { PlatformError } from "./platform.ts";

const PACKED = Deno.build.arch === "x86_64";
const EVENT_SIZE = PACKED ? 12 : 16;
const EVENT_DATA = PACKED ? 4 : 8;

export const EPOLL_CTL_ADD = 1;
export const EPOLL_CTL_DEL = 2;
export const EPOLL_CTL_MOD = 3;
export const EPOLLIN = 1;
export const EPOLLOUT = 4;
const POLLIN = 1;

const { EAGAIN, EINTR, EINPROGRESS } = constants.errno;

const AF_UNIX = 1;
const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM = 1;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const SO_ERROR = 4;
const SO_KEEPALIVE = 9;
const IPPROTO_TCP = 6;
const TCP_NODELAY = 1;
const TCP_KEEPIDLE = 4;
const TCP_KEEPINTVL = 5;
const TCP_KEEPCNT = 6;
const CLOCK_MONOTONIC = 1;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;
const MSG_NOSIGNAL = 0x4000;
const READ_SIZE = 65536;
/** Up to so many bytes are copied to be sent: to find out where an array is costs more. */
const STAGED_BYTES = 8192;
/** Shorter pieces are copied by a loop. */
const COPY_BY_LOOP = 64;
/** Room for any socket address: `sockaddr_un` is the longest with 110 bytes. */
const ADDRESS_SIZE = 112;
/** `sun_path` holds 107 bytes and a zero. */
const LONGEST_PATH = 107;

// What is called for every command takes a pointer, which goes through as it is; finding the bytes of a "buffer" costs 0.2 µs.
const SYMBOLS = {
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  setsockopt: { parameters: ["i32", "i32", "i32", "buffer", "u32"], result: "i32" },
  getsockopt: { parameters: ["i32", "i32", "i32", "buffer", "buffer"], result: "i32" },
  bind: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  listen: { parameters: ["i32", "i32"], result: "i32" },
  accept4: { parameters: ["i32", "buffer", "buffer", "i32"], result: "i32" },
  connect: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  getsockname: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  getpeername: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  inet_pton: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  inet_ntop: { parameters: ["i32", "buffer", "buffer", "u32"], result: "pointer" },
  recv: { parameters: ["i32", "pointer", "i32", "i32"], result: "i32" },
  send: { parameters: ["i32", "pointer", "i32", "i32"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
  epoll_create1: { parameters: ["i32"], result: "i32" },
  epoll_ctl: { parameters: ["i32", "i32", "i32", "buffer"], result: "i32" },
  epoll_wait: { parameters: ["i32", "pointer", "i32", "i32"], result: "i32" },
  wait_aside: { name: "epoll_wait", parameters: ["i32", "pointer", "i32", "i32"], result: "i32", nonblocking: true },
  ppoll: { parameters: ["pointer", "usize", "pointer", "pointer"], result: "i32" },
  eventfd: { parameters: ["u32", "i32"], result: "i32" },
  read: { parameters: ["i32", "buffer", "usize"], result: "isize" },
  write: { parameters: ["i32", "buffer", "usize"], result: "isize" },
  write_aside: { name: "write", parameters: ["i32", "buffer", "usize"], result: "isize", nonblocking: true },
  clock_gettime: { parameters: ["i32", "pointer"], result: "i32" },
  malloc_trim: { parameters: ["usize"], result: "i32", nonblocking: true },
  __errno_location: { parameters: [], result: "pointer" },
} as const;

export type Libc = Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];

/** The C library; null where there is none of this kind, or the program may not use FFI. */
export function openLibc(): Libc | null {
  const { os, arch } = Deno.build;
  if (os !== "linux" || (arch !== "x86_64" && arch !== "aarch64")) return null;
  if (Deno.permissions.querySync({ name: "ffi" }).state !== "granted") return null;
  try {
    return Deno.dlopen("libc.so.6", SYMBOLS).symbols;
  } catch {
    return null;
  }
}

/** See `Clock.monotonic`; three times as fast as `performance.now`, which every command needs twice. */
export function monotonicClock(libc: Libc): () => number {
  // struct timespec: seconds and nanoseconds, 8 bytes each, of which the low halves are enough for differences.
  const time = new Int32Array(4);
  const pointer = Deno.UnsafePointer.of(time);
  return () => {
    libc.clock_gettime(CLOCK_MONOTONIC, pointer);
    return time[0] * 1000 + time[2] / 1e6;
  };
}

/** Reads and writes `struct epoll_event`s: a mask, the descriptor, and a number of the caller's that tells its users apart. */
export class Events {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly pointer: Deno.PointerValue;
  readonly #view: DataView;

  constructor(count: number) {
    this.bytes = new Uint8Array(count * EVENT_SIZE);
    this.pointer = Deno.UnsafePointer.of(this.bytes);
    this.#view = new DataView(this.bytes.buffer);
  }

  set(mask: number, fd: number, tag: number): void {
    this.#view.setUint32(0, mask, true);
    this.#view.setInt32(EVENT_DATA, fd, true);
    this.#view.setInt32(EVENT_DATA + 4, tag, true);
  }

  mask(index: number): number {
    return this.#view.getUint32(index * EVENT_SIZE, true);
  }

  fd(index: number): number {
    return this.#view.getInt32(index * EVENT_SIZE + EVENT_DATA, true);
  }

  tag(index: number): number {
    return this.#view.getInt32(index * EVENT_SIZE + EVENT_DATA + 4, true);
  }
}

/** Waits for one descriptor with a finer time than milliseconds. */
export class BriefWait {
  readonly #libc: Libc;
  /** struct pollfd: the descriptor, what is waited for and what has come (2 bytes each). */
  readonly #watched: Int32Array<ArrayBuffer>;
  readonly #watchedPointer: Deno.PointerValue;
  /** struct timespec: seconds and nanoseconds, 8 bytes each. */
  readonly #time = new Int32Array(4);
  readonly #timePointer = Deno.UnsafePointer.of(this.#time);

  constructor(libc: Libc, fd: number) {
    this.#libc = libc;
    this.#watched = new Int32Array([fd, POLLIN]);
    this.#watchedPointer = Deno.UnsafePointer.of(this.#watched);
  }

  /** Until there is something to be read, or so many milliseconds (less than 1000) have passed. */
  wait(ms: number): void {
    this.#time[2] = ms * 1e6;
    this.#libc.ppoll(this.#watchedPointer, 1n, this.#timePointer, null);
  }
}

/** An eventfd: ringing makes its descriptor readable until it is silenced. */
export class Bell {
  readonly fd: number;
  readonly #libc: Libc;
  readonly #count = new Uint8Array(8);

  constructor(libc: Libc) {
    this.#libc = libc;
    // The flags have the numbers of the socket's.
    this.fd = libc.eventfd(0, SOCK_NONBLOCK | SOCK_CLOEXEC);
  }

  ring(): void {
    this.#count.fill(1);
    this.#libc.write(this.fd, this.#count, 8n);
  }

  silence(): void {
    this.#libc.read(this.fd, this.#count, 8n);
  }
}

/** A socket address as the kernel takes it: family (2 bytes), then port and IP, or the path of a unix socket. */
export interface SocketAddress {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly length: number;
}

const ERROR_NAMES = new Map(Object.entries(constants.errno).map(([name, number]) => [number, name]));

/** Sockets as numbers. What fails throws a `PlatformError`; `recv`, `send` and `accept` return -1 where they would wait. */
export class Sockets {
  readonly libc: Libc;
  readonly received = new Uint8Array(READ_SIZE);
  readonly #receivedPointer = Deno.UnsafePointer.of(this.received);
  readonly #staged = new Uint8Array(STAGED_BYTES);
  readonly #stagedPointer = Deno.UnsafePointer.of(this.#staged);
  #sent: Uint8Array = this.received;
  #sentPointer = this.#receivedPointer;
  readonly #errno: Int32Array;
  readonly #address = new Uint8Array(ADDRESS_SIZE);
  readonly #number = new Uint8Array(4);
  readonly #numberView = new DataView(this.#number.buffer);

  constructor(libc: Libc) {
    this.libc = libc;
    const place = libc.__errno_location() as Deno.PointerObject;
    this.#errno = new Int32Array(Deno.UnsafePointerView.getArrayBuffer(place, 4));
  }

  /** Reads into `received`; 0 is the end. */
  recv(fd: number): number {
    const count = this.libc.recv(fd, this.#receivedPointer, READ_SIZE, 0);
    return count < 0 ? this.#waitOrThrow() : count;
  }

  /** Sends `bytes[start, end)` or as much of it as the kernel takes. */
  send(fd: number, bytes: Uint8Array, start: number, end: number): number {
    const length = end - start;
    let pointer = this.#sentPointer;
    // Replies come from one buffer nearly always, which is a long one.
    if (bytes !== this.#sent || start > 0) {
      if (length <= STAGED_BYTES && (start > 0 || bytes.length <= STAGED_BYTES)) {
        this.#stage(bytes, start, end);
        pointer = this.#stagedPointer;
      } else {
        this.#sent = start === 0 ? bytes : bytes.subarray(start);
        pointer = this.#sentPointer = Deno.UnsafePointer.of(this.#sent as Uint8Array<ArrayBuffer>);
      }
    }
    const count = this.libc.send(fd, pointer, length, MSG_NOSIGNAL);
    return count < 0 ? this.#waitOrThrow() : count;
  }

  #stage(bytes: Uint8Array, start: number, end: number): void {
    const staged = this.#staged;
    if (end - start > COPY_BY_LOOP) {
      staged.set(start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end));
    } else for (let i = start; i < end; i++) staged[i - start] = bytes[i];
  }

  /** The next connection in the queue, or -1. */
  accept(fd: number): number {
    this.#setNumber(ADDRESS_SIZE);
    const accepted = this.libc.accept4(fd, this.#address, this.#number, SOCK_NONBLOCK | SOCK_CLOEXEC);
    return accepted < 0 ? this.#waitOrThrow() : accepted;
  }

  /** A listening socket on an address of `resolve` or `unixAddress`. */
  listen(address: SocketAddress, backlog: number): number {
    const fd = this.#open(address);
    try {
      this.#option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
      // So that `::` and `0.0.0.0` can be bound side by side, as Redis does.
      if (address.bytes[0] === AF_INET6) this.#option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
      this.#check(this.libc.bind(fd, address.bytes, address.length));
      this.#check(this.libc.listen(fd, backlog));
      return fd;
    } catch (thrown) {
      this.libc.close(fd);
      throw thrown;
    }
  }

  /** Begins to connect, from `local` where it is given; the socket is writable when that is decided (see `outcome`). */
  connect(address: SocketAddress, local: SocketAddress | null): number {
    const fd = this.#open(address);
    try {
      if (local !== null) this.#check(this.libc.bind(fd, local.bytes, local.length));
      if (this.libc.connect(fd, address.bytes, address.length) < 0 && this.#errno[0] !== EINPROGRESS) {
        throw this.#error();
      }
      return fd;
    } catch (thrown) {
      this.libc.close(fd);
      throw thrown;
    }
  }

  /** How a `connect` ended: null when it stands. */
  outcome(fd: number): PlatformError | null {
    const length = new Uint8Array([4, 0, 0, 0]);
    this.#check(this.libc.getsockopt(fd, SOL_SOCKET, SO_ERROR, this.#number, length));
    const failure = this.#numberView.getInt32(0, true);
    return failure === 0 ? null : platformError(ERROR_NAMES.get(failure) ?? "EIO");
  }

  close(fd: number): void {
    this.libc.close(fd);
  }

  setNoDelay(fd: number, on: boolean): void {
    this.#option(fd, IPPROTO_TCP, TCP_NODELAY, on ? 1 : 0);
  }

  /** As Redis: probes after `seconds` of silence, then thrice at a third of that. */
  setKeepAlive(fd: number, seconds: number): void {
    this.#option(fd, SOL_SOCKET, SO_KEEPALIVE, seconds > 0 ? 1 : 0);
    if (seconds <= 0) return;
    this.#option(fd, IPPROTO_TCP, TCP_KEEPIDLE, seconds);
    this.#option(fd, IPPROTO_TCP, TCP_KEEPINTVL, Math.max(1, Math.floor(seconds / 3)));
    this.#option(fd, IPPROTO_TCP, TCP_KEEPCNT, 3);
  }

  /** `host:port` of this end. */
  localName(fd: number): string {
    this.#setNumber(ADDRESS_SIZE);
    return this.#name(this.libc.getsockname(fd, this.#address, this.#number));
  }

  /** `host:port` of the other end. */
  remoteName(fd: number): string {
    this.#setNumber(ADDRESS_SIZE);
    return this.#name(this.libc.getpeername(fd, this.#address, this.#number));
  }

  /** The port a listening socket really has. */
  port(fd: number): number {
    this.localName(fd);
    return this.#address[2] * 256 + this.#address[3];
  }

  /** The address of a host by name or number. */
  async resolve(host: string, port: number): Promise<SocketAddress> {
    const address = this.#parse(host, port);
    if (address !== null) return address;
    // Loaded when it is needed: it takes as long to load as a tenth of the whole start.
    const { lookup } = await import("node:dns/promises");
    const found = this.#parse((await lookup(host)).address, port);
    if (found === null) throw platformError("EADDRNOTAVAIL");
    return found;
  }

  /** The address that the text of an IP means; null when it is none. */
  #parse(host: string, port: number): SocketAddress | null {
    const isV6 = host.includes(":");
    const bytes = new Uint8Array(isV6 ? 28 : 16);
    bytes[0] = isV6 ? AF_INET6 : AF_INET;
    bytes[2] = port >> 8;
    bytes[3] = port & 255;
    const ip = new Uint8Array(16);
    if (this.libc.inet_pton(bytes[0], new TextEncoder().encode(`${host}\0`), ip) !== 1) return null;
    bytes.set(isV6 ? ip : ip.subarray(0, 4), isV6 ? 8 : 4);
    return { bytes, length: bytes.length };
  }

  #open(address: SocketAddress): number {
    return this.#check(this.libc.socket(address.bytes[0], SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  }

  #option(fd: number, level: number, name: number, value: number): void {
    this.#setNumber(value);
    this.libc.setsockopt(fd, level, name, this.#number, 4);
  }

  #setNumber(value: number): void {
    this.#numberView.setInt32(0, value, true);
  }

  #name(result: number): string {
    // The connection is gone already; Redis prints this, too.
    if (result < 0) return "?:0";
    const isV6 = this.#address[0] === AF_INET6;
    const text = new Uint8Array(64);
    this.libc.inet_ntop(this.#address[0], this.#address.slice(isV6 ? 8 : 4), text, text.length);
    const host = new TextDecoder().decode(text.subarray(0, text.indexOf(0)));
    const port = this.#address[2] * 256 + this.#address[3];
    return isV6 ? `[${host}]:${port}` : `${host}:${port}`;
  }

  #check(result: number): number {
    if (result < 0) throw this.#error();
    return result;
  }

  #waitOrThrow(): -1 {
    const failure = this.#errno[0];
    if (failure === EAGAIN || failure === EINTR) return -1;
    throw this.#error();
  }

  #error(): PlatformError {
    return platformError(ERROR_NAMES.get(this.#errno[0]) ?? "EIO");
  }
}

/** The address of a unix socket. */
export function unixAddress(path: string): SocketAddress {
  const name = new TextEncoder().encode(path);
  if (name.length > LONGEST_PATH) throw platformError("ENAMETOOLONG", "unix socket path too long");
  const bytes = new Uint8Array(2 + name.length + 1);
  bytes[0] = AF_UNIX;
  bytes.set(name, 2);
  return { bytes, length: bytes.length };
}
