//! Scripts, sent by their digest and in full only where the server does not know them yet.

use crate::arg::{Arg, Cmd, cmd};
use crate::error::Error;
use crate::from_value::FromValue;
use crate::multiplexed::MultiplexedClient;
use sha1::{Digest as _, Sha1};

/// A Lua script and its digest.
///
/// ```
/// use ochre_client::Script;
///
/// let script = Script::new("return redis.call('incrby', KEYS[1], ARGV[1])");
/// assert_eq!(script.sha(), "65b45e1e1b8b36c8c3e885080b88ae484e64fde6");
/// # async fn example(client: ochre_client::MultiplexedClient) -> Result<(), ochre_client::Error> {
/// # let script = Script::new("return 1");
/// let n: i64 = client.run_script(&script, ["visits"], [5]).await?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    text: String,
    sha: String,
}

impl Script {
    /// A script with its digest computed.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Script {
        let text = text.into();
        let sha = Sha1::digest(text.as_bytes())
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        Script { text, sha }
    }

    /// The digest by which servers know it, in lower case.
    #[must_use]
    pub fn sha(&self) -> &str {
        &self.sha
    }

    /// The script itself.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// `EVAL` with the whole script, for a pipeline, where there is no falling back.
    pub fn eval<K: Arg, A: Arg>(
        &self,
        keys: impl IntoIterator<Item = K>,
        args: impl IntoIterator<Item = A>,
    ) -> Cmd {
        call("EVAL", &self.text, keys, args)
    }
}

fn call<K: Arg, A: Arg>(
    command: &str,
    script: &str,
    keys: impl IntoIterator<Item = K>,
    args: impl IntoIterator<Item = A>,
) -> Cmd {
    let mut request = cmd(command).arg(script);
    request.push_counted(keys);
    request.args(args)
}

impl MultiplexedClient {
    /// Runs a script by its digest, and with its text if the server does not know it, which makes it known.
    ///
    /// # Errors
    /// What the script fails with, and see [`Error`].
    ///
    /// # Cancel safety
    /// As for [`MultiplexedClient::run`].
    pub async fn run_script<K: Arg, A: Arg, R: FromValue>(
        &self,
        script: &Script,
        keys: impl IntoIterator<Item = K>,
        args: impl IntoIterator<Item = A>,
    ) -> Result<R, Error> {
        let by_sha = call("EVALSHA", &script.sha, keys, args);
        // The same arguments behind the script's text, in case.
        let rest = by_sha.tail(2);
        match self.run(by_sha).await {
            Err(error) if error.as_server().is_some_and(|e| e.code() == "NOSCRIPT") => {
                let mut request = cmd("EVAL").arg(&script.text);
                request.append(&rest);
                self.run(request).await
            }
            other => other,
        }
    }
}
