#!/usr/bin/env bash
# Resident bytes per element: Ochre beside Redis 8.2.3 and Valkey 9.1.2, as a ratio to the better peer, with the limit
# that Ochre has to keep. A fresh server per data set; the operating system's figure before and after loading.
# usage: bench/memory.sh OCHRE_SERVER [ROUNDS=1]      KINDS="str64 int" picks data sets (dataset.py --list names them)
# Needs redis-tools and python3; installs the peers by peers.sh. Exit status 1 if a data set misses its limit.
# Valkey's binary here uses the C library's malloc, which understates what Valkey can do.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
source "$here/servers.sh"

rounds=${2:-1}
KINDS=${KINDS:-str64 str8ttl int hash10 zset1m set1m list1m}
limits="str64=0.85 str8ttl=0.80 int=0.80 hash10=0.80 zset1m=0.80 set1m=0.80 list1m=1.00"

rss() { awk '/VmRSS/{print $2*1024}' "/proc/$1/status"; }

servers=$(contestants "$1")
figures=$scratch/figures
for _ in $(seq "$rounds"); do
  for kind in $KINDS; do
    n=$(python3 "$here/dataset.py" --count "$kind")
    while read -r name path; do
      start_server "$name" "$path"
      before=$(rss "${pid_of[$name]}")
      python3 "$here/dataset.py" "$kind" | redis-cli -p "${port_of[$name]}" --pipe >"$scratch/load"
      grep -q 'errors: 0,' "$scratch/load" || { echo "$name: $(tail -n 1 "$scratch/load")" >&2; exit 1; }
      sleep 1 # lets the server give back its buffers; the same second for each
      figure=$(awk -v a="$before" -v b="$(rss "${pid_of[$name]}")" -v n="$n" 'BEGIN{printf "%.2f\n", (b-a)/n}')
      stop_server "$name"
      echo "$kind  $name  $figure bytes/element" >&2
      echo "$name $kind $figure" >>"$figures"
    done <<<"$servers"
  done
done
# shellcheck disable=SC2046
python3 "$here/table.py" --subject ochre --unit "resident bytes per element" --digits 1 \
  --limit $(for l in $limits; do case " $KINDS " in *" ${l%=*} "*) echo "$l" ;; esac; done) <"$figures"
