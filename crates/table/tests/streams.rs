//! Memory of the server when the streams of a connection of yamux have unread data. A program of its own, because it
//! looks at the memory of the process; on Linux only.
#![cfg(all(feature = "server", target_os = "linux"))]

mod raw;

use ochre_table::server::{Options, Server, bind};
use ochre_table::{CommandRequest, MemTable, Service, ServiceInner};
use raw::{PATIENCE, frame, receive, streams};
use std::net::SocketAddr;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

/// Streams that a connection may have, and the window of each.
const STREAMS: u32 = 256;
const WINDOW: usize = 256 * 1024;
/// More than a stream may send without being asked to go on, so that it reads no further.
const STUCK: usize = 300_000;

/// Resident bytes of this process.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find(|line| line.starts_with("VmRSS"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1));
    1024 * kib
        .and_then(|kib| kib.parse::<usize>().ok())
        .expect("a number")
}

/// Appends a data frame of yamux.
fn put_data(out: &mut Vec<u8>, stream: u32, flags: u8, data: &[u8]) {
    out.extend([0, 0, 0, flags]);
    out.extend(stream.to_be_bytes());
    out.extend((data.len() as u32).to_be_bytes());
    out.extend(data);
}

/// A connection whose streams each wait for room for a response, so that they read nothing more.
async fn stuck(address: SocketAddr) -> (OwnedReadHalf, OwnedWriteHalf) {
    let tcp = TcpStream::connect(address).await.expect("it listens");
    let (reader, mut writer) = tcp.into_split();
    let ask = frame(&CommandRequest::new_hget("t", "large"));
    let mut bytes = Vec::new();
    for stream in 0..STREAMS {
        put_data(&mut bytes, 2 * stream + 1, 1, &ask);
    }
    writer.write_all(&bytes).await.expect("it is read");
    (reader, writer)
}

/// Fills the windows of `count` streams by frames of `len` bytes; whether the server took all.
async fn fill(writer: &mut OwnedWriteHalf, count: u32, len: usize) -> bool {
    let data = vec![0; len];
    let most = WINDOW - 1000;
    for stream in 0..count {
        let mut bytes = Vec::new();
        for _ in 0..most / len {
            put_data(&mut bytes, 2 * stream + 1, 0, &data);
        }
        if writer.write_all(&bytes).await.is_err() {
            return false;
        }
    }
    true
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unread_data_of_streams_is_bounded() {
    let service: Service = ServiceInner::new(MemTable::new()).into();
    let large = CommandRequest::new_hset("t", "large", "x".repeat(STUCK).into());
    assert_eq!(service.execute(large).status, 200);
    let listener = bind(([127, 0, 0, 1], 0).into()).expect("a free port");
    let address = listener.local_addr().expect("bound");
    let options = Options {
        yamux: true,
        ..Options::default()
    };
    let server = Server::new(service, options);
    let accepting = server.clone();
    tokio::spawn(async move { accepting.accept(listener).await });
    // The responses that wait, twice because of the frames that they are cut into, and the data that is unread.
    let most = 2 * STREAMS as usize * STUCK + STREAMS as usize * WINDOW * 3 / 2;

    let before = resident();
    let (reader, mut writer) = stuck(address).await;
    assert!(fill(&mut writer, STREAMS, 16 * 1024).await);
    // Others are served by another connection meanwhile.
    let (mut others, _) = streams(address, 1).await;
    let ask = frame(&CommandRequest::new_hexist("t", "large"));
    others[0].write_all(&ask).await.unwrap();
    assert_eq!(receive(&mut others[0]).await.values, [true.into()]);
    assert_eq!(server.connections(), 2 + 256 + 1);
    let grown = resident().saturating_sub(before);
    println!("windows filled: {grown} bytes");
    assert!(grown < most, "{grown} bytes");
    drop((reader, writer));

    // A byte a frame costs more to keep than it brings: the connection is ended before it holds much more.
    let (reader, mut writer) = stuck(address).await;
    let filled = tokio::time::timeout(PATIENCE, fill(&mut writer, 16, 1)).await;
    assert!(!filled.expect("in time"), "it is ended");
    let grown = resident().saturating_sub(before);
    println!("a byte a frame: {grown} bytes");
    assert!(grown < most, "{grown} bytes");
    drop((reader, writer));
    let left = async {
        while server.connections() > 2 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, left).await.expect("they go");
}
