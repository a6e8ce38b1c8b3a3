//! Help: of the program, and of the server's commands.

use crate::docs::{Command, Docs};
use crate::session::write_out;

/// What `--help` prints.
pub(crate) const USAGE: &str = concat!("ochre-cli ", env!("CARGO_PKG_VERSION"), "

Usage: ochre-cli [OPTIONS] [cmd [arg [arg ...]]]

Connection
  -h HOST                Host of the server (default: 127.0.0.1).
  -p PORT                Port of the server (default: 6379).
  -s SOCKET              Unix socket of the server, instead of host and port.
  -u URL                 redis://[user[:password]@]host[:port][/db], rediss:// with TLS, unix:///path.
  -a, --pass PASSWORD    Password; the variable REDISCLI_AUTH is the safer place for it.
  --user NAME            User that the password belongs to.
  --askpass              Asks for the password, whatever -a and REDISCLI_AUTH say.
  --no-auth-warning      No warning of passwords on the command line.
  -n DB                  Database.
  -2, -3                 RESP2 or RESP3.
  --tls                  Encrypts the connection.
  --sni NAME             Name that the server's certificate has to be for.
  --cacert FILE          Certificates to trust; --cacertdir DIR for a folder of them.
  --cert FILE --key FILE Certificate to show to the server.
  --insecure             Takes any certificate.
  --tls-ciphers LIST     Ciphers of TLS 1.2, in OpenSSL's names; --tls-ciphersuites LIST for TLS 1.3.
  --verbose              Tells what is done to connect.

Commands
  -r N                   Runs the command N times, -1 for ever.
  -i SECONDS             Waits between two runs, or two batches of a scan; parts of a second are fine.
  -x                     The last argument comes from the standard input.
  -X TAG                 The argument TAG comes from the standard input.
  -e                     An error of the command is an exit status of 1.
  -c                     Follows redirections of a cluster.
  --quoted-input         Arguments may be quoted strings.
  --eval FILE            Runs a Lua script; a comma parts keys from arguments.

Output
  --raw, --no-raw        Bare values, or formatted ones (default: formatted on a terminal).
  -d TEXT, -D TEXT       What stands between raw values, and between raw replies.
  --csv, --json          CSV; JSON, which asks for RESP3.
  --quoted-json          JSON in ASCII.
  --show-pushes yes|no   Whether push messages are printed.

Modes
  --scan                 Lists all keys.
  --bigkeys, --memkeys   Finds the biggest keys by elements, or by memory (--memkeys-samples N).
  --hotkeys              Finds the keys used most; needs an LFU policy.
  --pattern PATTERN      Looks only at keys that match; --quoted-pattern takes a quoted string.
  --table                The table front (default port: 9527); `help` at its prompt lists its commands.
  --stat                 Figures of the server, a line a second.
  --latency              Time of a PING; --latency-history keeps a line per 15 seconds (-i).
  --latency-dist         Time of a PING as a spectrum of colours.
  --intrinsic-latency N  What the machine itself adds, measured for N seconds.
  --pipe                 Sends the standard input as it is; --pipe-timeout SECONDS for the last reply.
  --lru-test KEYS        Puts a cache to the test: 80 of 100 accesses go to 20 of 100 keys, which are named lru:1, lru:2, …
  --replica              Shows the changes that the server sends to its replicas.
  --rdb FILE             Fetches a snapshot; - is the standard output. --functions-rdb FILE: of the functions only.

  --help, --version

Without a command it shows a prompt, where `help` tells more.
");

const AT_PROMPT: &str = "\
`help COMMAND` tells of a command, `help @GROUP` of a group of them; the tabulator completes names.\n\
`connect HOST PORT` goes to another server, a number before a command repeats it, `clear` and `quit` do what they say.\n\
`:set nohints` and `:set hints` switch the hints off and on.\n\
Ctrl-C leaves SUBSCRIBE, MONITOR and commands that wait.\n";

/// Answers `help …` at the prompt.
pub(crate) fn print(docs: &Docs, about: &[String]) {
    let Some(first) = about.first() else {
        let mut text = AT_PROMPT.to_owned();
        if !docs.commands.is_empty() {
            text.push_str(&format!("Groups: @{}\n", docs.groups().join(" @")));
        }
        return write_out(text.as_bytes());
    };
    let mut text = String::from("\r\n");
    if let Some(group) = first.strip_prefix('@') {
        let group = group.to_lowercase();
        for command in docs.commands.iter().filter(|c| c.group == group) {
            text.push_str(&entry(command, false));
            text.push_str("\r\n");
        }
    } else {
        let wanted = about.join(" ").to_uppercase();
        let prefix = format!("{wanted} ");
        let found = docs
            .commands
            .iter()
            .filter(|c| c.name == wanted || c.name.starts_with(&prefix));
        for command in found {
            text.push_str(&entry(command, true));
            text.push_str("\r\n");
        }
    }
    write_out(text.as_bytes());
}

fn entry(command: &Command, with_group: bool) -> String {
    let Command {
        name,
        summary,
        since,
        group,
        ..
    } = command;
    let mut text = format!(
        "  \x1b[1m{name}\x1b[0m \x1b[90m{}\x1b[0m\r\n  \x1b[33msummary:\x1b[0m {summary}\r\n  \x1b[33msince:\x1b[0m {since}\r\n",
        command.syntax()
    );
    if with_group {
        text.push_str(&format!("  \x1b[33mgroup:\x1b[0m {group}\r\n"));
    }
    text
}
