/**
 * The simulated platform: a world of machines with one virtual clock, one seeded source of chance, a network
 * (`memory_net.ts`) and a disk each (`memory_files.ts`). The whole server runs on it unchanged, so a test can put years
 * between two commands, lose the power between a write and its fsync, or part a replica from its master, and the same
 * seed gives the same run to the byte.
 *
 *     const world = new Simulation(42);
 *     const machine = world.machine("10.0.0.1");
 *     await startServerOn(machine.platform());
 *     await world.advance(1500);
 *     machine.crash();
 *
 * Nothing happens by itself: `advance` runs the events that are due, in the order of their time and, for equal times, of
 * their making, and lets all promises settle after each event before it goes to the next. Events sit in a binary heap.
 */

import { MemoryDisk } from "./memory_files.ts";
import { MemoryNetwork } from "./memory_net.ts";
import type { Clock, Platform, Process, TimerHandle } from "./platform.ts";
import { Xoshiro } from "./random.ts";

export { MemoryDisk } from "./memory_files.ts";
export { MemoryConnection, MemoryNetwork } from "./memory_net.ts";

/** Where a simulation's wall clock starts: 2023-11-14T22:13:20Z. */
const START = 1_700_000_000_000;
/** Events of one `advance` after which the code under test is surely in a loop. */
const TOO_MANY_EVENTS = 50_000_000;

interface Event {
  at: number;
  order: number;
  readonly run: () => void;
  /** 0 for an event that happens once. */
  readonly every: number;
  cancelled: boolean;
}

/** Time that passes only when told to. */
export class VirtualClock implements Clock {
  readonly #heap: Event[] = [];
  #now = 0;
  #order = 0;

  now(): number {
    return Math.floor(START + this.#now);
  }

  nowMicros(): number {
    return START * 1000 + Math.floor(this.#now * 1000);
  }

  monotonic(): number {
    return this.#now;
  }

  block(ms: number): void {
    this.#now += ms;
  }

  nap(ms: number): void {
    this.block(ms);
  }

  after(ms: number, run: () => void): TimerHandle {
    return this.#add(ms, run, 0);
  }

  every(ms: number, run: () => void): TimerHandle {
    const period = Math.max(1, ms);
    return this.#add(period, run, period);
  }

  cancel(handle: TimerHandle): void {
    if (handle !== null && handle !== undefined) (handle as Event).cancelled = true;
  }

  soon(run: () => void): void {
    this.#add(0, run, 0);
  }

  /** Lets `ms` pass: runs everything that falls due, then stands `ms` later. */
  async advance(ms: number): Promise<void> {
    const until = this.#now + ms;
    await settle();
    for (let count = 0; this.#runNext(until); count++) {
      if (count > TOO_MANY_EVENTS) throw new Error("the simulation does not come to rest");
      await settle();
    }
    this.#now = until;
  }

  /** Runs events until `done` holds; throws when `limitMs` of virtual time pass before. */
  async until(done: () => boolean, limitMs = 60_000): Promise<void> {
    const end = this.#now + limitMs;
    await settle();
    while (!done()) {
      if (!this.#runNext(end)) throw new Error(`not within ${limitMs} simulated milliseconds`);
      await settle();
    }
  }

  #add(ms: number, run: () => void, every: number): Event {
    const at = this.#now + Math.max(0, ms);
    const event: Event = { at, order: this.#order++, run, every, cancelled: false };
    this.#push(event);
    return event;
  }

  #runNext(until: number): boolean {
    for (;;) {
      const event = this.#heap[0];
      if (event === undefined || event.at > until) return false;
      this.#pop();
      if (event.cancelled) continue;
      this.#now = event.at;
      if (event.every > 0) {
        event.at += event.every;
        event.order = this.#order++;
        this.#push(event);
      }
      event.run();
      return true;
    }
  }

  #push(event: Event): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(event);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(event, heap[parent])) break;
      heap[at] = heap[parent];
      at = parent;
    }
    heap[at] = event;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1], heap[child])) child++;
      if (!isBefore(heap[child], last)) break;
      heap[at] = heap[child];
      at = child;
    }
    heap[at] = last;
  }
}

function isBefore(a: Event, b: Event): boolean {
  return a.at < b.at || a.at === b.at && a.order < b.order;
}

/** Lets every promise that can go on do so: a turn of the real event loop comes after all of them. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Thrown by `exit` of a simulated process, which has no other way not to return. */
export class SimulatedExit extends Error {
  readonly status: number;

  constructor(status: number) {
    super(`exit ${status}`);
    this.status = status;
  }
}

/** One boot of a machine: its timers stop with it. */
class MachineClock implements Clock {
  readonly #world: VirtualClock;
  readonly #skewMs: number;
  #alive = true;

  constructor(world: VirtualClock, skewMs: number) {
    this.#world = world;
    this.#skewMs = skewMs;
  }

  stop(): void {
    this.#alive = false;
  }

  now(): number {
    return this.#world.now() + this.#skewMs;
  }

  nowMicros(): number {
    return this.#world.nowMicros() + this.#skewMs * 1000;
  }

  monotonic(): number {
    return this.#world.monotonic();
  }

  block(ms: number): void {
    this.#world.block(ms);
  }

  nap(ms: number): void {
    this.#world.nap(ms);
  }

  after(ms: number, run: () => void): TimerHandle {
    return this.#world.after(ms, this.#whileAlive(run));
  }

  every(ms: number, run: () => void): TimerHandle {
    const handle: TimerHandle = this.#world.every(ms, () => {
      if (this.#alive) run();
      else this.#world.cancel(handle);
    });
    return handle;
  }

  cancel(handle: TimerHandle): void {
    this.#world.cancel(handle);
  }

  soon(run: () => void): void {
    this.#world.soon(this.#whileAlive(run));
  }

  #whileAlive(run: () => void): () => void {
    return () => {
      if (this.#alive) run();
    };
  }
}

/** A computer of the simulated world. Its disk survives `crash`, everything else starts anew with `platform()`. */
export class Machine {
  readonly host: string;
  readonly disk: MemoryDisk;
  /** What the program wrote to standard output and error. */
  readonly output: Uint8Array[] = [];
  /** Command line of the next boot. */
  args: readonly string[] = [];
  readonly environment = new Map<string, string>();
  /** Milliseconds this machine's wall clock goes wrong by, from the next boot on. */
  skewMs = 0;
  /** Bytes `process.memory()` reports as resident. */
  residentBytes = 16 * 1024 * 1024;
  #boot: MachineClock | null = null;
  #signals = new Map<string, (() => void)[]>();
  #boots = 0;
  readonly #world: Simulation;

  constructor(world: Simulation, host: string) {
    this.#world = world;
    this.host = host;
    this.disk = new MemoryDisk(world.clock);
  }

  /** Boots: the platform a program on this machine gets. A boot before it ends as by `crash`, but with its disk intact. */
  platform(): Platform {
    this.#stop();
    const clock = new MachineClock(this.#world.clock, this.skewMs);
    this.#boot = clock;
    this.#boots++;
    return {
      runtime: { name: "simulation", version: "1" },
      net: this.#world.network.seenFrom(this.host, clock),
      files: this.disk,
      clock,
      random: new Xoshiro(this.#world.random.u32(), null),
      process: this.#process(),
    };
  }

  /** Power off: timers and connections are gone, the disk keeps what was synced (see `MemoryDisk.crash` for `torn`). */
  crash(torn = false): void {
    this.#stop();
    this.disk.crash(torn ? this.#world.random : null);
  }

  /** Sends a signal to the running program. */
  signal(name: "SIGINT" | "SIGTERM"): void {
    for (const run of this.#signals.get(name) ?? []) run();
  }

  #stop(): void {
    if (this.#boot === null) return;
    this.#boot.stop();
    this.#boot = null;
    this.#signals = new Map();
    this.#world.network.crash(this.host);
  }

  #process(): Process {
    const signals = this.#signals;
    const { disk, output, environment } = this;
    return {
      id: this.#boots,
      args: this.args,
      executable: "/bin/redstart",
      os: "Simulation 1 x86_64",
      machineBits: 64,
      environment: (name) => environment.get(name),
      currentDirectory: () => disk.currentDirectory,
      changeDirectory: (path) => {
        const target = disk.resolve(path);
        disk.list(target);
        disk.currentDirectory = target;
      },
      memory: () => ({ rss: this.residentBytes, heapUsed: 0, heapTotal: 0, external: 0 }),
      totalSystemMemory: () => 8 * 1024 ** 3,
      collectGarbage: () => {},
      cpu: () => ({ user: 0, system: 0 }),
      onSignal: (name, run) => {
        const runs = signals.get(name) ?? [];
        runs.push(run);
        signals.set(name, runs);
      },
      // A test that throws in a callback is to see it thrown.
      onUncaught: () => {},
      stdout: (bytes) => void output.push(bytes.slice()),
      stderr: (bytes) => void output.push(bytes.slice()),
      readStdin: () => new Uint8Array(0),
      exit: (code) => {
        this.#stop();
        throw new SimulatedExit(code);
      },
      openFilesLimit: () => 10_032,
    };
  }
}

/** A world of its own; two with the same seed and the same calls run alike. */
export class Simulation {
  readonly clock = new VirtualClock();
  readonly random: Xoshiro;
  readonly network: MemoryNetwork;
  readonly #machines = new Map<string, Machine>();

  constructor(seed: number) {
    this.random = new Xoshiro(seed, null);
    this.network = new MemoryNetwork(this.clock, this.random);
  }

  /** The machine with this address, made at the first call. */
  machine(host: string): Machine {
    let machine = this.#machines.get(host);
    if (machine === undefined) {
      machine = new Machine(this, host);
      this.#machines.set(host, machine);
    }
    return machine;
  }

  /** See `VirtualClock.advance`. */
  advance(ms: number): Promise<void> {
    return this.clock.advance(ms);
  }
}

/** A platform of a world with a single machine, for tests that need no more than a clock and a seed in their hands. */
export function createPlatform(seed = 1): { platform: Platform; world: Simulation; machine: Machine } {
  const world = new Simulation(seed);
  const machine = world.machine("10.0.0.1");
  return { platform: machine.platform(), world, machine };
}
