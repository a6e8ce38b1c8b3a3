#!/usr/bin/env bash
# The table front beside RESP on the same server, and beside the plainest server of its protocol: requests a second and
# server CPU a request of Hget and Hset (HGET and HSET over RESP), medians of interleaved rounds.
# usage: bench/table.sh SERVER [ROUNDS] [SECONDS]      default: 3 rounds of 1 second a load
# Builds the load and the floor (crates/table/examples) in release. 50 connections; worker-threads 2 everywhere.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
source "$root/bench/servers.sh"
server=$(absolute "$1")
rounds=${2:-3} seconds=${3:-1}
target=${CARGO_TARGET_DIR:-$root/target}/release/examples
(cd "$root" && cargo build --quiet --locked --release -p ochre-table --example load --example floor </dev/null)

table=$(free_port)
start_server keyspace "$server" --table-port "$table" --worker-threads 2
memory=$(free_port)
start_server memory "$server" --table-port "$memory" --table-storage memory --worker-threads 2
floor=$(free_port)
"$target/floor" "127.0.0.1:$floor" 2 &
pid_of[floor]=$!

# name, port, protocol, process
subjects="resp ${port_of[keyspace]} resp ${pid_of[keyspace]}
keyspace $table table ${pid_of[keyspace]}
memory $memory table ${pid_of[memory]}
floor $floor table ${pid_of[floor]}"

printf '%-6s %-9s %-9s %12s %10s\n' kind pipeline subject requests/s CPU/us
for kind in get set; do
  for pipeline in 1 16; do
    for _ in $(seq "$rounds"); do
      while read -r name port protocol pid; do
        echo "$name $("$target/load" "127.0.0.1:$port" "$protocol" "$kind" 50 "$pipeline" "$seconds" "$pid")"
      done <<<"$subjects"
    done >"$scratch/figures"
    for name in resp keyspace memory floor; do
      grep "^$name " "$scratch/figures" | sort -k3n | sed -n "$(((rounds + 1) / 2))p" |
        while read -r _ rate cpu; do printf '%-6s %-9s %-9s %12s %10s\n' "$kind" "$pipeline" "$name" "$rate" "$cpu"; done
    done
  done
done
