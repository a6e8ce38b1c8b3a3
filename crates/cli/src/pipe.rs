//! `--pipe`: the standard input goes to the server as it is, and replies are counted.
//!
//! Both directions move at once, so that neither side waits for the other to read. An ECHO of a random text after the
//! input tells the last reply.

use crate::link::{Link, LinkError};
use crate::reply::Reply;
use crate::session::Session;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io::{IsTerminal as _, Read as _};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// Bytes of input read at once.
const CHUNK_BYTES: usize = 128 * 1024;
/// Chunks read ahead of the server.
const CHUNKS_AHEAD: usize = 4;
/// How often progress is shown.
const PROGRESS: Duration = Duration::from_millis(250);

#[derive(Default)]
struct Tally {
    sent: u64,
    errors: u64,
    replies: u64,
}

pub(crate) async fn run(session: &mut Session) -> ExitCode {
    let patience = match session.options.pipe_timeout {
        0 => None,
        seconds => Some(Duration::from_secs(seconds)),
    };
    let Some(link) = session.link.as_mut() else {
        return ExitCode::FAILURE;
    };
    let mut tally = Tally::default();
    let done = transfer(link, patience, &mut tally).await;
    if let Err(text) = &done {
        eprintln!("{text}");
    } else {
        println!("Last reply received from server.");
    }
    println!("errors: {}, replies: {}", tally.errors, tally.replies);
    match done {
        Ok(()) if tally.errors == 0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

/// The standard input in chunks, read by a thread of its own; an error ends it.
fn input() -> mpsc::Receiver<std::io::Result<Vec<u8>>> {
    let (sender, receiver) = mpsc::channel(CHUNKS_AHEAD);
    std::thread::spawn(move || {
        let mut stdin = std::io::stdin().lock();
        loop {
            let mut chunk = vec![0; CHUNK_BYTES];
            let read = stdin.read(&mut chunk);
            let end = !matches!(read, Ok(n) if n > 0);
            let item = read.map(|n| {
                chunk.truncate(n);
                chunk
            });
            if matches!(&item, Ok(chunk) if chunk.is_empty())
                || sender.blocking_send(item).is_err()
                || end
            {
                return;
            }
        }
    });
    receiver
}

/// A text that no reply holds by chance.
fn mark() -> String {
    (0..2)
        .map(|_| format!("{:016x}", RandomState::new().build_hasher().finish()))
        .collect()
}

async fn transfer(
    link: &mut Link,
    patience: Option<Duration>,
    tally: &mut Tally,
) -> Result<(), String> {
    let mut chunks = input();
    let mark = mark();
    let show = std::io::stderr().is_terminal();
    let mut shown = Instant::now();
    let mut all_sent = false;
    loop {
        while let Some(reply) = link.take().map_err(|e| e.to_string())? {
            if count(&reply, &mark, all_sent, tally) {
                if show {
                    eprint!("\r\x1b[K");
                }
                return Ok(());
            }
        }
        if show && shown.elapsed() > PROGRESS {
            shown = Instant::now();
            eprint!("\r{} bytes sent, {} replies", tally.sent, tally.replies);
        }
        if all_sent {
            let filled = match patience {
                Some(patience) => tokio::time::timeout(patience, link.fill()).await,
                None => Ok(link.fill().await),
            };
            match filled {
                Ok(filled) => filled.map_err(failed)?,
                Err(_) => {
                    tally.errors += 1;
                    let seconds = patience.unwrap_or_default().as_secs();
                    return Err(format!("No replies for {seconds} seconds: exiting."));
                }
            }
            continue;
        }
        tokio::select! {
            chunk = chunks.recv() => match chunk {
                Some(chunk) => {
                    let chunk = chunk.map_err(|e| format!("Error reading from the input: {e}"))?;
                    tally.sent += chunk.len() as u64;
                    link.exchange_raw(&chunk).await.map_err(failed)?;
                }
                None => {
                    let echo = format!("\r\n*2\r\n$4\r\nECHO\r\n${}\r\n{mark}\r\n", mark.len());
                    link.exchange_raw(echo.as_bytes()).await.map_err(failed)?;
                    all_sent = true;
                    println!("All data transferred. Waiting for the last reply...");
                }
            },
            filled = link.fill() => filled.map_err(failed)?,
        }
    }
}

fn failed(error: LinkError) -> String {
    format!("Error: {error}")
}

/// Counts a reply. Whether it was the last.
fn count(reply: &Reply, mark: &str, all_sent: bool, tally: &mut Tally) -> bool {
    match reply {
        Reply::Push(_) => return false,
        Reply::Bulk(bytes) if all_sent && bytes == mark.as_bytes() => return true,
        Reply::Error(text) => {
            eprintln!("{}", String::from_utf8_lossy(text));
            tally.errors += 1;
        }
        _ => {}
    }
    tally.replies += 1;
    false
}
