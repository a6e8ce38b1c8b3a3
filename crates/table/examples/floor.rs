//! What the table front is measured beside: the plainest server of its protocol, a codec around a map.
//!
//! `cargo run --release -p ochre-table --example floor -- ADDRESS THREADS`

use bytes::Bytes;
use dashmap::DashMap;
use futures_util::{SinkExt, StreamExt as _};
use ochre_table::command_request::RequestData;
use ochre_table::{CommandRequest, CommandResponse, Value};
use prost::Message as _;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::codec::{Framed, LengthDelimitedCodec};

type Map = Arc<DashMap<(String, String), Value>>;

fn execute(map: &Map, frame: &[u8]) -> CommandResponse {
    match CommandRequest::decode(frame).map(|request| request.request_data) {
        Ok(Some(RequestData::Hget(r))) => match map.get(&(r.table, r.key)) {
            Some(value) => value.value().clone().into(),
            None => CommandResponse::failed(404, "Not found"),
        },
        Ok(Some(RequestData::Hset(r))) => {
            let pair = r.pair.unwrap_or_default();
            let previous = map.insert((r.table, pair.key), pair.value.unwrap_or_default());
            previous.unwrap_or_default().into()
        }
        _ => CommandResponse::failed(400, "Hget and Hset only"),
    }
}

async fn serve(socket: TcpStream, map: Map) {
    let mut stream = Framed::new(socket, LengthDelimitedCodec::new());
    // As many as have arrived are answered by one write.
    while let Some(Ok(frame)) = stream.next().await {
        let mut next = Some(frame);
        while let Some(frame) = next {
            let response = execute(&map, &frame).encode_to_vec();
            if stream.feed(Bytes::from(response)).await.is_err() {
                return;
            }
            next = match futures_util::FutureExt::now_or_never(stream.next()) {
                Some(Some(Ok(frame))) => Some(frame),
                _ => None,
            };
        }
        if SinkExt::<Bytes>::flush(&mut stream).await.is_err() {
            return;
        }
    }
}

fn main() -> std::io::Result<()> {
    let mut args = std::env::args().skip(1);
    let address = args.next().unwrap_or("127.0.0.1:9527".to_owned());
    let threads = args.next().and_then(|n| n.parse().ok()).unwrap_or(2);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(address).await?;
        let map = Map::default();
        loop {
            let (socket, _) = listener.accept().await?;
            socket.set_nodelay(true)?;
            tokio::spawn(serve(socket, map.clone()));
        }
    })
}
