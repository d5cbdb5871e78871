/**
 * The platform on Deno: sockets through Deno.listen and Deno.connect, the rest from `node.ts`. A server program on Linux
 * uses `epoll.ts` instead; embedded servers and other systems use these.
 *
 * Deno's sockets are promises: one loop per connection reads, and a write is in flight until its promise settles.
 * Two things follow for memory, which has to stay small with ten thousand idle connections:
 *
 * - A pending read pins its buffer, so an idle connection waits with a small one. A read that fills it makes the next one
 *   larger, a run of reads that hardly use it makes it small again.
 * - `write` copies what it takes, because the caller reuses its buffer at once. The copy goes into a buffer from a shared
 *   pool: one buffer may be in flight and one may gather what comes meanwhile, which leaves with the next write. Both go
 *   back to the pool when they are empty, so that a connection owns write buffers only while it has something to send.
 *
 * Deno cannot listen on IPv6 alone: binding `::` takes the port for IPv4 as well. `WildcardPort` shares such a socket
 * between the two listeners that asked for `0.0.0.0` and `::`, so that both can be bound as on any other server.
 */

import { createEpollParts } from "./epoll.ts";
import { handlerFailure, platformError, toPlatformError } from "./errors.ts";
import { createNodeParts, removeStaleSocket, unixListener } from "./node.ts";
import type { Address, Connection, ConnectionHandler, Listener, Net, Platform } from "./platform.ts";

/** Sizes of pooled buffers. The largest is the most that may gather behind a write in flight. */
const SIZES = [1024, 8192, 32768, 131072, 262144];
const MOST_GATHERED = 262144;
const SMALLEST_READ = 1024;
const LARGEST_READ = 65536;
/** Reads in a row that used less than an eighth of the buffer before it shrinks. */
const QUIET_READS = 4;
/** Unused bytes kept for each size. */
const POOLED_BYTES = 8 * 1024 * 1024;
const pool: Uint8Array<ArrayBuffer>[][] = SIZES.map(() => []);
/** Redis's default for `tcp-backlog`. */
const BACKLOG = 511;
const NO_BUFFER = new Uint8Array(0);

function takeBuffer(atLeast: number): Uint8Array<ArrayBuffer> {
  let size = 0;
  while (size < SIZES.length - 1 && SIZES[size] < atLeast) size++;
  return pool[size].pop() ?? new Uint8Array(SIZES[size]);
}

function giveBuffer(buffer: Uint8Array<ArrayBuffer>): void {
  const size = SIZES.indexOf(buffer.length);
  if (size >= 0 && pool[size].length < POOLED_BYTES / SIZES[size]) pool[size].push(buffer);
}

type AcceptHandler = (connection: Connection) => ConnectionHandler;

class DenoConnection implements Connection {
  readonly remote: string;
  readonly local: string;
  readonly #socket: Deno.Conn;
  #handler: ConnectionHandler | null = null;
  /** Taken but not yet in flight: `#gathered[0, #gatheredLength)`. */
  #gathered: Uint8Array<ArrayBuffer> = NO_BUFFER;
  #gatheredLength = 0;
  /** In flight while `#writing`: `#flying[#flyingAt, #flyingLength)`. */
  #flying: Uint8Array<ArrayBuffer> = NO_BUFFER;
  #flyingAt = 0;
  #flyingLength = 0;
  #writing = false;
  #wantsDrain = false;
  #paused = false;
  #unpause: (() => void) | null = null;
  #closing = false;
  #gone = false;

  constructor(socket: Deno.Conn, remote: string, local: string) {
    this.#socket = socket;
    this.remote = remote;
    this.local = local;
  }

  start(handler: ConnectionHandler): void {
    this.#handler = handler;
    if (!this.#gone) this.#readAll(handler);
  }

  write(bytes: Uint8Array, start: number, end: number): number {
    if (this.#closing || this.#gone) return 0;
    const offered = end - start;
    const used = this.#gatheredLength;
    const taken = Math.min(offered, MOST_GATHERED - used);
    if (taken < offered) this.#wantsDrain = true;
    if (taken <= 0) return 0;
    if (used + taken > this.#gathered.length) this.#grow(used + taken);
    copy(bytes, start, taken, this.#gathered, used);
    this.#gatheredLength = used + taken;
    if (!this.#writing) this.#send();
    return taken;
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    const unpause = this.#unpause;
    this.#unpause = null;
    if (unpause !== null) unpause();
  }

  setNoDelay(on: boolean): void {
    try {
      (this.#socket as Partial<Deno.TcpConn>).setNoDelay?.(on);
    } catch {
      // The connection is gone already; `closed` reports it.
    }
  }

  setKeepAlive(seconds: number): void {
    // Deno sets the option but has no way to choose the seconds; the system's interval applies.
    try {
      (this.#socket as Partial<Deno.TcpConn>).setKeepAlive?.(seconds > 0);
    } catch {
      // As above.
    }
  }

  close(): void {
    if (this.#closing || this.#gone) return;
    this.#closing = true;
    // A paused read would never notice that the peer is gone.
    this.resume();
    if (!this.#writing) this.#finish("");
  }

  abort(): void {
    this.#finish("");
  }

  async #readAll(handler: ConnectionHandler): Promise<void> {
    const socket = this.#socket;
    let buffer = takeBuffer(SMALLEST_READ);
    let quiet = 0;
    let inHandler = false;
    try {
      for (;;) {
        if (this.#paused) await new Promise<void>((resolve) => this.#unpause = resolve);
        if (this.#gone) return;
        const length = await socket.read(buffer);
        if (this.#gone) return;
        // `pause` may have come while the read was pending: what it brought waits here.
        if (this.#paused) await new Promise<void>((resolve) => this.#unpause = resolve);
        if (this.#gone) return;
        if (length === null) break;
        if (this.#closing) continue;
        inHandler = true;
        handler.data(buffer, length);
        inHandler = false;
        let next = buffer.length;
        if (length === next) {
          quiet = 0;
          next = Math.min(next * 8, LARGEST_READ);
        } else if (length * 8 > next) {
          quiet = 0;
        } else if (next > SMALLEST_READ && ++quiet >= QUIET_READS) {
          quiet = 0;
          next = SMALLEST_READ;
        }
        if (next !== buffer.length) {
          giveBuffer(buffer);
          buffer = takeBuffer(next);
        }
      }
      inHandler = true;
      if (!this.#closing) handler.end();
    } catch (thrown) {
      this.#finish(inHandler ? handlerFailure(thrown) : toPlatformError(thrown, "ECONNRESET").message);
    } finally {
      giveBuffer(buffer);
    }
  }

  #grow(needed: number): void {
    const larger = takeBuffer(needed);
    larger.set(this.#gathered.subarray(0, this.#gatheredLength));
    giveBuffer(this.#gathered);
    this.#gathered = larger;
  }

  /** Puts what has gathered in flight. */
  #send(): void {
    this.#flying = this.#gathered;
    this.#flyingAt = 0;
    this.#flyingLength = this.#gatheredLength;
    this.#gathered = NO_BUFFER;
    this.#gatheredLength = 0;
    this.#writing = true;
    this.#fly();
  }

  // Callbacks instead of an async function: one promise less for each reply.
  #fly(): void {
    this.#socket.write(this.#flying.subarray(this.#flyingAt, this.#flyingLength)).then(this.#written, this.#failed);
  }

  readonly #written = (count: number): void => {
    if (this.#gone) return;
    this.#flyingAt += count;
    if (this.#flyingAt < this.#flyingLength) return this.#fly();
    giveBuffer(this.#flying);
    this.#flying = NO_BUFFER;
    this.#writing = false;
    if (this.#gatheredLength > 0) this.#send();
    if (this.#wantsDrain && !this.#closing) {
      this.#wantsDrain = false;
      try {
        this.#handler?.drain();
      } catch (thrown) {
        this.#finish(handlerFailure(thrown));
      }
    }
    if (this.#closing && !this.#writing) this.#finish("");
  };

  readonly #failed = (thrown: unknown): void => this.#finish(toPlatformError(thrown, "EPIPE").message);

  #finish(error: string): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#closing = true;
    giveBuffer(this.#gathered);
    this.#gathered = NO_BUFFER;
    this.#gatheredLength = 0;
    try {
      this.#socket.close();
    } catch {
      // Closed by the runtime already.
    }
    this.resume();
    // Later, because the handler may be in the middle of the very call that closes the connection.
    queueMicrotask(() => this.#handler?.closed(error));
  }
}

/** Copies without a sub-array for short replies, which are most of them. */
function copy(from: Uint8Array, start: number, length: number, to: Uint8Array, at: number): void {
  if (length > 64) {
    to.set(from.subarray(start, start + length), at);
    return;
  }
  for (let i = 0; i < length; i++) to[at + i] = from[start + i];
}

/**
 * A listening socket. Deno lets go of it only after the pending `accept` has been told, a little after `close`; whoever
 * wants its address again waits for `allReleased`.
 */
class Door {
  readonly port: number;
  readonly #socket: Deno.Listener;
  readonly #released: Promise<void>;
  #open = true;

  constructor(socket: Deno.Listener, accepted: (socket: Deno.Conn) => void) {
    this.#socket = socket;
    this.port = (socket.addr as Partial<Deno.NetAddr>).port ?? 0;
    this.#released = acceptAll(socket, accepted);
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    releasing.add(this.#released);
    this.#released.then(() => releasing.delete(this.#released));
    this.#socket.close();
  }
}

const releasing = new Set<Promise<void>>();

async function allReleased(): Promise<void> {
  while (releasing.size > 0) await Promise.all(releasing);
}

async function acceptAll(socket: Deno.Listener, accepted: (socket: Deno.Conn) => void): Promise<void> {
  for (;;) {
    let connection: Deno.Conn;
    try {
      connection = await socket.accept();
    } catch (thrown) {
      if (thrown instanceof Deno.errors.BadResource || thrown instanceof Deno.errors.Interrupted) return;
      // Out of file descriptors, or the peer gave up in the queue: the listener itself is fine, so wait and go on.
      await new Promise((resolve) => setTimeout(resolve, 10));
      continue;
    }
    accepted(connection);
  }
}

function openTcp(connection: Deno.Conn, accept: AcceptHandler): void {
  const opened = new DenoConnection(
    connection,
    hostAndPort(connection.remoteAddr as Deno.NetAddr),
    hostAndPort(connection.localAddr as Deno.NetAddr),
  );
  opened.start(accept(opened));
}

/** Everything this process accepts on one port of all interfaces. */
class WildcardPort {
  #door: Door | null = null;
  #dual = false;
  v4: AcceptHandler | null = null;
  v6: AcceptHandler | null = null;

  /** Binds what is needed for the present `v4` and `v6`; returns the port. */
  async bind(port: number, backlog: number): Promise<number> {
    const dual = this.v6 !== null;
    if (this.#door !== null && (this.#dual || !dual)) return port;
    const hadV4 = this.#door !== null;
    this.#door?.close();
    await allReleased();
    try {
      return this.#open(dual ? "::" : "0.0.0.0", port, backlog);
    } catch (thrown) {
      if (hadV4) this.#open("0.0.0.0", port, backlog);
      throw thrown;
    }
  }

  /** True when nobody listens any more. */
  release(): boolean {
    if (this.v4 !== null || this.v6 !== null) return false;
    this.#door?.close();
    this.#door = null;
    return true;
  }

  #open(hostname: string, port: number, tcpBacklog: number): number {
    const door = new Door(Deno.listen({ hostname, port, tcpBacklog }), (connection) => {
      const address = connection.remoteAddr as Deno.NetAddr;
      const isV6 = address.hostname.includes(":") && !address.hostname.startsWith("::ffff:");
      const accept = isV6 ? this.v6 : this.v4;
      if (accept === null) connection.close();
      else openTcp(connection, accept);
    });
    this.#door = door;
    this.#dual = hostname === "::";
    return door.port;
  }
}

const wildcards = new Map<number, WildcardPort>();

async function listenEverywhere(
  family: "v4" | "v6",
  port: number,
  backlog: number,
  accept: AcceptHandler,
): Promise<Listener> {
  const shared = wildcards.get(port) ?? new WildcardPort();
  if (shared[family] !== null) throw platformError("EADDRINUSE");
  shared[family] = accept;
  let bound: number;
  try {
    bound = await shared.bind(port, backlog);
  } catch (thrown) {
    shared[family] = null;
    throw thrown;
  }
  wildcards.set(bound, shared);
  let open = true;
  return {
    port: bound,
    close: () => {
      if (!open) return;
      open = false;
      shared[family] = null;
      if (shared.release()) wildcards.delete(bound);
    },
  };
}

async function listenTcp(
  hostname: string,
  port: number,
  tcpBacklog: number,
  accept: AcceptHandler,
): Promise<Listener> {
  await allReleased();
  if (hostname === "0.0.0.0" || hostname === "*") return listenEverywhere("v4", port, tcpBacklog, accept);
  if (hostname === "::" || hostname === "::*") return listenEverywhere("v6", port, tcpBacklog, accept);
  return new Door(Deno.listen({ hostname, port, tcpBacklog }), (connection) => openTcp(connection, accept));
}

async function listenUnix(path: string, mode: number, accept: AcceptHandler): Promise<Listener> {
  await allReleased();
  removeStaleSocket(path);
  const name = `${path}:0`;
  const door = new Door(Deno.listen({ transport: "unix", path }), (connection) => {
    const opened = new DenoConnection(connection, name, name);
    opened.start(accept(opened));
  });
  return unixListener(path, mode, () => door.close());
}

function hostAndPort(address: Deno.NetAddr): string {
  const host = address.hostname.startsWith("::ffff:") ? address.hostname.slice(7) : address.hostname;
  return host.includes(":") ? `[${host}]:${address.port}` : `${host}:${address.port}`;
}

const net: Net = {
  async listen(address: Address, accept: AcceptHandler): Promise<Listener> {
    try {
      return await ("path" in address
        ? listenUnix(address.path, address.mode ?? 0, accept)
        : listenTcp(address.host, address.port, address.backlog ?? BACKLOG, accept));
    } catch (thrown) {
      throw toPlatformError(thrown, "EADDRNOTAVAIL");
    }
  },

  async connect(address, handler, options = {}): Promise<Connection> {
    const limit = options.timeoutMs ?? 0;
    const giveUp = new AbortController();
    const timer = limit > 0 ? setTimeout(() => giveUp.abort(), limit) : undefined;
    try {
      if ("path" in address) {
        const socket = await Deno.connect({ transport: "unix", path: address.path });
        const opened = new DenoConnection(socket, `${address.path}:0`, `${address.path}:0`);
        opened.start(handler(opened));
        return opened;
      }
      const socket = await Deno.connect({ hostname: address.host, port: address.port, signal: giveUp.signal });
      const opened = new DenoConnection(socket, hostAndPort(socket.remoteAddr), hostAndPort(socket.localAddr));
      opened.start(handler(opened));
      return opened;
    } catch (thrown) {
      throw giveUp.signal.aborted ? platformError("ETIMEDOUT") : toPlatformError(thrown, "ECONNREFUSED");
    } finally {
      clearTimeout(timer);
    }
  },
};

/**
 * Work that goes on by one immediate after the other would keep the event loop from ever resting, and a loop that does not
 * rest looks at its sockets only every 61st round: so each few go through a timer instead.
 */
const IMMEDIATES = 3;
let immediates = 0;

function soon(run: () => void): void {
  if (++immediates <= IMMEDIATES) setImmediate(run);
  else {
    immediates = 0;
    setTimeout(run, 0);
  }
}

/** The platform of a Deno process; `ownsProcess` when it is only a server and may wait for its sockets as it likes. */
export function createPlatform(ownsProcess: boolean): Platform {
  const epoll = ownsProcess ? createEpollParts() : null;
  const parts = createNodeParts(epoll?.writeAside);
  Object.assign(parts.clock, epoll?.clock ?? { soon });
  const collect = parts.process.collectGarbage;
  parts.process.collectGarbage = (thorough) => {
    collect(thorough);
    epoll?.returnFreed();
  };
  return { runtime: { name: "deno", version: Deno.version.deno }, net: epoll?.net ?? net, ...parts };
}
