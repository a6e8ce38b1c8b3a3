// Written from the command table; `OCHRE_BLESS=1 cargo test -p ochre-testkit --test client_commands` writes it anew.
//! Commands of the group `connection`.

use crate::arg::Arg;
use crate::call::Call;
use crate::commands::declare;
use crate::value::Value;
use bytes::Bytes;

declare! {
    /// Describes how the connection tracks keys.
    ///
    /// `CLIENT TRACKINGINFO`
    ///
    /// Since 6.2.0. O(1).
    everywhere client_trackinginfo ClientTrackinginfo ["CLIENT", "TRACKINGINFO"]
    () -> Value;
    call => call
}

declare! {
    /// Ends another connection's wait in a blocking command.
    ///
    /// `CLIENT UNBLOCK client-id [TIMEOUT | ERROR]`
    ///
    /// Since 5.0.0. O(log N) where N is the number of client connections.
    everywhere client_unblock ClientUnblock ["CLIENT", "UNBLOCK"]
    (client_id: i64) -> bool;
    call => call.with(client_id).gap(0)
}

impl<E, R> Call<E, ClientUnblock, R> {
    /// `TIMEOUT`
    pub fn timeout_option(self) -> Self {
        self.option(0, |r| r.push(b"TIMEOUT"))
    }

    /// `ERROR`
    pub fn error(self) -> Self {
        self.option(0, |r| r.push(b"ERROR"))
    }
}

declare! {
    /// Ends what CLIENT PAUSE began.
    ///
    /// `CLIENT UNPAUSE`
    ///
    /// Since 6.2.0. O(N) Where N is the number of paused clients.
    everywhere client_unpause ClientUnpause ["CLIENT", "UNPAUSE"]
    () -> ();
    call => call
}

declare! {
    /// Answers with its argument.
    ///
    /// `ECHO message`
    ///
    /// Since 1.0.0. O(1).
    everywhere echo Echo ["ECHO"]
    (message: impl Arg) -> Bytes;
    call => call.with(message)
}

declare! {
    /// Chooses the protocol and may authenticate and name the connection; answers with facts about the server.
    ///
    /// `HELLO [protover [AUTH username password] [SETNAME clientname]]`
    ///
    /// Since 6.0.0. O(1).
    alone hello Hello ["HELLO"]
    () -> Value;
    call => call.gap(0)
}

impl<E, R> Call<E, Hello, R> {
    /// `protover [AUTH username password] [SETNAME clientname]`
    pub fn arguments(self, protover: i64, auth: Option<(impl Arg, impl Arg)>, clientname: Option<impl Arg>) -> Self {
        self.option(0, |r| {
            protover.add_to(r);
            if let Some(auth) = auth {
                r.push(b"AUTH");
                auth.add_to(r);
            }
            if let Some(clientname) = clientname {
                r.push(b"SETNAME");
                clientname.add_to(r);
            }
        })
    }
}

declare! {
    /// Shows that the server is alive; repeats a message if one is given.
    ///
    /// `PING [message]`
    ///
    /// Since 1.0.0. O(1).
    everywhere ping Ping ["PING"]
    () -> String;
    call => call.gap(0)
}

impl<E, R> Call<E, Ping, R> {
    /// `message`
    pub fn message(self, message: impl Arg) -> Self {
        self.option(0, |r| {
            message.add_to(r);
        })
    }
}

declare! {
    /// Closes the connection once its replies are sent.
    ///
    /// `QUIT`
    ///
    /// Since 1.0.0. O(1).
    ///
    /// Discouraged since 7.2.0: use closing the connection from the client's side.
    alone quit Quit ["QUIT"]
    () -> ();
    call => call
}

declare! {
    /// Puts the connection back into the state of a new one.
    ///
    /// `RESET`
    ///
    /// Since 6.2.0. O(1).
    alone reset Reset ["RESET"]
    () -> ();
    call => call
}

declare! {
    /// Selects the database that the connection's commands work on.
    ///
    /// `SELECT index`
    ///
    /// Since 1.0.0. O(1).
    alone select Select ["SELECT"]
    (index: i64) -> ();
    call => call.with(index)
}
