//! Commands, options and modes against Ochre and a real Redis; what they print is compared with redis-cli.

use crate::{ochre_cli, redis_cli, run, told, with_each};
use ochre::Server;
use ochre_testkit::ports::free_port;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Output, Stdio};

fn ask(port: u16, args: &[&str]) -> String {
    let output = run(ochre_cli(), port, args, b"");
    assert!(output.status.success(), "{args:?}: {}", told(&output));
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn fill(port: u16) {
    for words in [
        &["set", "a", "1"][..],
        &["set", "odd", "q\"u\\o\nte"],
        &[
            "rpush", "l", "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k",
        ],
        &["sadd", "s", "1", "2"],
        &["hset", "h", "f", "v", "a b", "c"],
        &["zadd", "z", "1.5", "x", "2", "y"],
    ] {
        ask(port, words);
    }
}

#[test]
fn commands_print_and_end_as_with_redis_cli() {
    let Some(theirs) = redis_cli() else { return };
    with_each(|port| {
        fill(port);
        let table: &[(&[&str], &str)] = &[
            (&["get", "a"], ""),
            (&["--no-raw", "get", "odd"], ""),
            (&["--no-raw", "lrange", "l", "0", "-1"], ""),
            (&["--no-raw", "hgetall", "h"], ""),
            (&["--no-raw", "-3", "hgetall", "h"], ""),
            (&["--json", "hgetall", "h"], ""),
            (&["--json", "zrange", "z", "0", "-1", "withscores"], ""),
            (
                &["-2", "--json", "zrange", "z", "0", "-1", "withscores"],
                "",
            ),
            (&["--csv", "zrange", "z", "0", "-1", "withscores"], ""),
            (&["get"], ""),
            (&["-e", "get"], ""),
            (&["--no-raw", "nonsense", "a"], ""),
            (&["-a", "secret", "ping"], ""),
            (&["-a", "secret", "--no-auth-warning", "ping"], ""),
            (&["--user", "nobody", "--pass", "x", "ping"], ""),
            (&["-n", "3", "dbsize"], ""),
            (&["-n", "99", "ping"], ""),
            (&["-n", "x", "get", "a"], ""),
            (&["-r", "3", "get", "a"], ""),
            (&["-r", "2", "-i", "0.01", "-D", ";", "get", "a"], ""),
            (&["-d", ",", "lrange", "l", "0", "-1"], ""),
            (&["-x", "set", "stdin"], "from stdin\n"),
            (&["-X", "tag", "set", "tag", "x"], "input"),
            (&["-X", "tag", "set", "input", "x"], "input"),
            (&["-x", "-X", "tag", "set", "k", "tag"], "input"),
            (&["-x"], "get a\n"),
            (&["-X", "tag"], "get a\n"),
            (&["-2", "-3", "get", "a"], ""),
            (&["--json", "-2", "hgetall", "h"], ""),
            (&["-n", "-1", "get", "a"], ""),
            (&["-n", "3x", "dbsize"], ""),
            (
                &["-n", "3", "-3", "-a", "wrong", "--no-raw", "hgetall", "h"],
                "",
            ),
            (&["-n", "99", "-3", "--no-raw", "hgetall", "h"], ""),
            (&["--quoted-input", "get", "\"odd"], ""),
            (&["--quoted-input", "get", "a b"], ""),
            (&["--quoted-input", "get", ""], ""),
            (&["--scan", "--quoted-pattern", "\"a"], ""),
            (&["--scan", "--quoted-pattern", "\"\\x61\""], ""),
            (&["--show-pushes", "YES", "get", "a"], ""),
            (&["-e", "subscribe"], ""),
            (&["help", "get"], ""),
            (&["?", "@transactions"], ""),
            (&["-u", "redis://", "get", "a"], ""),
            (&["-u", "redis://127.0.0.1/3", "get", "a"], ""),
            (&["-n", "3", "-u", "redis://127.0.0.1", "get", "a"], ""),
            (&["-u", "redis://word@127.0.0.1", "get", "a"], ""),
            (&["-r", "2"], "ping\nnonsense\n"),
            (&["-e"], "nonsense\nget a\nsubscribe\n"),
            (
                &[],
                "0 get a\n-1 get a\nrestart\n:set hints\n:set x\n:y\nhelp get\nquit now\nget a\n",
            ),
            (&["--quoted-input", "get", "\"odd\""], ""),
            (&["--bogus"], ""),
            (&["-r"], ""),
            (&["--eval", "/nonexistent"], ""),
            (&["--no-raw", "debug", "protocol", "map"], ""),
            (&[], "get a\n\nnonsense\nset \"x\nget a\nexit\nget l\n"),
            (
                &["--no-raw"],
                "multi\nget a\nexec\nselect 3\nget a\n2 ping\nconnect 127.0.0.1 1\nping\n",
            ),
            (
                &["--no-raw", "-3"],
                "hgetall h\nclient setname me\nclient getname\n",
            ),
        ];
        for (args, input) in table {
            let wanted = told(&run(&theirs, port, args, input.as_bytes()));
            let got = told(&run(ochre_cli(), port, args, input.as_bytes()));
            assert_eq!(got, wanted, "{args:?} {input:?}");
        }
        assert_eq!(ask(port, &["get", "stdin"]), "from stdin\n\n");
    });
}

#[test]
fn no_server_is_an_error() {
    let port = free_port();
    for args in [&["ping"][..], &["--scan"], &["--stat"], &["--pipe"]] {
        let output = run(ochre_cli(), port, args, b"");
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(
            String::from_utf8_lossy(&output.stderr),
            format!("Could not connect to Redis at 127.0.0.1:{port}: Connection refused\n")
        );
    }
}

#[test]
fn verbose_tells_what_is_done() {
    with_each(|port| {
        let args = ["--verbose", "-n", "3", "-3", "get", "a"];
        let output = run(ochre_cli(), port, &args, b"");
        let wanted = format!("Connected to 127.0.0.1:{port}\nDatabase 3\nRESP3\n");
        assert_eq!(String::from_utf8_lossy(&output.stderr), wanted);
        assert_eq!(output.stdout, b"\n");
    });
}

#[test]
fn ciphers_and_halves_of_certificates_are_checked() {
    for (args, wanted) in [
        (
            &["--tls", "--tls-ciphers", "x"][..],
            "Could not negotiate a TLS connection: no cipher of TLS 1.2 in 'x'\n",
        ),
        (
            &["--tls", "--tls-ciphersuites", "x"],
            "Could not negotiate a TLS connection: no cipher suite of TLS 1.3 in 'x'\n",
        ),
        (&["--tls", "--cert", "x"], "--cert and --key go together\n"),
    ] {
        let output = run(ochre_cli(), 1, &[args, &["ping"]].concat(), b"");
        assert_eq!(String::from_utf8_lossy(&output.stderr), wanted);
        assert_eq!(output.status.code(), Some(1));
    }
}

#[test]
fn urls_and_sockets() {
    let path = std::env::temp_dir().join(format!("ochre-cli-{}.sock", std::process::id()));
    let server = Server::builder()
        .port(0)
        .unix_socket(&path)
        .setting("requirepass", "s cret")
        .start()
        .expect("a server");
    let port = server.port().expect("a port");
    let path = path.to_str().expect("UTF-8");
    let url = format!("redis://default:s%20cret@127.0.0.1:{port}/2");
    let socket_url = format!("unix://:s%20cret@{path}?db=2");
    ask(port, &["-u", &url, "set", "k", "v"]);
    assert_eq!(ask(0, &["-u", &socket_url, "get", "k"]), "v\n");
    assert_eq!(
        ask(0, &["-s", path, "-a", "s cret", "-n", "2", "get", "k"]),
        "v\n"
    );
    let output = run(ochre_cli(), port, &["get", "k"], b"");
    assert!(output.stdout.starts_with(b"NOAUTH"), "{}", told(&output));
}

#[test]
fn surveys_of_the_keyspace() {
    let Some(theirs) = redis_cli() else { return };
    with_each(|port| {
        fill(port);
        let sorted = |text: String| {
            let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
            lines.sort();
            lines
        };
        for args in [
            &["--scan"][..],
            &["--scan", "--pattern", "?"],
            &["--no-raw", "--scan"],
        ] {
            let wanted = run(&theirs, port, args, b"");
            let wanted = String::from_utf8(wanted.stdout).expect("UTF-8");
            assert_eq!(sorted(ask(port, args)), sorted(wanted), "{args:?}");
        }
        // What is the biggest so far depends on the order of the walk, which is the server's and changes while a table
        // grows.
        let in_the_end = |output: &Output| {
            let text = told(output);
            let lines = text.split("\\n").filter(|l| !l.contains("found so far"));
            lines.map(str::to_owned).collect::<Vec<_>>()
        };
        for args in [
            &["--bigkeys"][..],
            &["--bigkeys", "--pattern", "[a-z]"],
            &["--memkeys"],
        ] {
            let wanted = in_the_end(&run(&theirs, port, args, b""));
            let ours = in_the_end(&run(ochre_cli(), port, args, b""));
            assert_eq!(ours, wanted, "{args:?}");
        }
        let output = run(ochre_cli(), port, &["--hotkeys"], b"");
        assert_eq!(output.status.code(), Some(1));
        assert!(String::from_utf8_lossy(&output.stderr).contains("LFU"));
        ask(port, &["config", "set", "maxmemory-policy", "allkeys-lfu"]);
        (0..20).for_each(|_| drop(ask(port, &["get", "a"])));
        let hot = ask(port, &["--hotkeys"]);
        let first = hot
            .lines()
            .find(|l| l.starts_with("hot key found"))
            .expect("a key");
        assert!(first.ends_with("keyname: \"a\""), "{hot}");
    });
}

#[test]
fn pipes_of_any_size() {
    let Some(theirs) = redis_cli() else { return };
    with_each(|port| {
        for input in [
            &b"*2\r\n$3\r\nGET\r\n$1\r\na\r\n"[..],
            b"SET a 1\r\nNONSENSE\r\nGET a\r\n",
            b"",
            b"SET a 1",
        ] {
            let wanted = told(&run(&theirs, port, &["--pipe"], input));
            assert_eq!(told(&run(ochre_cli(), port, &["--pipe"], input)), wanted);
        }
        // A request that does not end: the mark behind the input becomes a part of it.
        let endless = b"PING\r\n*3\r\n$3\r\nSET\r\n$1\r\nz\r\n$100\r\nabc\r\n";
        let args = ["--pipe", "--pipe-timeout", "1"];
        let wanted = told(&run(&theirs, port, &args, endless));
        assert_eq!(told(&run(ochre_cli(), port, &args, endless)), wanted);
        // One that is none: the server says so and closes the connection.
        let output = run(ochre_cli(), port, &args, b"PING\r\n*1\r\n$x\r\n");
        assert_eq!(output.status.code(), Some(1));
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            errors.starts_with("ERR Protocol error: invalid bulk length\nError: "),
            "{errors}"
        );
        let mut input = Vec::new();
        let value = "v".repeat(10_000);
        let mut requests = 0;
        while input.len() < 20_000_000 {
            input.extend_from_slice(format!("SET k {value}\r\nGET k\r\n").as_bytes());
            requests += 2;
        }
        let output = run(ochre_cli(), port, &["--pipe"], &input);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            text.ends_with(&format!("errors: 0, replies: {requests}\n")),
            "{}",
            told(&output)
        );
    });
}

#[test]
fn figures_of_the_server() {
    with_each(|port| {
        fill(port);
        let stat = ask(port, &["--stat", "-r", "2", "-i", "0.01"]);
        let lines: Vec<&str> = stat.lines().collect();
        assert_eq!(lines.len(), 4, "{stat}");
        assert!(lines[2].starts_with("6          "), "{stat}");
        assert!(lines[3].contains("(+1)"), "{stat}");
        let latency = ask(port, &["--latency", "--csv", "-i", "0.05"]);
        assert_eq!(latency.trim().split(',').count(), 4, "{latency}");
        let latency = ask(port, &["--latency", "-i", "0.05"]);
        assert_eq!(latency.trim().split(' ').count(), 4, "{latency}");
    });
}

#[test]
fn what_the_machine_adds() {
    let told = ask(1, &["--intrinsic-latency", "1"]);
    let figures = told.lines().filter_map(|l| {
        l.strip_prefix("Max latency so far: ")?
            .strip_suffix(" microseconds.")
    });
    let figures: Vec<u64> = figures.map(|f| f.parse().expect("a number")).collect();
    assert!(figures.windows(2).all(|w| w[0] < w[1]), "{told}");
    assert!(told.contains(" total runs (avg latency: "), "{told}");
    assert!(
        told.ends_with("x longer than the average latency.\n"),
        "{told}"
    );
}

#[test]
fn scripts_from_files() {
    let path = std::env::temp_dir().join(format!("ochre-cli-{}.lua", std::process::id()));
    std::fs::write(&path, "return {KEYS[1], ARGV[1], ARGV[2]}").expect("a written file");
    let path = path.to_str().expect("UTF-8");
    with_each(|port| {
        let output = run(
            ochre_cli(),
            port,
            &["--eval", path, "k", ",", "a", "b"],
            b"",
        );
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        if text.starts_with("ERR unknown command") {
            eprintln!("skipped where the server has no scripts");
            return;
        }
        assert_eq!(text, "k\na\nb\n");
    });
    std::fs::remove_file(path).expect("it was written");
}

#[test]
fn a_snapshot_where_the_server_sends_one() {
    let path = std::env::temp_dir().join(format!("ochre-cli-{}.rdb", std::process::id()));
    let path = path.to_str().expect("UTF-8");
    with_each(|port| {
        fill(port);
        for mode in ["--rdb", "--functions-rdb"] {
            snapshot(port, mode, path);
        }
    });
}

fn snapshot(port: u16, mode: &str, path: &str) {
    let output = run(ochre_cli(), port, &[mode, path], b"");
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    if errors.contains("unknown command") {
        assert_eq!(output.status.code(), Some(1));
        return;
    }
    assert!(output.status.success(), "{errors}");
    let bytes = std::fs::read(path).expect("a file");
    assert!(bytes.starts_with(b"REDIS"));
    assert!(
        errors.ends_with(&format!("success after {} bytes\n", bytes.len())),
        "{errors}"
    );
    std::fs::remove_file(path).expect("it is there");
}

/// What is refused is not done in another database, or as another user.
#[test]
fn no_mode_goes_on_without_its_login_and_database() {
    let modes: [&[&str]; 9] = [
        &["--pipe"],
        &["--scan"],
        &["--bigkeys"],
        &["--stat"],
        &["--latency"],
        &["--latency-dist"],
        &["--rdb", "/dev/null"],
        &["--lru-test", "10"],
        &["--eval", "/dev/null"],
    ];
    with_each(|port| {
        let logins: [&[&str]; 2] = [&["-n", "99"], &["--user", "nobody", "--pass", "x"]];
        for (login, mode) in logins
            .iter()
            .flat_map(|l| modes.iter().map(move |m| (*l, *m)))
        {
            let args = [login, mode].concat();
            let output = run(ochre_cli(), port, &args, b"SET stray 1\r\n");
            assert_eq!(output.status.code(), Some(1), "{args:?}: {}", told(&output));
            assert_eq!(output.stdout, b"", "{args:?}");
            if let Some(theirs) = redis_cli() {
                assert_eq!(told(&run(&theirs, port, &args, b"")), told(&output));
            }
        }
        assert_eq!(ask(port, &["dbsize"]), "0\n");
        for command in [&["sync"][..], &["psync", "?", "-1"]] {
            let output = run(ochre_cli(), port, command, b"");
            assert_eq!(output.status.code(), Some(1), "{command:?}");
        }
    });
}

#[test]
fn a_cache_is_put_to_the_test() {
    with_each(|port| {
        let told = ask(port, &["--lru-test", "1", "-r", "2", "-i", "0.05"]);
        let lines: Vec<&str> = told.lines().collect();
        assert_eq!(lines.len(), 2, "{told}");
        let last: Vec<&str> = lines[1].split(' ').collect();
        assert!(
            matches!(
                last[..],
                [_, "Gets/sec", "|", "Hits:", _, _, "|", "Misses:", _, _]
            ),
            "{told}"
        );
        // The one key is written first, and nothing is thrown away.
        assert_eq!(&last[7..], ["Misses:", "0", "(0.00%)"], "{told}");
        assert_eq!(ask(port, &["dbsize"]), "1\n");
        ask(port, &["config", "set", "maxmemory", "1"]);
        let output = run(ochre_cli(), port, &["--lru-test", "50"], b"");
        assert_eq!(output.status.code(), Some(1));
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(errors.starts_with("Error: OOM "), "{errors}");
    });
    for bad in ["0", "x"] {
        let output = run(ochre_cli(), 1, &["--lru-test", bad], b"");
        assert_eq!(output.status.code(), Some(1));
    }
}

#[test]
fn a_replica_shows_what_is_changed() {
    with_each(follow_changes);
}

fn follow_changes(port: u16) {
    ask(port, &["set", "before", "1"]);
    let mut replica = Command::new(ochre_cli())
        .args(["-p", &port.to_string(), "--replica"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("ochre-cli");
    let mut errors = BufReader::new(replica.stderr.take().expect("a pipe")).lines();
    let told = errors.find_map(|line| {
        let line = line.expect("text");
        let ends = line.contains("unknown command 'SYNC'") || line.contains("Logging commands");
        ends.then_some(line)
    });
    let told = told.expect("what became of the snapshot");
    if told.starts_with("SYNC with master failed") {
        assert_eq!(replica.wait().expect("its end").code(), Some(1));
        return;
    }
    ask(port, &["set", "k", "a \"b\""]);
    ask(port, &["-n", "3", "rpush", "l", "x"]);
    let mut lines = BufReader::new(replica.stdout.take().expect("a pipe")).lines();
    for wanted in [
        "\"set\",\"k\",\"a \\\"b\\\"\"",
        "\"SELECT\",\"3\"",
        "\"rpush\",\"l\",\"x\"",
    ] {
        let found = lines.any(|line| line.expect("text") == wanted);
        assert!(found, "{wanted}");
    }
    let pid = ask(port, &["client", "kill", "type", "replica"]);
    assert_eq!(pid, "1\n");
    assert_eq!(replica.wait().expect("its end").code(), Some(1));
}
