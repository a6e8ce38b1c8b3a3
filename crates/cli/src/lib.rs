//! The command line client: redis-cli's options, formats and modes, for Ochre, Redis and Valkey.
//!
//! Invariants
//! - Replies are printed byte for byte as redis-cli 7.0.15 prints them (`tests/formats.rs` compares).
//! - An option that is not there is refused by name, never ignored.
//! - It knows commands by what the server says of them (`COMMAND DOCS`), apart from those that change what a
//!   connection is.

mod docs;
mod format;
mod help;
mod keys;
mod latency;
mod link;
mod lru;
mod options;
mod password;
mod pipe;
mod prompt;
mod rdb;
mod replica;
mod reply;
mod session;
mod stat;
#[cfg(feature = "table")]
mod table;

use options::{Mode, Options, Stop};
use session::{Outcome, Session};
use std::io::Read as _;
use std::process::ExitCode;

/// The whole of the program `ochre-cli`.
#[must_use]
pub fn main() -> ExitCode {
    let mut options = match Options::parse(std::env::args_os().skip(1)) {
        Ok(options) => options,
        Err(Stop::Help) => {
            print!("{}", help::USAGE);
            return ExitCode::SUCCESS;
        }
        Err(Stop::Version) => {
            println!("ochre-cli {}", env!("CARGO_PKG_VERSION"));
            return ExitCode::SUCCESS;
        }
        Err(Stop::Wrong(text)) => {
            eprintln!("{text}");
            return ExitCode::FAILURE;
        }
    };
    if let Err(text) = complete(&mut options) {
        if let Some(text) = text {
            eprintln!("{text}");
        }
        return ExitCode::FAILURE;
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    match runtime {
        Ok(runtime) => runtime.block_on(run(options)),
        Err(error) => {
            eprintln!("Error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Adds to the command what comes from the standard input, and takes quotes off if wished.
///
/// # Errors
/// With what is still to be said of it.
fn complete(options: &mut Options) -> Result<(), Option<String>> {
    if options.quoted_input {
        for word in &mut options.words {
            let unquoted = options::unquote(word);
            let Some(unquoted) = unquoted else {
                // compat: said on the standard output.
                println!("Invalid quoted string");
                return Err(None);
            };
            *word = unquoted;
        }
    }
    // Without a command the standard input is a list of them.
    let is_prompt = options.mode == Mode::Commands && options.words.is_empty();
    if is_prompt || !options.last_from_stdin && options.tag_from_stdin.is_none() {
        return Ok(());
    }
    let mut input = Vec::new();
    std::io::stdin()
        .read_to_end(&mut input)
        .map_err(|e| Some(link::reason(&e)))?;
    match &options.tag_from_stdin {
        None => options.words.push(input),
        Some(tag) => {
            let place = options.words.iter_mut().find(|w| *w == tag);
            let none = || Some("Using -X option but stdin tag not match.".to_owned());
            *place.ok_or_else(none)? = input;
        }
    }
    Ok(())
}

async fn run(options: Options) -> ExitCode {
    let mode = options.mode.clone();
    if let Mode::IntrinsicLatency(seconds) = mode {
        return latency::intrinsic(seconds);
    }
    #[cfg(feature = "table")]
    if mode == Mode::Table {
        return table::run(options).await;
    }
    let mut session = Session::new(options);
    let is_prompt = mode == Mode::Commands && session.options.words.is_empty();
    if !session.connect().await && !is_prompt {
        return ExitCode::FAILURE;
    }
    // What is written or looked at would be another user's or another database's.
    if mode != Mode::Commands && !session.is_settled {
        return ExitCode::FAILURE;
    }
    match mode {
        Mode::Commands if is_prompt => prompt::run(session).await,
        Mode::Commands => {
            let words = session.options.words.clone();
            if prompt::is_help(&words) {
                prompt::help(&mut session, &words).await;
                return ExitCode::SUCCESS;
            }
            repeat(&mut session, &words).await
        }
        Mode::Eval(path) => eval(&mut session, &path).await,
        Mode::Pipe => pipe::run(&mut session).await,
        Mode::Scan => keys::list(&mut session).await,
        Mode::BigKeys => keys::survey(&mut session, keys::Measure::Elements).await,
        Mode::MemKeys(samples) => keys::survey(&mut session, keys::Measure::Memory(samples)).await,
        Mode::HotKeys => keys::hot(&mut session).await,
        Mode::Stat => stat::run(&mut session).await,
        Mode::Latency => latency::run(&mut session, false).await,
        Mode::LatencyHistory => latency::run(&mut session, true).await,
        Mode::LatencyDist => latency::spectrum(&mut session).await,
        Mode::Rdb(path, content) => rdb::run(&mut session, &path, content).await,
        Mode::LruTest(keys) => lru::run(&mut session, keys).await,
        Mode::Replica => replica::run(&mut session).await,
        // Both were done above.
        Mode::IntrinsicLatency(_) | Mode::Table => ExitCode::SUCCESS,
    }
}

/// Runs a command as often as `-r` says.
async fn repeat(session: &mut Session, words: &[Vec<u8>]) -> ExitCode {
    let mut left = session.options.repeat;
    while left != Some(0) {
        match session.run(words).await {
            Outcome::Answered => {}
            Outcome::Refused if !session.options.fail => {}
            Outcome::Refused | Outcome::Unsupported | Outcome::Lost => return ExitCode::FAILURE,
        }
        left = left.map(|n| n - 1);
        if let Some(interval) = session.options.interval
            && left != Some(0)
        {
            tokio::time::sleep(interval).await;
        }
    }
    ExitCode::SUCCESS
}

/// Runs a script from a file; a comma among the words parts keys from arguments.
async fn eval(session: &mut Session, path: &str) -> ExitCode {
    let script = match std::fs::read(path) {
        Ok(script) => script,
        Err(error) => {
            eprintln!("Can't open file '{path}': {}", link::reason(&error));
            return ExitCode::FAILURE;
        }
    };
    let given = &session.options.words;
    let comma = given.iter().position(|w| w == b",");
    let (keys, args) = match comma {
        Some(at) => (&given[..at], &given[at + 1..]),
        None => (&given[..], &[][..]),
    };
    let mut words = vec![
        b"EVAL".to_vec(),
        script,
        keys.len().to_string().into_bytes(),
    ];
    words.extend(keys.iter().chain(args).cloned());
    repeat(session, &words).await
}
