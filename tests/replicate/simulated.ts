/**
 * Several servers in one simulated world: a machine each, a network between them that a test can delay, part and cut, one clock and one
 * seed. Commands are given to a server directly, as by a client on its own machine, and take no time.
 *
 *     const world = new SimulatedServers(seed);
 *     const master = await world.start("10.0.0.1");
 *     const replica = await world.start("10.0.0.2", { replicaof: "10.0.0.1 6379" });
 *     await world.until(() => replica.info("master_link_status") === "up");
 */

import { Args, type Part } from "../../lib/bytes/args.ts";
import { latin1 } from "../../lib/bytes/ascii.ts";
import { Config } from "../../lib/config/config.ts";
import { Client, NoLink } from "../../lib/engine/client.ts";
import { execute } from "../../lib/engine/execute.ts";
import { type Machine, Simulation } from "../../lib/platform/memory.ts";
import { Server } from "../../lib/server/server.ts";

export const PORT = 6379;

/** Takes the replies of a client that sits in the server's own process. */
class ReplyTaker extends NoLink {
  text = "";
  closed = false;

  constructor(readonly server: Server) {
    super("127.0.0.1:1", "127.0.0.1:2");
  }

  override send(bytes: Uint8Array): void {
    this.text += latin1(bytes, 0, bytes.length);
  }
  override sendNow(bytes: Uint8Array): void {
    this.send(bytes);
  }
  override flush(): void {
    const { reply } = this.server.engine;
    this.text += latin1(reply.buf, 0, reply.at);
    reply.clear();
  }
  override closeAfterReply(): void {
    this.closed = true;
  }
  override close(): void {
    this.closed = true;
  }
}

/** A client of a simulated server. */
export class LocalClient {
  readonly #link: ReplyTaker;
  readonly #client: Client;

  constructor(readonly server: Server) {
    this.#link = new ReplyTaker(server);
    this.#client = new Client(server.engine, this.#link);
    this.#client.authenticated = true;
    server.engine.clients.set(this.#client.id, this.#client);
  }

  /** Gives a command; the reply, as it goes over the wire, is empty while the command blocks. */
  run(...command: Part[]): string {
    const { engine } = this.server;
    engine.refreshTime();
    this.#link.text = "";
    this.#client.args = Args.of(...command);
    engine.beginServing(this.#client);
    execute(this.#client);
    engine.propagation.endOfBatch();
    this.#link.flush();
    engine.endServing();
    return this.#link.text;
  }

  /** What has been replied to the last command by now. */
  get reply(): string {
    return this.#link.text;
  }

  get isClosed(): boolean {
    return this.#link.closed;
  }
}

export class SimulatedServer {
  readonly client: LocalClient;

  constructor(readonly machine: Machine, readonly server: Server) {
    this.client = new LocalClient(server);
  }

  run(...command: Part[]): string {
    return this.client.run(...command);
  }

  /** A field of INFO. */
  info(field: string): string {
    const text = this.run("INFO", "everything");
    return new RegExp(`^${field}:(.*)\r$`, "m").exec(text)?.[1] ?? "";
  }

  get digest(): string {
    return this.run("DEBUG", "DIGEST").trim();
  }

  /** Everything it holds, "db key" → its value as DUMP gives it (of a set: its members in order) and its deadline. */
  content(): Map<string, string> {
    const content = new Map<string, string>();
    const client = new LocalClient(this.server);
    for (let db = 0; db < this.server.engine.keyspace.databases.length; db++) {
      client.run("SELECT", db);
      const keys = client.run("KEYS", "*").split("\r\n").filter((_, i) => i > 0 && i % 2 === 0);
      for (const key of keys) {
        const isSet = client.run("TYPE", key) === "+set\r\n";
        const value = isSet ? client.run("SORT_RO", key, "ALPHA") : client.run("DUMP", key);
        content.set(`${db} ${key}`, `${value} ${client.run("PEXPIRETIME", key)}`);
      }
    }
    return content;
  }

  /** What it has logged since it was started for the first time. */
  get log(): string {
    return this.machine.output.map((bytes) => latin1(bytes, 0, bytes.length)).join("");
  }
}

export class SimulatedServers {
  readonly simulation: Simulation;
  readonly running = new Map<string, SimulatedServer>();

  constructor(seed: number) {
    this.simulation = new Simulation(seed);
    this.simulation.network.delayMs = 1;
  }

  /** Starts a server at an address, on what its disk holds from before. */
  async start(host: string, parameters: Readonly<Record<string, string>> = {}): Promise<SimulatedServer> {
    const machine = this.simulation.machine(host);
    const platform = machine.platform();
    const config = new Config(platform.files, platform.process);
    const all = {
      port: String(PORT),
      bind: "0.0.0.0",
      "protected-mode": "no",
      save: "",
      "enable-debug-command": "yes",
      "repl-diskless-sync-delay": "0",
      ...parameters,
    };
    for (const [name, value] of Object.entries(all)) {
      const problem = config.assume(name, value);
      if (problem !== null) throw new Error(`${name} ${value}: ${problem}`);
    }
    const server = new Server(platform, config);
    await server.start();
    const loading = server.load();
    let loaded = false;
    void loading.then(() => loaded = true);
    await this.until(() => loaded);
    const started = new SimulatedServer(machine, server);
    this.running.set(host, started);
    return started;
  }

  /** The machine loses its power. */
  crash(host: string): void {
    this.running.get(host)?.server.stop();
    this.running.delete(host);
    this.simulation.machine(host).crash();
  }

  advance(ms: number): Promise<void> {
    return this.simulation.advance(ms);
  }

  until(done: () => boolean, limitMs = 60_000): Promise<void> {
    return this.simulation.clock.until(done, limitMs);
  }

  stop(): void {
    for (const { server } of this.running.values()) server.stop();
  }
}
