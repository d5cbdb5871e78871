/**
 * The differential fuzzer: sends the same random commands to redis-server and to Redstart and reports where they part.
 *
 * It works in rounds of some 1,500 commands. A round's commands follow from the seed and the round's number alone; it
 * starts with empty databases, new connections, RESP2 or RESP3, and encoding thresholds that are sometimes tiny, so
 * that conversions happen all the time. Commands go out in pipelines of about 100. The round ends with the first reply that differs (what
 * follows would only be its echo) or with a comparison of all that both servers hold. What was found is shrunk: commands are left out as long as
 * some difference remains, so that the report usually shows a handful of commands to paste into redis-cli.
 *
 * A command that Redstart does not know is not a difference; it is listed once as missing and not sent any more.
 */

import { type Argument, type Client, type Command, encodeCommands } from "../kit/client.ts";
import { describe, showCommand } from "../kit/differential.ts";
import { errorOf, type Reply } from "../kit/reply.ts";
import { hostileArgument, hostileFloats, hostileTexts } from "../kit/seeded.ts";
import type { TestServer } from "../kit/server.ts";
import { Draw, type Family, type Hostility, type Step } from "./family.ts";
import { compareKeyspaces } from "./keyspace.ts";
import { sameFor } from "./same.ts";

export interface FuzzOptions {
  readonly families: readonly Family[];
  /** How many commands to send to each server. */
  readonly commands: number;
  readonly seed: number;
  /** Only this round of the seed. */
  readonly round?: number;
  /** Stop after so many differences of different kinds. */
  readonly limit: number;
  /** Called with each difference as it is found. */
  readonly report?: (difference: FuzzDifference) => void;
}

export interface FuzzDifference {
  readonly seed: number;
  readonly round: number;
  /** The command at fault, or "keyspace" with what differs; differences of one kind are usually one bug. */
  readonly kind: string;
  /** The shrunk commands and both sides' answers. */
  readonly text: string;
}

export interface FuzzResult {
  readonly commands: number;
  readonly rounds: number;
  /** One or two of each kind. */
  readonly differences: readonly FuzzDifference[];
  /** How many rounds ended with a difference. */
  readonly parted: number;
  /** Commands and subcommands that Redis knows and Redstart does not, sorted. */
  readonly missing: readonly string[];
}

const ROUND = 1500;
const BATCH = 100;
/** How often a command gets a hostile argument, or one too few or too many. */
const HOSTILE = 0.06;
/** How often a pipeline reaches Redstart in pieces, cut anywhere. */
const PIECES = 0.2;
/** Replies later than this count as none. */
const PATIENCE_MS = 10_000;
/** Parameters that both servers get before a round, now and then. */
const thresholds: readonly (readonly [string, readonly number[]])[] = [
  ["list-max-listpack-size", [-2, 4, 128]],
  ["hash-max-listpack-entries", [128, 6]],
  ["hash-max-listpack-value", [64, 8]],
  ["set-max-intset-entries", [512, 6]],
  ["zset-max-listpack-entries", [128, 6]],
  ["zset-max-listpack-value", [64, 8]],
  ["stream-node-max-entries", [100, 4]],
  ["hll-sparse-max-bytes", [3000, 60]],
];

/** What one server answered differently while some steps ran. */
interface Parting {
  /** Index of the step, or the number of steps for the comparison of what is held. */
  readonly at: number;
  readonly kind: string;
  readonly text: string;
}

/** Runs the fuzzer on two running servers whose data it may destroy. */
export async function fuzz(redis: TestServer, redstart: TestServer, options: FuzzOptions): Promise<FuzzResult> {
  const run = new Fuzz(redis, redstart, options);
  await run.findMissing();
  return await run.all();
}

class Fuzz {
  #missing = new Set<string>();
  #differences: FuzzDifference[] = [];
  #sent = 0;
  #parted = 0;
  /** How often each kind was found: one that was reported twice is only counted from then on. */
  #kinds = new Map<string, number>();
  #sought = "";

  constructor(readonly redis: TestServer, readonly redstart: TestServer, readonly options: FuzzOptions) {}

  /** Sends each command's bare name to both servers (while they are empty), each on a connection of its own. */
  async findMissing(): Promise<void> {
    await Promise.all([...commandNames(this.options.families)].map(async (name) => {
      const unknown = [];
      for (const server of [this.redis, this.redstart]) {
        const client = await server.connect();
        unknown.push(isUnknown(await client.call(name)));
        client.close();
      }
      if (name !== "NOSUCHCOMMAND" && (unknown[0] || unknown[1])) this.#missing.add(name);
    }));
  }

  async all(): Promise<FuzzResult> {
    const { commands, limit, round: only, seed } = this.options;
    let rounds = 0;
    for (let round = only ?? 0; this.#differences.length < limit; round++) {
      if (only === undefined ? this.#sent >= commands : round > only) break;
      const sent = this.#sent;
      await this.#round(seed, round);
      rounds++;
      if (this.#sent === sent) break; // nothing can be sent: all of the families' commands are missing
    }
    return {
      commands: this.#sent,
      rounds,
      differences: this.#differences,
      parted: this.#parted,
      missing: [...this.#missing].sort(),
    };
  }

  async #round(seed: number, round: number): Promise<void> {
    const draw = new Draw(Math.imul(seed, 0x9e3779b1) ^ Math.imul(round + 1, 0x85ebca6b));
    const setUp = drawSetUp(draw);
    const steps = this.#draw(draw);
    const found = await this.#run(setUp, steps, BATCH, true);
    this.#sent += steps.length;
    if (found === null) return;
    this.#parted++;
    const times = (this.#kinds.get(found.kind) ?? 0) + 1;
    this.#kinds.set(found.kind, times);
    if (times > 2) return;
    this.#sought = found.kind;
    const smallest = await this.#shrink(setUp, steps, found);
    this.#sought = "";
    const difference = {
      seed,
      round,
      kind: smallest.parting.kind,
      text: [
        ...setUp.map((command) => `    ${showCommand(command)}`),
        ...smallest.steps.slice(0, smallest.parting.at).map((step) => `    ${showCommand(commandOf(step))}`),
        smallest.parting.text,
      ].join("\n"),
    };
    this.#differences.push(difference);
    this.options.report?.(difference);
  }

  /** A round's steps. */
  #draw(draw: Draw): Step[] {
    const { families } = this.options;
    const weights = families.map((family) => family.weight);
    const steps: Step[] = [];
    for (let tries = 0; steps.length < ROUND && tries < ROUND * 20; tries++) {
      const part = drawPart(draw, families[draw.weighted(weights)]);
      if (part.every((step) => !this.#missing.has(String(commandOf(step)[0]).toUpperCase()))) steps.push(...part);
    }
    return steps;
  }

  /** Runs steps from an empty start on both servers. Returns the first difference; with `whole` also compares the keyspaces. */
  async #run(
    setUp: readonly Command[],
    steps: readonly Step[],
    batch: number,
    whole: boolean,
  ): Promise<Parting | null> {
    const [a, b] = await Promise.all([this.redis.connect(), this.redstart.connect()]);
    a.timeoutMs = b.timeoutMs = PATIENCE_MS;
    try {
      for (const client of [a, b]) await client.pipeline([["FLUSHALL"], ...setUp]);
      const found = await this.#replies(a, b, steps, batch);
      if (found !== null || !whole) return found;
      return await this.#keyspaces(a, b, steps.length);
    } catch (error) {
      // Which command was not answered is only seen when they are sent one by one.
      if (batch > 1) return await this.#run(setUp, steps, 1, whole);
      const tail = this.redstart.output().slice(-2000);
      return { at: steps.length, kind: "no reply", text: `  ${error}\n  the server's last words: ${tail}` };
    } finally {
      a.close();
      b.close();
    }
  }

  async #replies(a: Client, b: Client, steps: readonly Step[], batch: number): Promise<Parting | null> {
    let queue: Command[] | null = null;
    const commands = steps.map(commandOf);
    const pieces = new Draw(steps.length);
    for (let from = 0; from < steps.length; from += batch) {
      const part = steps.slice(from, from + batch);
      const counts = part.map((step) => "replies" in step ? step.replies : 1);
      const bytes = encodeCommands(commands.slice(from, from + batch));
      a.send(bytes);
      await sendInPieces(b, bytes, pieces.chance(PIECES) ? pieces : null);
      const total = counts.reduce((sum, count) => sum + count, 0);
      let both: [Reply[], Reply[]];
      try {
        both = await Promise.all([readAny(a, total), readAny(b, total)]);
      } catch (error) {
        if (batch > 1) throw error;
        return { at: from, kind: commandName(commands[from]), text: this.#unanswered(commands, from, error) };
      }
      let next = 0;
      for (let i = 0; i < part.length; i++) {
        const command = commands[from + i];
        for (let n = 0; n < counts[i]; n++, next++) {
          const [x, y] = [both[0][next], both[1][next]];
          if (sameFor(command, x, y, queue ?? []) || this.#isMissing(command, x, y)) continue;
          const found = { index: from + i, command, a: x, b: y };
          return { at: from + i, kind: commandName(command), text: describe({ ...found, index: 0 }, commands) };
        }
        queue = trackQueue(queue, command, both[0][next - 1]);
      }
    }
    return null;
  }

  #unanswered(commands: readonly Command[], at: number, error: unknown): string {
    return `  > ${showCommand(commands[at])}\n      ${error}\n      the server's last words: ${
      this.redstart.output().slice(-2000)
    }`;
  }

  async #keyspaces(a: Client, b: Client, at: number): Promise<Parting | null> {
    for (const client of [a, b]) {
      client.send(encodeCommands([["RESET"]]));
      await client.readAny();
    }
    const all = await compareKeyspaces(a, b, { missing: this.#missing });
    const [first] = all.toSorted((x, y) => this.#times(x.kind) - this.#times(y.kind));
    if (first === undefined) return null;
    const more = all.length > 1 ? `\n  and ${all.length - 1} more differences in what is held` : "";
    return { at, kind: `keyspace ${first.kind}`, text: `  > ${first.text}${more}` };
  }

  /** How often a kind was reported: what is new is told of first. While shrinking, the kind sought is. */
  #times(kind: string): number {
    return `keyspace ${kind}` === this.#sought ? -1 : Math.min(2, this.#kinds.get(`keyspace ${kind}`) ?? 0);
  }

  /** A subcommand that only Redstart calls unknown: noted, not a difference. */
  #isMissing(command: Command, x: Reply, y: Reply): boolean {
    // The command itself is known, or it would not have been sent.
    if (!/^ERR unknown subcommand/i.test(errorOf(y) ?? "") || isUnknown(x)) return false;
    this.#missing.add(`${command[0]} ${command[1]}`.toUpperCase());
    return true;
  }

  /** Leaves out ever smaller parts of the steps while a difference remains. */
  async #shrink(
    setUp: readonly Command[],
    steps: readonly Step[],
    found: Parting,
  ): Promise<{ steps: readonly Step[]; parting: Parting }> {
    const whole = found.kind.startsWith("keyspace");
    let best: { steps: readonly Step[]; parting: Parting } = {
      steps: steps.slice(0, whole ? steps.length : found.at + 1),
      parting: found,
    };
    const end = Date.now() + 20_000;
    for (let size = Math.ceil(best.steps.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
      for (let from = 0; from < best.steps.length && Date.now() < end;) {
        const fewer = [...best.steps.slice(0, from), ...best.steps.slice(from + size)];
        const parting = fewer.length === 0 || (!whole && from + size >= best.steps.length && size === 1)
          ? null
          : await this.#run(setUp, fewer, BATCH, whole);
        if (parting === null || parting.kind !== found.kind) from += size;
        else best = { steps: fewer.slice(0, whole ? fewer.length : parting.at + 1), parting };
      }
    }
    return best;
  }
}

/** Parameters, then the protocol. Two LZF compressors may differ, and so may the moment an expired key is found: both are off. */
function drawSetUp(draw: Draw): Command[] {
  const setUp: Command[] = [["CONFIG", "SET", "rdbcompression", "no"], ["DEBUG", "SET-ACTIVE-EXPIRE", 0]];
  for (const [name, values] of thresholds) setUp.push(["CONFIG", "SET", name, draw.pick(values)]);
  if (draw.chance(0.35)) setUp.push(["HELLO", 3]);
  return setUp;
}

/** One command, perhaps spoiled, or one script. */
export function drawPart(draw: Draw, family: Family): Step[] {
  const scripts = family.scripts ?? [];
  const chosen = draw.weighted([...family.rows.map((row) => row[1]), ...scripts.map((script) => script[0])]);
  if (chosen >= family.rows.length) return scripts[chosen - family.rows.length][1](draw);
  const [name, , drawArguments, hostility] = family.rows[chosen];
  let command: Argument[] = [name, ...drawArguments(draw)];
  if (draw.chance(HOSTILE)) command = spoil(draw, command, hostility ?? "all");
  if (draw.chance(0.05)) command[0] = draw.chance(0.5) ? name.toLowerCase() : name[0] + name.slice(1).toLowerCase();
  return family.before === undefined ? [command] : [family.before, command];
}

function spoil(draw: Draw, command: Argument[], hostility: Hostility): Argument[] {
  if (hostility === "none") return command;
  const hostile = (): Argument => {
    const argument = hostility === "all" ? hostileArgument(draw) : draw.pick(draw.pick([hostileFloats, hostileTexts]));
    return hostility === "all" || !Number.isFinite(Number(argument)) ? argument : "x";
  };
  const at = draw.between(1, Math.max(1, command.length - 1));
  switch (draw.below(8)) {
    case 0:
      return command.length === 1 ? command : command.slice(0, -1);
    case 1:
      return [...command, hostile()];
    case 2:
      return [...command.slice(0, at), command[at] ?? "", ...command.slice(at)];
    default:
      return command.length === 1 ? [...command, hostile()] : command.with(at, hostile());
  }
}

/** All names that the families can send. */
function commandNames(families: readonly Family[]): Set<string> {
  const draw = new Draw(1);
  const names = new Set<string>();
  for (const family of families) {
    for (const row of family.rows) names.add(row[0]);
    for (const [, script] of family.scripts ?? []) {
      for (let i = 0; i < 100; i++) {
        for (const step of script(draw)) names.add(String(commandOf(step)[0]).toUpperCase());
      }
    }
  }
  return names;
}

export function commandOf(step: Step): Command {
  return "command" in step ? step.command : step;
}

function commandName(command: Command): string {
  return String(command[0]).toUpperCase();
}

/** The queue of MULTI after a command was answered; null outside MULTI. */
function trackQueue(queue: Command[] | null, command: Command, reply: Reply): Command[] | null {
  const status = typeof reply === "object" && reply !== null && "status" in reply ? reply.status : "";
  const name = commandName(command);
  if (queue === null) return name === "MULTI" && status === "OK" ? [] : null;
  if (status === "QUEUED") return [...queue, command];
  const refused = errorOf(reply) !== undefined && !errorOf(reply)?.startsWith("EXECABORT");
  return (name === "EXEC" || name === "DISCARD" || name === "RESET") && !refused ? null : queue;
}

/** Sends bytes cut at random places, each piece in a turn of the event loop (and so mostly a packet) of its own; at once without `random`. */
async function sendInPieces(client: Client, bytes: Uint8Array, random: Draw | null): Promise<void> {
  let from = 0;
  for (let i = random === null ? 0 : random.between(2, 8); i > 0 && random !== null; i--) {
    const to = from + random.below(Math.min(bytes.length - from, 2 * bytes.length / i));
    client.send(bytes.subarray(from, to));
    from = to;
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  client.send(bytes.subarray(from));
}

async function readAny(client: Client, count: number): Promise<Reply[]> {
  const replies: Reply[] = [];
  while (replies.length < count) replies.push(await client.readAny());
  return replies;
}

function isUnknown(reply: Reply): boolean {
  return /^ERR unknown (sub)?command\b/i.test(errorOf(reply) ?? "");
}

/** The closing line of a run. */
export function summary(name: string, result: FuzzResult): string {
  const missing = result.missing.length === 0
    ? "nothing missing"
    : `${result.missing.length} commands missing (${result.missing.join(" ")})`;
  return `${name}: ${result.commands} commands in ${result.rounds} rounds, ${result.parted} differences, ${missing}`;
}

/** A difference with the way to see it again. */
export function showDifference(difference: FuzzDifference, families: readonly Family[]): string {
  const names = families.map((family) => family.name).join(",");
  return `${difference.kind}: deno task compare --seed ${difference.seed} --round ${difference.round} --families ${names}\n${difference.text}`;
}
