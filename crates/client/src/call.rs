//! Typed requests: what the generated methods give.
//!
//! A call knows where it goes (`E`), which command it is (`M`, which offers the command's options) and what its reply
//! becomes (`R`).

use crate::arg::Cmd;
use crate::dedicated::Dedicated;
use crate::error::Error;
use crate::from_value::FromValue;
use crate::multiplexed::{MultiplexedClient, Reply};
use std::future::{Future, IntoFuture};
use std::marker::PhantomData;
use std::pin::Pin;
use std::time::Duration;

/// Places between required arguments where a command takes options.
const GAPS: usize = 4;

/// A command that is being put together; `.await` sends it where it came from a client.
#[must_use = "a call is sent by .await, or by the client it is given to"]
pub struct Call<E, M, R> {
    executor: E,
    request: Cmd,
    /// Where the options of each place go.
    gaps: [u32; GAPS],
    types: PhantomData<fn() -> (M, R)>,
}

impl<E, M, R> Call<E, M, R> {
    /// A call of `command`, whose words are separated by spaces.
    #[inline]
    pub(crate) fn new(executor: E, words: &[&str]) -> Self {
        let mut request = Cmd::empty();
        for word in words {
            request.push(word.as_bytes());
        }
        Call {
            executor,
            request,
            gaps: [u32::MAX; GAPS],
            types: PhantomData,
        }
    }

    #[inline]
    pub(crate) fn with(mut self, arg: impl crate::Arg) -> Self {
        arg.add_to(&mut self.request);
        self
    }

    /// Appends each argument.
    pub(crate) fn with_all<A: crate::Arg>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        for arg in args {
            arg.add_to(&mut self.request);
        }
        self
    }

    /// Appends the number of arguments, and the arguments.
    pub(crate) fn with_counted<A: crate::Arg>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.request.push_counted(args);
        self
    }

    /// Options of place `gap` go here, also when required arguments follow.
    #[inline]
    pub(crate) fn gap(mut self, gap: usize) -> Self {
        self.gaps[gap] = u32::try_from(self.request.mark()).unwrap_or(u32::MAX);
        self
    }

    /// Adds an option at its place.
    pub(crate) fn option(mut self, gap: usize, add: impl FnOnce(&mut Cmd)) -> Self {
        let mark = self.gaps[gap] as usize;
        let added = self.request.insert(mark.min(self.request.mark()), add);
        let added = u32::try_from(added).unwrap_or(u32::MAX);
        // This place's next option goes behind this one, and so do the places after it.
        for mark in &mut self.gaps[gap..] {
            *mark = mark.saturating_add(added);
        }
        self
    }

    /// Appends an argument that the typed methods do not know.
    pub fn arg(mut self, arg: impl crate::Arg) -> Self {
        arg.add_to(&mut self.request);
        self
    }

    /// Takes the reply as another type.
    pub fn returning<T: FromValue>(self) -> Call<E, M, T> {
        Call {
            executor: self.executor,
            request: self.request,
            gaps: self.gaps,
            types: PhantomData,
        }
    }

    /// Waits for the answer no longer than this, instead of the client's own limit.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.request = self.request.timeout(timeout);
        self
    }
}

/// The request alone, for a pipeline, a transaction or another client.
impl<E, M, R> From<Call<E, M, R>> for Cmd {
    fn from(call: Call<E, M, R>) -> Cmd {
        call.request
    }
}

impl<'c, M, R: FromValue> IntoFuture for Call<&'c MultiplexedClient, M, R> {
    type Output = Result<R, Error>;
    type IntoFuture = Reply<'c, R>;

    #[inline]
    fn into_future(self) -> Reply<'c, R> {
        self.executor.run_typed(self.request)
    }
}

impl<'c, M, R: FromValue + 'c> IntoFuture for Call<&'c mut Dedicated, M, R> {
    type Output = Result<R, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<R, Error>> + Send + 'c>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.executor.run(self.request))
    }
}

impl<E, M, R> std::fmt::Debug for Call<E, M, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Call({})", self.request)
    }
}
