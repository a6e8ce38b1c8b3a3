use super::*;
use std::ffi::OsString;

fn parse(line: &str) -> Result<Options, Stop> {
    Options::parse(line.split_whitespace().map(OsString::from))
}

fn good(line: &str) -> Options {
    parse(line).unwrap_or_else(|stop| panic!("{line}: {stop:?}"))
}

fn tcp(host: &str, port: u16) -> Place {
    Place::Tcp {
        host: host.to_owned(),
        port,
    }
}

#[test]
fn the_defaults_are_those_of_redis_benchmark() {
    let options = good("");
    assert_eq!(options.place, tcp("127.0.0.1", 6379));
    assert_eq!((options.clients, options.requests), (50, Some(100_000)));
    assert_eq!(options.sizes, Sizes { least: 3, most: 3 });
    assert!(options.keep_alive && options.pipeline == 1 && options.keyspace.is_none());
}

#[test]
fn old_command_lines_are_understood() {
    let options = good(
        "-h example -p 7000 -a pw --user bob -c 20 -n 1000000 -d 64 --dbnum 3 -3 --threads 4 \
         --enable-tracking -k 0 -r 1000 -P 16 -q --precision 4 -t SET,get",
    );
    assert_eq!(options.place, tcp("example", 7000));
    assert_eq!(
        options.login,
        Login {
            user: Some("bob".to_owned()),
            password: Some("pw".to_owned()),
            database: 3,
            resp3: true,
            tracking: true,
        }
    );
    assert_eq!((options.clients, options.threads), (20, Some(4)));
    assert_eq!((options.requests, options.pipeline), (Some(1_000_000), 16));
    assert_eq!((options.keyspace, options.keep_alive), (Some(1000), false));
    assert_eq!((options.format, options.decimals), (Format::Quiet, 4));
    assert_eq!(
        options.tests,
        Some(vec!["set".to_owned(), "get".to_owned()])
    );
    assert_eq!(good("-p 7000 -h example").place, tcp("example", 7000));
    assert_eq!(good("-s /tmp/x -p 1").place, Place::Unix("/tmp/x".into()));
    assert!(good("-l").is_endless && good("-I").is_idle);
    assert_eq!(good("-q --csv").format, Format::Csv);
    assert_eq!(good("--csv -q").format, Format::Csv);
    assert_eq!(good("-d 0").sizes, Sizes { least: 1, most: 1 });
}

#[test]
fn a_command_begins_at_the_first_word() {
    let options = good("-n 10 lpush mylist -5 -t");
    assert_eq!(
        options.command,
        [b"lpush".as_slice(), b"mylist", b"-5", b"-t"]
    );
    assert_eq!(options.tests, None);
}

#[test]
fn urls_name_everything() {
    let options = good("-u redis://bob:pw@example:7000/3");
    assert_eq!(options.place, tcp("example", 7000));
    assert_eq!(options.login.user.as_deref(), Some("bob"));
    assert_eq!(options.login.database, 3);
    assert!(options.tls.is_none());
    assert!(good("-u rediss://example").tls.is_some());
    assert_eq!(good("-u unix:///tmp/x").place, Place::Unix("/tmp/x".into()));
}

#[test]
fn tls_options_imply_tls() {
    let options = good("--cacert ca --cert c --key k --sni n --insecure");
    let tls = options.tls.expect("TLS");
    assert!(tls.insecure && tls.sni.as_deref() == Some("n"));
    assert!(parse("--cert c").is_err());
}

#[test]
fn sizes_are_one_or_a_range() {
    assert_eq!(
        good("-d 64").sizes,
        Sizes {
            least: 64,
            most: 64
        }
    );
    assert_eq!(
        good("-d 16-4096").sizes,
        Sizes {
            least: 16,
            most: 4096
        }
    );
    for wrong in ["-d x", "-d 5-", "-d -5", "-d 9-3", "-d 1-2-3", "-d 1.5"] {
        assert!(parse(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn distributions_have_names() {
    let of = |text: &str| good(&format!("-r 9 --distribution {text}")).distribution;
    assert_eq!(of("uniform"), Distribution::Uniform);
    assert_eq!(of("sequential"), Distribution::Sequential);
    assert_eq!(of("zipf"), Distribution::Zipf(0.99));
    assert_eq!(of("zipf:1.2"), Distribution::Zipf(1.2));
    for wrong in [
        "zipf:x",
        "zipf:-1",
        "zipf:nan",
        "zipf:11",
        "normal",
        "uniform:1",
    ] {
        assert!(
            parse(&format!("-r 9 --distribution {wrong}")).is_err(),
            "{wrong}"
        );
    }
    assert!(parse("--distribution zipf").is_err(), "without a keyspace");
}

#[test]
fn mixtures_have_as_many_weights_as_names() {
    let parts = good("--ratio SET:get=1:10").mixture;
    let parts: Vec<(&str, u64)> = parts.iter().map(|p| (p.name.as_str(), p.weight)).collect();
    assert_eq!(parts, [("set", 1), ("get", 10)]);
    for wrong in ["set:get", "set:get=1", "set=0", "set=1:2", "=", "set=x"] {
        assert!(parse(&format!("--ratio {wrong}")).is_err(), "{wrong}");
    }
    assert!(parse("--ratio set=1 -t get").is_err());
    assert!(parse("--ratio set=1 ping").is_err());
}

#[test]
fn json_takes_a_file_that_looks_like_one() {
    assert_eq!(good("--json").format, Format::Json);
    let options = good("--json out.json -q");
    assert_eq!(options.json_file, Some("out.json".into()));
    assert_eq!(options.format, Format::Quiet);
    let options = good("--json get key");
    assert_eq!((options.format, options.command.len()), (Format::Json, 2));
    assert_eq!(good("--json=result").json_file, Some("result".into()));
}

#[test]
fn a_time_limit_is_the_only_one_unless_n_is_given() {
    assert_eq!(good("--duration 2.5").requests, None);
    assert_eq!(good("--duration 2.5 -n 7").requests, Some(7));
    assert_eq!(
        good("--duration 2.5").duration,
        Some(Duration::from_millis(2500))
    );
    assert_eq!(good("--warmup 1").warmup, Duration::from_secs(1));
}

#[test]
fn a_second_server_has_an_address() {
    let of = |text: &str| good(&format!("--compare {text}")).compare;
    assert_eq!(of("example:7000"), Some(tcp("example", 7000)));
    assert_eq!(of("[::1]:7000"), Some(tcp("::1", 7000)));
    assert_eq!(of("7000"), Some(tcp("127.0.0.1", 7000)));
    assert_eq!(of("/tmp/x"), Some(Place::Unix("/tmp/x".into())));
    assert_eq!(good("--compare 1 --server-pid 5,6").server_pids, [5, 6]);
    for wrong in [
        "--compare x",
        "--compare :7",
        "--compare 1 --server-pid 5",
        "--server-pid 5,6",
        "--server-pid x",
        "--compare 1 -l",
        "--compare 1 -I",
    ] {
        assert!(parse(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn threads_are_no_more_than_clients() {
    assert_eq!(good("-c 3 --threads 8").threads, Some(3));
}

#[test]
fn nonsense_is_refused() {
    for wrong in [
        "--nosuch",
        "-c",
        "-c 0",
        "-c x",
        "-n 0",
        "-n -5",
        "-n abc",
        "-P 0",
        "-P -1",
        "-p 0",
        "-p x",
        "-p 70000",
        "--threads 0",
        "--rate 0",
        "--rate x",
        "--rate 10 -k 0",
        "--duration 0",
        "--duration x",
        "--warmup -1",
        "--duration nan",
        "--timeout 0",
        "--user bob",
        "--cluster",
        "--tls-ciphers",
        "-u nosuch://x",
        "-r -1",
        "-x",
        "--rounds 0",
        "--json -l",
        "-c 99999999999",
    ] {
        assert!(matches!(parse(wrong), Err(Stop::Wrong(_))), "{wrong}");
    }
    assert_eq!(parse("--help"), Err(Stop::Help));
    assert_eq!(parse("-v"), Err(Stop::Version));
}
