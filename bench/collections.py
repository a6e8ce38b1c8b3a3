#!/usr/bin/env python3
"""The data and the requests of collections.sh.

usage: collections.py fill           writes the data as RESP commands on stdout, for `redis-cli --pipe`
       collections.py rows           prints "row requests limit" lines
       collections.py run ROW PORT [SCALE]   sends a row's requests and prints how many they were
The requests of a row are a fixed random sample, the same for every server. They go out in batches over several
connections at once, so that the server always has work waiting; a PING ends each batch and tells where its replies end.
"""
import random, socket, sys

MILLION = 1_000_000
HASHES = 1_000          # of 50 fields, and as many sets of 100 members: more than the processor's caches hold
SAMPLE = 65_536         # distinct requests of a row, for the same reason

def encode(*args):
    return ("*%d\r\n" % len(args) + "".join("$%d\r\n%s\r\n" % (len(str(a)), a) for a in args)).encode()

def filled(head, elements, size=500):
    """Commands that start with `head` and add `elements` (tuples of arguments), some hundred at a time."""
    part = []
    for element in elements:
        part.extend(element)
        if len(part) >= size:
            yield encode(*head, *part)
            part = []
    if part:
        yield encode(*head, *part)

def fill():
    for i in range(HASHES):
        yield from filled(["HSET", "hash:%04d" % i], (("field:%02d" % j, "value:%06d" % (i * 50 + j)) for j in range(50)))
        yield from filled(["SADD", "set:%04d" % i], (["member:%06d" % (i * 100 + j)] for j in range(100)))
    for name, start in (("left", 0), ("right", 5_000)):
        yield from filled(["SADD", name], (["member:%06d" % j] for j in range(start, start + 10_000)))
    yield from filled(["ZADD", "board"], ((j, "member:%07d" % j) for j in range(MILLION)))
    yield from filled(["ZADD", "names"], ((0, "member:%07d" % j) for j in range(MILLION)))
    for name, start in (("zleft", 0), ("zright", 50_000)):
        yield from filled(["ZADD", name], ((j % 977 + 0.5, "member:%06d" % j) for j in range(start, start + 100_000)))
    yield from filled(["RPUSH", "list"], (["item:%07d" % j] for j in range(MILLION)))
    numbers = list(range(10_000))
    random.Random(1).shuffle(numbers)
    yield from filled(["RPUSH", "numbers"], ([j] for j in numbers))

def anywhere(rng):
    return rng.randrange(MILLION - 100)

# row: (requests, batch, connections, one request drawn from a random generator)
ROWS = {
    "hgetall50": (200_000, 16, 20, lambda r: ("HGETALL", "hash:%04d" % r.randrange(HASHES))),
    "smembers100": (200_000, 16, 20, lambda r: ("SMEMBERS", "set:%04d" % r.randrange(HASHES))),
    "sinter10k": (2_000, 1, 4, lambda r: ("SINTER", "left", "right")),
    "zrange_rank": (200_000, 16, 20, lambda r: (lambda at: ("ZRANGE", "board", at, at + 99))(anywhere(r))),
    "zrange_score": (200_000, 16, 20, lambda r: ("ZRANGE", "board", anywhere(r), "+inf", "BYSCORE", "LIMIT", 0, 100)),
    "zrange_lex": (200_000, 16, 20, lambda r: ("ZRANGE", "names", "[member:%07d" % anywhere(r), "+", "BYLEX", "LIMIT", 0, 100)),
    "zrank": (1_000_000, 64, 20, lambda r: ("ZRANK", "board", "member:%07d" % anywhere(r))),
    "zunionstore": (40, 1, 2, lambda r: ("ZUNIONSTORE", "union", 2, "zleft", "zright")),
    "lindex": (1_000_000, 64, 20, lambda r: ("LINDEX", "list", r.randrange(450_000, 550_000))),
    "sort10k": (1_000, 1, 4, lambda r: ("SORT", "numbers")),
}
LIMIT = 0.90
PING, PONG = encode("PING"), b"+PONG\r\n"

def run(row, port, scale):
    total, batch, clients, draw = ROWS[row]
    total = max(int(total * scale), batch * clients)
    rng = random.Random(7)
    requests = [encode(*draw(rng)) for _ in range(SAMPLE)]
    batches = [b"".join(requests[i:i + batch]) + PING for i in range(0, SAMPLE, batch)]
    socks = []
    for _ in range(clients):
        s = socket.create_connection(("127.0.0.1", port))
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        socks.append(s)
    buffer, sent, at = bytearray(1 << 20), 0, 0
    view = memoryview(buffer)
    owed = [False] * clients
    while sent < total or any(owed):
        for i, s in enumerate(socks):
            if owed[i]:
                receive(s, buffer, view)
                owed[i] = False
            if sent < total:
                s.sendall(batches[at % len(batches)])
                at, sent, owed[i] = at + 1, sent + batch, True
    print(sent)

def receive(s, buffer, view):
    """Reads and drops one batch's replies, up to the answer to its PING."""
    kept = 0
    while True:
        n = s.recv_into(view[kept:])
        if n == 0:
            sys.exit("the server closed the connection")
        if not kept and buffer[:1] == b"-":
            sys.exit("error: %r" % bytes(buffer[:min(n, 200)]))
        end = kept + n
        if buffer.endswith(PONG, 0, end):
            return
        # The answer to PING may be split; its beginning moves to the front.
        kept = min(end, len(PONG) - 1)
        buffer[:kept] = buffer[end - kept:end]

def main():
    if sys.argv[1] == "fill":
        for command in fill():
            sys.stdout.buffer.write(command)
    elif sys.argv[1] == "rows":
        for row, (n, *_) in ROWS.items():
            print(row, n, LIMIT)
    else:
        run(sys.argv[2], int(sys.argv[3]), float(sys.argv[4]) if len(sys.argv) > 4 else 1.0)

main()
