//! Tests of the settings as a whole: the table, files, the command line, CONFIG GET, SET, REWRITE.
//!
//! The expected texts and forms were observed on redis-server 7.0.15.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use parking_lot::Mutex;

use super::*;

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

#[test]
fn every_setting_of_redis_is_known() {
    let redis = include_str!("tests/redis_defaults.txt");
    let settings = Settings::new();
    for line in redis.lines().filter(|line| !line.starts_with('#')) {
        let (name, default) = line.split_once(' ').unwrap_or((line, ""));
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
        ("tls-port", "7", "not supported by this version of Ochre"),
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
        failed("TIMEOUT", "argument couldn't be parsed into an integer")
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

#[test]
fn a_file_for_redis_loads() {
    let text = "\
# Network\r
bind 127.0.0.1 -::1\r
PORT 7000
protected-mode no
   timeout\t 5

unixsocketperm 700
save 3600 1
save 300 100 60 10000
appendonly no
replicaof no one
aclfile \"\"
slave-read-only yes
io-threads 4
client-output-buffer-limit normal 0 0 0
client-output-buffer-limit replica 1mb 1mb 60
notify-keyspace-events \"\"
requirepass \"a \\\"b\\\" \\x41\"
logfile ''
maxmemory 100mb
maxmemory 200mb
shutdown-on-sigterm now save
";
    let settings = from_text(text).unwrap();
    for (name, shown) in [
        ("bind", "127.0.0.1 -::1"),
        ("port", "7000"),
        ("timeout", "5"),
        ("unixsocketperm", "700"),
        ("save", "3600 1 300 100 60 10000"),
        ("requirepass", "a \"b\" A"),
        ("maxmemory", "209715200"),
        ("shutdown-on-sigterm", "save now"),
        (
            "client-output-buffer-limit",
            "normal 0 0 0 slave 1048576 1048576 60 pubsub 33554432 8388608 60",
        ),
    ] {
        assert_eq!(get(&settings, name), shown);
    }
    assert_eq!(settings.inert_given(), ["io-threads"]);
}

#[test]
fn includes_are_read_in_place_and_bounded() {
    let files = Files::of(&[
        (
            "main",
            "timeout 1\ninclude sub\nhz 20\ninclude d/*\ninclude none/*",
        ),
        ("sub", "timeout 2\nhz 30"),
        ("d/a", "maxclients 5"),
        ("d/b", "maxclients 6"),
        ("loop", "include loop"),
        ("bad", "\n\ninclude inner"),
        ("inner", "timeout 1\nport x"),
        ("lost", "include gone"),
    ]);
    let settings = start(&files, &["main"]).unwrap();
    let shown = ["timeout", "hz", "maxclients"].map(|name| get(&settings, name));
    assert_eq!(shown, ["2", "20", "6"]);
    let error = |file: &str| start(&files, &[file]).unwrap_err();
    assert!(error("loop").ends_with(">>> 'include loop'\nincludes are nested more than 16 deep"));
    assert!(error("bad").contains("'inner', at line 2\n>>> 'port x'\nargument couldn't be"));
    let lost = "Fatal error, can't open config file 'gone': No such file or directory";
    assert_eq!(error("lost"), lost);
}

#[test]
fn bad_lines_stop_the_start() {
    const UNSUPPORTED: &str = "not supported by this version of Ochre";
    let cases = [
        ("port abc", "argument couldn't be parsed into an integer"),
        ("port", "wrong number of arguments"),
        ("port 1 2", "wrong number of arguments"),
        ("nosuch 1", "Bad directive or wrong number of arguments"),
        ("include", "Bad directive or wrong number of arguments"),
        ("requirepass \"a", "Unbalanced quotes in configuration line"),
        (
            "databases 0",
            "argument must be between 1 and 2147483647 inclusive",
        ),
        (
            "unixsocketperm 888",
            "argument couldn't be parsed as an octal number",
        ),
        (
            "unixsocketperm 1000",
            "argument must be between 0 and 777 inclusive",
        ),
        (
            "appendfilename a/b",
            "appendfilename can't be a path, just a filename",
        ),
        ("save 1", "Invalid save parameters"),
        ("save \"\" 1 2", "Invalid save parameters"),
        ("replicaof a b", "Invalid master port"),
        ("replicaof a", "wrong number of arguments"),
        ("slaveof a 6379", UNSUPPORTED),
        ("appendonly yes", UNSUPPORTED),
        ("cluster-enabled yes", UNSUPPORTED),
        ("tls-port 7000", UNSUPPORTED),
        ("aclfile users", UNSUPPORTED),
        ("user alice on", UNSUPPORTED),
        ("loadmodule x.so", UNSUPPORTED),
        ("rename-command get \"\"", UNSUPPORTED),
        (
            "daemonize yes",
            "Ochre stays in the foreground: start it under systemd or another supervisor",
        ),
    ];
    for (line, reason) in cases {
        let version = env!("CARGO_PKG_VERSION");
        let error = from_text(&format!("# one\n\n {line}\n")).unwrap_err();
        let expected = format!(
            "*** FATAL CONFIG FILE ERROR (Ochre {version}) ***\n\
             Reading the configuration file 'o.conf', at line 3\n>>> '{line}'\n{reason}"
        );
        assert_eq!(error, expected);
    }
}

#[test]
fn command_line_is_split_as_redis_does() {
    let cases: &[(&[&str], Option<&str>, bool, &str)] = &[
        (&[], None, false, ""),
        (&[""], None, false, ""),
        (&["f.conf"], Some("f.conf"), false, ""),
        (
            &["f.conf", "--port", "7"],
            Some("f.conf"),
            false,
            "port \"7\"",
        ),
        (
            &["f.conf", "loglevel", "debug"],
            Some("f.conf"),
            false,
            "\"loglevel\" \"debug\"",
        ),
        (
            &["--port", "7", "loglevel", "verbose"],
            None,
            false,
            "port \"7\" \"loglevel\" \"verbose\"",
        ),
        (
            &["--loglevel", "debug", "f.conf"],
            None,
            false,
            "loglevel \"debug\" \"f.conf\"",
        ),
        (
            &["--maxmemory 700mb", "--port", "7"],
            None,
            false,
            "maxmemory 700mb\nport \"7\"",
        ),
        (
            &["--save", "", "--port", "7"],
            None,
            false,
            "save \"\"\nport \"7\"",
        ),
        (
            &["--save", "--port", "7"],
            None,
            false,
            "save \"\"\nport \"7\"",
        ),
        (
            &["--port", "7", "--save"],
            None,
            false,
            "port \"7\"\nsave \"\"",
        ),
        (
            &["--save", "900", "1", "300", "10"],
            None,
            false,
            "save \"900\" \"1\" \"300\" \"10\"",
        ),
        (
            &["--requirepass", "--abc", "--hz", "1"],
            None,
            false,
            "requirepass \"--abc\"\nhz \"1\"",
        ),
        (&["-", "--port", "7"], None, true, "port \"7\""),
        (
            &["f.conf", "--port", "7", "-"],
            Some("f.conf"),
            true,
            "port \"7\"",
        ),
        (&["f.conf", "-"], Some("f.conf"), true, ""),
        (&["-p", "7"], None, false, "\"-p\" \"7\""),
    ];
    for (arguments, file, from_stdin, options) in cases {
        let invocation = parse_command_line(arguments).unwrap();
        assert_eq!(invocation.action, Action::Run);
        assert_eq!(
            invocation.file.as_deref(),
            file.map(str::as_bytes),
            "{arguments:?}"
        );
        assert_eq!(invocation.from_stdin, *from_stdin, "{arguments:?}");
        assert_eq!(
            String::from_utf8_lossy(&invocation.options),
            *options,
            "{arguments:?}"
        );
    }
    for (argument, action) in [
        ("-v", Action::Version),
        ("--version", Action::Version),
        ("-h", Action::Help),
        ("--help", Action::Help),
    ] {
        assert_eq!(parse_command_line(&[argument, "x"]).unwrap().action, action);
    }
    for modes in [
        &["--test-memory", "5"][..],
        &["--check-system"],
        &["--port", "1", "--sentinel"],
    ] {
        assert!(parse_command_line(modes).is_err());
    }
}

#[test]
fn options_override_stdin_overrides_file() {
    let mut files = Files::of(&[("f", "hz 20\ntimeout 1\nport 1")]);
    files.1 = b"timeout 2\nport 2".to_vec();
    let settings = start(&files, &["f", "--port", "3", "-"]).unwrap();
    let shown = ["hz", "timeout", "port"].map(|name| get(&settings, name));
    assert_eq!(shown, ["20", "2", "3"]);
    let error = start(&files, &["--hz", "7", "--port", "abc"]).unwrap_err();
    assert!(
        error.contains("Reading the options of the command line, at line 2\n>>> 'port \"abc\"'")
    );
    for (arguments, save) in [
        (&["--save", "900 1 300 10"][..], "900 1 300 10"),
        (
            &["--save", "900", "1", "--save", "300", "10"],
            "900 1 300 10",
        ),
        (&["--save", ""], ""),
    ] {
        assert_eq!(get(&start(&files, arguments).unwrap(), "save"), save);
    }
}

#[test]
fn rewriting_keeps_what_the_operator_wrote() {
    let old = "\
# my file
port 7120
save \"\"

# memory
maxmemory 100mb
maxmemory 200mb
include other
hash-max-ziplist-entries 100
client-output-buffer-limit normal 0 0 1
client-output-buffer-limit replica 1mb 1mb 60
TIMEOUT 10
requirepass secret
";
    let files = Files::of(&[("o.conf", old), ("other", "")]);
    let settings = start(&files, &["o.conf"]).unwrap();
    let kept = old.replace("maxmemory 100mb\nmaxmemory 200mb\n", "maxmemory 200mb\n");
    let rewritten = rewrite(&settings, old.as_bytes());
    assert_eq!(String::from_utf8_lossy(&rewritten), kept);

    set(
        &settings,
        &[
            ("save", "10 1 20 3"),
            ("maxmemory", "0"),
            ("hash-max-listpack-entries", "512"),
            ("client-output-buffer-limit", "normal 1mb 2 3"),
            ("requirepass", "a\"b\u{1}"),
            ("repl-backlog-size", "16kb"),
            ("maxmemory-clients", "5%"),
            ("notify-keyspace-events", "KEA"),
            ("bind", "127.0.0.1 ::1"),
            ("shutdown-on-sigterm", "now save"),
            ("latency-tracking-info-percentiles", ""),
        ],
    )
    .unwrap();
    let expected = "\
# my file
port 7120
save 10 1
save 20 3

# memory
maxmemory 0
include other
hash-max-listpack-entries 512
client-output-buffer-limit normal 1mb 2 3
client-output-buffer-limit replica 1mb 1mb 60
client-output-buffer-limit pubsub 32mb 8mb 60
TIMEOUT 10
requirepass \"a\\\"b\\x01\"
# Generated by CONFIG REWRITE
bind 127.0.0.1 ::1
maxmemory-clients 5%
shutdown-on-sigterm save now
latency-tracking-info-percentiles \"\"
notify-keyspace-events \"AKE\"
repl-backlog-size 16kb
";
    let rewritten = rewrite(&settings, old.as_bytes());
    assert_eq!(String::from_utf8_lossy(&rewritten), expected);
    assert_eq!(rewrite(&settings, &rewritten), rewritten);

    let text = String::from_utf8(rewritten).unwrap();
    let again = start(&Files::of(&[("o.conf", &text), ("other", "")]), &["o.conf"]).unwrap();
    assert_eq!(again.get(&[b"*"], matches), settings.get(&[b"*"], matches));
    assert_eq!(rewrite(&Settings::new(), b""), b"");
}
