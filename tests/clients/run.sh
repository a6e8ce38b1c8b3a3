#!/usr/bin/env bash
# Real clients against a server: redis-py, ioredis and redis-rs, each with its own smoke suite, one after the other, and
# the table front from Python.
# usage: tests/clients/run.sh SERVER [--all] [SERVER OPTIONS...]      --all: a command that the server lacks is a failure
# Starts the server on a free port. Needs redis-tools, python3, Node 20, cargo; installs the clients by bench/peers.sh
# unless OCHRE_PYTHON and OCHRE_NODE name them. CARGO_TARGET_DIR holds the redis-rs suite's build.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
source "$root/bench/servers.sh"

server=$(absolute "$1")
shift
all=()
if [ "${1:-}" = --all ]; then all=(--all); shift; fi
if [ -z "${OCHRE_PYTHON:-}" ] || [ -z "${OCHRE_NODE:-}" ]; then
  peers=$("$root/bench/peers.sh")
  eval "$peers"
fi

target=${CARGO_TARGET_DIR:-$root/target}/clients
cargo build --quiet --locked --manifest-path "$here/rust/Cargo.toml" --target-dir "$target" </dev/null

failures=0
suite() {
  local name=$1
  shift
  echo "-- $name"
  "$@" 127.0.0.1 "${port_of[server]}" "${all[@]}" </dev/null || failures=$((failures + 1))
}
# The table front is Ochre's own; other servers are checked without it.
tables=()
if "$server" --version | grep -qi ochre; then
  table=$(free_port) grpc=$(free_port) http=$(free_port)
  tables=(--table-port "$table" --table-grpc-port "$grpc" --table-http-port "$http")
fi
start_server server "$server" "${tables[@]}" "$@"
suite redis-py "$OCHRE_PYTHON" "$here/python/smoke.py"
suite ioredis node "$here/node/smoke.mjs"
suite redis-rs "$target/debug/ochre-client-smoke"
if [ ${#tables[@]} -gt 0 ]; then
  echo "-- tables"
  "$OCHRE_PYTHON" "$here/python/tables.py" 127.0.0.1 "${port_of[server]}" "$table" "$grpc" "$http" </dev/null || failures=$((failures + 1))
fi
kill -0 "${pid_of[server]}" || { echo "the server died:"; tail -n 20 "${log_of[server]}"; exit 1; }
[ $failures = 0 ] || { echo "$failures client suites failed; the server's last words:"; tail -n 5 "${log_of[server]}"; exit 1; }
echo "all client suites passed"
