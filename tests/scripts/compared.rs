//! The corpus: every script runs on Ochre and on Redis 7.0, in both protocols, and all replies and the data are compared.
//!
//! `replies.txt` has a script a line, `functions.txt` a request a line, and the `.lua` files have real scripts, each with
//! the requests (`--=`) and calls (`-->`) that follow it. A line `%% as in 8.2` says that what follows is answered as
//! Redis 8.2 does, where 7.0 differs: it is compared with that one if it is there.

use crate::peers::Server;
use ochre_testkit::reference::{Reference, Release, Wire};

/// A script of which 7.0 and 8.2 know nothing else to say stands behind this line.
const NEWER: &str = "%% as in 8.2";

const SCRIPTS: &[(&str, &str)] = &[
    ("rate_limiters", include_str!("corpus/rate_limiters.lua")),
    ("locks", include_str!("corpus/locks.lua")),
    ("queues", include_str!("corpus/queues.lua")),
    ("boards", include_str!("corpus/boards.lua")),
    ("stores", include_str!("corpus/stores.lua")),
];

/// A connection to each side.
struct Both {
    ours: Wire,
    theirs: Wire,
    compared: usize,
    differences: Vec<String>,
}

impl Both {
    fn connect(server: &Server, reference: &Reference, protocol: &str) -> Both {
        let mut both = Both {
            ours: Wire::connect(&server.address()).expect("a connection"),
            theirs: reference.connect().expect("a connection"),
            compared: 0,
            differences: Vec::new(),
        };
        for setup in [
            &["HELLO", protocol][..],
            &["FLUSHALL"],
            &["SCRIPT", "FLUSH"],
            &["FUNCTION", "FLUSH"],
        ] {
            both.send(setup);
        }
        both
    }

    fn send<A: AsRef<[u8]>>(&mut self, words: &[A]) -> (Vec<u8>, Vec<u8>) {
        let ours = self.ours.call(words).expect("a reply of ours");
        let theirs = self.theirs.call(words).expect("a reply of theirs");
        (ours, theirs)
    }

    fn compare<A: AsRef<[u8]>>(&mut self, what: &str, words: &[A]) {
        let (ours, theirs) = self.send(words);
        self.compared += 1;
        if ours != theirs {
            self.differences.push(format!(
                "{what}\n  ours:   {}\n  theirs: {}",
                ours.escape_ascii(),
                theirs.escape_ascii()
            ));
        }
    }

    fn finish(self, name: &str, at_least: usize) {
        eprintln!("{name}: {} replies compared", self.compared);
        assert!(
            self.differences.is_empty(),
            "{name}: {} differences\n{}",
            self.differences.len(),
            self.differences.join("\n")
        );
        assert!(self.compared >= at_least, "{name} compared too little");
    }
}

fn words(line: &str) -> Vec<Vec<u8>> {
    ochre_resp::split_args(line.as_bytes()).unwrap_or_else(|_| panic!("quotes in {line}"))
}

/// Runs `test` against each release that is there, in both protocols; `newer`: only what is as in 8.2, or all else.
fn against(test: impl Fn(&mut Both, &dyn Fn(bool) -> bool), name: &str, at_least: [usize; 2]) {
    let server = Server::start(&["--lua-time-limit", "0"]);
    for (release, at_least) in [Release::V70, Release::V82].into_iter().zip(at_least) {
        let Some(reference) = Reference::start(release, &[]).expect("a reference server") else {
            eprintln!("skipped: no redis-server for {release:?}");
            continue;
        };
        for protocol in ["2", "3"] {
            let mut both = Both::connect(&server, &reference, protocol);
            // What 7.0 answers as we do, 8.2 may not, and the other way round.
            test(&mut both, &|newer| newer == (release == Release::V82));
            both.finish(&format!("{name}, {release:?}, RESP{protocol}"), at_least);
        }
    }
}

#[test]
fn every_conversion_and_every_error_is_the_same() {
    against(
        |both, wanted| {
            let mut newer = false;
            for line in include_str!("corpus/replies.txt").lines() {
                if line == NEWER {
                    newer = true;
                } else if !line.is_empty()
                    && (!line.starts_with('#') || line.starts_with("#!"))
                    && wanted(newer)
                {
                    let words = ["EVAL", line, "2", "k1", "k2", "a1", "a2", "3"];
                    both.compare(line, &words);
                }
            }
        },
        "replies",
        [750, 20],
    );
}

#[test]
fn functions_and_the_cache_of_scripts_are_the_same() {
    against(
        |both, wanted| {
            if !wanted(false) {
                return;
            }
            for line in include_str!("corpus/functions.txt").lines() {
                if !line.is_empty() && !line.starts_with('#') {
                    both.compare(line, &words(line));
                }
            }
        },
        "functions",
        [241, 0],
    );
}

#[test]
fn real_scripts_do_the_same() {
    against(
        |both, wanted| {
            if !wanted(false) {
                return;
            }
            for (file, text) in SCRIPTS {
                for block in text.split("--## ").skip(1) {
                    run_block(both, file, block);
                }
            }
        },
        "scripts",
        [290, 0],
    );
}

/// Runs one script of the corpus and what is asked of it.
fn run_block(both: &mut Both, file: &str, block: &str) {
    let (name, rest) = block.split_once('\n').expect("a name");
    let is_step = |line: &&str| line.starts_with("--> ") || line.starts_with("--= ");
    let script: String = rest
        .lines()
        .filter(|line| !is_step(line))
        .flat_map(|line| [line, "\n"])
        .collect();
    both.send(&["FLUSHALL"]);
    let (sha, _) = both.send(&["SCRIPT", "LOAD", &script]);
    let sha = String::from_utf8_lossy(&sha);
    let sha = sha
        .lines()
        .nth(1)
        .unwrap_or_else(|| panic!("{name}: {sha}"));
    for line in rest.lines().filter(is_step) {
        let what = format!("{file}, {name}: {line}");
        let mut request = words(&line[4..]);
        if line.starts_with("--> ") {
            request.splice(0..0, [b"EVALSHA".to_vec(), sha.as_bytes().to_vec()]);
        }
        both.compare(&what, &request);
    }
    both.compare(&format!("{file}, {name}: the data"), &["DEBUG", "DIGEST"]);
}

/// What one side dumps, the other one restores.
#[test]
fn libraries_travel_to_redis_and_back() {
    let server = Server::start(&[]);
    let Some(reference) = Reference::start(Release::V70, &[]).expect("a reference server") else {
        eprintln!("skipped: no redis-server");
        return;
    };
    let long = format!(
        "#!lua name=long\n-- {}\nredis.register_function{{function_name='long', callback=function(k, a) return #a end, flags={{'no-writes'}}, description='counts'}}",
        "x".repeat(70_000)
    );
    let short = "#!lua name=short\nredis.register_function('short', function() return 'short' end)";
    for forward in [true, false] {
        let mut both = Both::connect(&server, &reference, "2");
        let (from, to) = if forward {
            (&mut both.ours, &mut both.theirs)
        } else {
            (&mut both.theirs, &mut both.ours)
        };
        for text in [&long, short] {
            from.call(&["FUNCTION", "LOAD", text]).expect("a reply");
        }
        let dump = from.call(&["FUNCTION", "DUMP"]).expect("a reply");
        let start = dump.iter().position(|b| *b == b'\n').expect("a length") + 1;
        let payload = &dump[start..dump.len() - 2];
        let restore = [b"FUNCTION".as_slice(), b"RESTORE", payload];
        assert_eq!(to.call(&restore).expect("a reply"), b"+OK\r\n");
        for request in [
            &["FCALL", "short", "0"][..],
            &["FCALL_RO", "long", "0", "a", "b"],
            &["FUNCTION", "LIST", "LIBRARYNAME", "long", "WITHCODE"],
            &["FUNCTION", "LIST", "LIBRARYNAME", "short", "WITHCODE"],
        ] {
            both.compare(&request.join(" "), request);
        }
        // The same payload once more, and one bit of it changed.
        let mut broken = payload.to_vec();
        broken[9] ^= 1;
        for payload in [payload, &broken, &payload[..payload.len() - 1], b""] {
            // Which of the two libraries is in the way of APPEND is a matter of order.
            for policy in ["REPLACE", "FLUSH"] {
                let request = [
                    b"FUNCTION".as_slice(),
                    b"RESTORE",
                    payload,
                    policy.as_bytes(),
                ];
                both.compare(policy, &request);
            }
        }
        both.finish(if forward { "there" } else { "back" }, 12);
    }
}
