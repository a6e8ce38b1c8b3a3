//! The prompt, with history, completion and hints; and the same without a terminal, a command a line.

use crate::docs::Docs;
use crate::format::Style;
use crate::help;
use crate::reply::Reply;
use crate::session::{Outcome, Session, write_out};
use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::FileHistory;
use rustyline::validate::Validator;
use rustyline::{CompletionType, Config, Context, Editor, Helper};
use std::borrow::Cow;
use std::io::{BufRead as _, IsTerminal as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Lines of history kept.
const HISTORY_LINES: usize = 1000;
/// A command that took longer says so.
const SLOW: Duration = Duration::from_millis(500);

/// What the editor asks while somebody types.
struct Typing {
    docs: Docs,
    hints: bool,
}

/// The words of an unfinished line, and whether the last one is finished.
fn words_of(line: &str) -> Option<(Vec<String>, bool)> {
    let words = ochre_resp::split_args(line.as_bytes()).ok()?;
    let words = words
        .iter()
        .map(|w| String::from_utf8_lossy(w).into_owned());
    Some((words.collect(), line.ends_with(' ')))
}

impl Completer for Typing {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        pos: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        let typed = line[..pos].to_uppercase();
        let (start, typed) = match typed.strip_prefix("HELP ") {
            Some(rest) => (5, rest.to_owned()),
            None => (0, typed),
        };
        let mut all: Vec<String> = Vec::new();
        if start > 0 && typed.starts_with('@') {
            let groups = self.docs.groups().into_iter().map(|g| format!("@{g}"));
            all.extend(groups.filter(|g| g.to_uppercase().starts_with(&typed)));
        }
        let names = self.docs.commands.iter().map(|c| &c.name);
        all.extend(names.filter(|n| n.starts_with(&typed)).cloned());
        if typed.is_empty() && start == 0 {
            all.clear();
        }
        // Who types in small letters goes on in small letters.
        if line[start..pos].chars().any(char::is_lowercase) {
            all.iter_mut().for_each(|n| *n = n.to_lowercase());
        }
        Ok((start, all))
    }
}

impl Hinter for Typing {
    type Hint = String;

    fn hint(&self, line: &str, pos: usize, _: &Context<'_>) -> Option<String> {
        if !self.hints || pos < line.len() {
            return None;
        }
        let (words, finished) = words_of(line)?;
        let (command, name_words) = self.docs.find(&words)?;
        let whole = if finished {
            words.len()
        } else {
            words.len() - 1
        };
        if whole < name_words && !finished && words.len() > name_words {
            return None;
        }
        let typed = words
            .get(name_words..whole.max(name_words))
            .unwrap_or_default();
        // A word that is being typed takes its place already.
        let mut typed = typed.to_vec();
        if !finished && words.len() > name_words {
            typed.extend(words.last().cloned());
        }
        let hint = command.hint(&typed);
        let space = if finished { "" } else { " " };
        (!hint.is_empty()).then(|| format!("{space}{hint}"))
    }
}

impl Highlighter for Typing {
    fn highlight_hint<'h>(&self, hint: &'h str) -> Cow<'h, str> {
        Cow::Owned(format!("\x1b[90m{hint}\x1b[0m"))
    }
}

impl Validator for Typing {}
impl Helper for Typing {}

/// Runs until the end of the input, or `quit`.
pub(crate) async fn run(mut session: Session) -> ExitCode {
    if !std::io::stdin().is_terminal() {
        return run_lines(session).await;
    }
    session.interactive = true;
    let config = Config::builder().completion_type(CompletionType::Circular);
    let config = config.max_history_size(HISTORY_LINES).map(|c| c.build());
    let editor = config.and_then(Editor::<Typing, FileHistory>::with_config);
    let mut editor = match editor {
        Ok(editor) => editor,
        Err(error) => {
            eprintln!("Error: {error}");
            return ExitCode::FAILURE;
        }
    };
    let docs = ask_docs(&mut session).await;
    let mut typing = Typing { docs, hints: true };
    if let Some(path) = preferences_file() {
        // There need be none.
        let text = std::fs::read_to_string(path).unwrap_or_default();
        for line in text.lines().filter(|l| !l.trim().is_empty()) {
            if let Err(complaint) = prefer(line, &mut typing.hints) {
                println!(".redisclirc: {complaint}");
            }
        }
    }
    editor.set_helper(Some(typing));
    let history = history_file();
    if let Some(path) = &history {
        // There is none at first.
        let _ = editor.load_history(path);
    }
    loop {
        let line = match editor.readline(&session.prompt()) {
            Ok(line) => line,
            Err(ReadlineError::Eof | ReadlineError::Interrupted) => break,
            Err(error) => {
                eprintln!("Error: {error}");
                return ExitCode::FAILURE;
            }
        };
        if !line.trim().is_empty() && !is_secret(&line) {
            let kept = editor
                .add_history_entry(&line)
                .and_then(|_| match &history {
                    Some(path) => editor.append_history(path),
                    None => Ok(()),
                });
            // A history that cannot be kept is no reason to stop working.
            drop(kept);
        }
        if let Some(helper) = editor.helper_mut() {
            let Typing { docs, hints } = helper;
            if let Flow::Quit = take(&mut session, line.as_bytes(), docs, hints).await {
                break;
            }
        }
    }
    ExitCode::SUCCESS
}

/// Commands from a file or a pipe.
async fn run_lines(mut session: Session) -> ExitCode {
    let (mut docs, mut hints) = (Docs::default(), false);
    // compat: an error ends a command given as arguments, not a list of them.
    session.options.fail = false;
    for line in std::io::stdin().lock().split(b'\n') {
        let line = match line {
            Ok(line) => line,
            Err(error) => {
                eprintln!("Error: {error}");
                return ExitCode::FAILURE;
            }
        };
        if let Flow::Quit = take(&mut session, &line, &mut docs, &mut hints).await {
            break;
        }
    }
    ExitCode::SUCCESS
}

enum Flow {
    On,
    Quit,
}

/// Whether a command asks for help, which is no business of the server's.
pub(crate) fn is_help(words: &[Vec<u8>]) -> bool {
    let first = words.first();
    first.is_some_and(|w| w.eq_ignore_ascii_case(b"help") || w == b"?")
}

/// Answers a command that asks for help.
pub(crate) async fn help(session: &mut Session, words: &[Vec<u8>]) {
    let docs = ask_docs(session).await;
    print_help(&docs, words);
}

fn print_help(docs: &Docs, words: &[Vec<u8>]) {
    let about = words[1..]
        .iter()
        .map(|w| String::from_utf8_lossy(w).into_owned());
    help::print(docs, &about.collect::<Vec<_>>());
}

/// Takes a preference, which is a line that begins with a colon.
fn prefer(line: &str, hints: &mut bool) -> Result<(), String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    match words[..] {
        [":set", "hints"] => *hints = true,
        [":set", "nohints"] => *hints = false,
        [":set", other, ..] => return Err(format!("unknown redis-cli preference '{other}'")),
        [":set"] => return Err("unknown redis-cli preference ''".to_owned()),
        _ => {
            let first = words.first().unwrap_or(&"");
            return Err(format!("unknown redis-cli internal command '{first}'"));
        }
    }
    Ok(())
}

/// Does what a line says.
async fn take(session: &mut Session, line: &[u8], docs: &mut Docs, hints: &mut bool) -> Flow {
    let Ok(words) = ochre_resp::split_args(line) else {
        println!("Invalid argument(s)");
        return Flow::On;
    };
    let first = words
        .first()
        .map(|w| String::from_utf8_lossy(w).to_lowercase());
    let Some(first) = first else { return Flow::On };
    match (first.as_str(), words.len()) {
        ("quit" | "exit", _) => return Flow::Quit,
        ("restart", _) => println!("Use 'restart' only in Lua debugging mode."),
        ("clear", 1) => write_out(b"\x1b[H\x1b[2J"),
        (preference, _) if preference.starts_with(':') => {
            if let Err(complaint) = prefer(&String::from_utf8_lossy(line), hints) {
                println!("{complaint}");
            }
        }
        _ if is_help(&words) => {
            if docs.commands.is_empty() {
                *docs = ask_docs(session).await;
            }
            print_help(docs, &words);
        }
        ("connect", 3) => {
            session.options.host = String::from_utf8_lossy(&words[1]).into_owned();
            // compat: what is no number is port 0, which cannot be connected to.
            session.options.port = String::from_utf8_lossy(&words[2]).parse().unwrap_or(0);
            session.options.socket = None;
            session.connect().await;
        }
        _ => repeat(session, &words).await,
    }
    Flow::On
}

/// Runs a command, as often as a number before it says.
async fn repeat(session: &mut Session, words: &[Vec<u8>]) {
    let number = std::str::from_utf8(&words[0]).ok();
    let number = number.and_then(|w| w.parse::<i64>().ok());
    let (times, words) = match number {
        Some(times) if words.len() > 1 => (u64::try_from(times).unwrap_or(0), &words[1..]),
        // compat: `-r` is for a command given as arguments.
        _ => (1, words),
    };
    if times == 0 {
        return println!("Invalid redis-cli repeat command option value.");
    }
    let start = Instant::now();
    for turn in 0..times {
        if session.run(words).await == Outcome::Lost {
            return;
        }
        if let Some(interval) = session.options.interval
            && turn + 1 < times
        {
            tokio::time::sleep(interval).await;
        }
    }
    let took = start.elapsed();
    if session.interactive && took >= SLOW && session.options.style == Style::Standard {
        println!("({:.2}s)", took.as_secs_f64());
    }
}

/// What the server says of its commands; nothing if it cannot or may not say it.
async fn ask_docs(session: &mut Session) -> Docs {
    if session.link.is_none() {
        return Docs::default();
    }
    match session.ask(&["COMMAND", "DOCS"]).await {
        Some(Reply::Error(_)) | None => Docs::default(),
        Some(reply) => Docs::from_reply(&reply),
    }
}

/// `REDISCLI_RCFILE`, or `.redisclirc` in the home folder; nothing for `/dev/null`.
fn preferences_file() -> Option<PathBuf> {
    named_file("REDISCLI_RCFILE", ".redisclirc")
}

/// `REDISCLI_HISTFILE`, or a file in the home folder; nothing for `/dev/null`.
fn history_file() -> Option<PathBuf> {
    named_file("REDISCLI_HISTFILE", ".ochrecli_history")
}

fn named_file(variable: &str, in_home: &str) -> Option<PathBuf> {
    match std::env::var_os(variable) {
        Some(path) if path == "/dev/null" => None,
        Some(path) => Some(PathBuf::from(path)),
        None => Some(PathBuf::from(std::env::var_os("HOME")?).join(in_home)),
    }
}

/// Whether a line holds a password.
fn is_secret(line: &str) -> bool {
    let words: Vec<String> = line.split_whitespace().map(str::to_lowercase).collect();
    let has = |word: &str| words.iter().any(|w| w.trim_matches(['"', '\'']) == word);
    match words.first().map(String::as_str) {
        Some("auth") => true,
        Some("acl") => has("setuser"),
        Some("hello") => has("auth"),
        Some("migrate") => has("auth") || has("auth2"),
        Some("config") => [
            "requirepass",
            "masterauth",
            "masteruser",
            "tls-key-file-pass",
        ]
        .iter()
        .any(|name| has(name)),
        Some(number) if number.parse::<u64>().is_ok() => is_secret(
            line.trim_start()
                .trim_start_matches(|c: char| c.is_ascii_digit()),
        ),
        _ => false,
    }
}
