// Written from the command table; `OCHRE_BLESS=1 cargo test -p ochre-testkit --test client_commands` writes it anew.
//! Commands of the group `server`.

use crate::arg::Arg;
use crate::call::Call;
use crate::commands::declare;
use crate::value::Value;

declare! {
    /// Draws the spikes of an event.
    ///
    /// `LATENCY GRAPH event`
    ///
    /// Since 2.8.13. O(1).
    everywhere latency_graph LatencyGraph ["LATENCY", "GRAPH"]
    (event: impl Arg) -> Value;
    call => call.with(event)
}

declare! {
    /// Explains the subcommands.
    ///
    /// `LATENCY HELP`
    ///
    /// Since 2.8.13. O(1).
    everywhere latency_help LatencyHelp ["LATENCY", "HELP"]
    () -> Vec<String>;
    call => call
}

declare! {
    /// Returns how long the calls of the named commands took, or of all: cumulative counts by microseconds.
    ///
    /// `LATENCY HISTOGRAM [command [command ...]]`
    ///
    /// Since 7.0.0. O(N) where N is the number of commands with latency information being retrieved.
    everywhere latency_histogram LatencyHistogram ["LATENCY", "HISTOGRAM"]
    () -> Value;
    call => call.gap(0)
}

impl<E, R> Call<E, LatencyHistogram, R> {
    /// `command [command ...]`
    pub fn command(self, command: impl IntoIterator<Item = impl Arg>) -> Self {
        self.option(0, |r| {
            for one in command {
                one.add_to(r);
            }
        })
    }
}

declare! {
    /// Returns the spikes of an event: Unix seconds and milliseconds of each.
    ///
    /// `LATENCY HISTORY event`
    ///
    /// Since 2.8.13. O(1).
    everywhere latency_history LatencyHistory ["LATENCY", "HISTORY"]
    (event: impl Arg) -> Value;
    call => call.with(event)
}

declare! {
    /// Returns the last spike of every event: its name, Unix seconds, milliseconds, and the worst milliseconds ever.
    ///
    /// `LATENCY LATEST`
    ///
    /// Since 2.8.13. O(1).
    everywhere latency_latest LatencyLatest ["LATENCY", "LATEST"]
    () -> Value;
    call => call
}

declare! {
    /// Forgets the spikes of the named events, or of all.
    ///
    /// `LATENCY RESET [event [event ...]]`
    ///
    /// Since 2.8.13. O(1).
    everywhere latency_reset LatencyReset ["LATENCY", "RESET"]
    () -> i64;
    call => call.gap(0)
}

impl<E, R> Call<E, LatencyReset, R> {
    /// `event [event ...]`
    pub fn event(self, event: impl IntoIterator<Item = impl Arg>) -> Self {
        self.option(0, |r| {
            for one in event {
                one.add_to(r);
            }
        })
    }
}

declare! {
    /// Draws something and tells the version.
    ///
    /// `LOLWUT [VERSION version]`
    ///
    /// Since 5.0.0. 
    everywhere lolwut Lolwut ["LOLWUT"]
    () -> String;
    call => call.gap(0)
}

impl<E, R> Call<E, Lolwut, R> {
    /// `VERSION version`
    pub fn version(self, version: i64) -> Self {
        self.option(0, |r| {
            r.push(b"VERSION");
            version.add_to(r);
        })
    }
}

declare! {
    /// Reports what looks wrong with the server's memory.
    ///
    /// `MEMORY DOCTOR`
    ///
    /// Since 4.0.0. O(1).
    everywhere memory_doctor MemoryDoctor ["MEMORY", "DOCTOR"]
    () -> String;
    call => call
}

declare! {
    /// Explains the subcommands.
    ///
    /// `MEMORY HELP`
    ///
    /// Since 4.0.0. O(1).
    everywhere memory_help MemoryHelp ["MEMORY", "HELP"]
    () -> Vec<String>;
    call => call
}

declare! {
    /// Returns the allocator's own report.
    ///
    /// `MEMORY MALLOC-STATS`
    ///
    /// Since 4.0.0. Depends on how much memory is allocated, could be slow.
    everywhere memory_malloc_stats MemoryMallocStats ["MEMORY", "MALLOC-STATS"]
    () -> String;
    call => call
}

declare! {
    /// Asks the allocator to give unused memory back.
    ///
    /// `MEMORY PURGE`
    ///
    /// Since 4.0.0. Depends on how much memory is allocated, could be slow.
    everywhere memory_purge MemoryPurge ["MEMORY", "PURGE"]
    () -> ();
    call => call
}

declare! {
    /// Returns figures on the server's memory.
    ///
    /// `MEMORY STATS`
    ///
    /// Since 4.0.0. O(1).
    everywhere memory_stats MemoryStats ["MEMORY", "STATS"]
    () -> Value;
    call => call
}

declare! {
    /// Returns the bytes that a key and its value take.
    ///
    /// `MEMORY USAGE key [SAMPLES count]`
    ///
    /// Since 4.0.0. O(N) where N is the number of samples.
    everywhere memory_usage MemoryUsage ["MEMORY", "USAGE"]
    (key: impl Arg) -> Option<i64>;
    call => call.with(key).gap(0)
}

impl<E, R> Call<E, MemoryUsage, R> {
    /// `SAMPLES count`
    pub fn samples(self, count: i64) -> Self {
        self.option(0, |r| {
            r.push(b"SAMPLES");
            count.add_to(r);
        })
    }
}

declare! {
    /// Shows the connection every command that is executed, as it happens.
    ///
    /// `MONITOR`
    ///
    /// Since 1.0.0. 
    nowhere monitor Monitor ["MONITOR"]
    () -> Value;
    call => call
}

declare! {
    /// Does what RESTORE does, for keys that migrate between nodes.
    ///
    /// `RESTORE-ASKING key ttl serialized-value [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency]`
    ///
    /// Since 3.0.0. O(1) to create the new key and additional O(N*M) to reconstruct the serialized value, where N is the number of Redis objects composing the value and M their average size. For small string values the time complexity is thus O(1)+O(1*M) where M is small, so simply O(1). However for sorted set values the complexity is O(N*M*log(N)) because inserting values into sorted sets is O(log(N)).
    everywhere restore_asking RestoreAsking ["RESTORE-ASKING"]
    (key: impl Arg, ttl: i64, serialized_value: impl Arg) -> Value;
    call => call.with(key).with(ttl).with(serialized_value).gap(0)
}

impl<E, R> Call<E, RestoreAsking, R> {
    /// `REPLACE`
    pub fn replace(self) -> Self {
        self.option(0, |r| r.push(b"REPLACE"))
    }

    /// `ABSTTL`
    pub fn absttl(self) -> Self {
        self.option(0, |r| r.push(b"ABSTTL"))
    }

    /// `IDLETIME seconds`
    pub fn idletime(self, seconds: i64) -> Self {
        self.option(0, |r| {
            r.push(b"IDLETIME");
            seconds.add_to(r);
        })
    }

    /// `FREQ frequency`
    pub fn freq(self, frequency: i64) -> Self {
        self.option(0, |r| {
            r.push(b"FREQ");
            frequency.add_to(r);
        })
    }
}

declare! {
    /// Stops the server.
    ///
    /// `SHUTDOWN [NOSAVE | SAVE] [NOW] [FORCE] [ABORT]`
    ///
    /// Since 1.0.0. O(N) when saving, where N is the total number of keys in all databases when saving data, otherwise O(1).
    everywhere shutdown Shutdown ["SHUTDOWN"]
    () -> ();
    call => call.gap(0)
}

impl<E, R> Call<E, Shutdown, R> {
    /// `NOSAVE`
    pub fn nosave(self) -> Self {
        self.option(0, |r| r.push(b"NOSAVE"))
    }

    /// `SAVE`
    pub fn save(self) -> Self {
        self.option(0, |r| r.push(b"SAVE"))
    }

    /// `NOW`
    pub fn now(self) -> Self {
        self.option(0, |r| r.push(b"NOW"))
    }

    /// `FORCE`
    pub fn force(self) -> Self {
        self.option(0, |r| r.push(b"FORCE"))
    }

    /// `ABORT`
    pub fn abort(self) -> Self {
        self.option(0, |r| r.push(b"ABORT"))
    }
}
