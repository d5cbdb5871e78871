/**
 * INFO: the sections of the server's report, in Redis's order and with its field names. A section is a list of fields that is
 * made when it is asked for; nothing is kept up to date for it.
 *
 * Some fields of Redis have a fixed value here because what they count cannot happen: there are no forks, no I/O threads and
 * no defragmentation.
 */

import { type Command, Deny } from "../engine/command.ts";
import type { Engine } from "../engine/engine.ts";
import { REDIS_VERSION } from "../engine/version.ts";
import type { MasterLink } from "../replicate/master_link.ts";
import { humanBytes, memoryReport, ratio } from "./memory.ts";

type Field = readonly [name: string, value: string | number];
type Section = readonly [name: string, title: string, fields: (engine: Engine) => Field[]];

const SECTIONS: readonly Section[] = [
  ["server", "Server", server],
  ["clients", "Clients", clients],
  ["memory", "Memory", memory],
  ["persistence", "Persistence", persistence],
  ["stats", "Stats", stats],
  ["replication", "Replication", replication],
  ["cpu", "CPU", cpu],
  ["modules", "Modules", () => []],
  ["commandstats", "Commandstats", commandStats],
  ["errorstats", "Errorstats", errorStats],
  ["latencystats", "Latencystats", latencyStats],
  ["cluster", "Cluster", cluster],
  ["keyspace", "Keyspace", keyspace],
];
/** Deadlines that avg_ttl is estimated from. */
const TTL_SAMPLES = 64;
const ONLY_ON_DEMAND = ["commandstats", "latencystats"];

/** The text of INFO for section names in lower case; none means the default sections. */
export function infoText(engine: Engine, names: readonly string[]): string {
  const all = names.includes("all") || names.includes("everything");
  const wanted = new Set(names);
  if (names.length === 0 || wanted.has("default")) {
    for (const [name] of SECTIONS) if (!ONLY_ON_DEMAND.includes(name)) wanted.add(name);
  }
  if (wanted.has("module_list")) wanted.add("modules");
  const shown = SECTIONS.filter(([name]) => all || wanted.has(name));
  return shown.map(([, title, fields]) => {
    const lines = fields(engine).map(([name, value]) => `${name}:${value}\r\n`);
    return `# ${title}\r\n${lines.join("")}`;
  }).join("\r\n");
}

/** A whole number from one that may have a fraction. */
const whole = (n: number): number => Math.floor(n);

function server(engine: Engine): Field[] {
  const { control, platform, keyspace, config: { values } } = engine;
  const { process } = platform;
  const micros = platform.clock.nowMicros();
  const uptime = whole(micros / 1e6) - whole(control.startedAt / 1000);
  const fields: Field[] = [
    ["redis_version", REDIS_VERSION],
    ["redis_git_sha1", "00000000"],
    ["redis_git_dirty", 0],
    ["redis_build_id", "0"],
    ["redis_mode", values.clusterEnabled ? "cluster" : "standalone"],
    ["os", process.os],
    ["arch_bits", process.machineBits],
    ["monotonic_clock", "performance.now"],
    ["multiplexing_api", `${platform.runtime.name}-${platform.runtime.version}`],
    ["atomicvar_api", "none"],
    ["gcc_version", "0.0.0"],
    ["process_id", process.id],
    ["process_supervised", values.supervised],
    ["run_id", control.runId],
    ["tcp_port", values.port],
    ["server_time_usec", micros],
    ["uptime_in_seconds", uptime],
    ["uptime_in_days", whole(uptime / 86400)],
    ["hz", values.hz],
    ["configured_hz", values.hz],
    ["lru_clock", keyspace.lruClock],
    ["executable", control.executable],
    ["config_file", control.configFile],
    ["io_threads_active", 0],
  ];
  if (control.shutdownDeadline > 0) {
    fields.push(["shutdown_in_milliseconds", Math.max(0, control.shutdownDeadline - keyspace.now)]);
  }
  return fields;
}

function clients(engine: Engine): Field[] {
  let connected = 0, timed = 0, input = 0, output = 0;
  for (const { link, isReplica, blocked } of engine.clients.values()) {
    if (!isReplica) connected++;
    if (blocked !== null && blocked.timer !== null) timed++;
    input = Math.max(input, link.inputBytes);
    output = Math.max(output, link.outputBytes);
  }
  return [
    ["connected_clients", connected],
    ["cluster_connections", 0],
    ["maxclients", engine.config.values.maxclients],
    ["client_recent_max_input_buffer", input],
    ["client_recent_max_output_buffer", output],
    ["blocked_clients", engine.blocking.count],
    ["tracking_clients", 0],
    ["clients_in_timeout_table", timed],
  ];
}

function memory(engine: Engine): Field[] {
  const { values } = engine.config;
  const m = memoryReport(engine);
  return [
    ["used_memory", m.used],
    ["used_memory_human", humanBytes(m.used)],
    ["used_memory_rss", m.rss],
    ["used_memory_rss_human", humanBytes(m.rss)],
    ["used_memory_peak", m.peak],
    ["used_memory_peak_human", humanBytes(m.peak)],
    ["used_memory_peak_perc", `${ratio(m.used * 100, m.peak)}%`],
    ["used_memory_overhead", m.overhead],
    ["used_memory_startup", m.startup],
    ["used_memory_dataset", m.dataset],
    ["used_memory_dataset_perc", `${m.datasetPercent.toFixed(2)}%`],
    ["allocator_allocated", m.used],
    ["allocator_active", m.reserved],
    ["allocator_resident", m.reserved],
    ["total_system_memory", m.system],
    ["total_system_memory_human", humanBytes(m.system)],
    ["used_memory_lua", 0],
    ["used_memory_vm_eval", 0],
    ["used_memory_lua_human", humanBytes(0)],
    ["used_memory_scripts_eval", 0],
    ["number_of_cached_scripts", 0],
    ["number_of_functions", 0],
    ["number_of_libraries", 0],
    ["used_memory_vm_functions", 0],
    ["used_memory_vm_total", 0],
    ["used_memory_vm_total_human", humanBytes(0)],
    ["used_memory_functions", 0],
    ["used_memory_scripts", 0],
    ["used_memory_scripts_human", humanBytes(0)],
    ["maxmemory", values.maxmemory],
    ["maxmemory_human", humanBytes(values.maxmemory)],
    ["maxmemory_policy", values.maxmemoryPolicy],
    ["allocator_frag_ratio", ratio(m.reserved, m.used)],
    ["allocator_frag_bytes", m.reserved - m.used],
    ["allocator_rss_ratio", "1.00"],
    ["allocator_rss_bytes", 0],
    ["rss_overhead_ratio", ratio(m.rss, m.reserved)],
    ["rss_overhead_bytes", m.rss - m.reserved],
    ["mem_fragmentation_ratio", ratio(m.rss, m.used)],
    ["mem_fragmentation_bytes", m.rss - m.used],
    ["mem_not_counted_for_evict", m.notCounted],
    ["mem_replication_backlog", m.backlog],
    ["mem_total_replication_buffers", m.stream],
    ["mem_clients_slaves", m.replicas],
    ["mem_clients_normal", m.clients],
    ["mem_cluster_links", 0],
    ["mem_aof_buffer", m.aofBuffer],
    ["mem_allocator", "slab"],
    ["active_defrag_running", 0],
    ["lazyfree_pending_objects", engine.keyspace.graveyard.length],
    ["lazyfreed_objects", engine.keyspace.lazyFreed],
  ];
}

function persistence(engine: Engine): Field[] {
  const { keyspace, persistence: state } = engine;
  const { aof, loading, snapshot } = state;
  const saving = state.background === "rdb" || state.background === "replicas";
  const since = (ms: number) => whole(keyspace.now / 1000) - whole(ms / 1000);
  const fields: Field[] = [
    ["loading", engine.deny & Deny.LOADING ? 1 : 0],
    ["async_loading", engine.deny & Deny.ASYNC_LOADING ? 1 : 0],
    ["current_cow_peak", snapshot?.preserved ?? 0],
    ["current_cow_size", snapshot?.preserved ?? 0],
    ["current_cow_size_age", 0],
    ["current_fork_perc", snapshot === null ? "0.00" : ratio(snapshot.saved * 100, snapshot.total)],
    ["current_save_keys_processed", snapshot?.saved ?? 0],
    ["current_save_keys_total", snapshot?.total ?? 0],
    ["rdb_changes_since_last_save", keyspace.dirty],
    ["rdb_bgsave_in_progress", saving ? 1 : 0],
    ["rdb_last_save_time", state.lastSave],
    ["rdb_last_bgsave_status", state.lastSaveOk ? "ok" : "err"],
    ["rdb_last_bgsave_time_sec", state.lastSaveDuration],
    ["rdb_current_bgsave_time_sec", saving ? since(state.backgroundStart) : -1],
    ["rdb_saves", state.saves],
    ["rdb_last_cow_size", state.lastPreserved],
    ["rdb_last_load_keys_expired", state.keysExpired],
    ["rdb_last_load_keys_loaded", state.keysLoaded],
    ["aof_enabled", aof.state === "off" ? 0 : 1],
    ["aof_rewrite_in_progress", aof.rewriting ? 1 : 0],
    ["aof_rewrite_scheduled", aof.rewriteScheduled ? 1 : 0],
    ["aof_last_rewrite_time_sec", aof.lastRewriteDuration],
    ["aof_current_rewrite_time_sec", aof.rewriting ? since(aof.rewriteStart) : -1],
    ["aof_last_bgrewrite_status", aof.lastRewriteOk ? "ok" : "err"],
    ["aof_rewrites", aof.rewrites],
    ["aof_rewrites_consecutive_failures", aof.consecutiveFailures],
    ["aof_last_write_status", aof.lastWriteOk ? "ok" : "err"],
    ["aof_last_cow_size", aof.lastPreserved],
    ["module_fork_in_progress", 0],
    ["module_fork_last_cow_size", 0],
  ];
  if (aof.state !== "off") {
    fields.push(
      ["aof_current_size", aof.currentSize],
      ["aof_base_size", aof.baseSize],
      ["aof_pending_rewrite", aof.rewriteScheduled ? 1 : 0],
      ["aof_buffer_length", aof.bufferLength],
      ["aof_pending_bio_fsync", aof.pendingSyncs],
      ["aof_delayed_fsync", aof.delayedSyncs],
    );
  }
  if (loading !== null) {
    const { startedAt, totalBytes, loadedBytes } = loading;
    const elapsed = since(startedAt);
    fields.push(
      ["loading_start_time", whole(startedAt / 1000)],
      ["loading_total_bytes", totalBytes],
      ["loading_rdb_used_mem", 0],
      ["loading_loaded_bytes", loadedBytes],
      ["loading_loaded_perc", ratio(loadedBytes * 100, totalBytes)],
      ["loading_eta_seconds", elapsed === 0 ? 1 : whole(elapsed * (totalBytes - loadedBytes) / (loadedBytes + 1))],
    );
  }
  return fields;
}

function stats(engine: Engine): Field[] {
  const { stats, eviction, keyspace, observation, replication } = engine;
  const kilobytes = (bytes: number) => (bytes / 1024).toFixed(2);
  const subscribed = subscriptions(engine);
  return [
    ["total_connections_received", stats.connections],
    ["total_commands_processed", stats.commands],
    ["instantaneous_ops_per_sec", whole(observation.commandRate.perSecond)],
    ["total_net_input_bytes", stats.input + stats.replicationInput],
    ["total_net_output_bytes", stats.output + stats.replicationOutput],
    ["total_net_repl_input_bytes", stats.replicationInput],
    ["total_net_repl_output_bytes", stats.replicationOutput],
    ["instantaneous_input_kbps", kilobytes(observation.inputRate.perSecond)],
    ["instantaneous_output_kbps", kilobytes(observation.outputRate.perSecond)],
    ["instantaneous_input_repl_kbps", kilobytes(observation.replicationInputRate.perSecond)],
    ["instantaneous_output_repl_kbps", kilobytes(observation.replicationOutputRate.perSecond)],
    ["rejected_connections", stats.rejectedConnections],
    ["sync_full", replication.fullSyncs],
    ["sync_partial_ok", replication.partialSyncs],
    ["sync_partial_err", replication.partialSyncsRefused],
    ["expired_keys", keyspace.expiredKeys],
    ["expired_stale_perc", "0.00"],
    ["expired_time_cap_reached_count", 0],
    ["expire_cycle_cpu_milliseconds", whole(stats.expireCycleMs)],
    ["evicted_keys", keyspace.evictedKeys],
    ["evicted_clients", stats.evictedClients],
    ["total_eviction_exceeded_time", whole(eviction.exceeded.total)],
    ["current_eviction_exceeded_time", whole(eviction.exceeded.current)],
    ["keyspace_hits", keyspace.hits],
    ["keyspace_misses", keyspace.misses],
    ["pubsub_channels", subscribed.channels],
    ["pubsub_patterns", subscribed.patterns],
    ["pubsubshard_channels", subscribed.shardChannels],
    ["latest_fork_usec", 0],
    ["total_forks", stats.snapshots],
    ["migrate_cached_sockets", engine.migrationLinks.count],
    ["slave_expires_tracked_keys", keyspace.ownDeadlines.size],
    ["active_defrag_hits", 0],
    ["active_defrag_misses", 0],
    ["active_defrag_key_hits", 0],
    ["active_defrag_key_misses", 0],
    ["total_active_defrag_time", 0],
    ["current_active_defrag_time", 0],
    ["tracking_total_keys", 0],
    ["tracking_total_items", 0],
    ["tracking_total_prefixes", 0],
    ["unexpected_error_replies", stats.unexpectedErrors],
    ["total_error_replies", stats.errorReplies],
    ["dump_payload_sanitizations", 0],
    ["total_reads_processed", stats.reads],
    ["total_writes_processed", stats.writes],
    ["io_threaded_reads_processed", 0],
    ["io_threaded_writes_processed", 0],
    ["reply_buffer_shrinks", 0],
    ["reply_buffer_expands", 0],
  ];
}

/** Numbers of different channels, patterns and shard channels that somebody is subscribed to. */
function subscriptions(engine: Engine): { channels: number; patterns: number; shardChannels: number } {
  const channels = new Set<string>(), patterns = new Set<string>(), shardChannels = new Set<string>();
  const add = (all: Set<string>, some: Iterable<string> | null) => {
    for (const name of some ?? []) all.add(name);
  };
  for (const client of engine.clients.values()) {
    add(channels, client.channels);
    add(patterns, client.patterns);
    add(shardChannels, client.shardChannels);
  }
  return { channels: channels.size, patterns: patterns.size, shardChannels: shardChannels.size };
}

function replication(engine: Engine): Field[] {
  const { replication: state, config: { values } } = engine;
  const { master, stream, replicas } = state;
  const fields: Field[] = [["role", master === null ? "master" : "slave"]];
  if (master !== null) fields.push(...followed(engine, master));
  fields.push(["connected_slaves", replicas.count]);
  if (values.minReplicasToWrite > 0 && values.minReplicasMaxLag > 0) {
    fields.push(["min_slaves_good_slaves", replicas.good(values.minReplicasMaxLag)]);
  }
  let number = 0;
  for (const replica of replicas) {
    const { ip, listeningPort, shownState: phase, confirmed, heardAt } = replica;
    const lag = phase === "online" ? whole(engine.keyspace.now / 1000) - whole(heardAt / 1000) : 0;
    const text = `ip=${ip},port=${listeningPort},state=${phase},offset=${confirmed},lag=${lag}`;
    fields.push([`slave${number++}`, text]);
  }
  fields.push(
    ["master_failover_state", state.failover.shownState],
    ["master_replid", state.id],
    ["master_replid2", state.secondId],
    ["master_repl_offset", stream.offset],
    ["second_repl_offset", state.secondOffset],
    ["repl_backlog_active", stream.active ? 1 : 0],
    ["repl_backlog_size", values.replBacklogSize],
    ["repl_backlog_first_byte_offset", stream.active ? stream.first + 1 : 0],
    ["repl_backlog_histlen", stream.active ? stream.length : 0],
  );
  return fields;
}

/** What a replica knows of its master. */
function followed(engine: Engine, master: MasterLink): Field[] {
  const { config: { values }, replication: { stream } } = engine;
  const seconds = (since: number) => whole((engine.keyspace.now - since) / 1000);
  const connected = master.state === "connected", transfer = master.state === "sync";
  const fields: Field[] = [
    ["master_host", master.host],
    ["master_port", master.port],
    ["master_link_status", connected ? "up" : "down"],
    ["master_last_io_seconds_ago", connected ? seconds(master.lastIo) : -1],
    ["master_sync_in_progress", transfer ? 1 : 0],
    ["slave_read_repl_offset", master.readOffset],
    ["slave_repl_offset", stream.offset],
  ];
  if (transfer) {
    const total = Math.max(0, master.transfer?.total ?? 0), read = master.transfer?.received ?? 0;
    fields.push(
      ["master_sync_total_bytes", total],
      ["master_sync_read_bytes", read],
      ["master_sync_left_bytes", total - read],
      ["master_sync_perc", ratio(read * 100, total)],
      ["master_sync_last_io_seconds_ago", seconds(master.lastIo)],
    );
  }
  if (!connected) {
    fields.push(["master_link_down_since_seconds", master.downSince === 0 ? -1 : seconds(master.downSince)]);
  }
  fields.push(
    ["slave_priority", values.replicaPriority],
    ["slave_read_only", values.replicaReadOnly ? 1 : 0],
    ["replica_announced", values.replicaAnnounced ? 1 : 0],
  );
  return fields;
}

function cpu(engine: Engine): Field[] {
  const { user, system } = engine.platform.process.cpu();
  return [
    ["used_cpu_sys", system.toFixed(6)],
    ["used_cpu_user", user.toFixed(6)],
    ["used_cpu_sys_children", "0.000000"],
    ["used_cpu_user_children", "0.000000"],
    ["used_cpu_sys_main_thread", system.toFixed(6)],
    ["used_cpu_user_main_thread", user.toFixed(6)],
  ];
}

/** Commands and subcommands; a container stands before its subcommands. */
function* allCommands(table: Iterable<Command>): IterableIterator<Command> {
  for (const cmd of table) {
    yield cmd;
    if (cmd.subcommands !== null) yield* allCommands(cmd.subcommands);
  }
}

function commandStats(engine: Engine): Field[] {
  const fields: Field[] = [];
  for (const cmd of allCommands(engine.table)) {
    const { calls, usec, rejected, failed } = cmd;
    if (calls === 0 && rejected === 0 && failed === 0) continue;
    const each = calls === 0 ? 0 : usec / calls;
    fields.push([
      `cmdstat_${safe(cmd.fullName)}`,
      `calls=${calls},usec=${whole(usec)},usec_per_call=${
        each.toFixed(2)
      },rejected_calls=${rejected},failed_calls=${failed}`,
    ]);
  }
  return fields;
}

function errorStats(engine: Engine): Field[] {
  const names = [...engine.stats.errors.keys()].sort();
  return names.map((name) => [`errorstat_${safe(name)}`, `count=${engine.stats.errors.get(name)}`]);
}

/** Characters that would break the format of a line are replaced. */
function safe(name: string): string {
  return name.replace(/[#:\n\r]/g, "_");
}

function latencyStats(engine: Engine): Field[] {
  const { latencyTracking, latencyTrackingInfoPercentiles: percentiles } = engine.config.values;
  if (!latencyTracking) return [];
  const fields: Field[] = [];
  for (const cmd of allCommands(engine.table)) {
    if (cmd.latency === null) continue;
    const { latency } = cmd;
    const values = percentiles.map((percentile) => {
      const name = percentile.toFixed(6).replace(/\.?0+$/, "");
      return `p${name}=${(latency.percentile(percentile) / 1000).toFixed(3)}`;
    });
    fields.push([`latency_percentiles_usec_${safe(cmd.fullName)}`, values.join(",")]);
  }
  return fields;
}

function cluster(engine: Engine): Field[] {
  return [["cluster_enabled", engine.config.values.clusterEnabled ? 1 : 0]];
}

function keyspace(engine: Engine): Field[] {
  const fields: Field[] = [];
  for (const db of engine.keyspace.databases) {
    const keys = db.dict.count;
    if (keys === 0) continue;
    const { deadlines } = db;
    const ttl = deadlines.count === 0 ? 0 : Math.max(0, whole(deadlines.meanTime(TTL_SAMPLES) - engine.keyspace.now));
    fields.push([`db${db.index}`, `keys=${keys},expires=${deadlines.count},avg_ttl=${ttl}`]);
  }
  return fields;
}
