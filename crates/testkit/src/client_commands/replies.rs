//! What the table does not know: the Rust type of a reply, and which commands occupy a connection.
//!
//! A reply that depends on options has the type that it has without them; `Call::returning` takes others.

use super::is_subscription;
use ochre_engine::spec::{Command, Flags};

/// Commands that change what a connection is, or take it for themselves: methods of clients that have one alone.
pub const OCCUPYING: &[&str] = &[
    "asking",
    "auth",
    "client reply",
    "discard",
    "exec",
    "hello",
    "multi",
    "quit",
    "readonly",
    "readwrite",
    "reset",
    "select",
    "unwatch",
    "watch",
];

/// Commands after which a connection answers no requests any more: functions only.
const STREAMING: &[&str] = &["monitor", "psync", "replconf", "sync"];

/// Replies by Rust type.
const REPLIES: &[(&str, &str)] = &[
    // Statuses, of which only the error matters.
    (
        "()",
        "auth|client reply|client setinfo|client setname|client no-evict|client no-touch|client pause|client unpause|\
         client tracking|client caching|config resetstat|config rewrite|config set|debug sleep|discard|flushall|flushdb|\
         function flush|function restore|hmset|lset|ltrim|mset|multi|pfmerge|psetex|quit|\
         readonly|readwrite|rename|restore|save|script flush|script kill|select|setex|slowlog reset|swapdb|unwatch|watch|\
         xgroup create|xgroup setid|xsetid|acl load|acl save|acl setuser|acl log reset|memory purge|bgsave|bgrewriteaof|\
         replicaof|failover|shutdown|debug reload|debug flushall|debug set-active-expire|debug jmap|asking|reset",
    ),
    (
        "bool",
        "copy|expire|expireat|hexists|hsetnx|move|msetnx|persist|pexpire|pexpireat|pfadd|renamenx|set|setnx|sismember|\
         smove|client unblock|xgroup createconsumer|msetex",
    ),
    (
        "i64",
        "append|bitcount|bitop|bitpos|client id|client getredir|client kill|command count|dbsize|decr|decrby|del|exists|\
         expiretime|geoadd|georadiusstore|geosearchstore|getbit|hdel|hincrby|hlen|hset|hstrlen|incr|incrby|lastsave|linsert|\
         llen|lpush|lpushx|lrem|object freq|object idletime|object refcount|pexpiretime|pfcount|pttl|publish|\
         pubsub numpat|rpush|rpushx|sadd|scard|sdiffcard|sdiffstore|setbit|setrange|sintercard|sinterstore|slowlog len|\
         srem|spublish|strlen|sunioncard|sunionstore|touch|ttl|unlink|wait|xack|xdel|xgroup destroy|\
         xgroup delconsumer|xlen|xtrim|zadd|zcard|zcount|zdiffstore|zintercard|zinterstore|zlexcount|zrangestore|zrem|\
         zremrangebylex|zremrangebyrank|zremrangebyscore|zunionstore|delex|latency reset|acl deluser",
    ),
    ("f64", "hincrbyfloat|incrbyfloat|zincrby"),
    ("Option<f64>", "geodist|zscore"),
    ("Option<i64>", "memory usage|zrank|zrevrank|lpos"),
    ("Vec<Option<f64>>", "zmscore"),
    (
        "Option<Bytes>",
        "blmove|brpoplpush|client getname|digest|dump|get|getdel|getex|getset|hget|lindex|lmove|lpop|object encoding|\
         randomkey|rpop|rpoplpush|spop|srandmember|hrandfield|zrandmember",
    ),
    ("Bytes", "echo|getrange|substr|lcs"),
    (
        "String",
        "acl genpass|acl whoami|client info|client list|cluster info|cluster nodes|cluster myid|info|lolwut|ping|\
         script load|type|memory doctor|memory malloc-stats|latency doctor|xadd|debug object|debug digest",
    ),
    ("Vec<Option<Bytes>>", "hmget|mget|geohash"),
    (
        "Vec<Bytes>",
        "hkeys|hvals|keys|lrange|pubsub channels|pubsub shardchannels|sdiff|sinter|smembers|sunion|zdiff|zinter|zrange|\
         zrangebylex|zrangebyscore|zrevrange|zrevrangebylex|zrevrangebyscore|zunion|sort|sort_ro",
    ),
    (
        "Vec<String>",
        "acl cat|acl list|acl users|command list|command getkeys",
    ),
    ("Vec<bool>", "smismember|script exists"),
    ("Vec<Option<i64>>", "bitfield|bitfield_ro"),
    (
        "Vec<i64>",
        "hexpire|hpexpire|hexpireat|hpexpireat|hpersist|httl|hpttl|hexpiretime|hpexpiretime|waitaof",
    ),
    ("std::collections::HashMap<Bytes, Bytes>", "hgetall"),
    ("std::collections::HashMap<String, String>", "config get"),
    (
        "std::collections::HashMap<Bytes, i64>",
        "pubsub numsub|pubsub shardnumsub",
    ),
    ("(i64, i64)", "time"),
    ("(u64, Vec<Bytes>)", "scan|sscan"),
    ("(u64, Vec<(Bytes, Bytes)>)", "hscan"),
    ("(u64, Vec<(Bytes, f64)>)", "zscan"),
    ("Vec<(Bytes, f64)>", "zpopmax|zpopmin"),
    ("Option<(Bytes, Bytes)>", "blpop|brpop"),
    ("Option<(Bytes, Bytes, f64)>", "bzpopmax|bzpopmin"),
    ("Option<(Bytes, Vec<Bytes>)>", "blmpop|lmpop"),
    ("Option<(Bytes, Vec<(Bytes, f64)>)>", "bzmpop|zmpop"),
];

/// The Rust type of a command's reply.
#[must_use]
pub fn of(name: &str) -> &'static str {
    let (name, is_help) = (name, name.ends_with(" help"));
    let found = REPLIES
        .iter()
        .find(|(_, names)| names.split('|').any(|n| n.trim() == name));
    match found {
        Some((reply, _)) => reply,
        None if is_help => "Vec<String>",
        None => "Value",
    }
}

/// Which clients have a method of it: `everywhere`, `alone` (clients with a connection of their own) or `nowhere`.
pub(super) fn offered_by(command: &Command, name: &str) -> &'static str {
    let first = name.split(' ').next().unwrap_or_default();
    if STREAMING.contains(&first) || is_subscription(command) {
        return "nowhere";
    }
    if command.flags.has(Flags::BLOCKING) || OCCUPYING.contains(&name) {
        return "alone";
    }
    "everywhere"
}
