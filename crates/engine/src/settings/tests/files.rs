//! Tests of configuration files, the command line, and CONFIG REWRITE.
//!
//! The expected texts and forms were observed on redis-server 7.0.15.

use super::*;

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
    let rewritten = rewrite(&settings, &[], old.as_bytes());
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
    let rewritten = rewrite(&settings, &[], old.as_bytes());
    assert_eq!(String::from_utf8_lossy(&rewritten), expected);
    assert_eq!(rewrite(&settings, &[], &rewritten), rewritten);

    let text = String::from_utf8(rewritten).unwrap();
    let again = start(&Files::of(&[("o.conf", &text), ("other", "")]), &["o.conf"]).unwrap();
    assert_eq!(again.get(&[b"*"], matches), settings.get(&[b"*"], matches));
    assert_eq!(rewrite(&Settings::new(), &[], b""), b"");
}
