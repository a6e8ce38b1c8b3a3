//! TLS with certificates of both sides, on each port: much traffic both ways at once, and peers without a certificate.
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

/// A server's configuration that asks clients for certificates of the authority.
fn asking(roots: &Arc<RootCertStore>, server: Identity) -> Arc<ServerConfig> {
    let verifier = WebPkiClientVerifier::builder(roots.clone())
        .build()
        .expect("roots");
    let config = ServerConfig::builder()
        .with_client_cert_verifier(verifier)
        .with_single_cert(server.0, server.1)
        .expect("a certificate and its key");
    Arc::new(config)
}

fn options(config: Arc<ServerConfig>) -> Options {
    Options {
        tls: Some(Arc::new(move || Some(config.clone()))),
        ..Options::default()
    }
}

async fn serve(service: Service, config: Arc<ServerConfig>, yamux: bool) -> std::net::SocketAddr {
    let listener = bind(([127, 0, 0, 1], 0).into()).expect("a free port");
    let address = listener.local_addr().expect("bound");
    let options = Options {
        yamux,
        ..options(config)
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
        let service: Service = ServiceInner::new(MemTable::new()).into();
        let address = serve(service, asking(&roots, server), yamux).await;
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

/// Ports of gRPC and HTTP that ask for certificates.
#[cfg(all(feature = "grpc", feature = "http"))]
mod web {
    use super::*;
    use hyper_util::rt::TokioIo;
    use ochre_table::CommandRequest;
    use ochre_table::grpc::table_client::TableClient;
    use std::net::SocketAddr;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;
    use tokio_rustls::TlsConnector;
    use tokio_rustls::client::TlsStream;
    use tonic::transport::Endpoint;

    async fn secure(
        address: SocketAddr,
        config: &ClientConfig,
        protocol: &str,
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let mut config = config.clone();
        config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        let name = ServerName::try_from("localhost").expect("a name");
        let io = TcpStream::connect(address).await?;
        let connector = TlsConnector::from(Arc::new(config));
        connector.connect(name, io).await
    }

    /// What HTTP answers to a request for a key, if anything.
    async fn http(address: SocketAddr, config: &ClientConfig) -> std::io::Result<String> {
        let mut io = secure(address, config, "http/1.1").await?;
        let ask = "GET /tables/t/k HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        io.write_all(ask.as_bytes()).await?;
        let mut text = String::new();
        io.read_to_string(&mut text).await?;
        Ok(text)
    }

    /// The same of gRPC: the status in the response.
    async fn grpc(address: SocketAddr, config: ClientConfig) -> Result<u32, String> {
        let endpoint = Endpoint::from_static("http://localhost");
        let connect = tower::service_fn(move |_| {
            let config = config.clone();
            async move { secure(address, &config, "h2").await.map(TokioIo::new) }
        });
        let channel = endpoint.connect_with_connector(connect).await;
        let mut client = TableClient::new(channel.map_err(|e| e.to_string())?);
        let response = client.execute(CommandRequest::new_hget("t", "k")).await;
        response
            .map(|response| response.into_inner().status)
            .map_err(|e| e.to_string())
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn grpc_and_http_serve_who_shows_a_certificate() {
        let (roots, server, client) = identities();
        let service: Service = ServiceInner::new(MemTable::new()).into();
        let server = Server::new(service, options(asking(&roots, server)));
        let listeners = [0, 0].map(|port| bind(([127, 0, 0, 1], port).into()).expect("a port"));
        let [grpc_address, http_address] =
            [0, 1].map(|i: usize| listeners[i].local_addr().expect("bound"));
        let [grpc_listener, http_listener] = listeners;
        tokio::spawn(ochre_table::grpc::serve(server.clone(), grpc_listener));
        let names = Arc::new(|_: &str| true);
        tokio::spawn(ochre_table::http::serve(server, http_listener, names));

        let trusting = || ClientConfig::builder().with_root_certificates(roots.clone());
        let known = trusting()
            .with_client_auth_cert(client.0, client.1)
            .unwrap();
        let bare = trusting().with_no_client_auth();
        let answer = http(http_address, &known).await.expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
        http(http_address, &bare).await.expect_err("no certificate");
        assert_eq!(grpc(grpc_address, known).await, Ok(404));
        grpc(grpc_address, bare).await.expect_err("no certificate");
        // Who speaks in the clear is told nothing.
        let mut plain = TcpStream::connect(http_address).await.unwrap();
        plain.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        let mut rest = Vec::new();
        plain.read_to_end(&mut rest).await.ok();
        assert!(!rest.starts_with(b"HTTP"), "{rest:?}");
    }
}
