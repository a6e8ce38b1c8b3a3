//! The program at a pseudo-terminal, which `script` of util-linux makes: what is typed goes in as keys.

use crate::{ochre_cli, server, with_each};
use ochre::Server;
use std::io::{Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// Longest wait for anything on the screen.
const PATIENCE: Duration = Duration::from_secs(20);

/// A program at a terminal.
struct Terminal {
    child: Child,
    output: Receiver<Vec<u8>>,
    /// What came and was not waited for yet.
    screen: String,
    /// All that came, control sequences included.
    seen: String,
}

impl Terminal {
    /// `None` where there is no `script`.
    fn start(port: u16, history: &str) -> Option<Terminal> {
        Terminal::with(port, "", &[("REDISCLI_HISTFILE", history)])
    }

    /// With more options, and variables of the environment.
    fn with(port: u16, options: &str, variables: &[(&str, &str)]) -> Option<Terminal> {
        // In the shell's place: a shell that stayed between would die of Ctrl-C, and its end be taken for the program's.
        // With SIGINT as it is by default: who is started in the background may have inherited that it is ignored.
        let command = format!(
            "exec env --default-signal=INT {} -p {port} {options}",
            ochre_cli()
        );
        let child = Command::new("script")
            .args(["-q", "-e", "-f", "-c", &command, "/dev/null"])
            .env("TERM", "xterm")
            .env("REDISCLI_HISTFILE", "/dev/null")
            .env("REDISCLI_RCFILE", "/dev/null")
            .env_remove("REDISCLI_AUTH")
            .envs(variables.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn();
        let mut child = match child {
            Ok(child) => child,
            Err(error) => {
                let ci = std::env::var("CI").is_ok_and(|v| v == "true");
                assert!(!ci, "CI=true allows no skipping: script: {error}");
                eprintln!("skipped for want of script: {error}");
                return None;
            }
        };
        let mut stdout = child.stdout.take().expect("its output");
        let (sender, output) = channel();
        std::thread::spawn(move || {
            let mut some = [0; 4096];
            while let Ok(n) = stdout.read(&mut some) {
                if n == 0 || sender.send(some[..n].to_vec()).is_err() {
                    return;
                }
            }
        });
        Some(Terminal {
            child,
            output,
            screen: String::new(),
            seen: String::new(),
        })
    }

    fn keys(&mut self, keys: &str) {
        let input = self.child.stdin.as_mut().expect("its input");
        input.write_all(keys.as_bytes()).expect("it takes keys");
        input.flush().expect("it takes keys");
    }

    /// Waits for `text`; what came before it and itself are done with.
    fn wait(&mut self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(at) = self.screen.find(text) {
                self.screen.drain(..at + text.len());
                return;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(bytes) = self.output.recv_timeout(left) else {
                panic!("no {text:?} on the screen: {:?}", self.screen);
            };
            self.screen.push_str(&plain(&bytes));
            self.seen.push_str(&String::from_utf8_lossy(&bytes));
        }
    }

    /// Waits for the end; gives the exit status.
    fn end(&mut self) -> Option<i32> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                return status.code();
            }
            assert!(
                Instant::now() < deadline,
                "it does not end: {:?}",
                self.screen
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Text without the terminal's control sequences.
fn plain(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut out = String::new();
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        if c != '\x1b' {
            out.push(c);
            continue;
        }
        if rest.next_if_eq(&'[').is_some() {
            while rest.next_if(|c| !c.is_ascii_alphabetic()).is_some() {}
            rest.next();
        }
    }
    out
}

#[test]
fn the_prompt_shows_place_database_and_transaction() {
    let (server, port) = server();
    let Some(mut terminal) = Terminal::start(port, "/dev/null") else {
        return;
    };
    let place = format!("127.0.0.1:{port}");
    terminal.wait(&format!("{place}> "));
    terminal.keys("set k v\r");
    terminal.wait("OK\r\n");
    terminal.keys("get k\r");
    terminal.wait("\"v\"\r\n");
    terminal.keys("select 3\r");
    terminal.wait(&format!("{place}[3]> "));
    terminal.keys("multi\r");
    terminal.wait(&format!("{place}[3](TX)> "));
    terminal.keys("incr k\r");
    terminal.wait("QUEUED");
    terminal.keys("exec\r");
    terminal.wait("1) (integer) 1\r\n");
    terminal.wait(&format!("{place}[3]> "));
    drop(server);
    terminal.keys("get k\r");
    terminal.wait("Error: ");
    terminal.wait("not connected> ");
    terminal.keys("get k\r");
    terminal.wait("Could not connect to Redis at");
    terminal.wait("not connected> ");
    terminal.keys("quit\r");
    assert_eq!(terminal.end(), Some(0));
}

#[test]
fn hints_completion_and_help_come_from_the_server() {
    let (_server, port) = server();
    let Some(mut terminal) = Terminal::start(port, "/dev/null") else {
        return;
    };
    terminal.wait("> ");
    terminal.keys("getrange ");
    terminal.wait("key start end");
    terminal.keys("mykey ");
    terminal.wait("start end");
    terminal.keys("1 ");
    terminal.wait("end");
    terminal.keys("\x15zrange k 0 1 limit 0 5 ");
    terminal.wait("limit 0 5 [BYSCORE|BYLEX] [REV] [WITHSCORES]");
    terminal.keys("\x15hgeta\t");
    terminal.wait("hgetall");
    terminal.keys("\x15help getrange\r");
    terminal.wait("GETRANGE key start end");
    terminal.wait("summary:");
    terminal.wait("since: 2.4.0");
    terminal.wait("group: string");
    terminal.keys("help @pubsub\r");
    terminal.wait("PSUBSCRIBE pattern [pattern ...]");
    // What is typed before the prompt is there is another mode's.
    terminal.wait("> ");
    terminal.keys("\x04");
    assert_eq!(terminal.end(), Some(0));
}

#[test]
fn ctrl_c_leaves_what_waits_and_the_prompt_comes_back() {
    with_each(leave_what_waits);
}

fn leave_what_waits(port: u16) {
    let Some(mut terminal) = Terminal::start(port, "/dev/null") else {
        return;
    };
    let publish = |text: &str| {
        let output = crate::run(ochre_cli(), port, &["publish", "c", text], b"");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    terminal.wait("> ");
    terminal.keys("subscribe c\r");
    terminal.wait("Reading messages... (press Ctrl-C to quit)");
    terminal.wait("3) (integer) 1");
    assert_eq!(publish("hello"), "1\n");
    terminal.wait("1) \"message\"\r\n2) \"c\"\r\n3) \"hello\"");
    terminal.keys("\x03");
    terminal.wait("> ");
    let known = crate::run(ochre_cli(), port, &["command", "info", "monitor"], b"");
    if known.stdout.starts_with(b"monitor") {
        terminal.keys("monitor\r");
        terminal.wait("OK");
        publish("seen");
        terminal.wait("\"publish\" \"c\" \"seen\"");
        terminal.keys("\x03");
        terminal.wait("> ");
    } else {
        eprintln!("skipped where the server has no MONITOR");
    }
    terminal.keys("blpop nothing 0\r");
    terminal.wait("blpop nothing 0\r\r\n");
    terminal.keys("\x03");
    terminal.wait("> ");
    terminal.keys("get k\r");
    terminal.wait("(nil)");
    terminal.wait("> ");
    terminal.keys("\x03");
    assert_eq!(terminal.end(), Some(0));
}

#[test]
fn a_transaction_does_not_go_on_upon_another_connection() {
    let (_server, port) = server();
    let Some(mut terminal) = Terminal::start(port, "/dev/null") else {
        return;
    };
    terminal.wait("> ");
    terminal.keys("multi\r");
    terminal.wait("(TX)> ");
    let killed = crate::run(
        ochre_cli(),
        port,
        &["client", "kill", "type", "normal"],
        b"",
    );
    assert_eq!(killed.stdout, b"1\n");
    terminal.keys("set k v\r");
    terminal.wait("Error: ");
    terminal.wait("not connected> ");
    terminal.keys("exec\r");
    terminal.wait("(error) ERR EXEC without MULTI");
    terminal.wait("> ");
    terminal.keys("get k\r");
    terminal.wait("(nil)");
    terminal.wait("> ");
    terminal.keys("\x04");
    assert_eq!(terminal.end(), Some(0));
}

#[test]
fn a_password_is_asked_for_and_not_shown() {
    let server = Server::builder()
        .port(0)
        .workers(1)
        .setting("requirepass", "hush hush")
        .start()
        .expect("a server");
    let port = server.port().expect("a port");
    for options in ["--askpass", "--askpass -a wrong --no-auth-warning"] {
        let variables = [("REDISCLI_AUTH", "wrong")];
        let Some(mut terminal) = Terminal::with(port, options, &variables) else {
            return;
        };
        terminal.wait("Please input password: ");
        terminal.keys("hush huX\x7fsh\r");
        terminal.wait("> ");
        terminal.keys("ping\r");
        terminal.wait("PONG");
        terminal.wait("> ");
        terminal.keys("\x04");
        assert_eq!(terminal.end(), Some(0));
        assert!(terminal.seen.contains("*********"), "{:?}", terminal.seen);
        assert!(!terminal.seen.contains("hu"), "{:?}", terminal.seen);
        assert!(
            !terminal.seen.contains("AUTH failed"),
            "{:?}",
            terminal.seen
        );
    }
}

#[test]
fn preferences_come_from_a_file_and_from_the_prompt() {
    let (_server, port) = server();
    let file = std::env::temp_dir().join(format!("ochre-cli-rc-{}", std::process::id()));
    std::fs::write(&file, ":set nohints\n\n:set bogus\nget k\n").expect("a written file");
    let path = file.to_str().expect("UTF-8");
    let Some(mut terminal) = Terminal::with(port, "", &[("REDISCLI_RCFILE", path)]) else {
        return;
    };
    terminal.wait(".redisclirc: unknown redis-cli preference 'bogus'");
    terminal.wait(".redisclirc: unknown redis-cli internal command 'get'");
    terminal.wait("> ");
    terminal.keys("getrange ");
    terminal.keys("\x15echo done\r");
    terminal.wait("\"done\"");
    terminal.wait("> ");
    assert!(!terminal.seen.contains("key start"), "{:?}", terminal.seen);
    terminal.keys(":set hints\r");
    terminal.wait("hints\r\n");
    terminal.wait("> ");
    terminal.keys("getrange ");
    terminal.wait("key start end");
    terminal.keys("\x15:nonsense\r");
    terminal.wait("unknown redis-cli internal command ':nonsense'");
    terminal.wait("> ");
    terminal.keys("clear\r");
    terminal.wait("clear\r\n");
    terminal.wait("> ");
    assert!(
        terminal.seen.contains("\x1b[H\x1b[2J"),
        "{:?}",
        terminal.seen
    );
    terminal.keys("\x04");
    assert_eq!(terminal.end(), Some(0));
    std::fs::remove_file(file).expect("it is there");
}

#[test]
fn passwords_are_not_kept_and_history_is() {
    let (_server, port) = server();
    let history = std::env::temp_dir().join(format!("ochre-cli-history-{}", std::process::id()));
    let path = history.to_str().expect("UTF-8");
    for keys in ["set first line\r", "auth secret\r"] {
        let Some(mut terminal) = Terminal::start(port, path) else {
            return;
        };
        terminal.wait("> ");
        terminal.keys(keys);
        terminal.wait("\r\n");
        terminal.wait("> ");
        terminal.keys("\x1b[A");
        terminal.wait("set first line");
        terminal.keys("\x15\x04");
        assert_eq!(terminal.end(), Some(0));
    }
    let kept = std::fs::read_to_string(path).expect("a history");
    assert!(!kept.contains("secret"), "{kept}");
    std::fs::remove_file(path).expect("it is there");
}

/// The modes that go on until Ctrl-C, against both servers.
#[test]
fn latencies_are_shown_until_ctrl_c() {
    with_each(show_latencies);
}

fn show_latencies(port: u16) {
    let modes: [(&str, &[&str]); 3] = [
        // One line, written over and over.
        ("--latency", &["(2 samples)", "(9 samples)"]),
        // A line an interval; the samples begin anew with each.
        (
            "--latency-history -i 0.2",
            &["(2 samples)", " -- 0.2", "min: ", "(1 samples)", " -- 0.2"],
        ),
        (
            "--latency-dist -i 0.1",
            &[
                ". - * #",
                "From 0 to 100%: ",
                ".-*#123456789ABCDEFGHIJKLMNOPQ?\r\n",
                ".-*#123456789ABCDEFGHIJKLMNOPQ?\r\n",
            ],
        ),
    ];
    for (options, texts) in modes {
        let Some(mut terminal) = Terminal::with(port, options, &[]) else {
            return;
        };
        texts.iter().for_each(|text| terminal.wait(text));
        terminal.keys("\x03");
        // As a shell tells the end by SIGINT.
        assert_eq!(terminal.end(), Some(130), "{options}");
    }
}
