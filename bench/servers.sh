# Shell functions that start and stop servers for the scripts here and in tests/clients. Sourced, not run.
# Needs redis-cli (Debian package redis-tools). Every server gets a folder of its own, which goes away at the end.
#   start_server NAME COMMAND...   starts it on a free port of 127.0.0.1; sets port_of[NAME], pid_of[NAME], log_of[NAME]
#   stop_server NAME               SIGTERM, and waits; stop_servers does it for all that run (also at exit)

declare -A port_of pid_of log_of
scratch=$(mktemp -d "${TMPDIR:-/tmp}/ochre.XXXXXX")
trap 'stop_servers; rm -rf "$scratch"' EXIT

# A port that nobody listens on: from PORT_BASE upwards if it is set, else one that the kernel picks.
free_port() {
  python3 - "${PORT_BASE:-0}" <<'PY'
import socket, sys
base = int(sys.argv[1])
for port in range(base, base + 200) if base else [0]:
    s = socket.socket()
    try:
        s.bind(("127.0.0.1", port))
    except OSError:
        continue
    print(s.getsockname()[1])
    break
else:
    sys.exit("no free port")
PY
}

start_server() {
  local name=$1 port dir
  shift
  port=$(free_port)
  dir=$(mktemp -d "$scratch/$name.XXXXXX")
  log_of[$name]=$dir/log
  (cd "$dir" && exec "$@" --port "$port" --bind 127.0.0.1 --save '' >"$dir/log" 2>&1) &
  pid_of[$name]=$!
  port_of[$name]=$port
  local deadline=$((SECONDS + 20))
  until redis-cli -p "$port" ping 2>/dev/null | grep -q PONG; do
    if ! kill -0 "${pid_of[$name]}" 2>/dev/null || [ $SECONDS -ge $deadline ]; then
      echo "$name did not start: $*" >&2
      tail -n 20 "$dir/log" >&2
      return 1
    fi
    sleep 0.05
  done
}

stop_server() {
  [ -n "${pid_of[$1]:-}" ] || return 0
  kill "${pid_of[$1]}" 2>/dev/null || true
  wait "${pid_of[$1]}" 2>/dev/null || true
  unset "pid_of[$1]"
}

stop_servers() {
  local name
  for name in "${!pid_of[@]}"; do stop_server "$name"; done
}

# A command's absolute path, so that it can be started from another folder (links stay: redis-server looks at its name).
absolute() { realpath -s "$(command -v "$1")" || { echo "no such program: $1" >&2; return 1; }; }

# The three servers that the comparisons are about, as lines "name path": Ochre ($1) and the two peers.
contestants() {
  [ -n "${OCHRE_REDIS_82:-}" ] && [ -n "${OCHRE_VALKEY:-}" ] || eval "$("$(dirname "${BASH_SOURCE[0]}")/peers.sh")"
  echo "ochre $(absolute "$1")"
  echo "redis-8.2 $(absolute "$OCHRE_REDIS_82")"
  echo "valkey-9.1 $(absolute "$OCHRE_VALKEY")"
}
