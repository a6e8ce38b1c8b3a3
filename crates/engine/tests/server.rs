//! Server commands that need a port, another client, or a measurement: what transcripts cannot show.

use ochre_engine::exec::{About, Endpoint, Engine, Flow, Out, Ports, Session};
use ochre_engine::ports::{Clock, LogLevel, Memory, MemoryFigures, Runtime, SettingsFile};
use ochre_engine::settings::{Apply, Changed, Refusal, Settings};
use ochre_resp::{Frame, Protocol, RequestBuf};
use ochre_testkit::{Connection, InProcess};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

fn words(line: &str) -> Vec<String> {
    line.split(' ').map(str::to_owned).collect()
}

fn error(text: &str) -> Frame {
    Frame::Error(text.as_bytes().to_vec())
}

fn info(connection: &mut Connection, section: &str) -> String {
    match connection.run(&["INFO", section]) {
        Frame::Bulk(text) => String::from_utf8(text).expect("plain text"),
        other => panic!("INFO {section}: {other:?}"),
    }
}

fn field(text: &str, name: &str) -> String {
    let start = format!("{name}:");
    let line = text.lines().find_map(|l| l.strip_prefix(&start));
    line.unwrap_or_else(|| panic!("no {name} in {text}"))
        .to_owned()
}

/// Every port in one: it records what the engine does to the outside.
#[derive(Default)]
struct Outside {
    now_ms: AtomicI64,
    stopped: AtomicBool,
    file: Mutex<Option<String>>,
    log: Mutex<Vec<String>>,
}

impl Clock for Outside {
    fn unix_ms(&self) -> i64 {
        self.now_ms.load(Relaxed)
    }
}

impl Memory for Outside {
    fn figures(&self) -> MemoryFigures {
        MemoryFigures::default()
    }
    fn allocator(&self) -> &'static str {
        "none"
    }
    fn purge(&self) {}
    fn report(&self) -> Option<String> {
        None
    }
}

impl Runtime for Outside {
    fn log(&self, _: LogLevel, message: &str) {
        self.log.lock().expect("the log").push(message.to_owned());
    }
    fn long(&self, work: &mut dyn FnMut()) {
        work();
    }
    fn entropy(&self, _: &mut [u8]) -> std::io::Result<()> {
        Err(std::io::ErrorKind::Unsupported.into())
    }
    fn shutdown(&self) {
        self.stopped.store(true, Relaxed);
    }
    fn cpu_seconds(&self) -> [f64; 4] {
        [1.5, 0.25, 0.0, 0.0]
    }
}

impl SettingsFile for Outside {
    fn path(&self) -> Option<String> {
        let file = self.file.lock().expect("the file");
        file.as_ref().map(|_| "/etc/ochre.conf".to_owned())
    }
    fn read(&self) -> std::io::Result<String> {
        let file = self.file.lock().expect("the file");
        file.clone().ok_or(std::io::ErrorKind::NotFound.into())
    }
    fn write(&self, text: &str) -> std::io::Result<()> {
        if text.contains("maxmemory-samples 9") {
            return Err(std::io::ErrorKind::StorageFull.into());
        }
        *self.file.lock().expect("the file") = Some(text.to_owned());
        Ok(())
    }
}

impl Apply for Outside {
    fn apply(&self, changed: &[Changed]) -> Result<(), Refusal> {
        match changed.iter().find(|c| c.setting.name == "hz") {
            None => Ok(()),
            Some(_) => Err(Refusal {
                setting: Some("hz"),
                reason: "not today".to_owned(),
            }),
        }
    }
}

fn engine(outside: &Arc<Outside>, settings: &[(&str, &str)]) -> Engine {
    let values = Settings::new();
    for (name, value) in settings {
        let preset = values.preset(name, value.as_bytes());
        preset.expect("a valid setting");
    }
    let ports = Ports {
        clock: outside.clone(),
        memory: outside.clone(),
        runtime: outside.clone(),
        settings_file: outside.clone(),
        acl_file: Arc::new(ochre_testkit::in_process::TestAclFile::default()),
        apply: outside.clone(),
        scripts: Arc::new(ochre_engine::ports::NoScripts),
        seed: 1,
    };
    Engine::new(Arc::new(values), ports, About::default())
}

fn session(engine: &Engine, addr: &str) -> Session {
    let endpoint = Endpoint {
        addr: addr.to_owned(),
        ..Endpoint::default()
    };
    engine.connect(endpoint, None).expect("room for a client")
}

fn execute(engine: &Engine, session: &mut Session, line: &str) -> (Flow, String) {
    let request = RequestBuf::new(words(line));
    let mut out = Out::new(Protocol::Resp2);
    engine.begin_batch(session);
    let flow = engine.execute(session, request.as_request(), &mut out);
    engine.end_batch(session);
    let bytes: Vec<u8> = out.segments().flatten().copied().collect();
    (flow, String::from_utf8_lossy(&bytes).into_owned())
}

#[test]
fn shutdown_stops_without_a_reply() {
    for line in ["SHUTDOWN", "SHUTDOWN nosave", "SHUTDOWN NOW FORCE NOSAVE"] {
        let outside = Arc::new(Outside::default());
        let engine = engine(&outside, &[]);
        let mut client = session(&engine, "127.0.0.1:1");
        for refused in ["SHUTDOWN SAVE", "SHUTDOWN ABORT", "SHUTDOWN NOSAVE ABORT"] {
            let (flow, reply) = execute(&engine, &mut client, refused);
            assert!(flow == Flow::Next && reply.starts_with('-'), "{refused}");
            assert!(!outside.stopped.load(Relaxed));
        }
        let answer = execute(&engine, &mut client, line);
        assert_eq!(answer, (Flow::Close, String::new()), "{line}");
        assert!(outside.stopped.load(Relaxed), "{line}");
    }
}

#[test]
fn rewrite_writes_the_file() {
    let outside = Arc::new(Outside::default());
    *outside.file.lock().expect("the file") = Some("# mine\nmaxmemory 1mb\n".to_owned());
    let engine = engine(&outside, &[]);
    let mut client = session(&engine, "127.0.0.1:1");
    let mut run = |line: &str| execute(&engine, &mut client, line).1;
    assert_eq!(run("CONFIG SET maxmemory 2mb lfu-log-factor 3"), "+OK\r\n");
    assert_eq!(engine.memory.limit(), 2 << 20);
    assert_eq!(run("CONFIG REWRITE"), "+OK\r\n");
    let text = outside.file.lock().expect("the file").clone();
    let text = text.expect("a file");
    assert!(text.starts_with("# mine\nmaxmemory 2"), "{text}");
    assert!(text.contains("\nlfu-log-factor 3\n"), "{text}");
    assert_eq!(run("CONFIG SET maxmemory-samples 9"), "+OK\r\n");
    let reply = run("CONFIG REWRITE");
    assert!(reply.starts_with("-ERR Rewriting config file: "), "{reply}");
    // The hook's refusal changes nothing.
    assert_eq!(
        run("CONFIG SET maxmemory 3mb hz 20"),
        "-ERR CONFIG SET failed (possibly related to argument 'hz') - not today\r\n"
    );
    assert_eq!(engine.memory.limit(), 2 << 20);
}

#[test]
fn protected_settings_and_debug_depend_on_the_peer() {
    let denied = "-ERR DEBUG command not allowed";
    let cases = [
        ("no", "127.0.0.1:1", false),
        ("local", "127.0.0.1:1", true),
        ("local", "[::1]:1", true),
        ("local", "[::ffff:127.0.0.1]:1", true),
        ("local", "10.0.0.1:1", false),
        ("local", "", false),
        ("yes", "10.0.0.1:1", true),
    ];
    for (mode, addr, allowed) in cases {
        let outside = Arc::new(Outside::default());
        let settings = [
            ("enable-debug-command", mode),
            ("enable-protected-configs", mode),
        ];
        let engine = engine(&outside, &settings);
        let mut client = session(&engine, addr);
        let (_, reply) = execute(&engine, &mut client, "DEBUG LOG hi");
        assert_eq!(reply == "+OK\r\n", allowed, "{mode} {addr}: {reply}");
        assert_eq!(reply.starts_with(denied), !allowed, "{mode} {addr}");
        let log = outside.log.lock().expect("the log").clone();
        assert_eq!(log.contains(&"DEBUG LOG: hi".to_owned()), allowed);
        let (_, reply) = execute(&engine, &mut client, "CONFIG SET dbfilename x.rdb");
        assert_eq!(reply == "+OK\r\n", allowed, "{mode} {addr}: {reply}");
    }
}

#[test]
fn info_counts_what_happened() {
    let server = InProcess::new(&[("enable-debug-command", "yes")]);
    let mut c = server.connect(Protocol::Resp2);
    for line in ["SET k 1", "GET k", "GET nokey", "SET", "LPOP", "NOSUCH"] {
        c.line(line);
    }
    c.run(&["DEBUG", "ERROR", "a:b,c=d is a code"]);
    let stats = info(&mut c, "stats");
    assert_eq!(field(&stats, "keyspace_hits"), "1");
    assert_eq!(field(&stats, "keyspace_misses"), "1");
    assert_eq!(field(&stats, "total_connections_received"), "1");
    let persistence = info(&mut c, "persistence");
    assert_eq!(field(&persistence, "rdb_changes_since_last_save"), "1");
    let commands = info(&mut c, "commandstats");
    let get = field(&commands, "cmdstat_get");
    assert!(get.starts_with("calls=2,usec="), "{get}");
    assert!(get.ends_with(",rejected_calls=0,failed_calls=0"), "{get}");
    let latencies = info(&mut c, "latencystats");
    let get = field(&latencies, "latency_percentiles_usec_get");
    assert!(get.starts_with("p50=") && get.contains(",p99.9="), "{get}");
    let errors = info(&mut c, "errorstats");
    assert!(errors.contains("errorstat_ERR:count="), "{errors}");
    assert!(errors.contains("errorstat_a_b_c_d:count=1\r\n"), "{errors}");
    assert_eq!(c.line("CONFIG RESETSTAT"), Frame::Simple("OK".into()));
    assert_eq!(field(&info(&mut c, "stats"), "keyspace_hits"), "0");
    assert!(!info(&mut c, "commandstats").contains("cmdstat_get"));
    assert_eq!(info(&mut c, "errorstats"), "# Errorstats\r\n");
}

#[test]
fn every_line_of_info_is_a_field() {
    let server = InProcess::default();
    let mut c = server.connect(Protocol::Resp2);
    c.line("SET k v");
    for section in ["all", "everything", "default"] {
        let text = info(&mut c, section);
        let mut seen = std::collections::BTreeSet::new();
        for line in text.split("\r\n") {
            if line.is_empty() || line.starts_with("# ") {
                continue;
            }
            let (name, _) = line.split_once(':').expect("name and value");
            assert!(seen.insert(name), "{name} twice");
        }
        let titles = text.matches("# ").count();
        assert_eq!(titles, if section == "default" { 11 } else { 13 });
        assert_eq!(field(&text, "redis_version"), "8.2.0");
        assert_eq!(field(&text, "ochre_version"), env!("CARGO_PKG_VERSION"));
    }
}

#[test]
fn rates_follow_the_background_round() {
    let server = InProcess::default();
    let mut c = server.connect(Protocol::Resp2);
    let period = std::time::Duration::from_millis(100);
    for _ in 0..20 {
        server.engine.cron(period);
        (0..50).for_each(|_| drop(c.line("PING")));
        server.advance(100);
    }
    let stats = info(&mut c, "stats");
    assert_eq!(field(&stats, "instantaneous_ops_per_sec"), "500");
}

/// The arguments of an entry of the slow log.
fn args_of(entry: &Frame) -> String {
    let Frame::Array(entry) = entry else {
        panic!("no entry");
    };
    let Frame::Array(args) = &entry[3] else {
        panic!("no arguments");
    };
    let args: Vec<_> = args
        .iter()
        .filter_map(|arg| arg.as_bytes().map(String::from_utf8_lossy))
        .collect();
    args.join(" ")
}

#[test]
fn the_slow_log_shows_what_was_slow() {
    let server = InProcess::new(&[("slowlog-log-slower-than", "0")]);
    let mut c = server.connect(Protocol::Resp2);
    c.line("PING x");
    c.line("CONFIG SET requirepass secret");
    c.line("CONFIG SET maxmemory 0 RequirePass secret");
    c.line("AUTH default secret");
    c.line("HELLO 3 SETNAME auth AUTH default secret");
    c.line("ACL SETUSER somebody >secret");
    let Frame::Array(entries) = c.line("SLOWLOG GET -1") else {
        panic!("no list");
    };
    let shown: Vec<String> = entries.iter().rev().map(args_of).collect();
    assert_eq!(
        shown,
        [
            "PING x",
            "CONFIG SET requirepass (redacted)",
            "CONFIG SET maxmemory 0 RequirePass (redacted)",
            "AUTH (redacted) (redacted)",
            "HELLO 3 SETNAME auth AUTH (redacted) (redacted)",
            "ACL SETUSER (redacted) (redacted)",
        ]
    );
    let Some(Frame::Array(entry)) = entries.last() else {
        panic!("no entry");
    };
    assert_eq!(entry.len(), 6);
    assert_eq!(entry[0], Frame::Integer(0));
    assert_eq!(entry[1], Frame::Integer(1_700_000_000));
    let args = ["PING", "x"].map(|w| Frame::Bulk(w.into()));
    assert_eq!(entry[3], Frame::Array(args.into()));
    assert_eq!(entry[4], Frame::Bulk("127.0.0.1:50000".into()));
}

#[test]
fn the_latency_monitor_sees_a_sleep() {
    let settings = [
        ("enable-debug-command", "yes"),
        ("latency-monitor-threshold", "1"),
    ];
    let server = InProcess::new(&settings);
    let mut c = server.connect(Protocol::Resp2);
    c.line("DEBUG SLEEP 0.002");
    let Frame::Array(events) = c.line("LATENCY LATEST") else {
        panic!("no list");
    };
    let Frame::Array(event) = &events[0] else {
        panic!("no event");
    };
    assert_eq!(event[0], Frame::Bulk("command".into()));
    assert_eq!(event[1], Frame::Integer(1_700_000_000));
    let Frame::Array(history) = c.line("LATENCY HISTORY command") else {
        panic!("no list");
    };
    assert_eq!(history.len(), 1);
    let Frame::Bulk(graph) = c.line("LATENCY GRAPH command") else {
        panic!("no graph");
    };
    assert!(graph.starts_with(b"command - high "));
    let Frame::Bulk(report) = c.line("LATENCY DOCTOR") else {
        panic!("no report");
    };
    assert!(report.starts_with(b"command: 1 spikes, "));
    assert_eq!(c.line("LATENCY RESET foo command"), Frame::Integer(1));
    assert_eq!(c.line("LATENCY LATEST"), Frame::Array(Vec::new()));
}

#[test]
fn objects_are_described() {
    let server = InProcess::new(&[("enable-debug-command", "yes")]);
    let mut c = server.connect(Protocol::Resp2);
    // Value, encoding and length of its RDB form as Redis 8.2.3 gives them.
    let long = "a".repeat(79);
    let cases = [
        ("v", "embstr", 2),
        ("12", "int", 2),
        ("123456", "int", 5),
        (long.as_str(), "raw", 13),
    ];
    for (value, encoding, length) in cases {
        c.run(&["SET", "k", value]);
        server.advance(3000);
        let Frame::Simple(text) = c.line("DEBUG OBJECT k") else {
            panic!("no description");
        };
        let text = String::from_utf8_lossy(text.as_ref()).into_owned();
        assert!(text.starts_with("Value at:0x"), "{text}");
        let rest = format!(" refcount:1 encoding:{encoding} serializedlength:{length} lru:");
        assert!(text.contains(&rest), "{text}");
        assert!(text.ends_with(" lru_seconds_idle:3"), "{text}");
    }
    c.line("PEXPIRE k 1");
    server.advance(1);
    assert_eq!(c.line("DEBUG OBJECT k"), error("ERR no such key"));
    let zeros = Frame::Simple("0".repeat(40).into());
    let digest = c.line("DEBUG DIGEST-VALUE k");
    assert_eq!(digest, Frame::Array(vec![zeros]));
}

#[test]
fn replies_of_resp3_have_their_types() {
    let server = InProcess::new(&[("enable-debug-command", "yes")]);
    let mut c = server.connect(Protocol::Resp3);
    for line in [
        "INFO cpu",
        "LOLWUT",
        "MEMORY DOCTOR",
        "MEMORY MALLOC-STATS",
        "LATENCY DOCTOR",
    ] {
        assert!(matches!(c.line(line), Frame::Verbatim { .. }), "{line}");
    }
    let lolwut = c.raw(&["LOLWUT", "VERSION", "5", "-7", "999999999999"]);
    assert!(lolwut.ends_with(b"\nRedis ver. 8.2.0\n\r\n"));
    assert!(lolwut.len() < 100_000);
    for line in [
        "MEMORY STATS",
        "LATENCY HISTOGRAM",
        "CONFIG GET *",
        "COMMAND DOCS",
    ] {
        assert!(matches!(c.line(line), Frame::Map(_)), "{line}");
    }
    let push = c.raw(&["DEBUG", "PROTOCOL", "push"]);
    assert!(push.ends_with(b">2\r\n$16\r\nserver-cpu-usage\r\n:42\r\n"));
    let mut old = server.connect(Protocol::Resp2);
    let refused = error("ERR RESP2 is not supported by this command");
    assert_eq!(old.line("DEBUG PROTOCOL push"), refused);
}

#[test]
fn swaps_and_flushes_are_atomic_to_others() {
    let server = InProcess::default();
    let stop = Arc::new(AtomicBool::new(false));
    std::thread::scope(|scope| {
        for db in ["0", "1"] {
            let (server, stop) = (&server, stop.clone());
            scope.spawn(move || {
                let mut c = server.connect(Protocol::Resp2);
                c.run(&["SELECT", db]);
                while !stop.load(Relaxed) {
                    // Both keys are always written together.
                    c.line("MSET a 1 b 1 c 1 d 1");
                    let Frame::Array(values) = c.line("MGET a b c d") else {
                        panic!("no list");
                    };
                    assert!(values.iter().all(|v| *v == values[0]), "{values:?}");
                }
            });
        }
        let mut c = server.connect(Protocol::Resp2);
        for i in 0..300 {
            let line = ["SWAPDB 0 1", "FLUSHALL ASYNC", "FLUSHDB SYNC", "SWAPDB 1 9"][i % 4];
            assert_eq!(c.line(line), Frame::Simple("OK".into()), "{line}");
        }
        stop.store(true, Relaxed);
    });
}
