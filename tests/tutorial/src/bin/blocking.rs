//! The same without async, and the buffered client that tasks share.

use mini_redis::Result;
use mini_redis::blocking_client;
use mini_redis::clients::{BlockingClient, BufferedClient, Client};

fn main() -> Result<()> {
    let mut client: BlockingClient = blocking_client::connect(ochre_tutorial::address())?;
    client.set("hello", "blocking".into())?;
    println!("blocking = {:?}", client.get("hello")?);

    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let client = BufferedClient::buffer(Client::connect(ochre_tutorial::address()).await?);
        let tasks: Vec<_> = (0..8)
            .map(|i| {
                let mut client = client.clone();
                tokio::spawn(async move {
                    let key = format!("buffered:{i}");
                    client.set(&key, i.to_string().into()).await?;
                    client.get(&key).await
                })
            })
            .collect();
        for task in tasks {
            print!("{:?} ", task.await??);
        }
        println!();
        Ok(())
    })
}
