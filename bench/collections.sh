#!/usr/bin/env bash
# Server CPU per request of reads and computations over whole collections: Ochre beside Redis 8.2.3 and Valkey 9.1.2,
# medians over interleaved rounds, as a ratio to the better peer, which has to be at most 0.9. The rows are defined in
# collections.py: HGETALL of 50 fields, SMEMBERS of 100, SINTER of two sets of 10,000, ZRANGE of 100 by rank, score and
# lex in a sorted set of a million, ZRANK, ZUNIONSTORE of two of 100,000, LINDEX in the middle of a million, SORT of 10,000.
# usage: bench/collections.sh OCHRE_SERVER [ROUNDS=3]     ROWS="zrank sort10k" picks rows, SCALE=0.1 shortens them
# The servers live through all rounds, since the rows change no data but the result of ZUNIONSTORE.
# Needs redis-tools and python3; installs the peers by peers.sh. Exit status 1 if a row misses its limit.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
source "$here/servers.sh"

rounds=${2:-3} scale=${SCALE:-1}
ROWS=${ROWS:-$(python3 "$here/collections.py" rows | awk '{print $1}')}

ticks() { awk '{print $14+$15}' "/proc/$1/stat"; }

names=()
python3 "$here/collections.py" fill >"$scratch/fill"
while read -r name path; do
  names+=("$name")
  start_server "$name" "$path"
  redis-cli -p "${port_of[$name]}" --pipe <"$scratch/fill" >"$scratch/load"
  grep -q 'errors: 0,' "$scratch/load" || { echo "$name: $(tail -n 1 "$scratch/load")" >&2; exit 1; }
done < <(contestants "$1")
[ ${#names[@]} = 3 ] || { echo "the peers are missing; see peers.sh" >&2; exit 1; }

figures=$scratch/figures
for round in $(seq "$rounds"); do
  for row in $ROWS; do
    for i in "${!names[@]}"; do
      name=${names[$(((i + round) % ${#names[@]}))]}
      pid=${pid_of[$name]}
      before=$(ticks "$pid")
      n=$(python3 "$here/collections.py" run "$row" "${port_of[$name]}" "$scale")
      figure=$(awk -v a="$before" -v b="$(ticks "$pid")" -v hz="$(getconf CLK_TCK)" -v n="$n" 'BEGIN{printf "%.4f\n", (b-a)*1e6/hz/n}')
      echo "round $round  $row  $name  $figure us/op" >&2
      echo "$name $row $figure" >>"$figures"
    done
  done
done
# shellcheck disable=SC2046
python3 "$here/table.py" --subject ochre --unit "us of server CPU per request" \
  --limit $(python3 "$here/collections.py" rows | awk -v rows=" $ROWS " 'index(rows, " "$1" "){print $1"="$3}') <"$figures"
