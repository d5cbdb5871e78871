/** The contract of `Net`, on the real adapters of the running runtime and on the simulation. */

import { assert, assertEquals } from "@std/assert";
import type { Listener, PlatformError } from "../../lib/platform/platform.ts";
import { test } from "../kit/test.ts";
import { checksum, type Ground, pattern, realGround, Sender, simulatedGround, Witness } from "./ground.ts";

const MEGABYTE = 1024 * 1024;

const GROUNDS: [string, () => Ground | Promise<Ground>][] = [
  ["real", () => realGround()],
  ["simulated", () => simulatedGround()],
];
// Deno has other sockets for a program that is only a server.
if (!("Bun" in globalThis)) GROUNDS.push(["program's", () => realGround(true)]);

function contract(name: string, run: (ground: Ground) => Promise<void>): void {
  for (const [where, make] of GROUNDS) {
    test(`${where} network: ${name}`, async () => {
      const ground = await make();
      try {
        await run(ground);
      } finally {
        ground.leave();
      }
    });
  }
}

/** Listens on a free port of 127.0.0.1; `servers` gets a witness per accepted connection. */
function listen(ground: Ground, servers: Witness[], prepare: (server: Witness) => void = () => {}): Promise<Listener> {
  return ground.platform.net.listen({ host: "127.0.0.1", port: 0 }, (connection) => {
    const server = new Witness().of(connection);
    servers.push(server);
    prepare(server);
    return server;
  });
}

async function connect(ground: Ground, port: number, host = "127.0.0.1"): Promise<Witness> {
  const client = new Witness();
  await settled(ground, ground.platform.net.connect({ host, port }, (connection) => client.of(connection)));
  return client;
}

/** Waits for a promise while the ground's clock runs. */
async function settled<T>(ground: Ground, promise: Promise<T>): Promise<T> {
  let over = false;
  const done = () => void (over = true);
  promise.then(done, done);
  await ground.until(() => over);
  return promise;
}

async function failure(ground: Ground, promise: Promise<unknown>): Promise<string> {
  try {
    await settled(ground, promise);
  } catch (thrown) {
    return (thrown as PlatformError).code;
  }
  return "no error";
}

contract("a megabyte written in odd pieces comes back whole", async (ground) => {
  const servers: Witness[] = [];
  const listener = await listen(ground, servers, (server) => {
    const waiting: Uint8Array[] = [];
    const flush = () => {
      while (waiting.length > 0) {
        const taken = server.open.write(waiting[0], 0, waiting[0].length);
        if (taken < waiting[0].length) {
          waiting[0] = waiting[0].subarray(taken);
          return;
        }
        waiting.shift();
      }
    };
    server.onData = (bytes, length) => {
      waiting.push(bytes.slice(0, length));
      flush();
    };
    server.onDrain = flush;
  });
  const client = await connect(ground, listener.port);
  const bytes = pattern(MEGABYTE);
  const scratch = new Uint8Array(65536);
  let at = 0;
  const go = () => {
    while (at < bytes.length) {
      const length = Math.min(1 + (at * 7919) % 60000, bytes.length - at);
      scratch.set(bytes.subarray(at, at + length), 100);
      const taken = client.open.write(scratch, 100, 100 + length);
      // The buffer is ours again: what was taken must have been copied.
      scratch.fill(0);
      at += taken;
      if (taken < length) return;
    }
  };
  client.onDrain = go;
  go();
  await ground.until(() => client.received >= MEGABYTE);
  assertEquals(client.received, MEGABYTE);
  assertEquals(client.checksum, checksum(bytes, 0, bytes.length));
  client.open.close();
  await ground.until(() => servers[0].ends === 1);
  servers[0].open.close();
  await ground.until(() => servers[0].closings.length === 1 && client.closings.length === 1);
  assertEquals([servers[0].closings, client.closings], [[""], [""]]);
  listener.close();
});

contract("IPv4, IPv6 and unix listeners stand side by side", async (ground) => {
  const { net } = ground.platform;
  const seen: string[] = [];
  const accept = (tag: string) => (connection: { remote: string; local: string }) => {
    seen.push(`${tag} ${connection.remote.replace(/:\d+$/, ":*")} ${connection.local.replace(/:\d+$/, ":*")}`);
    return new Witness();
  };
  const v4 = await net.listen({ host: "127.0.0.1", port: 0 }, accept("v4"));
  const v6 = await net.listen({ host: "::1", port: v4.port }, accept("v6"));
  const path = `${ground.directory}/s.sock`;
  const unix = await net.listen({ path, mode: 0o700 }, accept("unix"));
  assertEquals([v6.port, unix.port], [v4.port, 0]);
  const one = await connect(ground, v4.port);
  const two = await connect(ground, v4.port, "::1");
  const three = new Witness();
  await settled(ground, net.connect({ path }, (connection) => three.of(connection)));
  await ground.until(() => seen.length === 3);
  assertEquals(seen, [
    "v4 127.0.0.1:* 127.0.0.1:*",
    "v6 [::1]:* [::1]:*",
    `unix ${path}:* ${path}:*`,
  ]);
  assertEquals(one.open.remote, `127.0.0.1:${v4.port}`);
  assertEquals(two.open.remote, `[::1]:${v4.port}`);
  assertEquals(three.open.remote, `${path}:0`);
  for (const each of [v4, v6, unix]) each.close();
  await ground.settle();
  assertEquals(await failure(ground, net.connect({ host: "127.0.0.1", port: v4.port }, () => three)), "ECONNREFUSED");
  assertEquals(await failure(ground, net.connect({ host: "::1", port: v4.port }, () => three)), "ECONNREFUSED");
  assertEquals(await failure(ground, net.connect({ path }, () => three)), "ENOENT");
  for (const each of [one, two, three]) each.open.abort();
});

contract("0.0.0.0 and :: share a port and keep their families apart", async (ground) => {
  const { net } = ground.platform;
  const seen: string[] = [];
  const accept = (tag: string) => (connection: { remote: string }) => {
    seen.push(`${tag} ${connection.remote.replace(/:\d+$/, "")}`);
    return new Witness();
  };
  const v4 = await net.listen({ host: "0.0.0.0", port: 0 }, accept("v4"));
  const v6 = await net.listen({ host: "::", port: v4.port }, accept("v6"));
  assertEquals(v6.port, v4.port);
  const clients = [await connect(ground, v4.port), await connect(ground, v4.port, "::1")];
  await ground.until(() => seen.length === 2);
  assertEquals(seen, ["v4 127.0.0.1", "v6 [::1]"]);
  v4.close();
  clients.push(await connect(ground, v6.port, "::1"));
  await ground.until(() => seen.length === 3);
  assertEquals(seen[2], "v6 [::1]");
  v6.close();
  await ground.settle();
  assertEquals(
    await failure(ground, net.connect({ host: "::1", port: v6.port }, () => new Witness())),
    "ECONNREFUSED",
  );
  for (const each of clients) each.open.abort();
});

contract("a slow reader makes write take less, drain tells when to go on, nothing is lost", async (ground) => {
  const servers: Witness[] = [];
  const listener = await listen(ground, servers);
  const client = await connect(ground, listener.port);
  await ground.until(() => servers.length === 1);
  client.open.pause();
  const bytes = pattern(32 * MEGABYTE);
  const sender = new Sender(servers[0], bytes);
  sender.go();
  await ground.settle();
  const stuckAt = sender.sent;
  assert(stuckAt < 16 * MEGABYTE, `${stuckAt} bytes were taken though nobody reads`);
  await ground.settle();
  assertEquals(sender.sent, stuckAt);
  client.open.resume();
  await ground.until(() => client.received >= bytes.length);
  assertEquals(client.received, bytes.length);
  assertEquals(client.checksum, checksum(bytes, 0, bytes.length));
  assert(servers[0].drains > 0);
  servers[0].onEnd = () => servers[0].open.close();
  client.open.abort();
  await ground.until(() => servers[0].closings.length === 1);
  listener.close();
});

contract("pause holds the data back, resume hands it over", async (ground) => {
  const servers: Witness[] = [];
  const listener = await listen(ground, servers, (server) => server.open.pause());
  const client = await connect(ground, listener.port);
  client.open.write(pattern(1000), 0, 1000);
  await ground.until(() => servers.length === 1);
  await ground.settle();
  assertEquals(servers[0].received, 0);
  servers[0].open.resume();
  await ground.until(() => servers[0].received === 1000);
  servers[0].onData = () => servers[0].open.pause();
  client.open.write(pattern(1000), 0, 500);
  await ground.until(() => servers[0].received === 1500);
  client.open.write(pattern(1000), 500, 1000);
  await ground.settle();
  assertEquals(servers[0].received, 1500);
  servers[0].onData = () => {};
  servers[0].open.resume();
  await ground.until(() => servers[0].received === 2000);
  client.open.close();
  await ground.until(() => servers[0].ends === 1);
  servers[0].open.close();
  listener.close();
});

contract("after the peer's FIN the answer still goes out, and close sends all that was taken", async (ground) => {
  const servers: Witness[] = [];
  const reply = pattern(200_000);
  const listener = await listen(ground, servers, (server) => {
    const sender = new Sender(server, reply);
    server.onEnd = () => {
      sender.go();
      if (sender.sent === reply.length) server.open.close();
    };
    server.onDrain = () => {
      sender.go();
      if (sender.sent === reply.length) server.open.close();
    };
  });
  const raw = await ground.rawClient(listener.port);
  raw.send(pattern(5000));
  raw.endSending();
  await ground.until(() => raw.ended);
  assertEquals(raw.received, reply.length);
  await ground.until(() => servers[0].closings.length === 1);
  assertEquals([servers[0].received, servers[0].ends, servers[0].closings], [5000, 1, [""]]);
  listener.close();
});

contract("a reset is reported once, and writing to the dead connection does nothing", async (ground) => {
  const servers: Witness[] = [];
  const listener = await listen(ground, servers);
  const raw = await ground.rawClient(listener.port);
  raw.send(pattern(10));
  await ground.until(() => servers.length === 1 && servers[0].received === 10);
  raw.reset();
  const bytes = pattern(100);
  await ground.until(() => servers[0].closings.length === 1);
  assertEquals(servers[0].open.write(bytes, 0, 100), 0);
  servers[0].open.pause();
  servers[0].open.resume();
  servers[0].open.setNoDelay(true);
  servers[0].open.setKeepAlive(300);
  servers[0].open.close();
  servers[0].open.abort();
  await ground.settle();
  assertEquals(servers[0].closings.length, 1);
  assert(servers[0].closings[0] !== "", "a reset is no orderly close");
  listener.close();
});

contract("writing to a peer that has gone ends in one closed, without exceptions", async (ground) => {
  const servers: Witness[] = [];
  const listener = await listen(ground, servers);
  const client = await connect(ground, listener.port);
  await ground.until(() => servers.length === 1);
  client.open.close();
  const bytes = pattern(65536);
  await ground.until(() => {
    servers[0].open.write(bytes, 0, bytes.length);
    return servers[0].closings.length > 0;
  });
  await ground.settle();
  assertEquals([servers[0].closings.length, client.closings.length], [1, 1]);
  listener.close();
});

contract("abort while a write is under way closes once and frees the peer", async (ground) => {
  const servers: Witness[] = [];
  const listener = await listen(ground, servers);
  const client = await connect(ground, listener.port);
  await ground.until(() => servers.length === 1);
  client.open.pause();
  const sender = new Sender(servers[0], pattern(16 * MEGABYTE));
  sender.go();
  servers[0].open.close();
  servers[0].open.abort();
  await ground.until(() => servers[0].closings.length === 1);
  client.open.resume();
  await ground.until(() => client.ends + client.closings.length > 0);
  assertEquals(servers[0].closings, [""]);
  client.open.close();
  await ground.until(() => client.closings.length === 1);
  listener.close();
});

contract("errors have their POSIX names", async (ground) => {
  const { net } = ground.platform;
  const listener = await listen(ground, []);
  const { port } = listener;
  const witness = new Witness();
  assertEquals(await failure(ground, net.listen({ host: "127.0.0.1", port }, () => witness)), "EADDRINUSE");
  assertEquals(await failure(ground, net.listen({ host: "192.0.2.1", port: 0 }, () => witness)), "EADDRNOTAVAIL");
  listener.close();
  const again = await net.listen({ host: "127.0.0.1", port }, () => witness);
  assertEquals(again.port, port);
  again.close();
  again.close();
  await ground.settle();
  assertEquals(await failure(ground, net.connect({ host: "127.0.0.1", port }, () => witness)), "ECONNREFUSED");
  assertEquals(witness.connection, null);
});

contract("two thousand connections, each answered, none mixed up", async (ground) => {
  const servers: Witness[] = [];
  const listener = await listen(ground, servers, (server) => {
    server.onData = (bytes, length) => server.open.write(bytes, 0, length);
  });
  const clients: Witness[] = [];
  const count = 2000;
  for (let i = 0; i < count; i += 100) {
    const some = Array.from({ length: 100 }, () => new Witness());
    clients.push(...some);
    await settled(
      ground,
      Promise.all(
        some.map((client) =>
          ground.platform.net.connect({ host: "127.0.0.1", port: listener.port }, (connection) => client.of(connection))
        ),
      ),
    );
  }
  const word = new Uint8Array(4);
  clients.forEach((client, i) => {
    new DataView(word.buffer).setUint32(0, i);
    client.open.write(word, 0, 4);
  });
  await ground.until(() => clients.every((client) => client.received === 4));
  clients.forEach((client, i) => {
    new DataView(word.buffer).setUint32(0, i);
    assertEquals(client.checksum, checksum(word, 0, 4));
  });
  for (const client of clients) client.open.close();
  await ground.until(() => servers.length === count && servers.every((server) => server.ends === 1));
  for (const server of servers) server.open.close();
  await ground.until(() => servers.every((server) => server.closings.length === 1));
  listener.close();
});

test("real network: a handler that throws loses its connection, not the process", async () => {
  const ground = await realGround();
  const servers: Witness[] = [];
  const listener = await listen(ground, servers, (server) => {
    server.onData = () => {
      throw new Error("deliberate");
    };
  });
  const client = await connect(ground, listener.port);
  client.open.write(pattern(1), 0, 1);
  await ground.until(() => servers.length === 1 && servers[0].closings.length === 1);
  assert(servers[0].closings[0].includes("deliberate"));
  await ground.until(() => client.ends + client.closings.length > 0);
  client.open.close();
  listener.close();
  ground.leave();
});

test("real network: a stale unix socket gives way, another file does not; the mode is set", async () => {
  const ground = await realGround();
  const { net, files } = ground.platform;
  const path = `${ground.directory}/stale.sock`;
  const first = await net.listen({ path }, () => new Witness());
  const second = await net.listen({ path, mode: 0o700 }, () => new Witness());
  assertEquals(files.stat(path)?.mode, 0o700);
  const client = new Witness();
  await net.connect({ path }, (connection) => client.of(connection));
  client.open.abort();
  second.close();
  first.close();
  await ground.settle();
  files.write(path, new Uint8Array(1));
  assertEquals(await failure(ground, net.listen({ path }, () => new Witness())), "EADDRINUSE");
  assertEquals(files.stat(path)?.size, 1);
  ground.leave();
});
