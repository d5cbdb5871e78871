/**
 * The network of a simulation: every machine's connections, delivered on the virtual clock.
 *
 * A connection is two `Pipe`s, one per direction. A pipe keeps the pieces that were written and not yet handed to the
 * reader, each with its time of arrival; their bytes together are limited by `window`, which is what makes `write` take
 * less and `drain` come later, as a full TCP window does. A pause of the reader or a partition between the machines only
 * stops the hand-over: pieces wait, as TCP would resend them, and go on after `resume` or `heal`. What `cut` and `abort`
 * do is a reset: waiting bytes are lost and the other side is told.
 *
 * `largestPiece` cuts what is delivered into random pieces, because TCP keeps no boundaries and a parser that only works
 * on whole commands should fail here rather than in the field.
 */

import { platformError } from "./errors.ts";
import type { Address, Clock, Connection, ConnectionHandler, Listener, Net, Random } from "./platform.ts";

type AcceptHandler = (connection: Connection) => ConnectionHandler;

/** What gives up in the absence of `timeoutMs`: about Linux's limit for unanswered connection requests. */
const CONNECT_TIMEOUT = 127_000;
const FIRST_OWN_PORT = 32768;
const RESET = "Connection reset by peer";

interface Piece {
  readonly bytes: Uint8Array;
  readonly arrives: number;
}

interface Door {
  readonly accept: AcceptHandler;
  readonly name: string;
}

/** One direction of a connection. */
class Pipe {
  readonly #network: MemoryNetwork;
  readonly #from: MemoryConnection;
  readonly #to: MemoryConnection;
  readonly #pieces: Piece[] = [];
  #waiting = 0;
  #finArrives = -1;
  #resetArrives = -1;
  #wantsDrain = false;
  #lastArrival = 0;
  #pumping = false;
  #scheduled = false;

  constructor(network: MemoryNetwork, from: MemoryConnection, to: MemoryConnection) {
    this.#network = network;
    this.#from = from;
    this.#to = to;
  }

  write(bytes: Uint8Array, start: number, end: number): number {
    const taken = Math.max(0, Math.min(end - start, this.#network.window - this.#waiting));
    if (taken < end - start) this.#wantsDrain = true;
    if (taken === 0) return 0;
    this.#pieces.push({ bytes: bytes.slice(start, start + taken), arrives: this.#arrival() });
    this.#waiting += taken;
    this.schedule();
    return taken;
  }

  fin(): void {
    if (this.#finArrives >= 0) return;
    this.#finArrives = this.#arrival();
    this.schedule();
  }

  /** Loses what is under way and tells the reader so, as soon as anything can reach it. */
  reset(): void {
    this.drop();
    if (this.#resetArrives >= 0) return;
    this.#resetArrives = this.#network.clock.monotonic() + this.#delay();
    this.schedule();
  }

  drop(): void {
    this.#pieces.length = 0;
    this.#waiting = 0;
    this.#finArrives = -1;
  }

  /** Looks after the next arrival, unless somebody already does. */
  schedule(): void {
    if (this.#scheduled) return;
    const next = this.#resetArrives >= 0
      ? this.#resetArrives
      : this.#pieces.length > 0
      ? this.#pieces[0].arrives
      : this.#finArrives;
    if (next < 0) return;
    this.#scheduled = true;
    this.#network.clock.after(Math.max(0, next - this.#network.clock.monotonic()), () => {
      this.#scheduled = false;
      this.#pump();
    });
  }

  #arrival(): number {
    const due = this.#network.clock.monotonic() + this.#delay();
    this.#lastArrival = Math.max(this.#lastArrival, due);
    return this.#lastArrival;
  }

  #delay(): number {
    return this.#network.delayBetween(this.#from.host, this.#to.host);
  }

  #pump(): void {
    if (this.#pumping) return;
    const now = this.#network.clock.monotonic();
    if (this.#resetArrives >= 0 && this.#resetArrives <= now && !this.#isCutOff()) {
      this.#resetArrives = -1;
      this.#to.reset(RESET);
      return;
    }
    this.#pumping = true;
    let moved = false;
    while (this.#pieces.length > 0 && this.#pieces[0].arrives <= now && this.#canDeliver()) {
      const piece = this.#pieces[0];
      const most = this.#network.largestPiece;
      const length = most >= piece.bytes.length ? piece.bytes.length : Math.min(
        piece.bytes.length,
        1 + this.#network.random.below(most),
      );
      if (length === piece.bytes.length) this.#pieces.shift();
      else this.#pieces[0] = { bytes: piece.bytes.subarray(length), arrives: piece.arrives };
      this.#waiting -= length;
      moved = true;
      this.#to.deliver(piece.bytes.slice(0, length));
    }
    this.#pumping = false;
    if (this.#pieces.length === 0 && this.#finArrives >= 0 && this.#finArrives <= now && this.#canDeliver()) {
      this.#finArrives = -1;
      this.#to.deliverEnd();
    }
    if (moved && this.#wantsDrain) {
      this.#wantsDrain = false;
      this.#network.clock.after(this.#delay(), () => this.#from.drained());
    }
    if (this.#canDeliver()) this.schedule();
  }

  #canDeliver(): boolean {
    return this.#to.isReading() && !this.#isCutOff();
  }

  #isCutOff(): boolean {
    return this.#network.isPartitioned(this.#from.host, this.#to.host);
  }
}

/** One side of a connection. */
export class MemoryConnection implements Connection {
  readonly host: string;
  readonly remote: string;
  readonly local: string;
  readonly #network: MemoryNetwork;
  #peer: MemoryConnection | null = null;
  #out: Pipe | null = null;
  #handler: ConnectionHandler | null = null;
  #paused = false;
  #state: "open" | "half" | "closed" = "open";

  constructor(network: MemoryNetwork, host: string, local: string, remote: string) {
    this.#network = network;
    this.host = host;
    this.local = local;
    this.remote = remote;
  }

  join(peer: MemoryConnection): void {
    this.#peer = peer;
    this.#out = new Pipe(this.#network, this, peer);
  }

  start(handler: ConnectionHandler): void {
    this.#handler = handler;
    this.#peer?.wake();
  }

  write(bytes: Uint8Array, start: number, end: number): number {
    if (this.#state !== "open" || this.#peer === null || this.#out === null) return 0;
    if (this.#peer.#state === "closed") {
      // Bytes for somebody who has closed are answered with a reset.
      const answer = this.#peer.#out;
      this.#network.clock.after(this.#network.delayBetween(this.host, this.#peer.host), () => answer?.reset());
      return end - start;
    }
    return this.#out.write(bytes, start, end);
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#peer?.wake();
  }

  setNoDelay(_on: boolean): void {}

  setKeepAlive(_seconds: number): void {}

  close(): void {
    if (this.#state === "closed") return;
    if (this.#state === "open") this.#out?.fin();
    this.#finish("");
  }

  abort(): void {
    if (this.#state === "closed") return;
    this.#out?.reset();
    this.#finish("");
  }

  /** Shuts down the sending side only, as `shutdown(SHUT_WR)`: what a client does that pipes a file into a socket. */
  endSending(): void {
    if (this.#state !== "open") return;
    this.#state = "half";
    this.#out?.fin();
  }

  /** Loses the connection at once, as when a reset arrives. */
  reset(error: string): void {
    this.#out?.drop();
    this.#finish(error);
  }

  /** Its machine is gone: the other side sees a reset, the handler hears nothing any more. */
  vanish(): void {
    this.#handler = null;
    this.abort();
  }

  /** True when what arrives can be handed over, or thrown away because this side is closed. */
  isReading(): boolean {
    return this.#state === "closed" || this.#handler !== null && !this.#paused;
  }

  /** Goes on handing over what this side sent. */
  wake(): void {
    this.#out?.schedule();
  }

  /** The same for both directions. */
  wakeBoth(): void {
    this.wake();
    this.#peer?.wake();
  }

  deliver(bytes: Uint8Array): void {
    if (this.#state === "closed") return;
    this.#guard(() => this.#handler?.data(bytes, bytes.length));
  }

  deliverEnd(): void {
    if (this.#state === "closed") return;
    this.#guard(() => this.#handler?.end());
  }

  drained(): void {
    if (this.#state === "open") this.#guard(() => this.#handler?.drain());
  }

  #finish(error: string): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#network.forget(this);
    this.#network.clock.soon(() => this.#handler?.closed(error));
  }

  #guard(run: () => void): void {
    try {
      run();
    } catch (thrown) {
      // Unlike the real platforms the simulation lets a handler's bug stop the test that found it.
      this.abort();
      throw thrown;
    }
  }
}

/** All machines' connections and what is between them. Hosts are the machines' addresses. */
export class MemoryNetwork {
  /** Bytes that may be under way in one direction of a connection. */
  window = 65536;
  /** Largest piece handed to a reader at once; Infinity keeps the writer's pieces. */
  largestPiece = Infinity;
  /** One-way delay between two machines without one of their own. */
  delayMs = 0;
  readonly clock: Clock;
  readonly random: Random;
  readonly #doors = new Map<string, Door>();
  readonly #connections = new Set<MemoryConnection>();
  readonly #delays = new Map<string, number>();
  readonly #partitions = new Set<string>();
  #nextPort = FIRST_OWN_PORT;

  constructor(clock: Clock, random: Random) {
    this.clock = clock;
    this.random = random;
  }

  /** One-way delay between two machines, both directions. */
  setDelay(a: string, b: string, ms: number): void {
    this.#delays.set(pairOf(a, b), ms);
  }

  delayBetween(a: string, b: string): number {
    return this.#delays.get(pairOf(a, b)) ?? (a === b ? 0 : this.delayMs);
  }

  /** Nothing passes between the two any more; bytes wait. */
  partition(a: string, b: string): void {
    this.#partitions.add(pairOf(a, b));
  }

  /** Ends a partition; what waited is delivered. */
  heal(a: string, b: string): void {
    this.#partitions.delete(pairOf(a, b));
    for (const connection of this.#connections) connection.wakeBoth();
  }

  isPartitioned(a: string, b: string): boolean {
    return this.#partitions.has(pairOf(a, b));
  }

  /** Resets every connection between two machines. */
  cut(a: string, b: string): void {
    const wanted = pairOf(a, b);
    for (const connection of [...this.#connections]) {
      if (pairOf(connection.host, hostOf(connection.remote)) === wanted) connection.reset(RESET);
    }
  }

  /** A machine has lost its power: no door and no connection of it is left; the others see resets. */
  crash(host: string): void {
    for (const [key, door] of [...this.#doors]) if (door.name === host) this.#doors.delete(key);
    for (const connection of [...this.#connections]) if (connection.host === host) connection.vanish();
  }

  forget(connection: MemoryConnection): void {
    this.#connections.delete(connection);
  }

  /** The network as one machine sees it; what only concerns that machine happens on its own `clock`. */
  seenFrom(host: string, clock: Clock): Net {
    return {
      listen: (address, accept) => this.#listen(host, address, accept),
      connect: (address, handler, options = {}) => this.#connect(host, clock, address, handler, options),
    };
  }

  #listen(host: string, address: Address, accept: AcceptHandler): Promise<Listener> {
    const unix = "path" in address;
    const port = unix ? 0 : address.port === 0 ? this.#nextPort++ : address.port;
    const place = unix ? address.path : canonical(address.host, host);
    if (!unix && place !== host && place !== "127.0.0.1" && place !== "::1" && !isWildcard(place)) {
      return Promise.reject(platformError("EADDRNOTAVAIL"));
    }
    const key = doorKey(host, place, port);
    if (this.#doors.has(key)) return Promise.reject(platformError("EADDRINUSE"));
    const door: Door = { accept, name: host };
    this.#doors.set(key, door);
    return Promise.resolve({
      port,
      close: () => {
        if (this.#doors.get(key) === door) this.#doors.delete(key);
      },
    });
  }

  #connect(
    host: string,
    clock: Clock,
    address: Address,
    handler: AcceptHandler,
    options: { readonly timeoutMs?: number },
  ): Promise<Connection> {
    const unix = "path" in address;
    const place = unix ? address.path : canonical(address.host, host);
    const target = unix || isLoopback(place) ? host : place;
    const port = unix ? 0 : address.port;
    const limit = options.timeoutMs ?? CONNECT_TIMEOUT;
    const there = this.delayBetween(host, target);
    return new Promise((resolve, reject) => {
      clock.after(Math.min(there, limit), () => {
        if (this.isPartitioned(host, target) || 2 * there > limit) {
          clock.after(Math.max(0, limit - there), () => reject(platformError("ETIMEDOUT")));
          return;
        }
        const door = this.#doors.get(doorKey(target, place, port)) ??
          (unix ? undefined : this.#doors.get(doorKey(target, place.includes(":") ? "::" : "0.0.0.0", port)));
        if (door === undefined) {
          clock.after(there, () => reject(platformError(unix ? "ENOENT" : "ECONNREFUSED")));
          return;
        }
        const mine = isLoopback(place) ? place : host;
        const near = unix ? `${place}:0` : hostAndPort(mine, this.#nextPort++);
        const far = unix ? near : hostAndPort(place, port);
        const client = new MemoryConnection(this, host, near, far);
        const server = new MemoryConnection(this, target, far, near);
        client.join(server);
        server.join(client);
        this.#connections.add(client);
        this.#connections.add(server);
        server.start(door.accept(server));
        clock.after(there, () => {
          client.start(handler(client));
          resolve(client);
        });
      });
    });
  }
}

function canonical(host: string, self: string): string {
  if (host === "localhost") return "127.0.0.1";
  if (host === "*") return "0.0.0.0";
  if (host === "::*") return "::";
  return host === "" ? self : host;
}

function isLoopback(host: string): boolean {
  return host === "127.0.0.1" || host === "::1";
}

function isWildcard(host: string): boolean {
  return host === "0.0.0.0" || host === "::";
}

function doorKey(machine: string, place: string, port: number): string {
  return `${machine} ${place} ${port}`;
}

function pairOf(a: string, b: string): string {
  return a < b ? `${a} ${b}` : `${b} ${a}`;
}

function hostAndPort(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

function hostOf(text: string): string {
  return text.slice(0, text.lastIndexOf(":")).replace(/^\[|\]$/g, "");
}
