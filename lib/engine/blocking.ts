/**
 * Blocking: clients that wait for keys.
 *
 * A command that finds nothing to return parks its client with `block`. When something happens to one of the keys (any change:
 * `Engine.changed` sees them all), the key is marked ready, and after the current command (or transaction) the
 * clients that wait for it are served in the order in which they came: the very same handler runs again with the same arguments
 * and `client.readyKey` set to the key's argument. If there is still nothing it calls `block` again, and the client keeps its place
 * and its deadline. Nobody polls: a waiting client costs a timer, if it has a timeout, and a few objects.
 *
 * The clients that wait for one key are a linked list, so that ten thousand of them come and go at the same price each.
 */

import { Args } from "../bytes/args.ts";
import { ByteMap, type Entry } from "../bytes/byte_map.ts";
import { errorReply, UNBLOCKED } from "../resp/errors.ts";
import { Attention } from "../store/keyspace.ts";
import type { Database } from "../store/database.ts";
import type { Client } from "./client.ts";
import type { Command } from "./command.ts";
import type { Engine } from "./engine.ts";
import { call } from "./execute.ts";
import { bytesOf, KeptArgs } from "./kept_args.ts";

/** What a client waits for. */
export interface BlockOptions {
  /** Arguments that are keys: from `first`, `count` of them. */
  readonly first: number;
  readonly count: number;
  /** A key is ready only while it holds this type. */
  readonly type: number;
  /** Milliseconds, 0 for ever. */
  readonly timeout: number;
  /** Writes the reply for a client whose time is up. */
  readonly onTimeout: (c: Client) => void;
  /** Runs the handler also when the key holds another type or is gone (consumer groups). */
  readonly anyType?: boolean;
}

export class Blocked {
  timer: unknown = null;
  /** The handler ran for a ready key and found nothing. */
  again = false;
  /** Whatever the command has to remember until it runs again (the IDs that `$` stood for). */
  state: unknown = null;
  /** Its last place in a queue, which leads to the others. */
  lastPlace: Place | null = null;
  /** The arguments, in an object of their own or, `ref` of them, in `kept`. */
  #args: Args | null = null;
  #kept: KeptArgs | null = null;
  #ref = 0;

  constructor(
    readonly client: Client,
    readonly command: Command,
    readonly options: BlockOptions | null,
    readonly db: Database,
    /** What CLIENT UNBLOCK may do: "key" and "wait" can be unblocked, "postponed" and "held" cannot. */
    readonly reason: "key" | "wait" | "postponed" | "held",
  ) {}

  /** Takes a copy of the client's arguments; `kept` may have it until `dropKept`. */
  takeArgs(kept: KeptArgs | null): void {
    const { args } = this.client;
    this.#ref = kept === null ? 0 : kept.keep(args);
    if (this.#ref === 0) this.#args = args.copy();
    else this.#kept = kept;
  }

  /** The command's arguments. */
  get args(): Args {
    if (this.#args === null) {
      this.#args = new Args();
      this.#kept!.restore(this.#ref, this.#args);
    }
    return this.#args;
  }

  /** The same without a new object: they may be in `shared`. */
  argsIn(shared: Args): Args {
    if (this.#args !== null) return this.#args;
    this.#kept!.restore(this.#ref, shared);
    return shared;
  }

  get argumentBytes(): number {
    return this.#args === null ? this.#kept!.argumentBytes(this.#ref) : bytesOf(this.#args);
  }

  /** The wait is over, and nobody will ask for the arguments who has not done so. */
  dropKept(): void {
    if (this.#ref !== 0) this.#kept!.free(this.#ref);
    this.#ref = 0;
  }
}

/** A client's place in a queue. One that was left still leads on to those that were behind it. */
class Place {
  previous: Place | null = null;
  next: Place | null = null;
  isLeft = false;
  /** `argument` of the client's command is the key; `sibling` is the client's place in another queue. */
  constructor(
    readonly blocked: Blocked,
    readonly queue: Queue,
    readonly argument: number,
    readonly sibling: Place | null,
  ) {}
}

/** Those who wait for a key, first come first. */
class Queue {
  first: Place | null = null;
  last: Place | null = null;
  size = 0;
  /** How many of them must hear of the key when it is gone, too. */
  anyType = 0;
  /** Something happened to the key. */
  isReady = false;

  /** The queue's entry in the map of its database's. */
  entry: Entry<Queue> | null = null;

  constructor(readonly map: ByteMap<Queue>) {}

  /** Adds a client, unless it has just been added (BLPOP k k). */
  add(blocked: Blocked, argument: number): void {
    const { last } = this;
    if (last !== null && last.blocked === blocked) return;
    const place = new Place(blocked, this, argument, blocked.lastPlace);
    blocked.lastPlace = place;
    place.previous = last;
    if (last === null) this.first = place;
    else last.next = place;
    this.last = place;
    this.size++;
    if (blocked.options!.anyType) this.anyType++;
  }

  delete(place: Place): void {
    const { previous, next } = place;
    if (previous === null) this.first = next;
    else previous.next = next;
    if (next === null) this.last = previous;
    else next.previous = previous;
    place.isLeft = true;
    this.size--;
    if (place.blocked.options!.anyType) this.anyType--;
  }
}

/** Runtimes fire timers beyond 2^31 - 1 ms at once: a longer wait goes by stages. */
const LONGEST_TIMER = 2 ** 31 - 1;

const ROLE_CHANGED = errorReply(
  "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)",
);

export class Blocking {
  /** Clients that wait, for whatever reason. */
  count = 0;
  /** True when `serve` has something to do. */
  anyReady = false;
  /** By the key, for each database in which somebody waits or has waited. */
  readonly #waiting: (ByteMap<Queue> | undefined)[] = [];
  /** Queues that there are. */
  #queues = 0;
  #ready: Queue[] = [];
  #serving = false;
  readonly #kept = new KeptArgs();
  /** The arguments of the client that is being served. */
  readonly #args = new Args();

  constructor(readonly engine: Engine) {}

  /**
   * Parks the client until one of its keys is ready. On a second run of the command the client just stays parked. Returns the
   * object that stands for the wait.
   */
  block(c: Client, options: BlockOptions): Blocked {
    if (c.blocked !== null) {
      c.blocked.again = true;
      return c.blocked;
    }
    const blocked = this.#park(c, options, "key", options.timeout);
    const { args } = c;
    const map = this.#waiting[c.db.index] ??= new ByteMap(this.engine.keyspace.seed);
    for (let i = options.first; i < options.first + options.count; i++) {
      const entry = map.find(args.buf, args.off[i], args.len[i]);
      const queue = entry === null ? this.#addQueue(map, args, i) : entry.value;
      queue.add(blocked, i);
    }
    this.engine.keyspace.attention |= Attention.BLOCKED;
    return blocked;
  }

  #addQueue(map: ByteMap<Queue>, args: Args, i: number): Queue {
    const queue = new Queue(map);
    queue.entry = map.add(args.buf, args.off[i], args.len[i], queue);
    this.#queues++;
    return queue;
  }

  /** Parks the client until `release` is called for it or its time is up (WAIT). */
  wait(c: Client, timeout: number, onTimeout: (c: Client) => void): Blocked {
    return this.#park(c, { first: 0, count: 0, type: 0, timeout, onTimeout }, "wait", timeout);
  }

  /** Parks the client until `release` is called for it, whatever happens (MIGRATE). */
  hold(c: Client): Blocked {
    return this.#park(c, null, "held", 0);
  }

  /** Parks the client while the server is paused; its command runs when the pause is over. */
  postpone(c: Client): void {
    c.blocked = new Blocked(c, c.command!, null, c.db, "postponed");
    c.blocked.takeArgs(null);
    this.engine.postponed.push(c);
    this.count++;
  }

  /** The pause is over for this client; returns the command it waits with, null if it is gone. */
  resume(c: Client): Blocked | null {
    const { blocked } = c;
    if (blocked === null) return null;
    c.blocked = null;
    this.count--;
    return blocked;
  }

  #park(c: Client, options: BlockOptions | null, reason: "key" | "wait" | "held", timeout: number): Blocked {
    const blocked = new Blocked(c, c.command!, options, c.db, reason);
    blocked.takeArgs(reason === "key" ? this.#kept : null);
    c.blocked = blocked;
    this.count++;
    if (timeout > 0) this.#setTimer(blocked, timeout);
    return blocked;
  }

  #setTimer(blocked: Blocked, left: number): void {
    const stage = Math.min(left, LONGEST_TIMER);
    blocked.timer = this.engine.platform.clock.after(stage, () => {
      if (left > stage) this.#setTimer(blocked, left - stage);
      else this.#timeOut(blocked);
    });
  }

  #timeOut(blocked: Blocked): void {
    const { client, options } = blocked;
    if (client.blocked !== blocked) return;
    this.engine.refreshTime();
    this.#leave(blocked);
    this.engine.serveAs(client, () => options!.onTimeout(client));
    this.engine.unblocked(blocked);
  }

  /** CLIENT UNBLOCK; false if the client does not wait in a way that can be interrupted. */
  interrupt(client: Client, withError: boolean): boolean {
    const { blocked } = client;
    if (blocked === null || (blocked.reason !== "key" && blocked.reason !== "wait")) return false;
    const { args } = blocked;
    this.#leave(blocked);
    this.engine.serveAs(client, () => {
      if (withError) client.reply.error(UNBLOCKED);
      else blocked.options!.onTimeout(client);
    });
    this.engine.observation.interrupted(blocked, args);
    this.engine.unblocked(blocked);
    return true;
  }

  /** Ends a wait because the role of the server has changed: what it waited for may never happen here. */
  releaseWithError(client: Client): void {
    this.release(client, (c) => {
      c.reply.error(ROLE_CHANGED);
      c.link.closeAfterReply();
    });
  }

  /** Ends a `wait` with the reply that `write` makes. */
  release(client: Client, write: (c: Client) => void): void {
    const blocked = client.blocked!;
    this.#leave(blocked);
    this.engine.serveAs(client, () => write(client));
    this.engine.unblocked(blocked);
  }

  /** The client is gone. */
  forget(client: Client): void {
    if (client.blocked?.reason === "postponed") this.resume(client);
    else if (client.blocked !== null) this.#leave(client.blocked);
  }

  #leave(blocked: Blocked): void {
    blocked.client.blocked = null;
    this.count--;
    if (blocked.timer !== null) this.engine.platform.clock.cancel(blocked.timer);
    for (let place = blocked.lastPlace; place !== null; place = place.sibling) {
      const { queue } = place;
      queue.delete(place);
      if (queue.size > 0) continue;
      queue.map.remove(queue.entry!);
      this.#queues--;
    }
    blocked.dropKept();
    if (this.#queues === 0) this.engine.keyspace.attention &= ~Attention.BLOCKED;
  }

  /** Something happened to a key. */
  keyChanged(db: Database, a: Args, i: number): void {
    const entry = this.#waiting[db.index]?.find(a.buf, a.off[i], a.len[i]) ?? null;
    if (entry !== null) this.#markReady(entry.value);
  }

  #markReady(queue: Queue): void {
    if (queue.isReady) return;
    queue.isReady = true;
    this.#ready.push(queue);
    this.anyReady = true;
  }

  /** All keys of the database may have changed (SWAPDB, FLUSHDB, a new data set). */
  databaseChanged(db: Database): void {
    for (const map of this.#waiting) {
      if (map === undefined) continue;
      for (const { value: queue } of map.entries()) if (queue.first!.blocked.db === db) this.#markReady(queue);
    }
  }

  /** Serves those who wait for keys that are ready; serving one may make others ready. */
  serve(): void {
    if (this.#serving) return;
    this.#serving = true;
    while (this.#ready.length > 0) {
      const ready = this.#ready;
      this.#ready = [];
      for (const queue of ready) queue.isReady = false;
      for (const queue of ready) this.#serveQueue(queue);
    }
    this.anyReady = false;
    this.#serving = false;
  }

  #serveQueue(queue: Queue): void {
    // Those who come to wait meanwhile are not among the first `left`.
    let left = queue.size;
    for (let place = queue.first; place !== null && left-- > 0; place = place.next) {
      if (place.isLeft) continue;
      const { blocked } = place;
      const { client, options, db } = blocked;
      const args = blocked.argsIn(this.#args);
      const ref = db.dict.lookup(args.buf, args.off[place.argument], args.len[place.argument]);
      // Thousands may wait for one element: the first has taken it.
      if (ref === 0 && queue.anyType === 0) break;
      if ((ref === 0 || db.type(ref) !== options!.type) && !options!.anyType) continue;
      client.readyKey = place.argument;
      this.engine.serveAs(client, () => {
        const own = client.args;
        client.args = args;
        blocked.again = false;
        call(client, blocked.command);
        client.args = own;
        if (client.blocked === blocked && !blocked.again) this.#leave(blocked);
      });
      client.readyKey = 0;
      if (client.blocked === null) this.engine.unblocked(blocked);
    }
  }
}
