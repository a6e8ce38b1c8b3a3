//! How the replies of two servers are compared, and which requests are not sent at all.
//!
//! Every command is compared byte by byte unless it has a row in [`RULES`].
//! A row is for what differs by the command's nature: chance, order, time, what a server says of itself.
//! A difference in behaviour belongs into [`super::explained`].
//!
//! Invariant: errors are compared exactly under every rule but [`Kind::Skip`].

use ochre_resp::{Frame, Protocol};

/// How replies are compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Byte by byte.
    Exact,
    /// Elements in any order.
    Unordered,
    /// Integers may differ by that much; negative ones are exact.
    Tolerance(i64),
    /// The same type of reply (null is a type).
    ShapeOnly,
    /// The same elements over a whole iteration; single pages by shape.
    Iteration,
    /// A serialised value: the same but for the version and checksum of the last ten bytes.
    Dump,
    /// Not sent.
    Skip,
}

/// One exception.
pub struct Rule {
    /// `name`, `container|name`, or `container|*` for what has no row of its own.
    pub command: &'static str,
    /// How it is compared.
    pub kind: Kind,
    /// Why not byte by byte.
    pub reason: &'static str,
}

const fn rule(command: &'static str, kind: Kind, reason: &'static str) -> Rule {
    Rule {
        command,
        kind,
        reason,
    }
}

const TIME: &str = "the servers run the command at slightly different times";
const CHANCE: &str = "random";
const ORDER: &str = "the order of a hash table is not specified";
const ITSELF: &str = "describes the server itself";
const ENDS: &str = "ends or silences the connection, or stops the server";
const MEMORY: &str = "depends on the layout of memory";

/// All exceptions; the first that matches holds.
pub const RULES: &[Rule] = &[
    rule("ttl", Kind::Tolerance(5), TIME),
    rule("pttl", Kind::Tolerance(5_000), TIME),
    rule("expiretime", Kind::Tolerance(5), TIME),
    rule("pexpiretime", Kind::Tolerance(5_000), TIME),
    rule(
        "object|idletime",
        Kind::ShapeOnly,
        "Redis keeps one access clock for each small integer, whatever keys share it",
    ),
    rule("object|freq", Kind::Tolerance(10), CHANCE),
    rule("object|refcount", Kind::ShapeOnly, MEMORY),
    rule("object|help", Kind::ShapeOnly, "our own words"),
    rule("randomkey", Kind::ShapeOnly, CHANCE),
    rule("keys", Kind::Unordered, ORDER),
    rule("scan", Kind::Iteration, ORDER),
    rule("sscan", Kind::Iteration, ORDER),
    rule("hscan", Kind::Iteration, ORDER),
    rule("zscan", Kind::Iteration, ORDER),
    rule(
        "dump",
        Kind::Dump,
        "the format's version and the checksum over it",
    ),
    rule("hello", Kind::ShapeOnly, ITSELF),
    rule("quit", Kind::Skip, ENDS),
    rule("shutdown", Kind::Skip, ENDS),
    rule("client|reply", Kind::Skip, ENDS),
    rule("client|kill", Kind::Skip, ENDS),
    rule("client|pause", Kind::Skip, ENDS),
    rule("client|id", Kind::ShapeOnly, ITSELF),
    rule("client|info", Kind::ShapeOnly, ITSELF),
    rule("client|list", Kind::ShapeOnly, ITSELF),
    rule("client|help", Kind::ShapeOnly, "our own words"),
    rule("time", Kind::ShapeOnly, TIME),
    rule("lastsave", Kind::ShapeOnly, TIME),
    rule("info", Kind::ShapeOnly, ITSELF),
    rule("lolwut", Kind::ShapeOnly, "our own art"),
    rule("command", Kind::ShapeOnly, "another set of commands"),
    rule("command|getkeys", Kind::Exact, ""),
    rule("command|getkeysandflags", Kind::Exact, ""),
    rule("command|*", Kind::ShapeOnly, "another set of commands"),
    rule("config|get", Kind::ShapeOnly, "another set of settings"),
    rule("config|rewrite", Kind::Skip, "writes a file"),
    rule("config|help", Kind::ShapeOnly, "our own words"),
    rule("memory|*", Kind::ShapeOnly, MEMORY),
    rule("slowlog|*", Kind::ShapeOnly, TIME),
    rule("latency|*", Kind::ShapeOnly, TIME),
    rule("debug|digest", Kind::Exact, ""),
    rule("debug|digest-value", Kind::Exact, ""),
    rule("debug|stringmatch-len", Kind::ShapeOnly, "measures time"),
    rule("debug|protocol", Kind::Exact, ""),
    rule("debug|error", Kind::Exact, ""),
    rule("debug|object", Kind::ShapeOnly, MEMORY),
    rule(
        "debug|*",
        Kind::Skip,
        "stops, fills or reports on the server",
    ),
    rule("wait", Kind::Skip, "waits for replicas"),
    rule("waitaof", Kind::Skip, "waits for replicas"),
    rule("monitor", Kind::Skip, ENDS),
    rule("sync", Kind::Skip, ENDS),
    rule("psync", Kind::Skip, ENDS),
];

/// Commands that are sent in a batch of their own: Redis 8.2.3 gives no reply at all to a refused AUTH
/// that other requests came before in the same packet.
const ALONE: &[&str] = &["auth", "hello"];

/// Whether a request is to be sent in a batch of its own.
#[must_use]
pub fn is_alone(args: &[Vec<u8>]) -> bool {
    let name = args.first().map_or(&[][..], Vec::as_slice);
    ALONE
        .iter()
        .any(|alone| name.eq_ignore_ascii_case(alone.as_bytes()))
}

/// How the replies to `args` are compared. Decided on the words as they are sent, because damage may
/// have turned one subcommand into another.
#[must_use]
pub fn rule_for(args: &[Vec<u8>]) -> Kind {
    let word = |i: usize| args.get(i).map_or(&[][..], Vec::as_slice);
    let matches = |rule: &&Rule| match rule.command.split_once('|') {
        None => word(0).eq_ignore_ascii_case(rule.command.as_bytes()),
        Some((name, sub)) => {
            word(0).eq_ignore_ascii_case(name.as_bytes())
                && (sub == "*" || word(1).eq_ignore_ascii_case(sub.as_bytes()))
        }
    };
    // `command` alone stands before its subcommands only when there is no second word.
    let alone = |rule: &&Rule| rule.command != "command" || args.len() == 1;
    if word(0).eq_ignore_ascii_case(b"hello") && args.iter().any(|a| a.contains(&0)) {
        // 8.2 takes a name up to its NUL and may change the protocol by it; 7.0 and Ochre refuse the name.
        return Kind::Skip;
    }
    RULES
        .iter()
        .filter(alone)
        .find(matches)
        .map_or(Kind::Exact, |r| r.kind)
}

/// Whether two replies agree under a rule.
#[must_use]
pub fn agree(kind: Kind, ours: &Frame, theirs: &Frame) -> bool {
    if ours == theirs {
        return true;
    }
    if ours.as_error().is_some() || theirs.as_error().is_some() {
        return false;
    }
    match (kind, ours, theirs) {
        (Kind::ShapeOnly | Kind::Iteration, ..) => {
            std::mem::discriminant(ours) == std::mem::discriminant(theirs)
        }
        (Kind::Unordered, ..) => sorted(ours) == sorted(theirs),
        (Kind::Tolerance(most), Frame::Integer(a), Frame::Integer(b)) => {
            // Negative numbers are answers of their own: no key, no expiry.
            *a >= 0 && *b >= 0 && a.abs_diff(*b) <= most.unsigned_abs()
        }
        (Kind::Dump, Frame::Bulk(a), Frame::Bulk(b)) => {
            a.len() > 10 && a[..a.len() - 10] == b[..b.len().saturating_sub(10)]
        }
        _ => false,
    }
}

/// The wire form of an aggregate's elements, sorted, behind its type.
fn sorted(frame: &Frame) -> (u8, Vec<Vec<u8>>) {
    let wire = |f: &Frame| {
        let mut bytes = Vec::new();
        f.encode(Protocol::Resp3, &mut bytes);
        bytes
    };
    let (tag, mut items): (u8, Vec<Vec<u8>>) = match frame {
        Frame::Array(items) => (b'*', items.iter().map(wire).collect()),
        Frame::Set(items) => (b'~', items.iter().map(wire).collect()),
        Frame::Map(pairs) => {
            let pair = |(k, v): &(Frame, Frame)| [wire(k), wire(v)].concat();
            (b'%', pairs.iter().map(pair).collect())
        }
        other => (b'?', vec![wire(other)]),
    };
    items.sort();
    (tag, items)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<Vec<u8>> {
        line.split(' ').map(|w| w.as_bytes().to_vec()).collect()
    }

    #[test]
    fn the_words_as_sent_decide() {
        assert_eq!(rule_for(&words("Client PAUSE 5")), Kind::Skip);
        assert_eq!(rule_for(&words("client setname x")), Kind::Exact);
        assert_eq!(rule_for(&words("debug segfault")), Kind::Skip);
        assert_eq!(rule_for(&words("DEBUG digest")), Kind::Exact);
        assert_eq!(rule_for(&words("COMMAND")), Kind::ShapeOnly);
        assert_eq!(rule_for(&words("command GETKEYS get a")), Kind::Exact);
    }

    #[test]
    fn comparison_by_kind() {
        let array = |n: [i64; 2]| Frame::Array(n.map(Frame::Integer).to_vec());
        assert!(agree(Kind::Unordered, &array([1, 2]), &array([2, 1])));
        assert!(!agree(Kind::Unordered, &array([1, 2]), &array([2, 2])));
        assert!(!agree(Kind::Exact, &array([1, 2]), &array([2, 1])));
        let near = |a, b| agree(Kind::Tolerance(2), &Frame::Integer(a), &Frame::Integer(b));
        assert!(near(5, 7) && !near(5, 8) && !near(-1, 0) && near(-2, -2));
        let error = Frame::Error(b"ERR x".to_vec());
        assert!(!agree(
            Kind::ShapeOnly,
            &error,
            &Frame::Error(b"ERR y".to_vec())
        ));
        assert!(!agree(Kind::ShapeOnly, &Frame::Null, &Frame::bulk("x")));
    }
}
