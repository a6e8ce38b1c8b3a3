//! A client of the table front in a page: tokio-util's codec and the messages.
//!
//! Works with `cargo run --example table-server`, and with `ochre-server --table-port 9527`.

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use ochre::table::{CommandRequest, CommandResponse};
use prost::Message as _;
use tokio::net::TcpStream;
use tokio_util::codec::{Framed, LengthDelimitedCodec};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1);
    let socket = TcpStream::connect(address.as_deref().unwrap_or("127.0.0.1:9527")).await?;
    let mut stream = Framed::new(socket, LengthDelimitedCodec::new());
    let set = CommandRequest::new_hset("table1", "hello", "world".into());
    let get = CommandRequest::new_hget("table1", "hello");
    for request in [set, get] {
        stream.send(Bytes::from(request.encode_to_vec())).await?;
        let frame = stream.next().await.ok_or("the server left")??;
        println!("{:?}", CommandResponse::decode(frame)?);
    }
    Ok(())
}
