//! The client against the server: many in flight, deadlines, new connections, subscriptions, yamux.
#![cfg(all(feature = "client", feature = "server"))]

use ochre_table::client::{ClientError, Config};
use ochre_table::server::{Options, Server, bind};
use ochre_table::{Client, CommandRequest, Kvpair, MemTable, Service, ServiceInner, Value};
use std::net::SocketAddr;
use std::time::Duration;
use tokio_stream::StreamExt as _;

const PATIENCE: Duration = Duration::from_secs(30);

fn start(service: &Service, yamux: bool, at: &str) -> (Server<MemTable>, SocketAddr) {
    let listener = bind(at.parse().expect("a free port")).expect("a free port");
    let address = listener.local_addr().expect("a free port");
    let options = Options {
        yamux,
        ..Options::default()
    };
    let server = Server::new(service.clone(), options);
    let accepting = server.clone();
    tokio::spawn(async move { accepting.accept(listener).await });
    (server, address)
}

fn service() -> Service {
    ServiceInner::new(MemTable::new()).into()
}

fn config(address: SocketAddr, yamux: bool) -> Config {
    Config {
        yamux,
        ..Config::new(address.to_string())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_call_does_what_it_says() {
    for yamux in [false, true] {
        let (_server, address) = start(&service(), yamux, "127.0.0.1:0");
        let client = Client::connect(config(address, yamux)).await.unwrap();
        assert_eq!(client.set("t", "k", "v").await.unwrap(), Value::default());
        assert_eq!(client.set("t", "k", 5).await.unwrap(), "v".into());
        assert_eq!(client.get("t", "k").await.unwrap(), Some(5.into()));
        assert_eq!(client.get("t", "none").await.unwrap(), None);
        assert!(client.exists("t", "k").await.unwrap());
        let pairs = [Kvpair::new("a", true), Kvpair::new("b", 1.5)];
        assert_eq!(client.set_many("t", pairs).await.unwrap().len(), 2);
        let got = client.get_many("t", &["a", "b", "c"]).await.unwrap();
        assert_eq!(got, [true.into(), 1.5.into(), Value::default()]);
        assert_eq!(client.get_all("t").await.unwrap().len(), 3);
        assert_eq!(client.del_many("t", &["a", "b"]).await.unwrap(), got[..2]);
        assert_eq!(client.del("t", "k").await.unwrap(), 5.into());
        let refused = client.call(&CommandRequest::default()).await;
        assert!(matches!(refused, Err(ClientError::Refused(r)) if r.status == 400));
        let subscribe = CommandRequest::new_subscribe("t");
        assert_eq!(client.execute(&subscribe).await.unwrap().status, 400);
        let large = client.set("t", "k", "x".repeat(9 << 20)).await;
        assert!(matches!(large, Err(ClientError::TooLarge)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_tasks_share_a_connection() {
    let (server, address) = start(&service(), false, "127.0.0.1:0");
    let client = Client::connect(config(address, false)).await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..200_i64 {
        let client = client.clone();
        tasks.spawn(async move {
            for n in 0..20_i64 {
                let key = format!("{task}:{n}");
                client.set("t", &key, task * n).await.unwrap();
                assert_eq!(
                    client.get("t", &key).await.unwrap(),
                    Some((task * n).into())
                );
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    assert_eq!(server.connections(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_connection_is_made_anew() {
    for yamux in [false, true] {
        let service = service();
        let (server, address) = start(&service, yamux, "127.0.0.1:0");
        let client = Client::connect(config(address, yamux)).await.unwrap();
        let mut news = client.subscribe("news").await.unwrap();
        client.set("t", "k", "v").await.unwrap();
        assert_eq!(client.publish("news", [1.into()]).await.unwrap(), 1);
        assert_eq!(news.next().await.unwrap().unwrap(), [1.into()]);
        server.stop();
        server.stopped().await;
        let (_server, _) = start(&service, yamux, &address.to_string());
        // The first call may meet the old connection's end.
        let got = match client.get("t", "k").await {
            Err(ClientError::Lost) => client.get("t", "k").await,
            other => other,
        };
        assert_eq!(got.unwrap(), Some("v".into()));
        assert!(news.next().await.unwrap().is_err(), "the gap is told");
        let publish = async {
            while client.publish("news", [2.into()]).await.unwrap() == 0 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, publish).await.unwrap();
        assert_eq!(news.next().await.unwrap().unwrap(), [2.into()]);
    }
}

#[tokio::test]
async fn a_deadline_holds_against_a_server_that_is_silent() {
    let listener = bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let mut silent = config(listener.local_addr().unwrap(), false);
    silent.deadline = Duration::from_millis(50);
    let client = Client::connect(silent).await.unwrap();
    let (_stream, _) = listener.accept().await.unwrap();
    assert!(matches!(
        client.get("t", "k").await,
        Err(ClientError::Deadline)
    ));
    drop(listener);
}

#[tokio::test]
async fn who_answers_nonsense_is_left() {
    use tokio::io::AsyncWriteExt as _;
    let listener = bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            // A length of 4 GiB.
            let _ = stream.write_all(&[0xFF; 8]).await;
        }
    });
    let mut config = config(address, false);
    config.deadline = Duration::from_millis(500);
    let client = Client::connect(config).await.unwrap();
    let got = client.get("t", "k").await;
    assert!(
        matches!(got, Err(ClientError::Lost | ClientError::Deadline)),
        "{got:?}"
    );
}

#[tokio::test]
async fn a_server_that_is_not_there_is_reported() {
    let listener = bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let connected = Client::connect(config(address, false)).await;
    assert!(matches!(connected.err(), Some(ClientError::Connect(_))));
}
