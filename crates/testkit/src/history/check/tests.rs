//! Histories that no order of events explains, and some that one does.

use super::super::Operation;
use super::*;

fn push(queue: Queue, element: u64, len: u64) -> Act {
    Act::Push {
        queue,
        element,
        len,
    }
}

fn moved(queue: Queue, from: usize, element: u64) -> Act {
    Act::Move {
        queue,
        from,
        element,
    }
}

fn window(queue: Queue, stage: usize, elements: &[u64]) -> Act {
    let elements = elements.to_vec();
    Act::Window {
        queue,
        stage,
        elements,
    }
}

fn during(began: u64, ended: u64, acts: &[Act]) -> Operation {
    Operation {
        began,
        ended,
        acts: acts.to_vec(),
    }
}

fn history(operations: &[Operation], rest: &[[&[u64]; 3]]) -> History {
    History {
        operations: operations.to_vec(),
        refused: Vec::new(),
        rest: rest
            .iter()
            .map(|stages| stages.map(<[u64]>::to_vec))
            .collect(),
    }
}

fn refused(operations: &[Operation], rest: &[[&[u64]; 3]], because: &str) {
    let error = check(&history(operations, rest)).expect_err("a fault");
    assert!(error.contains(because), "{error}");
}

#[test]
fn what_happened_one_after_the_other_is_explained() {
    let operations = [
        during(0, 1, &[push(0, 7, 1)]),
        during(2, 3, &[push(0, 8, 2), push(1, 9, 1)]),
        during(
            4,
            5,
            &[moved(0, 0, 7), window(0, 0, &[8]), window(0, 1, &[7])],
        ),
        during(
            6,
            7,
            &[
                moved(0, 1, 7),
                Act::Count {
                    queue: 0,
                    elements: 1,
                },
            ],
        ),
    ];
    let found = check(&history(
        &operations,
        &[[&[8], &[], &[7]], [&[9], &[], &[]]],
    ));
    assert!(found.is_ok_and(|e| e.operations == 4 && e.acts == 8));
}

#[test]
fn what_happened_at_once_is_explained_by_any_order() {
    let operations = [
        during(0, 9, &[window(0, 0, &[1])]),
        during(0, 9, &[push(0, 2, 2)]),
        during(0, 9, &[push(0, 1, 1)]),
    ];
    assert!(check(&history(&operations, &[[&[1, 2], &[], &[]]])).is_ok());
}

#[test]
fn a_stale_read_is_found() {
    let operations = [
        during(0, 1, &[push(0, 1, 1)]),
        during(2, 3, &[push(0, 2, 2)]),
        during(4, 5, &[window(0, 0, &[1])]),
    ];
    refused(&operations, &[[&[1, 2], &[], &[]]], "circle");
}

/// What is there before the anomalies: an element in each of two queues.
fn before() -> Operation {
    during(0, 1, &[push(0, 1, 1), push(1, 2, 1)])
}

/// The one and the other at the same time, after [`before`].
fn at_once(one: &[Act], other: &[Act]) -> [Operation; 3] {
    [before(), during(2, 9, one), during(2, 9, other)]
}

fn explained(operations: &[Operation], rest: &[[&[u64]; 3]]) {
    check(&history(operations, rest)).expect("an order");
}

const BOTH_PUSHED: &[[&[u64]; 3]] = &[[&[1, 3], &[], &[]], [&[2, 4], &[], &[]]];

#[test]
fn g0_dirty_writes_are_found() {
    // Each pushed to one queue first and to the other one last.
    let one = [push(0, 3, 2), push(1, 4, 3)];
    let rest: &[[&[u64]; 3]] = &[[&[1, 3, 5], &[], &[]], [&[2, 6, 4], &[], &[]]];
    let operations = at_once(&one, &[push(0, 5, 3), push(1, 6, 2)]);
    refused(&operations, rest, "a circle of 2");
    let rest: &[[&[u64]; 3]] = &[[&[1, 3, 5], &[], &[]], [&[2, 4, 6], &[], &[]]];
    let one = [push(0, 3, 2), push(1, 4, 2)];
    explained(&at_once(&one, &[push(0, 5, 3), push(1, 6, 3)]), rest);
}

#[test]
fn g1a_aborted_reads_are_found() {
    let seen = [before(), during(2, 3, &[window(0, 0, &[1, 3])])];
    let mut aborted = history(&seen, BOTH_PUSHED);
    aborted.refused = vec![3];
    let error = check(&aborted).expect_err("a fault");
    assert!(error.contains("3 was refused, and is there"), "{error}");
    // Seen, and gone in the end.
    aborted.rest = vec![[vec![1], vec![], vec![]], [vec![2], vec![], vec![]]];
    let error = check(&aborted).expect_err("a fault");
    assert!(error.contains("lost"), "{error}");
    aborted.operations.pop();
    assert!(check(&aborted).is_ok());
}

#[test]
fn g1b_intermediate_reads_are_found() {
    let twice = [push(0, 3, 2), push(0, 4, 3)];
    let rest: &[[&[u64]; 3]] = &[[&[1, 3, 4], &[], &[]], [&[2], &[], &[]]];
    refused(
        &at_once(&twice, &[window(0, 0, &[1, 3])]),
        rest,
        "a circle of 2",
    );
    explained(&at_once(&twice, &[window(0, 0, &[1, 3, 4])]), rest);
    explained(&at_once(&twice, &[window(0, 0, &[1])]), rest);
}

#[test]
fn g1c_information_that_flows_in_a_circle_is_found() {
    let one = [push(0, 3, 2), window(1, 0, &[2, 4])];
    let other = [push(1, 4, 2), window(0, 0, &[1, 3])];
    refused(&at_once(&one, &other), BOTH_PUSHED, "a circle of 2");
    let other = [push(1, 4, 2), window(0, 0, &[1])];
    explained(&at_once(&one, &other), BOTH_PUSHED);
}

#[test]
fn g_single_read_skew_is_found() {
    let pushes = [push(0, 3, 2), push(1, 4, 2)];
    for skewed in [
        [window(0, 0, &[1]), window(1, 0, &[2, 4])],
        [window(0, 0, &[1, 3]), window(1, 0, &[2])],
    ] {
        refused(&at_once(&pushes, &skewed), BOTH_PUSHED, "a circle of 2");
    }
    for whole in [
        [window(0, 0, &[1]), window(1, 0, &[2])],
        [window(0, 0, &[1, 3]), window(1, 0, &[2, 4])],
    ] {
        explained(&at_once(&pushes, &whole), BOTH_PUSHED);
    }
}

#[test]
fn g_single_lost_updates_are_found() {
    // Both moved on what they had seen of the same state.
    let saw = window(0, 0, &[1]);
    let rest: &[[&[u64]; 3]] = &[[&[1, 3, 4], &[], &[]], [&[2], &[], &[]]];
    let other = [saw.clone(), push(0, 4, 3)];
    refused(&at_once(&[saw, push(0, 3, 2)], &other), rest, "torn");
    let other = [window(0, 0, &[1]), push(1, 5, 2)];
    explained(
        &at_once(&[window(1, 0, &[2, 5]), push(0, 3, 2)], &other),
        &[[&[1, 3], &[], &[]], [&[2, 5], &[], &[]]],
    );
}

#[test]
fn g2_write_skew_is_found() {
    // Each saw that the other one had not pushed yet.
    let one = [window(1, 0, &[2]), push(0, 3, 2)];
    let other = [window(0, 0, &[1]), push(1, 4, 2)];
    refused(&at_once(&one, &other), BOTH_PUSHED, "a circle of 2");
    let other = [window(0, 0, &[1, 3]), push(1, 4, 2)];
    explained(&at_once(&one, &other), BOTH_PUSHED);
}

#[test]
fn g2_among_three_is_found() {
    let rest: &[[&[u64]; 3]] = &[
        [&[1, 11], &[], &[]],
        [&[2, 12], &[], &[]],
        [&[3, 13], &[], &[]],
    ];
    let mut operations = vec![during(0, 1, &[push(0, 1, 1), push(1, 2, 1), push(2, 3, 1)])];
    for queue in 0..3 {
        let next = (queue + 1) % 3;
        let saw = window(next, 0, &[u64::from(next) + 1]);
        let act = [saw, push(queue, u64::from(queue) + 11, 2)];
        operations.push(during(2, 9, &act));
    }
    refused(&operations, rest, "a circle of 3");
    operations.pop();
    explained(&operations, rest);
}

#[test]
fn what_only_time_forbids_is_found() {
    // The same replies are right when the operations overlap.
    let stale = |began| {
        [
            before(),
            during(2, 3, &[push(0, 3, 2)]),
            during(began, 9, &[window(0, 0, &[1])]),
        ]
    };
    let rest: &[[&[u64]; 3]] = &[[&[1, 3], &[], &[]], [&[2], &[], &[]]];
    refused(&stale(4), rest, "a circle of 3");
    explained(&stale(3), rest);
    // Through a third party: seen by one who was done before another did not see it.
    let seen = |began| {
        [
            before(),
            during(2, 99, &[push(0, 3, 2)]),
            during(3, 4, &[window(0, 0, &[1, 3])]),
            during(began, 9, &[window(0, 0, &[1])]),
        ]
    };
    refused(&seen(5), rest, "circle");
    explained(&seen(3), rest);
}

#[test]
fn the_middle_of_a_transaction_is_found() {
    let operations = [
        during(0, 9, &[push(0, 1, 1), push(1, 2, 2)]),
        during(0, 9, &[window(0, 0, &[1]), push(1, 3, 1)]),
    ];
    refused(
        &operations,
        &[[&[1], &[], &[]], [&[3, 2], &[], &[]]],
        "circle",
    );
    let torn = during(0, 9, &[window(0, 0, &[1]), window(0, 0, &[1, 2])]);
    let pushes = [
        during(0, 9, &[push(0, 1, 1)]),
        during(0, 9, &[push(0, 2, 2)]),
        torn,
    ];
    refused(&pushes, &[[&[1, 2], &[], &[]]], "torn");
}

#[test]
fn lost_and_doubled_elements_are_found() {
    let pushed = during(0, 1, &[push(0, 1, 1)]);
    refused(std::slice::from_ref(&pushed), &[[&[], &[], &[]]], "lost");
    refused(std::slice::from_ref(&pushed), &[[&[1], &[1], &[]]], "twice");
    let taken = during(2, 3, &[moved(0, 0, 1)]);
    let rest: &[[&[u64]; 3]] = &[[&[], &[1], &[]]];
    refused(
        &[pushed.clone(), taken.clone(), taken.clone()],
        rest,
        "done twice",
    );
    refused(&[pushed, taken], &[[&[1], &[], &[]]], "undone");
}

#[test]
fn elements_out_of_order_are_found() {
    let operations = [during(0, 9, &[window(0, 0, &[2, 1])])];
    refused(&operations, &[[&[1, 2], &[], &[]]], "out of order");
    // A move before the push.
    let operations = [
        during(0, 1, &[moved(0, 0, 1)]),
        during(2, 3, &[push(0, 1, 0)]),
    ];
    refused(&operations, &[[&[], &[1], &[]]], "circle");
}

#[test]
fn a_change_that_nobody_was_told_of_is_no_fault() {
    let operations = [
        during(0, 1, &[push(0, 1, 1)]),
        during(4, 5, &[window(0, 1, &[1])]),
    ];
    assert!(check(&history(&operations, &[[&[], &[1], &[]]])).is_ok());
}
