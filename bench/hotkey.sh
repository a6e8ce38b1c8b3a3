#!/usr/bin/env bash
# Throughput of 50 pipelining clients on one key: two worker threads must not be slower than one.
# usage: bench/hotkey.sh OCHRE_SERVER [ROUNDS=3]        SCALE=0.1 shortens it, TESTS="get set incr" picks the commands
# Needs redis-tools and python3. On a machine of two cores the load generator competes with the second worker.
# Exit status 1 if two workers are slower than one.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
source "$here/servers.sh"

ochre=$(absolute "$1") rounds=${2:-3} option=${WORKER_OPTION:---worker-threads}
n=$(awk -v s="${SCALE:-1}" 'BEGIN{printf "%d", 3000000*s}')
TESTS=${TESTS:-get set incr}

figures=$scratch/figures
start_server one-worker "$ochre" "$option" 1
start_server two-workers "$ochre" "$option" 2
for round in $(seq "$rounds"); do
  for t in $TESTS; do
    # Without -r every request names the same key.
    for name in $([ $((round % 2)) = 1 ] && echo one-worker two-workers || echo two-workers one-worker); do
      rate=$(redis-benchmark -p "${port_of[$name]}" -n "$n" -c 50 -P 16 -d 64 -t "$t" --csv </dev/null 2>/dev/null |
        awk -F'","' -v t="\"${t^^}" '$1==t{print $2}')
      echo "round $round  $t  $name  $rate requests/s" >&2
      echo "$name $t $rate" >>"$figures"
    done
  done
done
# shellcheck disable=SC2046
python3 "$here/table.py" --subject two-workers --more-is-better --digits 0 --unit "requests per second" \
  --limit $(for t in $TESTS; do echo "$t=1.0"; done) <"$figures"
