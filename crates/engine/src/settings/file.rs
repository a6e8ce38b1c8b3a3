//! Reads the configuration: a file with its includes, the standard input, the command line.
//!
//! Invariants:
//! - All reading goes through [`FileSource`]; nothing here opens a file.
//! - The first bad line stops the start; its error names the place, the line and the reason.
//! - Depth, number and size of files are bounded.
//!
//! Does not write (`rewrite`) and does not split the command line (`args`).

use std::fmt;
use std::io;

use super::args::Invocation;
use super::quoting;
use super::rows::find;
use super::setting::NOT_SUPPORTED;
use super::store::Settings;

/// Limit: a file that includes itself has to end somewhere; real ones nest two or three deep.
pub const INCLUDE_DEPTH_MAX: usize = 16;

/// Limit: keeps files that include each other several times from multiplying.
pub const INCLUDE_FILES_MAX: usize = 1024;

/// Limit: bytes of one file; a complete redis.conf has about 100 kB.
pub const FILE_BYTES_MAX: usize = 16 << 20;

/// Directives that ask for something which is not there.
const UNSUPPORTED: [&str; 4] = ["loadmodule", "loadmodule-ex", "rename-command", "sentinel"];

/// A line that declares a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserLine {
    /// Where it stands.
    pub place: Place,
    /// The number of the line, from 1.
    pub number: usize,
    /// The line, without its surrounding spaces.
    pub text: String,
    /// The user's name.
    pub name: Vec<u8>,
    /// The words behind the name.
    pub rules: Vec<Vec<u8>>,
    /// An earlier line declares the same user.
    pub again: bool,
}

/// Where the configuration is read from; the server's side of it touches the disk.
pub trait FileSource {
    /// The bytes of the file at `path`.
    ///
    /// # Errors
    /// When it cannot be read.
    fn read(&self, path: &[u8]) -> io::Result<Vec<u8>>;

    /// All bytes of the standard input.
    ///
    /// # Errors
    /// When it cannot be read.
    fn read_stdin(&self) -> io::Result<Vec<u8>>;

    /// The paths that the glob `pattern` matches, sorted; none is not an error.
    ///
    /// # Errors
    /// When a directory cannot be read.
    fn expand(&self, pattern: &[u8]) -> io::Result<Vec<Vec<u8>>>;
}

/// Why the start fails. Displays as what the operator reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoadError {
    /// A file cannot be opened or read.
    Unreadable {
        /// Its path.
        path: String,
        /// What the system says.
        reason: String,
    },
    /// A line is wrong.
    Line {
        /// The file, or what stands for it.
        place: Place,
        /// The number of the line, from 1.
        number: usize,
        /// The line, without its surrounding spaces.
        line: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// Where a line comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// The file at this path.
    File(String),
    /// The standard input.
    Stdin,
    /// The command line; a line is one option.
    CommandLine,
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::File(path) => write!(out, "the configuration file '{path}'"),
            Place::Stdin => out.write_str("the configuration from the standard input"),
            Place::CommandLine => out.write_str("the options of the command line"),
        }
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LoadError::Unreadable { path, reason } => {
                write!(
                    out,
                    "Fatal error, can't open config file '{path}': {reason}"
                )
            }
            LoadError::Line {
                place,
                number,
                line,
                reason,
            } => {
                let version = env!("CARGO_PKG_VERSION");
                writeln!(out, "*** FATAL CONFIG FILE ERROR (Ochre {version}) ***")?;
                writeln!(out, "Reading {place}, at line {number}")?;
                write!(out, ">>> '{line}'\n{reason}")
            }
        }
    }
}

impl std::error::Error for LoadError {}

impl Settings {
    /// Takes over what `invocation` asks for: its file, then the standard input, then its options.
    ///
    /// # Errors
    /// With the first file that cannot be read or line that is wrong; what was read until then
    /// stays set, so the settings are not to be used.
    pub fn load(&self, invocation: &Invocation, source: &dyn FileSource) -> Result<(), LoadError> {
        let mut reader = Reader {
            settings: self,
            source,
            files: 0,
        };
        if let Some(path) = &invocation.file {
            reader.read_file(path, 0)?;
        }
        if invocation.from_stdin {
            let text = source
                .read_stdin()
                .map_err(|error| unreadable(b"-", &error))?;
            reader.read_text(&Place::Stdin, &text, 0)?;
        }
        reader.read_text(&Place::CommandLine, &invocation.options, 0)
    }
}

fn unreadable(path: &[u8], error: &io::Error) -> LoadError {
    let path = String::from_utf8_lossy(path).into_owned();
    LoadError::Unreadable {
        path,
        reason: error.to_string(),
    }
}

struct Reader<'a> {
    settings: &'a Settings,
    source: &'a dyn FileSource,
    files: usize,
}

enum Problem {
    Reason(String),
    Other(LoadError),
}

impl From<String> for Problem {
    fn from(reason: String) -> Self {
        Problem::Reason(reason)
    }
}

impl From<&str> for Problem {
    fn from(reason: &str) -> Self {
        Problem::Reason(reason.to_owned())
    }
}

impl From<LoadError> for Problem {
    fn from(error: LoadError) -> Self {
        Problem::Other(error)
    }
}

impl Reader<'_> {
    fn read_file(&mut self, path: &[u8], depth: usize) -> Result<(), LoadError> {
        let text = self
            .source
            .read(path)
            .map_err(|error| unreadable(path, &error))?;
        if text.len() > FILE_BYTES_MAX {
            let reason = format!("larger than {FILE_BYTES_MAX} bytes");
            return Err(unreadable(path, &io::Error::other(reason)));
        }
        let place = Place::File(String::from_utf8_lossy(path).into_owned());
        self.read_text(&place, &text, depth)
    }

    fn read_text(&mut self, place: &Place, text: &[u8], depth: usize) -> Result<(), LoadError> {
        for (index, line) in text.split(|byte| *byte == b'\n').enumerate() {
            let line = line.trim_ascii();
            self.read_line(place, index + 1, line, depth)
                .map_err(|problem| match problem {
                    Problem::Other(error) => error,
                    Problem::Reason(reason) => LoadError::Line {
                        place: place.clone(),
                        number: index + 1,
                        line: String::from_utf8_lossy(line).into_owned(),
                        reason,
                    },
                })?;
        }
        Ok(())
    }

    fn read_line(
        &mut self,
        place: &Place,
        number: usize,
        line: &[u8],
        depth: usize,
    ) -> Result<(), Problem> {
        if line.is_empty() || line.starts_with(b"#") {
            return Ok(());
        }
        let words = quoting::split(line).map_err(|_| "Unbalanced quotes in configuration line")?;
        let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        let Some((name, arguments)) = words.split_first() else {
            return Ok(());
        };
        if let Some(row) = find(name) {
            return Ok(self.settings.assign(row, arguments)?);
        }
        let named = |known: &&str| known.as_bytes().eq_ignore_ascii_case(name);
        match arguments {
            [pattern] if name.eq_ignore_ascii_case(b"include") => self.include(pattern, depth),
            [user, rules @ ..] if name.eq_ignore_ascii_case(b"user") => {
                self.settings.declare_user(UserLine {
                    place: place.clone(),
                    number,
                    text: String::from_utf8_lossy(line).into_owned(),
                    name: user.to_vec(),
                    rules: rules.iter().map(|word| word.to_vec()).collect(),
                    again: false,
                });
                Ok(())
            }
            _ if UNSUPPORTED.iter().any(named) => Err(NOT_SUPPORTED.into()),
            _ => Err("Bad directive or wrong number of arguments".into()),
        }
    }

    fn include(&mut self, pattern: &[u8], depth: usize) -> Result<(), Problem> {
        if depth >= INCLUDE_DEPTH_MAX {
            return Err(format!("includes are nested more than {INCLUDE_DEPTH_MAX} deep").into());
        }
        let is_glob = pattern
            .iter()
            .any(|byte| matches!(byte, b'*' | b'?' | b'['));
        let paths = if is_glob {
            self.source
                .expand(pattern)
                .map_err(|error| unreadable(pattern, &error))?
        } else {
            vec![pattern.to_vec()]
        };
        for path in paths {
            self.files += 1;
            if self.files > INCLUDE_FILES_MAX {
                return Err(format!("more than {INCLUDE_FILES_MAX} files are included").into());
            }
            self.read_file(&path, depth + 1)?;
        }
        Ok(())
    }
}
