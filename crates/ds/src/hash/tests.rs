use super::*;
use std::collections::{BTreeMap, BTreeSet};

fn seed() -> u64 {
    let seed = std::env::var("OCHRE_SEED")
        .ok()
        .and_then(|s| s.parse().ok());
    let seed = seed.unwrap_or(31);
    println!("OCHRE_SEED={seed}");
    seed
}

fn text(random: &mut Random) -> Vec<u8> {
    match random.below(4) {
        0 => random.below(50).to_string().into_bytes(),
        1 => (random.below(1 << 40) as i64 - (1 << 39))
            .to_string()
            .into_bytes(),
        2 => format!("0{}", random.below(30)).into_bytes(),
        _ => vec![b'x'; random.index(12)],
    }
}

fn check(hash: &Hash, model: &[(Vec<u8>, Vec<u8>)]) {
    assert_eq!(hash.len(), model.len());
    assert_eq!(hash.is_empty(), model.is_empty());
    let view = hash.view();
    for (field, value) in model {
        assert!(view.contains(field));
        assert_eq!(view.get(field).map(|v| v.to_vec()).as_ref(), Some(value));
    }
    let mut all: Vec<_> = view.iter().map(|(f, v)| (f.to_vec(), v.to_vec())).collect();
    let mut expected = model.to_vec();
    if matches!(hash, Hash::Table(_)) {
        all.sort();
        expected.sort();
    }
    assert_eq!(all, expected, "a packed hash keeps the order");
}

/// Steps of the random test, the most fields of the other, and draws for a field: under Miri each takes thousands of
/// times as long.
const STEPS: usize = if cfg!(miri) { 120 } else { 3_000 };
const FIELDS: u64 = if cfg!(miri) { 40 } else { 200 };
const DRAWS: u64 = if cfg!(miri) { 10 } else { 300 };

#[test]
fn agrees_with_a_model_at_every_limit() {
    let mut random = Random::new(seed());
    for (entries, value) in [
        (0, 64),
        (1, 64),
        (8, 64),
        (30, 64),
        (1_000, 3),
        (1_000, 8),
        (1_000, 64),
    ] {
        let limits = Limits { entries, value };
        let (mut hash, mut model) = (Hash::default(), Vec::new());
        let mut copies = Vec::new();
        for _ in 0..STEPS {
            let field = text(&mut random);
            let place = model.iter().position(|(f, _)| *f == field);
            assert_eq!(hash.view().contains(&field), place.is_some());
            if random.below(3) > 0 {
                let value = text(&mut random);
                let long = field.len() > limits.value || value.len() > limits.value;
                let packed = matches!(hash, Hash::Packed(_));
                assert_eq!(hash.set(&field, &value, &limits, 1), Ok(place.is_none()));
                match place {
                    Some(i) => model[i].1 = value,
                    None => model.push((field, value)),
                }
                let stays = packed && !long && model.len() <= limits.entries;
                assert_eq!(matches!(hash, Hash::Packed(_)), stays);
            } else {
                assert_eq!(hash.remove(&field), place.is_some());
                if let Some(i) = place {
                    model.remove(i);
                }
            }
            if random.below(100) == 0 {
                check(&hash, &model);
                assert!(hash.view().same(&hash.view().to_owned()));
                copies.push((hash.clone(), model.clone()));
            }
            if random.below(400) == 0 {
                (hash, model) = (Hash::default(), Vec::new());
            }
        }
        check(&hash, &model);
        copies.iter().for_each(|(hash, model)| check(hash, model));
    }
}

#[test]
fn a_lowered_limit_holds_from_the_next_change_on() {
    let limits = |entries| Limits { entries, value: 9 };
    let mut hash = Hash::default();
    for field in [b"a", b"b", b"c"] {
        hash.set(field, b"1", &limits(3), 1).unwrap();
    }
    assert_eq!(hash.set(b"b", b"2", &limits(3), 1), Ok(false));
    assert_eq!(hash.encoding(), "listpack");
    assert_eq!(hash.set(b"b", b"3", &limits(2), 1), Ok(false));
    assert_eq!((hash.encoding(), hash.len()), ("hashtable", 3));
    assert!(hash.view().get(b"b").is_some_and(|v| v.is(b"3")));
}

#[test]
fn preparing_for_many_fields_converts() {
    let limits = Limits {
        entries: 4,
        value: 9,
    };
    let mut hash = Hash::default();
    hash.set(b"a", b"1", &limits, 1).unwrap();
    hash.prepare(4, &limits, 1).unwrap();
    assert_eq!(hash.encoding(), "listpack");
    hash.prepare(5, &limits, 1).unwrap();
    assert_eq!((hash.encoding(), hash.len()), ("hashtable", 1));
}

#[test]
fn scans_and_samples_cover_all_and_only_the_fields() {
    let mut random = Random::new(seed());
    for len in [1, 5, FIELDS] {
        for entries in [0, 1_000] {
            let limits = Limits { entries, value: 64 };
            let mut hash = Hash::default();
            for n in 0..len {
                hash.set(n.to_string().as_bytes(), b"v", &limits, 5)
                    .unwrap();
            }
            let (mut seen, mut position) = (BTreeSet::new(), 0);
            loop {
                position = hash
                    .view()
                    .scan(position, 3, |f, _| assert!(seen.insert(f.to_vec())));
                if position == 0 {
                    break;
                }
            }
            assert_eq!(seen.len() as u64, len);
            let mut counts: BTreeMap<Vec<u8>, u64> = BTreeMap::new();
            for _ in 0..len * DRAWS {
                let (field, _) = hash.view().random(&mut random).unwrap();
                *counts.entry(field.to_vec()).or_default() += 1;
            }
            hash.view()
                .draw(&mut random, (len * DRAWS) as usize, |field, value| {
                    assert!(value.is(b"v"));
                    *counts.entry(field.to_vec()).or_default() += 1;
                });
            let mut fields = hash.view().iter();
            while let Some((field, _)) = hash.view().iter_from(fields.cursor()).next() {
                assert_eq!(fields.next().unwrap().0, field);
            }
            assert!(fields.next().is_none());
            let wanted = len as usize / 2 + 1;
            let rounds = len * DRAWS / wanted as u64;
            for _ in 0..rounds {
                let mut different = BTreeSet::new();
                hash.view().sample(&mut random, wanted, |field, _| {
                    *counts.entry(field.to_vec()).or_default() += 1;
                    different.insert(field.to_vec());
                });
                assert_eq!(different.len(), wanted);
            }
            let total = len * DRAWS * 2 + rounds * wanted as u64;
            let expected = total as f64 / len as f64;
            let chi: f64 = counts
                .values()
                .map(|c| (*c as f64 - expected).powi(2) / expected)
                .sum();
            let degrees = len as f64 - 1.0;
            assert!(
                chi <= degrees + 3.4 * (2.0 * degrees).sqrt() + 8.0,
                "chi squared {chi}"
            );
            let mut all = 0;
            hash.view().sample(&mut random, usize::MAX, |_, _| all += 1);
            assert_eq!(all, len);
        }
    }
    assert!(Hash::default().view().random(&mut random).is_none());
}
