//! The service: a storage, topics and hooks behind one `execute`.
//!
//! Does not know where requests come from: a transport (`server`) and programs that have their own call it.

use crate::error::KvError;
use crate::hooks::{AfterSend, BeforeSend, Executed, Hook, Hooks, Received, Verdict};
use crate::pb::command_request::RequestData;
use crate::pb::{CommandRequest, CommandResponse, Value};
use crate::storage::Storage;
use crate::storage::memory::MemTable;
use crate::topics::{Subscription, Topics};
use prost::Message as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a call waits for data that is busy, and how often it looks.
const BUSY_PATIENCE: Duration = Duration::from_secs(1);
const BUSY_RETRY: Duration = Duration::from_millis(1);

/// What one request may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a request and of a response; 8 MiB by default, which is also what `LengthDelimitedCodec` takes.
    pub frame_bytes: usize,
    /// Keys of a request; 10000 by default.
    pub keys: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            frame_bytes: 8 << 20,
            keys: 10_000,
        }
    }
}

/// A service that is being put together; `into()` makes it a [`Service`].
pub struct ServiceInner<Store> {
    store: Store,
    hooks: Hooks,
    topics: Arc<Topics>,
    limits: Limits,
}

impl<Store: Storage> ServiceInner<Store> {
    /// A service over `store`, without hooks.
    #[must_use]
    pub fn new(store: Store) -> ServiceInner<Store> {
        ServiceInner {
            store,
            hooks: Hooks::default(),
            topics: Arc::default(),
            limits: Limits::default(),
        }
    }

    /// Sets the limits.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> ServiceInner<Store> {
        self.limits = limits;
        self
    }

    /// Adds a hook, behind those that are there.
    #[must_use]
    pub fn hook(mut self, hook: impl Hook) -> ServiceInner<Store> {
        self.hooks.add(hook);
        self
    }

    /// Adds a hook that sees each request before it is executed. It returns nothing, or a [`Result`] whose error is the
    /// answer to a request that is not to be executed.
    #[must_use]
    pub fn fn_received<R: Into<Verdict> + 'static>(
        self,
        hook: impl Fn(&CommandRequest) -> R + Send + Sync + 'static,
    ) -> ServiceInner<Store> {
        self.hook(Received(hook))
    }

    /// Adds a hook that sees each response when the request was executed; an error that it returns replaces it.
    #[must_use]
    pub fn fn_executed<R: Into<Verdict> + 'static>(
        self,
        hook: impl Fn(&CommandResponse) -> R + Send + Sync + 'static,
    ) -> ServiceInner<Store> {
        self.hook(Executed(hook))
    }

    /// Adds a hook that may change each response before it is sent.
    #[must_use]
    pub fn fn_before_send(
        self,
        hook: impl Fn(&mut CommandResponse) + Send + Sync + 'static,
    ) -> ServiceInner<Store> {
        self.hook(BeforeSend(hook))
    }

    /// Adds a hook that is called after each response was sent.
    #[must_use]
    pub fn fn_after_send(self, hook: impl Fn() + Send + Sync + 'static) -> ServiceInner<Store> {
        self.hook(AfterSend(hook))
    }
}

/// A key-value service with tables, typed values, topics and hooks. Cheap to clone: all clones are one.
pub struct Service<Store = MemTable> {
    inner: Arc<ServiceInner<Store>>,
}

impl<Store> Clone for Service<Store> {
    fn clone(&self) -> Service<Store> {
        Service {
            inner: self.inner.clone(),
        }
    }
}

impl<Store> From<ServiceInner<Store>> for Service<Store> {
    fn from(inner: ServiceInner<Store>) -> Service<Store> {
        Service {
            inner: Arc::new(inner),
        }
    }
}

impl<Store: Storage> Service<Store> {
    /// Executes a request and gives its response; hooks have run. What was written is as safe as the storage promises.
    ///
    /// Subscribe needs a stream and is refused: see [`Service::subscribe`]. While the data is busy, the thread waits
    /// for up to a second; transports let other requests go on meanwhile.
    pub fn execute(&self, request: CommandRequest) -> CommandResponse {
        let mut response = match self.received(&request) {
            Err(refused) => refused,
            Ok(()) => {
                let done = self.dispatch_at_last(&request);
                let settled = match done.is_ok() && self.needs_settling(&request) {
                    true => self.inner.store.settle(),
                    false => Ok(()),
                };
                done.and_then(|response| settled.map(|()| response))
                    .unwrap_or_else(CommandResponse::from)
            }
        };
        self.finish(&request, &mut response);
        response
    }

    /// Listens to a topic: the response to the request, with the subscription's id, and the messages. Hooks see both.
    ///
    /// # Errors
    /// With the response, when the subscription is refused.
    pub fn subscribe(
        &self,
        topic: impl Into<String>,
    ) -> Result<(CommandResponse, Messages<Store>), CommandResponse> {
        let request = CommandRequest::new_subscribe(topic);
        let subscribed = self.received(&request).and_then(|()| {
            let topic = topic_of(&request);
            self.inner.topics.subscribe(topic).map_err(Into::into)
        });
        match subscribed {
            Ok(subscription) => {
                let response = self.subscribed(&request, &subscription);
                let messages = Messages::new(self.clone(), request, subscription);
                Ok((response, messages))
            }
            Err(mut response) => {
                self.finish(&request, &mut response);
                Err(response)
            }
        }
    }

    /// As [`Service::execute`], for callers in a Tokio runtime: who waits for data or a disk lets others go on.
    ///
    /// # Cancel safety
    /// The request is executed or not when the future is dropped.
    #[cfg(feature = "server")]
    pub async fn run(&self, request: CommandRequest) -> CommandResponse {
        let mut response = match self.received(&request) {
            Err(refused) => refused,
            Ok(()) => self
                .dispatch_patiently(&request)
                .await
                .unwrap_or_else(CommandResponse::from),
        };
        self.finish(&request, &mut response);
        response
    }

    #[cfg(feature = "server")]
    async fn dispatch_patiently(
        &self,
        request: &CommandRequest,
    ) -> Result<CommandResponse, KvError> {
        let response = patiently(|| self.dispatch(request)).await?;
        if self.needs_settling(request) {
            let service = self.clone();
            let settled = tokio::task::spawn_blocking(move || service.store().settle()).await;
            settled.unwrap_or_else(|e| Err(KvError::Storage(e.to_string())))?;
        }
        Ok(response)
    }

    /// A page of a table; hooks see it as an Hgetall. Gives the response, and where the next page begins.
    #[cfg(feature = "http")]
    pub(crate) async fn page(
        &self,
        table: &str,
        cursor: Option<&str>,
        limit: usize,
    ) -> (CommandResponse, Option<String>) {
        let request = CommandRequest::new_hgetall(table);
        let page = match self.received(&request) {
            Ok(()) => patiently(|| self.inner.store.scan(table, cursor, limit))
                .await
                .map_err(CommandResponse::from),
            Err(refused) => Err(refused),
        };
        let (mut response, next) = match page {
            Ok(page) => (page.pairs.into(), page.next),
            Err(refused) => (refused, None),
        };
        self.inner.hooks.finish(&request, &mut response);
        (response, next)
    }

    /// Tells the hooks that `count` responses were sent.
    pub fn sent(&self, count: usize) {
        if !self.inner.hooks.is_empty() {
            (0..count).for_each(|_| self.inner.hooks.after_send());
        }
    }

    /// The storage.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.inner.store
    }

    /// The topics.
    #[must_use]
    pub fn topics(&self) -> &Arc<Topics> {
        &self.inner.topics
    }

    /// The limits.
    #[must_use]
    pub fn limits(&self) -> Limits {
        self.inner.limits
    }

    /// How many calls of hooks panicked.
    #[must_use]
    pub fn hook_panics(&self) -> u64 {
        self.inner.hooks.panics()
    }

    /// Whether requests may be executed without their decoded form, which only hooks need.
    #[cfg(feature = "server")]
    #[inline]
    pub(crate) fn is_plain(&self) -> bool {
        self.inner.hooks.is_empty()
    }

    /// Whether the request's effect has to be settled before it is acknowledged.
    pub(crate) fn needs_settling(&self, request: &CommandRequest) -> bool {
        use RequestData::{Hdel, Hmdel, Hmset, Hset};
        let writes = matches!(
            request.request_data,
            Some(Hset(_) | Hmset(_) | Hdel(_) | Hmdel(_))
        );
        writes && self.inner.store.settles()
    }

    /// Asks the hooks.
    pub(crate) fn received(&self, request: &CommandRequest) -> Result<(), CommandResponse> {
        match self.inner.hooks.received(request) {
            Verdict::Go => Ok(()),
            Verdict::Refuse(response) => Err(response),
        }
    }

    /// Shows a response to the hooks, and sees to its size.
    pub(crate) fn finish(&self, request: &CommandRequest, response: &mut CommandResponse) {
        self.inner.hooks.finish(request, response);
        self.fit(response);
    }

    fn fit(&self, response: &mut CommandResponse) {
        let most = self.inner.limits.frame_bytes;
        if response.encoded_len() > most {
            *response = over_frame(most).into();
        }
    }

    /// The response to Subscribe.
    pub(crate) fn subscribed(
        &self,
        request: &CommandRequest,
        subscription: &Subscription,
    ) -> CommandResponse {
        let mut response = Value::from(subscription.id()).into();
        self.finish(request, &mut response);
        response
    }

    /// A message of a subscription as it is to be sent.
    pub(crate) fn message(
        &self,
        request: &CommandRequest,
        message: Arc<CommandResponse>,
    ) -> Arc<CommandResponse> {
        if self.inner.hooks.is_empty() {
            return message;
        }
        let mut changed = (*message).clone();
        self.inner.hooks.before_send(request, &mut changed);
        self.fit(&mut changed);
        Arc::new(changed)
    }

    fn check_keys(&self, count: usize) -> Result<(), KvError> {
        let most = self.inner.limits.keys;
        if count > most {
            let text = format!("A request may have {most} keys, not {count}");
            return Err(KvError::TooLarge(text));
        }
        Ok(())
    }

    /// Waits while the data is busy, for a bounded time.
    fn dispatch_at_last(&self, request: &CommandRequest) -> Result<CommandResponse, KvError> {
        let start = Instant::now();
        loop {
            match self.dispatch(request) {
                Err(KvError::Busy) if start.elapsed() < BUSY_PATIENCE => {
                    std::thread::sleep(BUSY_RETRY);
                }
                done => return done,
            }
        }
    }

    /// Executes a request without hooks, in one try.
    ///
    /// # Errors
    /// When it was not done.
    pub(crate) fn dispatch(&self, request: &CommandRequest) -> Result<CommandResponse, KvError> {
        let store = &self.inner.store;
        let Some(data) = &request.request_data else {
            return Err(KvError::Invalid("The request is empty".to_owned()));
        };
        match data {
            RequestData::Hget(r) => match store.get(&r.table, &r.key)? {
                Some(value) => Ok(value.into()),
                None => Err(KvError::not_found(&r.table, &r.key)),
            },
            RequestData::Hgetall(r) => store
                .get_all(&r.table, self.inner.limits.frame_bytes)
                .map(Into::into),
            RequestData::Hmget(r) => {
                self.check_keys(r.keys.len())?;
                store.mget(&r.table, &r.keys).map(values)
            }
            RequestData::Hset(r) => {
                let Some(pair) = &r.pair else {
                    return Err(KvError::Invalid("The request has no pair".to_owned()));
                };
                let (value, mut previous) = (pair.value_ref(), Value::default());
                store.set_with(&r.table, &pair.key, value, &mut |v| previous = v.to_value())?;
                Ok(previous.into())
            }
            RequestData::Hmset(r) => {
                self.check_keys(r.pairs.len())?;
                store.mset(&r.table, &r.pairs).map(values)
            }
            RequestData::Hdel(r) => {
                let previous = store.del(&r.table, &r.key)?;
                Ok(previous.unwrap_or_default().into())
            }
            RequestData::Hmdel(r) => {
                self.check_keys(r.keys.len())?;
                store.mdel(&r.table, &r.keys).map(values)
            }
            RequestData::Hexist(r) => store.contains(&r.table, &r.key).map(Into::into),
            RequestData::Hmexist(r) => {
                self.check_keys(r.keys.len())?;
                let found = store.mget(&r.table, &r.keys)?;
                let there = found.iter().map(|value| value.is_some().into());
                Ok(there.collect::<Vec<Value>>().into())
            }
            RequestData::Subscribe(_) => Err(KvError::Invalid(NEEDS_STREAM.to_owned())),
            RequestData::Unsubscribe(r) => {
                self.inner.topics.unsubscribe(&r.topic, r.id)?;
                Ok(CommandResponse::ok())
            }
            RequestData::Publish(r) if r.data.is_empty() => Err(KvError::Invalid(
                "A message has at least one value".to_owned(),
            )),
            RequestData::Publish(r) => {
                let reached = self.inner.topics.publish(&r.topic, r.data.clone());
                let reached = i64::try_from(reached).unwrap_or(i64::MAX);
                Ok(Value::from(reached).into())
            }
        }
    }
}

/// Tries again while the data is busy, for a bounded time.
#[cfg(feature = "server")]
async fn patiently<T>(mut call: impl FnMut() -> Result<T, KvError>) -> Result<T, KvError> {
    let start = Instant::now();
    loop {
        match call() {
            Err(KvError::Busy) if start.elapsed() < 5 * BUSY_PATIENCE => {
                tokio::time::sleep(BUSY_RETRY).await;
            }
            done => return done,
        }
    }
}

const NEEDS_STREAM: &str = "Subscribe answers with a stream, which there is none for here";

/// A response that is larger than a frame may be.
pub(crate) fn over_frame(most: usize) -> KvError {
    KvError::TooLarge(format!(
        "The response has more than the {most} bytes of one frame"
    ))
}

fn values(values: Vec<Option<Value>>) -> CommandResponse {
    let values: Vec<Value> = values.into_iter().map(Option::unwrap_or_default).collect();
    values.into()
}

fn topic_of(request: &CommandRequest) -> &str {
    match &request.request_data {
        Some(RequestData::Subscribe(subscribe)) => &subscribe.topic,
        _ => "",
    }
}

/// The messages of a subscription as they are to be sent, a stream.
pub struct Messages<Store> {
    service: Service<Store>,
    request: CommandRequest,
    subscription: Subscription,
}

impl<Store: Storage> Messages<Store> {
    pub(crate) fn new(
        service: Service<Store>,
        request: CommandRequest,
        subscription: Subscription,
    ) -> Messages<Store> {
        Messages {
            service,
            request,
            subscription,
        }
    }

    /// The subscription.
    #[must_use]
    pub fn subscription(&self) -> &Subscription {
        &self.subscription
    }
}

impl<Store: Storage> futures_core::Stream for Messages<Store> {
    type Item = Arc<CommandResponse>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        let next = std::pin::Pin::new(&mut self.subscription).poll_next(cx);
        next.map(|message| Some(self.service.message(&self.request, message?)))
    }
}

impl<Store> Unpin for Messages<Store> {}
