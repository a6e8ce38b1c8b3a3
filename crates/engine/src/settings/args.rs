//! The command line of the server, split as redis-server splits it.
//!
//! Invariants:
//! - Options become the text of a configuration file, one line for each, read after the file.
//! - A word that starts with `--` opens an option, unless the option before it has no value yet:
//!   then it is that value. `--save` alone means `--save ''`.
//! - A first word that does not start with `-` is the file; a first or last `-` is the standard
//!   input; other words before any option are a bare line, as in `ochre-server f.conf port 7000`.
//!
//! Does not check names or values (`file` does).
//! Source: observed on redis-server 7.0.15 with the cases of the tests below.

use std::fmt;

use super::quoting;

/// What the command line asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Serve.
    Run,
    /// Print the version.
    Version,
    /// Print [`usage`].
    Help,
}

/// A command line, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invocation {
    /// What to do.
    pub action: Action,
    /// Path of the configuration file, as given.
    pub file: Option<Vec<u8>>,
    /// Whether the standard input holds configuration too.
    pub from_stdin: bool,
    /// The options, one line for each, in the syntax of a configuration file.
    pub options: Vec<u8>,
}

/// A command line that asks for something which is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandLineError(&'static str);

impl fmt::Display for CommandLineError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.0)
    }
}

impl std::error::Error for CommandLineError {}

/// The text of `--help`; `program` is the name by which the server was started.
#[must_use]
pub fn usage(program: &str) -> String {
    format!(
        "Usage: {program} [/path/to/ochre.conf] [options] [-]\n\
         \x20      {program} - (read the configuration from the standard input)\n\
         \x20      {program} -v or --version\n\
         \x20      {program} -h or --help\n\
         \n\
         Every setting of the configuration file is an option too. Examples:\n\
         \x20      {program} (run with the defaults)\n\
         \x20      {program} --port 7777 --maxmemory 2gb\n\
         \x20      {program} /etc/ochre/ochre.conf --loglevel verbose\n\
         \x20      echo 'maxmemory 128mb' | {program} -\n"
    )
}

/// Takes apart the arguments that follow the program's name.
///
/// # Errors
/// When a mode of redis-server is asked for that Ochre does not have.
pub fn parse_command_line<A: AsRef<[u8]>>(arguments: &[A]) -> Result<Invocation, CommandLineError> {
    let words: Vec<&[u8]> = arguments.iter().map(AsRef::as_ref).collect();
    let mut invocation = Invocation {
        action: Action::Run,
        file: None,
        from_stdin: false,
        options: Vec::new(),
    };
    match words.first().copied() {
        Some(b"-v" | b"--version") => invocation.action = Action::Version,
        Some(b"-h" | b"--help") => invocation.action = Action::Help,
        _ => {}
    }
    if invocation.action != Action::Run {
        return Ok(invocation);
    }
    refuse_modes(&words)?;
    let mut rest = words.as_slice();
    if let Some((first, tail)) = words.split_first()
        && !first.starts_with(b"-")
    {
        invocation.file = Some(first.to_vec()).filter(|path| !path.is_empty());
        rest = tail;
    }
    let is_first = rest.len() == words.len();
    read_options(&mut invocation, rest, is_first);
    Ok(invocation)
}

fn refuse_modes(words: &[&[u8]]) -> Result<(), CommandLineError> {
    let reason = match words.first().copied() {
        Some(b"--test-memory") => "Ochre does not test memory: memtester and memtest86+ do.",
        Some(b"--check-system") => "Ochre has no check of the system (--check-system).",
        _ if words.contains(&b"--sentinel".as_slice()) => {
            "Ochre has no Sentinel mode (--sentinel): not supported by this version of Ochre."
        }
        _ => return Ok(()),
    };
    Err(CommandLineError(reason))
}

fn read_options(invocation: &mut Invocation, words: &[&[u8]], is_first: bool) {
    let mut has_value = true;
    let last = words.len().saturating_sub(1);
    for (index, word) in words.iter().enumerate() {
        let options = &mut invocation.options;
        if *word == b"-" && (index == last || (index == 0 && is_first)) {
            invocation.from_stdin = true;
            continue;
        }
        let Some(option) = word.strip_prefix(b"--").filter(|_| has_value) else {
            if !options.is_empty() && !options.ends_with(b"\n") {
                options.push(b' ');
            }
            quoting::quote(word, options);
            has_value = true;
            continue;
        };
        if !options.is_empty() {
            options.push(b'\n');
        }
        options.extend_from_slice(option);
        // One word may hold the value too, as in "--maxmemory 700mb".
        has_value = quoting::split(option).is_ok_and(|parts| parts.len() != 1);
        let is_save = option.eq_ignore_ascii_case(b"save");
        let ends = words
            .get(index + 1)
            .is_none_or(|next| next.starts_with(b"--"));
        if is_save && ends {
            options.extend_from_slice(b" \"\"");
            has_value = true;
        }
    }
}
