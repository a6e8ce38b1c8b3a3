//! What threads count, and how it is put together.
//!
//! Invariants
//! - A thread counts by itself, and hands its counts over once per [`INTERVAL`]; nothing is shared in between.
//! - Latencies are nanoseconds in histograms with three significant digits, up to an hour.

use crate::connection::Sent;
use crate::scan::TEXT_LIMIT;
use hdrhistogram::Histogram;
use std::time::Duration;

/// How often threads tell what they have counted.
pub(crate) const INTERVAL: Duration = Duration::from_millis(250);
/// Longest latency that is told from longer ones, in nanoseconds: an hour.
const LONGEST: u64 = 3_600_000_000_000;
/// Significant decimal digits of a latency.
const DIGITS: u8 = 3;

/// Latencies in nanoseconds.
pub(crate) type Latencies = Histogram<u64>;

/// An empty histogram.
///
/// # Panics
/// Not with these bounds, which are the library's to check.
#[allow(clippy::expect_used)] // constants that a test constructs
pub(crate) fn latencies() -> Latencies {
    Histogram::new_with_bounds(1, LONGEST, DIGITS).expect("bounds that are in order")
}

/// What was counted in a stretch of time.
#[derive(Clone, Debug)]
pub(crate) struct Counts {
    /// From the time when the request was to be sent until its reply, by kind of request.
    pub(crate) by_kind: Vec<Latencies>,
    /// From the time when it was sent; in the open loop only.
    pub(crate) service: Option<Latencies>,
    pub(crate) errors: u64,
    pub(crate) first_error: Option<String>,
    /// Requests whose reply had not come when the run ended.
    pub(crate) unanswered: u64,
}

impl Counts {
    pub(crate) fn new(kinds: usize, has_service: bool) -> Counts {
        Counts {
            by_kind: (0..kinds).map(|_| latencies()).collect(),
            service: has_service.then(latencies),
            errors: 0,
            first_error: None,
            unanswered: 0,
        }
    }

    /// `count` requests, sent as `sent` says, have been answered at `now`.
    #[inline]
    pub(crate) fn record(&mut self, sent: &Sent, now: u64, count: u64) {
        let latency = now.saturating_sub(sent.due).max(1);
        if let Some(latencies) = self.by_kind.get_mut(usize::from(sent.kind)) {
            latencies.saturating_record_n(latency, count);
        }
        if let Some(service) = &mut self.service {
            service.saturating_record_n(now.saturating_sub(sent.at).max(1), count);
        }
    }

    pub(crate) fn error(&mut self, text: &[u8]) {
        self.errors += 1;
        if self.first_error.is_none() {
            let text = &text[..text.len().min(TEXT_LIMIT)];
            self.first_error = Some(String::from_utf8_lossy(text).into_owned());
        }
    }

    /// Requests with a good reply.
    pub(crate) fn answered(&self) -> u64 {
        let all: u64 = self.by_kind.iter().map(Histogram::len).sum();
        all.saturating_sub(self.unanswered)
    }

    /// Adds what was counted elsewhere.
    pub(crate) fn add(&mut self, other: &Counts) {
        // All have the same bounds, so that adding cannot fail.
        for (mine, theirs) in self.by_kind.iter_mut().zip(&other.by_kind) {
            let _ = mine.add(theirs);
        }
        if let (Some(mine), Some(theirs)) = (&mut self.service, &other.service) {
            let _ = mine.add(theirs);
        }
        self.errors += other.errors;
        self.unanswered += other.unanswered;
        if self.first_error.is_none() {
            self.first_error.clone_from(&other.first_error);
        }
    }

    /// The latencies of all kinds.
    pub(crate) fn overall(&self) -> Latencies {
        let mut all = latencies();
        for latencies in &self.by_kind {
            let _ = all.add(latencies);
        }
        all
    }
}

/// A point of the course of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Point {
    /// Seconds from the start to the end of what it tells of.
    pub(crate) at: f64,
    /// Seconds that it tells of.
    pub(crate) span: f64,
    pub(crate) answered: u64,
    pub(crate) errors: u64,
    /// In nanoseconds.
    pub(crate) mean: f64,
    pub(crate) p50: u64,
    pub(crate) p99: u64,
    pub(crate) p999: u64,
    pub(crate) max: u64,
}

impl Point {
    pub(crate) fn new(at: f64, span: f64, counts: &Counts) -> Point {
        let all = counts.overall();
        Point {
            at,
            span,
            answered: all.len(),
            errors: counts.errors,
            mean: all.mean(),
            p50: all.value_at_quantile(0.5),
            p99: all.value_at_quantile(0.99),
            p999: all.value_at_quantile(0.999),
            max: all.max(),
        }
    }

    /// Replies in a second.
    #[allow(clippy::cast_precision_loss)] // a figure for people
    pub(crate) fn rate(&self) -> f64 {
        if self.span > 0.0 {
            self.answered as f64 / self.span
        } else {
            0.0
        }
    }

    /// Both stretches as one; percentiles are then the worse of the two.
    #[allow(clippy::cast_precision_loss)] // a figure for people
    fn joined(a: &Point, b: &Point) -> Point {
        let answered = a.answered + b.answered;
        let sum = a.mean * a.answered as f64 + b.mean * b.answered as f64;
        Point {
            at: b.at,
            span: a.span + b.span,
            answered,
            errors: a.errors + b.errors,
            mean: sum / answered.max(1) as f64,
            p50: a.p50.max(b.p50),
            p99: a.p99.max(b.p99),
            p999: a.p999.max(b.p999),
            max: a.max.max(b.max),
        }
    }
}

/// The course of a run, in points that get longer as it goes on.
#[derive(Clone, Debug)]
pub(crate) struct Course {
    points: Vec<Point>,
    limit: usize,
    /// Intervals of one point.
    each: u32,
    /// Intervals in the last point.
    held: u32,
}

impl Default for Course {
    fn default() -> Course {
        Course::new(Course::LIMIT)
    }
}

impl Course {
    /// Points that are kept.
    const LIMIT: usize = 2048;

    fn new(limit: usize) -> Course {
        Course {
            points: Vec::new(),
            limit,
            each: 1,
            held: 1,
        }
    }

    /// Adds what comes next. A stretch much shorter than [`INTERVAL`], as the last may be, would show chance more than
    /// the server, and joins the one before.
    pub(crate) fn push(&mut self, point: Point) {
        let is_short = point.span < INTERVAL.as_secs_f64() / 5.0;
        match self.points.last_mut() {
            Some(last) if self.held < self.each || is_short => {
                *last = Point::joined(last, &point);
                self.held += 1;
            }
            _ => {
                self.halve_if_full();
                self.points.push(point);
                self.held = 1;
            }
        }
    }

    fn halve_if_full(&mut self) {
        if self.points.len() < self.limit {
            return;
        }
        let joined = self.points.chunks(2).map(|pair| match pair {
            [a, b] => Point::joined(a, b),
            rest => rest.first().copied().unwrap_or_default(),
        });
        self.points = joined.collect();
        self.each = self.each.saturating_mul(2);
    }

    pub(crate) fn points(&self) -> &[Point] {
        &self.points
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(due: u64, at: u64, kind: u8) -> Sent {
        Sent {
            due,
            at,
            kind,
            left: 1,
        }
    }

    #[test]
    fn latencies_count_from_the_intended_time() {
        let mut counts = Counts::new(2, true);
        counts.record(&sent(1_000, 5_000_000, 1), 6_000_000, 3);
        assert_eq!(counts.answered(), 3);
        let latency = counts.by_kind[1].max();
        assert!(latency.abs_diff(5_999_000) <= 6_000, "{latency}");
        let service = counts.service.as_ref().expect("an open loop").max();
        assert!(service.abs_diff(1_000_000) <= 1_000, "{service}");
    }

    #[test]
    fn digits_are_kept_from_a_microsecond_to_an_hour() {
        for latency in [1_000, 123_456, 7_654_321, 98_765_432_100, LONGEST] {
            let mut counts = Counts::new(1, false);
            counts.record(&sent(0, 0, 0), latency, 1);
            let seen = counts.overall().value_at_quantile(0.5);
            assert!(
                seen.abs_diff(latency) <= latency / 1000,
                "{latency}: {seen}"
            );
        }
        let mut counts = Counts::new(1, false);
        counts.record(&sent(0, 0, 0), u64::MAX, 1);
        assert_eq!(counts.answered(), 1);
    }

    #[test]
    fn percentiles_reach_the_tail() {
        let mut counts = Counts::new(1, false);
        counts.record(&sent(0, 0, 0), 1_000_000, 99_980);
        counts.record(&sent(0, 0, 0), 50_000_000, 20);
        let all = counts.overall();
        assert!(all.value_at_quantile(0.999).abs_diff(1_000_000) < 1_000);
        assert!(all.value_at_quantile(0.9999).abs_diff(50_000_000) < 50_000);
    }

    #[test]
    fn counts_add_up() {
        let mut a = Counts::new(1, false);
        let mut b = Counts::new(1, false);
        a.record(&sent(0, 0, 0), 10, 5);
        b.record(&sent(0, 0, 0), 20, 7);
        b.error(b"ERR first");
        b.error(b"ERR second");
        a.add(&b);
        assert_eq!((a.answered(), a.errors), (12, 2));
        assert_eq!(a.first_error.as_deref(), Some("ERR first"));
    }

    #[test]
    fn a_long_course_gets_coarse_and_loses_nothing() {
        let mut course = Course::new(8);
        for i in 1..=1000_u32 {
            course.push(Point {
                at: f64::from(i),
                span: 1.0,
                answered: 2,
                max: u64::from(i),
                ..Point::default()
            });
            assert!(course.points().len() <= 8);
        }
        let points = course.points();
        assert_eq!(points.iter().map(|p| p.answered).sum::<u64>(), 2000);
        assert_eq!(points.iter().map(|p| p.max).max(), Some(1000));
        assert!((points.iter().map(|p| p.span).sum::<f64>() - 1000.0).abs() < 1e-9);
        let length = points.len();
        course.push(Point {
            at: 1000.0,
            span: 1e-3,
            answered: 1,
            ..Point::default()
        });
        let points = course.points();
        assert_eq!(points.len(), length);
        assert_eq!(points.iter().map(|p| p.answered).sum::<u64>(), 2001);
    }
}
