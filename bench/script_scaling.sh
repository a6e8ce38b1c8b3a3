#!/usr/bin/env bash
# Throughput of scripts whose keys lie in different stripes: two worker threads against one.
# usage: bench/script_scaling.sh OCHRE_SERVER [ROUNDS=5]      SCALE=0.1 shortens it; WORK=3000 additions a script instead of 30000
# The script reads its key, works for a while, and writes the key. The longer it works, the less the load generator takes of
# two cores, and the less of what it takes is seen in the result. Needs redis-tools and python3.
# Exit status 1 if two workers have less than 1.6 times the throughput of one.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
source "$here/servers.sh"

ochre=$(absolute "$1") rounds=${2:-5} work=${WORK:-30000}
n=$(awk -v s="${SCALE:-1}" -v w="$work" 'BEGIN{printf "%d", 20000 * 30000 / w * s}')
script='local n = tonumber(redis.call("GET", KEYS[1]) or 0)
for i = 1, ARGV[1] do n = n + i end
redis.call("SET", KEYS[1], n % 1000)
return n'

figures=$scratch/figures
start_server one-worker "$ochre" --worker-threads 1
start_server two-workers "$ochre" --worker-threads 2
for name in one-worker two-workers; do
  sha=$(redis-cli -p "${port_of[$name]}" SCRIPT LOAD "$script")
done
for round in $(seq "$rounds"); do
  for name in $([ $((round % 2)) = 1 ] && echo one-worker two-workers || echo two-workers one-worker); do
    rate=$(redis-benchmark -p "${port_of[$name]}" --csv -n "$n" -c 50 -r 100000 EVALSHA "$sha" 1 key:__rand_int__ "$work" </dev/null 2>/dev/null |
      awk -F'","' '/EVALSHA/{print $2}')
    echo "round $round  $name  $rate scripts/s" >&2
    echo "$name scripts $rate" >>"$figures"
  done
done
python3 "$here/table.py" --subject two-workers --more-is-better --digits 0 --unit "scripts per second" \
  --limit scripts=1.6 <"$figures"
