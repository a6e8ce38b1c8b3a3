//! The service over gRPC and HTTP as a peer sees it: the generated client, raw requests, limits, the orderly stop.
#![cfg(all(feature = "grpc", feature = "http"))]

use ochre_table::grpc::table_client::TableClient;
use ochre_table::server::{Options, Server, bind};
use ochre_table::{
    CommandRequest, KvError, Limits, MemTable, Service, ServiceInner, Subscribe, Value,
};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_stream::StreamExt as _;
use tonic::transport::{Channel, Endpoint};

const PATIENCE: Duration = Duration::from_secs(30);

/// A service on both ports.
struct Web {
    server: Server<MemTable>,
    grpc: SocketAddr,
    http: SocketAddr,
    tasks: tokio::task::JoinSet<std::io::Result<()>>,
}

fn start(service: &Service, options: Options) -> Web {
    let server = Server::new(service.clone(), options);
    let listeners = [0, 0].map(|port| bind(([127, 0, 0, 1], port).into()).expect("a free port"));
    let [grpc, http] = [0, 1].map(|i: usize| listeners[i].local_addr().expect("bound"));
    let [grpc_listener, http_listener] = listeners;
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(ochre_table::grpc::serve(server.clone(), grpc_listener));
    let names = Arc::new(|host: &str| host != "evil.example");
    tasks.spawn(ochre_table::http::serve(
        server.clone(),
        http_listener,
        names,
    ));
    Web {
        server,
        grpc,
        http,
        tasks,
    }
}

fn service() -> Service {
    ServiceInner::new(MemTable::new()).into()
}

/// Sends a request as it stands and gives the status and everything that comes after it.
async fn ask(address: SocketAddr, request: &str) -> (u16, String) {
    let mut io = TcpStream::connect(address).await.expect("it listens");
    io.write_all(request.as_bytes()).await.expect("sent");
    let mut text = String::new();
    let read = tokio::time::timeout(PATIENCE, io.read_to_string(&mut text)).await;
    read.expect("in time").expect("an answer");
    let status = text.split(' ').nth(1).and_then(|s| s.parse().ok());
    let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    (status.unwrap_or(0), body.to_owned())
}

async fn connect(address: SocketAddr) -> TableClient<Channel> {
    let endpoint = Endpoint::from_shared(format!("http://{address}")).expect("an address");
    TableClient::new(endpoint.connect().await.expect("it listens"))
}

fn request(method: &str, path: &str, body: &str) -> String {
    format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn http_does_what_the_service_does() {
    let service = service();
    let web = start(&service, Options::default());
    let put = request("PUT", "/tables/t/k", "5");
    assert_eq!(ask(web.http, &put).await, (200, "null".to_owned()));
    let got = service.execute(CommandRequest::new_hget("t", "k"));
    assert_eq!(got.values, [5.into()]);
    let get = request("GET", "/tables/t/k", "");
    assert_eq!(ask(web.http, &get).await, (200, "5".to_owned()));
    let missing = ask(web.http, &request("GET", "/tables/t/none", "")).await;
    assert_eq!(missing.0, 404);
    let evil = get.replace("localhost", "evil.example");
    assert_eq!(ask(web.http, &evil).await.0, 403);
    let post = request("POST", "/topics/t", "[1]").replace("application/json", "text/plain");
    assert_eq!(ask(web.http, &post).await.0, 415);
    assert_eq!(ask(web.http, "nonsense\r\n\r\n").await.0, 400);
    let description = ask(web.http, &request("GET", "/openapi.json", "")).await.1;
    let description: serde_json::Value = serde_json::from_str(&description).unwrap();
    assert_eq!(description["openapi"], "3.1.0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_visit_every_pair_once() {
    let service = service();
    let web = start(&service, Options::default());
    let pairs = (0..2500_i64).map(|n| ochre_table::Kvpair::new(format!("{n:04}"), n));
    assert_eq!(
        service
            .execute(CommandRequest::new_hmset("t", pairs))
            .status,
        200
    );
    let (mut found, mut cursor) = (0, String::new());
    loop {
        let path = format!("/tables/t?limit=1000{cursor}");
        let (status, body) = ask(web.http, &request("GET", &path, "")).await;
        assert_eq!(status, 200);
        let page: serde_json::Value = serde_json::from_str(&body).unwrap();
        for pair in page["pairs"].as_array().unwrap() {
            assert_eq!(pair["key"], format!("{found:04}"));
            assert_eq!(pair["value"], found);
            found += 1;
        }
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(found, 2500);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn grpc_does_what_the_service_does() {
    let web = start(&service(), Options::default());
    let mut client = connect(web.grpc).await;
    let set = CommandRequest::new_hset("t", "k", "v".into());
    let response = client.execute(set).await.unwrap().into_inner();
    assert_eq!(
        (response.status, &*response.values),
        (200, &[Value::default()][..])
    );
    let missing = client
        .execute(CommandRequest::new_hget("t", "none"))
        .await
        .unwrap();
    assert_eq!(missing.into_inner().status, 404);
    let topic = "news".to_owned();
    let mut stream = client
        .subscribe(Subscribe { topic })
        .await
        .unwrap()
        .into_inner();
    let first = stream.next().await.unwrap().unwrap();
    let id = u32::try_from(i64::try_from(first.values[0].clone()).unwrap()).unwrap();
    for n in 0..100 {
        let publish = CommandRequest::new_publish("news", [n.into()]);
        assert_eq!(
            client.execute(publish).await.unwrap().into_inner().values,
            [1.into()]
        );
        assert_eq!(stream.next().await.unwrap().unwrap().values, [n.into()]);
    }
    let end = CommandRequest::new_unsubscribe("news", id);
    assert_eq!(client.execute(end).await.unwrap().into_inner().status, 200);
    assert!(stream.next().await.is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_and_hooks_hold_for_both() {
    let limits = Limits {
        frame_bytes: 1000,
        ..Limits::default()
    };
    let service: Service = ServiceInner::new(MemTable::new())
        .limits(limits)
        .fn_received(
            |request: &CommandRequest| match format!("{request:?}").contains("secret") {
                true => Err(KvError::Forbidden("no".to_owned())),
                false => Ok(()),
            },
        )
        .into();
    let web = start(&service, Options::default());
    let large = format!("\"{}\"", "x".repeat(1001));
    assert_eq!(
        ask(web.http, &request("PUT", "/tables/t/k", &large))
            .await
            .0,
        413
    );
    assert_eq!(
        ask(web.http, &request("GET", "/tables/secret/k", ""))
            .await
            .0,
        403
    );
    assert_eq!(
        ask(web.http, &request("GET", "/tables/secret", "")).await.0,
        403
    );
    assert_eq!(
        ask(web.http, &request("GET", "/topics/secret", "")).await.0,
        403
    );
    let mut client = connect(web.grpc).await;
    let set = CommandRequest::new_hset("t", "k", "x".repeat(1001).into());
    assert!(client.execute(set).await.is_err());
    let get = CommandRequest::new_hget("secret", "k");
    assert_eq!(client.execute(get).await.unwrap().into_inner().status, 403);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_are_limited_and_idle_ones_closed() {
    let options = Options {
        max_connections: 1,
        idle: Some(Duration::from_millis(200)),
        ..Options::default()
    };
    let web = start(&service(), options);
    for address in [web.http, web.grpc] {
        let mut one = TcpStream::connect(address).await.unwrap();
        let mut two = TcpStream::connect(address).await.unwrap();
        for io in [&mut two, &mut one] {
            // Nothing is sent: the first is closed for it, the second because of the first.
            let mut rest = Vec::new();
            let end = tokio::time::timeout(PATIENCE, io.read_to_end(&mut rest)).await;
            end.expect("it is closed").ok();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_ends_streams_and_servers() {
    let mut web = start(&service(), Options::default());
    let mut client = connect(web.grpc).await;
    let topic = "news".to_owned();
    let mut stream = client
        .subscribe(Subscribe { topic })
        .await
        .unwrap()
        .into_inner();
    stream.next().await.unwrap().unwrap();
    let events = tokio::spawn({
        let ask = request("GET", "/topics/news", "");
        async move { self::ask(web.http, &ask).await }
    });
    let both = async {
        while web.server.service().topics().len() < 2 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, both)
        .await
        .expect("two listen");
    web.server.stop();
    let end = stream.next().await.unwrap().unwrap_err();
    assert_eq!(end.code(), tonic::Code::Unavailable);
    let (status, text) = events.await.unwrap();
    assert_eq!(status, 200);
    assert!(text.contains("event: end"), "{text}");
    drop((client, stream));
    let ended = async { while web.tasks.join_next().await.is_some() {} };
    tokio::time::timeout(PATIENCE, ended)
        .await
        .expect("both end");
}
