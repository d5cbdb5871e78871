/**
 * A master and its replicas as real processes of any makes, each behind a proxy of its own (see proxy.ts): what it announces to
 * others is the proxy's port, so nobody reaches a server another way. Who is the master is decided here, and told to the servers.
 */

import { mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import type { Client } from "../kit/client.ts";
import { errorOf, show } from "../kit/reply.ts";
import { freePort, startRedis, startRedstart, type TestServer } from "../kit/server.ts";
import type { Network, Proxy } from "./proxy.ts";
import { eventually, info } from "./waiting.ts";
import type { Target } from "./writes.ts";

export type Make = "redis" | "bun" | "deno";
/** The makes of the first master and of its replicas. */
export type Mixture = readonly Make[];

/** Nets for hangs: on a busy machine everything may take long. */
export const PATIENCE_MS = 120_000;
const READY_MS = 90_000;
const HOST = "127.0.0.1";
/** So many ports are used in turn where the first one is given. */
const PORTS = 100;

/** What no server may log. (redis-server calls a broken connection an internal error, too.) */
const BAD = /^.*(CRITICAL|panicked|BUG REPORT).*$/im;
const BAD_HERE = /^.*(CRITICAL|panicked|internal error in '|Uncaught|TypeError|RangeError).*$/im;

interface Node {
  readonly name: string;
  readonly make: Make;
  readonly proxy: Proxy;
  readonly dir: string;
  /** Null while it does not run. */
  server: TestServer | null;
  control: Client | null;
  /** What its processes have printed, one after the other. */
  readonly past: string[];
}

export class Cluster implements Target {
  /** Name of the server that takes the writes. */
  master: string;
  /** False while there is no master that could be written to. */
  available = false;
  /** Whom each replica follows. */
  readonly upstream = new Map<string, string>();
  readonly #nodes = new Map<string, Node>();
  /** A process that ended by itself. */
  #ended = "";

  private constructor(
    readonly network: Network,
    readonly args: readonly string[],
    readonly dir: string,
    readonly firstPort?: number,
  ) {
    this.master = "";
  }

  /** Starts one server of each make, the first as the master. `firstPort`: where to look for ports, anywhere without it. */
  static async start(
    network: Network,
    mixture: Mixture,
    args: readonly string[],
    dir: string,
    firstPort?: number,
  ): Promise<Cluster> {
    const cluster = new Cluster(network, args, dir, firstPort);
    for (const [i, make] of mixture.entries()) {
      const name = `${"abcdef"[i]}-${make}`;
      const proxy = await network.add(name, await choosePort(firstPort));
      const own = join(dir, name);
      mkdirSync(own, { recursive: true });
      const node = { name, make, proxy, dir: own, server: null, control: null, past: [] };
      cluster.#nodes.set(name, node);
    }
    const [master, ...replicas] = cluster.names;
    cluster.master = master;
    for (const name of replicas) cluster.upstream.set(name, master);
    try {
      await Promise.all(cluster.names.map((name) => cluster.run(name)));
    } catch (error) {
      await cluster.close();
      throw error;
    }
    cluster.available = true;
    return cluster;
  }

  get names(): string[] {
    return [...this.#nodes.keys()];
  }

  get replicas(): string[] {
    return this.names.filter((name) => name !== this.master);
  }

  /** The replicas that follow the master itself. */
  get direct(): string[] {
    return this.replicas.filter((name) => this.upstream.get(name) === this.master);
  }

  make(name: string): Make {
    return this.#nodes.get(name)!.make;
  }

  /** The port where others reach it, and which it announces. */
  port(name: string): number {
    return this.#nodes.get(name)!.proxy.port;
  }

  control(name: string): Client {
    const { control } = this.#nodes.get(name)!;
    if (control === null) throw new Error(`${name} does not run`);
    return control;
  }

  info(name: string): Promise<Map<string, string>> {
    return info(this.control(name), "all");
  }

  async connect(): Promise<Client> {
    const { server } = this.#nodes.get(this.master)!;
    if (!this.available || server === null) throw new Error("there is no master at present");
    return await server.connect();
  }

  // ---- Processes ---------------------------------------------------------------------------------------------------------------

  /** Starts a server in the role it has now, on another port than before: its proxy knows. */
  async run(name: string): Promise<void> {
    const node = this.#nodes.get(name)!;
    const upstream = this.upstream.get(name);
    const args = [...this.args, "--replica-announce-port", String(node.proxy.port)];
    if (upstream !== undefined) args.push("--replicaof", `${HOST} ${this.port(upstream)}`);
    const port = this.firstPort === undefined ? {} : { port: await choosePort(this.firstPort) };
    const options = { args, dir: node.dir, readyMs: READY_MS, ...port };
    const server =
      await (node.make === "redis" ? startRedis(options) : startRedstart({ ...options, server: node.make }));
    node.proxy.target = server.port;
    node.server = server;
    node.control = await server.connect();
    node.control.timeoutMs = PATIENCE_MS;
    void server.exited.then((status) => {
      node.past.push(`${server.output()}\n-- ended with status ${status}\n\n`);
      if (node.server === server) this.#ended += `${name} ended by itself with status ${status}. `;
    });
  }

  /** SIGKILL. */
  async kill(name: string): Promise<void> {
    const node = this.#nodes.get(name)!;
    const { server } = node;
    if (server === null) return;
    node.server = node.control = null;
    await server.kill();
  }

  /** SHUTDOWN; waits for the end. */
  async shutdown(name: string, ...options: string[]): Promise<void> {
    const node = this.#nodes.get(name)!;
    const { server } = node;
    if (server === null) throw new Error(`${name} does not run`);
    // While the first AOF is being written a server refuses to end.
    await eventually(`${name} has its AOF`, async () => {
      const fields = await this.info(name);
      return fields.get("aof_rewrite_in_progress") === "0" && fields.get("aof_rewrite_scheduled") === "0";
    }, PATIENCE_MS);
    const client = await server.connect();
    client.timeoutMs = PATIENCE_MS;
    node.server = null;
    // Only an error is a reply.
    const failure = client.call("SHUTDOWN", ...options).then((reply) => show(reply), () => "");
    const status = await Promise.race([server.exited, failure]) || await server.exited;
    node.control?.close();
    node.control = null;
    if (status !== 0) throw new Error(`SHUTDOWN ${options.join(" ")} of ${name}: ${status}`);
  }

  // ---- Roles -------------------------------------------------------------------------------------------------------------------

  /** REPLICAOF: the server follows another one from now on. */
  async follow(name: string, upstream: string): Promise<void> {
    this.upstream.set(name, upstream);
    await this.#replicaOf(name, HOST, this.port(upstream));
  }

  /** A server that is loading refuses for a while. */
  async #replicaOf(name: string, ...target: (string | number)[]): Promise<void> {
    let error: string | undefined;
    await eventually(`REPLICAOF ${target.join(" ")} of ${name}`, async () => {
      error = errorOf(await this.control(name).call("REPLICAOF", ...target));
      return error === undefined || !error.startsWith("LOADING");
    }, PATIENCE_MS);
    if (error !== undefined) throw new Error(`REPLICAOF ${target.join(" ")} of ${name}: ${error}`);
  }

  /** REPLICAOF NO ONE: the server is the master from now on. */
  async promote(name: string): Promise<void> {
    await this.#replicaOf(name, "NO", "ONE");
    this.setMaster(name);
  }

  /** The server has become the master; whoever else follows it is said by `follow`. */
  setMaster(name: string): void {
    this.upstream.delete(name);
    this.master = name;
  }

  /** Whether a replica has the link to its master, and the master the replica. */
  async isUp(name: string): Promise<boolean> {
    const own = await this.info(name);
    const upstream = this.upstream.get(name)!;
    if (own.get("master_link_status") !== "up" || own.get("master_port") !== String(this.port(upstream))) return false;
    const online = new RegExp(`port=${this.port(name)},state=online`);
    const above = await this.info(upstream);
    return [...above].some(([field, value]) => /^slave\d/.test(field) && online.test(value));
  }

  async allUp(names: readonly string[] = this.replicas): Promise<void> {
    for (const name of names) await eventually(`${name} is up`, () => this.isUp(name), PATIENCE_MS);
  }

  // ---- The end -----------------------------------------------------------------------------------------------------------------

  /** Throws if a process has ended by itself, or has printed what must not happen. */
  checkOutputs(): void {
    if (this.#ended !== "") throw new Error(this.#ended);
    for (const node of this.#nodes.values()) {
      const text = node.past.join("") + (node.server?.output() ?? "");
      const bad = (node.make === "redis" ? BAD : BAD_HERE).exec(text);
      if (bad !== null) throw new Error(`${node.name} has logged: ${bad[0]}`);
    }
  }

  /** Writes what the servers have printed to `<dir>/<name>.log`. */
  keepOutputs(): void {
    for (const { name, past, server } of this.#nodes.values()) {
      writeFileSync(join(this.dir, `${name}.log`), past.join("") + (server?.output() ?? ""));
    }
  }

  async close(): Promise<void> {
    this.available = false;
    await Promise.all(this.names.map((name) => this.kill(name)));
    this.network.close();
  }
}

let nextPort = 0;

/** A free port, the next one from `first` on if that is given. */
async function choosePort(first?: number): Promise<number> {
  if (first === undefined) return await freePort();
  for (;;) {
    // The ones just used may still have connections that end.
    const port = first + nextPort++ % PORTS;
    if (await isFree(port)) return port;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", () => resolve(false));
    probe.listen(port, HOST, () => probe.close(() => resolve(true)));
  });
}
