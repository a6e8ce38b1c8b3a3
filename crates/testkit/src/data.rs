//! Everything that an engine in process holds, written down so that two engines can be compared.
//!
//! Uses the commands that are there: keys with type, expiry and serialised value, and the digest.
//! What is missing is left out, on both sides alike.
//! Encodings are no part of it: the same bytes may be kept in another way by the command that an effect replays
//! (INCRBYFLOAT leaves `embstr`, the SET that stands for it `int`), in Redis as well.

use crate::differential::has;
use crate::in_process::Connection;
use ochre_resp::Frame;
use std::collections::BTreeMap;

/// A line per fact, by database and key.
///
/// `keys` are looked at where there is no KEYS.
///
/// # Panics
/// When a reply is malformed.
pub fn describe(connection: &mut Connection, databases: usize, keys: &[&[u8]]) -> String {
    let mut facts = BTreeMap::new();
    let selected = connection.session.db;
    for db in 0..databases {
        connection.session.db = db;
        let mut names: Vec<Vec<u8>> = keys.iter().map(|k| k.to_vec()).collect();
        if has("keys")
            && let Frame::Array(found) = connection.run(&["KEYS", "*"])
        {
            names = found
                .iter()
                .filter_map(|f| Some(f.as_bytes()?.to_vec()))
                .collect();
        }
        for key in names {
            let mut ask = |connection: &mut Connection, words: &[&[u8]]| {
                let name: Vec<_> = words.iter().map(|w| String::from_utf8_lossy(w)).collect();
                if has(&name.join("|")) {
                    let mut request = words.to_vec();
                    request.push(&key);
                    let fact = format!("{:?}", connection.run(&request));
                    facts.insert((db, key.clone(), name.join("|")), fact);
                }
            };
            ask(connection, &[b"type"]);
            ask(connection, &[b"strlen"]);
            ask(connection, &[b"pexpiretime"]);
            // The serialised form of a table is in the table's own order.
            let is_string =
                connection.run(&[b"TYPE".as_slice(), &key]) == Frame::Simple(b"string".to_vec());
            let value: &[&[u8]] = if is_string {
                &[b"dump"]
            } else {
                &[b"debug", b"digest-value"]
            };
            ask(connection, value);
        }
    }
    connection.session.db = selected;
    let mut text = String::new();
    for ((db, key, what), fact) in facts {
        text.push_str(&format!("{db} {} {what}: {fact}\n", key.escape_ascii()));
    }
    if has("debug|digest") {
        text.push_str(&format!("{:?}\n", connection.run(&["DEBUG", "DIGEST"])));
    }
    text
}
