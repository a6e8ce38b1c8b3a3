//! How the replies of two servers are compared, and which requests are not sent at all.
//!
//! Every command is compared byte by byte unless it has a row in [`RULES`].
//! A row is for what differs by the command's nature: chance, order, time, what a server says of itself.
//! A difference in behaviour belongs into [`super::explained`].
//!
//! Invariant: errors are compared exactly under every rule but [`Kind::Skip`].

use super::dump;
use ochre_resp::{Frame, Protocol};

/// How replies are compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Byte by byte.
    Exact,
    /// Items of so many elements in any order (two: a flat array of pairs).
    Unordered(usize),
    /// Of the same types and numbers of elements, at every depth.
    Sample,
    /// Byte by byte if the request before asked for the key's encoding and it is no hash table, else as said here.
    Packed(&'static Kind),
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
const TABLE: &str = "in the order of a hash table, if it is one";
const MESSAGES: &str = "answers with as many messages as it has names";
const MESSAGES_TOO: &str = "what follows is answered with messages beside replies";
const WAITS: &str = "waits for what nobody would send";
const MEMORY: &str = "depends on the layout of memory";

const SORT: Rule = rule("sort", Kind::Exact, "");
const SORT_RO: Rule = rule("sort_ro", Kind::Exact, "");

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
    rule("keys", Kind::Unordered(1), ORDER),
    rule("smembers", Kind::Packed(&Kind::Unordered(1)), TABLE),
    rule("hkeys", Kind::Packed(&Kind::Unordered(1)), TABLE),
    rule("hvals", Kind::Packed(&Kind::Unordered(1)), TABLE),
    rule("hgetall", Kind::Packed(&Kind::Unordered(2)), TABLE),
    rule("spop", Kind::Unordered(1), ORDER),
    rule("sinter", Kind::Unordered(1), ORDER),
    rule("sunion", Kind::Unordered(1), ORDER),
    rule("sdiff", Kind::Unordered(1), ORDER),
    rule("srandmember", Kind::Sample, CHANCE),
    rule("hrandfield", Kind::Sample, CHANCE),
    rule("zrandmember", Kind::Sample, CHANCE),
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
    rule("client|tracking", Kind::Skip, MESSAGES_TOO),
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
    rule("subscribe", Kind::Skip, MESSAGES),
    rule("psubscribe", Kind::Skip, MESSAGES),
    rule("ssubscribe", Kind::Skip, MESSAGES),
    rule("unsubscribe", Kind::Skip, MESSAGES),
    rule("punsubscribe", Kind::Skip, MESSAGES),
    rule("sunsubscribe", Kind::Skip, MESSAGES),
    rule("pubsub|help", Kind::ShapeOnly, "our own words"),
    rule("blpop", Kind::Skip, WAITS),
    rule("brpop", Kind::Skip, WAITS),
    rule("blmove", Kind::Skip, WAITS),
    rule("brpoplpush", Kind::Skip, WAITS),
    rule("blmpop", Kind::Skip, WAITS),
    rule("bzpopmin", Kind::Skip, WAITS),
    rule("bzpopmax", Kind::Skip, WAITS),
    rule("bzmpop", Kind::Skip, WAITS),
    rule(
        "acl|setuser",
        Kind::Skip,
        "a server would keep the users for the next sequence; they have runs of their own",
    ),
    rule("acl|cat", Kind::ShapeOnly, "another set of commands"),
    rule("acl|genpass", Kind::ShapeOnly, CHANCE),
    rule(
        "acl|getuser",
        Kind::ShapeOnly,
        "7.0 leaves out what is usual",
    ),
    rule("acl|list", Kind::ShapeOnly, "7.0 leaves out what is usual"),
    rule("acl|log", Kind::ShapeOnly, ITSELF),
    rule("acl|help", Kind::ShapeOnly, "our own words"),
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

/// Makes requests whose effects are random sure of theirs, or the data of both sides would go apart:
/// SPOP is sent such that it takes everything, or nothing.
pub fn settle(args: &mut Vec<Vec<u8>>) {
    let is_pop = args[0].eq_ignore_ascii_case(b"spop");
    match args.get(2).map(|count| ochre_resp::parse_i64(count)) {
        None if is_pop && args.len() == 2 => args.push(EVERYTHING.to_vec()),
        Some(Some(1..)) if is_pop => args[2] = EVERYTHING.to_vec(),
        _ => {}
    }
    settle_expiry(args);
}

/// Makes a relative time of expiry absolute where it is compared with the one that there is: which of two is the later one
/// depends on the millisecond when both were given as the same time from now.
fn settle_expiry(args: &mut [Vec<u8>]) {
    /// The first second of the year 2100.
    const LATER: i64 = 4_102_444_800;
    let [name, _, time, options @ ..] = args else {
        return;
    };
    let is = |word: &[u8], wanted: &str| word.eq_ignore_ascii_case(wanted.as_bytes());
    let (absolute, base): (&[u8], i64) = match &name[..] {
        name if is(name, "expire") => (b"EXPIREAT", LATER),
        name if is(name, "pexpire") => (b"PEXPIREAT", LATER * 1000),
        _ => return,
    };
    if options.iter().any(|o| is(o, "gt") || is(o, "lt"))
        && let Some(from_now @ 1..) = ochre_resp::parse_i64(time)
        && let Some(at) = base.checked_add(from_now)
    {
        *name = absolute.to_vec();
        *time = at.to_string().into_bytes();
    }
}

/// More elements than any generated collection has.
const EVERYTHING: &[u8] = b"1000000";

/// A request that is to run on a copy of its collection: how the copy is made, and which argument names the key.
pub struct OnCopy {
    /// The words before the key, between it and the copy, and behind.
    pub made_by: [&'static [&'static str]; 3],
    /// The key's argument.
    pub key: usize,
    /// The command that shows what became of the copy.
    pub look: &'static str,
}

/// Whether a request is to run on a copy of its collection.
///
/// SORT, because Redis turns a packed sorted set into a large one for it, and leaves it so. Ranges of members, because
/// they mean nothing unless all scores are equal, which they are in the copy.
#[must_use]
pub fn on_copy(args: &[Vec<u8>]) -> Option<OnCopy> {
    let is = |i: usize, word: &str| {
        let arg = args.get(i);
        arg.is_some_and(|a| a.eq_ignore_ascii_case(word.as_bytes()))
    };
    let has = |word: &str| (1..args.len()).any(|i| is(i, word));
    let by_lex = [
        "zrangebylex",
        "zrevrangebylex",
        "zremrangebylex",
        "zlexcount",
    ];
    let key = if is(0, "zrangestore") { 2 } else { 1 };
    let level = OnCopy {
        made_by: [&["ZUNIONSTORE"], &["1"], &["WEIGHTS", "0"]],
        key,
        look: "ZCARD",
    };
    let plain = OnCopy {
        made_by: [&["COPY"], &[], &["REPLACE"]],
        key,
        look: "EXISTS",
    };
    match args.len() > key {
        true if is(0, "sort") || is(0, "sort_ro") => Some(plain),
        true if by_lex.iter().any(|c| is(0, c)) => Some(level),
        true if (is(0, "zrange") || is(0, "zrangestore")) && has("bylex") => Some(level),
        _ => None,
    }
}

/// Whether a request holds a number that releases read differently: a score in hexadecimal, behind white space, with two
/// signs, or out of range. Or an index of LSET that 8.2 cuts to 32 bits, a count of LREM that has no opposite (refused since
/// 7.2), a score of minus zero (7.0 packs a sorted set at other moments, and packing loses the sign).
#[must_use]
pub fn is_read_differently(args: &[Vec<u8>]) -> bool {
    let odd = |arg: &Vec<u8>| {
        let text = arg.strip_prefix(b"(").unwrap_or(arg);
        let digits = text.strip_prefix(b"-").or(text.strip_prefix(b"+"));
        let digits = digits.unwrap_or(text);
        let hexadecimal = digits.len() > 1 && digits[1].eq_ignore_ascii_case(&b'x');
        let number = std::str::from_utf8(text)
            .ok()
            .and_then(|t| t.parse::<f64>().ok());
        let mantissa = text.iter().take_while(|b| !b.eq_ignore_ascii_case(&b'e'));
        let nonzero = mantissa.clone().any(|b| matches!(b, b'1'..=b'9'));
        let out_of_range = number.is_some_and(|n| {
            n.is_subnormal() || n == 0.0 && nonzero || n.is_infinite() && digits[0].is_ascii_digit()
        });
        let blank = |b: &u8| b.is_ascii_whitespace() || *b == 0x0B;
        let signs = digits.len() < text.len() && matches!(digits, [b'+' | b'-', ..]);
        hexadecimal || out_of_range || signs || text.first().is_some_and(blank)
    };
    let wide = |arg: &Vec<u8>| {
        let number = ochre_resp::parse_i64(arg);
        number.is_some_and(|n| i32::try_from(n).is_err())
    };
    let minus_zero = |arg: &Vec<u8>| {
        arg.first() == Some(&b'-')
            && arg[1..].iter().all(|b| matches!(b, b'0' | b'.'))
            && arg.len() > 1
    };
    let name = args[0].to_ascii_lowercase();
    name.starts_with(b"z") && args.iter().skip(2).any(odd)
        || name == b"lset" && args.get(2).is_some_and(wide)
        || name == b"lrem" && args.get(2).is_some_and(|a| a == b"-9223372036854775808")
        || name == b"zadd" && args.iter().skip(2).any(minus_zero)
}

/// How SORT is compared: elements that compare equal come in any order, and unsorted ones in the collection's.
/// Whether an element is a number at all is too uncertain to store what comes of it: Redis 7.0 refuses all numbers after
/// one out of range, until something clears errno; later releases read fewer forms of numbers.
fn rule_for_sort(args: &[Vec<u8>]) -> Kind {
    let is = |arg: &Vec<u8>, word: &str| arg.eq_ignore_ascii_case(word.as_bytes());
    let has = |word: &str| args.iter().any(|a| is(a, word));
    let mut pairs = args.windows(2);
    let unsorted = pairs.any(|p| is(&p[0], "by") && !p[1].contains(&b'*'));
    match (unsorted, has("by"), has("alpha"), has("store")) {
        (false, true, _, true) | (false, false, false, true) => Kind::Skip,
        (true, _, _, false) => Kind::Packed(&Kind::Sample),
        (false, true, true, false) => Kind::Sample,
        _ => Kind::Exact,
    }
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
    let pair = |p: &[Vec<u8>]| {
        p[0].eq_ignore_ascii_case(b"aggregate") && p[1].eq_ignore_ascii_case(b"count")
    };
    if args.windows(2).any(pair) {
        // No reference has it; damage may bring the word to that place.
        return Kind::Skip;
    }
    if args.len() > 1 && (matches(&&SORT) || matches(&&SORT_RO)) {
        return rule_for_sort(args);
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
        (Kind::Unordered(n), ..) => sorted(ours, n) == sorted(theirs, n),
        (Kind::Sample, ..) => same_shape(ours, theirs),
        (Kind::Packed(kind), ..) => agree(*kind, ours, theirs),
        (Kind::Tolerance(most), Frame::Integer(a), Frame::Integer(b)) => {
            // Negative numbers are answers of their own: no key, no expiry.
            *a >= 0 && *b >= 0 && a.abs_diff(*b) <= most.unsigned_abs()
        }
        (Kind::Dump, Frame::Bulk(a), Frame::Bulk(b)) => dump::agree(a, b),
        _ => false,
    }
}

/// Whether aggregates agree in the types of their elements and their numbers. A null is as good as a string: with
/// patterns, SORT gives either for an element.
fn same_shape(ours: &Frame, theirs: &Frame) -> bool {
    match (ours, theirs) {
        (Frame::Array(a), Frame::Array(b)) | (Frame::Set(a), Frame::Set(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_shape(a, b))
        }
        (Frame::Bulk(_) | Frame::Null, Frame::Bulk(_) | Frame::Null) => true,
        _ => std::mem::discriminant(ours) == std::mem::discriminant(theirs),
    }
}

/// The wire form of an aggregate's items of `n` elements, sorted, behind its type.
fn sorted(frame: &Frame, n: usize) -> (u8, Vec<Vec<u8>>) {
    let wire = |f: &Frame| {
        let mut bytes = Vec::new();
        f.encode(Protocol::Resp3, &mut bytes);
        bytes
    };
    let (tag, mut items): (u8, Vec<Vec<u8>>) = match frame {
        Frame::Array(items) => {
            let item = |of: &[Frame]| of.iter().flat_map(wire).collect();
            (b'*', items.chunks(n).map(item).collect())
        }
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
        assert_eq!(rule_for(&words("SORT a by w_* alpha store b")), Kind::Skip);
        assert_eq!(rule_for(&words("sort a alpha store b")), Kind::Exact);
        assert_eq!(rule_for(&words("sort a store b")), Kind::Skip);
        assert_eq!(rule_for(&words("sort a by x store b")), Kind::Exact);
    }

    #[test]
    fn compared_expiries_do_not_depend_on_the_millisecond() {
        let settled = |line: &str| {
            let mut args = words(line);
            settle(&mut args);
            args
        };
        for (line, wanted) in [
            ("pExpire k 7 GT", "PEXPIREAT k 4102444800007 GT"),
            ("EXPIRE k 7 xx lt", "EXPIREAT k 4102444807 xx lt"),
            ("EXPIRE k 7 NX", "EXPIRE k 7 NX"),
            ("EXPIRE k -7 GT", "EXPIRE k -7 GT"),
            (
                "PEXPIRE k 9223372036854775807 GT",
                "PEXPIRE k 9223372036854775807 GT",
            ),
            ("PEXPIREAT k 7 GT", "PEXPIREAT k 7 GT"),
        ] {
            assert_eq!(settled(line), words(wanted));
        }
    }

    #[test]
    fn numbers_that_are_misread() {
        for line in [
            "zadd z 0x10 m",
            "ZCOUNT z (0x1 5",
            "zadd z 1e400 m",
            "lset l 4294967296 x",
            "zadd z 5e-324 m",
            "zcount z -+inf 5",
            "zadd z -0 m",
            "lrem l -9223372036854775808 m",
        ] {
            assert!(is_read_differently(&words(line)), "{line}");
        }
        for line in [
            "zadd z 1 0",
            "zadd z inf m",
            "lset l -1 x",
            "hset h 0x10 1",
            "zadd z 0 (",
            "zincrby z -0 m",
        ] {
            assert!(!is_read_differently(&words(line)), "{line}");
        }
    }

    #[test]
    fn pops_are_settled() {
        let settled = |line| {
            let mut args = words(line);
            settle(&mut args);
            String::from_utf8(args.join(&b' ')).expect("text")
        };
        assert_eq!(settled("SPOP a"), "SPOP a 1000000");
        assert_eq!(settled("spop a 3"), "spop a 1000000");
        assert_eq!(settled("spop a 0"), "spop a 0");
        assert_eq!(settled("spop a -3"), "spop a -3");
        assert_eq!(settled("spop"), "spop");
        assert_eq!(settled("lpop a 3"), "lpop a 3");
    }

    #[test]
    fn comparison_by_kind() {
        let array = |n: [i64; 2]| Frame::Array(n.map(Frame::Integer).to_vec());
        let any = Kind::Unordered(1);
        assert!(agree(any, &array([1, 2]), &array([2, 1])));
        assert!(!agree(any, &array([1, 2]), &array([2, 2])));
        assert!(!agree(Kind::Unordered(2), &array([1, 2]), &array([2, 1])));
        assert!(agree(Kind::Sample, &array([1, 2]), &array([2, 3])));
        assert!(!agree(Kind::Sample, &array([1, 2]), &Frame::Array(vec![])));
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
