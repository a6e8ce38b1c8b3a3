//! ACL categories, as `ACL CAT` and `COMMAND INFO` name them.

/// A set of ACL categories.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Categories(u32);

macro_rules! categories {
    ($($name:ident = $bit:expr, $text:expr;)*) => {
        #[allow(missing_docs)] // each constant is the category of the same name
        impl Categories {
            $(pub const $name: Categories = Categories(1 << $bit);)*
            /// Category and name in Redis's order.
            pub const NAMED: &'static [(Categories, &'static str)] = &[$((Categories::$name, $text)),*];
        }
    };
}

categories! {
    KEYSPACE = 0, "keyspace";
    READ = 1, "read";
    WRITE = 2, "write";
    SET = 3, "set";
    SORTEDSET = 4, "sortedset";
    LIST = 5, "list";
    HASH = 6, "hash";
    STRING = 7, "string";
    BITMAP = 8, "bitmap";
    HYPERLOGLOG = 9, "hyperloglog";
    GEO = 10, "geo";
    STREAM = 11, "stream";
    PUBSUB = 12, "pubsub";
    ADMIN = 13, "admin";
    FAST = 14, "fast";
    SLOW = 15, "slow";
    BLOCKING = 16, "blocking";
    DANGEROUS = 17, "dangerous";
    CONNECTION = 18, "connection";
    TRANSACTION = 19, "transaction";
    SCRIPTING = 20, "scripting";
}

impl Categories {
    /// No category.
    pub const NONE: Categories = Categories(0);

    /// Both sets together.
    pub const fn with(self, other: Categories) -> Categories {
        Categories(self.0 | other.0)
    }

    /// Whether all of `other` are in the set.
    pub const fn has(self, other: Categories) -> bool {
        self.0 & other.0 == other.0
    }

    /// The category of that name, in any case.
    pub fn named(name: &[u8]) -> Option<Categories> {
        let mut all = Self::NAMED.iter();
        all.find(|(_, n)| n.as_bytes().eq_ignore_ascii_case(name))
            .map(|(c, _)| *c)
    }

    /// Names of the members.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMED
            .iter()
            .filter(move |(c, _)| self.has(*c))
            .map(|(_, n)| *n)
    }
}
