#!/usr/bin/env bash
# Throughput of 50 pipelining clients on one key: two worker threads must not be slower than one.
# usage: bench/hotkey.sh OCHRE_SERVER [ROUNDS=3]        SCALE=0.1 shortens it, TESTS="get set incr" picks the commands,
#                                                       GENERATOR=redis-benchmark THREADS=1 another load generator
# The load comes from the ochre-benchmark beside the server, with two threads: redis-benchmark with one thread takes more
# processor time a request than the server, so that it is the generator's speed that is measured, and on two cores a second
# worker only takes time from it; with two threads it rounds its time up to a quarter of a second. Needs python3.
# Exit status 1 if two workers are slower than one.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
source "$here/servers.sh"

ochre=$(absolute "$1") rounds=${2:-3} option=${WORKER_OPTION:---worker-threads}
generator=${GENERATOR:-$(dirname "$ochre")/ochre-benchmark}
n=$(awk -v s="${SCALE:-1}" 'BEGIN{printf "%d", 3000000*s}')
TESTS=${TESTS:-get set incr}

figures=$scratch/figures
start_server one-worker "$ochre" "$option" 1
start_server two-workers "$ochre" "$option" 2
for round in $(seq "$rounds"); do
  for t in $TESTS; do
    # Without -r every request names the same key.
    for name in $([ $((round % 2)) = 1 ] && echo one-worker two-workers || echo two-workers one-worker); do
      rate=$("$generator" -p "${port_of[$name]}" --threads "${THREADS:-2}" -n "$n" -c 50 -P 16 -d 64 -t "$t" --csv </dev/null 2>/dev/null |
        awk -F'","' -v t="\"${t^^}" '$1==t{print $2}')
      echo "round $round  $t  $name  $rate requests/s" >&2
      echo "$name $t $rate" >>"$figures"
    done
  done
done
# shellcheck disable=SC2046
python3 "$here/table.py" --subject two-workers --more-is-better --digits 0 --unit "requests per second" \
  --limit $(for t in $TESTS; do echo "$t=1.0"; done) <"$figures"
