//! The command line: redis-benchmark's options, and those of our own.
//!
//! Options come first; the first word that is none begins the command. Nonsense is refused with an error, never read as
//! a number that was not meant.

mod check;
mod take;
mod values;

use crate::keys::Distribution;
use crate::request::Sizes;
use std::path::PathBuf;
use std::time::Duration;

/// Connections, unless said otherwise.
const CLIENTS: usize = 50;
/// Requests of a test, unless said otherwise.
const REQUESTS: u64 = 100_000;
/// Bytes of a value, unless said otherwise.
const SIZE: usize = 3;
/// Rounds of a comparison, unless said otherwise.
const ROUNDS: u32 = 10;
/// Longest silence of a server while requests are under way, unless said otherwise.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Most connections and threads that are taken for meant.
const CLIENTS_LIMIT: usize = 1_000_000;
/// Most requests of one connection under way.
const PIPELINE_LIMIT: usize = 1_000_000;
/// Longest value, as in redis-benchmark.
const SIZE_LIMIT: usize = 1 << 30;

/// A server's place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Tcp { host: String, port: u16 },
    Unix(PathBuf),
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Place::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Place::Tcp { host, port } => write!(f, "{host}:{port}"),
            Place::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}

/// How TLS is done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tls {
    pub(crate) sni: Option<String>,
    pub(crate) ca_file: Option<PathBuf>,
    pub(crate) ca_folder: Option<PathBuf>,
    pub(crate) certificate: Option<PathBuf>,
    pub(crate) key: Option<PathBuf>,
    pub(crate) ciphers: Option<String>,
    pub(crate) suites: Option<String>,
    pub(crate) insecure: bool,
}

/// What a connection says before its first request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Login {
    pub(crate) user: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) database: u32,
    pub(crate) resp3: bool,
    pub(crate) tracking: bool,
}

/// Where results go, and in which form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Human,
    Quiet,
    Csv,
    /// CSV with the columns that redis-benchmark does not have.
    CsvFull,
    /// JSON on the standard output.
    Json,
}

/// One part of a mixture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) name: String,
    pub(crate) weight: u64,
}

/// The command line, taken apart.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Options {
    pub(crate) place: Place,
    pub(crate) login: Login,
    pub(crate) tls: Option<Tls>,
    pub(crate) clients: usize,
    pub(crate) threads: Option<usize>,
    /// `None`: as many as the time allows.
    pub(crate) requests: Option<u64>,
    pub(crate) keep_alive: bool,
    pub(crate) pipeline: usize,
    pub(crate) sizes: Sizes,
    /// `None`: all requests have the same key.
    pub(crate) keyspace: Option<u64>,
    pub(crate) distribution: Distribution,
    pub(crate) seed: Option<u64>,
    pub(crate) tests: Option<Vec<String>>,
    pub(crate) mixture: Vec<Part>,
    /// A command instead of tests.
    pub(crate) command: Vec<Vec<u8>>,
    pub(crate) last_from_stdin: bool,
    pub(crate) is_idle: bool,
    pub(crate) is_endless: bool,
    pub(crate) format: Format,
    pub(crate) decimals: usize,
    pub(crate) json_file: Option<PathBuf>,
    pub(crate) html_file: Option<PathBuf>,
    pub(crate) rate: Option<u64>,
    pub(crate) warmup: Duration,
    pub(crate) duration: Option<Duration>,
    pub(crate) timeout: Duration,
    pub(crate) keep_going: bool,
    pub(crate) server_pids: Vec<u32>,
    pub(crate) compare: Option<Place>,
    pub(crate) rounds: u32,
}

/// Why there is nothing to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    Help,
    Version,
    /// A message for the standard error stream.
    Wrong(String),
}

fn wrong(text: impl Into<String>) -> Stop {
    Stop::Wrong(text.into())
}

impl Default for Options {
    fn default() -> Options {
        Options {
            place: Place::Tcp {
                host: "127.0.0.1".to_owned(),
                port: ochre_client::DEFAULT_PORT,
            },
            login: Login::default(),
            tls: None,
            clients: CLIENTS,
            threads: None,
            requests: Some(REQUESTS),
            keep_alive: true,
            pipeline: 1,
            sizes: Sizes {
                least: SIZE,
                most: SIZE,
            },
            keyspace: None,
            distribution: Distribution::Uniform,
            seed: None,
            tests: None,
            mixture: Vec::new(),
            command: Vec::new(),
            last_from_stdin: false,
            is_idle: false,
            is_endless: false,
            format: Format::Human,
            decimals: 3,
            json_file: None,
            html_file: None,
            rate: None,
            warmup: Duration::ZERO,
            duration: None,
            timeout: TIMEOUT,
            keep_going: false,
            server_pids: Vec::new(),
            compare: None,
            rounds: ROUNDS,
        }
    }
}

#[cfg(test)]
mod tests;
