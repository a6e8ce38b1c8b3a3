//! LOLWUT: a drawing and the version. Ours is a one-dimensional cellular automaton (rule 30) that
//! begins with one cell and grows downwards, shifted by the time, so that every second has its own.

use crate::error::CommandError;
use crate::exec::ReadCx;
use crate::spec::{Arg, Command, Flags, Group, Outcome, Run};
use ochre_resp::Request;

const COLUMNS: usize = 66;
const ROWS: usize = 16;
/// Bounds of the size that a request may ask for.
const SIZE_MAX: usize = 200;

pub(super) const LOLWUT: Command = Command {
    name: "lolwut",
    summary: "Draws something and tells the version.",
    since: "5.0.0",
    group: Group::Server,
    complexity: "",
    arity: -1,
    flags: Flags::FAST,
    args: &[Arg::integer("version").token("VERSION").optional()],
    run: Run::Read(lolwut),
    ..Command::NEW
};

fn lolwut(cx: &mut ReadCx<'_>, args: Request<'_>) -> Outcome {
    let mut numbers = Vec::new();
    let versioned = args
        .get(1)
        .is_some_and(|w| w.eq_ignore_ascii_case(b"version"));
    // compat: without VERSION further arguments are not looked at.
    if versioned && args.len() > 2 {
        for text in args.tail(2) {
            numbers.push(ochre_ds::int::parse_i64(text).ok_or(CommandError::NOT_INTEGER)?);
        }
    }
    let size = |i: usize, default: usize| {
        numbers.get(i).map_or(default, |n| {
            usize::try_from(*n).unwrap_or(1).clamp(1, SIZE_MAX)
        })
    };
    let mut text = draw(size(1, COLUMNS), size(2, ROWS), cx.env.now_ms / 1000);
    text.push_str(&format!("\nRedis ver. {}\n", crate::REDIS_VERSION));
    cx.out.verbatim(b"txt", text.as_bytes());
    Ok(())
}

fn draw(columns: usize, rows: usize, second: i64) -> String {
    let mut cells = vec![false; columns];
    let start = usize::try_from(second.rem_euclid(i64::from(u16::MAX))).unwrap_or(0);
    cells[start % columns] = true;
    let mut text = String::new();
    for _ in 0..rows {
        let line: String = cells.iter().map(|c| if *c { '#' } else { ' ' }).collect();
        text.push_str(line.trim_end());
        text.push('\n');
        let before = |i: usize| cells[(i + columns - 1) % columns];
        let after = |i: usize| cells[(i + 1) % columns];
        cells = (0..columns)
            .map(|i| before(i) != (cells[i] || after(i)))
            .collect();
    }
    text
}
