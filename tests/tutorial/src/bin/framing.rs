//! A connection written by hand on `Frame::check` and `Frame::parse`: answers every request with its own frame.

use bytes::{Buf, BytesMut};
use mini_redis::frame::Error::Incomplete;
use mini_redis::{Frame, Result};
use std::io::{self, Cursor};
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufWriter};
use tokio::net::{TcpListener, TcpStream};

struct Connection {
    stream: BufWriter<TcpStream>,
    buffer: BytesMut,
}

impl Connection {
    async fn read_frame(&mut self) -> Result<Option<Frame>> {
        loop {
            if let Some(frame) = self.parse_frame()? {
                return Ok(Some(frame));
            }
            if 0 == self.stream.read_buf(&mut self.buffer).await? {
                if self.buffer.is_empty() {
                    return Ok(None);
                }
                return Err("connection reset by peer".into());
            }
        }
    }

    fn parse_frame(&mut self) -> Result<Option<Frame>> {
        let mut buf = Cursor::new(&self.buffer[..]);
        match Frame::check(&mut buf) {
            Ok(_) => {
                let len = buf.position() as usize;
                buf.set_position(0);
                let frame = Frame::parse(&mut buf)?;
                self.buffer.advance(len);
                Ok(Some(frame))
            }
            Err(Incomplete) => Ok(None),
            Err(e) => Err(e.into()),
        }
    }

    async fn write_frame(&mut self, frame: &Frame) -> io::Result<()> {
        match frame {
            Frame::Simple(val) => self.write_line(b'+', val).await?,
            Frame::Error(val) => self.write_line(b'-', val).await?,
            Frame::Integer(val) => self.write_decimal(b':', *val).await?,
            Frame::Null => self.stream.write_all(b"$-1\r\n").await?,
            Frame::Bulk(val) => {
                self.write_decimal(b'$', val.len() as u64).await?;
                self.stream.write_all(val).await?;
                self.stream.write_all(b"\r\n").await?;
            }
            Frame::Array(val) => {
                self.write_decimal(b'*', val.len() as u64).await?;
                for frame in val {
                    Box::pin(self.write_frame(frame)).await?;
                }
            }
        }
        self.stream.flush().await
    }

    async fn write_decimal(&mut self, tag: u8, val: u64) -> io::Result<()> {
        self.write_line(tag, &val.to_string()).await
    }

    async fn write_line(&mut self, tag: u8, text: &str) -> io::Result<()> {
        self.stream.write_u8(tag).await?;
        self.stream.write_all(text.as_bytes()).await?;
        self.stream.write_all(b"\r\n").await
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let listener = TcpListener::bind(ochre_tutorial::address()).await?;
    println!("listening on {}", listener.local_addr()?);
    let (socket, _) = listener.accept().await?;
    let mut connection = Connection {
        stream: BufWriter::new(socket),
        buffer: BytesMut::with_capacity(4096),
    };
    while let Some(frame) = connection.read_frame().await? {
        connection.write_frame(&frame).await?;
    }
    Ok(())
}
