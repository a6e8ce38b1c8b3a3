//! The fixed fields of INFO.
//!
//! A constant stands where the answer cannot differ yet: no persistence, no replication,
//! no pub/sub, no blocked clients. Whoever adds one of these replaces its constants.

use super::Row;
use super::facts::Value::{Count, Human, Int, Percent, Ratio, Seconds, Text, Word};
use super::facts::{Facts, Value, ratio};
use crate::exec::{Counter, Rate};
use crate::keyspace::access::CLOCK_MASK;
use crate::settings::id;
use std::sync::atomic::Ordering::Relaxed;

/// Zero, because what would be counted does not exist.
const NONE: fn(&Facts<'_, '_>) -> Value = |_| Int(0);
/// What Redis reports before something happened for the first time.
const NEVER: fn(&Facts<'_, '_>) -> Value = |_| Int(-1);
const OK: fn(&Facts<'_, '_>) -> Value = |_| Word("ok");
const NO_SHARE: fn(&Facts<'_, '_>) -> Value = |_| Word("0.00");

pub(super) const SERVER: &[Row] = &[
    ("redis_version", |_| Word(crate::REDIS_VERSION)),
    ("redis_git_sha1", |_| Word("00000000")),
    ("redis_git_dirty", NONE),
    ("redis_build_id", |_| Word("0")),
    ("ochre_version", |_| Word(env!("CARGO_PKG_VERSION"))),
    ("redis_mode", |_| Word("standalone")),
    ("os", |f| Text(f.engine.about.os.clone())),
    ("arch_bits", |_| Int(i64::from(usize::BITS))),
    ("monotonic_clock", |_| Word("POSIX clock_gettime")),
    ("multiplexing_api", |_| Word("epoll")),
    ("process_id", |_| Count(u64::from(std::process::id()))),
    ("process_supervised", |_| Word("no")),
    ("run_id", |f| Text(f.engine.about.run_id.clone())),
    ("tcp_port", |f| {
        let settings = &f.engine.settings;
        // compat: without a plain port, the one for TLS.
        Int(match settings.int(id::PORT) {
            0 => settings.int(id::TLS_PORT),
            port => port,
        })
    }),
    ("server_time_usec", |f| Int(f.engine.clock.unix_us())),
    ("uptime_in_seconds", |f| Int(f.uptime_seconds())),
    ("uptime_in_days", |f| Int(f.uptime_seconds() / 86_400)),
    ("hz", |f| Int(f.engine.settings.int(id::HZ))),
    ("configured_hz", |f| Int(f.engine.settings.int(id::HZ))),
    ("lru_clock", |f| {
        Int((f.now_ms / 1000) & i64::from(CLOCK_MASK))
    }),
    ("executable", |f| Text(f.engine.about.executable.clone())),
    ("config_file", |f| {
        Text(f.engine.settings_file.path().unwrap_or_default())
    }),
    ("io_threads_active", NONE),
    ("worker_threads", |f| Count(f.engine.about.workers as u64)),
    ("worker_threads_active", |f| {
        Count(f.engine.about.workers_serving.load(Relaxed) as u64)
    }),
];

pub(super) const CLIENTS: &[Row] = &[
    ("connected_clients", |f| Count(f.clients().connected)),
    ("cluster_connections", NONE),
    ("maxclients", |f| Int(f.engine.settings.int(id::MAXCLIENTS))),
    ("client_recent_max_input_buffer", |f| {
        Count(f.clients().largest_in)
    }),
    ("client_recent_max_output_buffer", |f| {
        Count(f.clients().largest_out)
    }),
    // compat: clients held by CLIENT PAUSE count as blocked.
    ("blocked_clients", |f| {
        Count(f.clients().paused + f.clients().blocked)
    }),
    ("tracking_clients", |f| {
        Count(f.engine.tracking.clients() as u64)
    }),
    ("pubsub_clients", |f| Count(f.clients().subscribers)),
    ("watching_clients", |f| Count(f.clients().watching)),
    ("clients_in_timeout_table", |f| Count(f.clients().timed)),
    ("total_watched_keys", |f| {
        Count(f.databases().iter().map(|d| d.watched).sum())
    }),
    ("total_blocking_keys", |f| {
        Count(f.databases().iter().map(|d| d.awaited).sum())
    }),
    ("total_blocking_keys_on_nokey", NONE),
];

pub(super) const MEMORY: &[Row] = &[
    ("used_memory", |f| Count(f.memory().used)),
    ("used_memory_human", |f| Human(f.memory().used)),
    ("used_memory_rss", |f| Count(f.memory().figures.rss)),
    ("used_memory_rss_human", |f| Human(f.memory().figures.rss)),
    ("used_memory_peak", |f| Count(f.memory().peak)),
    ("used_memory_peak_human", |f| Human(f.memory().peak)),
    ("used_memory_peak_time", |f| Int(f.memory().peak_ms / 1000)),
    ("used_memory_peak_perc", |f| {
        Percent(f.memory().peak_percent())
    }),
    ("used_memory_overhead", |f| Count(f.memory().overhead())),
    ("used_memory_startup", |f| Count(f.memory().startup)),
    ("used_memory_dataset", |f| Count(f.memory().dataset())),
    ("used_memory_dataset_perc", |f| {
        Percent(f.memory().dataset_percent())
    }),
    ("allocator_allocated", |f| {
        Count(f.memory().figures.allocated)
    }),
    ("allocator_active", |f| Count(f.memory().figures.active)),
    ("allocator_resident", |f| Count(f.memory().figures.resident)),
    ("allocator_muzzy", NONE),
    ("total_system_memory", |f| {
        Count(f.engine.about.system_memory)
    }),
    ("total_system_memory_human", |f| {
        Human(f.engine.about.system_memory)
    }),
    ("used_memory_lua", |f| Count(f.scripts().eval_machines)),
    ("used_memory_vm_eval", |f| Count(f.scripts().eval_machines)),
    ("used_memory_lua_human", |f| {
        Human(f.scripts().eval_machines)
    }),
    ("used_memory_scripts_eval", |f| {
        Count(f.scripts().scripts_bytes)
    }),
    ("number_of_cached_scripts", |f| Count(f.scripts().scripts)),
    ("number_of_functions", |f| Count(f.scripts().functions)),
    ("number_of_libraries", |f| Count(f.scripts().libraries)),
    ("used_memory_vm_functions", |f| {
        Count(f.scripts().function_machines)
    }),
    ("used_memory_vm_total", |f| Count(f.scripts().machines())),
    ("used_memory_vm_total_human", |f| {
        Human(f.scripts().machines())
    }),
    ("used_memory_functions", |f| {
        Count(f.scripts().functions_bytes)
    }),
    ("used_memory_scripts", |f| Count(f.scripts().texts())),
    ("used_memory_scripts_human", |f| Human(f.scripts().texts())),
    ("maxmemory", |f| Count(f.engine.memory.limit())),
    ("maxmemory_human", |f| Human(f.engine.memory.limit())),
    ("maxmemory_policy", |f| {
        Word(f.engine.settings.choice(id::MAXMEMORY_POLICY))
    }),
    ("allocator_frag_ratio", |f| {
        let figures = f.memory().figures;
        Ratio(ratio(figures.active, figures.allocated))
    }),
    ("allocator_frag_bytes", |f| {
        let figures = f.memory().figures;
        Count(figures.active.saturating_sub(figures.allocated))
    }),
    ("allocator_rss_ratio", |f| {
        let figures = f.memory().figures;
        Ratio(ratio(figures.resident, figures.active))
    }),
    ("allocator_rss_bytes", |f| {
        let figures = f.memory().figures;
        Count(figures.resident.saturating_sub(figures.active))
    }),
    ("rss_overhead_ratio", |f| {
        let figures = f.memory().figures;
        Ratio(ratio(figures.rss, figures.resident))
    }),
    ("rss_overhead_bytes", |f| {
        let figures = f.memory().figures;
        Int(f.memory().difference(figures.rss, figures.resident))
    }),
    ("mem_fragmentation_ratio", |f| {
        Ratio(ratio(f.memory().figures.rss, f.memory().used))
    }),
    ("mem_fragmentation_bytes", |f| {
        Int(f
            .memory()
            .difference(f.memory().figures.rss, f.memory().used))
    }),
    ("mem_not_counted_for_evict", NONE),
    ("mem_replication_backlog", NONE),
    ("mem_total_replication_buffers", NONE),
    ("mem_replica_full_sync_buffer", NONE),
    ("mem_clients_slaves", NONE),
    ("mem_clients_normal", |f| Count(f.memory().clients)),
    ("mem_cluster_links", NONE),
    ("mem_aof_buffer", NONE),
    ("mem_allocator", |f| {
        Word(f.engine.memory.port().allocator())
    }),
    ("mem_overhead_db_hashtable_rehashing", NONE),
    ("active_defrag_running", NONE),
    ("lazyfree_pending_objects", |f| {
        Count(f.engine.reclaimer.pending())
    }),
    ("lazyfreed_objects", |f| Count(f.engine.reclaimer.freed())),
];

pub(super) const PERSISTENCE: &[Row] = &[
    ("loading", NONE),
    ("async_loading", NONE),
    ("current_cow_peak", NONE),
    ("current_cow_size", NONE),
    ("current_cow_size_age", NONE),
    ("current_fork_perc", NO_SHARE),
    ("current_save_keys_processed", NONE),
    ("current_save_keys_total", NONE),
    ("rdb_changes_since_last_save", |f| {
        f.counter(Counter::Changes)
    }),
    ("rdb_bgsave_in_progress", NONE),
    // compat: the time of the start, until something is saved.
    ("rdb_last_save_time", |f| Int(f.engine.started_ms / 1000)),
    ("rdb_last_bgsave_status", OK),
    ("rdb_last_bgsave_time_sec", NEVER),
    ("rdb_current_bgsave_time_sec", NEVER),
    ("rdb_saves", NONE),
    ("rdb_last_cow_size", NONE),
    ("rdb_last_load_keys_expired", NONE),
    ("rdb_last_load_keys_loaded", NONE),
    ("aof_enabled", NONE),
    ("aof_rewrite_in_progress", NONE),
    ("aof_rewrite_scheduled", NONE),
    ("aof_last_rewrite_time_sec", NEVER),
    ("aof_current_rewrite_time_sec", NEVER),
    ("aof_last_bgrewrite_status", OK),
    ("aof_rewrites", NONE),
    ("aof_rewrites_consecutive_failures", NONE),
    ("aof_last_write_status", OK),
    ("aof_last_cow_size", NONE),
    ("module_fork_in_progress", NONE),
    ("module_fork_last_cow_size", NONE),
];

/// Kilobytes per second.
fn kbps(facts: &Facts<'_, '_>, rate: Rate) -> Value {
    Ratio(super::facts::to_f64(facts.engine.rates.per_second(rate)) / 1024.0)
}

pub(super) const STATS: &[Row] = &[
    ("total_connections_received", |f| {
        f.counter(Counter::Connections)
    }),
    ("total_commands_processed", |f| f.counter(Counter::Commands)),
    ("instantaneous_ops_per_sec", |f| {
        Count(f.engine.rates.per_second(Rate::Commands))
    }),
    ("total_net_input_bytes", |f| f.counter(Counter::NetIn)),
    ("total_net_output_bytes", |f| f.counter(Counter::NetOut)),
    ("total_net_repl_input_bytes", NONE),
    ("total_net_repl_output_bytes", NONE),
    ("instantaneous_input_kbps", |f| kbps(f, Rate::NetIn)),
    ("instantaneous_output_kbps", |f| kbps(f, Rate::NetOut)),
    ("instantaneous_input_repl_kbps", NO_SHARE),
    ("instantaneous_output_repl_kbps", NO_SHARE),
    ("rejected_connections", |f| {
        f.counter(Counter::RejectedConnections)
    }),
    ("tls_handshake_failures", |f| {
        f.counter(Counter::TlsHandshakeFailures)
    }),
    ("sync_full", NONE),
    ("sync_partial_ok", NONE),
    ("sync_partial_err", NONE),
    ("expired_subkeys", NONE),
    ("expired_keys", |f| f.counter(Counter::ExpiredKeys)),
    ("expired_stale_perc", NO_SHARE),
    ("expired_time_cap_reached_count", |f| {
        f.counter(Counter::ExpireCycleTimeCapReached)
    }),
    ("expire_cycle_cpu_milliseconds", NONE),
    ("evicted_keys", |f| f.counter(Counter::EvictedKeys)),
    ("evicted_clients", NONE),
    ("evicted_scripts", |f| Count(f.scripts().evicted)),
    ("total_eviction_exceeded_time", NONE),
    ("current_eviction_exceeded_time", NONE),
    ("keyspace_hits", |f| f.counter(Counter::KeyspaceHits)),
    ("keyspace_misses", |f| f.counter(Counter::KeyspaceMisses)),
    ("pubsub_channels", |f| {
        Count(f.engine.pubsub.counts().0 as u64)
    }),
    ("pubsub_patterns", |f| {
        Count(f.engine.pubsub.counts().1 as u64)
    }),
    ("pubsubshard_channels", |f| {
        Count(f.engine.pubsub.counts().2 as u64)
    }),
    ("latest_fork_usec", NONE),
    ("total_forks", NONE),
    ("migrate_cached_sockets", NONE),
    ("slave_expires_tracked_keys", NONE),
    ("active_defrag_hits", NONE),
    ("active_defrag_misses", NONE),
    ("active_defrag_key_hits", NONE),
    ("active_defrag_key_misses", NONE),
    ("total_active_defrag_time", NONE),
    ("current_active_defrag_time", NONE),
    ("tracking_total_keys", |f| {
        Count(f.engine.tracking.remembered().0 as u64)
    }),
    ("tracking_total_items", |f| {
        Count(f.engine.tracking.remembered().1 as u64)
    }),
    ("tracking_total_prefixes", |f| {
        Count(f.engine.tracking.prefixes() as u64)
    }),
    ("unexpected_error_replies", NONE),
    ("total_error_replies", |f| f.counter(Counter::ErrorReplies)),
    ("dump_payload_sanitizations", NONE),
    ("total_reads_processed", |f| f.counter(Counter::Reads)),
    ("total_writes_processed", |f| f.counter(Counter::Writes)),
    ("io_threaded_reads_processed", NONE),
    ("io_threaded_writes_processed", NONE),
    ("client_query_buffer_limit_disconnections", |f| {
        f.counter(Counter::ClientQueryBufferLimitDisconnections)
    }),
    ("client_output_buffer_limit_disconnections", |f| {
        f.counter(Counter::ClientOutputBufferLimitDisconnections)
    }),
    ("reply_buffer_shrinks", NONE),
    ("reply_buffer_expands", NONE),
    ("acl_access_denied_auth", |f| {
        f.counter(Counter::AclAccessDeniedAuth)
    }),
    ("acl_access_denied_cmd", |f| {
        f.counter(Counter::AclAccessDeniedCmd)
    }),
    ("acl_access_denied_key", |f| {
        f.counter(Counter::AclAccessDeniedKey)
    }),
    ("acl_access_denied_channel", |f| {
        f.counter(Counter::AclAccessDeniedChannel)
    }),
];

pub(super) const REPLICATION: &[Row] = &[
    ("role", |_| Word("master")),
    ("connected_slaves", NONE),
    ("master_failover_state", |_| Word("no-failover")),
    // Names this server's history, which begins with its start.
    ("master_replid", |f| Text(f.engine.about.run_id.clone())),
    ("master_replid2", |_| {
        Word("0000000000000000000000000000000000000000")
    }),
    ("master_repl_offset", NONE),
    ("second_repl_offset", NEVER),
    ("repl_backlog_active", NONE),
    ("repl_backlog_size", |f| {
        let found = f.engine.settings.get(&[b"repl-backlog-size"], |_, _| false);
        let value = found.into_iter().next().map(|(_, value)| value);
        Text(String::from_utf8_lossy(&value.unwrap_or_default()).into_owned())
    }),
    ("repl_backlog_first_byte_offset", NONE),
    ("repl_backlog_histlen", NONE),
];

pub(super) const CPU: &[Row] = &[
    ("used_cpu_sys", |f| Seconds(f.cpu()[1])),
    ("used_cpu_user", |f| Seconds(f.cpu()[0])),
    ("used_cpu_sys_children", |f| Seconds(f.cpu()[3])),
    ("used_cpu_user_children", |f| Seconds(f.cpu()[2])),
];

pub(super) const CLUSTER: &[Row] = &[("cluster_enabled", NONE)];
