//! Settings of memory, expiry, encodings, statistics and scripts.
//!
//! Order here is the order of the reference page and of `CONFIG GET *`.

use super::super::setting::{
    INT_MAX, Kind, Setting, choice, count, flag, int, long, memory, special,
};

pub(crate) const POLICIES: &[&str] = &[
    "volatile-lru",
    "volatile-lfu",
    "volatile-random",
    "volatile-ttl",
    "allkeys-lru",
    "allkeys-lfu",
    "allkeys-random",
    "noeviction",
];

// One row a line, so that it reads as a table.
#[rustfmt::skip]
pub(super) const ROWS: &[Setting] = &[
    memory("maxmemory", 0, "0", "Bytes that the data set may take; 0 sets no limit.").live(),
    choice("maxmemory-policy", POLICIES, "noeviction", "What is removed when `maxmemory` is reached.").live(),
    int("maxmemory-samples", (1, 64), "5", "How many keys are looked at to choose one for removal.").live(),
    int("maxmemory-eviction-tenacity", (0, 100), "10", "How long a command may be held up by removals, from 0 (shortest) to 100 (until done).").live(),
    count("lfu-log-factor", "10", "How many hits it takes to raise a key's counter of use.").live(),
    count("lfu-decay-time", "1", "Minutes after which a key's counter of use is lowered.").live(),
    flag("lazyfree-lazy-eviction", "no", "Whether evicted values are freed in the background.").live(),
    flag("lazyfree-lazy-expire", "no", "Whether expired values are freed in the background.").live(),
    flag("lazyfree-lazy-server-del", "no", "Whether overwritten values are freed in the background.").live(),
    flag("lazyfree-lazy-user-del", "no", "Whether DEL frees in the background as UNLINK does.").live(),
    flag("lazyfree-lazy-user-flush", "no", "Whether FLUSHALL and FLUSHDB free in the background unless told otherwise.").live(),
    int("active-expire-effort", (1, 10), "1", "How hard expired keys are looked for, from 1 to 10.").live(),
    count("hz", "10", "How often a second background work is done, from 1 to 500.").clamp(1, 500).live(),
    flag("dynamic-hz", "yes", "Whether background work is done more often while many clients are connected.").live(),
    flag("activerehashing", "yes", "Whether Redis moves hash tables in idle time."),
    flag("activedefrag", "no", "Whether memory is defragmented while running.")
        .absent_because("active defragmentation is not supported by this version of Ochre"),
    memory("active-defrag-ignore-bytes", 1, "100mb", "Waste in bytes below which defragmentation does nothing."),
    int("active-defrag-threshold-lower", (0, 1000), "10", "Waste in percent at which defragmentation starts."),
    int("active-defrag-threshold-upper", (0, 1000), "100", "Waste in percent at which defragmentation works hardest."),
    int("active-defrag-cycle-min", (1, 99), "1", "Least share of a core, in percent, for defragmentation."),
    int("active-defrag-cycle-max", (1, 99), "25", "Largest share of a core, in percent, for defragmentation."),
    int("active-defrag-max-scan-fields", (1, i64::MAX), "1000", "Fields of a collection that defragmentation handles at once."),
    flag("jemalloc-bg-thread", "yes", "Whether the allocator returns memory in a thread of its own."),
    // Encodings.
    long("hash-max-listpack-entries", "512", "Fields up to which a hash is packed.").alias("hash-max-ziplist-entries").live(),
    memory("hash-max-listpack-value", 0, "64", "Bytes of a field or value up to which a hash is packed.").alias("hash-max-ziplist-value").live(),
    int("list-max-listpack-size", (i32::MIN as i64, INT_MAX), "-2", "Size of a list's nodes: elements if positive, one of five byte sizes if negative.").alias("list-max-ziplist-size").live(),
    count("list-compress-depth", "0", "Nodes at either end of a list that stay uncompressed; 0 compresses none.").live(),
    long("set-max-intset-entries", "512", "Members up to which a set of integers is packed.").live(),
    long("set-max-listpack-entries", "128", "Members up to which a set is packed.").live(),
    long("set-max-listpack-value", "64", "Bytes of a member up to which a set is packed.").live(),
    long("zset-max-listpack-entries", "128", "Members up to which a sorted set is packed.").alias("zset-max-ziplist-entries").live(),
    memory("zset-max-listpack-value", 0, "64", "Bytes of a member up to which a sorted set is packed.").alias("zset-max-ziplist-value").live(),
    memory("hll-sparse-max-bytes", 0, "3000", "Bytes up to which a HyperLogLog is kept sparse."),
    memory("stream-node-max-bytes", 0, "4kb", "Bytes that one node of a stream may have; 0 sets no limit."),
    long("stream-node-max-entries", "100", "Entries that one node of a stream may have; 0 sets no limit."),
    flag("vset-force-single-threaded-execution", "no", "Whether Redis runs vector sets in one thread."),
    // Statistics and notifications.
    int("slowlog-log-slower-than", (-1, i64::MAX), "10000", "Microseconds from which a command is put on the slow log; -1 logs none.").live(),
    long("slowlog-max-len", "128", "How many commands the slow log keeps.").live(),
    long("latency-monitor-threshold", "0", "Milliseconds from which an event is recorded for LATENCY; 0 records none.").live(),
    flag("latency-tracking", "yes", "Whether each command's distribution of latencies is kept.").live(),
    special("latency-tracking-info-percentiles", Kind::Percentiles, "50 99 99.9", "Percentiles of latency that INFO reports.").live(),
    special("notify-keyspace-events", Kind::EventClasses, "", "Classes of keyspace events that are published.").live(),
    long("tracking-table-max-keys", "1000000", "Keys that are remembered for client-side caching; 0 sets no limit.").live(),
    long("acllog-max-len", "128", "How many refusals ACL LOG keeps.").live(),
    // Scripts.
    long("busy-reply-threshold", "5000", "Milliseconds after which others are told that a script is running.").alias("lua-time-limit").live(),
    special("script-memory-limit", Kind::Memory { min: 1 << 20, max: 1 << 30 }, "256mb", "Bytes that one Lua virtual machine may take; there is one for each thread that runs scripts.").live(),
    flag("lua-enable-deprecated-api", "no", "Whether scripts may use what Redis took away from them.").immutable().hidden(),
];
