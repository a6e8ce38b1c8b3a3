//! The tree against a `BTreeMap`, with nodes of four places so that every kind of split and merge happens.

use super::*;
use crate::random::Random;
use std::collections::{BTreeMap, HashMap};

type Small = OrderedOf<4, 4>;

/// A score as a sortable number: all scores of the tests are small integers or halves.
fn key(score: f64, member: &[u8]) -> (i64, Vec<u8>) {
    ((score * 2.0) as i64, member.to_vec())
}

#[derive(Default)]
struct Model {
    order: BTreeMap<(i64, Vec<u8>), f64>,
    scores: HashMap<Vec<u8>, f64>,
}

impl Model {
    fn insert(&mut self, member: &[u8], score: f64) -> Option<f64> {
        let old = self.scores.insert(member.to_vec(), score);
        if let Some(old) = old {
            self.order.remove(&key(old, member));
        }
        self.order.insert(key(score, member), score);
        old
    }

    fn remove(&mut self, member: &[u8]) -> Option<f64> {
        let old = self.scores.remove(member)?;
        self.order.remove(&key(old, member));
        Some(old)
    }

    fn list(&self) -> Vec<(Vec<u8>, f64)> {
        self.order
            .iter()
            .map(|((_, m), s)| (m.clone(), *s))
            .collect()
    }
}

fn list<const L: usize, const B: usize>(set: &OrderedOf<L, B>) -> Vec<(Vec<u8>, f64)> {
    set.walk(0, usize::MAX, false)
        .map(|(m, s)| (m.to_vec(), s))
        .collect()
}

fn check<const L: usize, const B: usize>(set: &OrderedOf<L, B>, model: &Model) {
    set.tree.check();
    let expected = model.list();
    assert_eq!(list(set), expected);
    assert_eq!(set.len(), expected.len());
    assert_eq!(set.index.len(), expected.len());
    for (rank, (member, score)) in expected.iter().enumerate() {
        assert_eq!(set.score(member), Some(*score));
        assert_eq!(set.rank(member), Some(rank));
        assert_eq!(set.at(rank), Some((&member[..], *score)));
    }
    assert_eq!(set.at(expected.len()), None);
}

/// Operations in random proportion; `scores` distinct scores, so 1 means order by member alone.
fn random_operations<const L: usize, const B: usize>(seed: u64, scores: u64) {
    println!("seed {seed}");
    let mut random = Random::new(seed);
    let mut set = OrderedOf::<L, B>::new(seed);
    let mut model = Model::default();
    for round in 0..ROUNDS {
        let shrink = (round / (ROUNDS / 4)) % 2 == 1;
        let member = format!("m{}", random.below(400)).into_bytes();
        let score = random.below(scores) as f64 / 2.0 - 20.0;
        match random.below(10) {
            0..=5 if !shrink => {
                assert_eq!(set.insert(&member, score), Ok(model.insert(&member, score)));
            }
            9 => {
                let rank = random.index(set.len() + 2);
                let count = random.index(7);
                for (member, _) in model.list().into_iter().skip(rank).take(count) {
                    model.remove(&member);
                }
                set.remove_ranks(rank, count);
            }
            _ => assert_eq!(set.remove(&member), model.remove(&member)),
        }
        set.tree.check();
        if round % 50 == 0 {
            check(&set, &model);
        }
    }
    check(&set, &model);
}

/// Rounds of the random tests: under Miri each takes thousands of times as long.
const ROUNDS: usize = if cfg!(miri) { 200 } else { 3_000 };
/// Members of the test of removals, and the share of their bytes that a tenth of them may keep: little ones keep more.
const MEMBERS: u32 = if cfg!(miri) { 800 } else { 30_000 };
const SHARE: usize = if cfg!(miri) { 2 } else { 3 };

#[test]
fn random_operations_agree_with_the_model() {
    for seed in 0..6 {
        random_operations::<4, 4>(seed, [1, 3, 80][seed as usize % 3]);
    }
    random_operations::<8, 5>(7, 80);
    random_operations::<LEAF, INNER>(8, 80);
}

#[test]
#[cfg_attr(miri, ignore = "only counts bytes")]
fn ascending_and_descending_loads_fill_the_leaves() {
    let mut up = Ordered::new(1);
    let mut down = Ordered::new(1);
    for i in 0..20_000 {
        let member = format!("member:{i:08}");
        up.insert(member.as_bytes(), f64::from(i) * 1.5).unwrap();
        down.insert(member.as_bytes(), f64::from(-i)).unwrap();
    }
    up.tree.check();
    down.tree.check();
    assert!(up.tree.fill() > 0.9, "{}", up.tree.fill());
    assert!(down.tree.fill() > 0.9, "{}", down.tree.fill());
    let bytes = up.heap_bytes() as f64 / 20_000.0;
    assert!(bytes < 50.0, "{bytes} bytes an element");
}

#[test]
fn walks_begin_anywhere_and_go_both_ways() {
    let mut set = Small::new(3);
    for i in 0..50 {
        set.insert(format!("{i:02}").as_bytes(), f64::from(i / 3))
            .unwrap();
    }
    let all = list(&set);
    for rank in 0..52 {
        for count in [0, 1, 3, 100] {
            let there: Vec<_> = set
                .walk(rank, count, false)
                .map(|(m, _)| m.to_vec())
                .collect();
            let expected: Vec<_> = all
                .iter()
                .skip(rank)
                .take(count)
                .map(|e| e.0.clone())
                .collect();
            assert_eq!(there, expected);
            let back: Vec<_> = set
                .walk(rank, count, true)
                .map(|(m, _)| m.to_vec())
                .collect();
            let expected: Vec<_> = if rank < all.len() {
                all[..=rank]
                    .iter()
                    .rev()
                    .take(count)
                    .map(|e| e.0.clone())
                    .collect()
            } else {
                Vec::new()
            };
            assert_eq!(back, expected);
        }
    }
}

#[test]
fn partitions_count_what_comes_before() {
    let mut set = Small::new(3);
    for i in 0..60 {
        set.insert(format!("{i:02}").as_bytes(), f64::from(i / 5))
            .unwrap();
    }
    for limit in -1..14 {
        let limit = f64::from(limit);
        assert_eq!(
            set.count_below(limit, false),
            (limit.max(0.0) as usize * 5).min(60)
        );
        assert_eq!(
            set.count_below(limit, true),
            ((limit + 1.0).max(0.0) as usize * 5).min(60)
        );
    }
    let mut set = Small::new(3);
    for i in 0..60 {
        set.insert(format!("{i:02}").as_bytes(), 0.0).unwrap();
    }
    for limit in 0..60 {
        let bound = format!("{limit:02}").into_bytes();
        assert_eq!(set.partition_members(|m| m < &bound[..]), limit);
        assert_eq!(set.partition_members(|m| m <= &bound[..]), limit + 1);
    }
}

#[test]
fn zeros_of_both_signs_are_equal() {
    let mut set = Small::new(3);
    set.insert(b"a", 0.0).unwrap();
    set.insert(b"b", -0.0).unwrap();
    assert_eq!(set.insert(b"a", -0.0), Ok(Some(0.0)));
    assert!(set.score(b"a").is_some_and(f64::is_sign_positive));
    assert!(set.score(b"b").is_some_and(f64::is_sign_negative));
    assert_eq!(set.rank(b"b"), Some(1));
}

#[test]
fn a_built_set_is_like_an_inserted_one() {
    let mut random = Random::new(11);
    for count in [0usize, 1, 3, 4, 5, 16, 17, 300] {
        let mut builder = Builder::new(5);
        let mut model = Model::default();
        for _ in 0..count {
            let member = format!("{}", random.below(count as u64)).into_bytes();
            let score = random.below(20) as f64;
            builder.join(&member, score, |a, b| a + b).unwrap();
            let old = model.scores.get(&member).copied().unwrap_or(0.0);
            model.insert(&member, old + score);
        }
        assert_eq!(builder.len(), model.scores.len());
        let mut set: Small = builder.finish();
        check(&set, &model);
        for (member, _) in model.list().iter().step_by(2) {
            assert_eq!(set.remove(member), model.remove(member));
            set.tree.check();
        }
        set.insert(b"new", 1.0).unwrap();
        model.insert(b"new", 1.0);
        check(&set, &model);
    }
}

#[test]
fn clones_are_independent() {
    let mut set = Small::new(3);
    for i in 0..40 {
        set.insert(format!("{i:02}").as_bytes(), f64::from(i))
            .unwrap();
    }
    let copy = set.clone();
    let before = list(&copy);
    set.remove_ranks(3, 30);
    set.insert(b"38", -1.0).unwrap();
    copy.tree.check();
    assert_eq!(list(&copy), before);
    assert_eq!(copy.score(b"38"), Some(38.0));
}

#[test]
fn memory_comes_back_after_removals() {
    let mut set = Ordered::new(2);
    for i in 0..MEMBERS {
        set.insert(format!("member:{i:08}").as_bytes(), f64::from(i % 1000))
            .unwrap();
    }
    let full = set.heap_bytes();
    for i in (0..MEMBERS).filter(|i| i % 10 != 0) {
        assert!(set.remove(format!("member:{i:08}").as_bytes()).is_some());
    }
    set.tree.check();
    assert_eq!(set.len(), MEMBERS as usize / 10);
    for i in (0..MEMBERS).step_by(10) {
        let member = format!("member:{i:08}");
        assert_eq!(set.score(member.as_bytes()), Some(f64::from(i % 1000)));
        assert!(set.rank(member.as_bytes()).is_some());
    }
    assert!(
        set.heap_bytes() < full / SHARE,
        "{} of {full}",
        set.heap_bytes()
    );
    set.remove_ranks(0, usize::MAX);
    assert!(set.is_empty());
}

#[test]
fn scanning_visits_every_member() {
    let mut set = Small::new(9);
    for i in 0..500 {
        set.insert(format!("{i}").as_bytes(), f64::from(i)).unwrap();
    }
    let mut seen = std::collections::HashSet::new();
    let mut position = 0;
    loop {
        position = set.scan(position, |member, score| {
            assert_eq!(format!("{score}").as_bytes(), member);
            seen.insert(member.to_vec());
        });
        if position == 0 {
            break;
        }
    }
    assert_eq!(seen.len(), 500);
}
