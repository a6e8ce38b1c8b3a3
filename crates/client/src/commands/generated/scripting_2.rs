// Written from the command table; `OCHRE_BLESS=1 cargo test -p ochre-testkit --test client_commands` writes it anew.
//! Commands of the group `scripting`.

use crate::arg::Arg;
use crate::call::Call;
use crate::commands::declare;

declare! {
    /// Tells which scripts are known by these SHA-1s.
    ///
    /// `SCRIPT EXISTS sha1 [sha1 ...]`
    ///
    /// Since 2.6.0. O(N) with N being the number of scripts to check (so checking a single script is an O(1) operation).
    everywhere script_exists ScriptExists ["SCRIPT", "EXISTS"]
    (sha1: impl IntoIterator<Item = impl Arg>) -> Vec<bool>;
    call => call.with_all(sha1)
}

declare! {
    /// Forgets all scripts.
    ///
    /// `SCRIPT FLUSH [ASYNC | SYNC]`
    ///
    /// Since 2.6.0. O(N) with N being the number of scripts in cache.
    everywhere script_flush ScriptFlush ["SCRIPT", "FLUSH"]
    () -> ();
    call => call.gap(0)
}

impl<E, R> Call<E, ScriptFlush, R> {
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
    /// Prints this help.
    ///
    /// `SCRIPT HELP`
    ///
    /// Since 5.0.0. O(1).
    everywhere script_help ScriptHelp ["SCRIPT", "HELP"]
    () -> Vec<String>;
    call => call
}

declare! {
    /// Ends the scripts that have been running for long and changed nothing.
    ///
    /// `SCRIPT KILL`
    ///
    /// Since 2.6.0. O(1).
    everywhere script_kill ScriptKill ["SCRIPT", "KILL"]
    () -> ();
    call => call
}

declare! {
    /// Makes a script known without running it.
    ///
    /// `SCRIPT LOAD script`
    ///
    /// Since 2.6.0. O(N) with N being the length in bytes of the script body.
    everywhere script_load ScriptLoad ["SCRIPT", "LOAD"]
    (script: impl Arg) -> String;
    call => call.with(script)
}
