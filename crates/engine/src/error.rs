//! Errors that commands answer with, and their exact wire texts: this is the only place where they are spelled.
//!
//! A [`CommandError`] never closes a connection. The text includes the code, without the leading `-`.

/// An error reply.
#[derive(Clone, PartialEq, Eq)]
pub struct CommandError(Text);

/// Thin pointers, so that the outcome of a command is returned in registers.
#[derive(Clone)]
enum Text {
    Fixed(&'static &'static str),
    Own(Box<Own>),
}

#[derive(Clone)]
struct Own(Vec<u8>);

const _: () = assert!(size_of::<Result<(), CommandError>>() == 2 * size_of::<usize>());

impl Text {
    fn bytes(&self) -> &[u8] {
        match self {
            Text::Fixed(text) => text.as_bytes(),
            Text::Own(own) => &own.0,
        }
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Text) -> bool {
        self.bytes() == other.bytes()
    }
}

impl Eq for Text {}

impl CommandError {
    /// An error with a text that depends on the request. `text` begins with the code.
    pub fn new(text: impl Into<Vec<u8>>) -> CommandError {
        CommandError(Text::Own(Box::new(Own(text.into()))))
    }

    /// An error that repeats a word of the request, as bytes and up to the first NUL.
    ///
    /// compat: Redis formats the word as a C string.
    pub fn quoting(before: &str, word: &[u8], after: &str) -> CommandError {
        CommandError::new([before.as_bytes(), printed(word), after.as_bytes()].concat())
    }

    /// EXEC was refused for a reason of its own.
    pub(crate) fn exec_aborted(reason: &CommandError) -> CommandError {
        let text = reason.text();
        let reason = text.strip_prefix(b"ERR ").unwrap_or(text);
        CommandError::new([b"EXECABORT Transaction discarded because of: ", reason].concat())
    }

    /// The text, code included. Bytes, as it may repeat what a client sent.
    pub fn text(&self) -> &[u8] {
        self.0.bytes()
    }

    /// The code: the first word, or `ERR` where a text has no word that is short enough for one.
    pub fn code(&self) -> &str {
        /// Up to where Redis looks for the end of a code.
        const END_MAX: usize = 31;
        let end = self.text().iter().take(END_MAX).position(|b| *b == b' ');
        let word = end.map(|end| &self.text()[..end]);
        word.and_then(|word| std::str::from_utf8(word).ok())
            .unwrap_or("ERR")
    }
}

/// A word of a request as C would print it: up to the first NUL.
#[must_use]
pub fn printed(word: &[u8]) -> &[u8] {
    &word[..word.iter().position(|b| *b == 0).unwrap_or(word.len())]
}

impl std::fmt::Display for CommandError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&String::from_utf8_lossy(self.text()))
    }
}

impl std::fmt::Debug for CommandError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "CommandError({:?})",
            String::from_utf8_lossy(self.text())
        )
    }
}

impl std::error::Error for CommandError {}

macro_rules! fixed {
    ($($(#[$doc:meta])* $name:ident = $text:expr;)*) => {
        impl CommandError {
            $($(#[$doc])* pub const $name: CommandError = CommandError(Text::Fixed(&$text));)*
        }
    };
}

// General.
fixed! {
    /// Options do not fit together.
    SYNTAX = "ERR syntax error";
    /// A number is not an integer or too large.
    NOT_INTEGER = "ERR value is not an integer or out of range";
    /// A number is not a floating point number.
    NOT_FLOAT = "ERR value is not a valid float";
    /// The key holds another type.
    WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value";
    /// The key must exist.
    NO_SUCH_KEY = "ERR no such key";
    /// Memory is over the limit.
    OOM = "OOM command not allowed when used memory > 'maxmemory'.";
    /// Not authenticated.
    NO_AUTH = "NOAUTH Authentication required.";
    /// A database index that does not exist.
    DB_RANGE = "ERR DB index is out of range";
    /// A string would exceed `proto-max-bulk-len`.
    TOO_LONG = "ERR string exceeds maximum allowed size (proto-max-bulk-len)";
    /// A stripe's table or the allocator is exhausted.
    FULL = "OOM the keyspace cannot hold more entries";
    /// A handler asked for a key that its declaration does not name.
    UNDECLARED_KEY = "ERR internal: the command asked for a key that it does not declare";
    /// A number must be positive.
    NOT_POSITIVE = "ERR value is out of range, must be positive";
    /// An offset is out of range.
    OFFSET = "ERR offset is out of range";
}

// Transactions and blocking.
fixed! {
    /// MULTI within MULTI.
    MULTI_NESTED = "ERR MULTI calls can not be nested";
    /// WATCH within MULTI.
    WATCH_IN_MULTI = "ERR WATCH inside MULTI is not allowed";
    /// EXEC without MULTI.
    EXEC_WITHOUT_MULTI = "ERR EXEC without MULTI";
    /// DISCARD without MULTI.
    DISCARD_WITHOUT_MULTI = "ERR DISCARD without MULTI";
    /// EXEC after a request was refused.
    EXEC_ABORTED = "EXECABORT Transaction discarded because of previous errors.";
    /// A command that a transaction may not contain.
    NOT_IN_MULTI = "ERR Command not allowed inside a transaction";
    /// CLIENT UNBLOCK with ERROR.
    UNBLOCKED = "UNBLOCKED client unblocked via CLIENT UNBLOCK";
    /// A unit lacked a stripe that another one held for too long.
    UNIT_CONFLICT = "ERR undeclared key is in use by another script or transaction, declare it in KEYS";
}

// Connections.
fixed! {
    /// A password was given although none is set.
    NO_PASSWORD_SET = "ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?";
    /// User or password is wrong.
    WRONG_PASS = "WRONGPASS invalid username-password pair or user is disabled.";
    /// HELLO asks for a protocol that is neither RESP2 nor RESP3.
    NO_PROTO = "NOPROTO unsupported protocol version";
    /// HELLO's first argument is no number.
    PROTO_NOT_INTEGER = "ERR Protocol version is not an integer or out of range";
    /// HELLO neither came after AUTH nor brought it.
    HELLO_UNAUTHENTICATED = "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time";
    /// CLIENT SETNAME or HELLO SETNAME with bytes that would break CLIENT LIST.
    CLIENT_NAME = "ERR Client names cannot contain spaces, newlines or special characters.";
    /// A database index beyond 32 bits.
    DB_NOT_INT32 = "ERR value is out of range, value must between -2147483648 and 2147483647";
    /// CLIENT LIST ID with something that is no number.
    CLIENT_ID = "ERR Invalid client ID";
    /// CLIENT KILL with an address that nobody has.
    NO_SUCH_CLIENT = "ERR No such client";
    /// CLIENT KILL ID with something that no client can have.
    CLIENT_ID_NOT_POSITIVE = "ERR client-id should be greater than 0";
    /// CLIENT KILL MAXAGE with something that is no number.
    MAXAGE_NOT_INTEGER = "ERR maxage is not an integer or out of range";
    /// CLIENT KILL MAXAGE with a number that is no age.
    MAXAGE_NOT_POSITIVE = "ERR maxage should be greater than 0";
    /// CLIENT PAUSE with an unknown mode.
    PAUSE_MODE = "ERR CLIENT PAUSE mode must be WRITE or ALL";
    /// A timeout is no number.
    TIMEOUT_NOT_INTEGER = "ERR timeout is not an integer or out of range";
    /// A timeout in seconds is no number.
    TIMEOUT_NOT_FLOAT = "ERR timeout is not a float or out of range";
    /// CLIENT UNBLOCK with an unknown way.
    UNBLOCK_REASON = "ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR";
    /// MONITOR in a transaction.
    MONITOR_DENIED = "ERR MONITOR isn't allowed for DENY BLOCKING client";
    /// A connection that monitors asks for keys.
    REPLICA_CONTEXT = "ERR Replica can't interact with the keyspace";
    /// A timeout lies in the past.
    TIMEOUT_NEGATIVE = "ERR timeout is negative";
    /// A timeout ends beyond what the clock can show.
    TIMEOUT_RANGE = "ERR timeout is out of range";
}

// Client-side caching.
fixed! {
    /// CLIENT TRACKING with two clients to be told instead.
    REDIRECT_TWICE = "ERR A client can only redirect to a single other client";
    /// CLIENT TRACKING with a client to be told instead that is not there.
    REDIRECT_NOBODY = "ERR The client ID you want redirect to does not exist";
    /// CLIENT TRACKING with prefixes, of reads.
    PREFIX_WITHOUT_BCAST = "ERR PREFIX option requires BCAST mode to be enabled";
    /// CLIENT TRACKING of prefixes while it tracks reads, or the other way round.
    BCAST_SWITCH = "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling it with a different mode.";
    /// CLIENT TRACKING with modes that exclude each other.
    BCAST_WITH_OPT = "ERR OPTIN and OPTOUT are not compatible with BCAST";
    /// CLIENT TRACKING with both modes.
    OPTIN_WITH_OPTOUT = "ERR You can't specify both OPTIN mode and OPTOUT mode";
    /// CLIENT TRACKING with the other mode than before.
    OPT_SWITCH = "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then re-enabling it with a different mode.";
    /// CLIENT CACHING where nothing is opted into or out of.
    CACHING_WITHOUT_OPT = "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled";
    /// CLIENT CACHING YES without OPTIN.
    CACHING_YES = "ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.";
    /// CLIENT CACHING NO without OPTOUT.
    CACHING_NO = "ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.";
}

impl CommandError {
    /// CLIENT TRACKING with prefixes of which one contains the other.
    pub fn prefixes_overlap(prefix: &[u8], which: &str, other: &[u8]) -> CommandError {
        let end = "'. Prefixes for a single client must not overlap.";
        CommandError::new(
            [
                b"ERR Prefix '",
                printed(prefix),
                b"' overlaps with ",
                which.as_bytes(),
                b" prefix '",
                printed(other),
                end.as_bytes(),
            ]
            .concat(),
        )
    }

    /// HELLO with an option that is unknown or incomplete.
    pub fn hello_option(word: &[u8]) -> CommandError {
        CommandError::quoting("ERR Syntax error in HELLO option '", word, "'")
    }

    /// CLIENT SETINFO with an unknown attribute.
    pub fn client_attribute(word: &[u8]) -> CommandError {
        CommandError::quoting("ERR Unrecognized option '", word, "'")
    }

    /// CLIENT SETINFO with bytes that would break CLIENT LIST.
    pub fn client_attribute_value(word: &[u8]) -> CommandError {
        CommandError::quoting(
            "ERR ",
            word,
            " cannot contain spaces, newlines or special characters.",
        )
    }

    /// A class of clients that does not exist.
    pub fn client_type(word: &[u8]) -> CommandError {
        CommandError::quoting("ERR Unknown client type '", word, "'")
    }

    /// A user that does not exist.
    pub fn no_such_user(name: &[u8]) -> CommandError {
        CommandError::quoting("ERR No such user '", name, "'")
    }

    /// A command that a connection in RESP2 may not use while it listens.
    pub fn subscribed(name: &str) -> CommandError {
        CommandError::new(format!(
            "ERR Can't execute '{name}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context"
        ))
    }

    /// A command that the user who runs a script may not use; `reason` is a sentence without a code.
    pub fn acl_in_script(reason: &[u8]) -> CommandError {
        CommandError::new([b"ERR ACL failure in script: ", reason].concat())
    }

    /// A subcommand with too many arguments, found by its handler.
    pub fn subcommand_syntax(container: &str, word: &[u8]) -> CommandError {
        let after = format!("'. Try {container} HELP.");
        CommandError::quoting(
            "ERR unknown subcommand or wrong number of arguments for '",
            word,
            &after,
        )
    }
}

// Access control.
fixed! {
    /// ACL SETUSER with a name that would break a line of the ACL file.
    ACL_NAME = "ERR Usernames can't contain spaces or null characters";
    /// ACL DELUSER of the user that has to exist.
    ACL_DEFAULT_USER = "ERR The 'default' user cannot be removed";
    /// ACL GENPASS with a number of bits that is none.
    ACL_GENPASS = "ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to 4096";
    /// ACL GENPASS without random numbers.
    ACL_NO_ENTROPY = "ERR The operating system gives no random numbers";
    /// ACL LOAD or ACL SAVE without `aclfile`.
    ACL_NO_FILE = "ERR This Redis instance is not configured to use an ACL file. You may want to specify users via the ACL SETUSER command and then issue a CONFIG REWRITE (assuming you have a Redis configuration file set) in order to store users in the Redis configuration.";
    /// ACL SAVE could not write.
    ACL_SAVE = "ERR There was an error trying to save the ACLs. Please check the server logs for more information";
    /// A queued command that may no longer be run.
    ACL_CHANGED_COMMAND = "NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. This command is no longer allowed for the following reason: no permission to execute the command or subcommand";
    /// A queued command whose keys may no longer be used.
    ACL_CHANGED_KEY = "NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. This command is no longer allowed for the following reason: no permission to touch the specified keys";
    /// A queued command whose channels may no longer be used.
    ACL_CHANGED_CHANNEL = "NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. This command is no longer allowed for the following reason: no permission to access one of the channels used as arguments";
    /// SORT BY by somebody who may not read every key.
    SORT_BY_DENIED = "ERR BY option of SORT denied due to insufficient ACL permissions.";
    /// SORT GET by somebody who may not read every key.
    SORT_GET_DENIED = "ERR GET option of SORT denied due to insufficient ACL permissions.";
}

impl CommandError {
    /// ACL SETUSER with a word that cannot be, and why.
    pub fn acl_modifier(word: &[u8], reason: &str) -> CommandError {
        let after = format!("': {reason}");
        CommandError::quoting("ERR Error in ACL SETUSER modifier '", word, &after)
    }

    /// ACL SETUSER with a parenthesis that is never closed.
    pub fn acl_unmatched(word: &[u8]) -> CommandError {
        CommandError::quoting(
            "ERR Unmatched parenthesis in acl selector starting at '",
            word,
            "'.",
        )
    }

    /// ACL CAT of a category that does not exist; as much of its name is shown as Redis shows.
    pub fn acl_category(word: &[u8]) -> CommandError {
        const SHOWN: usize = 128;
        let shown = &word[..word.len().min(SHOWN)];
        CommandError::quoting("ERR Unknown category '", shown, "'")
    }

    /// ACL DRYRUN for a user that does not exist.
    pub fn acl_no_user(word: &[u8]) -> CommandError {
        CommandError::quoting("ERR User '", word, "' not found")
    }

    /// ACL DRYRUN of a command that does not exist.
    pub fn acl_no_command(word: &[u8]) -> CommandError {
        CommandError::quoting("ERR Command '", word, "' not found")
    }
}

// Bitmaps.
fixed! {
    /// A bit offset is no number, negative, or beyond `proto-max-bulk-len`.
    BIT_OFFSET = "ERR bit offset is not an integer or out of range";
    /// SETBIT takes 0 or 1.
    BIT_VALUE = "ERR bit is not an integer or out of range";
    /// BITPOS takes 0 or 1.
    BIT_SOUGHT = "ERR The bit argument must be 1 or 0.";
    /// BITOP NOT with several sources.
    BITOP_NOT = "ERR BITOP NOT must be called with a single source key.";
    /// No such field type.
    BITFIELD_TYPE = "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.";
    /// OVERFLOW takes WRAP, SAT or FAIL.
    BITFIELD_OVERFLOW = "ERR Invalid OVERFLOW type specified";
    /// BITFIELD_RO with a subcommand that writes.
    BITFIELD_READ_ONLY = "ERR BITFIELD_RO only supports the GET subcommand";
}

impl CommandError {
    /// A BITOP operation that needs two sources was given one.
    pub fn bitop_sources(operation: &str) -> CommandError {
        CommandError::new(format!(
            "ERR BITOP {operation} must be called with at least two source keys."
        ))
    }
}

// Serialised values and OBJECT.
fixed! {
    /// RESTORE without REPLACE on a key that exists.
    BUSY_KEY = "BUSYKEY Target key name already exists.";
    /// RESTORE with a negative TTL.
    RESTORE_TTL = "ERR Invalid TTL value, must be >= 0";
    /// RESTORE with a negative IDLETIME.
    RESTORE_IDLETIME = "ERR Invalid IDLETIME value, must be >= 0";
    /// RESTORE with a FREQ that is no byte.
    RESTORE_FREQ = "ERR Invalid FREQ value, must be >= 0 and <= 255";
    /// A payload's footer does not fit it.
    RESTORE_FOOTER = "ERR DUMP payload version or checksum are wrong";
    /// A payload's content cannot be understood.
    RESTORE_DATA = "ERR Bad data format";
    /// OBJECT FREQ without an LFU policy.
    NO_LFU = "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.";
    /// OBJECT IDLETIME with an LFU policy.
    IS_LFU = "ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.";
}

// Scripts.
fixed! {
    /// A script calls a command that does not exist.
    SCRIPT_UNKNOWN_COMMAND = "ERR Unknown Redis command called from script";
    /// A script calls a command with a wrong number of arguments.
    SCRIPT_ARITY = "ERR Wrong number of args calling Redis command from script";
    /// A script calls a command that scripts must not call.
    SCRIPT_DENIED = "ERR This Redis command is not allowed from script";
    /// A script that must not write does.
    SCRIPT_READ_ONLY = "ERR Write commands are not allowed from read-only scripts.";
    /// A script that may write is called by a command that must not.
    SCRIPT_WRITES = "ERR Can not execute a script with write flag using *_ro command.";
    /// A SHA-1 that no script has.
    NO_SCRIPT = "NOSCRIPT No matching script. Please use EVAL.";
    /// A number of keys below zero.
    NUMKEYS_NEGATIVE = "ERR Number of keys can't be negative";
    /// FCALL with a number of keys that is none.
    NUMKEYS_BAD = "ERR Bad number of keys provided";
    /// FCALL of a function that does not exist.
    NO_FUNCTION = "ERR Function not found";
    /// A library that does not exist.
    NO_LIBRARY = "ERR Library not found";
    /// A script has been running for long.
    BUSY_SCRIPT = "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.";
    /// A function has been running for long.
    BUSY_FUNCTION = "BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE.";
    /// Nothing to kill.
    NOT_BUSY = "NOTBUSY No scripts in execution right now.";
    /// What runs has changed keys already.
    UNKILLABLE = "UNKILLABLE Sorry the script already executed write commands against the dataset. You can either wait the script termination or kill the server in a hard way using the SHUTDOWN NOSAVE command.";
    /// SCRIPT FLUSH with an unknown mode.
    SCRIPT_FLUSH_MODE = "ERR SCRIPT FLUSH only support SYNC|ASYNC option";
    /// FUNCTION FLUSH with an unknown mode.
    FUNCTION_FLUSH_MODE = "ERR FUNCTION FLUSH only supports SYNC|ASYNC option";
    /// SCRIPT DEBUG with an unknown mode.
    SCRIPT_DEBUG_MODE = "ERR Use SCRIPT DEBUG YES/SYNC/NO";
    /// There is no debugger.
    SCRIPT_DEBUG_ABSENT = "ERR the script debugger is not supported by this version of Ochre";
    /// FUNCTION LIST LIBRARYNAME without a name.
    LIBRARY_NAME_MISSING = "ERR library name argument was not given";
    /// FUNCTION RESTORE with an unknown policy.
    RESTORE_POLICY = "ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.";
    /// A payload of functions holds something else.
    FUNCTION_PAYLOAD_TYPE = "ERR given type is not a function";
    /// A payload of functions cannot be read.
    FUNCTION_PAYLOAD = "ERR Failed loading library data";
}

// Keys of any type.
fixed! {
    /// EXPIRE conditions that exclude each other.
    NX_CONFLICT = "ERR NX and XX, GT or LT options at the same time are not compatible";
    /// EXPIRE conditions that exclude each other.
    GT_LT_CONFLICT = "ERR GT and LT options at the same time are not compatible";
    /// A key cannot be copied or moved onto itself.
    SAME_OBJECT = "ERR source and destination objects are the same";
    /// A SCAN cursor is not a number.
    INVALID_CURSOR = "ERR invalid cursor";
    /// A number is neither 0 nor 1.
    NOT_ZERO_OR_ONE = "ERR value is out of range, value must between 0 and 1";
    /// WAITAOF asks for a local file that is not written.
    WAITAOF_DISABLED = "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.";
}

impl CommandError {
    /// EXPIRE got a word that is not one of its options.
    pub(crate) fn unsupported_option(option: &[u8]) -> CommandError {
        CommandError::quoting("ERR Unsupported option ", option, "")
    }
}

// Strings.
fixed! {
    /// A sum does not fit 64 bits.
    OVERFLOW = "ERR increment or decrement would overflow";
    /// The smallest integer cannot be negated.
    DECREMENT_OVERFLOW = "ERR decrement would overflow";
    /// A sum is not a finite number.
    NAN_OR_INFINITY = "ERR increment would produce NaN or Infinity";
    /// INCREX saturated by a distance that does not fit the type.
    APPLIED_OVERFLOW = "ERR applied increment would overflow";
    /// INCREX with bounds that admit no value.
    BOUNDS_CROSSED = "ERR LBOUND can't be greater than UBOUND";
    /// LCS of something else than strings.
    LCS_TYPE = "ERR The specified keys must contain string values";
    /// LCS with LEN and IDX.
    LCS_BOTH = "ERR If you want both the length and indexes, please just use IDX.";
    /// LCS of strings whose table would be too large.
    LCS_TOO_LARGE = "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len";
    /// LCS found no memory for its table.
    LCS_NO_MEMORY = "ERR Insufficient memory, failed allocating transient memory for LCS";
    /// A digest to compare with is malformed.
    DIGEST_LENGTH = "ERR must be exactly 16 hexadecimal characters";
    /// DELEX with a condition on something else than a string.
    DELEX_TYPE = "ERR Key should be of string type if conditions are specified";
    /// DELEX with an unknown condition.
    DELEX_CONDITION = "ERR Invalid condition. Use IFEQ, IFNE, IFDEQ, or IFDNE";
    /// SORT: an element or weight is no number.
    SORT_SCORE = "ERR One or more scores can't be converted into double";
    /// MSETEX with a count of keys that is none.
    NUMKEYS = "ERR invalid numkeys value or out of range";
}

impl CommandError {
    /// A time to expire at cannot be expressed.
    pub(crate) fn invalid_expire(command: &str) -> CommandError {
        CommandError::new(format!("ERR invalid expire time in '{command}' command"))
    }
}

// Hashes.
fixed! {
    /// HINCRBY of a field that is no integer.
    HASH_NOT_INTEGER = "ERR hash value is not an integer";
    /// HINCRBYFLOAT of a field that is no number.
    HASH_NOT_FLOAT = "ERR hash value is not a float";
    /// HINCRBYFLOAT by an infinite number.
    INCREMENT_INFINITE = "ERR value is NaN or Infinity";
    /// HGETDEL without FIELDS where it belongs.
    FIELDS_MISSING = "ERR Mandatory argument FIELDS is missing or not at the right position";
    /// HGETDEL with a number of fields that is none.
    NUMFIELDS = "ERR Number of fields must be a positive integer";
    /// HGETDEL with more or fewer fields than announced.
    NUMFIELDS_MISMATCH = "ERR The `numfields` parameter must match the number of arguments";
    /// A count of random elements that cannot be negated.
    COUNT_RANGE = "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807";
    /// A count of random elements that, with their values, would be too many for a reply.
    OUT_OF_RANGE = "ERR value is out of range";
}

// Lists.
fixed! {
    /// LSET beyond the ends of a list.
    INDEX_RANGE = "ERR index out of range";
    /// A number that cannot be negated.
    NOT_SYMMETRIC = "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807";
    /// LPOS with a rank that names no match.
    RANK_ZERO = "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative to start from the end of the list";
    /// LPOS with a count that is none.
    COUNT_NEGATIVE = "ERR COUNT can't be negative";
    /// LPOS with a length that is none.
    MAXLEN_NEGATIVE = "ERR MAXLEN can't be negative";
    /// A count of keys that is none.
    NUMKEYS_NOT_POSITIVE = "ERR numkeys should be greater than 0";
    /// LMPOP with a count of elements that is none.
    COUNT_NOT_POSITIVE = "ERR count should be greater than 0";
    /// DEBUG LISTPACK of something else.
    NOT_LISTPACK = "ERR Not a listpack encoded object.";
    /// DEBUG QUICKLIST of something else.
    NOT_QUICKLIST = "ERR Not a quicklist encoded object.";
    /// DEBUG QUICKLIST-PACKED-THRESHOLD with a size that is none.
    PACKED_THRESHOLD = "ERR argument must be a memory value bigger than 1 and smaller than 4gb";
}

// Sets.
fixed! {
    /// More keys announced than there are arguments.
    NUMKEYS_MANY = "ERR Number of keys can't be greater than number of args";
    /// A LIMIT that is none.
    LIMIT_NEGATIVE = "ERR LIMIT can't be negative";
    /// An option of HSCAN given to another command.
    NOVALUES = "ERR NOVALUES option can only be used in HSCAN";
}

// Sorted sets.
fixed! {
    /// ZADD conditions that exclude each other.
    XX_AND_NX = "ERR XX and NX options at the same time are not compatible";
    /// ZADD conditions that exclude each other.
    GT_LT_NX = "ERR GT, LT, and/or NX options at the same time are not compatible";
    /// ZADD INCR with several members.
    INCR_PAIRS = "ERR INCR option supports a single increment-element pair";
    /// A sum of infinities.
    SCORE_NAN = "ERR resulting score is not a number (NaN)";
    /// A bound is no score.
    SCORE_BOUND = "ERR min or max is not a float";
    /// A bound is no member.
    LEX_BOUND = "ERR min or max not valid string range item";
    /// ZRANGE by rank with LIMIT.
    LIMIT_BY_RANK = "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX";
    /// ZRANGE BYLEX WITHSCORES.
    WITHSCORES_BY_LEX = "ERR syntax error, WITHSCORES not supported in combination with BYLEX";
    /// A weight is no number.
    WEIGHT = "ERR weight value is not a float";
}

impl CommandError {
    /// A combination of no sorted set.
    pub(crate) fn needs_input_key(command: &str) -> CommandError {
        CommandError::new(format!(
            "ERR at least 1 input key is needed for '{command}' command"
        ))
    }
}

// Server.
fixed! {
    /// COMMAND GETKEYS of a command that does not exist.
    GETKEYS_COMMAND = "ERR Invalid command specified";
    /// COMMAND GETKEYS of a command without keys.
    GETKEYS_NONE = "ERR The command has no key arguments";
    /// COMMAND GETKEYS with too few or too many arguments.
    GETKEYS_ARITY = "ERR Invalid number of arguments specified for command";
    /// COMMAND GETKEYS with arguments that name no keys.
    GETKEYS_ARGUMENTS = "ERR Invalid arguments specified for command";
    /// CONFIG REWRITE without a settings file.
    NO_CONFIG_FILE = "ERR The server is running without a config file";
    /// SWAPDB with a first index that is no number.
    SWAPDB_FIRST = "ERR invalid first DB index";
    /// SWAPDB with a second index that is no number.
    SWAPDB_SECOND = "ERR invalid second DB index";
    /// SLOWLOG GET with a count below -1.
    SLOWLOG_COUNT = "ERR count should be greater than or equal to -1";
    /// SHUTDOWN ABORT while nothing stops.
    NO_SHUTDOWN = "ERR No shutdown in progress.";
    /// SHUTDOWN SAVE: there is no persistence.
    NO_SAVE = "ERR SHUTDOWN SAVE is not possible: this version of Ochre does not write its data to disk";
    /// DEBUG while `enable-debug-command` forbids it.
    DEBUG_DISABLED = "ERR DEBUG command not allowed. If the enable-debug-command option is set to \"local\", you can run it from a local connection, otherwise you need to set this option in the configuration file, and then restart the server.";
    /// DEBUG PROTOCOL with an unknown type.
    DEBUG_PROTOCOL = "ERR Wrong protocol type name. Please use one of the following: string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false";
    /// DEBUG PROTOCOL push in RESP2.
    NEEDS_RESP3 = "ERR RESP2 is not supported by this command";
    /// DEBUG HTSTATS-KEY on a value that is no hash table.
    NO_HASH_TABLE = "ERR The value stored at the specified key is not represented using an hash table";
}

impl CommandError {
    /// CONFIG SET changed nothing.
    pub fn config_set(error: &crate::settings::SetError) -> CommandError {
        CommandError::new(error.to_reply())
    }

    /// CONFIG REWRITE failed.
    pub fn config_rewrite(reason: &std::io::Error) -> CommandError {
        CommandError::new(format!("ERR Rewriting config file: {reason}"))
    }

    /// LATENCY GRAPH of an event that did not happen.
    pub fn no_samples(event: &[u8]) -> CommandError {
        CommandError::quoting("ERR No samples available for event '", event, "'")
    }
}

impl From<crate::keyspace::Full> for CommandError {
    fn from(_: crate::keyspace::Full) -> CommandError {
        CommandError::FULL
    }
}

impl From<ochre_ds::dict::Full> for CommandError {
    fn from(_: ochre_ds::dict::Full) -> CommandError {
        CommandError::FULL
    }
}
