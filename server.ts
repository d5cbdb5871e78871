/**
 * The redis-server of this project: `deno run -A server.ts [redis.conf] [--name value …]` or `bun run server.ts …`.
 * Reads flags and redis.conf, picks the platform, starts the server.
 */

import { Config, ConfigFileError } from "./lib/config/config.ts";
import { choosePlatform } from "./lib/platform/choose.ts";
import { fromLatin1 } from "./lib/bytes/ascii.ts";
import { REDIS_VERSION } from "./lib/engine/version.ts";
import { Log } from "./lib/observe/log.ts";
import { reportCrashes } from "./lib/observe/crash_report.ts";
import { Server } from "./lib/server/server.ts";
import { HELP, versionLine } from "./lib/server/texts.ts";

const platform = await choosePlatform(true);
const { process } = platform;
/** Until there is a server with its own. */
const startLog = new Log(platform);

function fail(error: ConfigFileError): never {
  if (error.log) startLog.warning(error.text);
  else process.stderr(fromLatin1(error.text));
  return process.exit(1);
}

const config = new Config(platform.files, process);
config.log = (level, message) => startLog[level](message);
const loaded = config.load(process.args, () => process.readStdin());
if (loaded.kind === "version") {
  process.stdout(fromLatin1(`${versionLine(process.machineBits)}\n`));
  process.exit(0);
}
if (loaded.kind === "help") {
  process.stderr(fromLatin1(HELP));
  process.exit(1);
}
if (loaded.kind === "test-memory") {
  process.stderr(fromLatin1("--test-memory is not supported: a program in a managed runtime cannot test memory.\n"));
  process.exit(1);
}
if (loaded.kind === "error") fail(loaded.error);

let server: Server;
try {
  server = new Server(platform, config);
} catch (error) {
  if (error instanceof ConfigFileError) fail(error);
  throw error;
}
const { log } = server;
reportCrashes(server.engine);
log.warning("oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo");
log.warning(
  `Redis version=${REDIS_VERSION}, bits=${process.machineBits}, commit=00000000, modified=0, pid=${process.id}, just started`,
);
if (process.args.length === 0) {
  log.warning(
    "Warning: no config file specified, using the default config. In order to specify a config file use redis-server /path/to/redis.conf",
  );
} else log.warning("Configuration loaded");
for (const { name, reason } of config.withoutEffect) log.notice(`The parameter ${name} has no effect: ${reason}.`);
try {
  await server.start();
} catch {
  process.exit(1);
}
// Whoever waits for this line can connect.
log.raw(
  `Redstart ${platform.runtime.name} ${platform.runtime.version}, port ${config.values.port}, PID: ${process.id}\n`,
);
server.onEnd = () => process.exit(0);
for (const signal of ["SIGTERM", "SIGINT"] as const) {
  process.onSignal(signal, () => server.ending.signalled(signal));
}
// A terminal that closes does not end a server.
process.onSignal("SIGHUP", () => {});
log.warning("Server initialized");
try {
  await server.load();
} catch (error) {
  log.warning(error instanceof Error ? error.message : String(error));
  process.exit(1);
}
log.notice("Ready to accept connections");
const { unixsocket } = config.values;
if (unixsocket !== null) log.notice(`The server is now ready to accept connections at ${unixsocket}`);
server.cron.collectsGarbage = true;
