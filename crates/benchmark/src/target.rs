//! A server to put load on: its address, how to get in, and what it says of itself.

use crate::failure::Failure;
use crate::options::{Login, Options, Place, Tls};
use ochre_client::{BlockingClient, Config, TlsConfig, cmd};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};
use socket2::{Domain, SockAddr, Socket, Type};
use std::io;
use std::net::{TcpStream, ToSocketAddrs as _};
use std::sync::Arc;
use std::time::Duration;

/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest wait for what the server says of itself.
const FACTS_TIMEOUT: Duration = Duration::from_secs(5);

/// A server that could be reached.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) place: Place,
    address: SockAddr,
    tls: Option<Encryption>,
    /// What a connection sends before anything else, and how many replies that has.
    pub(crate) greeting: Vec<u8>,
    pub(crate) greeting_replies: u32,
}

#[derive(Clone, Debug)]
struct Encryption {
    config: Arc<ClientConfig>,
    server: ServerName<'static>,
}

/// What a server says of itself.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    pub(crate) save: Option<String>,
    pub(crate) appendonly: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) version: Option<String>,
}

impl Target {
    /// Finds an address of the place that takes connections.
    ///
    /// # Errors
    /// When there is none, or the certificates that are named are of no use.
    pub(crate) fn find(place: &Place, options: &Options) -> Result<Target, Failure> {
        let tls = match &options.tls {
            None => None,
            Some(tls) => Some(encryption(place, tls)?),
        };
        let address = reach(place).map_err(|e| Failure::connect(place, &e))?;
        let (greeting, greeting_replies) = greeting(&options.login);
        Ok(Target {
            place: place.clone(),
            address,
            tls,
            greeting,
            greeting_replies,
        })
    }

    /// Begins a connection; it is there when the socket can be written to.
    ///
    /// # Errors
    /// What the operating system says.
    pub(crate) fn open(&self) -> io::Result<Socket> {
        let domain = Domain::from(i32::from(self.address.family()));
        let socket = Socket::new(domain, Type::STREAM, None)?;
        if self.address.is_unix() {
            // A full backlog would refuse at once what does not wait, and tell nobody later.
            socket.set_write_timeout(Some(CONNECT_TIMEOUT))?;
            socket.connect(&self.address)?;
            socket.set_nonblocking(true)?;
            return Ok(socket);
        }
        socket.set_nonblocking(true)?;
        socket.set_tcp_nodelay(true)?;
        match socket.connect(&self.address) {
            Err(e) if e.raw_os_error() != Some(in_progress()) => Err(e),
            _ => Ok(socket),
        }
    }

    /// The encryption of a new connection.
    ///
    /// # Errors
    /// When the configuration allows none.
    pub(crate) fn encrypt(&self) -> Result<Option<Box<ClientConnection>>, rustls::Error> {
        let Some(tls) = &self.tls else {
            return Ok(None);
        };
        let connection = ClientConnection::new(tls.config.clone(), tls.server.clone())?;
        Ok(Some(Box::new(connection)))
    }

    /// Asks the server what it is. `None` if it does not say.
    pub(crate) fn facts(&self, options: &Options) -> Option<Facts> {
        let login = &options.login;
        let mut config = match &self.place {
            Place::Tcp { host, port } => Config::tcp(host, *port),
            Place::Unix(path) => Config::unix(path),
        };
        if let Some(password) = &login.password {
            config = config.password(password);
        }
        if let Some(user) = &login.user {
            config = config.username(user);
        }
        if let Some(tls) = &options.tls {
            config = config.tls(tls_config(tls).ok()?);
        }
        let timeout = FACTS_TIMEOUT.min(options.timeout);
        let config = config.plain().connect_timeout(timeout).timeout(timeout);
        let mut client = BlockingClient::connect(config).ok()?;
        let mut setting = |name: &str| -> Option<String> {
            let pairs: Vec<String> = client.run(cmd("CONFIG").arg("GET").arg(name)).ok()?;
            pairs.into_iter().nth(1)
        };
        let (save, appendonly) = (setting("save")?, setting("appendonly")?);
        let info: Option<String> = client.run(cmd("INFO").arg("server")).ok();
        let line = |name: &str| -> Option<String> {
            let mut lines = info.as_deref()?.lines();
            let value = lines.find_map(|l| l.strip_prefix(name)?.strip_prefix(':'));
            value.map(str::to_owned)
        };
        let version = |name: &str| line(&format!("{name}_version"));
        let named = line("server_name")
            .or_else(|| Some("ochre".to_owned()).filter(|name| version(name).is_some()));
        let version = named
            .as_deref()
            .and_then(version)
            .or_else(|| version("redis"));
        Some(Facts {
            save: Some(save),
            appendonly: Some(appendonly),
            name: Some(named.unwrap_or_else(|| "redis".to_owned())),
            version,
        })
    }
}

fn in_progress() -> i32 {
    rustix::io::Errno::INPROGRESS.raw_os_error()
}

/// The first address of a place that takes a connection.
fn reach(place: &Place) -> io::Result<SockAddr> {
    match place {
        Place::Unix(path) => {
            let address = SockAddr::unix(path)?;
            std::os::unix::net::UnixStream::connect(path)?;
            Ok(address)
        }
        Place::Tcp { host, port } => {
            let mut last = io::Error::from(io::ErrorKind::NotFound);
            for address in (host.as_str(), *port).to_socket_addrs()? {
                match TcpStream::connect_timeout(&address, CONNECT_TIMEOUT) {
                    Ok(_) => return Ok(address.into()),
                    Err(error) => last = error,
                }
            }
            Err(last)
        }
    }
}

fn tls_config(tls: &Tls) -> Result<TlsConfig, ochre_client::Error> {
    let mut config = TlsConfig::new()?;
    if let Some(file) = &tls.ca_file {
        config = config.ca_file(file)?;
    } else if let Some(folder) = &tls.ca_folder {
        config = config.ca_folder(folder)?;
    }
    if let (Some(certificate), Some(key)) = (&tls.certificate, &tls.key) {
        config = config.client_certificate(certificate, key)?;
    }
    if let Some(name) = &tls.sni {
        config = config.server_name(name);
    }
    if let Some(list) = &tls.ciphers {
        config = config.ciphers(list)?;
    }
    if let Some(list) = &tls.suites {
        config = config.cipher_suites(list)?;
    }
    if tls.insecure {
        config = config.danger_accept_any_certificate();
    }
    Ok(config)
}

fn encryption(place: &Place, tls: &Tls) -> Result<Encryption, Failure> {
    let failed = |e: ochre_client::Error| Failure::Other(format!("TLS: {e}"));
    let config = tls_config(tls)
        .and_then(|c| c.client_config())
        .map_err(failed)?;
    let host = match place {
        Place::Tcp { host, .. } => host.as_str(),
        Place::Unix(_) => "localhost",
    };
    let name = tls.sni.as_deref().unwrap_or(host).to_owned();
    let server = ServerName::try_from(name)
        .map_err(|_| Failure::Other(format!("'{host}' is no name of a server")))?;
    Ok(Encryption { config, server })
}

/// What a connection sends first, and the number of replies.
fn greeting(login: &Login) -> (Vec<u8>, u32) {
    let mut bytes = Vec::new();
    let mut replies = 0;
    let mut say = |words: &[&str]| {
        ochre_resp::write_request(&mut bytes, words.iter().map(|w| w.as_bytes()));
        replies += 1;
    };
    match (&login.user, &login.password) {
        (Some(user), Some(password)) => say(&["AUTH", user, password]),
        (None, Some(password)) => say(&["AUTH", password]),
        _ => {}
    }
    if login.resp3 {
        say(&["HELLO", "3"]);
    }
    if login.database != 0 {
        say(&["SELECT", &login.database.to_string()]);
    }
    if login.tracking {
        say(&["CLIENT", "TRACKING", "ON"]);
    }
    (bytes, replies)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_greeting_has_what_was_asked_for_only() {
        assert_eq!(greeting(&Login::default()), (Vec::new(), 0));
        let login = Login {
            user: Some("bob".to_owned()),
            password: Some("pw".to_owned()),
            database: 3,
            resp3: true,
            tracking: true,
        };
        let (bytes, replies) = greeting(&login);
        assert_eq!(replies, 4);
        let text = String::from_utf8(bytes).expect("text");
        assert!(text.starts_with("*3\r\n$4\r\nAUTH\r\n$3\r\nbob\r\n$2\r\npw\r\n*2\r\n$5\r\nHELLO"));
    }
}
