#!/usr/bin/env bash
# TLS: server CPU per request over TLS, Ochre beside Debian's redis-server 7.0 (which has TLS), with the same certificates.
# usage: bench/tls.sh SERVER [SCALE=1] [ROUNDS=3] [ROW...]      SCALE multiplies the number of requests.
# Prints microseconds of server CPU per request, medians of interleaved rounds, and the ratio (below 1: Ochre needs less),
# then the resident bytes of an idle TLS connection. IDLE=0 leaves that out, else it is the number of connections (10000).
# Needs redis-tools with TLS (Debian's has it), openssl and python3. Quote ratios of one run, never one figure.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
source "$here/servers.sh"
server=$(absolute "$1") scale=${2:-1} rounds=${3:-3}
shift $(($# < 3 ? $# : 3))
reference=$(absolute "${OCHRE_REDIS_70:-/usr/bin/redis-server}")

# name, requests, redis-benchmark arguments
rows='
get_P1        300000 -t get -r 100000 -c 50
set_P1        300000 -t set -r 100000 -d 64 -c 50
get_P16      2000000 -t get -r 100000 -c 50 -P 16
set_P16      2000000 -t set -r 100000 -d 64 -c 50 -P 16
get_P100     4000000 -t get -r 100000 -c 50 -P 100
get_4k_P1     200000 -r 1000 -c 50 GET big:__rand_int__
get_4k_P16    400000 -r 1000 -c 50 -P 16 GET big:__rand_int__
get_100k_P1    20000 -c 20 GET huge
set_100k_P1    20000 -t set -d 100000 -r 100 -c 20
'

certificates=$scratch/certificates
mkdir "$certificates"
(
  cd "$certificates"
  openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj /CN=authority -keyout ca.key -out ca.crt 2>/dev/null
  openssl req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout server.key -out server.csr 2>/dev/null
  printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\n' >server.ext
  openssl x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 365 -extfile server.ext -out server.crt 2>/dev/null
)
declare -A tls_of
start_tls() {
  tls_of[$1]=$(PORT_BASE=$((${PORT_BASE:-20000} + 100)) free_port)
  start_server "$1" "$2" --tls-port "${tls_of[$1]}" --tls-cert-file "$certificates/server.crt" \
    --tls-key-file "$certificates/server.key" --tls-ca-cert-file "$certificates/ca.crt" --tls-auth-clients no
}

load() { # PORT ARGUMENTS...
  redis-benchmark --threads 2 --tls --cacert "$certificates/ca.crt" --sni localhost -q -p "$@" </dev/null >/dev/null 2>&1
}

ticks() { awk '{print $14+$15}' "/proc/$1/stat"; }

measure() { # NAME REQUESTS ARGUMENTS... ; prints microseconds a request
  local name=$1 n=$2 before
  shift 2
  before=$(ticks "${pid_of[$name]}")
  load "${tls_of[$name]}" -n "$n" "$@"
  awk -v a="$before" -v b="$(ticks "${pid_of[$name]}")" -v hz="$(getconf CLK_TCK)" -v n="$n" 'BEGIN{printf "%.4f\n", (b-a)*1e6/hz/n}'
}

median() { sort -g | awk '{v[NR]=$1} END{print NR%2 ? v[(NR+1)/2] : (v[NR/2]+v[NR/2+1])/2}'; }

start_tls ochre "$server"
start_tls redis "$reference"
big=$(printf 'x%.0s' $(seq 4096))
for name in ochre redis; do
  redis-benchmark -p "${port_of[$name]}" -q -n 300000 -t set -r 100000 -d 64 -P 16 </dev/null >/dev/null 2>&1
  redis-benchmark -p "${port_of[$name]}" -q -n 6000 -r 1000 -P 8 SET big:__rand_int__ "$big" </dev/null >/dev/null 2>&1
  head -c 100000 /dev/zero | tr '\0' x | redis-cli -p "${port_of[$name]}" -x set huge >/dev/null
done

printf '%-12s %9s %9s %7s   (µs of server CPU per request over TLS)\n' row ochre redis ratio
while read -r row n args; do
  [ -n "$row" ] || continue
  [ $# = 0 ] || [[ " $* " == *" $row "* ]] || continue
  n=$(awk -v n="$n" -v s="$scale" 'BEGIN{printf "%d", n*s}')
  : >"$scratch/ochre" && : >"$scratch/redis"
  for ((round = 0; round < rounds; round++)); do
    for name in ochre redis; do
      # shellcheck disable=SC2086
      measure "$name" "$n" $args >>"$scratch/$name"
    done
  done
  awk -v row="$row" -v a="$(median <"$scratch/ochre")" -v b="$(median <"$scratch/redis")" \
    'BEGIN{printf "%-12s %9.2f %9.2f %7.2f\n", row, a, b, a/b}'
done <<<"$rows"

idle=${IDLE:-10000}
[ "$idle" != 0 ] || exit 0
ulimit -n "$(ulimit -Hn)"
for name in ochre redis; do
  redis-cli -p "${port_of[$name]}" config set maxclients $((idle + 100)) >/dev/null
  python3 - "${tls_of[$name]}" "${pid_of[$name]}" "$idle" "$name" "$certificates/ca.crt" <<'PY'
import socket, ssl, sys
port, pid, count, name = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4]
context = ssl.create_default_context(cafile=sys.argv[5])

def resident():
    for line in open(f"/proc/{pid}/status"):
        if line.startswith("VmRSS"):
            return int(line.split()[1]) * 1024

def connect():
    peer = context.wrap_socket(socket.create_connection(("127.0.0.1", port)), server_hostname="localhost")
    peer.sendall(b"*3\r\n$3\r\nSET\r\n$4\r\nidle\r\n$5\r\nvalue\r\n")
    assert peer.recv(64) == b"+OK\r\n"
    return peer

before = resident()
peers = [connect() for _ in range(count)]
print(f"{name}: {(resident() - before) / count:.0f} resident bytes for each of {count} idle TLS connections")
PY
done
