//! Users in files: the `aclfile`, and `user` lines of the settings file.
//!
//! Invariants
//! - A file is taken over as a whole or not at all; an error names its line.
//! - What is written reads back as the same users.
//!
//! An `aclfile` has one `user` line for each user and blank lines, and nothing else: no comments.

use super::rules::{Frame, Rules};
use super::selector::has_spaces;
use super::{DEFAULT_USER, Reason, merge_selectors};
use crate::error::{CommandError, printed};
use crate::exec::{Engine, Session};
use crate::ports::LogLevel;
use crate::settings::{LoadError, UserLine, id};
use std::collections::BTreeMap;
use std::io;

/// The end of every complaint about a file.
const UNCHANGED: &str =
    "WARNING: ACL errors detected, no change to the previously active ACL rules was performed";

type Users = BTreeMap<Vec<u8>, Rules>;

/// Appends the parts of a complaint.
fn complain(errors: &mut Vec<u8>, parts: &[&[u8]]) {
    parts.iter().for_each(|part| errors.extend_from_slice(part));
}

/// Reads an ACL file.
///
/// # Errors
/// All complaints in one line.
pub(super) fn parse_file(frame: Frame<'_>, path: &str, text: &[u8]) -> Result<Users, Vec<u8>> {
    let (mut users, mut errors) = (Users::new(), Vec::new());
    for (index, line) in text.split(|b| *b == b'\n').enumerate() {
        let line = line.trim_ascii();
        if !line.is_empty() {
            parse_line(frame, path, index + 1, line, &mut users, &mut errors);
        }
    }
    if errors.is_empty() {
        return Ok(users);
    }
    errors.extend_from_slice(UNCHANGED.as_bytes());
    Err(errors)
}

fn parse_line(
    frame: Frame<'_>,
    path: &str,
    number: usize,
    line: &[u8],
    users: &mut Users,
    errors: &mut Vec<u8>,
) {
    let place = format!("{path}:{number}");
    let mut words = line.split(|b| *b == b' ');
    let (Some(b"user"), Some(name)) = (words.next(), words.next()) else {
        let text = " should start with user keyword followed by the username. ";
        return complain(errors, &[place.as_bytes(), text.as_bytes()]);
    };
    if has_spaces(name) {
        let parts: [&[u8]; 4] = [
            place.as_bytes(),
            b": username '",
            printed(name),
            b"' contains invalid characters. ",
        ];
        return complain(errors, &parts);
    }
    if users.contains_key(name) {
        let line = format!("' found on line {number}. ");
        let start = b"WARNING: Duplicate user '";
        return complain(errors, &[start, name, line.as_bytes()]);
    }
    let trimmed = words.map(|word| word.trim_ascii());
    let Ok(merged) = merge_selectors(trimmed) else {
        let text = ": Unmatched parenthesis in selector definition.";
        return complain(errors, &[place.as_bytes(), text.as_bytes()]);
    };
    let (mut rules, mut told) = (Rules::new(frame), false);
    for word in &merged {
        match rules.apply(frame, word) {
            Ok(()) => {}
            Err(reason @ Reason::Unknown) => complain(
                errors,
                &[
                    place.as_bytes(),
                    b": Error in applying operation '",
                    printed(word),
                    b"': ",
                    reason.text().as_bytes(),
                    b". ",
                ],
            ),
            // compat: of the other errors a line tells the first.
            Err(reason) => {
                if !std::mem::replace(&mut told, true) {
                    let text = format!("{place}: {}. ", reason.text());
                    errors.extend_from_slice(text.as_bytes());
                }
            }
        }
    }
    users.insert(name.to_vec(), rules);
}

/// What the system says is wrong, without its number.
fn system_text(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error") {
        Some((text, _)) => text.to_owned(),
        None => text,
    }
}

/// A line as the settings file reads it back: words with unusual bytes in quotes.
fn quoted(line: &[u8]) -> Vec<u8> {
    let plain = |b: &u8| b.is_ascii_graphic() && !matches!(b, b'"' | b'\'' | b'\\');
    let mut text = Vec::with_capacity(line.len());
    for word in line.split(|b| *b == b' ') {
        if !text.is_empty() {
            text.push(b' ');
        }
        if !word.is_empty() && word.iter().all(plain) {
            text.extend_from_slice(word);
        } else {
            ochre_resp::quote_arg(&mut text, word);
        }
    }
    text
}

impl Engine {
    /// Takes over the users of the ACL file, and closes the connections of those that are not in it.
    ///
    /// # Errors
    /// What is wrong with the file; nothing is changed then.
    pub(crate) fn load_acl_file(&self, session: Option<&mut Session>) -> Result<(), CommandError> {
        let Some(path) = self.acl_file.path() else {
            return Err(CommandError::ACL_NO_FILE);
        };
        let text = self.acl_file.read().map_err(|error| {
            let reason = system_text(&error);
            let text = format!("ERR Error loading ACLs, opening file '{path}': {reason}");
            CommandError::new(text)
        })?;
        let users = parse_file(self.acl_frame(), &path, &text)
            .map_err(|errors| CommandError::new([b"ERR ".as_slice(), &errors].concat()))?;
        self.replace_users(session, users);
        Ok(())
    }

    /// Writes all users to the ACL file.
    ///
    /// # Errors
    /// When there is none, or it cannot be written: the reason is in the log.
    pub(crate) fn save_acl_file(&self) -> Result<(), CommandError> {
        if self.acl_file.path().is_none() {
            return Err(CommandError::ACL_NO_FILE);
        }
        let mut text = Vec::new();
        for user in self.acl.users() {
            text.extend_from_slice(&user.rules().describe(user.name()));
            text.push(b'\n');
        }
        self.acl_file.write(&text).map_err(|error| {
            let text = format!("Writing the ACL file failed: {error}");
            self.runtime.log(LogLevel::Warning, &text);
            CommandError::ACL_SAVE
        })
    }

    /// Takes over the users that the settings file declares, or those of the ACL file. Called once, before connections.
    ///
    /// # Errors
    /// Why the server cannot start.
    pub fn load_users(&self) -> Result<(), String> {
        let lines = self.settings.user_lines();
        let has_file = self.acl_file.path().is_some();
        match (lines.is_empty(), has_file) {
            (true, false) => Ok(()),
            (true, true) => self.load_acl_file(None).map_err(|error| {
                let text = error.to_string();
                let reason = text.strip_prefix("ERR ").unwrap_or(&text);
                format!("Aborting startup because of ACL errors: {reason}")
            }),
            (false, true) => Err("Users are declared in the settings file, and there is an ACL file, too. Declare users in one of them only: with both, it is too easy to believe in rules that are not in force.".to_owned()),
            (false, false) => lines.iter().try_for_each(|line| self.declare(line)),
        }
    }

    /// Takes over one `user` line of the settings file.
    fn declare(&self, line: &UserLine) -> Result<(), String> {
        let fault = |reason: String| {
            let error = LoadError::Line {
                place: line.place.clone(),
                number: line.number,
                line: line.text.clone(),
                reason,
            };
            error.to_string()
        };
        let declared = |what: &[u8], reason: &str| {
            let what = String::from_utf8_lossy(printed(what)).into_owned();
            fault(format!("Error in user declaration '{what}': {reason}"))
        };
        let name = &line.name;
        if has_spaces(name) {
            return Err(declared(name, "Spaces not allowed in ACL usernames"));
        }
        if line.again {
            return Err(declared(
                name,
                "Duplicate user found. A user can only be defined once in config files",
            ));
        }
        let frame = self.acl_frame();
        let words = merge_selectors(line.rules.iter().map(Vec::as_slice))
            .map_err(|word| declared(word, "Unmatched parenthesis"))?;
        let mut rules = Rules::new(frame);
        for word in words {
            rules
                .apply(frame, &word)
                .map_err(|reason| declared(&word, reason.text()))?;
        }
        self.declare_user(name, rules);
        Ok(())
    }

    /// The `user` lines that CONFIG REWRITE writes: none with an ACL file. The default user's is left out where it follows
    /// from `requirepass`, so that a later change of that in the file counts.
    pub(crate) fn user_lines(&self) -> Vec<Vec<u8>> {
        if self.acl_file.path().is_some() {
            return Vec::new();
        }
        let mut implied = Rules::pristine(&self.lookup);
        implied.require(&self.settings.text(id::REQUIREPASS));
        let implied = implied.describe(DEFAULT_USER);
        let users = self.acl.users();
        let lines = users.iter().map(|u| u.rules().describe(u.name()));
        lines
            .filter(|line| *line != implied)
            .map(|line| quoted(&line))
            .collect()
    }
}
