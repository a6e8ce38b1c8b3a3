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
    Rdb(String, Content),
    /// Over so many keys.
    LruTest(u64),
    Replica,
    Eval(String),
    /// The table front.
    Table,
}

/// What of the server's data a snapshot holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    All,
    Functions,
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
    /// As it was given: whether there is such a database is the server's business.
    pub(crate) database: i64,
    /// The protocol to ask for: 2, 3, or whatever the server begins with.
    pub(crate) protocol: Option<u8>,
    protocol_given: Option<u8>,
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
    pub(crate) verbose: bool,
    ask_password: bool,
    url_has_password: bool,
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
    ciphers: Option<String>,
    suites: Option<String>,
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
            protocol_given: None,
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
            verbose: false,
            ask_password: false,
            url_has_password: false,
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
                "-a" | "--pass" => seen_password = true,
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
        if (seen_password || options.url_has_password) && warn {
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
        options.settle()?;
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
            "--askpass" => self.ask_password = true,
            "--no-auth-warning" => {}
            "-u" => self.url(&words.text(option)?)?,
            "-n" => {
                self.database = leading_number(&words.text(option)?);
            }
            "-2" | "-3" => {
                let asked = if option == "-2" { 2 } else { 3 };
                if self.protocol_given.is_some_and(|given| given != asked) {
                    return Err(wrong("Options -2 and -3 are mutually exclusive."));
                }
                self.protocol_given = Some(asked);
            }
            "-c" => self.follow = true,
            "--tls" => drop(self.tls()),
            "--sni" => self.tls().sni = Some(words.text(option)?),
            "--cacert" => self.tls().ca_file = Some(words.text(option)?),
            "--cacertdir" => self.tls().ca_folder = Some(words.text(option)?),
            "--cert" => self.tls().certificate = Some(words.text(option)?),
            "--key" => self.tls().key = Some(words.text(option)?),
            "--insecure" => self.tls().insecure = true,
            "--tls-ciphers" => self.tls().ciphers = Some(words.text(option)?),
            "--tls-ciphersuites" => self.tls().suites = Some(words.text(option)?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn tls(&mut self) -> &mut Tls {
        self.tls.get_or_insert_with(Tls::default)
    }

    /// Takes what a URL says; what it leaves open stays as it is.
    fn url(&mut self, url: &str) -> Result<(), Stop> {
        let config = Config::parse(url).map_err(|e| wrong(format!("Invalid URI: {e}")))?;
        let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
        let (place, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let host = place.rsplit_once('@').map_or(place, |(_, host)| host);
        match config.host_and_port() {
            Some((name, port)) => {
                if !host.is_empty() {
                    name.clone_into(&mut self.host);
                }
                // After the brackets of an address of version 6.
                if host.rsplit(']').next().is_some_and(|h| h.contains(':')) {
                    self.port = port;
                    self.port_given = true;
                }
            }
            None => {
                let path = path.split('?').next().unwrap_or_default();
                self.socket = Some(path.to_owned());
            }
        }
        if path.len() > 1 && config.host_and_port().is_some() || path.contains("db=") {
            self.database = config.selected_database().into();
        }
        self.url_has_password = place.contains('@');
        let (user, password) = config.credentials();
        match (user, password) {
            // compat: one word before the @ is the password.
            (Some(word), None) => self.password = Some(word.to_owned()),
            (user, password) => {
                self.user = user.map(str::to_owned).or(self.user.take());
                self.password = password.map(str::to_owned).or(self.password.take());
            }
        }
        if url.starts_with("rediss://") || url.starts_with("valkeys://") {
            self.tls();
        }
        Ok(())
    }

    /// What options mean together.
    fn settle(&mut self) -> Result<(), Stop> {
        self.protocol = self.protocol_given.or(self.protocol);
        if self.last_from_stdin && self.tag_from_stdin.is_some() {
            return Err(wrong("Options -x and -X are mutually exclusive."));
        }
        let halves = |tls: &Tls| tls.certificate.is_some() != tls.key.is_some();
        if self.tls.as_ref().is_some_and(halves) {
            return Err(wrong("--cert and --key go together"));
        }
        if self.ask_password {
            let asked = crate::password::ask().map_err(|e| wrong(e.to_string()))?;
            self.password = Some(asked);
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
                self.protocol = Some(3);
            }
            "--quoted-input" => self.quoted_input = true,
            "--show-pushes" => {
                let value = words.text(option)?;
                self.show_pushes = match value.bytes().next() {
                    Some(b'y' | b'Y') => true,
                    Some(b'n' | b'N') => false,
                    _ => {
                        let text = "Unknown --show-pushes value";
                        return Err(wrong(format!("{text} '{value}' (valid: '[y]es', '[n]o')")));
                    }
                }
            }
            "--verbose" => self.verbose = true,
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
                let bad = || wrong("Invalid quoted string specified for --quoted-pattern.");
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
            "--rdb" => Mode::Rdb(words.text(option)?, Content::All),
            "--functions-rdb" => Mode::Rdb(words.text(option)?, Content::Functions),
            "--lru-test" => match words.number(option)? {
                0 => return Err(wrong("--lru-test takes at least one key")),
                keys => Mode::LruTest(keys),
            },
            "--replica" | "--slave" => Mode::Replica,
            "--eval" => Mode::Eval(words.text(option)?),
            #[cfg(feature = "table")]
            "--table" => Mode::Table,
            #[cfg(not(feature = "table"))]
            "--table" => return Err(wrong("This program was built without --table")),
            "--cluster" | "--ldb" | "--ldb-sync-mode" => {
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
        if let Some(list) = &self.ciphers {
            config = config.ciphers(list)?;
        }
        if let Some(list) = &self.suites {
            config = config.cipher_suites(list)?;
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

/// What a word stands for that may be quoted; `None` if it is not one word.
pub(crate) fn unquote(text: &[u8]) -> Option<Vec<u8>> {
    let mut words = ochre_resp::split_args(text).ok()?;
    let word = words.pop()?;
    words.is_empty().then_some(word)
}

/// The number that a text begins with. compat: 0 where there is none.
fn leading_number(text: &str) -> i64 {
    let digits = text.bytes().skip(usize::from(text.starts_with('-')));
    let end = digits.take_while(u8::is_ascii_digit).count() + usize::from(text.starts_with('-'));
    text[..end].parse().unwrap_or(0)
}
