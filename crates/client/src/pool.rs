//! Connections of callers' own, kept for the next.
//!
//! Invariants
//! - At most [`Config::pool_size`] are out at once; who finds none waits, first come, first served.
//! - A connection comes back to the pool only if nothing is under way on it and nothing of its state was changed;
//!   else it is closed.

use crate::config::{Config, IntoConfig};
use crate::dedicated::Dedicated;
use crate::error::{Error, ErrorKind, Executed};
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Connections of a pool by default.
pub const POOL_SIZE: usize = 8;

/// A pool of connections. Clones share it.
///
/// ```
/// # ochre_testserver::with(|address| async move {
/// let pool = ochre_client::Pool::new(ochre_client::Config::parse(&address)?);
/// let mut connection = pool.get().await?;
/// connection.rpush("jobs", ["first"]).await?;
/// let job = connection.lpop("jobs").await?;
/// assert_eq!(job.as_deref(), Some(&b"first"[..]));
/// # Ok(()) });
/// ```
#[derive(Clone)]
pub struct Pool {
    inner: Arc<Inner>,
}

struct Inner {
    config: Config,
    free: Mutex<Vec<Dedicated>>,
    permits: Arc<Semaphore>,
}

impl Pool {
    /// A pool that connects when connections are asked for.
    #[must_use]
    pub fn new(config: Config) -> Pool {
        let permits = Arc::new(Semaphore::new(config.pool_size));
        Pool {
            inner: Arc::new(Inner {
                config,
                free: Mutex::default(),
                permits,
            }),
        }
    }

    /// A pool for the server at an address.
    ///
    /// # Errors
    /// When it is no address.
    pub fn to(address: impl IntoConfig) -> Result<Pool, Error> {
        Ok(Pool::new(address.into_config()?))
    }

    /// A connection that nobody else uses until it is dropped.
    ///
    /// # Errors
    /// [`ErrorKind::PoolExhausted`] when none becomes free within the configured timeout; else as connecting fails.
    ///
    /// # Cancel safety
    /// Dropping the future leaves nothing behind.
    pub async fn get(&self) -> Result<Pooled, Error> {
        let waiting = self.inner.permits.clone().acquire_owned();
        let permit = match tokio::time::timeout(self.inner.config.timeout, waiting).await {
            Ok(Ok(permit)) => permit,
            Ok(Err(_)) => return Err(Error::closed(Executed::No)),
            Err(_) => return Err(Error::new(ErrorKind::PoolExhausted, Executed::No)),
        };
        let pooled = |connection| Pooled {
            connection: Some(connection),
            pool: self.inner.clone(),
            _permit: permit,
        };
        while let Some(mut connection) = self.take_free() {
            if connection.is_quiet() {
                return Ok(pooled(connection));
            }
        }
        let connection = Dedicated::connect(&self.inner.config).await?;
        Ok(pooled(connection))
    }

    fn take_free(&self) -> Option<Dedicated> {
        self.inner
            .free
            .lock()
            .unwrap_or_else(|e| e.into_inner())
            .pop()
    }
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool")
            .field("config", &self.inner.config)
            .field("free_permits", &self.inner.permits.available_permits())
            .finish()
    }
}

/// A connection out of a [`Pool`]; goes back when it is dropped, if it is as it was.
pub struct Pooled {
    connection: Option<Dedicated>,
    pool: Arc<Inner>,
    _permit: OwnedSemaphorePermit,
}

impl Deref for Pooled {
    type Target = Dedicated;

    fn deref(&self) -> &Dedicated {
        match &self.connection {
            Some(connection) => connection,
            None => unreachable!("the connection is there until the drop"),
        }
    }
}

impl DerefMut for Pooled {
    fn deref_mut(&mut self) -> &mut Dedicated {
        match &mut self.connection {
            Some(connection) => connection,
            None => unreachable!("the connection is there until the drop"),
        }
    }
}

impl Drop for Pooled {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take()
            && connection.is_reusable()
        {
            self.pool
                .free
                .lock()
                .unwrap_or_else(|e| e.into_inner())
                .push(connection);
        }
    }
}
