//! Sets a key and reads it again.
//!
//! `cargo run --release` in one terminal, `cargo run --example hello-redis` in another.

use ochre::{Result, client};

#[tokio::main]
async fn main() -> Result<()> {
    let address = std::env::args()
        .nth(1)
        .unwrap_or("127.0.0.1:6379".to_owned());
    let mut client = client::connect(address).await?;

    client.set("hello", "world".into()).await?;
    let result = client.get("hello").await?;

    println!("got value from the server; result={result:?}");
    Ok(())
}
