//! The command line: redis-cli's options.
//!
//! Options come first; the first word that is none begins the command. What is not there is refused by name.

use crate::format::Style;
use ochre_client::{Config, TlsConfig};
use std::ffi::OsString;
use std::io::IsTerminal as _;
use std::os::unix::ffi::OsStringExt as _;
use std::time::Duration;

/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// Seconds that `--pipe` waits for the last reply, unless said otherwise.
const PIPE_TIMEOUT: u64 = 30;

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Mode {
    /// The command given, or the prompt.
    Commands,
    Pipe,
    Scan,
    BigKeys,
    /// With so many elements sampled of each, if said.
    MemKeys(Option<u64>),
    HotKeys,
    Stat,
    Latency,
    LatencyHistory,
    LatencyDist,
    IntrinsicLatency(u64),
    /// To a file, or `-`.
    Rdb(String),
    Eval(String),
    /// The table front.
    Table,
}

/// The command line, taken apart.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) mode: Mode,
    pub(crate) host: String,
    pub(crate) port: u16,
    /// Whether somebody named it.
    port_given: bool,
    pub(crate) socket: Option<String>,
    pub(crate) user: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) database: u32,
    /// The protocol to ask for: 2, 3, or whatever the server begins with.
    pub(crate) protocol: Option<u8>,
    /// How often, `None` without an end.
    pub(crate) repeat: Option<u64>,
    pub(crate) interval: Option<Duration>,
    pub(crate) style: Style,
    pub(crate) delimiter: Vec<u8>,
    pub(crate) between: Vec<u8>,
    pub(crate) last_from_stdin: bool,
    pub(crate) tag_from_stdin: Option<Vec<u8>>,
    pub(crate) quoted_input: bool,
    pub(crate) fail: bool,
    pub(crate) pattern: Option<Vec<u8>>,
    pub(crate) pipe_timeout: u64,
    pub(crate) show_pushes: bool,
    pub(crate) follow: bool,
    pub(crate) tls: Option<Tls>,
    pub(crate) words: Vec<Vec<u8>>,
}

/// How TLS is done.
#[derive(Debug, Default)]
pub(crate) struct Tls {
    sni: Option<String>,
    ca_file: Option<String>,
    ca_folder: Option<String>,
    certificate: Option<String>,
    key: Option<String>,
    insecure: bool,
}

/// Why there is nothing to do.
#[derive(Debug, PartialEq)]
pub(crate) enum Stop {
    Help,
    Version,
    /// A message for the standard error stream.
    Wrong(String),
}

fn wrong(text: impl Into<String>) -> Stop {
    Stop::Wrong(text.into())
}

/// The words that are left.
struct Words(std::vec::IntoIter<Vec<u8>>);

impl Words {
    fn bytes(&mut self, option: &str) -> Result<Vec<u8>, Stop> {
        let unknown = || {
            wrong(format!(
                "Unrecognized option or bad number of args for: '{option}'"
            ))
        };
        self.0.next().ok_or_else(unknown)
    }

    fn text(&mut self, option: &str) -> Result<String, Stop> {
        let bytes = self.bytes(option)?;
        String::from_utf8(bytes).map_err(|_| wrong(format!("{option} takes UTF-8")))
    }

    fn number<T: std::str::FromStr>(&mut self, option: &str) -> Result<T, Stop> {
        let text = self.text(option)?;
        let bad = |_| wrong(format!("{option} takes a number, not '{text}'"));
        text.parse().map_err(bad)
    }
}

impl Options {
    fn new() -> Options {
        let is_terminal = std::io::stdout().is_terminal();
        Options {
            mode: Mode::Commands,
            host: "127.0.0.1".to_owned(),
            port: ochre_client::DEFAULT_PORT,
            port_given: false,
            socket: None,
            user: None,
            password: None,
            database: 0,
            protocol: None,
            repeat: Some(1),
            interval: None,
            style: if is_terminal {
                Style::Standard
            } else {
                Style::Raw
            },
            delimiter: b"\n".to_vec(),
            between: b"\n".to_vec(),
            last_from_stdin: false,
            tag_from_stdin: None,
            quoted_input: false,
            fail: false,
            pattern: None,
            pipe_timeout: PIPE_TIMEOUT,
            show_pushes: is_terminal,
            follow: false,
            tls: None,
            words: Vec::new(),
        }
    }

    /// Takes the program's arguments apart, without its name. Warnings go to the standard error stream.
    pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Options, Stop> {
        let args: Vec<Vec<u8>> = args.into_iter().map(OsString::into_vec).collect();
        let mut options = Options::new();
        let mut words = Words(args.into_iter());
        let mut seen_password = false;
        let mut warn = true;
        while let Some(word) = words.0.next() {
            let Some(option) = std::str::from_utf8(&word)
                .ok()
                .filter(|w| w.starts_with('-'))
            else {
                options.words.push(word);
                options.words.extend(words.0.by_ref());
                break;
            };
            match option {
                "-a" | "--pass" | "-u" => seen_password = true,
                "--no-auth-warning" => warn = false,
                _ => {}
            }
            let known = options.connection(option, &mut words)?
                || options.output(option, &mut words)?
                || options.mode(option, &mut words)?;
            if !known {
                let text = format!("Unrecognized option or bad number of args for: '{option}'");
                return Err(wrong(text));
            }
        }
        if seen_password && warn {
            eprintln!(
                "Warning: Using a password with '-a' or '-u' option on the command line interface may not be safe."
            );
        }
        #[cfg(feature = "table")]
        if options.mode == Mode::Table && !options.port_given {
            options.port = ochre_table::DEFAULT_PORT;
        }
        if options.password.is_none() && options.mode != Mode::Table {
            options.password = std::env::var("REDISCLI_AUTH").ok();
        }
        Ok(options)
    }

    fn connection(&mut self, option: &str, words: &mut Words) -> Result<bool, Stop> {
        match option {
            "-h" => match words.0.next() {
                Some(host) => {
                    self.host = String::from_utf8(host).map_err(|_| wrong("-h takes UTF-8"))?;
                }
                None => return Err(Stop::Help),
            },
            "-p" => {
                let bad = |_| wrong("Invalid server port.");
                self.port = words.text(option)?.parse().map_err(bad)?;
                self.port_given = true;
            }
            "-s" => self.socket = Some(words.text(option)?),
            "-a" | "--pass" => self.password = Some(words.text(option)?),
            "--user" => self.user = Some(words.text(option)?),
            "--askpass" => {
                let asked = rustyline::DefaultEditor::new()
                    .and_then(|mut editor| editor.readline("Please input password: "));
                self.password = Some(asked.map_err(|e| wrong(e.to_string()))?);
            }
            "--no-auth-warning" => {}
            "-u" => self.url(&words.text(option)?)?,
            "-n" => {
                // compat: what is no number is 0.
                self.database = words.text(option)?.parse().unwrap_or(0);
            }
            "-2" => self.protocol = Some(2),
            "-3" => self.protocol = Some(3),
            "-c" => self.follow = true,
            "--tls" => drop(self.tls()),
            "--sni" => self.tls().sni = Some(words.text(option)?),
            "--cacert" => self.tls().ca_file = Some(words.text(option)?),
            "--cacertdir" => self.tls().ca_folder = Some(words.text(option)?),
            "--cert" => self.tls().certificate = Some(words.text(option)?),
            "--key" => self.tls().key = Some(words.text(option)?),
            "--insecure" => self.tls().insecure = true,
            "--tls-ciphers" | "--tls-ciphersuites" => {
                return Err(wrong(format!(
                    "{option} is not supported: the TLS library chooses"
                )));
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn tls(&mut self) -> &mut Tls {
        self.tls.get_or_insert_with(Tls::default)
    }

    fn url(&mut self, url: &str) -> Result<(), Stop> {
        let config = Config::parse(url).map_err(|e| wrong(format!("Invalid URI: {e}")))?;
        if let Some((host, port)) = config.host_and_port() {
            (self.host, self.port) = (host.to_owned(), port);
            self.port_given = true;
        } else if let Some((_, path)) = url.split_once("://") {
            let path = path.split('?').next().unwrap_or_default();
            self.socket = path.find('/').map(|at| path[at..].to_owned());
        }
        let (user, password) = config.credentials();
        self.user = user.map(str::to_owned).or(self.user.take());
        self.password = password.map(str::to_owned).or(self.password.take());
        self.database = config.selected_database();
        if url.starts_with("rediss://") || url.starts_with("valkeys://") {
            self.tls();
        }
        Ok(())
    }

    fn output(&mut self, option: &str, words: &mut Words) -> Result<bool, Stop> {
        match option {
            "-r" => {
                let times: i64 = words.number(option)?;
                self.repeat = u64::try_from(times).ok();
            }
            "-i" => {
                let seconds: f64 = words.number(option)?;
                let bad = |_| wrong("-i takes seconds");
                self.interval = Some(Duration::try_from_secs_f64(seconds).map_err(bad)?);
            }
            "-x" => self.last_from_stdin = true,
            "-X" => self.tag_from_stdin = Some(words.bytes(option)?),
            "-d" => self.delimiter = words.bytes(option)?,
            "-D" => self.between = words.bytes(option)?,
            "-e" => self.fail = true,
            "--raw" => self.style = Style::Raw,
            "--no-raw" => self.style = Style::Standard,
            "--csv" => self.style = Style::Csv,
            "--json" | "--quoted-json" => {
                self.style = match option {
                    "--json" => Style::Json,
                    _ => Style::QuotedJson,
                };
                self.protocol = self.protocol.or(Some(3));
            }
            "--quoted-input" => self.quoted_input = true,
            "--show-pushes" => {
                self.show_pushes = match words.text(option)?.as_str() {
                    "yes" | "y" => true,
                    "no" | "n" => false,
                    _ => return Err(wrong("--show-pushes takes yes or no")),
                }
            }
            "--verbose" => {}
            "--help" => return Err(Stop::Help),
            "--version" | "-v" => return Err(Stop::Version),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn mode(&mut self, option: &str, words: &mut Words) -> Result<bool, Stop> {
        self.mode = match option {
            "--pipe" => Mode::Pipe,
            "--pipe-timeout" => {
                self.pipe_timeout = words.number(option)?;
                return Ok(true);
            }
            "--pattern" => {
                self.pattern = Some(words.bytes(option)?);
                return Ok(true);
            }
            "--quoted-pattern" => {
                let pattern = words.bytes(option)?;
                let bad = || wrong("Invalid quoted string specified for --quoted-pattern");
                self.pattern = Some(unquote(&pattern).ok_or_else(bad)?);
                return Ok(true);
            }
            "--scan" => Mode::Scan,
            "--bigkeys" => Mode::BigKeys,
            "--memkeys" => Mode::MemKeys(None),
            "--memkeys-samples" => Mode::MemKeys(Some(words.number(option)?)),
            "--hotkeys" => Mode::HotKeys,
            "--stat" => Mode::Stat,
            "--latency" => Mode::Latency,
            "--latency-history" => Mode::LatencyHistory,
            "--latency-dist" => Mode::LatencyDist,
            "--intrinsic-latency" => Mode::IntrinsicLatency(words.number(option)?),
            "--rdb" => Mode::Rdb(words.text(option)?),
            "--eval" => Mode::Eval(words.text(option)?),
            #[cfg(feature = "table")]
            "--table" => Mode::Table,
            #[cfg(not(feature = "table"))]
            "--table" => return Err(wrong("This program was built without --table")),
            "--replica" | "--slave" | "--lru-test" | "--functions-rdb" | "--cluster" | "--ldb"
            | "--ldb-sync-mode" => {
                return Err(wrong(format!("{option} is not supported")));
            }
            _ => return Ok(false),
        };
        Ok(true)
    }

    /// Where to connect. Login and database are the session's business.
    pub(crate) fn config(&self) -> Result<Config, String> {
        let config = match &self.socket {
            Some(path) => Config::unix(path),
            None => Config::tcp(&self.host, self.port),
        };
        let config = config.connect_timeout(CONNECT_TIMEOUT);
        match &self.tls {
            None => Ok(config),
            Some(tls) => Ok(config.tls(tls.config().map_err(|e| e.to_string())?)),
        }
    }

    /// How to encrypt a connection, if it is to be.
    #[cfg(feature = "table")]
    pub(crate) fn tls_config(&self) -> Result<Option<TlsConfig>, String> {
        let config = self.tls.as_ref().map(Tls::config).transpose();
        config.map_err(|e| e.to_string())
    }

    /// An option given that means something for RESP only.
    #[cfg(feature = "table")]
    pub(crate) fn only_resp(&self) -> Option<&'static str> {
        let given = [
            ("-s", self.socket.is_some()),
            ("--user", self.user.is_some()),
            ("--pass", self.password.is_some()),
            ("-n", self.database != 0),
            ("-c", self.follow),
            ("--csv", self.style == Style::Csv),
            (
                "--json",
                matches!(self.style, Style::Json | Style::QuotedJson),
            ),
            ("-2 or -3", self.protocol.is_some()),
        ];
        given
            .iter()
            .find(|(_, given)| *given)
            .map(|(name, _)| *name)
    }

    /// The server as messages and the prompt name it.
    pub(crate) fn place(&self) -> String {
        match &self.socket {
            Some(path) => path.clone(),
            None if self.host.contains(':') => format!("[{}]:{}", self.host, self.port),
            None => format!("{}:{}", self.host, self.port),
        }
    }
}

impl Tls {
    fn config(&self) -> Result<TlsConfig, ochre_client::Error> {
        let mut config = TlsConfig::new()?;
        if let Some(file) = &self.ca_file {
            config = config.ca_file(file)?;
        }
        if let Some(folder) = &self.ca_folder {
            config = config.ca_folder(folder)?;
        }
        if let (Some(certificate), Some(key)) = (&self.certificate, &self.key) {
            config = config.client_certificate(certificate, key)?;
        }
        if let Some(name) = &self.sni {
            config = config.server_name(name);
        }
        if self.insecure {
            config = config.danger_accept_any_certificate();
        }
        Ok(config)
    }
}

/// What a quoted string stands for; `None` if it is none.
pub(crate) fn unquote(text: &[u8]) -> Option<Vec<u8>> {
    match text.first() {
        Some(b'"' | b'\'') => {
            let mut words = ochre_resp::split_args(text).ok()?;
            let word = words.pop()?;
            words.is_empty().then_some(word)
        }
        _ => Some(text.to_vec()),
    }
}
