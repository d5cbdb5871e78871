/**
 * Many connections at once on real sockets, each with a pipeline that arrives in pieces of random sizes, cut anywhere, with values from
 * nothing to a megabyte, slow readers among them. Every reply is compared, byte by byte, with what the connection's own
 * commands must give: a reply that belongs to another command or another connection, or bytes of a buffer that somebody else has
 * reused meanwhile, cannot go unnoticed, because every value says whose it is.
 */

import { assert, assertEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import { connect, type Socket } from "node:net";
import { Seeded } from "../kit/seeded.ts";
import { startRedstart } from "../kit/server.ts";
import { test } from "../kit/test.ts";

const CONNECTIONS = 40;
const COMMANDS = 300;
const SIZES = [0, 1, 10, 100, 1000, 5000, 16_000, 40_000, 70_000, 150_000, 300_000, 1_000_000];
/** A piece of this size or less is usual. */
const PIECES = [1, 2, 7, 50, 500, 1024, 4096, 16_384, 65_536, 300_000];

interface Script {
  readonly requests: Buffer;
  readonly replies: Buffer;
}

function bulk(value: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`$${value.length}\r\n`), value, Buffer.from("\r\n")]);
}

function frame(...parts: (Buffer | string)[]): Buffer {
  return Buffer.concat([
    Buffer.from(`*${parts.length}\r\n`),
    ...parts.map((part) => bulk(Buffer.from(part as string, "latin1"))),
  ]);
}

/** Bytes that no other connection and no other command has. */
function value(random: Seeded, owner: string): Buffer {
  const size = random.chance(0.9) ? random.below(200) : random.pick(SIZES);
  const word = `<${owner}:${random.u32()}>`;
  return Buffer.alloc(size, word);
}

/** What one connection says, and what it must be told. Its keys are its own, so that the replies depend on nobody else. */
function write(random: Seeded, id: number): Script {
  const requests: Buffer[] = [];
  const replies: Buffer[] = [];
  const strings = new Map<string, Buffer>();
  const list: Buffer[] = [];
  const say = (request: Buffer, reply: Buffer | string): void => {
    requests.push(request);
    replies.push(Buffer.from(reply as string, "latin1"));
  };
  const key = () => `${id}:${random.below(8)}`;
  for (let i = 0; i < COMMANDS; i++) {
    const name = key();
    const old = strings.get(name);
    switch (random.below(10)) {
      case 0:
      case 1: {
        const written = value(random, name);
        strings.set(name, written);
        say(frame("SET", name, written), "+OK\r\n");
        break;
      }
      case 2:
      case 3:
        say(frame("get", name), old === undefined ? "$-1\r\n" : bulk(old));
        break;
      case 4: {
        const echoed = value(random, `echo ${id}`);
        say(frame("ECHO", echoed), bulk(echoed));
        break;
      }
      case 5: {
        const more = Buffer.from(`+${id}+`);
        const joined = Buffer.concat([old ?? Buffer.alloc(0), more]);
        strings.set(name, joined);
        say(frame("APPEND", name, more), `:${joined.length}\r\n`);
        break;
      }
      case 6:
        say(Buffer.from(`STRLEN ${name}\r\n`), `:${old?.length ?? 0}\r\n`);
        break;
      case 7: {
        const element = value(random, `list ${id}`);
        list.push(element);
        say(frame("RPUSH", `list:${id}`, element), `:${list.length}\r\n`);
        break;
      }
      case 8: {
        const head = list.shift();
        // A blocking command in a pipeline: what comes behind it has to wait for nothing here, but is treated apart.
        if (head !== undefined) {
          const reply = [Buffer.from("*2\r\n"), bulk(Buffer.from(`list:${id}`)), bulk(head)];
          say(frame("BLPOP", `list:${id}`, "0"), Buffer.concat(reply));
        } else say(frame("LPOP", `list:${id}`), "$-1\r\n");
        break;
      }
      default: {
        const names = [key(), key(), key()];
        const values = names.map((each) => strings.get(each));
        const items = values.map((each) => each === undefined ? Buffer.from("$-1\r\n") : bulk(each));
        say(frame("MGET", ...names), Buffer.concat([Buffer.from("*3\r\n"), ...items]));
      }
    }
  }
  return { requests: Buffer.concat(requests), replies: Buffer.concat(replies) };
}

/** Sends the requests in pieces, and compares what comes back while it comes. */
function run(port: number, { requests, replies }: Script, random: Seeded): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket: Socket = connect(port, "127.0.0.1");
    socket.setNoDelay(true);
    let sent = 0;
    let got = 0;
    const fail = (why: string) => {
      socket.destroy();
      reject(new Error(why));
    };
    const send = (): void => {
      for (let pieces = random.between(1, 20); pieces > 0 && sent < requests.length; pieces--) {
        const end = Math.min(requests.length, sent + random.between(1, random.pick(PIECES)));
        const room = socket.write(requests.subarray(sent, end));
        sent = end;
        if (!room) return void socket.once("drain", send);
      }
      if (sent < requests.length) setImmediate(send);
    };
    socket.on("connect", send);
    socket.on("data", (chunk: Buffer) => {
      const expected = replies.subarray(got, got + chunk.length);
      if (!expected.equals(chunk)) {
        let at = 0;
        while (at < expected.length && expected[at] === chunk[at]) at++;
        const around = (bytes: Buffer) => JSON.stringify(bytes.toString("latin1", Math.max(0, at - 60), at + 60));
        return fail(`at byte ${got + at} of the replies: ${around(chunk)} instead of ${around(expected)}`);
      }
      got += chunk.length;
      if (got === replies.length && sent === requests.length) {
        socket.destroy();
        resolve();
      } else if (random.chance(0.02)) {
        socket.pause();
        setTimeout(() => socket.resume(), random.below(20));
      }
    });
    socket.on("error", (error) => fail(String(error)));
    socket.on("end", () => fail(`closed after ${got} of ${replies.length} bytes`));
  });
}

async function stress(seed: number): Promise<void> {
  await using server = await startRedstart();
  const random = new Seeded(seed);
  const scripts = Array.from({ length: CONNECTIONS }, (_, id) => write(random, id));
  const outcomes = await Promise.allSettled(
    scripts.map((script) => run(server.port, script, new Seeded(random.u32()))),
  );
  const failures = outcomes.filter((outcome) => outcome.status === "rejected").map((outcome) => String(outcome.reason));
  assertEquals(failures, [], `seed ${seed}`);
  using client = await server.connect();
  assert((await client.ok("INFO", "clients") as string).includes("blocked_clients:0"));
  assert(!server.output().includes("Internal error"), server.output());
}

for (const seed of [1, 2]) {
  test(`stress: ${CONNECTIONS} connections get the replies to their own commands (seed ${seed})`, () => stress(seed));
}
