// Written from the command table; `OCHRE_BLESS=1 cargo test -p ochre-testkit --test client_commands` writes it anew.
//! Commands of the group `pubsub`.

use crate::arg::Arg;
use crate::call::Call;
use crate::commands::declare;
use crate::value::Value;
use bytes::Bytes;

declare! {
    /// Listens to all channels that fit patterns.
    ///
    /// `PSUBSCRIBE pattern [pattern ...]`
    ///
    /// Since 2.0.0. O(N) where N is the number of patterns to subscribe to.
    nowhere psubscribe Psubscribe ["PSUBSCRIBE"]
    (pattern: impl IntoIterator<Item = impl Arg>) -> Value;
    call => call.with_all(pattern)
}

declare! {
    /// Sends a message to a channel.
    ///
    /// `PUBLISH channel message`
    ///
    /// Since 2.0.0. O(N+M) where N is the number of clients subscribed to the receiving channel and M is the total number of subscribed patterns (by any client).
    everywhere publish Publish ["PUBLISH"]
    (channel: impl Arg, message: impl Arg) -> i64;
    call => call.with(channel).with(message)
}

declare! {
    /// Lists the channels that somebody listens to.
    ///
    /// `PUBSUB CHANNELS [pattern]`
    ///
    /// Since 2.8.0. O(N) where N is the number of active channels, and assuming constant time pattern matching (relatively short channels and patterns).
    everywhere pubsub_channels PubsubChannels ["PUBSUB", "CHANNELS"]
    () -> Vec<Bytes>;
    call => call.gap(0)
}

impl<E, R> Call<E, PubsubChannels, R> {
    /// `pattern`
    pub fn pattern(self, pattern: impl Arg) -> Self {
        self.option(0, |r| {
            pattern.add_to(r);
        })
    }
}

declare! {
    /// Lists the subcommands.
    ///
    /// `PUBSUB HELP`
    ///
    /// Since 6.2.0. O(1).
    everywhere pubsub_help PubsubHelp ["PUBSUB", "HELP"]
    () -> Vec<String>;
    call => call
}

declare! {
    /// Returns the number of patterns that are listened to.
    ///
    /// `PUBSUB NUMPAT`
    ///
    /// Since 2.8.0. O(1).
    everywhere pubsub_numpat PubsubNumpat ["PUBSUB", "NUMPAT"]
    () -> i64;
    call => call
}

declare! {
    /// Returns how many connections listen to channels by name.
    ///
    /// `PUBSUB NUMSUB [channel [channel ...]]`
    ///
    /// Since 2.8.0. O(N) for the NUMSUB subcommand, where N is the number of requested channels.
    everywhere pubsub_numsub PubsubNumsub ["PUBSUB", "NUMSUB"]
    () -> std::collections::HashMap<Bytes, i64>;
    call => call.gap(0)
}

impl<E, R> Call<E, PubsubNumsub, R> {
    /// `channel [channel ...]`
    pub fn channel(self, channel: impl IntoIterator<Item = impl Arg>) -> Self {
        self.option(0, |r| {
            for one in channel {
                one.add_to(r);
            }
        })
    }
}

declare! {
    /// Lists the shard channels that somebody listens to.
    ///
    /// `PUBSUB SHARDCHANNELS [pattern]`
    ///
    /// Since 7.0.0. O(N) where N is the number of active shard channels, and assuming constant time pattern matching (relatively short shard channels).
    everywhere pubsub_shardchannels PubsubShardchannels ["PUBSUB", "SHARDCHANNELS"]
    () -> Vec<Bytes>;
    call => call.gap(0)
}

impl<E, R> Call<E, PubsubShardchannels, R> {
    /// `pattern`
    pub fn pattern(self, pattern: impl Arg) -> Self {
        self.option(0, |r| {
            pattern.add_to(r);
        })
    }
}

declare! {
    /// Returns how many connections listen to shard channels.
    ///
    /// `PUBSUB SHARDNUMSUB [shardchannel [shardchannel ...]]`
    ///
    /// Since 7.0.0. O(N) for the SHARDNUMSUB subcommand, where N is the number of requested shard channels.
    everywhere pubsub_shardnumsub PubsubShardnumsub ["PUBSUB", "SHARDNUMSUB"]
    () -> std::collections::HashMap<Bytes, i64>;
    call => call.gap(0)
}

impl<E, R> Call<E, PubsubShardnumsub, R> {
    /// `shardchannel [shardchannel ...]`
    pub fn shardchannel(self, shardchannel: impl IntoIterator<Item = impl Arg>) -> Self {
        self.option(0, |r| {
            for one in shardchannel {
                one.add_to(r);
            }
        })
    }
}

declare! {
    /// Stops listening to patterns, to all when none is given.
    ///
    /// `PUNSUBSCRIBE [pattern [pattern ...]]`
    ///
    /// Since 2.0.0. O(N) where N is the number of patterns to unsubscribe.
    nowhere punsubscribe Punsubscribe ["PUNSUBSCRIBE"]
    () -> Value;
    call => call.gap(0)
}

impl<E, R> Call<E, Punsubscribe, R> {
    /// `pattern [pattern ...]`
    pub fn pattern(self, pattern: impl IntoIterator<Item = impl Arg>) -> Self {
        self.option(0, |r| {
            for one in pattern {
                one.add_to(r);
            }
        })
    }
}

declare! {
    /// Sends a message to a shard channel.
    ///
    /// `SPUBLISH shardchannel message`
    ///
    /// Since 7.0.0. O(N) where N is the number of clients subscribed to the receiving shard channel.
    everywhere spublish Spublish ["SPUBLISH"]
    (shardchannel: impl Arg, message: impl Arg) -> i64;
    call => call.with(shardchannel).with(message)
}

declare! {
    /// Listens to shard channels.
    ///
    /// `SSUBSCRIBE shardchannel [shardchannel ...]`
    ///
    /// Since 7.0.0. O(N) where N is the number of shard channels to subscribe to.
    nowhere ssubscribe Ssubscribe ["SSUBSCRIBE"]
    (shardchannel: impl IntoIterator<Item = impl Arg>) -> Value;
    call => call.with_all(shardchannel)
}

declare! {
    /// Listens to channels.
    ///
    /// `SUBSCRIBE channel [channel ...]`
    ///
    /// Since 2.0.0. O(N) where N is the number of channels to subscribe to.
    nowhere subscribe Subscribe ["SUBSCRIBE"]
    (channel: impl IntoIterator<Item = impl Arg>) -> Value;
    call => call.with_all(channel)
}

declare! {
    /// Stops listening to shard channels, to all when none is named.
    ///
    /// `SUNSUBSCRIBE [shardchannel [shardchannel ...]]`
    ///
    /// Since 7.0.0. O(N) where N is the number of shard channels to unsubscribe.
    nowhere sunsubscribe Sunsubscribe ["SUNSUBSCRIBE"]
    () -> Value;
    call => call.gap(0)
}

impl<E, R> Call<E, Sunsubscribe, R> {
    /// `shardchannel [shardchannel ...]`
    pub fn shardchannel(self, shardchannel: impl IntoIterator<Item = impl Arg>) -> Self {
        self.option(0, |r| {
            for one in shardchannel {
                one.add_to(r);
            }
        })
    }
}

declare! {
    /// Stops listening to channels, to all when none is named.
    ///
    /// `UNSUBSCRIBE [channel [channel ...]]`
    ///
    /// Since 2.0.0. O(N) where N is the number of channels to unsubscribe.
    nowhere unsubscribe Unsubscribe ["UNSUBSCRIBE"]
    () -> Value;
    call => call.gap(0)
}

impl<E, R> Call<E, Unsubscribe, R> {
    /// `channel [channel ...]`
    pub fn channel(self, channel: impl IntoIterator<Item = impl Arg>) -> Self {
        self.option(0, |r| {
            for one in channel {
                one.add_to(r);
            }
        })
    }
}
