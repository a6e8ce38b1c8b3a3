//! A chat over publish/subscribe: what you type goes to everybody in the room.
//!
//! `cargo run --example chat -- room name [host:port]`

use ochre::Result;
use ochre::client::MultiplexedClient;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio_stream::StreamExt;

#[tokio::main]
async fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let (Some(room), Some(name)) = (args.next(), args.next()) else {
        return Err("usage: chat ROOM NAME [HOST:PORT]".into());
    };
    let address = args.next().unwrap_or("127.0.0.1:6379".to_owned());
    let client = MultiplexedClient::connect(address).await?;
    let mut messages = client.subscribe([&room]).await?;
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    client.publish(&room, format!("* {name} is here")).await?;
    loop {
        tokio::select! {
            line = lines.next_line() => match line? {
                Some(line) => drop(client.publish(&room, format!("{name}: {line}")).await?),
                None => break,
            },
            Some(message) = messages.next() => {
                println!("{}", String::from_utf8_lossy(&message?.payload));
            }
        }
    }
    client.publish(&room, format!("* {name} has left")).await?;
    Ok(())
}
