use super::*;
use std::collections::{BTreeSet, HashMap};

fn seed() -> u64 {
    let seed = std::env::var("OCHRE_SEED")
        .ok()
        .and_then(|s| s.parse().ok());
    let seed = seed.unwrap_or(20_261_120);
    println!("OCHRE_SEED={seed}");
    seed
}

fn key(n: u64) -> Vec<u8> {
    let len = [3, 8, 15, 40, 130, 600][(n % 6) as usize];
    let mut key = n.to_string().into_bytes();
    key.resize(len.max(key.len()), b'k');
    key
}

fn value(random: &mut Random) -> Vec<u8> {
    let most = [1, 20, 300, 70_000][random.index(40).min(39) / 13];
    vec![random.index(256) as u8; random.index(most)]
}

fn check(dict: &Dict, model: &HashMap<Vec<u8>, Vec<u8>>) {
    assert_eq!(dict.len(), model.len());
    for (k, v) in model {
        assert_eq!(dict.get(k), Some(&v[..]));
    }
    let mut walked = 0;
    for (k, v) in dict.iter() {
        assert_eq!(model.get(k).map(|v| &v[..]), Some(v));
        walked += 1;
    }
    assert_eq!(walked, model.len());
    assert_eq!(dict.table.iter().count(), model.len());
}

/// Steps of the random test, keys of the other tests, and draws for a key: under Miri each takes thousands of times as
/// long.
const STEPS: u64 = if cfg!(miri) { 1_200 } else { 40_000 };
const KEYS: u64 = if cfg!(miri) { 400 } else { 10_000 };
const DRAWS: u64 = if cfg!(miri) { 10 } else { 200 };

#[test]
fn agrees_with_a_map() {
    let mut random = Random::new(seed());
    let (mut dict, mut model) = (Dict::new(random.next_u64()), HashMap::new());
    for step in 0..STEPS {
        let k = key(random.below(STEPS / 10));
        let shrink = step / (STEPS / 5) % 2 == 1;
        if random.below(10) < if shrink { 2 } else { 7 } {
            let v = value(&mut random);
            assert_eq!(dict.insert(&k, &v), Ok(!model.contains_key(&k)));
            model.insert(k, v);
        } else {
            assert_eq!(dict.remove(&k), model.remove(&k).is_some());
            assert!(!dict.contains(&k));
        }
        if step % 1_999 == 0 {
            check(&dict, &model);
        }
    }
    check(&dict, &model);
    let copy = dict.clone();
    for k in model.keys() {
        assert!(dict.remove(k));
    }
    assert!(dict.is_empty() && dict.iter().next().is_none());
    // What a table and an arena keep.
    assert!(dict.table.bytes() <= 384 && dict.arena.bytes() <= 256);
    check(&copy, &model);
}

#[test]
#[cfg_attr(miri, ignore = "only counts bytes")]
fn members_are_small() {
    let mut dict = Dict::new(seed());
    for n in 0..200_000 {
        assert_eq!(
            dict.insert(format!("member:{n:08}").as_bytes(), b""),
            Ok(true)
        );
    }
    let each = dict.heap_bytes() as f64 / 200_000.0;
    assert!(each < 26.0, "{each} bytes a member");
}

#[test]
#[cfg_attr(miri, ignore = "only counts bytes")]
fn memory_goes_back() {
    let mut random = Random::new(seed());
    for size in [10, 50, 200] {
        let mut dict = Dict::new(1);
        let mut keys: Vec<Vec<u8>> = (0..60_000).map(|n| format!("{n:0size$}").into()).collect();
        for k in &keys {
            dict.insert(k, b"").unwrap();
        }
        let full = dict.heap_bytes();
        while keys.len() > 6_000 {
            let k = keys.swap_remove(random.index(keys.len()));
            assert!(dict.remove(&k));
            let share = dict.heap_bytes() as f64 / full as f64;
            assert!(
                share < 0.1 + 1.6 * keys.len() as f64 / 60_000.0,
                "{share} for {}",
                keys.len()
            );
        }
        assert!(keys.iter().all(|k| dict.contains(k)));
    }
}

/// Keys that stay are seen once in a scan, while others come and go.
#[test]
fn a_scan_sees_what_stays_once() {
    let mut random = Random::new(seed());
    for round in 0..KEYS / 250 {
        let mut dict = Dict::new(round);
        let steady = KEYS / 100 + random.below(KEYS / 11);
        (0..steady).for_each(|n| assert!(dict.insert(&key(n), b"v").is_ok()));
        let shrinks = round % 2 == 0;
        let mut others: Vec<u64> = if shrinks {
            (10_000..10_000 + KEYS).collect()
        } else {
            vec![]
        };
        others
            .iter()
            .for_each(|n| assert!(dict.insert(&key(*n), b"").is_ok()));
        let (mut seen, mut position, mut fresh) = (Vec::new(), 0, 30_000);
        loop {
            position = dict.scan(position, |k, v| {
                if v == b"v" {
                    seen.push(k.to_vec());
                }
            });
            if position == 0 {
                break;
            }
            for _ in 0..random.below(60) {
                if !shrinks {
                    dict.insert(&key(fresh), b"").unwrap();
                    fresh += 1;
                } else if let Some(n) = others.pop() {
                    assert!(dict.remove(&key(n)));
                }
            }
        }
        let once: BTreeSet<_> = seen.iter().cloned().collect();
        assert_eq!(
            (once.len() as u64, seen.len() as u64),
            (steady, steady),
            "round {round}"
        );
    }
}

/// Chi-squared for equal chances, `degrees` of freedom; the bound is exceeded once in about 3000 seeds.
fn assert_uniform(counts: &[u64]) {
    let total: u64 = counts.iter().sum();
    let expected = total as f64 / counts.len() as f64;
    let chi: f64 = counts
        .iter()
        .map(|c| (*c as f64 - expected).powi(2) / expected)
        .sum();
    let degrees = counts.len() as f64 - 1.0;
    let bound = degrees + 3.4 * (2.0 * degrees).sqrt() + 8.0;
    assert!(chi < bound, "chi squared {chi}, bound {bound}");
}

#[test]
fn random_keys_are_uniform() {
    let mut random = Random::new(seed());
    for len in [1, 2, 13, 100, KEYS / 10] {
        let mut dict = Dict::new(random.next_u64());
        // More come first and go again, so that chains and free buckets are there.
        (0..len * 3).for_each(|n: u64| assert!(dict.insert(&n.to_le_bytes(), b"").is_ok()));
        (len..len * 3).for_each(|n| assert!(dict.remove(&n.to_le_bytes())));
        let index = |k: &[u8]| u64::from_le_bytes(k.try_into().unwrap()) as usize;
        let mut counts = vec![0; len as usize];
        for _ in 0..len * DRAWS {
            let (k, _) = dict.random(&mut random).unwrap();
            counts[index(k)] += 1;
        }
        assert_uniform(&counts);
        for share in [1, 2, 20] {
            let wanted = (len / share).max(1) as usize;
            let mut counts = vec![0; len as usize];
            for _ in 0..DRAWS * share {
                let mut different = BTreeSet::new();
                let mut visit = |k: &[u8]| {
                    counts[index(k)] += 1;
                    different.insert(k.to_vec());
                };
                let mut sample = dict.begin_sample(wanted);
                while sample.advance(&dict, &mut random, 7, |k, _| visit(k)) {}
                assert_eq!(different.len(), wanted);
            }
            assert_uniform(&counts);
        }
    }
    assert!(Dict::new(0).random(&mut random).is_none());
}
