//! `--stat`: a line of figures every interval.

use crate::session::{Session, write_out};
use std::process::ExitCode;
use std::time::Duration;

/// Lines between two headings.
const LINES: u64 = 20;
const HEADING: &str = "------- data ------ --------------------- load -------------------- - child -\n\
                       keys       mem      clients blocked requests            connections          \n";

/// A field of INFO, 0 where there is none.
fn field(info: &str, name: &str) -> u64 {
    info.lines()
        .find_map(|l| l.strip_prefix(name)?.strip_prefix(':'))
        .and_then(|v| v.trim().parse().ok())
        .unwrap_or(0)
}

/// Keys of all databases.
fn keys(info: &str) -> u64 {
    info.lines()
        .filter(|l| l.starts_with("db"))
        .filter_map(|l| {
            l.split_once(":keys=")?
                .1
                .split(',')
                .next()?
                .parse::<u64>()
                .ok()
        })
        .sum()
}

/// Bytes with a unit.
fn human(bytes: u64) -> String {
    let units = ["B", "K", "M", "G", "T"];
    if bytes < 1024 {
        return format!("{bytes}B");
    }
    let (mut amount, mut unit) = (bytes as f64, 0);
    while amount >= 1024.0 && unit + 1 < units.len() {
        amount /= 1024.0;
        unit += 1;
    }
    format!("{amount:.2}{}", units[unit])
}

pub(crate) async fn run(session: &mut Session) -> ExitCode {
    let interval = session.options.interval.unwrap_or(Duration::from_secs(1));
    let mut left = match session.options.repeat {
        Some(1) => None,
        other => other,
    };
    let mut before = 0;
    for line in 0_u64.. {
        let Some(reply) = session.ask(&["INFO"]).await else {
            return ExitCode::FAILURE;
        };
        let info = reply.text().unwrap_or_default();
        if reply.is_error() {
            eprintln!("ERROR: {info}");
            return ExitCode::FAILURE;
        }
        let requests = field(&info, "total_commands_processed");
        let change = if line == 0 {
            0
        } else {
            requests.saturating_sub(before)
        };
        before = requests;
        let child = [
            ("rdb_bgsave_in_progress", "SAVE"),
            ("aof_rewrite_in_progress", "AOF"),
            ("loading", "LOAD"),
        ]
        .iter()
        .find(|(name, _)| field(&info, name) == 1)
        .map_or("", |(_, word)| word);
        if line.is_multiple_of(LINES) {
            write_out(HEADING.as_bytes());
        }
        let text = format!(
            "{:<11}{:<9}{:<8}{:<8}{:<20}{:<12}{child}\n",
            keys(&info),
            human(field(&info, "used_memory")),
            field(&info, "connected_clients"),
            field(&info, "blocked_clients"),
            format!("{requests} (+{change})"),
            field(&info, "total_connections_received"),
        );
        write_out(text.as_bytes());
        left = left.map(|n| n - 1);
        if left == Some(0) {
            break;
        }
        tokio::time::sleep(interval).await;
    }
    ExitCode::SUCCESS
}
