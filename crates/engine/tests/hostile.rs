//! What nobody sensible sends: rules, files, transactions and waits without measure. It is refused or bounded, and over in
//! a time that grows with what was sent.

use ochre_resp::{Frame, Protocol};
use ochre_testkit::grammar::Rng;
use ochre_testkit::in_process::TestAclFile;
use ochre_testkit::{Connection, InProcess};

fn words<'a>(words: impl IntoIterator<Item = &'a str>) -> Vec<Vec<u8>> {
    words.into_iter().map(|w| w.as_bytes().to_vec()).collect()
}

fn error(frame: &Frame) -> String {
    let text = frame.as_error().unwrap_or_default();
    String::from_utf8_lossy(text).into_owned()
}

fn integer(connection: &mut Connection, line: &str) -> i64 {
    match connection.line(line) {
        Frame::Integer(n) => n,
        other => panic!("{line}: {other:?}"),
    }
}

/// The fields `name=value` of the only line of CLIENT LIST that has this name.
fn field(admin: &mut Connection, client: &str, field: &str) -> u64 {
    let Frame::Verbatim { text, .. } = admin.line("CLIENT LIST") else {
        panic!("CLIENT LIST");
    };
    let text = String::from_utf8_lossy(&text).into_owned();
    let line = text
        .lines()
        .find(|l| l.contains(&format!(" name={client} ")))
        .expect("the client");
    let value = line
        .split(' ')
        .find_map(|f| f.strip_prefix(&format!("{field}=")));
    value.and_then(|v| v.parse().ok()).expect("a number")
}

#[test]
fn rules_without_measure() {
    let server = InProcess::default();
    let mut admin = server.connect(Protocol::Resp3);
    // Many of everything.
    let mut many = words(["ACL", "SETUSER", "many"]);
    for i in 0..5_000 {
        for word in [
            format!("~key:{i}:*"),
            format!("%R~read:{i}"),
            format!("&channel:{i}"),
            format!(">{i}"),
            format!("(+get ~{i})"),
            format!("+get|{i}"),
        ] {
            many.push(word.into_bytes());
        }
    }
    assert_eq!(admin.run(&many), Frame::Simple(b"OK".to_vec()));
    let allowed = |admin: &mut Connection, line: &str| admin.line(line).as_error().is_none();
    assert!(allowed(&mut admin, "ACL DRYRUN many GET key:4999:x"));
    assert_eq!(admin.run(&many), Frame::Simple(b"OK".to_vec()));
    // Long words.
    let long = "x".repeat(1 << 20);
    for (word, right) in [
        (format!("~{long}"), true),
        (format!("&{long}"), true),
        (format!(">{long}"), true),
        (format!("+{long}"), false),
        (format!("-@{long}"), false),
        (format!("%{long}~a"), false),
        (format!("({long})"), false),
        (format!("#{long}"), false),
        ("(".repeat(100_000), false),
        (format!("{})", "(".repeat(100_000)), false),
        (long.clone(), false),
    ] {
        // An error repeats the word, whatever its length.
        let reply = admin.raw(&["ACL", "SETUSER", "long", &word]);
        assert_eq!(reply.starts_with(b"+OK"), right, "{word:.40}");
    }
    let name = "n".repeat(1 << 20);
    assert!(
        admin
            .run(&["ACL", "SETUSER", &name, "on"])
            .as_error()
            .is_none()
    );
    assert!(admin.line("ACL LIST").as_error().is_none());
    // A pattern that backtracks, on a key that nearly fits.
    let stars = "*a".repeat(5_000);
    let rule = format!("~{stars}b");
    admin.run(&["ACL", "SETUSER", "stars", "on", "+@all", &rule]);
    let key = "a".repeat(20_000);
    let reply = admin.run(&["ACL", "DRYRUN", "stars", "GET", &key]);
    assert!(matches!(reply, Frame::Bulk(_)));
}

/// Random words and bytes: nothing panics, and a change that is refused leaves the user as it was.
#[test]
fn rules_at_random() {
    let seed = 20_260_101;
    println!("seed {seed}");
    let mut rng = Rng::seeded(seed);
    let server = InProcess::default();
    let mut admin = server.connect(Protocol::Resp3);
    admin.line("ACL SETUSER u on >p ~a* &b +get (+set ~c)");
    let starts = [
        "+", "-", "~", "%", "&", ">", "<", "#", "!", "(", "+@", "-@", ")", "%RW~", "+get|",
    ];
    let mut refused = 0;
    for _ in 0..5_000 {
        let mut change = words(["ACL", "SETUSER", "u"]);
        for _ in 0..rng.index(5) {
            let mut word = rng.pick(&starts).as_bytes().to_vec();
            word.extend((0..rng.index(6)).map(|_| rng.byte()));
            change.push(word);
        }
        let before = admin.line("ACL LIST");
        if admin.run(&change).as_error().is_some() {
            refused += 1;
            assert_eq!(admin.line("ACL LIST"), before, "{change:?}");
        }
    }
    assert!(refused > 100);
}

#[test]
fn a_file_of_garbage_changes_nothing() {
    let seed = 20_260_102;
    println!("seed {seed}");
    let mut rng = Rng::seeded(seed);
    let server = InProcess::default();
    let mut admin = server.connect(Protocol::Resp3);
    admin.line("ACL SETUSER keep on >p ~a +get");
    server.acl_file.fill("");
    let before = admin.line("ACL LIST");
    // The user who asks is not among those that the file may take permissions from.
    let parts = [
        "user ", "other ", "on ", "~* ", "(", ")", "+@all ", "\n", "\0", "\r", "#", "\u{ff}",
    ];
    let mut refused = 0;
    for _ in 0..2_000 {
        let mut text = Vec::new();
        for _ in 0..rng.index(20) {
            if rng.chance(20) {
                text.push(rng.byte());
            } else {
                text.extend_from_slice(rng.pick(&parts).as_bytes());
            }
        }
        *server.acl_file.text.lock().expect("a lock") = Some(text);
        if admin.line("ACL LOAD").as_error().is_some() {
            refused += 1;
            assert_eq!(admin.line("ACL LIST"), before);
        } else {
            // What was taken is put right again.
            server
                .acl_file
                .fill("user keep on >p ~a +get\nuser default on nopass ~* &* +@all\n");
            assert_eq!(admin.line("ACL LOAD"), Frame::Simple(b"OK".to_vec()));
            assert_eq!(admin.line("ACL LIST"), before);
        }
    }
    assert!(refused > 1_000);
    // A long line, and many lines that are wrong: one answer.
    let long = format!("user {} on\n", "x".repeat(1 << 20));
    server.acl_file.fill(&format!("{long}{long}"));
    let reply = admin.raw(&["ACL", "LOAD"]);
    let said = b"Duplicate user".as_slice();
    assert!(reply.windows(said.len()).any(|text| text == said));
    server.acl_file.fill(&"nonsense\n".repeat(10_000));
    let reply = admin.raw(&["ACL", "LOAD"]);
    let said = format!("-ERR {}:1 should start", TestAclFile::PATH);
    assert!(reply.starts_with(said.as_bytes()), "{:?}", reply.get(..100));
}

#[test]
fn a_transaction_is_bounded_by_the_query_buffers_limit() {
    let server = InProcess::new(&[("client-query-buffer-limit", "1mb")]);
    let mut admin = server.connect(Protocol::Resp3);
    let mut client = server.connect(Protocol::Resp3);
    client.line("CLIENT SETNAME queues");
    client.line("MULTI");
    let mut queued = 0_u64;
    while !client.session.closing {
        let reply = client.begin(&["SET", "key", "value"]);
        match reply {
            Some(reply) => assert_eq!(reply, Frame::Simple(b"QUEUED".to_vec())),
            None => assert!(client.session.closing),
        }
        queued += 1;
        assert!(queued <= 1_000_000);
        if queued == 1_000 {
            assert_eq!(field(&mut admin, "queues", "multi"), queued);
            let bytes = field(&mut admin, "queues", "multi-mem");
            assert!(bytes > queued * 10 && bytes < queued * 1_000, "{bytes}");
            assert!(field(&mut admin, "queues", "tot-mem") > bytes);
        }
    }
    // Each takes some ten bytes at least.
    assert!(queued > 1_000 && queued < 100_000, "{queued}");
    drop(client);
    assert_eq!(integer(&mut admin, "EXISTS key"), 0);
}

#[test]
fn a_long_transaction_runs_whole() {
    let server = InProcess::default();
    let mut client = server.connect(Protocol::Resp3);
    client.line("MULTI");
    for i in 0..100_000 {
        let reply = client.run(&["INCRBY", &format!("k{}", i % 1_000), "1"]);
        assert_eq!(reply, Frame::Simple(b"QUEUED".to_vec()));
    }
    let Frame::Array(replies) = client.line("EXEC") else {
        panic!("EXEC");
    };
    assert_eq!(replies.len(), 100_000);
    assert_eq!(replies.last(), Some(&Frame::Integer(100)));
}

#[test]
fn waits_for_thousands_of_keys() {
    let server = InProcess::default();
    let mut client = server.connect(Protocol::Resp3);
    let mut admin = server.connect(Protocol::Resp3);
    let keys: Vec<String> = (0..20_000).map(|i| format!("list:{i}")).collect();
    let mut request = vec!["BLPOP"];
    request.extend(keys.iter().map(String::as_str));
    // The same ones again: a client waits once for each.
    request.extend(keys.iter().map(String::as_str));
    request.push("0");
    for round in 0..3 {
        assert_eq!(client.begin(&request), None);
        assert!(client.is_blocked());
        let key = &keys[round * 9_999];
        assert_eq!(admin.run(&["RPUSH", key, "x"]), Frame::Integer(1));
        let expected = [key.as_str(), "x"].map(Frame::bulk);
        assert_eq!(client.look(), Some(Frame::Array(expected.to_vec())));
        // Nobody waits any more.
        assert_eq!(admin.run(&["RPUSH", key, "y"]), Frame::Integer(1));
        assert_eq!(admin.run(&["DEL", key]), Frame::Integer(1));
    }
    // Who goes leaves nothing behind.
    assert_eq!(client.begin(&request), None);
    drop(client);
    assert_eq!(integer(&mut admin, "RPUSH list:7 x"), 1);
    assert_eq!(integer(&mut admin, "LLEN list:7"), 1);
}

#[test]
fn thousands_wait_for_one_key() {
    let server = InProcess::default();
    let mut admin = server.connect(Protocol::Resp3);
    let mut clients: Vec<Connection> = (0..3_000)
        .map(|_| server.connect(Protocol::Resp3))
        .collect();
    for client in &mut clients {
        assert_eq!(client.begin(&["BLPOP", "list", "0"]), None);
    }
    let mut push = vec!["RPUSH".to_owned(), "list".to_owned()];
    push.extend((0..2_000).map(|i| i.to_string()));
    assert_eq!(admin.run(&push), Frame::Integer(2_000));
    for (i, client) in clients.iter_mut().enumerate() {
        let expected = (i < 2_000)
            .then(|| Frame::Array(vec![Frame::bulk("list"), Frame::bulk(i.to_string())]));
        assert_eq!(client.look(), expected);
    }
    assert_eq!(integer(&mut admin, "LLEN list"), 0);
}

#[test]
fn timeouts_of_every_kind() {
    let server = InProcess::default();
    let mut client = server.connect(Protocol::Resp2);
    for (timeout, refused) in [
        ("nan", "ERR timeout is not a float or out of range"),
        ("-nan", "ERR timeout is not a float or out of range"),
        ("inf", "ERR timeout is out of range"),
        ("infinity", "ERR timeout is out of range"),
        ("-inf", "ERR timeout is negative"),
        ("1e300", "ERR timeout is out of range"),
        ("-1e300", "ERR timeout is negative"),
        ("-1e16", "ERR timeout is negative"),
        ("-0.0010001", "ERR timeout is negative"),
        ("1e4000", "ERR timeout is out of range"),
        ("9223372036854775807", "ERR timeout is out of range"),
        ("-1", "ERR timeout is negative"),
        ("", "ERR timeout is not a float or out of range"),
        (" 1", "ERR timeout is not a float or out of range"),
        ("1s", "ERR timeout is not a float or out of range"),
    ] {
        for request in [
            vec!["BLPOP", "k", timeout],
            vec!["BZPOPMAX", "k", timeout],
            vec!["BLMOVE", "k", "l", "LEFT", "LEFT", timeout],
            vec!["BLMPOP", timeout, "1", "k", "LEFT"],
            vec!["BZMPOP", timeout, "1", "k", "MIN"],
        ] {
            assert_eq!(error(&client.run(&request)), refused, "{request:?}");
        }
    }
    // A millisecond is the least wait.
    for timeout in ["0.0000001", "1e-300", "1e-2000", "0.001"] {
        assert_eq!(client.begin(&["BLPOP", "k", timeout]), None);
        assert_eq!(client.look(), None);
        server.advance(1);
        assert_eq!(client.look(), Some(Frame::NullArray), "{timeout}");
    }
    // The longest that there is; and those that end never, as what is less than a millisecond below zero does.
    for timeout in ["9000000000000000", "0", "-0", "-0.0009", "-1e-2000"] {
        let mut client = server.connect(Protocol::Resp2);
        assert_eq!(client.begin(&["BLPOP", "k", timeout]), None);
        server.advance(1_000_000_000);
        assert_eq!(client.look(), None);
    }
}
