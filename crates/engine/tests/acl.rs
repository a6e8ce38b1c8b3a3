//! What users may do over the life of connections: changes that take effect, deleted users, subscribers, files, and the
//! log. Expected replies were taken from Redis 8.2.3.

use ochre_engine::exec::Counter;
use ochre_resp::{Frame, Protocol, split_args};
use ochre_testkit::{Connection, InProcess};

fn send(connection: &mut Connection, line: &str) -> String {
    let bytes = connection.raw(&split_args(line.as_bytes()).expect("matching quotes"));
    String::from_utf8(bytes).expect("UTF-8")
}

const OK: &str = "+OK\r\n";
const PONG: &str = "+PONG\r\n";
const NO_KEY: &str = "-NOPERM No permissions to access a key\r\n";

fn no_command(user: &str, command: &str) -> String {
    format!("-NOPERM User {user} has no permissions to run the '{command}' command\r\n")
}

/// A server with a user `bob`, and connections of the default user and of `bob`.
fn with_bob(rules: &str) -> (InProcess, Connection, Connection) {
    let server = InProcess::default();
    let mut admin = server.connect(Protocol::Resp2);
    assert_eq!(
        send(&mut admin, &format!("ACL SETUSER bob on >pw {rules}")),
        OK
    );
    let mut bob = server.connect(Protocol::Resp2);
    assert_eq!(send(&mut bob, "AUTH bob pw"), OK);
    (server, admin, bob)
}

#[test]
fn a_change_takes_effect_on_open_connections() {
    let (_, mut admin, mut bob) = with_bob("+ping +get +set ~k*");
    assert_eq!(send(&mut bob, "SET k 1"), OK);
    for (rules, request, expected) in [
        ("-set", "SET k 1", no_command("bob", "set")),
        ("+set resetkeys ~x", "SET k 1", NO_KEY.to_owned()),
        ("%R~k", "GET k", "$1\r\n1\r\n".to_owned()),
        ("%R~k", "SET k 2", NO_KEY.to_owned()),
        ("(+@all ~k)", "SET k 2", OK.to_owned()),
        ("clearselectors", "SET k 2", NO_KEY.to_owned()),
        // Who is off stays in, and does not come in again.
        ("off", "PING", PONG.to_owned()),
        (
            "allcommands allkeys allchannels",
            "DEL k",
            ":1\r\n".to_owned(),
        ),
        ("reset", "PING", no_command("bob", "ping")),
    ] {
        assert_eq!(send(&mut admin, &format!("ACL SETUSER bob {rules}")), OK);
        assert_eq!(send(&mut bob, request), expected, "{rules}");
    }
    let refused = send(&mut bob, "AUTH bob pw");
    assert!(refused.starts_with("-WRONGPASS "), "{refused}");
}

#[test]
fn a_user_that_changes_itself_is_under_the_new_rules_at_once() {
    let (server, _, mut bob) = with_bob("+@all allkeys");
    assert_eq!(send(&mut bob, "ACL SETUSER bob -ping"), OK);
    assert_eq!(send(&mut bob, "PING"), no_command("bob", "ping"));
    let mut c = server.connect(Protocol::Resp2);
    assert_eq!(send(&mut c, "ACL SETUSER default -ping"), OK);
    assert_eq!(send(&mut c, "PING"), no_command("default", "ping"));
}

#[test]
fn a_deleted_users_connections_are_closed() {
    let (server, mut admin, mut bob) = with_bob("+@all");
    let mut other = server.connect(Protocol::Resp2);
    assert_eq!(send(&mut admin, "ACL DELUSER bob nobody"), ":1\r\n");
    assert!(bob.session.client.is_killed());
    assert!(!other.session.client.is_killed() && !admin.session.closing);
    // What was on its way is not executed, and not as the default user either.
    assert_eq!(send(&mut bob, "PING"), no_command("bob", "ping"));
    assert_eq!(send(&mut other, "PING"), PONG);
    // A new user of the same name is another one.
    assert_eq!(send(&mut admin, "ACL SETUSER bob on nopass +@all"), OK);
    assert_eq!(send(&mut admin, "CLIENT KILL USER bob"), ":0\r\n");
    // Who deletes itself is closed after the reply.
    assert_eq!(send(&mut other, "AUTH bob x"), OK);
    assert_eq!(send(&mut other, "ACL DELUSER bob"), ":1\r\n");
    assert!(other.session.closing);
}

#[test]
fn the_connections_of_a_deleted_user_are_nobodys_while_there_is_a_password() {
    let (_, mut admin, mut bob) = with_bob("+@all");
    assert_eq!(send(&mut admin, "CONFIG SET requirepass x"), OK);
    assert_eq!(send(&mut bob, "PING"), PONG);
    assert_eq!(send(&mut admin, "ACL DELUSER bob"), ":1\r\n");
    assert_eq!(
        send(&mut bob, "PING"),
        "-NOAUTH Authentication required.\r\n"
    );
}

#[test]
fn subscribers_lose_their_connection_with_the_permission() {
    let listening = |subscribe: &str, rules: &str, change: &str| {
        let (_, mut admin, mut bob) = with_bob(&format!("+@all {rules}"));
        assert!(send(&mut bob, subscribe).contains("subscribe"));
        assert_eq!(send(&mut admin, &format!("ACL SETUSER bob {change}")), OK);
        !bob.session.client.is_killed()
    };
    for (subscribe, rules, change, stays) in [
        ("SUBSCRIBE c", "&c*", "&d", true),
        ("SUBSCRIBE c", "&c*", "-get", true),
        ("SUBSCRIBE c", "&c*", "resetchannels &c", true),
        ("SUBSCRIBE c", "&c*", "allchannels", true),
        ("SUBSCRIBE c", "allchannels", "resetchannels &c", true),
        ("SUBSCRIBE c", "&c*", "resetchannels", false),
        ("SUBSCRIBE c", "&c*", "resetchannels &d", false),
        ("SUBSCRIBE c", "allchannels", "resetchannels", false),
        ("SUBSCRIBE c", "allchannels", "reset", false),
        ("PSUBSCRIBE c*", "&c*", "resetchannels &c* &d", true),
        // A pattern stays under itself only.
        ("PSUBSCRIBE c*", "allchannels", "resetchannels &c", false),
        ("PSUBSCRIBE c?", "allchannels", "resetchannels &c*", false),
        ("SSUBSCRIBE c", "&c", "resetchannels (+ssubscribe &c)", true),
        ("SSUBSCRIBE c", "&c", "resetchannels", false),
    ] {
        assert_eq!(
            listening(subscribe, rules, change),
            stays,
            "{subscribe}, {rules}, {change}"
        );
    }
}

#[test]
fn requirepass_is_the_default_users_password() {
    let server = InProcess::default();
    let mut c = server.connect(Protocol::Resp2);
    let pristine = "*1\r\n$51\r\nuser default on nopass sanitize-payload ~* &* +@all\r\n";
    assert_eq!(send(&mut c, "ACL LIST"), pristine);
    assert_eq!(send(&mut c, "CONFIG SET requirepass pw"), OK);
    assert!(send(&mut c, "ACL LIST").contains("default on sanitize-payload #30c952"));
    // Who was in stays in.
    assert_eq!(send(&mut c, "PING"), PONG);
    let mut later = server.connect(Protocol::Resp2);
    assert!(send(&mut later, "PING").starts_with("-NOAUTH "));
    // A password of ACL SETUSER is not seen in the setting, and replaced by it only when it changes.
    assert_eq!(send(&mut c, "ACL SETUSER default >other"), OK);
    assert_eq!(send(&mut later, "AUTH other"), OK);
    assert_eq!(send(&mut c, "CONFIG SET requirepass pw"), OK);
    assert_eq!(send(&mut later, "AUTH other"), OK);
    assert_eq!(send(&mut c, "CONFIG SET requirepass \"\""), OK);
    assert_eq!(send(&mut c, "ACL LIST"), pristine);
}

#[test]
fn a_default_user_that_is_off_lets_nobody_in() {
    let server = InProcess::default();
    let mut c = server.connect(Protocol::Resp2);
    assert_eq!(send(&mut c, "ACL SETUSER default off"), OK);
    assert_eq!(send(&mut c, "PING"), PONG);
    let mut later = server.connect(Protocol::Resp2);
    for (request, start) in [
        ("PING", "-NOAUTH Authentication"),
        ("AUTH x", "-ERR AUTH <password> called without any password"),
        ("AUTH default x", "-WRONGPASS "),
        ("HELLO 3", "-NOAUTH HELLO must be called"),
    ] {
        let reply = send(&mut later, request);
        assert!(reply.starts_with(start), "{request}: {reply}");
    }
}

#[test]
fn a_connection_is_shown_and_closed_by_its_user() {
    let (_, mut admin, mut bob) = with_bob("+client");
    assert!(send(&mut bob, "CLIENT INFO").contains(" user=bob "));
    assert!(send(&mut admin, "CLIENT LIST").contains(" user=bob "));
    assert_eq!(
        send(&mut admin, "CLIENT KILL USER x"),
        "-ERR No such user 'x'\r\n"
    );
    assert_eq!(send(&mut admin, "CLIENT KILL USER bob"), ":1\r\n");
    assert!(bob.session.client.is_killed());
    assert_eq!(send(&mut bob, "RESET"), "+RESET\r\n");
    assert_eq!(send(&mut bob, "ACL WHOAMI"), "$7\r\ndefault\r\n");
}

/// The values of an entry of ACL LOG, without those that tell the time or describe the connection.
fn entry(log: &Frame, at: usize) -> Vec<(String, Frame)> {
    let Frame::Array(entries) = log else {
        panic!("no log: {log:?}");
    };
    let Frame::Map(pairs) = &entries[at] else {
        panic!("no entry: {log:?}");
    };
    let name = |f: &Frame| String::from_utf8_lossy(f.as_bytes().expect("a name")).into_owned();
    pairs.iter().map(|(n, v)| (name(n), v.clone())).collect()
}

#[test]
fn refusals_are_logged_and_counted() {
    let (server, _, mut bob) = with_bob("+get +publish ~k");
    let mut admin = server.connect(Protocol::Resp3);
    for request in ["GET x", "GET x", "SET k 1", "PUBLISH c m", "AuTh bob y"] {
        assert!(send(&mut bob, request).starts_with('-'), "{request}");
        server.advance(1500);
    }
    let log = admin.line("ACL LOG");
    let expected = [
        ("auth", "AuTh", 1, 1.5, 3),
        ("channel", "c", 1, 3.0, 2),
        ("command", "set", 1, 4.5, 1),
        ("key", "x", 2, 6.0, 0),
    ];
    for (at, (reason, object, count, age, id)) in expected.into_iter().enumerate() {
        let values = entry(&log, at);
        let names: Vec<&str> = values.iter().map(|(n, _)| n.as_str()).collect();
        assert_eq!(
            names,
            [
                "count",
                "reason",
                "context",
                "object",
                "username",
                "age-seconds",
                "client-info",
                "entry-id",
                "timestamp-created",
                "timestamp-last-updated"
            ]
        );
        let updated = ochre_testkit::in_process::START_MS + 7500 - (age * 1000.0) as i64;
        let created = updated - if count == 2 { 1500 } else { 0 };
        for (at, value) in [
            (0, Frame::Integer(count)),
            (1, Frame::bulk(reason)),
            (2, Frame::bulk("toplevel")),
            (3, Frame::bulk(object)),
            (4, Frame::bulk("bob")),
            (5, Frame::Double(age)),
            (7, Frame::Integer(id)),
            (8, Frame::Integer(created)),
            (9, Frame::Integer(updated)),
        ] {
            assert_eq!(values[at].1, value, "{reason}: {}", values[at].0);
        }
        let client = String::from_utf8_lossy(values[6].1.as_bytes().expect("text")).into_owned();
        assert!(
            client.starts_with("id=") && client.contains(" user=bob "),
            "{client}"
        );
        assert!(!client.ends_with('\n'));
    }
    admin.engine_counts(&server);
    assert_eq!(admin.line("ACL LOG RESET"), Frame::Simple(b"OK".to_vec()));
    assert_eq!(admin.line("ACL LOG"), Frame::Array(Vec::new()));
}

trait Counts {
    fn engine_counts(&mut self, server: &InProcess);
}

impl Counts for Connection {
    /// One refusal of each kind, two of keys.
    fn engine_counts(&mut self, server: &InProcess) {
        let stats = &server.engine.stats;
        assert_eq!(stats.get(Counter::AclAccessDeniedAuth), 1);
        assert_eq!(stats.get(Counter::AclAccessDeniedCmd), 1);
        assert_eq!(stats.get(Counter::AclAccessDeniedKey), 2);
        assert_eq!(stats.get(Counter::AclAccessDeniedChannel), 1);
        let info = send(self, "INFO stats");
        for field in ["auth:1", "cmd:1", "key:2", "channel:1"] {
            assert!(
                info.contains(&format!("acl_access_denied_{field}\r\n")),
                "{field}"
            );
        }
    }
}

#[test]
fn the_acl_file_is_loaded_and_saved() {
    let (server, mut admin, bob) = with_bob("+@all");
    let mut carol = server.connect(Protocol::Resp2);
    server.acl_file.fill("user carol on nopass +@all allkeys\n");
    assert_eq!(send(&mut admin, "ACL LOAD"), OK);
    assert!(bob.session.client.is_killed());
    assert_eq!(send(&mut carol, "AUTH carol x"), OK);
    // A user that is there before and after keeps its connections, under the new rules.
    server.acl_file.fill("user carol on nopass +get ~k\n");
    assert_eq!(send(&mut admin, "ACL LOAD"), OK);
    assert_eq!(send(&mut carol, "GET k"), "$-1\r\n");
    assert_eq!(send(&mut carol, "GET x"), NO_KEY);
    // A bad file changes nothing.
    server.acl_file.fill("user dave on\nuser carol +nothing\n");
    let refused = send(&mut admin, "ACL LOAD");
    assert_eq!(
        refused,
        "-ERR /users.acl:2: Error in applying operation '+nothing': Unknown command or category name in ACL. \
        WARNING: ACL errors detected, no change to the previously active ACL rules was performed\r\n"
    );
    assert_eq!(
        send(&mut admin, "ACL USERS"),
        "*2\r\n$5\r\ncarol\r\n$7\r\ndefault\r\n"
    );
    assert_eq!(send(&mut admin, "ACL SETUSER dave >p (+get ~x)"), OK);
    assert_eq!(send(&mut admin, "ACL SAVE"), OK);
    let saved = server.acl_file.text.lock().expect("a lock").clone();
    let saved = String::from_utf8(saved.expect("a file")).expect("UTF-8");
    let secret = "148de9c5a7a44d19e56cd9ae1a554bf67847afb0c58f6e12fa29ac7ddfca9940";
    let expected = format!(
        "user carol on nopass sanitize-payload ~k resetchannels -@all +get\n\
        user dave off sanitize-payload #{secret} resetchannels -@all (~x resetchannels -@all +get)\n\
        user default on nopass sanitize-payload ~* &* +@all\n"
    );
    assert_eq!(saved, expected);
    // What is saved loads as the same.
    assert_eq!(send(&mut admin, "ACL LOAD"), OK);
    assert_eq!(send(&mut admin, "ACL SAVE"), OK);
    *server.acl_file.text.lock().expect("a lock") = None;
    let failed = send(&mut admin, "ACL SAVE");
    assert!(
        failed.starts_with("-ERR There was an error trying to save the ACLs."),
        "{failed}"
    );
    let failed = send(&mut admin, "ACL LOAD");
    assert!(
        failed.starts_with("-ERR Error loading ACLs, opening file '/users.acl': "),
        "{failed}"
    );
}

#[test]
fn new_users_and_selectors_begin_as_the_setting_says() {
    let server = InProcess::new(&[("acl-pubsub-default", "allchannels")]);
    let mut c = server.connect(Protocol::Resp2);
    assert_eq!(send(&mut c, "ACL SETUSER a (+get)"), OK);
    assert!(
        send(&mut c, "ACL LIST").contains("user a off sanitize-payload &* -@all (&* -@all +get)")
    );
    assert_eq!(
        send(&mut c, "CONFIG SET acl-pubsub-default resetchannels"),
        OK
    );
    assert_eq!(send(&mut c, "ACL SETUSER a reset"), OK);
    assert!(
        send(&mut c, "ACL LIST").contains("user a off sanitize-payload resetchannels -@all\r\n")
    );
}

#[test]
fn genpass_gives_as_many_digits_as_bits_need() {
    let server = InProcess::default();
    let mut c = server.connect(Protocol::Resp2);
    for (bits, digits) in [
        ("", 64),
        ("1", 1),
        ("4", 1),
        ("5", 2),
        ("256", 64),
        ("4096", 1024),
    ] {
        let Frame::Bulk(password) = c.line(&format!("ACL GENPASS {bits}")) else {
            panic!("no password");
        };
        assert_eq!(password.len(), digits, "{bits}");
        assert!(
            password
                .iter()
                .all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        );
    }
}

#[test]
fn a_pause_holds_back_only_what_is_permitted() {
    let (server, mut admin, mut bob) = with_bob("+ping");
    assert_eq!(send(&mut admin, "CLIENT PAUSE 100000"), OK);
    // Refused at once, and logged once.
    assert_eq!(send(&mut bob, "GET x"), no_command("bob", "get"));
    assert_eq!(server.engine.stats.get(Counter::AclAccessDeniedCmd), 1);
    assert_eq!(send(&mut bob, "PING"), "");
}
