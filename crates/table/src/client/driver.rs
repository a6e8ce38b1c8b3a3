//! The task that owns the connection: sends what waits in the queue, and matches responses to requests by order.
//!
//! Invariants
//! - A request that was taken from the queue gets an answer: its response, or [`ClientError::Lost`] with the connection.
//!   One that is still in the queue stays there for the next connection.
//! - A response goes to the request at its position, whoever gave up meanwhile.
//! - Requests in flight are bounded by [`IN_FLIGHT_MAX`], what is read ahead by the frame limit.

use super::ClientError;
use super::link::Link;
use crate::pb::CommandResponse;
use crate::sockets::Io;
use crate::wire::{HEAD, frame_len};
use prost::Message as _;
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

/// Requests that wait for their responses at once.
const IN_FLIGHT_MAX: usize = 4096;
/// Requests taken from the queue at once.
const BATCH: usize = 256;
/// Bytes to be sent at which no further request is taken.
const OUTPUT_HIGH_WATER: usize = 1 << 20;
/// Bytes that there is room for when a connection begins; it grows with the frames that come.
const INPUT_BYTES: usize = 16 * 1024;
/// Waits between attempts to connect.
const BACKOFF: [Duration; 2] = [Duration::from_millis(10), Duration::from_secs(1)];
/// How long beyond its deadline a response may be missing before the connection counts as dead.
const GRACE: Duration = Duration::from_secs(5);

/// A request on its way.
pub(super) struct Call {
    pub(super) frame: Vec<u8>,
    pub(super) reply: oneshot::Sender<Result<CommandResponse, ClientError>>,
    pub(super) until: Instant,
}

struct Waiting {
    reply: oneshot::Sender<Result<CommandResponse, ClientError>>,
    until: Instant,
}

/// Serves the queue until all clients are gone.
pub(super) async fn run(link: Arc<Link>, mut calls: mpsc::Receiver<Call>, first: Box<dyn Io>) {
    let mut io = Some(first);
    let mut pause = BACKOFF[0];
    loop {
        let connected = match io.take() {
            Some(io) => Ok(io),
            None => link.open().await,
        };
        match connected {
            Ok(io) => {
                pause = BACKOFF[0];
                if serve(io, &mut calls, link.config.frame_bytes).await {
                    return;
                }
            }
            Err(_) => pause = (pause * 2).min(BACKOFF[1]),
        }
        tokio::time::sleep(pause).await;
        if calls.is_closed() && calls.is_empty() {
            return;
        }
    }
}

/// Serves the queue over one connection. Whether all clients are gone; else the connection is.
async fn serve(io: Box<dyn Io>, calls: &mut mpsc::Receiver<Call>, frame_bytes: usize) -> bool {
    let (mut reader, mut writer) = tokio::io::split(io);
    let mut line: VecDeque<Waiting> = VecDeque::new();
    let (mut input, mut output, mut sent) = (Vec::with_capacity(INPUT_BYTES), Vec::new(), 0);
    // Bytes may wait in a layer below (TLS). Reading goes on while they are flushed: the peer may take no more before it
    // gets rid of its responses.
    let mut unflushed = false;
    let mut batch = Vec::new();
    let over = loop {
        let oldest = line.front().map(|waiting| waiting.until + GRACE);
        tokio::select! {
            taken = calls.recv_many(&mut batch, BATCH),
                if line.len() < IN_FLIGHT_MAX && output.len() - sent < OUTPUT_HIGH_WATER => {
                if taken == 0 {
                    break true;
                }
                for Call { frame, reply, until } in batch.drain(..) {
                    // Nobody waits for it any more, and it was not sent.
                    if reply.is_closed() {
                        continue;
                    }
                    output.extend_from_slice(&frame);
                    line.push_back(Waiting { reply, until });
                    unflushed = true;
                }
            }
            pushed = push(&mut writer, &output[sent..]), if unflushed => match pushed {
                Ok(Pushed::Wrote(n)) => {
                    sent += n;
                    if sent == output.len() {
                        output.clear();
                        output.shrink_to(OUTPUT_HIGH_WATER);
                        sent = 0;
                    }
                }
                Ok(Pushed::Flushed) => unflushed = false,
                Err(_) => break false,
            },
            read = reader.read_buf(&mut input) => {
                if !matches!(read, Ok(n) if n > 0) || !answer(&mut line, &mut input, frame_bytes) {
                    break false;
                }
            }
            () = late(oldest) => break false,
        }
    };
    for waiting in line {
        // Who gave up is not told.
        let _ = waiting.reply.send(Err(ClientError::Lost));
    }
    over
}

/// What [`push`] did.
enum Pushed {
    Wrote(usize),
    Flushed,
}

/// Writes some of `bytes`; when there are none, flushes.
///
/// # Cancel safety
/// Nothing was written when the future is dropped; a flush may be begun again.
async fn push(writer: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> io::Result<Pushed> {
    if bytes.is_empty() {
        return writer.flush().await.map(|()| Pushed::Flushed);
    }
    match writer.write(bytes).await? {
        0 => Err(io::ErrorKind::WriteZero.into()),
        n => Ok(Pushed::Wrote(n)),
    }
}

async fn late(until: Option<Instant>) {
    match until {
        Some(until) => tokio::time::sleep_until(until).await,
        None => std::future::pending().await,
    }
}

/// Gives the responses that are there to those who wait for them. False when the peer speaks something else.
fn answer(line: &mut VecDeque<Waiting>, input: &mut Vec<u8>, frame_bytes: usize) -> bool {
    let mut at = 0;
    while let Some(len) = frame_len(&input[at..]) {
        if len > frame_bytes {
            return false;
        }
        let Some(frame) = input.get(at + HEAD..at + HEAD + len) else {
            break;
        };
        let (Some(waiting), Ok(response)) = (line.pop_front(), CommandResponse::decode(frame))
        else {
            return false;
        };
        // Who gave up is not told.
        let _ = waiting.reply.send(Ok(response));
        at += HEAD + len;
    }
    input.drain(..at);
    true
}
