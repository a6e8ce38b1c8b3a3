//! What client and server say of sockets.

use tokio::io::{AsyncRead, AsyncWrite};

/// A connection's bytes: TCP, TLS, a stream of yamux, a pipe.
pub trait Io: AsyncRead + AsyncWrite + Unpin + Send + 'static {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + 'static> Io for T {}

/// Streams that one connection may have.
pub(crate) const MUX_STREAMS_MAX: usize = 256;

/// Bytes that all streams of a connection may have unread: the least that yamux accepts, its first window for each.
pub(crate) const MUX_WINDOW_MAX: usize = MUX_STREAMS_MAX * 256 * 1024;

/// How both sides set yamux up.
pub(crate) fn mux_config() -> yamux::Config {
    let mut config = yamux::Config::default();
    config.set_max_num_streams(MUX_STREAMS_MAX);
    config.set_max_connection_receive_window(Some(MUX_WINDOW_MAX));
    config
}
