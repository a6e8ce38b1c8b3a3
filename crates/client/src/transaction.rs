//! Transactions that read first: WATCH, a closure, MULTI and EXEC, again when somebody was faster.

use crate::arg::{Arg, cmd};
use crate::dedicated::Dedicated;
use crate::error::{Error, ErrorKind, Executed};
use crate::from_value::FromValue;
use crate::multiplexed::MultiplexedClient;
use crate::pipeline::Pipeline;
use crate::value::Value;

/// How often a transaction is tried before it fails with [`ErrorKind::Conflict`].
pub const TRANSACTION_TRIES: usize = 100;

impl MultiplexedClient {
    /// Runs `body` with `keys` watched, then the pipeline that it gives as a transaction; all of it again when one of
    /// the keys changed meanwhile, up to [`TRANSACTION_TRIES`] times.
    ///
    /// It uses a connection of its own from the client's pool.
    ///
    /// ```
    /// # ochre_testserver::with(|address| async move {
    /// # let client = ochre_client::MultiplexedClient::connect(address).await?;
    /// use ochre_client::{Pipeline, commands};
    ///
    /// client.set("balance", 10).await?;
    /// let (balance,): (i64,) = client
    ///     .transaction(["balance"], async |connection| {
    ///         let balance: i64 = connection.get("balance").returning().await?;
    ///         let mut pipeline = Pipeline::new();
    ///         if balance >= 3 {
    ///             pipeline.add(commands::decrby("balance", 3));
    ///         }
    ///         Ok(pipeline)
    ///     })
    ///     .await?;
    /// assert_eq!(balance, 7);
    /// # Ok(()) });
    /// ```
    ///
    /// # Errors
    /// What `body` returns, [`ErrorKind::Conflict`], and see [`Error`].
    ///
    /// # Cancel safety
    /// Dropping the future before the transaction was sent changes nothing; afterwards it may have run.
    pub async fn transaction<A, R, F>(
        &self,
        keys: impl IntoIterator<Item = A>,
        mut body: F,
    ) -> Result<R, Error>
    where
        A: Arg,
        R: FromValue,
        F: AsyncFnMut(&mut Dedicated) -> Result<Pipeline, Error>,
    {
        let watch = cmd("WATCH").args(keys);
        for _ in 0..TRANSACTION_TRIES {
            let mut connection = self.dedicated().await?;
            connection.run::<()>(watch.clone()).await?;
            let mut pipeline = body(&mut connection).await?;
            if pipeline.is_empty() {
                connection.run::<()>(cmd("UNWATCH")).await?;
                connection.stopped_watching();
                return R::from_value(Value::Array(Vec::new()));
            }
            pipeline.make_atomic();
            let replies = connection.try_pipeline(&pipeline).await?;
            // EXEC ends the watching, whatever came of it.
            connection.stopped_watching();
            if let Some(replies) = replies {
                return R::from_value(Value::Array(replies));
            }
        }
        Err(Error::new(ErrorKind::Conflict, Executed::Answered))
    }
}
