//! Words of rules, texts of rules, files, and the log.

use super::log::{Context, Log, LogEntry, OBJECT_MAX};
use super::rules::{Frame, Rules};
use super::{DEFAULT_USER, Reason, load, merge_selectors};
use crate::commands::FAMILIES;
use crate::exec::Lookup;
use std::time::{Duration, Instant};

/// Words of a kind where there are very many.
const MANY: usize = 100_000;
/// How long such a test may take, on a busy machine and without optimisation.
const PATIENCE: Duration = Duration::from_secs(60);

fn frame(lookup: &Lookup) -> Frame<'_> {
    Frame {
        lookup,
        all_channels: false,
    }
}

fn described(words: &[&str]) -> String {
    let lookup = Lookup::new(FAMILIES);
    let mut rules = Rules::new(frame(&lookup));
    for word in words {
        rules
            .apply(frame(&lookup), word.as_bytes())
            .unwrap_or_else(|reason| panic!("{word}: {reason:?}"));
    }
    String::from_utf8(rules.describe(b"u")).expect("UTF-8")
}

#[test]
fn rules_of_commands_are_kept_as_they_were_said() {
    let cases: &[(&[&str], &str)] = &[
        (&[], "-@all"),
        (&["+@all"], "+@all"),
        (&["+get", "+set", "-get"], "-@all +set -get"),
        (&["+CONFIG|get", "+config"], "-@all +config"),
        (&["+config", "-config|get"], "-@all +config -config|get"),
        (&["+get", "+getdel", "-get"], "-@all +getdel -get"),
        (&["+@read", "+get", "-@read"], "-@all +get -@read"),
        (&["+get", "allcommands", "-set"], "+@all -set"),
        (
            &["+select|0", "+SELECT|1", "+select|0"],
            "-@all +select|1 +select|0",
        ),
        (&["+select|0", "-select"], "-@all -select"),
    ];
    for (words, expected) in cases {
        let line = described(words);
        let commands = line.strip_prefix("user u off sanitize-payload resetchannels ");
        assert_eq!(commands, Some(*expected), "{words:?}");
    }
}

#[test]
fn a_description_makes_the_same_user() {
    let cases: &[&[&str]] = &[
        &[
            "on",
            ">a",
            ">b",
            "~x*",
            "%R~y",
            "%W~z",
            "&c",
            "+@all",
            "-@dangerous",
            "+config|get",
        ],
        &[
            "nopass",
            "allkeys",
            "allchannels",
            "skip-sanitize-payload",
            "+get",
            "(+set ~a &b)",
            "(+@all allkeys)",
        ],
        &["+select|0", "-@all", "+select|1", "()"],
    ];
    for words in cases {
        let line = described(words);
        let rest: Vec<&str> = line
            .strip_prefix("user u ")
            .expect("a line")
            .split(' ')
            .collect();
        let merged = merge_selectors(rest.iter().map(|w| w.as_bytes())).expect("balanced");
        let merged: Vec<String> = merged
            .into_iter()
            .map(|w| String::from_utf8(w).expect("UTF-8"))
            .collect();
        let words: Vec<&str> = merged.iter().map(String::as_str).collect();
        assert_eq!(described(&words), line);
    }
}

/// `mark` and a number, over and over.
fn numbered(mark: &str, show: impl Fn(usize) -> String) -> Vec<String> {
    (0..MANY).map(|i| format!("{mark}{}", show(i))).collect()
}

/// Words of every kind, many of each and twice: what a word costs must not grow with what was said before.
#[test]
fn very_many_rules_take_no_time_of_note() {
    let lookup = Lookup::new(FAMILIES);
    let frame = frame(&lookup);
    let started = Instant::now();
    let mut rules = Rules::new(frame);
    let (decimal, digits) = (|i: usize| i.to_string(), |i| format!("{i:064x}"));
    let mut expected = String::from("user u off sanitize-payload");
    for (mark, behind) in [
        ("#", ""),
        ("~", " resetchannels"),
        ("&", " -@all"),
        ("+select|", ""),
    ] {
        let words = match mark {
            "#" => numbered(mark, digits),
            _ => numbered(mark, decimal),
        };
        for word in words.iter().chain(&words) {
            assert_eq!(rules.apply(frame, word.as_bytes()), Ok(()), "{word}");
        }
        words
            .iter()
            .for_each(|word| expected += &format!(" {word}"));
        expected += behind;
    }
    let line = rules.describe(b"u");
    assert!(
        line == expected.as_bytes(),
        "rules are not shown in their order"
    );
    let file = load::parse_file(frame, "/f", &line).expect("a file");
    assert!(file[b"u".as_slice()] == rules, "a file reads otherwise");
    for word in numbered("!", digits) {
        assert_eq!(rules.apply(frame, word.as_bytes()), Ok(()), "{word}");
    }
    assert_eq!(rules.apply(frame, b"-select"), Ok(()));
    let line = rules.describe(b"u");
    assert!(line.ends_with(b"&99999 -@all -select"));
    // Quadratic, any of these lists takes minutes.
    assert!(started.elapsed() < PATIENCE, "{:?}", started.elapsed());
}

#[test]
fn a_refused_word_changes_nothing() {
    let lookup = Lookup::new(FAMILIES);
    let frame = frame(&lookup);
    let mut rules = Rules::new(frame);
    for word in ["on", ">a", "~x", "+get", "(+set)"] {
        rules.apply(frame, word.as_bytes()).expect("a right word");
    }
    let cases = [
        ("+nothing", Reason::Unknown),
        ("+@nothing", Reason::Unknown),
        ("+config|nothing", Reason::Unknown),
        ("+config|get|x", Reason::FirstArgOfSubcommand),
        ("+get|", Reason::Syntax),
        ("%~x", Reason::Syntax),
        ("%RR~x", Reason::Syntax),
        ("~a b", Reason::Syntax),
        ("<b", Reason::NoSuchPassword),
        ("#abc", Reason::BadHash),
        ("(+set +nothing)", Reason::Unknown),
        ("(on)", Reason::Syntax),
        ("nonsense", Reason::Syntax),
    ];
    let before = rules.clone();
    for (word, reason) in cases {
        assert_eq!(rules.apply(frame, word.as_bytes()), Err(reason), "{word}");
        assert_eq!(rules, before, "{word}");
    }
}

#[test]
fn selectors_are_joined_to_one_word_each() {
    let merge = |words: &[&'static str]| {
        merge_selectors(words.iter().map(|w| w.as_bytes()))
            .map(|merged| merged.join(&b';'))
            .map_err(<[u8]>::to_vec)
    };
    let cases: &[(&[&str], Result<&str, &str>)] = &[
        (&["on", "(+get", "~x)", "off"], Ok("on;(+get ~x);off")),
        (&["(+get)", "()"], Ok("(+get);()")),
        (&["(", "a", ")"], Ok("( a )")),
        (&["(a", "(b", "c)", ")"], Ok("(a (b c);)")),
        (&["on", "(+get", "~x"], Err("(+get")),
        (&["("], Err("(")),
        (&[], Ok("")),
    ];
    for (words, expected) in cases {
        let expected = expected.map(str::as_bytes).map(<[u8]>::to_vec);
        assert_eq!(
            merge(words),
            expected.map_err(|e| e.as_bytes().to_vec()),
            "{words:?}"
        );
    }
}

#[test]
fn a_file_is_taken_as_a_whole_or_refused_with_its_lines() {
    let lookup = Lookup::new(FAMILIES);
    let parse = |text: &[u8]| load::parse_file(frame(&lookup), "/f", text);
    let users = parse(b"user a on >p ~x (+get\t ~y )\r\n\n  user default on nopass +@all\n")
        .expect("a file");
    let lines: Vec<String> = users
        .iter()
        .map(|(name, rules)| String::from_utf8(rules.describe(name)).expect("UTF-8"))
        .collect();
    let secret = "148de9c5a7a44d19e56cd9ae1a554bf67847afb0c58f6e12fa29ac7ddfca9940";
    let expected = [
        format!(
            "user a on sanitize-payload #{secret} ~x resetchannels -@all (~y resetchannels -@all +get)"
        ),
        "user default on nopass sanitize-payload resetchannels +@all".to_owned(),
    ];
    assert_eq!(lines, expected);
    let end =
        "WARNING: ACL errors detected, no change to the previously active ACL rules was performed";
    let cases: &[(&[u8], &str)] = &[
        (
            b"\n# c",
            "/f:2 should start with user keyword followed by the username. ",
        ),
        (
            b"user a\nuser b\nuser a on",
            "WARNING: Duplicate user 'a' found on line 3. ",
        ),
        (
            b"user a (+get",
            "/f:1: Unmatched parenthesis in selector definition.",
        ),
        (
            b"user a\0 on",
            "/f:1: username 'a' contains invalid characters. ",
        ),
        (
            b"user a foo +foo bar",
            "/f:1: Syntax error. /f:1: Error in applying operation '+foo': Unknown command or category name in ACL. ",
        ),
    ];
    for (text, expected) in cases {
        let errors = parse(text).expect_err("a bad file");
        assert_eq!(String::from_utf8_lossy(&errors), format!("{expected}{end}"));
    }
}

#[test]
fn the_default_user_of_a_new_server_may_do_everything() {
    let lookup = Lookup::new(FAMILIES);
    let rules = Rules::pristine(&lookup);
    assert!(rules.is_unrestricted() && rules.is_open());
    let line = rules.describe(DEFAULT_USER);
    assert_eq!(line, b"user default on nopass sanitize-payload ~* &* +@all");
}

fn refusal(object: &[u8], ms: i64) -> LogEntry {
    LogEntry {
        id: 0,
        count: 0,
        reason: "key",
        context: Context::Toplevel,
        object: object.to_vec(),
        user: b"u".to_vec(),
        client: ms.to_string().into_bytes(),
        created_ms: ms,
        updated_ms: ms,
    }
}

#[test]
fn the_same_refusal_within_a_minute_counts_up() {
    let mut log = Log::default();
    for (object, ms) in [(b"a", 0), (b"b", 10), (b"a", 60_000), (b"a", 120_001)] {
        log.add(refusal(object, ms), 128);
    }
    let shown: Vec<_> = log
        .newest(10)
        .into_iter()
        .map(|e| {
            (
                e.id,
                e.count,
                e.object,
                e.created_ms,
                e.updated_ms,
                e.client,
            )
        })
        .collect();
    let entry = |id, count, object: &[u8], from, to, client: &[u8]| {
        (id, count, object.to_vec(), from, to, client.to_vec())
    };
    let expected = [
        entry(2, 1, b"a", 120_001, 120_001, b"120001"),
        entry(0, 2, b"a", 0, 60_000, b"60000"),
        entry(1, 1, b"b", 10, 10, b"10"),
    ];
    assert_eq!(shown, expected);
}

#[test]
fn the_log_is_bounded() {
    let mut log = Log::default();
    for n in 0..100u8 {
        log.add(refusal(&[n], 0), 7);
    }
    assert_eq!(log.newest(usize::MAX).len(), 7);
    log.add(refusal(&vec![b'x'; 10 * OBJECT_MAX], 0), 7);
    assert_eq!(log.newest(1)[0].object.len(), OBJECT_MAX);
    // Beyond those that are looked at, the same is another entry.
    (0..20u8).for_each(|n| log.add(refusal(&[n], 0), 128));
    log.add(refusal(&[0], 0), 128);
    assert_eq!(log.newest(1)[0].count, 1);
    log.add(refusal(b"y", 0), 0);
    assert!(log.newest(1).is_empty());
}
