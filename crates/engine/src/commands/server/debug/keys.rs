//! The tools that look at keys, and the one that makes them.

use crate::error::CommandError;
use crate::exec::{Env, SessionCx};
use crate::keyspace::{Detached, Stripe, Value, stripe_of};
use crate::serial::digest;
use crate::serial::value::write_value;
use crate::settings::id;
use crate::spec::Outcome;
use ochre_ds::hash::HashRef;
use ochre_ds::list::ListRef;
use ochre_ds::set::SetRef;
use ochre_ds::zset::ZsetRef;
use ochre_resp::Request;

/// Keys that POPULATE makes between two looks at whether the client is still there.
const BATCH: u64 = 1024;

/// Lends the stripe of a key, and what its hash is.
pub(super) fn with_stripe<R>(
    cx: &SessionCx<'_>,
    key: &[u8],
    work: impl FnOnce(&mut Stripe, u64) -> R,
) -> R {
    let hash = cx.env.engine.keyspace.hasher().hash(key);
    cx.stripes
        .with_new(cx.env.db, stripe_of(hash), |stripe| work(stripe, hash))
}

/// A value that is not expired, copied (a large one by reference).
struct Seen {
    address: usize,
    value: Detached,
}

fn look(cx: &SessionCx<'_>, key: &[u8]) -> Option<Seen> {
    let env = cx.env;
    with_stripe(cx, key, |stripe, hash| {
        let found = stripe.find(hash, key)?;
        let value = stripe.duplicate(found.handle)?;
        if value.expires_at.is_some_and(|at| at <= env.now_ms) {
            return None;
        }
        Some(Seen {
            address: stripe.entry_hint(hash).addr(),
            value,
        })
    })
}

/// Tells where and how a value is kept. Values move, so the address holds for a moment only.
pub(super) fn object(cx: &mut SessionCx<'_>, args: Request<'_>) -> Outcome {
    let env = cx.env;
    let seen = look(cx, &args[0]).ok_or(CommandError::NO_SUCH_KEY)?;
    let rule = env.engine.access_rule(env.now_ms);
    let clock = seen.value.clock;
    let idle = if rule.lfu {
        0
    } else {
        rule.idle_seconds(clock)
    };
    let mut form = Vec::new();
    let compress = env.engine.settings.flag(id::RDBCOMPRESSION);
    write_value(&mut form, seen.value.value(), compress);
    // Without the byte that tells the type.
    let length = form.len() - 1;
    let mut text = format!(
        "Value at:{:#x} refcount:1 encoding:{} serializedlength:{length} lru:{clock} lru_seconds_idle:{idle}",
        seen.address,
        seen.value.encoding(),
    );
    if let Value::List(list @ ListRef::Chunks(_)) = seen.value.value() {
        text.push_str(&nodes(env, list));
    }
    cx.out.simple(text);
    Ok(())
}

/// What is said of the nodes of a list.
fn nodes(env: Env<'_>, list: ListRef<'_>) -> String {
    let (count, bytes) = list.nodes().fold((0u32, 0), |(count, bytes), node| {
        let own = node
            .alone()
            .map_or_else(|| node.listpack_len(), <[u8]>::len);
        (count + 1, bytes + own)
    });
    let average = list.len() as f64 / f64::from(count.max(1));
    let most = env.engine.settings.int(id::LIST_MAX_LISTPACK_SIZE);
    format!(
        " ql_nodes:{count} ql_avg_node:{average:.2} ql_listpack_max:{most} ql_compressed:0 ql_uncompressed_size:{bytes}"
    )
}

/// Tells of a value that is kept as a hash table how many elements it has.
pub(super) fn table_of(cx: &mut SessionCx<'_>, args: Request<'_>) -> Outcome {
    let seen = look(cx, &args[0]).ok_or(CommandError::NO_SUCH_KEY)?;
    let len = match seen.value.value() {
        Value::Set(SetRef::Table(dict)) => dict.len(),
        Value::Hash(HashRef::Table(dict)) => dict.len(),
        Value::Zset(ZsetRef::Tree(tree)) => tree.len(),
        _ => return Err(CommandError::NO_HASH_TABLE),
    };
    let text = format!("Hash table 0 stats (main hash table):\n number of elements: {len}\n");
    cx.out.verbatim(b"txt", text.as_bytes());
    Ok(())
}

pub(super) fn digest(cx: &mut SessionCx<'_>, _: Request<'_>) -> Outcome {
    let sum = digest::dataset_digest(&cx.stripes, cx.env.now_ms);
    cx.out.simple(digest::hex(&sum));
    Ok(())
}

pub(super) fn digest_value(cx: &mut SessionCx<'_>, args: Request<'_>) -> Outcome {
    cx.out.array(args.len());
    for key in args {
        let sum = look(cx, key).map_or_else(digest::Sum::default, |seen| {
            digest::value_digest(seen.value.value(), seen.value.expires_at.is_some())
        });
        cx.out.simple(digest::hex(&sum));
    }
    Ok(())
}

/// Makes keys, one lock each: a quarter of a microsecond a key, and nobody waits for longer than one.
pub(super) fn populate(cx: &mut SessionCx<'_>, args: Request<'_>) -> Outcome {
    let number = |i: usize| match args.get(i) {
        None => Ok(None),
        Some(text) => ochre_ds::int::parse_i64(text)
            .and_then(|n| u64::try_from(n).ok())
            .map(Some)
            .ok_or(CommandError::NOT_POSITIVE),
    };
    let count = number(0)?.unwrap_or(0);
    let prefix = args.get(1).unwrap_or(b"key");
    let size = usize::try_from(number(2)?.unwrap_or(0)).unwrap_or(usize::MAX);
    if size > cx.env.bulk_max() {
        return Err(CommandError::TOO_LONG);
    }
    let clock = cx.env.engine.access_rule(cx.env.now_ms).fresh();
    let (mut key, mut value) = (Vec::new(), Vec::new());
    for i in 0..count {
        if i % BATCH == 0 && cx.session.client.is_killed() {
            break;
        }
        let mut digits = itoa::Buffer::new();
        let digits = digits.format(i).as_bytes();
        key.clear();
        key.extend_from_slice(prefix);
        key.push(b':');
        key.extend_from_slice(digits);
        value.clear();
        value.extend_from_slice(b"value:");
        value.extend_from_slice(digits);
        if size > 0 {
            value.resize(size, 0);
        }
        let made = with_stripe(cx, &key, |stripe, hash| {
            if stripe.find(hash, &key).is_some() {
                return Ok(false);
            }
            stripe
                .set(hash, &key, None, &value, None, clock)
                .map(|_| true)
        })?;
        cx.session.tally.changes += u64::from(made);
    }
    if cx.env.engine.memory.is_limited() {
        cx.env.engine.poll_memory(&cx.stripes);
    }
    cx.out.ok();
    Ok(())
}
