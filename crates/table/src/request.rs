//! Constructors of requests and responses.

use crate::pb::command_request::RequestData;
use crate::pb::{
    CommandRequest, CommandResponse, Hdel, Hexist, Hget, Hgetall, Hmdel, Hmexist, Hmget, Hmset,
    Hset, Kvpair, Publish, Subscribe, Unsubscribe, Value,
};

/// The status of what was done.
pub(crate) const OK: u32 = 200;

impl From<RequestData> for CommandRequest {
    fn from(data: RequestData) -> CommandRequest {
        CommandRequest {
            request_data: Some(data),
        }
    }
}

/// Keys, from whatever gives words.
fn words<S: Into<String>>(words: impl IntoIterator<Item = S>) -> Vec<String> {
    words.into_iter().map(Into::into).collect()
}

impl CommandRequest {
    /// Reads a key.
    #[must_use]
    pub fn new_hget(table: impl Into<String>, key: impl Into<String>) -> CommandRequest {
        let (table, key) = (table.into(), key.into());
        RequestData::Hget(Hget { table, key }).into()
    }

    /// Reads a whole table.
    #[must_use]
    pub fn new_hgetall(table: impl Into<String>) -> CommandRequest {
        let table = table.into();
        RequestData::Hgetall(Hgetall { table }).into()
    }

    /// Reads several keys.
    #[must_use]
    pub fn new_hmget<S: Into<String>>(
        table: impl Into<String>,
        keys: impl IntoIterator<Item = S>,
    ) -> CommandRequest {
        let (table, keys) = (table.into(), words(keys));
        RequestData::Hmget(Hmget { table, keys }).into()
    }

    /// Writes a key.
    #[must_use]
    pub fn new_hset(
        table: impl Into<String>,
        key: impl Into<String>,
        value: Value,
    ) -> CommandRequest {
        let (table, pair) = (table.into(), Some(Kvpair::new(key, value)));
        RequestData::Hset(Hset { table, pair }).into()
    }

    /// Writes several keys, all at once.
    #[must_use]
    pub fn new_hmset(
        table: impl Into<String>,
        pairs: impl IntoIterator<Item = Kvpair>,
    ) -> CommandRequest {
        let (table, pairs) = (table.into(), pairs.into_iter().collect());
        RequestData::Hmset(Hmset { table, pairs }).into()
    }

    /// Deletes a key.
    #[must_use]
    pub fn new_hdel(table: impl Into<String>, key: impl Into<String>) -> CommandRequest {
        let (table, key) = (table.into(), key.into());
        RequestData::Hdel(Hdel { table, key }).into()
    }

    /// Deletes several keys, all at once.
    #[must_use]
    pub fn new_hmdel<S: Into<String>>(
        table: impl Into<String>,
        keys: impl IntoIterator<Item = S>,
    ) -> CommandRequest {
        let (table, keys) = (table.into(), words(keys));
        RequestData::Hmdel(Hmdel { table, keys }).into()
    }

    /// Asks whether a key is there.
    #[must_use]
    pub fn new_hexist(table: impl Into<String>, key: impl Into<String>) -> CommandRequest {
        let (table, key) = (table.into(), key.into());
        RequestData::Hexist(Hexist { table, key }).into()
    }

    /// Asks for several keys whether they are there.
    #[must_use]
    pub fn new_hmexist<S: Into<String>>(
        table: impl Into<String>,
        keys: impl IntoIterator<Item = S>,
    ) -> CommandRequest {
        let (table, keys) = (table.into(), words(keys));
        RequestData::Hmexist(Hmexist { table, keys }).into()
    }

    /// Listens to a topic.
    #[must_use]
    pub fn new_subscribe(topic: impl Into<String>) -> CommandRequest {
        let topic = topic.into();
        RequestData::Subscribe(Subscribe { topic }).into()
    }

    /// Ends a subscription.
    #[must_use]
    pub fn new_unsubscribe(topic: impl Into<String>, id: u32) -> CommandRequest {
        let topic = topic.into();
        RequestData::Unsubscribe(Unsubscribe { topic, id }).into()
    }

    /// Sends values to a topic.
    #[must_use]
    pub fn new_publish(
        topic: impl Into<String>,
        data: impl IntoIterator<Item = Value>,
    ) -> CommandRequest {
        let (topic, data) = (topic.into(), data.into_iter().collect());
        RequestData::Publish(Publish { topic, data }).into()
    }
}

impl CommandResponse {
    /// Done, with nothing to tell.
    #[must_use]
    pub fn ok() -> CommandResponse {
        CommandResponse {
            status: OK,
            ..CommandResponse::default()
        }
    }

    /// Not done, for this reason.
    #[must_use]
    pub fn failed(status: u32, message: impl Into<String>) -> CommandResponse {
        CommandResponse {
            status,
            message: message.into(),
            ..CommandResponse::default()
        }
    }

    /// Whether it was done.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.status == OK
    }
}

impl From<Value> for CommandResponse {
    fn from(value: Value) -> CommandResponse {
        vec![value].into()
    }
}

impl From<Vec<Value>> for CommandResponse {
    fn from(values: Vec<Value>) -> CommandResponse {
        CommandResponse {
            values,
            ..CommandResponse::ok()
        }
    }
}

impl From<Vec<Kvpair>> for CommandResponse {
    fn from(pairs: Vec<Kvpair>) -> CommandResponse {
        CommandResponse {
            pairs,
            ..CommandResponse::ok()
        }
    }
}

impl From<bool> for CommandResponse {
    fn from(yes: bool) -> CommandResponse {
        Value::from(yes).into()
    }
}
