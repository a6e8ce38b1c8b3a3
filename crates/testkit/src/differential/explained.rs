//! Differences between Ochre and Redis that are known and wanted, each with its reason.
//!
//! Invariants:
//! - A row matches as little as it can: the command, the arguments and both replies.
//! - Every use is counted and printed with the run's result.

use crate::reference::Release;
use ochre_resp::Frame;

/// Errors that quote the request say what is wrong before, in at least so many bytes.
const QUOTED_FROM: usize = 19;

/// SORT of what is no number.
const NO_SCORES: &[u8] = b"ERR One or more scores can't be converted into double";

/// The type of a packed sorted set in a serialised value.
const PACKED_ZSET: u8 = 17;
/// And that of a large one.
const LARGE_ZSET: u8 = 5;
/// Those of sets.
const LARGE_SET: u8 = 2;
const PACKED_SET: u8 = 20;
const INTSET: u8 = 11;
/// Those of hashes.
const PACKED_HASH: u8 = 16;
const LARGE_HASH: u8 = 4;

/// Whether two replies are the same but for strings that `alike` takes for the same.
fn same_but_for(ours: &Frame, theirs: &Frame, alike: fn(&[u8], &[u8]) -> bool) -> bool {
    let all = |a: &[Frame], b: &[Frame]| {
        let mut pairs = a.iter().zip(b);
        a.len() == b.len() && pairs.all(|(a, b)| same_but_for(a, b, alike))
    };
    match (ours, theirs) {
        (Frame::Array(a), Frame::Array(b)) | (Frame::Set(a), Frame::Set(b)) => all(a, b),
        (Frame::Map(a), Frame::Map(b)) => {
            let flat = |pairs: &[(Frame, Frame)]| -> Vec<Frame> {
                let both = |(k, v): &(Frame, Frame)| [k.clone(), v.clone()];
                pairs.iter().flat_map(both).collect()
            };
            all(&flat(a), &flat(b))
        }
        (Frame::Bulk(a), Frame::Bulk(b)) if a != b => alike(a, b),
        _ => ours == theirs,
    }
}

fn same_but_for_doubles(ours: &Frame, theirs: &Frame) -> bool {
    same_but_for(ours, theirs, |a, b| {
        let number = |text: &[u8]| std::str::from_utf8(text).ok()?.parse::<f64>().ok();
        number(a).is_some_and(|n| Some(n) == number(b))
    })
}

/// Two payloads of DUMP that differ in signs of scores that are zero, and hence in the checksum.
fn same_dump_but_for_zeros(ours: &Frame, theirs: &Frame) -> bool {
    /// Version and checksum at the end.
    const FOOTER: usize = 10;
    fn body(dump: &Frame) -> Option<&[u8]> {
        let payload = dump.as_bytes()?;
        payload.get(..payload.len().checked_sub(FOOTER)?)
    }
    let (Some(a), Some(b)) = (body(ours), body(theirs)) else {
        return false;
    };
    // A double's sign is in its last byte, behind seven that are zero.
    let only_sign = |at: usize| {
        let before = at.checked_sub(7).map(|from| &a[from..at]);
        a[at] ^ b[at] == 0x80
            && a[at] & 0x7F == 0
            && before.is_some_and(|d| d.iter().all(|b| *b == 0))
    };
    a.len() == b.len() && a != b && (0..a.len()).all(|at| a[at] == b[at] || only_sign(at))
}

fn same_but_for_zeros(ours: &Frame, theirs: &Frame) -> bool {
    same_but_for(ours, theirs, |a, b| {
        let zero = |text: &[u8]| text == b"0" || text == b"-0";
        zero(a) && zero(b)
    })
}

/// Both replies to one request.
pub struct Difference<'a> {
    /// The request.
    pub args: &'a [Vec<u8>],
    /// What Ochre said.
    pub ours: &'a Frame,
    /// What the reference said.
    pub theirs: &'a Frame,
    /// Which reference.
    pub release: Release,
}

impl Difference<'_> {
    /// Whether the request starts with that word.
    #[must_use]
    pub fn is(&self, command: &str) -> bool {
        self.args[0].eq_ignore_ascii_case(command.as_bytes())
    }

    /// Whether the request starts with those two words.
    #[must_use]
    pub fn is_sub(&self, container: &str, command: &str) -> bool {
        let sub = self.args.get(1);
        self.is(container) && sub.is_some_and(|s| s.eq_ignore_ascii_case(command.as_bytes()))
    }

    /// Whether both are errors.
    #[must_use]
    pub fn both_fail(&self) -> bool {
        self.ours.as_error().is_some() && self.theirs.as_error().is_some()
    }

    /// Whether both are errors that begin alike, before they quote the request.
    #[must_use]
    pub fn quotes_alike(&self) -> bool {
        let [ours, theirs] = [self.ours, self.theirs].map(|f| f.as_error().unwrap_or_default());
        let alike = ours.iter().zip(theirs).take_while(|(a, b)| a == b).count();
        alike >= QUOTED_FROM
    }
}

/// One known difference.
pub struct Explained {
    /// Whether a difference is this one.
    pub applies: fn(&Difference<'_>) -> bool,
    /// Why it is right that the replies differ.
    pub reason: &'static str,
}

/// All known differences.
pub const EXPLAINED: &[Explained] = &[
    Explained {
        applies: |d| d.release == Release::V82 && same_but_for_doubles(d.ours, d.theirs),
        reason: "8.2 writes some doubles with more digits than tell them",
    },
    Explained {
        applies: |d| {
            let alpha = d.args.iter().any(|a| a.eq_ignore_ascii_case(b"ALPHA"));
            let words = |f: &Frame| match f {
                Frame::Array(of) => {
                    let mut words: Vec<Vec<u8>> = of
                        .iter()
                        .filter_map(|w| w.as_bytes().map(<[u8]>::to_vec))
                        .collect();
                    words.sort();
                    words
                }
                _ => Vec::new(),
            };
            let ours = words(d.ours);
            d.args[0].to_ascii_lowercase().starts_with(b"sort")
                && alpha
                && ours == words(d.theirs)
                && ours.iter().any(|w| w.contains(&0))
        },
        reason: "SORT ALPHA compares up to the first NUL; what is equal so far comes in any order",
    },
    Explained {
        applies: |d| {
            let positive = |f: &Frame| {
                let bytes = f.as_bytes().unwrap_or_default();
                let end = bytes.len().saturating_sub(10);
                let body = bytes[..end].iter().map(|b| if *b == 0x80 { 0 } else { *b });
                body.collect::<Vec<u8>>()
            };
            d.release == Release::V70
                && d.is("dump")
                && d.ours.as_bytes().and_then(<[u8]>::first) == Some(&LARGE_ZSET)
                && positive(d.ours) == positive(d.theirs)
        },
        reason: "what becomes a large sorted set at once was a packed one first in 7.0, which loses the sign of zero",
    },
    Explained {
        applies: |d| {
            let mut words = d.args.iter().skip(2);
            let by = words.find(|w| w.eq_ignore_ascii_case(b"BY"));
            let pattern = by.and_then(|_| words.next());
            (d.is("sort") || d.is("sort_ro")) && pattern.is_some_and(|p| p.contains(&0))
        },
        reason: "Redis looks for the star of a BY pattern up to the first NUL, and without one does not sort; for Ochre the NUL is a byte of the pattern",
    },
    Explained {
        applies: |d| {
            // EXEC answers for what was queued, a script for what it called.
            let name = d.args[0].to_ascii_lowercase();
            let of_scores = ["z", "exec", "eval", "fcall"];
            d.release == Release::V70
                && of_scores.iter().any(|of| name.starts_with(of.as_bytes()))
                && same_but_for_doubles(d.ours, d.theirs)
        },
        reason: "Redis 7.0 writes scores with 17 digits; 7.2 and Ochre with as many as tell them",
    },
    Explained {
        applies: |d| {
            let first = |f: &Frame| f.as_bytes().and_then(|b| b.first().copied());
            let alike = match (first(d.ours), first(d.theirs)) {
                (Some(ours), Some(PACKED_ZSET)) => ours == PACKED_ZSET || ours == LARGE_ZSET,
                (Some(LARGE_HASH), Some(PACKED_HASH)) | (Some(LARGE_SET), Some(INTSET)) => true,
                _ => false,
            };
            d.release == Release::V70 && d.is("dump") && alike
        },
        reason: "and so it does inside packed sorted sets; or the encodings differ (see below); what they hold is compared by digest",
    },
    Explained {
        applies: |d| {
            let least = d.args.get(2).is_some_and(|a| a == b"-9223372036854775808");
            d.release == Release::V70 && d.is("lrem") && least && d.ours.as_error().is_some()
        },
        reason: "the count of LREM has to have an opposite since 7.2",
    },
    Explained {
        applies: |d| {
            let is = |f: &Frame, name: &str| *f == Frame::bulk(name);
            d.release == Release::V70
                && d.is_sub("object", "encoding")
                && (is(d.ours, "skiplist") || is(d.ours, "hashtable"))
                && (is(d.theirs, "listpack") || is(d.theirs, "intset"))
        },
        reason: "since 7.2, SADD, ZADD and HSET of more elements than the limit convert even if they add fewer",
    },
    Explained {
        applies: |d| {
            let of_scores = d.args[0]
                .first()
                .is_some_and(|b| b.eq_ignore_ascii_case(&b'z'));
            d.release == Release::V82
                && (of_scores && same_but_for_zeros(d.ours, d.theirs)
                    || d.is("dump") && same_dump_but_for_zeros(d.ours, d.theirs))
        },
        reason: "the sign of a zero score is lost in packed sorted sets, and results are packed at other moments than in Redis",
    },
    Explained {
        applies: |d| {
            let first = |f: &Frame| f.as_bytes().and_then(|b| b.first().copied());
            let forms = (first(d.ours), first(d.theirs));
            d.release == Release::V82
                && d.is("dump")
                && (forms == (Some(LARGE_SET), Some(PACKED_SET))
                    || forms == (Some(PACKED_ZSET), Some(PACKED_ZSET)))
        },
        reason: "DUMP writes what Redis 7.0 loads: no packed sets, and scores as 7.0 packs them",
    },
    Explained {
        applies: |d| {
            let digest = d.is_sub("debug", "digest") || d.is_sub("debug", "digest-value");
            d.release == Release::V82 && digest
        },
        reason: "8.2 writes scores into a digest in another form than 7.0 and Ochre",
    },
    Explained {
        applies: |d| {
            let rank = d.is("zrank") || d.is("zrevrank");
            d.release == Release::V70 && rank && d.args.len() > 3 && d.both_fail()
        },
        reason: "ZRANK takes a fourth word since 7.2, so a wrong one is another error",
    },
    Explained {
        applies: |d| {
            let refused = |f: &Frame| f.as_error() == Some(NO_SCORES);
            d.release == Release::V70
                && (d.is("sort") || d.is("sort_ro"))
                && refused(d.ours) != refused(d.theirs)
        },
        reason: "what SORT takes for a number: 7.0 refuses all after one out of range (it does not clear errno), and reads hexadecimal and space before; 8.2 and Ochre take numbers out of range for infinity or zero",
    },
    Explained {
        applies: |d| {
            d.release == Release::V70
                && (d.is_sub("object", "encoding") || d.is("exec"))
                && same_but_for(d.ours, d.theirs, |a, b| {
                    a == b"listpack" && b == b"quicklist"
                })
        },
        reason: "small lists are packed since Redis 7.2",
    },
    Explained {
        applies: |d| d.release == Release::V70 && d.is("hello") && d.both_fail(),
        reason: "Redis 7.0 applies the options of HELLO one by one; 8.2 and Ochre read all of them first",
    },
    Explained {
        applies: |d| d.release == Release::V70 && d.is_sub("client", "getname"),
        reason: "Redis 7.0 keeps the SETNAME of a HELLO that fails; 8.2 and Ochre do not",
    },
    Explained {
        applies: |d| {
            let odd = |a: &Vec<u8>| match d.release {
                Release::V70 => a.is_empty() || !a.iter().all(u8::is_ascii_digit),
                Release::V82 => a.contains(&0),
            };
            let refused = [d.ours, d.theirs].map(|f| f.as_error() == Some(b"ERR invalid cursor"));
            d.args[0].to_ascii_lowercase().ends_with(b"scan")
                && d.args.iter().skip(1).take(2).any(odd)
                && refused.contains(&true)
        },
        reason: "cursors with a sign, a space or no digit are as in 8.2, whose parser is another than that of 7.0; a NUL ends none",
    },
    Explained {
        applies: |d| {
            d.release == Release::V82
                && (d.is_sub("object", "encoding") || d.is("exec"))
                && same_but_for(d.ours, d.theirs, |a, b| a == b"embstr" && b == b"raw")
        },
        reason: "Redis 8.2 keeps key and value in one allocation, so `embstr` ends earlier for long keys; Ochre answers as 7.0",
    },
    Explained {
        applies: |d| {
            let fails_there = d.theirs.as_error().is_some() && *d.ours == Frame::Integer(0);
            let none_there = d.theirs.as_error().is_some() && *d.ours == Frame::Integer(-1);
            d.release == Release::V82
                && (d.is("bitcount") || d.is("bitpos"))
                && (fails_there || none_there)
        },
        reason: "Redis 8.2 checks the range of BITCOUNT and BITPOS on missing keys; 7.0 and Ochre answer for the missing key first",
    },
    Explained {
        applies: |d| {
            let wrong_type = d
                .theirs
                .as_error()
                .is_some_and(|e| e.starts_with(b"WRONGTYPE"));
            d.release == Release::V70
                && (d.is("bitcount") || d.is("bitpos"))
                && wrong_type
                && d.both_fail()
        },
        reason: "Redis 7.0 looks at the key's type before it reads the range of BITCOUNT and BITPOS; 8.2 and Ochre read the arguments first",
    },
    Explained {
        applies: |d| {
            let refused = d.ours.as_error() == Some(b"ERR syntax error");
            d.release == Release::V70
                && d.is("bitcount")
                && refused
                && *d.theirs == Frame::Integer(0)
        },
        reason: "Redis 7.0 answers a reversed negative range of BITCOUNT before it looks at the unit; 8.2 and Ochre refuse the unit",
    },
    Explained {
        applies: |d| {
            // So does MEMORY USAGE, which looks at it without taking notice of its time.
            let usage = d.is_sub("memory", "usage")
                && d.ours.is_null()
                && matches!(d.theirs, Frame::Integer(_));
            usage
                || d.is("dbsize")
                    && matches!((d.ours, d.theirs), (Frame::Integer(a), Frame::Integer(b)) if a < b)
        },
        reason: "Redis stores a key whose EXAT is past and counts it in DBSIZE until something finds it expired",
    },
    Explained {
        applies: |d| {
            let getkeys = d.is_sub("command", "getkeys") || d.is_sub("command", "getkeysandflags");
            d.release == Release::V70 && getkeys && d.args.len() == 3 && d.both_fail()
        },
        reason: "COMMAND GETKEYS takes a command without arguments in later releases; Ochre answers as 8.2",
    },
    Explained {
        applies: |d| {
            let refused = d.ours.as_error() == Some(b"ERR min or max is not a float");
            let odd = |a: &Vec<u8>| {
                let digits = a.strip_prefix(b"(").unwrap_or(a);
                let digits = match digits {
                    [b'-' | b'+', rest @ ..] => rest,
                    digits => digits,
                };
                digits.starts_with(b"0x")
                    || digits.starts_with(b"0X")
                    || digits
                        .first()
                        .is_some_and(|b| b.is_ascii_whitespace() || *b == 0x0B)
            };
            d.release == Release::V70
                && refused
                && d.theirs.as_error().is_none()
                && d.args.iter().skip(2).any(odd)
        },
        reason: "bounds of scores with a blank before them or in hexadecimal: Redis 7.0 reads them, 8.2 and Ochre do not",
    },
    Explained {
        applies: |d| {
            let both_signs = |a: &Vec<u8>| {
                let text = a.strip_prefix(b"(").unwrap_or(a).to_ascii_lowercase();
                text.starts_with(b"-+inf")
            };
            d.release == Release::V82
                && d.ours.as_error().is_some()
                && d.theirs.as_error().is_none()
                && d.args.iter().skip(2).any(both_signs)
        },
        reason: "Redis 8.2 takes `-+inf` for a score; 7.0 and Ochre do not",
    },
    Explained {
        applies: |d| d.is("lolwut") && d.ours.as_error().is_some(),
        reason: "Ochre refuses arguments of LOLWUT that its art has no use for; Redis's versions ignore them",
    },
    Explained {
        applies: |d| {
            let ends = |f: &Frame| f.as_error().map(|e| e.trim_ascii_end().to_vec());
            let breaks = |a: &Vec<u8>| a.ends_with(b"\n") || a.ends_with(b"\r");
            d.both_fail() && ends(d.ours) == ends(d.theirs) && d.args.iter().any(breaks)
        },
        reason: "Redis drops line ends at the end of some errors that quote the request; Ochre shows them as spaces",
    },
    Explained {
        applies: |d| {
            let cut = |a: &Vec<u8>| a.contains(&0);
            let setter = d.is_sub("client", "setname") || d.is_sub("client", "setinfo");
            d.release == Release::V82 && setter && d.args.iter().any(cut)
        },
        reason: "Redis 8.2 validates names up to a NUL only; 7.0 and Ochre refuse the NUL",
    },
    Explained {
        applies: |d| {
            let kept = d.theirs.as_bytes().is_some_and(|name| name.contains(&0));
            d.release == Release::V82 && d.is_sub("client", "getname") && kept
        },
        reason: "a name with a NUL, which Redis 8.2 took and Ochre refused",
    },
    Explained {
        applies: |d| {
            let refused = d
                .ours
                .as_error()
                .is_some_and(|e| e.ends_with(b"9223372036854775807"));
            d.release == Release::V70 && (d.is("lpos") || d.is("lrem")) && refused
        },
        reason: "Redis 7.0 takes the smallest integer as LPOS's rank and LREM's count; 8.2 and Ochre refuse it",
    },
    Explained {
        applies: |d| {
            let outside = d.ours.as_error() == Some(b"ERR index out of range");
            let number = |a: &Vec<u8>| std::str::from_utf8(a).ok()?.parse::<i64>().ok();
            let index = d.args.get(2).and_then(number);
            d.is("lset") && outside && index.is_some_and(|i| i32::try_from(i).is_err())
        },
        reason: "Redis cuts LSET's index to 32 bits, and so replaces an element that was not meant",
    },
];

/// The row that explains a difference.
#[must_use]
pub fn find(difference: &Difference<'_>) -> Option<usize> {
    EXPLAINED.iter().position(|e| (e.applies)(difference))
}
