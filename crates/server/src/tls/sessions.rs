//! The sessions that clients may resume: at most so many, each for so long.
//!
//! Invariants
//! - `order` lists every remembered session, oldest first; one that was taken may still be listed.
//! - As all sessions live equally long, the oldest expires first.
//!
//! A new configuration has a new cache: a session never outlives the settings under which it was made.

use parking_lot::Mutex;
use rustls::server::StoresServerSessions;
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::time::{Duration, Instant};

/// The most sessions, whatever the settings say.
pub(super) const SESSIONS_MAX: usize = 1 << 20;

/// See the module's documentation.
pub(super) struct Sessions {
    most: usize,
    life: Duration,
    /// Guards: the sessions. Held for a look-up or a change of one, never across anything else.
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    sessions: HashMap<Vec<u8>, (Instant, Vec<u8>)>,
    order: VecDeque<(Instant, Vec<u8>)>,
}

impl Sessions {
    /// Remembers `most` sessions (0: [`SESSIONS_MAX`]) for `life` each.
    pub(super) fn new(most: usize, life: Duration) -> Sessions {
        let most = match most {
            0 => SESSIONS_MAX,
            most => most.min(SESSIONS_MAX),
        };
        Sessions {
            most,
            life,
            kept: Mutex::default(),
        }
    }

    fn put_at(&self, now: Instant, key: Vec<u8>, value: Vec<u8>) {
        let mut kept = self.kept.lock();
        let Kept { sessions, order } = &mut *kept;
        while order
            .front()
            .is_some_and(|(made, _)| order.len() >= self.most || now - *made >= self.life)
        {
            if let Some((made, key)) = order.pop_front()
                && sessions.get(&key).is_some_and(|(at, _)| *at == made)
            {
                sessions.remove(&key);
            }
        }
        order.push_back((now, key.clone()));
        sessions.insert(key, (now, value));
    }

    fn get_at(&self, now: Instant, key: &[u8]) -> Option<Vec<u8>> {
        let kept = self.kept.lock();
        let (made, value) = kept.sessions.get(key)?;
        (now - *made < self.life).then(|| value.clone())
    }

    fn take_at(&self, now: Instant, key: &[u8]) -> Option<Vec<u8>> {
        let (made, value) = self.kept.lock().sessions.remove(key)?;
        (now - made < self.life).then_some(value)
    }
}

impl fmt::Debug for Sessions {
    // Sessions are secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions").finish_non_exhaustive()
    }
}

impl StoresServerSessions for Sessions {
    fn put(&self, key: Vec<u8>, value: Vec<u8>) -> bool {
        self.put_at(Instant::now(), key, value);
        true
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.get_at(Instant::now(), key)
    }

    fn take(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.take_at(Instant::now(), key)
    }

    fn can_cache(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_end_with_their_time_and_give_way_to_newer_ones() {
        let life = Duration::from_secs(10);
        let sessions = Sessions::new(2, life);
        let start = Instant::now();
        sessions.put_at(start, b"a".to_vec(), b"1".to_vec());
        assert_eq!(sessions.get_at(start, b"a"), Some(b"1".to_vec()));
        assert_eq!(sessions.get_at(start + life, b"a"), None);
        assert_eq!(sessions.take_at(start, b"a"), Some(b"1".to_vec()));
        assert_eq!(sessions.take_at(start, b"a"), None);
        for key in [b"b", b"c", b"d"] {
            sessions.put_at(start, key.to_vec(), b"2".to_vec());
        }
        assert_eq!(sessions.get_at(start, b"b"), None);
        assert!(sessions.get_at(start, b"d").is_some());
        sessions.put_at(start + life, b"e".to_vec(), b"3".to_vec());
        assert_eq!(sessions.kept.lock().sessions.len(), 1);
        assert_eq!(sessions.kept.lock().order.len(), 1);
        assert_eq!(Sessions::new(0, life).most, SESSIONS_MAX);
    }
}
