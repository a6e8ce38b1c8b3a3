//! Hooks around the execution of a request.
//!
//! Invariants
//! - Hooks run in the order in which they were added, at each of the four moments.
//! - A panic in a hook is contained: before the execution it refuses the request, in what changes the response it
//!   makes it a failure (status 500), elsewhere it is only counted. The hooks after it run.

use crate::error::KvError;
use crate::pb::{CommandRequest, CommandResponse};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Whether a request goes on.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// It does.
    Go,
    /// It does not, and this is its response.
    Refuse(CommandResponse),
}

impl From<()> for Verdict {
    fn from((): ()) -> Verdict {
        Verdict::Go
    }
}

impl From<Result<(), CommandResponse>> for Verdict {
    fn from(result: Result<(), CommandResponse>) -> Verdict {
        match result {
            Ok(()) => Verdict::Go,
            Err(response) => Verdict::Refuse(response),
        }
    }
}

impl From<Result<(), KvError>> for Verdict {
    fn from(result: Result<(), KvError>) -> Verdict {
        result.map_err(CommandResponse::from).into()
    }
}

/// What may happen around a request. Every method does nothing by default; none may block.
pub trait Hook: Send + Sync + 'static {
    /// A request came, and has not been executed. What is refused here is not executed; the hooks of a response still
    /// run.
    fn received(&self, _request: &CommandRequest) -> Verdict {
        Verdict::Go
    }

    /// A request was executed or refused. What is refused here was executed nevertheless, but its response is replaced.
    fn executed(&self, _request: &CommandRequest, _response: &CommandResponse) -> Verdict {
        Verdict::Go
    }

    /// The response, or a message of a subscription, is about to be sent; what is changed here is what is sent.
    fn before_send(&self, _request: &CommandRequest, _response: &mut CommandResponse) {}

    /// A response was sent. Called by transports; who sends himself calls [`crate::Service::sent`].
    fn after_send(&self) {}
}

/// The hooks of a service.
#[derive(Default)]
pub(crate) struct Hooks {
    all: Vec<Box<dyn Hook>>,
    panics: AtomicU64,
}

impl Hooks {
    pub(crate) fn add(&mut self, hook: impl Hook) {
        self.all.push(Box::new(hook));
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    pub(crate) fn panics(&self) -> u64 {
        self.panics.load(Relaxed)
    }

    /// Calls a hook. `None` when it panicked.
    fn call<T>(&self, call: impl FnOnce() -> T) -> Option<T> {
        // What a hook left half-done is its own: the service has no state that it could reach.
        let result = catch_unwind(AssertUnwindSafe(call));
        if result.is_err() {
            self.panics.fetch_add(1, Relaxed);
        }
        result.ok()
    }

    /// Asks all hooks until one refuses.
    pub(crate) fn received(&self, request: &CommandRequest) -> Verdict {
        for hook in &self.all {
            match self.call(|| hook.received(request)) {
                Some(Verdict::Go) => {}
                Some(refused) => return refused,
                None => return Verdict::Refuse(panicked()),
            }
        }
        Verdict::Go
    }

    /// Shows the response to all hooks and lets them change it.
    pub(crate) fn finish(&self, request: &CommandRequest, response: &mut CommandResponse) {
        for hook in &self.all {
            let verdict = self.call(|| hook.executed(request, response));
            if let Some(Verdict::Refuse(instead)) = verdict {
                *response = instead;
            }
        }
        self.before_send(request, response);
    }

    pub(crate) fn before_send(&self, request: &CommandRequest, response: &mut CommandResponse) {
        for hook in &self.all {
            if self.call(|| hook.before_send(request, response)).is_none() {
                *response = panicked();
            }
        }
    }

    pub(crate) fn after_send(&self) {
        for hook in &self.all {
            self.call(|| hook.after_send());
        }
    }
}

fn panicked() -> CommandResponse {
    CommandResponse::failed(500, "A hook of the service panicked")
}

/// A closure for one of the four moments.
pub(crate) struct Received<F>(pub(crate) F);
pub(crate) struct Executed<F>(pub(crate) F);
pub(crate) struct BeforeSend<F>(pub(crate) F);
pub(crate) struct AfterSend<F>(pub(crate) F);

impl<R: Into<Verdict>, F: Fn(&CommandRequest) -> R + Send + Sync + 'static> Hook for Received<F> {
    fn received(&self, request: &CommandRequest) -> Verdict {
        self.0(request).into()
    }
}

impl<R: Into<Verdict>, F: Fn(&CommandResponse) -> R + Send + Sync + 'static> Hook for Executed<F> {
    fn executed(&self, _: &CommandRequest, response: &CommandResponse) -> Verdict {
        self.0(response).into()
    }
}

impl<F: Fn(&mut CommandResponse) + Send + Sync + 'static> Hook for BeforeSend<F> {
    fn before_send(&self, _: &CommandRequest, response: &mut CommandResponse) {
        self.0(response);
    }
}

impl<F: Fn() + Send + Sync + 'static> Hook for AfterSend<F> {
    fn after_send(&self) {
        self.0();
    }
}
