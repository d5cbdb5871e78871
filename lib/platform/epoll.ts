/**
 * Sockets for a Deno process that is nothing but a server, on Linux: one epoll loop over plain system calls (`libc.ts`).
 *
 * Why not Deno's own sockets (`deno.ts`)? They hand over each chunk through a promise and write from a copy. A server that
 * only answers PONG takes 1.2 times redis-server's CPU per command that way, and 1.0 times in this loop.
 *
 * How the loop gets on with Deno's event loop, which owns the thread (timers, files, signals):
 *
 * - It serves what epoll reports without asking, and lets Deno's loop turn once a millisecond.
 * - When nothing is ready it waits up to a millisecond in the kernel, so that a busy server is woken by the next request
 *   itself. That blocks the thread, which is why only a program of its own does it, never an embedded server, and not while
 *   a file operation is out whose end somebody waits for.
 * - When that brought nothing either, epoll is waited for in another thread, and this one belongs to Deno's loop. A wake-up
 *   over threads costs some 20 µs. Work that is to be done soon rings a bell in epoll; to stop, nobody has to be woken,
 *   because the wait ends in any case after `LONGEST_WAIT`.
 *
 * As the kernel takes what it can at once, a connection owns no buffers: `write` returns what `send` took, and reads go
 * into one buffer for all. Interest is level-triggered; a descriptor with nothing to wait for is not registered at all,
 * because epoll would report its hang-up without end.
 */

import { handlerFailure, platformError, toPlatformError } from "./errors.ts";
import {
  Bell,
  BriefWait,
  EPOLL_CTL_ADD,
  EPOLL_CTL_DEL,
  EPOLL_CTL_MOD,
  EPOLLIN,
  EPOLLOUT,
  Events,
  monotonicClock,
  openLibc,
  Sockets,
  unixAddress,
} from "./libc.ts";
import { backgroundOperations, removeStaleSocket, unixListener, type WriteAside } from "./node.ts";
import type { Address, Clock, Connection, ConnectionHandler, Listener, Net } from "./platform.ts";

const EVENTS_AT_ONCE = 1024;
/** Connections taken per wake-up, as many as Redis takes. */
const ACCEPTS_AT_ONCE = 1000;
const ACCEPT_PAUSE_MS = 10;
/** Milliseconds. */
const BRIEF_WAIT = 1;
const LONGEST_WAIT = 100;
const TURN_EVERY = 2;
/** Redis's default for `tcp-backlog`. */
const BACKLOG = 511;

type AcceptHandler = (connection: Connection) => ConnectionHandler;

/** Whoever waits for a descriptor. */
interface Waiter {
  /** Tells it apart from an earlier owner of the same descriptor. */
  readonly tag: number;
  ready(mask: number): void;
}

class Loop {
  readonly sockets: Sockets;
  readonly #monotonic: () => number;
  readonly #epoll: number;
  readonly #reported = new Events(EVENTS_AT_ONCE);
  readonly #interest = new Events(1);
  /** Ends the wait in the other thread. */
  readonly #bell: Bell;
  readonly #briefWait: BriefWait;
  /** By descriptor. */
  readonly #waiters: (Waiter | undefined)[] = [];
  #open = 0;
  #tags = 0;
  #running = false;
  #aside = false;
  #soon: (() => void)[] = [];

  constructor(sockets: Sockets, monotonic: () => number) {
    const { libc } = sockets;
    this.sockets = sockets;
    this.#monotonic = monotonic;
    this.#epoll = libc.epoll_create1(0);
    this.#briefWait = new BriefWait(libc, this.#epoll);
    const bell = this.#bell = new Bell(libc);
    this.#waiters[bell.fd] = { tag: 0, ready: () => bell.silence() };
    this.watch(bell.fd, 0, 0, EPOLLIN);
  }

  nextTag(): number {
    this.#tags = (this.#tags + 1) | 0;
    return this.#tags;
  }

  /** Takes a descriptor on; it is not watched until `watch`. */
  add(fd: number, waiter: Waiter): void {
    this.#waiters[fd] = waiter;
    this.#open++;
    if (!this.#running) {
      this.#running = true;
      this.#run();
    }
  }

  /** Forgets a descriptor that is not watched, or is about to be closed. */
  remove(fd: number): void {
    this.#waiters[fd] = undefined;
    this.#open--;
  }

  /** Changes what a descriptor is watched for, from mask to mask; 0 is not at all. */
  watch(fd: number, tag: number, before: number, after: number): void {
    if (before === after) return;
    const how = after === 0 ? EPOLL_CTL_DEL : before === 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
    this.#interest.set(after, fd, tag);
    this.sockets.libc.epoll_ctl(this.#epoll, how, fd, this.#interest.bytes);
  }

  /** See `Clock.soon`. */
  soon(run: () => void): void {
    if (!this.#running) {
      setImmediate(run);
      return;
    }
    // Not by an immediate: while there are any, Deno hardly looks at what other threads have finished.
    if (this.#aside && this.#soon.length === 0) this.#bell.ring();
    this.#soon.push(run);
  }

  /** See `Clock.nap`. */
  nap(ms: number): void {
    this.#briefWait.wait(ms);
  }

  async #run(): Promise<void> {
    const { libc } = this.sockets;
    const events = this.#reported.pointer;
    let turned = this.#monotonic();
    while (this.#open > 0) {
      const hasWork = this.#soon.length > 0;
      const wait = hasWork || backgroundOperations() > 0 ? 0 : BRIEF_WAIT;
      let count = libc.epoll_wait(this.#epoll, events, EVENTS_AT_ONCE, wait);
      if (count <= 0 && !hasWork) {
        this.#aside = true;
        count = await libc.wait_aside(this.#epoll, events, EVENTS_AT_ONCE, LONGEST_WAIT);
        this.#aside = false;
        turned = this.#monotonic();
      }
      this.#serve(count);
      this.#runSoon();
      if (this.#monotonic() - turned >= TURN_EVERY) {
        await new Promise<void>((resolve) => setImmediate(resolve));
        turned = this.#monotonic();
      } else await undefined;
    }
    this.#running = false;
    this.#runSoon();
  }

  #serve(count: number): void {
    const reported = this.#reported;
    for (let i = 0; i < count; i++) {
      const waiter = this.#waiters[reported.fd(i)];
      if (waiter !== undefined && waiter.tag === reported.tag(i)) waiter.ready(reported.mask(i));
    }
  }

  #runSoon(): void {
    if (this.#soon.length === 0) return;
    const due = this.#soon;
    this.#soon = [];
    for (const run of due) run();
  }
}

class EpollConnection implements Connection, Waiter {
  readonly remote: string;
  readonly local: string;
  readonly tag: number;
  readonly #loop: Loop;
  readonly #fd: number;
  readonly #isTcp: boolean;
  #handler: ConnectionHandler | null = null;
  #watched = 0;
  #paused = false;
  /** The peer has shut down its side. */
  #ended = false;
  #wantsDrain = false;
  #gone = false;

  constructor(loop: Loop, fd: number, remote: string, local: string, isTcp: boolean) {
    this.#loop = loop;
    this.#fd = fd;
    this.#isTcp = isTcp;
    this.remote = remote;
    this.local = local;
    this.tag = loop.nextTag();
    loop.add(fd, this);
  }

  start(handler: ConnectionHandler): void {
    this.#handler = handler;
    this.#watch();
  }

  ready(mask: number): void {
    try {
      if (this.#wantsDrain && (mask & ~EPOLLIN) !== 0) {
        this.#wantsDrain = false;
        this.#handler?.drain();
      }
      // A hang-up or an error is found out by reading.
      if ((this.#watched & EPOLLIN) !== 0 && (mask & ~EPOLLOUT) !== 0) this.#read();
    } catch (thrown) {
      this.#finish(handlerFailure(thrown));
      return;
    }
    this.#watch();
  }

  write(bytes: Uint8Array, start: number, end: number): number {
    if (this.#gone || this.#wantsDrain) return 0;
    const offered = end - start;
    let taken: number;
    try {
      taken = this.#loop.sockets.send(this.#fd, bytes, start, end);
    } catch (thrown) {
      this.#finish(toPlatformError(thrown, "EPIPE").message);
      return 0;
    }
    if (taken === offered) return taken;
    this.#wantsDrain = true;
    this.#watch();
    return taken < 0 ? 0 : taken;
  }

  pause(): void {
    this.#paused = true;
    this.#watch();
  }

  resume(): void {
    this.#paused = false;
    this.#watch();
  }

  setNoDelay(on: boolean): void {
    if (this.#isTcp && !this.#gone) this.#loop.sockets.setNoDelay(this.#fd, on);
  }

  setKeepAlive(seconds: number): void {
    if (this.#isTcp && !this.#gone) this.#loop.sockets.setKeepAlive(this.#fd, seconds);
  }

  close(): void {
    // The kernel has everything that `write` took and sends it after the descriptor is closed.
    this.#finish("");
  }

  abort(): void {
    this.#finish("");
  }

  #read(): void {
    const { sockets } = this.#loop;
    let count: number;
    try {
      count = sockets.recv(this.#fd);
    } catch (thrown) {
      this.#finish(toPlatformError(thrown, "ECONNRESET").message);
      return;
    }
    if (count > 0) this.#handler?.data(sockets.received, count);
    else if (count === 0) {
      this.#ended = true;
      this.#handler?.end();
    }
  }

  #watch(): void {
    if (this.#gone || this.#handler === null) return;
    const wanted = (this.#paused || this.#ended ? 0 : EPOLLIN) | (this.#wantsDrain ? EPOLLOUT : 0);
    if (wanted === this.#watched) return;
    this.#loop.watch(this.#fd, this.tag, this.#watched, wanted);
    this.#watched = wanted;
  }

  #finish(error: string): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#loop.remove(this.#fd);
    this.#loop.sockets.close(this.#fd);
    // Later, because the handler may be in the middle of the very call that closes the connection.
    queueMicrotask(() => this.#handler?.closed(error));
  }
}

/** A listening socket. */
class Door implements Waiter {
  readonly tag: number;
  readonly port: number;
  readonly #loop: Loop;
  readonly #fd: number;
  readonly #accepted: (fd: number) => void;
  #open = true;

  constructor(loop: Loop, fd: number, port: number, accepted: (fd: number) => void) {
    this.#loop = loop;
    this.#fd = fd;
    this.#accepted = accepted;
    this.port = port;
    this.tag = loop.nextTag();
    loop.add(fd, this);
    loop.watch(fd, this.tag, 0, EPOLLIN);
  }

  ready(): void {
    for (let i = 0; i < ACCEPTS_AT_ONCE && this.#open; i++) {
      const fd = this.#accept();
      if (fd < 0) return;
      this.#accepted(fd);
    }
  }

  #accept(): number {
    try {
      return this.#loop.sockets.accept(this.#fd);
    } catch {
      // Out of descriptors, or the peer gave up in the queue: the listener itself is fine, so wait and go on.
      this.#loop.watch(this.#fd, this.tag, EPOLLIN, 0);
      setTimeout(() => {
        if (this.#open) this.#loop.watch(this.#fd, this.tag, 0, EPOLLIN);
      }, ACCEPT_PAUSE_MS);
      return -1;
    }
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#loop.remove(this.#fd);
    this.#loop.sockets.close(this.#fd);
  }
}

class EpollNet implements Net {
  readonly #loop: Loop;
  readonly #sockets: Sockets;

  constructor(loop: Loop) {
    this.#loop = loop;
    this.#sockets = loop.sockets;
  }

  async listen(address: Address, accept: AcceptHandler): Promise<Listener> {
    try {
      return "path" in address
        ? this.#listenUnix(address.path, address.mode ?? 0, accept)
        : await this.#listenTcp(address.host, address.port, address.backlog ?? BACKLOG, accept);
    } catch (thrown) {
      throw toPlatformError(thrown, "EADDRNOTAVAIL");
    }
  }

  async connect(
    address: Address,
    handler: AcceptHandler,
    options: { readonly timeoutMs?: number; readonly localHost?: string } = {},
  ): Promise<Connection> {
    try {
      const isTcp = "host" in address;
      const target = isTcp ? await this.#sockets.resolve(address.host, address.port) : unixAddress(address.path);
      const local = isTcp && options.localHost !== undefined ? await this.#sockets.resolve(options.localHost, 0) : null;
      const fd = this.#sockets.connect(target, local);
      await this.#decided(fd, options.timeoutMs ?? 0);
      return isTcp ? this.#openTcp(fd, handler) : this.#openUnix(fd, `${address.path}:0`, handler);
    } catch (thrown) {
      throw toPlatformError(thrown, "ECONNREFUSED");
    }
  }

  async #listenTcp(host: string, port: number, backlog: number, accept: AcceptHandler): Promise<Door> {
    const hostname = host === "*" ? "0.0.0.0" : host === "::*" ? "::" : host;
    const fd = this.#sockets.listen(await this.#sockets.resolve(hostname, port), backlog);
    return new Door(this.#loop, fd, this.#sockets.port(fd), (accepted) => this.#openTcp(accepted, accept));
  }

  #listenUnix(path: string, mode: number, accept: AcceptHandler): Listener {
    removeStaleSocket(path);
    const name = `${path}:0`;
    const fd = this.#sockets.listen(unixAddress(path), BACKLOG);
    const door = new Door(this.#loop, fd, 0, (accepted) => this.#openUnix(accepted, name, accept));
    return unixListener(path, mode, () => door.close());
  }

  /** Waits until a socket is connected; closes it and throws when it is not. */
  #decided(fd: number, timeoutMs: number): Promise<void> {
    const loop = this.#loop;
    const tag = loop.nextTag();
    return new Promise((resolve, reject) => {
      const end = (failure: Error | null): void => {
        clearTimeout(timer);
        loop.watch(fd, tag, EPOLLOUT, 0);
        loop.remove(fd);
        if (failure === null) return resolve();
        this.#sockets.close(fd);
        reject(failure);
      };
      const timer = timeoutMs > 0 ? setTimeout(() => end(platformError("ETIMEDOUT")), timeoutMs) : undefined;
      loop.add(fd, { tag, ready: () => end(this.#sockets.outcome(fd)) });
      loop.watch(fd, tag, 0, EPOLLOUT);
    });
  }

  #openTcp(fd: number, accept: AcceptHandler): Connection {
    const remote = this.#sockets.remoteName(fd);
    return this.#start(new EpollConnection(this.#loop, fd, remote, this.#sockets.localName(fd), true), accept);
  }

  #openUnix(fd: number, name: string, accept: AcceptHandler): Connection {
    return this.#start(new EpollConnection(this.#loop, fd, name, name, false), accept);
  }

  #start(connection: EpollConnection, accept: AcceptHandler): Connection {
    connection.start(accept(connection));
    return connection;
  }
}

/** V8 has freed in the background what it found to be garbage, after so many milliseconds. */
const SWEPT = 200;

interface EpollParts {
  readonly net: Net;
  readonly clock: Pick<Clock, "soon" | "nap" | "monotonic">;
  /** Deno itself writes to files in the main thread, whatever is awaited: a quarter of a megabyte takes it up to a millisecond. */
  readonly writeAside: WriteAside;
  /** To be called when garbage has been collected: the C library keeps what is freed for itself, unless it is at the end of its heap. */
  returnFreed(): void;
}

/** What a process that is only a server has instead of Deno's sockets and clock; null where this cannot work. */
export function createEpollParts(): EpollParts | null {
  const libc = openLibc();
  if (libc === null) return null;
  const monotonic = monotonicClock(libc);
  const loop = new Loop(new Sockets(libc), monotonic);
  return {
    net: new EpollNet(loop),
    clock: { monotonic, soon: (run) => loop.soon(run), nap: (ms) => loop.nap(ms) },
    writeAside: async (fd, bytes, start, end) =>
      Number(await libc.write_aside(fd, bytes.subarray(start, end), BigInt(end - start))),
    returnFreed: () => void setTimeout(() => void libc.malloc_trim(0n), SWEPT),
  };
}
