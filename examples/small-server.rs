//! A server of one's own in a page: SET and GET over a map that all connections share.
//!
//! `cargo run --example small-server`, then `cargo run --example hello-redis`.

use bytes::Bytes;
use ochre::{Command, Connection, Frame, Result};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use tokio::net::{TcpListener, TcpStream};

type Map = Arc<Mutex<HashMap<String, Bytes>>>;

#[tokio::main]
async fn main() -> Result<()> {
    let address = std::env::args()
        .nth(1)
        .unwrap_or("127.0.0.1:6379".to_owned());
    let listener = TcpListener::bind(address).await?;
    println!("listening on {}", listener.local_addr()?);
    let map = Map::default();
    loop {
        let (socket, _) = listener.accept().await?;
        let map = map.clone();
        tokio::spawn(async move {
            if let Err(error) = serve(socket, map).await {
                eprintln!("a connection failed: {error}");
            }
        });
    }
}

async fn serve(socket: TcpStream, map: Map) -> Result<()> {
    let mut connection = Connection::new(socket);
    while let Some(frame) = connection.read_frame().await? {
        let reply = match Command::from_frame(frame)? {
            Command::Set(set) => {
                let mut map = map.lock().map_err(|_| "another connection panicked")?;
                map.insert(set.key().to_owned(), set.value().clone());
                Frame::Simple("OK".to_owned())
            }
            Command::Get(get) => {
                let map = map.lock().map_err(|_| "another connection panicked")?;
                map.get(get.key()).cloned().map_or(Frame::Null, Frame::Bulk)
            }
            other => Frame::Error(format!("ERR not implemented: {other:?}")),
        };
        connection.write_frame(&reply).await?;
    }
    Ok(())
}
