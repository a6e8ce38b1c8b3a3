//! Where threads meet, in orders of events that a scheduler chooses: a deadlock or a wake-up that is lost is found as a
//! schedule in which nobody can go on.
//!
//! `cargo test -p ochre-engine --features shuttle --test schedules`; `OCHRE_SCHEDULES` is the number of schedules of
//! each scenario and scheduler. A failure prints the schedule, which shuttle can replay.

use ochre_engine::exec::{Endpoint, Engine, Flow, Held, Out, Session, Waited};
use ochre_engine::keyspace::stripe_of;
use ochre_engine::ports::Waker;
use ochre_resp::{Frame, FrameDecoder, FrameLimits, Protocol, RequestBuf, split_args};
use ochre_testkit::InProcess;
use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::sync::{Condvar, Mutex};
use shuttle::thread;
use std::sync::Arc;

/// Schedules of each scenario and scheduler, without a wish.
const SCHEDULES: usize = 300;
/// Changes of priority in a schedule of the PCT scheduler: bugs of up to this depth are likely found.
const DEPTH: usize = 3;
/// Bytes of a scheduled thread's stack.
const STACK: usize = 1 << 20;

fn explore(scenario: impl Fn() + Send + Sync + Clone + 'static) {
    let schedules = std::env::var("OCHRE_SCHEDULES");
    let schedules = schedules.map_or(SCHEDULES, |n| n.parse().expect("a number"));
    let mut config = shuttle::Config::new();
    config.stack_size = STACK;
    shuttle::Runner::new(RandomScheduler::new(schedules), config.clone()).run(scenario.clone());
    shuttle::Runner::new(PctScheduler::new(DEPTH, schedules), config).run(scenario);
}

/// Wakes a scheduled thread, and takes replies for it while it waits.
#[derive(Default)]
struct Alarm {
    woken: Mutex<bool>,
    changed: Condvar,
    /// What was sent to who waits, and how much more there is room for.
    lent: Mutex<Option<(Vec<u8>, usize)>>,
}

impl Waker for Alarm {
    fn wake(&self) {
        *self.woken.lock().expect("no panic") = true;
        self.changed.notify_one();
    }

    fn send(&self, reply: &[u8]) -> usize {
        let mut lent = self.lent.lock().expect("no panic");
        let Some((sent, room)) = &mut *lent else {
            return 0;
        };
        let taken = reply.len().min(*room);
        sent.extend_from_slice(&reply[..taken]);
        *room -= taken;
        if taken == reply.len() {
            // The peer has its reply, and its next request wakes the task.
            self.wake();
        }
        taken
    }
}

struct Client {
    engine: Arc<Engine>,
    session: Session,
    out: Out,
    /// What others have sent it.
    received: Vec<u8>,
    alarm: Arc<Alarm>,
}

fn text(frame: &Frame) -> String {
    match frame {
        Frame::Integer(n) => n.to_string(),
        Frame::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(" "),
        frame => {
            let bytes = frame.as_bytes().unwrap_or(b"nil");
            String::from_utf8_lossy(bytes).into_owned()
        }
    }
}

impl Client {
    fn new(engine: &Arc<Engine>) -> Client {
        let endpoint = Endpoint {
            addr: "127.0.0.1:50000".into(),
            laddr: "127.0.0.1:6379".into(),
            fd: 8,
            unix: false,
        };
        let alarm = Arc::new(Alarm::default());
        let session = engine.connect(endpoint, Some(alarm.clone()));
        Client {
            engine: engine.clone(),
            session: session.expect("room for a client"),
            out: Out::new(Protocol::Resp2),
            received: Vec::new(),
            alarm,
        }
    }

    fn reply(&mut self) -> String {
        let mut bytes = std::mem::take(&mut self.received);
        bytes.extend(self.out.segments().flatten());
        self.out.clear();
        if bytes.is_empty() {
            return String::new();
        }
        let progress = FrameDecoder::new(FrameLimits::default()).decode(&bytes);
        text(&progress.expect("a reply").frame.expect("a whole reply"))
    }

    /// Runs a request; what waits has no reply yet.
    fn begin(&mut self, line: &str) -> String {
        let request = RequestBuf::new(split_args(line.as_bytes()).expect("matching quotes"));
        let ahead = self.engine.look_ahead(request.as_request());
        loop {
            self.engine.begin_batch(&mut self.session);
            let engine = self.engine.clone();
            let flow = engine.execute_ahead(
                &mut self.session,
                request.as_request(),
                &ahead,
                &mut self.out,
                &mut Held::default(),
            );
            self.engine.end_batch(&mut self.session);
            if flow != Flow::PutOff {
                return self.reply();
            }
            thread::yield_now();
        }
    }

    /// Waits for the reply of a request that waits.
    fn finish(&mut self) -> String {
        loop {
            match self.engine.poll_wait(&mut self.session, &mut self.out) {
                Waited::Over(sent) => {
                    assert_eq!(self.received.len() as u64, sent);
                    return self.reply();
                }
                Waited::Soon => thread::yield_now(),
                Waited::Until(_) => self.sleep(),
            }
        }
    }

    /// Sleeps until woken. Others may send the reply meanwhile, to every second client only the front of it.
    fn sleep(&mut self) {
        let room = [5, usize::MAX][(self.session.client.id % 2) as usize];
        *self.alarm.lent.lock().expect("no panic") = Some((Vec::new(), room));
        let mut woken = self.alarm.woken.lock().expect("no panic");
        while !*woken {
            woken = self.alarm.changed.wait(woken).expect("no panic");
        }
        *woken = false;
        drop(woken);
        let lent = self.alarm.lent.lock().expect("no panic").take();
        self.received = lent.map_or_else(Vec::new, |(sent, _)| sent);
    }

    /// Runs a request to its reply.
    fn run(&mut self, line: &str) -> String {
        let reply = self.begin(line);
        match self.session.blocked {
            None => reply,
            Some(_) => self.finish(),
        }
    }

    /// Nobody waits for a key or watches one, as far as anybody knows.
    fn nobody_is_left(&mut self) {
        let info = self.run("INFO clients");
        for field in [
            "blocked_clients:0",
            "total_blocking_keys:0",
            "total_watched_keys:0",
        ] {
            let found = info.lines().any(|line| line.trim_end() == field);
            assert!(found, "no {field}: {info}");
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.engine.disconnect(&mut self.session);
    }
}

/// Keys in stripes of their own.
fn apart<const N: usize>(engine: &Engine) -> [String; N] {
    let stripe = |key: &str| stripe_of(engine.keyspace.hasher().hash(key.as_bytes()));
    let mut keys: Vec<String> = Vec::new();
    for key in (0..).map(|n| format!("k{n}")) {
        if keys.iter().all(|k| stripe(k) != stripe(&key)) {
            keys.push(key);
        }
        if keys.len() == N {
            break;
        }
    }
    keys.try_into().expect("as many as were asked for")
}

/// Runs lines on a connection and a thread of their own; their replies.
fn spawn(engine: &Arc<Engine>, lines: Vec<String>) -> thread::JoinHandle<Vec<String>> {
    let mut client = Client::new(engine);
    thread::spawn(move || lines.iter().map(|line| client.run(line)).collect())
}

fn lines<const N: usize>(lines: [String; N]) -> Vec<String> {
    lines.into()
}

#[test]
fn plans_and_a_cut() {
    explore(|| {
        let server = InProcess::default();
        let engine = &server.engine;
        let [a, b, c] = apart(engine);
        let threads = [
            spawn(
                engine,
                lines([format!("MSET {a} 1 {b} 1"), format!("MGET {c} {b} {a}")]),
            ),
            spawn(engine, lines([format!("MSET {b} 2 {c} 2 {a} 2")])),
            spawn(
                engine,
                lines(["FLUSHALL".into(), format!("MSET {c} 3 {a} 3 {b} 3")]),
            ),
            spawn(engine, lines(["SWAPDB 0 1".into(), "SWAPDB 1 0".into()])),
        ];
        for thread in threads {
            thread.join().expect("no panic");
        }
        let mut client = Client::new(engine);
        let seen = client.run(&format!("MGET {a} {b}"));
        assert!(["nil nil", "1 1", "2 2", "3 3"].contains(&&*seen), "{seen}");
    });
}

#[test]
fn transactions_and_plans_see_each_other_whole() {
    explore(|| {
        let server = InProcess::default();
        let engine = &server.engine;
        let [a, b] = apart(engine);
        let unit = |first: &str, second: &str| {
            lines([
                "MULTI".into(),
                format!("INCR {first}"),
                format!("INCR {second}"),
                "EXEC".into(),
            ])
        };
        let whole = lines([
            "MULTI".into(),
            format!("INCR {a}"),
            "DBSIZE".into(),
            format!("INCR {b}"),
            "EXEC".into(),
        ]);
        let threads = [
            spawn(engine, unit(&a, &b)),
            spawn(engine, unit(&b, &a)),
            spawn(engine, whole),
        ];
        let looks = spawn(engine, vec![format!("MGET {b} {a}"); 3]);
        for seen in looks.join().expect("no panic") {
            let (first, second) = seen.split_once(' ').expect("two");
            assert_eq!(first, second);
        }
        for thread in threads {
            thread.join().expect("no panic");
        }
        assert_eq!(Client::new(engine).run(&format!("MGET {a} {b}")), "3 3");
    });
}

#[test]
fn pops_that_wait_for_several_keys_get_what_is_pushed() {
    explore(|| {
        let server = InProcess::default();
        let engine = &server.engine;
        let [a, b] = apart(engine);
        let waiters = [
            spawn(engine, lines([format!("BLPOP {a} {b} 0")])),
            spawn(engine, lines([format!("BRPOP {b} {a} 0")])),
            spawn(engine, lines([format!("BLMPOP 0 2 {b} {a} LEFT")])),
        ];
        let pushers = [
            spawn(engine, lines([format!("RPUSH {a} 1")])),
            spawn(
                engine,
                lines([format!("RPUSH {b} 2"), format!("RPUSH {a} 3")]),
            ),
        ];
        let served = waiters.map(|w| w.join().expect("no panic").concat());
        for pusher in pushers {
            pusher.join().expect("no panic");
        }
        let mut elements: Vec<_> = served
            .iter()
            .filter_map(|s| s.chars().next_back())
            .collect();
        elements.sort_unstable();
        assert_eq!(elements, ['1', '2', '3'], "{served:?}");
        let mut client = Client::new(engine);
        assert_eq!(client.run(&format!("EXISTS {a} {b}")), "0");
        client.nobody_is_left();
    });
}

#[test]
fn a_wait_ends_once_however_it_ends() {
    explore(|| {
        let server = InProcess::default();
        let engine = &server.engine;
        let [a, b] = apart(engine);
        let mut waiter = Client::new(engine);
        let (id, alarm) = (waiter.session.client.id, waiter.alarm.clone());
        let line = format!("BLPOP {a} {b} 0.1");
        let waits = thread::spawn(move || {
            let served = waiter.run(&line);
            // The next reply is its own.
            assert_eq!(waiter.run("PING"), "PONG");
            served
        });
        let clock = server.clock.clone();
        let time = thread::spawn(move || {
            clock.advance(200);
            alarm.wake();
        });
        let others = [
            spawn(engine, lines([format!("RPUSH {a} x")])),
            spawn(
                engine,
                lines([format!("CLIENT UNBLOCK {id} ERROR"), format!("RPUSH {b} y")]),
            ),
        ];
        for other in others {
            other.join().expect("no panic");
        }
        time.join().expect("no panic");
        // Time stands still when it began after the clock had moved; then this is what ends it.
        let mut client = Client::new(engine);
        client.run(&format!("CLIENT UNBLOCK {id}"));
        let served = waits.join().expect("no panic");
        let left = client.run(&format!("EXISTS {a} {b}"));
        let taken = served.ends_with(" x") || served.ends_with(" y");
        assert_eq!(left, if taken { "1" } else { "2" }, "{served}");
        client.nobody_is_left();
    });
}

#[test]
fn moves_to_a_contended_list_lose_nothing() {
    explore(|| {
        let server = InProcess::default();
        let engine = &server.engine;
        let [a, b, c] = apart(engine);
        let waiters = [
            spawn(engine, lines([format!("BLMOVE {a} {b} LEFT RIGHT 0")])),
            spawn(engine, lines([format!("BLMOVE {b} {c} LEFT RIGHT 0")])),
            spawn(engine, lines([format!("BLPOP {a} 0")])),
        ];
        let others = [
            spawn(engine, lines([format!("RPUSH {a} 1 2")])),
            spawn(
                engine,
                lines([
                    format!("LPOS {b} x"),
                    format!("SET other{b} x"),
                    format!("LLEN {c}"),
                ]),
            ),
        ];
        let served = waiters.map(|w| w.join().expect("no panic").concat());
        for other in others {
            other.join().expect("no panic");
        }
        assert_eq!(served[0], served[1]);
        assert_ne!(served[2].chars().next_back(), served[0].chars().next_back());
        let mut client = Client::new(engine);
        assert_eq!(client.run(&format!("LRANGE {c} 0 -1")), served[0]);
        assert_eq!(client.run(&format!("EXISTS {a} {b}")), "0");
        client.nobody_is_left();
    });
}

#[test]
fn those_behind_a_move_that_is_given_up_are_served() {
    explore(|| {
        let server = InProcess::default();
        let engine = &server.engine;
        let [a, b] = apart(engine);
        let mut first = Client::new(engine);
        let mut second = Client::new(engine);
        let id = first.session.client.id;
        first.begin(&format!("BLMOVE {a} {b} LEFT RIGHT 0"));
        second.begin(&format!("BLPOP {a} 0"));
        let gives_up = thread::spawn(move || drop(first));
        let waits = thread::spawn(move || second.finish());
        let others = [
            // Once, so that nothing but the end of the move's wait serves those behind it.
            spawn(engine, lines([format!("RPUSH {a} 1 2")])),
            spawn(engine, vec![format!("LLEN {b}"); 4]),
            spawn(engine, lines([format!("CLIENT UNBLOCK {id}")])),
        ];
        let served = waits.join().expect("no panic");
        assert!(served.starts_with(&a), "{served}");
        gives_up.join().expect("no panic");
        for other in others {
            other.join().expect("no panic");
        }
        let left = Client::new(engine).run(&format!("LRANGE {a} 0 -1"));
        let moved = Client::new(engine).run(&format!("LRANGE {b} 0 -1"));
        assert_eq!(left.len() + moved.len(), 1, "{left} {moved}");
        Client::new(engine).nobody_is_left();
    });
}

#[test]
fn who_came_first_is_served_first() {
    explore(|| {
        let server = InProcess::default();
        let engine = &server.engine;
        let [queue, log] = apart(engine);
        let waiters = [(); 3].map(|()| {
            let mut waiter = Client::new(engine);
            waiter.begin(&format!("BLMOVE {queue} {log} LEFT RIGHT 0"));
            thread::spawn(move || waiter.finish())
        });
        let others = [
            spawn(engine, lines([format!("RPUSH {queue} 1 2")])),
            spawn(engine, lines([format!("RPUSH {queue} 3")])),
            spawn(engine, lines([format!("LLEN {log}")])),
        ];
        let served = waiters.map(|w| w.join().expect("no panic"));
        for other in others {
            other.join().expect("no panic");
        }
        let mut client = Client::new(engine);
        assert_eq!(client.run(&format!("LRANGE {log} 0 -1")), served.join(" "));
        client.nobody_is_left();
    });
}

#[test]
fn who_leaves_or_is_pushed_to_leaves_nothing_behind() {
    explore(|| {
        let server = InProcess::default();
        let engine = &server.engine;
        let [a, b] = apart(engine);
        let mut leaves = Client::new(engine);
        let mut stays = Client::new(engine);
        leaves.begin(&format!("BLPOP {a} {b} 0"));
        stays.begin(&format!("BLPOP {b} {a} 0"));
        let gone = thread::spawn(move || drop(leaves));
        let pushes = spawn(
            engine,
            lines([format!("RPUSH {a} 1"), format!("RPUSH {b} 2")]),
        );
        let served = thread::spawn(move || stays.finish());
        gone.join().expect("no panic");
        pushes.join().expect("no panic");
        assert!(!served.join().expect("no panic").is_empty());
        let mut client = Client::new(engine);
        // The other element stays, or went to who left after it was served.
        assert_ne!(client.run(&format!("EXISTS {a} {b}")), "2");
        client.nobody_is_left();
    });
}

#[test]
fn of_two_transactions_that_watch_what_the_other_changes_one_succeeds() {
    explore(|| {
        let server = InProcess::default();
        let engine = &server.engine;
        let [a, b] = apart(engine);
        let unless = |watched: &str, changed: &str| {
            lines([
                format!("WATCH {watched}"),
                format!("GET {watched}"),
                "MULTI".into(),
                format!("SET {changed} 1"),
                "EXEC".into(),
            ])
        };
        let threads = [spawn(engine, unless(&a, &b)), spawn(engine, unless(&b, &a))];
        let both = threads.map(|t| t.join().expect("no panic"));
        let done = both
            .iter()
            .filter(|r| r[1] == "nil" && r[4] == "OK")
            .count();
        assert!(done < 2, "write skew");
        Client::new(engine).nobody_is_left();
    });
}

#[test]
fn a_count_under_watch_misses_no_change() {
    explore(|| {
        let server = InProcess::default();
        let engine = &server.engine;
        Client::new(engine).run("SET n 0");
        let mut client = Client::new(engine);
        let counts = thread::spawn(move || {
            client.run("WATCH n");
            let n: u32 = client.run("GET n").parse().expect("a number");
            client.run("MULTI");
            client.run(&format!("SET n {}", n + 1));
            u32::from(client.run("EXEC") == "OK")
        });
        let writer = spawn(engine, lines(["INCR n".into(), "INCR n".into()]));
        let counted = counts.join().expect("no panic");
        writer.join().expect("no panic");
        let n = Client::new(engine).run("GET n");
        assert_eq!(n, (2 + counted).to_string());
    });
}
