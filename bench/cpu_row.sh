#!/usr/bin/env bash
# One row of the speed comparison: server CPU per request, from the kernel's own accounting, so that a busy load
# generator or a noisy machine does not hide it. Prints the figure in microseconds per request.
# usage: cpu_row.sh ROW PORT PID [SCALE]     SCALE multiplies the number of requests (0.1 for a quick look).
#        cpu_row.sh fill PORT PID            writes the keys that the rows read; prints nothing
#        cpu_row.sh list                     prints the rows
#        cpu_row.sh args ROW                 prints the row's number of requests and redis-benchmark arguments
# Needs redis-benchmark (Debian package redis-tools). Quote ratios between servers measured in one run, never one figure.
set -euo pipefail

# name, requests, redis-benchmark arguments. get_4k_P1 finds values of 4 KiB (made by `fill`); get_miss_P1 finds nothing.
rows='
set_fill_P16 1000000 -t set -r 1000000 -d 64 -P 16 -c 50
get_P1        400000 -t get -r 1000000 -c 50
set_P1        400000 -t set -r 1000000 -d 64 -c 50
get_P1_c500   400000 -t get -r 1000000 -c 500
get_P16      2000000 -t get -r 1000000 -c 50 -P 16
set_P16      2000000 -t set -r 1000000 -d 64 -c 50 -P 16
get_P100     4000000 -t get -r 1000000 -c 50 -P 100
incr_P16     1000000 -t incr -r 1000000 -c 50 -P 16
hset_P16     1000000 -t hset -r 1000000 -c 50 -P 16
zadd_P16     1000000 -t zadd -r 1000000 -c 50 -P 16
sadd_P16     1000000 -t sadd -r 1000000 -c 50 -P 16
lpush_P16    1000000 -t lpush -c 50 -P 16
lrange100_P1  100000 -t lrange_100 -c 50
mset10_P1     200000 -t mset -r 1000000 -c 50
get_4k_P1     200000 -r 10000 -c 50 GET big:__rand_int__
get_miss_P1   200000 -r 100000 -c 50 GET none:__rand_int__
'
if [ "$1" = list ]; then awk 'NF{print $1}' <<<"$rows"; exit; fi
args_of() { awk -v row="$1" '$1==row{$1=""; print; found=1} END{exit !found}' <<<"$rows" || { echo "no such row: $1" >&2; exit 2; }; }
if [ "$1" = args ]; then args_of "$2"; exit; fi
row=$1 port=$2 pid=$3 scale=${4:-1}

bench() { redis-benchmark --threads 2 -p "$port" -q "$@" </dev/null >/dev/null 2>&1 || true; }

if [ "$row" = fill ]; then
  bench -n 1000000 -t set -r 1000000 -d 64 -P 16 -c 50
  value=$(printf 'x%.0s' $(seq 4096))
  bench -n 60000 -r 10000 -P 8 -c 20 SET big:__rand_int__ "$value"
  exit
fi

line=$(args_of "$row")
read -r n args <<<"$line"
n=$(awk -v n="$n" -v s="$scale" 'BEGIN{printf "%d", n*s}')
ticks() { awk '{print $14+$15}' "/proc/$pid/stat"; }
before=$(ticks)
# shellcheck disable=SC2086
bench -n "$n" $args
awk -v a="$before" -v b="$(ticks)" -v hz="$(getconf CLK_TCK)" -v n="$n" 'BEGIN{printf "%.4f\n", (b-a)*1e6/hz/n}'
