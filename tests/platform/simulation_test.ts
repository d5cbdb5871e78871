/** What only the simulated network can do: delay, partition, crash, and run twice alike. */

import { assert, assertEquals } from "@std/assert";
import { Simulation } from "../../lib/platform/memory.ts";
import type { Connection, PlatformError } from "../../lib/platform/platform.ts";
import { test } from "../kit/test.ts";
import { pattern, Witness } from "./ground.ts";

const A = "10.0.0.1";
const B = "10.0.0.2";

/** Two machines, B listening, A connected to it. */
async function pair(seed: number, delayMs: number) {
  const world = new Simulation(seed);
  world.network.delayMs = delayMs;
  const a = world.machine(A).platform();
  const b = world.machine(B).platform();
  const server = new Witness();
  const client = new Witness();
  await b.net.listen({ host: "0.0.0.0", port: 6379 }, (connection) => server.of(connection));
  a.net.connect({ host: B, port: 6379 }, (connection) => client.of(connection));
  await world.clock.until(() => client.connection !== null);
  return { world, a, b, server, client };
}

test("simulated network: bytes take the delay of their link, in order", async () => {
  const { world, server, client } = await pair(1, 25);
  assertEquals(world.clock.monotonic(), 50);
  client.open.write(pattern(10), 0, 10);
  await world.advance(24);
  assertEquals(server.received, 0);
  client.open.write(pattern(10), 0, 5);
  world.network.setDelay(A, B, 1);
  client.open.write(pattern(10), 0, 1);
  await world.advance(1);
  assertEquals(server.received, 10);
  await world.advance(23);
  assertEquals(server.received, 10);
  await world.advance(1);
  assertEquals(server.received, 16);
});

test("simulated network: a partition holds bytes and connection attempts, healing delivers, cutting resets", async () => {
  const { world, a, server, client } = await pair(1, 5);
  world.network.partition(A, B);
  client.open.write(pattern(10), 0, 10);
  let code = "";
  a.net.connect({ host: B, port: 6379 }, () => new Witness(), { timeoutMs: 400 })
    .catch((thrown: PlatformError) => code = thrown.code);
  await world.advance(399);
  assertEquals([server.received, code], [0, ""]);
  await world.advance(2);
  assertEquals(code, "ETIMEDOUT");
  world.network.heal(A, B);
  await world.advance(0);
  assertEquals(server.received, 10);
  world.network.cut(A, B);
  await world.advance(0);
  assertEquals([server.closings.length, client.closings.length], [1, 1]);
});

test("simulated network: a reset waits behind a partition", async () => {
  const { world, server, client } = await pair(1, 5);
  world.network.partition(A, B);
  client.open.abort();
  await world.advance(1000);
  assertEquals([client.closings, server.closings], [[""], []]);
  world.network.heal(A, B);
  await world.advance(5);
  assertEquals(server.closings.length, 1);
});

test("simulated network: a crashed machine's handlers hear nothing, its peers see a reset, its port is free", async () => {
  const { world, a, server, client } = await pair(1, 5);
  world.machine(B).crash();
  await world.advance(100);
  assertEquals([server.closings, client.closings.length], [[], 1]);
  let code = "";
  a.net.connect({ host: B, port: 6379 }, () => new Witness()).catch((thrown: PlatformError) => code = thrown.code);
  await world.advance(100);
  assertEquals(code, "ECONNREFUSED");
  await world.machine(B).platform().net.listen({ host: "*", port: 6379 }, () => new Witness());
  let opened: Connection | null = null;
  a.net.connect({ host: B, port: 6379 }, () => new Witness()).then((connection) => opened = connection);
  await world.advance(100);
  assert(opened !== null);
});

test("simulated network: random pieces, and the same seed cuts them alike", async () => {
  const run = async (seed: number): Promise<number[]> => {
    const { world, server, client } = await pair(seed, 1);
    world.network.largestPiece = 100;
    const lengths: number[] = [];
    server.onData = (_bytes, length) => void lengths.push(length);
    client.open.write(pattern(20_000), 0, 20_000);
    await world.clock.until(() => server.received === 20_000);
    return lengths;
  };
  const first = await run(4);
  assert(first.length > 200 && Math.max(...first) <= 100);
  assertEquals(await run(4), first);
  assert((await run(5)).join() !== first.join());
});
