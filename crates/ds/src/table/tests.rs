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

/// Counts and bytes that the table keeps are what its buckets hold, and every overflow bucket is in one chain or free.
fn check_overflow<const S: u32, const L: usize>(table: &Linear<S, L>) {
    let chained: usize = (0..table.buckets()).map(|i| table.chain_len(i)).sum();
    let sum = |of: fn(&Segment) -> usize| table.overflow.iter().map(of).sum::<usize>();
    assert_eq!(chained, sum(Segment::used));
    assert_eq!(table.overflow_len, sum(Segment::exist));
    assert_eq!(table.overflow_bytes, sum(Segment::bytes));
    assert_eq!(table.overflow.len(), table.buckets().div_ceil(1 << S));
    assert_eq!(table.iter().count(), table.len());
    assert!(table.overflow.iter().all(|s| s.used() <= L));
}

fn check<const S: u32, const L: usize>(table: &Linear<S, L>, model: &HashMap<u32, bool>) {
    check_overflow(table);
    assert_eq!(table.len(), model.len());
    assert_eq!(table.volatile_len(), model.values().filter(|v| **v).count());
    for (n, volatile) in model {
        let (place, found) = table.find(hash(*n), |h| h.raw() == *n).unwrap();
        assert_eq!(found.raw(), *n);
        assert_eq!(
            table.bucket(place.bucket()).is_volatile(place.in_bucket()),
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
    agrees::<16, LINK_MAX>();
    agrees::<0, 30>();
    agrees::<1, 1_000>();
    agrees::<4, LINK_MAX>();
}

/// Steps of the random test: under Miri each takes thousands of times as long.
const STEPS: u64 = if cfg!(miri) { 1_200 } else { 60_000 };

fn agrees<const S: u32, const L: usize>() {
    let (mut table, mut model, mut state) = (Linear::<S, L>::new(), HashMap::new(), 42u64);
    for step in 0..STEPS {
        let n = (random(&mut state) % (STEPS / 10)) as u32 + 1;
        let grow = (step / (STEPS / 6)).is_multiple_of(2);
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
                let place = table.insert(hash(n), handle(n), volatile, |_| (), |h| hash(h.raw()));
                assert!(place.is_some());
                model.insert(n, volatile);
            }
            None => assert!(!model.contains_key(&n)),
        }
        if step % 997 == 0 {
            check(&table, &model);
        }
    }
    check(&table, &model);
    check(&table.clone(), &model);
}

/// Changes from check to check, rounds and other entries of scans, and entries found by hints.
const CHECKED: u32 = if cfg!(miri) { 100 } else { 1 };
const SCANS: u64 = if cfg!(miri) { 2 } else { 60 };
const OTHERS: u32 = if cfg!(miri) { 400 } else { 10_000 };
const HINTED: u32 = if cfg!(miri) { 600 } else { 3_000 };

/// When a segment's links are used up, insertion says so and everything else still works.
#[test]
fn colliding_hashes_use_the_links_up() {
    for different in [1, 3, 40] {
        let few = |n: u32| hash(n % different);
        let (mut table, mut model) = (Linear::<1, 5>::new(), HashMap::new());
        for n in 1..2_000 {
            let place = table.insert(few(n), handle(n), false, |_| (), |h| few(h.raw()));
            if let Some(place) = place {
                assert_eq!(
                    table.find(few(n), |h| h.raw() == n),
                    Some((place, handle(n)))
                );
                model.insert(n, ());
            }
            if n.is_multiple_of(CHECKED) {
                check_overflow(&table);
            }
        }
        assert!(model.len() < 1_999 && table.len() == model.len());
        for n in 1..2_000 {
            let found = table.find(few(n), |h| h.raw() == n);
            assert_eq!(found.is_some(), model.remove(&n).is_some());
            if let Some((place, _)) = found {
                table.remove(few(n), place);
            }
            if n.is_multiple_of(CHECKED) {
                check_overflow(&table);
            }
        }
        assert!(table.is_empty() && table.bytes() <= KEPT);
    }
}

/// A table that lost most of its entries holds little more than one that never had them.
#[test]
#[cfg_attr(miri, ignore = "only counts bytes")]
fn a_shrunken_table_is_small() {
    let mut table = Linear::<8, LINK_MAX>::new();
    let mut small = Linear::<8, LINK_MAX>::new();
    for n in 1..=200_000 {
        table.insert(hash(n), handle(n), false, |_| (), |h| hash(h.raw()));
    }
    for n in 1..=190_000 {
        let (place, _) = table.find(hash(n), |h| h.raw() == n).unwrap();
        table.remove(hash(n), place);
    }
    for n in 190_001..=200_000 {
        small.insert(hash(n), handle(n), false, |_| (), |h| hash(h.raw()));
    }
    check_overflow(&table);
    let (left, fresh) = (table.bytes(), small.bytes());
    assert!(left < fresh * 2, "{left} bytes instead of {fresh}");
}

/// Elements present throughout a scan are seen, while others come and go and the table grows or shrinks.
#[test]
fn scan_misses_nothing_across_growth_and_shrinkage() {
    for round in 0..SCANS {
        let (mut table, mut state) = (Linear::<2, LINK_MAX>::new(), round * 77 + 1);
        let steady = 200 + (random(&mut state) % 800) as u32;
        let mut others: Vec<u32> = Vec::new();
        let add = |table: &mut Linear<2, LINK_MAX>, n: u32| {
            let place = table.insert(hash(n), handle(n), false, |_| (), |h| hash(h.raw()));
            assert!(place.is_some());
        };
        (1..=steady).for_each(|n| add(&mut table, n));
        let start_large = round % 2 == 0;
        if start_large {
            for n in 10_000..10_000 + OTHERS {
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
#[cfg_attr(miri, ignore = "only counts bytes")]
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

/// Follows hints as a search goes: the entry, or the bucket behind in which it is.
#[test]
fn hints_lead_to_the_entry() {
    let mut table = Linear::<2, LINK_MAX>::new();
    let count = HINTED;
    for n in 1..=count {
        let place = table.insert(hash(n), handle(n), false, |_| {}, |h| hash(h.raw()));
        assert!(place.is_some());
    }
    let (mut entries, mut buckets) = (0, 0);
    for n in 1..=count {
        let (place, _) = table.find(hash(n), |h| h.raw() == n).unwrap();
        // The address of an entry is its number here, and no bucket's.
        match (place.bucket(), table.likely(hash(n))) {
            (_, Likely::Nothing) => panic!("{n} is there"),
            (BucketRef::Primary(_), Likely::Record(likely, handle)) => {
                assert_eq!(likely == place, handle.raw() == n);
                entries += usize::from(likely == place);
            }
            (BucketRef::Primary(_), Likely::Bucket(_)) => panic!("{n} is in the first bucket"),
            (BucketRef::Overflow(..), Likely::Bucket(hint)) => {
                buckets += 1;
                let own = Hint::of(table.bucket(place.bucket()));
                let first = table.index_of(hash(n));
                assert!(hint == own || table.chain_len(first) > 1);
            }
            // Another entry has the same tag.
            (BucketRef::Overflow(..), Likely::Record(..)) => {}
        }
    }
    assert!(entries > count as usize / 2, "{entries}");
    assert!(buckets > 0);
    let absent =
        (count + 1..count * 2).filter(|n| matches!(table.likely(hash(*n)), Likely::Nothing));
    assert!(absent.count() > count as usize / 8);
    assert!(matches!(
        Linear::<2, LINK_MAX>::new().likely(1),
        Likely::Nothing
    ));
}
