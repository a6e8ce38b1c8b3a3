#!/usr/bin/env python3
"""Resident memory per connection of the table front: ten thousand at once, each of which sets a value and gets it back.

usage: bench/table_connections.py OCHRE_SERVER [--connections 10000]
Opens the connections, makes each do its Hset and Hget while all are open, and reads the server's VmRSS before and after.
An answer that is not the value that was set, or a connection that is closed, ends it with exit status 1.
Needs python3 and an open-file limit above the number of connections for both processes (raised here if allowed).
"""
import argparse, resource, signal, socket, subprocess, sys, tempfile, time

def field(number, data):
    assert len(data) < 128
    return bytes([number << 3 | 2, len(data)]) + data

def frame(message):
    return len(message).to_bytes(4, "big") + message

def hget(key):
    return frame(field(1, field(1, b"t") + field(2, key)))

def hset(key, value):
    return frame(field(4, field(1, b"t") + field(2, field(1, key) + field(2, field(1, value)))))

def read(s, count):
    data = b""
    while len(data) < count:
        part = s.recv(count - len(data))
        if not part:
            sys.exit("a connection was closed")
        data += part
    return data

def ask(s, request):
    s.sendall(request)
    return read(s, int.from_bytes(read(s, 4), "big"))

def rss(pid):
    with open(f"/proc/{pid}/status") as f:
        return next(int(line.split()[1]) * 1024 for line in f if line.startswith("VmRSS"))

def free_port():
    with socket.create_server(("127.0.0.1", 0)) as s:
        return s.getsockname()[1]

def connect(port, until):
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=30)
        except ConnectionRefusedError:
            if time.monotonic() > until:
                sys.exit("the server does not accept connections")
            time.sleep(0.05)

def measure(pid, port, count):
    first = connect(port, time.monotonic() + 20)
    ok = b"\x08\xc8\x01"
    def exchange(s, n):
        key, value = b"%d" % (n % 1000), b"value %d" % n
        if not ask(s, hset(key, value)).startswith(ok):
            sys.exit("Hset failed")
        got = ask(s, hget(key))
        if got != ok + field(3, field(1, value)):
            sys.exit(f"wrong answer: {got!r}")
    for n in range(1000):
        exchange(first, n)
    before, start = rss(pid), time.monotonic()
    connections = [connect(port, start + 60) for _ in range(count)]
    for n, s in enumerate(connections):
        exchange(s, n)
    each = (rss(pid) - before) / count
    print("%d connections at once, an Hset and an Hget each, in %.1f s: %.0f bytes each" % (count, time.monotonic() - start, each))

def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("server")
    p.add_argument("--connections", type=int, default=10000)
    a = p.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    want = 2 * a.connections + 1000
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (want, max(hard, want)))
    except (ValueError, PermissionError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    port, table = free_port(), free_port()
    with tempfile.TemporaryDirectory() as folder:
        server = subprocess.Popen(
            [a.server, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--table-port", str(table),
             "--table-max-connections", str(a.connections + 1), "--dir", folder], stdout=subprocess.DEVNULL)
        try:
            measure(server.pid, table, a.connections)
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(30)

if __name__ == "__main__":
    main()
