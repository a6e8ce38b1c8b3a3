//! A table server of one's own: a service behind tokio-util's codec.
//!
//! `cargo run --example table-server`, then `cargo run --example table-client`.

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use ochre::table::{CommandRequest, CommandResponse, MemTable, Service, ServiceInner};
use prost::Message as _;
use tokio::net::TcpListener;
use tokio_util::codec::{Framed, LengthDelimitedCodec};

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let address = std::env::args().nth(1);
    let listener = TcpListener::bind(address.as_deref().unwrap_or("127.0.0.1:9527")).await?;
    println!("listening on {}", listener.local_addr()?);
    let service: Service = ServiceInner::new(MemTable::new()).into();
    loop {
        let (socket, _) = listener.accept().await?;
        let service = service.clone();
        tokio::spawn(async move {
            let mut stream = Framed::new(socket, LengthDelimitedCodec::new());
            while let Some(Ok(frame)) = stream.next().await {
                let response = match CommandRequest::decode(frame) {
                    Ok(request) => service.execute(request),
                    Err(error) => CommandResponse::failed(400, error.to_string()),
                };
                if stream
                    .send(Bytes::from(response.encode_to_vec()))
                    .await
                    .is_err()
                {
                    break;
                }
            }
        });
    }
}
