#!/usr/bin/env python3
"""Writes one of a few fixed data sets as RESP commands on stdout, for `redis-cli --pipe`.

usage: dataset.py KIND       dataset.py --count KIND   prints its number of elements      dataset.py --list
"""
import sys

MILLION = 1_000_000

def batches(head, element, n, size=10):
    """One command per `size` elements; `element(i)` gives that element's arguments."""
    for i in range(0, n, size):
        yield [*head(i), *(a for j in range(i, i + size) for a in element(j))]

# kind: (elements, the commands that make them)
KINDS = {
    "str64": (MILLION, lambda n: (["SET", "key:%012d" % i, "x" * 64] for i in range(n))),
    "str8ttl": (MILLION, lambda n: (["SET", "session:%08d" % i, "v%07d" % i, "EX", "100000"] for i in range(n))),
    "int": (MILLION, lambda n: (["SET", "counter:%08d" % i, str(i)] for i in range(n))),
    "hash10": (100_000, lambda n: batches(lambda i: ["HSET", "user:%08d" % (i // 10)],
                                          lambda j: ["field%d" % (j % 10), "value:%06d" % (j // 10 * 7 + j % 10)], n * 10)),
    "zset1m": (MILLION, lambda n: batches(lambda i: ["ZADD", "board"], lambda j: [str(j * 1.5), "member:%08d" % j], n)),
    "set1m": (MILLION, lambda n: batches(lambda i: ["SADD", "bigset"], lambda j: ["member:%08d" % j], n)),
    "list1m": (MILLION, lambda n: batches(lambda i: ["RPUSH", "biglist"], lambda j: ["item:%08d" % j], n)),
    "stream500k": (500_000, lambda n: (["XADD", "events", "%d-0" % (i + 1), "sensor", str(i % 100), "temp", str(i % 50),
                                        "seq", str(i)] for i in range(n))),
}

def encode(args):
    return ("*%d\r\n" % len(args) + "".join("$%d\r\n%s\r\n" % (len(a), a) for a in args)).encode()

def main():
    if sys.argv[1:] == ["--list"]:
        print(*KINDS)
        return
    if sys.argv[1:2] == ["--count"]:
        print(KINDS[sys.argv[2]][0])
        return
    n, commands = KINDS[sys.argv[1]]
    for command in commands(n):
        sys.stdout.buffer.write(encode(command))

main()
