//! The text of `--help`.

pub(crate) const USAGE: &str = "\
Usage: ochre-benchmark [OPTIONS] [COMMAND ARGS...]

Server:
 -h <hostname>      Host (default 127.0.0.1)
 -p <port>          Port (default 6379)
 -s <socket>        Unix socket; overrides host and port
 -a <password>      Password
 --user <username>  User; needs -a
 -u <uri>           redis://user:password@host:port/db, rediss:// or unix://
 --dbnum <db>       Database (default 0)
 -3                 RESP3
 --enable-tracking  CLIENT TRACKING ON on every connection
 --tls              TLS; --sni <host>, --cacert <file>, --cacertdir <dir>, --cert <file>, --key <file>,
                    --insecure, --tls-ciphers <list>, --tls-ciphersuites <list> as in redis-benchmark

Load:
 -c <clients>       Connections (default 50)
 --threads <num>    Threads, each with connections of its own (default 1)
 -n <requests>      Requests of a test (default 100000; no limit with --duration)
 --duration <sec>   Ends a test after so many seconds
 --warmup <sec>     Load before that, which does not count
 -P <numreq>        Requests that a connection has under way at once (default 1)
 -k <boolean>       1: connections stay; 0: a new one for every batch, whose opening counts (default 1)
 --rate <rps>       Open loop: so many requests a second over all connections, sent when they are due and not when
                    the one before is answered; latency counts from then on
 --timeout <sec>    Gives up a server that sends nothing for so long (default 30)
 --keep-going       Counts error replies, where otherwise the first ends the run
 -l                 Repeats the tests for ever
 -I                 Opens connections, and waits

Requests:
 -t <tests>         Comma-separated tests: ping, ping_inline, ping_mbulk, set, get, incr, lpush, rpush, lpop, rpop,
                    sadd, hset, spop, zadd, zpopmin, lrange, lrange_100, lrange_300, lrange_500, lrange_600, mset,
                    xadd (default: all but xadd)
 --ratio <tests>    A mixture of tests, as in set:get=1:10
 -d <size>          Bytes of values: 64, or 16-4096 for any size in between (default 3)
 -r <keyspacelen>   Random keys from 0 to keyspacelen-1; __rand_int__ in a command becomes one, with 12 digits
 --distribution <d> How often keys are used: uniform, zipf, zipf:<exponent> or sequential (default uniform);
                    zipf is zipf:0.99, and key 0 its most frequent
 --seed <num>       Makes random keys and choices the same in every run
 -x                 Last argument of the command from the standard input
 __data__           in a command becomes a value of -d bytes

Output:
 -q                 A line for each test
 --csv              CSV with redis-benchmark's columns
 --csv-full         The same with more columns behind them
 --json             JSON on the standard output
 --json <f>.json    JSON to a file besides; --json=<file> with any name
 --html <file>      A page with plots besides
 --precision <n>    Decimals of latencies, from 3 to 6 (default 3)
 --server-pid <pid> Server CPU per request, from the operating system
 --compare <addr>   HOST:PORT of a second server: both in turn, in short rounds; medians and ratios. With
                    --server-pid <pid>,<pid> of CPU as well
 --rounds <num>     Rounds of a comparison, among which -n and --duration are divided (default 10)
 --help             This text
 --version          The version

Examples:
 ochre-benchmark -t set,get -n 1000000 -r 1000000 -P 16 --threads 2
 ochre-benchmark -t get -r 1000000 --distribution zipf --rate 20000 --duration 30 --html report.html
 ochre-benchmark --ratio set:get=1:10 -r 100000 -d 16-4096 --duration 10 --compare 127.0.0.1:6380
 ochre-benchmark -r 10000 -n 10000 lpush mylist __rand_int__
";
