/** Picks the implementation of `Platform` for the runtime this program was started with. */

import type { Platform } from "./platform.ts";

/**
 * The platform of the running process; loads only the adapter it needs. `ownsProcess`: nothing but the server runs here, so
 * that it may hold the thread while it waits for its sockets.
 */
export async function choosePlatform(ownsProcess = false): Promise<Platform> {
  if ("Bun" in globalThis) return (await import("./bun.ts")).createPlatform();
  return (await import("./deno.ts")).createPlatform(ownsProcess);
}
