//! Connections of one caller: the pool, blocking commands, transactions, subscriptions, logins; on Ochre and on real
//! Redis servers.

use crate::servers::{client, has, until, with_each, with_redis};
use ochre_client::{
    Config, Dedicated, ErrorKind, MultiplexedClient, Pipeline, Pool, Script, Subscription, Target,
    Value, cmd, commands,
};
use std::time::Duration;
use tokio_stream::StreamExt as _;

#[test]
fn a_long_pipeline_of_long_replies_does_not_stand_still() {
    with_each(|address| async move {
        let mut connection = Dedicated::connect(address).await.expect("a connection");
        connection
            .set("k", "x".repeat(10_000))
            .await
            .expect("a reply");
        let mut pipeline = Pipeline::new();
        // Requests and replies are each more than both sockets hold.
        for _ in 0..20_000 {
            pipeline.add(commands::get("k").arg("y".repeat(1000)));
        }
        let mut gets = Pipeline::new();
        for i in 0..20_000 {
            gets.add(commands::get("k"));
            gets.add(cmd("ECHO").arg(format!("{i}{}", "z".repeat(1000))));
        }
        let wrong: Vec<Result<Value, ochre_client::Error>> =
            connection.pipeline(&pipeline).await.expect("replies");
        assert!(wrong.len() == 20_000 && wrong.iter().all(Result::is_err));
        let all: Vec<String> = connection.pipeline(&gets).await.expect("replies");
        assert_eq!(all.len(), 40_000);
        assert!(all.iter().step_by(2).all(|v| v.len() == 10_000));
        assert!(
            all.iter()
                .skip(1)
                .step_by(2)
                .enumerate()
                .all(|(i, v)| v.starts_with(&format!("{i}z")))
        );
    });
}

#[test]
fn blocking_commands_wait_and_may_be_given_up() {
    with_each(|address| async move {
        let config = Config::parse(&address)
            .expect("an address")
            .pool_size(2)
            .timeout(Duration::from_millis(200));
        let client = MultiplexedClient::connect(config.clone())
            .await
            .expect("a connection");
        let mut connection = client.dedicated().await.expect("a connection");
        let waiting = tokio::spawn(async move {
            let popped = connection
                .blpop(["jobs"], 20.0)
                .timeout(Duration::from_secs(25))
                .await;
            popped
                .expect("a reply")
                .map(|(key, job)| (key.to_vec(), job.to_vec()))
        });
        until("it waits", || async {
            let list: String = client.run(cmd("CLIENT LIST")).await.expect("a reply");
            list.contains("cmd=blpop")
        })
        .await;
        client.rpush("jobs", ["one"]).await.expect("a reply");
        let popped = waiting.await.expect("a task that ends");
        assert_eq!(popped, Some((b"jobs".to_vec(), b"one".to_vec())));

        // Given up: the connection's next reply is not the one that was owed.
        let mut connection = client.dedicated().await.expect("a connection");
        let given_up = connection
            .blpop(["jobs"], 0.2)
            .timeout(Duration::from_millis(20))
            .await;
        assert!(given_up.expect_err("a timeout").is_timeout());
        let echo = connection
            .echo("mine")
            .timeout(Duration::from_secs(20))
            .await;
        assert_eq!(echo.expect("a reply"), "mine");

        let pool = Pool::new(config);
        let (a, b) = (
            pool.get().await.expect("one"),
            pool.get().await.expect("two"),
        );
        let error = pool.get().await.map(drop).expect_err("no third");
        assert!(
            matches!(error.kind(), ErrorKind::PoolExhausted),
            "{error:?}"
        );
        drop(a);
        pool.get().await.expect("one that came back");
        drop(b);
    });
}

#[test]
fn what_was_changed_does_not_come_back_to_the_pool() {
    with_each(|address| async move {
        let pool = Pool::new(Config::parse(&address).expect("an address").pool_size(1));
        let id = pool
            .get()
            .await
            .expect("one")
            .client_id()
            .await
            .expect("a reply");
        let mut same = pool.get().await.expect("one");
        assert_eq!(same.client_id().await.expect("a reply"), id);
        same.run::<()>(cmd("SELECT 1")).await.expect("a reply");
        drop(same);
        let mut other = pool.get().await.expect("another");
        assert_ne!(other.client_id().await.expect("a reply"), id);
        other.run::<()>(cmd("WATCH k")).await.expect("a reply");
        let id = other.client_id().await.expect("a reply");
        drop(other);
        let mut another = pool.get().await.expect("another");
        assert_ne!(another.client_id().await.expect("a reply"), id);
    });
}

#[test]
fn transactions_try_again_until_they_are_alone() {
    with_each(|address| async move {
        let client = client(&address).await;
        client.set("balance", 0).await.expect("a reply");
        let tasks: Vec<_> = (0..8)
            .map(|_| {
                let client = client.clone();
                tokio::spawn(async move {
                    for _ in 0..25 {
                        let (n,): (i64,) = client
                            .transaction(["balance"], async |connection| {
                                let n: i64 = connection.get("balance").returning().await?;
                                let mut pipeline = Pipeline::new();
                                pipeline
                                    .add(commands::set("balance", n + 1).get().returning::<i64>());
                                Ok(pipeline)
                            })
                            .await
                            .expect("a transaction");
                        assert!(n >= 0);
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.expect("a task that ends");
        }
        let n: i64 = client.get("balance").returning().await.expect("a reply");
        assert_eq!(n, 200);
        let nothing: Vec<Value> = client
            .transaction(["balance"], async |_| Ok(Pipeline::new()))
            .await
            .expect("nothing");
        assert!(nothing.is_empty());
        // Somebody always changes the key in between.
        let error = client
            .transaction::<_, Vec<Value>, _>(["balance"], async |_| {
                client.incr("balance").await?;
                let mut pipeline = Pipeline::new();
                pipeline.add(commands::get("balance"));
                Ok(pipeline)
            })
            .await
            .expect_err("a conflict");
        assert!(matches!(error.kind(), ErrorKind::Conflict), "{error:?}");
    });
}

#[test]
fn subscriptions_survive_their_connections() {
    with_each(|address| async move {
        let config = Config::parse(&address)
            .expect("an address")
            .backoff(Duration::from_millis(1), Duration::from_millis(20));
        let client = MultiplexedClient::connect(config.clone())
            .await
            .expect("a connection");
        let mut subscription = Subscription::connect(config).await.expect("a connection");
        subscription
            .add(Target::Channel, ["a", "b"])
            .await
            .expect("confirmed");
        subscription
            .add(Target::Pattern, ["p.*"])
            .await
            .expect("confirmed");
        subscription
            .remove(Target::Channel, ["b"])
            .await
            .expect("confirmed");
        assert_eq!(client.publish("b", "nobody").await.expect("a reply"), 0);
        assert_eq!(client.publish("a", "1").await.expect("a reply"), 1);
        assert_eq!(client.publish("p.q", "2").await.expect("a reply"), 1);
        let message = subscription
            .next()
            .await
            .expect("a message")
            .expect("a message");
        assert_eq!(
            (&message.channel[..], &message.payload[..]),
            (&b"a"[..], &b"1"[..])
        );
        let message = subscription
            .next()
            .await
            .expect("a message")
            .expect("a message");
        assert_eq!(message.pattern.as_deref(), Some(&b"p.*"[..]));
        assert_eq!(
            (&message.channel[..], &message.payload[..]),
            (&b"p.q"[..], &b"2"[..])
        );

        let killed: i64 = client
            .run(cmd("CLIENT KILL TYPE pubsub"))
            .await
            .expect("a reply");
        assert_eq!(killed, 1);
        let next = tokio::spawn(async move {
            let message = subscription
                .next()
                .await
                .expect("a message")
                .expect("a message");
            (message.payload, subscription.reconnections())
        });
        until("somebody listens again", || async {
            client.publish("p.x", "again").await.expect("a reply") == 1
        })
        .await;
        let (payload, reconnections) = next.await.expect("a task that ends");
        assert_eq!((&payload[..], reconnections), (&b"again"[..], 1));
    });
}

#[test]
fn scripts_by_digest() {
    with_each(|address| async move {
        let client = client(&address).await;
        if !has(&client, "EVALSHA").await {
            eprintln!("skipped where the server has no scripts");
            return;
        }
        let script =
            Script::new("return {KEYS[1], ARGV[1], redis.call('incrby', KEYS[1], ARGV[1])}");
        for round in 1..4 {
            let reply: (String, i64, i64) = client
                .run_script(&script, ["n"], [5])
                .await
                .expect("a reply");
            assert_eq!(reply, ("n".to_owned(), 5, 5 * round));
        }
        let known: Vec<bool> = client
            .run(cmd("SCRIPT EXISTS").arg(script.sha()))
            .await
            .expect("a reply");
        assert_eq!(known, [true]);
        let text = "return {#KEYS, #ARGV, ARGV[1]}";
        let counts: (i64, i64, Option<String>) = client
            .eval(text, ["a", "b"])
            .args(["x", "y", "z"])
            .returning()
            .await
            .expect("a reply");
        assert_eq!(counts, (2, 3, Some("x".to_owned())));
        let none: [&str; 0] = [];
        let sum: i64 = client
            .eval("return 40 + ARGV[1]", none)
            .arg(2)
            .returning()
            .await
            .expect("a reply");
        assert_eq!(sum, 42);
    });
}

#[test]
fn logins_databases_and_names() {
    with_each(|address| async move {
        let first = client(&address).await;
        first
            .run::<()>(cmd("CONFIG SET requirepass se:cret"))
            .await
            .expect("a reply");
        let error = MultiplexedClient::connect(&address)
            .await
            .map(drop)
            .expect_err("no password");
        assert!(error.to_string().starts_with("NOAUTH"), "{error}");
        for protocol in [2, 3] {
            let url =
                format!("redis://default:se%3Acret@{address}/3?protocol={protocol}&client_name=me");
            let client = MultiplexedClient::connect(url).await.expect("a connection");
            let info: String = client.run(cmd("CLIENT INFO")).await.expect("a reply");
            assert!(
                info.contains(" db=3 ") && info.contains(" name=me "),
                "{info}"
            );
        }
        let wrong = MultiplexedClient::connect(format!("redis://:wrong@{address}")).await;
        assert!(
            wrong
                .map(drop)
                .expect_err("a wrong password")
                .to_string()
                .starts_with("WRONGPASS")
        );
        // A user of an own name, with what has a meaning in URLs.
        let user = "ACL SETUSER al@ice:1 on >p/w?%41 ~* &* +@all";
        first.run::<()>(cmd(user)).await.expect("a reply");
        for protocol in [2, 3] {
            let login = "al%40ice%3A1:p%2Fw%3F%2541";
            let url = format!("redis://{login}@{address}?db=4&protocol={protocol}");
            let client = MultiplexedClient::connect(url).await.expect("a connection");
            let who: String = client.run(cmd("ACL WHOAMI")).await.expect("a reply");
            assert_eq!(who, "al@ice:1");
            let mut own = client.dedicated().await.expect("a connection");
            let info: String = own.run(cmd("CLIENT INFO")).await.expect("a reply");
            assert!(info.contains(" db=4 "), "{info}");
        }
    });
    let ochre = ochre_testserver::start(&[("requirepass", "se:cret")]);
    let address = ochre_testserver::address(&ochre);
    crate::servers::run(async move {
        let client = MultiplexedClient::connect(format!("redis://:se:cret@{address}/2"))
            .await
            .expect("a connection");
        client.set("k", "v").await.expect("a reply");
        assert!(MultiplexedClient::connect(&address).await.is_err());
    });
}

#[test]
fn unix_sockets() {
    let path = std::env::temp_dir().join(format!("ochre client-{}.sock", std::process::id()));
    let path = path.to_str().expect("UTF-8").to_owned();
    let works = async |_: String| {
        let url = format!("unix://{path}?db=1");
        let client = MultiplexedClient::connect(url).await;
        let client = client.expect("a connection");
        client.set("k", "v").await.expect("a reply");
        let value = client.get("k").await.expect("a reply");
        assert_eq!(value.as_deref(), Some(&b"v"[..]));
        let described = client.run::<String>(cmd("CLIENT LIST")).await;
        let described = described.expect("a reply");
        assert!(described.contains(" db=1 "), "{described}");
        let mut own = client.dedicated().await.expect("a connection");
        let waited = own.blpop(["none"], 0.01).await.expect("a reply");
        assert!(waited.is_none());
    };
    let ochre = ochre_testserver::start(&[("unixsocket", &path)]);
    crate::servers::run(works(path.clone()));
    drop(ochre);
    assert!(
        !std::path::Path::new(&path).exists(),
        "the socket goes with its server"
    );
    with_redis(&["--unixsocket", &path], works);
}
