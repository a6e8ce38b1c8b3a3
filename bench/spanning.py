#!/usr/bin/env python3
"""Server CPU of one row of what spans keys and connections, in microseconds: from the kernel's own accounting.

usage: spanning.py ROW PORT PID [SCALE=1]
Rows:
  multi10   a transaction of ten commands, pipelined; per transaction
  publish   PUBLISH to 100 subscribers; deliveries per second of CPU (more is better)
  pingpong  a BLPOP that waits and the LPUSH that serves it; per pair
  evalsha   a read-modify-write script with one key, pipelined by 16; per call
  evalsha1  the same, not pipelined, 50 connections: bound by this generator, which is slower than any of the servers, so
            that the figure is largely that of their sleeping and waking
  evalsha_P1, evalsha_P16  the same from redis-benchmark, which keeps a server busy: 50 connections, 100000 keys
"""
import os, select, socket, subprocess, sys

SCRIPT = (b"local n = tonumber(redis.call('GET', KEYS[1]) or '0') + tonumber(ARGV[1]) "
          b"redis.call('SET', KEYS[1], n) return n")

def command(*args):
    parts = [b"*%d\r\n" % len(args)]
    for arg in args:
        arg = arg if isinstance(arg, bytes) else str(arg).encode()
        parts.append(b"$%d\r\n%s\r\n" % (len(arg), arg))
    return b"".join(parts)

def connect(port):
    s = socket.create_connection(("127.0.0.1", port))
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return s

def take(sock, count):
    while count:
        got = len(sock.recv(min(count, 1 << 18)))
        if not got:
            sys.exit("the server closed a connection")
        count -= got

def lines(sock, count):
    """Reads this many lines."""
    while count > 0:
        data = sock.recv(1 << 18)
        if not data:
            sys.exit("the server closed a connection")
        count -= data.count(b"\n")

def cpu(pid):
    """Seconds of CPU outside and inside the kernel, from the kernel's ticks."""
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return [int(ticks) / os.sysconf("SC_CLK_TCK") for ticks in fields[11:13]]

def multi10(port, scale):
    keys, batch = 10_000, 16
    socks = [connect(port) for _ in range(8)]
    for i in range(keys):
        socks[0].sendall(command("SET", f"key:{i}", "12345678"))
        take(socks[0], 5)
    requests = []
    for n in range(64):
        text = b""
        for t in range(batch):
            text += command("MULTI")
            for c in range(10):
                key = f"key:{(n * 7919 + t * 613 + c * 101) % keys}"
                text += command("SET", key, "12345678") if c % 2 else command("GET", key)
            text += command("EXEC")
        requests.append(text)
    reply = batch * (5 + 10 * 9 + 5 + 5 * 5 + 5 * 14)
    def run():
        rounds = max(1, int(600 * scale))
        for r in range(rounds):
            for i, s in enumerate(socks):
                s.sendall(requests[(r + i) % len(requests)])
            for s in socks:
                take(s, reply)
        return rounds * batch * len(socks)
    return run, False

def publish(port, scale):
    subscribers = [connect(port) for _ in range(100)]
    for s in subscribers:
        s.sendall(command("SUBSCRIBE", "news"))
        take(s, len(b"*3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n"))
    talker, batch = connect(port), 50
    request = command("PUBLISH", "news", b"x" * 64) * batch
    size = len(b"*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$64\r\n\r\n") + 64
    def run():
        rounds = max(1, int(100 * scale))
        for _ in range(rounds):
            talker.sendall(request)
            take(talker, batch * len(b":100\r\n"))
            left = {s: batch * size for s in subscribers}
            while left:
                for s in select.select(list(left), [], [])[0]:
                    left[s] -= len(s.recv(1 << 18))
                    if left[s] == 0:
                        del left[s]
        return rounds * batch * len(subscribers)
    return run, True

def pingpong(port, scale):
    pairs = [(connect(port), connect(port), f"queue:{i}") for i in range(32)]
    def run():
        rounds = max(1, int(1500 * scale))
        for _ in range(rounds):
            for waiter, _, queue in pairs:
                waiter.sendall(command("BLPOP", queue, 0))
            for _, pusher, queue in pairs:
                pusher.sendall(command("LPUSH", queue, "x"))
            for waiter, pusher, _ in pairs:
                lines(pusher, 1)
                lines(waiter, 5)
        return rounds * len(pairs)
    return run, False

def load_script(sock):
    sock.sendall(command("SCRIPT", "LOAD", SCRIPT))
    data = b""
    while data.count(b"\n") < 2:
        data += sock.recv(4096)
    return data.split(b"\r\n")[1]

def scripts(port, scale, batch, connections, rounds):
    socks = [connect(port) for _ in range(connections)]
    sha = load_script(socks[0])
    requests = [b"".join(command("EVALSHA", sha, 1, f"counter:{(n * 31 + i * 7919) % 10_000}", 1) for i in range(batch))
                for n in range(256)]
    def run():
        count = max(1, int(rounds * scale))
        for r in range(count):
            for i, s in enumerate(socks):
                s.sendall(requests[(r * 3 + i) % len(requests)])
            for s in socks:
                lines(s, batch)
        return count * batch * len(socks)
    run()
    return run, False

def benchmark_scripts(port, scale, pipeline, requests):
    sha = load_script(connect(port)).decode()
    def run(count=max(1, int(requests * scale))):
        args = ["-r", "100000", "-c", "50", "-P", pipeline, "evalsha", sha, 1, "script:__rand_int__", 1]
        subprocess.run([str(word) for word in ["redis-benchmark", "--threads", 2, "-p", port, "-n", count, "-q", *args]],
                       check=True, stdout=subprocess.DEVNULL)
        return count
    # As many keys as there will be, nearly.
    run(300_000)
    return run, False

ROWS = {
    "multi10": multi10, "publish": publish, "pingpong": pingpong,
    "evalsha": lambda port, scale: scripts(port, scale, 16, 16, 400),
    "evalsha1": lambda port, scale: scripts(port, scale, 1, 50, 1000),
    "evalsha_P1": lambda port, scale: benchmark_scripts(port, scale, 1, 200_000),
    "evalsha_P16": lambda port, scale: benchmark_scripts(port, scale, 16, 600_000),
}

def main():
    row, port, pid = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    scale = float(sys.argv[4]) if len(sys.argv) > 4 else 1.0
    run, deliveries = ROWS[row](port, scale)
    before = sum(cpu(pid))
    count = run()
    used = sum(cpu(pid)) - before
    print(f"{count / used:.0f}" if deliveries else f"{used * 1e6 / count:.3f}")

if __name__ == "__main__":
    main()
