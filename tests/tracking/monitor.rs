//! MONITOR beside Redis.

use crate::{Scenario, compare, scenario};
use ochre_testkit::reference::Release;

const SCENARIOS: &[Scenario] = &[
    scenario(
        "commands as they come",
        &[
            "m> MONITOR",
            "m? flags",
            "a> SET k v | GET k | get K | NOSUCH x | GET | LPUSH k 1 | PING | ECHO \"\"",
            "a> SELECT 3 | SET k v | SELECT 99 | SELECT 0",
            "a> SET k \\x00\\n\"quoted\"\\",
            "a> MULTI | SET k 1 | INCR k | LPUSH k x | NOSUCH | EXEC",
            "a> MULTI | SET k 1 | INCR k | LPUSH k x | SELECT 2 | GET k | EXEC | SELECT 0",
            "a> MULTI | SET k 1 | DISCARD | EXEC",
            "a> WATCH k | UNWATCH | CONFIG GET maxmemory | ACL WHOAMI | CLIENT ID | CLIENT LIST ID 1 | DEBUG SLEEP 0 | SLOWLOG LEN | INFO x",
            "a> SUBSCRIBE x | PUBLISH x y",
            "m> PING | ECHO hello",
            "m> MONITOR",
        ],
    ),
    scenario(
        "secrets",
        &[
            "m> MONITOR",
            "a> AUTH secret | AUTH default secret",
            "a% HELLO 2 AUTH default secret",
            "a> ACL SETUSER monitored >secret | ACL DELUSER monitored | CONFIG SET requirepass \"\"",
            "a> MULTI | AUTH secret | CONFIG SET requirepass \"\" | ACL WHOAMI | EXEC",
        ],
    ),
    scenario(
        "what a monitor may ask",
        &[
            "m> MONITOR",
            "m> GET k",
            "m> SET k v",
            "m> PUBLISH x y",
            "m> CLIENT ID",
            "m> MULTI | PING | EXEC",
            "m> MULTI | GET k | EXEC",
            "m> RESET",
            "m? flags",
            "m> GET k",
            "a> SET k v",
            "a> MULTI | MONITOR | EXEC",
            "a> PING",
            "a? flags",
        ],
    ),
    scenario(
        "in the new protocol",
        &[
            "M> MONITOR",
            "a> SET k v",
            "M> PING | SUBSCRIBE x",
            "a> PUBLISH x y",
            "M> CLIENT TRACKING ON | GET k",
            "a> SET k w",
            "M! ",
        ],
    ),
    scenario(
        "blocking commands",
        &[
            "m> MONITOR",
            "a& BLPOP l 0",
            "b> RPUSH l 1",
            "a= ",
            "a& BLMOVE l l2 LEFT RIGHT 0",
            "b> RPUSH l 1",
            "a= ",
            "a> BLPOP l2 0 | BLPOP l2 0.01",
        ],
    ),
    scenario(
        "replies off",
        &[
            "m> MONITOR",
            "a> CLIENT REPLY OFF | SET k 1 | CLIENT REPLY ON",
            "m> CLIENT REPLY OFF | PING | CLIENT REPLY ON",
        ],
    ),
    scenario(
        "scripts",
        &[
            "m> MONITOR",
            "a> EVAL redis.call('SET',KEYS[1],ARGV[1]);return(redis.call('GET',KEYS[1])) 1 k v",
            "a> EVAL return(redis.call('GET','undeclared')) 0",
            "a> EVAL redis.call('SELECT','3');redis.call('SET','a','b') 0",
            "a> EVAL redis.pcall('LPUSH','k','b');redis.pcall('NOSUCH');redis.pcall('GET') 0",
            "a> EVALSHA 0123456789012345678901234567890123456789 0 | EVALSHA short 0 | EVAL not(a)lua 0 | EVAL",
            "a> EVAL_RO return(redis.call('GET','k')) 0 | SCRIPT EXISTS x",
            "a> MULTI | SET k 1 | EVAL return(redis.call('GET','k')) 0 | SET k 2 | EXEC",
            "a> FCALL nosuch 0",
        ],
    ),
    scenario(
        "several monitors",
        &[
            "m> MONITOR",
            "n> MONITOR",
            "a> PING",
            "n! ",
            "a> PING",
            "m> RESET",
            "a> PING",
        ],
    ),
];

#[test]
fn as_redis_7_0() {
    compare(Release::V70, SCENARIOS);
}

#[test]
fn as_redis_8_2() {
    compare(Release::V82, SCENARIOS);
}
