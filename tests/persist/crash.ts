/**
 * Kills the server at random moments and looks whether what it had acknowledged is there when it comes back:
 *
 *     deno task crash                  200 kills
 *     deno task crash --kills 1000 --seed 7 --server bun
 *
 * Writers count what was acknowledged to them and what they have sent; the truth must lie in between. Each kind of write is there: plain
 * ones, lists that must have no gap, transactions whose two keys must agree. Most kills come while a snapshot is written (BGSAVE, BGREWRITEAOF),
 * on a data set that is large enough for that to take a while. SIGKILL is the death of the process, which loses nothing under any policy
 * that acknowledges after writing; the death of the machine is tested on a simulated disk (aof_test.ts).
 */

import { parseArgs } from "@std/cli/parse-args";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { type Client, type Command, ConnectionClosed, encodeCommands } from "../kit/client.ts";
import { errorOf } from "../kit/reply.ts";
import { Seeded } from "../kit/seeded.ts";
import { findRedis, startRedstart, type TestServer } from "../kit/server.ts";

const WRITERS = 4;
const FILLER = 5000;
/** Lists of this length begin anew, so that the last kills are as quick as the first. */
const LONGEST = 10_000;

/** Writes without end, and keeps the books. */
class Writer {
  /** Numbers of the last write that was sent, and of the last one that was acknowledged. */
  sent = 0;
  acknowledged = 0;

  constructor(readonly name: string, readonly random: Seeded) {}

  /** Until the connection breaks. Rejects on an error reply. */
  async run(client: Client): Promise<void> {
    try {
      for (;;) {
        const batch: Command[] = [];
        for (let i = this.random.between(1, 16); i > 0; i--) {
          const number = ++this.sent;
          batch.push(
            ["SET", `${this.name}:last`, number],
            ["RPUSH", `${this.name}:list`, number],
            ["MULTI"],
            ["INCR", `${this.name}:one`],
            ["INCR", `${this.name}:two`],
            ["EXEC"],
          );
        }
        client.send(encodeCommands(batch));
        for (let i = 0; i < batch.length; i++) {
          const error = errorOf(await client.readReply());
          if (error !== undefined) throw new Error(`${batch[i].join(" ")}: ${error}`);
          // EXEC is the last command of its number.
          if (i % 6 === 5) this.acknowledged++;
        }
      }
    } catch (error) {
      if (!(error instanceof ConnectionClosed)) throw error;
    }
  }

  /** Compares with what the server has; what it has is the truth from now on. Throws an Error that says what is lost. */
  async check(client: Client, what: string): Promise<void> {
    const { name, sent, acknowledged } = this;
    const [last, length, newest, one, two] = await client.pipeline([
      ["GET", `${name}:last`],
      ["LLEN", `${name}:list`],
      ["LINDEX", `${name}:list`, -1],
      ["GET", `${name}:one`],
      ["GET", `${name}:two`],
    ]);
    const found = [last, length, newest, one, two].map((value) => Number(value ?? 0));
    const fail = (reason: string): never => {
      throw new Error(
        `${what}: ${name}: ${reason}: acknowledged ${acknowledged}, sent ${sent}, found last/length/newest/one/two ${found}`,
      );
    };
    if (found.some((number) => number < acknowledged)) fail("an acknowledged write is lost");
    if (found.some((number) => number > sent)) fail("there is more than was sent");
    if (found[1] !== found[2]) fail("the list has a gap");
    if (found[3] !== found[4]) fail("half of a transaction is there");
    // A batch may have been cut anywhere: go on from a common number.
    this.acknowledged = this.sent = Math.max(...found);
    if (this.sent > LONGEST) {
      this.acknowledged = this.sent = 0;
      await client.call("DEL", `${name}:last`, `${name}:list`, `${name}:one`, `${name}:two`);
      return;
    }
    await client.pipeline([
      ["SET", `${name}:last`, this.sent],
      ...Array.from({ length: this.sent - found[1] }, (_, i): Command => ["RPUSH", `${name}:list`, found[1] + 1 + i]),
      ["MSET", `${name}:one`, this.sent, `${name}:two`, this.sent],
    ]);
  }
}

/**
 * Kills `kills` times; resolves to how many of them came in the middle of a snapshot. `report` is told of each. Rejects with an Error that names the kill and the seed when something is lost.
 */
export async function crash(
  kills: number,
  seed: number,
  options: { readonly server?: string; readonly report?: (line: string) => void } = {},
): Promise<number> {
  let inSnapshot = 0;
  const random = new Seeded(seed);
  const dir = mkdtempSync(join(tmpdir(), "redstart-crash-"));
  const writers = Array.from({ length: WRITERS }, (_, i) => new Writer(`writer${i}`, random));
  try {
    for (let kill = 1; kill <= kills; kill++) {
      const policy = random.pick(["always", "everysec", "everysec", "no"]);
      const preamble = random.pick(["yes", "no"]);
      const activity = random.pick(["nothing", "BGSAVE", "BGREWRITEAOF", "BGREWRITEAOF"]);
      const what = `seed ${seed}, kill ${kill} (${policy}, preamble ${preamble}, ${activity})`;
      const server = await start(dir, policy, preamble, options.server);
      const control = await server.connect();
      for (const writer of writers) await writer.check(control, what);
      if (kill === 1) await fill(control);
      const running = Promise.all(writers.map(async (writer) => await writer.run(await server.connect())));
      running.catch(() => {});
      await pause(random.below(60));
      if (activity !== "nothing") {
        const error = errorOf(await control.call(activity));
        // The file may have grown so much that the server has begun by itself.
        if (error !== undefined && !error.endsWith("already in progress")) throw new Error(`${what}: ${error}`);
      }
      await pause(random.below(activity === "nothing" ? 60 : 250));
      await server.kill();
      await running;
      const interrupted = checkFiles(dir, what);
      if (interrupted) inSnapshot++;
      options.report?.(
        `${what}${interrupted ? ", in the middle of a snapshot" : ""}`,
      );
    }
    const server = await start(dir, "everysec", "yes", options.server);
    const control = await server.connect();
    for (const writer of writers) await writer.check(control, `seed ${seed}, at the end`);
    if (await control.call("STRLEN", `filler${FILLER - 1}`) !== 100) {
      throw new Error(`seed ${seed}: the filler is lost`);
    }
    await server.kill();
    return inSnapshot;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** A record that was cut off by the kill is not told of by an error: the default is to cut it off and go on. */
function start(dir: string, policy: string, preamble: string, server?: string): Promise<TestServer> {
  const args = ["--appendonly", "yes", "--appendfsync", policy, "--aof-use-rdb-preamble", preamble];
  // Slow enough that a kill often comes in the middle.
  return startRedstart({ dir, server, args: [...args, "--rdb-key-save-delay", "20"] });
}

async function fill(client: Client): Promise<void> {
  for (let from = 0; from < FILLER; from += 500) {
    await client.pipeline(Array.from({ length: 500 }, (_, i) => ["SET", `filler${from + i}`, "x".repeat(100)]));
  }
}

/** A killed BGSAVE must leave the file of the one before, whole. True when a snapshot was killed. */
function checkFiles(dir: string, what: string): boolean {
  const file = join(dir, "dump.rdb");
  if (existsSync(file) && findRedis() !== null) {
    const { status, stdout } = spawnSync("redis-check-rdb", [file], { encoding: "utf8" });
    if (status !== 0 && status !== null) throw new Error(`${what}: dump.rdb is damaged: ${stdout}`);
  }
  // Temporary files of killed processes pile up, as Redis's do.
  const left = readdirSync(dir).filter((name) => name.startsWith("temp-"));
  for (const name of left) rmSync(join(dir, name));
  return left.length > 0;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

if (import.meta.main) {
  const args = parseArgs(process.argv.slice(2), { string: ["kills", "seed", "server"] });
  const kills = Number(args.kills ?? 200);
  const seed = Number(args.seed ?? Date.now() % 1_000_000);
  const inSnapshot = await crash(kills, seed, { server: args.server as string | undefined, report: console.log });
  console.log(`${kills} kills, ${inSnapshot} of them in the middle of a snapshot: nothing lost (seed ${seed})`);
  process.exit(0);
}
