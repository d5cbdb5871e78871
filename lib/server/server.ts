/**
 * Server: owns everything. It makes the engine and the services, listens, and turns connections into clients.
 *
 *   const server = new Server(platform, config);
 *   await server.start();          // rejects with the reason when it cannot listen
 *   server.stop();
 */

import { families } from "../commands/all.ts";
import type { Config, Directive } from "../config/config.ts";
import { ConfigFileError } from "../config/config.ts";
import { hostPath } from "../bytes/path.ts";
import { type Client, isLocal } from "../engine/client.ts";
import { Deny } from "../engine/command.ts";
import { Engine, type ServerControl, type ShutdownOptions } from "../engine/engine.ts";
import { CommandTable } from "../engine/table.ts";
import { fromLatin1, hex } from "../bytes/ascii.ts";
import { copyManyWith } from "../bytes/span.ts";
import { Log, LogLevel } from "../observe/log.ts";
import { Observation } from "../observe/observation.ts";
import { Persistence } from "../persist/persistence.ts";
import type { Connection, ConnectionHandler, Platform } from "../platform/platform.ts";
import { PubSub } from "../pubsub/pubsub.ts";
import { Replication } from "../replicate/replication.ts";
import { Attention } from "../store/keyspace.ts";
import { ClientConnection, Joiner, ParserPool } from "./connection.ts";
import { ClientEviction } from "./client_eviction.ts";
import { Cron } from "./cron.ts";
import { Listening } from "./listening.ts";
import { Shutdown } from "./shutdown.ts";

const MAX_CLIENTS = fromLatin1("-ERR max number of clients reached\r\n");
const PROTECTED = fromLatin1(
  "-DENIED Redis is running in protected mode because protected mode is enabled and no password is set for the default user. In this mode connections are only accepted from the loopback interface. If you want to connect from external computers to Redis you may adopt one of the following solutions: 1) Just disable protected mode sending the command 'CONFIG SET protected-mode no' from the loopback interface by connecting to Redis from the same host the server is running, however MAKE SURE Redis is not publicly accessible from internet if you do so. Use CONFIG REWRITE to make this change permanent. 2) Alternatively you can just disable the protected mode by editing the Redis configuration file, and setting the protected mode option to 'no', and then restarting the server. 3) If you started the server manually just for testing, restart it with the '--protected-mode no' option. 4) Setup a an authentication password for the default user. NOTE: You only need to do one of the above things in order for the server to start accepting connections from the outside.\r\n",
);
/** Rules of an ACL user that forbid nothing: what redis-server writes for `default`. */
const HARMLESS_RULES: readonly string[] = [
  "on",
  "nopass",
  "sanitize-payload",
  "skip-sanitize-payload",
  "~*",
  "allkeys",
  "&*",
  "allchannels",
  "+@all",
  "allcommands",
];
/** Descriptors that are kept for files and for the runtime itself. */
const RESERVED_DESCRIPTORS = 32;
/** A connection that is refused gets its error and nothing more. */
const REFUSED: ConnectionHandler = { data() {}, drain() {}, end() {}, closed() {} };

export class Server implements ServerControl {
  readonly engine: Engine;
  readonly parsers = new ParserPool();
  readonly joiner = new Joiner();
  readonly cron: Cron;
  readonly eviction: ClientEviction;
  readonly log: Log;
  readonly startedAt: number;
  readonly runId: string;
  nextDescriptor = 8;
  readonly listening: Listening;
  readonly ending = new Shutdown(this);
  #stopped = false;
  /** Called once when the server has ended by itself (SHUTDOWN, a signal). */
  onEnd: () => void = () => {};

  constructor(readonly platform: Platform, readonly config: Config) {
    if (platform.copy !== undefined) copyManyWith(platform.copy);
    const table = CommandTable.from(families);
    this.#renameCommands(table);
    this.engine = new Engine(platform, table, config.values.databases);
    this.startedAt = platform.clock.now();
    this.runId = hex(platform.random.bytes(20));
    const log = this.log = new Log(platform);
    config.log = (level, message) => log[level](message);
    this.#refuseUnkept();
    const { engine } = this;
    engine.config = config;
    engine.log = log;
    engine.control = this;
    engine.replication = new Replication(engine);
    engine.pubsub = new PubSub(engine);
    engine.persistence = new Persistence(engine);
    engine.observation = new Observation(engine);
    this.cron = new Cron(this);
    this.listening = new Listening(this, (connection, isUnixSocket) => this.#accept(connection, isUnixSocket));
    this.eviction = new ClientEviction(this);
    this.#followConfig();
  }

  get port(): number {
    return this.config.values.port;
  }
  get executable(): string {
    return this.platform.process.executable;
  }
  get configFile(): string {
    return this.config.file ?? "";
  }

  #renameCommands(table: CommandTable): void {
    for (const { words, line } of this.config.directives.renames as readonly Directive[]) {
      const [, from, to] = words;
      if (table.findName(from) === null) throw ConfigFileError.at(line, "No such command in rename-command");
      if (to !== "" && table.findName(to) !== null && to.toLowerCase() !== from.toLowerCase()) {
        throw ConfigFileError.at(line, "Target command name already exists");
      }
      table.rename(from, to);
    }
  }

  /**
   * A server that would not keep what its configuration promises must not start: one that lets everybody do what ACL rules forbid, or
   * that serves all slots alone. That other users than `default` cannot log in does no harm.
   */
  #refuseUnkept(): void {
    const { aclfile, clusterEnabled, requirepass } = this.config.values;
    if (clusterEnabled) {
      throw ConfigFileError.at(null, "cluster-enabled is not supported yet: there is no Redis Cluster.");
    }
    if (aclfile !== "") {
      throw ConfigFileError.at(null, "aclfile is not supported yet: the rules in it would restrict nobody.");
    }
    for (const { words: [, name, ...rules], line } of this.config.directives.users) {
      if (name !== "default") this.log.warning(`User '${name}' cannot log in: ACL users are not supported yet.`);
      else if (
        !rules.every((rule) => (requirepass ?? "") !== "" && /^[>#]/.test(rule) || HARMLESS_RULES.includes(rule))
      ) {
        throw ConfigFileError.at(line, "ACL rules are not supported yet: use requirepass for a password.");
      }
    }
  }

  /** Values that something keeps a copy of, or that have to be acted on. */
  #followConfig(): void {
    const { config, engine } = this;
    const follow = (names: string[], apply: () => string | null) => {
      apply();
      config.onApply(names, apply);
    };
    follow(["loglevel", "logfile"], () => {
      this.log.level = LogLevel[config.values.loglevel];
      this.log.file = hostPath(config.values.logfile);
      return null;
    });
    follow(["requirepass"], () => {
      // Who is in stays in; who is not gets in when there is no password any more.
      const open = (config.values.requirepass ?? "") === "";
      for (const client of engine.clients.values()) {
        if (open || client.authenticated) client.deny &= ~Deny.AUTH;
        else client.deny |= Deny.AUTH;
      }
      return null;
    });
    follow(["maxmemory", "maxmemory-policy", "lfu-log-factor", "lfu-decay-time"], () => {
      const { keyspace } = engine;
      if (config.values.maxmemory > 0) engine.deny |= Deny.OOM;
      else engine.deny &= ~Deny.OOM;
      keyspace.lfu = config.values.maxmemoryPolicy.endsWith("lfu");
      keyspace.lfuLogFactor = config.values.lfuLogFactor;
      keyspace.lfuDecayTime = config.values.lfuDecayTime;
      if (config.values.maxmemory > 0) engine.eviction.schedule();
      return null;
    });
    follow(["slowlog-log-slower-than", "latency-monitor-threshold"], () => {
      const slower = config.values.slowlogLogSlowerThan;
      engine.timeEach = (slower >= 0 && slower < 1000) || config.values.latencyMonitorThreshold > 0;
      return null;
    });
    follow(["notify-keyspace-events"], () => {
      if (config.values.notifyKeyspaceEvents !== 0) engine.keyspace.attention |= Attention.NOTIFY;
      else engine.keyspace.attention &= ~Attention.NOTIFY;
      return null;
    });
    config.onApply(
      ["replica-read-only", "replica-serve-stale-data", "min-replicas-to-write", "min-replicas-max-lag"],
      () => {
        engine.replication.updateRole();
        return null;
      },
    );
    config.onApply(["appendonly"], () => {
      const { aof } = engine.persistence;
      if (config.values.appendonly === (aof.state !== "off")) return null;
      if (!config.values.appendonly) aof.switchOff();
      else if (!aof.switchOn()) return "Unable to turn on AOF. Check server logs.";
      return null;
    });
    config.onApply(["aof-disable-auto-gc"], () => {
      engine.persistence.aof.deleteHistory();
      return null;
    });
    config.onApply(["stop-writes-on-bgsave-error", "save"], () => {
      engine.persistence.updateWriteError();
      return null;
    });
    config.onApply(["hz"], () => {
      this.cron.start();
      return null;
    });
    config.onApply(["port", "bind"], () => this.listening.take());
    config.onApply(["maxclients"], () => {
      const most = this.#mostClients();
      if (config.values.maxclients <= most) return null;
      return `The operating system is not able to handle the specified number of clients, try with ${most}`;
    });
    follow(["maxmemory", "maxmemory-clients"], () => {
      this.eviction.configure();
      return null;
    });
  }

  // ---- Listening ---------------------------------------------------------------------------------------------------------------

  /** Opens the listening sockets and starts the cron. Rejects with an Error whose message has been logged. */
  async start(): Promise<void> {
    this.#fitClients();
    await this.listening.open();
    this.#writePidFile();
    this.cron.start();
  }

  /** How many clients the limit of open files leaves room for; not positive when there is room for none. */
  #mostClients(): number {
    const limit = this.platform.process.openFilesLimit();
    return limit === 0 ? Infinity : limit - RESERVED_DESCRIPTORS;
  }

  /** Lowers `maxclients`, so that whoever comes too much is told instead of waiting for a descriptor to become free. */
  #fitClients(): void {
    const { config, log } = this;
    const wanted = config.values.maxclients;
    const most = this.#mostClients();
    if (wanted <= most) return;
    const limit = most + RESERVED_DESCRIPTORS;
    const needed = wanted + RESERVED_DESCRIPTORS;
    if (most <= 0) {
      const problem =
        `Your current 'ulimit -n' of ${limit} is not enough for the server to start. Please increase your open file limit to at least ${needed}. Exiting.`;
      log.warning(problem);
      throw new Error(problem);
    }
    log.warning(`You requested maxclients of ${wanted} requiring at least ${needed} max file descriptors.`);
    config.assume("maxclients", String(most));
    log.warning(
      `Current maximum open files is ${limit}. maxclients has been reduced to ${most} to compensate for low ulimit. If you need higher maxclients increase 'ulimit -n'.`,
    );
  }

  /** As well as it can be done: a server is of use without the file. */
  #writePidFile(): void {
    const { pidfile } = this.config.values;
    if (pidfile === null) return;
    try {
      this.platform.files.write(hostPath(pidfile), fromLatin1(`${this.platform.process.id}\n`));
    } catch {
      return;
    }
  }

  /** When the server ends as it should. */
  removePidFile(): void {
    const { pidfile } = this.config.values;
    if (pidfile === null) return;
    this.log.notice("Removing the pid file.");
    try {
      this.platform.files.remove(hostPath(pidfile));
    } catch {
      return;
    }
  }

  /** Loads the data set; commands are answered with -LOADING meanwhile. Rejects with the reason why it cannot. */
  async load(): Promise<void> {
    await this.engine.persistence.load();
    const { replicaof } = this.config.values;
    if (replicaof !== null) this.engine.replication.follow(replicaof.host, replicaof.port, true);
  }

  prepareListening(pairs: readonly string[]): Promise<void> | null {
    return this.listening.prepare(pairs);
  }

  #accept(connection: Connection, isUnixSocket: boolean): ConnectionHandler {
    const { engine, config } = this;
    const { values } = config;
    if (engine.clients.size >= values.maxclients) {
      engine.stats.rejectedConnections++;
      return refuse(connection, MAX_CLIENTS);
    }
    if (
      values.protectedMode && (values.requirepass ?? "") === "" && !isLocal({ isUnixSocket, remote: connection.remote })
    ) {
      engine.stats.rejectedConnections++;
      return refuse(connection, PROTECTED);
    }
    engine.refreshTime();
    if (!isUnixSocket) {
      connection.setNoDelay(true);
      if (values.tcpKeepalive > 0) connection.setKeepAlive(values.tcpKeepalive);
    }
    const handler = new ClientConnection(this, connection, isUnixSocket);
    const { client } = handler;
    if ((values.requirepass ?? "") !== "") client.deny |= Deny.AUTH;
    else client.authenticated = true;
    engine.clients.set(client.id, client);
    engine.stats.connections++;
    engine.log.verbose(`Accepted ${connection.remote}`);
    return handler;
  }

  /** Takes a client out of everything that knows it. */
  forget(client: Client): void {
    if (client.closed) return;
    client.closed = true;
    const { engine } = this;
    engine.clients.delete(client.id);
    this.eviction.forget(client);
    engine.monitors.delete(client);
    engine.blocking.forget(client);
    engine.watches.removeAll(client);
    engine.pubsub.forget(client);
    engine.replication.forget(client);
  }

  wakeBackground(): void {
    this.cron.wake();
  }

  setActiveExpire(on: boolean): void {
    this.cron.activeExpire = on;
    this.cron.wake();
  }

  setCronPaused(paused: boolean): void {
    this.cron.paused = paused;
  }

  // ---- The end -----------------------------------------------------------------------------------------------------------------

  shutdown(options: ShutdownOptions, client: Client | null = null): void {
    this.ending.begin(options, client);
  }

  abortShutdown(): boolean {
    return this.ending.abort();
  }

  get shutdownDeadline(): number {
    return this.ending.deadline;
  }

  /** Closes all sockets and ends all timers; safe to call again. */
  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.cron.stop();
    this.engine.replication.stop();
    this.listening.close();
    this.engine.migrationLinks.closeAll();
    for (const client of [...this.engine.clients.values()]) {
      client.link.flush();
      client.link.close();
    }
  }
}

function refuse(connection: Connection, error: Uint8Array): ConnectionHandler {
  connection.write(error, 0, error.length);
  connection.close();
  return REFUSED;
}
