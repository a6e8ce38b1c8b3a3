//! Executing the request in a frame: the usual ones without decoding them into owned messages.

use crate::error::KvError;
use crate::pb::command_request::RequestData;
use crate::pb::{CommandRequest, CommandResponse};
use crate::service::{Service, over_frame};
use crate::storage::Storage;
use crate::topics::Subscription;
use crate::values::ValueRef;
use crate::wire::{Borrowed, HEAD, frame_len, put_message, put_value};
use prost::Message as _;
use smallvec::SmallVec;

/// Requests that are executed together: enough to hide an access to memory behind the others.
const WINDOW: usize = 16;

/// Requests to be executed together.
type Window<'b> = SmallVec<[Borrowed<'b>; WINDOW]>;

/// What became of a window.
#[derive(Default)]
pub(super) struct Executed {
    /// How many requests were answered.
    pub(super) count: usize,
    /// Whether their effects have to be settled first.
    pub(super) writes: bool,
    /// The data of the next one is busy.
    pub(super) busy: bool,
}

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
    /// The whole frames that `bytes` begin with, as far as they are requests on one key that need no decoding, up to
    /// [`WINDOW`]. None when hooks want to see requests.
    #[inline]
    pub(super) fn window<'b>(&self, mut bytes: &'b [u8]) -> Window<'b> {
        let mut window = Window::new();
        let most = self.limits().frame_bytes;
        while self.is_plain()
            && window.len() < WINDOW
            && let Some(len) = frame_len(bytes).filter(|len| *len <= most)
            && let Some(frame) = bytes.get(HEAD..HEAD + len)
            && let Some(request) = Borrowed::parse(frame)
        {
            window.push(request);
            bytes = &bytes[HEAD + len..];
        }
        window
    }

    /// Executes requests and appends their responses, as frames, to `out`, until that has `enough` bytes.
    pub(super) fn execute_window(
        &self,
        requests: &[Borrowed<'_>],
        out: &mut Vec<u8>,
        enough: usize,
    ) -> Executed {
        let most = self.limits().frame_bytes;
        let mut done = Executed::default();
        self.store().execute(requests, &mut |answer| {
            let request = requests.get(done.count).copied();
            let fits = match (answer, request) {
                (Ok(Some(value)), _) => put_value(out, value, most),
                (Ok(None), Some(Borrowed::Get(table, key))) => {
                    put_message(out, &CommandResponse::from(KvError::not_found(table, key)));
                    true
                }
                (Ok(None), _) => put_value(out, ValueRef::Empty, most),
                (Err(KvError::Busy), _) => {
                    done.busy = true;
                    return false;
                }
                (Err(error), _) => {
                    put_message(out, &CommandResponse::from(error));
                    true
                }
            };
            if !fits {
                put_message(out, &CommandResponse::from(over_frame(most)));
            }
            done.count += 1;
            done.writes |= matches!(request, Some(Borrowed::Set(..)));
            out.len() < enough
        });
        done.writes &= self.store().settles();
        done
    }

    /// Executes the request in a frame and appends its response, as a frame, to `out`.
    pub(super) fn execute_frame(&self, frame: &[u8], out: &mut Vec<u8>) -> Framed {
        if self.is_plain()
            && let Some(request) = Borrowed::parse(frame)
        {
            let done = self.execute_window(&[request], out, usize::MAX);
            return match done.busy {
                true => Framed::Again,
                false => Framed::Done(done.writes),
            };
        }
        self.execute_decoded(frame, out)
    }

    /// As [`Self::execute_frame`], by way of the generated decoder.
    #[cold]
    pub(super) fn execute_decoded(&self, frame: &[u8], out: &mut Vec<u8>) -> Framed {
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
