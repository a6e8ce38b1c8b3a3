//! A setting's value: parsing it from words, and printing it as CONFIG GET and a file do.
//!
//! Invariants:
//! - Printing is canonical: parsing what was printed gives an equal value.
//! - The reasons for refusal are Redis 7.0.15's texts, since tools match on them.
//! - A number is parsed without overflow; what does not fit is refused.
//!
//! Does not store values (`store`) nor know where the words came from.

use std::sync::Arc;

use super::events::EventClasses;
use super::quoting;
use super::setting::{Check, Kind, Setting, Standing};

/// Why a value is refused, as the client or operator reads it.
pub(super) type Reason = String;

/// Limit: as many as could be told apart in a report of one command.
pub(super) const PERCENTILES_MAX: usize = 64;

/// The client classes of `client-output-buffer-limit`, in the order in which they are printed.
const CLASSES: [&str; 3] = ["normal", "slave", "pubsub"];

/// The names of shutdown modifiers; a value's bit is the name's position, `default` being none.
const SHUTDOWN_NAMES: [&str; 4] = ["save", "nosave", "now", "force"];

/// A value in the form in which it is kept.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Booleans (0, 1), integers, bytes, percentages (negative), choices (index) and bit sets.
    Number(i64),
    /// Texts; words are joined by one space.
    Text(Arc<[u8]>),
    /// Lists of integers: save rules, buffer limits (nine numbers), scores.
    Numbers(Arc<[i64]>),
    /// Percentiles.
    Decimals(Arc<[f64]>),
}

impl Value {
    /// The number, if the value is one.
    #[must_use]
    pub fn number(&self) -> Option<i64> {
        match self {
            Value::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// The text, if the value is one.
    #[must_use]
    pub fn text(&self) -> Option<&Arc<[u8]>> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The integers, if the value is a list of them.
    #[must_use]
    pub fn numbers(&self) -> Option<&Arc<[i64]>> {
        match self {
            Value::Numbers(numbers) => Some(numbers),
            _ => None,
        }
    }

    /// The percentiles, if the value is a list of them.
    #[must_use]
    pub fn decimals(&self) -> Option<&Arc<[f64]>> {
        match self {
            Value::Decimals(decimals) => Some(decimals),
            _ => None,
        }
    }
}

/// Parses the words given to `setting`, on top of `current` where a setting may be given in part.
pub(super) fn parse(setting: &Setting, words: &[&[u8]], current: &Value) -> Result<Value, Reason> {
    let value = parse_any(setting, words, current)?;
    if let Standing::Absent { reason } = setting.standing
        && value != parse_any(setting, &[setting.default.as_bytes()], current)?
    {
        return Err(reason.to_owned());
    }
    Ok(value)
}

fn parse_any(setting: &Setting, words: &[&[u8]], current: &Value) -> Result<Value, Reason> {
    let spread;
    let words = match words {
        [one] if setting.kind.takes_words() => {
            spread = spread_word(one);
            spread.as_slice()
        }
        [_] => words,
        _ if setting.kind.takes_words() => words,
        _ => return Err("wrong number of arguments".to_owned()),
    };
    match setting.kind {
        Kind::Words { max } => parse_words(words, max),
        Kind::SaveRules => parse_save(words),
        Kind::BufferLimits => parse_limits(words, current),
        Kind::Percentiles => parse_percentiles(setting.name, words),
        Kind::OomScores => parse_scores(setting.name, words),
        Kind::ShutdownFlags => parse_shutdown(words),
        Kind::Primary => parse_primary(words),
        _ => parse_one(setting, words.first().copied().unwrap_or_default()),
    }
}

/// compat: a single argument holding spaces stands for several, as in `CONFIG SET save "60 1"`.
fn spread_word(word: &[u8]) -> Vec<&[u8]> {
    if word.is_empty() {
        return Vec::new();
    }
    word.split(|byte| *byte == b' ').collect()
}

fn parse_one(setting: &Setting, word: &[u8]) -> Result<Value, Reason> {
    let number = match setting.kind {
        Kind::Bool => parse_flag(word)?,
        Kind::Int { min, max } => {
            let number =
                parse_integer(word).ok_or("argument couldn't be parsed into an integer")?;
            within(number, min, max)?
        }
        Kind::Memory { min, max } => {
            let bytes = parse_memory(word).ok_or("argument must be a memory value")?;
            // Values beyond the signed range are beyond every maximum.
            let bytes = i64::try_from(bytes).map_err(|_| bounds(min, max))?;
            within(bytes, min, max)?
        }
        Kind::MemoryOrPercent => parse_memory_or_percent(word)?,
        Kind::OctalMode => parse_mode(word)?,
        Kind::Choice(names) => parse_choice(word, names)?,
        Kind::EventClasses => parse_events(word)?,
        _ => {
            check_text(setting, word)?;
            return Ok(Value::Text(word.into()));
        }
    };
    Ok(Value::Number(match setting.clamp {
        Some((min, max)) => number.clamp(min, max),
        None => number,
    }))
}

fn bounds(min: i64, max: i64) -> Reason {
    format!("argument must be between {min} and {max} inclusive")
}

fn within(number: i64, min: i64, max: i64) -> Result<i64, Reason> {
    if (min..=max).contains(&number) {
        Ok(number)
    } else {
        Err(bounds(min, max))
    }
}

fn parse_flag(word: &[u8]) -> Result<i64, Reason> {
    if word.eq_ignore_ascii_case(b"yes") {
        Ok(1)
    } else if word.eq_ignore_ascii_case(b"no") {
        Ok(0)
    } else {
        Err("argument must be 'yes' or 'no'".to_owned())
    }
}

/// Strict: no sign but a minus, no leading zeros, no spaces.
fn parse_integer(word: &[u8]) -> Option<i64> {
    let number: i64 = std::str::from_utf8(word).ok()?.parse().ok()?;
    (itoa::Buffer::new().format(number).as_bytes() == word).then_some(number)
}

/// compat: no digits at all count as 0, so that an empty argument is 0 bytes (Redis 7.0.15).
fn parse_memory(word: &[u8]) -> Option<u64> {
    let digits = word.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, unit) = word.split_at(digits);
    let unit: u64 = match unit.to_ascii_lowercase().as_slice() {
        b"" | b"b" => 1,
        b"k" => 1000,
        b"kb" => 1 << 10,
        b"m" => 1_000_000,
        b"mb" => 1 << 20,
        b"g" => 1_000_000_000,
        b"gb" => 1 << 30,
        _ => return None,
    };
    let mut bytes: u64 = 0;
    for digit in digits {
        bytes = bytes
            .checked_mul(10)?
            .checked_add(u64::from(digit - b'0'))?;
    }
    bytes.checked_mul(unit)
}

fn parse_memory_or_percent(word: &[u8]) -> Result<i64, Reason> {
    const NEITHER: &str = "argument must be a memory or percent value";
    if let [digits @ .., b'%'] = word {
        let percent = parse_integer(digits)
            .filter(|percent| *percent >= 0)
            .ok_or(NEITHER)?;
        if percent > 100 {
            return Err("percentage argument must be less or equal to 100".to_owned());
        }
        return Ok(-percent);
    }
    let bytes = parse_memory(word).ok_or(NEITHER)?;
    i64::try_from(bytes).map_err(|_| bounds(0, i64::MAX))
}

fn parse_mode(word: &[u8]) -> Result<i64, Reason> {
    let mode = std::str::from_utf8(word)
        .ok()
        .and_then(|text| i64::from_str_radix(text, 8).ok());
    match mode.ok_or("argument couldn't be parsed as an octal number")? {
        mode @ 0..=0o777 => Ok(mode),
        _ => Err("argument must be between 0 and 777 inclusive".to_owned()),
    }
}

fn parse_choice(word: &[u8], names: &[&str]) -> Result<i64, Reason> {
    match names
        .iter()
        .position(|name| name.as_bytes().eq_ignore_ascii_case(word))
    {
        Some(index) => Ok(i64::try_from(index).unwrap_or(i64::MAX)),
        None => Err(one_of(names)),
    }
}

fn one_of(names: &[&str]) -> Reason {
    format!(
        "argument(s) must be one of the following: {}",
        names.join(", ")
    )
}

fn parse_events(word: &[u8]) -> Result<i64, Reason> {
    EventClasses::parse(word)
        .map(|classes| i64::from(classes.bits()))
        .ok_or_else(|| "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.".to_owned())
}

fn check_text(setting: &Setting, word: &[u8]) -> Result<(), Reason> {
    match setting.check {
        Check::Anything => Ok(()),
        Check::FileName if word.contains(&b'/') || word.contains(&b'\\') => {
            Err(format!("{} can't be a path, just a filename", setting.name))
        }
        Check::FileName if word.is_empty() => Err(format!("{} can't be empty", setting.name)),
        Check::FileName => Ok(()),
        Check::HostName => {
            let fits = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
            if word.len() >= 256 {
                return Err("Hostnames must be less than 256 characters".to_owned());
            }
            if word.iter().all(fits) {
                return Ok(());
            }
            Err("Hostnames may only contain alphanumeric characters, hyphens or dots".to_owned())
        }
    }
}

fn parse_words(words: &[&[u8]], max: usize) -> Result<Value, Reason> {
    if words.len() > max {
        return Err("Too many bind addresses specified.".to_owned());
    }
    Ok(Value::Text(words.join(&b' ').into()))
}

fn parse_save(words: &[&[u8]]) -> Result<Value, Reason> {
    const INVALID: &str = "Invalid save parameters";
    let (pairs, rest) = words.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(INVALID.to_owned());
    }
    let mut rules = Vec::with_capacity(words.len());
    for [seconds, changes] in pairs {
        rules.push(
            parse_integer(seconds)
                .filter(|seconds| *seconds >= 1)
                .ok_or(INVALID)?,
        );
        rules.push(
            parse_integer(changes)
                .filter(|changes| *changes >= 0)
                .ok_or(INVALID)?,
        );
    }
    Ok(Value::Numbers(rules.into()))
}

fn parse_limits(words: &[&[u8]], current: &Value) -> Result<Value, Reason> {
    let (groups, rest) = words.as_chunks::<4>();
    if !rest.is_empty() {
        return Err("Wrong number of arguments in buffer limit configuration.".to_owned());
    }
    let mut limits = [0; 9];
    if let Some(current) = current
        .numbers()
        .filter(|current| current.len() == limits.len())
    {
        limits.copy_from_slice(current);
    }
    let (rows, _) = limits.as_chunks_mut::<3>();
    for [class, hard, soft, seconds] in groups {
        let named = |name: &&str| name.as_bytes().eq_ignore_ascii_case(class);
        let class = if class.eq_ignore_ascii_case(b"replica") {
            Some(1)
        } else {
            CLASSES.iter().position(named)
        };
        let row = class
            .and_then(|class| rows.get_mut(class))
            .ok_or("Invalid client class specified in buffer limit configuration.")?;
        *row = parse_limit(hard, soft, seconds)
            .ok_or("Error in hard, soft or soft_seconds setting in buffer limit configuration.")?;
    }
    Ok(Value::Numbers(Arc::new(limits)))
}

fn parse_limit(hard: &[u8], soft: &[u8], seconds: &[u8]) -> Option<[i64; 3]> {
    let bytes = |word| parse_memory(word).and_then(|bytes| i64::try_from(bytes).ok());
    let seconds = parse_integer(seconds).filter(|seconds| *seconds >= 0)?;
    Some([bytes(hard)?, bytes(soft)?, seconds])
}

fn parse_percentiles(name: &str, words: &[&[u8]]) -> Result<Value, Reason> {
    if words.len() > PERCENTILES_MAX {
        return Err(format!(
            "no more than {PERCENTILES_MAX} percentiles are reported"
        ));
    }
    let mut percentiles = Vec::with_capacity(words.len());
    for word in words {
        let parsed = std::str::from_utf8(word)
            .ok()
            .and_then(|text| text.parse::<f64>().ok());
        let percentile = parsed.filter(|percentile| !percentile.is_nan());
        let percentile = percentile.ok_or_else(|| format!("Invalid {name} parameters"))?;
        if !(0.0..=100.0).contains(&percentile) {
            return Err(format!("{name} parameters should sit between [0.0,100.0]"));
        }
        // Six places are all that is ever printed, and printing has to give the value back.
        percentiles.push((percentile * 1e6).round() / 1e6);
    }
    Ok(Value::Decimals(percentiles.into()))
}

fn parse_scores(name: &str, words: &[&[u8]]) -> Result<Value, Reason> {
    let [_, _, _] = words else {
        return Err("wrong number of arguments".to_owned());
    };
    let mut scores = [0; 3];
    for (score, word) in scores.iter_mut().zip(words) {
        let parsed = parse_integer(word).filter(|score| (-2000..=2000).contains(score));
        *score = parsed
            .ok_or_else(|| format!("Invalid {name}, elements must be between -2000 and 2000."))?;
    }
    Ok(Value::Numbers(Arc::new(scores)))
}

fn parse_shutdown(words: &[&[u8]]) -> Result<Value, Reason> {
    const NAMES: [&str; 5] = ["default", "save", "nosave", "now", "force"];
    if words.is_empty() {
        return Err(one_of(&NAMES));
    }
    let mut bits = 0;
    for word in words {
        let position = parse_choice(word, &NAMES)?;
        if position > 0 {
            bits |= 1 << (position - 1);
        }
    }
    if bits & 0b11 == 0b11 {
        return Err("shutdown options SAVE and NOSAVE can't be used simultaneously".to_owned());
    }
    Ok(Value::Number(bits))
}

fn parse_primary(words: &[&[u8]]) -> Result<Value, Reason> {
    let empty = Value::Text(Arc::new([]));
    match words {
        [] => Ok(empty),
        [no, one] if no.eq_ignore_ascii_case(b"no") && one.eq_ignore_ascii_case(b"one") => {
            Ok(empty)
        }
        [host, port] => {
            let port = parse_integer(port).filter(|port| (0..=65_535).contains(port));
            let port = port.ok_or("Invalid master port")?;
            Ok(Value::Text(
                [host, b" ".as_slice(), port.to_string().as_bytes()]
                    .concat()
                    .into(),
            ))
        }
        _ => Err("wrong number of arguments".to_owned()),
    }
}

/// The value as CONFIG GET answers it.
pub fn show(setting: &Setting, value: &Value) -> Vec<u8> {
    match value {
        Value::Number(number) => show_number(setting.kind, *number).into_bytes(),
        Value::Text(text) => text.to_vec(),
        Value::Decimals(decimals) => decimals
            .iter()
            .map(|one| show_decimal(*one))
            .collect::<Vec<_>>()
            .join(" ")
            .into_bytes(),
        Value::Numbers(numbers) if setting.kind == Kind::BufferLimits => {
            let rows = CLASSES.iter().zip(numbers.as_chunks::<3>().0);
            let shown =
                rows.map(|(class, [hard, soft, time])| format!("{class} {hard} {soft} {time}"));
            shown.collect::<Vec<_>>().join(" ").into_bytes()
        }
        Value::Numbers(numbers) => join(numbers).into_bytes(),
    }
}

fn join(numbers: &[i64]) -> String {
    numbers
        .iter()
        .map(i64::to_string)
        .collect::<Vec<_>>()
        .join(" ")
}

fn show_decimal(decimal: f64) -> String {
    let shown = format!("{decimal:.6}");
    shown.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn show_number(kind: Kind, number: i64) -> String {
    match kind {
        Kind::Bool => if number == 0 { "no" } else { "yes" }.to_owned(),
        Kind::MemoryOrPercent if number < 0 => format!("{}%", number.unsigned_abs()),
        Kind::OctalMode => format!("{number:o}"),
        Kind::Choice(names) => {
            let name = usize::try_from(number)
                .ok()
                .and_then(|index| names.get(index));
            name.copied().unwrap_or_default().to_owned()
        }
        Kind::EventClasses => show_events(number),
        Kind::ShutdownFlags if number == 0 => "default".to_owned(),
        Kind::ShutdownFlags => {
            let bits = SHUTDOWN_NAMES.iter().enumerate();
            let set = bits
                .filter(|(bit, _)| number >> bit & 1 == 1)
                .map(|(_, name)| *name);
            set.collect::<Vec<_>>().join(" ")
        }
        _ => number.to_string(),
    }
}

/// compat: all classes print as `A`; Redis loses a further `n` there, which is kept here.
fn show_events(bits: i64) -> String {
    EventClasses::from_bits(u32::try_from(bits).unwrap_or(0)).letters()
}

/// The lines that give `setting` this value in a configuration file.
pub(super) fn lines(setting: &Setting, value: &Value) -> Vec<Vec<u8>> {
    let line = |tail: &[u8]| [setting.name.as_bytes(), b" ", tail].concat();
    match (setting.kind, value) {
        (Kind::SaveRules, Value::Numbers(rules)) if !rules.is_empty() => {
            let rules = rules.as_chunks::<2>().0.iter();
            rules.map(|rule| line(join(rule).as_bytes())).collect()
        }
        (Kind::BufferLimits, Value::Numbers(numbers)) => {
            let rows = ["normal", "replica", "pubsub"]
                .iter()
                .zip(numbers.as_chunks::<3>().0);
            rows.map(|(class, [hard, soft, seconds])| {
                let (hard, soft) = (show_memory(*hard), show_memory(*soft));
                line(format!("{class} {hard} {soft} {seconds}").as_bytes())
            })
            .collect()
        }
        (Kind::Memory { .. } | Kind::MemoryOrPercent, Value::Number(bytes)) if *bytes >= 0 => {
            vec![line(show_memory(*bytes).as_bytes())]
        }
        (Kind::Words { .. }, Value::Text(words)) if is_plain(words) => vec![line(words)],
        (Kind::Primary, Value::Text(primary)) if primary.is_empty() => vec![line(b"no one")],
        (_, Value::Text(text)) => vec![line(&quoted(text))],
        (Kind::EventClasses, _) => vec![line(&quoted(&show(setting, value)))],
        _ => {
            let shown = show(setting, value);
            vec![line(if shown.is_empty() { b"\"\"" } else { &shown })]
        }
    }
}

fn is_plain(words: &[u8]) -> bool {
    let plain = |byte: &u8| matches!(byte, b' ' | b'!' | b'#'..=b'&' | b'('..=b'~');
    !words.is_empty() && words.iter().all(plain)
}

fn quoted(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 2);
    quoting::quote(text, &mut out);
    out
}

/// The largest unit that divides the bytes evenly.
fn show_memory(bytes: i64) -> String {
    for (unit, name) in [(1 << 30, "gb"), (1 << 20, "mb"), (1 << 10, "kb")] {
        if bytes > 0 && bytes % unit == 0 {
            return format!("{}{name}", bytes / unit);
        }
    }
    bytes.to_string()
}
