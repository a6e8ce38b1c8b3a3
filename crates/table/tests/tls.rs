//! TLS with certificates of both sides: much traffic both ways at once, and peers without a certificate.
#![cfg(all(feature = "client", feature = "server", feature = "tls"))]

use ochre_table::client::Config;
use ochre_table::server::{Options, Server, bind};
use ochre_table::{Client, MemTable, Service, ServiceInner};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use std::sync::Arc;

type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// An authority, and what it signed for a server and a client.
fn identities() -> (Arc<RootCertStore>, Identity, Identity) {
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    let authority = CertifiedIssuer::self_signed(params, key).expect("a certificate");
    let mut roots = RootCertStore::empty();
    roots.add(authority.der().clone()).expect("an authority");
    let sign = |usage| {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).expect("a good name");
        params.extended_key_usages = vec![usage];
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &*authority).expect("a certificate");
        let key = PrivatePkcs8KeyDer::from(key.serialize_der());
        (vec![certificate.der().clone()], key.into())
    };
    let server = sign(ExtendedKeyUsagePurpose::ServerAuth);
    let client = sign(ExtendedKeyUsagePurpose::ClientAuth);
    (Arc::new(roots), server, client)
}

async fn serve(service: Service, config: ServerConfig, yamux: bool) -> std::net::SocketAddr {
    let listener = bind(([127, 0, 0, 1], 0).into()).expect("a free port");
    let address = listener.local_addr().expect("bound");
    let config = Arc::new(config);
    let options = Options {
        tls: Some(Arc::new(move || Some(config.clone()))),
        yamux,
        ..Options::default()
    };
    let server = Server::new(service, options);
    tokio::spawn(async move { server.accept(listener).await });
    address
}

fn encrypted(address: std::net::SocketAddr, config: ClientConfig, yamux: bool) -> Config {
    let name = ServerName::try_from("localhost").expect("a name");
    Config {
        tls: Some((Arc::new(config), name)),
        yamux,
        ..Config::new(address.to_string())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_sides_show_certificates() {
    for yamux in [false, true] {
        let (roots, server, client) = identities();
        let verifier = WebPkiClientVerifier::builder(roots.clone())
            .build()
            .unwrap();
        let config = ServerConfig::builder()
            .with_client_cert_verifier(verifier)
            .with_single_cert(server.0, server.1)
            .unwrap();
        let service: Service = ServiceInner::new(MemTable::new()).into();
        let address = serve(service, config, yamux).await;
        let config = ClientConfig::builder()
            .with_root_certificates(roots.clone())
            .with_client_auth_cert(client.0, client.1)
            .unwrap();
        let client = Client::connect(encrypted(address, config, yamux))
            .await
            .unwrap();
        // More than the sockets hold is under way in both directions: nobody may stop reading while it writes.
        let mut tasks = tokio::task::JoinSet::new();
        for task in 0..200 {
            let client = client.clone();
            tasks.spawn(async move {
                let (key, value) = (task.to_string(), "x".repeat(200_000));
                for _ in 0..3 {
                    client.set("t", &key, value.as_str()).await.unwrap();
                    let got = client.get("t", &key).await.unwrap();
                    assert_eq!(got, Some(value.as_str().into()));
                }
            });
        }
        while let Some(done) = tasks.join_next().await {
            done.unwrap();
        }
        // Who shows none is not served.
        let bare = ClientConfig::builder()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let served = match Client::connect(encrypted(address, bare, yamux)).await {
            Ok(client) => client.get("t", "0").await.is_ok(),
            Err(_) => false,
        };
        assert!(!served);
    }
}
