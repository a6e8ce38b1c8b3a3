//! `--replica`: what a server sends to its replicas, a command a line.

use crate::format::Style;
use crate::link::{Link, LinkError};
use crate::rdb::{self, End, lost};
use crate::reply::Reply;
use crate::session::{Kind, Session};
use std::process::ExitCode;
use std::time::Duration;
use tokio::time::MissedTickBehavior;

/// How often the server is told that somebody listens. One that sent its snapshot without a length sends nothing
/// before, and takes no notice of what it is told too early.
const HEARTBEAT: Duration = Duration::from_secs(1);

pub(crate) async fn run(session: &mut Session) -> ExitCode {
    session.options.style = Style::Csv;
    match follow(session).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(text) => {
            eprintln!("{text}");
            ExitCode::FAILURE
        }
    }
}

/// Prints commands until the connection ends, which is an error.
async fn follow(session: &mut Session) -> Result<(), String> {
    let mut link = session.link.take().ok_or_else(|| lost(LinkError::Ended))?;
    skip_snapshot(&mut link).await?;
    let mut heartbeat = tokio::time::interval(HEARTBEAT);
    heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            command = link.read() => {
                let command = command.map_err(lost)?;
                if let Reply::Error(text) = &command {
                    return Err(String::from_utf8_lossy(text).into_owned());
                }
                session.print(&command, Kind::Plain);
            }
            _ = heartbeat.tick() => {
                link.send(&["REPLCONF", "ACK", "0"]).await.map_err(lost)?;
            }
        }
    }
}

/// Asks for everything, and lets what there was before go by.
async fn skip_snapshot(link: &mut Link) -> Result<(), String> {
    rdb::tell(link, "capa", "eof").await?;
    link.send(&["SYNC"]).await.map_err(lost)?;
    let (end, rest) = rdb::begin(link).await?;
    match &end {
        End::Length(bytes) => {
            eprintln!("SYNC with master, discarding {bytes} bytes of bulk transfer...");
        }
        End::Mark(_) => {
            eprintln!("SYNC with master, discarding bytes of bulk transfer until EOF marker...");
        }
    }
    let bytes = rdb::copy(link, &end, rest, &mut std::io::sink()).await?;
    eprintln!("SYNC done after {bytes} bytes. Logging commands from master.");
    Ok(())
}
