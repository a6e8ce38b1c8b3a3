//! Load for a server of the table front, and the same load as HGET and HSET for a server of RESP.
//!
//! `cargo run --release -p ochre-table --example load -- ADDRESS table|resp get|set CONNECTIONS PIPELINE SECONDS [PID]`
//!
//! Prints requests a second, and the server's CPU time a request in microseconds if its process is named. Keys are
//! spread over 100 tables of 1000 keys, values have 64 bytes; they are set before the measurement.

use ochre_table::{CommandRequest, wire};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const TABLES: u64 = 100;
const KEYS: u64 = 1000;
const VALUE: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

#[derive(Clone, Copy, PartialEq)]
enum Protocol {
    Table,
    Resp,
}

/// One request on the `n`th key.
fn request(protocol: Protocol, set: bool, n: u64, out: &mut Vec<u8>) {
    let (table, key) = (
        format!("table:{}", n % TABLES),
        format!("key:{}", n / TABLES % KEYS),
    );
    match (protocol, set) {
        (Protocol::Table, true) => {
            wire::put_message(out, &CommandRequest::new_hset(table, key, VALUE.into()));
        }
        (Protocol::Table, false) => wire::put_message(out, &CommandRequest::new_hget(table, key)),
        (Protocol::Resp, _) => {
            let words = [if set { "HSET" } else { "HGET" }, &table, &key, VALUE];
            let words = &words[..if set { 4 } else { 3 }];
            out.extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
            for word in words {
                out.extend_from_slice(format!("${}\r\n{word}\r\n", word.len()).as_bytes());
            }
        }
    }
}

/// How many whole responses `bytes` begin with, and their length.
fn responses(protocol: Protocol, bytes: &[u8]) -> (usize, usize) {
    let (mut count, mut at) = (0, 0);
    loop {
        let rest = &bytes[at..];
        let len = match protocol {
            Protocol::Table => wire::frame_len(rest).map(|len| wire::HEAD + len),
            Protocol::Resp => rest
                .iter()
                .position(|b| *b == b'\n')
                .map(|end| match rest[0] {
                    b'$' => match std::str::from_utf8(&rest[1..end - 1]).map(str::parse::<usize>) {
                        Ok(Ok(len)) => end + 1 + len + 2,
                        _ => end + 1,
                    },
                    _ => end + 1,
                }),
        };
        match len {
            Some(len) if len <= rest.len() => {
                at += len;
                count += 1;
            }
            _ => return (count, at),
        }
    }
}

/// Sends a batch and reads its responses.
async fn exchange(
    io: &mut TcpStream,
    protocol: Protocol,
    batch: &[u8],
    count: usize,
    input: &mut Vec<u8>,
) -> std::io::Result<()> {
    io.write_all(batch).await?;
    input.clear();
    let (mut got, mut from) = (0, 0);
    while got < count {
        if io.read_buf(input).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let (more, len) = responses(protocol, &input[from..]);
        got += more;
        from += len;
    }
    Ok(())
}

async fn fill(address: &str, protocol: Protocol) -> std::io::Result<()> {
    let mut io = TcpStream::connect(address).await?;
    let mut input = Vec::new();
    for from in (0..TABLES * KEYS).step_by(1000) {
        let mut batch = Vec::new();
        (from..from + 1000).for_each(|n| request(protocol, true, n, &mut batch));
        exchange(&mut io, protocol, &batch, 1000, &mut input).await?;
    }
    Ok(())
}

/// CPU seconds of a process.
fn cpu(pid: Option<&str>) -> f64 {
    let stat = pid.and_then(|pid| std::fs::read_to_string(format!("/proc/{pid}/stat")).ok());
    let stat = stat.unwrap_or_default();
    let fields = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace();
    // Clock ticks of user and system time, a hundredth of a second each.
    fields
        .skip(11)
        .take(2)
        .filter_map(|n| n.parse::<f64>().ok())
        .sum::<f64>()
        / 100.0
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [
        address,
        protocol,
        kind,
        connections,
        pipeline,
        seconds,
        pid @ ..,
    ] = &args[..]
    else {
        return Err("ADDRESS table|resp get|set CONNECTIONS PIPELINE SECONDS [PID]".into());
    };
    let protocol = if protocol == "resp" {
        Protocol::Resp
    } else {
        Protocol::Table
    };
    let (set, pid) = (kind == "set", pid.first().map(String::as_str));
    let (connections, pipeline) = (connections.parse::<u64>()?, pipeline.parse::<usize>()?);
    fill(address, protocol).await?;
    let (over, done) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicU64::new(0)),
    );
    let mut tasks = tokio::task::JoinSet::new();
    for connection in 0..connections {
        let mut io = TcpStream::connect(address).await?;
        io.set_nodelay(true)?;
        let (over, done) = (over.clone(), done.clone());
        tasks.spawn(async move {
            // Batches are made before, so that the load costs little beside the server.
            let mut n = connection.wrapping_mul(7919);
            let batches: Vec<Vec<u8>> = (0..64)
                .map(|_| {
                    let mut batch = Vec::new();
                    for _ in 0..pipeline {
                        n = n
                            .wrapping_mul(6_364_136_223_846_793_005)
                            .wrapping_add(1_442_695_040_888_963_407);
                        request(protocol, set, n >> 33, &mut batch);
                    }
                    batch
                })
                .collect();
            let mut input = Vec::with_capacity(64 * 1024);
            for batch in batches.iter().cycle() {
                if over.load(Relaxed) {
                    break;
                }
                exchange(&mut io, protocol, batch, pipeline, &mut input).await?;
                done.fetch_add(pipeline as u64, Relaxed);
            }
            Ok::<(), std::io::Error>(())
        });
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    let (start, cpu_before, before) = (Instant::now(), cpu(pid), done.load(Relaxed));
    tokio::time::sleep(Duration::from_secs_f64(seconds.parse()?)).await;
    let (took, used, count) = (
        start.elapsed(),
        cpu(pid) - cpu_before,
        done.load(Relaxed) - before,
    );
    over.store(true, Relaxed);
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    println!(
        "{:.0} {:.3}",
        count as f64 / took.as_secs_f64(),
        used * 1e6 / count as f64
    );
    Ok(())
}
