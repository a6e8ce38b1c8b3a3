//! TLS: against Ochre in process, and against Redis.

use crate::servers::{run, until};
use ochre_client::{Config, MultiplexedClient, TlsConfig, cmd};
use ochre_testkit::ports::free_port;
use ochre_testkit::reference::{Release, Running};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair,
};
use std::net::TcpListener;
use std::path::PathBuf;

/// A folder with an authority's certificate, and a server's and a client's that it signed.
struct Files(PathBuf);

impl Files {
    fn new() -> Files {
        static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
        let number = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let name = format!("ochre-client-tls-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(&name);
        std::fs::create_dir_all(&folder).expect("a folder");
        let files = Files(folder);
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, name.as_str());
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let authority = CertifiedIssuer::self_signed(params, key).expect("a certificate");
        files.write("ca.crt", &authority.pem());
        for (name, usage) in [
            ("server", ExtendedKeyUsagePurpose::ServerAuth),
            ("client", ExtendedKeyUsagePurpose::ClientAuth),
        ] {
            let names = vec!["localhost".to_owned()];
            let mut params = CertificateParams::new(names).expect("a good name");
            params.extended_key_usages = vec![usage];
            let key = KeyPair::generate().expect("a key");
            let certificate = params.signed_by(&key, &*authority).expect("a certificate");
            files.write(&format!("{name}.crt"), &certificate.pem());
            files.write(&format!("{name}.key"), &key.serialize_pem());
        }
        files
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.0.join(name), text).expect("a written file");
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().expect("UTF-8").to_owned()
    }

    fn settings(&self, port: u16, clients: &str) -> Vec<(&'static str, String)> {
        vec![
            ("tls-port", port.to_string()),
            ("tls-cert-file", self.path("server.crt")),
            ("tls-key-file", self.path("server.key")),
            ("tls-ca-cert-file", self.path("ca.crt")),
            ("tls-auth-clients", clients.to_owned()),
        ]
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        // A folder left behind in the place for such does no harm.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Whatever keeps a server running.
type Server = Box<dyn std::any::Any>;

/// Each server that speaks TLS on a port, asking clients for certificates as said.
fn servers(files: &Files, clients: &str) -> Vec<(u16, Server)> {
    let port = free_port();
    let settings = files.settings(port, clients);
    let given: Vec<(&str, &str)> = settings.iter().map(|(n, v)| (*n, v.as_str())).collect();
    let mut all: Vec<(u16, Server)> = vec![(port, Box::new(ochre_testserver::start(&given)))];
    match Release::V70.binary() {
        Some(binary) => {
            let port = free_port();
            let mut options = Vec::new();
            for (name, value) in files.settings(port, clients) {
                options.extend([format!("--{name}"), value]);
            }
            let options: Vec<&str> = options.iter().map(String::as_str).collect();
            let redis = Running::start(&binary, &options).expect("a server that starts");
            all.push((port, Box::new(redis)));
        }
        None => eprintln!("skipped for want of a redis-server"),
    }
    all
}

fn config(port: u16, tls: TlsConfig) -> Config {
    Config::parse(&format!("rediss://127.0.0.1:{port}"))
        .expect("a URL")
        .tls(tls.server_name("localhost"))
}

fn trusting(files: &Files) -> TlsConfig {
    TlsConfig::new()
        .and_then(|t| t.ca_file(files.path("ca.crt")))
        .expect("good files")
}

#[test]
fn requests_of_every_size_pass() {
    let files = Files::new();
    for (port, _server) in servers(&files, "no") {
        run(async {
            let client = MultiplexedClient::connect(config(port, trusting(&files)))
                .await
                .expect("a connection");
            for len in [0, 1, 1000, 16_384, 100_000, 3_000_000] {
                let value = "v".repeat(len);
                client.set("k", &value).await.expect("a reply");
                let back = client.get("k").await.expect("a reply");
                assert!(back.as_deref() == Some(value.as_bytes()), "{len}");
            }
            let tasks: Vec<_> = (0..32_u64)
                .map(|task| {
                    let client = client.clone();
                    tokio::spawn(async move {
                        for i in 0..100_u64 {
                            let n = task * 1000 + i;
                            let back: u64 = client.run(cmd("ECHO").arg(n)).await.expect("a reply");
                            assert_eq!(back, n);
                        }
                    })
                })
                .collect();
            for task in tasks {
                task.await.expect("a task that ends");
            }
        });
    }
}

#[test]
fn it_connects_again() {
    let files = Files::new();
    for (port, _server) in servers(&files, "no") {
        run(async {
            let client = MultiplexedClient::connect(config(port, trusting(&files)))
                .await
                .expect("a connection");
            let other = MultiplexedClient::connect(config(port, trusting(&files)))
                .await
                .expect("a connection");
            let id: i64 = client.run(cmd("CLIENT ID")).await.expect("a reply");
            other
                .run::<i64>(cmd("CLIENT KILL ID").arg(id))
                .await
                .expect("a reply");
            until("it has another connection", || async {
                client.connections() == 2
            })
            .await;
            client.set("k", "v").await.expect("a reply");
        });
    }
}

#[test]
fn certificates_are_checked_on_both_sides() {
    let (files, strangers) = (Files::new(), Files::new());
    for (port, _server) in servers(&files, "yes") {
        run(async {
            let shown = |tls: TlsConfig, of: &Files| {
                tls.client_certificate(of.path("client.crt"), of.path("client.key"))
                    .expect("good files")
            };
            let connect = |tls| MultiplexedClient::connect(config(port, tls));
            let client = connect(shown(trusting(&files), &files))
                .await
                .expect("a connection");
            client.set("k", "v").await.expect("a reply");
            assert!(connect(trusting(&files)).await.is_err(), "none is shown");
            let stranger = shown(trusting(&files), &strangers);
            assert!(connect(stranger).await.is_err(), "a stranger's is shown");
            let wrong = shown(trusting(&strangers), &files);
            assert!(connect(wrong).await.is_err(), "the server is a stranger");
            let any = TlsConfig::new().expect("a configuration");
            let any = shown(any.danger_accept_any_certificate(), &files);
            connect(any).await.expect("any server will do");
            let named = shown(trusting(&files), &files);
            let config = Config::parse(&format!("rediss://127.0.0.1:{port}"))
                .expect("a URL")
                .tls(named.server_name("elsewhere"));
            assert!(
                MultiplexedClient::connect(config).await.is_err(),
                "another name"
            );
        });
    }
}

#[test]
fn files_that_are_none_are_named() {
    let files = Files::new();
    files.write("empty.crt", "");
    for name in ["missing.crt", "empty.crt", "server.key"] {
        let error = TlsConfig::new()
            .and_then(|t| t.ca_file(files.path(name)))
            .expect_err("no certificate");
        assert!(error.to_string().contains(name), "{error}");
    }
}

#[test]
fn named_ciphers_are_offered_and_no_others() {
    let files = Files::new();
    let mut settings = Vec::new();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    drop(listener);
    settings.extend(files.settings(port, "no"));
    settings.push(("tls-ciphersuites", "TLS_AES_128_GCM_SHA256".to_owned()));
    settings.push(("tls-ciphers", "ECDHE-ECDSA-AES128-GCM-SHA256".to_owned()));
    let given: Vec<(&str, &str)> = settings.iter().map(|(n, v)| (*n, v.as_str())).collect();
    let _server = ochre_testserver::start(&given);
    run(async {
        let (same, other) = ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384");
        let (old_same, old_other) = ("AES128", "AES256");
        // Both speak 1.3, whose suites decide; rustls does not go back to 1.2 for want of one.
        for (suites, ciphers, good) in [
            (same, old_other, true),
            (other, old_same, false),
            (other, old_other, false),
        ] {
            let tls = trusting(&files)
                .cipher_suites(suites)
                .and_then(|t| t.ciphers(ciphers));
            let connected =
                MultiplexedClient::connect(config(port, tls.expect("good lists"))).await;
            assert_eq!(connected.is_ok(), good, "{suites} {ciphers}");
        }
    });
    let error = TlsConfig::new().and_then(|t| t.ciphers("RC4"));
    assert!(error.is_err(), "there is no RC4");
}
