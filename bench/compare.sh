#!/usr/bin/env bash
# Server CPU per request: Ochre beside Redis 8.2.3 and Valkey 9.1.2, medians over interleaved rounds, as a ratio to the
# better peer and with the floor that Ochre has to pass. The rows are defined in cpu_row.sh.
# usage: bench/compare.sh OCHRE_SERVER [ROUNDS=3]              ROWS="get_P16 set_P16" picks rows, SCALE=0.1 shortens them,
#                                                              REDIS_70=1 adds Redis 7.0.15 (not part of the ratio's best)
#        bench/compare.sh --workers OCHRE_SERVER [ROUNDS=3]    Ochre with two worker threads against one: at most 1.08
# Every round starts fresh servers, fills them, and measures row by row on one server after the other, in rotating order.
# Needs redis-tools and python3; installs the peers by peers.sh. Exit status 1 if a row misses its floor.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
source "$here/servers.sh"

workers=
[ "$1" = --workers ] && { workers=1; shift; }
ochre=$(absolute "$1") rounds=${2:-3} scale=${SCALE:-1}
ROWS=${ROWS:-get_P1 set_P1 get_P1_c500 get_P16 set_P16 get_P100 incr_P16 mset10_P1 get_4k_P1 get_miss_P1
  hset_P16 sadd_P16 lpush_P16 zadd_P16 lrange100_P1}
floors="get_P1=0.92 set_P1=0.92 get_P16=0.70 set_P16=0.75 get_P100=0.45 incr_P16=0.85 mset10_P1=0.90 get_4k_P1=0.95
  hset_P16=0.85 sadd_P16=0.85 lpush_P16=0.85 zadd_P16=0.85 lrange100_P1=0.90"

declare -A command_of
names=()
if [ -n "$workers" ]; then
  option=${WORKER_OPTION:---worker-threads}
  names=(two-workers one-worker)
  command_of=([two-workers]="$ochre $option 2" [one-worker]="$ochre $option 1")
else
  while read -r name path; do names+=("$name"); command_of[$name]=$path; done < <(contestants "$ochre")
  [ ${#names[@]} = 3 ] || { echo "the peers are missing; see peers.sh" >&2; exit 1; }
  if [ -n "${REDIS_70:-}" ]; then names+=(redis-7.0); command_of[redis-7.0]=${OCHRE_REDIS_70:-/usr/bin/redis-server}; fi
fi

figures=$scratch/figures
for round in $(seq "$rounds"); do
  # shellcheck disable=SC2086
  for name in "${names[@]}"; do
    start_server "$name" ${command_of[$name]}
    "$here/cpu_row.sh" fill "${port_of[$name]}" "${pid_of[$name]}"
  done
  for row in $ROWS; do
    for i in "${!names[@]}"; do
      name=${names[$(((i + round) % ${#names[@]}))]}
      figure=$("$here/cpu_row.sh" "$row" "${port_of[$name]}" "${pid_of[$name]}" "$scale")
      echo "round $round  $row  $name  $figure us/op" >&2
      echo "$name $row $figure" >>"$figures"
    done
  done
  stop_servers
done

if [ -n "$workers" ]; then
  # shellcheck disable=SC2046
  python3 "$here/table.py" --subject two-workers --unit "us of server CPU per request" \
    --limit $(for row in $ROWS; do echo "$row=1.08"; done) <"$figures"
else
  # shellcheck disable=SC2086
  limits=$(for f in $floors; do case " $ROWS " in *" ${f%=*} "*) echo "$f" ;; esac; done)
  # shellcheck disable=SC2086
  python3 "$here/table.py" --subject ochre --unit "us of server CPU per request" --aside redis-7.0 --limit $limits <"$figures"
fi
