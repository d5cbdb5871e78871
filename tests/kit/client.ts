/**
 * A small RESP2/RESP3 client for tests. It shares nothing with `lib/resp`: a misreading of the protocol in one of them shows
 * as a difference instead of cancelling out. Replies are `Reply` values (see `reply.ts`); an error reply is a value, not an exception,
 * because most tests are about it. Bytes are latin1 strings, so any byte can be written as "\xff".
 *
 *     await using server = await startRedstart();
 *     const client = await server.connect();
 *     assertEquals(await client.call("SET", "k", 1), { status: "OK" });
 *     assertEquals(await client.pipeline([["INCR", "k"], ["GET", "k"]]), [2, "2"]);
 *     client.send("PI"); client.send("NG\r\n");
 *     assertEquals(await client.readBytes(7), "+PONG\r\n");
 *
 * RESP3 push messages are out of band: they never answer a `call`; `nextPush` gives them one by one. In RESP2 the
 * same messages are plain arrays and come from `readReply`.
 */

import { Buffer } from "node:buffer";
import { connect as connectSocket, type Socket } from "node:net";
import { errorOf, isPush, type Reply } from "./reply.ts";

export type Argument = string | number | bigint | Uint8Array;
export type Command = readonly Argument[];

/** A TCP port on 127.0.0.1 or the path of a unix socket. */
export type Target = { readonly port: number; readonly host?: string } | { readonly path: string };

/** The bytes of a command as a RESP array of bulk strings. Strings are latin1. */
export function encodeCommand(command: Command): Uint8Array {
  return encodeCommands([command]);
}

/** Several commands, one after the other. */
export function encodeCommands(commands: readonly Command[]): Uint8Array {
  const parts: Uint8Array[] = [];
  let text = "";
  for (const command of commands) {
    text += `*${command.length}\r\n`;
    for (const argument of command) {
      if (argument instanceof Uint8Array) {
        parts.push(Buffer.from(`${text}$${argument.length}\r\n`, "latin1"), argument);
        text = "\r\n";
      } else {
        const value = String(argument);
        text += `$${value.length}\r\n${value}\r\n`;
      }
    }
  }
  if (parts.length === 0) return Buffer.from(text, "latin1");
  parts.push(Buffer.from(text, "latin1"));
  return Buffer.concat(parts);
}

/** Thrown by a read when the server has closed the connection. */
export class ConnectionClosed extends Error {
  override name = "ConnectionClosed";
}

/** Not all bytes of the next reply are there yet. */
const INCOMPLETE = Symbol();

export class Client {
  /** Milliseconds after which a waiting read gives up: a net for hangs. */
  timeoutMs = 30_000;
  /** Push messages not yet asked for. */
  readonly pushes: Reply[] = [];
  #buffer: Buffer = Buffer.alloc(0);
  #chunks: Buffer[] = [];
  #chunkBytes = 0;
  #at = 0;
  /** A read cannot succeed before this many bytes are there; saves parsing a long reply again at each chunk. */
  #needed = 0;
  #waiting: (() => void) | null = null;
  /** The aggregates that the reply under way is in, outermost first. */
  readonly #open: Aggregate[] = [];
  /** How many bytes the parse that stopped knew to lack. */
  #missing = 1;
  #closed = false;
  readonly #socket: Socket;
  #paused = false;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on("data", (chunk: Buffer) => {
      this.#chunks.push(chunk);
      this.#chunkBytes += chunk.length;
      if (this.#buffer.length - this.#at + this.#chunkBytes >= this.#needed) this.#wake();
    });
    const closed = () => {
      this.#closed = true;
      this.#wake();
    };
    socket.on("end", closed);
    socket.on("close", closed);
    socket.on("error", closed);
  }

  static connect(target: Target): Promise<Client> {
    return new Promise((resolve, reject) => {
      const socket = "path" in target
        ? connectSocket({ path: target.path, allowHalfOpen: true })
        : connectSocket({ port: target.port, host: target.host ?? "127.0.0.1", allowHalfOpen: true });
      socket.once("error", reject);
      socket.once("connect", () => {
        socket.off("error", reject);
        resolve(new Client(socket));
      });
    });
  }

  /** Sends one command and waits for its reply. */
  async call(...command: Argument[]): Promise<Reply> {
    this.send(encodeCommand(command));
    return await this.readReply();
  }

  /** Like `call`, but an error reply is thrown: for set-up steps that must work. */
  async ok(...command: Argument[]): Promise<Reply> {
    const reply = await this.call(...command);
    const error = errorOf(reply);
    if (error !== undefined) throw new Error(`${command.slice(0, 4).join(" ")}: ${error}`);
    return reply;
  }

  /** Sends all commands at once, then reads as many replies. */
  async pipeline(commands: readonly Command[]): Promise<Reply[]> {
    this.send(encodeCommands(commands));
    return await this.readReplies(commands.length);
  }

  /** Sends raw bytes. */
  send(bytes: Uint8Array | string): void {
    this.#socket.write(typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes);
  }

  async readReplies(count: number): Promise<Reply[]> {
    const replies: Reply[] = [];
    while (replies.length < count) replies.push(await this.readReply());
    return replies;
  }

  /** The next reply that is not a push message. */
  async readReply(): Promise<Reply> {
    while (true) {
      const reply = await this.#next();
      if (!isPush(reply)) return reply;
      this.pushes.push(reply);
    }
  }

  /** The next message of either kind, in the order of arrival: what SUBSCRIBE is confirmed with is a push in RESP3. */
  async readAny(): Promise<Reply> {
    return this.pushes.shift() ?? await this.#next();
  }

  /** The next push message, `{ push: […] }`, waiting for one if none has come yet. */
  async nextPush(): Promise<Reply> {
    const early = this.pushes.shift();
    if (early !== undefined) return early;
    const reply = await this.#next();
    if (isPush(reply)) return reply;
    throw new Error(`expected a push message, got ${JSON.stringify(reply)}`);
  }

  /** Exactly `count` raw bytes. */
  async readBytes(count: number): Promise<string> {
    while (this.#available() < count) await this.#more(count);
    const text = this.#buffer.toString("latin1", this.#at, this.#at + count);
    this.#at += count;
    return text;
  }

  /** All bytes up to the moment the server closes the connection. */
  async readToEnd(): Promise<string> {
    while (!this.#closed) await this.#more(Infinity);
    return await this.readBytes(this.#available());
  }

  /** True once the server has closed the connection (or reset it). */
  get closed(): boolean {
    return this.#closed;
  }

  /** Stops and restarts reading from the socket: a slow reader. */
  pause(): void {
    this.#paused = true;
    this.#socket.pause();
  }
  resume(): void {
    this.#paused = false;
    this.#socket.resume();
  }

  /** Closes the sending side only. */
  end(): void {
    this.#socket.end();
  }

  /** Closes the connection at once. */
  close(): void {
    this.#closed = true;
    this.#socket.destroy();
    this.#wake();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #wake(): void {
    this.#needed = 0;
    const waiting = this.#waiting;
    this.#waiting = null;
    waiting?.();
  }

  #available(): number {
    if (this.#chunks.length > 0) {
      const rest = this.#at < this.#buffer.length ? [this.#buffer.subarray(this.#at)] : [];
      this.#buffer = rest.length === 0 && this.#chunks.length === 1
        ? this.#chunks[0]
        : Buffer.concat([...rest, ...this.#chunks]);
      this.#at = 0;
      this.#chunks = [];
      this.#chunkBytes = 0;
    }
    return this.#buffer.length - this.#at;
  }

  /** Waits for more bytes, as many as make `count` unread ones if that is known. */
  #more(count: number): Promise<void> {
    if (this.#closed) return Promise.reject(new ConnectionClosed("the server closed the connection"));
    return new Promise((resolve, reject) => {
      this.#needed = count;
      const timer = setTimeout(() => {
        this.#waiting = null;
        reject(new Error(`no reply within ${this.timeoutMs} ms${this.#paused ? " (reading is paused)" : ""}`));
      }, this.timeoutMs);
      this.#waiting = () => {
        clearTimeout(timer);
        // The last bytes and the close may come together; only a reader that still lacks bytes fails, at its next wait.
        resolve();
      };
    });
  }

  async #next(): Promise<Reply> {
    while (true) {
      const available = this.#available();
      this.#missing = 1;
      const reply = available > 0 ? this.#parse() : INCOMPLETE;
      if (reply !== INCOMPLETE) return reply;
      await this.#more(this.#available() + this.#missing);
    }
  }

  /** Goes on with the reply under way; what was parsed of it is kept in `#open` while bytes are missing. */
  #parse(): Reply | typeof INCOMPLETE {
    while (true) {
      let value = this.#parseOne();
      if (value === INCOMPLETE) return INCOMPLETE;
      if (value instanceof Aggregate) {
        if (value.count > 0) {
          this.#open.push(value);
          continue;
        }
        value = value.finish([]);
      }
      let top = this.#open.at(-1);
      while (top !== undefined) {
        top.items.push(value);
        if (top.items.length < top.count) break;
        this.#open.pop();
        value = top.finish(top.items);
        top = this.#open.at(-1);
      }
      if (top === undefined) return value;
    }
  }

  /** One line, with its bulk if it has one. */
  #parseOne(): Reply | Aggregate | typeof INCOMPLETE {
    const lineEnd = this.#buffer.indexOf("\r\n", this.#at, "latin1");
    if (lineEnd === -1) return INCOMPLETE;
    const kind = String.fromCharCode(this.#buffer[this.#at]);
    const line = this.#buffer.toString("latin1", this.#at + 1, lineEnd);
    const after = lineEnd + 2;
    let bulk = "";
    if (kind === "!" || kind === "=" || (kind === "$" && line !== "-1")) {
      const end = after + length(line);
      if (end + 2 > this.#buffer.length) {
        this.#missing = end + 2 - this.#buffer.length;
        return INCOMPLETE;
      }
      if (this.#buffer[end] !== 13 || this.#buffer[end + 1] !== 10) throw new Error("a bulk does not end with CR LF");
      bulk = this.#buffer.toString("latin1", after, end);
      this.#at = end + 2;
    } else {
      this.#at = after;
    }
    switch (kind) {
      case "+":
        return { status: line };
      case "-":
        return { error: line };
      case ":":
        return exactInteger(line);
      case "$":
        return line === "-1" ? null : bulk;
      case "_":
        return { nil: "_" };
      case "#":
        return { bool: line === "t" };
      case ",":
        return { double: line };
      case "(":
        return { big: line };
      case "!":
        return { bulkError: bulk };
      case "=":
        return { verbatim: bulk.slice(0, 3), text: bulk.slice(4) };
      case "*":
        return line === "-1" ? { nil: "*" } : new Aggregate(length(line), (items) => items);
      case "~":
        return new Aggregate(length(line), (set) => ({ set }));
      case ">":
        return new Aggregate(length(line), (push) => ({ push }));
      case "%":
        return new Aggregate(length(line) * 2, (flat) => ({ map: pairs(flat) }));
      case "|":
        // The attributes belong to the reply that follows them.
        return new Aggregate(length(line) * 2 + 1, (flat) => {
          const reply = flat.pop() as Reply;
          return { attributes: pairs(flat), reply };
        });
    }
    throw new Error(`not a reply: ${JSON.stringify(kind + line.slice(0, 200))}`);
  }
}

/** An array, set or map whose items are still coming. */
class Aggregate {
  readonly items: Reply[] = [];
  constructor(readonly count: number, readonly finish: (items: Reply[]) => Reply) {}
}

function pairs(flat: readonly Reply[]): [Reply, Reply][] {
  const entries: [Reply, Reply][] = [];
  for (let i = 0; i < flat.length; i += 2) entries.push([flat[i], flat[i + 1]]);
  return entries;
}

function exactInteger(text: string): number | bigint {
  if (!/^-?\d+$/.test(text)) throw new Error(`not an integer: ${JSON.stringify(text)}`);
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : BigInt(text);
}

function length(text: string): number {
  if (!/^\d+$/.test(text)) throw new Error(`not a length: ${JSON.stringify(text)}`);
  return Number(text);
}
