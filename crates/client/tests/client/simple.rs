//! The clients of the tutorial: one connection, blocking, buffered; on Ochre and on real servers.

use crate::servers::{until, with_each};
use ochre_client::{BlockingClient, BufferedClient, Client, Pipeline, Value, blocking, cmd};
use std::time::Duration;
use tokio_stream::StreamExt as _;

#[test]
fn the_handful_of_commands() {
    with_each(|address| async move {
        let mut client = Client::connect(&address).await.expect("a connection");
        assert_eq!(client.ping(None).await.expect("a reply"), "PONG");
        let hello = client.ping(Some("hello".into())).await.expect("a reply");
        assert_eq!(hello, "hello");
        assert_eq!(client.get("k").await.expect("a reply"), None);
        client.set("k", "v".into()).await.expect("a reply");
        assert_eq!(client.get("k").await.expect("a reply"), Some("v".into()));
        let soon = Duration::from_nanos(1);
        client
            .set_expires("k", "w".into(), soon)
            .await
            .expect("a reply");
        until("the key expires", async || {
            let mut client = Client::connect(&address).await.expect("a connection");
            client.get("k").await.expect("a reply").is_none()
        })
        .await;
        let nobody = client.publish("c", "m".into()).await.expect("a reply");
        assert_eq!(nobody, 0);
    });
}

#[test]
fn messages_as_a_stream() {
    with_each(|address| async move {
        let mut publisher = Client::connect(&address).await.expect("a connection");
        let listener = Client::connect(&address).await.expect("a connection");
        let mut subscriber = listener
            .subscribe(vec!["a".into()])
            .await
            .expect("a subscription");
        subscriber
            .subscribe(&["b".into()])
            .await
            .expect("a subscription");
        assert_eq!(subscriber.get_subscribed(), ["a", "b"]);
        subscriber
            .unsubscribe(&["a".into()])
            .await
            .expect("a confirmation");
        assert_eq!(
            publisher.publish("a", "x".into()).await.expect("a reply"),
            0
        );
        for text in ["1", "2"] {
            let heard = publisher.publish("b", text.into()).await.expect("a reply");
            assert_eq!(heard, 1);
        }
        let messages = subscriber.into_stream().take(2).map(|m| {
            let message = m.expect("a message");
            (message.channel, message.content)
        });
        let got: Vec<_> = messages.collect().await;
        assert_eq!(got, [("b".into(), "1".into()), ("b".into(), "2".into())]);
    });
}

#[test]
fn blocking() {
    with_each(|address| async move {
        // It must not be used inside a runtime, so it has a thread.
        let work = move || -> ochre_client::Result<()> {
            let mut client = BlockingClient::connect(&address)?;
            assert_eq!(client.ping(None)?, "PONG");
            client.set("k", "v".into())?;
            assert_eq!(client.get("k")?, Some("v".into()));
            client.set_expires("k", "v".into(), Duration::from_secs(100))?;
            let ttl: i64 = client.run(cmd("TTL").arg("k"))?;
            assert!((99..=100).contains(&ttl), "{ttl}");
            let mut pipeline = Pipeline::new();
            pipeline.add(cmd("INCR").arg("n")).add(cmd("INCR").arg("n"));
            assert_eq!(client.pipeline::<(i64, i64)>(&pipeline)?, (1, 2));
            let error = client.run::<Value>(cmd("INCR").arg("k"));
            assert!(error.is_err_and(|e| e.as_server().is_some()));
            let mut subscriber = blocking::connect(&address)?.subscribe(vec!["c".into()])?;
            subscriber.subscribe(&["d".into()])?;
            subscriber.unsubscribe(&["c".into()])?;
            assert_eq!(subscriber.get_subscribed(), ["d"]);
            assert_eq!(client.publish("d", "m".into())?, 1);
            let message = subscriber.next_message()?.expect("a message");
            assert_eq!((&*message.channel, &message.content[..]), ("d", &b"m"[..]));
            assert_eq!(client.publish("d", "n".into())?, 1);
            let mut messages = subscriber.messages();
            let message = messages.next().expect("a message")?;
            assert_eq!(&message.content[..], b"n");
            Ok(())
        };
        let done = tokio::task::spawn_blocking(work).await;
        done.expect("a thread that ends").expect("replies");
    });
}

#[test]
fn buffered() {
    with_each(|address| async move {
        let client = Client::connect(&address).await.expect("a connection");
        let client = BufferedClient::buffer(client);
        let tasks: Vec<_> = (0..20_u32)
            .map(|n| {
                let mut client = client.clone();
                tokio::spawn(async move {
                    let (key, value) = (format!("k{n}"), n.to_string());
                    client
                        .set(&key, value.clone().into())
                        .await
                        .expect("a reply");
                    let back = client.get(&key).await.expect("a reply");
                    assert_eq!(back, Some(value.into()));
                })
            })
            .collect();
        for task in tasks {
            task.await.expect("a task that ends");
        }
        assert_eq!(client.into_inner().connections(), 1);
    });
}
