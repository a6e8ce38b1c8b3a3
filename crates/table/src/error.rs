//! Why a request was not done, and the status that says so.

use crate::pb::CommandResponse;

/// Why a storage or the service did not do what was asked.
///
/// [`KvError::status`] is the code of HTTP that it is answered with.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KvError {
    /// 404: a table or key is not there.
    NotFound {
        /// The table.
        table: String,
        /// The key.
        key: String,
    },
    /// 404: there is no such subscription.
    NoSubscription {
        /// The topic.
        topic: String,
        /// The id.
        id: u32,
    },
    /// 400: the request makes no sense.
    Invalid(String),
    /// 401: the storage asks for a user, and the front has none.
    Unauthorized(String),
    /// 403: the user may not do this, or a hook vetoed.
    Forbidden(String),
    /// 409: the key of the keyspace holds something that is no table.
    WrongType(String),
    /// 413: the request or its answer is larger than a limit.
    TooLarge(String),
    /// 500: the storage failed.
    Storage(String),
    /// 503: somebody keeps the data busy. Nothing was done; transports try again for a while before they answer this.
    Busy,
    /// 503: the service does not take this now.
    Unavailable(String),
    /// 507: there is no memory or disk for it.
    OutOfMemory(String),
}

impl KvError {
    /// The status code.
    #[must_use]
    pub fn status(&self) -> u32 {
        match self {
            KvError::NotFound { .. } | KvError::NoSubscription { .. } => 404,
            KvError::Invalid(_) => 400,
            KvError::Unauthorized(_) => 401,
            KvError::Forbidden(_) => 403,
            KvError::WrongType(_) => 409,
            KvError::TooLarge(_) => 413,
            KvError::Storage(_) => 500,
            KvError::Busy | KvError::Unavailable(_) => 503,
            KvError::OutOfMemory(_) => 507,
        }
    }

    /// A key that is not there.
    #[must_use]
    pub fn not_found(table: &str, key: &str) -> KvError {
        KvError::NotFound {
            table: table.to_owned(),
            key: key.to_owned(),
        }
    }
}

impl std::fmt::Display for KvError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            KvError::NotFound { table, key } => {
                write!(f, "Not found for table: {table}, key: {key}")
            }
            KvError::NoSubscription { topic, id } => {
                write!(f, "Not found for topic: {topic}, subscription: {id}")
            }
            KvError::Busy => f.write_str("The data is held by a long operation"),
            KvError::Invalid(text)
            | KvError::Unauthorized(text)
            | KvError::Forbidden(text)
            | KvError::WrongType(text)
            | KvError::TooLarge(text)
            | KvError::Storage(text)
            | KvError::Unavailable(text)
            | KvError::OutOfMemory(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for KvError {}

impl From<KvError> for CommandResponse {
    fn from(error: KvError) -> CommandResponse {
        CommandResponse::failed(error.status(), error.to_string())
    }
}
