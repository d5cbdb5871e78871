/**
 * Links to other servers, for MIGRATE. A link is kept for a while after its use, because keys usually move in crowds.
 *
 * A link sends commands and hands over the first line of each reply, which is the whole reply of all commands that MIGRATE sends.
 */

import { latin1 } from "../bytes/ascii.ts";
import type { Connection, ConnectionHandler } from "../platform/platform.ts";
import type { Engine } from "./engine.ts";

/** A link that nobody has used for so long is closed. */
const KEPT_MS = 10_000;
const MOST_LINKS = 64;
/** No reply to what MIGRATE sends is longer. */
const LONGEST_LINE = 64 * 1024;
const LF = 10;

/** Who waits for replies on a link. */
export interface LinkUser {
  /** Some of what was sent is out. */
  progress(): void;
  /** A line has arrived, without its end. */
  line(text: string): void;
  /** The link is gone. */
  lost(): void;
}

export class MigrationLink implements ConnectionHandler {
  connection!: Connection;
  user: LinkUser | null = null;
  /** The database that is selected at the other end, -1 when that is not known. */
  database = -1;
  /** Milliseconds since 1970. */
  lastUse = 0;
  #queue: Uint8Array[] = [];
  #sent = 0;
  #line = "";

  constructor(readonly links: MigrationLinks, readonly name: string) {}

  /** False until everything has left. */
  get isSent(): boolean {
    return this.#queue.length === 0;
  }

  /** The pieces must not change until they are out. */
  send(pieces: Uint8Array[]): void {
    this.#queue.push(...pieces);
    this.#write();
  }

  #write(): void {
    while (this.#queue.length > 0) {
      const [piece] = this.#queue;
      this.#sent += this.connection.write(piece, this.#sent, piece.length);
      if (this.#sent < piece.length) return;
      this.#queue.shift();
      this.#sent = 0;
    }
  }

  data(bytes: Uint8Array, length: number): void {
    let from = 0;
    for (let i = 0; i < length; i++) {
      if (bytes[i] !== LF) continue;
      const line = (this.#line + latin1(bytes, from, i - from)).replace(/\r$/, "");
      this.#line = "";
      from = i + 1;
      this.user?.line(line);
    }
    this.#line += latin1(bytes, from, length - from);
    if (this.#line.length > LONGEST_LINE) this.close();
  }

  drain(): void {
    this.#write();
    this.user?.progress();
  }

  end(): void {
    this.close();
  }

  closed(): void {
    this.close();
  }

  /** Closes the link; its user, if it has one, is told. */
  close(): void {
    const { user } = this;
    this.user = null;
    this.links.forget(this);
    this.connection.abort();
    user?.lost();
  }
}

export class MigrationLinks {
  /** By "host:port". */
  readonly #links = new Map<string, MigrationLink>();

  constructor(readonly engine: Engine) {}

  get count(): number {
    return this.#links.size;
  }

  /** The link that is there already, null if there is none. */
  find(host: string, port: number): MigrationLink | null {
    const link = this.#links.get(`${host}:${port}`) ?? null;
    if (link !== null) link.lastUse = this.engine.keyspace.now;
    return link;
  }

  /** Opens a link; rejects when the other server cannot be reached within so many milliseconds. */
  async open(host: string, port: number, timeoutMs: number): Promise<MigrationLink> {
    const link = new MigrationLink(this, `${host}:${port}`);
    const { net } = this.engine.platform;
    await net.connect({ host, port }, (connection) => {
      link.connection = connection;
      return link;
    }, { timeoutMs });
    link.connection.setNoDelay(true);
    link.lastUse = this.engine.keyspace.now;
    if (this.#links.size >= MOST_LINKS) this.#links.values().next().value?.close();
    this.#links.set(link.name, link);
    return link;
  }

  forget(link: MigrationLink): void {
    if (this.#links.get(link.name) === link) this.#links.delete(link.name);
  }

  /** For the cron. */
  closeUnused(): void {
    const before = this.engine.keyspace.now - KEPT_MS;
    for (const link of [...this.#links.values()]) if (link.user === null && link.lastUse < before) link.close();
  }

  closeAll(): void {
    for (const link of [...this.#links.values()]) link.close();
  }
}
