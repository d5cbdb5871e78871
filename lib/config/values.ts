/**
 * Every parameter's current value, as one plain object with a typed field per parameter. Hot code reads
 * `config.values.listMaxListpackSize` directly: the object never changes its shape, so this is one load.
 *
 * The field initialisers are also the only place where Redis 7.0.15's defaults are written down; the parameter table
 * (`parameters.ts`) takes the default of a row from a fresh instance. A field is named like its parameter in camel case
 * (`server_cpulist` → `serverCpulist`), which the row constructors check at compile time.
 *
 * Strings hold one byte per character (latin1), exactly the bytes given; `null` is Redis's "not set", shown as "".
 * Integers beyond 2^53 are rounded here; `Config` keeps the exact number on the side for CONFIG GET and REWRITE.
 */

export interface SavePoint {
  readonly seconds: number;
  readonly changes: number;
}

/** Bytes and seconds; 0 switches a limit off. */
export interface OutputBufferLimit {
  readonly hard: number;
  readonly soft: number;
  readonly softSeconds: number;
}

export interface OutputBufferLimits {
  readonly normal: OutputBufferLimit;
  readonly replica: OutputBufferLimit;
  readonly pubsub: OutputBufferLimit;
}

/** Bits of `shutdownOnSigint` and `shutdownOnSigterm`; 0 is "default". */
export const SHUTDOWN_SAVE = 1;
export const SHUTDOWN_NOSAVE = 2;
export const SHUTDOWN_NOW = 4;
export const SHUTDOWN_FORCE = 8;

export type ProtectedAction = "no" | "yes" | "local";

export class ConfigValues {
  // Network
  /** Redis itself listens everywhere; a server that one starts by typing its name should not. */
  bind: readonly string[] = ["127.0.0.1", "-::1"];
  bindSourceAddr: string | null = null;
  port = 6379;
  tcpBacklog = 511;
  tcpKeepalive = 300;
  timeout = 0;
  unixsocket: string | null = null;
  unixsocketperm = 0;
  maxclients = 10000;
  protectedMode = true;
  socketMarkId = 0;
  protoMaxBulkLen = 536870912;
  clientQueryBufferLimit = 1073741824;
  clientOutputBufferLimit: OutputBufferLimits = {
    normal: { hard: 0, soft: 0, softSeconds: 0 },
    replica: { hard: 268435456, soft: 67108864, softSeconds: 60 },
    pubsub: { hard: 33554432, soft: 8388608, softSeconds: 60 },
  };
  ioThreads = 1;
  ioThreadsDoReads = false;

  // TLS
  tlsPort = 0;
  tlsCluster = false;
  tlsReplication = false;
  tlsAuthClients: "no" | "yes" | "optional" = "yes";
  tlsPreferServerCiphers = false;
  tlsSessionCaching = true;
  tlsSessionCacheSize = 20480;
  tlsSessionCacheTimeout = 300;
  tlsCertFile: string | null = null;
  tlsKeyFile: string | null = null;
  tlsKeyFilePass: string | null = null;
  tlsClientCertFile: string | null = null;
  tlsClientKeyFile: string | null = null;
  tlsClientKeyFilePass: string | null = null;
  tlsDhParamsFile: string | null = null;
  tlsCaCertFile: string | null = null;
  tlsCaCertDir: string | null = null;
  tlsProtocols: string | null = null;
  tlsCiphers: string | null = null;
  tlsCiphersuites: string | null = null;

  // The process
  daemonize = false;
  supervised: "upstart" | "systemd" | "auto" | "no" = "no";
  pidfile: string | null = null;
  loglevel: "debug" | "verbose" | "notice" | "warning" = "notice";
  logfile = "";
  syslogEnabled = false;
  syslogIdent = "redis";
  syslogFacility: "user" | "local0" | "local1" | "local2" | "local3" | "local4" | "local5" | "local6" | "local7" =
    "local0";
  databases = 16;
  alwaysShowLogo = false;
  setProcTitle = true;
  procTitleTemplate = "{title} {listen-addr} {server-mode}";
  crashLogEnabled = true;
  crashMemcheckEnabled = true;
  useExitOnPanic = false;
  watchdogPeriod = 0;
  disableThp = true;
  ignoreWarnings = "";
  serverCpulist: string | null = null;
  bioCpulist: string | null = null;
  aofRewriteCpulist: string | null = null;
  bgsaveCpulist: string | null = null;
  oomScoreAdj: "no" | "yes" | "absolute" = "no";
  /** Of a master, a replica and a background child. */
  oomScoreAdjValues: readonly number[] = [0, 200, 800];
  hz = 10;
  dynamicHz = true;
  shutdownTimeout = 10;
  shutdownOnSigint = 0;
  shutdownOnSigterm = 0;
  busyReplyThreshold = 5000;

  // Access
  requirepass: string | null = null;
  aclfile = "";
  acllogMaxLen = 128;
  aclPubsubDefault: "allchannels" | "resetchannels" = "resetchannels";
  enableProtectedConfigs: ProtectedAction = "no";
  enableDebugCommand: ProtectedAction = "no";
  enableModuleCommand: ProtectedAction = "no";

  // Snapshots
  save: readonly SavePoint[] = [
    { seconds: 3600, changes: 1 },
    { seconds: 300, changes: 100 },
    { seconds: 60, changes: 10000 },
  ];
  dbfilename = "dump.rdb";
  rdbcompression = true;
  rdbchecksum = true;
  rdbDelSyncFiles = false;
  rdbSaveIncrementalFsync = true;
  rdbKeySaveDelay = 0;
  keyLoadDelay = 0;
  loadingProcessEventsIntervalBytes = 2097152;
  sanitizeDumpPayload: "no" | "yes" | "clients" = "no";
  stopWritesOnBgsaveError = true;

  // Append only file
  appendonly = false;
  appendfilename = "appendonly.aof";
  appenddirname = "appendonlydir";
  appendfsync: "everysec" | "always" | "no" = "everysec";
  noAppendfsyncOnRewrite = false;
  autoAofRewritePercentage = 100;
  autoAofRewriteMinSize = 67108864;
  aofLoadTruncated = true;
  aofUseRdbPreamble = true;
  aofTimestampEnabled = false;
  aofRewriteIncrementalFsync = true;
  aofDisableAutoGc = false;

  // Replication
  replicaof: { readonly host: string; readonly port: number } | null = null;
  masteruser: string | null = null;
  masterauth: string | null = null;
  replicaServeStaleData = true;
  replicaReadOnly = true;
  replicaLazyFlush = false;
  replicaIgnoreMaxmemory = true;
  replicaIgnoreDiskWriteErrors = false;
  replicaPriority = 100;
  replicaAnnounced = true;
  replicaAnnounceIp: string | null = null;
  replicaAnnouncePort = 0;
  replDisklessSync = true;
  replDisklessSyncDelay = 5;
  replDisklessSyncMaxReplicas = 0;
  replDisklessLoad: "disabled" | "on-empty-db" | "swapdb" = "disabled";
  replDisableTcpNodelay = false;
  replPingReplicaPeriod = 10;
  replTimeout = 60;
  replBacklogSize = 1048576;
  replBacklogTtl = 3600;
  minReplicasToWrite = 0;
  minReplicasMaxLag = 10;
  propagationErrorBehavior: "ignore" | "panic" | "panic-on-replicas" = "ignore";

  // Memory
  maxmemory = 0;
  /** Bytes, or a percentage of `maxmemory` as a negative number. */
  maxmemoryClients = 0;
  maxmemoryPolicy:
    | "volatile-lru"
    | "volatile-lfu"
    | "volatile-random"
    | "volatile-ttl"
    | "allkeys-lru"
    | "allkeys-lfu"
    | "allkeys-random"
    | "noeviction" = "noeviction";
  maxmemorySamples = 5;
  maxmemoryEvictionTenacity = 10;
  lfuLogFactor = 10;
  lfuDecayTime = 1;
  activeExpireEffort = 1;
  activerehashing = true;
  lazyfreeLazyEviction = false;
  lazyfreeLazyExpire = false;
  lazyfreeLazyServerDel = false;
  lazyfreeLazyUserDel = false;
  lazyfreeLazyUserFlush = false;
  jemallocBgThread = true;
  activedefrag = false;
  activeDefragIgnoreBytes = 104857600;
  activeDefragThresholdLower = 10;
  activeDefragThresholdUpper = 100;
  activeDefragCycleMin = 1;
  activeDefragCycleMax = 25;
  activeDefragMaxScanFields = 1000;

  // Encodings
  hashMaxListpackEntries = 512;
  hashMaxListpackValue = 64;
  listMaxListpackSize = -2;
  listCompressDepth = 0;
  setMaxIntsetEntries = 512;
  zsetMaxListpackEntries = 128;
  zsetMaxListpackValue = 64;
  hllSparseMaxBytes = 3000;
  streamNodeMaxBytes = 4096;
  streamNodeMaxEntries = 100;

  // Observation
  slowlogLogSlowerThan = 10000;
  slowlogMaxLen = 128;
  latencyMonitorThreshold = 0;
  latencyTracking = true;
  latencyTrackingInfoPercentiles: readonly number[] = [50, 99, 99.9];
  /** Redis's NOTIFY_* bits: K 1, E 2, g 4, $ 8, l 16, s 32, h 64, z 128, x 256, e 512, t 1024, m 2048, d 8192, n 16384. */
  notifyKeyspaceEvents = 0;
  trackingTableMaxKeys = 1000000;

  // Cluster
  clusterEnabled = false;
  clusterConfigFile = "nodes.conf";
  clusterNodeTimeout = 15000;
  clusterPort = 0;
  clusterAnnounceIp: string | null = null;
  clusterAnnounceHostname: string | null = null;
  clusterAnnouncePort = 0;
  clusterAnnounceTlsPort = 0;
  clusterAnnounceBusPort = 0;
  clusterPreferredEndpointType: "ip" | "hostname" | "unknown-endpoint" = "ip";
  clusterReplicaNoFailover = false;
  clusterReplicaValidityFactor = 10;
  clusterMigrationBarrier = 1;
  clusterAllowReplicaMigration = true;
  clusterRequireFullCoverage = true;
  clusterAllowReadsWhenDown = false;
  clusterAllowPubsubshardWhenDown = true;
  clusterLinkSendbufLimit = 0;
}
