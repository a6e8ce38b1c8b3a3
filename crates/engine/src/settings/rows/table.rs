//! Settings of the table front: Ochre's own, in force from the start to the stop.

use super::super::setting::{Setting, choice, count, flag, int, memory, tcp_port, text};

// One row a line, so that it reads as a table.
#[rustfmt::skip]
pub(super) const ROWS: &[Setting] = &[
    tcp_port("table-port", "0", "TCP port of the table front, usually 9527; 0 opens none.").immutable().live(),
    tcp_port("table-grpc-port", "0", "TCP port of the table front over gRPC; 0 opens none.").immutable().live(),
    tcp_port("table-http-port", "0", "TCP port of the table front over HTTP; 0 opens none.").immutable().live(),
    choice("table-storage", &["keyspace", "memory", "disk"], "keyspace", "Where tables are kept: as hashes of database 0, in memory of their own, or on disk.").immutable().live(),
    text("table-dir", "tables", "Folder of the tables on disk.").immutable().live(),
    choice("table-sync", &["always", "everysec", "no"], "everysec", "When tables on disk are brought there: before a write is acknowledged, every second, or when the system thinks fit.").immutable().live(),
    text("table-user", "", "User that requests to tables in the keyspace act for, without a password; empty takes the default user as long as it needs none.").immutable().live(),
    flag("table-tls", "no", "Whether the ports of the table front speak TLS, as the `tls-` settings say.").immutable().live(),
    flag("table-yamux", "no", "Whether connections to `table-port` carry many streams by yamux.").immutable().live(),
    memory("table-max-frame", 1 << 10, "8mb", "Bytes that a request or a response of the table front may have.").immutable().live(),
    int("table-max-keys", (1, 1 << 20), "10000", "Keys that a request of the table front may name.").immutable().live(),
    int("table-max-connections", (1, u32::MAX as i64), "10000", "How many connections each port of the table front may have at once.").immutable().live(),
    count("table-timeout", "0", "Seconds after which an idle connection of the table front is closed; 0 never does.").immutable().live(),
];
