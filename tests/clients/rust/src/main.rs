//! redis-rs against a running server: the same checks over the blocking connection and the multiplexed Tokio connection,
//! in RESP2 and RESP3.
//!
//! usage: `ochre-client-smoke HOST PORT [--all]`
//!
//! Empties the server. Commands that the server does not list in COMMAND LIST are skipped and named; with `--all` a skip
//! is a failure. Prints `N passed, M failed` at the end; the exit status is 1 if anything failed.
//! Expectations come from the documentation of the commands; checked on Redis 7.0 and 8.2.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::process::ExitCode;

use redis::{
    AsyncTypedCommands, Client, CopyOptions, ExistenceCheck, Expiry, FromRedisValue, IncrexOptions,
    IntegerReplyOrNoOp, MSetOptions, RedisError, RedisResult, SetExpiry, SetOptions, TypedCommands,
    Value, ValueComparison, cmd, pipe,
};

/// Counts passes, failures and skips; `group` prefixes the messages.
#[derive(Default)]
struct Checks {
    passed: usize,
    failed: usize,
    skipped: BTreeSet<String>,
    listed: BTreeSet<String>,
    group: String,
}

impl Checks {
    fn judge(&mut self, what: &str, good: bool, detail: impl Debug) {
        if good {
            self.passed += 1;
        } else {
            self.failed += 1;
            println!("FAIL {}: {what}: {detail:?}", self.group);
        }
    }

    fn eq<T: PartialEq + Debug>(&mut self, what: &str, got: RedisResult<T>, want: T) {
        self.judge(
            what,
            got.as_ref().is_ok_and(|g| *g == want),
            (got, "want", &want),
        );
    }

    fn ok<T: Debug>(&mut self, what: &str, got: RedisResult<T>, good: impl Fn(&T) -> bool) {
        self.judge(what, got.as_ref().is_ok_and(good), got);
    }

    fn err<T: Debug>(&mut self, what: &str, got: RedisResult<T>, text: &str) {
        self.judge(
            what,
            got.as_ref().is_err_and(|e| e.to_string().contains(text)),
            (got, "want the error", text),
        );
    }

    fn has(&mut self, name: &str) -> bool {
        let listed = self.listed.contains(name);
        if !listed {
            self.skipped.insert(name.to_owned());
        }
        listed
    }
}

fn text(s: &str) -> Option<String> {
    Some(s.to_owned())
}

fn near(want: usize) -> impl Fn(&IntegerReplyOrNoOp) -> bool {
    move |got| matches!(got, IntegerReplyOrNoOp::IntegerReply(n) if *n <= want && *n + want / 50 >= want)
}

/// A command by its words, for what redis-rs has no method for.
fn words(words: &[&str]) -> redis::Cmd {
    let mut command = cmd(words[0]);
    for word in &words[1..] {
        command.arg(*word);
    }
    command
}

/// The checks, once for both kinds of connection: `$query` sends a command or a pipeline, `$wait` is nothing or `.await`.
macro_rules! suite {
    ($c:ident, $t:ident, $query:ident, [$($wait:tt)*]) => {{
        $t.eq("flushall", words(&["FLUSHALL"]).$query::<String>($c)$($wait)*, "OK".to_owned());
        $t.listed = words(&["COMMAND", "LIST"]).$query::<BTreeSet<String>>($c)$($wait)*.unwrap_or_default();

        // strings
        $t.eq("set", $c.set("s", "hello")$($wait)*, ());
        $t.eq("get", $c.get("s")$($wait)*, text("hello"));
        $t.eq("get missing", $c.get("missing")$($wait)*, None);
        let nx = SetOptions::default().conditional_set(ExistenceCheck::NX);
        $t.eq("set nx", $c.set_options("s", "x", nx)$($wait)*, None);
        let xx = SetOptions::default().conditional_set(ExistenceCheck::XX).get(true).with_expiration(SetExpiry::EX(100));
        $t.eq("set xx get ex", $c.set_options("s", "world", xx)$($wait)*, text("hello"));
        $t.ok("ttl", $c.ttl("s")$($wait)*, near(100));
        let keep = SetOptions::default().with_expiration(SetExpiry::KEEPTTL);
        $t.eq("set keepttl", $c.set_options("s", "v", keep)$($wait)*, text("OK"));
        $t.ok("pttl", $c.pttl("s")$($wait)*, near(100_000));
        $t.eq("get_ex persist", $c.get_ex("s", Expiry::PERSIST)$($wait)*, text("v"));
        $t.eq("ttl none", $c.ttl("s")$($wait)*, IntegerReplyOrNoOp::ExistsButNotRelevant);
        $t.eq("ttl missing", $c.ttl("missing")$($wait)*, IntegerReplyOrNoOp::NotExists);
        $t.eq("append", $c.append("s", "w")$($wait)*, 2);
        $t.eq("strlen", $c.strlen("s")$($wait)*, 2);
        $t.eq("set_ex", $c.set_ex("e", "v", 100)$($wait)*, ());
        $t.eq("pset_ex", $c.pset_ex("e", "v", 100_000)$($wait)*, ());
        $t.eq("set_nx", $c.set_nx("e", "x")$($wait)*, false);
        $t.eq("getset", $c.getset("e", "w")$($wait)*, text("v"));
        $t.eq("get_del", $c.get_del("e")$($wait)*, text("w"));
        $t.eq("mset", $c.mset(&[("m1", "a"), ("m2", "b")])$($wait)*, ());
        $t.eq("mget", $c.mget(&["m1", "missing", "m2"][..])$($wait)*, vec![text("a"), None, text("b")]);
        $t.eq("mset_nx", $c.mset_nx(&[("m2", "x"), ("m3", "y")])$($wait)*, false);
        $t.eq("setrange", $c.setrange("r", 3, "World")$($wait)*, 8);
        $t.eq("getrange", $c.getrange("r", 2, -1)$($wait)*, "\0World".to_owned());
        $t.eq("incr", $c.incr("n", 5)$($wait)*, 5);
        $t.eq("decr", $c.decr("n", 7)$($wait)*, -2);
        $t.eq("incrbyfloat", words(&["INCRBYFLOAT", "n", "0.5"]).$query::<String>($c)$($wait)*, "-1.5".to_owned());
        $t.err("incr of a float", $c.incr("n", 1)$($wait)*, "not an integer");
        $t.eq("mset l", $c.mset(&[("l1", "ohmytext"), ("l2", "mynewtext")])$($wait)*, ());
        $t.eq("lcs", words(&["LCS", "l1", "l2"]).$query::<String>($c)$($wait)*, "mytext".to_owned());
        let blob: Vec<u8> = (0..=255).cycle().take(1 << 20).collect();
        $t.eq("set blob", $c.set("blob", &blob)$($wait)*, ());
        $t.eq("get blob", cmd("GET").arg("blob").$query::<Vec<u8>>($c)$($wait)*, blob);

        // newer than Redis 8.2
        if $t.has("digest") {
            $t.ok("digest", $c.digest("s")$($wait)*, |d| d.as_ref().is_some_and(|d| d.len() == 16));
            let ifeq = SetOptions::default().value_comparison(ValueComparison::ifeq("not this"));
            $t.eq("set ifeq", $c.set_options("s", "new", ifeq)$($wait)*, None);
            let ifne = SetOptions::default().value_comparison(ValueComparison::ifne("not this"));
            $t.eq("set ifne", $c.set_options("s", "new", ifne)$($wait)*, text("OK"));
        }
        if $t.has("delex") {
            $t.eq("del_ex", $c.del_ex("s", ValueComparison::ifeq("not this"))$($wait)*, 0);
            $t.eq("del_ex", $c.del_ex("s", ValueComparison::ifeq("new"))$($wait)*, 1);
        }
        if $t.has("msetex") {
            let options = MSetOptions::default().with_expiration(SetExpiry::EX(100));
            $t.eq("mset_ex", $c.mset_ex(&[("x1", "1"), ("x2", "2")], options)$($wait)*, true);
        }
        if $t.has("increx") {
            let got = $c.increx("ix", 5, IncrexOptions::default().upper_bound(8))$($wait)*;
            $t.eq("increx", got.and_then(|r| Ok((i64::from_redis_value(r.value)?, i64::from_redis_value(r.actual_increment)?))), (5, 5));
            let got = $c.increx("ix", 5, IncrexOptions::default().upper_bound(8).saturate())$($wait)*;
            $t.eq("increx saturate", got.and_then(|r| Ok((i64::from_redis_value(r.value)?, i64::from_redis_value(r.actual_increment)?))), (8, 3));
        }

        // bitmaps
        $t.eq("setbit", $c.setbit("b", 7, true)$($wait)*, false);
        $t.eq("getbit", $c.getbit("b", 7)$($wait)*, true);
        $t.eq("set b", $c.set("b", "foobar")$($wait)*, ());
        $t.eq("bitcount", $c.bitcount("b")$($wait)*, 26);
        $t.eq("bitcount_range", $c.bitcount_range("b", 1, 1)$($wait)*, 6);
        $t.eq("mset b", $c.mset(&[("b1", "abc"), ("b2", "ab")])$($wait)*, ());
        $t.eq("bit_and", $c.bit_and("dest", &["b1", "b2"][..])$($wait)*, 3);
        $t.eq("bit_or", $c.bit_or("dest", &["b1", "b2"][..])$($wait)*, 3);
        $t.eq("bit_xor", $c.bit_xor("dest", &["b1", "b2"][..])$($wait)*, 3);
        $t.eq("bit_not", $c.bit_not("dest", "b1")$($wait)*, 3);
        $t.eq("bitpos", words(&["BITPOS", "b", "1", "1"]).$query::<i64>($c)$($wait)*, 9);
        $t.eq("bitfield", words(&["BITFIELD", "bf", "SET", "u4", "0", "1", "INCRBY", "u4", "0", "2"])
            .$query::<Vec<i64>>($c)$($wait)*, vec![0, 3]);

        // generic
        $t.eq("exists", $c.exists("m1")$($wait)*, true);
        $t.ok("key_type", $c.key_type("m1")$($wait)*, |v| *v == redis::ValueType::String);
        $t.eq("copy", $c.copy("m1", "copy", CopyOptions::default())$($wait)*, true);
        $t.eq("copy again", $c.copy("m1", "copy", CopyOptions::default())$($wait)*, false);
        $t.eq("rename", $c.rename("copy", "renamed")$($wait)*, ());
        $t.err("rename missing", $c.rename("copy", "x")$($wait)*, "no such key");
        $t.eq("rename_nx", $c.rename_nx("renamed", "m1")$($wait)*, false);
        $t.eq("expire", $c.expire("m1", 100)$($wait)*, true);
        $t.eq("pexpire", $c.pexpire("m1", 100_000)$($wait)*, true);
        $t.eq("expire_at", $c.expire_at("m1", 4_102_444_800)$($wait)*, true);
        $t.eq("expire_time", $c.expire_time("m1")$($wait)*, IntegerReplyOrNoOp::IntegerReply(4_102_444_800));
        $t.eq("pexpire_at", $c.pexpire_at("m1", 4_102_444_800_001)$($wait)*, true);
        $t.eq("pexpire_time", $c.pexpire_time("m1")$($wait)*, IntegerReplyOrNoOp::IntegerReply(4_102_444_800_001));
        $t.eq("persist", $c.persist("m1")$($wait)*, true);
        let payload = cmd("DUMP").arg("m1").$query::<Vec<u8>>($c)$($wait)*.unwrap_or_default();
        $t.eq("restore", cmd("RESTORE").arg("restored").arg(0).arg(&payload).$query::<String>($c)$($wait)*, "OK".to_owned());
        $t.eq("restored", $c.get("restored")$($wait)*, text("a"));
        $t.err("restore busy", cmd("RESTORE").arg("restored").arg(0).arg(&payload).$query::<String>($c)$($wait)*, "BUSYKEY");
        $t.eq("del", $c.del(&["m1", "missing"][..])$($wait)*, 1);
        $t.eq("unlink", $c.unlink("m2")$($wait)*, 1);
        let mut fill = pipe();
        for i in 0..2000 {
            fill.set(format!("scan:{i}"), i).ignore();
        }
        fill.cmd("GET").arg("scan:1999");
        $t.eq("pipeline", fill.$query::<Vec<i64>>($c)$($wait)*, vec![1999]);
        $t.eq("keys", $c.keys("scan:[0-9]")$($wait)*.map(|k| k.len()), 10);
        let (mut seen, mut cursor, mut pages) = (BTreeSet::new(), "0".to_owned(), 0);
        loop {
            let scan = words(&["SCAN", &cursor, "MATCH", "scan:*", "COUNT", "100"]);
            let Ok((next, page)) = scan.$query::<(String, Vec<String>)>($c)$($wait)* else { break };
            seen.extend(page);
            pages += 1;
            cursor = next;
            if cursor == "0" {
                break;
            }
        }
        $t.judge("scan", seen.len() == 2000 && pages > 1, (seen.len(), pages));

        // connection and server
        $t.eq("ping", $c.ping()$($wait)*, "PONG".to_owned());
        $t.eq("echo", words(&["ECHO", "hi"]).$query::<String>($c)$($wait)*, "hi".to_owned());
        $t.ok("client id", words(&["CLIENT", "ID"]).$query::<i64>($c)$($wait)*, |id| *id > 0);
        $t.eq("client setname", words(&["CLIENT", "SETNAME", "smoke"]).$query::<String>($c)$($wait)*, "OK".to_owned());
        $t.ok("client list", words(&["CLIENT", "LIST"]).$query::<String>($c)$($wait)*, |l| l.contains("name=smoke"));
        $t.err("unknown command", words(&["NOSUCH", "a"]).$query::<Value>($c)$($wait)*, "unknown command");
        $t.eq("command getkeys", words(&["COMMAND", "GETKEYS", "MSET", "a", "1", "b", "2"]).$query::<Vec<String>>($c)$($wait)*,
            vec!["a".to_owned(), "b".to_owned()]);
        $t.eq("config set", words(&["CONFIG", "SET", "maxmemory-samples", "5"]).$query::<String>($c)$($wait)*, "OK".to_owned());
        $t.eq("config get", words(&["CONFIG", "GET", "maxmemory-samples"])
            .$query::<std::collections::BTreeMap<String, String>>($c)$($wait)*,
            [("maxmemory-samples".to_owned(), "5".to_owned())].into());
        $t.ok("info", words(&["INFO"]).$query::<redis::InfoDict>($c)$($wait)*, |i| i.get::<String>("redis_version").is_some());
        $t.ok("memory usage", words(&["MEMORY", "USAGE", "blob"]).$query::<i64>($c)$($wait)*, |n| *n > 1 << 20);
        $t.ok("time", words(&["TIME"]).$query::<(i64, i64)>($c)$($wait)*, |(s, us)| *s > 1_700_000_000 && *us < 1_000_000);
        $t.ok("dbsize", words(&["DBSIZE"]).$query::<i64>($c)$($wait)*, |n| *n > 2000);
        $t.eq("flushdb", words(&["FLUSHDB", "ASYNC"]).$query::<String>($c)$($wait)*, "OK".to_owned());
        $t.eq("dbsize 0", words(&["DBSIZE"]).$query::<i64>($c)$($wait)*, 0);
    }};
}

fn blocking(client: &Client, t: &mut Checks) -> RedisResult<()> {
    let c = &mut client.get_connection()?;
    suite!(c, t, query, []);
    Ok(())
}

async fn multiplexed(client: &Client, t: &mut Checks) -> RedisResult<()> {
    let c = &mut client.get_multiplexed_async_connection().await?;
    suite!(c, t, query_async, [.await]);

    // Many tasks over one connection: each gets its own answers.
    let mut tasks = tokio::task::JoinSet::new();
    for i in 0..200_usize {
        let mut c = c.clone();
        tasks.spawn(async move {
            let key = format!("task:{i}");
            c.set(&key, i).await?;
            c.incr("shared", 1).await?;
            Ok::<_, RedisError>(c.get_int(&key).await? == isize::try_from(i).ok())
        });
    }
    let mut own = 0;
    while let Some(done) = tasks.join_next().await {
        own += usize::from(matches!(done, Ok(Ok(true))));
    }
    t.judge("200 tasks read their own writes", own == 200, own);
    t.eq("no increment is lost", c.get("shared").await, text("200"));
    Ok(())
}

#[tokio::main]
async fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().collect();
    let (Some(host), Some(port)) = (args.get(1), args.get(2)) else {
        eprintln!("usage: ochre-client-smoke HOST PORT [--all]");
        return ExitCode::from(2);
    };
    let mut t = Checks::default();
    for protocol in ["resp2", "resp3"] {
        let client = match Client::open(format!("redis://{host}:{port}/?protocol={protocol}")) {
            Ok(client) => client,
            Err(e) => {
                eprintln!("{e}");
                return ExitCode::from(2);
            }
        };
        t.group = format!("blocking, {protocol}");
        let outcome = tokio::task::block_in_place(|| blocking(&client, &mut t));
        t.judge("connection", outcome.is_ok(), outcome);
        t.group = format!("multiplexed, {protocol}");
        let outcome = multiplexed(&client, &mut t).await;
        t.judge("connection", outcome.is_ok(), outcome);
    }
    if !t.skipped.is_empty() {
        println!(
            "not on this server: {}",
            t.skipped.iter().cloned().collect::<Vec<_>>().join(", ")
        );
    }
    if args.iter().any(|a| a == "--all") {
        t.failed += t.skipped.len();
    }
    println!("{} passed, {} failed", t.passed, t.failed);
    ExitCode::from(u8::from(t.failed > 0))
}
