#!/usr/bin/env python3
"""redis-py against a running server: the same checks over the sync and the asyncio client, in RESP2 and RESP3.

usage: smoke.py HOST PORT [--all]
Empties the server. Commands that the server does not list in COMMAND LIST are skipped and named; with --all a skip is a
failure. Prints "N passed, M failed" at the end; the exit status is 1 if anything failed.
Needs redis-py 8. Expectations come from the documentation of the commands; checked on Redis 7.0 and 8.2.
"""
import argparse, asyncio, inspect, sys, threading, time, warnings

import redis
import redis.asyncio

warnings.simplefilter("ignore")  # redis-py marks the newest commands as experimental

class Checks:
    """Counts passes, failures and skips; `group` prefixes the messages."""

    def __init__(self):
        self.passed, self.failed, self.skipped, self.group = 0, 0, set(), ""

    def judge(self, what, good, detail):
        if good:
            self.passed += 1
        else:
            self.failed += 1
            print(f"FAIL {self.group}: {what}: {detail}")

    async def eq(self, want, method, *args, **kw):
        """The call's answer equals `want`, or satisfies it if it is a function."""
        what = f"{getattr(method, '__name__', method)}{args}{kw or ''}"[:160]
        try:
            got = method(*args, **kw)
            if inspect.isawaitable(got):
                got = await got
        except Exception as e:
            self.judge(what, False, f"{type(e).__name__}: {e}")
            return None
        self.judge(what, want(got) if callable(want) else got == want and (type(got) is bool) == (type(want) is bool),
                   f"got {got!r:.300}, want {'the predicate to hold' if callable(want) else want!r:.300}")
        return got

    async def err(self, text, method, *args, **kw):
        """The call fails with an error whose text contains `text`."""
        what = f"{getattr(method, '__name__', method)}{args}{kw or ''}"[:160]
        try:
            got = method(*args, **kw)
            if inspect.isawaitable(got):
                got = await got
            self.judge(what, False, f"got {got!r:.300}, want the error {text!r}")
        except (redis.ResponseError, redis.AuthenticationError) as e:
            self.judge(what, text in str(e), f"got the error {e}, want {text!r}")
        except Exception as e:
            self.judge(what, False, f"{type(e).__name__}: {e}")

async def get(value):
    return await value if inspect.isawaitable(value) else value

async def strings(c, t, has):
    eq, err, do = t.eq, t.err, c.execute_command
    now = int(time.time())
    await eq(True, c.set, "s", "hello")
    await eq("hello", c.get, "s")
    await eq(None, c.get, "missing")
    await eq(None, c.set, "s", "x", nx=True)
    await eq(None, c.set, "missing", "x", xx=True)
    await eq("hello", c.set, "s", "world", get=True)
    await eq(True, c.set, "s", "v", ex=100)
    await eq(lambda v: 98 <= v <= 100, c.ttl, "s")
    await eq(True, c.set, "s", "v2", keepttl=True)
    await eq(lambda v: 98000 <= v <= 100000, c.pttl, "s")
    await eq(True, c.set, "s", "v", px=100000)
    await eq(True, c.set, "s", "v", exat=now + 500)
    await eq(now + 500, c.expiretime, "s")
    await eq(True, c.set, "s", "v", pxat=(now + 600) * 1000 + 7)
    await eq((now + 600) * 1000 + 7, c.pexpiretime, "s")
    await eq(True, c.set, "s", "v")
    await eq(-1, c.ttl, "s")
    await err("syntax error", do, "SET", "s", "v", "NX", "XX")
    await err("syntax error", do, "SET", "s", "v", "EX", "1", "KEEPTTL")
    await err("invalid expire time in 'set' command", do, "SET", "s", "v", "EX", "0")
    await err("wrong number of arguments for 'set' command", do, "SET", "s")
    await eq(2, c.append, "s", "w")
    await eq("vw", c.get, "s")
    await eq(2, c.strlen, "s")
    await eq(0, c.strlen, "missing")
    await eq(True, c.setex, "e", 100, "v")
    await eq(True, c.psetex, "e", 100000, "v")
    await eq(lambda v: 99 <= v <= 100, c.ttl, "e")
    await eq(True, c.setnx, "nx", "1")
    await eq(False, c.setnx, "nx", "2")
    await eq("1", c.getset, "nx", "3")
    await eq("3", c.getdel, "nx")
    await eq(None, c.getdel, "nx")
    await eq("v", c.getex, "e", ex=50)
    await eq(lambda v: 49 <= v <= 50, c.ttl, "e")
    await eq("v", c.getex, "e", persist=True)
    await eq(-1, c.ttl, "e")
    await eq("v", c.getex, "e", pxat=(now + 700) * 1000)
    await eq(now + 700, c.expiretime, "e")
    await eq(True, c.mset, {"m1": "a", "m2": "b"})
    await eq(["a", None, "b"], c.mget, "m1", "missing", "m2")
    await eq(False, c.msetnx, {"m2": "x", "m3": "y"})
    await eq(True, c.msetnx, {"m3": "c", "m4": "d"})
    await eq(5, c.setrange, "r", 0, "Hello")
    await eq(13, c.setrange, "r", 8, "World")
    await eq("Hello\x00\x00\x00World", c.get, "r")
    await eq("World", c.getrange, "r", -5, -1)
    await eq("Hell", c.substr, "r", 0, 3)
    await eq("", c.getrange, "missing", 0, -1)
    await err("offset is out of range", c.setrange, "r", -1, "x")
    await err("string exceeds maximum allowed size", c.setrange, "r", 1 << 29, "x")

    await eq(1, c.incr, "n")
    await eq(11, c.incr, "n", 10)
    await eq(9, c.incrby, "n", -2)
    await eq(8, c.decr, "n")
    await eq(-2, c.decrby, "n", 10)
    await eq(True, c.set, "n", str((1 << 63) - 1))
    await err("increment or decrement would overflow", c.incr, "n")
    await eq(True, c.set, "n", "12 ")
    await err("value is not an integer or out of range", c.incr, "n")
    await eq(True, c.set, "f", "10.50")
    await eq(lambda v: float(v) == 10.6, c.incrbyfloat, "f", 0.1)
    await eq("10.6", c.get, "f")
    await eq(True, c.set, "f", "5.0e3")
    await eq(lambda v: float(v) == 5200, c.incrbyfloat, "f", 200)
    await eq("5200", c.get, "f")
    await err("value is not a valid float", do, "INCRBYFLOAT", "f", "abc")

    await eq(True, c.mset, {"l1": "ohmytext", "l2": "mynewtext"})
    await eq("mytext", c.lcs, "l1", "l2")
    await eq(6, c.lcs, "l1", "l2", len=True)
    await eq(lambda v: "6" in str(v) and "text" not in str(v) and "[4, 7]" in str(v), c.lcs, "l1", "l2", idx=True, minmatchlen=4, withmatchlen=True)

    if has("digest"):
        await eq(True, c.set, "d", "")
        await eq("2d06800538d394c2", c.digest, "d")  # XXH3 of nothing
        await eq(None, c.digest, "missing")
        await eq(True, c.set, "d", "old")
        old = await get(c.digest("d"))
        await eq(None, c.set, "d", "new", ifeq="other")
        await eq(True, c.set, "d", "new", ifeq="old")
        await eq(None, c.set, "d", "x", ifne="new")
        await eq(True, c.set, "d", "newer", ifne="old")
        await eq(None, c.set, "d", "x", ifdeq=old)
        await eq(True, c.set, "d", "old", ifdne=old)
        await eq(True, c.set, "d", "old", ifdeq=old)
        await eq(None, c.set, "missing", "x", ifeq="x")
        await eq(True, c.set, "made", "x", ifne="y")
    if has("delex"):
        await eq(True, c.set, "d", "old")
        await eq(0, c.delex, "d", ifeq="other")
        await eq(0, c.delex, "d", ifne="old")
        await eq(0, c.delex, "d", ifdeq="0123456789abcdef")
        await eq(1, c.delex, "d", ifeq="old")
        await eq(0, c.delex, "d")
    if has("msetex"):
        await eq(1, c.msetex, {"x1": "1", "x2": "2"}, ex=100)
        await eq(lambda v: 99 <= v <= 100, c.ttl, "x2")
        await eq(1, c.msetex, {"x1": "3"}, keepttl=True)
        await eq(lambda v: 99 <= v <= 100, c.ttl, "x1")
    if has("increx"):
        await eq([5, 5], c.increx, "ix", byint=5)
        await eq([5, 0], c.increx, "ix", byint=5, ubound=8)
        await eq([8, 3], c.increx, "ix", byint=5, ubound=8, saturate=True, ex=100)
        await eq(lambda v: 99 <= v <= 100, c.ttl, "ix")
        await eq(lambda v: [float(x) for x in v] == [8.5, 0.5], c.increx, "ix", byfloat=0.5)

    blob = bytes(range(256)) * 4096 * 4  # 4 MiB, every byte value
    await eq(True, c.set, "blob", blob)
    await eq(len(blob), c.strlen, "blob")
    await eq(True, c.set, "", "empty key")
    await eq("empty key", c.get, "")

async def bitmaps(c, t, has):
    eq, err, do = t.eq, t.err, c.execute_command
    await eq(0, c.setbit, "b", 7, 1)
    await eq(1, c.setbit, "b", 7, 0)
    await eq(0, c.getbit, "b", 7)
    await eq(0, c.getbit, "b", 100000)
    await err("bit offset is not an integer or out of range", do, "SETBIT", "b", "-1", "1")
    await err("bit is not an integer or out of range", do, "SETBIT", "b", "1", "2")
    await eq(True, c.set, "b", "foobar")
    await eq(26, c.bitcount, "b")
    await eq(6, c.bitcount, "b", 1, 1)
    await eq(17, c.bitcount, "b", 5, 30, "BIT")
    await eq(1, c.bitpos, "b", 1)
    await eq(9, c.bitpos, "b", 1, 1)
    await eq(-1, c.bitpos, "missing", 1)
    await eq(9, c.bitpos, "b", 1, 7, 15, "BIT")
    await eq(True, c.mset, {"b1": "abc", "b2": "ab"})
    await eq(3, c.bitop, "AND", "dest", "b1", "b2")
    await eq("ab\x00", c.get, "dest")
    await eq(3, c.bitop, "OR", "dest", "b1", "b2")
    await eq(3, c.bitop, "XOR", "dest", "b1", "b2")
    await eq("\x00\x00c", c.get, "dest")
    await eq(True, c.set, "b3", b"\xf0")
    await eq(1, c.bitop, "NOT", "dest", "b3")
    await eq("\x0f", c.get, "dest")
    await eq(0, c.bitop, "AND", "dest", "missing")
    await eq(0, c.exists, "dest")
    if t.version >= (8, 2):
        await eq(True, c.mset, {"x": b"\x07", "y1": b"\x01", "y2": b"\x0a"})
        for op, want in (("DIFF", "\x04"), ("DIFF1", "\x08"), ("ANDOR", "\x03"), ("ONE", "\x0c")):
            await eq(1, c.bitop, op, "dest", "x", "y1", "y2")
            await eq(want, c.get, "dest")
    await eq([0, 3], c.bitfield("bf").set("u4", 0, 1).incrby("u4", 0, 2).execute)
    await eq([0, -1], c.bitfield("bf").set("i8", "#1", -1).get("i8", "#1").execute)
    await eq([None], c.bitfield("bf", "FAIL").incrby("u4", 0, 15).execute)
    await eq([15], c.bitfield("bf", "SAT").incrby("u4", 0, 15).execute)
    await eq([2], c.bitfield("bf").overflow("WRAP").incrby("u4", 0, 3).execute)
    await eq([2, 255], c.bitfield_ro, "bf", "u4", 0, items=[("u8", "#1")])

async def generic(c, t, has):
    eq, err, do = t.eq, t.err, c.execute_command
    now = int(time.time())
    await eq(True, c.mset, {"g1": "1", "g2": "two", "g3": "x" * 100})
    await eq(3, c.exists, "g1", "g1", "g2")
    await eq("string", c.type, "g1")
    await eq("none", c.type, "missing")
    await eq("int", c.object, "encoding", "g1")
    await eq("embstr", c.object, "encoding", "g2")
    await eq("raw", c.object, "encoding", "g3")
    await eq(lambda v: v >= 1, c.object, "refcount", "g2")
    await eq(lambda v: 0 <= v < 60, c.object, "idletime", "g2")
    await eq(None, c.object, "encoding", "missing")
    await eq(2, c.touch, "g1", "g2", "missing")
    await eq(True, c.copy, "g1", "copy")
    await eq(False, c.copy, "g2", "copy")
    await eq(True, c.copy, "g2", "copy", replace=True)
    await eq(True, c.copy, "g2", "other", destination_db=1)
    await eq(True, c.rename, "copy", "renamed")
    await err("no such key", c.rename, "copy", "x")
    await eq(False, c.renamenx, "renamed", "g1")
    await eq(True, c.renamenx, "renamed", "renamed2")
    await eq(True, c.move, "renamed2", 2)
    await eq(False, c.move, "renamed2", 2)
    await eq(True, c.expire, "g1", 100)
    await eq(False, c.expire, "missing", 100)
    await eq(False, c.expire, "g1", 200, nx=True)
    await eq(True, c.expire, "g1", 200, gt=True)
    await eq(True, c.expire, "g1", 150, lt=True)
    await eq(True, c.expire, "g1", 160, xx=True)
    await eq(True, c.expireat, "g1", now + 1000)
    await eq(now + 1000, c.expiretime, "g1")
    await eq(True, c.pexpire, "g1", 100000)
    await eq(True, c.pexpireat, "g1", (now + 1000) * 1000 + 5)
    await eq((now + 1000) * 1000 + 5, c.pexpiretime, "g1")
    await eq(True, c.persist, "g1")
    await eq(False, c.persist, "g1")
    await eq(-2, c.ttl, "missing")
    await eq(-2, c.pexpiretime, "missing")
    await eq(True, c.expire, "g1", -1)
    await eq(0, c.exists, "g1")
    await eq(True, c.set, "short", "v", px=20)
    deadline = time.monotonic() + 5
    while await get(c.get("short")) is not None and time.monotonic() < deadline:
        pass
    await eq(0, c.exists, "short")
    await eq(2, c.delete, "g2", "g3", "missing")
    await eq(0, c.unlink, "g2")

    await eq(True, c.mset, {f"scan:{i}": str(i) for i in range(500)})
    seen = set()
    cursor = None
    while cursor != 0:
        cursor, page = await get(c.scan(cursor or 0, match="scan:*", count=50))
        seen.update(page)
    t.judge("scan", seen == {f"scan:{i}" for i in range(500)}, f"{len(seen)} of 500")
    found = c.scan_iter(match="scan:1?", _type="string")
    found = sorted([k async for k in found] if hasattr(found, "__aiter__") else found)
    t.judge("scan_iter", found == [f"scan:{i}" for i in range(10, 20)], found)
    await eq(lambda v: sorted(v) == [f"scan:{i}" for i in range(10)], c.keys, "scan:[0-9]")
    await eq(lambda v: v is not None, c.randomkey)
    await err("invalid cursor", do, "SCAN", "x")
    await eq(500, c.unlink, *[f"scan:{i}" for i in range(500)])
    await eq(0, c.wait, 0, 10)
    if has("waitaof"):
        await eq([0, 0], c.waitaof, 0, 0, 10)
    await eq(None, c.object, "freq", "missing")

async def dumps(c, raw, t):
    """DUMP and RESTORE carry bytes that are not text, so they need the client without decoding."""
    eq, err = t.eq, t.err
    for value in (b"1234", b"text", b"x" * 1000, bytes(range(256))):
        await eq(True, raw.set, "dump", value)
        payload = await get(raw.dump("dump"))
        await eq(lambda v: v in (b"OK", True), raw.restore, "restored", 0, payload, replace=True)
        await eq(value, raw.get, "restored")
    await err("BUSYKEY", raw.restore, "restored", 0, payload)
    await err("DUMP payload version or checksum are wrong", raw.restore, "bad", 0, payload[:-1] + b"\x00")
    await eq(lambda v: v in (b"OK", True), raw.restore, "restored", 100000, payload, replace=True)
    await eq(lambda v: 99 <= v <= 100, raw.ttl, "restored")
    await eq(None, raw.dump, "missing")
    blob = bytes(range(256)) * 4096
    await eq(True, raw.set, "blob", blob)
    await eq(blob, raw.get, "blob")

async def connection(c, t, has, other, protocol):
    eq, err, do = t.eq, t.err, c.execute_command
    await eq(True, c.ping)
    await eq("hi", c.echo, "hi")
    await eq(lambda v: v > 0, c.client_id)
    await eq(True, c.client_setname, "smoke")
    await eq("smoke", c.client_getname)
    await err("Client names cannot contain spaces", c.client_setname, "a b")
    await eq(lambda v: v["name"] == "smoke" and int(v["db"]) == 0, c.client_info)
    me = await get(c.client_id())
    await eq(lambda v: [x for x in v if int(x["id"]) == me and x["name"] == "smoke"], c.client_list)
    await eq(lambda v: len(v) == 1, c.client_list, client_id=[me])
    await eq(lambda v: len(v) >= 1, c.client_list, _type="normal")
    await eq("OK", c.client_no_evict, "OFF")
    if has("client|no-touch"):
        await eq("OK", c.client_no_touch, "OFF")
    if has("client|setinfo"):
        await eq(True, c.client_setinfo, "LIB-NAME", "smoke")
        await eq(lambda v: v["lib-name"] == "smoke", c.client_info)
    await eq(True, c.client_pause, 1000, all=False)
    await eq(lambda v: v in ("OK", True), c.client_unpause)
    await err("nknown subcommand", do, "CLIENT", "NOSUCH")
    await err("unknown command 'NOSUCH', with args beginning with: 'a' 'b'", do, "NOSUCH", "a", "b")
    await err("without any password configured", do, "AUTH", "secret")
    await err("invalid username-password pair", do, "AUTH", "nobody", "secret")
    await err("NOPROTO", do, "HELLO", "9")
    hello = await get(do("HELLO", str(protocol)))
    hello = hello if isinstance(hello, dict) else dict(zip(hello[::2], hello[1::2]))
    t.judge("hello", hello.get("proto") == protocol and hello.get("server") and hello.get("role") == "master", hello)
    # A second connection: selected database, KILL, QUIT, RESET.
    await eq(True, other.client_setname, "victim")
    await eq(True, other.select, 3)
    await eq(True, other.set, "in3", "v")
    await eq(0, c.exists, "in3")
    victim = await get(other.client_id())
    await eq(lambda v: int(next(x for x in v if int(x["id"]) == victim)["db"]) == 3, c.client_list)
    await err("DB index is out of range", other.select, 9999)
    await eq(1, c.client_kill_filter, _id=victim)
    await eq(lambda v: all(int(x["id"]) != victim for x in v), c.client_list)
    await err("No such client", do, "CLIENT", "KILL", "127.0.0.1:1")

async def server(c, t, has):
    eq, err, do = t.eq, t.err, c.execute_command
    await eq(lambda v: len(v) > 80, c.command_list)
    await eq(["getbit", "getdel", "getex", "getrange", "getset"], lambda: get_sorted(c.command_list(pattern="get?*")))
    await eq(lambda v: v > 60, c.command_count)
    await eq(["a", "b"], c.command_getkeys, "MSET", "a", "1", "b", "2")
    await eq(lambda v: len(v) == 1 and v[0][0] == "s" and "update" in v[0][1], c.command_getkeysandflags, "SET", "s", "v")
    await eq(lambda v: v["get"]["arity"] == 2 and v["get"]["first_key_pos"] == 1, c.command)

    await eq(lambda v: v == {"maxmemory": "0"}, c.config_get, "maxmemory")
    await eq(lambda v: "maxclients" in v and "timeout" in v, c.config_get, "max*", "timeout")
    await eq(True, c.config_set, "maxmemory-samples", "7", "lazyfree-lazy-expire", "yes")
    await eq({"maxmemory-samples": "7"}, c.config_get, "maxmemory-samples")
    await eq(True, c.config_set, "maxmemory-samples", "5", "lazyfree-lazy-expire", "no")
    await err("CONFIG SET failed", c.config_set, "maxmemory-samples", "many")
    await err("Unknown option", c.config_set, "no-such-setting", "1")
    await eq(True, c.config_resetstat)

    for section, field in (("server", "redis_version"), ("server", "tcp_port"), ("server", "uptime_in_seconds"),
                           ("clients", "connected_clients"), ("memory", "used_memory"), ("memory", "maxmemory_policy"),
                           ("persistence", "loading"), ("stats", "total_commands_processed"), ("stats", "keyspace_hits"),
                           ("replication", "role"), ("cpu", "used_cpu_user")):
        await eq(lambda v: field in v, c.info, section)
    await eq(True, c.set, "info", "v", ex=100)
    await eq(lambda v: v["db0"]["keys"] >= 1 and v["db0"]["expires"] >= 1, c.info, "keyspace")
    await eq(lambda v: "cmdstat_set" in v, c.info, "commandstats")
    await eq(lambda v: "redis_version" in v and "db0" in v, c.info)
    await eq(lambda v: isinstance(v, int) and v > 0, c.memory_usage, "info")
    await eq(None, c.memory_usage, "missing")
    await eq(lambda v: "peak.allocated" in v and "keys.count" in v, c.memory_stats)
    await eq(lambda v: v in (True, "OK"), c.memory_purge)
    await eq(lambda v: isinstance(v, str), c.memory_malloc_stats)
    await eq(lambda v: isinstance(v, str), do, "MEMORY", "DOCTOR")

    await eq(True, c.config_set, "slowlog-log-slower-than", 0)
    await eq(True, c.set, "slow", "logged")
    await eq(lambda v: any("SET slow logged" == (e["command"].decode() if isinstance(e["command"], bytes) else e["command"]) for e in v), c.slowlog_get, 10)
    await eq(True, c.config_set, "slowlog-log-slower-than", 10000)
    await eq(lambda v: v > 0, c.slowlog_len)
    await eq(lambda v: v in (True, "OK"), c.slowlog_reset)
    await eq(0, c.slowlog_len)

    await eq(lambda v: v == [], c.latency_latest)
    await eq([], c.latency_history, "command")
    await eq(0, c.latency_reset)
    await eq(lambda v: "set" in str(v), do, "LATENCY", "HISTOGRAM", "set")
    await eq(lambda v: isinstance(v, str), do, "LATENCY", "DOCTOR")
    await eq(lambda v: isinstance(v, str) and len(v) > 10, c.lolwut)
    await eq(lambda v: abs(v[0] - time.time()) < 60 and 0 <= v[1] < 1000000, c.time)

    n = await get(c.dbsize())
    await eq(True, c.set, "one-more", "v")
    await eq(n + 1, c.dbsize)
    await eq(True, c.swapdb, 0, 5)
    await eq(0, c.dbsize)
    await eq(True, c.swapdb, 0, 5)
    await eq(n + 1, c.dbsize)
    await eq(True, c.flushdb)
    await eq(0, c.dbsize)
    await eq(True, c.flushall, asynchronous=True)

async def get_sorted(value):
    return sorted(await get(value))

async def pipelines(c, t):
    p = c.pipeline(transaction=False)
    for i in range(2000):
        p.set(f"p:{i}", i)
    for i in range(2000):
        p.get(f"p:{i}")
    got = await get(p.execute())
    t.judge("pipeline", got == [True] * 2000 + [str(i) for i in range(2000)], f"{len(got)} answers")
    p = c.pipeline(transaction=False)
    p.set("pe", "text")
    p.incr("pe")
    p.get("pe")
    got = await get(p.execute(raise_on_error=False))
    t.judge("pipeline with an error", got[0] is True and isinstance(got[1], redis.ResponseError) and got[2] == "text", got)

async def collections(c, t):
    """Lists, hashes, sets and sorted sets, small ones and large ones."""
    eq = t.eq
    many = [f"m{i:05}" for i in range(3000)]
    await eq(4, c.rpush, "li", "a", "b", "c", "d")
    await eq(["b", "c"], c.lrange, "li", 1, 2)
    await eq("d", c.rpop, "li")
    await eq(["a", "b"], c.lpop, "li", 2)
    await eq(2, c.lpush, "li", "z")
    await eq("z", c.lmove, "li", "li2", "LEFT", "RIGHT")
    await eq(["li2", ["z"]], c.lmpop, 2, "nothing", "li2", direction="LEFT")
    await eq(3000, c.rpush, "big:li", *many)
    await eq(many[1500], c.lindex, "big:li", 1500)
    await eq(many, c.lrange, "big:li", 0, -1)
    await eq(2, c.hset, "ha", mapping={"f": "1", "g": "2"})
    await eq({"f": "1", "g": "2"}, c.hgetall, "ha")
    await eq(["1", None], c.hmget, "ha", ["f", "none"])
    await eq(5, c.hincrby, "ha", "f", 4)
    await eq(3000, c.hset, "big:ha", mapping={m: m[1:] for m in many})
    await eq({m: m[1:] for m in many}, c.hgetall, "big:ha")
    got = {f for f, _ in [x async for x in aiter_of(c.hscan_iter("big:ha"))]}
    t.judge("hscan_iter", got == set(many), len(got))
    await eq(3, c.sadd, "se", "1", "2", "x")
    await eq({"1", "2", "x"}, c.smembers, "se")
    await eq(3000, c.sadd, "big:se", *many)
    await eq(set(many), c.smembers, "big:se")
    await eq(3, c.sadd, "few", "m00001", "m00002", "no")
    await eq(2, c.sinterstore, "both", "big:se", "few")
    await eq({"m00001", "m00002"}, c.smembers, "both")
    await eq(lambda got: got in set(many), c.spop, "big:se")
    await eq(2999, c.scard, "big:se")
    await eq(2, c.zadd, "zs", {"a": 1, "b": 2.5})
    await eq(2.5, c.zscore, "zs", "b")
    pairs = lambda of: [tuple(p) for p in of]
    await eq(lambda got: pairs(got) == [("a", 1.0), ("b", 2.5)], c.zrange, "zs", 0, -1, withscores=True)
    await eq(3000, c.zadd, "big:zs", {m: i for i, m in enumerate(many)})
    await eq(1234, c.zrank, "big:zs", "m01234")
    await eq(many[10:13], c.zrange, "big:zs", 10, 12, byscore=True)
    # One pair, by itself or in a list.
    await eq(lambda got: list(got if len(got) == 2 else got[0]) == ["m02999", 2999.0], c.zpopmax, "big:zs")
    await eq(3, c.rpush, "nums", "10", "2", "1")
    await eq(["1", "2", "10"], c.sort, "nums")

async def aiter_of(iterator):
    """Goes through an iterator or an asynchronous one."""
    if hasattr(iterator, "__aiter__"):
        async for item in iterator:
            yield item
    else:
        for item in iterator:
            yield item

async def messages(c, other, t):
    """Publish/subscribe: by name and by pattern, and what is said of it."""
    p = other.pubsub(ignore_subscribe_messages=True)
    await get(p.subscribe("news"))
    await get(p.psubscribe("n*"))
    for _ in range(100):  # until both have been confirmed
        await get(p.get_message(timeout=0.05))
        if await get(c.pubsub_numpat()) == 1 and dict(await get(c.pubsub_numsub("news"))).get("news") == 1:
            break
    await t.eq(2, c.publish, "news", "hello")
    await t.eq(0, c.publish, "other", "nobody")
    got = []
    for _ in range(100):
        message = await get(p.get_message(timeout=0.1))
        if message:
            got.append((message["type"], message["data"]))
        if len(got) == 2:
            break
    t.judge("messages", got == [("message", "hello"), ("pmessage", "hello")], got)
    await get(p.aclose() if hasattr(p, "aclose") else p.close())

async def suite(make, t, protocol):
    """`make(decode, single)` opens a client."""
    c, raw, other = await make(True, False), await make(False, False), await make(True, True)
    latin = await make("latin-1", True)  # text for bytes one to one
    await get(c.flushall())
    names = set(await get(c.command_list()))
    info = await get(c.info("server"))
    t.version = tuple(int(x) for x in info["redis_version"].split(".")[:2])

    def has(name):
        if name in names:
            return True
        t.skipped.add(name)
        return False

    await strings(latin, t, has)
    await bitmaps(latin, t, has)
    await generic(c, t, has)
    await dumps(c, raw, t)
    await connection(latin, t, has, other, protocol)
    await pipelines(c, t)
    await collections(c, t)
    messenger = await make(True, False)
    await messages(c, messenger, t)
    await server(c, t, has)
    for client in (c, raw, other, latin, messenger):
        await get(client.aclose() if hasattr(client, "aclose") else client.close())

def threads(host, port, t):
    c = redis.Redis(host, port)
    c.delete("shared")
    workers = [threading.Thread(target=lambda: [c.incr("shared") for _ in range(100)]) for _ in range(20)]
    for w in workers:
        w.start()
    for w in workers:
        w.join()
    t.judge("20 threads of INCR", c.get("shared") == b"2000", c.get("shared"))

async def tasks(host, port, t):
    pool = redis.asyncio.BlockingConnectionPool(host=host, port=port, protocol=3, max_connections=50)
    async with redis.asyncio.Redis.from_pool(pool) as c:
        await c.delete("shared")
        await asyncio.gather(*[c.incr("shared") for _ in range(500)])
        t.judge("500 tasks of INCR", await c.get("shared") == b"500", "lost increments")

def cached(host, port, t):
    """redis-py's own cache: reads come from it until the server says that a key changed."""
    from redis.cache import CacheConfig

    with redis.Redis(host, port) as other:
        version = tuple(int(n) for n in other.info("server")["redis_version"].split("."))
        if version < (7, 4):
            return t.skipped.add("client-side caching, which redis-py wants Redis 7.4 for")
        with redis.Redis(host, port, protocol=3, cache_config=CacheConfig(max_size=100)) as c:
            def asked():
                return other.info("commandstats").get("cmdstat_get", {}).get("calls", 0)

            def until(what, holds):
                deadline = time.monotonic() + 30
                while not holds() and time.monotonic() < deadline:
                    time.sleep(0.001)
                t.judge(what, holds(), "never")

            other.flushall()
            other.mset({"one": "1", "two": "2"})
            other.hset("hash", "field", "a")
            t.judge("read", (c.get("one"), c.hgetall("hash"), c.mget("one", "two")) == (b"1", {b"field": b"a"}, [b"1", b"2"]), "other values")
            before = asked()
            t.judge("cached reads", all(c.get("one") == b"1" for _ in range(100)), "another value")
            t.judge("cached reads are not asked for", asked() == before, f"{asked() - before} calls")
            t.judge("cache", c.get_cache().size == 3, c.get_cache().size)
            other.set("one", "changed")
            until("a change is seen", lambda: c.get("one") == b"changed")
            until("by all that has the key", lambda: c.mget("one", "two") == [b"changed", b"2"])
            t.judge("the rest stays", c.hgetall("hash") == {b"field": b"a"}, "another value")
            other.hset("hash", "field", "b")
            until("a change within", lambda: c.hgetall("hash") == {b"field": b"b"})
            other.pexpire("one", 20)
            until("a key that expires", lambda: c.get("one") is None)
            other.flushall()
            until("everything", lambda: c.get("two") is None and c.hgetall("hash") == {})
            pipe = other.pipeline()
            pipe.set("two", "x").set("one", "y")
            pipe.execute()
            until("a transaction", lambda: (c.get("one"), c.get("two")) == (b"y", b"x"))

def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("host")
    p.add_argument("port", type=int)
    p.add_argument("--all", action="store_true")
    a = p.parse_args()
    t = Checks()

    def options(protocol, decode, single):
        return dict(host=a.host, port=a.port, protocol=protocol, single_connection_client=single, socket_timeout=30,
                    decode_responses=bool(decode), encoding="latin-1" if decode == "latin-1" else "utf-8")

    for protocol in (2, 3):
        async def make(decode, single):
            return redis.Redis(**options(protocol, decode, single))

        async def make_async(decode, single):
            return await redis.asyncio.Redis(**options(protocol, decode, single)).initialize()

        for kind, maker in (("sync", make), ("asyncio", make_async)):
            t.group = f"{kind}, RESP{protocol}"
            asyncio.run(suite(maker, t, protocol))
    t.group = "concurrency"
    threads(a.host, a.port, t)
    asyncio.run(tasks(a.host, a.port, t))
    t.group = "client-side caching"
    cached(a.host, a.port, t)
    if t.skipped:
        print("not on this server:", ", ".join(sorted(t.skipped)))
        if a.all:
            t.failed += len(t.skipped)
    print(f"{t.passed} passed, {t.failed} failed")
    sys.exit(1 if t.failed else 0)

main()
