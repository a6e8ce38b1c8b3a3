//! The server inside a program: once without a socket, once on a port of the system's choice.

use ochre::client::MultiplexedClient;
use ochre::{Result, Server, in_process};

#[tokio::main]
async fn main() -> Result<()> {
    let quiet = Server::builder()
        .setting("maxmemory-policy", "allkeys-lru")
        .start()?;
    let client = MultiplexedClient::connect(in_process(&quiet)).await?;
    client
        .hset("user:1", [("name", "Ada"), ("lives", "London")])
        .await?;
    println!("{:?}", client.hgetall("user:1").await?);

    let listening = Server::builder().port(0).start()?;
    println!("also listening on {:?}", listening.address());

    // Both stop when they are dropped; this way says when.
    listening.stop().await;
    quiet.stop().await;
    Ok(())
}
