//! The server's log: lines in the shape that Redis's supervisors and test harnesses read,
//! `PID:M day month year time level message`, on standard output or in `logfile`.
//!
//! Times are UTC.

use ochre_engine::ports::LogLevel;
use parking_lot::Mutex;
use std::fs::File;
use std::io::Write;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

/// Writes log lines at or above a level.
pub(crate) struct Log {
    level: AtomicU8,
    file: Mutex<Option<File>>,
}

/// Bytes of one line; the rest is cut off, as Redis does.
const LINE_MAX: usize = 1024;

impl Log {
    pub(crate) const fn new() -> Log {
        Log {
            level: AtomicU8::new(LogLevel::Notice as u8),
            file: Mutex::new(None),
        }
    }

    /// Sets the level by its name in the settings; `nothing` silences the log.
    pub(crate) fn set_level(&self, name: &str) {
        let level = match name {
            "debug" => LogLevel::Debug as u8,
            "verbose" => LogLevel::Verbose as u8,
            "notice" => LogLevel::Notice as u8,
            "warning" => LogLevel::Warning as u8,
            _ => u8::MAX,
        };
        self.level.store(level, Relaxed);
    }

    /// Appends to the file at `path` from now on.
    pub(crate) fn set_file(&self, path: &str) -> std::io::Result<()> {
        *self.file.lock() = Some(File::options().create(true).append(true).open(path)?);
        Ok(())
    }

    pub(crate) fn write(&self, level: LogLevel, message: &str) {
        if (level as u8) < self.level.load(Relaxed) {
            return;
        }
        let mark = match level {
            LogLevel::Debug => '.',
            LogLevel::Verbose => '-',
            LogLevel::Notice => '*',
            LogLevel::Warning => '#',
        };
        let message: String = message
            .chars()
            .take(LINE_MAX)
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        let line = format!(
            "{}:M {} {mark} {message}\n",
            std::process::id(),
            timestamp()
        );
        // A full disk or a closed pipe must not stop the server; there is nowhere to report it.
        let _ = match &mut *self.file.lock() {
            Some(file) => file.write_all(line.as_bytes()),
            None => std::io::stdout().lock().write_all(line.as_bytes()),
        };
    }
}

/// `20 Nov 2026 14:00:00.123`, UTC.
fn timestamp() -> String {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    let (year, month, day) = civil_date(since.as_secs() / 86_400);
    let second = since.as_secs() % 86_400;
    let name = MONTHS[(month as usize + 11) % 12];
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!(
        "{day:02} {name} {year} {hour:02}:{minute:02}:{second:02}.{:03}",
        since.subsec_millis()
    )
}

/// Year, month and day of a day since 1970 (the era algorithm of Howard Hinnant's `chrono`-compatible date paper).
fn civil_date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let era = days / 146_097;
    let day_of_era = days % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    (
        year_of_era + era * 400 + u64::from(month <= 2),
        month,
        day_of_year - (153 * shifted + 2) / 5 + 1,
    )
}

#[cfg(test)]
mod tests {
    #[test]
    fn dates_are_right() {
        assert_eq!(super::civil_date(0), (1970, 1, 1));
        assert_eq!(super::civil_date(19_782), (2024, 2, 29));
        assert_eq!(super::civil_date(20_777), (2026, 11, 20));
    }
}
