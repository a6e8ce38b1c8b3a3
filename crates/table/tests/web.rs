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

/// What comes until the peer closes, and after how many seconds of the runtime's clock.
async fn rest_of(io: &mut TcpStream) -> (String, u64) {
    let start = tokio::time::Instant::now();
    let mut rest = Vec::new();
    // A reset is an end as well.
    io.read_to_end(&mut rest).await.ok();
    let rest = String::from_utf8_lossy(&rest).into_owned();
    (rest, start.elapsed().as_secs())
}

#[tokio::test(start_paused = true)]
async fn who_begins_nothing_is_closed() {
    let web = start(&service(), Options::default());
    for address in [web.http, web.grpc] {
        for beginning in ["", "P", "PRI * HTTP/2.0\r\n\r\n"] {
            let mut io = TcpStream::connect(address).await.unwrap();
            io.write_all(beginning.as_bytes()).await.unwrap();
            let (_, seconds) = rest_of(&mut io).await;
            assert!((29..=31).contains(&seconds), "{beginning:?} {seconds}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_head_that_trickles_in_ends_its_connection() {
    let web = start(&service(), Options::default());
    let (mut reader, mut writer) = TcpStream::connect(web.http).await.unwrap().into_split();
    let trickle = tokio::spawn(async move {
        writer
            .write_all(b"GET /tables/t/k HTTP/1.1\r\nx: ")
            .await
            .unwrap();
        while writer.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_secs(5)).await;
        }
    });
    let start = tokio::time::Instant::now();
    reader.read_to_end(&mut Vec::new()).await.ok();
    assert!((59..=61).contains(&start.elapsed().as_secs()));
    trickle.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_body_that_trickles_in_is_answered_408() {
    let web = start(&service(), Options::default());
    let mut io = TcpStream::connect(web.http).await.unwrap();
    let head = "PUT /tables/t/k HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n1";
    io.write_all(head.as_bytes()).await.unwrap();
    let (answer, seconds) = rest_of(&mut io).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!((59..=61).contains(&seconds), "{seconds}");
}

#[tokio::test(start_paused = true)]
async fn a_connection_may_rest_between_two_requests() {
    let web = start(&service(), Options::default());
    let mut io = TcpStream::connect(web.http).await.unwrap();
    for _ in 0..3 {
        let ask = request("GET", "/tables/t/k", "").replace("close", "keep-alive");
        io.write_all(ask.as_bytes()).await.unwrap();
        let mut answer = [0; 12];
        io.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 404");
        let mut rest = vec![0; 4096];
        while !rest.ends_with(b"}") {
            rest.resize(4096, 0);
            let read = io.read(&mut rest).await.unwrap();
            assert!(read > 0);
            rest.truncate(read);
        }
        tokio::time::sleep(Duration::from_secs(50)).await;
    }
    let (_, seconds) = rest_of(&mut io).await;
    assert!((9..=11).contains(&seconds), "{seconds}");
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
