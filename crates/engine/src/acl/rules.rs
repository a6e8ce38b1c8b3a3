//! What one user may do: state, passwords and selectors, and the words that change them.
//!
//! Invariants
//! - A password is kept as its SHA-256 only, and compared in a time that does not depend on it.
//! - A user without a password has no list of passwords.

use super::Reason;
use super::ordered::Ordered;
use super::selector::Selector;
use crate::error::printed;
use crate::exec::Lookup;
use ochre_resp::split_args;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// The SHA-256 of a password.
type Secret = [u8; 32];

/// See the module's documentation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rules {
    enabled: bool,
    nopass: bool,
    /// RESTORE need not look closely at this user's payloads: kept and shown, but Ochre always does.
    trusts_payloads: bool,
    passwords: Ordered<Secret, ()>,
    root: Selector,
    more: Vec<Selector>,
}

/// What rules are read against.
#[derive(Clone, Copy)]
pub(crate) struct Frame<'a> {
    /// The commands.
    pub(crate) lookup: &'a Lookup,
    /// Whether what is new may use every channel (`acl-pubsub-default`).
    pub(crate) all_channels: bool,
}

impl Rules {
    /// A new user: off, and permitted nothing.
    pub(super) fn new(frame: Frame<'_>) -> Rules {
        Rules {
            enabled: false,
            nopass: false,
            trusts_payloads: false,
            passwords: Ordered::default(),
            root: Selector::new(frame.lookup, frame.all_channels),
            more: Vec::new(),
        }
    }

    /// The default user of a new server: everybody, and permitted everything.
    pub(super) fn pristine(lookup: &Lookup) -> Rules {
        let frame = Frame {
            lookup,
            all_channels: true,
        };
        let mut rules = Rules::new(frame);
        for word in ["on", "nopass", "+@all", "allkeys"] {
            // These words are right whatever the commands.
            let _ = rules.apply(frame, word.as_bytes());
        }
        rules
    }

    /// Takes one word of ACL SETUSER: [`super::merge_selectors`] made one of a selector's.
    ///
    /// # Errors
    /// Why the word is refused; nothing is changed then.
    pub(super) fn apply(&mut self, frame: Frame<'_>, op: &[u8]) -> Result<(), Reason> {
        let word = printed(op);
        let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
        if is("on") {
            self.enabled = true;
        } else if is("off") {
            self.enabled = false;
        } else if is("nopass") {
            self.nopass = true;
            self.passwords.clear();
        } else if is("resetpass") {
            self.nopass = false;
            self.passwords.clear();
        } else if is("skip-sanitize-payload") {
            self.trusts_payloads = true;
        } else if is("sanitize-payload") {
            self.trusts_payloads = false;
        } else if is("clearselectors") {
            self.more.clear();
        } else if is("reset") {
            *self = Rules::new(frame);
        } else {
            return match op {
                [b'>', password @ ..] => self.add_password(hash(password)),
                [b'#', digits @ ..] => self.add_password(parse_secret(digits)?),
                [b'<', password @ ..] => self.remove_password(hash(password)),
                [b'!', digits @ ..] => self.remove_password(parse_secret(digits)?),
                [b'(', inside @ .., b')'] => self.add_selector(frame, inside),
                _ => self.root.apply(frame.lookup, op),
            };
        }
        Ok(())
    }

    fn add_password(&mut self, secret: Secret) -> Result<(), Reason> {
        if !self.passwords.contains(&secret) {
            self.passwords.push(secret, ());
        }
        self.nopass = false;
        Ok(())
    }

    fn remove_password(&mut self, secret: Secret) -> Result<(), Reason> {
        if self.passwords.remove(&secret) {
            Ok(())
        } else {
            Err(Reason::NoSuchPassword)
        }
    }

    /// Makes `password` the only one; an empty one asks for none.
    pub(super) fn require(&mut self, password: &[u8]) {
        self.nopass = password.is_empty();
        self.passwords.clear();
        if !self.nopass {
            self.passwords.push(hash(password), ());
        }
    }

    fn add_selector(&mut self, frame: Frame<'_>, inside: &[u8]) -> Result<(), Reason> {
        let mut selector = Selector::new(frame.lookup, frame.all_channels);
        // compat: words are quoted as in a settings file and end at a NUL; where quotes are unbalanced there are none.
        for word in split_args(printed(inside)).unwrap_or_default() {
            if word.is_empty() {
                return Err(Reason::Syntax);
            }
            selector.apply(frame.lookup, &word)?;
        }
        self.more.push(selector);
        Ok(())
    }

    /// Whether somebody who gives this password is let in. Takes as long for a wrong one as for a right one.
    pub(super) fn lets_in(&self, secret: &Secret) -> bool {
        let matches = self
            .passwords
            .keys()
            .fold(subtle::Choice::from(0), |any, p| {
                any | p.as_slice().ct_eq(secret.as_slice())
            });
        self.enabled & (self.nopass | bool::from(matches))
    }

    /// Whether anybody is let in without a password.
    pub(super) fn is_open(&self) -> bool {
        self.enabled && self.nopass
    }

    /// Whether any password is right.
    pub(crate) fn has_no_password(&self) -> bool {
        self.nopass
    }

    /// Whether no request is refused, so that nothing needs to be checked.
    pub(crate) fn is_unrestricted(&self) -> bool {
        self.selectors().any(Selector::is_unrestricted)
    }

    /// The user's own selector, then the others.
    pub(super) fn selectors(&self) -> impl Iterator<Item = &Selector> + Clone {
        std::iter::once(&self.root).chain(&self.more)
    }

    /// The names of what is switched on, as ACL GETUSER shows them.
    pub(crate) fn flags(&self) -> impl Iterator<Item = &'static str> + Clone {
        let sanitizing = if self.trusts_payloads {
            "skip-sanitize-payload"
        } else {
            "sanitize-payload"
        };
        std::iter::once(if self.enabled { "on" } else { "off" })
            .chain(self.nopass.then_some("nopass"))
            .chain([sanitizing])
    }

    /// The passwords' SHA-256 in hexadecimal.
    pub(crate) fn passwords(&self) -> impl Iterator<Item = String> + '_ {
        self.passwords.keys().map(|secret| hex(secret))
    }

    /// Rules of commands, keys and channels of each selector, the user's own first, as ACL GETUSER shows them.
    pub(crate) fn permissions(&self) -> Vec<[Vec<u8>; 3]> {
        let parts = |s: &Selector| [s.commands_text(), s.keys_text(), s.channels_text()];
        self.selectors().map(parts).collect()
    }

    /// One line that makes the same user again, as ACL LIST shows it.
    pub(crate) fn describe(&self, name: &[u8]) -> Vec<u8> {
        let mut line = [b"user ".as_slice(), name].concat();
        let mut word = |mark: &[u8], text: &[u8], end: &[u8]| {
            [b" ", mark, text, end]
                .iter()
                .for_each(|part| line.extend_from_slice(part));
        };
        self.flags()
            .for_each(|flag| word(b"", flag.as_bytes(), b""));
        self.passwords().for_each(|p| word(b"#", p.as_bytes(), b""));
        word(b"", &self.root.describe(), b"");
        for selector in &self.more {
            word(b"(", &selector.describe(), b")");
        }
        line
    }
}

/// The SHA-256 of a password.
pub(super) fn hash(password: &[u8]) -> Secret {
    Sha256::digest(password).into()
}

/// Bytes as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Reads 64 lower-case hexadecimal digits.
fn parse_secret(digits: &[u8]) -> Result<Secret, Reason> {
    let mut secret = [0; 32];
    if digits.len() != 2 * secret.len() {
        return Err(Reason::BadHash);
    }
    let value = |digit: u8| match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        _ => Err(Reason::BadHash),
    };
    for (byte, pair) in secret.iter_mut().zip(digits.as_chunks::<2>().0) {
        *byte = value(pair[0])? << 4 | value(pair[1])?;
    }
    Ok(secret)
}
