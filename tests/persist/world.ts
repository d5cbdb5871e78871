/**
 * A server with a disk, on a simulated machine: the disk can be full, fail, or lose power, and time passes only when told to. Clients
 * are real connections over the simulated network, so that replies come when they would come.
 *
 *     const world = new World();
 *     await world.boot("--appendonly", "yes", "--appendfsync", "always");
 *     assertEquals(await world.run("SET", "k", "v"), "+OK\r\n");
 *     world.machine.crash(true);
 *     await world.boot("--appendonly", "yes");
 */

import { fromLatin1, latin1 } from "../../lib/bytes/ascii.ts";
import { Config } from "../../lib/config/config.ts";
import { type Machine, type MemoryDisk, SimulatedExit, Simulation } from "../../lib/platform/memory.ts";
import type { Connection, Platform } from "../../lib/platform/platform.ts";
import { Server } from "../../lib/server/server.ts";
import { type Argument, encodeCommand } from "../kit/client.ts";

const PORT = 6379;

/** One connection: what it has received stands in `text` until it is taken. */
export class Wire {
  text = "";
  isClosed = false;
  #connection!: Connection;

  constructor(readonly world: World) {}

  async open(): Promise<this> {
    const { world } = this;
    this.#connection = await world.clients.net.connect({ host: world.machine.host, port: PORT }, () => ({
      data: (bytes, length) => void (this.text += latin1(bytes, 0, length)),
      drain() {},
      end: () => void (this.isClosed = true),
      closed: () => void (this.isClosed = true),
    }));
    return this;
  }

  send(...command: Argument[]): void {
    const bytes = encodeCommand(command);
    this.#connection.write(bytes, 0, bytes.length);
  }

  /** What has arrived after a while. */
  async receive(): Promise<string> {
    await this.world.advance(0);
    const { text } = this;
    this.text = "";
    return text;
  }

  /** Sends and takes the reply as it came over the wire. */
  async run(...command: Argument[]): Promise<string> {
    this.send(...command);
    return await this.receive();
  }
}

export class World {
  readonly simulation: Simulation;
  readonly machine: Machine;
  /** The machine that the clients are on. */
  readonly clients: Platform;
  server!: Server;
  #wire!: Wire;

  constructor(seed = 1) {
    this.simulation = new Simulation(seed);
    this.machine = this.simulation.machine("10.0.0.1");
    this.clients = this.simulation.machine("10.0.0.2").platform();
  }

  get disk(): MemoryDisk {
    return this.machine.disk;
  }

  /** Starts the server anew. Rejects with the reason when it does not come up. */
  async boot(...args: string[]): Promise<void> {
    this.machine.args = ["--save", "", "--bind", "0.0.0.0", "--protected-mode", "no", ...args];
    const platform = this.machine.platform();
    const config = new Config(platform.files, platform.process);
    const loaded = config.load(this.machine.args, () => new Uint8Array(0));
    if (loaded.kind === "error") throw loaded.error;
    this.server = new Server(platform, config);
    await this.#settled(this.server.start());
    await this.#settled(this.server.load());
    this.#wire = await this.connect();
  }

  /** Lets time pass until a promise is settled. */
  async #settled<T>(promise: Promise<T>): Promise<T> {
    let done = false;
    const end = () => void (done = true);
    promise.then(end, end);
    await this.simulation.clock.until(() => done);
    return await promise;
  }

  connect(): Promise<Wire> {
    return this.#settled(new Wire(this).open());
  }

  /** Runs a command on the connection that `boot` has opened. */
  run(...command: Argument[]): Promise<string> {
    return this.#wire.run(...command);
  }

  /** Runs a command and returns its bulk reply's text, or the whole reply if it is none. */
  async text(...command: Argument[]): Promise<string> {
    const reply = await this.run(...command);
    return /^\$\d+\r\n([^]*)\r\n$/.exec(reply)?.[1] ?? reply;
  }

  async field(name: string): Promise<string> {
    return new RegExp(`^${name}:(.*)\r$`, "m").exec(await this.text("INFO", "everything"))?.[1] ?? "";
  }

  /** Lets time pass. */
  async advance(ms: number): Promise<void> {
    try {
      await this.simulation.advance(ms);
    } catch (error) {
      if (!(error instanceof SimulatedExit)) throw error;
    }
  }

  /** What the server has printed so far. */
  get log(): string {
    return this.machine.output.map((bytes) => latin1(bytes, 0, bytes.length)).join("");
  }

  /** The bytes of a file, as a text; "" without it. */
  file(path: string): string {
    if (this.disk.stat(path) === null) return "";
    const bytes = this.disk.read(path);
    return latin1(bytes, 0, bytes.length);
  }

  write(path: string, content: string): void {
    this.disk.write(path, fromLatin1(content));
  }
}
