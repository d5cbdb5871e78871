/**
 * Scenes with several clients, some of which wait: played on both servers, who got what and when must be the same.
 *
 *     assertEquals(await play(redstart, steps), await play(redis, steps));
 */

import { type Client as Connection, encodeCommand } from "./client.ts";
import { show } from "./reply.ts";
import type { TestServer } from "./server.ts";

/** A client's name and what it sends. Everybody but "main" is expected to wait, and is answered later. */
export type Step = readonly [client: string, ...command: string[]];

/** Runs the steps and tells what each client got, in order, and what was left in the database. */
export async function play(server: TestServer, steps: readonly Step[]): Promise<Record<string, string[]>> {
  const clients = new Map<string, Connection>();
  const sent = new Map<string, number>();
  const said: Record<string, string[]> = {};
  const main = await server.connect();
  await main.call("FLUSHALL");
  const before = await changes(main);
  for (const [name, ...command] of steps) {
    if (name === "main") {
      said.main = [...said.main ?? [], show(await main.call(...command))];
      continue;
    }
    let client = clients.get(name);
    if (client === undefined) {
      client = await server.connect();
      await client.call("CLIENT", "SETNAME", name);
      clients.set(name, client);
    }
    sent.set(name, (sent.get(name) ?? 0) + 1);
    client.send(encodeCommand(command));
    await untilRead(main, name);
  }
  for (const [name, client] of clients) {
    const replies = await client.readReplies(sent.get(name)!);
    said[name] = replies.map((reply) => show(reply));
  }
  said.changes = [String(await changes(main) - before)];
  const keys = (await main.call("KEYS", "*") as string[]).sort();
  said.left = [];
  for (const key of keys) {
    const type = show(await main.call("TYPE", key));
    const read = type.includes("list") ? ["LRANGE", key, "0", "-1"] : ["XRANGE", key, "-", "+"];
    const isRead = type.includes("list") || type.includes("stream");
    said.left.push(`${key} ${isRead ? show(await main.call(...read)) : type}`);
  }
  return said;
}

/** How many changes the server has counted. */
async function changes(main: Connection): Promise<number> {
  return Number(/rdb_changes_since_last_save:(\d+)/.exec(String(await main.call("INFO", "persistence")))![1]);
}

/** Until the server has begun with what that client sent: it waits, or has been answered. */
async function untilRead(main: Connection, name: string): Promise<void> {
  for (;;) {
    const list = String(await main.call("CLIENT", "LIST"));
    const line = list.split("\n").find((each) => each.includes(` name=${name} `)) ?? "";
    if (line.includes("flags=b") || !line.includes("cmd=client|setname")) return;
  }
}
