//! Old command lines: what is printed has the shape of redis-benchmark's, and the tests do what theirs do.

use crate::{Ended, PROGRAM, ask, good, run_with, with_each};

/// Where redis-benchmark is, of the releases whose texts are compared; `OCHRE_REDIS_BENCHMARK` names another.
fn redis_benchmark() -> Option<String> {
    let path = std::env::var("OCHRE_REDIS_BENCHMARK");
    let path = path.unwrap_or_else(|_| "/usr/bin/redis-benchmark".to_owned());
    let version = std::process::Command::new(&path).arg("--version").output();
    let version = version.ok()?.stdout;
    if version.starts_with(b"redis-benchmark 7.0.") {
        return Some(path);
    }
    eprintln!("skipped for want of redis-benchmark 7.0");
    None
}

/// Text with every number as `#`, without what was overwritten on a terminal and without blank lines.
fn shape(text: &str) -> Vec<String> {
    let lines = text.lines().filter_map(|line| line.rsplit('\r').next());
    let lines = lines.filter(|line| !line.trim().is_empty());
    lines.map(numbers_as_one).collect()
}

fn numbers_as_one(line: &str) -> String {
    let mut out = String::new();
    let mut in_number = false;
    for c in line.trim_end().chars() {
        let is_number = c.is_ascii_digit() || (in_number && c == '.');
        match (is_number, in_number) {
            (true, false) => out.push('#'),
            (true, true) => {}
            (false, _) => out.push(c),
        }
        in_number = is_number;
    }
    // Columns are as wide as their numbers, and a run within a millisecond has no rate there.
    let words = out.split_whitespace();
    let words = words.map(|word| if word == "inf" { "#" } else { word });
    words.collect::<Vec<_>>().join(" ")
}

fn both(port: u16, theirs: &str, line: &str, input: &[u8]) -> [Ended; 2] {
    let port = port.to_string();
    let mut words = vec!["-p", &port];
    words.extend(line.split_whitespace());
    [
        run_with(theirs, &words, input),
        run_with(PROGRAM, &words, input),
    ]
}

#[test]
fn lines_of_the_short_forms_are_alike() {
    let Some(theirs) = redis_benchmark() else {
        return;
    };
    with_each(|port| {
        // So many that they take a millisecond: redis-benchmark counts in these, and says `inf` of none.
        for line in [
            "-q -n 2000",
            "--csv -n 2000 -t hset,lrange_600",
            "-q -n 3200 -P 16 -r 10 -t set,ping,LRANGE_300",
            "-q -n 2000 --threads 2 -c 5 -3 -t mset",
            "--csv -n 2000 -d 10 --precision 4 lpush list __rand_int__",
            "-q -n 2000 -r 20 --dbnum 2 --enable-tracking -3 get key:__rand_int__",
        ] {
            let [theirs, ours] = both(port, &theirs, line, b"");
            assert_eq!(shape(&ours.out), shape(&theirs.out), "{line}");
            assert_eq!((ours.code, theirs.code), (Some(0), Some(0)), "{line}");
        }
    });
}

#[test]
fn the_report_has_the_same_parts() {
    let Some(theirs) = redis_benchmark() else {
        return;
    };
    with_each(|port| {
        for line in ["-n 100 -t set", "-n 100 -c 3 --threads 2 -d 100 -k 1 ping"] {
            let [theirs, ours] = both(port, &theirs, line, b"");
            let (theirs, ours) = (shape(&theirs.out), shape(&ours.out));
            let part = |lines: &[String], from: &str, to: &str| -> Vec<String> {
                let from = lines.iter().position(|l| l == from).expect("a beginning");
                let length = lines[from..].iter().position(|l| l == to);
                lines[from..from + length.expect("an end")].to_vec()
            };
            let title = theirs[0].clone();
            for (from, to) in [
                (&*title, "Latency by percentile distribution:"),
                ("Summary:", "# # # # # #"),
            ] {
                assert_eq!(part(&ours, from, to), part(&theirs, from, to), "{line}");
            }
            let step = "#% <= # milliseconds (cumulative count #)";
            assert!(ours.iter().filter(|l| *l == step).count() > 4, "{ours:?}");
        }
    });
}

#[test]
fn errors_end_a_run_with_the_same_words() {
    let Some(theirs) = redis_benchmark() else {
        return;
    };
    with_each(|port| {
        ask(port, &["set", "text", "x"]);
        for line in [
            "-q -n 100 incr text",
            "-q -n 100 nosuchcommand a",
            "-q -n 100 --dbnum 9999 get a",
        ] {
            let [theirs, ours] = both(port, &theirs, line, b"");
            assert_eq!((ours.code, theirs.code), (Some(1), Some(1)), "{line}");
            assert_eq!(shape(&ours.err), shape(&theirs.err), "{line}");
        }
    });
}

/// What a server holds after the same loads is the same.
#[test]
fn tests_leave_the_same_data() {
    let Some(theirs) = redis_benchmark() else {
        return;
    };
    with_each(|port| {
        let mut seen = Vec::new();
        for program in [&*theirs, PROGRAM] {
            ask(port, &["flushall"]);
            let port_text = port.to_string();
            for line in [
                "-q -n 50 -d 7 -t set,incr,lpush,sadd,hset,zadd,mset",
                "-q -n 20 rpush own __rand_int__",
            ] {
                let mut words = vec!["-p", &port_text];
                words.extend(line.split_whitespace());
                assert_eq!(run_with(program, &words, b"").code, Some(0), "{line}");
            }
            let words = ["-p", &port_text, "-n", "1", "-q", "-x", "set", "input"];
            assert_eq!(run_with(program, &words, b"from\r\noutside").code, Some(0));
            let questions: &[&[&str]] = &[
                &["dbsize"],
                &["strlen", "key:__rand_int__"],
                &["get", "counter:__rand_int__"],
                &["llen", "mylist"],
                &["smembers", "myset"],
                &["hkeys", "myhash"],
                &["zrange", "myzset", "0", "-1", "withscores"],
                &["lrange", "own", "0", "-1"],
                &["get", "input"],
            ];
            let answers: Vec<String> = questions.iter().map(|q| ask(port, q)).collect();
            seen.push(answers);
        }
        assert_eq!(seen[1], seen[0]);
    });
}

#[test]
fn keys_come_from_the_whole_keyspace() {
    with_each(|port| {
        for distribution in ["uniform", "zipf:0.5", "sequential"] {
            ask(port, &["flushall"]);
            let line = format!("-q -n 3000 -P 4 -r 100 -t set --distribution {distribution}");
            good(port, &line);
            assert_eq!(ask(port, &["dbsize"]), ":100\r\n", "{distribution}");
            for key in ["key:000000000000", "key:000000000099"] {
                assert_eq!(
                    ask(port, &["exists", key]),
                    ":1\r\n",
                    "{distribution} {key}"
                );
            }
        }
    });
}
