//! Lua programs: values, library calls and requests, written at random.
//!
//! Invariants
//! - A table has at most one key that is no index, so that no reply depends on the order of a table.
//! - Numbers that leave Lua as text in another form on each release (behind `redis.call`) are small integers.
//! - Every loop and repetition is bounded; nothing depends on time, on chance or on an address.

use crate::grammar::{KEYS, Rng};
use crate::reference::Release;
use sha1::{Digest, Sha1};

/// How deep values may nest.
const DEPTH: usize = 4;

/// What a big number is announced by.
const BIG: &[u8] = b"big_number";

/// What shows an expression's outcome: whether it raised, and what. `redis.pcall` gives errors as tables.
const TRY: &str = "local function try(f) local r = {pcall(f)} for i = 1, 3 do if r[i] == nil then r[i] = 'nil' end end return r end\n";

/// Writes a program of `count` expressions, some of them requests.
pub(super) fn write(
    rng: &mut Rng,
    release: Release,
    requests: Vec<Vec<Vec<u8>>>,
    count: usize,
) -> Vec<u8> {
    let mut text = TRY.as_bytes().to_vec();
    if rng.chance(25) {
        text.extend_from_slice(b"redis.setresp(3)\n");
    }
    let mut requests = requests.into_iter();
    text.extend_from_slice(b"return {");
    for _ in 0..count {
        let request = requests.next().filter(|_| rng.chance(60));
        let expression = match request {
            Some(args) => call(rng, &args),
            None => library_call(rng, release),
        };
        text.extend_from_slice(b"\n try(function() ");
        text.extend_from_slice(&expression);
        text.extend_from_slice(b" end),");
    }
    text.extend_from_slice(b"}");
    if release == Release::V70 {
        // It sends what is no number with its sign.
        let mut from = 0;
        while let Some(at) = text[from..].windows(3).position(|part| part == b"0/0") {
            text[from + at + 2] = b'1';
            from += at + 3;
        }
    }
    text
}

/// Spoils a program now and then. Not that of a library: the line ends of a text in it would end the error of 7.0; nor
/// one with digits that it would make a reply of which no client can read.
pub(super) fn spoil(rng: &mut Rng, text: &mut Vec<u8>) {
    let digits = text.windows(BIG.len()).any(|part| part == BIG);
    if !digits && rng.chance(4) {
        damage(rng, text);
    }
}

/// A library that registers a function which does what `body` does.
pub(super) fn library(rng: &mut Rng, name: usize, body: &[u8]) -> Vec<u8> {
    let head = match rng.index(20) {
        0 => "#!lua\n".to_owned(),
        1 => "#!lua name=lib-x\n".to_owned(),
        2 => "#!none name=lib\n".to_owned(),
        _ => format!("#!lua name=lib{name}\n"),
    };
    let mut text = head.into_bytes();
    text.extend_from_slice(b"local function body(KEYS, ARGV)\n");
    text.extend_from_slice(body);
    text.extend_from_slice(b"\nend\n");
    let flags = *rng.pick(&[
        "",
        "'no-writes'",
        "'allow-oom'",
        "'no-writes', 'allow-stale'",
        "'what'",
    ]);
    let register = match rng.index(12) {
        0..=4 => format!("redis.register_function('f{name}', body)"),
        5 => "redis.register_function('f', 1)".to_owned(),
        6 => format!("redis.register_function{{function_name='f{name}', callback=body, other=1}}"),
        _ => format!(
            "redis.register_function{{function_name='f{name}', callback=body, flags={{{flags}}}, description='d'}}"
        ),
    };
    text.extend_from_slice(register.as_bytes());
    text
}

/// The digest of a script, in hexadecimal.
pub(super) fn sha1(text: &[u8]) -> Vec<u8> {
    let digits: String = Sha1::digest(text)
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect();
    digits.into_bytes()
}

/// A word for KEYS or ARGV.
pub(super) fn word(rng: &mut Rng) -> Vec<u8> {
    match rng.index(4) {
        0 => rng.pick(KEYS).to_vec(),
        1 => rng.range(-3, 300).to_string().into_bytes(),
        2 => b"3.25".to_vec(),
        _ => bytes(rng, 12),
    }
}

fn bytes(rng: &mut Rng, most: usize) -> Vec<u8> {
    let length = rng.index(most + 1);
    (0..length).map(|_| rng.byte()).collect()
}

/// Bytes as a Lua literal.
fn literal(bytes: &[u8]) -> Vec<u8> {
    let mut text = b"\"".to_vec();
    for byte in bytes {
        match byte {
            b' '..=b'~' if !matches!(byte, b'"' | b'\\') => text.push(*byte),
            _ => text.extend_from_slice(format!("\\{byte:03}").as_bytes()),
        }
    }
    text.push(b'"');
    text
}

/// One of some words.
fn one<'a>(rng: &mut Rng, words: &[&'a str]) -> &'a [u8] {
    rng.pick(words).as_bytes()
}

fn joined(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

/// A request as a call, its reply as it is or looked at from inside.
fn call(rng: &mut Rng, args: &[Vec<u8>]) -> Vec<u8> {
    let words: Vec<Vec<u8>> = args
        .iter()
        .map(
            |arg| match std::str::from_utf8(arg).map(str::parse::<i32>) {
                Ok(Ok(number)) if rng.chance(50) && number.to_string().as_bytes() == arg => {
                    arg.clone()
                }
                _ => literal(arg),
            },
        )
        .collect();
    let words = words.join(&b", "[..]);
    match rng.index(8) {
        0..=3 => joined(&[b"return redis.call(", &words, b")"]),
        4 => joined(&[b"return redis.pcall(", &words, b")"]),
        5 => joined(&[
            b"local r = redis.pcall(",
            &words,
            b") if type(r) == 'table' then return {r.err or r.ok or #r, r.source or '', r.line or 0} end return {type(r), r}",
        ]),
        6 => joined(&[b"return type(redis.call(", &words, b"))"]),
        _ => joined(&[b"return redis.acl_check_cmd(", &words, b")"]),
    }
}

/// A number as Lua spells it.
fn number(rng: &mut Rng) -> String {
    let special = [
        "0",
        "-0",
        "1",
        "-1",
        "2",
        "3.7",
        "-3.7",
        "0.1",
        "1/3",
        "1e15",
        "1e100",
        "-1e300",
        "1/0",
        "-1/0",
        "0/0",
        "2^31",
        "-2^31",
        "2^32",
        "2^53",
        "-2^53",
        "2^53+1",
        "2^63",
        "-2^63",
        "2^64",
        "127",
        "128",
        "255",
        "256",
        "65535",
        "65536",
        "4294967295",
        "1e-7",
        "5e-324",
    ];
    match rng.index(3) {
        0 => (*rng.pick(&special)).to_owned(),
        1 => rng.range(-40, 40).to_string(),
        _ => format!("{}.{}", rng.range(-999, 999), rng.index(100)),
    }
}

/// A value as Lua spells it.
fn value(rng: &mut Rng, depth: usize) -> Vec<u8> {
    if depth > 0 && rng.chance(45) {
        return table(rng, depth - 1);
    }
    match rng.index(10) {
        0 => b"nil".to_vec(),
        1 => b"true".to_vec(),
        2 => b"false".to_vec(),
        3..=5 => number(rng).into_bytes(),
        6 => one(
            rng,
            &[
                "cjson.null",
                "KEYS[1]",
                "ARGV[2]",
                "#KEYS",
                "cmsgpack",
                "print",
            ],
        )
        .to_vec(),
        7 => literal(&bytes(rng, 30)),
        _ => literal(one(
            rng,
            &[
                "",
                "a",
                "OK",
                "ERR x",
                "12",
                "0x10",
                " 7 ",
                "1e3",
                "two\r\nlines",
                "\u{e9}",
            ],
        )),
    }
}

fn table(rng: &mut Rng, depth: usize) -> Vec<u8> {
    let inner = value(rng, depth);
    match rng.index(16) {
        0 => joined(&[b"{ok=", &inner, b"}"]),
        1 => joined(&[b"{err=", &inner, b"}"]),
        2 => joined(&[b"{double=", &inner, b"}"]),
        3 => joined(&[b"{map={a=", &inner, b"}}"]),
        4 => joined(&[b"{set={[", &literal(&bytes(rng, 5)), b"]=", &inner, b"}}"]),
        // Of any other text Redis makes a reply that no client can read.
        5 => format!("{{big_number='{}'}}", rng.range(i64::MIN, i64::MAX)).into_bytes(),
        6 => joined(&[b"{verbatim_string={string=", &inner, b",format='txt'}}"]),
        7 => joined(&[b"{key=", &inner, b"}"]),
        8 => format!(
            "{{[{}]={}}}",
            rng.range(-2, 20),
            String::from_utf8_lossy(&inner)
        )
        .into_bytes(),
        9 => joined(&[
            b"setmetatable({",
            &inner,
            b"}, {__index=function() return 1 end})",
        ]),
        _ => {
            let items: Vec<Vec<u8>> = (0..rng.index(6)).map(|_| value(rng, depth)).collect();
            joined(&[b"{", &items.join(&b","[..]), b"}"])
        }
    }
}

fn library_call(rng: &mut Rng, release: Release) -> Vec<u8> {
    match rng.index(12) {
        0..=2 => joined(&[b"return ", &value(rng, DEPTH)]),
        3 => joined(&[b"return cjson.encode(", &value(rng, DEPTH), b")"]),
        4 => joined(&[b"return cjson.decode(", &literal(&json(rng)), b")"]),
        5 => joined(&[
            b"return cmsgpack.pack(",
            &value(rng, DEPTH),
            b", ",
            &value(rng, 2),
            b")",
        ]),
        6 => unpack(rng),
        7 => structs(rng),
        8 => bits(rng),
        9 => strings(rng),
        10 => redis_calls(rng, release),
        _ => joined(&[
            b"return cjson.encode(cmsgpack.unpack(cmsgpack.pack(",
            &value(rng, DEPTH),
            b")))",
        ]),
    }
}

/// A document, often damaged.
fn json(rng: &mut Rng) -> Vec<u8> {
    let mut text = json_value(rng, DEPTH);
    if rng.chance(35) {
        damage(rng, &mut text);
    }
    text
}

fn json_value(rng: &mut Rng, depth: usize) -> Vec<u8> {
    if depth > 0 && rng.chance(50) {
        if rng.chance(30) {
            return joined(&[b"{\"k\" : ", &json_value(rng, depth - 1), b"}"]);
        }
        let items: Vec<Vec<u8>> = (0..rng.index(4))
            .map(|_| json_value(rng, depth - 1))
            .collect();
        return joined(&[b"[", &items.join(&b" , "[..]), b"]"]);
    }
    if rng.chance(4) {
        return b"\"\x01\xff\"".to_vec();
    }
    one(
        rng,
        &[
            "1",
            "-1.5e3",
            "true",
            "false",
            "null",
            "\"text\"",
            "\"\\u00e9\\n\\\"\"",
            "\"\\ud83d\\ude00\"",
            "\"\\ud83d\"",
            "0x1F",
            "Infinity",
            "-inf",
            "nan",
            "1e999",
            "01",
            "1.",
            ".5",
            "+1",
            "\"\\x\"",
            "12345678901234567890",
            "\"\"",
            "{}",
            "[]",
        ],
    )
    .to_vec()
}

fn damage(rng: &mut Rng, text: &mut Vec<u8>) {
    let at = rng.index(text.len());
    match rng.index(3) {
        0 => text.truncate(at),
        1 => text.insert(at, *rng.pick(b"[]{}(),:\"'\\ x0-+.=\n")),
        _ if text.is_empty() => {}
        _ => text[at] = rng.byte(),
    }
}

/// Bytes that are unpacked: what was packed, cut or changed, or any.
fn unpack(rng: &mut Rng) -> Vec<u8> {
    let packed = joined(&[b"cmsgpack.pack(", &value(rng, 3), b")"]);
    let source = match rng.index(4) {
        0 => literal(&bytes(rng, 12)),
        1 => packed,
        2 => joined(&[b"string.sub(", &packed, b", 1, -2)"]),
        _ => joined(&[&packed, b" .. ", &packed]),
    };
    match rng.index(4) {
        0 | 1 => joined(&[b"return {cmsgpack.unpack(", &source, b")}"]),
        2 => format!(
            "return {{cmsgpack.unpack_one({}, {})}}",
            String::from_utf8_lossy(&source),
            rng.range(-1, 6)
        )
        .into_bytes(),
        _ => format!(
            "return {{cmsgpack.unpack_limit({}, {}, {})}}",
            String::from_utf8_lossy(&source),
            rng.range(-1, 3),
            rng.range(-1, 6)
        )
        .into_bytes(),
    }
}

fn structs(rng: &mut Rng) -> Vec<u8> {
    let mut format = String::new();
    for _ in 0..rng.index(5) {
        let part: &&str = rng.pick(&[
            "<", ">", "=", "!", "!4", "b", "B", "h", "H", "l", "L", "i", "I", "i3", "I8", "i40",
            "T", "f", "d", "s", "c0", "c3", "x", " ", "q", "!3", "c",
        ]);
        format += part;
    }
    match rng.index(3) {
        0 => {
            let values: Vec<Vec<u8>> = (0..rng.index(5)).map(|_| plain(rng)).collect();
            let values: Vec<u8> = values
                .iter()
                .flat_map(|v| [b", ", &v[..]].concat())
                .collect();
            joined(&[
                b"return struct.pack('",
                format.as_bytes(),
                b"'",
                &values,
                b")",
            ])
        }
        1 => joined(&[
            b"return {struct.unpack('",
            format.as_bytes(),
            b"', ",
            &literal(&bytes(rng, 40)),
            format!(", {})}}", rng.range(-1, 9)).as_bytes(),
        ]),
        _ => joined(&[b"return struct.size('", format.as_bytes(), b"')"]),
    }
}

/// A number of a size that every conversion has a meaning for, or a short text.
fn plain(rng: &mut Rng) -> Vec<u8> {
    if rng.chance(60) {
        return rng.range(-70_000, 70_000).to_string().into_bytes();
    }
    literal(&bytes(rng, 8))
}

fn bits(rng: &mut Rng) -> Vec<u8> {
    let one = *rng.pick(&["tobit", "bnot", "bswap", "tohex"]);
    let two = *rng.pick(&["lshift", "rshift", "arshift", "rol", "ror", "tohex"]);
    let many = *rng.pick(&["band", "bor", "bxor"]);
    let [a, b, c] = [(); 3].map(|()| {
        if rng.chance(10) {
            String::from_utf8_lossy(&value(rng, 0)).into_owned()
        } else {
            number(rng)
        }
    });
    match rng.index(3) {
        0 => format!("return bit.{one}({a})"),
        1 => format!("return bit.{two}({a}, {})", rng.range(-40, 40)),
        _ => format!("return bit.{many}({a}, {b}, {c})"),
    }
    .into_bytes()
}

fn strings(rng: &mut Rng) -> Vec<u8> {
    let subject = literal(&bytes(rng, 20));
    let pattern = *rng.pick(&[
        "a", ".", "%a+", "(%w)(%w)", "^%s*", "[^a-z]", "%b()", "()", "%", "[", "(.-)%s", "%f[%w]",
        "%1", "x*", ".-$",
    ]);
    let format = *rng.pick(&[
        "%d", "%5.2f", "%s", "%q", "%x", "%g", "%c", "%i", "%%", "%10s|", "%-5d|", "%y", "%e",
        "%.14g", "%5",
    ]);
    let [a, b] = [value(rng, 1), value(rng, 1)];
    match rng.index(12) {
        0 => joined(&[
            b"return {string.find(",
            &subject,
            b", '",
            pattern.as_bytes(),
            b"')}",
        ]),
        1 => joined(&[
            b"return {string.gsub(",
            &subject,
            b", '",
            pattern.as_bytes(),
            b"', ",
            &literal(b"<%0>"),
            b")}",
        ]),
        2 => joined(&[
            b"return {string.match(",
            &subject,
            b", '",
            pattern.as_bytes(),
            b"')}",
        ]),
        3 => joined(&[
            b"return string.format('",
            format.as_bytes(),
            b"', ",
            &plain(rng),
            b")",
        ]),
        4 => joined(&[b"return tonumber(", &value(rng, 0), b")"]),
        5 => joined(&[
            b"return tonumber(",
            &literal(&word(rng)),
            format!(", {})", rng.range(1, 37)).as_bytes(),
        ]),
        6 => format!("return string.rep('ab', {})", rng.range(-2, 40)).into_bytes(),
        7 => joined(&[b"return tostring(", number(rng).as_bytes(), b")"]),
        8 => joined(&[b"return ", &a, b" .. ", &b]),
        9 => joined(&[
            b"return ",
            &a,
            one(rng, &[" < ", " == ", " + ", " % ", " ^ ", " and ", " or "]),
            &b,
        ]),
        10 => joined(&[b"error(", &a, b")"]),
        _ => format!(
            "return {{string.byte({}, {}, {})}}",
            String::from_utf8_lossy(&subject),
            rng.range(-5, 5),
            rng.range(-5, 9)
        )
        .into_bytes(),
    }
}

fn redis_calls(rng: &mut Rng, release: Release) -> Vec<u8> {
    let of = value(rng, 1);
    let small = rng.range(0, 4);
    let level = small.min(if release == Release::V70 { 3 } else { 4 });
    match rng.index(14) {
        0 => joined(&[b"return redis.sha1hex(", &of, b")"]),
        1 => joined(&[b"return redis.error_reply(", &of, b")"]),
        2 => joined(&[b"return redis.status_reply(", &of, b")"]),
        3 => format!("return redis.setresp({small})").into_bytes(),
        4 => joined(&[b"return redis.call(", &of, b")"]),
        5 => joined(&[b"return redis.pcall('set', 'k', ", &table(rng, 1), b")"]),
        6 => format!("return redis.log({level}, 'x')").into_bytes(),
        7 => b"return redis.call()".to_vec(),
        8 => joined(&[b"undeclared = ", &of]),
        9 => joined(&[b"return undeclared or ", &of]),
        10 => joined(&[b"redis.x = ", &of]),
        11 => joined(&[b"return getmetatable(", &of, b")"]),
        12 if release == Release::V82 => joined(&[
            b"return redis.call('set', KEYS[1] or 'k', ",
            number(rng).as_bytes(),
            b")",
        ]),
        _ => b"return redis.replicate_commands()".to_vec(),
    }
}
