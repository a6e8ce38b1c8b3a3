//! Frames over a socket: all that a small server or client needs.

use crate::error::{BoxError, Result};
use crate::frame::Frame;
use crate::link::Link;
use crate::stream::Stream;
use std::io;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

/// Room for writing that is kept between frames.
const OUTPUT_KEPT: usize = 64 * 1024;

/// Reads and writes frames.
///
/// ```
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// use ochre_client::{Connection, Frame};
/// use tokio::net::{TcpListener, TcpStream};
///
/// let listener = TcpListener::bind("127.0.0.1:0").await?;
/// let mut one = Connection::new(TcpStream::connect(listener.local_addr()?).await?);
/// let mut other = Connection::new(listener.accept().await?.0);
/// one.write_frame(&Frame::Array(vec![Frame::Bulk("ping".into())])).await?;
/// let frame = other.read_frame().await?;
/// assert_eq!(format!("{:?}", frame.unwrap()), r#"Array([Bulk(b"ping")])"#);
/// # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(()) })?;
/// # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
/// ```
pub struct Connection {
    link: Link,
    output: Vec<u8>,
}

impl Connection {
    /// A connection over a socket.
    #[must_use]
    pub fn new(socket: TcpStream) -> Connection {
        Connection {
            link: Link::over(Stream::Tcp(socket)),
            output: Vec::new(),
        }
    }

    /// The next frame; `None` when the peer closed the connection between two frames.
    ///
    /// # Errors
    /// When the peer closes in the middle of one, sends what is none, or reading fails.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub async fn read_frame(&mut self) -> Result<Option<Frame>> {
        loop {
            if let Some(value) = self.link.decode()? {
                return Frame::try_from(value).map(Some);
            }
            if std::future::poll_fn(|cx| self.link.poll_fill(cx)).await? == 0 {
                return match self.link.is_idle() {
                    true => Ok(None),
                    false => Err(BoxError::from("connection reset by peer")),
                };
            }
        }
    }

    /// Sends a frame.
    ///
    /// # Errors
    /// When writing fails.
    ///
    /// # Cancel safety
    /// A part of the frame may have been sent when the future is dropped; the connection is of no use then.
    pub async fn write_frame(&mut self, frame: &Frame) -> io::Result<()> {
        self.output.clear();
        self.output.shrink_to(OUTPUT_KEPT);
        frame.encode(&mut self.output);
        self.link.stream.write_all(&self.output).await?;
        self.link.stream.flush().await
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Connection")
    }
}
