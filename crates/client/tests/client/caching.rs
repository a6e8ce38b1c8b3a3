//! Client-side caching, on servers that track.

use crate::servers::{client, until, with_each};
use ochre_client::{CachedClient, Config, ErrorKind, MultiplexedClient, Speak, cmd};

async fn cached(address: &str, capacity: usize) -> CachedClient {
    CachedClient::over(client(address).await, capacity)
        .await
        .expect("a server that tracks")
}

#[test]
fn a_value_is_asked_for_once_until_it_changes() {
    with_each(|address| async move {
        let writer = client(&address).await;
        writer.set("k", "1").await.expect("a reply");
        let cached = cached(&address, 10).await;
        for _ in 0..5 {
            let value = cached.get("k").await.expect("a reply");
            assert_eq!(value.as_deref(), Some(&b"1"[..]));
            assert_eq!(cached.get("none").await.expect("a reply"), None);
        }
        assert_eq!(cached.hits_and_misses(), (8, 2));
        for new in ["2", "3"] {
            writer.set("k", new).await.expect("a reply");
            until("the new value is seen", || async {
                cached.get("k").await.expect("a reply").as_deref() == Some(new.as_bytes())
            })
            .await;
        }
        writer.set("none", "now").await.expect("a reply");
        until("a key that was not there is seen", || async {
            cached.get("none").await.expect("a reply").is_some()
        })
        .await;
        writer.flushall().await.expect("a reply");
        until("a flush is seen", || async {
            cached.get("k").await.expect("a reply").is_none()
        })
        .await;
    });
}

#[test]
fn no_more_is_kept_than_allowed_and_the_oldest_goes() {
    with_each(|address| async move {
        let cached = cached(&address, 3).await;
        for key in ["a", "b", "c", "a", "d"] {
            cached.get(key).await.expect("a reply");
        }
        assert_eq!((cached.len(), cached.capacity()), (3, 3));
        let (hits, _) = cached.hits_and_misses();
        assert_eq!(hits, 1, "a");
        cached.get("a").await.expect("a reply");
        assert_eq!(cached.hits_and_misses().0, 2, "a was used after b");
        cached.get("b").await.expect("a reply");
        assert_eq!(cached.hits_and_misses().0, 2, "b has gone");
    });
}

#[test]
fn a_lost_connection_is_a_lost_cache_and_tracking_goes_on() {
    with_each(|address| async move {
        let writer = client(&address).await;
        writer.set("k", "1").await.expect("a reply");
        let cached = cached(&address, 10).await;
        cached.get("k").await.expect("a reply");
        let before = cached.client().connections();
        let id: i64 = cached
            .client()
            .run(cmd("CLIENT ID"))
            .await
            .expect("a reply");
        writer
            .run::<i64>(cmd("CLIENT KILL ID").arg(id))
            .await
            .expect("a reply");
        writer.set("k", "2").await.expect("a reply");
        until("it has another connection", || async {
            cached.client().connections() > before
        })
        .await;
        let value = cached.get("k").await.expect("a reply");
        assert_eq!(value.as_deref(), Some(&b"2"[..]), "nothing old is given");
        writer.set("k", "3").await.expect("a reply");
        until("the new connection is told of changes", || async {
            cached.get("k").await.expect("a reply").as_deref() == Some(&b"3"[..])
        })
        .await;
    });
}

#[test]
fn a_reader_never_sees_time_run_backwards() {
    with_each(|address| async move {
        let writer = client(&address).await;
        let cached = cached(&address, 10).await;
        let writing = tokio::spawn(async move {
            for n in 0..2000_i64 {
                writer.set("n", n).await.expect("a reply");
            }
        });
        let mut last = -1;
        while last < 1999 {
            if let Some(value) = cached.get("n").await.expect("a reply") {
                let text = std::str::from_utf8(&value).expect("digits");
                let n: i64 = text.parse().expect("a number");
                assert!(n >= last, "{n} after {last}");
                last = n;
            }
            tokio::task::yield_now().await;
        }
        writing.await.expect("a task that ends");
    });
}

#[test]
fn without_resp3_it_is_refused() {
    with_each(|address| async move {
        let config = Config::parse(&address)
            .expect("an address")
            .speak(Speak::Resp2);
        let client = MultiplexedClient::connect(config)
            .await
            .expect("a connection");
        let error = CachedClient::over(client, 10).await.expect_err("RESP2");
        assert!(
            matches!(error.kind(), ErrorKind::Unsuitable(_)),
            "{error:?}"
        );
    });
}
