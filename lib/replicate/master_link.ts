/**
 * The replica's side: the link to a master, from the handshake to the stream of commands.
 *
 *   connect → connecting → handshake → sync → connected, and back to connect whenever the link breaks
 *
 * The handshake is a list of steps, each a command and what its reply may be. A full resynchronisation is the business of `Transfer`. Then
 * the master is a client like others whose commands go through `execute`; its bytes, once applied, are passed on to this
 * server's own replicas, so that the offsets agree along the whole chain. A transaction counts when it is complete: a link that breaks in
 * the middle of one must repeat it.
 *
 * Behaviour and texts: replication.c of Redis 7.0.
 */

import { latin1 } from "../bytes/ascii.ts";
import { Args, type Part } from "../bytes/args.ts";
import { Client, type Link } from "../engine/client.ts";
import { endRun, execute } from "../engine/execute.ts";
import type { Connection, PlatformError } from "../platform/platform.ts";
import { frameOf } from "../resp/frame.ts";
import { Parsed, Parser } from "../resp/request.ts";
import { Expiry } from "../store/keyspace.ts";
import { line, type Replication } from "./replication.ts";
import { Transfer, type TransferOwner } from "./transfer.ts";

/** As ROLE names them. */
export type LinkState = "connect" | "connecting" | "handshake" | "sync" | "connected" | "none";

interface Step {
  readonly command: readonly Part[];
  /** Looks at the reply line; false ends the attempt. */
  readonly reply: (text: string) => boolean;
}

const NO_BYTES = new Uint8Array(0);
const NEWLINE = new Uint8Array([10]);
const NO_ID = "?".repeat(40);
const FIRST_INPUT = 16 * 1024;
/** Input buffers beyond this are not kept when they are empty. */
const KEEP_INPUT = 1024 * 1024;
/** A reply line of the handshake that is longer than this comes from something else than a master. */
const LONGEST_LINE = 64 * 1024;

export class MasterLink implements Link, TransferOwner {
  state: LinkState = "connect";
  /** The client that the master's commands run as, while connected. */
  client: Client | null = null;
  /** The snapshot that is being received or loaded. */
  transfer: Transfer | null = null;
  /** Milliseconds since 1970; `downSince` is 0 while connected. */
  lastIo: number;
  downSince: number;
  readonly isUnixSocket = false;
  readonly descriptor = -1;
  readonly inputFree = 0;
  readonly outputBytes = 0;
  readonly outputChunks = 0;
  readonly replyBufferSize = 0;
  readonly replyBufferPeak = 0;
  onDrained: (() => void) | null = null;

  #connection: Connection | null = null;
  #attempt = 0;
  #stopped = false;
  #input = NO_BYTES;
  #inputEnd = 0;
  #steps: Step[] = [];
  #parser = new Parser();
  #newOffset = 0;
  /** Bytes that the connection has not taken yet. */
  #unsent = NO_BYTES;

  constructor(readonly replication: Replication, readonly host: string, readonly port: number) {
    this.lastIo = replication.engine.keyspace.now;
    this.downSince = replication.downSince;
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
  get memory(): number {
    return this.#input.length;
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
    const { platform, config: { values } } = this.replication.engine;
    const attempt = ++this.#attempt;
    const isCurrent = () => !this.#stopped && attempt === this.#attempt;
    this.state = "connecting";
    this.lastIo = platform.clock.now();
    this.replication.updateRole();
    this.#log.notice("MASTER <-> REPLICA sync started");
    const options = {
      timeoutMs: values.replTimeout * 1000,
      ...(values.bindSourceAddr === null ? {} : { localHost: values.bindSourceAddr }),
    };
    platform.net.connect({ host: this.host, port: this.port }, (connection) => {
      if (!isCurrent()) {
        connection.abort();
        return { data() {}, drain() {}, end() {}, closed() {} };
      }
      this.#connection = connection;
      // What an earlier connection still has to say does not matter any more.
      return {
        data: (bytes, length) => isCurrent() && this.#data(bytes, length),
        drain: () => isCurrent() && this.#drain(),
        end: () => connection.close(),
        closed: (error) => isCurrent() && this.#closed(error),
      };
    }, options).then(() => {
      if (isCurrent()) this.#handshake();
    }, (error: PlatformError) => {
      if (!isCurrent()) return;
      this.#log.warning(`Error condition on socket for SYNC: ${error.message}`);
      this.#fail();
    });
  }

  /** The role changes: everything ends here. */
  stop(): void {
    this.#stopped = true;
    this.#leave();
    this.state = "none";
  }

  /** What belongs to the present connection ends. */
  #leave(): void {
    this.#attempt++;
    this.transfer?.abandon();
    this.transfer = null;
    this.#connection?.abort();
    this.#connection = null;
    this.#inputEnd = 0;
    this.#unsent = NO_BYTES;
    const { engine } = this.replication;
    const { client } = this;
    if (client === null) return;
    this.replication.database = client.db.index;
    client.closed = true;
    engine.clients.delete(client.id);
    this.client = null;
  }

  /** The attempt has failed, or the link is lost: the cron tries again, or a master that has got as far as a snapshot at once. */
  #fail(): void {
    if (this.state === "connected") this.downSince = this.replication.engine.keyspace.now;
    const wasNear = this.state === "sync";
    this.#leave();
    this.state = "connect";
    this.replication.updateRole();
    if (!wasNear) return;
    this.#log.notice(`Reconnecting to MASTER ${this.host}:${this.port} after failure`);
    this.connect();
  }

  everySecond(): void {
    const { engine } = this.replication;
    const { transfer } = this;
    if (transfer !== null && !transfer.isWaiting) this.lastIo = engine.keyspace.now;
    // The master should not think that we are dead while we load.
    if (transfer !== null && transfer.isLoading) this.#connection?.write(NEWLINE, 0, 1);
    const idle = engine.keyspace.now - this.lastIo > engine.config.values.replTimeout * 1000;
    if (this.state === "connect") {
      this.#log.notice(`Connecting to MASTER ${this.host}:${this.port}`);
      this.connect();
    } else if (!idle) this.acknowledge();
    else if (this.state === "connected") {
      this.#log.warning("MASTER timeout: no data nor PING received...");
      this.#fail();
    } else if (this.state === "sync") {
      this.#log.warning(
        "Timeout receiving bulk data from MASTER... If the problem persists try to set the 'repl-timeout' parameter in redis.conf to a larger value.",
      );
      if (transfer !== null && transfer.isLoading) this.#loseTransfer("timeout");
      else this.#fail();
    } else {
      this.#log.warning("Timeout connecting to the MASTER...");
      this.#fail();
    }
  }

  /** REPLCONF ACK. */
  acknowledge(): void {
    if (this.state === "connected") this.#sendCommand(["REPLCONF", "ACK", this.replication.stream.offset]);
  }

  // ---- Handshake ---------------------------------------------------------------------------------------------------------------

  #handshake(): void {
    const { replication } = this;
    const { config: { values }, control } = replication.engine;
    this.state = "handshake";
    this.#log.notice("Non blocking connect for SYNC fired the event.");
    const uncritical = (what: string) => (text: string) => {
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
    const port = values.replicaAnnouncePort > 0 ? values.replicaAnnouncePort : control.port;
    steps.push({ command: ["REPLCONF", "listening-port", port], reply: uncritical("REPLCONF listening-port") });
    if (values.replicaAnnounceIp !== null) {
      steps.push({
        command: ["REPLCONF", "ip-address", values.replicaAnnounceIp],
        reply: uncritical("REPLCONF ip-address"),
      });
    }
    steps.push({ command: ["REPLCONF", "capa", "eof", "capa", "psync2"], reply: uncritical("REPLCONF capa") });
    steps.push({
      command: [],
      reply: (text) => this.#psyncReply(text),
    });
    this.#steps = steps;
    this.#nextStep();
  }

  #nextStep(): void {
    if (this.#steps.length === 0) return;
    const { command } = this.#steps[0];
    this.#sendCommand(command.length > 0 ? command : this.#psync());
  }

  /** Known only when its turn comes: the history may be lost, or go on, until then. */
  #psync(): Part[] {
    const { stream, id, failover } = this.replication;
    const request: Part[] = stream.active ? ["PSYNC", id, stream.offset + 1] : ["PSYNC", "?", -1];
    if (stream.active) this.#log.notice(`Trying a partial resynchronization (request ${id}:${stream.offset + 1}).`);
    else this.#log.notice("Partial resynchronization not possible (no cached master)");
    if (failover.isUnderWay) request.push("FAILOVER");
    return request;
  }

  #sendCommand(parts: readonly Part[]): void {
    this.#write(frameOf(Args.of(...parts)));
  }

  #write(bytes: Uint8Array): void {
    if (this.#connection === null) return;
    const taken = this.#unsent.length > 0 ? 0 : this.#connection.write(bytes, 0, bytes.length);
    if (taken === bytes.length) return;
    const unsent = new Uint8Array(this.#unsent.length + bytes.length - taken);
    unsent.set(this.#unsent);
    unsent.set(bytes.subarray(taken), this.#unsent.length);
    this.#unsent = unsent;
  }

  #psyncReply(text: string): boolean {
    const { replication } = this;
    if (replication.failover.isUnderWay) {
      if (!/^\+(FULLRESYNC|CONTINUE)/.test(text)) {
        replication.failover.abort("Failover target rejected psync request");
        return false;
      }
      replication.failover.end();
    }
    if (text.startsWith("+FULLRESYNC")) {
      const [, id, offset] = /^\+FULLRESYNC (\S{40}) (\d+)/.exec(text) ?? [null, NO_ID, "0"];
      if (id === NO_ID) this.#log.warning("Master replied with wrong +FULLRESYNC syntax.");
      else this.#log.notice(`Full resync from master: ${id}:${offset}`);
      return this.#expectSnapshot(id, Number(offset));
    }
    if (text.startsWith("+CONTINUE")) {
      this.#log.notice("Successful partial resynchronization with master.");
      const id = text.slice("+CONTINUE".length).trim();
      if (id.length === 40 && id !== replication.id) {
        this.#log.warning(`Master replication ID changed to ${id}`);
        replication.secondId = replication.id;
        replication.secondOffset = replication.stream.offset + 1;
        replication.id = id;
        // They have to learn of it.
        replication.replicas.disconnectAll();
      }
      this.#log.notice("MASTER <-> REPLICA sync: Master accepted a Partial Resynchronization.");
      this.#becomeConnected();
      return true;
    }
    if (/^-(NOMASTERLINK|LOADING)/.test(text)) {
      this.#log.notice(`Master is currently unable to PSYNC but should be in the future: ${text}`);
      return false;
    }
    if (!text.startsWith("-ERR")) this.#log.warning(`Unexpected reply to PSYNC from master: ${text}`);
    else this.#log.notice(`Master does not support PSYNC or is in error state (reply: ${text})`);
    this.#log.notice("Retrying with SYNC...");
    this.#write(line("SYNC"));
    return this.#expectSnapshot(NO_ID, -1);
  }

  // ---- Snapshot ----------------------------------------------------------------------------------------------------------------

  #expectSnapshot(id: string, offset: number): boolean {
    this.#newOffset = offset;
    const transfer = new Transfer(this.replication, this, id);
    if (!transfer.prepare()) return false;
    this.state = "sync";
    this.transfer = transfer;
    return true;
  }

  hold(): void {
    this.#connection?.pause();
  }

  goOn(): void {
    this.#connection?.resume();
  }

  loaded(header: ReadonlyMap<string, string>, rest: Uint8Array): void {
    const { replication } = this;
    const { newId } = this.transfer!;
    this.transfer = null;
    if (newId !== NO_ID) {
      replication.id = newId;
      replication.stream.begin(this.#newOffset);
    }
    replication.clearSecondId();
    replication.database = Number(header.get("repl-stream-db") ?? 0);
    this.#log.notice("MASTER <-> REPLICA sync: Finished with success");
    this.#becomeConnected();
    this.acknowledge();
    // Everything was here when the connection was lost.
    if (this.#connection === null) return this.#lost();
    this.goOn();
    if (rest.length > 0) this.#keep(rest, 0, rest.length);
    this.#consume();
  }

  failed(): void {
    this.transfer = null;
    this.#fail();
  }

  /** A loader that needs more ends with an error, and the transfer reports that it failed; one that has all it needs goes on. */
  #loseTransfer(reason: string): void {
    this.#connection?.abort();
    this.#connection = null;
    this.transfer!.lost(reason);
  }

  // ---- The stream --------------------------------------------------------------------------------------------------------------

  #becomeConnected(): void {
    const { engine, stream, database } = this.replication;
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
    engine.clients.set(client.id, client);
    this.replication.updateRole();
  }

  #data(bytes: Uint8Array, length: number): void {
    const { engine } = this.replication;
    engine.refreshTime();
    this.lastIo = engine.keyspace.now;
    engine.stats.replicationInput += length;
    let start = 0;
    // A snapshot goes straight to where it is kept.
    if (this.#inputEnd === 0 && this.transfer?.isReceiving) {
      start = this.transfer.receive(bytes, 0, length);
      if (start < 0) return this.#fail();
    }
    if (start === length) return;
    this.#keep(bytes, start, length);
    this.#consume();
  }

  #keep(bytes: Uint8Array, start: number, length: number): void {
    const end = this.#inputEnd + length - start;
    if (end > this.#input.length) {
      const grown = new Uint8Array(Math.max(FIRST_INPUT, end, Math.min(this.#input.length * 2, end * 2)));
      grown.set(this.#input.subarray(0, this.#inputEnd));
      this.#input = grown;
    }
    this.#input.set(bytes.subarray(start, length), this.#inputEnd);
    this.#inputEnd = end;
  }

  /** Works off what has been received, as far as that can be done now. */
  #consume(): void {
    while (this.#inputEnd > 0) {
      if (this.state === "connected") return this.#runCommands();
      const { transfer } = this;
      if (transfer !== null && transfer.total >= 0) {
        if (!transfer.isReceiving) return;
        const used = transfer.receive(this.#input, 0, this.#inputEnd);
        if (used < 0) return this.#fail();
        this.#drop(used);
        continue;
      }
      const lf = this.#input.indexOf(10);
      if (lf < 0 || lf >= this.#inputEnd) {
        if (this.#inputEnd > LONGEST_LINE) this.#fail();
        return;
      }
      const text = latin1(this.#input, 0, lf > 0 && this.#input[lf - 1] === 13 ? lf - 1 : lf);
      this.#drop(lf + 1);
      if (!this.#handleLine(text)) {
        if (!this.#stopped) this.#fail();
        return;
      }
    }
  }

  #drop(count: number): void {
    this.#input.copyWithin(0, count, this.#inputEnd);
    this.#inputEnd -= count;
    if (this.#inputEnd === 0 && this.#input.length > KEEP_INPUT) this.#input = NO_BYTES;
  }

  #handleLine(text: string): boolean {
    if (this.transfer !== null) return this.transfer.announce(text);
    // A master that is busy sends empty lines to show that it lives.
    if (this.state !== "handshake" || text === "") return true;
    const step = this.#steps.shift()!;
    if (!step.reply(text)) return false;
    this.#nextStep();
    return true;
  }

  #runCommands(): void {
    const { engine } = this.replication;
    // CLIENT PAUSE holds for what the master sends, too; `resume` goes on with it.
    if (engine.paused) return;
    const { keyspace, reply } = engine;
    const client = this.client!;
    const parser = this.#parser;
    const input = this.#input;
    let applied = 0;
    engine.beginServing(client);
    // Keys live until the master says that they have expired.
    keyspace.expiry = Expiry.IGNORE;
    let broken = false;
    while (parser.pos < this.#inputEnd && this.client === client) {
      const outcome = parser.parse(input, this.#inputEnd, Infinity, true);
      if (outcome === Parsed.INCOMPLETE) break;
      if (outcome === Parsed.ERROR) {
        this.#log.warning(`Protocol error (${parser.error}) from client: master`);
        broken = true;
        break;
      }
      if (outcome === Parsed.COMMAND) {
        client.args = parser.args;
        execute(client);
        reply.clear();
      }
      if (client.transaction === null && this.client === client) {
        this.replication.append(input, applied, parser.pos);
        applied = parser.pos;
      }
    }
    if (engine.runCommand !== null) endRun(client);
    engine.updateExpiry();
    engine.endServing();
    client.lastInteraction = keyspace.now;
    this.replication.endOfBatch();
    engine.propagation.endOfBatch();
    if (this.client !== client) return;
    if (broken) return this.#fail();
    if (applied > 0) {
      this.#drop(applied);
      parser.shift(applied);
    }
  }

  // ---- Link ----------------------------------------------------------------------------------------------------------------------

  #drain(): void {
    const unsent = this.#unsent;
    this.#unsent = NO_BYTES;
    if (unsent.length > 0) this.#write(unsent);
  }

  #closed(error: string): void {
    if (this.#connection === null) return;
    this.replication.engine.refreshTime();
    if (this.state === "connected") return this.#lost();
    this.#log.warning(`I/O error trying to sync with MASTER: ${error === "" ? "connection lost" : error}`);
    if (this.transfer?.isLoading) this.#loseTransfer("connection lost");
    else this.#fail();
  }

  /** The link was up and is no more. */
  #lost(): void {
    this.#log.warning("Connection with master lost.");
    this.#log.notice("Caching the disconnected master state.");
    this.#fail();
    // At once, before the master's backlog has moved on.
    this.#log.notice(`Reconnecting to MASTER ${this.host}:${this.port}`);
    this.connect();
  }

  /** Replies to the master's commands go nowhere. */
  send(_bytes: Uint8Array): void {}
  sendCopy(_bytes: Uint8Array, _start: number, _end: number): void {}
  sendNow(_bytes: Uint8Array): void {}
  sendGathered(): void {}
  flush(): void {
    this.replication.engine.reply.clear();
  }
  resume(): void {
    if (this.state === "connected") this.#consume();
  }
  setNoDelay(on: boolean): void {
    this.#connection?.setNoDelay(on);
  }
  closeAfterReply(): void {
    this.close();
  }
  /** CLIENT KILL TYPE master. */
  close(): void {
    this.#connection?.abort();
  }
}
