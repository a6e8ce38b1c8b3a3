//! Publishes six numbers and prints the first three that one digit is enough for.

use ochre::{Result, client};
use tokio_stream::StreamExt;

#[tokio::main]
async fn main() -> Result<()> {
    let address = std::env::args()
        .nth(1)
        .unwrap_or("127.0.0.1:6379".to_owned());
    let listener = client::connect(&address).await?;
    let subscriber = listener.subscribe(vec!["numbers".to_owned()]).await?;

    let publishing = tokio::spawn(async move {
        let mut client = client::connect(address).await?;
        for number in ["1", "two", "3", "four", "five", "6"] {
            client.publish("numbers", number.into()).await?;
        }
        Ok::<(), ochre::Error>(())
    });

    let numbers = subscriber
        .into_stream()
        .filter_map(|message| message.ok())
        .filter(|message| message.content.len() == 1)
        .take(3);
    tokio::pin!(numbers);
    while let Some(message) = numbers.next().await {
        println!("got = {message:?}");
    }
    publishing.await?
}
