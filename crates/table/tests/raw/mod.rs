//! A peer of the table front that writes frames itself, on a connection or on streams of yamux.

use ochre_table::{CommandRequest, CommandResponse, wire};
use prost::Message as _;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_util::compat::{Compat, FuturesAsyncReadCompatExt as _, TokioAsyncReadCompatExt as _};

pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn frame(request: &CommandRequest) -> Vec<u8> {
    let mut bytes = Vec::new();
    wire::put_message(&mut bytes, request);
    bytes
}

pub(crate) async fn receive(io: &mut (impl AsyncRead + Unpin)) -> CommandResponse {
    let read = async {
        let len = io.read_u32().await.expect("a response");
        let mut bytes = vec![0; len as usize];
        io.read_exact(&mut bytes).await.expect("a whole response");
        CommandResponse::decode(&bytes[..]).expect("a message")
    };
    tokio::time::timeout(PATIENCE, read).await.expect("in time")
}

/// Streams over one connection, and the task that drives it until it ends.
pub(crate) async fn streams(
    address: SocketAddr,
    count: usize,
) -> (Vec<Compat<yamux::Stream>>, JoinHandle<()>) {
    let tcp = TcpStream::connect(address).await.expect("a connection");
    let config = yamux::Config::default();
    let mut connection = yamux::Connection::new(tcp.compat(), config, yamux::Mode::Client);
    let mut streams = Vec::new();
    for _ in 0..count {
        let stream = poll_fn(|cx| connection.poll_new_outbound(cx)).await;
        streams.push(stream.expect("a stream").compat());
    }
    let driven = tokio::spawn(async move {
        while poll_fn(|cx| connection.poll_next_inbound(cx))
            .await
            .is_some()
        {}
    });
    (streams, driven)
}
