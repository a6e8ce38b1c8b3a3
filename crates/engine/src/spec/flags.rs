//! Command flags: the properties that gates and introspection ask for.

/// A set of command flags.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Flags(u64);

macro_rules! flags {
    ($($(#[$doc:meta])* $name:ident = $bit:expr, $text:expr;)*) => {
        impl Flags {
            $($(#[$doc])* pub const $name: Flags = Flags(1 << $bit);)*
            /// Flag and wire name, in the order in which `COMMAND INFO` lists them. Internal flags have no name.
            pub const NAMED: &'static [(Flags, &'static str)] = &[$((Flags::$name, $text)),*];
        }
    };
}

flags! {
    /// Changes the keyspace. Implied by the kind of handler.
    WRITE = 0, "write";
    /// Reads the keyspace only. Implied by the kind of handler.
    READONLY = 1, "readonly";
    /// Refused when memory is over the limit and nothing can be evicted.
    DENYOOM = 2, "denyoom";
    /// For operators.
    ADMIN = 3, "admin";
    /// Publish/subscribe.
    PUBSUB = 4, "pubsub";
    /// Not allowed in scripts.
    NOSCRIPT = 5, "noscript";
    /// May block the client.
    BLOCKING = 6, "blocking";
    /// Allowed while data is being loaded.
    LOADING = 7, "loading";
    /// Allowed on a replica with stale data.
    STALE = 8, "stale";
    /// Not shown to MONITOR.
    SKIP_MONITOR = 9, "skip_monitor";
    /// Not kept in the slow log.
    SKIP_SLOWLOG = 10, "skip_slowlog";
    /// Allowed with ASKING.
    ASKING = 11, "asking";
    /// Constant or logarithmic time.
    FAST = 12, "fast";
    /// Allowed before authentication.
    NO_AUTH = 13, "no_auth";
    /// May be replicated although it does not write.
    MAY_REPLICATE = 14, "may_replicate";
    /// Not allowed in MULTI.
    NO_MULTI = 15, "no_multi";
    /// Keys are not at fixed positions.
    MOVABLE_KEYS = 16, "movablekeys";
    /// Not allowed while loading asynchronously.
    NO_ASYNC_LOADING = 17, "no_async_loading";
    /// Allowed while a script is busy.
    ALLOW_BUSY = 18, "allow_busy";
    /// Key specifications may match no key.
    NO_MANDATORY_KEYS = 19, "no_mandatory_keys";
}

impl Flags {
    /// No flag.
    pub const NONE: Flags = Flags(0);
    /// Internal: runs at once in a transaction instead of being queued.
    pub const UNQUEUED: Flags = Flags(1 << 20);
    /// Internal: begins a transaction (MULTI).
    pub const BEGINS_TRANSACTION: Flags = Flags(1 << 32);
    /// Internal: ends a transaction also when it is refused (EXEC).
    pub const ENDS_TRANSACTION: Flags = Flags(1 << 29);
    /// Internal: requests that follow each other in a window are done together, by the last of them (PUBLISH).
    pub const JOINED: Flags = Flags(1 << 33);
    /// Internal: takes no declared key, but looks at the keyspace: a unit that contains it holds everything.
    pub const KEYSPACE: Flags = Flags(1 << 21);
    /// Internal: stopped by a pause of writes although it writes no key (PUBLISH reaches replicas).
    pub const WITH_WRITES: Flags = Flags(1 << 22);
    /// Internal: allowed in RESP2 to a connection that listens to channels.
    pub const SUBSCRIBED: Flags = Flags(1 << 23);
    /// Internal: may run for long, so the runtime must let other connections of the worker move on.
    pub const LONG: Flags = Flags(1 << 24);
    /// Internal: a cut that changes no key (DEBUG, introspection).
    pub const ADMIN_CUT: Flags = Flags(1 << 25);
    /// Internal: does not update access clocks of keys (OBJECT, TOUCH with NO-TOUCH, DEBUG).
    pub const NO_TOUCH: Flags = Flags(1 << 26);
    /// Internal: looks at an expired key as absent without counting a hit or a miss.
    pub const NO_STATS: Flags = Flags(1 << 28);
    /// Internal: updates access clocks of keys even for a client that asked for NO-TOUCH (TOUCH).
    pub const ALWAYS_TOUCH: Flags = Flags(1 << 30);

    /// Internal: of no use to applications, which `COMMAND DOCS` says.
    pub const SYSTEM: Flags = Flags(1 << 31);

    /// Both sets together.
    pub const fn with(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }

    /// Whether all flags of `other` are set.
    pub const fn has(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether any flag of `other` is set.
    pub const fn any(self, other: Flags) -> bool {
        self.0 & other.0 != 0
    }

    /// Wire names of the set flags.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMED
            .iter()
            .filter(move |(f, _)| self.has(*f))
            .map(|(_, n)| *n)
    }
}
