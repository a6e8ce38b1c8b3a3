//! `--rdb`: a snapshot of the server's data, by the first part of replication, which `--replica` begins with too.

use crate::link::{Link, LinkError};
use crate::options::Content;
use crate::reply::Reply;
use crate::session::Session;
use std::fs::File;
use std::io::{IsTerminal as _, Write};
use std::process::ExitCode;

/// Bytes of the mark that ends a transfer of unknown length.
const MARK_BYTES: usize = 40;
/// Longest first line of a transfer.
const LINE_MAX: usize = 1024;

/// How the transfer ends; a mark comes last, and nothing behind it before the transfer is acknowledged.
pub(crate) enum End {
    Length(u64),
    Mark(Vec<u8>),
}

pub(crate) async fn run(session: &mut Session, path: &str, content: Content) -> ExitCode {
    let Some(link) = session.link.as_mut() else {
        return ExitCode::FAILURE;
    };
    match transfer(link, path, content).await {
        Ok(bytes) => {
            eprintln!("Transfer finished with success after {bytes} bytes");
            ExitCode::SUCCESS
        }
        Err(text) => {
            eprintln!("{text}");
            ExitCode::FAILURE
        }
    }
}

pub(crate) fn lost(error: LinkError) -> String {
    format!("Error: {error}")
}

async fn transfer(link: &mut Link, path: &str, content: Content) -> Result<u64, String> {
    // A server that does not know these sends everything with a length, which is as good.
    tell(link, "capa", "eof").await?;
    tell(link, "rdb-only", "1").await?;
    if content == Content::Functions && !tell(link, "rdb-filter-only", "functions").await? {
        return Err("Failed requesting functions only RDB from server, aborting".to_owned());
    }
    link.send(&["SYNC"]).await.map_err(lost)?;
    let (end, rest) = begin(link).await?;
    match &end {
        End::Length(bytes) => {
            eprintln!("SYNC sent to master, writing {bytes} bytes to '{path}'");
        }
        End::Mark(_) => eprintln!(
            "SYNC sent to master, writing bytes of bulk transfer until EOF marker to '{path}'"
        ),
    }
    let to_file =
        |e: std::io::Error| format!("Error opening '{path}': {}", crate::link::reason(&e));
    let mut out: Box<dyn Write> = match path {
        "-" => Box::new(std::io::stdout().lock()),
        _ => Box::new(File::create(path).map_err(to_file)?),
    };
    let bytes = copy(link, &end, rest, &mut out).await?;
    out.flush().map_err(to_file)?;
    Ok(bytes)
}

/// Tells the server how to replicate. Whether it knows how.
pub(crate) async fn tell(link: &mut Link, option: &str, value: &str) -> Result<bool, String> {
    eprintln!("sending REPLCONF {option} {value}");
    match link.ask(&["REPLCONF", option, value]).await.map_err(lost)? {
        Reply::Error(text) => {
            let text = String::from_utf8_lossy(&text);
            eprintln!("REPLCONF {option} error: {text}");
            Ok(false)
        }
        _ => Ok(true),
    }
}

/// The first line, and what came behind it.
pub(crate) async fn begin(link: &mut Link) -> Result<(End, Vec<u8>), String> {
    let mut input = Vec::new();
    let line_end = loop {
        // The server sends empty lines while it prepares.
        let blank = input.iter().take_while(|b| **b == b'\n').count();
        input.drain(..blank);
        if let Some(end) = input.windows(2).position(|w| w == b"\r\n") {
            break end;
        }
        if input.len() > LINE_MAX {
            return Err("Error: the server sent no snapshot".to_owned());
        }
        input.extend(link.read_raw().await.map_err(lost)?);
    };
    let rest = input.split_off(line_end + 2);
    let line = &input[..line_end];
    let text = String::from_utf8_lossy(line).into_owned();
    if let Some(error) = text.strip_prefix('-') {
        return Err(format!("SYNC with master failed: -{error}"));
    }
    if let Some(mark) = line.strip_prefix(b"$EOF:")
        && mark.len() == MARK_BYTES
    {
        return Ok((End::Mark(mark.to_vec()), rest));
    }
    let length = text.strip_prefix('$').and_then(|n| n.parse().ok());
    let length = length.ok_or_else(|| format!("Error: '{text}' begins no snapshot"))?;
    Ok((End::Length(length), rest))
}

/// Copies the snapshot, of which `rest` came already. Its length in bytes; what came behind it is given back to `link`.
pub(crate) async fn copy(
    link: &mut Link,
    end: &End,
    rest: Vec<u8>,
    out: &mut dyn Write,
) -> Result<u64, String> {
    let show = std::io::stderr().is_terminal();
    let failed = |e: std::io::Error| format!("Error writing: {}", crate::link::reason(&e));
    // The last bytes are held back, as they may be the mark.
    let (mut held, mut written) = (rest, 0_u64);
    loop {
        let ready = match end {
            End::Length(length) => {
                let missing = usize::try_from(length - written).unwrap_or(usize::MAX);
                held.len().min(missing)
            }
            End::Mark(_) => held.len().saturating_sub(MARK_BYTES),
        };
        out.write_all(&held[..ready]).map_err(failed)?;
        held.drain(..ready);
        written += ready as u64;
        if show {
            eprint!("\r{written} bytes");
        }
        let is_done = match end {
            End::Length(length) => written == *length,
            End::Mark(mark) => held == *mark,
        };
        if is_done {
            if show {
                eprint!("\r\x1b[K");
            }
            if matches!(end, End::Length(_)) {
                link.put_back(&held);
            }
            return Ok(written);
        }
        held.extend(link.read_raw().await.map_err(lost)?);
    }
}
