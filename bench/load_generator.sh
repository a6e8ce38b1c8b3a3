#!/usr/bin/env bash
# What the load generators themselves cost: CPU per request of ochre-benchmark beside redis-benchmark, user and system
# time of the process from the shell's accounting, in interleaved rounds against one server. Medians and their ratio.
# usage: load_generator.sh PORT [OCHRE_BENCHMARK] [ROUNDS] [SCALE] [ROWS]
# SCALE multiplies the number of requests; ROWS is a pattern of the rows that are run.
# Needs a server on PORT, and redis-benchmark (Debian package redis-tools).
set -euo pipefail
cd "$(dirname "$0")/.."
port=$1 ours=${2:-target/release/ochre-benchmark} rounds=${3:-5} scale=${4:-1} pattern=${5:-.}

# name, requests, arguments that both take
rows='
get_P1       200000 -t get -r 100000 -c 50
set_P1       200000 -t set -r 100000 -d 64 -c 50
get_P1_c500  200000 -t get -r 100000 -c 500
get_P16     1000000 -t get -r 100000 -c 50 -P 16
get_P100    2000000 -t get -r 100000 -c 50 -P 100
mset10_P1    100000 -t mset -r 100000 -c 50
set_4k_P1    100000 -t set -r 10000 -d 4096 -c 50
lrange100_P1  50000 -c 50 lrange list 0 99
get_P1_two_threads 200000 -t get -r 100000 -c 50 --threads 2
'

TIMEFORMAT='%U %S'
# Microseconds of CPU per request of one run.
cost() {
  local requests=$1 program=$2 spent
  shift 2
  spent=$({ time "$program" -p "$port" -n "$requests" -q "$@" </dev/null >/dev/null 2>&1; } 2>&1)
  awk -v n="$requests" '{printf "%.3f\n", ($1 + $2) * 1e6 / n}' <<<"$spent"
}
median() { sort -n | awk '{v[NR] = $1} END {print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2}'; }

"$ours" -p "$port" -q -n 100000 -r 100000 -t set -d 64 -P 16 --distribution sequential >/dev/null
"$ours" -p "$port" -q -n 100 -c 1 rpush list __rand_int__ >/dev/null
printf '%-20s %10s %10s %7s\n' 'us of CPU a request' ochre redis ratio
while read -r name requests args; do
  [ -n "$name" ] || continue
  requests=$(awk -v n="$requests" -v s="$scale" 'BEGIN {printf "%d", n * s}')
  a=() b=()
  for _ in $(seq "$rounds"); do
    # shellcheck disable=SC2086
    a+=("$(cost "$requests" "$ours" $args)") b+=("$(cost "$requests" redis-benchmark $args)")
  done
  mine=$(printf '%s\n' "${a[@]}" | median) theirs=$(printf '%s\n' "${b[@]}" | median)
  printf '%-20s %10.2f %10.2f %7.2f\n' "$name" "$mine" "$theirs" "$(awk -v a="$mine" -v b="$theirs" 'BEGIN {print a / b}')"
done < <(grep -E -- "$pattern" <<<"$rows")
