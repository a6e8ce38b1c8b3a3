//! `--askpass`: a password typed at the terminal, of which the screen shows stars.

use rustyline::completion::Completer;
use rustyline::config::Configurer as _;
use rustyline::error::ReadlineError;
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::Hinter;
use rustyline::history::MemHistory;
use rustyline::validate::Validator;
use rustyline::{Editor, Helper};
use std::borrow::Cow;

/// Shows a star in the place of every character.
struct Stars;

impl Highlighter for Stars {
    fn highlight<'l>(&self, line: &'l str, _: usize) -> Cow<'l, str> {
        Cow::Owned("*".repeat(line.chars().count()))
    }

    fn highlight_char(&self, _: &str, _: usize, kind: CmdKind) -> bool {
        // Every change, so that nothing is echoed as it was typed.
        kind != CmdKind::MoveCursor
    }
}

impl Completer for Stars {
    type Candidate = String;
}

impl Hinter for Stars {
    type Hint = String;
}

impl Validator for Stars {}
impl Helper for Stars {}

/// Asks for the password. The standard input may be a file; then its first line is taken.
pub(crate) fn ask() -> Result<String, ReadlineError> {
    let mut editor: Editor<Stars, MemHistory> =
        Editor::with_history(rustyline::Config::default(), MemHistory::new())?;
    editor.set_auto_add_history(false);
    editor.set_helper(Some(Stars));
    editor.readline("Please input password: ")
}
