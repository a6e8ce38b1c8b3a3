//! Stage 3: from the first words of a request to its declaration.
//!
//! Two small open-addressing tables, built once. One is over names of up to eight letters, read and compared as one
//! number: what nearly every request asks for. The other is over all names; a lookup hashes at most [`NAME_MAX`] bytes
//! and compares once. Dense indexes number commands and subcommands for statistics.

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
    /// Where the only key of a request stands, if the declaration alone tells that; else 0.
    pub(crate) key_at: usize,
}

impl Entry {
    /// A command, of the container `parent` if any, by its number.
    pub(crate) fn new(
        command: &'static Command,
        parent: Option<&'static Command>,
        index: usize,
    ) -> Entry {
        Entry {
            command,
            parent,
            index,
            // The name stands at 0, so no key does.
            key_at: command.only_key().map_or(0, |(at, _)| at),
        }
    }

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
    /// Names of up to eight letters by [`place`], and their positions in `entries`; free places name nothing.
    short: Vec<(u64, u16)>,
    /// First subcommand of each entry in `entries`.
    first_sub: Vec<usize>,
}

fn hash(word: &[u8]) -> usize {
    // FNV-1a over letters folded to one case; names are short and few.
    word.iter().fold(0x811C_9DC5_u32, |h, b| {
        (h ^ u32::from(b & 0xDF)).wrapping_mul(0x0100_0193)
    }) as usize
}

/// A name of up to eight letters as one number, whatever their case. No other byte becomes a letter by this.
#[inline]
fn fold(word: u64) -> u64 {
    word & 0xDFDF_DFDF_DFDF_DFDF
}

/// Where the search for a folded name begins in a table of `size` places, a power of two above one.
#[inline]
fn place(folded: u64, size: usize) -> usize {
    // Fibonacci hashing: the upper bits of a product with an odd constant depend on all bits. Lossless on 64 bits.
    (folded.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) as usize & (size - 1)
}

/// The table of the names that can be told by one number.
fn short_names(commands: &[&'static Command]) -> Vec<(u64, u16)> {
    let size = (commands.len() * 4).next_power_of_two();
    let mut table = vec![(0, 0); size];
    for (i, command) in commands.iter().enumerate() {
        let name = command.name.as_bytes();
        if name.len() > 8 || !name.iter().all(u8::is_ascii_alphabetic) {
            continue;
        }
        let word = name
            .iter()
            .rev()
            .fold(0, |word, b| word << 8 | u64::from(*b));
        let mut at = place(fold(word), size);
        while table[at].0 != 0 {
            at = (at + 1) & (size - 1);
        }
        table[at] = (fold(word), u16::try_from(i).unwrap_or(0));
    }
    table
}

impl Lookup {
    /// Builds the table of `families`, each a list of commands.
    pub fn new(families: &[&'static [Command]]) -> Lookup {
        let mut entries = Vec::new();
        let commands: Vec<&'static Command> = families.iter().flat_map(|f| f.iter()).collect();
        let mut add = |command, parent| {
            let index = entries.len();
            entries.push(Entry::new(command, parent, index));
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
            short: short_names(&commands),
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

    /// The command of a request if its name has up to eight letters.
    #[inline]
    fn short(&self, request: Request<'_>) -> Option<&Entry> {
        let (word, len) = request.short_word(0)?;
        let word = fold(word);
        let mut at = place(word, self.short.len());
        loop {
            let (name, index) = *self.short.get(at)?;
            if name == 0 {
                return None;
            }
            if name == word {
                let entry = self.entries.get(usize::from(index))?;
                // What ends in NULs or blanks looks like a shorter name.
                return (entry.command.name.len() == len).then_some(entry);
            }
            at = (at + 1) & (self.short.len() - 1);
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
        self.named(request)
            .is_ok_and(|entry| entry.command.keeps_caching)
    }

    /// The command of a request, with the right number of arguments.
    ///
    /// # Errors
    /// Redis's texts for an unknown command or subcommand and for a wrong number of arguments.
    #[inline]
    pub fn find(&self, request: Request<'_>) -> Result<Entry, CommandError> {
        match self.find_short(request) {
            Some(entry) => Ok(*entry),
            None => self.find_any(request),
        }
    }

    /// As [`Self::find`], for nearly all requests: `None` for what has a long or no name, subcommands, or the wrong number
    /// of arguments.
    #[inline]
    pub(super) fn find_short(&self, request: Request<'_>) -> Option<&Entry> {
        self.short(request).filter(|entry| {
            entry.command.subcommands.is_empty() && entry.command.accepts(request.len())
        })
    }

    /// As [`Self::find`], by the table of all names.
    #[cold]
    pub(super) fn find_any(&self, request: Request<'_>) -> Result<Entry, CommandError> {
        let entry = self.named(request)?;
        if entry.command.accepts(request.len()) {
            Ok(entry)
        } else {
            Err(wrong_arity(&entry.full_name()))
        }
    }

    /// The command that a request names, whatever the number of its arguments.
    ///
    /// # Errors
    /// Redis's texts for an unknown command or subcommand.
    #[cold]
    pub fn named(&self, request: Request<'_>) -> Result<Entry, CommandError> {
        let name = request.get(0).unwrap_or_default();
        let entry = self.command(name).ok_or_else(|| unknown(request))?;
        match request.get(1) {
            Some(word) if !entry.command.subcommands.is_empty() => self
                .subcommand(entry, word)
                .ok_or_else(|| unknown_subcommand(entry.command, word)),
            _ => Ok(entry),
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

#[cfg(test)]
mod tests {
    use super::*;
    use ochre_resp::RequestBuf;

    fn found(lookup: &Lookup, words: &[&[u8]]) -> Option<usize> {
        let request = RequestBuf::new(words);
        lookup.find(request.as_request()).ok().map(|e| e.index)
    }

    /// A request as long as the command wants it.
    fn of(name: &[u8], command: &Command) -> Vec<Vec<u8>> {
        let mut words = vec![b"argument".to_vec(); command.arity.unsigned_abs() as usize];
        words[0] = name.to_vec();
        words
    }

    #[test]
    fn finds_every_command_in_any_case() {
        let lookup = Lookup::new(crate::commands::FAMILIES);
        for entry in lookup
            .top()
            .iter()
            .filter(|e| e.command.subcommands.is_empty())
        {
            let name = entry.command.name.as_bytes();
            let mixed: Vec<u8> = name
                .iter()
                .enumerate()
                .map(|(i, b)| {
                    if i % 2 == 0 {
                        b.to_ascii_uppercase()
                    } else {
                        b.to_ascii_lowercase()
                    }
                })
                .collect();
            for name in [name.to_ascii_lowercase(), name.to_ascii_uppercase(), mixed] {
                let words = of(&name, entry.command);
                let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
                assert_eq!(found(&lookup, &words), Some(entry.index), "{name:?}");
            }
        }
    }

    #[test]
    fn what_is_like_a_name_is_none() {
        let lookup = Lookup::new(crate::commands::FAMILIES);
        let behind: &[u8] = b"a long argument";
        for name in [
            &b"get\0"[..],
            b"get ",
            b"get\x20\x20\x20\x20\x20",
            b"",
            b"\0",
            b"        ",
            b"ge",
            b"gett",
            b"g%t",
            b"\xe7et",
            b"getgetge",
            b"getgetgetget",
            b"\x07\x05\x14",
        ] {
            assert_eq!(found(&lookup, &[name, behind]), None, "{name:?}");
        }
        assert_eq!(found(&lookup, &[b"get"]), None);
        assert_eq!(found(&lookup, &[b"get", behind, behind]), None);
        assert!(
            found(&lookup, &[b"gEt", b""]).is_some(),
            "also at the end of the buffer"
        );
    }

    #[test]
    fn most_commands_are_found_by_one_number() {
        let lookup = Lookup::new(crate::commands::FAMILIES);
        for name in ["GET", "set", "Lpush", "zADD", "Incr"] {
            let entry = lookup.command(name.as_bytes()).expect("declared");
            let words = of(name.as_bytes(), entry.command);
            let request = RequestBuf::new(words);
            let short = lookup.find_short(request.as_request()).map(|e| e.index);
            assert_eq!(short, Some(entry.index), "{name}");
        }
    }
}
