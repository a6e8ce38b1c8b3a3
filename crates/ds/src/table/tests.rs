use super::*;
use std::collections::{BTreeSet, HashMap};

fn hash(n: u32) -> u64 {
    let mut x = u64::from(n).wrapping_add(0x9E37_79B9_7F4A_7C15);
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

fn handle(n: u32) -> Handle {
    Handle::from_raw(n).unwrap()
}

fn check(table: &Table, model: &HashMap<u32, bool>) {
    assert_eq!(table.len(), model.len());
    assert_eq!(table.volatile_len(), model.values().filter(|v| **v).count());
    for (n, volatile) in model {
        let (place, found) = table.find(hash(*n), |h| h.raw() == *n).unwrap();
        assert_eq!(found.raw(), *n);
        assert_eq!(
            table
                .bucket(place.bucket)
                .is_volatile(usize::from(place.place)),
            *volatile
        );
    }
}

fn random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

#[test]
fn agrees_with_a_map() {
    let (mut table, mut model, mut state) = (Table::new(), HashMap::new(), 42u64);
    for step in 0..60_000u64 {
        let n = (random(&mut state) % 6_000) as u32 + 1;
        let grow = (step / 10_000) % 2 == 0;
        match table.find(hash(n), |h| h.raw() == n) {
            Some((place, _)) if !grow || random(&mut state).is_multiple_of(4) => {
                table.remove(hash(n), place);
                assert!(model.remove(&n).is_some());
            }
            Some((place, h)) => {
                let volatile = random(&mut state).is_multiple_of(2);
                table.replace(place, h, volatile);
                model.insert(n, volatile);
            }
            None if grow => {
                let volatile = random(&mut state).is_multiple_of(3);
                table.insert(hash(n), handle(n), volatile, |_| (), |h| hash(h.raw()));
                model.insert(n, volatile);
            }
            None => assert!(!model.contains_key(&n)),
        }
        if step % 997 == 0 {
            check(&table, &model);
        }
    }
    check(&table, &model);
}

/// Elements present throughout a scan are seen, while others come and go and the table grows or shrinks.
#[test]
fn scan_misses_nothing_across_growth_and_shrinkage() {
    for round in 0..60u64 {
        let (mut table, mut state) = (Table::new(), round * 77 + 1);
        let steady = 200 + (random(&mut state) % 800) as u32;
        let mut others: Vec<u32> = Vec::new();
        let add = |table: &mut Table, n: u32| {
            table.insert(hash(n), handle(n), false, |_| (), |h| hash(h.raw()));
        };
        (1..=steady).for_each(|n| add(&mut table, n));
        let start_large = round % 2 == 0;
        if start_large {
            for n in 10_000..20_000 {
                add(&mut table, n);
                others.push(n);
            }
        }
        let (mut seen, mut exact, mut position, mut next_new) =
            (BTreeSet::new(), Vec::new(), 0, 30_000u32);
        loop {
            let from = position;
            position = table.scan(position, |h, _| {
                seen.insert(h.raw());
                if position_of(hash(h.raw())) >= from && h.raw() <= steady {
                    exact.push(h.raw());
                }
            });
            if position == 0 {
                break;
            }
            for _ in 0..random(&mut state) % 40 {
                if start_large {
                    if let Some(n) = others.pop() {
                        let (place, _) = table.find(hash(n), |h| h.raw() == n).unwrap();
                        table.remove(hash(n), place);
                    }
                } else {
                    add(&mut table, next_new);
                    next_new += 1;
                }
            }
        }
        assert!((1..=steady).all(|n| seen.contains(&n)), "round {round}");
        exact.sort_unstable();
        assert_eq!(
            exact,
            (1..=steady).collect::<Vec<_>>(),
            "skipping by position leaves each once, round {round}"
        );
    }
}

#[test]
fn overhead_stays_small() {
    let mut table = Table::new();
    for n in 1..=200_000u32 {
        table.insert(hash(n), handle(n), false, |_| (), |h| hash(h.raw()));
        if n > 20_000 && n % 10_000 == 0 {
            let per_entry = table.bytes() as f64 / f64::from(n);
            assert!(per_entry < 9.5, "{per_entry} bytes an entry at {n}");
        }
    }
}
