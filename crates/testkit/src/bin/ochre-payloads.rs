//! Writes seeds for the fuzz target `restore`: a payload body of each layout that Redis has had.
//!
//! Usage: `ochre-payloads DIRECTORY`. The bodies are fixed; Redis 7.0.15 or 8.2.3 takes each.

use std::path::Path;
use std::process::ExitCode;

/// Packed values: name, type byte, and the value without the length around it.
const PACKS: &[(&str, u8, &[u8])] = &[
    ("zipmap", 9, b"\x02\x01f\x01\x001\x01g\x1e\0a long text of 70 letters or s\xff"),
    ("list-ziplist", 10, b"]\0\0\0Y\0\0\0\x04\0\0\x01a\x03\x015\x03@Fa long text of 70 letters or so, which compresses a little: aaaaaaaaaaI\x01b\xff"),
    ("intset-2", 11, b"\x02\0\0\0\x03\0\0\0\xff\xff\x02\0,\x01"),
    ("intset-4", 11, b"\x04\0\0\0\x03\0\0\0\x90\xee\xfe\xff\x01\0\0\0p\x11\x01\0"),
    ("intset-8", 11, b"\x08\0\0\0\x05\0\0\0\x01\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\x03\0\0\0\0\0\0\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\0"),
    ("zset-ziplist", 12, b"!\0\0\0\x1b\0\0\0\x06\0\0\x01a\x03\x011\x03\x01b\x03\x032.5\x05\x01c\x03\x03inf\xff"),
    ("hash-ziplist", 13, b"]\0\0\0\x13\0\0\0\x04\0\0\x01f\x03\x011\x03\x01g\x03@Fa long text of 70 letters or so, which compresses a little: aaaaaaaaaa\xff"),
    ("hash-listpack", 16, b"X\0\0\0\x04\0\x81f\x02\x01\x01\x81g\x02\xe0Fa long text of 70 letters or so, which compresses a little: aaaaaaaaaaH\xff"),
    ("zset-listpack", 17, b"\x1d\0\0\0\x06\0\x81a\x02\x01\x01\x81b\x02\x832.5\x04\x81c\x02\x84-inf\x05\xff"),
    ("set-listpack", 20, b"X\0\0\0\x04\0\x81a\x02\x01\x01\x81b\x02\xe0Fa long text of 70 letters or so, which compresses a little: aaaaaaaaaaH\xff"),
];

/// Bodies: name, and the type byte with all that follows it.
const BODIES: &[(&str, &[u8])] = &[
    ("string", b"\0\x03abc"),
    ("list", b"\x01\x03\x01a\xc0\x05\x01b"),
    ("set", b"\x02\x03\x01a\xc0\x05\x01b"),
    ("zset-text", b"\x03\x03\x01a\xfe\x01b\xff\x01c\x031.5"),
    ("hash", b"\x04\x02\x01f\x01a\x01g\xc0\x05"),
    ("zset", b"\x05\x02\x01a\0\0\0\0\0\0\xf8?\x01b\0\0\0\0\0\0\0\xc0"),
    ("list-ziplists", b"\x0e\x02\x11\x11\0\0\0\x0d\0\0\0\x02\0\0\x01a\x03\x011\xff\x0e\x0e\0\0\0\x0a\0\0\0\x01\0\0\x01b\xff"),
    ("list-nodes", b"\x12\x03\x02\x0c\x0c\0\0\0\x02\0\x81a\x02\x01\x01\xff\x01\x05plain\x02\x0a\x0a\0\0\0\x01\0\x81b\x02\xff"),
    ("compressed", b"\x10\xc3\x1c4\x114\0\0\0\x06\0\x81f\x02\x81v\x02\x01\x01\x02\x01\x9ea\xe0\x14\0\x04\x1f\x81b\x02\xff"),
];

/// How the target makes a body of what follows: as it is, or by adding lengths.
const AS_IS: u8 = 0;
const PACKED: u8 = 4 | 8;

fn write(directory: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(directory)?;
    for (name, body) in BODIES {
        std::fs::write(directory.join(name), [&[AS_IS], *body].concat())?;
    }
    for (name, layout, packed) in PACKS {
        std::fs::write(directory.join(name), [&[PACKED, *layout], *packed].concat())?;
    }
    Ok(())
}

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    let (Some(directory), None) = (args.next(), args.next()) else {
        eprintln!("usage: ochre-payloads DIRECTORY");
        return ExitCode::FAILURE;
    };
    match write(Path::new(&directory)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}: {error}", directory.display());
            ExitCode::FAILURE
        }
    }
}
