//! The multiplexed client, pipelines and walks, on Ochre and on real Redis servers.

use crate::servers::{client, until, with_each};
use ochre_client::{
    Config, Error, ErrorKind, Executed, MultiplexedClient, Pipeline, Speak, Value, cmd, commands,
};
use ochre_testkit::rng::Rng;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;
use tokio_stream::StreamExt as _;

/// What is asked of every protocol version.
async fn typed(client: MultiplexedClient) -> Result<(), Error> {
    assert!(client.set("k", "v").await?);
    assert!(!client.set("k", "w").nx().await?);
    assert_eq!(client.get("k").await?.as_deref(), Some(&b"v"[..]));
    assert_eq!(client.get("none").await?, None);
    assert_eq!(client.incrby("n", 40).await?, 40);
    let n: u16 = client.get("n").returning().await?;
    assert_eq!(n, 40);
    client.mset([("a", "1"), ("b", "2")]).await?;
    let values: Vec<Option<String>> = client.mget(["a", "none", "b"]).returning().await?;
    assert_eq!(values, [Some("1".into()), None, Some("2".into())]);
    assert_eq!(client.hset("h", [("f", "1"), ("g", "2")]).await?, 2);
    let hash: BTreeMap<String, i64> = client.hgetall("h").returning().await?;
    assert_eq!(hash, BTreeMap::from([("f".into(), 1), ("g".into(), 2)]));
    let hash: HashMap<String, String> = client.run(cmd("HGETALL").arg("h")).await?;
    assert_eq!(hash.len(), 2);
    assert_eq!(
        client.zadd("z", [(1.5, "a"), (f64::INFINITY, "b")]).await?,
        2
    );
    let range: Vec<(String, f64)> = client.zrange("z", 0, -1).withscores().returning().await?;
    assert_eq!(range, [("a".into(), 1.5), ("b".into(), f64::INFINITY)]);
    client.sadd("s", ["x", "y", "x"]).await?;
    let set: BTreeSet<String> = client.smembers("s").returning().await?;
    assert_eq!(set, BTreeSet::from(["x".into(), "y".into()]));
    let odd = [0_u8, b'\r', b'\n', 255];
    client.set(odd, odd).await?;
    assert_eq!(client.get(odd).await?.as_deref(), Some(&odd[..]));
    assert_eq!(client.del(["k", "a", "none"]).await?, 2);
    Ok(())
}

#[test]
fn typed_commands_in_both_protocols() {
    with_each(|address| async move {
        for speak in [Speak::Resp2, Speak::Newest, Speak::Resp3] {
            let config = Config::parse(&address).expect("an address").speak(speak);
            let client = MultiplexedClient::connect(config)
                .await
                .expect("a connection");
            assert_eq!(client.is_resp3(), speak != Speak::Resp2);
            client.flushall().await.expect("a reply");
            typed(client).await.expect("replies");
        }
    });
}

#[test]
fn errors_say_what_and_whether() {
    with_each(|address| async move {
        let client = client(&address).await;
        client.rpush("list", ["x"]).await.expect("a reply");
        let error = client.get("list").await.expect_err("a wrong type");
        assert_eq!(error.as_server().map(|e| e.code()), Some("WRONGTYPE"));
        assert_eq!(error.executed(), Executed::Answered);
        assert!(error.to_string().starts_with("WRONGTYPE "), "{error}");
        client.set("text", "abc").await.expect("a reply");
        let error = client
            .get("text")
            .returning::<i64>()
            .await
            .expect_err("no number");
        assert!(
            matches!(error.kind(), ErrorKind::Conversion(_)),
            "{error:?}"
        );
        for words in [
            "SUBSCRIBE x",
            "blpop x 0",
            "MULTI",
            "SELECT 1",
            "XREAD BLOCK 0 STREAMS a 0",
            "",
        ] {
            let error = client
                .run::<Value>(cmd(words))
                .await
                .expect_err("a refusal");
            assert!(
                matches!(error.kind(), ErrorKind::Unsuitable(_)),
                "{words}: {error:?}"
            );
            assert_eq!(error.executed(), Executed::No);
        }
        assert_eq!(client.in_flight(), 0);
    });
}

#[test]
fn many_tasks_get_their_own_answers_whoever_gives_up() {
    with_each(|address| async move {
        let config = Config::parse(&address)
            .expect("an address")
            .queue_requests(48);
        let client = MultiplexedClient::connect(config)
            .await
            .expect("a connection");
        let tasks: Vec<_> = (0..64_u64)
            .map(|task| {
                let client = client.clone();
                tokio::spawn(async move {
                    let mut rng = Rng::seeded(task);
                    for i in 0..400 {
                        let text = format!("{task}:{i}:{}", "x".repeat(rng.index(300)));
                        if rng.chance(20) {
                            // Polled a few times at most, then dropped, wherever it stands.
                            let request = std::future::IntoFuture::into_future(client.echo(&text));
                            let some = rng.index(4);
                            let mut request = Box::pin(request);
                            for _ in 0..some {
                                tokio::select! {
                                    biased;
                                    reply = &mut request => {
                                        assert_eq!(reply.expect("a reply"), text);
                                        break;
                                    }
                                    () = tokio::task::yield_now() => {}
                                }
                            }
                            continue;
                        }
                        assert_eq!(client.echo(&text).await.expect("a reply"), text);
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.expect("a task that ends");
        }
        until("abandoned requests leave", || async {
            client.in_flight() == 0
        })
        .await;
        assert_eq!(client.connections(), 1);
    });
}

#[test]
fn large_values_pass_between_small_ones() {
    with_each(|address| async move {
        let client = client(&address).await;
        let large = vec![b'x'; 12 << 20];
        let (set, small) = tokio::join!(async { client.set("large", &large).await }, async {
            client.set("small", "s").await
        });
        assert!(set.expect("a reply") && small.expect("a reply"));
        let (large_read, small) = tokio::join!(async { client.get("large").await }, async {
            client.get("small").await
        });
        assert!(
            large_read
                .expect("a reply")
                .is_some_and(|v| v[..] == large[..])
        );
        assert_eq!(small.expect("a reply").as_deref(), Some(&b"s"[..]));
    });
}

#[test]
fn pipelines_plain_and_atomic() {
    with_each(|address| async move {
        let client = client(&address).await;
        let mut pipeline = Pipeline::new();
        for i in 0..10_000 {
            pipeline.add(commands::set(format!("k{i}"), i));
        }
        let all: Vec<bool> = client.pipeline(&pipeline).await.expect("replies");
        assert!(all.len() == 10_000 && all.iter().all(|ok| *ok));

        let mut atomic = Pipeline::atomic();
        atomic
            .add(commands::incr("n"))
            .add(commands::lpop("k1"))
            .add(commands::incr("n"));
        let replies: (i64, Result<Value, Error>, i64) =
            client.pipeline(&atomic).await.expect("replies");
        assert_eq!((replies.0, replies.2), (1, 2));
        let error = replies.1.expect_err("a wrong type");
        assert_eq!(error.as_server().map(|e| e.code()), Some("WRONGTYPE"));

        let mut refused = Pipeline::atomic();
        refused.add(commands::incr("n")).add(cmd("GET"));
        let error = client
            .pipeline::<Vec<Value>>(&refused)
            .await
            .expect_err("a refusal");
        assert!(
            error.to_string().contains("wrong number of arguments"),
            "{error}"
        );
        let n: i64 = client.get("n").returning().await.expect("a reply");
        assert_eq!(n, 2, "nothing of a refused transaction runs");

        let mut blocking = Pipeline::new();
        blocking.add(cmd("BLPOP x 0"));
        let error = client
            .pipeline::<Vec<Value>>(&blocking)
            .await
            .expect_err("a refusal");
        assert!(
            matches!(error.kind(), ErrorKind::Unsuitable(_)),
            "{error:?}"
        );
        let none: Vec<Value> = client.pipeline(&Pipeline::new()).await.expect("nothing");
        assert!(none.is_empty());
    });
}

#[test]
fn walks_find_everything() {
    with_each(|address| async move {
        let client = client(&address).await;
        let mut pipeline = Pipeline::new();
        for i in 0..3000 {
            pipeline.add(commands::set(format!("key:{i}"), i));
            pipeline.add(commands::hset("hash", [(format!("f{i}"), i)]));
            pipeline.add(commands::zadd(
                "zset",
                [(f64::from(i) / 2.0, format!("m{i}"))],
            ));
        }
        client
            .pipeline::<Vec<Value>>(&pipeline)
            .await
            .expect("replies");
        let mut keys = client
            .scan_stream()
            .pattern("key:*")
            .count(50)
            .of_type("string");
        let mut found = BTreeSet::new();
        while let Some(key) = keys.next().await {
            found.insert(key.expect("a key"));
        }
        assert_eq!(found.len(), 3000);
        let fields: HashMap<_, _> = client
            .hscan_stream("hash")
            .map(|pair| pair.expect("a pair"))
            .collect::<Vec<_>>()
            .await
            .into_iter()
            .collect();
        assert_eq!(fields.len(), 3000);
        assert_eq!(fields.get(&b"f7"[..]).map(|v| &v[..]), Some(&b"7"[..]));
        let mut members = client.zscan_stream("zset").count(100);
        let mut scores = BTreeMap::new();
        while let Some(pair) = members.next().await {
            let (member, score) = pair.expect("a pair");
            scores.insert(member, score);
        }
        assert_eq!(scores.len(), 3000);
        assert_eq!(scores.get(&b"m9"[..]), Some(&4.5));
        let error = client.hscan_stream("zset").next().await.expect("an item");
        assert!(error.is_err());
    });
}

#[test]
fn it_connects_again_and_says_what_became_of_requests() {
    with_each(|address| async move {
        let config = Config::parse(&address)
            .expect("an address")
            .backoff(Duration::from_millis(1), Duration::from_millis(20));
        let client = MultiplexedClient::connect(config)
            .await
            .expect("a connection");
        let other = crate::servers::client(&address).await;
        for round in 1..4 {
            let id = client.client_id().await.expect("a reply");
            let killed = other.client_kill(["ID".to_owned(), id.to_string()]).await;
            assert_eq!(killed.expect("a reply"), 1);
            // One request may meet the connection's end; it says so, and the next one finds another.
            until("another connection", || async {
                client.connections() > round
            })
            .await;
            client.set("after", round).await.expect("a reply");
            assert_ne!(client.client_id().await.expect("a reply"), id);
        }
        client.close();
        let error = client.get("after").await.expect_err("a closed client");
        assert!(matches!(error.kind(), ErrorKind::Closed), "{error:?}");
        assert_eq!(error.executed(), Executed::No);
    });
}
