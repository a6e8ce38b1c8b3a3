//! The first line of a script or library: `#!lua flags=…`, `#!lua name=…`.

use ochre_engine::error::CommandError;

/// What a script says about itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Flags(u8);

impl Flags {
    /// Writes nothing; writing commands are refused.
    pub const NO_WRITES: Flags = Flags(1);
    /// May run, and use commands that need memory, while memory is over the limit.
    pub const ALLOW_OOM: Flags = Flags(2);
    /// May run on a replica with stale data.
    pub const ALLOW_STALE: Flags = Flags(4);
    /// Must not run in cluster mode.
    pub const NO_CLUSTER: Flags = Flags(8);
    /// May touch keys of several slots.
    pub const ALLOW_CROSS_SLOT_KEYS: Flags = Flags(16);
    /// Has no first line: commands are checked one by one.
    pub const UNDECLARED: Flags = Flags(32);

    /// Flags and their names, in the order in which FUNCTION LIST tells them.
    pub const NAMED: &'static [(Flags, &'static str)] = &[
        (Flags::NO_WRITES, "no-writes"),
        (Flags::ALLOW_OOM, "allow-oom"),
        (Flags::ALLOW_STALE, "allow-stale"),
        (Flags::NO_CLUSTER, "no-cluster"),
        (Flags::ALLOW_CROSS_SLOT_KEYS, "allow-cross-slot-keys"),
    ];

    /// The flag called `name`.
    #[must_use]
    pub fn named(name: &[u8]) -> Option<Flags> {
        let found = Self::NAMED
            .iter()
            .find(|(_, known)| known.as_bytes() == name)?;
        Some(found.0)
    }

    /// Both sets together.
    #[must_use]
    pub const fn with(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }

    /// Whether all of `other` are set.
    #[must_use]
    pub const fn has(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }
}

/// The flags of a script, and where its program begins: at the end of the first line, so that lines keep their numbers.
///
/// # Errors
/// Redis's texts for a first line that is none.
pub fn script(text: &[u8]) -> Result<(Flags, usize), CommandError> {
    if !text.starts_with(b"#!") {
        return Ok((Flags::UNDECLARED, 0));
    }
    let end = line_end(text).ok_or_else(|| CommandError::new("ERR Invalid script shebang"))?;
    let words = ochre_resp::split_args(&text[..end])
        .map_err(|_| CommandError::new("ERR Invalid engine in script shebang"))?;
    let engine = words.first().map_or(b"".as_slice(), Vec::as_slice);
    if engine != b"#!lua" {
        return Err(CommandError::quoting(
            "ERR Unexpected engine in script shebang: ",
            engine,
            "",
        ));
    }
    let mut flags = Flags::default();
    for word in &words[1..] {
        let Some(list) = word.strip_prefix(b"flags=") else {
            return Err(CommandError::quoting(
                "ERR Unknown lua shebang option: ",
                word,
                "",
            ));
        };
        if list.is_empty() {
            continue;
        }
        for name in list.split(|byte| *byte == b',') {
            let flag = Flags::named(name).ok_or_else(|| {
                CommandError::quoting("ERR Unexpected flag in script shebang: ", name, "")
            })?;
            flags = flags.with(flag);
        }
    }
    Ok((flags, end))
}

/// The name of a library, and where its program begins.
///
/// # Errors
/// Redis's texts for a first line that is none.
pub fn library(text: &[u8]) -> Result<(Vec<u8>, usize), CommandError> {
    let invalid = || CommandError::new("ERR Invalid library metadata");
    if !text.starts_with(b"#!") {
        return Err(CommandError::new("ERR Missing library metadata"));
    }
    let end = line_end(text).ok_or_else(invalid)?;
    let words = ochre_resp::split_args(&text[..end]).map_err(|_| invalid())?;
    // compat: an engine's name is known in any case, and may be missing where nothing follows.
    let engine = words.first().map_or(b"".as_slice(), Vec::as_slice);
    let engine = engine.get(2..).unwrap_or_default();
    let mut name = None;
    for word in words.iter().skip(1) {
        let Some(given) = word.strip_prefix(b"name=") else {
            return Err(CommandError::quoting(
                "ERR Invalid metadata value given: ",
                word,
                "",
            ));
        };
        if name.replace(given.to_vec()).is_some() {
            return Err(CommandError::new(
                "ERR Invalid metadata value, name argument was given multiple times",
            ));
        }
    }
    let name = name.ok_or_else(|| CommandError::new("ERR Library name was not given"))?;
    if !is_name(&name) {
        return Err(CommandError::new(format!("ERR Library {NAMES}")));
    }
    if !engine.eq_ignore_ascii_case(b"lua") {
        return Err(CommandError::quoting("ERR Engine '", engine, "' not found"));
    }
    Ok((name, end))
}

/// What names must look like.
pub(crate) const NAMES: &str = "names can only contain letters, numbers, or underscores(_) and must be at least one character long";

/// Whether a library or function may be called so.
pub(crate) fn is_name(name: &[u8]) -> bool {
    !name.is_empty()
        && name
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

fn line_end(text: &[u8]) -> Option<usize> {
    text.iter().position(|byte| *byte == b'\n')
}
