//! A task that owns the connection, and others that send it commands with a place for the answer.
//!
//! What `client::MultiplexedClient` does for you, done by hand with one request at a time.

use bytes::Bytes;
use ochre::{Result, client};
use tokio::sync::{mpsc, oneshot};

/// Where the manager puts an answer.
type Responder<T> = oneshot::Sender<Result<T>>;

enum Command {
    Get {
        key: String,
        answer: Responder<Option<Bytes>>,
    },
    Set {
        key: String,
        value: Bytes,
        answer: Responder<()>,
    },
}

#[tokio::main]
async fn main() -> Result<()> {
    let address = std::env::args()
        .nth(1)
        .unwrap_or("127.0.0.1:6379".to_owned());
    // A full channel makes the senders wait.
    let (sender, mut commands) = mpsc::channel(32);

    let manager = tokio::spawn(async move {
        let mut client = client::connect(address).await?;
        while let Some(command) = commands.recv().await {
            // Nobody waits any more: the answer is dropped.
            match command {
                Command::Get { key, answer } => drop(answer.send(client.get(&key).await)),
                Command::Set { key, value, answer } => {
                    drop(answer.send(client.set(&key, value).await))
                }
            }
        }
        Ok::<(), ochre::Error>(())
    });

    let writer = sender.clone();
    let write = tokio::spawn(async move {
        let (answer, reply) = oneshot::channel();
        let command = Command::Set {
            key: "foo".to_owned(),
            value: "bar".into(),
            answer,
        };
        writer.send(command).await?;
        println!("SET answered {:?}", reply.await?);
        Ok::<(), ochre::Error>(())
    });
    write.await??;

    let read = tokio::spawn(async move {
        let (answer, reply) = oneshot::channel();
        let command = Command::Get {
            key: "foo".to_owned(),
            answer,
        };
        sender.send(command).await?;
        println!("GET answered {:?}", reply.await?);
        Ok::<(), ochre::Error>(())
    });
    read.await??;
    manager.await?
}
