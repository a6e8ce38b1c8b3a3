//! Two servers in one run, in short rounds that take turns: what disturbs the machine disturbs both.

use crate::failure::Failure;
use crate::figures::{FIGURES, Figure, median};
use crate::load::{Load, Shared};
use crate::options::Place;
use crate::request::Making;
use crate::run::{self, Outcome, Progress};
use crate::target::Target;
use crate::workload::Workload;

/// One of the two.
#[derive(Clone, Debug)]
pub(crate) struct Side {
    pub(crate) place: Place,
    pub(crate) outcomes: Vec<Outcome>,
}

/// Both, under one load.
#[derive(Clone, Debug)]
pub(crate) struct Comparison {
    pub(crate) title: String,
    pub(crate) kinds: Vec<String>,
    pub(crate) sides: [Side; 2],
}

/// A figure of both.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Row {
    /// Medians over the rounds.
    pub(crate) medians: [f64; 2],
    /// The first median in terms of the second.
    pub(crate) ratio: f64,
    /// The least and the greatest ratio of a round.
    pub(crate) spread: (f64, f64),
}

impl Comparison {
    /// Error replies of both.
    pub(crate) fn errors(&self) -> u64 {
        let outcomes = self.sides.iter().flat_map(|s| &s.outcomes);
        outcomes.map(|o| o.counts.errors).sum()
    }

    /// The figures that were measured.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (&'static Figure, Row)> {
        FIGURES
            .iter()
            .filter_map(|figure| Some((figure, self.row(figure)?)))
    }

    /// `None` if it was not measured.
    pub(crate) fn row(&self, figure: &Figure) -> Option<Row> {
        let figures = |side: &Side| -> Option<Vec<f64>> {
            side.outcomes.iter().map(|o| (figure.of)(o)).collect()
        };
        let [first, second] = [figures(&self.sides[0])?, figures(&self.sides[1])?];
        let ratios = first.iter().zip(&second).map(|(a, b)| a / b);
        let spread = ratios.fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), r| {
            (least.min(r), most.max(r))
        });
        let medians = [median(first)?, median(second)?];
        Some(Row {
            medians,
            ratio: medians[0] / medians[1],
            spread,
        })
    }
}

/// The part of a load that one round of `rounds` has; the warm-up comes before the first only.
fn part(load: &Load, round: u32, rounds: u32) -> Load {
    let share = |n: u64| {
        let (round, rounds) = (u64::from(round), u64::from(rounds));
        (n / rounds + u64::from(round < n % rounds)).max(1)
    };
    Load {
        requests: load.requests.map(share),
        duration: load.duration.map(|d| d / rounds),
        warmup: if round == 0 {
            load.warmup
        } else {
            std::time::Duration::ZERO
        },
        seed: load.seed.wrapping_add(u64::from(round) << 32),
        ..load.clone()
    }
}

/// Puts the load on both in turn; `watch` is told how each round is going.
///
/// # Errors
/// The first failure of any round.
pub(crate) fn compare(
    targets: [&Target; 2],
    workload: &Workload,
    making: Making<'_>,
    load: &Load,
    rounds: u32,
    pids: [Option<u32>; 2],
    watch: &mut dyn FnMut(&Place, &Progress<'_>),
) -> Result<Comparison, Failure> {
    let mut sides = targets.map(|target| Side {
        place: target.place.clone(),
        outcomes: Vec::new(),
    });
    for round in 0..rounds {
        let load = part(load, round, rounds);
        // The order changes from round to round, so that neither always comes after the other.
        let order = if round % 2 == 0 { [0, 1] } else { [1, 0] };
        for which in order {
            let shared = Shared::new(targets[which], &workload.kinds, making, &load);
            let place = &targets[which].place;
            let outcome = run::run(&shared, pids[which], &mut |p| watch(place, p))?;
            sides[which].outcomes.push(outcome);
        }
    }
    Ok(Comparison {
        title: workload.title.clone(),
        kinds: workload.kinds.iter().map(|k| k.name.clone()).collect(),
        sides,
    })
}
