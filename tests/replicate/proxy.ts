/**
 * A TCP proxy in front of a server, through which its replicas reach it: the network that breaks.
 *
 * Who connects is read from the replica's handshake: the port it announces (REPLCONF listening-port) is that of its own proxy. All
 * proxies of a cluster share one `Network`, which knows what is wrong with the links of each server, whichever way they go:
 *
 *   delay      every chunk arrives later; two links with different delays exchange the order of what was sent to both
 *   pieces     chunks are torn into small ones, so that commands begin and end anywhere
 *   stall      nothing arrives in one direction, or in both, for a while; then everything does
 *   refuse     new connections are closed in the middle of the handshake
 *   cut        a connection ends, now or after some bytes more; on both sides at once, or on one of them later
 */

import { connect, createServer, type Server, type Socket } from "node:net";
import { Seeded } from "../kit/seeded.ts";

/** Bytes that wait in the proxy before it stops reading. */
const ENOUGH = 256 * 1024;
/** The handshake up to the announced port is shorter than this. */
const HANDSHAKE = 1024;

export type Direction = "to master" | "to replica";
/** Which side's connection ends first; the other one only after a while. */
export type CutSide = "both" | "replica" | "master";

/** What is wrong with the links of one server to its master. Times are `performance.now()`. */
class Trouble {
  delayMs = 0;
  /** Longest piece in bytes, 0 for no tearing. */
  pieces = 0;
  stalledUntil = { "to master": 0, "to replica": 0 };
  refusedUntil = 0;
}

export class Network {
  readonly #troubles = new Map<string, Trouble>();
  /** Names of servers by the port of their proxy. */
  readonly #names = new Map<number, string>();
  readonly #proxies: Proxy[] = [];

  constructor(readonly random: Seeded) {}

  /** Puts a proxy that listens on a port in front of the server `name`. */
  async add(name: string, port: number): Promise<Proxy> {
    this.#names.set(port, name);
    this.#troubles.set(name, new Trouble());
    const proxy = new Proxy(this, port);
    this.#proxies.push(proxy);
    await proxy.listen();
    return proxy;
  }

  trouble(name: string): Trouble | undefined {
    return this.#troubles.get(name);
  }

  nameOf(port: number): string {
    return this.#names.get(port) ?? "";
  }

  /** The connections of a server to its master; more than one only while a lost one is not known to be. */
  #links(name: string): Connection[] {
    return this.#proxies.flatMap((proxy) => [...proxy.connections].filter((connection) => connection.from === name));
  }

  delay(name: string, ms: number): void {
    this.trouble(name)!.delayMs = ms;
  }

  tear(name: string, pieces: number): void {
    this.trouble(name)!.pieces = pieces;
  }

  stall(name: string, direction: Direction | "both", ms: number): void {
    const { stalledUntil } = this.trouble(name)!;
    const until = performance.now() + ms;
    if (direction !== "to replica") stalledUntil["to master"] = until;
    if (direction !== "to master") stalledUntil["to replica"] = until;
  }

  refuse(name: string, ms: number): void {
    this.trouble(name)!.refusedUntil = performance.now() + ms;
  }

  /** Cuts the link, when the replica was sent `after` bytes more; the later side ends after `laterMs`. */
  cut(name: string, side: CutSide = "both", laterMs = 0, after = 0): void {
    for (const link of this.#links(name)) link.cut(side, laterMs, after);
  }

  /** Everything is well again; connections that are up stay. */
  heal(name: string): void {
    this.#troubles.set(name, new Trouble());
    for (const link of this.#links(name)) link.goOn();
  }

  close(): void {
    for (const proxy of this.#proxies) proxy.close();
  }
}

export class Proxy {
  /** The port of the server behind; changes when it is restarted elsewhere. */
  target = 0;
  readonly connections = new Set<Connection>();
  readonly #server: Server;

  constructor(readonly network: Network, readonly port: number) {
    this.#server = createServer((socket) => {
      this.connections.add(new Connection(this, socket, connect({ port: this.target, host: "127.0.0.1" })));
    });
  }

  listen(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(this.port, "127.0.0.1", () => resolve());
    });
  }

  close(): void {
    this.#server.close();
    for (const connection of [...this.connections]) connection.cut("both", 0, 0);
  }
}

class Connection {
  /** Name of the server that connects, once it is known. */
  from = "";
  /** Bytes that the replica still gets before the connection ends. */
  left = Infinity;
  #head = "";
  #side: CutSide = "both";
  #laterMs = 0;
  #isCut = false;
  readonly #up: Pipe;
  readonly #down: Pipe;

  constructor(readonly proxy: Proxy, readonly near: Socket, readonly far: Socket) {
    near.setNoDelay(true);
    far.setNoDelay(true);
    this.#up = new Pipe(this, near, far, "to master");
    this.#down = new Pipe(this, far, near, "to replica");
    near.on("data", (chunk: Uint8Array) => this.#identify(chunk));
  }

  get trouble(): Trouble | undefined {
    return this.proxy.network.trouble(this.from);
  }

  #identify(chunk: Uint8Array): void {
    if (this.from !== "" || this.#head.length > HANDSHAKE) return;
    this.#head += new TextDecoder("latin1").decode(chunk);
    const [, port] = /listening-port\r\n\$\d+\r\n(\d+)\r\n/.exec(this.#head) ?? [];
    if (port === undefined) return;
    this.from = this.proxy.network.nameOf(Number(port));
    if (this.trouble !== undefined && this.trouble.refusedUntil > performance.now()) this.cut("both", 0, 0);
  }

  /** One side has closed, and what it had sent was delivered. */
  over(): void {
    if (!this.#isCut) this.cut("both", 0, 0);
  }

  cut(side: CutSide, laterMs: number, after: number): void {
    this.#side = side;
    this.#laterMs = laterMs;
    this.left = after > 0 ? after : Infinity;
    if (after > 0) return;
    this.#isCut = true;
    this.#up.stop();
    this.#down.stop();
    if (side !== "master") this.near.destroy();
    if (side !== "replica") this.far.destroy();
    setTimeout(() => {
      this.near.destroy();
      this.far.destroy();
      this.proxy.connections.delete(this);
    }, laterMs);
  }

  /** `left` is used up. */
  cutNow(): void {
    this.cut(this.#side, this.#laterMs, 0);
  }

  goOn(): void {
    this.#up.pump();
    this.#down.pump();
  }
}

/** One direction of a connection. */
class Pipe {
  readonly #queue: { bytes: Uint8Array; due: number }[] = [];
  #queued = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #full = false;
  #ended = false;
  #stopped = false;

  constructor(
    readonly connection: Connection,
    readonly from: Socket,
    readonly to: Socket,
    readonly direction: Direction,
  ) {
    from.on("data", (chunk: Uint8Array) => {
      this.#queue.push({ bytes: chunk, due: performance.now() + (connection.trouble?.delayMs ?? 0) });
      this.#queued += chunk.length;
      if (this.#queued > ENOUGH) from.pause();
      if (this.#timer === undefined) this.pump();
    });
    const ended = () => {
      this.#ended = true;
      if (this.#timer === undefined) this.pump();
    };
    from.on("end", ended);
    from.on("close", ended);
    from.on("error", ended);
    to.on("drain", () => {
      this.#full = false;
      if (this.#timer === undefined) this.pump();
    });
  }

  /** Nothing is delivered any more. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#queue.length = 0;
  }

  /** Delivers what is due. */
  pump(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const { connection, to, direction } = this;
    while (!this.#stopped && !this.#full && this.#queue.length > 0) {
      const [head] = this.#queue;
      const { trouble } = connection;
      const wait = Math.max(head.due, trouble?.stalledUntil[direction] ?? 0) - performance.now();
      if (wait > 0) return this.#later(wait);
      const pieces = trouble?.pieces ?? 0;
      let length = pieces === 0 ? head.bytes.length : 1 + connection.proxy.network.random.below(pieces);
      if (direction === "to replica") length = Math.min(length, connection.left);
      const bytes = head.bytes.subarray(0, length);
      if (bytes.length < head.bytes.length) head.bytes = head.bytes.subarray(bytes.length);
      else this.#queue.shift();
      this.#queued -= bytes.length;
      this.#full = !to.write(bytes);
      if (this.#queued < ENOUGH) this.from.resume();
      if (direction === "to replica") {
        connection.left -= bytes.length;
        if (connection.left === 0) return connection.cutNow();
      }
      if (pieces > 0) return this.#later(1);
    }
    if (this.#ended && this.#queue.length === 0 && !this.#stopped) connection.over();
  }

  #later(ms: number): void {
    this.#timer = setTimeout(() => this.pump(), ms);
  }
}
