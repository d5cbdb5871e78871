/**
 * One row for every parameter of Redis 7.0.15, in the order of `ConfigValues`: its name and older name, its kind with
 * the range or words it takes, and its flags. The defaults are the field initialisers in `values.ts`.
 *
 * `withoutEffect` marks parameters that are accepted, shown and rewritten, so that existing files and tools work, but that
 * have nothing to act on in this server: it has no threads, forks, jemalloc or signal handlers of its own, frees in slices and
 * samples nothing.
 */
import {
  choice,
  DEBUG,
  DENY_LOADING,
  flagSet,
  HIDDEN,
  IMMUTABLE,
  INT_MAX,
  INT_MIN,
  integer,
  LONG_MAX,
  type Parameter,
  PROTECTED,
  SENSITIVE,
  text,
  UINT_MAX,
  ULONG_MAX,
  VOLATILE,
  yesNo,
} from "./kinds.ts";
import * as special from "./special.ts";
import { SHUTDOWN_FORCE, SHUTDOWN_NOSAVE, SHUTDOWN_NOW, SHUTDOWN_SAVE } from "./values.ts";

const NO_THREADS = "commands and sockets are served by one thread";
const NO_AFFINITY = "the runtimes cannot pin threads to CPUs";
const NO_JEMALLOC = "memory comes from the runtime, not from jemalloc";
const NO_DEFRAG = "there is no jemalloc to defragment";
const NO_SYSLOG = "the runtimes have no syslog";
const NO_CRASH_HANDLER = "the runtime manages the memory and the thread it runs on";
const NO_OOM_SCORE = "nothing is forked, the score stays";
const ALWAYS_LAZY = "large values are always freed in slices";
const NO_TITLE = "the runtimes cannot change the title of a process";

function baseName(name: string, what: "file" | "dir", mayBeEmpty: boolean) {
  return (value: string): string | null => {
    if (value === "" && !mayBeEmpty) return `${name} can't be empty`;
    return /[/\\]/.test(value) ? `${name} can't be a path, just a ${what}name` : null;
  };
}

function hostname(value: string): string | null {
  if (value.length >= 256) return "Hostnames must be less than 256 characters";
  return /^[A-Za-z0-9.-]*$/.test(value) ? null : "Hostnames may only contain alphanumeric characters, hyphens or dots";
}

/** `{name}` for known names, `{{` for a brace; nothing but blanks and an empty title would be left otherwise. */
function titleTemplate(value: string): string | null {
  const refusal = "template format is invalid or contains unknown variables";
  const variables = /\{(title|listen-addr|server-mode|config-file|port|tls-port|unixsocket)\}|\{\{/g;
  const constant = value.replace(variables, (match, name: string | undefined) => {
    if (match === "{{") return "x";
    return name === "title" || name === "server-mode" || name === "unixsocket" ? "" : "x";
  });
  return constant.includes("{") || /^ *$/.test(constant) ? refusal : null;
}

const SHUTDOWN_WORDS: readonly (readonly [string, number])[] = [
  ["default", 0],
  ["save", SHUTDOWN_SAVE],
  ["nosave", SHUTDOWN_NOSAVE],
  ["now", SHUTDOWN_NOW],
  ["force", SHUTDOWN_FORCE],
];

function shutdownFlags(value: number): string | null {
  const both = SHUTDOWN_SAVE | SHUTDOWN_NOSAVE;
  return (value & both) === both ? "shutdown options SAVE and NOSAVE can't be used simultaneously" : null;
}

const network: readonly Parameter[] = [
  special.bind,
  text("bind-source-addr"),
  integer("port", 0, 65535),
  integer("tcp-backlog", 0, INT_MAX, { flags: IMMUTABLE }),
  integer("tcp-keepalive", 0, INT_MAX),
  integer("timeout", 0, INT_MAX),
  text("unixsocket", { flags: IMMUTABLE }),
  integer("unixsocketperm", 0, 0o777, { flags: IMMUTABLE, notation: "octal", unsigned: true }),
  integer("maxclients", 1, UINT_MAX, { unsigned: true }),
  yesNo("protected-mode"),
  integer("socket-mark-id", 0, UINT_MAX, {
    flags: IMMUTABLE,
    unsigned: true,
    withoutEffect: "the runtimes cannot mark sockets",
  }),
  integer("proto-max-bulk-len", 1024 * 1024, LONG_MAX, { flags: DEBUG, notation: "memory" }),
  integer("client-query-buffer-limit", 1024 * 1024, LONG_MAX, { flags: DEBUG, notation: "memory", unsigned: true }),
  special.clientOutputBufferLimit,
  integer("io-threads", 1, 128, { flags: IMMUTABLE | DEBUG, withoutEffect: NO_THREADS }),
  yesNo("io-threads-do-reads", { flags: IMMUTABLE | DEBUG, withoutEffect: NO_THREADS }),
];

const tls: readonly Parameter[] = [
  integer("tls-port", 0, 65535),
  yesNo("tls-cluster"),
  yesNo("tls-replication"),
  choice("tls-auth-clients", ["no", "yes", "optional"]),
  yesNo("tls-prefer-server-ciphers"),
  yesNo("tls-session-caching"),
  integer("tls-session-cache-size", 0, INT_MAX),
  integer("tls-session-cache-timeout", 0, INT_MAX),
  text("tls-cert-file", { flags: VOLATILE }),
  text("tls-key-file", { flags: VOLATILE }),
  text("tls-key-file-pass"),
  text("tls-client-cert-file", { flags: VOLATILE }),
  text("tls-client-key-file", { flags: VOLATILE }),
  text("tls-client-key-file-pass"),
  text("tls-dh-params-file", { flags: VOLATILE }),
  text("tls-ca-cert-file", { flags: VOLATILE }),
  text("tls-ca-cert-dir", { flags: VOLATILE }),
  text("tls-protocols"),
  text("tls-ciphers"),
  text("tls-ciphersuites"),
];

const runtime: readonly Parameter[] = [
  yesNo("daemonize", { flags: IMMUTABLE, withoutEffect: "the server never forks" }),
  choice("supervised", ["upstart", "systemd", "auto", "no"], {
    flags: IMMUTABLE,
    withoutEffect: "the supervisor is not notified",
  }),
  text("pidfile", { flags: IMMUTABLE }),
  choice("loglevel", ["debug", "verbose", "notice", "warning"]),
  text("logfile", { flags: IMMUTABLE }),
  yesNo("syslog-enabled", { flags: IMMUTABLE, withoutEffect: NO_SYSLOG }),
  text("syslog-ident", { flags: IMMUTABLE, withoutEffect: NO_SYSLOG }),
  choice("syslog-facility", [
    "user",
    "local0",
    "local1",
    "local2",
    "local3",
    "local4",
    "local5",
    "local6",
    "local7",
  ], { flags: IMMUTABLE, withoutEffect: NO_SYSLOG }),
  integer("databases", 1, INT_MAX, { flags: IMMUTABLE }),
  yesNo("always-show-logo", { flags: IMMUTABLE, withoutEffect: "there is no logo" }),
  yesNo("set-proc-title", { flags: IMMUTABLE, withoutEffect: NO_TITLE }),
  text("proc-title-template", { check: titleTemplate, withoutEffect: NO_TITLE }),
  yesNo("crash-log-enabled"),
  yesNo("crash-memcheck-enabled", { withoutEffect: NO_CRASH_HANDLER }),
  yesNo("use-exit-on-panic", { flags: HIDDEN }),
  integer("watchdog-period", 0, INT_MAX, { flags: HIDDEN, withoutEffect: NO_CRASH_HANDLER }),
  yesNo("disable-thp", { flags: IMMUTABLE, withoutEffect: "the runtime manages its pages" }),
  text("ignore-warnings", { withoutEffect: "there is no such warning to ignore" }),
  text("server_cpulist", { flags: IMMUTABLE, withoutEffect: NO_AFFINITY }),
  text("bio_cpulist", { flags: IMMUTABLE, withoutEffect: NO_AFFINITY }),
  text("aof_rewrite_cpulist", { flags: IMMUTABLE, withoutEffect: NO_AFFINITY }),
  text("bgsave_cpulist", { flags: IMMUTABLE, withoutEffect: NO_AFFINITY }),
  choice("oom-score-adj", ["no", "yes", "absolute"], {
    synonyms: [["relative", "yes"]],
    withoutEffect: NO_OOM_SCORE,
  }),
  special.oomScoreAdjValues,
  integer("hz", 0, INT_MAX),
  yesNo("dynamic-hz", { withoutEffect: "each tick looks after a share of the clients, at any hz" }),
  integer("shutdown-timeout", 0, INT_MAX),
  flagSet("shutdown-on-sigint", SHUTDOWN_WORDS, shutdownFlags),
  flagSet("shutdown-on-sigterm", SHUTDOWN_WORDS, shutdownFlags),
  integer("busy-reply-threshold", 0, LONG_MAX, { alias: "lua-time-limit" }),
];

const access: readonly Parameter[] = [
  text("requirepass", { flags: SENSITIVE, binary: true }),
  text("aclfile", { flags: IMMUTABLE }),
  integer("acllog-max-len", 0, LONG_MAX),
  choice("acl-pubsub-default", ["allchannels", "resetchannels"]),
  choice("enable-protected-configs", ["no", "yes", "local"], { flags: IMMUTABLE }),
  choice("enable-debug-command", ["no", "yes", "local"], { flags: IMMUTABLE }),
  choice("enable-module-command", ["no", "yes", "local"], {
    flags: IMMUTABLE,
    withoutEffect: "modules are shared libraries for redis-server",
  }),
];

const snapshots: readonly Parameter[] = [
  special.save,
  special.dir,
  text("dbfilename", { flags: PROTECTED, check: baseName("dbfilename", "file", true) }),
  yesNo("rdbcompression"),
  yesNo("rdbchecksum", { flags: IMMUTABLE }),
  yesNo("rdb-del-sync-files"),
  yesNo("rdb-save-incremental-fsync"),
  integer("rdb-key-save-delay", INT_MIN, INT_MAX, { flags: HIDDEN }),
  integer("key-load-delay", INT_MIN, INT_MAX, { flags: HIDDEN }),
  integer("loading-process-events-interval-bytes", 1024, INT_MAX, { flags: HIDDEN }),
  choice("sanitize-dump-payload", ["no", "yes", "clients"], {
    flags: DEBUG,
    withoutEffect: "payloads are always checked",
  }),
  yesNo("stop-writes-on-bgsave-error"),
];

const appendOnlyFile: readonly Parameter[] = [
  yesNo("appendonly", { flags: DENY_LOADING }),
  text("appendfilename", { flags: IMMUTABLE, check: baseName("appendfilename", "file", false) }),
  text("appenddirname", { flags: IMMUTABLE, check: baseName("appenddirname", "dir", false) }),
  choice("appendfsync", ["everysec", "always", "no"]),
  yesNo("no-appendfsync-on-rewrite"),
  integer("auto-aof-rewrite-percentage", 0, INT_MAX),
  integer("auto-aof-rewrite-min-size", 0, LONG_MAX, { notation: "memory" }),
  yesNo("aof-load-truncated"),
  yesNo("aof-use-rdb-preamble"),
  yesNo("aof-timestamp-enabled"),
  yesNo("aof-rewrite-incremental-fsync"),
  yesNo("aof-disable-auto-gc"),
];

const replication: readonly Parameter[] = [
  special.replicaof,
  text("masteruser", { flags: SENSITIVE }),
  text("masterauth", { flags: SENSITIVE, binary: true }),
  yesNo("replica-serve-stale-data", { alias: "slave-serve-stale-data" }),
  yesNo("replica-read-only", { alias: "slave-read-only", flags: DEBUG }),
  yesNo("replica-lazy-flush", { alias: "slave-lazy-flush", withoutEffect: ALWAYS_LAZY }),
  yesNo("replica-ignore-maxmemory", { alias: "slave-ignore-maxmemory" }),
  yesNo("replica-ignore-disk-write-errors"),
  integer("replica-priority", 0, INT_MAX, { alias: "slave-priority" }),
  yesNo("replica-announced"),
  text("replica-announce-ip", { alias: "slave-announce-ip" }),
  integer("replica-announce-port", 0, 65535, { alias: "slave-announce-port" }),
  yesNo("repl-diskless-sync", { flags: DEBUG }),
  integer("repl-diskless-sync-delay", 0, INT_MAX),
  integer("repl-diskless-sync-max-replicas", 0, INT_MAX),
  choice("repl-diskless-load", ["disabled", "on-empty-db", "swapdb"], { flags: DEBUG | DENY_LOADING }),
  yesNo("repl-disable-tcp-nodelay"),
  integer("repl-ping-replica-period", 1, INT_MAX, { alias: "repl-ping-slave-period" }),
  integer("repl-timeout", 1, INT_MAX),
  integer("repl-backlog-size", 1, LONG_MAX, { notation: "memory" }),
  integer("repl-backlog-ttl", 0, LONG_MAX),
  integer("min-replicas-to-write", 0, INT_MAX, { alias: "min-slaves-to-write" }),
  integer("min-replicas-max-lag", 0, INT_MAX, { alias: "min-slaves-max-lag" }),
  choice("propagation-error-behavior", ["ignore", "panic", "panic-on-replicas"]),
];

const memory: readonly Parameter[] = [
  integer("maxmemory", 0, ULONG_MAX, { notation: "memory", unsigned: true }),
  integer("maxmemory-clients", -100, LONG_MAX, { notation: "memory or percent" }),
  choice("maxmemory-policy", [
    "volatile-lru",
    "volatile-lfu",
    "volatile-random",
    "volatile-ttl",
    "allkeys-lru",
    "allkeys-lfu",
    "allkeys-random",
    "noeviction",
  ]),
  integer("maxmemory-samples", 1, INT_MAX),
  integer("maxmemory-eviction-tenacity", 0, 100),
  integer("lfu-log-factor", 0, INT_MAX),
  integer("lfu-decay-time", 0, INT_MAX),
  integer("active-expire-effort", 1, 10, { withoutEffect: "a heap knows which keys have expired, nothing is sampled" }),
  yesNo("activerehashing", { withoutEffect: "tables grow and shrink bucket by bucket, nothing is rehashed" }),
  yesNo("lazyfree-lazy-eviction", { flags: DEBUG }),
  yesNo("lazyfree-lazy-expire", { flags: DEBUG }),
  yesNo("lazyfree-lazy-server-del", { flags: DEBUG, withoutEffect: ALWAYS_LAZY }),
  yesNo("lazyfree-lazy-user-del", { flags: DEBUG }),
  yesNo("lazyfree-lazy-user-flush", { flags: DEBUG, withoutEffect: ALWAYS_LAZY }),
  yesNo("jemalloc-bg-thread", { withoutEffect: NO_JEMALLOC }),
  yesNo("activedefrag", {
    flags: DEBUG,
    withoutEffect: NO_DEFRAG,
    refuseYes: "Active defragmentation cannot be enabled: it requires a Redis server compiled with a modified " +
      "Jemalloc like the one shipped by default with the Redis source distribution",
  }),
  integer("active-defrag-ignore-bytes", 1, LONG_MAX, { notation: "memory", unsigned: true, withoutEffect: NO_DEFRAG }),
  integer("active-defrag-threshold-lower", 0, 1000, { withoutEffect: NO_DEFRAG }),
  integer("active-defrag-threshold-upper", 0, 1000, { withoutEffect: NO_DEFRAG }),
  integer("active-defrag-cycle-min", 1, 99, { withoutEffect: NO_DEFRAG }),
  integer("active-defrag-cycle-max", 1, 99, { withoutEffect: NO_DEFRAG }),
  integer("active-defrag-max-scan-fields", 1, LONG_MAX, { withoutEffect: NO_DEFRAG }),
];

const encodings: readonly Parameter[] = [
  integer("hash-max-listpack-entries", 0, LONG_MAX, { alias: "hash-max-ziplist-entries", unsigned: true }),
  integer("hash-max-listpack-value", 0, LONG_MAX, {
    alias: "hash-max-ziplist-value",
    notation: "memory",
    unsigned: true,
  }),
  integer("list-max-listpack-size", INT_MIN, INT_MAX, { alias: "list-max-ziplist-size" }),
  integer("list-compress-depth", 0, INT_MAX, { flags: DEBUG }),
  integer("set-max-intset-entries", 0, LONG_MAX, { unsigned: true }),
  integer("zset-max-listpack-entries", 0, LONG_MAX, { alias: "zset-max-ziplist-entries", unsigned: true }),
  integer("zset-max-listpack-value", 0, LONG_MAX, {
    alias: "zset-max-ziplist-value",
    notation: "memory",
    unsigned: true,
  }),
  integer("hll-sparse-max-bytes", 0, LONG_MAX, { notation: "memory", unsigned: true }),
  integer("stream-node-max-bytes", 0, LONG_MAX, { notation: "memory", unsigned: true }),
  integer("stream-node-max-entries", 0, LONG_MAX),
];

const observation: readonly Parameter[] = [
  integer("slowlog-log-slower-than", -1, LONG_MAX),
  integer("slowlog-max-len", 0, LONG_MAX),
  integer("latency-monitor-threshold", 0, LONG_MAX),
  yesNo("latency-tracking"),
  special.latencyTrackingInfoPercentiles,
  special.notifyKeyspaceEvents,
  integer("tracking-table-max-keys", 0, LONG_MAX, { unsigned: true }),
];

const cluster: readonly Parameter[] = [
  yesNo("cluster-enabled", { flags: IMMUTABLE }),
  text("cluster-config-file", { flags: IMMUTABLE }),
  integer("cluster-node-timeout", 0, LONG_MAX),
  integer("cluster-port", 0, 65535, { flags: IMMUTABLE }),
  text("cluster-announce-ip"),
  text("cluster-announce-hostname", { check: hostname }),
  integer("cluster-announce-port", 0, 65535),
  integer("cluster-announce-tls-port", 0, 65535),
  integer("cluster-announce-bus-port", 0, 65535),
  choice("cluster-preferred-endpoint-type", ["ip", "hostname", "unknown-endpoint"]),
  yesNo("cluster-replica-no-failover", { alias: "cluster-slave-no-failover" }),
  integer("cluster-replica-validity-factor", 0, INT_MAX, { alias: "cluster-slave-validity-factor" }),
  integer("cluster-migration-barrier", 0, INT_MAX),
  yesNo("cluster-allow-replica-migration"),
  yesNo("cluster-require-full-coverage"),
  yesNo("cluster-allow-reads-when-down"),
  yesNo("cluster-allow-pubsubshard-when-down"),
  integer("cluster-link-sendbuf-limit", 0, ULONG_MAX, { notation: "memory", unsigned: true }),
];

/** All parameters, each once. */
export const PARAMETERS: readonly Parameter[] = [
  ...network,
  ...tls,
  ...runtime,
  ...access,
  ...snapshots,
  ...appendOnlyFile,
  ...replication,
  ...memory,
  ...encodings,
  ...observation,
  ...cluster,
];
