/**
 * Redstart in your own program, on Deno and on Bun: a server that speaks the protocol of Redis 7, for tests, for development,
 * or as the store of an application that should install as one piece.
 *
 *     import { createServer } from "./mod.ts";
 *
 *     const server = await createServer({ port: 6379, config: { maxmemory: "100mb" } });
 *     // Connect with any Redis client to redis://127.0.0.1:6379
 *     await server.close();
 *
 * With port 0 (the default) each server takes a free port, which `server.port` tells; `await using` closes it at the end of
 * the block:
 *
 *     await using server = await createServer();
 *     const redis = createClient({ url: `redis://127.0.0.1:${server.port}` });
 */

export { createServer, type RedstartServer, type ServerOptions } from "./lib/server/embed.ts";
