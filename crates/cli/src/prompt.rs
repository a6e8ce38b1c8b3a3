//! The prompt, with history, completion and hints; and the same without a terminal, a command a line.

use crate::docs::Docs;
use crate::format::Style;
use crate::help;
use crate::reply::Reply;
use crate::session::{Outcome, Session};
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
    editor.set_helper(Some(Typing { docs, hints: true }));
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
            match line.trim() {
                ":set hints" => helper.hints = true,
                ":set nohints" => helper.hints = false,
                _ => {
                    if let Flow::Quit = take_line(&mut session, &line, &mut helper.docs).await {
                        break;
                    }
                }
            }
        }
    }
    ExitCode::SUCCESS
}

/// Commands from a file or a pipe.
async fn run_lines(mut session: Session) -> ExitCode {
    let mut docs = Docs::default();
    for line in std::io::stdin().lock().split(b'\n') {
        let line = match line {
            Ok(line) => line,
            Err(error) => {
                eprintln!("Error: {error}");
                return ExitCode::FAILURE;
            }
        };
        match take_bytes(&mut session, &line, &mut docs).await {
            Flow::Quit => break,
            Flow::Failed if session.options.fail => return ExitCode::FAILURE,
            Flow::Failed | Flow::On => {}
        }
    }
    ExitCode::SUCCESS
}

enum Flow {
    On,
    Failed,
    Quit,
}

async fn take_line(session: &mut Session, line: &str, docs: &mut Docs) -> Flow {
    take_bytes(session, line.as_bytes(), docs).await
}

/// Does what a line says.
async fn take_bytes(session: &mut Session, line: &[u8], docs: &mut Docs) -> Flow {
    let Ok(words) = ochre_resp::split_args(line) else {
        println!("Invalid argument(s)");
        return Flow::Failed;
    };
    let first = words
        .first()
        .map(|w| String::from_utf8_lossy(w).to_lowercase());
    let Some(first) = first else { return Flow::On };
    match (first.as_str(), words.len()) {
        ("quit" | "exit", 1) => return Flow::Quit,
        ("clear", 1) => print!("\x1b[H\x1b[2J"),
        ("help" | "?", _) => {
            if docs.commands.is_empty() {
                *docs = ask_docs(session).await;
            }
            let about = words[1..]
                .iter()
                .map(|w| String::from_utf8_lossy(w).into_owned());
            help::print(docs, &about.collect::<Vec<_>>());
        }
        ("connect", 3) => {
            session.options.host = String::from_utf8_lossy(&words[1]).into_owned();
            // compat: what is no number is port 0, which cannot be connected to.
            session.options.port = String::from_utf8_lossy(&words[2]).parse().unwrap_or(0);
            session.options.socket = None;
            if !session.connect().await {
                return Flow::Failed;
            }
        }
        _ => return repeat(session, &words).await,
    }
    Flow::On
}

/// Runs a command, as often as a number before it says.
async fn repeat(session: &mut Session, words: &[Vec<u8>]) -> Flow {
    let times = std::str::from_utf8(&words[0])
        .ok()
        .and_then(|w| w.parse::<u64>().ok());
    let (times, words) = match times {
        Some(times) if times > 0 && words.len() > 1 => (times, &words[1..]),
        _ => (session.options.repeat.unwrap_or(u64::MAX), words),
    };
    let start = Instant::now();
    let mut flow = Flow::On;
    for turn in 0..times {
        match session.run(words).await {
            Outcome::Answered => {}
            Outcome::Refused => flow = Flow::Failed,
            Outcome::Lost => return Flow::Failed,
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
    flow
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

/// `REDISCLI_HISTFILE`, or a file in the home folder; nothing for `/dev/null`.
fn history_file() -> Option<PathBuf> {
    match std::env::var_os("REDISCLI_HISTFILE") {
        Some(path) if path == "/dev/null" => None,
        Some(path) => Some(PathBuf::from(path)),
        None => Some(PathBuf::from(std::env::var_os("HOME")?).join(".ochrecli_history")),
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
