//! Real Redis servers to compare with, and a RESP connection over plain TCP.
//!
//! Invariants:
//! - A server started here listens on loopback only, keeps nothing on disk, and is killed and waited for on drop.
//! - [`Wire`] hands out replies as the bytes that came; decoding them only finds where they end.
//! - No wait is longer than [`PATIENCE`].

use crate::ports::free_port;
use ochre_resp::{FrameDecoder, FrameLimits, write_request};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Longest wait for a reply or for a server to start.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// Bytes sent before replies are read, so that neither side waits for the other to read.
const SENT_AHEAD: usize = 64 * 1024;

/// Which Redis.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Release {
    /// 7.0, from Debian: `OCHRE_REDIS_70` or /usr/bin/redis-server.
    V70,
    /// 8.2: `OCHRE_REDIS_82`.
    V82,
}

impl Release {
    /// Where the binary is; `None` if it is not there.
    ///
    /// # Panics
    /// Under `CI=true` when it is missing: a gate that compares with nothing proves nothing.
    #[must_use]
    pub fn binary(self) -> Option<String> {
        let (variable, default) = match self {
            Release::V70 => ("OCHRE_REDIS_70", Some("/usr/bin/redis-server")),
            Release::V82 => ("OCHRE_REDIS_82", None),
        };
        let named = std::env::var(variable).ok();
        let path = named.or_else(|| default.map(str::to_owned));
        let found = path.filter(|p| std::path::Path::new(p).exists());
        let ci = std::env::var("CI").is_ok_and(|v| v == "true");
        assert!(
            found.is_some() || !ci,
            "{variable} names no redis-server, and CI=true allows no skipping"
        );
        found
    }
}

/// Runs `scene` with the server program `ours` under `options`, and with each Redis that is there.
///
/// # Panics
/// As [`Release::binary`], and when a server does not start.
pub fn everywhere(ours: &str, options: &[&str], scene: impl Fn(&Running)) {
    let own = (Some(ours.to_owned()), options);
    for (binary, options) in [
        own,
        (Release::V70.binary(), &[]),
        (Release::V82.binary(), &[]),
    ] {
        let Some(binary) = binary else {
            eprintln!("skipped: no redis-server");
            continue;
        };
        eprintln!("{binary}");
        scene(&Running::start(&binary, options).expect("it starts"));
    }
}

/// Runs `test` with the port of a Redis 7.0, if there is one.
///
/// # Panics
/// As [`Release::binary`], and when the server does not start.
pub fn with_redis(test: impl FnOnce(u16)) {
    match Release::V70.binary() {
        Some(binary) => {
            let redis = Running::start(&binary, &[]).expect("a server that starts");
            test(redis.address.port());
        }
        None => eprintln!("skipped for want of a redis-server"),
    }
}

/// A running reference server.
pub struct Reference {
    /// Which one.
    pub release: Release,
    /// What it says of its version.
    pub version: String,
    /// Where it listens.
    pub address: SocketAddr,
    _running: Running,
}

/// A server process; killed and waited for on drop.
pub struct Running {
    /// What it says of its version.
    pub version: String,
    /// Where it listens.
    pub address: SocketAddr,
    process: Child,
}

impl Reference {
    /// Starts a server with `options` (`--name value` pairs). `None` when the binary is missing.
    ///
    /// # Errors
    /// When it does not start or does not answer within [`PATIENCE`].
    pub fn start(release: Release, options: &[&str]) -> io::Result<Option<Reference>> {
        let Some(binary) = release.binary() else {
            return Ok(None);
        };
        let running = Running::start(&binary, options)?;
        Ok(Some(Reference {
            release,
            version: running.version.clone(),
            address: running.address,
            _running: running,
        }))
    }

    /// A connection in RESP2.
    ///
    /// # Errors
    /// As TCP gives them.
    pub fn connect(&self) -> io::Result<Wire> {
        Wire::connect(&self.address.to_string())
    }
}

impl Running {
    /// Starts a server program that takes Redis's options with `options` (`--name value` pairs) on a free port.
    ///
    /// # Errors
    /// When it does not start or does not answer within [`PATIENCE`].
    pub fn start(binary: &str, options: &[&str]) -> io::Result<Running> {
        // Somebody else may take the port between its choice and the start; then another is chosen.
        let mut last = io::Error::other("not tried");
        for _ in 0..5 {
            match Self::start_once(binary, options) {
                Ok(running) => return Ok(running),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn start_once(binary: &str, options: &[&str]) -> io::Result<Running> {
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let port = address.port().to_string();
        let dir = std::env::temp_dir();
        let process = Command::new(binary)
            .args(["--port", &port, "--bind", "127.0.0.1", "--save", ""])
            .args(["--appendonly", "no", "--enable-debug-command", "yes"])
            .arg("--dir")
            .arg(dir)
            .args(options)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let mut running = Running {
            version: String::new(),
            address,
            process,
        };
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Ok(mut wire) = Wire::connect(&running.address.to_string()) {
                let info = wire.call(&["INFO", "server"])?;
                let info = String::from_utf8_lossy(&info).into_owned();
                let of = |field: &str| info.lines().find_map(|l| l.strip_prefix(field));
                if of("process_id:").map(str::trim) == Some(&running.process.id().to_string()) {
                    let version = of("redis_version:").unwrap_or_default();
                    running.version = version.trim().to_owned();
                    return Ok(running);
                }
            }
            if let Some(status) = running.process.try_wait()? {
                return Err(io::Error::other(format!("{binary} ended with {status}")));
            }
            if Instant::now() > deadline {
                return Err(io::ErrorKind::TimedOut.into());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It keeps nothing, so there is nothing to save; an error means that it has ended by itself.
        if self.process.kill().is_ok() {
            drop(self.process.wait());
        }
    }
}

/// A pipelining connection that gives replies as raw bytes.
pub struct Wire {
    stream: TcpStream,
    decoder: FrameDecoder,
    /// Received bytes; those before `decoded` are known to the decoder.
    received: Vec<u8>,
    decoded: usize,
    chunk: Vec<u8>,
}

impl Wire {
    /// Connects to `host:port`.
    ///
    /// # Errors
    /// As TCP gives them.
    pub fn connect(address: &str) -> io::Result<Wire> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Wire {
            stream,
            decoder: FrameDecoder::new(FrameLimits::default()),
            received: Vec::new(),
            decoded: 0,
            chunk: vec![0; 64 * 1024],
        })
    }

    /// The address that the server sees, `ip:port`; empty when the connection is gone.
    #[must_use]
    pub fn local(&self) -> String {
        self.stream
            .local_addr()
            .map_or(String::new(), |address| address.to_string())
    }

    /// Sends requests in one write and waits for nothing.
    ///
    /// # Errors
    /// As TCP gives them.
    pub fn send(&mut self, requests: &[Vec<Vec<u8>>]) -> io::Result<()> {
        let mut bytes = Vec::new();
        for request in requests {
            write_request(&mut bytes, request.iter().map(Vec::as_slice));
        }
        self.stream.write_all(&bytes)
    }

    /// Sends one request and returns the bytes of its reply.
    ///
    /// # Errors
    /// As for [`Wire::exchange`].
    pub fn call<A: AsRef<[u8]>>(&mut self, args: &[A]) -> io::Result<Vec<u8>> {
        let mut replies = Vec::new();
        let request = args.iter().map(|a| a.as_ref().to_vec()).collect();
        self.exchange(&[request], &mut replies)?;
        Ok(replies.pop().unwrap_or_default())
    }

    /// Sends all requests, then appends their replies, one item each.
    ///
    /// # Errors
    /// As TCP gives them; when the peer closes, falls silent, or sends what is no frame.
    pub fn exchange(
        &mut self,
        requests: &[Vec<Vec<u8>>],
        replies: &mut Vec<Vec<u8>>,
    ) -> io::Result<()> {
        let (mut bytes, mut owed) = (Vec::new(), 0);
        for request in requests {
            write_request(&mut bytes, request.iter().map(Vec::as_slice));
            owed += 1;
            if bytes.len() >= SENT_AHEAD {
                self.flush(&mut bytes, &mut owed, replies)?;
            }
        }
        self.flush(&mut bytes, &mut owed, replies)
    }

    /// Sends a request and returns what comes, one item for each frame, up to the one that `is_last` holds for, which is
    /// left out.
    ///
    /// # Errors
    /// As for [`Wire::exchange`].
    pub fn until<A: AsRef<[u8]>>(
        &mut self,
        args: &[A],
        is_last: impl Fn(&[u8]) -> bool,
    ) -> io::Result<Vec<Vec<u8>>> {
        let mut bytes = Vec::new();
        write_request(&mut bytes, args.iter().map(AsRef::as_ref));
        self.stream.write_all(&bytes)?;
        let mut frames = Vec::new();
        loop {
            let frame = self.reply()?;
            if is_last(&frame) {
                return Ok(frames);
            }
            frames.push(frame);
        }
    }

    /// Sends a request and does not wait for its reply.
    ///
    /// # Errors
    /// As TCP gives them.
    pub fn send_one<A: AsRef<[u8]>>(&mut self, args: &[A]) -> io::Result<()> {
        let mut bytes = Vec::new();
        write_request(&mut bytes, args.iter().map(AsRef::as_ref));
        self.stream.write_all(&bytes)
    }

    /// The whole frames that have come, without waiting for more.
    ///
    /// # Errors
    /// As TCP gives them; [`io::ErrorKind::UnexpectedEof`] when the peer has closed.
    pub fn arrived(&mut self) -> io::Result<Vec<Vec<u8>>> {
        self.stream.set_nonblocking(true)?;
        let mut frames = Vec::new();
        let end = loop {
            match self.reply() {
                Ok(frame) => frames.push(frame),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break Ok(frames),
                Err(error) => break Err(error),
            }
        };
        self.stream.set_nonblocking(false)?;
        end
    }

    fn flush(
        &mut self,
        bytes: &mut Vec<u8>,
        owed: &mut usize,
        replies: &mut Vec<Vec<u8>>,
    ) -> io::Result<()> {
        self.stream.write_all(bytes)?;
        bytes.clear();
        while *owed > 0 {
            replies.push(self.reply()?);
            *owed -= 1;
        }
        Ok(())
    }

    /// The bytes of the next reply.
    ///
    /// # Errors
    /// As for [`Wire::exchange`].
    pub fn reply(&mut self) -> io::Result<Vec<u8>> {
        loop {
            let rest = &self.received[self.decoded..];
            let progress = self.decoder.decode(rest).map_err(io::Error::other)?;
            self.decoded += progress.consumed;
            if progress.frame.is_some() {
                let reply = self.received.drain(..self.decoded).collect();
                self.decoded = 0;
                return Ok(reply);
            }
            let read = self.stream.read(&mut self.chunk).map_err(|e| {
                let last = &self.received[self.received.len().saturating_sub(200)..];
                let (kind, undecoded) = (e.kind(), last.escape_ascii());
                io::Error::new(
                    kind,
                    format!("{e}; received of the next reply: {undecoded}"),
                )
            })?;
            match read {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                n => self.received.extend_from_slice(&self.chunk[..n]),
            }
        }
    }
}
