/**
 * What thousands of clients cost that wait for something: blocked in BLPOP until pushes come, or subscribed to a channel. Each server
 * has them all for itself, and the figure is its CPU time, which the clients' own work on the same machine blurs less than the clock.
 */

import { setTimeout as sleep } from "node:timers/promises";
import { encodeCommands } from "../kit/client.ts";
import { startServer, type TestServer } from "../kit/server.ts";
import { Crowd, messageBytes, subscribeAll } from "./crowd.ts";
import { commandLine, type Contestant, type Effort, type Figure, median } from "./measure.ts";
import { cpuSeconds } from "./process.ts";

const CHANNEL = "news";
const MESSAGE = "m".repeat(32);
/** CPU time is known to a hundredth of a second: so many messages are published one after the other for one figure. */
const MESSAGES = 10;

/** The group "clients". */
export async function measureClients(contestants: readonly Contestant[], effort: Effort): Promise<Figure[]> {
  const { clients } = effort;
  const results: Result[] = [];
  for (const name of contestants) results.push(await measureOne(name, effort));
  const count = clients.toLocaleString("en");
  const figure = (name: string, of: (result: Result) => number): Figure => ({
    name,
    digits: 1,
    values: results.map(of),
  });
  return [
    figure(`BLPOP, ${count} clients on one key: CPU µs to block one`, (result) => result.oneKey.block),
    figure(`BLPOP, ${count} clients on one key: CPU µs to push and serve one`, (result) => result.oneKey.serve),
    figure(`BLPOP, ${count} clients on ${count} keys: CPU µs to block one`, (result) => result.ownKeys.block),
    figure(
      `BLPOP, ${count} clients on ${count} keys: CPU µs to push and serve one`,
      (result) => result.ownKeys.serve,
    ),
    figure(`PUBLISH to ${count} subscribers: CPU µs for each`, (result) => result.publish),
  ];
}

interface Blocking {
  readonly block: number;
  readonly serve: number;
}

interface Result {
  readonly oneKey: Blocking;
  readonly ownKeys: Blocking;
  readonly publish: number;
}

async function measureOne(contestant: Contestant, effort: Effort): Promise<Result> {
  const args = ["--maxclients", String(effort.clients + 32)];
  await using server = await startServer(commandLine(contestant), { args });
  using crowd = await Crowd.open(server.port, effort.clients);
  return {
    oneKey: await measureBlocking(server, crowd, effort, () => "queue"),
    ownKeys: await measureBlocking(server, crowd, effort, (i) => `queue:${String(i).padStart(6, "0")}`),
    publish: await measurePublish(server, crowd, effort),
  };
}

async function measureBlocking(
  server: TestServer,
  crowd: Crowd,
  effort: Effort,
  key: (i: number) => string,
): Promise<Blocking> {
  using pusher = await server.connect();
  const pushes = encodeCommands(Array.from({ length: crowd.size }, (_, i) => ["RPUSH", key(i), "v"]));
  const served = `*2\r\n$${key(0).length}\r\n${key(0)}\r\n$1\r\nv\r\n`.length;
  const blocks: number[] = [];
  const serves: number[] = [];
  // The first turn warms up.
  for (let run = 0; run <= effort.runs; run++) {
    const before = cpuSeconds(server.pid);
    crowd.send((i) => ["BLPOP", key(i), 0]);
    while (!String(await pusher.call("INFO", "clients")).includes(`blocked_clients:${crowd.size}\r\n`)) await sleep(20);
    const blocked = cpuSeconds(server.pid);
    pusher.send(pushes);
    await Promise.all([pusher.readReplies(crowd.size), crowd.received(crowd.size * served)]);
    if (run === 0) continue;
    blocks.push((blocked - before) * 1e6 / crowd.size);
    serves.push((cpuSeconds(server.pid) - blocked) * 1e6 / crowd.size);
  }
  return { block: median(blocks), serve: median(serves) };
}

async function measurePublish(server: TestServer, crowd: Crowd, effort: Effort): Promise<number> {
  using publisher = await server.connect();
  await subscribeAll(crowd, CHANNEL);
  const each: number[] = [];
  for (let run = 0; run <= effort.runs; run++) {
    const before = cpuSeconds(server.pid);
    for (let message = 0; message < MESSAGES; message++) {
      const delivered = crowd.received(crowd.size * messageBytes(CHANNEL, MESSAGE));
      await publisher.ok("PUBLISH", CHANNEL, MESSAGE);
      await delivered;
    }
    if (run > 0) each.push((cpuSeconds(server.pid) - before) * 1e6 / (crowd.size * MESSAGES));
  }
  return median(each);
}
