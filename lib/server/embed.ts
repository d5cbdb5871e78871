/**
 * A server inside another program: the same `Server` as the command line starts, with a configuration made from options, a
 * directory of its own, and no hold on the process: it prints nothing, obeys no signal, and neither SHUTDOWN nor a panic ends more than
 * the server. Any number of them can run side by side.
 */

import { Config } from "../config/config.ts";
import { choosePlatform } from "../platform/choose.ts";
import type { Files, Platform, Process } from "../platform/platform.ts";
import { Server } from "./server.ts";

export interface ServerOptions {
  /** TCP port; 0, the default, takes any free one. Without it a server with a `unixsocket` listens there only. */
  readonly port?: number;
  /** Addresses to listen on, as the words of `bind`; "127.0.0.1" by default. */
  readonly host?: string | readonly string[];
  /** Path of a unix socket to listen on. */
  readonly unixsocket?: string;
  /** Directory of its files; the current one by default. Relative paths in `config` start there. */
  readonly dir?: string;
  /** Parameters as in redis.conf, the values as CONFIG SET takes them: `{ maxmemory: "100mb", save: "60 1000" }`. */
  readonly config?: Readonly<Record<string, string>>;
  /** Takes the lines of the log, each with its line break; they are dropped without it. */
  readonly log?: (line: string) => void;
}

/** A server that runs and listens. */
export interface RedstartServer {
  /** The TCP port it listens on, 0 if none. */
  readonly port: number;
  /** The unix socket's path, "" if none. */
  readonly path: string;
  /** Fulfilled when the server has ended: by `close`, by a client's SHUTDOWN, or because it could not go on. */
  readonly closed: Promise<void>;
  /** Saves if `save` asks for it, disconnects everybody and frees port and timers. Calling it again does no harm. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Starts a server and returns it when it accepts connections and its data set is loaded. Without a `save` in `config` nothing is
 * ever saved. Rejects with an Error that says why it cannot run: an unknown parameter or a wrong value, an address in use, a
 * data file that cannot be read.
 */
export async function createServer(options: ServerOptions = {}): Promise<RedstartServer> {
  const end = (): never => {
    server.stop();
    server.onEnd();
    throw new Error("the server has ended");
  };
  const platform = embeddedPlatform(await choosePlatform(), options.log ?? (() => {}), end);
  const config = new Config(platform.files, platform.process);
  const port = options.port ?? 0;
  const tcp = options.port !== undefined || options.unixsocket === undefined;
  const host = options.host ?? "127.0.0.1";
  const given: Record<string, string> = {
    port: String(port),
    bind: typeof host === "string" ? host : host.join(" "),
    save: "",
    ...options.config,
  };
  if (options.unixsocket !== undefined) given.unixsocket = options.unixsocket;
  if (options.dir !== undefined) given.dir = options.dir;
  for (const [name, value] of Object.entries(given)) {
    const problem = config.assume(name, bytes(value));
    if (problem !== null) throw new Error(`${name} '${value}': ${problem}`);
  }
  const server = new Server(platform, config);
  server.listening.anyPort = tcp && port === 0;
  const closed = new Promise<void>((resolve) => server.onEnd = resolve);
  try {
    await server.start();
    await server.load();
  } catch (error) {
    server.stop();
    throw error;
  }
  const close = (): Promise<void> => {
    server.shutdown({ save: "default", now: false, force: true });
    return closed;
  };
  let closing: Promise<void> | null = null;
  const closeOnce = () => closing ??= close();
  closed.then(() => closing ??= closed);
  return {
    port: config.values.port,
    path: options.unixsocket ?? "",
    closed,
    close: closeOnce,
    [Symbol.asyncDispose]: closeOnce,
  };
}

/** A text of the program as a byte string. */
function bytes(text: string): string {
  return String.fromCharCode(...new TextEncoder().encode(text));
}

/** The platform with a current directory, an output and an end that belong to one server. */
function embeddedPlatform(platform: Platform, log: (line: string) => void, end: () => never): Platform {
  const { files } = platform;
  let directory = platform.process.currentDirectory();
  const decoder = new TextDecoder();
  const process: Process = Object.assign(Object.create(platform.process), {
    currentDirectory: () => directory,
    changeDirectory(path: string) {
      const target = place(path);
      // Fails as the system's call does: listing is the cheapest way to learn why it is no directory that can be entered.
      files.list(target);
      directory = target;
    },
    stdout: (line: Uint8Array) => log(decoder.decode(line)),
    stderr: (line: Uint8Array) => log(decoder.decode(line)),
    // Whoever finds that it cannot go on (a panic, a replica whose disk is full) must not end the program.
    exit: end,
  });
  const place = (path: string): string => files.resolve(path.startsWith("/") ? path : `${directory}/${path}`);
  const own: Files = {
    read: (path) => files.read(place(path)),
    write: (path, content, mode) => files.write(place(path), content, mode),
    open: (path, flags, mode) => files.open(place(path), flags, mode),
    stat: (path) => files.stat(place(path)),
    list: (path) => files.list(place(path)),
    makeDirectory: (path) => files.makeDirectory(place(path)),
    rename: (from, to) => files.rename(place(from), place(to)),
    remove: (path) => files.remove(place(path)),
    removeAsync: (path) => files.removeAsync(place(path)),
    syncDirectory: (path) => files.syncDirectory(place(path)),
    syncDirectoryAsync: (path) => files.syncDirectoryAsync(place(path)),
    resolve: place,
  };
  return { ...platform, files: own, process };
}
