/**
 * The replica's side: the link to a master, from the handshake to the stream of commands.
 *
 *   connect → connecting → handshake → sync → connected, and back to connect whenever the link breaks
 *
 * The handshake is a list of steps, each a command and what its reply may be. A full resynchronisation is written to a temporary
 * file and loaded from there, as Redis does by default; with `repl-diskless-load swapdb` the old data stays until the new is
 * loaded. Then the master is a client like others whose commands go through `execute`; its bytes, once applied,
 * are passed on to this server's own replicas, so that the offsets agree along the whole chain.
 *
 * Behaviour and texts: replication.c of Redis 7.0.
 */

import { latin1 } from "../bytes/ascii.ts";
import type { Part } from "../bytes/args.ts";
import { Client, type Link } from "../engine/client.ts";
import { endRun, execute } from "../engine/execute.ts";
import type { Connection, ConnectionHandler, File, PlatformError } from "../platform/platform.ts";
import { Parsed, Parser } from "../resp/request.ts";
import { Expiry } from "../store/keyspace.ts";
import { line, type Replication } from "./replication.ts";

export type LinkState = "connect" | "connecting" | "handshake" | "sync" | "connected" | "none";

interface Step {
  readonly command: readonly Part[];
  /** Looks at the reply line; false ends the attempt. */
  readonly reply: (text: string) => boolean;
}

const MARK_LENGTH = 40;
const NO_BYTES = new Uint8Array(0);

export class MasterLink implements ConnectionHandler, Link {
  state: LinkState = "connect";
  /** The client that the master's commands run as; kept while the link is down, for its database. */
  client: Client | null = null;
  /** Milliseconds since 1970. */
  lastIo = 0;
  downSince = 0;
  /** Bytes of the snapshot: announced (0 with an end mark) and received. */
  transferSize = -1;
  transferRead = 0;
  readonly isUnixSocket = false;
  readonly descriptor = -1;
  readonly inputFree = 0;
  readonly outputBytes = 0;
  readonly outputChunks = 0;
  readonly replyBufferSize = 0;
  readonly replyBufferPeak = 0;
  readonly memory = 0;
  onDrained: (() => void) | null = null;

  #connection: Connection | null = null;
  #attempt = 0;
  #stopped = false;
  #input = NO_BYTES;
  #inputEnd = 0;
  #steps: Step[] = [];
  #parser = new Parser();
  /** The snapshot being received. */
  #file: File | null = null;
  #fileName = "";
  #mark = "";
  #tail = NO_BYTES;
  #newId = "";
  #newOffset = 0;
  #loading = false;

  constructor(readonly replication: Replication, readonly host: string, readonly port: number) {
    this.lastIo = replication.engine.keyspace.now;
  }

  get remote(): string {
    return this.#connection?.remote ?? `${this.host}:${this.port}`;
  }
  get local(): string {
    return this.#connection?.local ?? "";
  }
  get inputBytes(): number {
    return this.#inputEnd;
  }
  /** Database of the stream. */
  get database(): number {
    return this.client?.db.index ?? 0;
  }
  /** Bytes of the stream received, those included that are not applied yet. */
  get readOffset(): number {
    return this.replication.stream.offset + (this.state === "connected" ? this.#inputEnd : 0);
  }
  get #log() {
    return this.replication.engine.log;
  }

  // ---- Connecting --------------------------------------------------------------------------------------------------------------

  connect(): void {
    const { platform } = this.replication.engine;
    const { values } = this.replication.engine.config;
    const attempt = ++this.#attempt;
    this.state = "connecting";
    this.lastIo = platform.clock.now();
    this.replication.updateRole();
    const options = {
      timeoutMs: values.replTimeout * 1000,
      ...(values.bindSourceAddr === null ? {} : { localHost: values.bindSourceAddr }),
    };
    platform.net.connect({ host: this.host, port: this.port }, (connection) => {
      if (this.#stopped || attempt !== this.#attempt) {
        connection.abort();
        return { data() {}, drain() {}, end() {}, closed() {} };
      }
      this.#connection = connection;
      return this;
    }, options).then(() => {
      if (this.#stopped || attempt !== this.#attempt) return;
      this.#log.notice("MASTER <-> REPLICA sync started");
      this.#handshake();
    }, (error: PlatformError) => {
      if (this.#stopped || attempt !== this.#attempt) return;
      this.#log.warning(`Error condition on socket for SYNC: ${error.message}`);
      this.#fail();
    });
  }

  /** The role changes: everything ends here. */
  stop(): void {
    this.#stopped = true;
    this.state = "none";
    this.#dropFile();
    this.#connection?.abort();
    this.#connection = null;
  }

  /** The attempt has failed, or the link is lost: the cron tries again. */
  #fail(): void {
    this.#attempt++;
    this.#dropFile();
    this.#connection?.abort();
    this.#connection = null;
    this.#inputEnd = 0;
    if (this.state === "connected" || this.downSince === 0) this.downSince = this.replication.engine.keyspace.now;
    this.state = "connect";
    this.replication.updateRole();
  }

  #dropFile(): void {
    if (this.#file === null) return;
    try {
      this.#file.close();
      this.replication.engine.platform.files.remove(this.#fileName);
    } catch {
      // It may be gone; there is nothing more to clean up.
    }
    this.#file = null;
  }

  everySecond(): void {
    const { engine } = this.replication;
    const idle = Math.floor((engine.keyspace.now - this.lastIo) / 1000) > engine.config.values.replTimeout;
    if (this.state === "connect") {
      this.#log.notice(`Connecting to MASTER ${this.host}:${this.port}`);
      this.connect();
    } else if (idle && !this.#loading) {
      if (this.state === "connected") this.#log.warning("MASTER timeout: no data nor PING received...");
      else if (this.state === "sync") {
        this.#log.warning(
          "Timeout receiving bulk data from MASTER... If the problem persists try to set the 'repl-timeout' parameter in redis.conf to a larger value.",
        );
      } else this.#log.warning("Timeout connecting to the MASTER...");
      this.#fail();
    } else if (this.state === "connected") this.acknowledge();
  }

  /** REPLCONF ACK. */
  acknowledge(): void {
    if (this.state !== "connected") return;
    this.#sendCommand(["REPLCONF", "ACK", this.replication.stream.offset]);
  }

  // ---- Handshake ---------------------------------------------------------------------------------------------------------------

  #handshake(): void {
    const { engine } = this.replication;
    const { values } = engine.config;
    this.state = "handshake";
    this.#log.notice("Non blocking connect for SYNC fired the event.");
    const warn = (what: string) => (text: string) => {
      if (text.startsWith("-")) this.#log.notice(`(Non critical) Master does not understand ${what}: ${text}`);
      return true;
    };
    const steps: Step[] = [{
      command: ["PING"],
      reply: (text) => {
        const known = /^(\+|-NOAUTH|-NOPERM|-ERR operation not permitted)/.test(text);
        if (known) this.#log.notice("Master replied to PING, replication can continue...");
        else this.#log.warning(`Error reply to PING from master: '${text}'`);
        return known;
      },
    }];
    if (values.masterauth !== null) {
      const user = values.masteruser === null ? [] : [values.masteruser];
      steps.push({
        command: ["AUTH", ...user, values.masterauth],
        reply: (text) => {
          if (!text.startsWith("-")) return true;
          this.#log.warning(`Unable to AUTH to MASTER: ${text}`);
          return false;
        },
      });
    }
    const port = values.replicaAnnouncePort > 0 ? values.replicaAnnouncePort : engine.control.port;
    steps.push({ command: ["REPLCONF", "listening-port", port], reply: warn("REPLCONF listening-port") });
    if (values.replicaAnnounceIp !== null) {
      steps.push({
        command: ["REPLCONF", "ip-address", values.replicaAnnounceIp],
        reply: warn("REPLCONF ip-address"),
      });
    }
    steps.push({ command: ["REPLCONF", "capa", "eof", "capa", "psync2"], reply: warn("REPLCONF capa") });
    const { stream, id } = this.replication;
    const canContinue = stream.active;
    if (canContinue) {
      this.#log.notice(`Trying a partial resynchronization (request ${id}:${stream.offset + 1}).`);
    } else this.#log.notice("Partial resynchronization not possible (no cached master)");
    steps.push({
      command: canContinue ? ["PSYNC", id, stream.offset + 1] : ["PSYNC", "?", -1],
      reply: (text) => this.#psyncReply(text),
    });
    this.#steps = steps;
    this.#sendCommand(steps[0].command);
  }

  #sendCommand(parts: readonly Part[]): void {
    let text = `*${parts.length}\r\n`;
    for (const part of parts) {
      const word = part instanceof Uint8Array ? latin1(part, 0, part.length) : String(part);
      text += `$${word.length}\r\n${word}\r\n`;
    }
    const bytes = line(text).subarray(0, text.length);
    this.#connection?.write(bytes, 0, bytes.length);
  }

  #psyncReply(text: string): boolean {
    const { replication } = this;
    if (text.startsWith("+FULLRESYNC ")) {
      const [, id, offset] = text.split(" ");
      this.#newId = id;
      this.#newOffset = Number(offset);
      this.#log.notice(`Full resync from master: ${id}:${offset}`);
      return this.#beginTransfer();
    }
    if (text.startsWith("+CONTINUE")) {
      this.#log.notice("Successful partial resynchronization with master.");
      const id = text.slice("+CONTINUE".length).trim();
      if (id.length === 40 && id !== replication.id) {
        replication.secondId = replication.id;
        replication.secondOffset = replication.stream.offset + 1;
        replication.id = id;
        replication.replicas.disconnectAll();
        this.#log.notice("Master replication ID changed to " + id);
      }
      this.#log.notice("MASTER <-> REPLICA sync: Master accepted a Partial Resynchronization.");
      this.#becomeConnected(this.database);
      return true;
    }
    if (/^-(NOMASTERLINK|LOADING)/.test(text)) {
      this.#log.notice(`Master is currently unable to PSYNC but should be in the future: ${text}`);
      return false;
    }
    if (!text.startsWith("-ERR")) this.#log.warning(`Unexpected reply to PSYNC from master: ${text}`);
    else this.#log.notice(`Master does not support PSYNC or is in error state (reply: ${text})`);
    this.#log.notice("Retrying with SYNC...");
    this.#newId = "?".repeat(40);
    this.#newOffset = 0;
    this.#connection?.write(line("SYNC"), 0, 6);
    return this.#beginTransfer();
  }

  // ---- Snapshot ----------------------------------------------------------------------------------------------------------------

  #beginTransfer(): boolean {
    const { engine } = this.replication;
    const { process, files, clock } = engine.platform;
    this.#fileName = engine.persistence.path(`temp-${Math.floor(clock.now() / 1000)}.${process.id}.rdb`);
    try {
      this.#file = files.open(this.#fileName, "w", 0o644);
    } catch (error) {
      this.#log.warning(
        `Opening the temp file needed for MASTER <-> REPLICA synchronization: ${(error as PlatformError).message}`,
      );
      return false;
    }
    this.state = "sync";
    this.transferSize = -1;
    this.transferRead = 0;
    this.#mark = "";
    this.#tail = NO_BYTES;
    return true;
  }

  /** The line before the snapshot; false to give up. */
  #bulkHeader(text: string): boolean {
    if (text === "") return true;
    if (text.startsWith("-")) {
      this.#log.warning(`MASTER aborted replication with an error: ${text.slice(1)}`);
      return false;
    }
    if (!text.startsWith("$")) {
      this.#log.warning(
        `Bad protocol from MASTER, the first byte is not '$' (we received '${text}'), are you sure the host and port are right?`,
      );
      return false;
    }
    if (text.startsWith("$EOF:") && text.length >= 5 + MARK_LENGTH) {
      this.#mark = text.slice(5, 5 + MARK_LENGTH);
      this.transferSize = 0;
      this.#log.notice("MASTER <-> REPLICA sync: receiving streamed RDB from master with EOF to disk");
    } else {
      this.transferSize = Number(text.slice(1));
      this.#log.notice(`MASTER <-> REPLICA sync: receiving ${this.transferSize} bytes from master to disk`);
    }
    return true;
  }

  /** Takes bytes of the snapshot; returns how many were part of it, -1 when they could not be written. */
  #receive(bytes: Uint8Array, start: number, end: number): number {
    if (this.#mark === "") {
      const count = Math.min(end - start, this.transferSize - this.transferRead);
      if (!this.#writeFile(bytes, start, start + count)) return -1;
      if (this.transferRead === this.transferSize) this.#transferDone();
      return count;
    }
    // The mark may come in pieces: the last bytes are held back until it is clear that they are not part of it.
    const joined = new Uint8Array(this.#tail.length + end - start);
    joined.set(this.#tail);
    joined.set(bytes.subarray(start, end), this.#tail.length);
    const at = findMark(joined, this.#mark);
    if (at >= 0) {
      const used = at + MARK_LENGTH - this.#tail.length;
      this.#tail = NO_BYTES;
      if (!this.#writeFile(joined, 0, at)) return -1;
      this.#transferDone();
      return used;
    }
    const keep = Math.min(joined.length, MARK_LENGTH - 1);
    if (!this.#writeFile(joined, 0, joined.length - keep)) return -1;
    this.#tail = joined.slice(joined.length - keep);
    return end - start;
  }

  #writeFile(bytes: Uint8Array, start: number, end: number): boolean {
    try {
      this.#file!.write(bytes, start, end);
    } catch (error) {
      this.#log.warning(
        `Write error or short write writing to the DB dump file needed for MASTER <-> REPLICA synchronization: ${
          (error as PlatformError).message
        }`,
      );
      return false;
    }
    this.transferRead += end - start;
    return true;
  }

  #transferDone(): void {
    this.#loading = true;
    this.#connection?.pause();
    void this.#load(this.#attempt);
  }

  async #load(attempt: number): Promise<void> {
    const { replication } = this;
    const { engine } = replication;
    const { persistence, keyspace, platform } = engine;
    try {
      this.#file!.sync();
      this.#file!.close();
      this.#file = null;
      persistence.cancelBackground();
      const target = persistence.path(engine.config.values.dbfilename);
      platform.files.rename(this.#fileName, target);
      platform.files.syncDirectory(persistence.path("."));
      // Replicas of ours follow a history that ends here.
      replication.replicas.disconnectAll();
      replication.stopStream();
      this.#log.notice("MASTER <-> REPLICA sync: Flushing old data");
      for (const db of keyspace.databases) engine.watches.emptied(db, null);
      keyspace.flushAll();
      this.#log.notice("MASTER <-> REPLICA sync: Loading DB in memory");
      const aux = await persistence.loadFile(target, { keepExpired: true });
      if (this.#stopped || attempt !== this.#attempt) return;
      this.#loading = false;
      replication.id = this.#newId;
      replication.clearSecondId();
      replication.stream.begin(this.#newOffset);
      this.#log.notice("MASTER <-> REPLICA sync: Finished with success");
      this.#becomeConnected(Number(aux.get("repl-stream-db") ?? 0));
      this.acknowledge();
    } catch (error) {
      this.#loading = false;
      if (this.#stopped || attempt !== this.#attempt) return;
      this.#log.warning(
        `Failed trying to load the MASTER synchronization DB from disk: ${
          error instanceof Error ? error.message : error
        }`,
      );
      keyspace.flushAll();
      return this.#fail();
    }
    for (const db of keyspace.databases) engine.blocking.databaseChanged(db);
    if (engine.blocking.anyReady) engine.blocking.serve();
    this.#connection?.resume();
    this.#consume();
  }

  // ---- The stream --------------------------------------------------------------------------------------------------------------

  #becomeConnected(database: number): void {
    const { engine, stream } = this.replication;
    if (!stream.active) stream.begin(stream.offset);
    this.state = "connected";
    this.downSince = 0;
    this.#parser = new Parser();
    const client = new Client(engine, this);
    client.isMaster = true;
    client.isTrusted = true;
    client.authenticated = true;
    client.db = engine.keyspace.databases[database] ?? engine.keyspace.databases[0];
    this.client = client;
    this.replication.updateRole();
  }

  data(bytes: Uint8Array, length: number): void {
    const { engine } = this.replication;
    engine.refreshTime();
    this.lastIo = engine.keyspace.now;
    engine.stats.replicationInput += length;
    let start = 0;
    // A snapshot goes straight to its file.
    while (
      this.state === "sync" && this.transferSize >= 0 && !this.#loading && this.#inputEnd === 0 && start < length
    ) {
      const used = this.#receive(bytes, start, length);
      if (used < 0) return this.#fail();
      start += used;
    }
    if (start === length) return;
    const end = this.#inputEnd + length - start;
    if (end > this.#input.length) {
      const grown = new Uint8Array(Math.max(16384, end, Math.min(this.#input.length * 2, end * 2)));
      grown.set(this.#input.subarray(0, this.#inputEnd));
      this.#input = grown;
    }
    this.#input.set(bytes.subarray(start, length), this.#inputEnd);
    this.#inputEnd = end;
    this.#consume();
  }

  #consume(): void {
    while (!this.#loading && this.#inputEnd > 0) {
      if (this.state === "connected") return this.#runCommands();
      if (this.state === "sync" && this.transferSize >= 0) {
        const used = this.#receive(this.#input, 0, this.#inputEnd);
        if (used < 0) return this.#fail();
        this.#drop(used);
        continue;
      }
      const lf = this.#input.indexOf(10);
      if (lf < 0 || lf >= this.#inputEnd) return;
      const text = latin1(this.#input, 0, lf > 0 && this.#input[lf - 1] === 13 ? lf - 1 : lf);
      this.#drop(lf + 1);
      if (!this.#handleLine(text)) return this.#fail();
    }
  }

  #drop(count: number): void {
    this.#input.copyWithin(0, count, this.#inputEnd);
    this.#inputEnd -= count;
  }

  #handleLine(text: string): boolean {
    if (this.state === "sync") return this.#bulkHeader(text);
    // A master that is busy sends empty lines to show that it lives.
    if (this.state !== "handshake" || text === "") return true;
    const step = this.#steps.shift()!;
    if (!step.reply(text)) return false;
    if (this.#steps.length > 0) this.#sendCommand(this.#steps[0].command);
    return true;
  }

  #runCommands(): void {
    const { engine } = this.replication;
    const { keyspace, reply } = engine;
    const client = this.client!;
    const parser = this.#parser;
    const input = this.#input;
    let applied = 0;
    engine.beginServing(client);
    const expiry = keyspace.expiry;
    keyspace.expiry = Expiry.IGNORE;
    const pass = () => {
      this.replication.append(input, applied, parser.pos);
      applied = parser.pos;
    };
    while (parser.pos < this.#inputEnd && this.state === "connected") {
      const outcome = parser.parse(input, this.#inputEnd, Infinity, true);
      if (outcome === Parsed.INCOMPLETE) break;
      if (outcome === Parsed.ERROR) {
        this.#log.warning(`Protocol error (${parser.error}) from client: master`);
        keyspace.expiry = expiry;
        engine.endServing();
        reply.clear();
        return this.#fail();
      }
      if (outcome === Parsed.COMMAND) {
        client.args = parser.args;
        execute(client);
        reply.clear();
      }
      // A transaction counts when it is complete: a link that breaks in the middle must repeat it.
      if (client.transaction === null) pass();
    }
    if (engine.runCommand !== null) endRun(client);
    keyspace.expiry = expiry;
    engine.endServing();
    client.lastInteraction = keyspace.now;
    if (this.state !== "connected") return;
    if (applied > 0) {
      this.#drop(applied);
      parser.shift(applied);
    }
    this.replication.endOfBatch();
    engine.propagation.endOfBatch();
  }

  // ---- ConnectionHandler and Link ----------------------------------------------------------------------------------------------

  drain(): void {}

  end(): void {
    this.#connection?.close();
  }

  closed(error: string): void {
    if (this.#stopped || this.#connection === null) return;
    if (this.state === "connected") {
      this.#log.warning("Connection with master lost.");
      this.#fail();
      this.#log.notice(`Reconnecting to MASTER ${this.host}:${this.port}`);
      this.connect();
      return;
    }
    this.#log.warning(`I/O error trying to sync with MASTER: ${error === "" ? "connection lost" : error}`);
    this.#fail();
  }

  /** Replies to the master's commands go nowhere. */
  send(_bytes: Uint8Array): void {}
  sendGathered(): void {}
  flush(): void {
    this.replication.engine.reply.clear();
  }
  resume(): void {}
  closeAfterReply(): void {
    this.close();
  }
  /** CLIENT KILL TYPE master. */
  close(): void {
    this.#connection?.abort();
  }
}

/** Where the end mark is in the bytes, -1 if it is not there. */
function findMark(bytes: Uint8Array, mark: string): number {
  const last = bytes.length - mark.length;
  const first = mark.charCodeAt(0);
  for (let at = bytes.indexOf(first); at >= 0 && at <= last; at = bytes.indexOf(first, at + 1)) {
    let i = 1;
    while (i < mark.length && bytes[at + i] === mark.charCodeAt(i)) i++;
    if (i === mark.length) return at;
  }
  return -1;
}
