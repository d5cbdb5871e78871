/**
 * A client's connection: bytes in, commands, replies out.
 *
 * In. A chunk is parsed where it lies, with a parser shared by all connections. Only what cannot be consumed at once (half a command, or
 * anything behind a command that blocks) is copied into a buffer of the connection, and the parser with its state goes
 * along; when that buffer has been worked off, both go back to a pool. So an idle connection owns no buffer at all.
 *
 * Out. The replies to all commands of a chunk gather in the server's reply buffer and leave with one write. What the peer does not
 * take waits in a queue, bounded by client-output-buffer-limit; where no limit is set, a connection with a long queue is
 * not read any further until it shrinks.
 */

import { Deny } from "../engine/command.ts";
import { Client, type Link } from "../engine/client.ts";
import { clientInfo } from "../engine/client_info.ts";
import { endRun, execute } from "../engine/execute.ts";
import type { Connection, ConnectionHandler } from "../platform/platform.ts";
import { errorReply } from "../resp/errors.ts";
import { Parsed, Parser } from "../resp/request.ts";
import type { Server } from "./server.ts";

/** Replies are sent when so many bytes have gathered, even in the middle of a batch. */
const FLUSH_AT = 128 * 1024;
/** Where no output limit is set, reading stops above the first number of queued bytes and goes on below the second. */
const STOP_READING_AT = 64 * 1024 * 1024;
const READ_AGAIN_AT = 1024 * 1024;
/** A client's structures, roughly. */
const CLIENT_BYTES = 1024;
const FIRST_INPUT = 512;
const NO_BYTES = new Uint8Array(0);

/** Parsers and input buffers that no connection needs at the moment. */
export class ParserPool {
  #parsers: Parser[] = [];
  shared = new Parser();

  /** The shared parser's state belongs to a connection from now on. */
  takeShared(): Parser {
    const taken = this.shared;
    this.shared = this.#parsers.pop() ?? new Parser();
    return taken;
  }

  give(parser: Parser): void {
    parser.pos = 0;
    if (this.#parsers.length < 64) this.#parsers.push(parser);
  }
}

export class ClientConnection implements ConnectionHandler, Link {
  readonly client: Client;
  readonly descriptor: number;
  readonly isUnixSocket: boolean;
  replyBufferPeak = 0;

  /** Bytes that wait for their turn: `#input[#parser.pos, #inputEnd)`; no parser while nothing waits. */
  #input: Uint8Array = NO_BYTES;
  #inputEnd = 0;
  #parser: Parser | null = null;
  /** Queued output: chunks from `#first` on, of the first one `#sent` bytes are out. */
  #queue: Uint8Array[] = [];
  #first = 0;
  #sent = 0;
  outputBytes = 0;
  #softLimitSince = 0;
  #readingStopped = false;
  #closeWhenSent = false;

  constructor(readonly server: Server, readonly connection: Connection, isUnixSocket: boolean) {
    this.isUnixSocket = isUnixSocket;
    this.descriptor = server.nextDescriptor++;
    this.client = new Client(server.engine, this);
  }

  get remote(): string {
    return this.connection.remote;
  }
  get local(): string {
    return this.connection.local;
  }
  get inputBytes(): number {
    return this.#parser === null ? 0 : this.#inputEnd - this.#parser.keepFrom;
  }
  get inputFree(): number {
    return this.#input.length - this.#inputEnd;
  }
  get outputChunks(): number {
    return this.#queue.length - this.#first;
  }
  /** The reply buffer belongs to all clients. */
  get replyBufferSize(): number {
    return 0;
  }
  get memory(): number {
    return CLIENT_BYTES + this.#input.length + this.outputBytes + this.outputChunks * 16;
  }

  // ---- In ----------------------------------------------------------------------------------------------------------------------

  data(bytes: Uint8Array, length: number): void {
    const { client } = this;
    const { engine } = this.server;
    engine.stats.input += length;
    engine.stats.reads++;
    if (client.closing) return;
    engine.refreshTime();
    client.lastInteraction = engine.keyspace.now;
    if (this.#parser !== null) {
      this.#append(bytes, length);
      if (!this.#held) this.#workOffInput();
      return;
    }
    if (this.#held) {
      this.#parser = this.server.parsers.takeShared();
      this.#append(bytes, length);
      return;
    }
    const parser = this.server.parsers.shared;
    parser.pos = 0;
    this.#run(parser, bytes, length);
    if (parser.pos < length && !client.closing) {
      const from = parser.keepFrom;
      this.#parser = this.server.parsers.takeShared();
      parser.shift(from);
      this.#append(from === 0 ? bytes : bytes.subarray(from, length), length - from);
    }
  }

  /** Commands must wait: the client is blocked, or does not read its replies. */
  get #held(): boolean {
    return this.client.blocked !== null || this.#readingStopped;
  }

  #append(bytes: Uint8Array, length: number): void {
    const end = this.#inputEnd + length;
    if (end > this.#input.length) {
      // Twice the size, but for an argument of known length no more than it takes once most of it is there.
      const wanted = Math.max(end, this.#parser!.need);
      const grown = new Uint8Array(Math.max(FIRST_INPUT, end, Math.min(wanted, end * 2)));
      grown.set(this.#input.subarray(0, this.#inputEnd));
      this.#input = grown;
    }
    this.#input.set(length === bytes.length ? bytes : bytes.subarray(0, length), this.#inputEnd);
    this.#inputEnd = end;
    const limit = this.server.config.values.clientQueryBufferLimit;
    if (this.inputBytes > limit && !this.client.isMaster) {
      this.server.engine.stats.queryBufferLimitDisconnections++;
      const start = JSON.stringify(String.fromCharCode(...this.#input.subarray(0, 64)));
      this.server.engine.log.warning(
        `Closing client that reached max query buffer length: ${
          clientInfo(this.client)
        } (qbuf initial bytes: ${start})`,
      );
      this.close();
    }
  }

  /** Runs what waits in the connection's own buffer. */
  #workOffInput(): void {
    const parser = this.#parser!;
    if (this.client.closing) return;
    this.#run(parser, this.#input, this.#inputEnd);
    if (this.#parser === null) return;
    if (parser.pos === this.#inputEnd && !parser.inCommand) {
      this.#parser = null;
      this.server.parsers.give(parser);
      this.#inputEnd = 0;
      this.#input = NO_BYTES;
      return;
    }
    const from = parser.keepFrom;
    if (from > 0) {
      this.#input.copyWithin(0, from, this.#inputEnd);
      this.#inputEnd -= from;
      parser.shift(from);
    }
  }

  /** Executes commands until the bytes end, or the client has to wait or goes. */
  #run(parser: Parser, bytes: Uint8Array, end: number): void {
    const { client, server } = this;
    const { engine } = server;
    const { reply } = engine;
    const maxBulk = server.config.values.protoMaxBulkLen;
    engine.beginServing(client);
    while (parser.pos < end) {
      const outcome = parser.parse(bytes, end, maxBulk, (client.deny & Deny.AUTH) === 0);
      if (outcome === Parsed.COMMAND) {
        client.args = parser.args;
        const mark = reply.at;
        execute(client);
        if (client.replyOff || client.replySkip > 0) {
          reply.at = mark;
          if (client.replySkip > 0) client.replySkip--;
        }
        if (reply.at > FLUSH_AT) this.flush();
        if (client.closing || this.#held) break;
      } else if (outcome === Parsed.INCOMPLETE) break;
      else if (outcome === Parsed.ERROR) {
        this.#protocolError(parser.error, bytes, parser.pos, end);
        break;
      }
    }
    if (engine.runCommand !== null) endRun(client);
    this.flush();
    engine.serving = null;
  }

  #protocolError(text: string, bytes: Uint8Array, from: number, end: number): void {
    const { engine } = this.server;
    const shown = JSON.stringify(String.fromCharCode(...bytes.subarray(from, Math.min(end, from + 128))));
    engine.log.verbose(`Protocol error (${text}) from client: ${clientInfo(this.client)}. Query buffer: ${shown}`);
    engine.reply.error(errorReply(`ERR Protocol error: ${text}`));
    this.closeAfterReply();
  }

  resume(): void {
    this.server.engine.platform.clock.soon(() => {
      if (this.#parser === null || this.#held || this.client.closing) return;
      this.server.engine.refreshTime();
      this.#workOffInput();
    });
  }

  // ---- Out ---------------------------------------------------------------------------------------------------------------------

  flush(): void {
    const { reply, stats } = this.server.engine;
    const length = reply.at;
    if (length === 0) {
      if (this.#closeWhenSent && this.outputBytes === 0) this.connection.close();
      return;
    }
    if (length > this.replyBufferPeak) this.replyBufferPeak = length;
    if (this.client.closed) return reply.clear();
    stats.writes++;
    if (this.outputBytes > 0) this.#enqueue(reply.buf.slice(0, length));
    else {
      const taken = this.connection.write(reply.buf, 0, length);
      stats.output += taken;
      if (taken < length) this.#enqueue(reply.buf.slice(taken, length));
    }
    reply.clear();
    if (this.#closeWhenSent && this.outputBytes === 0) this.connection.close();
  }

  send(bytes: Uint8Array): void {
    if (this.client.closed || this.#closeWhenSent) return;
    if (this.outputBytes > 0) return this.#enqueue(bytes);
    const taken = this.connection.write(bytes, 0, bytes.length);
    this.server.engine.stats.output += taken;
    if (taken < bytes.length) this.#enqueue(taken === 0 ? bytes : bytes.subarray(taken));
  }

  #enqueue(bytes: Uint8Array): void {
    this.#queue.push(bytes);
    this.outputBytes += bytes.length;
    const limits = this.server.config.values.clientOutputBufferLimit;
    const { client } = this;
    const limit = client.isReplica ? limits.replica : client.subscriptions > 0 ? limits.pubsub : limits.normal;
    if (this.#overLimit(limit.hard, limit.soft, limit.softSeconds)) this.#closeOverLimit();
    else if (limit.hard === 0 && this.outputBytes > STOP_READING_AT && !this.#readingStopped) {
      this.#readingStopped = true;
      this.connection.pause();
    }
  }

  #overLimit(hard: number, soft: number, softSeconds: number): boolean {
    if (hard > 0 && this.outputBytes >= hard) return true;
    if (soft === 0 || this.outputBytes < soft) {
      this.#softLimitSince = 0;
      return false;
    }
    const now = this.server.engine.keyspace.now;
    if (this.#softLimitSince === 0) this.#softLimitSince = now;
    return now - this.#softLimitSince > softSeconds * 1000;
  }

  /** For the cron: a soft limit runs out with time alone. */
  checkOutputLimit(): void {
    if (this.outputBytes === 0 || this.client.closed) return;
    const limits = this.server.config.values.clientOutputBufferLimit;
    const { client } = this;
    const limit = client.isReplica ? limits.replica : client.subscriptions > 0 ? limits.pubsub : limits.normal;
    if (this.#overLimit(limit.hard, limit.soft, limit.softSeconds)) this.#closeOverLimit();
  }

  #closeOverLimit(): void {
    const { engine } = this.server;
    engine.stats.outputBufferLimitDisconnections++;
    engine.log.warning(
      `Client ${clientInfo(this.client)} scheduled to be closed ASAP for overcoming of output buffer limits.`,
    );
    this.close();
  }

  drain(): void {
    const { stats } = this.server.engine;
    while (this.#first < this.#queue.length) {
      const chunk = this.#queue[this.#first];
      const taken = this.connection.write(chunk, this.#sent, chunk.length);
      stats.output += taken;
      this.outputBytes -= taken;
      this.#sent += taken;
      if (this.#sent < chunk.length) break;
      this.#sent = 0;
      this.#queue[this.#first++] = NO_BYTES;
    }
    if (this.#first === this.#queue.length) {
      this.#queue = [];
      this.#first = 0;
      if (this.#closeWhenSent) return this.connection.close();
    } else if (this.#first > 1024 && this.#first * 2 > this.#queue.length) {
      this.#queue.splice(0, this.#first);
      this.#first = 0;
    }
    if (this.#readingStopped && this.outputBytes < READ_AGAIN_AT) {
      this.#readingStopped = false;
      this.connection.resume();
      this.resume();
    }
  }

  // ---- The end -----------------------------------------------------------------------------------------------------------------

  closeAfterReply(): void {
    this.client.closing = true;
    this.#closeWhenSent = true;
    if (this.server.engine.serving !== this.client && this.outputBytes === 0) this.connection.close();
  }

  close(): void {
    this.client.closing = true;
    this.#queue = [];
    this.#first = 0;
    this.outputBytes = 0;
    this.server.forget(this.client);
    this.connection.abort();
  }

  /** The peer has sent its last byte; it may still read. */
  end(): void {
    this.server.engine.log.verbose("Client closed connection");
    this.closeAfterReply();
  }

  closed(error: string): void {
    if (error !== "") this.server.engine.log.verbose(`Reading from client: ${error}`);
    this.client.closing = true;
    if (this.#parser !== null) {
      this.#parser = null;
      this.#input = NO_BYTES;
    }
    this.server.forget(this.client);
  }
}
