/** Waiting for real servers to get somewhere. */

import type { Client } from "../kit/client.ts";

/** Asks again and again until it is so; the limit is a net for hangs. */
export async function eventually(what: string, isSo: () => Promise<boolean>, limitMs = 30_000): Promise<void> {
  const end = performance.now() + limitMs;
  while (!await isSo()) {
    if (performance.now() > end) throw new Error(`not within ${limitMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Fields of INFO. */
export async function info(client: Client, section = "everything"): Promise<Map<string, string>> {
  const reply = await client.call("INFO", section);
  const text = typeof reply === "object" && reply !== null && "text" in reply ? reply.text : String(reply);
  return new Map(
    text.split("\r\n").filter((line) => line.includes(":")).map((line) => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon), line.slice(colon + 1)];
    }),
  );
}

/** The replica's link is up and it has everything that the master has. */
export async function synchronised(master: Client, ...replicas: Client[]): Promise<void> {
  await eventually("replicas have what the master has", async () => {
    const wanted = (await info(master, "replication")).get("master_repl_offset");
    for (const replica of replicas) {
      const fields = await info(replica, "replication");
      if (fields.get("master_link_status") !== "up" || fields.get("master_repl_offset") !== wanted) return false;
    }
    return true;
  });
}
