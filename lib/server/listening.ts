/**
 * Listening: the sockets at which clients arrive: `bind` and `port`, and `unixsocket`.
 *
 * Opening a socket takes a while on some platforms, but CONFIG SET must know at once whether a new port or address works. So
 * it is done in two steps: `prepare` opens, while the client that asked waits, and `take`, the hook of CONFIG SET, only
 * learns what came of it. A new port is opened before the old one is closed; other addresses of the same port cannot be.
 */

import { hostPath } from "../bytes/path.ts";
import type { Connection, ConnectionHandler, Listener, PlatformError } from "../platform/platform.ts";
import type { Server } from "./server.ts";

const PORT_REFUSED = "Unable to listen on this port. Check server logs.";
const BIND_REFUSED = "Failed to bind to specified addresses.";

/** Where the server listens by TCP: a port, 0 for none, and addresses in the notation of `bind`. */
interface Place {
  readonly port: number;
  readonly bind: readonly string[];
}

export class Listening {
  /** Port 0 means any free port (an embedding program asks for it), not none. */
  anyPort = false;
  #tcp: Listener[] = [];
  #unix: Listener | null = null;
  #place: Place = { port: 0, bind: [] };
  /** What `prepare` has achieved: sockets, or an error's text. */
  #prepared: { readonly place: Place; readonly outcome: Listener[] | string } | null = null;

  constructor(
    readonly server: Server,
    readonly accept: (connection: Connection, isUnixSocket: boolean) => ConnectionHandler,
  ) {}

  /** Opens what the configuration says. Rejects with an Error whose message has been logged. */
  async open(): Promise<void> {
    const { config, log, platform } = this.server;
    const { port, bind, unixsocket, unixsocketperm } = config.values;
    if (port > 0 || this.anyPort) {
      this.#tcp = await this.#openTcp({ port, bind }).catch((error) => {
        log.warning(`Failed listening on port ${port} (TCP), aborting.`);
        throw error;
      });
      if (port === 0 && this.#tcp.length > 0) config.assume("port", String(this.#tcp[0].port));
      this.#place = { port: config.values.port, bind };
    }
    if (unixsocket !== null) {
      const address = { path: hostPath(unixsocket), mode: unixsocketperm };
      try {
        this.#unix = await platform.net.listen(address, (connection) => this.accept(connection, true));
      } catch (error) {
        log.warning(`Failed opening Unix socket: bind: ${(error as PlatformError).message}`);
        throw error;
      }
    }
    if (this.#tcp.length > 0 || this.#unix !== null) return;
    log.warning("Configured to not listen anywhere, exiting.");
    throw new Error("nowhere to listen");
  }

  /**
   * Before CONFIG SET of these names and values: null when they change no address, else a promise that is fulfilled, whatever came
   * of it, when CONFIG SET can be carried out.
   */
  prepare(pairs: readonly string[]): Promise<void> | null {
    let { port, bind } = this.#place;
    for (let i = 0; i + 1 < pairs.length; i += 2) {
      const name = pairs[i].toLowerCase();
      if (name === "port" && /^\d{1,5}$/.test(pairs[i + 1])) port = Number(pairs[i + 1]);
      else if (name === "bind") bind = pairs[i + 1].split(" ").filter((word) => word !== "");
    }
    const place = { port, bind };
    return samePlace(place, this.#place) ? null : this.#prepare(place);
  }

  async #prepare(place: Place): Promise<void> {
    const before = this.#place;
    const samePort = place.port === before.port;
    if (samePort) this.#closeTcp();
    let outcome: Listener[] | string;
    try {
      outcome = await this.#openTcp(place);
    } catch {
      outcome = samePort ? BIND_REFUSED : PORT_REFUSED;
      if (samePort) this.#tcp = await this.#openTcp(before).catch(() => []);
    }
    this.#dropPrepared();
    this.#prepared = { place, outcome };
  }

  /** The hook of CONFIG SET port and bind; returns an error's text if what is configured now could not be opened. */
  take(): string | null {
    const { port, bind } = this.server.config.values;
    const place = { port, bind };
    if (samePlace(place, this.#place)) return null;
    const prepared = this.#prepared;
    // Inside a transaction or a script nobody can wait.
    if (prepared === null || !samePlace(place, prepared.place)) return PORT_REFUSED;
    this.#prepared = null;
    if (typeof prepared.outcome === "string") return prepared.outcome;
    this.#closeTcp();
    this.#tcp = prepared.outcome;
    this.#place = place;
    return null;
  }

  close(): void {
    this.#closeTcp();
    this.#dropPrepared();
    this.#unix?.close();
    this.#unix = null;
  }

  #closeTcp(): void {
    for (const listener of this.#tcp) listener.close();
    this.#tcp = [];
  }

  /** What was opened for a CONFIG SET that then failed for another reason. */
  #dropPrepared(): void {
    const prepared = this.#prepared;
    this.#prepared = null;
    if (prepared !== null && typeof prepared.outcome !== "string") {
      for (const listener of prepared.outcome) listener.close();
    }
  }

  /** Addresses with a '-' in front may be missing on this machine. */
  async #openTcp({ port, bind }: Place): Promise<Listener[]> {
    const { config, log, platform } = this.server;
    const listeners: Listener[] = [];
    if (port === 0 && !this.anyPort) return listeners;
    try {
      for (const address of bind) {
        const optional = address.startsWith("-");
        const name = optional ? address.slice(1) : address;
        const host = name === "*" ? "0.0.0.0" : name === "::*" ? "::" : name;
        const bound = listeners.length > 0 ? listeners[0].port : port;
        const backlog = config.values.tcpBacklog;
        try {
          const accept = (connection: Connection) => this.accept(connection, false);
          listeners.push(await platform.net.listen({ host, port: bound, backlog }, accept));
        } catch (error) {
          const { code, message } = error as PlatformError;
          log.warning(`Warning: Could not create server TCP listening socket ${name}:${port}: bind: ${message}`);
          if (optional && (code === "EADDRNOTAVAIL" || code === "EAFNOSUPPORT")) continue;
          throw error;
        }
      }
    } catch (error) {
      for (const listener of listeners) listener.close();
      throw error;
    }
    return listeners;
  }
}

function samePlace(a: Place, b: Place): boolean {
  return a.port === b.port && a.bind.join(" ") === b.bind.join(" ");
}
