//! Scripts that mean harm, or are just wrong: each ends with an answer, by itself or by SCRIPT KILL, others go on
//! meanwhile, and the memory comes back.

use crate::peers::{Client, Server};
use ochre_testkit::waiting::{PATIENCE, wait_until};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Bytes of a virtual machine here.
const LIMIT: u64 = 16 << 20;
/// Bytes of all machines, with nothing but their libraries; there are a few.
const IDLE_MAX: u64 = 8 << 20;

fn server() -> Server {
    Server::start(&[
        "--busy-reply-threshold",
        "20",
        "--script-memory-limit",
        "16mb",
    ])
}

/// They end only when they are killed.
const ENDLESS: &[&str] = &[
    "while true do end",
    "repeat until false",
    "for i = 1, 1e300 do end",
    "local function f() return f() end return f()",
    "while true do pcall(function() while true do end end) end",
    "local function f() while true do end end while true do xpcall(f, f) end",
    "while true do pcall(error) end",
    "while true do coroutine.wrap(function() while true do end end)() end",
    "while true do pcall(coroutine.wrap(function() while true do end end)) end",
    "while true do redis.call('ping') end",
    "while true do redis.pcall('nosuch') end",
    "while true do pcall(redis.call, 'nosuch') end",
    "while true do redis.call('get', KEYS[1]) end",
    "local t = setmetatable({}, {}) getmetatable(t).__index = function(t, k) return t[k] end while true do pcall(function() return t.x end) end",
    "while true do ('x'):rep(1000):find('.-.-.-.-y') end",
    "return string.find(string.rep('a', 5000), '.-.-.-.-.-.-b')",
    "return string.gsub(string.rep('a', 200000), '.-b', 'x')",
    "for w in string.gmatch(string.rep('(', 100000), '%b()') do end while true do end",
    "table.sort({1, 2, 3}, function() while true do end end)",
    "local n = 0 while true do n = n + 1 loadstring('return ' .. n)() end",
    "while true do cjson.encode({1, 2, 3}) end",
    "while true do pcall(cjson.decode, string.rep('[', 900)) end",
    "while true do cmsgpack.unpack(cmsgpack.pack({1, {2, {3}}})) end",
    "while true do table.concat({1, 2, 3}) end",
    "while true do redis.sha1hex('x') end",
    "while true do collectgarbage() end",
    "collectgarbage('stop') while true do end",
    "local t = {} for i = 1, 1e5 do t[i] = i end while true do table.insert(t, 1, 0) table.remove(t, 1) end",
    "while true do tostring(setmetatable({}, {__tostring = function() return '' end})) end",
    "return setmetatable({}, {__index = function() while true do end end}).x",
];

/// They end by themselves, with an error about memory or about something before it comes to that; or they are killed.
const GREEDY: &[&str] = &[
    "string.rep('', 1e15)",
    "return string.find(string.rep('a', 30000), string.rep('a?', 30000) .. 'b')",
    "return string.match(string.rep('a', 200000), '(.*)(.*)(.*)b')",
    "local s = 'x' while true do s = s .. s end",
    "local t = {} while true do t[#t + 1] = {} end",
    "local t = {} while true do t[#t + 1] = ('x'):rep(1000) .. #t end",
    "local t = {} local i = 0 while true do i = i + 1 t[i] = function() return i end end",
    "local t = {} while true do t[#t + 1] = coroutine.create(function() end) end",
    "return string.rep('x', 1e10)",
    "return string.rep('x', 2^53)",
    "return ('x'):rep(1e7):rep(1e7)",
    "return string.rep('x', 15e6)",
    "return (('x'):rep(1e6):gsub('x', ('y'):rep(1e6)))",
    "return string.format(('%99s'):rep(1e6), unpack({}, 1, 200))",
    "local t = {} for i = 1, 1e4 do t[i] = ('x'):rep(1e4) end return table.concat(t)",
    "local s = ('x'):rep(1e6) local t = {} for i = 1, 1e4 do t[i] = s end return table.concat(t)",
    "local s = ('x'):rep(1e6) local t = {} for i = 1, 1e4 do t[i] = s end return cjson.encode(t)",
    "local s = ('x'):rep(1e6) local t = {} for i = 1, 1e4 do t[i] = s end return cmsgpack.pack(t)",
    "return cjson.encode(('\\1'):rep(5e6))",
    "return cjson.decode('[' .. ('[],'):rep(1e6) .. '1]')",
    "return cmsgpack.unpack('\\221\\255\\255\\255\\255' .. ('\\144'):rep(1e6))",
    "return cmsgpack.unpack('\\219\\127\\255\\255\\255')",
    "return struct.pack('c2147483647', 'x')",
    "return struct.pack(('I8'):rep(1e6), unpack({}, 1, 100))",
    "return struct.pack('!16' .. ('xI8'):rep(1e5))",
    "return {unpack({}, 1, 1e7)}",
    "return select('#', unpack({}, 1, 8e6))",
    "local function f(...) return f(1, ...) end return f()",
    "local function f() local a, b, c, d, e = 1, 2, 3, 4, 5 return 1 + f() end return f()",
    "local s = 'return ' .. ('{'):rep(1e5) .. ('}'):rep(1e5) return loadstring(s)",
    "return loadstring('return ' .. ('1,'):rep(3e6) .. '1')",
    "return loadstring('local x = \"' .. ('x'):rep(7e6) .. '\"')",
    "local n = 0 return load(function() n = n + 1 return ('x'):rep(1000) end)",
    "return load(function() return 'x ' end)",
    "while true do pcall(function() local t = {} while true do t[#t + 1] = {} end end) end",
    "while true do pcall(string.rep, 'x', 1e10) end",
    "local t = {} while true do pcall(function() t[#t + 1] = ('x'):rep(1e6) .. #t end) end",
    "collectgarbage('stop') while true do local t = {} end",
    "collectgarbage('setpause', 1e6) local t while true do t = ('x'):rep(1e5) end",
    "collectgarbage('setstepmul', 0) while true do local t = {1, 2, 3} end",
    "local t = {} while true do t[#t + 1] = redis.call('lrange', 'list', 0, -1) end",
    "local t = {} while true do t[#t + 1] = redis.call('get', 'large') .. #t end",
    "local t = {} for i = 1, 1e5 do t[i] = redis.call('time') t[t] = i end return #t",
    "local t = {} for i = 1, 1e6 do t = {t} end return t",
    "return redis.error_reply(('x'):rep(1e7))",
    "error(('x'):rep(1e7))",
    "error({err = ('x'):rep(1e7)})",
    "redis.log(redis.LOG_DEBUG, ('x'):rep(1e7))",
    "return redis.sha1hex(('x'):rep(1.4e7))",
    "local t = {} for i = 1, 2e5 do t[i] = 'x' end return redis.call('rpush', 'l', unpack(t))",
    "local t = {} t[1] = t return t",
    "local t = {} t.map = {a = t} return t",
    "local t = {} t.ok = nil t[1] = {t} return {t, t}",
];

/// They come to the end of a stack.
const DEEP: &[&str] = &[
    "local function f() return 1 + f() end return f()",
    "local function f() return (pcall(f)) end return tostring(f())",
    "local function f() string.gsub('x', 'x', f) end f()",
    "local function f() table.sort({1, 2}, f) end f()",
    "local function f() return coroutine.wrap(f)() end return f()",
    "local function f() return coroutine.resume(coroutine.create(f)) end return tostring(f())",
    "local t = setmetatable({}, {}) getmetatable(t).__index = function(_, k) return t[k] end return t.x",
    "local t = setmetatable({}, {}) getmetatable(t).__index = t return t.x",
    "local t = setmetatable({}, {}) getmetatable(t).__newindex = t t.x = 1",
    "local t = setmetatable({}, {__tostring = function(t) return tostring(t) end}) return tostring(t)",
    "local t = setmetatable({}, {__concat = function(a, b) return a .. b end}) return t .. t",
    "local t = setmetatable({}, {__call = function(f) return 1 + f() end}) return t()",
    "local t = setmetatable({}, {}) getmetatable(t).__call = t return t()",
    "local t = {} for i = 1, 200 do t = setmetatable({}, {__index = t}) end return t.x",
    "xpcall(error, error)",
    "local function h() error('again') end return xpcall(h, h)",
    "return loadstring(('('):rep(1e5))",
    "return loadstring('return ' .. ('-'):rep(1e5) .. '1')",
    "return loadstring(('do '):rep(1e5))",
    "return loadstring('return ' .. ('function() return '):rep(1e4))",
    "return loadstring('x' .. ('.x'):rep(1e5) .. ' = 1')",
    "return loadstring('return ' .. ('1 .. '):rep(1e5) .. '1')",
    "return loadstring('return ' .. ('not '):rep(1e5) .. '1')",
    "return string.find('x', ('('):rep(1e5))",
    "return string.find(('x'):rep(1e5), ('x?'):rep(1e5))",
    "return string.match(('a'):rep(3e5), '^(a-)*$' .. ('%1'):rep(30))",
    "return string.find(('a'):rep(3e5), ('.-'):rep(100) .. 'b')",
    "return string.find(('('):rep(3e5), '%b()')",
    "return cjson.decode(('['):rep(1e6))",
    "return cjson.decode(('{\"a\":'):rep(1e6))",
    "local t = {} for i = 1, 1e5 do t = {t} end return cjson.encode(t)",
    "local t = {} t[1] = t return cjson.encode(t)",
    "local t = {} t[1] = t return #cmsgpack.pack(t)",
    "local t = {} for i = 1, 1e5 do t = {t} end return #cmsgpack.pack(t)",
    "return cmsgpack.unpack(('\\145'):rep(1e6))",
    "return cmsgpack.unpack(('\\129\\1'):rep(1e6))",
    "cjson.encode_max_depth(2^31 - 1) local t = {} for i = 1, 1e5 do t = {t} end return #cjson.encode(t)",
    "cjson.decode_max_depth(2^31 - 1) return cjson.decode(('['):rep(1e6))",
    "local t = {} for i = 1, 1e5 do t = {t} end return t",
    "local t = {} for i = 1, 1e5 do t = {map = {a = t}} end return t",
    "return bit.lshift(1, 2^40)",
    "return string.format('%' .. ('0'):rep(1e5) .. 'd', 1)",
    "return ('x'):rep(-2^63)",
    "return ('x'):sub(-2^63, 2^63)",
    "return {unpack({}, -2^63, 2^63)}",
    "return table.concat({}, '', -2^31, 2^31)",
    "return table.concat(setmetatable({}, {__index = function() return 'x' end}), '', 1, 2^31)",
    "return string.byte('x', -2^31, 2^31)",
    "return string.char(unpack({}, 1, 100))",
    "return math.random(0)",
    "return math.random(-2^31, 2^31)",
    "return math.random(2^53, 2^1000)",
    "return tostring(2^1023 * 2)",
    "return tonumber(('1'):rep(1e5))",
    "return tonumber('1e' .. ('9'):rep(1e5))",
];

/// What a way out of the sandbox would have changed. Each has to fail; what is left is looked at afterwards.
const ESCAPES: &[&str] = &[
    "getmetatable('').__index = {upper = function() return 'pwned' end}",
    "getmetatable('').__index.upper = function() return 'pwned' end",
    "rawset(getmetatable(''), '__index', {})",
    "setmetatable(getmetatable(''), {})",
    "rawset(getmetatable('').__index, 'upper', function() return 'pwned' end)",
    "string.upper = function() return 'pwned' end",
    "rawset(string, 'upper', function() return 'pwned' end)",
    "setmetatable(string, {__newindex = rawset}) string.upper = nil",
    "rawset(_G, 'pwned', 1)",
    "_G.pwned = 1",
    "pwned = 1",
    "setmetatable(_G, {__index = function() return 'pwned' end})",
    "getmetatable(_G).__index = function() return 'pwned' end",
    "getmetatable(_G).__newindex = nil pwned = 1",
    "rawset(getmetatable(_G), '__index', nil)",
    "redis.call = function() return 'pwned' end",
    "rawset(redis, 'call', function() return 'pwned' end)",
    "server.call = nil",
    "getmetatable(redis).__index = nil redis.pwned()",
    "table.insert(redis, 'pwned')",
    "table.insert(string, 1, 'pwned')",
    "table.sort(redis, function() end) table.setn(redis, 1)",
    "cjson.encode = function() return 'pwned' end",
    "cjson.null = 1",
    "rawset(cjson, 'encode', nil)",
    "cmsgpack.pack = nil",
    "bit.band = nil",
    "struct.pack = nil",
    "math.random = function() return 4 end",
    "os.clock = nil",
    "os.execute('true')",
    "io.open('/etc/passwd')",
    "require('os')",
    "package.loadlib('libc.so.6', 'system')",
    "debug.getregistry()",
    "debug.setmetatable('', {})",
    "dofile('/etc/passwd')",
    "loadfile('/etc/passwd')()",
    "getfenv(0).pwned = 1",
    "setfenv(0, {})",
    "setfenv(1, {}) pwned = 1",
    "newproxy(true)",
    "loadstring('\\27Lua\\81\\0\\1\\4\\8\\4\\8\\0')()",
    "assert(loadstring(string.dump(function() return 1 end)))()",
    "load(coroutine.wrap(function() coroutine.yield('\\27Lua') end))()",
    "loadstring('pwned = 1')()",
    "setmetatable(KEYS, {__index = function() return 'pwned' end}) rawset(_G, 'KEYS', KEYS)",
    "KEYS.pwned = 1 ARGV.pwned = 1 error('done')",
    "local m = {} setmetatable(cjson.null, m)",
    "for k, v in pairs(_G) do if type(v) == 'table' and v ~= _G and k ~= 'KEYS' and k ~= 'ARGV' then v.pwned = 1 end end",
    "for k, v in pairs(_G) do if type(v) == 'table' and v ~= _G and k ~= 'KEYS' and k ~= 'ARGV' then rawset(v, 'pwned', 1) end end",
    "next(_G, nil) rawset(_G, next(_G, nil), 'pwned')",
    "local ok = pcall(coroutine.wrap(function() rawset(_G, 'pwned', 1) end)) error(tostring(ok))",
    "redis.call('eval', 'return 1', 0)",
    "redis.call('function', 'flush')",
    "redis.register_function('pwned', function() end)",
    "redis.setresp(2) redis.call('multi') ",
];

/// Everything is as it was.
const INTACT: &str = "
local found = {}
for _, t in ipairs({_G, redis, string, table, math, os, coroutine, cjson, cmsgpack, struct, bit, KEYS, ARGV, getmetatable(''), getmetatable(_G)}) do
  for k, v in pairs(t) do if k == 'pwned' or v == 'pwned' then found[#found + 1] = tostring(k) end end
end
return {#found, ('x'):upper(), string.upper('x'), cjson.encode({1}), type(cjson.null), type(redis.call), bit.band(3, 1),
  #cmsgpack.pack(1), #struct.pack('B', 1), select(2, pcall(function() return pwned end)) ~= nil and 1, #KEYS, KEYS.pwned == nil and 1}";

const INTACT_REPLY: &str = "*12\r\n:0\r\n$1\r\nX\r\n$1\r\nX\r\n$3\r\n[1]\r\n$8\r\nuserdata\r\n$8\r\nfunction\r\n:1\r\n:1\r\n:1\r\n:1\r\n:0\r\n:1\r\n";

/// Runs a script that may not end by itself, and gives its answer. Every other connection is served meanwhile.
fn run(server: &Server, script: &str, must_be_killed: bool) -> String {
    let mut other = server.connect();
    let done = Arc::new(AtomicBool::new(false));
    let (script_text, address, flag) = (script.to_owned(), server.address(), done.clone());
    let runner = std::thread::spawn(move || {
        let wire = ochre_testkit::reference::Wire::connect(&address);
        let mut client = Client(wire.expect("a connection"));
        let reply = client.0.call(&["EVAL", &script_text, "1", "key"]);
        flag.store(true, Ordering::SeqCst);
        match reply {
            Ok(reply) => String::from_utf8_lossy(&reply).into_owned(),
            // An answer that nests deeper than a client is ready to read is an answer.
            Err(error) => {
                assert_eq!(
                    error.kind(),
                    std::io::ErrorKind::Other,
                    "{script_text}: {error}"
                );
                error.to_string()
            }
        }
    });
    let start = Instant::now();
    while !done.load(Ordering::SeqCst) {
        let asked = Instant::now();
        assert_eq!(other.ask(&["PING"]), "+PONG\r\n");
        assert!(asked.elapsed() < Duration::from_secs(5), "{script}");
        if must_be_killed || start.elapsed() > Duration::from_secs(3) {
            let answer = other.ask(&["SCRIPT", "KILL"]);
            assert!(
                answer == "+OK\r\n" || answer.starts_with("-NOTBUSY"),
                "{script}: {answer}"
            );
        }
        assert!(start.elapsed() < PATIENCE, "it does not end: {script}");
        std::thread::sleep(Duration::from_millis(2));
    }
    runner.join().expect("an answer")
}

/// The machines are small again, and the next script finds everything as it should be.
fn is_well(server: &Server, after: &str) {
    let used = server.figure("used_memory_vm_total");
    assert!(used < IDLE_MAX, "{used} bytes after {after}");
    assert_eq!(server.connect().eval(INTACT, &[]), INTACT_REPLY, "{after}");
}

#[test]
fn what_never_ends_is_killed() {
    let server = server();
    for script in ENDLESS {
        let answer = run(&server, script, true);
        assert!(
            answer.starts_with("-ERR Error running script: Script killed by user")
                || answer.starts_with("-ERR Script killed by user"),
            "{script}: {answer}"
        );
        is_well(&server, script);
    }
}

#[test]
fn what_allocates_without_end_is_stopped() {
    let server = server();
    let mut client = server.connect();
    client.ask(&["SET", "large", &"x".repeat(1 << 20)]);
    for number in 0..1000 {
        client.ask(&["RPUSH", "list", &format!("{number:0100}")]);
    }
    let before = server.figure("used_memory");
    for script in GREEDY {
        let answer = run(&server, script, false);
        let len = u64::try_from(answer.len()).expect("a length");
        assert!(len < 3 * LIMIT, "{script}: {len} bytes");
        is_well(&server, script);
        client.ask(&["DEL", "l"]);
    }
    wait_until("the memory to come back", || {
        server.figure("used_memory") < before + 2 * IDLE_MAX
    });
}

#[test]
fn what_goes_deep_comes_back() {
    let server = server();
    for script in DEEP {
        run(&server, script, false);
        is_well(&server, script);
    }
}

#[test]
fn nothing_leaves_the_sandbox() {
    let server = server();
    for script in ESCAPES {
        let answer = run(&server, script, false);
        assert!(answer.starts_with('-'), "{script}: {answer}");
        is_well(&server, script);
        // The same from inside of a function, and while its library is loaded.
        let mut client = server.connect();
        let library = format!(
            "#!lua name=escape\nredis.register_function('escape', function(KEYS, ARGV) {script} end)"
        );
        client.ask(&["FUNCTION", "LOAD", "REPLACE", &library]);
        client.ask(&["FCALL", "escape", "0"]);
        client.ask(&[
            "FUNCTION",
            "LOAD",
            "REPLACE",
            &format!("#!lua name=escape\n{script}"),
        ]);
        client.ask(&["FUNCTION", "FLUSH"]);
        let check = "#!lua name=check\nredis.register_function('check', function() return {('x'):upper(), cjson.encode({1}), type(redis.call), tostring(pcall(function() return pwned end))} end)";
        assert_eq!(client.ask(&["FUNCTION", "LOAD", check]), "$5\r\ncheck\r\n");
        assert_eq!(
            client.ask(&["FCALL", "check", "0"]),
            "*4\r\n$1\r\nX\r\n$3\r\n[1]\r\n$8\r\nfunction\r\n$5\r\nfalse\r\n",
            "{script}"
        );
    }
}

#[test]
fn a_library_that_does_not_end_is_not_loaded() {
    let server = server();
    let mut client = server.connect();
    for body in [
        "while true do end",
        "while true do pcall(function() while true do end end) end",
        "local t = {} while true do t[#t + 1] = {} end",
        "local function f() return 1 + f() end f()",
    ] {
        let answer = client.ask(&["FUNCTION", "LOAD", &format!("#!lua name=never\n{body}")]);
        assert!(
            answer.starts_with("-ERR Error registering functions:"),
            "{body}: {answer}"
        );
        assert_eq!(client.ask(&["FUNCTION", "LIST"]), "*0\r\n");
        is_well(&server, body);
    }
}

/// Many texts, each used once, as clients do that write values into their scripts.
#[test]
fn texts_of_scripts_do_not_pile_up() {
    let server = server();
    let mut client = server.connect();
    for number in 0..2000 {
        let answer = client.eval(&format!("return {number}"), &[]);
        assert_eq!(answer, format!(":{number}\r\n"));
    }
    assert_eq!(server.figure("number_of_cached_scripts"), 500);
    assert_eq!(server.figure("evicted_scripts"), 1500);
    is_well(&server, "many scripts");
}
