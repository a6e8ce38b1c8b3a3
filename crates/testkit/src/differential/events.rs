//! What both sides publish about keys and tell those who watch them, and how that is compared.
//!
//! Invariants:
//! - Events are taken after each request, so a difference belongs to the request before it.
//! - All classes are on that the reference has.
//!
//! Does not compare when keys are found expired: a sequence has no keys that expire in it, but for those that
//! are stored with a time that has passed, which are not sent (see [`is_past`]).

use super::peer::Peer;
use super::rules::{self, Kind};
use super::steps;
use crate::grammar::KEYS;
use crate::in_process::Connection;
use crate::reference::{Release, Wire};
use ochre_resp::{Frame, FrameDecoder, FrameLimits, Protocol};
use std::io;

/// Pattern of all channels of events.
const CHANNELS: &str = "__key*@*__:*";
/// The beginning of channels by key.
const BY_KEY: &[u8] = b"__keyspace@";
/// The event of a key that was looked for and is not there.
const MISS: &[u8] = b"keymiss";

/// Databases whose keys are watched.
const WATCHED: [&str; 2] = ["0", "1"];

/// Connections that learn what happens to the keys of one side.
pub struct Listener {
    messages: Messages,
    /// Watches all keys.
    watcher: Peer,
}

enum Messages {
    Engine(Box<Connection>),
    Server(Box<Wire>),
}

/// Channel and payload.
pub type Event = (Vec<u8>, Vec<u8>);

impl Listener {
    /// Has `peer` publish everything, and listens to it. `address` is the peer's, if it is a server.
    ///
    /// # Errors
    /// As TCP gives them.
    pub fn new(peer: &mut Peer, address: &str, release: Release) -> io::Result<Listener> {
        let classes = match release {
            Release::V70 => "KEAnm",
            Release::V82 => "KEAnmoc",
        };
        peer.call(&["CONFIG", "SET", "notify-keyspace-events", classes])?;
        let listen = ["PSUBSCRIBE", CHANNELS];
        let (messages, watcher) = match peer {
            Peer::Engine(connection) => {
                let mut listener = connection.beside(Protocol::Resp2);
                listener.raw(&listen);
                let watcher = connection.beside(Protocol::Resp2);
                (
                    Messages::Engine(Box::new(listener)),
                    Peer::Engine(Box::new(watcher)),
                )
            }
            Peer::Server(_) => {
                let mut listener = Wire::connect(address)?;
                listener.call(&listen)?;
                let watcher = Wire::connect(address)?;
                (
                    Messages::Server(Box::new(listener)),
                    Peer::Server(Box::new(watcher)),
                )
            }
        };
        let mut listener = Listener { messages, watcher };
        listener.changed()?;
        Ok(listener)
    }

    /// What EXEC answers to somebody who watches all keys since the last call.
    ///
    /// # Errors
    /// As TCP gives them.
    pub fn changed(&mut self) -> io::Result<Vec<u8>> {
        let words = |words: &[&[u8]]| words.iter().map(|w| w.to_vec()).collect::<Vec<_>>();
        let mut requests = vec![words(&[b"MULTI"]), words(&[b"EXEC"])];
        for db in WATCHED {
            requests.push(words(&[b"SELECT", db.as_bytes()]));
            let keys: Vec<&[u8]> = std::iter::once(&b"WATCH"[..])
                .chain(KEYS.iter().copied())
                .collect();
            requests.push(words(&keys));
        }
        let mut replies = Vec::new();
        self.watcher.exchange(&requests, &mut replies)?;
        Ok(replies.swap_remove(1))
    }

    /// The events that were published since the last call, by requests that were answered.
    ///
    /// # Errors
    /// As TCP gives them.
    pub fn events(&mut self) -> io::Result<Vec<Event>> {
        let mut frames = Vec::new();
        match &mut self.messages {
            Messages::Engine(connection) => {
                let bytes = connection.messages();
                let (mut rest, mut decoder) =
                    (&bytes[..], FrameDecoder::new(FrameLimits::default()));
                while !rest.is_empty() {
                    let progress = decoder.decode(rest).map_err(io::Error::other)?;
                    frames.extend(progress.frame);
                    rest = &rest[progress.consumed..];
                }
            }
            Messages::Server(wire) => {
                // What was published before the first reply is sent before the second at the latest.
                for token in ["first", "second"] {
                    let is_last = |reply: &[u8]| reply.starts_with(b"*2\r\n$4\r\npong");
                    let sent = wire.until(&["PING", token], is_last)?;
                    frames.extend(sent.iter().filter_map(|bytes| steps::decode(bytes)));
                }
            }
        }
        Ok(frames.into_iter().filter_map(event).collect())
    }
}

fn event(message: Frame) -> Option<Event> {
    let Frame::Array(parts) = message else {
        return None;
    };
    match <[Frame; 4]>::try_from(parts) {
        Ok([_, _, Frame::Bulk(channel), Frame::Bulk(payload)]) => Some((channel, payload)),
        _ => None,
    }
}

/// Whether the events of a request agree. The order in which SORT looks for keys, and which, follows from that of the
/// elements, which a hash table does not have.
#[must_use]
pub fn agree(args: &[Vec<u8>], ours: &[Event], theirs: &[Event]) -> bool {
    if ours == theirs {
        return true;
    }
    let is = |name: &str| args[0].eq_ignore_ascii_case(name.as_bytes());
    if !is("sort") && !is("sort_ro") {
        return false;
    }
    let is_miss = |event: &&Event| {
        let (channel, payload) = event;
        channel.ends_with(MISS) && !channel.starts_with(BY_KEY) || payload == MISS
    };
    let (sampled, of) = (
        rules::rule_for(args) != Kind::Exact,
        |events: &[Event]| {
            let mut misses: Vec<Event> = events.iter().filter(is_miss).cloned().collect();
            let others: Vec<Event> = events.iter().filter(|e| !is_miss(e)).cloned().collect();
            misses.sort();
            (misses, others)
        },
    );
    let (ours, theirs) = (of(ours), of(theirs));
    ours.1 == theirs.1 && (sampled || ours.0 == theirs.0)
}

/// Events as a text of one line each; those that are published twice, by key and by event, once.
#[must_use]
pub fn shown(events: &[Event]) -> Vec<u8> {
    let mut text = Vec::new();
    for (channel, payload) in events.iter().filter(|(c, _)| c.starts_with(BY_KEY)) {
        text.extend_from_slice(payload);
        text.push(b' ');
        text.extend_from_slice(&channel[BY_KEY.len()..]);
        text.push(b';');
    }
    text
}

/// Whether a request stores a value whose time has passed. Redis keeps it until it is looked for; Ochre lets it expire at once.
#[must_use]
pub fn is_past(args: &[Vec<u8>]) -> bool {
    let now_ms = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| since.as_millis());
    let past = |pair: &[Vec<u8>]| {
        let unit = match () {
            () if pair[0].eq_ignore_ascii_case(b"exat") => 1000,
            () if pair[0].eq_ignore_ascii_case(b"pxat") => 1,
            () => return false,
        };
        ochre_resp::parse_i64(&pair[1]).is_some_and(|at| i128::from(at) * unit <= now_ms as i128)
    };
    args[0].eq_ignore_ascii_case(b"set") && args.windows(2).any(past)
}
