#!/usr/bin/env python3
"""The table front of a running server from another language: protobuf over a socket, gRPC with health and reflection,
and HTTP, beside redis-py on the same keyspace.

usage: tables.py HOST PORT TABLE_PORT GRPC_PORT HTTP_PORT
Empties the server. Needs redis-py, protobuf, grpcio, grpcio-health-checking and grpcio-reflection; the messages come from
the descriptor in crates/table/src/generated, and for gRPC from the server itself. Prints "N passed"; an assertion ends it.
"""
import json, pathlib, socket, struct, sys, urllib.error, urllib.request

import grpc, redis
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

ROOT = pathlib.Path(__file__).resolve().parents[3]
passed = 0

def check(got, want):
    global passed
    assert got == want, f"got {got!r}, want {want!r}"
    passed += 1

def messages(pool):
    """The classes of the package's messages, by name."""
    file = pool.FindFileByName("ochre_table.proto")
    return {name: message_factory.GetMessageClass(kind) for name, kind in file.message_types_by_name.items()}

def from_file():
    kinds = descriptor_pb2.FileDescriptorSet.FromString(
        (ROOT / "crates/table/src/generated/descriptor.bin").read_bytes())
    pool = descriptor_pool.DescriptorPool()
    for file in kinds.file:
        pool.Add(file)
    return messages(pool)

class Raw:
    """Frames over a socket."""

    def __init__(self, host, port, kinds):
        self.socket = socket.create_connection((host, port), timeout=20)
        self.kinds = kinds

    def send(self, **request):
        body = self.kinds["CommandRequest"](**request).SerializeToString()
        self.socket.sendall(struct.pack(">I", len(body)) + body)

    def read(self, count):
        data = b""
        while len(data) < count:
            piece = self.socket.recv(count - len(data))
            assert piece, "the server closed the connection"
            data += piece
        return data

    def receive(self):
        body = self.read(struct.unpack(">I", self.read(4))[0])
        return self.kinds["CommandResponse"].FromString(body)

    def ask(self, **request):
        self.send(**request)
        return self.receive()

def raw(host, port, r):
    kinds = from_file()
    value, pair = kinds["Value"], kinds["Kvpair"]
    c = Raw(host, port, kinds)
    put = lambda key, v: dict(hset=dict(table="t", pair=pair(key=key, value=v)))
    check(c.ask(**put("text", value(string="hello"))).values[0], value())
    check(r.hget("t", "text"), b"hello")
    for key, v in [("int", value(integer=-5)), ("float", value(float=1.5)), ("yes", value(bool=True)),
                   ("bytes", value(binary=b"\xff\0")), ("empty", value())]:
        check(c.ask(**put(key, v)).status, 200)
        check(list(c.ask(hget=dict(table="t", key=key)).values), [v])
    r.hset("t", "theirs", "42")
    check(list(c.ask(hget=dict(table="t", key="theirs")).values), [value(string="42")])
    missing = c.ask(hget=dict(table="t", key="none"))
    check((missing.status, "t" in missing.message, "none" in missing.message), (404, True, True))
    check(len(c.ask(hgetall=dict(table="t")).pairs), 7)
    check(list(c.ask(hmget=dict(table="t", keys=["text", "none"])).values), [value(string="hello"), value()])
    check(list(c.ask(hmexist=dict(table="t", keys=["text", "none"])).values), [value(bool=True), value(bool=False)])
    for n in range(1000):
        c.send(**put(str(n), value(integer=n)))
    for n in range(1000):
        check(c.receive().status, 200)
    check(len(c.ask(hmdel=dict(table="t", keys=[str(n) for n in range(1000)])).values), 1000)
    listener = Raw(host, port, kinds)
    number = listener.ask(subscribe=dict(topic="news")).values[0].integer
    check(list(c.ask(publish=dict(topic="news", data=[value(string="hi")])).values), [value(integer=1)])
    check(list(listener.receive().values), [value(string="hi")])
    check(c.ask(unsubscribe=dict(topic="news", id=number)).status, 200)
    check(len(listener.receive().values), 0)

def over_grpc(host, port):
    with grpc.insecure_channel(f"{host}:{port}") as channel:
        health = health_pb2_grpc.HealthStub(channel)
        for service in ["", "ochre.table.Table"]:
            check(health.Check(health_pb2.HealthCheckRequest(service=service)).status, health_pb2.HealthCheckResponse.SERVING)
        database = ProtoReflectionDescriptorDatabase(channel)
        check("ochre.table.Table" in database.get_services(), True)
        pool = descriptor_pool.DescriptorPool(database)
        service = pool.FindServiceByName("ochre.table.Table")
        kinds = {kind.name: message_factory.GetMessageClass(kind) for kind in
                 [service.methods_by_name["Execute"].input_type, service.methods_by_name["Execute"].output_type,
                  service.methods_by_name["Subscribe"].input_type]}
        request, response = kinds["CommandRequest"], kinds["CommandResponse"]
        execute = channel.unary_unary("/ochre.table.Table/Execute", request.SerializeToString, response.FromString)
        subscribe = channel.unary_stream("/ochre.table.Table/Subscribe", kinds["Subscribe"].SerializeToString,
                                         response.FromString)
        check(execute(request(hset=dict(table="g", pair=dict(key="k", value=dict(integer=7))))).status, 200)
        check(execute(request(hget=dict(table="g", key="k"))).values[0].integer, 7)
        check(execute(request(hget=dict(table="g", key="none"))).status, 404)
        check(execute(request(subscribe=dict(topic="x"))).status, 400)
        stream = subscribe(kinds["Subscribe"](topic="news"), timeout=20)
        number = next(stream).values[0].integer
        check(execute(request(publish=dict(topic="news", data=[dict(bool=True)]))).values[0].integer, 1)
        check(next(stream).values[0].bool, True)
        check(execute(request(unsubscribe=dict(topic="news", id=number))).status, 200)
        check(list(stream), [])

def over_http(host, port, r):
    def ask(method, path, *body, kind="application/json"):
        data = json.dumps(body[0]).encode() if body else None
        request = urllib.request.Request(f"http://{host}:{port}{path}", data, {"Content-Type": kind}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=20) as response:
                return response.status, json.load(response)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)
    for v in ["text", 5, 2**63 - 1, 1.5, True, None, {"bytes": "/wA="}]:
        check(ask("PUT", "/tables/h/k", v)[0], 200)
        check(ask("GET", "/tables/h/k"), (200, v))
    check(ask("PUT", "/tables/h/a%2Fb%20c", "odd"), (200, None))
    check(r.hget("h", "a/b c"), b"odd")
    check(ask("DELETE", "/tables/h/a%2Fb%20c"), (200, "odd"))
    check(ask("GET", "/tables/h/none")[0], 404)
    check(ask("PUT", "/tables/h/k", [1])[0], 400)
    check(ask("GET", "/tables/h?limit=0")[0], 400)
    r.hset("pages", mapping={str(n): n for n in range(5000)})
    found, cursor = {}, ""
    while cursor is not None:
        status, page = ask("GET", f"/tables/pages?limit=500{cursor and '&cursor=' + cursor}")
        check(status, 200)
        found.update({pair["key"]: pair["value"] for pair in page["pairs"]})
        cursor = page["next"]
    check(found, {str(n): str(n) for n in range(5000)})
    check(ask("POST", "/topics/news", ["x"], kind="text/plain")[0], 415)
    check(sorted(ask("GET", "/openapi.json")[1]["paths"])[0], "/openapi.json")
    events = urllib.request.urlopen(f"http://{host}:{port}/topics/news", timeout=20)
    lines = (line.decode().strip() for line in events)
    check([next(lines) for _ in range(3)][0], "event: subscribed")
    check(ask("POST", "/topics/news", ["hi", 5]), (200, 1))
    check([next(lines) for _ in range(2)], ["event: message", 'data: ["hi",5]'])
    events.close()
    request = urllib.request.Request(f"http://{host}:{port}/tables/h/k", headers={"Host": "elsewhere.example"})
    try:
        urllib.request.urlopen(request, timeout=20)
        check("served", "refused")
    except urllib.error.HTTPError as error:
        check(error.code, 403)

def main():
    host, port, table, grpc_port, http = sys.argv[1], *map(int, sys.argv[2:6])
    with redis.Redis(host, port) as r:
        r.flushall()
        raw(host, table, r)
        over_grpc(host, grpc_port)
        over_http(host, http, r)
    print(f"{passed} passed")

main()
