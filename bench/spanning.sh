#!/usr/bin/env bash
# What spans keys and connections: Ochre beside Redis 8.2.3 and Valkey 9.1.2, medians over interleaved rounds, as a ratio to
# the better peer and with the limit that Ochre has to keep. The rows are defined in spanning.py.
# usage: bench/spanning.sh OCHRE_SERVER [ROUNDS=3]      ROWS="multi10 pingpong" picks rows, SCALE=0.2 shortens them
# Needs redis-tools and python3; installs the peers by peers.sh. Exit status 1 if a row misses its limit.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
source "$here/servers.sh"
ochre=$(absolute "$1") rounds=${2:-3} scale=${SCALE:-1}
ROWS=${ROWS:-multi10 pingpong evalsha evalsha1 evalsha_P1 evalsha_P16 publish}
limits="multi10=0.80 pingpong=1.00 evalsha=0.90 evalsha1=0.90 evalsha_P1=0.90 evalsha_P16=0.90"

declare -A command_of
names=()
while read -r name path; do names+=("$name"); command_of[$name]=$path; done < <(contestants "$ochre")
[ ${#names[@]} = 3 ] || { echo "the peers are missing; see peers.sh" >&2; exit 1; }
for round in $(seq "$rounds"); do
  for name in "${names[@]}"; do start_server "$name" "${command_of[$name]}"; done
  for row in $ROWS; do
    for i in "${!names[@]}"; do
      name=${names[$(((i + round) % ${#names[@]}))]}
      figure=$("$here/spanning.py" "$row" "${port_of[$name]}" "${pid_of[$name]}" "$scale")
      echo "round $round  $row  $name  $figure" >&2
      if [ "$row" = publish ]; then echo "$name $row $figure" >>"$scratch/more"; else echo "$name $row $figure" >>"$scratch/less"; fi
    done
  done
  stop_servers
done
status=0
if [ -f "$scratch/less" ]; then
  # shellcheck disable=SC2086
  chosen=$(for l in $limits; do case " $ROWS " in *" ${l%=*} "*) echo "$l" ;; esac; done)
  # shellcheck disable=SC2086
  python3 "$here/table.py" --subject ochre --unit "us of server CPU" --limit $chosen <"$scratch/less" || status=1
fi
if [ -f "$scratch/more" ]; then
  python3 "$here/table.py" --subject ochre --unit "deliveries per second of server CPU" --digits 0 --more-is-better \
    --limit publish=1.3 <"$scratch/more" || status=1
fi
exit $status
