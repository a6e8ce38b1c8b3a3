#!/usr/bin/env node
// ioredis against a running server, in RESP2 and RESP3.
//
// usage: smoke.mjs HOST PORT [--all]
// Empties the server. Commands that the server does not list in COMMAND LIST are skipped and named; with --all a skip is
// a failure. Prints "N passed, M failed" at the end; the exit status is 1 if anything failed.
// Needs Node 20 and ioredis 6, found in $OCHRE_NODE/node_modules (see bench/peers.sh) or by Node's own rules.
// Expectations come from the documentation of the commands; checked on Redis 7.0 and 8.2.
import { createRequire } from "node:module";
import { isDeepStrictEqual, inspect } from "node:util";

const require = createRequire(process.env.OCHRE_NODE ? `${process.env.OCHRE_NODE}/package.json` : import.meta.url);
const { Redis } = require("ioredis");

const [host, port] = [process.argv[2], Number(process.argv[3])];
const wantAll = process.argv.includes("--all");
let passed = 0, failed = 0, group = "";
const skipped = new Set();

function judge(what, good, detail) {
  if (good) return void passed++;
  failed++;
  console.log(`FAIL ${group}: ${what}: ${detail}`);
}

// The promise's answer equals `want`, or satisfies it if it is a function.
async function eq(what, promise, want) {
  try {
    const got = await promise;
    const good = typeof want === "function" ? want(got) : isDeepStrictEqual(got, want);
    judge(what, good, `got ${inspect(got).slice(0, 300)}, want ${inspect(want).slice(0, 300)}`);
  } catch (e) {
    judge(what, false, e);
  }
}

async function err(what, promise, text) {
  try {
    judge(what, false, `got ${inspect(await promise)}, want the error ${text}`);
  } catch (e) {
    judge(what, String(e.message).includes(text), `got the error ${e.message}, want ${text}`);
  }
}

const near = (want, slack = 2) => (v) => v <= want && v >= want - slack;

async function strings(c, has) {
  const at = Math.floor(Date.now() / 1000) + 500;
  await eq("set", c.set("s", "hello"), "OK");
  await eq("get", c.get("s"), "hello");
  await eq("get missing", c.get("missing"), null);
  await eq("set nx", c.set("s", "x", "NX"), null);
  await eq("set xx get", c.set("s", "world", "XX", "GET"), "hello");
  await eq("set ex", c.set("s", "v", "EX", 100), "OK");
  await eq("ttl", c.ttl("s"), near(100));
  await eq("set keepttl", c.set("s", "v", "KEEPTTL"), "OK");
  await eq("pttl", c.pttl("s"), near(100000, 2000));
  await eq("set exat", c.set("s", "v", "EXAT", at), "OK");
  await eq("expiretime", c.expiretime("s"), at);
  await err("set syntax", c.set("s", "v", "NX", "XX"), "syntax error");
  await err("set arity", c.call("SET", "s"), "wrong number of arguments for 'set' command");
  await eq("append", c.append("s", "w"), 2);
  await eq("strlen", c.strlen("s"), 2);
  await eq("setex", c.setex("e", 100, "v"), "OK");
  await eq("psetex", c.psetex("e", 100000, "v"), "OK");
  await eq("setnx", c.setnx("e", "v"), 0);
  await eq("getset", c.getset("e", "w"), "v");
  await eq("getex", c.getex("e", "EX", 100), "w");
  await eq("getex persist", c.getex("e", "PERSIST"), "w");
  await eq("ttl -1", c.ttl("e"), -1);
  await eq("getdel", c.getdel("e"), "w");
  await eq("mset", c.mset({ m1: "a", m2: "b" }), "OK");
  await eq("mget", c.mget("m1", "missing", "m2"), ["a", null, "b"]);
  await eq("msetnx", c.msetnx({ m2: "x", m3: "y" }), 0);
  await eq("setrange", c.setrange("r", 3, "World"), 8);
  await eq("getrange", c.getrange("r", 2, -1), "\0World");
  await eq("substr", c.substr("r", 3, 4), "Wo");
  await eq("incr", c.incr("n"), 1);
  await eq("incrby", c.incrby("n", 10), 11);
  await eq("decr", c.decr("n"), 10);
  await eq("decrby", c.decrby("n", 20), -10);
  await eq("incrbyfloat", c.incrbyfloat("n", "0.5"), (v) => Number(v) === -9.5);
  await err("incr of a float", c.incr("n"), "value is not an integer or out of range");
  await eq("set max", c.set("n", "9223372036854775807"), "OK");
  await err("incr overflow", c.incr("n"), "would overflow");
  await c.mset({ l1: "ohmytext", l2: "mynewtext" });
  await eq("lcs", c.lcs("l1", "l2"), "mytext");
  await eq("lcs len", c.lcs("l1", "l2", "LEN"), 6);
  const blob = Buffer.from(Array.from({ length: 1 << 20 }, (_, i) => i & 255));
  await eq("set buffer", c.set("blob", blob), "OK");
  await eq("getBuffer", c.getBuffer("blob"), (v) => blob.equals(v));
  if (has("digest")) {
    await eq("digest", c.call("DIGEST", "s"), (v) => /^[0-9a-f]{16}$/.test(v));
    await eq("set ifeq", c.call("SET", "s", "new", "IFEQ", "not this"), null);
    await eq("set ifne", c.call("SET", "s", "new", "IFNE", "not this"), "OK");
  }
  if (has("delex")) await eq("delex", c.call("DELEX", "s", "IFEQ", "new"), 1);
  if (has("msetex")) await eq("msetex", c.call("MSETEX", "1", "x", "v", "EX", "100"), 1);
  if (has("increx")) await eq("increx", c.call("INCREX", "ix", "BYINT", "5"), (v) => v.map(Number).join() === "5,5");
}

async function bitmaps(c) {
  await eq("setbit", c.setbit("b", 7, 1), 0);
  await eq("getbit", c.getbit("b", 7), 1);
  await c.set("b", "foobar");
  await eq("bitcount", c.bitcount("b"), 26);
  await eq("bitcount range", c.bitcount("b", 5, 30, "BIT"), 17);
  await eq("bitpos", c.bitpos("b", 1, 1), 9);
  await c.mset({ b1: "abc", b2: "ab" });
  await eq("bitop", c.bitop("AND", "dest", "b1", "b2"), 3);
  await eq("bitop result", c.get("dest"), "ab\0");
  await eq("bitfield", c.bitfield("bf", "SET", "u4", 0, 1, "INCRBY", "u4", 0, 2), [0, 3]);
  await eq("bitfield fail", c.bitfield("bf", "OVERFLOW", "FAIL", "INCRBY", "u4", 0, 15), [null]);
  await eq("bitfield_ro", c.bitfield_ro("bf", "GET", "u4", 0), [3]);
}

async function generic(c) {
  await c.mset({ g1: "1", g2: "two" });
  await eq("exists", c.exists("g1", "g1", "missing"), 2);
  await eq("type", c.type("g1"), "string");
  await eq("object encoding", c.object("ENCODING", "g1"), "int");
  await eq("touch", c.touch("g1", "g2"), 2);
  await eq("copy", c.copy("g1", "copy"), 1);
  await eq("rename", c.rename("copy", "renamed"), "OK");
  await err("rename missing", c.rename("copy", "x"), "no such key");
  await eq("renamenx", c.renamenx("renamed", "g2"), 0);
  await eq("move", c.move("renamed", 2), 1);
  await eq("expire", c.expire("g1", 100), 1);
  await eq("expire nx", c.expire("g1", 100, "NX"), 0);
  await eq("pexpire", c.pexpire("g1", 100000), 1);
  await eq("expireat", c.expireat("g1", 4102444800), 1);
  await eq("expiretime", c.expiretime("g1"), 4102444800);
  await eq("pexpireat", c.pexpireat("g1", 4102444800001), 1);
  await eq("pexpiretime", c.pexpiretime("g1"), 4102444800001);
  await eq("persist", c.persist("g1"), 1);
  const payload = await c.dumpBuffer("g2");
  await eq("restore", c.restore("restored", 0, payload), "OK");
  await eq("restored", c.get("restored"), "two");
  await err("restore busy", c.restore("restored", 0, payload), "BUSYKEY");
  await eq("del", c.del("g1", "missing"), 1);
  await eq("unlink", c.unlink("g2"), 1);
  const wanted = Array.from({ length: 300 }, (_, i) => `scan:${i}`);
  await c.mset(Object.fromEntries(wanted.map((k) => [k, "v"])));
  const seen = new Set();
  for await (const page of c.scanStream({ match: "scan:*", count: 40, type: "string" })) page.forEach((k) => seen.add(k));
  judge("scanStream", seen.size === 300 && wanted.every((k) => seen.has(k)), `${seen.size} of 300`);
  await eq("keys", c.keys("scan:[0-9]"), (v) => v.length === 10);
  await eq("randomkey", c.randomkey(), (v) => typeof v === "string");
  await eq("wait", c.wait(0, 10), 0);
}

async function connectionAndServer(c, options) {
  await eq("ping", c.ping(), "PONG");
  await eq("ping text", c.ping("text"), "text");
  await eq("echo", c.echo("hi"), "hi");
  await eq("client id", c.client("ID"), (v) => v > 0);
  await eq("client setname", c.client("SETNAME", "smoke"), "OK");
  await eq("client getname", c.client("GETNAME"), "smoke");
  await eq("client info", c.client("INFO"), (v) => v.includes("name=smoke"));
  await eq("client list", c.client("LIST"), (v) => v.includes("name=smoke"));
  const other = new Redis({ ...options, db: 3, connectionName: "victim", retryStrategy: null });
  other.on("error", () => {});
  await eq("set in 3", other.set("in3", "v"), "OK");
  await eq("exists in 0", c.exists("in3"), 0);
  await eq("select", other.select(4), "OK");
  await eq("exists in 4", other.exists("in3"), 0);
  const ended = new Promise((done) => other.once("end", done));
  await eq("client kill", c.client("KILL", "ID", await other.client("ID")), 1);
  await ended;
  judge("killed client sees the end", other.status === "end", other.status);
  await err("unknown command", c.call("NOSUCH", "a"), "unknown command 'NOSUCH'");
  await eq("command count", c.command("COUNT"), (v) => v > 60);
  await eq("command getkeys", c.command("GETKEYS", "MSET", "a", "1", "b", "2"), ["a", "b"]);
  await eq("command info", c.command("INFO", "get"), (v) => v[0][0] === "get" && v[0][1] === 2);
  await eq("config set", c.config("SET", "maxmemory-samples", "6"), "OK");
  await eq("config get", c.config("GET", "maxmemory-samples"), (v) => Object.entries(v).length > 0 && inspect(v).includes("'6'"));
  await eq("config set back", c.config("SET", "maxmemory-samples", "5"), "OK");
  await err("config set unknown", c.config("SET", "no-such-setting", "1"), "Unknown option");
  await eq("info", c.info("server"), (v) => v.includes("redis_version:"));
  await eq("memory usage", c.memory("USAGE", "s"), (v) => v === null || v > 0);
  await eq("slowlog reset", c.slowlog("RESET"), "OK");
  await eq("slowlog len", c.slowlog("LEN"), 0);
  await eq("time", c.time(), (v) => v.length === 2);
  await eq("lolwut", c.lolwut(), (v) => v.length > 10);
  const n = await c.dbsize();
  await eq("swapdb", c.swapdb(0, 5), "OK");
  await eq("swapdb back", c.swapdb(0, 5), "OK");
  await eq("dbsize", c.dbsize(), n);
}

async function pipelines(c, options) {
  const p = c.pipeline();
  for (let i = 0; i < 2000; i++) p.set(`p:${i}`, i);
  p.set("text", "t").incr("text").get("p:1999");
  const got = await p.exec();
  judge("pipeline", got.slice(0, 2001).every(([e, v]) => e === null && v === "OK"), "a SET failed");
  judge("pipeline error", String(got[2001][0]).includes("not an integer"), got[2001]);
  judge("pipeline after the error", got[2002][1] === "1999", got[2002]);
  const auto = new Redis({ ...options, enableAutoPipelining: true });
  await auto.set("shared", 0);
  await Promise.all(Array.from({ length: 500 }, () => auto.incr("shared")));
  await eq("autopipelined INCR", auto.get("shared"), "500");
  auto.disconnect();
}

async function suite(protocol) {
  group = `RESP${protocol}`;
  const options = { host, port, protocol, maxRetriesPerRequest: 1, commandTimeout: 30000 };
  const c = new Redis(options);
  await c.flushall();
  const names = new Set(await c.command("LIST"));
  const has = (name) => names.has(name) || (skipped.add(name), false);
  await strings(c, has);
  await bitmaps(c);
  await generic(c);
  await connectionAndServer(c, options);
  await pipelines(c, options);
  await eq("flushdb", c.flushdb(), "OK");
  await eq("flushall", c.flushall("ASYNC"), "OK");
  await eq("dbsize 0", c.dbsize(), 0);
  await eq("quit", c.quit(), "OK");
}

await suite(2);
await suite(3);
if (skipped.size) console.log("not on this server:", [...skipped].sort().join(", "));
if (wantAll) failed += skipped.size;
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
