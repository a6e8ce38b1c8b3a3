//! Lists against a deque, at every limit, with invariants checked after each change.

use super::*;
use crate::random::Random;
use std::collections::VecDeque;

fn texts(list: ListRef<'_>) -> Vec<Vec<u8>> {
    list.iter().map(|e| e.to_vec()).collect()
}

fn check(list: &List) {
    match list {
        List::Packed(buf) => {
            let count = packed::count(buf);
            Chunk::from_parts(packed::entries(buf).to_vec(), 0, count).check();
        }
        List::Chunks(chunks) => {
            chunks.check();
            assert!(!chunks.is_empty());
        }
    }
}

fn value(random: &mut Random) -> Vec<u8> {
    match random.below(16) {
        0 => random.below(40).to_string().into_bytes(),
        1 => format!("-{}", random.below(5000) + 1).into_bytes(),
        2 => ((random.next_u64() >> random.below(64)).cast_signed())
            .to_string()
            .into_bytes(),
        3 => vec![b'x'; usize::try_from(random.below(200)).unwrap()],
        4 if random.below(8) == 0 => vec![b'y'; usize::try_from(random.below(9000)).unwrap()],
        _ => format!("v{}", random.below(30)).into_bytes(),
    }
}

fn below(random: &mut Random, n: usize) -> usize {
    usize::try_from(random.below(u64::try_from(n).unwrap())).unwrap()
}

fn end(random: &mut Random) -> End {
    if random.below(2) == 0 {
        End::Front
    } else {
        End::Back
    }
}

/// Steps of the random test: under Miri each takes thousands of times as long.
const STEPS: usize = if cfg!(miri) { 40 } else { 1_000 };
/// Elements of the deep tree, and changes of it.
const DEEP: usize = if cfg!(miri) { 300 } else { 12_000 };
/// Damaged nodes.
const DAMAGED: usize = if cfg!(miri) { 300 } else { 20_000 };

/// One random change of both; `growing` makes lists longer rather than shorter.
fn step(
    list: &mut List,
    model: &mut VecDeque<Vec<u8>>,
    random: &mut Random,
    limits: Limits,
    growing: bool,
) {
    let len = model.len();
    match random.below(if growing { 12 } else { 20 }) {
        0..=3 => {
            let (at, number) = (end(random), random.below(5) + 1);
            let values: Vec<_> = (0..number).map(|_| value(random)).collect();
            list.push(at, values.iter().map(Vec::as_slice), limits);
            for v in values {
                match at {
                    End::Front => model.push_front(v),
                    End::Back => model.push_back(v),
                }
            }
        }
        4..=6 if len > 0 => {
            let (at, after, v) = (below(random, len), random.below(2) == 0, value(random));
            list.prepare(v.len(), 1, limits);
            list.insert(at, after, &v, limits);
            model.insert(at + usize::from(after), v);
        }
        7..=9 if len > 0 => {
            let (at, v) = (below(random, len), value(random));
            assert!(list.set(at, &v, limits));
            model[at] = v;
        }
        10 if len > 0 => {
            let (from, to) = (end(random), end(random));
            let seen = list.rotate(from, to, limits, |e| e.to_vec());
            let moved = match from {
                End::Front => model.pop_front(),
                End::Back => model.pop_back(),
            };
            assert_eq!(seen, moved);
            match to {
                End::Front => model.push_front(moved.unwrap()),
                End::Back => model.push_back(moved.unwrap()),
            }
        }
        11 if len > 0 => {
            let (v, most, from) = (value(random), below(random, 4) + 1, end(random));
            let removed = list.remove_equal(&v, most, from, limits);
            let mut expected = 0;
            let mut places: Vec<_> = (0..len).collect();
            if from == End::Back {
                places.reverse();
            }
            let doomed: Vec<_> = places
                .into_iter()
                .filter(|i| model[*i] == v)
                .take(most)
                .collect();
            let mut kept = VecDeque::new();
            for (i, v) in model.drain(..).enumerate() {
                if doomed.contains(&i) {
                    expected += 1;
                } else {
                    kept.push_back(v);
                }
            }
            *model = kept;
            assert_eq!(removed, expected);
        }
        12..=15 if len > 0 => {
            let from = end(random);
            let seen = list.pop(from, limits, |e| e.to_vec());
            let expected = match from {
                End::Front => model.pop_front(),
                End::Back => model.pop_back(),
            };
            assert_eq!(seen, expected);
        }
        16..=17 if len > 0 => {
            let at = below(random, len);
            assert!(list.remove(at, limits));
            model.remove(at);
        }
        18 if len > 0 && random.below(8) == 0 => {
            let start = below(random, len);
            let stop = start + below(random, len - start + 1);
            drop(list.trim(start..stop, limits));
            model.truncate(stop);
            model.drain(..start);
        }
        _ => {}
    }
}

fn compare(list: &List, model: &VecDeque<Vec<u8>>, random: &mut Random) {
    let view = list.view();
    assert_eq!(view.len(), model.len());
    assert!(texts(view).iter().eq(model.iter()));
    assert!(
        view.range_back(usize::MAX, usize::MAX)
            .map(|e| e.to_vec())
            .eq(model.iter().rev().cloned())
    );
    let (start, count) = (below(random, model.len() + 2), below(random, 10));
    assert!(
        view.range(start, count).map(|e| e.to_vec()).eq(model
            .iter()
            .skip(start)
            .take(count)
            .cloned())
    );
    let mut walked = Vec::new();
    view.range(start, usize::MAX).walk(|e| {
        walked.push(e.to_vec());
        walked.len() < count + 1
    });
    assert!(walked.iter().eq(model.iter().skip(start).take(count + 1)));
    let stop = start.min(model.len());
    assert!(
        view.range_back(start, count).map(|e| e.to_vec()).eq(model
            .iter()
            .take(stop)
            .rev()
            .take(count)
            .cloned())
    );
    let got = view.get(start).map(|e| e.to_vec());
    assert_eq!(got.as_ref(), model.get(start));
    let (wanted, compared) = (value(random), below(random, model.len() + 1));
    for from in [End::Front, End::Back] {
        let mut found = Vec::new();
        view.positions(&wanted, from, compared, |at| {
            found.push(at);
            true
        });
        let places: Vec<_> = match from {
            End::Front => (0..model.len()).collect(),
            End::Back => (0..model.len()).rev().collect(),
        };
        let expected: Vec<_> = places
            .into_iter()
            .take(compared)
            .filter(|i| model[*i] == wanted)
            .collect();
        assert_eq!(found, expected);
    }
}

/// Serialises the list and loads it again.
fn reload(list: &List, limits: Limits) -> List {
    let mut loaded = List::to_load(limits);
    for node in list.view().nodes() {
        match node.alone() {
            Some(value) => loaded.load_alone(value, limits),
            None => {
                let mut bytes = Vec::new();
                node.write_listpack(&mut bytes);
                assert_eq!(bytes.len(), node.listpack_len());
                loaded.load_listpack(&bytes).unwrap();
            }
        }
    }
    loaded.loaded(limits)
}

#[test]
fn lists_agree_with_a_deque() {
    let seed = std::env::var("SEED").map_or_else(|_| 1, |s| s.parse().unwrap());
    println!("seed {seed}");
    let mut random = Random::new(seed);
    for size in [1, 2, 3, 7, 100, -1, -2, -5, 0] {
        for alone_from in [None, Some(3), Some(60)] {
            let limits = Limits { size, alone_from };
            let (mut list, mut model) = (List::default(), VecDeque::new());
            let mut kept: Option<(List, Vec<Vec<u8>>)> = None;
            for i in 0..STEPS {
                let growing = i % (STEPS / 2) < STEPS / 4;
                step(&mut list, &mut model, &mut random, limits, growing);
                check(&list);
                if i % 4 == 0 {
                    compare(&list, &model, &mut random);
                }
                if i % (STEPS / 10) == 0 {
                    kept = Some((list.clone(), texts(list.view())));
                } else if i % (STEPS / 10) == STEPS / 10 - 1
                    && let Some((list, was)) = &kept
                {
                    assert_eq!(&texts(list.view()), was);
                    let again = reload(list, limits);
                    assert_eq!(&texts(again.view()), was);
                    check(&again);
                }
            }
        }
    }
}

#[test]
fn many_chunks_make_a_deep_tree() {
    let mut random = Random::new(7);
    let limits = Limits {
        size: 2,
        alone_from: None,
    };
    let (mut list, mut model) = (List::default(), VecDeque::new());
    let numbers: Vec<_> = (0..DEEP).map(|i| format!("e{i}").into_bytes()).collect();
    list.push(End::Back, numbers.iter().map(Vec::as_slice), limits);
    model.extend(numbers.iter().cloned());
    list.push(End::Front, numbers.iter().map(Vec::as_slice), limits);
    numbers.iter().for_each(|n| model.push_front(n.clone()));
    check(&list);
    let shared = list.clone();
    for i in 0..DEEP / 4 {
        step(&mut list, &mut model, &mut random, limits, i % 2 == 0);
        if model.len() > DEEP / 3 * 5 {
            let at = below(&mut random, model.len());
            list.remove(at, limits);
            model.remove(at);
        }
        let at = below(&mut random, model.len().max(1));
        assert_eq!(
            list.view().get(at).map(|e| e.to_vec()).as_ref(),
            model.get(at)
        );
        if i % 100 == 0 {
            check(&list);
            assert!(texts(list.view()).iter().eq(model.iter()));
        }
    }
    assert_eq!(shared.len(), DEEP * 2);
    check(&shared);
}

/// Most elements of every chunk go: what is left is joined.
#[test]
fn chunks_with_few_elements_left_are_joined() {
    const ELEMENTS: usize = if cfg!(miri) { 4_000 } else { 100_000 };
    let mut list = List::default();
    let default = Limits::default();
    for i in 0..ELEMENTS {
        let text = if i % 20 == 0 { "keep" } else { "goes" };
        list.push(End::Back, std::iter::once(text.as_bytes()), default);
    }
    let full = list.heap_bytes();
    assert_eq!(
        list.remove_equal(b"goes", usize::MAX, End::Back, default),
        ELEMENTS / 20 * 19
    );
    check(&list);
    assert!(texts(list.view()).iter().all(|t| t == b"keep"));
    assert!(
        list.heap_bytes() < full / 8,
        "{} of {full}",
        list.heap_bytes()
    );
}

#[test]
fn encodings_change_where_those_of_redis_do() {
    let limits = Limits::default();
    let mut list = List::default();
    assert_eq!(list.encoding(), "listpack");
    // 7 bytes of frame and 545 entries of 15 are 8182: one more text of 13 exceeds 8192.
    for i in 0..545 {
        let text = format!("item:{i:08}");
        list.push(End::Back, std::iter::once(text.as_bytes()), limits);
        assert_eq!(list.encoding(), "listpack");
    }
    list.push(
        End::Back,
        std::iter::once(b"item:00000545".as_slice()),
        limits,
    );
    assert_eq!((list.encoding(), list.len()), ("quicklist", 546));
    // Back again at one node of at most 4096 bytes.
    while list.encoding() == "quicklist" {
        list.pop(End::Back, limits, |_| ()).unwrap();
    }
    assert_eq!(list.len(), 272);
}

#[test]
#[cfg_attr(miri, ignore = "only counts bytes")]
fn memory_of_a_million_short_elements() {
    let limits = Limits::default();
    for end in [End::Back, End::Front] {
        let mut list = List::default();
        for i in 0..200_000 {
            let text = format!("item:{i:08}");
            list.push(end, std::iter::once(text.as_bytes()), limits);
        }
        check(&list);
        let each = list.heap_bytes() as f64 / list.len() as f64;
        assert!(each < 15.25, "{each}");
    }
}

#[test]
fn hostile_listpacks_are_refused_or_understood() {
    let limits = Limits::default();
    let mut random = Random::new(3);
    let mut list = List::default();
    for text in ["a", "-1", "300", "70000", "-9000000", "5000000000", "x"] {
        list.push(End::Back, std::iter::once(text.as_bytes()), limits);
    }
    let long = [b'l'; 5000];
    list.push(
        End::Back,
        [long.as_slice(), &long[..70]].into_iter(),
        limits,
    );
    let mut good = Vec::new();
    list.view()
        .nodes()
        .for_each(|n| n.write_listpack(&mut good));
    assert_eq!(texts(reload(&list, limits).view()), texts(list.view()));
    for _ in 0..DAMAGED {
        let mut bytes = good.clone();
        for _ in 0..=random.below(3) {
            let at = below(&mut random, bytes.len().min(60));
            bytes[at] = random.next_u64().to_le_bytes()[0];
        }
        bytes.truncate(bytes.len() - below(&mut random, 2) * below(&mut random, bytes.len()));
        let mut loaded = List::to_load(limits);
        if loaded.load_listpack(&bytes).is_ok() && !loaded.is_empty() {
            check(&loaded);
            assert_eq!(loaded.view().iter().count(), loaded.len());
        }
    }
    for bad in [
        b"".as_slice(),
        b"\x07\0\0\0\0\0",
        b"\x07\0\0\0\0\0\0",
        b"\x08\0\0\0\0\0\xff",
    ] {
        assert_eq!(List::to_load(limits).load_listpack(bad), Err(BadNode));
    }
    assert_eq!(
        List::to_load(limits).load_listpack(b"\x07\0\0\0\0\0\xff"),
        Ok(())
    );
}
