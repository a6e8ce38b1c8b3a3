//! Tests of the table and of CONFIG GET and SET; `files` tests what is read and written as text.
//!
//! The expected texts and forms were observed on redis-server 7.0.15.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use parking_lot::Mutex;

use super::*;

mod files;

/// A small matcher, enough for `*` at either end; the real one is not this module's.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let pattern = pattern.to_ascii_lowercase();
    match pattern.as_slice() {
        [b'*'] => true,
        [start @ .., b'*'] => name.starts_with(start),
        [b'*', end @ ..] => name.ends_with(end),
        exact => exact == name,
    }
}

#[derive(Default)]
struct Files(BTreeMap<Vec<u8>, Vec<u8>>, Vec<u8>);

impl Files {
    fn of(files: &[(&str, &str)]) -> Files {
        let files = files
            .iter()
            .map(|(path, text)| (path.as_bytes().into(), text.as_bytes().into()));
        Files(files.collect(), Vec::new())
    }
}

impl FileSource for Files {
    fn read(&self, path: &[u8]) -> io::Result<Vec<u8>> {
        self.0
            .get(path)
            .cloned()
            .ok_or_else(|| io::Error::other("No such file or directory"))
    }

    fn read_stdin(&self) -> io::Result<Vec<u8>> {
        Ok(self.1.clone())
    }

    fn expand(&self, pattern: &[u8]) -> io::Result<Vec<Vec<u8>>> {
        Ok(self
            .0
            .keys()
            .filter(|path| matches(pattern, path))
            .cloned()
            .collect())
    }
}

/// Takes every change and remembers its names, or refuses all.
#[derive(Default)]
struct Hook(Mutex<Vec<&'static str>>, Option<Refusal>);

impl Apply for Hook {
    fn apply(&self, changed: &[Changed]) -> Result<(), Refusal> {
        self.0
            .lock()
            .extend(changed.iter().map(|changed| changed.setting.name));
        self.1.clone().map_or(Ok(()), Err)
    }
}

fn set(settings: &Settings, pairs: &[(&str, &str)]) -> Result<Vec<&'static str>, String> {
    let pairs: Vec<(&[u8], &[u8])> = pairs
        .iter()
        .map(|(name, value)| (name.as_bytes(), value.as_bytes()))
        .collect();
    match settings.set(&pairs, Origin::Remote, &Hook::default()) {
        Ok(changed) => Ok(changed.iter().map(|changed| changed.setting.name).collect()),
        Err(error) => Err(error.to_string()),
    }
}

fn get(settings: &Settings, name: &str) -> String {
    let found = settings.get(&[name.as_bytes()], matches);
    assert_eq!(found.len(), 1, "{name}");
    String::from_utf8(found[0].1.clone()).unwrap()
}

fn names(settings: &Settings, patterns: &[&str]) -> Vec<String> {
    let patterns: Vec<&[u8]> = patterns.iter().map(|pattern| pattern.as_bytes()).collect();
    let found = settings.get(&patterns, matches).into_iter();
    found
        .map(|(name, _)| String::from_utf8(name).unwrap())
        .collect()
}

fn start(files: &Files, arguments: &[&str]) -> Result<Settings, String> {
    let invocation = parse_command_line(arguments).map_err(|error| error.to_string())?;
    let settings = Settings::new();
    settings
        .load(&invocation, files)
        .map_err(|error| error.to_string())?;
    Ok(settings)
}

fn from_text(text: &str) -> Result<Settings, String> {
    start(&Files::of(&[("o.conf", text)]), &["o.conf"])
}

#[test]
fn table_is_sound() {
    let mut seen = BTreeSet::new();
    for (row, setting) in TABLE.iter().enumerate() {
        for name in [Some(setting.name), setting.alias].into_iter().flatten() {
            assert!(seen.insert(name), "{name} twice");
            assert_eq!(name, name.to_ascii_lowercase());
        }
        let default = store::default_of(setting);
        let shown = value::show(setting, &default);
        assert_eq!(
            value::parse(setting, &[&shown], &default),
            Ok(default.clone()),
            "{}",
            setting.name
        );
        for line in value::lines(setting, &default) {
            let words = quoting::split(&line).unwrap();
            let words: Vec<&[u8]> = words.iter().skip(1).map(Vec::as_slice).collect();
            assert!(
                value::parse(setting, &words, &default).is_ok(),
                "{}",
                setting.name
            );
        }
        let shape = (setting.kind.is_number(), setting.kind.is_text());
        assert_eq!(
            shape,
            (default.number().is_some(), default.text().is_some())
        );
        assert!(
            setting.doc.ends_with('.') && setting.doc.len() < 250,
            "{}",
            setting.name
        );
        assert!(row == rows::find(setting.name.as_bytes()).unwrap());
        let live = setting.standing == Standing::Live;
        assert!(
            !live || id::ALL.contains(&row),
            "{} has no handle",
            setting.name
        );
    }
}

/// Defaults that are not those of Redis.
const OWN_DEFAULTS: &[(&str, &str)] = &[
    // Huge pages hurt a server that forks; Ochre does not fork, and answers in less processor time with them.
    ("disable-thp", "no"),
];

#[test]
fn every_setting_of_redis_is_known() {
    let redis = include_str!("tests/redis_defaults.txt");
    let settings = Settings::new();
    for line in redis.lines().filter(|line| !line.starts_with('#')) {
        let (name, default) = line.split_once(' ').unwrap_or((line, ""));
        let own = OWN_DEFAULTS.iter().find(|own| own.0 == name);
        let default = own.map_or(default, |own| own.1);
        assert_eq!(get(&settings, name), default, "{name}");
    }
}

#[test]
fn reference_page_is_up_to_date() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/settings.md");
    if std::env::var_os("OCHRE_BLESS").is_some() {
        std::fs::write(path, render_reference()).unwrap();
    }
    let page = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        page == render_reference(),
        "docs/settings.md is old: run this with OCHRE_BLESS=1"
    );
}

#[test]
fn get_answers_names_as_they_matched() {
    let settings = Settings::new();
    assert_eq!(names(&settings, &["MAXMEMORY", "maxmemory"]), ["MAXMEMORY"]);
    assert_eq!(names(&settings, &["maxcli*", "maxclients"]), ["maxclients"]);
    assert_eq!(names(&settings, &["key-load*"]), [""; 0]);
    assert_eq!(names(&settings, &["key-load-delay"]), ["key-load-delay"]);
    assert_eq!(names(&settings, &["nosuch", "user"]), [""; 0]);
    assert_eq!(
        names(&settings, &["hash-max-*"]),
        [
            "hash-max-listpack-entries",
            "hash-max-ziplist-entries",
            "hash-max-listpack-value",
            "hash-max-ziplist-value"
        ]
    );
}

#[test]
fn values_take_their_canonical_form() {
    let settings = Settings::new();
    let cases = [
        ("maxmemory", "700mb", "734003200"),
        ("maxmemory", "1k", "1000"),
        ("maxmemory", "1KB", "1024"),
        ("maxmemory", "", "0"),
        ("maxmemory-clients", "5%", "5%"),
        ("maxmemory-clients", "0%", "0"),
        ("maxmemory-clients", "1gb", "1073741824"),
        ("hash-max-ziplist-entries", "7", "7"),
        ("save", "900 1 300 10", "900 1 300 10"),
        ("save", "10 0", "10 0"),
        ("save", "", ""),
        (
            "client-output-buffer-limit",
            "normal 1mb 2 3 REPLICA 4 5 6",
            "normal 1048576 2 3 slave 4 5 6 pubsub 33554432 8388608 60",
        ),
        (
            "client-output-buffer-limit",
            "slave 1 2 3 slave 2 3 4",
            "normal 1048576 2 3 slave 2 3 4 pubsub 33554432 8388608 60",
        ),
        (
            "client-output-buffer-limit",
            "",
            "normal 1048576 2 3 slave 2 3 4 pubsub 33554432 8388608 60",
        ),
        ("notify-keyspace-events", "KEA", "AKE"),
        ("notify-keyspace-events", "KEghd", "ghdKE"),
        ("notify-keyspace-events", "Elg$n", "g$lnE"),
        ("notify-keyspace-events", "Kg$lshzxetd", "AK"),
        ("notify-keyspace-events", "g$lshzxet", "g$lshzxet"),
        ("notify-keyspace-events", "KEAm", "AKEm"),
        ("notify-keyspace-events", "", ""),
        ("shutdown-on-sigint", "now save force", "save now force"),
        ("shutdown-on-sigint", "DEFAULT now", "now"),
        ("shutdown-on-sigint", "default", "default"),
        (
            "latency-tracking-info-percentiles",
            "50 99.999 100 0",
            "50 99.999 100 0",
        ),
        (
            "latency-tracking-info-percentiles",
            "10.12345678",
            "10.123457",
        ),
        ("latency-tracking-info-percentiles", "1e1", "10"),
        ("latency-tracking-info-percentiles", "", ""),
        ("oom-score-adj-values", "1 2 -1", "1 2 -1"),
        ("bind", "127.0.0.1 -::1", "127.0.0.1 -::1"),
        ("bind", "", ""),
        ("hz", "1000", "500"),
        ("hz", "0", "1"),
        ("repl-backlog-size", "1", "16384"),
        ("loglevel", "VERBOSE", "verbose"),
        ("lazyfree-lazy-expire", "YeS", "yes"),
        ("appendonly", "No", "no"),
    ];
    for (name, given, shown) in cases {
        set(&settings, &[(name, given)]).unwrap();
        assert_eq!(get(&settings, name), shown, "{name} {given}");
    }
}

#[test]
fn refusals_use_redis_texts() {
    let settings = Settings::new();
    let before = settings.get(&[b"*"], matches);
    const INTEGER: &str = "argument couldn't be parsed into an integer";
    const MEMORY: &str = "argument must be a memory value";
    const LIMIT: &str =
        "Error in hard, soft or soft_seconds setting in buffer limit configuration.";
    let cases = [
        ("timeout", "abc", INTEGER),
        ("timeout", "010", INTEGER),
        ("timeout", "+10", INTEGER),
        ("timeout", "-0", INTEGER),
        ("timeout", "99999999999999999999", INTEGER),
        (
            "timeout",
            "-1",
            "argument must be between 0 and 2147483647 inclusive",
        ),
        (
            "port",
            "65536",
            "argument must be between 0 and 65535 inclusive",
        ),
        ("maxmemory", "1.5gb", MEMORY),
        ("maxmemory", "-1", MEMORY),
        ("maxmemory", "1tb", MEMORY),
        ("maxmemory", "99999999999999999999gb", MEMORY),
        (
            "maxmemory",
            "17179869183gb",
            "argument must be between 0 and 9223372036854775807 inclusive",
        ),
        (
            "client-query-buffer-limit",
            "1",
            "argument must be between 1048576 and 9223372036854775807 inclusive",
        ),
        (
            "maxmemory-clients",
            "101%",
            "percentage argument must be less or equal to 100",
        ),
        (
            "maxmemory-clients",
            "-5%",
            "argument must be a memory or percent value",
        ),
        (
            "lazyfree-lazy-expire",
            "1",
            "argument must be 'yes' or 'no'",
        ),
        (
            "appendfsync",
            "",
            "argument(s) must be one of the following: everysec, always, no",
        ),
        ("save", "900 1 300", "Invalid save parameters"),
        ("save", " ", "Invalid save parameters"),
        ("save", "0 1", "Invalid save parameters"),
        ("save", "10 -1", "Invalid save parameters"),
        (
            "client-output-buffer-limit",
            "normal 1 2",
            "Wrong number of arguments in buffer limit configuration.",
        ),
        (
            "client-output-buffer-limit",
            "master 1 2 3",
            "Invalid client class specified in buffer limit configuration.",
        ),
        ("client-output-buffer-limit", "normal 1mb 2 x", LIMIT),
        ("client-output-buffer-limit", "normal 1mb -2 1", LIMIT),
        (
            "notify-keyspace-events",
            "Q",
            "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.",
        ),
        (
            "shutdown-on-sigint",
            "",
            "argument(s) must be one of the following: default, save, nosave, now, force",
        ),
        (
            "shutdown-on-sigterm",
            "save nosave",
            "shutdown options SAVE and NOSAVE can't be used simultaneously",
        ),
        (
            "latency-tracking-info-percentiles",
            "a",
            "Invalid latency-tracking-info-percentiles parameters",
        ),
        (
            "latency-tracking-info-percentiles",
            "101",
            "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]",
        ),
        ("oom-score-adj-values", "1 2", "wrong number of arguments"),
        (
            "oom-score-adj-values",
            "1 2 3000",
            "Invalid oom-score-adj-values, elements must be between -2000 and 2000.",
        ),
        (
            "cluster-announce-hostname",
            "a b!",
            "Hostnames may only contain alphanumeric characters, hyphens or dots",
        ),
        ("databases", "3", "can't set immutable config"),
        ("slaveof", "a 1", "can't set immutable config"),
        ("dir", "/tmp", "can't set protected config"),
        (
            "appendonly",
            "yes",
            "not supported by this version of Ochre",
        ),
    ];
    for (name, given, reason) in cases {
        let text =
            format!("ERR CONFIG SET failed (possibly related to argument '{name}') - {reason}");
        assert_eq!(
            set(&settings, &[(name, given)]),
            Err(text),
            "{name} {given}"
        );
    }
    let many = ["::1"; 17].join(" ");
    assert!(
        set(&settings, &[("bind", &many)])
            .unwrap_err()
            .ends_with("Too many bind addresses specified.")
    );
    for name in ["nosuch", "user", "include", "rename-command", ""] {
        let text = format!("ERR Unknown option or number of arguments for CONFIG SET - '{name}'");
        assert_eq!(set(&settings, &[(name, "1")]), Err(text));
    }
    assert_eq!(settings.get(&[b"*"], matches), before);
}

#[test]
fn set_changes_all_or_nothing() {
    let settings = Settings::new();
    let failed = |name: &str, reason: &str| {
        Err(format!(
            "ERR CONFIG SET failed (possibly related to argument '{name}') - {reason}"
        ))
    };
    assert_eq!(
        set(&settings, &[("maxmemory", "5mb"), ("TIMEOUT", "x")]),
        failed("timeout", "argument couldn't be parsed into an integer")
    );
    assert_eq!(
        set(&settings, &[("maxmemory", "1"), ("MAXMEMORY", "2")]),
        failed("MAXMEMORY", "duplicate parameter")
    );
    assert_eq!(
        set(&settings, &[("databases", "2"), ("nosuch", "1")]),
        failed("databases", "can't set immutable config")
    );
    assert!(
        set(&settings, &[("maxmemory", "1"), ("nosuch", "1")])
            .unwrap_err()
            .contains("Unknown")
    );
    assert_eq!(get(&settings, "maxmemory"), "0");

    let both = [
        ("hash-max-ziplist-entries", "1"),
        ("hash-max-listpack-entries", "2"),
    ];
    assert_eq!(set(&settings, &both), Ok(vec!["hash-max-listpack-entries"]));
    assert_eq!(get(&settings, "hash-max-ziplist-entries"), "2");
    assert_eq!(set(&settings, &[("maxmemory", "0")]), Ok(Vec::new()));

    let refusal = Refusal {
        setting: Some("maxmemory"),
        reason: "no".into(),
    };
    let hook = Hook(Mutex::default(), Some(refusal));
    let before = settings.generation();
    let pairs: [(&[u8], &[u8]); 2] = [(b"timeout", b"7"), (b"MaxMemory", b"1")];
    let error = settings.set(&pairs, Origin::Local, &hook).unwrap_err();
    assert_eq!(Err(error.to_string()), failed("MaxMemory", "no"));
    assert_eq!(*hook.0.lock(), ["timeout", "maxmemory"]);
    assert_eq!(
        (get(&settings, "timeout"), settings.generation()),
        ("0".into(), before)
    );
}

#[test]
fn protected_settings_ask_for_permission() {
    let pairs: [(&[u8], &[u8]); 1] = [(b"dir", b"/tmp")];
    for (permission, local, remote) in [
        ("no", false, false),
        ("local", true, false),
        ("yes", true, true),
    ] {
        for (origin, allowed) in [(Origin::Local, local), (Origin::Remote, remote)] {
            let settings = start(
                &Files::default(),
                &["--enable-protected-configs", permission],
            )
            .unwrap();
            assert_eq!(
                settings.set(&pairs, origin, &Hook::default()).is_ok(),
                allowed
            );
        }
    }
}

#[test]
fn typed_reading_follows_changes() {
    let settings = Settings::new();
    set(
        &settings,
        &[
            ("timeout", "9"),
            ("maxmemory-policy", "allkeys-lfu"),
            ("dynamic-hz", "no"),
            ("requirepass", "pw"),
            ("bind", "::1 127.0.0.1"),
            ("client-output-buffer-limit", "pubsub 3 2 1"),
        ],
    )
    .unwrap();
    assert_eq!(settings.int(id::TIMEOUT), 9);
    assert_eq!(settings.size(id::MAXCLIENTS), 10_000);
    assert_eq!(settings.choice(id::MAXMEMORY_POLICY), "allkeys-lfu");
    assert!(!settings.flag(id::DYNAMIC_HZ));
    assert_eq!(&*settings.text(id::REQUIREPASS), b"pw");
    assert_eq!(settings.words(id::BIND), ["::1", "127.0.0.1"]);
    let limit = BufferLimit {
        hard_bytes: 3,
        soft_bytes: 2,
        soft_seconds: 1,
    };
    assert_eq!(settings.buffer_limit(ClientClass::PubSub), limit);
    let limit = BufferLimit {
        hard_bytes: 256 << 20,
        soft_bytes: 64 << 20,
        soft_seconds: 60,
    };
    assert_eq!(settings.buffer_limit(ClientClass::Replica), limit);
    assert_eq!(&*settings.numbers(id::SAVE), [3600, 1, 300, 100, 60, 10000]);
    assert_eq!(
        &*settings.decimals(id::LATENCY_TRACKING_INFO_PERCENTILES),
        [50.0, 99.0, 99.9]
    );
    settings.preset("dir", b"/srv/data").unwrap();
    assert_eq!(get(&settings, "dir"), "/srv/data");
}
