/**
 * A server without a socket, in the test's own process, on a simulated machine: time stands still unless told to pass, and what
 * a command causes besides its reply (keyspace events, what goes to the AOF and to replicas) can be seen.
 *
 *     const server = new InProcess();
 *     assertEquals(server.run("EXPIRE", "k", 10), ":0\r\n");
 *     assertEquals(server.propagated(), []);
 */

import { Args, type Part } from "../../lib/bytes/args.ts";
import { latin1 } from "../../lib/bytes/ascii.ts";
import { Config } from "../../lib/config/config.ts";
import { Client, NoLink } from "../../lib/engine/client.ts";
import type { Engine } from "../../lib/engine/engine.ts";
import { execute } from "../../lib/engine/execute.ts";
import { createPlatform, type Simulation } from "../../lib/platform/memory.ts";
import { Server } from "../../lib/server/server.ts";
import { Attention } from "../../lib/store/keyspace.ts";

export class InProcess {
  readonly engine: Engine;
  readonly #world: Simulation;
  readonly #client: Client;
  #events: string[] = [];
  #propagated: string[] = [];

  constructor(seed = 1) {
    const { platform, world } = createPlatform(seed);
    this.#world = world;
    this.engine = new Server(platform, new Config(platform.files, platform.process)).engine;
    this.#client = this.connect();
    const { engine } = this;
    engine.keyspace.attention |= Attention.NOTIFY;
    engine.pubsub.keyspaceEvent = (db, key, i, event) => {
      this.#events.push(`${db.index} ${event.name} ${key.text(i)}`);
    };
    engine.propagation.listen({
      command: (db, args) => {
        const words = Array.from({ length: args.argc }, (_, i) => args.text(i));
        this.#propagated.push(`${db} ${words.join(" ")}`);
      },
      endOfBatch() {},
    });
  }

  /** A further client. */
  connect(): Client {
    return new Client(this.engine, new NoLink("127.0.0.1:1", "127.0.0.1:2"));
  }

  /** The reply, as it would go over the wire. */
  run(...command: Part[]): string {
    return this.runAs(this.#client, ...command);
  }

  runAs(client: Client, ...command: Part[]): string {
    const { engine } = this;
    engine.refreshTime();
    client.args = Args.of(...command);
    engine.beginServing(client);
    execute(client);
    const reply = latin1(engine.reply.buf, 0, engine.reply.at);
    engine.reply.clear();
    return reply;
  }

  /** Milliseconds since 1970. */
  get now(): number {
    this.engine.refreshTime();
    return this.engine.keyspace.now;
  }

  advance(ms: number): Promise<void> {
    return this.#world.advance(ms);
  }

  /** Keyspace events since the last call, each "database event key". */
  events(): string[] {
    const events = this.#events;
    this.#events = [];
    return events;
  }

  /** Commands told to the AOF and to replicas since the last call, each "database word word …". */
  propagated(): string[] {
    const propagated = this.#propagated;
    this.#propagated = [];
    return propagated;
  }
}
