//! The tools that look at how lists are kept, and the one that changes it for tests.

use super::keys::with_stripe;
use crate::error::CommandError;
use crate::exec::SessionCx;
use crate::keyspace::Value;
use crate::ports::LogLevel;
use crate::spec::Outcome;
use ochre_resp::Request;
use std::fmt::Write;
use std::sync::atomic::Ordering::Relaxed;

/// The elements of a packed value, one a line, go to the log.
///
/// compat: Redis prints to its standard output, and says so.
pub(super) fn listpack(cx: &mut SessionCx<'_>, args: Request<'_>) -> Outcome {
    let text = describe(cx, &args[0], |value| {
        let (encoding, len) = match value {
            Value::String(_) => return None,
            Value::List(list) => (list.encoding(), list.len()),
            Value::Set(set) => (set.encoding(), set.len()),
            Value::Zset(zset) => (zset.encoding(), zset.len()),
            Value::Hash(hash) => (hash.encoding(), hash.len()),
        };
        (encoding == "listpack").then(|| format!("{len} elements"))
    })?;
    let text = text.ok_or(CommandError::NOT_LISTPACK)?;
    report(cx, "listpack", &args[0], &text);
    cx.out.simple("Listpack structure printed on stdout");
    Ok(())
}

/// The chunks of a list go to the log, with their sizes if the second argument is not 0.
///
/// compat: Redis prints to its standard output, and says so.
pub(super) fn quicklist(cx: &mut SessionCx<'_>, args: Request<'_>) -> Outcome {
    let full = args.get(1).is_some_and(super::switch);
    let text = describe(cx, &args[0], |value| match value {
        Value::List(list) if list.encoding() == "quicklist" => {
            let nodes = list.nodes();
            let mut text = format!("{} elements, {} chunks", list.len(), nodes.clone().count());
            if full {
                for node in nodes {
                    let form = if node.alone().is_some() {
                        "plain"
                    } else {
                        "packed"
                    };
                    // Writing to a string does not fail.
                    let _ = write!(text, "; {form} {}", node.count());
                }
            }
            Some(text)
        }
        _ => None,
    })?;
    let text = text.ok_or(CommandError::NOT_QUICKLIST)?;
    report(cx, "quicklist", &args[0], &text);
    cx.out.simple("Quicklist structure printed on stdout");
    Ok(())
}

fn describe(
    cx: &SessionCx<'_>,
    key: &[u8],
    describe: impl FnOnce(Value<'_>) -> Option<String>,
) -> Result<Option<String>, CommandError> {
    let now_ms = cx.env.now_ms;
    with_stripe(cx, key, |stripe, hash| {
        let found = stripe.find(hash, key)?;
        let view = stripe.view(found.handle)?;
        if view.expires_at().is_some_and(|at| at <= now_ms) {
            return None;
        }
        stripe.value(found.handle).map(describe)
    })
    .ok_or(CommandError::NO_SUCH_KEY)
}

fn report(cx: &SessionCx<'_>, what: &str, key: &[u8], text: &str) {
    let text = format!("DEBUG {what} {}: {text}", key.escape_ascii());
    cx.env.engine.runtime.log(LogLevel::Warning, &text);
}

/// Sets from which size an element gets a chunk of its own; 0 restores the default.
pub(super) fn packed_threshold(cx: &mut SessionCx<'_>, args: Request<'_>) -> Outcome {
    /// compat: Redis does not take sizes close to 4 GiB either.
    const MOST: u64 = (1 << 32) - (1 << 20);
    let size = ochre_ds::int::parse_memory(&args[0])
        .filter(|size| *size <= MOST)
        .and_then(|size| usize::try_from(size).ok())
        .ok_or(CommandError::PACKED_THRESHOLD)?;
    cx.env.engine.list_alone_from.store(size, Relaxed);
    cx.out.ok();
    Ok(())
}
