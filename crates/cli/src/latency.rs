//! `--latency`, `--latency-history`, `--latency-dist`: the time of a PING, again and again; `--intrinsic-latency`:
//! what the machine itself adds.

use crate::format::Style;
use crate::session::{Session, write_out};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Pause between two samples.
const PAUSE: Duration = Duration::from_millis(10);
const HISTORY: Duration = Duration::from_secs(15);
const ONCE: Duration = Duration::from_secs(1);

/// The time of one PING. `None` when the connection failed, which was said.
async fn sample(session: &mut Session) -> Option<Duration> {
    let start = Instant::now();
    session.ask(&["PING"]).await?;
    Some(start.elapsed())
}

/// Milliseconds so far.
#[derive(Default)]
struct Figures {
    min: u128,
    max: u128,
    total: u128,
    count: u128,
}

impl Figures {
    fn add(&mut self, ms: u128) {
        self.min = if self.count == 0 {
            ms
        } else {
            self.min.min(ms)
        };
        self.max = self.max.max(ms);
        self.total += ms;
        self.count += 1;
    }

    fn text(&self, style: Style) -> String {
        let Figures {
            min,
            max,
            total,
            count,
        } = self;
        let average = *total as f64 / (*count).max(1) as f64;
        match style {
            Style::Standard => {
                format!("min: {min}, max: {max}, avg: {average:.2} ({count} samples)")
            }
            Style::Csv => format!("{min},{max},{average:.2},{count}\n"),
            Style::Raw => format!("{min} {max} {average:.2} {count}\n"),
            Style::Json | Style::QuotedJson => format!(
                "{{\"min\": {min}, \"max\": {max}, \"avg\": {average:.2}, \"count\": {count}}}\n"
            ),
        }
    }
}

/// `--latency` and, with `history`, `--latency-history`.
pub(crate) async fn run(session: &mut Session, history: bool) -> ExitCode {
    let style = session.options.style;
    let given = session.options.interval;
    let interval = match history {
        true => given.unwrap_or(HISTORY),
        false => given.unwrap_or(ONCE),
    };
    let (mut figures, mut since) = (Figures::default(), Instant::now());
    loop {
        let Some(took) = sample(session).await else {
            return ExitCode::FAILURE;
        };
        figures.add(took.as_millis());
        if style == Style::Standard {
            write_out(format!("\x1b[0G\x1b[2K{}", figures.text(style)).as_bytes());
        } else if history {
            write_out(figures.text(style).as_bytes());
        }
        if history && since.elapsed() > interval {
            let seconds = since.elapsed().as_secs_f64();
            write_out(format!(" -- {seconds:.2} seconds range\n").as_bytes());
            (figures, since) = (Figures::default(), Instant::now());
        } else if !history && style != Style::Standard && since.elapsed() > interval {
            write_out(figures.text(style).as_bytes());
            return ExitCode::SUCCESS;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Upper bounds in microseconds, and their signs.
#[rustfmt::skip]
const BOUNDS: [(u64, char); 31] = [
    (10, '.'), (125, '-'), (250, '*'), (500, '#'),
    (1_000, '1'), (2_000, '2'), (3_000, '3'), (4_000, '4'), (5_000, '5'),
    (6_000, '6'), (7_000, '7'), (8_000, '8'), (9_000, '9'),
    (10_000, 'A'), (20_000, 'B'), (30_000, 'C'), (40_000, 'D'), (50_000, 'E'),
    (100_000, 'F'), (200_000, 'G'), (300_000, 'H'), (400_000, 'I'), (500_000, 'J'),
    (1_000_000, 'K'), (2_000_000, 'L'), (4_000_000, 'M'), (8_000_000, 'N'),
    (16_000_000, 'O'), (30_000_000, 'P'), (60_000_000, 'Q'), (u64::MAX, '?'),
];

/// Colours of the terminal's palette, from few to many.
const PALETTE: [u8; 19] = [
    0, 233, 234, 235, 237, 239, 241, 243, 245, 247, 144, 143, 142, 184, 226, 214, 208, 202, 196,
];
/// Spectra between two legends.
const ROWS: u64 = 20;
const RULE: &str = "---------------------------------------------\n";

fn legend() -> String {
    let mut text = RULE.to_owned();
    for (signs, bounds, unit) in [
        (". - * #", ".01 .125 .25 .5", "milliseconds"),
        ("1,2,3,...,9", "from 1 to 9", "    milliseconds"),
        ("A,B,C,D,E", "10,20,30,40,50", " milliseconds"),
        ("F,G,H,I,J", ".1,.2,.3,.4,.5", "      seconds"),
        ("K,L,M,N,O,P,Q,?", "1,2,4,8,16,30,60,>60", "seconds"),
    ] {
        text.push_str(&format!("{signs:<17}{bounds} {unit}\n"));
    }
    text.push_str("From 0 to 100%: ");
    for color in PALETTE {
        text.push_str(&format!("\x1b[48;5;{color}m "));
    }
    text.push_str("\x1b[0m\n");
    text.push_str(RULE);
    text
}

/// `--latency-dist`: a row of colours every interval, the more of the samples lie there the brighter.
pub(crate) async fn spectrum(session: &mut Session) -> ExitCode {
    let interval = session.options.interval.unwrap_or(ONCE);
    let (mut counts, mut total) = ([0_u64; BOUNDS.len()], 0_u64);
    let (mut since, mut rows) = (Instant::now(), 0_u64);
    loop {
        let Some(took) = sample(session).await else {
            return ExitCode::FAILURE;
        };
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let place = BOUNDS.partition_point(|(bound, _)| *bound < us);
        counts[place.min(BOUNDS.len() - 1)] += 1;
        total += 1;
        if since.elapsed() > interval {
            if rows.is_multiple_of(ROWS) {
                write_out(legend().as_bytes());
            }
            rows += 1;
            let mut row = "\x1b[38;5;0m".to_owned();
            for (count, (_, sign)) in counts.iter().zip(BOUNDS) {
                let steps = (PALETTE.len() - 1) as u64;
                let step = (count * steps).div_ceil(total);
                let color = PALETTE[usize::try_from(step).unwrap_or(0)];
                row.push_str(&format!("\x1b[48;5;{color}m{sign}"));
            }
            row.push_str("\x1b[0m\n");
            write_out(row.as_bytes());
            (counts, total, since) = ([0; BOUNDS.len()], 0, Instant::now());
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// `--intrinsic-latency`: runs a small computation over and over, and tells when it was interrupted for longest.
pub(crate) fn intrinsic(seconds: u64) -> ExitCode {
    let start = Instant::now();
    let (mut runs, mut worst) = (0_u64, Duration::ZERO);
    while start.elapsed() < Duration::from_secs(seconds) {
        let before = Instant::now();
        let mut digest = 0_u64;
        for word in 0..64_u64 {
            digest = std::hint::black_box(digest.rotate_left(5) ^ word).wrapping_mul(0x9E37_79B9);
        }
        std::hint::black_box(digest);
        let took = before.elapsed();
        runs += 1;
        // Told when the figure that is shown grows.
        let grew = took.as_micros() > worst.as_micros();
        worst = worst.max(took);
        if grew {
            write_out(
                format!("Max latency so far: {} microseconds.\n", worst.as_micros()).as_bytes(),
            );
        }
    }
    let ns = start.elapsed().as_nanos() as f64 / runs.max(1) as f64;
    let times = worst.as_nanos() as f64 / ns.max(f64::MIN_POSITIVE);
    write_out(
        format!(
            "\n{runs} total runs (avg latency: {:.4} microseconds / {ns:.2} nanoseconds per run).\n\
             Worst run took {times:.0}x longer than the average latency.\n",
            ns / 1000.0
        )
        .as_bytes(),
    );
    ExitCode::SUCCESS
}
