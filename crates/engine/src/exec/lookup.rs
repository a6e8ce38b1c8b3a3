//! Stage 3: from the first words of a request to its declaration.
//!
//! A small open-addressing table over the upper-cased name, built once; a lookup hashes at most
//! [`NAME_MAX`] bytes and compares once. Dense indexes number commands and subcommands for statistics.

use crate::error::{CommandError, printed};
use crate::spec::Command;
use ochre_resp::Request;

/// Longer words are no command's name.
const NAME_MAX: usize = 32;

/// A declared command and its dense index.
#[derive(Clone, Copy)]
pub struct Entry {
    /// The declaration.
    pub command: &'static Command,
    /// The container it belongs to.
    pub parent: Option<&'static Command>,
    /// Dense index over commands and subcommands.
    pub index: usize,
}

impl Entry {
    /// `name` or `container|name`.
    pub fn full_name(&self) -> String {
        match self.parent {
            Some(parent) => format!("{}|{}", parent.name, self.command.name),
            None => self.command.name.to_owned(),
        }
    }
}

/// All commands, by name.
pub struct Lookup {
    entries: Vec<Entry>,
    /// Position in `entries` plus one, by hash; a power of two, at most a quarter full.
    table: Vec<u16>,
    /// First subcommand of each entry in `entries`.
    first_sub: Vec<usize>,
}

fn hash(word: &[u8]) -> usize {
    // FNV-1a over letters folded to one case; names are short and few.
    word.iter().fold(0x811C_9DC5_u32, |h, b| {
        (h ^ u32::from(b & 0xDF)).wrapping_mul(0x0100_0193)
    }) as usize
}

impl Lookup {
    /// Builds the table of `families`, each a list of commands.
    pub fn new(families: &[&'static [Command]]) -> Lookup {
        let mut entries = Vec::new();
        let commands: Vec<&'static Command> = families.iter().flat_map(|f| f.iter()).collect();
        let mut add = |command, parent| {
            let index = entries.len();
            entries.push(Entry {
                command,
                parent,
                index,
            });
        };
        for command in &commands {
            add(*command, None);
        }
        let mut first_sub = Vec::new();
        let mut next = commands.len();
        for command in &commands {
            first_sub.push(next);
            next += command.subcommands.len();
            command
                .subcommands
                .iter()
                .for_each(|s| add(s, Some(*command)));
        }
        let size = (commands.len() * 4).next_power_of_two();
        let mut table = vec![0u16; size];
        for (i, command) in commands.iter().enumerate() {
            let mut at = hash(command.name.as_bytes()) & (size - 1);
            while table[at] != 0 {
                at = (at + 1) & (size - 1);
            }
            table[at] = u16::try_from(i + 1).unwrap_or(0);
        }
        Lookup {
            entries,
            table,
            first_sub,
        }
    }

    /// Every command and subcommand; the position is the dense index.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Commands without subcommands' entries.
    pub fn top(&self) -> &[Entry] {
        &self.entries[..self.first_sub.len()]
    }

    /// A command by name, any case.
    #[inline]
    pub fn command(&self, name: &[u8]) -> Option<Entry> {
        if name.len() > NAME_MAX {
            return None;
        }
        let mask = self.table.len() - 1;
        let mut at = hash(name) & mask;
        loop {
            let entry = &self.entries[usize::from(self.table[at]).checked_sub(1)?];
            if entry.command.name.as_bytes().eq_ignore_ascii_case(name) {
                return Some(*entry);
            }
            at = (at + 1) & mask;
        }
    }

    /// A subcommand of a container by name, any case.
    pub fn subcommand(&self, container: Entry, name: &[u8]) -> Option<Entry> {
        let at = container
            .command
            .subcommands
            .iter()
            .position(|s| s.name.as_bytes().eq_ignore_ascii_case(name))?;
        self.entries
            .get(self.first_sub.get(container.index)? + at)
            .copied()
    }

    /// Dense indexes of an entry's subcommands.
    pub fn subcommands(&self, entry: Entry) -> std::ops::Range<usize> {
        let count = entry.command.subcommands.len();
        // A subcommand has no place in `first_sub`, and none of its own.
        let first = self.first_sub.get(entry.index).copied().unwrap_or(0);
        first..first + count
    }

    /// `name` or `container|subcommand`, as COMMAND INFO takes it.
    pub fn by_full_name(&self, name: &[u8]) -> Option<Entry> {
        match name.iter().position(|b| *b == b'|') {
            None => self.command(name),
            Some(bar) => self.subcommand(self.command(&name[..bar])?, &name[bar + 1..]),
        }
    }

    /// Whether a request leaves what CLIENT CACHING said to the one after it, wrong arguments or not.
    pub(super) fn keeps_caching(&self, request: Request<'_>) -> bool {
        let mut words = request.iter();
        let mut next = || words.next().unwrap_or_default();
        let container = self.command(next());
        container
            .and_then(|container| self.subcommand(container, next()))
            .is_some_and(|entry| entry.command.keeps_caching)
    }

    /// The command of a request, with the right number of arguments.
    ///
    /// # Errors
    /// Redis's texts for an unknown command or subcommand and for a wrong number of arguments.
    #[inline]
    pub fn find(&self, request: Request<'_>) -> Result<Entry, CommandError> {
        let name = request.get(0).unwrap_or_default();
        let Some(mut entry) = self.command(name) else {
            return Err(unknown(request));
        };
        if !entry.command.subcommands.is_empty()
            && let Some(word) = request.get(1)
        {
            match self.subcommand(entry, word) {
                Some(sub) => entry = sub,
                None if matches!(entry.command.run, crate::spec::Run::Container) => {
                    return Err(unknown_subcommand(entry.command, word));
                }
                None => {}
            }
        }
        if entry.command.accepts(request.len()) {
            Ok(entry)
        } else {
            Err(wrong_arity(&entry.full_name()))
        }
    }
}

/// The error for a wrong number of arguments of the command called `name`.
pub fn wrong_arity(name: &str) -> CommandError {
    CommandError::new(format!(
        "ERR wrong number of arguments for '{name}' command"
    ))
}

/// The error for a word that is no subcommand.
pub fn unknown_subcommand(container: &Command, word: &[u8]) -> CommandError {
    /// As much of the word as Redis repeats.
    const SHOWN: usize = 128;
    let word = &word[..word.len().min(SHOWN)];
    let after = format!("'. Try {} HELP.", container.name.to_uppercase());
    CommandError::quoting("ERR unknown subcommand '", word, &after)
}

fn unknown(request: Request<'_>) -> CommandError {
    /// As much of name and arguments as Redis repeats.
    const SHOWN: usize = 128;
    let mut args = Vec::new();
    for arg in request.iter().skip(1) {
        if args.len() >= SHOWN {
            break;
        }
        let room = SHOWN - args.len();
        args.extend_from_slice(b"'");
        args.extend_from_slice(printed(&arg[..arg.len().min(room)]));
        args.extend_from_slice(b"' ");
    }
    let name = request.get(0).unwrap_or_default();
    let mut text = b"ERR unknown command '".to_vec();
    text.extend_from_slice(printed(&name[..name.len().min(SHOWN)]));
    text.extend_from_slice(b"', with args beginning with: ");
    text.extend_from_slice(&args);
    CommandError::new(text)
}
