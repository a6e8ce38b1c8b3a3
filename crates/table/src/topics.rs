//! Topics: whoever listens gets a stream of responses.
//!
//! Invariants
//! - A publisher never waits. Messages wait in a queue of each subscription, bounded in number and bytes; a subscriber
//!   that has no room for one more is ended ([`Ended::TooSlow`]) after what it has in its queue, so that nobody gets
//!   a stream with a gap.
//! - Ids are unique among the subscriptions of a service at any time, and never 0.
//! - What one publisher sends to a topic arrives in its order.

use crate::error::KvError;
use crate::pb::{CommandResponse, Value};
use futures_core::Stream;
use futures_util::task::AtomicWaker;
use parking_lot::{Mutex, RwLock};
use prost::Message as _;
use std::collections::{HashMap, VecDeque};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::task::{Context, Poll};

/// Messages that may wait for one subscriber.
pub const SUBSCRIBER_MESSAGES_MAX: usize = 1024;
/// Bytes of messages that may wait for one subscriber.
pub const SUBSCRIBER_BYTES_MAX: usize = 32 << 20;
/// Subscriptions of a service.
const SUBSCRIPTIONS_MAX: usize = 1 << 20;

/// Why a subscription ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Somebody ended it by Unsubscribe.
    Unsubscribed,
    /// It did not take its messages in time.
    TooSlow,
    /// The service stops.
    Stopped,
}

/// Who listens to what.
#[derive(Default)]
pub struct Topics {
    state: RwLock<State>,
    last_id: AtomicU32,
}

#[derive(Default)]
struct State {
    topics: HashMap<String, Vec<Arc<Subscriber>>>,
    ids: HashMap<u32, Arc<Subscriber>>,
}

#[derive(Default)]
struct Queue {
    messages: VecDeque<Arc<CommandResponse>>,
    bytes: usize,
    ended: Option<Ended>,
}

struct Subscriber {
    id: u32,
    topic: String,
    queue: Mutex<Queue>,
    waker: AtomicWaker,
}

impl Subscriber {
    fn push(&self, message: &Arc<CommandResponse>, bytes: usize) -> bool {
        let mut queue = self.queue.lock();
        if queue.ended.is_some() {
            return false;
        }
        let full = queue.messages.len() >= SUBSCRIBER_MESSAGES_MAX
            || queue.bytes.saturating_add(bytes) > SUBSCRIBER_BYTES_MAX;
        if full {
            queue.ended = Some(Ended::TooSlow);
        } else {
            queue.messages.push_back(message.clone());
            queue.bytes += bytes;
        }
        drop(queue);
        self.waker.wake();
        !full
    }

    fn end(&self, why: Ended) {
        self.queue.lock().ended.get_or_insert(why);
        self.waker.wake();
    }
}

impl Topics {
    /// Listens to a topic.
    ///
    /// # Errors
    /// When there are too many subscriptions.
    pub fn subscribe(self: &Arc<Self>, topic: &str) -> Result<Subscription, KvError> {
        let mut state = self.state.write();
        if state.ids.len() >= SUBSCRIPTIONS_MAX {
            return Err(KvError::Unavailable("Too many subscriptions".to_owned()));
        }
        let id = loop {
            let id = self.last_id.fetch_add(1, Relaxed).wrapping_add(1);
            if id != 0 && !state.ids.contains_key(&id) {
                break id;
            }
        };
        let subscriber = Arc::new(Subscriber {
            id,
            topic: topic.to_owned(),
            queue: Mutex::default(),
            waker: AtomicWaker::new(),
        });
        state.ids.insert(id, subscriber.clone());
        let listeners = state.topics.entry(topic.to_owned()).or_default();
        listeners.push(subscriber.clone());
        Ok(Subscription {
            topics: self.clone(),
            subscriber,
        })
    }

    /// Ends a subscription.
    ///
    /// # Errors
    /// When the topic has no subscription of that id.
    pub fn unsubscribe(&self, topic: &str, id: u32) -> Result<(), KvError> {
        let found = self.state.read().ids.get(&id).cloned();
        match found.filter(|s| s.topic == topic && self.remove(s)) {
            Some(subscriber) => {
                subscriber.end(Ended::Unsubscribed);
                Ok(())
            }
            None => Err(KvError::NoSubscription {
                topic: topic.to_owned(),
                id,
            }),
        }
    }

    /// Sends a message to all who listen to a topic. Gives how many they are.
    pub fn publish(&self, topic: &str, data: Vec<Value>) -> usize {
        let mut slow = Vec::new();
        let mut reached = 0;
        {
            let state = self.state.read();
            let Some(listeners) = state.topics.get(topic) else {
                return 0;
            };
            let message = Arc::new(CommandResponse::from(data));
            let bytes = message.encoded_len();
            for subscriber in listeners {
                match subscriber.push(&message, bytes) {
                    true => reached += 1,
                    false => slow.push(subscriber.clone()),
                }
            }
        }
        slow.iter().for_each(|subscriber| {
            self.remove(subscriber);
        });
        reached
    }

    /// Ends all subscriptions.
    pub fn stop(&self) {
        let ids = std::mem::take(&mut *self.state.write()).ids;
        ids.values().for_each(|s| s.end(Ended::Stopped));
    }

    /// How many subscriptions there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.state.read().ids.len()
    }

    /// Whether nobody listens to anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether it was there.
    fn remove(&self, subscriber: &Subscriber) -> bool {
        let mut state = self.state.write();
        if let Some(listeners) = state.topics.get_mut(&subscriber.topic) {
            listeners.retain(|s| s.id != subscriber.id);
            if listeners.is_empty() {
                state.topics.remove(&subscriber.topic);
            }
        }
        state.ids.remove(&subscriber.id).is_some()
    }
}

/// The messages of a topic, as a stream that ends when the subscription does. A drop ends it.
pub struct Subscription {
    topics: Arc<Topics>,
    subscriber: Arc<Subscriber>,
}

impl Subscription {
    /// Its id, for Unsubscribe.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.subscriber.id
    }

    /// Its topic.
    #[must_use]
    pub fn topic(&self) -> &str {
        &self.subscriber.topic
    }

    /// Why it ended, if it did; messages may still wait.
    #[must_use]
    pub fn ended(&self) -> Option<Ended> {
        self.subscriber.queue.lock().ended
    }
}

impl Stream for Subscription {
    type Item = Arc<CommandResponse>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        // Registered before the look, so that no message falls between.
        self.subscriber.waker.register(cx.waker());
        let mut queue = self.subscriber.queue.lock();
        match queue.messages.pop_front() {
            Some(message) => {
                queue.bytes = queue.bytes.saturating_sub(message.encoded_len());
                Poll::Ready(Some(message))
            }
            None if queue.ended.is_some() => Poll::Ready(None),
            None => Poll::Pending,
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.topics.remove(&self.subscriber);
    }
}

impl Ended {
    /// The response that tells it: an empty one of status 200 after Unsubscribe, 503 for the others.
    #[must_use]
    pub fn response(self) -> CommandResponse {
        match self {
            Ended::Unsubscribed => CommandResponse::ok(),
            Ended::TooSlow => {
                let text = "The subscription was ended: it did not take its messages in time";
                CommandResponse::failed(503, text)
            }
            Ended::Stopped => CommandResponse::failed(503, "The server stops"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::{FutureExt as _, StreamExt as _};

    fn next(subscription: &mut Subscription) -> Option<Option<Arc<CommandResponse>>> {
        subscription.next().now_or_never()
    }

    #[test]
    fn a_slow_subscriber_is_ended_after_what_it_has() {
        let topics = Arc::new(Topics::default());
        let mut slow = topics.subscribe("t").unwrap();
        for n in 0..SUBSCRIBER_MESSAGES_MAX as i64 {
            assert_eq!(topics.publish("t", vec![n.into()]), 1);
        }
        assert_eq!(topics.publish("t", vec![true.into()]), 0);
        assert!(topics.is_empty());
        for n in 0..SUBSCRIBER_MESSAGES_MAX as i64 {
            let message = next(&mut slow).unwrap().unwrap();
            assert_eq!(message.values, [n.into()]);
        }
        assert_eq!(next(&mut slow), Some(None));
        assert_eq!(slow.ended(), Some(Ended::TooSlow));
    }

    #[test]
    fn bytes_are_bounded_too() {
        let topics = Arc::new(Topics::default());
        let slow = topics.subscribe("t").unwrap();
        let large = Value::from(vec![0; 12 << 20]);
        let reached = (0..4).map(|_| topics.publish("t", vec![large.clone()]));
        assert_eq!(reached.sum::<usize>(), 2);
        assert_eq!(slow.ended(), Some(Ended::TooSlow));
    }

    #[test]
    fn who_leaves_gets_nothing_more() {
        let topics = Arc::new(Topics::default());
        let mut one = topics.subscribe("t").unwrap();
        let two = topics.subscribe("t").unwrap();
        assert_ne!(one.id(), two.id());
        assert!(topics.unsubscribe("other", one.id()).is_err());
        topics.unsubscribe("t", one.id()).unwrap();
        assert!(topics.unsubscribe("t", one.id()).is_err());
        assert_eq!(next(&mut one), Some(None));
        drop(two);
        assert_eq!(topics.publish("t", vec![true.into()]), 0);
    }
}
