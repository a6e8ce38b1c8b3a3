// Written from the command table; `OCHRE_BLESS=1 cargo test -p ochre-testkit --test client_commands` writes it anew.
//! Commands of the group `connection`.

use crate::arg::Arg;
use crate::call::Call;
use crate::commands::declare;
use bytes::Bytes;
use super::words::{ClientCachingMode, ClientListClientType, ClientReplyAction, Switch};

declare! {
    /// Authenticates the connection with a password, or a user name and a password.
    ///
    /// `AUTH [username] password`
    ///
    /// Since 1.0.0. O(N) where N is the number of passwords defined for the user.
    alone auth Auth ["AUTH"]
    (password: impl Arg) -> ();
    call => call.gap(0).with(password)
}

impl<E, R> Call<E, Auth, R> {
    /// `username`
    pub fn username(self, username: impl Arg) -> Self {
        self.option(0, |r| {
            username.add_to(r);
        })
    }
}

declare! {
    /// Says whether the keys that the next request reads are to be tracked.
    ///
    /// `CLIENT CACHING <YES | NO>`
    ///
    /// Since 6.0.0. O(1).
    everywhere client_caching ClientCaching ["CLIENT", "CACHING"]
    (mode: ClientCachingMode) -> ();
    call => call.with(mode)
}

declare! {
    /// Returns the name of the connection.
    ///
    /// `CLIENT GETNAME`
    ///
    /// Since 2.6.9. O(1).
    everywhere client_getname ClientGetname ["CLIENT", "GETNAME"]
    () -> Option<Bytes>;
    call => call
}

declare! {
    /// Returns the client that is told of changed keys in place of the connection: 0 for none, -1 without tracking.
    ///
    /// `CLIENT GETREDIR`
    ///
    /// Since 6.0.0. O(1).
    everywhere client_getredir ClientGetredir ["CLIENT", "GETREDIR"]
    () -> i64;
    call => call
}

declare! {
    /// Lists the subcommands.
    ///
    /// `CLIENT HELP`
    ///
    /// Since 5.0.0. O(1).
    everywhere client_help ClientHelp ["CLIENT", "HELP"]
    () -> Vec<String>;
    call => call
}

declare! {
    /// Returns the number of the connection, which no other one ever has.
    ///
    /// `CLIENT ID`
    ///
    /// Since 5.0.0. O(1).
    everywhere client_id ClientId ["CLIENT", "ID"]
    () -> i64;
    call => call
}

declare! {
    /// Describes the connection itself, as CLIENT LIST does.
    ///
    /// `CLIENT INFO`
    ///
    /// Since 6.2.0. O(1).
    everywhere client_info ClientInfo ["CLIENT", "INFO"]
    () -> String;
    call => call
}

declare! {
    /// Closes the connections that match an address or all given filters.
    ///
    /// `CLIENT KILL <old-format | <[ID client-id] | [TYPE <NORMAL | MASTER | SLAVE | REPLICA | PUBSUB>] | [USER username] | [ADDR addr] | [LADDR laddr] | [SKIPME <YES | NO>] | [MAXAGE maxage]> [<[ID client-id] | [TYPE <NORMAL | MASTER | SLAVE | REPLICA | PUBSUB>] | [USER username] | [ADDR addr] | [LADDR laddr] | [SKIPME <YES | NO>] | [MAXAGE maxage]> ...]>`
    ///
    /// Since 2.4.0. O(N) where N is the number of client connections.
    everywhere client_kill ClientKill ["CLIENT", "KILL"]
    (filter: impl IntoIterator<Item = impl Arg>) -> i64;
    call => call.with_all(filter)
}

declare! {
    /// Describes the open connections, one on a line.
    ///
    /// `CLIENT LIST [TYPE <NORMAL | MASTER | REPLICA | PUBSUB>] [ID client-id [client-id ...]]`
    ///
    /// Since 2.4.0. O(N) where N is the number of client connections.
    everywhere client_list ClientList ["CLIENT", "LIST"]
    () -> String;
    call => call.gap(0)
}

impl<E, R> Call<E, ClientList, R> {
    /// `TYPE <NORMAL | MASTER | REPLICA | PUBSUB>`
    pub fn type_(self, client_type: ClientListClientType) -> Self {
        self.option(0, |r| {
            r.push(b"TYPE");
            client_type.add_to(r);
        })
    }

    /// `ID client-id [client-id ...]`
    pub fn id(self, client_id: impl IntoIterator<Item = i64>) -> Self {
        self.option(0, |r| {
            r.push(b"ID");
            for one in client_id {
                one.add_to(r);
            }
        })
    }
}

declare! {
    /// Keeps the connection from being closed to free memory.
    ///
    /// `CLIENT NO-EVICT <ON | OFF>`
    ///
    /// Since 7.0.0. O(1).
    everywhere client_no_evict ClientNoEvict ["CLIENT", "NO-EVICT"]
    (enabled: Switch) -> ();
    call => call.with(enabled)
}

declare! {
    /// Keeps the connection's commands from counting as uses of the keys they touch.
    ///
    /// `CLIENT NO-TOUCH <ON | OFF>`
    ///
    /// Since 7.2.0. O(1).
    everywhere client_no_touch ClientNoTouch ["CLIENT", "NO-TOUCH"]
    (enabled: Switch) -> ();
    call => call.with(enabled)
}

declare! {
    /// Holds back all commands of clients, or those that write, for some milliseconds.
    ///
    /// `CLIENT PAUSE timeout [WRITE | ALL]`
    ///
    /// Since 3.0.0. O(1).
    everywhere client_pause ClientPause ["CLIENT", "PAUSE"]
    (timeout: i64) -> ();
    call => call.with(timeout).gap(0)
}

impl<E, R> Call<E, ClientPause, R> {
    /// `WRITE`
    pub fn write(self) -> Self {
        self.option(0, |r| r.push(b"WRITE"))
    }

    /// `ALL`
    pub fn all(self) -> Self {
        self.option(0, |r| r.push(b"ALL"))
    }
}

declare! {
    /// Says which commands of the connection are answered.
    ///
    /// `CLIENT REPLY <ON | OFF | SKIP>`
    ///
    /// Since 3.2.0. O(1).
    alone client_reply ClientReply ["CLIENT", "REPLY"]
    (action: ClientReplyAction) -> ();
    call => call.with(action)
}

declare! {
    /// Describes the library that the client uses.
    ///
    /// `CLIENT SETINFO <LIB-NAME libname | LIB-VER libver>`
    ///
    /// Since 7.2.0. O(1).
    everywhere client_setinfo ClientSetinfo ["CLIENT", "SETINFO"]
    (attr: impl IntoIterator<Item = impl Arg>) -> ();
    call => call.with_all(attr)
}

declare! {
    /// Names the connection; an empty name takes the name away.
    ///
    /// `CLIENT SETNAME connection-name`
    ///
    /// Since 2.6.9. O(1).
    everywhere client_setname ClientSetname ["CLIENT", "SETNAME"]
    (connection_name: impl Arg) -> ();
    call => call.with(connection_name)
}

declare! {
    /// Has the connection, or another one, be told of changes to keys that it may have cached.
    ///
    /// `CLIENT TRACKING <ON | OFF> [REDIRECT client-id] [PREFIX prefix [PREFIX prefix ...]] [BCAST] [OPTIN] [OPTOUT] [NOLOOP]`
    ///
    /// Since 6.0.0. O(1). Some options may introduce additional complexity.
    everywhere client_tracking ClientTracking ["CLIENT", "TRACKING"]
    (status: Switch) -> ();
    call => call.with(status).gap(0)
}

impl<E, R> Call<E, ClientTracking, R> {
    /// `REDIRECT client-id`
    pub fn redirect(self, client_id: i64) -> Self {
        self.option(0, |r| {
            r.push(b"REDIRECT");
            client_id.add_to(r);
        })
    }

    /// `PREFIX prefix [PREFIX prefix ...]`
    pub fn prefix(self, prefix: impl IntoIterator<Item = impl Arg>) -> Self {
        self.option(0, |r| {
            for one in prefix {
                r.push(b"PREFIX");
                one.add_to(r);
            }
        })
    }

    /// `BCAST`
    pub fn bcast(self) -> Self {
        self.option(0, |r| r.push(b"BCAST"))
    }

    /// `OPTIN`
    pub fn optin(self) -> Self {
        self.option(0, |r| r.push(b"OPTIN"))
    }

    /// `OPTOUT`
    pub fn optout(self) -> Self {
        self.option(0, |r| r.push(b"OPTOUT"))
    }

    /// `NOLOOP`
    pub fn noloop(self) -> Self {
        self.option(0, |r| r.push(b"NOLOOP"))
    }
}
