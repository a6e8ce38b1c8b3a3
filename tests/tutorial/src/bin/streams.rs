//! Publish and subscribe, with stream adapters.

use mini_redis::client;
use tokio_stream::StreamExt;

async fn publish() -> mini_redis::Result<()> {
    let mut client = client::connect(ochre_tutorial::address()).await?;
    client.publish("numbers", "1".into()).await?;
    client.publish("numbers", "two".into()).await?;
    client.publish("numbers", "3".into()).await?;
    client.publish("numbers", "four".into()).await?;
    client.publish("numbers", "five".into()).await?;
    client.publish("numbers", "6".into()).await?;
    Ok(())
}

async fn subscribe() -> mini_redis::Result<()> {
    let client = client::connect(ochre_tutorial::address()).await?;
    let subscriber = client.subscribe(vec!["numbers".to_string()]).await?;
    let publishing = tokio::spawn(async { publish().await });
    let messages = subscriber
        .into_stream()
        .filter(|msg| match msg {
            Ok(msg) if msg.content.len() == 1 => true,
            _ => false,
        })
        .map(|msg| msg.unwrap().content)
        .take(3);

    tokio::pin!(messages);

    while let Some(msg) = messages.next().await {
        println!("got = {:?}", msg);
    }
    publishing.await?
}

#[tokio::main]
async fn main() -> mini_redis::Result<()> {
    subscribe().await?;
    println!("DONE");
    Ok(())
}
