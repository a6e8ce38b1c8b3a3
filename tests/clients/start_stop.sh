#!/usr/bin/env bash
# What supervisors and test harnesses read of a server: the version line, the lines of the log in their order, the
# message for a taken port, and an orderly end with status 0 on SIGTERM, SIGINT and SHUTDOWN.
# usage: tests/clients/start_stop.sh SERVER [VERSION=8.2.0]            Needs redis-tools and python3.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
source "$here/../../bench/servers.sh"
server=$(absolute "$1") version=${2:-8.2.0}

fail() { echo "FAIL: $1"; [ -z "${2:-}" ] || tail -n 20 "$2"; exit 1; }

for flag in -v --version; do
  "$server" $flag </dev/null | grep -q " v=$version" || fail "$flag does not print v=$version"
done

# The end has to come within ten seconds, with status 0.
ends_well() {
  local pid=${pid_of[server]} deadline=$((SECONDS + 10)) status=0
  while kill -0 "$pid" 2>/dev/null; do
    [ $SECONDS -lt $deadline ] || { kill -9 "$pid"; fail "still running ten seconds after $1" "${log_of[server]}"; }
    sleep 0.05
  done
  wait "$pid" || status=$?
  [ $status = 0 ] || fail "status $status after $1" "${log_of[server]}"
  unset "pid_of[server]"
}

for how in TERM INT SHUTDOWN; do
  start_server server "$server"
  port=${port_of[server]}
  [ "$(redis-cli -p "$port" set key value </dev/null)" = OK ] || fail "SET" "${log_of[server]}"
  [ "$(redis-cli -p "$port" get key </dev/null)" = value ] || fail "GET" "${log_of[server]}"
  if [ $how = TERM ]; then
    # A second server on the same port must say so and fail.
    if (cd "$scratch" && timeout 10 "$server" --port "$port" --bind 127.0.0.1 --save '') >"$scratch/second" 2>&1 </dev/null; then
      fail "a second server on the same port ended with status 0" "$scratch/second"
    fi
    grep -qi "Failed listening on port $port" "$scratch/second" || fail "no word of the taken port" "$scratch/second"
  fi
  if [ $how = SHUTDOWN ]; then
    redis-cli -p "$port" shutdown nosave </dev/null || true
  else
    kill -s $how "${pid_of[server]}"
  fi
  ends_well $how
  awk '/ PID: [0-9]+|pid=[0-9]+/ && !n {n=1} /Server initialized/ && n==1 {n=2} /Ready to accept connections/ && n==2 {n=3} END{exit n!=3}' \
    "${log_of[server]}" || fail "the log lacks ' PID: ', 'Server initialized', 'Ready to accept connections' in this order" "${log_of[server]}"
done
echo "version, start and stop: passed"
