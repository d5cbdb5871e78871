/**
 * Client: whoever runs commands. A socket is one, and so are the link to a master, the loader of an AOF and an embedding
 * program: they differ in their `link`, which takes the replies, and go through the same `execute`.
 *
 * While a client's commands run, `args` and `reply` are the server's shared ones: the arguments of the command, and the buffer that
 * gathers the replies of the batch. A client that is not being served gets bytes by `deliver`.
 */

import { Args } from "../bytes/args.ts";
import type { ErrorReply } from "../resp/errors.ts";
import { WRONGTYPE } from "../resp/errors.ts";
import type { Reply } from "../resp/reply.ts";
import type { Database } from "../store/database.ts";
import { DEL } from "../store/events.ts";
import type { Blocked } from "./blocking.ts";
import { type Command, Deny } from "./command.ts";
import type { Engine } from "./engine.ts";
import { bytesOf } from "./kept_args.ts";
import type { Transaction, WatchedKey } from "./transaction.ts";

/** Where the replies go and what CLIENT LIST tells of the connection. */
export interface Link {
  readonly remote: string;
  readonly local: string;
  readonly isUnixSocket: boolean;
  /** A number that names the connection in CLIENT LIST. */
  readonly descriptor: number;
  /** Bytes received that are not consumed yet, and free room after them. */
  readonly inputBytes: number;
  readonly inputFree: number;
  /** Replies that wait because the peer reads slowly. */
  readonly outputBytes: number;
  readonly outputChunks: number;
  /** Size of the reply buffer, and the most it had to hold lately. */
  readonly replyBufferSize: number;
  readonly replyBufferPeak: number;
  /** Memory of buffers and structures. */
  readonly memory: number;
  /** Sends, or queues behind what waits already. The bytes are kept, not copied: they must not change afterwards. */
  send(bytes: Uint8Array): void;
  /** As `send`, but makes a copy of `bytes[start, end)`. */
  sendCopy(bytes: Uint8Array, start: number, end: number): void;
  /** Sends behind what `send` has gathered, without waiting for the end of the batch. The bytes are kept as by `send`. */
  sendNow(bytes: Uint8Array): void;
  /** Sends what `send` has gathered during a batch. */
  sendGathered(): void;
  /** Sends what the server's reply buffer holds for this client. */
  flush(): void;
  /** The client is not blocked any more: goes on with what it has sent meanwhile. */
  resume(): void;
  /** Small packets leave at once (TCP_NODELAY), or wait for each other. */
  setNoDelay(on: boolean): void;
  /** Closes when everything has been sent. */
  closeAfterReply(): void;
  /** Closes at once. */
  close(): void;
  /** Called when the queue of output has become short again. */
  onDrained: (() => void) | null;
}

/** Whoever is at the other end is on this machine: what `local` means in the configuration, and whom protected mode lets in. */
export function isLocal(link: Pick<Link, "isUnixSocket" | "remote">): boolean {
  return link.isUnixSocket || link.remote.startsWith("127.0.0.1:") || link.remote.startsWith("[::1]:");
}

/** A link with nobody at its other end, which drops what it is given: that of the AOF's loader. */
export class NoLink implements Link {
  readonly isUnixSocket = false;
  readonly descriptor = -1;
  readonly inputBytes = 0;
  readonly inputFree = 0;
  readonly outputBytes = 0;
  readonly outputChunks = 0;
  readonly replyBufferSize = 0;
  readonly replyBufferPeak = 0;
  readonly memory = 0;
  onDrained: (() => void) | null = null;

  constructor(readonly remote: string, readonly local: string) {}

  send(_bytes: Uint8Array): void {}
  sendCopy(_bytes: Uint8Array, _start: number, _end: number): void {}
  sendNow(_bytes: Uint8Array): void {}
  sendGathered(): void {}
  flush(): void {}
  resume(): void {}
  setNoDelay(_on: boolean): void {}
  closeAfterReply(): void {}
  close(): void {}
}

export class Client {
  readonly id: number;
  /** Latin1 bytes given by CLIENT SETNAME or HELLO. */
  name = "";
  /** The commands' own business; set while this client is served. */
  args: Args;
  readonly reply: Reply;
  db: Database;
  /** Last command looked up, null before the first. */
  command: Command | null = null;
  /** Bits of `Deny` that hold for this client. */
  deny = 0;
  resp: 2 | 3 = 2;
  user = "default";
  authenticated = false;
  transaction: Transaction | null = null;
  /** The key that it has watched last, which leads to the others. */
  watched: WatchedKey | null = null;
  /** A watched key was changed: EXEC will fail. */
  watchFailed = false;
  blocked: Blocked | null = null;
  /** On a second run of a blocked command: the argument that is the key that became ready; 0 on a first run. */
  readyKey = 0;
  /** CLIENT REPLY. */
  replyOff = false;
  /** Number of commands whose replies are still to be dropped. */
  replySkip = 0;
  noEvict = false;
  isMonitor = false;
  isReplica = false;
  /** What it sends is not questioned: the link to the master, the AOF. */
  isTrusted = false;
  /** The link to our master. */
  isMaster = false;
  /** Nothing more is read; closed when the replies are out. */
  closing = false;
  /** Gone. */
  closed = false;
  /** Channels, patterns and shard channels, null before the first SUBSCRIBE. */
  channels: Set<string> | null = null;
  patterns: Set<string> | null = null;
  shardChannels: Set<string> | null = null;
  readonly createdAt: number;
  lastInteraction: number;
  /** Offset of the replication stream after the client's last command: what WAIT waits for. */
  writeOffset = 0;
  /** Bytes of the replication stream that a replica is still to be given. */
  streamBytes = 0;
  /** Microseconds that the current command has taken so far, when it blocks. */
  duration = 0;

  constructor(readonly engine: Engine, readonly link: Link) {
    this.id = engine.nextClientId++;
    this.args = engine.args;
    this.reply = engine.reply;
    this.db = engine.keyspace.databases[0];
    this.createdAt = engine.keyspace.now;
    this.lastInteraction = engine.keyspace.now;
  }

  /** Bytes of the arguments of the command that it runs or waits with. */
  get argumentBytes(): number {
    if (this.engine.serving === this) return bytesOf(this.args);
    return this.blocked === null ? 0 : this.blocked.argumentBytes;
  }

  /** Number of subscriptions of all kinds. */
  get subscriptions(): number {
    return (this.channels?.size ?? 0) + (this.patterns?.size ?? 0) + (this.shardChannels?.size ?? 0);
  }

  /** Commands that would block must not: inside MULTI, or where nobody can wait. */
  get mayNotBlock(): boolean {
    return this.engine.depth > 1 || this.isTrusted;
  }

  /** After a change of the protocol or of the subscriptions. */
  updateSubscribed(): void {
    if (this.subscriptions > 0 && this.resp === 2) this.deny |= Deny.SUBSCRIBED;
    else this.deny &= ~Deny.SUBSCRIBED;
  }

  /** HELLO: replies are in this version of RESP from now on. */
  setProtocol(version: 2 | 3): void {
    this.resp = version;
    if (this.engine.serving === this) this.reply.resp3 = version === 3;
    this.updateSubscribed();
  }

  /** Gives the client bytes at any time: into the reply buffer while it is served, else by its link. */
  deliver(bytes: Uint8Array): void {
    if (this.engine.serving === this && !this.isSilent) this.reply.raw(bytes);
    else this.link.send(bytes);
  }

  /** Replies to its commands are dropped; what it is sent unasked is not. */
  get isSilent(): boolean {
    return this.replyOff || this.replySkip > 0;
  }

  // ---- What handlers need all the time -----------------------------------------------------------------------------------------

  /** Replies with an error; returns false, so that a parser of options can say `return c.fail(SYNTAX)`. */
  fail(error: ErrorReply): false {
    this.reply.error(error);
    return false;
  }

  /**
   * The record of argument i's key for reading if it has this type; 0 when there is none, -1 when it has another type, which has been
   * replied.
   */
  readTyped(i: number, type: number): number {
    const ref = this.db.lookupRead(this.args, i);
    if (ref === 0 || this.db.type(ref) === type) return ref;
    this.reply.error(WRONGTYPE);
    return -1;
  }

  /** The same for writing. */
  writeTyped(i: number, type: number): number {
    const ref = this.db.lookupWrite(this.args, i);
    if (ref === 0 || this.db.type(ref) === type) return ref;
    this.reply.error(WRONGTYPE);
    return -1;
  }

  /** Deletes argument i's key, with all that follows from it; false when there is none. */
  deleteKey(i: number): boolean {
    if (!this.db.delete(this.args, i)) return false;
    this.db.changed(this.args, i, DEL);
    return true;
  }
}
