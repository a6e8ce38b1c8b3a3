//! A selector: one set of permissions on commands, keys and channels. A user has one and may have more.
//!
//! Invariants
//! - `allowed` has a bit for each command and subcommand, by dense index. A container's bit is not the sum of its
//!   subcommands': changing the container changes them all, changing one of them leaves the container.
//! - `rules` is what the operator said of commands, without what later words made void: replayed after `-@all` or
//!   `+@all` (`future`), it gives `allowed` and `first_args` again.
//!
//! Source: observed replies of Redis 7.0.15 and 8.2.3; the text of the rules is 8.2.3's, which keeps what was said,
//! where 7.0.15 makes up a shorter equivalent out of the categories.

use super::ordered::Ordered;
use super::{Name, Reason};
use crate::error::printed;
use crate::exec::{Entry, Lookup};
use crate::spec::{Access, Categories, Flags};
use ochre_ds::glob::glob_match;
use ochre_resp::Request;
use std::collections::{BTreeMap, BTreeSet};

/// What may be done with keys.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Rights(u8);

impl Rights {
    const NONE: Rights = Rights(0);
    pub(super) const READ: Rights = Rights(1);
    pub(super) const WRITE: Rights = Rights(2);
    const BOTH: Rights = Rights(3);

    const fn with(self, other: Rights) -> Rights {
        Rights(self.0 | other.0)
    }

    const fn has(self, other: Rights) -> bool {
        self.0 & other.0 == other.0
    }

    /// What an access needs. Looking at metadata alone needs nothing beyond a pattern that fits the key.
    fn needed(access: Access) -> Rights {
        let mut rights = Rights::NONE;
        if access.has(Access::ACCESS) {
            rights = rights.with(Rights::READ);
        }
        let writes = [Access::INSERT, Access::DELETE, Access::UPDATE];
        if writes.iter().any(|w| access.has(*w)) {
            rights = rights.with(Rights::WRITE);
        }
        rights
    }
}

/// See the module's documentation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Selector {
    /// Nothing was taken away since `+@all`.
    all_commands: bool,
    /// Whether the rules start from `+@all`.
    future: bool,
    allowed: Box<[u64]>,
    /// First arguments with which commands may be used whose bit is not set, in lower case, by dense index.
    first_args: BTreeMap<usize, BTreeSet<Vec<u8>>>,
    /// Names in lower case, and whether they are permitted.
    rules: Ordered<Name, bool>,
    all_keys: bool,
    /// Patterns, and what may be done with the keys that fit them.
    keys: Ordered<Name, Rights>,
    all_channels: bool,
    channels: Ordered<Name, ()>,
}

/// Whether a name or pattern would break the line that it stands on.
pub(super) fn has_spaces(text: &[u8]) -> bool {
    text.iter()
        .any(|b| b.is_ascii_whitespace() || matches!(b, 0 | 0x0B))
}

impl Selector {
    /// Permits nothing but, if so, every channel.
    pub(super) fn new(lookup: &Lookup, all_channels: bool) -> Selector {
        Selector {
            all_commands: false,
            future: false,
            allowed: vec![0; lookup.entries().len().div_ceil(64)].into_boxed_slice(),
            first_args: BTreeMap::new(),
            rules: Ordered::default(),
            all_keys: false,
            keys: Ordered::default(),
            all_channels,
            channels: Ordered::default(),
        }
    }

    /// Takes one word of a rule.
    ///
    /// # Errors
    /// Why the word is refused; nothing is changed then.
    pub(super) fn apply(&mut self, lookup: &Lookup, op: &[u8]) -> Result<(), Reason> {
        let word = printed(op);
        let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
        if word.is_empty() {
            // compat: an empty word asks for nothing.
        } else if is("allkeys") || is("~*") {
            self.all_keys = true;
            self.keys.clear();
        } else if is("resetkeys") {
            self.all_keys = false;
            self.keys.clear();
        } else if is("allchannels") || is("&*") {
            self.all_channels = true;
            self.channels.clear();
        } else if is("resetchannels") {
            self.all_channels = false;
            self.channels.clear();
        } else if is("allcommands") || is("+@all") {
            self.all(true);
        } else if is("nocommands") || is("-@all") {
            self.all(false);
        } else {
            return match word[0] {
                b'~' | b'%' => self.add_keys(op),
                b'&' => self.add_channels(&op[1..]),
                sign @ (b'+' | b'-') if word.get(1) == Some(&b'@') => {
                    self.category(lookup, &word[2..], sign == b'+')
                }
                b'+' => self.allow(lookup, &word[1..]),
                b'-' => {
                    let entry = lookup.by_full_name(&word[1..]).ok_or(Reason::Unknown)?;
                    self.change(lookup, entry, false);
                    self.note(entry.full_name().into_bytes(), false);
                    Ok(())
                }
                _ => Err(Reason::Syntax),
            };
        }
        Ok(())
    }

    fn all(&mut self, allow: bool) {
        self.all_commands = allow;
        self.future = allow;
        self.allowed.fill(if allow { u64::MAX } else { 0 });
        self.first_args.clear();
        self.rules.clear();
    }

    fn add_keys(&mut self, op: &[u8]) -> Result<(), Reason> {
        if self.all_keys {
            return Err(Reason::AfterAllKeys);
        }
        let (rights, pattern) = if op[0] == b'~' {
            (Rights::BOTH, &op[1..])
        } else {
            let end = op.iter().position(|b| *b == b'~').unwrap_or(op.len());
            let mut rights = Rights::NONE;
            for letter in &op[1..end] {
                let right = match letter.to_ascii_uppercase() {
                    b'R' => Rights::READ,
                    b'W' => Rights::WRITE,
                    _ => return Err(Reason::Syntax),
                };
                if rights.has(right) {
                    return Err(Reason::Syntax);
                }
                rights = rights.with(right);
            }
            (rights, op.get(end + 1..).unwrap_or_default())
        };
        if rights == Rights::NONE || has_spaces(pattern) {
            return Err(Reason::Syntax);
        }
        match self.keys.get_mut(pattern) {
            Some(known) => *known = known.with(rights),
            None => self.keys.push(pattern.into(), rights),
        }
        Ok(())
    }

    fn add_channels(&mut self, pattern: &[u8]) -> Result<(), Reason> {
        if self.all_channels {
            return Err(Reason::AfterAllChannels);
        }
        if has_spaces(pattern) {
            return Err(Reason::Syntax);
        }
        if !self.channels.contains(pattern) {
            self.channels.push(pattern.into(), ());
        }
        Ok(())
    }

    fn category(&mut self, lookup: &Lookup, name: &[u8], allow: bool) -> Result<(), Reason> {
        let category = Categories::named(name).ok_or(Reason::Unknown)?;
        for entry in lookup.entries() {
            if entry.command.all_categories().has(category) {
                self.change(lookup, *entry, allow);
            }
        }
        self.note([b"@", name].concat(), allow);
        Ok(())
    }

    /// `+name`, `+container|subcommand`, or `+name|first-argument`.
    fn allow(&mut self, lookup: &Lookup, name: &[u8]) -> Result<(), Reason> {
        let Some(bar) = name.iter().rposition(|b| *b == b'|') else {
            let entry = lookup.command(name).ok_or(Reason::Unknown)?;
            self.change(lookup, entry, true);
            self.note(entry.full_name().into_bytes(), true);
            return Ok(());
        };
        let (container, word) = (&name[..bar], &name[bar + 1..]);
        let entry = lookup.by_full_name(container).ok_or(Reason::Unknown)?;
        if entry.parent.is_some() {
            return Err(Reason::FirstArgOfSubcommand);
        }
        if word.is_empty() {
            return Err(Reason::Syntax);
        }
        if entry.command.subcommands.is_empty() {
            let words = self.first_args.entry(entry.index).or_default();
            words.insert(word.to_ascii_lowercase());
        } else {
            let entry = lookup.subcommand(entry, word).ok_or(Reason::Unknown)?;
            self.change(lookup, entry, true);
        }
        self.note(name.to_vec(), true);
        Ok(())
    }

    /// Sets the bits of a command and of its subcommands.
    fn change(&mut self, lookup: &Lookup, entry: Entry, allow: bool) {
        for index in std::iter::once(entry.index).chain(lookup.subcommands(entry)) {
            let bit = 1 << (index % 64);
            if allow {
                self.allowed[index / 64] |= bit;
            } else {
                self.allowed[index / 64] &= !bit;
                self.all_commands = false;
            }
            self.first_args.remove(&index);
        }
    }

    /// Puts a rule behind the others, and takes away what it makes void: the same name, and its subcommands.
    fn note(&mut self, mut name: Vec<u8>, allow: bool) {
        name.make_ascii_lowercase();
        self.rules.push(name.as_slice().into(), allow);
        name.push(b'|');
        self.rules.remove_below(&name);
    }

    /// Whether no request is refused.
    pub(super) fn is_unrestricted(&self) -> bool {
        self.all_commands && self.all_keys && self.all_channels
    }

    /// Whether a command may be run at all.
    #[inline]
    pub(super) fn allows_command(&self, entry: &Entry, request: Request<'_>) -> bool {
        self.all_commands
            || entry.command.flags.has(Flags::NO_AUTH)
            || self.allowed[entry.index / 64] & (1 << (entry.index % 64)) != 0
            || self.allows_first_arg(entry, request)
    }

    #[cold]
    fn allows_first_arg(&self, entry: &Entry, request: Request<'_>) -> bool {
        let (Some(words), Some(given)) = (self.first_args.get(&entry.index), request.get(1)) else {
            return false;
        };
        words.contains(&given.to_ascii_lowercase())
    }

    /// Whether every key is within reach.
    pub(super) fn allows_all_keys(&self) -> bool {
        self.all_keys
    }

    /// Whether a key may be accessed so.
    pub(super) fn allows_key(&self, key: &[u8], access: Access) -> bool {
        let needed = Rights::needed(access);
        self.all_keys
            || self
                .keys
                .iter()
                .any(|(pattern, rights)| rights.has(needed) && glob_match(pattern, key, false))
    }

    /// Whether every key may be read, whatever its name.
    pub(super) fn reads_every_key(&self) -> bool {
        let mut keys = self.keys.iter();
        self.all_keys
            || keys.any(|(pattern, rights)| &**pattern == b"*" && rights.has(Rights::READ))
    }

    /// Whether every channel is within reach.
    pub(super) fn allows_all_channels(&self) -> bool {
        self.all_channels
    }

    /// The patterns of channels within reach; none where all are.
    pub(super) fn channels(&self) -> impl Iterator<Item = &Name> {
        self.channels.keys()
    }

    /// Whether a channel may be used; a pattern that is subscribed to has to be one of the selector's to the letter.
    pub(super) fn allows_channel(&self, name: &[u8], is_pattern: bool) -> bool {
        if self.all_channels {
            return true;
        }
        if is_pattern {
            return self.channels.contains(name);
        }
        self.channels.keys().any(|p| glob_match(p, name, false))
    }

    /// The rules of commands, as ACL GETUSER shows them.
    pub(super) fn commands_text(&self) -> Vec<u8> {
        let mut text = if self.future { b"+@all" } else { b"-@all" }.to_vec();
        for (name, allow) in self.rules.iter() {
            text.extend_from_slice(if *allow { b" +" } else { b" -" });
            text.extend_from_slice(name);
        }
        text
    }

    /// The patterns of keys, as ACL GETUSER shows them.
    pub(super) fn keys_text(&self) -> Vec<u8> {
        if self.all_keys {
            return b"~*".to_vec();
        }
        let one = |(pattern, rights): (&Name, &Rights)| {
            let mark: &[u8] = match *rights {
                Rights::READ => b"%R~",
                Rights::WRITE => b"%W~",
                _ => b"~",
            };
            [mark, pattern].concat()
        };
        self.keys.iter().map(one).collect::<Vec<_>>().join(&b' ')
    }

    /// The patterns of channels, as ACL GETUSER shows them.
    pub(super) fn channels_text(&self) -> Vec<u8> {
        if self.all_channels {
            return b"&*".to_vec();
        }
        let one = |pattern: &Name| [b"&".as_slice(), pattern].concat();
        let all: Vec<Vec<u8>> = self.channels.keys().map(one).collect();
        all.join(&b' ')
    }

    /// All rules, as ACL LIST shows them.
    pub(super) fn describe(&self) -> Vec<u8> {
        let mut words = Vec::new();
        if self.all_keys || !self.keys.is_empty() {
            words.push(self.keys_text());
        }
        if !self.all_channels {
            words.push(b"resetchannels".to_vec());
        }
        if self.all_channels || !self.channels.is_empty() {
            words.push(self.channels_text());
        }
        words.push(self.commands_text());
        words.join(&b' ')
    }
}
