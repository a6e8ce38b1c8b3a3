//! Several commands in one exchange, with or without a transaction around them.

use crate::arg::Cmd;
use crate::dedicated::Dedicated;
use crate::error::{Error, ErrorKind, Executed};
use crate::from_value::FromValue;
use crate::multiplexed::{Exchange, MultiplexedClient};
use crate::queue::Answer;
use crate::value::Value;
use std::time::Duration;

/// Most commands of one pipeline: their replies lie in memory together.
pub const PIPELINE_MAX: usize = 1 << 20;

/// Commands that are sent together and answered together.
///
/// In a pipeline that is [`atomic`](Pipeline::atomic) they run as one transaction (`MULTI` … `EXEC`): no command of
/// anybody else comes between, and none runs if one of them is refused.
///
/// ```
/// # ochre_testserver::with(|address| async move {
/// # let client = ochre_client::MultiplexedClient::connect(address).await?;
/// use ochre_client::{Pipeline, cmd, commands};
///
/// let mut pipeline = Pipeline::new();
/// pipeline
///     .add(commands::set("a", 1))
///     .add(commands::incr("a"))
///     .add(cmd("GET").arg("a"));
/// let (set, two, text): (bool, i64, String) = client.pipeline(&pipeline).await?;
/// assert_eq!((set, two, text.as_str()), (true, 2, "2"));
/// # Ok(()) });
/// ```
#[derive(Clone, Debug, Default)]
pub struct Pipeline {
    wire: Vec<u8>,
    commands: u32,
    atomic: bool,
    timeout: Option<Duration>,
    /// The first command that has no place in a pipeline, if any.
    refused: Option<Error>,
}

impl Pipeline {
    /// A pipeline without commands.
    #[must_use]
    pub fn new() -> Pipeline {
        Pipeline::default()
    }

    /// A pipeline that runs as one transaction.
    #[must_use]
    pub fn atomic() -> Pipeline {
        Pipeline {
            atomic: true,
            ..Pipeline::default()
        }
    }

    pub(crate) fn make_atomic(&mut self) {
        self.atomic = true;
    }

    /// Appends a command: one of [`commands`](crate::commands), or [`cmd`](crate::cmd()).
    pub fn add(&mut self, command: impl Into<Cmd>) -> &mut Pipeline {
        let mut command = command.into();
        if self.refused.is_none() {
            self.refused = crate::multiplexed::unsuitable(&command);
        }
        if self.len() >= PIPELINE_MAX || command.is_empty() {
            let text =
                format!("a pipeline takes up to {PIPELINE_MAX} commands, none of them empty");
            self.refused = Some(Error::new(ErrorKind::Unsuitable(text), Executed::No));
            return self;
        }
        command.encode(&mut self.wire);
        self.commands += 1;
        self
    }

    /// Waits for the answers no longer than this, instead of the client's own limit.
    pub fn timeout(&mut self, timeout: Duration) -> &mut Pipeline {
        self.timeout = Some(timeout);
        self
    }

    /// Number of commands.
    #[must_use]
    pub fn len(&self) -> usize {
        self.commands as usize
    }

    /// Whether it has no commands.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.commands == 0
    }

    /// The bytes to send and the number of replies.
    fn to_wire(&self) -> (Vec<u8>, u32) {
        if !self.atomic {
            return (self.wire.clone(), self.commands);
        }
        let mut wire = Vec::with_capacity(self.wire.len() + 40);
        wire.extend_from_slice(b"*1\r\n$5\r\nMULTI\r\n");
        wire.extend_from_slice(&self.wire);
        wire.extend_from_slice(b"*1\r\n$4\r\nEXEC\r\n");
        (wire, self.commands + 2)
    }

    /// The replies of the commands; `None` when a watched key changed.
    fn replies(&self, mut all: Vec<Value>) -> Result<Option<Vec<Value>>, Error> {
        if !self.atomic {
            return Ok(Some(all));
        }
        let exec = all.pop().unwrap_or_default();
        match exec {
            Value::Array(replies) => Ok(Some(replies)),
            Value::Null => Ok(None),
            Value::Error(text) => {
                // What was wrong with which command says more than EXECABORT does.
                let cause = all.into_iter().find_map(|v| match v {
                    Value::Error(text) => Some(text),
                    _ => None,
                });
                Err(Error::server(&cause.unwrap_or(text)))
            }
            other => Err(Error::conversion(format!(
                "EXEC replied with {}",
                other.kind()
            ))),
        }
    }
}

impl MultiplexedClient {
    /// Sends the commands of a pipeline at once; `R` is made of the list of their replies: a tuple, a `Vec`, or
    /// `Vec<Result<Value, Error>>` to look at each error. Commands of other tasks may run between them unless the
    /// pipeline is atomic.
    ///
    /// # Errors
    /// See [`Error`]. An error reply of a command is an error of the whole unless `R` says otherwise.
    ///
    /// # Cancel safety
    /// As for [`MultiplexedClient::run`], all commands together.
    pub async fn pipeline<R: FromValue>(&self, pipeline: &Pipeline) -> Result<R, Error> {
        if let Some(error) = &pipeline.refused {
            return Err(error.clone());
        }
        if pipeline.is_empty() {
            return R::from_value(Value::Array(Vec::new()));
        }
        let (wire, replies) = pipeline.to_wire();
        let mut exchange = Exchange::of_wire(self.shared(), wire, replies, pipeline.timeout);
        let all = match std::future::poll_fn(|cx| exchange.poll(cx, None)).await? {
            Answer::Many(all) => all,
            Answer::One(one) => vec![one],
        };
        let replies = pipeline.replies(all)?;
        R::from_value(Value::Array(replies.ok_or_else(conflict)?))
    }
}

fn conflict() -> Error {
    Error::new(ErrorKind::Conflict, Executed::Answered)
}

impl Dedicated {
    /// Sends the commands of a pipeline at once; see [`MultiplexedClient::pipeline`].
    ///
    /// # Errors
    /// See [`Error`]; [`ErrorKind::Conflict`] when the pipeline is atomic and a watched key changed.
    ///
    /// # Cancel safety
    /// As for [`Dedicated::run`].
    pub async fn pipeline<R: FromValue>(&mut self, pipeline: &Pipeline) -> Result<R, Error> {
        let replies = self.try_pipeline(pipeline).await?;
        R::from_value(Value::Array(replies.ok_or_else(conflict)?))
    }

    /// The replies; `None` when a watched key changed.
    pub(crate) async fn try_pipeline(
        &mut self,
        pipeline: &Pipeline,
    ) -> Result<Option<Vec<Value>>, Error> {
        if let Some(error) = &pipeline.refused {
            return Err(error.clone());
        }
        if pipeline.is_empty() {
            return Ok(Some(Vec::new()));
        }
        let (wire, replies) = pipeline.to_wire();
        self.output().extend_from_slice(&wire);
        let timeout = pipeline.timeout.unwrap_or(self.default_timeout());
        let all = self.exchange(replies as usize, timeout).await?;
        pipeline.replies(all)
    }
}
