//! DEBUG PROTOCOL: one sample of every reply type, for tests of clients.

use crate::error::CommandError;
use crate::exec::{Out, SessionCx};
use crate::spec::Outcome;
use ochre_resp::{Protocol, Request};

/// compat: the sample that Redis sends, not pi.
#[allow(clippy::approx_constant)]
const DOUBLE: f64 = 3.141;

pub(super) fn sample(cx: &mut SessionCx<'_>, args: Request<'_>) -> Outcome {
    let out = &mut *cx.out;
    match args[0].to_ascii_lowercase().as_slice() {
        b"string" => out.bulk(b"Hello World"),
        b"integer" => out.integer(12345),
        b"double" => out.double(DOUBLE),
        b"null" => out.null(),
        b"array" => {
            out.array(3);
            (0..3).for_each(|i| out.integer(i));
        }
        b"set" => {
            out.set(3);
            (0..3).for_each(|i| out.integer(i));
        }
        b"map" => {
            out.map(3);
            for i in 0..3 {
                out.integer(i);
                out.boolean(i == 1);
            }
        }
        b"attrib" => attribute(out),
        b"push" => return push(out),
        b"verbatim" => out.verbatim(b"txt", b"This is a verbatim\nstring"),
        b"true" => out.boolean(true),
        b"false" => out.boolean(false),
        b"bignum" => out.big_number("1234567999999999999999999999999999999"),
        _ => return Err(CommandError::DEBUG_PROTOCOL),
    }
    Ok(())
}

fn attribute(out: &mut Out) {
    if out.attribute(1) {
        out.bulk(b"key-popularity");
        out.array(2);
        out.bulk(b"key:123");
        out.integer(90);
    }
    out.bulk(b"Some real reply following the attribute");
}

/// The message answers no request, so the reply follows on its own, in the order of Redis 8.2.
fn push(out: &mut Out) -> Outcome {
    if out.protocol() == Protocol::Resp2 {
        return Err(CommandError::NEEDS_RESP3);
    }
    out.bulk(b"Some real reply following the push reply");
    out.push(2);
    out.bulk(b"server-cpu-usage");
    out.integer(42);
    Ok(())
}
