// Written from the command table; `OCHRE_BLESS=1 cargo test -p ochre-testkit --test client_commands` writes it anew.
//! Commands of the group `server`.

use crate::arg::Arg;
use crate::call::Call;
use crate::commands::declare;
use crate::value::Value;

declare! {
    /// Returns the keys that a request names.
    ///
    /// `COMMAND GETKEYS command [arg [arg ...]]`
    ///
    /// Since 2.8.13. O(N) where N is the number of arguments to the command.
    everywhere command_getkeys CommandGetkeys ["COMMAND", "GETKEYS"]
    (command: impl Arg) -> Vec<String>;
    call => call.with(command).gap(0)
}

impl<E, R> Call<E, CommandGetkeys, R> {
    /// `arg [arg ...]`
    pub fn args(self, arg: impl IntoIterator<Item = impl Arg>) -> Self {
        self.option(0, |r| {
            for one in arg {
                one.add_to(r);
            }
        })
    }
}

declare! {
    /// Returns the keys that a request names and what it does with them.
    ///
    /// `COMMAND GETKEYSANDFLAGS command [arg [arg ...]]`
    ///
    /// Since 7.0.0. O(N) where N is the number of arguments to the command.
    everywhere command_getkeysandflags CommandGetkeysandflags ["COMMAND", "GETKEYSANDFLAGS"]
    (command: impl Arg) -> Value;
    call => call.with(command).gap(0)
}

impl<E, R> Call<E, CommandGetkeysandflags, R> {
    /// `arg [arg ...]`
    pub fn args(self, arg: impl IntoIterator<Item = impl Arg>) -> Self {
        self.option(0, |r| {
            for one in arg {
                one.add_to(r);
            }
        })
    }
}

declare! {
    /// Explains the subcommands.
    ///
    /// `COMMAND HELP`
    ///
    /// Since 5.0.0. O(1).
    everywhere command_help CommandHelp ["COMMAND", "HELP"]
    () -> Vec<String>;
    call => call
}

declare! {
    /// Describes the named commands, or all.
    ///
    /// `COMMAND INFO [command-name [command-name ...]]`
    ///
    /// Since 2.8.13. O(N) where N is the number of commands to look up.
    everywhere command_info CommandInfo ["COMMAND", "INFO"]
    () -> Value;
    call => call.gap(0)
}

impl<E, R> Call<E, CommandInfo, R> {
    /// `command-name [command-name ...]`
    pub fn command_name(self, command_name: impl IntoIterator<Item = impl Arg>) -> Self {
        self.option(0, |r| {
            for one in command_name {
                one.add_to(r);
            }
        })
    }
}

declare! {
    /// Returns the names of commands.
    ///
    /// `COMMAND LIST [FILTERBY <MODULE module-name | ACLCAT category | PATTERN pattern>]`
    ///
    /// Since 7.0.0. O(N) where N is the total number of Redis commands.
    everywhere command_list CommandList ["COMMAND", "LIST"]
    () -> Vec<String>;
    call => call.gap(0)
}

impl<E, R> Call<E, CommandList, R> {
    /// `FILTERBY <MODULE module-name | ACLCAT category | PATTERN pattern>`
    pub fn filterby(self, filterby: impl IntoIterator<Item = impl Arg>) -> Self {
        self.option(0, |r| {
            r.push(b"FILTERBY");
            for one in filterby {
                one.add_to(r);
            }
        })
    }
}

declare! {
    /// Returns the values of settings.
    ///
    /// `CONFIG GET parameter [parameter ...]`
    ///
    /// Since 2.0.0. O(N) when N is the number of configuration parameters provided.
    everywhere config_get ConfigGet ["CONFIG", "GET"]
    (parameter: impl IntoIterator<Item = impl Arg>) -> std::collections::HashMap<String, String>;
    call => call.with_all(parameter)
}

declare! {
    /// Explains the subcommands.
    ///
    /// `CONFIG HELP`
    ///
    /// Since 5.0.0. O(1).
    everywhere config_help ConfigHelp ["CONFIG", "HELP"]
    () -> Vec<String>;
    call => call
}

declare! {
    /// Starts the counters over.
    ///
    /// `CONFIG RESETSTAT`
    ///
    /// Since 2.0.0. O(1).
    everywhere config_resetstat ConfigResetstat ["CONFIG", "RESETSTAT"]
    () -> ();
    call => call
}

declare! {
    /// Writes the settings to the file that the server was started with.
    ///
    /// `CONFIG REWRITE`
    ///
    /// Since 2.8.0. O(1).
    everywhere config_rewrite ConfigRewrite ["CONFIG", "REWRITE"]
    () -> ();
    call => call
}

declare! {
    /// Changes settings, all of the given ones or none.
    ///
    /// `CONFIG SET parameter value [parameter value ...]`
    ///
    /// Since 2.0.0. O(N) when N is the number of configuration parameters provided.
    everywhere config_set ConfigSet ["CONFIG", "SET"]
    (data: impl IntoIterator<Item = (impl Arg, impl Arg)>) -> ();
    call => call.with_all(data)
}

declare! {
    /// Returns the number of keys in the database.
    ///
    /// `DBSIZE`
    ///
    /// Since 1.0.0. O(1).
    everywhere dbsize Dbsize ["DBSIZE"]
    () -> i64;
    call => call
}

declare! {
    /// Groups tools for tests and operators.
    ///
    /// `DEBUG`
    ///
    /// Since 1.0.0. Depends on subcommand.
    everywhere debug Debug ["DEBUG"]
    () -> Value;
    call => call
}

declare! {
    /// Removes all keys of all databases.
    ///
    /// `FLUSHALL [ASYNC | SYNC]`
    ///
    /// Since 1.0.0. O(N) where N is the total number of keys in all databases.
    everywhere flushall Flushall ["FLUSHALL"]
    () -> ();
    call => call.gap(0)
}

impl<E, R> Call<E, Flushall, R> {
    /// `ASYNC`
    pub fn async_(self) -> Self {
        self.option(0, |r| r.push(b"ASYNC"))
    }

    /// `SYNC`
    pub fn sync(self) -> Self {
        self.option(0, |r| r.push(b"SYNC"))
    }
}

declare! {
    /// Removes all keys of the database.
    ///
    /// `FLUSHDB [ASYNC | SYNC]`
    ///
    /// Since 1.0.0. O(N) where N is the number of keys in the selected database.
    everywhere flushdb Flushdb ["FLUSHDB"]
    () -> ();
    call => call.gap(0)
}

impl<E, R> Call<E, Flushdb, R> {
    /// `ASYNC`
    pub fn async_(self) -> Self {
        self.option(0, |r| r.push(b"ASYNC"))
    }

    /// `SYNC`
    pub fn sync(self) -> Self {
        self.option(0, |r| r.push(b"SYNC"))
    }
}

declare! {
    /// Returns facts and figures on the server.
    ///
    /// `INFO [section [section ...]]`
    ///
    /// Since 1.0.0. O(1).
    everywhere info Info ["INFO"]
    () -> String;
    call => call.gap(0)
}

impl<E, R> Call<E, Info, R> {
    /// `section [section ...]`
    pub fn section(self, section: impl IntoIterator<Item = impl Arg>) -> Self {
        self.option(0, |r| {
            for one in section {
                one.add_to(r);
            }
        })
    }
}

declare! {
    /// Reports on the spikes and what may help against them.
    ///
    /// `LATENCY DOCTOR`
    ///
    /// Since 2.8.13. O(1).
    everywhere latency_doctor LatencyDoctor ["LATENCY", "DOCTOR"]
    () -> String;
    call => call
}
