#!/usr/bin/env python3
"""Resident memory per idle connection: ten thousand of them, each after a pipelined batch of 100 KB and a small request.

usage: bench/idle_connections.py OCHRE_SERVER [--connections 10000] [--limit 8192] [--seconds 20] [--port 7137]
Opens the connections, makes each do its two requests (so that its buffers have grown), lets all of them idle, and
reads the server's VmRSS once a second until the time is over: the lowest figure counts, the last is printed beside it.
Needs python3 and an open-file limit above the number of connections for both processes (raised here if allowed).
Exit status 1 above the limit, in bytes per connection.
"""
import argparse, resource, signal, socket, subprocess, sys, tempfile, time

def rss(pid):
    with open(f"/proc/{pid}/status") as f:
        return next(int(line.split()[1]) * 1024 for line in f if line.startswith("VmRSS"))

def connect(port):
    s = socket.create_connection(("127.0.0.1", port), timeout=30)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return s

def exchange(s, request, expected):
    s.sendall(request)
    got = bytearray()
    while len(got) < len(expected):
        part = s.recv(1 << 18)
        if not part:
            sys.exit(f"connection closed after {bytes(got[:200])!r}")
        got += part
    if got != expected:
        sys.exit(f"wrong reply: {bytes(got[:200])!r}")

def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("server")
    p.add_argument("--connections", type=int, default=10000)
    p.add_argument("--limit", type=int, default=8192, help="bytes per connection")
    p.add_argument("--seconds", type=int, default=20, help="how long the connections idle")
    p.add_argument("--port", type=int, default=7137)
    a = p.parse_args()

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    want = max(soft, 2 * a.connections + 1000)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (want, max(hard, want)))
    except (ValueError, PermissionError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if resource.getrlimit(resource.RLIMIT_NOFILE)[0] < a.connections + 200:
        sys.exit("raise the open-file limit first: ulimit -n %d" % (a.connections + 200))

    with tempfile.TemporaryDirectory() as folder:
        server = subprocess.Popen(
            [a.server, "--port", str(a.port), "--bind", "127.0.0.1", "--save", "", "--maxclients", str(2 * a.connections),
             "--dir", folder], stdout=subprocess.DEVNULL)
        try:
            print("%.0f bytes per connection, %s" % measure(a, server.pid))
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(30)

def measure(a, pid):
    deadline = time.monotonic() + 20
    while True:
        try:
            first = connect(a.port)
            break
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                sys.exit("the server does not accept connections")
            time.sleep(0.05)
    # ECHO fills the query buffer and the reply buffer alike, and touches no data.
    value = b"x" * 100
    batch = b"*2\r\n$4\r\nECHO\r\n$100\r\n%s\r\n" % value * 800
    echoes = b"$100\r\n%s\r\n" % value * 800
    small, pong = b"*1\r\n$4\r\nPING\r\n", b"+PONG\r\n"
    exchange(first, batch, echoes)
    exchange(first, small, pong)
    before = rss(pid)
    idle = [first]
    start = time.monotonic()
    while len(idle) <= a.connections:
        s = connect(a.port)
        exchange(s, batch, echoes)
        exchange(s, small, pong)
        idle.append(s)
    busy = rss(pid)
    print("%d connections in %.1f s; right after: %.0f bytes each" % (a.connections, time.monotonic() - start, (busy - before) / a.connections))
    seen = [busy]
    for _ in range(a.seconds):
        time.sleep(1)
        seen.append(rss(pid))
    exchange(idle[-1], small, pong)
    each = (min(seen) - before) / a.connections
    print("idle for %d s: lowest %.0f, last %.0f bytes each" % (a.seconds, each, (seen[-1] - before) / a.connections))
    if each > a.limit:
        print("%.0f bytes per connection: OVER the limit of %d" % (each, a.limit))
        sys.exit(1)
    return each, "limit %d: ok" % a.limit

main()
