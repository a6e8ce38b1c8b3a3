//! Both forms against a sorted vector, ranges by definition, combinations by brute force.

use super::*;
use crate::random::Random;
use crate::set::{self, Set};
use std::collections::BTreeMap;

const SMALL: Limits = Limits {
    entries: 1 << 20,
    value: 1 << 20,
};
const LARGE: Limits = Limits {
    entries: 0,
    value: 0,
};
const MIXED: Limits = Limits {
    entries: 16,
    value: 8,
};

type Pairs = Vec<(Vec<u8>, f64)>;

fn list(zset: ZsetRef<'_>) -> Pairs {
    zset.iter().map(|(m, s)| (m.to_vec(), s)).collect()
}

fn sorted(mut pairs: Pairs) -> Pairs {
    pairs.sort_by(|a, b| a.1.partial_cmp(&b.1).unwrap().then_with(|| a.0.cmp(&b.0)));
    pairs
}

fn zset(pairs: &[(&str, f64)], limits: Limits) -> Zset {
    let mut zset = Zset::default();
    for (member, score) in pairs {
        zset.insert(member.as_bytes(), *score, limits, 1).unwrap();
    }
    zset
}

/// Members that are digits, words and long words.
fn member(random: &mut Random) -> Vec<u8> {
    match random.below(3) {
        0 => random.below(40).to_string().into_bytes(),
        1 => format!("m{}", random.below(30)).into_bytes(),
        _ => format!("longer-{}", random.below(10)).into_bytes(),
    }
}

fn check(zset: &Zset, model: &BTreeMap<Vec<u8>, f64>) {
    let expected = sorted(model.iter().map(|(m, s)| (m.clone(), *s)).collect());
    assert_eq!(list(zset.view()), expected);
    assert_eq!(zset.len(), expected.len());
    for (rank, (member, score)) in expected.iter().enumerate() {
        assert_eq!(zset.view().rank(member), Some(rank));
        assert_eq!(zset.view().score(member), Some(*score));
        let (found, found_score) = zset.view().at(rank).unwrap();
        assert_eq!((found.to_vec(), found_score), (member.clone(), *score));
    }
    assert_eq!(zset.view().rank(b"absent"), None);
    assert_eq!(zset.view().score(b"absent"), None);
}

/// Rounds of the random tests: under Miri each takes thousands of times as long.
const ROUNDS: usize = if cfg!(miri) { 100 } else { 1_500 };

#[test]
fn random_operations_agree_with_the_model() {
    for (seed, limits) in [(1, SMALL), (2, LARGE), (3, MIXED), (4, MIXED)] {
        println!("seed {seed}");
        let mut random = Random::new(seed);
        let mut zset = Zset::default();
        let mut model = BTreeMap::new();
        for round in 0..ROUNDS {
            match random.below(8) {
                0..=4 => {
                    let (member, score) = (member(&mut random), random.below(9) as f64 / 4.0 - 1.0);
                    let old = zset.insert(&member, score, limits, seed).unwrap();
                    assert_eq!(old, model.insert(member, score));
                }
                5 | 6 => {
                    let member = member(&mut random);
                    assert_eq!(zset.remove(&member), model.remove(&member));
                }
                _ => {
                    let start = random.index(zset.len() + 2);
                    let ranks = start..start + random.index(4);
                    for (member, _) in zset.view().range(ranks.clone(), false) {
                        model.remove(&member.to_vec());
                    }
                    zset.remove_ranks(ranks);
                }
            }
            if round % 10 == 0 {
                check(&zset, &model);
                if let Zset::Packed(_) = zset {
                    assert!(zset.len() <= limits.entries);
                }
            }
        }
    }
}

#[test]
fn a_set_becomes_a_tree_beyond_the_limits() {
    let limits = Limits {
        entries: 3,
        value: 4,
    };
    let mut small = zset(&[("a", 1.0), ("bbbb", 2.0), ("c", 3.0)], limits);
    assert_eq!(small.encoding(), "listpack");
    let mut other = small.clone();
    small.insert(b"c", 9.0, limits, 1).unwrap();
    assert_eq!(small.encoding(), "listpack");
    small.insert(b"d", 1.0, limits, 1).unwrap();
    assert_eq!(small.encoding(), "skiplist");
    small.remove(b"d");
    assert_eq!(small.encoding(), "skiplist");
    other.remove(b"a");
    other.insert(b"eeeee", 1.0, limits, 1).unwrap();
    assert_eq!(other.encoding(), "skiplist");
    let mut many = Zset::default();
    many.expect(3, limits, 1).unwrap();
    assert_eq!(many.encoding(), "listpack");
    many.expect(4, limits, 1).unwrap();
    assert_eq!(many.encoding(), "skiplist");
}

#[test]
fn a_pack_forgets_the_sign_of_zero() {
    let packed = zset(&[("a", -0.0)], SMALL);
    assert!(packed.view().score(b"a").unwrap().is_sign_positive());
    let tree = zset(&[("a", -0.0)], LARGE);
    assert!(tree.view().score(b"a").unwrap().is_sign_negative());
}

#[test]
fn a_clone_of_a_tree_stays_when_the_tree_changes() {
    let mut tree = zset(&[("a", 1.0), ("b", 2.0)], LARGE);
    let copy = tree.view().to_owned();
    assert!(tree.view().same(&copy));
    assert_eq!(tree.remove(b"absent"), None);
    assert!(tree.view().same(&copy));
    tree.remove(b"a");
    assert!(!tree.view().same(&copy));
    assert_eq!(copy.len(), 2);
}

#[test]
fn score_ranges_cover_the_ranks_they_say() {
    let pairs: Vec<(String, f64)> = (0..30)
        .map(|i| (format!("{i:02}"), f64::from(i / 3)))
        .collect();
    let pairs: Vec<(&str, f64)> = pairs.iter().map(|(m, s)| (&m[..], *s)).collect();
    let bounds = [
        f64::NEG_INFINITY,
        -1.0,
        0.0,
        0.5,
        3.0,
        9.0,
        10.0,
        f64::INFINITY,
    ];
    for limits in [SMALL, LARGE] {
        let zset = zset(&pairs, limits);
        for (min, max) in bounds
            .iter()
            .flat_map(|a| bounds.iter().map(move |b| (*a, *b)))
        {
            for flags in 0..4 {
                let range = ScoreRange {
                    min,
                    max,
                    min_excluded: flags & 1 != 0,
                    max_excluded: flags & 2 != 0,
                };
                let inside = |s: f64| {
                    (if range.min_excluded {
                        s > min
                    } else {
                        s >= min
                    }) && (if range.max_excluded {
                        s < max
                    } else {
                        s <= max
                    })
                };
                let expected: Vec<f64> = pairs.iter().map(|p| p.1).filter(|s| inside(*s)).collect();
                let ranks = zset.view().ranks_by_score(&range);
                let found: Vec<f64> = zset.view().range(ranks, false).map(|p| p.1).collect();
                assert_eq!(found, expected, "{range:?}");
            }
        }
    }
}

#[test]
fn member_ranges_cover_the_ranks_they_say() {
    let members = ["", "0", "10", "2", "a", "aa", "b", "ba", "c", "z"];
    let pairs: Vec<(&str, f64)> = members.iter().map(|m| (*m, 0.0)).collect();
    let texts: Vec<&[u8]> = [&b""[..], b"1", b"10", b"a", b"b", b"bb", b"z", b"zz"].to_vec();
    let mut bounds = vec![LexBound::Least, LexBound::Greatest];
    bounds.extend(texts.iter().map(|t| LexBound::Included(t)));
    bounds.extend(texts.iter().map(|t| LexBound::Excluded(t)));
    for limits in [SMALL, LARGE] {
        let zset = zset(&pairs, limits);
        for (min, max) in bounds
            .iter()
            .flat_map(|a| bounds.iter().map(move |b| (*a, *b)))
        {
            let above = |m: &[u8]| match min {
                LexBound::Least => true,
                LexBound::Greatest => false,
                LexBound::Included(b) => m >= b,
                LexBound::Excluded(b) => m > b,
            };
            let below = |m: &[u8]| match max {
                LexBound::Least => false,
                LexBound::Greatest => true,
                LexBound::Included(b) => m <= b,
                LexBound::Excluded(b) => m < b,
            };
            let expected: Vec<&str> = members
                .iter()
                .filter(|m| above(m.as_bytes()) && below(m.as_bytes()))
                .copied()
                .collect();
            for from_end in [false, true] {
                let range = LexRange { min, max };
                let ranks = zset.view().ranks_by_member(&range, from_end);
                let found: Vec<String> = zset
                    .view()
                    .range(ranks, false)
                    .map(|p| String::from_utf8(p.0.to_vec()).unwrap())
                    .collect();
                assert_eq!(found, expected, "{range:?}");
            }
        }
    }
}

#[test]
fn ranges_are_read_both_ways() {
    let pairs: Vec<(String, f64)> = (0..20).map(|i| (format!("{i:02}"), f64::from(i))).collect();
    let pairs: Vec<(&str, f64)> = pairs.iter().map(|(m, s)| (&m[..], *s)).collect();
    for limits in [SMALL, LARGE] {
        let zset = zset(&pairs, limits);
        for (start, end) in [
            (0, 20),
            (0, 0),
            (3, 7),
            (19, 20),
            (18, 99),
            (20, 25),
            (30, 31),
        ] {
            let mut there = list_range(&zset, start..end, false);
            let back = list_range(&zset, start..end, true);
            there.reverse();
            assert_eq!(there, back);
            assert_eq!(back.len(), end.min(20).saturating_sub(start));
        }
    }
    fn list_range(zset: &Zset, ranks: Range<usize>, reverse: bool) -> Pairs {
        let iter = zset.view().range(ranks, reverse);
        iter.map(|(m, s)| (m.to_vec(), s)).collect()
    }
}

/// Union, intersection and difference by definition.
fn by_definition(inputs: &[(Pairs, f64)], aggregate: Aggregate, kind: u64) -> Pairs {
    let mut order: Vec<&(Pairs, f64)> = inputs.iter().collect();
    if kind != 2 {
        order.sort_by_key(|i| i.0.len());
    }
    let mut result: BTreeMap<Vec<u8>, (f64, usize)> = BTreeMap::new();
    for (pairs, weight) in &order {
        for (member, score) in pairs {
            let score = match aggregate {
                Aggregate::Count => *weight,
                _ => score * weight,
            };
            let entry = result.entry(member.clone()).or_insert((score, 0));
            entry.1 += 1;
            if entry.1 > 1 {
                entry.0 = match aggregate {
                    Aggregate::Sum | Aggregate::Count => entry.0 + score,
                    Aggregate::Min => entry.0.min(score),
                    Aggregate::Max => entry.0.max(score),
                };
            }
        }
    }
    let keep = |member: &Vec<u8>, n: usize| match kind {
        0 => true,
        1 => n == inputs.len(),
        _ => n == 1 && inputs[0].0.iter().any(|(m, _)| m == member),
    };
    let kept = result.into_iter().filter(|(m, (_, n))| keep(m, *n));
    sorted(kept.map(|(m, (s, _))| (m, s)).collect())
}

#[test]
fn combinations_agree_with_their_definition() {
    let mut random = Random::new(5);
    let aggregates = [
        Aggregate::Sum,
        Aggregate::Min,
        Aggregate::Max,
        Aggregate::Count,
    ];
    let set_limits = set::Limits {
        ints: 8,
        entries: 12,
        value: 64,
    };
    for round in 0..ROUNDS / 5 {
        let mut zsets = Vec::new();
        let mut sets = Vec::new();
        let mut models = Vec::new();
        for _ in 0..=random.below(3) {
            let mut pairs = BTreeMap::new();
            for _ in 0..random.below(60) {
                pairs.insert(member(&mut random), random.below(10) as f64 - 3.0);
            }
            let weight = random.below(5) as f64 - 1.0;
            if random.below(4) == 0 {
                let mut set = Set::default();
                for (member, score) in &mut pairs {
                    set.add(member, set_limits, 1).unwrap();
                    *score = 1.0;
                }
                sets.push((models.len(), set));
            } else {
                let limits = [SMALL, LARGE, MIXED][random.index(3)];
                let mut zset = Zset::default();
                for (member, score) in &pairs {
                    zset.insert(member, *score, limits, 1).unwrap();
                }
                zsets.push((models.len(), zset));
            }
            models.push((pairs.into_iter().collect::<Pairs>(), weight));
        }
        let input = |i: usize| {
            let zset = zsets.iter().find(|z| z.0 == i);
            let set = sets.iter().find(|s| s.0 == i);
            let source = zset.map(|z| Input::Zset(z.1.view()));
            source.or(set.map(|s| Input::Set(s.1.view()))).unwrap()
        };
        let aggregate = aggregates[round % 4];
        let sources: Vec<Source<'_>> = (0..models.len())
            .map(|i| Source {
                input: input(i),
                weight: models[i].1,
            })
            .collect();
        let limits = [SMALL, LARGE, MIXED][random.index(3)];
        let result = union(&sources, aggregate, 1).unwrap().finish(limits);
        assert_eq!(list(result.view()), by_definition(&models, aggregate, 0));
        let small = result.len() <= limits.entries
            && result.view().iter().all(|(m, _)| m.len() <= limits.value);
        assert_eq!(result.encoding() == "listpack", small);
        let result = inter(&sources, aggregate, 1).unwrap().finish(limits);
        let expected = by_definition(&models, aggregate, 1);
        assert_eq!(list(result.view()), expected);
        assert_eq!(inter_count(&sources, usize::MAX), expected.len());
        assert_eq!(inter_count(&sources, 2), expected.len().min(2));
        models.iter_mut().for_each(|m| m.1 = 1.0);
        let result = diff(&sources, 1).unwrap().finish(limits);
        assert_eq!(
            list(result.view()),
            by_definition(&models, Aggregate::Sum, 2)
        );
    }
}

#[test]
fn infinities_never_make_nan() {
    let a = zset(&[("x", f64::INFINITY), ("y", f64::INFINITY)], SMALL);
    let b = zset(&[("x", f64::NEG_INFINITY), ("z", f64::NEG_INFINITY)], LARGE);
    fn source(zset: &Zset, weight: f64) -> Source<'_> {
        Source {
            input: Input::Zset(zset.view()),
            weight,
        }
    }
    for aggregate in [
        Aggregate::Sum,
        Aggregate::Min,
        Aggregate::Max,
        Aggregate::Count,
    ] {
        for weights in [(1.0, 1.0), (0.0, 0.0), (f64::INFINITY, f64::NEG_INFINITY)] {
            let sources = [source(&a, weights.0), source(&b, weights.1)];
            for result in [union(&sources, aggregate, 1), inter(&sources, aggregate, 1)] {
                let result = result.unwrap().finish(SMALL);
                assert!(result.view().iter().all(|(_, s)| !s.is_nan()));
            }
        }
    }
    let sum = union(&[source(&a, 1.0), source(&b, 1.0)], Aggregate::Sum, 1).unwrap();
    assert_eq!(sum.finish(SMALL).view().score(b"x"), Some(0.0));
}

#[test]
fn samples_are_uniform() {
    let mut random = Random::new(77);
    for (len, count) in [(20, 3), (20, 10), (12, 4)] {
        let rounds = if cfg!(miri) { 200 } else { 20_000 };
        let mut seen = vec![0u32; len];
        for _ in 0..rounds {
            let ranks = distinct_ranks(len, count, &mut random);
            assert_eq!(ranks.len(), count);
            assert!(ranks.windows(2).all(|w| w[0] < w[1]));
            ranks.iter().for_each(|r| seen[*r] += 1);
        }
        let expected = f64::from(rounds) * count as f64 / len as f64;
        let chi: f64 = seen
            .iter()
            .map(|c| (f64::from(*c) - expected).powi(2) / expected)
            .sum();
        // 19 degrees of freedom: 43.8 is exceeded once in a thousand seeds.
        assert!(chi < 43.8, "{len} {count}: chi squared {chi}");
    }
    assert_eq!(distinct_ranks(4, 9, &mut random), [0, 1, 2, 3]);
    assert!(distinct_ranks(0, 9, &mut random).is_empty());
}

#[test]
fn scans_visit_everything() {
    let pairs: Vec<(String, f64)> = (0..200).map(|i| (format!("{i}"), f64::from(i))).collect();
    let pairs: Vec<(&str, f64)> = pairs.iter().map(|(m, s)| (&m[..], *s)).collect();
    for limits in [SMALL, LARGE] {
        let zset = zset(&pairs, limits);
        let (mut position, mut seen) = (0, std::collections::HashSet::new());
        loop {
            position = zset.view().scan(position, |m, _| {
                seen.insert(m.to_vec());
            });
            if position == 0 {
                break;
            }
        }
        assert_eq!(seen.len(), 200);
    }
}
