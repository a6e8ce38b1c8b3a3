//! RESP2 and RESP3: requests in, replies out, and the owned frames of clients and tests.
//!
//! Knows nothing of commands, sockets or async runtimes; every decoder is a state machine over byte slices.
//! Invariants:
//! - No input panics, recurses without bound, or makes more be allocated than a small multiple of the bytes received.
//! - However a byte stream is cut into pieces, it decodes to the same requests and frames, or to the same error.
//! - A decoder never looks at a byte twice, apart from the few of an unfinished short header.
//!
//! Texts and edge cases were observed on Redis 7.0.15 by sending raw bytes; the tests hold the table.

mod decode;
mod double;
mod encode;
mod frame;
mod frame_decode;
mod number;
mod out;
mod protocol_error;
mod queue;
mod quote;
mod request;

pub use decode::{
    ARGS_MAX, BULK_MAX, Decoded, Decoder, INLINE_MAX, Limits, UNAUTHENTICATED_ARGS_MAX,
    UNAUTHENTICATED_BULK_MAX,
};
pub use double::write_double;
pub use encode::{Protocol, write_request};
pub use frame::Frame;
pub use frame_decode::{
    FRAME_BYTES_MAX, FRAME_DEPTH_MAX, FRAME_LINE_MAX, FrameDecoder, FrameError, FrameLimits,
    Progress, parse_double,
};
pub use number::parse_i64;
pub use out::{Aggregate, Mark, NoShared, Out, Segments};
pub use protocol_error::ProtocolError;
pub use queue::RequestQueue;
pub use quote::{UnbalancedQuotes, quote_arg, split_args};
pub use request::{Args, Request, RequestBuf, Span};
