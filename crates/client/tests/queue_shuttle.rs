//! The queue between callers and manager under schedulers that try many interleavings.
//!
//! `OCHRE_SCHEDULES` is the number of schedules of each scenario and scheduler.

#[path = "../src/queue.rs"]
#[allow(dead_code, reason = "the model uses a part of it")]
mod queue;

mod sync {
    pub(crate) use shuttle::sync::{Mutex, MutexGuard};
}

use queue::{Answer, Batch, Limits, Queue, Shape, Wire};
use shuttle::future::{block_on, spawn};
use shuttle::scheduler::{PctScheduler, RandomScheduler};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

type Model = Queue<u8, &'static str>;

/// Schedules of each scenario and scheduler, without a wish.
const SCHEDULES: usize = 4000;
/// Changes of priority in a schedule of the PCT scheduler: bugs of up to this depth are likely found.
const DEPTH: usize = 3;
const CALLERS: u8 = 4;
const SHAPE: Shape = Shape {
    replies: 1,
    patient: false,
};

fn explore(scenario: impl Fn() + Send + Sync + Clone + 'static) {
    let schedules = std::env::var("OCHRE_SCHEDULES");
    let schedules = schedules.map_or(SCHEDULES, |n| n.parse().expect("a number"));
    let config = shuttle::Config::new();
    shuttle::Runner::new(RandomScheduler::new(schedules), config.clone()).run(scenario.clone());
    shuttle::Runner::new(PctScheduler::new(DEPTH, schedules), config).run(scenario);
}

fn model(requests: usize) -> Arc<Model> {
    let limits = Limits { requests, bytes: 3 };
    Arc::new(Queue::new(limits, || 0))
}

/// Submits `byte` and waits for its answer.
async fn call(queue: &Model, byte: u8) -> Result<u8, &'static str> {
    let mut turn = None;
    let bytes = [byte];
    let ticket = poll_fn(|cx| queue.poll_submit(cx, Wire::Copy(&bytes), SHAPE, &mut turn)).await?;
    match poll_fn(|cx| queue.poll_collect(cx, &ticket)).await? {
        Answer::One(reply) => Ok(reply),
        Answer::Many(_) => panic!("one reply was asked for"),
    }
}

/// Submits `byte` and gives up, at whatever point it then is.
async fn give_up(queue: &Model, byte: u8) {
    let (mut turn, mut ticket) = (None, None);
    let bytes = [byte];
    poll_fn(|cx| {
        if let Poll::Ready(Ok(got)) = queue.poll_submit(cx, Wire::Copy(&bytes), SHAPE, &mut turn) {
            ticket = Some(got);
        }
        Poll::Ready(())
    })
    .await;
    shuttle::future::yield_now().await;
    match ticket {
        Some(ticket) => queue.abandon(&ticket),
        None => queue.leave(turn),
    }
}

/// Takes requests and answers each with its own byte, until the queue is closed. `fails` connections are lost first,
/// each in the middle of a batch.
async fn manage(queue: &Model, mut fails: usize) {
    let mut sent: VecDeque<u8> = VecDeque::new();
    loop {
        poll_fn(|cx| {
            // Registers, and is called when there is something to take or to end.
            let ready = queue.poll_outgoing(cx) || queue.is_closed();
            if ready {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
        if queue.is_closed() {
            return;
        }
        let mut batch = Batch::default();
        queue.take(&mut batch);
        sent.extend(batch.chunks.into_iter().flatten());
        shuttle::future::yield_now().await;
        if fails > 0 && sent.len() > 1 {
            fails -= 1;
            let unwritten = sent.len() - 1;
            queue.fail_taken(unwritten, &"maybe", &"no");
            sent.clear();
            continue;
        }
        let mut replies: Vec<u8> = sent.drain(..).collect();
        // A close meanwhile has ended the requests of those that had given up.
        assert!(
            queue.answer(&mut replies, &mut Vec::new()) || queue.is_closed(),
            "an answer too many"
        );
    }
}

/// Runs callers beside a manager; some give up.
fn scenario(room: usize, fails: usize, quitters: u8) {
    let queue = model(room);
    let manager = {
        let queue = queue.clone();
        spawn(async move { manage(&queue, fails).await })
    };
    let quitters: Vec<_> = (0..quitters)
        .map(|i| {
            let queue = queue.clone();
            spawn(async move { give_up(&queue, 100 + i).await })
        })
        .collect();
    let callers: Vec<_> = (0..CALLERS)
        .map(|byte| {
            let queue = queue.clone();
            spawn(async move {
                match call(&queue, byte).await {
                    Ok(reply) => assert_eq!(reply, byte, "a reply of another"),
                    Err(error) => assert!(fails > 0 && matches!(error, "maybe" | "no"), "{error}"),
                }
            })
        })
        .collect();
    block_on(async {
        for task in quitters.into_iter().chain(callers) {
            task.await.expect("a caller that ends");
        }
        // A request after all others: nothing of theirs is left in its way.
        if fails == 0 {
            assert_eq!(call(&queue, 50).await, Ok(50));
        }
        queue.close(&"maybe", &"no");
        manager.await.expect("a manager that ends");
    });
}

#[test]
fn everybody_gets_an_answer_and_it_is_their_own() {
    explore(|| scenario(8, 0, 0));
}

#[test]
fn a_full_queue_lets_everybody_in_at_last() {
    explore(|| scenario(1, 0, 2));
    explore(|| scenario(2, 0, 3));
}

#[test]
fn lost_connections_end_what_was_taken_and_nothing_else() {
    explore(|| scenario(3, 2, 2));
}

#[test]
fn a_close_ends_every_wait() {
    explore(|| {
        let queue = model(1);
        let callers: Vec<_> = (0..CALLERS)
            .map(|byte| {
                let queue = queue.clone();
                spawn(async move { assert_eq!(call(&queue, byte).await, Err("no")) })
            })
            .collect();
        let closer = queue.clone();
        let closing = spawn(async move { closer.close(&"maybe", &"no") });
        block_on(async {
            for task in callers {
                task.await.expect("a caller that ends");
            }
            closing.await.expect("it ends");
        });
    });
}
