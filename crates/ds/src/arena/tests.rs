use super::*;
use std::collections::HashMap;

/// Rounds of the random test: under Miri each takes thousands of times as long.
const ROUNDS: u64 = if cfg!(miri) { 800 } else { 40_000 };
/// Records of the test of evacuations.
const RECORDS: usize = if cfg!(miri) { 4_000 } else { 50_000 };
/// Records of the test of copies.
const COPIED: usize = if cfg!(miri) { 900 } else { 3_000 };

/// Random allocation, release and evacuation against a map of what each record must hold.
#[test]
fn records_keep_their_bytes() {
    let mut arena = Arena::new();
    let mut model: HashMap<Handle, Vec<u8>> = HashMap::new();
    let mut state = 0x9E37_79B9_7F4A_7C15u64;
    let mut random = |n: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % n
    };
    for round in 0..ROUNDS {
        let shrink = (round / (ROUNDS / 8)) % 2 == 1;
        if random(10) < if shrink { 3 } else { 7 } {
            let size = if random(100) == 0 {
                random(5_000) as usize + 1
            } else {
                random(120) as usize + 1
            };
            let handle = arena.alloc(size).unwrap();
            let mut bytes: Vec<u8> = (0..size).map(|_| random(256) as u8).collect();
            bytes[0] |= 1;
            arena.get_mut(handle)[..size].copy_from_slice(&bytes);
            assert!(
                model.insert(handle, bytes).is_none(),
                "a live handle was handed out twice"
            );
        } else if let Some(handle) = model.keys().nth(random(8) as usize).copied() {
            model.remove(&handle);
            arena.free(handle);
        }
        if random(50) == 0
            && let Some(plan) = arena.sparsest()
        {
            arena.evacuate(plan, |old, new, _| {
                let bytes = model.remove(&old).unwrap();
                assert!(model.insert(new, bytes).is_none());
            });
        }
        if round % 500 == 0 {
            for (handle, bytes) in &model {
                assert_eq!(&arena.get(*handle)[..bytes.len()], &bytes[..]);
            }
        }
    }
    for handle in model.into_keys() {
        arena.free(handle);
    }
    assert!(arena.bytes() <= KEPT && arena.live_bytes() == 0);
}

/// After most records went, evacuations give nearly all of their memory back and then find no more to do.
#[test]
fn evacuations_end_with_a_dense_arena() {
    let mut arena = Arena::new();
    let mut live: Vec<Handle> = (0..RECORDS).map(|_| arena.alloc(64).unwrap()).collect();
    live.iter().for_each(|h| arena.get_mut(*h)[0] = 1);
    let full = arena.bytes();
    for i in (0..RECORDS).filter(|i| i % 10 != 0) {
        arena.free(live[i]);
    }
    let mut live: std::collections::HashSet<Handle> = live.drain(..).step_by(10).collect();
    let mut rounds = 0;
    while let Some(plan) = arena.sparsest() {
        let mut moves = 0;
        arena.evacuate(plan, |old, new, _| {
            assert!(live.remove(&old) && live.insert(new));
            moves += 1;
        });
        assert!(moves <= 224);
        rounds += 1;
        assert!(rounds < 1000, "evacuations do not end");
    }
    assert!(live.iter().all(|h| arena.get(*h)[0] == 1));
    assert_eq!(arena.live_bytes(), RECORDS / 10 * 64);
    assert!(arena.bytes() < full / 7, "{} of {full}", arena.bytes());
}

/// A copy has the same records under the same handles, and the two live apart; walking sees each live record once.
#[test]
fn copies_and_walks() {
    let mut arena = Arena::new();
    let mut model: HashMap<Handle, usize> = HashMap::new();
    for i in 0..COPIED {
        let size = 1 + i * 7 % 900;
        let handle = arena.alloc(size).unwrap();
        arena.get_mut(handle)[..size].fill((i % 255) as u8 + 1);
        model.insert(handle, i);
    }
    let gone: Vec<Handle> = model.keys().copied().filter(|h| h.raw() % 3 == 0).collect();
    for handle in gone {
        arena.free(handle);
        model.remove(&handle);
    }
    let copy = arena.clone();
    assert_eq!(
        (copy.bytes(), copy.live_bytes()),
        (arena.bytes(), arena.live_bytes())
    );
    let walked: Vec<&[u8]> = copy.records(Cursor::default()).collect();
    assert_eq!(walked.len(), model.len());
    let mut records = copy.records(Cursor::default());
    for record in &walked {
        let again = copy.records(records.cursor()).next().unwrap();
        assert!(std::ptr::eq(again, *record) && std::ptr::eq(records.next().unwrap(), *record));
    }
    assert!(copy.records(records.cursor()).next().is_none() && records.next().is_none());
    for handle in model.keys() {
        arena.free(*handle);
    }
    assert!(arena.bytes() <= KEPT && arena.live_bytes() == 0);
    for (handle, i) in &model {
        assert_eq!(copy.get(*handle)[0], (i % 255) as u8 + 1);
    }
}
