/**
 * Clients that write to whatever is the master while servers come and go.
 *
 * `Writer` sends what changes data in every way: the commands of the fuzzer's families, times to live that end soon, transactions,
 * commands that block. Nobody keeps books on them; they are there to be replicated.
 *
 * `Ledger` counts, and asks with WAIT who has it. Its list holds 1, 2, 3 … without a gap. What a replica is known to have, it must
 * still have when it becomes the master; what the master has acknowledged must survive each handing over that is no accident.
 */

import { type Client, type Command, ConnectionClosed, encodeCommands } from "../kit/client.ts";
import { errorOf, type Reply, show } from "../kit/reply.ts";
import { chooseFamilies } from "../compare/families.ts";
import { Draw } from "../compare/family.ts";

/** Other than what is drawn for one command: geo's distances and reads are left out. */
const families = chooseFamilies([
  "string",
  "bitmap",
  "key",
  "expire",
  "list",
  "hash",
  "set",
  "zset",
  "geo",
  "hyperloglog",
  "stream",
  "sort",
]);
/**
 * Commands that store distances, whose last digits may differ between makes; one that a replica runs, too, and that leaves its result
 * in the value; and one that takes a while.
 */
const LEFT_OUT = new Set(["GEOSEARCHSTORE", "GEORADIUS", "GEORADIUSBYMEMBER", "PFCOUNT", "KEYS"]);
const DATABASES = 3;
/** Milliseconds that a short-lived key lives at most. */
export const SHORT_LIFE = 600;
/** A server that does not reply for so long hangs. */
const PATIENCE_MS = 120_000;
const LEDGER = "the:ledger";
/** The ledger's database, which no writer touches. */
export const LEDGER_DATABASE = 9;

/** How fast writers are: milliseconds between two batches at most. */
export interface Pace {
  pauseMs: number;
}

/** Who writes asks for the master. */
export interface Target {
  /** Opens a connection to the present master; rejects while there is none. */
  connect(): Promise<Client>;
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** A connection to the master as long as there is one; null after `isOver`. */
async function reach(target: Target, isOver: () => boolean): Promise<Client | null> {
  while (!isOver()) {
    try {
      const client = await target.connect();
      client.timeoutMs = PATIENCE_MS;
      return client;
    } catch {
      await pause(20);
    }
  }
  return null;
}

/** The server cannot take writes (any more): another one, or later. */
function isUnusable(error: string | undefined): boolean {
  return error !== undefined && /^(READONLY|LOADING|MASTERDOWN|UNBLOCKED|MISCONF)/.test(error);
}

export class Writer {
  sent = 0;
  #stopped = false;
  readonly #ended: Promise<void>;

  constructor(readonly target: Target, readonly draw: Draw, readonly pace: Pace) {
    this.#ended = this.#run();
    this.#ended.catch(() => {});
  }

  /** Rejects with what went wrong. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#ended;
  }

  async #run(): Promise<void> {
    const isOver = () => this.#stopped;
    for (;;) {
      const client = await reach(this.target, isOver);
      if (client === null) return;
      try {
        await this.#write(client);
      } catch (error) {
        if (!(error instanceof ConnectionClosed)) throw error;
        await pause(20);
      } finally {
        client.close();
      }
    }
  }

  async #write(client: Client): Promise<void> {
    while (!this.#stopped) {
      const batch: Command[] = [];
      for (let n = this.draw.between(1, 20); n > 0; n--) batch.push(...some(this.draw));
      if (this.draw.chance(0.2)) batch.push(blocking(this.draw));
      client.send(encodeCommands(batch));
      this.sent += batch.length;
      let usable = true;
      for (const command of batch) {
        const error = errorOf(await client.readReply());
        if (/internal error/i.test(error ?? "")) throw new Error(`${command.join(" ")}: ${error}`);
        if (isUnusable(error)) usable = false;
      }
      if (!usable) return await pause(20);
      await pause(this.draw.below(this.pace.pauseMs));
    }
  }
}

/** One command, or some that belong together. */
function some(draw: Draw): Command[] {
  switch (draw.below(24)) {
    case 0:
      return [["SELECT", draw.below(DATABASES)]];
    case 1:
      return [["SET", draw.key("string"), draw.value(), "PX", draw.between(1, SHORT_LIFE)]];
    case 2:
      return [[
        "PEXPIRE",
        draw.anyKey(),
        draw.between(1, SHORT_LIFE),
        ...draw.maybe(0.3, draw.pick(["NX", "GT", "LT"])),
      ]];
    case 3:
      return [["XADD", draw.key("stream"), "*", "f", draw.value()], ["GETEX", draw.key("string"), "PX", SHORT_LIFE]];
    case 4:
    case 5: {
      const commands = draw.some(1, 6, () => one(draw));
      return [["MULTI"], ...commands, [draw.chance(0.95) ? "EXEC" : "DISCARD"]];
    }
    case 6:
      return draw.chance(0.03)
        ? [draw.pick([["FLUSHDB"], ["SWAPDB", 0, 1]])]
        : [["SET", "big", draw.word(1000).repeat(draw.between(1, 60))]];
    case 7: {
      const group = `g${draw.below(2)}`;
      const key = draw.key("stream");
      return [
        ["XGROUP", "CREATE", key, group, "0", "MKSTREAM"],
        ["XADD", key, "*", "f", "v"],
        ["XREADGROUP", "GROUP", group, `c${draw.below(3)}`, "COUNT", draw.count(), "STREAMS", key, ">"],
      ];
    }
    case 8:
      return [["PUBLISH", "channel", "message"], ["SPUBLISH", "shard", "message"]];
    default:
      return [one(draw)];
  }
}

function one(draw: Draw): Command {
  for (;;) {
    const family = families[draw.weighted(families.map(({ weight }) => weight))];
    const [name, , drawArguments] = family.rows[draw.weighted(family.rows.map(([, weight]) => weight))];
    if (LEFT_OUT.has(name)) continue;
    const command = [name, ...drawArguments(draw)];
    // BITFIELD that fails on overflow makes the key longer all the same, and redis-server does not replicate that.
    if (!(name === "BITFIELD" && command.includes("FAIL"))) return command;
  }
}

function blocking(draw: Draw): Command {
  const timeout = "0.03";
  switch (draw.below(4)) {
    case 0:
      return ["BLPOP", draw.key("list"), draw.key("list"), timeout];
    case 1:
      return ["BLMOVE", draw.key("list"), draw.key("list"), "LEFT", "RIGHT", timeout];
    case 2:
      return ["BZMPOP", timeout, 2, draw.key("zset"), draw.key("zset"), "MIN", "COUNT", 2];
    default:
      return ["XREADGROUP", "GROUP", "g0", "c1", "BLOCK", 30, "STREAMS", draw.key("stream"), ">"];
  }
}

export class Ledger {
  /** The last number that the master has acknowledged. */
  acknowledged = 0;
  /** The last number that at least one replica had, whichever. */
  onOne = 0;
  /** Successful calls of WAIT. */
  confirmed = 0;
  /** The last number that each replica had. */
  readonly #on = new Map<string, number>();
  /** Counts what happened to the link of a replica: a WAIT that something happened during proves nothing about it. */
  readonly #epoch = new Map<string, number>();
  #length = 0;
  #held = false;
  #idle = true;
  #stopped = false;
  #client: Client | null = null;
  readonly #ended: Promise<void>;

  /** `direct` names the replicas of the master that WAIT counts at present. */
  constructor(readonly target: Target, readonly direct: () => readonly string[]) {
    this.#ended = this.#run();
    this.#ended.catch(() => {});
  }

  has(name: string): number {
    return this.#on.get(name) ?? 0;
  }

  /** The replica's link was touched. */
  disturb(name: string): void {
    this.#epoch.set(name, (this.#epoch.get(name) ?? 0) + 1);
  }

  /** The replica has lost its memory. */
  lost(name: string): void {
    this.disturb(name);
    this.#on.set(name, 0);
    this.onOne = Math.max(0, ...this.#on.values());
  }

  /** Stops writing; resolves when nothing is under way. Rejects with what went wrong before. */
  async hold(): Promise<void> {
    this.#held = true;
    while (!this.#idle) await Promise.race([pause(5), this.#ended]);
  }

  goOn(): void {
    this.#held = false;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#ended;
  }

  /** While held: the master must have everything up to `atLeast`, without a gap. What it has is the truth from now on. */
  async check(client: Client, atLeast: number, why: string): Promise<void> {
    const length = await numbers(client);
    if (typeof length !== "number") throw new Error(`${why}: reading the ledger: ${length.error}`);
    this.#continueFrom(length, atLeast, why);
    this.#client?.close();
    this.#client = null;
  }

  #continueFrom(length: number, atLeast: number, why: string): void {
    if (length < atLeast) {
      const on = [...this.#on].map(([name, number]) => `on ${name} ${number}`).join(", ");
      throw new Error(
        `${why}: the ledger ends with ${length}, but must have ${atLeast} (acknowledged ${this.acknowledged}, on some replica ${this.onOne}, ${on})`,
      );
    }
    this.#length = this.acknowledged = length;
    this.onOne = Math.min(this.onOne, length);
    for (const [name, number] of this.#on) this.#on.set(name, Math.min(number, length));
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      if (this.#held) {
        this.#idle = true;
        await pause(5);
        continue;
      }
      this.#idle = false;
      try {
        if (this.#client === null) {
          this.#client = await reach(this.target, () => this.#stopped || this.#held);
          if (this.#client === null) continue;
          const length = await numbers(this.#client);
          if (typeof length === "number") this.#continueFrom(length, this.acknowledged, "after a lost connection");
          else if (isUnusable(length.error)) throw new ConnectionClosed();
        }
        if (await this.#append(this.#client)) continue;
      } catch (error) {
        if (!(error instanceof ConnectionClosed)) throw error;
      }
      this.#client?.close();
      this.#client = null;
      await pause(20);
    }
    this.#client?.close();
    this.#idle = true;
  }

  /** False if this server cannot be written to. */
  async #append(client: Client): Promise<boolean> {
    const direct = this.direct();
    const epochs = direct.map((name) => this.#epoch.get(name));
    const number = this.#length + 1;
    client.send(encodeCommands([["RPUSH", LEDGER, number], ["WAIT", Math.max(1, direct.length), 150]]));
    const pushed = await client.readReply();
    if (errorOf(pushed) === undefined) this.#length = this.acknowledged = number;
    const counted = await client.readReply();
    if (isUnusable(errorOf(pushed))) return false;
    // Another number: the one before was not acknowledged and yet written, or FLUSHALL was.
    if (pushed !== number) {
      if (errorOf(pushed) !== undefined) throw new Error(`RPUSH to the ledger: ${show(pushed)}`);
      throw new Error(`the ledger has ${show(pushed)} numbers where it should have ${number}`);
    }
    if (typeof counted !== "number") return false;
    const untouched = direct.filter((name, i) => this.#epoch.get(name) === epochs[i]);
    if (counted >= direct.length) { for (const name of untouched) this.#on.set(name, number); }
    if (counted > 0 && untouched.length === direct.length) {
      this.onOne = number;
      this.confirmed++;
    }
    return true;
  }
}

/** The ledger's last number, or the error of a server that cannot tell; throws if one is missing or comes twice. */
async function numbers(client: Client): Promise<number | { readonly error: string }> {
  const [, list] = await client.pipeline([["SELECT", LEDGER_DATABASE], ["LRANGE", LEDGER, 0, -1]]);
  const error = errorOf(list);
  if (error !== undefined) return { error };
  const wrong = (list as Reply[]).findIndex((value, i) => value !== String(i + 1));
  if (wrong >= 0) throw new Error(`the ledger has ${show((list as Reply[])[wrong])} where ${wrong + 1} should be`);
  return (list as Reply[]).length;
}
