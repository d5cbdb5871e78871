/**
 * What the platform's contract is tested on: the real adapter of the runtime that runs the tests, and the simulation. Both
 * offer the same few things here, so that each contract test is written once and runs on both. The real one gets its
 * misbehaving peers from `node:net`, which shares no code with the adapters.
 */

import { mkdtempSync, rmSync } from "node:fs";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { choosePlatform } from "../../lib/platform/choose.ts";
import { type MemoryConnection, Simulation } from "../../lib/platform/memory.ts";
import type { Connection, ConnectionHandler, Platform } from "../../lib/platform/platform.ts";

/** A client that can do what `Connection` does not offer. */
export interface Raw {
  received: number;
  ended: boolean;
  send(bytes: Uint8Array): void;
  /** Shuts down the sending side. */
  endSending(): void;
  /** Ends the connection with a reset. */
  reset(): void;
}

export interface Ground {
  readonly name: string;
  readonly platform: Platform;
  /** An empty directory. */
  readonly directory: string;
  /** Waits for something to become true; fails when it does not. */
  until(done: () => boolean): Promise<void>;
  /** Gives everything that is under way a chance to arrive. */
  settle(): Promise<void>;
  rawClient(port: number): Promise<Raw>;
  leave(): void;
}

/** The platform this runtime really uses, in an embedded server or in a program of its own. */
export async function realGround(ownsProcess = false): Promise<Ground> {
  const platform = await choosePlatform(ownsProcess);
  const directory = mkdtempSync(join(tmpdir(), "platform-"));
  return {
    name: platform.runtime.name,
    platform,
    directory,
    until: async (done) => {
      for (let turn = 0; !done(); turn++) {
        if (turn > 10_000) throw new Error("waited in vain");
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
    },
    settle: () => new Promise((resolve) => setTimeout(resolve, 60)),
    rawClient: (port) =>
      new Promise((resolve, reject) => {
        const socket = createConnection({ port, host: "127.0.0.1", allowHalfOpen: true });
        const raw: Raw = {
          received: 0,
          ended: false,
          send: (bytes) => void socket.write(bytes),
          endSending: () => void socket.end(),
          reset: () => void socket.resetAndDestroy(),
        };
        socket.on("data", (bytes) => raw.received += bytes.length);
        socket.on("end", () => raw.ended = true);
        socket.on("error", reject);
        socket.on("connect", () => resolve(raw));
      }),
    leave: () => rmSync(directory, { recursive: true, force: true }),
  };
}

/** A simulated machine that talks to itself with a delay of 1 ms. */
export function simulatedGround(seed = 7): Ground & { readonly world: Simulation } {
  const world = new Simulation(seed);
  const machine = world.machine("10.0.0.1");
  const platform = machine.platform();
  world.network.setDelay(machine.host, machine.host, 1);
  platform.files.makeDirectory("/data");
  return {
    name: "simulation",
    platform,
    world,
    directory: "/data",
    until: (done) => world.clock.until(done),
    settle: () => world.advance(100),
    rawClient: async (port) => {
      let connection: Connection | null = null;
      const raw: Raw = {
        received: 0,
        ended: false,
        send: (bytes) => void connection?.write(bytes, 0, bytes.length),
        endSending: () => (connection as MemoryConnection).endSending(),
        reset: () => connection?.abort(),
      };
      platform.net.connect({ host: "127.0.0.1", port }, () => ({
        data: (_bytes, length) => void (raw.received += length),
        drain: () => {},
        end: () => void (raw.ended = true),
        closed: () => {},
      })).then((opened) => void (connection = opened));
      await world.clock.until(() => connection !== null);
      return raw;
    },
    leave: () => {},
  };
}

/** A handler that remembers everything that happens to its connection. */
export class Witness implements ConnectionHandler {
  received = 0;
  /** Order-dependent sum of all bytes received. */
  checksum = 0;
  pieces = 0;
  drains = 0;
  ends = 0;
  readonly closings: string[] = [];
  connection: Connection | null = null;
  onData: (bytes: Uint8Array, length: number) => void = () => {};
  onDrain: () => void = () => {};
  onEnd: () => void = () => {};

  data(bytes: Uint8Array, length: number): void {
    this.received += length;
    this.pieces++;
    this.checksum = checksum(bytes, 0, length, this.checksum);
    this.onData(bytes, length);
  }

  drain(): void {
    this.drains++;
    this.onDrain();
  }

  end(): void {
    this.ends++;
    this.onEnd();
  }

  closed(error: string): void {
    this.closings.push(error);
  }

  /** The handler of a connection just made. */
  of(connection: Connection): this {
    this.connection = connection;
    return this;
  }

  get open(): Connection {
    if (this.connection === null) throw new Error("not connected");
    return this.connection;
  }
}

/** Sends all of `bytes`, waiting for drains in between. */
export class Sender {
  sent = 0;
  readonly #witness: Witness;
  readonly #bytes: Uint8Array;

  constructor(witness: Witness, bytes: Uint8Array) {
    this.#witness = witness;
    this.#bytes = bytes;
    witness.onDrain = () => this.go();
  }

  go(): void {
    while (this.sent < this.#bytes.length) {
      const taken = this.#witness.open.write(this.#bytes, this.sent, this.#bytes.length);
      this.sent += taken;
      if (this.sent < this.#bytes.length) return;
    }
  }
}

export function checksum(bytes: Uint8Array, start: number, end: number, from = 0): number {
  let sum = from;
  for (let i = start; i < end; i++) sum = (Math.imul(sum, 31) + bytes[i]) | 0;
  return sum;
}

export function pattern(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let x = 1;
  for (let i = 0; i < length; i++) {
    x = (Math.imul(x, 1103515245) + 12345) | 0;
    bytes[i] = x >>> 16;
  }
  return bytes;
}
