//! Compile-time handles of settings, one type for each way of reading a value.
//!
//! Invariants:
//! - A handle exists for a row of the table only, and its kind fits; both are checked by the build.
//! - Reading a number through its handle is one relaxed atomic load.
//!
//! Does not hold values: a handle is an index.

use super::rows::{TABLE, row};
use super::setting::Kind;

/// Handle of a number: integer, bytes, percentage (negative), octal mode, or set of bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Int(pub(super) usize);

/// Handle of a boolean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flag(pub(super) usize);

/// Handle of a choice among words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice(pub(super) usize);

/// Handle of a text or of words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Text(pub(super) usize);

/// Handle of a list of integers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Numbers(pub(super) usize);

/// Handle of a list of percentiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decimals(pub(super) usize);

impl Int {
    const fn named(name: &str) -> Int {
        let row = row(name);
        let kind = TABLE[row].kind;
        assert!(kind.is_number() && !matches!(kind, Kind::Bool | Kind::Choice(_)));
        Int(row)
    }
}

impl Flag {
    const fn named(name: &str) -> Flag {
        let row = row(name);
        assert!(matches!(TABLE[row].kind, Kind::Bool));
        Flag(row)
    }
}

impl Choice {
    const fn named(name: &str) -> Choice {
        let row = row(name);
        assert!(matches!(TABLE[row].kind, Kind::Choice(_)));
        Choice(row)
    }
}

impl Text {
    const fn named(name: &str) -> Text {
        let row = row(name);
        assert!(TABLE[row].kind.is_text());
        Text(row)
    }
}

impl Numbers {
    const fn named(name: &str) -> Numbers {
        let row = row(name);
        assert!(matches!(
            TABLE[row].kind,
            Kind::SaveRules | Kind::BufferLimits | Kind::OomScores
        ));
        Numbers(row)
    }
}

impl Decimals {
    const fn named(name: &str) -> Decimals {
        let row = row(name);
        assert!(matches!(TABLE[row].kind, Kind::Percentiles));
        Decimals(row)
    }
}

macro_rules! handles {
    ($($kind:ident { $($id:ident = $name:literal,)* })*) => {
        $($(
            #[doc = concat!("Handle of `", $name, "`.")]
            pub const $id: $kind = $kind::named($name);
        )*)*

        /// Every handle's row, so that tests can tell which live settings have none.
        #[cfg(test)]
        pub(super) const ALL: &[usize] = &[$($($id.0,)*)*];
    };
}

handles! {
    Int {
        ACLLOG_MAX_LEN = "acllog-max-len",
        ACTIVE_EXPIRE_EFFORT = "active-expire-effort",
        BUSY_REPLY_THRESHOLD = "busy-reply-threshold",
        SCRIPT_MEMORY_LIMIT = "script-memory-limit",
        CLIENT_QUERY_BUFFER_LIMIT = "client-query-buffer-limit",
        DATABASES = "databases",
        HASH_MAX_LISTPACK_ENTRIES = "hash-max-listpack-entries",
        HASH_MAX_LISTPACK_VALUE = "hash-max-listpack-value",
        HLL_SPARSE_MAX_BYTES = "hll-sparse-max-bytes",
        HZ = "hz",
        LATENCY_MONITOR_THRESHOLD = "latency-monitor-threshold",
        LFU_DECAY_TIME = "lfu-decay-time",
        LFU_LOG_FACTOR = "lfu-log-factor",
        LIST_COMPRESS_DEPTH = "list-compress-depth",
        LIST_MAX_LISTPACK_SIZE = "list-max-listpack-size",
        MAXCLIENTS = "maxclients",
        MAXMEMORY = "maxmemory",
        MAXMEMORY_CLIENTS = "maxmemory-clients",
        MAXMEMORY_EVICTION_TENACITY = "maxmemory-eviction-tenacity",
        MAXMEMORY_SAMPLES = "maxmemory-samples",
        NOTIFY_KEYSPACE_EVENTS = "notify-keyspace-events",
        PORT = "port",
        PROTO_MAX_BULK_LEN = "proto-max-bulk-len",
        SET_MAX_INTSET_ENTRIES = "set-max-intset-entries",
        SET_MAX_LISTPACK_ENTRIES = "set-max-listpack-entries",
        SET_MAX_LISTPACK_VALUE = "set-max-listpack-value",
        SHUTDOWN_ON_SIGINT = "shutdown-on-sigint",
        SHUTDOWN_ON_SIGTERM = "shutdown-on-sigterm",
        SHUTDOWN_TIMEOUT = "shutdown-timeout",
        SLOWLOG_LOG_SLOWER_THAN = "slowlog-log-slower-than",
        SLOWLOG_MAX_LEN = "slowlog-max-len",
        STREAM_NODE_MAX_BYTES = "stream-node-max-bytes",
        STREAM_NODE_MAX_ENTRIES = "stream-node-max-entries",
        TABLE_MAX_CONNECTIONS = "table-max-connections",
        TABLE_MAX_FRAME = "table-max-frame",
        TABLE_MAX_KEYS = "table-max-keys",
        TABLE_GRPC_PORT = "table-grpc-port",
        TABLE_HTTP_PORT = "table-http-port",
        TABLE_PORT = "table-port",
        TABLE_TIMEOUT = "table-timeout",
        TCP_BACKLOG = "tcp-backlog",
        TCP_KEEPALIVE = "tcp-keepalive",
        TIMEOUT = "timeout",
        TLS_PORT = "tls-port",
        TLS_SESSION_CACHE_SIZE = "tls-session-cache-size",
        TLS_SESSION_CACHE_TIMEOUT = "tls-session-cache-timeout",
        TRACKING_TABLE_MAX_KEYS = "tracking-table-max-keys",
        UNIXSOCKETPERM = "unixsocketperm",
        WORKER_THREADS = "worker-threads",
        WORKER_THREADS_MIN = "worker-threads-min",
        ZSET_MAX_LISTPACK_ENTRIES = "zset-max-listpack-entries",
        ZSET_MAX_LISTPACK_VALUE = "zset-max-listpack-value",
    }
    Flag {
        DISABLE_THP = "disable-thp",
        DYNAMIC_HZ = "dynamic-hz",
        LATENCY_TRACKING = "latency-tracking",
        LAZYFREE_LAZY_EVICTION = "lazyfree-lazy-eviction",
        LAZYFREE_LAZY_EXPIRE = "lazyfree-lazy-expire",
        LAZYFREE_LAZY_SERVER_DEL = "lazyfree-lazy-server-del",
        LAZYFREE_LAZY_USER_DEL = "lazyfree-lazy-user-del",
        LAZYFREE_LAZY_USER_FLUSH = "lazyfree-lazy-user-flush",
        PROTECTED_MODE = "protected-mode",
        RDBCOMPRESSION = "rdbcompression",
        TABLE_TLS = "table-tls",
        TABLE_YAMUX = "table-yamux",
        TLS_PREFER_SERVER_CIPHERS = "tls-prefer-server-ciphers",
        TLS_SESSION_CACHING = "tls-session-caching",
    }
    Choice {
        ACL_PUBSUB_DEFAULT = "acl-pubsub-default",
        ENABLE_DEBUG_COMMAND = "enable-debug-command",
        ENABLE_PROTECTED_CONFIGS = "enable-protected-configs",
        LOGLEVEL = "loglevel",
        MAXMEMORY_POLICY = "maxmemory-policy",
        TABLE_STORAGE = "table-storage",
        TABLE_SYNC = "table-sync",
        TLS_AUTH_CLIENTS = "tls-auth-clients",
    }
    Text {
        ACLFILE = "aclfile",
        BIND = "bind",
        DIR = "dir",
        LOGFILE = "logfile",
        PIDFILE = "pidfile",
        REQUIREPASS = "requirepass",
        TABLE_DIR = "table-dir",
        TABLE_USER = "table-user",
        TLS_CA_CERT_DIR = "tls-ca-cert-dir",
        TLS_CA_CERT_FILE = "tls-ca-cert-file",
        TLS_CERT_FILE = "tls-cert-file",
        TLS_CIPHERS = "tls-ciphers",
        TLS_CIPHERSUITES = "tls-ciphersuites",
        TLS_KEY_FILE = "tls-key-file",
        TLS_KEY_FILE_PASS = "tls-key-file-pass",
        TLS_PROTOCOLS = "tls-protocols",
        UNIXSOCKET = "unixsocket",
    }
    Numbers {
        CLIENT_OUTPUT_BUFFER_LIMIT = "client-output-buffer-limit",
        SAVE = "save",
    }
    Decimals {
        LATENCY_TRACKING_INFO_PERCENTILES = "latency-tracking-info-percentiles",
    }
}

/// The ports of the table front: raw, gRPC, HTTP.
pub const TABLE_PORTS: [Int; 3] = [TABLE_PORT, TABLE_GRPC_PORT, TABLE_HTTP_PORT];
