//! A few commands taken apart, for small servers of one's own.

use crate::error::{BoxError, Result};
use crate::frame::Frame;
use bytes::Bytes;
use std::time::Duration;

/// A request, as a small server understands it.
///
/// ```
/// use ochre_client::{Command, Frame};
///
/// let request = Frame::Array(vec![Frame::Bulk("GET".into()), Frame::Bulk("key".into())]);
/// match Command::from_frame(request)? {
///     Command::Get(get) => assert_eq!(get.key(), "key"),
///     other => panic!("{other:?}"),
/// }
/// # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// `GET key`
    Get(Get),
    /// `PUBLISH channel message`
    Publish(Publish),
    /// `SET key value [EX seconds | PX milliseconds]`
    Set(Set),
    /// `SUBSCRIBE channel …`
    Subscribe(Subscribe),
    /// `UNSUBSCRIBE [channel …]`
    Unsubscribe(Unsubscribe),
    /// `PING [message]`
    Ping(Ping),
    /// Any other.
    Unknown(Unknown),
}

/// Reads a key.
#[derive(Clone, Debug, PartialEq)]
pub struct Get {
    key: String,
}

/// Sends a message to a channel.
#[derive(Clone, Debug, PartialEq)]
pub struct Publish {
    channel: String,
    message: Bytes,
}

/// Writes a key.
#[derive(Clone, Debug, PartialEq)]
pub struct Set {
    key: String,
    value: Bytes,
    expire: Option<Duration>,
}

/// Listens to channels.
#[derive(Clone, Debug, PartialEq)]
pub struct Subscribe {
    channels: Vec<String>,
}

/// Listens no more; to any channel if none is named.
#[derive(Clone, Debug, PartialEq)]
pub struct Unsubscribe {
    channels: Vec<String>,
}

/// Asks whether the server is there.
#[derive(Clone, Debug, PartialEq)]
pub struct Ping {
    message: Option<Bytes>,
}

/// A command that is none of the others.
#[derive(Clone, Debug, PartialEq)]
pub struct Unknown {
    name: String,
    args: Vec<Bytes>,
}

impl Get {
    /// The key.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }
}

impl Publish {
    /// The channel.
    #[must_use]
    pub fn channel(&self) -> &str {
        &self.channel
    }

    /// The message.
    #[must_use]
    pub fn message(&self) -> &Bytes {
        &self.message
    }
}

impl Set {
    /// The key.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The value.
    #[must_use]
    pub fn value(&self) -> &Bytes {
        &self.value
    }

    /// How long the key shall live.
    #[must_use]
    pub fn expire(&self) -> Option<Duration> {
        self.expire
    }
}

impl Subscribe {
    /// The channels.
    #[must_use]
    pub fn channels(&self) -> &[String] {
        &self.channels
    }
}

impl Unsubscribe {
    /// The channels; none means all.
    #[must_use]
    pub fn channels(&self) -> &[String] {
        &self.channels
    }
}

impl Ping {
    /// What to answer instead of `PONG`.
    #[must_use]
    pub fn message(&self) -> Option<&Bytes> {
        self.message.as_ref()
    }
}

impl Unknown {
    /// The command's name in lower case.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its arguments.
    #[must_use]
    pub fn args(&self) -> &[Bytes] {
        &self.args
    }
}

/// The arguments that are left.
struct Args(std::vec::IntoIter<Frame>);

impl Args {
    fn next(&mut self) -> Result<Option<Bytes>> {
        match self.0.next() {
            None => Ok(None),
            Some(Frame::Bulk(bytes)) => Ok(Some(bytes)),
            Some(Frame::Simple(text)) => Ok(Some(text.into())),
            Some(other) => Err(format!("a request consists of strings, not of {other:?}").into()),
        }
    }

    fn bytes(&mut self) -> Result<Bytes> {
        self.next()?
            .ok_or_else(|| BoxError::from("an argument is missing"))
    }

    fn string(&mut self) -> Result<String> {
        text(self.bytes()?)
    }

    fn strings(&mut self) -> Result<Vec<String>> {
        let mut all = Vec::new();
        while let Some(bytes) = self.next()? {
            all.push(text(bytes)?);
        }
        Ok(all)
    }

    fn end(&mut self) -> Result<()> {
        match self.next()? {
            None => Ok(()),
            Some(_) => Err("too many arguments".into()),
        }
    }
}

fn text(bytes: Bytes) -> Result<String> {
    String::from_utf8(bytes.into()).map_err(|_| "an argument is no UTF-8".into())
}

impl Command {
    /// Takes a request apart.
    ///
    /// # Errors
    /// When it is no array of strings, or its arguments are not those of its command.
    pub fn from_frame(frame: Frame) -> Result<Command> {
        let Frame::Array(frames) = frame else {
            return Err("a request is an array".into());
        };
        let mut args = Args(frames.into_iter());
        let name = args.string()?.to_ascii_lowercase();
        let command = match name.as_str() {
            "get" => Command::Get(Get {
                key: args.string()?,
            }),
            "publish" => Command::Publish(Publish {
                channel: args.string()?,
                message: args.bytes()?,
            }),
            "set" => Command::Set(Set {
                key: args.string()?,
                value: args.bytes()?,
                expire: expiry(&mut args)?,
            }),
            "subscribe" => Command::Subscribe(Subscribe {
                channels: match args.strings()? {
                    none if none.is_empty() => return Err("a channel is missing".into()),
                    channels => channels,
                },
            }),
            "unsubscribe" => Command::Unsubscribe(Unsubscribe {
                channels: args.strings()?,
            }),
            "ping" => Command::Ping(Ping {
                message: args.next()?,
            }),
            _ => {
                let mut rest = Vec::new();
                while let Some(arg) = args.next()? {
                    rest.push(arg);
                }
                Command::Unknown(Unknown { name, args: rest })
            }
        };
        args.end()?;
        Ok(command)
    }
}

/// `EX seconds` or `PX milliseconds`.
fn expiry(args: &mut Args) -> Result<Option<Duration>> {
    let Some(option) = args.next()? else {
        return Ok(None);
    };
    let unit = text(option)?.to_ascii_lowercase();
    let number: u64 = args
        .string()?
        .parse()
        .map_err(|_| "the expiry is no number")?;
    match unit.as_str() {
        "ex" => Ok(Some(Duration::from_secs(number))),
        "px" => Ok(Some(Duration::from_millis(number))),
        _ => Err(format!("unknown option '{unit}'").into()),
    }
}
