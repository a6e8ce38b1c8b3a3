//! Every type of reply in every style, from a server that sends what it is told to, compared with redis-cli.

use crate::{ochre_cli, redis_cli, run, told};
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

/// Replies that both print.
const REPLIES: &[&str] = &[
    "+OK\r\n",
    "+a b\r\n",
    "-ERR x \"y\"\r\n",
    ":-5\r\n",
    ",0.10000000000000001\r\n",
    ",inf\r\n",
    ",-inf\r\n",
    ",1e+20\r\n",
    "_\r\n",
    "$-1\r\n",
    "*-1\r\n",
    "#t\r\n",
    "#f\r\n",
    "=8\r\ntxt:a\"\x01b\r\n",
    "=7\r\nmkd:abc\r\n",
    "=8\r\ntxt:a\nb\n\r\n",
    "$0\r\n\r\n",
    "$8\r\n\0\x07\x08\t\r\n\"\\\r\n",
    "$6\r\né€x\r\n",
    "$4\r\na\nb\n\r\n",
    "$2\r\n\x0c\x7f\r\n",
    "*0\r\n",
    "%0\r\n",
    "~0\r\n",
    "*2\r\n-ERR in\r\n+ok\r\n",
    "*3\r\n$-1\r\n*-1\r\n_\r\n",
    "*2\r\n=5\r\ntxt:a\r\n:1\r\n",
    "%2\r\n+a\r\n*2\r\n:1\r\n:2\r\n$1\r\nb\r\n%1\r\n:5\r\n_\r\n",
    "~11\r\n+x\r\n+x\r\n+x\r\n+x\r\n+x\r\n+x\r\n+x\r\n+x\r\n+x\r\n+x\r\n+x\r\n",
    "*3\r\n*2\r\n*2\r\n:1\r\n~2\r\n#t\r\n,1.5\r\n*0\r\n%2\r\n+k\r\n%1\r\n+z\r\n*2\r\n:1\r\n:2\r\n+kk\r\n~0\r\n*-1\r\n",
    "%5\r\n:1\r\n+a\r\n#t\r\n+b\r\n,1.5\r\n+c\r\n_\r\n+d\r\n*1\r\n:1\r\n+e\r\n",
    "%4\r\n:1\r\n*1\r\n:5\r\n:2\r\n*1\r\n*2\r\n:1\r\n:2\r\n:3\r\n%1\r\n:4\r\n*1\r\n:1\r\n:4\r\n%1\r\n:4\r\n*2\r\n:1\r\n:2\r\n",
    "*1\r\n>2\r\n:1\r\n:2\r\n",
    ">2\r\n+invalidate\r\n*1\r\n+k\r\n+OK\r\n",
    ">2\r\n$10\r\ninvalidate\r\n*2\r\n$1\r\nk\r\n$5\r\na'b\n\"\r\n+OK\r\n",
    ">2\r\n$10\r\ninvalidate\r\n*0\r\n+OK\r\n",
    ">2\r\n$10\r\ninvalidate\r\n_\r\n+OK\r\n",
    "*1\r\n>2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n",
    ">3\r\n+message\r\n+c\r\n+m\r\n+OK\r\n",
    "*1\r\n%10\r\n:1\r\n*2\r\n:1\r\n:2\r\n:1\r\n:2\r\n:1\r\n:2\r\n:1\r\n:2\r\n:1\r\n:2\r\n:1\r\n:2\r\n:1\r\n:2\r\n:1\r\n:2\r\n:1\r\n:2\r\n:1\r\n:2\r\n",
];

const STYLES: &[&[&str]] = &[
    &["--no-raw"],
    &["--raw"],
    &["--csv"],
    &["--json"],
    &["--quoted-json"],
    &["-3", "--no-raw"],
    &["-e", "--no-raw"],
    &["-3", "--no-raw", "--show-pushes", "yes"],
    &["--raw", "-d", ", ", "-D", ";"],
];

/// Commands whose replies are printed in the style, and one whose reply is a text in any.
const COMMANDS: &[&str] = &["GET", "INFO"];

/// Answers `GET number` and `INFO number` with that reply of the list, and a HELLO.
fn serve(mut socket: TcpStream, replies: &[&str]) -> Option<()> {
    let mut input = Vec::new();
    loop {
        let mut some = [0; 4096];
        let n = socket.read(&mut some).ok().filter(|n| *n > 0)?;
        input.extend_from_slice(&some[..n]);
        while let Some(at) = input.windows(5).position(|w| w == b"HELLO") {
            input.drain(..(at + "HELLO\r\n$1\r\n3\r\n".len()).min(input.len()));
            socket.write_all(b"%1\r\n+server\r\n+x\r\n").ok()?;
        }
        let text = String::from_utf8_lossy(&input).into_owned();
        let lines: Vec<&str> = text.split("\r\n").collect();
        if COMMANDS.iter().any(|c| lines.get(2) == Some(c)) && lines.len() > 5 {
            let number: usize = lines[4].parse().expect("a number");
            socket.write_all(replies[number].as_bytes()).ok()?;
            input.clear();
        }
    }
}

fn listen(replies: &'static [&'static str]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            std::thread::spawn(move || serve(socket, replies));
        }
    });
    port
}

#[test]
fn every_type_is_printed_as_redis_cli_prints_it() {
    let Some(theirs) = redis_cli() else { return };
    let port = listen(REPLIES);
    for (number, reply) in REPLIES.iter().enumerate() {
        let number = number.to_string();
        for style in STYLES {
            for command in COMMANDS {
                let args = [style, &[*command, &number][..]].concat();
                let wanted = told(&run(&theirs, port, &args, b""));
                let got = told(&run(ochre_cli(), port, &args, b""));
                assert_eq!(got, wanted, "{args:?} {reply:?}");
            }
        }
    }
}

/// What redis-cli refuses to print.
#[test]
fn the_other_types_are_printed_too() {
    const OTHERS: &[&str] = &[
        "(12345678901234567890\r\n",
        "!5\r\nERR \x01\r\n",
        ",nan\r\n",
        "|1\r\n+ttl\r\n:3\r\n*1\r\n(7\r\n",
    ];
    let port = listen(OTHERS);
    let table = [
        ("0", "--no-raw", "(big number) 12345678901234567890\n"),
        ("0", "--json", "12345678901234567890\n"),
        ("1", "--no-raw", "(error) ERR \x01\n"),
        ("1", "--csv", "ERROR,\"ERR \\x01\"\n"),
        ("2", "--no-raw", "(double) nan\n"),
        ("3", "--no-raw", "1) (big number) 7\n"),
        ("3", "--raw", "7\n"),
    ];
    for (number, style, wanted) in table {
        let output = run(ochre_cli(), port, &[style, "GET", number], b"");
        assert_eq!(String::from_utf8_lossy(&output.stdout), wanted, "{style}");
    }
}

#[test]
fn nonsense_and_silence_end_it() {
    const NONSENSE: &[&str] = &["what?\r\n", "$99999999999\r\n", "*1\r\n*2\r\n?\r\n"];
    let port = listen(NONSENSE);
    for number in ["0", "1", "2"] {
        let output = run(ochre_cli(), port, &["GET", number], b"");
        assert_eq!(output.status.code(), Some(1));
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(errors.starts_with("Error: Protocol error"), "{errors}");
    }
}
