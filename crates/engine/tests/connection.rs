//! What connections see of each other and of the server's state: passwords, withheld replies, ends,
//! pauses, and the lines of CLIENT LIST. Expected replies were taken from Redis 7.0.15 and 8.2.3.

use ochre_engine::exec::{Counter, Flow};
use ochre_resp::{Protocol, RequestBuf, split_args};
use ochre_testkit::{Connection, InProcess};

fn send(connection: &mut Connection, line: &str) -> String {
    let bytes = connection.raw(&split_args(line.as_bytes()).expect("matching quotes"));
    String::from_utf8(bytes).expect("UTF-8")
}

/// Sends commands one after another and joins what is answered.
fn send_all(connection: &mut Connection, lines: &[&str]) -> String {
    lines.iter().map(|line| send(connection, line)).collect()
}

/// The value of a field of CLIENT INFO or LIST.
fn field<'a>(line: &'a str, name: &str) -> &'a str {
    let mut fields = line.split([' ', '\n']).filter_map(|f| f.split_once('='));
    fields
        .find(|(n, _)| *n == name)
        .unwrap_or_else(|| panic!("no field {name} in {line}"))
        .1
}

const OK: &str = "+OK\r\n";
const PONG: &str = "+PONG\r\n";
const WRONG_PASS: &str = "-WRONGPASS invalid username-password pair or user is disabled.\r\n";
const NO_AUTH: &str = "-NOAUTH Authentication required.\r\n";

#[test]
fn a_password_shuts_out_until_it_is_given() {
    let server = InProcess::new(&[("requirepass", "pw")]);
    let mut c = server.connect(Protocol::Resp2);
    for refused in ["PING", "GET a", "SELECT 1", "CLIENT ID", "CLIENT HELP"] {
        assert_eq!(send(&mut c, refused), NO_AUTH, "{refused}");
    }
    let hello = "-NOAUTH HELLO must be called with the client already authenticated, otherwise the \
        HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and select \
        the RESP protocol version at the same time\r\n";
    for refused in ["HELLO", "HELLO 2", "HELLO 3", "HELLO 3 SETNAME a"] {
        assert_eq!(send(&mut c, refused), hello, "{refused}");
    }
    assert!(send(&mut c, "HELLO 9").starts_with("-NOPROTO "));
    assert!(send(&mut c, "HELLO 3 FOO").starts_with("-ERR Syntax error in HELLO"));
    let wrong = [
        "AUTH x",
        "AUTH \"\"",
        "AUTH pwpw",
        "AUTH default y",
        "AUTH pw y",
        "AUTH y pw",
    ];
    for attempt in wrong {
        assert_eq!(send(&mut c, attempt), WRONG_PASS, "{attempt}");
    }
    assert_eq!(send(&mut c, "HELLO 3 AUTH default p"), WRONG_PASS);
    let denied = server.engine.stats.get(Counter::AclAccessDeniedAuth);
    assert_eq!(denied, wrong.len() as u64 + 1);
    assert_eq!(send_all(&mut c, &["AUTH pw", "PING"]), [OK, PONG].concat());
    // A later failure does not take the permission away; RESET does.
    let later = ["AUTH x", "PING", "RESET", "PING", "AUTH default pw", "PING"];
    let expected = [WRONG_PASS, PONG, "+RESET\r\n", NO_AUTH, OK, PONG];
    assert_eq!(send_all(&mut c, &later), expected.concat());
}

#[test]
fn hello_may_bring_the_password() {
    let server = InProcess::new(&[("requirepass", "pw")]);
    let mut c = server.connect(Protocol::Resp2);
    assert!(send(&mut c, "HELLO 3 AUTH default pw SETNAME j").starts_with("%7\r\n"));
    assert_eq!(send(&mut c, "CLIENT GETNAME"), "$1\r\nj\r\n");
}

#[test]
fn replies_are_withheld_as_asked() {
    let cases: &[(&[&str], &str)] = &[
        (&["OFF", "PING", "ON", "PING"], "+OK +PONG"),
        (&["SKIP", "PING", "PING"], "+PONG"),
        (&["SKIP", "SKIP", "PING", "PING"], "+PONG"),
        (&["SKIP", "ON", "PING"], "+OK +PONG"),
        (&["SKIP", "OFF", "PING", "ON", "PING"], "+OK +PONG"),
        (&["OFF", "SKIP", "PING", "PING", "ON", "PING"], "+OK +PONG"),
        (&["OFF", "NOSUCH", "foo", "GET", "ON", "PING"], "+OK +PONG"),
        (&["SKIP", "NOSUCH", "PING"], "+PONG"),
        (&["SKIP", "foo", "PING", "PING"], "+PONG +PONG"),
        (&["OFF", "RESET", "PING"], "+RESET +PONG"),
        (&["SKIP", "RESET", "PING"], "+PONG"),
        (&["SKIP", "QUIT"], ""),
        (&["ON", "ON"], "+OK +OK"),
    ];
    for (words, expected) in cases {
        let server = InProcess::default();
        let mut c = server.connect(Protocol::Resp2);
        let got: String = words
            .iter()
            .map(|word| match *word {
                "ON" | "OFF" | "SKIP" | "foo" => send(&mut c, &format!("CLIENT REPLY {word}")),
                command => send(&mut c, command),
            })
            .collect();
        let got = got.trim_end().replace("\r\n", " ");
        assert_eq!(got, *expected, "{words:?}");
    }
}

#[test]
fn kill_closes_what_matches() {
    let server = InProcess::default();
    let mut me = server.connect(Protocol::Resp2);
    let (two, three) = (
        server.connect(Protocol::Resp2),
        server.connect(Protocol::Resp3),
    );
    let gone = |c: &Connection| c.session.client.is_killed();
    assert_eq!(send(&mut me, "CLIENT KILL ID 1"), ":0\r\n");
    assert_eq!(send(&mut me, "CLIENT KILL ID 2 ADDR 127.0.0.1:1"), ":0\r\n");
    assert_eq!(send(&mut me, "CLIENT KILL MAXAGE 10"), ":0\r\n");
    assert!(!gone(&two));
    assert_eq!(
        send(&mut me, "CLIENT KILL ID 2 ADDR 127.0.0.1:50000"),
        ":1\r\n"
    );
    assert!(gone(&two) && !gone(&three));
    // It is neither closed nor listed a second time.
    assert_eq!(send(&mut me, "CLIENT KILL ID 2"), ":0\r\n");
    assert_eq!(send(&mut me, "CLIENT LIST ID 2"), "$0\r\n\r\n");
    assert_eq!(send(&mut me, "CLIENT LIST").matches("id=").count(), 2);
    server.advance(10_000);
    assert_eq!(send(&mut me, "CLIENT KILL MAXAGE 11"), ":0\r\n");
    assert_eq!(
        send(
            &mut me,
            "CLIENT KILL MAXAGE 10 TYPE normal USER default LADDR 127.0.0.1:6379"
        ),
        ":1\r\n"
    );
    assert!(gone(&three) && !gone(&me) && !me.session.closing);
}

#[test]
fn killing_oneself_closes_after_the_reply() {
    for (line, reply) in [
        ("CLIENT KILL 127.0.0.1:50000", OK),
        ("CLIENT KILL ID 1 SKIPME no", ":1\r\n"),
        ("CLIENT KILL SKIPME no", ":1\r\n"),
        ("QUIT a b", OK),
    ] {
        let server = InProcess::default();
        let mut c = server.connect(Protocol::Resp2);
        assert_eq!(send(&mut c, line), reply);
        assert!(c.session.closing && !c.session.client.is_killed(), "{line}");
    }
}

/// Whether a pause stops the command now.
fn is_stopped(server: &InProcess, line: &str) -> bool {
    let mut c = server.connect(Protocol::Resp2);
    let args = split_args(line.as_bytes()).expect("matching quotes");
    let request = RequestBuf::new(&args);
    let mut out = ochre_engine::exec::Out::new(Protocol::Resp2);
    server.engine.begin_batch(&mut c.session);
    let flow = server
        .engine
        .execute(&mut c.session, request.as_request(), &mut out);
    server.engine.end_batch(&mut c.session);
    assert_eq!(flow == Flow::Paused, out.is_empty(), "{line}");
    flow == Flow::Paused
}

#[test]
fn a_pause_of_everything_stops_everything_valid() {
    let server = InProcess::default();
    let mut c = server.connect(Protocol::Resp2);
    assert_eq!(send(&mut c, "CLIENT PAUSE 100"), OK);
    for stopped in [
        "PING",
        "GET a",
        "CLIENT UNPAUSE",
        "CLIENT LIST",
        "HELLO",
        "RESET",
        "QUIT",
    ] {
        assert!(is_stopped(&server, stopped), "{stopped}");
    }
    for refused in ["NOSUCH", "GET", "CLIENT FOO"] {
        assert!(!is_stopped(&server, refused), "{refused}");
    }
    server.advance(99);
    assert!(is_stopped(&server, "PING"));
    server.advance(1);
    assert!(!is_stopped(&server, "PING"));
}

#[test]
fn pauses_add_up() {
    let server = InProcess::default();
    let mut c = server.connect(Protocol::Resp2);
    assert_eq!(send(&mut c, "CLIENT PAUSE 1000 WRITE"), OK);
    assert!(!is_stopped(&server, "PING") && !is_stopped(&server, "CLIENT LIST"));
    // The longer time and the wider mode win.
    assert_eq!(send(&mut c, "CLIENT PAUSE 300 ALL"), OK);
    server.advance(999);
    assert!(is_stopped(&server, "GET a"));
    server.advance(1);
    assert_eq!(send(&mut c, "CLIENT PAUSE 1000 WRITE"), OK);
    assert_eq!(
        send_all(&mut c, &["CLIENT UNPAUSE", "PING"]),
        [OK, PONG].concat()
    );
    assert!(server.engine.pause_in_force().is_none());
}

#[test]
fn who_may_not_speak_is_told_so_during_a_pause() {
    let server = InProcess::new(&[("requirepass", "pw")]);
    let mut c = server.connect(Protocol::Resp2);
    assert_eq!(
        send_all(&mut c, &["AUTH pw", "CLIENT PAUSE 100"]),
        [OK, OK].concat()
    );
    assert!(!is_stopped(&server, "PING"));
    assert!(is_stopped(&server, "AUTH pw"));
}

#[test]
fn a_line_has_the_fields_of_redis_8_2_in_order() {
    let server = InProcess::default();
    let mut c = server.connect(Protocol::Resp3);
    let reply = send(&mut c, "CLIENT INFO");
    let (_, line) = reply.split_once("txt:").expect("a verbatim string");
    let names: Vec<&str> = line
        .trim_end()
        .split(' ')
        .filter_map(|f| Some(f.split_once('=')?.0))
        .collect();
    let expected = "id addr laddr fd name age idle flags db sub psub ssub multi watch qbuf qbuf-free \
        argv-mem multi-mem rbs rbp obl oll omem tot-mem events cmd user redir resp lib-name lib-ver \
        io-thread tot-net-in tot-net-out tot-cmds";
    assert_eq!(names, expected.split_whitespace().collect::<Vec<_>>());
    assert_eq!(field(line, "resp"), "3");
    assert_eq!(field(line, "cmd"), "client|info");
    assert_eq!(field(line, "tot-cmds"), "0");
    assert_eq!(field(line, "argv-mem"), "10");
}

#[test]
fn lists_show_what_others_changed() {
    let server = InProcess::default();
    let (mut a, mut b) = (
        server.connect(Protocol::Resp2),
        server.connect(Protocol::Resp2),
    );
    assert_eq!(field(&send(&mut b, "CLIENT LIST ID 1"), "cmd"), "NULL");
    for line in [
        "SELECT 7",
        "CLIENT SETNAME me",
        "CLIENT SETINFO lib-name lib",
        "CLIENT SETINFO LIB-VER 1.2",
        "CLIENT NO-EVICT on",
        "CLIENT NO-TOUCH on",
    ] {
        assert_eq!(send(&mut a, line), OK);
    }
    assert!(a.session.no_touch);
    // Refused before execution, and so not counted in tot-cmds.
    assert!(send(&mut a, "GET").starts_with("-ERR wrong number"));
    server.advance(2500);
    let line = send(&mut b, "CLIENT LIST ID 1");
    for (name, value) in [
        ("addr", "127.0.0.1:50000"),
        ("laddr", "127.0.0.1:6379"),
        ("name", "me"),
        ("age", "2"),
        ("idle", "2"),
        ("flags", "eT"),
        ("db", "7"),
        ("cmd", "client|no-touch"),
        ("user", "default"),
        ("resp", "2"),
        ("lib-name", "lib"),
        ("lib-ver", "1.2"),
        ("tot-cmds", "6"),
    ] {
        assert_eq!(field(&line, name), value, "{name}");
    }
    assert_eq!(send(&mut a, "RESET"), "+RESET\r\n");
    let line = send(&mut b, "CLIENT LIST ID 1 1 99 1");
    assert_eq!(line.matches("id=1 ").count(), 3);
    for (name, value) in [
        ("name", ""),
        ("flags", "N"),
        ("db", "0"),
        ("lib-name", "lib"),
    ] {
        assert_eq!(field(&line, name), value, "{name}");
    }
    assert!(!a.session.no_touch);
    assert_eq!(
        send(&mut b, "CLIENT LIST TYPE normal")
            .matches("\nid=")
            .count(),
        2
    );
}
