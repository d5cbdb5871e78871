/**
 * A client's connection: bytes in, commands, replies out.
 *
 * In. A chunk is parsed where it lies, with a parser shared by all connections. Only what cannot be consumed at once (half a command, or
 * anything behind a command that blocks) is copied into a buffer of the connection, and the parser with its state goes
 * along. When that buffer has been worked off, the parser goes back to a pool; the buffer stays for a while (the next large value
 * probably follows) until the cron finds it too large or idle. So an idle connection owns no buffer at all.
 *
 * Out. The replies to all commands of a chunk gather in the server's reply buffer and leave with one write. What the peer does not
 * take waits in a queue of blocks, bounded by client-output-buffer-limit; where no limit is set, a connection with a long queue is
 * not read any further until it shrinks. A batch of replies that is longer than the limit by itself is not sent at all.
 *
 * Figures. CLIENT LIST shows buffers that nobody has by himself here (qbuf-free, rbs, rbp). A client is charged the room in the
 * shared buffers that its own traffic calls for: as much for reading as one read may bring while it is active, and as
 * much for replies as it used lately, by the rules by which Redis resizes the buffers it gives each client.
 */

import { Deny } from "../engine/command.ts";
import { Client, type Link } from "../engine/client.ts";
import { clientInfo } from "../engine/client_info.ts";
import { endRun, execute } from "../engine/execute.ts";
import { copyBytes } from "../bytes/span.ts";
import type { OutputBufferLimit } from "../config/config.ts";
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
/** Arguments from this length on get a buffer that just holds them, instead of one that doubles. */
const BIG_ARGUMENT = 32 * 1024;
/** Input buffers up to this size are not worth shrinking while they are in use. */
const KEEP_INPUT = 32 * 1024;
const MIN_FREE = 4 * 1024;
/** Room charged for reading, while the client has not been idle for longer than so many seconds. */
const READ_ROOM = 16 * 1024;
const ACTIVE_SECONDS = 2;
/** Room charged for replies. */
const MIN_REPLY_ROOM = 1024;
const MAX_REPLY_ROOM = 16 * 1024;
/** Short pieces of output are gathered in blocks of this size. */
const BLOCK = 16 * 1024;
/** Pieces from this length on are not copied into blocks. */
const SHARED = 4 * 1024;
const BLOCK_OVERHEAD = 48;
/** Longer replies do not go to the outbox. */
const OUTBOX_BYTES = 4 * 1024;
const NO_BYTES = new Uint8Array(0);
/** Never added to. */
const NOTHING: Uint8Array[] = [];
const NO_LIMIT: OutputBufferLimit = { hard: 0, soft: 0, softSeconds: 0 };

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
    parser.reset();
    if (this.#parsers.length < 64) this.#parsers.push(parser);
  }
}

/** Joins what was gathered. Subscribers of one channel get the very same messages, which are joined once for all of them. */
export class Joiner {
  #parts: readonly Uint8Array[] = NOTHING;
  #joined = NO_BYTES;

  join(parts: readonly Uint8Array[]): Uint8Array {
    if (this.#isSame(parts)) return this.#joined;
    let size = 0;
    for (const part of parts) size += part.length;
    const bytes = new Uint8Array(size);
    let at = 0;
    for (const part of parts) {
      copyBytes(part, 0, part.length, bytes, at);
      at += part.length;
    }
    this.#parts = parts;
    this.#joined = bytes;
    return bytes;
  }

  #isSame(parts: readonly Uint8Array[]): boolean {
    if (parts.length !== this.#parts.length) return false;
    for (let i = 0; i < parts.length; i++) if (parts[i] !== this.#parts[i]) return false;
    return true;
  }

  /** Lets go of what was joined last. */
  forget(): void {
    this.#parts = NOTHING;
    this.#joined = NO_BYTES;
  }
}

export class ClientConnection implements ConnectionHandler, Link {
  readonly client: Client;
  readonly descriptor: number;
  readonly isUnixSocket: boolean;
  /** Room for replies charged to the client, and the most it needed lately. */
  replyBufferSize = MAX_REPLY_ROOM;
  replyBufferPeak = MAX_REPLY_ROOM;
  #peakSince: number;

  /** Bytes that wait for their turn: `#input[#parser.pos, #inputEnd)`; no parser while nothing waits. */
  #input: Uint8Array = NO_BYTES;
  #inputEnd = 0;
  #parser: Parser | null = null;
  /** The most that waited since the cron last looked. */
  #inputPeak = 0;
  /** What others have sent in the course of the present batch, behind what waits at `[#outboxFrom, #outboxEnd)` of the outbox. */
  #gathered: Uint8Array[] = NOTHING;
  #outboxFrom = 0;
  #outboxEnd = 0;
  /** Bytes of the batch that is being worked off, 0 in between. */
  #batch = 0;
  /** Where in the reply buffer the replies begin that CLIENT REPLY may drop. */
  #droppable = 0;
  /** Queued output: chunks from `#first` on, of the first one `#sent` bytes are out, of the last one `#lastUsed` are meant. */
  #queue: Uint8Array[] = [];
  #first = 0;
  #sent = 0;
  #lastUsed = 0;
  outputBytes = 0;
  onDrained: (() => void) | null = null;
  #softLimitSince = 0;
  #readingStopped = false;
  #closeWhenSent = false;

  constructor(readonly server: Server, readonly connection: Connection, isUnixSocket: boolean) {
    this.isUnixSocket = isUnixSocket;
    this.descriptor = server.nextDescriptor++;
    this.client = new Client(server.engine, this);
    this.#peakSince = server.engine.keyspace.now;
  }

  get remote(): string {
    return this.connection.remote;
  }
  get local(): string {
    return this.connection.local;
  }
  get inputBytes(): number {
    if (this.#batch > 0) return this.#batch;
    return this.#parser === null ? 0 : this.#inputEnd - this.#parser.pos;
  }
  get inputFree(): number {
    if (this.#input.length > 0) return this.#input.length - this.#inputEnd;
    return this.#idleSeconds > ACTIVE_SECONDS ? 0 : Math.max(0, READ_ROOM - this.#batch);
  }
  get outputChunks(): number {
    return this.#queue.length - this.#first;
  }
  get memory(): number {
    const input = this.#input.length > 0 ? Math.max(this.#input.length, this.#promised) : this.inputFree + this.#batch;
    return CLIENT_BYTES + input + this.replyBufferSize + this.outputBytes + this.outputChunks * BLOCK_OVERHEAD;
  }
  /** Bytes that the buffer will have to hold for a long argument of which only a part is here: a client is charged for it in advance. */
  get #promised(): number {
    return this.#parser !== null && this.#parser.bulk >= BIG_ARGUMENT ? this.#parser.need : 0;
  }
  get #idleSeconds(): number {
    const { now } = this.server.engine.keyspace;
    return Math.floor(now / 1000) - Math.floor(this.client.lastInteraction / 1000);
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
    try {
      this.#receive(bytes, length);
    } catch (error) {
      this.#failed(error);
      throw error;
    }
    const { eviction } = this.server;
    if (eviction.limit > 0) {
      eviction.update(client);
      eviction.evict();
    }
  }

  /** A defect of ours costs this connection (the platform aborts it); its half-written replies must not reach the next client. */
  #failed(error: unknown): void {
    const { engine } = this.server;
    const text = error instanceof Error ? error.stack ?? error.message : String(error);
    engine.log.warning(`Internal error while serving a client, closing it: ${clientInfo(this.client)}: ${text}`);
    engine.reply.clear();
    engine.reply.limit = Infinity;
    this.#batch = 0;
    engine.endServing();
  }

  #receive(bytes: Uint8Array, length: number): void {
    const { client } = this;
    if (this.#parser !== null) {
      this.#append(bytes, length);
      if (!this.#held) this.#workOffInput();
      return;
    }
    const parser = this.server.parsers.shared;
    parser.reset();
    if (this.#held) {
      this.#parser = this.server.parsers.takeShared();
      this.#append(bytes, length);
      return;
    }
    this.#run(parser, bytes, length);
    if ((parser.pos < length || parser.inCommand) && !client.closing) {
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
      const parser = this.#parser!;
      // A long argument gets what it takes and no more, but not before most of it is there.
      const size = parser.bulk >= BIG_ARGUMENT ? Math.min(Math.max(end, parser.need), end * 2) : end * 2;
      const grown = new Uint8Array(Math.max(FIRST_INPUT, size));
      grown.set(this.#input.subarray(0, this.#inputEnd));
      this.#input = grown;
    }
    this.#input.set(length === bytes.length ? bytes : bytes.subarray(0, length), this.#inputEnd);
    this.#inputEnd = end;
    if (end > this.#inputPeak) this.#inputPeak = end;
    const limit = this.server.config.values.clientQueryBufferLimit;
    if (this.inputBytes > limit && !this.client.isMaster) {
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
      return;
    }
    const from = parser.keepFrom;
    if (from > 0) {
      this.#input.copyWithin(0, from, this.#inputEnd);
      this.#inputEnd -= from;
      parser.shift(from);
    }
  }

  /** For the cron: gives back what is too large for what it holds, and everything when the client is idle. */
  resizeInput(): void {
    const free = this.#input.length - this.#inputEnd;
    const idle = this.#idleSeconds > ACTIVE_SECONDS;
    if (free > MIN_FREE && (idle || (this.#input.length > KEEP_INPUT && this.#input.length / 2 > this.#inputPeak))) {
      const parser = this.#parser;
      const wanted = idle ? this.#inputEnd : Math.max(this.#inputEnd, this.#inputPeak, parser?.bulk ?? 0);
      const fitting = wanted === 0 ? NO_BYTES : new Uint8Array(wanted);
      fitting.set(this.#input.subarray(0, this.#inputEnd));
      this.#input = fitting;
    }
    this.#inputPeak = this.#inputEnd;
  }

  /** For the cron: the room charged for replies follows what they need. */
  resizeReply(): void {
    const { engine } = this.server;
    const { replyResizing, replyPeakReset } = engine.debug;
    if (!replyResizing) return;
    const size = this.replyBufferSize;
    const peak = this.replyBufferPeak;
    if (size / 2 >= MIN_REPLY_ROOM && peak < size / 2) this.replyBufferSize = Math.max(MIN_REPLY_ROOM, peak + 1);
    else if (size < MAX_REPLY_ROOM && peak === size) this.replyBufferSize = Math.min(MAX_REPLY_ROOM, size * 2);
    const { now } = engine.keyspace;
    if (replyPeakReset >= 0 && now - this.#peakSince >= replyPeakReset) {
      this.replyBufferPeak = 0;
      this.#peakSince = now;
    }
  }

  /** Executes commands until the bytes end, or the client has to wait or goes. */
  #run(parser: Parser, bytes: Uint8Array, end: number): void {
    const { client, server } = this;
    const { engine } = server;
    const { reply } = engine;
    const maxBulk = server.config.values.protoMaxBulkLen;
    this.#batch = end;
    reply.limit = this.#replyLimit;
    engine.beginServing(client);
    while (parser.pos < end) {
      const outcome = parser.parse(bytes, end, maxBulk, (client.deny & Deny.AUTH) === 0);
      if (outcome === Parsed.COMMAND) {
        client.args = parser.args;
        this.#droppable = reply.at;
        if (client.replySkip > 0) client.replySkip--;
        execute(client);
        if (client.isReplica && reply.at > this.#droppable) this.#refuseReplica();
        this.#dropReplies();
        if (reply.at > FLUSH_AT) {
          this.flush();
          engine.callEnd = -1;
        }
        if (client.closing || this.#held) break;
      } else if (outcome === Parsed.INCOMPLETE) break;
      else if (outcome === Parsed.ERROR) {
        this.#protocolError(parser.error, bytes, parser.pos, end);
        break;
      }
    }
    if (engine.runCommand !== null) endRun(client);
    engine.propagation.endOfBatch();
    this.#droppable = reply.at;
    this.flush();
    engine.endServing();
    reply.limit = Infinity;
    this.#batch = 0;
  }

  /** A reply in the middle of the stream would be taken for a part of it. */
  #refuseReplica(): void {
    const { reply, log } = this.server.engine;
    const name = this.client.command?.fullName ?? "<unknown>";
    log.warning(`Replica generated a reply to command '${name}', disconnecting it: ${clientInfo(this.client)}`);
    reply.at = this.#droppable;
    this.close();
  }

  /** CLIENT REPLY: forgets what the current command has replied. */
  #dropReplies(): void {
    if (!this.client.replyOff && this.client.replySkip !== 1) return;
    const { reply } = this.server.engine;
    const from = Math.max(this.#droppable, reply.base);
    if (reply.at > from) reply.at = from;
  }

  #protocolError(text: string, bytes: Uint8Array, from: number, end: number): void {
    const { engine } = this.server;
    const shown = JSON.stringify(String.fromCharCode(...bytes.subarray(from, Math.min(end, from + 128))));
    engine.log.verbose(`Protocol error (${text}) from client: ${clientInfo(this.client)}. Query buffer: ${shown}`);
    if (!this.client.replyOff) engine.reply.error(errorReply(`ERR Protocol error: ${text}`));
    this.closeAfterReply();
  }

  resume(): void {
    if (this.#parser === null) return;
    this.server.engine.platform.clock.soon(() => {
      if (this.#parser === null || this.#held || this.client.closing) return;
      this.server.engine.refreshTime();
      this.#workOffInput();
    });
  }

  // ---- Out ---------------------------------------------------------------------------------------------------------------------

  flush(): void {
    const { engine } = this.server;
    const { reply, stats } = engine;
    const later = engine.holdReplies || engine.inBetween;
    if (!later) this.sendGathered();
    this.#dropReplies();
    this.#droppable = 0;
    const { base } = reply;
    const length = reply.at - base;
    if (length === 0) {
      if (this.#closeWhenSent && this.outputBytes === 0 && !this.#hasGathered) this.connection.close();
      return;
    }
    if (length > this.replyBufferPeak) this.replyBufferPeak = Math.min(length, this.replyBufferSize);
    if (this.client.closed) return reply.clear();
    if (length > reply.limit && length > this.#replyLimit) {
      reply.clear();
      return this.#closeOverLimit();
    }
    if (later) {
      this.#gatherCopy(reply.buf, base, reply.at);
      return reply.clear();
    }
    stats.writes++;
    if (this.outputBytes > 0) this.#enqueue(reply.buf, 0, length, false);
    else {
      const taken = this.connection.write(reply.buf, 0, length);
      stats.output += taken;
      if (taken < length) this.#enqueue(reply.buf, taken, length, false);
    }
    reply.clear();
    if (this.#closeWhenSent && this.outputBytes === 0) this.connection.close();
  }

  send(bytes: Uint8Array): void {
    if (this.client.closed || this.#closeWhenSent) return;
    const { engine } = this.server;
    if (engine.serving === null && !engine.holdReplies) return this.#sendNow(bytes, 0, bytes.length, true);
    // In the middle of a batch more may follow (a pipeline of PUBLISH): all of it leaves with one write at the batch's end.
    this.#gather(bytes);
  }

  sendCopy(bytes: Uint8Array, start: number, end: number): void {
    if (this.client.closed || this.#closeWhenSent) return;
    const { engine } = this.server;
    if (engine.serving === null && !engine.holdReplies) return this.#sendNow(bytes, start, end, false);
    this.#gatherCopy(bytes, start, end);
  }

  get #hasGathered(): boolean {
    return this.#gathered.length > 0 || this.#outboxEnd > 0;
  }

  #gather(bytes: Uint8Array): void {
    if (!this.#hasGathered) this.server.engine.gathering.push(this);
    if (this.#gathered.length > 0) this.#gathered.push(bytes);
    else this.#gathered = [bytes];
  }

  /** Gathers a copy of `from[start, end)`. */
  #gatherCopy(from: Uint8Array, start: number, end: number): void {
    const { outbox, gathering } = this.server.engine;
    const isFirst = !this.#hasGathered;
    const fits = isFirst || (this.#gathered.length === 0 && this.#outboxEnd === outbox.end);
    if (!fits || end - start > OUTBOX_BYTES) return this.#gather(from.slice(start, end));
    if (isFirst) {
      gathering.push(this);
      this.#outboxFrom = outbox.end;
    }
    this.#outboxEnd = outbox.add(from, start, end);
  }

  sendNow(bytes: Uint8Array): void {
    if (this.#closeWhenSent) return;
    this.sendGathered();
    this.#sendNow(bytes, 0, bytes.length, true);
  }

  sendGathered(): void {
    if (!this.#hasGathered) return;
    const parts = this.#gathered;
    const end = this.#outboxEnd;
    this.#gathered = NOTHING;
    this.#outboxEnd = 0;
    if (end > 0) this.#sendNow(this.server.engine.outbox.buf, this.#outboxFrom, end, false);
    if (parts.length > 0) {
      const bytes = parts.length === 1 ? parts[0] : this.server.joiner.join(parts);
      this.#sendNow(bytes, 0, bytes.length, true);
    }
    if (this.#closeWhenSent && this.outputBytes === 0) this.connection.close();
  }

  /** Sends `bytes[start, end)`. `keeps` as in `#enqueue`. */
  #sendNow(bytes: Uint8Array, start: number, end: number, keeps: boolean): void {
    if (this.client.closed) return;
    let from = start;
    if (this.outputBytes === 0) {
      const taken = this.connection.write(bytes, start, end);
      this.server.engine.stats.output += taken;
      from += taken;
    }
    if (from < end) this.#enqueue(bytes, from, end, keeps);
  }

  /**
   * Queues `bytes[from, end)`: a copy, or with `keeps` (nobody changes the bytes later) a long piece as it is, so that replicas share the
   * stream's blocks.
   */
  #enqueue(bytes: Uint8Array, from: number, end: number, keeps: boolean): void {
    const length = end - from;
    const last = this.#queue.length - 1;
    if (keeps && length >= SHARED) {
      if (last >= this.#first) this.#queue[last] = this.#queue[last].subarray(0, this.#lastUsed);
      this.#queue.push(bytes.subarray(from, end));
      this.#lastUsed = length;
    } else if (last >= this.#first && this.#lastUsed + length <= this.#queue[last].length) {
      this.#queue[last].set(bytes.subarray(from, end), this.#lastUsed);
      this.#lastUsed += length;
    } else {
      if (last >= this.#first) this.#queue[last] = this.#queue[last].subarray(0, this.#lastUsed);
      const block = new Uint8Array(Math.max(BLOCK, length));
      block.set(bytes.subarray(from, end));
      this.#queue.push(block);
      this.#lastUsed = length;
    }
    this.outputBytes += length;
    if (this.server.eviction.limit > 0) this.server.eviction.update(this.client);
    if (this.#overLimit()) this.#closeOverLimit();
    else if (this.#limit.hard === 0 && this.outputBytes > STOP_READING_AT && !this.#readingStopped) {
      this.#readingStopped = true;
      this.connection.pause();
    }
  }

  get #limit(): OutputBufferLimit {
    const limits = this.server.config.values.clientOutputBufferLimit;
    const { client } = this;
    // What a replica waits for is in the stream, which sees to its limits; here there is a part of it, or of a snapshot.
    if (client.isReplica) return NO_LIMIT;
    return client.subscriptions > 0 ? limits.pubsub : limits.normal;
  }

  /** More bytes of replies than this are not sent; what fits the room for replies always is, as in Redis. */
  get #replyLimit(): number {
    const { hard } = this.#limit;
    return hard === 0 ? Infinity : Math.max(hard - this.outputBytes, this.replyBufferSize);
  }

  #overLimit(): boolean {
    const { hard, soft, softSeconds } = this.#limit;
    const held = this.outputBytes + this.outputChunks * BLOCK_OVERHEAD;
    if (hard > 0 && held >= hard) return true;
    if (soft === 0 || held < soft) {
      this.#softLimitSince = 0;
      return false;
    }
    const now = this.server.engine.keyspace.now;
    if (this.#softLimitSince === 0) this.#softLimitSince = now;
    return now - this.#softLimitSince > softSeconds * 1000;
  }

  /** For the cron: a soft limit runs out with time alone. */
  checkOutputLimit(): void {
    if (this.outputBytes > 0 && !this.client.closed && this.#overLimit()) this.#closeOverLimit();
  }

  #closeOverLimit(): void {
    const { engine } = this.server;
    engine.log.warning(
      `Client ${clientInfo(this.client)} scheduled to be closed ASAP for overcoming of output buffer limits.`,
    );
    this.close();
  }

  drain(): void {
    const { stats } = this.server.engine;
    while (this.#first < this.#queue.length) {
      const chunk = this.#queue[this.#first];
      const end = this.#first === this.#queue.length - 1 ? this.#lastUsed : chunk.length;
      const taken = this.connection.write(chunk, this.#sent, end);
      stats.output += taken;
      this.outputBytes -= taken;
      this.#sent += taken;
      if (this.#sent < end) break;
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
    if (this.server.eviction.limit > 0) this.server.eviction.update(this.client);
    if (this.#readingStopped && this.outputBytes < READ_AGAIN_AT) {
      this.#readingStopped = false;
      this.connection.resume();
      this.resume();
    }
    if (this.onDrained !== null && this.outputBytes < READ_AGAIN_AT) this.onDrained();
  }

  setNoDelay(on: boolean): void {
    if (!this.isUnixSocket) this.connection.setNoDelay(on);
  }

  // ---- The end -----------------------------------------------------------------------------------------------------------------

  closeAfterReply(): void {
    this.client.closing = true;
    this.#closeWhenSent = true;
    if (this.server.engine.serving === this.client || this.outputBytes > 0 || this.#hasGathered) return;
    this.connection.close();
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
    this.server.forget(this.client);
    this.closeAfterReply();
  }

  closed(error: string): void {
    if (error !== "") this.server.engine.log.verbose(`Reading from client: ${error}`);
    this.client.closing = true;
    this.#parser = null;
    this.#input = NO_BYTES;
    this.#queue = [];
    this.server.forget(this.client);
  }
}
