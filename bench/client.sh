#!/usr/bin/env bash
# The client library beside redis-rs and fred, in one run against the same server: 64 tasks that share one connection,
# GET and SET; throughput and CPU of the client process per request. Rounds of the three are interleaved.
# usage: bench/client.sh [OCHRE_SERVER]     default: target/release/ochre-server; options for the benchmark in BENCH_OPTIONS
#        bench/client.sh --redis SERVER     against a real Redis instead
# Exit status 1 if the floors are missed: CPU at most 0.8 of the better of the two, throughput at least 1.2 times.
set -euo pipefail
cd "$(dirname "$0")/.."
server=${1:-target/release/ochre-server}
[ "$server" = --redis ] && server=$2
case $server in
  */*) server=$(realpath "$server") ;;
  *) server=$(command -v "$server") ;;
esac
cargo build --release --quiet --locked --manifest-path bench/client/Cargo.toml --target-dir target/bench-client
. bench/servers.sh
start_server server "$server"
# shellcheck disable=SC2086
target/bench-client/release/ochre-client-bench "127.0.0.1:${port_of[server]}" ${BENCH_OPTIONS:-} | tee "$scratch/figures"
awk '/against the better/ {
       gsub(",", "")
       for (i = 1; i < NF; i++) { if ($i == "throughput") rate = $(i + 1); if ($i == "CPU") cpu = $(i + 1) }
       if (rate < 1.2 || cpu > 0.8) { print $1 ": floor missed"; missed = 1 }
     }
     END { exit missed }' "$scratch/figures"
