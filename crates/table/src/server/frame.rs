//! Executing the request in a frame: the usual ones without decoding them into owned messages.

use crate::error::KvError;
use crate::pb::command_request::RequestData;
use crate::pb::{CommandRequest, CommandResponse};
use crate::service::{Service, over_frame};
use crate::storage::Storage;
use crate::topics::Subscription;
use crate::values::ValueRef;
use crate::wire::{Borrowed, put_message, put_value};
use prost::Message as _;

/// What became of a request.
enum Outcome {
    /// Its response.
    Done(CommandResponse),
    /// It listens to a topic from now on.
    Subscribed(CommandRequest, Subscription),
    /// It was not done.
    Failed(CommandRequest, KvError),
}

/// What became of a frame.
pub(super) enum Framed {
    /// Its response is written. Whether it has to be settled first.
    Done(bool),
    /// Its data is busy: nothing was done, the frame is to be executed again.
    Again,
    /// Its data is busy, and hooks have seen it: to be [executed again](Service::execute_again).
    Held(Box<CommandRequest>),
    /// It listens to a topic from now on; the response is written.
    Subscribed(Box<(CommandRequest, Subscription)>),
}

impl<Store: Storage> Service<Store> {
    /// Executes the request in a frame and appends its response, as a frame, to `out`.
    #[inline]
    pub(super) fn execute_frame(&self, frame: &[u8], out: &mut Vec<u8>) -> Framed {
        if self.is_plain()
            && let Some(request) = Borrowed::parse(frame)
        {
            return self.execute_borrowed(request, out);
        }
        self.execute_decoded(frame, out)
    }

    #[inline]
    fn execute_borrowed(&self, request: Borrowed<'_>, out: &mut Vec<u8>) -> Framed {
        let most = self.limits().frame_bytes;
        let store = self.store();
        let mut fits = true;
        let mut sink = |value: ValueRef<'_>| fits = put_value(out, value, most);
        let (done, writes) = match request {
            Borrowed::Get(table, key) => match store.get_with(table, key, &mut sink) {
                Ok(false) => (Err(KvError::not_found(table, key)), false),
                Ok(true) => (Ok(()), false),
                Err(error) => (Err(error), false),
            },
            Borrowed::Set(table, key, value) => {
                let done = store.set_with(table, key, value, &mut sink);
                if matches!(done, Ok(false)) {
                    put_value(out, ValueRef::Empty, most);
                }
                (done.map(drop), store.settles())
            }
        };
        match done {
            Ok(()) if fits => {}
            Err(KvError::Busy) => return Framed::Again,
            Ok(()) => put_message(out, &CommandResponse::from(over_frame(most))),
            Err(error) => put_message(out, &CommandResponse::from(error)),
        }
        Framed::Done(writes)
    }

    #[cold]
    fn execute_decoded(&self, frame: &[u8], out: &mut Vec<u8>) -> Framed {
        let request = match CommandRequest::decode(frame) {
            Ok(request) => request,
            Err(error) => {
                let error = KvError::Invalid(format!("The request is no message: {error}"));
                put_message(out, &CommandResponse::from(error));
                return Framed::Done(false);
            }
        };
        match self.received(&request) {
            Ok(()) => self.execute_again(request, true, out),
            Err(response) => {
                self.answer(&request, response, out);
                Framed::Done(false)
            }
        }
    }

    /// Executes a request that hooks have let through; `patient` to give it back when its data is busy.
    pub(super) fn execute_again(
        &self,
        request: CommandRequest,
        patient: bool,
        out: &mut Vec<u8>,
    ) -> Framed {
        let settles = self.needs_settling(&request);
        // Without hooks nobody asks for the request of a response.
        let seen = match self.is_plain() {
            true => CommandRequest::default(),
            false => request.clone(),
        };
        match self.execute_received(request) {
            Outcome::Done(response) => {
                self.answer(&seen, response, out);
                Framed::Done(settles)
            }
            Outcome::Subscribed(request, subscription) => {
                put_message(out, &self.subscribed(&request, &subscription));
                Framed::Subscribed(Box::new((request, subscription)))
            }
            Outcome::Failed(request, KvError::Busy) if patient => Framed::Held(Box::new(request)),
            Outcome::Failed(request, error) => {
                self.answer(&request, error.into(), out);
                Framed::Done(false)
            }
        }
    }

    /// Executes a request that the hooks have let through.
    fn execute_received(&self, request: CommandRequest) -> Outcome {
        if let Some(RequestData::Subscribe(subscribe)) = &request.request_data {
            let subscription = self.topics().subscribe(&subscribe.topic);
            return match subscription {
                Ok(subscription) => Outcome::Subscribed(request, subscription),
                Err(error) => Outcome::Failed(request, error),
            };
        }
        match self.dispatch(&request) {
            Ok(response) => Outcome::Done(response),
            Err(error) => Outcome::Failed(request, error),
        }
    }

    fn answer(&self, request: &CommandRequest, mut response: CommandResponse, out: &mut Vec<u8>) {
        self.finish(request, &mut response);
        put_message(out, &response);
    }
}
