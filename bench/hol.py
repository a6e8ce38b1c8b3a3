#!/usr/bin/env python3
"""Head-of-line blocking: how long GETs of 20 clients take while another client does something heavy.

usage: bench/hol.py OCHRE_SERVER [--redis SERVER] [--scenario keys10m,bitcount256,flushall,smembers1m,del10m,zunion1m]
                    [--seconds 10] [--keys 10000000] [--members 10000000] [--limit-ms 5] [--port 7140]
  idle         nothing else happens: what the machine and the load generator themselves cost
  keys10m      KEYS * over ten million keys, again and again (a pattern that all match: the reply is read in full)
  bitcount256  BITCOUNT of four values of 256 MB, one after the other, again and again
  flushall     FLUSHALL ASYNC, then 500,000 keys by pipelined MSET, again and again
  smembers1m   SMEMBERS of a set of a million, again and again (the reply is read in full)
  del10m       DEL of a set of ten million, one second into the run, then SADD of them anew, again and again
  zunion1m     ZUNIONSTORE of two sorted sets of a million that have half of their members in common, again and again
Each scenario runs on Ochre and then on a real Redis 7.0 under the same load. The GETs come from one process over raw
sockets, 200 a second on each of 20 connections, sent by the clock and not after the last reply, so that a stall
is seen by every request that falls into it. That process asks for real-time priority (root) so as not to be the source
of latency itself; its own lateness is printed. The heavy client is a process of its own.
Needs python3, about 3 GB of memory. Exit status 1 if a p99.9 of Ochre is at or over the limit.
"""
import argparse, collections, gc, multiprocessing, os, queue, select, signal, socket, subprocess, sys, tempfile, time

CLIENTS, RATE = 20, 200
PROBE_VALUE = b"probed!!"

def encode(*args):
    parts = [a if isinstance(a, bytes) else str(a).encode() for a in args]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(a), a) for a in parts)

def connect(port):
    s = socket.create_connection(("127.0.0.1", port))
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return s

def call(s, *args):
    """A command whose reply is one line."""
    s.sendall(encode(*args))
    got = b""
    while not got.endswith(b"\r\n"):
        part = s.recv(65536)
        if not part:
            sys.exit("the server closed the connection")
        got += part
    if got.startswith(b"-"):
        sys.exit("%s: %s" % (" ".join(map(str, args))[:60], got.decode().strip()))
    return got

def read_until(s, tail, buffer=bytearray(1 << 20)):
    """Reads and drops everything up to and including `tail`, which occurs once, at the end."""
    end = b""
    while not end.endswith(tail):
        n = s.recv_into(buffer)
        if n == 0:
            sys.exit("the server closed the connection")
        end = (end + bytes(buffer[max(0, n - len(tail)):n]))[-len(tail):]

# The heavy clients: each is (prepare(socket, options), one round(socket)).

def populate(s, a):
    call(s, "DEBUG", "POPULATE", a.keys)

def keys_round(s):
    s.sendall(encode("KEYS", "*") + encode("ECHO", "the-end-of-keys"))
    read_until(s, b"\r\nthe-end-of-keys\r\n")

def big_values(s, _):
    for i in range(4):
        call(s, "SETBIT", f"big:{i}", (256 << 20) * 8 - 1, 1)

def bitcount_round(s):
    for i in range(4):
        call(s, "BITCOUNT", f"big:{i}")

REFILL = [b"".join(encode("MSET", *(x for j in range(10) for x in (f"refill:{i + j}", "v" * 64))) for i in range(at, at + 1000, 10))
          for at in range(0, 500_000, 1000)]

def flush_round(s):
    call(s, "FLUSHALL", "ASYNC")
    for part in REFILL:
        s.sendall(part)
        left = 100 * len(b"+OK\r\n")
        while left:
            got = s.recv(left)
            if not got or got[:1] == b"-":
                sys.exit("MSET failed: %r" % got)
            left -= len(got)

def fill_in(s, head, total, element):
    """`total` elements into one collection, a thousand in a command; `element(i)` gives an element's wire form."""
    per = element(0).count(b"$")
    for at in range(0, total, 1000):
        n = min(1000, total - at)
        s.sendall(b"*%d\r\n" % (len(head) + n * per) + encode(*head).split(b"\r\n", 1)[1] + b"".join(map(element, range(at, at + n))))
        got = b""
        while not got.endswith(b"\r\n"):
            got += s.recv(4096)
        if got[:1] != b":":
            sys.exit("%s failed: %r" % (head[0], got[:200]))

def member(i):
    return b"$15\r\nmember:%08d\r\n" % i

def million(s, _):
    fill_in(s, ["SADD", "million"], 1_000_000, member)

def smembers_round(s):
    s.sendall(encode("SMEMBERS", "million") + encode("ECHO", "the-end-of-members"))
    read_until(s, b"\r\nthe-end-of-members\r\n")

def victim(s, a):
    fill_in(s, ["SADD", "victim"], a.members, member)

def delete_round(s, size=[]):
    if not size:
        size.append(int(call(s, "SCARD", "victim")[1:]))
        time.sleep(1)
    call(s, "DEL", "victim")
    fill_in(s, ["SADD", "victim"], size[0], member)

def two_millions(s, _):
    for name, start in (("zleft", 0), ("zright", 500_000)):
        fill_in(s, ["ZADD", name], 1_000_000, lambda i: b"$8\r\n%08d\r\n" % (i % 9973) + member(start + i))

def zunionstore_round(s):
    call(s, "ZUNIONSTORE", "union", 2, "zleft", "zright")

def nothing(s, _=None):
    time.sleep(0.1)

SCENARIOS = {"idle": (nothing, nothing), "keys10m": (populate, keys_round), "bitcount256": (big_values, bitcount_round),
             "flushall": (nothing, flush_round), "smembers1m": (million, smembers_round), "del10m": (victim, delete_round),
             "zunion1m": (two_millions, zunionstore_round)}

def aggress(port, work, rounds):
    s = connect(port)
    while True:
        work(s)
        with rounds.get_lock():
            rounds.value += 1

def probe(port, seconds, out):
    """Sends GETs by the clock; puts (latencies, lateness of sending, unanswered, had real-time priority) into `out`."""
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(10))
        realtime = True
    except PermissionError:
        realtime = False
    socks = [connect(port) for _ in range(CLIENTS)]
    requests = [encode("GET", f"probe:{i}") for i in range(CLIENTS)]
    number = {s: i for i, s in enumerate(socks)}
    sent = [collections.deque() for _ in socks]
    rest = [b""] * CLIENTS
    latencies, lateness = [], []
    gc.disable()  # a collection in here would look like latency
    clock = time.monotonic_ns
    step = 1_000_000_000 // (CLIENTS * RATE)
    total = seconds * CLIENTS * RATE
    start, n = clock() + step, 0
    give_up = start + (seconds + 60) * 1_000_000_000
    while n < total or any(sent):
        now = clock()
        if now > give_up:
            break
        while n < total and start + n * step <= now:
            i = n % CLIENTS
            lateness.append(clock() - (start + n * step))
            sent[i].append(clock())
            socks[i].send(requests[i])
            n += 1
        wait = max(0, start + n * step - clock()) / 1e9 if n < total else 0.1
        for s in select.select(socks, [], [], wait)[0]:
            i, data = number[s], s.recv(65536)
            at = clock()
            if not data:
                sys.exit("the server closed a client's connection")
            data = rest[i] + data
            while True:  # the reply is the value, or nil while FLUSHALL has emptied the data
                size = 5 if data.startswith(b"$-1\r\n") else 14
                if data[:1] not in (b"$", b""):
                    sys.exit("unexpected reply %r" % data[:80])
                if len(data) < size:
                    break
                latencies.append(at - sent[i].popleft())
                data = data[size:]
            rest[i] = data
    out.put((latencies, lateness, sum(map(len, sent)), realtime))

def quantile(sorted_values, q):
    return sorted_values[min(len(sorted_values) - 1, int(q * len(sorted_values)))] / 1e6

def run(name, binary, scenario, a):
    prepare, work = SCENARIOS[scenario]
    with tempfile.TemporaryDirectory() as folder:
        server = subprocess.Popen([binary, "--port", str(a.port), "--bind", "127.0.0.1", "--save", "",
                                   "--enable-debug-command", "yes", "--dir", folder], stdout=subprocess.DEVNULL)
        try:
            return measure(name, prepare, work, a)
        finally:
            server.send_signal(signal.SIGTERM)
            try:
                server.wait(60)
            except subprocess.TimeoutExpired:
                server.kill()

def measure(name, prepare, work, a):
    deadline = time.monotonic() + 20
    while True:
        try:
            s = connect(a.port)
            break
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                sys.exit(f"{name} does not accept connections")
            time.sleep(0.05)
    for i in range(CLIENTS):
        call(s, "SET", f"probe:{i}", PROBE_VALUE)
    prepare(s, a)
    s.close()
    out, rounds = multiprocessing.Queue(), multiprocessing.Value("q", 0)
    heavy = multiprocessing.Process(target=aggress, args=(a.port, work, rounds), daemon=True)
    prober = multiprocessing.Process(target=probe, args=(a.port, a.seconds, out), daemon=True)
    heavy.start()
    prober.start()
    while True:
        try:
            latencies, lateness, lost, realtime = out.get(timeout=1)
            break
        except queue.Empty:
            if not prober.is_alive():
                sys.exit(f"{name}: the probing clients failed")
    if not heavy.is_alive():
        sys.exit(f"{name}: the heavy client failed")
    heavy.terminate()
    prober.join()
    heavy.join()
    return sorted(latencies), sorted(lateness), lost, rounds.value, realtime

def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("server")
    p.add_argument("--redis", default=os.environ.get("OCHRE_REDIS_70", "/usr/bin/redis-server"))
    p.add_argument("--scenario", default=",".join(SCENARIOS))
    p.add_argument("--seconds", type=int, default=10)
    p.add_argument("--keys", type=int, default=10_000_000)
    p.add_argument("--members", type=int, default=10_000_000, help="size of the set that del10m deletes")
    p.add_argument("--limit-ms", type=float, default=5.0)
    p.add_argument("--port", type=int, default=7140)
    a = p.parse_args()
    multiprocessing.set_start_method("fork")
    print(f"{CLIENTS} clients, {RATE} GETs a second each, {a.seconds} s; milliseconds from sending to the reply")
    print(f"{'scenario':<13}{'server':<11}{'p50':>9}{'p99':>9}{'p99.9':>9}{'max':>9}{'GETs':>8}{'rounds':>8}  generator late p99.9/max")
    over = False
    for scenario in a.scenario.split(","):
        for name, binary in (("ochre", a.server), ("redis-7.0", a.redis)):
            lat, late, lost, rounds, realtime = run(name, binary, scenario, a)
            if not lat:
                sys.exit(f"{name}: not one GET was answered")
            tail = quantile(lat, 0.999)
            verdict = ""
            if name == "ochre" and scenario != "idle":
                bad = tail >= a.limit_ms or lost
                over |= bool(bad)
                verdict = "  OVER" if bad else "  ok"
            print(f"{scenario:<13}{name:<11}{quantile(lat, .5):>9.3f}{quantile(lat, .99):>9.3f}{tail:>9.3f}{lat[-1] / 1e6:>9.1f}{len(lat):>8}"
                  f"{rounds:>8}  {quantile(late, .999):.3f}/{late[-1] / 1e6:.3f}"
                  + (f"  {lost} unanswered" if lost else "") + ("" if realtime else "  (no real-time priority)") + verdict, flush=True)
    sys.exit(1 if over else 0)

if __name__ == "__main__":
    main()
