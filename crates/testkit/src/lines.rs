//! Effects as lines of text.

use ochre_engine::ports::Journal;
use ochre_resp::Request;
use std::sync::Mutex;

/// A journal that keeps each effect as its words with a blank between.
#[derive(Debug, Default)]
pub struct Lines(Mutex<Vec<String>>);

impl Lines {
    /// What came since the last time.
    ///
    /// # Panics
    /// When a thread panicked while it wrote.
    #[must_use]
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().expect("no panic"))
    }
}

impl Journal for Lines {
    fn append(&self, _: usize, effect: Request<'_>) {
        let words: Vec<_> = effect.iter().map(String::from_utf8_lossy).collect();
        self.0.lock().expect("no panic").push(words.join(" "));
    }
}
