//! Damage to valid requests: wrong arity, order, types, sizes, case and words.
//!
//! Invariant: the command's own name stays, but in the one mutation that misspells it, and then no command is hit
//! by accident: the misspellings are words that no server knows.
//! No word is damaged by a NUL behind it: Redis compares words as C strings, so `NX\0` is `NX` to it and not to Ochre.

use super::{Draw, values};

/// Names that no server knows.
const MISNOMERS: &[&[u8]] = &[
    b"nosuchcommand",
    b"",
    b"GE T",
    b"get\r",
    b"\xff\xfe",
    b"get\r\n",
];

/// Applies one random mutation to `args`; `tokens` are the words of the command's grammar, `fixed` the number of
/// leading words that name it.
pub(super) fn mutate(draw: &mut Draw<'_>, args: &mut Vec<Vec<u8>>, tokens: &[&str], fixed: usize) {
    let any = fixed + draw.rng.index(args.len().saturating_sub(fixed).max(1));
    let at = any.min(args.len() - 1);
    match draw.rng.below(12) {
        0 if args.len() > 1 => drop(args.remove(at.max(1).min(args.len() - 1))),
        1 => args.insert(at + 1, args[at].clone()),
        2 if at >= fixed => {
            let other = fixed + draw.rng.index(args.len().saturating_sub(fixed));
            args.swap(at, other);
        }
        3 | 4 if at >= fixed => args[at] = values::hostile(draw),
        5 => args.push(values::hostile(draw)),
        6 => {
            let upper = draw.rng.chance(50);
            args.iter_mut().for_each(|a| {
                if upper {
                    a.make_ascii_uppercase();
                } else {
                    a.make_ascii_lowercase();
                }
            });
        }
        7 if !tokens.is_empty() => {
            let token = draw.rng.pick(tokens).as_bytes().to_vec();
            let to = (at + draw.rng.index(2)).max(fixed).min(args.len());
            args.insert(to, token);
        }
        8 => number(draw, args, fixed),
        9 => args.truncate(at.max(1)),
        10 if draw.rng.chance(20) => args[0] = draw.rng.pick(MISNOMERS).to_vec(),
        10 if fixed > 1 && args.len() > 1 => {
            args[1] = draw.one_of(&["nosuch", "", "HELP", "help", "get", "x\r\ny"]);
        }
        11 if at >= fixed => {
            let space = draw.one_of(&[" ", "\t", "0", "+", "-"]);
            if draw.rng.chance(50) {
                args[at].extend(space);
            } else {
                args[at].splice(0..0, space);
            }
        }
        _ => args.push(b"extra".to_vec()),
    }
}

/// Moves a number to a neighbour, to its opposite, or over an edge.
fn number(draw: &mut Draw<'_>, args: &mut [Vec<u8>], fixed: usize) {
    let numbers: Vec<usize> = (fixed..args.len())
        .filter(|i| ochre_resp::parse_i64(&args[*i]).is_some())
        .collect();
    if numbers.is_empty() {
        return;
    }
    let at = *draw.rng.pick(&numbers);
    let old = ochre_resp::parse_i64(&args[at]).unwrap_or(0);
    let new = match draw.rng.below(6) {
        0 => i128::from(old) + 1,
        1 => i128::from(old) - 1,
        2 => -i128::from(old),
        3 => i128::from(i64::MAX) + 1,
        4 => i128::from(i64::MIN) - 1,
        _ => i128::from(u64::MAX),
    };
    args[at] = new.to_string().into_bytes();
}
