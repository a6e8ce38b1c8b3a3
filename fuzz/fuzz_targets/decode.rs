//! Arbitrary bytes into the request decoder, whole and cut into pieces: the same requests or the same error.
//!
//! The first byte chooses limits, the next eight where to cut; the rest is the stream.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ochre_resp::{Decoded, Decoder, Limits, ProtocolError};
use ochre_testkit::grammar::Rng;

/// What a stream decodes to: requests, bytes consumed, and the error that ended it.
type Result = (Vec<Vec<Vec<u8>>>, usize, Option<ProtocolError>);

/// Feeds `stream` in pieces of at most `most(…)` bytes, as a connection does: the buffer grows until a request is whole.
fn decode(stream: &[u8], limits: &Limits, mut most: impl FnMut() -> usize) -> Result {
    let (mut decoder, mut requests) = (Decoder::new(), Vec::new());
    let (mut from, mut to) = (0, 0);
    loop {
        let buf = &stream[from..to];
        match decoder.decode(buf, limits) {
            Err(error) => return (requests, from, Some(error)),
            Ok(Decoded::Complete { consumed }) => {
                assert!(
                    consumed > 0 && consumed <= buf.len(),
                    "consumed {consumed} of {}",
                    buf.len()
                );
                let request = decoder.request(buf);
                // Arguments are slices of what was received, or of an inline line that is no longer than it.
                assert!(
                    request.args_bytes() <= consumed,
                    "more bytes of arguments than were received"
                );
                requests.push(request.iter().map(<[u8]>::to_vec).collect());
                from += consumed;
                decoder.reset();
            }
            Ok(Decoded::Incomplete) if to == stream.len() => return (requests, from, None),
            Ok(Decoded::Incomplete) => to = (to + most().max(1)).min(stream.len()),
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((head, stream)) = data.split_at_checked(9) else {
        return;
    };
    let mut limits = Limits::default();
    if head[0] & 1 != 0 {
        limits.unauthenticated = true;
    }
    if head[0] & 2 != 0 {
        limits.inline_max = 16;
    }
    if head[0] & 4 != 0 {
        (limits.bulk_max, limits.args_max) = (100, 5);
    }
    let whole = decode(stream, &limits, || usize::MAX / 2);
    assert_eq!(whole, decode(stream, &limits, || 1), "byte by byte");
    let mut seed = [0; 8];
    seed.copy_from_slice(&head[1..]);
    let mut rng = Rng::seeded(u64::from_le_bytes(seed));
    assert_eq!(
        whole,
        decode(stream, &limits, || rng.index(40)),
        "in pieces"
    );
});
