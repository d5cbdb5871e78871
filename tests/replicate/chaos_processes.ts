/**
 * Chaos among real processes: a master, two replicas and clients that write, of Redstart on both runtimes and of redis-server, in
 * every mixture; links that are cut, slow, torn and stalled; servers that are killed and come back; a role that moves:
 *
 *     deno task chaos                                    100 rounds, all mixtures in turn
 *     deno task chaos --rounds 20 --seed 7 --mix bun,redis,deno
 *     deno task chaos --seed 7 --round 12                that round only
 *
 * A mixture names the first master and its replicas. What happens in a round follows from the seed and the round; when exactly, in real
 * processes, does not. In the end, when it is quiet, all servers must hold the same. On the way the rounds look for more:
 *
 *   - a link that was cut for less than the backlog is continued, not begun again; so is that of a replica that was restarted from its
 *     file, of a master that was, and of everybody who follows a new master
 *   - what a replica has confirmed (WAIT) is there when it becomes the master
 *   - FAILOVER, and SHUTDOWN with a restart, lose nothing that was acknowledged; nor does SIGKILL of a master with an AOF
 *   - no server logs an error that must not happen, or ends by itself
 *
 * A round that fails is told with its events; the logs and files of its servers are kept.
 */

import { parseArgs } from "@std/cli/parse-args";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { Draw } from "../compare/family.ts";
import type { Command } from "../kit/client.ts";
import { Seeded } from "../kit/seeded.ts";
import { findRedis } from "../kit/server.ts";
import { Cluster, type Make, type Mixture, PATIENCE_MS } from "./cluster.ts";
import { type CutSide, type Direction, Network } from "./proxy.ts";
import { deleteExpired, firstDifference } from "./same_data.ts";
import { eventually } from "./waiting.ts";
import { Ledger, pause, SHORT_LIFE, Writer } from "./writes.ts";

const WRITERS = 3;
/** Milliseconds between two batches of a writer at most; and while replicas do not keep up with that. */
const PAUSE = 12;
const LONG_PAUSE = 2000;
const SLOW_DOWN_AFTER = 5000;
const FILLER_BYTES = 500;

/** What happens, with its weight. */
const kinds = {
  cut: 6,
  "cut and continue": 6,
  "cut in the middle": 4,
  delay: 3,
  tear: 3,
  stall: 4,
  refuse: 2,
  "kill links": 2,
  "kill a replica": 4,
  "restart a replica": 4,
  "restart the master": 3,
  "kill the master": 3,
  failover: 4,
  "promote after a death": 4,
  promote: 2,
  chain: 3,
  "flush all": 1,
  save: 2,
  rewrite: 1,
} as const;

type Kind = keyof typeof kinds;

interface Event {
  readonly kind: Kind;
  /** Which of the two replicas. */
  readonly which: number;
  /** A number between 0 and 1 for whatever the kind needs, and another one. */
  readonly x: number;
  readonly y: number;
  /** Milliseconds before it. */
  readonly after: number;
}

export interface Outcome {
  readonly mixture: Mixture;
  /** Links that had to be continued and were. */
  continued: number;
  /** Full and partial synchronisations that the servers counted, as far as they lived. */
  full: number;
  partial: number;
  /** Masters made of replicas. */
  promoted: number;
  /** Numbers that WAIT confirmed. */
  confirmed: number;
  writes: number;
}

export interface ChaosOptions {
  /** Events in each round. */
  readonly events: number;
  /** Where to look for ports; anywhere without it. */
  readonly firstPort?: number;
  /** Keeps the files of rounds that do not fail, too. */
  readonly keep?: boolean;
  /** Is told of each event. */
  readonly report?: (line: string) => void;
}

/** Every mixture: each make as master, over each pair of makes as replicas. */
export function allMixtures(makes: readonly Make[]): Mixture[] {
  return makes.flatMap((master) =>
    makes.flatMap((one, i) => makes.slice(i).map((other): Mixture => [master, one, other]))
  );
}

/** One round; rejects with an Error that tells the seed, the round and its events. */
export async function round(seed: number, number: number, mixture: Mixture, options: ChaosOptions): Promise<Outcome> {
  const random = new Seeded(Math.imul(seed, 0x9e3779b1) ^ Math.imul(number + 1, 0x85ebca6b));
  const settings = drawSettings(random);
  const events = Array.from({ length: options.events }, () => drawEvent(random));
  const dir = mkdtempSync(join(tmpdir(), "redstart-chaos-"));
  const log: string[] = [];
  let cluster: Cluster | undefined;
  let kept = options.keep === true;
  try {
    const args = [...settings].flatMap(([name, value]) => [`--${name}`, ...value.split(" ")]);
    cluster = await Cluster.start(new Network(random), mixture, args, dir, options.firstPort);
    const say = (line: string) => {
      log.push(line);
      options.report?.(line);
    };
    const run = new Round(cluster, random, settings, say);
    return await run.all(events, mixture);
  } catch (error) {
    kept = true;
    const { message } = error as Error;
    throw new Error(
      `seed ${seed}, round ${number} (${mixture.join(", ")}): ${message}\n  ${log.join("\n  ")}\n  ${
        [...settings].map((setting) => setting.join(" ")).join(", ")
      }\n  logs and files: ${dir}`,
      { cause: error },
    );
  } finally {
    await cluster?.close();
    if (kept) cluster?.keepOutputs();
    else rmSync(dir, { recursive: true, force: true });
  }
}

function drawSettings(random: Seeded): Map<string, string> {
  const settings = new Map([
    ["repl-backlog-size", random.pick(["16384", "1048576", "10485760", "10485760"])],
    ["repl-diskless-sync", random.pick(["yes", "no"])],
    ["repl-diskless-sync-delay", "0"],
    ["repl-diskless-load", random.pick(["disabled", "on-empty-db", "swapdb"])],
    ["repl-ping-replica-period", "1"],
    ["repl-timeout", random.pick(["60", "60", "5"])],
    ["rdb-key-save-delay", random.pick(["0", "50", "200"])],
    ["key-load-delay", random.pick(["0", "0", "100"])],
  ]);
  if (random.chance(0.25)) settings.set("client-output-buffer-limit", "replica 1mb 256kb 1");
  if (random.chance(0.3)) {
    // Each command of an AOF would cost this delay.
    settings.set("key-load-delay", "0");
    settings.set("appendonly", "yes");
    settings.set("appendfsync", random.pick(["always", "everysec"]));
    settings.set("aof-use-rdb-preamble", random.pick(["yes", "no"]));
  }
  return settings;
}

function drawEvent(random: Seeded): Event {
  const names = Object.keys(kinds) as Kind[];
  return {
    kind: names[random.weighted(names.map((name) => kinds[name]))],
    which: random.below(2),
    x: random.u32() / 2 ** 32,
    y: random.u32() / 2 ** 32,
    after: random.between(20, 300),
  };
}

class Round {
  #ledger: Ledger;
  #pace = { pauseMs: PAUSE };
  #continued = 0;
  #promoted = 0;

  constructor(
    readonly cluster: Cluster,
    readonly random: Seeded,
    readonly settings: ReadonlyMap<string, string>,
    readonly say: (line: string) => void,
  ) {
    this.#ledger = new Ledger(cluster, () => cluster.direct);
  }

  get #backlog(): number {
    return Number(this.settings.get("repl-backlog-size"));
  }
  get #hasAof(): boolean {
    return this.settings.get("appendonly") === "yes";
  }

  async all(events: readonly Event[], mixture: Mixture): Promise<Outcome> {
    const { cluster, random } = this;
    this.#ledger.goOn();
    await this.#fill(200 + random.below(800));
    const writers = Array.from({ length: WRITERS }, () => new Writer(cluster, new Draw(random.u32()), this.#pace));
    const begin = performance.now();
    try {
      for (const [i, event] of events.entries()) {
        await pause(event.after);
        this.say(`${i + 1} (${Math.round(performance.now() - begin)} ms): ${event.kind}`);
        await this.#happen(event);
        cluster.checkOutputs();
      }
      await pause(100);
      this.say(`quiet (${Math.round(performance.now() - begin)} ms)`);
      await Promise.all([...writers.map((writer) => writer.stop()), this.#ledger.stop()]);
    } catch (error) {
      cluster.available = false;
      await Promise.allSettled([...writers.map((writer) => writer.stop()), this.#ledger.stop()]);
      throw error;
    }
    await this.#beEqual();
    this.say(`equal (${Math.round(performance.now() - begin)} ms)`);
    let full = 0, partial = 0;
    for (const name of cluster.names) {
      const fields = await cluster.info(name);
      full += Number(fields.get("sync_full"));
      partial += Number(fields.get("sync_partial_ok"));
    }
    const writes = writers.reduce((sum, { sent }) => sum + sent, 0);
    return {
      mixture,
      full,
      partial,
      writes,
      continued: this.#continued,
      promoted: this.#promoted,
      confirmed: this.#ledger.confirmed,
    };
  }

  /** Something for a snapshot to take a while with. */
  async #fill(count: number): Promise<void> {
    const client = await this.cluster.connect();
    const commands: Command[] = [];
    for (let i = 0; i < count; i++) commands.push(["SET", `filler${i}`, "x".repeat(FILLER_BYTES)]);
    for (let i = 0; i < count; i++) commands.push(["HSET", "large", `field${i}`, i], ["ZADD", "larger", i, `m${i}`]);
    await client.pipeline(commands);
    client.close();
  }

  // ---- Events ------------------------------------------------------------------------------------------------------------------

  async #happen({ kind, which, x, y }: Event): Promise<void> {
    const { cluster, random } = this;
    const { network } = cluster;
    const name = cluster.replicas[which];
    const upTo = (limit: number) => Math.round(x * limit);
    const side = (["both", "replica", "master"] as const)[Math.floor(y * 3)];
    switch (kind) {
      case "cut":
        return this.#cut(name, side, upTo(400), 0);
      case "cut in the middle":
        return this.#cut(name, side, upTo(100), 1 + upTo(3000));
      case "cut and continue":
        return await this.#cutAndContinue(name, side, upTo(400));
      case "delay":
        this.say(`  ${name}: ${upTo(300)} ms`);
        return network.delay(name, upTo(300));
      case "tear":
        this.say(`  ${name}: ${1 + upTo(80)} bytes`);
        return network.tear(name, 1 + upTo(80));
      case "stall": {
        const direction = (["to master", "to replica", "both"] as const)[Math.floor(y * 3)] as Direction | "both";
        this.say(`  ${name}: ${direction}, ${upTo(1500)} ms`);
        return network.stall(name, direction, upTo(1500));
      }
      case "refuse":
        this.say(`  ${name}: ${upTo(800)} ms`);
        network.refuse(name, upTo(800));
        return this.#cut(name, side, upTo(100), 0);
      case "kill links":
        for (const other of cluster.replicas) this.#ledger.disturb(other);
        await cluster.control(random.pick(cluster.names)).call(
          "CLIENT",
          "KILL",
          "TYPE",
          y < 0.5 ? "replica" : "master",
        );
        return;
      case "kill a replica":
        return await this.#killReplica(name, upTo(200), y < 0.5);
      case "restart a replica":
        return await this.#restartReplica(name, upTo(200));
      case "restart the master":
        return await this.#restartMaster();
      case "kill the master":
        return await this.#killMaster(y < 0.5);
      case "failover":
        return await this.#failover(name, y < 0.3);
      case "promote after a death":
        return await this.#promote(true);
      case "promote":
        return await this.#promote(false);
      case "chain": {
        const [one, other] = which === 0 ? cluster.replicas : [...cluster.replicas].reverse();
        // A replica follows the other one, or the master again.
        const upstream = cluster.upstream.get(one) === cluster.master && cluster.upstream.get(other) === cluster.master
          ? other
          : cluster.master;
        this.say(`  ${one} follows ${upstream}`);
        this.#ledger.disturb(one);
        return await cluster.follow(one, upstream);
      }
      case "flush all":
        await this.#ledger.hold();
        await cluster.control(cluster.master).ok("FLUSHALL", ...(y < 0.5 ? ["ASYNC"] : []));
        for (const other of cluster.replicas) this.#ledger.lost(other);
        await this.#ledger.check(cluster.control(cluster.master), 0, "after FLUSHALL");
        return this.#ledger.goOn();
      case "save":
        await cluster.control(random.pick(cluster.names)).call("BGSAVE");
        return;
      case "rewrite":
        await cluster.control(random.pick(cluster.names)).call("BGREWRITEAOF");
        return;
    }
  }

  #cut(name: string, side: CutSide, laterMs: number, after: number): void {
    this.say(`  ${name}: ${side}, the rest after ${laterMs} ms${after > 0 ? `, when ${after} bytes were sent` : ""}`);
    this.#ledger.disturb(name);
    this.cluster.network.cut(name, side, laterMs, after);
  }

  /** Everything is up and well. */
  async #recover(): Promise<void> {
    for (const name of this.cluster.names) this.cluster.network.heal(name);
    await this.#until(() => this.cluster.allUp());
  }

  /**
   * Waits for replicas. With a small backlog or limit of the output one that takes long to load would never be done if as much was written
   * as before.
   */
  async #until(isUp: () => Promise<void>): Promise<void> {
    const timer = setTimeout(() => this.#pace.pauseMs = LONG_PAUSE, SLOW_DOWN_AFTER);
    try {
      await isUp();
    } finally {
      clearTimeout(timer);
      this.#pace.pauseMs = PAUSE;
    }
  }

  /**
   * Does something after which the replicas `names` must come to `upstream` and continue. Where more was written meanwhile than
   * the backlog keeps, they need not. `restarted`: the upstream is a new process then, whose counters begin at 0.
   */
  async #continues(
    names: readonly string[],
    upstream: string,
    action: () => Promise<void>,
    restarted = false,
  ): Promise<void> {
    const { cluster } = this;
    const before = await cluster.info(upstream);
    let oldest = Infinity;
    for (const name of names) {
      oldest = Math.min(oldest, Number((await cluster.info(name)).get("master_repl_offset")));
    }
    const count = (fields: ReadonlyMap<string, string>, field: string) =>
      Number(fields.get(field)) - (restarted ? 0 : Number(before.get(field)));
    const reaches = restarted || Number(before.get("repl_backlog_first_byte_offset")) <= oldest + 1;
    await action();
    let after = await cluster.info(upstream);
    await this.#until(() =>
      eventually(`${names.join(" and ")} came to ${upstream}`, async () => {
        after = await cluster.info(upstream);
        return count(after, "sync_full") + count(after, "sync_partial_ok") >= names.length;
      }, PATIENCE_MS)
    );
    const written = Number(after.get("master_repl_offset")) - oldest;
    if (reaches && written < this.#backlog) {
      if (count(after, "sync_full") > 0) {
        throw new Error(
          `${names.join(" and ")} did not continue with ${upstream}: ${written} bytes were written, sync_full ${
            before.get("sync_full")
          } → ${after.get("sync_full")}, sync_partial_ok ${before.get("sync_partial_ok")} → ${
            after.get("sync_partial_ok")
          }`,
        );
      }
      this.#continued += names.length;
    }
    await this.#until(() => cluster.allUp(names));
  }

  async #cutAndContinue(name: string, side: CutSide, laterMs: number): Promise<void> {
    await this.#recover();
    await this.#continues([name], this.cluster.upstream.get(name)!, async () => {
      this.cluster.network.refuse(name, laterMs);
      await this.#cut(name, side, laterMs, 0);
    });
  }

  async #killReplica(name: string, ms: number, save: boolean): Promise<void> {
    const { cluster } = this;
    this.say(`  ${name}${save ? ", after SAVE" : ""}, for ${ms} ms`);
    if (save) await cluster.control(name).call("SAVE");
    this.#ledger.lost(name);
    await cluster.kill(name);
    this.#ledger.lost(name);
    await pause(ms);
    await cluster.run(name);
  }

  async #restartReplica(name: string, ms: number): Promise<void> {
    const { cluster } = this;
    this.say(`  ${name}, for ${ms} ms`);
    await this.#recover();
    const restart = async () => {
      this.#ledger.lost(name);
      await cluster.shutdown(name, "SAVE");
      await pause(ms);
      await cluster.run(name);
      this.#ledger.lost(name);
    };
    // An AOF does not tell where in the history it ends.
    if (this.#hasAof) await restart();
    else await this.#continues([name], cluster.upstream.get(name)!, restart);
  }

  async #restartMaster(): Promise<void> {
    const { cluster } = this;
    await this.#recover();
    const restart = async () => {
      await cluster.shutdown(cluster.master, "SAVE");
      cluster.available = false;
      await this.#ledger.hold();
      await cluster.run(cluster.master);
      const control = cluster.control(cluster.master);
      await this.#ledger.check(
        control,
        this.#ledger.acknowledged,
        "a restart of the master lost what it had acknowledged",
      );
      cluster.available = true;
      this.#ledger.goOn();
    };
    if (this.#hasAof) await restart();
    else await this.#continues(cluster.direct, cluster.master, restart, true);
  }

  async #killMaster(save: boolean): Promise<void> {
    const { cluster } = this;
    const { master } = cluster;
    this.say(`  ${master}${save ? ", after SAVE" : ""}`);
    if (save) await cluster.control(master).call("SAVE");
    cluster.available = false;
    await cluster.kill(master);
    await this.#ledger.hold();
    // redis-server acknowledges before it writes while an everysec fsync is under way.
    const keeps = this.#hasAof && (cluster.make(master) !== "redis" || this.settings.get("appendfsync") === "always");
    const atLeast = keeps ? this.#ledger.acknowledged : 0;
    // What the replicas have is replaced by what is left of it.
    for (const name of cluster.replicas) this.#ledger.lost(name);
    await cluster.run(master);
    await this.#ledger.check(cluster.control(master), atLeast, "a killed master lost what was in its AOF");
    cluster.available = true;
    this.#ledger.goOn();
  }

  async #failover(name: string, any: boolean): Promise<void> {
    const { cluster } = this;
    const old = cluster.master;
    // The target must be one of the master's own replicas.
    for (const other of cluster.replicas) if (cluster.upstream.get(other) !== old) await cluster.follow(other, old);
    await this.#recover();
    const before = new Map<string, Map<string, string>>();
    for (const other of cluster.names) before.set(other, await cluster.info(other));
    const to = any ? [] : ["TO", "127.0.0.1", String(cluster.port(name))];
    const begun = await cluster.control(old).call("FAILOVER", ...to, "TIMEOUT", 60_000);
    this.say(`  ${any ? "to any" : `to ${name}`}: ${JSON.stringify(begun)}`);
    let fields = await cluster.info(old);
    await eventually("FAILOVER ends", async () => {
      fields = await cluster.info(old);
      return fields.get("master_failover_state") === "no-failover";
    }, PATIENCE_MS);
    if (fields.get("role") === "master") throw new Error("FAILOVER was given up, though all replicas were up");
    const next = cluster.replicas.find((other) => String(cluster.port(other)) === fields.get("master_port"))!;
    this.say(`  ${next} is the master`);
    await this.#ledger.hold();
    for (const other of cluster.replicas) this.#ledger.disturb(other);
    const { acknowledged } = this.#ledger;
    cluster.setMaster(next);
    cluster.upstream.set(old, next);
    await this.#ledger.check(cluster.control(next), acknowledged, "FAILOVER lost what was acknowledged");
    this.#ledger.goOn();
    this.#promoted++;
    const third = cluster.replicas.find((other) => other !== old)!;
    await cluster.follow(third, next);
    // The third one continues with the new master, as the old one did.
    await this.#until(() =>
      eventually("both follow the new master", async () => {
        fields = await cluster.info(next);
        return Number(fields.get("connected_slaves")) >= 2 && await cluster.isUp(old) && await cluster.isUp(third);
      }, PATIENCE_MS)
    );
    const oldest = Math.min(...[...before.values()].map((one) => Number(one.get("master_repl_offset"))));
    const written = Number(fields.get("master_repl_offset")) - oldest;
    const reaches = Number(before.get(next)!.get("repl_backlog_first_byte_offset")) <= oldest + 1;
    if (!reaches || written >= this.#backlog) return;
    const [was, is] = [before.get(next)!.get("sync_full"), fields.get("sync_full")];
    if (was !== is) throw new Error(`after FAILOVER, ${written} bytes on: sync_full of ${next} ${was} → ${is}`);
    this.#continued += 2;
  }

  /** Makes that replica the master which has most of what the old one, dead or not, has sent. */
  async #promote(afterDeath: boolean): Promise<void> {
    const { cluster } = this;
    const ledger = this.#ledger;
    const old = cluster.master;
    const history = (await cluster.info(old)).get("master_replid");
    if (afterDeath) {
      cluster.available = false;
      await cluster.kill(old);
      // Nothing of what it has sent is under way any more.
      for (const name of cluster.replicas) cluster.network.cut(name);
    }
    await ledger.hold();
    const able: { name: string; offset: number; loses: boolean }[] = [];
    const candidates = cluster.names.filter((name) => name !== old);
    for (const name of candidates) {
      let fields = await cluster.info(name);
      // It may be loading what it has received.
      await eventually(`${name} has loaded`, async () => {
        fields = await cluster.info(name);
        return fields.get("loading") === "0";
      }, PATIENCE_MS);
      if (fields.get("master_replid") === history) {
        const loses = fields.get("master_sync_in_progress") === "1";
        able.push({ name, offset: Number(fields.get("master_repl_offset")), loses });
      }
    }
    able.sort((one, other) => other.offset - one.offset);
    if (able.length === 0) {
      this.say("  nobody has followed it");
      if (afterDeath) {
        for (const name of candidates) ledger.lost(name);
        await cluster.run(old);
        await ledger.check(cluster.control(old), 0, "after a restart");
        cluster.available = true;
      }
      return ledger.goOn();
    }
    const [{ name }] = able;
    this.say(`  ${name} (${able.map((one) => `${one.name} ${one.offset}`).join(", ")})`);
    await cluster.promote(name);
    const atLeast = able.length === candidates.length
      ? Math.max(ledger.onOne, ...able.map((one) => ledger.has(one.name)))
      : ledger.has(name);
    await ledger.check(cluster.control(name), atLeast, `${name}, now the master, lacks what was confirmed`);
    this.#promoted++;
    cluster.available = true;
    ledger.lost(old);
    ledger.goOn();
    for (const other of candidates) {
      if (other === name) continue;
      ledger.disturb(other);
      // Who was receiving a snapshot has given up its own history. (Who followed the new master before has long come back.)
      const certain = afterDeath && able.length === candidates.length && !able.some(({ loses }) => loses);
      if (!certain || cluster.upstream.get(other) === name) {
        await cluster.follow(other, name);
      } else {
        cluster.network.heal(other);
        await this.#continues([other], name, () => cluster.follow(other, name));
      }
    }
    if (afterDeath) {
      cluster.upstream.set(old, name);
      await cluster.run(old);
    } else await cluster.follow(old, name);
  }

  // ---- Quiet -------------------------------------------------------------------------------------------------------------------

  async #beEqual(): Promise<void> {
    const { cluster } = this;
    const begin = performance.now();
    await this.#recover();
    await pause(Math.max(0, SHORT_LIFE + 100 - (performance.now() - begin)));
    const { master } = cluster;
    const top = cluster.control(master);
    await deleteExpired(top);
    await eventually("all have the same offset", async () => {
      const wanted = await cluster.info(master);
      for (const name of cluster.replicas) {
        const fields = await cluster.info(name);
        if (fields.get("master_link_status") !== "up") return false;
        if (fields.get("master_repl_offset") !== wanted.get("master_repl_offset")) return false;
        if (fields.get("master_replid") !== wanted.get("master_replid")) return false;
      }
      return true;
    }, PATIENCE_MS);
    for (const name of cluster.replicas) {
      const difference = await firstDifference(top, cluster.control(name));
      if (difference !== null) throw new Error(`${master} and ${name} differ: ${difference}`);
    }
    cluster.checkOutputs();
    for (const name of cluster.names) {
      const errors = (await cluster.info(name)).get("unexpected_error_replies");
      if (errors !== "0") throw new Error(`${name}: unexpected_error_replies is ${errors}`);
    }
  }
}

if (import.meta.main) {
  const args = parseArgs(process.argv.slice(2), {
    string: ["rounds", "round", "seed", "mix", "events", "ports"],
    boolean: ["keep", "verbose"],
  });
  const makes: Make[] = findRedis() === null ? ["bun", "deno"] : ["redis", "bun", "deno"];
  if (makes.length === 2) console.log("redis-server is not installed: only mixtures without it");
  const seed = Number(args.seed ?? Date.now() % 1_000_000);
  const mixtures = args.mix === undefined
    ? new Seeded(seed).shuffle(allMixtures(makes))
    : [String(args.mix).split(",") as Make[]];
  const options: ChaosOptions = {
    events: Number(args.events ?? 12),
    firstPort: args.ports === undefined ? undefined : Number(args.ports),
    keep: args.keep === true,
    ...(args.verbose === true ? { report: console.log } : {}),
  };
  const first = args.round === undefined ? 0 : Number(args.round);
  const rounds = args.round === undefined ? Number(args.rounds ?? 100) : 1;
  let failed = 0, continued = 0, promoted = 0, confirmed = 0;
  for (let number = first; number < first + rounds; number++) {
    const begin = performance.now();
    try {
      const outcome = await round(seed, number, mixtures[number % mixtures.length], options);
      continued += outcome.continued;
      promoted += outcome.promoted;
      confirmed += outcome.confirmed;
      const seconds = ((performance.now() - begin) / 1000).toFixed(1);
      console.log(
        `round ${number} (${
          outcome.mixture.join(", ")
        }): ${outcome.writes} writes, ${outcome.full} full and ${outcome.partial} partial, ${outcome.continued} continued, ${outcome.promoted} promoted, ${outcome.confirmed} confirmed, ${seconds} s`,
      );
    } catch (error) {
      failed++;
      console.log((error as Error).message);
    }
  }
  console.log(
    `${rounds} rounds, ${failed} failed (seed ${seed}): ${continued} links continued, ${promoted} masters promoted, ${confirmed} writes confirmed by replicas`,
  );
  process.exit(failed === 0 ? 0 : 1);
}
