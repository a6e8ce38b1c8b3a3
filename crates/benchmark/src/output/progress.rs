//! The line at a terminal that says how a run is going.

use crate::run::Progress;
use std::io::{IsTerminal as _, Write as _};

/// The line, if there is a terminal to show it.
#[derive(Debug)]
pub(crate) struct Line {
    is_shown: bool,
    /// Characters that are on the terminal now.
    width: usize,
}

impl Line {
    pub(crate) fn new() -> Line {
        Line {
            is_shown: std::io::stdout().is_terminal(),
            width: 0,
        }
    }

    /// Shows how `title` is going.
    pub(crate) fn show(&mut self, title: &str, progress: &Progress<'_>) {
        self.write(&text(title, progress));
    }

    /// Shows other text in the same place.
    pub(crate) fn write(&mut self, text: &str) {
        if !self.is_shown {
            return;
        }
        // What does not fit on one line would be left behind by the next.
        let room = match rustix::termios::tcgetwinsize(std::io::stdout()) {
            Ok(size) if size.ws_col > 1 => usize::from(size.ws_col) - 1,
            _ => usize::MAX,
        };
        let text: String = text.chars().take(room).collect();
        let width = text.chars().count();
        let blank = " ".repeat(self.width.saturating_sub(width));
        self.put(&format!("\r{text}{blank}"));
        self.width = width;
    }

    /// Blanks the line.
    pub(crate) fn clear(&mut self) {
        if self.width > 0 {
            let blank = " ".repeat(self.width);
            self.put(&format!("\r{blank}\r"));
            self.width = 0;
        }
    }

    fn put(&self, text: &str) {
        // Whoever closed the terminal needs no progress; results will fail to be written, and that is told.
        let mut out = std::io::stdout();
        let _ = out.write_all(text.as_bytes());
        let _ = out.flush();
    }
}

#[allow(clippy::cast_precision_loss)] // a figure for people
fn text(title: &str, progress: &Progress<'_>) -> String {
    let point = &progress.point;
    let overall = progress.answered as f64 / progress.seconds.max(1e-9);
    let mean = progress.counts.overall().mean() / 1e6;
    let mut text = format!(
        "{title}: rps={:.1} (overall: {overall:.1}) avg_msec={:.3} (overall: {mean:.3})",
        point.rate(),
        point.mean / 1e6,
    );
    if progress.counts.errors > 0 {
        text.push_str(&format!(" errors={}", progress.counts.errors));
    }
    text
}
