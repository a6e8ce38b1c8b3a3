//! Replies as text: for people, raw, CSV, JSON.
//!
//! Byte for byte what redis-cli 7.0.15 prints, observed on it with a server that sends every type (`tests/formats.rs`
//! compares); big numbers, which it does not print, are ours.

use crate::reply::Reply;

/// How replies are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// With types, numbered and indented.
    Standard,
    /// The bare values.
    Raw,
    Csv,
    Json,
    /// JSON whose strings are quoted as in [`Style::Standard`].
    QuotedJson,
}

/// A reply in one style, without the end of the line that separates replies, unless it belongs to the style.
pub(crate) fn format(reply: &Reply, style: Style, delimiter: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    match style {
        Style::Standard => standard(reply, &mut Vec::new(), &mut out),
        Style::Raw => raw(reply, delimiter, &mut out),
        Style::Csv => {
            csv(reply, &mut out);
            out.push(b'\n');
        }
        Style::Json | Style::QuotedJson => {
            json(reply, style == Style::QuotedJson, &mut out);
            out.push(b'\n');
        }
    }
    out
}

/// In quotes, with everything escaped that is no printable ASCII.
pub(crate) fn quoted(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for &byte in bytes {
        match byte {
            b'"' | b'\\' => out.extend([b'\\', byte]),
            b'\n' => out.extend(b"\\n"),
            b'\r' => out.extend(b"\\r"),
            b'\t' => out.extend(b"\\t"),
            7 => out.extend(b"\\a"),
            8 => out.extend(b"\\b"),
            b' '..=b'~' => out.push(byte),
            _ => out.extend(format!("\\x{byte:02x}").bytes()),
        }
    }
    out.push(b'"');
}

fn standard(reply: &Reply, prefix: &mut Vec<u8>, out: &mut Vec<u8>) {
    match reply {
        Reply::Error(text) => line(out, b"(error) ", text),
        Reply::Status(text) | Reply::Verbatim(text) => line(out, b"", text),
        Reply::Integer(n) => line(out, b"(integer) ", n.to_string().as_bytes()),
        Reply::Double(text) => line(out, b"(double) ", text),
        Reply::BigNumber(text) => line(out, b"(big number) ", text),
        Reply::Nil => line(out, b"(nil)", b""),
        Reply::Boolean(true) => line(out, b"(true)", b""),
        Reply::Boolean(false) => line(out, b"(false)", b""),
        Reply::Bulk(bytes) => {
            quoted(bytes, out);
            out.push(b'\n');
        }
        Reply::Array(items) => numbered(items, "array", ')', prefix, out),
        Reply::Set(items) => numbered(items, "set", '~', prefix, out),
        Reply::Push(items) => match invalidated(items) {
            Some(keys) if prefix.is_empty() => invalidation(keys, out),
            _ => numbered(items, "push", ')', prefix, out),
        },
        Reply::Map(pairs) => mapped(pairs, prefix, out),
    }
}

/// The keys of a message of client-side caching; one that says that all keys are invalid has none.
fn invalidated(items: &[Reply]) -> Option<&[Reply]> {
    match items {
        [Reply::Bulk(kind), Reply::Array(keys)] if kind == b"invalidate" => Some(keys),
        _ => None,
    }
}

fn invalidation(keys: &[Reply], out: &mut Vec<u8>) {
    out.extend(b"-> invalidate: ");
    for (i, key) in keys.iter().enumerate() {
        if i > 0 {
            out.extend(b", ");
        }
        out.push(b'\'');
        out.extend(key.bytes().unwrap_or_default());
        out.push(b'\'');
    }
    out.push(b'\n');
}

fn line(out: &mut Vec<u8>, kind: &[u8], text: &[u8]) {
    out.extend(kind);
    out.extend(text);
    out.push(b'\n');
}

/// Writes `1) `, in the width of the last number, and indents what comes under it.
fn number(i: usize, len: usize, sign: char, prefix: &mut Vec<u8>, out: &mut Vec<u8>) {
    let width = len.to_string().len();
    if i > 0 {
        out.extend_from_slice(&prefix[..prefix.len() - width - 2]);
    } else {
        prefix.extend(vec![b' '; width + 2]);
    }
    out.extend(format!("{:width$}{sign} ", i + 1).bytes());
}

fn numbered(items: &[Reply], kind: &str, sign: char, prefix: &mut Vec<u8>, out: &mut Vec<u8>) {
    if items.is_empty() {
        return line(out, format!("(empty {kind})").as_bytes(), b"");
    }
    let indent = prefix.len();
    for (i, item) in items.iter().enumerate() {
        number(i, items.len(), sign, prefix, out);
        standard(item, prefix, out);
    }
    prefix.truncate(indent);
}

fn mapped(pairs: &[(Reply, Reply)], prefix: &mut Vec<u8>, out: &mut Vec<u8>) {
    if pairs.is_empty() {
        return line(out, b"(empty hash)", b"");
    }
    let indent = prefix.len();
    for (i, (key, value)) in pairs.iter().enumerate() {
        number(i, pairs.len(), '#', prefix, out);
        standard(key, prefix, out);
        out.pop();
        out.extend(b" => ");
        let mut text = Vec::new();
        standard(value, prefix, &mut text);
        let nested = matches!(
            value,
            Reply::Array(_) | Reply::Set(_) | Reply::Push(_) | Reply::Map(_)
        );
        if nested && text.iter().position(|b| *b == b'\n') != Some(text.len() - 1) {
            // More than one line: all of them below the key.
            out.push(b'\n');
            out.extend_from_slice(prefix);
        }
        out.extend(text);
    }
    prefix.truncate(indent);
}

fn raw(reply: &Reply, delimiter: &[u8], out: &mut Vec<u8>) {
    match reply {
        Reply::Error(text) => {
            out.extend(text);
            out.push(b'\n');
        }
        Reply::Status(b)
        | Reply::Verbatim(b)
        | Reply::Bulk(b)
        | Reply::Double(b)
        | Reply::BigNumber(b) => out.extend(b),
        Reply::Integer(n) => out.extend(n.to_string().bytes()),
        Reply::Nil => {}
        Reply::Boolean(true) => out.extend(b"(true)"),
        Reply::Boolean(false) => out.extend(b"(false)"),
        Reply::Array(items) | Reply::Set(items) | Reply::Push(items) => {
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.extend(delimiter);
                }
                raw(item, delimiter, out);
            }
        }
        Reply::Map(pairs) => {
            for (i, (key, value)) in pairs.iter().enumerate() {
                if i > 0 {
                    out.extend(delimiter);
                }
                raw(key, delimiter, out);
                out.push(b' ');
                raw(value, delimiter, out);
            }
        }
    }
}

fn csv(reply: &Reply, out: &mut Vec<u8>) {
    match reply {
        Reply::Error(text) => {
            out.extend(b"ERROR,");
            quoted(text, out);
        }
        Reply::Status(b) | Reply::Verbatim(b) | Reply::Bulk(b) => quoted(b, out),
        Reply::Double(b) | Reply::BigNumber(b) => out.extend(b),
        Reply::Integer(n) => out.extend(n.to_string().bytes()),
        Reply::Nil => out.extend(b"NULL"),
        Reply::Boolean(b) => out.extend(b.to_string().bytes()),
        Reply::Array(items) | Reply::Set(items) | Reply::Push(items) => {
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                csv(item, out);
            }
        }
        Reply::Map(pairs) => {
            for (i, (key, value)) in pairs.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                csv(key, out);
                out.push(b',');
                csv(value, out);
            }
        }
    }
}

fn json(reply: &Reply, ascii: bool, out: &mut Vec<u8>) {
    match reply {
        Reply::Error(text) => {
            out.extend(b"error:");
            json_string(text, ascii, out);
        }
        Reply::Status(b) | Reply::Verbatim(b) | Reply::Bulk(b) => json_string(b, ascii, out),
        Reply::Double(b) | Reply::BigNumber(b) => out.extend(b),
        Reply::Integer(n) => out.extend(n.to_string().bytes()),
        Reply::Nil => out.extend(b"null"),
        Reply::Boolean(b) => out.extend(b.to_string().bytes()),
        Reply::Array(items) | Reply::Set(items) | Reply::Push(items) => {
            out.push(b'[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                json(item, ascii, out);
            }
            out.push(b']');
        }
        Reply::Map(pairs) => {
            out.push(b'{');
            for (i, (key, value)) in pairs.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                // A key that is no string becomes one by the quotes around it.
                let is_string = key.bytes().is_some() && !key.is_error();
                if !is_string {
                    out.push(b'"');
                }
                json(key, ascii, out);
                if !is_string {
                    out.push(b'"');
                }
                out.push(b':');
                json(value, ascii, out);
            }
            out.push(b'}');
        }
    }
}

fn json_string(bytes: &[u8], ascii: bool, out: &mut Vec<u8>) {
    if ascii {
        let mut text = Vec::new();
        quoted(bytes, &mut text);
        out.push(b'"');
        for &byte in &text[1..text.len() - 1] {
            // compat: backslashes are escaped again, quotes are not.
            if byte == b'\\' {
                out.push(b'\\');
            }
            out.push(byte);
        }
        out.push(b'"');
        return;
    }
    out.push(b'"');
    for &byte in bytes {
        match byte {
            b'"' | b'\\' => out.extend([b'\\', byte]),
            b'\n' => out.extend(b"\\n"),
            b'\r' => out.extend(b"\\r"),
            b'\t' => out.extend(b"\\t"),
            8 => out.extend(b"\\b"),
            12 => out.extend(b"\\f"),
            0..=31 => out.extend(format!("\\u{byte:04x}").bytes()),
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}
