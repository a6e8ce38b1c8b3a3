//! What is written for programs and for later: JSON, CSV, HTML, comparisons, processor time; and TLS.

use crate::{PROGRAM, figure, good, json, ochre, run_with};
use ochre_testkit::ports::free_port;
use ochre_testkit::reference::{Release, Running};
use rcgen::{CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use std::path::{Path, PathBuf};

/// A folder that goes away.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("ochre-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder");
        Folder(path)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().expect("UTF-8").to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn documents_tell_everything() {
    let (_server, port) = ochre();
    let pid = std::process::id();
    // Many, as the system counts a process's time in steps of 10 ms.
    let line = format!("-n 100000 -c 7 -P 4 -r 100 -t set,get --server-pid {pid}");
    let document = json(port, &line);
    assert_eq!(document["servers"][0]["place"], format!("127.0.0.1:{port}"));
    assert_eq!(document["servers"][0]["name"], "ochre");
    assert_eq!(document["load"]["clients"], "7");
    assert_eq!(document["failure"], serde_json::Value::Null);
    assert_eq!(document["tests"].as_array().map(Vec::len), Some(2));
    for test in 0..2 {
        let at = |name: &str| figure(&document, &format!("/tests/{test}/{name}"));
        assert!((at("requests") - 100_000.0).abs() < 0.5, "{document:#}");
        assert!(at("client_cpu_us_per_request") > 0.0, "{document:#}");
        assert!(at("server_cpu_us_per_request") > 0.0, "{document:#}");
        let rate = at("requests") / at("seconds");
        assert!(
            (rate / at("requests_per_second") - 1.0).abs() < 1e-6,
            "{document:#}"
        );
        // The curve ends with all requests at the longest latency, and the course adds up.
        let curve = document["tests"][test]["percentiles"]
            .as_array()
            .expect("a curve");
        assert_eq!(curve.last().map(|step| &step[2]), Some(&100_000.into()));
        let course = document["tests"][test]["course"]
            .as_array()
            .expect("a course");
        let replies: f64 = course
            .iter()
            .map(|p| figure(p, "/requests_per_second") * figure(p, "/seconds"))
            .sum();
        assert!((replies - 100_000.0).abs() < 1.0, "{document:#}");
    }
}

#[test]
fn files_are_written_besides() {
    let (_server, port) = ochre();
    let folder = Folder::new("reports");
    let (page, document) = (folder.path("page.html"), folder.path("out.json"));
    let line = format!("-q -n 3000 -t get,set --html {page} --json {document} --rate 20000");
    let out = good(port, &line);
    assert!(out.starts_with("SET: "), "{out}");
    let document = std::fs::read_to_string(&document).expect("a document");
    let document: serde_json::Value = serde_json::from_str(&document).expect("JSON");
    assert_eq!(document["tests"][1]["test"], "GET");
    let page = std::fs::read_to_string(&page).expect("a page");
    assert_well_formed(&page);
    // Throughput, latency over time, and the percentile curve, for each test.
    assert_eq!(page.matches("<svg").count(), 6);
    assert!(!page.contains("NaN") && !page.contains("inf,"), "{page}");
    // It fetches nothing.
    assert!(!page.contains("http") && !page.contains("<script") && !page.contains("src="));
}

/// Every element that is opened is closed, in order.
fn assert_well_formed(page: &str) {
    let mut open = Vec::new();
    for tag in page.split('<').skip(1) {
        let (tag, _) = tag.split_once('>').expect("an end");
        let name = tag.split_whitespace().next().unwrap_or_default();
        match name.strip_prefix('/') {
            Some(name) => assert_eq!(open.pop(), Some(name), "{page}"),
            None if tag.starts_with('!') || tag.ends_with('/') => {}
            None => open.push(name),
        }
    }
    assert!(open.is_empty(), "{open:?}");
}

#[test]
fn a_run_that_fails_is_reported_as_far_as_it_came() {
    let (_server, port) = ochre();
    crate::ask(port, &["set", "mylist", "no list"]);
    let ended = crate::run(port, "--json -n 100 -t get,lpush");
    assert_eq!(ended.code, Some(1));
    let document: serde_json::Value = serde_json::from_str(&ended.out).expect("JSON");
    assert_eq!(document["tests"].as_array().map(Vec::len), Some(1));
    let failure = document["failure"].as_str().expect("a reason");
    assert!(
        failure.starts_with("Error from server: WRONGTYPE"),
        "{failure}"
    );
}

#[test]
fn results_that_cannot_be_written_are_an_error_before_the_load() {
    let (_server, port) = ochre();
    for option in ["--json=/nonexistent/x.json", "--html /nonexistent/x.html"] {
        let ended = crate::run(port, &format!("-q -n 100 -t get {option}"));
        assert_eq!(ended.code, Some(1), "{option}");
        assert!(ended.err.starts_with("/nonexistent/x."), "{}", ended.err);
        assert!(!ended.out.contains("requests per second"), "{}", ended.out);
    }
}

#[test]
fn two_servers_are_compared_in_turn() {
    let (_first, port) = ochre();
    let (second, other) = ochre();
    let second_is_redis = Release::V70.binary().map(|binary| {
        drop(second);
        Running::start(&binary, &[]).expect("a server that starts")
    });
    let other = second_is_redis.as_ref().map_or(other, |r| r.address.port());
    let line = format!("-n 800 -t set,get --rounds 4 --compare 127.0.0.1:{other}");
    let out = good(port, &format!("{line} --csv"));
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines.len(), 3, "{out}");
    assert!(lines[0].starts_with("\"test\",\"rounds\",\"rps_1\",\"rps_2\",\"rps_ratio\""));
    for line in &lines[1..] {
        let cells: Vec<&str> = line.split(',').map(|c| c.trim_matches('"')).collect();
        assert_eq!(cells[1], "4");
        let number = |at: usize| cells[at].parse::<f64>().expect("a number");
        assert!((number(2) / number(3) - number(4)).abs() < 0.01, "{line}");
    }
    let document = json(port, &line);
    for side in 0..2 {
        let rounds = document["comparisons"][0]["sides"][side]["rounds"].as_array();
        let rounds = rounds.expect("rounds");
        let requests: f64 = rounds.iter().map(|r| figure(r, "/requests")).sum();
        assert_eq!(rounds.len(), 4);
        assert!((requests - 800.0).abs() < 0.5, "{document:#}");
    }
    let folder = Folder::new("compared");
    let page = folder.path("page.html");
    let out = good(port, &format!("{line} --html {page}"));
    assert!(
        out.contains("requests per second") && out.contains("ratio"),
        "{out}"
    );
    assert_well_formed(&std::fs::read_to_string(&page).expect("a page"));
}

/// An authority and a certificate for localhost, as files.
fn certificates(folder: &Path) {
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    let authority = CertifiedIssuer::self_signed(params, key).expect("a certificate");
    let params = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
    let key = KeyPair::generate().expect("a key");
    let certificate = params.signed_by(&key, &*authority).expect("a certificate");
    for (name, text) in [
        ("ca.crt", authority.pem()),
        ("server.crt", certificate.pem()),
        ("server.key", key.serialize_pem()),
    ] {
        std::fs::write(folder.join(name), text).expect("a file");
    }
}

#[test]
fn tls() {
    let folder = Folder::new("load-tls");
    certificates(&folder.0);
    let port = free_port().to_string();
    let authority = folder.path("ca.crt");
    let server = ochre::Server::builder()
        .port(0)
        .workers(1)
        .setting("tls-port", &port)
        .setting("tls-cert-file", folder.path("server.crt"))
        .setting("tls-key-file", folder.path("server.key"))
        .setting("tls-ca-cert-file", &authority)
        .setting("tls-auth-clients", "no")
        .start()
        .expect("a server");
    let common = ["-p", &port, "-q", "-c", "9", "-n", "200", "-t", "set,get"];
    let trusting: [&[&str]; 5] = [
        &["-h", "localhost", "--tls", "--cacert", &authority],
        &["--tls", "--sni", "localhost", "--cacert", &authority, "-3"],
        &["--tls", "--insecure", "-P", "7", "-d", "100000", "-c", "3"],
        &["--tls", "--insecure", "--rate", "5000", "--dbnum", "2"],
        &["--tls", "--insecure", "-k", "0", "-c", "5"],
    ];
    for options in trusting {
        let ended = run_with(PROGRAM, &[&common, options].concat(), b"");
        assert_eq!(ended.code, Some(0), "{options:?}: {}", ended.err);
        assert_eq!(
            ended.out.matches("requests per second").count(),
            2,
            "{options:?}"
        );
    }
    for (options, wanted) in [
        (&["-h", "localhost", "--tls"][..], "certificate"),
        (&["--tls", "--cacert", &authority], "certificate"),
        (&["--tls", "--cacert", "/nonexistent"], "/nonexistent"),
        (&[], "Error"),
    ] {
        let ended = run_with(
            PROGRAM,
            &[&common, options, &["--timeout", "2"]].concat(),
            b"",
        );
        assert_eq!(ended.code, Some(1), "{options:?}: {}", ended.out);
        assert!(ended.err.contains(wanted), "{options:?}: {}", ended.err);
    }
    drop(server);
}
