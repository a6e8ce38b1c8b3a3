//! The two sides of a comparison behind one face: requests in, raw replies out.

use crate::in_process::{Connection, InProcess};
use crate::reference::Wire;
use ochre_resp::Protocol;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Settings of both sides. The small string limit keeps huge offsets and LCS of long strings cheap.
pub const SETTINGS: &[(&str, &str)] = &[
    ("proto-max-bulk-len", "1mb"),
    ("lfu-log-factor", "10"),
    ("lfu-decay-time", "1"),
    ("slowlog-max-len", "128"),
    ("slowlog-log-slower-than", "10000"),
    ("latency-tracking", "yes"),
    // Defaults differ between releases.
    ("hash-max-listpack-entries", "128"),
    ("hash-max-listpack-value", "64"),
    ("list-max-listpack-size", "-2"),
    ("list-compress-depth", "0"),
    ("set-max-intset-entries", "512"),
    ("set-max-listpack-entries", "128"),
    ("set-max-listpack-value", "64"),
    ("zset-max-listpack-entries", "128"),
    ("zset-max-listpack-value", "64"),
];

/// What Ochre is told beside Redis 7.0, which has no packed sets but those of integers.
pub const LIKE_70: &[&str] = &["CONFIG", "SET", "set-max-listpack-entries", "0"];

/// The threshold of sets of integers.
pub const INTS: &str = "set-max-intset-entries";
/// The threshold of packed sets.
pub const MEMBERS: &str = "set-max-listpack-entries";

/// Thresholds of encodings, lowered and put back in mid-run, so that every encoding is met: (setting, values).
/// The packed sets are of 7.2, and [`LIKE_70`] needs theirs.
pub const THRESHOLDS: &[(&str, &[&str])] = &[
    ("hash-max-listpack-entries", &["128", "16", "3", "1", "0"]),
    ("hash-max-listpack-value", &["64", "64", "8", "0"]),
    (
        "list-max-listpack-size",
        &["-2", "-1", "-5", "1", "3", "20"],
    ),
    ("list-compress-depth", &["0", "1", "2"]),
    (INTS, &["512", "16", "3", "0"]),
    ("zset-max-listpack-entries", &["128", "16", "3", "1", "0"]),
    ("zset-max-listpack-value", &["64", "64", "8", "0"]),
];

/// The thresholds that Redis has had since 7.2.
pub const THRESHOLDS_72: &[(&str, &[&str])] = &[
    (MEMBERS, &["128", "16", "3", "0"]),
    ("set-max-listpack-value", &["64", "64", "8", "0"]),
];

/// One side.
pub enum Peer {
    /// An engine of our own in this process.
    Engine(Box<Connection>),
    /// A server.
    Server(Box<Wire>),
}

impl Peer {
    /// A fresh engine on the machine's clock.
    #[must_use]
    pub fn engine(protocol: Protocol) -> Peer {
        let debug = ("enable-debug-command", "yes");
        let settings: Vec<_> = SETTINGS.iter().copied().chain([debug]).collect();
        Peer::Engine(Box::new(
            InProcess::in_real_time(&settings).connect(protocol),
        ))
    }

    /// A new connection to a server, whose data are dropped and whose settings are reset.
    ///
    /// # Errors
    /// As TCP gives them.
    pub fn server(address: &str, protocol: Protocol) -> io::Result<Peer> {
        let mut wire = Wire::connect(address)?;
        wire.call(&["FLUSHALL", "SYNC"])?;
        for (name, value) in SETTINGS {
            wire.call(&["CONFIG", "SET", name, value])?;
        }
        if protocol == Protocol::Resp3 {
            wire.call(&["HELLO", "3"])?;
        }
        Ok(Peer::Server(Box::new(wire)))
    }

    /// Executes the requests in order and appends their replies.
    ///
    /// # Errors
    /// As TCP gives them.
    pub fn exchange(
        &mut self,
        requests: &[Vec<Vec<u8>>],
        replies: &mut Vec<Vec<u8>>,
    ) -> io::Result<()> {
        match self {
            Peer::Engine(connection) => requests.iter().try_for_each(|r| {
                replies.push(caught(connection, r)?);
                Ok(())
            }),
            Peer::Server(wire) => wire.exchange(requests, replies),
        }
    }

    /// Executes one request.
    ///
    /// # Errors
    /// As TCP gives them.
    pub fn call<A: AsRef<[u8]>>(&mut self, args: &[A]) -> io::Result<Vec<u8>> {
        match self {
            Peer::Engine(connection) => caught(connection, args),
            Peer::Server(wire) => wire.call(args),
        }
    }
}

/// A panic of the engine as an error, so that the run can say which requests led to it.
fn caught<A: AsRef<[u8]>>(connection: &mut Connection, args: &[A]) -> io::Result<Vec<u8>> {
    // The engine may be in any state afterwards; the first error ends a sequence, and the next has a new engine.
    catch_unwind(AssertUnwindSafe(|| connection.raw(args)))
        .map_err(|_| io::Error::other("the engine panicked"))
}
