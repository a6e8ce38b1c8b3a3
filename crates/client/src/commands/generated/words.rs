// Written from the command table; `OCHRE_BLESS=1 cargo test -p ochre-testkit --test client_commands` writes it anew.
//! Words of which a command takes one.

use crate::commands::words;

words! {
    /// One of `BEFORE`, `AFTER`.
    Beside
    Before = "BEFORE"
    After = "AFTER"
}

words! {
    /// One of `BYTE`, `BIT`.
    BitcountUnit
    Byte = "BYTE"
    Bit = "BIT"
}

words! {
    /// One of `AND`, `OR`, `XOR`, `NOT`, `DIFF`, `DIFF1`, `ANDOR`, `ONE`.
    BitopOperation
    And = "AND"
    Or = "OR"
    Xor = "XOR"
    Not = "NOT"
    Diff = "DIFF"
    Diff1 = "DIFF1"
    Andor = "ANDOR"
    One = "ONE"
}

words! {
    /// One of `OBO`, `BULK`.
    BlmovemOrdering
    Obo = "OBO"
    Bulk = "BULK"
}

words! {
    /// One of `YES`, `NO`.
    ClientCachingMode
    Yes = "YES"
    No = "NO"
}

words! {
    /// One of `NORMAL`, `MASTER`, `REPLICA`, `PUBSUB`.
    ClientListClientType
    Normal = "NORMAL"
    Master = "MASTER"
    Replica = "REPLICA"
    Pubsub = "PUBSUB"
}

words! {
    /// One of `ON`, `OFF`, `SKIP`.
    ClientReplyAction
    On = "ON"
    Off = "OFF"
    Skip = "SKIP"
}

words! {
    /// One of `MIN`, `MAX`.
    Extreme
    Min = "MIN"
    Max = "MAX"
}

words! {
    /// One of `OBO`, `BULK`.
    LmovemOrdering
    Obo = "OBO"
    Bulk = "BULK"
}

words! {
    /// One of `YES`, `SYNC`, `NO`.
    ScriptDebugMode
    Yes = "YES"
    Sync = "SYNC"
    No = "NO"
}

words! {
    /// One of `LEFT`, `RIGHT`.
    Side
    Left = "LEFT"
    Right = "RIGHT"
}

words! {
    /// One of `ON`, `OFF`.
    Switch
    On = "ON"
    Off = "OFF"
}

words! {
    /// One of `SUM`, `MIN`, `MAX`, `COUNT`.
    ZinterAggregate
    Sum = "SUM"
    Min = "MIN"
    Max = "MAX"
    Count = "COUNT"
}

words! {
    /// One of `SUM`, `MIN`, `MAX`, `COUNT`.
    ZinterstoreAggregate
    Sum = "SUM"
    Min = "MIN"
    Max = "MAX"
    Count = "COUNT"
}

words! {
    /// One of `SUM`, `MIN`, `MAX`, `COUNT`.
    ZunionAggregate
    Sum = "SUM"
    Min = "MIN"
    Max = "MAX"
    Count = "COUNT"
}

words! {
    /// One of `SUM`, `MIN`, `MAX`, `COUNT`.
    ZunionstoreAggregate
    Sum = "SUM"
    Min = "MIN"
    Max = "MAX"
    Count = "COUNT"
}
