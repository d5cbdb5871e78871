/** Picks the implementation of `Platform` for the runtime this program was started with. */

import type { Platform } from "./platform.ts";

/** The platform of the running process; loads only the adapter it needs. */
export async function choosePlatform(): Promise<Platform> {
  if ("Bun" in globalThis) return (await import("./bun.ts")).createPlatform();
  return (await import("./deno.ts")).createPlatform();
}
