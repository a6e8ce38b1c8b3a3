//! Where to connect, as whom, and the limits of a client.

use crate::error::Error;
use crate::stream::{Connector, Stream};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Port of a server when none is named.
pub const DEFAULT_PORT: u16 = 6379;
/// Longest wait for a connection, its greeting included, by default.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest wait for an answer by default.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// Requests under way on one shared connection by default.
pub const QUEUE_REQUESTS: usize = 4096;
/// Bytes of requests waiting to be written by default; one larger request passes alone.
pub const QUEUE_BYTES: usize = 4 * 1024 * 1024;
/// First pause between attempts to connect again by default; it doubles up to [`BACKOFF_MAX`].
pub const BACKOFF_FIRST: Duration = Duration::from_millis(10);
/// Longest pause between attempts to connect again by default.
pub const BACKOFF_MAX: Duration = Duration::from_secs(2);

/// Where a server listens.
#[derive(Clone, Debug)]
pub(crate) enum Address {
    Tcp(String, u16),
    #[cfg_attr(not(unix), allow(dead_code))]
    Unix(PathBuf),
    Other(Connector),
}

/// Which protocol a client asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Speak {
    /// RESP3, or RESP2 where the server does not know `HELLO 3`.
    #[default]
    Newest,
    /// RESP2, without asking for more.
    Resp2,
    /// RESP3, or an error.
    Resp3,
}

/// Everything that a client needs to know.
///
/// ```
/// use ochre_client::Config;
/// use std::time::Duration;
///
/// let config = Config::parse("redis://alice:s3cret@cache.example:6380/2?protocol=3")?
///     .client_name("web-1")
///     .timeout(Duration::from_millis(500));
/// # Ok::<(), ochre_client::Error>(())
/// ```
#[derive(Clone)]
pub struct Config {
    pub(crate) address: Address,
    pub(crate) username: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) database: u32,
    pub(crate) client_name: Option<String>,
    pub(crate) speak: Speak,
    /// Whether the server is told the library's name.
    pub(crate) introduce: bool,
    pub(crate) connect_timeout: Duration,
    pub(crate) timeout: Duration,
    pub(crate) queue_requests: usize,
    pub(crate) queue_bytes: usize,
    pub(crate) backoff_first: Duration,
    pub(crate) backoff_max: Duration,
    pub(crate) pool_size: usize,
    #[cfg(feature = "tls")]
    pub(crate) tls: Option<crate::tls::TlsConfig>,
}

/// What names a server: an address, a URL or a whole [`Config`].
pub trait IntoConfig {
    /// The configuration.
    ///
    /// # Errors
    /// When it names no server.
    fn into_config(self) -> Result<Config, Error>;
}

impl IntoConfig for Config {
    fn into_config(self) -> Result<Config, Error> {
        Ok(self)
    }
}

impl IntoConfig for &Config {
    fn into_config(self) -> Result<Config, Error> {
        Ok(self.clone())
    }
}

impl IntoConfig for &str {
    fn into_config(self) -> Result<Config, Error> {
        Config::parse(self)
    }
}

impl IntoConfig for String {
    fn into_config(self) -> Result<Config, Error> {
        Config::parse(&self)
    }
}

impl IntoConfig for &String {
    fn into_config(self) -> Result<Config, Error> {
        Config::parse(self)
    }
}

impl IntoConfig for SocketAddr {
    fn into_config(self) -> Result<Config, Error> {
        Ok(Config::tcp(self.ip().to_string(), self.port()))
    }
}

impl IntoConfig for (&str, u16) {
    fn into_config(self) -> Result<Config, Error> {
        Ok(Config::tcp(self.0, self.1))
    }
}

impl Config {
    fn at(address: Address) -> Config {
        Config {
            address,
            username: None,
            password: None,
            database: 0,
            client_name: None,
            speak: Speak::Newest,
            introduce: true,
            connect_timeout: CONNECT_TIMEOUT,
            timeout: REQUEST_TIMEOUT,
            queue_requests: QUEUE_REQUESTS,
            queue_bytes: QUEUE_BYTES,
            backoff_first: BACKOFF_FIRST,
            backoff_max: BACKOFF_MAX,
            pool_size: crate::pool::POOL_SIZE,
            #[cfg(feature = "tls")]
            tls: None,
        }
    }

    /// A server at a TCP address; the host is a name or an address.
    #[must_use]
    pub fn tcp(host: impl Into<String>, port: u16) -> Config {
        Config::at(Address::Tcp(host.into(), port))
    }

    /// A server at a Unix socket.
    #[cfg(unix)]
    #[must_use]
    pub fn unix(path: impl Into<PathBuf>) -> Config {
        Config::at(Address::Unix(path.into()))
    }

    /// A server that `connector` leads to, such as one in the same process; it is called for every connection.
    #[must_use]
    pub fn connector(connector: Connector) -> Config {
        Config::at(Address::Other(connector))
    }

    /// Reads `host`, `host:port`, or a URL: `redis://[user[:password]@]host[:port][/db]`, `rediss://…` with TLS,
    /// `unix://[user[:password]@]/path`. Parameters: `db`, `user`, `pass`, `protocol` (2 or 3), `client_name`,
    /// `timeout_ms`. Percent signs escape bytes in names and passwords. `#insecure` at the end of a URL with TLS takes
    /// any certificate, which leaves open who is at the other end.
    ///
    /// # Errors
    /// When it is none of these, or names TLS in a build without it.
    pub fn parse(text: &str) -> Result<Config, Error> {
        let Some((scheme, rest)) = text.split_once("://") else {
            let (host, port) = host_and_port(text)?;
            return Ok(Config::tcp(host, port));
        };
        let insecure = matches!(scheme, "rediss" | "valkeys")
            .then(|| rest.strip_suffix("#insecure"))
            .flatten();
        let rest = insecure.unwrap_or(rest);
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let is_unix = matches!(scheme, "unix" | "redis+unix" | "valkey+unix");
        // A path may hold an at sign; what is before it is a password only ahead of the path.
        let bound = if is_unix { rest.find('/') } else { None };
        let at = rest[..bound.unwrap_or(rest.len())].rfind('@');
        let (login, place) = at.map_or(("", rest), |at| (&rest[..at], &rest[at + 1..]));
        let mut config = match scheme {
            "redis" | "valkey" => Config::from_place(place)?,
            "rediss" | "valkeys" => Config::from_place(place)?.with_tls(insecure.is_none())?,
            #[cfg(unix)]
            "unix" | "redis+unix" | "valkey+unix" => Config::unix(unescape(place)?),
            _ => return Err(Error::config(format!("unknown scheme '{scheme}'"))),
        };
        if let Some((user, password)) = login.split_once(':') {
            config.username = Some(unescape(user)?).filter(|u| !u.is_empty());
            config.password = Some(unescape(password)?);
        } else if !login.is_empty() {
            config.username = Some(unescape(login)?);
        }
        for pair in query.split('&').filter(|p| !p.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            config.parameter(name, &unescape(value)?)?;
        }
        Ok(config)
    }

    fn from_place(place: &str) -> Result<Config, Error> {
        let (place, db) = place.split_once('/').unwrap_or((place, ""));
        let (host, port) = host_and_port(place)?;
        let mut config = Config::tcp(host, port);
        if !db.is_empty() {
            config.parameter("db", db)?;
        }
        Ok(config)
    }

    fn parameter(&mut self, name: &str, value: &str) -> Result<(), Error> {
        let bad = || Error::config(format!("'{value}' is no value of '{name}'"));
        match name {
            "db" => self.database = value.parse().map_err(|_| bad())?,
            "protocol" => {
                self.speak = match value {
                    "2" | "resp2" => Speak::Resp2,
                    "3" | "resp3" => Speak::Resp3,
                    _ => return Err(bad()),
                }
            }
            "user" => self.username = Some(value.to_owned()),
            "pass" => self.password = Some(value.to_owned()),
            "client_name" => self.client_name = Some(value.to_owned()),
            "timeout_ms" => {
                self.timeout = Duration::from_millis(value.parse().map_err(|_| bad())?);
            }
            _ => return Err(Error::config(format!("unknown parameter '{name}'"))),
        }
        Ok(())
    }

    #[cfg(feature = "tls")]
    fn with_tls(self, checked: bool) -> Result<Config, Error> {
        let tls = crate::tls::TlsConfig::new()?;
        Ok(self.tls(match checked {
            true => tls,
            false => tls.danger_accept_any_certificate(),
        }))
    }

    #[cfg(not(feature = "tls"))]
    fn with_tls(self, _: bool) -> Result<Config, Error> {
        Err(Error::config("TLS needs the feature `tls`"))
    }

    /// Authenticates as `username`; the default user where there is a password only.
    #[must_use]
    pub fn username(mut self, username: impl Into<String>) -> Config {
        self.username = Some(username.into());
        self
    }

    /// Authenticates with `password`.
    #[must_use]
    pub fn password(mut self, password: impl Into<String>) -> Config {
        self.password = Some(password.into());
        self
    }

    /// Selects a database.
    #[must_use]
    pub fn database(mut self, database: u32) -> Config {
        self.database = database;
        self
    }

    /// The name that `CLIENT LIST` shows.
    #[must_use]
    pub fn client_name(mut self, name: impl Into<String>) -> Config {
        self.client_name = Some(name.into());
        self
    }

    /// The protocol to ask for; the newest by default.
    #[must_use]
    pub fn speak(mut self, speak: Speak) -> Config {
        self.speak = speak;
        self
    }

    /// No greeting beyond what is needed: RESP2, and no name of the library. For servers that know few commands.
    #[must_use]
    pub fn plain(mut self) -> Config {
        if self.speak == Speak::Newest {
            self.speak = Speak::Resp2;
        }
        self.introduce = false;
        self
    }

    /// Longest wait for a connection, its greeting included; 5 s by default.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Config {
        self.connect_timeout = timeout;
        self
    }

    /// Longest wait for an answer, from the call on; 10 s by default. A shared connection that brings nothing at all
    /// for so long while a request is under way is given up.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Config {
        self.timeout = timeout;
        self
    }

    /// How many requests may be under way on a shared connection; further callers wait. 4096 by default.
    #[must_use]
    pub fn queue_requests(mut self, requests: usize) -> Config {
        self.queue_requests = requests.max(1);
        self
    }

    /// How many bytes of requests may wait to be written; further callers wait. 4 MiB by default.
    #[must_use]
    pub fn queue_bytes(mut self, bytes: usize) -> Config {
        self.queue_bytes = bytes;
        self
    }

    /// Pauses between attempts to connect again: the first, and the longest. They double, with chance in them.
    #[must_use]
    pub fn backoff(mut self, first: Duration, longest: Duration) -> Config {
        self.backoff_first = first.max(Duration::from_millis(1));
        self.backoff_max = longest.max(self.backoff_first);
        self
    }

    /// How many connections of its own a client opens for blocking commands and transactions; 8 by default.
    #[must_use]
    pub fn pool_size(mut self, connections: usize) -> Config {
        self.pool_size = connections.max(1);
        self
    }

    /// Where it leads: a host and its port, or nothing where it is no TCP address.
    #[must_use]
    pub fn host_and_port(&self) -> Option<(&str, u16)> {
        match &self.address {
            Address::Tcp(host, port) => Some((host, *port)),
            Address::Unix(_) | Address::Other(_) => None,
        }
    }

    /// The user and the password that it authenticates with.
    #[must_use]
    pub fn credentials(&self) -> (Option<&str>, Option<&str>) {
        (self.username.as_deref(), self.password.as_deref())
    }

    /// The database that it selects.
    #[must_use]
    pub fn selected_database(&self) -> u32 {
        self.database
    }

    /// Connects and hands the socket over, encrypted if that is configured, without a greeting: for programs that
    /// speak the protocol themselves.
    ///
    /// # Errors
    /// When connecting fails or takes longer than the connect timeout.
    ///
    /// # Cancel safety
    /// Dropping the future closes the connection.
    pub async fn open(&self) -> Result<Box<dyn crate::stream::Transport>, Error> {
        match tokio::time::timeout(self.connect_timeout, Stream::connect(self)).await {
            Ok(stream) => Ok(Box::new(stream?)),
            Err(_) => Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()),
        }
    }

    /// Encrypts the connection.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls(mut self, tls: crate::tls::TlsConfig) -> Config {
        self.tls = Some(tls);
        self
    }
}

/// Without the password.
impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Config")
            .field("address", &self.address)
            .field("username", &self.username)
            .field("database", &self.database)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

/// `host`, `host:port`, `[v6]:port`.
fn host_and_port(text: &str) -> Result<(String, u16), Error> {
    let bad = || Error::config(format!("'{text}' is no address"));
    let (host, port) = if let Some(rest) = text.strip_prefix('[') {
        let (host, rest) = rest.split_once(']').ok_or_else(bad)?;
        (host, rest.strip_prefix(':'))
    } else {
        match text.rsplit_once(':') {
            // More than one colon without brackets is an IPv6 address without a port.
            Some((host, _)) if host.contains(':') => (text, None),
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        }
    };
    let port = match port {
        None | Some("") => DEFAULT_PORT,
        Some(port) => port.parse().map_err(|_| bad())?,
    };
    let host = if host.is_empty() { "127.0.0.1" } else { host };
    Ok((unescape(host)?, port))
}

/// Takes `%41` for `A`.
fn unescape(text: &str) -> Result<String, Error> {
    let bad = || Error::config(format!("'{text}' has a wrong escape"));
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let hex = tail.get(..2).ok_or_else(bad)?;
        let hex = std::str::from_utf8(hex).map_err(|_| bad())?;
        bytes.push(u8::from_str_radix(hex, 16).map_err(|_| bad())?);
        rest = &tail[2..];
    }
    String::from_utf8(bytes).map_err(|_| bad())
}

#[cfg(test)]
mod tests {
    use super::{Address, Config, Speak};
    use std::time::Duration;

    fn tcp(text: &str) -> (String, u16) {
        match Config::parse(text).expect("an address").address {
            Address::Tcp(host, port) => (host, port),
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn addresses() {
        for (text, host, port) in [
            ("localhost", "localhost", 6379),
            ("localhost:7000", "localhost", 7000),
            (":7000", "127.0.0.1", 7000),
            ("::1", "::1", 6379),
            ("[::1]:7000", "::1", 7000),
            ("redis://", "127.0.0.1", 6379),
            ("redis://a.example/", "a.example", 6379),
            ("redis://u:p%40ss@a.example:7000/3", "a.example", 7000),
            ("valkey://[fe80::1]:1/0", "fe80::1", 1),
        ] {
            assert_eq!(tcp(text), (host.to_owned(), port), "{text}");
        }
    }

    #[test]
    fn everything_of_a_url() {
        let url = "redis://al%3Aice:p%40s:s@h:1/3?protocol=3&client_name=a%20b&timeout_ms=250";
        let config = Config::parse(url).expect("a URL");
        assert_eq!(config.username.as_deref(), Some("al:ice"));
        assert_eq!(config.password.as_deref(), Some("p@s:s"));
        assert_eq!((config.database, config.speak), (3, Speak::Resp3));
        assert_eq!(config.client_name.as_deref(), Some("a b"));
        assert_eq!(config.timeout, Duration::from_millis(250));
        assert!(
            !format!("{config:?}").contains("p@s:s"),
            "a password in a log"
        );
        let config = Config::parse("redis://:only@h").expect("a URL");
        assert_eq!(
            (config.username, config.password.as_deref()),
            (None, Some("only"))
        );
    }

    #[test]
    fn login_in_parameters() {
        let config = Config::parse("unix:///tmp/s?db=2&user=al%26ice&pass=p%20w").expect("a URL");
        assert_eq!(
            config.credentials(),
            (Some("al&ice"), Some("p w")),
            "as redis-rs has it"
        );
        assert_eq!(config.selected_database(), 2);
    }

    #[cfg(feature = "tls")]
    #[test]
    fn certificates_are_checked_unless_the_url_says_otherwise() {
        for (url, insecure) in [
            ("rediss://h/1", false),
            ("rediss://h/1#insecure", true),
            ("valkeys://h?db=1#insecure", true),
        ] {
            let config = Config::parse(url).expect("a URL");
            assert_eq!(config.selected_database(), 1, "{url}");
            let tls = format!("{:?}", config.tls.expect("it is encrypted"));
            assert_eq!(tls.contains("roots: None"), insecure, "{url}: {tls}");
        }
        assert!(Config::parse("redis://h/1#insecure").is_err());
    }

    #[cfg(unix)]
    #[test]
    fn paths() {
        for (url, wanted) in [
            ("unix:///tmp/a@b.sock?db=2", "/tmp/a@b.sock"),
            ("unix://:pw@/tmp/s", "/tmp/s"),
            ("redis+unix:///tmp/with%20space", "/tmp/with space"),
            ("valkey+unix:///tmp/s#insecure", "/tmp/s#insecure"),
        ] {
            match Config::parse(url).expect("a URL").address {
                Address::Unix(path) => assert_eq!(path.to_str(), Some(wanted), "{url}"),
                other => panic!("{url}: {other:?}"),
            }
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "http://h",
            "h:port",
            "h:70000",
            "[::1",
            "redis://h/x",
            "redis://h?db=x",
            "redis://h?protocol=4",
            "redis://h?what=1",
            "redis://%zz@h",
            "redis://h/-1",
            "redis://%ff@h",
        ] {
            assert!(Config::parse(text).is_err(), "{text}");
        }
    }
}
