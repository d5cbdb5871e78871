/**
 * Client eviction: `maxmemory-clients` bounds the memory that all clients' buffers take together; the largest clients are
 * disconnected until it is kept.
 *
 * Each connection reports when its memory has changed, so the sum is always at hand; while there is no limit nobody counts.
 * Replicas, the master and clients with CLIENT NO-EVICT are neither counted nor evicted.
 */

import type { Client } from "../engine/client.ts";
import { clientInfo, clientMemory, clientType } from "../engine/client_info.ts";
import type { Server } from "./server.ts";

/** Below this nobody could talk to the server any more. */
const MIN_LIMIT = 128 * 1024;

export class ClientEviction {
  /** Bytes, 0 for no limit. */
  limit = 0;
  #total = 0;
  #charged = new Map<Client, number>();

  constructor(readonly server: Server) {}

  /** Takes the limit from the configuration: a number of bytes, or as a negative number a percentage of maxmemory. */
  configure(): void {
    const { maxmemory, maxmemoryClients } = this.server.config.values;
    const wanted = maxmemoryClients < 0 ? Math.floor(maxmemory * -maxmemoryClients / 100) : maxmemoryClients;
    this.limit = wanted === 0 ? 0 : Math.max(MIN_LIMIT, wanted);
    this.#total = 0;
    this.#charged.clear();
    if (this.limit === 0) return;
    for (const client of this.server.engine.clients.values()) this.update(client);
  }

  /** The client's memory may have changed. */
  update(client: Client): void {
    if (client.closed) return;
    const type = clientType(client);
    const counts = !client.noEvict && (type === "normal" || type === "pubsub");
    const bytes = counts ? clientMemory(client) : 0;
    this.#total += bytes - (this.#charged.get(client) ?? 0);
    this.#charged.set(client, bytes);
  }

  forget(client: Client): void {
    this.#total -= this.#charged.get(client) ?? 0;
    this.#charged.delete(client);
  }

  /** Disconnects the largest clients while all together are over the limit. Not while a client is being served. */
  evict(): void {
    const { engine } = this.server;
    while (this.limit > 0 && this.#total >= this.limit) {
      const client = this.#largest();
      if (client === null) return;
      engine.log.notice(`Evicting client: ${clientInfo(client)}`);
      engine.stats.evictedClients++;
      client.link.close();
    }
  }

  #largest(): Client | null {
    let largest: Client | null = null;
    let most = 0;
    for (const [client, bytes] of this.#charged) {
      if (bytes <= most) continue;
      largest = client;
      most = bytes;
    }
    return largest;
  }
}
