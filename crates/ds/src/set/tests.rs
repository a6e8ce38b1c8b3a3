use super::*;
use std::collections::{BTreeMap, BTreeSet};

type Model = BTreeSet<Vec<u8>>;
type Choose<'a> = &'a dyn Fn(&mut Random, &mut dyn FnMut(Vec<u8>));

const SEED: u64 = 11;
const REDIS: Limits = Limits {
    ints: 512,
    entries: 128,
    value: 64,
};

fn text(random: &mut Random, range: u64) -> Vec<u8> {
    match random.below(10) {
        0 => b"007".to_vec(),
        1 => vec![b'x'; random.index(9)],
        2 => format!("a longer member number {}", random.below(range)).into_bytes(),
        3 | 4 => format!("m{}", random.below(range)).into_bytes(),
        5 => (-(random.below(range) as i64)).to_string().into_bytes(),
        _ => random.below(range).to_string().into_bytes(),
    }
}

fn members(set: SetRef<'_>) -> Model {
    let all: Vec<_> = set.iter().map(|m| m.to_vec()).collect();
    let distinct: BTreeSet<_> = all.iter().cloned().collect();
    assert_eq!(all.len(), distinct.len(), "a member came twice");
    assert_eq!(all.len(), set.len());
    let folded = set.iter().fold(0, |n, _| n + 1);
    assert_eq!(folded, all.len());
    distinct
}

fn expecting(first: &[u8], count: usize, limits: Limits) -> Set {
    let mut set = Set::default();
    set.prepare(first, count, limits, SEED).unwrap();
    set
}

fn limits(random: &mut Random) -> Limits {
    Limits {
        ints: random.index(40),
        entries: random.index(30),
        value: random.index(30),
    }
}

fn build(members: impl IntoIterator<Item = impl AsRef<[u8]>>, limits: Limits) -> Set {
    let mut members = members.into_iter().peekable();
    let mut set = match members.peek() {
        Some(first) => expecting(first.as_ref(), 1, limits),
        None => Set::default(),
    };
    for member in members {
        set.add(member.as_ref(), limits, SEED).unwrap();
    }
    set
}

fn sample(random: &mut Random, most: usize) -> (Set, Model) {
    let (ints, limits) = (random.below(3) == 0, limits(random));
    let model: BTreeSet<_> = (0..random.index(most + 1))
        .map(|_| match ints {
            true => random.below(120).to_string().into_bytes(),
            false => text(random, 80),
        })
        .collect();
    (build(&model, limits), model)
}

/// Seeds and steps of the random tests, and draws of the tests of chance: under Miri each takes thousands of times as long.
const SEEDS: u64 = if cfg!(miri) { 8 } else { 150 };
const STEPS: u32 = if cfg!(miri) { 60 } else { 300 };
const COMBINATIONS: u64 = if cfg!(miri) { 10 } else { 1_000 };
const DRAWS: u32 = if cfg!(miri) { 100 } else { 8_000 };

/// Random changes with random limits against a std set; seed in the message.
#[test]
fn it_behaves_as_a_set() {
    for seed in 0..SEEDS {
        let mut random = Random::new(seed);
        let (limits, range) = (limits(&mut random), 1 + random.below(80));
        let (mut set, mut model) = (Set::default(), BTreeSet::new());
        let mut held: Option<(Set, Model)> = None;
        for step in 0..STEPS {
            let member = text(&mut random, range);
            let context = format!("seed {seed} step {step} {limits:?}");
            match random.below(12) {
                0..6 => {
                    if set.is_empty() {
                        set = expecting(&member, 1, limits);
                    }
                    let new = set.add(&member, limits, SEED).unwrap();
                    assert_eq!(new, model.insert(member), "{context}");
                }
                6..9 => assert_eq!(set.remove(&member), model.remove(&member), "{context}"),
                9 => held = Some((set.clone(), model.clone())),
                10 => {
                    let popped = set.pop(&mut random);
                    assert_eq!(popped.is_none(), model.is_empty(), "{context}");
                    assert!(popped.is_none_or(|p| model.remove(&p)), "{context}");
                }
                _ => {
                    let count = random.index(model.len() + 2);
                    let mut gone = Vec::new();
                    set.pop_many(count, &mut random, limits, SEED, |m| gone.push(m.to_vec()))
                        .unwrap();
                    assert_eq!(gone.len(), count.min(model.len()), "{context}");
                    assert!(gone.iter().all(|m| model.remove(m)), "{context}");
                }
            }
            assert_eq!(members(set.view()), model, "{context}");
            let probe = text(&mut random, range);
            assert_eq!(
                set.view().contains(&probe),
                model.contains(&probe),
                "{context}"
            );
            match &set {
                Set::Ints(_) => assert!(set.len() <= limits.ints, "{context}"),
                Set::Packed(_) => assert!(set.len() <= limits.entries, "{context}"),
                Set::Table(_) => {}
            }
            if let Some((set, model)) = &held {
                assert_eq!(&members(set.view()), model, "a snapshot changed: {context}");
            }
        }
    }
}

#[test]
fn forms_change_at_the_limits() {
    let numbers = |n: usize| (0..n).map(|i| i.to_string());
    let names = |n: usize| (0..n).map(|i| format!("m{i}"));
    let encoding = |set: &Set| set.encoding();
    assert_eq!(encoding(&build(numbers(512), REDIS)), "intset");
    assert_eq!(encoding(&build(numbers(513), REDIS)), "hashtable");
    assert_eq!(encoding(&build(names(128), REDIS)), "listpack");
    assert_eq!(encoding(&build(names(129), REDIS)), "hashtable");
    let then = |n, member: &str| build(numbers(n).chain([member.to_owned()]), REDIS);
    assert_eq!(encoding(&then(127, "x")), "listpack");
    assert_eq!(encoding(&then(128, "x")), "hashtable");
    assert_eq!(encoding(&then(1, &"x".repeat(64))), "listpack");
    assert_eq!(encoding(&then(1, &"x".repeat(65))), "hashtable");
    assert_eq!(encoding(&build(["x".repeat(65)], REDIS)), "hashtable");
    let narrow = Limits { value: 3, ..REDIS };
    assert_eq!(encoding(&build(["-12", "x"], narrow)), "listpack");
    assert_eq!(encoding(&build(["-123", "4", "x"], narrow)), "hashtable");
    assert_eq!(encoding(&build(["12345"], narrow)), "intset");
}

#[test]
fn the_number_of_members_to_come_chooses_the_form() {
    let form = |first: &str, count| expecting(first.as_bytes(), count, REDIS).encoding();
    assert_eq!(form("1", 512), "intset");
    assert_eq!(form("1", 513), "hashtable");
    assert_eq!(form("a", 128), "listpack");
    assert_eq!(form("a", 129), "hashtable");
    let few = Limits { ints: 0, ..REDIS };
    assert_eq!(expecting(b"1", 1, few).encoding(), "listpack");
    for (first, count, after) in [
        ("1", 512, "intset"),
        ("1", 513, "hashtable"),
        ("a", 128, "listpack"),
        ("a", 129, "hashtable"),
    ] {
        let mut set = build([first], REDIS);
        set.prepare(b"1", count, REDIS, SEED).unwrap();
        assert_eq!((set.encoding(), set.len()), (after, 1));
    }
}

#[test]
fn integers_are_preferred_when_asked_for() {
    let mut set = build(["x", "3", "1", "2"], REDIS);
    set.prefer_ints(REDIS);
    assert_eq!(set.encoding(), "listpack");
    set.remove(b"x");
    set.prefer_ints(Limits { ints: 2, ..REDIS });
    assert_eq!(set.encoding(), "listpack");
    set.make_table(SEED).unwrap();
    set.prefer_ints(REDIS);
    assert_eq!(set.encoding(), "intset");
    assert_eq!(
        set.view().iter().map(|m| m.to_vec()).collect::<Vec<_>>(),
        [b"1", b"2", b"3"]
    );
}

#[test]
fn what_stays_of_a_pop_moves_to_a_new_set() {
    let mut random = Random::new(1);
    for (count, after) in [(166, "hashtable"), (167, "listpack")] {
        let mut set = build((0..200).map(|i| format!("m{i}")), REDIS);
        set.pop_many(count, &mut random, REDIS, SEED, |_| {})
            .unwrap();
        assert_eq!((set.encoding(), set.len()), (after, 200 - count));
    }
    let mut set = build((0..600).map(|i| i.to_string()), REDIS);
    set.pop_many(590, &mut random, REDIS, SEED, |_| {}).unwrap();
    assert_eq!(set.encoding(), "listpack");
    let mut set = build((0..100).map(|i| i.to_string()), REDIS);
    set.pop_many(95, &mut random, REDIS, SEED, |_| {}).unwrap();
    assert_eq!(set.encoding(), "intset");
}

#[test]
fn a_copy_is_the_same_until_the_set_changes() {
    for set in [build(["1", "2"], REDIS), build(["a", "b"], REDIS), {
        let mut set = build(["a", "b"], REDIS);
        set.make_table(SEED).unwrap();
        set
    }] {
        let (mut set, copy) = (set.clone(), set.view().to_owned());
        assert!(set.view().same(&copy));
        assert!(!set.remove(b"absent") && set.add(b"2", REDIS, SEED).is_ok());
        let there = copy.view().contains(b"2");
        assert_eq!(set.view().same(&copy), there);
        set.add(b"9", REDIS, SEED).unwrap();
        assert!(!set.view().same(&copy));
        assert_eq!(copy.len(), 2);
    }
}

/// A scan while the set grows and shrinks shows every member that stays.
#[test]
fn a_scan_misses_nothing_that_stays() {
    for seed in 0..SEEDS / 7 {
        let mut random = Random::new(seed);
        let stay: BTreeSet<_> = (0..300).map(|i| format!("stay{i}").into_bytes()).collect();
        let mut set = build(&stay, REDIS);
        let (mut seen, mut position, mut next) = (BTreeSet::new(), 0, 0);
        loop {
            position = set.view().scan(position, |m| {
                seen.insert(m.to_vec());
            });
            if position == 0 {
                break;
            }
            for _ in 0..random.index(40) {
                next += 1;
                set.add(format!("new{next}").as_bytes(), REDIS, SEED)
                    .unwrap();
                if random.below(2) == 0 {
                    set.remove(format!("new{}", random.below(next)).as_bytes());
                }
            }
        }
        assert!(stay.is_subset(&seen), "seed {seed}");
    }
}

/// Set algebra over random sets of all forms against std; seed in the message.
#[test]
fn algebra_agrees_with_std() {
    for seed in 0..COMBINATIONS {
        let mut random = Random::new(seed);
        let sizes = [3, 20, 60, 200];
        let (sets, models): (Vec<_>, Vec<_>) = (0..1 + random.index(5))
            .map(|_| {
                let most = sizes[random.index(4)];
                sample(&mut random, most)
            })
            .unzip();
        let views: Vec<_> = sets.iter().map(Set::view).collect();
        let first = models[0].clone();
        let all = |op: fn(&Model, &Model) -> Model| {
            models[1..].iter().fold(first.clone(), |a, b| op(&a, b))
        };
        let (inter, diff, union) = (all(|a, b| a & b), all(|a, b| a - b), all(|a, b| a | b));
        let forms: Vec<_> = views.iter().map(|v| (v.encoding(), v.len())).collect();
        let check = |name: &str, shown: Vec<Vec<u8>>, model: &BTreeSet<Vec<u8>>| {
            let distinct: BTreeSet<_> = shown.iter().cloned().collect();
            assert_eq!(
                shown.len(),
                distinct.len(),
                "{name} twice, seed {seed} {forms:?}"
            );
            assert_eq!(&distinct, model, "{name}, seed {seed} {forms:?}");
        };
        let mut shown = Vec::new();
        algebra::intersection(&views, |m| {
            shown.push(m.to_vec());
            true
        });
        check("intersection", std::mem::take(&mut shown), &inter);
        algebra::difference(&views, |m| {
            shown.push(m.to_vec());
            true
        });
        check("difference", std::mem::take(&mut shown), &diff);
        algebra::union(&views, SEED, |m| {
            shown.push(m.to_vec());
            true
        })
        .unwrap();
        check("union", std::mem::take(&mut shown), &union);
        let making = Making {
            limits: limits(&mut random),
            seed: SEED,
        };
        let stored = |set: Result<Set, Full>| members(set.unwrap().view());
        assert_eq!(stored(making.intersection(&views)), inter, "seed {seed}");
        assert_eq!(stored(making.difference(&views)), diff, "seed {seed}");
        assert_eq!(stored(making.union(&views)), union, "seed {seed}");
        let limit = random.index(30);
        for (limit, most) in [(None, usize::MAX), (Some(limit), limit)] {
            assert_eq!(
                algebra::intersection_len(&views, limit),
                inter.len().min(most)
            );
            assert_eq!(algebra::difference_len(&views, limit), diff.len().min(most));
            let len = algebra::union_len(&views, limit, SEED).unwrap();
            assert_eq!(len, union.len().min(most));
        }
    }
}

#[test]
fn packs_that_collide_in_their_index_are_still_told_apart() {
    // The hash looks at the first, middle and last bytes of a text only.
    let member = |i: usize| format!("{}{i:03}{}", "a".repeat(20), "b".repeat(40));
    let (a, b) = (
        build((0..60).map(member), REDIS),
        build((30..100).map(member), REDIS),
    );
    assert_eq!(algebra::intersection_len(&[a.view(), b.view()], None), 30);
    assert_eq!(algebra::difference_len(&[a.view(), b.view()], None), 30);
}

/// Chi squared of counts that should be equal.
fn chi_squared(counts: impl ExactSizeIterator<Item = u32>, total: u32) -> f64 {
    let expected = f64::from(total) / counts.len() as f64;
    counts
        .map(|c| (f64::from(c) - expected).powi(2) / expected)
        .sum()
}

fn ten(form: &str) -> Set {
    let mut set = match form {
        "intset" => build((0..10).map(|i| i.to_string()), REDIS),
        _ => build((0..10).map(|i| format!("m{i}")), REDIS),
    };
    if form == "hashtable" {
        set.make_table(SEED).unwrap();
    }
    assert_eq!(set.encoding(), form);
    set
}

/// Every way to choose from ten members, in every form, chooses each equally often.
#[test]
fn choices_are_uniform() {
    for form in ["intset", "listpack", "hashtable"] {
        let set = ten(form);
        let mut random = Random::new(5);
        let mut check = |name: &str, each: u32, choose: Choose<'_>| {
            let mut counts: BTreeMap<Vec<u8>, u32> = BTreeMap::new();
            for _ in 0..DRAWS {
                choose(&mut random, &mut |m| *counts.entry(m).or_default() += 1);
            }
            assert_eq!(counts.len(), 10, "{form} {name}");
            assert_eq!(counts.values().sum::<u32>(), DRAWS * each, "{form} {name}");
            let chi = chi_squared(counts.values().copied(), DRAWS * each);
            // 9 degrees of freedom: 27.9 is exceeded once in a thousand seeds.
            assert!(chi < 27.9, "{form} {name}: chi squared {chi}");
        };
        check("random", 1, &|r, f| {
            f(set.view().random(r).unwrap().to_vec())
        });
        check("repeated", 1, &|r, f| {
            f(set.view().repeated().draw(r).unwrap().to_vec())
        });
        for n in [1, 2, 3, 4, 7, 9] {
            let each = u32::try_from(n).unwrap();
            check("distinct", each, &|r, f| {
                set.view().distinct(n, r, |m| f(m.to_vec()))
            });
            check("pop_many", each, &|r, f| {
                set.clone()
                    .pop_many(n, r, REDIS, SEED, |m| f(m.to_vec()))
                    .unwrap();
            });
        }
        check("pop", 1, &|r, f| f(set.clone().pop(r).unwrap()));
    }
}

/// Pairs without repetition: each of the 45 equally often.
#[test]
#[cfg_attr(miri, ignore = "needs many draws")]
fn pairs_are_uniform() {
    const ROUNDS: u32 = 30_000;
    for form in ["intset", "listpack", "hashtable"] {
        let (set, mut random) = (ten(form), Random::new(6));
        let mut counts: BTreeMap<BTreeSet<Vec<u8>>, u32> = BTreeMap::new();
        for _ in 0..ROUNDS {
            let mut pair = BTreeSet::new();
            set.view().distinct(2, &mut random, |m| {
                pair.insert(m.to_vec());
            });
            assert_eq!(pair.len(), 2);
            *counts.entry(pair).or_default() += 1;
        }
        assert_eq!(counts.len(), 45);
        let chi = chi_squared(counts.values().copied(), ROUNDS);
        // 44 degrees of freedom: 78.7 is exceeded once in a thousand seeds.
        assert!(chi < 78.7, "{form}: chi squared {chi}");
    }
}

#[test]
fn samples_of_any_size_are_distinct() {
    let mut random = Random::new(9);
    let set = build((0..1000).map(|i| format!("m{i}")), REDIS);
    for count in [0, 1, 10, 333, 334, 500, 999, 1000, 1001, usize::MAX] {
        let mut shown = Vec::new();
        set.view()
            .distinct(count, &mut random, |m| shown.push(m.to_vec()));
        assert_eq!(shown.len(), count.min(1000));
        let distinct: BTreeSet<_> = shown.into_iter().collect();
        assert_eq!(distinct.len(), count.min(1000));
    }
    assert!(SetRef::EMPTY.random(&mut random).is_none());
    assert!(SetRef::EMPTY.repeated().draw(&mut random).is_none());
}

/// The forms of stored results, as Redis 8.2.3 gives them under the same limits.
#[test]
fn stored_results_have_the_forms_of_redis() {
    let limits = Limits {
        ints: 4,
        entries: 8,
        value: 64,
    };
    let making = Making { limits, seed: SEED };
    let numbers = |n: usize| (1..=n).map(|i| i.to_string());
    let packed = |n: usize| {
        let mut set = build(std::iter::once("x".to_owned()).chain(numbers(n)), limits);
        set.remove(b"x");
        set
    };
    let table = |members: &[&str]| {
        let mut set = build(members, limits);
        set.make_table(SEED).unwrap();
        set
    };
    // Each set by itself, as union, intersection with itself, and difference from nothing.
    for (set, forms) in [
        (packed(3), ["intset", "intset", "intset"]),
        (packed(5), ["hashtable", "listpack", "hashtable"]),
        (table(&["1", "2", "3"]), ["intset", "intset", "intset"]),
        (
            table(&["1", "2", "3", "4", "5"]),
            ["hashtable", "listpack", "hashtable"],
        ),
        (
            table(&["x", "1", "2", "3"]),
            ["listpack", "listpack", "listpack"],
        ),
    ] {
        let view = set.view();
        let got = [
            making.union(&[view]).unwrap().encoding(),
            making.intersection(&[view, view]).unwrap().encoding(),
            making
                .difference(&[view, SetRef::EMPTY])
                .unwrap()
                .encoding(),
        ];
        assert_eq!(got, forms, "{set:?}");
    }
}
